"""`tensorflow_serving.apis`: requests, responses, and the stubs of the two services."""

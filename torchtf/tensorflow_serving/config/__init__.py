"""`tensorflow_serving.config`: the configuration files of a model server."""

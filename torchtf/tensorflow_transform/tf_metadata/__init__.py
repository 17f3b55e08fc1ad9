"""`tensorflow_transform.tf_metadata`: schemas, and feature specs of them."""

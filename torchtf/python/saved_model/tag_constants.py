"""`tensorflow.python.saved_model.tag_constants`: the tags of the graphs in a SavedModel."""

from torchtf.saved_model import GPU, SERVING, TPU, TRAINING  # noqa: F401

EVAL = "eval"

"""`tensorflow.python.saved_model.tag_constants`: the tags of the graphs in a SavedModel."""

SERVING = "serve"
TRAINING = "train"
EVAL = "eval"
GPU = "gpu"
TPU = "tpu"

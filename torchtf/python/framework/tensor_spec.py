"""`tensorflow.python.framework.tensor_spec`: `tf.TensorSpec`, the one spec of plain tensors."""

from torchtf.core.specs import TensorSpec

DenseSpec = TensorSpec

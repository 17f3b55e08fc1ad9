from torchtf.python.framework.composite_tensor import CompositeTensor
from torchtf.core.tensor import SymbolicTensor

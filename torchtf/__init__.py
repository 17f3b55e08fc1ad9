"""torchtf: TensorFlow 2 programs on PyTorch. `import torchtf as tf`.

Names load on first use: `import torchtf` costs little more than `import torch`.
"""

from __future__ import annotations

import importlib

from torchtf import _keras_import
from torchtf import operators as _operators
from torchtf._names import MODULES, TOP_LEVEL
from torchtf.core import absent
from torchtf.core.tensor import Tensor
from torchtf.core.variable import Variable

__version__ = "2.21.0"
__git_version__ = "torchtf"
__compiler_version__ = "torch"

newaxis = None

_keras_import.install()


def __getattr__(name: str):
    place = TOP_LEVEL.get(name)
    if place is not None:
        module, _, attribute = place.partition(":")
        value = getattr(importlib.import_module(module), attribute or name)
    elif name in MODULES:
        module, _, attribute = MODULES[name].partition(":")
        value = importlib.import_module(module)
        if attribute:
            value = getattr(value, attribute)
    else:
        raise absent.error_for(name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *TOP_LEVEL, *MODULES})

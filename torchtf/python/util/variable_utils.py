"""`tensorflow.python.util.variable_utils`: variables in structures."""

from __future__ import annotations

from torchtf.core import nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.variable import Variable


def convert_variables_to_tensors(values):
    """The structure with the value of each variable in its place, also within composite tensors."""

    def converted(x):
        if isinstance(x, Variable):
            return convert_to_tensor(x)
        if nest.is_composite(x):
            return nest.map_structure(converted, x, expand_composites=True)
        return x

    return nest.map_structure(converted, values)

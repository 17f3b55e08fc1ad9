"""`tensorflow.python.ops.random_ops`: what libraries use of it besides public names."""

from __future__ import annotations

from torchtf.array_ops import broadcast_to, reshape
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, to_shape
from torchtf.python import names_of
from torchtf.random import stateless_parameterized_truncated_normal, uniform


def parameterized_truncated_normal(
    shape, means=0.0, stddevs=1.0, minvals=-2.0, maxvals=2.0, dtype=dtypes.float32, seed=None,
    name=None,
):  # fmt: skip
    """Draws normal numbers between bounds.

    The numbers are not TensorFlow's for a seed, their distribution is.

    Args:
        shape: of the result.
        means, stddevs, minvals, maxvals: of the distributions: a number, or one for each row of the
            result.
        dtype: a type of real numbers.
        seed: an op seed, see `tf.random.set_seed`.
    """
    parameters = [convert_to_tensor(p, dtype) for p in (means, stddevs, minvals, maxvals)]
    names = ("means", "stddevs", "minvals", "maxvals")
    sizes = to_shape(shape)
    wide = [_of_rows(p, n, sizes) for p, n in zip(parameters, names, strict=True)]
    seeds = uniform([2], maxval=dtypes.int32.max, dtype=dtypes.int32, seed=seed)
    return stateless_parameterized_truncated_normal(sizes, seeds, *wide, name=name)


def _of_rows(parameter, name: str, sizes):
    """A parameter of each element."""
    if parameter.shape.rank == 0:
        return parameter
    if parameter.shape.rank != 1 or parameter.shape[0] not in (1, sizes[0]):
        raise errors.of_kernel(
            "ParameterizedTruncatedNormal",
            f"Input {name} should have length 1 or shape[0], got shape: {parameter.shape}",
        )
    return broadcast_to(reshape(parameter, [-1, *[1] * (len(sizes) - 1)]), sizes)


__getattr__ = names_of("ops.random_ops")

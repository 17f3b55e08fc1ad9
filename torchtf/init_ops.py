"""`tf.zeros_initializer` and the other initializers at the top level."""

from __future__ import annotations

import numpy as np

from torchtf import array_ops, random
from torchtf.core import dtypes
from torchtf.core.tensor import Tensor


class Initializer:
    """A function of a shape and a type that makes the first value of a variable.

    Initializers know `partition_shape` (the shape of a part, made instead of the whole) and
    `partition_offset`, which sharded variables pass.
    """

    def __call__(self, shape, dtype=None, **kwargs) -> Tensor:
        raise NotImplementedError

    def get_config(self) -> dict:
        """The arguments that make this initializer."""
        return {}

    @classmethod
    def from_config(cls, config: dict):
        """The initializer that `get_config` described."""
        return cls(**{k: v for k, v in config.items() if k != "dtype"})

    def _part(self, shape, kwargs, allowed=True):
        for name in kwargs:
            if name not in ("partition_shape", "partition_offset"):
                raise TypeError(
                    "Keyword argument should be one of ['partition_shape', 'partition_offset']. "
                    f"Received: {name}"
                )
            if not allowed:
                raise ValueError(
                    f"{type(self).__name__} initializer doesn't support partition-related arguments"
                )
        return kwargs.get("partition_shape", shape)


def _no_string(dtype):
    dtype = dtypes.as_dtype(dtype)
    if not dtype.is_numpy_compatible or dtype is dtypes.string:
        raise ValueError(f"Argument `dtype` expected to be numeric or boolean. Received {dtype}.")
    return dtype


class Zeros(Initializer):
    """Zeros (source: `tf.zeros_initializer`)."""

    def __call__(self, shape, dtype=dtypes.float32, **kwargs) -> Tensor:
        return array_ops.zeros(self._part(shape, kwargs), _no_string(dtype))


class Ones(Initializer):
    """Ones (source: `tf.ones_initializer`)."""

    def __call__(self, shape, dtype=dtypes.float32, **kwargs) -> Tensor:
        return array_ops.ones(self._part(shape, kwargs), _no_string(dtype))


class Constant(Initializer):
    """A given value (source: `tf.constant_initializer`).

    Args:
        value: a number, which fills the shape, or as many values as the shape holds.
        support_partition: whether parts may be made.

    Raises:
        TypeError: for a value of another kind.
    """

    def __init__(self, value=0, support_partition=False):
        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise TypeError(
                f"Invalid type for initial value: {type(value).__name__}. Expected Python scalar, "
                "list or tuple of values, or numpy.ndarray."
            )
        self.value = value
        self.support_partition = support_partition

    def __call__(self, shape, dtype=None, **kwargs) -> Tensor:
        self._part(shape, kwargs, self.support_partition)
        return array_ops.constant(self.value, dtype, shape)

    def get_config(self) -> dict:
        return {"value": self.value}


class RandomUniform(Initializer):
    """Uniform numbers (source: `tf.random_uniform_initializer`).

    Args:
        minval, maxval: the bounds.
        seed: if given, the numbers are always the same.
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        self.minval = minval
        self.maxval = maxval
        self.seed = seed

    def __call__(self, shape, dtype=dtypes.float32, **kwargs) -> Tensor:
        shape, dtype = self._part(shape, kwargs), dtypes.as_dtype(dtype)
        if not (dtype.is_floating or dtype.is_integer):
            raise ValueError(
                f"Argument `dtype` expected to be numeric or boolean. Received {dtype}."
            )
        if self.seed is None:
            return random.uniform(shape, self.minval, self.maxval, dtype)
        return random.stateless_uniform(shape, [self.seed, 0], self.minval, self.maxval, dtype)

    def get_config(self) -> dict:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class RandomNormal(Initializer):
    """Normal numbers (source: `tf.random_normal_initializer`).

    Args:
        mean, stddev: of the distribution.
        seed: if given, the numbers are always the same.
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def __call__(self, shape, dtype=dtypes.float32, **kwargs) -> Tensor:
        shape, dtype = self._part(shape, kwargs), dtypes.as_dtype(dtype)
        if not dtype.is_floating:
            raise ValueError(
                f"Argument `dtype` is expected to be floating point. Received: {dtype}."
            )
        if self.seed is None:
            return random.normal(shape, self.mean, self.stddev, dtype)
        return random.stateless_normal(shape, [self.seed, 0], self.mean, self.stddev, dtype)

    def get_config(self) -> dict:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_uniform_initializer = RandomUniform
random_normal_initializer = RandomNormal

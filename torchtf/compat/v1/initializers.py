"""`tf.compat.v1.initializers`: objects that make the first values of variables.

Each is called with a shape and perhaps a dtype. Random ones draw what `tf.random` draws with the
same seed; the other arguments are those of the distributions.
"""

from __future__ import annotations

import inspect as _inspect
import math as _math

import torchtf as tf
from torchtf.compat.v1 import _names_of

_table = _names_of("initializers")


class _Initializer:
    """What has a config of the arguments that it was made of."""

    _kinds = "floating"

    def __init__(self, **arguments):
        self.__dict__.update(arguments)
        self.dtype = tf.as_dtype(self.dtype)

    def get_config(self) -> dict:
        """The arguments that make an equal initializer."""
        names = list(_inspect.signature(type(self)).parameters)
        config = {name: getattr(self, name) for name in names if name != "verify_shape"}
        return {**config, "dtype": self.dtype.name}

    @classmethod
    def from_config(cls, config: dict):
        """An initializer of a config."""
        return cls(**config)

    def __call__(self, shape, dtype=None, partition_info=None):
        """A tensor of a shape; `partition_info` tells of the whole of a partitioned variable."""
        return self._values(
            shape, self.dtype if dtype is None else tf.as_dtype(dtype), partition_info
        )


class Zeros(_Initializer):
    """All 0."""

    def __init__(self, dtype=tf.float32):
        super().__init__(dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        return tf.zeros(shape, dtype)


class Ones(_Initializer):
    """All 1."""

    def __init__(self, dtype=tf.float32):
        super().__init__(dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        return tf.ones(shape, dtype)


class Constant(_Initializer):
    """One value, or an array that is reshaped.

    Raises:
        TypeError: if the value is neither a number nor a list or array of numbers; or, with
            `verify_shape`, has another shape.
    """

    def __init__(self, value=0, dtype=tf.float32, verify_shape=False):
        import numpy as np

        if not (np.isscalar(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise TypeError(f"Invalid type for initial value={value} of type: {type(value).__name__}. Expected Python scalar, list or tuple of values, or numpy.ndarray.")  # fmt: skip  # noqa: E501
        super().__init__(value=value, dtype=dtype, _verify_shape=verify_shape)

    def _values(self, shape, dtype, partition_info):
        return tf.compat.v1.constant(self.value, dtype, shape, verify_shape=self._verify_shape)


class RandomUniform(_Initializer):
    """`tf.random.uniform` from `minval` to `maxval`."""

    def __init__(self, minval=0.0, maxval=None, seed=None, dtype=tf.float32):
        super().__init__(minval=minval, maxval=maxval, seed=seed, dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        return tf.random.uniform(shape, self.minval, self.maxval, dtype, self.seed)


class RandomNormal(_Initializer):
    """`tf.random.normal`."""

    def __init__(self, mean=0.0, stddev=1.0, seed=None, dtype=tf.float32):
        super().__init__(mean=mean, stddev=stddev, seed=seed, dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        return tf.random.normal(shape, self.mean, self.stddev, dtype, self.seed)


class TruncatedNormal(RandomNormal):
    """`tf.random.truncated_normal`."""

    def _values(self, shape, dtype, partition_info):
        return tf.random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)


class UniformUnitScaling(_Initializer):
    """Uniform numbers that keep the scale of a product with them."""

    def __init__(self, factor=1.0, seed=None, dtype=tf.float32):
        super().__init__(factor=factor, seed=seed, dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        whole = shape if partition_info is None else partition_info.full_shape
        inputs = max(_math.prod(map(float, whole[:-1])), 1.0)
        limit = _math.sqrt(3 / inputs) * self.factor
        return tf.random.uniform(shape, -limit, limit, dtype, seed=self.seed)


def _fans(shape) -> tuple:
    """How many inputs and outputs a kernel of a shape has."""
    shape = [int(size) for size in shape]
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = _math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class VarianceScaling(_Initializer):
    """Numbers whose variance fits the number of inputs or outputs of a kernel.

    Args:
        scale: a positive factor.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" ("normal"), "untruncated_normal" or "uniform".
        seed: an op seed.
        dtype: a floating type.

    Raises:
        ValueError: for another value of these.
    """

    def __init__(
        self,
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        seed=None,
        dtype=tf.float32,
    ):
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be a positive float. Received: {scale}")
        if mode not in {"fan_in", "fan_out", "fan_avg"}:
            raise ValueError(
                "Argument `mode` should be one of ('fan_in', 'fan_out', 'fan_avg'). "
                f"Received: {mode}"
            )
        distribution = distribution.lower()
        if distribution not in {"normal", "uniform", "truncated_normal", "untruncated_normal"}:
            raise ValueError(
                "Argument `distribution` should be one of ('normal', uniform', "
                f"'truncated_normal', 'untruncated_normal'). Received: {distribution}"
            )
        super().__init__(scale=scale, mode=mode, distribution=distribution, seed=seed, dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        whole = shape if partition_info is None else partition_info.full_shape
        inputs, outputs = _fans(whole)
        size = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2.0}
        scale = self.scale / max(1.0, size[self.mode])
        if self.distribution == "uniform":
            limit = _math.sqrt(3.0 * scale)
            return tf.random.uniform(shape, -limit, limit, dtype, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return tf.random.normal(shape, 0.0, _math.sqrt(scale), dtype, seed=self.seed)
        # the deviation of a normal distribution that is cut at two deviations
        stddev = _math.sqrt(scale) / 0.87962566103423978
        return tf.random.truncated_normal(shape, 0.0, stddev, dtype, seed=self.seed)


class Orthogonal(_Initializer):
    """A random orthogonal matrix times `gain`; more dimensions are flattened but for the last.

    Raises:
        ValueError: when called with a shape of fewer than two dimensions.
    """

    def __init__(self, gain=1.0, seed=None, dtype=tf.float32):
        super().__init__(gain=gain, seed=seed, dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        if len(shape) < 2:
            raise ValueError(
                "The tensor to initialize, specified by argument `shape` must be at least "
                f"two-dimensional. Received shape={shape}"
            )
        columns, rows = int(shape[-1]), _math.prod(int(size) for size in shape[:-1])
        flat = (columns, rows) if rows < columns else (rows, columns)
        q, r = tf.linalg.qr(tf.random.normal(flat, dtype=dtype, seed=self.seed))
        q *= tf.sign(tf.linalg.diag_part(r))
        if rows < columns:
            q = tf.linalg.matrix_transpose(q)
        return self.gain * tf.reshape(q, shape)


class Identity(_Initializer):
    """The unit matrix times `gain`.

    Raises:
        ValueError: when called with a shape that is not two-dimensional.
    """

    def __init__(self, gain=1.0, dtype=tf.float32):
        super().__init__(gain=gain, dtype=dtype)

    def _values(self, shape, dtype, partition_info):
        whole = shape if partition_info is None else partition_info.full_shape
        if len(whole) != 2:
            raise ValueError(
                "The tensor to initialize, specified by argument `shape` must be at least "
                f"two-dimensional. Received shape={shape}"
            )
        unit = tf.eye(*(int(size) for size in whole), dtype=dtype)
        if partition_info is not None:
            unit = tf.slice(unit, partition_info.var_offset, shape)
        return self.gain * unit


class GlorotUniform(VarianceScaling):
    """Uniform numbers within sqrt(6 / (inputs + outputs))."""

    def __init__(self, seed=None, dtype=tf.float32):
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)


class GlorotNormal(VarianceScaling):
    """Truncated normal numbers of deviation sqrt(2 / (inputs + outputs))."""

    def __init__(self, seed=None, dtype=tf.float32):
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)


zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_uniform, random_normal, truncated_normal = RandomUniform, RandomNormal, TruncatedNormal
uniform_unit_scaling, variance_scaling = UniformUnitScaling, VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal


def _scaled(name: str, scale: float, distribution: str):
    def make(seed=None):
        return VarianceScaling(scale, "fan_in", distribution, seed)

    make.__name__, make.__doc__ = (
        name,
        f"`VarianceScaling` of {scale} for the inputs, {distribution}.",
    )
    return make


he_normal = _scaled("he_normal", 2.0, "truncated_normal")
he_uniform = _scaled("he_uniform", 2.0, "uniform")
lecun_normal = _scaled("lecun_normal", 1.0, "truncated_normal")
lecun_uniform = _scaled("lecun_uniform", 1.0, "uniform")


def __getattr__(name: str):
    return _table(name)

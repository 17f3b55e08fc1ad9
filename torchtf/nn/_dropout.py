"""`tf.nn.dropout` and its stateless forms."""

from __future__ import annotations

import numbers

from torchtf import array_ops, random
from torchtf import math as tf_math
from torchtf.core.convert import convert_to_tensor, to_shape
from torchtf.core.dispatch import dispatched
from torchtf.core.tensor import is_tensor_type


def _check_rate(rate):
    """Checks a rate that is known.

    Raises:
        ValueError: unless 0 <= rate < 1 or it is one.
    """
    if isinstance(rate, numbers.Real) and not isinstance(rate, bool):
        if not 0 <= rate < 1:
            raise ValueError(
                "`rate` must be a scalar tensor or a float in the range [0, 1). "
                f"Received: rate={rate}"
            )
        return float(rate)
    if not is_tensor_type(rate):
        if not hasattr(type(rate), "_tape_read"):
            raise ValueError(f"`rate` must be a scalar or scalar tensor. Received: rate={rate}")
        rate = rate.value()
    if rate.shape.rank not in (0, None):
        raise ValueError(f"Shape {rate.shape} must have rank 0")
    return rate


def _noise_sizes(x, noise_shape):
    sizes = list(x._data.shape)
    if noise_shape is None:
        return sizes
    if isinstance(noise_shape, (list, tuple)) and len(noise_shape) == len(sizes):
        noise_shape = [s if n is None else n for n, s in zip(noise_shape, sizes, strict=True)]
    return to_shape(noise_shape)


def _dropout(x, rate, sampler, noise_shape, name):
    rate = _check_rate(rate)
    x = convert_to_tensor(x)
    if not x.dtype.is_floating:
        raise ValueError(
            "`x.dtype` must be a floating point tensor as `x` will be scaled. Received: "
            f"x.dtype={x.dtype}"
        )
    if isinstance(rate, float):
        if rate == 0:
            return x
        scale = 1.0 / (1.0 - rate)
    else:
        if not rate.dtype.is_compatible_with(x.dtype):
            raise ValueError(
                "`x.dtype` must equal `rate.dtype`. Received: "
                f"x.dtype={x.dtype} and rate.dtype={rate.dtype}"
            )
        scale = tf_math.divide(1.0, tf_math.subtract(1.0, rate))
    noise = sampler(_noise_sizes(x, noise_shape), x.dtype)
    keep = tf_math.greater_equal(noise, rate)
    return array_ops.where(keep, tf_math.multiply(x, scale), 0.0, name)


@dispatched
def dropout(x, rate, noise_shape=None, seed=None, name=None):
    """Sets elements to zero at random and scales up the others (source: `tf.nn.dropout`).

    Args:
        x: a float tensor.
        rate: the probability of an element to be dropped, a number or scalar tensor in [0, 1).
        noise_shape: the shape of what is drawn, broadcast with `x`; None in it stands for the size
            of `x` there.
        seed: an op seed, see `tf.random.set_seed`.

    Raises:
        ValueError: if `rate` is out of range or `x` no float tensor.
    """
    return _dropout(
        x, rate, lambda shape, dtype: random.uniform(shape, dtype=dtype, seed=seed),
        noise_shape, name,
    )  # fmt: skip


def stateless_dropout(x, rate, seed, rng_alg=None, noise_shape=None, name=None):
    """`dropout` determined by a seed (source: `tf.nn.experimental.stateless_dropout`).

    Args:
        x, rate, noise_shape: as for `dropout`.
        seed: two integers.
        rng_alg: as `alg` of `tf.random.stateless_uniform`.
    """
    alg = rng_alg or "auto_select"
    return _dropout(
        x, rate,
        lambda shape, dtype: random.stateless_uniform(shape, seed, dtype=dtype, alg=alg),
        noise_shape, name,
    )  # fmt: skip


def general_dropout(x, rate, uniform_sampler, noise_shape=None, name=None):
    """`dropout` with numbers of one's own (source: `tf.nn.experimental.general_dropout`).

    Args:
        x, rate, noise_shape: as for `dropout`.
        uniform_sampler: a function of `shape` and `dtype` that returns numbers in [0, 1).
    """
    return _dropout(
        x, rate, lambda shape, dtype: uniform_sampler(shape=shape, dtype=dtype), noise_shape, name
    )

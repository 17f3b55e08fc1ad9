"""`tf.compat.v1.random`."""

from __future__ import annotations

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.random._seeds import get_seed as get_seed

__getattr__ = _names_of("random")


def set_random_seed(seed) -> None:
    """`tf.random.set_seed`."""
    tf.random.set_seed(seed)


def multinomial(logits, num_samples, seed=None, name=None, output_dtype=None):
    """`tf.random.categorical`."""
    return tf.random.categorical(logits, num_samples, output_dtype, seed, name)


def stateless_multinomial(logits, num_samples, seed, output_dtype=tf.int64, name=None):
    """`tf.random.stateless_categorical`."""
    return tf.random.stateless_categorical(logits, num_samples, seed, output_dtype, name)


def poisson(lam, shape, dtype=tf.float32, seed=None, name=None):
    """`tf.random.poisson` with the rates first."""
    return tf.random.poisson(shape, lam, dtype, seed, name)

"""Ops of `gen_linalg_ops` that are more than a call."""

from __future__ import annotations

import collections

import torchtf as tf

_Eig = collections.namedtuple("Eig", ["e", "v"])
_SelfAdjointEig = collections.namedtuple("SelfAdjointEigV2", ["e", "v"])
_Svd = collections.namedtuple("Svd", ["s", "u", "v"])


def Eig(input, Tout, compute_v=True, name=None):
    if compute_v:
        made = tf.linalg.eig(input, name=name)
    else:
        made = tf.linalg.eigvals(input, name=name), tf.zeros([], Tout)
    return _Eig(*(tf.cast(x, Tout) for x in made))


def SelfAdjointEigV2(input, compute_v=True, name=None):
    input = tf.convert_to_tensor(input)
    if compute_v:
        made = tf.linalg.eigh(input, name=name)
    else:
        made = tf.linalg.eigvalsh(input, name=name), tf.zeros([], input.dtype)
    return _SelfAdjointEig(*(tf.cast(x, input.dtype) for x in made))


def Svd(input, compute_uv=True, full_matrices=False, name=None):
    """The singular values are of the type of `input`, complex where it is."""
    tensor = tf.convert_to_tensor(input)
    if compute_uv:
        s, u, v = tf.linalg.svd(tensor, full_matrices, name=name)
    else:
        s = tf.linalg.svd(tensor, full_matrices, compute_uv=False, name=name)
        u = v = tf.zeros([], tensor.dtype)
    return _Svd(tf.cast(s, tensor.dtype), u, v)

"""Ops of `gen_string_ops` that are more than a call."""

from __future__ import annotations

import collections

import torchtf as tf

_Split = collections.namedtuple("StringSplitV2", ["indices", "values", "shape"])


def StringSplitV2(input, sep, maxsplit=-1, name=None):
    """The parts of each string, as a sparse matrix."""
    parts = tf.strings.split(input, sep, maxsplit, name=name).to_sparse()
    return _Split(parts.indices, parts.values, parts.dense_shape)

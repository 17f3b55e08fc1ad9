"""`tf.compat.v1.linalg`."""

from __future__ import annotations

import torchtf as tf
from torchtf.compat.v1 import _names_of
from torchtf.compat.v1._arrays import norm as norm

_table = _names_of("linalg")


def diag(diagonal, name="diag", k=0, num_rows=-1, num_cols=-1, padding_value=0, align="RIGHT_LEFT"):
    """`tf.linalg.diag`."""
    return tf.linalg.diag(diagonal, name, k, num_rows, num_cols, padding_value, align)


def diag_part(input, name="diag_part", k=0, padding_value=0, align="RIGHT_LEFT"):
    """`tf.linalg.diag_part`."""
    return tf.linalg.diag_part(input, name, k, padding_value, align)


def __getattr__(name: str):
    # the same functions as in TF 2, which only choose dtypes in another way there
    if name in ("matmul", "tensor_diag_part", "trace"):
        return getattr(tf.linalg, name)
    if name in ("matrix_transpose", "transpose"):
        return tf.linalg.matrix_transpose
    return _table(name)

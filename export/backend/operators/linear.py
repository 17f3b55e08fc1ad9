"""Matrix products: MatMul, Gemm, Einsum, Attention."""

from __future__ import annotations

import functools
import math

import tensorflow as tf

from ..values import Constant, Value, elementwise, identity, reshaped
from .registry import operator


def matmul(a: Value, b: Value) -> Value:
    """A batched product; an operand whose last two axes lie swapped is read transposed."""
    if a.rank == 1 or b.rank == 1:
        left = tf.expand_dims(a.tensor(), 0) if a.rank == 1 else a.tensor()
        right = tf.expand_dims(b.tensor(), 1) if b.rank == 1 else b.tensor()
        product = tf.matmul(left, right)
        product = tf.squeeze(product, -1) if b.rank == 1 else product
        return Value(tf.squeeze(product, -1 if b.rank == 1 else -2) if a.rank == 1 else product)
    if isinstance(b, Constant) and a.rank >= b.rank:
        *several, height, width = b.numpy().shape
        if math.prod(several) == 1:
            return _by_matrix(a, b.reshaped([height, width]) if several else b)
    left, transpose_a = _operand(a)
    right, transpose_b = _operand(b)
    return Value(tf.matmul(left, right, transpose_a=transpose_a, transpose_b=transpose_b))


def _by_matrix(a: Value, matrix: Constant) -> Value:
    """A product with one matrix, over the last axis of what `a` is a reshape of."""
    rows = a.source
    if not a.in_order or rows.rank < 2 or rows.shape[-1] != a.shape[-1]:
        rows = a
    product = Value(tf.matmul(rows.tensor(), matrix.tensor()))
    if rows is a:
        return product
    found = reshaped(product, [*a.sizes()[:-1], matrix.shape[-1]])
    assert found is not None  # the elements of a product lie in order
    return found


def _operand(value: Value):
    rank = value.rank
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    if value.order == swapped and not isinstance(value, Constant):
        return value.tensor(swapped), True
    return value.tensor(), False


@operator("MatMul")
def mat_mul(node, a, b):
    return matmul(a, b)


@operator("Gemm")
def gemm(node, a, b, c=None):
    a = a.transposed([1, 0]) if node.get("transA", 0) else a
    b = b.transposed([1, 0]) if node.get("transB", 0) else b
    product = matmul(a, b)
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if alpha != 1:
        product = product.map(lambda t: t * alpha)
    if c is None or beta == 0:
        return product
    if beta != 1:
        c = c.map(lambda t: t * beta)
    return elementwise(tf.add, product, c)


@operator("Einsum")
def einsum(node, *values):
    equation = node.get("equation").replace(" ", "")
    return Value(tf.einsum(equation, *(v.tensor() for v in values)))


@operator("Attention")
def attention(node, query, key, value, mask=None, *past):
    if any(p is not None for p in past) or node.get("softcap", 0.0) or len(node.outputs) > 1:
        raise node.unsupported("key and value caches or softcap")
    if query.rank != 4:
        raise node.unsupported("packed heads")
    width = query.shape[-1]
    scale = node.get("scale") or width**-0.5
    heads, kv_heads = query.shape[1], key.shape[1]
    if heads != kv_heads:  # grouped queries: each key head serves several
        key, value = (Value(tf.repeat(v.tensor(), heads // kv_heads, axis=1)) for v in (key, value))
    query = query.map(lambda t: t * tf.cast(scale, t.dtype))
    scores = matmul(query, key.transposed([0, 1, 3, 2]))
    if mask is not None:
        if mask.dtype == tf.bool:
            mask = mask.map(lambda t: tf.where(t, tf.zeros([], scores.dtype), scores.dtype.min))
        scores = elementwise(tf.add, scores, mask)
    if node.get("is_causal", 0):
        rows, columns = (tf.range(scores.size(axis)) for axis in (-2, -1))
        visible = columns[None, :] <= rows[:, None]
        scores = scores.map(lambda t: tf.where(visible, t, t.dtype.min))
    weights = Value(tf.nn.softmax(scores.tensor()), identity(4))
    return matmul(weights, value)


_OF_MATRICES = {"Cholesky": tf.linalg.cholesky, "Det": tf.linalg.det, "Inverse": tf.linalg.inv}


def _of_matrices(function, node, x):
    return Value(function(x.tensor()))


for _name, _function in _OF_MATRICES.items():
    operator(_name)(functools.partial(_of_matrices, _function))


@operator("Svd")
def svd(node, x):
    """Singular vectors and values; the right vectors lie in rows, as in PyTorch."""
    s, u, v = tf.linalg.svd(x.tensor(), full_matrices=bool(node.get("full", 0)))
    rank = v.shape.rank
    return Value(u), Value(s), Value(v).transposed([*range(rank - 2), rank - 1, rank - 2])

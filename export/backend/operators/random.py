"""Draws: of the runtime's own numbers, and of the streams that states and seeds name."""

from __future__ import annotations

import functools

import tensorflow as tf

from ..values import Value, as_sizes, shape_operand
from .registry import operator

_FREE = {"RandomNormalLike": tf.random.normal, "RandomUniformLike": tf.random.uniform}


def _free(draw, node, like: Value) -> Value:
    code = node.get("dtype")
    dtype = like.dtype if code is None else node.importer.dtype(code)
    sizes = [like.size(axis) for axis in range(like.rank)]
    return Value(draw(shape_operand(sizes), dtype=dtype))


for _name, _draw in _FREE.items():
    operator(_name)(functools.partial(_free, _draw))

_DRAWS = {
    "full_int": tf.raw_ops.StatelessRandomUniformFullIntV2,
    "normal": tf.raw_ops.StatelessRandomNormalV2,
    "truncated_normal": tf.raw_ops.StatelessTruncatedNormalV2,
    "uniform": tf.raw_ops.StatelessRandomUniformV2,
    "uniform_int": tf.raw_ops.StatelessRandomUniformIntV2,
}
_PHILOX = 1


@operator("Philox")
def philox(node, state, shape, *bounds):
    """A draw from the stream of two seeds, or of a counter's low and high half and a key."""
    kind, dtype = node.get("kind"), node.importer.dtype(node.get("dtype"))
    if kind not in _DRAWS:
        raise node.unsupported(f"random numbers of the kind {kind!r} are not drawn from a seed")
    numbers = state.tensor()
    if state.shape == [2]:
        key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=numbers)
    else:
        counter, key = tf.split(tf.bitcast(numbers, tf.uint64), [2, 1])
    options = {"dtype": dtype}
    if kind == "uniform_int":
        low, high = (tf.cast(tf.reshape(b.tensor(), []), dtype) for b in bounds)
        options = {"minval": low, "maxval": high}
    sizes = tf.convert_to_tensor(shape_operand(as_sizes(shape) or []), tf.int32)
    return Value(_DRAWS[kind](shape=sizes, key=key, counter=counter, alg=_PHILOX, **options))

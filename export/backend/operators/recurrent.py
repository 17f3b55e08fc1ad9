"""LSTM, GRU and RNN.

A layer in the standard form of Keras becomes a function that carries the name by which
TensorFlow's converter recognizes it (``api_implements="lstm_..."``) and turns it into LiteRT's
fused kernel; everywhere else the function is an ordinary loop over time.
"""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from ..values import Constant, Value
from .registry import operator

_FUNCTIONS = {"Sigmoid": tf.sigmoid, "Tanh": tf.tanh, "Relu": tf.nn.relu}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_DEFAULT = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
_FEW = 128  # steps
COLLECTED = "collected_steps"  # operations whose results TensorFlow's converter quantizes wrongly
_numbers = itertools.count()


@operator("LSTM", "GRU", "RNN")
def recurrent(node, x, w, r, b=None, lengths=None, h0=None, c0=None, peepholes=None):
    if peepholes is not None or node.get("clip") or node.get("input_forget", 0):
        raise node.unsupported("peepholes, clip or input_forget")
    kind, hidden = node.op, node.get("hidden_size")
    directions = 2 if node.get("direction", "forward") == "bidirectional" else 1
    names = node.get("activations") or _DEFAULT[kind] * directions
    if any(name not in _FUNCTIONS for name in names):
        raise node.unsupported(f"activations {names}")
    functions = [_FUNCTIONS[name] for name in names]
    per_direction = len(functions) // directions
    batch_axis = 0 if node.get("layout", 0) else 1
    # ONNX: (time, batch, features); the loop: (batch, time, features)
    inputs = x.tensor() if batch_axis == 0 else x.tensor((1, 0, 2))
    batch = x.size(batch_axis)
    steps = lengths.tensor() if lengths is not None else None
    outputs, last_h, last_c = [], [], []
    for d in range(directions):
        backwards = d == 1 or node.get("direction", "forward") == "reverse"
        kernel, recurrent_kernel = (_pick(v, d) for v in (w, r))
        bias = _bias(b, d, kind, hidden, x.dtype, bool(node.get("linear_before_reset", 0)))
        states = [
            _initial(s, d, batch, hidden, x.dtype) for s in ([h0, c0] if kind == "LSTM" else [h0])
        ]
        cell = _cell(
            kind,
            hidden,
            functions[d * per_direction : (d + 1) * per_direction],
            bool(node.get("linear_before_reset", 0)),
        )
        sequence = inputs
        if backwards:
            sequence = _reverse(inputs, steps)
        if kind == "LSTM" and names == _DEFAULT["LSTM"] * directions and steps is None:
            order = _keras_order(hidden)
            sequence_out, finals = _fused_lstm(
                sequence, states, kernel(order), recurrent_kernel(order), bias(order)
            )
        else:
            sequence_out, finals = _loop(
                cell, sequence, states, kernel(None), recurrent_kernel(None), bias(None), steps,
                collect=bool(node.outputs[0]),
            )  # fmt: skip
        if backwards and sequence_out is not None:
            sequence_out = _reverse(sequence_out, steps)
        outputs.append(sequence_out)
        last_h.append(finals[0])
        last_c.append(finals[-1])
    states_axis = 0 if batch_axis == 1 else 1

    def y():
        """(batch, time, features) of each direction as (time, directions, batch, features)."""
        if batch_axis == 1:
            return Value(tf.stack(outputs, 1), (2, 1, 0, 3))
        return Value(tf.stack(outputs, 2))

    results = [
        y,
        lambda: Value(tf.stack(last_h, states_axis)),
        lambda: Value(tf.stack(last_c, states_axis)),
    ]
    wanted = zip(node.outputs, results, strict=False)
    return tuple(result() if name else None for name, result in wanted)


def _pick(value, d: int):
    """The (features, gates * hidden) matrix of a direction, its gates in the order asked for."""
    if isinstance(value, Constant):
        array = value.numpy()[d]
        return lambda order: Constant(_blocks(array, order).T, value.lift).tensor()
    tensor = value.tensor()[d]
    return lambda order: tf.transpose(tensor if order is None else tf.gather(tensor, order))


def _blocks(array: np.ndarray, order) -> np.ndarray:
    return array if order is None else array[order]


def _keras_order(hidden: int) -> np.ndarray:
    """ONNX holds the gates i, o, f, c, Keras (and the fused kernel) i, f, c, o."""
    return np.concatenate([np.arange(hidden) + hidden * g for g in (0, 2, 3, 1)])


def _bias(b, d: int, kind: str, hidden: int, dtype, separate: bool):
    """The bias of a direction: one vector, or for GRU the pair (input, recurrent)."""
    count = _GATES[kind] * hidden
    if b is None:
        return lambda order: tf.zeros([2, count] if kind == "GRU" else [count], dtype)
    if not isinstance(b, Constant):
        pair = tf.reshape(b.tensor()[d], [2, count])
        total = pair if kind == "GRU" else tf.reduce_sum(pair, 0)
        return lambda order: total if order is None else tf.gather(total, order)
    array = b.numpy()[d].reshape(2, count)
    if kind == "GRU":
        return lambda order: Constant(array, b.lift).tensor()
    return lambda order: Constant(_blocks(array.sum(0), order), b.lift).tensor()


def _initial(state, d: int, batch, hidden: int, dtype):
    if state is not None:
        return state.tensor()[d]
    return tf.zeros([batch, hidden], dtype)


def _reverse(tensor, lengths):
    if lengths is None:
        return tf.reverse(tensor, [1])
    return tf.reverse_sequence(tensor, lengths, seq_axis=1, batch_axis=0)


def _cell(kind: str, hidden: int, functions, linear_before_reset: bool):
    """``(x_t @ W, states, R, bias) -> states``."""

    def lstm(projected, states, r, b):
        h, c = states
        i, o, f, g = tf.split(projected + tf.matmul(h, r) + b, 4, axis=-1)
        gate, candidate, squash = functions
        c = gate(f) * c + gate(i) * candidate(g)
        return [gate(o) * squash(c), c]

    def gru(projected, states, r, b):
        (h,) = states
        gate, candidate = functions
        xz, xr, xh = tf.split(projected + b[0], 3, axis=-1)
        if linear_before_reset:
            hz, hr, hh = tf.split(tf.matmul(h, r) + b[1], 3, axis=-1)
            z, reset = gate(xz + hz), gate(xr + hr)
            n = candidate(xh + reset * hh)
        else:
            rz, rr, rh = tf.split(r, 3, axis=-1)
            bz, br, bh = tf.split(b[1], 3, axis=-1)
            z, reset = gate(xz + tf.matmul(h, rz) + bz), gate(xr + tf.matmul(h, rr) + br)
            n = candidate(xh + tf.matmul(reset * h, rh) + bh)
        return [n + z * (h - n)]

    def rnn(projected, states, r, b):
        return [functions[0](projected + tf.matmul(states[0], r) + b)]

    return {"LSTM": lstm, "GRU": gru, "RNN": rnn}[kind]


def _loop(cell, inputs, states, w, r, b, lengths=None, collect: bool = True):
    """Runs a cell along axis 1 of (batch, time, features): all outputs, and the final states.

    Where `collect` is False, there is None for the outputs.
    """
    projected = tf.matmul(inputs, w)

    def step(t, states):
        new = cell(tf.gather(projected, t, axis=1), states, r, b)
        if lengths is None:
            return new[0], new
        alive = (t < tf.cast(lengths, tf.int32))[:, None]
        shown = tf.where(alive, new[0], tf.zeros_like(new[0]))
        return shown, [tf.where(alive, n, o) for n, o in zip(new, states, strict=True)]

    count, hidden = inputs.shape[1], states[0].shape[-1]
    steps = tf.shape(projected)[1] if count is None else count
    kept, keep, sequence_of = _collector(states[0], inputs.shape[0], count, steps)

    def body(t, kept, *states):
        shown, new = step(t, list(states))
        return (t + 1, keep(kept, t, shown) if collect else kept, *new)

    _, kept, *finals = tf.while_loop(
        lambda t, *_: t < steps, body, [tf.constant(0), kept if collect else 0, *states]
    )
    if not collect:
        return None, finals
    sequence = sequence_of(kept)
    sequence.set_shape([*inputs.shape[:2], hidden])
    return sequence, finals


def _collector(state, batch: int | None, count: int | None, steps):
    """How a loop collects (batch, features) into (batch, time, features).

    LiteRT has no list of tensors of an unknown size, so an unknown batch is written to a tensor: by
    choice among all steps, which is cheaper there as long as these are few, or by a scatter.

    Returns:
        What is carried at first, ``keep(carried, t, tensor)``, and what makes the sequence of it.
    """
    rows, hidden = tf.shape(state)[0] if batch is None else batch, state.shape[-1]
    if count is not None and count <= _FEW:
        numbers = tf.range(count)[:, None]
        return (
            tf.zeros([rows, count, hidden], state.dtype),
            lambda kept, t, shown: tf.where(tf.equal(numbers, t), shown[:, None], kept),
            lambda kept: kept,
        )
    if batch is None:
        return (
            tf.zeros([steps, rows, hidden], state.dtype),
            lambda kept, t, shown: tf.tensor_scatter_nd_update(
                kept, [[t]], shown[None], name=COLLECTED
            ),
            lambda kept: tf.transpose(kept, [1, 0, 2]),
        )
    return (
        tf.TensorArray(state.dtype, size=steps, element_shape=state.shape),
        lambda kept, t, shown: kept.write(t, shown),
        lambda kept: tf.transpose(kept.stack(), [1, 0, 2]),
    )


def _fused_lstm(inputs, states, kernel, recurrent_kernel, bias):
    """The Keras form of an LSTM layer, in a function that the TFLite converter fuses."""

    def step(projected, states, r, b):
        h, c = states
        i, f, g, o = tf.split(projected + tf.matmul(h, r) + b, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return [tf.sigmoid(o) * tf.tanh(c), c]

    @tf.function(
        experimental_attributes={
            "api_implements": f"lstm_{next(_numbers)}",
            "api_preferred_device": "CPU",
            "time_major": False,
            "go_backwards": False,
        },
        autograph=False,
    )
    def standard_lstm(inputs, init_h, init_c, kernel, recurrent_kernel, bias):
        sequence, (h, c) = _loop(step, inputs, [init_h, init_c], kernel, recurrent_kernel, bias)
        return h, sequence, h, c, tf.constant(1.0)

    h, sequence, _, c, _ = standard_lstm(inputs, *states, kernel, recurrent_kernel, bias)
    return sequence, [h, c]

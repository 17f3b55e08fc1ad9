"""Keras' recurrent layers: LSTM and GRU on the kernels of ATen and oneDNN, others as loops.

Contract:
- The numbers are Keras' own, up to the order of roundings. What no kernel computes (activations
  other than tanh and sigmoid, recurrent dropout, `unroll`, GRU with `reset_after=False`, gradients
  of gradients, half precision on CPUs) runs Keras' loop over the steps.
- A mask may have any pattern. A masked step changes no state, so the steps that count are moved to
  the front, the kernel runs, and each step takes the output of the last one before it that counts.
- Any other cell over an open number of steps is one loop in a graph, as on TensorFlow; over a known
  number of steps a trace unrolls it.
- In a graph without gradients the node of an LSTM or GRU is ATen's own, which exports know.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from keras.src import activations, tree
from keras.src.backend.torch.core import convert_to_tensor
from keras.src.layers.rnn.gru import GRU
from keras.src.layers.rnn.lstm import LSTM

from torchtf.core import graph, tape
from torchtf.core.tensor import is_fake
from torchtf.keras._patch import own_attribute, replaces, use_everywhere
from torchtf.keras._side import inward, on_keras_side, outward

_aten = torch.ops.aten
_LSTM_MODE = 2  # what ATen calls an LSTM among the kinds of `mkldnn_rnn_layer`

# Added to the pre-activation of a gate, it shuts or opens the gate for good.
_SATURATING = 1e4


def _is_native(layer: Any, sequences: torch.Tensor) -> bool:
    kernel = layer.cell.kernel
    dtype = convert_to_tensor(kernel).dtype
    return (
        layer.use_cudnn is not False
        and not layer.unroll
        and not layer.recurrent_dropout
        and not (layer.dropout and layer.cell.implementation != 2)
        and layer.activation is activations.tanh
        and layer.recurrent_activation is activations.sigmoid
        and getattr(layer.cell, "reset_after", True)
        and len(tape.active_tapes()) < 2
        and sequences.device.type in ("cpu", "cuda")
        and (dtype in (torch.float32, torch.float64) or sequences.device.type == "cuda")
    )


def _records(*tensors: torch.Tensor) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


# ---- kernels: (batch, steps, features) and initial states -> all outputs and the last states ----

States = list[torch.Tensor]


def _lstm(
    x: torch.Tensor, states: States, kernel: torch.Tensor, recurrent: torch.Tensor, bias: Any
) -> tuple[torch.Tensor, States] | None:
    h, c = states
    # Keras and ATen order the gates alike: input, forget, cell, output.
    if _is_traced(x) and _records(x, h, c, kernel, recurrent):
        if not _has_gradient(x):
            return None
        if bias is None:
            bias = x.new_zeros(kernel.shape[1])
        # as the kernels want them, once for both directions
        laid_out = [t.contiguous() for t in (x.transpose(0, 1), h, c, kernel.t(), recurrent.t())]
        y, h, c, _ = lstm_sequence(*laid_out, bias)
        return y.transpose(0, 1), [h, c]
    weights = [kernel.t(), recurrent.t()]
    if bias is not None:
        weights += [bias, torch.zeros_like(bias)]
    hx = [h.unsqueeze(0), c.unsqueeze(0)]
    y, *last = _run(_aten.lstm.input, torch._VF.lstm, x, hx, weights)
    return y, [s.squeeze(0) for s in last]


def _has_gradient(x: torch.Tensor) -> bool:
    """Whether oneDNN computes gradients for such values."""
    return (
        x.device.type == "cpu" and x.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    )


def _gru(
    x: torch.Tensor, states: States, kernel: torch.Tensor, recurrent: torch.Tensor, bias: Any
) -> tuple[torch.Tensor, States]:
    (h,) = states
    if bias is None:
        bias = x.new_zeros(2, kernel.shape[1])
    if _records(x, h, kernel, recurrent, bias):
        y = gru_sequence(x.transpose(0, 1), h, kernel, recurrent, bias)[0]
        return y.transpose(0, 1), [y[-1]]

    def reordered(w: torch.Tensor) -> torch.Tensor:
        """ATen has the gates as reset, update, new; Keras has the first two swapped."""
        update, reset, new = w.chunk(3, -1)
        return torch.cat([reset, update, new], -1)

    weights = [reordered(kernel).t(), reordered(recurrent).t(), *reordered(bias).unbind()]
    y, last = _run(_aten.gru.input, torch._VF.gru, x, h.unsqueeze(0), weights)
    return y, [last.squeeze(0)]


def _is_traced(x: torch.Tensor) -> bool:
    return graph.state.trace is not None and is_fake(x)


def _run(op: Any, function: Any, x: torch.Tensor, hx: Any, weights: list[torch.Tensor]) -> Any:
    """Calls a recurrent kernel, in a trace as one node."""
    options = (len(weights) > 2, 1, 0.0, False, False, True)
    trace = graph.state.trace
    if trace is None or not is_fake(x):
        return function(x, hx, weights, *options)
    states = hx if isinstance(hx, list) else [hx]
    with trace.untraced(), trace.fake_mode, torch.no_grad():
        batch, steps, _ = x.shape
        y = x.new_empty(steps, batch, states[0].shape[-1]).transpose(0, 1)  # as the kernel lays it
        outputs = [y, *map(torch.empty_like, states)]
    hx = tuple(hx) if isinstance(hx, list) else hx
    return trace.call(op, [x, hx, tuple(weights), *options], outputs)


# ---- LSTM: ATen's kernel keeps what its gradient needs only where autograd records ---------------


@torch.library.custom_op("torchtf::lstm_sequence", mutates_args=())
def lstm_sequence(
    x: torch.Tensor,
    h: torch.Tensor,
    c: torch.Tensor,
    kernel: torch.Tensor,
    recurrent: torch.Tensor,
    bias: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """All steps of an LSTM, float32 on a CPU.

    Args:
        x: (steps, batch, features).
        h: (batch, units), the initial state.
        c: (batch, units), the initial cell state.
        kernel: (4 units, features).
        recurrent: (4 units, units).
        bias: (4 units,).

    Returns:
        The states (steps, batch, units), the last state, the last cell state, and bytes for
        `lstm_sequence_backward`.
    """
    with torch.enable_grad():
        return _aten.mkldnn_rnn_layer(
            *_lstm_arguments(x, h, c, kernel, recurrent, bias),
            False, [], _LSTM_MODE, h.shape[-1], 1, True, False, False, True,
        )  # fmt: skip


def _lstm_arguments(
    x: torch.Tensor,
    h: torch.Tensor,
    c: torch.Tensor,
    kernel: torch.Tensor,
    recurrent: torch.Tensor,
    bias: torch.Tensor,
) -> list[torch.Tensor]:
    weights = [kernel, recurrent, bias, torch.zeros_like(bias)]
    return [t.detach().contiguous() for t in (x, *weights, h, c)]


@lstm_sequence.register_fake
def _(x, h, c, kernel, recurrent, bias):
    size = torch.library.get_ctx().new_dynamic_size()
    last = h.new_empty(h.shape), c.new_empty(c.shape)
    return x.new_empty(*x.shape[:2], h.shape[-1]), *last, x.new_empty(size, dtype=torch.uint8)


@torch.library.custom_op("torchtf::lstm_sequence_backward", mutates_args=())
def lstm_sequence_backward(
    grads: list[torch.Tensor], inputs: list[torch.Tensor], outputs: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of `lstm_sequence` for its inputs.

    Args:
        grads: the gradients of the states, of the last state and of the last cell state.
        inputs: the inputs.
        outputs: the results.
    """
    *results, workspace = outputs
    dx, d_kernel, d_recurrent, d_bias, _, dh, dc = _aten.mkldnn_rnn_layer_backward(
        *_lstm_arguments(*inputs), *results, *(g.contiguous() for g in grads),
        False, _LSTM_MODE, inputs[1].shape[-1], 1, True, True, False, [], False, workspace,
    )  # fmt: skip
    return dx, dh, dc, d_kernel, d_recurrent, d_bias


@lstm_sequence_backward.register_fake
def _(grads, inputs, outputs):
    return tuple(t.new_empty(t.shape) for t in inputs)


def _keep_lstm(ctx: Any, inputs: tuple, output: tuple) -> None:
    ctx.save_for_backward(*inputs, *output)


def _lstm_gradient(ctx: Any, *grads: torch.Tensor) -> tuple:
    saved = ctx.saved_tensors
    return lstm_sequence_backward(list(grads[:3]), list(saved[:6]), list(saved[6:]))


lstm_sequence.register_autograd(_lstm_gradient, setup_context=_keep_lstm)


# ---- GRU: ATen has no kernel for its gradients --------------------------------------------------
#
# h' = z h + (1 - z) n,  z = sigmoid(x_z + R_z h),  r = sigmoid(x_r + R_r h),  n = tanh(x_n + r u),
# u = R_n h + b_n. Source: Cho et al. 2014 (arXiv:1406.1078), in cuDNN's variant.


@torch.library.custom_op("torchtf::gru_sequence", mutates_args=())
def gru_sequence(
    x: torch.Tensor,
    h: torch.Tensor,
    kernel: torch.Tensor,
    recurrent: torch.Tensor,
    bias: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """All steps of a GRU with `reset_after`, gates in Keras' order.

    Args:
        x: (steps, batch, features).
        h: (batch, units), the initial state.
        kernel: (features, 3 units).
        recurrent: (units, 3 units).
        bias: (2, 3 units), of the inputs and of the recurrent product.

    Returns:
        The states (steps, batch, units), the values of the gates (steps, batch, 3 units), and `u`.
    """
    units = h.shape[-1]
    gates = torch.addmm(bias[0], x.flatten(0, 1), kernel).unflatten(0, x.shape[:2])
    outputs, inner = (x.new_empty(*x.shape[:2], units) for _ in range(2))
    r_gates, r_inner = recurrent.split([2 * units, units], -1)
    b_gates, b_inner = bias[1].split([2 * units, units])
    gates[..., : 2 * units] += b_gates
    parts = (gates[..., : 2 * units], gates[..., units : 2 * units], gates[..., 2 * units :])
    z = gates[..., :units]
    for zr_t, r_t, n_t, z_t, u_t, y_t in zip(
        *(p.unbind() for p in (*parts, z, inner, outputs)), strict=True
    ):
        zr_t.addmm_(h, r_gates).sigmoid_()
        torch.addmm(b_inner, h, r_inner, out=u_t)
        n_t.addcmul_(r_t, u_t).tanh_()
        h = torch.lerp(n_t, h, z_t, out=y_t)
    return outputs, gates, inner


@gru_sequence.register_fake
def _(x, h, kernel, recurrent, bias):
    steps = x.shape[:2]
    units = h.shape[-1]
    return x.new_empty(*steps, units), x.new_empty(*steps, 3 * units), x.new_empty(*steps, units)


@torch.library.custom_op("torchtf::gru_sequence_backward", mutates_args=())
def gru_sequence_backward(
    grad: torch.Tensor,
    x: torch.Tensor,
    h: torch.Tensor,
    kernel: torch.Tensor,
    recurrent: torch.Tensor,
    outputs: torch.Tensor,
    gates: torch.Tensor,
    inner: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of `gru_sequence` for x, h, kernel, recurrent and bias.

    Args:
        grad: the gradient of the states.
        x, h, kernel, recurrent: the inputs.
        outputs, gates, inner: the results.
    """
    units = h.shape[-1]
    before = torch.cat([h.unsqueeze(0), outputs[:-1]])
    z, r, n = gates.chunk(3, -1)
    # The gradients of the pre-activations z, r, n and of u: each is a factor that the forward
    # values give, times what the loop over the steps finds.
    found = x.new_empty(*x.shape[:2], 4 * units)
    dz, dr, du, dn = found.chunk(4, -1)
    by_z = (before - n).mul_(z).mul_(1 - z)
    by_n = (1 - z).mul_(1 - n * n)
    by_r = (inner * r).mul_(1 - r)
    back = recurrent.t()
    d = torch.zeros_like(h)
    columns = (grad, z, r, by_z, by_n, by_r, dz, dr, du, dn, found[..., : 3 * units])
    for g_t, z_t, r_t, bz_t, bn_t, br_t, dz_t, dr_t, du_t, dn_t, recurrent_t in zip(
        *(reversed(c.unbind()) for c in columns), strict=True
    ):
        d += g_t
        torch.mul(d, bz_t, out=dz_t)
        torch.mul(d, bn_t, out=dn_t)
        torch.mul(dn_t, br_t, out=dr_t)
        torch.mul(dn_t, r_t, out=du_t)
        d.mul_(z_t).addmm_(recurrent_t, back)
    of_inputs = torch.cat([found[..., : 2 * units], dn], -1).flatten(0, 1)
    of_state = found[..., : 3 * units].flatten(0, 1)
    return (
        (of_inputs @ kernel.t()).view_as(x),
        d,
        x.flatten(0, 1).t() @ of_inputs,
        before.flatten(0, 1).t() @ of_state,
        torch.stack([of_inputs.sum(0), of_state.sum(0)]),
    )


@gru_sequence_backward.register_fake
def _(grad, x, h, kernel, recurrent, outputs, gates, inner):
    bias = kernel.new_empty(2, kernel.shape[1])
    return (*(t.new_empty(t.shape) for t in (x, h, kernel, recurrent)), bias)


def _keep_gru(ctx: Any, inputs: tuple, output: tuple) -> None:
    ctx.save_for_backward(*inputs[:4], *output)


def _gru_gradient(ctx: Any, grad: torch.Tensor, *_: Any) -> tuple:
    return gru_sequence_backward(grad, *ctx.saved_tensors)


gru_sequence.register_autograd(_gru_gradient, setup_context=_keep_gru)


# ---- layers -------------------------------------------------------------------------------------


class _Compaction:
    """The steps of each sequence that its mask lets count, moved to the front.

    Args:
        mask: (batch, steps), boolean.
    """

    def __init__(self, mask: torch.Tensor) -> None:
        self._order = torch.argsort((~mask).to(torch.int32), dim=1, stable=True)
        self._count = mask.long().cumsum(1)  # how many steps up to each one count
        self._mask = mask

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        return x.gather(1, self._order.unsqueeze(-1).expand(x.shape))

    def padding(self, dtype: torch.dtype) -> torch.Tensor:
        """1 where the moved sequences have no step left, (batch, steps, 1)."""
        return (~self._mask.gather(1, self._order)).to(dtype).unsqueeze(-1)

    def outputs(self, y: torch.Tensor, zero: bool) -> torch.Tensor:
        """The outputs at their own steps; a masked step repeats the last output, or gives zeros."""
        index = (self._count - 1).clamp_min(0).unsqueeze(-1).expand(y.shape)
        shown = self._mask if zero else self._count > 0
        return torch.where(shown.unsqueeze(-1), y.gather(1, index), 0.0)

    def last(self, y: torch.Tensor, initial: torch.Tensor) -> torch.Tensor:
        """The output of the last step that counts; the initial state if there is none."""
        count = self._count[:, -1:]
        index = (count - 1).clamp_min(0).unsqueeze(-1).expand(-1, -1, y.shape[-1])
        return torch.where(count > 0, y.gather(1, index).squeeze(1), initial)


def _inner_loop(
    layer: Any, kernel: Any, sequences: torch.Tensor, states: States, mask: Any, training: bool
) -> tuple[torch.Tensor, torch.Tensor, States] | None:
    """What `RNN.inner_loop` returns, by `kernel`; None where it cannot."""
    cell = layer.cell
    weight, recurrent = convert_to_tensor(cell.kernel), convert_to_tensor(cell.recurrent_kernel)
    bias = None if cell.bias is None else convert_to_tensor(cell.bias)
    x = sequences.to(weight.dtype)
    states = [s.to(weight.dtype) for s in states]
    if training and layer.dropout:
        x = x * cell.get_dropout_mask(sequences[:, 0, :]).unsqueeze(1)
    if layer.go_backwards:
        x = x.flip(1)
    if mask is None:
        found = kernel(x, states, weight, recurrent, bias)
        if found is None:
            return None
        y, last = found
        return y[:, -1] if layer.return_sequences else last[0], y, last

    mask = mask.to(torch.bool)
    steps = _Compaction(mask.flip(1) if layer.go_backwards else mask)
    x = steps.inputs(x)
    if len(states) == 2 and (layer.return_state or layer.stateful):
        # One more input shuts the input gate and opens the forget gate where no step is left, so
        # that the cell state passes unchanged.
        x = torch.cat([x, steps.padding(x.dtype)], -1)
        row = weight.new_tensor([-_SATURATING, _SATURATING, 0.0, 0.0])
        weight = torch.cat([weight, row.repeat_interleave(weight.shape[1] // 4).unsqueeze(0)])
    found = kernel(x, states, weight, recurrent, bias)
    if found is None:
        return None
    y, last = found
    last = [steps.last(y, states[0]), *last[1:]]
    y = steps.outputs(y, layer.zero_output_for_mask)
    return y[:, -1], y, last


def _native(cls: type, kernel: Any) -> None:
    original = own_attribute(cls, "inner_loop")

    @replaces(cls, "inner_loop")
    def inner_loop(
        self: Any, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        if _is_native(self, sequences):
            flat_mask = tree.flatten(mask)[0] if tree.is_nested(mask) else mask
            states = tree.flatten(initial_state)
            found = _inner_loop(self, kernel, sequences, states, flat_mask, training)
            if found is not None:
                return found
        return original(self, sequences, initial_state, mask, training)


_native(LSTM, _lstm)
_native(GRU, _gru)


# ---- any cell, over an open number of steps -----------------------------------------------------

# the module, which its package hides behind the function
_keras_rnn = importlib.import_module("keras.src.backend.torch.rnn")
_rnn = own_attribute(_keras_rnn, "rnn")


@replaces(_keras_rnn, "rnn")
def rnn(
    step_function: Any,
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Any = None,
    unroll: bool = False,
    input_length: Any = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple[Any, Any, Any]:
    steps = tree.flatten(inputs)[0].shape[0 if time_major else 1]
    if unroll or not isinstance(steps, torch.SymInt):
        return _rnn(
            step_function, inputs, initial_states, go_backwards, mask, constants, unroll,
            input_length, time_major, zero_output_for_mask, return_all_outputs,
        )  # fmt: skip

    def in_order(x: torch.Tensor) -> torch.Tensor:
        """The steps first, in the order in which they are taken."""
        x = x if time_major else x.transpose(0, 1)
        return x.flip(0) if go_backwards else x

    columns = tree.map_structure(in_order, inputs)
    if mask is not None:
        mask = in_order(mask.to(torch.bool))
    outputs, last, states = _loop(
        lambda x, states: step_function(x, (*states, *(constants or ()))),
        columns, tuple(initial_states), mask, zero_output_for_mask, return_all_outputs,
    )  # fmt: skip
    if not time_major:
        outputs = tree.map_structure(lambda y: y.transpose(0, 1), outputs)
    return last, outputs, states


def _loop(
    step: Any, columns: Any, initial: tuple, mask: Any, zero_masked: bool, all_outputs: bool
) -> tuple[Any, Any, tuple]:
    """All outputs (or the last one, with a time axis), the last output and the last states."""
    import torchtf as tf

    first = tree.flatten(columns)[0]
    steps = tf.shape(outward(first))[0]

    def array(x: torch.Tensor) -> Any:
        return tf.TensorArray(tf.as_dtype(x.dtype), steps).unstack(outward(x))

    arrays, masks = tree.map_structure(array, columns), None if mask is None else array(mask)
    # One step outside of the loop tells what it returns, and makes what the cell keeps, such as
    # the masks of its dropout.
    like, _ = step(tree.map_structure(lambda x: x[0], columns), initial)
    blank = tree.map_structure(torch.zeros_like, like)
    written = [tf.TensorArray(tf.as_dtype(y.dtype), steps) for y in tree.flatten(like)]

    def where(shown: torch.Tensor | None, new: Any, old: Any) -> Any:
        def choose(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return torch.where(shown.reshape(-1, *[1] * (a.dim() - 1)), a, b)

        return new if shown is None else tree.map_structure(choose, new, old)

    def body(i: Any, before: Any, states: Any, written: Any) -> Any:
        x = tree.map_structure(lambda a: inward(a.read(i)), arrays)
        before, states = inward((before, states))
        y, new = on_keras_side(step, (x, states))
        shown = None if masks is None else inward(masks.read(i))
        y = where(shown, y, blank if zero_masked else before)
        new = where(shown, tree.pack_sequence_as(states, tree.flatten(new)), states)
        if all_outputs:
            flat = outward(tree.flatten(y))
            written = [a.write(i, v) for a, v in zip(written, flat, strict=True)]
        return i + 1, outward(y), outward(new), written

    state = (tf.constant(0), outward(blank), outward(initial), written if all_outputs else [])
    found = tf.while_loop(lambda i, *_: i < steps, body, state)
    _, last, states, written = found
    last, states = inward((last, states))
    if all_outputs:
        outputs = tree.pack_sequence_as(like, inward([a.stack() for a in written]))
    else:
        outputs = tree.map_structure(lambda y: y.unsqueeze(0), last)
    return outputs, last, states


use_everywhere(rnn)

"""Draws from Philox streams, eagerly and in a trace.

* Eagerly a draw is a NumPy call on a known stream.
* In a trace the stream depends on a tensor (the seed of a stateless op, the state of a generator),
  so the draw is one custom op in the graph that does the same when the graph runs.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from torchtf.core import device, errors
from torchtf.core.dtypes import FROM_TORCH
from torchtf.core.tensor import is_fake, to_numpy
from torchtf.function import runner
from torchtf.random import _distributions as distributions
from torchtf.random._philox import Stream, from_seeds


def _rows(parameter, shape) -> int:
    """How many samples are drawn for each element of a parameter."""
    return math.prod(shape) // max(parameter.size, 1)


def _uniform_int(stream, shape, dtype, low, high):
    low, high = int(low), int(high)
    if low >= high:
        raise errors.InvalidArgumentError(None, None, f"Need minval < maxval, got {low} >= {high}")
    return distributions.uniform_int(stream, math.prod(shape), dtype, low, high)


def _by_size(function):
    return lambda stream, shape, dtype: function(stream, math.prod(shape), dtype)


_KINDS = {
    "uniform": _by_size(distributions.uniform),
    "normal": _by_size(distributions.normal),
    "truncated_normal": _by_size(distributions.truncated_normal),
    "full_int": _by_size(distributions.full_int),
    "uniform_int": _uniform_int,
    "gamma": lambda s, shape, dtype, alpha: distributions.gamma(s, alpha, _rows(alpha, shape)),
    "poisson": lambda s, shape, dtype, lam: distributions.poisson(s, lam, _rows(lam, shape)),
    "binomial": lambda s, shape, dtype, n, p: distributions.binomial(
        s, n, p, math.prod(shape) // math.prod(np.broadcast_shapes(n.shape, p.shape))
    ),
    "categorical": lambda s, shape, dtype, logits: distributions.categorical(s, logits, shape[1]),
    "permutation": lambda s, shape, dtype: distributions.permutation(s, shape[0]),
    "parameterized_truncated_normal": (
        lambda s, shape, dtype, *bounds: distributions.parameterized_truncated_normal(
            s, shape, *bounds
        )
    ),
}


def _draw(stream: Stream, kind: str, shape, dtype: torch.dtype, params, place) -> torch.Tensor:
    shape = [int(s) for s in shape]
    if math.prod(shape) == 0:
        return torch.empty(shape, dtype=dtype, device=place)
    values = _KINDS[kind](stream, shape, FROM_TORCH[dtype].name, *params)
    result = torch.from_numpy(values).reshape(shape)
    if result.dtype is not dtype:
        result = result.to(dtype)
    return result if place.type == "cpu" else result.to(place)


def _arrays(params):
    """Parameters as arrays; bfloat16, which NumPy lacks, as float32."""
    return [to_numpy(p.float() if p.dtype is torch.bfloat16 else p) for p in params]


def _stream(state: torch.Tensor) -> Stream:
    """The stream of a state: [first seed, second seed], or [counter low, counter high, key]."""
    numbers = state.tolist()
    return from_seeds(*numbers) if len(numbers) == 2 else Stream(numbers[2], *numbers[:2])


@torch.library.custom_op("torchtf::philox", mutates_args=())
def _traced_draw(
    state: torch.Tensor,
    params: list[torch.Tensor],
    kind: str,
    shape: list[int],
    dtype: torch.dtype,
) -> torch.Tensor:
    place = params[0].device if params else state.device
    return _draw(_stream(state), kind, shape, dtype, _arrays(params), place)


@_traced_draw.register_fake
def _(state, params, kind, shape, dtype):
    place = params[0].device if params else state.device
    return torch.empty(shape, dtype=dtype, device=place)


@_traced_draw.register_vmap
def _(info, in_dims, state, params, kind, shape, dtype):
    """One draw for each state, since draws differ in how much of a stream they use."""
    state_dim, param_dims = in_dims[0], in_dims[1] or [None] * len(params)
    rows = []
    for i in range(info.batch_size):
        own_state = state if state_dim is None else state.select(state_dim, i)
        own = [p if d is None else p.select(d, i) for p, d in zip(params, param_dims, strict=True)]
        rows.append(_traced_draw(own_state, own, kind, shape, dtype))
    return torch.stack(rows), 0


def _is_transformed(state, params) -> bool:
    return any(torch._C._functorch.is_functorch_wrapped_tensor(t) for t in (state, *params))


def _run_draw(state, params, kind, shape, dtype):
    if torch._C._len_torch_dispatch_stack() or _is_transformed(state, params):
        return _traced_draw(state, params, kind, shape, dtype)
    return _traced_draw._init_fn(state, params, kind, shape, dtype)


runner.bind(torch.ops.torchtf.philox.default, _run_draw)


def from_stream(stream: Stream, kind, shape, dtype, params=()) -> torch.Tensor:
    """An eager draw from a known stream."""
    return _draw(stream, kind, shape, dtype, _arrays(params), device.current())


def from_state(state: torch.Tensor, kind, shape, dtype, params=()) -> torch.Tensor:
    """A draw from the stream of a state tensor: two seeds, or counter and key."""
    params = list(params)
    if (
        any(is_fake(t) for t in (state, *params))
        or _is_transformed(state, params)
        or any(not isinstance(s, int) for s in shape)
    ):
        return _traced_draw(state.to(torch.int64), params, kind, list(shape), dtype)
    return from_stream(_stream(state), kind, shape, dtype, params)

"""How layouts travel through ATen calls: what the result is cut along, given the arguments.

* Specs are lists: for each axis the name of a mesh dimension or `UNSHARDED`.
* A rule gives the specs of each result; a call without a rule gives replicated results, which is
  always true. So a rule is here where TensorFlow keeps a tensor in parts, and nowhere else.
* The rules are TensorFlow's: elementwise calls merge, products keep the outer axes, reductions and
  indices drop an axis, a reshaped axis stays cut at its outermost part.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from torchtf.experimental.dtensor._layout import UNSHARDED

Specs = list[str]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# calls that keep what each axis is, besides those that torch tags as pointwise
_ELEMENTWISE = _names("""
_log_softmax _log_softmax_backward_data _softmax _softmax_backward_data _to_copy alias bernoulli
binary_cross_entropy_with_logits clone contiguous copy detach dropout empty_like full_like
lift_fresh native_dropout native_dropout_backward ones_like rand_like randn_like relayout_like zero
zeros_like
""")
_REDUCTIONS = _names("""
all amax amin any argmax argmin count_nonzero linalg_vector_norm logsumexp max mean median min
nansum norm prod std std_mean sum var var_mean
""")
# calls that need an axis (`dim`, `dims`) as a whole and keep its place
_ALONG = _names("""
cummax cummin cumprod cumsum flip index_select logcumsumexp roll sort split split_with_sizes
topk
""")
# those that read or write at indices along an axis, in tensors of one rank
_AT_INDICES = _names("gather index_add index_copy scatter scatter_add scatter_reduce")
# calls on images and the like: the first axis is that of examples
_BATCHED = _names("""
_adaptive_avg_pool2d avg_pool2d avg_pool3d col2im convolution im2col max_pool2d_with_indices
max_pool3d_with_indices mkldnn_convolution upsample_bicubic2d upsample_bilinear2d
upsample_nearest2d
""")


def specs_of_results(func, args, kwargs, results, specs: Callable, shards: Callable) -> list[Specs]:
    """The specs of the results of a call.

    Args:
        func: the overload that was called.
        args, kwargs: what it was called with.
        results: the tensors that it gave.
        specs: gives the specs of an argument.
        shards: gives the number of parts of an axis, for its spec.
    """
    name = func.overloadpacket.__name__.rstrip("_")
    named = {a.name: v for a, v in zip(func._schema.arguments, args, strict=False)} | kwargs
    rule = _RULES.get(name)
    if rule is not None:
        found = rule(named, specs, results, shards)
    elif torch.Tag.pointwise in func.tags or name in _ELEMENTWISE:
        found = merged([specs(v) for v in _tensors(named.values())], results[0].ndim)
    elif name in _REDUCTIONS:
        found = _reduced(named, specs)
    elif name in _ALONG:
        found = _along(named, specs)
    elif name in _AT_INDICES:
        found = _at_indices(named, specs, results[0].ndim)
    elif name in _BATCHED:
        found = [*specs(named["input"] if "input" in named else args[0])[:1]]
    else:
        found = []
    every = found if found and isinstance(found[0], list) else [found] * len(results)
    return [_valid(s, r, shards) for s, r in zip(every, results, strict=True)]


def _tensors(values):
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _valid(specs: Specs, result, shards) -> Specs:
    """Specs that a tensor can have: one for each axis, each dimension once, equal parts."""
    specs = [*specs, *[UNSHARDED] * (result.ndim - len(specs))][: result.ndim]
    return [
        s if specs.count(s) == 1 and size % shards(s) == 0 else UNSHARDED
        for s, size in zip(specs, result.shape, strict=True)
    ]


def merged(operands: list[Specs], rank: int) -> Specs:
    """The specs of the result of an elementwise call on operands that broadcast.

    An axis that is cut in one operand is cut in the result. A dimension that cuts two axes, each
    in another operand, cuts neither.
    """
    axes: list[list[str]] = [[] for _ in range(rank)]
    for specs in operands:
        for axis, spec in zip(range(rank - len(specs), rank), specs, strict=True):
            if spec != UNSHARDED and axis >= 0:
                axes[axis].append(spec)
    places: dict[str, set[int]] = {}
    for axis, found in enumerate(axes):
        for spec in found:
            places.setdefault(spec, set()).add(axis)
    return [
        found[0] if found and all(len(places[s]) == 1 for s in found) else UNSHARDED
        for found in axes
    ]


def _axes(named, rank: int) -> set[int]:
    dims = named.get("dim", named.get("dims"))
    if dims is None or dims == []:
        return set(range(rank))
    return {d % max(rank, 1) for d in (dims if isinstance(dims, (list, tuple)) else [dims])}


def _input(named):
    return next(_tensors(named.values()))


def _reduced(named, specs) -> Specs:
    own = specs(_input(named))
    axes = _axes(named, len(own))
    if named.get("keepdim"):
        return [UNSHARDED if i in axes else s for i, s in enumerate(own)]
    return [s for i, s in enumerate(own) if i not in axes]


def _along(named, specs) -> Specs:
    own = specs(_input(named))
    if "dim" not in named and "dims" not in named:
        named = {**named, "dim": -1 if "stable" in named or "k" in named else 0}
    axes = _axes(named, len(own))
    return [UNSHARDED if i in axes else s for i, s in enumerate(own)]


# -- products


def _product(a: Specs, b: Specs) -> Specs:
    return [*merged([a[:-2], b[:-2]], max(len(a), len(b)) - 2), a[-2], b[-1]]


def _mm(named, specs, results, shards):
    first, second = [specs(v) for v in _tensors(named.values())][-2:]
    return _product(first, second)


def _mv(named, specs, results, shards):
    return specs(_input(named))[:1]


# -- shapes


def _view(named, specs, results, shards) -> Specs:
    source = _input(named)
    return reshaped(specs(source), source.shape, results[0].shape, shards)


def reshaped(specs: Specs, old, new, shards) -> Specs:
    """The specs after a change of shape: each group of axes that become each other keeps the cut of
    its first one.
    """
    out = [UNSHARDED] * len(new)
    if 0 in old:
        return out
    sources = [i for i, n in enumerate(old) if n != 1]
    targets = [i for i, n in enumerate(new) if n != 1]
    i = j = 0
    while i < len(sources) and j < len(targets):
        first, place = sources[i], targets[j]
        size, made = old[first], new[place]
        i, j = i + 1, j + 1
        while size != made:
            if size < made:
                size *= old[sources[i]]
                i += 1
            else:
                made *= new[targets[j]]
                j += 1
        if new[place] % shards(specs[first]) == 0:
            out[place] = specs[first]
    return out


def _transpose(named, specs, results, shards) -> Specs:
    own = list(specs(named["self"]))
    if own:
        i, j = named["dim0"], named["dim1"]
        own[i], own[j] = own[j], own[i]
    return own


def _t(named, specs, results, shards) -> Specs:
    return list(reversed(specs(named["self"])))


def _permute(named, specs, results, shards) -> Specs:
    own = specs(named["self"])
    return [own[d] for d in named["dims"]]


def _unsqueeze(named, specs, results, shards) -> Specs:
    own = list(specs(named["self"]))
    own.insert(named["dim"] % (len(own) + 1), UNSHARDED)
    return own


def _squeeze(named, specs, results, shards) -> Specs:
    source = named["self"]
    axes = _axes(named, source.ndim)
    own = zip(specs(source), source.shape, strict=True)
    return [s for i, (s, n) in enumerate(own) if not (i in axes and n == 1)]


def _expand(named, specs, results, shards) -> Specs:
    own = specs(named["self"])
    return [*[UNSHARDED] * (results[0].ndim - len(own)), *own]


def _slice(named, specs, results, shards) -> Specs:
    own = list(specs(named["self"]))
    axis = named.get("dim", 0)
    if results[0].shape[axis] != named["self"].shape[axis] and abs(named.get("step", 1)) == 1:
        own[axis] = UNSHARDED
    return own


def _select(named, specs, results, shards) -> Specs:
    own = list(specs(named["self"]))
    del own[named.get("dim", 0)]
    return own


def _cat(named, specs, results, shards) -> Specs:
    out = merged([specs(t) for t in named["tensors"]], results[0].ndim)
    out[named.get("dim", 0)] = UNSHARDED
    return out


def _stack(named, specs, results, shards) -> Specs:
    out = merged([specs(t) for t in named["tensors"]], results[0].ndim - 1)
    out.insert(named.get("dim", 0) % results[0].ndim, UNSHARDED)
    return out


def _pad(named, specs, results, shards) -> Specs:
    own, source = specs(named["self"]), named["self"]
    return [
        s if n == m else UNSHARDED
        for s, n, m in zip(own, source.shape, results[0].shape, strict=True)
    ]


def _index(named, specs, results, shards) -> Specs:
    own = specs(named["self"])
    places = [i for i, x in enumerate(named["indices"]) if x is not None]
    if len(places) != 1:
        return []
    (place,) = places
    inner = [UNSHARDED] * named["indices"][place].ndim
    return [*own[:place], *inner, *own[place + 1 :]]


def _at_indices(named, specs, rank: int) -> Specs:
    out = merged([specs(t) for t in _tensors(named.values()) if t.ndim == rank], rank)
    out[named["dim"]] = UNSHARDED
    return out


def _repeat(named, specs, results, shards) -> Specs:
    own, source = specs(named["self"]), named["self"].shape
    new = results[0].ndim - len(own)
    kept = [
        s if n == m else UNSHARDED
        for s, n, m in zip(own, source, results[0].shape[new:], strict=True)
    ]
    return [*[UNSHARDED] * new, *kept]


def _nll_loss(named, specs, results, shards) -> list[Specs]:
    examples = merged([specs(named["self"])[:-1], specs(named["target"])], results[0].ndim)
    return [examples, []]


def _nll_loss_backward(named, specs, results, shards) -> Specs:
    return merged([specs(named["self"])[:-1], specs(named["target"])], results[0].ndim - 1)


def _embedding(named, specs, results, shards) -> Specs:
    return [*specs(named["indices"]), specs(named["weight"])[1]]


def _convolution_backward(named, specs, results, shards) -> list[Specs]:
    batch = specs(named["input"])[:1]
    return [batch, [], []][: len(results)]


_RULES: dict[str, Callable] = {
    "_unsafe_view": _view,
    "addmm": _mm,
    "baddbmm": _mm,
    "bmm": _mm,
    "cat": _cat,
    "constant_pad_nd": _pad,
    "convolution_backward": _convolution_backward,
    "embedding": _embedding,
    "expand": _expand,
    "index": _index,
    "mm": _mm,
    "mv": _mv,
    "nll_loss_backward": _nll_loss_backward,
    "nll_loss_forward": _nll_loss,
    "permute": _permute,
    "repeat": _repeat,
    "reshape": _view,
    "select": _select,
    "slice": _slice,
    "squeeze": _squeeze,
    "stack": _stack,
    "t": _t,
    "transpose": _transpose,
    "unbind": _select,
    "unsqueeze": _unsqueeze,
    "view": _view,
}

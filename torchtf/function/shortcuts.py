"""What a run of a graph need not compute: other names of a value, and results that are constants.

* `alias` and `detach`, which keep gradients apart while tracing, and pairs of transpositions that
  undo each other give a tensor that is there already.
* A resizing that reads bytes needs no floats made of them before.
* Small results of constants alone (the ones and the count in the gradient of a mean, say) are
  computed once.
* Nothing that leaves the graph or is changed in place is replaced, so no two runs share it.
* Not for runs under a tape outside of the graph: there `alias` cuts gradients.
"""

from __future__ import annotations

import torch

from torchtf.function import staged

_aten = torch.ops.aten

_NAMES = (_aten.alias.default, _aten.detach.default)
# what makes a tensor of one number: the number, or None where it is the last argument
_MAKERS = {
    _aten.ones.default: 1, _aten.ones_like.default: 1,
    _aten.zeros.default: 0, _aten.zeros_like.default: 0,
    _aten.full.default: None, _aten.full_like.default: None, _aten.scalar_tensor.default: None,
}  # fmt: skip
_LARGEST = 4096  # elements of a constant that is kept


def plan(module: torch.fx.GraphModule) -> dict[torch.fx.Node, torch.fx.Node | torch.Tensor]:
    """For each node that need not run the node that has its value, or the value.

    Args:
        module: a traced graph, free of dead code.
    """
    found: dict[torch.fx.Node, torch.fx.Node | torch.Tensor] = {}
    nodes = list(module.graph.nodes)
    constants = {n: v for n in nodes if (v := _stored(n, module)) is not None}
    for node in nodes:
        if node.op != "call_function":
            continue
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor) or value.dtype is staged.FLOW:
            continue
        constant = _constant(node, value, constants)
        if constant is not None and not _escapes(node):
            constants[node] = found[node] = constant
            continue
        source = _other_name_of(node) or _bytes_of(node)
        if source is not None and all(u.op != "output" for u in node.users):
            found[node] = found.get(source, source)
    return found


def _other_name_of(node: torch.fx.Node) -> torch.fx.Node | None:
    """The node that has the very same elements in the same order."""
    source = node.args[0] if node.args else None
    if not isinstance(source, torch.fx.Node):
        return None
    if node.target in _NAMES:
        return source
    if node.target in (_aten.t.default, _aten.transpose.int) and source.target is node.target:
        first = source.args[0]
        if isinstance(first, torch.fx.Node) and source.args[1:] == node.args[1:]:
            return first
    return None


def _bytes_of(node: torch.fx.Node) -> torch.fx.Node | None:
    """The pixels that a node casts for nobody but `bilinear.upsample`, which takes them as well."""
    if node.target is not _aten._to_copy.default or node.kwargs != {"dtype": torch.float32}:
        return None
    source = node.args[0]
    value = source.meta.get("val")
    if not isinstance(value, torch.Tensor) or value.dtype is not torch.uint8:
        return None
    readers = list(node.users)
    while readers:
        user = readers.pop()
        if user.target is _aten.permute.default:
            readers += user.users
        elif user.target is not _aten.upsample_bilinear2d.default:
            return None
    return source


def _stored(node: torch.fx.Node, module: torch.fx.GraphModule) -> torch.Tensor | None:
    """The tensor that a `get_attr` node reads."""
    if node.op != "get_attr" or "." in str(node.target):
        return None
    value = getattr(module, str(node.target))
    small = type(value) is torch.Tensor and value.numel() <= _LARGEST  # no stand-in
    return value if small and not _escapes(node) else None


def _constant(
    node: torch.fx.Node, value: torch.Tensor, constants: dict[torch.fx.Node, torch.Tensor]
) -> torch.Tensor | None:
    """The result of a node that only constants go into."""
    op = node.target
    if not isinstance(op, torch._ops.OpOverload) or op.namespace != "aten":
        return None
    if not all(isinstance(size, int) for size in value.shape) or value.numel() > _LARGEST:
        return None
    if op in _MAKERS:
        fill = _MAKERS[op] if _MAKERS[op] is not None else node.args[-1]
        if not isinstance(fill, (bool, int, float)):
            return None
        with staged.real_tensors():
            return torch.full(value.shape, fill, dtype=value.dtype, device=value.device)
    inputs = node.all_input_nodes
    known = inputs and all(n in constants for n in inputs)
    if not known or torch.Tag.nondeterministic_seeded in op.tags or staged.has_effect(node):
        return None
    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), constants.__getitem__)
    if op is _aten.lift_fresh_copy.default:
        return args[0]
    try:
        with staged.real_tensors(), torch.no_grad():
            return op(*args, **kwargs)
    except Exception:  # it is the run that fails
        return None


def _escapes(node: torch.fx.Node) -> bool:
    """Whether the memory of a node may be changed, or seen after the run."""
    from torchtf.function.trace import mutated_arguments, views

    seen = views(node)
    return any(
        user.op == "output"
        or (
            not isinstance(user.target, torch._ops.OpOverload)
            or any(view in mutated_arguments(user) for view in seen)
        )
        for view in seen
        for user in view.users
    )

"""Graphs in the form that Inductor takes.

* Fused optimizer kernels become the plain ops that they stand for, which Inductor fuses itself. It
  has no lowering for `torch._fused_adam_` and `torch._fused_sgd_`: on CPUs they even fail.
* An index below zero is out of range, as in the ATen ops; Inductor's code would count from the end.
* What a branch or the body of a loop returns is memory of its own.
* The result is complete: it has no stand-ins left over from tracing, so it can be pickled.

Source: `torch.optim.Adam` and `torch.optim.SGD`.
"""

from __future__ import annotations

import torch

from torchtf.function import staged
from torchtf.function.trace import memory_of

Tensors = list[torch.Tensor]


def _update(tensor: torch.Tensor, value: torch.Tensor, found_inf: torch.Tensor | None) -> None:
    """Assigns `value`, unless the step is to be skipped."""
    if found_inf is not None:
        value = torch.where(found_inf > 0, tensor, value)
    tensor.copy_(value)


def adam_(
    params: Tensors, grads: Tensors, means: Tensors, squares: Tensors, maxima: Tensors,
    steps: Tensors, *, lr, beta1, beta2, weight_decay, eps, amsgrad, maximize, grad_scale=None,
    found_inf=None,
) -> None:  # fmt: skip
    """`torch._fused_adam_`, whose caller keeps the steps."""
    for i, (p, g, m, v) in enumerate(zip(params, grads, means, squares, strict=True)):
        g = (-g if maximize else g) + weight_decay * p
        new_m = torch.lerp(m, g, 1 - beta1)
        new_v = v * beta2 + g * g * (1 - beta2)
        largest = torch.maximum(maxima[i], new_v) if amsgrad else new_v
        denominator = torch.sqrt(largest) / torch.sqrt(1 - beta2 ** steps[i]) + eps
        _update(p, p - lr / (1 - beta1 ** steps[i]) * new_m / denominator, found_inf)
        _update(m, new_m, found_inf)
        _update(v, new_v, found_inf)
        if amsgrad:
            _update(maxima[i], largest, found_inf)


def sgd_(
    params: Tensors, grads: Tensors, buffers: Tensors, *, weight_decay, momentum, lr, dampening,
    nesterov, maximize, is_first_step, grad_scale=None, found_inf=None,
) -> None:  # fmt: skip
    """`torch._fused_sgd_`."""
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = (-g if maximize else g) + weight_decay * p
        if buffers:
            buffer = g if is_first_step else buffers[i] * momentum + g * (1 - dampening)
            g = g + momentum * buffer if nesterov else buffer
            _update(buffers[i], buffer, found_inf)
        _update(p, p - lr * g, found_inf)


def _index_select(x: torch.Tensor, axis: int, index: torch.Tensor) -> torch.Tensor:
    return torch.index_select(x, axis, _none_from_the_end(index))


def _gather(x: torch.Tensor, axis: int, index: torch.Tensor, sparse_grad=False) -> torch.Tensor:
    return torch.gather(x, axis, _none_from_the_end(index))


def _none_from_the_end(index: torch.Tensor) -> torch.Tensor:
    return torch.where(index < 0, torch.iinfo(index.dtype).max, index)


_PLAIN = {
    torch.ops.aten.index_select.default: _index_select,
    torch.ops.aten.gather.default: _gather,
    torch.ops.aten._fused_adam_.default: adam_,
    torch.ops.aten._fused_adam_.tensor_lr: adam_,
    torch.ops.aten._fused_sgd_.default: sgd_,
    torch.ops.aten._fused_sgd_.tensor_lr: sgd_,
}


def spelled_out(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """A copy of a module in Inductor's form."""
    return _copied(module, is_part=False)


def _copied(module: torch.fx.GraphModule, is_part: bool) -> torch.fx.GraphModule:
    graph = torch.fx.Graph()
    results = graph.graph_copy(module.graph, {})
    graph.output(results)
    made = torch.fx.GraphModule(module, graph)
    for node in graph.nodes:
        node.target = _PLAIN.get(node.target, node.target)
        if node.target in staged.CONTROL_FLOW:
            for argument in node.args:
                part = getattr(made, argument.target) if _is_attribute(argument) else None
                if isinstance(part, torch.fx.GraphModule):
                    setattr(made, argument.target, _copied(part, is_part=True))
    if is_part and isinstance(results, (list, tuple)):
        _own_memory(graph, results)
    made.recompile()
    return made


def _is_attribute(argument) -> bool:
    return isinstance(argument, torch.fx.Node) and argument.op == "get_attr"


def _own_memory(graph: torch.fx.Graph, results) -> None:
    """Copies results that are inputs, constants or other results, or views of them."""
    output = next(iter(reversed(graph.nodes)))
    seen, found = set(), []
    for result in results:
        source = memory_of(result)
        if source.op != "call_function" or source in seen:
            with graph.inserting_before(output):
                result = graph.call_function(torch.ops.aten.clone.default, (result,))
        seen.add(source)
        found.append(result)
    output.args = (found,)

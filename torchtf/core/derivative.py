"""Functions whose derivative torch lacks, or has otherwise than TensorFlow."""

from __future__ import annotations

import torch


class NoBatchedForm(RuntimeError):
    """A gradient that cannot be computed for several incoming gradients at once."""


def lacks_batched_form(error: RuntimeError) -> bool:
    """Whether an error under `torch.vmap` says no more than that something has no batched form."""
    text = str(error)
    return isinstance(error, NoBatchedForm) or "vmap" in text or "Batching rule" in text


class WithGradient(torch.autograd.Function):
    """Results computed elsewhere, as a function of inputs whose backward pass is given."""

    @staticmethod
    def forward(ctx, results, pull_back, *inputs):
        ctx.pull_back = pull_back
        found = tuple(r.view_as(r) if any(r is i for i in inputs) else r for r in results)
        ctx.mark_non_differentiable(
            *[r for r in found if not (r.is_floating_point() or r.is_complex())]
        )
        return found

    @staticmethod
    def backward(ctx, *grads):
        needed = ctx.needs_input_grad[2:]
        found = ctx.pull_back(grads)
        return None, None, *[g if n else None for g, n in zip(found, needed, strict=True)]


class _Differentiable(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(function, gradient, *inputs):
        return function(*inputs)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.gradient, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, grad):
        return None, None, *ctx.gradient(grad, *ctx.saved_tensors)


def with_gradient(function, gradient):
    """`function` of tensors with the given gradient.

    `gradient(grad, *inputs)` gives the gradient of each input, or None where there is none. For
    second derivatives it must be differentiable itself.
    """

    def apply(*inputs):
        if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
            return _Differentiable.apply(function, gradient, *inputs)
        return function(*inputs)

    return apply


def differentiable(function, *derivatives):
    """An elementwise `function` with these partial derivatives, one for each of its arguments.

    A derivative takes the same arguments. It is None where TensorFlow has no gradient.
    """

    def gradient(grad, *inputs):
        return [
            (grad * derivative(*inputs).conj()).sum_to_size(x.shape)
            if derivative is not None and x.requires_grad
            else None
            for x, derivative in zip(inputs, derivatives, strict=True)
        ]

    return with_gradient(function, gradient)


def not_registered(op: str):
    """The derivative of an op of which TensorFlow has no gradient: asking for it is an error."""

    def derivative(*inputs):
        raise LookupError(f"gradient registry has no entry for: {op}")

    return derivative


def without_gradient(op: str):
    """A function that gives its argument back as the result of an op without a gradient."""
    return differentiable(lambda x: x.view_as(x), not_registered(op))

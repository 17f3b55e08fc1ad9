"""How the incomplete gamma function changes with its parameter.

The derivatives of its power series and of its continued fraction, term by term (Moore, "Algorithm
AS 187: Derivatives of the incomplete gamma integral", 1982), computed in float64.
"""

from __future__ import annotations

import torch

from torchtf.core.derivative import differentiable, not_registered

_STEPS = 2000
_PRECISION = 1e-15
_LARGE = 2.0**100  # from where the numerators and denominators of the fraction are scaled down


def _by_series(a: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """dP/da by P = x^a e^-x / gamma(a + 1) * sum of x^n / ((a + 1) ... (a + n))."""
    total = term = torch.ones_like(a)
    change = step = torch.zeros_like(a)
    for n in range(1, _STEPS):
        ratio = x / (a + n)
        step = ratio * (step - term / (a + n))
        term = term * ratio
        total, change = total + term, change + step
        if bool((step.abs() <= _PRECISION * change.abs()).all()):
            break
    log_x = torch.log(x)
    factor = torch.exp(a * log_x - x - torch.lgamma(a + 1))
    return factor * (change + total * (log_x - torch.digamma(a + 1)))


def _by_fraction(a: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """dP/da = -dQ/da by Q = x^a e^-x / gamma(a) * a continued fraction."""
    z = x - a + 2
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    # (numerator, its derivative, denominator, its derivative) of the last two approximations
    before = (one, zero, x, zero)
    last = (x + 1, zero, z * x, -x)
    value = last[0] / last[2]
    change = -value * last[3] / last[2]
    for n in range(1, _STEPS):
        z = z + 2
        weight = (n + 1 - a) * n
        p = last[0] * z - before[0] * weight
        dp = last[1] * z - last[0] - before[1] * weight + before[0] * n
        q = last[2] * z - before[2] * weight
        dq = last[3] * z - last[2] - before[3] * weight + before[2] * n
        there = q != 0
        value = torch.where(there, p / q, value)
        found = torch.where(there, (dp - value * dq) / q, change)
        converged = (found - change).abs() <= _PRECISION * found.abs()
        before, last, change = last, (p, dp, q, dq), found
        if bool(converged.all()):
            break
        if n % 8 == 0:
            size = p.abs().maximum(q.abs())
            scale = torch.where(size > _LARGE, 1 / size, 1)
            before = tuple(v * scale for v in before)
            last = tuple(v * scale for v in last)
    log_x = torch.log(x)
    factor = torch.exp(a * log_x - x - torch.lgamma(a))
    return -factor * (change + value * (log_x - torch.digamma(a)))


@torch.library.custom_op("torchtf::igamma_by_a", mutates_args=())
def _by_parameter(a: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    result = torch.full(torch.broadcast_shapes(a.shape, x.shape), torch.nan, dtype=torch.float64)
    wide_a, wide_x = (v.to(device="cpu", dtype=torch.float64).expand_as(result) for v in (a, x))
    positive = wide_a > 0
    result[wide_x == 0] = 0.0
    result[positive & wide_x.isposinf()] = -0.0
    inside = positive & (wide_x > 0) & wide_x.isfinite()
    series = (wide_x <= 1) | (wide_x <= wide_a)
    for where, compute in ((inside & series, _by_series), (inside & ~series, _by_fraction)):
        if bool(where.any()):
            result[where] = compute(wide_a[where], wide_x[where])
    return result.to(device=a.device, dtype=a.dtype)


@_by_parameter.register_fake
def _(a, x):
    return a.new_empty(torch.broadcast_shapes(a.shape, x.shape))


@_by_parameter.register_vmap
def _(info, in_dims, a, x):
    """Elementwise: the axis of the map is one more axis in front."""
    rank = max(v.dim() - (d is not None) for v, d in zip((a, x), in_dims, strict=True))
    values = []
    for value, dim in zip((a, x), in_dims, strict=True):
        if dim is not None:
            value = value.movedim(dim, 0)
            value = value.reshape(value.shape[0], *[1] * (rank + 1 - value.dim()), *value.shape[1:])
        values.append(value)
    return _by_parameter(*values), 0


# the derivative of P(a, x) by a
igamma_by_a = differentiable(_by_parameter, *[not_registered("IgammaGradA")] * 2)

"""Functions of the gamma, beta, zeta and error families."""

from __future__ import annotations

import math

import torch
from torch.utils._python_dispatch import _disable_current_modes

from torchtf.core import dtypes
from torchtf.core.convert import to_shape
from torchtf.core.derivative import differentiable
from torchtf.core.op import op
from torchtf.core.tensor import is_fake, wrap
from torchtf.math._elementary import _xlogy
from torchtf.math._incomplete_gamma import igamma_by_a

# -- gamma and beta


@op("Lgamma")
def lgamma(x: Float):
    """The logarithm of |gamma(x)| (source: `tf.math.lgamma`)."""
    return torch.lgamma(x)


@op("Digamma")
def digamma(x: Float):
    """The derivative of `lgamma` (source: `tf.math.digamma`)."""
    return _digamma(x)


_zeta = differentiable(torch.special.zeta, None, lambda x, q: -x * _zeta(x + 1, q))


def _polygamma_value(a, x):
    factorial = torch.exp(torch.lgamma(a + 1))
    sign = 1 - 2 * torch.remainder(a + 1, 2)
    value = torch.where(a == 0, torch.digamma(x), sign * factorial * torch.special.zeta(a + 1, x))
    return torch.where((a < 0) | (a != torch.floor(a)), math.nan, value)


_polygamma = differentiable(_polygamma_value, None, lambda a, x: _polygamma(a + 1, x))
# at its poles torch gives infinities, TensorFlow NaN
_digamma = differentiable(
    lambda x: torch.where((x <= 0) & (x == torch.floor(x)), math.nan, torch.digamma(x)),
    lambda x: _polygamma(torch.ones_like(x), x),
)


@op("Zeta")
def zeta(x: Double, q: Double):
    """Hurwitz' zeta function, the sum of (q + n) ** -x (source: `tf.math.zeta`)."""
    return _zeta(x, q)


@op("Polygamma")
def polygamma(a: Double, x: Double):
    """The a-th derivative of `digamma` at x (source: `tf.math.polygamma`)."""
    return _polygamma(a, x)


def gamma_density(a, x):
    """The derivative of igamma(a, x) by x."""
    return torch.exp(-x + _xlogy(a - 1, x) - torch.lgamma(a))


_igamma = differentiable(torch.special.gammainc, igamma_by_a, gamma_density)
_igammac = differentiable(
    torch.special.gammaincc, lambda a, x: -igamma_by_a(a, x), lambda a, x: -gamma_density(a, x)
)


@op("Igamma")
def igamma(a: Float, x: Float):
    """The lower regularized incomplete gamma function P(a, x) (source: `tf.math.igamma`)."""
    return _igamma(a, x)


@op("Igammac")
def igammac(a: Float, x: Float):
    """The upper regularized incomplete gamma function Q(a, x) (source: `tf.math.igammac`)."""
    return _igammac(a, x)


def _beta_fraction(a, b, x, steps):
    """The continued fraction of the incomplete beta function, by Lentz' method."""
    tiny = 1e-300
    c = torch.ones_like(x)
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    result = d
    for m in range(1, steps):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = result
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d, tiny)
            c = _away_from_zero(1 + term / c, tiny)
            result = result * d * c
        if not is_fake(x) and bool(((result - before).abs() <= 1e-15 * result.abs()).all()):
            break
    return result


def _away_from_zero(x, tiny):
    return torch.where(x.abs() < tiny, tiny, x)


def _betainc_value(a, b, x):
    dtype = x.dtype
    a, b, x = torch.broadcast_tensors(a.double(), b.double(), x.double())
    flip = x > (a + 1) / (a + b + 2)  # where the fraction of the mirror image converges faster
    p, q, y = torch.where(flip, b, a), torch.where(flip, a, b), torch.where(flip, 1 - x, x)
    front = torch.exp(
        _xlogy(p, y) + torch.special.xlog1py(q, -y)
        + torch.lgamma(p + q) - torch.lgamma(p) - torch.lgamma(q)
    ) / p  # fmt: skip
    value = front * _beta_fraction(p, q, y, 64 if is_fake(x) else 10_000)
    value = torch.where(flip, 1 - value, value)
    valid = (a > 0) & (b > 0) & (x >= 0) & (x <= 1)
    return torch.where(valid, value, math.nan).to(dtype)


_betainc = differentiable(
    _betainc_value,
    None,
    None,
    lambda a, b, x: torch.exp(
        _xlogy(a - 1, x) + torch.special.xlog1py(b - 1, -x)
        - torch.lgamma(a) - torch.lgamma(b) + torch.lgamma(a + b)
    ),
)  # fmt: skip


@op("Betainc")
def betainc(a: Double, b: Double, x: Double):
    """The regularized incomplete beta function I_x(a, b) (source: `tf.math.betainc`).

    The gradient is that with respect to x; a and b have none, as in TensorFlow. In a traced
    function the series is cut, which suits a and b up to about 1000.
    """
    return _betainc(a, b, x)


@op("Lbeta")
def lbeta(x: Float):
    """log|Beta(x)|, reduced along the last axis (source: `tf.math.lbeta`)."""
    return torch.lgamma(x).sum(-1) - torch.lgamma(x.sum(-1))


# -- the error function


@op("Erf")
def erf(x: Float):
    """The error function (source: `tf.math.erf`)."""
    return torch.erf(x)


@op("Erfc")
def erfc(x: Float):
    """1 - erf(x), exact for large x (source: `tf.math.erfc`)."""
    return torch.erfc(x)


@op("Erfinv")
def erfinv(x: Float):
    """The inverse of `erf` (source: `tf.math.erfinv`)."""
    return torch.erfinv(x)


_ndtri = differentiable(
    torch.special.ndtri,
    lambda x: math.sqrt(2 * math.pi) * torch.exp(_ndtri(x) ** 2 / 2),
)


@op("Ndtri", half=False)
def ndtri(x: Float):
    """The quantile of the standard normal distribution (source: `tf.math.ndtri`)."""
    return _ndtri(x)


@op("Erfcinv")
def erfcinv(x: Float):
    """The inverse of `erfc` (source: `tf.math.erfcinv`)."""
    return -_ndtri(0.5 * x) * math.sqrt(0.5)


def sobol_sample(dim, num_results, skip=0, dtype=dtypes.float32, name=None):
    """Points of the Sobol sequence, which fill the unit cube evenly
    (source: `tf.math.sobol_sample`).

    Args:
        dim: the number of axes of the cube.
        num_results: the number of points.
        skip: how many points to leave out first.
        dtype: float32 (default) or float64.

    Returns:
        A tensor of shape [num_results, dim].
    """
    dim, num_results, skip = to_shape([dim, num_results, skip])
    with _disable_current_modes():  # the points are a constant of a traced function
        engine = torch.quasirandom.SobolEngine(dim)
        engine.fast_forward(skip + 1)
        return wrap(engine.draw(num_results, dtype=dtypes.as_dtype(dtype).torch))

"""Ops of `gen_random_ops` that are more than a call."""

from __future__ import annotations

import torch

from torchtf.core.derivative import differentiable, not_registered
from torchtf.core.op import op
from torchtf.math._gamma import gamma_density
from torchtf.math._incomplete_gamma import igamma_by_a


def _sample_by_alpha(alpha: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """By implicit differentiation: a sample keeps its place in the distribution."""
    wide_alpha, wide_sample = alpha.double(), sample.double()
    change = igamma_by_a(wide_alpha, wide_sample)
    found = -change / gamma_density(wide_alpha, wide_sample)
    return torch.where(change == 0, change, found).to(alpha.dtype)


_random_gamma_grad = differentiable(_sample_by_alpha, *[not_registered("RandomGammaGrad")] * 2)


@op("RandomGammaGrad")
def RandomGammaGrad(alpha: Double, sample: Double):
    """How a sample of the gamma distribution with scale 1 changes with its shape `alpha`.

    TensorFlow gives 0 for samples so unlikely that their density vanishes in their type.
    """
    return _random_gamma_grad(alpha, sample)

"""The plain ops that stand for fused optimizer kernels in compiled graphs."""

from __future__ import annotations

import pytest
import torch

from torchtf.function import spelled_out


def tensors(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(n, 3, generator=generator) for n in (2, 5)]


@pytest.mark.parametrize("skip", [None, 0.0, 1.0])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam(amsgrad, skip):
    found_inf = None if skip is None else torch.tensor(skip)
    sides = []
    for adam in (torch._fused_adam_, spelled_out.adam_):
        params, means, squares, maxima = (tensors(i) for i in range(4))
        steps = [torch.tensor(3.0)] * 2
        adam(params, tensors(9), means, squares, maxima if amsgrad else [], steps,
             lr=torch.tensor(0.1), beta1=0.9, beta2=0.99, weight_decay=0.01, eps=1e-7,
             amsgrad=amsgrad, maximize=False, found_inf=found_inf)  # fmt: skip
        sides.append(params + means + squares + (maxima if amsgrad else []))
    torch.testing.assert_close(*sides)


@pytest.mark.parametrize("skip", [None, 0.0, 1.0])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd(momentum, nesterov, skip):
    if nesterov and not momentum:
        nesterov = False
    found_inf = None if skip is None else torch.tensor(skip)
    sides = []
    for sgd in (torch._fused_sgd_, spelled_out.sgd_):
        params, buffers = tensors(0), tensors(1) if momentum else []
        sgd(params, tensors(2), buffers, weight_decay=0.01, momentum=momentum,
            lr=torch.tensor(0.1), dampening=0.0, nesterov=nesterov, maximize=True,
            is_first_step=False, found_inf=found_inf)  # fmt: skip
        sides.append(params + buffers)
    torch.testing.assert_close(*sides)

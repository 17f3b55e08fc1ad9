"""Masks of dropout from torch's generator: which elements are kept.

ATen draws a double for each element, in one thread: in a transformer that is a sixth of a step. An
element needs few bits of a draw, and bytes multiply floats faster than booleans do.
"""

from __future__ import annotations

import math
from typing import Any

import torch

_RAREST = 2**-8  # a probability below it, or that near to 1, is drawn with 32 bits


def keep_mask(size: Any, rate: float, device: torch.device) -> torch.Tensor:
    """Ones where an element is kept and zeros where it is dropped.

    Args:
        size: the shape, sizes may be symbolic.
        rate: the probability of an element to be dropped, within 2**-17 (2**-33 where it is near to
            0 or 1).
        device: where the mask is.

    Returns:
        A uint8 tensor.
    """
    bits, kind = (16, torch.int16) if _RAREST <= rate <= 1 - _RAREST else (32, torch.int32)
    number, size = math.prod(size), tuple(size)
    words = (number * bits + 63) // 64
    drawn = torch.randint(-(2**63), 2**63 - 1, (words,), dtype=torch.int64, device=device)
    threshold = round(rate * 2**bits) - 2 ** (bits - 1)
    return drawn.view(kind)[:number].ge(threshold).view(torch.uint8).view(size)

"""Norms of vectors and matrices."""

from __future__ import annotations

import numpy as np
import torch

from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.op import op
from torchtf.core.tensor import is_tensor_type
from torchtf.math import cast


def norm(tensor, ord="euclidean", axis=None, keepdims=None, name=None):
    """The norm of vectors or matrices (source: `tf.norm`).

    Args:
        tensor: a tensor of real or complex numbers.
        ord: "euclidean" (of all elements), "fro", 1, 2, np.inf, or for vectors any positive number.
        axis: None for all elements; an axis for vectors; a pair of axes for matrices.
        keepdims: whether the axes stay, with size 1.

    Raises:
        ValueError: if `axis` or `ord` is not supported.
    """
    if isinstance(axis, (list, tuple)) or (is_tensor_type(axis) and axis.ndim):
        axis = [to_axis(a) for a in to_axis(axis)]
        if len(axis) != 2:
            raise ValueError(
                "'axis' must be None, an integer, or a tuple of 2 unique integers, "
                f"got {tuple(axis)}"
            )
        if ord not in ("euclidean", "fro", 1, 2, np.inf):
            raise ValueError(
                f"'ord' must be a supported matrix norm in ['euclidean', 'fro', 1, 2, inf], got "
                f"{ord}"
            )
        return _matrix_norm(tensor, ord, tuple(axis), bool(keepdims), name)
    if not (ord == "euclidean" or (not isinstance(ord, str) and ord > 0)):
        raise ValueError(
            f"'ord' must be a supported vector norm in ['euclidean', 1, 2, inf] or a positive "
            f"number, got {ord}"
        )
    return _vector_norm(tensor, ord, to_axis(axis), bool(keepdims), name)


def _root_of_squares(x, dims, keepdims):
    squares = (x * x.conj()).real.to(x.dtype) if x.is_complex() else x * x
    return torch.sqrt(squares.sum(dims, keepdim=keepdims))


@op("Norm")
def _vector_norm(tensor: FloatComplex, ord, axis, keepdims):
    dims = tuple(range(tensor.dim())) if axis is None else (axis,)
    if ord in ("euclidean", 2):
        return _root_of_squares(tensor, dims, keepdims)
    size = tensor.abs()
    if ord == 1:
        result = size.sum(dims, keepdim=keepdims)
    elif ord == np.inf:
        result = size.amax(dims, keepdim=keepdims)
    else:
        result = (size**ord).sum(dims, keepdim=keepdims) ** (1.0 / ord)
    return result


@op("Norm", half=False)
def _matrix_norm(tensor: FloatComplex, ord, axes, keepdims):
    if ord in ("euclidean", "fro"):
        return _root_of_squares(tensor, axes, keepdims)
    rows, columns = (a % tensor.dim() for a in axes)
    if ord == 2:
        moved = tensor.movedim((rows, columns), (-2, -1))
        result = torch.linalg.svdvals(moved).amax(-1)
        if keepdims:
            for a in sorted((rows, columns)):
                result = result.unsqueeze(a)
        return result
    first, second = (rows, columns) if ord == 1 else (columns, rows)
    result = tensor.abs().sum(first, keepdim=True).amax(second, keepdim=True)
    return result if keepdims else result.squeeze((rows, columns))


def normalize(tensor, ord="euclidean", axis=None, name=None):
    """Divides by the norm (source: `tf.linalg.normalize`).

    Args:
        tensor, ord, axis: as for `norm`.

    Returns:
        A pair of the result and the norm, whose axes are kept.
    """
    size = norm(tensor, ord, axis, keepdims=True)
    size = cast(size, convert_to_tensor(tensor).dtype)
    return convert_to_tensor(tensor) / size, size

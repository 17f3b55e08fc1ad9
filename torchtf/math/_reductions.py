"""Reductions and scans along axes."""

from __future__ import annotations

import numpy as np
import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, to_axis
from torchtf.core.derivative import with_gradient
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.tensor import is_fake
from torchtf.math._arithmetic import conj, multiply, not_equal, real, square, subtract
from torchtf.math._elementary import sqrt

# -- sums, products, extremes


def _dims(x: torch.Tensor, axis) -> tuple[int, ...]:
    """The axes to reduce as sorted non-negative ints."""
    axis = to_axis(axis)
    if axis is None:
        return tuple(range(x.dim()))
    found = []
    for a in axis if isinstance(axis, list) else [axis]:
        if not -x.dim() <= a < x.dim():
            raise errors.InvalidArgumentError(
                None, None,
                f"Invalid reduction dimension ({a} for input with {x.dim()} dimension(s)",
            )  # fmt: skip
        found.append(a % x.dim())
    if len(set(found)) < len(found):
        raise errors.InvalidArgumentError(
            None, None, f"Invalid reduction arguments: Axes contains duplicate dimension: {found}"
        )
    return tuple(sorted(found))


@op("Sum")
def reduce_sum(input_tensor: Num, axis=None, keepdims=False):
    """Adds up the elements along axes (source: `tf.math.reduce_sum`).

    Args:
        input_tensor: a numeric tensor.
        axis: an axis, a list of them, or None for all.
        keepdims: whether reduced axes stay, with size 1.

    Raises:
        InvalidArgumentError: if an axis is out of range.
    """
    if axis is None and not keepdims:
        return torch.sum(input_tensor, dtype=input_tensor.dtype)
    dims = _dims(input_tensor, axis)
    if not dims:
        return input_tensor.clone()
    return torch.sum(input_tensor, dims, keepdim=keepdims, dtype=input_tensor.dtype)


@op("Mean", uint64=False)
def reduce_mean(input_tensor: Num, axis=None, keepdims=False):
    """The mean of the elements along axes (source: `tf.math.reduce_mean`).

    The mean of integers is an integer, rounded toward zero.
    """
    dims = _dims(input_tensor, axis)
    if not dims:
        return input_tensor.clone()
    if not (input_tensor.is_floating_point() or input_tensor.is_complex()):
        total = torch.sum(input_tensor, dims, keepdim=keepdims, dtype=torch.int64)
        count = 1
        for d in dims:
            count *= input_tensor.shape[d]
        return torch.div(total, count, rounding_mode="trunc").to(input_tensor.dtype)
    return torch.mean(input_tensor, dims, keepdim=keepdims)


def _extreme(reduce, x, axis, keepdims, of_nothing):
    dims = _dims(x, axis)
    if not dims:
        return x.clone()
    if any(x.shape[d] == 0 for d in dims):
        return torch.sum(x, dims, keepdim=keepdims, dtype=x.dtype) + of_nothing(x.dtype)
    return reduce(x, dims, keepdim=keepdims)


def lowest(dtype: torch.dtype):
    """The lowest value of a type: minus infinity or the smallest integer."""
    return -torch.inf if dtype.is_floating_point else torch.iinfo(dtype).min


def highest(dtype: torch.dtype):
    """The highest value of a type: infinity or the largest integer."""
    return torch.inf if dtype.is_floating_point else torch.iinfo(dtype).max


@op("Max", ordered=True)
def reduce_max(input_tensor: Real, axis=None, keepdims=False):
    """The largest element along axes (source: `tf.math.reduce_max`)."""
    return _extreme(torch.amax, input_tensor, axis, keepdims, lowest)


@op("Min", ordered=True)
def reduce_min(input_tensor: Real, axis=None, keepdims=False):
    """The smallest element along axes (source: `tf.math.reduce_min`)."""
    return _extreme(torch.amin, input_tensor, axis, keepdims, highest)


@op("Prod", fold=lambda x, axis=None, keepdims=False: np.prod(x) if axis is None else None)
def reduce_prod(input_tensor: Num, axis=None, keepdims=False):
    """The product of the elements along axes (source: `tf.math.reduce_prod`)."""
    result = input_tensor
    for d in reversed(_dims(input_tensor, axis)):
        result = torch.prod(result, d, keepdim=keepdims, dtype=input_tensor.dtype)
    return result.clone() if result is input_tensor else result


def _truth(reduce, of_bytes, x, axis, keepdims):
    """Reduces booleans; many of them as bytes, for which torch has kernels 50 times as fast."""
    dims = _dims(x, axis)
    if not dims:
        return x.clone()
    if is_fake(x) or x.numel() < 4096:
        return reduce(x, dims, keepdim=keepdims)
    return of_bytes(x.view(torch.uint8), dims, keepdim=keepdims).view(torch.bool)


@op("All")
def reduce_all(input_tensor: Bool, axis=None, keepdims=False):
    """Whether all elements along axes are True (source: `tf.math.reduce_all`)."""
    return _truth(torch.all, torch.amin, input_tensor, axis, keepdims)


@op("Any")
def reduce_any(input_tensor: Bool, axis=None, keepdims=False):
    """Whether any element along axes is True (source: `tf.math.reduce_any`)."""
    return _truth(torch.any, torch.amax, input_tensor, axis, keepdims)


@op("EuclideanNorm")
def reduce_euclidean_norm(input_tensor: Num, axis=None, keepdims=False):
    """The square root of the sum of squares along axes
    (source: `tf.math.reduce_euclidean_norm`).
    """
    x, dims = input_tensor, _dims(input_tensor, axis)
    squares = (x * x.conj()) if x.is_complex() else x * x
    if not (x.is_floating_point() or x.is_complex()):
        squares = (x * x).double()
    total = squares.sum(dims, keepdim=keepdims) if dims else squares
    return torch.sqrt(total).to(x.dtype)


@op("LogSumExp")
def reduce_logsumexp(input_tensor: Float, axis=None, keepdims=False):
    """log(sum(exp(x))) along axes, without overflow (source: `tf.math.reduce_logsumexp`)."""
    dims = _dims(input_tensor, axis)
    return torch.logsumexp(input_tensor, dims, keepdim=keepdims) if dims else input_tensor.clone()


@dispatched
def reduce_variance(input_tensor, axis=None, keepdims=False, name=None):
    """The mean squared distance from the mean along axes (source: `tf.math.reduce_variance`).

    Raises:
        TypeError: for integers.
    """
    x = convert_to_tensor(input_tensor)
    means = reduce_mean(x, axis, True)
    if means.dtype.is_integer:
        raise TypeError(
            f"Input must be either real or complex. Received integer type {means.dtype}."
        )
    distance = subtract(x, means)
    squared = real(multiply(conj(distance), distance)) if x.dtype.is_complex else square(distance)
    return reduce_mean(squared, axis, keepdims)


def reduce_std(input_tensor, axis=None, keepdims=False, name=None):
    """The standard deviation along axes (source: `tf.math.reduce_std`).

    Raises:
        TypeError: for integers.
    """
    return sqrt(reduce_variance(input_tensor, axis, keepdims))


@op("CountNonzero", strings=None)
def _count_nonzero(x: T, axis, keepdims, to) -> Index:
    dims = _dims(x, axis)
    counted = (x != 0).to(torch.int64)
    return (counted.sum(dims, keepdim=keepdims) if dims else counted).to(to)


def count_nonzero(input, axis=None, keepdims=None, dtype=dtypes.int64, name=None):
    """The number of elements along axes that are not zero or empty
    (source: `tf.math.count_nonzero`).

    Args:
        input: a tensor of numbers, booleans or strings.
        axis: an axis, a list of them, or None for all.
        keepdims: whether reduced axes stay, with size 1.
        dtype: the result's type.
    """
    input = convert_to_tensor(input)
    if input.dtype is dtypes.string:
        input = not_equal(input, "")
    return _count_nonzero(input, axis, bool(keepdims), dtypes.as_dtype(dtype).torch, name)


def zero_fraction(value, name=None):
    """The fraction of elements that are zero, as a float32 scalar
    (source: `tf.nn.zero_fraction`).
    """
    return _zero_fraction(value, name)


@op("Mean", strings=None)
def _zero_fraction(value: T) -> Float32:
    return (value == 0).to(torch.float32).mean()


# -- positions


_POSITION_TYPES = (torch.int16, torch.uint16, torch.int32, torch.int64)


def _position(find, x, axis, output):
    if output not in _POSITION_TYPES:
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'output_type' of {output} is not in the list of allowed values: "
            "int16, uint16, int32, int64",
        )  # fmt: skip
    if not -x.dim() <= axis < x.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"Expected dimension in the range [{-x.dim()}, {x.dim()}), but got {axis}",
        )  # fmt: skip
    if not is_fake(x) and x.shape[axis] == 0:
        raise errors.InvalidArgumentError(
            None, None, f"Reduction axis {axis} is empty in shape {list(x.shape)}"
        )
    return find(x.to(torch.uint8) if x.dtype is torch.bool else x, axis).to(output)


@op("ArgMax", ordered=True)
def _argmax(input: RealBool, axis, output) -> Index:
    return _position(torch.argmax, input, axis, output)


@op("ArgMin", ordered=True)
def _argmin(input: RealBool, axis, output) -> Index:
    return _position(torch.argmin, input, axis, output)


def argmax(input, axis=None, output_type=dtypes.int64, name=None):
    """The index of the largest element along an axis, the first at a tie
    (source: `tf.math.argmax`).

    Args:
        input: a tensor of real numbers or booleans.
        axis: the axis; 0 by default.
        output_type: int32, int64, uint16 or int16.

    Raises:
        InvalidArgumentError: if the axis is out of range or empty.
    """
    axis = 0 if axis is None else to_axis(axis, cast=False)
    return _argmax(input, axis, dtypes.as_dtype(output_type).torch, name)


def argmin(input, axis=None, output_type=dtypes.int64, name=None):
    """The index of the smallest element along an axis, the first at a tie
    (source: `tf.math.argmin`); see `argmax`.
    """
    axis = 0 if axis is None else to_axis(axis)
    return _argmin(input, axis, dtypes.as_dtype(output_type).torch, name)


# -- scans


def _axis_of(x, axis) -> int:
    axis = to_axis(axis)
    if not -x.dim() <= axis < x.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"ScanOp: Expected scan axis in the range [{-x.dim()}, {x.dim()}), but got {axis}",
        )  # fmt: skip
    return axis % x.dim()


def _scan(step, x, axis, exclusive, reverse, first):
    """Runs a cumulative function forward or backward, with or without the element itself."""
    axis = _axis_of(x, axis)
    x = x.flip(axis) if reverse else x
    if exclusive:
        head = torch.full_like(x.narrow(axis, 0, 1), first)
        x = torch.cat([head, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    result = step(x, axis)
    return result.flip(axis) if reverse else result


@op("Cumsum")
def cumsum(x: Num, axis=0, exclusive=False, reverse=False):
    """Sums of the elements so far along an axis (source: `tf.math.cumsum`).

    Args:
        x: a numeric tensor.
        axis: the axis.
        exclusive: whether an element is left out of its own sum.
        reverse: whether to sum from the end.
    """
    return _scan(lambda t, d: torch.cumsum(t, d, dtype=t.dtype), x, axis, exclusive, reverse, 0)


@op("Cumprod")
def cumprod(x: Num, axis=0, exclusive=False, reverse=False):
    """Products of the elements so far along an axis (source: `tf.math.cumprod`); see `cumsum`."""
    axis = _axis_of(x, axis)

    def product(t, d):
        return torch.cumprod(t, d, dtype=t.dtype)

    def forward(t):
        return _scan(product, t, axis, exclusive, reverse, 1)

    def gradient(grad, t):  # 0 at zeros, and not conjugated, as in TensorFlow
        products = forward(t) * grad
        sums = _scan(torch.cumsum, products, axis, exclusive, not reverse, 0)
        zero = t == 0
        return [torch.where(zero, 0, sums / torch.where(zero, 1, t))]

    return with_gradient(forward, gradient)(x)


@op("CumulativeLogsumexp")
def cumulative_logsumexp(x: Float, axis=0, exclusive=False, reverse=False):
    """log(cumsum(exp(x))) without overflow (source: `tf.math.cumulative_logsumexp`); see `cumsum`.

    In place of log(0) the exclusive form gives minus infinity.
    """
    return _scan(torch.logcumsumexp, x, axis, exclusive, reverse, -torch.inf)


# -- normalizing


def l2_normalize(x, axis=None, epsilon=1e-12, name=None, dim=None):
    """Divides by the Euclidean norm along axes (source: `tf.math.l2_normalize`).

    Args:
        x: a tensor of real or complex numbers.
        axis: the axes; all by default.
        epsilon: the least square of the norm to divide by.
        dim: the old name of `axis`.
    """
    if dim is not None:
        if axis is not None:
            raise ValueError("Cannot specify both 'axis' and 'dim'")
        axis = dim
    return _l2_normalize(x, axis, epsilon, name)


@op("L2Normalize")
def _l2_normalize(x: FloatComplex, axis, epsilon):
    squares = (x * x.conj()).real if x.is_complex() else x * x
    total = squares.sum(_dims(x, axis), keepdim=True)
    # at a tie the gradient goes to the sum, as in tf.maximum
    bounded = torch.where(total >= epsilon, total, torch.full_like(total, epsilon))
    return x * torch.rsqrt(bounded)

"""Joining and splitting tensors."""

from __future__ import annotations

import numpy as np
import torch

from torchtf.array_ops._shaping import _known, ensure_shape, identity
from torchtf.core import errors, graph
from torchtf.core.convert import convert_to_tensor, needs_numbers, to_axis_or_late, to_shape
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import is_fake, is_tensor_type


def _fold_concat(values, axis):
    return np.concatenate([np.atleast_1d(v) for v in values])


@op("ConcatV2", label="concat", fold=_fold_concat)
def _concat(values: list[T], axis):
    needs_numbers(axis)
    try:
        return torch.cat(values, axis)
    except (RuntimeError, IndexError) as e:
        raise _concat_error(values, axis) or e from None


def _concat_error(values, axis) -> errors.InvalidArgumentError | None:
    """What is wrong with the shapes, in TensorFlow's words."""
    first, shapes = values[0], [brackets(v.shape) for v in values]
    rank = first.dim()

    def differs(i):
        return f"shape[0] = {shapes[0]} vs. shape[{i}] = {shapes[i]}"

    def problem():
        if rank == 0:
            return "Can't concatenate scalars (use tf.stack instead)"
        if not -rank <= axis < rank:
            return (
                f"Expected concatenating dimensions in the range [{-rank}, {rank}), but got {axis}"
            )
        for i, value in enumerate(values):
            if value.dim() != rank:
                return f"Ranks of all input tensors should match: {differs(i)}"
            for d in range(rank):
                if d != axis % rank and value.shape[d] != first.shape[d]:
                    return f"Dimension {d} in both shapes must be equal: {differs(i)}"
        return None

    found = problem()
    return errors.InvalidArgumentError(None, None, f"ConcatOp : {found}") if found else None


@dispatched
def concat(values, axis, name="concat"):
    """Joins tensors along an existing axis (source: `tf.concat`).

    Args:
        values: a list of tensors of one type and rank.
        axis: the axis.

    Raises:
        InvalidArgumentError: if types, ranks or the other sizes differ.
    """
    if not isinstance(values, (list, tuple)):
        values = [values]
    axis = to_axis_or_late(axis, cast=any(map(is_tensor_type, values)))
    if len(values) == 1:
        return identity(values[0])
    if not values:
        raise errors.InvalidArgumentError(
            None, None, "concat needs at least one tensor [Op:ConcatV2]"
        )
    return _concat(list(values), axis, name)


@op("Pack", label="stack", fold=lambda values, axis: np.stack(values) if axis == 0 else None)
def _stack(values: list[T], axis):
    for i, value in enumerate(values):
        if value.shape != values[0].shape and not is_fake(value):
            raise errors.InvalidArgumentError(
                None, None,
                f"Shapes of all inputs must match: values[0].shape = "
                f"{brackets(values[0].shape)} != values[{i}].shape = {brackets(value.shape)}",
            )  # fmt: skip
    return torch.stack(values, axis)


@dispatched
def stack(values, axis=0, name="stack"):
    """Joins tensors of one shape along a new axis (source: `tf.stack`).

    Raises:
        InvalidArgumentError: if types or shapes differ.
        ValueError: if `axis` is out of range.
    """
    if axis == 0 and (is_tensor_type(values) or isinstance(values, (int, float)) or not values):
        return convert_to_tensor(values)
    axis, values = int(axis), list(values)
    rank = convert_to_tensor(values[0]).shape.rank
    if rank is not None and not -rank - 1 <= axis <= rank:
        raise ValueError(f"Argument `axis` = {axis} not in range [{-rank - 1}, {rank + 1})")
    return _stack(_pack_like(list(values)), axis, name)


def _pack_like(values):
    """Python numbers of mixed kinds take the widest kind, as in a list given to constant."""
    if all(type(v) in (int, float) for v in values) and len({type(v) for v in values}) > 1:
        return [float(v) for v in values]
    return values


@op("SplitV")
def _split_sizes(value: T, sizes, axis):
    needs_numbers(axis)
    return list(torch.split(value, _without_rest(sizes, value.shape[axis]), axis))


def _without_rest(sizes, total):
    """The sizes of parts with that of the rest, -1, filled in."""
    if -1 not in sizes:
        return sizes
    rest = total - sum(s for s in sizes if s != -1)
    return [rest if s == -1 else s for s in sizes]


@op("Split", label="split")
def _split_equal(value: T, count, axis):
    needs_numbers(axis)
    length = value.shape[axis]
    if isinstance(count, int) and count < 1:
        raise errors.InvalidArgumentError(
            None, None, f"Value for attr 'num_split' of {count} must be at least minimum 1"
        )
    if length % count:
        raise errors.InvalidArgumentError(
            None, None,
            "Number of ways to split should evenly divide the split dimension, but got split_dim "
            f"{axis} (size = {length}) and num_split {count}",
        )  # fmt: skip
    return list(torch.split(value, length // count, axis)) if length else [value] * count


@dispatched
def split(value, num_or_size_splits, axis=0, num=None, name="split"):
    """Splits a tensor along an axis (source: `tf.split`).

    Args:
        value: a tensor.
        num_or_size_splits: the number of equal parts, or the size of each (one may be -1).
        axis: the axis.
        num: the number of parts, where it cannot be told from the sizes.

    Raises:
        InvalidArgumentError: if the parts do not fit the axis.
    """
    axis = to_axis_or_late(axis)
    pieces = num_or_size_splits
    if isinstance(pieces, int):
        return _split_equal(value, pieces, axis, name)
    sizes = to_shape(pieces, cast=False)
    is_given = is_tensor_type(value)
    value = convert_to_tensor(value)
    if is_tensor_type(pieces) and pieces.shape.rank == 0:
        return _split_equal(value, sizes[0], axis, name)
    if is_tensor_type(axis):
        return _split_sizes(value, sizes, axis, name)
    total = value._data.shape[axis]
    sizes = _without_rest(sizes, total)
    if _known(sizes) and isinstance(total, int) and sum(sizes) != total:
        raise errors.of_kernel(
            "SplitV",
            "Determined shape must either match input shape along split_dim exactly if fully "
            "specified, or be less than the size of the input along split_dim if not fully "
            f"specified.  Got: {sum(sizes)}",
            name if is_given else None,
            f"_num_split_{len(sizes)}",
        )
    return _split_sizes(value, sizes, axis, name)


@op("Unpack")
def _unstack(value: T, axis):
    return list(torch.unbind(value, axis))


@op("Unpack")
def _slice_at(value: T, index, axis):
    return value.select(axis, index)


def unstack(value, num=None, axis=0, name="unstack"):
    """Splits a tensor into the slices along an axis (source: `tf.unstack`).

    Raises:
        ValueError: if the size of the axis is unknown or is not `num`.
    """
    is_given = is_tensor_type(value)
    value = convert_to_tensor(value)
    if value.shape.rank is not None and not -value.shape.rank <= axis < value.shape.rank:
        raise ValueError(
            f"Argument `axis` = {axis} not in range [{-value.shape.rank}, {value.shape.rank})"
        )
    length = None if value.shape.rank is None else value.shape[axis]
    if length is None and num is None:
        raise ValueError(f"Cannot infer argument `num` from shape {value.shape}")
    if value.shape.rank is None:
        return [_slice_at(value, i, axis, name) for i in range(num)]
    if length is None:
        sizes = value.shape.as_list()
        sizes[axis] = num
        value = ensure_shape(value, sizes)
    elif num is not None and num != length:
        if graph.state.trace is not None and not graph.state.trace.root.at_run_time:
            raise ValueError(f"Dimension must be {num} but is {length}")
        raise errors.of_kernel(
            "Unpack",
            f"Input shape axis {axis} must equal {num}, got shape {brackets(value.shape)}",
            name if is_given else None,
            f"_num_{num}",
        )
    return _unstack(value, axis, name)


def parallel_stack(values, name="parallel_stack"):
    """Joins tensors of one shape along a new first axis (source: `tf.parallel_stack`).

    Raises:
        InvalidArgumentError: if the shapes differ.
    """
    return stack(values, 0, name)

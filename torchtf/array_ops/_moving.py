"""Padding, repeating, reversing, rearranging."""

from __future__ import annotations

import numpy as np
import torch

from torchtf.array_ops._shaping import product, reshape
from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor, listed, sizes_of, to_axis, to_shape
from torchtf.core.dispatch import dispatched
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import is_fake

# -- padding


def to_pairs(value) -> list[list]:
    """An argument of shape [n, 2] as a list of pairs of ints or symbolic ints."""
    if isinstance(value, (list, tuple)):
        return [to_shape(pair) for pair in value]
    if getattr(value, "ndim", 2) != 2:
        raise errors.InvalidArgumentError(None, None, f"Expected a matrix, got {value!r}")
    flat = to_shape(value)
    return [flat[i : i + 2] for i in range(0, len(flat), 2)]


def _check_pads(x, pads):
    widths = {len(p) for p in pads}
    if widths - {2}:
        raise errors.InvalidArgumentError(
            None, None,
            f"paddings must be a matrix with 2 columns: [{len(pads)},{max(widths)}]",
        )  # fmt: skip
    if len(pads) != x.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"The first dimension of paddings must be the rank of inputs[{len(pads)},2] "
            f"{brackets(x.shape)}",
        )  # fmt: skip
    for before, after in pads:
        if any(isinstance(p, int) and p < 0 for p in (before, after)):
            raise errors.InvalidArgumentError(
                None, None, f"Paddings must be non-negative: {before} {after}"
            )


def _flat(pads):
    return [p for pair in reversed(pads) for p in pair]


@op("Pad")
def _pad_zeros(tensor: T, pads: list):
    _check_pads(tensor, pads)
    return torch.constant_pad_nd(tensor, _flat(pads), 0)


@op("PadV2")
def _pad(tensor: T, constant: T, pads: list):
    _check_pads(tensor, pads)
    flat = _flat(pads)
    constant = constant.detach()
    if not is_fake(constant):
        return torch.constant_pad_nd(tensor, flat, constant.item())
    inside = torch.constant_pad_nd(torch.ones_like(tensor, dtype=torch.bool), flat, 0)
    return torch.where(inside, torch.constant_pad_nd(tensor, flat, 0), constant)


@op("MirrorPad")
def _mirror_pad(tensor: T, pads: list, offset):
    _check_pads(tensor, pads)
    for axis, (before, after) in enumerate(pads):
        length = tensor.shape[axis]
        known = all(isinstance(v, int) for v in (before, after, length))
        if known and max(before, after) > length - offset:
            raise errors.InvalidArgumentError(
                None, None,
                f"paddings must be {'less' if offset else 'no greater'} than the dimension size: "
                f"{before}, {after} {'not less' if offset else 'greater'} than {length}",
            )  # fmt: skip
        head = tensor.narrow(axis, offset, before).flip(axis)
        tail = tensor.narrow(axis, length - after - offset, after).flip(axis)
        tensor = torch.cat([head, tensor, tail], axis)
    return tensor


def pad(tensor, paddings, mode="CONSTANT", constant_values=0, name=None):
    """Adds elements at the ends of axes (source: `tf.pad`).

    Args:
        tensor: a tensor of rank n.
        paddings: integers of shape [n, 2]: how many before and after, for each axis.
        mode: "CONSTANT"; "REFLECT", which mirrors without the border; "SYMMETRIC", with it.
        constant_values: the scalar to fill with in the first mode.

    Raises:
        ValueError: if the mode is unknown.
        InvalidArgumentError: if `paddings` does not fit the tensor.
    """
    mode = mode.upper()
    pads = to_pairs(paddings)
    if mode == "CONSTANT":
        tensor = convert_to_tensor(tensor)
        if type(constant_values) is int and constant_values == 0 and tensor.dtype.is_numeric:
            return _pad_zeros(tensor, pads, name)
        if tensor.dtype is dtypes.string:
            fill = convert_to_tensor("" if constant_values == 0 else constant_values)
        elif tensor.dtype is dtypes.bool_ and isinstance(constant_values, int):
            fill = convert_to_tensor(bool(constant_values))
        else:
            fill = convert_to_tensor(constant_values, dtype_hint=tensor.dtype)
        return _pad(tensor, fill, pads, name)
    if mode not in ("REFLECT", "SYMMETRIC"):
        raise ValueError(
            'Value of argument `mode` expected to be one of "CONSTANT", "REFLECT", or "SYMMETRIC". '
            f"Received `mode` = {mode}"
        )
    return _mirror_pad(tensor, pads, 1 if mode == "REFLECT" else 0, name)


# -- repeating


@op("Tile")
def _tile(input: T, multiples: list):
    if len(multiples) != input.dim():
        raise errors.InvalidArgumentError(
            None, None,
            f"Expected multiples argument to be a vector of length {input.dim()} but got length "
            f"{len(multiples)}",
        )  # fmt: skip
    for i, m in enumerate(multiples):
        if isinstance(m, int) and m < 0:
            raise errors.InvalidArgumentError(
                None, None, f"Expected multiples[{i}] >= 0, but got {m}"
            )
    return input.repeat(multiples)


@dispatched
def tile(input, multiples, name=None):
    """Repeats a whole tensor along each axis (source: `tf.tile`).

    Raises:
        InvalidArgumentError: if there is not one non-negative multiple for each axis.
    """
    if isinstance(multiples, int):
        raise errors.InvalidArgumentError(
            None, None, "Expected multiples to be 1-D, but got shape [] [Op:Tile]"
        )
    return _tile(input, to_shape(multiples, "Tmultiples"), name)


@op("Repeat")
def _repeat(input: T, repeats: Index, axis, total) -> T:
    if not is_fake(repeats) and repeats.numel() and int(repeats.min()) < 0:
        raise errors.InvalidArgumentError(None, None, "repeats must not be negative")
    if repeats.dim() == 0 or repeats.shape[0] == 1:
        repeats = repeats.reshape(1).expand(input.shape[axis])
    ends = torch.cumsum(repeats, 0)
    if total is None:
        total = ends[-1].item()
    places = torch.arange(total, dtype=ends.dtype, device=ends.device)
    return input.index_select(axis, torch.searchsorted(ends, places, right=True))


@op("Repeat")
def _repeat_all(input: T, count, axis):
    before, length, after = input.shape[:axis], input.shape[axis], input.shape[axis + 1 :]
    spread = input.unsqueeze(axis + 1).expand(*before, length, count, *after)
    return spread.reshape(*before, length * count, *after)


def repeat(input, repeats, axis=None, name=None):
    """Repeats each element along an axis (source: `tf.repeat`).

    Args:
        input: a tensor.
        repeats: how often: a number, or one for each element of the axis.
        axis: the axis; by default the tensor is flattened first.

    Raises:
        ValueError: if there is no such axis, or `repeats` does not fit it.
        InvalidArgumentError: if one of them is negative.
    """
    input = convert_to_tensor(input)
    if axis is None:
        input, axis = reshape(input, [-1]), 0
    axis, rank = to_axis(axis), input.ndim
    if not -rank <= axis < rank:
        raise ValueError(f"axis={axis} out of bounds: expected {-rank}<=axis<{rank}")
    axis = axis + rank if axis < 0 else axis
    repeats = convert_to_tensor(repeats, dtype_hint=dtypes.int32)
    known = sizes_of(repeats) if is_fake(repeats._data) else np.array(listed(repeats._data))
    if known is None:
        return _repeat(input, repeats, axis, None, name)
    length = input.shape[axis]
    if known.size == 1 and known.reshape(-1)[0] >= 0:
        return _repeat_all(input, known.reshape(-1)[0], axis, name)
    if length is not None and known.size not in (1, length):
        raise ValueError(f"Dimensions {length} and {known.size} are not compatible")
    return _repeat(input, repeats, axis, int(known.sum()) if known.ndim else None, name)


# -- order


@op("ReverseV2")
def _reverse(tensor: T, axes: list):
    for a in axes:
        if not -tensor.dim() <= a < tensor.dim():
            raise errors.InvalidArgumentError(
                None, None, f"'axis'[0] = {a} is out of valid range [0, {tensor.dim() - 1}"
            )
    if len({a % tensor.dim() for a in axes}) < len(axes):
        raise errors.InvalidArgumentError(None, None, f"axis {axes} specified more than once.")
    return tensor.flip(axes)


@dispatched
def reverse(tensor, axis, name=None):
    """Reverses the order of elements along axes (source: `tf.reverse`).

    Raises:
        InvalidArgumentError: if an axis is out of range or named twice.
    """
    axes = to_axis(axis)
    if not isinstance(axes, list):
        raise errors.InvalidArgumentError(
            None, None, "'dims' must be a 1-dimension, not 0 [Op:ReverseV2]"
        )
    return _reverse(tensor, axes, name)


@op("ReverseSequence")
def _reverse_sequence(input: T, lengths: Index, axis, batch_axis) -> T:
    rank = input.dim()
    axis, batch_axis = axis % rank, batch_axis % rank
    if axis == batch_axis:
        raise errors.InvalidArgumentError(None, None, f"batch_dim == seq_dim == {axis}")
    if not is_fake(lengths):
        if lengths.dim() != 1 or len(lengths) != input.shape[batch_axis]:
            raise errors.InvalidArgumentError(
                None, None,
                f"len(seq_lens) != input.dims({batch_axis}), ({lengths.numel()} vs. "
                f"{input.shape[batch_axis]})",
            )  # fmt: skip
        if bool(((lengths < 0) | (lengths > input.shape[axis])).any()):
            raise errors.InvalidArgumentError(
                None, None, "seq_lens must be between 0 and the size of the axis"
            )
    places = torch.arange(input.shape[axis], device=input.device)
    ends = lengths.to(torch.int64).unsqueeze(1)
    index = torch.where(places < ends, ends - 1 - places, places)
    if batch_axis > axis:
        index = index.T
    shape = [1] * rank
    shape[batch_axis], shape[axis] = input.shape[batch_axis], input.shape[axis]
    return torch.gather(input, axis, index.reshape(shape).expand(input.shape))


def reverse_sequence(input, seq_lengths, seq_axis=None, batch_axis=None, name=None):
    """Reverses the beginnings of sequences of different lengths (source: `tf.reverse_sequence`).

    Args:
        input: a tensor.
        seq_lengths: for each element of the batch how many elements are reversed.
        seq_axis: the axis along which they lie.
        batch_axis: the axis of the batch; 0 by default.

    Raises:
        InvalidArgumentError: if a length is out of range.
    """
    batch_axis = 0 if batch_axis is None else to_axis(batch_axis)
    if seq_axis is None:
        raise ValueError("reverse_sequence: `seq_axis` must be given")
    return _reverse_sequence(input, seq_lengths, to_axis(seq_axis), batch_axis, name)


@op("Roll")
def _roll(input: T, shift, axis):
    for a in axis:
        if not -input.dim() <= a < input.dim():
            raise errors.InvalidArgumentError(None, None, f"axis {a} is out of range")
    if len(shift) != len(axis):
        raise errors.InvalidArgumentError(None, None, "shift and axis must have the same size")
    if input.dim() == 0:
        raise errors.InvalidArgumentError(None, None, "input must be 1-D or higher")
    return torch.roll(input, shift, axis)


def roll(input, shift, axis, name=None):
    """Shifts elements along axes; those pushed out come in again (source: `tf.roll`).

    Raises:
        InvalidArgumentError: if an axis is out of range.
    """
    axis = to_axis(axis, cast=False)
    return _roll(
        input, to_shape(shift, cast=False), axis if isinstance(axis, list) else [axis], name
    )


# -- blocks of space


@op("SpaceToBatchND")
def _space_to_batch(input: T, block, pads):
    count = len(block)
    if input.dim() < count + 1 or len(pads) != count:
        raise errors.InvalidArgumentError(
            None, None, f"input rank should be >= {count + 1} instead of {input.dim()}"
        )
    flat = [0, 0] * (input.dim() - 1 - count) + [p for pair in reversed(pads) for p in pair]
    x = torch.constant_pad_nd(input, flat, 0)
    batch, rest = x.shape[0], x.shape[1 + count :]
    sizes = [batch]
    for d, b in enumerate(block):
        length = x.shape[1 + d]
        if isinstance(length, int) and length % b:
            raise errors.InvalidArgumentError(
                None, None, f"padded_shape[{d}]={length} is not divisible by block_shape[{d}]={b}"
            )
        sizes += [length // b, b]
    x = x.reshape(*sizes, *rest)
    order = [2 * d + 2 for d in range(count)] + [0] + [2 * d + 1 for d in range(count)]
    x = x.permute(*order, *range(2 * count + 1, x.dim()))
    return x.reshape(product(block) * batch, *x.shape[count + 1 :])


@op("BatchToSpaceND")
def _batch_to_space(input: T, block, crops):
    count, cells = len(block), product(block)
    batch = input.shape[0]
    if isinstance(batch, int) and batch % cells:
        raise errors.InvalidArgumentError(
            None, None,
            f"Input batch dimension ({batch}) is not divisible by product of block sizes ({cells})",
        )  # fmt: skip
    spatial, rest = input.shape[1 : 1 + count], input.shape[1 + count :]
    x = input.reshape(*block, batch // cells, *spatial, *rest)
    order = [count]
    for d in range(count):
        order += [count + 1 + d, d]
    x = x.permute(*order, *range(2 * count + 1, x.dim()))
    x = x.reshape(batch // cells, *[s * b for s, b in zip(spatial, block, strict=True)], *rest)
    for d, (before, after) in enumerate(crops):
        x = x.narrow(1 + d, before, x.shape[1 + d] - before - after)
    return x.contiguous()


def space_to_batch_nd(input, block_shape, paddings, name=None):
    """Moves blocks of space into the batch (source: `tf.space_to_batch_nd`).

    Args:
        input: a tensor [batch, space..., rest...].
        block_shape: the size of the blocks along each axis of space.
        paddings: how many zeros are added before and after, for each axis of space.

    Raises:
        InvalidArgumentError: if the padded sizes are no multiples of the blocks'.
    """
    return _space_to_batch(input, to_shape(block_shape), to_pairs(paddings), name)


def space_to_batch(input, block_shape, paddings, name=None):
    """Moves blocks of space into the batch (source: `tf.space_to_batch`);
    see `space_to_batch_nd`.
    """
    return space_to_batch_nd(input, block_shape, paddings, name)


def batch_to_space(input, block_shape, crops, name=None):
    """The inverse of `space_to_batch` (source: `tf.batch_to_space`).

    Args:
        input: a tensor [batch, space..., rest...].
        block_shape: the size of the blocks; an int means squares.
        crops: how many elements are cut off before and after, for each axis of space.
    """
    block = [block_shape] * 2 if isinstance(block_shape, int) else to_shape(block_shape)
    return _batch_to_space(input, block, to_pairs(crops), name)


def required_space_to_batch_paddings(input_shape, block_shape, base_paddings=None, name=None):
    """The paddings and crops that make sizes multiples of blocks
    (source: `tf.required_space_to_batch_paddings`).

    Args:
        input_shape: the sizes of space.
        block_shape: the size of the blocks.
        base_paddings: what must be padded at least; zeros by default.

    Returns:
        Two int32 tensors [n, 2], paddings and crops.
    """
    sizes, block = to_shape(input_shape), to_shape(block_shape)
    base = [[0, 0]] * len(block) if base_paddings is None else to_pairs(base_paddings)
    pads, crops = [], []
    for size, b, (before, after) in zip(sizes, block, base, strict=True):
        extra = -(size + before + after) % b
        pads.append([before, after + extra])
        crops.append([0, extra])
    return convert_to_tensor(pads, dtype=dtypes.int32), convert_to_tensor(crops, dtype=dtypes.int32)


@op("ExtractVolumePatches")
def _volume_patches(input: Real, sizes, strides, same):
    for d in range(3):
        size, stride, length = sizes[d], strides[d], input.shape[1 + d]
        if same:
            total = max((-(-length // stride) - 1) * stride + size - length, 0)
            pads = [0, 0] * (input.dim() - 2 - d) + [total // 2, total - total // 2]
            input = torch.constant_pad_nd(input, pads, 0)
    x = input
    for d in range(3):
        x = x.unfold(1 + d, sizes[d], strides[d])
    # [batch, a, b, c, depth, ka, kb, kc] -> the patch and then the depth
    x = x.permute(0, 1, 2, 3, 5, 6, 7, 4)
    return x.reshape(*x.shape[:4], -1)


def extract_volume_patches(input, ksizes, strides, padding, name=None):
    """Patches of volumes, laid out in the last axis (source: `tf.extract_volume_patches`).

    Args:
        input: a tensor [batch, planes, rows, columns, depth] of real numbers.
        ksizes: the size of the patches, [1, planes, rows, columns, 1].
        strides: the distance of their centres, in the same form.
        padding: "VALID" or "SAME".
    """
    if padding not in ("VALID", "SAME"):
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'padding' of \"{padding}\" is not in the list of allowed values: "
            '"SAME", "VALID" [Op:ExtractVolumePatches]',
        )  # fmt: skip
    return _volume_patches(input, ksizes[1:4], strides[1:4], padding == "SAME", name)

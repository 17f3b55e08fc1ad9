"""Slices of the batch of an operator."""

from __future__ import annotations

from torchtf import array_ops
from torchtf.core import nest


def batch_slice(operator, slices):
    """`operator[slices]`: the operator of the matrices that the slices choose.

    Each tensor that the operator is made of is sliced along its own batch axes; where its batch
    broadcasts (a size of 1, or an axis that it lacks), it is taken whole.
    """
    slices = slices if isinstance(slices, tuple) else (slices,)
    return operator if slices == (Ellipsis,) else _sliced(operator, slices, operator.batch_shape)


def _sliced(operator, slices, whole):
    """An operator with the slices of a batch `whole` that its own batch broadcasts to."""
    if not operator._tensor_fields:
        return operator[slices] if operator.batch_shape.rank else operator
    parameters = operator.parameters
    for name, depth in operator._tensor_fields.items():
        value = getattr(operator, name)
        if value is None:
            continue
        depth = depth(operator) if callable(depth) else depth
        parameters[name] = nest.map_structure(
            lambda part, depth=depth: (
                _sliced(part, slices, whole)
                if hasattr(part, "batch_shape_tensor")
                else _slice_tensor(part, depth, slices, whole)
            ),
            value,
        )
    return type(operator)(**parameters)


def _slice_tensor(tensor, depth, slices, whole):
    rank = tensor.shape.rank - depth
    if not rank and whole.rank:
        return tensor
    missing = [1] * (whole.rank - rank)
    if missing:
        tensor = array_ops.reshape(tensor, array_ops.concat([missing, array_ops.shape(tensor)], 0))
    chosen = _fitted(slices, tensor.shape[: whole.rank], whole)
    if not any(item is Ellipsis for item in chosen):
        chosen.append(Ellipsis)
    return tensor[(*chosen, *[slice(None)] * depth)]


def _fitted(slices, own, whole) -> list:
    """The slices with those of axes that broadcast taken whole."""
    place, result = 0, []
    for i, item in enumerate(slices):
        if item is Ellipsis:
            place = -sum(s is not None for s in slices[i + 1 :])
        elif item is not None:
            if own[place] == 1 and whole[place] != 1:
                item = slice(None) if isinstance(item, slice) else 0
            place += 1
        result.append(item)
    return result

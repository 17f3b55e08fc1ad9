"""Making DTensors, taking them apart, and their layouts."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import torch

from torchtf.core import errors, graph, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.tensor import Tensor, is_tensor_type, wrap
from torchtf.experimental.dtensor._layout import Layout, Mesh
from torchtf.experimental.dtensor._tensor import (
    DEVICE_NAME,
    OnMesh,
    ShardedTensor,
    places,
)


class _State(threading.local):
    mesh: Mesh | None = None


_state = _State()


def device_name() -> str:
    """The name of the device of all DTensors (source: `tf.experimental.dtensor.device_name`)."""
    return DEVICE_NAME


def get_default_mesh() -> Mesh | None:
    """The mesh of the `default_mesh` scope, or None."""
    return _state.mesh


@contextlib.contextmanager
def default_mesh(mesh: Mesh):
    """A scope in which what is made of no DTensor is replicated on a mesh.

    Raises:
        ValueError: if `mesh` is no `Mesh`.
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"Expect `mesh` to be `Mesh`, got {type(mesh)}")
    before, _state.mesh = _state.mesh, mesh
    try:
        with OnMesh(mesh):
            yield
    finally:
        _state.mesh = before


run_on = default_mesh


def call_with_layout(fn, layout: Layout | None, *args, **kwargs):
    """`fn(*args, **kwargs)` with its results laid out as `layout` says, if it is not None.

    Raises:
        UnknownError: if the layout does not fit a result.
    """
    if layout is None:
        return fn(*args, **kwargs)
    if graph.state.trace is None:
        with default_mesh(layout.mesh):
            result = fn(*args, **kwargs)
    else:
        result = fn(*args, **kwargs)
    return nest.map_structure(lambda x: relayout(x, layout), result)


def relayout(tensor, layout: Layout, name=None):
    """A tensor with another layout.

    Args:
        tensor: a DTensor, or a regular tensor, which counts as replicated.
        layout: the new one; `MATCH` keeps how an axis is cut.
        name: a name for the op.

    Raises:
        UnknownError: if the layout has another rank, or an axis cannot be cut in equal parts.
    """
    tensor = _tensor(tensor)
    return wrap(torch.ops.torchtf.relayout(_raw(tensor), layout.to_string()))


def relayout_like(tensor, layout_tensor, name=None):
    """A tensor with the layout of another one, as the gradient of `relayout` is.

    Raises:
        UnknownError: if the other one's layout does not fit.
    """
    return wrap(
        torch.ops.torchtf.relayout_like(_raw(_tensor(tensor)), _raw(_tensor(layout_tensor)))
    )


def copy_to_mesh(tensor, layout: Layout, source_layout: Layout | None = None):
    """A regular tensor as a DTensor.

    Args:
        tensor: a tensor or what becomes one.
        layout: the layout.
        source_layout: not used since TensorFlow deprecated it.

    Raises:
        UnknownError: if the layout does not fit the shape.
    """
    return relayout(tensor, layout)


def pack(tensors, layout: Layout):
    """The DTensor that has these components, one for each local device of the mesh.

    Args:
        tensors: tensors of one shape and dtype. Where the layout says that devices hold the same
            part, that of the first counts.
        layout: of the rank of the components.

    Raises:
        RuntimeError: while a function is traced.
        InvalidArgumentError: for another number of components, or another rank.
        UnimplementedError, InternalError: if shapes, or dtypes, differ.
    """
    _eagerly("pack")
    parts = [convert_to_tensor(t) for t in _dense(tensors)]
    count = layout.mesh.num_local_devices()
    if len(parts) != count:
        raise errors.InvalidArgumentError(
            None, None,
            f"The dtensor device {DEVICE_NAME} expected {count} inputs to DTensorPack, but got "
            f"{len(parts)}",
        )  # fmt: skip
    first = parts[0]
    if any(p.dtype is not first.dtype for p in parts):
        raise errors.InternalError(
            None, None, "Components of a PackedTensor must all have the same dtype"
        )
    if any(p.shape != first.shape for p in parts):
        raise errors.UnimplementedError(
            None, None, "Components of a PackedTensor must currently all have the same shape"
        )
    if first.ndim != layout.rank:
        raise errors.InvalidArgumentError(
            None, None,
            "Packed layout should have the same rank as the rank for each component. The rank of "
            f"each component is: {first.ndim}, while layout has rank: {layout.rank}\n"
            f"Layout: {layout.to_string()}",
        )  # fmt: skip
    data = [_numeric(p)._data for p in parts]
    whole = data[0].new_empty(layout.global_shape_from_local_shape(data[0].shape))
    parts_of_devices = list(zip(places(layout, whole.shape), data, strict=True))
    for (_, place), part in reversed(parts_of_devices):
        whole[place] = part
    return wrap(ShardedTensor(whole, layout))


def _dense(tensors):
    from torchtf.sparse import SparseTensor

    sparse = [isinstance(t, SparseTensor) for t in tensors]
    if all(sparse):
        raise NotImplementedError("DTensors of sparse tensors are not supported; use dense ones.")
    if any(sparse):
        raise TypeError("Cannot Pack SparseTensors with Tensors.")
    return tensors


def unpack(tensor) -> list[Tensor]:
    """The components of a DTensor, one for each local device.

    Raises:
        RuntimeError: while a function is traced.
        TypeError: if it is no tensor.
        InvalidArgumentError: if it is a regular tensor.
    """
    _eagerly("unpack")
    if not is_tensor_type(tensor):
        raise TypeError(f"Expecting a Tensor, got {type(tensor)}")
    data = tensor._data
    if not isinstance(data, ShardedTensor):
        raise errors.InvalidArgumentError(
            None, None,
            "DTensorUnpack expects a tensor placed on the DTensor device: "
            f"{DEVICE_NAME}, but input was placed on device: {tensor.device}",
        )  # fmt: skip
    made = []
    for device, place in places(data.placement, data.shape):
        part = data.value[place].detach().clone()
        part._logical_index = int(device.rsplit(":", 1)[-1])
        made.append(wrap(part))
    return made


def fetch_layout(tensor) -> Layout | None:
    """The layout of a DTensor or variable; None for what is no tensor.

    Raises:
        RuntimeError: while a function is traced.
        InvalidArgumentError: for a regular tensor.
    """
    _eagerly("fetch_layout")
    if hasattr(type(tensor), "_tape_read"):
        tensor = tensor.read_value()
    if not is_tensor_type(tensor):
        return None
    if not isinstance(tensor._data, ShardedTensor):
        raise errors.InvalidArgumentError(
            None, None, "FetchLayout expects a tensor placed on the layout device."
        )
    return tensor._data.placement


def check_layout(tensor, layout: Layout) -> None:
    """Checks the layout of a DTensor.

    Raises:
        ValueError: if it is another one.
    """
    found = fetch_layout(tensor)
    if found != layout:
        raise ValueError(f"Layout of tensor: {found}, did not match expected layout: {layout}")


def is_dtensor(tensor) -> bool:
    """Whether a value is a DTensor, or a variable with a layout.

    Raises:
        RuntimeError: while a function is traced.
    """
    _eagerly("is_dtensor")
    if hasattr(type(tensor), "_tape_read"):
        return isinstance(tensor._trace_get(), ShardedTensor)
    return is_tensor_type(tensor) and isinstance(tensor._data, ShardedTensor)


def _eagerly(name: str) -> None:
    if graph.state.trace is not None:
        raise RuntimeError(f"`{name}` must be called eagerly.")


def _tensor(value) -> Tensor:
    return _numeric(convert_to_tensor(value))


def _numeric(tensor: Tensor) -> Tensor:
    if isinstance(tensor._data, np.ndarray):
        raise NotImplementedError(
            "DTensors of strings are not supported; give their numbers in a vocabulary "
            "(tf.lookup) a layout."
        )
    return tensor


def _raw(tensor):
    from torchtf.control_flow import raw

    return raw(tensor) if graph.state.trace is not None else tensor._data

"""`DVariable`: a variable that keeps its layout, and its way into checkpoints."""

from __future__ import annotations

import os
from collections import OrderedDict

import torch

from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor, to_torch
from torchtf.core.tensor import is_fake, to_numpy, wrap
from torchtf.core.tensor_bundle import BundleReader, write_bundle
from torchtf.core.variable import Variable
from torchtf.experimental.dtensor import _api
from torchtf.experimental.dtensor._layout import Layout, Mesh
from torchtf.experimental.dtensor._tensor import ShardedTensor, relaid
from torchtf.train import Checkpoint


class DVariable(Variable):
    """A variable with the layout of its initial value.

    Source: `tf.experimental.dtensor.DVariable`. What is assigned takes that layout.

    Args:
        initial_value: a DTensor; or, with `layout`, a regular tensor; or a callable for one.
        *args, **kwargs: those of `tf.Variable`.
        dtype: the type of its elements.
        layout: the layout; None for that of the DTensor.

    Raises:
        InvalidArgumentError: without a layout, or if it is not that of the DTensor.
    """

    def __init__(self, initial_value, *args, dtype=None, layout: Layout | None = None, **kwargs):
        if callable(initial_value):
            initial_value = initial_value()
        initial_value = convert_to_tensor(initial_value, dtype=dtype)
        data = initial_value._data
        if isinstance(data, ShardedTensor):
            if layout is not None and layout != data.placement:
                raise errors.InvalidArgumentError(
                    None, None,
                    "Conflicting layout are provided for initial value layout "
                    f"({data.placement}) and variable ({layout}).",
                )  # fmt: skip
            layout = data.placement
        elif layout is None:
            raise errors.InvalidArgumentError(
                None, None, "Neither layout nor DTensor initial value are provided."
            )
        self.layout = layout
        self._save_as_bf16 = False
        super().__init__(_api.relayout(initial_value, layout), *args, dtype=dtype, **kwargs)

    def _laid_out(self, data):
        """A value as this variable holds it.

        Raises:
            UnknownError: if it is on another mesh.
        """
        if is_fake(data):
            return data
        if isinstance(data, ShardedTensor) and data.placement.mesh != self.layout.mesh:
            raise errors.UnknownError(
                None, None,
                "'tf_device.cluster' op failed during mesh propagation. The variable is on "
                f"{self.layout.mesh.to_string()}, the value on {data.placement.mesh.to_string()}",
            )  # fmt: skip
        same = isinstance(data, ShardedTensor) and data.placement == self.layout
        return data if same else relaid(data.detach(), self.layout)

    def _store(self, data):
        return super()._store(self._laid_out(data))

    def _trace_set(self, value) -> None:
        super()._trace_set(self._laid_out(value))

    @property
    def save_as_bf16(self) -> bool:
        """Whether checkpoints hold a float32 variable as bfloat16."""
        return self._save_as_bf16

    @save_as_bf16.setter
    def save_as_bf16(self, save_as_bf16: bool) -> None:
        self._save_as_bf16 = save_as_bf16 and self._value.dtype is torch.float32

    def _checkpoint_value(self):
        value = self._value.value
        return value.bfloat16() if self._save_as_bf16 else value


def enable_save_as_bf16(variables) -> None:
    """Has checkpoints hold the float32 `DVariable`s among some variables as bfloat16."""
    for v in variables:
        if isinstance(v, DVariable):
            v.save_as_bf16 = True


class DTensorCheckpoint(Checkpoint):
    """A `tf.train.Checkpoint`, which saves DTensors, too.

    Source: `tf.experimental.dtensor.DTensorCheckpoint`.

    Args:
        mesh: the mesh of the variables.
        root, **kwargs: what to save.

    Raises:
        ValueError: if `mesh` is no `Mesh`, or an object cannot be saved.
    """

    def __init__(self, mesh: Mesh, root=None, **kwargs):
        if not isinstance(mesh, Mesh):
            raise ValueError(f"Expect `mesh` to be `Mesh`, got {type(mesh)}")
        super().__init__(root, **kwargs)


def sharded_save(mesh: Mesh, file_prefix, tensor_names, shape_and_slices, tensors) -> None:
    """Writes tensors under their names into a checkpoint.

    Args:
        mesh: the mesh of the tensors.
        file_prefix: the path of the checkpoint.
        tensor_names: a name for each tensor.
        shape_and_slices: an empty string for each tensor: whole tensors are saved.
        tensors: DTensors or variables.

    Raises:
        NotImplementedError: for slices.
    """
    if any(_text(s) for s in shape_and_slices):
        raise NotImplementedError("sharded_save writes whole tensors; give '' as shape_and_slices.")
    names = [_text(n) for n in tensor_names]
    arrays = {n: to_numpy(_global(t)) for n, t in zip(names, tensors, strict=True)}
    write_bundle(_text(file_prefix), arrays)


def name_based_save(mesh: Mesh, checkpoint_prefix, name_tensor_dict) -> None:
    """Writes a dict of DTensors by names into a checkpoint (see `sharded_save`)."""
    names, tensors = list(name_tensor_dict), list(name_tensor_dict.values())
    sharded_save(mesh, checkpoint_prefix, names, [""] * len(names), tensors)


def name_based_restore(mesh: Mesh, checkpoint_prefix, name_tensor_dict) -> OrderedDict:
    """Reads tensors by names from a checkpoint.

    Args:
        mesh: the mesh of the tensors.
        checkpoint_prefix: the path of the checkpoint.
        name_tensor_dict: for each name a DTensor or variable with the layout to restore to.

    Returns:
        An ordered dict of new DTensors.

    Raises:
        ValueError: if one of the tensors has no layout, or is not on CPUs.
        NotFoundError: if a name is not in the checkpoint.
    """
    layouts = {}
    for name, tensor in name_tensor_dict.items():
        if not _api.is_dtensor(tensor):
            raise ValueError("Saving/Restoring tensor must be a DTensor")
        layouts[name] = _api.fetch_layout(tensor)
        if layouts[name].mesh.device_type() != "CPU":
            raise ValueError(
                "Restoring a non CPU Tensor is not supported currently. Offending tensor name : "
                f"{name}"
            )
    reader = BundleReader(_text(checkpoint_prefix))
    return OrderedDict(
        (name, wrap(relaid(to_torch(reader.get_tensor(name)), layout)))
        for name, layout in layouts.items()
    )


def _text(value) -> str:
    """A string, or a tensor of one."""
    value = value.numpy() if hasattr(value, "numpy") else value
    return value.decode() if isinstance(value, bytes) else os.fspath(value)


def _global(tensor):
    """The whole value of a DTensor, variable or regular tensor."""
    data = to_torch(tensor).detach()
    return data.value if isinstance(data, ShardedTensor) else data

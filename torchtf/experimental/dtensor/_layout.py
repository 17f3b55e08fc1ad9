"""`Mesh` and `Layout`: named dimensions of devices, and which of them each axis is cut along.

Both are values: equal if their texts are, which are TensorFlow's (`to_string`, `from_string`).
"""

from __future__ import annotations

import enum
import itertools
import math
from collections import namedtuple

import numpy as np

from torchtf.core.proto_types import LayoutProto, MeshProto
from torchtf.device_spec import DeviceSpec

UNSHARDED = "unsharded"
MATCH = "match"

MeshDimension = namedtuple("MeshDimension", ["name", "size"])


class LayoutType(enum.Enum):
    """The kinds of layouts (source: the type of `tf.experimental.dtensor.Layout.type`)."""

    STATIC = 1
    PARTED = 2
    SINGLE_DEVICE = 3

    def __repr__(self):
        return f"<LayoutType.{self.name}: {self.value}>"


class _Text:
    """A value that its text tells: equality, hash, pickling."""

    def to_string(self) -> str:
        raise NotImplementedError

    @classmethod
    def from_string(cls, text: str):
        raise NotImplementedError

    def __eq__(self, other):
        return self.to_string() == other.to_string() if type(other) is type(self) else False

    def __hash__(self):
        return hash(self.to_string())

    def __repr__(self):
        return f"{type(self).__name__}.from_string({self.to_string()})"

    def __reduce__(self):
        return type(self).from_string, (self.to_string(),)


class Mesh(_Text):
    """Devices in an array whose axes have names (source: `tf.experimental.dtensor.Mesh`).

    Args:
        dim_names: the names of the axes.
        global_device_ids: an array of that many axes with consecutive numbers of devices.
        local_device_ids: a list of the numbers of the devices of this process.
        local_devices: their names or `tf.DeviceSpec`s, in the same order.
        mesh_name: a name.
        global_devices: the names of all devices.
        use_xla_spmd: only False: it is for TPUs.

    Raises:
        ValueError: if these do not fit together.
    """

    def __init__(
        self,
        dim_names,
        global_device_ids,
        local_device_ids,
        local_devices,
        mesh_name: str = "",
        global_devices=None,
        use_xla_spmd: bool = False,
    ):
        if not isinstance(global_device_ids, np.ndarray):
            raise ValueError("Variable global_device_ids must be an ndarray.")
        if global_device_ids.size == 0:
            raise ValueError("Variable global_device_ids must be non-empty.")
        numbers = global_device_ids.ravel()
        if (np.diff(numbers) != 1).any():
            raise ValueError(f"global_device_ids must sequentially increase: {global_device_ids}")
        if len(dim_names) != global_device_ids.ndim:
            raise ValueError("Number of mesh dimensions does not match number of dimension names.")
        if not isinstance(local_device_ids, list):
            raise ValueError("Variable local_device_ids must be a list of integers.")
        if not isinstance(local_devices, list):
            raise ValueError("Variable local_devices must be a list of DeviceSpecs.")
        if global_devices and not isinstance(global_devices, list):
            raise ValueError("Variable global_devices must be a list of DeviceSpecs.")
        if not local_devices and not global_devices:
            raise ValueError("Empty list of devices not allowed.")
        specs = [_device_spec(d) for d in local_devices]
        names = [d.to_string() if isinstance(d, DeviceSpec) else d for d in local_devices]
        only_host = len(set(names)) == 1 and specs[0].device_type == "CPU"
        if not only_host and len(set(names)) != len(names):
            again = [d for d in local_devices if local_devices.count(d) > 1]
            raise ValueError(f"Duplicate devices found in mesh specification {again}.")
        if len(local_device_ids) != len(local_devices):
            raise ValueError("Variable local_device_ids does not have same size as local_devices.")
        if len(local_device_ids) > numbers.size:
            raise ValueError("Cannot have more local than gobal device IDs.")
        kinds = {s.device_type for s in specs or map(_device_spec, global_devices)}
        if None in kinds:
            raise ValueError("device_type is required")
        if len(kinds) > 1:
            raise ValueError(f"Devices containing multiple device_types : {kinds}")
        (self._kind,) = kinds
        if use_xla_spmd:
            raise ValueError(f"XLA SPMD is not currently not supported for {self._kind} mesh.")
        self.name = mesh_name
        self._dims = dict(zip(dim_names, global_device_ids.shape, strict=True))
        self.dim_names = list(dim_names)
        self._shape = list(global_device_ids.shape)
        self._ids = numbers.tolist()
        self._local_ids = list(local_device_ids)
        self._local_devices = names
        self._global_devices = [
            d.to_string() if isinstance(d, DeviceSpec) else d for d in global_devices or []
        ]
        self.single_device = ""

    @classmethod
    def from_device(cls, device: str) -> Mesh:
        """A mesh of one device, without dimensions."""
        mesh = cls.__new__(cls)
        mesh.name, mesh.dim_names, mesh.single_device = "", [], device
        mesh._dims, mesh._shape, mesh._ids, mesh._local_ids = {}, [], [], []
        mesh._local_devices, mesh._global_devices = [], []
        mesh._kind = _device_spec(device).device_type
        return mesh

    @classmethod
    def from_string(cls, mesh_str: str) -> Mesh:
        """The mesh with that text (see `to_string`).

        Raises:
            ValueError: if it is none.
        """
        parts = mesh_str.split("|")
        try:
            if len(parts) == 1:
                return cls.from_device(mesh_str)
            name, dims, ids, local_ids, devices, *rest = parts
            pairs = [d.split("=") for d in dims.split(",")]
            shape = [int(size) for _, size in pairs]
            return cls(
                [n for n, _ in pairs],
                np.array([int(i) for i in ids.split(",")]).reshape(shape),
                [int(i) for i in local_ids.split(",")],
                devices.split(","),
                name,
                rest[0].split(",") if rest else None,
            )
        except (ValueError, IndexError):
            raise ValueError(f"Input string is invalid: {mesh_str}") from None

    def to_string(self) -> str:
        """Its text: name, dimensions, numbers of all and of the local devices, their names."""
        if self.single_device:
            return self.single_device
        dims = ",".join(f"{n}={s}" for n, s in zip(self.dim_names, self._shape, strict=True))
        lists = [self._ids, self._local_ids, self._local_devices]
        if self._global_devices:
            lists.append(self._global_devices)
        return "|".join([self.name, dims, *(",".join(map(str, part)) for part in lists)])

    @classmethod
    def from_proto(cls, proto) -> Mesh:
        """The mesh that a `MeshProto` describes."""
        if proto.single_device:
            return cls.from_device(proto.single_device)
        return cls(
            [d.name for d in proto.mesh_dimensions],
            np.array(proto.global_device_ids).reshape([d.size for d in proto.mesh_dimensions]),
            list(proto.local_device_ids),
            list(proto.local_devices),
            proto.name,
            list(proto.global_devices) or None,
        )

    def as_proto(self):
        """This mesh as a `MeshProto`."""
        proto = MeshProto(
            name=self.name, global_device_ids=self._ids, local_device_ids=self._local_ids,
            local_devices=self._local_devices, global_devices=self._global_devices,
            single_device=self.single_device,
        )  # fmt: skip
        for name, size in zip(self.dim_names, self._shape, strict=True):
            proto.mesh_dimensions.add(name=name, size=size)
        return proto

    # -- what it is

    @property
    def size(self) -> int:
        return math.prod(self._shape)

    def shape(self) -> list[int]:
        return list(self._shape)

    def device_type(self) -> str:
        return self._kind

    def is_remote(self) -> bool:
        return not self._local_ids and not self.single_device

    def is_single_device(self) -> bool:
        return bool(self.single_device)

    def use_xla_spmd(self) -> bool:
        return False

    def contains_dim(self, dim_name: str) -> bool:
        return dim_name in self._dims

    __contains__ = contains_dim

    def dim_size(self, dim_name: str) -> int:
        """How many devices there are along a dimension.

        Raises:
            ValueError: if there is none of that name.
        """
        if dim_name not in self._dims:
            raise ValueError(
                f"Dimension {dim_name} does not exist in mesh.Available dimensions: "
                + ",".join(self.dim_names)
            )
        return self._dims[dim_name]

    def __getitem__(self, dim_name: str) -> MeshDimension:
        return MeshDimension(dim_name, self.dim_size(dim_name))

    # -- its devices

    def global_device_ids(self) -> np.ndarray:
        return np.array(self._ids, np.int64).reshape(self._shape)

    def min_global_device_id(self) -> int:
        return min(self._ids)

    def local_device_ids(self) -> list[int]:
        return list(self._local_ids)

    def local_devices(self) -> list[str]:
        return list(self._local_devices)

    def global_devices(self) -> list[str]:
        return list(self._global_devices)

    def num_local_devices(self) -> int:
        return len(self._local_devices)

    def unravel_index(self) -> dict[int, dict[str, int]]:
        """The place along each dimension, for each number of a device."""
        places = itertools.product(*map(range, self._shape))
        return {i: dict(zip(self.dim_names, p, strict=True)) for i, p in enumerate(places)}

    def local_device_locations(self) -> list[dict[str, int]]:
        """The places of the local devices."""
        places = self.unravel_index()
        return [places[i] for i in self._local_ids]

    def device_location(self, device_id: int) -> list[int]:
        """The place of one device along each dimension."""
        place = self.unravel_index()[device_id - self._ids[0]]
        return [place[name] for name in self.dim_names]

    @property
    def strides(self) -> list[int]:
        """How far apart in number neighbours along each dimension are."""
        return [math.prod(self._shape[i + 1 :]) for i in range(len(self._shape))]

    def coords(self, device_idx: int):
        """The place of a device as an int32 tensor."""
        from torchtf.core.convert import convert_to_tensor

        strides = convert_to_tensor(self.strides)
        return (device_idx // strides) % convert_to_tensor(self._shape)

    def host_mesh(self) -> Mesh:
        """The CPUs that feed the devices: this mesh, if it is one of CPUs."""
        if self._kind == "CPU":
            return self
        hosts = [
            _device_spec(d).replace(device_type="CPU", device_index=i).to_string()
            for i, d in enumerate(self._local_devices)
        ]
        return Mesh(self.dim_names, self.global_device_ids(), self._local_ids, hosts, self.name)


def _device_spec(device) -> DeviceSpec:
    return device if isinstance(device, DeviceSpec) else DeviceSpec.from_string(device)


class Layout(_Text):
    """Along which dimension of a mesh each axis of a tensor is cut.

    Source: `tf.experimental.dtensor.Layout`.

    Args:
        sharding_specs: for each axis the name of a mesh dimension, `UNSHARDED`, or (for
            `relayout` only) `MATCH`.
        mesh: the mesh.

    Raises:
        ValueError: for an unknown dimension, or one that is used twice.
    """

    type = LayoutType.STATIC

    def __init__(self, sharding_specs, mesh: Mesh):
        if not isinstance(mesh, Mesh):
            raise ValueError("mesh is not a valid Mesh object.")
        specs = list(sharding_specs)
        for spec in specs:
            if spec in (UNSHARDED, MATCH):
                continue
            if specs.count(spec) > 1:
                raise ValueError(
                    f"Mesh dimension {spec} was repeated in sharding specification "
                    f"{sharding_specs}. Mesh dimensions must be unique in a layout."
                )
            if spec not in mesh:
                raise ValueError(
                    f"{spec}: A dimension sharding must either be a valid mesh dimension or "
                    "UNSHARDED."
                )
        self.sharding_specs = specs
        self.mesh = mesh

    @classmethod
    def replicated(cls, mesh: Mesh, rank: int) -> Layout:
        """The layout of a tensor that every device holds in whole."""
        return cls([UNSHARDED] * rank, mesh)

    @classmethod
    def batch_sharded(cls, mesh: Mesh, batch_dim: str, rank: int, axis: int = 0) -> Layout:
        """The layout of a tensor that is cut along one axis.

        Raises:
            ValueError: if `axis` is none of the axes, or `batch_dim` no dimension of the mesh.
        """
        if not 0 <= axis < rank:
            raise ValueError(f"axis must be in [0, {rank}), got {axis}.")
        return cls([batch_dim if i == axis else UNSHARDED for i in range(rank)], mesh)

    @classmethod
    def inner_sharded(cls, mesh: Mesh, inner_dim: str, rank: int) -> Layout:
        """The layout of a tensor that is cut along its last axis."""
        return cls.batch_sharded(mesh, inner_dim, rank, axis=rank - 1)

    @classmethod
    def from_single_device_mesh(cls, mesh: Mesh) -> Layout:
        """The layout of a tensor on the device of a mesh of one.

        Raises:
            ValueError: if the mesh is not one of `Mesh.from_device`.
        """
        if not mesh.is_single_device():
            raise ValueError("type is single device, but mesh is not single device")
        layout = cls([], mesh)
        layout.type = LayoutType.SINGLE_DEVICE
        return layout

    @classmethod
    def from_device(cls, device: str) -> Layout:
        """The layout of a tensor on one device."""
        return cls.from_single_device_mesh(Mesh.from_device(device))

    @classmethod
    def from_string(cls, layout_str: str) -> Layout:
        """The layout with that text (see `to_string`).

        Raises:
            ValueError: if it is none.
        """
        head, found, mesh = layout_str.partition(" mesh:")
        kind, _, specs = head.partition(":")
        if not found or kind not in ("sharding_specs", "parted", "maximal"):
            raise ValueError(f"Input string is invalid: {layout_str}")
        if kind == "maximal":
            return cls.from_single_device_mesh(Mesh.from_string(mesh))
        layout = cls([s for s in specs.split(",") if s], Mesh.from_string(mesh))
        return layout.to_parted() if kind == "parted" else layout

    def to_string(self) -> str:
        """Its text: a spec for each axis, and the mesh's text."""
        if self.type is LayoutType.SINGLE_DEVICE:
            return f"maximal:true, mesh:{self.mesh.to_string()}"
        kind = "parted" if self.type is LayoutType.PARTED else "sharding_specs"
        specs = "".join(f"{s}," for s in self.sharding_specs)
        return f"{kind}:{specs} mesh:{self.mesh.to_string()}"

    @classmethod
    def from_proto(cls, layout_proto) -> Layout:
        """The layout that a `LayoutProto` describes."""
        mesh = Mesh.from_proto(layout_proto.mesh_config)
        if layout_proto.type == LayoutType.SINGLE_DEVICE.value:
            return cls.from_single_device_mesh(mesh)
        layout = cls([s.sharding_spec for s in layout_proto.sharding_specs], mesh)
        return layout.to_parted() if layout_proto.type == LayoutType.PARTED.value else layout

    def as_proto(self):
        """This layout as a `LayoutProto`."""
        proto = LayoutProto(mesh_config=self.mesh.as_proto(), type=self.type.value)
        for spec in self.sharding_specs:
            proto.sharding_specs.add(sharding_spec=spec)
        return proto

    def to_parted(self) -> Layout:
        """The same, marked as one whose cut axes are independent of each other."""
        layout = Layout(self.sharding_specs, self.mesh)
        layout.type = LayoutType.PARTED
        return layout

    def delete(self, dims) -> Layout:
        """The layout without some axes, given as a number or a list of numbers."""
        dims = dims if isinstance(dims, list) else [dims]
        return Layout([s for i, s in enumerate(self.sharding_specs) if i not in dims], self.mesh)

    # -- what it is

    @property
    def rank(self) -> int:
        return len(self.sharding_specs)

    @property
    def shape(self) -> list[int]:
        """The shape of the mesh."""
        return self.mesh.shape()

    def is_fully_replicated(self) -> bool:
        return all(s == UNSHARDED for s in self.sharding_specs)

    def is_batch_parallel(self) -> bool:
        """Whether no axis but the first is cut."""
        return all(s == UNSHARDED for s in self.sharding_specs[1:])

    def is_single_device(self) -> bool:
        return self.type is LayoutType.SINGLE_DEVICE

    def num_shards(self, idx: int) -> int:
        """Into how many parts an axis is cut."""
        spec = self.sharding_specs[idx]
        return 1 if spec in (UNSHARDED, MATCH) else self.mesh.dim_size(spec)

    def _counts(self) -> list[int]:
        return [self.num_shards(i) for i in range(self.rank)]

    def local_shape_from_global_shape(self, global_shape) -> tuple[int, ...]:
        """The shape of a component of a tensor."""
        return tuple(n // c for n, c in zip(global_shape, self._counts(), strict=True))

    def global_shape_from_local_shape(self, local_shape) -> tuple[int, ...]:
        """The shape of a tensor that has components of a shape."""
        return tuple(n * c for n, c in zip(local_shape, self._counts(), strict=True))

    def offset_to_shard(self) -> list[tuple[int, ...]]:
        """Which part along each axis a device holds, for each device."""
        return [
            tuple(0 if s == UNSHARDED else place[s] for s in self.sharding_specs)
            for place in self.mesh.unravel_index().values()
        ]

    def offset_tuple_to_global_index(self, offset_tuple) -> int:
        """The number of a part, row by row, of its places along the axes."""
        index = 0
        for offset, count in zip(offset_tuple, self._counts(), strict=True):
            index = index * count + offset
        return index

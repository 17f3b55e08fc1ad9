"""`tf.Variable.SaveSliceInfo`: which part of a larger variable one is, in a checkpoint."""

from __future__ import annotations


class SaveSliceInfo:
    """A part of a partitioned variable (source: `tf.Variable.SaveSliceInfo`).

    Args:
        full_name: the name of the whole.
        full_shape: its shape.
        var_offset: where the part begins.
        var_shape: the shape of the part.
        save_slice_info_def: a proto with these instead.
        import_scope: what is put before the name of the proto.
    """

    def __init__(
        self, full_name=None, full_shape=None, var_offset=None, var_shape=None,
        save_slice_info_def=None, import_scope=None,
    ):  # fmt: skip
        given = save_slice_info_def
        if given is not None:
            full_name = f"{import_scope}/{given.full_name}" if import_scope else given.full_name
            full_shape, var_offset, var_shape = (
                list(part) for part in (given.full_shape, given.var_offset, given.var_shape)
            )
        self.full_name = full_name
        self.full_shape = full_shape
        self.var_offset = var_offset
        self.var_shape = var_shape

    @property
    def spec(self) -> str:
        """The shape of the whole and the extents of the part, as checkpoints name slices."""
        extents = zip(self.var_offset, self.var_shape, strict=True)
        return " ".join([
            *map(str, self.full_shape), ":".join(f"{begin},{size}" for begin, size in extents)
        ])  # fmt: skip

    @classmethod
    def from_spec(cls, spec: str) -> SaveSliceInfo:
        """The inverse of `spec`; the name stays empty."""
        *full, extents = spec.split(" ")
        pairs = [tuple(map(int, pair.split(","))) for pair in extents.split(":")]
        return cls("", [int(s) for s in full], [p[0] for p in pairs], [p[1] for p in pairs])

    def to_proto(self, export_scope=None):
        """A `SaveSliceInfoDef`; None if the name is outside of `export_scope`."""
        from torchtf.core.proto_types import SaveSliceInfoDef

        name = self.full_name
        if export_scope is not None:
            if not name.startswith(export_scope):
                return None
            name = name.removeprefix(export_scope).lstrip("/")
        return SaveSliceInfoDef(
            full_name=name, full_shape=self.full_shape, var_offset=self.var_offset,
            var_shape=self.var_shape,
        )  # fmt: skip

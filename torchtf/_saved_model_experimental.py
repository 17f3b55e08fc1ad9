"""`tf.saved_model.experimental`."""

from __future__ import annotations

import enum
import os

from torchtf.core import errors
from torchtf.core.proto_types import FingerprintDef


class VariablePolicy(enum.Enum):
    """How variables are saved (source: `tf.saved_model.experimental.VariablePolicy`)."""

    NONE = None
    SAVE_VARIABLE_DEVICES = "save_variable_devices"
    EXPAND_DISTRIBUTED_VARIABLES = "expand_distributed_variables"


_FIELDS = (
    "saved_model_checksum", "graph_def_program_hash", "signature_def_hash",
    "saved_object_graph_hash", "checkpoint_hash", "version",
)  # fmt: skip


class Fingerprint:
    """Hashes of the parts of a SavedModel (source: `tf.saved_model.experimental.Fingerprint`).

    Args:
        saved_model_checksum, graph_def_program_hash, signature_def_hash, saved_object_graph_hash,
            checkpoint_hash, version: numbers, as `fingerprint.pb` holds them.
    """

    def __init__(
        self, saved_model_checksum=None, graph_def_program_hash=None, signature_def_hash=None,
        saved_object_graph_hash=None, checkpoint_hash=None, version=None,
    ):  # fmt: skip
        self.saved_model_checksum = saved_model_checksum
        self.graph_def_program_hash = graph_def_program_hash
        self.signature_def_hash = signature_def_hash
        self.saved_object_graph_hash = saved_object_graph_hash
        self.checkpoint_hash = checkpoint_hash
        self.version = version

    @classmethod
    def from_proto(cls, proto) -> Fingerprint:
        """Of a `FingerprintDef`, or its serialized form."""
        if isinstance(proto, bytes):
            proto = FingerprintDef.FromString(proto)
        *hashes, _ = [getattr(proto, f) for f in _FIELDS]
        return cls(*hashes, proto.version)

    def singleprint(self) -> str:
        """One string that identifies the model regardless of how it was written.

        Raises:
            ValueError: if a part is missing.
        """
        parts = [getattr(self, f) for f in _FIELDS[1:5]]
        if None in parts:
            raise ValueError("a singleprint needs all hashes of the fingerprint")
        return "/".join(map(str, parts))

    def __eq__(self, other):
        if not isinstance(other, Fingerprint):
            return False
        return all(getattr(self, f) == getattr(other, f) for f in _FIELDS[:-1])

    def __hash__(self):
        return hash(tuple(getattr(self, f) for f in _FIELDS[:-1]))

    def __str__(self):
        lines = [f"  {f}: {getattr(self, f)}" for f in _FIELDS[:-1]]
        return "\n".join(["SavedModel Fingerprint", *lines, ""])

    def __repr__(self):
        parts = ", ".join(f"{f}={getattr(self, f)}" for f in _FIELDS)
        return f"Fingerprint({parts})"


def read_fingerprint(export_dir) -> Fingerprint:
    """The fingerprint that lies in a SavedModel's folder
    (source: `tf.saved_model.experimental.read_fingerprint`).

    Raises:
        FileNotFoundError: if there is none.
    """
    path = os.path.join(os.fspath(export_dir), "fingerprint.pb")
    if not os.path.exists(path):
        raise FileNotFoundError(f"SavedModel Fingerprint Error: no fingerprint at {export_dir}.")
    with open(path, "rb") as f:
        try:
            return Fingerprint.from_proto(f.read())
        except Exception as e:
            raise errors.DataLossError(None, None, f"{path} is no fingerprint: {e}") from e


class TrackableResource:
    """An object that makes a resource when it is first asked for it
    (source: `tf.saved_model.experimental.TrackableResource`).

    A subclass implements `_create_resource`, which returns the resource, and may implement
    `_initialize` and `_destroy_resource`.
    """

    def __init__(self, *args, **kwargs):
        self._resource = None

    def _create_resource(self):
        raise NotImplementedError("TrackableResource._create_resource not implemented.")

    def _initialize(self):
        """Fills a resource that was just made."""

    def _destroy_resource(self):
        """Releases the resource."""

    @property
    def resource_handle(self):
        """The resource."""
        if self._resource is None:
            self._resource = self._create_resource()
            self._initialize()
        return self._resource

"""`tf.DeviceSpec`: the parts of a device's name."""

from __future__ import annotations

_ATTRIBUTES = ("job", "replica", "task", "device_type", "device_index")


class DeviceSpec:
    """A possibly partial name of a device (source: `tf.DeviceSpec`).

    Args:
        job: the name of the job, e.g. "worker".
        replica, task: numbers.
        device_type: "CPU" or "GPU", in any case.
        device_index: a number.
    """

    __slots__ = tuple(f"_{a}" for a in _ATTRIBUTES)

    def __init__(self, job=None, replica=None, task=None, device_type=None, device_index=None):
        self._job = None if job is None else str(job)
        self._replica = None if replica is None else int(replica)
        self._task = None if task is None else int(task)
        self._device_type = None if device_type is None else str(device_type).upper()
        self._device_index = None if device_index is None else int(device_index)

    job = property(lambda self: self._job)
    replica = property(lambda self: self._replica)
    task = property(lambda self: self._task)
    device_type = property(lambda self: self._device_type)
    device_index = property(lambda self: self._device_index)

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        """The spec that a string such as "/job:ps/task:1/device:GPU:0" or "/gpu:0" stands for.

        Raises:
            ValueError: if it is no such string.
        """
        found: dict = {}
        for part in spec.split("/"):
            pieces = part.split(":")
            kind = pieces[0]
            if not part:
                continue
            if kind in ("job", "replica", "task") and len(pieces) == 2:
                found[kind] = pieces[1]
            elif kind == "device" and len(pieces) in (2, 3):
                found["device_type"] = pieces[1]
                if len(pieces) == 3 and pieces[2] != "*":
                    found["device_index"] = pieces[2]
            elif kind.upper() in ("CPU", "GPU", "TPU") and len(pieces) == 2:
                if "device_type" in found:
                    raise ValueError(
                        f"Multiple device types are not allowed while parsing: {spec!r}"
                    )
                found["device_type"] = kind
                if pieces[1] != "*":
                    found["device_index"] = pieces[1]
            else:
                raise ValueError(
                    f"Unknown attribute '{part}' is encountered while parsing the device spec: "
                    f"'{spec}'."
                )
        return cls(**found)

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """As `from_string`."""
        return self.from_string(spec)

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        """This spec with what `dev` says on top."""
        return DeviceSpec(**{
            a: getattr(self if getattr(dev, a) is None else dev, a) for a in _ATTRIBUTES
        })  # fmt: skip

    def replace(self, **kwargs) -> DeviceSpec:
        """This spec with other parts."""
        return DeviceSpec(**{**dict(zip(_ATTRIBUTES, self._key(), strict=True)), **kwargs})

    def to_string(self) -> str:
        """The name, e.g. "/job:ps/device:CPU:0"."""
        parts = [
            f"/{a}:{getattr(self, a)}" for a in _ATTRIBUTES[:3] if getattr(self, a) is not None
        ]
        if self.device_type is not None:
            index = "*" if self.device_index is None else self.device_index
            parts.append(f"/device:{self.device_type}:{index}")
        return "".join(parts)

    def _key(self) -> tuple:
        return tuple(getattr(self, a) for a in _ATTRIBUTES)

    def __eq__(self, other):
        return type(other) is DeviceSpec and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        parts = ", ".join(f"{a}={getattr(self, a)}" for a in _ATTRIBUTES)
        return f"<DeviceSpec({parts})>"

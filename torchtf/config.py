"""`tf.config`: devices, memory limits, threads and switches."""

from __future__ import annotations

import types

import torch

from torchtf.core import device as _device
from torchtf.function import functions_run_eagerly, run_functions_eagerly

experimental_run_functions_eagerly = run_functions_eagerly
experimental_functions_run_eagerly = functions_run_eagerly


class PhysicalDevice:
    """A device of the machine (source: `tf.config.PhysicalDevice`)."""

    def __init__(self, name: str, device_type: str):
        self.name = name
        self.device_type = device_type

    def __eq__(self, other):
        return type(other) is type(self) and vars(self) == vars(other)

    def __hash__(self):
        return hash((self.name, self.device_type))

    def __repr__(self):
        return f"{type(self).__name__}(name={self.name!r}, device_type={self.device_type!r})"


class LogicalDevice(PhysicalDevice):
    """A device as programs name it: a physical device, or a part of one."""


class LogicalDeviceConfiguration:
    """How a physical device is divided (source: `tf.config.LogicalDeviceConfiguration`).

    Args:
        memory_limit: megabytes of GPU memory; applied through torch's allocator.
        experimental_priority: accepted by TensorFlow for streams; only None is supported.
        experimental_device_ordinal: only None is supported.
    """

    def __init__(
        self, memory_limit=None, experimental_priority=None, experimental_device_ordinal=None
    ):
        if experimental_priority is not None:
            raise NotImplementedError(
                "LogicalDeviceConfiguration(experimental_priority=...) is not supported; torch "
                "streams have priorities: torch.cuda.Stream(priority=...)."
            )
        self.memory_limit = memory_limit
        self.experimental_priority = experimental_priority
        self.experimental_device_ordinal = experimental_device_ordinal

    def __eq__(self, other):
        return type(other) is type(self) and vars(self) == vars(other)

    def __hash__(self):
        return hash(self.memory_limit)

    def __repr__(self):
        return (
            f"LogicalDeviceConfiguration(memory_limit={self.memory_limit}, "
            f"experimental_priority={self.experimental_priority}, "
            f"experimental_device_ordinal={self.experimental_device_ordinal})"
        )


class _Settings:
    """What the program has configured."""

    def __init__(self):
        self.visible: dict[str, list[PhysicalDevice]] = {}
        self.logical: dict[str, list[LogicalDeviceConfiguration]] = {}
        self.growth: dict[str, bool] = {}
        self.initialized = False
        self.soft_placement = True
        self.synchronous = True
        self.jit = ""
        self.options: dict[str, bool] = {}


_settings = _Settings()


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of this machine, of one type ("CPU", "GPU") or all."""
    found = [PhysicalDevice("/physical_device:CPU:0", "CPU")]
    found += [
        PhysicalDevice(f"/physical_device:GPU:{i}", "GPU") for i in range(_device.gpu_count())
    ]
    return [d for d in found if device_type in (None, d.device_type)]


def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices that the program may use."""
    out = []
    for kind in ("CPU", "GPU"):
        out += _settings.visible.get(kind, list_physical_devices(kind))
    return [d for d in out if device_type in (None, d.device_type)]


def set_visible_devices(devices, device_type: str | None = None) -> None:
    """Restricts the program to some devices.

    Raises:
        ValueError: for a device that is not there.
        RuntimeError: if devices are in use already and the choice would change.
    """
    if isinstance(devices, PhysicalDevice):
        devices = [devices]
    known = list_physical_devices()
    for d in devices:
        if d not in known:
            raise ValueError(f"Unrecognized device: {d!r}")
        if device_type is not None and d.device_type != device_type:
            raise ValueError(f"Device {d!r} is not of type {device_type}")
    kinds = [device_type] if device_type else ["CPU", "GPU"]
    for kind in kinds:
        chosen = [d for d in devices if d.device_type == kind]
        if _settings.initialized and chosen != get_visible_devices(kind):
            raise RuntimeError("Visible devices cannot be modified after being initialized")
        _settings.visible[kind] = chosen


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The devices as programs name them: visible ones, divided as configured."""
    _settings.initialized = True
    return [
        LogicalDevice(name, kind)
        for kind in ("CPU", "GPU")
        if device_type in (None, kind)
        for name in logical_device_names(kind)
    ]


def logical_device_names(kind: str) -> list[str]:
    """Names such as `/device:CPU:0` of the logical devices of one type."""
    count = sum(len(_settings.logical.get(d.name, [None])) for d in get_visible_devices(kind))
    return [f"/device:{kind}:{i}" for i in range(count)]


def get_logical_device_configuration(device: PhysicalDevice):
    """How a device is divided, or None.

    Raises:
        ValueError: for a device that is not there.
    """
    _check_known(device)
    return _settings.logical.get(device.name)


def set_logical_device_configuration(device: PhysicalDevice, logical_devices) -> None:
    """Divides a device into logical ones; a GPU's memory limits go to torch's allocator.

    Raises:
        RuntimeError: if devices are in use already.
        ValueError: for limits that do not fit the device.
    """
    _check_known(device)
    if _settings.initialized and _settings.logical.get(device.name) != logical_devices:
        raise RuntimeError("Virtual devices cannot be modified after being initialized")
    if device.device_type == "CPU":
        for configuration in logical_devices:
            if configuration.memory_limit is not None:
                raise ValueError("Setting memory limit on CPU virtual devices is currently not "
                                 "supported")  # fmt: skip
    else:
        index = int(device.name.rsplit(":", 1)[1])
        limits = [c.memory_limit for c in logical_devices if c.memory_limit is not None]
        if len(logical_devices) > 1 and len(limits) < len(logical_devices):
            raise ValueError("Virtual GPUs need a memory limit each")
        if limits:
            total = torch.cuda.get_device_properties(index).total_memory
            fraction = sum(limits) * 2**20 / total
            if fraction > 1:
                raise ValueError(
                    f"The memory limits add up to {sum(limits)} MB, but the GPU has "
                    f"{total // 2**20} MB"
                )
            torch.cuda.set_per_process_memory_fraction(fraction, index)
    _settings.logical[device.name] = list(logical_devices)
    kind = device.device_type
    _device.logical[kind] = [
        int(d.name.rsplit(":", 1)[1])
        for d in get_visible_devices(kind)
        for _ in _settings.logical.get(d.name, [None])
    ]


def _check_known(device):
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")


def get_soft_device_placement() -> bool:
    """Whether an op moves to the CPU when its device does not exist."""
    return _settings.soft_placement


def set_soft_device_placement(enabled: bool) -> None:
    """Turns soft placement on (the default) or off: then a missing device is an error."""
    _settings.soft_placement = bool(enabled)
    _device.soft_placement = bool(enabled)


def experimental_connect_to_cluster(
    cluster_spec_or_resolver, job_name="localhost", task_index=0, protocol=None,
    make_master_device_default=True, cluster_device_filters=None,
):  # fmt: skip
    """Connects to the processes of a cluster.

    Strategies connect when they are made, so this is needed nowhere; it checks its argument.
    """
    if not hasattr(cluster_spec_or_resolver, "cluster_spec") and not hasattr(
        cluster_spec_or_resolver, "as_dict"
    ):
        raise ValueError(
            "`cluster_spec_or_resolver` must be a `ClusterSpec` or a `ClusterResolver`, got "
            f"{cluster_spec_or_resolver!r}"
        )


def experimental_connect_to_host(remote_host=None, job_name="worker"):
    """Not supported: raises NotImplementedError."""
    raise NotImplementedError(
        "tf.config.experimental_connect_to_host: remote eager execution is not supported; start a "
        "process on that host with torchrun and use MultiWorkerMirroredStrategy."
    )


# -- tf.config.optimizer


def _get_jit() -> str:
    return _settings.jit


def _set_jit(enabled) -> None:
    """Turns background compilation of hot functions on ("autoclustering" or True) or off."""
    if enabled not in (True, False, "", "autoclustering"):
        raise ValueError(f"`enabled` must be True, False or 'autoclustering', got {enabled!r}")
    from torchtf.function import jit

    _settings.jit = "autoclustering" if enabled else ""
    jit.set_mode("auto" if enabled else None)


def _get_experimental_options() -> dict:
    return {"disable_model_pruning": False, "disable_meta_optimizer": False} | _settings.options


def _set_experimental_options(options: dict) -> None:
    """Takes Grappler's switches; they are kept and given back, since graphs here have none."""
    if not isinstance(options, dict):
        raise TypeError(f"options must be a dictionary, got {options!r}")
    _settings.options.update(options)


optimizer = types.SimpleNamespace(
    get_jit=_get_jit,
    set_jit=_set_jit,
    get_experimental_options=_get_experimental_options,
    set_experimental_options=_set_experimental_options,
)

# -- tf.config.threading

_threads = {"inter": 0, "intra": 0}


def _set_inter(num_threads: int) -> None:
    torch.set_num_interop_threads(num_threads or torch.get_num_interop_threads())
    _threads["inter"] = num_threads


def _set_intra(num_threads: int) -> None:
    if num_threads:
        torch.set_num_threads(num_threads)
    _threads["intra"] = num_threads


threading = types.SimpleNamespace(
    get_inter_op_parallelism_threads=lambda: _threads["inter"],
    get_intra_op_parallelism_threads=lambda: _threads["intra"],
    set_inter_op_parallelism_threads=_set_inter,
    set_intra_op_parallelism_threads=_set_intra,
)

# -- tf.config.experimental


def _get_device_details(device: PhysicalDevice) -> dict:
    """A GPU's `device_name` and `compute_capability`; nothing for a CPU."""
    if not isinstance(device, PhysicalDevice):
        raise ValueError(f"device must be a tf.config.PhysicalDevice, but got: {device}")
    if device.device_type != "GPU" or device not in list_physical_devices("GPU"):
        return {}
    index = int(device.name.rsplit(":", 1)[1])
    return {
        "device_name": torch.cuda.get_device_name(index),
        "compute_capability": torch.cuda.get_device_capability(index),
    }


def _get_memory_growth(device: PhysicalDevice) -> bool:
    _check_known(device)
    if device.device_type != "GPU":
        raise KeyError(device)
    return _settings.growth.get(device.name, True)


def _set_memory_growth(device: PhysicalDevice, enable: bool) -> None:
    """Chooses between growing on demand (torch's way) and taking all memory at once.

    Raises:
        ValueError: for a device that is no GPU.
        NotImplementedError: for False: torch's allocator always grows on demand.
    """
    _check_known(device)
    if device.device_type != "GPU":
        raise ValueError("Cannot set memory growth on non-GPU and non-Pluggable devices")
    if not enable:
        raise NotImplementedError(
            "set_memory_growth(False): torch's allocator always grows on demand; use "
            "set_logical_device_configuration to limit it."
        )
    _settings.growth[device.name] = True


def _gpu_index(device: str) -> int | None:
    parsed = _device.parse(device)
    return parsed.index if parsed.type == "cuda" else None


def _get_memory_info(device: str) -> dict:
    """Bytes in use now and at the peak; 0 for a CPU."""
    index = _gpu_index(device)
    if index is None:
        return {"current": 0, "peak": 0}
    return {
        "current": torch.cuda.memory_allocated(index),
        "peak": torch.cuda.max_memory_allocated(index),
    }


def _reset_memory_stats(device: str) -> None:
    index = _gpu_index(device)
    if index is None:
        raise ValueError(f"Allocator stats not available for device '{device}'")
    torch.cuda.reset_peak_memory_stats(index)


def _enable_tensor_float_32(enabled: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = bool(enabled)
    torch.backends.cudnn.allow_tf32 = bool(enabled)
    _settings.tf32 = bool(enabled)


def _enable_op_determinism() -> None:
    """Makes ops deterministic, or an error where there is no such kernel."""
    torch.use_deterministic_algorithms(True)


def _set_synchronous(enable: bool) -> None:
    if not enable:
        raise NotImplementedError(
            "set_synchronous_execution(False): CPU ops run at once here; GPU ops are always "
            "asynchronous."
        )


class _ClusterDeviceFilters:
    """Which devices of other tasks a task sees
    (source: `tf.config.experimental.ClusterDeviceFilters`).
    """

    def __init__(self):
        self._filters: dict = {}

    def set_device_filters(self, job_name, task_index, device_filters) -> None:
        """Sets the filters, device strings, of a task.

        Raises:
            TypeError: if they are not a list or tuple.
        """
        if not isinstance(device_filters, (list, tuple)):
            raise TypeError(f"device_filters must be a list, got {device_filters!r}")
        self._filters.setdefault(job_name, {})[task_index] = [str(d) for d in device_filters]


def _set_device_policy(device_policy) -> None:
    """What happens to tensors of two devices in one op: they are copied, silently.

    Raises:
        ValueError: for an unknown policy.
        NotImplementedError: for another policy than that.
    """
    if device_policy not in (None, "silent", "silent_for_int32", "explicit", "warn"):
        raise ValueError(f"Not a valid device policy: {device_policy!r}")
    if device_policy in ("explicit", "warn"):
        raise NotImplementedError(
            f"set_device_policy({device_policy!r}) is not supported: tensors on two devices are "
            "copied to one, silently."
        )


experimental = types.SimpleNamespace(
    ClusterDeviceFilters=_ClusterDeviceFilters,
    get_device_policy=lambda: "silent",
    set_device_policy=_set_device_policy,
    VirtualDeviceConfiguration=LogicalDeviceConfiguration,
    enable_op_determinism=_enable_op_determinism,
    enable_tensor_float_32_execution=_enable_tensor_float_32,
    tensor_float_32_execution_enabled=lambda: getattr(_settings, "tf32", True),
    get_device_details=_get_device_details,
    get_memory_growth=_get_memory_growth,
    set_memory_growth=_set_memory_growth,
    get_memory_info=_get_memory_info,
    get_memory_usage=lambda device: _get_memory_info(device)["current"],
    reset_memory_stats=_reset_memory_stats,
    get_synchronous_execution=lambda: True,
    set_synchronous_execution=_set_synchronous,
    get_virtual_device_configuration=get_logical_device_configuration,
    set_virtual_device_configuration=set_logical_device_configuration,
    get_visible_devices=get_visible_devices,
    set_visible_devices=set_visible_devices,
    list_logical_devices=list_logical_devices,
    list_physical_devices=list_physical_devices,
)

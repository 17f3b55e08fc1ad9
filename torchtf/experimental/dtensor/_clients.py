"""The devices of this process and the meshes over them.

TensorFlow's DTensor runs in one process or in several clients, as `DTENSOR_JOBS` says. Here there
is one: `initialize_accelerator_system` refuses more. The functions that tell of clients read the
same environment variables.
"""

from __future__ import annotations

import os

import numpy as np
import torch

from torchtf import config
from torchtf.device_spec import DeviceSpec
from torchtf.experimental.dtensor._layout import Mesh

_initialized: str | None = None


def jobs() -> list[str]:
    """The addresses of all clients, from `DTENSOR_JOBS`; none in one process.

    Raises:
        ValueError: if Borg addresses are not sorted.
    """
    found = os.environ.get("DTENSOR_JOBS")
    if found is None:
        return []
    names = found.split(",")
    if any(n.startswith("/bns/") for n in names) and names != sorted(names, key=_task):
        raise ValueError(
            f"Unexpected DTENSOR_JOBS content {found}. Sort entries in DTENSOR_JOBS because "
            "cluster construction relies on the order."
        )
    return names


def _task(job: str):
    number = job.rsplit("/")[-1].rsplit(":")[0]
    return int(number) if number.isdigit() else job


def num_clients() -> int:
    """The number of clients."""
    return len(jobs()) or 1


def client_id() -> int:
    """The number of this client, from `DTENSOR_CLIENT_ID`.

    Raises:
        ValueError: if there is none of that number.
    """
    number = int(os.environ.get("DTENSOR_CLIENT_ID", "0"))
    if number < 0:
        raise ValueError(f"Environment variable DTENSOR_CLIENT_ID must be >= 0, got {number}. ")
    if number >= num_clients():
        raise ValueError(
            f"Environment variable DTENSOR_CLIENT_ID must be < {num_clients()}, got {number}"
        )
    return number


def job_name() -> str:
    """The name of the job of all clients, from `DTENSOR_JOB_NAME`."""
    return os.environ.get("DTENSOR_JOB_NAME", "localhost" if num_clients() == 1 else "worker")


def full_job_name(task_id: int | None = None) -> str:
    """The job, replica and task of a client, this one by default.

    Raises:
        ValueError: for another task than 0 in one process.
    """
    if not jobs():
        if task_id not in (None, 0):
            raise ValueError(f"Unexpected task ID {task_id} in local runs")
        return f"{job_name()}/replica:0/task:0"
    return f"{job_name()}/replica:0/task:{client_id() if task_id is None else task_id}"


def heartbeat_enabled() -> bool:
    """Whether `DTENSOR_ENABLE_HEARTBEAT` does not say otherwise."""
    return os.environ.get("DTENSOR_ENABLE_HEARTBEAT", "true").lower() in ("true", "1")


def preferred_device_type() -> str:
    """The type of the devices to prefer: "GPU" if there is one, else "CPU"."""
    return "GPU" if config.list_physical_devices("GPU") else "CPU"


def num_local_devices(device_type: str) -> int:
    """The number of logical devices of a type in this process."""
    kind = device_type.upper()
    return len(config.logical_device_names(kind)) if kind in ("CPU", "GPU") else 0


def num_global_devices(device_type: str) -> int:
    """The number of logical devices of a type in all clients."""
    return num_local_devices(device_type) * num_clients()


def local_devices(device_type: str, for_client_id: int | None = None) -> list[DeviceSpec]:
    """The logical devices of a type.

    Raises:
        ValueError: unless it is "CPU", "GPU" or "TPU".
    """
    if device_type.upper() not in ("CPU", "GPU", "TPU"):
        raise ValueError(f"Device type {device_type} is not CPU, GPU, or TPU.")
    task = client_id() if for_client_id is None else for_client_id
    return [
        DeviceSpec(job_name(), 0, task, device_type, i)
        for i in range(num_local_devices(device_type))
    ]


def initialize_accelerator_system(
    device_type: str | None = None,
    enable_coordination_service: bool | None = True,
    num_logical_cpu_devices: int | None = None,
    experimental_reset_context: bool | None = False,
    experimental_enable_megcore: bool | None = False,
) -> str:
    """Prepares the devices of this process; returns their type.

    Args:
        device_type: "CPU" or "GPU"; `preferred_device_type()` by default.
        enable_coordination_service: of no effect with one client, as in TensorFlow.
        num_logical_cpu_devices: into how many logical devices to divide the CPU.
        experimental_reset_context: whether devices that are in use may be divided anew.
        experimental_enable_megcore: for TPUs.

    Raises:
        ValueError: if it was called before, for an unknown type, or if devices are in use.
        NotImplementedError: for several clients, and for TPUs.
    """
    global _initialized
    if _initialized:
        raise ValueError(
            "Accelerator system has already been initialized. Call "
            "tf.experimental.dtensor.shutdown_accelerator_system() first."
        )
    kind = (device_type or preferred_device_type()).upper()
    if kind not in ("CPU", "GPU", "TPU"):
        raise ValueError(f"Unknown device_type {kind}. Allowed values are CPU, GPU, or TPU")
    if kind == "TPU" or experimental_enable_megcore:
        raise NotImplementedError("There are no TPUs here; use the device type GPU or CPU.")
    if jobs():
        raise NotImplementedError(
            "DTensors over several clients (DTENSOR_JOBS) are not supported; use a mesh over the "
            "devices of one process, or torch.distributed.tensor for one over several."
        )
    if experimental_reset_context:
        config._settings.initialized = False
    if config._settings.initialized:
        raise ValueError(
            "TensorFlow has already been initialized. "
            "tf.experimental.dtensor.initialize_accelerator_system() must be called before "
            "TensorFlow is initialized."
        )
    if kind == "GPU":
        needed = num_local_devices("GPU")
        if num_logical_cpu_devices is None:
            num_logical_cpu_devices = max(num_local_devices("CPU"), needed)
        elif num_logical_cpu_devices < needed:
            raise ValueError(
                f"If set, `num_logical_cpu_devices` (={num_logical_cpu_devices}) must be greater "
                f"than or equal to the number of local GPU devices (={needed})"
            )
    if num_logical_cpu_devices is not None:
        config.set_logical_device_configuration(
            config.list_physical_devices("CPU")[0],
            [config.LogicalDeviceConfiguration()] * num_logical_cpu_devices,
        )
    _initialized = kind
    return kind


def shutdown_accelerator_system() -> None:
    """Undoes `initialize_accelerator_system`.

    Raises:
        ValueError: if that was not called.
    """
    global _initialized
    if _initialized is None:
        raise ValueError(
            "Accelerator system is not initialized. Call "
            "tf.experimental.dtensor.initialize_accelerator_system first."
        )
    config._settings.initialized = False
    _initialized = None


initialize_tpu_system = initialize_multi_client = initialize_accelerator_system
shutdown_tpu_system = shutdown_accelerator_system


def create_mesh(
    mesh_dims=None,
    mesh_name: str = "",
    devices=None,
    device_type: str | None = None,
    use_xla_spmd: bool = False,
) -> Mesh:
    """A mesh over devices of this process (source: `tf.experimental.dtensor.create_mesh`).

    Args:
        mesh_dims: a dict or list of pairs of names and sizes; by default one dimension "x". The
            size of a single dimension may be -1: all devices.
        mesh_name: a name.
        devices: names such as "CPU:0"; all logical devices of the type by default.
        device_type: "CPU" by default, or the type of `devices`.
        use_xla_spmd: only False: it is for TPUs.

    Raises:
        ValueError: if the number or type of the devices does not fit.
    """
    specs = _device_specs(devices, device_type)
    specs = [DeviceSpec(job_name(), 0, 0).make_merged_spec(d) for d in specs]
    dims = list(mesh_dims.items()) if isinstance(mesh_dims, dict) else mesh_dims
    if dims is None:
        dims = [("x", len(specs))]
    elif len(dims) == 1 and dims[0][1] == -1:
        dims = [(dims[0][0], len(specs))]
    shape = [size for _, size in dims]
    if np.prod(shape) != len(specs):
        raise ValueError(
            f"length of devices ({len(specs)}) must be equal to total size of the mesh of shape "
            f"{shape}"
        )
    ids = np.arange(len(specs)).reshape(shape)
    return Mesh(
        [name for name, _ in dims], ids, ids.ravel().tolist(), specs, mesh_name,
        use_xla_spmd=use_xla_spmd,
    )  # fmt: skip


def create_distributed_mesh(
    mesh_dims,
    mesh_name: str = "",
    local_devices=None,
    device_type: str | None = None,
    use_xla_spmd: bool = False,
) -> Mesh:
    """A mesh over the devices of all clients, of which there is one (see `create_mesh`).

    Raises:
        ValueError: before `initialize_accelerator_system`, or if the devices do not fit.
    """
    if _initialized is None:
        raise ValueError(
            "Accelerators are uninitialized, please run "
            "dtensor.initialize_accelerator_system() first."
        )
    dims = list(mesh_dims.items()) if isinstance(mesh_dims, dict) else list(mesh_dims)
    count, shape = len(_device_specs(local_devices, device_type)), [size for _, size in dims]
    if np.prod(shape) != count:
        raise ValueError(
            f"Global number of devices ({count} per client * 1 clients = {count}) must be equal "
            f"to total size of the mesh of shape {tuple(shape)}"
        )
    return create_mesh(dims, mesh_name, local_devices, device_type, use_xla_spmd)


def create_tpu_mesh(
    mesh_dim_names,
    mesh_shape,
    mesh_name: str,
    ring_dims=None,
    ring_axes=None,
    ring_bounds=None,
    can_split_host_across_rings: bool = True,
    build_ring_across_rings: bool = False,
    rotate_ring_across_rings: bool = False,
    use_xla_spmd: bool = False,
):
    """A mesh over TPUs (source: `tf.experimental.dtensor.create_tpu_mesh`).

    Raises:
        NotImplementedError: always; use `create_mesh`.
    """
    raise NotImplementedError("There are no TPUs here; use dtensor.create_mesh over GPUs or CPUs.")


def _device_specs(devices, device_type) -> list[DeviceSpec]:
    if devices is None:
        return local_devices(device_type or "CPU")
    specs = [DeviceSpec.from_string(d) if isinstance(d, str) else d for d in devices]
    if device_type is not None and device_type.upper() != specs[0].device_type:
        raise ValueError(f"Conflicting devices {specs} and device_type {device_type}")
    return specs


def barrier(mesh: Mesh, barrier_name: str | None = None, timeout_in_ms: int | None = None) -> None:
    """Returns when all that was asked of the devices of a mesh is done.

    Args:
        mesh: the mesh.
        barrier_name: for logs of several clients.
        timeout_in_ms: how long to wait for other clients, of which there are none.
    """
    if mesh.device_type() == "GPU":
        for i in range(torch.cuda.device_count()):
            torch.cuda.synchronize(i)

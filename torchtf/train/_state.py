"""The `checkpoint` file of a folder, which names its checkpoints, and functions that read them."""

from __future__ import annotations

import os
import time

from google.protobuf import text_format

from torchtf.core.files import write_atomically
from torchtf.core.log import get_logger
from torchtf.core.proto_types import CheckpointState
from torchtf.core.tensor_bundle import BundleReader, index_path
from torchtf.io.gfile import local_path, translated_errors


def _state_path(folder: str, latest_filename: str | None) -> str:
    return os.path.join(folder, latest_filename or "checkpoint")


def update_checkpoint_state(
    folder: str, latest: str, every: list[str], save_relative_paths: bool = False,
    timestamps: list[float] | None = None, last_preserved: float | None = None,
) -> None:  # fmt: skip
    """Writes which checkpoints a folder holds, and which is the latest."""
    every = list(every) if latest in every else [*every, latest]
    if timestamps is None:
        timestamps = [time.time()] * len(every)

    def shown(path):
        return os.path.relpath(path, folder) if save_relative_paths else path

    state = CheckpointState(
        model_checkpoint_path=shown(latest),
        all_model_checkpoint_paths=[shown(p) for p in every],
        all_model_checkpoint_timestamps=timestamps,
    )
    if last_preserved is not None:
        state.last_preserved_timestamp = last_preserved
    path = _state_path(folder, None)
    with translated_errors(path):
        write_atomically(path, text_format.MessageToString(state).encode())


def get_checkpoint_state(checkpoint_dir, latest_filename=None):
    """The `CheckpointState` of a folder, or None (source: `tf.train.get_checkpoint_state`).

    Args:
        checkpoint_dir: the folder.
        latest_filename: the name of the state file, "checkpoint" by default.
    """
    folder = local_path(checkpoint_dir)
    path = _state_path(folder, latest_filename)
    try:
        with open(path, encoding="utf-8") as f:
            state = text_format.Parse(f.read(), CheckpointState())
    except OSError:
        return None
    except text_format.ParseError as e:
        get_logger().warning("%s: %s", path, e)
        return None
    if not state.model_checkpoint_path:
        raise ValueError(f"Invalid checkpoint state loaded from {checkpoint_dir}")
    state.model_checkpoint_path = os.path.join(folder, state.model_checkpoint_path)
    for i, name in enumerate(state.all_model_checkpoint_paths):
        state.all_model_checkpoint_paths[i] = os.path.join(folder, name)
    return state


def checkpoint_exists(path: str) -> bool:
    return os.path.exists(index_path(path))


def latest_checkpoint(checkpoint_dir, latest_filename=None) -> str | None:
    """The path of the latest checkpoint of a folder, or None.

    Source: `tf.train.latest_checkpoint`.

    Args:
        checkpoint_dir: the folder.
        latest_filename: the name of the state file, "checkpoint" by default.
    """
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if checkpoint_exists(state.model_checkpoint_path):
        return state.model_checkpoint_path
    get_logger().error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
    return None


def load_checkpoint(ckpt_dir_or_file) -> BundleReader:
    """A reader of a checkpoint's tensors (source: `tf.train.load_checkpoint`).

    Args:
        ckpt_dir_or_file: a folder with checkpoints, or the path of one.

    Raises:
        ValueError: if the folder has none.
    """
    path = local_path(ckpt_dir_or_file)
    if os.path.isdir(path):
        found = latest_checkpoint(path)
        if found is None:
            raise ValueError(
                f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}"
            )
        path = found
    return BundleReader(path)


def load_variable(ckpt_dir_or_file, name: str):
    """One tensor of a checkpoint (source: `tf.train.load_variable`).

    Raises:
        NotFoundError: if there is none of that name.
    """
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


def list_variables(ckpt_dir_or_file) -> list[tuple[str, list[int]]]:
    """The names and shapes of a checkpoint's tensors (source: `tf.train.list_variables`)."""
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def checkpoints_iterator(checkpoint_dir, min_interval_secs=0, timeout=None, timeout_fn=None):
    """Yields the path of each new latest checkpoint (source: `tf.train.checkpoints_iterator`).

    Args:
        checkpoint_dir: the folder.
        min_interval_secs: the least time between two.
        timeout: seconds to wait for a new one; None for no limit.
        timeout_fn: called after a timeout; iteration ends when it returns True.
    """
    last = None
    while True:
        found = _wait_for_new(checkpoint_dir, last, timeout)
        if found is None:
            if timeout_fn is None or timeout_fn():
                return
            continue
        start = time.time()
        last = found
        yield found
        rest = start + min_interval_secs - time.time()
        if rest > 0:
            time.sleep(rest)


def _wait_for_new(folder, last, timeout):
    stop = None if timeout is None else time.time() + timeout
    while True:
        found = latest_checkpoint(folder)
        if found is not None and found != last:
            return found
        if stop is not None and time.time() + 1 > stop:
            return None
        time.sleep(1)

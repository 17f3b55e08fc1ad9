"""`tf.train.Checkpoint`: saves the variables of a graph of objects."""

from __future__ import annotations

import os

import numpy as np

from torchtf.core import dtypes, errors
from torchtf.core.files import written_once
from torchtf.core.tensor_bundle import BundleReader, write_bundle
from torchtf.core.variable import Variable
from torchtf.io.gfile import local_path, translated_errors
from torchtf.train import _trackable as trackable
from torchtf.train._restore import CheckpointLoadStatus, InitializationOnlyStatus
from torchtf.train._state import update_checkpoint_state


class CheckpointOptions:
    """How a checkpoint is written (source: `tf.train.CheckpointOptions`).

    Args:
        experimental_io_device: None or this machine ("/job:localhost"): files are local.
        experimental_enable_async_checkpoint: only False.
        experimental_write_callbacks: functions called with the path, or without an argument, after
            the checkpoint is written.
        enable_async: only False.
        experimental_skip_slot_variables: optimizers keep no slot variables apart, so nothing is
            skipped.
        experimental_sharding_callback: only None: a checkpoint has one data file.

    Raises:
        NotImplementedError: for what is not supported.
    """

    def __init__(
        self, experimental_io_device=None, experimental_enable_async_checkpoint=False,
        experimental_write_callbacks=None, enable_async=False,
        experimental_skip_slot_variables=False, experimental_sharding_callback=None,
    ):  # fmt: skip
        for name, given in (
            ("experimental_io_device", experimental_io_device),
            ("experimental_sharding_callback", experimental_sharding_callback),
        ):
            if given is not None and "localhost" not in str(given):
                raise NotImplementedError(
                    f"CheckpointOptions({name}=...) is not supported: a checkpoint is written to "
                    "one local data file; leave it out."
                )
        if enable_async or experimental_enable_async_checkpoint:
            raise NotImplementedError(
                "CheckpointOptions(enable_async=True) is not supported; call Checkpoint.save in a "
                "thread of your own."
            )
        self.experimental_io_device = experimental_io_device
        self.experimental_enable_async_checkpoint = self.enable_async = False
        self.experimental_write_callbacks = experimental_write_callbacks
        self.experimental_skip_slot_variables = experimental_skip_slot_variables
        self.experimental_sharding_callback = None


class Checkpoint:
    """Saves and restores the variables of objects (source: `tf.train.Checkpoint`).

    Args:
        root: an object whose children are saved at the top.
        **kwargs: objects saved under these names.

    Raises:
        ValueError: if an object cannot be saved.
    """

    def __init__(self, root=None, **kwargs):
        self._attached_root = root
        self._save_counter = None
        if root is not None:
            _check_trackable(root, "root")
        for name, value in sorted(kwargs.items()):
            if not _is_savable(value):
                _check_trackable(value, name)
            setattr(self, name, value)

    def _trackable_children(self) -> dict[str, object]:
        found = {k: v for k, v in vars(self).items() if k not in _PRIVATE}
        if self._attached_root is not None:
            root = self._attached_root
            found = trackable.children(root) | found | {"root": root}
        if self._save_counter is not None:
            found["save_counter"] = self._save_counter
        return found

    @property
    def _graph_root(self):
        return self if self._attached_root is None else self._attached_root

    def _graph_children(self) -> dict[str, object]:
        return {k: v for k, v in self._trackable_children().items() if trackable.is_trackable(v)}

    @property
    def save_counter(self) -> Variable:
        """How often `save` was called, an int64 variable."""
        if self._save_counter is None:
            self._save_counter = Variable(
                0, dtype=dtypes.int64, name="save_counter", trainable=False
            )
        return self._save_counter

    # -- saving

    def write(self, file_prefix, options=None) -> str:
        """Writes a checkpoint to exactly this prefix; returns it.

        Raises:
            NotFoundError, PermissionDeniedError, ResourceExhaustedError: if it cannot be written.
        """
        from tensorboard.compat.proto.trackable_object_graph_pb2 import TrackableObjectGraph

        _check_options(options)
        prefix = local_path(file_prefix)
        proto = TrackableObjectGraph()
        arrays: dict[str, np.ndarray] = {}
        for node in trackable.object_graph(self._graph_root, self._graph_children()):
            stored = proto.nodes.add()
            for name, number in node.children:
                stored.children.add(local_name=name, node_id=number)
            for name, array in trackable.values(node.value).items():
                key = trackable.checkpoint_key(node.path, name)
                stored.attributes.add(
                    name=name, full_name=trackable.full_name(node.value), checkpoint_key=key
                )
                arrays[key] = array
        _mark_nodes_with_values(proto)
        graph = np.empty((), dtype=object)
        graph[()] = proto.SerializeToString()
        arrays[trackable.OBJECT_GRAPH_KEY] = graph
        with translated_errors(prefix), written_once() as mine:
            if mine:
                write_bundle(prefix, arrays)
        for callback in (options and options.experimental_write_callbacks) or ():
            _call_back(callback, prefix)
        return prefix

    def save(self, file_prefix, options=None) -> str:
        """Writes a numbered checkpoint and notes it as the latest of its folder.

        Args:
            file_prefix: the path without the number, which follows after a dash.
            options: a `CheckpointOptions`.

        Returns:
            The path of the checkpoint.
        """
        _check_options(options)
        self.save_counter.assign_add(1)
        prefix = local_path(file_prefix)
        path = self.write(f"{prefix}-{int(self.save_counter)}", options)
        with written_once() as mine:
            if mine:
                update_checkpoint_state(
                    os.path.dirname(prefix) or ".", path, [path], save_relative_paths=True
                )
        return path

    # -- restoring

    def read(self, save_path, options=None):
        """Restores a checkpoint that `write` made; see `restore`."""
        _check_options(options)
        path = local_path(save_path)
        try:
            reader = BundleReader(_variables_path(path))
        except errors.NotFoundError as e:
            raise errors.NotFoundError(
                None, None,
                f"Error when restoring from checkpoint or SavedModel at {path}: {e.message}\n"
                "Please double-check that the path is correct. You may be missing the checkpoint "
                "suffix (e.g. the '-1' in 'path/to/ckpt-1').",
            ) from None  # fmt: skip
        return CheckpointLoadStatus(reader, self._graph_root, self._graph_children)

    def restore(self, save_path, options=None):
        """Restores the objects; those made later are restored as they are attached.

        Args:
            save_path: the path of a checkpoint or of a SavedModel, or None, which does nothing.
            options: a `CheckpointOptions`.

        Returns:
            A status with `assert_consumed`, `assert_existing_objects_matched`, `expect_partial`.

        Raises:
            NotFoundError: if there is no such checkpoint.
            ValueError: if a variable has another shape.
        """
        if save_path is None:
            return InitializationOnlyStatus()
        self.save_counter  # noqa: B018  (made now, so that it is restored, too)
        return self.read(save_path, options)

    def sync(self) -> None:
        """Waits for writing to end; checkpoints are written at once."""


_PRIVATE = frozenset({"_attached_root", "_save_counter"})


def _is_savable(value) -> bool:
    return isinstance(value, (list, tuple, dict)) or trackable.is_trackable(value)


def _check_trackable(value, name) -> None:
    if not trackable.is_trackable(value):
        raise ValueError(
            f"`Checkpoint` was expecting {name} to be a trackable object (an object derived from "
            f"`Trackable`), got {value}. If you believe this object should be trackable (i.e. it "
            "is part of the TensorFlow Python API and manages state), please open an issue."
        )


def _check_options(options) -> None:
    if options is not None and not isinstance(options, CheckpointOptions):
        raise TypeError(f"options must be a tf.train.CheckpointOptions, got {options!r}")


def _call_back(callback, path) -> None:
    import inspect

    parameters = inspect.signature(callback).parameters
    callback(path) if parameters else callback()


def _variables_path(path: str) -> str:
    """The prefix of the variables of a SavedModel, or the path itself."""
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        return os.path.join(path, "variables", "variables")
    return path


def _mark_nodes_with_values(proto) -> None:
    """Notes for each node whether anything below it has values, as TensorFlow does."""
    parents: dict[int, list[int]] = {}
    for number, node in enumerate(proto.nodes):
        for child in node.children:
            parents.setdefault(child.node_id, []).append(number)
    queue = [n for n, node in enumerate(proto.nodes) if node.attributes]
    marked = set(queue)
    for number in queue:
        for parent in parents.get(number, ()):
            if parent not in marked:
                marked.add(parent)
                queue.append(parent)
    for number, node in enumerate(proto.nodes):
        node.has_checkpoint_values.value = number in marked

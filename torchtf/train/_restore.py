"""Restoring: matching live objects with a stored object graph, now and as objects are made.

An object that lacks a child which the checkpoint has is watched: when an attribute of that name is
set, the new child is restored at once. A list or dict that is set becomes one whose items are
restored as they come.
"""

from __future__ import annotations

import functools

from torchtf.core.log import get_logger
from torchtf.core.tensor_bundle import BundleReader
from torchtf.train import _trackable as trackable


def stored_graph(reader: BundleReader):
    """The object graph of a checkpoint.

    Raises:
        NotImplementedError: for a TF 1 checkpoint, which has none.
    """
    from tensorboard.compat.proto.trackable_object_graph_pb2 import TrackableObjectGraph

    if not reader.has_tensor(trackable.OBJECT_GRAPH_KEY):
        raise NotImplementedError(
            "The checkpoint has no object graph (TF 1 saved it by variable names); read its "
            "tensors with tf.train.load_checkpoint."
        )
    return TrackableObjectGraph.FromString(reader.get_tensor(trackable.OBJECT_GRAPH_KEY))


class CheckpointLoadStatus:
    """What `Checkpoint.restore` returns: checks how much of the checkpoint was used."""

    def __init__(self, reader: BundleReader, root, root_children):
        self._reader = reader
        self._proto = stored_graph(reader)
        self._root, self._root_children = root, root_children
        self._matched: dict[int, object] = {}  # number in the checkpoint -> object
        self._numbers: dict[int, int] = {}  # id of an object -> number
        self._quiet = False
        self._match(root, 0, root_children())

    # -- matching

    def _match(self, value, number: int, below=None) -> None:
        queue = [(value, number, below)]
        for value, number, below in queue:
            if number in self._matched:
                if self._matched[number] is not value and trackable.values(value):
                    self._restore_value(value, number)
                continue
            self._matched[number] = value
            self._numbers[id(value)] = number
            self._restore_value(value, number)
            below = trackable.children(value) if below is None else below
            missing = {}
            for child in self._proto.nodes[number].children:
                found = below.get(child.local_name)
                if found is None:
                    found = trackable.alias(value, child.local_name)
                if found is not None:
                    queue.append((found, child.node_id, None))
                elif child.node_id not in self._matched:
                    missing[child.local_name] = child.node_id
            if missing:
                _watch(value, self, missing)

    def _restore_value(self, value, number) -> None:
        attributes = self._proto.nodes[number].attributes
        if attributes:
            trackable.restore(
                value, {a.name: self._reader.get_tensor(a.checkpoint_key) for a in attributes}
            )

    def _attached(self, value, number: int) -> None:
        """A child that the checkpoint has was set on a watched object."""
        self._match(value, number)

    # -- checks

    def has_value(self, value) -> bool:
        """Whether an object was restored."""
        return id(value) in self._numbers

    def _unused(self):
        """The first path in the checkpoint with values and without an object."""
        for number, path in trackable.proto_paths(self._proto):
            if self._proto.nodes[number].attributes and number not in self._matched:
                return path
        return None

    def assert_consumed(self) -> CheckpointLoadStatus:
        """Checks that every stored value has an object, and every object a stored value.

        Raises:
            AssertionError: if not.
        """
        self._quiet = True
        for number, path in trackable.proto_paths(self._proto):
            node = self._proto.nodes[number]
            if node.attributes and number not in self._matched:
                raise AssertionError(
                    f"Unresolved object in checkpoint (root){trackable.pretty_path(path)}: {node}"
                )
        return self._assert_objects()

    def _assert_objects(self):
        for node in trackable.object_graph(self._root, self._root_children()):
            if trackable.values(node.value) and id(node.value) not in self._numbers:
                raise AssertionError(
                    f"Object not assigned a value from checkpoint: {node.value!r} "
                    f"({trackable.pretty_path(node.path)})"
                )
        return self

    def assert_existing_objects_matched(self) -> CheckpointLoadStatus:
        """Checks that every object that exists has a stored value.

        Raises:
            AssertionError: if not.
        """
        return self._assert_objects()

    def assert_nontrivial_match(self) -> CheckpointLoadStatus:
        """Checks that anything but the root was matched.

        Raises:
            AssertionError: if not.
        """
        if len(self._matched) <= 1:
            raise AssertionError(
                "Nothing except the root object matched a checkpointed value. Typically this means "
                "that the checkpoint does not match the Python program."
            )
        return self

    def expect_partial(self) -> CheckpointLoadStatus:
        """Silences the warning about values of the checkpoint that were not used."""
        self._quiet = True
        return self

    def run_restore_ops(self, session=None) -> None:
        _no_session(session)

    def initialize_or_restore(self, session=None) -> None:
        _no_session(session)

    def __del__(self):
        if self.__dict__.get("_quiet", True):
            return
        path = self._unused()
        if path is not None:
            get_logger().warning(
                "Value in checkpoint could not be found in the restored object: (root)%s",
                trackable.pretty_path(path),
            )


class InitializationOnlyStatus:
    """What `Checkpoint.restore(None)` returns: there is nothing to restore."""

    def _refuse(self):
        raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")

    def assert_consumed(self):
        self._refuse()

    def assert_existing_objects_matched(self):
        self._refuse()

    def assert_nontrivial_match(self):
        self._refuse()

    def run_restore_ops(self, session=None):
        self._refuse()

    def expect_partial(self) -> InitializationOnlyStatus:
        return self

    def initialize_or_restore(self, session=None) -> None:
        _no_session(session)


def _no_session(session) -> None:
    if session is not None:
        raise NotImplementedError("TF 1 sessions are not supported; leave `session` out.")


def _restoring(method):
    def call(self, *args, **kwargs):
        result = method(self, *args, **kwargs)
        status, number = self._late
        below = trackable.children(self)
        for child in status._proto.nodes[number].children:
            if child.local_name in below and child.node_id not in status._matched:
                status._attached(below[child.local_name], child.node_id)
        return result

    return functools.wraps(method)(call)


class _LateList(list):
    """A list whose items are restored as they come."""

    append, extend, insert = map(_restoring, (list.append, list.extend, list.insert))
    __setitem__, __iadd__ = map(_restoring, (list.__setitem__, list.__iadd__))

    def __repr__(self):
        return f"ListWrapper({list(self)!r})"

    def __reduce__(self):
        return list, (list(self),)


class _LateDict(dict):
    """A dict whose values are restored as they come."""

    __setitem__, update, setdefault = map(
        _restoring, (dict.__setitem__, dict.update, dict.setdefault)
    )

    def __reduce__(self):
        return dict, (dict(self),)


_LATE = {list: _LateList, dict: _LateDict}


def _watch(value, status: CheckpointLoadStatus, missing: dict[str, int]) -> None:
    """Restores children as they are set on `value`, through a subclass of its class.

    Containers cannot be watched: where one was there when the checkpoint was restored, its items
    must have been, too.
    """
    if isinstance(value, (list, tuple, dict)) or not hasattr(value, "__dict__"):
        return
    kind = type(value)

    def __setattr__(self, name, child):
        kind.__setattr__(self, name, child)
        number = missing.get(name)
        if number is None:
            return
        if type(child) in _LATE:
            child = _LATE[type(child)](child)
            child._late = status, number
            kind.__setattr__(self, name, child)
        elif (child := trackable.children(self).get(name)) is None:
            return
        del missing[name]
        if not missing and type(self) is watched:
            object.__setattr__(self, "__class__", kind)
        status._attached(child, number)

    body = {
        "__setattr__": __setattr__, "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
    }  # fmt: skip
    watched = type(kind)(kind.__name__, (kind,), body)
    try:
        object.__setattr__(value, "__class__", watched)
    except TypeError:  # its layout does not allow it
        return

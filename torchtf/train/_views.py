"""`tf.train.CheckpointView` and `tf.train.TrackableView`: looking at object graphs."""

from __future__ import annotations

from torchtf.core.tensor_bundle import BundleReader
from torchtf.io.gfile import local_path
from torchtf.train import _trackable as trackable
from torchtf.train._restore import stored_graph


class TrackableView:
    """The objects under a root (source: `tf.train.TrackableView`)."""

    def __init__(self, root):
        self._root = root

    @property
    def root(self):
        return self._root

    @classmethod
    def children(cls, obj) -> dict[str, object]:
        """The children of an object by name."""
        return trackable.children(obj)

    def descendants(self) -> list:
        """All objects, breadth first."""
        nodes = trackable.object_graph(self._root, trackable.children(self._root))
        return [node.value for node in nodes]


class CheckpointView:
    """The object graph of a checkpoint (source: `tf.train.CheckpointView`).

    Args:
        save_path: the path of the checkpoint.

    Raises:
        NotFoundError: if there is none.
    """

    def __init__(self, save_path):
        self._proto = stored_graph(BundleReader(local_path(save_path)))

    def children(self, node_id: int) -> dict[str, int]:
        """The numbers of a node's children by name."""
        return {c.local_name: c.node_id for c in self._proto.nodes[node_id].children}

    def descendants(self) -> list[int]:
        """The numbers of all nodes, breadth first."""
        return [number for number, _ in trackable.proto_paths(self._proto)]

    def match(self, obj) -> dict[int, object]:
        """The live object of each node that has one, for `obj` as the root."""
        if not trackable.is_trackable(obj):
            raise ValueError(f"Expected a Trackable, got {obj} of type {type(obj)}.")
        matched = {0: obj}
        queue = [0]
        for number in queue:
            below = trackable.children(matched[number])
            for name, child in self.children(number).items():
                if name in below and child not in matched:
                    matched[child] = below[name]
                    queue.append(child)
        return matched

    def diff(self, obj) -> tuple[dict[int, object], list[int], list]:
        """What matches, what only the checkpoint has, what only the object has."""
        matched = self.match(obj)
        known = {id(v) for v in matched.values()}
        rest = [v for v in TrackableView(obj).descendants() if id(v) not in known]
        missing = [n for n in self.descendants() if n not in matched]
        return matched, missing, rest

"""Iterators over datasets."""

from __future__ import annotations

import base64
import json
import logging
import threading
import weakref
from collections import deque
from collections.abc import Iterator as PythonIterator
from typing import Any

import numpy as np
import torch

from torchtf.core import errors, graph
from torchtf.core.tensor import Tensor
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, values
from torchtf.data._failures import described
from torchtf.data._optional import Optional
from torchtf.data._options import ExternalStatePolicy
from torchtf.data._plan import Node, Run, Stage, block_size
from torchtf.data._seeds import seeds_of
from torchtf.data._specs import ElementSpec
from torchtf.sparse import SparseTensor, to_dense

_log = logging.getLogger("torchtf")
_NOTHING = object()


class Iterator:
    """An iterator over the elements of a dataset (source: `tf.data.Iterator`).

    It follows Python's protocol; `get_next()` raises `OutOfRangeError` at the end instead. After
    an error it goes on with the next element. It may be shared by threads.
    """

    def __init__(self, dataset):
        self._dataset = dataset
        self._lock = threading.Lock()
        self._pack = structure.packer(dataset.element_spec)
        self._open()

    def _open(self):
        self._ready: deque = deque()
        self._chunks = Chunks(self._dataset)
        self._taken = 0

    @property
    def element_spec(self):
        return self._dataset.element_spec

    @property
    def _type_spec(self) -> IteratorSpec:
        return IteratorSpec(self.element_spec)

    def __iter__(self):
        return self

    def __next__(self):
        if graph.state.trace is not None:
            return self._in_graph().get_next()
        try:
            element = self._ready.popleft()
        except IndexError:
            element = _NOTHING
        if element is _NOTHING:  # out here, so that errors have no context
            element = self._more()
        self._taken += 1
        return element

    def next(self):
        """The next element, as `next(iterator)` (source: `tf.data.Iterator.next`)."""
        return self.__next__()

    def _in_graph(self):
        """This iterator as the graph under construction sees it."""
        from torchtf.data._in_graph import GraphIterator

        return GraphIterator(self.element_spec, self)

    def _as_argument(self, place):
        """What a traced function sees of an iterator that it gets as an argument."""
        from torchtf.data._in_graph import GraphIterator

        return GraphIterator(self.element_spec, place)

    def _has_next(self) -> bool:
        """Whether there is one more element, which stays the next one."""
        with self._lock:
            return bool(self._ready) or self._fill()

    def _more(self):
        with self._lock:
            if not self._ready and not self._fill():
                raise StopIteration
            return self._ready.popleft()

    def _fill(self) -> bool:
        """Gets the next chunk; False at the end."""
        try:
            chunk = self._chunks.next()
        except errors.OpError as e:
            self._taken += 1
            raise self._located(e) from e.__cause__
        if chunk is None:
            return False
        self._ready.extend(elements(chunk, self._pack))
        return True

    def _located(self, error):
        """The error with the place that TensorFlow names."""
        if "[Op:" not in error.message:
            error._message = self._message(described(error, self._dataset._node))
        return error

    def _message(self, text):
        width = len(structure.flatten(self.element_spec))
        return errors.kernel_message("IteratorGetNext", text, "", f"_output_types_{width}")

    def get_next(self):
        """The next element.

        Raises:
            OutOfRangeError: at the end.
        """
        try:
            return next(self)
        except StopIteration:
            raise errors.OutOfRangeError(None, None, self._message("End of sequence")) from None

    def get_next_as_optional(self) -> Optional:
        """The next element as an `Optional`, which is empty at the end."""
        if graph.state.trace is not None:
            return self._in_graph().get_next_as_optional()
        try:
            return Optional(next(self), self.element_spec)
        except StopIteration:
            return Optional.empty(self.element_spec)

    # -- checkpoints: the number of elements taken, and where the seeds of the plan stood

    def _save(self) -> bytes:
        _check_external_state(self._dataset)
        return base64.b64encode(json.dumps([self._taken, self._chunks.seeds]).encode())

    def _restore(self, state: bytes) -> None:
        taken, seeds = json.loads(base64.b64decode(state))
        self._chunks.close()
        for generator, (pair, drawn) in zip(seeds_of(self._dataset._node), seeds, strict=True):
            generator.seeds, generator.drawn = tuple(pair), drawn
        self._open()
        self._chunks.skip(taken)
        self._taken = taken

    def _serialize_to_tensors(self) -> dict[str, Tensor]:
        state = np.empty((), dtype=object)
        state[()] = self._save()
        return {"ITERATOR_STATE": Tensor(state)}

    def _restore_from_tensors(self, restored_tensors) -> None:
        self._restore(restored_tensors["ITERATOR_STATE"].numpy())


class Chunks:
    """The chunks of one iteration over a dataset; owns its stages."""

    def __init__(self, dataset):
        node: Node = dataset._optimized()
        self.seeds = [(g.seeds, g.drawn) for g in seeds_of(dataset._node)]
        self._run = Run(dataset._options, dataset._times)
        self._stage: Stage = self._run.start(node)
        self._block = block_size(node.spec) if self._stage.pure else 1
        self._size = 1
        self._ended = False
        # ends the threads of an iteration that is given up
        self._finalizer = weakref.finalize(self, self._stage.close)

    def next(self) -> Chunk | None:
        """The next chunk; chunks grow, so that a short look is cheap."""
        if self._ended:
            return None
        with self._run.limited():
            chunk = self._stage.next(self._size)
        self._size = min(4 * self._size, self._block)
        if chunk is None:
            self._ended = True
            self._finalizer()
        return chunk

    def skip(self, count: int) -> None:
        while count > 0:
            try:
                chunk = self._stage.next(min(count, max(self._block, 1)))
            except errors.OpError:
                count -= 1
                continue
            if chunk is None:
                return
            count -= chunk.size

    def close(self) -> None:
        self._finalizer()


def elements(chunk: Chunk, pack) -> PythonIterator[Any]:
    """The elements of a chunk as users see them."""
    columns = [_cooked(c) for c in chunk.columns]
    if pack is None:
        return iter(columns[0])
    if not columns:
        return (pack(()) for _ in range(chunk.size))
    return map(pack, zip(*columns, strict=True))


def _cooked(column):
    if isinstance(column, torch.Tensor):
        return map(Tensor, column.unbind(0))
    if type(column) is list:
        return map(structure.cooked, column)
    return map(Tensor, values(column))


def raw_elements(dataset) -> PythonIterator[Any]:
    """The elements of a dataset as structures of raw torch tensors (see `Dataset._iterate_raw`)."""
    pack = structure.packer(dataset.element_spec)
    chunks = Chunks(dataset)
    try:
        while (chunk := chunks.next()) is not None:
            columns = [values(c) for c in chunk.columns]
            yield from columns[0] if pack is None else map(pack, zip(*columns, strict=True))
    finally:
        chunks.close()


def _check_external_state(dataset) -> None:
    """What `experimental_external_state_policy` asks for, as a checkpoint holds no such state.

    Raises:
        FailedPreconditionError: if the policy is FAIL and a function has state.
    """
    policy = dataset._options.experimental_external_state_policy
    if policy not in (ExternalStatePolicy.WARN, ExternalStatePolicy.FAIL):
        return
    stateful = _with_state(dataset._node)
    if stateful and policy is ExternalStatePolicy.FAIL:
        raise errors.FailedPreconditionError(
            None, None, f"{stateful[0]} has state outside of the dataset, which is not saved."
        )
    for label in stateful:
        _log.warning("%s has state outside of the dataset, which is not saved.", label)


def _with_state(node: Node) -> list[str]:
    """The steps of a plan whose functions look at, or change, what is outside."""
    found = [label for source in node.inputs for label in _with_state(source)]
    functions = (v for v in vars(node).values() if hasattr(v, "writes"))
    return [*found, node.label()] if any(not f.pure for f in functions) else found


class NumpyIterator:
    """An iterator whose tensors are NumPy arrays (source: `tf.data.NumpyIterator`)."""

    def __init__(self, dataset):
        self._iterator = iter(dataset)

    def __iter__(self):
        return self

    def __next__(self):
        return structure.map_structure(_to_numpy, next(self._iterator))

    def next(self):
        return self.__next__()

    def save(self) -> bytes:
        """The position, for `restore`."""
        return self._iterator._save()

    def restore(self, state: bytes) -> None:
        self._iterator._restore(state)

    _save, _restore = save, restore

    def _serialize_to_tensors(self):
        return self._iterator._serialize_to_tensors()

    def _restore_from_tensors(self, restored_tensors):
        self._iterator._restore_from_tensors(restored_tensors)

    def __repr__(self):
        return f"NumpyIterator(iterator={self._iterator})"


def _to_numpy(x):
    if x is None:
        return None
    if isinstance(x, SparseTensor):
        x = to_dense(x)
    if not isinstance(x, torch.Tensor):
        return x.numpy() if hasattr(x, "numpy") else x
    array = x._numpy()
    if array.ndim == 0:
        return array[()]
    array.setflags(write=False)  # it shares the tensor's memory, and tensors do not change
    return array


class IteratorSpec(ElementSpec):
    """The spec of an iterator (source: `tf.data.IteratorSpec`)."""

    @property
    def value_type(self):
        return Iterator

    def __repr__(self):
        return f"IteratorSpec({self._element_spec!r},)"


__all__ = ["Iterator", "IteratorSpec", "NumpyIterator"]

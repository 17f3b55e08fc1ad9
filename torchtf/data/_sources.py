"""Nodes without inputs: tensors, ranges, generators, random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch

from torchtf.core import dtypes, errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.specs import TensorSpec
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, chunk_of
from torchtf.data._plan import INFINITE, Affine, Node, Order, Rows, Run, Stage
from torchtf.data._seeds import SeedGenerator, Words


class Elements(Node):
    """Elements that lie in memory as one chunk: the columns are the tensors themselves."""

    def __init__(self, spec, chunk: Chunk, name: str):
        self.spec = spec
        self.chunk = chunk
        self.name = name

    def cardinality(self) -> int:
        return self.chunk.size

    def start(self, run: Run) -> Stage:
        return ElementRows(self.chunk)

    def label(self) -> str:
        return f"{self.name.removesuffix('Dataset')}({self.chunk.size} elements)"

    @property
    def tf_name(self):
        return f"_{self.name}"


class ElementRows(Rows):
    def __init__(self, chunk: Chunk, order: Order | None = None):
        super().__init__(order or Affine(0, chunk.size))
        self._chunk = chunk

    def at(self, positions):
        if not isinstance(positions, slice):
            return self._chunk.take(positions)
        columns = [c[positions] for c in self._chunk.columns]
        return Chunk(columns, len(range(*positions.indices(self._chunk.size))))


class Counting(Node):
    """`start`, `start + step`, ... below `stop` (source: `tf.data.Dataset.range`)."""

    def __init__(self, start: float, stop: int | None, step: float, dtype):
        self.first, self.stop, self.step = start, stop, step
        self.dtype = dtype
        self.spec = TensorSpec([], dtype)

    def cardinality(self) -> int:
        if self.stop is None:
            return INFINITE
        return max(0, math.ceil((self.stop - self.first) / self.step))

    def start(self, run: Run) -> Stage:
        count = self.cardinality()
        return CountingRows(self, 2**62 if count == INFINITE else count)

    def label(self) -> str:
        return f"Range({self.first}, {self.stop}, {self.step})"

    tf_name = "_RangeDataset"


class CountingRows(Rows):
    def __init__(self, node: Counting, count: int):
        super().__init__(Affine(0, count))
        self._node = node

    def at(self, positions):
        first, step, dtype = self._node.first, self._node.step, self._node.dtype
        if dtype in (dtypes.string, dtypes.bool_):
            raise errors.InvalidArgumentError(None, None, f"Unsupported data type: {dtype.name}")
        kind = torch.int64 if isinstance(first, int) else torch.float64
        if isinstance(positions, slice):
            column = torch.arange(
                first + positions.start * step, first + positions.stop * step,
                positions.step * step, dtype=kind,
            )  # fmt: skip
        else:
            column = positions.to(kind) * step + first
        return Chunk([column.to(dtype.torch)], len(column))


class RandomWords(Node):
    """Endless 32-bit random integers (source: `tf.data.Dataset.random`)."""

    def __init__(self, seeds: SeedGenerator):
        self.spec = TensorSpec([], dtypes.int64)
        self.seeds = seeds

    def cardinality(self) -> int:
        return INFINITE

    def start(self, run: Run) -> Stage:
        return _RandomStage(Words(self.seeds.next()))

    def label(self) -> str:
        return "Random"

    tf_name = "_RandomDataset"


class _RandomStage(Stage):
    def __init__(self, words: Words):
        self._words = words

    def next(self, n):
        return Chunk([torch.from_numpy(self._words.take(n).astype(np.int64))], n)


class Generator(Node):
    """What a Python generator yields (source: `tf.data.Dataset.from_generator`).

    Args:
        make: returns a new iterator.
        spec: the structure of specs of what it yields.
    """

    def __init__(self, make: Callable[[], Iterator], spec):
        self.make = make
        self.spec = spec

    def start(self, run: Run) -> Stage:
        return _GeneratorStage(self)

    def label(self) -> str:
        return "Generator"

    tf_name = "_FlatMapDataset"  # TensorFlow builds it from one


class _GeneratorStage(Stage):
    pure = False

    def __init__(self, node: Generator):
        self._node = node
        self._form = Yielded(node.spec)
        self._iterator: Iterator | None = None
        self._ended = False
        self._failure: Exception | None = None

    def next(self, n):
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._ended:
            return None
        if self._iterator is None:
            self._iterator = self._guard(lambda: iter(self._node.make()))
        items = []
        while len(items) < n:
            try:
                items.append(next(self._iterator))
            except StopIteration:
                self._ended = True
                break
            except Exception as e:
                self._ended = True
                self._failure = as_op_error(e)
                break
        if not items:
            return self.next(n)
        return self._chunk(items)

    def _guard(self, call):
        try:
            return call()
        except Exception as e:
            self._ended = True
            raise as_op_error(e) from e

    def _chunk(self, items):
        fast = self._form.columns(items)
        if fast is not None:
            return Chunk(fast, len(items))
        rows = []
        for i, item in enumerate(items):
            try:
                rows.append(self._form.row(item))
            except Exception as e:
                if not rows:
                    self._left(items[i + 1 :])
                    raise
                self._failure = e
                self._left(items[i + 1 :])
                break
        return chunk_of(rows, self._form.width)

    def _left(self, items):
        """Puts items back in front of the generator."""
        rest = self._iterator
        ended, self._ended = self._ended, False

        def again():
            yield from items
            if not ended:
                yield from rest

        self._iterator = again()

    def close(self):
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


class Yielded:
    """Turns what Python code gives for elements into components of a structure of specs."""

    def __init__(self, spec):
        self._spec = spec
        self._leaves = structure.flatten(spec)
        self._single = len(self._leaves) == 1 and spec is self._leaves[0]
        self.width = len(self._leaves)

    def columns(self, items):
        """The items as whole columns, if they are plain numbers or arrays of the right form."""
        if self._single:
            parts = [items]
        elif type(self._spec) is tuple:
            width = self.width
            if any(type(x) is not tuple or len(x) != width for x in items):
                return None
            parts = list(zip(*items, strict=True))
        else:
            return None
        columns = [_column(x, leaf) for x, leaf in zip(parts, self._leaves, strict=True)]
        return None if any(c is None for c in columns) else columns

    def row(self, item) -> tuple:
        """The components of an item.

        Raises:
            InvalidArgumentError: if it does not fit the spec.
        """
        spec = self._spec
        if isinstance(item, list):
            item = tuple(item) if not self._single else item
        if self._single:
            return (_component(item, spec),)
        try:
            parts = structure.flatten_up_to(spec, item)
        except (TypeError, ValueError) as e:
            raise _misfit(
                f"that did not match the expected structure. The expected structure was "
                f"{_types(spec)}, but the yielded element was {item}."
            ) from e
        return tuple(_component(x, leaf) for x, leaf in zip(parts, self._leaves, strict=True))


def _types(spec):
    return structure.map_structure(lambda s: getattr(s, "dtype", s), spec)


def _column(items, spec) -> torch.Tensor | None:
    """A column of numbers or of arrays of one shape; None if the items need a closer look."""
    kind = type(items[0])
    if not _is_plain(spec) or any(type(x) is not kind for x in items):
        return None
    dtype = spec.dtype.as_numpy_dtype
    if kind is np.ndarray:
        shape = items[0].shape
        if any(x.shape != shape or x.dtype != dtype for x in items):
            return None
        array = np.stack(items)
    elif kind is torch.Tensor:
        first = items[0]
        if any(x.shape != first.shape or x.dtype != spec.dtype.torch or x.is_cuda for x in items):
            return None
        stacked = torch.stack(items).detach()
        return stacked if spec.shape.is_compatible_with(stacked.shape[1:]) else None
    elif issubclass(kind, np.generic):
        if items[0].dtype != dtype:
            return None
        array = np.array(items)
    elif kind in (int, float, bool):
        try:
            array = np.array(items, dtype=dtype)
        except OverflowError:
            return None
    else:
        return None
    return torch.from_numpy(array) if spec.shape.is_compatible_with(array.shape[1:]) else None


def _is_plain(spec) -> bool:
    """Whether the component is a tensor of a type that NumPy and torch share."""
    return (
        structure.is_dense(spec)
        and spec.dtype.torch is not None
        and (spec.dtype is not dtypes.bfloat16)
    )


def _component(item, spec):
    """One yielded value as a component of the given spec, cast as NumPy casts.

    Raises:
        InvalidArgumentError: if it does not fit.
    """
    if not structure.is_dense(spec):
        if not spec.is_compatible_with(item):
            raise _misfit(f"of {structure.spec_of(item)} where an element of {spec} was expected.")
        return structure.raw(item)
    if type(item) is torch.Tensor:
        item = item.detach().cpu()
    try:
        array = np.asarray(
            item, dtype=None if spec.dtype is dtypes.string else (spec.dtype.as_numpy_dtype)
        )
        value = convert_to_tensor(array if spec.dtype is not dtypes.string else item, spec.dtype)
    except (TypeError, ValueError, OverflowError) as e:
        raise _misfit(
            f"that could not be converted to the expected type. The expected type was "
            f"{spec.dtype.name}, but the yielded element was {item}."
        ) from e
    if not spec.shape.is_compatible_with(value.shape):
        raise _misfit(
            f"of shape {value.shape} where an element of shape {spec.shape} was expected."
        )
    return value._data


def _misfit(text: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(
        None, None, f"TypeError: `generator` yielded an element {text}"
    )


_ERRORS = {
    TypeError: errors.InvalidArgumentError,
    ValueError: errors.InvalidArgumentError,
    StopIteration: errors.OutOfRangeError,
    MemoryError: errors.ResourceExhaustedError,
    NotImplementedError: errors.UnimplementedError,
}


def as_op_error(error: Exception) -> Exception:
    """An exception of a user's Python code as TensorFlow reports it; the cause is kept."""
    if isinstance(error, errors.OpError):
        return error
    kind = next((k for t, k in _ERRORS.items() if type(error) is t), errors.UnknownError)
    made = kind(None, None, f"{type(error).__name__}: {error}")
    made.__cause__ = error
    return made


__all__ = [
    "Counting",
    "ElementRows",
    "Elements",
    "Generator",
    "RandomWords",
    "Yielded",
    "as_op_error",
]

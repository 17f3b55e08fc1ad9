"""Nodes that choose and repeat elements: take, skip, shard, repeat, concatenate, shuffle."""

from __future__ import annotations

import numpy as np
import torch

from torchtf.core import errors
from torchtf.data import _structure as structure
from torchtf.data._chunk import Arena, concat
from torchtf.data._plan import (
    INFINITE,
    UNKNOWN,
    Affine,
    Failed,
    Node,
    Order,
    Run,
    Stage,
    Unary,
    UnaryStage,
    block_size,
    collect,
)
from torchtf.data._seeds import SeedGenerator, Words, seeds_of

# a number of shards in whose place comes that of the workers (`_shards.with_hints_of`)
SHARD_HINT = -1


class Take(Unary):
    """The first `size` elements, all for -1."""

    def __init__(self, source: Node, size: int):
        super().__init__(source)
        self.size = size

    def cardinality(self):
        known = self.source.cardinality()
        if known == UNKNOWN or self.size < 0:
            return known
        return self.size if known == INFINITE else min(known, self.size)

    def start(self, run):
        source = run.start(self.source)
        if self.size < 0:
            return source
        if source.count is not None:
            return source.reordered(Affine(0, min(self.size, source.count)))
        return _TakeStage(source, self.size)

    def label(self):
        return f"Take({self.size})"


class _TakeStage(UnaryStage):
    def __init__(self, source, size):
        super().__init__(source)
        self._left = size

    def next(self, n):
        if self._left <= 0:
            return None
        chunk = self.source.next(min(n, self._left))
        self._left -= chunk.size if chunk is not None else self._left
        return chunk


class Skip(Unary):
    """All but the first `size` elements, none for -1."""

    def __init__(self, source: Node, size: int):
        super().__init__(source)
        self.size = size

    def cardinality(self):
        known = self.source.cardinality()
        if self.size < 0:
            return 0
        return known if known < 0 else max(0, known - self.size)

    def start(self, run):
        source = run.start(self.source)
        if self.size < 0:
            return _TakeStage(source, 0)
        if source.count is not None:
            size = min(self.size, source.count)
            return source.reordered(Affine(size, source.count - size))
        return _SkipStage(source, self.size, block_size(self.spec))

    def label(self):
        return f"Skip({self.size})"


class _SkipStage(UnaryStage):
    def __init__(self, source, size, block):
        super().__init__(source)
        self._left, self._block = size, block

    def next(self, n):
        while self._left:
            chunk = self.source.next(min(self._left, self._block))
            if chunk is None:
                return None
            self._left -= chunk.size
        return self.source.next(n)


class Shard(Unary):
    """Each `number`-th element, from `index` on.

    With `SHARD_HINT` for both, whoever shares the dataset out puts numbers in their places.
    """

    def __init__(self, source: Node, number: int, index: int):
        super().__init__(source)
        self.number, self.index = number, index

    def cardinality(self):
        known = self.source.cardinality()
        if self.number == SHARD_HINT:
            return UNKNOWN
        if known < 0:
            return known
        return known // self.number + (1 if self.index < known % self.number else 0)

    def start(self, run):
        if self.number == SHARD_HINT:
            raise errors.FailedPreconditionError(
                None, None,
                "`tf.data.Dataset.shard(SHARD_HINT, ...)` can only be used in "
                "`tf.distribute.Strategy.experimental_distribute_dataset()` with "
                "`tf.data.experimental.AutoShardPolicy.HINT` policy, or tf.data service with "
                "`tf.data.experimental.service.ShardingPolicy.HINT` processing mode.",
            )  # fmt: skip
        source = run.start(self.source)
        if source.count is not None:
            count = max(0, -(-(source.count - self.index) // self.number))
            return source.reordered(Affine(self.index, count, self.number))
        return _ShardStage(source, self.number, self.index)

    def label(self):
        return f"Shard({self.number}, {self.index})"


class _ShardStage(UnaryStage):
    def __init__(self, source, number, index):
        super().__init__(source)
        self._number, self._index = number, index
        self._position = 0

    def next(self, n):
        while True:
            # up to the last of n wanted elements, and no further
            ahead = (self._index - self._position) % self._number
            chunk = self.source.next(ahead + 1 + (n - 1) * self._number)
            if chunk is None:
                return None
            wanted = range((self._index - self._position) % self._number, chunk.size, self._number)
            self._position += chunk.size
            if len(wanted):
                return chunk.take(list(wanted))


class Repeat(Unary):
    """The elements `times` times over, for ever with -1."""

    def __init__(self, source: Node, times: int):
        super().__init__(source)
        self.times = times

    def cardinality(self):
        known = self.source.cardinality()
        if self.times < 0:
            return 0 if known == 0 else INFINITE
        if self.times == 0:
            return 0
        return known if known < 0 else known * self.times

    def start(self, run):
        return _RepeatStage(run, self)

    def label(self):
        return f"Repeat({'for ever' if self.times < 0 else self.times})"


class _RepeatStage(Stage):
    def __init__(self, run: Run, node: Repeat):
        self._run, self._node = run, node
        self._left = node.times
        self._source = run.start(node.source) if self._left else None
        self.pure = self._source is None or self._source.pure
        self._empty = True
        self._failed = Failed()
        # the seeds of a round are drawn when it begins, which other iterators may notice
        self._ahead = self.pure and not any(s.reshuffle for s in seeds_of(node.source))

    def next(self, n):
        if not self._ahead:
            return self._piece(n)
        self._failed.check()
        # rounds may be short: several make a chunk, until joining costs more than another call
        pieces, _, error = collect(self._piece, n, lambda size: 2 * size > n)
        if error is not None:
            if not pieces:
                raise error
            self._failed.keep(error)
        return concat(pieces) if pieces else None

    def _piece(self, n):
        """Up to n elements of one round, or None at the end of the last."""
        while self._source is not None:
            chunk = self._source.next(n)
            if chunk is not None:
                self._empty = False
                return chunk
            self._source.close()
            self._source = None
            self._left -= 1
            # an endless repetition of nothing ends
            if self._left and not (self._node.times < 0 and self._empty):
                self._source = self._run.start(self._node.source)
            # TensorFlow makes one step of a shuffle and its repetition: that ends if all was empty
            self._empty = self._empty or not isinstance(self._node.source, Shuffle)
        return None

    def close(self):
        if self._source is not None:
            self._source.close()


class Concatenate(Node):
    """The elements of one dataset, then those of another."""

    def __init__(self, first: Node, second: Node):
        self.inputs = (first, second)
        try:
            self.spec = structure.common_spec(first.spec, second.spec)
        except (TypeError, ValueError) as e:
            raise TypeError(
                f"Incompatible dataset elements:\n  {first.spec} vs.   {second.spec}"
            ) from e

    def cardinality(self):
        known = [node.cardinality() for node in self.inputs]
        if INFINITE in known:
            return INFINITE
        return UNKNOWN if UNKNOWN in known else sum(known)

    def start(self, run):
        return _ConcatenateStage(run, self.inputs)


class _ConcatenateStage(Stage):
    def __init__(self, run, nodes):
        self._run = run
        self._source = run.start(nodes[0])
        self._later = list(nodes[1:])
        self.pure = self._source.pure

    def next(self, n):
        while self._source is not None:
            chunk = self._source.next(n)
            if chunk is not None:
                return chunk
            self._source.close()
            self._source = None
            if self._later:
                self._source = self._run.start(self._later.pop(0))
                self.pure = self._source.pure
        return None

    def close(self):
        if self._source is not None:
            self._source.close()


# -- shuffle


class Shuffle(Unary):
    """The elements in random order, through a buffer (source: `tf.data.Dataset.shuffle`).

    The order is TensorFlow's for the same seeds: a buffer of `size` elements is filled, one of
    them is drawn at random, and the next element takes its place.

    Args:
        size: the size of the buffer; `UNKNOWN` for one that takes all elements.
        seeds: gives each iteration its seeds.
    """

    def __init__(self, source: Node, size: int, seeds: SeedGenerator):
        super().__init__(source)
        self.size = size
        self.seeds = seeds

    def start(self, run):
        source = run.start(self.source)
        size = 2**62 if self.size == UNKNOWN else self.size
        words = Words(self.seeds.next())
        if source.count is not None:
            return source.reordered(ShuffledOrder(source.count, size, words))
        return _ShuffleStage(source, size, words, block_size(self.spec))

    def label(self):
        return f"Shuffle({'all' if self.size == UNKNOWN else self.size})"


class _Buffer:
    """Which element of a shuffle buffer comes next; integers stand for the elements.

    The buffer is a ring. A drawn element's place is taken by the one at the start of the ring, and
    the start moves on.
    """

    def __init__(self, size: int, words: Words):
        self._size = size
        self._words = words
        self._slots: list[int] = []
        self._start = 0
        self.length = 0

    @property
    def room(self) -> int:
        return self._size - self.length

    def add(self, items) -> None:
        """Fills free places: as many as there are `items` at most."""
        if len(self._slots) < self._size:  # it has never been full
            self._slots.extend(items)
            self.length = len(self._slots)
            return
        for item in items:
            self._slots[(self._start + self.length) % self._size] = item
            self.length += 1

    def draw(self, n: int, supply=()) -> list[int]:
        """Draws n elements; between draws, the next of `supply` comes into the full buffer."""
        if not supply and self._start + self.length <= len(self._slots):
            return self._draw_last(n)
        drawn = []
        slots, size, start, length = self._slots, self._size, self._start, self.length
        incoming = iter(supply)
        for word in self._words.take(n).tolist():
            if length < size and drawn:
                following = next(incoming, None)
                if following is not None:
                    slots[start - 1] = following  # the ring's end meets its start
                    length += 1
            at = start + word % length
            if at >= size:
                at -= size
            drawn.append(slots[at])
            slots[at] = slots[start]
            length -= 1
            start += 1
            if start == size:
                start = 0
        self._start, self.length = start, length
        return drawn

    def _draw_last(self, n: int) -> list[int]:
        """`draw` when nothing comes in any more and the ring does not wrap: the usual case."""
        slots, start = self._slots, self._start
        lengths = np.arange(self.length, self.length - n, -1, dtype=np.int64)
        places = np.arange(start, start + n) + self._words.take(n).astype(np.int64) % lengths
        for at in places.tolist():
            slots[start], slots[at] = slots[at], slots[start]
            start += 1
        drawn = slots[self._start : start]
        self._start, self.length = start % self._size, self.length - n
        return drawn


# how many positions are drawn ahead at most
_AHEAD = 1 << 13


class ShuffledOrder(Order):
    """The order in which a shuffle buffer gives out `count` elements, made when it is read."""

    def __init__(self, count: int, size: int, words: Words):
        self.count = count
        self._buffer = _Buffer(size, words)
        self._buffer.add(range(min(count, size)))
        self._next = self._buffer.length  # the first position not yet in the buffer
        self._positions = torch.empty(count, dtype=torch.int64)
        self._made = 0

    def read(self, start, n):
        stop = min(start + n, self.count)
        if stop > self._made:
            # more than is asked for, in growing steps: a call for a few words costs as much
            stop = min(max(stop, self._made + min(self._made, _AHEAD)), self.count)
            number = stop - self._made
            if self._made and self._next < self.count:  # the place of the last one drawn
                self._buffer.add([self._next])
                self._next += 1
            supply = range(self._next, min(self._next + number - 1, self.count))
            self._next = supply.stop
            drawn = self._buffer.draw(number, supply)
            self._positions[self._made : stop] = torch.from_numpy(np.array(drawn, np.int64))
            self._made = stop
        return self._positions[start : start + n]


class _ShuffleStage(UnaryStage):
    """Shuffles elements that come one after another; they lie in an arena until drawn."""

    def __init__(self, source, size, words, block):
        super().__init__(source)
        self._buffer = _Buffer(size, words)
        self._block = block
        self._arena = Arena()
        self._ended = False
        self._failed = Failed()

    def next(self, n):
        self._failed.check()
        while not self._ended and self._buffer.room > 1:
            chunk = self.source.next(min(self._buffer.room, self._block))
            if chunk is None:
                self._ended = True
            else:
                self._buffer.add(self._arena.put(chunk))
        if self._ended:
            n = min(n, self._buffer.length)
            return self._arena.take(self._buffer.draw(n)) if n else None
        return self._exchange(min(n, self._block))

    def _exchange(self, n):
        """Draws n elements while others come in."""
        room = self._buffer.room
        chunks, size, error = collect(self.source.next, n - 1 + room)
        rows = [row for chunk in chunks for row in self._arena.put(chunk)]
        self._buffer.add(rows[:room])
        if error is not None:
            n = size + 1 - room
            if n <= 0:
                raise error
            self._failed.keep(error)
        elif size < n - 1 + room:
            self._ended = True
            n = min(n, self._buffer.length + max(0, size - room))
        if not n:
            return None
        return self._arena.take(self._buffer.draw(n, rows[room:]))

"""Global and op seeds, by TensorFlow's rules (see `set_seed`)."""

from __future__ import annotations

import random
import weakref

import torch

from torchtf.core import graph
from torchtf.function.staged import real_tensors
from torchtf.random._philox import Stream, from_op_seeds

_DEFAULT_GLOBAL_SEED = 87654321
_LARGEST = 2**31 - 1
# what tells the op seeds of one replica from those of another
_REPLICA_STRIDE = 1_000_003


class _State:
    def __init__(self):
        self.seed = None
        self.op_seeds = None  # the generator of op seeds for ops without one
        self.seedings = 0  # how often a seed was set
        self.replica = 0  # the number of the replica of a distribution strategy that draws
        self.used: dict[tuple, int] = {}  # op with seeds -> blocks of its stream used up


state = _State()


def set_seed(seed) -> None:
    """Sets the global seed (source: `tf.random.set_seed`).

    * With neither a global nor an op seed, each program draws other numbers.
    * With a global seed only, each op takes the next of a sequence of op seeds, which starts anew
      here.
    * With an op seed only, a default global seed joins it; the op's numbers go on from call to call
      until the global seed is set.
    * With both, both determine the op's numbers.

    * In a `tf.function` each op has a stream of its own, which goes on from call to call; the op
      seed of one without is its number among the function's random ops. Setting the global seed
      makes these streams start again.

    The numbers are TensorFlow's. In the functions of datasets and of `tf.vectorized_map`, which run
    on many elements at once, they come from torch's generator, which is seeded here, too.

    Args:
        seed: an integer, or None for no global seed.
    """
    if seed is None:
        _forget_seed()
        return
    if isinstance(seed, torch.Tensor) or not hasattr(seed, "__hash__"):
        seed = int(seed)
    _start_again(int(seed), random.Random(seed))
    torch.manual_seed(int(seed))


def _forget_seed() -> None:
    _start_again(None, None)
    torch.seed()


def _start_again(seed: int | None, op_seeds: random.Random | None) -> None:
    state.seed, state.op_seeds = seed, op_seeds
    state.seedings += 1
    state.used.clear()
    for position in _positions:
        position.rewind()


def seeding() -> tuple:
    """What changes whenever a seed is set, here or on torch's generator."""
    return state.seedings, torch.initial_seed()


def global_seed():
    """The global seed, or None."""
    return state.seed


def get_seed(op_seed):
    """The pair of seeds for an op, or (None, None): draw from nowhere in particular.

    A raw op gives its pair itself, in which two zeros mean no seed.
    """
    if type(op_seed) is tuple:
        return op_seed if any(op_seed) else (None, None)
    if state.seed is not None:
        if op_seed is None:
            under_way = graph.state.trace
            if under_way is None:
                op_seed = state.op_seeds.randint(0, _LARGEST)
            else:
                op_seed = under_way.count_random_op()
            op_seed += state.replica * _REPLICA_STRIDE
        seeds = int(state.seed) % _LARGEST, int(op_seed) % _LARGEST
    elif op_seed is not None:
        seeds = _DEFAULT_GLOBAL_SEED, int(op_seed) % _LARGEST
    else:
        return None, None
    return (0, _LARGEST) if seeds == (0, 0) else seeds


class Position:
    """Where a traced op is in its stream: a variable of the graph (see `core.graph`).

    Its value is what `_draw.from_state` takes: the counter's low and high half, and the key.
    """

    trainable = False
    name = "random_stream"

    def __init__(self, stream: Stream):
        self._stream = stream
        self.rewind()
        _positions.add(self)

    def rewind(self) -> None:
        """Goes back to the beginning."""
        key, low, high = self._stream
        with real_tensors():
            self._value = torch.tensor([low, high, key], dtype=torch.int64)

    def fork(self) -> Position:
        """The position of the same op in another graph that takes this one's graph in."""
        return Position(self._stream)

    def _trace_get(self) -> torch.Tensor:
        return self._value

    def _trace_set(self, value: torch.Tensor) -> None:
        self._value = value

    def _tape_read(self) -> torch.Tensor:
        under_way = graph.state.trace
        return self._value if under_way is None else under_way.read(self)

    _tape_value = _tape_read


_positions: weakref.WeakSet[Position] = weakref.WeakSet()


def traced_state(op_seed, blocks) -> torch.Tensor | None:
    """The state from which an op in a trace draws, each run `blocks` further; None without a seed.

    Args:
        op_seed: the seed the user gave, or None.
        blocks: how many blocks the op sets aside; may be symbolic.
    """
    under_way = graph.state.trace
    if not under_way.has_streams:
        return None
    seeds = get_seed(op_seed)
    if seeds[0] is None:
        return None
    position = Position(from_op_seeds(*seeds))
    state = under_way.read(position)
    under_way.write(position, torch.cat([state[:1] + blocks, state[1:]]))
    return state


def reserve(op: str, op_seed, blocks: int, *key) -> Stream | None:
    """The stream for a call of an op, which uses up `blocks` blocks; None without any seed.

    Args:
        op: TensorFlow's name of the op.
        op_seed: the seed the user gave, or None.
        blocks: how many blocks the op sets aside.
        key: what else tells this op from others, such as its dtype.
    """
    seeds = get_seed(op_seed)
    if seeds[0] is None:
        return None
    stream = from_op_seeds(*seeds)
    if op_seed is None:  # its seed comes up once
        return stream
    key = (op, seeds, *key)
    used = state.used.get(key, 0)
    state.used[key] = used + blocks
    return stream.skip(used)

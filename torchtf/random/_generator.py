"""`tf.random.Generator`: a stream of random numbers with its state in a variable."""

from __future__ import annotations

import math
import secrets
import sys

import torch

from torchtf import array_ops
from torchtf.core import dtypes, errors, nest
from torchtf.core.convert import convert_to_tensor, to_shape, to_torch
from torchtf.core.tensor import Tensor, wrap
from torchtf.core.variable import Variable
from torchtf.random import _draw
from torchtf.random._distributions import RESERVED
from torchtf.random._stateful import _scaled
from torchtf.random._stateless import _unsupported, algorithm_number, uniform_int

# the sizes of states in 64-bit integers; the key is the last
_STATE_SIZES = {1: 3, 2: 2, 3: 3}
_MASK = (1 << 64) - 1


def _state_size(algorithm: int) -> int:
    if algorithm not in _STATE_SIZES:
        raise _unsupported(algorithm)
    return _STATE_SIZES[algorithm]


def _strategy():
    """The distribution strategy in force, if one has been set."""
    distribute = sys.modules.get("torchtf.distribute")
    if distribute is None or not distribute.has_strategy():
        return None
    return distribute.get_strategy()


def _replica() -> tuple[int, int] | None:
    """The rank of the replica that runs this code and the number of replicas; None outside."""
    strategy = _strategy()
    if strategy is None or sys.modules["torchtf.distribute"].in_cross_replica_context():
        return None
    return strategy.replica_context._rank, strategy.num_replicas_in_sync


def _signed(number):
    """A 64-bit number as the signed integer with the same bits."""
    if isinstance(number, int) and number >= 1 << 63:
        return number - (1 << 64)
    return number


def _state_tensor(value) -> Tensor:
    value = nest.map_structure(_signed, value)
    data = to_torch(value)
    return wrap(data.to(torch.int64))


def create_rng_state(seed, alg) -> Tensor:
    """The state of a generator made of a seed (source: `tf.random.create_rng_state`).

    Args:
        seed: an integer of any size, or a sequence of 64-bit integers. The state is padded with
            zeros in front, so that different small seeds give different keys.
        alg: the algorithm.

    Returns:
        An int64 vector: for Philox the counter's two halves and the key.
    """
    size = _state_size(algorithm_number(alg))
    if isinstance(seed, int):
        seed = [(seed >> (64 * i)) & _MASK for i in range(size)]
    data = _state_tensor(seed)._data.reshape(-1)[:size]
    return wrap(torch.nn.functional.pad(data, (size - data.shape[0], 0)))


class Generator:
    """A random number generator (source: `tf.random.Generator`).

    Its numbers are TensorFlow's. Its state is a `tf.Variable`, so it works in `tf.function`, where
    each run of the graph goes on in the stream. Replicas of a `tf.distribute.Strategy` draw
    different numbers: each has a stream of its own in a generator made under the strategy; they
    take turns in the stream of one made before.

    Args:
        copy_from: a generator to copy.
        state: the state, see `create_rng_state`; a variable is used as it is.
        alg: "philox" or "auto_select", which is Philox. ThreeFry generators may be made, but as on
            TensorFlow's CPUs they do not draw.
    """

    def __init__(self, copy_from=None, state=None, alg=None):
        if copy_from is not None:
            if alg is not None or state is not None:
                raise ValueError("copy_from excludes state and alg.")
            state, alg = copy_from.state.value(), copy_from.algorithm
        if state is None or alg is None:
            raise ValueError("state and alg must both be given, or copy_from.")
        self._algorithm = algorithm_number(alg)
        self._strategy = _strategy()
        if isinstance(state, Variable):
            self._state = state
        else:
            self._state = Variable(_state_tensor(state), trainable=False, name="StateVar")
        self._check(self._state.shape)

    def _check(self, shape):
        shape.assert_is_compatible_with([_state_size(self._algorithm)])

    def _trackable_children(self) -> dict:
        return {"_state_var": self._state}

    @classmethod
    def from_state(cls, state, alg) -> Generator:
        """A generator with a given state."""
        return cls(state=state, alg=alg)

    @classmethod
    def from_seed(cls, seed, alg=None) -> Generator:
        """A generator whose state is made of a seed."""
        alg = algorithm_number(1 if alg is None else alg)
        return cls(state=create_rng_state(seed, alg), alg=alg)

    @classmethod
    def from_non_deterministic_state(cls, alg=None) -> Generator:
        """A generator with a state that the operating system draws."""
        alg = algorithm_number(1 if alg is None else alg)
        return cls(state=[secrets.randbits(64) for _ in range(_state_size(alg))], alg=alg)

    @classmethod
    def from_key_counter(cls, key, counter, alg) -> Generator:
        """A generator with a given key (a scalar) and counter (a vector of 64-bit integers)."""
        alg = algorithm_number(alg)
        return cls(state=_key_counter(key, counter, alg), alg=alg)

    def reset(self, state) -> None:
        """Sets the state."""
        state = _state_tensor(state)
        self._check(state.shape)
        self._state.assign(state)

    def reset_from_seed(self, seed) -> None:
        """Sets the state to the one made of a seed."""
        self._state.assign(create_rng_state(seed, self._algorithm))

    def reset_from_key_counter(self, key, counter) -> None:
        """Sets the state to a key and a counter."""
        self._state.assign(_key_counter(key, counter, self._algorithm))

    @property
    def state(self) -> Variable:
        return self._state

    @property
    def algorithm(self) -> int:
        return self._algorithm

    @property
    def key(self) -> Tensor:
        return wrap(self._state._tape_read()[-1])

    def skip(self, delta) -> Tensor:
        """Advances the counter by what `delta` numbers reserve; returns the state before."""
        state = self._state._tape_read()
        before = state.clone()
        blocks = to_torch(delta).to(torch.int64) * RESERVED
        low, high = state[0], state[1]
        advanced = low + blocks
        # unsigned overflow of the low half carries
        sign = torch.tensor(-(1 << 63), device=state.device)
        carry = ((advanced ^ sign) < (low ^ sign)).to(torch.int64)
        self._state.assign(wrap(torch.stack([advanced, high + carry, state[2]])))
        return wrap(before)

    def _draw(self, kind, shape, dtype, params=()):
        return _draw.from_state(self._advance(shape), kind, to_shape(shape), dtype.torch, params)

    def _advance(self, shape):
        if self._algorithm == 2:
            raise errors.UnimplementedError(
                None, None, "Unsupported algorithm id: 2 (ThreeFry); use Philox"
            )
        size = math.prod(to_shape(shape))
        if not isinstance(size, int):
            size = torch.scalar_tensor(size, dtype=torch.int64)
        context = _replica()
        if context is None:
            return self.skip(size)._data
        rank, count = context
        if self._strategy is None:  # the replicas draw from one stream, one after the other
            self.skip(rank * size)
            state = self.skip(size)._data
            self.skip((count - 1 - rank) * size)
            return state
        state = self.skip(size)._data
        number = torch.tensor([rank, 0], dtype=torch.int64)
        key = _draw.from_state(torch.cat([number, state[2:]]), "full_int", [1], torch.int64)
        return torch.cat([state[:2], key])

    def normal(self, shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, name=None) -> Tensor:
        """Draws from a normal distribution."""
        return _scaled(self._draw("normal", shape, dtypes.as_dtype(dtype)), stddev, mean, name)

    def truncated_normal(
        self, shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, name=None
    ) -> Tensor:
        """Draws normal numbers within two standard deviations."""
        raw = self._draw("truncated_normal", shape, dtypes.as_dtype(dtype))
        return _scaled(raw, stddev, mean, name)

    def uniform(self, shape, minval=0, maxval=None, dtype=dtypes.float32, name=None) -> Tensor:
        """Draws from [minval, maxval); for integers both may be None for their whole range."""
        from torchtf import math as tf_math

        dtype = dtypes.as_dtype(dtype)
        if dtype.is_integer:
            if (minval is None) != (maxval is None):
                raise ValueError(
                    f"For integer dtype {dtype}, minval and maxval must be both `None` or both "
                    f"non-`None`; got minval={minval} and maxval={maxval}."
                )
            if minval is None:
                return self.uniform_full_int(shape, dtype, name)
            return wrap(uniform_int(self._advance(shape), shape, minval, maxval, dtype, "philox"))
        raw = self._draw("uniform", shape, dtype)
        low = convert_to_tensor(minval, dtype)
        high = convert_to_tensor(1 if maxval is None else maxval, dtype)
        return _scaled(raw, tf_math.subtract(high, low), low, name)

    def uniform_full_int(self, shape, dtype=dtypes.uint64, name=None) -> Tensor:
        """Draws integers from the whole range of a type."""
        return wrap(self._draw("full_int", shape, dtypes.as_dtype(dtype)))

    def binomial(self, shape, counts, probs, dtype=dtypes.int32, name=None) -> Tensor:
        """Draws from binomial distributions; `shape` ends with that of `counts` and `probs`."""
        counts, probs = convert_to_tensor(counts), convert_to_tensor(probs)
        params = [counts._data.detach(), probs._data.detach()]
        if params[0].dtype is not params[1].dtype:
            raise errors.InvalidArgumentError(
                None, None,
                f"cannot compute StatefulRandomBinomial as counts is {counts.dtype.name} and "
                f"probs is {probs.dtype.name}",
            )  # fmt: skip
        sizes = to_shape(shape)
        parameters = math.prod(torch.broadcast_shapes(*[p.shape for p in params]))
        samples = math.prod(sizes) // max(parameters, 1)
        # TensorFlow's own estimate of what this uses up
        state = self._advance([parameters * 2 * 100 * (samples + 3) // 4])
        dtype = dtypes.as_dtype(dtype).torch
        return wrap(_draw.from_state(state, "binomial", sizes, dtype, params))

    def make_seeds(self, count=1) -> Tensor:
        """Seeds for stateless ops, [2, count]."""
        keys = self.uniform_full_int([count], dtypes.int64)
        return array_ops.stack([keys, array_ops.zeros_like(keys)])

    def split(self, count=1) -> list[Generator]:
        """Independent generators, with keys drawn from this one."""
        keys = self.uniform_full_int([count], dtypes.int64)
        front = [0] * (_state_size(self._algorithm) - 1)
        return [Generator(state=[*front, int(k)], alg=self._algorithm) for k in keys.numpy()]


def _key_counter(key, counter, alg) -> Tensor:
    counter, key = _state_tensor(counter), _state_tensor(key)
    counter.shape.assert_is_compatible_with([_state_size(alg) - 1])
    key.shape.assert_is_compatible_with([])
    return wrap(torch.cat([counter._data, key._data.reshape(1)]))


_global: Generator | None = None


def get_global_generator() -> Generator:
    """The program's generator, made at first use (source: `tf.random.get_global_generator`)."""
    global _global
    if _global is None:
        _global = Generator.from_non_deterministic_state()
    return _global


def set_global_generator(generator: Generator) -> None:
    """Replaces the program's generator (source: `tf.random.set_global_generator`).

    A traced function that has used the old one goes on using it.
    """
    global _global
    _global = generator

"""`keras.random`: the numbers of Keras on TensorFlow, also while a function is traced.

Contract:
- A seed gives the numbers that it gives on TensorFlow: an int, a `SeedGenerator` made with one,
  and after `keras.utils.set_random_seed` any other, too. They are those of `tf.random.stateless_*`.
  Initializers draw an int each, so weights are TensorFlow's. In a trace the state of a
  `SeedGenerator` is a variable of the graph, and each run draws from it.
- Otherwise numbers come from torch's default generator, which draws anew at each run and for each
  element of a vectorized function. So do masks of dropout that are large (`_LARGE`) where only
  `set_random_seed` was called: to compute TensorFlow's would take longer than the layers around.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from keras.src import backend
from keras.src.backend import torch as torch_backend
from keras.src.backend.config import floatx
from keras.src.backend.torch import core
from keras.src.backend.torch import random as keras_random
from keras.src.backend.torch.core import convert_to_tensor, get_device, to_torch_dtype
from keras.src.random.seed_generator import SeedGenerator, draw_seed
from keras.src.utils import backend_utils
from keras.src.utils.rng_utils import get_random_seed

from torchtf.core.convert import to_shape
from torchtf.keras._patch import own_attribute, replaces
from torchtf.keras._trace import tracing
from torchtf.random import _draw, _stateless
from torchtf.random._keep import keep_mask

_LARGE = 65536
_INT32_MAX = 2**31 - 1


# ---- seeds ---------------------------------------------------------------------------------------


def random_seed_dtype() -> str:
    """The type of the state of a `SeedGenerator`, as on TensorFlow."""
    return "int64"


for _owner in (core, torch_backend, backend):
    replaces(_owner, "random_seed_dtype")(random_seed_dtype)


def _is_own(seed: Any) -> bool:
    """Whether the user gave this very seed."""
    return seed is not None and not (isinstance(seed, SeedGenerator) and seed._initial_seed is None)


def _is_seeded(seed: Any) -> bool:
    return get_device() != "meta" and (_is_own(seed) or get_random_seed() is not None)


def _state(seed: Any) -> torch.Tensor:
    """The two numbers that `tf.random.stateless_*` take."""
    return torch.remainder(draw_seed(seed), _INT32_MAX - 1).to(torch.int32)


_seeded_generator = own_attribute(keras_random, "torch_seed_generator")


@replaces(keras_random, "torch_seed_generator")
def torch_seed_generator(seed: Any) -> torch.Generator | None:
    """The generator for a seed; None, which is torch's own, without one."""
    return _seeded_generator(seed) if _is_own(seed) else None


# ---- distributions -------------------------------------------------------------------------------


def _numbers(size: Sequence[Any], kind: str, dtype: torch.dtype, seed: Any) -> torch.Tensor:
    """Numbers "uniform" in [0, 1), standard "normal", or "truncated_normal"."""
    size = to_shape(size)
    if _is_seeded(seed):
        return _draw.from_state(_state(seed), kind, size, dtype)
    if kind == "truncated_normal":
        # The first of four draws that lies within two standard deviations, as Keras does it.
        x = _numbers((*size, 4), "normal", dtype, seed)
        first = ((x > -2) & (x < 2)).to(torch.int8).argmax(-1, keepdim=True)
        return x.gather(-1, first).squeeze(-1)
    draw = torch.randn if kind == "normal" else torch.rand
    return draw(tuple(size), dtype=dtype, device=get_device())


def _float(dtype: Any) -> torch.dtype:
    return to_torch_dtype(dtype or floatx())


@replaces(keras_random, "uniform")
def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> torch.Tensor:
    x = _numbers(shape, "uniform", _float(dtype), seed)
    low, high = (convert_to_tensor(v, dtype or floatx()).to(x.device) for v in (minval, maxval))
    return x * (high - low) + low


@replaces(keras_random, "normal")
def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> torch.Tensor:
    return _numbers(shape, "normal", _float(dtype), seed) * stddev + mean


@replaces(keras_random, "truncated_normal")
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> torch.Tensor:
    return _numbers(shape, "truncated_normal", _float(dtype), seed) * stddev + mean


_randint = own_attribute(keras_random, "randint")


@replaces(keras_random, "randint")
def randint(
    shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None
) -> torch.Tensor:
    if _is_seeded(seed):
        drawn = torch.int32 if backend.standardize_dtype(dtype) == "int32" else torch.int64
        bounds = [convert_to_tensor(v, str(drawn)[6:]) for v in (minval, maxval)]
        x = _draw.from_state(_state(seed), "uniform_int", to_shape(shape), drawn, bounds)
        return x.to(to_torch_dtype(dtype))
    if not tracing():
        return _randint(shape, minval, maxval, dtype, seed)
    x = _numbers(shape, "uniform", torch.float64, seed) * (maxval - minval)
    return torch.floor(x).to(to_torch_dtype(dtype)) + minval


_categorical = own_attribute(keras_random, "categorical")


@replaces(keras_random, "categorical")
def categorical(
    logits: Any, num_samples: Any, dtype: Any = "int32", seed: Any = None
) -> torch.Tensor:
    if not _is_seeded(seed):
        return _categorical(logits, num_samples, dtype, seed)
    drawn = _stateless.stateless_categorical(convert_to_tensor(logits), num_samples, _state(seed))
    return drawn._data.to(to_torch_dtype(dtype))


_dropout = own_attribute(keras_random, "dropout")


@replaces(keras_random, "dropout")
def dropout(inputs: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> torch.Tensor:
    if rate in (0.0, 1.0):
        return _dropout(inputs, rate, noise_shape, seed)
    size = keras_random._get_concrete_noise_shape(inputs, noise_shape)
    drawn_by_torch = not _is_seeded(seed) or (not _is_own(seed) and math.prod(size) > _LARGE)
    if drawn_by_torch and isinstance(rate, (int, float)):
        if noise_shape is None and inputs.device.type != "cpu":
            return _dropout(inputs, rate, None, None)
        return inputs * keep_mask(size, rate, inputs.device) * (1.0 / (1.0 - rate))
    noise = _numbers(size, "uniform", inputs.dtype, seed)
    zero = torch.zeros((), dtype=inputs.dtype, device=inputs.device)
    return torch.where(noise >= rate, inputs * (1.0 / (1.0 - rate)), zero)


@replaces(keras_random, "shuffle")
def shuffle(x: Any, axis: Any = 0, seed: Any = None) -> torch.Tensor:
    x = convert_to_tensor(x)
    order = _numbers([x.shape[axis]], "uniform", torch.float32, seed).argsort(stable=True)
    return x.index_select(axis, order)


_gamma = own_attribute(keras_random, "gamma")
_binomial = own_attribute(keras_random, "binomial")
_beta = own_attribute(keras_random, "beta")


def _gamma_of(state: torch.Tensor, shape: Any, alpha: Any, dtype: Any) -> torch.Tensor:
    wide = torch.float32 if _float(dtype) is torch.bfloat16 else _float(dtype)
    alpha = convert_to_tensor(alpha).to(wide).expand(to_shape(shape)).contiguous()
    drawn = _stateless.stateless_gamma(to_shape(shape), state, alpha, dtype=wide)
    return drawn._data.to(_float(dtype))


@replaces(keras_random, "gamma")
def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> torch.Tensor:
    if _is_seeded(seed):
        return _gamma_of(_state(seed), shape, alpha, dtype)
    if not tracing():
        return _gamma(shape, alpha, dtype, seed)
    alpha = torch.broadcast_to(convert_to_tensor(alpha), tuple(shape))
    return torch._standard_gamma(alpha).to(_float(dtype))


@replaces(keras_random, "beta")
def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> torch.Tensor:
    if _is_seeded(seed):
        first = _state(seed)
        a, b = (_gamma_of(*p, dtype) for p in ((first, shape, alpha), (first + 12, shape, beta)))
    elif tracing():
        a, b = gamma(shape, alpha, dtype), gamma(shape, beta, dtype)
    else:
        return _beta(shape, alpha, beta, dtype, seed)
    return a / (a + b)


@replaces(keras_random, "binomial")
def binomial(
    shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> torch.Tensor:
    if _is_seeded(seed):
        wide = torch.float32 if _float(dtype) is torch.bfloat16 else _float(dtype)
        n, p = (convert_to_tensor(v, "float32") for v in (counts, probabilities))
        drawn = _stateless.stateless_binomial(to_shape(shape), _state(seed), n, p, wide)
        return drawn._data.to(_float(dtype))
    if not tracing():
        return _binomial(shape, counts, probabilities, dtype, seed)
    count = torch.broadcast_to(convert_to_tensor(counts, "float32"), tuple(shape))
    probability = torch.broadcast_to(convert_to_tensor(probabilities), tuple(shape))
    return torch.binomial(count, probability).to(_float(dtype))


# ---- preprocessing layers look whether they run in TensorFlow's graph: they never do ------------


@replaces(backend_utils, "in_tf_graph")
def in_tf_graph() -> bool:
    return False

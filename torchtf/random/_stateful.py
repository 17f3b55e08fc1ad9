"""`tf.random.uniform` and the other ops that draw new numbers at each call.

With a seed they give TensorFlow's numbers, eagerly and in a `tf.function`. Without any seed they
draw from torch's generator.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from torchtf import array_ops
from torchtf import math as tf_math
from torchtf.core import device, dtypes, errors, graph
from torchtf.core.convert import convert_to_tensor, to_shape, to_torch
from torchtf.core.op import op
from torchtf.core.tensor import MANY, wrap
from torchtf.random import _draw, _seeds
from torchtf.random._distributions import RESERVED

_FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
_NUMBERS = (int, float)


def _seeded(op_name: str, kind: str, sizes, blocks, dtype, seed, params=(), key=()):
    """TensorFlow's numbers of a kind; None without any seed.

    Args:
        op_name: TensorFlow's name of the op.
        kind: of the numbers, see `_draw`.
        sizes: the shape of the result.
        blocks: how many blocks of the stream the op sets aside.
        dtype: the torch type of the result.
        seed: the op seed the user gave, or None.
        params: of the distribution, torch tensors.
        key: what else tells this op from others, such as the type of a parameter.
    """
    if graph.state.trace is not None:
        state = _seeds.traced_state(seed, blocks)
        return None if state is None else _draw.from_state(state, kind, sizes, dtype, params)
    stream = _seeds.reserve(op_name, seed, blocks, *key)
    return None if stream is None else _draw.from_stream(stream, kind, sizes, dtype, params)


def _standard(op_name: str, kind: str, shape, dtype, seed, native) -> torch.Tensor:
    """Standard numbers of a kind: TensorFlow's if there is a seed, else those of `native`."""
    sizes = to_shape(shape, "T", cast=False)
    if any(isinstance(s, int) and s < 0 for s in sizes):
        bad = next(s for s in sizes if s < 0)
        raise errors.of_kernel(op_name, f"Dimension {bad} must be >= 0")
    blocks = math.prod(sizes) * RESERVED
    drawn = _seeded(op_name, kind, sizes, blocks, dtype.torch, seed, key=(dtype,))
    return drawn if drawn is not None else native(sizes, dtype=dtype.torch, device=device.current())


def _float_type(dtype, op_name, mean, stddev):
    """The type of normal numbers; mean and deviation must fit it."""
    dtype = dtypes.as_dtype(dtype)
    if dtype not in _FLOATS:
        convert_to_tensor(mean, dtype), convert_to_tensor(stddev, dtype)
        raise errors.InvalidArgumentError(
            None, None,
            f"Value for attr 'dtype' of {dtype.name} is not in the list of allowed values: half, "
            f"bfloat16, float, double\n\t; NodeDef: {{{{node {op_name}}}}}; [Op:{op_name}] name: ",
        )  # fmt: skip
    return dtype


def _scaled(raw, scale, offset, name=None):
    """Raw * scale + offset, differentiable in scale and offset."""
    standard = wrap(raw)
    if type(scale) in _NUMBERS and type(offset) in _NUMBERS:
        if scale == 1 and offset == 0:
            return standard
        return tf_math.add(tf_math.multiply(standard, float(scale)), float(offset), name)
    dtype = standard.dtype
    scale, offset = convert_to_tensor(scale, dtype), convert_to_tensor(offset, dtype)
    return tf_math.add(tf_math.multiply(standard, scale), offset, name)


def _rand(sizes, dtype, device):
    """torch.rand; many numbers by NumPy, in a third of the time, from a seed that torch draws."""
    kind = _DRAWN_BY_NUMPY.get(dtype)
    if kind is None or device.type != "cpu" or graph.state.trace is not None:
        return torch.rand(sizes, dtype=dtype, device=device)
    if math.prod(sizes) < MANY:
        return torch.rand(sizes, dtype=dtype)
    seed = torch.randint(2**63 - 1, ()).item()
    generator = np.random.Generator(np.random.SFC64(seed))
    return torch.from_numpy(generator.random(sizes, kind))


_DRAWN_BY_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


def uniform(shape, minval=0, maxval=None, dtype=dtypes.float32, seed=None, name=None):
    """Draws from a uniform distribution over [minval, maxval) (source: `tf.random.uniform`).

    Args:
        shape: the shape of the result.
        minval: the lower bound; for floats broadcast with `shape`, for integers a scalar.
        maxval: the upper bound; 1 by default for floats.
        dtype: float16, bfloat16, float32, float64, int32 or int64.
        seed: an op seed, see `tf.random.set_seed`.

    Raises:
        ValueError: for another dtype, or integers without `maxval`.
        InvalidArgumentError: if minval >= maxval for integers.
    """
    dtype = dtypes.as_dtype(dtype)
    accepted = (*_FLOATS, dtypes.int32, dtypes.int64)
    if dtype not in accepted:
        raise ValueError(
            f"Argument `dtype` got invalid value {dtype}. Accepted dtypes are {accepted}."
        )
    if dtype.is_integer:
        if maxval is None:
            raise ValueError(f"Must specify maxval for integer dtype tf.{dtype.name}")
        return _uniform_int(shape, minval, maxval, dtype, seed)
    maxval = 1 if maxval is None else maxval
    raw = _standard("RandomUniform", "uniform", shape, dtype, seed, _rand)
    if type(minval) in _NUMBERS and type(maxval) in _NUMBERS:
        return _scaled(raw, _difference(maxval, minval, dtype), minval, name)
    low, high = convert_to_tensor(minval, dtype), convert_to_tensor(maxval, dtype)
    return _scaled(raw, tf_math.subtract(high, low), low, name)


def _difference(high, low, dtype):
    """High - low, rounded as the type rounds."""
    if low == 0:
        return high
    kind = dtype.as_numpy_dtype
    return float(kind(high) - kind(low))


def _scalar(value, dtype, what):
    data = to_torch(value, dtype.torch)
    if data.dim():
        shape = list(data.shape)
        raise errors.of_kernel("RandomUniformInt", f"{what} must be 0-D, got shape {shape}")
    return data


def _uniform_int(shape, minval, maxval, dtype, seed):
    sizes = to_shape(shape, "T", cast=False)
    low, high = _scalar(minval, dtype, "minval"), _scalar(maxval, dtype, "maxval")
    if graph.state.trace is None and low >= high:
        raise errors.of_kernel("RandomUniformInt", f"Need minval < maxval, got {low} >= {high}")
    blocks = math.prod(sizes) * RESERVED
    bounds = [low.cpu(), high.cpu()]
    drawn = _seeded(
        "RandomUniformInt", "uniform_int", sizes, blocks, dtype.torch, seed, bounds, key=(dtype,)
    )
    if drawn is not None:
        return wrap(drawn)
    if graph.state.trace is not None:
        if type(minval) is int and type(maxval) is int:
            return wrap(
                torch.randint(minval, maxval, sizes, dtype=dtype.torch, device=device.current())
            )
        # 2**62 is so much more than any sensible range that the remainder's bias does not show
        bits = torch.randint(0, 2**62, sizes, dtype=torch.int64, device=device.current())
        return wrap(low + torch.remainder(bits, (high - low).to(torch.int64)).to(dtype.torch))
    low, high = low.item(), high.item()
    return wrap(torch.randint(low, high, sizes, dtype=dtype.torch, device=device.current()))


def normal(shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, seed=None, name=None):
    """Draws from a normal distribution (source: `tf.random.normal`).

    Args:
        shape: the shape of the result.
        mean, stddev: of the distribution; broadcast with `shape`.
        dtype: float16, bfloat16, float32 or float64.
        seed: an op seed, see `tf.random.set_seed`.

    Raises:
        TypeError: for an integer type.
    """
    dtype = _float_type(dtype, "RandomStandardNormal", mean, stddev)
    raw = _standard("RandomStandardNormal", "normal", shape, dtype, seed, torch.randn)
    return _scaled(raw, stddev, mean, name)


def _native_truncated_normal(sizes, dtype, device):
    """By the inverse of the distribution function between -2 and 2."""
    bound = math.erf(math.sqrt(2))
    wide = dtype if dtype is torch.float64 else torch.float32
    share = torch.rand(sizes, dtype=wide, device=device) * 2 - 1
    return (torch.erfinv(share * bound) * math.sqrt(2)).clamp(-2, 2).to(dtype)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=dtypes.float32, seed=None, name=None):
    """Draws normal numbers within two standard deviations (source: `tf.random.truncated_normal`).

    Arguments and errors are those of `tf.random.normal`.
    """
    dtype = _float_type(dtype, "TruncatedNormal", mean, stddev)
    raw = _standard(
        "TruncatedNormal", "truncated_normal", shape, dtype, seed, _native_truncated_normal
    )
    return _scaled(raw, stddev, mean, name)


@op("RandomShuffle")
def _gather_rows(value: T, order):
    return value.index_select(0, order.to(value.device))


def shuffle(value, seed=None, name=None):
    """Shuffles a tensor along its first axis (source: `tf.random.shuffle`)."""
    value = convert_to_tensor(value)
    size = value._data.shape[0] if value._data.ndim else 1
    if isinstance(size, int) and size <= 1:
        return value
    return _gather_rows(value, _order(size, seed), name)


def permutation_blocks(size) -> int:
    """How many blocks of a stream a permutation of `size` elements takes."""
    return -(-(size - 1) // 4)


def _order(size, seed) -> torch.Tensor:
    blocks = permutation_blocks(size)
    drawn = _seeded("RandomShuffle", "permutation", [size], blocks, torch.int64, seed)
    return drawn if drawn is not None else torch.randperm(size, device=device.current())


@op("Multinomial", strings=None)
def _multinomial(logits: Real, samples, seed, dtype):
    check_logits(logits)
    batch = logits.shape[0]
    blocks = batch * (-(-samples // 4) * 4 * 2) * RESERVED
    key = logits.dtype, dtype
    drawn = _seeded("Multinomial", "categorical", [batch, samples], blocks, dtype, seed,
                    [logits], key)  # fmt: skip
    if drawn is not None:
        return drawn
    cumulated = torch.softmax(logits.double(), 1).cumsum(1)
    points = torch.rand(batch, samples, dtype=torch.float64, device=logits.device)
    return torch.searchsorted(cumulated, points * cumulated[:, -1:], right=True).to(dtype)


def check_logits(logits):
    if logits.dim() != 2:
        raise errors.InvalidArgumentError(
            None, None, f"logits should be a matrix, got shape {list(logits.shape)}"
        )
    if logits.shape[1] == 0:
        raise errors.InvalidArgumentError(None, None, "num_classes should be positive, got 0")


def class_type(dtype) -> torch.dtype:
    dtype = dtypes.as_dtype(dtype) if dtype else dtypes.int64
    accepted = (dtypes.int32, dtypes.int64)
    if dtype not in accepted:
        raise ValueError(
            f"Argument `dtype` got invalid value {dtype}. Accepted dtypes are {accepted}."
        )
    return dtype.torch


def categorical(logits, num_samples, dtype=None, seed=None, name=None):
    """Draws class numbers (source: `tf.random.categorical`).

    Args:
        logits: [batch, classes], unnormalized log-probabilities.
        num_samples: how many to draw for each row.
        dtype: int32 or int64 (default).
        seed: an op seed, see `tf.random.set_seed`.

    Returns:
        [batch, num_samples], class numbers.
    """
    samples = to_shape([num_samples])[0]
    return _multinomial(logits, samples, seed, class_type(dtype), name)


def gamma(shape, alpha, beta=None, dtype=dtypes.float32, seed=None, name=None):
    """Draws from gamma distributions (source: `tf.random.gamma`).

    Args:
        shape: the shape of the draws for each pair of parameters.
        alpha: the shape parameter.
        beta: the rate; 1 by default. Broadcast with `alpha`.
        dtype: the type of the parameters and the result.
        seed: an op seed, see `tf.random.set_seed`.

    Returns:
        A tensor of shape `shape + broadcast(alpha, beta).shape`; gradients flow to both.
    """
    dtype = dtypes.as_dtype(dtype)
    alpha = convert_to_tensor(alpha, dtype)
    beta = convert_to_tensor(1 if beta is None else beta, dtype)
    alpha = tf_math.add(alpha, array_ops.zeros_like(beta))  # broadcast both
    drawn = _random_gamma(alpha, to_shape(shape), seed)
    return gamma_result(drawn, beta, dtype, name)


def gamma_result(drawn, beta, dtype, name):
    tiny = torch.finfo(dtype.torch).tiny
    return tf_math.maximum(convert_to_tensor(tiny, dtype), tf_math.divide(drawn, beta), name)


@op("RandomGamma")
def _random_gamma(alpha: Float, sizes, seed):
    full = [*sizes, *alpha.shape]
    blocks = math.prod(full) * RESERVED
    drawn = _seeded("RandomGamma", "gamma", full, blocks, alpha.dtype, seed,
                    [alpha.detach()], key=(alpha.dtype,))  # fmt: skip
    if drawn is not None:
        return gamma_gradient(drawn, alpha)
    return torch._standard_gamma(alpha.expand(full).contiguous())


def gamma_gradient(drawn, alpha):
    """`drawn`, with its implicit derivative with respect to `alpha`."""
    if not alpha.requires_grad:
        return drawn
    full = alpha.expand(drawn.shape)
    slope = torch._standard_gamma_grad(full.detach(), drawn)
    return drawn + (full - full.detach()) * slope


def poisson(shape, lam, dtype=dtypes.float32, seed=None, name=None):
    """Draws from Poisson distributions (source: `tf.random.poisson`).

    Args:
        shape: the shape of the draws for each rate.
        lam: the rates, a tensor of any shape.
        dtype: the type of the result.
        seed: an op seed, see `tf.random.set_seed`.

    Returns:
        A tensor of shape `shape + lam.shape`.
    """
    dtype = dtypes.as_dtype(dtype)
    return _random_poisson(lam, to_shape(shape), dtype.torch, seed, name)


@op("RandomPoissonV2")
def _random_poisson(lam: Real, sizes, dtype, seed):
    full = [*sizes, *lam.shape]
    lam = lam.detach()
    blocks = math.prod(full) * RESERVED
    key = lam.dtype, dtype
    drawn = _seeded("RandomPoissonV2", "poisson", full, blocks, dtype, seed, [lam], key)
    if drawn is not None:
        return drawn
    rate = lam if lam.dtype.is_floating_point else lam.double()
    return torch.poisson(rate.expand(full)).to(dtype)

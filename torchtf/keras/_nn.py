"""Keras' neural network functions on ATen's own kernels.

Contract:
- The numbers are Keras' where Keras' are TensorFlow's, up to the order of roundings: "same" padding
  is TensorFlow's, average pooling counts no padding, moving variances are biased ones.
- Channels-last images are permuted views in torch's channels-last memory format: no copies.
- A bias belongs to its convolution or matrix product, where the kernel adds it for nothing.
- A window that does not fit is left to the ops of `tf.nn`: an empty result or an error. Keras
  refuses the empty result of a convolution, unless it has groups.
- Classes out of range are zeros in a one-hot vector, as in TensorFlow.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as tnn
from keras.src import backend
from keras.src.backend.torch import nn as keras_nn
from keras.src.backend.torch.core import cast, convert_to_tensor, get_device
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.core.dense import Dense
from keras.src.layers.normalization.batch_normalization import BatchNormalization
from keras.src.utils.argument_validation import standardize_tuple

from torchtf import nn
from torchtf.core.convolution import start_pixels
from torchtf.keras import _side
from torchtf.keras._distribute import note_statistics, synchronized_moments
from torchtf.keras._patch import own_attribute, replaces, use_everywhere
from torchtf.keras._sparse import or_sparse
from torchtf.ragged import RaggedTensor

_CONV = {1: tnn.conv1d, 2: tnn.conv2d, 3: tnn.conv3d}
_MAX_POOL = {1: tnn.max_pool1d, 2: tnn.max_pool2d, 3: tnn.max_pool3d}
_AVERAGE_POOL = {1: tnn.avg_pool1d, 2: tnn.avg_pool2d, 3: tnn.avg_pool3d}


def _to_channels_first(x: torch.Tensor) -> torch.Tensor:
    """N...C as a view NC..., which is channels-last in torch's sense."""
    return x.movedim(-1, 1)


def _to_channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(1, -1)


@replaces(keras_nn, "_transpose_spatial_inputs")
def _transpose_spatial_inputs(inputs: torch.Tensor) -> torch.Tensor:
    return _to_channels_first(inputs)


def _same_padding(size: Any, window: int, stride: int, dilation: int = 1) -> tuple[Any, Any]:
    """How many elements TensorFlow's "same" padding adds on each side of one dimension."""
    window = (window - 1) * dilation + 1
    if stride == 1:
        total = window - 1
    else:
        total = max(0, ((size + stride - 1) // stride - 1) * stride + window - size)
    return total // 2, total - total // 2


def _pad(
    x: torch.Tensor, window: Any, strides: Any, dilation: Any, value: float
) -> tuple[torch.Tensor, list[Any] | int]:
    """Applies "same" padding, or returns it for the kernel to apply where it is symmetric."""
    pads = [
        _same_padding(n, k, s, d)
        for n, k, s, d in zip(x.shape[2:], window, strides, dilation, strict=True)
    ]
    if all(left == right for left, right in pads):
        return x, [left for left, _ in pads]
    return tnn.pad(x, [p for pair in reversed(pads) for p in pair], value=value), 0


def _fits(x: torch.Tensor, window: Any, dilation: Any) -> bool:
    """Whether an image, as far as its size is known, holds an unpadded window."""
    return all(
        type(n) is not int or n >= (k - 1) * d + 1
        for n, k, d in zip(x.shape[2:], window, dilation, strict=True)
    )


def _place(op: Any, channels_last: bool, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """What an op of `tf.nn` gives, with unpadded windows."""
    axes = {1: "W", 2: "HW", 3: "DHW"}[x.ndim - 2]
    layout = f"N{axes}C" if channels_last else f"NC{axes}"
    kwargs |= {"padding": "VALID", "data_format": layout}
    return _side.inward(_side.on_user_side(op, (x, *args), kwargs))


def _convolve_misfit(
    x: torch.Tensor, kernel: torch.Tensor, strides: Any, channels_last: bool, dilation: Any
) -> torch.Tensor:
    options = {"strides": strides, "dilations": dilation}
    y: torch.Tensor = _place(nn.convolution, channels_last, x, kernel, **options)
    if x.numel() and kernel.shape[-2] == x.shape[-1 if channels_last else 1]:
        raise ValueError(
            f"A convolution gives nothing, a result of shape {tuple(y.shape)}: the input, of shape "
            f"{tuple(x.shape)}, is smaller than the kernel, of shape {tuple(kernel.shape)}."
        )
    return y


def _convolve(
    inputs: torch.Tensor,
    kernel: torch.Tensor,
    bias: torch.Tensor | None,
    strides: Any,
    padding: str,
    data_format: str | None,
    dilation_rate: Any,
) -> torch.Tensor:
    rank = inputs.ndim - 2
    if rank not in _CONV:
        raise ValueError(
            "Inputs to conv operation should have ndim=3, 4, or 5, corresponding to 1D, 2D and 3D "
            f"inputs. Received input shape: {inputs.shape}."
        )
    strides = standardize_tuple(strides, rank, "strides")
    dilation = standardize_tuple(dilation_rate, rank, "dilation_rate")
    channels_last = backend.standardize_data_format(data_format) == "channels_last"
    x = _to_channels_first(inputs) if channels_last else inputs
    # Keras' kernels are (..., in, out), torch's (out, in, ...).
    weight = kernel.permute(rank + 1, rank, *range(rank))
    if x.shape[1] % weight.shape[1]:
        raise ValueError(
            f"Input channels ({x.shape[1]}) must be divisible by kernel input channels "
            f"({weight.shape[1]})"
        )
    pad: Any = 0
    if padding == "same":
        x, pad = _pad(x, weight.shape[2:], strides, dilation, 0.0)
    elif not _fits(x, weight.shape[2:], dilation):
        return _convolve_misfit(inputs, kernel, strides, channels_last, dilation)
    x, strides = start_pixels(x, weight.shape[2:], strides)
    y = _CONV[rank](x, weight, bias, strides, pad, dilation, groups=x.shape[1] // weight.shape[1])
    return _to_channels_last(y) if channels_last else y


@replaces(keras_nn, "conv")
def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> torch.Tensor:
    return _convolve(
        convert_to_tensor(inputs),
        convert_to_tensor(kernel),
        None,
        strides,
        padding,
        data_format,
        dilation_rate,
    )


_conv_call = own_attribute(BaseConv, "call")


@replaces(BaseConv, "call")
def conv_call(self: Any, inputs: torch.Tensor) -> torch.Tensor:
    is_own = type(self).convolution_op is not BaseConv.convolution_op
    if is_own or isinstance(inputs, RaggedTensor):
        return _conv_call(self, inputs)
    outputs = _convolve(
        inputs,
        convert_to_tensor(self.kernel),
        convert_to_tensor(self.bias) if self.use_bias else None,
        self.strides,
        self.padding,
        self.data_format,
        self.dilation_rate,
    )
    return outputs if self.activation is None else self.activation(outputs)


_dense_call = own_attribute(Dense, "call")


@replaces(Dense, "call")
def dense_call(self: Any, inputs: torch.Tensor, training: Any = None) -> torch.Tensor:
    if isinstance(inputs, RaggedTensor):
        return _dense_call(self, inputs, training)
    inputs, kernel = convert_to_tensor(inputs), convert_to_tensor(self.kernel)
    if inputs.dtype != kernel.dtype or not kernel.is_floating_point() or _is_half_on_cpu(kernel):
        return _dense_call(self, inputs, training)
    bias = None if self.bias is None else convert_to_tensor(self.bias)
    outputs = tnn.linear(inputs, kernel.t(), bias)
    return outputs if self.activation is None else self.activation(outputs)


def _is_half_on_cpu(x: torch.Tensor) -> bool:
    """Keras multiplies float16 matrices in float32 on CPUs."""
    return x.dtype == torch.float16 and x.device.type == "cpu"


@replaces(keras_nn, "max_pool")
def max_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> torch.Tensor:
    x, window, strides, channels_last = _pooling_arguments(inputs, pool_size, strides, data_format)
    pad: Any = 0
    if padding == "same":
        x, pad = _pad(x, window, strides, (1,) * len(window), _lowest(x.dtype))
    elif not _fits(x, window, (1,) * len(window)):
        return _pool_misfit(nn.max_pool, x, window, strides, channels_last)
    if x.device.type == "meta":  # these kernels have no shape function of their own
        x = torch.empty(x.shape, dtype=x.dtype)
    y = _MAX_POOL[len(window)](x, window, strides, pad).to(get_device())
    return _to_channels_last(y) if channels_last else y


@replaces(keras_nn, "average_pool")
def average_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> torch.Tensor:
    x, window, strides, channels_last = _pooling_arguments(inputs, pool_size, strides, data_format)
    if padding != "same" and not _fits(x, window, (1,) * len(window)):
        return _pool_misfit(nn.avg_pool, x, window, strides, channels_last)
    pool = _AVERAGE_POOL[len(window)]
    if padding != "same":
        y = pool(x, window, strides)
    else:
        padded, pad = _pad(x, window, strides, (1,) * len(window), 0.0)
        if padded is x:
            y = pool(x, window, strides, pad, count_include_pad=False)
        else:
            # The share of each window that is no padding.
            inside, _ = _pad(
                x.new_ones((1, 1, *x.shape[2:])), window, strides, (1,) * len(window), 0.0
            )
            y = pool(padded, window, strides) / pool(inside, window, strides)
    return _to_channels_last(y) if channels_last else y


def _pool_misfit(op: Any, x: torch.Tensor, window: Any, strides: Any, last: bool) -> torch.Tensor:
    inputs = _to_channels_last(x) if last else x
    return _place(op, last, inputs, ksize=window, strides=strides)


def _lowest(dtype: torch.dtype) -> float:
    return float("-inf") if dtype.is_floating_point else torch.iinfo(dtype).min


def _pooling_arguments(
    inputs: Any, pool_size: Any, strides: Any, data_format: str | None
) -> tuple[torch.Tensor, tuple, tuple, bool]:
    x = convert_to_tensor(inputs)
    rank = x.ndim - 2
    if rank not in _MAX_POOL:
        raise ValueError(
            "Inputs to pooling op must have ndim=3, 4 or 5, corresponding to 1D, 2D and 3D inputs. "
            f"Received input shape: {x.shape}."
        )
    window = standardize_tuple(pool_size, rank, "pool_size")
    strides = window if strides is None else standardize_tuple(strides, rank, "strides")
    channels_last = backend.standardize_data_format(data_format) == "channels_last"
    return (_to_channels_first(x) if channels_last else x), window, strides, channels_last


_batch_norm_init = own_attribute(BatchNormalization, "__init__")


@replaces(BatchNormalization, "__init__")
def batch_norm_init(
    self: Any,
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    beta_initializer: Any = "zeros",
    gamma_initializer: Any = "ones",
    moving_mean_initializer: Any = "zeros",
    moving_variance_initializer: Any = "ones",
    beta_regularizer: Any = None,
    gamma_regularizer: Any = None,
    beta_constraint: Any = None,
    gamma_constraint: Any = None,
    renorm: bool = False,
    renorm_clipping: Any = None,
    renorm_momentum: float = 0.99,
    synchronized: bool = False,
    **kwargs: Any,
) -> None:
    given = dict(locals())  # Keras reads the names of the arguments off the signature
    for name in ("self", "kwargs", "synchronized"):
        del given[name]
    _batch_norm_init(self, **given, **kwargs)
    self.synchronized = synchronized


_moments = own_attribute(keras_nn, "moments")


@replaces(keras_nn, "moments")
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    if not synchronized:
        return _moments(x, axes, keepdims)
    return synchronized_moments(convert_to_tensor(x), axes, keepdims)


_batch_norm_call = own_attribute(BatchNormalization, "call")


@replaces(BatchNormalization, "call")
def batch_norm_call(
    self: Any, inputs: torch.Tensor, training: Any = None, mask: Any = None
) -> torch.Tensor:
    if isinstance(inputs, RaggedTensor) and self.axis in (-1, len(inputs.shape) - 1):
        values = batch_norm_call(self, _side.inward(inputs.flat_values), training)
        return _side.inward(inputs.with_flat_values(_side.outward(values)))
    axis = self.axis % inputs.ndim
    native = (
        mask is None
        and not self.renorm
        and not self.synchronized
        and inputs.is_floating_point()
        and inputs.dtype != torch.float64
        and inputs.device.type != "meta"
        and inputs.ndim > 1
        and axis in (1, inputs.ndim - 1)
    )
    if not native:
        return _batch_norm_call(self, inputs, training, mask)
    x = inputs.movedim(axis, 1)
    if x.dtype == torch.float16 and x.device.type == "cpu":
        x = x.float()
    mean, variance = convert_to_tensor(self.moving_mean), convert_to_tensor(self.moving_variance)
    gamma = convert_to_tensor(self.gamma) if self.scale else None
    beta = convert_to_tensor(self.beta) if self.center else None
    if training and self.trainable:
        y, batch_mean, inverse_std = torch.native_batch_norm(
            x, gamma, beta, None, None, True, 0.0, self.epsilon
        )
        with torch.no_grad():
            # Keras averages the biased variance, the kernel would average the unbiased one.
            batch_variance = inverse_std.pow(-2).sub_(self.epsilon)
            mean.lerp_(batch_mean.to(mean.dtype), 1.0 - self.momentum)
            variance.lerp_(batch_variance.to(variance.dtype), 1.0 - self.momentum)
        note_statistics(self.moving_mean, self.moving_variance)
    else:
        y = tnn.batch_norm(x, mean, variance, gamma, beta, False, 0.0, self.epsilon)
    return cast(y.movedim(1, axis), self.compute_dtype)


@replaces(keras_nn, "one_hot")
@or_sparse
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> torch.Tensor:
    x = convert_to_tensor(x, "int64")
    hot = x.unsqueeze(-1) == torch.arange(num_classes, device=x.device)  # of no class: zeros
    return cast(hot, dtype or backend.floatx()).movedim(-1, axis)


use_everywhere(one_hot)

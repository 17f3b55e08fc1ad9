"""Arithmetic, comparison, logic, rounding and casting, elementwise."""

from __future__ import annotations

import numpy as np
import torch

from torchtf import bitwise
from torchtf.core import dtypes, errors
from torchtf.core.convert import KERNEL_NAMES, convert_to_tensor
from torchtf.core.derivative import differentiable
from torchtf.core.dispatch import handler_of
from torchtf.core.indexed_slices import IndexedSlices
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import Tensor, is_fake, is_large, is_tensor_type

# -- sums, differences, products


@op("AddV2", scalars=True, fold=np.add, coerce=False)
def add(x: Num, y: Num):
    """Returns x + y, elementwise, with broadcasting (source: `tf.math.add`)."""
    return torch.add(x, y)


@op("Sub", scalars=True, fold=np.subtract)
def subtract(x: Num, y: Num):
    """Returns x - y, elementwise, with broadcasting (source: `tf.math.subtract`)."""
    return torch.sub(x, y)


@op("Mul", scalars=True, fold=np.multiply)
def multiply(x: Num, y: Num):
    """Returns x * y, elementwise, with broadcasting (source: `tf.math.multiply`)."""
    return torch.mul(x, y)


@op("Square")
def square(x: Num):
    """Returns x * x (source: `tf.math.square`)."""
    return torch.mul(x, x)


@op("SquaredDifference")
def squared_difference(x: Wide, y: Wide):
    """Returns conj(x - y) * (x - y) (source: `tf.math.squared_difference`)."""
    difference = x - y
    return difference * (difference.conj() if x.dtype.is_complex else difference)


@op("MulNoNan")
def _multiply_no_nan(x: FloatComplex, y: FloatComplex):
    return _mul_no_nan(x, y)


_mul_no_nan = differentiable(
    lambda x, y: torch.where(y == 0, torch.zeros_like(y), x * y),
    lambda x, y: y.conj(),  # TensorFlow's own gradient does not conjugate
    lambda x, y: x.conj(),
)


def multiply_no_nan(x, y, name=None):
    """Returns x * y, and 0 where y is 0 even if x is not finite
    (source: `tf.math.multiply_no_nan`).

    Raises:
        ValueError: if x and y have different types.
    """
    x = convert_to_tensor(x)
    return _multiply_no_nan(x, convert_to_tensor(y, dtype=x.dtype), name)


@op("AddN")
def _add_n(inputs: list[Num]):
    total = inputs[0]
    for x in inputs[1:]:
        total = total + x
    return total if len(inputs) > 1 else total.view_as(total)


def add_n(inputs, name=None):
    """The sum of a list of tensors of one shape and type (source: `tf.math.add_n`).

    Raises:
        ValueError: if the list is empty, or shapes or types differ.
    """
    if is_tensor_type(inputs):
        inputs = [inputs]
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(
            "Inputs must be an iterable of at least one Tensor/IndexedSlices with the same dtype "
            f"and shape. Received: {inputs}"
        )
    if handler_of(inputs) is not None:
        return _add_n(list(inputs), name)
    inputs = [convert_to_tensor(x) for x in inputs]
    for i, x in enumerate(inputs):
        if not x.shape.is_compatible_with(inputs[0].shape):
            raise errors.of_kernel(
                "AddN",
                "Inputs to operation AddN of type AddN must have the same size and shape.  "
                f"Input 0: {brackets(inputs[0].shape)} != input {i}: {brackets(x.shape)}",
                name or "",
                f"_N_{len(inputs)}",
            )
    return _add_n(inputs, name)


def accumulate_n(inputs, shape=None, tensor_dtype=None, name=None):
    """The sum of a list of tensors of one shape and type (source: `tf.math.accumulate_n`).

    Args:
        inputs: a list of tensors.
        shape, tensor_dtype: what the result is expected to be.

    Raises:
        ValueError: if the list is empty, or the tensors are not alike or not as expected.
        TypeError: if the type is not the expected one.
    """
    message = "inputs must be a list of at least one Tensor with the same dtype and shape"
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ValueError(message)
    inputs = [convert_to_tensor(x) for x in inputs]
    if any(x.dtype is not inputs[0].dtype for x in inputs):
        raise ValueError(message)
    found = inputs[0].shape if shape is None else inputs[0].shape.merge_with(shape)
    for x in inputs:
        found = found.merge_with(x.shape)
    if tensor_dtype is not None and dtypes.as_dtype(tensor_dtype) is not inputs[0].dtype:
        raise TypeError(
            f"tensor_dtype is {dtypes.as_dtype(tensor_dtype).name}, but input is of type "
            f"{inputs[0].dtype.name}"
        )
    return _add_n(inputs, name)


def scalar_mul(scalar, x, name=None):
    """Returns scalar * x (source: `tf.math.scalar_mul`).

    Raises:
        ValueError: if `scalar` has dimensions.
    """
    if isinstance(x, IndexedSlices):
        return x._with_values(scalar_mul(scalar, x.values, name))
    x = convert_to_tensor(x)
    scalar = convert_to_tensor(scalar, dtype=x.dtype)
    if scalar.shape.rank not in (0, None):
        raise ValueError("The input scalar must be a 0-D value. "
                         f"Received shape {scalar.shape}.")  # fmt: skip
    return multiply(scalar, x, name)


@op("Neg")
def negative(x: SignedComplex):
    """Returns -x (source: `tf.math.negative`)."""
    return torch.neg(x)


@op("Abs")
def abs(x: SignedComplex):
    """Returns the absolute value; of a complex number its modulus (source: `tf.math.abs`)."""
    return torch.abs(x)


@op("Sign")
def sign(x: SignedComplex):
    """Returns -1, 0 or 1; for complex numbers x / |x| (source: `tf.math.sign`)."""
    if x.dtype.is_complex:
        return torch.sgn(x)
    if x.is_floating_point():
        return torch.where(x != x, x.detach(), torch.sign(x))
    return torch.sign(x)


# -- division


def _is_made_of_tensors(x):
    return handler_of(x) is not None and isinstance(getattr(x, "dtype", None), dtypes.DType)


def _same_type(x, y):
    """Both as tensors of one type, or ragged ones; Python values take the other's."""
    if not is_tensor_type(x) and not _is_made_of_tensors(x):
        x = convert_to_tensor(x, dtype_hint=getattr(y, "dtype", None))
    if not _is_made_of_tensors(y):
        y = convert_to_tensor(y, dtype_hint=x.dtype)
    if x.dtype is not y.dtype:
        raise TypeError(f"`x` and `y` must have the same dtype, got {x.dtype!r} != {y.dtype!r}.")
    return x, y


@op("RealDiv", scalars=True)
def realdiv(x: FloatComplex, y: FloatComplex):
    """Returns x / y for real and complex types (source: `tf.realdiv`)."""
    return torch.div(x, y)


_TRUE_DIV_TYPES = {
    dtypes.int8: dtypes.float32,
    dtypes.uint8: dtypes.float32,
    dtypes.int16: dtypes.float32,
    dtypes.uint16: dtypes.float32,
    dtypes.int32: dtypes.float64,
    dtypes.int64: dtypes.float64,
    dtypes.uint32: dtypes.float64,
    dtypes.uint64: dtypes.float64,
}
_FAST_DIV = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))


def truediv(x, y, name=None):
    """Returns x / y as Python 3 divides: integers give a float (source: `tf.math.truediv`).

    int8 to uint16 give float32, wider integers float64.

    Raises:
        TypeError: if x and y have different types.
    """
    if (
        type(x) is Tensor
        and x._data.dtype in _FAST_DIV
        and (y._data.dtype is x._data.dtype if type(y) is Tensor else type(y) in (int, float))
    ):
        return realdiv(x, y, name)
    return realdiv(*_for_division(x, y), name)


def _for_division(x, y):
    x, y = _same_type(x, y)
    target = _TRUE_DIV_TYPES.get(x.dtype)
    return (x, y) if target is None else (cast(x, target), cast(y, target))


def divide(x, y, name=None):
    """Returns x / y as Python divides (source: `tf.math.divide`)."""
    return truediv(x, y, name)


def _div_no_nan(x, y):
    """Returns x / y, with value and gradient 0 where y is 0."""
    zero = y == 0
    quotient = x / torch.where(zero, torch.ones_like(y), y)
    return torch.where(zero, torch.zeros_like(quotient), quotient)


@op("DivNoNan")
def _divide_no_nan(x: FloatComplex, y: FloatComplex):
    return _div_no_nan(x, y)


def divide_no_nan(x, y, name=None):
    """Returns x / y, and 0 where y is 0 (source: `tf.math.divide_no_nan`).

    Raises:
        TypeError: if x and y have different types.
    """
    return _divide_no_nan(*_for_division(x, y), name)


@op("Reciprocal")
def reciprocal(x: SignedComplex):
    """Returns 1 / x (source: `tf.math.reciprocal`)."""
    if x.is_floating_point() or x.is_complex():
        return torch.reciprocal(x)
    return torch.div(1, x, rounding_mode="trunc")


def reciprocal_no_nan(x, name=None):
    """Returns 1 / x, and 0 where x is 0 (source: `tf.math.reciprocal_no_nan`)."""
    x = convert_to_tensor(x)
    return _divide_no_nan(convert_to_tensor(1, dtype=x.dtype), x, name)


def _check_divisor(x, y):
    """Raises if integers are divided by a zero; graphs do it when they run."""
    if x.is_floating_point() or is_fake(x) or (isinstance(y, torch.Tensor) and is_fake(y)):
        return
    if bool((y == 0).any()) if isinstance(y, torch.Tensor) else y == 0:
        raise errors.InvalidArgumentError(None, None, "Integer division by zero")


@op("FloorDiv", scalars=True, fold=np.floor_divide, uint64=False)
def floordiv(x: Real, y: Real):
    """Returns x // y, rounded toward minus infinity (source: `tf.math.floordiv`).

    Raises:
        InvalidArgumentError: if an integer is divided by zero.
    """
    _check_divisor(x, y)
    if x.is_floating_point():
        return torch.floor(torch.div(x.detach(), y if isinstance(y, float | int) else y.detach()))
    if x.dtype is torch.uint64:
        return _on_uint64(np.floor_divide, x, y)
    return torch.div(x, y, rounding_mode="floor")


def _on_uint64(function, x, y):
    """Division of uint64, which neither torch nor int64 arithmetic offers."""
    if is_fake(x) or is_fake(y):
        raise NotImplementedError(
            "Division of uint64 in a traced function is not supported; cast to int64 first."
        )
    return torch.from_numpy(np.asarray(function(x.cpu().numpy(), y.cpu().numpy()))).to(x.device)


_remainder = differentiable(
    torch.remainder, lambda x, y: torch.ones_like(x), lambda x, y: -torch.floor(x / y)
)


@op("FloorMod", scalars=True, fold=np.mod, uint64=False)
def floormod(x: Real, y: Real):
    """Returns x - floor(x / y) * y, with the sign of y (source: `tf.math.floormod`).

    Raises:
        InvalidArgumentError: if an integer is divided by zero.
    """
    _check_divisor(x, y)
    if x.dtype is torch.uint64:
        return _on_uint64(np.mod, x, y)
    return _remainder(x, y) if isinstance(y, torch.Tensor) else torch.remainder(x, y)


mod = floormod


@op("TruncateDiv", scalars=True, uint64=False)
def truncatediv(x: Real, y: Real):
    """Returns x / y, rounded toward zero (source: `tf.truncatediv`)."""
    _check_divisor(x, y)
    if x.dtype is torch.uint64:
        return _on_uint64(np.floor_divide, x, y)
    return torch.div(x, y, rounding_mode="trunc").detach()


@op("TruncateMod", scalars=True)
def truncatemod(x: Signed, y: Signed):
    """Returns the remainder with the sign of x (source: `tf.truncatemod`)."""
    _check_divisor(x, y)
    return torch.fmod(x, y)


def where_nonzero(x, value):
    """`value` where x is not 0, else 0 whatever `value` is."""
    return torch.where(x == 0, torch.zeros_like(value), value)


# the gradients of the x...y family are not conjugated in TensorFlow
_xdivy = differentiable(
    lambda x, y: where_nonzero(x, x / y),
    lambda x, y: where_nonzero(x, 1 / y).conj(),
    lambda x, y: where_nonzero(x, -x / (y * y)).conj(),
)


@op("Xdivy")
def xdivy(x: FloatComplex, y: FloatComplex):
    """Returns x / y, and 0 where x is 0 (source: `tf.math.xdivy`)."""
    return _xdivy(x, y)


# -- powers


def _log_of_base(x):
    """log(x), and 0 where the base has none: TensorFlow's convention in the gradient of x ** y."""
    usable = x != 0 if x.dtype.is_complex else x > 0
    return torch.where(usable, torch.log(torch.where(usable, x, 1)), 0)


_pow = differentiable(
    torch.pow,
    lambda x, y: y * _pow(x, y - 1),
    lambda x, y: _pow(x, y) * _log_of_base(x),
)


@op("Pow", scalars=True)
def pow(x: SignedComplex, y: SignedComplex):
    """Returns x ** y, elementwise (source: `tf.math.pow`).

    Raises:
        InvalidArgumentError: for an integer to a negative power.
    """
    if not (x.is_floating_point() or x.is_complex() or is_fake(x)):
        negative_power = (y < 0).any() if isinstance(y, torch.Tensor) else y < 0
        if negative_power:
            raise errors.InvalidArgumentError(
                None, None, "Integers to negative integer powers are not allowed"
            )
    return _pow(x, y) if isinstance(y, torch.Tensor) and y.requires_grad else torch.pow(x, y)


# -- extremes


# at a tie the gradient goes to x
_maximum = differentiable(torch.maximum, lambda x, y: x >= y, lambda x, y: ~(x >= y))
_minimum = differentiable(torch.minimum, lambda x, y: x <= y, lambda x, y: ~(x <= y))


@op("Maximum", scalars=True, fold=np.maximum, ordered=True)
def maximum(x: Real, y: Real):
    """Returns the larger of x and y, elementwise (source: `tf.math.maximum`)."""
    return _maximum(x, y) if isinstance(y, torch.Tensor) else torch.clamp(x, min=y)


@op("Minimum", scalars=True, fold=np.minimum, ordered=True)
def minimum(x: Real, y: Real):
    """Returns the smaller of x and y, elementwise (source: `tf.math.minimum`)."""
    return _minimum(x, y) if isinstance(y, torch.Tensor) else torch.clamp(x, max=y)


_nextafter = differentiable(
    torch.nextafter, lambda x, y: torch.ones_like(x), lambda x, y: torch.zeros_like(y)
)


@op("NextAfter")
def nextafter(x1: Double, x2: Double):
    """The next number after x1 toward x2 (source: `tf.math.nextafter`)."""
    return _nextafter(x1, x2)


# -- rounding: no gradient flows through it


@op("Floor")
def floor(x: Float):
    """The largest integer that is not greater (source: `tf.math.floor`)."""
    return torch.floor(x.detach())


@op("Ceil")
def ceil(x: Float):
    """The smallest integer that is not smaller (source: `tf.math.ceil`)."""
    return torch.ceil(x.detach())


@op("Rint")
def rint(x: Float):
    """The nearest integer, the even one when two are equally near (source: `tf.math.rint`)."""
    return torch.round(x.detach())


@op("Round")
def round(x: SignedComplex):
    """The nearest integer, the even one when two are equally near (source: `tf.math.round`)."""
    return torch.round(x.detach()) if x.is_floating_point() else x.detach()


# -- comparison

_COMPARED_BY_NUMPY = frozenset((torch.float32, torch.float64, torch.int32, torch.int64))
_FEW_THREADS = 4


def _compare(name: str, x, y):
    """torch.<name>(x, y), for many elements by NumPy, whose kernels write booleans several at once:
    a thread of it does as much as several of torch's.
    """
    if (
        not is_large(x, y)
        or x.dtype not in _COMPARED_BY_NUMPY
        or torch.get_num_threads() > _FEW_THREADS
    ):
        return getattr(torch, name)(x, y)
    return torch.from_numpy(_NUMPY[name](x.numpy(), y.numpy() if type(y) is torch.Tensor else y))


_NUMPY = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip


@op("Equal", strings="value", scalars=True)
def equal(x: T, y: T) -> Bool:
    """Returns x == y, elementwise (source: `tf.math.equal`)."""
    return _compare("eq", x, y)


@op("NotEqual", strings="value", scalars=True)
def not_equal(x: T, y: T) -> Bool:
    """Returns x != y, elementwise (source: `tf.math.not_equal`)."""
    return _compare("ne", x, y)


@op("Less", scalars=True, ordered=True)
def less(x: Real, y: Real) -> Bool:
    """Returns x < y, elementwise (source: `tf.math.less`)."""
    return _compare("lt", x, y)


@op("LessEqual", scalars=True, ordered=True)
def less_equal(x: Real, y: Real) -> Bool:
    """Returns x <= y, elementwise (source: `tf.math.less_equal`)."""
    return _compare("le", x, y)


@op("Greater", scalars=True, ordered=True)
def greater(x: Real, y: Real) -> Bool:
    """Returns x > y, elementwise (source: `tf.math.greater`)."""
    return _compare("gt", x, y)


@op("GreaterEqual", scalars=True, ordered=True)
def greater_equal(x: Real, y: Real) -> Bool:
    """Returns x >= y, elementwise (source: `tf.math.greater_equal`)."""
    return _compare("ge", x, y)


@op("IsFinite")
def is_finite(x: Float) -> Bool:
    """Whether each element is neither infinite nor NaN (source: `tf.math.is_finite`)."""
    return ~(x * 0).to(torch.bool)  # 0 or NaN; torch's comparisons take twice as long


@op("IsInf")
def is_inf(x: Float) -> Bool:
    """Whether each element is infinite (source: `tf.math.is_inf`)."""
    return torch.isinf(x)


@op("IsNan")
def is_nan(x: Float) -> Bool:
    """Whether each element is NaN (source: `tf.math.is_nan`)."""
    return torch.isnan(x)


@op("Less", ordered=True)
def is_strictly_increasing(x: Real) -> Bool:
    """Whether the elements in row-major order increase
    (source: `tf.math.is_strictly_increasing`).
    """
    flat = x.reshape(-1)
    return (flat[:-1] < flat[1:]).all()


@op("LessEqual", ordered=True)
def is_non_decreasing(x: Real) -> Bool:
    """Whether the elements in row-major order never decrease
    (source: `tf.math.is_non_decreasing`).
    """
    flat = x.reshape(-1)
    return (flat[:-1] <= flat[1:]).all()


# -- logic


@op("LogicalAnd")
def logical_and(x: Bool, y: Bool):
    """Returns x and y, elementwise (source: `tf.math.logical_and`)."""
    return torch.logical_and(x, y)


@op("LogicalOr")
def logical_or(x: Bool, y: Bool):
    """Returns x or y, elementwise (source: `tf.math.logical_or`)."""
    return torch.logical_or(x, y)


@op("LogicalNot")
def logical_not(x: Bool):
    """Returns not x, elementwise (source: `tf.math.logical_not`)."""
    return torch.logical_not(x)


def logical_xor(x, y, name="LogicalXor"):
    """Returns x xor y, elementwise (source: `tf.math.logical_xor`)."""
    return logical_and(logical_or(x, y), logical_not(logical_and(x, y)), name)


# -- casting


@op("Cast", strings=None, uint64=False)
def _cast(x: T, to) -> Num:
    return x.to(to)


def cast(x, dtype, name=None):
    """Casts a tensor to another type (source: `tf.cast`).

    Args:
        x: a tensor, or anything convertible; floats become integers by truncation, complex
            numbers real by dropping the imaginary part.
        dtype: the new type.

    Raises:
        UnimplementedError: to or from a string.
        TypeError: if x has no tensor form.
    """
    wanted = dtypes.as_dtype(dtype)
    if hasattr(type(x), "__tf_dispatch__"):
        return _cast(x, wanted.torch, name)
    if isinstance(x, IndexedSlices):
        return x._with_values(cast(x.values, wanted, name))
    if not is_tensor_type(x):
        x = convert_to_tensor(x)
    if x.dtype is wanted:
        return x
    if x.dtype is dtypes.string or wanted.torch is None:
        raise errors.UnimplementedError(
            None, None, f"Cast {x.dtype.name} to {wanted.name} is not supported [Op:Cast]"
        )
    if x.dtype.is_complex and not wanted.is_complex and wanted is not dtypes.bool_:
        return _cast(_real(x), wanted.torch, name)
    result = _cast(x, wanted.torch, name)
    sizes = getattr(x, "_sizes", None)
    if sizes is not None and wanted.is_integer:
        result._sizes = sizes
    return result


def saturate_cast(value, dtype, name=None):
    """Casts after clipping to the range of the new type (source: `tf.saturate_cast`).

    Args:
        value: a tensor; of a complex one the real part is taken if the new type is real.
        dtype: the new type.
    """
    value, wanted = convert_to_tensor(value), dtypes.as_dtype(dtype)
    if value.dtype.is_complex and not wanted.is_complex:
        value = _real(value)
    if value.dtype is wanted:
        return value
    return _saturate_cast(value, wanted.torch, name)


@op("SaturateCast")
def _saturate_cast(x: Num, to):
    if to.is_complex or to is torch.bool or x.dtype.is_complex:
        return x.to(to)
    limits = torch.finfo(to) if to.is_floating_point else torch.iinfo(to)
    if x.is_floating_point():
        # the highest value of x's type that fits: float32 has no 2**31 - 1
        low, high = (torch.tensor(v, dtype=torch.float64) for v in (limits.min, limits.max))
        top = high.to(x.dtype)
        if not to.is_floating_point and int(top) > limits.max:
            top = torch.nextafter(top, torch.zeros((), dtype=x.dtype))
        if to.is_floating_point and torch.finfo(x.dtype).max <= limits.max:
            return x.to(to)
        return x.clamp(low.to(x.dtype).item(), top.item()).to(to)
    have = torch.iinfo(x.dtype)
    if to.is_floating_point:
        low, high = max(have.min, int(limits.min)), min(have.max, int(limits.max))
    else:
        low, high = max(have.min, limits.min), min(have.max, limits.max)
    return x.clamp(low, high).to(to)


# -- complex numbers


@op("Real")
def _real(x: Complex):
    return torch.real(x).contiguous()


def real(input, name=None):
    """The real part; real tensors come back as they are (source: `tf.math.real`)."""
    input = convert_to_tensor(input)
    if input.dtype.is_complex:
        return _real(input, name)
    if input.dtype.is_numeric:
        return input
    raise TypeError(f"input must be a numeric tensor, but got tensor with dtype {input.dtype!r}")


@op("Imag")
def _imag(x: Complex):
    return torch.imag(x).contiguous()


def imag(input, name=None):
    """The imaginary part; zeros for a real tensor (source: `tf.math.imag`)."""
    input = convert_to_tensor(input)
    if input.dtype.is_complex:
        return _imag(input, name)
    return _zeros(input)


@op("ZerosLike")
def _zeros(x: T):
    return torch.zeros_like(x)


@op("Angle")
def _angle(x: Complex):
    return torch.angle(x)


def angle(input, name=None):
    """The argument of complex numbers; 0 or pi for real ones (source: `tf.math.angle`)."""
    input = convert_to_tensor(input)
    if input.dtype.is_complex:
        return _angle(input, name)
    return _real_angle(input)


@op("Select")
def _real_angle(x: Num):
    x = x.detach()
    if x.is_floating_point():
        return torch.where(x < 0, torch.full_like(x, np.pi), torch.zeros_like(x))
    return torch.where(x < 0, torch.full_like(x, int(np.pi)), torch.zeros_like(x))


@op("Conj")
def _conj(x: Complex):
    return torch.conj(x).resolve_conj()


def conj(x, name=None):
    """The complex conjugate; real tensors come back as they are (source: `tf.math.conj`).

    Raises:
        TypeError: for a tensor that is not numeric.
    """
    x = convert_to_tensor(x)
    if x.dtype.is_complex:
        return _conj(x, name)
    if x.dtype.is_floating or x.dtype.is_integer:
        return x
    raise TypeError(f"Expected numeric or variant tensor, got dtype {x.dtype!r}")


@op("Complex")
def _complex(real: Double, imag: Double):
    return torch.complex(*torch.broadcast_tensors(real, imag))


def complex(real, imag, name=None):
    """Complex numbers of real and imaginary parts (source: `tf.complex`).

    Args:
        real, imag: float32 or float64 tensors that broadcast.

    Raises:
        TypeError: for other types, or two different ones.
    """
    real = convert_to_tensor(real, dtype_hint=dtypes.float32)
    imag = convert_to_tensor(imag, dtype_hint=dtypes.float32)
    kinds = real.dtype, imag.dtype
    if kinds not in ((dtypes.float64,) * 2, (dtypes.float32,) * 2):
        raise TypeError(
            f"The `real` and `imag` components have incorrect types: {kinds[0].name} "
            f"{kinds[1].name}. They must be consistent, and one of "
            f"{[dtypes.float32, dtypes.float64]}"
        )
    return _complex(real, imag, name)


# -- what Python's operators call where it is more than one op


def operator_add(x, y):
    """`x + y`: for strings, joining."""
    if x.dtype is dtypes.string:
        from torchtf import strings

        if type(y) in (bool, int, float, complex):
            found = KERNEL_NAMES[convert_to_tensor(y)._data.dtype]
            raise errors.InvalidArgumentError(
                None, None,
                "cannot compute Add as input #1(zero-based) was expected to be a string tensor but "
                f"is a {found} tensor [Op:Add] name: ",
            )  # fmt: skip
        return strings.join([x, y], name="add")
    return add(x, y, "add")


def operator_and(x, y):
    """`x & y`: logical for bool, bitwise for integers."""
    return logical_and(x, y) if x.dtype is dtypes.bool_ else bitwise.bitwise_and(x, y)


def operator_or(x, y):
    """`x | y`: logical for bool, bitwise for integers."""
    return logical_or(x, y) if x.dtype is dtypes.bool_ else bitwise.bitwise_or(x, y)


def operator_xor(x, y):
    """`x ^ y`: logical for bool, bitwise for integers."""
    return logical_xor(x, y) if x.dtype is dtypes.bool_ else bitwise.bitwise_xor(x, y)


def operator_invert(x):
    """`~x`: logical for bool, bitwise for integers."""
    return logical_not(x) if x.dtype is dtypes.bool_ else bitwise.invert(x)

"""Circulant operators: products with them are convolutions, made by Fourier transforms."""

from __future__ import annotations

import numpy as np

from torchtf import array_ops, debugging, linalg, math, signal
from torchtf.core import dtypes
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.linalg._operator import _hints
from torchtf.linalg._operator._base import (
    LinearOperator,
    assert_no_zeros,
    assert_real,
    records_parameters,
    tensor_or_variable,
)

_FFT = {1: signal.fft, 2: signal.fft2d, 3: signal.fft3d}
_IFFT = {1: signal.ifft, 2: signal.ifft2d, 3: signal.ifft3d}


def to_complex(x):
    """`x` in the complex type of its precision."""
    double = x.dtype in (dtypes.float64, dtypes.complex128)
    return math.cast(x, dtypes.complex128 if double else dtypes.complex64)


class _Circulant(LinearOperator):
    """What the circulant operators of all depths share."""

    _depth: int

    def _set_spectrum(
        self, spectrum, input_output_dtype, is_non_singular, is_self_adjoint,
        is_positive_definite, is_square, name,
    ):  # fmt: skip
        self._spectrum = tensor_or_variable(spectrum)
        if self._spectrum.shape.rank < self._depth:
            raise ValueError(
                f"Argument `spectrum` must have at least {self._depth} dimensions. Received: "
                f"{self._spectrum}."
            )
        if not self._spectrum.dtype.is_complex:
            if is_self_adjoint is False:
                raise ValueError(
                    "A real spectrum always corresponds to a self-adjoint operator. Expected "
                    f"argument `is_self_adjoint` to be True. Received: {is_self_adjoint}."
                )
            is_self_adjoint = True
        if is_square is False:
            raise ValueError(
                "A [[nested] block] circulant operator is always square. Expected argument "
                f"`is_square` to be True. Received: {is_square}."
            )
        super().__init__(
            input_output_dtype, None, is_non_singular, is_self_adjoint, is_positive_definite,
            True, name,
        )  # fmt: skip

    @property
    def spectrum(self):
        """The Fourier transform of the first column, or of its block form."""
        return self._spectrum

    @property
    def block_depth(self) -> int:
        """1 for a circulant matrix, 2 for one of circulant blocks, 3 for blocks of those."""
        return self._depth

    @property
    def block_shape(self):
        return self._spectrum.shape[-self._depth :]

    def block_shape_tensor(self):
        """The last sizes of the spectrum as an int32 vector."""
        return array_ops.shape(self._spectrum)[-self._depth :]

    def _shape(self):
        n = self.block_shape.num_elements()
        return self._spectrum.shape[: -self._depth].concatenate(TensorShape([n, n]))

    def _shape_tensor(self):
        shape = array_ops.shape(self._spectrum)
        n = math.reduce_prod(shape[-self._depth :])
        return array_ops.concat([shape[: -self._depth], [n, n]], 0)

    def convolution_kernel(self, name="convolution_kernel"):
        """The inverse Fourier transform of the spectrum, in the operator's type."""
        return math.cast(_IFFT[self._depth](to_complex(self._spectrum)), self.dtype)

    def assert_hermitian_spectrum(self, name="assert_hermitian_spectrum"):
        """Checks that the convolution kernel is real.

        Raises:
            InvalidArgumentError: if not.
        """
        real = self.dtype.real_dtype
        limit = np.finfo(real.as_numpy_dtype).eps * math.cast(self.domain_dimension_tensor(), real)
        return debugging.assert_less(
            math.abs(math.imag(self.convolution_kernel())), limit,
            message="Spectrum was not Hermitian",
        )  # fmt: skip

    def _assert_non_singular(self):
        return assert_no_zeros(
            self._spectrum, "Singular operator:  Spectrum contained zero values."
        )

    def _assert_positive_definite(self):
        return debugging.assert_positive(
            math.real(self._spectrum),
            message="Not positive definite:  Real part of spectrum was not all positive.",
        )

    def _assert_self_adjoint(self):
        return assert_real(
            self._spectrum,
            "Not self-adjoint:  The spectrum contained non-zero imaginary part.",
        )

    def _of(self, spectrum, hints, **kwargs):
        return type(self)(spectrum, **dict(hints, is_square=True), **kwargs)

    def _adjoint(self):
        return self._of(math.conj(self._spectrum), _hints.of(self))

    def _inverse(self):
        return self._of(1.0 / self._spectrum, _hints.of(self), input_output_dtype=self.dtype)

    def _times(self, right):
        if type(right) is not type(self):
            return super()._times(right)
        return self._of(self._spectrum * right._spectrum, _hints.of_commuting_product(self, right))

    def _solved(self, right):
        if type(right) is not type(self):
            return super()._solved(right)
        return self._of(right._spectrum / self._spectrum, _hints.of_commuting_product(self, right))

    def _convolved(self, x, adjoint, adjoint_arg, function):
        """Applies `function` of the spectrum and the argument's Fourier transform."""
        x = linalg.adjoint(x) if adjoint_arg else x
        spectrum = to_complex(self._spectrum)
        spectrum = math.conj(spectrum) if adjoint else spectrum
        rows = linalg.matrix_transpose(math.cast(x, spectrum.dtype))  # [..., k, n]
        shape = array_ops.shape(rows)
        blocks = array_ops.reshape(
            rows, array_ops.concat([shape[:-1], self.block_shape_tensor()], 0)
        )
        # the columns of `x` are an axis between those of the batch and of the block
        aligned = array_ops.expand_dims(spectrum, -1 - self._depth)
        result = _IFFT[self._depth](function(aligned, _FFT[self._depth](blocks)))
        batch = array_ops.shape(result)[: -self._depth]
        flat = array_ops.reshape(result, array_ops.concat([batch, shape[-1:]], 0))
        return math.cast(linalg.matrix_transpose(flat), self.dtype)

    def _matmul(self, x, adjoint=False, adjoint_arg=False):
        return self._convolved(x, adjoint, adjoint_arg, lambda s, f: s * f)

    def _solve(self, rhs, adjoint=False, adjoint_arg=False):
        return self._convolved(rhs, adjoint, adjoint_arg, lambda s, f: f / s)

    @property
    def _block_axes(self):
        return list(range(-self._depth, 0))

    def _determinant(self):
        return math.cast(math.reduce_prod(self._spectrum, self._block_axes), self.dtype)

    def _log_abs_determinant(self):
        logs = math.log(math.abs(self._spectrum))
        return math.cast(math.reduce_sum(logs, self._block_axes), self.dtype)

    def _trace(self):
        total = math.reduce_sum(convert_to_tensor(self._spectrum), self._block_axes)
        if not self.dtype.is_complex or self.is_self_adjoint:
            total = math.real(total)
        return math.cast(total, self.dtype)

    def _diag_part(self):
        size = math.cast(self.domain_dimension_tensor(), self.dtype)
        ones = array_ops.ones(self.shape_tensor()[:-1], self.dtype)
        return (self._trace() / size)[..., None] * ones

    def _eigvals(self):
        shape = self._spectrum.shape
        if self._depth == 1:
            return convert_to_tensor(self._spectrum)
        if shape.is_fully_defined():
            flat = [*shape[: -self._depth], -1]
        else:
            flat = array_ops.concat([array_ops.shape(self._spectrum)[: -self._depth], [-1]], 0)
        return array_ops.reshape(self._spectrum, flat)

    def _cond(self):
        size = math.abs(self._eigvals())
        return math.reduce_max(size, -1) / math.reduce_min(size, -1)


@records_parameters
class LinearOperatorCirculant(_Circulant):
    """A circulant matrix (source: `tf.linalg.LinearOperatorCirculant`).

    Args:
        spectrum: the Fourier transform [..., n] of the first column, or a variable.
        input_output_dtype: the type of the elements and of what is multiplied.
        is_non_singular, is_self_adjoint, is_positive_definite, is_square, name: see
            `LinearOperator`.

    Raises:
        ValueError: for too few axes, or if a hint is wrong.
    """

    _depth = 1
    _tensor_fields = {"spectrum": 1}

    def __init__(
        self, spectrum, input_output_dtype=dtypes.complex64, is_non_singular=None,
        is_self_adjoint=None, is_positive_definite=None, is_square=True,
        name="LinearOperatorCirculant",
    ):  # fmt: skip
        self._set_spectrum(
            spectrum, input_output_dtype, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip


@records_parameters
class LinearOperatorCirculant2D(_Circulant):
    """A circulant matrix of circulant blocks (source: `tf.linalg.LinearOperatorCirculant2D`).

    Args:
        spectrum: the two-dimensional Fourier transform [..., n, m] of the first column, n blocks
            of m.
        input_output_dtype, is_non_singular, is_self_adjoint, is_positive_definite, is_square,
            name: as for `LinearOperatorCirculant`.

    Raises:
        ValueError: for too few axes, or if a hint is wrong.
    """

    _depth = 2
    _tensor_fields = {"spectrum": 2}

    def __init__(
        self, spectrum, input_output_dtype=dtypes.complex64, is_non_singular=None,
        is_self_adjoint=None, is_positive_definite=None, is_square=True,
        name="LinearOperatorCirculant2D",
    ):  # fmt: skip
        self._set_spectrum(
            spectrum, input_output_dtype, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip


@records_parameters
class LinearOperatorCirculant3D(_Circulant):
    """A circulant matrix of blocks of circulant blocks
    (source: `tf.linalg.LinearOperatorCirculant3D`).

    Args:
        spectrum: the three-dimensional Fourier transform [..., n, m, k] of the first column.
        input_output_dtype, is_non_singular, is_self_adjoint, is_positive_definite, is_square,
            name: as for `LinearOperatorCirculant`.

    Raises:
        ValueError: for too few axes, or if a hint is wrong.
    """

    _depth = 3
    _tensor_fields = {"spectrum": 3}

    def __init__(
        self, spectrum, input_output_dtype=dtypes.complex64, is_non_singular=None,
        is_self_adjoint=None, is_positive_definite=None, is_square=True,
        name="LinearOperatorCirculant3D",
    ):  # fmt: skip
        self._set_spectrum(
            spectrum, input_output_dtype, is_non_singular, is_self_adjoint, is_positive_definite,
            is_square, name,
        )  # fmt: skip

"""Ops of `gen_math_ops` that are more than a call."""

from __future__ import annotations

import torchtf as tf
from torchtf.core import errors
from torchtf.core.op import op
from torchtf.math._incomplete_gamma import igamma_by_a

# The arguments grad_a, grad_b, grad_x and grad_y tell a compiler that an argument is a gradient;
# kernels do not look at them, in TensorFlow neither.


def AccumulateNV2(inputs, shape, name=None):
    return tf.ensure_shape(tf.add_n(inputs), shape, name=name)


def ApproximateEqual(x, y, tolerance=1e-05, name=None):
    difference = tf.abs(tf.subtract(x, y))
    return tf.less(difference, tf.cast(tolerance, difference.dtype), name=name)


def _of_type(value, dtype, op):
    """The value, if it is of the type that the caller says it has."""
    if value.dtype != tf.as_dtype(dtype):
        raise errors.NotFoundError(
            None, None, f"Could not find device for node: {op} with a result of {dtype!r}"
        )
    return value


def Angle(input, Tout=tf.float32, name=None):
    return _of_type(tf.math.angle(input, name=name), Tout, "Angle")


def Complex(real, imag, Tout=tf.complex64, name=None):
    return _of_type(tf.complex(real, imag, name=name), Tout, "Complex")


def ComplexAbs(x, Tout=tf.float32, name=None):
    return _of_type(tf.abs(x, name=name), Tout, "ComplexAbs")


def Imag(input, Tout=tf.float32, name=None):
    return _of_type(tf.math.imag(input, name=name), Tout, "Imag")


def Real(input, Tout=tf.float32, name=None):
    return _of_type(tf.math.real(input, name=name), Tout, "Real")


def BatchMatMul(x, y, adj_x=False, adj_y=False, grad_x=False, grad_y=False, name=None):
    return tf.matmul(x, y, adjoint_a=adj_x, adjoint_b=adj_y, name=name)


def BatchMatMulV2(x, y, adj_x=False, adj_y=False, grad_x=False, grad_y=False, name=None):
    return tf.matmul(x, y, adjoint_a=adj_x, adjoint_b=adj_y, name=name)


def BatchMatMulV3(x, y, Tout, adj_x=False, adj_y=False, grad_x=False, grad_y=False, name=None):
    return tf.matmul(x, y, adjoint_a=adj_x, adjoint_b=adj_y, output_type=Tout, name=name)


@op("IgammaGradA")
def IgammaGradA(a: Double, x: Double):
    """The derivative of `tf.math.igamma` by `a`."""
    return igamma_by_a(a, x)


def MatMul(a, b, transpose_a=False, transpose_b=False, grad_a=False, grad_b=False, name=None):
    return tf.matmul(a, b, transpose_a, transpose_b, name=name)


def SparseMatMul(
    a, b, transpose_a=False, transpose_b=False, a_is_sparse=False, b_is_sparse=False, name=None
):
    """The flags say that a matrix has many zeros."""
    a, b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    return tf.matmul(
        a, b, transpose_a, transpose_b, a_is_sparse=a_is_sparse, b_is_sparse=b_is_sparse, name=name
    )


def _counted(arr, size, weights, name, **options):
    weights = tf.convert_to_tensor(weights)
    size = int(tf.get_static_value(tf.convert_to_tensor(size)))
    given = weights if weights.shape.num_elements() else None
    return tf.math.bincount(
        arr, given, minlength=size, maxlength=size, dtype=weights.dtype, name=name, **options
    )


def Bincount(arr, size, weights, name=None):
    return _counted(arr, size, weights, name)


def DenseBincount(input, size, weights, binary_output=False, name=None):
    axis = -1 if tf.convert_to_tensor(input).shape.rank == 2 else None
    return _counted(input, size, weights, name, axis=axis, binary_output=binary_output)


def Bucketize(input, boundaries, name=None):
    input = tf.convert_to_tensor(input)
    places = tf.searchsorted(
        tf.constant(boundaries, tf.float32),
        tf.reshape(tf.cast(input, tf.float32), [-1]),
        side="right",
    )
    return tf.reshape(places, tf.shape(input), name=name)


def Cast(x, DstT, Truncate=False, name=None):
    x = tf.convert_to_tensor(x)
    dtype = tf.as_dtype(DstT)
    narrower = x.dtype.is_floating and dtype.is_floating and dtype.size < x.dtype.size
    if Truncate and narrower:
        raise NotImplementedError("Cast: Truncate is not supported; use tf.cast, which rounds")
    return tf.cast(x, DstT, name=name)


def Div(x, y, name=None):
    """Real numbers divided, integers divided towards zero."""
    x = tf.convert_to_tensor(x, dtype_hint=getattr(y, "dtype", None))
    return (tf.truncatediv if x.dtype.is_integer else tf.realdiv)(x, y, name=name)


def _comparison(op, x, y, incompatible_shape_error, otherwise, name):
    if not incompatible_shape_error:
        x = tf.convert_to_tensor(x)
        y = tf.convert_to_tensor(y, x.dtype)
        try:
            tf.broadcast_static_shape(x.shape, y.shape)
        except ValueError:
            return tf.constant(otherwise)
    return op(x, y, name=name)


def Equal(x, y, incompatible_shape_error=True, name=None):
    """Without `incompatible_shape_error`, shapes that do not broadcast are not equal."""
    return _comparison(tf.equal, x, y, incompatible_shape_error, False, name)


def NotEqual(x, y, incompatible_shape_error=True, name=None):
    """Without `incompatible_shape_error`, shapes that do not broadcast are not equal."""
    return _comparison(tf.not_equal, x, y, incompatible_shape_error, True, name)


def Select(condition, x, y, name=None):
    """`condition` is of the shape of `x`, a scalar, or a vector that chooses rows."""
    condition, x = tf.convert_to_tensor(condition), tf.convert_to_tensor(x)
    y = tf.convert_to_tensor(y, x.dtype)
    x.shape.assert_is_compatible_with(y.shape)
    if condition.shape.rank == 1 and x.shape.rank > 1:
        condition = tf.reshape(condition, [-1] + [1] * (x.shape.rank - 1))
    return tf.where(condition, x, y, name=name)


# -- gradients


def _conj(x):
    return tf.math.conj(tf.convert_to_tensor(x))


def InvGrad(y, dy, name=None):
    y = _conj(y)
    return tf.multiply(-y * y, dy, name=name)


ReciprocalGrad = InvGrad


def RsqrtGrad(y, dy, name=None):
    y = _conj(y)
    return tf.multiply(-0.5 * (y * y * y), dy, name=name)


def SigmoidGrad(y, dy, name=None):  # TensorFlow's kernel takes no conjugate here
    y = tf.convert_to_tensor(y)
    return tf.multiply(dy, y * (1 - y), name=name)


def SqrtGrad(y, dy, name=None):
    return tf.multiply(dy, 0.5 / _conj(y), name=name)


def TanhGrad(y, dy, name=None):
    y = tf.convert_to_tensor(y)
    return tf.multiply(dy, 1 - y * y, name=name)


# -- segments of rows that are picked


def SparseSegmentSum(data, indices, segment_ids, sparse_gradient=False, name=None):
    return tf.sparse.segment_sum(
        data, indices, segment_ids, name=name, sparse_gradient=sparse_gradient
    )


def SparseSegmentMean(data, indices, segment_ids, sparse_gradient=False, name=None):
    return tf.sparse.segment_mean(
        data, indices, segment_ids, name=name, sparse_gradient=sparse_gradient
    )


def SparseSegmentSqrtN(data, indices, segment_ids, sparse_gradient=False, name=None):
    return tf.sparse.segment_sqrt_n(
        data, indices, segment_ids, name=name, sparse_gradient=sparse_gradient
    )


def SparseSegmentSumWithNumSegments(
    data, indices, segment_ids, num_segments, sparse_gradient=False, name=None
):
    return tf.sparse.segment_sum(data, indices, segment_ids, num_segments, name, sparse_gradient)


def SparseSegmentMeanWithNumSegments(
    data, indices, segment_ids, num_segments, sparse_gradient=False, name=None
):
    return tf.sparse.segment_mean(data, indices, segment_ids, num_segments, name, sparse_gradient)


def SparseSegmentSqrtNWithNumSegments(
    data, indices, segment_ids, num_segments, sparse_gradient=False, name=None
):
    return tf.sparse.segment_sqrt_n(data, indices, segment_ids, num_segments, name, sparse_gradient)


def _segment_gradient(divisor, grad, indices, segment_ids, output_dim0, name):
    """The gradient of a sum of picked rows, divided by a function of their number."""
    grad = tf.convert_to_tensor(grad)
    rows = tf.gather(grad, segment_ids)
    if divisor is not None:
        ones = tf.ones_like(tf.convert_to_tensor(segment_ids), grad.dtype)
        counts = tf.math.unsorted_segment_sum(ones, segment_ids, tf.shape(grad)[0])
        scale = tf.gather(1 / divisor(counts), segment_ids)
        rows *= tf.reshape(scale, [-1] + [1] * (grad.shape.rank - 1))
    return tf.math.unsorted_segment_sum(rows, indices, output_dim0, name=name)


def SparseSegmentSumGrad(grad, indices, segment_ids, output_dim0, name=None):
    return _segment_gradient(None, grad, indices, segment_ids, output_dim0, name)


def SparseSegmentMeanGrad(grad, indices, segment_ids, output_dim0, name=None):
    return _segment_gradient(tf.identity, grad, indices, segment_ids, output_dim0, name)


def SparseSegmentSqrtNGrad(grad, indices, segment_ids, output_dim0, name=None):
    return _segment_gradient(tf.sqrt, grad, indices, segment_ids, output_dim0, name)

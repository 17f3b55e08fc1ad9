"""Matrix products."""

from __future__ import annotations

import torch

from torchtf.core import errors
from torchtf.core.convert import convert_to_tensor
from torchtf.core.dispatch import Composite, handler_of
from torchtf.core.op import op
from torchtf.core.shape import brackets
from torchtf.core.tensor import Tensor, is_fake, is_tensor_type
from torchtf.math._arithmetic import cast


def _matrices(a, b):
    if a.dim() < 2 or b.dim() < 2:
        problem = (
            f"ndims must be == 2: {a.dim()}"
            if a.dim() == b.dim()
            else f"has different ndims: {brackets(a.shape)} vs. {brackets(b.shape)}"
        )
        raise errors.InvalidArgumentError(None, None, f"In[0] and In[1] {problem}")
    inner = a.shape[-1], b.shape[-2]
    if (is_fake(a) or is_fake(b)) and not all(isinstance(s, int) for s in inner):
        return
    if inner[0] != inner[1]:
        raise errors.InvalidArgumentError(
            None, None,
            f"Matrix size-incompatible: In[0]: {brackets(a.shape)}, In[1]: {brackets(b.shape)}",
        )  # fmt: skip
    if a.dim() == 2 or b.dim() == 2 or is_fake(a) or is_fake(b):
        return
    pairs = zip(a.shape[-3::-1], b.shape[-3::-1], strict=False)
    if any(m != n and 1 not in (m, n) for m, n in pairs):
        raise errors.InvalidArgumentError(
            None, None,
            "In[0] and In[1] must have compatible batch dimensions: "
            f"{brackets(a.shape)} vs. {brackets(b.shape)}",
        )  # fmt: skip


@op("MatMul")
def _matmul(a: Num, b: Num):
    _matrices(a, b)
    return torch.matmul(a, b)


def matmul(
    a,
    b,
    transpose_a=False,
    transpose_b=False,
    adjoint_a=False,
    adjoint_b=False,
    a_is_sparse=False,
    b_is_sparse=False,
    output_type=None,
    grad_a=False,
    grad_b=False,
    name=None,
):
    """Multiplies matrices, batched over leading axes (source: `tf.linalg.matmul`).

    Args:
        a, b: tensors of rank 2 or more and one type.
        transpose_a, transpose_b: whether the last two axes are swapped first.
        adjoint_a, adjoint_b: whether they are swapped and conjugated first.
        a_is_sparse, b_is_sparse: hints that many elements are zero; the result is the same.
        output_type: the result's type, e.g. int32 for int8 matrices.
        grad_a, grad_b: hints of TensorFlow's own gradients; the result is the same.

    Raises:
        ValueError: if a matrix is to be both transposed and conjugated.
        InvalidArgumentError: if the sizes or types do not fit.
    """
    if (
        type(a) is Tensor
        and type(b) is Tensor
        and not (transpose_a or transpose_b or adjoint_a or adjoint_b)
    ):
        return _matmul(a, b, name) if output_type is None else _wider(a, b, output_type)
    handler = handler_of(a) or handler_of(b)
    if handler is not None:
        return handler(_COMPOSITE, (
            a, b, transpose_a, transpose_b, adjoint_a, adjoint_b, a_is_sparse, b_is_sparse,
            output_type, grad_a, grad_b, name,
        ))  # fmt: skip
    for transpose, adjoint, which in ((transpose_a, adjoint_a, "a"), (transpose_b, adjoint_b, "b")):
        if transpose and adjoint:
            raise ValueError(
                f"Only one of `transpose_{which}` and `adjoint_{which}` can be True. "
                f"Received `transpose_{which}`={transpose}, `adjoint_{which}`={adjoint}."
            )
    if not is_tensor_type(a):
        a = convert_to_tensor(a, dtype_hint=b.dtype if is_tensor_type(b) else None)
    b = convert_to_tensor(b, dtype_hint=a.dtype)
    if transpose_a or adjoint_a:
        a = _swapped(a, adjoint_a)
    if transpose_b or adjoint_b:
        b = _swapped(b, adjoint_b)
    return _matmul(a, b, name) if output_type is None else _wider(a, b, output_type)


_COMPOSITE = Composite(matmul)


def _wider(a, b, output_type):
    return _matmul(cast(a, output_type), cast(b, output_type))


@op("MatrixTranspose")
def _swapped(x: T, conjugate=False):
    swapped = x.transpose(-1, -2)
    return swapped.conj().resolve_conj() if conjugate and x.is_complex() else swapped


def matmul_operator(a, b):
    """`a @ b`."""
    return matmul(a, b, name="matmul")

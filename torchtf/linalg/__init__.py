"""`tf.linalg`: matrices and what is computed of them. All work on batches of matrices.

* `_products`: matrix products, `einsum`, `tensordot`
* `_parts`: transposes, bands, diagonals
* `_factors`: factorizations, eigenvalues
* `_solving`: inverses, linear equations; `_banded`: of matrices with few diagonals
* `_functions`: determinants, exponentials, pseudo-inverses, ranks
* `_norms`: norms
* `_operator`: the classes `LinearOperator*`, which load when they are first used
"""

from __future__ import annotations

import importlib

from torchtf.array_ops import eye, global_norm
from torchtf.linalg._banded import (
    banded_triangular_solve,
    eigh_tridiagonal,
    tridiagonal_matmul,
    tridiagonal_solve,
)
from torchtf.linalg._factors import (
    cholesky,
    cholesky_solve,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    lu,
    lu_matrix_inverse,
    lu_reconstruct,
    lu_solve,
    qr,
    svd,
)
from torchtf.linalg._functions import det, expm, logdet, logm, matrix_rank, pinv, slogdet, sqrtm
from torchtf.linalg._norms import norm, normalize
from torchtf.linalg._parts import (
    adjoint,
    band_part,
    diag,
    diag_part,
    matrix_transpose,
    set_diag,
    tensor_diag,
    tensor_diag_part,
    trace,
)
from torchtf.linalg._products import cross, einsum, matvec, tensordot
from torchtf.linalg._solving import inv, lstsq, solve, triangular_solve
from torchtf.math import l2_normalize, matmul

# the classes of operators, by the module that has them
_OPERATORS = {
    "LinearOperator": "_base",
    "LinearOperatorAdjoint": "_derived",
    "LinearOperatorBlockDiag": "_blocks",
    "LinearOperatorBlockLowerTriangular": "_blocks",
    "LinearOperatorCirculant": "_circulant",
    "LinearOperatorCirculant2D": "_circulant",
    "LinearOperatorCirculant3D": "_circulant",
    "LinearOperatorComposition": "_products",
    "LinearOperatorDiag": "_dense",
    "LinearOperatorFullMatrix": "_dense",
    "LinearOperatorHouseholder": "_structured",
    "LinearOperatorIdentity": "_identity",
    "LinearOperatorInversion": "_derived",
    "LinearOperatorKronecker": "_products",
    "LinearOperatorLowRankUpdate": "_low_rank",
    "LinearOperatorLowerTriangular": "_dense",
    "LinearOperatorPermutation": "_structured",
    "LinearOperatorScaledIdentity": "_identity",
    "LinearOperatorToeplitz": "_structured",
    "LinearOperatorTridiag": "_structured",
    "LinearOperatorZeros": "_identity",
}


def __getattr__(name: str):
    if name == "experimental":
        from torchtf import _linalg_experimental

        return _linalg_experimental
    module = _OPERATORS.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"torchtf.linalg._operator.{module}"), name)
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *_OPERATORS, "experimental"})

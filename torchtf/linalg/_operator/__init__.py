"""`tf.linalg.LinearOperator` and its subclasses: matrices that are known by their structure.

* A subclass says what its matrix is (`_shape`, `_matmul`) and overrides what it can do better than
  the dense default: `_solve`, `_determinant`, `_to_dense`, `_diag_part`, `_eigvals` and so on.
* The `is_*` hints of an operator are promises of the user; they choose algorithms and are combined
  when operators are.
* Operators are made of tensors (`_tensor_fields`), so they pass through `tf.function` and
  `tf.nest` with `expand_composites=True`, and `operator[...]` slices their batch.
"""

"""`tensorflow.python.ops.linalg.linear_operator`: what libraries use of it besides public names."""

from __future__ import annotations

from torchtf.python import names_of


def make_composite_tensor(cls, module_name: str = "tf.linalg"):
    """Makes the operators of a class values that are made of tensors: a decorator.

    Args:
        cls: a subclass of `tf.linalg.LinearOperator`, whose `_composite_tensor_fields` names the
            arguments that are tensors, and whose
            `_experimental_parameter_ndims_to_matrix_ndims` says how many of their last axes belong
            to one matrix.
        module_name: only the default: specs are not looked up by a name here.
    """
    if module_name != "tf.linalg":
        raise NotImplementedError(
            "make_composite_tensor(module_name=...) is not supported: leave it out; the spec of "
            "an operator is not registered by a name"
        )
    cls._tensor_fields = property(_tensor_fields)
    return cls


def _tensor_fields(operator) -> dict:
    depths = operator._experimental_parameter_ndims_to_matrix_ndims
    return {name: depths.get(name, 0) for name in operator._composite_tensor_fields}


__getattr__ = names_of("ops.linalg.linear_operator")

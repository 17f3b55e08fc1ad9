"""`tensorflow.python.ops.resource_variable_ops`: variables, of which there is one kind."""

from torchtf.core.variable import Variable
from torchtf.function.variable_arguments import VariableSpec  # noqa: F401
from torchtf.python import names_of

__getattr__ = names_of("ops.resource_variable_ops")

BaseResourceVariable = ResourceVariable = Variable


def is_resource_variable(var) -> bool:
    """Whether `var` is a variable."""
    return isinstance(var, Variable)

"""The switches of `tf.compat.v1` between the behaviours of TF 1 and TF 2: only TF 2's is here."""

from __future__ import annotations


def _already(config=None, device_policy=None, execution_mode=None) -> None:
    """Nothing to do: TF 2's behaviour is the only one."""


enable_eager_execution = _already
enable_control_flow_v2 = enable_resource_variables = enable_tensor_equality = _already
enable_v2_behavior = enable_v2_tensorshape = _already


def control_flow_v2_enabled() -> bool:
    """True: control flow is functional."""
    return True


def resource_variables_enabled() -> bool:
    """True: a variable is a resource."""
    return True


def executing_eagerly_outside_functions() -> bool:
    """True: there is no other mode (source: `tf.compat.v1.executing_eagerly_outside_functions`)."""
    return True


def _only(name: str, way: str):
    def disable():
        raise NotImplementedError(f"tf.compat.v1.{name}() is not supported: {way}")

    disable.__name__ = name
    disable.__doc__ = f"Raises NotImplementedError: {way}."
    return disable


_GRAPHS = "there are no TF 1 graphs and sessions; run eagerly, or wrap the function in tf.function"

disable_eager_execution = _only("disable_eager_execution", _GRAPHS)
disable_v2_behavior = _only("disable_v2_behavior", _GRAPHS)
disable_control_flow_v2 = _only("disable_control_flow_v2", "control flow is that of TF 2")
disable_resource_variables = _only("disable_resource_variables", "variables are those of TF 2")
disable_tensor_equality = _only("disable_tensor_equality", "compare tensors by `is` or `ref()`")
disable_v2_tensorshape = _only("disable_v2_tensorshape", "use tf.compat.v1.Dimension for sizes")

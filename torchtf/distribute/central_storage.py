"""`CentralStorageStrategy`: replicas that share one set of variables."""

from __future__ import annotations

from torchtf.core.variable import Variable, VariableAggregation
from torchtf.distribute._values import PerReplica
from torchtf.distribute._variables import MirroredVariable
from torchtf.distribute.mirrored import MirroredStrategy, _device_names


class AggregatingVariable(MirroredVariable):
    """A variable that the program sees as one; replicas must say how what they assign combines."""

    def _new_value(self, value, method):
        several = self._strategy.group is not None
        if several and self._in_replica() and self._aggregation is VariableAggregation.NONE:
            raise ValueError(
                "You must specify an aggregation method to update a AggregatingVariable in Replica "
                "Context: pass aggregation=tf.VariableAggregation.SUM, MEAN or ONLY_FIRST_REPLICA "
                f"to tf.Variable. Variable: {self.name}"
            )
        if several and isinstance(value, PerReplica) and not self._in_replica():
            value = self._strategy.extended.broadcast_to(
                value, self
            )  # one value for the one variable
        return super()._new_value(value, method)

    @property
    def values(self) -> tuple:
        """The variable: there is one for all replicas."""
        return (self,)

    def __repr__(self):
        return Variable.__repr__(self)

    __str__ = __repr__


class CentralStorageStrategy(MirroredStrategy):
    """Synchronous training with one set of variables (source: same name in TF).

    A replica is a process here, so each works with a copy, which all updates keep equal.

    Args:
        compute_devices: the devices of the replicas; all GPUs by default, else the CPU.
        parameter_device: where the variables are said to be: the CPU, or the one GPU.

    Raises:
        As `MirroredStrategy`.
    """

    def __init__(self, compute_devices=None, parameter_device=None):
        super().__init__(compute_devices)
        if parameter_device is None:
            one = len(self._devices) == 1
            parameter_device = self._devices[0] if one else _device_names(["/cpu:0"])[0]
        self._parameter_device = parameter_device

    def adopt(self, variable):
        variable.__class__ = AggregatingVariable

    @property
    def parameter_devices(self) -> tuple[str, ...]:
        return (self._parameter_device,)

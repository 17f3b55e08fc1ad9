"""Values that differ between replicas."""

from __future__ import annotations

from torchtf.core import graph, nest
from torchtf.core.specs import TypeSpec, type_spec_from_value


class DistributedValues:
    """A value for each replica (source: `tf.distribute.DistributedValues`)."""


class PerReplicaSpec(TypeSpec):
    """The spec of a `PerReplica`, which passes through traced functions as its own component.

    Args:
        component: the spec of the component; None matches any.
        count: the number of replicas.
    """

    def __init__(self, component=None, count: int = 1):
        self._component = component
        self._count = count

    @property
    def _component_specs(self):
        return (self._component,)

    @property
    def value_type(self):
        return PerReplica

    def _to_components(self, value):
        return (value.local,)

    def _from_components(self, components):
        return PerReplica(*components)

    def is_compatible_with(self, spec_or_value) -> bool:
        return isinstance(spec_or_value, (PerReplica, PerReplicaSpec))

    def __eq__(self, other):
        if type(other) is not PerReplicaSpec:
            return False
        own, others = self._component, other._component
        return own is None or others is None or own == others

    def __hash__(self):
        return hash(PerReplicaSpec)

    def __repr__(self):
        return f"PerReplicaSpec({', '.join([repr(self._component)] * self._count)})"


class PerReplica(DistributedValues):
    """A value of which this process holds its own replica's component.

    A replica is a process, so the other components live elsewhere: `values`, printing and
    `Strategy.experimental_local_results` communicate, and every process must ask.
    """

    __slots__ = ("local",)

    def __init__(self, local):
        self.local = local

    @property
    def _type_spec(self):
        try:
            return PerReplicaSpec(type_spec_from_value(self.local))
        except TypeError:  # no tensor
            return PerReplicaSpec()

    @property
    def values(self) -> tuple:
        """The components of all replicas."""
        return components_of(self)

    def _text(self, text) -> str:
        if graph.state.trace is not None:
            return _braces("PerReplica", {_group().rank: text(self.local)})
        return _braces("PerReplica", dict(enumerate(_group().all_gather_objects(text(self.local)))))

    def __repr__(self):
        return self._text(repr)

    def __str__(self):
        return self._text(str)


def _braces(name: str, texts: dict) -> str:
    return f"{name}:{{\n" + ",\n".join(f"  {i}: {t}" for i, t in texts.items()) + "\n}"


def _group():
    from torchtf.distribute._group import joined

    return joined()


def local_component(value):
    """What this process' replica sees of `value`."""
    return value.local if isinstance(value, PerReplica) else value


def components_of(structure) -> tuple:
    """A structure of per-replica values as the structures of the replicas.

    While tracing the components must be tensors, and of one shape on all replicas.
    """
    group = _group()
    local = nest.map_structure(local_component, structure)
    if graph.state.trace is None:
        return tuple(group.all_gather_objects(local))
    from torchtf.core.convert import to_torch
    from torchtf.core.tensor import wrap

    parts = [group.all_gather(to_torch(v)) for v in nest.flatten(local)]
    return tuple(
        nest.pack_sequence_as(local, [wrap(part[rank]) for part in parts])
        for rank in range(group.size)
    )

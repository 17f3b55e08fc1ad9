"""Structures of elements and of their specs.

A structure in `tf.data` is a tuple, named tuple, mapping or attrs class of components. Unlike in
`tf.nest`, a list is no structure: it is turned into one tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from torchtf.core import graph, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape
from torchtf.core.specs import TensorSpec, TypeSpec, type_spec_from_value
from torchtf.core.tensor import Tensor, is_tensor_type, wrap
from torchtf.sparse._tensor import SparseTensor, SparseTensorValue


def _children(structure) -> list | None:
    if isinstance(structure, (list, TypeSpec)):
        return None
    kind = type(structure)
    if kind is tuple:
        return list(structure)
    if kind is torch.Tensor or kind is Tensor or kind is SparseTensorValue:
        return None
    found = nest.children(structure)
    return None if found is None else [child for _, child in found]


def flatten(structure) -> list:
    """The components of a structure, depth first, mappings by sorted key."""
    out: list = []
    _flatten(structure, out)
    return out


def _flatten(structure, out):
    found = _children(structure)
    if found is None:
        out.append(structure)
    else:
        for child in found:
            _flatten(child, out)


def pack(structure, flat) -> Any:
    """A structure like `structure` with the components `flat`."""
    return _pack(structure, iter(flat))


def _pack(structure, flat):
    found = _children(structure)
    if found is None:
        return next(flat)
    return nest.rebuild(structure, [_pack(child, flat) for child in found])


def flatten_up_to(shallow, element) -> list:
    """The parts of `element` at the places of the components of `shallow`.

    Raises:
        ValueError: if `element` does not nest like it.
    """
    found = _children(shallow)
    if found is None:
        return [element]
    if isinstance(shallow, Mapping):
        if not isinstance(element, Mapping) or set(element) != set(shallow):
            raise ValueError("The two dictionaries don't have the same set of keys.")
        parts = [element[k] for k in sorted(shallow)]
    else:
        listed = element if isinstance(element, (list, tuple)) else nest.children(element)
        if listed is None or len(listed) != len(found):
            raise ValueError("The two structures don't have the same number of elements.")
        parts = list(element) if listed is element else [x for _, x in listed]
    return [leaf for s, x in zip(found, parts, strict=True) for leaf in flatten_up_to(s, x)]


def map_structure(func: Callable, *structures):
    """Applies `func` to the components of structures of the same form."""
    flat = [flatten(s) for s in structures]
    return pack(structures[0], [func(*leaves) for leaves in zip(*flat, strict=True)])


def packer(spec) -> Callable[[tuple], Any] | None:
    """A function from a tuple of components to the structure of `spec`; None for the identity on
    a single component.
    """
    found = _children(spec)
    if found is None:
        return None
    if all(_children(child) is None for child in found):
        if type(spec) is tuple:
            return tuple
        if type(spec) is dict:
            keys, ordered = list(spec), sorted(spec)
            if keys == ordered:
                return lambda leaves: dict(zip(keys, leaves, strict=True))
            positions = [ordered.index(k) for k in keys]
            return lambda leaves: {k: leaves[i] for k, i in zip(keys, positions, strict=True)}
    return lambda leaves: pack(spec, leaves)


def same_structure(a, b) -> bool:
    """True if two structures of specs nest alike, with the same kinds of nesting."""
    first, second = _children(a), _children(b)
    if first is None or second is None:
        return first is second
    if type(a) is not type(b) or len(first) != len(second):
        return False
    if isinstance(a, Mapping) and set(a) != set(b):
        return False
    return all(same_structure(x, y) for x, y in zip(first, second, strict=True))


# -- values


class NoneTensorSpec(TypeSpec):
    """The spec of the component None."""

    @property
    def value_type(self):
        return type(None)

    def is_compatible_with(self, spec_or_value) -> bool:
        return spec_or_value is None or isinstance(spec_or_value, NoneTensorSpec)

    def most_specific_compatible_type(self, other):
        if not isinstance(other, NoneTensorSpec):
            raise ValueError(f"No `TypeSpec` is compatible with both {self} and {other}")
        return self

    def _serialize(self):
        return ()

    def __eq__(self, other):
        return isinstance(other, NoneTensorSpec)

    def __hash__(self):
        return hash(NoneTensorSpec)

    def __repr__(self):
        return "NoneTensorSpec()"


def is_composite(x) -> bool:
    """True for values that are no single tensor but have a spec: ragged, sparse, datasets, ..."""
    return not is_tensor_type(x) and hasattr(type(x), "_type_spec")


def normalize(element):
    """A structure of user values as one of `Tensor`s and composites; lists become tensors."""

    def component(x):
        if x is None or is_composite(x) or is_tensor_type(x):
            return x
        if type(x) is SparseTensorValue:
            return SparseTensor.from_value(x)
        if type(x) is list and x and _holds_datasets(x):
            return _datasets(x)
        return convert_to_tensor(x)

    return map_structure(component, element)


def _holds_datasets(x) -> bool:
    while type(x) is list and x:
        x = x[0]
    return hasattr(x, "_type_spec") and hasattr(x, "element_spec") and hasattr(x, "cardinality")


def _datasets(x):
    from torchtf.data._dataset import Datasets

    return Datasets(map(_datasets, x)) if type(x) is list else x


def spec_of(value) -> TypeSpec:
    """The spec of one component."""
    if value is None:
        return NoneTensorSpec()
    return type_spec_from_value(value)


def spec_of_structure(element):
    """The structure of specs of a normalized element."""
    return map_structure(spec_of, element)


def raw(x):
    """What a column holds for a component that the user sees as `x`."""
    return x._data if is_tensor_type(x) else x


def cooked(value):
    """The component as the user sees it: the inverse of `raw`."""
    kind = type(value)
    return Tensor(value) if kind is torch.Tensor or kind is np.ndarray else value


# -- specs


def is_dense(spec) -> bool:
    return type(spec) is TensorSpec


def batched(spec, size: int | None):
    """The spec of `size` stacked components (None where the number is not fixed)."""
    if is_dense(spec):
        return TensorSpec(TensorShape([size]).concatenate(spec.shape), spec.dtype)
    if isinstance(spec, NoneTensorSpec):
        return spec
    if hasattr(spec, "_batch"):
        return spec._batch(size)
    raise TypeError(f"Elements with components of type {spec!r} cannot be batched.")


def unbatched(spec):
    """The spec of one row of a component."""
    if is_dense(spec):
        if spec.shape.rank == 0:
            raise ValueError("Cannot unbatch an input with scalar components.")
        return TensorSpec(spec.shape[1:], spec.dtype)
    if isinstance(spec, NoneTensorSpec):
        return spec
    if hasattr(spec, "_unbatch"):
        return spec._unbatch()
    raise TypeError(f"Elements with components of type {spec!r} cannot be unbatched.")


def common_spec(a, b):
    """The most specific structure of specs that both are instances of.

    Raises:
        TypeError: if there is none.
    """
    if not same_structure(a, b):
        raise TypeError(f"Incompatible structures of elements: {a} and {b}")

    def common(x, y):
        found = x.most_specific_common_supertype([y])
        if found is None:
            raise TypeError(f"No common supertype of {x!r} and {y!r}")
        return found

    return map_structure(common, a, b)


def compatible(spec, wanted) -> bool:
    """True if elements of structure `spec` are allowed where `wanted` is the spec."""
    return same_structure(spec, wanted) and all(
        w.is_compatible_with(s) for s, w in zip(flatten(spec), flatten(wanted), strict=True)
    )


def placeholder(spec):
    """A stand-in for a component, which a function gets while it is traced for its specs.

    Raises:
        NotImplementedError: if there is none for this type.
    """
    if isinstance(spec, NoneTensorSpec):
        return None
    if is_dense(spec):
        sizes = [None] if spec.shape.rank is None else list(spec.shape)
        return wrap(graph.state.trace.fake_like(sizes, spec.dtype.torch or spec.dtype))
    make = getattr(spec, "_placeholder", None)
    if make is None:
        raise NotImplementedError(
            f"A component of type {spec!r} cannot enter a function of a dataset."
        )
    return make()


def element_bytes(spec) -> int:
    """About how much memory an element takes; unknown sizes count as 16."""
    total = 0
    for leaf in flatten(spec):
        shape = getattr(leaf, "shape", None)
        dtype = getattr(leaf, "dtype", None)
        if not isinstance(shape, TensorShape) or shape.rank is None or dtype is None:
            total += 1024
            continue
        count = 1
        for size in shape:
            count *= 16 if size is None else size
        total += count * (64 if dtype.torch is None else dtype.size)
    return max(total, 1)


def empty(spec):
    """The raw value of a batch of no elements; sizes that the spec leaves open are 0."""
    shape = [size or 0 for size in spec.shape.as_list()]
    if spec.dtype.torch is None:
        return np.empty(shape, dtype=object)
    return torch.empty(shape, dtype=spec.dtype.torch)

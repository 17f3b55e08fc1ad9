"""`tf.nest`: flattening and mapping of nested Python structures.

* A structure is a list, tuple, named tuple, mapping, attrs class or dataclass with
  `__tf_flatten__`, or an atom (all else).
* Mappings are taken in the order of their sorted keys, whatever order they hold.
* With `expand_composites=True`, an object that has `_type_spec` (a `RaggedTensor`, say) counts as a
  structure of its component tensors, and such a spec as one of the specs of its components.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, MappingView
from typing import Any

from torchtf.core.specs import TypeSpec


def is_namedtuple(x) -> bool:
    """Whether `x` is a named tuple."""
    return isinstance(x, tuple) and hasattr(x, "_fields")


def _is_attrs(x) -> bool:
    return hasattr(type(x), "__attrs_attrs__")


def _is_flattened(x) -> bool:
    """Whether a dataclass says itself what its tensors are (`tf.experimental`'s protocol)."""
    return hasattr(type(x), "__tf_flatten__") and dataclasses.is_dataclass(x)


def metadata(x):
    """What a dataclass keeps besides its tensors."""
    return x.__tf_flatten__()[0] if _is_flattened(x) else None


def is_composite(x) -> bool:
    """Whether a value is made of tensors, as ragged and sparse tensors are."""
    return hasattr(type(x), "_type_spec") and hasattr(x._type_spec, "_to_components")


def is_composite_spec(x) -> bool:
    """Whether `x` is the spec of a value made of several tensors."""
    return isinstance(x, TypeSpec) and hasattr(type(x), "_component_specs")


def is_nested(structure) -> bool:
    """True for a list, tuple, mapping or class that is taken apart; False for an atom."""
    if type(structure) in _atoms:
        return False
    kinds = (list, tuple, dict, Mapping, MappingView)
    return isinstance(structure, kinds) or _is_attrs(structure) or _is_flattened(structure)


def _sorted_keys(mapping) -> list:
    try:
        return sorted(mapping)
    except TypeError:
        raise TypeError("nest only supports dicts with sortable keys.") from None


# kinds that are known to be atoms without a look at all that could take a value apart
_atoms: set[type] = {int, float, bool, complex, str, bytes, type(None)}


def atom(cls: type) -> type:
    """Declares that values of just this class are atoms: a decorator."""
    _atoms.add(cls)
    return cls


def children(structure, expand_composites: bool = False) -> list[tuple[Any, Any]] | None:
    """The (key, child) pairs one level down, or None for an atom."""
    if type(structure) in _atoms:
        return None
    if isinstance(structure, (dict, Mapping)):
        return [(k, structure[k]) for k in _sorted_keys(structure)]
    if isinstance(structure, (list, tuple)):
        return list(enumerate(structure))
    if isinstance(structure, MappingView):
        return list(enumerate(iter(structure)))  # type: ignore[call-overload]
    if _is_attrs(structure):
        return [(a.name, getattr(structure, a.name)) for a in type(structure).__attrs_attrs__]
    if _is_flattened(structure):
        return list(enumerate(structure.__tf_flatten__()[1]))
    if expand_composites and is_composite(structure):
        spec = structure._type_spec
        return list(enumerate(flatten(spec._to_components(structure), True)))
    if expand_composites and is_composite_spec(structure):
        return list(enumerate(flatten(structure._component_specs, True)))
    return None


def rebuild(structure, values: list):
    """A structure like `structure`, with `values` (in the order of `children`) one level down."""
    if isinstance(structure, (dict, Mapping)):
        result = dict(zip(_sorted_keys(structure), values, strict=True))
        ordered = [(k, result[k]) for k in structure]
        if type(structure) is dict:
            return dict(ordered)
        kind: Any = type(structure)
        if hasattr(structure, "default_factory"):
            return kind(structure.default_factory, ordered)
        try:
            return kind(ordered)
        except TypeError:
            return dict(ordered)
    if is_namedtuple(structure):
        return type(structure)(*values)
    if isinstance(structure, MappingView):
        return list(values)
    if isinstance(structure, (list, tuple)):
        kind = type(structure)
        return kind(values) if kind in (list, tuple) else _rebuild_sequence(structure, values)
    if _is_attrs(structure):
        return type(structure)(*values)
    if _is_flattened(structure):
        return structure.__tf_unflatten__(metadata(structure), tuple(values))
    if is_composite_spec(structure):
        spec, components = structure, structure._component_specs
    else:
        spec = structure._type_spec
        components = spec._to_components(structure)
    if any(isinstance(v, TypeSpec) for v in values):
        return spec  # specs of the components make the spec of the whole
    return spec._from_components(pack_sequence_as(components, values, True))


def _rebuild_sequence(structure, values):
    kind = list if isinstance(structure, list) else tuple
    try:
        return type(structure)(values)
    except TypeError:  # a wrapper of a list or tuple with another constructor
        return kind(values)


def flatten(structure, expand_composites: bool = False) -> list:
    """The atoms of `structure`, depth first."""
    out: list = []
    _flatten(structure, expand_composites, out)
    return out


def _flatten(structure, expand_composites, out):
    kind = type(structure)
    if kind in _atoms:
        out.append(structure)
    elif kind is list or kind is tuple:
        for child in structure:
            _flatten(child, expand_composites, out)
    elif kind is dict:
        for key in _sorted_keys(structure):
            _flatten(structure[key], expand_composites, out)
    else:
        found = children(structure, expand_composites)
        if found is None:
            out.append(structure)
        else:
            for _, child in found:
                _flatten(child, expand_composites, out)


def pack_sequence_as(structure, flat_sequence, expand_composites: bool = False):
    """The inverse of `flatten`.

    Raises:
        TypeError: if `flat_sequence` is no sequence.
        ValueError: if it has another number of atoms than `structure`.
    """
    if not isinstance(flat_sequence, (list, tuple)):
        raise TypeError(
            f"Attempted to pack value:\n  {flat_sequence}\ninto a structure, but found "
            f"incompatible type `{type(flat_sequence)}` instead."
        )
    flat = list(flat_sequence)
    if children(structure, expand_composites) is None:
        if len(flat) != 1:
            raise ValueError(
                f"The target structure is of type `{type(structure)}`\n  {structure}\nHowever the "
                f"input is a sequence ({type(flat)}) of length {len(flat)}.\n  {flat}\n"
                "nest cannot guarantee that it is safe to map one to the other."
            )
        return flat[0]
    position, packed = _pack(structure, flat, 0, expand_composites)
    if position != len(flat):
        raise _wrong_length(structure, flat)
    return packed


def _wrong_length(structure, flat):
    return ValueError(
        f"Could not pack sequence. Structure had {len(flatten(structure))} atoms, but "
        f"flat_sequence had {len(flat)} items.  Structure: {structure}, flat_sequence: {flat}."
    )


def _pack(structure, flat, position, expand_composites):
    found = children(structure, expand_composites)
    if found is None:
        if position >= len(flat):
            raise _wrong_length(structure, flat)
        return position + 1, flat[position]
    values = []
    for _, child in found:
        position, value = _pack(child, flat, position, expand_composites)
        values.append(value)
    return position, rebuild(structure, values)


def assert_same_structure(
    nest1, nest2, check_types: bool = True, expand_composites: bool = False
) -> None:
    """Checks that two structures nest alike.

    Raises:
        ValueError: if the number of atoms or the nesting differs.
        TypeError: if `check_types` and the kinds of sequence differ.
    """
    try:
        _compare(nest1, nest2, check_types, expand_composites)
    except (ValueError, TypeError) as e:
        raise type(e)(
            "The two structures don't have the same nested structure.\n\n"
            f"First structure: {_described(nest1)}\n\nSecond structure: {_described(nest2)}\n\n"
            f"More specifically: {e}\n"
            f"Entire first structure:\n{_outline(nest1)}\n"
            f"Entire second structure:\n{_outline(nest2)}"
        ) from None


# the classes of values whose name differs from TensorFlow's
_CLASS_NAMES = {"Tensor": "EagerTensor", "Variable": "ResourceVariable"}


def _described(value) -> str:
    kind = type(value).__name__
    return f"type={_CLASS_NAMES.get(kind, kind)} str={value!s}"


class _Dot:
    """An atom in the outline of a structure."""

    def __repr__(self):
        return "."


def _outline(structure) -> str:
    """The nesting; a composite is one atom in it, also where its components are compared."""
    return repr(map_structure(lambda _: _Dot(), structure))


def _compare(a, b, check_types, expand_composites):
    first, second = children(a, expand_composites), children(b, expand_composites)
    if (first is None) != (second is None):
        nested, atom = (a, b) if second is None else (b, a)
        raise ValueError(
            f'Substructure "{_described(nested)}" is a sequence, while substructure '
            f'"{_described(atom)}" is not'
        )
    if first is None or second is None:
        return
    if check_types and type(a) is not type(b):
        mappings = isinstance(a, Mapping) and isinstance(b, Mapping)
        tuples = is_namedtuple(a) and is_namedtuple(b) and _alike(a, b)
        composites = expand_composites and is_composite(a) and is_composite(b)
        if not (mappings or tuples or composites):
            raise TypeError(
                "The two namedtuples don't have the same sequence type. "
                f"First structure {_described(a)} has type {type(a).__name__}, while second "
                f"structure {_described(b)} has type {type(b).__name__}"
            )
    keys1, keys2 = [k for k, _ in first], [k for k, _ in second]
    if isinstance(a, Mapping) and isinstance(b, Mapping) and set(keys1) != set(keys2):
        raise ValueError(
            "The two dictionaries don't have the same set of keys. "
            f"First structure has keys {_described(keys1)}, while second structure has keys "
            f"{_described(keys2)}"
        )
    for (_, x), (_, y) in zip(first, second, strict=False):
        _compare(x, y, check_types, expand_composites)
    if len(keys1) != len(keys2):
        raise ValueError(
            "The two structures don't have the same number of elements. "
            f"First structure: {_described(a)}. Second structure: {_described(b)}"
        )


def _alike(a, b) -> bool:
    """Whether two named tuples have the same name and fields; their classes may be two."""
    return type(a).__name__ == type(b).__name__ and a._fields == b._fields


def map_structure(func: Callable, *structure, **kwargs):
    """Applies `func` to the atoms of one or several structures of the same form.

    Args:
        func: takes as many arguments as there are structures.
        *structure: the structures.
        **kwargs: `check_types` (default True), `expand_composites` (default False).

    Raises:
        TypeError, ValueError: if `func` cannot be called or the structures differ.
    """
    check_types = kwargs.pop("check_types", True)
    expand_composites = kwargs.pop("expand_composites", False)
    if kwargs:
        raise ValueError(
            "Only valid keyword arguments are `check_types` and `expand_composites`, "
            f"not: `{'`, `'.join(kwargs)}`"
        )
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structure:
        raise ValueError("Must provide at least one structure")
    if len(structure) == 1 and children(structure[0], expand_composites) is None:
        return func(structure[0])
    for other in structure[1:]:
        assert_same_structure(structure[0], other, check_types, expand_composites)
    flat = [flatten(s, expand_composites) for s in structure]
    return pack_sequence_as(
        structure[0], [func(*atoms) for atoms in zip(*flat, strict=True)], expand_composites
    )


def flatten_up_to(shallow, structure) -> list:
    """The parts of `structure` at the places where `shallow` has atoms."""
    found = children(shallow)
    if found is None:
        return [structure]
    parts = children(structure)
    if parts is None or len(parts) != len(found):
        raise ValueError(f"Structure {structure} is not nested as deep as {shallow}")
    return [
        leaf for (_, a), (_, b) in zip(found, parts, strict=True) for leaf in flatten_up_to(a, b)
    ]


class Template:
    """A structure taken apart: `build` makes one like it from new children."""

    __slots__ = ("children", "structure")

    def __init__(self, structure, children: list):
        self.structure = structure
        self.children = children

    def build(self, values: list):
        return rebuild(self.structure, values)

"""`tensorflow.python.util.nest`: `tf.nest`, and functions that go as far as a shallow structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torchtf.core import nest as _nest
from torchtf.core.nest import (  # noqa: F401
    assert_same_structure,
    flatten,
    is_nested,
    map_structure,
    pack_sequence_as,
)

is_sequence = is_nested
is_nested_or_composite = is_sequence_or_composite = lambda x: _nest.children(x, True) is not None
_is_namedtuple = _nest.is_namedtuple


def _sequence_like(instance, args):
    """A structure like `instance` with the values `args` one level down, in flattening order."""
    return _nest.rebuild(instance, list(args))


def _yield_sorted_items(iterable) -> Iterator[tuple[Any, Any]]:
    """The (key, value) pairs one level down; a named tuple's keys are the names of its fields."""
    pairs = _nest.children(iterable) or []
    names = getattr(iterable, "_fields", None)
    return ((names[k] if names else k, v) for k, v in pairs)


def _yield_value(iterable) -> Iterator:
    return (value for _, value in _yield_sorted_items(iterable))


def assert_shallow_structure(
    shallow_tree, input_tree, check_types: bool = True, expand_composites: bool = False
) -> None:
    """Checks that `input_tree` has the structure of `shallow_tree`, or goes deeper.

    Raises:
        TypeError: if a sequence stands against an atom or, with `check_types`, against a
            sequence of another type.
        ValueError: if lengths or keys differ.
    """
    shallow = _nest.children(shallow_tree, expand_composites)
    if shallow is None:
        return
    deep = _nest.children(input_tree, expand_composites)
    if deep is None:
        raise TypeError(
            "If shallow structure is a sequence, input must also be a sequence. Input has type: "
            f"{type(input_tree)}."
        )
    both = [isinstance(t, dict) for t in (shallow_tree, input_tree)]
    if check_types and type(shallow_tree) is not type(input_tree) and not all(both):
        raise TypeError(
            "The two structures don't have the same sequence type. Input structure has type "
            f"{type(input_tree)}, while shallow structure has type {type(shallow_tree)}."
        )
    if len(shallow) != len(deep):
        raise ValueError(
            "The two structures don't have the same sequence length. Input structure has length "
            f"{len(deep)}, while shallow structure has length {len(shallow)}."
        )
    if all(both):
        for key, _ in shallow:
            if key not in input_tree:
                raise ValueError(
                    "The two structures don't have the same keys. Input structure has keys "
                    f"{sorted(input_tree)}, while shallow structure has the key {key!r}."
                )
    for (_, a), (_, b) in zip(shallow, deep, strict=True):
        assert_shallow_structure(a, b, check_types, expand_composites)


def _paths_up_to(shallow, deep, expand_composites, path=()) -> Iterator[tuple[tuple, Any]]:
    if _nest.children(shallow, expand_composites) is None:
        yield path, deep
        return
    if expand_composites and not is_nested(shallow):  # a composite's components have places only
        pairs = zip(_nest.children(shallow, True), _nest.children(deep, True), strict=True)
        items = ((k, a, b) for (k, a), (_, b) in pairs)
    else:
        pairs = zip(_yield_sorted_items(shallow), _yield_sorted_items(deep), strict=True)
        items = ((k, a, b) for (k, a), (_, b) in pairs)
    for key, a, b in items:
        yield from _paths_up_to(a, b, expand_composites, (*path, key))


def flatten_with_tuple_paths_up_to(
    shallow_tree, input_tree, check_types: bool = True, expand_composites: bool = False
) -> list[tuple[tuple, Any]]:
    """The (path, part) pairs of `input_tree` at the places where `shallow_tree` has atoms."""
    assert_shallow_structure(shallow_tree, input_tree, check_types, expand_composites)
    return list(_paths_up_to(shallow_tree, input_tree, expand_composites))


def flatten_up_to(
    shallow_tree, input_tree, check_types: bool = True, expand_composites: bool = False
) -> list:
    """The parts of `input_tree` at the places where `shallow_tree` has atoms.

    Raises:
        TypeError, ValueError: as `assert_shallow_structure`.
    """
    pairs = flatten_with_tuple_paths_up_to(shallow_tree, input_tree, check_types, expand_composites)
    return [part for _, part in pairs]


def map_structure_with_tuple_paths_up_to(
    shallow_tree, func: Callable, *inputs, check_types: bool = True, expand_composites: bool = False
):
    """Applies `func(path, *parts)` where `shallow_tree` has atoms; the result has its structure."""
    if not inputs:
        raise ValueError("Cannot map over no sequences")
    flat = [
        flatten_with_tuple_paths_up_to(shallow_tree, tree, check_types, expand_composites)
        for tree in inputs
    ]
    results = [func(parts[0][0], *(part for _, part in parts)) for parts in zip(*flat, strict=True)]
    return pack_sequence_as(shallow_tree, results, expand_composites)


def map_structure_up_to(
    shallow_tree, func: Callable, *inputs, check_types: bool = True, expand_composites: bool = False
):
    """Applies `func` to the parts of `inputs` at the places where `shallow_tree` has atoms."""
    return map_structure_with_tuple_paths_up_to(
        shallow_tree,
        lambda _, *parts: func(*parts),
        *inputs,
        check_types=check_types,
        expand_composites=expand_composites,
    )


def map_structure_with_tuple_paths(func: Callable, *structure, **kwargs):
    """Applies `func(path, *atoms)`; a path is a tuple of keys."""
    return map_structure_with_tuple_paths_up_to(structure[0], func, *structure, **kwargs)


def map_structure_with_paths(func: Callable, *structure, **kwargs):
    """Applies `func(path, *atoms)`; a path is the keys joined by slashes."""
    return map_structure_with_tuple_paths(
        lambda path, *atoms: func("/".join(map(str, path)), *atoms), *structure, **kwargs
    )


def flatten_with_tuple_paths(structure, expand_composites: bool = False) -> list:
    """The (path, atom) pairs of a structure."""
    return list(_paths_up_to(structure, structure, expand_composites))


def flatten_with_joined_string_paths(
    structure, separator: str = "/", expand_composites: bool = False
) -> list[tuple[str, Any]]:
    """The (path, atom) pairs of a structure, the keys of a path joined by `separator`."""
    pairs = flatten_with_tuple_paths(structure, expand_composites)
    return [(separator.join(map(str, path)), atom) for path, atom in pairs]


def yield_flat_paths(structure, expand_composites: bool = False) -> Iterator[tuple]:
    """The paths of the atoms."""
    return (path for path, _ in _paths_up_to(structure, structure, expand_composites))


def get_traverse_shallow_structure(
    traverse_fn: Callable, structure, expand_composites: bool = False
):
    """A structure that goes as deep as `traverse_fn` says: it has False where that stops.

    Args:
        traverse_fn: takes a part; returns a bool, or a structure of bools one level deep.
        structure: what to walk.
    """
    wanted = traverse_fn(structure)
    found = _nest.children(structure, expand_composites)
    if found is None:
        if not isinstance(wanted, bool):
            raise TypeError(f"traverse_fn returned {wanted!r} for a part that is no structure.")
        return wanted
    if isinstance(wanted, bool):
        if not wanted:
            return False
        levels = [True] * len(found)
    else:
        levels = flatten(wanted)
        if not all(isinstance(w, bool) for w in levels) or len(levels) != len(found):
            raise TypeError(f"traverse_fn returned {wanted!r}; expected bools one level deep.")
    return _nest.rebuild(
        structure,
        [
            get_traverse_shallow_structure(traverse_fn, child, expand_composites) if go else False
            for go, (_, child) in zip(levels, found, strict=True)
        ],
    )

"""`tf.Module`: an object that finds the variables in its attributes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from torchtf.core import nest
from torchtf.core.name_scope import name_scope

_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def _snake(name: str) -> str:
    """CamelCase to snake_case, as module names are made."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


class AutoTrackable:
    """An object whose attributes are saved with it (source: a private class of TensorFlow).

    What is set as an attribute (a variable, a function, another such object, or a list, tuple or
    dict of them) belongs to the checkpoints and SavedModels of the object. It has no name and no
    `variables`: those are a `tf.Module`'s, which is one of these.
    """


class Module(AutoTrackable):
    """A container of variables and other modules (source: `tf.Module`).

    Variables are found in attributes, also inside lists, tuples and dicts, in the order of the
    attributes' names.

    Args:
        name: a Python identifier; the class' name in snake case by default.

    Raises:
        ValueError: if the name is no identifier.
    """

    _TF_MODULE_IGNORED_PROPERTIES: frozenset = frozenset()

    def __init__(self, name: str | None = None):
        if name is None:
            name = _snake(type(self).__name__)
        elif not _IDENTIFIER.match(name):
            raise ValueError(
                f"{name!r} is not a valid module name. Module names must be valid Python "
                "identifiers (e.g. a valid class name)."
            )
        self._name = name
        with name_scope(name) as scope:
            self._scope_name = scope

    @property
    def name(self) -> str:
        return self._name

    def _no_dependency(self, value):
        """The value of an attribute, as libraries set those that are only configuration."""
        return value

    @property
    def name_scope(self):
        """The name scope that `with_name_scope` enters."""
        return name_scope(self._scope_name)

    def _flatten(
        self, recursive=True, predicate=None, attribute_traversal_key=None, with_path=False,
        expand_composites=False,
    ) -> Iterator:  # fmt: skip
        """The atoms in the attributes, in the order of these, then those of the modules among them.

        For subclasses, which make properties like `variables` of it (source: `tf.Module._flatten`).

        Args:
            recursive: whether modules are walked through, too.
            predicate: tells which atoms are wanted; all by default.
            attribute_traversal_key: by which the names of attributes are sorted.
            with_path: whether the path of attribute names and keys comes along, as (path, atom).
                Then an atom comes as often as there are paths to it, else once.
            expand_composites: whether the tensors of ragged tensors and their like are the atoms.
        """
        seen = {id(self)}

        def walk(module, path: tuple, above: tuple):
            below = []
            for key, leaf in _leaves(module, attribute_traversal_key, expand_composites):
                if not with_path:
                    if id(leaf) in seen:
                        continue
                    seen.add(id(leaf))
                if predicate is None or predicate(leaf):
                    yield (path + key, leaf) if with_path else leaf
                if _has_attributes(leaf):
                    below.append((path + key, leaf))
            if recursive and id(module) not in above:
                for key, leaf in below:
                    yield from walk(leaf, key, (*above, id(module)))

        return walk(self, (), ())

    def _found(self, wanted) -> tuple:
        return tuple(self._flatten(predicate=wanted, expand_composites=True))

    @property
    def variables(self) -> tuple:
        """The variables of this module and its sub-modules."""
        return self._found(_is_variable)

    @property
    def trainable_variables(self) -> tuple:
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple:
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def submodules(self) -> tuple:
        """The modules below this one."""
        return self._found(_has_attributes)

    @classmethod
    def with_name_scope(cls, method):
        """A decorator that enters the module's name scope while a method runs."""

        @functools.wraps(method)
        def wrapped(self, *args, **kwargs):
            with self.name_scope:
                return method(self, *args, **kwargs)

        return wrapped


def _is_variable(value) -> bool:
    return hasattr(type(value), "_tape_read")


def _has_attributes(value) -> bool:
    """Whether a value is a module, ours or one of Keras' layers."""
    if isinstance(value, Module):
        return True
    return hasattr(value, "_layers") and hasattr(value, "trainable_variables")


def _leaves(module, order, expand_composites: bool) -> Iterator:
    """The (path, atom) pairs of a module's attributes."""
    if not isinstance(module, Module):  # a Keras layer knows its own
        yield from (((v.name,), v) for v in module.variables)
        return
    for name in sorted(vars(module), key=order):
        if name not in module._TF_MODULE_IGNORED_PROPERTIES:
            yield from _atoms(vars(module)[name], (name,), expand_composites)


def _atoms(value, path: tuple, expand_composites: bool) -> Iterator:
    if expand_composites and nest.is_composite(value) and not _is_variable(value):
        parts = nest.flatten(value, expand_composites=True)
        kind = value._type_spec.value_type.__name__  # the key of each of its tensors
        children = [(kind, part) for part in parts]
    else:
        try:
            children = nest.children(value)
        except TypeError:  # a dict whose keys do not sort
            children = list(value.items())
    if children is None:
        yield path, value
        return
    for key, child in children:
        yield from _atoms(child, (*path, key), expand_composites)

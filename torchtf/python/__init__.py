"""`tensorflow.python`: the private modules from which libraries and older programs import.

They are no API of TensorFlow's, but `from tensorflow.python.framework import ops` is in many
programs. What torchtf has of them:

* names that are public elsewhere, at the place where TensorFlow's own code has them: the table
  `places.txt`, made from the installed TensorFlow by scripts/other_places.py;
* the modules below this package, for names in use that have no public one;
* `ops.gen_math_ops` and the other generated modules have the ops of `tf.raw_ops`;
* `autograph` is diastatic-malt, which is TensorFlow's code in a package of its own;
* `keras` is `tf.keras`.

Whatever else is asked for raises ImportError or AttributeError with a way round.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types

from torchtf import raw_ops
from torchtf.core.places import resolve, table

# packages that stand for one of TensorFlow's
_SAME = {"keras": "torchtf.keras", "autograph": "malt"}


def _places() -> dict[str, dict[str, str]]:
    return table(__name__, "places.txt")


def names_of(place: str):
    """The `__getattr__` of a private module: the public names that it has.

    Args:
        place: the module's name below `tensorflow.python`, as in `"ops.math_ops"`.
    """
    names = _places().get(place, {})
    other = _stand_in(place)
    # `ops.array_ops` and its like import all of `gen_array_ops`
    generated = _generated(place.replace("ops.", "ops.gen_", 1))

    def get(name: str):
        if name in names:
            return resolve(names[name])
        if name.startswith("__"):  # what the import system and libraries look for in any module
            raise AttributeError(f"module 'tensorflow.python.{place}' has no attribute {name!r}")
        try:
            if other:
                return getattr(_module(other), name)
            return importlib.import_module(f"{__name__}.{place}.{name}")
        except (ModuleNotFoundError, AttributeError):
            if generated and raw_ops.is_supported(generated, name):
                return raw_ops.positional(generated)(name)
            raise AttributeError(
                f"tensorflow.python.{place} has no {name!r} in torchtf: it is private to "
                "TensorFlow; use a public name of tf.*"
            ) from None

    return get


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules that the table names and those that stand for another package."""

    def find_spec(self, fullname, path=None, target=None):
        head, _, place = fullname.partition(f"{__name__}.")
        if head or not place:
            return None
        packages = (p for p in _places() if p == place or p.startswith(place + "."))
        if next(packages, None) or _stand_in(place) or _generated(place):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module: types.ModuleType):
        place = module.__name__.removeprefix(f"{__name__}.")
        if generated := _generated(place):
            module.__doc__ = f"`tensorflow.python.{place}`: ops with arguments in order."
            module.__getattr__ = raw_ops.positional(generated)  # type: ignore[method-assign]
            return
        names = _places().get(place, {})
        other = _stand_in(place)
        if other and not names:  # the importer takes what is in sys.modules
            sys.modules[module.__name__] = _module(other)
            return
        module.__doc__ = f"`tensorflow.python.{place}`: the names of it that are public."
        module.__getattr__ = names_of(place)  # type: ignore[method-assign]
        module.__all__ = sorted(names)  # type: ignore[attr-defined]


def _generated(place: str) -> str | None:
    """The name of a generated module of ops that a private one is."""
    name = place.removeprefix("ops.")
    return name if name in raw_ops.modules() else None


def _stand_in(place: str) -> str | None:
    """The module of another package that a private one is."""
    for name, other in _SAME.items():
        if place == name or place.startswith(name + "."):
            return other + place[len(name) :]
    return None


def _module(name: str) -> types.ModuleType:
    """A module by name, or the namespace that an attribute of one is."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        try:
            return resolve(name.removeprefix("torchtf."))
        except AttributeError:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name) from None


sys.meta_path.append(_Finder())

"""Writes the tables of other places at which TensorFlow has its public names.

Walks the installed TensorFlow's public namespaces and finds each object that torchtf has again
* in the modules below `tensorflow.python`: torchtf/python/places.txt,
* in the namespaces of `tf.compat.v1`: torchtf/compat/v1/names.txt,
* in `tf.raw_ops`, with the same arguments: torchtf/raw_ops/names.txt, which has all other ops too.
A line is a module or namespace and, for each name there, the public name, in short where it ends
alike: `ops.math_ops: math.reduce_sum argmax_v2=math.argmax`.

    python scripts/other_places.py            # writes the tables
    python scripts/other_places.py --check    # fails if one is stale
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pathlib
import sys
import types
from collections import defaultdict

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

PACKAGE = pathlib.Path(__file__).parent.parent / "torchtf"
PRIVATE = PACKAGE / "python" / "places.txt"
VERSION_1 = PACKAGE / "compat" / "v1" / "names.txt"
RAW = PACKAGE / "raw_ops" / "names.txt"
ROOT = "tensorflow.python."

Found = dict[int, tuple[object, list[str]]]  # id -> the object and its public names
# namespaces that hold no public names of their own, or belong to Keras
LEFT_OUT = {
    "compat", "keras", "losses", "metrics", "optimizers", "initializers", "layers", "tools",
    "security", "python", "core", "tsl", "compiler", "raw_ops", "dtensor", "lite",
}  # fmt: skip
# modules from which everything is taken, also what another module defines
DOORS = {
    "eager.def_function", "eager.function", "framework.dtypes", "framework.errors",
    "framework.ops", "ops.nn", "ops.standard_ops", "platform.gfile", "platform.test",
    "training.training",
}  # fmt: skip


def public_objects(module, prefix: str, found: Found, seen: set[int]):
    """Adds the public objects below a namespace, each with its public names."""
    seen.add(id(module))
    for name in sorted(n for n in dir(module) if not n.startswith("_")):
        if name in LEFT_OUT:
            continue
        try:
            value = getattr(module, name)
        except Exception:  # a lazy module whose package is not installed
            continue
        if isinstance(value, types.ModuleType):
            home = getattr(value, "__name__", "keras")  # what is lazy is Keras'
            if "tensorflow" in home and "keras" not in home and id(value) not in seen:
                public_objects(value, f"{prefix}{name}.", found, seen)
        elif not isinstance(value, int | float | str | tuple | list | types.NoneType):
            found.setdefault(id(value), (value, []))[1].append(prefix + name)


def belongs(value, place: str) -> bool:
    """Whether a value that a private module has is its own and no import for its own use."""
    home = getattr(value, "__module__", None) or ""
    if place in DOORS or home == ROOT + place:
        return True
    if not callable(value):  # a dtype, say
        return False
    return ".gen_" in home and place.endswith("_ops")


def resolves(root, path: str) -> bool:
    """Whether torchtf has a public name."""
    try:
        for part in path.split("."):
            root = getattr(root, part)
    except (AttributeError, ImportError, NotImplementedError):
        return False
    return True


def line(place: str, names: dict[str, str]) -> str:
    """A line of a table."""
    words = (p if p.split(".")[-1] == n else f"{n}={p}" for n, p in sorted(names.items()))
    return f"{place}: {' '.join(words)}\n"


def best(name: str, paths: list[str]) -> str | None:
    """The public name to use of those that torchtf has."""
    import torchtf

    paths = [p for p in paths if resolves(torchtf, p)]
    same = [p for p in paths if p.split(".")[-1] == name]
    order = sorted(same or paths, key=lambda p: ("compat" in p, p.count("."), len(p), p))
    return order[0] if order else None


def origin(value) -> tuple[str, str] | None:
    """The module and the name of a function, by which TensorFlow's wrappers of it are told."""
    if not inspect.isfunction(value):
        return None
    value = inspect.unwrap(value)
    return value.__module__, value.__qualname__


def index_origins(found: Found) -> dict[tuple[str, str] | None, list[str]]:
    """Origin -> public names."""
    index: dict[tuple[str, str] | None, list[str]] = defaultdict(list)
    for value, paths in found.values():
        index[origin(value)] += paths
    index.pop(None, None)
    return index


def names_of(value, found: Found, by_origin) -> list[str]:
    """The public names of an object, or of another wrapper of the same function."""
    return found[id(value)][1] if id(value) in found else by_origin.get(origin(value), [])


def private_modules() -> str:
    """The table of the modules below `tensorflow.python`."""
    import tensorflow as tf

    found: Found = {}
    public_objects(tf, "", found, set())
    public_objects(tf.compat, "compat.", found, set())
    public_objects(tf.compat.v1, "compat.v1.", found, set())
    by_origin = index_origins(found)
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for door in DOORS:
        importlib.import_module(ROOT + door)
    for module_name, module in sorted(sys.modules.items()):
        if not module_name.startswith(ROOT) or module is None:
            continue
        place = module_name.removeprefix(ROOT)
        if ".gen_" in module_name or place.split(".")[0] in ("keras", "tools", "_pywrap"):
            continue
        for name, value in vars(module).items():
            if name.startswith("_") or not belongs(value, place):
                continue
            if path := best(name, names_of(value, found, by_origin)):
                places[place][name] = path
    return "".join(line(*item) for item in sorted(places.items()))


def constants(module, other, prefix: str = "") -> list[str]:
    """The numbers and texts that two modules have at the same places, with the same values."""
    found = []
    for name in sorted(n for n in dir(module) if not n.startswith("_") and n not in LEFT_OUT):
        try:
            value, its = getattr(module, name, None), getattr(other, name, None)
        except Exception:  # a name that says why it is absent, a module that is not installed
            continue
        if isinstance(value, types.ModuleType) and isinstance(its, types.ModuleType):
            if "tensorflow" in getattr(value, "__name__", ""):
                found += constants(value, its, f"{prefix}{name}.")
        elif isinstance(value, int | float | str) and type(value) is type(its) and value == its:
            found.append(prefix + name)
    return found


def version_1() -> str:
    """The table of the names in `tf.compat.v1` that mean what a name of `tf` means."""
    import tensorflow as tf

    import torchtf

    found: Found = {}
    public_objects(tf, "", found, set())
    by_origin = index_origins(found)
    old: Found = {}
    public_objects(tf.compat.v1, "", old, set())
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for value, paths in old.values():
        for path in paths:
            place, _, name = path.rpartition(".")
            if found_path := best(name, names_of(value, found, by_origin)):
                places[place][name] = found_path
    for path in constants(tf.compat.v1, torchtf):
        place, _, name = path.rpartition(".")
        places[place][name] = path
    return "".join(line(*item) for item in sorted(places.items()))


def arguments(function) -> list[tuple[str, str]]:
    """The names of a function's arguments and their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, getattr(p.default, "name", repr(p.default))) for p in parameters]


def raw_ops() -> str:
    """The table of the ops, by generated module, each with a public function that is the same."""
    import tensorflow as tf

    from torchtf.core.places import resolve

    found: Found = {}
    public_objects(tf, "", found, set())
    by_origin = index_origins(found)
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for name in sorted(n for n in dir(tf.raw_ops) if not n.startswith("_")):
        op = inspect.unwrap(getattr(tf.raw_ops, name))
        path = best(name, by_origin.get(origin(op), []))
        same = path is not None and arguments(op) == arguments(resolve(path))
        places[op.__module__.rpartition(".")[2]][name] = path if path and same else name
    return "".join(line(*item) for item in sorted(places.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail if the table is stale")
    check = parser.parse_args().check
    tables = ((PRIVATE, private_modules), (VERSION_1, version_1), (RAW, raw_ops))
    for target, made in tables:
        text = made()
        if not check:
            target.write_text(text)
        elif target.read_text() != text:
            print(f"{target} is stale: run python scripts/other_places.py", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Functions that a user wrote in a file of his own, such as `run_fn`."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any


def check_module_file(component, path: Any) -> None:
    """Raises ValueError if a component's module file is not there."""
    if isinstance(path, str) and not os.path.isfile(path):
        raise ValueError(
            f"Specified module file {path!r} for component {component} does not exist."
        )


@contextlib.contextmanager
def siblings_importable(exec_properties: dict[str, Any]) -> Iterator[None]:
    """Within it the modules beside the module file can be imported."""
    path = exec_properties.get("module_file")
    folder = os.path.dirname(os.path.abspath(path)) if path else os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def user_function(exec_properties: dict[str, Any], name: str) -> Callable:
    """The function of this name in the module file, or the one whose path `name` gives.

    Raises:
        ValueError: if neither is given.
        AttributeError: if the module does not have it.
        ImportError: if the module of a path cannot be imported.
        Exception: what running the module raises.
    """
    path, given = exec_properties.get("module_file"), exec_properties.get(name)
    if path:
        return _attribute(_load(path), given or name, path)
    if not given:
        raise ValueError(
            "Neither module file or user function have been supplied in `exec_properties`."
        )
    module_path, _, function = given.rpartition(".")
    try:
        module = importlib.import_module(module_path)
    except ImportError as error:
        raise ImportError(f"Could not import requested module path {module_path!r}.") from error
    return _attribute(module, function, module_path)


def optional_user_function(exec_properties: dict[str, Any], name: str) -> Callable | None:
    """The same, or None if there is none."""
    try:
        return user_function(exec_properties, name)
    except (ValueError, AttributeError):
        return None


def _attribute(module: ModuleType, name: str, where: str) -> Callable:
    try:
        return getattr(module, name)
    except AttributeError:
        raise AttributeError(
            f"module {where!r} has no function {name!r}: define `def {name}(...)` in it"
        ) from None


def _load(path: str) -> ModuleType:
    """The module of a file as it is now: what it held when it was loaded before does not count."""
    with open(path, "rb") as f:
        content = f.read()
    # one module for each content: functions of an earlier one keep finding their own globals
    digest = hashlib.sha256(os.path.abspath(path).encode() + content).hexdigest()[:16]
    stem = os.path.splitext(os.path.basename(path))[0]
    name = f"{stem}_{digest}"
    found = sys.modules.get(name)
    if found is not None:
        return found
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f'Module path {path!r} is not a ".py" file.')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module

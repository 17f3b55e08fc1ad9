"""`tensorflow.python.util.lazy_loader`: modules that load at their first use."""

from __future__ import annotations

import importlib
import types


class LazyLoader(types.ModuleType):
    """A module that is imported when one of its attributes is read.

    Args:
        local_name: the name under which `parent_module_globals` holds it.
        parent_module_globals: the globals of the module that uses it.
        name: the module's name.
        warning: what to log when it loads, or None.
    """

    def __init__(self, local_name: str, parent_module_globals: dict, name: str, warning=None):
        self._local_name = local_name
        self._parent_module_globals = parent_module_globals
        self._warning = warning
        super().__init__(name)

    def _load(self) -> types.ModuleType:
        module = importlib.import_module(self.__name__)
        self._parent_module_globals[self._local_name] = module
        if self._warning:
            from torchtf.core.log import get_logger

            get_logger().warning(self._warning)
        self.__dict__.update(module.__dict__)
        return module

    def __getattr__(self, item):
        return getattr(self._load(), item)

    def __dir__(self):
        return dir(self._load())

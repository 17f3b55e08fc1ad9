"""`tf.CriticalSection`: functions that run one at a time."""

from __future__ import annotations

import threading

from torchtf.core import graph


class CriticalSection:
    """Runs functions under a lock, in the order of their calls (source: `tf.CriticalSection`).

    Within a traced function the ops run in program order anyway; between threads, a traced function
    that is to be exclusive is called by `execute` from outside.

    Args:
        name: a name.
        shared_name: sections of one shared name have one lock.
        critical_section_def, import_scope: from TF 1 graphs; only None is supported.
    """

    _shared: dict[str, threading.RLock] = {}

    def __init__(self, name=None, shared_name=None, critical_section_def=None, import_scope=None):
        if critical_section_def is not None or import_scope is not None:
            raise NotImplementedError("critical_section_def belongs to TF 1 graphs; leave it out")
        self._name = name or "critical_section"
        self._lock = (
            threading.RLock()
            if shared_name is None
            else self._shared.setdefault(shared_name, threading.RLock())
        )

    @property
    def name(self) -> str:
        return self._name

    def execute(self, fn, exclusive_resource_access=True, name=None):
        """Calls `fn`, which takes no arguments, and returns its result.

        Args:
            fn: the function.
            exclusive_resource_access: whether other sections may not use the same resources, which
                one lock for each section cannot tell: only the default is supported.
        """
        if not exclusive_resource_access:
            raise NotImplementedError(
                "CriticalSection.execute(exclusive_resource_access=False) is not supported; use "
                "one section for what must not overlap"
            )
        if graph.state.trace is not None:
            return fn()
        with self._lock:
            return fn()

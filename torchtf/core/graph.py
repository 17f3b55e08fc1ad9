"""What the rest of the core knows of tracing: whether a trace is under way in this thread.

`torchtf.function.trace` sets and implements it. The protocol that a trace offers to the core:

* `read(owner)`: the symbolic value of a variable, made a graph input on first use.
* `write(owner, value)`: replaces that value; written back when the graph has run.
* `note(tensor, op, name)`: tells which TensorFlow op a new symbolic tensor came from.
* `unique_name(name)`: the name that an operation or a scope of the graph gets.

An *owner* is a variable of any kind. It offers `_trace_get()` and `_trace_set(tensor)` (its stored
torch tensor), `_tape_read()` (its value for an op, as the present trace and tapes see it) and
`_tape_value()` (the tensor that tapes differentiate with respect to), `trainable`, and is
identified by identity. An owner that belongs to one graph (the place of a random op in its stream)
also offers `fork()`: the owner that takes its place in a graph into which that graph is copied.
"""

from __future__ import annotations

import threading
from typing import Any


class _State(threading.local):
    trace: Any = None  # a torchtf.function.trace.Trace
    # tf.config.run_functions_eagerly and tf.init_scope look here, too
    eager_depth = 0
    # the call under way asks for shapes alone: its variables may be stand-ins, so that a graph made
    # of it is not kept
    on_trial = False


state = _State()


def current_trace():
    """The innermost trace under way in this thread, or None when executing eagerly."""
    return state.trace


def executing_eagerly() -> bool:
    """True unless a function is being traced (source: `tf.executing_eagerly`)."""
    return state.trace is None


def is_private(owner) -> bool:
    """True for an owner that belongs to one graph, and is no variable of the user's."""
    return hasattr(type(owner), "fork")

"""`tf.GradientTape`: torch autograd that records only under a tape.

* While no tape records, op results are detached, so nothing outside a tape grows a graph.
* Tapes that record at the same time share a *session*. It owns the leaf of each variable read under
  it and remembers the tensors recorded; when its last tape is released (`gradient` of a
  non-persistent tape, or the tape's end), those tensors become plain values again.
* Rows read from a leaf (`tf.gather`) are a leaf of their own, so the gradient of a large table is
  an `IndexedSlices` of what was read, without a dense gradient on the way.
* A tape knows what was recorded before it began by autograd's sequence numbers, and differentiates
  no further than that.
* The state is per thread, as torch's own gradient mode is.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import Any, NamedTuple

import torch

from torchtf.core import graph, nest
from torchtf.core.derivative import lacks_batched_form
from torchtf.core.log import get_logger


class _State(threading.local):
    def __init__(self):
        self.tapes: list[GradientTape] = []  # those recording now, outermost first
        self.session: Session | None = None


_state = _State()


_sessions: weakref.WeakSet = weakref.WeakSet()


class _Handle(NamedTuple):
    """A torch tensor that stands for a source, or for the rows `indices` of it."""

    tensor: torch.Tensor
    source: torch.Tensor
    indices: torch.Tensor | None = None
    tapes: int = 0  # how many tapes of the session had begun when the rows were read


class Session:
    """A stretch of recording shared by the tapes that overlap in it."""

    __slots__ = (
        "__weakref__", "leaves", "open_tapes", "recorded", "rows", "start", "tapes", "watched",
    )  # fmt: skip

    def __init__(self):
        # id of a variable -> [the variable, its value last seen, the leaves made for its values]
        self.leaves: dict[int, list] = {}
        self.recorded: list[weakref.ref] = []
        # id of a leaf -> the rows read from it
        self.rows: dict[int, list[_Handle]] = {}
        # tensors watched -> their leaves; a tensor may be watched in a later session, too
        self.watched: dict[int, tuple[weakref.ref, torch.Tensor]] = {}
        self.start = torch.autograd._get_sequence_nr()
        _sessions.add(self)
        self.open_tapes = 0
        self.tapes = 0  # how many tapes have begun

    def leaf(self, owner, value: torch.Tensor) -> torch.Tensor:
        """The leaf that stands for `owner`'s present value under this session."""
        entry = self.leaves.setdefault(id(owner), [owner, None, []])
        if entry[1] is not value:  # read for the first time, or assigned since
            entry[1] = value
            entry[2].append(value.detach().requires_grad_())
        return entry[2][-1]

    def read_rows(self, leaf: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """Rows of a leaf, as a leaf of their own."""
        rows = leaf.detach().index_select(0, indices).requires_grad_()
        self.rows.setdefault(id(leaf), []).append(_Handle(rows, leaf, indices, self.tapes))
        return rows

    def is_older(self, data: torch.Tensor) -> bool:
        """Whether data was computed under tapes that recorded before this session."""
        return data.grad_fn is not None and data.grad_fn._sequence_nr() < self.start

    def close(self) -> None:
        """Turns what was recorded back into plain values, which frees the graph."""
        for ref in self.recorded:
            tensor = ref()
            if tensor is not None and tensor._data.requires_grad:
                tensor._data = tensor._data.detach()
        for ref, leaf in self.watched.values():
            tensor = ref()
            shared = any(id(tensor) in s.watched for s in _sessions if s is not self)
            if tensor is not None and tensor._data is leaf and not shared:
                tensor._data = leaf.detach()
        self.recorded.clear()
        self.rows.clear()
        self.watched.clear()
        self.leaves.clear()


def recording() -> bool:
    """True while a tape records in this thread."""
    return bool(_state.tapes)


def active_tapes() -> list[GradientTape]:
    """The tapes that record in this thread now, outermost first."""
    return _state.tapes


def leaf_of(variable, value: torch.Tensor) -> torch.Tensor:
    """What a read of `variable` gives under the present tapes: its leaf if one watches it."""
    watched = [tape._accessed(variable) for tape in _state.tapes]
    if any(watched) and (value.is_floating_point() or value.is_complex()):
        return _state.session.leaf(variable, value)
    return value


def select_rows(params: torch.Tensor, dim: int, indices: torch.Tensor) -> torch.Tensor:
    """`torch.index_select`, whose gradient is an `IndexedSlices` where the rows are a source's."""
    session = _state.session
    if dim == 0 and session is not None and params.requires_grad and params.is_leaf:
        return session.read_rows(params, indices)
    return params.index_select(dim, indices)


def isolated():
    """A context in which no tape records: tracing has its own tapes."""
    return _Isolated()


class _Isolated:
    def __enter__(self):
        self._saved = _state.tapes, _state.session
        _state.tapes, _state.session = [], None

    def __exit__(self, *exc):
        _state.tapes, _state.session = self._saved


def on_result(tensor) -> None:
    """Called with each new op result whose data requires grad."""
    if _state.tapes:
        _state.session.recorded.append(weakref.ref(tensor))
    else:
        tensor._data = tensor._data.detach()


class _Stopped:
    """The context of `GradientTape.stop_recording`."""

    def __init__(self, tape):
        self._tape = tape

    def __enter__(self):
        self._tape._pop()

    def __exit__(self, *exc):
        self._tape._push()


class UnconnectedGradients:
    """What `gradient` returns for a source that does not influence the target."""

    NONE = "none"
    ZERO = "zero"

    def __class_getitem__(cls, name):
        return getattr(cls, name.upper())


class GradientTape:
    """Records operations for automatic differentiation (source: `tf.GradientTape`).

    Args:
        persistent: if True, `gradient` may be called more than once.
        watch_accessed_variables: if True, each trainable variable that is read is watched.
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True):
        self._persistent = persistent
        self._watch_accessed_variables = watch_accessed_variables
        self._watched: dict[int, Any] = {}
        self._variables: dict[int, object] = {}
        self._recording = False
        self._session: Session | None = None
        self._start = self._number = 0

    def __enter__(self):
        self._push()
        return self

    def __exit__(self, *exc):
        if self._recording:
            self._pop()

    def _push(self):
        if self._recording:
            raise ValueError("Tape is still recording, This can happen if you try to re-enter an "
                             "already-active tape.")  # fmt: skip
        if self._session is None:
            if not _state.tapes:
                _state.session = Session()
            self._session = _state.session
            self._session.open_tapes += 1
            self._session.tapes += 1
            self._number = self._session.tapes
            self._start = torch.autograd._get_sequence_nr()
        elif not _state.tapes:
            _state.session = self._session
        _state.tapes.append(self)
        self._recording = True
        # a graph may run, or a gradient be computed, without torch's recording
        self._grad_mode = torch.is_grad_enabled()
        torch._C._set_grad_enabled(True)

    def _pop(self):
        if not self._recording:
            raise ValueError("Tape is not recording.")
        _state.tapes.remove(self)
        if not _state.tapes:
            _state.session = None
        self._recording = False
        torch._C._set_grad_enabled(self._grad_mode)

    def _release(self):
        session, self._session = self._session, None
        if session is not None:
            session.open_tapes -= 1
            if session.open_tapes == 0 and _state.session is not session:
                session.close()
        self._watched = {}

    def __del__(self):
        with contextlib.suppress(Exception):  # the interpreter may be shutting down
            self._release()

    def watch(self, tensor) -> None:
        """Makes `tensor`, a tensor, a variable or a nested structure of them, a source.

        Raises:
            ValueError: for something that is neither.
        """
        for t in nest.flatten(tensor, expand_composites=True):
            if hasattr(t, "_tape_value"):
                self._watched[id(t)] = t
                self._variables.setdefault(id(t), t)
                continue
            data = getattr(t, "_data", None)
            if data is None:
                raise ValueError(
                    f"Passed in object {t} of type {type(t).__name__!r}, not tf.Tensor or "
                    "tf.Variable or ExtensionType."
                )
            if not isinstance(data, torch.Tensor) or not (
                data.is_floating_point() or data.is_complex()
            ):
                get_logger().warning(
                    "The dtype of the watched tensor must be floating (e.g. tf.float32), got %r",
                    t.dtype,
                )
                continue
            if self._session is None:
                raise ValueError("Cannot watch a tensor: the tape was never entered.")
            trace = graph.state.trace
            if trace is not None and not hasattr(data, "fake_mode"):
                # an eager tensor that the function closes over: its stand-in is the source
                self._watched[id(t)] = t, trace.capture(t).requires_grad_()
                continue
            if not data.requires_grad or self._session.is_older(data):
                t._data = data.detach().requires_grad_()
            if t._data.is_leaf:  # perhaps of an earlier session that is still in use
                self._session.watched[id(t)] = weakref.ref(t), t._data
            self._watched[id(t)] = t, t._data

    def _accessed(self, variable) -> bool:
        """Notes that `variable` was read; True if this tape watches it."""
        if self._watch_accessed_variables and variable.trainable:
            self._watched[id(variable)] = variable
            self._variables.setdefault(id(variable), variable)
        return id(variable) in self._watched

    def watched_variables(self) -> tuple:
        """The variables watched, in the order in which they were made."""
        return tuple(sorted(self._variables.values(), key=lambda v: getattr(v, "_uid", 0)))

    def stop_recording(self):
        """A context in which this tape does not record."""
        if self._session is None:
            raise RuntimeError("Trying to stop recording a tape which is not recording.")
        return _Stopped(self)

    def reset(self) -> None:
        """Forgets all that was recorded.

        Raises:
            ValueError: if the tape is not recording.
        """
        self._pop()
        self._release()
        self._variables = {}
        self._push()

    def _handles(self, source) -> list[_Handle]:
        """The torch tensors that stand for `source` and rows of it, if this tape recorded it."""
        tensors = self._tensors(source)
        handles = [_Handle(t, t) for t in tensors]
        if self._session.rows:
            for t in tensors:
                read = self._session.rows.get(id(t), ())
                handles += [rows for rows in read if rows.tapes >= self._number]
        return handles

    def _tensors(self, source) -> list[torch.Tensor]:
        """The torch tensors that stand for `source`, if this tape recorded it."""
        if hasattr(source, "_tape_value"):
            by_default = self._watch_accessed_variables and source.trainable
            if id(source) not in self._watched and not by_default:
                return []
            entry = self._session.leaves.get(id(source))
            if entry is not None:
                return entry[2]
            value = source._tape_value()  # a Keras variable is a leaf itself
            return [value] if value.requires_grad else []
        watched = self._watched.get(id(source))
        if watched is not None:
            return [watched[1]]
        data = source._data
        if not isinstance(data, torch.Tensor) or not data.requires_grad:
            return []
        node = data.grad_fn
        if node is not None and node._sequence_nr() >= self._start:
            return [data]
        # what a variable's read gave, as in `tf.convert_to_tensor(v)`, or rows of it
        if any(data is leaf for _, _, leaves in self._session.leaves.values() for leaf in leaves):
            return [data]
        for rows in self._session.rows.values():
            if any(data is r.tensor and r.tapes >= self._number for r in rows):
                return [data]
        return []

    @contextlib.contextmanager
    def _own_part(self, *outputs):
        """While it lasts, autograd goes back no further than to where this tape began."""
        hooks = []
        if self._start > self._session.start:
            stack, seen = [o.grad_fn for o in outputs if o.grad_fn is not None], set()
            while stack:
                node = stack.pop()
                if node in seen:
                    continue
                seen.add(node)
                if node._sequence_nr() < self._start:
                    hooks.append(node.register_prehook(lambda grads: (None,) * len(grads)))
                else:
                    stack += [n for n, _ in node.next_functions if n is not None]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def gradient(self, target, sources, output_gradients=None, unconnected_gradients="none"):
        """The gradient of `target` with respect to each of `sources`.

        Args:
            target: a tensor or a structure of tensors; the gradients of several are summed.
            sources: a tensor or variable, or a nested structure of them.
            output_gradients: the incoming gradient of each target; ones by default.
            unconnected_gradients: "none" or "zero", what to return for an unconnected source.

        Returns:
            A structure like `sources` of tensors, `IndexedSlices` or None.

        Raises:
            RuntimeError: on the second call, unless the tape is persistent.
            ValueError: if `unconnected_gradients` is unknown.
            TypeError: if a source or target is not a tensor or variable.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(f"Unknown value for unconnected_gradients: {unconnected_gradients!r}")
        self._check_usable()
        if self._recording:
            if not self._persistent:
                self._pop()
            else:
                get_logger().warning(
                    "Calling GradientTape.gradient on a persistent tape inside its context is "
                    "significantly less efficient than calling it outside the context."
                )
        targets = [self._target(t) for t in nest.flatten(target, expand_composites=True)]
        whole = nest.flatten(sources)
        flat_sources = [_values_of(s) for s in whole]
        handles = [self._handles(_check_source(s)) for s in flat_sources]
        seeds = None
        if output_gradients is not None:
            seeds = [None if g is None else _as_tensor(g) for g in nest.flatten(output_gradients)]
        results = [_wrap_gradient(g) for g in self._backward(targets, handles, seeds)]
        if unconnected_gradients == "zero":
            results = [
                _zeros_like(s) if g is None else g
                for g, s in zip(results, flat_sources, strict=True)
            ]
        if not self._persistent:
            self._release()
        results = [
            g if s is values or g is None else _with_values(s, g)
            for g, s, values in zip(results, whole, flat_sources, strict=True)
        ]
        return nest.pack_sequence_as(sources, results)

    def _target(self, value):
        """A target as a tensor; a variable stands for its leaf in the recording."""
        if value is None:
            raise TypeError(
                "Argument `target` should be a list or nested structure of Tensors, Variables or "
                "CompositeTensors to be differentiated, but received None."
            )
        if hasattr(value, "_tape_value") and value.trainable:
            from torchtf.core.tensor import Tensor

            return Tensor(self._session.leaf(value, value._tape_value()))
        return _as_tensor(value)

    def _check_usable(self):
        if self._session is None:
            raise RuntimeError(
                "A non-persistent GradientTape can only be used to compute one set of gradients "
                "(or jacobians)"
            )

    def _check_row_by_row(self, message: str) -> None:
        """Raises if this tape, which is not persistent, would have to go back several times."""
        if not self._persistent and graph.executing_eagerly():
            raise RuntimeError(f"GradientTape must be created with persistent=True {message}")

    def _backward(self, targets, handles, seeds):
        outputs, grad_outputs = [], []
        for i, target in enumerate(targets):
            data = target._data
            if not isinstance(data, torch.Tensor):
                get_logger().warning(
                    "The dtype of the target tensor must be floating (e.g. tf.float32) when "
                    "calling GradientTape.gradient, got %r", target.dtype,
                )  # fmt: skip
                continue
            if not (data.is_floating_point() or data.is_complex()):
                get_logger().warning(
                    "The dtype of the target tensor must be floating (e.g. tf.float32) when "
                    "calling GradientTape.gradient, got %r", target.dtype,
                )  # fmt: skip
            if data.requires_grad:
                outputs.append(data)
                seed = None if seeds is None else seeds[i]
                grad_outputs.append(torch.ones_like(data) if seed is None else seed._data)
        flat = [h.tensor for group in handles for h in group]
        if not outputs or not flat:
            return [None] * len(handles)
        create_graph = recording()
        keep = self._persistent or create_graph or self._session.open_tapes > 1
        with torch.set_grad_enabled(create_graph), self._own_part(*outputs):
            found = torch.autograd.grad(
                outputs, flat, grad_outputs,
                retain_graph=keep, create_graph=create_graph, allow_unused=True,
            )  # fmt: skip
        return [_total(*group) for group in _grouped(handles, found)]

    def jacobian(
        self,
        target,
        sources,
        unconnected_gradients="none",
        parallel_iterations=None,
        experimental_use_pfor: bool = True,
    ):
        """The Jacobian of `target` with respect to each of `sources`.

        Args:
            target: a tensor of any shape.
            sources: a tensor or variable, or a nested structure of them.
            unconnected_gradients: as for `gradient`.
            parallel_iterations: rows of the Jacobian computed at a time; all by default.
            experimental_use_pfor: if False, computes row by row.

        Returns:
            A structure like `sources`; each result has the shape `target.shape + source.shape`.

        Raises:
            RuntimeError: if the tape is not persistent and the rows are asked for one by one.
        """
        self._check_usable()
        if not experimental_use_pfor:
            self._check_row_by_row(
                "to compute the jacobian with eager execution enabled and with  "
                "experimental_use_pfor set to False."
            )
        flat_sources = nest.flatten(sources)
        handles = [self._handles(_check_source(s)) for s in flat_sources]
        data = _as_tensor(target)._data
        flat = [h.tensor for group in handles for h in group]
        grads: list = [None] * len(handles)
        if flat and data.requires_grad:
            size = data.numel()
            seeds = torch.eye(size, dtype=data.dtype, device=data.device)
            seeds = seeds.reshape(size, *data.shape)
            chunk = 1 if not experimental_use_pfor else (parallel_iterations or max(size, 1))
            rows = self._vjp_rows(data, flat, seeds, chunk, experimental_use_pfor)
            totals = [
                _dense_total(group, parts, axis=1) for group, parts in _grouped(handles, rows)
            ]
            grads = [None if g is None else g.reshape((*data.shape, *g.shape[1:])) for g in totals]
        results = [_wrap_gradient(g) for g in grads]
        if unconnected_gradients == "zero":
            results = [
                _zeros_like(s, tuple(data.shape)) if g is None else g
                for g, s in zip(results, flat_sources, strict=True)
            ]
        if not self._persistent:
            self._release()
        return nest.pack_sequence_as(sources, results)

    def batch_jacobian(
        self,
        target,
        source,
        unconnected_gradients="none",
        parallel_iterations=None,
        experimental_use_pfor: bool = True,
    ):
        """The Jacobian of each row of `target` with respect to the same row of `source`.

        Args:
            target: a tensor of shape [b, y1, ..., yn].
            source: a tensor of shape [b, x1, ..., xm].
            unconnected_gradients: no effect: zeros where there is no connection, as in TensorFlow.
            parallel_iterations: columns computed at a time; all by default.
            experimental_use_pfor: if False, computes column by column.

        Returns:
            A tensor of shape [b, y1, ..., yn, x1, ..., xm].

        Raises:
            ValueError: if the first sizes differ, or either has less than two axes.
            RuntimeError: if the tape is not persistent and the columns are asked for one by one.
        """
        self._check_usable()
        if not experimental_use_pfor:
            self._check_row_by_row(
                "to compute the batch_jacobian with eager execution enabled and  with "
                "experimental_use_pfor set to False."
            )
        data = _as_tensor(target)._data
        if data.dim() == 0 or len(source.shape) == 0 or data.shape[0] != source._data.shape[0]:
            raise ValueError(
                f"Need first dimension of target shape ({_as_tensor(target).shape}) and source "
                f"shape ({source.shape}) to match."
            )
        for shape in (_as_tensor(target).shape, source.shape):
            if len(shape) < 2:
                raise ValueError(f"Shape {shape} must have rank at least 2")
        columns = data[:1].numel()
        if (
            experimental_use_pfor
            and not self._persistent
            and (parallel_iterations is not None and columns > parallel_iterations)
        ):
            raise RuntimeError(
                "GradientTape must be created with persistent=True to compute the batch_jacobian "
                "with parallel_iterations."
            )
        handles = self._handles(_check_source(source))
        result = None
        if handles and data.requires_grad:
            batch, size = data.shape[0], data[0].numel() if data.shape[0] else 0
            seeds = torch.eye(size, dtype=data.dtype, device=data.device)
            seeds = seeds.reshape(size, 1, *data.shape[1:]).expand(size, *data.shape)
            chunk = 1 if not experimental_use_pfor else (parallel_iterations or max(size, 1))
            flat = [h.tensor for h in handles]
            parts = self._vjp_rows(data, flat, seeds, chunk, experimental_use_pfor)
            rows = _dense_total(handles, parts, axis=1)
            if rows is not None:
                rows = rows.movedim(0, 1)
                result = rows.reshape(batch, *data.shape[1:], *source._data.shape[1:])
        result = _wrap_gradient(result)
        if result is None:  # as in TensorFlow, whatever `unconnected_gradients` is
            result = _zeros_like(source, tuple(data.shape), drop_batch=True)
        if not self._persistent:
            self._release()
        return result

    def _vjp_rows(self, output, inputs, seeds, chunk, batched):
        """Vector-Jacobian products of `output` with each of `seeds`, stacked on a first axis."""
        create_graph = recording()
        parts = []
        with torch.set_grad_enabled(create_graph), self._own_part(output):
            for rows in torch.split(seeds, chunk) if len(seeds) else [seeds]:
                found = None
                if batched and len(rows):
                    try:
                        found = torch.autograd.grad(
                            output, inputs, rows, retain_graph=True, create_graph=create_graph,
                            allow_unused=True, is_grads_batched=True,
                        )  # fmt: skip
                    except RuntimeError as e:  # a loop in a graph, say, goes row by row
                        if not lacks_batched_form(e):
                            raise
                if found is not None:
                    parts.append(found)
                else:
                    for row in rows:
                        found = torch.autograd.grad(
                            output, inputs, row, retain_graph=True, create_graph=create_graph,
                            allow_unused=True,
                        )  # fmt: skip
                        parts.append([None if g is None else g[None] for g in found])
            if not parts:
                return [i.new_zeros((0, *i.shape)) for i in inputs]
            return [None if c[0] is None else torch.cat(c) for c in zip(*parts, strict=True)]


def _grouped(handles, found):
    """For each source its handles and their gradients."""
    supply = iter(found)
    return [(group, [next(supply) for _ in group]) for group in handles]


def _total(handles, grads):
    """The gradient of a source from those of its handles: raw, or `IndexedSlices` of rows alone."""
    present = [(h, g) for h, g in zip(handles, grads, strict=True) if g is not None]
    if not present or any(h.indices is None for h, _ in present):
        return _dense_total(handles, grads)
    from torchtf.core.indexed_slices import IndexedSlices
    from torchtf.core.tensor import wrap

    indices = [h.indices for h, _ in present]
    if len(present) == 1:
        (values,), (index,) = [g for _, g in present], indices
    else:
        values = torch.cat([g for _, g in present])
        index = torch.cat(indices)  # int64 if one of them is
    return IndexedSlices(wrap(values), wrap(index), present[0][0].source.shape)


def _dense_total(handles, grads, axis: int = 0):
    """The gradient of a source as one raw tensor; rows are counted along `axis`."""
    total = None
    for handle, grad in zip(handles, grads, strict=True):
        if grad is None:
            continue
        if handle.indices is None:
            total = grad if total is None else total + grad
            continue
        if total is None:
            total = grad.new_zeros((*grad.shape[:axis], *handle.source.shape))
        total = total.index_add(axis, handle.indices, grad)
    return total


def _as_tensor(value):
    if hasattr(value, "_data"):
        return value
    from torchtf.core.convert import convert_to_tensor

    return convert_to_tensor(value)


def _values_of(source):
    """What of a source has a gradient: of a ragged or sparse tensor its values."""
    if hasattr(type(source), "with_flat_values"):
        return source.flat_values
    return source.values if hasattr(type(source), "with_values") else source


def _with_values(source, gradient):
    """The gradient of a ragged or sparse tensor, of its form."""
    if hasattr(type(source), "with_flat_values"):
        return source.with_flat_values(gradient)
    return source.with_values(gradient)


def _check_source(source):
    if hasattr(source, "_tape_value") or hasattr(source, "_data"):
        return source
    raise ValueError(
        f"Passed in object {source} of type {type(source).__name__!r}, not tf.Tensor or "
        "tf.Variable or ExtensionType."
    )


def _wrap_gradient(grad):
    if not isinstance(grad, torch.Tensor):  # None or IndexedSlices
        return grad
    from torchtf.core.tensor import wrap

    return wrap(grad)


def _zeros_like(source, prefix=(), drop_batch=False):
    from torchtf.core.tensor import wrap

    data = source._tape_value() if hasattr(source, "_tape_value") else source._data
    shape = data.shape[1:] if drop_batch else data.shape
    return wrap(torch.zeros((*prefix, *shape), dtype=data.dtype, device=data.device))

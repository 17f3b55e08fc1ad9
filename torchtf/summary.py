"""`tf.summary`: event files that TensorBoard shows.

Contract:
- Tags, plugins, metadata and tensors are those of TensorFlow's `tf.summary`, so dashboards and
  readers of event files see no difference.
- The files are records in TensorFlow's framing of TensorBoard's own protocol buffers; neither
  TensorFlow nor TensorBoard's server is imported.
- A summary op in a traced function writes each time that the graph runs, to the writer and under
  the condition that were current when it was traced.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
import time
import wave
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from torchtf.core import errors
from torchtf.core import graph as core_graph
from torchtf.core.convert import convert_to_tensor
from torchtf.core.records import frame
from torchtf.core.tensor import Tensor, is_tensor_type, wrap

_DEFAULT_BUCKETS = 30


class _State(threading.local):
    writer: SummaryWriter | None = None
    step: Any = None
    condition: Any = True
    tracing: _GraphRecorder | None = None


_state = _State()


# ---- writers ------------------------------------------------------------------------------------


def _protos() -> Any:
    from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2

    return event_pb2, summary_pb2, tensor_pb2


class SummaryWriter:
    """Writes events to a file; see `create_file_writer` (source: `tf.summary.SummaryWriter`)."""

    _count = 0

    def __init__(self, logdir: str, max_queue: int, flush_millis: int, suffix: str) -> None:
        self._logdir, self._suffix = logdir, suffix
        self._max_queue, self._flush_seconds = max_queue, flush_millis / 1000.0
        self._file: io.BufferedWriter | None = None
        self._closed = False
        self._pending, self._flushed_at = 0, time.time()
        self._lock = threading.Lock()

    def init(self) -> None:
        """Opens the file; done at the first event anyway."""
        with self._lock:
            self._open()

    def _open(self) -> io.BufferedWriter:
        if self._closed:
            raise RuntimeError(f"SummaryWriter {self!r} is already closed")
        if self._file is None:
            os.makedirs(self._logdir, exist_ok=True)
            name = (
                f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}."
                f"{os.getpid()}.{SummaryWriter._count}{self._suffix}"
            )
            SummaryWriter._count += 1
            self._file = open(os.path.join(self._logdir, name), "ab")  # noqa: SIM115
            event_pb2, _, _ = _protos()
            first = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
            first.source_metadata.writer = "torchtf"
            self._file.write(frame(first.SerializeToString()))
        return self._file

    def _write(self, event: Any) -> None:
        with self._lock:
            self._open().write(frame(event.SerializeToString()))
            self._pending += 1
            now = time.time()
            if self._pending >= self._max_queue or now - self._flushed_at > self._flush_seconds:
                self._flush(now)

    def _flush(self, now: float) -> None:
        if self._file is not None:
            self._file.flush()
        self._pending, self._flushed_at = 0, now

    def flush(self) -> None:
        """Writes what is buffered to the file."""
        with self._lock:
            self._flush(time.time())

    def close(self) -> None:
        """Flushes and closes the file; the writer cannot be used any more."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._closed = True

    @contextlib.contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """A context in which summaries go to this writer, at `step` unless they give their own.

        Raises:
            RuntimeError: if the writer is closed.
        """
        before = _state.writer, _state.step
        self.set_as_default(step)
        try:
            yield self
        finally:
            if not self._closed:
                self.flush()
            _state.writer, _state.step = before

    def set_as_default(self, step: Any = None) -> None:
        """Makes summaries of this thread go to this writer from now on.

        Raises:
            RuntimeError: if the writer is closed.
        """
        if self._closed:
            raise RuntimeError(f"SummaryWriter {self!r} is already closed")
        _state.writer = self
        if step is not None:
            _state.step = step


class _NoopWriter(SummaryWriter):
    """Writes nothing."""

    def __init__(self) -> None:
        super().__init__("", 1, 1, "")

    def init(self) -> None:
        pass

    def _write(self, event: Any) -> None:
        pass


def create_file_writer(
    logdir: Any,
    max_queue: int | None = None,
    flush_millis: int | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
    experimental_trackable: bool = False,
    experimental_mesh: Any = None,
) -> SummaryWriter:
    """A writer of events to a new file (source: `tf.summary.create_file_writer`).

    Args:
        logdir: the folder; made if it does not exist.
        max_queue: how many events are buffered; 10 by default.
        flush_millis: after how long they are written out; two minutes by default.
        filename_suffix: the end of the file's name; ".v2" by default.
        name: a name for the op.
        experimental_trackable: whether checkpoints record the writer; it has no state to record.
        experimental_mesh: not supported.

    Raises:
        ValueError: without a folder.
    """
    if experimental_mesh is not None:
        raise NotImplementedError(
            "create_file_writer(experimental_mesh=...) is not supported: DTensor meshes are not. "
            "Leave it out."
        )
    if logdir is None:
        raise ValueError("Argument `logdir` cannot be None")
    return SummaryWriter(
        os.fspath(_text(logdir)),
        10 if max_queue is None else int(max_queue),
        2 * 60 * 1000 if flush_millis is None else int(flush_millis),
        ".v2" if filename_suffix is None else str(filename_suffix),
    )


def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing (source: `tf.summary.create_noop_writer`)."""
    return _NoopWriter()


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Writes out what `writer`, by default the current one, has buffered."""
    writer = _state.writer if writer is None else writer
    if writer is not None:
        writer.flush()


def _text(value: Any) -> Any:
    value = value.numpy() if is_tensor_type(value) else value
    return value.decode() if isinstance(value, bytes) else value


# ---- when and at which step -------------------------------------------------------------------


@contextlib.contextmanager
def record_if(condition: Any) -> Iterator[None]:
    """A context in which summaries are written if `condition` holds.

    Args:
        condition: a bool, a bool tensor, or a function that returns one.
    """
    before, _state.condition = _state.condition, condition
    try:
        yield
    finally:
        _state.condition = before


def should_record_summaries() -> Tensor:
    """Whether a summary would be written now, as a bool tensor."""
    return convert_to_tensor(_state.writer is not None and _holds(_state.condition))


def _holds(condition: Any) -> bool:
    return bool(condition() if callable(condition) else condition)


class _Scope(NamedTuple):
    tag: str
    scope: str


class experimental:
    """Source: `tf.summary.experimental`."""

    @staticmethod
    def get_step() -> Any:
        """The step at which summaries are written that give none, or None."""
        return _state.step

    @staticmethod
    def set_step(step: Any) -> None:
        """Sets the step of later summaries of this thread: an int, a tensor or a variable."""
        _state.step = step

    @staticmethod
    @contextlib.contextmanager
    def summary_scope(
        name: str, default_name: str = "summary", values: Any = None
    ) -> Iterator[_Scope]:
        """A context that gives the tag of a summary: its name in the current name scopes."""
        name = name or default_name
        prefix = getattr(core_graph.state, "name_scope", "") or ""
        tag = f"{prefix.rstrip('/')}/{name}" if prefix else name
        yield _Scope(tag, tag + "/")

    @staticmethod
    def write_raw_pb(tensor: Any, step: Any = None, name: str | None = None) -> Tensor:
        """Writes serialized `Summary` protocol buffers.

        Raises:
            ValueError: if no step is given or set.
        """

        def make(value: np.ndarray) -> Any:
            _, summary_pb2, _ = _protos()
            merged = summary_pb2.Summary()
            for item in np.asarray(value, dtype=object).reshape(-1):
                merged.MergeFromString(item)
            return merged

        return _emit(make, [tensor], step)


# ---- writing ------------------------------------------------------------------------------------


def _emit(make: Callable[..., Any], values: list[Any], step: Any) -> Tensor:
    """Writes the summary that `make` makes of the values' arrays; True if it was written.

    Raises:
        ValueError: if there is a writer and no step.
    """
    writer, condition = _state.writer, _state.condition
    if writer is None:
        return convert_to_tensor(False)
    if step is None:
        step = _state.step
        if step is None:
            raise ValueError(
                "No step set. Please specify one either through the `step` argument or through "
                "tf.summary.experimental.set_step()"
            )
        step = step() if callable(step) else step

    def write_now(step: Any, *arrays: Any) -> bool:
        if not _holds(condition):
            return False
        event_pb2, _, _ = _protos()
        event = event_pb2.Event(wall_time=time.time(), step=int(step))
        event.summary.CopyFrom(make(*arrays))
        writer._write(event)
        return True

    tensors = [convert_to_tensor(v) for v in (step, *values)]
    trace = core_graph.state.trace
    if trace is None:
        return convert_to_tensor(write_now(*(_array(t) for t in tensors)))
    return _emit_when_run(trace, write_now, tensors)


def _array(tensor: Tensor) -> np.ndarray:
    return np.asarray(tensor._numpy())


def _emit_when_run(trace: Any, write_now: Callable[..., bool], tensors: list[Tensor]) -> Tensor:
    """Adds a node to the graph that writes when the graph runs."""
    symbolic = [i for i, t in enumerate(tensors) if t.is_symbolic_tensor]

    def run(*data: torch.Tensor) -> list[torch.Tensor]:
        given = list(tensors)
        for i, d in zip(symbolic, data, strict=True):
            given[i] = Tensor(d.detach())
        return [torch.tensor(write_now(*(_array(t) for t in given)))]

    torch.fx.node.has_side_effect(run)
    inputs = [tensors[i]._data for i in symbolic]
    (written,) = trace.call(run, inputs, [trace.fake_like((), torch.bool, torch.device("cpu"))])
    return wrap(written)


def _proto_summary(tag: str, array: np.ndarray, metadata: Any) -> Any:
    _, summary_pb2, _ = _protos()
    summary = summary_pb2.Summary()
    value = summary.value.add(tag=tag)
    if metadata is not None:
        value.metadata.CopyFrom(metadata)
    tensor = value.tensor
    array = np.asarray(array)
    tensor.tensor_shape.SetInParent()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype == object or array.dtype.kind in "SU":
        tensor.dtype = 7  # DT_STRING
        tensor.string_val.extend(
            x if isinstance(x, bytes) else str(x).encode() for x in array.reshape(-1)
        )
        return summary
    from torchtf.core.dtypes import as_dtype

    tensor.dtype = as_dtype(array.dtype).as_datatype_enum
    tensor.tensor_content = np.ascontiguousarray(array).tobytes()
    return summary


def write(
    tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None
) -> Tensor:
    """Writes a tensor as a summary (source: `tf.summary.write`).

    Args:
        tag: the summary's tag, as it is.
        tensor: the value; or a function that returns it, called only if the summary is written.
        step: the step; by default the one set.
        metadata: a `SummaryMetadata` protocol buffer.
        name: a name for the op.

    Returns:
        A bool tensor: whether it was written.

    Raises:
        ValueError: if there is a default writer and no step.
    """
    if callable(tensor):
        if _state.writer is None or (
            core_graph.state.trace is None and not _holds(_state.condition)
        ):
            return convert_to_tensor(False)
        tensor = tensor()
    return _emit(lambda array: _proto_summary(tag, array, metadata), [tensor], step)


def _plugin(name: str, description: str | None) -> Any:
    from importlib import import_module

    metadata = import_module(f"tensorboard.plugins.{name}.metadata")
    return metadata.create_summary_metadata(display_name=None, description=description)


def _summary(
    plugin: str,
    name: str,
    values: list[Any],
    step: Any,
    description: str | None,
    to_array: Callable[..., np.ndarray],
    metadata: Any = None,
) -> Tensor:
    """Writes what `to_array` makes of the values' arrays, with the metadata of a plugin."""
    if metadata is None:
        metadata = _plugin(plugin, description)
    with experimental.summary_scope(name, f"{plugin}_summary") as (tag, _):
        return _emit(lambda *arrays: _proto_summary(tag, to_array(*arrays), metadata), values, step)


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> Tensor:
    """Writes a number (source: `tf.summary.scalar`).

    Args:
        name: the summary's name; its tag has the name scopes before it.
        data: a scalar that can be cast to float32.
        step: the step; by default the one set.
        description: what it is, in Markdown.

    Returns:
        A bool tensor: whether it was written.

    Raises:
        ValueError: if there is a default writer and no step.
        InvalidArgumentError: if `data` is no scalar.
    """

    def to_array(array: np.ndarray) -> np.ndarray:
        if array.ndim:
            raise errors.InvalidArgumentError(
                None, None, f"Expected a scalar summary value, got shape {array.shape}"
            )
        return array.astype(np.float32)

    return _summary("scalar", name, [data], step, description, to_array)


def histogram(
    name: str,
    data: Any,
    step: Any = None,
    buckets: int | None = None,
    description: str | None = None,
) -> Tensor:
    """Writes a histogram of the elements of a tensor (source: `tf.summary.histogram`).

    Args:
        name: the summary's name; its tag has the name scopes before it.
        data: a tensor of any shape that can be cast to float64.
        step: the step; by default the one set.
        buckets: the number of buckets; 30 by default.
        description: what it is, in Markdown.

    Returns:
        A bool tensor: whether it was written.

    Raises:
        ValueError: if there is a default writer and no step.
    """
    count = max(0, _DEFAULT_BUCKETS if buckets is None else int(buckets))
    return _summary(
        "histogram", name, [data], step, description, lambda array: _histogram(array, count)
    )


def _histogram(data: np.ndarray, count: int) -> np.ndarray:
    """Rows of (left edge, right edge, number of elements)."""
    data = data.astype(np.float64).reshape(-1)
    if not data.size or not count:
        return np.zeros((count, 3))
    low, high = data.min(), data.max()
    if low == high:
        edges, numbers = np.full(count, high), np.zeros(count)
        numbers[-1] = data.size
        return np.stack([edges, edges, numbers], axis=1)
    with np.errstate(invalid="ignore"):
        edges = np.linspace(low, high, count + 1)
        edges[0], edges[-1] = low, high
        index = np.floor((data - low) / ((high - low) / count))
    # Values that are not finite make the edges so, too, and are in no bucket.
    index = np.minimum(index[np.isfinite(index)].astype(int), count - 1)
    numbers = np.bincount(index, minlength=count).astype(np.float64)
    return np.stack([edges[:-1], edges[1:], numbers], axis=1)


def image(
    name: str,
    data: Any,
    step: Any = None,
    max_outputs: int = 3,
    description: str | None = None,
) -> Tensor:
    """Writes images (source: `tf.summary.image`).

    Args:
        name: the summary's name; its tag has the name scopes before it.
        data: [k, height, width, channels]; 1 to 4 channels; floats in [0, 1] or integers.
        step: the step; by default the one set.
        max_outputs: how many of the k images are written at most.
        description: what it is, in Markdown.

    Returns:
        A bool tensor: whether it was written.

    Raises:
        ValueError: if there is a default writer and no step.
        InvalidArgumentError: if `data` is no batch of images.
    """

    def to_array(array: np.ndarray) -> np.ndarray:
        if array.ndim != 4 or array.shape[-1] not in (1, 2, 3, 4):
            raise errors.InvalidArgumentError(
                None,
                None,
                "image summaries want data of shape [k, height, width, channels] with 1 to 4 "
                f"channels, got {array.shape}",
            )
        pixels = _to_uint8(array[: int(max_outputs)])
        items = [str(array.shape[2]).encode(), str(array.shape[1]).encode()]
        return _bytes_array([*items, *(_png(p) for p in pixels)])

    return _summary("image", name, [data], step, description, to_array)


def _to_uint8(array: np.ndarray) -> np.ndarray:
    """Pixels as `tf.image.convert_image_dtype(..., tf.uint8, saturate=True)` gives them."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f":
        return np.clip(array.astype(np.float64) * 255.5, 0, 255).astype(np.uint8)
    scale = (np.iinfo(array.dtype).max + 1) // 256
    return np.clip(array // scale if scale else array, 0, 255).astype(np.uint8)


def _png(pixels: np.ndarray) -> bytes:
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[-1]]
    buffer = io.BytesIO()
    squeezed = pixels[..., 0] if mode == "L" else pixels
    Image.fromarray(np.ascontiguousarray(squeezed), mode=mode).save(buffer, format="PNG")
    return buffer.getvalue()


def _bytes_array(items: list[Any]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> Tensor:
    """Writes text, in Markdown (source: `tf.summary.text`).

    Args:
        name: the summary's name; its tag has the name scopes before it.
        data: a string tensor; more than two dimensions are shown as a slice.
        step: the step; by default the one set.
        description: what it is, in Markdown.

    Returns:
        A bool tensor: whether it was written.

    Raises:
        ValueError: if there is a default writer and no step.
    """
    return _summary("text", name, [data], step, description, lambda array: array)


def audio(
    name: str,
    data: Any,
    sample_rate: int,
    step: Any = None,
    max_outputs: int = 3,
    encoding: str | None = None,
    description: str | None = None,
) -> Tensor:
    """Writes sounds, encoded as 16-bit WAV (source: `tf.summary.audio`).

    Args:
        name: the summary's name; its tag has the name scopes before it.
        data: [k, frames, channels], floats in [-1, 1].
        sample_rate: frames a second.
        step: the step; by default the one set.
        max_outputs: how many of the k sounds are written at most.
        encoding: "wav" or None.
        description: what it is, in Markdown.

    Returns:
        A bool tensor: whether it was written.

    Raises:
        ValueError: for another encoding, or if there is a default writer and no step.
        InvalidArgumentError: if `data` has not three dimensions.
    """
    if encoding not in (None, "wav"):
        raise ValueError(f"Unknown encoding: {encoding!r}")
    from tensorboard.plugins.audio import metadata as audio_metadata

    def to_array(array: np.ndarray) -> np.ndarray:
        if array.ndim != 3:
            raise errors.InvalidArgumentError(
                None, None, f"audio summaries want [k, frames, channels], got {array.shape}"
            )
        sounds = [_wav(sound, int(sample_rate)) for sound in array[: int(max_outputs)]]
        rows = np.empty((len(sounds), 2), dtype=object)
        rows[:, 0], rows[:, 1] = sounds, b""
        return rows

    metadata = audio_metadata.create_summary_metadata(
        display_name=None,
        description=description,
        encoding=audio_metadata.Encoding.Value("WAV"),
    )
    return _summary("audio", name, [data], step, description, to_array, metadata)


def _wav(sound: np.ndarray, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        samples = np.clip(np.rint(sound.astype(np.float64) * 32768), -32768, 32767)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


# ---- graphs and traces --------------------------------------------------------------------------


def _graph_def_bytes(graph_data: Any) -> bytes:
    if hasattr(graph_data, "as_graph_def"):
        graph_data = graph_data.as_graph_def()
    return graph_data.SerializeToString()


def graph(graph_data: Any) -> Tensor:
    """Writes a graph (source: `tf.summary.graph`).

    Args:
        graph_data: the `graph` of a concrete function, or a `GraphDef`.

    Returns:
        A bool tensor: whether it was written.

    Raises:
        NotImplementedError: inside a traced function.
    """
    if core_graph.state.trace is not None:
        raise NotImplementedError("graph() is not supported in a tf.function; call it outside.")
    writer = _state.writer
    if writer is None or not _holds(_state.condition):
        return convert_to_tensor(False)
    event_pb2, _, _ = _protos()
    writer._write(
        event_pb2.Event(wall_time=time.time(), step=0, graph_def=_graph_def_bytes(graph_data))
    )
    return convert_to_tensor(True)


class _GraphRecorder:
    """Collects the graphs of the functions that run, and a profile, between trace_on and export."""

    def __init__(self, graphs: bool, profiler: Any) -> None:
        self.records_graphs = graphs
        self.functions: list[Any] = []
        self.profiler = profiler

    def saw(self, concrete: Any) -> None:
        if self.records_graphs and all(f is not concrete for f in self.functions):
            self.functions.append(concrete)


def saw_function(concrete: Any) -> None:
    """Called with each concrete function that runs while `recording_graphs()`."""
    if _state.tracing is not None:
        _state.tracing.saw(concrete)


def trace_on(
    graph: bool = True, profiler: bool = False, profiler_outdir: str | None = None
) -> None:
    """Starts to record the functions that run, for `trace_export`.

    Args:
        graph: whether to record their graphs.
        profiler: whether to record a profile as well, with PyTorch's profiler.
        profiler_outdir: the folder for the profile.

    Raises:
        ValueError: with a profiler and no folder.
    """
    if profiler and profiler_outdir is None:
        raise ValueError("No `profiler_outdir` passed to trace_on().")
    from torchtf.function import concrete

    profile = None
    if profiler:
        from torchtf import _profile

        profile = _profile.start(profiler_outdir)
    _state.tracing = _GraphRecorder(graph, profile)
    if saw_function not in concrete.run_hooks:
        concrete.run_hooks.append(saw_function)


def trace_export(name: str, step: Any = None, profiler_outdir: str | None = None) -> None:
    """Writes what was recorded since `trace_on`, and stops.

    Args:
        name: the name of the summary.
        step: the step; by default the one set.
        profiler_outdir: the folder for the profile, if `trace_on` got none.

    Raises:
        ValueError: if no trace is under way, or no step is given or set.
    """
    recorder = _state.tracing
    if recorder is None:
        raise ValueError("Must enable trace before export through tf.summary.trace_on.")
    if recorder.records_graphs:
        graphs = [_graph_def_bytes(f.graph) for f in recorder.functions]
        _, summary_pb2, _ = _protos()
        metadata = summary_pb2.SummaryMetadata()
        metadata.plugin_data.plugin_name = "graph_run_metadata_graph"
        metadata.plugin_data.content = b"1"
        write(
            name,
            convert_to_tensor(_run_metadata(graphs)),
            step=step,
            metadata=metadata,
        )
    trace_off()


def _run_metadata(graphs: list[bytes]) -> bytes:
    """A `RunMetadata` whose function graphs are those given."""
    from tensorboard.compat.proto import config_pb2

    metadata = config_pb2.RunMetadata()
    for data in graphs:
        found = metadata.function_graphs.add()
        found.pre_optimization_graph.ParseFromString(data)
        metadata.partition_graphs.add().ParseFromString(data)
    return metadata.SerializeToString()


def trace_off() -> None:
    """Stops recording and forgets what was recorded."""
    recorder, _state.tracing = _state.tracing, None
    if recorder is not None and recorder.profiler is not None:
        recorder.profiler.stop()
    from torchtf.function import concrete

    if saw_function in concrete.run_hooks:
        concrete.run_hooks.remove(saw_function)


__all__ = [
    "SummaryWriter",
    "audio",
    "create_file_writer",
    "create_noop_writer",
    "experimental",
    "flush",
    "graph",
    "histogram",
    "image",
    "record_if",
    "scalar",
    "should_record_summaries",
    "text",
    "trace_export",
    "trace_off",
    "trace_on",
    "write",
]

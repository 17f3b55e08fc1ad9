"""Keeping elements: cache, snapshot, save and load.

On disk, elements are chunks in TFRecord framing, so each byte is under a checksum. A file gets its
final name when it is complete, and an index, written last, says that all of it is there: what a
full disk or a killed process leaves behind is never read as data.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import tempfile
import time

import numpy as np
import torch

from torchtf.core import dtypes, errors, nest
from torchtf.core.specs import TensorSpec
from torchtf.core.tensor import wrap
from torchtf.data import _structure as structure
from torchtf.data._chunk import Chunk, chunk_of, concat
from torchtf.data._elementwise import with_elements
from torchtf.data._plan import UNKNOWN, Node, Unary, UnaryStage, block_size
from torchtf.data._records import RecordReader, RecordWriter
from torchtf.data._sources import ElementRows
from torchtf.data._traced import Function
from torchtf.io.gfile import translated_errors

# -- chunks as bytes

_SIZE = struct.Struct("<I")


def pack_chunk(chunk: Chunk) -> bytes:
    """A chunk as bytes: a JSON header that describes the columns, then their raw data."""
    blobs: list[bytes] = []
    header = json.dumps([chunk.size, [_pack(c, blobs) for c in chunk.columns]]).encode()
    return b"".join((_SIZE.pack(len(header)), header, *blobs))


def _pack(column, blobs: list[bytes]):
    """Describes a column (or value) and appends its data to `blobs`."""
    if type(column) is list:
        return ["list", [_pack(x, blobs) for x in column]]
    if column is None:
        return ["none"]
    if isinstance(column, torch.Tensor) and type(column) is torch.Tensor:
        data = column.contiguous()
        blob = data.reshape(-1).view(torch.uint8).numpy().tobytes() if data.numel() else b""
        blobs.append(blob)
        return ["dense", dtypes.as_dtype(column.dtype).name, list(column.shape), len(blob)]
    if isinstance(column, np.ndarray):
        items = column.reshape(-1).tolist()
        blob = b"".join(items)
        blobs.append(blob)
        return ["bytes", list(column.shape), [len(x) for x in items], len(blob)]
    parts = [t._data for t in nest.flatten(column, True)]
    return ["composite", [_pack(p, blobs) for p in parts]]


def unpack_chunk(data: bytes, spec) -> Chunk:
    """The chunk that `pack_chunk` made, for elements of the given spec."""
    (length,) = _SIZE.unpack_from(data)
    size, described = json.loads(data[4 : 4 + length])
    reader = _Reader(data, 4 + length)
    leaves = structure.flatten(spec)
    return Chunk([reader.column(d, leaf) for d, leaf in zip(described, leaves, strict=True)], size)


class _Reader:
    def __init__(self, data, at):
        self._data, self._at = data, at

    def _bytes(self, n):
        self._at += n
        return self._data[self._at - n : self._at]

    def column(self, described, spec):
        kind, *rest = described
        if kind == "list":
            return [self.column(d, spec) for d in rest[0]]
        if kind == "none":
            return None
        if kind == "dense":
            name, shape, size = rest
            dtype = dtypes.as_dtype(name).torch
            if not size:
                return torch.empty(shape, dtype=dtype)
            return torch.frombuffer(bytearray(self._bytes(size)), dtype=dtype).reshape(shape)
        if kind == "bytes":
            shape, lengths, _ = rest
            array = np.empty(len(lengths), dtype=object)
            array[:] = [self._bytes(n) for n in lengths]
            return array.reshape(shape)
        parts = [wrap(self.column(d, spec)) for d in rest[0]]
        return spec._from_components(nest.pack_sequence_as(spec._component_specs, parts, True))


# -- specs as JSON


def pack_spec(spec):
    """A structure of specs as JSON.

    Raises:
        NotImplementedError: for a kind that cannot be stored.
    """
    if type(spec) is tuple:
        return {"tuple": [pack_spec(s) for s in spec]}
    if isinstance(spec, dict):
        return {"dict": {k: pack_spec(v) for k, v in spec.items()}}
    if structure.is_dense(spec):
        shape = None if spec.shape.rank is None else list(spec.shape)
        return {"tensor": [shape, spec.dtype.name]}
    if isinstance(spec, structure.NoneTensorSpec):
        return {"none": []}
    kind = type(spec).__name__
    if kind == "RaggedTensorSpec":
        splits = dtypes.as_dtype(spec.row_splits_dtype).name
        return {"ragged": [list(spec.shape), spec.dtype.name, spec.ragged_rank, splits]}
    if kind == "SparseTensorSpec":
        return {"sparse": [list(spec.shape), spec.dtype.name]}
    raise NotImplementedError(
        f"Elements of type {spec!r} cannot be stored: map them to tensors in tuples or "
        "dictionaries first."
    )


def unpack_spec(packed):
    ((kind, value),) = packed.items()
    if kind == "tuple":
        return tuple(unpack_spec(s) for s in value)
    if kind == "dict":
        return {k: unpack_spec(v) for k, v in value.items()}
    if kind == "tensor":
        return TensorSpec(value[0], value[1])
    if kind == "none":
        return structure.NoneTensorSpec()
    import torchtf as tf

    if kind == "ragged":
        shape, dtype, rank, splits = value
        return tf.RaggedTensorSpec(shape, dtypes.as_dtype(dtype), rank, dtypes.as_dtype(splits))
    return tf.SparseTensorSpec(value[0], dtypes.as_dtype(value[1]))


# -- files of chunks


class ChunkWriter:
    """Writes chunks to a file that appears when it is complete."""

    def __init__(self, path: str, compression: str = ""):
        self._path = path
        folder = os.path.dirname(path) or "."
        with translated_errors(path):
            handle, self._temporary = tempfile.mkstemp(
                prefix=os.path.basename(path) + ".", suffix=".tmp", dir=folder
            )
        os.close(handle)
        self._writer = RecordWriter(self._temporary, compression)
        self.chunks = 0
        self.elements = 0

    def write(self, chunk: Chunk) -> None:
        self._writer.write(pack_chunk(chunk))
        self.chunks += 1
        self.elements += chunk.size

    def finish(self) -> None:
        """Closes the file and gives it its name."""
        self._writer.close()
        os.replace(self._temporary, self._path)

    def abandon(self) -> None:
        """Removes the file, which is not complete."""
        with contextlib.suppress(errors.OpError):  # the disk may be full: that is why
            self._writer.close()
        if os.path.exists(self._temporary):
            os.unlink(self._temporary)


def write_text(path: str, text: str) -> None:
    """Writes a small file whole or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with translated_errors(path):
        try:
            with open(temporary, "w") as f:
                f.write(text)
                f.flush()
                os.fsync(f.fileno())
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


class ChunkFile(Node):
    """The elements in a file of chunks.

    Args:
        chunks: how many chunks there must be.
    """

    def __init__(self, path: str, spec, chunks: int, elements: int, compression: str = ""):
        self.path, self.spec = path, spec
        self.chunks, self.elements, self.compression = chunks, elements, compression

    def cardinality(self):
        return self.elements

    def start(self, run):
        return _ChunkFileStage(self)

    def label(self):
        return f"ChunkFile({self.path})"


class _ChunkFileStage(UnaryStage):
    pure = True

    def __init__(self, node: ChunkFile):
        self._node = node
        self._reader = RecordReader(node.path, node.compression)
        self._left = node.chunks
        self._chunk: Chunk | None = None
        self._at = 0

    def next(self, n):
        while self._chunk is None or self._at >= self._chunk.size:
            records = self._reader.read(1)
            if not records:
                if self._left:
                    raise errors.DataLossError(
                        None, None, f"{self._node.path} ends early: {self._left} chunks are missing"
                    )
                return None
            self._left -= 1
            self._chunk, self._at = unpack_chunk(records[0], self._node.spec), 0
        at = self._at
        self._at = min(at + n, self._chunk.size)
        return self._chunk.slice(at, self._at)

    def close(self):
        self._reader.close()


# -- cache


class Cache(Unary):
    """The elements, kept by the first complete iteration (source: `tf.data.Dataset.cache`).

    Args:
        path: the stem of the files; memory if it is empty.
    """

    def __init__(self, source: Node, path: str):
        super().__init__(source)
        self.path = path
        self.kept = _Kept()

    def start(self, run):
        if self.path:
            return _start_file_cache(self, run)
        if self.kept.chunk is not None:
            return ElementRows(self.kept.chunk)
        return _MemoryCacheStage(run.start(self.source), self.kept)

    def forget(self):
        self.kept = _Kept()

    def label(self):
        return f"Cache({self.path or 'memory'})"

    tf_name = "CacheDataset"  # one without an underscore


class _Kept:
    """What a cache in memory holds: all elements, or nothing."""

    chunk: Chunk | None = None


class _MemoryCacheStage(UnaryStage):
    def __init__(self, source, kept: _Kept):
        super().__init__(source)
        self._kept = kept
        self._chunks: list[Chunk] = []

    def next(self, n):
        chunk = self.source.next(n)
        if chunk is not None:
            self._chunks.append(chunk)
        elif self._kept.chunk is None:
            self._kept.chunk = concat(self._chunks) if self._chunks else Chunk([], 0)
            self._chunks = []
        return chunk


def _start_file_cache(node: Cache, run):
    data, index = f"{node.path}.data-00000-of-00001", f"{node.path}.index"
    if os.path.exists(index):
        found = _read_index(index)
        return run.start(ChunkFile(data, node.spec, found["chunks"], found["elements"]))
    return _FileCacheStage(run.start(node.source), data, index)


def _read_index(path: str) -> dict:
    try:
        with open(path) as f:
            return json.load(f)
    except FileNotFoundError as e:
        raise errors.NotFoundError(None, None, f"{path}; No such file or directory") from e
    except ValueError as e:
        raise errors.DataLossError(None, None, f"{path} is damaged: {e}") from e


class _FileCacheStage(UnaryStage):
    """Passes elements on while it writes them; the files appear at the end."""

    def __init__(self, source, data: str, index: str):
        super().__init__(source)
        self._index = index
        self._writer: ChunkWriter | None = ChunkWriter(data)

    def next(self, n):
        chunk = self.source.next(n)
        writer = self._writer
        if writer is None:
            return chunk
        try:
            if chunk is not None:
                writer.write(chunk)
            else:
                self._writer = None
                writer.finish()
                write_text(
                    self._index, json.dumps({"chunks": writer.chunks, "elements": writer.elements})
                )
        except BaseException:
            self._writer = None
            writer.abandon()
            raise
        return chunk

    def close(self):
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
        super().close()


# -- save, load and snapshot: folders of shards

_SPEC_FILE, _INDEX_FILE, _FAILURE_FILE = "dataset_spec.json", "snapshot.index", "failure.json"
# between two looks for an index that somebody else is to write
_WAIT_SECONDS = 0.1


def _compression(name) -> str:
    if name in (None, "NONE", ""):
        return ""
    if name == "AUTO":
        return ""
    if name == "GZIP":
        return "GZIP"
    raise NotImplementedError(f"compression={name!r} is not supported; use 'GZIP' or None.")


class _ShardWriter:
    """Writes elements to the shards of a folder, whose index appears when they are complete."""

    def __init__(self, folder: str, spec, compression, function: Function | None):
        self._folder, self._spec = folder, spec
        self._compression = _compression(compression)
        self._function = function
        self._packed = pack_spec(spec)
        with translated_errors(folder):
            os.makedirs(folder, exist_ok=True)
        self._writers: dict[int, ChunkWriter] = {}

    def stage(self, stage):
        """The stage to read: with a shard function, the shard number comes first."""
        if self._function is None:
            return stage
        return with_elements(stage, self._function, self._spec)

    def write(self, chunk: Chunk) -> Chunk:
        """Writes a chunk of that stage; returns its elements."""
        if self._function is None:
            self._to(0).write(chunk)
            return chunk
        shards, *columns = chunk.columns
        elements = Chunk(columns, chunk.size)
        for shard in shards.unique().tolist():
            rows = (shards == shard).nonzero().squeeze(1)
            self._to(shard).write(elements.take(rows))
        return elements

    def _to(self, shard) -> ChunkWriter:
        if shard not in self._writers:
            path = os.path.join(self._folder, f"{shard:08d}.shard")
            self._writers[shard] = ChunkWriter(path, self._compression)
        return self._writers[shard]

    def finish(self):
        shards = []
        for shard in sorted(self._writers):
            writer = self._writers[shard]
            writer.finish()
            shards.append([f"{shard:08d}.shard", writer.chunks, writer.elements])
        write_index(self._folder, self._packed, shards, self._compression)

    def abandon(self):
        for writer in self._writers.values():
            writer.abandon()
        self._writers = {}


def write_index(
    folder: str, packed_spec, shards: list, compression: str, named: bool = True
) -> None:
    """Makes a folder a saved dataset.

    Args:
        packed_spec: what `pack_spec` gives.
        shards: for each file its name and its numbers of chunks and elements.
        named: whether who loads it has to name the compression.
    """
    write_text(os.path.join(folder, _SPEC_FILE), json.dumps(packed_spec))
    write_text(
        os.path.join(folder, _INDEX_FILE),
        json.dumps({"shards": shards, "compression": compression, "named": named}),
    )


def write_failure(folder: str, error: list) -> None:
    """Says in a folder why what should be saved there never will be; see `core.remote`."""
    write_text(os.path.join(folder, _FAILURE_FILE), json.dumps(error))


def is_settled(folder: str) -> bool:
    """Whether a folder is complete, or said to fail."""
    return any(os.path.exists(os.path.join(folder, f)) for f in (_INDEX_FILE, _FAILURE_FILE))


def _check_failure(folder: str) -> None:
    from torchtf.core.remote import unpacked_error

    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, _FAILURE_FILE)) as f:
        raise unpacked_error(json.load(f))


def save_elements(dataset, folder: str, compression, shard_func) -> None:
    from torchtf.data._plan import Run

    function = _shard_function(shard_func, dataset.element_spec, "save()")
    writer = _ShardWriter(folder, dataset.element_spec, compression, function)
    index = os.path.join(folder, _INDEX_FILE)
    if os.path.exists(index):
        os.unlink(index)
    source = Run(dataset._options).start(dataset._optimized())
    stage = writer.stage(source)
    block = block_size(dataset.element_spec) if stage.pure else 1
    try:
        while (chunk := stage.next(block)) is not None:
            writer.write(chunk)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise
    finally:
        stage.close()


def _shard_function(shard_func, spec, name) -> Function | None:
    return None if shard_func is None else Function(shard_func, spec, name)


def load_node(folder: str, spec, compression, reader_func, wait: bool):
    """The dataset saved in a folder."""
    while wait and not os.path.exists(os.path.join(folder, _INDEX_FILE)):
        _check_failure(folder)
        time.sleep(_WAIT_SECONDS)
    if spec is None:
        path = os.path.join(folder, _SPEC_FILE)
        if not os.path.exists(path):
            problem = f"tf.data snapshot element_spec file not found: {path}."
            raise errors.NotFoundError(None, None, problem)
        spec = unpack_spec(_read_index(path))
    return _read_shards(folder, spec, reader_func, _compression(compression))


def _read_shards(folder: str, spec, reader_func, compression: str | None = None):
    from torchtf.data._dataset import Dataset, DatasetSpec
    from torchtf.data._sources import Elements

    index = _read_index(os.path.join(folder, _INDEX_FILE))
    if index.get("named", True) and compression not in (None, index["compression"]):
        raise errors.DataLossError(
            None, None,
            f"{folder} was saved with compression={index['compression'] or None!r}, not "
            f"{compression or None!r}",
        )  # fmt: skip
    shards = [
        Dataset(ChunkFile(os.path.join(folder, name), spec, chunks, count, index["compression"]))
        for name, chunks, count in index["shards"]
    ]
    if reader_func is None and len(shards) == 1:
        return shards[0]
    chunk = Chunk([shards], len(shards)) if shards else chunk_of([], 1)
    datasets = Dataset(Elements(DatasetSpec(spec), chunk, "Shards"))
    if reader_func is None:
        return datasets.interleave(lambda shard: shard)
    return reader_func(datasets)


class Snapshot(Unary):
    """The elements, kept in a folder (source: `tf.data.Dataset.snapshot`).

    The folder has a folder for each plan, told apart by what the plan's steps and functions are.
    """

    def __init__(self, dataset, folder: str, compression, reader_func, shard_func):
        super().__init__(dataset._node)
        self.folder, self.compression = folder, compression
        _compression(compression)
        self.reader_func = reader_func
        self.shard = _shard_function(shard_func, self.spec, "snapshot()")

    def cardinality(self):
        return self.source.cardinality() if self.reader_func is None else UNKNOWN

    def start(self, run):
        folder = os.path.join(self.folder, fingerprint(self.source))
        if os.path.exists(os.path.join(folder, _INDEX_FILE)):
            return run.start(_read_shards(folder, self.spec, self.reader_func)._optimized())
        if os.path.isdir(folder):
            shutil.rmtree(folder, ignore_errors=True)  # of a run that did not end
        writer = _ShardWriter(folder, self.spec, self.compression, self.shard)
        return _SnapshotStage(writer.stage(run.start(self.source)), writer)

    def label(self):
        return f"Snapshot({self.folder})"


class _SnapshotStage(UnaryStage):
    def __init__(self, source, writer: _ShardWriter):
        super().__init__(source)
        self._writer: _ShardWriter | None = writer

    def next(self, n):
        chunk = self.source.next(n)
        writer = self._writer
        if writer is None:
            return chunk
        try:
            if chunk is not None:
                return writer.write(chunk)
            self._writer = None
            writer.finish()
        except BaseException:
            self._writer = None
            writer.abandon()
            raise
        return None

    def close(self):
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None
        super().close()


def fingerprint(node: Node) -> str:
    """A name for what a plan computes: its steps, specs and the graphs of its functions."""
    digest = hashlib.sha256()

    def visit(n):
        for i in n.inputs:
            visit(i)
        digest.update(f"{type(n).__name__}|{n.spec!r}|{n.cardinality()}|".encode())
        for name, value in sorted(vars(n).items()):
            if isinstance(value, Function):
                digest.update(f"{name}={value.code}".encode())
            elif isinstance(value, (int, str, bool, tuple, list)) and name != "inputs":
                digest.update(f"{name}={value!r}".encode())

    visit(node)
    return digest.hexdigest()[:20]

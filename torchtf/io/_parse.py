"""`tf.io.parse_example` and its kin.

* A dictionary of features becomes a `_Plan`: lists of sparse, dense and ragged columns.
* One host op reads the protos into flat arrays after that plan; what it returns is put together
  to tensors, sparse and ragged tensors here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from torchtf.core import dtypes, errors, example_layout, example_wire
from torchtf.core.convert import convert_to_tensor, to_torch
from torchtf.core.host_op import host_op, object_array
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import wrap
from torchtf.function.trace import init_scope
from torchtf.io._features import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    RaggedFeature,
    SparseFeature,
    VarLenFeature,
)
from torchtf.ragged import RaggedTensor
from torchtf.sparse import SparseTensor, reorder

_KINDS = {
    dtypes.string: example_wire.BYTES,
    dtypes.float32: example_wire.FLOAT,
    dtypes.int64: example_wire.INT64,
}
_EMPTY = {
    example_wire.BYTES: np.empty(0, dtype=object),
    example_wire.FLOAT: np.zeros(0, np.float32),
    example_wire.INT64: np.zeros(0, np.int64),
}


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


# -- plans


@dataclass
class _Column:
    """A feature to read: its name in the proto and its kind."""

    key: str
    kind: int

    def __post_init__(self):
        self.raw_key = self.key.encode()


@dataclass
class _Dense(_Column):
    shape: tuple = ()
    default: np.ndarray | None = None
    variable: bool = False  # a sequence of items of `shape`
    allow_missing: bool = False


@dataclass
class _Ragged(_Column):
    name: str = ""
    partitions: tuple = ()
    splits: type = np.int32


@dataclass
class _Plan:
    sparse: list[_Column] = field(default_factory=list)
    dense: list[_Dense] = field(default_factory=list)
    ragged: list[_Ragged] = field(default_factory=list)

    def add_sparse(self, key, kind):
        for column in self.sparse:
            if column.key == key:
                if column.kind != kind:
                    raise ValueError(f"Conflicting type for feature {key}.")
                return
        self.sparse.append(_Column(key, kind))

    def results(self, rows: list) -> list[tuple[str, list]]:
        """The dtype and sizes of each result; `rows` is the shape of the serialized examples."""
        names = {v: k.name for k, v in _KINDS.items()}
        rank = len(rows) + 1
        found: list[tuple[str, list]] = []
        for c in self.sparse:
            found += _sparse_results(names[c.kind], rank)
        for c in self.dense:
            variable = [None] if c.variable else []
            found.append((names[c.kind], [*rows, *variable, *c.shape]))
        for c in self.ragged:
            found.append((names[c.kind], [None]))
            found += [(np.dtype(c.splits).name, [None])] * _splits_count(c, bool(rows))
        return found


def _sparse_results(kind: str, rank: int) -> list[tuple[str, list]]:
    return [("int64", [None, rank]), (kind, [None]), ("int64", [rank])]


def _kind(dtype, key, feature) -> int:
    if dtype is None:
        raise ValueError(f"Missing type for feature {key}. Received feature={feature}.")
    dtype = dtypes.as_dtype(dtype)
    if dtype not in _KINDS:
        raise _invalid(
            f"Value for attr 'Tdense' of {dtype.name} is not in the list of allowed values: float, "
            f"int64, string (feature {key!r}) [Op:ParseExampleV2]"
        )
    return _KINDS[dtype]


def _default(value, kind, shape, key) -> np.ndarray | None:
    if value is None:
        return None
    dtype = next(d for d, k in _KINDS.items() if k == kind)
    with init_scope():  # a number even where a function is being traced
        array = convert_to_tensor(value, dtype=dtype).numpy()
    array = np.asarray(array, dtype=object if kind == example_wire.BYTES else None)
    if isinstance(value, (str, bytes)):
        array = object_array([value.encode() if isinstance(value, str) else value], ())
    if array.size != math.prod(shape):
        raise _invalid(
            f"Input to reshape is a tensor with {array.size} values, but the requested shape has "
            f"{math.prod(shape)} (the default of feature {key!r}) [Op:Reshape]"
        )
    return array.reshape(shape)


def _make_plan(features, allowed, sequence=False) -> _Plan:
    plan = _Plan()
    for key in sorted(features):
        feature = features[key]
        if not isinstance(feature, allowed):
            raise ValueError(f"Unsupported {type(feature).__name__} {feature} for key '{key}'")
        if isinstance(feature, VarLenFeature):
            plan.add_sparse(key, _kind(feature.dtype, key, feature))
        elif isinstance(feature, SparseFeature):
            _add_sparse_feature(plan, key, feature)
        elif isinstance(feature, RaggedFeature):
            plan.ragged.append(
                _Ragged(
                    feature.value_key or key,
                    _kind(feature.dtype, key, feature),
                    name=key,
                    partitions=feature.partitions,
                    splits=feature.row_splits_dtype.as_numpy_dtype,
                )
            )
        else:
            plan.dense.append(_dense_column(key, feature, sequence))
    return plan


def _add_sparse_feature(plan, key, feature):
    if not feature.index_key:
        raise ValueError(f"Missing index_key for SparseFeature {feature}.")
    if not feature.value_key:
        raise ValueError(f"Missing value_key for SparseFeature {feature}.")
    keys = [feature.index_key] if isinstance(feature.index_key, str) else sorted(feature.index_key)
    for index_key in keys:
        plan.add_sparse(index_key, example_wire.INT64)
    plan.add_sparse(feature.value_key, _kind(feature.dtype, key, feature))


def _dense_column(key, feature, sequence) -> _Dense:
    kind = _kind(feature.dtype, key, feature)
    if feature.shape is None:
        raise ValueError(f"Missing shape for feature {key}. Received feature={feature}.")
    shape = TensorShape(feature.shape)
    if isinstance(feature, FixedLenFeature):
        if shape.rank and shape[0] is None:
            raise ValueError(
                f"First dimension of shape for feature {key} unknown. Consider using "
                f"FixedLenSequenceFeature. Received feature={feature}."
            )
        if not shape.is_fully_defined():
            raise ValueError(
                f"All dimensions of shape for feature {key} need to be known but received {shape}."
            )
        sizes = tuple(shape)
        return _Dense(key, kind, sizes, _default(feature.default_value, kind, sizes, key))
    if not sequence and not feature.allow_missing:
        raise ValueError("Unsupported: FixedLenSequenceFeature requires allow_missing to be True.")
    default = None
    if feature.default_value is not None:
        default = _default(feature.default_value, kind, (), key)
    return _Dense(key, kind, tuple(shape), default, True, feature.allow_missing)


def _splits_count(column: _Ragged, batched: bool) -> int:
    """How many row splits a ragged column gives."""
    return len(_split_partitions(column)) + batched


def _split_partitions(column: _Ragged) -> list:
    """The partitions that are not plain reshapes of the flat values."""
    partitions = list(column.partitions)
    while partitions and isinstance(partitions[-1], RaggedFeature.UniformRowLength):
        partitions.pop()
    return partitions


# -- reading


class _Reader:
    """Reads the columns of a batch of parsed examples."""

    def __init__(self, records, rows, names, batched):
        self.records, self.rows, self.names, self.batched = records, rows, names, batched

    def where(self, i: int) -> str:
        """How messages begin."""
        if not self.batched:
            return ""
        name = self.names[i].decode() if self.names is not None and len(self.names) else "<unknown>"
        return f"Name: {name}, "

    def values(self, i: int, key: bytes, kind: int, shown: str | None = None):
        """The values of a feature of example i, or None if it is missing."""
        span = self.rows[i].get(key)
        if span is None or span[0] == 0:
            return None
        if span[0] != kind:
            index = f", Index: {i}" if self.batched else ""
            raise _invalid(
                f"{self.where(i)}Key: {key.decode()}{index}.  Data types don't match. Data type: "
                f"{example_wire.NAMES[span[0]]} but expected type: {example_wire.NAMES[kind]}"
            )
        return example_wire.values(self.records[i], span)

    def all_values(self, key: bytes, kind: int) -> list:
        """The values of a feature of each example; empty where it is missing."""
        empty = _EMPTY[kind]
        found = [self.values(i, key, kind) for i in range(len(self.rows))]
        return [empty if v is None else v for v in found]

    # -- columns

    def sparse(self, column):
        rows = self.all_values(column.raw_key, column.kind)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        inner = _counting(lengths)
        flat = _joined(rows, column.kind)
        if not self.batched:
            return inner[:, None], flat, lengths
        outer = np.repeat(np.arange(len(rows)), lengths)
        shape = np.array([len(rows), lengths.max(initial=0)], np.int64)
        return np.stack([outer, inner], 1), flat, shape

    def dense(self, column):
        if column.variable:
            return self._sequence(column)
        size = math.prod(column.shape)
        rows = []
        for i in range(len(self.rows)):
            values = self.values(i, column.raw_key, column.kind)
            if values is None:
                if column.default is None:
                    raise _invalid(
                        f"{self.where(i)}Feature: {column.key} (data type: "
                        f"{example_wire.NAMES[column.kind]}) is required but could not be found."
                    )
                values = column.default.reshape(-1)
            elif len(values) != size:
                raise self._wrong_size(i, column, len(values))
            rows.append(values)
        shape = (len(rows), *column.shape) if self.batched else column.shape
        return _joined(rows, column.kind).reshape(shape)

    def _wrong_size(self, i, column, size):
        index = f", Index: {i}" if self.batched else ""
        return _invalid(
            f"{self.where(i)}Key: {column.key}{index}.  Number of "
            f"{example_wire.NAMES[column.kind]} values != expected.  Values size: {size} but "
            f"output shape: {_text(column.shape)}"
        )

    def _sequence(self, column):
        stride = math.prod(column.shape)
        rows = self.all_values(column.raw_key, column.kind)
        for i, row in enumerate(rows):
            if stride and len(row) % stride:
                index = f", Index: {i}" if self.batched else ""
                raise _invalid(
                    f"{self.where(i)}Key: {column.key}{index}.  Number of "
                    f"{example_wire.NAMES[column.kind]} values is not a multiple of stride length. "
                    f"Saw {len(row)} values but output shape is: {_text(['?', *column.shape])}"
                )
        if not self.batched:
            return _joined(rows, column.kind).reshape(-1, *column.shape)
        longest = max(map(len, rows), default=0)
        out = _padding(column, (len(rows), longest))
        for i, row in enumerate(rows):
            out[i, : len(row)] = row
        return out.reshape(len(rows), longest // stride if stride else 0, *column.shape)

    def ragged(self, column):
        rows = self.all_values(column.raw_key, column.kind)
        counts = [len(r) for r in rows]
        splits = []
        for partition in reversed(column.partitions):
            if isinstance(partition, RaggedFeature.UniformRowLength):
                lengths = [
                    np.full(c // partition.length if partition.length else 0, partition.length)
                    for c in counts
                ]
            else:
                given = self.all_values(partition.key.encode(), example_wire.INT64)
                lengths = [
                    _row_lengths(partition, g, c) for g, c in zip(given, counts, strict=True)
                ]
            self._check_partition(partition, lengths, counts, column)
            splits.insert(0, _splits(np.concatenate([[], *lengths]), column.splits))
            counts = [len(x) for x in lengths]
        splits = splits[: len(_split_partitions(column))]
        if self.batched:
            splits.insert(0, _splits(counts, column.splits))
        return [_joined(rows, column.kind), *splits]

    def _check_partition(self, partition, lengths, counts, column):
        for i, (row, count) in enumerate(zip(lengths, counts, strict=True)):
            if row.sum() != count or (row < 0).any():
                raise _invalid(
                    f"{self.where(i)}Key: {column.name}.  {partition} does not partition {count} "
                    "values"
                )


def _row_lengths(partition, given: np.ndarray, count: int) -> np.ndarray:
    """Row lengths of one example from what its partition feature holds."""
    if isinstance(partition, RaggedFeature.RowLengths):
        return given
    if isinstance(partition, RaggedFeature.RowSplits):
        return np.diff(given)
    if isinstance(partition, RaggedFeature.RowStarts):
        return np.diff(given, append=count)
    if isinstance(partition, RaggedFeature.RowLimits):
        return np.diff(given, prepend=0)
    return np.bincount(given) if len(given) else np.zeros(0, np.int64)


def _joined(rows: list, kind: int) -> np.ndarray:
    if kind == example_wire.BYTES:
        return object_array([value for row in rows for value in row])
    return np.concatenate(rows) if rows else _EMPTY[kind]


def _counting(lengths: np.ndarray) -> np.ndarray:
    """0, 1, ... in each row."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - lengths, lengths)


def _splits(lengths, dtype) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(dtype)


def _padding(column, shape) -> np.ndarray:
    if column.default is not None:
        fill = column.default[()]
    else:
        fill = b"" if column.kind == example_wire.BYTES else 0
    out = np.empty(shape, dtype=_EMPTY[column.kind].dtype)
    out[...] = fill
    return out


def _text(sizes) -> str:
    return f"[{','.join(map(str, sizes))}]"


def _parsed(records, names, read, what):
    rows = []
    for i, record in enumerate(records):
        try:
            rows.append(read(record))
        except example_wire.WireError:
            shown = record[:80].decode("utf-8", "backslashreplace")
            raise _invalid(f"Could not parse {what} input {i}, value: '{shown}'") from None
    return rows


def _example_sizes(serialized, names, plan, output_types) -> list[list]:
    return [sizes for _, sizes in plan.results(list(serialized.shape))]


@host_op("ParseExampleV2", out="output_types", shape=_example_sizes)
def _parse_example(serialized: S, names: S, plan, output_types):
    if serialized.ndim > 1:
        raise _invalid(
            f"Expected serialized to be a scalar or vector, got shape: {_text(serialized.shape)}"
        )
    records = serialized.reshape(-1).tolist()
    batched = serialized.ndim == 1
    if batched:
        alike = _read_alike(plan, records)
        if alike is not None:
            return alike
    reader = _Reader(
        records, _parsed(records, names, example_wire.example, "example"), names, batched
    )
    return _read_columns(plan, reader)


def _read_alike(plan, records) -> list | None:
    """The dense features of records that are laid out alike, read at once."""
    if plan.sparse or plan.ragged or any(c.variable for c in plan.dense):
        return None
    wanted = [(c.raw_key, c.kind, math.prod(c.shape)) for c in plan.dense]
    columns = example_layout.dense_columns(records, wanted)
    if columns is None:
        return None
    return [
        column.reshape(len(records), *c.shape)
        for column, c in zip(columns, plan.dense, strict=True)
    ]


def _read_columns(plan, reader) -> list:
    out: list = []
    for column in plan.sparse:
        out += reader.sparse(column)
    out += [reader.dense(column) for column in plan.dense]
    for column in plan.ragged:
        out += reader.ragged(column)
    return out


# -- putting together


def _assemble(plan, features, flat: list, batched: bool) -> dict:
    """The dictionary of results from the flat outputs of the op."""
    parts = iter(flat)
    found = {}
    for column in plan.sparse:
        found[column.key] = SparseTensor(next(parts), next(parts), next(parts))
    for column in plan.dense:
        found[column.key] = next(parts)
    for column in plan.ragged:
        values = next(parts)
        for partition in reversed(column.partitions[len(_split_partitions(column)) :]):
            values = _rows_of(values, partition.length)
        splits = [next(parts) for _ in range(_splits_count(column, batched))]
        for s in reversed(splits):
            values = RaggedTensor.from_row_splits(values, s, validate=False)
        found[column.name] = values
    return _with_sparse_features(found, features)


def _rows_of(values, length):
    from torchtf.array_ops import reshape

    return reshape(values, [-1, length, *values.shape[1:]])


def _with_sparse_features(found: dict, features: dict) -> dict:
    """Adds sparse tensors of indices and values; drops what was read for them only."""
    made = {}
    for key, feature in features.items():
        if not isinstance(feature, SparseFeature):
            continue
        single = isinstance(feature.index_key, str)
        keys = [feature.index_key] if single else list(feature.index_key)
        sizes = [feature.size] if isinstance(feature.size, int) else list(feature.size)
        if len(keys) != len(sizes):
            raise ValueError(f"index_key and size of {key!r} must have one length: {feature}")
        values = found[feature.value_key]
        first = found[keys[0]]
        outer = to_torch(first.indices)[:, :-1]
        columns = [outer, *[to_torch(found[k].values)[:, None] for k in keys]]
        shape = torch.cat([to_torch(values.dense_shape)[:-1], torch.tensor(sizes)])
        sparse = SparseTensor(wrap(torch.cat(columns, 1)), values.values, wrap(shape))
        made[key] = sparse if feature.already_sorted else reorder(sparse)
    return {k: v for k, v in found.items() if k in features and k not in made} | made


def _check_features(features):
    if features is None:
        raise ValueError("Invalid argument: features cannot be None.")
    if not features:
        raise ValueError("Invalid argument: features cannot be empty.")


_IN_EXAMPLES = (
    VarLenFeature, SparseFeature, FixedLenFeature, FixedLenSequenceFeature, RaggedFeature,
)  # fmt: skip
_IN_CONTEXTS = (VarLenFeature, FixedLenFeature, RaggedFeature)
_IN_LISTS = (VarLenFeature, FixedLenSequenceFeature, RaggedFeature)


def _strings(value, what) -> object:
    if hasattr(value, "_data") or isinstance(value, (str, bytes)):
        return convert_to_tensor(value, dtype=dtypes.string)
    if value is None:
        return wrap(object_array([]))
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError(f"Tensor conversion requested dtype string for an empty `{what}`")
    return convert_to_tensor(value, dtype=dtypes.string)


def parse_example(serialized, features, example_names=None, name=None) -> dict:
    """Reads `tf.train.Example` protos (source: `tf.io.parse_example`).

    Args:
        serialized: a vector of serialized protos, or a scalar.
        features: a dictionary of feature classes, e.g. `tf.io.FixedLenFeature`.
        example_names: names of the protos for messages.
        name: a name for the op.

    Returns:
        A dictionary of tensors, sparse and ragged tensors, with an axis for the batch.

    Raises:
        ValueError: if a feature description is incomplete.
        InvalidArgumentError: if a proto is malformed, a feature is missing or of another type.
    """
    _check_features(features)
    plan = _make_plan(features, _IN_EXAMPLES)
    serialized = _strings(serialized, "serialized")
    names = _strings(example_names, "example_names")
    rows = list(serialized.shape)
    kinds = [kind for kind, _ in plan.results(rows)]
    flat = _parse_example(serialized, names, plan, kinds, name)
    return _assemble(plan, features, flat, bool(rows))


def parse_single_example(serialized, features, example_names=None, name=None) -> dict:
    """Reads one `tf.train.Example` proto (source: `tf.io.parse_single_example`).

    Args:
        serialized: a scalar, the serialized proto.
        features: a dictionary of feature classes.
        example_names: a name of the proto for messages.
        name: a name for the op.

    Raises:
        ValueError: if `serialized` is no scalar.
    """
    _check_features(features)
    serialized = _strings(serialized, "serialized")
    if serialized.shape.rank not in (0, None):
        raise ValueError("Input serialized must be a scalar")
    return parse_example(serialized, features, example_names, name)


# -- sequence examples


def _list_results(plan: _Plan, rows: list) -> list[tuple[str, list]]:
    """The dtype and sizes of the results of feature lists."""
    names = {v: k.name for k, v in _KINDS.items()}
    rank = len(rows) + 2
    found: list[tuple[str, list]] = []
    for c in plan.sparse:
        found += _sparse_results(names[c.kind], rank)
    for c in plan.dense:
        found += [(names[c.kind], [*rows, None, *c.shape]), ("int64", rows)]
    for c in plan.ragged:
        found.append((names[c.kind], [None]))
        found += [(np.dtype(c.splits).name, [None])] * (len(rows) + 1)
    return found


def _sequence_sizes(serialized, names, context, lists, output_types) -> list[list]:
    rows = list(serialized.shape)
    return [sizes for _, sizes in context.results(rows) + _list_results(lists, rows)]


@host_op("ParseSequenceExampleV2", out="output_types", shape=_sequence_sizes)
def _parse_sequence_example(serialized: S, names: S, context, lists, output_types):
    records = serialized.reshape(-1).tolist()
    batched = serialized.ndim == 1
    parsed = _parsed(records, names, example_wire.sequence_example, "sequence example")
    reader = _Reader(records, [c for c, _ in parsed], names, batched)
    out = _read_columns(context, reader)
    steps = _ListReader(records, [rows for _, rows in parsed], names, batched)
    for column in lists.sparse:
        out += steps.sparse(column)
    for column in lists.dense:
        out += steps.dense(column)
    for column in lists.ragged:
        out += steps.ragged(column)
    return out


class _ListReader(_Reader):
    """Reads the columns of feature lists: each example has a list of steps."""

    def steps(self, i: int, column) -> list | None:
        """The values of each step of example i, or None if the list is missing."""
        spans = self.rows[i].get(column.raw_key)
        if spans is None:
            return None
        found = []
        for step, span in enumerate(spans):
            if span[0] not in (0, column.kind):
                raise _invalid(
                    f"Name: <unknown>, Key: {column.key}, Index: {step}.  Data types don't match. "
                    f"Data type: {example_wire.NAMES[span[0]]} but expected type: "
                    f"{example_wire.NAMES[column.kind]}"
                )
            values = example_wire.values(self.records[i], span) if span[0] else _EMPTY[column.kind]
            found.append(values)
        return found

    def _all_steps(self, column) -> list[list]:
        return [self.steps(i, column) or [] for i in range(len(self.rows))]

    def sparse(self, column):
        rows = self._all_steps(column)
        places, flat = [], []
        for i, row in enumerate(rows):
            for t, values in enumerate(row):
                places += [(i, t, j) for j in range(len(values))]
                flat.append(values)
        indices = np.array(places, np.int64).reshape(-1, 3)
        widest = max((len(v) for row in rows for v in row), default=0)
        shape = np.array([len(rows), max(map(len, rows), default=0), widest], np.int64)
        if not self.batched:
            indices, shape = indices[:, 1:], shape[1:]
        return indices, _joined(flat, column.kind), shape

    def dense(self, column):
        size = math.prod(column.shape)
        rows = []
        for i in range(len(self.rows)):
            steps = self.steps(i, column)
            if steps is None:
                if not column.allow_missing:
                    raise _invalid(
                        f"Name: <unknown>, Feature list '{column.key}' is required but could not "
                        "be found.  Did you mean to include it in "
                        "feature_list_dense_missing_assumed_empty or "
                        "feature_list_dense_defaults?"
                    )
                steps = []
            for t, values in enumerate(steps):
                if len(values) != size:
                    raise _invalid(
                        f"Name: <unknown>, Key: {column.key}, Index: {t}.  Number of values != "
                        f"expected.  values size: {len(values)} but output shape: "
                        f"{_text(column.shape)}"
                    )
            rows.append(steps)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        longest = int(lengths.max(initial=0))
        out = _padding(column, (len(rows), longest, size))
        for i, steps in enumerate(rows):
            for t, values in enumerate(steps):
                out[i, t] = values
        out = out.reshape(len(rows), longest, *column.shape)
        return (out, lengths) if self.batched else (out[0], lengths[0])

    def ragged(self, column):
        if column.partitions:
            raise NotImplementedError(
                "RaggedFeature partitions in feature lists are not supported; parse the partition "
                "features on their own and use the RaggedTensor.from_* methods."
            )
        rows = self._all_steps(column)
        steps = [values for row in rows for values in row]
        inner = _splits([len(v) for v in steps], column.splits)
        flat = _joined(steps, column.kind)
        if not self.batched:
            return [flat, inner]
        return [flat, _splits([len(r) for r in rows], column.splits), inner]


def _parse_sequences(serialized, context_features, sequence_features, names, name, batched):
    if not (context_features or sequence_features):
        raise ValueError(
            "Both `context_features` and `sequence_features` argument are None, but at least one "
            "should have values."
        )
    context_features, sequence_features = context_features or {}, sequence_features or {}
    context = _make_plan(context_features, _IN_CONTEXTS)
    lists = _make_plan(sequence_features, _IN_LISTS, sequence=True)
    serialized = _strings(serialized, "serialized")
    if serialized.shape.rank != int(batched):
        raise ValueError(
            f"Input serialized must be a {'vector' if batched else 'scalar'}, got shape "
            f"{serialized.shape}"
        )
    rows = list(serialized.shape)
    kinds = [kind for kind, _ in context.results(rows) + _list_results(lists, rows)]
    flat = _parse_sequence_example(
        serialized, _strings(names, "example_names"), context, lists, kinds, name
    )
    inner = 3 * len(context.sparse) + len(context.dense)
    inner += sum(1 + _splits_count(c, batched) for c in context.ragged)
    contexts = _assemble(context, context_features, flat[:inner], batched)
    parts = iter(flat[inner:])
    sequences, lengths = {}, {}
    for column in lists.sparse:
        sequences[column.key] = SparseTensor(next(parts), next(parts), next(parts))
    for column in lists.dense:
        sequences[column.key], lengths[column.key] = next(parts), next(parts)
    for column in lists.ragged:
        values = next(parts)
        splits = [next(parts) for _ in range(2 if batched else 1)]
        sequences[column.name] = RaggedTensor.from_nested_row_splits(values, splits, validate=False)
    return contexts, sequences, lengths


def parse_sequence_example(
    serialized, context_features=None, sequence_features=None, example_names=None, name=None
) -> tuple:
    """Reads `tf.train.SequenceExample` protos (source: `tf.io.parse_sequence_example`).

    Args:
        serialized: a vector of serialized protos.
        context_features: feature classes of the contexts.
        sequence_features: feature classes of the feature lists.
        example_names: names of the protos for messages.
        name: a name for the op.

    Returns:
        The contexts, the sequences (padded to the longest), and the lengths of the dense sequences.
    """
    return _parse_sequences(
        serialized, context_features, sequence_features, example_names, name, True
    )


def parse_single_sequence_example(
    serialized, context_features=None, sequence_features=None, example_name=None, name=None
) -> tuple:
    """Reads one `tf.train.SequenceExample` (source: `tf.io.parse_single_sequence_example`).

    Returns:
        The context and the sequences.
    """
    return _parse_sequences(
        serialized, context_features, sequence_features, None if example_name is None else
        [example_name], name, False,
    )[:2]  # fmt: skip

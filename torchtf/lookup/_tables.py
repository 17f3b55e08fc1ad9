"""Tables from keys to values: the classes of `tf.lookup`.

A table is a Python dict from keys to positions in a list of values; lookups are host ops.
"""

from __future__ import annotations

import os
import threading

import numpy as np
import torch

from torchtf.core import arena, dtypes, errors, graph
from torchtf.core.convert import convert_to_tensor
from torchtf.core.host_op import host_op, object_array
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import SymbolicTensor, Tensor, is_tensor_type, wrap
from torchtf.function.trace import init_scope
from torchtf.ragged import RaggedTensor
from torchtf.sparse import SparseTensor


def _invalid(message: str) -> errors.InvalidArgumentError:
    return errors.InvalidArgumentError(None, None, message)


@host_op(
    "LookupTableFindV2", out="value_dtype", elementwise=True, stateful=True,
    shape=lambda keys, default, table, value_dtype: [*keys.shape, *table._value_shape],
)  # fmt: skip
def _find(keys: T, default: U, table, value_dtype):
    if not table._filled and not graph.state.on_trial:
        raise errors.FailedPreconditionError(None, None, "Table not initialized.")
    table._refuse_reserved(keys)
    found = table._dict
    values, width = table._values, table._value_shape
    default = np.broadcast_to(default, keys.shape + width)
    out = default.copy()
    flat = out.reshape(-1, *width)
    for i, key in enumerate(keys.reshape(-1).tolist()):
        position = found.get(key)
        if position is not None:
            flat[i] = values[position]
    return flat.reshape(keys.shape + width)


def _array(tensor) -> np.ndarray:
    data = tensor._data
    return data if isinstance(data, np.ndarray) else tensor.numpy()


def _kept(value, dtype) -> Tensor:
    """A tensor that a table keeps. A traced function makes its table while it is traced: what it
    computed for it is computed now.
    """
    if type(value) is SymbolicTensor:
        if dtype is not None and value.dtype is not dtypes.as_dtype(dtype):
            raise ValueError(
                f"Tensor conversion requested dtype {dtypes.as_dtype(dtype).name} for Tensor with "
                f"dtype {value.dtype.name}: {value}"
            )
        with arena.Arena() as strings:
            data = graph.current_trace().initial_value(value._data)
            return wrap(strings.decode(data) if value.dtype is dtypes.string else data)
    with init_scope():
        return convert_to_tensor(value, dtype=dtype)


class _Table:
    """What all tables share: their types, and lookup of plain, ragged and sparse tensors."""

    def __init__(self, key_dtype, value_dtype, default_value, name):
        self._key_dtype = dtypes.as_dtype(key_dtype)
        self._value_dtype = dtypes.as_dtype(value_dtype)
        self._default = _kept(default_value, self._value_dtype)
        self._value_shape = tuple(self._default.shape)
        self._name = name
        self._lock = threading.Lock()
        self._clear()

    def __getstate__(self):  # a table travels with the functions of a dataset
        state = dict(vars(self))
        del state["_lock"]
        return state

    def __setstate__(self, state):
        vars(self).update(state)
        self._lock = threading.Lock()

    _filled = True  # a static table may be without content; the others begin empty

    def _clear(self):
        self._dict: dict = {}
        self._values: list = []

    @property
    def key_dtype(self) -> dtypes.DType:
        return self._key_dtype

    @property
    def value_dtype(self) -> dtypes.DType:
        return self._value_dtype

    @property
    def name(self) -> str:
        return self._name

    @property
    def resource_handle(self):
        """The table itself, which stands for TensorFlow's resource."""
        return self

    def _trackable_children(self) -> dict:
        return {}

    def size(self, name=None) -> Tensor:
        """The number of keys, an int64 scalar."""
        return wrap(torch.tensor(len(self._dict), dtype=torch.int64))

    def _checked_keys(self, keys):
        if isinstance(keys, (RaggedTensor, SparseTensor)) or is_tensor_type(keys):
            typed = keys
        else:
            typed = convert_to_tensor(keys, dtype_hint=self._key_dtype)
        if typed.dtype is not self._key_dtype:
            raise TypeError(
                f"Signature mismatch. Keys must be dtype {self._key_dtype}, got {typed.dtype}."
            )
        return typed

    def _refuse_reserved(self, keys: np.ndarray) -> None:
        """Raises InvalidArgumentError if one of the keys must not be used."""

    def _lookup(self, keys, default, name=None):
        keys = self._checked_keys(keys)
        if isinstance(keys, SparseTensor):
            return keys.with_values(self._lookup(keys.values, default))
        if isinstance(keys, RaggedTensor):
            return keys.with_flat_values(self._lookup(keys.flat_values, default))
        return _find(keys, default, self, self._value_dtype, name)

    def __getitem__(self, keys):
        """The values of keys."""
        return self.lookup(keys)

    def _keys_array(self) -> np.ndarray:
        return self._array_of_keys(list(self._dict))

    def _array_of_keys(self, keys: list) -> np.ndarray:
        if self._key_dtype is dtypes.string:
            return object_array(keys)
        return np.array(keys, self._key_dtype.as_numpy_dtype)

    def _values_array(self) -> np.ndarray:
        rows = [self._values[i] for i in self._dict.values()]
        if self._value_dtype is dtypes.string:
            if not self._value_shape:
                return object_array(rows)
            return object_array([v for r in rows for v in r], (len(rows), *self._value_shape))
        kind = self._value_dtype.as_numpy_dtype
        return np.array(rows, kind).reshape(len(rows), *self._value_shape)

    def _description(self) -> dict:
        """What `export.objects.Table` tells of a table."""
        with self._lock:
            return {
                "kind": type(self).__name__,
                "key_dtype": self._key_dtype.name,
                "value_dtype": self._value_dtype.name,
                "keys": self._keys_array(),
                "values": self._values_array(),
                "default": np.asarray(_array(self._default)),
                "reserved": self._array_of_keys([]),
            }

    def export(self, name=None) -> tuple[Tensor, Tensor]:
        """All keys and their values."""
        with self._lock:
            return _to_tensor(self._keys_array()), _to_tensor(self._values_array())


def _to_tensor(array: np.ndarray) -> Tensor:
    return wrap(array) if array.dtype == object else convert_to_tensor(array)


class StaticHashTable(_Table):
    """A table that is filled once (source: `tf.lookup.StaticHashTable`).

    Args:
        initializer: what gives the keys and values.
        default_value: the value of keys that are not there.
        name: a name.
        experimental_is_anonymous: whether the table has no shared name; tables are never shared.

    Raises:
        FailedPreconditionError: if a key has two values.
    """

    def __init__(self, initializer, default_value, name=None, experimental_is_anonymous=False):
        super().__init__(
            initializer.key_dtype, initializer.value_dtype, default_value, name or "hash_table"
        )
        if self._default.shape.rank:
            raise ValueError(f"Shapes {self._default.shape} and () are not compatible")
        self._initializer = initializer
        self._filled = False  # it stays so if the initializer is a placeholder, as Keras' is
        with init_scope():
            initializer.initialize(self)

    def _description(self) -> dict:
        return super()._description() | {"file": getattr(self._initializer, "_file", None)}

    def export(self, name=None) -> tuple[Tensor, Tensor]:
        if not self._filled:
            raise errors.of_kernel(
                "LookupTableExportV2", "HashTable is not initialized.", kind=errors.AbortedError
            )
        return super().export(name)

    def _fill(self, keys: list, values: list) -> None:
        self._filled = True
        for key, value in zip(keys, values, strict=True):
            position = self._dict.setdefault(key, len(self._values))
            if position == len(self._values):
                self._values.append(value)
            elif self._values[position] != value:
                shown = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
                raise errors.FailedPreconditionError(
                    None, None,
                    f"HashTable has different value for same key. Key {shown} has "
                    f"{self._values[position]} and trying to add value {value}",
                )  # fmt: skip

    @property
    def default_value(self) -> Tensor:
        return self._default

    def lookup(self, keys, name=None):
        """The values of keys; `default_value` for those that are not there.

        Args:
            keys: a tensor, ragged or sparse tensor of the key type.

        Raises:
            TypeError: for keys of another type.
        """
        return self._lookup(keys, self._default, name)


def restored(description: dict, keys, values, default, reserved):
    """The table of a `_description`."""
    types = description["key_dtype"], description["value_dtype"]
    if description["kind"] == "StaticHashTable":
        return StaticHashTable(KeyValueTensorInitializer(keys, values, *types), default)
    kind = {c.__name__: c for c in (MutableHashTable, DenseHashTable)}[description["kind"]]
    table = kind(*types, default, *reserved)
    table.insert(keys, values)
    return table


class KeyValueTensorInitializer:
    """Keys and values in tensors (source: `tf.lookup.KeyValueTensorInitializer`).

    Raises:
        ValueError: if there are not as many values as keys.
    """

    def __init__(self, keys, values, key_dtype=None, value_dtype=None, name=None):
        self._keys, self._values = _kept(keys, key_dtype), _kept(values, value_dtype)
        if not self._keys.shape.is_compatible_with(self._values.shape):
            raise ValueError(f"Shapes {self._keys.shape} and {self._values.shape} are incompatible")

    @property
    def key_dtype(self) -> dtypes.DType:
        return self._keys.dtype

    @property
    def value_dtype(self) -> dtypes.DType:
        return self._values.dtype

    def _pairs(self) -> tuple[list, list]:
        return (_array(self._keys).reshape(-1).tolist(), list(_array(self._values).reshape(-1)))

    def initialize(self, table) -> None:
        """Fills a table."""
        table._fill(*self._pairs())


class DatasetInitializer:
    """Keys and values in a dataset of pairs (source: `tf.data.experimental.DatasetInitializer`).

    Raises:
        ValueError: if the elements are no pairs of scalars.
    """

    def __init__(self, dataset):
        spec = dataset.element_spec
        if len(spec) != 2 or any(s.shape.rank != 0 for s in spec):
            raise ValueError(f"the dataset must hold pairs of scalars, got {spec}")
        self._dataset = dataset

    @property
    def key_dtype(self) -> dtypes.DType:
        return self._dataset.element_spec[0].dtype

    @property
    def value_dtype(self) -> dtypes.DType:
        return self._dataset.element_spec[1].dtype

    def _pairs(self) -> tuple[list, list]:
        pairs = list(self._dataset.as_numpy_iterator())
        return [k for k, _ in pairs], [v for _, v in pairs]

    def initialize(self, table) -> None:
        """Fills a table."""
        table._fill(*self._pairs())


class TextFileIndex:
    """What of a line becomes a key or value (source: `tf.lookup.TextFileIndex`)."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


class TextFileInitializer:
    """Keys and values in the lines of a file (source: `tf.lookup.TextFileInitializer`).

    Args:
        filename: the path.
        key_dtype: the type of keys.
        key_index: the column of keys, or a `TextFileIndex`.
        value_dtype: the type of values.
        value_index: the column of values, or a `TextFileIndex`.
        vocab_size: the number of lines to read; all by default.
        delimiter: what separates columns.
        name: a name.
        value_index_offset: added to line numbers.

    Raises:
        ValueError: if an index does not fit its type.
    """

    def __init__(
        self, filename, key_dtype, key_index, value_dtype, value_index, vocab_size=None,
        delimiter="\t", name=None, value_index_offset=0,
    ):  # fmt: skip
        self._key_dtype, self._value_dtype = (
            dtypes.as_dtype(key_dtype),
            dtypes.as_dtype(value_dtype),
        )
        for what, index, dtype in (
            ("key", key_index, self._key_dtype), ("value", value_index, self._value_dtype),
        ):  # fmt: skip
            if index < -2:
                raise ValueError(f"`{what}_index` should be >= -2, received: {index}.")
            if index == TextFileIndex.LINE_NUMBER and dtype is not dtypes.int64:
                raise ValueError(
                    f"`{what}_dtype` must be int64 if `{what}_index` is LINE_NUMBER, received: "
                    f"{dtype}"
                )
            if index == TextFileIndex.WHOLE_LINE and not (
                dtype.is_integer or dtype is dtypes.string
            ):
                raise ValueError(
                    f"`{what}_dtype` should be either integer or string for `{what}_index` "
                    f"WHOLE_LINE, received: {dtype}"
                )
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"`vocab_size` should be > 0, received: {vocab_size}")
        self._filename = filename
        self._key_index, self._value_index = key_index, value_index
        self._vocab_size, self._delimiter = vocab_size, delimiter.encode()
        self._offset = value_index_offset

    @property
    def key_dtype(self) -> dtypes.DType:
        return self._key_dtype

    @property
    def value_dtype(self) -> dtypes.DType:
        return self._value_dtype

    @property
    def _file(self) -> dict | None:
        """The arguments of this initializer; None if the file is not there any more."""
        from torchtf.io.gfile import local_path

        path = os.path.abspath(local_path(self._filename))
        if not os.path.exists(path):
            return None
        return {
            "filename": path,
            "key_index": self._key_index,
            "value_index": self._value_index,
            "vocab_size": self._vocab_size,
            "delimiter": self._delimiter.decode(),
            "value_index_offset": self._offset,
        }

    def _pairs(self) -> tuple[list, list]:
        from torchtf.io.gfile import local_path, translated_errors

        path = local_path(self._filename)
        with translated_errors(path), open(path, "rb") as f:
            lines = f.read().split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        lines = [line.removesuffix(b"\r") for line in lines]
        if self._vocab_size is not None:
            if len(lines) < self._vocab_size:
                raise _invalid(
                    f"Invalid vocab_size in {path}: expected {self._vocab_size} but got "
                    f"{len(lines)}"
                )
            lines = lines[: self._vocab_size]
        keys, values = [], []
        for i, line in enumerate(lines):
            keys.append(self._part(path, line, i, self._key_index, self._key_dtype, 0))
            values.append(
                self._part(path, line, i, self._value_index, self._value_dtype, self._offset)
            )
        return keys, values

    def _part(self, path, line: bytes, number: int, index: int, dtype, offset: int):
        if index == TextFileIndex.LINE_NUMBER:
            return number + offset
        text = line
        if index >= 0:
            columns = line.split(self._delimiter)
            if index >= len(columns):
                raise _invalid(
                    f"Invalid number of columns in {path} line {number} ({line.decode()}) : "
                    f"expected {index + 1} got {len(columns)}"
                )
            text = columns[index]
        if dtype is dtypes.string:
            return text
        try:
            return float(text) if dtype.is_floating else int(text)
        except ValueError:
            raise _invalid(
                f"Field {text.decode('utf-8', 'replace')} in line {number} is not a valid "
                f"{dtype.name}."
            ) from None

    def initialize(self, table) -> None:
        """Fills a table."""
        table._fill(*self._pairs())


class StaticVocabularyTable:
    """A table of ids that hashes other keys into buckets.

    Source: `tf.lookup.StaticVocabularyTable`.

    Args:
        initializer: what gives keys and their int64 ids; None for buckets only.
        num_oov_buckets: the number of buckets, whose ids follow those of the vocabulary.
        lookup_key_dtype: the type of keys in lookups; the initializer's by default.
        name: a name.
        experimental_is_anonymous: whether the table has no shared name; tables are never shared.

    Raises:
        ValueError: if there is no bucket.
        TypeError: if ids are no int64.
    """

    def __init__(
        self, initializer, num_oov_buckets, lookup_key_dtype=None, name=None,
        experimental_is_anonymous=False,
    ):  # fmt: skip
        if num_oov_buckets <= 0:
            raise ValueError("`num_oov_buckets` must be > 0; use StaticHashTable.")
        self._buckets = num_oov_buckets
        self._table = None
        if initializer is not None:
            if initializer.value_dtype is not dtypes.int64:
                raise TypeError(
                    f"Invalid `value_dtype`, expected tf.int64 but got {initializer.value_dtype}."
                )
            self._table = StaticHashTable(initializer, -1)
        own = dtypes.string if initializer is None else initializer.key_dtype
        self._key_dtype = own if lookup_key_dtype is None else dtypes.as_dtype(lookup_key_dtype)
        if self._key_dtype.is_integer != own.is_integer:
            raise TypeError(
                "Invalid `key_dtype`, expected either integer or string keys to match the "
                f"initializer's {own}, got {self._key_dtype}."
            )
        if not (self._key_dtype.is_integer or self._key_dtype is dtypes.string):
            raise TypeError(
                f"Invalid `key_dtype`, expected one of integer or string, received "
                f"{self._key_dtype}"
            )
        self._name = name or "string_to_index_hash_buckets"

    @property
    def key_dtype(self) -> dtypes.DType:
        return self._key_dtype

    @property
    def value_dtype(self) -> dtypes.DType:
        return dtypes.int64

    @property
    def name(self) -> str:
        return self._name

    @property
    def resource_handle(self):
        return None if self._table is None else self._table.resource_handle

    def _trackable_children(self) -> dict:
        return {}

    def size(self, name=None) -> Tensor:
        """The size of the vocabulary with the buckets, an int64 scalar."""
        known = 0 if self._table is None else len(self._table._dict)
        return wrap(torch.tensor(known + self._buckets, dtype=torch.int64))

    def lookup(self, keys, name=None):
        """The ids of keys.

        Raises:
            TypeError: for keys of another type.
        """
        from torchtf import math, strings

        if isinstance(keys, SparseTensor):
            return keys.with_values(self.lookup(keys.values))
        if isinstance(keys, RaggedTensor):
            return keys.with_flat_values(self.lookup(keys.flat_values))
        keys = convert_to_tensor(keys, dtype_hint=self._key_dtype)
        if keys.dtype is not self._key_dtype:
            raise TypeError(
                f"Signature mismatch. Keys must be dtype {self._key_dtype}, got {keys.dtype}."
            )
        texts = strings.as_string(keys) if keys.dtype.is_integer else keys
        hashed = strings.to_hash_bucket_fast(texts, self._buckets)
        if self._table is None:
            return hashed
        known = keys
        if keys.dtype is not self._table.key_dtype:
            known = math.cast(keys, self._table.key_dtype)
        ids = self._table.lookup(known)
        vocabulary = len(self._table._dict)
        data = torch.where(ids._data >= 0, ids._data, hashed._data + vocabulary)
        return wrap(data)

    def __getitem__(self, keys):
        return self.lookup(keys)


class MutableHashTable(_Table):
    """A table that can be changed (source: `tf.lookup.experimental.MutableHashTable`).

    Args:
        key_dtype: the type of keys.
        value_dtype: the type of values.
        default_value: the value of keys that are not there; its shape is that of all values.
        name: a name.
        checkpoint: whether checkpoints hold the contents.
        experimental_is_anonymous: whether the table has no shared name; tables are never shared.
    """

    def __init__(
        self, key_dtype, value_dtype, default_value, name="MutableHashTable", checkpoint=True,
        experimental_is_anonymous=False,
    ):  # fmt: skip
        super().__init__(key_dtype, value_dtype, default_value, name)
        self._checkpointed = checkpoint

    def lookup(self, keys, dynamic_default_values=None, name=None):
        """The values of keys.

        Args:
            keys: a tensor, ragged or sparse tensor of the key type.
            dynamic_default_values: a default for each key, instead of the table's.

        Raises:
            TypeError: for keys of another type.
        """
        default = self._default
        if dynamic_default_values is not None:
            default = convert_to_tensor(dynamic_default_values, dtype=self._value_dtype)
        return self._lookup(keys, default, name)

    def insert(self, keys, values, name=None) -> None:
        """Sets the values of keys.

        Raises:
            TypeError, ValueError: for keys or values of another type.
            InvalidArgumentError: if the shapes do not fit.
        """
        keys = self._checked_keys(keys)
        values = convert_to_tensor(values, dtype=self._value_dtype)
        want = TensorShape([*keys.shape, *self._value_shape])
        if values.shape != want:
            raise _invalid(f"Expected shape {list(want)} for value, got {list(values.shape)}")
        _insert(keys, values, self)

    def remove(self, keys, name=None) -> None:
        """Removes keys; those that are not there are passed over."""
        _remove(self._checked_keys(keys), self)

    def _serialize_to_tensors(self) -> dict[str, Tensor]:
        if not self._checkpointed:
            return {}
        keys, values = self.export()
        return {"table-keys": keys, "table-values": values}

    def _restore_from_tensors(self, restored_tensors) -> None:
        with self._lock:
            self._clear()
        self.insert(restored_tensors["table-keys"], restored_tensors["table-values"])


@host_op("LookupTableInsertV2", out=(), stateful=True)
def _insert(keys: T, values: U, table):
    table._refuse_reserved(keys)
    width = table._value_shape
    rows = values.reshape(-1, *width)
    with table._lock:
        for i, key in enumerate(keys.reshape(-1).tolist()):
            position = table._dict.get(key)
            value = rows[i].copy() if width else rows[i]
            if position is None:
                table._dict[key] = len(table._values)
                table._values.append(value)
            else:
                table._values[position] = value


@host_op("LookupTableRemoveV2", out=(), stateful=True)
def _remove(keys: T, table):
    table._refuse_reserved(keys)
    with table._lock:
        for key in keys.reshape(-1).tolist():
            table._dict.pop(key, None)
        kept = [table._values[i] for i in table._dict.values()]
        table._dict = {key: i for i, key in enumerate(table._dict)}
        table._values = kept


class DenseHashTable(MutableHashTable):
    """A changeable table with two reserved keys (source: `tf.lookup.experimental.DenseHashTable`).

    Args:
        key_dtype: the type of keys.
        value_dtype: the type of values.
        default_value: the value of keys that are not there.
        empty_key: a key that is never used.
        deleted_key: another key that is never used.
        initial_num_buckets: a power of two; the table grows by itself.
        name: a name.
        checkpoint: whether checkpoints hold the contents.
        experimental_is_anonymous: whether the table has no shared name; tables are never shared.

    Raises:
        InvalidArgumentError: if the reserved keys are equal, or one is used.
    """

    def __init__(
        self, key_dtype, value_dtype, default_value, empty_key, deleted_key,
        initial_num_buckets=None, name="MutableDenseHashTable", checkpoint=True,
        experimental_is_anonymous=False,
    ):  # fmt: skip
        super().__init__(key_dtype, value_dtype, default_value, name, checkpoint)
        buckets = initial_num_buckets
        if buckets is not None and (buckets < 4 or buckets & (buckets - 1)):
            raise _invalid(f"Number of buckets must be at least 4 and a power of 2, got: {buckets}")
        reserved = [
            _array(convert_to_tensor(k, dtype=self._key_dtype)) for k in (empty_key, deleted_key)
        ]
        self._reserved = [
            k.item() if isinstance(k, (np.ndarray, np.generic)) else k for k in reserved
        ]
        if self._reserved[0] == self._reserved[1]:
            raise _invalid("Empty and deleted keys cannot be equal")

    def _refuse_reserved(self, keys):
        items = set(keys.reshape(-1).tolist())
        for key, what in zip(self._reserved, ("empty_key", "deleted_key"), strict=True):
            if key in items:
                raise _invalid(f"Using the {what} as a table key is not allowed")

    def _description(self) -> dict:
        return super()._description() | {"reserved": self._array_of_keys(self._reserved)}

    def insert_or_assign(self, keys, values, name=None) -> None:
        """Sets the values of keys; the same as `insert`."""
        self.insert(keys, values, name)

    def erase(self, keys, name=None) -> None:
        """Removes keys; the same as `remove`."""
        self.remove(keys, name)

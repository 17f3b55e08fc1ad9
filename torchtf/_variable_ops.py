"""Methods of `tf.Variable` that are ops: sparse reads, scattering, assignment to slices.

`torchtf.operators` binds them to the class: the ops live in public modules, which core never
imports.
"""

from __future__ import annotations

import contextlib
import re

import torch

from torchtf import array_ops, math
from torchtf.core import dtypes, errors, graph
from torchtf.core.convert import convert_to_tensor
from torchtf.core.indexed_slices import IndexedSlices
from torchtf.core.tensor import SymbolicTensor, Tensor, wrap
from torchtf.core.variable import UnreadVariable


@contextlib.contextmanager
def _told_of(kernel: str, resource_kernel: str):
    """Errors inside name the kernel that TensorFlow runs on variables."""
    try:
        yield
    except errors.OpError as e:
        text = re.sub(rf"\b{kernel}\b|(?<=__wrapped__){kernel}", resource_kernel, e.message)
        row = r"indices\[(\d+)\] = \[(-?\d+)\] does not index into shape \[(\d+)[^]]*\]"
        if "Nd" not in resource_kernel:  # its indices are those of rows
            text = re.sub(row, r"indices[\1] = \2 is not in [0, \3)", text)
        raise type(e)(e.node_def, e.op, text) from None


# -- reading


def sparse_read(self, indices, name=None):
    """The rows with these indices (source: `Variable.sparse_read`)."""
    with _told_of("GatherV2", "ResourceGather"):
        return array_ops.gather(self, indices, name=name)


def gather_nd(self, indices, name=None):
    """The slices at these coordinates (source: `Variable.gather_nd`)."""
    with _told_of("GatherNd", "ResourceGatherNd"):
        return array_ops.gather_nd(self, indices, name=name)


def getitem(self, key):
    """`variable[key]`: a tensor that can be assigned to: `variable[key].assign(value)`."""
    result = array_ops.variable_getitem(self, key)
    if type(result) in (Tensor, SymbolicTensor):
        result.assign = lambda value, name=None: assign_slice(self, key, value)
    return result


# -- writing


def assign_slice(variable, key, value):
    """Replaces the elements of `variable[key]`; returns the variable.

    Raises:
        InvalidArgumentError: if the value does not broadcast to the slice.
    """
    stored = _value(variable)
    places = _places(stored, key)
    value = convert_to_tensor(value, dtype=variable.dtype)
    return variable.assign(_put(stored, places, value))


def _value(variable):
    """The present value, not watched by any tape."""
    return wrap(variable._tape_value())


def _places(tensor, key):
    """The positions in the flattened tensor of the elements of `tensor[key]`."""
    sizes = array_ops.shape(tensor, dtypes.int64)
    count = array_ops.size(tensor, dtypes.int64)
    numbers = array_ops.reshape(array_ops.range(count, dtype=dtypes.int64), sizes)
    return array_ops.getitem(numbers, key)


def _put(tensor, places, value):
    flat = array_ops.reshape(tensor, [-1])
    value = array_ops.reshape(array_ops.broadcast_to(value, array_ops.shape(places)), [-1])
    index = array_ops.reshape(places, [-1, 1])
    changed = array_ops.tensor_scatter_nd_update(flat, index, value)
    return array_ops.reshape(changed, array_ops.shape(tensor))


def _slices(variable, sparse_delta):
    """The indices and rows of an `IndexedSlices`."""
    if not isinstance(sparse_delta, IndexedSlices):
        raise TypeError(
            f"Argument `sparse_delta` must be a `tf.IndexedSlices`. Received arg: {sparse_delta}"
        )
    indices = convert_to_tensor(sparse_delta.indices, dtype_hint=dtypes.int32)
    values = convert_to_tensor(sparse_delta.values, dtype_hint=variable.dtype)
    if values.ndim == 0:  # one value for all rows
        shape = array_ops.concat(
            [array_ops.shape(indices), array_ops.shape(_value(variable))[1:]], 0
        )
        values = array_ops.broadcast_to(values, shape)
    return indices, values


def _kernels(op) -> tuple[str, str]:
    """The kernel of a scattering op, and TensorFlow's for variables."""
    name = {"update": "Update", "add": "Add", "sub": "Sub", "max": "Max", "min": "Min"}
    which = name.get(op.__name__.rpartition("_")[2], "Update")
    return f"TensorScatter{which}", f"ResourceScatter{which}"


def _scatter_method(op, verb, in_place=None):
    """A method that changes rows; `in_place(value, indices, rows)` does so without a copy."""
    kernel, resource_kernel = _kernels(op)

    def method(self, sparse_delta, use_locking=False, name=None):
        indices, rows = _slices(self, sparse_delta)
        value = None if in_place is None else self._unshared()
        if value is not None and _fit(value, indices._data, rows._data):
            with torch.no_grad():
                in_place(value, indices._data.reshape(-1), rows._data)
            return UnreadVariable(self)
        with _told_of(kernel, resource_kernel):
            found = op(_value(self), array_ops.expand_dims(indices, -1), rows)
        return self.assign(found)

    method.__doc__ = f"""{verb} rows; see `tf.IndexedSlices`.

        Args:
            sparse_delta: the rows and their indices.
            use_locking: accepted; an assignment is always atomic.
            name: a name for the op.

        Raises:
            InvalidArgumentError: if an index is out of range or the shapes do not fit.
            TypeError: if `sparse_delta` is no `IndexedSlices`.
        """
    return method


def _fit(value, indices, rows) -> bool:
    """Whether torch can put these rows into `value`; if not, the general way says what is wrong."""
    return (
        indices.dim() == 1
        and indices.dtype in (torch.int32, torch.int64)
        and rows.dtype is value.dtype
        and rows.shape == (*indices.shape, *value.shape[1:])
        and bool(((indices >= 0) & (indices < value.shape[0])).all())
    )


def _reduced(how):
    """Multiplies or divides by rows, one after the other where indices repeat."""

    def change(tensor, indices, rows):
        combined = math.unsorted_segment_prod(
            rows, array_ops.squeeze(indices, -1), array_ops.shape(tensor)[0]
        )
        return how(tensor, combined)

    return change


def _divided(tensor, factor):
    return math.floordiv(tensor, factor) if tensor.dtype.is_integer else math.divide(tensor, factor)


scatter_add = _scatter_method(
    array_ops.tensor_scatter_nd_add, "Adds to", lambda x, i, rows: x.index_add_(0, i, rows)
)
scatter_sub = _scatter_method(
    array_ops.tensor_scatter_nd_sub,
    "Subtracts from",
    lambda x, i, rows: x.index_add_(0, i, rows, alpha=-1),
)
scatter_max = _scatter_method(array_ops.tensor_scatter_nd_max, "Takes the larger of")
scatter_min = _scatter_method(array_ops.tensor_scatter_nd_min, "Takes the smaller of")
scatter_update = _scatter_method(
    array_ops.tensor_scatter_nd_update,
    "Replaces",
    lambda x, i, rows: x.index_copy_(0, i.long(), rows),
)
scatter_mul = _scatter_method(_reduced(math.multiply), "Multiplies")
scatter_div = _scatter_method(_reduced(_divided), "Divides")


def _scatter_nd_method(op, verb):
    kernel, resource_kernel = _kernels(op)
    resource_kernel = resource_kernel.replace("Scatter", "ScatterNd")

    def method(self, indices, updates, name=None):
        with _told_of(kernel, resource_kernel):
            found = op(_value(self), indices, updates)
        return self.assign(found)

    method.__doc__ = f"{verb} the slices at coordinates; see `tf.scatter_nd`."
    return method


scatter_nd_add = _scatter_nd_method(array_ops.tensor_scatter_nd_add, "Adds to")
scatter_nd_sub = _scatter_nd_method(array_ops.tensor_scatter_nd_sub, "Subtracts from")
scatter_nd_max = _scatter_nd_method(array_ops.tensor_scatter_nd_max, "Takes the larger of")
scatter_nd_min = _scatter_nd_method(array_ops.tensor_scatter_nd_min, "Takes the smaller of")
scatter_nd_update = _scatter_nd_method(array_ops.tensor_scatter_nd_update, "Replaces")


def batch_scatter_update(self, sparse_delta, use_locking=False, name=None):
    """Replaces rows in each element of a batch (source: `Variable.batch_scatter_update`).

    Args:
        sparse_delta: indices of shape [b1, ..., bn, k] and values [b1, ..., bn, k, ...].
        use_locking: accepted; an assignment is always atomic.
        name: a name for the op.
    """
    indices = convert_to_tensor(sparse_delta.indices)
    grid = [
        array_ops.reshape(
            array_ops.range(indices.shape[d], dtype=indices.dtype),
            [-1 if d == e else 1 for e in range(indices.ndim)],
        )
        for d in range(indices.ndim - 1)
    ]
    parts = [array_ops.broadcast_to(g, array_ops.shape(indices)) for g in grid]
    return self.scatter_nd_update(array_ops.stack([*parts, indices], -1), sparse_delta.values)


def count_up_to(self, limit):
    """Adds one, unless the limit is reached; returns the value before
    (source: `Variable.count_up_to`).

    Raises:
        OutOfRangeError: if the variable is at the limit.
    """
    if graph.state.trace is not None:
        raise NotImplementedError(
            "Variable.count_up_to in a traced function is not supported; use assign_add"
        )
    before = self.read_value()
    if int(before) >= limit:
        raise errors.OutOfRangeError(None, None, f"Reached limit of {limit} [Op:CountUpTo]")
    self.assign(wrap(torch.add(before._data, 1)))
    return before


METHODS = {
    "sparse_read": sparse_read, "gather_nd": gather_nd, "__getitem__": getitem,
    "scatter_add": scatter_add, "scatter_sub": scatter_sub, "scatter_max": scatter_max,
    "scatter_min": scatter_min, "scatter_update": scatter_update, "scatter_mul": scatter_mul,
    "scatter_div": scatter_div, "scatter_nd_add": scatter_nd_add, "scatter_nd_sub": scatter_nd_sub,
    "scatter_nd_max": scatter_nd_max, "scatter_nd_min": scatter_nd_min,
    "scatter_nd_update": scatter_nd_update, "batch_scatter_update": batch_scatter_update,
    "count_up_to": count_up_to,
}  # fmt: skip

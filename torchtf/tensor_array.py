"""`tf.TensorArray`: a list of tensors for loops.

* Eagerly it is a Python list that `write` changes in place, as in TensorFlow.
* In a traced function it is a value: `write` returns a new array, which a loop carries. When the
  graph runs, it is a `TensorList` (see `function.staged`).
* All arrays that stem from one constructor share what is known of the shape of an element, so
  that a loop's writes tell the `stack` after the loop its shape.
"""

from __future__ import annotations

import torch

from torchtf.control_flow import raw
from torchtf.core import dtypes, errors, graph
from torchtf.core.convert import convert_to_tensor
from torchtf.core.shape import TensorShape, as_shape
from torchtf.core.specs import TypeSpec
from torchtf.core.tensor import SymbolicTensor, Tensor, is_tensor_type, wrap
from torchtf.function import staged
from torchtf.function.staged import TensorList


class _ElementShape:
    """What is known of the shape of an element: sizes (None for an open one), or nothing."""

    def __init__(self, shape: TensorShape, infer: bool):
        self.sizes = None if shape.rank is None else list(shape)
        self._infer = infer

    @property
    def shape(self) -> TensorShape:
        if self.sizes is None:
            return TensorShape(None)
        return TensorShape([s if isinstance(s, int) else None for s in self.sizes])

    def merge(self, data) -> None:
        """Takes the shape of a new element into account.

        Raises:
            ValueError: if it does not fit.
        """
        new = list(data.shape)
        if self.sizes is None:
            self.sizes = new
            return
        have = self.shape
        static = TensorShape([s if isinstance(s, int) else None for s in new])
        if not have.is_compatible_with(static):
            if self._infer:
                raise ValueError(
                    f"Incompatible shape for value ({TensorShape(tuple(new))}), expected ({have})"
                )
            if len(new) != len(self.sizes):
                self.sizes = None
                return
        self.sizes = [a if _same(a, b) else None for a, b in zip(self.sizes, new, strict=True)]


def _same(a, b) -> bool:
    if isinstance(a, int) or isinstance(b, int):
        return type(a) is type(b) and a == b
    return a is not None and b is not None and a.node.expr == b.node.expr


class TensorArraySpec(TypeSpec):
    """The spec of a `TensorArray` (source: `tf.TensorArraySpec`).

    Args:
        element_shape: the shape of an element.
        dtype: the type of the elements.
        dynamic_size: whether the array grows.
        infer_shape: whether all elements must have one shape.
    """

    __slots__ = ("_cell", "dtype", "dynamic_size", "element_shape", "infer_shape")

    def __init__(
        self, element_shape=None, dtype=dtypes.float32, dynamic_size=False, infer_shape=True,
        _cell=None,
    ):  # fmt: skip
        self.element_shape = as_shape(element_shape)
        self.dtype = dtypes.as_dtype(dtype)
        self.dynamic_size = dynamic_size
        self.infer_shape = infer_shape
        self._cell = _cell

    @property
    def value_type(self):
        return TensorArray

    def _key(self):
        return self.dtype, self.dynamic_size, self.infer_shape

    def __eq__(self, other):
        return type(other) is TensorArraySpec and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return (
            f"TensorArraySpec({self.element_shape}, {self.dtype!r}, {self.dynamic_size}, "
            f"{self.infer_shape})"
        )

    def is_compatible_with(self, spec_or_value) -> bool:
        other = getattr(spec_or_value, "_type_spec", spec_or_value)
        return self == other

    def _to_components(self, value):
        return [value.flow]

    def _from_components(self, components):
        made = TensorArray(
            self.dtype, flow=components[0], dynamic_size=self.dynamic_size,
            element_shape=self.element_shape, infer_shape=self.infer_shape,
        )  # fmt: skip
        if self._cell is not None:
            made._cell = self._cell
        return made


class TensorArray:
    """A list of tensors of one type (source: `tf.TensorArray`).

    Args:
        dtype: the type of the elements.
        size: the number of elements, an int or an int32 scalar.
        dynamic_size: whether a write behind the end makes the array longer.
        clear_after_read: whether an eager element can be read only once (default True).
        tensor_array_name: a name, for messages.
        handle: not supported.
        flow: the state of an array inside a traced function.
        infer_shape: whether all elements must have one shape.
        element_shape: the shape of an element.
        colocate_with_first_write_call: a hint for TensorFlow's placement; no effect on results.
        name: a name for the op.

    Raises:
        ValueError: if neither `size` nor `flow` is given.
    """

    def __init__(
        self,
        dtype,
        size=None,
        dynamic_size=None,
        clear_after_read=None,
        tensor_array_name=None,
        handle=None,
        flow=None,
        infer_shape=True,
        element_shape=None,
        colocate_with_first_write_call=True,
        name=None,
    ):
        if handle is not None:
            raise NotImplementedError(
                "TensorArray(handle=...) belongs to TF 1 graphs and is not supported; leave it out."
            )
        self._dtype = dtypes.as_dtype(dtype)
        self._dynamic_size = bool(dynamic_size)
        self._infer_shape = bool(infer_shape)
        self._clear_after_read = True if clear_after_read is None else bool(clear_after_read)
        self._cell = _ElementShape(as_shape(element_shape), self._infer_shape)
        self._items: list | None = None
        self._cleared: set[int] = set()
        if flow is not None:
            self._flow = flow
        elif graph.state.trace is not None:
            count = 0 if size is None and self._dynamic_size else size
            if count is None:
                raise ValueError("Size must be provided if handle is not provided")
            self._flow = self._staged(_New(), [_scalar(count)])
        else:
            if size is None and not self._dynamic_size:
                raise ValueError("Size must be provided if handle is not provided")
            self._items = [None] * int(size or 0)

    # -- what it is

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype

    @property
    def dynamic_size(self) -> bool:
        return self._dynamic_size

    @property
    def element_shape(self) -> TensorShape:
        return self._cell.shape

    @property
    def handle(self):
        return None

    @property
    def flow(self):
        """The array's state as a graph sees it; in a trace an eager array becomes a constant."""
        if self._items is None:
            return self._flow
        if graph.state.trace is None:
            return wrap(torch.zeros(()))
        items = [None if x is None else raw(x) for x in self._items]
        return self._staged(_FromItems([x is not None for x in items]),
                            [x for x in items if x is not None])  # fmt: skip

    @property
    def _type_spec(self):
        return TensorArraySpec(
            self.element_shape, self._dtype, self._dynamic_size, self._infer_shape, self._cell
        )

    def _in_graph(self) -> bool:
        return self._items is None or graph.state.trace is not None

    def _with_flow(self, flow) -> TensorArray:
        made = TensorArray(
            self._dtype, flow=flow, dynamic_size=self._dynamic_size,
            clear_after_read=self._clear_after_read, infer_shape=self._infer_shape,
        )  # fmt: skip
        made._cell = self._cell
        return made

    def _staged(self, call, inputs) -> Tensor:
        (result,) = staged.stage(call, inputs)
        tensor = wrap(result)
        if result.dtype is staged.FLOW:
            tensor._dtype = dtypes.variant
        elif self._dtype is dtypes.string:
            tensor._dtype = dtypes.string
        graph.state.trace.note(tensor, call.op)
        return tensor

    def _value(self, value) -> Tensor:
        tensor = convert_to_tensor(value, dtype_hint=self._dtype)
        if tensor.dtype is not self._dtype:
            raise errors.InvalidArgumentError(
                None, None,
                f"TensorArray dtype is {self._dtype.name} but Op is trying to write dtype "
                f"{tensor.dtype.name} ",
            )  # fmt: skip
        return tensor

    def _sizes(self) -> list:
        if self._cell.sizes is None:
            raise ValueError(
                "The shape of this TensorArray's elements is not known here: nothing has been "
                "written to it yet. Give TensorArray(..., element_shape=...)."
            )
        known = graph.state.trace.knows_size
        return [
            s if isinstance(s, int) or (s is not None and known(s.node.expr)) else None
            for s in self._cell.sizes
        ]

    # -- its elements

    def identity(self) -> TensorArray:
        """The array itself."""
        return self if not self._in_graph() else self._with_flow(self.flow)

    def size(self, name=None) -> Tensor:
        """The number of elements, an int32 scalar."""
        if not self._in_graph():
            return convert_to_tensor(len(self._items))
        (result,) = staged.stage(_Size(), [self.flow._data])
        return wrap(result)

    def read(self, index, name=None) -> Tensor:
        """The element at an index.

        Raises:
            OutOfRangeError: if there is none (eagerly).
            InvalidArgumentError: if it was cleared by a read before (eagerly), or when the graph
                runs, if there is none.
        """
        if self._in_graph():
            call = _Get(self._dtype, self._sizes())
            return self._staged(call, [self.flow._data, _scalar(index)])
        i = int(index)
        if i < 0:
            raise errors.OutOfRangeError(
                None, None, f"Reading from negative indices (index {i}) is not allowed."
            )
        if i >= len(self._items):
            raise errors.OutOfRangeError(
                None, None,
                f"Tried to read from index {i} but array size is: {len(self._items)} ",
            )  # fmt: skip
        value = self._items[i]
        if value is None:
            if i in self._cleared:
                raise errors.InvalidArgumentError(
                    None, None,
                    f"Could not read index {i} twice because it was cleared after a previous read "
                    "(perhaps try setting clear_after_read = false?)",
                )  # fmt: skip
            value = self._zero()
        if self._clear_after_read:
            self._items[i] = None
            self._cleared.add(i)
        return value

    def _zero(self) -> Tensor:
        from torchtf.array_ops import zeros

        return zeros(self.element_shape, self._dtype)

    def write(self, index, value, name=None) -> TensorArray:
        """The array with another element at an index (eagerly: this array, changed).

        Raises:
            OutOfRangeError: if the index is behind the end of an array that does not grow.
            ValueError: if the shape differs from the elements'.
            InvalidArgumentError: if the dtype does.
        """
        tensor = self._value(value)
        if self._in_graph():
            data = raw(tensor)
            self._cell.merge(data)
            call = _Set(self._dynamic_size)
            return self._with_flow(self._staged(call, [self.flow._data, _scalar(index), data]))
        self._put(int(index), tensor)
        return self

    def _put(self, i: int, tensor: Tensor) -> None:
        if i < 0:
            raise errors.OutOfRangeError(
                None, None, f"Writing to negative indices (index {i}) is not allowed."
            )
        if i >= len(self._items):
            if not self._dynamic_size:
                raise errors.OutOfRangeError(
                    None, None,
                    f"Tried to write to index {i} but array is not resizeable and size is: "
                    f"{len(self._items)} ",
                )  # fmt: skip
            self._items += [None] * (i + 1 - len(self._items))
        self._cell.merge(tensor._data)
        self._items[i] = tensor

    def grad(self, source, flow=None, name=None):
        """Raises NotImplementedError: gradients of TensorArrays come from `tf.GradientTape`."""
        raise NotImplementedError(
            "TensorArray.grad is not supported; take gradients with tf.GradientTape or tf.gradients"
        )

    def stack(self, name=None) -> Tensor:
        """All elements stacked on a new first axis; zeros for those never written."""
        if self._in_graph():
            return self._staged(_Stack(self._dtype, self._sizes()), [self.flow._data])
        from torchtf.array_ops import stack, zeros

        if not self._items:
            shape = self.element_shape
            return zeros([0] if shape.rank is None else [0, *shape], self._dtype)
        return stack([self._zero() if x is None else x for x in self._items])

    def gather(self, indices, name=None) -> Tensor:
        """The elements at these indices, stacked."""
        if self._in_graph():
            call = _Gather(self._dtype, self._sizes())
            data = raw(convert_to_tensor(indices))
            return self._staged(call, [self.flow._data, data])
        from torchtf.array_ops import stack

        picked = [int(i) for i in convert_to_tensor(indices)]
        return stack([self._zero() if self._items[i] is None else self._items[i] for i in picked])

    def concat(self, name=None) -> Tensor:
        """All elements concatenated along their first axis."""
        if self._in_graph():
            sizes = self._sizes()
            return self._staged(_Concat(self._dtype, [None, *sizes[1:]]), [self.flow._data])
        from torchtf.array_ops import concat

        return concat([self._zero() if x is None else x for x in self._items], 0)

    def unstack(self, value, name=None) -> TensorArray:
        """The array whose elements are the rows of `value`."""
        tensor = self._value(value)
        if tensor.shape.rank == 0:
            raise ValueError("Cannot unstack a scalar.")
        if self._in_graph():
            data = raw(tensor)
            self._cell.merge(_Row(data.shape[1:]))
            return self._with_flow(self._staged(_Unstack(), [data]))
        from torchtf.array_ops import unstack

        rows = unstack(tensor)
        if len(rows) > len(self._items) and not self._dynamic_size:
            raise ValueError(
                f"Cannot unstack {len(rows)} tensors into a TensorArray of static size "
                f"{len(self._items)} "
            )
        self._items = [None] * len(rows)
        for i, row in enumerate(rows):
            self._put(i, row)
        return self

    def scatter(self, indices, value, name=None) -> TensorArray:
        """The array with the rows of `value` at these indices."""
        tensor = self._value(value)
        if self._in_graph():
            data = raw(tensor)
            self._cell.merge(_Row(data.shape[1:]))
            where = raw(convert_to_tensor(indices))
            call = _Scatter(self._dynamic_size)
            return self._with_flow(self._staged(call, [self.flow._data, where, data]))
        from torchtf.array_ops import unstack

        for i, row in zip(convert_to_tensor(indices), unstack(tensor), strict=True):
            self._put(int(i), row)
        return self

    def split(self, value, lengths, name=None) -> TensorArray:
        """The array whose elements are parts of `value` of these lengths."""
        tensor = self._value(value)
        if self._in_graph():
            data = raw(tensor)
            self._cell.merge(_Row([None, *data.shape[1:]]))
            parts = raw(convert_to_tensor(lengths))
            return self._with_flow(self._staged(_Split(), [data, parts]))
        from torchtf.array_ops import split

        counts = [int(n) for n in convert_to_tensor(lengths)]
        if sum(counts) != tensor.shape[0]:
            raise errors.InvalidArgumentError(
                None, None,
                f"Expected sum of lengths to be equal to values.shape[0], but sum of lengths is "
                f"{sum(counts)} and value's shape is: {tensor.shape} ",
            )  # fmt: skip
        for i, part in enumerate(split(tensor, counts)):
            self._put(i, part)
        return self

    def close(self, name=None) -> None:
        """Frees the elements."""
        if self._items is not None:
            self._items.clear()


class _Row:
    """Something with a shape."""

    def __init__(self, shape):
        self.shape = shape


def _scalar(value):
    """An index or size as an input of a node."""
    if isinstance(value, (int, torch.SymInt)):
        return value
    if is_tensor_type(value) or hasattr(type(value), "_tape_read"):
        tensor = convert_to_tensor(value)
        if type(tensor) is SymbolicTensor and tensor._sizes is not None:
            size = tensor._sizes[()]
            if isinstance(size, int):
                return size
        return raw(tensor)
    return int(value)


# -- what the nodes do; `items` holds a tensor or None for each element


class _ListCall(staged.Call):
    """A call whose result is a `TensorList`."""

    def outputs(self, under_way, inputs):
        return [staged.flow(under_way)]


class _New(_ListCall):
    op = "TensorListReserve"

    def run(self, size):
        return [TensorList([None] * int(size))]


class _FromItems(_ListCall):
    op = "TensorListFromTensor"

    def __init__(self, present: list[bool]):
        self._present = present

    def run(self, *values):
        supply = iter(values)
        return [TensorList([next(supply) if p else None for p in self._present])]


class _Set(_ListCall):
    op = "TensorListSetItem"
    numbers = (1,)

    def __init__(self, dynamic: bool):
        self._dynamic = dynamic

    def run(self, array, index, value):
        i = int(index)
        if 0 <= i < len(array.items):
            return [array.with_item(i, value)]
        items = array.items.copy()
        self._check(i, items)
        items[i] = value
        return [TensorList(items)]

    def _check(self, i, items):
        if i >= len(items) and self._dynamic:
            items += [None] * (i + 1 - len(items))
        if not 0 <= i < len(items):
            raise errors.InvalidArgumentError(
                None, None, f"Trying to modify element {i} in a list with {len(items)} elements."
            )


class _Scatter(_Set):
    op = "TensorListScatterIntoExistingList"
    numbers = ()

    def run(self, array, indices, value):
        items = array.items.copy()
        for i, row in zip(indices.tolist(), value.unbind(0), strict=True):
            self._check(i, items)
            items[i] = row
        return [TensorList(items)]


class _Unstack(_ListCall):
    op = "TensorListFromTensor"

    def run(self, value):
        return [TensorList(list(value.unbind(0)))]


class _Split(_ListCall):
    op = "TensorListSplit"

    def run(self, value, lengths):
        return [TensorList(list(value.split(lengths.tolist())))]


class _Size(staged.Call):
    op = "TensorListLength"

    def outputs(self, under_way, inputs):
        return [under_way.fake_like((), torch.int32, torch.device("cpu"))]

    def run(self, array):
        return [torch.tensor(len(array.items), dtype=torch.int32)]


class _Get(staged.Call):
    op = "TensorListGetItem"
    numbers = (1,)
    prefix: tuple = ()

    def __init__(self, dtype: dtypes.DType, sizes: list):
        self._dtype = dtype
        self._sizes = sizes

    def outputs(self, under_way, inputs):
        sizes = [*self.prefix, *self._sizes]
        return [under_way.fake_like(sizes, self._dtype.torch or self._dtype)]

    def run(self, array, index):
        i = int(index)
        if not 0 <= i < len(array.items):
            raise errors.InvalidArgumentError(
                None, None,
                f"Trying to access element {i} in a list with {len(array.items)} elements.",
            )  # fmt: skip
        return [self._element(array.items, array.items[i])]

    def _element(self, items, item):
        """An element, or zeros in its place."""
        if item is not None:
            return item
        model = next((x for x in items if x is not None), None)
        if model is not None:
            return torch.zeros_like(model)
        if not all(isinstance(s, int) for s in self._sizes):
            shape = TensorShape([s if isinstance(s, int) else None for s in self._sizes])
            raise errors.InvalidArgumentError(
                None, None,
                "Trying to read an uninitialized tensor but element_shape is not fully defined: "
                f"{shape} and no list element is set.",
            )  # fmt: skip
        return torch.zeros(self._sizes, dtype=self._dtype.torch or torch.int64)


class _Stack(_Get):
    op = "TensorListStack"
    numbers = ()
    prefix = (None,)

    def run(self, array):
        return [self._joined(array.items, array.items)]

    def _joined(self, items, chosen):
        if not chosen:
            sizes = [s if isinstance(s, int) else 0 for s in self._sizes]
            return torch.zeros((0, *sizes), dtype=self._dtype.torch or torch.int64)
        return torch.stack([self._element(items, x) for x in chosen])


class _Gather(_Stack):
    op = "TensorListGather"

    def run(self, array, indices):
        return [self._joined(array.items, [array.items[i] for i in indices.tolist()])]


class _Concat(_Get):
    op = "TensorListConcatV2"

    def run(self, array):
        return [torch.cat([self._element(array.items, x) for x in array.items])]

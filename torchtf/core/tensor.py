"""`tf.Tensor`: a thin wrapper that holds a torch tensor.

* It holds rather than subclasses: TensorFlow's `dtype`, `shape` and `device` clash with torch's.
* `_data` is a `torch.Tensor` (a fake one while tracing), or a NumPy object array of `bytes` for
  `tf.string`, which torch cannot store.
* It goes wherever a torch tensor goes: `__class__` reports `torch.Tensor`, `__torch_function__`
  unwraps, and `Tensor.torch()` gives the tensor itself, without a copy.
* A subclass of `torch.Tensor` may say how it appears: `_tf_text()`, `_tf_device`,
  and `_tf_check_readable()`, which raises if a program may not read its values.
* Python operators are bound by `torchtf.operators`, since their ops live in public modules.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.utils._python_dispatch import _disable_current_modes

from torchtf.core import arena, dtypes, layout, nest, tape
from torchtf.core.shape import TensorShape

_GRAPH_ONLY = {"name", "op", "graph"}
_NUMPY_BEHAVIOR = {
    "T", "astype", "ravel", "transpose", "reshape", "clip", "size", "tolist", "data",
}  # fmt: skip

_NOTHING = torch.empty(0, device="meta")  # what a tensor of strings is to torch
_ADDRESS_OF_NOTHING = _NOTHING._cdata

_READABLE = frozenset((torch.Tensor, np.ndarray))

_OPERATORS = """
abs add and div eq floordiv ge getitem gt invert le lt matmul mod mul ne neg or pow radd rand rdiv
rfloordiv rmatmul rmod rmul ror rpow rsub rtruediv rxor sub truediv xor
"""


@nest.atom
class Tensor:
    """A multidimensional array with one element type (source: `tf.Tensor`)."""

    __slots__ = ("__dict__", "__weakref__", "_address", "_data")  # `_address`: torchtf.core.layout

    OVERLOADABLE_OPERATORS = frozenset(map("__{}__".format, _OPERATORS.split()))

    # so that ndarray + Tensor calls Tensor.__radd__
    __array_priority__ = 100

    def __init__(self, data):
        self._data = data

    @property  # type: ignore[misc]
    def __class__(self):
        self._address = getattr(self._data, "_cdata", _ADDRESS_OF_NOTHING)
        return torch.Tensor

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func(*unwrap(args), **(unwrap(kwargs) if kwargs else {}))

    # -- what it is

    @property
    def dtype(self) -> dtypes.DType:
        return dtypes.FROM_TORCH.get(self._data.dtype, dtypes.string)

    @property
    def shape(self) -> TensorShape:
        return TensorShape(tuple(self._data.shape))

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def device(self) -> str:
        if type(self._data) is np.ndarray:
            return "/job:localhost/replica:0/task:0/device:CPU:0"
        device = self._data.device
        if hasattr(self._data, "_tf_device"):
            return self._data._tf_device
        kind = "GPU" if device.type == "cuda" else device.type.upper()
        index = getattr(self._data, "_logical_index", device.index or 0)
        return f"/job:localhost/replica:0/task:0/device:{kind}:{index}"

    backing_device = device

    @property
    def is_symbolic_tensor(self) -> bool:
        return False

    def get_shape(self) -> TensorShape:
        return self.shape

    def set_shape(self, shape) -> None:
        """Checks that `shape` agrees with this tensor's.

        Raises:
            ValueError: if it does not.
        """
        if not self.shape.is_compatible_with(shape):
            raise ValueError(
                f"Tensor's shape {self.shape} is not compatible with supplied shape "
                f"{TensorShape(shape)}."
            )

    def __getattr__(self, name):
        if name == "grad" and isinstance(self._data, torch.Tensor):  # what torch's backward() left
            return self._data.grad
        if name == "detach" and type(self._data) is np.ndarray:  # strings have no gradient
            return lambda: self
        if name in _GRAPH_ONLY:
            raise AttributeError(f"Tensor.{name} is undefined when eager execution is enabled.")
        if name in _NUMPY_BEHAVIOR:
            raise AttributeError(
                f"{type(self).__name__} object has no attribute '{name}'. \n"
                "        If you are looking for numpy-related methods, please run the following:\n"
                "        tf.experimental.numpy.experimental_enable_numpy_behavior()\n      "
            )
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    # -- its values

    def torch(self) -> torch.Tensor:
        """The torch tensor itself; no copy.

        Raises:
            TypeError: for a string tensor.
        """
        if type(self._data) is np.ndarray:
            raise TypeError("A tf.string tensor has no torch tensor.")
        return self._data

    def numpy(self):
        """A copy as a NumPy array, or as a NumPy scalar when there are no dimensions."""
        array = self._numpy()
        return array[()] if array.ndim == 0 else array.copy()

    def _numpy(self):
        data = self._data
        if type(data) not in _READABLE and hasattr(data, "_tf_check_readable"):
            data._tf_check_readable()
        return to_numpy(data)

    def __array__(self, dtype=None, copy=None):
        array = self._numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        if copy:
            return array.copy()
        view = array.view()  # tensors do not change: what shares their memory is read-only
        view.flags.writeable = False
        return view

    def __dlpack__(self, *args, **kwargs):
        return self._data.detach().__dlpack__(*args, **kwargs)

    def __dlpack_device__(self):
        return self._data.__dlpack_device__()

    def cpu(self) -> Tensor:
        return self if type(self._data) is np.ndarray else wrap(self._data.cpu())

    def gpu(self, gpu_index: int = 0) -> Tensor:
        return wrap(self._data.to(f"cuda:{gpu_index}"))

    def __bool__(self):
        return bool(self._numpy())

    __nonzero__ = __bool__  # Python 2's name, by which libraries still ask for it

    def __int__(self):
        return int(self._scalar())

    def __float__(self):
        return float(self._scalar())

    def __complex__(self):
        return complex(self._scalar())

    def _scalar(self):
        if self._data.ndim:
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        return self._data.item()

    def __index__(self):
        if self._data.ndim or not self.dtype.is_integer:
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return self._data.item()

    def __round__(self, *args):
        return round(self.numpy(), *args)

    def __len__(self):
        if not self._data.ndim:
            raise TypeError("Scalar tensor has no `len()`")
        return self._data.shape[0]

    def __iter__(self):
        if not self._data.ndim:
            raise TypeError("Cannot iterate over a scalar tensor.")
        if type(self._data) is np.ndarray:
            return (wrap(np.asarray(row, dtype=object)) for row in self._data)
        return map(wrap, self._data.unbind(0))

    def __format__(self, spec):
        return self.numpy().__format__(spec)

    def __repr__(self):
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, {self._assigned()}>"

    def __str__(self):
        return f"tf.Tensor({self._text(False)}, shape={self.shape}, dtype={self.dtype.name})"

    def _assigned(self) -> str:
        """What a representation says of the values."""
        name = "value" if hasattr(self._data, "_tf_text") else "numpy"
        return f"{name}={self._text(True)}"

    def _text(self, is_repr: bool) -> str:
        if hasattr(self._data, "_tf_text"):
            return self._data._tf_text()
        value = self.numpy()
        if is_repr:
            text = repr(value.item() if isinstance(value, np.generic) else value)
        else:
            text = str(value)
        return "\n" + text if "\n" in text else text

    # -- its identity

    def __hash__(self):
        raise TypeError("Tensor is unhashable. Instead, use tensor.ref() as the key.")

    def eval(self, feed_dict=None, session=None):
        """From TF 1 sessions (source: `tf.Tensor.eval`).

        Raises:
            NotImplementedError: always; use `numpy()`.
        """
        raise NotImplementedError(
            "eval is not supported when eager execution is enabled; use numpy()"
        )

    def ref(self) -> Reference:
        """A hashable reference to this tensor."""
        return Reference(self)

    experimental_ref = ref

    def __copy__(self):
        return wrap(self._data)

    def __deepcopy__(self, memo):
        data = self._data
        return Tensor(data.copy() if type(data) is np.ndarray else data.detach().clone())

    def __reduce__(self):
        return _restore, (to_numpy(self._data), self.dtype.name)


layout.make_address_slot(Tensor.__dict__["_address"])


@nest.atom
class SymbolicTensor(Tensor):
    """The tensor that a traced function sees: a type and a partial shape, no values yet.

    `_sizes` holds the elements as Python or symbolic integers where they are known to derive from
    sizes (`tf.shape(x)[1] * 2`), so that shapes computed from sizes stay symbolic. `_first` is the
    start of a `tf.range`: what the variable of a loop over it is if there is no turn.
    """

    __slots__ = ("_dtype", "_first", "_name", "_shape_hint", "_sizes")

    def __init__(self, data, dtype=None, name=None, sizes=None):
        self._data = data
        self._dtype = dtype
        self._name = name
        self._sizes = sizes
        self._shape_hint = TensorShape(None) if rank_is_open(data) else None

    @property
    def dtype(self) -> dtypes.DType:
        return self._dtype or dtypes.FROM_TORCH[self._data.dtype]

    @property
    def shape(self) -> TensorShape:
        if self._shape_hint is not None:
            return self._shape_hint
        return TensorShape(tuple(self._data.shape))

    def set_shape(self, shape) -> None:
        if not self.shape.is_compatible_with(shape):
            from torchtf.core.shape_errors import mismatch

            raise ValueError(mismatch(self.shape, TensorShape(shape)))
        merged = self.shape.merge_with(shape)
        if merged != self.shape:
            from torchtf.function.late import with_shape

            self._data = with_shape(self._data, merged, self._name or "")
            self._shape_hint = TensorShape(None) if rank_is_open(self._data) else merged

    @property
    def ndim(self) -> int | None:
        return self.shape.rank

    @property
    def device(self) -> str:
        return ""

    @property
    def name(self) -> str:
        return self._name or "Placeholder:0"

    @property
    def op(self):
        """The operation of the graph that made the tensor."""
        from torchtf.function.trace import current_trace

        return self.__dict__.get("_operation") or current_trace().operation_of(self)

    @property
    def graph(self):
        return self.op.graph

    def consumers(self) -> list:
        """The operations of the graph that take the tensor."""
        return self.op.consumers(self)

    @property
    def is_symbolic_tensor(self) -> bool:
        return True

    def __getattribute__(self, name):
        if name in ("numpy", "_numpy"):
            raise AttributeError(f"'SymbolicTensor' object has no attribute '{name}'")
        return super().__getattribute__(name)

    def __array__(self, dtype=None, copy=None):
        raise NotImplementedError(
            f"Cannot convert a symbolic tf.Tensor ({self.name}) to a numpy array. This error may "
            "indicate that you're trying to pass a Tensor to a NumPy call, which is not supported."
        )

    def _refuse(self, task):
        from torchtf.core import errors

        raise errors.OperatorNotAllowedInGraphError(
            f"{task} is not allowed. You can attempt the following resolutions to the problem: If "
            "you are running in Graph mode, use Eager execution mode or decorate this function "
            "with @tf.function. If you are using AutoGraph, you can try decorating this function "
            "with @tf.function. If that does not work, then you may be using an unsupported "
            "feature or your source code may not be visible to AutoGraph. See https://github.com/"
            "tensorflow/tensorflow/blob/master/tensorflow/python/autograph/g3doc/reference/"
            "limitations.md#access-to-source-code for more information."
        )

    def __bool__(self):
        self._refuse("Using a symbolic `tf.Tensor` as a Python `bool`")

    def __iter__(self):
        if not self._data.ndim:
            raise TypeError("Cannot iterate over a scalar tensor.")
        self._refuse("Iterating over a symbolic `tf.Tensor`")

    def __len__(self):
        raise TypeError(
            f"len is not well defined for a symbolic Tensor ({self.name}). Please call `x.shape` "
            "rather than `len(x)` for shape information."
        )

    def __int__(self):
        raise TypeError(
            "int() argument must be a string, a bytes-like object or a real number, "
            "not 'SymbolicTensor'"
        )

    def __float__(self):
        raise TypeError("float() argument must be a string or a real number, not 'SymbolicTensor'")

    def __complex__(self):
        raise TypeError("complex() argument must be a number, not 'SymbolicTensor'")

    def __index__(self):
        raise TypeError("'SymbolicTensor' object cannot be interpreted as an integer")

    def __format__(self, spec):
        return str(self).__format__(spec)

    def __repr__(self):
        return f"<tf.Tensor '{self.name}' shape={self.shape} dtype={self.dtype.name}>"

    def __str__(self):
        shape = f", shape={self.shape}" if self.shape.rank is not None else ""
        return f'Tensor("{self.name}"{shape}, dtype={self.dtype.name})'

    def __hash__(self):
        raise TypeError("Tensor is unhashable. Instead, use tensor.ref() as the key.")

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        raise TypeError("A symbolic tf.Tensor cannot be pickled.")


class Reference:
    """A hashable stand-in for a tensor or variable (source: `Tensor.ref`)."""

    __slots__ = ("_wrapped",)

    def __init__(self, wrapped):
        self._wrapped = wrapped

    @property
    def unwrapped(self):
        return self._wrapped

    def deref(self):
        return self.unwrapped

    def __hash__(self):
        return id(self._wrapped)

    def __eq__(self, other):
        return isinstance(other, Reference) and self.unwrapped is other.unwrapped

    def __lt__(self, other):  # an order, so that `tf.nest` takes them as keys
        return id(self._wrapped) < id(other._wrapped)

    def __repr__(self):
        return f"<Reference wrapping {self._wrapped!r}>"


def _restore(array, dtype_name):
    from torchtf.core.convert import convert_to_tensor

    return convert_to_tensor(array, dtype=dtype_name)


def is_tensor_type(x) -> bool:
    """True if `x` is a `Tensor` by its real type (`isinstance` sees through `__class__`)."""
    return type(x) is Tensor or type(x) is SymbolicTensor


def wrap(data):
    """A `Tensor` of raw data: eager or symbolic by what it holds; recorded if a tape records."""
    if type(data) is torch.Tensor or type(data) is np.ndarray:
        tensor = Tensor(data)
        if type(data) is torch.Tensor and data.requires_grad:
            tape.on_result(tensor)
        return tensor
    if isinstance(data, torch.nn.Parameter):
        return wrap(data.view_as(data) if data.requires_grad else data.data)
    if is_tensor_type(data):
        return data
    if is_fake(data):
        tensor = SymbolicTensor(data, dtypes.string if arena.is_handles(data) else None)
    else:
        tensor = Tensor(data)
    if data.requires_grad:
        tape.on_result(tensor)
    return tensor


def is_fake(data) -> bool:
    """True for the stand-ins that flow while a function is traced."""
    return hasattr(data, "fake_mode")


def is_recorded(*values) -> bool:
    """Whether what is computed from these is recorded for gradients or by a transformation of
    torch's: then a body may not write into tensors of its own.
    """
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    return any(isinstance(t, torch.Tensor) and (t.requires_grad or wrapped(t)) for t in values)


MANY = 65536  # elements, from which another way than torch's kernel may pay


def is_large(*values) -> bool:
    """Whether the first of these has so many elements that another way than torch's kernel may pay,
    and lies where that can be taken: in plain memory, with nothing that records or traces.
    """
    x = values[0]
    if type(x) is not torch.Tensor or x.numel() < MANY:  # stand-ins are of another type
        return False
    return x.is_cpu and not is_recorded(*values)


def hide_rank(data):
    """Marks a stand-in as one whose rank is unknown: the rank that it has is only an example."""
    data.rank_is_open = True
    return data


def rank_is_open(data) -> bool:
    """True for a stand-in of which the rank is unknown."""
    return hasattr(data, "rank_is_open")


def of_rank_of(made, source):
    """A stand-in made after another one: its rank is unknown if that of the other is."""
    return hide_rank(made) if rank_is_open(source) else made


def unwrap(structure):
    """Replaces each `Tensor` and variable in lists, tuples and dicts by its torch tensor."""
    kind = type(structure)
    if kind is Tensor or kind is SymbolicTensor:
        return structure._data
    if kind is tuple:
        return tuple([unwrap(x) for x in structure])
    if kind is list:
        return [unwrap(x) for x in structure]
    if kind is dict:
        return {k: unwrap(v) for k, v in structure.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return kind(*[unwrap(x) for x in structure])
    if hasattr(kind, "_tape_read"):
        return structure._tape_read()
    return structure


def to_numpy(data) -> np.ndarray:
    """Raw data as a NumPy array that may share its memory."""
    if type(data) is np.ndarray:
        return data
    if torch._C._len_torch_dispatch_stack() and not is_fake(data):
        # a trace would give the memory of a stand-in, which holds nothing
        with _disable_current_modes():
            return to_numpy(data)
    if data.requires_grad:
        data = data.detach()
    if data.device.type != "cpu":
        data = data.cpu()
    try:
        return data.numpy()
    except TypeError:  # a type that NumPy itself lacks, such as bfloat16
        dtype = dtypes.FROM_TORCH[data.dtype]
        bits = torch.uint16 if dtype.size == 2 else torch.uint8
        return data.contiguous().view(bits).numpy().view(dtype.as_numpy_dtype)
    except RuntimeError:  # a lazily conjugated or negated view
        return data.resolve_conj().resolve_neg().numpy()

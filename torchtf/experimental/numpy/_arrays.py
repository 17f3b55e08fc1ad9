"""Making, shaping, joining and indexing arrays."""

from __future__ import annotations

import builtins

import numpy as np
import torch

from torchtf.core import device, dtypes
from torchtf.core.tensor import wrap
from torchtf.experimental.numpy._core import (
    _default,
    promoted,
    result_type,
    run,
    tensor,
)


def _made(data, dtype=None):
    """A tensor of values computed from plain arguments."""
    if dtype is not None:
        data = data.to(dtypes.as_dtype(dtype).torch)
    return wrap(data.to(device.current()))


def _sizes(shape) -> tuple[int, ...]:
    return (int(shape),) if np.ndim(shape) == 0 else tuple(int(s) for s in shape)


def _float(dtype):
    return _default(np.dtype("float64")) if dtype is float else dtype


def array(val, dtype=None, copy=True, ndmin=0):
    """`numpy.array`: Python floats give float64, ints int64."""
    found = tensor(val, dtype)
    if copy:
        found = run(torch.clone, found)
    missing = ndmin - len(found.shape)
    return run(lambda x: x.reshape(*[1] * missing, *x.shape), found) if missing > 0 else found


def asarray(a, dtype=None):
    """`numpy.asarray`."""
    return tensor(a, dtype)


asanyarray = ascontiguousarray = asarray


def copy(a):
    """`numpy.copy`."""
    return array(a)


def zeros(shape, dtype=float):
    """`numpy.zeros`."""
    return _made(torch.zeros(_sizes(shape)), _float(dtype))


def ones(shape, dtype=float):
    """`numpy.ones`."""
    return _made(torch.ones(_sizes(shape)), _float(dtype))


def empty(shape, dtype=float):
    """`numpy.empty`; the elements are zeros."""
    return zeros(shape, dtype)


def full(shape, fill_value, dtype=None):
    """`numpy.full`."""
    sizes = _sizes(shape)
    return run(lambda x: x.expand(sizes).clone(), tensor(fill_value, dtype))


def zeros_like(a, dtype=None):
    """`numpy.zeros_like`."""
    return run(torch.zeros_like, tensor(a, dtype))


def ones_like(a, dtype=None):
    """`numpy.ones_like`."""
    return run(torch.ones_like, tensor(a, dtype))


empty_like = zeros_like


def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None):
    """`numpy.full_like`.

    Raises:
        ValueError: for arguments that speak of memory order or subclasses.
    """
    if order != "K" or not subok:
        raise ValueError("Non-standard orders and subok=False are not supported.")
    a = tensor(a)
    value = tensor(fill_value, dtype or a.dtype)
    sizes = _sizes(shape) if shape is not None else tuple(a._data.shape)
    return run(lambda v: v.expand(sizes).clone(), value)


def arange(start, stop=None, step=1, dtype=None):
    """`numpy.arange`.

    Raises:
        ValueError: if the step is 0.
    """
    if not step:
        raise ValueError("step must be non-zero")
    if stop is None:
        start, stop = 0, start
    kind = result_type(start, stop, step) if dtype is None else dtype
    return _made(torch.arange(start, stop, step, dtype=dtypes.as_dtype(kind).torch))


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=float, axis=0):
    """`numpy.linspace`; with the step if `retstep`."""
    (start, stop) = promoted(start, stop, to_float=True)
    count = num - 1 if endpoint else num

    def spread(a, b):
        steps = torch.arange(num, dtype=a.dtype) / builtins.max(count, 1)
        steps = steps.reshape(-1, *[1] * a.dim())
        return (a + (b - a) * steps).movedim(0, axis)

    found = run(spread, start, stop)
    found = tensor(found, _float(dtype) if dtype is not None else None)
    if not retstep:
        return found
    return found, run(lambda a, b: (b - a) / builtins.max(count, 1), start, stop)


def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    """`numpy.logspace`: powers of a base, evenly spaced in their exponents."""
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    (base, exponents) = promoted(base, exponents, to_float=True)
    return tensor(run(torch.pow, base, exponents), dtype)


def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """`numpy.geomspace`: a geometric progression."""
    start, stop = promoted(start, stop, to_float=True)
    logs = linspace(run(torch.log, start), run(torch.log, stop), num, endpoint, axis=axis)
    return tensor(run(torch.exp, logs), dtype)


def eye(N, M=None, k=0, dtype=float):
    """`numpy.eye`: ones on the k-th diagonal."""
    return _made(torch.from_numpy(np.eye(N, M, k)), _float(dtype))


def identity(n, dtype=float):
    """`numpy.identity`."""
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """`numpy.tri`: ones at and below the k-th diagonal."""
    return _made(torch.from_numpy(np.tri(N, M, k)), dtype or _float(float))


def vander(x, N=None, increasing=False):
    """`numpy.vander`: powers of a vector as columns."""
    x = tensor(x)
    count = x._data.shape[0] if N is None else N
    return run(
        lambda v: (
            v[:, None]
            ** torch.tensor(
                list(range(count)) if increasing else list(reversed(range(count))), dtype=v.dtype
            )
        ),
        x,
    )


def diag(v, k=0):
    """`numpy.diag`: a diagonal matrix, or the diagonal of one."""
    return run(lambda x: torch.diag(x, k), tensor(v))


def diagflat(v, k=0):
    """`numpy.diagflat`."""
    return run(lambda x: torch.diagflat(x, k), tensor(v))


def diagonal(a, offset=0, axis1=0, axis2=1):
    """`numpy.diagonal`."""
    return run(lambda x: torch.diagonal(x, offset, axis1, axis2).clone(), tensor(a))


def diag_indices(n, ndim=2) -> tuple:
    """`numpy.diag_indices`, as int32."""
    return tuple(_made(torch.arange(n, dtype=torch.int32)) for _ in range(ndim))


def tril(m, k=0):
    """`numpy.tril`."""
    return run(lambda x: torch.tril(x, k), tensor(m))


def triu(m, k=0):
    """`numpy.triu`."""
    return run(lambda x: torch.triu(x, k), tensor(m))


# -- shapes


def shape(a):
    """`numpy.shape`, as a `TensorShape`."""
    return tensor(a).shape


def ndim(a) -> int:
    """`numpy.ndim`."""
    return tensor(a).ndim


def size(x, axis=None):
    """`numpy.size`.

    Raises:
        NotImplementedError: with an axis.
    """
    if axis is not None:
        raise NotImplementedError("axis argument is not supported in the current `np.size`")
    return np.int64(tensor(x)._data.numel())


def reshape(a, newshape, order="C"):
    """`numpy.reshape`, in C or Fortran order.

    Raises:
        ValueError: for another order.
    """
    if order not in ("C", "F"):
        raise ValueError(f"Unsupported `order` argument: {order}. Expected 'C' or 'F'.")
    sizes = _sizes(newshape)
    if order == "C":
        return run(lambda x: x.reshape(sizes), tensor(a))

    def fortran(x):
        flipped = x.permute(*reversed(range(x.dim()))).reshape(tuple(reversed(sizes)))
        return flipped.permute(*reversed(range(len(sizes))))

    return run(fortran, tensor(a))


def ravel(a):
    """`numpy.ravel`."""
    return reshape(a, -1)


def flatten(a, order="C"):
    """The array as a vector, in C or Fortran order."""
    return reshape(a, -1, order)


def expand_dims(a, axis):
    """`numpy.expand_dims`."""
    return run(lambda x: x.unsqueeze(axis), tensor(a))


def squeeze(a, axis=None):
    """`numpy.squeeze`."""
    return run(lambda x: x.squeeze() if axis is None else x.squeeze(axis), tensor(a))


def transpose(a, axes=None):
    """`numpy.transpose`."""
    return run(
        lambda x: x.permute(tuple(axes) if axes is not None else tuple(reversed(range(x.dim())))),
        tensor(a),
    )


def swapaxes(a, axis1, axis2):
    """`numpy.swapaxes`."""
    return run(lambda x: x.transpose(axis1, axis2), tensor(a))


def moveaxis(a, source, destination):
    """`numpy.moveaxis`."""
    return run(lambda x: x.movedim(source, destination), tensor(a))


def broadcast_to(array, shape):
    """`numpy.broadcast_to`."""
    sizes = _sizes(shape)
    return run(lambda x: x.expand(sizes), tensor(array))


def broadcast_arrays(*args, **kwargs):
    """`numpy.broadcast_arrays`.

    Raises:
        ValueError: for `subok`.
    """
    if kwargs:
        raise ValueError(f"Received unexpected arguments {sorted(kwargs)}")
    return run(lambda *xs: torch.broadcast_tensors(*xs), *[tensor(a) for a in args])


def _at_least(count, arys, grow):
    found = [run(grow, tensor(a)) for a in arys]
    return found[0] if len(found) == 1 else found


def atleast_1d(*arys):
    """`numpy.atleast_1d`."""
    return _at_least(1, arys, torch.atleast_1d)


def atleast_2d(*arys):
    """`numpy.atleast_2d`."""
    return _at_least(2, arys, torch.atleast_2d)


def atleast_3d(*arys):
    """`numpy.atleast_3d`."""
    return _at_least(3, arys, torch.atleast_3d)


# -- joining and splitting


def concatenate(arys, axis=0):
    """`numpy.concatenate`."""
    parts = promoted(*arys)
    if axis is None:
        return run(lambda *xs: torch.cat([x.reshape(-1) for x in xs]), *parts)
    return run(lambda *xs: torch.cat(xs, axis), *parts)


def append(arr, values, axis=None):
    """`numpy.append`."""
    return concatenate([arr, values], axis)


def stack(arrays, axis=0):
    """`numpy.stack`."""
    return run(lambda *xs: torch.stack(xs, axis), *promoted(*arrays))


def hstack(tup):
    """`numpy.hstack`."""
    return run(lambda *xs: torch.hstack(xs), *promoted(*tup))


def vstack(tup):
    """`numpy.vstack`."""
    return run(lambda *xs: torch.vstack(xs), *promoted(*tup))


def dstack(tup):
    """`numpy.dstack`."""
    return run(lambda *xs: torch.dstack(xs), *promoted(*tup))


def split(ary, indices_or_sections, axis=0) -> list:
    """`numpy.split`: into equal parts, or at indices.

    Raises:
        ValueError: if the axis does not divide evenly.
    """
    ary = tensor(ary)
    length = ary._data.shape[axis]
    if isinstance(indices_or_sections, int):
        if length % indices_or_sections:
            raise ValueError("array split does not result in an equal division")
        return run(lambda x: x.split(length // indices_or_sections, axis), ary)
    return run(lambda x: torch.tensor_split(x, list(indices_or_sections), axis), ary)


def hsplit(ary, indices_or_sections):
    """`numpy.hsplit`."""
    return split(ary, indices_or_sections, 0 if ndim(ary) == 1 else 1)


def vsplit(ary, indices_or_sections):
    """`numpy.vsplit`."""
    return split(ary, indices_or_sections, 0)


def dsplit(ary, indices_or_sections):
    """`numpy.dsplit`."""
    return split(ary, indices_or_sections, 2)


def tile(a, reps):
    """`numpy.tile`."""
    return run(lambda x: torch.tile(x, _sizes(reps)), tensor(a))


def repeat(a, repeats, axis=None):
    """`numpy.repeat`."""
    counts = repeats if isinstance(repeats, int) else tensor(repeats)._data
    return run(lambda x: torch.repeat_interleave(x, counts, axis), tensor(a))


def roll(a, shift, axis=None):
    """`numpy.roll`."""
    return run(lambda x: torch.roll(x, shift, axis), tensor(a))


def flip(m, axis=None):
    """`numpy.flip`."""

    def flipped(x):
        dims = range(x.dim()) if axis is None else (axis,) if isinstance(axis, int) else axis
        return x.flip(*dims)

    return run(flipped, tensor(m))


def fliplr(m):
    """`numpy.fliplr`."""
    return flip(m, 1)


def flipud(m):
    """`numpy.flipud`."""
    return flip(m, 0)


def rot90(m, k=1, axes=(0, 1)):
    """`numpy.rot90`."""
    return run(lambda x: torch.rot90(x, k, tuple(axes)), tensor(m))


def pad(array, pad_width, mode, **kwargs):
    """`numpy.pad`, modes constant, reflect and symmetric.

    Raises:
        ValueError: for another mode or argument.
    """
    from torchtf import array_ops

    if mode not in ("constant", "reflect", "symmetric"):
        raise ValueError(f"Unsupported padding mode: {mode}.")
    value = kwargs.pop("constant_values", 0)
    if kwargs:
        raise ValueError(f"Unsupported arguments of pad: {sorted(kwargs)}")
    array = tensor(array)
    widths = np.broadcast_to(np.asarray(pad_width), (len(array.shape), 2)).tolist()
    return array_ops.pad(array, widths, mode.upper(), value)


def meshgrid(*xi, **kwargs) -> list:
    """`numpy.meshgrid`, indexing "xy" (default) or "ij".

    Raises:
        ValueError: for `sparse=True` or `copy=False`.
    """
    if kwargs.pop("sparse", False) or not kwargs.pop("copy", True):
        raise ValueError("tf.numpy doesn't support returning views or sparse grids from meshgrid")
    indexing = kwargs.pop("indexing", "xy")
    if kwargs:
        raise ValueError(f"Unsupported arguments of meshgrid: {sorted(kwargs)}")
    return run(
        lambda *xs: [g.clone() for g in torch.meshgrid(*xs, indexing=indexing)],
        *[ravel(x) for x in xi],
    )


# -- indexing, sorting


def take(a, indices, axis=None, out=None, mode="clip"):
    """`numpy.take`; indices out of range are clipped, or wrapped with mode "wrap".

    Raises:
        ValueError: for `out` or another mode.
    """
    if out is not None or mode not in ("raise", "clip", "wrap"):
        raise ValueError("Unsupported arguments: out and modes other than raise, clip and wrap")
    a, where = tensor(a), tensor(indices, np.int64)

    def taken(x, i):
        if axis is None:
            x, dim = x.reshape(-1), 0
        else:
            dim = axis % x.dim()
        length = x.shape[dim]
        i = torch.remainder(i, length) if mode == "wrap" else i.clamp(-length, length - 1)
        i = torch.where(i < 0, i + length, i)
        found = x.index_select(dim, i.reshape(-1))
        return found.reshape(*x.shape[:dim], *i.shape, *x.shape[dim + 1 :])

    return run(taken, a, where)


def take_along_axis(arr, indices, axis):
    """`numpy.take_along_axis`."""
    return run(
        lambda x, i: torch.take_along_dim(x.reshape(-1) if axis is None else x, i, axis),
        tensor(arr), tensor(indices, np.int64),
    )  # fmt: skip


def compress(condition, a, axis=None):
    """`numpy.compress`: the slices where a condition holds."""
    chosen = tensor(condition, bool)

    def compressed(x, mask):
        if axis is None:
            x = x.reshape(-1)
        return x.index_select(axis or 0, mask.nonzero().squeeze(1))

    return run(compressed, tensor(a), chosen)


def nonzero(a) -> list:
    """`numpy.nonzero`, a vector of int64 for each axis."""
    return run(lambda x: list(torch.nonzero(x, as_tuple=True)), tensor(a))


def select(condlist, choicelist, default=0):
    """`numpy.select`: the first choice whose condition holds.

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    if not condlist or len(condlist) != len(choicelist):
        raise ValueError("condlist must not be empty and have the length of choicelist")
    *choices, found = promoted(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        found = run(torch.where, tensor(condition, bool), choice, found)
    return found


def sort(a, axis=-1, kind="quicksort", order=None):
    """`numpy.sort`; without an axis of the flattened array.

    Raises:
        ValueError: for `order` or a kind other than quicksort and stable.
    """
    _check_sort(kind, order)
    return run(
        lambda x: torch.sort(
            x.reshape(-1) if axis is None else x, dim=-1 if axis is None else axis, stable=True
        )[0],
        tensor(a),
    )


def argsort(a, axis=-1, kind="quicksort", order=None):
    """`numpy.argsort`; see `sort`."""
    _check_sort(kind, order)
    return run(
        lambda x: torch.argsort(
            x.reshape(-1) if axis is None else x, dim=-1 if axis is None else axis, stable=True
        ),
        tensor(a),
    )


def _check_sort(kind, order):
    if kind not in ("quicksort", "stable"):
        raise ValueError(f"Only the kinds 'quicksort' and 'stable' are supported, got {kind!r}")
    if order is not None:
        raise ValueError("'order' argument to sort is not supported.")


def ix_(*args) -> list:
    """`numpy.ix_`: an open mesh of index vectors."""
    out = []
    for i, a in enumerate(args):
        a = tensor(a)
        if a.dtype.is_bool:
            (a,) = nonzero(a)
        sizes = [1] * len(args)
        sizes[i] = -1
        out.append(run(lambda x, sizes=sizes: x.reshape(sizes), a))
    return out

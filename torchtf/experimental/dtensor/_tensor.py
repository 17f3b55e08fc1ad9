"""The value of a DTensor: a torch tensor with its global elements and a layout.

* All devices of a mesh are in this process, so a DTensor holds its global value once, and `unpack`
  cuts the components from it: the elements are those of TensorFlow, the memory is that of one copy.
* It is a subclass of `torch.Tensor`, so a `tf.Tensor` or `tf.Variable` may hold it like any other.
  Each ATen call on it computes the global result; `_rules` tells how that is cut. So eager ops,
  gradients and the graphs of `tf.function` need to know nothing of layouts.
* A tensor without a layout beside one that has counts as replicated.
"""

from __future__ import annotations

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from torchtf.core import errors, graph
from torchtf.core.tensor import Tensor, is_fake, to_numpy
from torchtf.experimental.dtensor._layout import MATCH, UNSHARDED, Layout
from torchtf.experimental.dtensor._rules import specs_of_results
from torchtf.logging_ops import format_array

DEVICE_NAME = "/job:localhost/replica:0/task:0/device:CUSTOM:0"


class ShardedTensor(torch.Tensor):
    """A global value and its layout.

    Args:
        value: a plain torch tensor.
        layout: of the same rank.
    """

    @staticmethod
    def __new__(cls, value: torch.Tensor, layout: Layout):
        made = torch.Tensor._make_wrapper_subclass(
            cls, value.shape, strides=value.stride(), storage_offset=value.storage_offset(),
            dtype=value.dtype, device=value.device,
        )  # fmt: skip
        made.value = value
        made.placement = layout
        return made

    value: torch.Tensor
    placement: Layout

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.torchtf.relayout.default:
            return relaid(args[0], Layout.from_string(args[1]))
        if func is torch.ops.torchtf.relayout_like.default:
            like = args[1] if isinstance(args[1], cls) else None
            return relaid(args[0], like.placement if like is not None else _replicated(args[0]))
        mesh = _common_mesh(args, kwargs)
        result = func(*tree_map(_value, args), **tree_map(_value, kwargs))
        made = [r for r in tree_leaves(result) if isinstance(r, torch.Tensor)]
        if not made:
            return result

        def specs(x):
            return x.placement.sharding_specs if isinstance(x, cls) else [UNSHARDED] * x.ndim

        def shards(spec):
            return 1 if spec == UNSHARDED else mesh.dim_size(spec)

        every = specs_of_results(func, args, kwargs, made, specs, shards)
        layouts = iter([Layout(s, mesh) for s in every])
        written = _written(func, args, kwargs)
        return tree_map(
            lambda r: _laid_out(r, next(layouts), written) if isinstance(r, torch.Tensor) else r,
            result,
        )

    # -- how it appears to core.tensor

    _tf_device = DEVICE_NAME

    def _tf_text(self) -> str:
        whole = to_numpy(self.value)
        if self.placement.is_fully_replicated():
            shown = format_array(whole, 3, True)
        else:
            parts = [
                f'"{device.rsplit("/device:", 1)[-1]}": {format_array(whole[place], 3, True)}'
                for device, place in places(self.placement, self.shape)
            ]
            shown = "{" + ", ".join(parts) + "}"
        return f'{shown}, layout="{self.placement.to_string()}"'

    def _tf_check_readable(self) -> None:
        if not self.placement.is_fully_replicated():
            raise errors.UnimplementedError(
                None, None,
                "Trying to copy a non-single-device and non-replicated DTensor is not supported. "
                f"Input tensor is: DTensor({self._tf_text()}, shape={list(self.shape)}, "
                f"type={Tensor(self.value).dtype.name})",
            )  # fmt: skip

    def numpy(self, *, force=False):
        return to_numpy(self.value)

    def tolist(self):
        return self.numpy().tolist()


def _value(x):
    return x.value if isinstance(x, ShardedTensor) else x


def _replicated(x) -> Layout:
    return Layout.replicated(x.placement.mesh, x.ndim)


def _common_mesh(args, kwargs):
    found = [x.placement.mesh for x in tree_leaves((args, kwargs)) if isinstance(x, ShardedTensor)]
    for mesh in found[1:]:
        if mesh is not found[0] and mesh != found[0]:
            raise errors.UnknownError(
                None, None,
                "'tf_device.cluster' op failed during mesh propagation. All inputs to "
                "`tf_device.Cluster` must have same mesh configuration. List of found inputs: "
                f"{found[0].to_string()} and {mesh.to_string()}",
            )  # fmt: skip
    return found[0]


def _written(func, args, kwargs) -> dict:
    """The arguments that a call writes to, by their values."""
    names = [a.name for a in func._schema.arguments if a.is_write]
    if not names:
        return {}
    given = dict(zip([a.name for a in func._schema.arguments], args, strict=False)) | kwargs
    return {id(_value(given[n])): given[n] for n in names}


def _laid_out(result, layout, written):
    """A result with its layout: a new tensor, or the argument that it was written to."""
    target = written.get(id(result))
    if target is None:
        return ShardedTensor(result, layout)
    if isinstance(target, ShardedTensor):
        target.placement = layout
    return target


def places(layout: Layout, shape) -> list[tuple[str, tuple[slice, ...]]]:
    """The local devices and the slices of the global value that they hold."""
    sizes = layout.local_shape_from_global_shape(shape)
    return [
        (
            device,
            tuple(
                slice(None) if s == UNSHARDED else slice(at[s] * n, (at[s] + 1) * n)
                for s, n in zip(layout.sharding_specs, sizes, strict=True)
            ),
        )
        for device, at in zip(
            layout.mesh.local_devices(), layout.mesh.local_device_locations(), strict=True
        )
    ]


def relaid(x: torch.Tensor, layout: Layout) -> ShardedTensor:
    """A copy of `x` with another layout, where `MATCH` means the present one.

    Raises:
        UnknownError: if the layout does not fit the shape.
    """
    have = x.placement.sharding_specs if isinstance(x, ShardedTensor) else [UNSHARDED] * x.ndim
    if layout.rank != x.ndim:
        raise errors.UnknownError(
            None, None,
            "'tf.DTensorLayout' op requires matching rank for layout and input, but got "
            f"{layout.rank} as suggested rank from layout but {x.ndim} from shape.",
        )  # fmt: skip
    if MATCH in layout.sharding_specs:
        specs = [h if s == MATCH else s for s, h in zip(layout.sharding_specs, have, strict=True)]
        layout = Layout(specs, layout.mesh)
    for axis, size in enumerate(x.shape):
        if size % layout.num_shards(axis):
            raise errors.UnknownError(
                None, None,
                f"'tf.DTensorLayout' op requires dimension {axis} to be divisible by sharding "
                f"specified in DTensorLayout, but got dimension size={size} is not divisible by "
                f"number of shards in layout for this dimension={layout.num_shards(axis)}.",
            )  # fmt: skip
    return ShardedTensor(_value(x).clone(), layout)


# -- as operations, so that graphs and gradients know them

_library = torch.library.Library("torchtf", "FRAGMENT")
_library.define("relayout(Tensor x, str layout) -> Tensor")
_library.define("relayout_like(Tensor x, Tensor like) -> Tensor")


@torch.library.impl(_library, "relayout", "CompositeExplicitAutograd")
def _relayout(x, layout):
    return x.clone() if is_fake(x) else relaid(x, Layout.from_string(layout))


@torch.library.impl(_library, "relayout_like", "CompositeExplicitAutograd")
def _relayout_like(x, like):
    return x.clone()


def _keep_input(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])


def _back(ctx, grad):
    return torch.ops.torchtf.relayout_like(grad, *ctx.saved_tensors), None


for _name in ("relayout", "relayout_like"):
    torch.library.register_autograd(
        f"torchtf::{_name}", _back, setup_context=_keep_input, lib=_library
    )


class OnMesh(TorchDispatchMode):
    """While it is active, what is made without a layout is replicated on a mesh."""

    def __init__(self, mesh):
        super().__init__()
        self._mesh = mesh

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if graph.state.trace is not None:  # when the graph runs, its results will be
            return result
        return tree_map(self._replicated, result)

    def _replicated(self, x):
        if type(x) is not torch.Tensor or x.device.type == "meta":
            return x
        return ShardedTensor(x, Layout.replicated(self._mesh, x.ndim))

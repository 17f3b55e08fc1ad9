"""Keras' optimizers as fused and foreach kernels of PyTorch, with Keras' formulas.

Contract:
- The update of every optimizer is Keras' own (`keras/src/optimizers/*.py`), step for step; only the
  order of roundings differs.
- Nothing here asks for the value of a tensor, so an update can be traced: the learning rate and the
  step are tensors, and an update that may not happen (loss scaling, gradient accumulation) is
  computed and then selected.
- Updates are in place on the variables' tensors; in a trace those are the graph's inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from keras.src.backend.torch.core import convert_to_tensor
from keras.src.backend.torch.optimizers import (
    torch_adadelta,
    torch_adagrad,
    torch_adam,
    torch_adamax,
    torch_lion,
    torch_nadam,
    torch_optimizer,
    torch_parallel_optimizer,
    torch_rmsprop,
    torch_sgd,
)
from keras.src.optimizers import base_optimizer, ftrl, loss_scale_optimizer
from keras.src.optimizers.base_optimizer import BaseOptimizer

from torchtf.core.convert import to_torch
from torchtf.core.indexed_slices import IndexedSlices
from torchtf.keras._distribute import on_all_replicas, sum_over_replicas, updating
from torchtf.keras._patch import own_attribute, replaces
from torchtf.keras._side import inward
from torchtf.keras._trace import tracing
from torchtf.keras._variable import TrainedVariable, for_optimizer

Tensors = list[torch.Tensor]

# The optimizers whose update is TensorFlow's for an `IndexedSlices`: its values are squared before
# those of one row are added up, not after.
_TAKE_ROWS = (
    torch_sgd.SGD, torch_adam.Adam, torch_nadam.Nadam, torch_rmsprop.RMSprop,
    torch_adagrad.Adagrad,
)  # fmt: skip

# The fused Adam kernels correct the bias of the moments with 1 - beta ** step. Keras folds the
# correction into the learning rate, so the kernel gets a step at which it has nothing to correct.
_NO_CORRECTION = float("inf")


def _values(variables: Sequence[Any]) -> Tensors:
    return [v.value for v in variables]


def _slots(optimizer: BaseOptimizer, store: list[Any], variables: Sequence[Any]) -> Tensors:
    return [store[optimizer._get_variable_index(v)].value for v in variables]


def _as_scalar(x: Any, like: torch.Tensor) -> torch.Tensor:
    """A 0-d tensor of the variables' precision (at least float32) on their device."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    if not isinstance(x, torch.Tensor) and hasattr(x, "value"):
        x = x.value
    return torch.as_tensor(x, dtype=dtype, device=like.device)


def _same_layout(grads: Tensors, params: Tensors) -> Tensors:
    """Gradients with the memory layout of their parameters, which the fused kernels rely on."""

    def fit(g: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        g = g.to(p.dtype)
        if g.stride() == p.stride() or (g.is_contiguous() and p.is_contiguous()):
            return g
        return torch.empty_like(p).copy_(g)

    return [fit(g, p) for g, p in zip(grads, params, strict=True)]


def _groups(variables: Sequence[Any], grads: Sequence[torch.Tensor]) -> Iterator[tuple[Any, Any]]:
    """Variables of one dtype and device at a time, as the multi-tensor kernels want them."""
    groups: dict[Any, tuple[list[Any], Tensors]] = {}
    for v, g in zip(variables, grads, strict=True):
        key = (v.value.dtype, v.value.device, isinstance(g, IndexedSlices))
        group = groups.setdefault(key, ([], []))
        group[0].append(v)
        group[1].append(g)
    yield from groups.values()


class _Gradients(list[torch.Tensor]):
    """Dense gradients of one group of variables, which knows of what rows they are made."""

    def __init__(self, given: Sequence[Any], params: Tensors) -> None:
        super().__init__(_same_layout([_dense(g) for g in given], params))
        self._given = given
        self.of_rows = isinstance(given[0], IndexedSlices)

    def add_squares(self, stores: Tensors, value: float = 1.0) -> None:
        """Adds `value` times the squares of the gradients to tensors."""
        if not self.of_rows:
            torch._foreach_addcmul_(stores, self, self, value=value)
            return
        for store, rows in zip(stores, self._given, strict=True):
            values = inward(rows.values).to(store.dtype)
            store.index_add_(0, inward(rows.indices), values * values, alpha=value)


class _Skip:
    """The flag (1.0 or 0.0) that tells the updates of this step not to happen, if there is one."""

    flag: torch.Tensor | None = None


def _update(owner: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Makes `f(optimizer, variables, params, grads, lr)` the update step of a Keras optimizer."""

    def decorate(f: Callable[..., None]) -> Callable[..., None]:
        @replaces(owner, "_parallel_update_step")
        def _parallel_update_step(
            self: Any, grads: Tensors, variables: Sequence[Any], learning_rate: Any
        ) -> None:
            for group, given in _groups(variables, grads):
                params = _values(group)
                lr = _as_scalar(learning_rate, params[0])
                f(self, group, params, _Gradients(given, params), lr)

        return f

    return decorate


@_update(torch_adam.Adam)
def _adam(self: Any, variables: Any, params: Tensors, grads: _Gradients, lr: torch.Tensor) -> None:
    step = _as_scalar(self.iterations + 1, params[0])
    alpha = lr * torch.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
    if grads.of_rows:
        m, v = _slots(self, self._momentums, variables), _slots(self, self._velocities, variables)
        torch._foreach_lerp_(m, grads, 1 - self.beta_1)
        torch._foreach_mul_(v, self.beta_2)
        grads.add_squares(v, 1 - self.beta_2)
        if self.amsgrad:
            largest = _slots(self, self._velocity_hats, variables)
            torch._foreach_maximum_(largest, v)
            v = largest
        denominators = torch._foreach_sqrt(v)
        torch._foreach_add_(denominators, self.epsilon)
        torch._foreach_sub_(params, torch._foreach_div(torch._foreach_mul(m, alpha), denominators))
        return
    torch._fused_adam_(
        params,
        grads,
        _slots(self, self._momentums, variables),
        _slots(self, self._velocities, variables),
        _slots(self, self._velocity_hats, variables) if self.amsgrad else [],
        [torch.full((), _NO_CORRECTION, device=lr.device)] * len(params),
        lr=alpha.to(torch.float32),
        beta1=self.beta_1,
        beta2=self.beta_2,
        weight_decay=0.0,  # Keras decays the weights itself, before the update
        eps=self.epsilon,
        amsgrad=self.amsgrad,
        maximize=False,
        found_inf=_Skip.flag,
    )


@_update(torch_sgd.SGD)
def _sgd(self: Any, variables: Any, params: Tensors, grads: Tensors, lr: torch.Tensor) -> None:
    # Keras keeps m = momentum * m - lr * g and adds m; the kernel keeps b = momentum * b + g and
    # subtracts lr * b. So the kernel is given -lr * g and the learning rate -1.
    with_momentum = self.momentum != 0
    torch._fused_sgd_(
        params,
        torch._foreach_mul(grads, lr) if with_momentum else grads,
        _slots(self, self.momentums, variables) if with_momentum else [],
        weight_decay=0.0,
        momentum=float(self.momentum),
        lr=torch.full_like(lr, -1.0, dtype=torch.float32) if with_momentum else lr.float(),
        dampening=0.0,
        nesterov=bool(self.nesterov) and with_momentum,
        maximize=with_momentum,
        is_first_step=False,
        found_inf=_Skip.flag,
    )


@_update(torch_rmsprop.RMSprop)
def _rmsprop(
    self: Any, variables: Any, params: Tensors, grads: _Gradients, lr: torch.Tensor
) -> None:
    velocities = _slots(self, self._velocities, variables)
    torch._foreach_mul_(velocities, self.rho)
    grads.add_squares(velocities, 1 - self.rho)
    denominators = torch._foreach_add(velocities, self.epsilon)
    if self.centered:
        means = _slots(self, self._average_gradients, variables)
        torch._foreach_mul_(means, self.rho)
        torch._foreach_add_(means, grads, alpha=1 - self.rho)
        torch._foreach_addcmul_(denominators, means, means, value=-1)
    torch._foreach_sqrt_(denominators)
    increments = torch._foreach_mul(grads, lr)
    torch._foreach_div_(increments, denominators)
    if self.momentum > 0:
        momentums = _slots(self, self._momentums, variables)
        torch._foreach_mul_(momentums, self.momentum)
        torch._foreach_add_(momentums, increments)
        increments = momentums
    torch._foreach_sub_(params, increments)


@_update(torch_adagrad.Adagrad)
def _adagrad(
    self: Any, variables: Any, params: Tensors, grads: _Gradients, lr: torch.Tensor
) -> None:
    accumulators = _slots(self, self._accumulators, variables)
    grads.add_squares(accumulators)
    denominators = torch._foreach_add(accumulators, self.epsilon)
    torch._foreach_sqrt_(denominators)
    increments = torch._foreach_mul(grads, lr)
    torch._foreach_div_(increments, denominators)
    torch._foreach_sub_(params, increments)


@_update(torch_adadelta.Adadelta)
def _adadelta(self: Any, variables: Any, params: Tensors, grads: Tensors, lr: torch.Tensor) -> None:
    squares = _slots(self, self._accumulated_grads, variables)
    deltas = _slots(self, self._accumulated_delta_vars, variables)

    def rms(x: Tensors) -> Tensors:
        return list(torch._foreach_sqrt(torch._foreach_add(x, self.epsilon)))

    torch._foreach_mul_(squares, self.rho)
    torch._foreach_addcmul_(squares, grads, grads, value=1 - self.rho)
    step = torch._foreach_div(torch._foreach_mul(rms(deltas), grads), rms(squares))
    torch._foreach_mul_(deltas, self.rho)
    torch._foreach_addcmul_(deltas, step, step, value=1 - self.rho)
    torch._foreach_sub_(params, torch._foreach_mul(step, lr))


@_update(torch_adamax.Adamax)
def _adamax(self: Any, variables: Any, params: Tensors, grads: Tensors, lr: torch.Tensor) -> None:
    step = _as_scalar(self.iterations + 1, params[0])
    m = _slots(self, self._m, variables)
    u = _slots(self, self._u, variables)
    torch._foreach_lerp_(m, grads, 1 - self.beta_1)
    torch._foreach_mul_(u, self.beta_2)
    torch._foreach_maximum_(u, torch._foreach_abs(grads))
    increments = torch._foreach_div(m, torch._foreach_add(u, self.epsilon))
    torch._foreach_mul_(increments, lr / (1 - self.beta_1**step))
    torch._foreach_sub_(params, increments)


@_update(torch_lion.Lion)
def _lion(self: Any, variables: Any, params: Tensors, grads: Tensors, lr: torch.Tensor) -> None:
    m = _slots(self, self._momentums, variables)
    direction = torch._foreach_sign(torch._foreach_lerp(m, grads, 1 - self.beta_1))
    torch._foreach_sub_(params, torch._foreach_mul(direction, lr))
    torch._foreach_lerp_(m, grads, 1 - self.beta_2)


@replaces(torch_nadam.Nadam, "_parallel_update_step")
def _nadam(self: Any, grads: Tensors, variables: Sequence[Any], learning_rate: Any) -> None:
    # The product of the momentum schedule moves once a step, whatever the number of dtypes.
    product = self._u_product.value
    step = _as_scalar(self.iterations + 1, product)
    u_now = self.beta_1 * (1.0 - 0.5 * 0.96**step)
    u_next = self.beta_1 * (1.0 - 0.5 * 0.96 ** (step + 1))
    product_now = product * u_now
    product_next = product_now * u_next
    self._u_product.assign(product_now)
    for group, group_grads in _groups(variables, grads):
        params = _values(group)
        g = _Gradients(group_grads, params)
        m = _slots(self, self._momentums, group)
        v = _slots(self, self._velocities, group)
        torch._foreach_lerp_(m, g, 1 - self.beta_1)
        torch._foreach_mul_(v, self.beta_2)
        g.add_squares(v, 1 - self.beta_2)
        m_hat = torch._foreach_mul(m, u_next / (1 - product_next))
        torch._foreach_add_(m_hat, torch._foreach_mul(g, (1 - u_now) / (1 - product_now)))
        denominators = torch._foreach_sqrt(torch._foreach_mul(v, 1 / (1 - self.beta_2**step)))
        torch._foreach_add_(denominators, self.epsilon)
        torch._foreach_mul_(m_hat, _as_scalar(learning_rate, params[0]))
        torch._foreach_div_(m_hat, denominators)
        torch._foreach_sub_(params, m_hat)


# ---- what an optimizer is called: Keras makes one of a subclass for torch ------------------------


def _repr(self: BaseOptimizer) -> str:
    known = (c for c in type(self).__mro__ if not c.__module__.startswith("keras.src.backend."))
    cls = next(known)
    return f"<{cls.__module__}.{cls.__qualname__} object at {id(self):#x}>"


torch_optimizer.TorchOptimizer.__repr__ = _repr


# ---- what an optimizer is given: gradients of any form, variables of Keras and of tf -------------


@replaces(base_optimizer.BaseOptimizer, "apply_gradients")
def _apply_gradients(self: Any, grads_and_vars: Any) -> Any:
    grads, variables = zip(*inward(list(grads_and_vars)), strict=True)
    self.apply(list(grads), list(variables))
    return self._iterations


_build = own_attribute(base_optimizer.BaseOptimizer, "build")
_apply = own_attribute(base_optimizer.BaseOptimizer, "apply")


@replaces(base_optimizer.BaseOptimizer, "build")
def _build_for_all(self: Any, variables: Any) -> None:
    _build(self, [for_optimizer(v) for v in variables])


@replaces(base_optimizer.BaseOptimizer, "apply")
def _apply_to_all(self: Any, grads: Any, trainable_variables: Any = None) -> None:
    keep = _takes_rows(self)
    grads = sum_over_replicas(
        [g if keep and isinstance(g, IndexedSlices) else _dense(g) for g in grads]
    )
    if trainable_variables is not None:
        trainable_variables = [for_optimizer(v) for v in trainable_variables]
    with updating():
        _apply(self, grads, trainable_variables)
    for variable in trainable_variables or self._trainable_variables:
        if type(variable) is TrainedVariable:
            variable.store()


def _takes_rows(optimizer: BaseOptimizer) -> bool:
    """Whether an update may be given the rows of a gradient as they are."""
    return isinstance(optimizer, _TAKE_ROWS) and not (
        optimizer.loss_scale_factor
        or optimizer.gradient_accumulation_steps
        or getattr(optimizer, "centered", False)
    )


def _subtract_rows(variable: Any, rows: IndexedSlices, lr: Any) -> None:
    if type(variable) is TrainedVariable:
        scaled = IndexedSlices(rows.values * lr, rows.indices)
        variable.variable.scatter_sub(scaled)
        return
    value = variable.value
    steps = inward(rows.values).to(value.dtype) * -_as_scalar(lr, value).to(value.dtype)
    value.index_add_(0, inward(rows.indices), steps)


def _dense(gradient: Any) -> torch.Tensor | None:
    """A gradient as a torch tensor; the slices of an `IndexedSlices` are added up."""
    if gradient is None or isinstance(gradient, torch.Tensor):
        return inward(gradient)
    return to_torch(gradient)


# ---- what surrounds an update: decay, clipping, averages, accumulation, loss scaling ------------


@replaces(torch_optimizer.TorchOptimizer, "_apply_weight_decay")
@torch.no_grad()
def _apply_weight_decay(self: Any, variables: Sequence[Any]) -> None:
    decayed = [v for v in variables if self._use_weight_decay(v)]
    if self.weight_decay is None or not decayed:
        return
    params = _values(decayed)
    factor = 1 - self.weight_decay * _as_scalar(self._get_current_learning_rate(), params[0])
    if _Skip.flag is not None:
        factor = torch.where(_Skip.flag > 0, torch.ones_like(factor), factor)
    torch._foreach_mul_(params, factor)


@replaces(base_optimizer.BaseOptimizer, "_clip_gradients")
@torch.no_grad()
def _clip_gradients(self: Any, grads: Sequence[torch.Tensor | None]) -> list[torch.Tensor | None]:
    rows = {i: g for i, g in enumerate(grads) if isinstance(g, IndexedSlices)}
    if rows:  # of those the values are clipped
        grads = [inward(g.values) if i in rows else g for i, g in enumerate(grads)]
    present = [convert_to_tensor(g) for g in grads if g is not None]
    if self.clipnorm and self.clipnorm > 0:
        norms = torch._foreach_norm(present)
        clipped = torch._foreach_mul(present, float(self.clipnorm))
        torch._foreach_div_(clipped, torch._foreach_clamp_min(norms, float(self.clipnorm)))
    elif self.global_clipnorm and self.global_clipnorm > 0:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(present)))
        scale = self.global_clipnorm * torch.clamp(1.0 / norm, max=1.0 / self.global_clipnorm)
        # A norm of inf or NaN makes every gradient NaN, as in Keras.
        clipped = torch._foreach_mul(present, scale + (norm - norm))
    elif self.clipvalue and self.clipvalue > 0:
        clipped = torch._foreach_clamp_min(present, -float(self.clipvalue))
        torch._foreach_clamp_max_(clipped, float(self.clipvalue))
    else:
        clipped = present
    remaining = iter(clipped)
    result = [None if g is None else next(remaining) for g in grads]
    for i, g in rows.items():
        slices = IndexedSlices(result[i], g.indices, g.dense_shape)
        result[i] = _dense(slices) if self.global_clipnorm else slices
    return result


@replaces(base_optimizer.BaseOptimizer, "_update_model_variables_moving_average")
@torch.no_grad()
def _update_moving_average(self: Any, trainable_variables: Sequence[Any]) -> None:
    if not self.use_ema:
        return
    pairs = zip(trainable_variables, self._model_variables_moving_average, strict=True)
    variables, averages = zip(*((v, a) for v, a in pairs if a is not None), strict=True)
    kept = torch.where(convert_to_tensor(self.iterations) != 0, self.ema_momentum, 0.0)
    torch._foreach_mul_(_values(averages), kept)
    torch._foreach_add_(_values(averages), torch._foreach_mul(_values(variables), 1 - kept))


@torch.no_grad()
def _when(condition: torch.Tensor, variables: Sequence[Any], update: Callable[[], None]) -> None:
    """Runs `update`, which changes `variables`, where `condition` holds.

    In a trace the value of the condition is unknown: the update runs, and the variables take its
    result or what they were before.
    """
    if not tracing():
        if condition:
            update()
        return
    tensors = _values(variables)
    before = [t.clone() for t in tensors]
    update()
    for v, t, old in zip(variables, tensors, before, strict=True):
        chosen = torch.where(condition, v.value, old)
        if v.value is t:  # it was updated in place
            t.copy_(chosen)
        else:
            v.assign(chosen)


@replaces(base_optimizer.BaseOptimizer, "_backend_apply_gradients")
@torch.no_grad()
def _backend_apply_gradients(self: Any, grads: Tensors, trainable_variables: list[Any]) -> None:
    def update(grads: Tensors) -> None:
        grads = self._clip_gradients(grads)
        self._apply_weight_decay(trainable_variables)
        self._backend_update_step(grads, trainable_variables, self.learning_rate)

    steps = self.gradient_accumulation_steps
    if steps:
        sums = [
            self._accumulated_gradients[self._get_variable_index(v)] for v in trainable_variables
        ]
        torch._foreach_add_(_values(sums), _same_layout(list(grads), _values(sums)))

        def update_and_reset() -> None:
            update(list(torch._foreach_div(_values(sums), float(steps))))
            torch._foreach_zero_(_values([s for s in self._accumulated_gradients if s is not None]))

        state = [v for v in self.variables if v is not self._iterations]
        _when(
            (self._iterations.value + 1) % steps == 0,
            [*state, *trainable_variables],
            update_and_reset,
        )
    else:
        update(grads)

    if self.use_ema:
        self._update_model_variables_moving_average(self._trainable_variables)
        if self.ema_overwrite_frequency:
            iterations = self.iterations
            iterations = iterations.value if hasattr(iterations, "value") else iterations
            _when(
                (iterations + 1) % self.ema_overwrite_frequency == 0,
                self._trainable_variables,
                lambda: self._overwrite_model_variables_with_average_value(
                    self._trainable_variables
                ),
            )


@replaces(torch_parallel_optimizer.TorchParallelOptimizer, "_backend_update_step")
@torch.no_grad()
def _backend_update_step(
    self: Any, grads: Tensors, trainable_variables: Sequence[Any], learning_rate: Any
) -> None:
    dense = []
    sparse_update = isinstance(self, torch_sgd.SGD) and not self.momentum
    for g, v in zip(grads, trainable_variables, strict=True):
        if sparse_update and isinstance(g, IndexedSlices):
            _subtract_rows(v, g, learning_rate)
        else:
            dense.append((g, v))
    if dense:
        grads, trainable_variables = map(list, zip(*dense, strict=True))
        self._parallel_update_step(grads, trainable_variables, learning_rate)


@replaces(ftrl.Ftrl, "update_step")
@torch.no_grad()
def _ftrl(self: Any, gradient: torch.Tensor, variable: Any, learning_rate: Any) -> None:
    index = self._get_variable_index(variable)
    p, n, z = variable.value, self._accumulators[index].value, self._linears[index].value
    lr = _as_scalar(learning_rate, p)
    g = gradient.to(p.dtype)
    power = -self.learning_rate_power
    shrunk = g + 2 * self.l2_shrinkage_regularization_strength * p
    new_n = n + g * g
    z.add_(shrunk - (new_n**power - n**power) / lr * p)
    l2 = self.l2_regularization_strength + self.beta / (2.0 * lr)
    quadratic = new_n**power / lr + 2 * l2
    l1 = self.l1_regularization_strength
    p.copy_((z.clamp(-l1, l1) - z) / quadratic)
    n.copy_(new_n)


# Their kernels take the flag that skips an update; for the others the result is selected.
_SKIPPABLE = (torch_adam.Adam, torch_sgd.SGD)


def _can_skip(optimizer: Any, variables: Sequence[Any]) -> bool:
    return (
        isinstance(optimizer, _SKIPPABLE)
        and not optimizer.use_ema
        and not optimizer.gradient_accumulation_steps
        and all(v.constraint is None for v in variables)
    )


@replaces(loss_scale_optimizer.LossScaleOptimizer, "_common_apply")
@torch.no_grad()
def _common_apply(self: Any, grads: Any, trainable_variables: Any = None) -> None:
    """Applies unscaled gradients if all are finite, and moves the loss scale, without a branch."""
    grads = list(grads)
    variables = list(trainable_variables or self._trainable_variables)
    counter, scale = self.step_counter.value, self.dynamic_scale.value
    present = [
        i
        for i, (g, v) in enumerate(zip(grads, variables, strict=True))
        if g is not None and not self._overwrite_variable_with_gradient(v)
    ]
    every = [g for g in grads if g is not None]
    norms = torch._foreach_norm(every, float("inf"))
    finite = torch.isfinite(torch.stack([n.to(torch.float32) for n in norms])).all()
    finite = on_all_replicas(finite)
    scaled = [grads[i] for i in present]
    for i, g in zip(present, torch._foreach_mul(scaled, 1 / scale) if scaled else (), strict=True):
        grads[i] = g

    inner = self.inner_optimizer
    if not inner.built:
        inner.build(variables)
    if _can_skip(inner, variables):
        _Skip.flag = (~finite).to(torch.float32)
        try:
            inner.apply(grads, trainable_variables=trainable_variables)
        finally:
            flag, _Skip.flag = _Skip.flag, None
        inner._iterations.assign(inner._iterations.value - flag.to(inner._iterations.value.dtype))
    else:
        _when(
            finite,
            [*inner.variables, *variables],
            lambda: inner.apply(grads, trainable_variables=trainable_variables),
        )

    grows = counter == self.dynamic_growth_steps - 1
    grown = torch.where(grows, scale * 2.0, scale)
    self.dynamic_scale.assign(torch.where(finite, grown, scale * 0.5))
    self.step_counter.assign(torch.where(finite & ~grows, counter + 1, torch.zeros_like(counter)))

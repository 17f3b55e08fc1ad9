"""Where the user's code and Keras' meet: the classes and their methods through which tensors cross.

Contract:
- `CROSSINGS` lists, for each base class of Keras, the methods that take or give tensors. Keras' own
  implementations of them are entered through `into_keras`, a user's through `into_user`; so each
  runs on its own side, whoever calls.
- A class is Keras' if its module is of the package `keras` (or of this one), else the user's.
  Classes made later are adopted when they are made; a `call` or a step that is assigned to a class
  after that, when it is first used.
- Plain functions of the user (activations, losses, initializers, ...) are adopted where Keras
  resolves them or they are assigned to a layer, and read and serialized as the functions that they
  are.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from keras.src import (
    activations,
    constraints,
    initializers,
    losses,
    metrics,
    regularizers,
)
from keras.src.backend.common.variables import Variable
from keras.src.constraints.constraints import Constraint
from keras.src.initializers.initializer import Initializer
from keras.src.layers.core.lambda_layer import Lambda
from keras.src.layers.layer import Layer
from keras.src.layers.preprocessing.text_vectorization import TextVectorization
from keras.src.losses.loss import Loss
from keras.src.losses.losses import LossFunctionWrapper
from keras.src.metrics.metric import Metric
from keras.src.metrics.reduction_metrics import MeanMetricWrapper
from keras.src.models.model import Model
from keras.src.ops.operation import Operation
from keras.src.optimizers.base_optimizer import BaseOptimizer
from keras.src.optimizers.schedules.learning_rate_schedule import LearningRateSchedule
from keras.src.random.seed_generator import SeedGenerator
from keras.src.regularizers.regularizers import Regularizer
from keras.src.saving import serialization_lib
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.trainers.trainer import Trainer

from torchtf.keras import _side
from torchtf.keras._distribute import aggregated
from torchtf.keras._module import forward_of
from torchtf.keras._patch import moved, own_attribute, replaces

_ARITHMETIC = (
    "neg", "pos", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge", "add", "radd", "sub", "rsub",
    "mul", "rmul", "truediv", "rtruediv", "floordiv", "rfloordiv", "mod", "rmod", "pow", "rpow",
    "matmul", "rmatmul", "and", "rand", "or", "ror", "xor", "rxor", "round", "getitem", "int",
    "float",
)  # fmt: skip

CROSSINGS: dict[type, tuple[str, ...]] = {
    KerasSaveable: ("__init__", "get_config", "load_own_variables", "save_own_variables"),
    Operation: ("__call__", "call", "symbolic_call", "quantized_call"),
    Layer: (
        "__call__", "call", "compute_mask", "build", "build_from_config", "add_loss", "add_weight",
        "losses", "stateless_call", "get_weights", "set_weights", "adapt", "quantize",
        "get_initial_state", "reset_state",
    ),
    Model: ("save", "save_weights", "load_weights", "export", "to_json"),
    Trainer: (
        "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics",
        "get_metrics_result", "stateless_compute_loss", "reset_metrics",
    ),
    Metric: (
        "__call__", "update_state", "result", "reset_state", "add_variable", "add_weight",
        "stateless_update_state", "stateless_result", "stateless_reset_state",
    ),
    Loss: ("__call__", "call"),
    BaseOptimizer: (
        "apply", "apply_gradients", "stateless_apply", "build", "update_step", "scale_loss",
        "assign", "assign_add", "assign_sub", "set_weights",
        "finalize_variable_values", "learning_rate", "iterations",
    ),
    LearningRateSchedule: ("__call__",),
    Initializer: ("__call__",),
    Regularizer: ("__call__",),
    Constraint: ("__call__",),
    SeedGenerator: ("next",),
    Variable: ("assign", "assign_add", "assign_sub", *(f"__{n}__" for n in _ARITHMETIC)),
}  # fmt: skip


def _is_keras(module: str) -> bool:
    return module.split(".", 1)[0] == "keras" or module.startswith("torchtf.keras.")


def _crossing(attribute: Any, cross: Callable[..., Any]) -> Any:
    """What a class defines, for callers of either side."""
    if hasattr(attribute, "torchtf_raw") or hasattr(attribute, "torchtf_user"):
        return attribute
    if isinstance(attribute, types.FunctionType):
        return cross(attribute)
    if isinstance(attribute, property):
        return property(
            *(f and _crossing(f, cross) for f in (attribute.fget, attribute.fset, attribute.fdel)),
            attribute.__doc__,
        )
    if callable(attribute) and hasattr(attribute, "__get__"):  # a tf.function, say
        return _CrossedFunction(attribute, cross)
    return attribute


class _CrossedFunction:
    """A `tf.function` among the methods of a class: called from either side, otherwise itself."""

    def __init__(self, function: Any, cross: Callable[..., Any]) -> None:
        self._function = self.torchtf_user = function
        self._cross = cross
        functools.update_wrapper(self, function, updated=())

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return _BoundFunction(self._function.__get__(instance, owner), self._cross)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._cross(self._function)(*args, **kwargs)


class _BoundFunction:
    def __init__(self, function: Any, cross: Callable[..., Any]) -> None:
        self._function = self.torchtf_user = function
        self._crossing = cross(function)
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._crossing(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)


def adopt(cls: type) -> None:
    """Makes the methods of a class that take or give tensors callable from both sides."""
    keras_own = _is_keras(cls.__module__)
    cross = _side.into_keras if keras_own else _side.into_user
    for base, names in CROSSINGS.items():
        if issubclass(cls, base):
            for name in names:
                if name in vars(cls) and not (keras_own and name == "__init__"):
                    crossing = _crossing(vars(cls)[name], cross)
                    if base is Metric and name == "result":
                        crossing = aggregated(crossing)
                    if name == "__init__" and hasattr(crossing, "torchtf_user"):
                        # Keras looks at its arguments in a way that stops at wrappers
                        crossing.__signature__ = inspect.signature(crossing)
                    setattr(cls, name, crossing)
    if issubclass(cls, Layer) and "call" in vars(cls) and "forward" not in vars(cls):
        cls.forward = forward_of(vars(cls)["call"])  # type: ignore[attr-defined]


def adopt_again(cls: type) -> None:
    """`adopt` for methods that were assigned to a class, or a base of it, after it was made."""
    for kind in cls.__mro__:
        if issubclass(kind, tuple(CROSSINGS)):
            adopt(kind)


def _subclasses(cls: type) -> Iterator[type]:
    for sub in type.__subclasses__(cls):
        yield sub
        yield from _subclasses(sub)


def _adopt_later_subclasses(base: type) -> None:
    inherited = vars(base).get("__init_subclass__")

    def __init_subclass__(cls: type, **kwargs: Any) -> None:
        if inherited is not None:
            inherited.__get__(None, cls)(**kwargs)
        else:
            super(base, cls).__init_subclass__(**kwargs)
        adopt(cls)

    base.__init_subclass__ = classmethod(__init_subclass__)  # type: ignore[assignment]


for _base, _names in CROSSINGS.items():
    for _name in _names:
        # `adapt` and the like are defined by some subclasses only.
        if not any(_name in vars(c) for c in (_base, *_base.__mro__, *_subclasses(_base))):
            raise moved(_base, _name, "is no longer there")
    for _cls in {_base, *_subclasses(_base)}:
        adopt(_cls)
    _adopt_later_subclasses(_base)


# ---- plain functions of the user ----------------------------------------------------------------


def _is_users_function(x: Any) -> bool:
    if not callable(x) or inspect.isclass(x) or hasattr(x, "torchtf_user"):
        return False
    if isinstance(x, tuple(CROSSINGS)):
        return False
    module = getattr(inspect.unwrap(x), "__module__", None) or ""
    return not _is_keras(module)


def adopt_function(x: Any) -> Any:
    """A function that Keras may call: a user's is made to run on the user's side."""
    raw = getattr(x, "torchtf_raw", None)
    if raw is not None and not isinstance(x, types.MethodType):
        return raw
    return _side.into_user(x) if _is_users_function(x) else x


def users_function(x: Any) -> Any:
    """The user's own function that `adopt_function` made callable for Keras."""
    return getattr(x, "torchtf_user", x)


def _adopting_get(module: types.ModuleType) -> None:
    get = own_attribute(module, "get")

    @replaces(module, "get")
    def adopting(identifier: Any) -> Any:
        return adopt_function(get(adopt_function(identifier)))

    functools.update_wrapper(adopting, get)


for _module in (activations, constraints, initializers, losses, metrics, regularizers):
    _adopting_get(_module)


def _adopt_argument(cls: type, name: str) -> None:
    """Adopts the function that the constructor of `cls` takes as its argument `name`."""
    init = own_attribute(cls, "__init__")
    parameters = list(inspect.signature(init).parameters)
    if name not in parameters:
        raise moved(cls, "__init__", f"has no argument {name}")
    position = parameters.index(name)

    @functools.wraps(init)
    def adopting(*args: Any, **kwargs: Any) -> None:
        if name in kwargs:
            kwargs[name] = adopt_function(kwargs[name])
        elif len(args) > position:
            args = (*args[:position], adopt_function(args[position]), *args[position + 1 :])
        init(*args, **kwargs)

    adopting.__signature__ = inspect.signature(init)  # type: ignore[attr-defined]
    cls.__init__ = adopting  # type: ignore[misc]


class _FunctionAttribute:
    """An attribute that holds a function.

    Keras gets one that runs on the user's side if it is the user's; the user gets the function.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        try:
            value = vars(instance)[self._name]
        except KeyError:  # where there is none, or a layer, which torch.nn.Module keeps elsewhere
            raise AttributeError(
                f"{type(instance).__name__!r} object has no attribute {self._name!r}"
            ) from None
        return value if _side.state.inside else _side.public(value)

    def __set__(self, instance: Any, value: Any) -> None:
        vars(instance)[self._name] = adopt_function(value)

    def __delete__(self, instance: Any) -> None:
        if self._name not in vars(instance):
            raise AttributeError(self._name)
        del vars(instance)[self._name]


_HOLDS_FUNCTIONS = re.compile(r"(.*_)?(activation|initializer|regularizer|constraint)")


def _hold_functions(cls: type, names: Iterable[str]) -> None:
    for name in names:
        if not hasattr(cls, name):
            setattr(cls, name, _FunctionAttribute(name))


for _cls in (Layer, *_subclasses(Layer)):  # the bases before their subclasses
    if "__init__" in vars(_cls):
        _arguments = inspect.signature(vars(_cls)["__init__"]).parameters
        _hold_functions(_cls, filter(_HOLDS_FUNCTIONS.fullmatch, _arguments))
_hold_functions(Lambda, ["function"])
_hold_functions(LossFunctionWrapper, ["fn"])

_adopt_argument(Lambda, "function")
_adopt_argument(TextVectorization, "standardize")
_adopt_argument(TextVectorization, "split")
_adopt_argument(LossFunctionWrapper, "fn")
_adopt_argument(MeanMetricWrapper, "fn")
_adopt_argument(BaseOptimizer, "learning_rate")

_serialize_keras_object = own_attribute(serialization_lib, "serialize_keras_object")


@replaces(serialization_lib, "serialize_keras_object")
def serialize_keras_object(obj: Any) -> Any:
    return _serialize_keras_object(_side.inward(users_function(obj)))

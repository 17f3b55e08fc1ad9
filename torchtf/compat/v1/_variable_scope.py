"""Variable scopes of TF 1, as eager programs meet them.

A scope gives variables their names and defaults. Eagerly `get_variable` makes a variable each time
it is called; only in a template (`make_template`) a name stands for one variable. In a tf.function
variables are made in the first call alone, as always.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import inspect
import threading
from collections import Counter

import torchtf as tf
from torchtf.compat.v1 import initializers


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1


AUTO_REUSE = _ReuseMode.AUTO_REUSE
_DEFAULTS = (
    "initializer", "regularizer", "caching_device", "partitioner", "custom_getter", "dtype",
    "use_resource", "constraint",
)  # fmt: skip


class VariableScope:
    """What the variables of a scope have in common (source: `tf.compat.v1.VariableScope`).

    Args:
        reuse: True, None or AUTO_REUSE; eagerly the latter, whatever is asked for.
        name: the prefix of the names.
        initializer, regularizer, caching_device, partitioner, custom_getter: defaults.
        name_scope: the name scope in which it was opened.
        dtype: the default type.
        use_resource: of no meaning, as all variables are resources.
        constraint: a function of a value that gives what the optimizer stores.
    """

    def __init__(
        self, reuse, name="", initializer=None, regularizer=None, caching_device=None,
        partitioner=None, custom_getter=None, name_scope="", dtype=tf.float32, use_resource=None,
        constraint=None,
    ):  # fmt: skip
        self.reuse, self.name, self.original_name_scope = reuse, name, name_scope
        self.initializer, self.regularizer, self.constraint = initializer, regularizer, constraint
        self.caching_device, self.partitioner = caching_device, partitioner
        self.custom_getter, self.dtype, self.use_resource = custom_getter, dtype, use_resource

    def reuse_variables(self) -> None:
        """Variables of the scope are looked up in a template from now on."""
        self.reuse = True

    def set_initializer(self, initializer) -> None:
        """Sets the default initializer."""
        self.initializer = initializer

    def set_dtype(self, dtype) -> None:
        """Sets the default type."""
        self.dtype = dtype

    def set_regularizer(self, regularizer) -> None:
        """Sets the default regularizer."""
        self.regularizer = regularizer

    def set_caching_device(self, caching_device) -> None:
        """Sets the default caching device, which `get_variable` refuses."""
        self.caching_device = caching_device

    def set_custom_getter(self, custom_getter) -> None:
        """Sets the default custom getter."""
        self.custom_getter = custom_getter

    def get_collection(self, name) -> list:
        """An empty list: nothing is collected eagerly."""
        return []

    global_variables = local_variables = trainable_variables = lambda self: []

    def get_variable(self, name, *args, **kwargs):
        """`tf.compat.v1.get_variable` in this scope."""
        with variable_scope(self, auxiliary_name_scope=False):
            return get_variable(name, *args, **kwargs)


class _State(threading.local):
    def __init__(self):
        self.scopes = [VariableScope(AUTO_REUSE)]
        self.store: dict | None = None  # that of the innermost template


_state = _State()


def get_variable_scope() -> VariableScope:
    """The current scope."""
    return _state.scopes[-1]


class variable_scope:
    """A context with a scope (source: `tf.compat.v1.variable_scope`).

    Args:
        name_or_scope: a name below the current scope, a scope, or None for `default_name`.
        default_name: the name if there is none, made unique.
        values: tensors that the ops inside take; not needed eagerly.
        initializer, regularizer, caching_device, partitioner, custom_getter, reuse, dtype,
        use_resource, constraint: see `VariableScope`; by default those of the scope around.
        auxiliary_name_scope: whether a name scope is opened, too.

    Raises:
        TypeError: if neither of the names is given.
    """

    def __init__(
        self, name_or_scope, default_name=None, values=None, initializer=None, regularizer=None,
        caching_device=None, partitioner=None, custom_getter=None, reuse=None, dtype=None,
        use_resource=None, constraint=None, auxiliary_name_scope=True,
    ):  # fmt: skip
        if name_or_scope is None and default_name is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        self._name, self._default_name = name_or_scope, default_name
        self._given = dict(
            zip(
                _DEFAULTS,
                (initializer, regularizer, caching_device, partitioner, custom_getter, dtype,
                 use_resource, constraint), strict=True,
            )
        )  # fmt: skip
        self._opens_names = auxiliary_name_scope
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> VariableScope:
        around = get_variable_scope()
        if isinstance(self._name, VariableScope):
            like, name = self._name, self._name.name
        else:
            like = around
            name = self._name or _unique(around, self._default_name)
            name = f"{around.name}/{name}" if around.name else name
        settings = {k: getattr(like, k) if v is None else v for k, v in self._given.items()}
        getters = [g for g in (self._given["custom_getter"], like.custom_getter) if g is not None]
        settings["custom_getter"] = functools.reduce(_nested, getters) if getters else None
        scope_name = f"{name}/" if name else ""
        scope = VariableScope(AUTO_REUSE, name, name_scope=scope_name, **settings)
        if self._opens_names and name:
            self._stack.enter_context(tf.name_scope(name.rpartition("/")[2]))
        _state.scopes.append(scope)
        return scope

    def __exit__(self, *error):
        _state.scopes.pop()
        return self._stack.__exit__(*error)


def variable_op_scope(values, name_or_scope, default_name=None, *args, **kwargs):
    """`variable_scope` with the arguments in an older order."""
    return variable_scope(name_or_scope, default_name, values, *args, **kwargs)


def _nested(inner, outer):
    """The getter that hands `outer`'s work to `inner`."""
    return lambda getter, *args, **kwargs: inner(functools.partial(outer, getter), *args, **kwargs)


_names: Counter = Counter()


def _unique(scope: VariableScope, name: str) -> str:
    """A name that no other template or default scope below a scope has."""
    count = _names[scope.name, name]
    _names[scope.name, name] += 1
    return f"{name}_{count}" if count else name


def get_variable(
    name,
    shape=None,
    dtype=None,
    initializer=None,
    regularizer=None,
    trainable=None,
    collections=None,
    caching_device=None,
    partitioner=None,
    validate_shape=True,
    use_resource=None,
    custom_getter=None,
    constraint=None,
    synchronization=tf.VariableSynchronization.AUTO,
    aggregation=tf.VariableAggregation.NONE,
):
    """A new variable of the current scope (source: `tf.compat.v1.get_variable`).

    Args:
        name: below the scope's.
        shape: fully defined, unless the initializer is a tensor.
        dtype: float32 by default, or the scope's.
        initializer: a tensor, or a callable of the shape and the dtype; by default uniform after
            Glorot for floats, zeros for others.
        regularizer: called with the variable; eagerly nothing collects the loss.
        trainable: True by default.
        collections, use_resource: of no meaning eagerly.
        caching_device, partitioner: not supported.
        validate_shape: whether the initial value must have a known shape.
        custom_getter: called with what makes the variable, the name and the other arguments.
        constraint, synchronization, aggregation: see `tf.Variable`.

    Raises:
        NotImplementedError: for `caching_device` and `partitioner`.
        ValueError: if the shape is missing or is not that of the initial value.
    """
    scope = get_variable_scope()
    given = {
        "shape": shape, "dtype": dtype or scope.dtype,
        "initializer": scope.initializer if initializer is None else initializer,
        "regularizer": scope.regularizer if regularizer is None else regularizer,
        "trainable": trainable, "collections": collections,
        "caching_device": scope.caching_device if caching_device is None else caching_device,
        "partitioner": scope.partitioner if partitioner is None else partitioner,
        "validate_shape": validate_shape, "use_resource": True,
        "constraint": scope.constraint if constraint is None else constraint,
        "synchronization": synchronization, "aggregation": aggregation,
    }  # fmt: skip
    if dtype is None and isinstance(initializer, tf.Tensor):
        given["dtype"] = initializer.dtype
    full_name = f"{scope.name}/{name}" if scope.name else name
    getters = [g for g in (custom_getter, scope.custom_getter) if g is not None]
    if not getters:
        return _get(full_name, **given)
    return functools.reduce(_nested, getters)(_get, full_name, **given)


def get_local_variable(name, *args, trainable=False, **kwargs):
    """`get_variable` of a variable that is not trained."""
    return get_variable(name, *args, trainable=trainable, **kwargs)


def _get(
    name,
    shape=None,
    dtype=tf.float32,
    initializer=None,
    regularizer=None,
    trainable=None,
    collections=None,
    caching_device=None,
    partitioner=None,
    validate_shape=True,
    use_resource=True,
    constraint=None,
    synchronization=tf.VariableSynchronization.AUTO,
    aggregation=tf.VariableAggregation.NONE,
    reuse=AUTO_REUSE,
):
    """The variable of a full name: that of the template under way, or a new one."""
    if caching_device is not None or partitioner is not None:
        raise NotImplementedError(
            "get_variable: caching_device and partitioner are not supported; leave them out"
        )
    store = _state.store
    if store is not None and name in store:
        found = store[name]
        if shape is not None and not found.shape.is_compatible_with(tf.TensorShape(shape)):
            raise ValueError(
                f"Trying to share variable {name}, but specified shape {tf.TensorShape(shape)} and "
                f"found shape {found.shape}."
            )
        return found
    with tf.name_scope(""), tf.init_scope():
        made = tf.Variable(
            _initial_value(name, shape, tf.as_dtype(dtype), initializer),
            trainable=trainable is None or trainable,
            validate_shape=validate_shape,
            name=name,
            constraint=constraint,
            synchronization=synchronization,
            aggregation=aggregation,
        )
    if regularizer is not None:
        regularizer(made)
    if store is not None:
        store[name] = made
    return made


def _initial_value(name: str, shape, dtype, initializer):
    if initializer is None:
        kind = initializers.glorot_uniform if dtype.is_floating else initializers.zeros
        initializer = kind()
    if isinstance(initializer, type):
        initializer = initializer()
    if not callable(initializer):
        value = tf.convert_to_tensor(initializer, dtype)
        if shape is not None and not value.shape.is_compatible_with(tf.TensorShape(shape)):
            raise ValueError("If initializer is a constant, do not specify shape.")
        return value
    if shape is not None and tf.TensorShape(shape).is_fully_defined():
        sizes = tf.TensorShape(shape).as_list()
        takes_shape = inspect.signature(initializer).parameters
        value = initializer(sizes, dtype=dtype) if takes_shape else initializer()
        return tf.convert_to_tensor(value, dtype)
    if shape is None and not inspect.signature(initializer).parameters:
        return tf.convert_to_tensor(initializer(), dtype)
    raise ValueError(
        f"Shape of a new variable ({name}) must be fully defined, but instead was "
        f"{tf.TensorShape(shape)}."
    )


class _Template:
    """A function whose variables are made in its first call and are the same in all others."""

    def __init__(self, name: str, function, create_now: bool, unique_name, custom_getter):
        self._function, self._custom_getter = function, custom_getter
        self._asked_name, self._unique_name = name, unique_name
        self._store: dict = {}
        self._scope: VariableScope | None = None
        self._is_made = False
        if create_now:
            self._open_scope()
        functools.update_wrapper(self, function, updated=())

    def _open_scope(self) -> VariableScope:
        if self._scope is None:
            around = get_variable_scope()
            name = self._unique_name or _unique(around, self._asked_name)
            with variable_scope(name, custom_getter=self._custom_getter) as scope:
                self._scope = scope
        return self._scope

    def __call__(self, *args, **kwargs):
        scope, before = self._open_scope(), _state.store
        _state.store = self._store
        try:
            with variable_scope(scope):
                known = len(self._store)
                result = self._function(*args, **kwargs)
        finally:
            _state.store = before
        if self._is_made and len(self._store) > known:
            raise ValueError(
                f"Template {self.name!r}: variables that its first call did not make "
                f"({sorted(self._store)[known:]})."
            )
        self._is_made = True
        return result

    @property
    def name(self) -> str:
        """The name of its scope."""
        return self._open_scope().name

    var_scope = variable_scope = property(lambda self: self._open_scope())
    variable_scope_name = property(lambda self: self.name)

    @property
    def variables(self) -> list:
        """The variables, in the order in which they were made."""
        return list(self._store.values())

    weights = global_variables = variables

    @property
    def trainable_variables(self) -> list:
        """The variables that are trained."""
        return [v for v in self.variables if v.trainable]

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list:
        """The variables that are not trained."""
        return [v for v in self.variables if not v.trainable]

    non_trainable_weights = non_trainable_variables


def make_template(
    name_, func_, create_scope_now_=False, unique_name_=None, custom_getter_=None, **kwargs
):
    """A function that makes its variables once (source: `tf.compat.v1.make_template`).

    Args:
        name_: the name of its scope, made unique.
        func_: the function; it gets its variables by `get_variable`.
        create_scope_now_: whether the scope is that of now, not that of the first call.
        unique_name_: a name that is taken as it is.
        custom_getter_: see `get_variable`.
        **kwargs: arguments of `func_` in each call.
    """
    function = functools.partial(func_, **kwargs) if kwargs else func_
    return _Template(name_, function, create_scope_now_, unique_name_, custom_getter_)

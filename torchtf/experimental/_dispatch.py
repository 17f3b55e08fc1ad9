"""`tf.experimental.dispatch_for_*`: user-defined types take over functions of `tf`.

* A function that nobody took over is as fast as before: to take it over, its code object is
  exchanged for one that asks the registered targets first. So every reference to it dispatches,
  also those that were made before.
* The target whose annotations fit gets the call, if a composite tensor (an extension type, a ragged
  or sparse tensor) is among the arguments; that two targets fit is an error.
"""

from __future__ import annotations

import enum
import functools
import inspect
import types
import typing

_dispatchers: dict[types.FunctionType, _Dispatcher] = {}

_UNARY = """
zeros_like ones_like debugging.check_numerics abs math.softplus sign math.real math.imag
math.angle round cast saturate_cast sigmoid math.log_sigmoid math.conj math.reciprocal_no_nan
math.erfinv math.ndtri math.erfcinv math.ceil sqrt exp math.rsqrt acos floor bitwise.invert acosh
asin asinh atan atanh cos cosh math.digamma math.erf math.erfc math.expm1 math.is_finite
math.is_inf math.is_nan math.lgamma math.log math.log1p logical_not negative math.nextafter
math.reciprocal math.rint sin sinh square tan tanh nn.relu6 nn.leaky_relu nn.gelu nn.log_softmax
nn.elu nn.relu nn.selu nn.softsign strings.regex_full_match strings.regex_replace strings.length
strings.substr strings.to_number strings.to_hash_bucket strings.as_string io.decode_base64
io.encode_base64 strings.lower strings.upper strings.unicode_transcode strings.strip
strings.to_hash_bucket_fast strings.to_hash_bucket_strong strings.unicode_script
math.special.dawsn math.special.expint math.special.fresnel_cos math.special.fresnel_sin
math.special.spence math.bessel_i0 math.bessel_i0e math.bessel_i1 math.bessel_i1e
math.special.bessel_k0 math.special.bessel_k0e math.special.bessel_k1 math.special.bessel_k1e
math.special.bessel_j0 math.special.bessel_j1 math.special.bessel_y0 math.special.bessel_y1
clip_by_value nn.silu image.random_brightness image.stateless_random_brightness
image.adjust_brightness image.adjust_gamma image.convert_image_dtype io.decode_compressed
"""
_BINARY = """
divide multiply subtract scalar_mul pow complex truediv math.divide_no_nan math.multiply_no_nan
math.floordiv math.logical_xor equal not_equal add math.xdivy math.xlog1py bitwise.bitwise_and
bitwise.bitwise_or bitwise.bitwise_xor bitwise.left_shift bitwise.right_shift atan2 math.floormod
greater greater_equal less less_equal logical_and logical_or maximum minimum realdiv
math.squared_difference truncatediv truncatemod math.xlogy math.zeta
nn.sigmoid_cross_entropy_with_logits
"""
_ASSERT = """
debugging.assert_equal debugging.assert_none_equal debugging.assert_near debugging.assert_less
debugging.assert_less_equal debugging.assert_greater debugging.assert_greater_equal
"""
# (kind, types) -> the handler and the targets that were made of it
_elementwise: dict[tuple, tuple] = {}


class _Dispatcher:
    """Stands in for a function and hands its calls to targets."""

    def __init__(self, api: types.FunctionType):
        self.api = api
        self.signature = inspect.signature(api)
        self.original = types.FunctionType(
            api.__code__, api.__globals__, api.__name__, api.__defaults__, api.__closure__
        )
        self.original.__kwdefaults__ = api.__kwdefaults__
        self.targets: list[tuple] = []

    def add(self, checks: dict, target) -> None:
        if not self.targets:
            api = self.api
            api.__defaults__, api.__kwdefaults__ = None, {"_dispatcher": self}
            api.__signature__ = self.signature
            api.__code__ = _asking(len(api.__code__.co_freevars))
        self.targets.append((checks, target))

    def remove(self, target) -> bool:
        """Takes a target away; tells whether it was one."""
        kept = [t for t in self.targets if t[1] is not target]
        found = len(kept) < len(self.targets)
        self.targets = kept
        if found and not kept:
            api, original = self.api, self.original
            api.__code__, api.__defaults__ = original.__code__, original.__defaults__
            api.__kwdefaults__ = original.__kwdefaults__
            del api.__signature__
        return found

    def call(self, args, kwargs):
        try:
            values = self.signature.bind(*args, **kwargs).arguments
        except TypeError:
            return self.original(*args, **kwargs)  # which says what is wrong
        fitting = dict.fromkeys(t for checks, t in self.targets if _fits(checks, values))
        if len(fitting) > 1:
            first, second, *_ = fitting
            raise ValueError(
                f"Multiple dispatch targets that were registered with tf.dispatch_for ({first} and "
                f"{second}) match the arguments to {self.original.__name__}"
            )
        (target,) = fitting or (self.original,)
        return target(*args, **kwargs)


@functools.cache
def _asking(free_variables: int) -> types.CodeType:
    """The code that stands in for a function: it asks the dispatcher.

    A function takes a new `__code__` only with as many free variables as it has cells for.
    """
    names = [f"free_{i}" for i in range(free_variables)]
    scope: dict = {}
    exec(
        f"def outer({', '.join(names)}):\n"
        "    def ask(*args, _dispatcher, **kwargs):\n"
        + (f"        nonlocal {', '.join(names)}\n" if names else "")
        + "        return _dispatcher.call(args, kwargs)\n"
        "    return ask\n",
        scope,
    )
    return scope["outer"](*names).__code__


class _Match(enum.IntEnum):
    """How an argument fits an annotation (the names of TensorFlow's `py_dispatch`)."""

    NO_MATCH = 0
    MATCH = 1
    MATCH_DISPATCHABLE = 2  # and a composite tensor is in it


def _fits(checks: dict, values: dict) -> bool:
    """Whether all arguments fit and one of them holds a composite tensor: `tf.stack([])` is no
    call for those who registered for lists of their type.
    """
    found = [check(values[n]) if n in values else _Match.NO_MATCH for n, check in checks.items()]
    return _Match.NO_MATCH not in found and _Match.MATCH_DISPATCHABLE in found


def _dispatcher_of(api) -> _Dispatcher:
    if not isinstance(api, types.FunctionType) or not api.__module__.startswith("torchtf"):
        raise ValueError(f"{api} does not support dispatch.")
    found = _dispatchers.get(api)
    if found is None:
        found = _dispatchers[api] = _Dispatcher(api)
    return found


def _checker(annotation):
    """A function from a value to how it fits an annotated type."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        options = [_checker(a) for a in args]
        return lambda value: max(check(value) for check in options)
    if origin is list:
        check = _checker(args[0])

        def of_all(values):
            if not isinstance(values, (list, tuple)):
                return _Match.NO_MATCH
            found = [check(v) for v in values]
            return _Match.NO_MATCH if _Match.NO_MATCH in found else max(found, default=_Match.MATCH)

        return of_all
    if annotation is None:
        annotation = type(None)
    if isinstance(annotation, type):
        fits = _Match.MATCH_DISPATCHABLE if hasattr(annotation, "_type_spec") else _Match.MATCH
        return lambda value: fits if isinstance(value, annotation) else _Match.NO_MATCH
    raise ValueError(
        f"Type annotation {annotation} is not currently supported by dispatch.  Supported "
        "annotations: type objects,  List[...], and Union[...]"
    )


def _checks(api_signature, signature) -> dict:
    """Parameter name -> how an argument fits, of a user's signature.

    Raises:
        TypeError: if the signature is no such dict.
        ValueError: if it names an unknown parameter.
    """
    if not isinstance(signature, dict) or not all(isinstance(k, (str, int)) for k in signature):
        raise TypeError(
            "signatures must be dictionaries mapping parameter names to type annotations."
        )
    names, checks = list(api_signature.parameters), {}
    for name, annotation in signature.items():
        if isinstance(name, int) and name < len(names):
            name = names[name]
        if name not in names:
            raise ValueError(f"signature includes annotation for unknown parameter {name!r}.")
        checks[name] = _checker(annotation)
    return checks


def _without_name(target, api_signature):
    """A target without a parameter `name` gets calls without it."""
    signature = inspect.signature(target)
    takes_all = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    if "name" not in api_signature.parameters or "name" in signature.parameters or takes_all:
        return target, signature
    place = list(api_signature.parameters).index("name")

    def call(*args, **kwargs):
        kwargs.pop("name", None)
        return target(*args[:place], *args[place + 1 :], **kwargs)

    name = api_signature.parameters["name"]
    return call, signature.replace(parameters=[*signature.parameters.values(), name])


def _check_target(api_signature, signature):
    kinds = {p.kind for p in signature.parameters.values()}
    if kinds == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return
    wanted = [(p.name, p.kind) for p in api_signature.parameters.values()]
    if wanted != [(p.name, p.kind) for p in signature.parameters.values()]:
        raise ValueError(
            f"Dispatch function's signature {signature} does not match API's signature "
            f"{api_signature}."
        )


def _annotations(target) -> dict:
    try:
        found = typing.get_type_hints(target)
    except NameError:  # a string with the name of a local class
        found = dict(getattr(target, "__annotations__", {}))
    found.pop("return", None)
    return found


_targets: dict = {}  # what a user registered -> the dispatchers and what was put there


def dispatch_for_api(api, *signatures):
    """A decorator: its function overrides `api` where argument types fit
    (source: `tf.experimental.dispatch_for_api`).

    Args:
        api: a function of `tf`.
        *signatures: dicts from parameter names (or positions) to types, unions or lists of types;
            left out, the function's own annotations are one.

    Raises:
        ValueError: if `api` is no function of `tf`, or its parameters are others; from `api`, if
            two functions fit the arguments of a call.
        TypeError: if a signature is malformed.
    """
    dispatcher = _dispatcher_of(api)
    checks = [_checks(dispatcher.signature, s) for s in signatures]

    def decorator(dispatch_target):
        if not callable(dispatch_target):
            raise TypeError(f"Expected dispatch_target to be callable; got {dispatch_target!r}")
        target, signature = _without_name(dispatch_target, dispatcher.signature)
        _check_target(dispatcher.signature, signature)
        found = checks
        if not signatures:
            hints = _annotations(dispatch_target)
            if not hints:
                raise ValueError(
                    "The dispatch_for_api decorator must be called with at least one signature, "
                    "or applied to a function that has type annotations on its parameters."
                )
            found = [_checks(dispatcher.signature, hints)]
        for each in found:
            dispatcher.add(each, target)
        _targets.setdefault(dispatch_target, []).append((dispatcher, target))
        return dispatch_target

    return decorator


def _resolve(path: str):
    import torchtf

    value = torchtf
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _dispatch_elementwise(kind: str, names, kinds: tuple, handler):
    key = (kind, *kinds)
    if key in _elementwise:
        raise ValueError(
            f"A {kind} dispatch handler ({_elementwise[key][0]}) has already been registered for "
            f"{kinds[0] if len(kinds) == 1 else kinds}."
        )
    made = []
    for api in {id(f): f for f in map(_resolve, names.split())}.values():
        made.append(_elementwise_target(api, handler, kinds))
    _elementwise[key] = (handler, made)
    return handler


def _elementwise_target(api, handler, kinds):
    signature = inspect.signature(api)
    parameters = list(signature.parameters)
    names = parameters[: len(kinds)]
    plain = set(parameters) <= {*names, "name"}

    def target(*args, **kwargs):
        bound = signature.bind(*args, **kwargs).arguments
        operands = [bound.pop(n) for n in names]
        bound.pop("name", None)
        function = api if plain else lambda *values: api(*values, **bound)
        return handler(function, *operands)

    target.__name__ = f"elementwise_dispatch_target_for_{api.__name__}"
    dispatch_for_api(api, dict(zip(names, kinds, strict=True)))(target)
    return target


def dispatch_for_unary_elementwise_apis(x_type):
    """A decorator: its function `handler(api, x)` overrides all elementwise functions of one
    tensor (source: `tf.experimental.dispatch_for_unary_elementwise_apis`).

    Args:
        x_type: the type of `x` that it is for.

    Raises:
        ValueError: if there is a handler for the type already.
    """
    return lambda handler: _dispatch_elementwise("unary elementwise", _UNARY, (x_type,), handler)


def dispatch_for_binary_elementwise_apis(x_type, y_type):
    """A decorator: its function `handler(api, x, y)` overrides all elementwise functions of two
    tensors (source: `tf.experimental.dispatch_for_binary_elementwise_apis`).

    Args:
        x_type, y_type: the types of the operands that it is for.

    Raises:
        ValueError: if there is a handler for the types already.
    """
    return lambda handler: _dispatch_elementwise(
        "binary elementwise", _BINARY, (x_type, y_type), handler
    )


def dispatch_for_binary_elementwise_assert_apis(x_type, y_type):
    """A decorator: its function `handler(api, x, y)` overrides the assertions on two tensors
    (source: `tf.experimental.dispatch_for_binary_elementwise_assert_apis`).

    Args:
        x_type, y_type: the types of the operands that it is for.

    Raises:
        ValueError: if there is a handler for the types already.
    """
    return lambda handler: _dispatch_elementwise(
        "binary elementwise assert", _ASSERT, (x_type, y_type), handler
    )


def unregister_dispatch_for(dispatch_target) -> None:
    """Undoes the registration of a function
    (source: `tf.experimental.unregister_dispatch_for`).

    Raises:
        ValueError: if it was not registered.
    """
    found = _targets.pop(dispatch_target, [])
    for dispatcher, target in found:
        dispatcher.remove(target)
    for key in [k for k, (handler, _) in _elementwise.items() if handler is dispatch_target]:
        found = True
        for target in _elementwise.pop(key)[1]:
            unregister_dispatch_for(target)
    if not found:
        raise ValueError(
            f"Function {dispatch_target} was not registered using a `@dispatch_for_*` decorator."
        )

"""The source transformer of AutoGraph: `diastatic-malt` with this package's operators."""

from __future__ import annotations

import ast
import dis
import functools
import importlib.util
import inspect
import sys
import sysconfig
import textwrap
import traceback
import types

from malt.core import ag_ctx, converter
from malt.impl import api, conversion
from malt.pyct import anno, error_utils, inspect_utils, qual_names
from malt.pyct import errors as pyct_errors

from torchtf.core import errors
from torchtf.core.log import get_logger
from torchtf.function import autograph, autograph_operators, failures
from torchtf.function.autograph_builtins import call_builtin

_STANDARD_LIBRARY = sysconfig.get_paths()["stdlib"]


class _HandlerName(str):
    """The `e` of `except X as e`, a text in Python's syntax tree, in the form of a node of it.

    malt visits it, as the trees that it was written for have a node there.
    """

    _fields = ()


class _Transpiler(api.PyToPy):
    """Names functions as TensorFlow does and supplies the operators."""

    def transform_ast(self, node, ctx):
        for handler in ast.walk(node):
            if isinstance(handler, ast.ExceptHandler) and handler.name:
                handler.name = _HandlerName(handler.name)
                anno.setanno(handler.name, anno.Basic.QN, qual_names.QN(str(handler.name)))
        return super().transform_ast(node, ctx)

    def get_transformed_name(self, node):
        return super().get_transformed_name(node).replace("ag__", "tf__", 1)

    def get_extra_locals(self):
        if self._extra_locals is None:
            module = types.ModuleType("torchtf.autograph")
            module.__dict__.update(super().get_extra_locals()["ag__"].__dict__)
            module.__dict__.update(
                {n: getattr(autograph_operators, n) for n in autograph_operators.__all__}
            )
            module.converted_call = converted_call
            self._extra_locals = {"ag__": module}
        return self._extra_locals


_transpiler = _Transpiler()


def _options(recursive=True, user_requested=True, features=()):
    return converter.ConversionOptions(
        recursive=recursive, user_requested=user_requested, optional_features=features
    )


class _Cause(error_utils.ErrorMetadataBase):
    """Where in the user's code an error came from."""

    def create_exception(self, source_error):
        kind = type(source_error)
        if issubclass(kind, errors.OpError):
            return kind(source_error.node_def, source_error.op, self.get_message())
        if kind in _MADE_OF_TEXT:
            return kind(self.get_message())
        made = super().create_exception(source_error)
        return api.StagingError(self.get_message()) if made is None else made


# further errors that a text makes; others become a `StagingError`, as in TensorFlow
_MADE_OF_TEXT = (
    pyct_errors.PyCTError, api.AutoGraphError, api.ConversionError, api.StagingError,
    errors.InaccessibleTensorError, errors.OperatorNotAllowedInGraphError,
)  # fmt: skip


def _attach(error, function):
    """Notes on an error which line of the original source it passed through."""
    known = getattr(error, "ag_error_metadata", None)
    message = None if known is not None else f"{type(error).__name__}: {error}"
    frames = [
        f for f in traceback.extract_tb(sys.exc_info()[2])[1:] if not _is_machinery(f.filename)
    ]
    error.ag_error_metadata = _Cause(frames, known, message, function.ag_source_map, __file__)


_MACHINERY = tuple(
    inspect.getsourcefile(m).rsplit("/", 1)[0] + "/"
    for m in map(importlib.import_module, ("torchtf", "malt", "torch"))
)


def _is_machinery(filename: str) -> bool:
    return filename.startswith(_MACHINERY) or filename.startswith("<")


def call_converted(function, args, kwargs, features=()):
    """Calls a function with its control flow converted; an error names the user's own lines."""
    try:
        return converted_call(function, args, kwargs, options=_options(features=features))
    except Exception as e:
        cause = getattr(e, "ag_error_metadata", None)
        if cause is None or getattr(e, "ag_translated", False):
            raise
        translated = cause.create_exception(e)
        translated.ag_translated = True
        raise translated.with_traceback(e.__traceback__) from None


def converted_call(f, args, kwargs, caller_fn_scope=None, options=None):
    """Calls `f`, converted if it is the user's code: what calls in converted code become."""
    if options is None:
        options = caller_fn_scope.callopts
    if _runs_as_is(f, options):
        return f(*args, **kwargs) if kwargs else f(*args)
    if isinstance(f, functools.partial):
        return converted_call(
            f.func, f.args + tuple(args), f.keywords | (kwargs or {}), caller_fn_scope, options
        )
    if inspect_utils.isbuiltin(f):
        return call_builtin(f, args, kwargs, caller_fn_scope)
    if conversion.is_unsupported(f):
        return f(*args, **kwargs) if kwargs else f(*args)
    if inspect.ismethod(f) or inspect.isfunction(f):
        target = f
        owner = getattr(f, "__self__", None)
        effective = args if owner is None else (owner, *args)
    else:
        target, effective = type(f).__call__, (f, *args)
    code = getattr(target, "__code__", None)
    if code is None or code.co_filename == "<string>" or inspect.isgeneratorfunction(target):
        return f(*args, **kwargs) if kwargs else f(*args)
    if _is_straight(code):
        try:
            return f(*args, **kwargs) if kwargs else f(*args)
        except Exception:  # once more, converted, for an error that names the user's line
            pass
    try:
        made, module, source_map = _transpiler.transform(
            target, converter.ProgramContext(options=options)
        )
    except Exception as e:
        _warn_unconverted(f, e)
        return f(*args, **kwargs) if kwargs else f(*args)
    made.ag_module, made.ag_source_map = module, source_map
    failures.source_maps[made.__code__.co_filename] = source_map
    try:
        return made(*effective, **kwargs) if kwargs else made(*effective)
    except Exception as e:
        _attach(e, made)
        raise


_TURNS = ("POP_JUMP", "JUMP_IF", "FOR_ITER", "CALL", "PRECALL", "UNARY_NOT", "MAKE_FUNCTION",
          "LOAD_ASSERTION", "TO_BOOL", "SEND")  # fmt: skip


@functools.cache
def _is_straight(code) -> bool:
    """Whether code has nothing to convert: no branches, loops, calls or inner functions."""
    return not any(i.opname.startswith(_TURNS) for i in dis.get_instructions(code))


def _runs_as_is(f, options) -> bool:
    """Whether a callable is not the user's own code."""
    if autograph.disabled.get() or autograph.is_artifact(f):
        return True
    if hasattr(f, "experimental_get_tracing_count"):  # a tf.function converts by itself
        return True
    if isinstance(f, functools.partial) or inspect_utils.isbuiltin(f):
        return False
    if inspect.ismethod(f) or inspect.isfunction(f):
        target = f
    elif isinstance(f, type):
        return True
    else:
        target = vars(type(f)).get("__call__") or getattr(type(f), "__call__", None)  # noqa: B004
        if not _is_users(type(f).__module__):
            # an object of a library whose class the user did not write, a Keras layer, say
            return True
    function = getattr(target, "__func__", target)
    code = getattr(function, "__code__", None)
    if code is None:
        return True
    if code.co_filename.startswith(_STANDARD_LIBRARY) and "site-packages" not in code.co_filename:
        return True
    return not _is_users(getattr(function, "__module__", None))


def _is_users(module: str | None) -> bool:
    return (module or "").partition(".")[0] not in autograph.LIBRARIES


_warned: set[int] = set()


def _warn_unconverted(f, error):
    """Says once that a function runs unconverted."""
    key = id(getattr(f, "__code__", f))
    if key in _warned:
        return
    _warned.add(key)
    get_logger().warning(
        "AutoGraph could not transform %s and will run it as-is.\nCause: %s\nTo silence this "
        "warning, decorate the function with @tf.autograph.experimental.do_not_convert",
        f, error,
    )  # fmt: skip


def to_graph(entity, recursive=True, features=()):
    """The converted function itself.

    Raises:
        ConversionError: if it has no source code, or some that cannot be converted.
    """
    try:
        if not hasattr(entity, "__code__") and not inspect.ismethod(entity):
            raise ValueError(
                "Cannot apply autograph to a function that doesn't expose a __code__ object. If "
                "this is a @tf.function, try passing f.python_function instead."
            )
        made, module, source_map = _transpiler.transform(
            entity, converter.ProgramContext(options=_options(recursive, True, features))
        )
    except (ValueError, AttributeError, KeyError, NameError, AssertionError) as e:
        raise api.ConversionError(f"converting {entity}: {type(e).__name__}: {e}") from e
    made.ag_module, made.ag_source_map = module, source_map
    made.autograph_info__ = None
    return made


def to_code(entity, recursive=True, features=()) -> str:
    """The source text of the converted function."""
    return textwrap.dedent(inspect.getsource(to_graph(entity, recursive, features)))


def status_context():
    """The context that says whether conversion is on (used by malt's function scopes)."""
    return ag_ctx.control_status_ctx()

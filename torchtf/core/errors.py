"""`tf.errors`: TensorFlow's exception classes, with its codes and constructor."""

from __future__ import annotations

OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


class OpError(Exception):
    """An operation failed (source: `tf.errors.OpError`).

    Attributes:
        node_def: the node of the graph that failed, or None.
        op: the operation that failed, or None.
        message: what happened.
        error_code: the number of the status, e.g. `INVALID_ARGUMENT`.
    """

    _code = UNKNOWN

    def __init__(self, node_def=None, op=None, message: str = "", error_code=None, *args):
        if isinstance(node_def, str) and op is None and not message:
            node_def, message = None, node_def  # so Keras makes an error anew, as most are made
        super().__init__(message)  # from where Keras takes it
        self._node_def = node_def
        self._op = op
        self._message = message
        self._error_code = self._code if error_code is None else error_code

    @property
    def message(self) -> str:
        return self._message

    @property
    def op(self):
        return self._op

    @property
    def node_def(self):
        return self._node_def

    @property
    def error_code(self) -> int:
        return self._error_code

    @property
    def experimental_payloads(self) -> dict:
        return {}

    def __str__(self):
        return self._message

    def __repr__(self):
        return f"{type(self).__name__}()"

    def __reduce__(self):
        # ops do not travel between processes
        return type(self), (None, None, self._message)


def _status(name: str, code: int, doc: str) -> type[OpError]:
    def __init__(self, node_def=None, op=None, message="", *args):
        OpError.__init__(self, node_def, op, message, code, *args)

    body = {"__doc__": doc, "_code": code, "__init__": __init__, "__module__": __name__}
    return type(name, (OpError,), body)


CancelledError = _status("CancelledError", CANCELLED, "The operation was cancelled.")
UnknownError = _status("UnknownError", UNKNOWN, "An error of unknown kind.")
InvalidArgumentError = _status(
    "InvalidArgumentError", INVALID_ARGUMENT, "An op received an argument it does not accept."
)
DeadlineExceededError = _status(
    "DeadlineExceededError", DEADLINE_EXCEEDED, "A deadline passed before the operation ended."
)
NotFoundError = _status("NotFoundError", NOT_FOUND, "A file, key or kernel was not found.")
AlreadyExistsError = _status("AlreadyExistsError", ALREADY_EXISTS, "It exists already.")
PermissionDeniedError = _status(
    "PermissionDeniedError", PERMISSION_DENIED, "The caller may not do this."
)
ResourceExhaustedError = _status(
    "ResourceExhaustedError", RESOURCE_EXHAUSTED, "A resource, e.g. memory, is used up."
)
FailedPreconditionError = _status(
    "FailedPreconditionError", FAILED_PRECONDITION, "The state is not the one this needs."
)
AbortedError = _status("AbortedError", ABORTED, "The operation was aborted.")
OutOfRangeError = _status("OutOfRangeError", OUT_OF_RANGE, "Past the end, e.g. of a dataset.")
UnimplementedError = _status("UnimplementedError", UNIMPLEMENTED, "There is no such kernel.")
InternalError = _status("InternalError", INTERNAL, "An invariant does not hold.")
UnavailableError = _status("UnavailableError", UNAVAILABLE, "The service is not available now.")
DataLossError = _status("DataLossError", DATA_LOSS, "Data is lost or corrupt.")
UnauthenticatedError = _status(
    "UnauthenticatedError", UNAUTHENTICATED, "The caller is not authenticated."
)


class OperatorNotAllowedInGraphError(TypeError):
    """A symbolic tensor was used where Python needs a value, e.g. in `if`."""


class InaccessibleTensorError(TypeError):
    """A symbolic tensor was used outside the function that made it."""


def kernel_message(op: str, message: str, name: str | None = "", attributes: str = "") -> str:
    """What TensorFlow says when an eager kernel fails.

    Args:
        op: the registered name of the op.
        message: what is wrong.
        name: the name of the call; None for a call with Python values, whose error names none (it
            comes from TensorFlow's slow path).
        attributes: the attributes that are part of the kernel's name, such as `"_N_2"`.
    """
    return (
        f"{{{{function_node __wrapped__{op}{attributes}_device_/job:localhost/replica:0/task:0"
        f"/device:CPU:0}}}} {message} [Op:{op}]" + ("" if name is None else f" name: {name}")
    )


def of_kernel(
    op: str,
    message: str,
    name: str | None = "",
    attributes: str = "",
    kind: type[OpError] | None = None,
) -> OpError:
    """The error of an eager kernel, `InvalidArgumentError` unless `kind` is another class; see
    `kernel_message`.
    """
    text = kernel_message(op, message, name, attributes)
    return (kind or InvalidArgumentError)(None, None, text)

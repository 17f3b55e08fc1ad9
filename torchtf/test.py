"""`tf.test`: a test case with assertions on tensors, and questions about the build."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import tempfile
import threading
import types

import numpy as np
import torch
from absl.testing import absltest

from torchtf import version
from torchtf.core import dtypes, errors, nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.device import gpu_count
from torchtf.sparse._tensor import SparseTensor, SparseTensorValue


def is_built_with_cuda() -> bool:
    """Whether torch was built with CUDA."""
    return torch.version.cuda is not None


def is_built_with_rocm() -> bool:
    """Whether torch was built with ROCm."""
    return torch.version.hip is not None


def is_built_with_gpu_support() -> bool:
    """Whether torch was built for GPUs of any kind."""
    return is_built_with_cuda() or is_built_with_rocm()


def is_built_with_xla() -> bool:
    """Always True: `jit_compile=True` compiles, through Inductor."""
    return True


def is_cpu_target_available(target: str) -> bool:
    """Whether code for a CPU target ("x86_64" or "aarch64") can run here."""
    import platform

    return target == platform.machine()


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability=None) -> bool:
    """Whether there is a GPU (deprecated in TensorFlow, too).

    Args:
        cuda_only: whether only CUDA GPUs count.
        min_cuda_compute_capability: the least (major, minor) capability, or None.
    """
    if not gpu_count() or (cuda_only and not is_built_with_cuda()):
        return False
    if min_cuda_compute_capability is None:
        return True
    return torch.cuda.get_device_capability() >= tuple(min_cuda_compute_capability)


def gpu_device_name() -> str:
    """`"/device:GPU:0"`, or an empty string without a GPU."""
    return "/device:GPU:0" if gpu_count() else ""


def compute_gradient(f, x, delta=None):
    """The Jacobians of `f` at `x`, by tapes and by finite differences.

    Args:
        f: a function of tensors that returns one tensor.
        x: a list of arguments.
        delta: the step of the differences; 1/1024 by default.

    Returns:
        Two lists of matrices, one for each argument: the theoretical and the numerical ones.

    Raises:
        ValueError: if `x` is no list.
    """
    from torchtf.core.tape import GradientTape

    if not isinstance(x, (list, tuple)):
        raise ValueError("`x` must be a list or tuple of values convertible to a Tensor")
    delta = 1.0 / 1024 if delta is None else delta
    arguments = [convert_to_tensor(a) for a in x]
    theoretical, numerical = [], []
    for i, argument in enumerate(arguments):
        with GradientTape() as tape:
            tape.watch(argument)
            y = f(*arguments)
        jacobian = tape.jacobian(y, argument, unconnected_gradients="zero").numpy()
        theoretical.append(jacobian.reshape(np.size(y.numpy()), -1))
        base = argument.numpy()
        columns = []
        for k in range(base.size):
            sides = []
            for sign in (1, -1):
                moved = np.array(base)
                moved.reshape(-1)[k] += sign * delta
                given = list(arguments)
                given[i] = convert_to_tensor(moved)
                sides.append(f(*given).numpy())
            columns.append(((sides[0] - sides[1]) / (2 * delta)).reshape(-1))
        numerical.append(np.stack(columns, 1))
    return theoretical, numerical


def main(argv=None):
    """Runs the tests of the program."""
    return absltest.main(argv=argv)


def _value(x):
    if isinstance(x, SparseTensor):
        return SparseTensorValue(*(part.numpy() for part in (x.indices, x.values, x.dense_shape)))
    if hasattr(x, "numpy"):
        return x.numpy()
    return x


def _is_ragged(x) -> bool:
    return hasattr(x, "nested_row_splits")


def _rows_and_values(x) -> tuple:
    """Nested lists in the form of a ragged value, with all elements None, and its elements."""
    if hasattr(x, "to_list"):
        x = x.to_list()
    elif not isinstance(x, (list, tuple)):
        x = np.asarray(_value(x)).tolist()
    values: list = []

    def rows(item):
        if isinstance(item, (list, tuple)):
            return [rows(i) for i in item]
        values.append(item)
        return None

    return rows(x), values


def _array(x) -> np.ndarray:
    x = _value(x)
    if isinstance(x, (list, tuple)):
        x = [_value(i) for i in x]
    array = np.asarray(x)
    return (
        array.astype(np.float32)
        if array.dtype.kind == "V"
        or (array.dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"))
        else array
    )


class TestCase(absltest.TestCase):
    """`absltest.TestCase` with assertions on tensors and arrays (source: `tf.test.TestCase`)."""

    __test__ = False  # not itself a test, for pytest; subclasses are

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__test__ = True

    def setUp(self):
        super().setUp()
        from torchtf import random

        random.set_seed(87654321)

    def evaluate(self, tensors):
        """The values of tensors, as arrays."""
        return nest.map_structure(_value, tensors, expand_composites=False)

    def get_temp_dir(self) -> str:
        """A folder for the files of this test."""
        if not hasattr(self, "_temp_dir"):
            self._temp_dir = tempfile.mkdtemp()
        return self._temp_dir

    @contextlib.contextmanager
    def session(self, graph=None, config=None, use_gpu=True, force_gpu=False):
        """A context for TF 1 tests; ops run eagerly inside.

        Raises:
            NotImplementedError: for a graph or a session configuration.
        """
        if graph is not None or config is not None:
            raise NotImplementedError("TestCase.session(graph=, config=) belongs to TF 1")
        yield None

    cached_session = session

    def test_session(self, graph=None, config=None, use_gpu=True, force_gpu=False):
        """`session`; a test that has this name itself is skipped."""
        if self.id().endswith(".test_session"):
            self.skipTest("The name test_session is that of a method of tf.test.TestCase.")
        return self.session(graph, config, use_gpu, force_gpu)

    test_session.__test__ = False  # type: ignore[attr-defined]  # no test itself, for pytest

    def checkedThread(self, target, args=None, kwargs=None) -> CheckedThread:
        """A thread with `start`, `join` and `is_alive`; `join` fails the test if `target` raised.

        A thread that has not been joined when the test ends fails it, too.
        """
        thread = CheckedThread(self, target, args or (), kwargs or {})
        self.addCleanup(thread.check_joined)
        return thread

    @contextlib.contextmanager
    def captureWritesToStream(self, stream):
        """What is written to a stream with a file descriptor, also below Python.

        Yields:
            An object whose `contents()` is the text written since.
        """
        stream.flush()
        number = stream.fileno()
        with tempfile.TemporaryFile() as file:
            kept = os.dup(number)
            os.dup2(file.fileno(), number)
            captured = CapturedWrites(file)
            try:
                yield captured
            finally:
                stream.flush()
                captured.close()
                os.dup2(kept, number)
                os.close(kept)

    def evaluate_if_both_tensors(self, a, b) -> tuple:
        """The two values as they are: tensors outside functions have theirs."""
        return a, b

    # -- values

    def assertAllEqual(self, a, b, msg=None):
        """Asserts that two arrays or ragged tensors have equal elements."""
        if _is_ragged(a) or _is_ragged(b):
            return self._assert_rows(a, b, self.assertAllEqual, msg)
        a, b = _array(a), _array(b)
        self.assertEqual(a.shape, b.shape, msg or f"Shape mismatch: {a.shape} vs {b.shape}")
        same = a == b
        if a.dtype.kind == "f" and b.dtype.kind == "f":
            same = same | (np.isnan(a) & np.isnan(b))
        if not np.all(same):
            self.fail(f"{msg or 'not equal'}: {a!r} vs {b!r}, where {np.argwhere(~same).tolist()}")

    def _assert_rows(self, a, b, check, msg):
        """Asserts that ragged values have the same nested rows, and compares the values in them."""
        (rows, values), (other_rows, other_values) = map(_rows_and_values, (a, b))
        self.assertEqual(rows, other_rows, msg)
        check(values, other_values, msg)

    def assertNotAllEqual(self, a, b, msg=None):
        """Asserts that two arrays differ somewhere."""
        with contextlib.suppress(AssertionError):
            self.assertAllEqual(a, b)
            self.fail(f"The two values are equal at all elements. {msg or ''}")

    def assertAllClose(self, a, b, rtol=1e-6, atol=1e-6, msg=None):
        """Asserts that two structures of arrays or ragged tensors are near each other."""
        if _is_ragged(a) or _is_ragged(b):

            def close(x, y, msg):
                self.assertAllClose(x, y, rtol, atol, msg)

            return self._assert_rows(a, b, close, msg)
        a, b = _value(a), _value(b)
        if isinstance(a, dict):
            self.assertEqual(set(a), set(b), msg)
            for key in a:
                self.assertAllClose(a[key], b[key], rtol, atol, f"{msg or ''}[{key}]")
            return
        if isinstance(a, (list, tuple)) and any(
            isinstance(x, (list, tuple, dict)) or np.ndim(_value(x)) for x in a
        ):
            self.assertEqual(len(a), len(b), msg)
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                self.assertAllClose(x, y, rtol, atol, f"{msg or ''}[{i}]")
            return
        np.testing.assert_allclose(_array(a), _array(b), rtol, atol, err_msg=msg or "")

    def assertAllCloseAccordingToType(
        self, a, b, rtol=1e-6, atol=1e-6, float_rtol=1e-6, float_atol=1e-6, half_rtol=1e-3,
        half_atol=1e-3, bfloat16_rtol=1e-2, bfloat16_atol=1e-2, msg=None,
    ):  # fmt: skip
        """`assertAllClose` with tolerances by the coarser of the two types."""
        kinds = {np.asarray(_value(a)).dtype.name, np.asarray(_value(b)).dtype.name}
        for names, r, t in (
            ({"float32", "complex64"}, float_rtol, float_atol),
            ({"float16"}, half_rtol, half_atol),
            ({"bfloat16"}, bfloat16_rtol, bfloat16_atol),
        ):
            if kinds & names:
                rtol, atol = max(rtol, r), max(atol, t)
        self.assertAllClose(a, b, rtol, atol, msg)

    def assertNotAllClose(self, a, b, rtol=1e-6, atol=1e-6, msg=None):
        """Asserts that two structures of arrays are not near each other."""
        try:
            self.assertAllClose(a, b, rtol, atol)
        except AssertionError:
            return
        self.fail(f"The two values are close at all elements. {msg or ''}")

    def assertAllGreater(self, a, comparison_target):
        self.assertGreater(np.min(_array(a)), _value(comparison_target))

    def assertAllLess(self, a, comparison_target):
        self.assertLess(np.max(_array(a)), _value(comparison_target))

    def assertAllGreaterEqual(self, a, comparison_target):
        self.assertGreaterEqual(np.min(_array(a)), _value(comparison_target))

    def assertAllLessEqual(self, a, comparison_target):
        self.assertLessEqual(np.max(_array(a)), _value(comparison_target))

    def assertAllInRange(
        self, target, lower_bound, upper_bound, open_lower_bound=False, open_upper_bound=False
    ):
        """Asserts that all elements lie between two bounds."""
        values = _array(target)
        low = values > lower_bound if open_lower_bound else values >= lower_bound
        high = values < upper_bound if open_upper_bound else values <= upper_bound
        self.assertTrue(np.all(low & high), f"{values!r} not in [{lower_bound}, {upper_bound}]")

    def assertAllInSet(self, target, expected_set):
        self.assertTrue(set(_array(target).reshape(-1).tolist()) <= set(expected_set))

    def assertArrayNear(self, farray1, farray2, err, msg=None):
        for a, b in zip(_array(farray1), _array(farray2), strict=True):
            self.assertNear(a, b, err, msg)

    def assertNDArrayNear(self, ndarray1, ndarray2, err, msg=None):
        self.assertLess(float(np.linalg.norm(_array(ndarray1) - _array(ndarray2))), err, msg)

    def assertNear(self, f1, f2, err, msg=None):
        f1, f2 = _value(f1), _value(f2)
        self.assertTrue(f1 == f2 or abs(f1 - f2) <= err, msg or f"{f1} != {f2} +/- {err}")

    def assertDTypeEqual(self, target, expected_dtype):
        self.assertEqual(dtypes.as_dtype(_array(target).dtype), dtypes.as_dtype(expected_dtype))

    def assertShapeEqual(self, input_a, input_b, msg=None):
        self.assertEqual(tuple(input_a.shape), tuple(input_b.shape), msg)

    def assertDeviceEqual(self, device1, device2, msg=None):
        from torchtf.core.device import parse

        self.assertEqual(parse(str(device1)), parse(str(device2)), msg)

    def assertStartsWith(self, actual, expected_start, msg=None):
        if not actual.startswith(expected_start):
            self.fail(f"{actual!r} does not start with {expected_start!r} {msg or ''}")

    # -- errors

    @contextlib.contextmanager
    def assertRaisesWithPredicateMatch(self, exception_type, expected_err_re_or_predicate):
        """Asserts an exception whose text matches a pattern, or that satisfies a predicate."""
        try:
            yield
        except exception_type as e:
            wanted = expected_err_re_or_predicate
            matches = wanted(e) if callable(wanted) else re.search(wanted, str(e))
            if not matches:
                raise AssertionError(f"Exception of type {type(e)}: {e}") from e
            return
        self.fail(f"{exception_type.__name__} not raised")

    def assertRaisesOpError(self, expected_err_re_or_predicate):
        return self.assertRaisesWithPredicateMatch(errors.OpError, expected_err_re_or_predicate)

    def assertProtoEquals(self, expected_message_maybe_ascii, message, msg=None):
        """Asserts that a proto equals another, which may be given in text format."""
        from google.protobuf import text_format

        expected = expected_message_maybe_ascii
        if isinstance(expected, (str, bytes)):
            expected = text_format.Parse(expected, type(message)())
        self.assertEqual(expected, message, msg)

    def assertProtoEqualsVersion(
        self,
        expected,
        actual,
        producer=version.GRAPH_DEF_VERSION,
        min_consumer=version.GRAPH_DEF_VERSION_MIN_CONSUMER,
        msg=None,
    ):
        """Asserts that a GraphDef equals a text to which the versions are added."""
        versions = f"versions {{ producer: {producer} min_consumer: {min_consumer} }};\n"
        self.assertProtoEquals(versions + expected, actual, msg)

    def assertRaisesIncompatibleShapesError(self, exception_type=errors.InvalidArgumentError):
        """A context that asserts an error over shapes that do not fit."""
        return self.assertRaisesWithPredicateMatch(
            exception_type,
            "Incompatible shapes|Dimensions must be equal|required broadcastable shapes",
        )


class CheckedThread:
    """A thread of a test (source: `tf.test.TestCase.checkedThread`)."""

    def __init__(self, case: TestCase, target, args: tuple, kwargs: dict):
        self._case, self._error, self._joined = case, None, False
        self._thread = threading.Thread(target=self._run, args=(target, args, kwargs), daemon=True)

    def _run(self, target, args, kwargs):
        try:
            target(*args, **kwargs)
        except BaseException as e:
            self._error = e

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def join(self) -> None:
        """Waits for the thread; fails the test with the error it ended with."""
        self._joined = True
        self._thread.join()
        if self._error is not None:
            self._case.fail(f"Error in checkedThread: {self._error}")

    def is_alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def check_joined(self) -> None:
        """Fails the test if the thread was started and nobody waited for it."""
        if self._thread.ident is not None and not self._joined:
            self._case.fail("A checked thread was not joined.")


class CapturedWrites:
    """What a stream was given (source: `tf.test.TestCase.captureWritesToStream`)."""

    def __init__(self, file):
        self._file, self._text = file, None

    def contents(self) -> str:
        """The text."""
        if self._text is not None:
            return self._text
        position = self._file.tell()
        self._file.seek(0)
        text = self._file.read().decode()
        self._file.seek(position)
        return text

    def close(self) -> None:
        """Keeps the text and lets the file go."""
        self._text = self.contents()


class Benchmark:
    """Not supported: raises NotImplementedError; use torch.utils.benchmark."""

    def __init__(self):
        raise NotImplementedError(
            "tf.test.Benchmark is not supported; torch.utils.benchmark.Timer measures ops."
        )


def assert_equal_graph_def(expected, actual) -> None:
    """Asserts that two GraphDefs have the same nodes, in any order
    (source: `tf.test.assert_equal_graph_def`).

    Raises:
        TypeError: if one is no GraphDef.
        AssertionError: if they differ.
    """
    for what, given in (("actual", actual), ("expected", expected)):
        if type(given).__name__ != "GraphDef":
            raise TypeError(f"Expected tf.GraphDef for {what}, got {type(given).__name__}")
    want, have = ({n.name: n for n in g.node} for g in (expected, actual))
    for name in sorted(want.keys() | have.keys()):
        if want.get(name) != have.get(name):
            raise AssertionError(f"Graphs differ at node {name}: {want.get(name)} {have.get(name)}")


def disable_with_predicate(pred, skip_message):
    """A decorator: the test is skipped if `pred()` is true when it runs
    (source: `tf.test.disable_with_predicate`).
    """

    def decorator(test):
        @functools.wraps(test)
        def decorated(self, *args, **kwargs):
            if pred():
                self.skipTest(skip_message)
            return test(self, *args, **kwargs)

        return decorated

    return decorator


def with_eager_op_as_function(cls=None, only_as_function=False):
    """A decorator of test classes that changes nothing: eager ops are always functions
    (source: `tf.test.with_eager_op_as_function`).
    """
    return (lambda c: c) if cls is None else cls


def _sync_devices() -> None:
    """Waits for what GPUs have been asked to do (source: `tf.test.experimental.sync_devices`)."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


experimental = types.SimpleNamespace(sync_devices=_sync_devices)


def create_local_cluster(*args, **kwargs):
    """Not supported: raises NotImplementedError."""
    raise NotImplementedError(
        "tf.test.create_local_cluster is not supported; start processes with torchrun."
    )

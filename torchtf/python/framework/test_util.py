"""`tensorflow.python.framework.test_util`: `tf.test.TestCase`, and decorators of tests.

Graphs of TF 1 do not exist here: a test that wants to run in both modes runs eagerly, one for
TF 1 alone is skipped.
"""

from __future__ import annotations

import contextlib
import functools
import unittest

import torchtf as tf
from torchtf.python import names_of

__getattr__ = names_of("framework.test_util")

TestCase = TensorFlowTestCase = tf.test.TestCase


def _keep(function=None, *args, **kwargs):
    """A decorator, with or without arguments, that changes nothing."""
    return function if callable(function) else _keep


def run_in_graph_and_eager_modes(func=None, **options):
    """A decorator: the test runs, eagerly.

    Args:
        func: the test.
        **options: `config`, `use_gpu`, `assert_no_eager_garbage`: of sessions, without effect.
    """
    return _keep if func is None else func


run_all_in_graph_and_eager_modes = run_all_without_tensor_float_32 = _keep
run_without_tensor_float_32 = run_all_in_deprecated_graph_mode_only = _keep
run_v2_only = run_in_async_and_sync_mode = with_forward_compatibility_horizons = _keep
enable_control_flow_v2 = enable_all_tensor_float_32 = add_graph_building_optimization_tests = _keep
disable_xla = disable_mlir_bridge = disable_tfrt = enable_eager_op_as_function = _keep
also_run_as_tf_function = run_with_all_weight_variables = _keep


def run_v1_only(reason: str = "TF 1 only", func=None):
    """A decorator that skips a test, as it is for TF 1."""
    skip = unittest.skip(reason if isinstance(reason, str) else "TF 1 only")
    given = reason if callable(reason) else func
    return skip(given) if given is not None else skip


deprecated_graph_mode_only = run_deprecated_v1 = run_v1_only


def build_as_function_and_v1_graph(func):
    """A decorator: the test runs as it is, and within a `tf.function`."""

    @functools.wraps(func)
    def test(self, *args, **kwargs):
        func(self, *args, **kwargs)

        @tf.function
        def traced():
            func(self, *args, **kwargs)

        traced()

    return test


def run_gpu_only(func):
    """A decorator that skips a test where there is no GPU."""
    return unittest.skipUnless(tf.config.list_physical_devices("GPU"), "GPU only")(func)


def run_cuda_only(func):
    """A decorator that skips a test where there is no CUDA GPU."""
    return run_gpu_only(func)


def is_xla_enabled() -> bool:
    """Always False: tests are not compiled."""
    return False


def use_gpu():
    """A context in which ops run on the first GPU if there is one."""
    return tf.device("GPU:0") if tf.config.list_physical_devices("GPU") else force_cpu()


def force_gpu():
    """A context in which ops run on the first GPU."""
    return tf.device("GPU:0")


def force_cpu():
    """A context in which ops run on the CPU."""
    return tf.device("CPU:0")


def device(use_gpu: bool):
    """`use_gpu()` or `force_cpu()`."""
    return globals()["use_gpu"]() if use_gpu else force_cpu()


@contextlib.contextmanager
def deterministic_ops():
    """A context in which `tf.config.experimental.enable_op_determinism` is in force."""
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


class InstallStackTraceHandler:
    """Does nothing: Python's faulthandler prints the stack of a crash."""

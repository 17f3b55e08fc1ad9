"""Differential tests of whole programs: a function of `tf`, run on TensorFlow and on torchtf.

    @program
    def square(tf):
        return tf.function(lambda x: x * x)(tf.constant(3.0))

    test_programs = compare(globals())

* Compared are what the program returns (structure, dtypes, shapes, values) and what it prints. A
  program that is meant to raise is marked `@program(raises=True)`; then the class of the exception
  is compared.
* A program is a Python function in a file, because AutoGraph reads the source.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable

import numpy as np
import pytest

import torchtf
from tests import oracle


def program(function: Callable | None = None, *, raises: bool = False) -> Callable:
    """Marks a function of `tf` as a program.

    Args:
        function: the program.
        raises: whether it is meant to end with an exception.
    """
    if function is None:
        return functools.partial(program, raises=raises)
    function.is_program, function.raises = True, raises
    return function


def compare(namespace: dict) -> Callable:
    """A test over all programs of a module."""
    found = [f for f in namespace.values() if getattr(f, "is_program", False)]

    @pytest.mark.parametrize("run", found, ids=[f.__name__ for f in found])
    def test(run):
        import tensorflow

        want, wanted_text = _outcome(run, tensorflow)
        # a map_fn that fails leaves this set, and TensorFlow's scopes of variables fail ever after
        tensorflow.compat.v1.get_variable_scope()._caching_device = None
        have, text = _outcome(run, torchtf)
        if isinstance(want, Exception) and not run.raises:
            raise want  # of the program itself
        if isinstance(want, Exception) or isinstance(have, Exception):
            _same_error(want, have)
        else:
            _same(want, have)
        assert text == wanted_text

    return test


def _outcome(run, tf):
    text = io.StringIO()
    try:
        with contextlib.redirect_stdout(text):
            return run(tf), text.getvalue()
    except Exception as e:
        return e, text.getvalue()


def _same_error(want, have):
    if not isinstance(want, Exception):
        raise AssertionError(f"torchtf raised, TensorFlow did not: {have!r}") from have
    assert isinstance(have, Exception), f"no error; TensorFlow raises {want!r}\ngot {have!r}"
    names = {c.__name__ for c in type(have).__mro__}
    if type(want).__name__ not in names:
        raise AssertionError(f"TensorFlow raises {want!r}\ntorchtf {have!r}") from have


def _same(want, have):
    assert oracle._structure(want) == oracle._structure(have)
    for a, b in zip(oracle._leaves(want), oracle._leaves(have), strict=True):
        if not isinstance(a, np.ndarray):
            assert a == b
            continue
        assert isinstance(b, np.ndarray) and a.dtype.name == b.dtype.name and a.shape == b.shape
        if a.dtype.kind in "fc":
            np.testing.assert_allclose(b, a, rtol=2e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(b, a)

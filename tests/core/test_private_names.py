"""What libraries ask for by private names, as TensorFlow Probability and Sonnet do."""

from __future__ import annotations

import abc
import importlib
import json
import os

import numpy as np
import pytest
import tensorflow
from tensorflow.python.ops.linalg import linear_operator_addition as theirs

import torchtf
from torchtf.python.framework import composite_tensor, tensor_shape
from torchtf.python.ops import control_flow_case
from torchtf.python.ops.linalg import linear_operator, linear_operator_addition

X = [[1, 2, 3], [4, 5, 6]]


def outcome(function, tf):
    try:
        found = function(tf)
    except Exception as e:
        return type(e).__name__
    return found.tolist() if isinstance(found, np.ndarray) else found


@pytest.mark.parametrize(
    "index",
    [
        np.array(1), np.array(1, "int64"), np.array(0, "int16"), np.array([0]), np.array(1.0),
        np.array(1, "uint8"), np.bool_(True), slice(np.array(0), np.array(1)),
        slice(None, None, np.array(2)), (..., np.array(1, "int32")), np.array(7),
    ],
    ids=repr,
)  # fmt: skip
def test_arrays_of_one_index(index):
    wanted, got = (
        outcome(lambda tf: tf.constant(X)[index].numpy(), tf) for tf in (tensorflow, torchtf)
    )
    assert got == wanted


def test_a_dimension_as_an_index():
    wanted, got = (
        outcome(lambda tf: tf.constant(X)[tf.compat.v1.Dimension(1)].numpy(), tf)
        for tf in (tensorflow, torchtf)
    )
    assert got == wanted == [4, 5, 6]


@pytest.mark.parametrize(
    "make",
    [
        lambda tf: np.array([1]), lambda tf: 1.5, lambda tf: [1, 2], lambda tf: None,
        lambda tf: tf.constant("a"), lambda tf: tf.constant([1, 2]), lambda tf: tf.Variable(1.0),
        lambda tf: tf.ragged.constant([[1]]), lambda tf: tf.sparse.eye(2),
    ],
)  # fmt: skip
def test_static_values(make):
    wanted, got = (
        outcome(lambda tf: tf.get_static_value(make(tf)), tf) for tf in (tensorflow, torchtf)
    )
    assert got == wanted and type(got) is type(wanted)


def operators(tf):
    linalg = tf.linalg
    return [
        linalg.LinearOperatorIdentity(2),
        linalg.LinearOperatorScaledIdentity(2, 3.0),
        linalg.LinearOperatorDiag([1.0, 2.0], is_positive_definite=True),
        linalg.LinearOperatorLowerTriangular([[1.0, 0.0], [2.0, 3.0]]),
        linalg.LinearOperatorFullMatrix([[1.0, 2.0], [3.0, 4.0]]),
    ]


@pytest.mark.parametrize("i", range(5))
@pytest.mark.parametrize("j", range(5))
def test_sums_of_operators(i, j):
    def describe(tf, add):
        (total,) = add([operators(tf)[i], operators(tf)[j]])
        hints = total.is_positive_definite, total.is_self_adjoint, total.is_non_singular
        return type(total).__name__, total.to_dense().numpy().tolist(), hints

    assert describe(torchtf, linear_operator_addition.add_operators) == describe(
        tensorflow, theirs.add_operators
    )


def test_no_sum_of_what_does_not_fit():
    add, identity = linear_operator_addition.add_operators, torchtf.linalg.LinearOperatorIdentity
    for bad, error in [
        ([], ValueError),
        ([1], TypeError),
        ([identity(2), identity(3)], ValueError),
    ]:
        with pytest.raises(error):
            add(bad)


def test_operators_of_a_class_of_the_users():
    @linear_operator.make_composite_tensor
    class Scaled(torchtf.linalg.LinearOperatorFullMatrix):
        def __init__(self, matrix):
            super().__init__(matrix)
            self._parameters = {"matrix": matrix}

        @property
        def _composite_tensor_fields(self):
            return ("matrix",)

        @property
        def _experimental_parameter_ndims_to_matrix_ndims(self):
            return {"matrix": 2}

    operator = Scaled(torchtf.constant([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]))
    assert isinstance(operator, composite_tensor.CompositeTensor)
    again = torchtf.nest.map_structure(lambda t: t + 1, operator, expand_composites=True)
    assert type(again) is Scaled
    np.testing.assert_array_equal(again.to_dense().numpy()[0], [[2, 3], [4, 5]])
    np.testing.assert_array_equal(operator[1].to_dense().numpy(), [[5, 6], [7, 8]])


def test_a_class_of_composites_with_another_metaclass():
    class Meta(abc.ABCMeta):
        pass

    class Mine(composite_tensor.CompositeTensor, metaclass=Meta):
        _type_spec = torchtf.TensorSpec([])

    assert isinstance(Mine(), torchtf.__internal__.CompositeTensor)
    assert isinstance(torchtf.ragged.constant([[1]]), composite_tensor.CompositeTensor)
    assert not isinstance(torchtf.constant(1), composite_tensor.CompositeTensor)


def test_a_case_by_another_cond():
    taken = []

    def cond(pred, true_fn, false_fn, name=None):
        taken.append(bool(pred))
        return true_fn() if pred else false_fn()

    pairs = [(False, lambda: 1), (torchtf.constant(True), lambda: 2)]
    helper = control_flow_case._case_helper
    assert helper(cond, pairs, lambda: 3, False, "case", allow_python_preds=True) == 2
    assert taken == [False, True]
    with pytest.raises(TypeError, match="pred must be a Tensor"):
        helper(cond, pairs, None, False, "case")


def test_shapes():
    assert tensor_shape.as_shape([None, 2]).as_list() == [None, 2]
    assert tensor_shape.unknown_shape(2).as_list() == [None, None]


def test_the_default_graph():
    assert not torchtf.compat.v1.get_default_graph().building_function
    assert torchtf.compat.v1.get_default_graph().get_operations() == []
    names = []

    @torchtf.function
    def f(x):
        graph = torchtf.compat.v1.get_default_graph()
        names.extend(graph.unique_name("n", mark_as_used=m) for m in (False, True, False))
        assert graph is x.graph and graph.building_function
        return x

    f(torchtf.constant(1.0))
    assert names == ["n", "n", "n_1"]


def modules(tf):
    a, b = tf.Module(name="a"), tf.Module(name="b")
    a.v, a.b, a.z, a.s = tf.Variable(1.0), b, b, tf.constant("s")
    a.rt = tf.ragged.constant([[1, 2], [3]])
    b.w = [tf.Variable(2.0), {"k": tf.Variable(3.0, trainable=False), "j": (4, tf.Variable(5.0))}]
    b.a = a
    return a


@pytest.mark.parametrize(
    "options",
    [
        {}, {"recursive": False}, {"recursive": False, "expand_composites": True},
        {"attribute_traversal_key": lambda name: [-ord(c) for c in name]},
    ],
    ids=["all", "own", "tensors", "backwards"],
)  # fmt: skip
def test_the_atoms_of_modules(options):
    def describe(tf):
        def of(atom):
            if isinstance(atom, tf.Module):
                return atom.name
            value = atom.numpy() if hasattr(atom, "numpy") else atom
            return value.tolist() if isinstance(value, np.ndarray) else value

        a = modules(tf)
        found = a._flatten(
            predicate=lambda x: tf.is_tensor(x) or isinstance(x, tf.Module), **options
        )
        paths = a._flatten(predicate=tf.is_tensor, with_path=True, **options)
        return str([of(x) for x in found]), str([(p[:2], of(x)) for p, x in paths])

    assert describe(torchtf) == describe(tensorflow)


def test_the_variables_of_modules():
    def describe(tf):
        a = modules(tf)
        kinds = a.variables, a.trainable_variables, a.non_trainable_variables
        return [[float(v) for v in k] for k in kinds], [m.name for m in a.submodules]

    assert describe(torchtf) == describe(tensorflow)


@pytest.mark.parametrize("name", ["tag_constants", "signature_constants"])
def test_the_words_of_saved_models(name):
    wanted, got = (
        {k: v for k, v in vars(importlib.import_module(f"{tf}.{name}")).items() if k.isupper()}
        for tf in ("tensorflow.python.saved_model", "torchtf.python.saved_model")
    )
    assert got == wanted


def test_the_folders_of_tests(run_python, tmp_path):
    """Both in a process of its own: the folder is made once, and goes with the process."""
    program = """
    import json, os, sys
    from importlib import import_module

    test = import_module(sys.argv[1] + ".python.eager.test")
    same = import_module(sys.argv[1] + ".python.platform.test")
    try:
        test.test_src_dir_path("a/b")
    except KeyError as e:
        error = str(e)
    os.environ.update(TEST_SRCDIR="/src", TEST_WORKSPACE="here")
    folder = test.get_temp_dir()
    open(os.path.join(folder, "file"), "w").close()
    once = folder == same.get_temp_dir()
    where = folder.startswith(os.environ["TEST_TMPDIR"])
    found = [error, same.test_src_dir_path("a/b"), os.path.isdir(folder), once, where]
    print("RESULT", json.dumps([found, folder, test.TestCase is same.TestCase]))
    """
    found = []
    for module in ("tensorflow", "torchtf"):
        printed = run_python(program, module, env={"TEST_TMPDIR": str(tmp_path / "tests")})
        (line,) = (x for x in printed.splitlines() if x.startswith("RESULT "))
        values, folder, same_case = json.loads(line.removeprefix("RESULT "))
        assert same_case and not os.path.exists(folder)
        found.append(values)
    assert found[0] == found[1] == ["'TEST_SRCDIR'", "/src/here/tensorflow/a/b", True, True, True]

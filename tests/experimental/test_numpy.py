"""`tf.experimental.numpy` beside TensorFlow's: values and types by their `repr`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow

import torchtf

CALLS = [
    "n.array([1,2])",
    "n.array([1.,2])",
    "n.array(1)",
    "n.add(f,1)",
    "n.add(f,1.5)",
    "n.add(i,1.5)",
    "n.add(f,i)",
    "n.sin(f)",
    "n.mean([1,2])",
    "n.sum(i)",
    "n.sum([True,False])",
    "n.zeros(3)",
    "n.ones((2,))",
    "n.arange(3)",
    "n.arange(3.)",
    "n.linspace(0,1,3)",
    "n.divide(i,i)",
    "n.floor_divide(i,2)",
    "n.true_divide(3,2)",
    "n.max(f)",
    "n.argmax(f)",
    "n.where(f>1,f,0)",
    "n.concatenate([i,f])",
    "n.eye(2)",
    "n.full(2,3)",
    "n.full((2,),3.)",
    "n.result_type(f,1.5)",
    "n.random.randn(2).dtype",
    "n.random.rand(2).dtype",
    "n.random.randint(3,size=2).dtype",
    "n.var(f)",
    "n.std([1,2])",
    "n.power(2,3)",
    "n.average(f)",
    "n.isclose(f,f)",
    "n.allclose(f,f)",
    "n.tile(i,2)",
    "n.split(n.arange(4),2)",
    "n.meshgrid([1,2],[3,4])",
    "n.nonzero(i)",
    "n.finfo(n.float32)",
    "n.shape(f)",
    "n.ndim(f)",
    "n.size(f)",
    "n.float32",
    "n.int_",
    "n.float_",
    "n.pi",
    "n.newaxis",
    "n.mod(i,2)",
    "n.clip(i,0,1)",
    "n.count_nonzero(i)",
    "n.cumsum(i)",
    "n.diff(i)",
    "n.dot(f,f)",
    "n.matmul(n.eye(2),f)",
    "n.einsum('i,i',f,f)",
    "n.sign(-2)",
    "n.heaviside(f,0.5)",
    "n.logaddexp(f,f)",
    "n.bitwise_and(i,1)",
    "n.kron(i,i)",
    "n.outer(i,i)",
    "n.cross([1,0,0],[0,1,0])",
    "n.take(i,[0])",
    "n.sort([2,1])",
    "n.argsort([2,1])",
    "n.iscomplexobj(f)",
    "n.isscalar(1)",
    "n.promote_types(n.float32,n.int64)",
    "n.polyval([1,2],3)",
    "n.vander([1,2])",
    "n.nanmean(f)",
    "n.ptp(f)",
    "n.amax(f)",
    "n.identity(2)",
    "n.tri(2)",
    "n.select([f>1],[f])",
    "n.append(i,[3])",
    "n.array(f,dtype=n.float64)",
    "n.asarray(3)",
    "n.atleast_2d(1)",
    "n.real([1j])",
    "n.angle([1j])",
    "n.sinc(f)",
    "n.bool_",
    "n.inf",
    "n.e",
    "n.unicode_",
    "n.object_",
    "n.string_",
    "n.iinfo",
    "n.inexact",
    "n.issubdtype(n.float32,n.inexact)",
    "n.max([1,2],axis=0,keepdims=True)",
    "n.array_equal(i,i)",
    "n.ix_([0],[1])",
    # tensors as axes and numbers
    "n.sum(n.eye(2, 3), n.asarray(1))",
    "n.argmax(n.eye(2, 3), axis=n.asarray(0))",
    "n.sort(n.eye(2, 3), n.asarray(0))",
    "n.stack([n.eye(2), n.eye(2)], n.asarray(1))",
    "n.cumsum(n.eye(2, 3), n.asarray(1))",
    "n.tril(n.ones((2, 3)), n.asarray(-1))",
    "n.concatenate([n.eye(2), n.eye(2)], axis=n.asarray(1))",
    "n.eye(n.asarray(2))",
    "n.swapaxes(n.ones((2, 3)), n.asarray(0), n.asarray(1))",
    "n.moveaxis(n.zeros((2,3)),0,1).shape",
    "n.rot90(n.eye(2))",
    "n.triu(n.ones((2,2)))",
    "n.where(i)",
    "n.squeeze([[1]])",
    "n.logspace(0,1,2)",
    "n.geomspace(1,10,2)",
    "n.diag([1,2])",
    "n.trace(n.eye(2))",
    "n.tensordot(f,f,1)",
    "n.vdot(f,f)",
    "n.inner(f,f)",
    "n.positive(i)",
    "n.nextafter(1.,2.)",
    "n.gcd(4,6)",
    "n.lcm(4,6)",
    "n.signbit(f)",
    "n.fix([1.5])",
    "n.float_power(2,3)",
    "n.square(3)",
    "n.absolute(-1)",
    "n.fabs(-1)",
    "n.ravel([[1]])",
    "n.repeat(i,2)",
    "n.roll(i,1)",
    "n.flip(i)",
    "n.fliplr(n.eye(2))",
    "n.dstack([i,i]).shape",
    "n.hsplit(n.arange(4),2)",
    "n.stack([i,i])",
    "n.vstack([i,i])",
    "n.broadcast_arrays(1,i)",
    "n.any(f)",
    "n.all(f)",
    "n.compress([True,False],i)",
    "n.copy(i)",
    "n.cumprod(i)",
    "n.diag_indices(2)",
    "n.diagflat([1])",
    "n.diagonal(n.eye(2))",
    "n.empty(2).shape",
    "n.empty_like(i).dtype",
    "n.expand_dims(i,0)",
    "n.full_like(i,3)",
    "n.imag([1j])",
    "n.swapaxes(n.zeros((2,3)),0,1).shape",
    "n.take_along_axis(i,n.argsort(i),0)",
    "n.transpose(n.eye(2))",
    "n.tril(n.eye(2))",
    "n.nansum(f)",
    "n.nanprod(f)",
    "n.prod(i)",
    "n.minimum(1,2)",
    "n.logical_and(1,0)",
    "n.isreal(f)",
    "n.isfinite(f)",
    "n.conj([1j])",
]


def evaluate(tf, expression: str):
    n = tf.experimental.numpy
    return eval(expression, {"n": n, "f": tf.constant([1.0, 2.0]), "i": tf.constant([1, 2])})


@pytest.mark.parametrize("expression", CALLS)
def test_same_as_tensorflow(expression):
    ours, theirs = evaluate(torchtf, expression), evaluate(tensorflow, expression)
    if isinstance(theirs, tensorflow.Tensor):
        assert ours.dtype.name == theirs.dtype.name
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-7)
    else:
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    ("expression", "value"),
    [("n.sqrt(4)", 2.0), ("n.hypot(3, 4)", 5.0), ("n.exp(0)", 1.0), ("n.around(2.5)", 2.0)],
)
def test_integers_become_float64(expression, value):
    result = evaluate(torchtf, expression)
    assert result.dtype == "float64" and result.numpy() == value


def test_gradients_and_traces():
    n = torchtf.experimental.numpy
    x = torchtf.Variable([1.0, 4.0])

    @torchtf.function
    def f(v):
        return n.sum(n.multiply(n.sqrt(v), n.arange(2.0)))

    with torchtf.GradientTape() as tape:
        y = f(x)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), [0.0, 0.25])


BEHAVIOR = """
import {module} as tf
n = tf.experimental.numpy
n.experimental_enable_numpy_behavior()
x = tf.reshape(tf.range(12), [3, 4])
for text in {texts!r}:
    try:
        value = eval(text)
        print("=", text, value.shape, value.dtype.name, value.numpy().tolist())
    except (AttributeError, IndexError, ValueError, TypeError) as e:
        print("=", text, type(e).__name__)
"""
INDEXED = (
    "x[[0, 1]]", "x[[2, 0, 0], 1]", "x[:, [3, 1]]", "x[[0, 1], [2, 3]]", "x[x > 5]", "x[1]",
    "x[[True, False, True]]", "x[1:, tf.constant([0, 2])]", "x[n.array([[0, 1], [2, 2]])]",
    "x[..., [0]]", "x[None, [1]]", "x[-1, -2]", "x[::-1]", "x[tf.constant(1)]", "x.T", "x.sum()",
    "x.reshape(4, 3)", "x.ravel()", "x.astype(n.float32)", "x + 1.5", "x.mean()", "x.clip(2, 5)",
    "x.transpose((1, 0))", "x.max(axis=0)",
)  # fmt: skip


def test_numpy_behavior_of_tensors(run_python):
    ours, theirs = (
        [
            line
            for line in run_python(BEHAVIOR.format(module=m, texts=INDEXED)).splitlines()
            if line.startswith("=")
        ]
        for m in ("torchtf", "tensorflow")
    )
    assert ours == theirs and len(ours) == len(INDEXED)

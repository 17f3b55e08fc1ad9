"""A library on TensorFlow that knows nothing of torchtf: TensorFlow Probability."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import results_of_both

PROGRAM = """
import json, sys

if sys.argv[1] == "torchtf":
    from torchtf.core.alias import serve_as_tensorflow

    serve_as_tensorflow()

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

assert tf.__name__ == sys.argv[1]
tfb, tfd = tfp.bijectors, tfp.distributions
X = np.linspace(0.1, 0.9, 5).astype("float32")
found = {}


def keep(name, *values):
    found[name] = [np.asarray(v, np.float64).tolist() for v in values]


for d in (
    tfd.Normal(0.0, 1.0), tfd.Gamma(2.0, 3.0), tfd.Beta(2.0, 3.0), tfd.StudentT(3.0, 0.0, 1.0),
    tfd.LogNormal(0.0, 1.0), tfd.TruncatedNormal(0.0, 1.0, 0.0, 1.0), tfd.VonMises(0.0, 2.0),
    tfd.MixtureSameFamily(tfd.Categorical(probs=[0.3, 0.7]), tfd.Normal([0.0, 1.0], [1.0, 2.0])),
    tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), tfb.Exp(), name="Transformed"),
):
    keep(d.name, d.log_prob(X), d.cdf(X))

wide = tfd.MultivariateNormalTriL([0.0, 1.0], [[1.0, 0.0], [0.5, 2.0]])
diagonal = tfd.MultivariateNormalDiag([0.0, 1.0], [1.0, 2.0])
keep("multivariate", wide.log_prob([0.1, 0.2]), wide.covariance(), tfd.kl_divergence(wide, diagonal))

for b in (tfb.Softplus(), tfb.Chain([tfb.Shift(1.0), tfb.Scale(2.0), tfb.Tanh()])):
    keep(b.name, b.forward(X), b.inverse(b.forward(X)), b.forward_log_det_jacobian(X, 0))


@tfd.JointDistributionCoroutineAutoBatched
def model():
    a = yield tfd.Normal(0.0, 1.0, name="a")
    yield tfd.Normal(a * tf.ones(3), 1.0, name="b")


keep("joint", model.log_prob(0.5, [1.0, 2.0, 3.0]))

kernel = tfp.math.psd_kernels.ExponentiatedQuadratic(1.0, 0.5)
process = tfd.GaussianProcessRegressionModel(
    kernel, X[:, None] + 0.05, X[:, None], X, observation_noise_variance=0.1
)
keep("process", process.mean(), process.variance())

states = tfd.LinearGaussianStateSpaceModel(
    5, tf.linalg.LinearOperatorIdentity(2), tfd.MultivariateNormalDiag(scale_diag=[1.0, 1.0]),
    tf.linalg.LinearOperatorFullMatrix([[1.0, 0.0]]), tfd.MultivariateNormalDiag(scale_diag=[1.0]),
    tfd.MultivariateNormalDiag(scale_diag=[1.0, 1.0]),
)
keep("states", states.log_prob(X[:, None]))

least = tfp.optimizer.bfgs_minimize(
    lambda x: tfp.math.value_and_gradient(lambda x: tf.reduce_sum((x - [1.0, 2.0]) ** 2), x),
    tf.zeros(2),
)
keep("minimum", least.converged, least.position)

scale = tfp.util.TransformedVariable(1.0, tfb.Softplus())
with tf.GradientTape() as tape:
    loss = tfd.Normal(0.0, scale).log_prob(0.5)
keep("gradient", *tape.gradient(loss, tfd.Normal(0.0, scale).trainable_variables))


@tf.function
def chain():
    kernel = tfp.mcmc.HamiltonianMonteCarlo(lambda x: -tf.reduce_sum((x - 1.0) ** 2), 0.3, 3)
    return tfp.mcmc.sample_chain(
        2000, tf.zeros(2), kernel=kernel, num_burnin_steps=200, trace_fn=None, seed=3
    )


samples = chain().numpy()
keep("chain", samples.shape, np.abs(samples.mean(0) - 1) < 0.15, np.abs(samples.var(0) - 0.5) < 0.15)
print("RESULT " + json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return results_of_both(tmp_path_factory, PROGRAM)


def test_the_same_results(found):
    theirs, ours = found["tensorflow"], found["torchtf"]
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        for got, wanted in zip(ours[name], values, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5, err_msg=name)
    assert theirs["chain"] == [[2000, 2], [1, 1], [1, 1]]

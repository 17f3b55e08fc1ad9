"""Who sees which tensors, and that each piece of Keras we replace is where we expect it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import torchtf as tf
from torchtf.core.shape import TensorShape
from torchtf.core.tensor import is_tensor_type
from torchtf.keras import _boundary, _patch, _side

keras = tf.keras
layers = tf.keras.layers


def small() -> keras.Model:
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)]
    )


# -- the guard


class Stranger:
    def method(self, a, b):
        return a, b


def test_replacing_what_is_gone_fails():
    with pytest.raises(ImportError, match=r"Stranger\.other is no longer there"):
        _patch.replaces(Stranger, "other")(lambda self: None)


def test_replacing_what_has_other_parameters_fails():
    with pytest.raises(ImportError, match=r"takes \(self, a, b\) and not \(self, a\)"):
        _patch.replaces(Stranger, "method")(lambda self, a: None)


def test_every_replacement_is_in_place():
    import importlib

    assert len(_patch.REPLACED) > 50
    for owner_name, name in _patch.REPLACED:
        parts = owner_name.split(".")
        owner = None
        for i in range(len(parts), 0, -1):
            try:
                owner = importlib.import_module(".".join(parts[:i]))
            except ImportError:
                continue
            for part in parts[i:]:
                owner = getattr(owner, part)
            break
        found = vars(owner)[name]
        original = getattr(found, "torchtf_raw", found)
        assert hasattr(original, "original"), (owner_name, name)


def test_every_crossing_exists():
    for base, names in _boundary.CROSSINGS.items():
        for name in names:
            classes = [*base.__mro__, *_boundary._subclasses(base)]
            assert any(name in vars(c) for c in classes), (base, name)


def test_another_backend_is_one_clear_error(run_python):
    out = run_python(
        """
        import keras
        keras.config.backend = lambda: "tensorflow"  # as if it had been loaded so
        import torchtf as tf
        try:
            tf.keras
        except ImportError as error:
            print(error)
        """,
        env={"KERAS_BACKEND": "torch"},
    )
    assert "backend 'tensorflow'" in out and "KERAS_BACKEND" in out


def test_the_backend_is_not_forced_on_children(run_python):
    out = run_python("import os, torchtf as tf; tf.keras; print(os.environ.get('KERAS_BACKEND'))")
    assert out.strip() == "None"


def test_import_keras_beside_torchtf_is_tf_keras(run_python):
    out = run_python(
        """
        import os
        import torchtf as tf
        import keras
        from keras import layers, ops

        class Positive(layers.Layer):
            def call(self, x):
                return ops.cast(x > 0, "float32") * ops.square(x)

        inputs = keras.Input((2,))
        model = keras.Model(inputs, Positive()(inputs))
        print(model(ops.convert_to_tensor([[-1.0, 3.0]])).numpy())
        print(keras.losses.mean_squared_error([1.0, 2.0], [1.0, 4.0]))
        print(keras.Model is tf.keras.Model, keras.ops.cast is tf.keras.ops.cast)
        print(keras.backend.backend(), os.environ.get("KERAS_BACKEND"))
        """
    )
    assert out.splitlines() == [
        "[[0. 9.]]", "tf.Tensor(2.0, shape=(), dtype=float32)", "True True", "torch None",
    ]  # fmt: skip


def test_import_keras_beside_tensorflow_is_left_alone(run_python):
    out = run_python(
        """
        import torchtf, tensorflow, keras
        print(keras.backend.backend())
        """
    )
    assert out.splitlines()[-1] == "tensorflow"


def test_import_of_torchtf_loads_no_keras(run_python):
    code = """
    import sys, torchtf
    print([name for name in ("keras", "tensorflow", "onnx") if name in sys.modules])
    """
    assert run_python(code).strip() == "[]"


def test_what_needs_matplotlib_or_scikit_learn_is_loaded_on_use(run_python):
    code = """
    import sys
    import torchtf as tf
    import torchtf.keras.wrappers
    import keras.visualization

    def loaded():
        print([name for name in ("matplotlib", "sklearn") if name in sys.modules])

    loaded()
    from keras.wrappers import *
    print(SKLearnClassifier is tf.keras.wrappers.SKLearnClassifier)
    loaded()
    from torchtf.keras.visualization import plot_image_gallery
    print(plot_image_gallery is keras.visualization.plot_image_gallery)
    loaded()
    print([n for n in dir(tf.keras.wrappers) if n[0] != "_"], hasattr(tf.keras.wrappers, "none"))
    """
    assert run_python(code).splitlines() == [
        "[]",
        "True",
        "['sklearn']",
        "True",
        "['matplotlib', 'sklearn']",
        "['SKLearnClassifier', 'SKLearnRegressor', 'SKLearnTransformer'] False",
    ]


# -- what the user gets


def test_layers_models_losses_metrics_and_functions_return_tensors():
    model, x = small(), np.ones((2, 4), np.float32)
    y = model(x)
    results = [
        y,
        layers.Dense(3)(tf.constant(x)),
        keras.losses.MeanSquaredError()(y, y),
        keras.losses.mean_squared_error(y, y),
        keras.metrics.Mean()(y),
        keras.initializers.GlorotUniform()((2, 3)),
        keras.regularizers.L2(0.1)(y),
        keras.activations.relu(y),
        keras.ops.add(y, 1.0),
        keras.random.normal((2,)),
        keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.9)(2),
        keras.applications.resnet_v2.preprocess_input(tf.zeros([1, 2, 2, 3])),
        keras.backend.sum(y),
    ]
    assert [is_tensor_type(r) for r in results] == [True] * len(results)


def test_structures_cross_and_tensorless_ones_are_themselves():
    nested = {"a": [np.zeros(2), (1, "x")]}
    assert _side.inward(nested) is nested
    got = _side.inward({"a": [tf.ones([2]), (1, "x")]})
    assert type(got["a"][0]) is torch.Tensor and got["a"][1] == (1, "x")


def test_a_users_classes_and_functions_see_tensors():
    seen = {}

    def note(name, *values):
        seen[name] = [is_tensor_type(v) for v in values]

    def activation(x):
        note("activation", x)
        return tf.nn.relu(x)

    def loss(y_true, y_pred):
        note("loss", y_true, y_pred)
        return tf.reduce_mean(tf.square(y_true - y_pred), axis=-1)

    def metric(y_true, y_pred):
        note("metric", y_true, y_pred)
        return tf.reduce_mean(tf.abs(y_true - y_pred), axis=-1)

    class Penalty(keras.regularizers.Regularizer):
        def __call__(self, w):
            note("regularizer", w + 0.0)
            return tf.reduce_sum(tf.square(w)) * 0.1

    class Ones(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return tf.ones(shape, dtype=dtype)

    class NonNegative(keras.constraints.Constraint):
        def __call__(self, w):
            return tf.maximum(w, 0.0)

    class Doubling(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1],), initializer=Ones(), name="w")

        def call(self, x):
            note("call", x, self.w * 2.0)
            return x * self.w * 2.0

    class Halving(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            rate = 0.1 / (tf.cast(step, tf.float32) + 1.0)
            note("schedule", rate)
            return rate

    class Step(keras.Model):
        def train_step(self, data):
            x, y = data
            note("train_step", x, y)
            logs = super().train_step(data)
            note("logs", *logs.values())
            return logs

    inputs = keras.Input((4,))
    dense = layers.Dense(
        3, activation=activation, kernel_regularizer=Penalty(), kernel_constraint=NonNegative()
    )
    x = layers.Lambda(lambda x: (note("lambda", x), x)[1])(Doubling()(dense(inputs)))
    model = Step(inputs, x)
    model.compile(keras.optimizers.SGD(Halving()), loss, metrics=[metric])
    history = model.fit(
        np.ones((8, 4), np.float32), np.zeros((8, 3), np.float32), verbose=0
    ).history
    assert set(history) == {"loss", "metric"}
    assert set(seen) == {
        "activation", "loss", "metric", "regularizer", "call", "schedule", "train_step", "logs",
        "lambda",
    }  # fmt: skip
    assert all(all(flags) for flags in seen.values()), seen
    assert (dense.kernel.numpy() >= 0).all()


def test_a_users_function_is_serialized_as_itself():
    @keras.saving.register_keras_serializable(package="test")
    def twice(x):
        return x * 2

    layer = layers.Dense(2, activation=twice)
    config = layer.get_config()
    assert layers.Dense.from_config(config)(tf.ones([1, 2])).shape == (1, 2)
    assert config["activation"]["config"] == "twice"
    assert layers.Dense(2, activation=keras.activations.relu).get_config()["activation"] == "relu"


# -- variables


def test_a_variable_reads_as_a_snapshot():
    v = keras.Variable([1.0, 2.0])
    value, converted = v.value, tf.convert_to_tensor(v)
    assert is_tensor_type(v + 1) and is_tensor_type(1 - v) and is_tensor_type(v[0])
    assert is_tensor_type(v.assign([3.0, 4.0]))
    assert value.numpy().tolist() == converted.numpy().tolist() == [1.0, 2.0]
    assert v.numpy().tolist() == [3.0, 4.0]
    assert type(v.shape) is TensorShape and v.shape == (2,)
    assert (tf.reduce_sum(v) + v[1]).numpy() == 11.0


def test_tapes_watch_keras_variables():
    v = keras.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(v * v)
    assert tape.watched_variables() == (v,)
    assert tape.gradient(y, v).numpy().tolist() == [2.0, 4.0]


def test_gradients_of_a_model_and_none_outside_of_a_tape():
    model = small()
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 4)).astype("float32"))
    assert not model(x)._data.requires_grad
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.reduce_sum(model(x) ** 2)
    grads = tape.gradient(y, [x, *model.trainable_variables])
    assert all(is_tensor_type(g) for g in grads)
    step, w = 1e-3, model.trainable_variables[-1]
    before, slope = float(y), float(grads[-1][0])
    w.assign(w + tf.constant([step, 0.0]))
    assert float(tf.reduce_sum(model(x) ** 2)) == pytest.approx(before + slope * step, rel=1e-3)


def test_an_optimizer_takes_tf_variables():
    v, k = tf.Variable([1.0, 2.0]), keras.Variable([1.0, 2.0])
    kept = v.value()
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(3):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(v**2) + tf.reduce_sum(k**2)
        optimizer.apply_gradients(zip(tape.gradient(y, [v, k]), [v, k], strict=True))
    np.testing.assert_allclose(v.numpy(), k.numpy())
    assert v.numpy()[0] < 0.8 and kept.numpy().tolist() == [1.0, 2.0]
    assert int(optimizer.iterations) == 3


@pytest.mark.parametrize("name", ["Adam", "SGD", "AdamW", "RMSprop", "Ftrl", "Lion"])
def test_an_optimizer_is_called_what_it_is_on_tensorflow(name):
    cls = getattr(keras.optimizers, name)
    own = type("Own", (cls,), {"__module__": "users"})
    assert re.fullmatch(
        rf"<keras\.src\.optimizers\.{name.lower()}\.{name} object at 0x[0-9a-f]+>", repr(cls())
    )
    assert repr(own()).startswith("<users.Own object at 0x")


def test_minimize_and_old_optimizer_arguments():
    v = tf.Variable(3.0)
    optimizer = keras.optimizers.SGD(lr=0.5)
    optimizer.minimize(lambda: v * v, [v])
    assert v.numpy() == 0.0 and float(optimizer.lr) == 0.5
    decayed = keras.optimizers.legacy.SGD(1.0, decay=1.0)
    decayed.iterations.assign(1)
    assert float(decayed.learning_rate) == 0.5


# -- a model is a torch module


def test_torch_in_torch_out():
    model = small()
    y = model(torch.ones(2, 4))
    assert type(y) is torch.Tensor and y.requires_grad
    y.sum().backward()
    weight = dict(model.named_parameters()).popitem()[1]
    assert weight.grad is not None
    with torch.no_grad():
        assert not model(torch.ones(2, 4)).requires_grad


def test_torch_optimizers_train_a_model_with_tf_ops_inside():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return tf.square(self.dense(x))

    keras.utils.set_random_seed(1)
    model = Net()
    x = torch.ones(8, 4)
    model(x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (model(x) - 1.0).pow(2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] or losses[0] < 1e-6


def test_state_dict_round_trip():
    a, b = small(), small()
    b.load_state_dict(dict(zip(b.state_dict(), a.state_dict().values(), strict=True)))
    x = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(a(x).numpy(), b(x).numpy())


def test_masks_are_seen_on_both_sides():
    embedding = keras.layers.Embedding(4, 2, mask_zero=True)
    rows = embedding(np.array([[1, 2, 0]]))
    assert isinstance(rows._keras_mask, tf.Tensor)
    assert rows._keras_mask.numpy().tolist() == [[True, True, False]]
    kept = keras.layers.Activation("relu")(rows)
    assert kept._keras_mask.numpy().tolist() == [[True, True, False]]
    assert not hasattr(tf.constant(1.0), "_keras_mask")


def test_gradients_of_torchs_backward_are_read_from_variables():
    layer = keras.layers.Dense(1, kernel_initializer="ones")
    loss = layer(torch.ones(2, 3)).sum()
    loss.backward()
    assert layer.kernel.value.grad.tolist() == [[2.0]] * 3


def test_shapes_cross():
    x = tf.ones([2, 3])
    assert keras.ops.reshape(tf.ones([6]), x.shape).shape == [2, 3]
    assert keras.ops.zeros(x.shape).shape == [2, 3]


def test_an_optimizer_knows_a_variable_that_a_function_gets_as_an_argument():
    optimizer = tf.keras.optimizers.Adam(0.1)
    v = tf.Variable([1.0, -2.0])

    @tf.function
    def step(variable):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(variable**2)
        optimizer.apply_gradients([(tape.gradient(loss, variable), variable)])

    for _ in range(3):
        step(v)
    np.testing.assert_allclose(v.numpy(), [0.7, -1.7], atol=5e-3)
    assert optimizer.iterations.numpy() == 3


def test_a_tf_variable_is_an_input_and_gets_its_gradient():
    dense = tf.keras.layers.Dense(2)
    model = tf.keras.Sequential([tf.keras.Input((4,)), dense])
    want = np.tile(dense.kernel.numpy().sum(1), (3, 1))

    def gradient(image):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(model(image))
        return tape.gradient(y, image)

    image = tf.Variable(np.ones((3, 4), "float32"))
    closed_over = tf.function(lambda: gradient(image))
    for found in (gradient(image), tf.function(gradient)(image), closed_over()):
        np.testing.assert_allclose(found.numpy(), want, rtol=1e-6)
    with tf.GradientTape() as tape:
        total = tf.keras.ops.sum(image)
    np.testing.assert_array_equal(tape.gradient(total, image).numpy(), np.ones((3, 4)))


def test_a_normalization_that_was_never_built_is_saved_and_loaded(tmp_path):
    model = tf.keras.Sequential([tf.keras.layers.Normalization(), tf.keras.layers.Dense(1)])
    with pytest.warns(UserWarning, match="not yet been built"):
        model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert not loaded.built
    loaded.layers[0].adapt(np.array([[1.0], [3.0]], "float32"))
    np.testing.assert_allclose(loaded.layers[0](np.array([[3.0]], "float32")), [[1.0]])


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_window_that_does_not_fit_is_what_tensorflow_makes_of_it(size, stride):
    import tensorflow as reference

    x, filters = np.ones((1, size, size, 2), np.float32), np.ones((3, 3, 2, 1), np.float32)
    steps = (1, stride, stride, 1)
    calls = (
        (
            keras.layers.MaxPooling2D(3, stride),
            lambda: reference.nn.max_pool2d(x, 3, stride, "VALID"),
        ),
        (
            keras.layers.AveragePooling2D(3, stride),
            lambda: reference.nn.avg_pool2d(x, 3, stride, "VALID"),
        ),
        (
            keras.layers.DepthwiseConv2D(3, stride),
            lambda: reference.nn.depthwise_conv2d(x, filters, steps, "VALID"),
        ),
    )
    for layer, op in calls:
        layer.build((None, None, None, 2))
        try:
            wanted = op().shape
        except reference.errors.InvalidArgumentError:
            with pytest.raises(tf.errors.InvalidArgumentError):
                layer(x)
        else:
            assert layer(x).shape == wanted


def test_keras_refuses_a_convolution_without_a_result():
    layer = keras.layers.Conv2D(2, 3)
    layer.build((None, None, None, 2))
    with pytest.raises(ValueError, match="smaller than the kernel"):
        layer(np.ones((1, 2, 2, 2), np.float32))


def test_constructors_that_are_lambdas():
    def call(self, x):
        return x * self.by

    def init(self, by=3.0, **kwargs):
        keras.layers.Layer.__init__(self, **kwargs)
        self.by = by

    init.__name__ = "<lambda>"  # which is all that tells them apart
    scaled = type("Scaled", (keras.layers.Layer,), {"__init__": init, "call": call})
    assert scaled(4.0, name="x").get_config()["by"] == 4.0
    assert scaled()(tf.constant([1.0])).numpy().tolist() == [3.0]


def test_arrays_of_strings_enter_a_functional_model():
    inputs = keras.Input((1,), dtype="string")
    model = keras.Model(inputs, keras.layers.StringLookup(vocabulary=["a", "b"])(inputs))
    for dtype in (object, str, bytes):
        assert model(np.array([["b"], ["z"]], dtype)).numpy().tolist() == [[2], [0]]
    assert keras.ops.convert_to_tensor(["a"]).dtype == tf.string
    with pytest.raises(TypeError, match="Cannot convert 'a' to EagerTensor of dtype float"):
        keras.Variable(1.0).assign("a")

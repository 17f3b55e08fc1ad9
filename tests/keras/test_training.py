"""fit, evaluate and predict: one traced graph for each kind of step, and Keras' semantics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import torchtf as tf
from tests.conftest import results_of_both
from torchtf.core.tensor import is_tensor_type

keras = tf.keras
layers = tf.keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 6)).astype("float32")
Y = np.arange(48) % 3


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(1)
    yield
    keras.mixed_precision.set_global_policy("float32")


def classifier(optimizer="adam", **compile_args) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], **compile_args)
    return model


class Printing(layers.Layer):
    def call(self, x):
        print("called")
        return x


# -- tracing


def test_a_step_is_traced_once_for_each_signature(capsys):
    model = keras.Sequential([keras.Input((6,)), Printing(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X[:40], X[:40, :1], batch_size=16, epochs=3, verbose=0)  # 16, 16 and 8 rows
    capsys.readouterr()
    model.fit(X[:40], X[:40, :1], batch_size=16, epochs=3, verbose=0)
    assert capsys.readouterr().out == ""
    assert model.train_function.traced.experimental_get_tracing_count() <= 2


def test_a_reshape_of_open_sizes():
    """Keras' `Reshape` divides sizes; those that vary from batch to batch are known in each run."""
    model = keras.Sequential([layers.Reshape((-1, 8))])
    model.compile(loss="mse")

    def batches():
        for steps in (12, 20, 8):
            x = np.full((1, steps, 2), steps / 4, np.float32)
            yield x, np.zeros((1, steps // 4, 8), np.float32)

    loss = model.evaluate(batches(), steps=3, verbose=0)
    np.testing.assert_allclose(loss, (9 + 25 + 4) / 3, rtol=1e-6)
    assert model(tf.ones((2, 24, 2))).shape == (2, 6, 8)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        model.predict(np.ones((1, 9, 2), np.float32), verbose=0)


def test_run_eagerly_runs_python_line_by_line(capsys):
    model = keras.Sequential([keras.Input((6,)), Printing(), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X[:8], X[:8, :1], batch_size=8, verbose=0)
    capsys.readouterr()
    model.fit(X[:32], X[:32, :1], batch_size=8, verbose=0)
    assert capsys.readouterr().out.count("called") == 4


@pytest.mark.parametrize(
    "optimizer",
    [
        "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion",
        {"class_name": "SGD", "config": {"momentum": 0.9, "nesterov": True}},
        {"class_name": "Adam", "config": {"global_clipnorm": 0.1, "amsgrad": True}},
        {"class_name": "Adam", "config": {"use_ema": True, "ema_overwrite_frequency": 2}},
        {"class_name": "Adam", "config": {"gradient_accumulation_steps": 2}},
    ],
    ids=str,
)  # fmt: skip
def test_traced_steps_equal_eager_ones(optimizer):
    weights, losses = [], []
    for eager in (True, False):
        keras.utils.set_random_seed(1)
        model = classifier(keras.optimizers.get(optimizer), run_eagerly=eager)
        fitted = model.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0)
        losses.append(fitted.history["loss"])
        weights.append([*model.get_weights(), int(model.optimizer.iterations)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_gradient_accumulation_waits():
    model = classifier(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    before = model.get_weights()[0]
    model.fit(X[:16], Y[:16], batch_size=16, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    model.fit(X[:16], Y[:16], batch_size=16, verbose=0)
    assert not np.array_equal(model.get_weights()[0], before)


def test_schedules_move_inside_the_graph():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [1.0, 0.5, 0.0])
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(schedule), "mse")
    x = np.ones((1, 1), np.float32)
    seen = []
    for _ in range(5):
        model.fit(x, x * 3, verbose=0)
        seen.append(float(model.get_weights()[0][0, 0]))
    assert seen[-1] == seen[-2] == seen[-3] != seen[0]


def test_jit_compile_trains_as_without():
    histories = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
        model.compile(keras.optimizers.Adam(0.1), "mse", jit_compile=jit_compile)
        rows = np.arange(12.0, dtype="float32").reshape(3, 4)
        histories.append(model.fit(rows, rows[:, :2], epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    keras.mixed_precision.set_global_policy(policy)
    model = classifier("adam")
    losses = model.fit(X, Y, batch_size=16, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert model(X[:1]).dtype == ("float16" if policy.endswith("16") and "b" not in policy[6:] else
                                  "bfloat16")  # fmt: skip


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_loss_scaling_skips_steps_with_overflow(optimizer):
    keras.mixed_precision.set_global_policy("mixed_float16")
    model = classifier(optimizer)
    bad = X[:32].copy()
    bad[3] = np.inf
    model.fit(X[:16], Y[:16], batch_size=16, verbose=0)
    before = [w.copy() for w in model.get_weights()[:2]]
    scale = float(model.optimizer.dynamic_scale.numpy())
    model.fit(bad[:16], Y[:16], batch_size=16, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=False):
        np.testing.assert_array_equal(a, b)
    assert float(model.optimizer.dynamic_scale.numpy()) == scale / 2
    assert int(model.optimizer.iterations) == 1


@pytest.mark.parametrize(
    "metric",
    [
        keras.metrics.AUC, keras.metrics.Precision, keras.metrics.BinaryIoU,
        keras.metrics.CosineSimilarity, keras.metrics.F1Score,
    ],
)  # fmt: skip
def test_metrics_with_values_that_depend_on_data_trace(metric):
    y_true = np.eye(3, dtype="float32")[Y]
    y_pred = np.clip(np.abs(X[:, :3]), 0, 1)
    eager, traced = metric(), metric()
    tf.function(traced.update_state)(tf.constant(y_true), tf.constant(y_pred))
    eager.update_state(y_true, y_pred)
    np.testing.assert_allclose(traced.result().numpy(), eager.result().numpy(), rtol=1e-6)


# -- data


def test_every_kind_of_data_gives_the_same_evaluation():
    model = classifier()
    want = model.evaluate(X, Y, batch_size=16, verbose=0)
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=16
    )
    batches = ((X[i : i + 16], Y[i : i + 16]) for i in range(0, 48, 16))
    for data, options in (
        ((tf.constant(X), tf.constant(Y)), {"batch_size": 16}),
        ((torch.from_numpy(X), torch.from_numpy(Y)), {"batch_size": 16}),
        ((dataset,), {}),
        ((loader,), {}),
        ((batches,), {"steps": 3}),
    ):
        got = model.evaluate(*data, verbose=0, **options)
        assert got == pytest.approx(want, rel=1e-5), type(data[0])


def test_predict_of_every_size_and_structure():
    a, b = keras.Input((6,)), keras.Input((6,))
    model = keras.Model({"a": a, "b": b}, {"sum": a + b, "first": a})
    got = model.predict({"a": X, "b": X}, batch_size=20, verbose=0)
    np.testing.assert_allclose(got["sum"], 2 * X)
    np.testing.assert_array_equal(got["first"], X)
    one = model.predict({"a": X[:1], "b": X[:1]}, verbose=0)
    assert one["sum"].shape == (1, 6)


def test_class_weight_and_sample_weight_agree():
    weight = {0: 1.0, 1: 3.0, 2: 0.0}
    losses = []
    for data in (
        {"x": X, "y": Y, "class_weight": weight, "batch_size": 48},
        {"x": X, "y": Y, "sample_weight": np.array([weight[c] for c in Y]), "batch_size": 48},
        {
            "x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(48),
            "class_weight": weight,
        },
    ):
        keras.utils.set_random_seed(1)
        losses.append(classifier().fit(**data, verbose=0).history["loss"][0])
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


def test_shuffle_sees_each_row_once():
    seen = []

    class Spy(keras.Model):
        def call(self, x):
            return x

        def train_step(self, data):
            seen.extend(data[0][:, 0].numpy().tolist())
            return {"loss": tf.constant(0.0)}

    rows = np.arange(20, dtype=np.float32)[:, None]
    model = Spy()
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(rows, rows, batch_size=6, verbose=0)
    assert sorted(seen) == list(range(20)) and seen != list(range(20))


def test_steps_per_execution_calls_callbacks_once_for_each():
    steps = []

    class Spy(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)

    classifier(steps_per_execution=2).fit(X, Y, batch_size=8, verbose=0, callbacks=[Spy()])
    assert steps == [1, 3, 5]


# -- callbacks and logs


def test_callbacks_see_numbers_after_each_batch():
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, dict(logs), logs["loss"], sorted(logs)))

    classifier().fit(X, Y, batch_size=16, verbose=0, callbacks=[Spy()])
    assert [s[0] for s in seen] == [0, 1, 2]
    for _, logs, loss, names in seen:
        assert names == ["accuracy", "loss"]
        assert type(loss) is float and logs["loss"] == loss


def test_history_is_the_metrics_of_the_whole_epoch():
    model = classifier(keras.optimizers.SGD(0.0))
    model.layers[1].trainable = False  # moving statistics stay, so evaluate sees the same model
    history = model.fit(X, Y, batch_size=20, verbose=0).history
    logs = model.evaluate(X, Y, batch_size=48, verbose=0, return_dict=True)
    assert history["loss"][0] == pytest.approx(logs["loss"], rel=1e-5)
    assert history["accuracy"][0] == pytest.approx(logs["accuracy"])


def test_a_custom_train_step_with_a_tape():
    class Custom(keras.Model):
        def train_step(self, data):
            x, y = data
            assert is_tensor_type(x)
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
            grads = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(grads, self.trainable_variables, strict=True))
            return {"loss": loss, "twice": loss * 2}

    inputs = keras.Input((6,))
    model = Custom(inputs, layers.Dense(3)(inputs))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(X, Y, batch_size=48, epochs=3, verbose=0).history
    assert history["twice"] == pytest.approx([2 * v for v in history["loss"]])
    assert history["loss"][-1] < history["loss"][0]


def test_early_stopping_and_checkpoints(tmp_path):
    model = classifier(keras.optimizers.Adam(0.01))
    path = tmp_path / "best.keras"
    model.fit(
        X, Y, validation_split=0.25, epochs=4, verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True),
            keras.callbacks.ModelCheckpoint(path, save_best_only=True),
        ],
    )  # fmt: skip
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(
        loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_training_goes_on_after_loading(tmp_path, name):
    model = classifier()
    model.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    model.save(tmp_path / name)
    loaded = keras.models.load_model(tmp_path / name)
    for m in (model, loaded):
        m.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_wrong_shapes_are_one_clear_error():
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 6"):
        classifier().fit(X[:, :4], Y, verbose=0)
    with pytest.raises(ValueError, match="Data cardinality is ambiguous"):
        classifier().fit(X, Y[:-1], verbose=0)


# -- randomness


def test_dropout_draws_anew_in_each_run_of_the_graph():
    model = keras.Sequential([keras.Input((100,)), layers.Dropout(0.5)])
    step = tf.function(lambda x: model(x, training=True))
    x = tf.ones([1, 100])
    a, b = step(x).numpy(), step(x).numpy()
    assert not np.array_equal(a, b) and set(np.unique(a)) <= {0.0, 2.0}
    np.testing.assert_array_equal(model(x).numpy(), x.numpy())


def test_a_seeded_layer_repeats_itself_in_a_graph():
    def draws():
        layer = layers.Dropout(0.5, seed=7)
        step = tf.function(lambda x: layer(x, training=True))
        return [step(tf.ones([50])).numpy() for _ in range(3)]

    a, b = draws(), draws()
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)
    assert not np.array_equal(a[0], a[1])


def test_set_random_seed_repeats_a_training():
    losses = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        losses.append(classifier().fit(X, Y, epochs=2, verbose=0).history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "layer",
    [
        layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1), layers.RandomContrast(0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_augmentation_in_a_pipeline_draws_for_each_image(layer):
    image = RNG.random((8, 8, 3)).astype("float32")
    images = np.stack([image] * 16)
    dataset = tf.data.Dataset.from_tensor_slices(images).map(lambda x: layer(x, training=True))
    got = np.stack([x.numpy() for x in dataset])
    assert got.shape == (16, 8, 8, 3) and got.dtype == np.float32
    assert len(np.unique(got.reshape(16, -1), axis=0)) > 1


_STEP_ONLY = """
import importlib, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras, layers = tf.keras, tf.keras.layers
x = np.linspace(-1, 1, 48, dtype="float32").reshape(12, 4)
def fixed(model):
    for v in model.weights:
        v.assign(np.linspace(-0.5, 0.5, int(np.prod(v.shape))).reshape(tuple(v.shape)))
    return model
lines, calls = [], []
def show(*values):
    lines.append(" ".join(map(str, values)))
class Autoencoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = fixed(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
        self.decoder = fixed(keras.Sequential([keras.Input((2,)), layers.Dense(4)]))
        self.tracker = keras.metrics.Mean(name="loss")
    @property
    def metrics(self):
        return [self.tracker]
    def train_step(self, data):
        calls.append(data.shape)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(data - self.decoder(self.encoder(data))))
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}
model = Autoencoder()
model.compile(keras.optimizers.Adam(0.1))
history = model.fit(x, batch_size=4, epochs=2, shuffle=False, verbose=0)
show(len(calls), np.round(history.history["loss"], 4))

sizes = []
class Baseline(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1, kernel_initializer="ones")
    def call(self, inputs):
        sizes.append(inputs.shape[1])
        return self.dense(inputs[:, -2:] + inputs[:, :2])
model = Baseline()
model.compile("sgd", "mse", metrics=["mae"])
series = keras.utils.timeseries_dataset_from_array(
    x, targets=None, sequence_length=4, batch_size=3).map(lambda w: (w[:, :2], w[:, 2:, :1]))
history = model.fit(series, epochs=2, verbose=0)
show(*(np.round(v, 4) for v in history.history.values()))
show("sizes", set(sizes) <= {2, None})

normalize = layers.Normalization()
normalize.adapt(x)
mean = normalize.mean
show(repr(mean), type(mean).__name__.endswith("Tensor"))
normalize.weights[0].assign(tf.ones(4))
show(np.round(normalize(x[:1]).numpy(), 4))
normalize.adapt(x + 1)
show(np.round(mean.numpy(), 4), np.round(normalize.mean.numpy(), 4))

text = np.array(["A good <br> film", "bad, bad"])
split = layers.TextVectorization(
    standardize=lambda s: tf.strings.regex_replace(tf.strings.lower(s), "<br>|,", " "),
    output_sequence_length=4)
split.adapt(text)
show(split.get_vocabulary(), split(tf.constant(text)).numpy())
print("RESULT", json.dumps(lines))
"""


def test_steps_trace_real_batches_as_in_tensorflow(tmp_path_factory):
    found = results_of_both(tmp_path_factory, _STEP_ONLY)
    assert found["torchtf"] == found["tensorflow"] != []


def test_callbacks_see_the_outputs_of_predict_as_arrays():
    class Outputs(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_predict_batch_end(self, batch, logs=None):
            self.seen.append(logs["outputs"])

    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    heard = Outputs()
    found = model.predict(np.ones((5, 3), "float32"), batch_size=2, callbacks=[heard], verbose=0)
    assert all(type(o) is np.ndarray for o in heard.seen)
    np.testing.assert_array_equal(np.concatenate(heard.seen), found)


def test_metrics_of_an_epoch_are_those_before_its_validation():
    class Steps(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="steps")
            self.steps = self.add_weight(shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.steps.assign_add(1.0)

        def result(self):
            return self.steps

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    count = keras.metrics.TruePositives(name="count", thresholds=0.0)
    model.compile("sgd", "mse", metrics=[count, Steps()])
    many, few = np.ones((8, 2), "float32"), np.ones((3, 2), "float32")
    history = model.fit(
        many, many[:, :1], validation_data=(few, few[:, :1]), batch_size=4, epochs=2, verbose=0
    ).history
    assert history["count"] == [8.0, 8.0] and history["val_count"] == [3.0, 3.0]
    assert history["steps"] == [2.0, 2.0] and history["val_steps"] == [1.0, 1.0]


@pytest.mark.parametrize("name", ["Sum", "FalseNegatives"])
def test_the_result_of_a_metric_does_not_change_later(name):
    metric = getattr(keras.metrics, name)()
    update = metric.update_state if name == "Sum" else lambda x: metric.update_state(x, [0.0])
    update([1.0])
    before = metric.result()
    update([1.0])
    assert float(before) == 1.0 and float(metric.result()) == 2.0


def test_methods_assigned_to_a_class_later():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

    model = Model()

    def call(self, x):
        return tf.stack([self.dense(x)] * 2, axis=1)

    def train_step(self, data):
        assert isinstance(data[0], tf.Tensor)
        return {"seen": tf.reduce_sum(data[0])}

    Model.call, Model.train_step = call, train_step
    x = np.ones((4, 3), "float32")
    assert model(x).shape == (4, 2, 2)
    model.compile("sgd", "mse")
    assert model.fit(x, np.ones((4, 2, 2)), verbose=0).history == {"seen": [12.0]}
    assert model.predict(x, verbose=0).shape == (4, 2, 2)

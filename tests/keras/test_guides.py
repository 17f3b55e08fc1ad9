"""Programs in the style of TensorFlow's tutorials and guides: the same text on both, the same values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import results_of_both

# Both sides run this text; the first argument names the module.
PROGRAM = r"""
import importlib, json, re, string, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras, layers = tf.keras, tf.keras.layers
EAGER = sys.argv[1] == "tensorflow"  # spares TensorFlow's many traces; ours are traced
PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function


def with_weights(model, seed=1):
    random = np.random.default_rng(seed)
    for v in model.weights:
        if "seed" not in v.path:
            v.assign(random.normal(0.0, 0.3, tuple(v.shape)))
    return model


def plain(value):
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "to_list"):
        return plain(value.to_list())
    if hasattr(value, "numpy"):
        value = value.numpy()
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, list):
        return plain(value)
    return value.decode() if isinstance(value, bytes) else value


@program
def text_classification():
    def standardize(text):
        text = tf.strings.regex_replace(tf.strings.lower(text), "<br />", " ")
        return tf.strings.regex_replace(text, "[%s]" % re.escape(string.punctuation), "")

    texts = ["The movie was <br /> great!", "awful, AWFUL thing", "great thing", "no no", "great"]
    data = tf.data.Dataset.from_tensor_slices((texts, [1, 0, 1, 0, 1])).batch(2)
    vectorize = layers.TextVectorization(
        20, standardize=standardize, output_mode="int", output_sequence_length=6)
    vectorize.adapt(data.map(lambda x, y: x))
    numbers = data.map(lambda x, y: (vectorize(tf.expand_dims(x, -1)), y)).cache()
    model = with_weights(keras.Sequential([
        keras.Input((6,)), layers.Embedding(20, 4), layers.GlobalAveragePooling1D(),
        layers.Dense(1, activation="sigmoid")]))
    model.compile("adam", "binary_crossentropy", run_eagerly=EAGER,
                  metrics=[keras.metrics.BinaryAccuracy(threshold=0.5)])
    yield [x for x, _ in numbers], vectorize.get_vocabulary()
    yield model.fit(numbers, validation_data=numbers, epochs=2, verbose=0).history
    whole = keras.Sequential([vectorize, model])
    whole.compile("adam", "binary_crossentropy", metrics=["accuracy"], run_eagerly=EAGER)
    yield whole.evaluate(data, verbose=0)
    yield whole.predict(tf.constant(["great movie", "a b c d e f g h"]), verbose=0)


@program
def structured_data():
    random = np.random.default_rng(0)
    columns = {"type": np.array(["Cat", "Dog"], object)[random.integers(0, 2, 20)],
               "age": random.integers(0, 5, 20),
               "fee": random.integers(0, 200, 20).astype("float32")}
    rows = {k: v[:, None] for k, v in columns.items()}
    data = tf.data.Dataset.from_tensor_slices((rows, random.integers(0, 2, 20))).batch(8)
    inputs, parts = {}, []
    for name, dtype in (("type", "string"), ("age", "int64"), ("fee", "float32")):
        inputs[name] = keras.Input((1,), name=name, dtype=dtype)
        column = data.map(lambda x, y: x[name])
        if name == "fee":
            layer = layers.Normalization(axis=None)
            layer.adapt(column)
            parts.append(layer(inputs[name]))
            continue
        lookup = layers.StringLookup() if dtype == "string" else layers.IntegerLookup(max_tokens=4)
        lookup.adapt(column)
        parts.append(layers.CategoryEncoding(lookup.vocabulary_size())(lookup(inputs[name])))
    x = layers.Dense(8, activation="relu")(layers.concatenate(parts))
    model = with_weights(keras.Model(inputs, layers.Dense(1)(x)))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=EAGER)
    yield model.fit(data, epochs=2, validation_data=data, verbose=0).history
    model.save("pets.keras")
    sample = {"type": ["Cat", "Cow"], "age": [3, 4], "fee": [100.0, 20.0]}
    sample = {k: tf.convert_to_tensor(v) for k, v in sample.items()}
    yield keras.models.load_model("pets.keras").predict(sample, verbose=0)


@program
def preprocessing_layers():
    words = tf.constant([["a", "b"], ["c", "zz"]])
    numbers = tf.constant([[12, 36], [7, 12]])
    text = ["The Brain is wider than the Sky", "For put them side by side"]
    lookup = layers.StringLookup(vocabulary=["a", "b", "c"])
    for layer, x in (
        (lookup, words),
        (layers.StringLookup(vocabulary=["a", "b"], invert=True), tf.constant([0, 1, 2])),
        (layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot"), words),
        (layers.StringLookup(num_oov_indices=3, vocabulary=["a"], mask_token=""), words),
        (layers.IntegerLookup(vocabulary=[12, 36], output_mode="count"), numbers),
        (layers.Hashing(3), words),
        (layers.Hashing(3, salt=[133, 137], output_mode="one_hot"), words[:, :1]),
        (layers.Hashing(4, mask_value="a"), words),
        (layers.HashedCrossing(5), (words[:, 0], numbers[:, 0])),
        (layers.HashedCrossing(5, output_mode="one_hot"), (words[:, :1], numbers[:, :1])),
        (layers.TextVectorization(vocabulary=["a", "b"], ragged=True), ["a b c", "a"]),
        (layers.TextVectorization(vocabulary=["a", "b"], split="character"), ["ab", "c"]),
    ):
        yield layer(x), tf.function(lambda *x: layer(x if len(x) > 1 else x[0]))(
            *(x if isinstance(x, tuple) else (tf.constant(x),)))
    for mode in ("multi_hot", "tf_idf", "count"):
        layer = layers.TextVectorization(output_mode=mode, ngrams=2)
        layer.adapt(text)
        yield layer(text[:1]), layer.get_vocabulary()
    yield list(tf.data.Dataset.from_tensor_slices(["a", "b", "zz"]).batch(2).map(lookup))
    sparse = layers.StringLookup(vocabulary=["a"], output_mode="multi_hot", sparse=True)(words)
    yield tf.sparse.to_dense(sparse)


@program
def masked_recurrent_layers():
    class Cell(layers.Layer):
        state_size = 3

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 3), initializer="ones", name="kernel")

        def call(self, x, states):
            h = tf.tanh(tf.matmul(x, self.kernel) + 0.5 * states[0])
            return h, [h]

    random = np.random.default_rng(0)
    rows = [random.integers(1, 20, n) for n in (3, 7, 5, 9, 2, 6)]
    spec = (tf.TensorSpec((None,), tf.int64), tf.TensorSpec((), tf.int64))
    data = tf.data.Dataset.from_generator(
        lambda: ((r, len(r) % 2) for r in rows), output_signature=spec).padded_batch(2)
    for parts in (
        [layers.Bidirectional(layers.SimpleRNN(3))],
        [layers.RNN(Cell(), return_sequences=True, zero_output_for_mask=True),
         layers.SimpleRNN(2, go_backwards=True)],
        [layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
         layers.Bidirectional(layers.GRU(3), merge_mode="sum")],
    ):
        model = keras.Sequential([layers.Embedding(20, 4, mask_zero=True), *parts, layers.Dense(1)])
        model.build((None, None))
        with_weights(model)
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=EAGER)
        yield model.fit(data, epochs=2, verbose=0).history, model.predict(data, verbose=0)


@program
def losses_of_activations():
    random = np.random.default_rng(0)
    x = random.normal(0, 100, (12, 4)).astype("float32")
    targets = {"binary_crossentropy": random.integers(0, 2, (12, 3)),
               "sparse_categorical_crossentropy": random.integers(0, 3, 12),
               "categorical_crossentropy": random.random((12, 3))}  # rows do not add up to one
    for loss, y in targets.items():
        activation = "sigmoid" if loss.startswith("binary") else "softmax"
        model = with_weights(keras.Sequential(
            [keras.Input((4,)), layers.Dense(3, activation=activation)]))
        model.compile(keras.optimizers.SGD(1e-4), loss, metrics=[loss], run_eagerly=EAGER)
        yield model.fit(x, y, epochs=2, batch_size=5, verbose=0, shuffle=False).history
        yield getattr(keras.losses, loss)(y, model(x))


@program
def text_generation():
    text = "First Citizen: speak, speak. All: " * 4
    ids = layers.StringLookup(vocabulary=sorted(set(text)), mask_token=None)
    chars = layers.StringLookup(vocabulary=ids.get_vocabulary(), invert=True, mask_token=None)
    data = tf.data.Dataset.from_tensor_slices(ids(tf.strings.unicode_split(text, "UTF-8")))
    data = data.batch(9, drop_remainder=True).map(lambda x: (x[:-1], x[1:])).batch(4, True)

    class Generator(keras.Model):
        def __init__(self, size):
            super().__init__()
            self.embedding = layers.Embedding(size, 6)
            self.gru = layers.GRU(8, return_sequences=True, return_state=True)
            self.dense = layers.Dense(size)

        def call(self, x, states=None, return_state=False, training=False):
            x = self.embedding(x)
            if states is None:
                states = self.gru.get_initial_state(tf.shape(x)[0])
            x, states = self.gru(x, initial_state=states, training=training)
            return (self.dense(x), states) if return_state else self.dense(x)

    model = Generator(len(ids.get_vocabulary()))
    model(next(iter(data))[0])
    with_weights(model)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    yield model.fit(data, epochs=2, verbose=0).history

    @tf.function
    def one_step(text, states=None):
        x = ids(tf.strings.unicode_split(text, "UTF-8")).to_tensor()
        logits, states = model(x, states=states, return_state=True)
        return chars(tf.argmax(logits[:, -1], -1)), states

    text, states = tf.constant(["Citi", "spea"]), None
    for _ in range(3):  # several rows and steps: a row's outputs do not lie together
        text, states = one_step(text, states)
        yield text


@program
def positions_in_a_loop():
    # a table of more rows than any prefix has; the mask of the embedding has the prefix's length
    table = tf.constant(np.random.default_rng(0).normal(size=(16, 4)), tf.float32)

    class Positions(layers.Layer):
        def __init__(self):
            super().__init__()
            self.embedding = layers.Embedding(9, 4, mask_zero=True)
            self.attention = layers.MultiHeadAttention(2, 4)

        def compute_mask(self, x, mask=None):
            return self.embedding.compute_mask(x)

        def call(self, x):
            length = tf.shape(x)[1]
            x = self.embedding(x) + table[tf.newaxis, :length]
            return self.attention(x, x, use_causal_mask=True)

    model = keras.Sequential([Positions(), layers.Dense(9)])
    model(tf.constant([[1, 2]]))
    with_weights(model)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def translate(steps):
        found = tf.TensorArray(tf.int64, size=0, dynamic_size=True).write(0, [1])

        def step(i, found):
            logits = model(tf.transpose(found.stack()), training=False)
            return i + 1, found.write(i + 1, tf.argmax(logits[:, -1], -1))

        _, found = tf.while_loop(lambda i, found: i < steps, step, (0, found))
        return tf.transpose(found.stack())

    yield translate(tf.constant(5))


@program
def sizes_reach_keras():
    generator = keras.random.SeedGenerator(7)

    class Sampling(layers.Layer):
        def call(self, x):
            shape = tf.shape(x)
            noise = keras.random.normal((shape[0], shape[1]), seed=generator)
            return x + 0 * noise + keras.ops.ones((shape[0], 1))

    model = with_weights(keras.Sequential([keras.Input((3,)), Sampling(), layers.Dense(2)]))
    model.compile("sgd", "mse", run_eagerly=EAGER)
    x = np.arange(15, dtype="float32").reshape(5, 3) / 10
    yield model.fit(x, x[:, :2], batch_size=2, epochs=2, shuffle=False, verbose=0).history


@program
def sparse_inputs():
    x = np.arange(12, dtype="float32").reshape(4, 3) / 10
    y = np.array([[0.0], [1.0], [0.0], [1.0]], "float32")
    s = tf.sparse.from_dense(x)

    def model():
        m = keras.Sequential(
            [keras.Input((3,), sparse=True), layers.Dense(1, kernel_initializer="ones")])
        m.compile("sgd", "mse", run_eagerly=EAGER)
        return m

    def dense(t):
        is_sparse = isinstance(t, tf.SparseTensor)
        return [is_sparse, tf.sparse.to_dense(t) if is_sparse else t]

    class Users(layers.Layer):
        def call(self, inputs):
            return tf.sparse.sparse_dense_matmul(inputs, tf.ones((3, 2)))

    m = model()
    yield [m.inputs[0].sparse, dense(m(s)), m.predict(s, verbose=0)]
    yield m.fit(s, y, validation_split=0.5, batch_size=1, shuffle=False, verbose=0).history
    yield [m.evaluate(s, y, verbose=0), model().train_on_batch(s, y), model().predict_on_batch(s)]
    rows = tf.data.Dataset.from_tensor_slices((s, y)).batch(3)
    yield model().fit(rows, epochs=2, verbose=0).history
    a, b = keras.Input((3,), sparse=True), keras.Input((3,))
    ones = layers.Dense(2, kernel_initializer="ones")
    both = keras.Model([a, b], [layers.Concatenate()([a, b]), ones(a)])
    yield [dense(t) for t in both([s, tf.constant(x)])]
    yield dense(Users()(s))
    table = layers.Embedding(4, 2, embeddings_initializer="ones")
    yield dense(table(tf.sparse.from_dense([[1, 0], [2, 3]])))
    m.save("sparse.keras")
    yield dense(keras.models.load_model("sparse.keras")(s))
    encoded = layers.CategoryEncoding(4, sparse=True)(tf.constant([[1, 2]]))
    yield [dense(t) for t in (
        encoded,
        layers.Dense(2, kernel_initializer="ones")(encoded),
        layers.CategoryEncoding(4, output_mode="count", sparse=True)(tf.constant([[1, 1]])),
        layers.Discretization([1.0, 2.0], output_mode="one_hot", sparse=True)(tf.constant([1.5])),
        layers.Hashing(3, output_mode="one_hot", sparse=True)(tf.constant(["a"])),
        layers.StringLookup(vocabulary=["a"], output_mode="multi_hot", sparse=True)(
            tf.constant([["a"]])),
        keras.ops.one_hot(tf.constant([1]), 3, sparse=True),
        keras.ops.multi_hot(tf.constant([[1, 2]]), 3, sparse=True),
    )]


@program
def functions_of_the_backend():
    K = keras.backend
    random = np.random.default_rng(0)
    scores = np.abs(random.normal(size=(2, 4, 4))).astype("float32")
    lengths, two = np.array([[4], [3]]), tf.constant([[1.0, 2.0], [3.0, 4.0]])
    yield K.ctc_batch_cost(np.array([[1, 2], [0, 1]]), scores, lengths, np.array([[2], [1]]))
    decoded, odds = K.ctc_decode(scores, np.array([4, 3]), greedy=False)
    yield [decoded[0], odds]
    yield tf.function(lambda x: K.gradients(x * x, [x]))(tf.constant(3.0))
    yield [K.switch(tf.constant(True), tf.constant(1), tf.constant(2)),
           K.switch(tf.constant([True, False]), tf.constant([1, 2]), tf.constant([3, 4]))]
    def step(x, states):
        return x + states[0], [x + states[0]]
    steps, start = tf.ones((1, 3, 2)), [tf.zeros((1, 2))]
    yield [K.rnn(step, steps, start), K.rnn(step, steps, start, unroll=True, go_backwards=True),
           K.rnn(step, steps, start, mask=tf.constant([[True, False, True]]))]
    yield [K.map_fn(lambda v: v * 2, two), K.foldl(lambda a, b: a + b, two),
           K.foldr(lambda a, b: a - b, two), K.gather(two, [1]),
           K.in_top_k(two, tf.constant([1, 0]), 1)]
    image = tf.reshape(tf.range(32.0), (1, 4, 4, 2))
    yield [K.conv2d(image, tf.ones((2, 2, 2, 1)), strides=(2, 2), padding="same"),
           K.conv2d(image, tf.ones((2, 2, 2, 1)), dilation_rate=(2, 2)),
           K.pool2d(image, (2, 2), pool_mode="avg"), K.pool2d(image, (2, 2), padding="same")]
    yield [K.spatial_2d_padding(image), K.concatenate([tf.sparse.from_dense(two)] * 2).values]
    variable = tf.Variable(1.0)
    yield [K.update(variable, 2.0), K.update_add(variable, 1.0), K.update_sub(variable, 0.5)]
    yield [K.random_normal_variable((2, 3), 0.0, 1.0).shape.as_list(), keras.__version__]
    yield keras.ops.image.gaussian_blur(image, (3, 5), (1.0, 2.0))
    top = keras.ops.top_k(two, 1)
    yield [top.values, top.indices, top.indices.dtype.name, keras.optimizers.Adam().iterations.dtype]
    blurs = layers.RandomGaussianBlur(1.0, kernel_size=3, sigma=(0.5, 0.5), seed=1)
    model = keras.Sequential([keras.Input((4, 4, 2)), blurs, layers.Flatten(),
                              layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", run_eagerly=EAGER)
    yield model.fit(image / 40, tf.ones((1, 1)), epochs=2, verbose=0).history
    try:
        keras.Variable(np.zeros((2, 2))).assign(np.zeros(3))
    except ValueError as error:
        yield str(error).partition(" Target")[0]


@program
def functions_that_layers_hold():
    # as guided backpropagation and layer-wise relevance compare and replace them
    seen = []

    def double(x):
        seen.append(isinstance(x, tf.Tensor))
        return x * 2

    @tf.custom_gradient
    def guided(x):
        return tf.nn.relu(x), lambda dy: tf.cast((dy > 0) & (x > 0), dy.dtype) * dy

    relu = keras.activations.relu
    model = with_weights(keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, "relu"), layers.Dense(5, relu), layers.Dense(2)]))
    found = [layer.activation == relu for layer in model.layers]
    yield found
    for layer in model.layers[:2]:
        layer.activation = guided
    x = tf.reshape(tf.range(12.0), (3, 4)) - 5
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x)
    yield tape.gradient(y, x)
    model.layers[0].activation = double
    yield [model(x), seen, model.layers[0].activation is double]
    dense = layers.Dense(2, layers.LeakyReLU(), kernel_initializer="ones")
    yield [dense(x), isinstance(dense.activation, layers.LeakyReLU)]
    dense.activation = double
    yield [dense(x), dense.get_config()["activation"]["config"]]
    dense = layers.Dense(2, kernel_initializer=tf.ones, kernel_regularizer=tf.reduce_sum)
    yield [dense(x), dense.losses, dense.kernel_initializer is tf.ones,
           dense.kernel_regularizer is tf.reduce_sum, layers.Lambda(double).function is double,
           keras.activations.get(double) is double, hasattr(layers.Flatten(), "activation")]
    functions = [keras.activations.get("relu"), keras.activations.deserialize("relu"),
                 layers.LSTM(2).cell.recurrent_activation, keras.losses.get("mse"),
                 keras.losses.MeanSquaredError().fn]
    yield [[f is relu, isinstance(f(x, x) if "error" in f.__name__ else f(x), tf.Tensor)]
           for f in functions]


@program
def attributes_change():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = layers.Dense(2), layers.Dense(3)

        def call(self, x):
            return self.last(self.first(x))

    x = tf.ones((1, 2))
    for last in (tf.identity, lambda x: x[:, :1], layers.Dense(7), tf.identity):
        net = Net()
        net.last = last
        yield [net(x).shape.as_list(), len(net.layers)]
        net.last = tf.identity
        yield net(x).shape.as_list()
    net = Net()
    for other in (None, "text", 3, [layers.Dense(2), layers.Dense(3)], tf.ones(2)):
        net.last = other
        yield [type(net.last).__name__ in ("EagerTensor", "Tensor"), len(net.layers)]
    del net.first
    yield hasattr(net, "first")


@program
def nothing_to_train_on():
    empty = tf.data.Dataset.from_tensor_slices((np.ones((0, 4)), np.ones((0, 2)))).batch(2)
    for data in ((np.ones((0, 4)), np.ones((0, 2))), (empty,)):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
        model.compile("sgd", "mse", metrics=["mae"])
        yield [model.fit(*data, verbose=0).history, model.evaluate(*data, verbose=0),
               model.evaluate(*data, verbose=0, return_dict=True)]
        history = model.fit(
            np.ones((2, 4)), np.ones((2, 2)), validation_data=data[0] if data[1:] == () else data,
            verbose=0).history
        yield [sorted(history), model.fit(*data, verbose=0).history]


@program
def one_text_without_a_batch():
    vectorize = layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=4)
    data = tf.data.Dataset.from_tensor_slices(["a b a", "b c"])
    yield [vectorize("a b"), vectorize(tf.constant("b")), vectorize([["a"], ["c b"]])]
    words = layers.TextVectorization(vocabulary=["a", "b"])
    yield list(data.map(lambda x: (words(x), words(x))).padded_batch(2))
    for mode in ("int", "multi_hot", "count"):
        yield layers.TextVectorization(vocabulary=["a", "b"], output_mode=mode)("a b a")
    yield layers.TextVectorization(vocabulary=["a", "b"], ragged=True)("a b a")


results = {name: list(map(plain, f())) for name, f in PROGRAMS.items()}
assert EAGER or not any(m.split(".")[0] == "tensorflow" for m in sys.modules)
print("RESULT", json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return results_of_both(tmp_path_factory, PROGRAM)


def assert_same(got, want):
    if isinstance(want, dict):
        assert got.keys() == want.keys()
        for key in want:
            assert_same(got[key], want[key])
    elif isinstance(want, list):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert_same(a, b)
    elif isinstance(want, float):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=1e-5)
    else:
        assert got == want


@pytest.mark.parametrize(
    "name",
    [
        "text_classification", "structured_data", "preprocessing_layers", "masked_recurrent_layers",
        "losses_of_activations", "text_generation", "positions_in_a_loop", "sizes_reach_keras",
        "sparse_inputs", "functions_of_the_backend", "functions_that_layers_hold",
        "attributes_change", "nothing_to_train_on", "one_text_without_a_batch",
    ],
)  # fmt: skip
def test_same_values(results, name):
    assert_same(results["torchtf"][name], results["tensorflow"][name])

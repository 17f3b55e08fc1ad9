"""Variables and functions of a saved `tf.Module`: torchtf and TensorFlow find them where they were."""

from __future__ import annotations

import json

import numpy as np
import pytest

import torchtf as tf

X = np.float32([[1, 2, 3]])


class Layer(tf.Module):
    def __init__(self, size):
        super().__init__()
        self.w = tf.Variable(np.arange(3 * size, dtype=np.float32).reshape(3, size) / 10, name="w")

    def __call__(self, x):
        return x @ self.w


class Model(tf.Module):
    def __init__(self):
        super().__init__()
        self.layers = [Layer(3), Layer(2)]
        self.scale = tf.Variable(1.0)
        self.calls = tf.Variable(0, trainable=False, name="calls")
        self.table = {"bias": tf.Variable([1.0, 2.0])}

    @tf.function
    def __call__(self, x, squared=False):
        self.calls.assign_add(1)
        for layer in self.layers:
            x = layer(x)
        y = x * self.scale + self.table["bias"]
        return {"y": y * y if squared else y, "parts": [self.calls + 0]}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
    def rescale(self, value):
        self.scale.assign(value)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def serve(self, x):
        return {"scaled": x * self.scale}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    model = Model()
    model(tf.constant(X))
    model(tf.constant(np.tile(X, (2, 1))))
    model(tf.constant(X), squared=True)
    path = str(tmp_path_factory.mktemp("functions") / "1")
    tf.saved_model.save(model, path, signatures={"serve": model.serve})
    return path


# The same text runs in both; the model was called three times before it was saved.
USE = """
def use(tf, folder, x):
    model = tf.saved_model.load(folder)
    seen = [model(tf.constant(x)), model(tf.constant(x), squared=True)]
    model.rescale(tf.constant(2.0))
    seen += [model(tf.constant(x)), model.calls, model.layers[1].w, model.table["bias"]]
    seen += [model.signatures["serve"](x=tf.constant(x))["scaled"]]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.constant(x))["y"] ** 2)
    seen += tape.gradient(loss, [model.scale, model.layers[0].w])
    for wrong in ((tf.constant(x[0]),), (tf.constant(x), 3)):
        try:
            model(*wrong)
        except ValueError as error:
            seen.append(str(error)[:60])
    flat = tf.nest.flatten(seen)
    return [v if isinstance(v, str) else v.numpy().tolist() for v in flat] + [
        callable(model), callable(model.layers[0]), len(model.layers), list(model.signatures),
        model.scale.trainable, model.calls.trainable,
    ]
"""


def test_both_load_the_same(folder, run_python):
    space: dict = {}
    exec(USE, space)
    mine = space["use"](tf, folder, X)
    code = f"import json, numpy as np, tensorflow as tf\n{USE}\n"
    code += f"print(json.dumps(use(tf, {folder!r}, np.float32({X.tolist()}))))"
    theirs = json.loads(run_python(code).splitlines()[-1])
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        if isinstance(a, (str, bool)) or a is None or (isinstance(a, list) and "serve" in a):
            assert a == b
        else:
            np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_loaded_model_is_part_of_a_program(folder, tmp_path):
    model = tf.saved_model.load(folder)
    want = model(tf.constant(X))["y"].numpy()
    assert {v.name for v in model.trainable_variables} == {"w:0", "Variable:0"}

    @tf.function
    def around(x):
        return model(x)["y"] + 1

    np.testing.assert_allclose(around(tf.constant(X)).numpy(), want + 1, rtol=1e-6)
    model.rescale(3.0)
    changed = model(tf.constant(X))["y"].numpy()
    tf.saved_model.save(model, str(tmp_path / "again"))
    again = tf.saved_model.load(str(tmp_path / "again"))
    np.testing.assert_allclose(again(tf.constant(X))["y"].numpy(), changed, rtol=1e-6)
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        again(tf.constant(X[0]))


# The same text runs in both, on one folder: which graph takes the arguments, or the error.
SELECT = """
def select(tf, folder):
    model = tf.saved_model.load(folder)
    one, two = tf.constant(1.0), tf.constant([1.0, 2.0])
    calls = [
        lambda: model.scaled(two, 3), lambda: model.scaled([1, 2], 3.0),
        lambda: model.scaled(two.numpy(), 3), lambda: model.scaled(two.numpy().astype("f8"), 3),
        lambda: model.scaled(two, 0.5, True, label="b"), lambda: model.scaled(two, n=4),
        lambda: model.scaled(two, tf.constant(3)), lambda: model.scaled("text", 3),
        lambda: model.scaled(one), lambda: model.scaled({"a": two}, 3),
        lambda: model.either(1), lambda: model.either(2.0), lambda: model.either(3),
        lambda: model.either(two[0]), lambda: model.either(True), lambda: model.either(None),
        lambda: model.nested({"a": one, "b": (one,)}), lambda: model.nested({"a": 5, "b": (6.0,)}),
        lambda: model.nested({"a": one, "b": [one]}), lambda: model.nested({"a": one}),
        lambda: model.nested({"a": one, "b": (one,)}, one, 2, weight=3.0),
        lambda: model.nested({"a": one, "b": (one,)}, one, weight=3.0),
        lambda: tf.function(lambda x: model.scaled(x, 3) + model.either(3))(two),
    ]
    found = []
    for call in calls:
        try:
            found.append(call().numpy().tolist())
        except ValueError as error:
            found.append(str(error))
    return found
"""


def test_arguments_select_the_graph(tmp_path, run_python):
    @tf.function
    def scaled(x, n=2, negative=False, label="a"):
        return -x * n if negative else x * n

    @tf.function
    def either(x):
        return x * 2

    @tf.function
    def nested(d, *more, weight=1.0):
        return (d["a"] + d["b"][0] + sum(more)) * weight

    module, one = tf.Module(), tf.constant(1.0)
    module.scaled, module.either, module.nested = scaled, either, nested
    scaled(tf.constant([1.0, 2.0]), 3)
    scaled(tf.constant([1.0, 2.0]), 0.5, True, label="b")
    for value in (1, 2.0, one):
        either(value)
    nested({"a": one, "b": (one,)})
    nested({"a": one, "b": (one,)}, one, one, weight=3.0)
    folder = str(tmp_path / "m")
    tf.saved_model.save(module, folder)
    space: dict = {}
    exec(SELECT, space)
    code = f"import json, tensorflow as tf\n{SELECT}\nprint(json.dumps(select(tf, {folder!r})))"
    assert space["select"](tf, folder) == json.loads(run_python(code).splitlines()[-1])


def test_a_function_without_results_is_left_out(tmp_path):
    module = tf.Module()
    module.show = tf.function(lambda: None, input_signature=[])
    module.double = tf.function(lambda x: x * 2, input_signature=[tf.TensorSpec([], tf.float32)])
    with pytest.warns(UserWarning, match="neither returns tensors nor assigns"):
        tf.saved_model.save(module, str(tmp_path / "m"))
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    assert list(loaded.signatures) == ["serving_default"] and loaded.double(2).numpy() == 4
    with pytest.raises(NotImplementedError, match="neither returns tensors nor assigns"):
        tf.saved_model.save(tf.Module(), str(tmp_path / "s"), tf.function(lambda: (), []))


def test_a_function_never_traced_has_no_graph(tmp_path):
    class Idle(tf.Module):
        @tf.function
        def idle(self, x):
            return x

    module = Idle()
    module.v = tf.Variable([1.0, 2.0])
    tf.saved_model.save(module, str(tmp_path / "m"))
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    assert loaded.v.numpy().tolist() == [1, 2] and not loaded.signatures
    with pytest.raises(ValueError, match="Found zero restored functions"):
        loaded.idle(tf.constant(1.0))


def test_a_checkpoint_of_the_module_reads_its_variables(folder):
    model = Model()
    model.scale.assign(7.0)
    tf.train.Checkpoint(model).restore(f"{folder}/variables/variables").expect_partial()
    assert model.scale.numpy() == 1 and model.calls.numpy() == 3


def test_a_signature_that_writes(tmp_path):
    class Counter(tf.Module):
        def __init__(self):
            super().__init__()
            self.total = tf.Variable(tf.zeros([3]), name="total")

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
        def add(self, x):
            return {"total": self.total.assign_add(tf.reduce_sum(x, 0))}

    module = Counter()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"add": module.add})
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    for step in (1, 2):
        got = loaded.signatures["add"](tf.constant(X))["total"]
        np.testing.assert_allclose(got.numpy(), X[0] * step)
    np.testing.assert_allclose(loaded.total.numpy(), X[0] * 2)
    assert module.total.numpy().tolist() == [0, 0, 0]


def test_a_function_without_a_form_is_left_out(tmp_path):
    class Words(tf.Module):
        def __init__(self):
            super().__init__()
            self.w = tf.Variable(2.0)

        @tf.function
        def parse(self, text):
            return tf.io.parse_tensor(text, tf.float32)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def double(self, x):
            return x * self.w

    module = Words()
    module.parse(tf.io.serialize_tensor(tf.constant([1.0, 2.0])))
    with pytest.warns(UserWarning, match="'parse' is left out"):
        tf.saved_model.save(module, str(tmp_path / "m"))
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    assert loaded.double(tf.constant([1.0])).numpy() == 2 and list(loaded.signatures)
    with pytest.raises(ValueError, match="zero restored functions"):
        loaded.parse(tf.constant("a"))


class Pair(tf.experimental.ExtensionType):
    __name__ = "saved_functions.Pair"
    values: tf.Tensor
    mask: tf.Tensor

    class Spec:
        def __init__(self, shape, dtype=tf.float32):
            self.values = tf.TensorSpec(shape, dtype)
            self.mask = tf.TensorSpec(shape, tf.bool)


class Composites(tf.Module):
    def __init__(self):
        super().__init__()
        self.v = tf.Variable(3.0)

    @tf.function
    def grow(self, x, twice=False):
        grown = x * self.v
        return {"grown": grown, "twice": twice, "x": [x, tf.constant(1)]}

    @tf.function(input_signature=[tf.IndexedSlicesSpec([None, 3], dense_shape_dtype=tf.int64)])
    def dense(self, x):
        return tf.convert_to_tensor(x) * self.v

    @tf.function
    def masked(self, x):
        return Pair(x.values * self.v, x.mask)


# The same text runs in both.
USE_COMPOSITES = """
def use(tf, folder, pair):
    model = tf.saved_model.load(folder)
    ragged = tf.ragged.constant([[1.0, 4.0, 3.0], [2.0]])
    sparse = tf.sparse.from_dense([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]])
    rows = tf.IndexedSlices(tf.ones([2, 3]), tf.constant([2, 0], tf.int64),
                            tf.constant([4, 3], tf.int64))
    one = model.masked(pair([1.0, 2.0], [True, False]))
    seen = [model.grow(ragged), model.grow(sparse), model.dense(rows), one.values, one.mask]
    seen += [model.masked(pair(1.0, True)).values]
    kinds = [type(model.grow(x)["grown"]).__name__ for x in (ragged, sparse)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model.grow(ragged)["grown"].flat_values)
    seen.append(tape.gradient(loss, model.v))
    try:
        model.grow(tf.constant(1.0))
    except ValueError as error:
        kinds.append(str(error)[:40])
    flat = tf.nest.flatten(seen, expand_composites=True)
    return kinds + [v.numpy().tolist() if isinstance(v, tf.Tensor) else v for v in flat]
"""


def test_values_of_several_tensors(tmp_path, run_python):
    model, folder, again = Composites(), str(tmp_path / "1"), str(tmp_path / "2")
    model.grow.get_concrete_function(tf.RaggedTensorSpec([None, None], tf.float32))
    model.grow.get_concrete_function(tf.SparseTensorSpec([None, 3], tf.float32))
    model.masked.get_concrete_function(Pair.Spec(None))
    tf.saved_model.save(model, folder)
    tf.saved_model.save(tf.saved_model.load(folder), again)
    space: dict = {}
    exec(USE_COMPOSITES, space)
    mine = [space["use"](tf, path, Pair) for path in (folder, again)]
    code = f"""import json, tensorflow as tf
class Pair(tf.experimental.ExtensionType):
    __name__ = "saved_functions.Pair"
    values: tf.Tensor
    mask: tf.Tensor
{USE_COMPOSITES}
print(json.dumps([use(tf, path, Pair) for path in ({folder!r}, {again!r})]))"""
    assert mine == json.loads(run_python(code).splitlines()[-1])


class AnyRank(tf.Module):
    def __init__(self):
        super().__init__()
        self.v = tf.Variable(2.0)
        self.calls = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="x")])
    def __call__(self, x):
        self.calls.assign_add(1)
        return {"y": x * self.v, "turned": tf.transpose(x), "sizes": tf.shape(x)}


# The same text runs in both.
USE_RANKS = """
def use(tf, folder):
    model = tf.saved_model.load(folder)
    serve, seen = model.signatures["serving_default"], []
    for x in (tf.constant(3.0), tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.ones([1, 2, 1])):
        with tf.GradientTape() as tape:
            tape.watch(x)
            results = model(x)
        seen += [results, tape.gradient(results["y"], [x, model.v]), serve(x)]
    around = tf.function(lambda x: model(x)["y"] + 1, input_signature=[tf.TensorSpec(None)])
    seen += [around(tf.constant([1.0, 2.0])), around(tf.constant(1.0)), model.calls.read_value()]
    try:
        model(tf.ones([1] * 7))
    except tf.errors.InvalidArgumentError as error:
        seen.append("ranks [[0], [1], [2]" in str(error))
    flat = tf.nest.flatten(seen)
    values = [v if isinstance(v, bool) else v.numpy().tolist() for v in flat]
    return values + [str(serve.structured_outputs["y"].shape)]
"""


def test_a_function_of_any_rank(tmp_path, run_python):
    folder, again = str(tmp_path / "1"), str(tmp_path / "2")
    tf.saved_model.save(AnyRank(), folder)
    tf.saved_model.save(tf.saved_model.load(folder), again)
    space: dict = {}
    exec(USE_RANKS, space)
    mine = [space["use"](tf, path) for path in (folder, again)]
    code = f"import json, tensorflow as tf\n{USE_RANKS}\n"
    code += f"print(json.dumps([use(tf, path) for path in ({folder!r}, {again!r})]))"
    theirs = json.loads(run_python(code).splitlines()[-1])
    assert mine == theirs and mine[0][-2]


def test_a_custom_gradient_that_is_not_saved_is_told(tmp_path):
    @tf.custom_gradient
    def clipped(x):
        return x * 1.0, lambda dy: tf.clip_by_norm(dy, 0.5)

    class Clips(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([2])])
        def clip(self, x):
            return clipped(x)

    with pytest.warns(UserWarning, match="custom gradients of the function 'clip' are not saved"):
        tf.saved_model.save(Clips(), str(tmp_path / "m"))
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    assert loaded.clip(tf.constant([1.0, 2.0])).numpy().tolist() == [1, 2]


def test_each_function_has_its_own_constants(tmp_path):
    """The constants and parameters of two graphs may have the same names."""
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal((20, 20)).astype(np.float32) for _ in range(2))
    captured = [tf.constant(a) for a in (first, second)]
    spec = [tf.TensorSpec([None, 20], tf.float32, name="x")]
    model = tf.Module()
    model.f = tf.function(lambda x: x @ captured[0], input_signature=spec)
    model.g = tf.function(lambda x: x @ captured[1], input_signature=spec)
    path = str(tmp_path / "1")
    tf.saved_model.save(model, path, signatures={"f": model.f, "g": model.g})
    x = np.ones((1, 20), np.float32)
    loaded = tf.saved_model.load(path)
    again = str(tmp_path / "2")
    tf.saved_model.save(loaded, again)
    for kept in (loaded, tf.saved_model.load(again)):
        np.testing.assert_allclose(kept.f(tf.constant(x)), x @ first, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(kept.g(tf.constant(x)), x @ second, rtol=1e-4, atol=1e-5)
    for key, array in (("f", first), ("g", second)):
        (got,) = loaded.signatures[key](x=tf.constant(x)).values()
        np.testing.assert_allclose(got, x @ array, rtol=1e-4, atol=1e-5)


def _drawing(tf):
    class Drawing(tf.Module):
        def __init__(self):
            super().__init__()
            self.generator = tf.random.Generator.from_seed(7)

        @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([2], tf.int32)])
        def draw(self, x, seed):
            return [
                x + self.generator.normal(tf.shape(x)),
                self.generator.uniform([3], 0, 9, tf.int32),
                self.generator.truncated_normal([2]) + tf.random.stateless_uniform([2], seed),
            ]

    return Drawing()


@pytest.mark.filterwarnings("ignore:.*Generator.*")
def test_draws_of_generators_and_seeds_go_on_where_they_were(tmp_path):
    import tensorflow

    x, seed = np.zeros((3, 2), np.float32), np.int32([4, 5])
    model = _drawing(tf)
    model.draw(x, seed)
    tf.saved_model.save(model, str(tmp_path))
    for module in (tf, tensorflow):
        loaded, wanted = module.saved_model.load(str(tmp_path)), _drawing(tensorflow)
        wanted.draw(x, seed)
        for _ in range(2):
            for got, want in zip(loaded.draw(x, seed), wanted.draw(x, seed), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_ops_of_tf_random_draw_anew_in_an_artifact(tmp_path):
    import tensorflow

    tf.random.set_seed(3)

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def noisy(x):
        return x + tf.random.normal(tf.shape(x)) + tf.random.uniform([], 2.0, 3.0)

    tf.saved_model.save(tf.Module(), str(tmp_path / "m"), signatures=noisy)
    for module in (tf, tensorflow):
        run = module.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
        first, second = (run(module.zeros([500]))["output_0"].numpy() for _ in range(2))
        assert 1.8 < first.mean() < 3.2 and not np.allclose(first, second)

    @tf.function(input_signature=[tf.TensorSpec([2])])
    def gamma(x):
        return tf.random.stateless_gamma([2], [1, 2], x)

    with pytest.raises(ValueError, match="random numbers of the kind 'gamma'"):
        tf.saved_model.save(tf.Module(), str(tmp_path / "g"), signatures=gamma)


def test_a_function_whose_graph_is_left_out_leaves_the_others(tmp_path):
    module = tf.Module()
    module.keep = tf.function(lambda x: x + 1, input_signature=[tf.TensorSpec([None])])
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
    key = tf.TensorSpec([1], tf.string)
    module.drop = tf.function(lambda k: table.insert(k, [1.0]), input_signature=[key])
    with pytest.warns(UserWarning, match="left out"):
        tf.saved_model.save(module, str(tmp_path))
    assert tf.saved_model.load(str(tmp_path)).keep(tf.constant([1.0])).numpy().tolist() == [2.0]

"""`tf.random` against TensorFlow: the numbers themselves.

Uniform numbers and integers must be equal bit for bit; what goes through a logarithm or a sine may
differ in the last bit, where the C libraries do.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracle import cases, each

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int32", "int64")


@cases(
    {},
    [
        *[
            f"tf.random.stateless_{k}([1003], {s}, dtype=tf.{d})"
            for k in ("uniform", "normal", "truncated_normal")
            for d in FLOATS
            for s in ("[1, 2]", "[-7, 2**31 - 1]")
        ],
        *[f"tf.random.stateless_uniform([103], [7, -2], -5, 1000, tf.{d})" for d in INTEGERS],
        *[
            f"tf.random.stateless_uniform([103], [7, -2], minval=None, maxval=None, dtype=tf.{d})"
            for d in ("int32", "int64", "uint32", "uint64")
        ],
        "tf.random.stateless_uniform([2, 3], tf.constant([1, 2], tf.int64), -1.0, 2.5)",
        "tf.random.stateless_uniform([2, 3], [1, 2], [0.0, 1.0, 2.0], [3.0, 4.0, 5.0])",
        "tf.random.stateless_normal([2, 3], [1, 2], [0.0, 1.0, 2.0], 3.0)",
        "tf.random.stateless_uniform([], [1, 2])",
        "tf.random.stateless_uniform([0, 3], [1, 2])",
        *[
            f"tf.random.stateless_gamma([50, 3], [1, 2], [0.5, 1.0, 7.0], dtype=tf.{d})"
            for d in ("float32", "float64")
        ],
        "tf.random.stateless_gamma([50, 2], [1, 2], [0.5, 3.0], [1.0, 2.0])",
        *[
            f"tf.random.stateless_poisson([50, 3], [1, 2], tf.constant([0.5, 4.0, 17.0], tf.{d}))"
            for d in ("float32", "float64")
        ],
        *[
            f"tf.random.stateless_binomial([50, 4], [1, 2], tf.constant([5.0, 10, 100, 50], tf.{d}), "
            f"tf.constant([0.5, 0.3, 0.4, 0.9], tf.{d}))"
            for d in ("float32", "float64")
        ],
        "tf.random.stateless_categorical(tf.math.log([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]), 17, [1, 3])",
        "tf.random.stateless_categorical([[0.0, 1.0]], 5, [1, 3], tf.int32)",
        *[
            f"tf.random.stateless_parameterized_truncated_normal([20, 2], [1, 2], [0.0, 1.0], 1.0, {b})"
            for b in ("[-1.0, -5.0], 3.0", "[2.0, -0.1], [9.0, 0.1]", "[3.0, 4.0], 99.0")
        ],
        "tf.random.split([1, 2], 3)",
        "tf.random.fold_in([1, 2], 3)",
        "tf.random.fold_in([1, 2], tf.constant(3, tf.int64))",
        "tf.random.experimental.stateless_shuffle(tf.range(50), [1, 2])",
        "tf.random.experimental.stateless_shuffle(tf.reshape(tf.range(12), [4, 3]), [1, 2])",
        "tf.random.experimental.index_shuffle(tf.range(10), [1, 2], 9)",
        "tf.random.experimental.index_shuffle(tf.constant([3, 1000000], tf.int64), [1, 2], 10**9)",
        "tf.random.experimental.index_shuffle(11, [1, 2], 9)",
        "[*tf.data.Dataset.range(5).map("
        "lambda i: tf.random.experimental.index_shuffle(i, tf.constant([1, 2], tf.int64), 9))]",
        "tf.function(lambda i: tf.random.experimental.index_shuffle(i, [1, 2], 9))(tf.range(10))",
        "tf.random.stateless_uniform([3], [1, 2, 3])",
        "tf.random.stateless_uniform([3], [1.0, 2.0])",
        "tf.random.stateless_uniform([3], [1, 2], alg='threefry')",
        "tf.random.stateless_uniform([3], [1, 2], alg='x')",
        "tf.random.stateless_uniform([3], [1, 2], dtype=tf.string)",
        "tf.random.stateless_uniform([3], [1, 2], minval=None, maxval=3, dtype=tf.int32)",
        "tf.random.stateless_uniform([3], [1, 2], 3, 2, tf.int32)",
        "tf.random.stateless_gamma([3], [1, 2], [0.5, 1.0])",
    ],
    traced=False,
)
def test_stateless(case):
    case.check()


@cases(
    {},
    [
        "tf.function(lambda s: tf.random.stateless_uniform([5], s))(tf.constant([1, 2]))",
        "tf.function(lambda s: tf.random.stateless_normal([5, 2], s))(tf.constant([1, 2]))",
        "tf.function(lambda s: tf.random.stateless_truncated_normal([5], s))(tf.constant([1, 2]))",
        "tf.function(lambda s: tf.random.stateless_uniform([5], s, 0, 9, tf.int32))(tf.constant([1, 2]))",
        "tf.function(lambda s: tf.random.split(s, 4))(tf.constant([1, 2]))",
        "tf.function(lambda s: tf.random.stateless_gamma([5, 2], s, [0.5, 2.0]))(tf.constant([1, 2]))",
        "tf.function(lambda s: tf.random.stateless_poisson([5], s, 3.0))(tf.constant([1, 2]))",
        "tf.function(lambda x, s: tf.random.experimental.stateless_shuffle(x, s))(tf.range(9), "
        "tf.constant([1, 2]))",
        "g = tf.random.Generator.from_seed(3); f = tf.function(lambda: g.normal([4])); [f(), f()]",
        "g = tf.random.Generator.from_seed(3); f = tf.function(lambda: g.uniform([4], 0, 9, tf.int32)); "
        "[f(), f(), g.state.value()]",
    ],
    traced=False,
)
def test_in_functions(case):
    case.check()


DRAWS = (
    "uniform([7], seed={s}, dtype=tf.{d})", "normal([7], seed={s}, dtype=tf.{d})",
    "truncated_normal([7], seed={s}, dtype=tf.{d})", "gamma([5], [0.5, 2.0], seed={s}, dtype=tf.{d})",
    "poisson([5], tf.constant([0.5, 20.0], tf.{d}), seed={s}, dtype=tf.{d})",
)  # fmt: skip


@cases(
    {},
    [
        *[
            f"tf.random.set_seed(42); [tf.random.{c.format(s=s, d=d)} for _ in range(3)]"
            for c in DRAWS
            for s in ("None", "5")
            for d in ("float32", "float64")
        ],
        *[f"[tf.random.{c.format(s=5, d='float32')} for _ in range(2)]" for c in DRAWS],
        *[
            f"tf.random.set_seed(42); [tf.random.uniform([7], 3, 99, tf.{d}, {s}) for _ in range(2)]"
            for d in INTEGERS
            for s in ("None", "5")
        ],
        "tf.random.set_seed(1); a = tf.random.uniform([3]); tf.random.set_seed(1); "
        "[a, tf.random.uniform([3]), tf.random.normal([2])]",
        "tf.random.set_seed(1); [tf.random.shuffle(tf.range(20), seed=s) for s in (None, 3, 3)]",
        "tf.random.set_seed(1); tf.random.shuffle(tf.reshape(tf.range(20), [5, 4]))",
        "tf.random.set_seed(1); tf.random.shuffle(tf.constant(['a', 'b', 'c', 'd']))",
        "tf.random.set_seed(1); [tf.random.categorical([[0.0, 1.0, 2.0]] * 3, 6, seed=s) "
        "for s in (None, 3, 3)]",
        "tf.random.set_seed(0); tf.random.uniform([3], seed=0)",
        "tf.random.set_seed(-3); tf.random.uniform([3])",
        "tf.random.set_seed(2**40); tf.random.uniform([3])",
        "tf.random.set_seed(1); tf.random.normal([2, 3], tf.constant([1.0, 2.0, 3.0]), 2.0)",
        "tf.random.uniform([3], maxval=None, dtype=tf.int32)",
        "tf.random.uniform([3], 3, 2, tf.int32)",
        "tf.random.normal([3], dtype=tf.int32)",
        "tf.random.normal([-3])",
        "tf.random.uniform([3], dtype=tf.int8)",
        "tf.random.categorical([0.0, 1.0], 3)",
        "tf.random.categorical([[0.0, 1.0]], 3, dtype=tf.int8)",
    ],
    traced=False,
)
def test_stateful(case):
    case.check()


@cases(
    {},
    [
        f"g = tf.random.Generator.from_seed(7); [{', '.join(c)}, g.state.value(), g.key]"
        for c in [
            ("g.normal([3])", "g.uniform([2, 2])"),
            ("g.truncated_normal([5], dtype=tf.float64)",),
            ("g.uniform_full_int([3])", "g.uniform([5], 3, 100, tf.int32)"),
            ("g.make_seeds(2)",),
            ("g.binomial([3], 10.0, 0.4)", "g.normal([2])"),
            ("g.skip(3)", "g.normal([2], 1.0, 2.0)"),
        ]
    ]
    + [
        "tf.random.create_rng_state(2**70 + 5, 'philox')",
        "tf.random.create_rng_state([5], 'philox')",
        "tf.random.create_rng_state(5, 'threefry')",
        "[h.state.value() for h in tf.random.Generator.from_seed(7).split(2)]",
        "g = tf.random.Generator.from_state([-1, 5, 3], 'philox'); [g.normal([3]), g.state.value()]",
        "g = tf.random.Generator.from_key_counter(1, [2, 3], 'philox'); [g.normal([3]), g.state.value()]",
        "g = tf.random.Generator.from_seed(1); g.reset([1, 2, 3]); h = tf.random.Generator(g); "
        "[g.normal([2]), h.normal([2])]",
        "g = tf.random.Generator.from_seed(1); g.reset_from_seed(9); g.uniform([2])",
        "g = tf.random.Generator.from_seed(1); g.reset_from_key_counter(9, [1, 2]); g.uniform([2])",
        "g = tf.random.Generator.from_seed(4); tf.random.set_global_generator(g); "
        "tf.random.get_global_generator().normal([2])",
        "tf.random.Generator.from_seed(7, 'threefry').normal([2])",
        "tf.random.Generator.from_state([1, 2], 'philox')",
        "g = tf.random.Generator.from_seed(1); g.uniform([2], None, 3, tf.int32)",
    ],
    traced=False,
)
def test_generator(case):
    case.check()


def test_without_a_seed_numbers_differ_between_calls():
    import torchtf as tf

    draws = [tf.random.uniform([4]).numpy() for _ in range(2)]
    assert not np.array_equal(*draws)


@pytest.mark.parametrize("draw", each("tf.random.{}([1000])", "uniform normal truncated_normal"))
def test_functions_draw_anew_and_follow_the_global_seed(draw):
    import torchtf as tf

    function = tf.function(lambda: eval(draw, {"tf": tf}))
    runs = []
    for _ in range(2):
        tf.random.set_seed(3)
        runs.append([function().numpy() for _ in range(2)])
    assert not np.array_equal(runs[0][0], runs[0][1])
    np.testing.assert_array_equal(runs[0], runs[1])


def test_traced_truncated_normal_has_its_distribution():
    import torchtf as tf

    values = tf.function(lambda: tf.random.truncated_normal([20000]))().numpy()
    assert np.abs(values).max() <= 2
    assert abs(values.mean()) < 0.03
    assert abs(values.std() - 0.8796) < 0.02


# one line a random op in each function, since TensorFlow numbers them as they are made
STREAMS = """
{decorator}
def draw(n):
    a = tf.random.uniform([2]), tf.random.normal([2], seed=4), tf.random.normal([2], seed=4)
    b = tf.random.uniform([3], 0, 100, tf.int32), tf.random.shuffle(tf.range(n))
    c = tf.nn.dropout(tf.ones([8]), 0.5), tf.random.categorical([[0.1, 0.2]], 4)
    d = tf.random.gamma([2], [0.5, 3.0]), tf.random.poisson([2], [3.0, 20.0])
    total = tf.zeros([])
    for _ in tf.range(3):  # a sum: TensorFlow's iterations may draw in another order
        total += tf.random.uniform([])
    if n > 2:
        total += tf.random.uniform([])
    else:
        total -= tf.random.uniform([])
    return a, b, c, d, total, tf.random.truncated_normal([n])

@tf.function
def outer(n):
    return tf.random.uniform([1]), draw(n), tf.random.uniform([1])
"""
CALLS = (
    ("draw", 6), ("draw", 6), ("outer", 6), ("draw", 6), ("outer", 6),
    ("seed", 8), ("draw", 6), ("outer", 6), ("draw", 2),
)  # fmt: skip


@pytest.mark.parametrize("signature", ["", "(input_signature=[tf.TensorSpec([], tf.int32)])"])
def test_seeded_ops_in_functions_draw_tensorflows_numbers(signature, tmp_path):
    import importlib

    drawn = {}
    path = tmp_path / "streams.py"
    path.write_text(STREAMS.format(decorator=f"@tf.function{signature}"))
    for module in ("tensorflow", "torchtf"):
        tf = importlib.import_module(module)
        scope = {"tf": tf}
        exec(compile(path.read_text(), path, "exec"), scope)
        tf.random.set_seed(7)
        drawn[module] = []
        for name, n in CALLS:
            if name == "seed":
                tf.random.set_seed(n)
            else:
                found = tf.nest.flatten(scope[name](tf.constant(n)))
                drawn[module].append([t.numpy() for t in found])
    for want, have in zip(drawn["tensorflow"], drawn["torchtf"], strict=True):
        for w, h in zip(want, have, strict=True):
            np.testing.assert_allclose(h, w, rtol=1e-5)


def test_a_functions_streams_are_no_variables_of_its_own():
    import torchtf as tf

    tf.random.set_seed(1)
    concrete = tf.function(lambda: tf.random.normal([2])).get_concrete_function()
    assert concrete.variables == () and concrete.graph.variables == ()


def test_wrong_bounds_in_a_function_raise():
    import torchtf as tf

    draw = tf.function(lambda n: tf.random.uniform([2], 5, n, tf.int32, seed=1))
    with pytest.raises(tf.errors.InvalidArgumentError, match="minval < maxval, got 5 >= 5"):
        draw(tf.constant(5))

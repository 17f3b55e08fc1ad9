"""Datasets and iterators inside `tf.function`: the same programs on TensorFlow and on torchtf."""

from __future__ import annotations

import pytest

from tests.data.compare import describe, modules, plain

PROGRAMS = {
    "a dataset as argument": """
        ds = tf.data.Dataset.range(5).batch(2)
        @tf.function
        def f(ds):
            total = tf.constant(0, tf.int64)
            for x in ds:
                total += tf.reduce_sum(x)
            return total
        out = f(ds), f(ds)
    """,
    "a dataset made of arguments": """
        @tf.function
        def f(n, x, scale):
            total, count = tf.constant(0, tf.int64), tf.constant(0)
            for e in tf.data.Dataset.range(n).map(lambda v: v * scale).batch(n // 2):
                total += tf.reduce_sum(e)
                count += 1
            for e in tf.data.Dataset.from_tensor_slices(x):
                total += tf.cast(tf.strings.length(e), tf.int64)
            return total, count
        three = tf.constant(3, tf.int64)
        out = [f(tf.constant(n, tf.int64), tf.constant(["a", "bcd"]), three) for n in (6, 8)]
    """,
    "reduce": """
        ds = tf.data.Dataset.range(6).batch(2)
        @tf.function
        def f(k):
            first = tf.constant(0, tf.int64), {"n": 0}
            return ds.reduce(first, lambda s, x: (s[0] + k * tf.reduce_sum(x), {"n": s[1]["n"] + 1}))
        out = f(tf.constant(2, tf.int64))
    """,
    "get_single_element": """
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def serve(raw):
            ds = tf.data.Dataset.from_tensor_slices(raw).map(tf.strings.length)
            return ds.batch(10).get_single_element()
        out = serve(tf.constant(["a", "bcd"])), serve(tf.constant(["abc"] * 4))
    """,
    "an iterator made inside": """
        @tf.function
        def f():
            it = iter(tf.data.Dataset.range(5))
            return next(it), it.get_next()
        out = f(), f()
    """,
    "an iterator from outside": """
        it = iter(tf.data.Dataset.range(10))
        @tf.function
        def f(it):
            total = next(it)
            for x in it:
                total += x
                if x >= 3:
                    break
            return total
        out = f(it), next(it)
    """,
    "one trace for all iterators and datasets of a spec": """
        D = tf.data.Dataset
        weight = tf.Variable(2.0)
        @tf.function
        def step(it, scale=1.0):
            with tf.GradientTape() as tape:
                loss = weight * scale * tf.cast(next(it), tf.float32)
            return tape.gradient(loss, weight)
        @tf.function
        def inner(it):
            return next(it)
        @tf.function
        def both(a, parts, b=None):
            total = inner(a) + 10 * next(b)
            for part in parts:
                for x in part.map(lambda v: v + total).batch(2).cache():
                    total += tf.reduce_sum(x)
            return total, parts[0].cardinality(), parts[0].batch(2).cardinality()
        @tf.function
        def summed(ds, start):
            return ds.shuffle(9).reduce(start, lambda a, b: a + b)
        out = [step(iter(D.range(n, 9))) for n in (1, 2)], [
            both(iter(D.range(n)), [D.range(n), D.range(2)], b=iter(D.range(5, 9))) for n in (2, 4)
        ], [
            summed(ds, tf.constant(0, tf.int64))
            for ds in (D.range(3), D.range(5).batch(2).unbatch(), D.range(4).filter(lambda x: x > 1))
        ], [f.experimental_get_tracing_count() for f in (step, inner, both, summed)]
    """,
    "an iterator in a signature has one trace": """
        D = tf.data.Dataset
        spec = tf.data.IteratorSpec(tf.TensorSpec([], tf.int64))
        @tf.function(input_signature=[spec, tf.TensorSpec([], tf.int64)])
        def f(it, k):
            return k * next(it)
        out = [f(iter(D.range(n, 9)), k) for n, k in ((1, 2), (3, 4))], f.experimental_get_tracing_count()
    """,
    "a cache made inside starts anew": """
        @tf.function
        def f(n):
            total = tf.constant(0, tf.int64)
            for x in tf.data.Dataset.range(n).cache():
                total += x
            return total
        out = [f(tf.constant(n, tf.int64)) for n in (3, 5, 3)]
    """,
    "optionals": """
        it = iter(tf.data.Dataset.range(2))
        @tf.function
        def f(it):
            optional = it.get_next_as_optional()
            if optional.has_value():
                return optional.get_value()
            return tf.constant(-1, tf.int64)
        out = f(it), f(it), f(it)
    """,
    "strings and ragged rows": """
        words = tf.data.Dataset.from_tensor_slices(["a", "b"])
        rows = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1, 2], [3]])).batch(2)
        @tf.function
        def f():
            text, total = tf.constant(""), tf.constant(0)
            for w in words:
                text += w
            for r in rows:
                total += tf.reduce_sum(r)
            return text, total
        out = f()
    """,
    "a part of a path": """
        ds = tf.data.Dataset.from_tensor_slices(["a/b/c.jpg", "d/e.jpg"])
        out = [x for x in ds.map(lambda p: tf.strings.split(p, "/")[-2])]
    """,
    "the end": """
        @tf.function
        def f():
            it = iter(tf.data.Dataset.range(1))
            next(it)
            return next(it)
        out = f()
    """,
    "an empty optional": """
        it = iter(tf.data.Dataset.range(0))
        @tf.function
        def f(it):
            return it.get_next_as_optional().get_value()
        out = f(it)
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name, tmp_path):
    import textwrap

    path = tmp_path / "program.py"  # AutoGraph reads the source from a file
    path.write_text(textwrap.dedent(PROGRAMS[name]))
    outcomes = []
    for tf in modules():
        scope = {"tf": tf}
        try:
            exec(compile(path.read_text(), str(path), "exec"), scope)
            outcomes.append(plain(scope["out"]))
        except Exception as e:
            outcomes.append(describe(e)[0])
    assert outcomes[1] == outcomes[0]
    assert isinstance(outcomes[0], tuple) != (name in ("the end", "an empty optional"))


def test_saving_an_iterator_follows_the_policy_for_outside_state(caplog):
    _, tf = modules()
    count = tf.Variable(0, dtype=tf.int64)
    dataset = tf.data.Dataset.range(3).map(lambda x: x + count.assign_add(1))
    options = tf.data.Options()
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.FAIL
    with pytest.raises(tf.errors.FailedPreconditionError, match="state"):
        iter(dataset.with_options(options))._save()
    options.experimental_external_state_policy = tf.data.experimental.ExternalStatePolicy.WARN
    iter(dataset.with_options(options))._save()
    assert "not saved" in caplog.text
    assert iter(dataset)._save()

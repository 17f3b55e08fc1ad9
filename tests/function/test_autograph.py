"""AutoGraph: Python statements on tensors, in a graph, as TensorFlow runs them."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import torchtf
from tests.function.programs import compare, program


@program
def loops_over_sizes_that_a_branch_reads(tf):
    @tf.function
    def nested(n):
        total = 0
        for i in tf.range(n):
            if i == 2:
                continue
            for j in tf.range(i):
                if j > 2:
                    break
                if (i + j) % 2 == 0:
                    continue
                total += i * j
            if total > 20:
                break
        return total, i

    @tf.function
    def made(n):
        if n > 2:
            x = tf.zeros([n, 2]) + tf.cast(n, tf.float32)
        else:
            x = tf.ones([n + 1, 2])
        return tf.reshape(x, [-1])

    return (
        nested(tf.constant(7)),
        nested(tf.constant(3)),
        made(tf.constant(3)),
        made(tf.constant(1)),
    )


@program
def the_variable_of_a_loop_over_a_range(tf):
    @tf.function
    def counted(n):
        for i in tf.range(n):
            if i > 2:
                break
        return i

    @tf.function
    def python_range(n):
        for i in range(n):  # noqa: B007
            tf.no_op()
        return i

    @tf.function
    def wide(n):
        for i in tf.range(n, 9, dtype=tf.int64):  # noqa: B007
            tf.no_op()
        return i

    @tf.function
    def halves(n):
        for x in tf.range(n, delta=0.5):  # noqa: B007
            tf.no_op()
        return x

    loops = (counted, python_range, wide, halves)
    return [f(tf.constant(n, tf.float32 if f is halves else tf.int32))
            for n in (0, 2, 9) for f in loops]  # fmt: skip


@program
def ranges_from_open_starts(tf):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def ranges(x):
        n = tf.size(x)
        return tf.range(n, 9), tf.range(9, n, -1), tf.shape(tf.range(n, 9, 2)), tf.range(n, 0, -1)

    return [ranges(tf.ones([n])) for n in (0, 3, 7, 9)]


@program
def loops_over_nothing(tf):
    @tf.function
    def f(xs, rows):
        total = 0
        for x in xs:
            total = total * 10 + x
        for x in tf.constant([], tf.int32):
            total += x
        for row in rows:
            total += row[0]
        return total

    return f(tf.zeros([0], tf.int32), tf.zeros([0, 2], tf.int32)), f(
        tf.range(3), tf.ones([1, 2], tf.int32)
    )


@program
def what_only_a_loop_defines_may_change_its_shape(tf):
    @tf.function
    def sizes(n):
        i = 0
        while i < n:
            v = tf.range(i)
            i += 1
        return v

    @tf.function
    def ranks(n):
        for i in tf.range(n):
            v = tf.ones(tf.range(1, i + 1))
        return v

    return sizes(tf.constant(3)), ranks(tf.constant(3))


@program
def if_else(tf):
    @tf.function
    def f(x):
        if x > 0:
            y = x * 2
        elif x < -5:
            y = -x
        else:
            y = x + 100
        return y

    return [f(tf.constant(v)) for v in (3, -7, -1)], f.experimental_get_tracing_count()


@program
def if_without_else(tf):
    @tf.function
    def f(x):
        y = x
        if x > 0:
            y = y * 2
        return y

    return f(tf.constant(2)), f(tf.constant(-2))


@program
def nested_ifs_and_logic(tf):
    @tf.function
    def f(x, y):
        if (x > 0 and y > 0) or not (x > -5):
            if x > y:
                return x
            return y
        return x + y

    return [f(tf.constant(a), tf.constant(b)) for a, b in ((1, 2), (3, 2), (-9, 0), (-1, 4))]


@program
def chained_comparison(tf):
    @tf.function
    def f(x):
        return 1 if 0 < x < 10 else 2

    return [f(tf.constant(v)) for v in (-1, 5, 11)]


@program
def conditional_expression_of_strings(tf):
    @tf.function
    def f(x):
        return "even" if x % 2 == 0 else "odd"

    return f(tf.constant(2)), f(tf.constant(3))


@program
def while_with_break_and_continue(tf):
    @tf.function
    def f(n):
        total, i = 0, 0
        while True if n > 100000 else i < n:
            i += 1
            if i % 3 == 0:
                continue
            if total > 40:
                break
            total += i
        return total, i

    return f(tf.constant(5)), f(tf.constant(50))


@program
def for_else_free_loops(tf):
    @tf.function
    def f(n):
        s = 0
        for i in tf.range(n):
            for j in tf.range(i):
                if j == 3:
                    break
                s += i * j
        return s

    return f(tf.constant(7))


@program
def for_over_rows(tf):
    @tf.function
    def f(x):
        s = tf.zeros([2])
        for row in x:
            s = s * 0.5 + row
        return s

    return f(tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))


@program
def for_over_python_values(tf):
    @tf.function
    def f(x):
        for k, v in {"a": 1, "b": 2}.items():
            x += v * len(k)
        for i, v in enumerate([10, 20]):
            x += i * v
        return x

    return f(tf.constant(1))


@program
def python_range_with_tensor_condition_inside(tf):
    @tf.function
    def f(x):
        for i in range(3):
            if x > i:
                x -= 1
        return x

    return [f(tf.constant(v)) for v in (0, 2, 5)]


@program(raises=True)
def return_behind_an_elif(tf):
    @tf.function
    def f(x):
        if x > 0:
            return "positive"
        elif x == 0:
            return "zero"
        return "negative"

    return f(tf.constant(1))


@program
def return_in_all_branches(tf):
    @tf.function
    def f(x):
        if x > 0:
            return "positive"
        elif x == 0:
            return "zero"
        else:
            return "negative"

    return [f(tf.constant(v)) for v in (-1, 0, 1)]


@program
def recursion_and_helpers(tf):
    def collatz(n):
        if n % 2 == 0:
            return n // 2
        return 3 * n + 1

    @tf.function
    def f(n):
        steps = 0
        while n != 1:
            n = collatz(n)
            steps += 1
        return steps

    return f(tf.constant(27))


@program
def methods_and_attributes(tf):
    class Counter:
        def __init__(self):
            self.total = tf.Variable(0)

        @tf.function
        def add(self, x):
            if x > 0:
                self.total.assign_add(x)
            else:
                self.total.assign_sub(1)
            return self.total.read_value()

    a, b = Counter(), Counter()
    return [a.add(tf.constant(5)), a.add(tf.constant(-1)), b.add(tf.constant(2)), a.total.value()]


@program
def partials_and_lambdas(tf):
    def scale(x, by):
        return x * by if x > 0 else x - by

    f = tf.function(functools.partial(scale, by=3))
    g = tf.function(lambda x: x + 1 if x > 0 else x - 1)
    return f(tf.constant(2)), f(tf.constant(-2)), g(tf.constant(0))


@program
def variables_in_loops(tf):
    v = tf.Variable(1.0)

    @tf.function
    def f(n):
        for _ in tf.range(n):
            v.assign(v * 2.0)
            if v > 10.0:
                v.assign_sub(9.0)
        return v.read_value()

    return f(tf.constant(6)), v.value()


@program
def tensor_array_in_a_loop(tf):
    @tf.function
    def f(n):
        ta = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        x = 1.0
        for i in tf.range(n):
            x = x * 2.0
            ta = ta.write(i, [x, x + 1.0])
        return ta.stack(), ta.size()

    return f(tf.constant(4))


@program
def strings_in_control_flow(tf):
    @tf.function
    def f(words):
        out = tf.TensorArray(tf.string, size=3)
        longest = ""
        for i in tf.range(3):
            w = tf.strings.upper(words[i])
            if tf.strings.length(w) > tf.strings.length(longest):
                longest = w
            out = out.write(i, tf.strings.join([w, "!"]))
        return out.stack(), longest

    return f(tf.constant(["a", "bcd", "ef"]))


@program
def shape_invariants(tf):
    @tf.function
    def f(n):
        x = tf.ones([1])
        for _ in tf.range(n):
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(x, tf.TensorShape([None]))]
            )
            x = tf.concat([x, x * 2.0], 0)
        return x

    return f(tf.constant(3))


@program
def defined_in_the_loop_only(tf):
    @tf.function
    def f(n):
        for i in tf.range(n):
            last = i * 10
        return last

    return f(tf.constant(4))


@program
def none_becomes_a_tensor(tf):
    @tf.function
    def f(n):
        last = None
        for i in tf.range(n):
            last = i
        return last

    return f(tf.constant(4))


@program
def structures_as_loop_state(tf):
    @tf.function
    def f(n):
        state = {"a": tf.constant(0), "b": (tf.constant(1.0), [tf.constant(2)])}
        while state["a"] < n:
            a, (x, (y,)) = state["a"], state["b"]
            state = {"a": a + 1, "b": (x * 2.0, [y + a])}
        return state

    return f(tf.constant(4))


@program
def builtins_on_tensors(tf):
    @tf.function
    def f(x):
        return len(x), abs(x[0]), int(3.7), float(x[1]), max([3, 4])

    return f(tf.constant([-3, 4]))


@program
def prints_at_tracing_only(tf):
    @tf.function
    def f(x):
        print("tracing", x.shape)
        return x + 1

    f(tf.constant(1))
    f(tf.constant(2))
    f(tf.constant([1]))
    return f.experimental_get_tracing_count()


@program
def for_over_a_dataset(tf):
    names = np.array(["a", "b", "c", "d", "e"])
    dataset = tf.data.Dataset.from_tensor_slices((np.arange(5.0, dtype="float32"), names)).batch(2)
    v = tf.Variable(1.0)

    @tf.function
    def f(data):
        total, last = 0.0, ""
        for x, name in data:
            total += tf.reduce_sum(x) * v
            v.assign_add(1.0)
            last = name[0]
            if total > 10.0:
                break
        return total, last

    return f(dataset), f(dataset), v.value(), f.experimental_get_tracing_count()


@program
def gradient_through_control_flow(tf):
    @tf.function
    def f(x, n):
        for i in tf.range(n):
            if i % 2 == 0:
                x = x * x
            else:
                x = tf.sin(x) + 1.0
        return x

    x = tf.constant([1.1, 0.7])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x, tf.constant(3))
    return y, tape.gradient(y, x)


@program
def gradient_inside_the_function(tf):
    w = tf.Variable([2.0, 3.0])

    @tf.function
    def f(x, n):
        with tf.GradientTape() as tape:
            ta = tf.TensorArray(tf.float32, size=n)
            h = x
            for i in tf.range(n):
                h = tf.tanh(h * w)
                if tf.reduce_sum(h) > 1.0:
                    h = h * 0.5
                ta = ta.write(i, h)
            y = tf.reduce_sum(ta.stack() ** 2) + tf.reduce_sum(ta.read(0))
        return tape.gradient(y, [w, x]), y

    with tf.GradientTape() as unused:
        x = tf.constant([0.5, 1.5])
        unused.watch(x)

    @tf.function
    def outer(x, n):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            while tf.reduce_sum(y) < 10.0:
                y = y * y + w
        return tape.gradient(y, [x, w])

    return f(x, tf.constant(3))[0][0], outer(x, tf.constant(1))


@program
def second_order_in_a_loop(tf):
    @tf.function
    def f(x, n):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = x
                for _ in tf.range(n):
                    y = y * x
            first = inner.gradient(y, x)
        return y, first, outer.gradient(first, x)

    return f(tf.constant(2.0), tf.constant(4))


@program(raises=True)
def assertion(tf):
    @tf.function
    def f(x):
        tf.Assert(x > 0, ["must be positive", x])
        return x

    return f(tf.constant(1)), f(tf.constant(-1))


@program(raises=True)
def undefined_in_one_branch(tf):
    @tf.function
    def f(x):
        if x > 0:
            y = 1
        return y

    return f(tf.constant(1))


@program(raises=True)
def dtypes_differ(tf):
    @tf.function
    def f(x):
        if x > 0:
            y = 1
        else:
            y = 1.0
        return y

    return f(tf.constant(1))


@program(raises=True)
def return_in_one_branch(tf):
    @tf.function
    def f(x):
        if x > 0:
            return 1

    return f(tf.constant(1))


@program(raises=True)
def shape_changes(tf):
    @tf.function
    def f(x):
        while tf.reduce_sum(x) < 10.0:
            x = tf.concat([x, x], 0)
        return x

    return f(tf.constant([1.0]))


@program(raises=True)
def dtype_changes(tf):
    @tf.function
    def f(x):
        while x < 10.0:
            x = 1
        return x

    return f(tf.constant(1.0))


@program(raises=True)
def return_inside_a_tensor_loop(tf):
    @tf.function
    def f(x):
        for i in tf.range(3):
            if x > 100:
                break
            return x + i
        return x

    return f(tf.constant(1))


@program(raises=True)
def tensor_as_bool_without_autograph(tf):
    @tf.function(autograph=False)
    def f(x):
        return x if x > 0 else -x

    return f(tf.constant(1))


@program(raises=True)
def do_not_convert(tf):
    @tf.autograph.experimental.do_not_convert
    def helper(x):
        return x if x > 0 else -x

    @tf.function
    def f(x):
        return helper(x)

    return f(tf.constant(1))


@program
def to_graph(tf):
    def f(x):
        if x > 0:
            x = x * x
        return x

    g = tf.autograph.to_graph(f)
    return g(tf.constant(3)), g(-2)


@program
def datasets_of_unknown_rank(tf):
    @tf.function
    def total(dataset):
        found = tf.constant(0)
        for x, y in dataset:
            found += tf.abs(y - x)
        return found

    @tf.function
    def sizes(dataset):
        count = 0
        for row in dataset:
            count += tf.size(row)
        return count, dataset.reduce(0.0, lambda a, row: a + tf.reduce_sum(row))

    pairs = tf.data.Dataset.from_generator(lambda: [(1, 3)] * 4, (tf.int32, tf.int32))
    rows = tf.data.Dataset.from_generator(
        lambda: iter([[1.0, 2.0], [[3.0], [4.0]], 5.0]), tf.float32
    )
    return total(pairs), sizes(rows), tf.function(lambda: next(iter(rows)))()


@program
def shapes_that_change_over_a_dataset(tf):
    @tf.function
    def doubled(dataset):
        x = tf.zeros([1])
        for _ in dataset:
            x = tf.concat([x, x], 0)
        return x

    dataset = tf.data.Dataset.range(3)
    reduced = tf.function(lambda d: d.reduce(tf.zeros([1]), lambda x, _: tf.concat([x, x], 0)))
    return doubled(dataset), doubled.get_concrete_function(dataset).output_shapes, reduced(dataset)


@program
def loops_that_must_iterate(tf):
    """What only an iteration defines: a variable, one that is None before, a part of a dict."""

    @tf.function
    def variable(x):
        while x > 10:
            z = x
            x = x - 1
        return z

    @tf.function
    def none(x):
        z = None
        while x > 10:
            z = x
            x = x - 1
        return z

    @tf.function
    def part(x):
        y = {}
        while x > 10:
            y["a"] = x
            x = x - 1
        return y

    found = []
    for f in (variable, none, part):
        found.append(f(tf.constant(12)))
        try:
            f(tf.constant(1))
        except tf.errors.InvalidArgumentError as e:
            found.append("loop must iterate at least once to initialize" in str(e))
    return found


class _OfTwo(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.second = second


@program
def errors_that_a_text_does_not_make(tf):
    """They arrive as a StagingError."""
    found = []
    for error in (
        IndexError("i"), KeyError("k"), ZeroDivisionError("z"), OSError(2, "no"), _OfTwo("a", "b"),
        ValueError("v", 1), LookupError("l"), tf.errors.NotFoundError(None, None, "n"),
        RecursionError("r"), NotImplementedError("n"), AssertionError("a"),
    ):  # fmt: skip

        def raising(x, error=error):
            if x is not None:
                raise error
            return x

        @tf.function
        def f(x):
            return raising(x) + 1

        try:
            f(tf.constant(1))
        except Exception as e:
            found.append([c.__name__ for c in type(e).__mro__[:2]])
            found.append(str(e).strip().splitlines()[-1].strip())
    return found


@program
def what_cannot_be_converted(tf):
    found = []
    scope: dict = {}
    exec("def without_source(x):\n    return x\n", scope)
    for thing in (3, len, scope["without_source"], tf.function(lambda x: x)):
        try:
            tf.autograph.to_graph(thing)
        except Exception as e:
            found.append((type(e).__name__, str(e).rpartition(": ")[2]))
    return found


@program
def optional_features(tf):
    features = tf.autograph.experimental.Feature

    @tf.function(experimental_autograph_options=(features.ALL,))
    def f(x):
        assert x > 0, "too small"
        return x == 1

    @tf.function(experimental_autograph_options=features.EQUALITY_OPERATORS)
    def g(x):
        return x == 1

    try:
        f(tf.constant(-1))
    except tf.errors.InvalidArgumentError:
        return f(tf.constant(1)), g(tf.constant(2))


def _error(tf, function, *arguments):
    """The class and the last line of what a function raises."""
    try:
        tf.function(function)(*arguments)
    except Exception as e:
        return type(e).__name__, str(e).strip().splitlines()[-1].strip()
    raise AssertionError(f"{function.__name__} raised nothing")


@program
def errors_of_loops_and_branches(tf):
    def enters(rows):
        v = tf.constant([0, 0, 0])
        for _ in rows:
            tf.autograph.experimental.set_loop_options(shape_invariants=[(v, tf.TensorShape([1]))])
            v = tf.constant([0])
        return v

    def leaves(rows):
        v = tf.constant([0])
        for i in rows:
            tf.autograph.experimental.set_loop_options(shape_invariants=[(v, tf.TensorShape([1]))])
            v = tf.concat([v, [i]], 0)
        return v

    def returns(rows):
        for x in rows:
            return x
        return tf.constant(7, tf.int64)

    def defines(rows):
        for x in rows:
            y = x
        return y

    def nothing(c):
        if c:
            return None
        else:
            return None

    def nothing_within(c):
        if c:
            pair = None, 1
        else:
            pair = None, 2
        return pair

    def expression(c):
        return None if c else None  # noqa: RUF034

    c, rows = tf.constant(True), tf.data.Dataset.range(2)
    found = [_error(tf, f, c) for f in (nothing, nothing_within, expression)]
    for f in (enters, leaves):
        found.append(_error(tf, f, tf.range(2)))
    for f in (returns, defines):
        found += [_error(tf, f, rows), _error(tf, f, iter(rows))]
    return found


test_programs = compare(globals())


def test_an_error_names_the_users_line():
    @torchtf.function
    def f(x):
        y = x + 1
        for _ in torchtf.range(3):
            y = y + torchtf.no_such_name
        return y

    with pytest.raises(AttributeError, match=r"(?s)in user code:.*test_autograph.py.*no_such_name"):
        f(torchtf.constant(1))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "if x > 0:\n        y = 1\n    return y",
            "'y' must also be initialized in the else branch",
        ),
        ("if x > 0:\n        return 1", "the else branch must also have a return statement"),
        (
            "while x < 9:\n        x = 1.5\n    return x",
            "'x' has dtype int32 before the loop, but dtype float32 after one iteration",
        ),
        (
            "if x > 0:\n        y = 1\n    else:\n        y = 1.0\n    return y",
            "'y' has dtype int32 in the main branch, but dtype float32 in the else branch",
        ),
    ],
)
def test_messages_are_tensorflows(body, message, tmp_path, monkeypatch):
    (tmp_path / "written.py").write_text(f"def f(x):\n    {body}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "written", raising=False)
    import tensorflow
    import written

    for tf in (tensorflow, torchtf):
        with pytest.raises((ValueError, TypeError)) as caught:
            tf.function(written.f)(tf.constant(1))
        assert message in str(caught.value)


def test_to_code_shows_the_operators():
    def f(x):
        if x > 0:
            x = -x
        return x

    code = torchtf.autograph.to_code(f)
    assert code.startswith("def tf__f(x):") and "ag__.if_stmt(" in code

"""`tf.gradients`, `tf.hessians`, gradients that the user gave, and Jacobian products of graphs."""

from __future__ import annotations

from tests.function.programs import compare, program


def squares(tf, x, limit):
    (found,) = tf.nest.flatten(tf.while_loop(lambda v: v < limit, lambda v: v * v, [x]))
    return found


@program
def twice_through_loops_and_conditions(tf):
    @tf.function
    def loops(x):
        y = squares(tf, squares(tf, x, 4.0), 16.0)
        first = tf.gradients(y, x)[0]
        second = tf.gradients(first, x)[0]
        return y, first, second, tf.gradients(second, x)[0]

    @tf.function
    def condition(x):
        y = tf.cond(x > 0.0, lambda: x**3, lambda: -x)
        (first,) = tf.gradients(y, x)
        return first, tf.gradients(first, x)[0]

    @tf.function
    def folded(x):
        products = tf.scan(lambda a, b: a * b, x)
        return tf.gradients(tf.map_fn(lambda r: r * r, products), x)[0]

    @tf.function
    def counted(x):
        y = x
        for _ in tf.range(3):
            y = y * x
        return tf.gradients(y, [x, tf.constant(1.0)])[0]

    x = tf.constant(2.0)
    return (
        loops(x), condition(x), condition(-x), folded(tf.constant([1.0, 2.0, 3.0])), counted(x),
    )  # fmt: skip


@program
def of_what_a_run_left_out(tf):
    """Zeros where the graph connects, None where it does not."""

    @tf.function
    def branch(k, x, w, z):
        y = 0.0
        if k > 1:
            y = 3.0 * x * w[0] + tf.stop_gradient(z)
        return y

    @tf.function
    def loop(n, x, w, z):
        y = tf.constant(1.0)
        for _ in tf.range(n):
            if x > 5.0:
                y = y * x + tf.reduce_sum(w) + z
        return y

    x, w, z = tf.constant(2.0), tf.Variable([1.0, 2.0]), tf.constant(3.0)
    found = []
    for f in (branch, loop):
        for k in (0, 2):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch([x, z])
                y = f(tf.constant(k), x, w, z) + 1.0
            found += tape.gradient(y, [x, w, z])
    return found


@program
def through_functions_and_python(tf):
    @tf.function
    def inner(x):
        if x > 0.0:
            return x * x
        return -x

    @tf.custom_gradient
    def given(x):
        return x * 2.0, lambda dy: dy * 100.0

    @tf.function
    def outer(x):
        python = tf.py_function(lambda a: a * a, [x], tf.float32)
        return [tf.gradients(y, x)[0] for y in (inner(x), given(x), python)]

    return outer(tf.constant(3.0)), outer(tf.constant(-3.0))


@program
def of_rows(tf):
    @tf.function
    def f(x):
        once = tf.gradients(tf.gather(x, [0, 2]) ** 2, x)[0]
        both = tf.gradients([tf.gather(x, [0, 2]), x], x)[0]
        print(type(once).__name__, isinstance(both, tf.Tensor))
        return once.values, once.indices, both, tf.hessians(tf.gather(x, [0, 2]) ** 2, x)

    return f(tf.constant([1.0, 2.0, 3.0]))


@program
def hessians(tf):
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def of_open_size(x):
        return tf.hessians(tf.reduce_sum(x**3) + x[0] * x[1], x)

    @tf.function
    def of_two(x, y):
        return tf.hessians(tf.reduce_sum(x * x) * tf.reduce_prod(y), [x, y])

    @tf.function
    def of_a_loop(x):
        y = tf.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, v * v), (0, x))[1]
        return tf.hessians(tf.reduce_sum(y), x)

    two, three = tf.constant([1.0, 2.0]), tf.constant([1.0, 2.0, 3.0])
    matrix = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    return (
        of_open_size(two),
        of_open_size(three),
        of_two(matrix, two),
        of_a_loop(two),
    )


@program(raises=True)
def hessians_of_a_sum(tf):
    return tf.function(lambda x: tf.hessians(tf.reduce_sum(x), x))(tf.constant([1.0, 2.0]))


@program
def a_gradient_that_raises(tf):
    @tf.custom_gradient
    def f(x):
        def gradient(dy):
            raise ValueError("there is none")

        return x * 2.0, gradient

    g = tf.function(lambda x: f(x))
    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = g(tf.stop_gradient(x))
    print(g(x).numpy(), tape.gradient(y, x))
    with tf.GradientTape() as tape:
        tape.watch(x)
        try:
            tape.gradient(g(x), x)
        except ValueError as e:
            print("there is none" in str(e))


@program
def jacobians_of_folds(tf):
    @tf.function
    def f(x, at_once):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = tf.foldl(lambda a, b: tf.sin(a + b), x)
        return tape.jacobian(y, x, experimental_use_pfor=at_once)

    @tf.function
    def of_a_batch(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reshape(tf.foldl(lambda a, b: tf.cos(a + b), tf.transpose(x)), [1, 1])
        return tape.batch_jacobian(y, x)

    x = tf.constant([[1.0], [2.0]])
    return f(x, True), f(x, False), of_a_batch(tf.constant([[1.0, 2.0]]))


@program
def jacobians_of_the_unconnected(tf):
    x = tf.constant([[2.0, 3.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.function(lambda x: tf.constant([[1.0, 5.0]]))(x)
    return [
        (tape.batch_jacobian(y, x, unconnected_gradients=how), tape.jacobian(y, x, how))
        for how in ("none", "zero")
    ]


@program
def who_sees_a_jacobian_product(tf):
    x, v = tf.constant([1.0, 2.0]), tf.constant([1.0, 0.5])
    Accumulator = tf.autodiff.ForwardAccumulator
    with tf.GradientTape() as around:
        around.watch(x)
        with Accumulator(x, v) as accumulator:
            y = tf.reduce_sum(x**3)
        product = accumulator.jvp(y)
    print(around.gradient(product, x))
    with Accumulator(x, v) as accumulator, tf.GradientTape() as inside:
        inside.watch(x)
        y = tf.reduce_sum(x**3)
        product = accumulator.jvp(y)
    print(inside.gradient(product, x))
    with Accumulator(x, v) as outer, Accumulator(x, v) as inner:
        y = tf.reduce_sum(x**3)
    return outer.jvp(inner.jvp(y)), inner.jvp(outer.jvp(y))


@program
def computed_again_from_a_dict_of_references(tf):
    a, b = tf.Variable([1.0, 2.0]), tf.Variable(3.0)

    @tf.recompute_grad
    def f(values):
        return [values[a.ref()] ** 2, values[b.ref()] ** 3]

    with tf.GradientTape() as tape:
        y = f({a.ref(): a, b.ref(): b})
    return tape.gradient(y, [a, b])


@program
def curvature_of_a_branch_that_is_not_taken(tf):
    """Second derivatives and Jacobian products: zeros where the other branch would have some."""

    def twice(function, x, taken):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = function(x, taken)
            gradient = tape.gradient(y, x)
        return gradient, outer.gradient(gradient, x)

    def product(function, x, taken):
        with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as accumulator:
            y = function(x, taken)
        return accumulator.jvp(y)

    x = tf.constant(2.0)
    found = []
    for other in (lambda _: tf.constant(1.0), lambda x: 2.0 * x):
        for taken in (True, False):
            for of in (twice, product):
                function = tf.function(
                    lambda x, p, other=other: tf.cond(p, lambda: x * x * x, lambda: other(x))
                )
                found.append(of(function, x, tf.constant(taken)))
    straight = tf.function(lambda x, p: tf.cond(p, lambda: 3.0 * x, lambda: -x))
    return found, twice(straight, x, tf.constant(True))


@program
def python_functions_that_close_over_sources(tf):
    """Gradients reach the inputs alone, a tape within sees all."""
    x, z, v = tf.constant(2.0), tf.constant(3.0), tf.Variable(4.0)

    def inner(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = a * z * v
        da, dv = tape.gradient(y, [a, v])
        return y + da * a + dv

    found = []
    for wrap in (tf.function, lambda f: f):
        call = wrap(lambda x: tf.py_function(inner, [x], tf.float32))
        constant = wrap(lambda: tf.py_function(lambda: v * 2.0, [], tf.float32))
        argument = wrap(lambda: tf.py_function(lambda a: a * v, [v], tf.float32))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([x, z])
            y = call(x)
            w, u = constant(), argument()
        found += [y, tape.gradient(y, [x, z, v]), tape.gradient(w, v), tape.gradient(u, v)]
    return found


@program
def ops_without_a_gradient_refuse_theirs(tf):
    x = tf.constant([[1.0, 2.0, 2.0]])

    def message(op):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = op(x)
        try:
            tape.gradient(y, x)
        except LookupError as e:
            return y, str(e)

    return [message(lambda x: tf.unique(x[0]).y), message(lambda x: tf.unique_with_counts(x[0]).y),
            message(lambda x: tf.raw_ops.UniqueV2(x=x, axis=[0]).y)]  # fmt: skip


test_programs = compare(globals())

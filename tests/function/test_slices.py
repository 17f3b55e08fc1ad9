"""Slices along axes of open size, those that depend on data included: one trace is TensorFlow's for
any size, values, static shapes and gradients.
"""

from __future__ import annotations

import pytest
import tensorflow as real_tf

import torchtf as tf

SIZES = (0, 1, 3, 4, 7)
# how the sliced value comes about from a vector: as it is, or by an op that tells its size late
SOURCES = {
    "input": "x",
    "mask": "tf.boolean_mask(x, x > 0)",
    "second axis": "tf.transpose(tf.boolean_mask(tf.stack([x, x * 2], 1), x > 0))",
}
INDICES = [
    ":4", "-3:", "2:", "::2", "::-1", "1:-1", ":-2", "-4:-1", "1:6:2", "3:1", "-1:-3", "4:1:-1",
    "-2::-2", ":2:-1", ":-3:-1", "5:-1:-1", "2000:", ":2000", "1:tf.size(y)", "tf.size(y) - 2:",
    "tf.size(y)::-2", "-tf.size(y):2", "tf.size(x) - 3:tf.size(x)",
]  # fmt: skip
PROGRAMS = [
    "tf.pad(y[:4], [[0, 4 - tf.size(y[:4])]])",
    "tf.pad(y[:4], [[0, 4 - tf.shape(y[:4])[0]]], constant_values=-1.0)",
    "tf.concat([y[:4], tf.zeros([4 - tf.size(y[:4])])], 0)",
    "tf.concat([y[:4], y[-2:]], 0)",
    "tf.reshape(tf.pad(y[:4], [[0, 4 - tf.size(y[:4])]]), [2, 2])",
    "y[1:] - y[:-1]",
    "tf.reshape(y[1:], [tf.maximum(tf.shape(y)[0] - 1, 0)])",
    "tf.stack([y[:3], y[-3:]])",
    "tf.strided_slice(y, [0], [5], [2])",
    "tf.range(10.0)[: tf.size(y)]",
    "tf.range(10.0)[tf.size(y) :: 2]",
    "tf.cond(tf.size(x) > 3, lambda: y[:4], lambda: y[1:])",
    "tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + tf.reduce_sum(y[i : i + 2])), [0, 0.0])[1]",
    "tf.while_loop(lambda i, v: i < 2, lambda i, v: (i + 1, v[1:]), [0, y],"
    " shape_invariants=[tf.TensorShape([]), tf.TensorShape([None])])[1]",
]  # fmt: skip
FAILING = [
    "y[5]", "y[-2]", "tf.slice(y, [0], [2])", "tf.slice(y, [1], [2])", "tf.slice(y, [1], [-1])",
    "tf.gather(y, [0, 2])", "tf.split(y, [2, -1])[1]", "tf.split(y, [1, 2])[1]",
    "y[:4] + tf.constant([1.0, 2.0, 3.0, 4.0])",
]  # fmt: skip


def _runs(lib, source: str, codes: list[str]) -> list:
    """The values, their shapes and gradients, or the class of the error, for each size; before these
    the static shapes.
    """

    def function(x):
        names = {"tf": lib, "x": x}
        names["y"] = eval(source, names)
        results = [eval(code, names) for code in codes]
        static.append([r.shape.as_list() for r in results])
        return results, [lib.shape(r) for r in results]

    static: list = []
    traced = lib.function(
        function, input_signature=[lib.TensorSpec([None], lib.float32)], autograph=False
    )
    found = []
    for n in SIZES:
        x = lib.range(float(n))
        try:
            with lib.GradientTape() as tape:
                tape.watch(x)
                results, shapes = traced(x)
                total = lib.add_n([(k + 1) * lib.reduce_sum(r**2) for k, r in enumerate(results)])
            grad = tape.gradient(total, x, unconnected_gradients="zero")
        except (lib.errors.InvalidArgumentError, lib.errors.OutOfRangeError) as e:
            found.append(type(e).__name__)
            continue
        found += [
            {code: (r.numpy().tolist(), s.numpy().tolist())
             for code, r, s in zip(codes, results, shapes, strict=True)},
            lib.convert_to_tensor(grad).numpy().tolist(),
        ]  # fmt: skip
    return [dict(zip(codes, static[0], strict=True)), *found]


def _agree(source: str, codes: list[str]) -> None:
    (expected_shapes, *expected), (shapes, *found) = (
        _runs(lib, SOURCES[source], codes) for lib in (real_tf, tf)
    )
    assert found == expected
    for code, shape in shapes.items():  # here more may be known: `y[3:1]` is empty
        assert real_tf.TensorShape(expected_shapes[code]).is_compatible_with(shape), code


@pytest.mark.parametrize("source", SOURCES)
def test_a_slice_is_right_for_every_size(source):
    dots = "..., " if source == "second axis" else ""
    _agree(source, [f"y[{dots}{index}]" for index in INDICES])


@pytest.mark.parametrize("source", ["input", "mask"])
def test_what_follows_a_slice_is_right_for_every_size(source):
    _agree(source, PROGRAMS)


@pytest.mark.parametrize("source", ["input", "mask"])
@pytest.mark.parametrize("code", FAILING)
def test_what_a_size_does_not_allow_fails(code, source):
    _agree(source, [code])


@pytest.mark.parametrize("source", ["mask", "second axis"])
def test_the_shape_of_a_slice_stays_open(source):
    x = tf.TensorSpec([None])
    function = tf.function(lambda x: eval(SOURCES[source], {"tf": tf, "x": x})[..., :4], [x], False)
    assert function.get_concrete_function().structured_outputs.shape[-1] is None


def _mapped(lib):
    lengths = lib.data.Dataset.range(6)
    for head in (lambda x: x[:2], lambda x: x[-2:], lambda x: x[1:], lambda x: x[2::-1]):
        late = lengths.map(
            lambda n, head=head: head(lib.boolean_mask(lib.range(n), lib.range(n) > 1))
        )
        yield [v.numpy().tolist() for v in late], late.element_spec.shape.as_list()
        sizes = lengths.map(lambda n, head=head: lib.shape(head(lib.range(n))))
        yield [v.numpy().tolist() for v in sizes]


def test_slices_in_datasets():
    assert list(_mapped(tf)) == list(_mapped(real_tf))

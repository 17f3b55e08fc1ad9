"""`tf.experimental.ExtensionType` and dispatch: the programs of TensorFlow's guide, on both."""

import traceback
import typing

import numpy as np
import pytest

import torchtf
from tests.function.programs import compare, program


def masked(tf):
    """The guide's MaskedTensor."""

    class MaskedTensor(tf.experimental.BatchableExtensionType):
        """A tensor with some invalid elements."""

        values: tf.Tensor
        mask: tf.Tensor

        def replace_mask(self, new_mask):
            self.values.shape.assert_is_compatible_with(new_mask.shape)
            return MaskedTensor(self.values, new_mask)

        def with_default(self, default):
            return tf.where(self.mask, self.values, default)

        shape = property(lambda self: self.values.shape)
        dtype = property(lambda self: self.values.dtype)

        def __repr__(self):
            return f"<MaskedTensor {self.values.numpy().tolist()} {self.mask.numpy().tolist()}>"

        def __add__(self, other):
            return tf.add(self, other)

        class Spec:
            def __init__(self, shape, dtype=tf.float32):
                self.values = tf.TensorSpec(shape, dtype)
                self.mask = tf.TensorSpec(shape, tf.bool)

            shape = property(lambda self: self.values.shape)
            dtype = property(lambda self: self.values.dtype)

            def __repr__(self):
                return f"MaskedTensor.Spec(shape={self.shape}, dtype={self.dtype})"

            def with_shape(self):
                return MaskedTensor.Spec(tf.TensorShape(self.values.shape), self.values.dtype)

    return MaskedTensor


def show(value):
    print(value)


@program
def constructors_and_fields(tf):
    class Node(tf.experimental.ExtensionType):
        """Names that are resolved later."""

        value: tf.Tensor
        children: typing.Tuple["Node", ...] = ()  # noqa: UP006

    class Fields(tf.experimental.ExtensionType):
        x: tf.Tensor
        shape: tf.TensorShape
        dtype: tf.DType = tf.float32
        rows: typing.Optional[tf.RaggedTensor] = None  # noqa: UP045
        names: typing.Mapping[str, tf.Tensor] = {}
        pair: typing.Union[int, str] = 3  # noqa: UP007

    a = Fields([1, 2], [None, 3])
    b = Fields(x=1.5, shape=None, dtype="int8", rows=tf.ragged.constant([[1], []]),
               names={"a": 1}, pair="p")  # fmt: skip
    for value in (a, b):
        show(value)
        show(value._type_spec)
    show(tf.experimental.extension_type.as_dict(a))
    show(
        Fields.Spec(tf.TensorSpec([None]), [2], tf.int32, tf.RaggedTensorSpec([None, None]), {}, 1)
    )
    return [len(tf.nest.flatten(v, expand_composites=True)) for v in (a, b)]


@program
def wrong_values(tf):
    class Pair(tf.experimental.ExtensionType):
        a: tf.Tensor
        n: int = 1
        t: typing.Tuple[int, str] = (1, "x")  # noqa: UP006

        def __validate__(self):
            self.a.shape.assert_has_rank(1)

    def field(annotation):
        return type(Pair)("T", (tf.experimental.ExtensionType,), {"__annotations__": annotation,
                                                                 "__module__": __name__})  # fmt: skip

    calls = [
        lambda: Pair(), lambda: Pair([1], "x"), lambda: Pair([1], t=(1,)), lambda: Pair([1], z=3),
        lambda: Pair([[1]]), lambda: Pair(object()), lambda: setattr(Pair([1]), "n", 2),
        lambda: delattr(Pair([1]), "n"), lambda: hash(Pair([1])), lambda: field({"x": list}),
        lambda: field({"_type_spec": int}), lambda: field({"Spec": int}),
        lambda: tf.convert_to_tensor(Pair([1])), lambda: tf.add(Pair([1]), 1),
        lambda: tf.experimental.ExtensionType(), lambda: Pair([1]) + 1,
        lambda: type(Pair)("U", (tf.experimental.ExtensionType,), {"x": 1}),
    ]  # fmt: skip
    found = []
    for call in calls:
        try:
            call()
            found.append("none")
        except Exception as e:
            found.append(f"{type(e).__name__}: {e}")
    return found


@program
def equality_and_subclasses(tf):
    MaskedTensor = masked(tf)

    class Named(MaskedTensor):
        name: str

    x = MaskedTensor([1, 2], [True, False])
    y = MaskedTensor([1, 2], [True, True])
    show(Named([1], [True], "n").name)
    return x == x, x == y, x != y, x == 3, MaskedTensor([1], [True]) == x


@program
def in_functions(tf):
    MaskedTensor = masked(tf)

    @tf.function
    def with_default(x, default):
        print("tracing", x.shape)
        return tf.where(x.mask, x.values, default), x.replace_mask(tf.logical_not(x.mask))

    @tf.function(input_signature=[MaskedTensor.Spec([None], tf.int32)])
    def total(x):
        print("tracing a signature", x.shape)
        return tf.reduce_sum(x.with_default(0))

    out = []
    for size in (2, 2, 3):
        mt = MaskedTensor(tf.range(size), tf.range(size) > 0)
        dense, other = with_default(mt, -1)
        show(other)
        out += [dense, total(mt)]

    @tf.function
    def loop(x):
        i = 0
        while tf.constant(i) < 3 if i is None else i < 3:
            x = MaskedTensor(x.values * 2, x.mask)
            i += 1
        return x

    show(loop(MaskedTensor([1, 2], [True, False])))

    @tf.function
    def branch(x, flag):
        return tf.cond(flag, lambda: MaskedTensor(x.values + 1, x.mask), lambda: x)

    show(branch(MaskedTensor([1, 2], [True, False]), tf.constant(True)))
    with tf.GradientTape() as tape:
        values = tf.constant([1.0, 2.0])
        tape.watch(values)
        loss = tf.reduce_sum(MaskedTensor(values, [True, False]).with_default(0.0) ** 2)
    return out, tape.gradient(loss, values)


@program
def in_datasets(tf):
    MaskedTensor = masked(tf)
    mt = MaskedTensor(np.arange(12).reshape(4, 3), np.arange(12).reshape(4, 3) % 2 == 0)
    ds = tf.data.Dataset.from_tensors(mt)
    show(ds.element_spec)
    for value in ds:
        show(value)
    slices = tf.data.Dataset.from_tensor_slices(mt)
    show(slices.element_spec)
    for value in slices:
        show(value)
    batched = slices.batch(3)
    show(batched.element_spec)
    for value in batched.map(lambda x: MaskedTensor(x.values * 2, x.mask)):
        show(value)
    for value in batched.unbatch():
        show(value)
    return list(slices.map(lambda x: x.with_default(-1)))


@program
def dispatching(tf):
    MaskedTensor = masked(tf)
    api = tf.experimental

    @api.dispatch_for_unary_elementwise_apis(MaskedTensor)
    def unary(op, x):
        return MaskedTensor(op(x.values), x.mask)

    @api.dispatch_for_binary_elementwise_apis(MaskedTensor, MaskedTensor)
    def binary(op, x, y):
        return MaskedTensor(op(x.values, y.values), x.mask & y.mask)

    @api.dispatch_for_binary_elementwise_apis(MaskedTensor, tf.Tensor)
    def right(op, x, y):
        return MaskedTensor(op(x.values, y), x.mask)

    @api.dispatch_for_binary_elementwise_assert_apis(MaskedTensor, MaskedTensor)
    def asserted(op, x, y):
        op(x.values, y.values)

    @api.dispatch_for_api(tf.stack, {"values": typing.List[MaskedTensor]})  # noqa: UP006
    def stack(values, axis=0):
        return MaskedTensor(tf.stack([v.values for v in values], axis),
                            tf.stack([v.mask for v in values], axis))  # fmt: skip

    @api.dispatch_for_api(tf.shape, {"input": MaskedTensor})
    def shape(input, out_type=tf.int32):
        return tf.shape(input.values, out_type)

    @api.dispatch_for_api(tf.concat, {"values": typing.List[MaskedTensor]})  # noqa: UP006
    def concat(values, axis, name="concat"):
        return MaskedTensor(tf.concat([v.values for v in values], axis),
                            tf.concat([v.mask for v in values], axis))  # fmt: skip

    x = MaskedTensor([1.5, -2.5], [True, False])
    y = MaskedTensor([-3.0, 4.0], [True, True])
    for value in (
        tf.abs(x), tf.math.ceil(x), tf.cast(x, tf.int32), tf.clip_by_value(x, -1.0, 1.0),
        tf.add(x, y), x + y, tf.maximum(x, tf.constant(0.0)), tf.math.squared_difference(x, y),
        tf.stack([x, y]), tf.concat([x, y], axis=0), tf.nn.relu(x), tf.zeros_like(x),
    ):  # fmt: skip
        show(value)
    out = [tf.shape(x), tf.abs(tf.constant([-1.0])), tf.stack([1, 2]), tf.stack([])]
    found = []
    for call in (
        lambda: tf.debugging.assert_equal(x, y), lambda: tf.reduce_sum(x),
        lambda: api.dispatch_for_unary_elementwise_apis(MaskedTensor)(unary),
        lambda: api.dispatch_for_api(len), lambda: api.unregister_dispatch_for(show),
        lambda: api.dispatch_for_api(tf.stack, {"foo": MaskedTensor}),
        lambda: api.dispatch_for_api(tf.stack)(lambda a, b: 1),
    ):  # fmt: skip
        try:
            call()
            found.append("none")
        except Exception as e:
            found.append(type(e).__name__)

    @tf.function
    def traced(x):
        return tf.abs(x)

    show(traced(x))
    for target in (unary, binary, right, stack, shape, concat):  # TensorFlow fails on asserted
        api.unregister_dispatch_for(target)
    try:
        tf.abs(x)
    except Exception as e:
        found.append(type(e).__name__)
    return out, found, tf.abs(tf.constant(-2)), tf.concat([[1], [2]], 0)


@program
def mapped(tf):
    MaskedTensor = masked(tf)
    x = MaskedTensor([[1.5, -2.5], [3.0, 4.0]], [[True, False], [True, True]])
    sparse = tf.sparse.from_dense([[1, 0], [0, 2]])
    show(tf.map_fn(lambda row: MaskedTensor(row.values * 2, row.mask), x))
    show(tf.map_fn(
        lambda row: MaskedTensor(row, row > 0), tf.constant([[1.0, -2.0], [3.0, 4.0]]),
        fn_output_signature=MaskedTensor.Spec([2]),
    ))  # fmt: skip
    return (
        tf.map_fn(lambda row: row.with_default(0), x, fn_output_signature=tf.float32),
        tf.map_fn(lambda row: tf.sparse.reduce_sum(row), sparse, fn_output_signature=tf.int32),
        tf.sparse.to_dense(tf.map_fn(lambda row: row, sparse)),
    )


@program
def targets_that_do_not_fit(tf):
    MaskedTensor = masked(tf)

    class Plain:
        pass

    class Narrow(MaskedTensor):
        pass

    def of_ints(x, name=None):
        return "ints"

    def of_plain(x, name=None):
        return "plain"

    def of_masked(x, name=None):
        return "masked"

    def of_narrow(x, name=None):
        return "narrow"

    for kind, target in (
        (int, of_ints), (Plain, of_plain), (MaskedTensor, of_masked), (Narrow, of_narrow),
    ):  # fmt: skip
        tf.experimental.dispatch_for_api(tf.math.square, {"x": kind})(target)
    found = []
    for value in (3, Plain(), MaskedTensor([1], [True]), Narrow([1], [True])):
        try:
            found.append(tf.math.square(value))
        except Exception as e:
            found.append(type(e).__name__)
    for target in (of_ints, of_plain, of_masked, of_narrow):
        tf.experimental.unregister_dispatch_for(target)
    return found


test_programs = compare(globals())


def test_a_frame_of_a_dispatched_function_shows_its_locals():
    """tf.stack has free variables, which its frame must hold while its code is exchanged."""

    class Rows(torchtf.experimental.ExtensionType):
        values: torchtf.Tensor

    @torchtf.experimental.dispatch_for_api(torchtf.stack, {"values": typing.List[Rows]})  # noqa: UP006
    def stack(values, axis=0, name="stack"):
        raise ArithmeticError

    with pytest.raises(ArithmeticError) as raised:
        torchtf.stack([Rows([1])])
    torchtf.experimental.unregister_dispatch_for(stack)
    frames = [f for f, _ in traceback.walk_tb(raised.tb)]
    assert "values" in frames[-1].f_locals
    assert any(f.f_code.co_freevars and "_dispatcher" in f.f_locals for f in frames)

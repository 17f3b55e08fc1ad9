"""`tf.nn` against TensorFlow: convolution, pooling, activations, losses, normalization."""

from __future__ import annotations

import torchtf
from tests.oracle import case, cases, each, integers, normal, uniform

IMAGES = {
    "x": normal(2, 7, 6, 3),
    "w": normal(3, 2, 3, 4),
    "g": normal(3, 2, 1, 6),  # three groups
    "v": normal(2, 9, 3),
    "w1": normal(3, 3, 4),
    "vol": normal(2, 5, 6, 4, 2),
    "w3": normal(2, 3, 2, 2, 3),
    "d": normal(3, 2, 3, 2),
    "p": normal(1, 1, 6, 5),
    "i": integers(-9, 9, 2, 7, 6, 3),
    "wi": integers(-9, 9, 3, 2, 3, 4),
}
FILTERS = ("w", "g", "w1", "w3", "d", "p", "wi")


@cases(
    IMAGES,
    [
        *each("tf.nn.conv2d(x, w, {}, 'SAME')", ["1", "2", "3", "[1,2]", "[1,2,3,1]", "[2]"]),
        *each("tf.nn.conv2d(x, w, {}, 'VALID')", ["1", "2", "[1,1,2,1]"]),
        "tf.nn.conv2d(x, w, 2, [[0, 0], [1, 2], [0, 3], [0, 0]])",
        "tf.nn.conv2d(i, wi, 1, 'SAME')",
        "tf.nn.conv2d(tf.cast(x, tf.float64), tf.cast(w, tf.float64), 1, 'SAME')",
        case(
            "tf.nn.conv2d(tf.cast(x, tf.float16), tf.cast(w, tf.float16), 1, 'SAME')",
            grad=False,
            atol=3e-2,
            static=FILTERS,
        ),
        "tf.nn.conv2d(tf.stack([x, x + 1]), w, 1, 'SAME')",
        "tf.nn.conv2d(x, w, 1, 'same')",
        "tf.nn.conv2d(x, w1, 1, 'SAME')",
        "tf.nn.conv2d(x, d[:, :, :2], 1, 'SAME')",
        "tf.nn.conv2d(x, tf.cast(w, tf.float64), 1, 'SAME')",
        "tf.nn.conv2d(x, w, 1, 'SAME', data_format='NWC')",
        "tf.nn.conv2d(x, w, [1, 2, 3], 'SAME')",
        "tf.nn.conv2d(x[:, :1], w, 1, 'VALID')",
        "tf.nn.convolution(x, w)",
        "tf.nn.convolution(x, w, 2, 'SAME')",
        "tf.nn.convolution(x, w, padding='SAME', dilations=2)",
        "tf.nn.convolution(v, w1, padding='SAME', dilations=[3])",
        "tf.nn.convolution(vol, w3, strides=[1, 2, 1], data_format='NDHWC')",
        "tf.nn.atrous_conv2d(x, w, 2, 'SAME')",
        "tf.nn.atrous_conv2d(x, w, 2, 'VALID')",
        *each("tf.nn.conv1d(v, w1, {}, 'SAME')", ["1", "2", "[3]", "[1,2,1]"]),
        "tf.nn.conv1d(v, w1, 2, 'VALID')",
        *each("tf.nn.conv3d(vol, w3, {}, 'SAME')", ["[1,1,1,1,1]", "[1,2,1,2,1]"]),
        "tf.nn.conv3d(vol, w3, [1, 2, 3, 2, 1], 'VALID')",
    ],
    rtol=1e-4,
    atol=2e-5,
    static=FILTERS,
)
def test_convolution(case):
    case.check()


# On a CPU TensorFlow has them (their gradients, some of them) in oneDNN only, which it leaves out
# on older processors. It is asked for in a process of their own: a wrong rank aborts a process with it.
ONEDNN = [
    *each("tf.nn.conv2d(x, w, 1, '{}', dilations=2)", "SAME VALID"),
    "tf.nn.conv2d(x, w, 2, 'SAME', dilations=[1, 2, 1, 1])",
    "tf.nn.conv2d(x, g, 1, 'SAME')",
    "tf.nn.conv1d(v, w1, 1, 'SAME', dilations=2)",
    "tf.nn.conv2d_transpose(x, w, [2, 8, 4, 4], 1, 'VALID', dilations=[1, 2, 1, 1])",
]


def test_grouped_and_dilated_convolutions(run_python):
    run_python(
        """
        import tests.conftest
        from tests.oracle import Case
        from tests.ops.test_nn import FILTERS, IMAGES, ONEDNN
        for code in ONEDNN:
            print(code)
            Case(code, IMAGES, traced="transpose" not in code, static=FILTERS, rtol=1e-4, atol=2e-5).check()
        """,
        env={"TF_ENABLE_ONEDNN_OPTS": "1"},
    )


@cases(
    IMAGES,
    [
        "tf.nn.depthwise_conv2d(x, d, [1, 1, 1, 1], 'SAME')",
        "tf.nn.depthwise_conv2d(x, d, [1, 2, 2, 1], 'SAME')",
        "tf.nn.depthwise_conv2d(x, d, [1, 2, 2, 1], 'VALID')",
        "tf.nn.depthwise_conv2d(x, d, [1, 1, 1, 1], 'SAME', dilations=[2, 2])",
        "tf.nn.depthwise_conv2d(x, d, [1, 1, 1, 1], [[0, 0], [1, 0], [2, 1], [0, 0]])",
        "tf.nn.separable_conv2d(x, d, p, [1, 2, 2, 1], 'SAME')",
        "tf.nn.separable_conv2d(x, d, p, [1, 1, 1, 1], 'VALID', dilations=[2, 2])",
        case(
            "tf.nn.depthwise_conv2d_backprop_input([2, 7, 6, 3], d, tf.ones([2, 7, 6, 6]) * "
            "tf.range(6.), [1, 1, 1, 1], 'SAME')",
            traced=False,
        ),
        case(
            "tf.nn.depthwise_conv2d_backprop_filter(x, [3, 2, 3, 2], tf.ones([2, 7, 6, 6]) * "
            "tf.range(6.), [1, 1, 1, 1], 'SAME')",
            traced=False,
        ),
    ],
    rtol=1e-4,
    atol=2e-5,
    static=FILTERS,
)
def test_depthwise(case):
    case.check()


@cases(
    {
        "x": normal(2, 4, 3, 5),
        "w": normal(3, 2, 4, 5),
        "v": normal(2, 4, 5),
        "w1": normal(3, 4, 5),
        "vol": normal(2, 3, 2, 3, 2),
        "w3": normal(2, 3, 2, 4, 2),
    },
    [
        "tf.nn.conv2d_transpose(x, w, [2, 4, 3, 4], 1, 'SAME')",
        "tf.nn.conv2d_transpose(x, w, [2, 8, 6, 4], 2, 'SAME')",
        "tf.nn.conv2d_transpose(x, w, [2, 7, 5, 4], 2, 'SAME')",
        "tf.nn.conv2d_transpose(x, w, [2, 12, 9, 4], 3, 'SAME')",
        "tf.nn.conv2d_transpose(x, w, [2, 9, 6, 4], 2, 'VALID')",
        "tf.nn.conv2d_transpose(x, w, [2, 10, 7, 4], 2, 'VALID')",
        "tf.nn.conv2d_transpose(x, w, [2, 8, 6, 3], 2, 'SAME')",
        "tf.nn.conv1d_transpose(v, w1, [2, 8, 4], 2, 'SAME')",
        "tf.nn.conv1d_transpose(v, w1, [2, 6, 4], 1, 'VALID')",
        "tf.nn.conv3d_transpose(vol, w3, [2, 6, 4, 6, 4], [1, 2, 2, 2, 1], 'SAME')",
        "tf.nn.conv_transpose(vol, w3, [2, 4, 4, 4, 4], [1, 1, 1, 1, 1], 'VALID')",
        "tf.nn.conv_transpose(x, w, [2, 8, 6, 4], 2)",
        "tf.nn.atrous_conv2d_transpose(x, w, [2, 4, 3, 4], 2, 'SAME')",
    ],
    rtol=1e-4,
    atol=2e-5,
    traced=False,
)
def test_transposed(case):
    case.check()


@cases(
    {**IMAGES, "u": integers(0, 255, 2, 7, 6, 3, dtype="uint8")},
    [
        *[
            f"tf.nn.{kind}_pool(x, {k}, {s}, '{p}')"
            for kind in ("max", "avg")
            for k, s, p in [
                (2, 2, "SAME"),
                (2, 2, "VALID"),
                (3, 2, "SAME"),
                (3, 1, "SAME"),
                (2, 1, "SAME"),
                ([1, 3], [2, 1], "VALID"),
                ([1, 4, 2, 1], [1, 3, 2, 1], "SAME"),
                (5, 3, "SAME"),
            ]
        ],
        *each("tf.nn.{}_pool1d(v, 3, 2, 'SAME')", "max avg"),
        *each("tf.nn.{}_pool2d(x, 3, 2, 'SAME')", "max avg"),
        *each("tf.nn.{}_pool3d(vol, 2, 2, 'SAME')", "max avg"),
        *each("tf.nn.{}_pool3d(vol, [1, 2, 3, 2, 1], 1, 'VALID')", "max avg"),
        *each("tf.nn.{}_pool(v, 2, 2, 'SAME')", "max avg"),
        *each("tf.nn.{}_pool2d(x[..., :0], 2, 2, 'SAME')", "max avg"),
        "tf.nn.max_pool2d(x, 2, 2, [[0, 0], [1, 0], [0, 1], [0, 0]])",
        "tf.nn.max_pool2d(i, 2, 2, 'SAME')",
        "tf.nn.max_pool2d(u, 2, 2, 'SAME')",
        "tf.nn.max_pool2d(x, 9, 1, 'VALID')",
        "tf.nn.max_pool2d(x, 2, 2, 'same')",
        "tf.nn.max_pool(x[0, 0], 2, 2, 'SAME')",
        "tf.nn.pool(x, [2, 2], 'MAX')",
        "tf.nn.pool(x, [2, 3], 'AVG', strides=[2, 2], padding='SAME')",
        "tf.nn.pool(x, [2, 2], 'MAX', dilations=[2, 2])",
        "tf.nn.pool(x, [2, 2], 'AVG', dilations=[2, 2])",
        "tf.nn.pool(x, [2, 2], 'AVG', strides=[3, 3])",
        "tf.nn.max_pool_with_argmax(x, 2, 2, 'SAME')",
        case("tf.nn.max_pool_with_argmax(x[:0], 2, 2, 'SAME')", traced=False),
        "tf.nn.max_pool_with_argmax(x, 3, 2, 'SAME', include_batch_in_index=True)",
        case("tf.nn.max_pool_with_argmax(x, 2, 1, 'VALID', output_dtype=tf.int32)", grad=False),
    ],
)
def test_pooling(case):
    case.check()


NARROW = {"x": normal(1, 4, 2, 2), "vol": normal(1, 4, 2, 4, 2), **{
    f"w{n}": normal(*[3] * n, 2, 4) for n in (1, 2, 3)
}}  # fmt: skip


@cases(
    NARROW,
    [
        *[
            f"tf.nn.{call}, 'VALID')"
            for s in (1, 2)
            for call in (
                *[f"{kind}_pool2d(x, 3, {s}" for kind in ("max", "avg")],
                f"max_pool1d(x[0], 3, {s}",
                f"max_pool2d(x[:, :, :1], 3, {s}",
                f"avg_pool3d(vol, 3, {s}",
                f"conv1d(x[0], w1, {s}",
                f"conv2d(x, w2, {s}",
                f"conv2d(x[:, :, :1], w2, {s}",
                f"conv3d(vol, w3, [1, {s}, {s}, {s}, 1]",
                f"depthwise_conv2d(x, w2, [1, {s}, {s}, 1]",
                f"max_pool_with_argmax(x, 3, {s}",
            )
        ],
        *each(
            "tf.nn.{}", ["max_pool2d(x[:, :0], 3, 1, 'SAME')", "conv2d(x[:, :0], w2, 2, 'SAME')"]
        ),
        *each("tf.nn.avg_pool3d(vol, {}, 'SAME')", ["3, 1", "3, 2", "[2, 5, 2], 1"]),
        "tf.nn.conv2d(x[:, :, :1], w2, 1, [[0, 0], [0, 0], [1, 0], [0, 0]])",
        "tf.nn.max_pool2d(x[:, :, :1], 3, 2, [[0, 0], [0, 0], [1, 0], [0, 0]])",
        "tf.nn.dilation2d(x, w2[..., 0], [1, 1, 1, 1], 'VALID', 'NHWC', [1, 1, 1, 1])",
    ],
    grad=False,  # TensorFlow's gradient of an empty convolution may crash
)
def test_windows_that_do_not_fit(case):
    case.check()


@cases(
    {},
    [
        f"tf.function(lambda: tf.nn.{call})()"
        for call in (
            "max_pool2d(tf.zeros([1, 4, 2, 1]), 3, 2, 'VALID')",
            "conv2d(tf.zeros([1, 4, 2, 1]), tf.zeros([3, 3, 1, 1]), 2, 'VALID')",
        )
    ],
)
def test_graphs_refuse_windows_that_do_not_fit(case):
    case.check()


@cases(
    {
        "x": normal(4, 5) * 3,
        "i": integers(-9, 9, 4, 5),
        "h": normal(4, 5, dtype="float16"),
        "z": uniform(-30, 30, 50, dtype="float64"),
    },
    [
        *each(
            "tf.nn.{}(x)",
            "relu relu6 leaky_relu elu selu gelu silu swish softplus softsign sigmoid "
            "tanh crelu softmax log_softmax",
        ),
        *each("tf.nn.{}(z)", "relu6 elu selu silu softplus softsign log_softmax"),
        case("tf.nn.gelu(z)", atol=1e-8),  # TensorFlow rounds a constant to float32
        *each("tf.nn.{}(h)", "relu leaky_relu elu gelu softplus softmax"),
        *each("tf.nn.{}(i)", "relu relu6 leaky_relu softmax gelu elu"),
        "tf.nn.leaky_relu(x, 0.4)",
        "tf.nn.gelu(x, approximate=True)",
        "tf.nn.silu(x, 2.0)",
        "tf.nn.crelu(x, axis=0)",
        "tf.nn.softmax(x, 0)",
        "tf.nn.softmax(x, -2)",
        "tf.nn.softmax(x, 2)",
        "tf.nn.log_softmax(x, axis=0)",
        "tf.nn.relu('a')",
        "tf.nn.elu(True)",
    ],
)
def test_activations(case):
    case.check()


@cases(
    {
        "x": normal(4, 5),
        "y": uniform(0, 1, 4, 5),
        "c": integers(0, 5, 4),
        "w": uniform(0, 1, 4),
        "c2": integers(0, 3, 4, 5, dtype="int64"),
        "x3": normal(4, 5, 3),
        "r": uniform(0, 9, 4, 5),
        "h": normal(4, 5, dtype="float16"),
    },
    [
        "tf.nn.softmax_cross_entropy_with_logits(y, x)",
        "tf.nn.softmax_cross_entropy_with_logits(y, x, axis=0)",
        "tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(c, 5), x)",
        "tf.nn.softmax_cross_entropy_with_logits(y[0], x[0])",
        case("tf.nn.softmax_cross_entropy_with_logits(y[:1], x)", grad=False),
        case("tf.nn.softmax_cross_entropy_with_logits(y[:, :1], x)", grad=False),
        "tf.nn.softmax_cross_entropy_with_logits(y, x[:1])",
        "tf.nn.softmax_cross_entropy_with_logits(tf.cast(y, tf.float16), h)",
        "tf.nn.softmax_cross_entropy_with_logits(None, x)",
        "tf.nn.softmax_cross_entropy_with_logits(y[:, :3], x)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(c, x)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(c2, x3)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(c, h)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(c + 3, x)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(c[:2], x)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(x, x)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(c, x3)",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(2, x[0])",
        "tf.nn.sigmoid_cross_entropy_with_logits(y, x)",
        "tf.nn.sigmoid_cross_entropy_with_logits(y, tf.zeros_like(x))",
        "tf.nn.sigmoid_cross_entropy_with_logits(y, x[:2])",
        "tf.nn.sigmoid_cross_entropy_with_logits(logits=x)",
        "tf.nn.weighted_cross_entropy_with_logits(y, x, 2.0)",
        "tf.nn.weighted_cross_entropy_with_logits(y, x, tf.range(5.0))",
        "tf.nn.log_poisson_loss(r, x)",
        "tf.nn.log_poisson_loss(r, x, compute_full_loss=True)",
        "tf.nn.log_poisson_loss(r[:2], x)",
        "tf.nn.l2_loss(x)",
        "tf.nn.l2_loss(h)",
        "tf.nn.compute_average_loss(w)",
        "tf.nn.compute_average_loss(w, sample_weight=w, global_batch_size=16)",
        "tf.nn.compute_average_loss(w, global_batch_size=2.5)",
        "tf.nn.compute_average_loss(w[0])",
        "tf.nn.scale_regularization_loss(w)",
        "tf.nn.scale_regularization_loss([w[0], w[1]])",
    ],
)
def test_losses(case):
    case.check()


@cases(
    {
        "x": normal(4, 5, 3),
        "h": normal(4, 5, 3, dtype="float16"),
        "f": uniform(0, 2, 5, 1),
        "m": normal(3),
        "v": uniform(0.1, 2, 3),
        "im": normal(2, 3, 4, 9),
    },
    [
        "tf.nn.moments(x, [0])",
        "tf.nn.moments(x, [0, 1], keepdims=True)",
        "tf.nn.moments(x, -1)",
        "tf.nn.moments(h, [0, 2])",
        "tf.nn.moments(x, [3])",
        "tf.nn.weighted_moments(x, [1], f)",
        "tf.nn.weighted_moments(x, [0, 1], f, keepdims=True)",
        "tf.nn.weighted_moments(x, [0], 0.0)",
        "tf.nn.sufficient_statistics(x, [0, 2])",
        "tf.nn.sufficient_statistics(x, [1], shift=0.5, keepdims=True)",
        "tf.nn.normalize_moments(8.0, m, v, None)",
        "tf.nn.normalize_moments(8.0, m, v, 0.3)",
        "tf.nn.batch_normalization(x, m, v, m + 1, v + 1, 1e-3)",
        "tf.nn.batch_normalization(x, m, v, None, None, 1e-3)",
        "tf.nn.batch_normalization(x, m, v, m, None, 0.1)",
        "tf.nn.batch_norm_with_global_normalization(im, tf.range(9.), tf.range(9.) + 1, tf.range(9.), "
        "tf.range(9.) - 1, 1e-3, True)",
        "tf.nn.lrn(im)",
        "tf.nn.local_response_normalization(im, 2, 1.5, 0.3, 0.7)",
        "tf.nn.l2_normalize(x, 1)",
        "tf.nn.l2_normalize(x, [0, 2], epsilon=1.0)",
        "tf.nn.bias_add(x, m)",
        "tf.nn.bias_add(im, tf.range(3.), 'NCHW')",
        "tf.nn.bias_add(x, m[:2])",
        "tf.nn.bias_add(x, m, data_format='X')",
        "tf.nn.bias_add(m, m)",
        "tf.nn.bias_add(x, x[0])",
        "tf.nn.zero_fraction(tf.nn.relu(x))",
        "tf.nn.top_k(x, 2)",
        "tf.nn.in_top_k([1, 0], x[:2, 0], 1)",
    ],
    static=("f", "m", "v"),
)
def test_normalization(case):
    case.check()


@cases(
    {"x": normal(2, 4, 6, 8), "i": integers(0, 99, 2, 8, 4, 6)},
    [
        "tf.nn.space_to_depth(x, 2)",
        "tf.nn.depth_to_space(x, 2)",
        "tf.nn.space_to_depth(x, 4)",
        "tf.nn.depth_to_space(x, 3)",
        "tf.nn.space_to_depth(x, 1)",
        "tf.nn.space_to_depth(x[0], 2)",
    ],
)
def test_space_to_depth(case):
    case.check()


def test_gradient_of_a_strided_filter_of_one_pixel():
    """Few channels and an odd batch, where a kernel of torch writes out of bounds."""
    import numpy as np
    import tensorflow

    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 9, 9, 6)).astype("float32")
    w = rng.normal(size=(1, 1, 6, 7)).astype("float32")
    for padding in ("SAME", [[0, 0], [1, 1], [1, 1], [0, 0]]):
        found = []
        for tf in (tensorflow, torchtf):
            filters, images = tf.Variable(w), tf.constant(x)
            with tf.GradientTape() as tape:
                tape.watch(images)
                y = tf.nn.conv2d(images, filters, 2, padding)
                loss = tf.reduce_sum(y**2)
            found.append([y, *tape.gradient(loss, [images, filters])])
        for want, have in zip(*found, strict=True):
            np.testing.assert_allclose(have.numpy(), want.numpy(), rtol=1e-4, atol=1e-4)

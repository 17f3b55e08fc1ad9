"""`tf.compat.v1`: calls with TF 1's arguments give what TensorFlow gives, eagerly and in a graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow

import torchtf

# Expressions of `tf` and `v1`; X is (2, 3) floats, I a vector of integers, S strings, IM an image.
BY_NAMESPACE = {
    "arrays": """
v1.squeeze(X[None], squeeze_dims=[0])
v1.squeeze(X[None], [0], squeeze_dims=[0])
v1.expand_dims(X, dim=1)
v1.expand_dims(X)
v1.expand_dims(X, 1, dim=1)
v1.where([True, False], X, -X)
v1.where(X > 1, X, -X)
v1.where(True, X, -X)
v1.where(X > 1)
v1.where(X > 1, X)
v1.where([True, False], X, [1.0, 2.0])
v1.constant(3.0, shape=[2, 2])
v1.constant([1.0, 2.0], tf.float64, [2], "c", True)
v1.constant([1.0, 2.0], shape=[3], verify_shape=True)
v1.convert_to_tensor(3, preferred_dtype=tf.float64)
v1.convert_to_tensor_or_indexed_slices([1.0])
v1.convert_to_tensor_or_sparse_tensor([1.0])
v1.shape(X, "n", tf.int64)
v1.shape(X)
v1.size(X, "n", tf.int64)
v1.zeros_like(X, tf.int32, "n", True)
v1.ones_like(X, optimize=False)
v1.transpose(X, [1, 0], "n")
v1.transpose(tf.complex(X, X), conjugate=True)
v1.pad(X, [[1, 0], [0, 1]], "CONSTANT", "n", 5)
v1.gather(X, [1], None, "n", 1)
v1.gather_nd(X, [[1, 2]], "n")
v1.manip.gather_nd(X, [[0, 2]])
v1.batch_gather(X, [[0, 2], [1, 1]])
v1.boolean_mask(X, [True, False], "n")
v1.setdiff1d([1, 2, 3, 4, 5, 6], [1, 3, 5])
v1.setdiff1d(["a", "b", "a"], ["b"], index_dtype=tf.int64)
v1.space_to_batch(IM, [[0, 0], [0, 0]], 2)
v1.space_to_batch(IM, [[0, 0], [0, 0]], block_shape=2)
v1.batch_to_space(v1.space_to_batch(IM, [[0, 0], [0, 0]], 2), [[0, 0], [0, 0]], 2)
v1.batch_to_space_nd(v1.space_to_batch(IM, [[0, 0], [0, 0]], 2), [2, 2], [[0, 0], [0, 0]])
v1.space_to_depth(IM, 2)
v1.depth_to_space(v1.space_to_depth(IM, 2), 2, "n", "NHWC")
v1.reverse_sequence(X, [1, 2], seq_dim=1, batch_dim=0)
v1.clip_by_average_norm(X, 0.1)
v1.norm(X, 1, 0, keep_dims=True)
v1.linalg.norm(X)
v1.py_func(lambda a: a + 1, [X], tf.float32)
v1.dimension_value(v1.Dimension(3))
v1.to_double(X)
v1.to_int32(X)
v1.to_complex64(X)
v1.assign(tf.Variable([1.0, 2.0]), [3.0, 4.0])
v1.assign_add(tf.Variable(1), 2)
v1.assign_sub(tf.Variable(1), 2)
v1.scatter_add(tf.Variable([1.0, 2.0]), [0, 0], [1.0, 2.0])
v1.scatter_update(tf.Variable([[1.0, 2.0], [3.0, 4.0]]), [1], [[5.0, 6.0]])
v1.scatter_mul(tf.Variable([1.0, 2.0]), [0, 1], 3.0)
v1.scatter_max(tf.Variable([1.0, 2.0]), 1, 7.0)
v1.scatter_nd_add(tf.Variable([1.0, 2.0]), [[1]], [7.0])
v1.scatter_nd_update(tf.Variable([1.0, 2.0]), [[1]], [7.0])
v1.linalg.diag([1.0, 2.0], k=1)
v1.linalg.diag_part([[1.0, 2.0], [3.0, 4.0]])
v1.linalg.matmul(X, X, False, True)
v1.linalg.transpose(X)
""",
    "math": """
v1.reduce_sum(X, reduction_indices=1, keep_dims=True)
v1.reduce_sum(X, 1, True)
v1.reduce_sum(X, 1, reduction_indices=1)
v1.reduce_mean(X, [0])
v1.reduce_max(X, keep_dims=True)
v1.reduce_min(X, 1)
v1.reduce_prod(X)
v1.reduce_all(X > 1, 0)
v1.reduce_any(X > 1, reduction_indices=[1])
v1.math.reduce_logsumexp(X, 1)
v1.math.reduce_euclidean_norm(X, 1)
v1.math.reduce_std(X)
v1.math.mod(I, 2)
v1.math.abs(X)
v1.math.special.expint(X)
v1.argmax(X, dimension=1)
v1.argmax(X)
v1.argmin(X, 1, "n", output_type=tf.int32)
v1.arg_max(X, 1)
v1.arg_min(X, 0, tf.int32)
v1.bincount(I)
v1.math.bincount(I, None, 6, 4, tf.int64)
v1.confusion_matrix([1, 2], [1, 1], 3, tf.float32, "n", [0.5, 2.0])
v1.count_nonzero(X - 1)
v1.count_nonzero(input=X - 1, reduction_indices=1, keep_dims=True)
v1.math.in_top_k(X, [1, 2], 1)
v1.math.softmax(X, dim=0)
v1.math.log_softmax(X)
v1.scalar_mul(2.0, X)
v1.div(7, -2)
v1.div(X, 2.0)
v1.floor_div(7, -2)
v1.cond(True, lambda: [X], lambda: [X + 1])
v1.cond(False, fn1=lambda: X, fn2=lambda: X + 1)
v1.cond(True, lambda: X)
v1.cond(True, lambda: X, lambda: X, fn1=lambda: X)
v1.case([(tf.constant(False), lambda: 1), (tf.constant(True), lambda: 2)], lambda: 3)
v1.while_loop(lambda i: i < 5, lambda i: i + 1, [tf.constant(0)])
v1.while_loop(lambda i: i < 5, lambda i: [i + 1], [tf.constant(0)], return_same_structure=True)
v1.while_loop(lambda i, j: i < 5, lambda i, j: (i + 1, j * 2), [tf.constant(0), tf.constant(1)])
v1.map_fn(lambda x: x * 2, X)
v1.map_fn(lambda x: tf.cast(x[0], tf.int32), X, tf.int32)
v1.foldl(lambda a, x: a + x, X)
v1.foldr(lambda a, x: a - x, X, tf.zeros([3]))
v1.scan(lambda a, x: a + x, X, None, 10, True, False, True, True)
""",
    "strings": """
v1.string_split(S)
v1.string_split(S, delimiter=",b")
v1.string_split(S, "", result_type="RaggedTensor")
v1.string_split(S, " ", skip_empty=False)
v1.string_split(S, result_type="x")
v1.strings.split(S, " ")
v1.strings.split(source=S, result_type="RaggedTensor")
v1.strings.length(S, "n", "UTF8_CHAR")
v1.substr(S, 1, 2)
v1.string_to_number(["1", "2.5"])
v1.string_to_number(input=["1", "2"], out_type=tf.int64)
v1.string_to_hash_bucket(S, 10)
v1.strings.to_hash_bucket(input=S, num_buckets=7)
v1.reduce_join([["a", "b"], ["c", "d"]], reduction_indices=[1], separator="-")
v1.reduce_join([["a", "b"], ["c", "d"]], 0, keep_dims=True)
v1.sparse_add(SP, SP, thresh=5)
v1.sparse_concat(1, [SP, SP])
v1.sparse.concat(sp_inputs=[SP, SP], axis=None, concat_dim=0)
v1.sparse_reduce_sum(SP, reduction_axes=1, keep_dims=True)
v1.sparse_reduce_max(SP, 0)
v1.sparse_reduce_sum_sparse(SP, 0)
v1.sparse_split(sp_input=SP, num_split=2, split_dim=1)
v1.sparse_split(sp_input=SP, num_split=2, axis=1)[0]
v1.sparse_split(SP, 2, 1)
v1.sparse_segment_sum(X, [0, 1], [0, 0], "n")
v1.sparse_segment_mean(X, [0, 1], [0, 0], num_segments=2)
v1.sparse_to_dense([1, 3], [5], [7, 8])
v1.sparse_to_dense([[0, 1], [1, 2]], [2, 4], 9, 1)
v1.sparse_to_dense(2, [4], 1)
v1.sparse_matmul(X, X, transpose_b=True)
v1.random.multinomial([[0.0, 1.0]], 5, 3)
v1.multinomial([[0.0, 1.0]], 5, seed=3, output_dtype=tf.int32)
v1.random_poisson([1.0, 2.0], [4], seed=5)
v1.random.stateless_multinomial([[0.0, 1.0]], 5, [1, 2])
v1.get_seed(5)
""",
    "debugging": """
v1.assert_equal(X, X)
v1.assert_equal(1, 2, message="m")
v1.assert_equal(1, 2, [X])
v1.assert_less(X, 3.0, [X, I], 2, "m")
v1.assert_greater(2, 1)
v1.assert_less_equal(2, 1, ["text"], message="m")
v1.assert_positive(X - 5)
v1.assert_non_negative(X)
v1.assert_near(1.0, 2.0, data=["d"])
v1.assert_rank(X, 2)
v1.assert_rank(X, 3)
v1.assert_rank_in(X, [1, 2])
v1.assert_type(X, tf.int32)
v1.assert_scalar(3, "n")
v1.debugging.assert_shapes([(X, (2, "n"))])
v1.verify_tensor_all_finite(X, "msg")
v1.verify_tensor_all_finite(X / 0, "msg")
v1.control_flow_v2_enabled()
v1.resource_variables_enabled()
v1.enable_v2_behavior()
""",
    "initializers": """
v1.zeros_initializer()([2], tf.int32)
v1.ones_initializer(tf.float64)([2])
v1.constant_initializer([1.0, 2.0, 3.0, 4.0])([2, 2])
v1.constant_initializer([1.0, 2.0], verify_shape=True)([2, 2])
v1.constant_initializer("a" if False else object())
v1.random_uniform_initializer(-1, 1, 3)([2, 3])
v1.random_normal_initializer(1.0, 2.0, seed=3)([2, 3])
v1.truncated_normal_initializer(seed=3)([2, 3])
v1.uniform_unit_scaling_initializer(seed=3)([2, 3])
v1.variance_scaling_initializer(2.0, "fan_out", "uniform", 4)([2, 3])
v1.variance_scaling_initializer(distribution="untruncated_normal", seed=4)([5, 2, 3])
v1.variance_scaling_initializer(-1.0)
v1.variance_scaling_initializer(mode="x")
v1.variance_scaling_initializer(distribution="x")
v1.glorot_uniform_initializer(3)([4])
v1.glorot_normal_initializer(3)([4, 5])
v1.orthogonal_initializer(seed=3)([1])
tf.matmul(v1.orthogonal_initializer(2.0, 3)([2, 2]), v1.orthogonal_initializer(2.0, 3)([2, 2]), transpose_b=True)
v1.initializers.identity(2.0)([2, 3])
v1.initializers.identity()([2])
v1.initializers.he_normal(3)([2, 3])
v1.initializers.he_uniform(3)([2, 3])
v1.initializers.lecun_normal(3)([2, 3])
v1.initializers.lecun_uniform(3)([2, 3])
""",
    "nn": """
v1.nn.fused_batch_norm(IM, [1.0] * IM.shape[-1], [0.5] * IM.shape[-1])
v1.nn.fused_batch_norm(IM, [1.0] * IM.shape[-1], [0.5] * IM.shape[-1], is_training=False)
v1.nn.fused_batch_norm(IM, [1.0, 2.0], [0.5] * 7)
v1.nn.fused_batch_norm(IM[0], [1.0] * IM.shape[-1], [0.5] * IM.shape[-1])
v1.nn.fused_batch_norm(IM, [1.0] * IM.shape[-1], [0.5] * IM.shape[-1], [0.1] * IM.shape[-1], [2.0] * IM.shape[-1], 0.1, is_training=False)
v1.nn.softmax(X, dim=0)
v1.nn.conv1d(X[None], tf.ones([2, 3, 1]), 1, "SAME")
v1.nn.conv2d(IM, tf.ones([2, 2, 1, 1]), [1, 1, 1, 1], "SAME")
v1.nn.conv2d(IM, filters=tf.ones([2, 2, 1, 1]), strides=1, padding="VALID", dilations=[1, 2, 2, 1])
v1.nn.conv3d(IM[None], tf.ones([1, 2, 2, 1, 1]), [1, 1, 1, 1, 1], "SAME")
v1.nn.conv2d_transpose(IM, tf.ones([2, 2, 1, 1]), [1, 8, 8, 1], [1, 2, 2, 1])
v1.nn.convolution(IM, tf.ones([2, 2, 1, 1]), "SAME", dilation_rate=[2, 2])
v1.nn.depthwise_conv2d(IM, tf.ones([2, 2, 1, 2]), [1, 1, 1, 1], "SAME", rate=[2, 2])
v1.nn.depthwise_conv2d_native(IM, tf.ones([2, 2, 1, 2]), [1, 1, 1, 1], "SAME")
v1.nn.separable_conv2d(IM, tf.ones([2, 2, 1, 2]), tf.ones([1, 1, 2, 1]), [1, 1, 1, 1], "SAME")
v1.nn.avg_pool(IM, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
v1.nn.max_pool(IM, 2, 2, "SAME")
v1.nn.pool(IM, [2, 2], "MAX", "SAME", strides=[2, 2])
v1.nn.crelu(X - 2, "n", 0)
v1.nn.leaky_relu(X - 2, 0.1)
v1.nn.relu6(X)
v1.nn.swish(X)
v1.nn.dropout(X, keep_prob=0.5, seed=3)
v1.nn.dropout(X, rate=0.5, seed=3)
v1.nn.dropout(X)
v1.nn.dropout(X, 1.5)
v1.nn.moments(X, [0], keep_dims=True)
v1.nn.weighted_moments(X, [0], [[1.0], [2.0]])
v1.nn.sufficient_statistics(X, [0], keep_dims=True)[1]
v1.nn.batch_norm_with_global_normalization(IM, X[0, :1], X[0, 1:2], X[1, :1], X[1, 1:2], 0.1, True)
v1.nn.xw_plus_b(X, tf.ones([3, 2]), [1.0, 2.0])
v1.nn.relu_layer(-X, tf.ones([3, 2]), [1.0, 20.0])
v1.nn.sigmoid_cross_entropy_with_logits(labels=X, logits=X)
v1.nn.weighted_cross_entropy_with_logits(targets=X, logits=X, pos_weight=2.0)
v1.nn.softmax_cross_entropy_with_logits(labels=X, logits=X)
v1.nn.softmax_cross_entropy_with_logits(logits=X)
v1.nn.softmax_cross_entropy_with_logits_v2(X, X, dim=0)
v1.nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 1], logits=X)
v1.nn.embedding_lookup([X, X + 6], [0, 1, 2, 3])
v1.nn.embedding_lookup([X, X + 6], [0, 1, 2, 3], "div")
v1.nn.embedding_lookup(X, [0, 1], max_norm=1.0)
v1.nn.embedding_lookup([X, X], [0], "x")
v1.nn.embedding_lookup_sparse([X, X + 6], tf.cast(SP, tf.int64), None, combiner="sum")
v1.nn.in_top_k(X, [1, 2], 1)
v1.nn.safe_embedding_lookup_sparse([X, X + 6], tf.cast(SP, tf.int64), combiner="sum")
v1.nn.safe_embedding_lookup_sparse([X, X + 6], tf.cast(SP, tf.int64), None, "mean", 0, "n", "mod")
v1.nn.nce_loss([X, X + 6], tf.zeros([4]), LABELS, X, 2, 4, 1, SAMPLED)
v1.nn.sampled_softmax_loss([X, X + 6], tf.zeros([4]), LABELS, X, 2, 4, 1, SAMPLED, True, "div")
v1.nn.max_pool_with_argmax(IM, [1, 2, 2, 1], [1, 2, 2, 1], "SAME", Targmax=tf.int32)
v1.nn.dilation2d(IM, tf.ones([2, 2, 1]), [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
v1.nn.erosion2d(IM, tf.ones([2, 2, 1]), [1, 1, 1, 1], [1, 2, 2, 1], "VALID")
""",
    "train": """
v1.train.exponential_decay(0.1, 7, 5, 0.9)()
v1.train.exponential_decay(0.1, tf.Variable(7), 5, 0.9, True)()
v1.train.exponential_decay(0.1, None, 5, 0.9)()
v1.train.natural_exp_decay(0.1, 7, 5, 0.9)()
v1.train.inverse_time_decay(0.1, 7, 5, 0.9, staircase=True)()
v1.train.polynomial_decay(0.1, 7, 5, 0.01)()
v1.train.polynomial_decay(0.1, 7, 5, 0.01, 2.0, cycle=True)()
v1.train.polynomial_decay(0.1, 0, 5, cycle=True)()
v1.train.piecewise_constant(7, [5, 7], [1.0, 2.0, 3.0])()
v1.train.piecewise_constant(8, [5, 7], [1.0, 2.0, 3.0])()
v1.train.piecewise_constant(tf.Variable(1.5), [1.0], [3, 4])()
v1.train.piecewise_constant(8, [5, 7], [1.0])
v1.train.cosine_decay(0.1, 3, 5, 0.2)()
v1.train.cosine_decay_restarts(0.1, 8, 5)()
v1.train.cosine_decay_restarts(0.1, 18, 5, m_mul=0.5, alpha=0.1)()
v1.train.cosine_decay_restarts(0.1, 12, 5, 1.0, 0.5)()
v1.train.linear_cosine_decay(0.1, 3, 5)()
v1.io.TFRecordCompressionType.GZIP
v1.decode_csv(["1,2"], [[0], [0.0]], ",", True, "n")
v1.decode_raw(bytes=["abcd"], out_type=tf.int16)
v1.parse_example([tf.train.Example().SerializeToString()], {"a": v1.FixedLenFeature([], tf.int64, 3)}, "n")
v1.image.extract_image_patches(IM, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")
v1.image.crop_and_resize(IM, [[0.0, 0.0, 0.5, 0.5]], box_ind=[0], crop_size=[2, 2])
""",
    "losses": """
v1.losses.absolute_difference(X, X * 2)
v1.losses.absolute_difference(X, X * 2, [[1.0], [0.0]], reduction=v1.losses.Reduction.MEAN)
v1.losses.mean_squared_error(X, X * 2, 0.5, reduction="weighted_sum")
v1.losses.mean_squared_error(X, X * 2, reduction="weighted_sum_over_batch_size")
v1.losses.mean_squared_error(X, X * 2, [[1.0, 0.0, 2.0]], reduction="none")
v1.losses.mean_squared_error(X, X * 2, reduction="x")
v1.losses.mean_squared_error(X, None)
v1.losses.mean_squared_error(X, X[:1])
v1.losses.cosine_distance(X, X / 9, dim=1)
v1.losses.cosine_distance(X, X / 9)
v1.losses.hinge_loss(X > 2, X)
v1.losses.huber_loss(X, X * 2, delta=2.0)
v1.losses.log_loss(X / 9, X / 8)
v1.losses.mean_pairwise_squared_error(X, X * X)
v1.losses.mean_pairwise_squared_error(X, X * X, [[1.0], [0.5]])
v1.losses.sigmoid_cross_entropy(X > 2, X, label_smoothing=0.1)
v1.losses.softmax_cross_entropy([[0, 1, 0], [1, 0, 0]], X, label_smoothing=0.1)
v1.losses.sparse_softmax_cross_entropy([[0], [2]], X, [0.5, 2.0])
v1.losses.compute_weighted_loss(X, [1.0, 2.0, 3.0, 4.0])
v1.losses.get_losses()
v1.losses.get_regularization_loss()
""",
}
CALLS = [
    pytest.param(line, id=f"{space}-{line}")
    for space, lines in BY_NAMESPACE.items()
    for line in lines.strip().splitlines()
]


def names_for(tf):
    tf.random.set_seed(1)
    return {
        "tf": tf,
        "v1": tf.compat.v1,
        "X": tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]),
        "SAMPLED": (
            tf.constant([0, 3], tf.int64),
            tf.constant([[0.5], [0.5]]),
            tf.constant([0.5, 0.4]),
        ),
        "LABELS": tf.constant([[1], [2]], tf.int64),
        "I": tf.constant([1, 1, 3, 2]),
        "S": tf.constant(["a b", "c  a,b", ""]),
        "IM": tf.reshape(tf.range(16.0), [1, 4, 4, 1]),
        "SP": tf.SparseTensor([[0, 0], [0, 2], [1, 1]], [1, 2, 3], [2, 4]),
    }


def plain(value):
    """A result as lists of arrays with dtypes."""
    if hasattr(value, "dense_shape"):
        return [plain(part) for part in (value.indices, value.values, value.dense_shape)]
    if hasattr(value, "row_splits"):
        return ["ragged", value.to_list()]
    if hasattr(value, "numpy"):
        return np.asarray(value.numpy())
    if isinstance(value, dict):
        return plain(sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def outcome(tf, line):
    try:
        return plain(eval(line, names_for(tf)))
    except Exception as e:
        return type(e).__name__, str(e)


def equal(ours, theirs):
    assert type(ours) is type(theirs), (ours, theirs)
    if isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), (ours, theirs)
        for a, b in zip(ours, theirs, strict=True):
            equal(a, b)
    elif isinstance(ours, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if ours.dtype.kind in "fc":
            np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)
        else:
            np.testing.assert_array_equal(ours, theirs)
    else:
        assert ours == theirs


@pytest.mark.parametrize("line", CALLS)
def test_call(line):
    ours, theirs = outcome(torchtf, line), outcome(tensorflow, line)
    if isinstance(theirs, tuple) and isinstance(ours, tuple):
        assert ours[0] == theirs[0], (ours, theirs)
    else:
        equal(ours, theirs)


IN_A_GRAPH = """
v1.where([True, False], x, -x)
v1.squeeze(x[None], squeeze_dims=[0])
v1.reduce_sum(x, reduction_indices=1, keep_dims=True)
v1.argmax(x, dimension=1)
v1.setdiff1d(tf.cast(x[0], tf.int32), [1]).out
v1.cond(x[0, 0] > 0, lambda: x, lambda: -x)
v1.while_loop(lambda i: i < 5, lambda i: i + 1, [tf.constant(0)])
v1.string_split(tf.as_string(x[0]), ".").values
v1.nn.embedding_lookup([x, x + 6], [0, 1, 2, 3])
v1.nn.dropout(x, keep_prob=1.0)
v1.losses.mean_squared_error(x, x * 2, [[1.0], [0.0]])
v1.losses.mean_pairwise_squared_error(x, x * x)
(v1.assert_less(x, 5.0, [x]), x)[1]
v1.train.cosine_decay(x[0, 0], 3, 5)
""".strip().splitlines()


@pytest.mark.parametrize("line", IN_A_GRAPH)
def test_in_a_graph(line):
    def result(tf):
        names = names_for(tf)
        spec = tf.TensorSpec([None, 3], tf.float32)
        function = tf.function(eval(f"lambda x: {line}", names), [spec], autograph=False)
        try:
            return plain(function(names["X"]))
        except tf.errors.InvalidArgumentError as e:
            return (type(e).__name__,)

    equal(result(torchtf), result(tensorflow))


@pytest.mark.parametrize("name", ["disable_v2_behavior", "disable_eager_execution"])
def test_there_is_no_way_back(name):
    with pytest.raises(NotImplementedError, match=r"tf\.function"):
        getattr(torchtf.compat.v1, name)()


def test_records(tmp_path):
    path = str(tmp_path / "records")
    v1 = torchtf.compat.v1
    with torchtf.io.TFRecordWriter(path, "GZIP") as writer:
        writer.write(b"a")
        writer.write(b"bc")
    options = v1.python_io.TFRecordOptions("GZIP")
    assert list(v1.python_io.tf_record_iterator(path, options)) == [b"a", b"bc"]


def test_configs_make_equal_initializers():
    for tf in (tensorflow, torchtf):
        first = tf.compat.v1.variance_scaling_initializer(2.0, "fan_out", "uniform", 4)
        config = first.get_config()
        assert config == {
            "scale": 2.0, "mode": "fan_out", "distribution": "uniform", "seed": 4,
            "dtype": "float32",
        }  # fmt: skip
        assert type(first).from_config(config).get_config() == config


def _scopes(tf) -> list:
    """What a program with variable scopes, a template and a custom getter finds."""
    v1, found = tf.compat.v1, []

    def tell(function):
        try:
            found.append(function())
        except (ValueError, TypeError) as e:
            found.append(type(e).__name__)

    def doubled(getter, name, *args, **kwargs):
        return 2 * getter(name, *args, **kwargs)

    ones = v1.ones_initializer()
    with v1.variable_scope("outer", initializer=ones, dtype=tf.float64) as outer:
        w = v1.get_variable("w", [2])
        found.append((w.name, w.dtype.name, w.numpy().tolist(), w.trainable, outer.name))
        with v1.variable_scope("inner", custom_getter=doubled):
            found.append(v1.get_variable("w", [2]).numpy().tolist())
            found.append(v1.get_variable_scope().name)
        found.append(v1.get_variable("w", [2]) is w)
        with v1.variable_scope(None, "default"):
            found.append(v1.get_variable_scope().name)
    with v1.variable_scope(outer, reuse=v1.AUTO_REUSE):
        found.append(v1.get_variable("n", [], tf.int32, v1.zeros_initializer).name)
    found.append(v1.get_variable_scope().name)
    found.append(v1.get_variable("c", initializer=tf.constant([1, 2])).numpy().tolist())
    found.append(v1.get_variable("f", initializer=lambda: tf.constant(5.0)).numpy())
    found.append(v1.get_local_variable("local", [1]).trainable)
    tell(lambda: v1.get_variable("open", [None]))
    tell(lambda: v1.get_variable("text", [1], tf.string).numpy().tolist())
    tell(lambda: v1.get_variable("c", [3], initializer=tf.constant([1, 2])))
    tell(lambda: v1.variable_scope(None).__enter__())

    def scaled(x, y=1.0):
        scale = v1.get_variable("scale", [], initializer=ones)
        scale.assign_add(1.0)
        return x * scale * y

    template = v1.make_template("t", scaled, y=10.0)
    found += [template(tf.constant(1.0)).numpy(), template(tf.constant(1.0)).numpy()]
    found += [[v.name for v in template.variables], template.name]
    found += [len(template.trainable_variables), len(template.non_trainable_variables)]
    found.append(v1.make_template("t", scaled)(tf.constant(1.0)).numpy())

    with v1.colocate_with(w):
        found.append(tf.constant(1).numpy())
    found += [v1.global_variables_initializer(), v1.tables_initializer(), v1.reset_default_graph()]
    found += [v1.global_variables(), v1.get_collection(v1.GraphKeys.LOSSES)]
    found += [v1.add_to_collection("x", 1), v1.get_default_session()]
    found.append(v1.placeholder_with_default([1.0, 2.0], [None]).numpy().tolist())
    found.append(bool(v1.is_variable_initialized(w)))
    keys = [k for k in dir(v1.GraphKeys) if k[0].isupper()]
    found.append([(k, getattr(v1.GraphKeys, k)) for k in keys])

    step = v1.train.get_or_create_global_step()
    step.assign_add(3)
    found += [step.name, step.dtype.name, v1.train.get_global_step() is step]
    found.append(v1.train.global_step(None, step))
    tell(lambda: v1.train.create_global_step())
    tell(lambda: v1.train.assert_global_step(w))
    return found


def test_variable_scopes():
    assert _scopes(torchtf) == _scopes(tensorflow)

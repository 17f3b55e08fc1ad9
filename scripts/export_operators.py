"""Write docs/export_operators.md: which Keras layers and `tf.*` ops a SavedModel and TFLite take.

Each one is exported, and its artifacts run beside their source in TensorFlow and LiteRT; "yes"
means that both agree. What cannot be exported is listed with the error that names it.

    python scripts/export_operators.py            # writes the table
    python scripts/export_operators.py --only fft # anew the rows whose name has "fft" in it
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "export_operators.md"
GROUP = 16  # exported together; a group that fails is split

# name: (arguments of the layer, shapes of its inputs without the batch[, dtype])
LAYERS: dict[str, tuple] = {
    "Activation": ({"activation": "gelu"}, (6,)),
    "ActivityRegularization": ({"l2": 0.1}, (6,)),
    "Add": ({}, [(6,), (6,)]),
    "AdditiveAttention": ({}, [(4, 6), (5, 6)]),
    "Attention": ({}, [(4, 6), (5, 6)]),
    "Average": ({}, [(6,), (6,)]),
    "AveragePooling1D": ({"pool_size": 2}, (8, 3)),
    "AveragePooling2D": ({"pool_size": 2, "padding": "same"}, (7, 7, 3)),
    "AveragePooling3D": ({"pool_size": 2}, (4, 4, 4, 2)),
    "BatchNormalization": ({}, (5, 5, 3)),
    "CategoryEncoding": ({"num_tokens": 4, "output_mode": "one_hot"}, (), "int32"),
    "CenterCrop": ({"height": 4, "width": 4}, (6, 6, 3)),
    "Concatenate": ({}, [(6,), (3,)]),
    "Conv1D": ({"filters": 4, "kernel_size": 3, "padding": "causal"}, (8, 3)),
    "Conv1DTranspose": ({"filters": 4, "kernel_size": 3, "strides": 2}, (8, 3)),
    "Conv2D": ({"filters": 4, "kernel_size": 3, "padding": "same"}, (7, 7, 3)),
    "Conv2DTranspose": ({"filters": 4, "kernel_size": 3, "strides": 2}, (5, 5, 3)),
    "Conv3D": ({"filters": 4, "kernel_size": 2}, (4, 4, 4, 2)),
    "Conv3DTranspose": ({"filters": 4, "kernel_size": 2}, (4, 4, 4, 2)),
    "Cropping1D": ({"cropping": 1}, (6, 3)),
    "Cropping2D": ({"cropping": 1}, (6, 6, 3)),
    "Cropping3D": ({"cropping": 1}, (4, 4, 4, 2)),
    "Dense": ({"units": 4, "activation": "relu"}, (6,)),
    "DepthwiseConv1D": ({"kernel_size": 3}, (8, 3)),
    "DepthwiseConv2D": ({"kernel_size": 3, "depth_multiplier": 2}, (7, 7, 3)),
    "Dot": ({"axes": 1}, [(6,), (6,)]),
    "Dropout": ({"rate": 0.5}, (6,)),
    "ELU": ({}, (6,)),
    "EinsumDense": ({"equation": "abc,cd->abd", "output_shape": [None, 4]}, (5, 6)),
    "Embedding": ({"input_dim": 10, "output_dim": 4}, (5,), "int32"),
    "Flatten": ({}, (4, 3)),
    "GaussianNoise": ({"stddev": 1.0}, (6,)),
    "GlobalAveragePooling1D": ({}, (8, 3)),
    "GlobalAveragePooling2D": ({}, (6, 6, 3)),
    "GlobalMaxPooling2D": ({}, (6, 6, 3)),
    "GroupNormalization": ({"groups": 2}, (5, 5, 4)),
    "GRU": ({"units": 4}, (6, 3)),
    "LSTM": ({"units": 4, "return_sequences": True}, (6, 3)),
    "LayerNormalization": ({}, (6,)),
    "LeakyReLU": ({}, (6,)),
    "MaxPooling1D": ({}, (8, 3)),
    "MaxPooling2D": ({"padding": "same"}, (7, 7, 3)),
    "MaxPooling3D": ({}, (4, 4, 4, 2)),
    "Maximum": ({}, [(6,), (6,)]),
    "Minimum": ({}, [(6,), (6,)]),
    "MultiHeadAttention": ({"num_heads": 2, "key_dim": 4}, [(5, 8), (5, 8)]),
    "Multiply": ({}, [(6,), (6,)]),
    "Normalization": ({"mean": 0.5, "variance": 2.0}, (6,)),
    "PReLU": ({}, (6,)),
    "Permute": ({"dims": (2, 1)}, (4, 3)),
    "ReLU": ({"max_value": 6.0}, (6,)),
    "RepeatVector": ({"n": 3}, (6,)),
    "Rescaling": ({"scale": 1 / 255}, (6, 6, 3)),
    "Reshape": ({"target_shape": (3, 4)}, (12,)),
    "Resizing": ({"height": 8, "width": 8}, (5, 5, 3)),
    "RMSNormalization": ({}, (6,)),
    "SeparableConv1D": ({"filters": 4, "kernel_size": 3}, (8, 3)),
    "SeparableConv2D": ({"filters": 4, "kernel_size": 3}, (7, 7, 3)),
    "SimpleRNN": ({"units": 4}, (6, 3)),
    "Softmax": ({}, (6,)),
    "SpatialDropout2D": ({"rate": 0.5}, (6, 6, 3)),
    "Subtract": ({}, [(6,), (6,)]),
    "UnitNormalization": ({}, (6,)),
    "UpSampling1D": ({}, (4, 3)),
    "UpSampling2D": ({"interpolation": "bilinear"}, (4, 4, 3)),
    "UpSampling3D": ({}, (2, 2, 2, 3)),
    "ZeroPadding1D": ({}, (4, 3)),
    "ZeroPadding2D": ({}, (4, 4, 3)),
    "ZeroPadding3D": ({}, (2, 2, 2, 3)),
}

UNARY = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "erf",
    "exp",
    "expm1",
    "floor",
    "lgamma",
    "log1p",
    "log_sigmoid",
    "negative",
    "reciprocal",
    "rint",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softplus",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "is_finite",
    "is_nan",
    "digamma",
    "erfinv",
    "cumsum",
    "cumprod",
    "reduce_max",
    "reduce_mean",
    "reduce_min",
    "reduce_prod",
    "reduce_sum",
    "reduce_std",
    "reduce_variance",
    "reduce_logsumexp",
    "reduce_euclidean_norm",
    "argmax",
    "argmin",
    "l2_normalize",
    "top_k",
    "zero_fraction",
    "bessel_i0",
]
BINARY = [
    "add",
    "atan2",
    "divide",
    "divide_no_nan",
    "equal",
    "floordiv",
    "floormod",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "maximum",
    "minimum",
    "multiply",
    "multiply_no_nan",
    "not_equal",
    "pow",
    "squared_difference",
    "subtract",
    "xdivy",
    "xlogy",
    "igamma",
]
NN = [
    "crelu",
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
]

Function = Callable[..., object]


def ops(tf) -> dict[str, tuple[Function, list]]:
    """Name -> a function and the specs of its inputs."""
    positive = tf.TensorSpec([None, 6], tf.float32)
    matrix = tf.TensorSpec([4, 4], tf.float32)
    image = tf.TensorSpec([None, 6, 6, 3], tf.float32)
    ints = tf.TensorSpec([None, 6], tf.int32)
    found: dict[str, tuple[Function, list]] = {}
    for name in UNARY:
        op = getattr(tf.math, name)
        # into (0, 1), where each of them is defined
        found[f"tf.math.{name}"] = (lambda x, op=op: op(tf.sigmoid(x) * 0.9 + 0.05), [positive])
    for name in BINARY:
        op = getattr(tf.math, name)
        found[f"tf.math.{name}"] = (
            lambda x, y, op=op: op(tf.sigmoid(x) + 0.5, tf.sigmoid(y) + 0.5),
            [positive, positive],
        )
    for name in NN:
        op = getattr(tf.nn, name)
        found[f"tf.nn.{name}"] = (lambda x, op=op: op(x), [positive])
    square = lambda x: tf.matmul(x, x, transpose_b=True) + 4 * tf.eye(4)  # noqa: E731
    found |= {
        "tf.argsort": (lambda x: tf.argsort(x), [positive]),
        "tf.bitwise.bitwise_and": (lambda x: tf.bitwise.bitwise_and(x, 6), [ints]),
        "tf.boolean_mask": (lambda x: tf.boolean_mask(x, x > 0), [positive]),
        "tf.broadcast_to": (lambda x: tf.broadcast_to(x[:1], [5, 6]), [positive]),
        "tf.cast": (lambda x: tf.cast(x * 10, tf.int32), [positive]),
        "tf.clip_by_norm": (lambda x: tf.clip_by_norm(x, 1.0), [positive]),
        "tf.clip_by_value": (lambda x: tf.clip_by_value(x, -1.0, 1.0), [positive]),
        "tf.concat": (lambda x: tf.concat([x, x], 1), [positive]),
        "tf.cond": (lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x), [positive]),
        "tf.einsum": (lambda x: tf.einsum("bi,bj->bij", x, x), [positive]),
        "tf.expand_dims": (lambda x: tf.expand_dims(x, 1), [positive]),
        "tf.eye": (lambda x: x @ tf.eye(6), [positive]),
        "tf.fill": (lambda x: tf.fill(tf.shape(x), 2.0) + x, [positive]),
        "tf.gather": (lambda x: tf.gather(x, [3, 1], axis=1), [positive]),
        "tf.gather_nd": (lambda x: tf.gather_nd(x, [[0, 1], [1, 2]]), [matrix]),
        "tf.image.adjust_brightness": (lambda x: tf.image.adjust_brightness(x, 0.1), [image]),
        "tf.image.adjust_contrast": (lambda x: tf.image.adjust_contrast(x, 2.0), [image]),
        "tf.image.central_crop": (lambda x: tf.image.central_crop(x, 0.5), [image]),
        "tf.image.flip_left_right": (lambda x: tf.image.flip_left_right(x), [image]),
        "tf.image.per_image_standardization": (
            lambda x: tf.image.per_image_standardization(x), [image]),
        "tf.image.resize": (lambda x: tf.image.resize(x, [9, 9]), [image]),
        "tf.image.resize (nearest)": (
            lambda x: tf.image.resize(x, [12, 12], method="nearest"), [image]),
        "tf.image.resize_with_pad": (lambda x: tf.image.resize_with_pad(x, 9, 12), [image]),
        "tf.image.rgb_to_grayscale": (lambda x: tf.image.rgb_to_grayscale(x), [image]),
        "tf.linalg.band_part": (lambda x: tf.linalg.band_part(x, 1, 0), [matrix]),
        "tf.linalg.cholesky": (lambda x: tf.linalg.cholesky(square(x)), [matrix]),
        "tf.linalg.det": (lambda x: tf.linalg.det(square(x)), [matrix]),
        "tf.linalg.diag": (lambda x: tf.linalg.diag(x), [positive]),
        "tf.linalg.diag_part": (lambda x: tf.linalg.diag_part(x), [matrix]),
        "tf.linalg.inv": (lambda x: tf.linalg.inv(square(x)), [matrix]),
        "tf.linalg.matmul": (lambda x: tf.linalg.matmul(x, x, transpose_b=True), [positive]),
        "tf.linalg.matvec": (lambda x: tf.linalg.matvec(x, x[0]), [matrix]),
        "tf.linalg.norm": (lambda x: tf.linalg.norm(x, axis=1), [positive]),
        "tf.linalg.svd": (lambda x: tf.linalg.svd(x)[0], [matrix]),
        "tf.linalg.trace": (lambda x: tf.linalg.trace(x), [matrix]),
        "tf.map_fn": (lambda x: tf.map_fn(lambda r: r * 2, x), [positive]),
        "tf.meshgrid": (lambda x: tf.meshgrid(x[0], x[1])[0], [matrix]),
        "tf.nn.avg_pool": (lambda x: tf.nn.avg_pool(x, 2, 2, "SAME"), [image]),
        "tf.nn.bias_add": (lambda x: tf.nn.bias_add(x, [1.0, 2.0, 3.0]), [image]),
        "tf.nn.conv2d": (
            lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), 2, "SAME"), [image]),
        "tf.nn.depth_to_space": (
            lambda x: tf.nn.depth_to_space(tf.concat([x, x[..., :1]], -1), 2), [image]),
        "tf.nn.depthwise_conv2d": (
            lambda x: tf.nn.depthwise_conv2d(x, tf.ones([3, 3, 3, 2]), [1, 1, 1, 1], "VALID"),
            [image]),
        "tf.nn.embedding_lookup": (
            lambda x: tf.nn.embedding_lookup(tf.reshape(tf.range(24.0), [6, 4]), x), [ints]),
        "tf.nn.local_response_normalization": (
            lambda x: tf.nn.local_response_normalization(x), [image]),
        "tf.nn.max_pool": (lambda x: tf.nn.max_pool(x, 3, 2, "SAME"), [image]),
        "tf.nn.moments": (lambda x: tf.nn.moments(x, [1])[1], [positive]),
        "tf.nn.softmax_cross_entropy_with_logits": (
            lambda x: tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(-x), x), [positive]),
        "tf.nn.space_to_depth": (lambda x: tf.nn.space_to_depth(x, 2), [image]),
        "tf.one_hot": (lambda x: tf.one_hot(x, 4), [ints]),
        "tf.pad": (lambda x: tf.pad(x, [[0, 0], [1, 2]], constant_values=3.0), [positive]),
        "tf.pad (reflect)": (lambda x: tf.pad(x, [[0, 0], [2, 1]], "REFLECT"), [positive]),
        "tf.range": (lambda x: x + tf.range(6.0), [positive]),
        "tf.repeat": (lambda x: tf.repeat(x, 2, axis=1), [positive]),
        "tf.reshape": (lambda x: tf.reshape(x, [-1, 2, 3]), [positive]),
        "tf.reverse": (lambda x: tf.reverse(x, [1]), [positive]),
        "tf.roll": (lambda x: tf.roll(x, 2, 1), [positive]),
        "tf.scan": (lambda x: tf.scan(lambda a, b: a + b, x), [positive]),
        "tf.scatter_nd": (lambda x: tf.scatter_nd([[1], [3]], x[:2], [5, 4]), [matrix]),
        "tf.searchsorted": (lambda x: tf.searchsorted([0.0, 0.5, 1.0], x[0]), [matrix]),
        "tf.signal.fft": (lambda x: tf.abs(tf.signal.fft(tf.cast(x, tf.complex64))), [matrix]),
        "tf.signal.frame": (lambda x: tf.signal.frame(x, 3, 2), [positive]),
        "tf.signal.rfft": (lambda x: tf.abs(tf.signal.rfft(x)), [matrix]),
        "tf.slice": (lambda x: tf.slice(x, [0, 1], [-1, 3]), [positive]),
        "tf.sort": (lambda x: tf.sort(x, direction="DESCENDING"), [positive]),
        "tf.split": (lambda x: tf.split(x, 3, 1)[1], [positive]),
        "tf.squeeze": (lambda x: tf.squeeze(x[:, :1], 1), [positive]),
        "tf.stack": (lambda x: tf.stack([x, x], 1), [positive]),
        "tf.strided_slice": (lambda x: x[:, 1:5:2], [positive]),
        "tf.tensor_scatter_nd_update": (
            lambda x: tf.tensor_scatter_nd_update(x, [[0, 1], [2, 2]], [7.0, 8.0]), [matrix]),
        "tf.tile": (lambda x: tf.tile(x, [1, 2]), [positive]),
        "tf.transpose": (lambda x: tf.transpose(x, [0, 3, 1, 2]), [image]),
        "tf.unique": (lambda x: tf.unique(tf.reshape(x, [-1]))[0], [ints]),
        "tf.unstack": (lambda x: tf.unstack(x, axis=1)[2], [positive]),
        "tf.where": (lambda x: tf.where(x > 0, x, -2 * x), [positive]),
        "tf.where (indices)": (lambda x: tf.where(x > 0), [positive]),
        "tf.while_loop": (
            lambda x: tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2), (0, x))[1],
            [positive]),
        "tf.zeros_like": (lambda x: x + tf.zeros_like(x), [positive]),
    }  # fmt: skip
    return found


def entries(tf) -> dict[str, Callable[[], object]]:
    """Name -> what makes the concrete function to export."""
    from torchtf.saved_model import keras_function

    def layer(name, arguments, shapes, dtype="float32"):
        several = isinstance(shapes, list)
        inputs = [tf.keras.Input(s, dtype=dtype) for s in (shapes if several else [shapes])]
        made = getattr(tf.keras.layers, name)(**arguments)
        called = (
            made(*inputs)
            if name == "MultiHeadAttention"
            else made(inputs if several else inputs[0])
        )
        return keras_function(tf.keras.Model(inputs if several else inputs[0], called))

    def concrete(function, specs):
        return tf.function(function, input_signature=specs).get_concrete_function()

    return {
        **{f"tf.keras.layers.{n}": functools.partial(layer, n, *g) for n, g in LAYERS.items()},
        **{name: functools.partial(concrete, *given) for name, given in ops(tf).items()},
    }


def attempt(names: list[str], export: Callable[[list[str]], None]) -> dict[str, str]:
    """The error of each name that fails; groups that fail are halved until it is known which."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            export(names)
        return {}
    except Exception as error:
        if len(names) == 1:
            return {names[0]: " ".join(str(error).split())}
    half = len(names) // 2
    return attempt(names[:half], export) | attempt(names[half:], export)


def table(names: list[str], functions: dict[str, Callable]) -> list[tuple[str, str, str, str]]:
    """A row for each name: SavedModel, TFLite, and what is wrong."""
    import torchtf as tf
    from export import Options, export_tflite
    from torchtf.saved_model import signature_of

    concrete: dict[str, object] = {}
    errors = {
        "trace": attempt(names, lambda some: concrete.update((n, functions[n]()) for n in some))
    }
    signatures = {n: signature_of(f"s{i}", c) for i, (n, c) in enumerate(concrete.items())}
    with tempfile.TemporaryDirectory() as scratch:

        def saved(some):
            module = tf.Module()
            tf.saved_model.save(
                module, f"{scratch}/m", signatures={signatures[n].name: concrete[n] for n in some}
            )

        def lite(some):
            export_tflite(
                [signatures[n] for n in some], f"{scratch}/m.tflite", options=Options(quiet=True)
            )

        traced = list(concrete)
        errors["SavedModel"] = attempt(traced, saved) if traced else {}
        good = [n for n in traced if n not in errors["SavedModel"]]
        errors["TFLite"] = attempt(good, lite) if good else {}
    rows = []
    for name in names:
        failed = next((k for k in ("trace", "SavedModel", "TFLite") if name in errors[k]), None)
        error = errors[failed][name] if failed else ""
        if name in signatures:
            error = error.removeprefix(f"signature {signatures[name].name!r}: ")
        rows.append(
            (name, "no" if failed in ("trace", "SavedModel") else "yes", "no" if failed else "yes",
             error)
        )  # fmt: skip
    return rows


def main() -> None:
    """Runs the program of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", help="a pattern: the other rows stay as they are")
    options = parser.parse_args()
    import torchtf as tf

    functions = entries(tf)
    names = [n for n in functions if re.search(options.only, n)]
    rows = written() if options.only else {}
    for start in range(0, len(names), GROUP):
        group = names[start : start + GROUP]
        rows |= dict(zip(group, map(row, table(group, functions)), strict=True))
        print("\n".join(rows[n] for n in group), flush=True)
    PAGE.write_text(page([rows[n] for n in functions if n in rows]), encoding="utf-8")


def written() -> dict[str, str]:
    """The lines of the page's table, by name."""
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def row(cells: tuple) -> str:
    """A line of the table."""
    name, *rest, error = cells
    shown = error.replace("|", "\\|")
    return "| " + " | ".join([f"`{name}`", *rest, shown[:160]]) + " |"


def page(rows: list[str]) -> str:
    """The page."""
    good = [sum(r.split(" | ")[i] == "yes" for r in rows) for i in (1, 2)]
    lines = [
        "# What can be exported",
        "",
        "Written by `scripts/export_operators.py`: each layer and op is exported with a free batch "
        "size, and its artifacts run beside their source.",
        f"SavedModel: {good[0]} of {len(rows)}; TFLite with its own operators: {good[1]}.",
        "",
        "| | SavedModel | TFLite | error |",
        "| --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Each operator of the import from ONNX computes in TensorFlow and LiteRT what torch computes.

One module holds a family, each output one operator, so that a family costs one export.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import export

FLOAT = ("float32", "int64", "bool")


class Family(nn.Module):
    """The results of functions of the inputs, by name."""

    def __init__(self, functions, *modules):
        super().__init__()
        self.functions, self.parts = functions, nn.ModuleList(modules)

    def forward(self, *inputs):
        named = [f(*inputs) for f in self.functions.values()]
        return named + [part(*inputs) for part in self.parts]


def unary(x):
    return {
        "abs": torch.abs,
        "asinh": torch.asinh,
        "atan": torch.atan,
        "ceil": torch.ceil,
        "cos": torch.cos,
        "cosh": torch.cosh,
        "erf": torch.erf,
        "exp": torch.exp,
        "floor": torch.floor,
        "neg": lambda t: -(t + 1),
        "round": torch.round,
        "sign": torch.sign,
        "sin": torch.sin,
        "sinh": torch.sinh,
        "square": torch.square,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "softplus": F.softplus,
        "softsign": F.softsign,
        "relu": F.relu,
        "relu6": F.relu6,
        "elu": F.elu,
        "selu": F.selu,
        "celu": F.celu,
        "gelu_tanh": lambda t: F.gelu(t, approximate="tanh"),
        "silu": F.silu,
        "mish": F.mish,
        "hardswish": F.hardswish,
        "hardsigmoid": F.hardsigmoid,
        "hardtanh": F.hardtanh,
        "leaky_relu": F.leaky_relu,
        "hardshrink": F.hardshrink,
        "softshrink": F.softshrink,
        "logsigmoid": F.logsigmoid,
        "log": lambda t: torch.log(t.abs() + 1),
        "sqrt": lambda t: torch.sqrt(t.abs()),
        "rsqrt": lambda t: torch.rsqrt(t.abs() + 1),
        "reciprocal": lambda t: torch.reciprocal(t.abs() + 1),
        "pow": lambda t: t.abs() ** 1.5,
        "cube": lambda t: t**3,
        "clamp": lambda t: t.clamp(-0.5, 0.25),
        "isnan": torch.isnan,
        "tan": lambda t: torch.tan(t.clamp(-1, 1)),
        "log1p": lambda t: torch.log1p(t.abs()),
        "expm1": torch.expm1,
        "where": lambda t: torch.where(t > 0, t, 2 * t),
        "cast": lambda t: t.to(torch.int64),
        "half": lambda t: (t > 0).to(torch.float32),
    }


def binary(x):
    a, b = (lambda x, y: x), (lambda x, y: y)
    return {
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "div": lambda x, y: x / (y.abs() + 1),
        "max": torch.maximum,
        "min": torch.minimum,
        "less": torch.lt,
        "greater_equal": torch.ge,
        "equal": lambda x, y: x == x.round(),
        "logic": lambda x, y: (x > 0) & (y > 0) | ~(x > 1),
        "xor": lambda x, y: (x > 0) ^ (y > 0),
        "remainder": lambda x, y: torch.remainder(x, y.abs() + 1),
        "fmod": lambda x, y: torch.fmod(x, y.abs() + 1),
        "floor_divide": lambda x, y: torch.floor_divide(x, y.abs() + 1),
        "pow": lambda x, y: torch.pow(x.abs() + 1, y),
        "lower_rank": lambda x, y: x + y[0],
        "one_axis": lambda x, y: x * y[:, :1, :1],
        "outer": lambda x, y: a(x, y)[:, :, None] + b(x, y)[:, None],
    }


def shapes(x):
    return {
        "reshape": lambda x: x.reshape(x.shape[0], -1),
        "merge": lambda x: x.reshape(-1, 6),
        "split_axis": lambda x: x.reshape(x.shape[0], 2, 2, 6),
        "permute": lambda x: x.permute(0, 2, 1),
        "there_and_back": lambda x: (x.permute(0, 2, 1) * 2).permute(0, 2, 1),
        "unsqueeze": lambda x: x[:, None, :, None],
        "squeeze": lambda x: x[:, :1].squeeze(1),
        "cat": lambda x: torch.cat([x, x * 2], 1),
        "cat_last": lambda x: torch.cat([x, x[..., :2]], -1),
        "stack": lambda x: torch.stack([x, -x], 1),
        "chunk": lambda x: x.chunk(2, 1)[1],
        "slice": lambda x: x[:, 1:3, ::2],
        "negative": lambda x: x[..., -2],
        "flip": lambda x: x.flip(1),
        "expand": lambda x: x[:, :1].expand(-1, 5, -1),
        "repeat": lambda x: x.repeat(1, 2, 1),
        "pad": lambda x: F.pad(x, (1, 2)),
        "reflect": lambda x: F.pad(x, (1, 2), mode="reflect"),
        "replicate": lambda x: F.pad(x, (1, 2), mode="replicate"),
        "roll": lambda x: x.roll(1, 2),
        "circular": lambda x: F.pad(x, (1, 2), mode="circular"),
        "crop": lambda x: F.pad(x, (-1, -1)),
        "tril": torch.tril,
        "triu": lambda x: torch.triu(x, 1),
        "flatten": lambda x: x.flatten(1),
        "size": lambda x: x + x.shape[0],
        "unfold": lambda x: x.unfold(1, 2, 1),
        "arange": lambda x: x + torch.arange(x.shape[2]),
        "zeros": lambda x: torch.zeros_like(x) + 1,
        "full": lambda x: torch.full((x.shape[0], 3), 2.5),
        "diff": lambda x: x.diff(dim=1),
        "meshgrid": lambda x: (
            x[0] + torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")[0]
        ),
    }


def reductions(x):
    return {
        "sum": lambda x: x.sum(),
        "mean": lambda x: x.mean(1),
        "keep": lambda x: x.mean((1, 2), keepdim=True),
        "amax": lambda x: x.amax(2),
        "amin": lambda x: x.amin(0),
        "prod": lambda x: x.prod(1),
        "any": lambda x: (x > 1).any(1),
        "all": lambda x: (x > -1).all(2),
        "var": lambda x: x.var(1),
        "std": lambda x: x.std((1, 2)),
        "norm": lambda x: x.norm(dim=1),
        "logsumexp": lambda x: x.logsumexp(1),
        "argmax": lambda x: x.argmax(1),
        "argmin": lambda x: x.argmin(2, keepdim=True),
        "softmax": lambda x: x.softmax(1),
        "log_softmax": lambda x: x.log_softmax(-1),
        "cumsum": lambda x: x.cumsum(1),
        "topk": lambda x: x.topk(2, -1)[0],
        "topk_indices": lambda x: x.topk(2, -1)[1],
        "sort": lambda x: x.sort(-1, descending=True)[0],
        "max_indices": lambda x: x.max(1)[1],
        "of_permuted": lambda x: x.permute(0, 2, 1).softmax(1).sum(2),
        "l1": lambda x: x.abs().sum(1),
        "normalize": lambda x: F.normalize(x, dim=1),
    }


def indexing(x):
    index = torch.tensor([2, 0, -1])
    return {
        "index_select": lambda x: x.index_select(1, torch.tensor([0, 2])),
        "fancy": lambda x: x[:, index],
        "gather": lambda x: x.gather(2, (x.abs() * 100).long() % 6),
        "mask": lambda x: x.masked_fill(x > 0, 0.0),
        "one_hot": lambda x: F.one_hot(x.argmax(1), 4),
        "scatter": lambda x: torch.zeros_like(x).scatter(2, x.argmax(2, keepdim=True), 1.0),
        "embedding": lambda x: F.embedding(
            (x.abs() * 10).long() % 4, torch.arange(12.0).reshape(4, 3)
        ),
        "select": lambda x: x[:, 1],
        "where_index": lambda x: torch.where(x > 0, 1.0, 0.0),
    }


def products(x):
    w = torch.arange(30.0).reshape(6, 5) / 30
    return {
        "matmul": lambda x: x @ w,
        "transposed": lambda x: x @ x.transpose(1, 2),
        "vector": lambda x: x @ w[:, 0],
        "bmm": lambda x: torch.bmm(x.transpose(1, 2), x),
        "einsum": lambda x: torch.einsum("bij,jk->bki", x, w),
        "linear": lambda x: F.linear(x, w.T, torch.arange(5.0)),
        "outer": lambda x: x[:, :, 0, None] * x[:, None, :, 0],
        "attention": lambda x: F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None]),
        "causal": lambda x: F.scaled_dot_product_attention(
            x[:, None], x[:, None], x[:, None], is_causal=True
        ),
    }


SMALL = ([("x", "float32", [None, 4, 6])], lambda: [torch.randn(3, 4, 6)])
PAIR = (
    [("x", "float32", [None, 4, 6]), ("y", "float32", [None, 4, 6])],
    lambda: [torch.randn(3, 4, 6), torch.randn(3, 4, 6)],
)
FAMILIES = {
    "unary": (unary, SMALL),
    "binary": (binary, PAIR),
    "shapes": (shapes, SMALL),
    "reductions": (reductions, SMALL),
    "indexing": (indexing, SMALL),
    "products": (products, SMALL),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_family(family, tmp_path, quiet):
    functions, (inputs, _) = FAMILIES[family]
    chosen = {k: f for k, f in functions(None).items() if f is not None}
    check(Family(chosen), inputs, list(chosen), tmp_path, quiet)


def test_what_onnx_lacks(tmp_path, quiet):
    functions = {
        "lgamma": torch.lgamma,
        "digamma": torch.digamma,
        "erfinv": lambda x: torch.erfinv(x / 9),
        "cumprod": lambda x: x.cumprod(-1),
        "bessel": lambda x: torch.special.i0(x) + torch.special.i1e(x) + torch.special.bessel_j1(x),
        "igamma": lambda x: torch.special.gammainc(x.abs() + 0.1, x.abs()),
        "igammac": lambda x: torch.special.gammaincc(x.abs() + 0.1, x.abs()),
        "zeta": lambda x: torch.special.zeta(x.abs() + 1.5, x.abs() + 0.5),
        "ndtri": lambda x: torch.special.ndtri(x.sigmoid()),
        "singular values": torch.linalg.svdvals,
        "svd": lambda x: torch.linalg.svd(x)[0].abs(),  # either sign is right
        "fft": lambda x: torch.fft.fft(x.to(torch.complex64)).abs(),
        "fft of columns": lambda x: torch.view_as_real(torch.fft.fft2(x.to(torch.complex64))),
        "rfft": lambda x: torch.view_as_real(torch.fft.rfft(x)),
        "irfft": lambda x: torch.fft.irfft(torch.fft.rfft(x) * 2, n=x.shape[-1]),
        "ifft": lambda x: torch.fft.ifft(x.to(torch.complex64)).real,
        "integers": lambda x: (x * 2).to(torch.int32).cumprod(1),
        "int32": lambda x: (x * 2).to(torch.int32).cumprod(1, dtype=torch.int32),
        "more_rows": lambda x: x[:1].expand(5, -1),
        "search": lambda x: torch.searchsorted(x.sort(-1).values, x),
        "search_row": lambda x: torch.searchsorted(torch.arange(4.0), x, right=True),
        "cholesky": lambda x: torch.linalg.cholesky_ex(x.T @ x + torch.eye(4))[0],
        "inverse": lambda x: torch.linalg.inv_ex(x.T @ x + torch.eye(4))[0],
        "determinant": lambda x: torch.linalg.det(x.T @ x + torch.eye(4)),
        "unique": lambda x: torch.unique((x * 2).long(), return_inverse=True)[1],
        "counts": lambda x: torch.unique((x * 2).long(), return_counts=True)[1],
    }
    signature = export.Signature(
        "f",
        Family(functions),
        [("x", "float32", [None, 4])],
        list(functions),
        examples=[torch.rand(3, 4) * 3 + 0.5],
    )
    report = export.export_saved_model(signature, tmp_path / "m", options=quiet)
    worst = max(report.artifacts[0].checks[0].differences, key=lambda d: d.largest)
    assert worst.largest < 1e-5, worst


def check(module, inputs, outputs, tmp_path, quiet, tolerance=1e-5):
    """Exports to TFLite by way of a SavedModel; both are verified, and must be exact to
    rounding."""
    torch.manual_seed(0)
    signature = export.Signature("f", module.eval(), inputs, outputs)
    report = export.export_tflite(signature, tmp_path / "m.tflite", options=quiet)
    worst = max(report.artifacts[0].checks[0].differences, key=lambda d: d.largest)
    assert worst.largest < tolerance, worst
    return report.artifacts[0].operators["f"]


IMAGE = [("x", "float32", [None, 4, 12, 12])]


def test_image_layers(tmp_path, quiet):
    torch.manual_seed(0)
    layers = {
        "conv": nn.Conv2d(4, 6, 3),
        "same": nn.Conv2d(4, 6, 3, padding=1),
        "stride": nn.Conv2d(4, 6, 3, 2, 1),
        "dilated": nn.Conv2d(4, 6, 3, dilation=2),
        "depthwise": nn.Conv2d(4, 8, 3, groups=4, padding=1),
        "grouped": nn.Conv2d(4, 6, 3, groups=2),
        "transposed": nn.ConvTranspose2d(4, 6, 2, 2),
        "transposed_same": nn.ConvTranspose2d(4, 6, 3, 2, 1, 1),
        "max": nn.MaxPool2d(2),
        "max_padded": nn.MaxPool2d(3, 2, 1),
        "max_ceil": nn.MaxPool2d(5, 3, ceil_mode=True),
        "average": nn.AvgPool2d(2),
        "average_padded": nn.AvgPool2d(3, 2, 1),
        "average_uncounted": nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        "global": nn.AdaptiveAvgPool2d(1),
        "adaptive": nn.AdaptiveAvgPool2d(3),
        "batch_norm": nn.BatchNorm2d(4),
        "group_norm": nn.GroupNorm(2, 4),
        "instance_norm": nn.InstanceNorm2d(4, affine=True),
        "layer_norm": nn.LayerNorm([4, 12, 12]),
        "prelu": nn.PReLU(4),
        "nearest": nn.Upsample(scale_factor=2),
        "pixel_shuffle": nn.PixelShuffle(2),
        "bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
        "channel_shuffle": nn.ChannelShuffle(2),
        "corners": nn.Upsample(size=(7, 5), mode="bilinear", align_corners=True),
        "bicubic": nn.Upsample(size=(7, 20), mode="bicubic"),
        "softmax2d": nn.Softmax2d(),
        "unshuffle": nn.PixelUnshuffle(2),
        "glu": nn.GLU(1),
        "gelu": nn.Sequential(nn.Conv2d(4, 4, 1), nn.GELU()),
    }
    operators = check(Family({}, *layers.values()), IMAGE, list(layers), tmp_path, quiet)
    assert operators["DEPTHWISE_CONV_2D"] == 1 and operators["TRANSPOSE_CONV"] == 2
    assert operators["GELU"] == 1
    # a grouped convolution and its bias are one operator; the three norms subtract
    assert operators["CONV_2D"] == 6 and operators["SUB"] == 3


def test_a_network_of_channels_first_layers_has_transpositions_at_its_borders_only(tmp_path, quiet):
    network = nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, 2, 1, groups=8),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.ConvTranspose2d(8, 4, 2, 2),
        nn.ZeroPad2d(1),
        nn.Softmax(1),
    )
    operators = check(network, IMAGE, ["y"], tmp_path, quiet)
    assert operators.get("TRANSPOSE", 0) <= 2


def test_sequence_layers(tmp_path, quiet):
    torch.manual_seed(0)

    class First(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x)[0]

    layers = {
        "lstm": First(nn.LSTM(6, 5, batch_first=True)),
        "stacked": First(nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)),
        "gru": First(nn.GRU(6, 5, batch_first=True)),
        "rnn": First(nn.RNN(6, 5, batch_first=True)),
        "layer_norm": nn.LayerNorm(6),
        "encoder": nn.TransformerEncoderLayer(6, 2, 8, batch_first=True),
        "conv1d": nn.Sequential(nn.Conv1d(4, 3, 3, 2, 1), nn.ReLU()),
        "pool1d": nn.MaxPool1d(2),
        "rms_norm": nn.RMSNorm(6),
    }
    check(Family({}, *layers.values()), SMALL[0], list(layers), tmp_path, quiet)


def test_control_flow(tmp_path, quiet):
    class Branches(nn.Module):
        def forward(self, x):
            return torch.cond(x.sum() > 0, lambda t: t * 2, lambda t: t - 1, (x,))

    check(Branches(), [("x", "float32", [2, 3])], ["y"], tmp_path, quiet)

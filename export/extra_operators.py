"""Operators that ONNX lacks and TensorFlow has: nodes of a domain of their own.

The domain lives between `trace.write_onnx` and the importer of `backend`; no file that a user gets
has it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

DOMAIN = "export"

_TYPES = [f"tensor({t})" for t in ("float16", "float", "double", "int32", "int64")]
_ONNX_NAMES = {"float32": "float", "float64": "double", "string": "int64"}  # strings: as handles
_TENSORS = {
    name: f"tensor({_ONNX_NAMES.get(name, name)})"
    for name in (
        "bfloat16", "bool", "complex64", "complex128", "float16", "float32", "float64", "int8",
        "int16", "int32", "int64", "string", "uint8", "uint16", "uint32", "uint64",
    )
}  # fmt: skip

# functions that TensorFlow has as well: ATen's name -> that of the node
SPECIAL_UNARY = {
    "i0": "BesselI0",
    "special_i0e": "BesselI0e",
    "special_i1": "BesselI1",
    "special_i1e": "BesselI1e",
    "special_bessel_j0": "BesselJ0",
    "special_bessel_j1": "BesselJ1",
    "special_bessel_y0": "BesselY0",
    "special_bessel_y1": "BesselY1",
    "special_modified_bessel_k0": "BesselK0",
    "special_modified_bessel_k1": "BesselK1",
    "special_scaled_modified_bessel_k0": "BesselK0e",
    "special_scaled_modified_bessel_k1": "BesselK1e",
    "special_ndtri": "Ndtri",
}
SPECIAL_BINARY = {"igamma": "Igamma", "igammac": "Igammac", "special_zeta": "Zeta"}


def translations() -> dict[Any, Callable]:
    """What `torch.onnx.export` writes for each of these operators, by overload."""
    import torch  # the importer, which wants the domain, lives without
    from onnx.defs import OpSchema
    from onnxscript import INT64, opset18, opset23
    from onnxscript.values import Op, Opset

    aten, domain = torch.ops.aten, Opset(DOMAIN, 1)

    def operator(name: str, *integers: str) -> Callable:
        """A node of one input and one output of the same type."""
        schema = OpSchema(
            name,
            DOMAIN,
            1,
            inputs=[OpSchema.FormalParameter("x", "T")],
            outputs=[OpSchema.FormalParameter("y", "T")],
            type_constraints=[("T", _TYPES, "")],
            attributes=[OpSchema.Attribute(n, OpSchema.AttrType.INT) for n in integers],
        )
        return Op(domain, name, schema)

    def unary(name: str) -> Callable:
        node = operator(name)
        return lambda self: node(self)

    def binary(name: str) -> Callable:
        """A node of two inputs and one output, all of the same type."""
        schema = OpSchema(
            name,
            DOMAIN,
            1,
            inputs=[OpSchema.FormalParameter("x", "T"), OpSchema.FormalParameter("y", "T")],
            outputs=[OpSchema.FormalParameter("z", "T")],
            type_constraints=[("T", _TYPES, "")],
        )
        node = Op(domain, name, schema)
        return lambda self, other: node(self, other)

    product = operator("CumProd", "axis")

    def cumprod(self, dim: int, dtype: int = -1):
        result = product(self, axis=dim)
        return result if dtype == -1 else opset18.Cast(result, to=dtype)

    repeat = operator("RepeatInterleave")

    # how many there are in all is known where it runs
    def repeat_interleave(repeats, output_size=None):
        return repeat(repeats)

    def factor(name: str, results: int) -> Callable:
        """A node that fails by itself, where torch tells the failure, or more, besides."""
        node = operator(name)

        def one_of_several(self, **options):
            zero: Any = opset18.Constant(value_int=0)
            return [node(self), *[opset18.Cast(zero, to=6)] * (results - 1)]

        return one_of_several

    schema = OpSchema(
        "Svd",
        DOMAIN,
        1,
        inputs=[OpSchema.FormalParameter("x", "T")],
        outputs=[OpSchema.FormalParameter(name, "T") for name in ("u", "s", "vh")],
        type_constraints=[("T", _TYPES, "")],
        attributes=[OpSchema.Attribute("full", OpSchema.AttrType.INT)],
    )
    singular = Op(domain, "Svd", schema)

    def svd(self, full_matrices: bool = False, compute_uv: bool = True, driver=None):
        return singular(self, full=int(full_matrices))

    schema = OpSchema(
        "SearchSorted",
        DOMAIN,
        1,
        inputs=[OpSchema.FormalParameter("sequence", "T"), OpSchema.FormalParameter("values", "T")],
        outputs=[OpSchema.FormalParameter("y", "tensor(int64)")],
        type_constraints=[("T", _TYPES, "")],
        attributes=[OpSchema.Attribute("right", OpSchema.AttrType.INT)],
    )
    search = Op(domain, "SearchSorted", schema)

    def searchsorted(sorted_sequence, self, out_int32=False, right=False, **options):
        found = search(sorted_sequence, self, right=int(right))
        return opset18.Cast(found, to=6) if out_int32 else found

    schema = OpSchema(
        "Philox",
        DOMAIN,
        1,
        inputs=[
            OpSchema.FormalParameter("state", "tensor(int64)"),
            OpSchema.FormalParameter("shape", "tensor(int64)"),
            OpSchema.FormalParameter(
                "low", "T", param_option=OpSchema.FormalParameterOption.Optional
            ),
            OpSchema.FormalParameter(
                "high", "T", param_option=OpSchema.FormalParameterOption.Optional
            ),
        ],
        outputs=[OpSchema.FormalParameter("y", "T")],
        type_constraints=[("T", _TYPES, "")],
        attributes=[
            OpSchema.Attribute("kind", OpSchema.AttrType.STRING),
            OpSchema.Attribute("dtype", OpSchema.AttrType.INT),
        ],
    )
    draw = Op(domain, "Philox", schema)

    # torch.onnx reads these annotations, so they are none of the future
    def philox(state: INT64, params: Sequence[INT64], kind: str, shape: INT64, dtype: int):
        return draw(state, shape, *params[:2], kind=kind, dtype=dtype)

    def host_call(inputs: Sequence[INT64], text: str):
        kinds = [_TENSORS[dtype] for dtype, _ in json.loads(text)["results"]]
        schema = OpSchema(
            "HostCall",
            DOMAIN,
            1,
            inputs=[OpSchema.FormalParameter(f"x{i}", f"T{i}") for i in range(len(inputs))],
            outputs=[OpSchema.FormalParameter(f"y{i}", kind) for i, kind in enumerate(kinds)],
            type_constraints=[
                (f"T{i}", sorted(set(_TENSORS.values())), "") for i in range(len(inputs))
            ],
            attributes=[OpSchema.Attribute("text", OpSchema.AttrType.STRING)],
        )
        results = Op(domain, "HostCall", schema)(*inputs, text=text)
        return list(results) if len(kinds) > 1 else [results]

    def attention(query, key, value, dropout_p=0.0, is_causal=False, attn_mask=None, scale=None):
        """One node; how torch's kernels for it differ is a matter of torch."""
        found, *_ = opset23.Attention(
            query, key, value, attn_mask, is_causal=int(is_causal), scale=scale
        )
        return found, opset23.Constant(value_float=0.0)  # a result for its gradient

    def index_select(self, dim: int, index):
        """Rows by indices of any integer type: PyTorch's own translation widens them."""
        rows: Any = opset18.Constant(value_ints=[-1])
        return opset18.Gather(self, opset18.Reshape(index, rows), axis=dim) if self.shape else self

    ours = torch.ops.torchtf  # each is known where something that needs it was used
    own = {
        getattr(ours, name).default: function
        for name, function in (("philox", philox), ("host_call", host_call))
        if hasattr(ours, name)
    }
    special = {getattr(aten, name).default: unary(node) for name, node in SPECIAL_UNARY.items()} | {
        getattr(aten, name).default: binary(node) for name, node in SPECIAL_BINARY.items()
    }
    return {
        **own,
        **special,
        aten.cumprod.default: cumprod,
        aten.digamma.default: unary("Digamma"),
        aten.erfinv.default: unary("Erfinv"),
        aten.lgamma.default: unary("Lgamma"),
        aten._linalg_det.default: factor("Det", 3),
        aten._scaled_dot_product_flash_attention_for_cpu.default: attention,
        aten.linalg_cholesky_ex.default: factor("Cholesky", 2),
        aten.index_select.default: index_select,
        aten._linalg_svd.default: svd,
        aten.linalg_inv_ex.default: factor("Inverse", 2),
        aten.searchsorted.Tensor: searchsorted,
        aten.repeat_interleave.Tensor: repeat_interleave,
        aten.special_erfinv.default: unary("Erfinv"),
    }

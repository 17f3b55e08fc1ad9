"""Operators that ONNX lacks and TensorFlow has: nodes of a domain of their own.

The domain lives between `trace.write_onnx` and the importer of `backend`; no file that a user gets
has it.
"""

from collections.abc import Callable, Sequence
from typing import Any

DOMAIN = "export"

_TYPES = [f"tensor({t})" for t in ("float16", "float", "double", "int32", "int64")]


def translations() -> dict[Any, Callable]:
    """What `torch.onnx.export` writes for each of these operators, by overload."""
    import torch  # the importer, which wants the domain, lives without
    from onnx.defs import OpSchema
    from onnxscript import INT64, opset18
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

    product = operator("CumProd", "axis")

    def cumprod(self, dim: int, dtype: int = -1):
        result = product(self, axis=dim)
        return result if dtype == -1 else opset18.Cast(result, to=dtype)

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

    draws = {}
    if hasattr(torch.ops.torchtf, "philox"):  # known where something of tf.random was used
        draws[torch.ops.torchtf.philox.default] = philox
    return {
        **draws,
        aten.cumprod.default: cumprod,
        aten.digamma.default: unary("Digamma"),
        aten.erfinv.default: unary("Erfinv"),
        aten.lgamma.default: unary("Lgamma"),
        aten.special_erfinv.default: unary("Erfinv"),
    }

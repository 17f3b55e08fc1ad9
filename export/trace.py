"""torch module -> ExportedProgram -> ONNX file."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.utils import _pytree as pytree

from .errors import ExportError
from .extra_operators import translations
from .lowering import lower, prepared_exporter, recurrent_nodes
from .signature import Signature
from .traced import program_of

# The first operator set with Attention and RMSNormalization as single nodes (Gelu came with 20).
OPSET = 23
_FREE_DRAWS = {"RandomNormalLike", "RandomUniformLike"}
_HALF = (torch.float16, torch.bfloat16)


class _Flat(torch.nn.Module):
    """Positional tensors in, a flat tuple of distinct tensors out."""

    def __init__(self, module: torch.nn.Module, signature: Signature):
        super().__init__()
        self.module = module
        self._name = signature.name
        self._count = len(signature.outputs) + len(signature.updates)

    def forward(self, *inputs):
        outputs = [t for t in pytree.tree_leaves(self.module(*inputs)) if t is not None]
        if len(outputs) != self._count:
            raise ValueError(
                f"signature {self._name!r} names {self._count} outputs, "
                f"but the model returns {len(outputs)}"
            )
        seen = list(inputs)
        for i, t in enumerate(outputs):
            if any(t is s for s in seen):
                outputs[i] = t.clone()  # an output of its own
            seen.append(t)
        return tuple(outputs)


def _widened(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """The graph with float32 for every half precision: LiteRT and most CPUs have no half
    kernels.
    """
    for graph in [m for m in module.modules() if isinstance(m, torch.fx.GraphModule)]:
        for node in graph.graph.nodes:
            node.args = torch.fx.node.map_aggregate(node.args, _wide_dtype)
            node.kwargs = torch.fx.node.map_aggregate(node.kwargs, _wide_dtype)
        for name, value in list(vars(graph).items()):
            if isinstance(value, torch.Tensor):
                setattr(graph, name, _wide_tensor(value))
        graph.recompile()
    return module._apply(_wide_tensor)


def _wide_dtype(argument):
    return torch.float32 if isinstance(argument, torch.dtype) and argument in _HALF else argument


def _wide_tensor(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype in _HALF else tensor


def runnable(signature: Signature) -> torch.nn.Module:
    """The module of a signature as one that returns a flat tuple."""
    module = signature.module
    if isinstance(module, torch.export.ExportedProgram):
        module = module.module()
    return _Flat(module, signature)


@contextlib.contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode for the time of the export; each submodule gets its own mode back."""
    training = [m for m in module.modules() if m.training]
    for m in training:
        m.training = False
    try:
        yield
    finally:
        for m in training:
            m.training = True


def trace(signature: Signature) -> tuple[torch.export.ExportedProgram, bool]:
    """Traces a signature with the free sizes that it declares.

    Returns:
        The program, in float32 where the source computes in half precision, and whether it does.

    Raises:
        ExportError: if the model cannot be traced, or fixes a size that was declared free.
    """
    module = runnable(signature)
    _settle(module, signature)
    given = signature.sample()
    signature.check(given)
    examples = [
        torch.zeros(t.shape, dtype=torch.int64) if isinstance(t, np.ndarray) else t for t in given
    ]
    # of a size 0 or 1 torch.export concludes that it is fixed
    examples = [_grown(t, info.sizes) for t, info in zip(examples, signature.inputs, strict=True)]
    free = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(info.sizes) if size is None}
        for info in signature.inputs
    )
    try:
        program = program_of(signature, examples)
        if program is not None:
            return program, False
        with _quiet_logs(), evaluating(module), torch.no_grad(), recurrent_nodes():
            program = _export(module, examples, (free,))
            half = _computes_in_half(program.graph_module)
            if half:
                wide = _widened(program.module(check_guards=False))
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", message=".*autocast")  # float32 is none
                    program = _export(wide, list(map(_wide_tensor, examples)), free)
    except torch._dynamo.exc.UserError as error:
        raise ExportError(_free_size_message(signature, str(error))) from error
    except GuardOnDataDependentSymNode as error:
        places = re.findall(r'File "([^"]+)", line (\d+)', str(error))
        where = f" ({os.path.basename(places[-1][0])}, line {places[-1][1]})" if places else ""
        raise ExportError(
            f"signature {signature.name!r} cannot be traced: the model decides by the value of a "
            f"tensor{where}, which is not known then; use torch.cond or torch.where"
        ) from error
    except (ImportError, MemoryError, ValueError, NotImplementedError):
        raise
    except Exception as error:
        raise ExportError(
            f"signature {signature.name!r} cannot be traced: {type(error).__name__}: {error}"
        ) from error
    return program, half


def _settle(module, signature: Signature) -> None:
    """Gives a signature the first sizes and strings for a trial that the module takes.

    It keeps those that it has if none is taken; strings that are then cannot be made up.
    """
    choices = signature.trials
    for choice in choices if len(choices) > 1 else ():
        with contextlib.suppress(Exception), torch.random.fork_rng(devices=[]):
            with evaluating(module), torch.no_grad():
                choice.run(module, choice.sample())
            signature.trial, signature.texts = choice.trial, choice.texts
            return
    if any(info.dtype == "string" for info in signature.inputs):
        signature.sampled = False


def _export(module, examples, free) -> torch.export.ExportedProgram:
    program = torch.export.export(
        module, tuple(examples), dynamic_shapes=free if examples else None, strict=False
    )
    # Checks of sizes that depend on data: torch.export takes for granted that they are two or more.
    for node in list(program.graph.nodes):
        if node.target is torch.ops.aten._assert_scalar.default:
            program.graph.erase_node(node)
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


def _grown(tensor: torch.Tensor, shape) -> torch.Tensor:
    for axis, size in enumerate(shape):
        if size is None and tensor.shape[axis] == 1:
            tensor = torch.cat([tensor, tensor], axis)
    return tensor


def _computes_in_half(module: torch.fx.GraphModule) -> bool:
    graphs = [m.graph for m in module.modules() if isinstance(m, torch.fx.GraphModule)]
    values = (node.meta.get("val") for graph in graphs for node in graph.nodes)
    return any(isinstance(v, torch.Tensor) and v.dtype in _HALF for v in values)


def _free_size_message(signature: Signature, text: str) -> str:
    free = [f"{info.name!r}{list(info.sizes)}" for info in signature.inputs if None in info.sizes]
    hint = re.search(r"(marked|specified).*?dynamic.*?(constant|specialized|fixed).*", text)
    return (
        f"signature {signature.name!r}: a size declared None ({', '.join(free)}) is fixed by the "
        f"model"
        f" itself; declare the size. ({(hint.group(0) if hint else text)[:300]})"
    )


def write_onnx(program: torch.export.ExportedProgram, path: Path, signature: Signature) -> bool:
    """Writes the ONNX model of a traced signature, its weights in a file beside it.

    Inputs are named ``in_<i>`` and outputs ``out_<i>``: ONNX and TensorFlow disagree on what a name
    may be, so the names of the signature are given in TensorFlow.

    Returns:
        Whether the model draws random numbers that no other run draws again.

    Raises:
        ExportError: if an operator has no ONNX form; the message names it and its layer.
    """
    lower(program)
    try:
        with _silent(), recurrent_nodes(), prepared_exporter():
            onnx_program = torch.onnx.export(
                program,
                (),
                None,
                verbose=False,
                input_names=[f"in_{i}" for i in range(len(signature.inputs))],
                output_names=[
                    f"out_{i}" for i in range(len(signature.outputs) + len(signature.updates))
                ],
                opset_version=OPSET,
                custom_translation_table=translations(),
                dynamo=True,
                external_data=True,
                report=False,
                optimize=False,  # constants are folded where it is still known what they are
                verify=False,
                profile=False,
                dump_exported_program=False,
                export_params=True,
                keep_initializers_as_inputs=False,
            )
    except Exception as error:
        raise ExportError(_operator_message(signature, program, error)) from error
    assert onnx_program is not None
    for node in onnx_program.model.graph.all_nodes():
        layer = _layer_of(node.metadata_props)
        if layer:
            node.name = f"{layer}/{node.op_type}_{(node.name or '').rpartition('_')[2]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        onnx_program.save(path, external_data=True)
    return any(n.op_type in _FREE_DRAWS for n in onnx_program.model.graph.all_nodes())


def _layer_of(properties) -> str:
    """The path of the module that a node came from, as PyTorch's exporter recorded it."""
    scopes = re.findall(r"'([^']*)'", properties.get("pkg.torch.onnx.name_scopes", ""))
    path = next((s for s in reversed(scopes[:-1]) if s), "")
    return path.removeprefix("module.").removeprefix("module").replace(".", "/")


def _operator_message(signature: Signature, program, error: BaseException) -> str:
    texts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        texts.append(str(current))
        current = current.__cause__ or current.__context__
    text = "\n".join(texts)
    operator = re.search(r"OpOverload\(op='([\w.:]+)', overload='(\w+)'\)", text)
    if operator is None:
        return f"signature {signature.name!r} has no ONNX form: {texts[-1].strip()[:500]}"
    name = operator.group(1)
    return (
        f"signature {signature.name!r}: the operator {name} has no ONNX form"
        f"{_where(program, name)}; express it with other operators, or leave it out of the "
        f"signature"
    )


def _where(program: torch.export.ExportedProgram, operator: str) -> str:
    """Layer or source line of the first call of an operator; "" if neither is known."""
    node = _first_call(program, operator)
    if node is None:
        with contextlib.suppress(Exception):  # it may come from the decomposition of another one
            node = _first_call(program.run_decompositions(), operator)
    if node is None:
        return ""
    stack = node.meta.get("nn_module_stack") or {}
    layers = [path for path, _ in stack.values() if path not in ("", "module")]
    if layers:
        return f" (layer {layers[-1].removeprefix('module.')!r})"
    # code that was generated has no file
    match = re.findall(r'File "([^"<]+)", line (\d+)', node.meta.get("stack_trace") or "")
    return f" ({os.path.basename(match[-1][0])}, line {match[-1][1]})" if match else ""


def _first_call(program: torch.export.ExportedProgram, operator: str) -> torch.fx.Node | None:
    calls = (n for n in program.graph.nodes if n.op == "call_function")
    return next((n for n in calls if str(n.target).startswith(operator)), None)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps the progress texts of PyTorch's exporter off the screen."""
    with (
        _quiet_logs(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _quiet_logs() -> Iterator[None]:
    """Keeps out of the logs what an exception says as well."""
    names = ("torch.onnx", "torch._export", "torch.fx", "onnxscript", "onnx_ir")
    loggers = [logging.getLogger(name) for name in names]
    loggers.append(logging.getLogger(GuardOnDataDependentSymNode.__module__))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

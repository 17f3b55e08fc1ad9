"""The compiled tier: traced graphs through torch.compile (Inductor).

* `tf.function(jit_compile=True)` compiles its graphs when they are traced; so does every function
  with `TORCHTF_JIT=always`, unless Inductor fails on it. The first call waits for the compiler.
* With `TORCHTF_JIT=auto` or `tf.config.optimizer.set_jit(True)` hot graphs are compiled in the
  background (see `background`). That is not the default: where all cores train, it takes from them.
* A size that the signature leaves open stays open in the compiled code.
* A graph with an op of this package (random numbers from seeded streams) is not compiled in the
  background.
* Inductor compiles ATen: a graph that calls Python (`py_function`, strings) cannot be compiled, as
  XLA cannot. Assertions are left out, as XLA does. XLA knows `TensorArray`s, Inductor does not: a
  graph that has one runs as it was traced, and a warning says so once.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from torchtf.core import errors
from torchtf.core.log import get_logger
from torchtf.function import staged
from torchtf.function.runner import compile_graph
from torchtf.function.spelled_out import spelled_out

_MODES = ("off", "auto", "always")
_mode: str | None = None


def mode() -> str:
    """Which functions are compiled without being asked: "off", "auto" or "always".

    Raises:
        ValueError: if the environment variable `TORCHTF_JIT` is none of these.
    """
    found = _mode or os.environ.get("TORCHTF_JIT", "off")
    if found not in _MODES:
        raise ValueError(f"TORCHTF_JIT must be one of {', '.join(_MODES)}, not {found!r}")
    return found


def set_mode(value: str | None) -> None:
    """Overrides `TORCHTF_JIT`; None returns to it."""
    global _mode
    if value is not None and value not in _MODES:
        raise ValueError(f"the mode must be one of {', '.join(_MODES)}, not {value!r}")
    _mode = value


def wanted(jit_compile: bool | None) -> bool:
    """Whether a function with this `jit_compile` is to be compiled."""
    return bool(jit_compile) or (jit_compile is None and mode() == "always")


def watch(concrete) -> None:
    """Lets a concrete function be compiled in the background once it is hot."""
    module = concrete.graph_module
    own_ops = any(str(n.target).startswith("torchtf.") for n in module.graph.nodes)
    if own_ops or obstacle(module) is not None:
        return
    from torchtf.function.background import Watched

    def settle(run) -> None:
        concrete._run = run

    concrete._run = Watched(concrete.graph_module, concrete._run, settle)


def obstacle(module: torch.fx.GraphModule) -> str | None:
    """The first op of a graph that Inductor cannot compile, or None."""
    for node in module.graph.nodes:
        if node.op != "call_function":
            continue
        if isinstance(node.target, (staged.Call, staged._Recorder)) or not _is_torchs(node.target):
            return node.meta.get("tf_op") or getattr(node.target, "__name__", str(node.target))
        for sub in staged.sub_modules(node):
            found = obstacle(sub)
            if found:
                return found
    return None


def _is_torchs(target) -> bool:
    if isinstance(target, (torch._ops.OpOverload, torch._ops.HigherOrderOperator)):
        return True
    return (getattr(target, "__module__", None) or "").partition(".")[0] in (
        "torch", "_operator", "operator", "math",
    )  # fmt: skip


def compile_concrete(concrete, required: bool = True) -> None:
    """Makes a concrete function run compiled code.

    Args:
        concrete: the concrete function.
        required: whether it is an error if its graph cannot be compiled.

    Raises:
        InvalidArgumentError: if the graph has an op that neither Inductor nor XLA compiles.
        RuntimeError: if there is no C++ compiler (on the CPU).
    """
    module = _without_assertions(concrete.graph_module)
    found = obstacle(module)
    if found is not None:
        if not required:
            return
        if found.startswith("TensorList"):
            get_logger().warning(
                "The function %s runs as it was traced: Inductor does not compile its TensorArray.",
                concrete.graph.name,
            )
            return
        raise errors.InvalidArgumentError(
            None, None,
            "Detected unsupported operations when trying to compile graph "
            f"{concrete.name.decode()}: {found}, which runs in Python. Leave jit_compile out, or "
            "move the call out of the function.",
        )  # fmt: skip
    if not compiler_exists():
        if not required:
            return
        raise RuntimeError(
            "jit_compile=True needs a C++ compiler, which torch.compile's Inductor calls: install "
            "g++ or clang++, or name one in the environment variable CXX."
        )
    open_sizes = any(size is None for spec in concrete._input_specs for size in spec.shape)
    plain = compile_graph(concrete.graph_module)
    concrete._run = concrete._run_recorded = _Compiled(module, open_sizes, plain, required)


def _without_assertions(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """The module, or a copy of it without its assertions, which compiled code does not check."""
    if not any(n.meta.get("tf_op") == "Assert" for n in module.graph.nodes):
        return module
    graph = torch.fx.Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    made = torch.fx.GraphModule(module, graph)
    for node in reversed(graph.nodes):
        if node.meta.get("tf_op") == "Assert":
            graph.erase_node(node)
    staged.drop_unused(graph)
    made.recompile()
    return made


def compiler_exists() -> bool:
    """Whether there is a C++ compiler for Inductor. Looking for one takes time the first time."""
    from torch._inductor import cpp_builder, exc

    try:
        cpp_builder.get_cpp_compiler()
    except (exc.InvalidCxxCompiler, OSError):
        return False
    return True


class _Compiled:
    """A graph as Inductor's code, compiled at its first call with and without gradients.

    An error is worded by the plain graph, which fails on the same inputs.

    Args:
        module: the graph.
        open_sizes: whether its inputs have sizes that vary.
        plain: runs the graph as it was traced.
        required: whether it is an error if the graph cannot be compiled.
    """

    def __init__(
        self, module: torch.fx.GraphModule, open_sizes: bool, plain: Callable, required: bool
    ):
        module = spelled_out(module)
        self._run = torch.compile(module, dynamic=open_sizes, fullgraph=True, backend="inductor")
        self._plain = plain
        self._required = required

    def __call__(self, *inputs):
        try:
            return list(self._run(*inputs))
        except torch._dynamo.exc.TorchDynamoException:
            if self._required:
                raise
            self._run = self._plain
            return list(self._run(*inputs))
        except Exception:
            self._plain(*inputs)
            raise

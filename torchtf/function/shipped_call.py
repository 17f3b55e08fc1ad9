"""Host ops in a graph that leaves the process: an operator of torch that holds the call as text.

* `torchtf::host_call` takes the tensors of a call and its text (`export.host_form`); strings are
  handles in it, as in the traced graph. So a graph with host ops can be traced by `torch.export`,
  stored, run by torch within an `arena.Arena`, and given to other runtimes, which read the text.
* A table is a number in the text, by which this process knows it.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import itertools
import json
import weakref
from collections.abc import Iterator, Mapping

import numpy as np
import torch

from torchtf.core import arena, dtypes
from torchtf.core.host_op import HostOp, host_op
from torchtf.function.host_call import HostCall, Slot, results_of
from torchtf.function.trace import StringConstant

_PACKAGE = "torchtf."
_CHECKS = {"Assert", "CheckNumerics"}
_numbers = itertools.count()
_tables: weakref.WeakValueDictionary = weakref.WeakValueDictionary()


@host_op("Const", out="string")
def _constant(value: S):
    return value


def number_of(table) -> int:
    """The number by which this process knows a table."""
    if not hasattr(table, "_shipping_number"):
        table._shipping_number = next(_numbers)
        _tables[table._shipping_number] = table
    return table._shipping_number


def table(number: int):
    """The table of a number."""
    return _tables[number]


def is_table(value) -> bool:
    """Whether a value is a lookup table."""
    return hasattr(type(value), "_description")


def _path_of(kind) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _record(form):
    """A record of this package, of its class and fields."""
    kind = _found(form[0])
    if not isinstance(kind, type) or not (
        dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")
    ):
        raise ValueError(f"{form[0]!r} is no record")
    return kind(**form[1])


def _found(path: str):
    module, _, name = path.partition(":")
    if not module.startswith(_PACKAGE):
        raise ValueError(f"{path!r} is none of this package")
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))


# -- to text


def _special(value) -> dict | None:
    if isinstance(value, Slot):
        return {"slot": value.strings}
    if isinstance(value, dtypes.DType):
        return {"dtype": value.name}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"scalar": np.dtype(value).name}
    if is_table(value):
        return {"table": number_of(value)}
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value)]
        return {"object": [_path_of(type(value)), {n: getattr(value, n) for n in names}]}
    if hasattr(value, "_fields"):
        return {"object": [_path_of(type(value)), value._asdict()]}
    return None


def text_of(call: HostCall) -> str:
    """The text of a call.

    Raises:
        NotImplementedError: for an argument that has no form as text.
    """
    from export import host_form

    host = call.host
    return json.dumps(
        {
            "op": host.name,
            "body": _path_of(host.body),
            "arguments": {
                name: host_form.encode(value, _special)
                for name, value in zip(host.signature.parameters, call.template, strict=True)
            },
            "results": [
                [dtypes.as_dtype(dtype).name, None if sizes is None else len(sizes)]
                for sizes, dtype in call.specs
            ],
        }
    )


def shipped(target) -> str | None:
    """The text of what a node does if that is a host op, or a string constant; else None.

    Raises:
        NotImplementedError: for an op that changes something and gives nothing. (Checks, which give
            nothing either, are not shipped.)
    """
    if isinstance(target, StringConstant):
        specs: list = [(list(target.array.shape), dtypes.string)]
        target = HostCall(_constant.op, [target.array], specs)
    if not isinstance(target, HostCall):
        return None
    if target.text is not None:
        return target.text
    if not target.specs and target.op not in _CHECKS:
        raise NotImplementedError(
            f"{target.op} cannot be exported: a saved function may read tables and files, and not "
            "change them; do that outside of it"
        )
    return text_of(target)


# -- from text


def call_of(text: str) -> HostCall:
    """The call of a text, whose results are not known yet."""
    from export import host_form

    content = json.loads(text)
    made = {
        "slot": Slot,
        "dtype": dtypes.as_dtype,
        "scalar": lambda name: np.dtype(name).type,
        "table": table,
        "object": _record,
    }
    host = getattr(_found(content["body"]), "op", None)
    if not isinstance(host, HostOp):
        raise ValueError(f"{content['body']!r} is no host op")
    template = [host_form.decode(form, made) for form in content["arguments"].values()]
    call = HostCall(host, template, None)
    call.text = text
    return call


def calls_in(module: torch.nn.Module) -> Iterator[torch.fx.Node]:
    """The nodes of host ops in the graphs of a module."""
    for part in module.modules():
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.nodes:
                if node.target is torch.ops.torchtf.host_call.default:
                    yield node


def _tables_in(content: dict) -> Iterator[dict]:
    for form in content["arguments"].values():
        if isinstance(form, dict) and "table" in form:
            yield form


def tables_of(module: torch.nn.Module) -> list[int]:
    """The numbers of the tables that the graphs of a module name."""
    texts = (json.loads(node.args[1]) for node in calls_in(module))
    return sorted({form["table"] for content in texts for form in _tables_in(content)})


def renumber(module: torch.nn.Module, numbers: Mapping[int, int]) -> None:
    """Gives the tables that the graphs of a module name other numbers."""
    for node in calls_in(module):
        inputs, text = node.args
        content = json.loads(text)
        for form in _tables_in(content):
            form["table"] = numbers[form["table"]]
        node.args = (inputs, json.dumps(content))


@torch.library.custom_op("torchtf::host_call", mutates_args=())
def host_call(inputs: list[torch.Tensor], text: str) -> list[torch.Tensor]:
    """Runs the call of a text on its inputs, within an arena where these are strings."""
    return list(call_of(text).run(*inputs))


@host_call.register_fake
def _(inputs, text):
    call = call_of(text)
    for slot, value in zip(call.slots, inputs, strict=True):
        if slot.strings:
            arena.mark(value)
    _, specs = results_of(call.host, call.filled(inputs))
    made = []
    for sizes, dtype in specs:
        if sizes is None:
            raise NotImplementedError(f"{call.op} gives a tensor whose rank is not known")
        new = torch.library.get_ctx().new_dynamic_size
        kind = torch.int64 if dtype is dtypes.string else dtype
        made.append(torch.empty([new() if s is None else s for s in sizes], dtype=kind))
    return made

"""The torch side of a SavedModel: its signatures as ExportedPrograms, beside TensorFlow's graph.

``assets.extra/torch/`` holds ``<i>.pt2`` for each signature and each trace of a saved function, and
``signatures.json``. The programs carry no weights: those that lie in ``variables/`` are read from
there, the rest (what TensorFlow's graph holds in another form) from ``weights.npz``.
"""

from __future__ import annotations

import copy
import functools
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from torchtf.core.tensor_bundle import BundleReader
from torchtf.function import shipped_call
from torchtf.lookup._tables import restored
from torchtf.random import _draw  # noqa: F401  an operator that the programs may call

from .errors import other_ranks
from .files import read_arrays, write_arrays
from .objects import TABLE_PARTS, Objects
from .signature import Signature, TensorInfo, dtype_name

FOLDER = Path("assets.extra", "torch")
_FORMAT = 5


@dataclass
class Graph:
    """A signature as it was traced, for shapes of its inputs whose rank is known."""

    program: torch.export.ExportedProgram
    shapes: Sequence[tuple]
    onnx: Path
    half: bool  # whether the source computes in half precision
    random: bool  # whether it draws numbers that no other run draws again


def write(
    folder: Path,
    signatures: Sequence[tuple[Signature, Sequence[Graph]]],
    origins: Sequence[Mapping[str, Sequence]],
    objects: Objects,
    variables: Sequence[str],
    assets: Sequence[str] = (),
) -> None:
    """Writes the graphs of signatures, those of functions among `objects` last.

    `origins` has a mapping for each signature, of parameter names to (variable, permutation,
    shape); `variables` are the keys in the checkpoint of the variables of `objects`,
    `assets` the names of its files in ``assets/``.
    """
    target = folder / FOLDER
    target.mkdir(parents=True)
    kept: dict[str, np.ndarray] = {}
    manifest = []
    files: dict[int, str] = {}
    for (signature, graphs), origin in zip(signatures, origins, strict=True):
        state = {f"module.{name}": i for name, i in signature.state.items()}
        entries, outputs = [], []
        for graph in graphs:
            program = graph.program
            places: dict[str, dict] = {}
            for name, tensor in program.state_dict.items():
                if name in state:
                    places[name] = {"state": state[name]}
                elif name in origin:
                    label, permutation, shape = origin[name]
                    key = variable_key(label)
                    places[name] = {"variable": key, "permutation": permutation, "shape": shape}
                else:
                    places[name] = {"array": _keep(kept, tensor)}
            if id(program) not in files:
                files[id(program)] = f"{len(files)}.pt2"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that the weights are incomplete: the point
                    torch.export.save(_without_weights(program), target / files[id(program)])
            entries.append(
                {"program": files[id(program)], "weights": places, "shapes": graph.shapes}
            )
            outputs.append(output_infos(program, signature))
        manifest.append(
            {
                "name": signature.name,
                "graphs": entries,
                "inputs": [info.to_json() for info in signature.inputs],
                "outputs": [_in_common(infos).to_json() for infos in zip(*outputs, strict=True)],
                "updates": list(signature.updates),
                "random": any(graph.random for graph in graphs),
                "tables": {n: objects.place(table) for n, table in signature.tables.items()},
            }
        )
    write_arrays(target / "weights.npz", kept | objects.arrays())
    count = len(signatures) - len(objects.traces())
    described = objects.to_json()
    for variable, key in zip(described["variables"], variables, strict=True):
        variable["key"] = key
    described["assets"] = list(assets)
    content = {
        "format": _FORMAT,
        "signatures": manifest[:count],
        "traces": manifest[count:],
        "objects": described,
    }
    (target / "signatures.json").write_text(json.dumps(content), encoding="utf-8")


def output_infos(program: torch.export.ExportedProgram, signature: Signature) -> list[TensorInfo]:
    """Names, dtypes and shapes of the outputs; sizes that depend on the inputs are None."""
    (results,) = next(n for n in program.graph.nodes if n.op == "output").args
    infos = []
    for name, node in zip(signature.outputs, results, strict=False):
        value = node.meta["val"]
        shape = tuple(int(s) if isinstance(s, int) else None for s in value.shape)
        dtype = "string" if name in signature.strings else dtype_name(value.dtype)
        infos.append(TensorInfo(name, dtype, shape))
    return infos


def _in_common(infos: Sequence[TensorInfo]) -> TensorInfo:
    """What several graphs tell of one output."""
    shapes = [info.shape or () for info in infos]
    if len(set(map(len, shapes))) > 1:
        return replace(infos[0], shape=None)
    sizes = [s[0] if len(set(s)) == 1 else None for s in zip(*shapes, strict=True)]
    return replace(infos[0], shape=tuple(sizes))


def _keep(kept: dict[str, np.ndarray], tensor: torch.Tensor) -> str:
    host = tensor.detach().cpu()
    array = (host.view(torch.uint8) if host.dtype == torch.bfloat16 else host).numpy()
    for key, other in kept.items():
        if (
            other.shape == array.shape
            and other.dtype == array.dtype
            and np.array_equal(other, array)
        ):
            return key
    key = f"w{len(kept)}"
    kept[key] = array
    return key


def _without_weights(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The program with every weight reduced to one stored element."""
    light = copy.copy(program)
    light._state_dict = {
        name: _like(tensor, _one_element(tensor)) for name, tensor in program.state_dict.items()
    }
    light._example_inputs = None
    return light


def _one_element(tensor: torch.Tensor) -> torch.Tensor:
    # none where there is none: torch counts how much of the memory is used
    stored = torch.zeros(() if tensor.numel() else tensor.shape, dtype=tensor.dtype)
    return stored.expand(tensor.shape)


def _like(old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    if isinstance(old, torch.nn.Parameter):
        return torch.nn.Parameter(new, requires_grad=False)
    return new


@dataclass
class LoadedGraph:
    """A graph of a signature.

    Attributes:
        shapes: those of its inputs.
        state: parameters of the program that are variables of the saved objects, by position.
        tables: what the program looks up; it only knows their numbers.
    """

    program: torch.export.ExportedProgram
    shapes: Sequence[Sequence[int | None]]
    state: Mapping[str, int]
    tables: list = field(default_factory=list)

    @functools.cached_property
    def module(self) -> torch.nn.Module:
        return self.program.module(check_guards=False)

    @property
    def ranks(self) -> tuple[int, ...]:
        return tuple(map(len, self.shapes))


@dataclass
class LoadedSignature:
    """A signature (or a trace of a function) of an exported SavedModel, which runs in torch.

    Attributes:
        graphs: one, or one for each choice of the ranks that `inputs` leave open.
        updates: the variables whose new values a graph returns after the outputs.
    """

    name: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    graphs: list[LoadedGraph]
    updates: Sequence[int] = ()

    def __call__(self, *tensors) -> dict[str, Any]:
        """Runs it on tensors in the order of `inputs`; strings are arrays of `bytes`.

        Raises:
            ValueError: for ranks that it has no graph for.
        """
        graph = self.graphs[0]
        if any(info.shape is None for info in self.inputs):
            ranks = tuple(t.ndim for t in tensors)
            known = {g.ranks: g for g in self.graphs}
            if ranks not in known:
                raise ValueError(other_ranks(self.name, known))
            graph = known[ranks]
        strings = [info.name for info in self.outputs if info.dtype == "string"]
        names = [info.name for info in self.outputs]
        signature = Signature(
            self.name, graph.module, self.inputs, names, strings=strings, updates=self.updates
        )
        with torch.no_grad():
            results = signature.run(graph.module, tensors)
        return dict(zip(names, results, strict=False))


@dataclass
class Loaded:
    """A SavedModel that this package wrote: what `write` got.

    `objects` is the description of the saved objects (`export.objects.Objects.to_json`), `values`
    holds the values of their variables, `tables` the lookup tables, `traces` the graphs of their
    functions.
    """

    signatures: dict[str, LoadedSignature]
    traces: list[LoadedSignature]
    objects: dict
    values: list[torch.Tensor]
    tables: list


def is_own(folder: str | Path) -> bool:
    """Whether the SavedModel was written by this package."""
    return (Path(folder) / FOLDER / "signatures.json").exists()


def describe(folder: str | Path) -> dict[str, dict]:
    """The signatures of a SavedModel that this package wrote; see `pipeline.describe`."""
    manifest = _manifest(Path(folder))
    objects, entries = manifest["objects"]["nodes"], manifest["signatures"]
    endpoints = len(entries) > 1 and bool(objects) and "serve" in objects[0]["children"]
    return {
        entry["name"]: {
            **{part: entry[part] for part in ("inputs", "outputs", "random")},
            "converted": not endpoints or entry["name"] == "serving_default",
        }
        for entry in entries
    }


def _manifest(folder: Path) -> dict:
    if not is_own(folder):
        raise OSError(f"{str(folder)!r} was not written by this package")
    content = (folder / FOLDER / "signatures.json").read_text(encoding="utf-8")
    manifest = json.loads(content)
    if manifest["format"] != _FORMAT:
        raise ValueError(f"{str(folder)!r} was written by another version of this package")
    return manifest


def load(folder: str | Path) -> dict[str, LoadedSignature]:
    """The signatures of a SavedModel that this package wrote, without TensorFlow.

    Raises:
        OSError: if it has none.
        tf.errors.OpError: if files are missing or damaged.
    """
    return read(folder).signatures


def read(folder: str | Path) -> Loaded:
    """All of a SavedModel that this package wrote, without TensorFlow.

    Raises:
        OSError: if it was not written by it.
        tf.errors.OpError: if files are missing or damaged.
    """
    folder = Path(folder)
    source = folder / FOLDER
    manifest = _manifest(folder)
    checkpoint = BundleReader(str(folder / "variables" / "variables"))
    kept = read_arrays(source / "weights.npz")
    values = [
        torch.from_numpy(np.array(checkpoint.get_tensor(v["key"]))).reshape(v["shape"])
        for v in manifest["objects"]["variables"]
    ]
    tensors: dict[str, torch.Tensor] = {}  # shared by all signatures

    def weight(place: dict, like: torch.Tensor) -> torch.Tensor:
        if "state" in place:
            return values[place["state"]]
        key = json.dumps(place)
        if key not in tensors:
            tensors[key] = _weight(place, like, checkpoint, kept)
        return _like(like, tensors[key])

    tables = [
        restored(t, *(kept[f"table{i}/{part}"] for part in TABLE_PARTS))
        for i, t in enumerate(manifest["objects"]["tables"])
    ]

    def graph(entry: dict, numbers: Mapping[str, int]) -> LoadedGraph:
        found = torch.export.load(source / entry["program"])
        mine = {int(n): shipped_call.number_of(tables[i]) for n, i in numbers.items()}
        shipped_call.renumber(found.graph_module, mine)
        for name, tensor in list(found.state_dict.items()):
            found._state_dict[name] = weight(entry["weights"][name], tensor)
        state = {n: p["state"] for n, p in entry["weights"].items() if "state" in p}
        return LoadedGraph(found, entry["shapes"], state, [tables[i] for i in numbers.values()])

    def signature(entry: dict) -> LoadedSignature:
        inputs, outputs = (
            [TensorInfo.of((i["name"], i["dtype"], i["shape"])) for i in entry[part]]
            for part in ("inputs", "outputs")
        )
        graphs = [graph(g, entry["tables"]) for g in entry["graphs"]]
        return LoadedSignature(entry["name"], inputs, outputs, graphs, entry["updates"])

    files = manifest["objects"].get("assets", ())
    manifest["objects"]["assets"] = [str(folder / "assets" / name) for name in files]
    return Loaded(
        {entry["name"]: signature(entry) for entry in manifest["signatures"]},
        list(map(signature, manifest["traces"])),
        manifest["objects"],
        values,
        tables,
    )


def _weight(place, like: torch.Tensor, checkpoint: BundleReader, kept) -> torch.Tensor:
    if "array" in place:
        array = kept[place["array"]]
        if like.dtype == torch.bfloat16:
            return torch.from_numpy(array).view(torch.bfloat16).reshape(like.shape)
        return torch.from_numpy(array).reshape(like.shape)
    array = np.asarray(checkpoint.get_tensor(place["variable"]))
    permutation = place["permutation"]
    if permutation is not None:
        # the variable lies permuted; the parameter may have been reshaped before
        array = array.reshape(place["shape"]).transpose(np.argsort(permutation))
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(like.shape)


def variable_key(label: str) -> str:
    """The key in the checkpoint of a weight that is no variable of the saved objects."""
    escaped = label.replace(".", "..").replace("/", ".S")
    return f"_export_weights/{escaped}/.ATTRIBUTES/VARIABLE_VALUE"

"""The export itself: trace, write, convert, verify."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from . import client, store
from .errors import CalibrationError, ExportError, WorkerError, require_extra
from .files import new_directory, new_file, read_arrays, write_arrays
from .objects import Objects
from .progress import Progress
from .report import Artifact, Check, Report, size_of
from .signature import Signature, TensorInfo, dtype_name
from .trace import evaluating, runnable, trace, write_onnx
from .verify import check, compare

# Relative tolerances: float32 kernels only differ in the order of summation; the errors of
# quantized models are those of their number formats, on inputs they were calibrated for.
TOLERANCE = {"float32": 1e-4, "float16": 2e-2, "dynamic": 0.15, "int8": 0.5, "int16": 0.2}
# A source that computes in half precision differs from its float32 artifact by its own rounding.
HALF_TOLERANCE = 5e-2


@dataclass
class Reference:
    """Inputs of a signature and what the source answers to them."""

    signature: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    tolerance: float = TOLERANCE["float32"]
    labels: np.ndarray | None = None  # the right classes, where they are known
    stateful: bool = False  # the answer depends on the calls before, of which there are none


def references(
    signature: Signature, samples: Sequence[Mapping[str, Any]] = (), half: bool = False
) -> list[Reference]:
    """Runs the source on `samples`, or on random inputs of two batch sizes.

    A sample may hold the right classes as ``labels``, besides its inputs.

    `half` says that the source computes in half precision, which the artifact does not.
    """
    batches: list[list[torch.Tensor | np.ndarray]] = []
    labels = [sample.get("labels") for sample in samples]
    if samples:
        batches = _checked(signature, samples)
    if not batches:
        batches.append(signature.sample())
        free = any(i.shape and i.shape[0] is None for i in signature.inputs)
        if signature.examples is None and free and not signature.updates:
            batches.append(signature.sample(more=1, seed=1))
    module, results = runnable(signature), []
    for number, tensors in enumerate(batches):
        signature.check(tensors)
        try:
            with evaluating(module), torch.no_grad():
                outputs = signature.run(module, tensors)
        except Exception:
            if samples or not number:
                raise
            continue  # the model takes other batches than this one
        results.append(
            Reference(
                signature.name,
                {i.name: _numpy(t) for i, t in zip(signature.inputs, tensors, strict=True)},
                _with_classes(
                    {n: _numpy(t) for n, t in zip(signature.outputs, outputs, strict=False)},
                    labels[number] if labels else None,
                ),
                HALF_TOLERANCE if half else TOLERANCE["float32"],
                labels[number] if labels else None,
                bool(signature.updates),
            )
        )
    return results


def _checked(
    signature: Signature, samples: Iterable[Mapping[str, Any]]
) -> list[list[torch.Tensor | np.ndarray]]:
    """The inputs of samples, in the order of the signature.

    Raises:
        ValueError: for a sample that lacks an input, or has one of another shape or dtype.
    """
    batches = []
    for sample in samples:
        missing = [i.name for i in signature.inputs if i.name not in sample]
        if missing:
            raise ValueError(
                f"a sample of signature {signature.name!r} lacks {missing[0]!r}; it has "
                f"{sorted(sample)}"
            )
        batches.append([i.tensor(sample[i.name]) for i in signature.inputs])
        signature.check(batches[-1])
    return batches


def _numpy(tensor: torch.Tensor | np.ndarray) -> np.ndarray:
    if isinstance(tensor, np.ndarray):  # of strings
        return tensor
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor).numpy()


@dataclass
class Options:
    """What every export function takes.

    Args:
        verify: run the artifact and its source on the same inputs and raise where they differ.
        samples: inputs to verify with, by name, for the signature (or by signature, a dict of
            lists); with ``labels`` among them the report has the accuracy.
        tolerance: largest relative error; the defaults are those of the number format.
        measure: calls whose fastest is reported as latency; 0 measures nothing.
        layers: after an int8 quantization, report that many operators with the largest errors.
        quiet: print no progress.
    """

    verify: bool = True
    samples: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Mapping[str, Any]]] = ()
    tolerance: float | None = None
    measure: int = 0
    layers: int = 0
    quiet: bool = False
    progress: Progress = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self):
        self.progress = self.progress or Progress(self.quiet)

    def samples_of(self, signature: str) -> Sequence[Mapping[str, Any]]:
        if isinstance(self.samples, Mapping):
            return self.samples.get(signature, ())
        return self.samples


def export_saved_model(
    signatures: Signature | Iterable[Signature],
    folder: str | os.PathLike,
    *,
    assets: Sequence[str | os.PathLike] = (),
    objects: Objects | None = None,
    options: Options | None = None,
) -> Report:
    """Writes a SavedModel and verifies it in TensorFlow.

    The folder gets TensorFlow's layout (``saved_model.pb``, ``variables/``, ``assets/``), and in
    ``assets.extra/`` the traced torch graphs, from which `export.load` gives the signatures back
    without TensorFlow. Weights are stored once.

    Args:
        signatures: the functions to export.
        folder: where to; what is there already is replaced when everything went well.
        assets: files to ship in ``assets/``.
        objects: objects with variables and functions that the model holds besides its signatures.
        options: see `Options`.

    Raises:
        ExportError: for an operator that cannot be expressed; names it and its layer.
        VerificationError: if the artifact computes something else.
        OSError: if the folder cannot be written.
        ImportError: if the ``export`` extra is not installed.
    """
    options, objects = options or Options(), objects or Objects()
    require_extra()
    with new_directory(folder) as work, tempfile.TemporaryDirectory(prefix="export-") as scratch:
        built = _build(signatures, work, scratch, assets, objects, options)
        with options.progress.step("the graphs of PyTorch"):
            store.write(
                work, built.graphs, built.answer["weights"], objects,
                built.answer["variables"], built.answer["assets"],
            )  # fmt: skip
        artifact = Artifact("SavedModel", str(folder), 0, built.answer["operators"])
        if options.verify:
            with options.progress.step("verifying the SavedModel"):
                artifact.checks = _verify(
                    built.wanted, _saved_model_runner(work, scratch, options), "the SavedModel",
                    options,
                )  # fmt: skip
    artifact.bytes = size_of(folder)
    return Report([artifact], dict(options.progress.seconds))


@dataclass
class Draft:
    """A SavedModel on the way to a TFLite file.

    Attributes:
        folder: where it is.
        description: its signatures (see `describe`).
        wanted: inputs and outputs to compare the file with, if they are known.
    """

    folder: str
    description: dict[str, dict]
    wanted: list[Reference] | None = None


def draft(
    signatures: Signature | Iterable[Signature],
    folder: str | os.PathLike,
    quantization: Quantization,
    options: Options | None = None,
) -> Draft:
    """Writes what TensorFlow's converter needs of signatures to a new folder.

    The float32 file is compared with the source itself; what a quantized one may lose would hide
    smaller faults, so for that the SavedModel is compared first. See `export_saved_model`.
    """
    options = options or Options()
    require_extra()
    os.mkdir(folder)
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        built = _build(signatures, Path(folder), scratch, (), Objects(), options)
        if options.verify and quantization.optimizations:
            with options.progress.step("verifying the SavedModel"):
                run = _saved_model_runner(folder, scratch, options)
                _verify(built.wanted, run, "the SavedModel", options)
    description = {
        signature.name: {
            "inputs": [i.to_json() for i in signature.inputs],
            "outputs": [o.to_json() for o in store.output_infos(graphs[0].program, signature)],
            "random": any(graph.random for graph in graphs),
            "converted": True,
        }
        for signature, graphs in built.graphs
    }
    return Draft(str(folder), description, built.wanted)


@dataclass
class _Built:
    """A SavedModel that TensorFlow wrote: its graphs, inputs and outputs to verify it with, and
    what TensorFlow told of it.
    """

    graphs: list[tuple[Signature, list[store.Graph]]]
    wanted: list[Reference]
    answer: dict


def _build(
    signatures: Signature | Iterable[Signature],
    work: Path,
    scratch: str,
    assets: Sequence[str | os.PathLike],
    objects: Objects,
    options: Options,
) -> _Built:
    """Traces signatures and the functions among `objects`, and has TensorFlow write them."""
    signatures = [signatures] if isinstance(signatures, Signature) else list(signatures)
    if not signatures and not objects.nodes:
        raise ValueError("there are no signatures to export")
    if options.verify:
        for signature in signatures:
            _checked(signature, options.samples_of(signature.name))
    client.start()
    made: dict[tuple, store.Graph] = {}  # a function may be a signature, too

    def write(signature: Signature) -> store.Graph:
        key = id(signature.module), tuple(i.sizes for i in signature.inputs)
        if key not in made:
            with options.progress.step(f"tracing {signature.name!r}"):
                program, half = trace(signature)
            path = Path(scratch, f"{len(made)}.onnx")
            with options.progress.step(f"ONNX of {signature.name!r}"):
                random = write_onnx(program, path, signature)
            made[key] = store.Graph(program, key[1], path, half, random)
        return made[key]

    def graphs_of(signature: Signature) -> list[store.Graph]:
        """The graph of a signature; one for each rank that it takes, if it leaves that open."""
        cases = signature.ranked()
        if len(cases) == 1:
            return [write(signature)]
        found, refused = [], None
        for case in cases:
            try:
                found.append(write(case))
            except (ExportError, NotImplementedError, ValueError) as error:
                refused = refused or error  # what fits one rank may mean nothing for another
        if not found and refused is not None:
            raise refused
        return found

    graphs = {id(signature): graphs_of(signature) for signature in signatures}
    for node in objects.nodes:
        for function in list(node.traces):
            try:
                graphs[id(function.signature)] = graphs_of(function.signature)
            except (ExportError, NotImplementedError) as error:
                node.traces.remove(function)
                objects.leave_out(node.name, error)
    traced = [function.signature for function in objects.traces()]
    if objects.left_out and not signatures and not traced:
        raise objects.left_out[0]
    requests, wanted = [], []
    for number, signature in enumerate((*signatures, *traced)):
        mine = graphs[id(signature)]
        requests.append(
            {
                "name": signature.name,
                "graphs": [{"onnx": str(graph.onnx), "shapes": graph.shapes} for graph in mine],
                "inputs": [i.to_json() for i in signature.inputs],
                "outputs": signature.outputs,
                "weight_names": {f"module.{k}": v for k, v in signature.weight_names.items()},
                "state": {f"module.{k}": v for k, v in signature.state.items()},
                "updates": list(signature.updates),
                "tables": {n: objects.place(table) for n, table in signature.tables.items()},
            }
        )
        samples = options.samples_of(signature.name)
        checked = options.verify and number < len(signatures)
        checked = checked and not any(graph.random for graph in mine)
        if checked and (samples or signature.sampled):
            for graph in mine[:1] if samples else mine:
                case = signature if samples else signature.with_shapes(graph.shapes)
                wanted += references(case, samples, graph.half)
    if any(r.stateful for r in wanted):  # what one signature assigns another one may read
        for reference in wanted:
            reference.stateful = True
    with options.progress.step("SavedModel"):
        for name in ("assets", "assets.extra"):
            (work / name).mkdir()
        values = os.path.join(scratch, "values.npz")
        held = {f"v{i}": _numpy(v.value) for i, v in enumerate(objects.variables)}
        write_arrays(values, held | objects.arrays())
        answer = client.call(
            "save",
            signatures=requests[: len(signatures)],
            folder=str(work),
            assets=[str(Path(a).resolve()) for a in assets],
            traces=requests[len(signatures) :],
            objects=objects.to_json(),
            values=values,
        )
    return _Built([(s, graphs[id(s)]) for s in (*signatures, *traced)], wanted, answer)


def _verify(
    wanted: Sequence[Reference],
    run,
    what: str,
    options: Options,
    tolerance: float | None = None,
    exact: bool = True,
) -> list[Check]:
    """Runs the references and raises where an output is off; one `Check` for each signature."""
    checks = []
    for name in dict.fromkeys(reference.signature for reference in wanted):
        mine = [reference for reference in wanted if reference.signature == name]
        pairs, times = [], []
        for reference in mine:
            got, answer = run(reference)
            pairs.append((got, reference.outputs))
            times.append(answer.get("seconds"))
        allowed = tolerance or max(r.tolerance for r in mine)
        if options.tolerance is not None:
            allowed = options.tolerance
        differences: list = []
        for got, want in _together(pairs):
            found = compare(got, want)
            check(found, allowed, f"{what}, signature {name!r}", exact=exact)
            differences = _worse(differences, found)
        labels = [reference.labels for reference in mine]
        measured = [t for t in times if t is not None]
        checks.append(
            Check(
                name,
                differences,
                seconds=min(measured) if measured else None,
                samples=sum(_count(reference.inputs) for reference in mine),
                accuracy=_accuracy([got for got, _ in pairs], labels),
                source_accuracy=_accuracy([want for _, want in pairs], labels),
            )
        )
    return checks


def _count(arrays: Mapping[str, np.ndarray]) -> int:
    return next((len(a) for a in arrays.values() if a.ndim), 1)


def _together(pairs: list[tuple]) -> list[tuple]:
    """All batches as one where their shapes allow it: shares and means are then those of all
    samples.
    """
    first = pairs[0][1]
    for got, want in pairs:
        for name, array in want.items():
            same = name in got and got[name].shape == array.shape
            if not same or array.ndim == 0 or array.shape[1:] != first[name].shape[1:]:
                return pairs
    return [
        tuple(
            {name: np.concatenate([part[i][name] for part in pairs]) for name in first}
            for i in (0, 1)
        )
    ]


def _accuracy(outputs: Sequence[Mapping[str, np.ndarray]], labels: Sequence) -> float | None:
    """The share of right classes: an integer output, or the arg-max of the first one with
    classes.
    """
    if any(part is None for part in labels):
        return None
    right = total = 0
    for arrays, wanted in zip(outputs, labels, strict=True):
        truth = np.asarray(wanted).reshape(-1)
        numbers = [a for a in arrays.values() if a.dtype.kind in "iu" and a.size == truth.size]
        scores = [
            a
            for a in arrays.values()
            if a.dtype.kind == "f" and a.ndim == 2 and len(a) == truth.size
        ]
        if not numbers and not scores:
            return None
        classes = numbers[0].reshape(-1) if numbers else scores[0].argmax(-1)
        right += int((classes == truth).sum())
        total += truth.size
    return right / total if total else None


def _with_classes(outputs: dict[str, np.ndarray], labels) -> dict[str, np.ndarray]:
    """The outputs, of which one has classes to compare the labels with, if there are labels."""
    if labels is not None and _accuracy([outputs], [labels]) is None:
        shapes = {name: list(array.shape) for name, array in outputs.items()}
        raise ValueError(
            f"labels of the shape {list(np.shape(labels))} fit no output: one class for each "
            f"sample, of outputs {shapes}"
        )
    return outputs


def _worse(old: list, new: list) -> list:
    if not old:
        return new
    return [
        max(pair, key=lambda d: (d.largest, -d.agreement)) for pair in zip(old, new, strict=True)
    ]


def _saved_model_runner(folder, scratch, options: Options):
    def run(reference: Reference):
        return run_artifact(
            "run_saved_model", scratch, reference.inputs,
            folder=str(folder), signature=reference.signature, repeat=options.measure,
            fresh=reference.stateful,
        )  # fmt: skip

    return run


def run_artifact(command: str, scratch, inputs: Mapping[str, np.ndarray], **arguments):
    """Runs an artifact in the worker: ``(outputs, answer)``."""
    path_in, path_out = os.path.join(scratch, "inputs.npz"), os.path.join(scratch, "outputs.npz")
    write_arrays(path_in, inputs)
    answer = client.call(command, inputs=path_in, outputs=path_out, **arguments)
    return read_arrays(path_out), answer


@dataclass
class Quantization:
    """How a TFLite file is quantized, in the terms of `tf.lite.TFLiteConverter`."""

    optimizations: Sequence[str] = ()
    supported_ops: Sequence[str] = ()
    supported_types: Sequence[str] = ()
    inference_input_type: str = "float32"
    inference_output_type: str = "float32"
    allow_custom_ops: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    PRESETS = ("float32", "dynamic", "float16", "int8", "uint8", "int8-float", "int16x8")

    @classmethod
    def preset(cls, name: str) -> Quantization:
        """The quantization of a command line name.

        ``float32`` none; ``dynamic`` int8 weights, float activations; ``float16`` weights;
        ``int8`` and ``uint8`` everything, inputs and outputs too; ``int8-float`` what has an int8
        kernel, with float inputs and outputs; ``int16x8`` int16 activations, int8 weights,
        where there are such kernels.
        """
        default = ("DEFAULT",)
        table = {
            "float32": cls(),
            "dynamic": cls(default),
            "float16": cls(default, supported_types=("float16",)),
            "int8": cls(default, ("TFLITE_BUILTINS_INT8",), (), "int8", "int8"),
            "uint8": cls(default, ("TFLITE_BUILTINS_INT8",), (), "uint8", "uint8"),
            "int8-float": cls(default, ("TFLITE_BUILTINS_INT8", "TFLITE_BUILTINS")),
            "int16x8": cls(
                default,
                ("EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8", "TFLITE_BUILTINS"),
            ),
        }
        if name not in table:
            raise ValueError(f"unknown quantization {name!r}; one of {', '.join(table)}")
        return table[name]

    def kind(self, calibrated: bool) -> str:
        """The key of `TOLERANCE` that judges the result."""
        if any("INT16" in op for op in self.supported_ops):
            return "int16"
        if not self.optimizations:
            return "float32"
        if "float16" in self.supported_types:
            return "float16"
        return "int8" if calibrated else "dynamic"

    @property
    def needs_data(self) -> bool:
        integer = [op for op in self.supported_ops if "INT8" in op or "INT16" in op]
        return bool(self.optimizations) and bool(integer)


def describe(folder: str | os.PathLike) -> dict[str, dict]:
    """The signatures of any SavedModel.

    Returns:
        For each its ``inputs`` and ``outputs`` (name, dtype and shape), whether it is ``random``
        and so never answers the same, and whether it is ``converted`` where none is named: of those
        that Keras exports the default one is.
    """
    if store.is_own(Path(folder)):
        return store.describe(Path(folder))
    return client.call("describe", folder=os.path.abspath(folder))


def convert_saved_model(
    folder: str | os.PathLike,
    file: str | os.PathLike,
    quantization: Quantization | None = None,
    *,
    calibration: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    signatures: Sequence[str] | None = None,
    options: Options | None = None,
    wanted: Sequence[Reference] | None = None,
    description: dict[str, dict] | None = None,
) -> Report:
    """Converts a SavedModel (ours or TensorFlow's) to a TFLite file, and compares the two.

    Args:
        folder: the SavedModel.
        file: the file to write; it is replaced when everything went well.
        quantization: see `Quantization`; None for float32.
        calibration: for each signature samples ``{input name: array}``, for integer quantization.
        signatures: keys to convert, all by default.
        options: see `Options`.
        wanted: inputs and outputs to compare with; by default the SavedModel's own on random
            inputs, or on the calibration samples.
        description: what `describe` tells of the folder, if it was asked already.

    Raises:
        ExportError: for an operator that TFLite lacks; names it and its layer.
        ValueError: for settings that contradict each other, or calibration data that does not fit.
        VerificationError: if the file computes something else.
        OSError: if the file cannot be written.
    """
    require_extra()
    quantization = quantization or Quantization()
    _needs(quantization, calibration)
    if not Path(folder, "saved_model.pb").exists():
        raise OSError(f"SavedModel file does not exist at: {os.fspath(folder)}")
    with new_file(file) as work:
        return _convert(
            folder, work, file, quantization, calibration, signatures, options or Options(),
            wanted, description,
        )  # fmt: skip


def _needs(quantization: Quantization, calibration) -> None:
    if quantization.needs_data and not calibration:
        raise ValueError(
            "integer quantization needs a representative_dataset (calibration samples)"
        )


def chosen(description: Mapping[str, dict], signatures: Sequence[str] | None) -> list[str]:
    """The keys to convert: those that are named, else all that are by themselves.

    Raises:
        ValueError: for a key that is not in the description.
    """
    for key in signatures or ():
        if key not in description:
            raise ValueError(
                f"Invalid signature key '{key}' found. Valid keys are "
                f"'{','.join(sorted(description))}'."
            )
    return list(signatures or (k for k, d in description.items() if d["converted"]))


def _convert(
    folder: str | os.PathLike,
    work: Path,
    file: str | os.PathLike,
    quantization: Quantization,
    calibration: Mapping[str, Sequence[Mapping[str, Any]]] | None,
    signatures: Sequence[str] | None,
    options: Options,
    wanted: Sequence[Reference] | None,
    description: dict[str, dict] | None,
) -> Report:
    """`convert_saved_model` to the file `work`, which is to be `file`."""
    folder = os.path.abspath(folder)  # the TensorFlow process may be in another folder
    with tempfile.TemporaryDirectory(prefix="export-") as scratch:
        client.start()
        kind = quantization.kind(bool(calibration))
        description = description or describe(folder)
        keys = chosen(description, signatures)
        sources = None
        if calibration:
            with options.progress.step("calibration data"):
                sources = [
                    _write_samples(scratch, name, description[name]["inputs"], calibration[name])
                    for name in keys
                    if name in calibration
                ]
            if not sources:
                raise ValueError(
                    f"there are calibration samples for {sorted(calibration)}, not for the "
                    f"signatures {keys}"
                )
        with options.progress.step(f"TFLite ({kind})"):
            client.call(
                "tflite",
                folder=str(folder),
                file=str(work),
                signatures=keys,
                representative=sources,
                optimizations=list(quantization.optimizations),
                supported_ops=list(quantization.supported_ops),
                supported_types=list(quantization.supported_types),
                inference_input_type=quantization.inference_input_type,
                inference_output_type=quantization.inference_output_type,
                allow_custom_ops=quantization.allow_custom_ops,
                settings=dict(quantization.settings),
            )
        if wanted is not None:
            wanted = [reference for reference in wanted if reference.signature in keys]
        artifact = Artifact(f"TFLite {kind}", str(file), size_of(work))
        # kernels of TensorFlow's are in apps that link them, not in LiteRT for Python
        selected = "SELECT_TF_OPS" in quantization.supported_ops and b"Flex" in work.read_bytes()
        if options.verify and not selected and not quantization.allow_custom_ops:
            with options.progress.step("verifying the TFLite file"):
                if wanted is None:
                    wanted = _saved_model_references(
                        folder, scratch, keys, description, calibration or {}, options
                    )

                def run(reference: Reference):
                    try:
                        got, answer = run_artifact(
                            "run_tflite", scratch, reference.inputs,
                            file=str(work), signature=reference.signature, repeat=options.measure,
                        )  # fmt: skip
                    except WorkerError as error:
                        if error.reason is None:
                            raise
                        raise ExportError(
                            f"LiteRT cannot run the TFLite file ({kind}), signature "
                            f"{reference.signature!r}: {error.reason[1].strip()[:500]}"
                        ) from error
                    artifact.operators[reference.signature] = answer["operators"]
                    return _as_wanted(got, reference.outputs), answer

                artifact.checks = _verify(
                    list(wanted), run, f"the TFLite file ({kind})", options,
                    max(TOLERANCE[kind], *(w.tolerance for w in wanted)) if wanted else None,
                    exact=kind == "float32",
                )  # fmt: skip
        if options.layers and kind == "int8" and sources:
            with options.progress.step("error of each operator"):
                (source, *_) = sources
                found = client.call(
                    "layers",
                    folder=str(folder),
                    signature=source["signature"],
                    representative=source,
                )
                artifact.layers = found[: options.layers]
    return Report([artifact], dict(options.progress.seconds))


def _as_wanted(got: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray]):
    """Dtypes that quantized files change (dequantized outputs) as the source has them."""
    return {
        name: array.astype(want[name].dtype)
        if name in want and want[name].dtype.kind == "f" and array.dtype.kind == "f"
        else array
        for name, array in got.items()
    }


def _saved_model_references(folder, scratch, keys, description, calibration, options: Options):
    """What the SavedModel itself answers to calibration samples or random inputs."""
    result = []
    for name in keys:
        inputs = description[name]["inputs"]
        samples = list(options.samples_of(name)) or list(calibration.get(name, ()))[:8]
        if description[name]["random"]:
            continue  # no other run gives the same
        if not samples:
            if any(i["shape"] is None or i["dtype"] not in _SAMPLED for i in inputs):
                continue  # nothing can be made up for it
            infos = [TensorInfo.of((i["name"], i["dtype"], i["shape"])) for i in inputs]
            trials = Signature(name, torch.nn.Identity(), infos, ["_"]).trials
            made = [[_numpy(t) for t in trial.sample()] for trial in trials]
            choices = [{i["name"]: a for i, a in zip(inputs, m, strict=True)} for m in made]
            result.append(_first_that_runs(folder, scratch, name, choices))
        infos = [TensorInfo.of((i["name"], i["dtype"], i["shape"])) for i in inputs]
        given = Signature(name, torch.nn.Identity(), infos, ["_"])
        for sample, tensors in zip(samples, _checked(given, samples), strict=True):
            arrays = {i.name: _numpy(t) for i, t in zip(infos, tensors, strict=True)}
            outputs = _answer(folder, scratch, name, arrays)
            labels = sample.get("labels")
            result.append(Reference(name, arrays, _with_classes(outputs, labels), labels=labels))
    return result


def _answer(folder, scratch, name: str, arrays: Mapping[str, np.ndarray]):
    return run_artifact("run_saved_model", scratch, arrays, folder=str(folder), signature=name)[0]


def _first_that_runs(folder, scratch, name: str, choices: Sequence[dict]) -> Reference:
    """What a SavedModel answers to the first of several inputs that it takes."""
    refused = None
    for arrays in choices:
        try:
            return Reference(name, arrays, _answer(folder, scratch, name, arrays))
        except WorkerError as error:
            refused = refused or error
    assert refused is not None
    raise refused


_SAMPLED = {"float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"}


def _check_calibration(signature: str, inputs: Sequence[dict], samples) -> list[dict]:
    """The samples as arrays; see `convert_saved_model`."""
    arrays = [{name: np.asarray(a) for name, a in sample.items()} for sample in samples]
    what = f"representative_dataset (calibration samples) of {signature!r}"
    for sample in arrays:
        if set(sample) != {i["name"] for i in inputs}:
            raise ValueError(
                f"{what}: a sample has the inputs {sorted(sample)}, "
                f"the signature {sorted(i['name'] for i in inputs)}"
            )
        for info in inputs:
            array, shape = sample[info["name"]], info["shape"]
            if shape is not None and (
                len(shape) != array.ndim
                or any(w is not None and w != h for w, h in zip(shape, array.shape, strict=True))
            ):
                raise CalibrationError(
                    f"{what}: input {info['name']!r} has the shape {list(array.shape)}, expected "
                    f"{list(shape)}"
                )
            if dtype_name(array.dtype) != info["dtype"]:
                raise ValueError(
                    f"{what}: input {info['name']!r} is {array.dtype}, expected {info['dtype']}"
                )
    if not arrays:
        raise ValueError(f"{what} yields no samples")
    return arrays


def _write_samples(scratch, signature: str, inputs: list[dict], samples) -> dict:
    """Checks calibration samples against the signature and writes them to one file."""
    checked = _check_calibration(signature, inputs, samples)
    arrays = {f"{i}/{name}": a for i, sample in enumerate(checked) for name, a in sample.items()}
    path = os.path.join(scratch, f"samples-{len(os.listdir(scratch))}.npz")
    write_arrays(path, arrays)
    return {
        "signature": signature,
        "path": path,
        "count": len(checked),
        "names": [i["name"] for i in inputs],
    }


def export_tflite(
    signatures: Signature | Iterable[Signature],
    file: str | os.PathLike,
    quantization: Quantization | str = "float32",
    *,
    calibration=None,
    options: Options | None = None,
) -> Report:
    """Exports to a TFLite file by way of a temporary SavedModel; see `convert_saved_model`."""
    options = options or Options()
    if isinstance(quantization, str):
        quantization = Quantization.preset(quantization)
    require_extra()
    _needs(quantization, calibration)
    signatures = [signatures] if isinstance(signatures, Signature) else list(signatures)
    for s in signatures:
        if calibration and s.name in calibration:
            _check_calibration(s.name, [i.to_json() for i in s.inputs], calibration[s.name])
    with new_file(file) as work, tempfile.TemporaryDirectory(prefix="export-") as scratch:
        made = draft(signatures, os.path.join(scratch, "saved_model"), quantization, options)
        wanted = made.wanted
        if calibration and options.verify and not options.samples:
            # a quantized model answers for inputs it was calibrated for
            by_name = {s.name: s for s in signatures}
            wanted = [
                r
                for name, samples in calibration.items()
                for r in references(by_name[name], list(samples)[:8])
            ]
        return _convert(
            made.folder, work, file, quantization, calibration, None, options,
            wanted if options.verify else None, made.description,
        )  # fmt: skip


__all__ = [
    "Draft",
    "Options",
    "Quantization",
    "Reference",
    "convert_saved_model",
    "describe",
    "draft",
    "export_saved_model",
    "export_tflite",
]

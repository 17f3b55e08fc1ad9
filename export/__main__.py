"""``python -m export MODEL --to savedmodel|tflite``: the command line.

Exit status: 0 done; 2 wrong arguments; 3 the model cannot be converted; 4 an artifact differs
from its source; 5 files cannot be read or written; 6 packages are missing; 7 the TensorFlow
process failed; 130 and 143 it was interrupted or ended. Only an artifact that was written whole and
agrees with its source is left.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

STATUS = {"usage": 2, "conversion": 3, "verification": 4, "files": 5, "packages": 6, "worker": 7}
_CALIBRATED = ("int8", "uint8", "int8-float", "int16x8")
_LABELS = "labels"


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    result = argparse.ArgumentParser(
        "python -m export",
        description="Exports a model to a SavedModel or a TFLite file and verifies the result.",
        epilog="exit status: " + ", ".join(f"{v} {k}" for k, v in STATUS.items()),
    )
    result.add_argument(
        "model",
        help="a SavedModel, .pt2, .pt, .keras or .h5 file, package.module:factory or "
        "file.py:factory, or the name of a torchvision model",
    )
    result.add_argument("--to", choices=["savedmodel", "tflite"], required=True)
    result.add_argument(
        "--quantize",
        choices=["float32", "dynamic", "float16", "int8", "uint8", "int8-float", "int16x8"],
        help="number format of a TFLite file (default: float32)",
    )
    result.add_argument(
        "--calibration",
        metavar="NPZ",
        help="samples for integer quantization: an array for each input, first axis the samples",
    )
    result.add_argument(
        "--data",
        metavar="NPZ",
        help="samples to verify with, as --calibration; with an array 'labels' the report has "
        "the accuracy",
    )
    result.add_argument("--output", required=True, metavar="PATH", help="folder or file to write")
    result.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME:DTYPE:SIZES",
        help="an input, such as image:float32:?,3,224,224; ? is a free size",
    )
    result.add_argument("--outputs", default="", metavar="A,B", help="names of the outputs")
    result.add_argument(
        "--signature",
        metavar="KEY",
        help="the key of the signature (default: serving_default); of a SavedModel the one to "
        "convert (default: all)",
    )
    result.add_argument("--weights", help="torchvision weights, such as DEFAULT; else random")
    result.add_argument(
        "--channels-last",
        action="store_true",
        help="take images as (batch, height, width, channels)",
    )
    result.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare the artifact with its source (default: yes)",
    )
    result.add_argument("--tolerance", type=_tolerance, help="largest relative error")
    result.add_argument(
        "--measure", type=_count, default=10, metavar="N", help="calls to time (default: 10)"
    )
    result.add_argument(
        "--layers",
        type=_count,
        default=0,
        metavar="N",
        help="with an int8 quantization, list the N operators with the largest errors",
    )
    result.add_argument("--report", metavar="JSON", help="where to write the report")
    result.add_argument("--quiet", action="store_true", help="print errors only")
    return result


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _tolerance(text: str) -> float:
    value = float(text)
    if not value >= 0 or math.isinf(value):
        raise argparse.ArgumentTypeError(f"{text} is no error that can be allowed")
    return value


def read_samples(path: str, batch: int) -> list[dict[str, np.ndarray]]:
    """The samples of an .npz file, `batch` at a time."""
    try:
        file = np.load(path, allow_pickle=False)
    except ValueError as error:
        raise OSError(f"{path} is no .npz file") from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise OSError(f"{path} is no .npz file, which has an array for each input")
    with file:
        arrays = dict(file)
    if not arrays:
        raise ValueError(f"{path} holds no arrays")
    single = [name for name, a in arrays.items() if not a.ndim]
    if single:
        raise ValueError(f"{path}: the first axis of {single[0]!r} must be the samples")
    counts = {name: len(a) for name, a in arrays.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"{path}: the arrays have different numbers of samples: {counts}")
    count = next(iter(counts.values()))
    return [
        {name: a[start : start + batch] for name, a in arrays.items()}
        for start in range(0, count, batch)
    ]


def _samples(
    path: str | None, batch: int, signatures: Mapping[str, Sequence[str]]
) -> dict[str, list[dict[str, np.ndarray]]]:
    """The samples of a file for the one signature, whose inputs are given by name."""
    if path is None:
        return {}
    if len(signatures) > 1:
        raise ValueError(
            f"the samples of {path} are for one signature; choose it with --signature: "
            f"{', '.join(signatures)}"
        )
    ((key, inputs),) = signatures.items()
    found = read_samples(path, batch)
    for name in found[0]:
        if name not in inputs and name != _LABELS:
            raise ValueError(f"{path}: the model has no input {name!r}, but {', '.join(inputs)}")
    for name in inputs:
        if name not in found[0]:
            raise ValueError(f"{path} has no array for the input {name!r}")
    return {key: found}


def _check(arguments: argparse.Namespace) -> None:
    """Raises ValueError for an argument that would have no effect."""
    quantize = arguments.quantize or "float32"
    if arguments.to != "tflite" and arguments.quantize:
        raise ValueError("--quantize is for TFLite files: the weights of a SavedModel are float32")
    if arguments.calibration and quantize not in _CALIBRATED:
        raise ValueError(f"--calibration is for --quantize {', '.join(_CALIBRATED)}")
    if arguments.layers and quantize not in ("int8", "uint8", "int8-float"):
        raise ValueError("--layers is for --quantize int8, uint8, int8-float")
    if quantize in _CALIBRATED and not arguments.calibration:
        raise ValueError(f"--quantize {quantize} needs samples: --calibration data.npz")
    if arguments.data and not arguments.verify:
        raise ValueError("--data is to verify with, which --no-verify forbids")
    if arguments.signature == "":
        raise ValueError("--signature is empty")


def run(arguments: argparse.Namespace) -> None:
    """Does what the arguments say.

    Raises:
        Exception: what `main` turns into an exit status.
    """
    from . import files, pipeline, sources

    _check(arguments)
    options = pipeline.Options(
        verify=arguments.verify,
        tolerance=arguments.tolerance,
        measure=arguments.measure,
        layers=arguments.layers,
        quiet=arguments.quiet,
    )
    quantization = pipeline.Quantization.preset(arguments.quantize or "float32")

    def samples(inputs: Mapping[str, Sequence[str]]):
        """Those to calibrate with; the options get those to verify with."""
        options.samples = _samples(arguments.data, 32, inputs)
        found = _samples(arguments.calibration, 1, inputs)
        return {
            key: [{n: a for n, a in s.items() if n in inputs[key]} for s in made]
            for key, made in found.items()
        }

    def saved_model() -> pipeline.Report:
        if arguments.to != "tflite":
            raise ValueError(f"{arguments.model} is a SavedModel already")
        given = {"weights": arguments.weights, "inputs": arguments.input}
        given |= {"outputs": arguments.outputs, "channels_last": arguments.channels_last}
        sources.refuse(arguments.model, "a SavedModel", **given)
        description = pipeline.describe(arguments.model)
        chosen = pipeline.chosen(
            description, [arguments.signature] if arguments.signature else None
        )
        names = {key: [i["name"] for i in description[key]["inputs"]] for key in chosen}
        return pipeline.convert_saved_model(
            arguments.model, arguments.output, quantization, calibration=samples(names) or None,
            signatures=chosen, options=options, description=description,
        )  # fmt: skip

    def program() -> pipeline.Report:
        signatures = sources.load(
            arguments.model,
            [sources.parse_input(text) for text in arguments.input],
            [name.strip() for name in arguments.outputs.split(",") if name.strip()],
            arguments.signature or "serving_default",
            arguments.weights,
            arguments.channels_last,
        )
        calibration = samples({s.name: [i.name for i in s.inputs] for s in signatures})
        if arguments.to == "savedmodel":
            return pipeline.export_saved_model(signatures, arguments.output, options=options)
        return pipeline.export_tflite(
            signatures, arguments.output, quantization, calibration=calibration or None,
            options=options,
        )  # fmt: skip

    with contextlib.ExitStack() as stack:
        # before any work: whether the report can be written, too
        written = (
            stack.enter_context(files.new_file(arguments.report)) if arguments.report else None
        )
        report = saved_model() if sources.is_saved_model(arguments.model) else program()
        if written is not None:
            report.write(written)
    if not arguments.quiet:
        print(report)
        print(f"written to {Path(arguments.output)}")


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = parser().parse_args(argv)
    from . import errors

    try:
        with _ends_in_order():
            errors.require_extra()
            run(arguments)
        return 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    except errors.VerificationError as error:
        return _failed("verification", error)
    except (errors.ExportError, NotImplementedError) as error:
        return _failed("conversion", error)
    except errors.WorkerError as error:
        return _failed("worker", error)
    except ImportError as error:
        return _failed("packages", error)
    except OSError as error:
        return _failed("files", error)
    except ValueError as error:
        return _failed("usage", error)


@contextlib.contextmanager
def _ends_in_order() -> Iterator[None]:
    """Within it SIGTERM unwinds the stack, so that nothing half-written is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _failed(kind: str, error: Exception) -> int:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    print(f"error: {text}", file=sys.stderr)
    return STATUS[kind]


if __name__ == "__main__":
    sys.exit(main())

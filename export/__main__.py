"""``python -m export MODEL --to savedmodel|tflite``: the command line.

Exit status: 0 done; 2 wrong arguments; 3 the model cannot be converted; 4 an artifact differs
from its source; 5 files cannot be read or written; 6 packages are missing; 7 the TensorFlow
process failed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

STATUS = {"usage": 2, "conversion": 3, "verification": 4, "files": 5, "packages": 6, "worker": 7}


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    result = argparse.ArgumentParser(
        "python -m export",
        description="Exports a model to a SavedModel or a TFLite file and verifies the result.",
        epilog="exit status: " + ", ".join(f"{v} {k}" for k, v in STATUS.items()),
    )
    result.add_argument(
        "model",
        help="a SavedModel, .pt2, .pt, .keras or .h5 file, package.module:factory, or the name "
        "of a "
        "torchvision model",
    )
    result.add_argument("--to", choices=["savedmodel", "tflite"], required=True)
    result.add_argument(
        "--quantize",
        choices=["float32", "dynamic", "float16", "int8", "uint8", "int8-float", "int16x8"],
        default="float32",
        help="number format of a TFLite file (default: %(default)s)",
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
    result.add_argument("--signature", default="serving_default", help="default: %(default)s")
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
    result.add_argument("--tolerance", type=float, help="largest relative error")
    result.add_argument(
        "--measure", type=int, default=10, metavar="N", help="calls to time (default: 10)"
    )
    result.add_argument(
        "--layers",
        type=int,
        default=0,
        metavar="N",
        help="with an int8 quantization, list the N operators with the largest errors",
    )
    result.add_argument("--report", metavar="JSON", help="where to write the report")
    result.add_argument("--quiet", action="store_true", help="print errors only")
    return result


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


def run(arguments: argparse.Namespace) -> None:
    """Does what the arguments say.

    Raises:
        Exception: what `main` turns into an exit status.
    """
    from . import pipeline, sources

    samples: Mapping[str, Any] | tuple = ()
    key = arguments.signature
    if arguments.data:
        samples = {key: read_samples(arguments.data, 32)}
    options = pipeline.Options(
        verify=arguments.verify,
        samples=samples,
        tolerance=arguments.tolerance,
        measure=arguments.measure,
        layers=arguments.layers,
        quiet=arguments.quiet,
    )
    calibration = None
    if arguments.calibration:
        calibration = {
            key: [
                {name: a for name, a in sample.items() if name != "labels"}
                for sample in read_samples(arguments.calibration, 1)
            ]
        }
    quantization = pipeline.Quantization.preset(arguments.quantize)
    if sources.is_saved_model(arguments.model):
        if arguments.to != "tflite":
            raise ValueError(f"{arguments.model} is a SavedModel already")
        report = pipeline.convert_saved_model(
            arguments.model,
            arguments.output,
            quantization,
            calibration=calibration,
            options=options,
        )
    else:
        signatures = sources.load(
            arguments.model,
            [sources.parse_input(text) for text in arguments.input],
            [name for name in arguments.outputs.split(",") if name],
            key,
            arguments.weights,
            arguments.channels_last,
        )
        if arguments.to == "savedmodel":
            report = pipeline.export_saved_model(signatures, arguments.output, options=options)
        else:
            report = pipeline.export_tflite(
                signatures, arguments.output, quantization, calibration=calibration, options=options
            )
    if arguments.report:
        report.write(arguments.report)
    if not arguments.quiet:
        print(report)
        print(f"written to {Path(arguments.output)}")


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = parser().parse_args(argv)
    from . import errors

    try:
        errors.require_extra()
        run(arguments)
        return 0
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


def _failed(kind: str, error: Exception) -> int:
    named = isinstance(error, OSError) and error.strerror and not error.filename
    print(f"error: {error.strerror if named else error}", file=sys.stderr)  # type: ignore[attr-defined]
    return STATUS[kind]


if __name__ == "__main__":
    sys.exit(main())

"""Writes docs/api_coverage.md: which of TensorFlow's public names torchtf has.

Walks the installed TensorFlow's namespaces (outside tf.compat, tf.raw_ops and tf.keras) and the
members of its main classes, and looks each name up in torchtf.

    python scripts/api_coverage.py            # writes the table
    python scripts/api_coverage.py --check    # fails if the table is stale
"""

from __future__ import annotations

import argparse
import inspect
import os
import pathlib
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from guide_symbols import PAGES, symbols
from other_places import public_objects

TARGET = pathlib.Path(__file__).parent.parent / "docs" / "api_coverage.md"

# namespaces that are Keras', belong to TF 1, or are no API although Python finds them (TensorFlow's
# reference lists neither tf.tools nor tf.security)
LEFT_OUT = {
    "compat", "raw_ops", "keras", "losses", "metrics", "optimizers", "initializers", "tools",
    "security",
}  # fmt: skip
CLASSES = (
    "Tensor", "Variable", "TensorShape", "DType", "TensorSpec", "GradientTape", "Module",
    "TensorArray", "RaggedTensor", "SparseTensor", "IndexedSlices", "data.Dataset", "data.Options",
    "random.Generator", "distribute.Strategy", "distribute.ReplicaContext", "train.Checkpoint",
    "train.CheckpointManager", "lite.TFLiteConverter", "lite.Interpreter", "errors.OpError",
)  # fmt: skip


def public_names(module, prefix="tf", seen=None) -> list[str]:
    """Dotted names of the public symbols below a namespace of TensorFlow."""
    seen = set() if seen is None else seen
    if id(module) in seen:
        return []
    seen.add(id(module))
    names = []
    for name in sorted(n for n in dir(module) if not n.startswith("_")):
        if prefix == "tf" and name in LEFT_OUT:
            continue
        try:
            value = getattr(module, name)
        except Exception:  # a lazy module whose package is not installed
            continue
        if isinstance(value, types.ModuleType):
            if "tensorflow" in getattr(value, "__name__", "") and not name.startswith("python"):
                names += public_names(value, f"{prefix}.{name}", seen)
        else:
            names.append(f"{prefix}.{name}")
    return names


def member_names(tf) -> list[str]:
    """Dotted names of the public members of the main classes."""
    names = []
    for path in CLASSES:
        owner = look_up(tf, path)
        if owner is not None:
            names += [f"tf.{path}.{n}" for n in sorted(dir(owner)) if not n.startswith("_")]
    return names


def look_up(root, path: str):
    value = root
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except Exception:
            return None
    return value


def names_in(module) -> list[str]:
    """The names right in a namespace."""
    return [name for name in dir(module) if not name.startswith("_")]


def has(root, path: str) -> bool:
    value = root
    for part in path.split("."):
        if inspect.isclass(value) and hasattr(value, "__slots__") and part in dir(value):
            return True
        try:
            value = getattr(value, part)
        except Exception:
            return False
    return True


def version_1_line(tf, torchtf) -> str:
    """How much of `tf.compat.v1` there is."""
    found: dict = {}
    public_objects(tf.compat.v1, "", found, set())
    paths = [path for _, paths in found.values() for path in paths]
    present = sum(has(torchtf.compat.v1, path) for path in paths)
    return (
        "Of the functions and classes of `tf.compat.v1` outside Keras, `losses`, `metrics`, "
        f"`initializers` and `layers`, torchtf has **{present} of {len(paths)}** "
        f"({100 * present / len(paths):.1f} %); much of the rest is for graphs and sessions."
    )


def reason(name: str) -> str:
    from torchtf.core.absent import reason_for

    return reason_for(name[3:]) or "not yet"


def guide_lines(tf, torchtf) -> list[str]:
    """How many of the symbols that the guides use are there, and which are not."""
    names = [n for n in symbols() if has(tf, n)]
    absent = [n for n in names if not has(torchtf, n)]
    count, there = len(names), len(names) - len(absent)
    return [
        f"Of {count} symbols outside `tf.keras` that {len(PAGES)} pages of TensorFlow's guide use "
        "(`scripts/guide_symbols.py`: a list kept by hand, from knowledge of the pages), "
        f"torchtf has **{there}** ({100 * there / count:.1f} %). Absent: "
        f"{', '.join(f'`tf.{n}`' for n in absent) or 'none'}.",
        "",
    ]


def render() -> str:
    import tensorflow as tf

    import torchtf

    symbols, members = public_names(tf), member_names(tf)
    rows: dict[str, list[tuple[str, bool]]] = {}
    for name in symbols:
        rows.setdefault(name.rpartition(".")[0], []).append((name, has(torchtf, name[3:])))
    for name in members:
        rows.setdefault(name.rpartition(".")[0], []).append((name, has(torchtf, name[3:])))
    total = len(symbols)
    present = sum(has(torchtf, n[3:]) for n in symbols)
    present_members = sum(has(torchtf, n[3:]) for n in members)
    lines = [
        "# API coverage",
        "",
        "Written by `python scripts/api_coverage.py`; do not edit.",
        "",
        f"Of TensorFlow {tf.__version__}'s public symbols outside `tf.compat`, `tf.raw_ops` and "
        f"`tf.keras`, torchtf has **{present} of {total}** ({100 * present / total:.1f} %); of the "
        f"members of {len(CLASSES)} main classes, **{present_members} of {len(members)}** "
        f"({100 * present_members / len(members):.1f} %). `tf.keras` is Keras' own. Of the ops in "
        f"`tf.raw_ops` it has **{len(dir(torchtf.raw_ops))} of {len(names_in(tf.raw_ops))}**.",
        "",
        version_1_line(tf, torchtf),
        "",
        *guide_lines(tf, torchtf),
        "| namespace | present | all | absent |",
        "| --- | ---: | ---: | --- |",
    ]
    for namespace in sorted(rows):
        found = rows[namespace]
        absent: dict[str, list[str]] = {}
        for name, there in found:
            if not there:
                absent.setdefault(reason(name), []).append(name.rpartition(".")[2])
        text = "; ".join(f"{', '.join(f'`{n}`' for n in ns)} ({why})" for why, ns in absent.items())
        lines.append(
            f"| {namespace} | {sum(there for _, there in found)} | {len(found)} | {text} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail if the table is stale")
    args = parser.parse_args()
    text = render()
    if args.check:
        if not TARGET.exists() or TARGET.read_text() != text:
            print(f"{TARGET} is stale: run python scripts/api_coverage.py", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text)
    print(text.splitlines()[4])
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What an export did: sizes, operators, errors, times."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .verify import Difference


@dataclass
class Check:
    """A signature of an artifact beside its source."""

    signature: str
    differences: list[Difference]
    seconds: float | None = None  # of one call
    samples: int = 0
    accuracy: float | None = None  # where labels were given
    source_accuracy: float | None = None

    @property
    def largest(self) -> float:
        return max((d.largest for d in self.differences if not d.integer), default=0.0)

    @property
    def agreement(self) -> float:
        return min((d.agreement for d in self.differences), default=1.0)


@dataclass
class Artifact:
    """One file or folder that was written."""

    kind: str
    path: str
    bytes: int
    operators: dict[str, dict[str, int]] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    layers: list[dict] = field(default_factory=list)  # the operators that int8 costs most


@dataclass
class Report:
    """All of an export, as data (`to_json`) and as a table (`str`)."""

    artifacts: list[Artifact] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    def write(self, path: str | os.PathLike) -> None:
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    def __str__(self) -> str:
        header = (
            "artifact",
            "size",
            "operators",
            "largest error",
            "agreement",
            "latency",
            "accuracy",
        )
        rows = [header]
        for artifact in self.artifacts:
            checks: list[Check | None] = [*artifact.checks] or [None]
            for check in checks:
                count = sum(sum(h.values()) for h in artifact.operators.values())
                name = artifact.kind
                if check is not None and len(checks) > 1:
                    name += f" {check.signature}"
                rows.append(
                    (
                        name,
                        size_text(artifact.bytes),
                        str(count) if count else "",
                        f"{check.largest:.1e}" if check else "not checked",
                        f"{check.agreement:.1%}" if check else "",
                        time_text(check.seconds) if check and check.seconds else "",
                        accuracy_text(check),
                    )
                )
        keep = [c for c in range(len(header)) if any(row[c] for row in rows[1:])]
        widths = {c: max(len(row[c]) for row in rows) for c in keep}
        lines = [
            "  ".join(row[c].ljust(widths[c]) if c == 0 else row[c].rjust(widths[c]) for c in keep)
            for row in rows
        ]
        for artifact in self.artifacts:
            if artifact.layers:
                lines.append("error of quantized operators, in steps (rounding alone: 0.29)")
            for layer in artifact.layers:
                lines.append(
                    f"  {layer['error']:8.2f}  {layer['operator']:<20} {layer['layer'][:70]}"
                )
        return "\n".join(lines)


def size_of(path: str | os.PathLike) -> int:
    """Bytes of a file, or of all files below a folder."""
    path = Path(path)
    files: Iterable[Path] = path.rglob("*") if path.is_dir() else [path]
    return sum(f.stat().st_size for f in files if f.is_file())


def accuracy_text(check: Check | None) -> str:
    """The accuracy beside that of the source."""
    if check is None or check.accuracy is None:
        return ""
    return f"{check.accuracy:.2%} (source {check.source_accuracy:.2%})"


def time_text(seconds: float) -> str:
    """Seconds in milliseconds, to three digits."""
    milliseconds = seconds * 1e3
    return f"{milliseconds:.3g} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms"


def size_text(size: float) -> str:
    """Bytes in a unit that reads well."""
    for unit in ("B", "KB", "MB"):
        if size < 1024 or unit == "MB":
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"

"""The benchmark of inference on little work: that it measures, not what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench_infer.py"


def test_sides_are_timed_in_turns(tmp_path):
    file = tmp_path / "figures.json"
    arguments = ["--models", "mlp", "--sides", "torchtf", "pytorch", "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, BENCH, *arguments, "--seconds", "0.01", "--json", str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())["mlp"]
    assert list(figures) == ["torchtf", "pytorch"]
    for row in figures.values():
        assert set(row) == {"first", "predict 1", "predict 256", "call 1"}
        assert all(value > 0 for value in row.values())
    assert done.stdout.count("x") >= 3  # the ratios to PyTorch

"""The benchmark on little work: that it measures, not what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "scripts" / "bench_train.py"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, BENCH, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.slow
def test_sides_are_timed_in_turns(tmp_path):
    file = tmp_path / "figures.json"
    arguments = ["--models", "mlp", "--sides", "torchtf", "pytorch", "--rounds", "2"]
    done = run(*arguments, "--seconds", "0.01", "--json", str(file))
    assert done.returncode == 0, done.stderr
    figures = json.loads(file.read_text())["mlp"]
    assert list(figures) == ["torchtf", "pytorch"]
    for row in figures.values():
        assert row["steps"] >= 6  # two turns of at least three steps
        assert 0 < row["fastest_step"] <= row["step"]
        assert row["memory"] > 0
        assert row["first_step"] < row["first_step_with_imports"]
    assert "torchtf is" in done.stdout


@pytest.mark.parametrize("model", ["resnet", "resnet0", "vgg16"])
def test_unknown_model_is_an_argument_error(model):
    done = run("--models", model)
    assert done.returncode == 2
    assert f"{model!r} is neither 'mlp', 'lstm', 'transformer' nor 'resnet'" in done.stderr

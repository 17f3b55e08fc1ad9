"""Run Keras' own tests with torchtf's boundary installed, and tell what fails because of it.

The tests are those that the installed Keras ships beside its modules. They run as a user's code:
layers give them `tf.Tensor`. What fails runs once more on plain Keras with the torch backend; a
test that passes there is listed, and makes the exit status 1. A test that fails on both sides is
Keras' own affair and only counted. A test that compares the class of a result with `torch.Tensor`
runs again on Keras' side of the boundary, where that is the class.

    python scripts/run_keras_tests.py layers/core losses metrics
    python scripts/run_keras_tests.py optimizers -- -k "adam and not amsgrad"
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import pytest

AREAS = ("layers", "losses", "metrics", "optimizers", "callbacks", "saving")
# What differs on purpose, and why.
_PLACES = "named_parameters() are named by place, as in PyTorch, and not by Keras' paths"
DELIBERATE = {
    **{
        f"layers/layer_test.py::LayerTest::{test}": _PLACES
        for test in (
            "test_custom_layer_add_weight_in_init_name",
            "test_custom_layer_add_weight_in_build_name",
            "test_layer_variable_tracking_correct",
        )
    },
    "layers/layer_test.py::LayerTest::test_add_weight_string_as_first_positional_arg": (
        "add_weight(name, shape) is Keras 2's spelling, which works here"
    ),
    **{
        f"saving/{test}": "save_format= and save_weights are Keras 2's, too, which work here"
        for test in (
            "saving_api_test.py::SaveModelTests::test_invalid_save_format",
            "saving_lib_test.py::SavingAPITest::test_model_api_errors",
            "saving_lib_test.py::SavingAPITest::test_saving_api_errors",
        )
    },
    "layers/preprocessing/image_preprocessing/rand_augment_test.py::RandAugmentTest::"
    "test_graph_issue": "it draws as many numbers as a tensor of TensorFlow's tf.data has rows",
    "callbacks/backup_and_restore_test.py::BackupAndRestoreCallbackTest::test_best_case_step": (
        "an interrupted epoch goes on where it was; Keras trains on its batches again"
    ),
    "callbacks/tensorboard_test.py::TestTensorBoardV2::test_custom_summary": (
        "it writes with TensorFlow's tf.summary, which does not know our callback's writer"
    ),
}
# What a test says that runs Keras' layers in TensorFlow's own tf.data, or that makes or expects
# sparse or ragged tensors of TensorFlow's; ours are in their place.
_TENSORFLOWS = (
    "Cannot convert a symbolic tf.Tensor",
    "tensorflow.python.data.ops.",
    "Sparse is unsupported with backend torch",
    "Ragged is unsupported with backend torch",
    "Backend torch does not support sparse",
)
TYPE_MISMATCH = "<class 'torch.Tensor'> != <class 'torchtf.core.tensor.Tensor'>"
# Two of Keras' markers, which its repository registers in a file that the package lacks.
MARKERS = "markers=\n  requires_trainable_backend\n  multi_device"

# === the pytest plugin: loaded in the process that runs the tests ===


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--boundary", choices=("user", "keras"), help="the tests' side of it")
    parser.addoption("--outcomes", type=Path, help="a file that gets one line for each test")


def pytest_configure(config: pytest.Config) -> None:
    # TensorFlow, which some tests import, and triton cannot share a process (both carry LLVM).
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
    import torch  # noqa: F401 (before TensorFlow)

    if side := config.getoption("--boundary"):
        from torchtf.keras import _side

        _side.state.inside = side == "keras"
    # Some tests import this from a file of Keras' repository that the package lacks.
    conftest = types.ModuleType("conftest")
    conftest.skip_if_backend = lambda backend, reason: pytest.mark.skipif(  # type: ignore[attr-defined]
        backend == "torch", reason=reason
    )
    sys.modules["conftest"] = conftest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "multi_device" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="several devices are JAX's"))


class _Recorder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def _write(self, test: str, outcome: str) -> None:
        with self._path.open("a") as file:
            print(json.dumps((test, outcome)), file=file)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(nodeid, "crashed")  # unless a later line says otherwise

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and TYPE_MISMATCH in str(report.longrepr):
            self._write(report.nodeid, "other type")
        elif report.failed and any(text in str(report.longrepr) for text in _TENSORFLOWS):
            self._write(report.nodeid, "tensorflow")
        elif report.failed or report.when == "call" or report.skipped:
            self._write(report.nodeid, report.outcome)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report.nodeid, "failed")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    path = session.config.getoption("--outcomes")
    if path is not None:
        session.config.pluginmanager.register(_Recorder(path))


# === the command ===


def run(tests: list[str], boundary: str | None, options: list[str]) -> dict[str, str]:
    """Runs tests in a process of their own.

    Args:
        tests: files, folders or node ids below Keras' source folder.
        boundary: the side of it that they run on, "user" or "keras"; None for plain Keras.
        options: further arguments of pytest.

    Returns:
        The outcome of each test: "passed", "failed", "skipped", "crashed", "other type", or
        "tensorflow" for one that needs what TensorFlow itself makes.
    """
    source = keras_source()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes"
        outcomes.touch()
        paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
        if os.environ.get("PYTHONPATH"):
            paths.append(os.environ["PYTHONPATH"])
        command = [
            sys.executable, "-m", "pytest", "-p", Path(__file__).stem, "-p", "no:cacheprovider",
            "-c", os.devnull, f"--rootdir={source}", "-o", "python_files=*_test.py", "-o", MARKERS,
            "-q", "--tb=short", "--continue-on-collection-errors", f"--outcomes={outcomes}",
            *([f"--boundary={boundary}"] if boundary else []), *options,
            *(str(source / test) for test in tests),
        ]  # fmt: skip
        environment = dict(os.environ, KERAS_BACKEND="torch", PYTHONPATH=os.pathsep.join(paths))
        # Not in Keras' folder: its `random` would be taken for Python's.
        subprocess.run(command, cwd=folder, env=environment, check=False)
        return dict(json.loads(line) for line in outcomes.read_text().splitlines())


def keras_source() -> Path:
    """The folder of the installed Keras that holds modules and their tests."""
    spec = importlib.util.find_spec("keras")
    if spec is None or spec.origin is None:
        raise SystemExit("Keras is not installed")
    return Path(spec.origin).parent / "src"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("areas", nargs="*", default=AREAS, help="below keras/src (all six)")
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    areas = parser.parse_args(own).areas
    worse = 0
    for area in areas:
        outcomes = run([area], "user", options)
        if other_type := [test for test, outcome in outcomes.items() if outcome == "other type"]:
            outcomes |= run(other_type, "keras", [])
        failed = [test for test, outcome in outcomes.items() if outcome in ("failed", "crashed")]
        plain = run(failed, None, []) if failed else {}
        only_ours = [
            test
            for test in failed
            if plain.get(test) not in ("failed", "crashed") and test not in DELIBERATE
        ]
        worse += len(only_ours)
        passed = sum(outcome == "passed" for outcome in outcomes.values())
        print(f"{area}: {passed} passed, {len(failed)} failed, {len(only_ours)} only with torchtf")
        for test in only_ours:
            print(f"    {test}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())

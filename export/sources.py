"""Models named on a command line: what ``python -m export MODEL`` accepts."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import os
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from .errors import ExportError
from .signature import Signature, TensorInfo

_KERAS = (".keras", ".h5", ".hdf5")


def is_saved_model(model: str) -> bool:
    """Whether a path is a SavedModel."""
    return Path(model, "saved_model.pb").exists()


def parse_input(text: str) -> TensorInfo:
    """An input given as ``name:dtype:sizes``, a free size as ``?`` or a name:
    ``image:uint8:?,32,32,3``. A scalar has no sizes: ``rate:float32:``.

    Raises:
        ValueError: for a text of another form.
    """
    parts = [part.strip() for part in text.split(":")]
    if len(parts) != 3 or not parts[0]:
        raise ValueError(
            f"--input {text}: expected name:dtype:sizes, such as image:float32:?,3,224,224"
        )
    name, dtype, sizes = parts
    shape = [size.strip() for size in sizes.split(",")] if sizes else []
    wrong = [size for size in shape if not re.fullmatch(r"\d+|\?|-1|[A-Za-z_]\w*", size)]
    if wrong:
        raise ValueError(
            f"--input {text}: {wrong[0]!r} is no size; expected a number, or ? for a free one"
        )
    try:
        return TensorInfo.of((name, dtype, [int(s) if s.isdigit() else None for s in shape]))
    except ValueError as error:
        raise ValueError(f"--input {text}: {error}") from None


class ChannelsLast(torch.nn.Module):
    """A channels-first image model that takes channels-last images, as TFLite clients have them."""

    def __init__(self, module: torch.nn.Module, ranks: Sequence[int]):
        super().__init__()
        self.module, self._ranks = module, list(ranks)

    def forward(self, *inputs):
        moved = [
            x.movedim(-1, 1) if rank > 2 else x for x, rank in zip(inputs, self._ranks, strict=True)
        ]
        return self.module(*moved)


def load(
    model: str,
    inputs: Sequence[TensorInfo] = (),
    outputs: Sequence[str] = (),
    name: str = "serving_default",
    weights: str | None = None,
    channels_last: bool = False,
) -> list[Signature]:
    """The signatures of a model: a file, a Python path, or a torchvision model.

    Args:
        model: ``file.pt2`` (`torch.export.save`), ``file.pt``/``file.pth`` (a pickled module;
            unpickling runs code of the file), ``file.keras``/``file.h5``,
            ``package.module:factory`` or ``file.py:factory``, or the name of a torchvision model.
            A factory is a module, a class or function that makes one, or the same of a Keras
            model.
        inputs: descriptions of the inputs; known for ``.pt2``, Keras and torchvision models.
        outputs: names of the outputs; made up where missing.
        name: the key of the signature.
        weights: torchvision weights, such as ``DEFAULT``; without them the model is random.
        channels_last: take images as (batch, height, width, channels).

    Raises:
        ValueError: for an unknown model, missing inputs, or what the model has no use for.
        OSError: if the file cannot be read.
    """
    module, known = _module(model, weights)
    if known is _KNOWN_BY_KERAS:
        refuse(model, "a Keras model", inputs=inputs, outputs=outputs, channels_last=channels_last)
        return [_keras_signature(name, module)]
    if channels_last and isinstance(module, torch.export.ExportedProgram):
        refuse(model, "an exported program", channels_last=channels_last)
    infos = list(inputs) or known
    if not infos:
        raise ValueError(f"{model}: describe its inputs with --input name:dtype:sizes")
    if channels_last:
        module = ChannelsLast(module, [len(i.sizes) for i in infos])
        if not inputs:
            infos = [
                TensorInfo(i.name, i.dtype, (i.sizes[0], *i.sizes[2:], i.sizes[1]))
                if len(i.sizes) > 2
                else i
                for i in infos
            ]
    return [Signature(name, module, infos, list(outputs) or _output_names(name, module, infos))]


def refuse(model: str, kind: str, **options) -> None:
    """Raises ValueError for the first of the options that is given.

    `kind` says of the model why it has no use for it.
    """
    for name, value in options.items():
        if value:
            option = "--" + name.removesuffix("s" if name == "inputs" else "").replace("_", "-")
            raise ValueError(f"{option} is not for {kind}: {model}")


_KNOWN_BY_KERAS: list[TensorInfo] = []  # stands for the inputs that a Keras model tells itself


def _module(model: str, weights: str | None):
    """The module or program that a model is, and what is known of its inputs."""
    if weights and not _is_torchvision(model):
        refuse(model, "any but torchvision's models", weights=weights)
    if model.endswith(_KERAS):
        return _keras(model), _KNOWN_BY_KERAS
    if model.endswith(".pt2"):
        _must_exist(model)
        with _reading(model):
            program = torch.export.load(model)
        return program, _program_inputs(program)
    if model.endswith((".pt", ".pth")):
        _must_exist(model)
        with _reading(model), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript, which is refused below
            module = torch.load(model, weights_only=False, map_location="cpu")
        if not isinstance(module, torch.nn.Module) or isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"{model} holds a {type(module).__name__}, no module of Python code: give "
                "package.module:factory, which returns the model with its weights loaded"
            )
        return module.eval(), []
    if ":" in model and not model.startswith("torchvision:"):
        value = _made(model)
        keras = sys.modules.get("keras")
        if keras is not None and isinstance(value, keras.Model):
            return value, _KNOWN_BY_KERAS
        return value.eval(), []
    import torchvision

    name = model.removeprefix("torchvision:")
    if os.sep in name:
        raise FileNotFoundError(f"there is no SavedModel and no model file {model!r}")
    if name not in torchvision.models.list_models():
        close = difflib.get_close_matches(name, torchvision.models.list_models(), 1)
        raise ValueError(
            f"{model!r} is no file, no package.module:factory and no torchvision model"
            + (f"; did you mean {close[0]!r}?" if close else "")
        )
    try:
        module = torchvision.models.get_model(name, weights=weights)
    except KeyError as error:
        raise ValueError(f"--weights {weights}: {name} has no such weights") from error
    return module.eval(), [TensorInfo("image", "float32", (None, 3, 224, 224))]


def _is_torchvision(model: str) -> bool:
    files = (*_KERAS, ".pt2", ".pt", ".pth")
    return model.startswith("torchvision:") or not (model.endswith(files) or ":" in model)


def _made(model: str) -> torch.nn.Module:
    """The module that ``package.module:factory`` or ``file.py:factory`` is or makes."""
    path, _, attribute = model.rpartition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        value = getattr(_imported(path), attribute)
        if callable(value) and not isinstance(value, torch.nn.Module):
            value, made = value(), True
        else:
            made = False
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{model}: {_told(error)}") from error
    if not isinstance(value, torch.nn.Module):
        what = f"returns a {type(value).__name__}, no module"
        if not made:
            what = f"is a {type(value).__name__}, no factory of a module"
        raise ValueError(f"{model} {what}")
    return value


def _imported(path: str):
    if not path.endswith(".py"):
        return importlib.import_module(path)
    _must_exist(path)
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pickle and dataclasses look for its classes
    spec.loader.exec_module(module)
    return module


def _told(error: Exception) -> str:
    """An error of the user's code in a line: what it says, and where it was raised."""
    text = str(error).partition("\n")[0]
    if isinstance(error, (ImportError, AttributeError)):
        return text
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {text} ({os.path.basename(place.filename)}, line {place.lineno})"
    )


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    """Says of a file that cannot be read which it is."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"cannot read {path!r}: {type(error).__name__}: {error}") from error


def _must_exist(path: str) -> None:
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path!r}")


def _program_inputs(program: torch.export.ExportedProgram) -> list[TensorInfo]:
    infos = []
    for name in program.graph_signature.user_inputs:
        node = next(n for n in program.graph.nodes if n.name == name)
        value = node.meta["val"]
        shape = tuple(s if isinstance(s, int) else None for s in value.shape)
        infos.append(TensorInfo.of((name, value.dtype, shape)))
    return infos


def _output_names(name: str, module, infos: Sequence[TensorInfo]) -> list[str]:
    """Keys of a dict of outputs, else ``output_<i>``, found by a trial run."""
    from torch.utils import _pytree as pytree

    run = module.module() if isinstance(module, torch.export.ExportedProgram) else module
    trial = Signature(name, torch.nn.Identity(), list(infos), ["_"]).sample()
    try:
        with torch.no_grad():
            result = run(*trial)
    except Exception as error:
        raise ExportError(
            f"the model does not take {[list(t.shape) for t in trial]}: "
            f"{type(error).__name__}: {error}"
        ) from error
    paths, _ = pytree.tree_flatten_with_path(result)
    names = []
    for number, (path, value) in enumerate(paths):
        if value is None:
            continue
        key = getattr(path[0], "key", None) if len(path) == 1 else None
        names.append(str(key) if isinstance(key, str) else f"output_{number}")
    return names


def _keras(model: str) -> torch.nn.Module:
    """A Keras file, through torchtf."""
    _must_exist(model)
    import torchtf as tf

    with _reading(model):
        return tf.keras.models.load_model(model)


def _keras_signature(name: str, model) -> Signature:
    from torchtf.saved_model import keras_function, signature_of

    return signature_of(name, keras_function(model))

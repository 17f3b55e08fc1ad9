"""Models named on a command line: what ``python -m export MODEL`` accepts."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
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
    ``image:uint8:?,32,32,3``.
    """
    parts = text.split(":")
    if len(parts) != 3:
        raise ValueError(
            f"--input {text}: expected name:dtype:sizes, such as image:float32:?,3,224,224"
        )
    name, dtype, sizes = parts
    shape = [
        int(s) if re.fullmatch(r"\d+", s.strip()) else None for s in sizes.split(",") if s.strip()
    ]
    return TensorInfo.of((name, dtype, shape))


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
            ``package.module:factory``, or the name of a torchvision model.
        inputs: descriptions of the inputs; known for ``.pt2``, Keras and torchvision models.
        outputs: names of the outputs; made up where missing.
        name: the key of the signature.
        weights: torchvision weights, such as ``DEFAULT``; without them the model is random.
        channels_last: take images as (batch, height, width, channels).

    Raises:
        ValueError: for an unknown model, or missing inputs.
        OSError: if the file cannot be read.
    """
    if model.endswith(_KERAS):
        return [_keras(model, name)]
    module, known = _module(model, weights)
    infos = list(inputs) or known
    if not infos:
        raise ValueError(f"{model}: describe its inputs with --input name:dtype:sizes")
    if channels_last and isinstance(module, torch.nn.Module):
        module = ChannelsLast(module, [len(i.sizes) for i in infos])
        if not inputs:
            infos = [
                TensorInfo(i.name, i.dtype, (i.sizes[0], *i.sizes[2:], i.sizes[1]))
                if len(i.sizes) > 2
                else i
                for i in infos
            ]
    return [Signature(name, module, infos, list(outputs) or _output_names(module, infos))]


def _module(model: str, weights: str | None):
    if model.endswith(".pt2"):
        _must_exist(model)
        with _reading(model):
            program = torch.export.load(model)
        return program, _program_inputs(program)
    if model.endswith((".pt", ".pth")):
        _must_exist(model)
        with _reading(model):
            module = torch.load(model, weights_only=False, map_location="cpu")
        if not isinstance(module, torch.nn.Module):
            raise ValueError(
                f"{model} holds a {type(module).__name__}, no module: give "
                f"package.module:factory, which "
                "returns the model with its weights loaded"
            )
        return module.eval(), []
    if ":" in model and not model.startswith("torchvision:"):
        path, _, attribute = model.partition(":")
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            value = getattr(importlib.import_module(path), attribute)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{model}: {error}") from error
        if not isinstance(value, torch.nn.Module):
            if not callable(value):
                raise ValueError(f"{model} is a {type(value).__name__}, no factory of a module")
            value = value()
        if not isinstance(value, torch.nn.Module):
            raise ValueError(f"{model} returns a {type(value).__name__}, no module")
        return value.eval(), []
    import torchvision

    name = model.removeprefix("torchvision:")
    if os.sep in name:
        raise FileNotFoundError(f"there is no SavedModel and no model file {model!r}")
    if name not in torchvision.models.list_models():
        raise ValueError(
            f"{model!r} is no file, no package.module:factory and no torchvision model"
        )
    try:
        module = torchvision.models.get_model(name, weights=weights)
    except KeyError as error:
        raise ValueError(f"--weights {weights}: {name} has no such weights") from error
    return module.eval(), [TensorInfo("image", "float32", (None, 3, 224, 224))]


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


def _output_names(module, infos: Sequence[TensorInfo]) -> list[str]:
    """Keys of a dict of outputs, else ``output_<i>``, found by a trial run."""
    from torch.utils import _pytree as pytree

    run = module.module() if isinstance(module, torch.export.ExportedProgram) else module
    trial = Signature("trial", torch.nn.Identity(), list(infos), ["_"]).sample()
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


def _keras(model: str, name: str) -> Signature:
    """A Keras file, through torchtf."""
    _must_exist(model)
    import torchtf as tf
    from torchtf.saved_model import keras_function, signature_of

    with _reading(model):
        loaded = tf.keras.models.load_model(model)
    return signature_of(name, keras_function(loaded))

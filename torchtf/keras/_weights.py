"""`save_weights` and `load_weights` on TensorFlow's checkpoint files, and Keras 2's arguments.

Contract:
- A path that ends in no extension of Keras' is the prefix of a TensorFlow checkpoint, as in Keras
  2. TensorFlow reads what is written, and what it wrote is read: checkpoints of Keras 3 and Keras
  2 models, and the `variables/variables` of a SavedModel folder (or the folder itself).
- `save_format="h5"` writes Keras 2's .h5 file of weights, "tf" a checkpoint, whatever the path
  ends in.
- A checkpoint that leaves a variable of the model without a value raises.
"""

from __future__ import annotations

import os
from typing import Any

import h5py
from keras.src.legacy.saving import legacy_h5_format
from keras.src.models.model import Model
from keras.src.saving import saving_api
from keras.src.utils import io_utils

from torchtf.keras import _side
from torchtf.keras._patch import own_attribute, replaces, use_everywhere

_KERAS_ENDINGS = (".keras", ".h5", ".hdf5", ".json")

_save_weights = own_attribute(saving_api, "save_weights")
_load_weights = own_attribute(saving_api, "load_weights")


@replaces(saving_api, "save_weights")
def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
) -> None:
    """Keras' own, and TensorFlow's checkpoints and Keras 2's .h5 files.

    Args:
        model: the model.
        filepath: where to; what it ends in says the format.
        overwrite: whether to replace a file without asking.
        max_shard_size: see Keras.
        **kwargs: `save_format`, "tf" or "h5"; `options`, a `tf.train.CheckpointOptions`.

    Raises:
        ValueError: for another format.
    """
    save_format = kwargs.pop("save_format", None)
    options = kwargs.pop("options", None)
    path = os.fspath(filepath)
    if save_format not in (None, "tf", "tensorflow", "h5", "hdf5", "keras"):
        raise ValueError(f"Unknown `save_format`: {save_format!r}. Use 'tf' or 'h5'.")
    if save_format is None and not path.endswith(_KERAS_ENDINGS):
        save_format = "tf"
    if save_format is None or max_shard_size is not None or path.endswith(".weights.h5"):
        if not path.endswith((".h5", ".hdf5")) or path.endswith(".weights.h5"):
            return _save_weights(model, filepath, overwrite, max_shard_size, **kwargs)
        save_format = "h5"
    tensorflow = save_format in ("tf", "tensorflow")
    if (
        os.path.exists(path + ".index" if tensorflow else path)
        and not overwrite
        and not io_utils.ask_to_proceed_with_overwrite(path)
    ):
        return None
    if tensorflow:
        from torchtf.train import Checkpoint

        checkpoint = _side.on_user_side(Checkpoint, (model,))
        _side.on_user_side(checkpoint.write, (path, options))
        _side.on_user_side(_note_latest, (path,))
        return None
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    return None


def _note_latest(path: str) -> None:
    """Makes the checkpoint the one that `tf.train.latest_checkpoint` finds."""
    from torchtf.train._state import update_checkpoint_state

    update_checkpoint_state(os.path.dirname(path) or ".", path, [path])


def _checkpoint_at(path: str) -> str | None:
    """The prefix of the checkpoint that a path names, or None."""
    for prefix in (path, os.path.join(path, "variables", "variables")):
        if os.path.exists(f"{prefix}.index"):
            return prefix
    return None


@replaces(saving_api, "load_weights")
def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> Any:
    """Keras' own, and TensorFlow's checkpoints.

    Returns:
        For a checkpoint its `CheckpointLoadStatus`.

    Raises:
        ValueError: if the checkpoint lacks a variable of the model; `skip_mismatch=True` leaves
            such variables as they are.
    """
    prefix = _checkpoint_at(os.fspath(filepath))
    if prefix is None:
        kwargs.pop("options", None)
        return _load_weights(model, filepath, skip_mismatch, **kwargs)
    if kwargs.pop("by_name", None):
        raise NotImplementedError(
            "load_weights(by_name=True) is for .h5 files; a checkpoint is matched by its objects."
        )
    kwargs.pop("options", None)
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")
    from torchtf.train import Checkpoint

    checkpoint = _side.on_user_side(Checkpoint, (model,))
    status = _side.on_user_side(checkpoint.read, (prefix,)).expect_partial()
    missing = [v.path for v in model.weights if not status.has_value(v)]
    if missing and not skip_mismatch:
        raise ValueError(f"The checkpoint {prefix} has no value for {missing}.")
    return status


use_everywhere(save_weights)
use_everywhere(load_weights)


def _save_weights_of(
    self: Any, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any
) -> None:
    saving_api.save_weights(self, filepath, overwrite, max_shard_size, **kwargs)


def _load_weights_of(self: Any, filepath: Any, skip_mismatch: Any = False, **kwargs: Any) -> Any:
    return saving_api.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)


for _name, _method in (("save_weights", _save_weights_of), ("load_weights", _load_weights_of)):
    _method.__doc__ = own_attribute(Model, _name).__doc__
    setattr(Model, _name, _method)

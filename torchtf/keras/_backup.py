"""`BackupAndRestore` that goes on exactly where training was, also in the middle of an epoch.

Contract:
- Beside weights and optimizer a backup holds the random states (torch's, NumPy's, Python's, those
  of the model's `SeedGenerator`s) and the batches of the epoch that are done. A training that was
  killed and started again sees the batches that it would have seen, in their order, and ends with
  the weights of an undisturbed one.
- The file is written under another name and renamed, so whatever moment a process is killed at,
  the backup is whole. What Keras keeps in training_metadata.json is in the file, too. Replicas
  that start again read it at once: reading writes nothing.
- A `tf.data.Dataset` is started as often as in the epochs that are done, so that it shuffles as it
  would.
- With `steps_per_epoch` the data starts at its beginning, as in Keras.
- The metrics of the epoch that was interrupted are those of its remaining batches.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from keras.src.callbacks.backup_and_restore import BackupAndRestore

from torchtf.core.files import write_atomically
from torchtf.keras._data import DatasetAdapter
from torchtf.keras._patch import own_attribute, replaces

_ATTRIBUTE = "training_metadata"


# ---- random states ------------------------------------------------------------------------------


def _encoded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _decoded(text: str, dtype: type) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype).copy()


def _random_state() -> dict[str, Any]:
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    kind, keys, *rest = np.random.get_state()
    return {
        "torch": [_encoded(s.numpy()) for s in (torch.get_rng_state(), *devices)],
        "numpy": [kind, _encoded(keys), *rest],
        "python": random.getstate(),
    }


def _set_random_state(state: dict[str, Any]) -> None:
    cpu, *devices = (torch.from_numpy(_decoded(s, np.uint8)) for s in state["torch"])
    torch.set_rng_state(cpu)
    for device, device_state in zip(range(torch.cuda.device_count()), devices, strict=False):
        torch.cuda.set_rng_state(device_state, device)
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, _decoded(keys, np.uint32), *rest))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))


def _generators(model: Any) -> list[Any]:
    """The states of the seed generators of a model (those of dropout layers, say)."""
    return [g.state for layer in model._flatten_layers() for g in layer._seed_generators]


# ---- the callback -------------------------------------------------------------------------------


class _Position(NamedTuple):
    """Where a training goes on."""

    epoch: int
    batches: int  # of that epoch, done
    at_epoch_begin: dict[str, Any]
    now: dict[str, Any]
    generators: list[Any] = []  # the states of the model's seed generators


def on_epoch_begin(self: Any, epoch: int, logs: Any = None) -> None:
    """Remembers the random state from which the epoch draws its order."""
    self._current_epoch, self._batches_done = epoch, 0
    position = vars(self.model).get("_resumed_position")
    self._random_at_begin = _random_state() if position is None else position.at_epoch_begin


BackupAndRestore.on_epoch_begin = on_epoch_begin
_on_epoch_end = own_attribute(BackupAndRestore, "on_epoch_end")
_on_train_batch_end = own_attribute(BackupAndRestore, "on_train_batch_end")
_load = own_attribute(BackupAndRestore, "_load_model")


@replaces(BackupAndRestore, "on_epoch_end")
def on_epoch_end(self: Any, epoch: int, logs: Any = None) -> None:
    self._batches_done, self._random_at_begin = 0, _random_state()
    _on_epoch_end(self, epoch, logs)


@replaces(BackupAndRestore, "on_train_batch_end")
def on_train_batch_end(self: Any, batch: int, logs: Any = None) -> None:
    self._batches_done = batch + 1
    _on_train_batch_end(self, batch, logs)


@replaces(BackupAndRestore, "_save_model")
def _save_model(self: Any) -> None:
    os.makedirs(self.backup_dir, exist_ok=True)
    paths = (
        (self._weights_path, self._prev_weights_path),
        (self._training_metadata_path, self._prev_training_metadata_path),
    )
    for path, previous in paths:
        if self.double_checkpoint and os.path.exists(path):
            shutil.copy(path, previous)
    metadata = {"epoch": self._current_epoch, "batch": self._last_batch_seen}
    position = _Position(
        self._current_epoch, self._batches_done, self._random_at_begin, _random_state(),
        [np.asarray(state).tolist() for state in _generators(self.model)],
    )  # fmt: skip
    new = os.path.join(self.backup_dir, "next.weights.h5")
    self.model.save_weights(new, overwrite=True)
    with h5py.File(new, "a") as file:
        file.attrs[_ATTRIBUTE] = json.dumps(position._asdict())
    os.replace(new, self._weights_path)
    write_atomically(self._training_metadata_path, json.dumps(metadata).encode())


@replaces(BackupAndRestore, "_load_model")
def _load_model(self: Any) -> None:
    text = position = None
    if os.path.exists(self._weights_path):
        with h5py.File(self._weights_path, "r") as file:
            text = file.attrs.get(_ATTRIBUTE)
    if text is not None:  # a process may be killed between the two files: this one is right
        position = _Position(**json.loads(text))
        vars(self.model)["_resumed_position"] = position
        for state, numbers in zip(_generators(self.model), position.generators, strict=False):
            state.assign(numbers)
    _load(self)
    if position is not None:
        self.model._initial_epoch = position.epoch


# ---- the training loop --------------------------------------------------------------------------


def remaining(model: Any, iterator: Any) -> Any:
    """The batches of an epoch; the first time after a restart, those not trained on yet."""
    position = vars(model).pop("_resumed_position", None)
    return iterator if position is None else _remaining(iterator, position)


def _iterators_before(iterator: Any, epoch: int) -> int:
    """How many iterators of its dataset Keras' loop has made when an epoch begins.

    It makes one as an epoch begins and one at its end, if it knows by then where the end is.
    """
    if iterator.steps_per_epoch:
        return epoch
    return 2 * epoch - (iterator.num_batches is None)


def _remaining(iterator: Any, position: _Position) -> Iterator[Any]:
    if isinstance(iterator.data_adapter, DatasetAdapter):
        for _ in range(_iterators_before(iterator, position.epoch)):
            iter(iterator.data_adapter)
    _set_random_state(position.at_epoch_begin)
    resumed = False
    for begin, end, data in iterator:
        if end < position.batches:
            continue
        if not resumed:
            _set_random_state(position.now)
            resumed = True
        yield begin, end, data

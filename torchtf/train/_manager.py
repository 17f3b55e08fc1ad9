"""`tf.train.CheckpointManager`: keeps the last checkpoints of a folder."""

from __future__ import annotations

import contextlib
import glob
import os
import time

from torchtf.core.files import written_once
from torchtf.core.tensor_bundle import index_path
from torchtf.core.variable import Variable
from torchtf.io.gfile import local_path
from torchtf.train._checkpoint import CheckpointOptions
from torchtf.train._state import get_checkpoint_state, update_checkpoint_state


class CheckpointManager:
    """Saves checkpoints and deletes old ones (source: `tf.train.CheckpointManager`).

    Args:
        checkpoint: the `tf.train.Checkpoint`.
        directory: the folder.
        max_to_keep: how many to keep; None for all.
        keep_checkpoint_every_n_hours: besides, one in this many hours is kept for good.
        checkpoint_name: the file name without number.
        step_counter: a variable of the steps taken.
        checkpoint_interval: the least number of steps between two checkpoints.
        init_fn: called by `restore_or_initialize` if there is no checkpoint.
        last_checkpoint_step: the step of the last checkpoint, for `checkpoint_interval`.

    Raises:
        ValueError: if `max_to_keep` is not positive, or an interval comes without a counter.
    """

    def __init__(
        self, checkpoint, directory, max_to_keep, keep_checkpoint_every_n_hours=None,
        checkpoint_name="ckpt", step_counter=None, checkpoint_interval=None, init_fn=None,
        last_checkpoint_step=None,
    ):  # fmt: skip
        if max_to_keep is not None and max_to_keep <= 0:
            raise ValueError(
                f"Expected a positive integer or `None` for `max_to_keep`, got {max_to_keep}."
            )
        if checkpoint_interval is not None and step_counter is None:
            raise ValueError(
                "`step_counter` should be passed if `checkpoint_interval` is not None."
            )
        self._checkpoint = checkpoint
        self._directory = local_path(directory)
        self._max_to_keep = max_to_keep
        self._keep_hours = keep_checkpoint_every_n_hours
        self._name = checkpoint_name
        self._step_counter = step_counter
        self._interval = checkpoint_interval
        self._init_fn = init_fn
        self._last_step = last_checkpoint_step
        self._prefix = os.path.join(self._directory, checkpoint_name)
        self._kept: dict[str, float] = {}  # path -> when it was written, oldest first
        now = time.time()
        self._last_preserved = now - (keep_checkpoint_every_n_hours or 0) * 3600
        state = get_checkpoint_state(self._directory)
        self._latest = None
        if state is not None:
            self._latest = state.model_checkpoint_path
            times = list(state.all_model_checkpoint_timestamps)
            paths = list(state.all_model_checkpoint_paths)
            if len(times) != len(paths):
                times = [now] * len(paths)
            self._kept = dict(zip(paths, times, strict=True))
            if state.last_preserved_timestamp:
                self._last_preserved = state.last_preserved_timestamp

    @property
    def checkpoint(self):
        return self._checkpoint

    @property
    def directory(self) -> str:
        return self._directory

    @property
    def checkpoint_interval(self) -> int | None:
        return self._interval

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the latest checkpoint, or None."""
        return self._latest

    @property
    def checkpoints(self) -> list[str]:
        """The paths kept, oldest first; without those kept for good."""
        return list(self._kept)

    def save(self, checkpoint_number=None, check_interval=True, options=None) -> str | None:
        """Saves a checkpoint and deletes old ones.

        Args:
            checkpoint_number: the number in its name, an integer or variable; the checkpoint's
                own counter by default.
            check_interval: whether `checkpoint_interval` is heeded.
            options: a `CheckpointOptions`.

        Returns:
            The path, or None if it is too early.
        """
        if options is not None and not isinstance(options, CheckpointOptions):
            raise TypeError(f"options must be a tf.train.CheckpointOptions, got {options!r}")
        if check_interval and self._interval is not None and self._last_step is not None:
            step = int(self._step_counter)
            if step < self._last_step + self._interval:
                return None
        if checkpoint_number is None:
            self._checkpoint.save_counter.assign_add(1)
            number = int(self._checkpoint.save_counter)
        else:
            is_variable = isinstance(checkpoint_number, Variable)
            number = int(checkpoint_number.numpy() if is_variable else checkpoint_number)
        path = self._checkpoint.write(f"{self._prefix}-{number}", options)
        self._latest = path
        self._kept.pop(path, None)
        self._kept[path] = time.time()
        with written_once() as mine:
            self._record(mine)  # first the record: what it names is there if deleting fails
            self._sweep(mine)
            self._record(mine)
        if self._step_counter is not None:
            self._last_step = int(self._step_counter)
        return path

    def _record(self, mine: bool):
        if not mine:
            return
        update_checkpoint_state(
            self._directory, self._latest, list(self._kept), save_relative_paths=True,
            timestamps=list(self._kept.values()), last_preserved=self._last_preserved,
        )  # fmt: skip

    def _sweep(self, mine: bool):
        if self._max_to_keep is None:
            return
        while len(self._kept) > self._max_to_keep:
            path, written = next(iter(self._kept.items()))
            del self._kept[path]
            if self._keep_hours and written - self._keep_hours * 3600 >= self._last_preserved:
                self._last_preserved = written
                continue
            if not mine:
                continue
            for file in [index_path(path), *glob.glob(glob.escape(path) + ".data-?????-of-?????")]:
                with contextlib.suppress(FileNotFoundError):
                    os.remove(file)

    def restore_or_initialize(self) -> str | None:
        """Restores the latest checkpoint, or calls `init_fn`.

        Returns:
            The path of the checkpoint, or None.
        """
        if self._latest is not None:
            self._checkpoint.restore(self._latest)
            if self._step_counter is not None:
                self._last_step = int(self._step_counter)
            return self._latest
        if self._init_fn is not None:
            self._init_fn()
        return None

    def sync(self) -> None:
        """Waits for writing to end; checkpoints are written at once."""
        self._checkpoint.sync()

"""Which versions of which models are loaded.

* Each model has a base path with a folder for each version, named by its number. Its policy tells
  which of them to serve: the newest, by default.
* The manager looks at the base paths again and again. What is to be served is loaded first; only
  when something is, what is not to be served any more is unloaded. So a new version takes the
  requests over while those on their way end with the old one, and one that does not load leaves
  the old one in its place.
* A version that failed is tried again after a while, and when its files have changed: it may have
  been found while it was being copied.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torchtf.core import errors
from torchtf.serving import _config
from torchtf.serving._servable import Servable

_log = logging.getLogger("torchtf.serving")
# seconds for which the files of a new version must stay as they are before it is loaded
_SETTLING = 0.2


class State(enum.IntEnum):
    """The states of `get_model_status_pb2.ModelVersionStatus`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass
class Version:
    """A version of a model, from when it was found."""

    number: int
    folder: str
    state: State = State.START
    error: errors.OpError | None = None
    servable: Servable | None = None
    users: int = 0  # requests that run on it
    files: tuple = ()  # those that failed to load
    tries: int = 0
    again: float = 0.0  # when to try next


@dataclass
class _Model:
    config: Any  # a `ModelConfig`; None if the model is not to be served any more
    versions: dict[int, Version] = field(default_factory=dict)
    warning: str = ""  # what the last look had to say

    def warn(self, text: str) -> None:
        """Logs a warning, once as long as it stays the same."""
        if text and text != self.warning:
            _log.warning("%s", text)
        self.warning = text

    def available(self) -> list[Version]:
        return [v for _, v in sorted(self.versions.items()) if v.state is State.AVAILABLE]


class Manager:
    """Loads, hands out and unloads versions.

    Args:
        poll_seconds: how often to look at the base paths; 0 for once for each configuration.
        retries, retry_seconds: how often, and how long after the last time, to load a version
            again that failed.
        early_labels: whether labels may name versions that are not available.
        tags: those of the graphs to load.
    """

    def __init__(
        self, poll_seconds: float, retries: int, retry_seconds: float, early_labels: bool,
        tags: Sequence[str],
    ):  # fmt: skip
        self._poll_seconds = poll_seconds
        self._retries, self._retry_seconds = retries, retry_seconds
        self._early_labels = early_labels
        self._tags = tags
        self._models: dict[str, _Model] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._lock = threading.RLock()  # of the state
        self._working = threading.Lock()  # held by whoever loads and unloads
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    # -- configuration

    def reload(self, config) -> None:
        """Serves the models of a `ModelServerConfig`, and no others; returns when they are loaded.

        Raises:
            tf.errors.InvalidArgumentError: for a configuration that makes no sense; nothing
                changes.
            tf.errors.FailedPreconditionError: for a label of a version that is not available;
                nothing changes.
            tf.errors.UnknownError: if new models have no version that can be loaded.
        """
        models = _config.check_models(config)
        labels = {m.name: self._checked_labels(m) for m in models}
        with self._lock:
            new = {m.name for m in models} - {n for n, m in self._models.items() if m.config}
            for model in models:
                self._models.setdefault(model.name, _Model(None)).config = model
            for name in self._models.keys() - {m.name for m in models}:
                self._models[name].config = None
            self._labels = labels
        self.poll(at_once=True)
        self._check_loaded(new)

    def _checked_labels(self, model) -> dict[str, int]:
        known = self._labels.get(model.name, {})
        with self._lock:
            have = self._models.get(model.name, _Model(None))
            available = {v.number for v in have.available()}
        for label, number in model.version_labels.items():
            early = self._early_labels and known.get(label, number) == number
            if number not in available and not early:
                raise errors.FailedPreconditionError(
                    None, None,
                    f"Request to assign label to version {number} of model {model.name}, which is "
                    "not currently available for inference",
                )  # fmt: skip
        return dict(model.version_labels)

    def _check_loaded(self, names) -> None:
        """Raises for models of which every version failed."""
        failed = []
        with self._lock:
            for name in sorted(names):
                model = self._models[name]
                broken = [v for v in model.versions.values() if v.error is not None]
                if broken and not model.available():
                    failed += [
                        f"{{name: {name} version: {v.number}}} due to error: {v.error}"
                        for v in broken
                    ]
        if failed:
            raise errors.UnknownError(
                None, None,
                f"{len(failed)} model(s) did not become available: {{{{{'}, {'.join(failed)}}}}}",
            )  # fmt: skip

    # -- looking at the base paths

    def start(self) -> None:
        """Looks at the base paths from now on."""
        if self._poll_seconds > 0:
            self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        while not self._closing.wait(self._poll_seconds):
            try:
                self.poll()
            except Exception:  # whatever one look meets, the next one may not
                _log.exception("looking for versions failed")

    def poll(self, at_once: bool = False) -> None:
        """Looks at the base paths, and loads and unloads what that tells.

        Args:
            at_once: whether new versions need not settle.
        """
        with self._working:
            for name, model in list(self._models.items()):
                aspired = self._aspired(name, model)
                if aspired is not None and not self._closing.is_set():
                    self._load(name, model, aspired, at_once)
                    self._unload(name, model, aspired)

    def _aspired(self, name: str, model: _Model) -> dict[int, str] | None:
        """The folders of the versions to serve; None if that cannot be told."""
        config = model.config
        if config is None:
            return {}
        try:
            entries = os.listdir(config.base_path)
        except OSError as error:
            model.warn(
                f"Could not find base path {config.base_path} for servable {name}: {error.strerror}"
            )
            return None
        found = {}
        for entry in sorted(entries):
            if entry.isascii() and entry.isdigit():  # 1 and 001 are the same version
                found[int(entry)] = os.path.join(config.base_path, entry)
        policy = config.model_version_policy
        choice = policy.WhichOneof("policy_choice")
        if choice == "specific":
            wanted = set(policy.specific.versions)
        elif choice == "all":
            wanted = set(found)
        else:
            wanted = set(sorted(found)[-max(policy.latest.num_versions, 1) :])
        missing = sorted(wanted - found.keys())
        if missing:
            model.warn(f"Versions {missing} of servable {name} are not in {config.base_path}")
        elif not found:
            model.warn(
                f"No versions of servable {name} found under base path {config.base_path}. Its "
                "folders must be named by numbers, such as '/1/'"
            )
        else:
            model.warn("")
        return {number: found[number] for number in sorted(wanted & found.keys())}

    def _load(self, name: str, model: _Model, aspired: dict[int, str], at_once: bool) -> None:
        for number, folder in reversed(aspired.items()):  # the newest first
            version = model.versions.get(number)
            if version is None or (version.state is State.END and version.error is None):
                version = Version(number, folder)
                with self._lock:
                    model.versions[number] = version
            if version.state is State.START or self._is_to_try_again(version):
                self._load_one(name, version, at_once)

    def _is_to_try_again(self, version: Version) -> bool:
        if version.error is None:
            return False
        if _files(version.folder) != version.files:
            return True
        return version.tries <= self._retries and time.monotonic() >= version.again

    def _load_one(self, name: str, version: Version, at_once: bool) -> None:
        files = _files(version.folder)
        if not at_once and self._closing.wait(_SETTLING):
            return
        if not at_once and files != _files(version.folder):
            return  # it is being copied: the next look may find it complete
        version.state = State.LOADING
        start = time.monotonic()
        try:
            servable = Servable(name, version.number, version.folder, self._tags)
        except Exception as error:
            _log.warning("Version %d of %s failed to load: %s", version.number, name, error)
            _log.debug("the traceback of that", exc_info=True)
            with self._lock:
                version.files = files
                version.tries += 1
                version.again = time.monotonic() + self._retry_seconds
                version.error, version.state = _status(error), State.END
            return
        with self._lock:
            version.servable, version.error, version.state = servable, None, State.AVAILABLE
        seconds = time.monotonic() - start
        _log.info("Loaded version %d of %s in %.1f s", version.number, name, seconds)

    def _unload(self, name: str, model: _Model, aspired: dict[int, str]) -> None:
        with self._lock:
            available = model.available()
            if aspired and not any(v.number in aspired for v in available):
                return  # what is there is better than nothing
            for version in available:
                if version.number not in aspired:
                    version.state = State.UNLOADING
                    _log.info("Unloading version %d of %s", version.number, name)
                    self._end(version)

    def _end(self, version: Version) -> None:
        if version.state is State.UNLOADING and not version.users:
            version.servable, version.state = None, State.END

    # -- handing out

    @contextlib.contextmanager
    def use(self, spec) -> Iterator[Servable]:
        """The servable that a `ModelSpec` means, which stays loaded until the context ends.

        Raises:
            tf.errors.NotFoundError: if there is none.
            tf.errors.InvalidArgumentError: for a spec without a name, or an unknown label.
        """
        with self._lock:
            version = self._find(spec)
            version.users += 1
            servable = version.servable
        assert servable is not None
        try:
            yield servable
        finally:
            with self._lock:
                version.users -= 1
                self._end(version)

    def _find(self, spec) -> Version:
        if not spec.name:
            raise errors.InvalidArgumentError(None, None, "ModelSpec has no name specified.")
        number = self.number_of(spec)
        model = self._models.get(spec.name)
        available = model.available() if model is not None else []
        if number is None and available:
            return available[-1]
        for version in available:
            if version.number == number:
                return version
        which = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
        raise errors.NotFoundError(None, None, f"Servable not found for request: {which}")

    def number_of(self, spec) -> int | None:
        """The version that a `ModelSpec` names by number or label; None if by neither.

        Raises:
            tf.errors.InvalidArgumentError: for an unknown label.
        """
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice is None:
            return None
        labels = self._labels.get(spec.name, {})
        if spec.version_label not in labels:
            raise errors.InvalidArgumentError(
                None, None, f"Unrecognized servable version label: {spec.version_label}"
            )
        return labels[spec.version_label]

    def status(self, spec) -> list[tuple[int, State, errors.OpError | None]]:
        """Number, state and error of the versions that a `ModelSpec` means, in order.

        Raises:
            tf.errors.NotFoundError: if there are none.
            tf.errors.InvalidArgumentError: for an unknown label.
        """
        number = self.number_of(spec)
        with self._lock:
            model = self._models.get(spec.name)
            versions = dict(model.versions) if model is not None else {}
            if number is not None and number not in versions:
                raise errors.NotFoundError(
                    None, None, f"Could not find version {number} of model {spec.name}"
                )
            if not versions:
                raise errors.NotFoundError(
                    None, None, f"Could not find any versions of model {spec.name}"
                )
            chosen = versions.values() if number is None else [versions[number]]
            return sorted((v.number, v.state, v.error) for v in chosen)

    def close(self) -> None:
        """Ends looking for versions."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()


def _files(folder: str) -> tuple:
    """The files below a folder, with what changes when they do."""
    found = []
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with contextlib.suppress(OSError):
                status = os.stat(path)
                found.append((path, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _status(error: Exception) -> errors.OpError:
    """Why a version did not load, as an error with a code."""
    if isinstance(error, errors.OpError):
        return error
    kind = errors.NotFoundError if isinstance(error, OSError) else errors.UnknownError
    return kind(None, None, f"{type(error).__name__}: {error}")

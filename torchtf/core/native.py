"""Small kernels in C where ATen has none that is fast, compiled on the machine at their first use.

* The compiler is that of `CC`, or `cc`, `gcc` or `clang`, which `torch.compile` uses, too.
* A library stays in `$TORCHTF_CACHE`, or else in `torchtf` under `$XDG_CACHE_HOME` or `~/.cache`.
  Its name there is made of its source, of how it was compiled and of the kind of machine. Where
  nothing can be written, each process compiles its own.
* None of this can fail: without a compiler, or with one that does not do it, there is no library,
  and who asks for it has another way.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

# no contraction: a product and a sum are rounded one after the other, as TensorFlow's are
_FLAGS = ("-O3", "-ffp-contract=off", "-fPIC", "-shared", "-pthread")
_PATIENCE_SECONDS = 60.0

_lock = threading.Lock()
_libraries: dict[str, ctypes.CDLL | None] = {}


def library(name: str) -> ctypes.CDLL | None:
    """The library of the C source `name` in this folder, or None where there is none.

    The first call may take as long as the compiler, some tenths of a second. Calls of a library's
    functions release the GIL.
    """
    try:
        return _libraries[name]
    except KeyError:
        pass
    with _lock:
        if name not in _libraries:
            try:
                _libraries[name] = _made(Path(__file__).with_name(f"{name}.c"))
            except Exception:
                _libraries[name] = None
        return _libraries[name]


def _made(source: Path) -> ctypes.CDLL | None:
    compiler = _compiler()
    if compiler is None:
        return None
    described = repr((source.read_bytes(), compiler, _FLAGS, sys.platform, platform.machine()))
    key = hashlib.sha256(described.encode()).hexdigest()[:20]
    try:
        folder = _cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=folder)
    except OSError:  # nothing can be written there
        folder, scratch = None, tempfile.TemporaryDirectory()
    with scratch as place:
        kept = None if folder is None else folder / f"{source.stem}-{key}.so"
        if kept is not None and kept.exists():
            try:
                return ctypes.CDLL(str(kept))
            except OSError:  # damaged, or of a system that was another one
                pass
        made = Path(place) / f"{source.stem}.so"
        subprocess.run(
            [*compiler, *_FLAGS, "-o", str(made), str(source)],
            check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_SECONDS,
        )  # fmt: skip
        loaded = ctypes.CDLL(str(made))
        if kept is not None:
            os.replace(made, kept)  # another process may do the same
        return loaded


def _compiler() -> list[str] | None:
    chosen = os.environ.get("CC")
    for command in [chosen] if chosen else ["cc", "gcc", "clang"]:
        words = shlex.split(command)
        if words and shutil.which(words[0]):
            return words
    return None


def _cache_folder() -> Path:
    chosen = os.environ.get("TORCHTF_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torchtf"

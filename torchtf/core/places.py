"""Tables of other places at which names of torchtf are found (made by scripts/other_places.py).

A line is a place and, for each name there, the public name below `tf`, in short where it ends
alike: ``ops.math_ops: math.reduce_sum argmax_v2=math.argmax``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.resources


@functools.cache
def table(package: str, file: str) -> dict[str, dict[str, str]]:
    """Place -> name there -> public name, from a file of a package."""
    text = importlib.resources.files(package).joinpath(file).read_text()
    places: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        place, _, words = line.partition(": ")
        pairs = (word.partition("=") for word in words.split())
        places[place] = {(n if eq else n.rpartition(".")[2]): p or n for n, eq, p in pairs}
    return places


def resolve(path: str):
    """The object that has a public name."""
    value = importlib.import_module("torchtf")
    for part in path.split("."):
        value = getattr(value, part)
    return value

"""The variables of an exported model: each weight once, whichever signatures use it."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf

LARGE = 1024  # bytes: smaller constants that are no parameters stay in the graph


class Weights:
    """Turns constants into variables, found again by the hash of their contents.

    A parameter of the source model becomes a variable whatever its size, any other constant when
    it is larger than `LARGE` bytes. `origin` says for each parameter of the graph that is being
    built which variable holds it, how its axes were permuted for that, and in which shape.
    """

    def __init__(self):
        self.weights: dict[str, tf.Variable] = {}
        self._found: dict[tuple, str] = {}
        self.origin: dict[str, tuple[str, list[int] | None, list[int]]] = {}
        self.names: dict[str, str] = {}  # of a parameter in variables/, if not its own
        self.shared: dict[str, tf.Variable] = {}  # parameters that are variables of the user's

    def tensor(self, array: np.ndarray, name: str | None, permutation) -> tf.Tensor:
        if tf.executing_eagerly():  # constant folding
            return tf.constant(array)
        shared = self.shared.get(name or "")
        if shared is not None and permutation in (None, tuple(range(array.ndim))):
            return shared.read_value()
        floating = array.dtype.kind in "fc" or array.dtype.name == "bfloat16"
        is_parameter = name is not None and array.ndim > 0 and floating
        if not is_parameter and array.nbytes <= LARGE:
            return tf.constant(array)
        array = np.ascontiguousarray(array)
        digest = hashlib.blake2b(array.tobytes(), digest_size=16).digest()
        key = (array.dtype.str, array.shape, digest)
        if key not in self._found:
            label = self._label(name)
            with tf.init_scope():
                self.weights[label] = tf.Variable(array, trainable=False, name=label)
            self._found[key] = label
        label = self._found[key]
        if name is not None:
            moved = None if permutation is None else list(permutation)
            self.origin.setdefault(name, (label, moved, list(array.shape)))
        return self.weights[label].read_value()

    def _label(self, name: str | None) -> str:
        base = self.names.get(name or "", name or "constant").replace(".", "/")
        label, number = base, 1
        while label in self.weights:
            label, number = f"{base}_{number}", number + 1
        return label

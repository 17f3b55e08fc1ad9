"""`tensorflow_transform.experimental`: sizes of vocabularies while a function is analyzed."""

from __future__ import annotations

import torchtf as tf
from torchtf.tensorflow_transform._state import current


def get_vocabulary_size_by_name(vocab_filename: str):
    """The number of entries of a vocabulary that was computed before in the same function (source:
    `tft.experimental.get_vocabulary_size_by_name`).

    Returns:
        An int64 scalar.

    Raises:
        ValueError: for a name that no vocabulary has.
    """
    analysis = current("get_vocabulary_size_by_name")
    return tf.constant(analysis.vocabulary(vocab_filename).known_size(), tf.int64)

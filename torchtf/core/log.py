"""The logger of torchtf: that of TensorFlow's name, so that programs which quiet it do."""

from __future__ import annotations

import logging


def get_logger() -> logging.Logger:
    """The logger "tensorflow" (source: `tf.get_logger`).

    It writes to stderr, unless the program has set up logging by itself.
    """
    logger = logging.getLogger("tensorflow")
    if not logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        logger.addHandler(handler)
    return logger

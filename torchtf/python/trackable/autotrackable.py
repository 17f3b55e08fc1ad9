"""`tensorflow.python.trackable.autotrackable`: objects whose attributes are saved with them."""

from torchtf.module import AutoTrackable

__all__ = ["AutoTrackable"]

"""The version of TFX whose interface this is."""

__version__ = "1.16.0"

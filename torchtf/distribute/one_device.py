"""Strategies with a single replica."""

from __future__ import annotations

from torchtf.core import device
from torchtf.distribute._strategy import Strategy
from torchtf.distribute.mirrored import _device_names


class OneDeviceStrategy(Strategy):
    """One replica on a named device (source: `tf.distribute.OneDeviceStrategy`).

    Args:
        device: e.g. `"/gpu:0"`; variables and computations are placed there.
    """

    always_one = True

    def __init__(self, device):
        super().__init__(_device_names([device]))
        self._device = device

    def scope(self):
        return _OnDevice(self, super().scope())

    def run(self, fn, args=(), kwargs=None, options=None):
        with device.device(self._device):
            return super().run(fn, args, kwargs, options)


class _OnDevice:
    """A scope that also places tensors on the strategy's device."""

    def __init__(self, strategy, scope):
        self._scope = scope
        self._device = device.device(strategy._device)

    def __enter__(self):
        self._device.__enter__()
        return self._scope.__enter__()

    def __exit__(self, *exc):
        self._scope.__exit__(*exc)
        self._device.__exit__(*exc)

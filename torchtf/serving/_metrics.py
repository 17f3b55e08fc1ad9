"""How many requests there were and how long they took, in the text format of Prometheus.

The names are those of TensorFlow Serving: ``:tensorflow:serving:request_count`` by model and
status, ``:tensorflow:serving:request_latency`` (microseconds of those that went well) by model,
method and interface.
"""

from __future__ import annotations

import bisect
import threading
from collections import Counter

from torchtf.core import errors

DEFAULT_PATH = "/monitoring/prometheus/metrics"
_PREFIX = ":tensorflow:serving:"
_LIMITS = [10 * 1.8**i for i in range(33)]
_CODES = {v: k for k, v in vars(errors).items() if k.isupper() and isinstance(v, int)}


class Metrics:
    """Counts requests."""

    def __init__(self):
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._latencies: dict[tuple[str, str, str], list[float]] = {}

    def record(self, model: str, method: str, interface: str, code: int, seconds: float) -> None:
        """Takes note of a request that was answered with a status."""
        micros = seconds * 1e6
        with self._lock:
            self._counts[model, _CODES.get(code, "UNKNOWN")] += 1
            if code == errors.OK:
                empty = [0.0] * (len(_LIMITS) + 2)  # a count for each bucket, and the sum
                found = self._latencies.setdefault((model, method, interface), empty)
                found[bisect.bisect_left(_LIMITS, micros)] += 1
                found[-1] += micros

    def page(self) -> bytes:
        """All there is to tell."""
        with self._lock:
            counts = sorted(self._counts.items())
            latencies = sorted((k, list(v)) for k, v in self._latencies.items())
        name = f"{_PREFIX}request_count"
        lines = [f"# TYPE {name} counter"]
        for (model, status), count in counts:
            lines.append(f"{name}{{{_labels(model_name=model, status=status)}}} {count}")
        name = f"{_PREFIX}request_latency"
        lines.append(f"# TYPE {name} histogram")
        for (model, method, interface), (*buckets, total) in latencies:
            labels = _labels(model_name=model, API=method, entrypoint=interface)
            count = 0
            limits = [*(f"{limit:g}" for limit in _LIMITS), "+Inf"]
            for limit, more in zip(limits, buckets, strict=True):
                count += int(more)
                lines.append(f'{name}_bucket{{{labels},le="{limit}"}} {count}')
            lines.append(f"{name}_sum{{{labels}}} {total:.0f}")
            lines.append(f"{name}_count{{{labels}}} {count}")
        return ("\n".join(lines) + "\n").encode()


def _labels(**labels: str) -> str:
    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return ",".join(f'{name}="{quoted(value)}"' for name, value in labels.items())

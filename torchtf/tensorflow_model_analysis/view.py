"""`tensorflow_model_analysis.view`: results for people."""

from __future__ import annotations

from torchtf.tensorflow_data_validation._display import _show, _Table
from torchtf.tensorflow_model_analysis._results import EvalResult
from torchtf.tensorflow_model_analysis._slices import matches
from torchtf.tensorflow_model_analysis.proto.config_pb2 import SlicingSpec


def render_slicing_metrics(
    result: EvalResult,
    slicing_column: str | None = None,
    slicing_spec: SlicingSpec | None = None,
) -> None:
    """Shows a table of metrics by slice, where TFMA has a widget (source: the function of TFMA).

    Args:
        result: the result of an evaluation.
        slicing_column: the feature whose slices are shown; all slices by default.
        slicing_spec: or the slices that are shown.

    Raises:
        ValueError: for both.
    """
    if slicing_column and slicing_spec:
        raise ValueError(
            'Only one of the "slicing_column" and "slicing_spec" parameters can be set.'
        )
    if slicing_column:
        slicing_spec = SlicingSpec(feature_keys=[slicing_column])
    names = result.get_metric_names()
    rows = []
    for key, metrics in result.slicing_metrics:
        if slicing_spec is not None and not matches(key, slicing_spec):
            continue
        title = ", ".join(f"{name}:{value}" for name, value in key) or "Overall"
        values = metrics[""][""]
        found = (values[n]["doubleValue"] if n in values else "" for n in names)
        rows.append((title, *(f"{v:.5g}" if isinstance(v, float) else v for v in found)))
    _show(_Table(("Slice", *names), rows, "No slices."))

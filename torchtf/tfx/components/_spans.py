"""Which files an ExampleGen reads: the span and version of the data, and a fingerprint of it."""

from __future__ import annotations

import dataclasses
import datetime
import glob
import os
import re

from torchtf.tfx.proto import example_gen_pb2, range_config_pb2

_EPOCH = datetime.date(1970, 1, 1)
_SPAN = re.compile(r"\{SPAN(?::(\d+))?\}")
_VERSION = re.compile(r"\{VERSION(?::(\d+))?\}")
_DATE = {"{YYYY}": r"(?P<year>\d{4})", "{MM}": r"(?P<month>\d{2})", "{DD}": r"(?P<day>\d{2})"}


@dataclasses.dataclass
class Resolved:
    """The files that are read.

    Attributes:
        inputs: the input splits with patterns of their names alone.
        fingerprint: tells the files from others.
        span, version: of the data; no version where the patterns have none.
    """

    inputs: example_gen_pb2.Input
    fingerprint: str
    span: int
    version: int | None


def resolve_inputs(
    base: str, inputs: example_gen_pb2.Input, chosen: range_config_pb2.RangeConfig | None
) -> Resolved:
    """Finds the span and version that the patterns of all splits name.

    Raises:
        ValueError: for patterns that are wrong or of different kinds, splits whose last spans
            differ, or a span that is not there.
        NotImplementedError: for several spans.
    """
    made = example_gen_pb2.Input()
    spans, prints, version = set(), [], None
    for split in inputs.splits:
        span, version, pattern = _resolve(base, split, _wanted_span(chosen))
        spans.add((span, version))
        made.splits.add(name=split.name, pattern=pattern)
        prints.append(_fingerprint(split.name, os.path.join(base, pattern)))
    if len(spans) > 1:
        raise ValueError("Latest span and version should be the same for each split: got "
                         f"{sorted(spans, key=str)}.")  # fmt: skip
    ((span, version),) = spans
    return Resolved(made, "\n".join(prints), span, version)


def _wanted_span(chosen: range_config_pb2.RangeConfig | None) -> int | None:
    kind = None if chosen is None else chosen.WhichOneof("range")
    if kind == "static_range":
        first, last = chosen.static_range.start_span_number, chosen.static_range.end_span_number
        if first != last:
            raise NotImplementedError(
                "A static range of several spans is not supported for an ExampleGen: run one span "
                "at a time and join them with a Resolver (SpanRangeStrategy)"
            )
        return first
    if kind == "rolling_range" and chosen.rolling_range.num_spans > 1:
        raise NotImplementedError(
            "A rolling range of several spans is not supported for an ExampleGen: run one span at "
            "a time and join them with a Resolver (SpanRangeStrategy)"
        )
    return None


def _resolve(base: str, split, wanted: int | None) -> tuple[int, int | None, str]:
    """The span, the version and the pattern of their files."""
    pattern = split.pattern
    has_date = any(part in pattern for part in _DATE)
    has_span, has_version = len(_SPAN.findall(pattern)), len(_VERSION.findall(pattern))
    if has_span > 1 or has_version > 1:
        raise ValueError(f"Only one {{SPAN}} and one {{VERSION}} is allowed in {pattern}")
    if has_date and (has_span or any(pattern.count(part) != 1 for part in _DATE)):
        raise ValueError(
            "Either span spec or date specs must be specified exclusively, each date spec once, "
            f"in {pattern}"
        )
    if not (has_span or has_date):
        if has_version:
            raise ValueError(
                f"Version spec provided, but Span or Date spec is not present in {pattern}"
            )
        return 0, None, pattern
    found = sorted(_spans(base, pattern), key=lambda f: (f[0], f[1] or 0))
    if wanted is not None:
        found = [f for f in found if f[0] == wanted]
    if not found:
        raise ValueError(
            f"Cannot find matching for split {split.name!r} based on {pattern}"
            + ("" if wanted is None else f" with span {wanted}")
        )
    return found[-1]


def _spans(base: str, pattern: str) -> set[tuple[int, int | None, str]]:
    """Each span and version that files have, with the pattern of these files."""
    wild, expression = os.path.join(base, pattern), re.escape(os.path.join(base, pattern))
    expression = expression.replace(r"\*", "[^/]*")
    for spec, group in ((_SPAN, "span"), (_VERSION, "version")):
        match = spec.search(pattern)
        if match:
            digits = rf"\d{{{match.group(1)}}}" if match.group(1) else r"\d+"
            wild = wild.replace(match.group(0), "*")
            expression = expression.replace(re.escape(match.group(0)), f"(?P<{group}>{digits})")
    for part, group in _DATE.items():
        wild = wild.replace(part, "*")
        expression = expression.replace(re.escape(part), group)
    found = set()
    for path in glob.glob(wild):
        match = re.fullmatch(expression, path)
        if match is None:
            continue
        parts = match.groupdict()
        version = int(parts["version"]) if "version" in parts else None
        named = pattern
        if "span" in parts:
            span = int(parts["span"])
            named = _SPAN.sub(parts["span"], named)
        else:
            try:
                date = datetime.date(*(int(parts[p]) for p in ("year", "month", "day")))
            except ValueError:
                raise ValueError(f"Retrieved date is invalid for file: {path}") from None
            span = (date - _EPOCH).days
            for part, key in (("{YYYY}", "year"), ("{MM}", "month"), ("{DD}", "day")):
                named = named.replace(part, parts[key])
        if version is not None:
            named = _VERSION.sub(parts["version"], named)
        found.add((span, version, named))
    return found


def _fingerprint(name: str, pattern: str) -> str:
    """Number, size and times of files: what changes when one of them does."""
    count = size = total = mixed = 0
    for path in glob.glob(pattern):
        state = os.stat(path)
        count += 1
        size += state.st_size
        total += int(state.st_mtime)
        mixed ^= int(state.st_mtime)
    return (
        f"split:{name},num_files:{count},total_bytes:{size},xor_checksum:{mixed},"
        f"sum_checksum:{total}"
    )

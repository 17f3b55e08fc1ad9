"""Strings to try a graph with: what its ops that read strings take."""

from __future__ import annotations

import base64
import math

import numpy as np
import torch

from torchtf.function import shipped_call

_IMAGES = {"DecodeImage", "DecodeJpeg", "DecodePng"}
_PLAIN = (b"some words, 1 or 2", b"1", b"")


def trial_texts(module: torch.nn.Module) -> list[bytes]:
    """Strings of which the graphs of a module may take one.

    Text, a number, nothing; where images are decoded, an image first; where protos are parsed, one
    with these in its features.
    """
    calls = [shipped_call.call_of(node.args[1]) for node in shipped_call.calls_in(module)]
    kinds = {call.op for call in calls}
    texts = [*([_image()] if kinds & _IMAGES else []), *_PLAIN]
    if "DecodeBase64" in kinds:
        texts = [base64.urlsafe_b64encode(text) for text in texts]
    plans = [call.template[2] for call in calls if call.op == "ParseExampleV2"]
    return [_example(plans, text) for text in texts] if plans else texts


def _image() -> bytes:
    """A PNG file: two decoders of JPEG round in two ways, and all kernels take any format."""
    from torchtf.image import encode_png

    pixels = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    return encode_png(pixels).numpy()


def _example(plans, text: bytes) -> bytes:
    """A proto with all the features that plans ask for."""
    from torchtf.train import BytesList, Example, Feature, Features, FloatList, Int64List

    def feature(column):
        count = math.prod(getattr(column, "shape", ()))
        if column.kind == 1:
            return Feature(bytes_list=BytesList(value=[text] * count))
        if column.kind == 2:
            return Feature(float_list=FloatList(value=[0.5] * count))
        return Feature(int64_list=Int64List(value=[1] * count))

    columns = [c for plan in plans for c in (*plan.sparse, *plan.dense, *plan.ragged)]
    features = {column.key: feature(column) for column in columns}
    return Example(features=Features(feature=features)).SerializeToString()

"""`tf.audio`: WAV files."""

from __future__ import annotations

import collections
import struct

import numpy as np

from torchtf.core import errors
from torchtf.core.host_op import host_op

_DecodeWav = collections.namedtuple("DecodeWav", ["audio", "sample_rate"])
_LIMIT = 32767


def _invalid(message: str):
    return errors.InvalidArgumentError(None, None, message)


@host_op("EncodeWav", out="string")
def encode_wav(audio: Float32, sample_rate: Int32):
    """A WAV file with 16 bits per sample (source: `tf.audio.encode_wav`).

    Args:
        audio: float32 [length, channels]; what is outside [-1, 1] is clipped.
        sample_rate: samples a second.

    Returns:
        A scalar string.

    Raises:
        InvalidArgumentError: for another rank.
    """
    if audio.ndim != 2:
        raise _invalid(f"audio must be 2-dimensional{str(list(audio.shape)).replace(' ', '')}")
    rate, channels = int(sample_rate), audio.shape[1]
    scaled = np.rint(audio * np.float32(_LIMIT + 1))
    samples = np.clip(scaled, -_LIMIT - 1, _LIMIT).astype("<i2")
    data = samples.tobytes()
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack(
        "<IHHIIHH", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16
    )  # fmt: skip
    out = np.empty((), dtype=object)
    out[()] = head + b"data" + struct.pack("<I", len(data)) + data
    return out


def _chunks(data: bytes):
    """The (name, content) pairs of a RIFF file."""
    if len(data) < 12:
        raise _invalid("Data too short when trying to read string")
    if data[:4] != b"RIFF":
        raise _invalid(f"Header mismatch: Expected RIFF but found {data[:4].decode('latin-1')}")
    if data[8:12] != b"WAVE":
        raise _invalid(f"Header mismatch: Expected WAVE but found {data[8:12].decode('latin-1')}")
    place = 12
    while place + 8 <= len(data):
        size = struct.unpack_from("<I", data, place + 4)[0]
        yield data[place : place + 4], data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _wav_sizes(contents, desired_channels, desired_samples) -> list:
    """The shapes of the samples, open where the file decides, and of their rate."""
    given = (desired_samples, desired_channels)
    return [[n if isinstance(n, int) and n != -1 else None for n in given], []]


@host_op("DecodeWav", out=("float32", "int32"), shape=_wav_sizes)
def _decode_wav(contents: S, desired_channels, desired_samples):
    if contents.ndim:
        raise _invalid(f"contents must be scalar but got shape {list(contents.shape)}")
    form, samples = None, None
    for name, content in _chunks(contents[()]):
        if name == b"fmt ":
            form = struct.unpack_from("<HHIIHH", content)
        elif name == b"data":
            samples = np.frombuffer(content[: len(content) // 2 * 2], dtype="<i2")
    if form is None or samples is None:
        raise _invalid("Data too short when trying to read string")
    code, channels, rate, _, _, bits = form
    if code != 1 and code != 0xFFFE:
        raise _invalid(f"Bad audio format for WAV: Expected 1 (PCM), but got{code}")
    if bits != 16:
        raise _invalid(f"Can only read 16-bit WAV files, but received {bits}")
    audio = samples.reshape(-1, channels).astype(np.float32) / np.float32(_LIMIT + 1)
    count = len(audio) if desired_samples == -1 else desired_samples
    wanted = channels if desired_channels == -1 else desired_channels
    out = np.zeros((count, wanted), np.float32)
    kept = audio[:count]
    # a channel that is missing repeats the last one; samples that are missing are silent
    out[: len(kept)] = kept[:, np.minimum(np.arange(wanted), channels - 1)]
    return out, np.asarray(rate, np.int32)


def decode_wav(contents, desired_channels=-1, desired_samples=-1, name=None):
    """Decodes a WAV file with 16 bits per sample (source: `tf.audio.decode_wav`).

    Args:
        contents: a scalar string.
        desired_channels: the number of channels; -1 for those of the file.
        desired_samples: the number of samples, cut off or filled with zeros; -1 for all.

    Returns:
        A named tuple: `audio`, float32 [samples, channels] in [-1, 1); `sample_rate`, int32.

    Raises:
        InvalidArgumentError: if it is no such file.
    """
    return _DecodeWav(*_decode_wav(contents, desired_channels, desired_samples, name))

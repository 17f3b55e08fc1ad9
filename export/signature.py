"""What is exported: named functions with named inputs and outputs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

_DTYPES = {
    "float16": torch.float16, "float32": torch.float32, "float64": torch.float64,
    "bfloat16": torch.bfloat16, "int8": torch.int8, "int16": torch.int16, "int32": torch.int32,
    "int64": torch.int64, "uint8": torch.uint8, "uint16": torch.uint16, "uint32": torch.uint32,
    "uint64": torch.uint64, "bool": torch.bool, "complex64": torch.complex64,
    "complex128": torch.complex128,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
# What free sizes are in a trial, the leading one and others: the first that a model takes. Some
# convolutions need large images, and those that come without a batch lead with their height.
TRIAL_SIZES = ((2, 16), (2, 64), (64, 64), (2, 256))
_RANKS = range(6)  # those that an input of unknown rank may have in an artifact


def dtype_name(dtype: Any) -> str:
    """The name of a dtype given as a name, a torch, NumPy or TensorFlow dtype."""
    if isinstance(dtype, torch.dtype):
        return _NAMES[dtype]
    name = getattr(dtype, "name", None) or (
        dtype if isinstance(dtype, str) else np.dtype(dtype).name
    )
    if name == "object":  # how NumPy holds strings
        return "string"
    if name not in _DTYPES and name != "string":
        raise ValueError(f"unknown dtype {dtype!r}")
    return name


@dataclass(frozen=True)
class TensorInfo:
    """Name, dtype and shape of an input; a size None is free, a shape None of any rank."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    @classmethod
    def of(cls, value: Any) -> TensorInfo:
        """A `TensorInfo` from one, or from ``(name, dtype, shape)``."""
        if isinstance(value, cls):
            return value
        name, dtype, shape = value
        sizes = None if shape is None else tuple(None if s is None else int(s) for s in shape)
        return cls(str(name), dtype_name(dtype), sizes)

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """The shape of an input whose rank is known."""
        assert self.shape is not None, self.name
        return self.shape

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype in a graph, where strings are handles (`torchtf.core.arena`)."""
        return torch.int64 if self.dtype == "string" else _DTYPES[self.dtype]

    def tensor(self, value: Any) -> torch.Tensor | np.ndarray:
        """A value of this input as a tensor, as an array of `bytes` if it is one of strings."""
        if self.dtype == "string":
            array = np.asarray(value)
            if array.dtype.kind == "U":
                array = np.char.encode(array, "utf-8")
            return array.astype(object)
        # torch warns of memory that may not be written
        given = value if isinstance(value, torch.Tensor) else np.require(value, requirements="W")
        return torch.as_tensor(given).detach()

    def to_json(self) -> dict:
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "dtype": self.dtype, "shape": shape}


@dataclass
class Signature:
    """A function to export.

    Args:
        name: the key of the signature, such as ``"serving_default"``.
        module: an `nn.Module` (or `ExportedProgram`) that takes the inputs by position and returns
            the outputs, in any structure whose leaves are as many tensors as `outputs` has names.
            Parameters that several signatures share are stored once.
        inputs: `TensorInfo`, or ``(name, dtype, shape)``, for each input.
        outputs: the names of the outputs.
        examples: arrays or tensors of valid inputs; made up where missing.
        weight_names: names of parameters and buffers in ``variables/`` where they should not be
            those of the module.
        state: buffers that are variables of the saved objects: name -> position in
            `export.objects.Objects.variables`.
        sampled: whether inputs can be made up to verify with: not if they are parts of one value.
        updates: positions of the variables that the module returns new values for, after the
            outputs.
        trial: what free sizes are in a trial, the leading one and others.
        strings: the names of the outputs that are strings.
        tables: the lookup tables (`export.objects.Table`) that the module names, by their numbers
            in this process (`torchtf.function.shipped_call`).
        texts: what strings may be in a trial, of which the first that a model takes is used.
    """

    name: str
    module: torch.nn.Module | torch.export.ExportedProgram
    inputs: list[TensorInfo]
    outputs: list[str]
    examples: Sequence[Any] | None = None
    weight_names: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, int] = field(default_factory=dict)
    updates: Sequence[int] = ()
    sampled: bool = True
    trial: tuple[int, int] = TRIAL_SIZES[0]
    strings: Sequence[str] = ()
    tables: Mapping[int, Any] = field(default_factory=dict)
    texts: Sequence[bytes] = (b"some words", b"1", b"")

    def __post_init__(self):
        self.inputs = [TensorInfo.of(i) for i in self.inputs]
        self.outputs = [str(o) for o in self.outputs]
        for kind, names in (("input", [i.name for i in self.inputs]), ("output", self.outputs)):
            if "" in names:
                raise ValueError(f"signature {self.name!r}: an {kind} has no name")
            twice = sorted({n for n in names if list(names).count(n) > 1})
            if twice:
                raise ValueError(f"signature {self.name!r}: two {kind}s are named {twice[0]!r}")
        if not self.outputs and not self.updates:
            raise ValueError(f"signature {self.name!r} has no outputs")
        if self.examples is not None and len(self.examples) != len(self.inputs):
            raise ValueError(
                f"signature {self.name!r} has {len(self.inputs)} inputs and {len(self.examples)} "
                f"examples"
            )

    def with_inputs(self, inputs: Sequence[TensorInfo]) -> Signature:
        """The same function with other input descriptions (sizes that turned out to be fixed)."""
        changed = copy.copy(self)
        changed.inputs = list(inputs)
        return changed

    def ranked(self) -> list[Signature]:
        """The signature for each rank that inputs of unknown rank have together."""
        shapes = [info.shape for info in self.inputs]
        if None not in shapes:
            return [self]
        return [
            self.with_shapes([(None,) * rank if s is None else s for s in shapes])
            for rank in _RANKS
        ]

    def with_shapes(self, shapes: Sequence[tuple | None]) -> Signature:
        """The same function with other shapes of its inputs."""
        inputs = [replace(i, shape=s) for i, s in zip(self.inputs, shapes, strict=True)]
        return self.with_inputs(inputs)

    def sample(self, more: int = 0, seed: int = 0) -> list[torch.Tensor | np.ndarray]:
        """Inputs for a trial: the examples, or random values, with `more` in a free leading
        size. Strings are arrays of `bytes`.
        """
        if self.examples is not None:
            return [i.tensor(e) for i, e in zip(self.inputs, self.examples, strict=True)]
        generator = torch.Generator().manual_seed(seed)
        leading, others = self.trial
        return [
            _random(info, leading + more, others, generator, self.texts[0]) for info in self.inputs
        ]

    @property
    def trials(self) -> list[Signature]:
        """The signature with each choice for a trial that its inputs leave: sizes and strings."""
        if self.examples is not None:
            return [self]
        free = any(None in (i.shape or ()) for i in self.inputs)
        texts = [self.texts]
        if any(i.dtype == "string" for i in self.inputs):
            texts = [[text] for text in self.texts]
        sizes = TRIAL_SIZES if free else TRIAL_SIZES[:1]
        return [replace(self, trial=trial, texts=text) for text in texts for trial in sizes]

    def check(self, tensors: Sequence[torch.Tensor | np.ndarray]) -> None:
        """Raises ValueError where `tensors` do not fit the declared inputs."""
        for info, tensor in zip(self.inputs, tensors, strict=True):
            fits = info.shape is None or (
                len(info.shape) == tensor.ndim
                and all(
                    want is None or want == have
                    for want, have in zip(info.shape, tensor.shape, strict=True)
                )
            )
            if not fits or dtype_name(tensor.dtype) != info.dtype:
                raise ValueError(
                    f"signature {self.name!r}, input {info.name!r}: expected {info.dtype}"
                    f"{list(info.shape or ())}, got {dtype_name(tensor.dtype)}{list(tensor.shape)}"
                )

    def run(self, module: torch.nn.Module, inputs: Sequence) -> list:
        """What the module answers to inputs in the form of `sample`, in the same form."""
        from torchtf.core.arena import Arena

        with Arena() as strings:
            results = module(
                *(strings.encode(t) if isinstance(t, np.ndarray) else t for t in inputs)
            )
            names = [*self.outputs, *[""] * len(self.updates)]
            return [
                strings.decode(t) if name in self.strings else t
                for name, t in zip(names, results, strict=True)
            ]


def _random(
    info: TensorInfo, leading: int, others: int, generator: torch.Generator, text: bytes
) -> torch.Tensor | np.ndarray:
    sizes = [
        s if s is not None else others if axis else leading for axis, s in enumerate(info.sizes)
    ]
    if info.dtype == "string":
        return np.full(sizes, text, object)
    dtype = info.torch_dtype
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(sizes, generator=generator).to(dtype)
    if dtype == torch.bool:
        return torch.randint(0, 2, sizes, generator=generator).to(dtype)
    # wider integers are more often indices than samples: any table has two rows
    high = 256 if dtype == torch.uint8 else 128 if dtype == torch.int8 else 2
    return torch.randint(0, high, sizes, generator=generator).to(dtype)

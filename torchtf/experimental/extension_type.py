"""`tf.experimental.ExtensionType`: tensor types made by annotating a class' fields.

* A class statement makes of the annotations a constructor, and a nested class `Spec` with a
  constructor of its own: the type spec, whose tensors are specs.
* Values are immutable. Fields are converted and checked when a value is made.
* What the fields hold (tensors, nested extension types, ragged tensors, tuples and mappings of
  them) are the components that `tf.nest`, `tf.function` and `tf.data` see.
"""

from __future__ import annotations

import abc
import collections.abc
import functools
import inspect
import types
import typing

from torchtf import array_ops, math
from torchtf.core import nest
from torchtf.core.convert import convert_to_tensor
from torchtf.core.dtypes import DType, as_dtype
from torchtf.core.shape import TensorShape, as_shape
from torchtf.core.specs import TensorSpec, TypeSpec
from torchtf.core.tensor import Tensor, is_tensor_type

__all__ = ["as_dict"]

_RESERVED = """
self Spec _type_spec _shape_invariant_to_type_spec _consumers value_type is_compatible_with
most_specific_compatible_type _with_tensor_ranks_only _to_components _from_components
_component_specs _to_tensor_list _from_tensor_list _from_compatible_tensor_list _flat_tensor_specs
_serialize _deserialize _to_legacy_output_types _to_legacy_output_shapes _to_legacy_output_classes
_keras_mask
"""
_IN_CONSTRUCTOR = "_tf_extension_type_in_constructor"
_CACHED_SPEC = "_tf_extension_type_cached_type_spec"
_PLAIN = (int, float, bool, str, bytes, type(None))
_NO_DEFAULT = inspect.Parameter.empty


class ImmutableDict(collections.abc.Mapping):
    """What a mapping becomes when it is a field of an extension type."""

    def __init__(self, *args, **kwargs):
        self._dict = dict(*args, **kwargs)

    def __getitem__(self, key):
        return self._dict[key]

    def __iter__(self):
        return iter(self._dict)

    def __len__(self):
        return len(self._dict)

    def __hash__(self):
        return hash(tuple(sorted(self._dict.items(), key=lambda item: repr(item[0]))))

    def __repr__(self):
        return f"ImmutableDict({self._dict})"


# -- the types of fields


def _is_reserved(name: str) -> bool:
    return name in _RESERVED.split() or name.lower().startswith("_tf_extension_type")


def _is_composite_class(kind) -> bool:
    return isinstance(kind, type) and hasattr(kind, "_type_spec")


def _is_union(kind) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _check_annotation(kind, is_key=False):
    """Raises TypeError unless fields may be annotated so."""
    if isinstance(kind, (str, typing.ForwardRef)) or kind is None or kind in (*_PLAIN, DType):
        return
    if kind in (Tensor, TensorShape) or _is_composite_class(kind):
        if is_key:
            raise TypeError(f"Mapping had a key {kind.__name__!r} with type 'type'")
        return
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple or _is_union(kind):
        for arg in args[:1] if origin is tuple and args[1:] == (Ellipsis,) else args:
            _check_annotation(arg, is_key)
    elif origin is collections.abc.Mapping:
        _check_annotation(args[0], True)
        _check_annotation(args[1], is_key)
    else:
        name = kind.__name__ if isinstance(kind, type) and not origin else kind
        raise TypeError(f"Unsupported type annotation {name!r}")


class _Converter:
    """Converts the value of a field to the type of its annotation."""

    def __init__(self, for_spec=False, for_default=False):
        self.for_spec = for_spec
        self.for_default = for_default

    def __call__(self, value, kind, path: str):
        """Raises TypeError, with the place `path`, if the value does not fit."""
        kind = type(None) if kind is None else kind
        if kind is Tensor:
            return self._tensor(value, path)
        if _is_composite_class(kind):
            return self._composite(value, kind, path)
        if kind is TensorShape:
            return self._made(as_shape, value, "tf.TensorShape", path)
        if kind is DType:
            return self._made(as_dtype, value, "tf.DType", path)
        if kind in _PLAIN:
            if not isinstance(value, kind):
                raise self._unexpected(repr(kind.__name__), value, path)
            return value
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if origin is tuple:
            return self._tuple(value, args, path)
        if origin is collections.abc.Mapping:
            if not isinstance(value, collections.abc.Mapping):
                raise self._unexpected("mapping", value, path)
            return ImmutableDict({
                self(k, args[0], path + "[<key>]"): self(v, args[1], f"{path}[{k!r}]")
                for k, v in value.items()
            })  # fmt: skip
        if _is_union(kind):
            for option in args:
                try:
                    return self(value, option, path)
                except TypeError:
                    pass
            raise self._unexpected(repr(kind), value, path)
        raise TypeError(f"{path}: Unsupported type annotation {kind!r}")

    def _unexpected(self, wanted: str, value, path: str) -> TypeError:
        return TypeError(f"{path}: expected {wanted}, got {type(value).__name__!r}")

    def _made(self, make, value, name, path):
        try:
            return make(value)
        except TypeError as e:
            raise self._unexpected(repr(name), value, path) from e

    def _tensor(self, value, path):
        if self.for_spec:
            if not isinstance(value, TensorSpec):
                raise self._unexpected("a TensorSpec", value, path)
            return value
        if is_tensor_type(value) or self.for_default:
            return value
        try:
            return convert_to_tensor(value)
        except (ValueError, TypeError) as e:
            raise self._unexpected("a Tensor", value, path) from e

    def _composite(self, value, kind, path):
        if self.for_spec:
            if not (isinstance(value, TypeSpec) and issubclass(value.value_type, kind)):
                raise self._unexpected(f"a TypeSpec for {kind.__name__!r}", value, path)
        elif not isinstance(value, kind):
            raise self._unexpected(repr(kind.__name__), value, path)
        return value

    def _tuple(self, value, kinds, path):
        if not isinstance(value, collections.abc.Sequence):
            raise self._unexpected("tuple", value, path)
        if kinds[1:] == (Ellipsis,):
            kinds = kinds[:1] * len(value)
        elif len(value) != len(kinds):
            # The parenthesis is in TensorFlow's text.
            wanted, found = f"tuple with length {len(kinds)}", type(value).__name__
            raise TypeError(f"{path}: expected {wanted}, got {found!r})")
        return tuple(
            self(v, k, f"{path}[{i}]") for i, (v, k) in enumerate(zip(value, kinds, strict=True))
        )


class _Field(typing.NamedTuple):
    name: str
    kind: typing.Any
    default: typing.Any

    @classmethod
    def of(cls, name, kind, default) -> _Field:
        try:
            _check_annotation(kind)
        except TypeError as e:
            raise TypeError(f"In field {name!r}: {e}") from e
        if default is not _NO_DEFAULT:
            default = _Converter(for_default=True)(default, kind, f"default value for {name}")
        return cls(name, kind, default)


def _convert_fields(fields, values: dict, converter: _Converter) -> None:
    """Converts the values of all fields in place.

    Raises:
        ValueError: for unknown or missing fields.
        TypeError: if a value does not fit its field.
    """
    names = [f.name for f in fields]
    extra, missing = set(values) - set(names), set(names) - set(values)
    if extra:
        raise ValueError(f"Got unexpected fields: {extra}")
    if missing:
        raise ValueError(f"Missing required fields: {missing}")
    values.update({f.name: converter(values[f.name], f.kind, f.name) for f in fields})


# -- making classes


def _wrap_constructor(cls):
    """The user's own constructor sets the fields; they are converted and checked after it."""
    user_init = cls.__init__

    @functools.wraps(user_init)
    def init(self, *args, **kwargs):
        self.__dict__[_IN_CONSTRUCTOR] = True
        user_init(self, *args, **kwargs)
        del self.__dict__[_IN_CONSTRUCTOR]
        self._tf_extension_type_convert_fields()
        self.__validate__()

    cls.__init__ = init


def _make_constructor(cls, with_defaults: bool):
    parameters, seen_default, kind = [], False, inspect.Parameter.POSITIONAL_OR_KEYWORD
    for field in cls._tf_extension_type_fields():
        default = field.default if with_defaults else _NO_DEFAULT
        if default is _NO_DEFAULT and seen_default:
            kind = inspect.Parameter.KEYWORD_ONLY
        seen_default = seen_default or default is not _NO_DEFAULT
        parameters.append(inspect.Parameter(field.name, kind, default=default))
    signature = inspect.Signature(parameters)

    def __init__(self, *args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        self.__dict__.update(bound.arguments)
        self._tf_extension_type_convert_fields()
        self.__validate__()

    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    __init__.__signature__ = inspect.Signature([own, *parameters])
    cls.__init__ = __init__


def _check_class(cls):
    """Raises ValueError for reserved names and attributes without annotation."""
    annotations = inspect.get_annotations(cls)
    invalid = f"The field annotations for {cls.__name__} are invalid."
    spec = cls.__dict__.get("Spec")
    if spec is not None:
        if not isinstance(spec, type):
            raise ValueError(f"{cls.__qualname__}.Spec must be a nested class; got {spec}.")
        if spec.__bases__ not in ((TypeSpec,), (object,)):
            raise ValueError(
                f"{cls.__qualname__}.Spec must be directly subclassed from tf.TypeSpec."
            )
    for name in (*(n for n in cls.__dict__ if n != "Spec"), *annotations):
        if _is_reserved(name):
            raise ValueError(f"{invalid} Field '{name}' is reserved.")
    for name, value in cls.__dict__.items():
        if not (
            name in annotations
            or callable(value)
            or name.startswith("_abc_")
            or (name.startswith("__") and name.endswith("__"))
            or isinstance(value, (property, classmethod, staticmethod))
        ):
            raise ValueError(f"{invalid} Field {name} is missing a type annotation.")


def _make_spec(cls):
    """The nested class `Spec`, with what the user's own one defines."""
    body = {"value_type": cls, "__module__": cls.__module__}
    name = f"{cls.__qualname__}.Spec"
    for key, value in (
        vars(cls.__dict__.get("Spec", object)).items() if "Spec" in cls.__dict__ else ()
    ):
        if _is_reserved(key):
            raise ValueError(f"TypeSpec {name} uses reserved name '{key}'.")
        if cls._tf_extension_type_has_field(key):
            raise ValueError(
                f"TypeSpec {name} defines a variable '{key}' which shadows a field in "
                f"{cls.__qualname__}"
            )
        if key not in ("__module__", "__dict__", "__weakref__", "__doc__", "__qualname__"):
            body[key] = value
    base = ExtensionTypeSpec
    if issubclass(cls, BatchableExtensionType):
        base = BatchableExtensionTypeSpec
        if hasattr(cls, "__batch_encoder__"):
            body.setdefault("__batch_encoder__", cls.__batch_encoder__)
    elif hasattr(cls, "__batch_encoder__") or "__batch_encoder__" in body:
        raise ValueError(
            "__batch_encoder__ should only be defined for BatchableExtensionType classes."
        )
    spec = type(f"{cls.__name__}.Spec", (base,), body)
    spec.__qualname__ = name
    cls.Spec = spec
    if "__init__" in body:
        _wrap_constructor(spec)
    else:
        _make_constructor(spec, with_defaults=False)


class _Meta(abc.ABCMeta):
    def __init__(cls, name, bases, namespace):
        if "_tf_extension_type_is_base" not in namespace:
            _check_class(cls)
            if "__init__" in cls.__dict__:
                _wrap_constructor(cls)
            else:
                _make_constructor(cls, with_defaults=True)
            _make_spec(cls)
        super().__init__(name, bases, namespace)


class _Immutable:
    """Attributes are set within the constructor only."""

    def __setattr__(self, name, value):
        self._require_constructor(name)
        self.__dict__[name] = value

    def __delattr__(self, name):
        self._require_constructor(name)
        del self.__dict__[name]

    def _require_constructor(self, name):
        if name == "_keras_mask":
            return
        if _IN_CONSTRUCTOR not in self.__dict__ or not self._tf_extension_type_has_field(name):
            raise AttributeError(
                f"Cannot mutate attribute `{name}` outside the custom constructor of "
                f"{self._tf_extension_type_kind}."
            )

    @classmethod
    def _tf_extension_type_has_field(cls, name):
        return any(name == f.name for f in cls._tf_extension_type_fields())

    def __validate__(self):
        """Checks a value that was just made; a subclass raises if it is not valid."""


class ExtensionType(_Immutable, metaclass=_Meta):
    """The base of user-defined types made of tensors (source: `tf.experimental.ExtensionType`).

    A subclass annotates its fields with `tf.Tensor`, `tf.TensorShape`, `tf.DType`, composite
    tensor types, other extension types, Python's int, float, bool, str, bytes and None, or tuples,
    mappings and unions of these. A value in the class is a field's default. `__validate__`
    may check a new value.

    Raises (when a value is made):
        TypeError: if a value does not fit its field.
    Raises (by the class statement):
        TypeError, ValueError: if an annotation is missing or not supported.
    """

    _tf_extension_type_is_base = True
    _tf_extension_type_kind = "ExtensionType"

    def __init__(self, *args, **kwargs):
        raise AssertionError(
            f"Cannot create an instance of {type(self).__name__} because "
            f"{type(self).__name__} is an abstract base class."
        )

    @classmethod
    def _tf_extension_type_fields(cls) -> tuple:
        found = cls.__dict__.get("_tf_extension_type_cached_fields")
        if found is not None:
            return found
        try:
            hints = typing.get_type_hints(cls)
            complete = True
        except (NameError, AttributeError):  # a name that is defined later
            hints, complete = {}, False
            for base in reversed(cls.__mro__):
                hints |= inspect.get_annotations(base)
        fields = tuple(
            _Field.of(name, kind, getattr(cls, name, _NO_DEFAULT)) for name, kind in hints.items()
        )
        if complete:
            cls._tf_extension_type_cached_fields = fields
        return fields

    def _tf_extension_type_convert_fields(self):
        _convert_fields(self._tf_extension_type_fields(), self.__dict__, _Converter())

    @property
    def _type_spec(self):
        found = self.__dict__.get(_CACHED_SPEC)
        if found is None:
            found = self.__dict__[_CACHED_SPEC] = self.Spec.from_value(self)
        return found

    def __repr__(self):
        fields = [f"{f.name}={getattr(self, f.name)!r}" for f in self._tf_extension_type_fields()]
        return f"{type(self).__qualname__}({', '.join(fields)})"

    def __eq__(self, other):
        """Whether types, plain fields and all tensors are equal; a tensor if there are tensors."""
        if type(self) is not type(other) or self._type_spec != other._type_spec:
            return False
        pairs = zip(nest.flatten(self, True), nest.flatten(other, True), strict=True)
        equal = [math.reduce_all(math.equal(a, b)) for a, b in pairs]
        return math.reduce_all(array_ops.stack(equal)) if equal else True

    def __ne__(self, other):
        equal = self.__eq__(other)
        return math.logical_not(equal) if is_tensor_type(equal) else not equal

    __hash__ = None  # type: ignore[assignment]


def _of(cls, fields: dict):
    """An object with these fields, unchecked."""
    made = object.__new__(cls)
    made.__dict__.update(fields)
    return made


class ExtensionTypeSpec(_Immutable, TypeSpec):
    """The type spec of an extension type (source: `tf.experimental.ExtensionTypeSpec`).

    It has the fields of the type, with specs for what is made of tensors.
    """

    _tf_extension_type_kind = "ExtensionTypeSpec"

    @classmethod
    def _tf_extension_type_fields(cls):
        return cls.value_type._tf_extension_type_fields()

    def _tf_extension_type_convert_fields(self):
        _convert_fields(self._tf_extension_type_fields(), self.__dict__, _Converter(for_spec=True))

    @classmethod
    def from_value(cls, value):
        """The spec of a value of the type."""
        fields = {
            f.name: nest.map_structure(_spec_of, getattr(value, f.name))
            for f in cls._tf_extension_type_fields()
        }
        return _of(cls, fields)

    def _fields(self) -> tuple:
        return tuple(self.__dict__[f.name] for f in self._tf_extension_type_fields())

    def _serialize(self) -> tuple:
        names = [f.name for f in self._tf_extension_type_fields()]
        return tuple(zip(names, map(_plain, self._fields()), strict=True))

    @classmethod
    def _deserialize(cls, state):
        return _of(cls, {name: _immutable(value) for name, value in state})

    def __reduce__(self):
        return _restore_spec, (self.value_type, self._serialize())

    @property
    def _component_specs(self) -> tuple:
        return tuple(x for x in nest.flatten(self._fields()) if isinstance(x, TypeSpec))

    def _to_components(self, value) -> tuple:
        fields = tuple(getattr(value, f.name) for f in self._tf_extension_type_fields())
        places = zip(nest.flatten(self._fields()), nest.flatten(fields), strict=True)
        return tuple(v for spec, v in places if isinstance(spec, TypeSpec))

    def _from_components(self, components):
        supply = iter(components)
        flat = [
            next(supply) if isinstance(x, TypeSpec) else x for x in nest.flatten(self._fields())
        ]
        if next(supply, None) is not None:
            raise ValueError(
                "Cannot build an ExtensionType instance from components because more components "
                "are provided than the number expected by the type spec."
            )
        values = nest.pack_sequence_as(self._fields(), flat)
        names = [f.name for f in self._tf_extension_type_fields()]
        return _of(self.value_type, dict(zip(names, values, strict=True)))

    def most_specific_compatible_type(self, other):
        """The type that both are instances of.

        Raises:
            ValueError: if there is none.
        """
        if type(self) is not type(other):
            raise ValueError(f"No TypeSpec is compatible with both {self} and {other}")

        def common(a, b):
            if isinstance(a, TypeSpec):
                return a.most_specific_compatible_type(b)
            if isinstance(a, TensorShape):
                return a.most_specific_compatible_shape(b)
            if a != b:
                raise ValueError(f"No TypeSpec is compatible with both {self} and {other}")
            return a

        try:
            fields = [
                nest.map_structure(common, a, b)
                for a, b in zip(self._fields(), other._fields(), strict=True)
            ]
        except TypeError as e:
            raise ValueError(f"No TypeSpec is compatible with both {self} and {other}") from e
        names = [f.name for f in self._tf_extension_type_fields()]
        return _of(type(self), dict(zip(names, fields, strict=True)))

    def is_compatible_with(self, spec_or_value) -> bool:
        other = spec_or_value
        if isinstance(other, ExtensionType):
            other = other._type_spec
        if type(self) is not type(other):
            return False
        try:
            nest.assert_same_structure(self._fields(), other._fields())
        except (TypeError, ValueError):
            return False
        pairs = zip(nest.flatten(self._fields()), nest.flatten(other._fields()), strict=True)
        return all(
            a.is_compatible_with(b) if isinstance(a, (TypeSpec, TensorShape)) else a == b
            for a, b in pairs
        )

    def __eq__(self, other):
        return type(other) is type(self) and self._serialize() == other._serialize()

    def __hash__(self):
        return hash((type(self), repr(self._serialize())))

    def __repr__(self):
        fields = ", ".join(f"{k}={v!r}" for k, v in self._serialize())
        return f"{type(self).__qualname__}({fields})"


class ExtensionTypeBatchEncoder:
    """How values of a batchable extension type are stacked
    (source: `tf.experimental.ExtensionTypeBatchEncoder`).

    A type with another way defines a subclass, and an instance of it as `__batch_encoder__`.
    """

    def batch(self, spec, batch_size):
        """The spec of `batch_size` stacked values; None where the number is open."""

        def batched(field):
            if isinstance(field, TensorShape):
                return TensorShape([batch_size]).concatenate(field)
            return _batched(field, batch_size) if isinstance(field, TypeSpec) else field

        return _of(type(spec), dict(zip(*_mapped(spec, batched), strict=True)))

    def unbatch(self, spec):
        """The spec of one of the values stacked in `spec`."""

        def unbatched(field):
            if isinstance(field, TensorShape):
                return field[1:]
            return _unbatched(field) if isinstance(field, TypeSpec) else field

        return _of(type(spec), dict(zip(*_mapped(spec, unbatched), strict=True)))

    def encode(self, spec, value, minimum_rank=0):
        """The tensors, each of rank `minimum_rank` at least, that stand for a value."""
        return spec._to_components(value)

    def decode(self, spec, encoded_value):
        """The value that `encode` made tensors of."""
        return spec._from_components(encoded_value)

    def encoding_specs(self, spec):
        """The specs of what `encode` returns."""
        return spec._component_specs


def _mapped(spec, function):
    names = [f.name for f in spec._tf_extension_type_fields()]
    return names, [nest.map_structure(function, field) for field in spec._fields()]


def _batched(spec, size):
    if isinstance(spec, TensorSpec):
        return TensorSpec(TensorShape([size]).concatenate(spec.shape), spec.dtype)
    return spec._batch(size)


def _unbatched(spec):
    if isinstance(spec, TensorSpec):
        return TensorSpec(spec.shape[1:], spec.dtype)
    return spec._unbatch()


class BatchableExtensionTypeSpec(ExtensionTypeSpec):
    """The type spec of a batchable extension type."""

    __batch_encoder__ = ExtensionTypeBatchEncoder()

    def _batch(self, batch_size):
        return self.__batch_encoder__.batch(self, batch_size)

    def _unbatch(self):
        return self.__batch_encoder__.unbatch(self)

    def _stack(self, values, stack_component):
        """The values as one; `stack_component(parts, spec)` stacks what they are encoded as."""
        encoder, batch = self.__batch_encoder__, self._batch(len(values))
        specs = nest.flatten(encoder.encoding_specs(self))
        rows = [nest.flatten(encoder.encode(self, v)) for v in values]
        parts = [
            stack_component(list(c), s) for c, s in zip(zip(*rows, strict=True), specs, strict=True)
        ]
        encoded = nest.pack_sequence_as(encoder.encoding_specs(self), parts)
        return encoder.decode(batch, encoded)

    def _unstack(self, value, unstack_component) -> list:
        """The values that are stacked in one, whose spec this is."""
        encoder, single = self.__batch_encoder__, self._unbatch()
        specs = nest.flatten(encoder.encoding_specs(self))
        parts = nest.flatten(encoder.encode(self, value, minimum_rank=1))
        rows = zip(
            *(unstack_component(p, s) for p, s in zip(parts, specs, strict=True)), strict=True
        )
        structure = encoder.encoding_specs(single)
        return [encoder.decode(single, nest.pack_sequence_as(structure, list(r))) for r in rows]


class BatchableExtensionType(ExtensionType):
    """An extension type whose values datasets can batch and take apart
    (source: `tf.experimental.BatchableExtensionType`).
    """

    _tf_extension_type_is_base = True


def as_dict(value) -> dict:
    """The fields of a value by name (source: `tf.experimental.extension_type.as_dict`)."""
    return {f.name: getattr(value, f.name) for f in value._tf_extension_type_fields()}


def _spec_of(value):
    if is_tensor_type(value):
        return TensorSpec(value.shape, value.dtype)
    spec = getattr(value, "_type_spec", None)
    return value if spec is None else spec


def _plain(value):
    """A field with plain dicts, as a spec serializes it."""
    if isinstance(value, ImmutableDict):
        return {k: _plain(v) for k, v in value.items()}
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _immutable(value):
    if isinstance(value, dict):
        return ImmutableDict({k: _immutable(v) for k, v in value.items()})
    return tuple(map(_immutable, value)) if isinstance(value, tuple) else value


def _restore_spec(value_type, state):
    return value_type.Spec._deserialize(state)

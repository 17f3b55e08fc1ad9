"""Where torch's C++ looks for the tensor of an object that says it is one.

`isinstance(x, torch.Tensor)` is true for a `tf.Tensor`, since `__class__` reports it. Torch's own
C++ asks in the same way wherever an argument need not be a tensor (`torch.as_tensor(x)`,
`torch.cat(parts, axis)`, a size, a fill value), and then reads the address of the C++ tensor from
behind the object's header without looking any further. So that address has to be there. It is no
Python object: the slot that holds it becomes a plain integer, which CPython's collector does not
follow.
"""

from __future__ import annotations

import ctypes
import types

import torch

_HEADER = object.__basicsize__
_OBJECT, _SIZE = 16, 19  # Py_T_OBJECT_EX and Py_T_PYSSIZET of CPython's descrobject.h


class _Member(ctypes.Structure):  # PyMemberDef
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Descriptor(ctypes.Structure):  # PyMemberDescrObject
    _fields_ = (
        ("header", ctypes.c_byte * _HEADER),
        ("owner", ctypes.c_void_p),
        ("name", ctypes.c_void_p),
        ("qualified_name", ctypes.c_void_p),
        ("member", ctypes.POINTER(_Member)),
    )


def make_address_slot(slot: types.MemberDescriptorType) -> None:
    """Makes `slot`, the first of a class that has no objects yet, hold the address of a C++ tensor.

    Without effect where this CPython or this torch lays its objects out in another way; then what
    torch reads is not a tensor, as for any object that wrongly says that it is one.
    """
    tensor = torch.empty(0)
    member = _Descriptor.from_address(id(slot)).member.contents
    ours = (member.name, member.kind, member.offset)
    theirs = ctypes.c_void_p.from_address(id(tensor) + _HEADER).value
    if ours == (slot.__name__.encode(), _OBJECT, _HEADER) and theirs == tensor._cdata:
        member.kind = _SIZE

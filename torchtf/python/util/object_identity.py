"""`tensorflow.python.util.object_identity`: sets and dicts that compare their elements by `is`."""

from __future__ import annotations

import weakref
from collections.abc import MutableMapping, MutableSet

from torchtf.core.tensor import Reference


class WeakReference(Reference):
    """A `Reference` that does not keep its object alive."""

    __slots__ = ("_id",)

    def __init__(self, wrapped):
        super().__init__(weakref.ref(wrapped))
        self._id = id(wrapped)

    @property
    def unwrapped(self):
        """The object, or None if it is gone."""
        return self._wrapped()

    def __hash__(self):
        return self._id  # also when the object is gone, and its entry must be found

    __eq__ = Reference.__eq__

    def __repr__(self):
        return f"<WeakReference wrapping {self.unwrapped!r}>"


class ObjectIdentityDictionary(MutableMapping):
    """A dict whose keys are compared by `is`."""

    _reference = Reference

    def __init__(self, items=()):
        self._storage: dict = {}
        self.update(items)

    def __getitem__(self, key):
        return self._storage[self._reference(key)]

    def __setitem__(self, key, value):
        self._storage[self._reference(key)] = value

    def __delitem__(self, key):
        del self._storage[self._reference(key)]

    def __len__(self):
        return len(self._storage)

    def __iter__(self):
        return (key.unwrapped for key in self._storage)


class ObjectIdentityWeakKeyDictionary(ObjectIdentityDictionary):
    """The same, with keys that it does not keep alive."""

    _reference = WeakReference

    def __iter__(self):
        for key in list(self._storage):
            value = key.unwrapped
            if value is None:
                del self._storage[key]
            else:
                yield value


class ObjectIdentitySet(MutableSet):
    """A set whose elements are compared by `is`."""

    _reference = Reference

    def __init__(self, items=()):
        self._storage = {self._reference(item) for item in items}

    def __contains__(self, key):
        return self._reference(key) in self._storage

    def add(self, key):
        self._storage.add(self._reference(key))

    def discard(self, key):
        self._storage.discard(self._reference(key))

    def update(self, items):
        for item in items:
            self.add(item)

    intersection = MutableSet.__and__
    difference = MutableSet.__sub__

    def __len__(self):
        return len(self._storage)

    def __iter__(self):
        return (key.unwrapped for key in list(self._storage))


class ObjectIdentityWeakSet(ObjectIdentitySet):
    """The same, with elements that it does not keep alive."""

    _reference = WeakReference

    def __len__(self):
        return sum(1 for _ in self)

    def __iter__(self):
        for key in list(self._storage):
            value = key.unwrapped
            if value is None:
                self._storage.discard(key)
            else:
                yield value

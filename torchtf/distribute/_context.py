"""Which strategy and which replica the running code belongs to."""

from __future__ import annotations

import threading


class _State(threading.local):
    def __init__(self):
        self.strategies: list = []  # scopes entered, innermost last
        self.replicas: list = []  # ReplicaContext, or None for cross-replica code


_state = _State()
_global_strategy = None


def _default():
    from torchtf.distribute._strategy import default_strategy

    return default_strategy()


def get_strategy():
    """The strategy in force (source: `tf.distribute.get_strategy`); a default one if none is."""
    if _state.strategies:
        return _state.strategies[-1]
    return _global_strategy or _default()


def has_strategy() -> bool:
    """Whether the strategy in force is not the default one."""
    return get_strategy() is not _default()


def experimental_set_strategy(strategy) -> None:
    """Makes a strategy the one in force outside of scopes; None takes it back.

    Raises:
        RuntimeError: within a scope.
    """
    global _global_strategy
    if _state.strategies:
        raise RuntimeError("Must not be called inside a `tf.distribute.Strategy` scope.")
    _global_strategy = strategy


def get_replica_context():
    """The context of the replica that runs this code; None in cross-replica code."""
    if _state.replicas:
        return _state.replicas[-1]
    return _default().replica_context


def in_cross_replica_context() -> bool:
    """Whether this code stands for all replicas, as in a scope outside of `run`."""
    return get_replica_context() is None


class Scope:
    """The context of `Strategy.scope()`."""

    def __init__(self, strategy):
        self._strategy = strategy

    def __enter__(self):
        if _state.strategies and _state.strategies[-1] is not self._strategy:
            raise RuntimeError(
                "Mixing different tf.distribute.Strategy objects: "
                f"{_state.strategies[-1]} is not {self._strategy}"
            )
        require_cross_replica()
        _state.strategies.append(self._strategy)
        _state.replicas.append(None)
        return self._strategy

    def __exit__(self, *exc):
        _state.strategies.pop()
        _state.replicas.pop()


class InReplica:
    """The context in which a strategy calls the function of its replica in this process."""

    def __init__(self, strategy):
        self._strategy = strategy

    def __enter__(self):
        context = self._strategy.replica_context
        _state.strategies.append(self._strategy)
        _state.replicas.append(context)
        if self._strategy.group is not None:
            self._strategy.streams.__enter__()
        return context

    def __exit__(self, *exc):
        if self._strategy.group is not None:
            self._strategy.streams.__exit__(*exc)
            if exc[0] is None:
                for finish in at_end_of_replica:
                    finish(self._strategy)
        _state.strategies.pop()
        _state.replicas.pop()


# called with the strategy when the function of a replica, one of several, has returned
at_end_of_replica: list = []


def require_cross_replica() -> None:
    """
    Raises:
        RuntimeError: in the code of a replica.
    """
    if _state.replicas and _state.replicas[-1] is not None:
        raise RuntimeError(
            "Method requires being in cross-replica context, use get_replica_context().merge_call()"
        )


class CrossReplica:
    """The context in which `ReplicaContext.merge_call` calls the merge function."""

    def __enter__(self):
        _state.replicas.append(None)

    def __exit__(self, *exc):
        _state.replicas.pop()

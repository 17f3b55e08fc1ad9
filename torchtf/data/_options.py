"""`tf.data.Options` and the groups of options in it.

Results never depend on them; they steer how a pipeline runs.

* `deterministic`: False lets parallel maps, batches and interleaves give out what is ready first.
* `threading.private_threadpool_size`: the most calls that a stage may have under way, and how many
  `AUTOTUNE` stands for (the processors by default).
* `threading.max_intra_op_parallelism`: how many threads a kernel may use inside a pipeline.
* `autotune.cpu_budget`, `min_parallelism`: bounds of what `AUTOTUNE` stands for;
  `ram_budget`: how many bytes a `prefetch(AUTOTUNE)` may hold. With `enabled` False nothing is
  tuned: `AUTOTUNE` stands for `initial_parallelism`, and a prefetch holds two elements.
* `experimental_optimization`: `apply_default_optimizations` and `noop_elimination`, `map_fusion`,
  `map_parallelization`, `filter_parallelization`, `parallel_batch` and `inject_prefetch` choose the
  rules of `_optimize`. The others ask for what chunks give in any case: functions run on the
  chunks that filters choose from and batches are slices of, a parallel interleave is a reader
  that takes turns among inputs that are read ahead, and a shuffle is begun anew for each
  repetition.
* `experimental_slack`: the last prefetch leaves the processors to the reader for a moment after
  each element.
* `experimental_warm_start`: whether prefetching starts with the iterator or with its first
  element.
* `experimental_external_state_policy`: what saving an iterator does about functions with state.
* `experimental_distribute.auto_shard_policy`: read by `tf.distribute`.
* `dataset_name`, `framework_type`: shown by `explain`.
* `autotune.autotune_algorithm`, `experimental_distribute.num_devices`, `experimental_service` and
  `experimental_symbolic_checkpoint` (checkpoints hold positions, never buffers) choose among parts
  of TensorFlow's runtime; where there is one way only, there is nothing to choose.
"""

from __future__ import annotations

import enum

from torchtf.core.log import get_logger


class AutotuneAlgorithm(enum.Enum):
    """How TensorFlow's autotuner searches (source: `tf.data.experimental.AutotuneAlgorithm`)."""

    DEFAULT = 0
    HILL_CLIMB = 1
    GRADIENT_DESCENT = 2
    MAX_PARALLELISM = 3
    STAGE_BASED = 4


class AutoShardPolicy(enum.IntEnum):
    """What a distributed dataset is sharded by (source: `tf.data.experimental.AutoShardPolicy`)."""

    OFF = -1
    AUTO = 0
    FILE = 1
    DATA = 2
    HINT = 3


class ExternalStatePolicy(enum.Enum):
    """What to do about state outside of a dataset (source: `ExternalStatePolicy`)."""

    WARN = 0
    IGNORE = 1
    FAIL = 2


class _Option:
    """A type-checked property."""

    def __init__(self, kind: type, default=lambda: None):
        self._kind, self._default = kind, default

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, options, owner=None):
        if options is None:
            return self
        return options._options.setdefault(self._name, self._default())

    def __set__(self, options, value):
        if not options._mutable:
            raise ValueError(
                "Mutating `tf.data.Options()` returned by `tf.data.Dataset.options()` has no "
                "effect. Use `tf.data.Dataset.with_options(options)` to set or update dataset "
                "options."
            )
        if not isinstance(value, self._kind):
            raise TypeError(
                f'Property "{self._name}" must be of type {self._kind}, got: {value} '
                f"(type: {type(value)})"
            )
        options._options[self._name] = value


class _Group:
    """Options that are set, compared and merged together."""

    def __init__(self):
        object.__setattr__(self, "_options", {})
        object.__setattr__(self, "_mutable", True)

    def __setattr__(self, name, value):
        if not hasattr(type(self), name):
            raise AttributeError(f"Cannot set the property {name} on {type(self).__name__}.")
        object.__setattr__(self, name, value)

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        names = set(self._options) | set(other._options)
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None

    def merge(self, options):
        """These options, overruled by those of another set where they differ.

        Raises:
            TypeError: if the two are not of one kind.
        """
        if type(options) is not type(self):
            raise TypeError(
                f"Could not merge incompatible options of type {type(options)} and {type(self)}."
            )
        default, result = type(self)(), type(self)()
        for source in (self, options):
            for name in source._options:
                have, new = getattr(result, name), getattr(source, name)
                if new == getattr(default, name):
                    continue
                if isinstance(new, _Group):
                    new = have.merge(new)
                elif isinstance(new, list):
                    new = [*(have or ()), *new]
                elif have not in (new, getattr(default, name)):
                    get_logger().warning(
                        "Changing the value of option %s from %r to %r.", name, have, new
                    )
                setattr(result, name, new)
        return result

    def frozen(self):
        """A copy that cannot be changed."""
        copy = self.merge(type(self)())
        for name, value in copy._options.items():
            if isinstance(value, _Group):
                copy._options[name] = value.frozen()
        object.__setattr__(copy, "_mutable", False)
        return copy


class AutotuneOptions(_Group):
    """Limits for `AUTOTUNE` (source: `tf.data.experimental.AutotuneOptions`)."""

    enabled = _Option(bool)
    cpu_budget = _Option(int)
    ram_budget = _Option(int)
    autotune_algorithm = _Option(AutotuneAlgorithm)
    initial_parallelism = _Option(int)
    min_parallelism = _Option(int)


class DistributeOptions(_Group):
    """How a dataset is sharded (source: `tf.data.experimental.DistributeOptions`)."""

    auto_shard_policy = _Option(AutoShardPolicy, lambda: AutoShardPolicy.AUTO)
    num_devices = _Option(int)


class OptimizationOptions(_Group):
    """Which rewrites to make (source: `tf.data.experimental.OptimizationOptions`)."""

    apply_default_optimizations = _Option(bool)
    filter_fusion = _Option(bool)
    filter_parallelization = _Option(bool)
    inject_prefetch = _Option(bool)
    seq_interleave_prefetch = _Option(bool)
    map_and_batch_fusion = _Option(bool)
    map_and_filter_fusion = _Option(bool)
    map_fusion = _Option(bool)
    map_parallelization = _Option(bool)
    noop_elimination = _Option(bool)
    parallel_batch = _Option(bool)
    shuffle_and_repeat_fusion = _Option(bool)


class ServiceOptions(_Group):
    """Options of the tf.data service (source: `tf.data.experimental.ServiceOptions`)."""

    pinned = _Option(bool)


class ThreadingOptions(_Group):
    """Numbers of threads (source: `tf.data.ThreadingOptions`)."""

    max_intra_op_parallelism = _Option(int)
    private_threadpool_size = _Option(int)


class Options(_Group):
    """Options of a dataset (source: `tf.data.Options`); see the docstring of this module."""

    autotune = _Option(AutotuneOptions, AutotuneOptions)
    deterministic = _Option(bool)
    experimental_distribute = _Option(DistributeOptions, DistributeOptions)
    experimental_external_state_policy = _Option(ExternalStatePolicy)
    experimental_optimization = _Option(OptimizationOptions, OptimizationOptions)
    experimental_slack = _Option(bool)
    experimental_symbolic_checkpoint = _Option(bool)
    experimental_service = _Option(ServiceOptions, ServiceOptions)
    experimental_warm_start = _Option(bool)
    dataset_name = _Option(str)
    framework_type = _Option(list)
    threading = _Option(ThreadingOptions, ThreadingOptions)

    # the old names
    @property
    def experimental_threading(self) -> ThreadingOptions:
        return self.threading

    @experimental_threading.setter
    def experimental_threading(self, value):
        self.threading = value

    @property
    def experimental_deterministic(self) -> bool | None:
        return self.deterministic

    @experimental_deterministic.setter
    def experimental_deterministic(self, value):
        self.deterministic = value

"""Rewrites a plan before it runs; the elements stay the same.

* No-ops go: `take(-1)`, `skip(0)`, `repeat(1)`, `prefetch(0)`, `shard(1, 0)`.
* `take` of `take` and `skip` of `skip` become one; so does a prefetch of a prefetch.
* On request (see `_options`): maps of maps become one, stateless maps and filters and batches
  become parallel, a prefetch comes at the end, the last prefetch gets slack.

What a chunk engine gains most from needs no rewriting: functions run on chunks (`_traced`), and
shuffle, skip and shard move positions (`_plan`).
"""

from __future__ import annotations

from torchtf.data._batching import Batch
from torchtf.data._elementwise import Filter, Map
from torchtf.data._plan import AUTOTUNE, Node
from torchtf.data._prefetch import Prefetch
from torchtf.data._selection import Repeat, Shard, Skip, Take
from torchtf.data._traced import Composed


def optimize(node: Node, options) -> Node:
    """The plan that runs in place of `node`'s."""
    chosen = options.experimental_optimization
    rules = []
    if _enabled(chosen.noop_elimination, chosen.apply_default_optimizations):
        rules += [_without_noop, _merged]
    if chosen.map_fusion:
        rules.append(_fused)
    if chosen.map_parallelization:
        rules.append(_parallel_map)
    if chosen.filter_parallelization:
        rules.append(_parallel_filter)
    if chosen.parallel_batch:
        rules.append(_parallel_batch)
    node = _rewrite(node, rules, {})
    if chosen.inject_prefetch and not isinstance(node, Prefetch):
        node = Prefetch(node, AUTOTUNE)
    return _with_slack(node) if options.experimental_slack else node


def _enabled(option: bool | None, default: bool | None) -> bool:
    return option if option is not None else default is not False


def _rewrite(node: Node, rules, done: dict[int, Node]) -> Node:
    found = done.get(id(node))
    if found is not None:
        return found
    inputs = tuple(_rewrite(i, rules, done) for i in node.inputs)
    result = node
    if any(a is not b for a, b in zip(inputs, node.inputs, strict=True)):
        result = node.with_inputs(inputs)
    for rule in rules:
        result = rule(result)
    done[id(node)] = result
    return result


def _without_noop(node: Node) -> Node:
    noop = (
        (isinstance(node, Take) and node.size < 0)
        or (isinstance(node, Skip) and node.size == 0)
        or (isinstance(node, Repeat) and node.times == 1)
        or (isinstance(node, Prefetch) and node.size == 0)
        or (isinstance(node, Shard) and node.number == 1)
    )
    return node.inputs[0] if noop else node


def _merged(node: Node) -> Node:
    if not node.inputs or type(node.inputs[0]) is not type(node):
        return node
    inner = node.inputs[0]
    if isinstance(node, Take):
        return Take(inner.source, node.size if inner.size < 0 else min(node.size, inner.size))
    if isinstance(node, Skip) and inner.size >= 0 and node.size >= 0:
        return Skip(inner.source, inner.size + node.size)
    if isinstance(node, Prefetch):
        sizes = node.size, inner.size
        return Prefetch(inner.source, AUTOTUNE if AUTOTUNE in sizes else max(sizes))
    return node


# -- on request


def _fused(node: Node) -> Node:
    """One map for two, where both run on chunks."""
    if not isinstance(node, Map) or not isinstance(node.source, Map):
        return node
    inner = node.source
    functions = inner.function, node.function
    if not all(f.pure and f.vectorizes is not False and not f.calls_host for f in functions):
        return node
    fused = node.with_inputs(inner.inputs)
    fused.function = Composed(*functions)
    return fused


def _parallel_map(node: Node) -> Node:
    wanted = isinstance(node, Map) and node.function.pure and not node.synchronous
    return _parallel(node) if wanted else node


def _parallel_filter(node: Node) -> Node:
    return _parallel(node) if isinstance(node, Filter) and node.function.pure else node


def _parallel_batch(node: Node) -> Node:
    return _parallel(node) if type(node) is Batch else node


def _parallel(node: Node) -> Node:
    if node.parallel is not None:
        return node
    made = node.with_inputs(node.inputs)
    made.parallel = AUTOTUNE
    return made


def _with_slack(node: Node) -> Node:
    """The plan with slack in its last prefetch, if it has one."""
    if isinstance(node, Prefetch):
        return Prefetch(node.source, node.size, slack=True)
    if len(node.inputs) != 1:
        return node
    source = _with_slack(node.inputs[0])
    return node if source is node.inputs[0] else node.with_inputs((source,))

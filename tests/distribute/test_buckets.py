"""Which gradients travel together, in which order, and when a traced step sends them."""

from __future__ import annotations

import torch

from torchtf.distribute._buckets import MEGABYTE, Packing, overlap

c10d, aten = torch.ops._c10d_functional, torch.ops.aten


def tensors(*sizes, dtype=torch.float32):
    return [torch.empty(n // dtype.itemsize, dtype=dtype) for n in sizes]


def test_the_last_variables_come_first_and_the_first_bucket_is_small():
    sizes = [10 * MEGABYTE, 20 * MEGABYTE, 4 * MEGABYTE, MEGABYTE // 2, MEGABYTE // 4]
    assert list(Packing().buckets(tensors(*sizes))) == [[4, 3], [2, 1], [0]]


def test_a_bucket_is_of_one_type():
    mixed = [*tensors(64, 64), *tensors(64, dtype=torch.float16), *tensors(64)]
    assert sorted(Packing().buckets(mixed)) == [[2], [3, 1, 0]]


def test_packs_are_of_about_equal_size():
    even = tensors(*[4 * MEGABYTE] * 6)
    assert list(Packing(packs=3).buckets(even)) == [[5, 4], [3, 2], [1, 0]]
    assert list(Packing(packs=0).buckets(even)) == [[5], [4], [3], [2], [1], [0]]


def test_every_tensor_travels_once():
    some = tensors(*[(i * 7 % 5 + 1) * MEGABYTE for i in range(40)])
    sent = [i for bucket in Packing().buckets(some) for i in bucket]
    assert sorted(sent) == list(range(40))


def backward_pass():
    """A graph that computes two gradients and then sends one after the other."""
    graph = torch.fx.Graph()
    x, w = graph.placeholder("x"), graph.placeholder("w")
    late = graph.call_function(aten.mm.default, (x, w))
    early = graph.call_function(aten.mm.default, (late, w))
    done = []
    for gradient in (late, early):
        flat = graph.call_function(aten.view.default, (gradient, [-1]))
        start = graph.call_function(c10d.all_reduce_.default, (flat, "sum", "0"))
        done.append(graph.call_function(c10d.wait_tensor.default, (start,)))
    updates = [graph.call_function(aten.mul.Tensor, (wait, 0.1)) for wait in done]
    graph.output(tuple(updates))
    return graph


def test_a_message_starts_when_its_gradient_is_there_and_is_awaited_when_needed():
    graph = backward_pass()
    overlap(graph)
    graph.lint()
    names = [n.target.name().split("::")[1] for n in graph.nodes if n.op == "call_function"]
    assert names == [
        "mm", "view", "all_reduce_", "mm", "view", "all_reduce_",
        "wait_tensor", "mul.Tensor", "wait_tensor", "mul.Tensor",
    ]  # fmt: skip


def test_no_message_overtakes_another():
    """What is sent first stays first, though the second gradient is there before: ranks agree."""
    graph = torch.fx.Graph()
    x = graph.placeholder("x")
    first = graph.call_function(aten.sin.default, (x,))
    second = graph.call_function(aten.cos.default, (first,))
    starts = [
        graph.call_function(c10d.all_reduce_.default, (value, "sum", "0"))
        for value in (second, first)
    ]
    graph.output(tuple(graph.call_function(c10d.wait_tensor.default, (s,)) for s in starts))
    overlap(graph)
    sent = [n for n in graph.nodes if n.target is c10d.all_reduce_.default]
    assert sent == starts

"""A tf.Tensor where torch's C++ asks for a number, a size or data: it reads the tensor that is held."""

import gc

import numpy as np
import pytest
import torch

import torchtf as tf

X = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
ONE, THREE = tf.constant(1), tf.constant(3)


@pytest.mark.parametrize(
    "make",
    [torch.as_tensor, torch.asarray, torch.clone, torch.Tensor, torch.FloatTensor],
    ids=lambda make: make.__name__,
)
def test_data_of_a_torch_tensor(make):
    assert torch.equal(make(X), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))


def test_a_copy_by_value():
    with pytest.warns(UserWarning, match="copy construct"):
        copied = torch.tensor(X)
    copied += 1
    np.testing.assert_array_equal(X.numpy(), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    "function",
    [
        lambda t, one, three: torch.cat([t, t], one),
        lambda t, one, three: t.sum(one),
        lambda t, one, three: t.squeeze(one),
        lambda t, one, three: torch.arange(three),
        lambda t, one, three: torch.full((2, three), three),
        lambda t, one, three: torch.full_like(t, three),
        lambda t, one, three: torch.add(t, t, alpha=three),
        lambda t, one, three: t.expand(three, 2, three),
        lambda t, one, three: torch.nn.functional.one_hot(torch.tensor([2]), three),
        lambda t, one, three: t.masked_fill(t > 2, three),
        lambda t, one, three: torch.isclose(t, t + 1, three, three),
    ],
)
def test_numbers_and_sizes(function):
    t = X.torch()
    wanted = function(t, torch.tensor(1), torch.tensor(3))
    got = function(t, ONE, THREE)
    assert got.dtype == wanted.dtype and torch.equal(got, wanted)


def test_what_is_no_number_is_refused():
    t = X.torch()
    with pytest.raises(TypeError, match="must be int, not Tensor"):
        torch.cat([t, t], tf.constant([0, 1]))
    with pytest.raises(TypeError):
        torch.cat([t, t], tf.constant("0"))
    with pytest.raises(TypeError):
        torch.sum(t, tf.constant("0"))


def test_the_collector_leaves_the_address_alone():
    """The address is not an object; objects of which only a cycle is left are taken apart, too."""
    for i in range(1000):
        x = tf.constant(float(i))
        assert isinstance(x, torch.Tensor)
        x.cycle = x  # type: ignore[attr-defined]
    del x
    gc.collect()
    assert float(torch.as_tensor(tf.constant(2.0))) == 2.0


def test_in_a_traced_function():
    @tf.function
    def f(x):
        return tf.identity(torch.as_tensor(x) * 2)

    np.testing.assert_array_equal(f(X).numpy(), X.numpy() * 2)

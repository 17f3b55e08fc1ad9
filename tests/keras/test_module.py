"""A model of Keras is a `torch.nn.Module`, and a `torch.nn.Module` can be a layer."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

import torchtf as tf

keras = tf.keras
layers = keras.layers


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(1)  # with other weights all units of a ReLU may be off


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(4)
        self.blocks = [layers.Dense(4), layers.Dense(2)]

    def build(self, shape):
        self.scale = self.add_weight(shape=(2,), initializer="ones")
        super().build(shape)

    def call(self, x):
        x = tf.square(self.first(x))
        for block in self.blocks:
            x = block(x)
        return x * self.scale


def subclassed() -> keras.Model:
    model = Subclassed()
    model(tf.zeros((1, 4)))
    return model


MAKERS = pytest.mark.parametrize("make", [sequential, subclassed])


def test_names_are_places():
    assert list(sequential().state_dict()) == [
        "0.kernel", "0.bias", "1.gamma", "1.beta", "1.moving_mean", "1.moving_variance",
        "2.seed_generator_state", "3.kernel", "3.bias",
    ]  # fmt: skip
    model = subclassed()
    assert [name for name, _ in model.named_parameters()] == [
        "scale", "first.kernel", "first.bias", "blocks_0.kernel", "blocks_0.bias",
        "blocks_1.kernel", "blocks_1.bias",
    ]  # fmt: skip
    assert model.get_submodule("blocks_1") is model.blocks[1]
    assert sequential().get_submodule("3").units == 3


def test_parameters_are_the_weights_and_averages_are_buffers():
    model = sequential()
    assert [p.data_ptr() for p in model.parameters()] == [
        v._value.data_ptr() for v in model.trainable_variables
    ]
    assert {name.split(".")[1] for name, _ in model.named_buffers()} == {
        "moving_mean", "moving_variance", "seed_generator_state",
    }  # fmt: skip
    model.layers[0].trainable = False
    assert [p.requires_grad for p in model.parameters()] == [False] * 2 + [True] * 4


@MAKERS
def test_a_state_dict_fits_another_model(make, tmp_path):
    model, other = make(), make()
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_array_equal(model(x), other(x))


@MAKERS
def test_export_keeps_the_weights_as_parameters(make):
    model = make().eval()
    batch = torch.export.Dim("batch")
    shapes = ({0: batch},)
    exported = torch.export.export(model, (torch.ones(2, 4),), dynamic_shapes=shapes)
    used = {n.target for n in exported.graph.nodes if n.op == "placeholder" and n.users}
    parameters = exported.graph_signature.inputs_to_parameters
    assert {parameters[n] for n in used if n in parameters} == {
        name for name, _ in model.named_parameters()
    }
    x = torch.randn(7, 4)
    torch.testing.assert_close(exported.module()(x), model(x))


def test_training_mode_is_the_modules_for_torch_tensors():
    model, x = keras.Sequential([keras.Input((50,)), layers.Dropout(0.5)]), torch.ones(2, 50)
    assert not model.training
    assert bool((model(x) == 1).all())
    model.train()
    assert bool((model(x) == 0).any()) and bool((model(x, training=False) == 1).all())
    assert bool(tf.reduce_all(model(tf.ones((2, 50))) == 1))  # TensorFlow knows no such mode
    assert bool((torch.nn.Sequential(model).eval()(x) == 1).all())


def test_functional_call_computes_with_the_given_tensors():
    model = sequential()
    zeros = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    assert not torch.func.functional_call(model, zeros, (torch.ones(1, 4),)).any()
    assert model(torch.ones(1, 4)).any()


def test_conversion_changes_the_type_of_the_computation():
    model = sequential().double()
    assert model(torch.ones(1, 4, dtype=torch.float64)).dtype == torch.float64
    assert model(tf.ones((1, 4), tf.float64)).dtype == tf.float64


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_of_their_own(duplicate):
    model = sequential()
    other = duplicate(model)
    x = torch.ones(2, 4)
    torch.testing.assert_close(model(x), other(x))
    with torch.no_grad():
        for p in other.parameters():
            p.zero_()
    assert not other.trainable_variables[0].numpy().any()
    assert model(x).any() and not other(x).any()


def test_hooks_see_and_change_results():
    model, seen = sequential(), []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(module.name))
    handle = model.layers[-1].register_forward_hook(lambda module, inputs, result: result * 0 + 7)
    assert model(tf.zeros((1, 4))).numpy().tolist() == [[7.0] * 3]
    assert model.predict(np.zeros((1, 4)), verbose=0).tolist() == [[7.0] * 3]
    handle.remove()
    assert seen and (model(torch.zeros(1, 4)) != 7).all()


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 8)
        self.norm = torch.nn.BatchNorm1d(8)

    def forward(self, x):
        return torch.relu(self.norm(self.linear(x)))


def wrapped() -> keras.Model:
    return keras.Sequential([keras.Input((4,)), layers.TorchModuleWrapper(Net()), layers.Dense(1)])


def test_a_wrapped_module_trains_as_in_pytorch():
    model = wrapped()
    assert model.output_shape == (None, 1) and len(model.trainable_weights) == 6
    net, head = copy.deepcopy(model.layers[0].module), torch.nn.Linear(8, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(model.layers[1].kernel.numpy().T))
        head.bias.zero_()
    reference = torch.nn.Sequential(net, head).train()
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1)
    random = np.random.default_rng(0)
    x = random.normal(size=(32, 4)).astype("float32")
    y = random.normal(size=(32, 1)).astype("float32")
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(reference(torch.tensor(x)), torch.tensor(y)).backward()
        optimizer.step()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, epochs=3, batch_size=32, verbose=0)
    trained = model.layers[0].module.state_dict()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        torch.tensor(model.predict(x, verbose=0)), reference.eval()(torch.tensor(x)),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_a_wrapped_module_is_saved(tmp_path):
    model, x = wrapped(), np.ones((3, 4), "float32")
    model.compile("sgd", "mse")
    model.fit(x, np.ones((3, 1)), verbose=0)
    want = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="arbitrary code"):
        keras.models.load_model(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
    np.testing.assert_allclose(loaded.predict(x, verbose=0), want, rtol=1e-6)
    model.save_weights(tmp_path / "model.weights.h5")
    other = wrapped()
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(other.predict(x, verbose=0), want, rtol=1e-6)
    assert any(name.startswith("0.module.linear") for name in other.state_dict())


def test_fit_evaluate_and_predict_take_a_data_loader():
    data = torch.utils.data.TensorDataset(torch.randn(50, 4), torch.randint(0, 3, (50,)))
    loader = torch.utils.data.DataLoader(data, batch_size=16)
    model = sequential()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    history = model.fit(loader, epochs=2, verbose=0, validation_data=loader).history
    assert len(history["loss"]) == 2
    x, y = data.tensors
    np.testing.assert_allclose(
        model.evaluate(loader, verbose=0), model.evaluate(x, y, verbose=0), rtol=1e-5
    )
    np.testing.assert_allclose(
        model.predict(loader, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )

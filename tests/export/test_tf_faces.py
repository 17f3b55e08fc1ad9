"""`tf.saved_model` and `tf.lite`: TensorFlow's names, structures and errors."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import torchtf as tf
from tests.conftest import results_of_both


class Scale(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], name="w")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="input")])
    def scale(self, input):
        return {"output": tf.matmul(input, self.w) - 10.0, "copy": input}


X = np.float32([[1, 2, 3], [0, 0, 1]])
Y = X @ np.float32([[1, 2], [3, 4], [5, 6]]) - 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("scale") / "1")
    module = Scale()
    tf.saved_model.save(module, path, signatures=module.scale)
    return path


def test_load(folder):
    assert tf.saved_model.contains_saved_model(folder)
    loaded = tf.saved_model.load(folder)
    assert list(loaded.signatures) == ["serving_default"]
    infer = loaded.signatures["serving_default"]
    assert infer.structured_input_signature == (
        (),
        {"input": tf.TensorSpec([None, 3], tf.float32, name="input")},
    )
    assert infer.structured_outputs["output"].shape.as_list() == [None, 2]
    for result in (infer(tf.constant(X)), infer(input=tf.constant(X))):
        np.testing.assert_allclose(result["output"].numpy(), Y)
        np.testing.assert_allclose(result["copy"].numpy(), X)


_SAVED = """
import importlib, json, os, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
X = np.float32([[1, 2, 3], [0, 0, 1]])

class Scale(tf.Module):
    def __init__(self):
        super().__init__()
        self.w = tf.Variable(2.0)
        os.mkdir("other")
        for path in ("words.txt", "other/words.txt"):
            with open(path, "w") as file:
                file.write(path)
        self.words = tf.saved_model.Asset("words.txt")
        self.others = [tf.saved_model.Asset("other/words.txt")]

    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="input")])
    def scale(self, input):
        return {"output": self.w * input}

def text(error):
    text = str(error).splitlines()[0].split(" [Op:")[0].split(" object at")[0]
    return text.replace("tensorflow.python.framework.ops.EagerTensor", "torchtf.core.tensor.Tensor")

found = {}
def ask(name, call):
    try:
        found[name] = np.asarray(call()).tolist()
    except Exception as error:
        found[name] = [type(error).__name__, text(error).split("compute")[-1].split("as input")[-1]]

module = Scale()
options = tf.saved_model.SaveOptions(["Custom"], True, experimental_custom_gradients=False)
tf.saved_model.save(module, "model", signatures=module.scale, options=options)
loaded = tf.saved_model.load("model")
infer = loaded.signatures["serving_default"]
calls = {
    "none": lambda: infer(),
    "two": lambda: infer(tf.constant(X), tf.constant(X)),
    "unknown": lambda: infer(input=tf.constant(X), x=1),
    "dtype": lambda: infer(tf.constant([[1, 2, 3]])),
    "number by position": lambda: infer(2.0),
    "list by position": lambda: infer([[1.0, 2.0, 3.0]]),
    "array by position": lambda: infer(X[:1]),
    "list by name": lambda: infer(input=[[1.0, 2.0, 3.0]]),
    "doubles by name": lambda: infer(input=X.astype(float)),
    "number by name": lambda: infer(input=2.0),
    "array of another shape": lambda: infer(input=X[0]),
    "tensor of another rank": lambda: infer(input=tf.constant(X[None])),
    "tensor of another size": lambda: infer(tf.constant(X[:, :2])),
}
for name, call in calls.items():
    ask(name, lambda: call()["output"])
for number, value in enumerate([5, None, "a", [1], {"a": 1}, tf.constant(1.0), object(), Scale]):
    ask(f"save {number}", lambda: tf.saved_model.save(value, "refused"))
for names in ("A", [1]):
    ask(f"namespaces {names}", lambda: tf.saved_model.SaveOptions(namespace_whitelist=names))
for name, asset in {"own": module.words, "one": loaded.words, "other": loaded.others[0]}.items():
    ask(f"asset {name}", lambda: tf.io.read_file(asset.asset_path).numpy().decode())
ask("asset as a tensor", lambda: tf.io.read_file(tf.convert_to_tensor(loaded.words)).numpy().decode())
found["folder"] = os.path.dirname(loaded.words.asset_path.numpy().decode())[-13:]
print("RESULT", json.dumps(found))
"""


def test_what_is_saved_and_how_it_is_called_again(tmp_path_factory):
    found = results_of_both(tmp_path_factory, _SAVED)
    assert found["torchtf"] == found["tensorflow"]


def test_tensorflow_finds_the_assets(tmp_path, run_python):
    (tmp_path / "words.txt").write_text("cat")
    module = Scale()
    module.words = tf.saved_model.Asset(str(tmp_path / "words.txt"))
    tf.saved_model.save(module, str(tmp_path / "m"))
    program = """
        import tensorflow as tf
        print("FOUND", tf.io.read_file(tf.saved_model.load("m").words.asset_path).numpy())
    """
    assert "FOUND b'cat'" in run_python(program)


def test_names_follow_tensorflow(tmp_path):
    @tf.function
    def function(d, y):
        return [d["b"] * 2, d["a"] + y]

    spec = tf.TensorSpec([None])
    named = tf.TensorSpec([None], name="why")
    concrete = function.get_concrete_function({"b": spec, "a": spec}, named)
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"), signatures={"f": concrete})
    f = tf.saved_model.load(str(tmp_path / "m")).signatures["f"]
    assert list(f.structured_input_signature[1]) == ["d", "d_1", "why"]
    assert list(f.structured_outputs) == ["output_0", "output_1"]


def test_errors_of_save(tmp_path):
    target = str(tmp_path / "m")

    @tf.function(input_signature=[tf.TensorSpec([2])])
    def nested(x):
        return {"a": [x]}

    with pytest.raises(ValueError, match="Expected a TensorFlow function"):
        tf.saved_model.save(tf.Module(), target, signatures=lambda x: x)
    with pytest.raises(ValueError, match="non-Tensor value"):
        tf.saved_model.save(tf.Module(), target, signatures=nested)
    with pytest.raises(ValueError, match="Trackable"):
        tf.saved_model.save(lambda x: x, target)
    (tmp_path / "file").write_text("")
    module = Scale()
    with pytest.raises(tf.errors.OpError, match="cannot write"):
        tf.saved_model.save(module, str(tmp_path / "file" / "m"), signatures=module.scale)
    with pytest.raises(OSError, match="SavedModel file does not exist"):
        tf.saved_model.load(target)
    with pytest.raises(NotImplementedError, match="experimental_io_device"):
        tf.saved_model.SaveOptions(experimental_io_device="/job:worker")
    with pytest.raises(NotImplementedError, match=r"function_aliases.* make it an attribute"):
        tf.saved_model.SaveOptions(function_aliases={"f": module.scale})


def test_errors_of_load(folder):
    with pytest.raises(ValueError, match="tags"):
        tf.saved_model.load(folder, tags="train")
    with pytest.raises(KeyError):
        tf.saved_model.load(folder).signatures["missing"]


def test_a_loaded_signature_is_saved_and_converted_again(folder, tmp_path):
    local = {"experimental_io_device": "/job:localhost"}
    model = tf.saved_model.load(folder, options=tf.saved_model.LoadOptions(**local))
    options = tf.saved_model.SaveOptions(**local)
    tf.saved_model.save(model, str(tmp_path / "m"), model.signatures, options)
    again = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    np.testing.assert_allclose(again(input=tf.constant(X))["output"], Y)
    assert sorted(again.structured_outputs) == ["copy", "output"] and len(again.variables) == 1
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [model.signatures["serving_default"]], model
    )
    runner = tf.lite.Interpreter(model_content=converter.convert()).get_signature_runner()
    np.testing.assert_allclose(runner(input=X)["output"], Y)


def test_convert_and_run(folder):
    content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["input"], "outputs": ["copy", "output"]}
    }
    got = interpreter.get_signature_runner()(input=tf.constant(X))
    np.testing.assert_allclose(got["output"], Y)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], [2, 3])
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tf.constant(X))
    interpreter.invoke()


def test_the_interpreter_takes_tensorflows_arguments(folder, run_python):
    show = "print(list(inspect.signature(tf.lite.Interpreter).parameters.items()))"
    wanted = run_python(f"import inspect, tensorflow as tf\n{show}").splitlines()[-1]
    parameters = list(inspect.signature(tf.lite.Interpreter).parameters.items())
    assert str(parameters[:-2]) == wanted and parameters[-2][0] == "options"
    content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    kinds = tf.lite.experimental.OpResolverType
    interpreter = tf.lite.Interpreter(None, content, None, 1, kinds.BUILTIN_REF, True)
    interpreter.allocate_tensors()
    interpreter.invoke()
    for detail in interpreter.get_tensor_details():  # kept, as asked for
        interpreter.get_tensor(detail["index"])


def test_what_the_compiler_writes_of_its_passes(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.ir_dump_dir, converter.ir_dump_pass_regex = "passes", ".*"
    converter.convert()
    assert list((tmp_path / "passes").rglob("*.mlir"))


def test_several_concrete_functions_with_data_for_each(tmp_path):
    module = Scale()
    concrete = module.scale.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ({"input": X[:1] + i} for i in range(20))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    assert interpreter.get_input_details()[0]["dtype"] == np.int8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inference_input_type": tf.int8}, "must be tf.float32"),
        ({"optimizations": ["fast"]}, "'fast' is none of"),
        ({"signature_keys": ["zz"]}, "Invalid signature key 'zz' found. Valid keys are"),
        ({"tags": ["train"]}, "incompatible argument to `tags`: .'train'."),
        ({"representative_dataset": lambda: [[X, X]]}, "expected 1 items got 2 items"),
        ({"representative_dataset": list}, "yields no samples"),
        ({"representative_dataset": lambda: [("g", {"input": X})]}, "no signature 'g'"),
    ],
)
def test_bad_settings(folder, settings, message):
    arguments = {k: settings[k] for k in ("signature_keys", "tags") if k in settings}
    with pytest.raises(ValueError, match=message):
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, **arguments)
        for name in settings.keys() - arguments.keys():
            setattr(converter, name, settings[name])
        converter.convert()


@pytest.mark.parametrize("sample", [X, tf.constant(X), (X,), 1.0, None])
def test_a_calibration_sample_is_a_list_or_a_dict(folder, sample):
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [sample]
    with pytest.raises(ValueError, match="You need to provide either a dictionary with input"):
        converter.convert()


def test_analyzer_prints_what_tensorflows_does(folder, tmp_path, run_python, capsys):
    content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    (tmp_path / "m.tflite").write_bytes(content)
    program = """
        import tensorflow as tf
        tf.lite.experimental.Analyzer.analyze(model_content=open("m.tflite", "rb").read())
    """
    wanted = run_python(program)
    capsys.readouterr()
    tf.lite.experimental.Analyzer.analyze(model_content=content)
    printed = capsys.readouterr().out
    assert "Subgraph#0" in printed and printed in wanted
    with pytest.raises(ValueError, match="neither `model_path` nor `model_content`"):
        tf.lite.experimental.Analyzer.analyze()


def test_names_of_the_namespace():
    assert dir(tf.lite) == tf.lite.__all__
    with pytest.raises(NotImplementedError, match=r"tf\.lite\.experimental\.QuantizationDebugger"):
        tf.lite.experimental.QuantizationDebugger()
    assert not hasattr(tf.lite.experimental, "authoring") and not hasattr(tf.lite, "constants")


def test_bad_calibration_data_has_tensorflows_class(folder):
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = 3
    with pytest.raises(TypeError, match="representative_dataset must be a function"):
        converter.convert()
    converter.representative_dataset = lambda: [[np.ones((1, 7), np.float32)]]
    with pytest.raises(RuntimeError, match=r"input 'input' has the shape \[1, 7\], expected"):
        converter.convert()


def test_unknown_settings_are_refused(folder):
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    with pytest.raises(AttributeError, match="optimisations"):
        converter.optimisations = []
    with pytest.raises(ValueError, match="list of ConcreteFunction"):
        tf.lite.TFLiteConverter.from_concrete_functions([tf.function(lambda x: x)])
    with pytest.raises(ValueError, match="Keras model"):
        tf.lite.TFLiteConverter.from_keras_model(3)
    with pytest.raises(OSError, match="does not exist"):
        tf.lite.TFLiteConverter.from_saved_model("/nonexistent")


def test_delegates():
    with pytest.raises(OSError, match="missing"):
        tf.lite.experimental.load_delegate("libmissing.so")
    with pytest.raises(ValueError, match="GPU"):
        tf.lite.experimental.load_delegate(tf.lite.experimental.GPUDelegateOptions())


def test_a_keras_model_in_a_folder(tmp_path):
    model = tf.keras.Sequential([tf.keras.Input((6,)), tf.keras.layers.Dense(3)])
    model.compile(optimizer="adam", loss="mse")
    x = np.random.default_rng(0).random((4, 6), dtype=np.float32)
    model.fit(x, np.zeros((4, 3), np.float32), verbose=0)
    folder = tmp_path / "model"
    tf.saved_model.save_keras_model(model, folder)
    want = model.predict(x, verbose=0)
    (key,) = tf.saved_model.load(folder).signatures
    (got,) = tf.saved_model.load(folder).signatures[key](tf.constant(x)).values()
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5)
    again = tf.saved_model.load_keras_model(folder)
    np.testing.assert_allclose(again.predict(x, verbose=0), want, rtol=1e-6)
    assert type(again.optimizer).__name__ == "Adam"
    assert (folder / "keras_metadata.pb").read_bytes()[0] == 0x0A
    with pytest.raises(OSError, match="no Keras model"):
        tf.saved_model.load_keras_model(tmp_path)


def test_a_functional_model_of_one_input_has_a_function():
    inputs = tf.keras.Input((4,))
    outputs = tf.keras.layers.Lambda(lambda v: tf.sin(v), output_shape=(4,))(inputs)
    concrete = tf.saved_model.keras_function(tf.keras.Model(inputs, outputs))
    x = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(np.array(concrete(tf.constant(x))), np.sin(x), rtol=1e-6)


_CONVERTED = """
import contextlib, importlib, io, json, sys
import numpy as np
tf = importlib.import_module(sys.argv[1])
keras, layers = tf.keras, tf.keras.layers

class Built(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return {"scores": self.dense(inputs)}

class Traced(Built):
    call = tf.function(Built.call, input_signature=[tf.TensorSpec([None, 3], name="pic")])

ids, left = keras.Input((4,), dtype="int32", name="zebra"), keras.Input((4,), name="apple")
several = keras.Model([ids, left], [layers.Dense(2)(left), layers.Embedding(9, 3)(ids)])
fixed = keras.Input((4,), batch_size=3, name="a.b")
models = [several, keras.Model(fixed, layers.Dense(2)(fixed)), Built(), Traced()]
for model in models[2:]:
    model(tf.ones([1, 3]))
found = []
for model in models:
    with contextlib.redirect_stdout(io.StringIO()):
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    details = interpreter.get_input_details() + interpreter.get_output_details()
    shapes = [(d["shape_signature"].tolist(), d["dtype"].__name__) for d in details]
    found.append([interpreter.get_signature_list(), shapes])
try:
    tf.lite.TFLiteConverter.from_keras_model(keras.Sequential([layers.Dense(2)])).convert()
except ValueError as error:
    found.append(str(error))
print("RESULT", json.dumps(found))
"""


def test_a_converted_keras_model_has_tensorflows_inputs(tmp_path_factory):
    found = results_of_both(tmp_path_factory, _CONVERTED)
    assert found["torchtf"] == found["tensorflow"]

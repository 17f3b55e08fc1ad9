"""A whole pipeline, from CSV to a model that is pushed, twice: the second model has a baseline."""

from __future__ import annotations

import os

import numpy as np
import pytest

import torchtf as tf
from torchtf import tensorflow_data_validation as tfdv
from torchtf import tensorflow_model_analysis as tfma
from torchtf import tensorflow_transform as tft
from torchtf import tfx

MODULE = """
import torchtf as tf
from torchtf import tensorflow_transform as tft
from torchtf.tfx_bsl.public import tfxio


def preprocessing_fn(inputs):
    outputs = {k: tft.scale_to_z_score(inputs[k]) for k in ("length", "mass")}
    outputs["species"] = tft.compute_and_apply_vocabulary(inputs["species"], vocab_filename="species")
    return outputs


def run_fn(fn_args):
    output = tft.TFTransformOutput(fn_args.transform_output)

    def dataset(files):
        options = tfxio.TensorFlowDatasetOptions(batch_size=20, label_key="species")
        schema = output.transformed_metadata.schema
        return fn_args.data_accessor.tf_dataset_factory(files, options, schema)

    inputs = {k: tf.keras.Input((1,), name=k) for k in ("length", "mass")}
    hidden = tf.keras.layers.Concatenate()([inputs[k] for k in sorted(inputs)])
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(3)(hidden))
    model.compile(
        tf.keras.optimizers.Adam(fn_args.custom_config["rate"]),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        dataset(fn_args.train_files), steps_per_epoch=fn_args.train_steps, verbose=0,
        validation_data=dataset(fn_args.eval_files), validation_steps=fn_args.eval_steps,
    )
    layer = output.transform_features_layer()
    spec = output.raw_feature_spec()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        raw = tf.io.parse_example(examples, {k: spec[k] for k in inputs})
        return {"scores": tf.nn.softmax(model(layer(raw)))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def transform_features(examples):
        return layer(tf.io.parse_example(examples, spec))

    tf.saved_model.save(model, fn_args.serving_model_dir, signatures={
        "serving_default": serve, "transform_features": transform_features,
    })
"""


def components(penguins, root, lower_bound):
    c, p = tfx.components, tfx.proto
    example_gen = c.CsvExampleGen(str(penguins))
    statistics_gen = c.StatisticsGen(example_gen.outputs["examples"])
    schema_gen = c.SchemaGen(statistics_gen.outputs["statistics"])
    validator = c.ExampleValidator(
        statistics_gen.outputs["statistics"], schema_gen.outputs["schema"]
    )
    transform = c.Transform(
        example_gen.outputs["examples"], schema_gen.outputs["schema"], str(root / "module.py")
    )
    trainer = c.Trainer(
        module_file=str(root / "module.py"),
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=p.TrainArgs(num_steps=60), eval_args=p.EvalArgs(num_steps=2),
        custom_config={"rate": 0.1},
    )  # fmt: skip
    resolver = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("latest_blessed_model_resolver")
    threshold = tfma.MetricThreshold(
        value_threshold=tfma.GenericValueThreshold(lower_bound={"value": lower_bound}),
        change_threshold=tfma.GenericChangeThreshold(
            direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -1e-10}
        ),
    )
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key="species", preprocessing_function_names=["transform_features"])],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["species"])],
        metrics_specs=[tfma.MetricsSpec(metrics=[
            tfma.MetricConfig(class_name="SparseCategoricalAccuracy", threshold=threshold),
            tfma.MetricConfig(class_name="ExampleCount"),
        ])],
    )  # fmt: skip
    evaluator = c.Evaluator(
        example_gen.outputs["examples"], trainer.outputs["model"], resolver.outputs["model"],
        eval_config=config,
    )  # fmt: skip
    pusher = c.Pusher(
        trainer.outputs["model"], evaluator.outputs["blessing"],
        push_destination=p.PushDestination(
            filesystem=p.PushDestination.Filesystem(base_directory=str(root / "serving"))
        ),
    )  # fmt: skip
    return [
        example_gen,
        statistics_gen,
        schema_gen,
        validator,
        transform,
        trainer,
        resolver,
        evaluator,
        pusher,
    ]


def run(penguins, root, lower_bound):
    config = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "m.db"))
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            "penguins", str(root / "out"), config, components(penguins, root, lower_bound),
            enable_cache=True,
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def pipeline(penguins, tmp_path_factory):
    root = tmp_path_factory.mktemp("pipeline")
    (root / "module.py").write_text(MODULE)
    run(penguins, root, 0.6)
    return root


def only(folder):
    (name,) = os.listdir(folder)
    return folder / name


def examples(pipeline, component, output, split):
    files = list((only(pipeline / "out" / component / output) / f"Split-{split}").iterdir())
    return [r.numpy() for r in tf.data.TFRecordDataset(list(map(str, files)), "GZIP")]


def test_what_is_served_is_what_was_trained_on(pipeline):
    raw = examples(pipeline, "CsvExampleGen", "examples", "eval")
    transformed = examples(pipeline, "Transform", "transformed_examples", "eval")
    output = tft.TFTransformOutput(str(only(pipeline / "out" / "Transform" / "transform_graph")))
    want = tf.io.parse_example(transformed, output.transformed_feature_spec())
    got = output.transform_features_layer()(tf.io.parse_example(raw, output.raw_feature_spec()))
    assert set(got) == set(want) == {"length", "mass", "species"}
    for name in got:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-6)
    # by the statistics of the training split alone
    train = tf.io.parse_example(
        examples(pipeline, "Transform", "transformed_examples", "train"),
        output.transformed_feature_spec(),
    )
    assert abs(np.mean(train["mass"])) < 1e-5 and np.std(train["mass"]) == pytest.approx(
        1, abs=1e-5
    )
    assert sorted(output.vocabulary_by_name("species")) == [b"Adelie", b"Chinstrap", b"Gentoo"]


def test_results_that_need_a_missing_feature_are_left_out(pipeline):
    output = tft.TFTransformOutput(str(only(pipeline / "out" / "Transform" / "transform_graph")))
    made = output.transform_raw_features({"length": tf.constant([[40.0], [47.0]])})
    assert list(made) == ["length"] and made["length"].shape == (2, 1)
    with pytest.raises(ValueError, match="None of the features"):
        output.transform_raw_features({"spam": tf.constant([1])})


def test_statistics_before_and_after(pipeline):
    base = pipeline / "out" / "Transform"
    after = tfdv.load_stats_binary(only(base / "post_transform_stats") / "FeatureStats.pb")
    species = tfdv.get_feature_stats(after.datasets[0], "species").num_stats
    assert (species.min, species.max) == (0, 2)
    before = tfdv.load_stats_binary(only(base / "pre_transform_stats") / "FeatureStats.pb")
    split = only(pipeline / "out" / "StatisticsGen" / "statistics") / "Split-train"
    assert before == tfdv.load_stats_binary(split / "FeatureStats.pb")
    anomalies = only(base / "post_transform_anomalies") / "SchemaDiff.pb"
    assert not tfdv.load_anomalies_binary(anomalies).anomaly_info


def test_the_model_is_evaluated_blessed_and_pushed(pipeline):
    evaluation = only(pipeline / "out" / "Evaluator" / "evaluation")
    result = tfma.load_eval_result(str(evaluation))
    raw = examples(pipeline, "CsvExampleGen", "examples", "eval")
    model = tf.saved_model.load(str(only(pipeline / "serving")))
    scores = model.signatures["serving_default"](examples=tf.constant(raw))["scores"].numpy()
    labels = model.signatures["transform_features"](examples=tf.constant(raw))["species"].numpy()[
        :, 0
    ]
    right = scores.argmax(1) == labels
    overall = result.get_metrics_for_slice()
    assert overall["sparse_categorical_accuracy"]["doubleValue"] == pytest.approx(right.mean())
    for label in range(3):
        found = result.get_metrics_for_slice((("species", label),))
        assert found["sparse_categorical_accuracy"]["doubleValue"] == pytest.approx(
            right[labels == label].mean()
        )
        assert found["example_count"]["doubleValue"] == (labels == label).sum()
    assert os.listdir(only(pipeline / "out" / "Evaluator" / "blessing")) == ["BLESSED"]
    assert os.path.basename(only(pipeline / "serving")).isdigit()
    pushed = only(pipeline / "out" / "Pusher" / "pushed_model")
    assert "saved_model.pb" in os.listdir(pushed)


def test_a_model_that_is_not_good_enough_stays(penguins, pipeline):
    before = os.listdir(pipeline / "serving")
    run(penguins, pipeline, 1.01)  # all but the evaluation is taken from the first run
    blessing = max(
        (pipeline / "out" / "Evaluator" / "blessing").iterdir(), key=lambda p: int(p.name)
    )
    assert os.listdir(blessing) == ["NOT_BLESSED"]
    assert os.listdir(pipeline / "serving") == before
    assert len(os.listdir(pipeline / "out" / "Trainer" / "model")) == 1
    evaluation = pipeline / "out" / "Evaluator" / "evaluation" / blessing.name
    metrics = tfma.load_eval_result(str(evaluation)).get_metrics_for_slice()
    assert metrics["sparse_categorical_accuracy_diff"] == {"doubleValue": 0.0}  # its own baseline


@pytest.mark.parametrize(
    "text, arguments, kind, message",
    [
        ("", {}, AttributeError, "has no function 'run_fn'"),
        ("def run_fn(fn_args): pass", {}, RuntimeError, "failed to generate model"),
        ("def run_fn(fn_args): 1 / 0", {}, ZeroDivisionError, "division by zero"),
        ("def run_fn(fn_args): pass", {"train_args": tfx.proto.TrainArgs(splits=["test"])}, ValueError,
         "Split 'test' is not in the artifact"),
    ],
)  # fmt: skip
def test_a_trainer_that_fails(penguins, tmp_path, text, arguments, kind, message):
    path = tmp_path / "module.py"
    path.write_text(text)
    example_gen = tfx.components.CsvExampleGen(str(penguins))
    trainer = tfx.components.Trainer(
        examples=example_gen.outputs["examples"], module_file=str(path), **arguments
    )
    with pytest.raises(kind, match=message):
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline("p", str(tmp_path / "out"), components=[example_gen, trainer])
        )
    assert os.listdir(tmp_path / "out" / "Trainer" / "model") == []


def test_wrong_arguments(penguins, tmp_path):
    example_gen = tfx.components.CsvExampleGen(str(penguins))
    examples = example_gen.outputs["examples"]
    with pytest.raises(ValueError, match="Exactly one of 'module_file', or 'run_fn'"):
        tfx.components.Trainer(examples=examples)
    with pytest.raises(TypeError, match="should be a Channel of type"):
        tfx.components.SchemaGen(examples)
    with pytest.raises(ValueError, match="push_destination is required"):
        tfx.components.Pusher(tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model))
    with pytest.raises(NotImplementedError, match=r"tfx\.components\.Tuner"):
        tfx.components.Tuner  # noqa: B018
    missing = tfx.components.Trainer(examples=examples, module_file=str(tmp_path / "none.py"))
    with pytest.raises(ValueError, match=r"Specified module file .* does not exist"):
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline("p", str(tmp_path / "out"), components=[example_gen, missing])
        )
    assert not (tmp_path / "out").exists()  # before anything runs

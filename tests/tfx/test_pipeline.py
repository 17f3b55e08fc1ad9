"""Components, the runner, the metadata store and ExampleGen."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys

import pytest

import torchtf as tf
from torchtf import tfx
from torchtf.ml_metadata import errors
from torchtf.ml_metadata.proto import metadata_store_pb2 as pb
from torchtf.tfx.dsl.components.common.resolver import ResolverStrategy
from torchtf.tfx.orchestration.experimental.interactive.interactive_context import (
    InteractiveContext,
)
from torchtf.tfx.orchestration.metadata import Metadata
from torchtf.tfx.orchestration.portable.mlmd import execution_lib
from torchtf.tfx.types.experimental.simple_artifacts import Dataset
from torchtf.tfx.utils.topsort import InvalidDAGError

component = tfx.dsl.components.component
InputArtifact, OutputArtifact = tfx.dsl.components.InputArtifact, tfx.dsl.components.OutputArtifact
Parameter, OutputDict = tfx.dsl.components.Parameter, tfx.dsl.components.OutputDict
String = tfx.types.standard_artifacts.String
Model, ModelBlessing = (
    tfx.types.standard_artifacts.Model,
    tfx.types.standard_artifacts.ModelBlessing,
)
calls: list[str] = []


@component
def Generate(data: OutputArtifact[Dataset], text: Parameter[str] = "abc") -> OutputDict(size=int):
    """Writes a file."""
    calls.append("Generate")
    with open(os.path.join(data.uri, "data.txt"), "w") as f:
        f.write(text)
    data.set_string_custom_property("kind", "text")
    return {"size": len(text)}


@component
def Consume(
    data: InputArtifact[Dataset], size: int, digest: OutputArtifact[String],
    algorithm: Parameter[str] = "sha256",
):  # fmt: skip
    calls.append("Consume")
    with open(os.path.join(data.uri, "data.txt"), "rb") as f:
        digest.value = hashlib.new(algorithm, f.read()).hexdigest()
    digest.set_string_custom_property("from", data.get_string_custom_property("kind"))
    digest.set_int_custom_property("size", size)


@component
def Fail(data: OutputArtifact[Dataset]):
    with open(os.path.join(data.uri, "half.txt"), "w") as f:
        f.write("half")
    raise OSError("disk full")


@component
def Train(
    model: OutputArtifact[Model], blessing: OutputArtifact[ModelBlessing], good: Parameter[int]
):
    blessing.set_int_custom_property("blessed", good)
    blessing.set_int_custom_property("current_model_id", model.id or good * 100)


def pipeline(root, components, **options):
    config = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(root / "db" / "m.db"))
    return tfx.dsl.Pipeline(
        pipeline_name="test", pipeline_root=str(root / "root"), components=components,
        metadata_connection_config=config, **options,
    )  # fmt: skip


def run(root, components, **options):
    made = pipeline(root, components, **options)
    tfx.orchestration.LocalDagRunner().run(made)
    return made


def chain(**parameters):
    first = Generate(**parameters)
    second = Consume(data=first.outputs["data"], size=first.outputs["size"], algorithm="md5")
    return first, second


def outputs_of(root, node):
    """The artifacts of the last execution of a node."""
    with Metadata(pipeline(root, []).metadata_connection_config) as metadata:
        context = metadata.store.get_context_by_type_and_name("node", f"test.{node}")
        last = metadata.store.get_executions_by_context(context.id)[-1]
        return execution_lib.get_output_artifacts(metadata, last.id), last


def test_functions_run_in_order_and_their_artifacts_are_recorded(tmp_path):
    first, second = chain()
    made = run(tmp_path, [second, first])
    assert [c.id for c in made.components] == ["Generate", "Consume"]
    outputs, execution = outputs_of(tmp_path, "Consume")
    (digest,) = outputs["digest"]
    assert digest.read() == hashlib.md5(b"abc").hexdigest()
    assert digest.uri == str(tmp_path / "root" / "Consume" / "digest" / "2" / "value")
    assert digest.get_string_custom_property("from") == "text"
    assert digest.get_int_custom_property("size") == 3
    assert execution.last_known_state == pb.Execution.COMPLETE
    assert execution.custom_properties["algorithm"].string_value == "md5"
    with sqlite3.connect(tmp_path / "db" / "m.db") as db:
        assert db.execute("SELECT schema_version FROM MLMDEnv").fetchall() == [(10,)]
        types = "SELECT name FROM Type WHERE type_kind = 1 ORDER BY name"
        assert [n for (n,) in db.execute(types)] == ["Dataset", "Integer", "String"]


def test_cache_takes_outputs_of_an_earlier_run(tmp_path):
    run(tmp_path, chain(), enable_cache=True)
    calls.clear()
    run(tmp_path, chain(), enable_cache=True)
    assert calls == []
    assert outputs_of(tmp_path, "Consume")[1].last_known_state == pb.Execution.CACHED
    run(tmp_path, chain(text="other"), enable_cache=True)  # what comes after it changes, too
    assert calls == ["Generate", "Consume"]
    run(tmp_path, chain(), enable_cache=False)
    assert calls == ["Generate", "Consume"] * 2


def test_a_component_that_fails_leaves_nothing_and_stops_the_run(tmp_path):
    with pytest.raises(OSError, match="disk full"):
        run(tmp_path, [Generate(), Fail()])
    assert os.listdir(tmp_path / "root" / "Fail" / "data") == []
    assert os.listdir(tmp_path / "root" / "Generate" / "data") == ["1"]
    assert outputs_of(tmp_path, "Fail")[1].last_known_state == pb.Execution.FAILED


def test_pipelines_that_cannot_run_are_refused(tmp_path):
    first, second = chain()
    with pytest.raises(ValueError, match="Consume references upstream node Generate"):
        pipeline(tmp_path, [second])
    with pytest.raises(RuntimeError, match="Duplicated node_id Generate"):
        pipeline(tmp_path, [Generate(), Generate()])
    assert len(pipeline(tmp_path, [Generate(), Generate().with_id("again")]).components) == 2
    first.add_upstream_node(second)
    with pytest.raises(InvalidDAGError, match="Generate, Consume"):
        pipeline(tmp_path, [first, second])
    with pytest.raises(ValueError, match="exceeds maximum allowed length: 63"):
        tfx.dsl.Pipeline("p" * 64, str(tmp_path))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Consume(size=Generate().outputs["size"]), "'data' to be a Channel"),
        (
            lambda: Consume(data=Generate().outputs["size"], size=Generate().outputs["size"]),
            "'data'",
        ),
        (lambda: Generate("abc"), "keyword arguments"),
        (lambda: Generate(other=1), "Unknown arguments to 'Generate': other"),
        (lambda: component(lambda x: None), "annotated with typehints"),
        (lambda: OutputArtifact[int], "concrete subclass of `tfx.types.Artifact`"),
        (lambda: Parameter[bytes], "JSON-compatible"),
    ],
)
def test_wrong_arguments_of_function_components(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_importer_reuses_and_resolver_finds(tmp_path):
    (tmp_path / "outside").mkdir()

    def importer(**options):
        return tfx.dsl.Importer(str(tmp_path / "outside"), Dataset, **options)

    run(tmp_path, [importer()])
    first = outputs_of(tmp_path, "Importer")[0]["result"][0].id
    run(tmp_path, [importer()])
    assert outputs_of(tmp_path, "Importer")[0]["result"][0].id == first
    run(tmp_path, [importer(reimport=True)])
    again = outputs_of(tmp_path, "Importer")[0]["result"][0].id
    assert again != first
    latest = tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestArtifactStrategy,
        data=tfx.dsl.Channel(type=Dataset),
    )
    run(tmp_path, [latest])
    assert outputs_of(tmp_path, "Resolver")[0]["data"][0].id == again
    with pytest.raises(TypeError, match="should be ResolverStrategy"):
        tfx.dsl.Resolver(strategy_class=dict)
    assert issubclass(tfx.dsl.experimental.LatestBlessedModelStrategy, ResolverStrategy)


def test_latest_blessed_model():
    strategy = tfx.dsl.experimental.LatestBlessedModelStrategy()

    def made(kind, number, **values):
        artifact = kind()
        artifact.id = number
        for key, value in values.items():
            artifact.set_int_custom_property(key, value)
        return artifact

    models = [made(Model, n) for n in (1, 2, 3)]
    blessings = [
        made(ModelBlessing, 10 + n, blessed=int(n != 3), current_model_id=n) for n in (1, 2, 3)
    ]
    chosen = strategy.resolve_artifacts(None, {"model": models, "model_blessing": blessings})
    assert [a.id for a in chosen["model"]] == [2] and [a.id for a in chosen["model_blessing"]] == [
        12
    ]
    nothing = strategy.resolve_artifacts(None, {"model": models, "model_blessing": []})
    assert nothing == {"model": [], "model_blessing": []}


def test_interactive_context_sets_channels(tmp_path):
    context = InteractiveContext(pipeline_root=str(tmp_path))
    first, second = chain()
    with pytest.raises(ValueError, match="Generate, which has not run"):
        context.run(second)
    context.run(first)
    assert context.run(second).execution_id == 2
    assert second.outputs["digest"].get()[0].read() == hashlib.md5(b"abc").hexdigest()


def test_properties_of_artifacts():
    examples = tfx.types.standard_artifacts.Examples()
    examples.splits = ["train", "eval"]
    examples.span = 3
    assert examples.split_names == '["train", "eval"]' and examples.version == 0
    with pytest.raises(AttributeError, match="Cannot set unknown property 'spam'"):
        examples.spam = 1
    with pytest.raises(ValueError, match="Expected integer value for property 'span'"):
        examples.span = "3"
    with pytest.raises(ValueError, match="Split test not found"):
        examples.path(split="test")
    examples.set_json_value_custom_property("j", [1, {"a": None}])
    assert examples.get_json_value_custom_property("j") == [1, {"a": None}]


def test_store_keeps_types_and_writes_all_or_nothing():
    with Metadata(None) as metadata:
        store = metadata.store
        kind = pb.ArtifactType(name="T", properties={"a": pb.INT})
        number = store.put_artifact_type(kind)
        assert store.put_artifact_type(kind) == number
        with pytest.raises(errors.AlreadyExistsError):
            store.put_artifact_type(pb.ArtifactType(name="T", properties={"a": pb.STRING}))
        good = pb.Artifact(type_id=number, uri="x", properties={"a": pb.Value(int_value=1)})
        bad = pb.Artifact(type_id=number, properties={"b": pb.Value(int_value=1)})
        with pytest.raises(errors.InvalidArgumentError, match="unknown property: b"):
            store.put_artifacts([good, bad])
        assert store.get_artifacts() == []
        store.put_artifacts([good])
        (found,) = store.get_artifacts_by_uri("x")
        assert found.type == "T" and found.properties["a"].int_value == 1


# --- ExampleGen ---------------------------------------------------------------
ONE_SPLIT = tfx.proto.Output(
    split_config=tfx.proto.SplitConfig(
        splits=[tfx.proto.SplitConfig.Split(name="all", hash_buckets=1)]
    )
)


def examples_of(root, **arguments):
    run(root, [tfx.components.CsvExampleGen(**arguments)])
    return outputs_of(root, "CsvExampleGen")[0]["examples"][0]


def read(examples, split):
    files = tf.io.gfile.glob(os.path.join(examples.uri, f"Split-{split}", "*"))
    return [
        tf.train.Example.FromString(r.numpy())
        for r in tf.data.TFRecordDataset(files, compression_type="GZIP")
    ]


def test_rows_go_to_splits_by_their_hash(tmp_path, penguins):
    examples = examples_of(tmp_path, input_base=str(penguins))
    assert examples.splits == ["train", "eval"]
    assert os.listdir(tmp_path / "root/CsvExampleGen/examples/1/Split-train") == [
        "data_tfrecord-00000-of-00001.gz"
    ]
    train, evaluation = read(examples, "train"), read(examples, "eval")
    assert len(train) + len(evaluation) == 150 and 80 < len(train) < 120
    for split, allowed in ((train, (0, 1)), (evaluation, (2,))):
        for example in split:
            digest = hashlib.sha256(example.SerializeToString(deterministic=True)).hexdigest()
            assert int(digest, 16) % 3 in allowed


def test_types_and_missing_cells_of_csv(tmp_path):
    (tmp_path / "data").mkdir()
    text = 'i,f,s,none,quoted\n1,2,x,,"a, b"\n,0.5,3,,"line\nbreak"\n'
    (tmp_path / "data" / "a.csv").write_text(text)
    examples = examples_of(tmp_path, input_base=str(tmp_path / "data"), output_config=ONE_SPLIT)
    first, second = (e.features.feature for e in read(examples, "all"))
    assert first["i"].int64_list.value == [1] and first["f"].float_list.value == [2.0]
    assert first["s"].bytes_list.value == [b"x"] and first["none"].WhichOneof("kind") is None
    assert first["quoted"].bytes_list.value == [b"a, b"]
    assert second["i"].WhichOneof("kind") == "int64_list" and second["i"].int64_list.value == []
    assert second["quoted"].bytes_list.value == [b"line\nbreak"]


def test_splits_by_a_feature_and_buckets(tmp_path, penguins):
    split = tfx.proto.SplitConfig.Split
    config = tfx.proto.SplitConfig(
        splits=[split(name="a", hash_buckets=1), split(name="b", hash_buckets=1)],
        partition_feature_name="species",
    )
    examples = examples_of(
        tmp_path, input_base=str(penguins), output_config=tfx.proto.Output(split_config=config)
    )
    species = [
        {e.features.feature["species"].bytes_list.value[0] for e in read(examples, s)} for s in "ab"
    ]
    assert not species[0] & species[1] and len(species[0] | species[1]) == 3


def test_spans_versions_and_dates(tmp_path):
    for name in ("s1/v1", "s1/v2", "s2/v1"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "a.csv").write_text(f"x\n{name}\n")
    split = tfx.proto.Input.Split(name="all", pattern="s{SPAN}/v{VERSION}/*")
    arguments = {
        "input_base": str(tmp_path / "data"), "input_config": tfx.proto.Input(splits=[split]),
        "output_config": ONE_SPLIT,
    }  # fmt: skip
    examples = examples_of(tmp_path, **arguments)
    assert (examples.span, examples.version) == (2, 1)
    chosen = tfx.proto.RangeConfig(
        static_range=tfx.proto.StaticRange(start_span_number=1, end_span_number=1)
    )
    examples = examples_of(tmp_path, range_config=chosen, **arguments)
    assert (examples.span, examples.version) == (1, 2)
    assert read(examples, "all")[0].features.feature["x"].bytes_list.value == [b"s1/v2"]


@pytest.mark.parametrize(
    "text, kind, message",
    [
        ("a,b\n1,2\n3\n", ValueError, r"Invalid CSV line: \['3'\].*line 3"),
        ("", ValueError, "has no header"),
        ('a,b\n1,"2\n', ValueError, "Invalid CSV line"),
        (None, RuntimeError, "does not match any files"),
    ],
)
def test_bad_csv_files_are_named(tmp_path, text, kind, message):
    (tmp_path / "data").mkdir()
    if text is not None:
        (tmp_path / "data" / "a.csv").write_text(text)
    with pytest.raises(kind, match=message):
        examples_of(tmp_path, input_base=str(tmp_path / "data"))
    assert os.listdir(tmp_path / "root" / "CsvExampleGen" / "examples") == []


def test_configurations_that_do_not_go_together(penguins):
    inputs = tfx.proto.Input(
        splits=[tfx.proto.Input.Split(name=n, pattern=f"{n}/*") for n in ("a", "b")]
    )
    config = tfx.proto.SplitConfig(splits=[tfx.proto.SplitConfig.Split(name="a", hash_buckets=1)])
    outputs = tfx.proto.Output(split_config=config)
    with pytest.raises(RuntimeError, match="more than one split"):
        tfx.components.CsvExampleGen(str(penguins), input_config=inputs, output_config=outputs)
    with pytest.raises(ValueError, match="Missing argument 'input_base'"):
        tfx.components.CsvExampleGen()


def test_import_example_gen_takes_records(tmp_path, penguins):
    source = examples_of(tmp_path, input_base=str(penguins))
    split = tfx.proto.Input.Split
    inputs = tfx.proto.Input(
        splits=[split(name=n, pattern=f"Split-{n}/*") for n in ("train", "eval")]
    )
    run(tmp_path, [tfx.components.ImportExampleGen(source.uri, input_config=inputs)])
    copied = outputs_of(tmp_path, "ImportExampleGen")[0]["examples"][0]
    assert copied.splits == ["train", "eval"] and read(copied, "eval") == read(source, "eval")


def test_under_their_own_names(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "from tfx import v1 as tfx\n"
        "import tfx.v1.dsl.components as components\n"
        "from tfx.components.example_gen import CsvExampleGen\n"
        "from tfx_bsl.public import tfxio\n"
        "from ml_metadata.proto import metadata_store_pb2\n"
        "import tensorflow_data_validation as tfdv\n"
        "import torchtf.tfx\n"
        "assert tfx.components.CsvExampleGen is CsvExampleGen is torchtf.tfx.components.CsvExampleGen\n"
        "assert components.component is torchtf.tfx.dsl.components.component\n"
        "print(tfdv.__name__, metadata_store_pb2.__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torchtf", str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "torchtf.tensorflow_data_validation", "torchtf.ml_metadata.proto.metadata_store_pb2",
    ]  # fmt: skip

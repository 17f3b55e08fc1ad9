"""`tf.io`'s codecs, `tf.make_tensor_proto`, files and records against TensorFlow."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest
import tensorflow

import torchtf
from tests.oracle import cases, each, strings

INPUTS = {"s": strings("hello??>>", "", "abc"), "zlib": zlib, "gzip": gzip}


@cases(INPUTS, [
    *each("tf.io.decode_raw({})", ["[b'\\x01\\0\\x02\\0'], tf.int16", "b'\\x01\\0\\x02', tf.int16",
          "[b'ab', b'c'], tf.uint8", "b'\\0\\x01', tf.int16, little_endian=False", "'ab', tf.string",
          "['abc', 'd'], tf.uint8, fixed_length=2", "['abc', 'd'], tf.int16, fixed_length=3",
          "b'', tf.uint8", "b'\\0\\x01', tf.bool", "[['ab'], ['cd']], tf.uint8",
          "b'\\x80?', tf.bfloat16"]),
    "tf.io.encode_base64(s)", "tf.io.encode_base64(s, pad=True)",
    "tf.io.decode_base64(tf.io.encode_base64(s))",
    *each("tf.io.decode_base64('{}')", ["YQ", "YQ==", "Y", "a+b/", "!!!!"]),
    *each("tf.io.decode_compressed({})", ["zlib.compress(b'hi'), 'ZLIB'", "b'hi'", "b'hi', 'ZLIB'",
          "gzip.compress(b'hi'), 'GZIP'", "b'hi', 'X'"]),
    *each("tf.io.decode_csv({})", ["['1,a,2.5', '3,,4'], [0, 'd', 0.]", "'1,\"a,b\",2', [0, '', 0]",
          "'1,\"a\"\"b\",2', [0, '', 0]", "'1,2', [0]", "'x,2', [0, 0]", "',2', [tf.int32, 0]",
          "',2', [tf.constant([], tf.int32), 0]", "'NA,2', [7, 0], na_value='NA'",
          "'1;2', [0, 0], field_delim=';'", "'1,2,3', [0], select_cols=[1]",
          "'1,2,3', [0, 0], select_cols=[1]", "'1,2,3', [0], select_cols=[5]", "'1,\"2', [0, '']",
          "'1,a\"b', [0, '']", "'1,\"2\"', [0, ''], use_quote_delim=False", "' 1 , 2.5', [0, 0.]",
          "'1.5,2', [0, 0]", "'1,', [0, 'z']", "'3000000000,1', [0, 0]", "'', ['x']",
          "[['1,2'], ['3,4']], [0, 0.]", "'1\\t2', [0, 0], field_delim='\\t'",
          "'1,2', [0, 0], select_cols=[1, 0]", "'1,2', [[0], [0]]", "'1,\"2\"3\",4', [['']] * 3",
          "'1\\n2', [['']]", "'\\n\\r1,\\n2', [[''], ['']]", "'1,2,a\"b', [0], select_cols=[1]",
          "'1,2', [0, 0], select_cols=[0, 5]", "'1,2', [0], select_cols=[]", "'1,x', [0, 0.]",
          "'1,2,3,', [0], select_cols=[3]", "['1,x', '3'], [0, 0]", "',\\n', [['a'], ['b']]",
          "'1,2', [[0, 1], 0]", "'1,2', [[[0]], 0]", "'1,2', [True, 0]", "'0x10,nan(1)', [0., 0.]",
          "'1,2', [0, 0], field_delim='--'", "'1,2', []", "tf.constant([], tf.string), [0, '']"]),
    *each("tf.io.serialize_tensor({})", ["tf.constant([[1, 2], [3, 4]])", "tf.constant(['a', 'b'])",
          "tf.constant(1.5)", "tf.constant([True, False])", "tf.zeros([0, 3])", "'a'",
          "tf.cast(tf.constant([1, 2]), tf.bfloat16)", "tf.constant(1 + 2j)"]),
    *each("x = {}\ntf.io.parse_tensor(tf.io.serialize_tensor(x), x.dtype)", [
          "tf.constant([[1, 2], [3, 4]])", "tf.constant(['a', 'b'])", "tf.constant(1.5)",
          "tf.zeros([0, 3])", "tf.cast(tf.constant([1, 2]), tf.bfloat16)", "tf.constant(1 + 2j)"]),
    "tf.io.parse_tensor(tf.io.serialize_tensor(1), tf.float32)",
    "tf.io.parse_tensor('junk', tf.float32)", "tf.io.parse_tensor(['a'], tf.float32)",
    "tf.io.decode_json_example('{bad')",
], traced=False)  # fmt: skip
def test_codecs(case):
    case.check()


_OPEN = """
f = tf.function(lambda s: {}, input_signature=[tf.TensorSpec({}, tf.string)])
str(f.get_concrete_function().structured_outputs.shape), f({})
"""
FLOATS, TENSOR = "np.ones(3, 'float32').tobytes()", "tf.io.serialize_tensor(tf.ones([2, 3]))"


@cases({}, [
    _OPEN.format("tf.io.decode_raw(s, tf.float32)", "[]", FLOATS),
    _OPEN.format("tf.io.decode_raw(s, tf.float32) + 1.", "[None]", f"[{FLOATS}] * 2"),
    _OPEN.format("tf.io.decode_raw(s, tf.float32, fixed_length=8)", "[None]", f"[{FLOATS}]"),
    _OPEN.format("tf.io.decode_raw(s, tf.float32)", "None", FLOATS),
    _OPEN.format("tf.io.parse_tensor(s, tf.float32)", "[]", TENSOR),
    _OPEN.format("tf.reshape(tf.io.parse_tensor(s, tf.float32), [3, 2])", "[]", TENSOR),
    _OPEN.format("tf.ensure_shape(tf.io.parse_tensor(s, tf.float32), [None, 3])", "[]", TENSOR),
    _OPEN.format("(lambda x: x.set_shape([None, None]) or x)(tf.io.parse_tensor(s, tf.float32)) + 1.",
                 "[]", TENSOR),
    f"[*tf.data.Dataset.from_tensors({TENSOR}).map(lambda s: tf.io.parse_tensor(s, tf.float32))]",
    "tf.function(lambda s: tf.io.decode_csv(s, [tf.constant([0.5]), tf.constant([], tf.float32)]))("
    "['1,2', ',3', 'nan,1'])",
    "tf.function(lambda s, d: tf.io.decode_csv(s, [d, [1]]))(['a,1', ','], tf.constant(['b']))",
], traced=False)  # fmt: skip
def test_shapes_of_decoded_data_in_a_function(case):
    case.check()


PROTOS = ["1", "1.5", "[1, 2]", "'a'", "['a', 'b']", "[[1., 2.]]", "True", "[1, 2], tf.float64",
          "1, shape=[2, 2]", "[1, 2], shape=[2, 1]", "1, tf.float16", "np.array([1, 2], 'uint8')",
          "1 + 2j", "[]", "None", "[1, 2, 3], shape=[2]", "[1, 2], shape=[2, 1], verify_shape=True",
          "tf.constant([1, 2])", "3, tf.bfloat16", "2**40", "[1.5], tf.int32"]  # fmt: skip


@cases(
    {},
    [
        *each("tf.make_tensor_proto({}).SerializeToString()", PROTOS),
        *each("tf.make_ndarray(tf.make_tensor_proto({}))", PROTOS),
    ],
    traced=False,
)
def test_tensor_protos(case):
    case.check()


FILES = [
    "tf.io.write_file(d + '/a/b.txt', 'hi'); tf.io.read_file(d + '/a/b.txt')",
    "tf.io.read_file(d + '/nope')", "tf.io.read_file(d)", "tf.io.read_file([d])",
    "tf.io.write_file(d + '/x', ['a'])", "tf.io.matching_files(d + '/none*')",
    *each("tf.io.gfile.{}", ["exists(d)", "isdir(d)", "isdir(d + '/f')", "listdir(d + '/zz')",
          "mkdir(d)", "mkdir(d + '/q/r')", "makedirs(d + '/q/r')", "remove(d + '/nope')",
          "rmtree(d + '/nope')", "copy(d + '/f', d + '/f')", "copy(d + '/nope', d + '/e')",
          "copy(d + '/f', d + '/f2', overwrite=True)", "rename(d + '/f', d + '/g')",
          "rename(d + '/nope', d + '/e')", "rename(d + '/f', d + '/sub')", "stat(d + '/nope')",
          "stat(d + '/f').length", "stat(d).is_directory", "join('a', 'b')", "exists('foo://x')"]),
    "[x[len(d):] for x in sorted(tf.io.gfile.glob(d + '/*'))]",
    "[x[len(d):] for x in tf.io.gfile.glob([d + '/s*/*', d + '/f'])]",
    "sorted((a[len(d):], sorted(b), sorted(c)) for a, b, c in tf.io.gfile.walk(d))",
    *each("with_file = lambda m, f: f(tf.io.gfile.GFile(d + '/f', m))\nwith_file({})", [
          "'r', lambda x: x.read()", "'rb', lambda x: x.read(3)", "'r', lambda x: x.readlines()",
          "'r', lambda x: [x.readline(), x.tell(), x.size()]", "'r', lambda x: list(x)",
          "'r', lambda x: (x.seek(7), x.read())", "'r', lambda x: x.write('a')",
          "'w', lambda x: x.read()", "'q', lambda x: 1", "'rb', lambda x: (x.mode, x.seekable())"]),
    "tf.io.gfile.GFile(d + '/nope').read()", "tf.io.gfile.GFile(d + '/no/t', 'w').write('a')",
]  # fmt: skip


@cases({}, FILES, traced=False)
def test_files(case, tmp_path, monkeypatch):
    outcomes = []
    for tf in (tensorflow, torchtf):
        folder = tmp_path / tf.__name__
        (folder / "sub").mkdir(parents=True)
        (folder / "f").write_text("héllo\nworld\n", encoding="utf-8")
        (folder / "sub" / "g").write_text("x")
        scope = {"tf": tf, "d": str(folder)}
        *first, last = case.code.replace("; ", "\n").split("\n")
        try:
            exec("\n".join(first), scope)
            outcomes.append(eval(last, scope))
        except Exception as e:
            outcomes.append(type(e).__name__)
    want, have = (o.numpy() if hasattr(o, "numpy") else o for o in outcomes)
    np.testing.assert_equal(have, want)


@pytest.mark.parametrize("kind", ["", "GZIP", "ZLIB", None])
def test_either_reads_the_records_of_the_other(tmp_path, kind):
    records = [b"", b"abc", b"x" * 70_000]
    for writer, reader in ((torchtf, tensorflow), (tensorflow, torchtf)):
        path = str(tmp_path / writer.__name__)
        options = writer.io.TFRecordOptions(kind, compression_level=9)
        with writer.io.TFRecordWriter(path, options) as file:
            for record in records:
                file.write(record)
        dataset = reader.data.TFRecordDataset(path, compression_type=kind)
        assert [r.numpy() for r in dataset] == records


def test_writer_options_and_errors(tmp_path):
    path = str(tmp_path / "file")
    with pytest.raises(ValueError, match="compression_type"):
        torchtf.io.TFRecordOptions("X")
    with pytest.raises(torchtf.errors.NotFoundError):
        torchtf.io.TFRecordWriter(str(tmp_path / "no" / "file"))
    writer = torchtf.io.TFRecordWriter(path, "GZIP")
    with pytest.raises(TypeError):
        writer.write(5)
    writer.write("text")
    writer.flush()
    writer.close()
    writer.close()
    with pytest.raises(torchtf.errors.FailedPreconditionError):
        writer.write(b"a")


def test_a_failed_copy_leaves_nothing_behind(tmp_path):
    with pytest.raises(torchtf.errors.NotFoundError):
        torchtf.io.gfile.copy(str(tmp_path / "nope"), str(tmp_path / "to"))
    assert list(tmp_path.iterdir()) == []

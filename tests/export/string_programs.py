"""Functions on strings, the same text for torchtf and TensorFlow."""

from __future__ import annotations

import numpy as np


def programs(tf) -> dict:
    """Functions with their input specs and arguments: ``name -> (function, specs, arguments)``."""
    found: dict = {}
    text = tf.TensorSpec([None], tf.string, name="text")
    words = tf.constant(["Hello, World foo", "a  b", "", "Ünï çode 12"])

    def program(specs, *arguments):
        def add(function):
            found[function.__name__] = function, specs, arguments
            return function

        return add

    @program([text], words)
    def texts(s):
        strings = tf.strings
        return {
            "lower": strings.lower(s),
            "upper": strings.upper(s, "utf-8"),
            "length": strings.length(strings.strip(s)),
            "characters": strings.length(s, "UTF8_CHAR"),
            "substr": strings.substr(s, 0, 3),
            "join": strings.join([s, "x", s], "-"),
            "plus": s + "!",
            "regex": strings.regex_replace(s, "[aeiou]", r"<\0>"),
            "match": strings.regex_full_match(s, "a.*"),
            "fast": strings.to_hash_bucket_fast(s, 100),
            "strong": strings.to_hash_bucket_strong(s, 100, [1, 2]),
            "hash": strings.to_hash_bucket(s, 100),
            "reduced": strings.reduce_join(strings.bytes_split("abc"), separator=" "),
            "base64": tf.io.decode_base64(tf.io.encode_base64(s)),
        }

    @program([text], words)
    def parts(s):
        ragged = tf.strings.split(s)
        return {
            "padded": ragged.to_tensor("#"),
            "empty": ragged.to_tensor(),
            "counts": ragged.row_lengths(),
            "joined": tf.strings.reduce_join(ragged, axis=-1, separator="+"),
            "commas": tf.strings.split(s, ",").flat_values,
            "bytes": tf.strings.bytes_split(s).to_tensor(),
            "ngrams": tf.strings.ngrams(ragged, 2, separator="_").to_tensor(),
            "sparse": ragged.to_sparse().indices,
        }

    @program([text], words)
    def characters(s):
        points = tf.strings.unicode_decode(s, "UTF-8")
        return {
            "points": points.to_tensor(),
            "split": tf.strings.unicode_split(s, "UTF-8").to_tensor("_"),
            "encoded": tf.strings.unicode_encode(points, "UTF-16-BE"),
            "transcoded": tf.strings.unicode_transcode(s, "UTF-8", "UTF-16-BE"),
        }

    floats = tf.TensorSpec([None], tf.float32, name="x")

    @program([tf.TensorSpec([None], tf.string, name="n"), floats], ["1.5", " -3 "], [1.5, -2.25])
    def numbers(n, x):
        return {
            "read": tf.strings.to_number(n) * x,
            "fixed": tf.strings.as_string(x, precision=2),
            "integers": tf.strings.as_string(tf.cast(x, tf.int32)),
            "booleans": tf.strings.as_string(x > 0),
            "format": tf.strings.format("x is {}!", x),
            "labels": tf.gather(tf.constant(["cat", "dog", "emu"]), tf.cast(x > 0, tf.int32)),
            "classes": tf.constant(["a", "b"]),
        }

    keys = tf.constant(["a", "b", "foo"])
    ids = tf.constant([1, 2, 3], tf.int64)
    initializer = tf.lookup.KeyValueTensorInitializer
    index = tf.lookup.StaticHashTable(initializer(keys, ids), -1)
    name = tf.lookup.StaticHashTable(initializer(ids, keys), "?")
    vocabulary = tf.lookup.StaticVocabularyTable(initializer(keys, ids - 1), 3)
    mutable = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, [0.0, 0.0])
    mutable.insert(keys[:2], [[1.0, 2.0], [3.0, 4.0]])
    dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.float32, -1.0, -1, -2)
    dense.insert(ids, [0.1, 0.2, 0.3])

    @program([text], ["a", "foo", "zz"])
    def lookups(s):
        return {
            "index": index.lookup(s),
            "name": name.lookup(index.lookup(s)),
            "vocabulary": vocabulary.lookup(s),
            "mutable": mutable.lookup(s),
            "dense": dense.lookup(index.lookup(s) + 1),
            "ragged": index.lookup(tf.strings.split(s)).to_tensor(),
        }

    def example(i):
        feature, train = tf.train.Feature, tf.train
        return train.Example(
            features=train.Features(
                feature={
                    "x": feature(float_list=train.FloatList(value=[i, i + 1.0])),
                    "t": feature(bytes_list=train.BytesList(value=[b"a", b"bc"][:i])),
                    "v": feature(float_list=train.FloatList(value=[0.5] * i)),
                    "raw": feature(bytes_list=train.BytesList(value=[b"\0\1\2\0"])),
                }
            )
        ).SerializeToString()

    def sequence(i):
        feature, train = tf.train.Feature, tf.train
        steps = [feature(int64_list=train.Int64List(value=[i, n])) for n in range(i)]
        return train.SequenceExample(
            context=train.Features(feature={"a": feature(float_list=train.FloatList(value=[i]))}),
            feature_lists=train.FeatureLists(feature_list={"t": train.FeatureList(feature=steps)}),
        ).SerializeToString()

    context = {"a": tf.io.FixedLenFeature([], tf.float32)}
    steps = {"t": tf.io.FixedLenSequenceFeature([2], tf.int64)}

    @program([tf.TensorSpec([None], tf.string, name="sequences")], [sequence(1), sequence(3)])
    def sequences(sequences):
        found, lists, lengths = tf.io.parse_sequence_example(sequences, context, steps)
        return {"a": found["a"], "t": lists["t"], "lengths": lengths["t"]}

    @program([tf.TensorSpec([], tf.string, name="sequence")], sequence(2))
    def one_sequence(sequence):
        found, lists = tf.io.parse_single_sequence_example(sequence, context, steps)
        return {"a": found["a"], "t": lists["t"]}

    @program([tf.TensorSpec([None], tf.string, name="examples")], [example(0), example(2)])
    def protos(examples):
        found = tf.io.parse_example(
            examples,
            {
                "x": tf.io.FixedLenFeature([2], tf.float32),
                "t": tf.io.VarLenFeature(tf.string),
                "n": tf.io.FixedLenFeature([], tf.int64, default_value=3),
                "v": tf.io.RaggedFeature(tf.float32),
                "q": tf.io.FixedLenFeature([2], tf.string, default_value=["u", "w"]),
                "raw": tf.io.FixedLenFeature([], tf.string),
            },
        )
        return {
            "x": found["x"] * 2,
            "t": tf.sparse.to_dense(found["t"], default_value=""),
            "n": found["n"],
            "v": found["v"].to_tensor(),
            "q": found["q"],
            "raw": tf.io.decode_raw(found["raw"], tf.int16),
        }

    @program([tf.TensorSpec([], tf.string, name="one")], example(1))
    def one_proto(one):
        sequence = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
        features = {"x": tf.io.FixedLenFeature([2], tf.float32), "v": sequence}
        return tf.io.parse_single_example(one, features)

    @program([text], ["1,2.5,a", "3,,b"])
    def rows(s):
        first, second, third = tf.io.decode_csv(s, [0, 1.5, "z"])
        return {"first": first, "second": second, "third": third}

    pixels = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
    image = tf.io.encode_png(tf.constant(pixels))

    @program([tf.TensorSpec([None], tf.string, name="files")], tf.stack([image, image]))
    def images(files):
        def one(file):
            decoded = tf.io.decode_image(file, channels=3, expand_animations=False)
            return tf.image.resize(tf.cast(decoded, tf.float32) / 255, [4, 4])

        return tf.map_fn(one, files, fn_output_signature=tf.TensorSpec([4, 4, 3], tf.float32))

    @program([text], words)
    def moved(s):
        unique, places = tf.unique(tf.concat([s, s], 0))
        return {
            "where": tf.where(tf.strings.length(s) > 4, s, "short"),
            "equal": tf.equal(s, "a  b"),
            "concat": tf.concat([s, s[:1]], 0),
            "gather": tf.gather(s, [2, 0]),
            "stack": tf.stack([s, tf.strings.lower(s)], 1),
            "tile": tf.tile(s[:1], [3]),
            "reverse": tf.reverse(s, [0]),
            "pad": tf.pad(s, [[1, 0]]),
            "mask": tf.boolean_mask(s, tf.strings.length(s) > 3),
            "zeros": tf.zeros_like(s),
            "fill": tf.fill(tf.shape(s), "q"),
            "unique": unique,
            "places": places,
        }

    @program([tf.TensorSpec([], tf.string, name="s")], "yes")
    def controlled(s):
        s = tf.cond(s == "yes", lambda: tf.strings.join([s, "!"]), lambda: s)
        for i in tf.range(3):
            s = s + tf.strings.as_string(i)
        return s

    return found


def answers(tf, functions: dict, model=None) -> dict:
    """What the programs answer, or the signatures of a model: ``name -> {output: array}``."""
    found = {}
    for key, (function, specs, arguments) in functions.items():
        tensors = [tf.constant(a, s.dtype) for a, s in zip(arguments, specs, strict=True)]
        if model is None:
            results = tf.function(function, input_signature=specs)(*tensors)
        else:
            named = {s.name: t for s, t in zip(specs, tensors, strict=True)}
            results = model.signatures[key](**named)
        results = results if isinstance(results, dict) else {"output_0": results}
        found[key] = {name: np.asarray(t.numpy()) for name, t in results.items()}
    return found


def differences(want: dict, got: dict) -> list[str]:
    """Where two answers differ."""
    found = []
    for key, outputs in want.items():
        for name, a in outputs.items():
            b = got[key][name]
            same = a.shape == b.shape and a.dtype.kind == b.dtype.kind
            if not same or not (np.allclose(a, b) if a.dtype.kind == "f" else (a == b).all()):
                found.append(f"{key}/{name}: {a!r} and {b!r}")
    return found

"""`tf.strings` against TensorFlow."""

from __future__ import annotations

import numpy as np

from tests.oracle import case, cases, each, strings

INPUTS = {
    "s": strings("abc", "", " Wörld \t", "hello big world", "x,y,,z"),
    "t": strings("A", "b c", "ÄÖ", "1", "e"),
    "grid": strings("ab", "cd", "ef", "gh").reshape(2, 2),
    "bad": strings(b"a\xffb\xe4\xb8", b"\xc3\xe4\xb8\xadz\xed\xa0\x80\xc0\x80", b"a\xf0\x90b\x01"),
    "numbers": strings("1", " -3 ", "+7"),
    "reals": strings("1", "1.5", " 1e3 ", "0x10", "inf", "-Infinity"),
    "floats": np.array([0.1, 1, 123456.789, 1e10, 1e-10, np.nan, np.inf, -np.inf, -0.0], "float32"),
    "doubles": np.array([0.1, 1e20, -3.14159265358979], "float64"),
    "ints": np.array([1, -2, 300], "int32"),
    "long": strings(*("ab" * i for i in range(0, 160, 3))),
    "points": np.array([[104, 233], [20013, 0x1F600], [-1, 0xD800]], "int32"),
}


@cases(INPUTS, [
    *each("tf.strings.{}(s)", "lower upper strip length bytes_split split"),
    *each("tf.strings.{}(t, encoding='utf-8')", "lower upper"),
    *each("tf.strings.{}(bad, encoding='utf-8')", "lower upper"),
    "tf.strings.lower(s, encoding='x')",
    "tf.strings.lower(1)", "tf.strings.lower(ints)", "tf.strings.lower(None)",
    *each("tf.strings.length({}, unit='UTF8_CHAR')", "s bad"), "tf.strings.length(s, unit='X')",
    "tf.strings.join([s, t])", "tf.strings.join([s, '-', t], separator='|')",
    "tf.strings.join([])", "tf.strings.join([s, t[:2]])", "tf.strings.join('ab')",
    "tf.strings.join(['a', 1])", "tf.strings.join([s, tf.constant([1])])", "tf.strings.join(['a'], tf.constant(','))", "s + t", "'x' + s",
    *each("tf.strings.reduce_join(grid, {})", ["", "0", "1", "-1", "[0, 1]", "[1, 0]", "[]", "3",
          "[0, 0]", "0, True, '-'", "None, True"]),
    "tf.strings.reduce_join('a')",
    "tf.strings.substr(s[3:], 1, 3)", "tf.strings.substr('hello', -3, 2)",
    "tf.strings.substr('hello', 6, 1)", "tf.strings.substr('hello', 5, 1)",
    "tf.strings.substr(grid, [0, 1], [1, 1])", "tf.strings.substr('hello', [0, 1], [1, 2])",
    "tf.strings.substr(grid, 0, [1, 2])", "tf.strings.substr(grid, [0, 1, 2], [1, 1, 1])",
    "tf.strings.substr('wörld', 1, 3, unit='UTF8_CHAR')", "tf.strings.substr('hello', 1, -1)",
    "tf.strings.substr('a', 0, 1, unit='X')",
    "tf.strings.unsorted_segment_join(s, [0, 1, 0, 2, 2], 4, separator='-')",
    "tf.strings.unsorted_segment_join(grid, [0, 0], 1)",
    "tf.strings.unsorted_segment_join(s, [0, 1, 9, 2, 2], 4)",
    "tf.strings.unsorted_segment_join(s, [0, 1, -1, 2, 2], 4)",
])  # fmt: skip
def test_basics(case):
    case.check()


@cases(INPUTS, [
    r"tf.strings.regex_replace(s, 'l(.)', r'<\1\0>')",
    "tf.strings.regex_replace(s, '[a-z]', 'X', replace_global=False)",
    "tf.strings.regex_replace(s, '', '-')", "tf.strings.regex_replace(t, '', '-')",
    "tf.strings.regex_replace(s, 'b*', '-')", r"tf.strings.regex_replace(s, 'a', r'\9')",
    r"tf.strings.regex_replace(s, 'a', '\\\\')", "tf.strings.regex_replace(s, '(', 'b')",
    "tf.strings.regex_replace(s, '[^a-z]', '')", "tf.strings.regex_replace(s, ['a'], 'b')",
    "tf.strings.regex_replace(s, tf.constant('l+'), tf.constant('L'))",
    "tf.strings.regex_replace(s, '^', '>')", r"tf.strings.regex_replace(s, r'\b', '|')",
    r"tf.strings.regex_replace(s, r'\s+', '')", "tf.strings.regex_replace(bad, 'b', 'c')",
    "tf.strings.regex_full_match(s, '[a-z ]+')", "tf.strings.regex_full_match(s, '(')",
    "tf.strings.regex_full_match('a\\n', 'a.')", "tf.strings.regex_full_match(s, ['a'])",
])  # fmt: skip
def test_regular_expressions(case):
    case.check()


@cases(INPUTS, [
    "tf.strings.split(s, ',')", "tf.strings.split(s, ',', maxsplit=1)",
    "tf.strings.split(s, maxsplit=1)", "tf.strings.split(s, maxsplit=0)",
    "tf.strings.split('a b  c')", "tf.strings.split('', ',')", "tf.strings.split('')",
    "tf.strings.split(grid)", "tf.strings.split(grid, 'b')", "tf.strings.split(s, ['a'])",
    "tf.strings.split(tf.ragged.constant([['a b'], []]))", "tf.strings.bytes_split('abc')",
    "tf.strings.bytes_split(grid)",
    *each("tf.strings.ngrams(s, {})", ["2", "[1, 2]", "2, pad_values='x'", "0", "9",
          "3, pad_values=('L', 'R'), padding_width=1", "9, preserve_short_sequences=True",
          "2, separator='|'", "2, pad_values=5", "2, pad_values='x', padding_width=-1"]),
    "tf.strings.ngrams('a', 2)", "tf.strings.ngrams(grid, [1, 2], pad_values='x')",
    "tf.strings.ngrams(tf.ragged.constant([['a', 'b', 'c'], ['d'], []]), [2, 3], pad_values='p')",
    "tf.strings.ngrams(tf.ragged.constant([['a', 'b', 'c'], ['d'], []]), 2,"
    " preserve_short_sequences=True)",
    "tf.strings.ngrams(tf.ragged.constant([[['a', 'b'], ['c']], [['d']]]), 2)",
])  # fmt: skip
def test_splitting(case):
    case.check()


@cases(INPUTS, [
    *each("tf.strings.to_number(numbers, tf.{})", "float32 float64 int32 int64 int16"),
    *each("tf.strings.to_number(reals, tf.{})", "float32 float64 int32"),
    *each("tf.strings.to_number('{}')", ["abc", "", "1_0", "1.5f", "nan"]),
    *each("tf.strings.to_number('{}', tf.int32)", ["3000000000", "1.5", "-1"]),
    "tf.strings.to_number('-1', tf.uint32)",
    *each("tf.strings.as_string(floats{})", ["", ", precision=3", ", scientific=True",
          ", shortest=True", ", width=12, fill='0'", ", width=12", ", fill='x'", ", fill='ab'",
          ", scientific=True, shortest=True", ", width=9, fill='+'"]),
    *each("tf.strings.as_string(doubles{})", ["", ", precision=10", ", shortest=True"]),
    *each("tf.strings.as_string(ints{})", ["", ", width=5, fill='0'", ", width=5", ", precision=2",
          ", width=5, fill='-'", ", width=5, fill='+'", ", scientific=True"]),
    *each("tf.strings.as_string({})", ["True", "tf.constant(1 + 2j)", "2**40", "'abc', width=5",
          "tf.constant(1.1, tf.float16)", "tf.constant(1.1, tf.bfloat16)",
          "tf.constant([1, 255], tf.uint8)", "tf.ragged.constant([[1], [2, 3]])"]),
    "tf.as_string(ints)",
])  # fmt: skip
def test_numbers(case):
    case.check()


@cases(INPUTS, [
    *each("tf.strings.to_hash_bucket({}, 2**60)", "long s bad"),
    *each("tf.strings.to_hash_bucket_fast({}, 2**60)", "long s bad grid"),
    *each("tf.strings.to_hash_bucket_strong({}, 2**60, [1, 2**62])", "long s bad"),
    "tf.strings.to_hash_bucket_fast(s, 7)", "tf.strings.to_hash_bucket_fast(s, 0)",
    "tf.strings.to_hash_bucket_strong(s, 7, [1])",
])  # fmt: skip
def test_hashes(case):
    case.check()


@cases(INPUTS, [
    *each("tf.strings.unicode_decode({}, 'UTF-8')", "s t grid bad 'é'"),
    *each("tf.strings.unicode_decode_with_offsets({}, 'UTF-8')", "s bad 'é'"),
    *each("tf.strings.unicode_split({}, 'UTF-8')", "s t bad"),
    case("tf.strings.unicode_split('é', 'UTF-8')", traced=False),
    "tf.strings.unicode_split_with_offsets(s, 'UTF-8')",
    *each("tf.strings.unicode_decode(bad, 'UTF-8', {})", ["errors='ignore'", "errors='strict'",
          "replacement_char=63", "replace_control_characters=True", "errors='x'"]),
    *each("tf.strings.unicode_decode(bad, '{}')", ["bogus", "ISO-8859-1"]),
    "tf.strings.unicode_decode(tf.strings.unicode_transcode(t, 'UTF-8', 'UTF-16-BE'), 'UTF-16-BE')",
    "tf.strings.unicode_decode_with_offsets('h\\0é'.encode('utf-16-be'), 'UTF-16-BE')",
    "tf.strings.unicode_decode('é'.encode('utf-32-be'), 'UTF-32-BE')",
    "tf.strings.unicode_decode(b'\\xa4\\xa2', 'EUC-JP')",
    *each("tf.strings.unicode_encode(points, '{}')", ["UTF-8", "UTF-16-BE", "UTF-32-BE", "X"]),
    *each("tf.strings.unicode_encode(points, 'UTF-8', {})", ["errors='ignore'", "errors='strict'",
          "replacement_char=63"]),
    "tf.strings.unicode_encode(65, 'UTF-8')",
    "tf.strings.unicode_encode(tf.ragged.constant([[104], [233, 20013]]), 'UTF-16-BE')",
    *each("tf.strings.unicode_transcode({}, 'UTF-8', 'UTF-16-BE')", "t bad"),
    *each("tf.strings.unicode_transcode(bad, 'UTF-8', 'UTF-8', {})", ["errors='strict'",
          "errors='ignore', replace_control_characters=True", "replacement_char=63"]),
    "tf.strings.unicode_transcode(t, 'UTF-8', 'X')",
    "tf.strings.unicode_script([1, 31, 38, 0x4e2d, 0x3042, 65, 0x410, -1, 0x110000])",
])  # fmt: skip
def test_unicode(case):
    case.check()


@cases(INPUTS, [
    "tf.strings.format('a {} b {}', (ints, s))", "tf.strings.format('{} {}', ints)",
    "tf.strings.format('%', [1.5], placeholder='%')",
    *each("tf.strings.format('{{}}', {})", [
        "tf.range(100)", "tf.zeros([10, 10])", "tf.zeros([2, 2, 2])", "tf.zeros([3, 9, 2])",
        "[tf.constant([b'a', 'b'])]", "tf.constant(1.23456789)", "tf.constant(True)",
        "tf.constant([1e10, 1e-8, 1e8])", "tf.constant([])", "tf.constant([[]])",
        "tf.constant('a\\n\\'é')", "tf.constant(1.23456789, tf.float64)", "tf.constant(1 + 2j)",
        "tf.constant([1.5, 2], tf.float16)", "tf.constant([200, 1], tf.uint8)",
        "tf.range(4), summarize=-1", "tf.zeros([9, 9]), summarize=2",
    ]),
    case("tf.strings.format('{}', tf.ragged.constant([[1], [2, 3]]))", traced=False),
    *each("tf.strings.format('{{}}', {})", ["np.array([1])", "np.array(['a'])", "np.array([1, 2])",
          "np.array([[1, 2]])", "1", "2.5", "np.float32(2)", "True"]),
    "tf.strings.format('{} {}', np.array([1, 2]))",
])  # fmt: skip
def test_format(case):
    case.check()


RAGGED = "tf.ragged.constant([['Abc d'], ['B', 'c']])"


@cases(INPUTS, [
    *each("tf.strings.{}(" + RAGGED + ")", "lower upper strip length split bytes_split"),
    "tf.strings.substr(" + RAGGED + ", 0, 1)", "tf.strings.join([" + RAGGED + ", '!'])",
    "tf.strings.join([" + RAGGED + ", " + RAGGED + "], separator='_')",
    "tf.strings.regex_replace(" + RAGGED + ", 'c', '-')",
    "tf.strings.to_hash_bucket_fast(" + RAGGED + ", 100)",
    *each("tf.strings.reduce_join(" + RAGGED + ", {})", ["None", "0, separator='-'", "1",
          "1, keepdims=True", "-1", "5"]),
    "tf.strings.unicode_split(" + RAGGED + ", 'UTF-8')",
], traced=False)  # fmt: skip
def test_ragged(case):
    case.check()

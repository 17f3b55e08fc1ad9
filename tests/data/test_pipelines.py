"""Every transformation on TensorFlow and on torchtf: specs, cardinalities, elements, errors.

`D` is `tf.data.Dataset`, `P` a named tuple.
"""

from __future__ import annotations

import collections

import numpy as np
import pytest

from tests.data.compare import compare

P = collections.namedtuple("P", "x y")

SOURCES = """
D.from_tensor_slices(tf.sparse.from_dense([[0, 1], [2, 0], [0, 0]]))
D.from_tensor_slices(tf.sparse.from_dense([[0, 1], [2, 0], [0, 0]])).batch(2)
D.from_tensors(tf.sparse.from_dense([[0, 1], [2, 0]])).map(lambda x: x.values)
D.range(5)
D.range(2,10,3)
D.range(10,2,-3)
D.range(5,output_type=tf.int32)
D.range(3,output_type=tf.float32)
D.range(5,1)
D.range()
D.range(1,2,0)
D.range(1.5)
D.counter(3,2).take(4)
D.from_tensors([1,2,3])
D.from_tensors((1,{"a":[1.0,2.0],"b":"x"}))
D.from_tensors(())
D.from_tensor_slices([[1,2],[3,4]])
D.from_tensor_slices(5)
D.from_tensor_slices(([1,2],[1,2,3]))
D.from_tensor_slices(())
D.from_tensor_slices({"b":[1,2],"a":["x","y"]})
D.from_tensor_slices(P([1,2],[3.0,4.0]))
D.from_tensor_slices(([1,2],([3,4],[5,6])))
D.from_tensor_slices(np.zeros([0,3]))
D.from_tensor_slices(["a","b"])
D.from_tensor_slices((np.arange(3,dtype=np.uint8),))
D.from_tensor_slices(tf.ragged.constant([[1,2],[],[3]]))
D.from_tensor_slices(tf.ragged.constant([[[1],[2,3]],[],[[4]]]))
D.from_tensors(tf.ragged.constant([[1,2],[],[3]]))
D.from_generator(lambda: iter([1,2,3]), output_types=tf.int32)
D.from_generator(lambda: iter([1,2,3]), tf.int64, tf.TensorShape([]))
D.from_generator(lambda: iter([(1,[1.0,2.0]),(2,[3.0,4.0])]), (tf.int64,tf.float32), ([],[None]))
D.from_generator(lambda n: iter(range(n)), tf.int64, args=(3,))
D.from_generator(lambda: iter([{"a":1},{"a":2}]), output_signature={"a":tf.TensorSpec([],tf.int32)})
D.from_generator(lambda: iter(["x",b"y"]), output_signature=tf.TensorSpec([],tf.string))
D.from_generator(lambda: iter([[1,2],[3,4,5]]), output_signature=tf.TensorSpec([2],tf.int32))
D.from_generator(lambda: iter([1,"x",3]), output_signature=tf.TensorSpec([],tf.int32))
D.from_generator(lambda: iter([1.7,2]), output_signature=tf.TensorSpec([],tf.int32))
D.from_generator(lambda: iter([(1,2),3]), output_signature=(tf.TensorSpec([],tf.int32),tf.TensorSpec([],tf.int32)))
D.from_generator(5, tf.int32)
D.from_generator(lambda: 3)
D.from_generator(lambda: 3, tf.int32, output_signature=tf.TensorSpec([],tf.int32))
D.from_generator(lambda: 3, output_signature=[tf.int32])
D.from_generator(lambda: (1/0 if i==2 else i for i in range(4)), output_signature=tf.TensorSpec([],tf.int32))
D.range(5).apply(lambda d: 3)
D.list_files("/nonexistent/*.x")
tf.data.TextLineDataset(5)
"""

FUNCTIONS = """
D.from_tensor_slices(tf.ragged.constant([[1,2],[],[3]])).map(lambda x: x*2)
D.from_tensor_slices(tf.ragged.constant([[1,2],[],[3]])).map(lambda x: tf.reduce_sum(x))
D.from_generator(lambda: iter([1,2,3]), output_types=tf.int32).map(lambda x: x+1)
D.range(5).map(lambda x: (x, x*2))
D.range(5).map(lambda x: [x, x*2])
D.range(5).map(lambda x: {"a": x})
D.range(3).map(lambda x: P(x, 1.0))
D.range(3).map(lambda x: 7)
D.range(3).map(lambda x: "s")
D.range(3).map(lambda x: None)
D.range(3).map(lambda x: (x, None))
D.range(3).map(lambda x: ())
D.range(3).map(lambda x: tf.zeros([2,3]))
D.range(5).map(lambda x: tf.range(x))
D.range(3).map(lambda x, y: x)
D.range(3).map(lambda x: x, num_parallel_calls=2)
D.range(3).map(lambda x: x, num_parallel_calls=0)
D.from_tensor_slices([1,2,0,4]).map(lambda x: 12//x)
D.from_tensor_slices((["1","2"],[3,4])).map(lambda s,y: (tf.strings.length(s), y))
D.from_tensor_slices([[1.0,2.0],[3.0,4.0]]).map(lambda x: tf.cond(tf.reduce_sum(x)>4.0, lambda: x*2, lambda: x))
D.range(10).filter(lambda x: x%2==0)
D.range(10).filter(lambda x: x)
D.range(10).filter(lambda x: False)
D.from_tensor_slices(([1,2,3],["a","b","c"])).filter(lambda x,s: x>1)
D.range(10).filter(lambda x: x>=0).shard(3,2)
D.range(3).concatenate(D.range(5,7).map(lambda x: tf.cast(x,tf.int32)))
D.range(10).take_while(lambda x: x<4)
D.range(10).take_while(lambda x: x)
"""

SELECTION = """
D.range(10).take(3)
D.range(10).take(-1)
D.range(3).take(10)
D.range(10).take(0)
D.range(10).skip(7)
D.range(10).skip(-1)
D.range(10).skip(20)
D.range(10).repeat(2).take(13)
D.range(3).repeat(0)
D.range(3).repeat(-1).take(7)
D.range(0).repeat()
D.range(10).shard(3,1)
D.range(10).shard(3,3)
D.range(10).shard(0,0)
D.range(5).apply(lambda d: d.take(2))
"""

COMBINATION = """
D.range(3).concatenate(D.range(5,7))
D.from_tensors([1,2]).concatenate(D.from_tensors([1,2,3]))
D.zip(D.range(3), D.range(5))
D.zip((D.range(3), D.range(5)))
D.zip({"a":D.range(3), "b":D.range(5)})
D.zip([D.range(3), D.range(5)])
D.zip()
D.zip(D.range(3), 5)
D.zip(D.range(3).repeat(), D.range(2))
D.range(4).enumerate(5)
D.from_tensor_slices((["a","b"],[1,2])).enumerate()
D.choose_from_datasets([D.from_tensors("a").repeat(), D.from_tensors("b").repeat()], D.range(2).repeat(3))
D.choose_from_datasets([D.range(2), D.range(10,15)], D.from_tensor_slices(np.array([0,0,0,1,1,0,1])))
D.choose_from_datasets([D.range(2), D.range(10,15)], D.from_tensor_slices(np.array([0,0,0,1,1,0,1])), stop_on_empty_dataset=False)
D.choose_from_datasets([D.range(2), D.range(10,15)], D.from_tensor_slices(np.array([0,5])))
D.choose_from_datasets([D.range(2), D.range(10,15)], D.from_tensor_slices([0,1]))
D.choose_from_datasets([], D.range(2))
"""

BATCHES = """
D.from_tensor_slices(tf.ragged.constant([[1,2],[],[3]])).batch(2)
D.from_tensors(tf.ragged.constant([[1,2],[],[3]])).unbatch()
D.from_generator(lambda: iter([1,2,3]), output_signature=tf.TensorSpec([],tf.int32)).batch(2).repeat(2)
D.range(7).batch(3)
D.range(7).batch(3, drop_remainder=True)
D.range(7).batch(0)
D.range(7).batch(-3)
D.range(2).batch(3, drop_remainder=True)
D.range(7).batch(3).batch(2)
D.from_tensor_slices([2,2,3,3,1,1]).map(lambda x: tf.range(x)).batch(2)
D.from_tensor_slices((["a","b","c"],[[1.0],[2.0],[3.0]])).batch(2)
D.range(5).map(lambda x: (x, None)).batch(2)
D.range(6).map(lambda x: tf.range(x)).padded_batch(3)
D.range(6).map(lambda x: tf.range(x)).padded_batch(4, drop_remainder=True)
D.range(6).map(lambda x: tf.range(x)).padded_batch(3, padded_shapes=[7], padding_values=np.int64(-1))
D.range(6).map(lambda x: tf.range(x)).padded_batch(3, padded_shapes=[3])
D.range(6).map(lambda x: (tf.range(x), tf.fill([x], "s"))).padded_batch(3, padded_shapes=([None],[None]), padding_values=(np.int64(9),"pad"))
D.range(6).map(lambda x: tf.range(x)).padded_batch(3, padding_values=1.5)
D.range(6).padded_batch(4)
D.range(6).padded_batch(4, padded_shapes=[3])
D.range(3).map(lambda x: {"a": tf.fill([x,2], 1.0)}).padded_batch(2, {"a":[None,3]})
D.range(5).map(lambda x: tf.range(x)).ragged_batch(2)
D.range(5).map(lambda x: tf.range(x)).ragged_batch(2, drop_remainder=True)
D.range(5).map(lambda x: tf.range(x)).ragged_batch(2, row_splits_dtype=tf.int32)
D.range(5).map(lambda x: tf.zeros([x,2])).ragged_batch(2)
D.range(5).ragged_batch(2)
D.from_tensor_slices([[1,2],[3,4]]).unbatch()
D.range(3).unbatch()
D.from_tensor_slices(([[1,2],[3,4]],[["a","b"],["c","d"]])).unbatch()
D.range(7).batch(3).unbatch()
D.range(5).map(lambda x: tf.range(x)).unbatch()
D.range(12).batch(4).rebatch(3)
D.range(12).batch(4).rebatch(2)
D.range(12).batch(4, drop_remainder=True).rebatch(2)
D.range(10).batch(4).rebatch(3, drop_remainder=True)
D.range(10).batch(4).rebatch([1,2])
D.range(10).rebatch(3)
"""

NESTED = """
D.range(7).window(3)
D.range(7).window(3, shift=1, drop_remainder=True)
D.range(10).window(3, shift=4, stride=2)
D.range(10).window(2, shift=5)
D.from_tensor_slices(([1,2,3],["a","b","c"])).window(2)
D.range(7).window(3,1).flat_map(lambda w: w.batch(3, drop_remainder=True))
D.from_tensor_slices({"a":[1,2,3],"b":[4,5,6]}).window(2).flat_map(lambda w: tf.data.Dataset.zip({"a":w["a"].batch(2),"b":w["b"].batch(2)}))
D.range(7).window(0)
D.range(7).window(2, shift=0)
D.range(7).window(2, stride=0)
D.range(4).flat_map(lambda x: tf.data.Dataset.range(x))
D.range(4).flat_map(lambda x: tf.data.Dataset.from_tensors(x).repeat(x))
D.range(4).flat_map(lambda x: tf.data.Dataset.range(3).map(lambda y: y*10+x))
D.from_tensor_slices([[1,2],[3,4]]).flat_map(lambda x: tf.data.Dataset.from_tensor_slices(x))
D.range(1,6).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(6), cycle_length=2, block_length=4)
D.range(1,6).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(x), cycle_length=3)
D.range(1,6).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(x), cycle_length=3, num_parallel_calls=2)
D.range(1,6).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(x), cycle_length=3, block_length=2, num_parallel_calls=3)
D.range(1,9).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(x%3), cycle_length=3, block_length=2, num_parallel_calls=3)
D.range(1,9).interleave(lambda x: tf.data.Dataset.from_tensors(x).repeat(x%3), cycle_length=3, block_length=2)
D.range(3).interleave(lambda x: tf.data.Dataset.range(x), cycle_length=0)
D.range(10).group_by_window(lambda x: x%2, lambda k, w: w.batch(4), window_size=4)
D.range(10).group_by_window(lambda x: x%3, lambda k, w: w.batch(2).map(lambda b: (k, b)), window_size_func=lambda k: k+1)
D.range(10).group_by_window(lambda x: x%2, lambda k, w: w.batch(4))
D.range(10).group_by_window(lambda x: x%2, lambda k, w: k, window_size=2)
D.from_generator(lambda: iter([[0],[1,2,3,4],[5,6,7],[7,8,9,10,11],[13,14,15,16,19,20],[21,22]]), output_signature=tf.TensorSpec([None],tf.int64)).bucket_by_sequence_length(lambda x: tf.shape(x)[0], [3,5], [2,2,2])
D.from_generator(lambda: iter([[0],[1,2,3,4],[5,6,7],[7,8,9],[21,22]]), output_signature=tf.TensorSpec([None],tf.int64)).bucket_by_sequence_length(lambda x: tf.shape(x)[0], [3,5], [2,2,2], pad_to_bucket_boundary=True)
D.range(3).bucket_by_sequence_length(lambda x: 1, [3,5], [2,2])
"""

STATE = """
D.range(10).scan(np.int64(0), lambda s, x: (s+x, s+x))
D.range(10).scan(0, lambda s, x: (s+1, x))
D.range(10).scan(0, lambda s, x: s)
D.range(10).scan(0, lambda s, x: (x, x))
D.range(3).scan(tf.zeros([0],tf.int64), lambda s, x: (tf.concat([s,[x]],0), s))
D.range(10).reduce(np.int64(0), lambda s, x: s+x)
D.range(10).reduce((np.int64(0),0.0), lambda s, x: (s[0]+x, s[1]+1.0))
D.range(10).reduce(0, lambda s, x: x)
D.range(0).reduce(np.int64(5), lambda s, x: s+x)
D.from_tensor_slices([1,2,1,3,2]).unique()
D.from_tensor_slices(["b","a","b"]).unique()
D.from_tensor_slices([1.0,2.0]).unique()
D.range(10).cache().take(3)
D.range(4).cache().repeat(2)
D.range(4).prefetch(2)
D.range(4).prefetch(-2)
D.range(4).prefetch(0)
D.range(1).get_single_element()
D.range(0).get_single_element()
D.range(2).get_single_element()
D.range(4).apply(tf.data.experimental.assert_cardinality(4))
D.range(4).filter(lambda x: True).apply(tf.data.experimental.assert_cardinality(4))
D.range(4).filter(lambda x: True).apply(tf.data.experimental.assert_cardinality(5))
D.range(4).filter(lambda x: True).apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
"""

SHUFFLE = """
D.range(20).shuffle(7, seed=3)
D.range(20).shuffle(7, seed=3, reshuffle_each_iteration=False).repeat(2)
D.range(20).shuffle(100, seed=3).repeat(2)
D.range(20).filter(lambda x: x%3!=0).shuffle(4, seed=3).repeat(2)
D.range(20).shuffle(0)
D.range(20).shuffle(1, seed=1)
D.range(20).shuffle(tf.data.UNKNOWN_CARDINALITY, seed=1)
D.range(20).shuffle(5, seed=1).shuffle(5, seed=2).batch(3)
D.range(10).map(lambda x: tf.range(x)).shuffle(4, seed=9)
D.range(20).map(lambda x: (x, tf.as_string(x))).shuffle(5, seed=1).skip(3).take(9)
D.random(seed=4).take(5)
D.random(seed=4, rerandomize_each_iteration=True).take(5)
D.sample_from_datasets([D.range(10), D.range(100,110)], weights=[0.5,0.5], seed=42)
D.sample_from_datasets([D.range(10), D.range(100,110), D.range(200,210)], seed=7)
D.sample_from_datasets([D.range(10), D.range(100,110)], weights=[0.9,0.1], seed=1, stop_on_empty_dataset=True)
D.sample_from_datasets([D.range(10), D.range(100,110)], weights=[1.0])
D.sample_from_datasets([D.range(10), D.range(100,110)], weights=[1,2])
D.sample_from_datasets([])
"""

CARDINALITY = """
D.range(3).repeat().cardinality()
D.range(6).filter(lambda x: x>2).cardinality()
D.range(6).flat_map(lambda x: tf.data.Dataset.range(x)).cardinality()
D.range(6).batch(4).unbatch().cardinality()
D.range(6).batch(3, drop_remainder=True).unbatch().cardinality()
D.range(6).batch(4).rebatch(3).cardinality()
D.range(6).window(2).cardinality()
D.range(10).window(4,3).cardinality()
D.range(10).window(4,3,2,True).cardinality()
D.range(10).shuffle(3).cardinality()
D.range(10).ignore_errors().cardinality()
D.range(10).unique().cardinality()
D.range(10).scan(0, lambda s,x:(s,x)).cardinality()
D.range(10).take_while(lambda x: True).cardinality()
D.range(0).filter(lambda x: True).cardinality()
D.range(0).flat_map(lambda x: tf.data.Dataset.range(x)).cardinality()
D.choose_from_datasets([D.range(2), D.range(10,15)], D.range(2)).cardinality()
D.choose_from_datasets([D.range(2), D.range(10,15)], D.range(2), False).cardinality()
D.sample_from_datasets([D.range(2), D.range(10,15)]).cardinality()
D.sample_from_datasets([D.range(2).repeat(), D.range(10,15)]).cardinality()
D.range(5).cache().cardinality()
D.range(5).concatenate(D.range(5).filter(lambda x: True)).cardinality()
D.range(5).concatenate(D.range(5).repeat()).cardinality()
D.zip(D.range(5), D.range(7).filter(lambda x: True)).cardinality()
D.range(5).repeat().batch(3).cardinality()
D.range(5).repeat().skip(3).cardinality()
D.range(5).repeat().shard(2,0).cardinality()
D.range(7).shard(3,1).cardinality()
D.range(5).filter(lambda x: True).take(0).cardinality()
D.range(5).repeat().filter(lambda x: True).cardinality()
D.range(5).repeat().flat_map(lambda x: tf.data.Dataset.range(x)).cardinality()
D.range(5).group_by_window(lambda x: x, lambda k,w: w, 2).cardinality()
D.range(5).batch(2).prefetch(2).cardinality()
"""

# errors whose class and place are TensorFlow's; the words are another kernel's, or name the one of
# two elements that a thread of TensorFlow was first with
OTHER_WORDS = """
D.range(5).map(lambda x: tf.range(x)).batch(2)
D.from_tensor_slices([2,2,3,3,1,2,2,2]).map(lambda x: tf.range(x)).batch(2)
D.from_tensor_slices([0,1,5,2]).map(lambda i: tf.gather([10,20,30], i))
"""


def lines(*texts: str) -> list[str]:
    return [line for text in texts for line in text.strip().splitlines()]


def pipeline(text: str):
    code = compile(text, "<pipeline>", "eval")
    return lambda tf: eval(code, {"tf": tf, "D": tf.data.Dataset, "np": np, "P": P})


@pytest.mark.parametrize(
    "text",
    lines(SOURCES, FUNCTIONS, SELECTION, COMBINATION, BATCHES, NESTED, STATE, SHUFFLE, CARDINALITY),
)
def test_pipeline_is_tensorflows(text):
    compare(pipeline(text), limit=60)


@pytest.mark.parametrize("text", lines(OTHER_WORDS))
def test_error_is_tensorflows(text):
    assert compare(pipeline(text), texts=False).errors

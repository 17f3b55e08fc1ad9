"""`tf.raw_ops` against TensorFlow's: signatures, values, dtypes, named results and errors."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import tensorflow

import torchtf

F = np.float32
I = np.array  # noqa: E741
X = np.array([[1.5, -2.0, 0.25], [3.0, 0.5, -1.0]], F)
Y = np.array([[0.5, 4.0, 1.0], [-1.0, 2.0, 2.5]], F)
V = np.array([0.1, 0.4, 0.7, 0.9], F)
INTS = np.array([[7, -3, 2], [4, 0, -9]], np.int32)
C = np.array([1 + 2j, -0.5j, 3], np.complex64)
S = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]], F)
IMAGE = (np.arange(2 * 5 * 6 * 2).reshape(2, 5, 6, 2) % 17 / 7).astype(F)
VOLUME = (np.arange(4 * 5 * 3 * 2).reshape(1, 4, 5, 3, 2) % 11 / 5).astype(F)
KERNEL = (np.arange(3 * 2 * 2 * 3).reshape(3, 2, 2, 3) % 5 / 3 - 0.5).astype(F)
RGB = (np.arange(4 * 4 * 3).reshape(4, 4, 3) % 13 / 13).astype(F)
BOXES = np.array([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3], [0, 2.05, 1, 3]], F)
SCORES = np.array([0.9, 0.75, 0.6, 0.95], F)
ROWS = np.array([[1, 2], [3, 4], [1, 2], [5, 6], [3, 4]])

# op, arguments
# fmt: off
CALLS = [
    *((name, {"x": X}) for name in ["Abs", "Neg", "Floor", "Ceil", "Round", "Rint", "Sign", "Square", "Exp", "Sigmoid", "Sin", "Tan"]),
    *((name, {"x": V}) for name in ["Acos", "Asin", "Atan", "Sqrt", "Rsqrt", "Log", "Log1p", "Erf", "Erfinv", "Inv", "Ndtri"]),
    *((name, {"x": V}) for name in ["BesselI0", "BesselI0e", "BesselI1", "BesselI1e", "BesselJ0", "BesselJ1"]),
    *((name, {"x": V}) for name in ["BesselK0", "BesselK0e", "BesselK1", "BesselK1e", "BesselY0", "BesselY1"]),
    *((name, {"x": V}) for name in ["Dawsn", "Expint", "FresnelCos", "FresnelSin", "Spence"]),
    *(
        (name, {"x": X, "y": Y})
        for name in ["Add", "AddV2", "Sub", "Mul", "Div", "RealDiv", "DivNoNan", "MulNoNan", "FloorDiv", "Mod", "FloorMod", "Maximum", "Minimum", "SquaredDifference", "Xdivy", "Equal", "NotEqual", "Less", "GreaterEqual"]
    ),
    ("Div", {"x": INTS, "y": I([2, 2, -4], np.int32)}),
    ("Mod", {"x": INTS, "y": I([2, 2, -4], np.int32)}),
    ("FloorDiv", {"x": INTS, "y": I([2, 2, -4], np.int32)}),
    ("Pow", {"x": V, "y": 2.0}),
    ("Xlog1py", {"x": V, "y": V}),
    ("Equal", {"x": [1, 2], "y": [1, 2, 3], "incompatible_shape_error": False}),
    ("NotEqual", {"x": [1, 2], "y": [1, 2, 3], "incompatible_shape_error": False}),
    ("ApproximateEqual", {"x": [1.0, 2.0], "y": [1.05, 2.5], "tolerance": 0.1}),
    ("AddN", {"inputs": [X, Y, X]}),
    ("Cast", {"x": X, "DstT": "int32"}),
    ("ClipByValue", {"t": X, "clip_value_min": -1.0, "clip_value_max": 1.0}),
    ("Select", {"condition": [True, False], "x": X, "y": Y}),
    ("Select", {"condition": X > 0, "x": X, "y": Y}),
    ("SelectV2", {"condition": [True, False, True], "t": X, "e": 0.0}),
    ("Where", {"condition": X > 0}),
    ("Angle", {"input": C}),
    ("Complex", {"real": V, "imag": V}),
    ("ComplexAbs", {"x": C}),
    ("Conj", {"input": C}),
    ("Imag", {"input": C}),
    ("Real", {"input": C}),
    *(
        (name, {"input": X, "axis": [1]})
        for name in ["Sum", "Mean", "Prod", "Max", "Min", "EuclideanNorm"]
    ),
    ("Sum", {"input": X, "axis": [], "keep_dims": False}),
    ("Sum", {"input": INTS, "axis": 0, "keep_dims": True}),
    ("All", {"input": X > 0, "axis": 0}),
    ("Any", {"input": X > 0, "axis": [0, 1], "keep_dims": True}),
    ("ArgMax", {"input": X, "dimension": 1, "output_type": "int32"}),
    ("ArgMin", {"input": X, "dimension": 0}),
    ("Cumsum", {"x": X, "axis": 1, "exclusive": True}),
    ("Cumprod", {"x": X, "axis": 0, "reverse": True}),
    ("CumulativeLogsumexp", {"x": X, "axis": 1}),
    ("Bincount", {"arr": [1, 2, 2, 9], "size": 4, "weights": I([], np.int32)}),
    ("Bincount", {"arr": [1, 2, 2, 9], "size": 4, "weights": V}),
    ("DenseBincount", {"input": [[1, 2, 2], [0, 1, 9]], "size": 4, "weights": I([], F)}),
    ("DenseBincount", {"input": [1, 2, 2], "size": 4, "weights": I([], F), "binary_output": True}),
    ("Bucketize", {"input": X, "boundaries": [-1.0, 0.5, 2.0]}),
    ("HistogramFixedWidth", {"values": V, "value_range": [0.0, 1.0], "nbins": 3}),
    ("LinSpace", {"start": 1.0, "stop": 2.0, "num": 5}),
    ("Range", {"start": 2, "limit": 9, "delta": 3}),
    ("SobolSample", {"dim": 2, "num_results": 4, "skip": 1}),
    ("MatMul", {"a": X, "b": Y, "transpose_b": True}),
    ("BatchMatMul", {"x": X, "y": Y, "adj_x": True}),
    ("BatchMatMulV2", {"x": X[None], "y": Y, "adj_y": True}),
    ("BatchMatMulV3", {"x": X, "y": Y, "Tout": "float32", "adj_y": True}),
    ("SparseMatMul", {"a": X, "b": Y, "transpose_b": True, "a_is_sparse": True}),
    ("SparseSegmentSum", {"data": X, "indices": [0, 1, 0], "segment_ids": [0, 0, 1]}),
    ("SparseSegmentMean", {"data": X, "indices": [0, 1, 0], "segment_ids": [0, 0, 1]}),
    (
        "SparseSegmentSqrtNWithNumSegments",
        {"data": X, "indices": [0, 1, 0], "segment_ids": [0, 0, 2], "num_segments": 4},
    ),
    *(
        (name, {"grad": X, "indices": [0, 3, 0], "segment_ids": [0, 0, 1], "output_dim0": 4})
        for name in ["SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad"]
    ),
    *(
        (name, {"y": V, "dy": V[::-1].copy()})
        for name in ["InvGrad", "ReciprocalGrad", "RsqrtGrad", "SigmoidGrad", "SqrtGrad", "TanhGrad"]
    ),
    ("SigmoidGrad", {"y": C, "dy": C}),
    # arrays
    ("Identity", {"input": X}),
    ("IdentityN", {"input": [X, INTS]}),
    ("Reshape", {"tensor": X, "shape": [3, -1]}),
    ("Transpose", {"x": X, "perm": [1, 0]}),
    ("ConjugateTranspose", {"x": C[None], "perm": [1, 0]}),
    ("ConcatV2", {"values": [X, Y], "axis": 1}),
    ("Concat", {"concat_dim": 0, "values": [X, Y]}),
    ("Pack", {"values": [X, Y], "axis": 1}),
    ("Unpack", {"value": X, "num": 3, "axis": 1}),
    ("Split", {"axis": 1, "value": X, "num_split": 3}),
    ("SplitV", {"value": X, "size_splits": [1, 2], "axis": 1, "num_split": 2}),
    ("Slice", {"input": X, "begin": [0, 1], "size": [2, -1]}),
    ("StridedSlice", {"input": X, "begin": [0, 2], "end": [1, 0], "strides": [1, -1]}),
    (
        "StridedSlice",
        {"input": X, "begin": [0, 1], "end": [0, 0], "strides": [1, 1], "end_mask": 2,
         "shrink_axis_mask": 1},
    ),
    (
        "StridedSlice",
        {"input": IMAGE, "begin": [0, 0, 1], "end": [0, 0, 2], "strides": [1, 1, 1],
         "ellipsis_mask": 1, "new_axis_mask": 2},
    ),
    (
        "StridedSliceGrad",
        {"shape": [2, 3], "begin": [0, 1], "end": [2, 3], "strides": [1, 1], "dy": X[:, :2]},
    ),
    (
        "TensorStridedSliceUpdate",
        {"input": X, "begin": [0, 1], "end": [2, 3], "strides": [1, 1], "value": Y[:, :2]},
    ),
    ("Gather", {"params": X, "indices": [1, 0]}),
    ("GatherV2", {"params": X, "indices": [1, 0], "axis": 1}),
    ("GatherNd", {"params": X, "indices": [[1, 0], [0, 2]]}),
    ("ScatterNd", {"indices": [[1], [3]], "updates": [5.0, 6.0], "shape": [4]}),
    *(
        (name, {"tensor": V, "indices": [[1], [3]], "updates": F([5.0, -6.0])})
        for name in ["TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMax", "TensorScatterMin"]
    ),
    ("ScatterNdNonAliasingAdd", {"input": V, "indices": [[1], [1]], "updates": F([5.0, -6.0])}),
    ("InplaceUpdate", {"x": X, "i": [1], "v": Y[:1]}),
    ("InplaceAdd", {"x": X, "i": [1], "v": Y[:1]}),
    ("InplaceSub", {"x": X, "i": [1], "v": Y[:1]}),
    ("Pad", {"input": X, "paddings": [[1, 0], [0, 2]]}),
    ("PadV2", {"input": X, "paddings": [[1, 0], [0, 2]], "constant_values": 7.0}),
    ("MirrorPad", {"input": X, "paddings": [[1, 0], [0, 2]], "mode": "REFLECT"}),
    ("MirrorPadGrad", {"input": X, "paddings": [[0, 0], [1, 0]], "mode": "SYMMETRIC"}),
    ("ExpandDims", {"input": X, "axis": 1}),
    ("Squeeze", {"input": X[None, :, :1]}),
    ("Squeeze", {"input": X[None, :, :1], "axis": [0]}),
    ("Fill", {"dims": [2, 2], "value": 3}),
    ("OneHot", {"indices": [0, 2], "depth": 3, "on_value": 5.0, "off_value": -1.0, "axis": 0}),
    ("Shape", {"input": X, "out_type": "int64"}),
    ("ShapeN", {"input": [X, V]}),
    ("Size", {"input": X}),
    ("Rank", {"input": X}),
    ("ZerosLike", {"x": INTS}),
    ("OnesLike", {"x": X}),
    ("Empty", {"shape": [2, 1], "dtype": "float32", "init": True}),
    ("EnsureShape", {"input": X, "shape": [2, None]}),
    ("DeepCopy", {"x": X}),
    ("StopGradient", {"input": X}),
    ("PreventGradient", {"input": X}),
    ("PlaceholderWithDefault", {"input": X, "shape": [2, 3]}),
    ("Unique", {"x": [3, 1, 3, 2]}),
    ("Unique", {"x": ["b", "a", "b"], "out_idx": "int64"}),
    ("UniqueV2", {"x": ROWS, "axis": [0]}),
    ("UniqueV2", {"x": [3, 1, 3], "axis": I([], np.int32)}),
    ("UniqueWithCounts", {"x": [3, 1, 3, 2]}),
    ("UniqueWithCountsV2", {"x": ROWS.T, "axis": [1], "out_idx": "int64"}),
    ("ListDiff", {"x": [1, 2, 3, 4], "y": [3, 1], "out_idx": "int64"}),
    ("LowerBound", {"sorted_inputs": [[1, 2, 2, 5]], "values": [[2, 6, 0]]}),
    ("UpperBound", {"sorted_inputs": [[1, 2, 2, 5]], "values": [[2, 6, 0]], "out_type": "int64"}),
    ("BroadcastArgs", {"s0": [2, 1, 3], "s1": [4, 1]}),
    ("BroadcastGradientArgs", {"s0": [2, 1, 3], "s1": [4, 1]}),
    ("BroadcastGradientArgs", {"s0": [2, 3], "s1": [2, 3]}),
    ("BroadcastGradientArgs", {"s0": I([2, 1, 1], np.int64), "s1": I([5, 1], np.int64)}),
    ("Reverse", {"tensor": X, "dims": [False, True]}),
    ("ReverseSequence", {"input": X, "seq_lengths": [2, 3], "seq_dim": 1}),
    ("Roll", {"input": X, "shift": [1], "axis": [1]}),
    ("SpaceToBatch", {"input": IMAGE[:, :4], "paddings": [[0, 0], [1, 1]], "block_size": 2}),
    ("BatchToSpace", {"input": np.tile(IMAGE, [2, 1, 1, 1]), "crops": [[1, 0], [0, 1]], "block_size": 2}),
    ("BatchToSpaceND", {"input": np.tile(IMAGE, [2, 1, 1, 1]), "block_shape": [2, 1], "crops": [[1, 0], [0, 0]]}),
    ("MatrixDiag", {"diagonal": X}),
    ("MatrixDiagV2", {"diagonal": X[:, :2], "k": 1, "num_rows": 3, "num_cols": -1, "padding_value": 9.0}),
    ("MatrixDiagV3", {"diagonal": X, "k": [0, 1], "num_rows": -1, "num_cols": -1, "padding_value": 0.0}),
    ("MatrixDiagPart", {"input": S}),
    ("MatrixDiagPartV2", {"input": S, "k": [-1, 1], "padding_value": 0.0}),
    ("MatrixDiagPartV3", {"input": S, "k": [-1, 1], "padding_value": 0.0}),
    ("MatrixSetDiag", {"input": S, "diagonal": V[:3]}),
    ("MatrixSetDiagV2", {"input": S, "diagonal": V[:2], "k": -1}),
    ("MatrixSetDiagV3", {"input": S, "diagonal": V[:2], "k": 1, "align": "LEFT_RIGHT"}),
    ("DiagPart", {"input": S}),
    ("EditDistance", {
        "hypothesis_indices": [[0, 0]], "hypothesis_values": [1], "hypothesis_shape": [1, 1],
        "truth_indices": [[0, 0], [0, 1]], "truth_values": [1, 2], "truth_shape": [1, 2],
    }),
    ("QuantizeAndDequantizeV2", {"input": V, "input_min": 0.0, "input_max": 1.0, "range_given": True, "num_bits": 4}),
    ("ExtractImagePatches", {"images": IMAGE, "ksizes": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "rates": [1, 1, 1, 1], "padding": "VALID"}),
    # networks, matrices, boxes
    ("Conv2D", {"input": IMAGE, "filter": KERNEL, "strides": [1, 2, 1, 1], "padding": "SAME"}),
    ("Conv2D", {"input": IMAGE, "filter": KERNEL, "strides": [1, 1, 1, 1], "padding": "EXPLICIT", "explicit_paddings": [0, 0, 1, 0, 0, 2, 0, 0]}),
    ("DepthwiseConv2dNative", {"input": IMAGE, "filter": KERNEL, "strides": [1, 1, 1, 1], "padding": "VALID"}),
    ("Conv3D", {"input": VOLUME, "filter": KERNEL[None], "strides": [1, 1, 2, 1, 1], "padding": "SAME"}),
    ("MaxPool", {"input": IMAGE, "ksize": [1, 2, 2, 1], "strides": [1, 2, 1, 1], "padding": "SAME"}),
    ("MaxPoolWithArgmax", {"input": IMAGE, "ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}),
    ("MaxPool3D", {"input": VOLUME, "ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 1, 1], "padding": "SAME"}),
    ("AvgPool", {"value": IMAGE, "ksize": [1, 2, 2, 1], "strides": [1, 2, 1, 1], "padding": "SAME"}),
    ("AvgPool3D", {"input": VOLUME, "ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 1, 1], "padding": "VALID"}),
    ("AvgPoolGrad", {"orig_input_shape": [2, 4, 6, 2], "grad": IMAGE[:, :2, :3], "ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "SAME"}),
    ("BiasAdd", {"value": IMAGE, "bias": V[:2]}),
    ("BiasAddV1", {"value": IMAGE, "bias": V[:2]}),
    ("BiasAddGrad", {"out_backprop": IMAGE}),
    ("BiasAddGrad", {"out_backprop": IMAGE, "data_format": "NCHW"}),
    *((name, {"features": X}) for name in ["Relu", "Relu6", "LeakyRelu", "Softplus", "Softsign", "Elu", "Selu"]),
    *((name, {"logits": X}) for name in ["Softmax", "LogSoftmax"]),
    *((name, {"gradients": Y, "features": X}) for name in ["ReluGrad", "Relu6Grad", "LeakyReluGrad", "SoftplusGrad", "SoftsignGrad"]),
    *((name, {"gradients": Y, "outputs": X}) for name in ["EluGrad", "SeluGrad"]),
    ("SoftmaxCrossEntropyWithLogits", {"features": X, "labels": F([[0.2, 0.3, 0.5], [1, 0, 0]])}),
    ("SparseSoftmaxCrossEntropyWithLogits", {"features": X, "labels": [2, 0]}),
    ("TopKV2", {"input": X, "k": 2, "index_type": "int64"}),
    ("InTopK", {"predictions": X, "targets": [0, 1], "k": 1}),
    ("InTopKV2", {"predictions": X, "targets": [0, 1], "k": 1}),
    ("Dilation2D", {"input": IMAGE, "filter": KERNEL[..., 0], "strides": [1, 1, 1, 1], "rates": [1, 1, 1, 1], "padding": "SAME"}),
    ("SpaceToDepth", {"input": IMAGE[:, :4], "block_size": 2}),
    ("DepthToSpace", {"input": np.tile(IMAGE, [1, 1, 1, 2]), "block_size": 2}),
    ("Einsum", {"inputs": [X, Y], "equation": "ij,kj->ik"}),
    ("MatrixTriangularSolve", {"matrix": S, "rhs": S, "adjoint": True}),
    ("MatrixSolveLs", {"matrix": S, "rhs": S, "l2_regularizer": 0.0}),
    ("BandedTriangularSolve", {"matrix": S[:2], "rhs": S}),
    ("AdjustContrastv2", {"images": RGB, "contrast_factor": 1.5}),
    ("AdjustHue", {"images": RGB, "delta": 0.2}),
    ("AdjustSaturation", {"images": RGB, "scale": 0.5}),
    ("CropAndResize", {"image": IMAGE, "boxes": F([[0, 0.1, 0.8, 1]]), "box_ind": [1], "crop_size": [3, 3]}),
    ("DrawBoundingBoxesV2", {"images": RGB[None], "boxes": F([[[0.1, 0.1, 0.8, 0.8]]]), "colors": F([[1, 0, 0]])}),
    ("NonMaxSuppression", {"boxes": BOXES, "scores": SCORES, "max_output_size": 3}),
    ("NonMaxSuppressionV2", {"boxes": BOXES, "scores": SCORES, "max_output_size": 3, "iou_threshold": 0.5}),
    ("NonMaxSuppressionV3", {"boxes": BOXES, "scores": SCORES, "max_output_size": 3, "iou_threshold": 0.5, "score_threshold": 0.7}),
    ("NonMaxSuppressionV4", {"boxes": BOXES, "scores": SCORES, "iou_threshold": 0.5, "score_threshold": 0.1, "max_output_size": 3, "pad_to_max_output_size": True}),
    ("NonMaxSuppressionV4", {"boxes": BOXES, "scores": SCORES, "iou_threshold": 0.5, "score_threshold": 0.1, "max_output_size": 3}),
    ("NonMaxSuppressionV5", {"boxes": BOXES, "scores": SCORES, "iou_threshold": 0.5, "score_threshold": 0.1, "max_output_size": 3, "soft_nms_sigma": 0.5}),
    ("NonMaxSuppressionV5", {"boxes": BOXES, "scores": SCORES, "iou_threshold": 0.5, "score_threshold": 0.1, "max_output_size": 3, "soft_nms_sigma": 0.0, "pad_to_max_output_size": True}),
    ("NonMaxSuppressionWithOverlaps", {"overlaps": S, "scores": SCORES[:3], "max_output_size": 3, "overlap_threshold": 0.4, "score_threshold": 0.1}),
    ("CombinedNonMaxSuppression", {"boxes": BOXES[None, :, None] / 4, "scores": SCORES[None, :, None], "max_output_size_per_class": 2, "max_total_size": 3, "iou_threshold": 0.5, "score_threshold": 0.1}),
    # strings and files
    ("StringSplitV2", {"input": ["a b c", "d"], "sep": " "}),
    ("StringJoin", {"inputs": [["a", "b"], ["c", "d"]], "separator": "-"}),
    ("StringFormat", {"inputs": [X], "template": "x = %s"}),
    ("StringLength", {"input": ["a", "äb"], "unit": "UTF8_CHAR"}),
    ("StringToNumber", {"string_tensor": ["3", "-1.5"], "out_type": "float64"}),
    ("StringToHashBucket", {"string_tensor": ["3", "b"], "num_buckets": 10}),
    ("Substr", {"input": ["hello", "world"], "pos": 1, "len": 3}),
    ("RegexReplace", {"input": ["aab"], "pattern": "a", "rewrite": "x", "replace_global": False}),
    ("StaticRegexReplace", {"input": ["aab"], "pattern": "a", "rewrite": "x"}),
    ("RegexFullMatch", {"input": ["aab", "b"], "pattern": "a+b"}),
    ("StaticRegexFullMatch", {"input": ["aab", "b"], "pattern": "a+b"}),
    ("ReduceJoin", {"inputs": [["a", "b"], ["c", "d"]], "reduction_indices": [1], "separator": "+"}),
    ("UnsortedSegmentJoin", {"inputs": ["a", "b", "c"], "segment_ids": [1, 0, 1], "num_segments": 2, "separator": "+"}),
    ("DecodeRaw", {"bytes": [b"abcd"], "out_type": "uint8"}),
    ("DecodePaddedRaw", {"input_bytes": [b"ab"], "fixed_length": 4, "out_type": "uint8"}),
    ("SerializeTensor", {"tensor": X}),
    ("AsString", {"input": X, "precision": 2}),
    ("EncodeBase64", {"input": ["abc"]}),
    # random numbers by a seed
    ("RandomUniform", {"shape": [3], "dtype": "float32", "seed": 3, "seed2": 5}),
    ("RandomStandardNormal", {"shape": [3], "dtype": "float64", "seed": 3, "seed2": 7}),
    ("TruncatedNormal", {"shape": [3], "dtype": "float32", "seed": 3}),
    ("RandomUniformInt", {"shape": [5], "minval": 2, "maxval": 90, "seed": 3, "seed2": 1}),
    ("IgammaGradA", {"a": [[0.0], [0.5], [30.0]], "x": [0.0, 0.1, 2.0, 29.0, 60.0]}),
    ("RandomGammaGrad", {"alpha": [[0.0], [0.5], [3.0]], "sample": [0.0, 0.1, 2.0, 9.0]}),
    ("RandomGamma", {"shape": [2], "alpha": [0.5, 3.0], "seed": 4}),
    ("RandomPoissonV2", {"shape": [2], "rate": [0.5, 3.0], "seed": 4, "seed2": 3}),
    ("RandomShuffle", {"value": [1, 2, 3, 4, 5], "seed": 4}),
    ("Multinomial", {"logits": X, "num_samples": 4, "seed": 4, "output_dtype": "int32"}),
    ("StatelessRandomUniform", {"shape": [3], "seed": [1, 2]}),
    ("StatelessRandomNormal", {"shape": [3], "seed": [1, 2], "dtype": "float64"}),
    ("StatelessTruncatedNormal", {"shape": [3], "seed": [1, 2]}),
    ("StatelessRandomUniformInt", {"shape": [3], "seed": [1, 2], "minval": 0, "maxval": 100}),
    ("StatelessRandomUniformFullInt", {"shape": [3], "seed": [1, 2], "dtype": "int32"}),
    ("StatelessRandomGammaV2", {"shape": [2], "seed": [1, 2], "alpha": [0.5, 2.0]}),
    ("StatelessRandomPoisson", {"shape": [2], "seed": [1, 2], "lam": [0.5, 2.0], "dtype": "int32"}),
    ("StatelessRandomBinomial", {"shape": [3], "seed": [1, 2], "counts": 10.0, "probs": 0.3}),
    ("StatelessMultinomial", {"logits": X, "num_samples": 4, "seed": [1, 2]}),
]
# fmt: on


def plain(value):
    """A result as types, names, dtypes and arrays."""
    if isinstance(value, (list, tuple)):
        name = type(value).__name__
        return [name, getattr(value, "_fields", None), *map(plain, value)]
    if value is None:
        return None
    array = value.numpy()
    return value.dtype.name, array if isinstance(array, np.ndarray) else np.array(array)


def same(ours, theirs, rtol=1e-5):
    if isinstance(ours, list):
        assert ours[:2] == theirs[:2] and len(ours) == len(theirs)
        for a, b in zip(ours[2:], theirs[2:], strict=True):
            same(a, b, rtol)
    elif ours is None:
        assert theirs is None
    else:
        assert ours[0] == theirs[0] and ours[1].shape == theirs[1].shape
        if ours[1].dtype.kind in "fc":
            np.testing.assert_allclose(ours[1], theirs[1], rtol=rtol, atol=1e-5)
        else:
            np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize(
    ("name", "arguments"), CALLS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_results_are_tensorflows(name, arguments):
    ours = getattr(torchtf.raw_ops, name)(**arguments)
    theirs = getattr(tensorflow.raw_ops, name)(**arguments)
    same(plain(ours), plain(theirs))


@pytest.mark.parametrize("version", ["", "V2", "V3"])
@pytest.mark.parametrize(
    "options",
    [
        {"mean": F([]), "variance": F([])},
        {"mean": F([]), "variance": F([]), "x": IMAGE.transpose(0, 3, 1, 2), "data_format": "NCHW"},
        {"mean": [0.1, 0.2], "variance": [1.0, 2.0], "is_training": False, "epsilon": 0.1},
        {"mean": [0.1, 0.2], "variance": [1.0, 2.0], "exponential_avg_factor": 0.3},
        {"mean": F([]), "variance": F([]), "x": VOLUME, "data_format": "NDHWC"},
        {"mean": F([]), "variance": F([]), "x": IMAGE.astype("float16")},
        {"mean": F([]), "variance": F([]), "is_training": False},
        {"mean": F([]), "variance": F([]), "scale": [1.0]},
    ],
    ids=["batch", "NCHW", "given", "averages", "volume", "half", "missing", "misfit"],
)
def test_batch_normalization(version, options):
    """What is kept for the gradient is left out where TensorFlow leaves it to the kernel."""
    arguments = {"x": IMAGE, "scale": [1.0, 2.0], "offset": [0.5, -0.5], **options}

    def result(tf):
        try:
            made = getattr(tf.raw_ops, f"FusedBatchNorm{version}")(**arguments)
        except tf.errors.InvalidArgumentError:
            return "invalid"
        whole = arguments.get("is_training", True)
        return [type(made).__name__, made._fields, *map(plain, made[: 5 if whole else 3])]

    ours, theirs = result(torchtf), result(tensorflow)
    if theirs == "invalid":
        assert ours == "invalid"
    else:
        same(ours, theirs, 1e-3 if arguments["x"].dtype == np.float16 else 1e-5)


def test_signatures_are_tensorflows():
    def told(module, name):
        parameters = inspect.signature(getattr(module.raw_ops, name)).parameters.values()
        return [(p.name, getattr(p.default, "name", p.default)) for p in parameters]

    different = [
        name for name in dir(torchtf.raw_ops) if told(torchtf, name) != told(tensorflow, name)
    ]
    assert different == []


def test_names_are_tensorflows():
    theirs = {name for name in dir(tensorflow.raw_ops) if name[0] != "_"}
    assert set(dir(torchtf.raw_ops)) < theirs
    for name in dir(torchtf.raw_ops):
        assert getattr(torchtf.raw_ops, name).__name__ == getattr(tensorflow.raw_ops, name).__name__
        assert getattr(torchtf.raw_ops, name).__doc__


def both(program):
    return program(torchtf), program(tensorflow)


def error_of(program, module):
    with pytest.raises(Exception) as caught:
        program(module)
    return type(caught.value).__name__, str(caught.value)


@pytest.mark.parametrize(
    "program",
    [
        lambda tf: tf.raw_ops.AddV2(1, 2),
        lambda tf: tf.raw_ops.Sum([1], input=[1], axis=0),
        lambda tf: tf.raw_ops.AddV2(x=1),
        lambda tf: tf.raw_ops.Abs(x=1, z=3),
        lambda tf: tf.raw_ops.Squeeze(input=[[1]], squeeze_dims=[0]),
    ],
)
def test_errors_are_tensorflows(program):
    assert error_of(program, torchtf) == error_of(program, tensorflow)


def test_absent_and_unknown_names():
    with pytest.raises(NotImplementedError, match=r"tf\.raw_ops\.CudnnRNN is not supported"):
        torchtf.raw_ops.CudnnRNN  # noqa: B018
    assert not hasattr(torchtf.raw_ops, "CudnnRNN") and not hasattr(torchtf.raw_ops, "Nope")
    with pytest.raises(AttributeError) as caught:
        torchtf.raw_ops.Nope  # noqa: B018
    assert not isinstance(caught.value, NotImplementedError)


def test_in_a_function_and_under_a_tape():
    def program(tf):
        raw = tf.raw_ops

        @tf.function
        def step(x):
            y = raw.MatMul(a=x, b=x, transpose_b=True)
            y = raw.AccumulateNV2(inputs=[y, raw.Sigmoid(x=y)], shape=[2, 2])
            top = raw.TopKV2(input=y, k=1)
            part = raw.StridedSlice(
                input=y, begin=[0, 1], end=[2, 2], strides=[1, 1], shrink_axis_mask=2
            )
            return raw.Sum(input=part * top.values[:, 0], axis=[0])

        x = tf.constant(X)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = step(x)
        return plain([y, tape.gradient(y, x)])

    same(*both(program))


def test_factors():
    def program(tf):
        raw = tf.raw_ops
        s, u, v = raw.Svd(input=S)
        e, vectors = raw.SelfAdjointEigV2(input=S)
        again = u * s @ tf.transpose(v), vectors * e @ tf.transpose(vectors)
        names = [type(raw.Svd(input=S)).__name__, type(raw.SelfAdjointEigV2(input=S)).__name__]
        values = (
            raw.Svd(input=S, compute_uv=False).s,
            raw.SelfAdjointEigV2(input=S, compute_v=False).e,
        )
        roots = raw.Eig(input=S, Tout="complex64", compute_v=False).e
        return names, plain([s, e, *again, *values, tf.sort(tf.math.real(roots))])

    (names, ours), (their_names, theirs) = both(program)
    assert names == their_names
    same(ours, theirs, rtol=1e-4)


def test_gradient_is_prevented():
    def program(tf):
        x = tf.constant(2.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.raw_ops.PreventGradient(input=x, message="no")
        tape.gradient(y, x)

    assert error_of(program, torchtf) == error_of(program, tensorflow)


def test_generated_modules_take_arguments_in_order(run_python):
    program = """
    from {module}.python.ops import gen_array_ops, gen_math_ops
    print(gen_math_ops.mat_mul([[1., 2.]], [[3.], [4.]]).numpy(), gen_math_ops._sum([1, 2], 0).numpy())
    print(gen_array_ops.unique([3, 3, 1]).idx.numpy(), gen_math_ops.AddV2(x=1, y=2).numpy())
    from {module}.python.ops import array_ops, math_ops, random_ops  # with all of their generated one
    print(array_ops.prevent_gradient([1]).numpy(), math_ops.igamma_grad_a(1.0, 0.0).numpy())
    drawn = random_ops.parameterized_truncated_normal([2, 100], [0., 5.], 2.0, -1.0, 3.0).numpy()
    print(drawn.shape, drawn.dtype, drawn.min() >= -1, drawn.max() <= 3, drawn[0].mean() < 1.3 < drawn[1].mean())
    """
    ours, theirs = (run_python(program.format(module=m)) for m in ("torchtf", "tensorflow"))
    assert ours.splitlines() == theirs.splitlines()[-4:]

"""Where the names of the `tf` namespace live: the table behind `torchtf.__getattr__`."""

from __future__ import annotations

# name -> the module that defines it
_BY_MODULE = {
    "torchtf.core.graph": "executing_eagerly",
    "torchtf.function": "function",
    "torchtf.function.trace": "init_scope",
    "torchtf.core.shape": "TensorShape",
    "torchtf.core.specs": "TensorSpec TypeSpec type_spec_from_value",
    "torchtf.core.tape": "GradientTape UnconnectedGradients",
    "torchtf.core.variable": ("VariableSynchronization VariableAggregation variable_creator_scope"),
    "torchtf._raw_names": (
        "conv conv2d_backprop_filter_v2 conv2d_backprop_input_v2 fftnd ifftnd irfftnd "
        "ragged_fill_empty_rows ragged_fill_empty_rows_grad random_index_shuffle rfftnd"
    ),
    "torchtf.core.log": "get_logger",
    "torchtf.critical_section": "CriticalSection",
    "torchtf.data._structure": "NoneTensorSpec",
    "torchtf.debugging": "assert_equal assert_greater assert_less assert_rank",
    "torchtf.device_spec": "DeviceSpec",
    "torchtf.function.func_graph": "Graph Operation",
    "torchtf.gradients": "gradients hessians",
    "torchtf.core.device": "device",
    "torchtf.core.name_scope": "name_scope get_current_name_scope",
    "torchtf.module": "Module",
    "torchtf.core.convert": "convert_to_tensor",
    "torchtf.core.dtypes": (
        "DType as_dtype float16 half bfloat16 float32 float64 double int8 int16 int32 int64 uint8 "
        "uint16 uint32 uint64 string complex64 complex128 qint8 qint16 qint32 quint8 quint16 "
        "resource variant"
    ),
    "torchtf.array_ops": (
        "argsort batch_to_space bitcast boolean_mask broadcast_dynamic_shape "
        "broadcast_static_shape broadcast_to clip_by_global_norm clip_by_norm clip_by_value "
        "concat constant dynamic_partition dynamic_stitch edit_distance ensure_shape expand_dims "
        "extract_volume_patches eye fill fingerprint gather gather_nd guarantee_const "
        "histogram_fixed_width histogram_fixed_width_bins identity identity_n linspace meshgrid "
        "one_hot ones ones_like pad parallel_stack range rank repeat "
        "required_space_to_batch_paddings reshape reverse reverse_sequence roll scatter_nd "
        "searchsorted sequence_mask shape shape_n size slice sort space_to_batch "
        "space_to_batch_nd split squeeze stack stop_gradient strided_slice tensor_scatter_nd_add "
        "tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub "
        "tensor_scatter_nd_update tile transpose unique unique_with_counts unravel_index unstack "
        "where zeros zeros_like"
    ),
    "torchtf.framework": (
        "AggregationMethod get_static_value inside_function is_symbolic_tensor is_tensor "
        "register_tensor_conversion_function timestamp"
    ),
    "torchtf.core.indexed_slices": "IndexedSlices IndexedSlicesSpec",
    "torchtf.linalg": ("eig eigvals einsum norm tensordot"),
    "torchtf.data._optional": "OptionalSpec",
    "torchtf.init_ops": (
        "constant_initializer ones_initializer random_normal_initializer "
        "random_uniform_initializer zeros_initializer"
    ),
    "torchtf.math": (
        "abs acos acosh add add_n approx_top_k argmax argmin asin asinh atan atan2 atanh cast "
        "complex cos cosh cumsum divide equal exp floor greater greater_equal less less_equal "
        "logical_and logical_not logical_or matmul maximum minimum multiply negative not_equal "
        "pow realdiv reduce_all reduce_any reduce_logsumexp reduce_max reduce_mean reduce_min "
        "reduce_prod reduce_sum round saturate_cast scalar_mul sigmoid sign sin sinh sqrt square "
        "subtract tan tanh truediv truncatediv truncatemod"
    ),
    "torchtf.strings": "as_string",
    "torchtf.control_flow": (
        "case cond control_dependencies foldl foldr group map_fn no_op scan switch_case "
        "vectorized_map while_loop"
    ),
    "torchtf.custom_gradient": "custom_gradient grad_pass_through recompute_grad",
    "torchtf.logging_ops": "Assert print",
    "torchtf.script_ops": "numpy_function py_function",
    "torchtf.tensor_array": "TensorArray TensorArraySpec",
    "torchtf.ragged": "RaggedTensor RaggedTensorSpec",
    "torchtf.sparse": "SparseTensor SparseTensorSpec",
    "torchtf.tensor_proto": "make_ndarray make_tensor_proto",
}

TOP_LEVEL: dict[str, str] = {
    name: module for module, names in _BY_MODULE.items() for name in names.split()
}
TOP_LEVEL |= {
    "matrix_square_root": "torchtf.linalg:sqrtm",
    "bool": "torchtf.core.dtypes:bool_",
    "tuple": "torchtf.control_flow:tuple_",
}

# name -> the module that is that namespace
MODULES: dict[str, str] = {
    "train": "torchtf.train",
    "strings": "torchtf.strings",
    "sparse": "torchtf.sparse",
    "ragged": "torchtf.ragged",
    "raw_ops": "torchtf.raw_ops",
    "queue": "torchtf.queue",
    "lookup": "torchtf.lookup",
    "io": "torchtf.io",
    "audio": "torchtf.audio",
    "autodiff": "torchtf.autodiff",
    "__internal__": "torchtf.__internal__",
    "autograph": "torchtf.autograph",
    "bitwise": "torchtf.bitwise",
    "data": "torchtf.data",
    "compat": "torchtf.compat",
    "config": "torchtf.config",
    "distribute": "torchtf.distribute",
    "errors": "torchtf.core.errors",
    "feature_column": "torchtf.feature_column",
    "keras": "torchtf.keras",
    "linalg": "torchtf.linalg",
    "sets": "torchtf.sets",
    "lite": "torchtf.lite",
    "math": "torchtf.math",
    "nest": "torchtf.core.nest",
    "image": "torchtf.image",
    "nn": "torchtf.nn",
    "quantization": "torchtf.quantization",
    "random": "torchtf.random",
    "signal": "torchtf.signal",
    "saved_model": "torchtf.saved_model",
    "summary": "torchtf.summary",
    "tpu": "torchtf.tpu",
    "types": "torchtf.types",
    "xla": "torchtf.xla",
    "debugging": "torchtf.debugging",
    "dtypes": "torchtf.dtypes",
    "test": "torchtf.test",
    "version": "torchtf.version",
    "sysconfig": "torchtf.sysconfig",
    "profiler": "torchtf.profiler",
    "losses": "torchtf.keras:losses",
    "metrics": "torchtf.keras:metrics",
    "optimizers": "torchtf.keras:optimizers",
    "initializers": "torchtf.keras:initializers",
    "experimental": "torchtf.experimental",
}

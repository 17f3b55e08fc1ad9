"""Symbols outside `tf.keras` that TensorFlow's guides use, by page of tensorflow.org/guide.

Kept by hand, from knowledge of the pages; no program extracted it from them. A page appears with
the names below `tf` that its programs call or mention in code. Methods count as `Class.member`.
Pages about `tf.keras`, migration from TF 1 and estimators are left out, as those namespaces are.
"""

from __future__ import annotations

PAGES = {
    "basics": """
        Variable Variable.assign Variable.assign_add Module GradientTape GradientTape.gradient
        Tensor.shape Tensor.dtype add concat config.list_physical_devices constant
        convert_to_tensor function linspace matmul nn.softmax print range reduce_sum
        saved_model.load saved_model.save square transpose cast random.normal train.Checkpoint""",
    "tensor": """
        Tensor.dtype Tensor.ndim Tensor.numpy Tensor.shape RaggedTensor SparseTensor Variable
        add argmax broadcast_to cast constant convert_to_tensor io.decode_raw matmul multiply
        nn.softmax ragged.constant rank reduce_max reshape shape size sparse.to_dense
        strings.bytes_split strings.split strings.to_number strings.unicode_decode
        strings.unicode_split transpose zeros TensorShape.as_list""",
    "variable": """
        Variable Variable.assign Variable.assign_add Variable.assign_sub Variable.numpy argmax
        constant convert_to_tensor device matmul reshape debugging.set_log_device_placement""",
    "autodiff": """
        GradientTape GradientTape.gradient GradientTape.watch GradientTape.watched_variables
        UnconnectedGradients.ZERO Variable constant reduce_mean reduce_sum convert_to_tensor
        zeros image.resize Module cast linspace nn.sigmoid""",
    "advanced_autodiff": """
        GradientTape GradientTape.batch_jacobian GradientTape.jacobian GradientTape.reset
        GradientTape.stop_recording Module Variable clip_by_norm custom_gradient einsum eye
        function identity linalg.matmul nn.relu norm range reduce_max reduce_sum reshape
        saved_model.load saved_model.save saved_model.SaveOptions stop_gradient
        autodiff.ForwardAccumulator nn.elu tanh""",
    "intro_to_graphs": """
        Tensor autograph.to_code config.run_functions_eagerly constant function greater
        executing_eagerly random.uniform reduce_sum print Graph cond eye matmul""",
    "function": """
        RaggedTensor TensorArray TensorArray.stack TensorArray.write TensorSpec TypeSpec
        Variable autograph autograph.experimental.do_not_convert autograph.set_verbosity
        autograph.to_code config.run_functions_eagerly constant data.Dataset.from_generator
        data.Dataset.from_tensors debugging.assert_equal function init_scope nn.conv2d print
        py_function random.uniform random.normal range reduce_sum stack tanh transpose
        while_loop cond types.experimental.TraceType types.experimental.SupportsTracingProtocol
        types.experimental.GenericFunction types.experimental.ConcreteFunction
        config.functions_run_eagerly numpy_function queue.FIFOQueue data.Iterator less math.add
        squeeze zeros zeros_like vectorized_map""",
    "intro_to_modules": """
        Module Module.name_scope Module.submodules Module.trainable_variables Module.variables
        Variable function matmul nn.relu random.normal saved_model.load saved_model.save
        summary.create_file_writer summary.trace_export summary.trace_on train.Checkpoint
        train.Checkpoint.restore train.Checkpoint.write train.list_variables zeros constant
        profiler.experimental.start""",
    "basic_training_loops": """
        GradientTape Module Variable cast linspace random.normal reduce_mean square
        Variable.assign_sub""",
    "core/quickstart_core": """
        GradientTape Module Variable data.Dataset.from_tensor_slices data.Dataset.shuffle
        data.Dataset.batch random.set_seed saved_model.save reduce_mean cast square sign stack
        zeros function TensorSpec constant convert_to_tensor linspace math.reduce_std""",
    "core/logistic_regression_core": """
        Module Variable nn.sigmoid_cross_entropy_with_logits sigmoid matmul data.Dataset
        random.uniform zeros reduce_mean math.reduce_std round cast equal saved_model.load""",
    "core/mlp_core": """
        Module Variable nn.relu nn.softmax nn.sparse_softmax_cross_entropy_with_logits argmax
        cast equal data.AUTOTUNE one_hot math.confusion_matrix reduce_mean sqrt random.uniform
        data.Dataset.prefetch data.Dataset.cache reshape saved_model.load""",
    "core/matrix_core": """
        linalg.svd linalg.diag linalg.norm transpose matmul io.decode_image image.resize cast
        einsum linspace norm diag_part size squeeze""",
    "core/optimizers_core": "GradientTape Variable Module random.set_seed sqrt zeros_like meshgrid",
    "core/distribution": "experimental.dtensor.Layout experimental.dtensor.Mesh",
    "ragged_tensor": """
        RaggedTensor RaggedTensor.bounding_shape RaggedTensor.from_row_lengths
        RaggedTensor.from_row_splits RaggedTensor.from_sparse RaggedTensor.from_tensor
        RaggedTensor.from_uniform_row_length RaggedTensor.from_value_rowids RaggedTensor.nrows
        RaggedTensor.numpy RaggedTensor.row_splits RaggedTensor.shape RaggedTensor.to_list
        RaggedTensor.to_sparse RaggedTensor.to_tensor RaggedTensor.values RaggedTensorSpec add
        concat data.Dataset.batch data.Dataset.from_tensor_slices data.Dataset.map
        data.Dataset.unbatch data.Dataset.window data.Dataset.ragged_batch fill function
        io.FixedLenFeature io.RaggedFeature io.parse_example map_fn math.square
        nn.embedding_lookup ragged.constant ragged.map_flat_values ragged.range reduce_max
        reduce_mean reduce_min reverse saved_model.load saved_model.save sparse.concat
        sparse.to_dense strings.join strings.substr strings.to_hash_bucket_fast tile
        train.Example train.Feature train.Features train.BytesList random.truncated_normal range
        reduce_prod""",
    "sparse_tensor": """
        SparseTensor SparseTensorSpec Variable constant data.Dataset.batch
        data.Dataset.from_tensor_slices data.Dataset.map function io.VarLenFeature
        io.parse_example multiply sparse.SparseTensor sparse.add sparse.concat
        sparse.expand_dims sparse.from_dense sparse.map_values sparse.reduce_max sparse.slice
        sparse.sparse_dense_matmul sparse.split sparse.to_dense sparse.transpose train.Example
        train.Feature train.FloatList train.Int64List where sqrt math.abs cast zeros""",
    "tensor_slicing": """
        SparseTensor constant convert_to_tensor gather gather_nd scatter_nd slice
        sparse.to_dense tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min
        tensor_scatter_nd_sub reshape strided_slice""",
    "tf_numpy": """
        experimental.numpy.experimental_enable_numpy_behavior experimental.numpy.array
        experimental.numpy.ones experimental.numpy.ndarray experimental.numpy.reshape
        experimental.numpy.random.randn experimental.numpy.sum experimental.numpy.add
        experimental.numpy.asarray experimental.numpy.matmul experimental.numpy.maximum
        experimental.numpy.square experimental.numpy.mean experimental.numpy.tanh
        experimental.numpy.zeros experimental.numpy.int32 experimental.numpy.arange
        experimental.numpy.broadcast_to experimental.numpy.float32 experimental.numpy.newaxis
        GradientTape Variable constant function vectorized_map device convert_to_tensor
        config.list_logical_devices experimental.numpy.dot experimental.numpy.sqrt""",
    "tf_numpy_type_promotion": """
        experimental.numpy.experimental_enable_numpy_behavior experimental.numpy.array Variable
        constant concat bfloat16 float16 float32 float64 int16 int32 int64 int8 uint8 uint16
        uint32 uint64 complex64 complex128 experimental.numpy.float16 convert_to_tensor zeros
        experimental.numpy.random.uniform""",
    "extension_type": """
        experimental.BatchableExtensionType experimental.ExtensionType
        experimental.ExtensionTypeBatchEncoder experimental.ExtensionTypeSpec
        experimental.dispatch_for_api experimental.dispatch_for_binary_elementwise_apis
        experimental.dispatch_for_unary_elementwise_apis experimental.extension_type.as_dict
        experimental.unregister_dispatch_for RaggedTensor Tensor TensorShape TensorSpec TypeSpec
        DType concat cond constant convert_to_tensor data.Dataset.from_tensor_slices
        data.Dataset.from_tensors debugging.assert_equal function math.add math.reduce_sum
        matmul nest.flatten ragged.constant rank reduce_any saved_model.load saved_model.save
        shape stack transpose where while_loop math.logical_not print image.adjust_brightness
        sparse.from_dense math.abs Variable broadcast_to clip_by_value ones_like""",
    "random_numbers": """
        random.Generator random.Generator.from_key_counter
        random.Generator.from_non_deterministic_state random.Generator.from_seed
        random.Generator.from_state random.Generator.make_seeds random.Generator.normal
        random.Generator.reset_from_seed random.Generator.split
        random.Generator.uniform_full_int random.get_global_generator
        random.set_global_generator random.stateless_uniform random.stateless_normal
        random.create_rng_state random.experimental.stateless_fold_in
        random.experimental.stateless_split distribute.MirroredStrategy train.Checkpoint
        saved_model.save Module function random.fold_in random.split random.Algorithm""",
    "data": """
        data.AUTOTUNE data.Dataset data.Dataset.batch data.Dataset.cache
        data.Dataset.cardinality data.Dataset.concatenate data.Dataset.element_spec
        data.Dataset.enumerate data.Dataset.filter data.Dataset.flat_map
        data.Dataset.from_generator data.Dataset.from_tensor_slices data.Dataset.from_tensors
        data.Dataset.interleave data.Dataset.list_files data.Dataset.map
        data.Dataset.padded_batch data.Dataset.prefetch data.Dataset.range data.Dataset.reduce
        data.Dataset.rejection_resample data.Dataset.repeat data.Dataset.sample_from_datasets
        data.Dataset.shuffle data.Dataset.skip data.Dataset.take data.Dataset.window
        data.Dataset.zip data.TFRecordDataset data.TextLineDataset data.experimental.CsvDataset
        data.experimental.make_csv_dataset image.convert_image_dtype image.resize io.decode_jpeg
        io.parse_single_example io.read_file io.FixedLenFeature numpy_function py_function
        sparse.SparseTensor strings.split strings.substr train.Example strings.regex_replace
        train.Checkpoint train.CheckpointManager TensorSpec cumsum fill not_equal one_hot
        squeeze data.experimental.assert_cardinality""",
    "data_performance": """
        data.AUTOTUNE data.Dataset.batch data.Dataset.cache data.Dataset.from_generator
        data.Dataset.interleave data.Dataset.map data.Dataset.prefetch data.Dataset.range
        data.Dataset.unbatch TensorSpec constant py_function timestamp math.add""",
    "checkpoint": """
        train.Checkpoint train.Checkpoint.restore train.Checkpoint.save train.CheckpointManager
        train.CheckpointManager.latest_checkpoint train.CheckpointManager.save
        train.latest_checkpoint train.list_variables train.load_checkpoint Module Variable
        data.Dataset.from_tensor_slices GradientTape reduce_mean
        train.CheckpointManager.checkpoints""",
    "saved_model": """
        saved_model.load saved_model.save saved_model.LoadOptions Module TensorSpec Variable
        function saved_model.contains_saved_model signatures.keys nn.softmax constant
        saved_model.Asset io.read_file""",
    "distributed_training": """
        distribute.MirroredStrategy distribute.MultiWorkerMirroredStrategy
        distribute.OneDeviceStrategy distribute.ParameterServerStrategy distribute.TPUStrategy
        distribute.Strategy.scope distribute.Strategy.run distribute.Strategy.reduce
        distribute.ReduceOp.SUM distribute.ReduceOp.MEAN
        distribute.Strategy.experimental_distribute_dataset
        distribute.cluster_resolver.TPUClusterResolver
        distribute.experimental.CentralStorageStrategy
        distribute.cluster_resolver.TFConfigClusterResolver distribute.get_strategy
        distribute.HierarchicalCopyAllReduce distribute.CrossDeviceOps
        distribute.ReductionToOneDevice distribute.NcclAllReduce
        distribute.experimental.CommunicationImplementation
        distribute.experimental.CommunicationOptions tpu.experimental.initialize_tpu_system
        config.experimental_connect_to_cluster nn.compute_average_loss
        nn.scale_regularization_loss distribute.coordinator.ClusterCoordinator
        distribute.get_replica_context""",
    "gpu": """
        config.LogicalDeviceConfiguration config.experimental.set_memory_growth
        config.list_logical_devices config.list_physical_devices
        config.set_logical_device_configuration config.set_soft_device_placement
        config.set_visible_devices debugging.set_log_device_placement device
        distribute.MirroredStrategy matmul add_n test.is_gpu_available
        config.experimental.get_memory_info""",
    "graph_optimization": """
        config.optimizer.get_experimental_options config.optimizer.set_experimental_options cond
        constant function nn.conv2d random.normal reshape stack tensordot transpose""",
    "profiler": """
        profiler.experimental.ProfilerOptions profiler.experimental.Trace
        profiler.experimental.client.trace profiler.experimental.server.start
        profiler.experimental.start profiler.experimental.stop profiler.experimental.Profile""",
    "mixed_precision": """
        GradientTape cast function matmul data.Dataset.from_tensor_slices random.normal float16
        float32""",
    "effective_tf2": """
        function GradientTape Module Variable data.Dataset summary.create_file_writer
        summary.scalar nn.softmax_cross_entropy_with_logits train.Checkpoint TensorArray
        config.run_functions_eagerly nn.relu""",
    "dtensor_overview": """
        experimental.dtensor.Layout experimental.dtensor.Layout.replicated
        experimental.dtensor.Mesh experimental.dtensor.UNSHARDED
        experimental.dtensor.call_with_layout experimental.dtensor.copy_to_mesh
        experimental.dtensor.create_mesh experimental.dtensor.DVariable
        experimental.dtensor.device_name experimental.dtensor.fetch_layout
        experimental.dtensor.pack experimental.dtensor.relayout experimental.dtensor.unpack
        experimental.dtensor.check_layout experimental.dtensor.initialize_accelerator_system
        experimental.dtensor.run_on random.stateless_uniform constant function matmul
        config.set_logical_device_configuration experimental.dtensor.local_devices
        experimental.dtensor.create_distributed_mesh""",
    "jax2tf": """
        Module Variable function TensorSpec saved_model.save GradientTape nest.map_structure""",
    "unicode (tutorial of text)": """
        RaggedTensor.from_row_lengths RaggedTensor.from_row_starts RaggedTensor.from_sparse
        concat constant fill not_equal reduce_sum squeeze strings.length strings.substr
        strings.unicode_decode strings.unicode_decode_with_offsets strings.unicode_encode
        strings.unicode_script strings.unicode_split strings.unicode_transcode where cast""",
}  # fmt: skip


def symbols() -> list[str]:
    """All names, each once."""
    return sorted({name for text in PAGES.values() for name in text.split()})

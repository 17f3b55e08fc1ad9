"""`tfx.types.standard_component_specs`: the names of inputs, outputs and parameters."""

_NAMES = (
    "anomalies base_model baseline_model blessing custom_config eval_args eval_config evaluation "
    "example_splits examples exclude_splits hyperparameters infer_feature_shape infra_blessing "
    "input_base input_config materialize model model_blessing model_run module_file "
    "module_path output_config output_data_format post_transform_anomalies post_transform_schema "
    "post_transform_stats pre_transform_schema pre_transform_stats preprocessing_fn "
    "push_destination pushed_model range_config run_fn schema schema_file splits_config statistics "
    "train_args transform_graph transformed_examples updated_analyzer_cache"
)
globals().update({f"{name.upper()}_KEY": name for name in _NAMES.split()})
STATS_OPTIONS_JSON_KEY = "stats_options_json"

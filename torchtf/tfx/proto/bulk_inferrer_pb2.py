"""`tfx.proto.bulk_inferrer_pb2`: what is inferred, with which signatures, and what is kept."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.components.bulkinferrer",
    {
        "ModelSpec": {2: ("model_signature_name", "*string"), 5: ("tag", "*string")},
        "DataSpec": {2: ("example_splits", "*string")},
        "OutputExampleSpec": {3: ("output_columns_spec", "*OutputColumnsSpec")},
        "OutputColumnsSpec": {
            1: ("signature_name", "string"),
            2: ("classify_output", "ClassifyOutput", "output_type"),
            3: ("regress_output", "RegressOutput", "output_type"),
            4: ("predict_output", "PredictOutput", "output_type"),
        },
        "ClassifyOutput": {1: ("label_column", "string"), 2: ("score_column", "string")},
        "RegressOutput": {1: ("value_column", "string")},
        "PredictOutput": {1: ("output_columns", "*PredictOutputCol")},
        "PredictOutputCol": {1: ("output_key", "string"), 2: ("output_column", "string")},
    },
)

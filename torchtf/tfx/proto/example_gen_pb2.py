"""`tfx.proto.example_gen_pb2`: where examples come from and how they are split."""

from google.protobuf import any_pb2

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.components.example_gen",
    {
        "Input": {1: ("splits", "*Input.Split")},
        "Input.Split": {1: ("name", "string"), 2: ("pattern", "string")},
        "CustomConfig": {1: ("custom_config", ".google.protobuf.Any")},
        "Output": {3: ("split_config", "SplitConfig")},
        "SplitConfig": {
            1: ("splits", "*SplitConfig.Split"),
            2: ("partition_feature_name", "string", "splitting_method_config"),
        },
        "SplitConfig.Split": {1: ("name", "string"), 2: ("hash_buckets", "uint32")},
    },
    {
        "PayloadFormat": {
            "FORMAT_UNSPECIFIED": 0,
            "FORMAT_TF_EXAMPLE": 6,
            "FORMAT_TF_SEQUENCE_EXAMPLE": 7,
            "FORMAT_PROTO": 11,
            "FORMAT_PARQUET": 15,
        },
        "FileFormat": {
            "FILE_FORMAT_UNSPECIFIED": 0,
            "FORMAT_TFRECORDS_GZIP": 5,
            "FILE_FORMAT_PARQUET": 16,
        },
    },
    uses=[any_pb2],
)

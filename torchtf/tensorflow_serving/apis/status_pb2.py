"""`tensorflow_serving.apis.status_pb2`: whether something went well, and what not."""

from torchtf.core import errors
from torchtf.core.proto_files import define

_CODES = sorted((v, k) for k, v in vars(errors).items() if k.isupper() and isinstance(v, int))

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {"StatusProto": {1: ("error_code", "enum Code"), 2: ("error_message", "string")}},
    {"Code": {name: number for number, name in _CODES}},
)

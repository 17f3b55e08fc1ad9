"""`tensorflow_serving.apis.input_pb2`: the examples that classification and regression take."""

from torchtf.core import proto_types
from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        "ExampleList": {1: ("examples", "*.torchtf.tensorflow.Example")},
        "ExampleListWithContext": {
            1: ("examples", "*.torchtf.tensorflow.Example"),
            2: ("context", ".torchtf.tensorflow.Example"),
        },
        "Input": {
            1: ("example_list", "ExampleList", "kind"),
            2: ("example_list_with_context", "ExampleListWithContext", "kind"),
        },
    },
    uses=[proto_types],
)

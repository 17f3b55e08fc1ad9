"""`tensorflow_serving.config.file_system_storage_path_source_pb2`: which versions to serve."""

from torchtf.core.proto_files import define

_SOURCE = "FileSystemStoragePathSourceConfig"
_POLICY = f"{_SOURCE}.ServableVersionPolicy"

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tensorflow.serving",
    {
        _SOURCE: {
            5: ("servables", f"*{_SOURCE}.ServableToMonitor"),
            3: ("file_system_poll_wait_seconds", "int64"),
            4: ("fail_if_zero_versions_at_startup", "bool"),
            6: ("servable_versions_always_present", "bool"),
        },
        _POLICY: {
            100: ("latest", f"{_POLICY}.Latest", "policy_choice"),
            101: ("all", f"{_POLICY}.All", "policy_choice"),
            102: ("specific", f"{_POLICY}.Specific", "policy_choice"),
        },
        f"{_POLICY}.Latest": {1: ("num_versions", "uint32")},
        f"{_POLICY}.All": {},
        f"{_POLICY}.Specific": {1: ("versions", "*int64")},
        f"{_SOURCE}.ServableToMonitor": {
            1: ("servable_name", "string"),
            2: ("base_path", "string"),
            4: ("servable_version_policy", _POLICY),
        },
    },
)

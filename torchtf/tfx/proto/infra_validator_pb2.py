"""`tfx.proto.infra_validator_pb2`: how a model is tried in a model server."""

from torchtf.core.proto_files import define

DESCRIPTOR = define(
    __name__,
    globals(),
    "torchtf.tfx.components.infra_validator",
    {
        "ServingSpec": {
            1: ("tensorflow_serving", "TensorFlowServing", "serving_binary"),
            2: ("local_docker", "LocalDockerConfig", "serving_platform"),
            3: ("kubernetes", "KubernetesConfig", "serving_platform"),
            4: ("model_name", "string"),
        },
        "TensorFlowServing": {
            3: ("image_name", "string"),
            1: ("tags", "*string"),
            2: ("digests", "*string"),
        },
        "LocalDockerConfig": {
            1: ("client_base_url", "string"),
            2: ("client_api_version", "string"),
            3: ("client_timeout_seconds", "int32"),
            4: ("host_ip_address", "string"),
        },
        "KubernetesConfig": {
            1: ("service_account_name", "string"),
            2: ("active_deadline_seconds", "int32"),
            3: ("serving_pod_overrides", "PodOverrides"),
        },
        "PodOverrides": {
            1: ("annotations", "map string"),
            2: ("env", "*EnvVar"),
            3: ("resources", "Resources"),
        },
        "EnvVar": {
            1: ("name", "string"),
            2: ("value", "string"),
            3: ("value_from", "EnvVarSource"),
        },
        "EnvVarSource": {4: ("secret_key_ref", "SecretKeySelector")},
        "SecretKeySelector": {1: ("name", "string"), 2: ("key", "string")},
        "Resources": {
            1: ("requests", "map string"),
            2: ("limits", "map string"),
            3: ("claims", "map string"),
        },
        "ValidationSpec": {
            1: ("max_loading_time_seconds", "int32"),
            2: ("num_tries", "int32"),
        },
        "RequestSpec": {
            1: ("tensorflow_serving", "TensorFlowServingRequestSpec", "kind"),
            2: ("split_name", "string"),
            3: ("num_examples", "int32"),
            4: ("make_warmup", "bool"),
        },
        "TensorFlowServingRequestSpec": {
            1: ("tag_set", "*string"),
            2: ("signature_names", "*string"),
        },
    },
)

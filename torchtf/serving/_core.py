"""What the server does, apart from how it is asked: the requests of both interfaces.

Errors are `tf.errors`; an interface makes a gRPC status or an HTTP status of them (`failure_of`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent import futures

import numpy as np

from torchtf import saved_model
from torchtf.core import dtypes, errors
from torchtf.core.shape import TensorShape
from torchtf.serving import _json
from torchtf.serving._config import invalid
from torchtf.serving._manager import Manager
from torchtf.serving._metrics import Metrics
from torchtf.serving._options import CPUS, Options
from torchtf.serving._servable import DEFAULT_SIGNATURE, Servable, Signature
from torchtf.tensor_proto import _fill, _values, make_ndarray
from torchtf.tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

SIGNATURE_DEF = "signature_def"
_log = logging.getLogger("torchtf.serving")


def failure_of(error: Exception) -> errors.OpError:
    """What went wrong, as an error with a code."""
    if isinstance(error, errors.OpError):
        return error
    if isinstance(error, (TypeError, ValueError)):
        return invalid(str(error))
    _log.error("a request failed", exc_info=error)
    return errors.InternalError(None, None, f"{type(error).__name__}: {error}")


class Deadline:
    """When a request must be answered.

    Args:
        seconds: from now on; None for never.
    """

    def __init__(self, seconds: float | None):
        self._end = None if seconds is None else time.monotonic() + seconds

    def result(self, future: futures.Future):
        """What a future gives in time.

        Raises:
            tf.errors.DeadlineExceededError: if it does not.
        """
        left = None if self._end is None else max(0.0, self._end - time.monotonic())
        try:
            return future.result(min(left, 1e6) if left is not None else None)
        except futures.TimeoutError as error:
            if future.done():  # the model's own
                raise
            future.cancel()
            raise errors.DeadlineExceededError(
                None, None, "Timed out waiting for notification"
            ) from error


class Core:
    """Answers requests with what `manager` has loaded, run by `runner` (see `_batching`)."""

    def __init__(self, manager: Manager, runner, options: Options):
        self.manager = manager
        self.metrics = Metrics()
        self._runner = runner
        self._packs = options.enable_serialization_as_tensor_content
        self._checks_methods = options.enable_signature_method_name_check

    # -- predicting

    def predict(self, request, deadline: Deadline):
        """Answers a `PredictRequest`."""
        spec = request.model_spec
        with self.manager.use(spec) as servable:
            signature = _signature(servable, spec)
            if signature is None:
                raise errors.FailedPreconditionError(
                    None, None, f'Serving signature key "{_key(spec)}" not found.'
                )
            inputs = {name: _array(name, proto) for name, proto in request.inputs.items()}
            chosen = signature.chosen(request.output_filter)
            outputs = self._run(servable, signature, inputs, deadline)
            response = predict_pb2.PredictResponse()
            _tell_spec(response.model_spec, servable, signature.key)
            for name in chosen:
                _write(response.outputs[name], outputs[name], self._packs)
            return response

    def predict_json(self, spec, body: bytes, deadline: Deadline) -> bytes:
        """Answers a Predict request in JSON for the model that a `ModelSpec` means."""
        request = _json.parse(body)
        spec.signature_name = _json.signature_name(request)
        with self.manager.use(spec) as servable:
            signature = _signature(servable, spec)
            if signature is None:
                raise invalid(f'Serving signature name: "{_key(spec)}" not found in signature def')
            if not signature.inputs:
                raise invalid(
                    f"Failed to get input map for signature: {spec.signature_name or 'DEFAULT'}"
                )
            inputs, by_row = _json.read_inputs(request, signature.inputs)
            outputs = self._run(servable, signature, inputs, deadline)
        return _json.write_outputs(outputs, by_row)

    def _run(self, servable: Servable, signature: Signature, inputs: Mapping, deadline: Deadline):
        signature.check(inputs)
        return deadline.result(self._runner.submit(servable, signature.key, inputs))

    # -- classification and regression

    def classify(self, request, deadline: Deadline):
        """Answers a `ClassificationRequest`."""
        response = classification_pb2.ClassificationResponse()
        return self._infer(self._classify, request, deadline, response)

    def regress(self, request, deadline: Deadline):
        """Answers a `RegressionRequest`."""
        response = regression_pb2.RegressionResponse()
        return self._infer(self._regress, request, deadline, response)

    def _infer(self, method: Callable, request, deadline: Deadline, response):
        with self.manager.use(request.model_spec) as servable:
            method(servable, request.model_spec, request.input, deadline, response.result)
            _tell_spec(response.model_spec, servable, request.model_spec.signature_name)
        return response

    def multi_inference(self, request, deadline: Deadline):
        """Answers a `MultiInferenceRequest`: its tasks, on one input and one version of a model."""
        response = inference_pb2.MultiInferenceResponse()
        if not request.tasks:
            raise invalid("Inference request must contain at least one task")
        names = {task.model_spec.name for task in request.tasks}
        if len(names) > 1:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name"
            )
        with self.manager.use(request.tasks[0].model_spec) as servable:
            for task in request.tasks:
                result = response.results.add()
                spec = task.model_spec
                if task.method_name == saved_model.CLASSIFY_METHOD_NAME:
                    target = result.classification_result
                    self._classify(servable, spec, request.input, deadline, target)
                elif task.method_name == saved_model.REGRESS_METHOD_NAME:
                    target = result.regression_result
                    self._regress(servable, spec, request.input, deadline, target)
                else:
                    raise errors.UnimplementedError(
                        None, None, f"Unsupported signature method_name: {task.method_name}"
                    )
                _tell_spec(result.model_spec, servable, spec.signature_name)
        return response

    def classify_json(self, spec, body: bytes, deadline: Deadline) -> bytes:
        """Answers a Classify request in JSON."""
        request = classification_pb2.ClassificationRequest(model_spec=spec)
        self._read_examples(request, body, "classify")
        rows = self.classify(request, deadline).result.classifications
        return _json.write_results([[[c.label, c.score] for c in row.classes] for row in rows])

    def regress_json(self, spec, body: bytes, deadline: Deadline) -> bytes:
        """Answers a Regress request in JSON."""
        request = regression_pb2.RegressionRequest(model_spec=spec)
        self._read_examples(request, body, "regress")
        rows = self.regress(request, deadline).result.regressions
        return _json.write_results([row.value for row in rows])

    def _read_examples(self, request, body: bytes, method: str) -> None:
        content = _json.parse(body)
        request.model_spec.signature_name = _json.signature_name(content)
        _json.read_examples(content, method, request.input)

    def _classify(self, servable: Servable, spec, given, deadline: Deadline, result) -> None:
        names = (saved_model.CLASSIFY_OUTPUT_CLASSES, saved_model.CLASSIFY_OUTPUT_SCORES)
        signature = self._method(servable, spec, "classification", saved_model.CLASSIFY_METHOD_NAME)
        if not any(name in signature.outputs for name in names):
            raise invalid(
                "Expected classification signature outputs to contain at least one of "
                f'"classes" or "scores". It has: {", ".join(signature.outputs)}'
            )
        examples = _serialized(given)
        outputs = self._run(servable, signature, {saved_model.CLASSIFY_INPUTS: examples}, deadline)
        found = {}
        for name, dtype in zip(names, (object, np.float32), strict=True):
            array = outputs.get(name)
            if array is None:
                continue
            if array.ndim != 2 or array.dtype != dtype or len(array) != len(examples):
                raise invalid(
                    f"Expected {name} Tensor of {'DT_STRING' if dtype is object else 'DT_FLOAT'} "
                    f"and shape: [batch_size num_classes] with batch size of {len(examples)}. Got: "
                    f"{array.dtype} {list(array.shape)}"
                )
            found[name] = array.tolist()
        if len(found) == 2 and len(found[names[0]][0]) != len(found[names[1]][0]):
            raise invalid("Tensors class and score should match in dim_size(1).")
        for i in range(len(examples)):
            row = result.classifications.add()
            for j in range(len(next(iter(found.values()))[i])):
                made = row.classes.add()
                if names[0] in found:
                    made.label = found[names[0]][i][j]
                if names[1] in found:
                    made.score = found[names[1]][i][j]

    def _regress(self, servable: Servable, spec, given, deadline: Deadline, result) -> None:
        signature = self._method(servable, spec, "regression", saved_model.REGRESS_METHOD_NAME)
        if list(signature.outputs) != [saved_model.REGRESS_OUTPUTS]:
            raise invalid(
                "Expected one output Tensor, 'outputs'. The regression signature has: "
                f"{', '.join(signature.outputs)}"
            )
        examples = _serialized(given)
        outputs = self._run(servable, signature, {saved_model.REGRESS_INPUTS: examples}, deadline)
        array = outputs[saved_model.REGRESS_OUTPUTS]
        if array.shape not in ((len(examples),), (len(examples), 1)) or array.dtype != np.float32:
            raise invalid(
                "Expected output Tensor of DT_FLOAT and shape to be either [batch_size] or "
                f"[batch_size, 1] but got {array.dtype} {list(array.shape)}"
            )
        for value in array.reshape(-1).tolist():
            result.regressions.add(value=value)

    def _method(self, servable: Servable, spec, what: str, method: str) -> Signature:
        """The signature that takes examples for classification or regression."""
        signature = _signature(servable, spec)
        if signature is None:
            raise invalid(f"No signature was found with the name: {_key(spec)}")
        if self._checks_methods and signature.definition.method_name != method:
            raise invalid(
                f"Expected {what} signature method_name to be {method}. Was: "
                f"{signature.definition.method_name}"
            )
        if list(signature.inputs) != ["inputs"]:
            raise invalid(
                f"Expected one input Tensor, 'inputs'. The {what} signature has: "
                f"{', '.join(signature.inputs)}"
            )
        return signature

    # -- about models

    def metadata(self, request):
        """Answers a `GetModelMetadataRequest`."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != SIGNATURE_DEF:
                raise invalid(f"Metadata field {name} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self.manager.use(request.model_spec) as servable:
            found = get_model_metadata_pb2.SignatureDefMap()
            for key, definition in servable.signature_defs.items():
                found.signature_def[key].CopyFrom(definition)
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.metadata[SIGNATURE_DEF].Pack(found)
        return response

    def status(self, request):
        """Answers a `GetModelStatusRequest`."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        response = get_model_status_pb2.GetModelStatusResponse()
        for number, state, error in self.manager.status(request.model_spec):
            row = response.model_version_status.add(version=number, state=int(state))
            row.status.SetInParent()
            if error is not None:
                _tell_error(row.status, error)
        return response

    def reload(self, request):
        """Answers a `ReloadConfigRequest`; what is wrong with it is part of the answer."""
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        try:
            self.manager.reload(request.config)
        except errors.OpError as error:
            _tell_error(response.status, error)
        return response


def _key(spec) -> str:
    return spec.signature_name or DEFAULT_SIGNATURE


def _signature(servable: Servable, spec) -> Signature | None:
    return servable.signatures.get(_key(spec))


def _tell_spec(spec, servable: Servable, signature: str) -> None:
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature


def _tell_error(status, error: errors.OpError) -> None:
    status.error_code, status.error_message = error.error_code, error.message


def _serialized(given) -> np.ndarray:
    """The examples of an `Input`, each as a string; they have the features of the context, too."""
    listed = getattr(given, given.WhichOneof("kind") or "example_list")
    context = b""
    if given.WhichOneof("kind") == "example_list_with_context":
        context = listed.context.SerializeToString()
    found = np.empty(len(listed.examples), object)
    # one message after the other is both of them
    found[:] = [context + example.SerializeToString() for example in listed.examples]
    if not len(found):
        raise invalid("Input is empty.")
    return found


def _array(name: str, proto) -> np.ndarray:
    try:
        return make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise invalid(f"tensor parsing error: {name}: {error}") from error


def _write(proto, array: np.ndarray, packs: bool) -> None:
    """Writes an array into a `TensorProto`, its values into the field of their type."""
    dtype = dtypes.string if array.dtype == object else dtypes.as_dtype(array.dtype)
    proto.dtype = dtype.as_datatype_enum
    proto.tensor_shape.CopyFrom(TensorShape(array.shape).as_proto())
    if packs or dtype is dtypes.string:
        _fill(proto, dtype, array)
    else:
        _values(proto, dtype, array.reshape(-1))


def run_threads(options: Options) -> int:
    """How many requests run at once when they are not joined."""
    chosen = options.tensorflow_inter_op_parallelism or options.tensorflow_session_parallelism
    return chosen or 4 * CPUS

"""gRPC services of TensorFlow Serving: stubs, servicers, and how a server gets one."""

from __future__ import annotations

from typing import Any

import grpc


def define_service(scope: dict[str, Any], service: str, methods: dict[str, tuple[type, type]]):
    """Puts what a generated ``_pb2_grpc`` module has for a service into a module.

    Args:
        scope: the globals of the module.
        service: the name of the service.
        methods: the classes of request and response of each method.
    """
    path = f"tensorflow.serving.{service}"

    class Stub:
        def __init__(self, channel):
            for name, (request, response) in methods.items():
                call = channel.unary_unary(
                    f"/{path}/{name}",
                    request_serializer=request.SerializeToString,
                    response_deserializer=response.FromString,
                )
                setattr(self, name, call)

    def unimplemented(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")

    def add_to_server(servicer, server):
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                getattr(servicer, name),
                request_deserializer=request.FromString,
                response_serializer=response.SerializeToString,
            )
            for name, (request, response) in methods.items()
        }
        generic = grpc.method_handlers_generic_handler(path, handlers)
        server.add_generic_rpc_handlers((generic,))

    module = scope["__name__"]
    servicer = type(f"{service}Servicer", (), dict.fromkeys(methods, unimplemented))
    for made, name, doc in (
        (Stub, f"{service}Stub", f"Calls {service} through a channel: a method for each of its."),
        (servicer, f"{service}Servicer", f"The base class of an implementation of {service}."),
        (add_to_server, f"add_{service}Servicer_to_server", "Makes a gRPC server serve it."),
    ):
        made.__name__ = made.__qualname__ = name
        made.__module__, made.__doc__ = module, doc
        scope[name] = made

"""A server of the public API whose answers a test scripts, method by method.

`Fake` serves every unary and server-streaming method of jarvis.v1 over real gRPC. A test sets
`fake.on["GetTask"] = function`; the function gets the request as a dict (names of the .proto files)
and the call's context, and returns a dict, or yields dicts for a stream, or raises `Abort`. All
requests are kept in `fake.requests`.
"""

import threading
from concurrent import futures

import grpc

from testing.process.harness.api import Schema


class Abort(Exception):
    """Ends a call with a code and a message."""

    def __init__(self, code, message, details=b""):
        super().__init__(message)
        self.code = getattr(grpc.StatusCode, code)
        self.details = details


class Fake:
    def __init__(self, schema=None, credentials=None):
        self.schema = schema or Schema()
        self.on = {}
        self.requests = []
        self.lock = threading.Lock()
        self.server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=16), handlers=(self,),
            options=[("grpc.so_reuseport", 0)])
        self.port = (self.server.add_secure_port("127.0.0.1:0", credentials) if credentials
                     else self.server.add_insecure_port("127.0.0.1:0"))
        self.server.start()
        self.address = f"127.0.0.1:{self.port}"

    def close(self):
        self.server.stop(None).wait()

    def requests_of(self, method):
        with self.lock:
            return [request for name, request in self.requests if name == method]

    # What grpc asks of a handler of any method.
    def service(self, details):
        path = details.method.lstrip("/")
        if path not in self.schema.methods:
            return None
        method = self.schema.methods[path]
        make = (grpc.unary_stream_rpc_method_handler if self.streams(method.name)
                else grpc.unary_unary_rpc_method_handler)
        serve = self.stream if self.streams(method.name) else self.unary
        return make(
            lambda request, context: serve(method, request, context),
            request_deserializer=self.schema.factory.GetPrototype(method.input_type).FromString,
            response_serializer=lambda message: message.SerializeToString())

    @staticmethod
    def streams(name):
        return name in ("GetTaskLogs", "WatchTasks", "WatchNodes")

    def answer_of(self, method, request, context):
        value = self.schema.to_dict(request)
        with self.lock:
            self.requests.append((method.name, value))
        if method.name not in self.on:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{method.name} is not scripted")
        return self.on[method.name](value, context)

    @staticmethod
    def abort(context, error):
        if error.details:
            context.set_trailing_metadata((("grpc-status-details-bin", error.details),))
        context.abort(error.code, str(error))

    def message(self, method, value):
        cls = self.schema.factory.GetPrototype(method.output_type)
        return self.schema.from_dict(cls, value)

    def unary(self, method, request, context):
        try:
            return self.message(method, self.answer_of(method, request, context))
        except Abort as error:
            self.abort(context, error)

    def stream(self, method, request, context):
        try:
            for value in self.answer_of(method, request, context):
                yield self.message(method, value)
        except Abort as error:
            self.abort(context, error)

"""Clients of the public API: gRPC by grpcio, REST by http.client, both from the descriptor set.

The messages are made from the very descriptor set that the server serves, so no generated code has
to be kept. A `Grpc` and a `Rest` take the same method names and the same dicts, which is how tests
ask both the same question: `client.call("GetTask", {"id": "t-1"})`.
"""

import http.client
import json
import urllib.parse

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from testing.process.harness import places

CALL_SECONDS = 30

HTTP_OF_CODE = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
CODES = {code.value[0]: code.name for code in grpc.StatusCode}

# How each method travels over REST: the verb, the path, and whether the request is the body.
ROUTES = {
    "SubmitTask": ("POST", "/v1/tasks"),
    "GetTask": ("GET", "/v1/tasks/{id}"),
    "ListTasks": ("GET", "/v1/tasks"),
    "CancelTask": ("DELETE", "/v1/tasks/{id}"),
    "GetTaskLogs": ("GET", "/v1/tasks/{id}/logs"),
    "WatchTasks": ("GET", "/v1/tasks:watch"),
    "WaitTask": ("GET", "/v1/tasks/{id}:wait"),
    "ListNodes": ("GET", "/v1/nodes"),
    "GetNode": ("GET", "/v1/nodes/{id}"),
    "GetHealth": ("GET", "/health"),
    "GetReadiness": ("GET", "/ready"),
    "GetLiveness": ("GET", "/alive"),
    "GetMetrics": ("GET", "/metrics"),
    "GetStats": ("GET", "/stats"),
    "GetServerInfo": ("GET", "/v1/server"),
}


class Refused(Exception):
    """An answer that is an error, the same over both transports."""

    def __init__(self, code, message, details, http_status=None):
        super().__init__(f"{code}: {message} {details}")
        self.code = code
        self.message = message
        self.details = details
        self.http_status = http_status

    def fields(self):
        """The fields that a BadRequest names, and whatever ErrorInfo calls `field`."""
        named = []
        for detail in self.details:
            named += [v.get("field") for v in detail.get("fieldViolations", [])]
            named += [v for k, v in detail.get("metadata", {}).items() if k == "field"]
        return named


class Schema:
    """Message classes and methods by name."""

    def __init__(self, path=None):
        self.files = descriptor_pb2.FileDescriptorSet()
        with open(path or places.find("proto/descriptor_set.pb"), "rb") as file:
            self.files.ParseFromString(file.read())
        self.pool = descriptor_pool.DescriptorPool()
        for file in self.files.file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)
        self.methods = {}
        for name in [
            "jarvis.v1.Scheduler",
            "jarvis.v1.Worker",
            "jarvis.v1.Monitor",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ]:
            service = self.pool.FindServiceByName(name)
            for method in service.methods:
                self.methods[f"{name}/{method.name}"] = method
                if name.startswith("jarvis."):
                    self.methods[method.name] = method

    def message(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(name))

    def to_dict(self, message):
        return json_format.MessageToDict(
            message, preserving_proto_field_name=True, descriptor_pool=self.pool
        )

    def from_dict(self, cls, value, strict=True):
        return json_format.ParseDict(
            value, cls(), ignore_unknown_fields=not strict, descriptor_pool=self.pool
        )

    def request(self, method, value):
        """A message from a dict, whose names are those of the .proto files."""
        cls = self.factory.GetPrototype(self.methods[method].input_type)
        return self.from_dict(cls, value)


_schema = None


def schema():
    global _schema
    if _schema is None:
        _schema = Schema()
    return _schema


def refused_by_grpc(error):
    details = []
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = schema().message("google.rpc.Status")()
            status.ParseFromString(value)
            for detail in status.details:
                details.append(schema().to_dict(detail))
    details = [camel(detail) for detail in details]
    return Refused(error.code().name, error.details(), details)


def camel(detail):
    """field_violations as JSON calls it."""
    return {("fieldViolations" if k == "field_violations" else k): v for k, v in detail.items()}


class Grpc:
    """A channel of its own; closed by close()."""

    def __init__(self, port, options=()):
        self.schema = schema()
        own = [("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", own + list(options))

    def close(self):
        self.channel.close()

    def stub(self, method):
        descriptor = self.schema.methods[method]
        path = f"/{descriptor.containing_service.full_name}/{descriptor.name}"
        proto = descriptor_pb2.MethodDescriptorProto()
        descriptor.CopyToProto(proto)
        kind = ("stream" if proto.client_streaming else "unary") + "_" + (
            "stream" if proto.server_streaming else "unary")
        answer = self.schema.factory.GetPrototype(descriptor.output_type)
        return getattr(self.channel, kind)(
            path,
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def begin(self, method, request=None, timeout=CALL_SECONDS):
        """The call as grpcio has it: a future, or an iterator of a stream's answers."""
        if not isinstance(request, bytes) and not hasattr(request, "SerializeToString"):
            request = self.schema.request(method, request or {})
        stub = self.stub(method)
        if hasattr(stub, "future"):
            return stub.future(request, timeout=timeout)
        return stub(request, timeout=timeout)

    def call(self, method, request=None, timeout=CALL_SECONDS):
        """The answer as a dict; of a stream, the list of answers. Raises Refused."""
        try:
            call = self.begin(method, request, timeout)
            if hasattr(call, "result") and not self.streams(method):
                return self.schema.to_dict(call.result())
            return [self.schema.to_dict(answer) for answer in call]
        except grpc.RpcError as error:
            raise refused_by_grpc(error) from None

    def streams(self, method):
        proto = descriptor_pb2.MethodDescriptorProto()
        self.schema.methods[method].CopyToProto(proto)
        return proto.server_streaming


def query_of(value, prefix=""):
    """Query parameters of a request, as google.api.http defines them."""
    pairs = []
    for key, item in value.items():
        name = prefix + key
        if isinstance(item, dict):
            pairs += (
                [(f"{name}[{k}]", v) for k, v in item.items()]
                if key == "labels" else query_of(item, name + ".")
            )
        elif isinstance(item, list):
            pairs += [(name, each) for each in item]
        else:
            pairs.append((name, str(item).lower() if isinstance(item, bool) else item))
    return pairs


class Rest:
    """A connection for each request, so that tests do not depend on one another."""

    def __init__(self, port):
        self.port = port
        self.schema = schema()

    def close(self):
        pass

    def open(self, verb, path, body=None, headers=None, timeout=CALL_SECONDS):
        """The connection and its response, for those who read it piece by piece."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        connection.request(verb, path, body, headers or {})
        return connection, connection.getresponse()

    def raw(self, verb, path, body=None, headers=None, timeout=CALL_SECONDS):
        """Status, headers and bytes of the answer."""
        connection, response = self.open(verb, path, body, headers, timeout)
        try:
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def ask(self, verb, path, body=None, headers=None, timeout=CALL_SECONDS):
        """The JSON of the answer; raises Refused."""
        status, _, data = self.raw(verb, path, body, headers, timeout)
        answer = json.loads(data) if data else {}
        if status != 200:
            raise refused_by_rest(answer.get("error", answer), status)
        return answer

    def target(self, method, request):
        verb, path = ROUTES[method]
        rest = dict(request)
        if "{id}" in path:
            path = path.replace("{id}", urllib.parse.quote(str(rest.pop("id", "")), safe=""))
        if verb == "POST":
            return verb, path, rest
        query = urllib.parse.urlencode(query_of(rest))
        return verb, path + ("?" + query if query else ""), None

    def call(self, method, request=None, timeout=CALL_SECONDS):
        """As Grpc.call: answers are put through the schema, so that both give equal dicts."""
        verb, path, body = self.target(method, request or {})
        status, _, data = self.raw(verb, path, body, timeout=timeout)
        cls = self.schema.factory.GetPrototype(self.schema.methods[method].output_type)
        if method in ("GetTaskLogs", "WatchTasks") and status == 200:
            answers = []
            for line in data.splitlines():
                piece = json.loads(line)
                if "error" in piece:
                    raise refused_by_rest(piece["error"], status)
                answers.append(self.normal(cls, piece["result"]))
            return answers
        if method == "GetMetrics" and status == 200:
            return {"text": data.decode()}
        answer = json.loads(data)
        if status != 200:
            # Of a stream the error stands where its messages would.
            raise refused_by_rest(answer.get("error", answer), status)
        return self.normal(cls, answer)

    def normal(self, cls, answer):
        return self.schema.to_dict(self.schema.from_dict(cls, answer))


def refused_by_rest(answer, http_status):
    boxes = schema().message("google.protobuf.Any")
    details = [
        camel(schema().to_dict(schema().from_dict(boxes, detail)))
        for detail in answer.get("details", [])
    ]
    return Refused(
        CODES.get(answer.get("code"), str(answer.get("code"))),
        answer.get("message"),
        details,
        http_status,
    )

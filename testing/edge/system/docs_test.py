#!/usr/bin/python3
"""/openapi.json describes what the server answers, and /docs shows it without any download."""

import copy
import http.client
import json
import os
import re
import sys
import urllib.parse

import jsonschema
from google.protobuf import descriptor_pb2

sys.path.insert(0, os.getcwd())

from testing.process.harness import case, programs  # noqa: E402

SPEC = {
    "name": "whole", "labels": {"team": "search"}, "priority": 7, "image": "busybox",
    "command": ["sleep", "600000"], "env": {"A": "b"}, "executor": "noop",
    "resources": {"cpuMillis": "1", "memoryBytes": "4194304", "custom": {"licences": "1"}},
    "retry": {"maxAttempts": 3, "on": ["FAILURE_REASON_EXIT_CODE"]},
    "constraints": [{"key": "zone", "operator": "CONSTRAINT_OPERATOR_IN", "values": ["a"]}],
}


def strict(document):
    """The same document, in which an object has no field but those that are described."""
    document = copy.deepcopy(document)

    def close(node):
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                node.setdefault("additionalProperties", False)
            for value in node.values():
                close(value)
        elif isinstance(node, list):
            for value in node:
                close(value)

    close(document)
    return document


class Docs(case.ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker = programs.Worker(
            cls.machine, cls.server, node__labels="{zone: a}", capacity__custom="{licences: 100}"
        ).start()
        cls.document = json.loads(cls.ask("GET", "/openapi.json")[2])
        cls.strict = strict(cls.document)

    @classmethod
    def ask(cls, verb, path, body=None, **headers):
        """Status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", cls.server.rest_port, timeout=30)
        try:
            connection.request(verb, path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def check(self, value, schema):
        validator = jsonschema.Draft202012Validator(
            schema, resolver=jsonschema.RefResolver.from_schema(self.strict))
        errors = [f"{list(error.absolute_path)}: {error.message}"
                  for error in validator.iter_errors(value)]
        self.assertEqual(errors, [])

    def check_answer(self, operation, status, headers, body):
        """The answer is as the operation says. Returns how many values were looked at."""
        response = operation["responses"].get(str(status), operation["responses"]["default"])
        if "$ref" in response:
            name = response["$ref"].split("/")[-1]
            response = self.strict["components"]["responses"][name]
        (media, content), = response["content"].items()
        if media == "*/*":
            return 1
        self.assertEqual(headers["Content-Type"], media)
        lines = body.splitlines() if operation.get("x-streaming") and status == 200 else [body]
        for line in lines:
            self.check(json.loads(line), content["schema"])
        return len(lines)

    def operation(self, verb, path):
        return self.strict["paths"][path][verb.lower()]

    def call(self, verb, path, uri=None, value=None, **headers):
        """Calls, checks the answer against the document, and returns it."""
        body = None if value is None else json.dumps(value)
        status, given, text = self.ask(verb, uri or path, body, **headers)
        self.check_answer(self.operation(verb, path), status, given, text)
        return status, text

    def submit(self, **more):
        status, text = self.call("POST", "/v1/tasks", value={"spec": {**SPEC, **more}})
        self.assertEqual(status, 200, text)
        return json.loads(text)["task"]["id"]

    # ---- the document against the server

    def test_whole_tasks_are_as_described(self):
        task = self.submit()
        status, text = self.call("GET", "/v1/tasks/{id}", f"/v1/tasks/{task}")
        self.assertEqual(status, 200)
        self.check(json.loads(text)["task"]["spec"],
                   {"$ref": "#/components/schemas/jarvis.v1.TaskSpec"})
        self.assertEqual(self.call("DELETE", "/v1/tasks/{id}", f"/v1/tasks/{task}")[0], 200)

    def test_a_task_that_has_run_is_as_described(self):
        status, text = self.call("POST", "/v1/tasks", value={
            "spec": {"image": "x", "executor": "noop"}})
        self.assertEqual(status, 200, text)
        task = json.loads(text)["task"]["id"]
        status, text = self.call(
            "GET", "/v1/tasks/{id}:wait", f"/v1/tasks/{task}:wait?timeout=30s")
        self.assertTrue(json.loads(text)["finished"], text)

    def test_errors_are_as_described(self):
        for uri in ["/v1/tasks/nonsense", "/v1/tasks/t-999999", "/v1/tasks/t-1?minRevision=x"]:
            status, _ = self.call("GET", "/v1/tasks/{id}", uri)
            self.assertIn(status, (400, 404))
        status, text = self.call(
            "POST", "/v1/tasks", value={"spec": {"image": "", "priority": 9999}})
        self.assertEqual(status, 400)
        self.assertTrue(json.loads(text)["details"], "with details, or it would prove little")

    def test_everything_that_can_be_read_is_as_described(self):
        """Every GET of the document, streams cut short by a deadline."""
        task = self.submit()
        lines = 0
        for path, item in self.strict["paths"].items():
            if "get" not in item:
                continue
            tasks = "task" in path
            uri = path.replace("{id}", task if tasks else "worker")
            self.assertNotIn("{", uri, "a path of a new kind: tell the test what to put there")
            with self.subTest(path=path):
                status, headers, body = self.ask("GET", uri, **{"Grpc-Timeout": "300m"})
                streaming = item["get"].get("x-streaming")
                self.assertIn(status, (200, 504) if streaming or "wait" in path else (200,), body)
                lines += self.check_answer(item["get"], status, headers, body)
        self.assertGreater(lines, 10)

    def test_changes_are_streamed_as_described(self):
        self.submit(name="streamed")
        status, _, body = self.ask("GET", "/v1/tasks:watch?revision=0", **{"Grpc-Timeout": "500m"})
        operation = self.operation("GET", "/v1/tasks:watch")
        self.assertGreater(self.check_answer(
            operation, status, {"Content-Type": "application/json"}, body), 0)
        if status == 200:
            self.assertIn(b'"error"', body.splitlines()[-1], "the deadline is the last line")

    def test_a_described_query_is_understood(self):
        """The names and styles of the document are those that the server takes."""
        self.submit(name="asked", labels={"a": "x y"})
        query = {each["name"]: each
                 for each in self.operation("GET", "/v1/tasks")["parameters"]}
        self.assertEqual(query["filter.labels"]["style"], "deepObject")
        states = ["QUEUED", "ASSIGNED", "STARTING", "RUNNING"]
        asked = urllib.parse.urlencode([
            ("filter.labels[a]", "x y"), ("pageSize", "10"),
            ("filter.submittedAfter", "2020-01-02T03:04:05Z"),
            *(("filter.states", "TASK_STATE_" + state) for state in states)])
        status, text = self.call("GET", "/v1/tasks", "/v1/tasks?" + asked)
        self.assertEqual(status, 200, text)
        names = [task["spec"]["name"] for task in json.loads(text)["tasks"]]
        self.assertEqual(names, ["asked"])

    # ---- how it is served

    def test_the_document_is_served_once(self):
        status, headers, body = self.ask("GET", "/openapi.json")
        self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
        tag = headers["ETag"]
        self.assertRegex(tag, r'^"[0-9a-f]{16}"$')
        for known in [tag, f'W/"x", {tag}', "*"]:
            status, headers, again = self.ask("GET", "/openapi.json", **{"If-None-Match": known})
            self.assertEqual((status, again, headers["ETag"]), (304, b"", tag))
        status, _, again = self.ask("GET", "/openapi.json", **{"If-None-Match": '"other"'})
        self.assertEqual((status, again), (200, body))

    def test_resources_are_read_only(self):
        for path in ["/openapi.json", "/docs"]:
            status, headers, body = self.ask("POST", path, "{}")
            self.assertEqual(headers["Allow"], "GET, HEAD, OPTIONS")
            self.assertEqual((status, json.loads(body)["message"]), (501, "Method Not Allowed"))
            status, headers, body = self.ask("HEAD", path)
            self.assertEqual((status, body), (200, b""))
            self.assertGreater(int(headers["Content-Length"]), 100)
        for path in ["/docs/", "/docs/other", "/openapi.json/", "//docs", "/docs/../openapi.json"]:
            self.assertEqual(self.ask("GET", path)[0], 404, path)

    def test_the_page_needs_nobody_else(self):
        status, headers, page = self.ask("GET", "/docs")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        links = re.findall(r'(?:href|src)="([^"#]+)"', page.decode())
        self.assertIn("docs/docs.js", links)
        for link in links:
            if link.startswith("data:"):
                continue
            self.assertNotIn(":", link)
            self.assertFalse(link.startswith("//"))
            status, headers, body = self.ask("GET", "/" + link)
            self.assertEqual(status, 200, link)
            self.assertNotRegex(body.decode(), r"@import|url\(|importScripts|innerHTML|eval\(")
        self.assertNotRegex(page.decode(), r"<style|<script>| on[a-z]+=| style=")

    def test_the_browser_is_told_to_keep_to_it(self):
        for path, media in [("/docs", "text/html"), ("/docs/docs.js", "text/javascript"),
                            ("/docs/docs.css", "text/css"), ("/openapi.json", "application/json")]:
            _, headers, _ = self.ask("GET", path)
            self.assertTrue(headers["Content-Type"].startswith(media), path)
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            policy = headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertNotRegex(policy, r"https?:|\*")

    def test_reflection_gives_the_comments(self):
        """Our own files keep their source information; the others are without."""
        method = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        files = {}
        question = self.server.grpc.schema.request(
            method, {"file_containing_symbol": "jarvis.v1.Scheduler"})
        answer = next(self.server.grpc.stub(method)(iter([question]), timeout=10))
        for data in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            files[file.name] = file
        comments = [each.leading_comments for each in
                    files["jarvis/v1/scheduler.proto"].source_code_info.location]
        self.assertIn(" Accepts, places and follows tasks.\n", comments)
        self.assertFalse(files["google/protobuf/timestamp.proto"].HasField("source_code_info"))


if __name__ == "__main__":
    case.main()

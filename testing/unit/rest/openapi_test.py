#!/usr/bin/python3
"""The OpenAPI document is valid, whole, and says what grpc-gateway's rules mean.

Of jarvis.v1, and of resttest.proto, whose rules are of every kind. A validator that is not ours
(npm, see testing/setup) checks the form; what it does not look at is checked here.
"""

import json
import os
import re
import subprocess
import tempfile
import unittest

import jsonschema

ROOT = os.path.dirname(os.path.realpath(__file__)).removesuffix("/testing/unit/rest")
VERBS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]


def describe(name):
    program = os.path.join(os.getcwd(), "testing/unit/rest/describe")
    return subprocess.run([program, name], capture_output=True, check=True, timeout=30).stdout


def operations(document):
    """(path, method, operation) of all, also of those that OpenAPI has no place for."""
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            if verb in VERBS:
                yield path, verb.upper(), operation
        for verb, operation in item.get("x-additionalOperations", {}).items():
            yield path, verb, operation


def parameters(operation, place):
    return {each["name"]: each for each in operation["parameters"] if each["in"] == place}


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


class Document:
    """What must hold of every document; NAME is the argument of `describe`."""

    NAME = None

    @classmethod
    def setUpClass(cls):
        cls.text = describe(cls.NAME)
        cls.document = json.loads(cls.text)

    def schema(self, name):
        return self.document["components"]["schemas"][name]

    def operation(self, verb, path):
        return next(operation for at, method, operation in operations(self.document)
                    if (method, at) == (verb, path))

    def test_a_validator_finds_it_valid(self):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(self.text)
            file.flush()
            done = subprocess.run(
                ["bash", "-c", '. testing/tidy/tools.sh && npm_tool validate-api "$1"', "-",
                 file.name],
                cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
                env={**os.environ, "HOME": os.path.expanduser("~")})
        self.assertTrue(done.stdout, f"is the validator there? testing/setup.\n{done.stderr}")
        self.assertEqual(json.loads(done.stdout), {"valid": True}, done.stdout)

    def test_every_schema_is_json_schema(self):
        for name, schema in self.document["components"]["schemas"].items():
            with self.subTest(schema=name):
                jsonschema.Draft202012Validator.check_schema(schema)

    def test_every_reference_leads_somewhere(self):
        for reference in set(references(self.document)):
            at = self.document
            for key in reference.removeprefix("#/").split("/"):
                at = at[key]

    def test_every_schema_is_referred_to(self):
        known = {"#/components/schemas/" + name
                 for name in self.document["components"]["schemas"]}
        self.assertEqual(known - set(references(self.document)), set())

    def test_operations_have_ids_of_their_own(self):
        ids = [operation["operationId"] for _, _, operation in operations(self.document)]
        self.assertEqual(len(ids), len(set(ids)))
        for each in ids:
            self.assertRegex(each, r"^[A-Za-z0-9_]+$")

    def test_no_two_paths_differ_only_in_names(self):
        shapes = [re.sub(r"\{[^}]*\}", "{}", path) for path in self.document["paths"]]
        self.assertEqual(len(shapes), len(set(shapes)))

    def test_parameters_are_those_of_the_path(self):
        for path, verb, operation in operations(self.document):
            with self.subTest(path=path, verb=verb):
                names = re.findall(r"\{([^}]*)\}", path)
                self.assertEqual(len(names), len(set(names)))
                self.assertEqual(set(names), set(parameters(operation, "path")))
                self.assertNotRegex(path, r"[*=]")
                every = [(each["name"], each["in"]) for each in operation["parameters"]]
                self.assertEqual(len(every), len(set(every)))

    def test_every_operation_has_a_service_and_an_error(self):
        tags = {tag["name"] for tag in self.document["tags"]}
        for path, verb, operation in operations(self.document):
            with self.subTest(path=path, verb=verb):
                self.assertTrue(set(operation["tags"]) <= tags)
                error = "StreamError" if operation.get("x-streaming") else "Error"
                self.assertEqual(
                    operation["responses"]["default"], {"$ref": f"#/components/responses/{error}"})
                self.assertIn("content", operation["responses"]["200"])


class Jarvis(Document, unittest.TestCase):
    NAME = "jarvis"

    def test_a_task_is_read_by_its_id(self):
        operation = self.operation("GET", "/v1/tasks/{id}")
        self.assertEqual(operation["operationId"], "Scheduler_GetTask")
        self.assertEqual(operation["tags"], ["Scheduler"])
        self.assertEqual(operation["summary"], "Reads one task")
        self.assertIn("says why it waits", operation["description"])
        self.assertEqual(
            operation["responses"]["200"]["content"]["application/json"]["schema"],
            {"$ref": "#/components/schemas/jarvis.v1.GetTaskResponse"})
        self.assertIn("Required.", parameters(operation, "path")["id"]["description"])
        self.assertEqual(self.operation("GET", "/tasks/{id}")["operationId"],
                         "Scheduler_GetTask2")

    def test_every_public_method_is_there(self):
        methods = {operation["x-grpc-method"] for _, _, operation in operations(self.document)}
        for name in ["SubmitTask", "GetTask", "ListTasks", "CancelTask", "GetTaskLogs",
                     "WatchTasks", "WaitTask"]:
            self.assertIn("/jarvis.v1.Scheduler/" + name, methods)
        self.assertNotIn("/jarvis.v1.Worker/Session", methods)
        self.assertFalse([name for name in methods if "grpc." in name])

    def test_a_filter_is_flattened(self):
        query = parameters(self.operation("GET", "/v1/tasks"), "query")
        self.assertEqual(query["filter.states"]["schema"], {
            "type": "array", "items": {"$ref": "#/components/schemas/jarvis.v1.TaskState"}})
        self.assertEqual(query["filter.labels"]["style"], "deepObject")
        self.assertEqual(query["filter.submittedAfter"]["schema"],
                         {"type": "string", "format": "date-time"})
        self.assertEqual(query["pageSize"]["schema"], {"type": "integer", "format": "int32"})
        self.assertIn("0..1000", query["pageSize"]["description"])

    def test_what_is_required_says_so(self):
        self.assertEqual(self.schema("jarvis.v1.SubmitTaskRequest")["required"], ["spec"])

    def test_enums_are_named_and_explained(self):
        state = self.schema("jarvis.v1.TaskState")
        self.assertEqual(state["type"], "string")
        self.assertIn("TASK_STATE_RUNNING", state["enum"])
        self.assertIn("`TASK_STATE_RUNNING`", state["description"])


class Rest(Document, unittest.TestCase):
    NAME = "resttest"

    def test_a_longer_variable_is_its_wildcards(self):
        operation = self.operation("GET", "/v1/shelves/{name_1}/books/{name_2}")
        self.assertIn("shelves/*/books/*", parameters(operation, "path")["name_2"]["description"])
        self.assertNotIn("name", parameters(operation, "query"))

    def test_two_stars_are_one_parameter(self):
        operation = self.operation("GET", "/v1/deep/{name}")
        self.assertIn("slashes", parameters(operation, "path")["name"]["description"])
        self.operation("GET", "/v1/middle/a/{name}/end/{otherName}")

    def test_a_bare_star_has_a_name(self):
        operation = self.operation("GET", "/v1/star/{segment_1}/{inner.deepName}")
        self.assertIn("inner.number", parameters(operation, "query"))
        self.assertNotIn("inner.deepName", parameters(operation, "query"))

    def test_a_verb_stands_behind_its_colon(self):
        self.operation("GET", "/v1/ones/{name}:check")
        self.operation("GET", "/v1/ones:check")

    def test_a_custom_method_has_a_place(self):
        item = self.document["paths"]["/v1/ones/{name}"]
        self.assertEqual(item["x-additionalOperations"]["PURGE"]["operationId"], "Rest_Custom")
        self.assertEqual(item["get"]["operationId"], "Rest_One")
        self.assertEqual(item["post"]["operationId"], "Rest_Create")

    def test_variables_have_the_types_of_their_fields(self):
        path = parameters(
            self.operation("GET", "/v1/typed/{number}/{flag}/{colour}/{time}/{data}"), "path")
        self.assertEqual(path["number"]["schema"],
                         {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"})
        self.assertEqual(path["flag"]["schema"], {"type": "boolean"})
        self.assertEqual(path["colour"]["schema"]["$ref"], "#/components/schemas/resttest.Colour")
        self.assertEqual(path["time"]["schema"]["format"], "date-time")
        self.assertEqual(path["data"]["schema"]["contentEncoding"], "base64")

    def test_a_body_lacks_what_the_path_has(self):
        operation = self.operation("POST", "/v1/ones/{name}")
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        self.assertNotIn("name", body["properties"])
        self.assertIn("otherName", body["properties"])
        self.assertEqual(parameters(operation, "query"), {})

    def test_a_field_can_be_the_body_and_the_answer(self):
        operation = self.operation("PATCH", "/v1/ones/{name}/inner/{inner.number}")
        inner = {"$ref": "#/components/schemas/resttest.Inner"}
        self.assertEqual(operation["requestBody"]["content"]["application/json"]["schema"], inner)
        self.assertEqual(operation["responses"]["200"]["content"]["application/json"]["schema"],
                         {"anyOf": [inner, {"type": "null"}]})
        query = parameters(operation, "query")
        self.assertIn("otherName", query)
        self.assertFalse([name for name in query if name.startswith("inner")])

    def test_a_list_can_be_the_body(self):
        operation = self.operation("PUT", "/v1/lists")
        self.assertEqual(operation["requestBody"]["content"]["application/json"]["schema"],
                         {"type": "array", "items": {"type": "integer", "format": "int32"}})

    def test_lists_of_messages_have_no_place_in_a_query(self):
        query = parameters(self.operation("GET", "/v1/things"), "query")
        self.assertNotIn("inners", query)
        self.assertEqual(query["labels"]["schema"],
                         {"type": "object", "additionalProperties": {"type": "string"}})
        self.assertEqual(query["inner.words"]["schema"]["type"], "array")

    def test_raw_data_is_of_any_type(self):
        self.assertEqual(self.operation("GET", "/v1/raw")["responses"]["200"]["content"],
                         {"*/*": {"schema": {}}})

    def test_a_stream_is_lines(self):
        operation = self.operation("GET", "/v1/count")
        self.assertTrue(operation["x-streaming"])
        self.assertIn("a line", operation["responses"]["200"]["description"])
        validator = jsonschema.Draft202012Validator(
            operation["responses"]["200"]["content"]["application/json"]["schema"],
            resolver=jsonschema.RefResolver.from_schema(self.document))
        answer = {"text": "", "inner": None, "largeNumber": "7"}
        self.assertTrue(validator.is_valid({"result": answer}))
        self.assertTrue(validator.is_valid({"error": {"code": 5, "message": "", "details": []}}))
        self.assertFalse(validator.is_valid({"result": {"text": 7}}))
        self.assertFalse(validator.is_valid({"result": answer, "error": {}}))
        self.assertFalse(validator.is_valid({}))

    def test_methods_without_a_rule_are_not_there(self):
        self.assertNotIn(b"Hidden", self.text)


if __name__ == "__main__":
    unittest.main(verbosity=2)

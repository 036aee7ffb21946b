#!/usr/bin/python3
"""Jarvis's transcoder, rule by rule, over a real socket: see table.py for rules 1 to 15."""

import base64
import json
import os
import sys
import unittest

sys.path.insert(0, os.getcwd())

from testing.edge.gateway import peer, table  # noqa: E402

SERVER = "testing/edge/gateway/server"


class Case(unittest.TestCase):
    mode = ()

    @classmethod
    def setUpClass(cls):
        cls.server = peer.Program(SERVER, *cls.mode)
        cls.grpc_port, cls.port = cls.server.ports
        cls.addClassCleanup(cls.server.kill)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, "the server did not end well"

    def ask(self, uri, verb="GET", headers=None, body=None):
        return peer.ask(self.port, verb, uri, headers, body)

    def fails(self, answer, status, code):
        self.assertEqual(answer.status, status, answer.text)
        self.assertEqual(answer.headers["content-type"], ["application/json"])
        error = json.loads(answer.text)
        self.assertEqual(list(error), ["code", "message", "details"])
        self.assertEqual(error["code"], code)
        return error


class Table(Case):
    def test_rules_1_to_15(self):
        for row in table.ROWS:
            with self.subTest(str(row)):
                table.check(self, row, self.ask(row.uri, row.verb, row.headers, row.body))

    def test_rule_10_hostile_parameters_cost_little(self):
        form = {"Content-Type": table.FORM}
        many = b"&".join(b"labels[%d]=a" % i for i in range(100000))
        for body in (many, b"inner." * 600000 + b"number=1"):
            self.fails(self.ask("/v1/literal", "POST", form, body), 429, 8)
        echo = json.loads(self.ask("/v1/literal", "POST", form, b"words=a&" * 400000).text)
        self.assertEqual(len(echo["all"]["words"]), 400000)
        body = b"&".join(b"labels[%d]=a" % i for i in range(1000))
        echo = json.loads(self.ask("/v1/literal", "POST", form, body).text)
        self.assertEqual(len(echo["all"]["labels"]), 1000)

    def test_rule_1_routing_errors_are_exact(self):
        self.assertEqual(self.ask("/v1/nowhere").text,
                         '{"code":5,"message":"Not Found","details":[]}')
        answer = self.ask("/v1/literal", "POST")
        self.assertEqual(answer.text, '{"code":12,"message":"Method Not Allowed","details":[]}')
        self.assertNotIn("access-control-allow-origin", answer.headers)


class Answers(Case):
    def test_rule_16_every_field_is_printed(self):
        echo = json.loads(self.ask("/v1/literal").text)
        self.assertEqual({key: echo[key] for key in ("method", "request", "leftMs", "number")},
                         {"method": "Literal", "request": None, "leftMs": "0", "number": 0})
        self.assertEqual(echo["all"], {
            "name": "", "otherName": "", "int32Value": 0, "int64Value": "0", "uint32Value": 0,
            "uint64Value": "0", "sint32Value": 0, "sint64Value": "0", "fixed32Value": 0,
            "fixed64Value": "0", "sfixed32Value": 0, "sfixed64Value": "0", "floatValue": 0,
            "doubleValue": 0, "flag": False, "data": "", "colour": "COLOUR_NONE", "numbers": [],
            "words": [], "colours": [], "flags": [], "doubles": [], "labels": {}, "counts": {},
            "inner": None, "inners": [], "time": None, "span": None, "mask": None,
            "wrappedString": None, "wrappedInt32": None, "wrappedInt64": None,
            "wrappedBool": None, "wrappedDouble": None, "wrappedBytes": None, "structValue": None,
            "anyValue": None, "listValue": None, "calledOtherwise": "", "any": None,
            "nothing": None})

    def test_rule_16_what_is_set_to_its_default_is_printed_too(self):
        body = (b'{"textChoice": "", "wrappedInt32": 0, "anyValue": null, "listValue": [],'
                b' "structValue": {}, "nothing": {}, "mask": "",'
                b' "any": {"@type": "type.googleapis.com/testing.gateway.Metadatum"}}')
        everything = json.loads(self.ask("/v1/whole", "POST", None, body).text)["all"]
        for field, value in (("textChoice", ""), ("wrappedInt32", 0), ("anyValue", None),
                             ("listValue", []), ("structValue", {}), ("nothing", {}), ("mask", ""),
                             ("any", {"@type": "type.googleapis.com/testing.gateway.Metadatum",
                                      "key": "", "value": ""})):
            self.assertEqual(everything[field], value, field)

    def test_rule_16_unknown_enum_values_are_numbers_and_empty_is_an_object(self):
        echo = json.loads(self.ask("/v1/obey?orders.colour_number=77").text)
        self.assertEqual(echo["all"]["colour"], 77)
        self.assertEqual(self.ask("/v1/nothing").text, "{}")

    def test_rule_17_response_body(self):
        answer = self.ask("/v1/response/message?name=x")
        self.assertEqual(table.strip(json.loads(answer.text)), {"name": "x"})
        answer = self.ask("/v1/response/list", headers={"Grpc-Metadata-A": "b"})
        self.assertIn({"key": "a", "value": "Yg=="}, json.loads(answer.text))

    def test_rule_17_http_body(self):
        answer = self.ask("/v1/raw?orders.content_type=text/x-odd&orders.content=%7B%0A")
        self.assertEqual((answer.headers["content-type"], answer.text), (["text/x-odd"], "{\n"))
        self.assertEqual(self.ask("/v1/raw").headers["content-length"], ["0"])

    def test_rule_18_codes(self):
        statuses = [None, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503,
                    500, 401]
        for code, status in list(enumerate(statuses))[1:]:
            with self.subTest(code=code):
                answer = self.ask(f"/v1/obey?orders.fail_code={code}&orders.fail_text=oh+no")
                error = self.fails(answer, status, code)
                self.assertEqual(error["message"], "oh no")
                self.assertEqual(error["details"][0]["@type"],
                                 "type.googleapis.com/google.rpc.ErrorInfo")
                self.assertEqual(answer.headers.get("www-authenticate"),
                                 ["oh no"] if code == 16 else None)


class Metadata(Case):
    def metadata(self, headers):
        answer = self.ask("/v1/response/list", headers=headers)
        self.assertEqual(answer.status, 200, answer.text)
        return [(item["key"], base64.b64decode(item["value"])) for item in json.loads(answer.text)]

    def test_rule_19_initial_metadata(self):
        for query in ("", "&orders.fail_code=5"):
            answer = self.ask("/v1/obey?orders.headers[x-one-two]=1&orders.headers[b-bin]=%01"
                              + query)
            self.assertEqual(answer.headers["grpc-metadata-x-one-two"], ["1"])
            self.assertEqual(answer.headers["grpc-metadata-b-bin"], ["AQ=="])
        answer = self.ask("/v1/count?orders.count=1&orders.headers[a]=1")
        self.assertEqual(answer.headers["grpc-metadata-a"], ["1"])

    def test_rule_19_trailers_only_for_those_who_take_them(self):
        for query in ("", "&orders.fail_code=5"):
            uri = "/v1/obey?orders.trailers[x-t]=1" + query
            answer = self.ask(uri)
            self.assertNotIn("trailer", answer.headers)
            self.assertIsNone(answer.trailers)
            answer = self.ask(uri, headers={"TE": "trailers"})
            self.assertEqual(answer.headers["transfer-encoding"], ["chunked"])
            self.assertEqual(answer.headers["trailer"], ["Grpc-Trailer-X-T"])
            self.assertEqual(answer.trailers, {"grpc-trailer-x-t": ["1"]})
            json.loads(answer.text)
        answer = self.ask("/v1/count?orders.count=2&orders.trailers[a]=1",
                          headers={"TE": "trailers"})
        self.assertEqual(answer.trailers, {"grpc-trailer-a": ["1"]})

    def test_rule_19_a_handler_cannot_break_the_head(self):
        answer = self.ask("/v1/obey?orders.headers[a]=x%0D%0Aevil:1&orders.headers[b%0D%0Ac]=1")
        self.assertEqual(answer.status, 200)
        self.assertNotIn("evil", answer.headers)
        self.assertEqual([name for name in answer.headers if name.startswith("grpc-")], [])

    def test_rule_20_metadata_in(self):
        found = self.metadata({
            "Grpc-Metadata-Foo": ["one", "two"], "grpc-metadata-LOUD": "x",
            "Authorization": "Bearer abc", "Cookie": "no", "X-Other": "no", "User-Agent": "no",
            "Grpc-Metadata-X-Bin": base64.b64encode(b"\0\1\xff").decode(),
            "Grpc-Metadata-Y-Bin": "AAE", "X-Forwarded-For": "192.0.2.7"})
        self.assertEqual(sorted(found), sorted([
            ("foo", b"one"), ("foo", b"two"), ("loud", b"x"), ("authorization", b"Bearer abc"),
            ("x-bin", b"\0\1\xff"), ("y-bin", b"\0\1"),
            ("x-forwarded-for", b"192.0.2.7, 127.0.0.1"), ("x-forwarded-host", b"gateway.test")]))
        self.assertIn(("x-forwarded-for", b"127.0.0.1"), self.metadata({}))

    def test_rule_20_binary_metadata_must_be_base64(self):
        self.fails(self.ask("/v1/literal", headers={"Grpc-Metadata-X-Bin": "!"}), 400, 3)

    def test_rule_21_timeouts(self):
        for text, most in (("1H", 3600000), ("2M", 120000), ("9S", 9000), ("2500m", 2500),
                           ("9000000u", 9000), ("9000000000n", 9000)):
            echo = json.loads(self.ask("/v1/literal", headers={"Grpc-Timeout": text}).text)
            self.assertLessEqual(int(echo["leftMs"]), most)
            self.assertGreater(int(echo["leftMs"]), 0)
        for text in ("", "5", "S", "1s", "x", "1.5S", "1 S"):
            self.fails(self.ask("/v1/literal", headers={"Grpc-Timeout": text}), 400, 3)
        self.fails(self.ask("/v1/literal", headers={"Grpc-Timeout": "0n"}), 504, 4)


class Streams(Case):
    def lines(self, answer):
        self.assertTrue(answer.body.endswith(b"\n"))
        return [json.loads(line) for line in answer.text.splitlines()]

    def test_rule_22_a_line_for_each_message(self):
        answer = self.ask("/v1/count?orders.count=3")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], ["application/json"])
        self.assertEqual([list(line) for line in self.lines(answer)], [["result"]] * 3)
        self.assertEqual([line["result"]["number"] for line in self.lines(answer)], [1, 2, 3])
        self.assertEqual(self.ask("/v1/count").body, b"")

    def test_rule_22_a_late_error_is_the_last_line(self):
        answer = self.ask("/v1/count?orders.count=2&orders.fail_code=9&orders.fail_text=oh")
        self.assertEqual(answer.status, 200)
        *_, last = self.lines(answer)
        self.assertEqual(len(self.lines(answer)), 3)
        self.assertEqual(list(last), ["error"])
        self.assertEqual(list(last["error"]), ["code", "message", "details"])
        self.assertEqual((last["error"]["code"], last["error"]["message"]), (9, "oh"))

    def test_rule_22_an_error_first_is_a_status_with_the_same_body(self):
        answer = self.ask("/v1/count?orders.fail_code=5&orders.fail_text=oh")
        self.assertEqual(answer.status, 404)
        [line] = self.lines(answer)
        self.assertEqual(list(line), ["error"])
        self.assertEqual((line["error"]["code"], line["error"]["message"]), (5, "oh"))
        self.fails(self.ask("/v1/count?orders.count=x"), 400, 3)

    def test_rule_22_http_bodies_are_raw_with_a_newline_each(self):
        answer = self.ask("/v1/raw/count?orders.count=2&orders.content=ab"
                          "&orders.content_type=text/plain")
        self.assertEqual(answer.text, "ab\nab\n")
        self.assertEqual(answer.headers["content-type"], ["text/plain"])

    def test_rule_23_client_streams(self):
        for body, count in ((b"", 0), (b"{}", 1), (b'{"name": "a"}{"name": "b"}\n {}', 3)):
            echo = json.loads(self.ask("/v1/collect", "POST", None, body).text)
            self.assertEqual((echo["method"], echo["number"]), ("Collect", count))
        many = b'{"name": "x"}\n' * 20000
        self.assertEqual(json.loads(self.ask("/v1/collect", "POST", None, many).text)["number"],
                         20000)

    def test_rule_23_a_bad_value_ends_a_client_stream(self):
        for body in (b'{"name": "a"} x', b'{"name": "a"}{', b"[]", b'{"int32Value": "x"}',
                     b"[" * table.TOO_DEEP):
            self.fails(self.ask("/v1/collect", "POST", None, body), 400, 3)

    def test_rule_23_both_ways(self):
        answer = self.ask("/v1/talk", "POST", None, b'{"name": "a"} {"name": "b"}')
        self.assertEqual([line["result"]["all"]["name"] for line in self.lines(answer)], ["a", "b"])
        answer = self.ask("/v1/talk", "POST", None, b'{"name": "a"} {"flag": 5}')
        self.assertEqual(answer.status, 200)
        self.assertEqual([list(line) for line in self.lines(answer)], [["result"], ["error"]])
        self.assertEqual(self.ask("/v1/talk", "POST", None, b"").body, b"")

    def test_rule_23_a_client_that_goes_is_forgotten(self):
        for _ in range(20):
            with peer.Connection(self.port) as connection:
                connection.send("POST", "/v1/talk", None, b'{"name": "a"}\n' * 5000)
        self.assertEqual(self.ask("/v1/literal").status, 200)


class Strict(Case):
    mode = ("strict",)

    def test_unknown_names_are_refused_where_that_is_wished(self):
        error = self.fails(self.ask("/v1/literal?nam=x"), 400, 3)
        self.assertIn("nam", error["message"])
        error = self.fails(self.ask("/v1/whole", "POST", None, b'{"nam": "x"}'), 400, 3)
        self.assertIn('did you mean "name"?', error["message"])


if __name__ == "__main__":
    unittest.main()

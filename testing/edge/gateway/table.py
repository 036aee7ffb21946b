"""Requests of every rule of transcoding, with the answers that REST clients of grpc-gateway 2 get.

The expectations are recorded from the behaviour of grpc-gateway 2.27. `v1` says why Debian's
grpc-gateway 1.6.4 answers otherwise; where it is None the two must agree.
"""

import json

FORM = "application/x-www-form-urlencoded"
DEEP = 90
TOO_DEEP = 12000

# Known ways in which version 1 differs.
NOT_IN_V1 = "version 1 has no such bindings"
METHOD_V1 = "version 1 says 405 for a method that is not there"
FORM_V1 = "version 1 reads no fields of forms"
DURATION_V1 = "version 1 has a fault there, and cuts the connection"
VERB_V1 = "version 1 takes whatever is behind the last colon for a verb"
LENIENT_V1 = "version 1 lets it pass"
STRICT_V1 = "version 1 refuses it"
EMPTY_V1 = "version 1 takes an empty segment as a value; so does 2, but rule 3 asks for 404"
TRAILING = "JSON behind the first value is ignored there; refusing it harms no client that is right"
JSON_V1 = "version 1 has the older mapping of JSON (jsonpb)"
DEPTH_V1 = "version 1 has no limit but that of messages, where a list counts twice"
QUERY_V1 = "version 1 drops what it cannot parse of a query"
MASK_V1 = "version 1 names the paths of a mask in CamelCase, unsorted and without lists"


class Row:
    def __init__(self, rule, line, status=200, headers=None, body=None, v1=None, **expected):
        self.rule = rule
        self.verb, self.uri = line.split(" ", 1)
        self.headers = headers or {}
        self.body = body.encode() if isinstance(body, str) else body
        self.status = status
        self.expected = expected
        self.v1 = v1

    def __str__(self):
        return f"rule {self.rule}: {self.verb} {self.uri} {(self.body or b'')[:80]!r}"


def strip(value):
    """Without what stands for its default, so that rows say only what matters."""
    if isinstance(value, dict):
        items = {key: strip(item) for key, item in value.items()}
        return {key: item for key, item in items.items()
                if item not in (None, "", "0", "COLOUR_NONE", [], {}) and item is not False
                and item != 0}
    if isinstance(value, list):
        return [strip(item) if isinstance(item, dict) else item for item in value]
    return value


def seen(text):
    """Of an answer: what the rows compare."""
    answer = json.loads(text)
    if not isinstance(answer, dict):
        return {"answer": answer}
    known = {key: strip(answer[key]) for key in ("all", "request") if answer.get(key) is not None}
    return {"method": answer["method"], **known} if "method" in answer else {"answer": answer}


def get(rule, uri, method, v1=None, **fields):
    return Row(rule, "GET " + uri, v1=v1, method=method, all=fields)


def bad(rule, request, v1=None, **more):
    return Row(rule, request, status=400, code=3, v1=v1, **more)


def typed(kind, text, field, value, v1=None):
    return get(8, f"/v1/typed/{kind}/{text}", "Typed", v1, **({field: value} if field else {}))


def untyped(kind, text, v1=None):
    return bad(8, f"GET /v1/typed/{kind}/{text}", v1)


def post(rule, body, v1=None, **fields):
    return Row(rule, "POST /v1/whole", body=body, v1=v1, method="Whole", all=fields)


def unread(rule, body, v1=None):
    return bad(rule, "POST /v1/whole", v1, body=body)


def missing(rule, request, v1=None):
    return Row(rule, request, status=404, code=5, message="Not Found", v1=v1)


def other(rule, request, v1=None):
    return Row(rule, request, status=501, code=12, message="Method Not Allowed", v1=v1)


def update(rule, query, body, mask, v1=MASK_V1, **fields):
    request = {"name": "x", **({"all": fields} if fields else {}),
               **({"updateMask": mask} if mask else {})}
    return Row(rule, "PATCH /v1/updates/x" + query, body=body, method="Update", request=request,
               v1=v1)


ROUTING = [
    missing(1, "GET /"),
    missing(1, "GET /v1/nowhere"),
    other(2, "POST /v1/literal", METHOD_V1),
    other(2, "DELETE /v1/whole", METHOD_V1),
    other(2, "PURGE /v1/literal", METHOD_V1),
    missing(3, "GET /v1//literal"),
    missing(3, "GET //v1/literal"),
    missing(3, "GET /v1/./literal"),
    missing(3, "GET /v1/x/../literal"),
    missing(3, "GET /v1/literal/"),
    missing(3, "GET /V1/literal"),
    missing(3, "GET /v1/Literal"),
    missing(3, "GET /v1/ones/", EMPTY_V1),
    get(4, "/v1/ones/a", "One", name="a"),
    get(4, "/ones/a", "One", name="a"),
    Row(4, "PURGE /v1/ones/a", method="Custom", all={"name": "a"}),
    Row(4, "DELETE /v1/ones/a", method="Remove", all={"name": "a"}),
    get(4, "/v1/ones/a:check", "OneVerb", name="a"),
    get(4, "/v1/ones:check", "ListVerb"),
    missing(4, "GET /v1/ones:other"),
    missing(4, "GET /v1/literal:check"),
    missing(4, "POST /testing.gateway.Gateway/Hidden"),
    Row(5, "POST /v1/literal", headers={"Content-Type": FORM, "X-HTTP-Method-Override": "GET"},
        body="int32_value=3&name=a+b", v1=FORM_V1, method="Literal",
        all={"int32Value": 3, "name": "a b"}),
    Row(5, "POST /v1/literal?other_name=q",
        headers={"Content-Type": FORM, "X-HTTP-Method-Override": "get"},
        body="name=x", v1=FORM_V1, method="Literal", all={"name": "x", "otherName": "q"}),
    Row(5, "POST /v1/literal", headers={"Content-Type": FORM}, body="words=a&words=b",
        v1=FORM_V1, method="Literal", all={"words": ["a", "b"]}),
    Row(5, "POST /v1/ones/a", headers={"Content-Type": FORM, "X-HTTP-Method-Override": "DELETE"},
        body="other_name=b", method="Remove", all={"name": "a", "otherName": "b"},
        v1=FORM_V1),
    Row(5, "POST /v1/body/none", headers={"Content-Type": FORM}, body="name=x", method="BodyNone",
        all={"name": "x"}, v1=FORM_V1),
    other(5, "POST /v1/literal", METHOD_V1),
    Row(5, "POST /v1/literal", status=501, code=12, v1=METHOD_V1,
        headers={"Content-Type": "application/json", "X-HTTP-Method-Override": "GET"}, body="{}"),
    Row(5, "POST /v1/ones/a", headers={"Content-Type": "application/json",
                                       "X-HTTP-Method-Override": "GET"},
        body="{}", method="Create", all={"name": "a"}),
    bad(5, "POST /v1/literal", headers={"Content-Type": FORM, "X-HTTP-Method-Override": "GET"},
        body="name=%zz", v1=FORM_V1),
]

PATHS = [
    get(6, "/v1/shelves/s/books/b", "Shelf", name="shelves/s/books/b"),
    missing(6, "GET /v1/shelves/s/books"),
    get(6, "/v1/deep/a/b/c", "Deep", name="a/b/c"),
    get(6, "/v1/deep/a", "Deep", name="a"),
    get(6, "/v1/deep", "Deep"),
    get(6, "/v1/deep/", "Deep"),
    get(6, "/v1/tail/a/b/c:end", "Tail", name="a/b/c"),
    get(6, "/v1/tail/a:end", "Tail", name="a/"),
    missing(6, "GET /v1/tail/a/b"),
    get(6, "/v1/star/x/y", "Star", inner={"deepName": "y"}),
    get(6, "/v1/typed/two/7/and/z", "Typed", int32Value=7, inner={"deepName": "z"}),
    get(6, "/v1/ones/a:b:check", "OneVerb", name="a:b"),
    get(6, "/v1/ones/a:other", "One", name="a:other",
        v1=VERB_V1),
    get(7, "/v1/ones/a%20b", "One", name="a b"),
    get(7, "/v1/ones/a+b", "One", name="a+b"),
    get(7, "/v1/ones/%2520", "One", name="%20"),
    get(7, "/v1/ones/%c3%A4", "One", name="ä"),
    get(7, "/v1/%6citeral", "Literal"),
    missing(7, "GET /v1/ones/a%2Fb"),
    bad(7, "GET /v1/ones/%zz"),
    bad(7, "GET /v1/ones/%2"),
    typed("int32", "-7", "int32Value", -7),
    typed("int32", "+7", "int32Value", 7),
    typed("int32", "0x1F", "int32Value", 31),
    typed("int32", "017", "int32Value", 15),
    typed("int32", "0b101", "int32Value", 5),
    typed("int32", "1_000", "int32Value", 1000),
    typed("int32", "2147483647", "int32Value", 2147483647),
    untyped("int32", "2147483648"),
    untyped("int32", "-2147483649"),
    untyped("int32", "1.5"),
    untyped("int32", "1.0"),
    untyped("int32", "1e3"),
    untyped("int32", "x"),
    untyped("int32", "089"),
    untyped("int32", "%20"),
    typed("int64", "-9223372036854775808", "int64Value", "-9223372036854775808"),
    typed("int64", "9223372036854775807", "int64Value", "9223372036854775807"),
    untyped("int64", "9223372036854775808"),
    typed("uint32", "4294967295", "uint32Value", 4294967295),
    untyped("uint32", "-1"),
    untyped("uint32", "4294967296"),
    typed("uint64", "18446744073709551615", "uint64Value", "18446744073709551615"),
    untyped("uint64", "18446744073709551616"),
    typed("sint32", "-5", "sint32Value", -5),
    typed("sint64", "-5", "sint64Value", "-5"),
    typed("fixed32", "5", "fixed32Value", 5),
    typed("fixed64", "5", "fixed64Value", "5"),
    typed("sfixed32", "-5", "sfixed32Value", -5),
    typed("sfixed64", "-5", "sfixed64Value", "-5"),
    typed("float", "1.5", "floatValue", 1.5),
    typed("float", "NaN", "floatValue", "NaN"),
    typed("float", "-inf", "floatValue", "-Infinity"),
    untyped("float", "1e39"),
    typed("double", "-2.5e-3", "doubleValue", -0.0025),
    typed("double", "Infinity", "doubleValue", "Infinity"),
    typed("double", "+Inf", "doubleValue", "Infinity"),
    typed("double", ".5", "doubleValue", 0.5),
    typed("double", "5.", "doubleValue", 5),
    typed("double", "0x1p-2", "doubleValue", 0.25),
    untyped("double", "1e400"),
    untyped("double", "x"),
    typed("bool", "true", "flag", True),
    typed("bool", "1", "flag", True),
    typed("bool", "T", "flag", True),
    typed("bool", "0", None, None),
    typed("bool", "FALSE", None, None),
    untyped("bool", "yes"),
    untyped("bool", "tRUE"),
    typed("string", "%22", "name", '"'),
    typed("bytes", "AAE=", "data", "AAE="),
    typed("bytes", "_-8=", "data", "/+8="),
    typed("bytes", "AAE", "data", "AAE=", STRICT_V1),
    untyped("bytes", "!"),
    typed("enum", "COLOUR_RED", "colour", "COLOUR_RED"),
    typed("enum", "5", "colour", "COLOUR_BLUE"),
    untyped("enum", "COLOUR_PUCE"),
    untyped("enum", "colour_red"),
    untyped("enum", "77"),
    typed("timestamp", "2026-01-02T03:04:05.5Z", "time", "2026-01-02T03:04:05.500Z", VERB_V1),
    typed("timestamp", "2026-01-02T03:04:05+01:00", "time", "2026-01-02T02:04:05Z", VERB_V1),
    untyped("timestamp", "yesterday"),
    typed("duration", "1.5s", "span", "1.500s", DURATION_V1),
    typed("duration", "-3s", "span", "-3s", DURATION_V1),
    untyped("duration", "x"),
    typed("wrapped_string", "x", "wrappedString", "x"),
    typed("wrapped_int32", "-5", "wrappedInt32", -5),
    typed("wrapped_int64", "5", "wrappedInt64", "5"),
    typed("wrapped_bool", "true", "wrappedBool", True),
    typed("wrapped_double", "2.5", "wrappedDouble", 2.5),
    typed("wrapped_bytes", "AAE=", "wrappedBytes", "AAE="),
    untyped("wrapped_int32", "2147483648"),
    untyped("wrapped_bool", "maybe"),
    typed("numbers", "1,-2,0x3", "numbers", [1, -2, 3], NOT_IN_V1),
    typed("numbers", "7", "numbers", [7], NOT_IN_V1),
    untyped("numbers", "1,,2", NOT_IN_V1),
    typed("words", "a,b,", "words", ["a", "b", ""], NOT_IN_V1),
    typed("colours", "COLOUR_RED,5", "colours", ["COLOUR_RED", "COLOUR_BLUE"], NOT_IN_V1),
    typed("flags", "1,false", "flags", [True, False], NOT_IN_V1),
    typed("doubles", "1.5,NaN", "doubles", [1.5, "NaN"], NOT_IN_V1),
    get(8, "/v1/typed/nested/9", "Typed", inner={"number": 9}),
    untyped("nested", "x"),
    get(8, "/v1/ones/a?name=b", "One", name="a"),
    Row(8, "POST /v1/ones/a", body='{"name": "b"}', method="Create", all={"name": "a"}),
    Row(8, "PUT /v1/body/message/7", body='{"number": 1, "deepName": "d"}', method="BodyMessage",
        all={"inner": {"number": 7, "deepName": "d"}}),
    get(8, "/v1/typed/words/a?words=b", "Typed", words=["a"], v1=NOT_IN_V1),
]


def query(rule, text, v1=None, **fields):
    return get(rule, "/v1/literal?" + text, "Literal", v1, **fields)


def refused(text, v1=None):
    return bad(11, "GET /v1/literal?" + text, v1)


QUERIES = [
    query(9, ""),
    query(9, "&&"),
    query(9, "name=x", name="x"),
    query(9, "other_name=x", otherName="x"),
    query(9, "otherName=x", otherName="x"),
    query(9, "calledOtherwise=x", calledOtherwise="x"),
    query(9, "renamed=x", calledOtherwise="x"),
    query(9, "OtherName=x&Name=y&NAME=z"),
    query(9, "nonsense=1&inner.nonsense=2&inner.number=3", inner={"number": 3}),
    query(9, "inner.deep_name=x&inner.inner.deepName=y", inner={
        "deepName": "x", "inner": {"deepName": "y"}}),
    query(9, "name=a%20b%2Bc+d", name="a b+c d"),
    query(9, "name=a=b", name="a=b"),
    query(9, "name", None),
    query(9, "nam%65=x", name="x"),
    bad(9, "GET /v1/literal?name=%zz", QUERY_V1),
    bad(9, "GET /v1/literal?name=a;flag=true", QUERY_V1),
    query(10, "numbers=1&numbers=2", numbers=[1, 2]),
    query(10, "words=a&words=", words=["a", ""]),
    query(10, "inner.words=a&inner.words=b", inner={"words": ["a", "b"]}),
    query(10, "colours=COLOUR_RED&colours=5", colours=["COLOUR_RED", "COLOUR_BLUE"]),
    query(10, "labels[zone]=a&labels%5Brack%5D=b", labels={"zone": "a", "rack": "b"}),
    query(10, "labels[a.b]=c", labels={"a.b": "c"}),
    query(10, "counts[1]=5&counts[2]=-6", counts={"1": "5", "2": "-6"}),
    query(10, "inner.labels[x]=y", inner={"labels": {"x": "y"}}),
    query(10, "time.seconds=5&time.nanos=500000000", time="1970-01-01T00:00:05.500Z"),
    query(10, "time=2026-01-02T03:04:05Z", time="2026-01-02T03:04:05Z"),
    query(10, "span=1.5s", span="1.500s"),
    query(10, "span=1h2m3s", span="3723s"),
    query(10, "span=300ms", span="0.300s"),
    query(10, "span.seconds=7", span="7s"),
    query(10, "mask=a,b.c", mask="a,b.c", v1=JSON_V1),
    query(10, "wrapped_int32=7", wrappedInt32=7),
    query(10, "wrapped_int32.value=7&wrappedString.value=x", wrappedInt32=7, wrappedString="x"),
    query(10, "wrapped_double=inf", wrappedDouble="Infinity"),
    query(10, "wrapped_bytes=AAE=", wrappedBytes="AAE="),
    query(10, "struct_value=%7B%22a%22%3A%5B1%2Cnull%5D%7D", structValue={"a": [1, None]},
          v1=STRICT_V1),
    query(10, "any_value=%22x%22", anyValue="x", v1=STRICT_V1),
    query(10, "any_value=12", anyValue=12, v1=STRICT_V1),
    query(10, "int32_value=5&flag=true&double_value=1e3&data=AAE=&colour=COLOUR_RED",
          int32Value=5, flag=True, doubleValue=1000, data="AAE=", colour="COLOUR_RED"),
    query(10, "text_choice=x", textChoice="x"),
    query(10, "inner_choice.number=3&inner_choice.deep_name=x",
          innerChoice={"number": 3, "deepName": "x"},
          v1="version 1 cannot enter a member of a oneof twice"),
    refused("name=a&name=b", LENIENT_V1),
    refused("otherName=a&other_name=b", LENIENT_V1),
    refused("int32_value=1&int32_value=2", LENIENT_V1),
    refused("labels[a]=b&labels[a]=c"),
    refused("text_choice=a&number_choice=1"),
    refused("inner_choice.number=1&text_choice=a"),
    refused("name.x=1"),
    refused("int32_value.x=1"),
    refused("inners.number=1"),
    refused("inner=x"),
    refused("inner="),
    refused("nothing=x"),
    refused("labels=x"),
    refused("int32_value="),
    refused("int32_value=1.5"),
    refused("int64_value=9223372036854775808"),
    refused("flag="),
    refused("flag=yes"),
    refused("double_value="),
    refused("colour="),
    refused("colour=COLOUR_PUCE"),
    refused("colour=77"),
    refused("time="),
    refused("time=now"),
    refused("span=1x"),
    refused("data=!"),
    refused("numbers=1&numbers=x"),
    refused("counts[x]=1"),
    refused("struct_value=%7B"),
    Row(12, "POST /v1/whole?name=x&nonsense=1", body='{"flag": true}', method="Whole",
        all={"flag": True}),
    Row(12, "POST /v1/ones/a?other_name=x", body="", method="Create", all={"name": "a"}),
    Row(12, "PUT /v1/body/message/7?name=n&inner.deep_name=ignored&inner.words=z",
        body='{"deepName": "d"}', method="BodyMessage",
        all={"name": "n", "inner": {"deepName": "d", "number": 7}}),
    Row(12, "GET /v1/literal?name=x", body="{malformed", method="Literal", all={"name": "x"}),
    Row(12, "POST /v1/body/none?name=x", body="{malformed", method="BodyNone",
        all={"name": "x"}),
]


def nested(depth, inner="1"):
    return '{"anyValue": ' + "[" * depth + inner + "]" * depth + "}"


BODIES = [
    post(13, ""),
    post(13, " \r\n\t"),
    post(13, "{}"),
    Row(13, "POST /v1/whole", headers={"Content-Type": "text/nonsense"}, body='{"name": "x"}',
        method="Whole", all={"name": "x"}),
    post(13, '{"nonsense": {"x": [1, "y"]}, "name": "x"}', name="x"),
    post(13, '{"inner": {"nonsense": null, "number": 1}}', inner={"number": 1}),
    post(13, '{"other_name": "x", "int32Value": 5}', otherName="x", int32Value=5),
    post(13, '{"calledOtherwise": "x"}', calledOtherwise="x"),
    post(13, '{"renamed": "x"}', calledOtherwise="x"),
    Row(13, "PUT /v1/body/scalar?name=n", body='"text"', method="BodyScalar",
        all={"otherName": "text", "name": "n"}),
    Row(13, "PUT /v1/body/list?name=n", body="[1, 2, 3]", method="BodyList",
        all={"numbers": [1, 2, 3], "name": "n"}, v1=NOT_IN_V1),
    post(14, '{"int32Value": 12.0}', int32Value=12, v1=JSON_V1),
    post(14, '{"int32Value": 1.2e1}', int32Value=12, v1=JSON_V1),
    post(14, '{"int32Value": "12"}', int32Value=12),
    post(14, '{"int64Value": 9007199254740993}', int64Value="9007199254740993"),
    post(14, '{"uint64Value": "18446744073709551615"}', uint64Value="18446744073709551615"),
    post(14, '{"doubleValue": "NaN", "floatValue": "-Infinity"}', doubleValue="NaN",
         floatValue="-Infinity"),
    post(14, '{"doubleValue": "1.5"}', doubleValue=1.5),
    post(14, '{"name": null, "numbers": null, "inner": null, "colour": null}'),
    post(14, '{"colour": 5}', colour="COLOUR_BLUE"),
    post(14, '{"colour": 77}', colour=77),
    post(14, '{"data": "_-8"}', data="/+8=", v1=JSON_V1),
    post(14, '{"labels": {"a": "b"}, "counts": {"1": "2"}}', labels={"a": "b"}, counts={"1": "2"}),
    post(14, '{"name": "\\u00e4\\ud83d\\ude00"}', name="ä😀"),
    post(14, '{"time": "2026-01-02T03:04:05+01:00", "span": "1.5s", "mask": "a,bC.d"}',
         time="2026-01-02T02:04:05Z", span="1.500s", mask="a,bC.d", v1=JSON_V1),
    post(14, nested(DEEP), anyValue=json.loads(nested(DEEP))["anyValue"], v1=DEPTH_V1),
    unread(14, '{"int32Value": 1.5}'),
    unread(14, '{"int32Value": 2147483648}'),
    unread(14, '{"int32Value": true}'),
    unread(14, '{"uint32Value": -1}'),
    unread(14, '{"floatValue": 1e39}'),
    unread(14, '{"doubleValue": 1e400}'),
    unread(14, '{"flag": "true"}'),
    unread(14, '{"flag": 1}'),
    unread(14, '{"name": 5}'),
    unread(14, '{"numbers": [1, null]}', JSON_V1),
    unread(14, '{"inners": [null]}', JSON_V1),
    unread(14, '{"numbers": 1}'),
    unread(14, '{"numbers": [1,]}'),
    unread(14, '{"name": "x",}'),
    unread(14, '{"name": "\\ud800"}', JSON_V1),
    unread(14, b'{"name": "\xff"}', JSON_V1),
    unread(14, "{'name': 1}"),
    unread(14, '{"name": "x"'),
    unread(14, "[]"),
    unread(14, "x"),
    unread(14, '{"name": "x"} x', TRAILING),
    unread(14, '{"textChoice": "a", "numberChoice": 1}', JSON_V1),
    unread(14, '{"data": "!"}'),
    unread(14, '{"time": "now"}'),
    unread(14, '{"inner": 5}'),
    unread(14, nested(TOO_DEEP)),
    unread(14, '{"nonsense": ' + "[" * TOO_DEEP + "]" * TOO_DEEP + "}"),
    unread(14, "[" * TOO_DEEP),
    Row(14, "PUT /v1/body/message/7", status=400, code=3, body='{"number": "x"}'),
    update(15, "", '{"name": "n", "int32_value": 5}', "int32Value,name", name="n", int32Value=5),
    update(15, "", '{"inner": {"deepName": "d", "inner": {"number": 1}}}',
           "inner.deepName,inner.inner.number",
           inner={"deepName": "d", "inner": {"number": 1}}),
    update(15, "", '{"inner": {}, "labels": {"a": "b"}, "numbers": [1], "name": null}',
           "inner,labels,name,numbers", labels={"a": "b"}, numbers=[1]),
    update(15, "", '{"time": "2026-01-02T03:04:05Z", "wrappedInt32": 5}', "time,wrappedInt32",
           time="2026-01-02T03:04:05Z", wrappedInt32=5),
    update(15, "", '{"structValue": {"a": {"b": 1}, "c": [2]}}', "structValue.a.b,structValue.c",
           structValue={"a": {"b": 1}, "c": [2]}),
    update(15, "?update_mask=name,flag", '{"name": "n"}', "name,flag", name="n"),
    update(15, "", "{}", None, None),
    update(15, "", "", None, None),
    bad(15, "PATCH /v1/updates/x", body='{"nonsense": 1}', v1=MASK_V1),
    Row(15, "PUT /v1/updates/x", body='{"name": "n"}', method="Update",
        request={"name": "x", "all": {"name": "n"}}),
]

ROWS = ROUTING + PATHS + QUERIES + BODIES


def check(test, row, answer):
    """Asserts that the answer is what the row says."""
    test.assertEqual(answer.status, row.status, answer.text)
    if row.status != 200:
        error = json.loads(answer.text)
        for key, value in row.expected.items():
            test.assertEqual(error[key], value)
        return
    expected = {key: value for key, value in row.expected.items() if value != {}}
    found = {key: value for key, value in seen(answer.text).items() if value != {}}
    test.assertEqual(found, expected)

#!/usr/bin/python3
"""Writes docs/api-reference.md from the protos and their comments.

    protoc --include_source_info --include_imports --descriptor_set_out=SET proto/jarvis/v1/*.proto
    docs/api_reference.py SET > docs/api-reference.md

`bazel build //docs:api_reference` does both; //docs:api_reference_test fails if the page is stale.
"""

import sys

from google.protobuf import descriptor_pb2

HTTP_RULE = 72295728
TYPES = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32",
    8: "bool", 9: "string", 12: "bytes", 13: "uint32", 15: "sfixed32", 16: "sfixed64",
    17: "sint32", 18: "sint64",
}
FIELD, NESTED, ENUM, MESSAGE, SERVICE, METHOD, VALUE = 2, 3, 5, 4, 6, 2, 2


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields_of(data):
    """Yields (number, value) of a message's wire bytes; only varints and lengths occur here."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            yield key >> 3, data[at:at + value]
            at += value
        else:
            yield key >> 3, value


def http_rules(rule):
    """["GET /v1/tasks", ...]: verbs by field number of google.api.HttpRule."""
    verbs = {2: "GET", 3: "PUT", 4: "POST", 5: "DELETE", 6: "PATCH"}
    found, more = [], []
    for number, value in fields_of(rule):
        if number in verbs:
            found.append(f"{verbs[number]} {value.decode()}")
        elif number == 11:
            more += http_rules(value)
    return found + more


def rules_of(method):
    for number, value in fields_of(method.options.SerializeToString()):
        if number == HTTP_RULE:
            return http_rules(value)
    return []


def comments(file):
    return {tuple(l.path): l.leading_comments.strip() for l in file.source_code_info.location}


def one_line(text):
    lines = [line.strip() for line in text.splitlines() if not line.strip().startswith("buf:lint")]
    return " ".join(lines).replace("|", "\\|").strip()


def short(name):
    return name.rsplit(".", 1)[-1]


def anchor(name):
    return name.lower()


def link(name):
    if not name.startswith(".jarvis."):
        return short(name)
    return f"[{short(name)}](#{anchor(short(name))})"


def type_of(field, maps):
    if field.type_name in maps:
        key, value = maps[field.type_name].field
        return f"map of {type_of(key, maps)} to {type_of(value, maps)}"
    if field.type_name.startswith(".jarvis."):
        text = link(field.type_name)
    elif field.type_name:
        text = short(field.type_name)
    else:
        text = TYPES[field.type]
    return f"list of {text}" if field.label == field.LABEL_REPEATED else text


def write_service(file, index, service, out):
    texts = comments(file)
    out.append(f"## Service {service.name}\n\n{one_line(texts.get((SERVICE, index), ''))}\n")
    for i, method in enumerate(service.method):
        out.append(f"### {service.name}.{method.name}\n")
        out.append(one_line(texts.get((SERVICE, index, METHOD, i), "")) + "\n")
        stream = "stream of " if method.client_streaming else ""
        answers = "stream of " if method.server_streaming else ""
        out.append(f"gRPC: `/{file.package}.{service.name}/{method.name}`, "
                   f"{stream}{link(method.input_type)} to {answers}{link(method.output_type)}")
        rules = ", ".join(f"`{rule}`" for rule in rules_of(method))
        out.append(f"\nREST: {rules or 'none'}\n")


def write_message(file, index, message, out):
    texts = comments(file)
    prefix = f".{file.package}.{message.name}."
    maps = {prefix + nested.name: nested for nested in message.nested_type}
    out.append(f"### {message.name}\n\n{one_line(texts.get((MESSAGE, index), ''))}\n")
    if not message.field:
        return
    out.append("| field | type | meaning |\n| --- | --- | --- |")
    for i, field in enumerate(message.field):
        text = one_line(texts.get((MESSAGE, index, FIELD, i), ""))
        out.append(f"| `{field.name}` | {type_of(field, maps)} | {text} |")
    out.append("")


def write_enum(file, index, enum, out):
    texts = comments(file)
    out.append(f"### {enum.name}\n\n{one_line(texts.get((ENUM, index), ''))}\n")
    out.append("| value | number | meaning |\n| --- | --- | --- |")
    for i, value in enumerate(enum.value):
        text = one_line(texts.get((ENUM, index, VALUE, i), ""))
        out.append(f"| `{value.name}` | {value.number} | {text} |")
    out.append("")


def main():
    with open(sys.argv[1], "rb") as handle:
        files = descriptor_pb2.FileDescriptorSet.FromString(handle.read()).file
    files = [file for file in files if file.package == "jarvis.v1"]
    out = ["# API reference", "",
           "Made from `proto/jarvis/v1` by `bazel build //docs:api_reference`; "
           "edit the protos, not this page.",
           "",
           "JSON names are the lowerCamelCase of the field names; 64-bit integers are strings "
           "in JSON;",
           "times and durations are written as `2026-01-02T03:04:05Z` and `1.5s`.", ""]
    for file in files:
        for i, service in enumerate(file.service):
            write_service(file, i, service, out)
    out.append("## Messages\n")
    for file in files:
        for i, message in enumerate(file.message_type):
            write_message(file, i, message, out)
    out.append("## Enumerations\n")
    for file in files:
        for i, enum in enumerate(file.enum_type):
            write_enum(file, i, enum, out)
    print("\n".join(out).rstrip())


main()

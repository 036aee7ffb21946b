/*
 * Between YAML and JSON: task files are read from YAML, answers can be printed as YAML.
 *
 * Reading is led by the message that the JSON is for, so that `PORT: 8080` in a map of texts is the
 * text "8080", `running: 5m` in a duration is five minutes, and `memoryBytes: 64MiB` is a number.
 * Pure but for the messages' tables.
 */
#ifndef JV_CLI_YAML_H
#define JV_CLI_YAML_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/* Appends JSON text (one value, well-formed: our own) as a block of YAML, with a newline behind. */
void jv_yaml_print(struct jv_bytes json, struct jv_buffer *out);

/* Reads one YAML mapping for a message and appends its JSON. origin is the file's name. Fields that
 * the message does not have are INVALID_ARGUMENT with origin:line:column and the nearest name; so
 * is what is not YAML. */
struct jv_status jv_yaml_to_json(const char *origin, struct jv_bytes yaml,
	const ProtobufCMessageDescriptor *type, struct jv_buffer *out) JV_MUST_USE;

#endif

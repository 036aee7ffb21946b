/*
 * JSON text put together piece by piece, for documents that are no message.
 *
 * Any thread; the text goes to the end of the caller's buffer. Commas are set by what stands
 * before: whoever opens, names and closes in order gets well-formed JSON. A value follows its name.
 */
#ifndef JV_PROTO_WIRE_JSON_BUILD_H
#define JV_PROTO_WIRE_JSON_BUILD_H

#include "base/bytes.h"

/* `{` or `[` as a value. */
void jv_json_build_open(struct jv_buffer *out, char bracket);
/* The same as the value of a name. */
void jv_json_build_open_as(struct jv_buffer *out, const char *name, char bracket);
void jv_json_build_close(struct jv_buffer *out, char bracket);
/* The name of the next value. */
void jv_json_build_name(struct jv_buffer *out, const char *name);
/* A string as a value. */
void jv_json_build_text(struct jv_buffer *out, const char *text);
/* JSON as it is, such as `true`, as a value. */
void jv_json_build_raw(struct jv_buffer *out, const char *json);
/* A name and its string. */
void jv_json_build_pair(struct jv_buffer *out, const char *name, const char *text);
/* A name and JSON as it is. */
void jv_json_build_raw_pair(struct jv_buffer *out, const char *name, const char *json);

#endif

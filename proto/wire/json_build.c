#include "proto/wire/json_build.h"

#include "base/assert.h"
#include "proto/wire/json.h"

/* What is open or named expects a value; behind anything else stands a comma first. */
static void next(struct jv_buffer *out)
{
	uint8_t last = out->size > 0 ? out->data[out->size - 1] : '[';

	if (last != '{' && last != '[' && last != ':')
		jv_buffer_append_byte(out, ',');
}

void jv_json_build_open(struct jv_buffer *out, char bracket)
{
	JV_ASSERT(bracket == '{' || bracket == '[');
	next(out);
	jv_buffer_append_byte(out, (uint8_t)bracket);
}

void jv_json_build_open_as(struct jv_buffer *out, const char *name, char bracket)
{
	jv_json_build_name(out, name);
	jv_json_build_open(out, bracket);
}

void jv_json_build_close(struct jv_buffer *out, char bracket)
{
	JV_ASSERT(bracket == '}' || bracket == ']');
	jv_buffer_append_byte(out, (uint8_t)bracket);
}

void jv_json_build_name(struct jv_buffer *out, const char *name)
{
	jv_json_build_text(out, name);
	jv_buffer_append_byte(out, ':');
}

void jv_json_build_text(struct jv_buffer *out, const char *text)
{
	next(out);
	jv_json_write_text(out, jv_bytes_of_text(text));
}

void jv_json_build_raw(struct jv_buffer *out, const char *json)
{
	next(out);
	jv_buffer_append_text(out, json);
}

void jv_json_build_pair(struct jv_buffer *out, const char *name, const char *text)
{
	jv_json_build_name(out, name);
	jv_json_build_text(out, text);
}

void jv_json_build_raw_pair(struct jv_buffer *out, const char *name, const char *json)
{
	jv_json_build_name(out, name);
	jv_json_build_raw(out, json);
}

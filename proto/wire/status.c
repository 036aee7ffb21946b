#include "proto/wire/status.h"

#include <string.h>

#include "base/assert.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/wire/pb.h"

#define URL_PREFIX "type.googleapis.com/"

/* Details of strangers may be long; what does not fit is not worth having. */
#define UNPACK_MAX ((size_t)1 << 20)

static char *text_of(const char *text)
{
	/* protobuf-c's fields are not const, though packing does not write to them. */
	return (char *)(uintptr_t)text;
}

void jv_status_text(const struct jv_status *status, struct jv_buffer *out)
{
	size_t size = strlen(status->field);
	if (size > 0 && strncmp(status->message, status->field, size) != 0)
		jv_buffer_printf(out, "%s: ", status->field);
	jv_buffer_append_text(out, status->message);
}

/* A message may quote bytes of a stranger, or be cut within a character; a string of protobuf that
 * is not UTF-8 would make every client refuse the whole status. */
static char *copy_valid(const char *text, struct jv_arena *arena)
{
	char *copy = jv_arena_copy_text(arena, text);
	if (copy == NULL || jv_utf8_valid(jv_bytes_of_text(copy)))
		return copy;
	for (char *at = copy; *at != '\0'; at++) {
		if ((*at & 0x80) != 0)
			*at = '?';
	}
	return copy;
}

static bool pack_any(const ProtobufCMessage *detail, const char *url, struct jv_arena *arena,
	Google__Protobuf__Any *any)
{
	size_t size = protobuf_c_message_get_packed_size(detail);
	uint8_t *data = jv_arena_alloc(arena, size);
	if (data == NULL)
		return false;
	google__protobuf__any__init(any);
	any->type_url = text_of(url);
	any->value.data = data;
	any->value.len = protobuf_c_message_pack(detail, data);
	JV_ASSERT(any->value.len == size);
	return true;
}

static bool pack_bad_request(
	const struct jv_status *status, struct jv_arena *arena, Google__Protobuf__Any *any)
{
	Google__Rpc__BadRequest__FieldViolation violation =
		GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
	violation.field = copy_valid(status->field, arena);
	violation.description = copy_valid(status->message, arena);
	if (violation.field == NULL || violation.description == NULL)
		return false;
	Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
	Google__Rpc__BadRequest detail = GOOGLE__RPC__BAD_REQUEST__INIT;
	detail.field_violations = violations;
	detail.n_field_violations = 1;
	return pack_any(&detail.base, URL_PREFIX "google.rpc.BadRequest", arena, any);
}

static bool pack_error_info(
	const struct jv_status *status, struct jv_arena *arena, Google__Protobuf__Any *any)
{
	Google__Rpc__ErrorInfo detail = GOOGLE__RPC__ERROR_INFO__INIT;
	detail.reason = text_of(jv_code_name(status->code));
	detail.domain = text_of("jarvis");
	return pack_any(&detail.base, URL_PREFIX "google.rpc.ErrorInfo", arena, any);
}

static char *people_text(const struct jv_status *status, struct jv_arena *arena)
{
	struct jv_buffer text = {0};
	jv_status_text(status, &text);
	char *copy = copy_valid(jv_buffer_text(&text), arena);
	jv_buffer_deinit(&text);
	return copy;
}

ProtobufCMessage *jv_status_message(const struct jv_status *status, struct jv_arena *arena)
{
	ProtobufCMessage *message = jv_pb_new(&google__rpc__status__descriptor, arena);
	Google__Protobuf__Any *any = jv_arena_calloc(arena, 1, sizeof(*any));
	Google__Protobuf__Any **details = jv_arena_calloc(arena, 1, sizeof(*details));
	char *text = people_text(status, arena);
	if (message == NULL || any == NULL || details == NULL || text == NULL)
		return NULL;
	Google__Rpc__Status *proto = (Google__Rpc__Status *)message;
	proto->code = (int32_t)status->code;
	proto->message = text;
	if (status->code == JV_OK)
		return message;
	bool packed = status->field[0] != '\0' ? pack_bad_request(status, arena, any)
					       : pack_error_info(status, arena, any);
	if (!packed)
		return NULL;
	details[0] = any;
	proto->details = details;
	proto->n_details = 1;
	return message;
}

void jv_status_pack(const struct jv_status *status, struct jv_buffer *out)
{
	struct jv_arena arena;
	jv_arena_init(&arena, 0, 0);
	jv_pb_pack(jv_status_message(status, &arena), out);
	jv_arena_deinit(&arena);
}

/* The first violation of the first BadRequest among the details, or NULL. */
static const Google__Rpc__BadRequest__FieldViolation *find_violation(
	const Google__Rpc__Status *proto, struct jv_arena *arena)
{
	for (size_t i = 0; i < proto->n_details; i++) {
		const Google__Protobuf__Any *any = proto->details[i];
		const char *slash = strrchr(any->type_url, '/');
		if (slash == NULL || strcmp(slash + 1, "google.rpc.BadRequest") != 0)
			continue;
		ProtobufCMessage *message;
		struct jv_status status = jv_pb_unpack(&google__rpc__bad_request__descriptor,
			jv_bytes_of(any->value.data, any->value.len), arena, &message);
		const Google__Rpc__BadRequest *detail = (const void *)message;
		if (jv_is_ok(&status) && detail->n_field_violations > 0)
			return detail->field_violations[0];
	}
	return NULL;
}

static struct jv_status status_of(const Google__Rpc__Status *proto, struct jv_arena *arena)
{
	if (proto->code == JV_OK)
		return jv_ok();
	enum jv_code code = proto->code > 0 && proto->code <= (int32_t)JV_UNAUTHENTICATED
		? (enum jv_code)proto->code
		: JV_UNKNOWN;
	const Google__Rpc__BadRequest__FieldViolation *violation = find_violation(proto, arena);
	if (violation == NULL || violation->field[0] == '\0')
		return jv_error(code, "%s", proto->message);
	const char *text =
		violation->description[0] != '\0' ? violation->description : proto->message;
	return jv_field_error(code, violation->field, "%s", text);
}

bool jv_status_unpack(struct jv_bytes bytes, struct jv_status *status)
{
	struct jv_arena arena;
	ProtobufCMessage *message;
	jv_arena_init(&arena, 0, UNPACK_MAX);
	struct jv_status unpacked =
		jv_pb_unpack(&google__rpc__status__descriptor, bytes, &arena, &message);
	if (jv_is_ok(&unpacked))
		*status = status_of((const void *)message, &arena);
	jv_arena_deinit(&arena);
	return jv_is_ok(&unpacked);
}

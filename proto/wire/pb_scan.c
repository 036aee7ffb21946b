#include "proto/wire/pb_scan.h"

#include <string.h>

#include "base/assert.h"
#include "proto/wire/path.h"
#include "proto/wire/pb.h"

enum {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_32 = 5,
};

/* One message on the way down, on the C stack. */
struct scan {
	const ProtobufCMessageDescriptor *descriptor;
	struct jv_path path;
	unsigned depth;
	struct jv_status *status;
};

static bool fail(const struct scan *scan, const char *what)
{
	char field[JV_PATH_TEXT_MAX];
	jv_path_print(&scan->path, field, sizeof(field));
	*scan->status = jv_field_error(JV_INVALID_ARGUMENT, field, "%s", what);
	return false;
}

static unsigned wire_type_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return WIRE_32;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return WIRE_64;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return WIRE_BYTES;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
	default:
		return WIRE_VARINT;
	}
}

/* Steps over a value without looking into it; for WIRE_BYTES gives its content. */
static bool take_value(struct jv_reader *reader, unsigned wire, struct jv_bytes *content)
{
	switch (wire) {
	case WIRE_VARINT:
		jv_get_varint(reader);
		break;
	case WIRE_64:
		jv_get_u64(reader);
		break;
	case WIRE_32:
		jv_get_u32(reader);
		break;
	case WIRE_BYTES:
		*content = jv_get_bytes(reader);
		break;
	default:
		return false;
	}
	return !reader->failed;
}

static bool scan_packed(const struct scan *scan, unsigned wire, struct jv_bytes content)
{
	struct jv_reader reader = jv_reader_of(content);
	struct jv_bytes none;
	while (jv_reader_left(&reader) > 0) {
		if (!take_value(&reader, wire, &none))
			return fail(scan, "the packed list is cut off within a number");
	}
	return true;
}

static bool scan_text(const struct scan *scan, struct jv_bytes content)
{
	if (content.size > 0 && memchr(content.data, '\0', content.size) != NULL)
		return fail(scan, "must not contain a NUL character");
	if (!jv_utf8_valid(content))
		return fail(scan, "must be UTF-8");
	return true;
}

static bool scan_message(const struct scan *parent, const ProtobufCMessageDescriptor *descriptor,
	struct jv_bytes bytes);

static bool scan_field(const struct scan *scan, const ProtobufCFieldDescriptor *field,
	unsigned wire, struct jv_bytes content)
{
	unsigned expected = wire_type_of(field->type);
	if (wire != expected) {
		if (wire != WIRE_BYTES || field->label != PROTOBUF_C_LABEL_REPEATED)
			return fail(scan, "has the wire type of another kind of field");
		return scan_packed(scan, expected, content);
	}
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return scan_text(scan, content);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return scan_message(scan, field->descriptor, content);
	return true;
}

/* One tag and its value. */
static bool scan_next(struct scan *scan, struct jv_reader *reader)
{
	uint64_t tag = jv_get_varint(reader);
	unsigned number = (unsigned)(tag >> 3);
	unsigned wire = (unsigned)(tag & 7);
	scan->path.name = NULL;
	if (reader->failed || tag > UINT32_MAX || number == 0)
		return fail(scan, "the bytes hold a field tag that is none");
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(scan->descriptor, number);
	scan->path.name = field != NULL ? field->name : NULL;
	struct jv_bytes content = {0};
	if (wire > WIRE_BYTES && wire != WIRE_32)
		return fail(scan, "the bytes hold a group or an unknown wire type");
	if (!take_value(reader, wire, &content))
		return fail(scan, "the bytes are cut off within a field");
	return field == NULL || scan_field(scan, field, wire, content);
}

static bool scan_message(const struct scan *parent, const ProtobufCMessageDescriptor *descriptor,
	struct jv_bytes bytes)
{
	struct scan scan = {
		.descriptor = descriptor,
		.path = {.parent = &parent->path},
		.depth = parent->depth + 1,
		.status = parent->status,
	};
	if (scan.depth > JV_PB_DEPTH_MAX)
		return fail(parent, "is nested too deep; at most 100 levels are taken");
	struct jv_reader reader = jv_reader_of(bytes);
	while (jv_reader_left(&reader) > 0) {
		if (!scan_next(&scan, &reader))
			return false;
	}
	return true;
}

JV_STATIC_ASSERT(JV_PB_DEPTH_MAX == 100, "the message of scan_message says 100");

struct jv_status jv_pb_scan(const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes)
{
	struct jv_status status = jv_ok();
	struct scan root = {.status = &status};
	scan_message(&root, descriptor, bytes);
	return status;
}

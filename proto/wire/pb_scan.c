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

/* Of more fields than that is not kept whether they were met. */
#define FIELDS_KEPT 256

/* What is found out about the whole. */
struct verdict {
	struct jv_status status;
	bool is_split;
};

/* One message on the way down, on the C stack. */
struct scan {
	const ProtobufCMessageDescriptor *descriptor;
	struct jv_path path;
	unsigned depth;
	struct verdict *verdict;
	uint64_t met[FIELDS_KEPT / 64]; /* single messages, by their place in the descriptor */
};

static bool fail(const struct scan *scan, const char *what)
{
	char field[JV_PATH_TEXT_MAX];
	jv_path_print(&scan->path, field, sizeof(field));
	scan->verdict->status = jv_field_error(JV_INVALID_ARGUMENT, field, "%s", what);
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

/* protobuf-c takes as many bytes of a varint, and of one that is a tag or a length. */
#define VARINT_MAX 10
#define HEAD_MAX   5

/* A varint with or without needless zeroes; what does not fit 64 bits is cut off. Records are
 * stricter (jv_get_varint). */
static uint64_t take_varint(struct jv_reader *reader, unsigned bytes_max)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes_max && reader->at < reader->end; i++) {
		uint8_t byte = *reader->at++;
		value |= (uint64_t)(byte & 0x7f) << 7 * i;
		if (byte < 0x80)
			return value;
	}
	reader->failed = true;
	return 0;
}

/* A length and as many bytes. */
static struct jv_bytes take_bytes(struct jv_reader *reader)
{
	uint64_t size = take_varint(reader, HEAD_MAX);
	if (size > jv_reader_left(reader))
		reader->failed = true;
	if (reader->failed)
		return jv_bytes_of(NULL, 0);
	const uint8_t *content = reader->at;
	reader->at += size;
	return jv_bytes_of(content, (size_t)size);
}

/* Steps over a value without looking into it; for WIRE_BYTES gives its content. */
static bool take_value(struct jv_reader *reader, unsigned wire, struct jv_bytes *content)
{
	switch (wire) {
	case WIRE_VARINT:
		take_varint(reader, VARINT_MAX);
		break;
	case WIRE_64:
		jv_get_u64(reader);
		break;
	case WIRE_32:
		jv_get_u32(reader);
		break;
	case WIRE_BYTES:
		*content = take_bytes(reader);
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

/* Notes a single message that comes in pieces. */
static void meet(struct scan *scan, const ProtobufCFieldDescriptor *field)
{
	size_t place = (size_t)(field - scan->descriptor->fields);
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return;
	if (place >= FIELDS_KEPT || (scan->met[place / 64] >> place % 64 & 1) != 0)
		scan->verdict->is_split = true;
	else
		scan->met[place / 64] |= UINT64_C(1) << place % 64;
}

static bool scan_message(const struct scan *parent, const ProtobufCMessageDescriptor *descriptor,
	struct jv_bytes bytes);

static bool scan_field(struct scan *scan, const ProtobufCFieldDescriptor *field, unsigned wire,
	struct jv_bytes content)
{
	unsigned expected = wire_type_of(field->type);
	if (wire != expected) {
		if (wire != WIRE_BYTES || field->label != PROTOBUF_C_LABEL_REPEATED)
			return fail(scan, "has the wire type of another kind of field");
		return scan_packed(scan, expected, content);
	}
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return scan_text(scan, content);
	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	meet(scan, field);
	return scan_message(scan, field->descriptor, content);
}

bool jv_pb_take(struct jv_reader *reader, uint32_t *number, struct jv_bytes *content)
{
	uint64_t tag = take_varint(reader, HEAD_MAX);
	*number = (uint32_t)(tag >> 3);
	return !reader->failed && take_value(reader, (unsigned)(tag & 7), content);
}

/* One tag and its value. */
static bool scan_next(struct scan *scan, struct jv_reader *reader)
{
	uint64_t tag = take_varint(reader, HEAD_MAX);
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
		.verdict = parent->verdict,
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

struct jv_status jv_pb_scan(
	const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes, bool *is_split)
{
	struct verdict verdict = {.status = jv_ok()};
	struct scan root = {.verdict = &verdict};
	scan_message(&root, descriptor, bytes);
	*is_split = verdict.is_split;
	return verdict.status;
}

#include "proto/wire/pb_join.h"

#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb_scan.h"

/* A length is written in that many bytes, needed or not: it is known only afterwards. */
#define LENGTH_BYTES 5
#define WIRE_BYTES   2

struct piece {
	struct piece *next;
	struct jv_bytes bytes;
};

/* The pieces of one single message, in order. */
struct pieces {
	struct piece *first;
	struct piece *last;
};

struct join {
	struct jv_arena *arena;
	struct jv_buffer *out;
};

static bool add_piece(struct join *join, struct pieces *pieces, struct jv_bytes bytes)
{
	struct piece *piece = jv_arena_alloc(join->arena, sizeof(*piece));
	if (piece == NULL)
		return false;
	*piece = (struct piece){.bytes = bytes};
	if (pieces->first == NULL)
		pieces->first = piece;
	else
		pieces->last->next = piece;
	pieces->last = piece;
	return true;
}

static bool join_pieces(
	struct join *join, const ProtobufCMessageDescriptor *descriptor, const struct piece *piece);

static bool join_field(
	struct join *join, const ProtobufCFieldDescriptor *field, const struct piece *piece)
{
	struct jv_buffer *out = join->out;
	jv_put_varint(out, (uint64_t)field->id << 3 | WIRE_BYTES);
	jv_buffer_extend(out, LENGTH_BYTES);
	size_t start = out->size;
	if (!join_pieces(join, field->descriptor, piece))
		return false;
	size_t size = out->size - start;
	for (size_t i = 0; i < LENGTH_BYTES; i++, size >>= 7) {
		bool last = i + 1 == LENGTH_BYTES;
		out->data[start - LENGTH_BYTES + i] = (uint8_t)((size & 0x7f) | (last ? 0 : 0x80));
	}
	JV_ASSERT(size == 0);
	return true;
}

/* Another member of the oneof was met: what there was of a message in it is gone. */
static void forget_others(const ProtobufCMessageDescriptor *descriptor,
	const ProtobufCFieldDescriptor *field, struct pieces *singles)
{
	for (unsigned i = 0; i < descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *other = &descriptor->fields[i];
		if (other != field && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
			other->quantifier_offset == field->quantifier_offset)
			singles[i] = (struct pieces){0};
	}
}

/* One field: a single message is kept for the end, all else goes out as it is. singles: of each
 * field, made when it is needed. */
static bool take_field(struct join *join, const ProtobufCMessageDescriptor *descriptor,
	struct jv_reader *reader, struct pieces **singles)
{
	const uint8_t *start = reader->at;
	uint32_t number;
	struct jv_bytes content = {0};
	bool taken = jv_pb_take(reader, &number, &content);
	JV_ASSERT(taken);
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field(descriptor, number);
	if (field != NULL && (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && *singles != NULL)
		forget_others(descriptor, field, *singles);
	if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE) {
		jv_buffer_append(join->out, start, (size_t)(reader->at - start));
		return true;
	}
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return join_field(join, field, &(struct piece){.bytes = content});
	if (*singles == NULL)
		*singles = jv_arena_calloc(join->arena, descriptor->n_fields, sizeof(**singles));
	return *singles != NULL &&
		add_piece(join, &(*singles)[field - descriptor->fields], content);
}

static bool join_pieces(
	struct join *join, const ProtobufCMessageDescriptor *descriptor, const struct piece *piece)
{
	struct pieces *singles = NULL;
	for (; piece != NULL; piece = piece->next) {
		struct jv_reader reader = jv_reader_of(piece->bytes);
		while (jv_reader_left(&reader) > 0) {
			if (!take_field(join, descriptor, &reader, &singles))
				return false;
		}
	}
	for (unsigned i = 0; singles != NULL && i < descriptor->n_fields; i++) {
		if (singles[i].first != NULL &&
			!join_field(join, &descriptor->fields[i], singles[i].first))
			return false;
	}
	return true;
}

bool jv_pb_join(const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes,
	struct jv_arena *arena, struct jv_buffer *out)
{
	struct join join = {arena, out};
	return join_pieces(&join, descriptor, &(struct piece){.bytes = bytes});
}

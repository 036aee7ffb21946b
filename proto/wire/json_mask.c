#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "google/protobuf/field_mask.pb-c.h"
#include "proto/wire/field.h"
#include "proto/wire/json_lexer.h"
#include "proto/wire/json_path.h"
#include "proto/wire/schema_private.h"

/* One jv_json_mask on its way through the text. */
struct masker {
	struct jv_json_lexer lexer;
	struct jv_arena *arena;
	struct jv_buffer path; /* of the value that comes next */
	char **paths;          /* in the arena */
	size_t count;
	size_t room;
	struct jv_status status;
};

static bool exhausted(struct masker *masker)
{
	masker->status =
		jv_error(JV_RESOURCE_EXHAUSTED, "the field mask of the body takes too much memory");
	return false;
}

static bool make_room(struct masker *masker)
{
	size_t room = masker->room == 0 ? 16 : 2 * masker->room;
	char **paths;

	if (masker->count < masker->room)
		return true;
	paths = jv_arena_calloc(masker->arena, room, sizeof(paths[0]));
	if (paths == NULL)
		return exhausted(masker);
	if (masker->count > 0)
		memcpy(paths, masker->paths, masker->count * sizeof(paths[0]));
	masker->paths = paths;
	masker->room = room;
	return true;
}

static bool add(struct masker *masker)
{
	char *path;

	if (masker->path.size == 0)
		return true;
	if (!make_room(masker))
		return false;
	path = jv_arena_copy_bytes(masker->arena, jv_buffer_bytes(&masker->path));
	if (path == NULL)
		return exhausted(masker);
	masker->paths[masker->count++] = path;
	return true;
}

static bool leaf(struct masker *masker)
{
	return jv_lexer_skip(&masker->lexer) && add(masker);
}

/* Appends a step to the path; returns the size to go back to. */
static size_t step(struct masker *masker, struct jv_bytes name)
{
	size_t before = masker->path.size;

	if (before > 0)
		jv_buffer_append_byte(&masker->path, '.');
	jv_buffer_append(&masker->path, name.data, name.size);
	return before;
}

/* Within a Struct: any key is a step, and nothing ends at an empty object. */
static bool walk_struct(struct masker *masker)
{
	bool first = true;
	struct jv_bytes name;
	const uint8_t *name_at;

	if (jv_lexer_peek(&masker->lexer) != JV_JSON_OBJECT)
		return leaf(masker);
	if (!jv_lexer_enter(&masker->lexer, '{'))
		return false;
	while (jv_lexer_more(&masker->lexer, '}', &first)) {
		if (!jv_lexer_name(&masker->lexer, &name, &name_at))
			return false;
		size_t before = step(masker, name);
		if (!walk_struct(masker))
			return false;
		masker->path.size = before;
	}
	return masker->lexer.error == NULL;
}

static bool walk(struct masker *masker, const struct jv_message_schema *type);

static bool walk_member(struct masker *masker, const struct jv_field_schema *field)
{
	const struct jv_message_schema *type = field->message;

	if (type == NULL || field->field->label == PROTOBUF_C_LABEL_REPEATED)
		return leaf(masker);
	switch (type->kind) {
	case JV_KIND_STRUCT:
	case JV_KIND_VALUE:
		return walk_struct(masker);
	case JV_KIND_PLAIN:
	case JV_KIND_EMPTY:
		return walk(masker, type);
	case JV_KIND_ANY:
	case JV_KIND_TIMESTAMP:
	case JV_KIND_DURATION:
	case JV_KIND_FIELD_MASK:
	case JV_KIND_LIST:
	case JV_KIND_WRAPPER:
	default:
		return leaf(masker);
	}
}

static bool take_member(struct masker *masker, const struct jv_message_schema *type)
{
	struct jv_bytes name;
	const uint8_t *name_at;
	const struct jv_field_schema *field;
	size_t before;

	if (!jv_lexer_name(&masker->lexer, &name, &name_at))
		return false;
	field = jv_message_field(type, name);
	if (field == NULL) {
		masker->status = jv_error(JV_INVALID_ARGUMENT,
			"a %s has no field \"%.*s\", and a field mask is made of the body",
			type->descriptor->name, (int)(name.size < 64 ? name.size : 64),
			(const char *)name.data);
		return false;
	}
	before = step(masker, jv_bytes_of_text(field->field->name));
	if (!walk_member(masker, field))
		return false;
	masker->path.size = before;
	return true;
}

static bool walk(struct masker *masker, const struct jv_message_schema *type)
{
	bool first = true;
	bool any = false;

	if (jv_lexer_peek(&masker->lexer) != JV_JSON_OBJECT)
		return leaf(masker);
	if (!jv_lexer_enter(&masker->lexer, '{'))
		return false;
	while (jv_lexer_more(&masker->lexer, '}', &first)) {
		any = true;
		if (!take_member(masker, type))
			return false;
	}
	return masker->lexer.error == NULL && (any || add(masker));
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, and each only once: a name may stand twice in an object. */
static size_t sort(char **paths, size_t count)
{
	size_t kept = 0;

	if (count == 0)
		return 0;
	qsort(paths, count, sizeof(paths[0]), compare);
	for (size_t i = 1; i < count; i++)
		if (strcmp(paths[i], paths[kept]) != 0)
			paths[++kept] = paths[i];
	return kept + 1;
}

struct jv_status jv_json_mask(const struct jv_schema *schema, struct jv_bytes json,
	const ProtobufCMessageDescriptor *type, struct jv_arena *arena, ProtobufCMessage *mask)
{
	const struct jv_message_schema *message = jv_schema_of(schema, type);
	struct masker masker = {.arena = arena};

	JV_ASSERT(message != NULL);
	JV_ASSERT(mask->descriptor == &google__protobuf__field_mask__descriptor);
	jv_lexer_init(&masker.lexer, json);
	if (jv_lexer_peek(&masker.lexer) != JV_JSON_NONE && !walk(&masker, message) &&
		jv_is_ok(&masker.status))
		masker.status = jv_error(JV_INVALID_ARGUMENT, "the body is no JSON: %s",
			masker.lexer.error == NULL ? "malformed" : masker.lexer.error);
	jv_lexer_deinit(&masker.lexer);
	jv_buffer_deinit(&masker.path);
	jv_field_set_list(
		mask, &mask->descriptor->fields[0], masker.paths, sort(masker.paths, masker.count));
	return masker.status;
}

#include "server/api/metadata.h"

#include <string.h>

bool jv_metadata_is_binary(const char *key)
{
	size_t size = strlen(key);

	return size > 4 && strcmp(key + size - 4, "-bin") == 0;
}

/* Makes it lower-case; false for what gRPC does not take as a key. */
static bool mend_key(char *key)
{
	if (key[0] == '\0' || key[0] == ':')
		return false;
	for (; *key != '\0'; key++) {
		if (*key >= 'A' && *key <= 'Z')
			*key = (char)(*key - 'A' + 'a');
		bool known = (*key >= 'a' && *key <= 'z') || (*key >= '0' && *key <= '9') ||
			*key == '-' || *key == '_' || *key == '.';
		if (!known)
			return false;
	}
	return true;
}

static bool is_printable(struct jv_bytes value)
{
	for (size_t i = 0; i < value.size; i++)
		if (value.data[i] < 0x20 || value.data[i] > 0x7e)
			return false;
	return true;
}

bool jv_metadata_add(struct jv_metadata *metadata, struct jv_arena *arena, struct jv_bytes key,
	struct jv_bytes value)
{
	size_t bytes = metadata->bytes + key.size + value.size;
	struct jv_metadatum *added;
	char *name;

	if (metadata->sent || bytes > JV_METADATA_BYTES_MAX ||
		metadata->count == JV_METADATA_COUNT_MAX)
		return false;
	added = jv_arena_calloc(arena, 1, sizeof(*added));
	name = jv_arena_copy_bytes(arena, key);
	if (added == NULL || name == NULL || !mend_key(name))
		return false;
	if (!jv_metadata_is_binary(name) && !is_printable(value))
		return false;
	added->key = name;
	added->value.data = (const uint8_t *)jv_arena_copy_bytes(arena, value);
	added->value.size = value.size;
	if (added->value.data == NULL)
		return false;
	if (metadata->last == NULL)
		metadata->first = added;
	else
		metadata->last->next = added;
	metadata->last = added;
	metadata->count++;
	metadata->bytes = bytes;
	return true;
}

const char *jv_metadata_find(const struct jv_metadata *metadata, const char *key)
{
	for (const struct jv_metadatum *at = metadata->first; at != NULL; at = at->next)
		if (strcmp(at->key, key) == 0)
			return (const char *)at->value.data;
	return NULL;
}

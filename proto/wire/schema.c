#include "proto/wire/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/schema_private.h"

#define CHUNK_SIZE ((size_t)256 * 1024)

static void *allocate(void *arena, size_t size)
{
	return jv_arena_alloc(arena, size);
}

static void release(void *arena, void *memory)
{
	(void)arena;
	(void)memory;
}

struct jv_schema *jv_schema_new(struct jv_bytes set,
	const ProtobufCServiceDescriptor *const *services,
	const ProtobufCMessageDescriptor *const *messages)
{
	JV_ASSERT(services != NULL);
	struct jv_schema *schema = jv_calloc(1, sizeof(*schema));
	jv_arena_init(&schema->arena, CHUNK_SIZE, 0);
	schema->allocator = (ProtobufCAllocator){allocate, release, &schema->arena};
	jv_schema_add_files(schema, set);
	jv_schema_add_services(schema, services);
	for (size_t i = 0; messages != NULL && messages[i] != NULL; i++)
		jv_schema_add_message(schema, messages[i]);
	return schema;
}

void jv_schema_free(struct jv_schema *schema)
{
	if (schema == NULL)
		return;
	HASH_CLEAR(hh, schema->files);
	HASH_CLEAR(hh, schema->symbols);
	HASH_CLEAR(by_descriptor, schema->messages);
	HASH_CLEAR(by_name, schema->names);
	HASH_CLEAR(hh, schema->paths);
	jv_arena_deinit(&schema->arena);
	free(schema);
}

const struct jv_method *jv_schema_methods(const struct jv_schema *schema, size_t *count)
{
	*count = schema->method_count;
	return schema->methods;
}

const struct jv_method *jv_schema_method(const struct jv_schema *schema, const char *path)
{
	struct jv_schema_method *entry;
	HASH_FIND_STR(schema->paths, path, entry);
	return entry != NULL ? entry->method : NULL;
}

const ProtobufCMessageDescriptor *jv_schema_message(
	const struct jv_schema *schema, const char *name)
{
	struct jv_message_schema *message;
	HASH_FIND(by_name, schema->names, name, strlen(name), message);
	return message != NULL ? message->descriptor : NULL;
}

const struct jv_message_schema *jv_schema_of(
	const struct jv_schema *schema, const ProtobufCMessageDescriptor *descriptor)
{
	struct jv_message_schema *message;
	HASH_FIND(by_descriptor, schema->messages, &descriptor, sizeof(void *), message);
	return message;
}

static const struct jv_schema_file *find_file(const struct jv_schema *schema, const char *name)
{
	struct jv_schema_file *file;
	HASH_FIND_STR(schema->files, name, file);
	return file;
}

struct jv_bytes jv_schema_file(const struct jv_schema *schema, const char *file)
{
	const struct jv_schema_file *found = find_file(schema, file);
	return found != NULL ? found->raw : jv_bytes_of(NULL, 0);
}

const char *jv_schema_file_of_symbol(const struct jv_schema *schema, const char *symbol)
{
	const struct jv_schema_symbol *found = jv_schema_symbol(schema, symbol);
	return found != NULL ? found->file->name : NULL;
}

bool jv_schema_has_message(const struct jv_schema *schema, const char *name)
{
	const struct jv_schema_symbol *symbol = jv_schema_symbol(schema, name);
	return symbol != NULL && symbol->message != NULL;
}

const char *jv_schema_file_of_extension(
	const struct jv_schema *schema, const char *message, int32_t number)
{
	const struct jv_schema_extension *at = schema->extensions;
	while (at != NULL && (at->number != number || strcmp(at->extendee, message) != 0))
		at = at->next;
	return at != NULL ? at->file->name : NULL;
}

size_t jv_schema_extension_numbers(
	const struct jv_schema *schema, const char *message, int32_t *numbers, size_t room)
{
	size_t count = 0;
	for (const struct jv_schema_extension *at = schema->extensions; at != NULL; at = at->next) {
		if (strcmp(at->extendee, message) != 0)
			continue;
		if (count < room)
			numbers[count] = at->number;
		count++;
	}
	return count;
}

const char *const *jv_schema_imports(const struct jv_schema *schema, const char *file)
{
	const struct jv_schema_file *found = find_file(schema, file);
	return found != NULL ? found->imports : NULL;
}

const char *const *jv_schema_services(const struct jv_schema *schema)
{
	return schema->services;
}

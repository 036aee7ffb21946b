#include "proto/wire/schema_private.h"

#include <string.h>

#include "base/assert.h"

/* FileDescriptorSet.file: field 1, length-delimited. */
#define TAG_FILE 0x0a

const struct jv_schema_symbol *jv_schema_symbol(const struct jv_schema *schema, const char *name)
{
	struct jv_schema_symbol *symbol;
	HASH_FIND_STR(schema->symbols, name, symbol);
	return symbol;
}

/* The scope is the full name of what holds the symbol, "" at the top of a file without package. */
static struct jv_schema_symbol *add_symbol(struct jv_schema *schema,
	const struct jv_schema_file *file, const char *scope, const char *name)
{
	struct jv_schema_symbol *symbol =
		jv_arena_calloc(&schema->arena, 1, sizeof(struct jv_schema_symbol));
	symbol->file = file;
	symbol->name =
		scope[0] == '\0' ? name : jv_arena_printf(&schema->arena, "%s.%s", scope, name);
	JV_ASSERT(jv_schema_symbol(schema, symbol->name) == NULL);
	HASH_ADD_KEYPTR(hh, schema->symbols, symbol->name, strlen(symbol->name), symbol);
	return symbol;
}

static void add_extensions(struct jv_schema *schema, const struct jv_schema_file *file,
	const char *scope, Google__Protobuf__FieldDescriptorProto **protos, size_t count)
{
	struct jv_schema_extension **last = &schema->extensions;
	while (*last != NULL)
		last = &(*last)->next;
	for (size_t i = 0; i < count; i++) {
		struct jv_schema_extension *extension =
			jv_arena_calloc(&schema->arena, 1, sizeof(struct jv_schema_extension));
		extension->extendee = protos[i]->extendee + (protos[i]->extendee[0] == '.');
		extension->number = protos[i]->number;
		extension->file = file;
		*last = extension;
		last = &extension->next;
		add_symbol(schema, file, scope, protos[i]->name);
	}
}

/* A value stands beside its enum, not within it: C++ scoping. */
static void add_enums(struct jv_schema *schema, const struct jv_schema_file *file,
	const char *scope, Google__Protobuf__EnumDescriptorProto **protos, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		add_symbol(schema, file, scope, protos[i]->name);
		for (size_t j = 0; j < protos[i]->n_value; j++)
			add_symbol(schema, file, scope, protos[i]->value[j]->name);
	}
}

static void add_message(struct jv_schema *schema, const struct jv_schema_file *file,
	const char *scope, const Google__Protobuf__DescriptorProto *proto)
{
	struct jv_schema_symbol *symbol = add_symbol(schema, file, scope, proto->name);
	symbol->message = proto;
	for (size_t i = 0; i < proto->n_field; i++)
		add_symbol(schema, file, symbol->name, proto->field[i]->name);
	for (size_t i = 0; i < proto->n_oneof_decl; i++)
		add_symbol(schema, file, symbol->name, proto->oneof_decl[i]->name);
	for (size_t i = 0; i < proto->n_nested_type; i++)
		add_message(schema, file, symbol->name, proto->nested_type[i]);
	add_enums(schema, file, symbol->name, proto->enum_type, proto->n_enum_type);
	add_extensions(schema, file, symbol->name, proto->extension, proto->n_extension);
}

static void add_service(struct jv_schema *schema, const struct jv_schema_file *file,
	const char *scope, const Google__Protobuf__ServiceDescriptorProto *proto)
{
	struct jv_schema_symbol *symbol = add_symbol(schema, file, scope, proto->name);
	symbol->service = proto;
	for (size_t i = 0; i < proto->n_method; i++)
		add_symbol(schema, file, symbol->name, proto->method[i]->name);
}

static void add_symbols(struct jv_schema *schema, const struct jv_schema_file *file)
{
	const Google__Protobuf__FileDescriptorProto *proto = file->proto;
	const char *scope = proto->package != NULL ? proto->package : "";
	for (size_t i = 0; i < proto->n_message_type; i++)
		add_message(schema, file, scope, proto->message_type[i]);
	for (size_t i = 0; i < proto->n_service; i++)
		add_service(schema, file, scope, proto->service[i]);
	add_enums(schema, file, scope, proto->enum_type, proto->n_enum_type);
	add_extensions(schema, file, scope, proto->extension, proto->n_extension);
}

static const char *const *imports_of(
	struct jv_schema *schema, const Google__Protobuf__FileDescriptorProto *proto)
{
	const char **imports =
		jv_arena_calloc(&schema->arena, proto->n_dependency + 1, sizeof(char *));
	for (size_t i = 0; i < proto->n_dependency; i++)
		imports[i] = proto->dependency[i];
	return imports;
}

static void add_file(struct jv_schema *schema, struct jv_bytes raw)
{
	struct jv_schema_file *file =
		jv_arena_calloc(&schema->arena, 1, sizeof(struct jv_schema_file));
	file->raw = raw;
	file->proto = google__protobuf__file_descriptor_proto__unpack(
		&schema->allocator, raw.size, raw.data);
	JV_ASSERT(file->proto != NULL);
	JV_ASSERT(file->proto->name != NULL);
	file->name = file->proto->name;
	file->imports = imports_of(schema, file->proto);
	HASH_ADD_KEYPTR(hh, schema->files, file->name, strlen(file->name), file);
	add_symbols(schema, file);
	jv_schema_add_comments(schema, file);
}

/* The set is walked by hand, because reflection hands out the bytes of each file as they are. */
void jv_schema_add_files(struct jv_schema *schema, struct jv_bytes set)
{
	struct jv_reader reader = jv_reader_of(set);
	while (jv_reader_left(&reader) > 0) {
		uint8_t tag = jv_get_u8(&reader);
		JV_ASSERT(tag == TAG_FILE);
		struct jv_bytes raw = jv_get_bytes(&reader);
		JV_ASSERT(!reader.failed);
		add_file(schema, raw);
	}
}

#include <string.h>

#include "base/assert.h"
#include "proto/wire/schema_private.h"

/* Field numbers of descriptor.proto, as the paths of source information have them. */
enum {
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	FILE_SYNTAX = 12,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_ENUM = 4,
	MESSAGE_ONEOF = 8,
	ENUM_VALUE = 2,
	SERVICE_METHOD = 2,
};

/* One line without the blank behind its slashes; words for linters are not for readers. */
static void add_line(struct jv_buffer *out, const char *line, size_t size)
{
	if (size > 0 && line[0] == ' ') {
		line++;
		size--;
	}
	if (jv_bytes_starts_with(jv_bytes_of(line, size), jv_bytes_of_text("buf:lint")))
		return;
	if (out->size > 0)
		jv_buffer_append_byte(out, '\n');
	jv_buffer_append(out, line, size);
}

/* Whitespace at both ends goes. NULL if nothing is left. */
static const char *clean(struct jv_schema *schema, const char *comment)
{
	struct jv_buffer out = {0};
	const char *text = NULL;

	while (*comment != '\0') {
		size_t size = strcspn(comment, "\n");
		add_line(&out, comment, size);
		comment += size + (comment[size] == '\n');
	}
	while (out.size > 0 && strchr(" \n", out.data[out.size - 1]) != NULL)
		out.size--;
	if (out.size > 0) {
		text = jv_buffer_text(&out);
		text = jv_arena_copy_text(&schema->arena, text + strspn(text, " \n"));
	}
	jv_buffer_deinit(&out);
	return text;
}

static void set(struct jv_schema *schema, const char *scope, const char *name, const char *comment)
{
	struct jv_schema_symbol *symbol;
	const char *full =
		scope[0] == '\0' ? name : jv_arena_printf(&schema->arena, "%s.%s", scope, name);

	HASH_FIND_STR(schema->symbols, full, symbol);
	JV_ASSERT(symbol != NULL);
	symbol->comment = clean(schema, comment);
}

static void set_of_enum(struct jv_schema *schema, const char *scope,
	const Google__Protobuf__EnumDescriptorProto *proto,
	const Google__Protobuf__SourceCodeInfo__Location *location, size_t at)
{
	if (location->n_path == at)
		set(schema, scope, proto->name, location->leading_comments);
	else if (location->n_path == at + 2 && location->path[at] == ENUM_VALUE)
		set(schema, scope, proto->value[location->path[at + 1]]->name,
			location->leading_comments);
}

/* `at`: the place of the path behind the message itself. */
static void set_of_message(struct jv_schema *schema, const char *scope,
	const Google__Protobuf__DescriptorProto *proto,
	const Google__Protobuf__SourceCodeInfo__Location *location, size_t at)
{
	const char *comment = location->leading_comments;
	const char *full;
	int32_t index;

	if (location->n_path == at) {
		set(schema, scope, proto->name, comment);
		return;
	}
	if (location->n_path < at + 2)
		return;
	full = scope[0] == '\0' ? proto->name
				: jv_arena_printf(&schema->arena, "%s.%s", scope, proto->name);
	index = location->path[at + 1];
	if (location->path[at] == MESSAGE_NESTED)
		set_of_message(schema, full, proto->nested_type[index], location, at + 2);
	else if (location->path[at] == MESSAGE_ENUM)
		set_of_enum(schema, full, proto->enum_type[index], location, at + 2);
	else if (location->path[at] == MESSAGE_FIELD && location->n_path == at + 2)
		set(schema, full, proto->field[index]->name, comment);
	else if (location->path[at] == MESSAGE_ONEOF && location->n_path == at + 2)
		set(schema, full, proto->oneof_decl[index]->name, comment);
}

static void set_of_service(struct jv_schema *schema, const char *scope,
	const Google__Protobuf__ServiceDescriptorProto *proto,
	const Google__Protobuf__SourceCodeInfo__Location *location)
{
	if (location->n_path == 2)
		set(schema, scope, proto->name, location->leading_comments);
	else if (location->n_path == 4 && location->path[2] == SERVICE_METHOD)
		set(schema, jv_arena_printf(&schema->arena, "%s.%s", scope, proto->name),
			proto->method[location->path[3]]->name, location->leading_comments);
}

static void set_of_location(struct jv_schema *schema, struct jv_schema_file *file,
	const Google__Protobuf__SourceCodeInfo__Location *location)
{
	const Google__Protobuf__FileDescriptorProto *proto = file->proto;
	const char *scope = proto->package != NULL ? proto->package : "";

	if (location->leading_comments == NULL || location->n_path == 0)
		return;
	if (location->path[0] == FILE_SYNTAX)
		file->comment = clean(schema, location->leading_comments);
	if (location->n_path < 2)
		return;
	if (location->path[0] == FILE_MESSAGE)
		set_of_message(schema, scope, proto->message_type[location->path[1]], location, 2);
	else if (location->path[0] == FILE_ENUM)
		set_of_enum(schema, scope, proto->enum_type[location->path[1]], location, 2);
	else if (location->path[0] == FILE_SERVICE)
		set_of_service(schema, scope, proto->service[location->path[1]], location);
}

void jv_schema_add_comments(struct jv_schema *schema, struct jv_schema_file *file)
{
	const Google__Protobuf__SourceCodeInfo *info = file->proto->source_code_info;

	for (size_t i = 0; info != NULL && i < info->n_location; i++)
		set_of_location(schema, file, info->location[i]);
}

const char *jv_schema_comment(const struct jv_schema *schema, const char *symbol)
{
	const struct jv_schema_symbol *found = jv_schema_symbol(schema, symbol);

	return found != NULL && found->comment != NULL ? found->comment : "";
}

const char *jv_schema_file_comment(const struct jv_schema *schema, const char *symbol)
{
	const struct jv_schema_symbol *found = jv_schema_symbol(schema, symbol);

	return found != NULL && found->file->comment != NULL ? found->file->comment : "";
}

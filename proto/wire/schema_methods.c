#include "proto/wire/schema_private.h"

#include <string.h>

#include "base/assert.h"
#include "google/api/http.pb-c.h"

/* Field 72295728 of MethodOptions, google.api.http, which protobuf-c keeps as an unknown field. */
#define TAG_HTTP 72295728

static Google__Api__HttpRule *rule_of(
	struct jv_schema *schema, const Google__Protobuf__MethodDescriptorProto *proto)
{
	if (proto->options == NULL)
		return NULL;
	const ProtobufCMessage *options = &proto->options->base;
	for (size_t i = 0; i < options->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *field = &options->unknown_fields[i];
		if (field->tag != TAG_HTTP)
			continue;
		/* The data of a length-delimited unknown field starts with the length. */
		struct jv_reader reader = jv_reader_of(jv_bytes_of(field->data, field->len));
		struct jv_bytes raw = jv_get_bytes(&reader);
		JV_ASSERT(!reader.failed);
		Google__Api__HttpRule *rule =
			google__api__http_rule__unpack(&schema->allocator, raw.size, raw.data);
		JV_ASSERT(rule != NULL);
		return rule;
	}
	return NULL;
}

static struct jv_http_rule join_rule(const Google__Api__HttpRule *proto)
{
	struct jv_http_rule rule = {.body = proto->body, .response_body = proto->response_body};
	/* The members of the oneof that are texts share one place. */
	rule.path = proto->get;
	switch (proto->pattern_case) {
	case GOOGLE__API__HTTP_RULE__PATTERN_GET:
		rule.verb = "GET";
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_PUT:
		rule.verb = "PUT";
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_POST:
		rule.verb = "POST";
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_DELETE:
		rule.verb = "DELETE";
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_PATCH:
		rule.verb = "PATCH";
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN_CUSTOM:
		rule.verb = proto->custom->kind;
		rule.path = proto->custom->path;
		break;
	case GOOGLE__API__HTTP_RULE__PATTERN__NOT_SET:
	case _GOOGLE__API__HTTP_RULE__PATTERN__CASE_IS_INT_SIZE:
	default:
		JV_UNREACHABLE();
	}
	return rule;
}

static void join_rules(struct jv_schema *schema, struct jv_method *method,
	const Google__Protobuf__MethodDescriptorProto *proto)
{
	const Google__Api__HttpRule *first = rule_of(schema, proto);
	if (first == NULL)
		return;
	method->rule_count = 1 + first->n_additional_bindings;
	struct jv_http_rule *rules =
		jv_arena_calloc(&schema->arena, method->rule_count, sizeof(struct jv_http_rule));
	rules[0] = join_rule(first);
	for (size_t i = 0; i < first->n_additional_bindings; i++)
		rules[i + 1] = join_rule(first->additional_bindings[i]);
	method->rules = rules;
}

static void join_method(struct jv_schema *schema, const ProtobufCServiceDescriptor *service,
	const ProtobufCMethodDescriptor *descriptor,
	const Google__Protobuf__MethodDescriptorProto *proto)
{
	JV_ASSERT(strcmp(descriptor->name, proto->name) == 0);
	struct jv_method *method = &schema->methods[schema->method_count++];
	method->path = jv_arena_printf(&schema->arena, "/%s/%s", service->name, descriptor->name);
	method->service = service->name;
	method->name = descriptor->name;
	method->client_streaming = proto->client_streaming;
	method->server_streaming = proto->server_streaming;
	method->input = descriptor->input;
	method->output = descriptor->output;
	join_rules(schema, method, proto);
	jv_schema_add_message(schema, method->input);
	jv_schema_add_message(schema, method->output);
	struct jv_schema_method *entry =
		jv_arena_calloc(&schema->arena, 1, sizeof(struct jv_schema_method));
	entry->method = method;
	HASH_ADD_KEYPTR(hh, schema->paths, method->path, strlen(method->path), entry);
}

static void join_service(struct jv_schema *schema, const ProtobufCServiceDescriptor *service)
{
	const struct jv_schema_symbol *symbol = jv_schema_symbol(schema, service->name);
	JV_ASSERT(symbol != NULL && symbol->service != NULL);
	JV_ASSERT(symbol->service->n_method == service->n_methods);
	for (size_t i = 0; i < service->n_methods; i++)
		join_method(schema, service, &service->methods[i], symbol->service->method[i]);
}

void jv_schema_add_services(
	struct jv_schema *schema, const ProtobufCServiceDescriptor *const *services)
{
	size_t count = 0;
	size_t methods = 0;
	for (; services[count] != NULL; count++)
		methods += services[count]->n_methods;
	schema->methods = jv_arena_calloc(&schema->arena, methods, sizeof(struct jv_method));
	schema->services = jv_arena_calloc(&schema->arena, count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		schema->services[i] = services[i]->name;
		join_service(schema, services[i]);
	}
	JV_ASSERT(schema->method_count == methods);
}

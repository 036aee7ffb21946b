/*
 * The insides of the schema, shared by the files of proto/wire and by nobody else.
 *
 * Everything here lives in the schema's arena, is linked once in jv_schema_new and is read-only
 * after, so any thread may read it.
 */
#ifndef JV_PROTO_WIRE_SCHEMA_PRIVATE_H
#define JV_PROTO_WIRE_SCHEMA_PRIVATE_H

#include "base/arena.h"
#include "base/map.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "proto/wire/schema.h"

/* Reading JSON keeps one bit a field on the stack. */
#define JV_SCHEMA_FIELDS_MAX 256

/* How a message stands in JSON. */
enum jv_message_kind {
	JV_KIND_PLAIN,
	JV_KIND_EMPTY, /* plain too, but {"value": {}} within an Any */
	JV_KIND_ANY,
	JV_KIND_TIMESTAMP,
	JV_KIND_DURATION,
	JV_KIND_FIELD_MASK,
	JV_KIND_STRUCT,
	JV_KIND_VALUE,
	JV_KIND_LIST,
	JV_KIND_WRAPPER,
};

/* What JSON needs of a field beyond its ProtobufCFieldDescriptor. */
struct jv_field_schema {
	const ProtobufCFieldDescriptor *field;
	const char *json_name;
	size_t json_name_size;
	struct jv_bytes json_key;                /* the name as JSON has it: quotes and colon */
	size_t place;                            /* in the order of the .proto file */
	const char *oneof;                       /* name of its oneof, or NULL */
	const struct jv_message_schema *message; /* of a field of message type, else NULL */
	bool is_map;                             /* repeated entries that stand as an object */
	bool is_null;                            /* google.protobuf.NullValue: null */
	bool is_text;                            /* a string held as bytes (string_as_bytes) */
};

/* One name of a field: its own, or that of JSON. */
struct jv_field_name {
	struct jv_bytes name;
	const struct jv_field_schema *field;
};

struct jv_message_schema {
	const ProtobufCMessageDescriptor *descriptor;
	enum jv_message_kind kind;
	struct jv_field_schema *fields;          /* descriptor->n_fields of them, by number */
	const struct jv_field_schema **declared; /* the same in the order of the .proto file */
	struct jv_field_name *names;             /* sorted */
	size_t name_count;
	UT_hash_handle by_descriptor;
	UT_hash_handle by_name;
};

struct jv_schema_file {
	const char *name;
	struct jv_bytes raw; /* its FileDescriptorProto within the set */
	Google__Protobuf__FileDescriptorProto *proto;
	const char *const *imports; /* NULL-terminated */
	const char *comment;        /* at its top; NULL if there is none */
	UT_hash_handle hh;
};

/* Anything with a full name. message, service: set for these two kinds. */
struct jv_schema_symbol {
	const char *name;
	const struct jv_schema_file *file;
	const Google__Protobuf__DescriptorProto *message;
	const Google__Protobuf__ServiceDescriptorProto *service;
	const char *comment; /* in front of it; NULL if there is none */
	UT_hash_handle hh;
};

struct jv_schema_extension {
	const char *extendee; /* full name, without a leading dot */
	int32_t number;
	const struct jv_schema_file *file;
	struct jv_schema_extension *next;
};

struct jv_schema_method {
	struct jv_method *method;
	UT_hash_handle hh;
};

struct jv_schema {
	struct jv_arena arena;
	ProtobufCAllocator allocator; /* of the arena */
	struct jv_schema_file *files;
	struct jv_schema_symbol *symbols;
	struct jv_schema_extension *extensions; /* in the order of the set */
	struct jv_message_schema *messages;     /* head of by_descriptor */
	struct jv_message_schema *names;        /* head of by_name */
	struct jv_method *methods;
	size_t method_count;
	struct jv_schema_method *paths;
	const char **services;
};

/* schema_files.c: indexes the files of the set and their symbols. */
void jv_schema_add_files(struct jv_schema *schema, struct jv_bytes set);
const struct jv_schema_symbol *jv_schema_symbol(const struct jv_schema *schema, const char *name);

/* schema_comments.c: what the source information of the file says of its symbols. */
void jv_schema_add_comments(struct jv_schema *schema, struct jv_schema_file *file);

/* schema_messages.c: joins a message and all that it can hold with its descriptor. */
const struct jv_message_schema *jv_schema_add_message(
	struct jv_schema *schema, const ProtobufCMessageDescriptor *descriptor);
/* The field with that name, of the .proto file or of JSON; NULL if there is none. */
const struct jv_field_schema *jv_message_field(
	const struct jv_message_schema *message, struct jv_bytes name);

/* schema_methods.c: joins the methods of the services served. */
void jv_schema_add_services(
	struct jv_schema *schema, const ProtobufCServiceDescriptor *const *services);

#endif

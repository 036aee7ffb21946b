#include "cli/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/nearest.h"

#define VALUES_MAX 16 /* of one constraint; the server says so too */
#define NAMES_MAX  64

static struct jv_status not_cpu(const char *text)
{
	return jv_error(JV_INVALID_ARGUMENT,
		"expected a number of CPUs such as 2 or 0.5, or thousandths such as 500m, got "
		"\"%.40s\"",
		text);
}

struct jv_status jv_value_cpu(const char *text, int64_t *millis)
{
	const char *at = text;
	int64_t place = 1000;
	int64_t value = 0;

	if (!isdigit((unsigned char)*at))
		return not_cpu(text);
	for (; isdigit((unsigned char)*at); at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, *at - '0', &value))
			return not_cpu(text);
	}
	if (strcmp(at, "m") == 0) {
		*millis = value;
		return jv_ok();
	}
	if (__builtin_mul_overflow(value, 1000, &value) || value > INT64_MAX - 1000)
		return not_cpu(text);
	if (*at == '.') {
		for (at++; isdigit((unsigned char)*at) && place > 1; at++) {
			place /= 10;
			value += place * (*at - '0');
		}
	}
	if (*at != '\0' || at[-1] == '.')
		return not_cpu(text);
	*millis = value;
	return jv_ok();
}

static char *copy(struct jv_arena *arena, const char *text, size_t size)
{
	char *made = jv_arena_copy_bytes(arena, jv_bytes_of(text, size));

	JV_ASSERT(made != NULL);
	return made;
}

struct jv_status jv_value_pair(const char *text, struct jv_arena *arena, char **key, char **value)
{
	const char *sign = strchr(text, '=');

	if (sign == NULL || sign == text)
		return jv_error(JV_INVALID_ARGUMENT, "expected KEY=VALUE, got \"%.80s\"", text);
	*key = copy(arena, text, (size_t)(sign - text));
	*value = copy(arena, sign + 1, strlen(sign + 1));
	return jv_ok();
}

struct jv_status jv_value_mount(const char *text, struct jv_arena *arena, Jarvis__V1__Mount **mount)
{
	const char *middle = strchr(text, ':');
	const char *last = middle != NULL ? strchr(middle + 1, ':') : NULL;
	const char *mode = last != NULL ? last + 1 : "ro";
	bool writable = strcmp(mode, "rw") == 0;

	if (middle == NULL || text[0] != '/' || middle[1] != '/' ||
		(!writable && strcmp(mode, "ro") != 0))
		return jv_error(JV_INVALID_ARGUMENT,
			"expected /PATH/ON/WORKER:/PATH/IN/CONTAINER[:rw], got \"%.120s\"", text);
	*mount = jv_arena_alloc(arena, sizeof(**mount));
	JV_ASSERT(*mount != NULL);
	jarvis__v1__mount__init(*mount);
	(*mount)->source = copy(arena, text, (size_t)(middle - text));
	(*mount)->target = copy(
		arena, middle + 1, last != NULL ? (size_t)(last - middle - 1) : strlen(middle + 1));
	(*mount)->writable = writable;
	return jv_ok();
}

static struct jv_status not_constraint(const char *text)
{
	return jv_error(JV_INVALID_ARGUMENT,
		"expected zone=a, zone!=a, \"zone in (a,b)\", \"zone notin (a,b)\", zone or !zone, "
		"got \"%.80s\"",
		text);
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

static void add_value(
	Jarvis__V1__Constraint *constraint, struct jv_arena *arena, const char *text, size_t size)
{
	while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
		size--;
	JV_ASSERT(constraint->n_values < VALUES_MAX);
	constraint->values[constraint->n_values++] = copy(arena, text, size);
}

/* What stands behind the word "in": a list in parentheses, and nothing more. */
static bool take_set(Jarvis__V1__Constraint *constraint, struct jv_arena *arena, const char *at)
{
	at = skip_blanks(at);
	if (*at++ != '(')
		return false;
	for (;;) {
		at = skip_blanks(at);
		size_t size = strcspn(at, ",()");
		if (at[size] == '\0' || at[size] == '(' || size == 0 ||
			constraint->n_values == VALUES_MAX)
			return false;
		add_value(constraint, arena, at, size);
		at += size + 1;
		if (at[-1] == ')')
			return *skip_blanks(at) == '\0';
	}
}

/* What stands behind the key. */
static bool take_rest(Jarvis__V1__Constraint *constraint, struct jv_arena *arena, const char *at)
{
	constraint->operator_ = JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_EXISTS;
	if (*at == '\0')
		return true;
	constraint->operator_ = JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_IN;
	if (strncmp(at, "in", 2) == 0)
		return take_set(constraint, arena, at + 2);
	if (*at == '=') {
		at = skip_blanks(at + (at[1] == '=' ? 2 : 1));
		add_value(constraint, arena, at, strlen(at));
		return true;
	}
	constraint->operator_ = JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_NOT_IN;
	if (strncmp(at, "notin", 5) == 0)
		return take_set(constraint, arena, at + 5);
	if (at[0] != '!' || at[1] != '=')
		return false;
	at = skip_blanks(at + 2);
	add_value(constraint, arena, at, strlen(at));
	return true;
}

struct jv_status jv_value_constraint(
	const char *text, struct jv_arena *arena, Jarvis__V1__Constraint **constraint)
{
	const char *at = skip_blanks(text);
	bool absent = *at == '!';
	Jarvis__V1__Constraint *made = jv_arena_alloc(arena, sizeof(*made));

	JV_ASSERT(made != NULL);
	jarvis__v1__constraint__init(made);
	made->values = jv_arena_calloc(arena, VALUES_MAX, sizeof(made->values[0]));
	JV_ASSERT(made->values != NULL);
	at = skip_blanks(at + absent);
	size_t size = strcspn(at, " \t=!()");
	if (size == 0)
		return not_constraint(text);
	made->key = copy(arena, at, size);
	at = skip_blanks(at + size);
	if (absent && *at == '\0')
		made->operator_ = JARVIS__V1__CONSTRAINT_OPERATOR__CONSTRAINT_OPERATOR_NOT_EXISTS;
	else if (absent || !take_rest(made, arena, at))
		return not_constraint(text);
	*constraint = made;
	return jv_ok();
}

/* TASK_STATE_RUNNING without what all names of the enum begin with: that of the value 0 is the
 * prefix and UNSPECIFIED. */
static const char *short_name(const ProtobufCEnumDescriptor *type, const char *name)
{
	const char *zero = protobuf_c_enum_descriptor_get_value(type, 0)->name;
	size_t prefix = strlen(zero) - strlen("UNSPECIFIED");

	return strncmp(name, zero, prefix) == 0 ? name + prefix : name;
}

static char *lower(struct jv_arena *arena, const char *text)
{
	char *made = copy(arena, text, strlen(text));

	for (char *at = made; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return made;
}

static struct jv_status no_choice(const char *text, const char *const *names)
{
	const char *nearest = jv_nearest(text, names);
	struct jv_buffer list = {0};
	struct jv_status status;

	for (size_t i = 0; names[i] != NULL; i++)
		jv_buffer_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
	if (nearest != NULL)
		status = jv_error(JV_INVALID_ARGUMENT, "\"%.40s\" is none of %s; did you mean %s?",
			text, jv_buffer_text(&list), nearest);
	else
		status = jv_error(JV_INVALID_ARGUMENT, "expected one of %s, got \"%.40s\"",
			jv_buffer_text(&list), text);
	jv_buffer_deinit(&list);
	return status;
}

struct jv_status jv_value_choice(const char *text, const char *const *choices, size_t *index)
{
	for (size_t i = 0; choices[i] != NULL; i++) {
		if (strcasecmp(choices[i], text) == 0) {
			*index = i;
			return jv_ok();
		}
	}
	return no_choice(text, choices);
}

static struct jv_status unknown_name(
	const ProtobufCEnumDescriptor *type, const char *text, struct jv_arena *arena)
{
	const char *names[NAMES_MAX + 1] = {NULL};
	size_t count = 0;

	for (unsigned i = 0; i < type->n_values && count < NAMES_MAX; i++) {
		if (type->values[i].value != 0)
			names[count++] = lower(arena, short_name(type, type->values[i].name));
	}
	return no_choice(text, names);
}

struct jv_status jv_value_enum(const ProtobufCEnumDescriptor *type, const char *text, int *value)
{
	struct jv_arena arena;

	for (unsigned i = 0; i < type->n_values; i++) {
		const ProtobufCEnumValue *candidate = &type->values[i];
		if (candidate->value != 0 &&
			(strcasecmp(short_name(type, candidate->name), text) == 0 ||
				strcasecmp(candidate->name, text) == 0)) {
			*value = candidate->value;
			return jv_ok();
		}
	}
	jv_arena_init(&arena, 0, 0);
	struct jv_status status = unknown_name(type, text, &arena);
	jv_arena_deinit(&arena);
	return status;
}

const char *jv_value_enum_name(
	const ProtobufCEnumDescriptor *type, int value, struct jv_arena *arena)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

	if (known == NULL)
		return jv_arena_printf(arena, "%d", value);
	return lower(arena, short_name(type, known->name));
}

struct jv_status jv_value_duration(const char *text, struct jv_arena *arena, char **seconds)
{
	int64_t ms = 0;

	JV_TRY(jv_parse_duration_ms(text, &ms));
	*seconds = jv_arena_printf(arena, "%" PRId64 ".%03ds", ms / 1000, (int)(ms % 1000));
	JV_ASSERT(*seconds != NULL);
	return jv_ok();
}

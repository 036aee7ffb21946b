/*
 * Values as people write them in flags: CPUs, pairs, mounts, constraints, states.
 *
 * Each parser says what it expected in an INVALID_ARGUMENT without the flag's name, which the
 * caller puts in front. Messages and texts live in the arena, which has no limit. Pure.
 */
#ifndef JV_CLI_VALUE_H
#define JV_CLI_VALUE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "jarvis/v1/task.pb-c.h"

/* Thousandths of a CPU: "2", "1.5", "0.25" are CPUs, "500m" is thousandths. At most three digits
 * behind the point. */
struct jv_status jv_value_cpu(const char *text, int64_t *millis) JV_MUST_USE;
/* KEY=VALUE, cut at the first "="; the key is not empty, the value may be. */
struct jv_status jv_value_pair(
	const char *text, struct jv_arena *arena, char **key, char **value) JV_MUST_USE;
/* SOURCE:TARGET[:ro|:rw], both absolute; read-only unless it says rw. */
struct jv_status jv_value_mount(
	const char *text, struct jv_arena *arena, Jarvis__V1__Mount **mount) JV_MUST_USE;
/* key=a, key==a, key!=a, "key in (a, b)", "key notin (a, b)", key (is there), !key (is not). */
struct jv_status jv_value_constraint(
	const char *text, struct jv_arena *arena, Jarvis__V1__Constraint **constraint) JV_MUST_USE;
/* The index of a text among some, NULL-terminated, in any case. */
struct jv_status jv_value_choice(
	const char *text, const char *const *choices, size_t *index) JV_MUST_USE;
/* A value of an enum by its short name in any case, such as "running" of TASK_STATE_RUNNING, or by
 * its full one. */
struct jv_status jv_value_enum(
	const ProtobufCEnumDescriptor *type, const char *text, int *value) JV_MUST_USE;
/* The short name in lower case, in memory that lives for ever or in the arena. A number that has
 * no name is printed as it is. */
const char *jv_value_enum_name(
	const ProtobufCEnumDescriptor *type, int value, struct jv_arena *arena);
/* The text of a google.protobuf.Duration in JSON for "500ms", "30s", "5m", "2h" or "7d". */
struct jv_status jv_value_duration(
	const char *text, struct jv_arena *arena, char **seconds) JV_MUST_USE;

#endif

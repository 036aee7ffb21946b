/*
 * Task identifiers: `t-` and a decimal number without leading zeros, from 1.
 *
 * The number counts submissions, so the order of ids is the order of submission. Any thread.
 */
#ifndef JV_SERVER_API_ID_H
#define JV_SERVER_API_ID_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/* Longest text with its NUL. */
#define JV_ID_SIZE 24

/* The id in the arena. */
char *jv_id_format(struct jv_arena *arena, uint64_t task);
/* INVALID_ARGUMENT of the field if the text is no id. */
struct jv_status jv_id_parse(const char *text, const char *field, uint64_t *task) JV_MUST_USE;

#endif

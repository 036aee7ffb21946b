/*
 * Values in URLs as grpc-gateway takes them: it reads them with Go's strconv, which knows more
 * spellings than JSON does.
 *
 * Any thread; what is made lives in the arena.
 */
#ifndef JV_SERVER_REST_VALUE_TEXT_H
#define JV_SERVER_REST_VALUE_TEXT_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

/* The text as JSON would have it (then for jv_json_set, which refuses what is none): floating
 * numbers such as inf, +Inf, .5 and 0x1p-2; durations such as 1h2m3.5s; and, if any_base says so,
 * integers such as 0x1f, 0b11, 017 and 1_000. Most texts come back as they are. NULL past the
 * arena's limit. */
const char *jv_value_text(const ProtobufCFieldDescriptor *field, bool any_base, const char *text,
	struct jv_arena *arena);

#endif

/*
 * What became of an operation: a gRPC code and a message for people, by value.
 *
 * Every function that can fail because of a peer, a file or the machine returns one; it must be
 * used. Messages are one sentence that names the cause and, where there is one, the remedy.
 */
#ifndef JV_BASE_STATUS_H
#define JV_BASE_STATUS_H

#include <stdbool.h>

/* The codes of google.rpc.Code and grpc_status_code; the numbers are the same. */
enum jv_code {
	JV_OK = 0,
	JV_CANCELLED = 1,
	JV_UNKNOWN = 2,
	JV_INVALID_ARGUMENT = 3,
	JV_DEADLINE_EXCEEDED = 4,
	JV_NOT_FOUND = 5,
	JV_ALREADY_EXISTS = 6,
	JV_PERMISSION_DENIED = 7,
	JV_RESOURCE_EXHAUSTED = 8,
	JV_FAILED_PRECONDITION = 9,
	JV_ABORTED = 10,
	JV_OUT_OF_RANGE = 11,
	JV_UNIMPLEMENTED = 12,
	JV_INTERNAL = 13,
	JV_UNAVAILABLE = 14,
	JV_DATA_LOSS = 15,
	JV_UNAUTHENTICATED = 16,
};

#define JV_STATUS_FIELD_MAX   96
#define JV_STATUS_MESSAGE_MAX 416

struct jv_status {
	enum jv_code code;
	char field[JV_STATUS_FIELD_MAX]; /* path of the request's field at fault, or "" */
	char message[JV_STATUS_MESSAGE_MAX];
};

#define JV_MUST_USE __attribute__((warn_unused_result))

/* The status of success. */
struct jv_status jv_ok(void);

/* A failure. The message is cut at the limit, never inside a UTF-8 sequence. code is not JV_OK. */
struct jv_status jv_error(enum jv_code code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* INVALID_ARGUMENT or UNIMPLEMENTED of one field of a request, such as
 * "spec.resources.cpu_millis". */
struct jv_status jv_field_error(enum jv_code code, const char *field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same status with "context: " in front of its message; success stays success. */
struct jv_status jv_status_context(struct jv_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The name of a code as gRPC spells it, such as "NOT_FOUND"; "UNKNOWN" for other numbers. */
const char *jv_code_name(enum jv_code code);

static inline bool jv_is_ok(const struct jv_status *status)
{
	return status->code == JV_OK;
}

/* Returns the status of `call` from the enclosing function if it failed. */
#define JV_TRY(call)                                     \
	do {                                             \
		struct jv_status jv_try_status = (call); \
		if (jv_try_status.code != JV_OK)         \
			return jv_try_status;            \
	} while (0)

#endif

/*
 * The head of an HTTP/1.1 request: found in what has come, checked, and taken apart.
 *
 * No I/O and no memory of its own, for fuzzers too. Strict where two readers could see two
 * requests (RFC 9112): lines end with CRLF and nothing else, no folded lines, no blank before a
 * colon, one Host, one Content-Length, never both that and Transfer-Encoding, and of codings only
 * `chunked`.
 */
#ifndef JV_SERVER_REST_HEAD_H
#define JV_SERVER_REST_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define JV_HEAD_FIELDS_MAX 100

/* Where the search for the end of a head is; zero at its start. */
struct jv_head_scan {
	size_t start; /* of the request line, behind blank lines */
	size_t line;  /* start of the line that is being read */
	size_t at;    /* looked at so far */
	bool line_seen;
};

enum jv_head_found {
	JV_HEAD_MORE,
	JV_HEAD_WHOLE, /* from scan.start to scan.at, with the blank line */
	JV_HEAD_BAD,   /* not HTTP, see the fault */
	JV_HEAD_LINE_TOO_LONG,
	JV_HEAD_TOO_LARGE,
};

/* Why a request is refused. */
struct jv_head_fault {
	unsigned status; /* of HTTP; 0: none */
	const char *message;
};

struct jv_head_field {
	const char *name;
	const char *value; /* without blanks around it */
};

struct jv_head {
	const char *verb;
	const char *target;
	int minor; /* of HTTP/1.x: 0 or 1 */
	struct jv_head_field *fields;
	size_t field_count;
	/* What the fields say of the body and of the connection: */
	bool chunked;
	uint64_t length; /* 0 if there is no body, or if it is chunked */
	bool keep_alive;
	bool expects_continue;
};

/* Goes on looking through data, all that has come since the head before. */
enum jv_head_found jv_head_find(const void *data, size_t size, size_t bytes_max,
	struct jv_head_scan *scan, struct jv_head_fault *fault);
/* Takes a whole head apart, in place: text is changed, and lent to the head. fields has room for
 * JV_HEAD_FIELDS_MAX. False: refused, see the fault; the connection cannot go on. */
bool jv_head_parse(char *text, size_t size, struct jv_head_field *fields, struct jv_head *head,
	struct jv_head_fault *fault);
/* The value of the first field of the name, in any case; NULL if there is none. */
const char *jv_head_field(const struct jv_head *head, const char *name);
/* Whether the list of tokens, as of Connection, has this one. */
bool jv_head_lists(const char *list, const char *token);

#endif

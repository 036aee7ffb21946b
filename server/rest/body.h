/*
 * The body of an HTTP/1.1 request: by its length or in chunks, out of pieces as they come.
 *
 * No I/O and no memory of its own, for fuzzers too. Chunks are as strict as heads are: sizes are
 * 1 to 15 hexadecimal digits, lines end with CRLF; extensions and trailers are bounded and thrown
 * away.
 */
#ifndef JV_SERVER_REST_BODY_H
#define JV_SERVER_REST_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jv_body_state {
	JV_BODY_LENGTH,       /* `left` bytes are to come */
	JV_BODY_SIZE,         /* of a chunk: its digits */
	JV_BODY_EXTENSION,    /* up to the end of the line of the size */
	JV_BODY_SIZE_END,     /* the line feed of it */
	JV_BODY_CHUNK,        /* `left` bytes of it */
	JV_BODY_CHUNK_RETURN, /* the CRLF behind it */
	JV_BODY_CHUNK_END,
	JV_BODY_TRAILER_LINE, /* at its first byte */
	JV_BODY_TRAILER,
	JV_BODY_TRAILER_END,
	JV_BODY_LAST_END, /* the line feed of the blank line */
	JV_BODY_DONE,
	JV_BODY_BAD,
};

struct jv_body {
	enum jv_body_state state;
	uint64_t left;
	uint32_t digits;
	uint32_t idle_bytes; /* of extensions and trailers */
};

void jv_body_init(struct jv_body *body, bool chunked, uint64_t length);
/* Takes from data what comes next, and says how much of it; *content is the part of it that belongs
 * to the body, of *content_size bytes, or none. To be called until it takes nothing, or the state
 * is DONE or BAD. */
size_t jv_body_take(struct jv_body *body, const char *data, size_t size, const char **content,
	size_t *content_size);

#endif

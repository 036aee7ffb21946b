/*
 * gzip of bodies, both ways, by zlib.
 *
 * Single-threaded. Compression is for speed and little memory (50 KiB a stream): answers are text
 * that shrinks to a tenth anyway. What is inflated is bounded by who asks, so that a small request
 * cannot become a large one.
 */
#ifndef JV_SERVER_REST_GZIP_H
#define JV_SERVER_REST_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct jv_gzip;
struct jv_gunzip;

/* Whether an Accept-Encoding (NULL: none) takes gzip: named, or by `*`, with a q that is not 0. */
bool jv_gzip_accepted(const char *accept_encoding);

struct jv_gzip *jv_gzip_new(void);
void jv_gzip_free(struct jv_gzip *gzip);
/* Appends the bytes compressed, and so that the reader has all of them; `last` ends the stream. */
void jv_gzip_add(struct jv_gzip *gzip, struct jv_bytes bytes, bool last, struct jv_buffer *out);

enum jv_gunzipped {
	JV_GUNZIP_MORE,      /* all was taken, and the stream goes on */
	JV_GUNZIP_DONE,      /* it has ended; nothing may follow */
	JV_GUNZIP_BAD,       /* damaged, or followed by something */
	JV_GUNZIP_TOO_LARGE, /* more than size_max bytes are in `out` and to come */
};

struct jv_gunzip *jv_gunzip_new(void);
void jv_gunzip_free(struct jv_gunzip *gunzip);
/* Appends what is in the bytes as long as `out` holds at most size_max. */
enum jv_gunzipped jv_gunzip_add(
	struct jv_gunzip *gunzip, struct jv_bytes bytes, size_t size_max, struct jv_buffer *out);

#endif

/*
 * References of images in registries: docker://[HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST].
 *
 * The grammar is that of the registries' own tools. Parsing is pure: the server checks references
 * with it at submission, the worker before it asks anyone. Any thread.
 */
#ifndef JV_BASE_REFERENCE_H
#define JV_BASE_REFERENCE_H

#include "base/bytes.h"
#include "base/status.h"

#define JV_REFERENCE_SCHEME   "docker://"
#define JV_REFERENCE_NAME_MAX 255 /* host and path together */
#define JV_REFERENCE_TAG_MAX  128
#define JV_DIGEST_TEXT_MAX    (7 + 64) /* "sha256:" and hexadecimal */
/* Any reference printed, with its NUL. */
#define JV_REFERENCE_TEXT_MAX 768

struct jv_reference {
	char host[JV_REFERENCE_NAME_MAX + 1]; /* with its port; docker.io if none is named */
	char path[JV_REFERENCE_NAME_MAX + 1]; /* library/ in front if docker.io wants it */
	char tag[JV_REFERENCE_TAG_MAX + 1];   /* "" if there is a digest */
	char digest[JV_DIGEST_TEXT_MAX + 1];  /* "" if there is none; it outweighs a tag */
};

/* True for docker://, whatever follows. */
bool jv_reference_is(struct jv_bytes text);
/* Parses a reference with its scheme. INVALID_ARGUMENT says what is wrong; the message never holds
 * what might be a password. */
struct jv_status jv_reference_parse(
	struct jv_bytes text, struct jv_reference *reference) JV_MUST_USE;
/* HOST/PATH:TAG or HOST/PATH@DIGEST, without the scheme; equal references print alike. */
void jv_reference_print(const struct jv_reference *reference, char out[JV_REFERENCE_TEXT_MAX]);

/* True for sha256: and 64 lower-case hexadecimal digits. */
bool jv_digest_valid(struct jv_bytes text);

#endif

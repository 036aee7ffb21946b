/*
 * The page at /docs: the bytes of its three files, embedded.
 *
 * Constant, as long as the process lives; not NUL-terminated. The page shows /openapi.json of the
 * server that it comes from, by a script of our own: nothing is loaded from elsewhere.
 */
#ifndef JV_SERVER_REST_DOCS_DOCS_H
#define JV_SERVER_REST_DOCS_DOCS_H

#include <stddef.h>

extern const unsigned char jv_docs_page[];
extern const size_t jv_docs_page_size;
extern const unsigned char jv_docs_style[];
extern const size_t jv_docs_style_size;
extern const unsigned char jv_docs_script[];
extern const size_t jv_docs_script_size;

#endif

/*
 * Where in a message we are: a path of fields, printed only when something is wrong.
 *
 * A chain of frames on the C stack, innermost first; costs nothing until it is printed. Prints as
 * "spec.mounts[0].source" and "spec.labels[zone]".
 */
#ifndef JV_PROTO_WIRE_PATH_H
#define JV_PROTO_WIRE_PATH_H

#include <stddef.h>

#include "base/bytes.h"

/* One frame. All zero names nothing and prints as nothing. */
struct jv_path {
	const struct jv_path *parent;
	const char *name;    /* of a field, or NULL */
	struct jv_bytes key; /* of a map entry; data NULL: none */
	size_t index;        /* of a list's item, from 1; 0: none */
};

/* Room for a path: more than a status takes, which cuts it between characters. */
#define JV_PATH_TEXT_MAX 256

/* Prints the path into text, which holds size bytes; what does not fit is left out at the end. */
void jv_path_print(const struct jv_path *path, char *text, size_t size);

#endif

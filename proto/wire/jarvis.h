/*
 * The schema of this project: everything that jarvisd serves and that its clients speak.
 *
 * One call over the embedded descriptor set, so that server, worker and command line agree: the
 * services of jarvis.v1, health and reflection of gRPC, and the error details that travel in an
 * Any. The schema is read-only once made; any thread may use it.
 */
#ifndef JV_PROTO_WIRE_JARVIS_H
#define JV_PROTO_WIRE_JARVIS_H

#include "proto/wire/schema.h"

/* Builds it, in about a millisecond; make one at start-up and share it. The caller frees it with
 * jv_schema_free. */
struct jv_schema *jv_schema_new_jarvis(void);

#endif

/*
 * The embedded descriptor set: the protocol as data, from which every edge derives its methods.
 *
 * A serialised google.protobuf.FileDescriptorSet. It holds jarvis.v1 with its source information
 * (the comments), the health and reflection services of gRPC, the error details of google.rpc, the
 * well-known types and everything that they import, each file after the files that it imports.
 *
 * Owner thread: none; the bytes are constant and live as long as the process.
 * Trust: made by the build from the same .proto files as the C messages, so a reader may assert
 * that it parses.
 */
#ifndef JV_PROTO_DESCRIPTOR_SET_H
#define JV_PROTO_DESCRIPTOR_SET_H

#include <stddef.h>

/* The bytes; not NUL-terminated. */
extern const unsigned char jv_descriptor_set[];

/* How many bytes jv_descriptor_set holds; never 0. */
extern const size_t jv_descriptor_set_size;

#endif

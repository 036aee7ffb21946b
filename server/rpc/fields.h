/*
 * How many fields the headers of a call have, by their form alone (RFC 7541, 6): what they mean is
 * not looked up, nor decoded. A field may take one byte, and costs gRPC 170.
 *
 * Knows nothing of gRPC and of sockets. A struct belongs to one thread at a time; zeros are headers
 * that begin.
 */
#ifndef JV_SERVER_RPC_FIELDS_H
#define JV_SERVER_RPC_FIELDS_H

#include <stddef.h>
#include <stdint.h>

struct jv_grpc_fields {
	uint8_t next;  /* what the next byte is, see fields.c */
	uint8_t then;  /* what follows a number of several bytes */
	uint8_t shift; /* of its next byte */
	uint32_t left; /* that number; bytes of a text that are still to come */
	uint32_t count;
};

void jv_grpc_fields_take(struct jv_grpc_fields *fields, const void *data, size_t size);

#endif

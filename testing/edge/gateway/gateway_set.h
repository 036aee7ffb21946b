/*
 * The descriptor set of gateway.proto with all that it imports.
 *
 * Constant bytes; any thread.
 */
#ifndef JV_TESTING_EDGE_GATEWAY_GATEWAY_SET_H
#define JV_TESTING_EDGE_GATEWAY_GATEWAY_SET_H

#include <stddef.h>

extern const unsigned char gateway_set[];
extern const size_t gateway_set_size;

#endif

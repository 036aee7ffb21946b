/*
 * The descriptor set of the echo service and of the services that every gRPC edge has.
 *
 * Constant bytes; any thread.
 */
#ifndef JV_TESTING_EDGE_GRPC_ECHO_SET_H
#define JV_TESTING_EDGE_GRPC_ECHO_SET_H

#include <stddef.h>

extern const unsigned char echo_set[];
extern const size_t echo_set_size;

#endif

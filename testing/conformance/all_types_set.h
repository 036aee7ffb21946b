/*
 * The embedded descriptor set of the messages that the conformance tests send, with what they
 * import. The bytes are constant.
 */
#ifndef JV_TESTING_CONFORMANCE_ALL_TYPES_SET_H
#define JV_TESTING_CONFORMANCE_ALL_TYPES_SET_H

#include <stddef.h>

extern const unsigned char all_types_set[];
extern const size_t all_types_set_size;

#endif

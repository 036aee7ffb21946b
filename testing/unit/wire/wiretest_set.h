/*
 * The descriptor set of wiretest.proto, embedded for the tests of proto/wire.
 */
#ifndef JV_TESTING_UNIT_WIRE_WIRETEST_SET_H
#define JV_TESTING_UNIT_WIRE_WIRETEST_SET_H

#include <stddef.h>

extern const unsigned char wiretest_set[];
extern const size_t wiretest_set_size;

#endif

/*
 * The descriptor set of resttest.proto with all that it imports.
 *
 * Constant bytes; any thread.
 */
#ifndef JV_TESTING_UNIT_REST_RESTTEST_SET_H
#define JV_TESTING_UNIT_REST_RESTTEST_SET_H

#include <stddef.h>

extern const unsigned char resttest_set[];
extern const size_t resttest_set_size;

#endif

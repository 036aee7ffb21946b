/*
 * Death tests: what a piece of code prints when it ends its process, and how it ends.
 *
 * For tests only. The code runs in a forked child, so the caller must have no other thread.
 * Includes cmocka and what cmocka needs.
 */
#ifndef JV_TESTING_UNIT_BASE_DEATH_H
#define JV_TESTING_UNIT_BASE_DEATH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct jv_death {
	int signal;    /* that killed the child, or 0 */
	int exit_code; /* or -1 if a signal killed it */
	char text[4096];
};

/* Runs body(context) in a child and waits for its end; exit code 0 if body returns. */
struct jv_death jv_death_of(void (*body)(void *context), void *context);

/* Fails the test unless body ends in an assertion whose message contains `text`. */
void jv_death_expect_assert(void (*body)(void *context), void *context, const char *text);

#endif

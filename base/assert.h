/*
 * Assertions that stay on in release builds.
 *
 * A failed assertion is an error of the programmer: it prints the expression and its place on
 * standard error and aborts. Errors of peers, files and the machine are struct jv_status instead.
 */
#ifndef JV_BASE_ASSERT_H
#define JV_BASE_ASSERT_H

#define JV_ASSERT(expression) \
	((expression) ? (void)0 : jv_assert_fail(#expression, __FILE__, __LINE__))
#define JV_STATIC_ASSERT(expression, why) _Static_assert(expression, why)
#define JV_UNREACHABLE()                  jv_assert_fail("unreachable", __FILE__, __LINE__)

/* Prints and aborts. Never returns. */
_Noreturn void jv_assert_fail(const char *expression, const char *file, int line);

/* Prints "fatal: " and the message with what to do, flushes, exits with code 70 (EX_SOFTWARE). For
 * errors of the machine that must stop the process: out of memory, a failed commit. */
_Noreturn void jv_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* malloc, calloc, realloc and strdup that are fatal when memory is out. The caller frees with
 * free(). */
void *jv_malloc(unsigned long size);
void *jv_calloc(unsigned long count, unsigned long size);
void *jv_realloc(void *memory, unsigned long size);
char *jv_strdup(const char *text);

#endif

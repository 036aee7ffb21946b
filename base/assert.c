#include "base/assert.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX  2048
#define EXIT_FATAL   70 /* EX_SOFTWARE of sysexits.h */
#define FATAL_PREFIX "fatal: "

/* Without stdio: another thread may hold its lock, and a dying process must not wait for it. */
static void say(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t written = write(STDERR_FILENO, text, size);
		if (written <= 0)
			return;
		text += written;
		size -= (size_t)written;
	}
}

/* The length of what snprintf has put into a buffer of MESSAGE_MAX, given what it returned. */
static size_t length_written(int printed, size_t room)
{
	if (printed < 0)
		return 0;
	return (size_t)printed < room ? (size_t)printed : room - 1;
}

_Noreturn void jv_assert_fail(const char *expression, const char *file, int line)
{
	char text[MESSAGE_MAX];
	int printed = snprintf(
		text, sizeof(text), "assertion failed: %s at %s:%d\n", expression, file, line);
	say(text, length_written(printed, sizeof(text)));
	abort();
}

_Noreturn void jv_fatal(const char *format, ...)
{
	char text[MESSAGE_MAX] = FATAL_PREFIX;
	const size_t prefix = sizeof(FATAL_PREFIX) - 1;
	const size_t room = sizeof(text) - prefix - 1; /* one byte is kept for the newline */
	va_list arguments;
	va_start(arguments, format);
	size_t size =
		prefix + length_written(vsnprintf(text + prefix, room, format, arguments), room);
	va_end(arguments);
	text[size++] = '\n';
	say(text, size);
	/* What was printed before is still wanted, unless somebody is stuck while printing. */
	if (ftrylockfile(stdout) == 0)
		fflush(stdout);
	/* No exit handlers: other threads are running on what those would tear down. */
	_exit(EXIT_FATAL);
}

static _Noreturn void out_of_memory(unsigned long size)
{
	jv_fatal("no memory left for %lu bytes; give the process or the machine more memory", size);
}

void *jv_malloc(unsigned long size)
{
	void *memory = malloc(size > 0 ? size : 1);
	if (memory == NULL)
		out_of_memory(size);
	return memory;
}

void *jv_calloc(unsigned long count, unsigned long size)
{
	if (count == 0 || size == 0) {
		count = 1;
		size = 1;
	}
	void *memory = calloc(count, size);
	if (memory == NULL)
		out_of_memory(count > ULONG_MAX / size ? ULONG_MAX : count * size);
	return memory;
}

void *jv_realloc(void *memory, unsigned long size)
{
	void *moved = realloc(memory, size > 0 ? size : 1);
	if (moved == NULL)
		out_of_memory(size);
	return moved;
}

char *jv_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	return memcpy(jv_malloc(size), text, size);
}

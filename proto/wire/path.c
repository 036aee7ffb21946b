#include "proto/wire/path.h"

#include <stdio.h>

#include "base/assert.h"

/* Nothing deeper is worth naming, and what is longer does not fit a status either. */
#define FRAMES_MAX 128

static size_t print_frame(const struct jv_path *frame, char *text, size_t size, size_t at)
{
	int printed = 0;
	if (frame->name != NULL)
		printed = snprintf(text + at, size - at, "%s%s", at > 0 ? "." : "", frame->name);
	else if (frame->key.data != NULL)
		printed = snprintf(text + at, size - at, "[%.*s]", (int)frame->key.size,
			(const char *)frame->key.data);
	else if (frame->index > 0)
		printed = snprintf(text + at, size - at, "[%zu]", frame->index - 1);
	JV_ASSERT(printed >= 0);
	size_t end = at + (size_t)printed;
	return end < size ? end : size - 1;
}

void jv_path_print(const struct jv_path *path, char *text, size_t size)
{
	JV_ASSERT(size > 0);
	const struct jv_path *frames[FRAMES_MAX];
	size_t count = 0;
	for (; path != NULL; path = path->parent) {
		if (path->name == NULL && path->key.data == NULL && path->index == 0)
			continue;
		if (count == FRAMES_MAX)
			break;
		frames[count++] = path;
	}
	size_t at = 0;
	text[0] = '\0';
	while (count > 0)
		at = print_frame(frames[--count], text, size, at);
}

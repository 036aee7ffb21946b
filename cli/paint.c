#include "cli/paint.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool jv_paint_decide(enum jv_paint_when when, int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (when != JV_PAINT_AUTO)
		return when == JV_PAINT_ALWAYS;
	if (no_color != NULL && no_color[0] != '\0')
		return false;
	return isatty(fd) && terminal != NULL && terminal[0] != '\0' &&
		strcmp(terminal, "dumb") != 0;
}

const char *jv_paint_on(enum jv_paint paint)
{
	static const char *const sequences[] = {
		[JV_PAINT_NONE] = "",
		[JV_PAINT_BOLD] = "\033[1m",
		[JV_PAINT_DIM] = "\033[2m",
		[JV_PAINT_RED] = "\033[31m",
		[JV_PAINT_GREEN] = "\033[32m",
		[JV_PAINT_YELLOW] = "\033[33m",
		[JV_PAINT_BLUE] = "\033[34m",
		[JV_PAINT_MAGENTA] = "\033[35m",
		[JV_PAINT_CYAN] = "\033[36m",
	};

	return sequences[paint];
}

const char *jv_paint_off(enum jv_paint paint)
{
	return paint == JV_PAINT_NONE ? "" : "\033[0m";
}

enum jv_paint jv_paint_distinct(size_t index)
{
	static const enum jv_paint paints[] = {
		JV_PAINT_CYAN, JV_PAINT_YELLOW, JV_PAINT_GREEN, JV_PAINT_MAGENTA, JV_PAINT_BLUE};

	return paints[index % (sizeof(paints) / sizeof(paints[0]))];
}

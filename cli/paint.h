/*
 * Colours on a terminal, and nothing of them anywhere else.
 *
 * By --color and, if that says auto, by what the file descriptor is: a terminal that can, and no
 * NO_COLOR. Escape sequences are those of ECMA-48 in eight colours, which every theme knows. Pure
 * but for jv_paint_decide.
 */
#ifndef JV_CLI_PAINT_H
#define JV_CLI_PAINT_H

#include <stdbool.h>
#include <stddef.h>

enum jv_paint_when {
	JV_PAINT_AUTO,
	JV_PAINT_ALWAYS,
	JV_PAINT_NEVER,
};

enum jv_paint {
	JV_PAINT_NONE,
	JV_PAINT_BOLD,
	JV_PAINT_DIM,
	JV_PAINT_RED,
	JV_PAINT_GREEN,
	JV_PAINT_YELLOW,
	JV_PAINT_BLUE,
	JV_PAINT_MAGENTA,
	JV_PAINT_CYAN,
};

/* Whether what is written to the file descriptor has colours. */
bool jv_paint_decide(enum jv_paint_when when, int fd);
/* What switches a colour on; "" for none. */
const char *jv_paint_on(enum jv_paint paint);
/* What switches it off; "" for none. */
const char *jv_paint_off(enum jv_paint paint);
/* One of the colours that tell things apart, the same for the same index. */
enum jv_paint jv_paint_distinct(size_t index);

#endif

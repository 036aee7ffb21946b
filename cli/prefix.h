/*
 * Output of several tasks on one screen: whole lines, each with the task and the stream in front.
 *
 * Pieces come cut anywhere; a line is written when it is whole, when it is longer than
 * JV_PREFIX_LINE_MAX, or at the end. The bytes are the task's own; what a line has switched on by
 * colours is switched off behind it where we use colours. Single-threaded.
 */
#ifndef JV_CLI_PREFIX_H
#define JV_CLI_PREFIX_H

#include <stdbool.h>

#include "base/bytes.h"
#include "cli/paint.h"
#include "jarvis/v1/task.pb-c.h"

#define JV_PREFIX_LINE_MAX 16384

/* One task's output. */
struct jv_prefix {
	const char *id; /* borrowed */
	enum jv_paint paint;
	bool out_painted; /* whether standard output and error have colours */
	bool err_painted;
	bool live; /* shown on a terminal: a return ends a line too, so that a progress bar moves */
	struct jv_buffer out; /* unfinished lines */
	struct jv_buffer err;
};

/* Takes in a piece and appends the lines that it makes whole, for the file descriptor of its
 * stream. The ids are printed width columns wide. */
void jv_prefix_take(struct jv_prefix *prefix, const Jarvis__V1__LogChunk *chunk, int width,
	struct jv_buffer *lines);
/* Appends what is left of a stream, as a line. */
void jv_prefix_end(
	struct jv_prefix *prefix, Jarvis__V1__LogStream stream, int width, struct jv_buffer *lines);
void jv_prefix_deinit(struct jv_prefix *prefix);

#endif

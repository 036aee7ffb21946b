/*
 * How far many things are: a line that is kept up to date on a terminal, one line at the end
 * anywhere else.
 *
 * On standard error. A single thing has no progress. Single-threaded.
 */
#ifndef JV_CLI_PROGRESS_H
#define JV_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct jv_progress {
	const char *done_word; /* "submitted" */
	size_t total;
	size_t done;
	size_t failed;
	int64_t start_ms;
	int64_t shown_ms; /* 0: nothing stands on the terminal */
	bool on_terminal;
	bool off;
};

void jv_progress_start(struct jv_progress *progress, const char *done_word, size_t total);
/* Shows the counts, if it is time to. */
void jv_progress_show(struct jv_progress *progress);
/* Takes the line away, for something else to be printed; the next show brings it back. */
void jv_progress_hide(struct jv_progress *progress);
/* Shows a text in the place of the counts, on a terminal alone. */
void jv_progress_note(struct jv_progress *progress, const char *text);
/* Says what it came to. */
void jv_progress_end(struct jv_progress *progress);

/* Appends "submitted 132 of 1000, 1 failed, 45/s, 19s left"; what is left is not told once all is
 * over. */
void jv_progress_text(
	const struct jv_progress *progress, int64_t elapsed_ms, struct jv_buffer *out);

#endif

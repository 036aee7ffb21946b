#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/human.h"
#include "cli/remote.h"
#include "cli/table.h"

#define SHOW_MS 100
/* A rate of less time says little. */
#define RATE_MS_MIN 200

void jv_progress_start(struct jv_progress *progress, const char *done_word, size_t total)
{
	const char *terminal = getenv("TERM");

	*progress = (struct jv_progress){
		.done_word = done_word,
		.total = total,
		.start_ms = jv_remote_now_ms(),
		.on_terminal =
			isatty(STDERR_FILENO) && terminal != NULL && strcmp(terminal, "dumb") != 0,
		.off = total < 2,
	};
}

static void rate_print(
	const struct jv_progress *progress, int64_t elapsed_ms, struct jv_buffer *out)
{
	double rate = (double)progress->done * 1000 / (double)elapsed_ms;
	size_t over = progress->done + progress->failed;

	jv_buffer_printf(out, rate < 10 ? ", %.1f/s" : ", %.0f/s", rate);
	if (over >= progress->total || rate <= 0)
		return;
	jv_buffer_append_text(out, ", ");
	jv_human_age((int64_t)((double)(progress->total - over) * 1000 / rate), out);
	jv_buffer_append_text(out, " left");
}

void jv_progress_text(const struct jv_progress *progress, int64_t elapsed_ms, struct jv_buffer *out)
{
	jv_buffer_printf(
		out, "%s %zu of %zu", progress->done_word, progress->done, progress->total);
	if (progress->failed > 0)
		jv_buffer_printf(out, ", %zu failed", progress->failed);
	if (elapsed_ms >= RATE_MS_MIN && progress->done > 0)
		rate_print(progress, elapsed_ms, out);
}

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col;
	return 80;
}

void jv_progress_note(struct jv_progress *progress, const char *text)
{
	if (!progress->on_terminal)
		return;
	progress->shown_ms = jv_remote_now_ms();
	/* Never to the last column, where some terminals wrap. */
	fprintf(stderr, "\r%.*s\033[K", (int)jv_table_prefix(text, terminal_columns() - 1), text);
	fflush(stderr);
}

void jv_progress_show(struct jv_progress *progress)
{
	int64_t now_ms = jv_remote_now_ms();
	struct jv_buffer text = {0};

	if (progress->off || !progress->on_terminal || now_ms - progress->shown_ms < SHOW_MS)
		return;
	jv_progress_text(progress, now_ms - progress->start_ms, &text);
	jv_progress_note(progress, jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

void jv_progress_hide(struct jv_progress *progress)
{
	if (progress->shown_ms == 0)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress->shown_ms = 0;
}

void jv_progress_end(struct jv_progress *progress)
{
	int64_t elapsed_ms = jv_remote_now_ms() - progress->start_ms;
	struct jv_buffer text = {0};

	jv_progress_hide(progress);
	if (progress->off)
		return;
	jv_progress_text(progress, elapsed_ms, &text);
	jv_buffer_append_text(&text, ", in ");
	jv_human_duration(elapsed_ms, &text);
	fprintf(stderr, "jarvis: %s\n", jv_buffer_text(&text));
	jv_buffer_deinit(&text);
	progress->off = true;
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "cli/interrupt.h"
#include "cli/list.h"
#include "cli/view.h"

#define STEP_MS    100
#define READ_MS    500   /* between two reads at the least, however much changes */
#define REFRESH_MS 1000  /* on a terminal, for the ages */
#define RESYNC_MS  10000 /* what a watch does not tell, such as what is removed */
#define TIMEOUT_MS 5000
#define ROWS_MIN   4
#define SCREEN_ON  "\033[?1049h\033[?25l"
#define SCREEN_OFF "\033[?25h\033[?1049l"

/* A list that is kept up to date. */
struct watching {
	struct jv_invocation *invocation;
	const struct jv_list_source *source;
	const struct jv_list_options *options;
	struct jv_stream stream;
	bool dirty;       /* something has changed since the last read */
	bool on_terminal; /* redrawn, instead of line after line */
	int64_t read_ms;
	struct jv_buffer frame; /* the last table */
	size_t count;           /* of its rows */
	size_t widths[JV_TABLE_COLUMNS_MAX];
	bool begun; /* titles are printed */
	/* By id what was printed last, for lines. */
	struct seen {
		char *id;
		uint64_t version;
	} * seen;
	size_t seen_count;
};

static const ProtobufCMessage *request(struct jv_stream *stream)
{
	return ((struct watching *)stream->context)->source->watch_request();
}

static bool message(struct jv_stream *stream, const ProtobufCMessage *message)
{
	(void)message;
	((struct watching *)stream->context)->dirty = true;
	return true;
}

static const struct jv_stream_events events = {.request = request, .message = message};

/* --- on a terminal --------------------------------------------------------------------------- */

static void terminal_size(struct jv_invocation *invocation, size_t *rows)
{
	struct winsize size;

	*rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
		*rows = size.ws_row;
		invocation->columns = size.ws_col;
	}
}

static void status_line(const struct watching *watching, struct jv_buffer *out)
{
	const struct jv_invocation *invocation = watching->invocation;
	struct jv_buffer text = {0};
	struct jv_buffer words = {0};
	struct jv_buffer clean = {0};
	time_t now = time(NULL);
	struct tm parts;
	char clock[16] = "";

	if (localtime_r(&now, &parts) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	jv_arguments_print(invocation->arguments, &words);
	jv_buffer_printf(&text, "%s  %s%zu in %s at %s", clock,
		invocation->remote.lost ? "the connection is lost, trying again; " : "",
		watching->count, jv_buffer_text(&words), invocation->target.server);
	/* The words may be anybody's, as those of a label. */
	jv_table_clean(jv_buffer_text(&text), &clean);
	size_t size = invocation->columns > 0
		? jv_table_prefix(jv_buffer_text(&clean), invocation->columns)
		: clean.size;
	jv_buffer_append(out, clean.data, size);
	jv_buffer_append_byte(out, '\n');
	jv_buffer_deinit(&clean);
	jv_buffer_deinit(&text);
	jv_buffer_deinit(&words);
}

/* Each line is written over the old one and its rest cleared, so that nothing flickers. */
static void draw(struct watching *watching)
{
	struct jv_invocation *invocation = watching->invocation;
	struct jv_buffer screen = {0};
	struct jv_buffer text = {0};
	size_t rows;
	size_t lines = 0;

	terminal_size(invocation, &rows);
	status_line(watching, &text);
	jv_buffer_append(&text, watching->frame.data, watching->frame.size);
	jv_buffer_append_text(&screen, "\033[H");
	const char *at = jv_buffer_text(&text);
	while (*at != '\0' && (lines + 2 < rows || rows < ROWS_MIN)) {
		size_t size = strcspn(at, "\n");
		jv_buffer_append(&screen, at, size);
		jv_buffer_append_text(&screen, "\033[K\n");
		at += size + 1;
		lines++;
	}
	if (*at != '\0')
		jv_buffer_append_text(&screen, "… more below; a higher terminal shows them\033[K");
	jv_buffer_append_text(&screen, "\033[J");
	fwrite(screen.data, 1, screen.size, stdout);
	fflush(stdout);
	jv_buffer_deinit(&screen);
	jv_buffer_deinit(&text);
}

static void redraw(struct watching *watching, const void *const *items, size_t count)
{
	struct jv_invocation *invocation = watching->invocation;
	size_t rows;

	terminal_size(invocation, &rows);
	jv_buffer_clear(&invocation->out);
	jv_list_print(invocation, watching->source->kind, watching->options, items, count, NULL);
	jv_buffer_clear(&watching->frame);
	jv_buffer_append(&watching->frame, invocation->out.data, invocation->out.size);
	jv_buffer_clear(&invocation->out);
	watching->count = count;
	draw(watching);
}

/* --- line by line ---------------------------------------------------------------------------- */

static int compare_seen(const void *left, const void *right)
{
	return strcmp(((const struct seen *)left)->id, ((const struct seen *)right)->id);
}

static bool is_new(const struct watching *watching, const char *id, uint64_t version)
{
	struct seen key = {.id = (char *)(uintptr_t)id};
	const struct seen *found = watching->seen_count == 0
		? NULL
		: bsearch(&key, watching->seen, watching->seen_count, sizeof(key), compare_seen);

	return found == NULL || found->version != version;
}

static void forget(struct watching *watching)
{
	for (size_t i = 0; i < watching->seen_count; i++)
		free(watching->seen[i].id);
	free(watching->seen);
	watching->seen = NULL;
	watching->seen_count = 0;
}

/* What is no longer listed is forgotten; it is new if it comes back. */
static void remember(struct watching *watching, const void *const *items, size_t count)
{
	const struct jv_list_kind *kind = watching->source->kind;

	forget(watching);
	if (count == 0)
		return;
	watching->seen = jv_realloc(NULL, count * sizeof(watching->seen[0]));
	for (size_t i = 0; i < count; i++) {
		const char *id = kind->id(items[i]);
		size_t size = strlen(id) + 1;
		watching->seen[i].id = jv_realloc(NULL, size);
		memcpy(watching->seen[i].id, id, size);
		watching->seen[i].version = kind->version(items[i]);
	}
	watching->seen_count = count;
	qsort(watching->seen, count, sizeof(watching->seen[0]), compare_seen);
}

static bool append(struct watching *watching, const void *const *items, size_t count)
{
	struct jv_invocation *invocation = watching->invocation;
	const struct jv_list_kind *kind = watching->source->kind;
	struct jv_list_options options = *watching->options;
	const void **changed = jv_arena_calloc(&invocation->arena, count + 1, sizeof(changed[0]));
	size_t changed_count = 0;

	JV_ASSERT(changed != NULL);
	for (size_t i = 0; i < count; i++) {
		if (is_new(watching, kind->id(items[i]), kind->version(items[i])))
			changed[changed_count++] = items[i];
	}
	remember(watching, items, count);
	options.no_headers |= watching->begun;
	if (jv_invocation_is_raw(invocation)) {
		for (size_t i = 0; i < changed_count; i++)
			kind->print_raw_one(invocation, changed[i]);
	} else if (changed_count > 0 || !watching->begun) {
		jv_list_print(invocation, kind, &options, changed, changed_count, watching->widths);
	}
	watching->begun = true;
	return jv_invocation_flush(invocation);
}

/* --- both ------------------------------------------------------------------------------------ */

/* Reads and shows, in memory that is given back after; *on is false when nobody reads any more. */
static struct jv_status update(struct watching *watching, bool *on)
{
	struct jv_invocation *invocation = watching->invocation;
	const struct jv_list_source *source = watching->source;
	struct jv_arena kept = invocation->arena;
	const void *const *items = NULL;
	size_t count = 0;
	bool more = false;

	jv_arena_init(&invocation->arena, 0, 0);
	watching->dirty = false;
	struct jv_status status = source->read(invocation, source->context, &items, &count, &more);
	watching->read_ms = jv_remote_now_ms();
	if (jv_is_ok(&status)) {
		jv_list_sort(watching->options, (const void **)(uintptr_t)items, count);
		if (watching->on_terminal)
			redraw(watching, items, count);
		else
			*on = append(watching, items, count);
	}
	jv_arena_deinit(&invocation->arena);
	invocation->arena = kept;
	return status;
}

static struct jv_status watch(struct watching *watching, int64_t deadline_ms)
{
	struct jv_remote *remote = &watching->invocation->remote;
	bool on = true;
	struct jv_status status = update(watching, &on);

	while (on && jv_is_ok(&status) && jv_interrupts() == 0) {
		int64_t now_ms = jv_remote_now_ms();
		int64_t age_ms = now_ms - watching->read_ms;
		int64_t due_ms = watching->dirty ? READ_MS
			: watching->on_terminal  ? REFRESH_MS
						 : RESYNC_MS;
		if (deadline_ms != 0 && now_ms >= deadline_ms)
			return jv_ok();
		if (age_ms >= due_ms)
			status = update(watching, &on);
		/* The stream knows how long a server is waited for. */
		if (status.code == JV_UNAVAILABLE || status.code == JV_DEADLINE_EXCEEDED) {
			status = jv_ok();
			watching->dirty = true;
			if (watching->on_terminal && age_ms >= due_ms)
				draw(watching);
		}
		jv_remote_step(remote, STEP_MS);
		jv_stream_tick(&watching->stream);
		if (watching->stream.ended && jv_is_ok(&status))
			status = watching->stream.status;
	}
	return status;
}

int jv_list_watch(struct jv_invocation *invocation, const struct jv_list_source *source,
	const struct jv_list_options *options)
{
	struct watching watching = {.invocation = invocation,
		.source = source,
		.options = options,
		.on_terminal = isatty(STDOUT_FILENO) && !jv_invocation_is_raw(invocation)};
	int64_t deadline_ms = jv_invocation_deadline_ms(invocation);
	struct jv_status status = jv_invocation_connect(invocation);

	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	invocation->impatient = true;
	invocation->timeout_ms = TIMEOUT_MS;
	invocation->remote.quiet = watching.on_terminal;
	/* A second interruption must give the screen back too. */
	jv_interrupts_catch(watching.on_terminal ? SCREEN_OFF : NULL);
	if (watching.on_terminal)
		fputs(SCREEN_ON, stdout);
	/* Before the first read: what changes in between is seen. */
	jv_stream_start(&watching.stream, &invocation->remote, source->watch, &events, &watching);
	status = watch(&watching, deadline_ms);
	jv_stream_stop(&watching.stream);
	if (watching.on_terminal) {
		fputs(SCREEN_OFF, stdout);
		fwrite(watching.frame.data, 1, watching.frame.size, stdout);
		fflush(stdout);
	}
	forget(&watching);
	jv_buffer_deinit(&watching.frame);
	if (!jv_is_ok(&status))
		return jv_invocation_fail(invocation, NULL, &status);
	return jv_interrupts() > 0 ? JV_EXIT_SIGNAL + jv_interrupts_signal() : JV_EXIT_OK;
}

/* What people read: prefixes of lines, progress, times, colours, sorted lists. */
#include "testing/unit/cli/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/list.h"
#include "cli/paint.h"
#include "cli/prefix.h"
#include "cli/progress.h"
#include "cli/view.h"

static struct jv_prefix prefix;

static const char *take(const char *text, Jarvis__V1__LogStream stream)
{
	Jarvis__V1__LogChunk chunk = JARVIS__V1__LOG_CHUNK__INIT;

	chunk.stream = stream;
	chunk.data.data = (uint8_t *)(uintptr_t)text;
	chunk.data.len = strlen(text);
	jv_prefix_take(&prefix, &chunk, 4, &fixture.out);
	return fixture_printed();
}

static const char *out(const char *text)
{
	return take(text, JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT);
}

static const char *err(const char *text)
{
	return take(text, JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR);
}

static const char *rest(Jarvis__V1__LogStream stream)
{
	jv_prefix_end(&prefix, stream, 4, &fixture.out);
	return fixture_printed();
}

static void lines_are_whole_whatever_the_pieces(void **state)
{
	(void)state;
	prefix = (struct jv_prefix){.id = "t-1"};
	assert_string_equal(out("on"), "");
	assert_string_equal(err("bad\n"), "t-1  err | bad\n");
	assert_string_equal(out("e\ntwo\n\nth"),
		"t-1  out | one\n"
		"t-1  out | two\n"
		"t-1  out | \n");
	assert_string_equal(out("ree"), "");
	assert_string_equal(rest(JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT), "t-1  out | three\n");
	assert_string_equal(rest(JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT), "");
	assert_string_equal(rest(JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR), "");
	jv_prefix_deinit(&prefix);
}

static void a_line_without_end_costs_bounded_memory(void **state)
{
	static char text[JV_PREFIX_LINE_MAX + 10];

	(void)state;
	prefix = (struct jv_prefix){.id = "t-1"};
	memset(text, 'x', sizeof(text) - 1);
	const char *lines = out(text);
	assert_int_equal(strlen(lines), strlen("t-1  out | \n") + JV_PREFIX_LINE_MAX);
	assert_int_equal(strlen(rest(JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT)),
		strlen("t-1  out | \n") + 9);
	jv_prefix_deinit(&prefix);
}

static void returns_move_a_progress_bar_on_a_terminal_alone(void **state)
{
	(void)state;
	prefix = (struct jv_prefix){.id = "t-1", .live = true};
	assert_string_equal(out("1%\r2%\r"), "t-1  out | 1%\r");
	/* It may have been the first half of a line's end. */
	assert_string_equal(out("\nx\r\n"), "t-1  out | 2%\r\nt-1  out | x\r\n");
	jv_prefix_deinit(&prefix);
	prefix = (struct jv_prefix){.id = "t-1"};
	assert_string_equal(out("1%\r2%\n"), "t-1  out | 1%\r2%\n");
	jv_prefix_deinit(&prefix);
}

static void colours_end_with_their_line(void **state)
{
	(void)state;
	prefix = (struct jv_prefix){
		.id = "t-1", .paint = JV_PAINT_CYAN, .out_painted = true, .err_painted = true};
	assert_string_equal(out("a\n"), "\033[36mt-1 \033[0m \033[2mout |\033[0m a\n");
	assert_string_equal(
		err("\033[1mb\n"), "\033[36mt-1 \033[0m \033[31merr |\033[0m \033[1mb\033[0m\n");
	jv_prefix_deinit(&prefix);
}

static void progress_tells_counts_rate_and_what_is_left(void **state)
{
	struct jv_progress progress = {.done_word = "submitted", .total = 1000, .done = 250};

	(void)state;
	jv_progress_text(&progress, 5000, &fixture.out);
	assert_string_equal(fixture_printed(), "submitted 250 of 1000, 50/s, 15s left");
	/* Too early for a rate. */
	jv_progress_text(&progress, 10, &fixture.out);
	assert_string_equal(fixture_printed(), "submitted 250 of 1000");
	progress.done = 998;
	progress.failed = 2;
	jv_progress_text(&progress, 200000, &fixture.out);
	assert_string_equal(fixture_printed(), "submitted 998 of 1000, 2 failed, 5.0/s");
	progress.done = 0;
	jv_progress_text(&progress, 5000, &fixture.out);
	assert_string_equal(fixture_printed(), "submitted 0 of 1000, 2 failed");
}

static const char *moment(int64_t ms, enum jv_human_style style)
{
	jv_human_moment(ms, 1714557600000 + 180000, style, &fixture.out);
	return fixture_printed();
}

static void moments_are_ages_or_times(void **state)
{
	(void)state;
	setenv("TZ", "UTC-2", 1);
	assert_string_equal(moment(1714557600123, JV_HUMAN_RELATIVE), "2m");
	assert_string_equal(moment(1714557600123, JV_HUMAN_ABSOLUTE), "2024-05-01 12:00:00");
	assert_string_equal(moment(1714557600123, JV_HUMAN_ISO), "2024-05-01T10:00:00.123Z");
	assert_string_equal(moment(0, JV_HUMAN_ISO), "");
	/* A server's clock may be ahead of ours. */
	assert_string_equal(moment(1714557600000 + 999999, JV_HUMAN_RELATIVE), "0s");
}

static void colours_are_for_terminals(void **state)
{
	(void)state;
	/* Standard input of a test is none. */
	assert_false(jv_paint_decide(JV_PAINT_AUTO, 0));
	assert_true(jv_paint_decide(JV_PAINT_ALWAYS, 0));
	assert_false(jv_paint_decide(JV_PAINT_NEVER, 0));
}

/* Tasks of some ids, all else being as the index says. */
static const void **tasks(size_t count, const char *const *ids)
{
	const void **items = jv_arena_calloc(&fixture.arena, count, sizeof(items[0]));

	for (size_t i = 0; i < count; i++) {
		Jarvis__V1__Task *task = jv_arena_alloc(&fixture.arena, sizeof(*task));
		jarvis__v1__task__init(task);
		task->id = jv_arena_copy_text(&fixture.arena, ids[i]);
		task->status = jv_arena_alloc(&fixture.arena, sizeof(*task->status));
		jarvis__v1__task_status__init(task->status);
		task->status->attempt = (int32_t)(i % 2);
		items[i] = task;
	}
	return items;
}

static const char *sorted(const char *by)
{
	static const char *const ids[] = {"t-10", "t-9", "t-100", "t-2"};
	struct jv_list_options options;
	struct jv_invocation invocation = {.output = JV_OUTPUT_NAME};
	const void **items = tasks(4, ids);

	jv_arena_init(&invocation.arena, 0, 0);
	invocation.arguments = &fixture.arguments;
	fixture_ok(fixture_parse("task", "list", "--sort", by, NULL));
	fixture_ok(jv_list_read_flags(&invocation, &jv_view_task_kind, &options));
	jv_list_sort(&options, items, 4);
	jv_list_print(&invocation, &jv_view_task_kind, &options, items, 4, NULL);
	jv_buffer_append(&fixture.out, invocation.out.data, invocation.out.size);
	jv_buffer_deinit(&invocation.out);
	jv_arena_deinit(&invocation.arena);
	return fixture_printed();
}

static void lists_are_sorted_by_what_the_column_means(void **state)
{
	(void)state;
	assert_string_equal(sorted("id"), "t-2\nt-9\nt-10\nt-100\n");
	assert_string_equal(sorted("-id"), "t-100\nt-10\nt-9\nt-2\n");
	/* Equal ones stay as they came, whichever way round. */
	assert_string_equal(sorted("attempt"), "t-10\nt-100\nt-9\nt-2\n");
	assert_string_equal(sorted("-attempt"), "t-9\nt-2\nt-10\nt-100\n");
}

static void columns_that_there_are_not_are_named_with_the_nearest(void **state)
{
	struct jv_list_options options;
	struct jv_invocation invocation = {.arguments = &fixture.arguments};

	(void)state;
	jv_arena_init(&invocation.arena, 0, 0);
	fixture_ok(fixture_parse("task", "list", "--columns", "id,nmae", NULL));
	fixture_refused(jv_list_read_flags(&invocation, &jv_view_task_kind, &options),
		"did you mean name?");
	fixture_ok(fixture_parse("task", "list", "--sort", "-sate", NULL));
	fixture_refused(jv_list_read_flags(&invocation, &jv_view_task_kind, &options),
		"--sort: \"sate\" is none of");
	fixture_ok(fixture_parse("task", "list", "--columns", "", NULL));
	fixture_refused(jv_list_read_flags(&invocation, &jv_view_task_kind, &options),
		"expected names of columns");
	fixture_ok(fixture_parse("task", "list", "--columns", "state,id", NULL));
	fixture_ok(jv_list_read_flags(&invocation, &jv_view_task_kind, &options));
	assert_int_equal(options.column_count, 2);
	assert_string_equal(options.columns[0]->name, "state");
	jv_arena_deinit(&invocation.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_whole_whatever_the_pieces),
		cmocka_unit_test(a_line_without_end_costs_bounded_memory),
		cmocka_unit_test(returns_move_a_progress_bar_on_a_terminal_alone),
		cmocka_unit_test(colours_end_with_their_line),
		cmocka_unit_test(progress_tells_counts_rate_and_what_is_left),
		cmocka_unit_test(moments_are_ages_or_times),
		cmocka_unit_test(colours_are_for_terminals),
		cmocka_unit_test(lists_are_sorted_by_what_the_column_means),
		cmocka_unit_test(columns_that_there_are_not_are_named_with_the_nearest),
	};
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

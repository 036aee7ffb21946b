#include "cli/view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/env.h"
#include "cli/human.h"
#include "cli/value.h"
#include "jarvis/v1/scheduler.pb-c.h"

#define TITLE_COLUMNS    13
#define WRAP_COLUMNS_MIN 24 /* narrower ones are left to wrap by themselves */

static const Jarvis__V1__TaskSpec no_spec = JARVIS__V1__TASK_SPEC__INIT;
static const Jarvis__V1__TaskStatus no_status = JARVIS__V1__TASK_STATUS__INIT;

const Jarvis__V1__TaskSpec *jv_view_spec(const Jarvis__V1__Task *task)
{
	return task->spec != NULL ? task->spec : &no_spec;
}

const Jarvis__V1__TaskStatus *jv_view_status(const Jarvis__V1__Task *task)
{
	return task->status != NULL ? task->status : &no_status;
}

bool jv_view_is_final(Jarvis__V1__TaskState state)
{
	return state == JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED ||
		state == JARVIS__V1__TASK_STATE__TASK_STATE_FAILED ||
		state == JARVIS__V1__TASK_STATE__TASK_STATE_CANCELLED;
}

int64_t jv_view_now_ms(void)
{
	return jv_env_system.wall_ms(&jv_env_system);
}

/* The short name of an enum's value as words. */
static void words_print(const ProtobufCEnumDescriptor *type, int value, struct jv_buffer *out)
{
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	for (const char *at = jv_value_enum_name(type, value, &arena); *at != '\0'; at++)
		jv_buffer_append_byte(out, *at == '_' ? ' ' : (uint8_t)*at);
	jv_arena_deinit(&arena);
}

void jv_view_state(const Jarvis__V1__TaskStatus *status, struct jv_buffer *out)
{
	words_print(&jarvis__v1__task_state__descriptor, (int)status->state, out);
	if (status->state != JARVIS__V1__TASK_STATE__TASK_STATE_FAILED ||
		status->failure_reason == 0)
		return;
	jv_buffer_append_text(out, ": ");
	words_print(&jarvis__v1__failure_reason__descriptor, (int)status->failure_reason, out);
}

enum jv_paint jv_view_state_paint(Jarvis__V1__TaskState state)
{
	switch ((int)state) {
	case JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED:
		return JV_PAINT_GREEN;
	case JARVIS__V1__TASK_STATE__TASK_STATE_FAILED:
		return JV_PAINT_RED;
	case JARVIS__V1__TASK_STATE__TASK_STATE_CANCELLED:
		return JV_PAINT_DIM;
	case JARVIS__V1__TASK_STATE__TASK_STATE_RUNNING:
		return JV_PAINT_CYAN;
	default:
		return JV_PAINT_YELLOW;
	}
}

void jv_view_exit(const Jarvis__V1__TaskStatus *status, struct jv_buffer *out)
{
	bool has_exited = status->state == JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED ||
		status->exit_code != 0 || status->signal != 0;

	if (!has_exited)
		return;
	jv_buffer_printf(out, "%" PRId32, status->exit_code);
	if (status->signal != 0)
		jv_buffer_printf(out, " (signal %" PRId32 ")", status->signal);
}

int64_t jv_view_ran_ms(const Jarvis__V1__TaskStatus *status)
{
	int64_t start_ms = jv_human_time_ms(status->start_time);
	int64_t finish_ms = jv_human_time_ms(status->finish_time);

	if (start_ms == 0)
		return -1;
	return (finish_ms != 0 ? finish_ms : jv_view_now_ms()) - start_ms;
}

/* Words on lines of the width, which a word alone may pass only by being broken. */
static void wrap(struct jv_buffer *out, const char *text, size_t indent, size_t width)
{
	size_t at = indent;

	while (*text != '\0') {
		size_t size = strcspn(text, " ");
		size_t columns = jv_table_columns(text, size);
		if (at > indent && at + 1 + columns > width) {
			jv_buffer_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (at > indent) {
			jv_buffer_append_byte(out, ' ');
			at++;
		}
		while (at + columns > width) {
			size_t part = jv_table_prefix(text, width - at);
			jv_buffer_append(out, text, part);
			jv_buffer_printf(out, "\n%*s", (int)indent, "");
			columns -= jv_table_columns(text, part);
			text += part;
			size -= part;
			at = indent;
		}
		jv_buffer_append(out, text, size);
		at += columns;
		text += size;
		text += *text == ' ';
	}
}

void jv_view_line(struct jv_invocation *invocation, const char *title, const char *format, ...)
{
	struct jv_buffer *out = &invocation->out;
	struct jv_buffer text = {0};
	struct jv_buffer clean = {0};
	size_t title_size = strlen(title);
	bool fits = invocation->columns < WRAP_COLUMNS_MIN || invocation->output == JV_OUTPUT_WIDE;
	va_list arguments;

	va_start(arguments, format);
	jv_buffer_vprintf(&text, format, arguments);
	va_end(arguments);
	if (text.size > 0) {
		jv_buffer_printf(out, "%s%s%*s ", title, title_size > 0 ? ":" : " ",
			title_size < TITLE_COLUMNS ? (int)(TITLE_COLUMNS - title_size) : 0, "");
		jv_table_clean(jv_buffer_text(&text), &clean);
		if (fits)
			jv_buffer_append(out, clean.data, clean.size);
		else
			wrap(out, jv_buffer_text(&clean), TITLE_COLUMNS + 2, invocation->columns);
		jv_buffer_append_byte(out, '\n');
	}
	jv_buffer_deinit(&text);
	jv_buffer_deinit(&clean);
}

static void spec_print(struct jv_invocation *invocation, const Jarvis__V1__TaskSpec *spec)
{
	struct jv_buffer text = {0};

	jv_view_line(invocation, "Name", "%s", spec->name);
	jv_view_line(invocation, "Queue", "%s", spec->queue);
	jv_view_line(invocation, "Priority", "%" PRId32, spec->priority);
	for (size_t i = 0; i < spec->n_labels; i++)
		jv_view_line(
			invocation, "Label", "%s=%s", spec->labels[i]->key, spec->labels[i]->value);
	jv_view_line(invocation, "Image", "%s", spec->image);
	for (size_t i = 0; i < spec->n_command; i++)
		jv_buffer_printf(&text, "%s%s", i > 0 ? " " : "", spec->command[i]);
	for (size_t i = 0; i < spec->n_args; i++)
		jv_buffer_printf(&text, "%s%s", text.size > 0 ? " " : "", spec->args[i]);
	jv_view_line(invocation, "Command", "%s", jv_buffer_text(&text));
	for (size_t i = 0; i < spec->n_mounts; i++)
		jv_view_line(invocation, "Mount", "%s at %s%s", spec->mounts[i]->source,
			spec->mounts[i]->target, spec->mounts[i]->writable ? " (writable)" : "");
	if (spec->resources != NULL) {
		jv_buffer_clear(&text);
		jv_human_cpu(spec->resources->cpu_millis, &text);
		jv_buffer_append_text(&text, " CPU, ");
		jv_human_bytes(spec->resources->memory_bytes, &text);
		jv_buffer_append_text(&text, " memory");
		jv_view_line(invocation, "Limits", "%s", jv_buffer_text(&text));
	}
	jv_buffer_deinit(&text);
}

static void pending_print(
	struct jv_invocation *invocation, const Jarvis__V1__PendingReason *pending)
{
	jv_view_line(invocation, "Waits", "%s", pending->summary);
	for (size_t i = 0; i < pending->n_exclusions; i++)
		jv_view_line(invocation, "", "%" PRId32 " of %" PRId32 " nodes: %s%s%s",
			pending->exclusions[i]->nodes, pending->nodes_total,
			pending->exclusions[i]->condition,
			pending->exclusions[i]->remedy[0] != '\0' ? ": " : "",
			pending->exclusions[i]->remedy);
	if (pending->tasks_ahead > 0)
		jv_view_line(invocation, "Ahead", "%" PRId64 " tasks of the same shape",
			pending->tasks_ahead);
}

void jv_view_moment(struct jv_invocation *invocation, const char *title,
	const Google__Protobuf__Timestamp *time)
{
	int64_t ms = jv_human_time_ms(time);
	struct jv_buffer text = {0};

	if (ms == 0)
		return;
	if (invocation->time_style == JV_HUMAN_ISO)
		jv_human_iso(ms, &text);
	else
		jv_human_time(ms, &text);
	if (invocation->time_style == JV_HUMAN_RELATIVE) {
		jv_buffer_append_text(&text, " (");
		jv_human_age(jv_view_now_ms() - ms, &text);
		jv_buffer_append_text(&text, " ago)");
	}
	jv_view_line(invocation, title, "%s", jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

void jv_view_clock(const struct jv_invocation *invocation, struct jv_buffer *out)
{
	time_t now = (time_t)(jv_view_now_ms() / 1000);
	struct tm parts;
	char clock[16] = "";

	if (invocation->time_style == JV_HUMAN_ISO) {
		jv_human_iso(jv_view_now_ms(), out);
		return;
	}
	if (localtime_r(&now, &parts) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &parts);
	jv_buffer_append_text(out, clock);
}

static void usage_print(struct jv_invocation *invocation, const Jarvis__V1__ResourceUsage *usage)
{
	struct jv_buffer text = {0};

	jv_human_duration(usage->cpu_micros / 1000, &text);
	jv_buffer_append_text(&text, " CPU time, ");
	jv_human_bytes(usage->memory_peak_bytes, &text);
	jv_buffer_append_text(&text, " memory at most");
	if (usage->throttled_periods > 0)
		jv_buffer_printf(&text, ", throttled %" PRId64 " times", usage->throttled_periods);
	if (usage->oom_kills > 0)
		jv_buffer_printf(&text, ", %" PRId64 " out-of-memory kills", usage->oom_kills);
	jv_view_line(invocation, "Used", "%s", jv_buffer_text(&text));
	jv_buffer_deinit(&text);
}

static void status_print(struct jv_invocation *invocation, const Jarvis__V1__TaskStatus *status)
{
	struct jv_buffer text = {0};
	int64_t ran_ms = jv_view_ran_ms(status);

	jv_view_line(invocation, "Message", "%s", status->message);
	jv_view_line(invocation, "Progress", "%s", status->progress);
	if (status->pending != NULL)
		pending_print(invocation, status->pending);
	jv_view_line(invocation, "Node", "%s", status->node);
	if (status->attempt > 0)
		jv_view_line(invocation, "Attempt",
			"%" PRId32 " (%" PRId32 " failed, %" PRId32 " lost)", status->attempt,
			status->failed_attempts, status->lost_attempts);
	jv_view_exit(status, &text);
	jv_view_line(invocation, "Exit code", "%s", jv_buffer_text(&text));
	jv_view_moment(invocation, "Submitted", status->submit_time);
	jv_view_moment(invocation, "Started", status->start_time);
	jv_view_moment(invocation, "Finished", status->finish_time);
	jv_view_moment(invocation, "Next attempt", status->not_before);
	jv_buffer_clear(&text);
	if (ran_ms >= 0)
		jv_human_duration(ran_ms, &text);
	jv_view_line(invocation, "Ran", "%s", jv_buffer_text(&text));
	if (status->usage != NULL)
		usage_print(invocation, status->usage);
	jv_view_line(invocation, "Cancelled", "%s", status->cancel_reason);
	jv_view_line(invocation, "Log", "%" PRId64 " bytes", status->log_bytes);
	jv_buffer_deinit(&text);
}

void jv_view_task(struct jv_invocation *invocation, const Jarvis__V1__Task *task)
{
	struct jv_buffer *out = &invocation->out;
	struct jv_buffer state = {0};

	if (jv_invocation_is_raw(invocation)) {
		jv_invocation_print(invocation, &task->base);
		return;
	}
	if (invocation->output == JV_OUTPUT_NAME) {
		jv_table_clean(task->id, out);
		jv_buffer_append_byte(out, '\n');
		return;
	}
	jv_view_line(invocation, "ID", "%s", task->id);
	jv_view_state(jv_view_status(task), &state);
	jv_view_line(invocation, "State", "%s", jv_buffer_text(&state));
	jv_buffer_deinit(&state);
	status_print(invocation, jv_view_status(task));
	spec_print(invocation, jv_view_spec(task));
}

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "server/api/convert.h"
#include "server/api/id.h"
#include "server/api/session.h"

#define PROTOCOL_VERSION 1
#define REPORTS_MAX      100000
#define REPORTS_MORE_MAX 255
#define MESSAGE_MAX      1024
#define PROGRESS_MAX     256
#define LOG_CHUNK_MAX    65536
#define EXIT_CODE_MAX    255
#define SIGNAL_MAX       64
#define LOG_OFFSET_MAX   (INT64_MAX / 2)
/* The end of the year 9999, the last that a Timestamp has. */
#define TIME_MS_MAX INT64_C(253402300799999)
/* As for specs: it must fit into the messages that give it out. */
#define INVENTORY_BYTES_MAX ((size_t)1 << 20)

#define INVALID(field, ...) jv_field_error(JV_INVALID_ARGUMENT, field, __VA_ARGS__)

static struct jv_session_event *new_event(enum jv_event_kind kind)
{
	struct jv_session_event *event = jv_calloc(1, sizeof(*event));

	event->event.kind = kind;
	jv_arena_init(&event->arena, 0, 0);
	return event;
}

void jv_session_event_free(struct jv_session_event *event)
{
	if (event->event.kind == JV_EVENT_SESSION_OPEN)
		free(event->event.open.desired);
	jv_arena_deinit(&event->arena);
	free(event);
}

struct jv_session_event *jv_session_event_close(uint64_t session)
{
	struct jv_session_event *event = new_event(JV_EVENT_SESSION_CLOSE);

	event->event.close.session = session;
	return event;
}

struct jv_session_event *jv_session_event_give_up(
	uint64_t session, const struct jv_desired *desired, const char *why)
{
	struct jv_session_event *event = new_event(JV_EVENT_SESSION_REPORT);
	const char *text =
		jv_arena_printf(&event->arena, "the server cannot read what the task is: %s", why);

	event->given_up = true;
	event->event.report.session = session;
	event->event.report.report = (struct jv_attempt_report){
		.task = desired->task,
		.attempt = desired->attempt,
		.phase = JV_PHASE_FINISHED,
		.failure = JV_FAILURE_EXECUTOR,
		.message = jv_bytes_of_text(text),
	};
	return event;
}

/* A clock that is beyond all calendars tells nothing; the attempt counts all the same. */
static int64_t time_kept(int64_t ms)
{
	return ms < 0 || ms > TIME_MS_MAX ? 0 : ms;
}

static struct jv_bytes keep_text(struct jv_session_event *event, const char *text)
{
	return jv_bytes_of_text(jv_arena_copy_text(&event->arena, text));
}

static bool node_name_valid(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size >= JV_NODE_NAME_MAX)
		return false;
	for (; *name != '\0'; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') ||
			    *name == '-' || *name == '.'))
			return false;
	return true;
}

static int compare_custom(const void *a, const void *b)
{
	return jv_bytes_compare(((const struct jv_custom_resource *)a)->name,
		((const struct jv_custom_resource *)b)->name);
}

static struct jv_status keep_capacity(
	struct jv_session_event *event, const Jarvis__V1__Resources *from)
{
	struct jv_resources *to = &event->node.capacity;

	if (from == NULL)
		return INVALID("hello.inventory.capacity", "is missing");
	if (from->cpu_millis < 0 || from->memory_bytes < 0 || from->disk_bytes < 0 ||
		from->pids < 0 || from->gpus < 0 || from->n_custom > JV_CUSTOM_RESOURCES_MAX)
		return INVALID("hello.inventory.capacity", "is out of range");
	to->cpu_millis = from->cpu_millis;
	to->memory_bytes = from->memory_bytes;
	to->disk_bytes = from->disk_bytes;
	to->gpus = from->gpus;
	to->pids = from->pids;
	for (size_t i = 0; i < from->n_custom; i++) {
		if (from->custom[i]->value < 0 || strlen(from->custom[i]->key) >= 64)
			return INVALID("hello.inventory.capacity.custom", "is out of range");
		to->custom[to->custom_count++] = (struct jv_custom_resource){
			.name = keep_text(event, from->custom[i]->key),
			.amount = from->custom[i]->value,
		};
	}
	qsort(to->custom, to->custom_count, sizeof(to->custom[0]), compare_custom);
	for (uint32_t i = 1; i < to->custom_count; i++)
		if (jv_bytes_equal(to->custom[i - 1].name, to->custom[i].name))
			return INVALID("hello.inventory.capacity.custom", "names a resource twice");
	return jv_ok();
}

static int compare_labels(const void *a, const void *b)
{
	return jv_bytes_compare(
		((const struct jv_label *)a)->key, ((const struct jv_label *)b)->key);
}

static struct jv_status keep_labels(
	struct jv_session_event *event, const Jarvis__V1__NodeInventory *inventory)
{
	struct jv_node_record *node = &event->node;

	for (size_t i = 0; i < inventory->n_labels; i++)
		node->labels[node->label_count++] = (struct jv_label){
			.key = keep_text(event, inventory->labels[i]->key),
			.value = keep_text(event, inventory->labels[i]->value),
		};
	qsort(node->labels, node->label_count, sizeof(node->labels[0]), compare_labels);
	for (uint32_t i = 1; i < node->label_count; i++)
		if (jv_bytes_equal(node->labels[i - 1].key, node->labels[i].key))
			return INVALID("hello.inventory.labels", "names a label twice");
	return jv_ok();
}

static struct jv_status keep_inventory(
	struct jv_session_event *event, const Jarvis__V1__NodeInventory *inventory)
{
	struct jv_node_record *node = &event->node;
	size_t size;
	uint8_t *packed;

	if (inventory == NULL)
		return INVALID("hello.inventory", "is missing");
	if (inventory->n_labels > JV_LABELS_MAX || inventory->n_executors > JV_EXECUTORS_MAX ||
		inventory->n_images > JV_IMAGES_MAX)
		return INVALID("hello.inventory",
			"has more than %d labels, %d executors or %d images", JV_LABELS_MAX,
			JV_EXECUTORS_MAX, JV_IMAGES_MAX);
	if (inventory->attempts_max < 0)
		return INVALID("hello.inventory.attempts_max", "must be 0 or more");
	size = protobuf_c_message_get_packed_size(&inventory->base);
	if (size > INVENTORY_BYTES_MAX)
		return INVALID("hello.inventory", "takes %zu bytes; at most %zu are allowed", size,
			INVENTORY_BYTES_MAX);
	JV_TRY(keep_capacity(event, inventory->capacity));
	JV_TRY(keep_labels(event, inventory));
	for (size_t i = 0; i < inventory->n_executors; i++)
		node->executors[node->executor_count++] = keep_text(event, inventory->executors[i]);
	packed = jv_arena_alloc(&event->arena, size);
	protobuf_c_message_pack(&inventory->base, packed);
	node->inventory = jv_bytes_of(packed, size);
	node->attempts_max = (uint32_t)inventory->attempts_max;
	return jv_ok();
}

/* What the API says of them, so that no client is told otherwise. */
static bool result_in_range(const Jarvis__V1__AttemptResult *result)
{
	const Jarvis__V1__ResourceUsage *usage = result->usage;

	if (result->exit_code < 0 || result->exit_code > EXIT_CODE_MAX || result->signal < 0 ||
		result->signal > SIGNAL_MAX)
		return false;
	return usage == NULL ||
		(usage->cpu_micros >= 0 && usage->memory_peak_bytes >= 0 &&
			usage->throttled_periods >= 0 && usage->oom_kills >= 0);
}

static struct jv_status keep_report(struct jv_session_event *event,
	const Jarvis__V1__AttemptReport *from, struct jv_attempt_report *to)
{
	const Jarvis__V1__AttemptResult *result = from->result;

	JV_TRY(jv_id_parse(from->task_id, "report.task_id", &to->task));
	if (from->attempt < 1 || from->phase < (int)JV_PHASE_STARTING ||
		from->phase > (int)JV_PHASE_FINISHED || from->log_bytes < 0)
		return INVALID("report", "is out of range");
	if (strlen(from->progress) > PROGRESS_MAX)
		return INVALID("report.progress", "is longer than %d bytes", PROGRESS_MAX);
	if ((from->phase == (int)JV_PHASE_FINISHED) != (result != NULL))
		return INVALID(
			"report.result", "must be set if and only if the attempt has finished");
	to->attempt = (uint32_t)from->attempt;
	to->phase = (enum jv_attempt_phase)from->phase;
	to->start_ms = time_kept(from->start_time_ms);
	to->finish_ms = time_kept(from->finish_time_ms);
	to->log_bytes = from->log_bytes;
	if (to->phase == JV_PHASE_STARTING)
		to->progress = keep_text(event, from->progress);
	if (result == NULL)
		return jv_ok();
	if (!result_in_range(result))
		return INVALID(
			"report.result", "has an exit code, a signal or a usage out of range");
	if (result->failure_reason < 0 || result->failure_reason > (int)JV_FAILURE_LAST ||
		strlen(result->message) > MESSAGE_MAX)
		return INVALID("report.result", "is out of range");
	to->failure = (enum jv_failure)result->failure_reason;
	to->exit_code = result->exit_code;
	to->signal = result->signal;
	to->stopped = result->stopped;
	to->message = keep_text(event, result->message);
	if (result->usage != NULL)
		to->usage = (struct jv_usage){
			.cpu_micros = result->usage->cpu_micros,
			.memory_peak_bytes = result->usage->memory_peak_bytes,
			.throttled_periods = result->usage->throttled_periods,
			.oom_kills = result->usage->oom_kills,
		};
	return jv_ok();
}

static struct jv_status check_hello(const Jarvis__V1__Hello *hello)
{
	if (hello->protocol_version != PROTOCOL_VERSION)
		return jv_error(JV_FAILED_PRECONDITION,
			"the worker speaks version %d of the protocol, this server version %d; "
			"install the same release of both",
			(int)hello->protocol_version, PROTOCOL_VERSION);
	if (!node_name_valid(hello->node))
		return INVALID("hello.node",
			"\"%.80s\" is no node name: use 1 to %d of a-z, 0-9, . and -", hello->node,
			JV_NODE_NAME_MAX - 1);
	if (hello->worker_id.len != 16 || hello->boot_id.len != 16)
		return INVALID("hello.worker_id", "worker_id and boot_id must have 16 bytes");
	if (hello->n_attempts > REPORTS_MAX)
		return INVALID("hello.attempts", "has more than %d entries", REPORTS_MAX);
	return jv_ok();
}

static struct jv_status make_open(
	struct jv_api *api, struct jv_session_event *event, const Jarvis__V1__Hello *hello)
{
	struct jv_event_session_open *open = &event->event.open;
	struct jv_attempt_report *reports;

	JV_TRY(check_hello(hello));
	event->node.name = keep_text(event, hello->node);
	memcpy(event->node.worker_id, hello->worker_id.data, 16);
	memcpy(event->node.boot_id, hello->boot_id.data, 16);
	JV_TRY(keep_inventory(event, hello->inventory));
	open->node = &event->node;
	open->dial_ms = hello->dial_time_ms > 0 ? hello->dial_time_ms : 0;
	open->life = hello->life > 0 ? hello->life : 0;
	open->same_cluster =
		jv_bytes_equal(jv_bytes_of(hello->cluster_id.data, hello->cluster_id.len),
			jv_bytes_of(api->cluster_id, JV_CLUSTER_ID_SIZE));
	reports = jv_arena_calloc(&event->arena, hello->n_attempts + 1, sizeof(*reports));
	for (size_t i = 0; i < hello->n_attempts; i++)
		JV_TRY(keep_report(event, hello->attempts[i], &reports[i]));
	open->reports = reports;
	open->report_count = (uint32_t)hello->n_attempts;
	return jv_ok();
}

static struct jv_status make_report(
	struct jv_session_event *event, const Jarvis__V1__AttemptReport *report)
{
	if (report->n_more > REPORTS_MORE_MAX)
		return INVALID("report.more", "has more than %d entries", REPORTS_MORE_MAX);
	return keep_report(event, report, &event->event.report.report);
}

struct jv_status jv_session_event_report(
	uint64_t session, const Jarvis__V1__AttemptReport *report, struct jv_session_event **made)
{
	struct jv_session_event *event = new_event(JV_EVENT_SESSION_REPORT);
	struct jv_status status = report->n_more == 0
		? make_report(event, report)
		: INVALID("report.more", "has an entry with entries of its own");

	event->event.report.session = session;
	if (jv_is_ok(&status))
		*made = event;
	else
		jv_session_event_free(event);
	return status;
}

static struct jv_status make_log(struct jv_session_event *event, const Jarvis__V1__AttemptLog *log)
{
	struct jv_log_record *record = &event->event.log.chunk;
	const Jarvis__V1__LogChunk *chunk = log->chunk;

	JV_TRY(jv_id_parse(log->task_id, "log.task_id", &record->task));
	if (chunk == NULL || chunk->attempt < 1 || chunk->offset < 0 ||
		chunk->offset > LOG_OFFSET_MAX || chunk->data.len == 0 ||
		chunk->data.len > LOG_CHUNK_MAX ||
		chunk->stream < JARVIS__V1__LOG_STREAM__LOG_STREAM_STDOUT ||
		chunk->stream > JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR)
		return INVALID("log.chunk", "is out of range");
	record->attempt = (uint32_t)chunk->attempt;
	record->offset = chunk->offset;
	record->stream = (uint8_t)chunk->stream;
	record->truncated = chunk->truncated;
	record->time_ms = time_kept(jv_convert_time_ms(chunk->time));
	record->data.size = chunk->data.len;
	record->data.data = (const uint8_t *)jv_arena_copy_bytes(
		&event->arena, jv_bytes_of(chunk->data.data, chunk->data.len));
	return jv_ok();
}

static enum jv_event_kind kind_of(const Jarvis__V1__SessionRequest *message)
{
	switch (message->message_case) {
	case JARVIS__V1__SESSION_REQUEST__MESSAGE_HELLO:
		return JV_EVENT_SESSION_OPEN;
	case JARVIS__V1__SESSION_REQUEST__MESSAGE_REPORT:
		return JV_EVENT_SESSION_REPORT;
	case JARVIS__V1__SESSION_REQUEST__MESSAGE_LOG:
		return JV_EVENT_SESSION_LOG;
	case JARVIS__V1__SESSION_REQUEST__MESSAGE_HEARTBEAT:
	case JARVIS__V1__SESSION_REQUEST__MESSAGE__NOT_SET:
	case _JARVIS__V1__SESSION_REQUEST__MESSAGE__CASE_IS_INT_SIZE:
	default:
		return JV_EVENT_SESSION_HEARTBEAT;
	}
}

struct jv_status jv_session_event_new(struct jv_api *api, uint64_t session,
	const Jarvis__V1__SessionRequest *message, struct jv_session_event **made)
{
	struct jv_session_event *event;
	struct jv_status status = jv_ok();

	if (message->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE__NOT_SET)
		return INVALID(
			"message", "is missing, or of a kind that this server does not know");
	event = new_event(kind_of(message));
	switch (event->event.kind) {
	case JV_EVENT_SESSION_OPEN:
		event->event.open.session = session;
		status = make_open(api, event, message->hello);
		break;
	case JV_EVENT_SESSION_REPORT:
		event->event.report.session = session;
		status = make_report(event, message->report);
		break;
	case JV_EVENT_SESSION_LOG:
		event->event.log.session = session;
		status = make_log(event, message->log);
		break;
	case JV_EVENT_SESSION_HEARTBEAT:
		event->event.heartbeat.session = session;
		event->event.heartbeat.sequence = message->heartbeat->sequence;
		break;
	case JV_EVENT_SUBMIT:
	case JV_EVENT_CANCEL:
	case JV_EVENT_EXPLAIN:
	case JV_EVENT_NODES:
	case JV_EVENT_STATS:
	case JV_EVENT_SESSION_CLOSE:
	case JV_EVENT_SWEEP:
	case JV_EVENT_DIRECTIVE:
	case JV_EVENT_PUBLISHED:
	default:
		JV_UNREACHABLE();
	}
	if (!jv_is_ok(&status)) {
		jv_session_event_free(event);
		return status;
	}
	*made = event;
	return jv_ok();
}

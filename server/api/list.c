#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "server/api/convert.h"
#include "server/api/filter.h"
#include "server/api/handlers.h"
#include "server/api/read.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000
/* Memory of the specs that are read for the sake of the filter, so that a page that finds nothing
 * does not hold the thread. */
#define SCAN_BYTES_MAX ((int64_t)16 << 20)

/* Newest first over live and done tasks: two cursors going backward, joined by id. */
struct walk {
	struct jv_cursor *live;
	struct jv_cursor *done;
};

struct listing {
	struct jv_api *api;
	struct jv_arena *arena;
	const struct jv_snapshot *snapshot;
	const Jarvis__V1__TaskFilter *filter;
	Jarvis__V1__ListTasksResponse response;
	size_t page;
	size_t arena_max; /* of arena->used; then the page is full */
	int64_t scans_left;
	int64_t scan_bytes_left;
	struct jv_status status;
};

static void walk_open(struct walk *walk, struct listing *listing, uint64_t newest)
{
	struct jv_buffer key = {0};

	walk->live = jv_cursor_open(listing->api->store, listing->snapshot);
	jv_key_live(&key, newest);
	jv_cursor_seek(walk->live, jv_buffer_bytes(&key), true);
	walk->done = jv_cursor_open(listing->api->store, listing->snapshot);
	jv_key_done(&key, newest);
	jv_cursor_seek(walk->done, jv_buffer_bytes(&key), true);
	jv_buffer_deinit(&key);
}

static struct jv_status walk_close(struct walk *walk)
{
	struct jv_status live = jv_cursor_close(walk->live);
	struct jv_status done = jv_cursor_close(walk->done);

	return jv_is_ok(&live) ? done : live;
}

/* The id under the cursor; 0 if the cursor has left its kind. */
static uint64_t id_at(const struct jv_cursor *cursor, enum jv_record_kind kind,
	struct jv_bytes *key, struct jv_bytes *value)
{
	struct jv_reader reader;

	if (!jv_cursor_read(cursor, key, value) || key->size != 9 || key->data[0] != (uint8_t)kind)
		return 0;
	reader = jv_reader_of(jv_bytes_of(key->data + 1, 8));
	return jv_get_key_u64(&reader);
}

/* Whether the task's spec passes the filter, in memory of its own: the call's is for the answer. */
static bool spec_wanted(struct listing *listing, uint64_t task)
{
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_arena arena;
	bool wanted;

	if (!jv_filter_needs_spec(listing->filter))
		return true;
	jv_arena_init(&arena, 0, 0);
	listing->status = jv_read_spec(listing->api, listing->snapshot, task, &arena, &spec);
	wanted = jv_is_ok(&listing->status) && jv_filter_spec(listing->filter, spec);
	listing->scan_bytes_left -= (int64_t)arena.used;
	jv_arena_deinit(&arena);
	return wanted;
}

/* Adds the task to the page if it passes the filter. False if the page is full now. */
static bool add(struct listing *listing, const struct jv_task_record *record)
{
	Jarvis__V1__TaskSpec *spec = NULL;
	Jarvis__V1__Task *task;

	if (!jv_filter_record(listing->filter, record) || !spec_wanted(listing, record->id))
		return jv_is_ok(&listing->status);
	listing->status =
		jv_read_spec(listing->api, listing->snapshot, record->id, listing->arena, &spec);
	if (!jv_is_ok(&listing->status))
		return false;
	task = jv_convert_task(listing->arena, record, spec);
	if (task == NULL) {
		listing->status = jv_answer_too_large();
		return false;
	}
	listing->response.tasks[listing->response.n_tasks++] = task;
	return listing->response.n_tasks < listing->page &&
		listing->arena->used < listing->arena_max;
}

/* One step back: the newer of the two cursors' tasks. Returns its id, 0 at the end. */
static uint64_t step(struct walk *walk, struct listing *listing, bool *more)
{
	struct jv_bytes live_key, live_value, done_key, done_value;
	uint64_t live = id_at(walk->live, JV_RECORD_LIVE, &live_key, &live_value);
	uint64_t done = id_at(walk->done, JV_RECORD_DONE, &done_key, &done_value);
	bool take_live = live > done;
	struct jv_task_record record;

	JV_ASSERT(live != done || live == 0);
	if (live == 0 && done == 0)
		return 0;
	listing->status = take_live ? jv_task_decode(live_key, live_value, &record)
				    : jv_task_decode(done_key, done_value, &record);
	*more = jv_is_ok(&listing->status) && add(listing, &record) && listing->scan_bytes_left > 0;
	jv_cursor_step(take_live ? walk->live : walk->done, true);
	return take_live ? live : done;
}

static void fill(struct listing *listing, uint64_t newest)
{
	struct walk walk;
	uint64_t id = newest;
	bool more = true;

	walk_open(&walk, listing, newest);
	while (more && id != 0 && listing->scans_left-- > 0)
		id = step(&walk, listing, &more);
	struct jv_status closed = walk_close(&walk);
	if (jv_is_ok(&listing->status))
		listing->status = closed;
	/* The task after the last one looked at; id 1 was the first ever. */
	if (id <= 1 || !jv_is_ok(&listing->status))
		return;
	listing->response.next_page_token = jv_arena_printf(
		listing->arena, "%" PRIx64 "-%" PRIx64, id - 1, jv_filter_hash(listing->filter));
	if (listing->response.next_page_token == NULL)
		listing->status = jv_answer_too_large();
}

/* A number as the token has it: digits only. Moves behind it. */
static bool take_hex(const char **at, uint64_t *number)
{
	static const char digits[] = "0123456789abcdef";
	size_t count = strspn(*at, digits);

	*number = 0;
	if (count == 0 || count > 16)
		return false;
	for (; count > 0; count--)
		*number = *number << 4 | (uint64_t)(strchr(digits, *(*at)++) - digits);
	return true;
}

/* Token: the next id and the filter's hash, in hexadecimal. */
static struct jv_status parse_token(const Jarvis__V1__ListTasksRequest *request, uint64_t *newest)
{
	const char *at = request->page_token;
	uint64_t hash = 0;

	*newest = UINT64_MAX;
	if (at[0] == '\0')
		return jv_ok();
	if (!take_hex(&at, newest) || *newest == 0 || *at++ != '-' || !take_hex(&at, &hash) ||
		*at != '\0')
		return jv_field_error(
			JV_INVALID_ARGUMENT, "page_token", "is none that this server gave");
	if (hash != jv_filter_hash(request->filter))
		return jv_field_error(JV_INVALID_ARGUMENT, "page_token",
			"belongs to another filter; start again without it");
	return jv_ok();
}

static struct jv_status check(const Jarvis__V1__ListTasksRequest *request, uint64_t *newest)
{
	JV_TRY(jv_filter_check(request->filter));
	if (request->page_size < 0 || request->page_size > PAGE_MAX)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "page_size", "must be from 0 to %d", PAGE_MAX);
	return parse_token(request, newest);
}

static void list_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__ListTasksRequest *request = (const void *)rpc->request;
	struct jv_api *api = rpc->edge->api;
	struct listing listing = {
		.api = api,
		.arena = &rpc->arena,
		.filter = request->filter,
		.response = JARVIS__V1__LIST_TASKS_RESPONSE__INIT,
		.page = request->page_size == 0 ? PAGE_DEFAULT : (size_t)request->page_size,
		.scans_left = api->limits->list_scan_max,
		.scan_bytes_left = SCAN_BYTES_MAX,
	};
	struct jv_snapshot *snapshot;
	uint64_t newest = 0;

	listing.status = check(request, &newest);
	if (jv_is_ok(&listing.status)) {
		listing.response.tasks =
			jv_arena_calloc(&rpc->arena, listing.page, sizeof(Jarvis__V1__Task *));
		if (listing.response.tasks == NULL)
			listing.status = jv_answer_too_large();
	}
	if (!jv_is_ok(&listing.status)) {
		jv_rpc_finish(rpc, listing.status);
		return;
	}
	listing.arena_max = rpc->arena.used + jv_answer_bytes_max(api);
	listing.response.revision = atomic_load(&api->durable_revision);
	snapshot = jv_snapshot_open(api->store);
	listing.snapshot = snapshot;
	fill(&listing, newest);
	jv_snapshot_close(api->store, snapshot);
	if (jv_is_ok(&listing.status))
		jv_rpc_send(rpc, &listing.response.base);
	else
		jv_rpc_finish(rpc, listing.status);
}

const struct jv_handler jv_handler_list_tasks = {
	.path = "/jarvis.v1.Scheduler/ListTasks",
	.start = list_start,
};

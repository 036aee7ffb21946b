#include "server/api/list.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "server/api/convert.h"
#include "server/api/filter.h"
#include "server/api/handlers.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000
/* Memory of the specs that are read for the sake of the filter, so that a page that finds nothing
 * does not hold the thread. */
#define SCAN_BYTES_MAX ((int64_t)16 << 20)
/* A look at a task costs as much as so many steps in the index. */
#define LOOK_STEPS 4
/* The longest suffix of an entry: a name, its end, a number. */
#define SUFFIX_MAX (JV_TASK_NAME_MAX + 9)

/* Whether the task's spec passes the filter, in memory of its own: the call's is for the answer. */
static bool spec_wanted(struct jv_listing *listing, uint64_t task)
{
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_arena arena;
	bool wanted;

	if (!jv_filter_needs_spec(listing->filter))
		return true;
	jv_arena_init(&arena, 0, 0);
	listing->status = jv_read_spec(listing->api, listing->walk.snapshot, task, &arena, &spec);
	wanted = jv_is_ok(&listing->status) && jv_filter_spec(listing->filter, spec);
	listing->scan_bytes_left -= (int64_t)arena.used;
	jv_arena_deinit(&arena);
	return wanted;
}

static void append(struct jv_listing *listing, const struct jv_task_record *record)
{
	Jarvis__V1__TaskSpec *spec = NULL;
	Jarvis__V1__Task *task;

	listing->status = jv_read_spec(
		listing->api, listing->walk.snapshot, record->id, listing->arena, &spec);
	if (!jv_is_ok(&listing->status))
		return;
	task = jv_convert_task(listing->arena, record, spec);
	if (task == NULL)
		listing->status = jv_answer_too_large();
	else
		listing->response.tasks[listing->response.n_tasks++] = task;
}

void jv_listing_add(struct jv_listing *listing, uint64_t id)
{
	const struct jv_task_record *record = &listing->read.record;
	struct jv_status status =
		jv_read_task(listing->api, listing->walk.snapshot, id, &listing->read);

	listing->walk.steps_left -= LOOK_STEPS;
	/* An entry that was left behind. */
	if (status.code == JV_NOT_FOUND)
		return;
	listing->status = status;
	if (!jv_is_ok(&status) || !jv_filter_record(listing->filter, record) ||
		(listing->without_priority && record->priority != 0) || !spec_wanted(listing, id))
		return;
	append(listing, record);
}

bool jv_listing_over(const struct jv_listing *listing)
{
	return !jv_is_ok(&listing->status) || !jv_is_ok(&listing->walk.status) ||
		listing->response.n_tasks >= listing->page ||
		listing->arena->used >= listing->arena_max || listing->walk.steps_left <= 0 ||
		listing->scan_bytes_left <= 0;
}

/* What a token belongs to: with another filter or order it means nothing. */
static uint64_t hash_of(const struct jv_listing *listing)
{
	return jv_filter_hash(listing->filter) + 2 * (uint64_t)listing->field +
		listing->walk.backward;
}

/* Token: the phase, `i` and a number or `e` and the suffix of an entry, in hexadecimal, and the
 * hash of what it belongs to. */
static char *make_token(struct jv_listing *listing, const struct jv_list_place *place)
{
	char hex[2 * SUFFIX_MAX + 1];

	if (!place->by_entry)
		return jv_arena_printf(listing->arena, "%ui%" PRIx64 "-%" PRIx64, place->phase,
			place->id, hash_of(listing));
	JV_ASSERT(place->suffix.size <= SUFFIX_MAX);
	jv_hex_encode(place->suffix, hex);
	return jv_arena_printf(
		listing->arena, "%ue%s-%" PRIx64, place->phase, hex, hash_of(listing));
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

static bool take_suffix(const char **at, struct jv_arena *arena, struct jv_bytes *suffix)
{
	size_t digits = strspn(*at, "0123456789abcdef");
	char text[2 * SUFFIX_MAX + 1];
	uint8_t *bytes;

	/* An entry has something in front of its number. */
	if (digits % 2 != 0 || digits <= 16 || digits > 2 * SUFFIX_MAX)
		return false;
	memcpy(text, *at, digits);
	text[digits] = '\0';
	*at += digits;
	bytes = jv_arena_alloc(arena, digits / 2);
	*suffix = jv_bytes_of(bytes, digits / 2);
	return bytes != NULL && jv_hex_decode(text, bytes, digits / 2);
}

static bool take_place(const char **at, struct jv_listing *listing, struct jv_list_place *place)
{
	uint8_t phases = listing->field == JV_LIST_PRIORITY ? 3 : 1;
	char phase = *(*at)++;

	if (phase < '0' || phase >= '0' + phases)
		return false;
	place->phase = (uint8_t)(phase - '0');
	place->by_entry = **at == 'e';
	if (**at != 'e' && **at != 'i')
		return false;
	(*at)++;
	if (!place->by_entry)
		return take_hex(at, &place->id) && place->id != 0;
	/* The second part of the order by priority is by number. */
	if (place->phase == 1)
		return false;
	return listing->field != JV_LIST_SUBMIT_TIME &&
		take_suffix(at, listing->arena, &place->suffix);
}

static struct jv_status parse_token(
	struct jv_listing *listing, const char *token, struct jv_list_place *place)
{
	uint64_t hash = 0;

	*place = (struct jv_list_place){.id = listing->walk.backward ? UINT64_MAX : 1};
	if (token[0] == '\0')
		return jv_ok();
	if (!take_place(&token, listing, place) || *token++ != '-' || !take_hex(&token, &hash) ||
		*token != '\0')
		return jv_field_error(
			JV_INVALID_ARGUMENT, "page_token", "is none that this server gave");
	if (hash != hash_of(listing))
		return jv_field_error(JV_INVALID_ARGUMENT, "page_token",
			"belongs to another filter or order; start again without it");
	return jv_ok();
}

static struct jv_status parse_order(struct jv_listing *listing, const char *text)
{
	static const char *const fields[] = {"submit_time", "finish_time", "priority", "name"};
	size_t size = strcspn(text, " ");
	const char *direction = text + size + strspn(text + size, " ");

	listing->walk.backward = text[0] == '\0' || strcmp(direction, "desc") == 0;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strlen(fields[i]) != size || strncmp(fields[i], text, size) != 0)
			continue;
		listing->field = (enum jv_list_field)i;
		if (listing->walk.backward || direction[0] == '\0' || strcmp(direction, "asc") == 0)
			return jv_ok();
	}
	if (text[0] == '\0')
		return jv_ok();
	return jv_field_error(JV_INVALID_ARGUMENT, "order_by",
		"must be submit_time, finish_time, priority or name, with asc or desc behind it");
}

static struct jv_status check(struct jv_listing *listing,
	const Jarvis__V1__ListTasksRequest *request, struct jv_list_place *place)
{
	JV_TRY(jv_filter_check(request->filter));
	if (request->page_size < 0 || request->page_size > PAGE_MAX)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "page_size", "must be from 0 to %d", PAGE_MAX);
	JV_TRY(parse_order(listing, request->order_by));
	JV_TRY(parse_token(listing, request->page_token, place));
	listing->response.tasks =
		jv_arena_calloc(listing->arena, listing->page, sizeof(Jarvis__V1__Task *));
	return listing->response.tasks == NULL ? jv_answer_too_large() : jv_ok();
}

static void fill(struct jv_listing *listing, struct jv_list_place *place)
{
	listing->arena_max = listing->arena->used + jv_answer_bytes_max(listing->api);
	listing->status = jv_read_meta(listing->api, listing->walk.snapshot, &listing->meta);
	if (!jv_is_ok(&listing->status))
		return;
	jv_listing_bound(listing);
	if (!jv_is_ok(&listing->status))
		return;
	if (listing->field == JV_LIST_SUBMIT_TIME)
		jv_listing_by_id(listing, place);
	else
		jv_listing_by_order(listing, place);
	if (jv_is_ok(&listing->status))
		listing->status = listing->walk.status;
	if (!jv_is_ok(&listing->status) || place->id == 0)
		return;
	listing->response.next_page_token = make_token(listing, place);
	if (listing->response.next_page_token == NULL)
		listing->status = jv_answer_too_large();
}

static void list_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__ListTasksRequest *request = (const void *)rpc->request;
	struct jv_api *api = rpc->edge->api;
	struct jv_arena scratch;
	struct jv_listing listing = {
		.api = api,
		.arena = &rpc->arena,
		.filter = request->filter,
		.walk = {.store = api->store,
			.arena = &scratch,
			.steps_left = api->limits->list_scan_max},
		.response = JARVIS__V1__LIST_TASKS_RESPONSE__INIT,
		.page = request->page_size == 0 ? PAGE_DEFAULT : (size_t)request->page_size,
		.scan_bytes_left = SCAN_BYTES_MAX,
	};
	struct jv_list_place place;
	struct jv_snapshot *snapshot;

	listing.status = check(&listing, request, &place);
	if (!jv_is_ok(&listing.status)) {
		jv_rpc_finish(rpc, listing.status);
		return;
	}
	listing.response.revision = atomic_load(&api->durable_revision);
	jv_arena_init(&scratch, 0, 0);
	snapshot = jv_snapshot_open(api->store);
	listing.walk.snapshot = snapshot;
	fill(&listing, &place);
	jv_snapshot_close(api->store, snapshot);
	jv_arena_deinit(&scratch);
	jv_task_read_deinit(&listing.read);
	if (jv_is_ok(&listing.status))
		jv_rpc_send(rpc, &listing.response.base);
	else
		jv_rpc_finish(rpc, listing.status);
}

const struct jv_handler jv_handler_list_tasks = {
	.path = "/jarvis.v1.Scheduler/ListTasks",
	.min_revision = offsetof(Jarvis__V1__ListTasksRequest, min_revision),
	.start = list_start,
};

#include "server/api/ids.h"

#include <string.h>

#include "base/assert.h"

#define KEY_MAX 18
#define ID_SIZE 8
/* With more parts, a look at the task itself is cheaper. */
#define UNION_ASKED_MAX 4

enum kind { RANGE, PAGES, UNION, INTERSECTION, WITHOUT };

struct jv_ids {
	struct jv_ids_walk *walk;
	enum kind kind;
	struct jv_ids **parts; /* all but RANGE */
	size_t count;
	/* RANGE, PAGES: the keys that begin with these bytes and end with a number. */
	uint8_t prefix[KEY_MAX];
	size_t prefix_size;
	struct jv_cursor *cursor;
	bool placed;
	uint64_t at; /* of the cursor, if placed; 0: the end */
	/* PAGES: the record under the cursor. */
	struct jv_placed_record page;
};

/* Whether the first comes before the second, or is it, in the direction of the walk. */
static bool reaches(const struct jv_ids_walk *walk, uint64_t from, uint64_t id)
{
	return walk->backward ? id <= from : id >= from;
}

static void note(struct jv_ids_walk *walk, struct jv_status status)
{
	if (jv_is_ok(&walk->status))
		walk->status = status;
}

uint64_t jv_ids_next(const struct jv_ids_walk *walk, uint64_t id)
{
	JV_ASSERT(id != 0);
	return walk->backward ? id - 1 : id + 1;
}

static struct jv_ids *ids_new(struct jv_ids_walk *walk, enum kind kind)
{
	struct jv_ids *ids = jv_arena_calloc(walk->arena, 1, sizeof(*ids));

	if (ids == NULL)
		return NULL;
	ids->walk = walk;
	ids->kind = kind;
	return ids;
}

/* key: of any number; all but that is the prefix. */
static struct jv_ids *range_new(struct jv_ids_walk *walk, struct jv_buffer *key)
{
	struct jv_ids *ids = ids_new(walk, RANGE);

	JV_ASSERT(key->size > ID_SIZE && key->size <= KEY_MAX);
	if (ids != NULL) {
		ids->prefix_size = key->size - ID_SIZE;
		memcpy(ids->prefix, key->data, ids->prefix_size);
	}
	jv_buffer_deinit(key);
	return ids;
}

struct jv_ids *jv_ids_live(struct jv_ids_walk *walk)
{
	struct jv_buffer key = {0};

	jv_key_live(&key, 0);
	return range_new(walk, &key);
}

struct jv_ids *jv_ids_done(struct jv_ids_walk *walk)
{
	struct jv_buffer key = {0};

	jv_key_done(&key, 0);
	return range_new(walk, &key);
}

struct jv_ids *jv_ids_placed(struct jv_ids_walk *walk)
{
	struct jv_buffer key = {0};

	jv_key_placed(&key, 0);
	struct jv_ids *ids = range_new(walk, &key);
	if (ids != NULL)
		ids->kind = PAGES;
	return ids;
}

struct jv_ids *jv_ids_term(struct jv_ids_walk *walk, struct jv_term term)
{
	struct jv_buffer key = {0};

	jv_key_term(&key, term, 0);
	return range_new(walk, &key);
}

static struct jv_ids *compound_new(
	struct jv_ids_walk *walk, enum kind kind, struct jv_ids *const *parts, size_t count)
{
	struct jv_ids *ids = ids_new(walk, kind);

	JV_ASSERT(count > 0);
	if (ids == NULL)
		return NULL;
	ids->parts = jv_arena_alloc(walk->arena, count * sizeof(parts[0]));
	if (ids->parts == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (parts[i] == NULL)
			return NULL;
		ids->parts[ids->count++] = parts[i];
	}
	return ids;
}

struct jv_ids *jv_ids_union(struct jv_ids_walk *walk, struct jv_ids *const *parts, size_t count)
{
	return count == 1 ? parts[0] : compound_new(walk, UNION, parts, count);
}

struct jv_ids *jv_ids_intersection(
	struct jv_ids_walk *walk, struct jv_ids *const *parts, size_t count)
{
	return count == 1 ? parts[0] : compound_new(walk, INTERSECTION, parts, count);
}

struct jv_ids *jv_ids_without(struct jv_ids_walk *walk, struct jv_ids *of, struct jv_ids *excluded)
{
	struct jv_ids *const parts[] = {of, excluded};

	return compound_new(walk, WITHOUT, parts, 2);
}

struct jv_ids *jv_ids_all(struct jv_ids_walk *walk)
{
	struct jv_ids *const parts[] = {jv_ids_live(walk), jv_ids_done(walk)};

	return compound_new(walk, UNION, parts, 2);
}

static bool read_page(struct jv_ids_walk *walk, struct jv_bytes key, struct jv_bytes value,
	struct jv_placed_record *page)
{
	struct jv_status status = jv_placed_decode(key, value, page);

	note(walk, status);
	return jv_is_ok(&status);
}

/* Where the cursor stands: a number, or 0 outside of the range. */
static uint64_t read_at(struct jv_ids *ids)
{
	struct jv_bytes key, value;
	struct jv_reader reader;

	if (!jv_cursor_read(ids->cursor, &key, &value) || key.size != ids->prefix_size + ID_SIZE ||
		memcmp(key.data, ids->prefix, ids->prefix_size) != 0)
		return 0;
	if (ids->kind == PAGES)
		return read_page(ids->walk, key, value, &ids->page) ? ids->page.last : 0;
	reader = jv_reader_of(jv_bytes_of(key.data + ids->prefix_size, ID_SIZE));
	return jv_get_key_u64(&reader);
}

static void place(struct jv_ids *ids, uint64_t from)
{
	struct jv_buffer key = {0};

	if (ids->cursor == NULL)
		ids->cursor = jv_cursor_open(ids->walk->store, ids->walk->snapshot);
	jv_buffer_append(&key, ids->prefix, ids->prefix_size);
	jv_put_key_u64(&key, from);
	jv_cursor_seek(ids->cursor, jv_buffer_bytes(&key), ids->walk->backward);
	jv_buffer_deinit(&key);
	ids->placed = true;
	ids->walk->steps_left--;
	ids->at = read_at(ids);
}

static uint64_t seek_range(struct jv_ids *ids, uint64_t from)
{
	struct jv_ids_walk *walk = ids->walk;

	if (!ids->placed) {
		place(ids, from);
		return ids->at;
	}
	if (ids->at == 0 || reaches(walk, from, ids->at))
		return ids->at;
	/* Neighbours are near; the rest is a seek. */
	jv_cursor_step(ids->cursor, walk->backward);
	walk->steps_left--;
	ids->at = read_at(ids);
	if (ids->at != 0 && !reaches(walk, from, ids->at))
		place(ids, from);
	return ids->at;
}

static bool page_has(const struct jv_placed_record *page, uint64_t id)
{
	return (page->members >> id % JV_PLACED_PAGE & 1) != 0;
}

/* The first member of the page under the cursor that is `from` or behind it; 0: there is none. */
static uint64_t in_page(const struct jv_ids *ids, uint64_t from)
{
	uint64_t first = ids->page.last - (JV_PLACED_PAGE - 1);

	for (unsigned i = 0; i < JV_PLACED_PAGE; i++) {
		uint64_t id = ids->walk->backward ? ids->page.last - i : first + i;
		if (page_has(&ids->page, id) && reaches(ids->walk, from, id))
			return id;
	}
	return 0;
}

/* Of each page there is a record only if it has a member. */
static uint64_t seek_pages(struct jv_ids *ids, uint64_t from)
{
	uint64_t page = from | (JV_PLACED_PAGE - 1), next;

	if (seek_range(ids, page) == 0)
		return 0;
	uint64_t id = in_page(ids, from);
	if (id != 0 || ids->at != page)
		return id;
	next = ids->walk->backward ? page - JV_PLACED_PAGE : page + JV_PLACED_PAGE;
	if (!reaches(ids->walk, page, next))
		return 0;
	return seek_range(ids, next) == 0 ? 0 : in_page(ids, from);
}

static uint64_t seek_union(struct jv_ids *ids, uint64_t from)
{
	uint64_t best = 0;

	for (size_t i = 0; i < ids->count; i++) {
		uint64_t id = jv_ids_seek(ids->parts[i], from);
		if (id != 0 && (best == 0 || reaches(ids->walk, id, best)))
			best = id;
	}
	return best;
}

/* Each part in turn says how far to go at least, until all agree. */
static uint64_t seek_intersection(struct jv_ids *ids, uint64_t from)
{
	uint64_t id = from;
	size_t agreed = 0;

	for (size_t i = 0; agreed < ids->count && ids->walk->steps_left > 0;
		i = (i + 1) % ids->count) {
		uint64_t next = jv_ids_seek(ids->parts[i], id);
		if (next == 0)
			return 0;
		agreed = next == id ? agreed + 1 : 1;
		id = next;
	}
	return id;
}

static uint64_t seek_without(struct jv_ids *ids, uint64_t from)
{
	uint64_t id = jv_ids_seek(ids->parts[0], from);

	while (id != 0 && ids->walk->steps_left > 0 && jv_ids_seek(ids->parts[1], id) == id) {
		uint64_t next = jv_ids_next(ids->walk, id);
		id = next == 0 ? 0 : jv_ids_seek(ids->parts[0], next);
	}
	return id;
}

uint64_t jv_ids_seek(struct jv_ids *ids, uint64_t from)
{
	JV_ASSERT(from != 0);
	switch (ids->kind) {
	case RANGE:
		return seek_range(ids, from);
	case PAGES:
		return seek_pages(ids, from);
	case UNION:
		return seek_union(ids, from);
	case INTERSECTION:
		return seek_intersection(ids, from);
	case WITHOUT:
		return seek_without(ids, from);
	default:
		JV_UNREACHABLE();
	}
}

static bool range_has(const struct jv_ids *ids, uint64_t id)
{
	struct jv_ids_walk *walk = ids->walk;
	struct jv_buffer key = {0};
	struct jv_buffer value = {0};
	struct jv_placed_record page;
	struct jv_status status;
	bool has;

	jv_buffer_append(&key, ids->prefix, ids->prefix_size);
	jv_put_key_u64(&key, ids->kind == PAGES ? id | (JV_PLACED_PAGE - 1) : id);
	status = jv_store_get(walk->store, walk->snapshot, jv_buffer_bytes(&key), &value);
	has = jv_is_ok(&status);
	if (has && ids->kind == PAGES)
		has = read_page(walk, jv_buffer_bytes(&key), jv_buffer_bytes(&value), &page) &&
			page_has(&page, id);
	jv_buffer_deinit(&key);
	jv_buffer_deinit(&value);
	walk->steps_left--;
	if (status.code != JV_NOT_FOUND)
		note(walk, status);
	return has;
}

bool jv_ids_may_have(const struct jv_ids *ids, uint64_t id)
{
	switch (ids->kind) {
	case RANGE:
	case PAGES:
		return range_has(ids, id);
	case UNION:
	case INTERSECTION:
		if (ids->kind == UNION && ids->count > UNION_ASKED_MAX)
			return true;
		/* The first part that decides. */
		for (size_t i = 0; i < ids->count; i++)
			if (jv_ids_may_have(ids->parts[i], id) == (ids->kind == UNION))
				return ids->kind == UNION;
		return ids->kind == INTERSECTION;
	case WITHOUT:
		return jv_ids_may_have(ids->parts[0], id) && !jv_ids_may_have(ids->parts[1], id);
	default:
		JV_UNREACHABLE();
	}
}

void jv_ids_close(struct jv_ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		jv_ids_close(ids->parts[i]);
	if (ids->cursor == NULL)
		return;
	note(ids->walk, jv_cursor_close(ids->cursor));
	ids->cursor = NULL;
}

#include "storage/committer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/metric.h"
#include "storage/memory.h"
#include "testing/unit/base/death.h"
#include "testing/unit/storage/conformance.h"

#define TEXT(text) jv_bytes_of_text(text)

/* A store in front of another that counts commits, and stands still while its gate is shut. */
struct gated_store {
	struct jv_store store;
	struct jv_store *inner;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shut;
	bool waiting; /* a commit stands at the gate */
	uint32_t commits;
	uint32_t largest; /* operations of the largest commit */
};

static struct jv_status gated_commit(struct jv_store *store, const struct jv_batch *batch)
{
	struct gated_store *gated = (struct gated_store *)store;
	pthread_mutex_lock(&gated->lock);
	gated->waiting = true;
	pthread_cond_broadcast(&gated->changed);
	while (gated->shut)
		pthread_cond_wait(&gated->changed, &gated->lock);
	gated->waiting = false;
	gated->commits++;
	if (batch->count > gated->largest)
		gated->largest = batch->count;
	pthread_mutex_unlock(&gated->lock);
	return jv_store_commit(gated->inner, batch);
}

static const struct jv_store_operations gated_operations = {
	.name = "gated",
	.commit = gated_commit,
};

static void gate_init(struct gated_store *gated)
{
	*gated = (struct gated_store){.store = {&gated_operations}};
	gated->inner = jv_store_memory_open();
	pthread_mutex_init(&gated->lock, NULL);
	pthread_cond_init(&gated->changed, NULL);
}

static void gate_deinit(struct gated_store *gated)
{
	jv_store_close(gated->inner);
	pthread_cond_destroy(&gated->changed);
	pthread_mutex_destroy(&gated->lock);
}

static void gate_set(struct gated_store *gated, bool shut)
{
	pthread_mutex_lock(&gated->lock);
	gated->shut = shut;
	pthread_cond_broadcast(&gated->changed);
	pthread_mutex_unlock(&gated->lock);
}

static void gate_await(struct gated_store *gated)
{
	pthread_mutex_lock(&gated->lock);
	while (!gated->waiting)
		pthread_cond_wait(&gated->changed, &gated->lock);
	pthread_mutex_unlock(&gated->lock);
}

/* What the durable callback has said. */
struct heard {
	struct jv_store *inner;
	int64_t newest;
	uint32_t calls;
	bool disorder;
	bool early; /* a revision was called durable that the store did not have */
};

static void hear(void *context, int64_t revision)
{
	struct heard *heard = context;
	char key[32];
	struct jv_buffer value = {0};
	heard->disorder = heard->disorder || revision <= heard->newest;
	heard->newest = revision;
	heard->calls++;
	snprintf(key, sizeof(key), "k%08lld", (long long)revision);
	struct jv_status status = jv_store_get(heard->inner, NULL, TEXT(key), &value);
	heard->early = heard->early || status.code != JV_OK;
	jv_buffer_deinit(&value);
}

/* One transaction: a key of its own, and one that all overwrite. */
static void post(struct jv_committer *committer, struct jv_batch *batch, int64_t revision)
{
	char key[32];
	snprintf(key, sizeof(key), "k%08lld", (long long)revision);
	jv_batch_put(batch, TEXT(key), TEXT("v"));
	jv_batch_put(batch, TEXT("last"), TEXT(key));
	jv_committer_post(committer, batch, revision);
	assert_int_equal(batch->count, 0);
	assert_int_equal(batch->operations.size, 0);
}

static uint32_t count_keys(struct jv_store *store)
{
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	struct jv_bytes key, value;
	uint32_t count = 0;
	jv_cursor_seek(cursor, TEXT("k"), false);
	for (; jv_cursor_read(cursor, &key, &value); jv_cursor_step(cursor, false))
		count++;
	jv_expect_ok(jv_cursor_close(cursor));
	return count;
}

static void what_piles_up_during_a_sync_is_one_commit(void **state)
{
	(void)state;
	struct gated_store gated;
	struct jv_batch batch = {0};
	gate_init(&gated);
	struct heard heard = {.inner = gated.inner};
	gate_set(&gated, true);
	struct jv_committer *committer = jv_committer_start(&gated.store, hear, &heard);
	post(committer, &batch, 1);
	gate_await(&gated);
	for (int64_t revision = 2; revision <= 101; revision++)
		post(committer, &batch, revision);
	gate_set(&gated, false);
	jv_committer_stop(committer);
	assert_int_equal(gated.commits, 2);
	assert_int_equal(gated.largest, 200);
	assert_int_equal(heard.calls, 2);
	assert_int_equal(heard.newest, 101);
	assert_false(heard.disorder || heard.early);
	assert_int_equal(count_keys(gated.inner), 102);
	jv_store_expect(gated.inner, NULL, "last", "k00000101");
	jv_batch_deinit(&batch);
	gate_deinit(&gated);
}

static void stop_commits_what_is_left(void **state)
{
	(void)state;
	struct gated_store gated;
	struct jv_batch batch = {0};
	gate_init(&gated);
	struct heard heard = {.inner = gated.inner};
	struct jv_committer *committer = jv_committer_start(&gated.store, hear, &heard);
	for (int64_t revision = 1; revision <= 20000; revision++)
		post(committer, &batch, revision);
	jv_committer_stop(committer);
	assert_int_equal(heard.newest, 20000);
	assert_false(heard.disorder || heard.early);
	assert_int_equal(heard.calls, gated.commits);
	assert_int_equal(count_keys(gated.inner), 20001);
	jv_batch_deinit(&batch);
	gate_deinit(&gated);
}

static void a_committer_without_work_stops(void **state)
{
	(void)state;
	struct jv_store *store = jv_store_memory_open();
	struct heard heard = {.inner = store};
	jv_committer_stop(jv_committer_start(store, hear, &heard));
	assert_int_equal(heard.calls, 0);
	jv_store_close(store);
}

static void an_empty_transaction_is_durable_without_a_commit(void **state)
{
	(void)state;
	struct gated_store gated;
	struct jv_batch batch = {0};
	gate_init(&gated);
	struct heard heard = {.inner = gated.inner};
	struct jv_committer *committer = jv_committer_start(&gated.store, hear, &heard);
	jv_committer_post(committer, &batch, 7);
	jv_committer_stop(committer);
	assert_int_equal(gated.commits, 0);
	assert_int_equal(heard.calls, 1);
	assert_int_equal(heard.newest, 7);
	jv_batch_deinit(&batch);
	gate_deinit(&gated);
}

static void a_huge_pile_is_cut_into_several_commits(void **state)
{
	(void)state;
	static uint8_t megabyte[1 << 20];
	struct gated_store gated;
	struct jv_batch batch = {0};
	gate_init(&gated);
	struct heard heard = {.inner = gated.inner};
	gate_set(&gated, true);
	struct jv_committer *committer = jv_committer_start(&gated.store, hear, &heard);
	post(committer, &batch, 1);
	gate_await(&gated);
	for (int64_t revision = 2; revision <= 13; revision++) {
		jv_batch_put(&batch, TEXT("large"), jv_bytes_of(megabyte, sizeof(megabyte)));
		post(committer, &batch, revision);
	}
	gate_set(&gated, false);
	jv_committer_stop(committer);
	assert_int_equal(gated.commits, 1 + 3);
	assert_int_equal(heard.newest, 13);
	assert_false(heard.disorder || heard.early);
	jv_batch_deinit(&batch);
	gate_deinit(&gated);
}

static bool commit_here(struct jv_committer *committer, struct jv_batch *batch, int64_t revision)
{
	char key[32];
	snprintf(key, sizeof(key), "k%08lld", (long long)revision);
	jv_batch_put(batch, TEXT(key), TEXT("v"));
	return jv_committer_commit_here(committer, batch, revision);
}

static void a_poster_with_nothing_under_way_commits_itself(void **state)
{
	(void)state;
	struct gated_store gated;
	struct jv_batch batch = {0};
	gate_init(&gated);
	struct heard heard = {.inner = gated.inner};
	struct jv_committer *committer = jv_committer_start(&gated.store, hear, &heard);
	for (int64_t revision = 1; revision <= 100; revision++) {
		assert_true(commit_here(committer, &batch, revision));
		assert_int_equal(batch.count, 0);
	}
	assert_int_equal(gated.commits, 100);
	assert_int_equal(count_keys(gated.inner), 100);
	assert_int_equal(heard.calls, 0);
	jv_committer_stop(committer);
	jv_batch_deinit(&batch);
	gate_deinit(&gated);
}

static void one_commits_at_a_time(void **state)
{
	(void)state;
	struct gated_store gated;
	struct jv_batch batch = {0};
	gate_init(&gated);
	struct heard heard = {.inner = gated.inner};
	gate_set(&gated, true);
	struct jv_committer *committer = jv_committer_start(&gated.store, hear, &heard);
	post(committer, &batch, 1);
	gate_await(&gated);
	/* The committer is in its sync: the poster keeps what it has, and hands it over. */
	assert_false(commit_here(committer, &batch, 2));
	assert_int_equal(batch.count, 1);
	jv_committer_post(committer, &batch, 2);
	gate_set(&gated, false);
	/* A durable revision is heard of before long; then the store is the poster's again. */
	int64_t revision = 3;
	while (!commit_here(committer, &batch, revision)) {
		jv_batch_clear(&batch);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	assert_int_equal(gated.commits, 3);
	post(committer, &batch, 4);
	jv_committer_stop(committer);
	assert_int_equal(heard.newest, 4);
	assert_false(heard.disorder || heard.early);
	jv_batch_deinit(&batch);
	gate_deinit(&gated);
}

static void memory_is_used_again(void **state)
{
	(void)state;
	struct gated_store gated;
	struct jv_batch batch = {0};
	gate_init(&gated);
	struct heard heard = {.inner = gated.inner};
	struct jv_committer *committer = jv_committer_start(&gated.store, hear, &heard);
	bool recycled = false;
	/* Memory comes back some time after the commit; ten seconds are more than enough. */
	for (int64_t revision = 1; !recycled && revision <= 10000; revision++) {
		post(committer, &batch, revision);
		recycled = batch.operations.capacity > 0;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	jv_committer_stop(committer);
	assert_true(recycled);
	jv_batch_deinit(&batch);
	gate_deinit(&gated);
}

static void commits_are_counted(void **state)
{
	(void)state;
	struct jv_buffer text = {0};
	jv_metric_render(&text);
	const char *names[] = {"jarvis_commits_total ", "jarvis_commit_transactions_total ",
		"jarvis_commit_records_total ", "jarvis_commit_bytes_total ",
		"jarvis_commit_pending 0\n", "jarvis_commit_seconds_count "};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(jv_buffer_text(&text), names[i]));
	assert_null(strstr(jv_buffer_text(&text), "jarvis_commits_total 0\n"));
	jv_buffer_deinit(&text);
}

static void ignore(void *context, int64_t revision)
{
	(void)context;
	(void)revision;
}

static void commit_to_a_full_disk(void *context)
{
	struct jv_store *store = jv_store_memory_open();
	struct jv_batch batch = {0};
	(void)context;
	jv_store_memory_fail(store, JV_MEMORY_FAULT_FULL, 1);
	struct jv_committer *committer = jv_committer_start(store, ignore, NULL);
	post(committer, &batch, 1);
	for (int64_t revision = 2;; revision++)
		post(committer, &batch, revision);
}

static void a_failed_commit_ends_the_process_with_a_remedy(void **state)
{
	(void)state;
	struct jv_death death = jv_death_of(commit_to_a_full_disk, NULL);
	assert_int_equal(death.exit_code, 70);
	assert_non_null(strstr(death.text, "commit.failed"));
	assert_non_null(strstr(death.text, "fatal: a commit failed (RESOURCE_EXHAUSTED)"));
	assert_non_null(strstr(death.text, "Nothing that was acknowledged is lost"));
	assert_non_null(strstr(death.text, "start it again"));
}

static void post_the_same_revision_twice(void *context)
{
	struct jv_batch batch = {0};
	struct jv_committer *committer = jv_committer_start(context, ignore, NULL);
	jv_committer_post(committer, &batch, 1);
	jv_committer_post(committer, &batch, 1);
}

static void revisions_must_count_up(void **state)
{
	(void)state;
	struct jv_store *store = jv_store_memory_open();
	jv_death_expect_assert(post_the_same_revision_twice, store, "posted_revision");
	jv_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* The death tests fork, so they come before the first thread. */
		cmocka_unit_test(a_failed_commit_ends_the_process_with_a_remedy),
		cmocka_unit_test(revisions_must_count_up),
		cmocka_unit_test(what_piles_up_during_a_sync_is_one_commit),
		cmocka_unit_test(stop_commits_what_is_left),
		cmocka_unit_test(a_committer_without_work_stops),
		cmocka_unit_test(an_empty_transaction_is_durable_without_a_commit),
		cmocka_unit_test(a_huge_pile_is_cut_into_several_commits),
		cmocka_unit_test(a_poster_with_nothing_under_way_commits_itself),
		cmocka_unit_test(one_commits_at_a_time),
		cmocka_unit_test(memory_is_used_again),
		cmocka_unit_test(commits_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/mailbox.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/env.h"
#include "testing/unit/base/death.h"

#define SENDERS        4
#define MAILS_A_SENDER 5000
#define FOREVER        INT64_MAX

struct letter {
	struct jv_mail mail;
	int sender;
	int number;
};

static int64_t now_ms(void)
{
	return jv_env_system.monotonic_ms(&jv_env_system);
}

static struct letter *letter_of(struct jv_list *node)
{
	return JV_CONTAINER_OF(node, struct letter, mail.link);
}

static void a_full_box_refuses(void **state)
{
	(void)state;
	struct jv_mailbox box;
	struct letter letters[4];
	struct jv_list mails;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 2, NULL, NULL);
	assert_true(jv_mailbox_post(&box, &letters[0].mail));
	assert_true(jv_mailbox_post(&box, &letters[1].mail));
	assert_false(jv_mailbox_post(&box, &letters[2].mail));
	assert_true(jv_mailbox_post_always(&box, &letters[3].mail));
	assert_false(jv_mailbox_post(&box, &letters[2].mail));
	assert_int_equal(jv_mailbox_drain(&box, &mails), 3);
	assert_ptr_equal(letter_of(jv_list_pop_front(&mails)), &letters[0]);
	assert_ptr_equal(letter_of(jv_list_pop_front(&mails)), &letters[1]);
	assert_ptr_equal(letter_of(jv_list_pop_front(&mails)), &letters[3]);
	assert_int_equal(jv_mailbox_drain(&box, &mails), 0);
	assert_true(jv_list_empty(&mails));
	assert_true(jv_mailbox_post(&box, &letters[2].mail));
	assert_int_equal(jv_mailbox_drain(&box, &mails), 1);
	jv_mailbox_deinit(&box);
}

static void a_box_without_limit_takes_all(void **state)
{
	(void)state;
	static struct letter letters[10000];
	struct jv_mailbox box;
	struct jv_list mails;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 0, NULL, NULL);
	for (int i = 0; i < 10000; i++)
		assert_true(jv_mailbox_post(&box, &letters[i].mail));
	assert_int_equal(jv_mailbox_take(&box, &mails, 0), 10000);
	jv_mailbox_deinit(&box);
}

static void mail_goes_behind_what_the_list_holds(void **state)
{
	(void)state;
	struct letter first;
	struct letter second;
	struct jv_mailbox box;
	struct jv_list mails;
	jv_list_init(&mails);
	jv_list_push_back(&mails, &first.mail.link);
	jv_mailbox_init(&box, 0, NULL, NULL);
	assert_true(jv_mailbox_post(&box, &second.mail));
	assert_int_equal(jv_mailbox_drain(&box, &mails), 1);
	assert_ptr_equal(letter_of(mails.next), &first);
	assert_ptr_equal(letter_of(mails.previous), &second);
	jv_mailbox_deinit(&box);
}

static void a_closed_box_refuses_but_can_be_drained(void **state)
{
	(void)state;
	struct letter letters[2];
	struct jv_mailbox box;
	struct jv_list mails;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 0, NULL, NULL);
	assert_true(jv_mailbox_post(&box, &letters[0].mail));
	jv_mailbox_close(&box);
	jv_mailbox_close(&box);
	assert_false(jv_mailbox_post(&box, &letters[1].mail));
	assert_false(jv_mailbox_post_always(&box, &letters[1].mail));
	assert_int_equal(jv_mailbox_take(&box, &mails, FOREVER), 1);
	assert_int_equal(jv_mailbox_take(&box, &mails, FOREVER), 0);
	jv_mailbox_deinit(&box);
}

static void count_wake(void *context)
{
	(*(int *)context)++;
}

static void the_first_mail_alone_wakes(void **state)
{
	(void)state;
	int wakes = 0;
	struct letter letters[4];
	struct jv_mailbox box;
	struct jv_list mails;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 1, count_wake, &wakes);
	assert_true(jv_mailbox_post(&box, &letters[0].mail));
	assert_true(jv_mailbox_post_always(&box, &letters[1].mail));
	assert_false(jv_mailbox_post(&box, &letters[2].mail));
	assert_int_equal(wakes, 1);
	assert_int_equal(jv_mailbox_drain(&box, &mails), 2);
	assert_int_equal(wakes, 1);
	assert_true(jv_mailbox_post(&box, &letters[2].mail));
	assert_int_equal(wakes, 2);
	assert_int_equal(jv_mailbox_drain(&box, &mails), 1);
	jv_mailbox_close(&box);
	assert_false(jv_mailbox_post(&box, &letters[3].mail));
	assert_int_equal(wakes, 2);
	jv_mailbox_deinit(&box);
}

static void waiting_ends_at_the_deadline(void **state)
{
	(void)state;
	struct jv_mailbox box;
	struct jv_list mails;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 0, NULL, NULL);
	int64_t start = now_ms();
	assert_int_equal(jv_mailbox_take(&box, &mails, start + 30), 0);
	assert_true(now_ms() >= start + 30);
	assert_int_equal(jv_mailbox_take(&box, &mails, start), 0);
	assert_int_equal(jv_mailbox_take(&box, &mails, -1), 0);
	jv_mailbox_deinit(&box);
}

static void *close_later(void *context)
{
	usleep(20000);
	jv_mailbox_close(context);
	return NULL;
}

static void waiting_ends_at_the_close(void **state)
{
	(void)state;
	struct jv_mailbox box;
	struct jv_list mails;
	pthread_t closer;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 0, NULL, NULL);
	assert_int_equal(pthread_create(&closer, NULL, close_later, &box), 0);
	assert_int_equal(jv_mailbox_take(&box, &mails, FOREVER), 0);
	pthread_join(closer, NULL);
	jv_mailbox_deinit(&box);
}

struct sender {
	struct jv_mailbox *box;
	int index;
	pthread_t thread;
};

static void *send_all(void *context)
{
	const struct sender *sender = context;
	for (int i = 0; i < MAILS_A_SENDER; i++) {
		struct letter *letter = malloc(sizeof(*letter));
		letter->sender = sender->index;
		letter->number = i;
		while (!jv_mailbox_post(sender->box, &letter->mail))
			sched_yield();
	}
	return NULL;
}

/* Frees the mails; each sender's must come in the order of sending. */
static void read_mails(struct jv_list *mails, int next[SENDERS])
{
	struct jv_list *node;
	while ((node = jv_list_pop_front(mails)) != NULL) {
		struct letter *letter = letter_of(node);
		assert_int_equal(letter->number, next[letter->sender]);
		next[letter->sender]++;
		free(letter);
	}
}

static void receive_from_many(int64_t patience_ms)
{
	struct jv_mailbox box;
	struct sender senders[SENDERS];
	int next[SENDERS] = {0};
	struct jv_list mails;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 64, NULL, NULL);
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.box = &box, .index = i};
		pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
	}
	for (uint32_t left = SENDERS * MAILS_A_SENDER; left > 0;) {
		int64_t deadline = patience_ms == FOREVER ? FOREVER : now_ms() + patience_ms;
		uint32_t count = jv_mailbox_take(&box, &mails, deadline);
		assert_true(count <= 64);
		left -= count;
		read_mails(&mails, next);
	}
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		assert_int_equal(next[i], MAILS_A_SENDER);
	}
	jv_mailbox_close(&box);
	jv_mailbox_deinit(&box);
}

static void many_threads_lose_and_reorder_nothing(void **state)
{
	(void)state;
	receive_from_many(FOREVER);
	receive_from_many(1);
}

static void write_wake(void *context)
{
	char byte = 1;
	assert_int_equal(write(*(int *)context, &byte, 1), 1);
}

static void a_wake_by_descriptor_misses_nothing(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	struct jv_mailbox box;
	struct jv_list mails;
	jv_list_init(&mails);
	jv_mailbox_init(&box, 8, write_wake, &ends[1]);
	struct sender sender = {.box = &box};
	int next[SENDERS] = {0};
	pthread_create(&sender.thread, NULL, send_all, &sender);
	while (next[0] < MAILS_A_SENDER) {
		char byte;
		assert_int_equal(read(ends[0], &byte, 1), 1);
		jv_mailbox_drain(&box, &mails);
		read_mails(&mails, next);
	}
	pthread_join(sender.thread, NULL);
	jv_mailbox_deinit(&box);
	close(ends[0]);
	close(ends[1]);
}

static void deinit_full(void *context)
{
	struct letter letter;
	jv_mailbox_post(context, &letter.mail);
	jv_mailbox_deinit(context);
}

static void take_with_wake(void *context)
{
	struct jv_mailbox *box = context;
	struct jv_list mails;
	box->wake = write_wake;
	jv_mailbox_take(box, &mails, FOREVER);
}

static void misuse_is_noticed(void **state)
{
	(void)state;
	struct jv_mailbox box;
	jv_mailbox_init(&box, 0, NULL, NULL);
	jv_death_expect_assert(deinit_full, &box, "box->count == 0");
	jv_death_expect_assert(take_with_wake, &box, "box->wake == NULL");
	jv_mailbox_deinit(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misuse_is_noticed), /* first: it forks */
		cmocka_unit_test(a_full_box_refuses),
		cmocka_unit_test(a_box_without_limit_takes_all),
		cmocka_unit_test(mail_goes_behind_what_the_list_holds),
		cmocka_unit_test(a_closed_box_refuses_but_can_be_drained),
		cmocka_unit_test(the_first_mail_alone_wakes),
		cmocka_unit_test(waiting_ends_at_the_deadline),
		cmocka_unit_test(waiting_ends_at_the_close),
		cmocka_unit_test(many_threads_lose_and_reorder_nothing),
		cmocka_unit_test(a_wake_by_descriptor_misses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

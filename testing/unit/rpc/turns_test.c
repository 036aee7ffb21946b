#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/rpc/turns.h"

/* A call of these tests: who made it, and the how manieth it is. */
struct call {
	struct jv_list link;
	struct jv_grpc_peer *peer;
	char address[JV_GRPC_PEER_MAX];
	int number;
};

static struct call *call(struct jv_grpc_turns *turns, const char *address, int number)
{
	struct call *made = calloc(1, sizeof(*made));

	snprintf(made->address, sizeof(made->address), "%s", address);
	made->number = number;
	jv_list_init(&made->link);
	made->peer = jv_grpc_turns_enter(turns, address);
	jv_grpc_turns_wait(turns, made->peer, &made->link);
	return made;
}

static void end(struct jv_grpc_turns *turns, struct call *ended)
{
	jv_grpc_turns_leave(turns, ended->peer);
	free(ended);
}

static void next_is(struct jv_grpc_turns *turns, const char *address, int number)
{
	struct jv_list *link = jv_grpc_turns_next(turns);
	struct call *next;

	assert_non_null(link);
	next = JV_CONTAINER_OF(link, struct call, link);
	assert_string_equal(next->address, address);
	assert_int_equal(next->number, number);
	end(turns, next);
}

static void nobody_is_left(const struct jv_grpc_turns *turns)
{
	assert_int_equal(turns->waiting, 0);
	assert_null(turns->peers);
}

static void one_client_is_served_in_its_order(void **state)
{
	struct jv_grpc_turns turns;

	(void)state;
	jv_grpc_turns_init(&turns);
	assert_null(jv_grpc_turns_next(&turns));
	for (int i = 0; i < 100; i++)
		call(&turns, "ipv4:10.0.0.1:1", i);
	assert_int_equal(turns.waiting, 100);
	for (int i = 0; i < 100; i++)
		next_is(&turns, "ipv4:10.0.0.1:1", i);
	assert_null(jv_grpc_turns_next(&turns));
	nobody_is_left(&turns);
}

static void who_comes_after_a_flood_is_next(void **state)
{
	struct jv_grpc_turns turns;

	(void)state;
	jv_grpc_turns_init(&turns);
	for (int i = 0; i < 1000; i++)
		call(&turns, "ipv4:10.0.0.1:1", i);
	next_is(&turns, "ipv4:10.0.0.1:1", 0);
	call(&turns, "ipv4:10.0.0.2:1", 0);
	call(&turns, "ipv4:10.0.0.2:1", 1);
	next_is(&turns, "ipv4:10.0.0.1:1", 1);
	next_is(&turns, "ipv4:10.0.0.2:1", 0);
	next_is(&turns, "ipv4:10.0.0.1:1", 2);
	next_is(&turns, "ipv4:10.0.0.2:1", 1);
	for (int i = 3; i < 1000; i++)
		next_is(&turns, "ipv4:10.0.0.1:1", i);
	nobody_is_left(&turns);
}

static void many_connections_are_one_host(void **state)
{
	struct jv_grpc_turns turns;
	char address[64];

	(void)state;
	jv_grpc_turns_init(&turns);
	for (int i = 0; i < 50; i++) {
		snprintf(address, sizeof(address), "ipv6:%%5B::1%%5D:%d", 1000 + i);
		call(&turns, address, 0);
		call(&turns, address, 1);
	}
	call(&turns, "ipv4:10.0.0.2:1", 0);
	call(&turns, "ipv4:10.0.0.2:1", 1);
	next_is(&turns, "ipv6:%5B::1%5D:1000", 0);
	next_is(&turns, "ipv4:10.0.0.2:1", 0);
	next_is(&turns, "ipv6:%5B::1%5D:1001", 0);
	next_is(&turns, "ipv4:10.0.0.2:1", 1);
	for (int i = 2; i < 50; i++) {
		snprintf(address, sizeof(address), "ipv6:%%5B::1%%5D:%d", 1000 + i);
		next_is(&turns, address, 0);
	}
	next_is(&turns, "ipv6:%5B::1%5D:1000", 1);
	assert_int_equal(turns.waiting, 49);
	while (turns.waiting > 0) {
		struct jv_list *link = jv_grpc_turns_next(&turns);
		end(&turns, JV_CONTAINER_OF(link, struct call, link));
	}
	nobody_is_left(&turns);
}

static void calls_count_for_connection_and_host_until_they_end(void **state)
{
	struct jv_grpc_turns turns;
	struct jv_grpc_peer *first, *second, *local;

	(void)state;
	jv_grpc_turns_init(&turns);
	first = jv_grpc_turns_enter(&turns, "ipv4:10.0.0.1:1");
	second = jv_grpc_turns_enter(&turns, "ipv4:10.0.0.1:2");
	local = jv_grpc_turns_enter(&turns, "unix:");
	assert_ptr_equal(jv_grpc_turns_enter(&turns, "ipv4:10.0.0.1:1"), first);
	assert_ptr_equal(first->host, second->host);
	assert_int_equal(first->calls, 2);
	assert_int_equal(first->host->calls, 3);
	assert_int_equal(local->host->calls, 1);
	jv_grpc_turns_leave(&turns, first);
	jv_grpc_turns_leave(&turns, first);
	assert_int_equal(second->host->calls, 1);
	jv_grpc_turns_leave(&turns, second);
	jv_grpc_turns_leave(&turns, local);
	nobody_is_left(&turns);
}

static void who_gives_up_is_passed_by(void **state)
{
	struct jv_grpc_turns turns;
	struct call *gone, *also;

	(void)state;
	jv_grpc_turns_init(&turns);
	gone = call(&turns, "ipv4:10.0.0.1:1", 0);
	also = call(&turns, "ipv4:10.0.0.3:1", 0);
	call(&turns, "ipv4:10.0.0.2:1", 0);
	jv_grpc_turns_give_up(&turns, &gone->link);
	jv_grpc_turns_give_up(&turns, &also->link);
	/* One leaves while its host stands in the queue, the other stays. */
	end(&turns, also);
	next_is(&turns, "ipv4:10.0.0.2:1", 0);
	assert_null(jv_grpc_turns_next(&turns));
	end(&turns, gone);
	nobody_is_left(&turns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_client_is_served_in_its_order),
		cmocka_unit_test(who_comes_after_a_flood_is_next),
		cmocka_unit_test(many_connections_are_one_host),
		cmocka_unit_test(calls_count_for_connection_and_host_until_they_end),
		cmocka_unit_test(who_gives_up_is_passed_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

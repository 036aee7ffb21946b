/* What a client may send on one connection, however it comes in pieces. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "server/rpc/frames.h"

#define HEADERS_MAX 65536
#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8 };
enum { CONTINUATION = 9, END_HEADERS = 4, ACK = 1 };

struct client {
	struct jv_grpc_frames frames;
	int64_t now_ms;
	size_t piece; /* so many bytes come at once; 0: all */
};

/* NULL or why not, and from then on nothing more is asked. */
static const char *send_bytes(struct client *client, const void *data, size_t size)
{
	size_t piece = client->piece == 0 ? size : client->piece;
	const char *wrong = NULL;

	for (size_t at = 0; at < size && wrong == NULL; at += piece)
		wrong = jv_grpc_frames_take(&client->frames, HEADERS_MAX, client->now_ms,
			(const char *)data + at, size - at < piece ? size - at : piece);
	return wrong;
}

static const char *send_frame(struct client *client, int kind, int flags, size_t size)
{
	uint8_t *frame = calloc(1, 9 + size);
	const char *wrong;

	frame[0] = (uint8_t)(size >> 16);
	frame[1] = (uint8_t)(size >> 8);
	frame[2] = (uint8_t)size;
	frame[3] = (uint8_t)kind;
	frame[4] = (uint8_t)flags;
	frame[8] = 1;
	/* What is inside a frame is not looked at: here it looks like reset calls. */
	memset(frame + 9, RST_STREAM, size);
	wrong = send_bytes(client, frame, 9 + size);
	free(frame);
	return wrong;
}

static struct client connect_client(size_t piece)
{
	struct client client = {.now_ms = 1000000, .piece = piece};

	assert_null(send_bytes(&client, PREFACE, sizeof(PREFACE) - 1));
	assert_true(client.frames.in_frames);
	return client;
}

/* How many of these frames a client gets rid of at once. */
static int count(struct client *client, int kind, int flags, size_t size, int most)
{
	int sent = 0;

	while (sent < most && send_frame(client, kind, flags, size) == NULL)
		sent++;
	return sent;
}

static void test_calls_pass_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t piece = 0; piece < 40; piece++) {
		struct client client = connect_client(piece);
		assert_null(send_frame(&client, SETTINGS, 0, 12));
		for (int i = 0; i < 100; i++) {
			assert_null(send_frame(&client, HEADERS, END_HEADERS, 200));
			assert_null(send_frame(&client, DATA, 1, 3000));
			assert_null(send_frame(&client, WINDOW_UPDATE, 0, 4));
		}
		assert_int_equal(client.frames.size, 0);
		assert_int_equal(client.frames.left, 0);
	}
}

static void test_what_is_not_http2_is_not_judged(void **state)
{
	const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	struct client client = {.now_ms = 1};
	(void)state;
	assert_null(send_bytes(&client, hello, sizeof(hello)));
	assert_true(client.frames.foreign);
	/* From there on every byte passes. */
	assert_int_equal(count(&client, RST_STREAM, 0, 4, 100000), 100000);

	client = (struct client){.piece = 1};
	assert_null(send_bytes(&client, "PRI * HTTP/1.1\r\n", 16));
	assert_true(client.frames.foreign);
}

static void test_headers_end(void **state)
{
	struct client client = connect_client(7);
	(void)state;
	/* Exactly as many as are allowed, in two pieces; and again: nothing is left of the first.
	 */
	for (int i = 0; i < 3; i++) {
		assert_null(send_frame(&client, HEADERS, 0, HEADERS_MAX - 16384));
		assert_null(send_frame(&client, CONTINUATION, END_HEADERS, 16384));
	}
	assert_null(send_frame(&client, HEADERS, 0, HEADERS_MAX - 16384));
	assert_null(send_frame(&client, CONTINUATION, 0, 16384));
	assert_string_equal(send_frame(&client, CONTINUATION, 0, 1), "headers that are too long");
}

static void test_a_frame_of_headers_is_refused_before_it_comes(void **state)
{
	const uint8_t head[9] = {0xff, 0xff, 0xff, HEADERS, 0, 0, 0, 0, 1};
	struct client client = connect_client(0);
	(void)state;
	assert_string_equal(send_bytes(&client, head, sizeof(head)), "headers that are too long");
}

static void test_headers_in_crumbs(void **state)
{
	struct client client = connect_client(0);
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_null(send_frame(&client, HEADERS, 0, 1));
		assert_int_equal(count(&client, CONTINUATION, 0, 1, JV_GRPC_PIECES_MAX - 2),
			JV_GRPC_PIECES_MAX - 2);
		assert_null(send_frame(&client, CONTINUATION, END_HEADERS, 0));
	}
	assert_null(send_frame(&client, HEADERS, 0, 1));
	assert_int_equal(count(&client, CONTINUATION, 0, 0, 1000), JV_GRPC_PIECES_MAX - 1);
}

static void test_calls_that_are_reset(void **state)
{
	const int most = 2 * JV_GRPC_FRAMES_ALLOWED / JV_GRPC_FRAME_DEAR;
	struct client client = connect_client(0);
	(void)state;
	/* All of a connection's calls given up at once, twice, is no harm. */
	assert_true(most >= 2000);
	assert_int_equal(count(&client, RST_STREAM, 0, 4, 100000), most);
	/* A second later half as many are. */
	client.now_ms += 1000;
	assert_in_range(count(&client, RST_STREAM, 0, 4, 100000), most / 2 - 2, most / 2);
	/* And never more than at first, however long it was silent. */
	client.now_ms += (int64_t)1 << 40;
	assert_int_equal(count(&client, RST_STREAM, 0, 4, 100000), most);
}

static void test_frames_that_mean_nothing(void **state)
{
	const int kinds[] = {WINDOW_UPDATE, 2, 99, DATA};
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct client client = connect_client(0);
		assert_int_equal(
			count(&client, kinds[i], 0, 4, 10000000), 2 * JV_GRPC_FRAMES_ALLOWED);
	}
}

static void test_pings(void **state)
{
	struct client client = connect_client(0);
	(void)state;
	/* A client that measures, for a minute. */
	for (int i = 0; i < 60; i++) {
		assert_int_equal(count(&client, PING, 0, 8, 5000), 5000);
		client.now_ms += 1000;
	}
	assert_int_equal(count(&client, PING, ACK, 8, 100000), 100000);
	assert_in_range(count(&client, PING, 0, 8, 100000), 30000, 31000);
}

/* Hundreds of megabytes a second of whole messages are no attack. */
static void test_bulk(void **state)
{
	struct client client = connect_client(0);
	(void)state;
	for (int i = 0; i < 60; i++) {
		assert_int_equal(count(&client, DATA, 0, 16384, 3000), 3000);
		client.now_ms += 100;
	}
}

/* Whatever comes: no more is remembered than the struct, and no byte is taken for another's. */
static void test_garbage(void **state)
{
	unsigned seed = 7;
	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct client client = connect_client(0);
		uint8_t junk[512];
		for (size_t j = 0; j < sizeof(junk); j++)
			junk[j] = (uint8_t)rand_r(&seed);
		client.piece = (size_t)rand_r(&seed) % 20;
		send_bytes(&client, junk, sizeof(junk));
		assert_true(client.frames.size < 9);
		assert_true(client.frames.left < 1 << 24);
		assert_true(client.frames.pieces <= JV_GRPC_PIECES_MAX + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_pass_however_they_are_cut),
		cmocka_unit_test(test_what_is_not_http2_is_not_judged),
		cmocka_unit_test(test_headers_end),
		cmocka_unit_test(test_a_frame_of_headers_is_refused_before_it_comes),
		cmocka_unit_test(test_headers_in_crumbs),
		cmocka_unit_test(test_calls_that_are_reset),
		cmocka_unit_test(test_frames_that_mean_nothing),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

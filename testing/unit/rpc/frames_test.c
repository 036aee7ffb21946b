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
#define STREAMS_MAX 100
#define PREFACE     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8 };
enum { CONTINUATION = 9, END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

static struct jv_grpc_resets resets = {.lock = PTHREAD_MUTEX_INITIALIZER};
static const struct jv_grpc_bounds bounds = {
	.resets = &resets,
	.headers_max = HEADERS_MAX,
	.streams_max = STREAMS_MAX,
};

struct client {
	struct jv_grpc_frames frames;
	int64_t now_ms;
	size_t piece;    /* so many bytes come at once; 0: all */
	uint32_t stream; /* of the next frame */
	uint8_t fill;    /* of what is inside; 0: as in make_frame */
};

/* NULL or why not, and from then on nothing more is asked. */
static const char *send_bytes(struct client *client, const void *data, size_t size)
{
	size_t piece = client->piece == 0 ? size : client->piece;
	const char *wrong = NULL;

	for (size_t at = 0; at < size && wrong == NULL; at += piece)
		wrong = jv_grpc_frames_take(&client->frames, &bounds, client->now_ms,
			(const char *)data + at, size - at < piece ? size - at : piece);
	return wrong;
}

static uint8_t *make_frame(int kind, int flags, uint32_t stream, size_t size)
{
	uint8_t *frame = calloc(1, 9 + size);

	frame[0] = (uint8_t)(size >> 16);
	frame[1] = (uint8_t)(size >> 8);
	frame[2] = (uint8_t)size;
	frame[3] = (uint8_t)kind;
	frame[4] = (uint8_t)flags;
	frame[7] = (uint8_t)(stream >> 8);
	frame[8] = (uint8_t)stream;
	/* What is inside a frame is not looked at: here it looks like reset calls. */
	memset(frame + 9, RST_STREAM, size);
	return frame;
}

static const char *send_frame(struct client *client, int kind, int flags, size_t size)
{
	uint8_t *frame = make_frame(kind, flags, client->stream, size);
	const char *wrong;

	if (client->fill != 0)
		memset(frame + 9, client->fill, size);
	wrong = send_bytes(client, frame, 9 + size);
	free(frame);
	return wrong;
}

/* A call of one frame. */
static const char *send_call(struct client *client)
{
	client->stream += 2;
	return send_frame(client, HEADERS, END_HEADERS, 50);
}

/* What the server sends, in pieces too. */
static void answer(struct client *client, int kind, int flags, uint32_t stream, size_t size)
{
	uint8_t *frame = make_frame(kind, flags, stream, size);
	size_t piece = client->piece == 0 ? 9 + size : client->piece;

	for (size_t at = 0; at < 9 + size; at += piece)
		jv_grpc_frames_give(
			&client->frames, frame + at, 9 + size - at < piece ? 9 + size - at : piece);
	free(frame);
}

static struct client connect_client(size_t piece)
{
	struct client client = {.now_ms = 1000000, .piece = piece, .stream = 1};

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

static void disconnect(struct client *client)
{
	jv_grpc_frames_deinit(&client->frames);
	assert_null(client->frames.open.slots);
}

static void test_calls_pass_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t piece = 0; piece < 40; piece++) {
		struct client client = connect_client(piece);
		assert_null(send_frame(&client, SETTINGS, 0, 12));
		for (int i = 0; i < 3 * STREAMS_MAX; i++) {
			assert_null(send_call(&client));
			assert_null(send_frame(&client, DATA, END_STREAM, 3000));
			assert_null(send_frame(&client, WINDOW_UPDATE, 0, 4));
			answer(&client, HEADERS, END_HEADERS, client.stream, 30);
			answer(&client, DATA, 0, client.stream, 500);
			answer(&client, HEADERS, END_HEADERS | END_STREAM, client.stream, 10);
		}
		assert_int_equal(client.frames.in.size, 0);
		assert_int_equal(client.frames.in.left, 0);
		assert_int_equal(client.frames.open.count, 0);
		disconnect(&client);
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
	/* Few fields: each has a value of 95 bytes. */
	client.fill = 0x5f;
	/* Exactly as many as are allowed, in two pieces; and again: nothing is left of the first.
	 */
	for (int i = 0; i < 3; i++) {
		client.stream += 2;
		assert_null(send_frame(&client, HEADERS, 0, HEADERS_MAX - 16384));
		assert_null(send_frame(&client, CONTINUATION, END_HEADERS, 16384));
	}
	assert_null(send_frame(&client, HEADERS, 0, HEADERS_MAX - 16384));
	assert_null(send_frame(&client, CONTINUATION, 0, 16384));
	assert_string_equal(send_frame(&client, CONTINUATION, 0, 1), "headers that are too long");
	disconnect(&client);
}

static void test_a_frame_of_headers_is_refused_before_it_comes(void **state)
{
	const uint8_t head[9] = {0xff, 0xff, 0xff, HEADERS, 0, 0, 0, 0, 1};
	struct client client = connect_client(0);
	(void)state;
	assert_string_equal(send_bytes(&client, head, sizeof(head)), "headers that are too long");
	disconnect(&client);
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
	disconnect(&client);
}

/* A form of each kind, and how many fields they are; whatever the pieces are. */
static void test_fields_are_counted(void **state)
{
	const struct {
		const char *bytes;
		size_t size;
		uint32_t count;
	} forms[] = {
		{"\x82\xbe\xbe\xbe", 4, 4},
		/* Indexes of several bytes; then a size of the table. */
		{"\xff\x80\x01\x82\x3f\xe1\x1f\x82", 8, 4},
		/* Literals: new name, known name, a name with an index of two bytes. */
		{"\x40\x03xyz\x02\x82\x82\x82", 9, 2},
		{"\x04\x03\x82\x82\x82\x82", 6, 2},
		{"\x7f\x01\x01\x82\x0f\x10\x01\x82\x82", 9, 3},
		/* Empty names and values, and one of Huffman's code. */
		{"\x40\x00\x00\x00\x00\x00\x10\x00\x81\xff\x82", 11, 4},
		/* A value of 2 GiB takes all that comes. */
		{"\x00\x01x\x7f\xff\xff\xff\x7f\x82\x82\x82", 11, 1},
		{"\x00\x01x\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x82\x82", 15, 1},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		for (size_t piece = 1; piece <= forms[i].size; piece++) {
			struct jv_grpc_fields fields = {0};
			for (size_t at = 0; at < forms[i].size; at += piece)
				jv_grpc_fields_take(&fields, forms[i].bytes + at,
					forms[i].size - at < piece ? forms[i].size - at : piece);
			assert_int_equal(fields.count, forms[i].count);
		}
	}
}

static void test_headers_of_many_fields(void **state)
{
	const int most = HEADERS_MAX / JV_GRPC_FIELD_BYTES;
	struct client client = connect_client(0);
	(void)state;
	/* RST_STREAM is 3: a literal with a known name, whose value has 3 bytes; five bytes of
	 * priority are none. Those of each call are counted. */
	for (int i = 0; i < 3; i++) {
		client.stream += 2;
		assert_null(send_frame(&client, HEADERS, 0x20, (size_t)most / 2 * 5 + 5));
		assert_null(send_frame(&client, CONTINUATION, END_HEADERS, (size_t)most / 2 * 5));
	}
	/* And nothing else is. */
	assert_null(send_frame(&client, DATA, 0, 16000));
	client.stream += 2;
	assert_null(send_frame(&client, HEADERS, 0x20, (size_t)most / 2 * 5 + 5));
	assert_string_equal(send_frame(&client, CONTINUATION, 0, (size_t)most / 2 * 5 + 1),
		"headers with too many fields");
	disconnect(&client);
}

static void test_calls_that_are_reset(void **state)
{
	const int own = 2 * JV_GRPC_RESETS_OWN;
	const int all = 2 * JV_GRPC_RESETS_ALLOWED;
	struct client client = connect_client(0);
	struct client other = connect_client(0);
	(void)state;
	/* Who cancels ten thousand watches, or sets deadlines that thousands of calls miss, does no
	 * harm. */
	assert_int_equal(count(&client, RST_STREAM, 0, 4, 100000), own + all);
	/* It may have reset what it may; that is no reason to end it for anything else. */
	client = connect_client(0);
	resets.taken.amount = 0;
	for (int i = 0; i < own + all; i++) {
		client.stream += 2;
		assert_null(send_frame(&client, HEADERS, END_HEADERS, 50));
		assert_null(send_frame(&client, DATA, END_STREAM, 5));
		assert_null(send_frame(&client, RST_STREAM, 0, 4));
	}
	assert_int_equal(count(&client, DATA, 0, 5, 1000), 1000);
	/* When many do so at once each has still what is its own. */
	assert_int_equal(count(&other, RST_STREAM, 0, 4, 100000), own);
	/* A second later half as many are. */
	client.now_ms += 1000;
	assert_in_range(
		count(&client, RST_STREAM, 0, 4, 100000), (own + all) / 2, (own + all) / 2 + 1);
	/* And never more than at first, however long it was silent. */
	client.now_ms += (int64_t)1 << 40;
	assert_in_range(count(&client, RST_STREAM, 0, 4, 100000), own + all, own + all + 1);
	resets.taken.amount = 0;
	disconnect(&client);
}

/* However many calls a connection may have, all of them may be given up. */
static void test_all_calls_are_reset(void **state)
{
	const struct jv_grpc_bounds wide = {
		.resets = &resets, .headers_max = HEADERS_MAX, .streams_max = 100000};
	struct client client = connect_client(0);
	uint8_t *frame = make_frame(RST_STREAM, 0, 1, 4);
	(void)state;
	/* Even when the others have used up what all share. */
	resets.taken = (struct jv_grpc_taken){2 * JV_GRPC_RESETS_ALLOWED, client.now_ms};
	for (int i = 0; i < 200000; i++)
		assert_null(jv_grpc_frames_take(&client.frames, &wide, client.now_ms, frame, 13));
	assert_non_null(jv_grpc_frames_take(&client.frames, &wide, client.now_ms, frame, 13));
	resets.taken.amount = 0;
	free(frame);
}

static void test_calls_that_wait_for_no_answer(void **state)
{
	struct client client = connect_client(0);
	(void)state;
	/* A call is in progress until its end has been sent, whoever sends it and however often. */
	for (int i = 0; i < 1000; i++) {
		assert_null(send_call(&client));
		answer(&client, HEADERS, END_HEADERS, client.stream, 30);
		if (i % 3 == 0)
			assert_null(send_frame(&client, RST_STREAM, 0, 4));
		if (i % 3 != 1)
			answer(&client, RST_STREAM, 0, client.stream, 4);
		if (i % 3 == 1)
			answer(&client, DATA, END_STREAM, client.stream, 0);
	}
	assert_int_equal(client.frames.open.count, 0);
	for (int i = 0; i < 2 * STREAMS_MAX - 1; i++)
		assert_null(send_call(&client));
	/* More headers of one that has begun make no more of them. */
	assert_null(send_frame(&client, HEADERS, END_HEADERS | END_STREAM, 5));
	/* The end of one makes room for one. */
	answer(&client, HEADERS, END_HEADERS | END_STREAM, client.stream - 100, 10);
	answer(&client, RST_STREAM, 0, client.stream - 100, 4);
	assert_null(send_call(&client));
	assert_string_equal(send_call(&client), "too many calls in progress");
	disconnect(&client);
}

/* As a simple table has it. */
static void test_streams(void **state)
{
	struct jv_grpc_streams streams = {0};
	bool there[4096] = {false};
	uint32_t count = 0;
	unsigned seed = 11;
	(void)state;
	for (int i = 0; i < 200000; i++) {
		/* Times at which there are many, and times at which there are few. */
		uint32_t id = 1 + (uint32_t)rand_r(&seed) % 4095;
		bool wanted = rand_r(&seed) % 10 < (i / 20000 % 2 == 0 ? 7 : 1);
		if (wanted && !there[id])
			jv_grpc_streams_add(&streams, id);
		else if (!wanted)
			jv_grpc_streams_remove(&streams, id);
		count += (uint32_t)wanted - (uint32_t)there[id];
		there[id] = wanted;
		assert_int_equal(streams.count, count);
	}
	for (uint32_t id = 0; id < 4096; id++)
		jv_grpc_streams_remove(&streams, id);
	assert_int_equal(streams.count, 0);
	jv_grpc_streams_deinit(&streams);
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
		jv_grpc_frames_give(&client.frames, junk, sizeof(junk));
		assert_true(client.frames.in.size < 9 && client.frames.out.size < 9);
		assert_true(client.frames.in.left < 1 << 24 && client.frames.out.left < 1 << 24);
		assert_true(client.frames.pieces <= JV_GRPC_PIECES_MAX + 1);
		disconnect(&client);
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
		cmocka_unit_test(test_fields_are_counted),
		cmocka_unit_test(test_headers_of_many_fields),
		cmocka_unit_test(test_calls_that_are_reset),
		cmocka_unit_test(test_all_calls_are_reset),
		cmocka_unit_test(test_calls_that_wait_for_no_answer),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_frames_that_mean_nothing),
		cmocka_unit_test(test_pings),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

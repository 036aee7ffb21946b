/* Heads and bodies of HTTP/1.1: what is one request, and what could be taken for two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/rest/body.h"
#include "server/rest/head.h"

#define HEAD_MAX 300

static struct jv_head_field fields[JV_HEAD_FIELDS_MAX];
static char copy[100000];

/* Finds and parses; the status of the fault, 0 if the head is good, 1 if more is awaited. */
static unsigned parse(const char *text, struct jv_head *head)
{
	struct jv_head_scan scan = {0};
	struct jv_head_fault fault = {0};

	switch (jv_head_find(text, strlen(text), HEAD_MAX, &scan, &fault)) {
	case JV_HEAD_MORE:
		return 1;
	case JV_HEAD_BAD:
		return fault.status;
	case JV_HEAD_LINE_TOO_LONG:
		return 414;
	case JV_HEAD_TOO_LARGE:
		return 431;
	case JV_HEAD_WHOLE:
	default:
		break;
	}
	memcpy(copy, text + scan.start, scan.at - scan.start);
	copy[scan.at - scan.start] = '\0';
	return jv_head_parse(copy, scan.at - scan.start, fields, head, &fault) ? 0 : fault.status;
}

static void a_head_is_taken_apart(void **state)
{
	struct jv_head head;

	(void)state;
	assert_int_equal(parse("POST /a?b=c HTTP/1.1\r\nHost: x:1\r\nX-Empty:\r\n"
			       "content-LENGTH: \t 42 \t\r\nX-Two: a, b\r\nX-Utf: \xc3\xbc\r\n\r\n",
				 &head),
		0);
	assert_string_equal(head.verb, "POST");
	assert_string_equal(head.target, "/a?b=c");
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.field_count, 5);
	assert_int_equal(head.length, 42);
	assert_false(head.chunked);
	assert_true(head.keep_alive);
	assert_string_equal(jv_head_field(&head, "x-empty"), "");
	assert_string_equal(jv_head_field(&head, "X-UTF"), "\xc3\xbc");
	assert_null(jv_head_field(&head, "X-Three"));
}

static void blank_lines_may_be_in_front(void **state)
{
	struct jv_head head;

	(void)state;
	assert_int_equal(parse("\r\n\r\nGET / HTTP/1.0\r\n\r\n", &head), 0);
	assert_false(head.keep_alive);
	assert_int_equal(parse("\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", &head), 400);
}

static void connections_are_kept_as_they_say(void **state)
{
	static const struct {
		const char *text;
		bool kept;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: foo ,\tCLOSE , bar\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: a\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: closer\r\n\r\n", true},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
	};
	struct jv_head head;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text, &head), 0);
		if (head.keep_alive != rows[i].kept)
			fail_msg("%s", rows[i].text);
	}
}

#define GET  "GET / HTTP/1.1\r\nHost: x\r\n"
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

static const struct {
	const char *text;
	unsigned status;
} doubtful[] = {
	/* Where a request ends, two readers could disagree. */
	{POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
	{POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
	{POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n", 400},
	{POST "Content-Length: 5, 5\r\n\r\n", 400},
	{POST "Content-Length: +5\r\n\r\n", 400},
	{POST "Content-Length: -5\r\n\r\n", 400},
	{POST "Content-Length: 0x5\r\n\r\n", 400},
	{POST "Content-Length: 5 5\r\n\r\n", 400},
	{POST "Content-Length: \r\n\r\n", 400},
	{POST "Content-Length: 99999999999999999999\r\n\r\n", 400},
	{POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
	{POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
	{POST "Transfer-Encoding: xchunked\r\n\r\n", 501},
	{POST "Transfer-Encoding: chunked, identity\r\n\r\n", 501},
	{POST "Transfer-Encoding:\r\n\r\n", 501},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{POST "Content-Length : 5\r\n\r\n", 400},
	{POST "Content-Length\t: 5\r\n\r\n", 400},
	{POST " Content-Length: 5\r\n\r\n", 400},
	{POST "X: a\r\n b\r\n\r\n", 400},
	{POST "X: a\r\n\tb\r\n\r\n", 400},
	{POST "X: a\nContent-Length: 5\r\n\r\n", 400},
	{POST "X: a\rContent-Length: 5\r\n\r\n", 400},
	{"GET / HTTP/1.1\nHost: x\n\n", 400},
	{GET "\n", 400},
	{GET "\r\r\n", 400},
	{GET "X: \x01\r\n\r\n", 400},
	{GET "X: \x7f\r\n\r\n", 400},
	{GET "X\x80: a\r\n\r\n", 400},
	{GET "X(y): a\r\n\r\n", 400},
	{GET ": a\r\n\r\n", 400},
	{GET "no colon\r\n\r\n", 400},
	{GET "Host: y\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: user@x\r\n\r\n", 400},
	/* The request line. */
	{"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 505},
	{"GET / x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"GET /\tx HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"GET /#x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"GET /\r\n\r\n", 400},
	{"GET / http/1.1\r\nHost: x\r\n\r\n", 400},
	{"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505},
	{"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	{"G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{" GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
	{"\x16\x03\x01", 400},
	{"{", 400},
	{GET "Expect: a miracle\r\n\r\n", 417},
	/* So far it is good, and no more. */
	{"GE", 1},
	{GET "X: y\r\n", 1},
	{GET "X: y\r", 1},
};

static void what_is_doubtful_is_refused(void **state)
{
	struct jv_head head = {.field_count = 0};

	(void)state;
	memset(fields, 0xff, sizeof(fields));
	for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++) {
		unsigned status = parse(doubtful[i].text, &head);
		if (status != doubtful[i].status)
			fail_msg("%s: %u", doubtful[i].text, status);
		/* What it has of a refused one can be looked at. */
		assert_null(status > 1 ? jv_head_field(&head, "Nothing") : NULL);
	}
}

static void a_nul_does_not_end_it_early(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n";
	struct jv_head_scan scan = {0};
	struct jv_head_fault fault = {0};

	(void)state;
	assert_int_equal(
		jv_head_find(text, sizeof(text) - 1, HEAD_MAX, &scan, &fault), JV_HEAD_BAD);
}

static void heads_have_a_limit(void **state)
{
	char text[2 * HEAD_MAX] = GET "X: ";
	char line[2 * HEAD_MAX] = "GET /";
	struct jv_head head;
	struct jv_buffer many = {0};

	(void)state;
	memset(text + strlen(text), 'x', HEAD_MAX);
	assert_int_equal(parse(text, &head), 431);
	memset(line + strlen(line), 'x', HEAD_MAX);
	assert_int_equal(parse(line, &head), 414);
	jv_buffer_append_text(&many, "GET / HTTP/1.0\r\n");
	for (int i = 0; i < JV_HEAD_FIELDS_MAX + 1; i++)
		jv_buffer_append_text(&many, "X:\r\n");
	jv_buffer_append_text(&many, "\r\n");
	struct jv_head_scan scan = {0};
	struct jv_head_fault fault = {0};
	assert_int_equal(jv_head_find(many.data, many.size, 10000, &scan, &fault), JV_HEAD_WHOLE);
	memcpy(copy, jv_buffer_text(&many), many.size + 1);
	assert_false(jv_head_parse(copy, many.size, fields, &head, &fault));
	assert_int_equal(fault.status, 431);
	jv_buffer_deinit(&many);
}

/* A head that comes byte by byte is found at the same place. */
static void pieces_make_no_difference(void **state)
{
	static const char text[] = "\r\n" POST "Content-Length: 3\r\n\r\nabcGET ";
	struct jv_head_fault fault = {0};
	struct jv_head_scan scan = {0};
	size_t whole = strlen(text) - 7;

	(void)state;
	for (size_t size = 0; size < whole; size++)
		assert_int_equal(jv_head_find(text, size, HEAD_MAX, &scan, &fault), JV_HEAD_MORE);
	assert_int_equal(jv_head_find(text, whole, HEAD_MAX, &scan, &fault), JV_HEAD_WHOLE);
	assert_int_equal(scan.start, 2);
	assert_int_equal(scan.at, whole);
}

/* What a body comes to, in pieces of so many bytes; *rest: what it has left. */
static enum jv_body_state decode(const char *text, size_t piece, char *out, size_t *rest)
{
	struct jv_body body;
	size_t size = strlen(text);
	size_t at = 0;
	size_t end = 0;

	jv_body_init(&body, true, 0);
	out[0] = '\0';
	while (at < size && body.state != JV_BODY_DONE && body.state != JV_BODY_BAD) {
		const char *content;
		size_t content_size;
		size_t offered = size - at < piece ? size - at : piece;
		at += jv_body_take(&body, text + at, offered, &content, &content_size);
		memcpy(out + end, content == NULL ? "" : content, content_size);
		end += content_size;
		out[end] = '\0';
	}
	*rest = size - at;
	return body.state;
}

static void chunks_become_the_body(void **state)
{
	static const char text[] = "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET";
	char out[100];
	size_t rest;

	(void)state;
	for (size_t piece = 1; piece < 60; piece++) {
		assert_int_equal(decode(text, piece, out, &rest), JV_BODY_DONE);
		assert_string_equal(out, "abc0123456789");
		assert_int_equal(rest, 3);
	}
}

static void malformed_chunks_are_refused(void **state)
{
	static const char *const bad[] = {
		"\r\n",
		"x\r\n",
		"-1\r\n",
		"0x1\r\na\r\n",
		" 1\r\na\r\n",
		"1\na\r\n",
		"1\ra\r\n",
		"1\r\nab\r\n",
		"1\r\na\n",
		"1\r\na0\r\n\r\n",
		"1_0\r\n",
		"1;a\nb\r\n",
		"0\r\n\n",
		"0\r\nX: y\n\r\n",
		"0\r\n\rX",
		"1000000000000000\r\n",
		"ffffffffffffffffffff\r\n",
	};
	char out[100];
	size_t rest;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (decode(bad[i], 100, out, &rest) != JV_BODY_BAD)
			fail_msg("%s", bad[i]);
}

static void extensions_and_trailers_may_not_come_for_ever(void **state)
{
	char *text = calloc(1, 20000);
	char out[100];
	size_t rest;

	(void)state;
	memcpy(text, "1;", 2);
	memset(text + 2, 'x', 10000);
	assert_int_equal(decode(text, 1000, out, &rest), JV_BODY_BAD);
	memcpy(text, "0\r\n", 3);
	for (int i = 3; i < 10000; i += 4)
		memcpy(text + i, "X:\r\n", 4);
	assert_int_equal(decode(text, 1000, out, &rest), JV_BODY_BAD);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_taken_apart),
		cmocka_unit_test(blank_lines_may_be_in_front),
		cmocka_unit_test(connections_are_kept_as_they_say),
		cmocka_unit_test(what_is_doubtful_is_refused),
		cmocka_unit_test(a_nul_does_not_end_it_early),
		cmocka_unit_test(heads_have_a_limit),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(chunks_become_the_body),
		cmocka_unit_test(malformed_chunks_are_refused),
		cmocka_unit_test(extensions_and_trailers_may_not_come_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

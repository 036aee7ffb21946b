/*
 * A tiny HTTP/1.1 client over a blocking socket, for one test's thread.
 *
 * It sends what it is told to the byte, so that tests can be malformed on purpose, and reads
 * answers with a length, in chunks, or up to the end of the connection. Everything must come within
 * ten seconds.
 */
#ifndef JV_TESTING_EDGE_REST_CLIENT_H
#define JV_TESTING_EDGE_REST_CLIENT_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"

struct client {
	int fd;
	struct jv_buffer in; /* read, and not yet taken */
	size_t taken;
};

struct answer {
	int status;
	char *headers; /* all of them, as they came */
	struct jv_buffer body;
	bool chunked;
	bool closes; /* Connection: close */
};

void client_open(struct client *client, uint16_t port);
/* The same in two steps. */
void client_init(struct client *client);
void client_connect(struct client *client, uint16_t port);
/* The same from another address of the loopback, such as 127.0.0.2. */
void client_open_from(struct client *client, uint16_t port, const char *address);
void client_close(struct client *client);
void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const void *data, size_t size);
/* One request with a Host header; body NULL: none. headers: whole lines, or "". */
void client_request(struct client *client, const char *verb, const char *uri, const char *headers,
	const char *body);

/* Reads one answer with its body; free it with answer_free. */
void client_read(struct client *client, struct answer *answer);
/* The status line and the headers only. */
void client_read_head(struct client *client, struct answer *answer);
/* The next chunk, appended to the body; false: it was the last. */
bool client_read_chunk(struct client *client, struct answer *answer);
const char *answer_text(struct answer *answer);
void answer_free(struct answer *answer);
/* True if the server closes the connection within ten seconds without another byte. */
bool client_sees_end(struct client *client);

/* A connection, a request and its answer at once: status and body must be so; contains: the body
 * has this in it. */
void client_expect(uint16_t port, const char *verb, const char *uri, const char *body, int status,
	const char *contains);

#endif

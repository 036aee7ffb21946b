#include "testing/edge/rest/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 10

void client_init(struct client *client)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	*client = (struct client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_true(client->fd >= 0);
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void client_connect(struct client *client, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
		connect(client->fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

void client_open(struct client *client, uint16_t port)
{
	client_init(client);
	client_connect(client, port);
}

void client_open_from(struct client *client, uint16_t port, const char *from)
{
	struct sockaddr_in own = {.sin_family = AF_INET};

	client_init(client);
	assert_int_equal(inet_pton(AF_INET, from, &own.sin_addr), 1);
	assert_int_equal(bind(client->fd, (const struct sockaddr *)&own, sizeof(own)), 0);
	client_connect(client, port);
}

void client_close(struct client *client)
{
	close(client->fd);
	jv_buffer_deinit(&client->in);
}

void client_send_bytes(struct client *client, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t sent = send(client->fd, at, size, MSG_NOSIGNAL);
		assert_true(sent > 0);
		at += sent;
		size -= (size_t)sent;
	}
}

void client_send(struct client *client, const char *text)
{
	client_send_bytes(client, text, strlen(text));
}

void client_request(struct client *client, const char *verb, const char *uri, const char *headers,
	const char *body)
{
	struct jv_buffer out = {0};

	jv_buffer_printf(&out, "%s %s HTTP/1.1\r\nHost: test\r\n%s", verb, uri, headers);
	if (body != NULL)
		jv_buffer_printf(&out, "Content-Length: %zu\r\n", strlen(body));
	jv_buffer_append_text(&out, "\r\n");
	if (body != NULL)
		jv_buffer_append_text(&out, body);
	client_send_bytes(client, out.data, out.size);
	jv_buffer_deinit(&out);
}

/* Reads more; false at the end of the connection. */
static bool read_more(struct client *client)
{
	char data[16384];
	ssize_t size = recv(client->fd, data, sizeof(data), 0);

	if (size < 0)
		fail_msg("nothing comes from the server");
	jv_buffer_append(&client->in, data, (size_t)size);
	return size > 0;
}

static char *take_line(struct client *client)
{
	for (;;) {
		size_t left = client->in.size - client->taken;
		char *from = left == 0 ? NULL : (char *)client->in.data + client->taken;
		char *end = left == 0 ? NULL : memmem(from, left, "\r\n", 2);
		if (end != NULL) {
			client->taken += (size_t)(end - from) + 2;
			return strndup(from, (size_t)(end - from));
		}
		assert_true(read_more(client));
	}
}

static void take_bytes(struct client *client, size_t size, struct jv_buffer *out)
{
	while (client->in.size - client->taken < size)
		assert_true(read_more(client));
	jv_buffer_append(out, client->in.data + client->taken, size);
	client->taken += size;
}

void client_read_head(struct client *client, struct answer *answer)
{
	struct jv_buffer headers = {0};
	char *line;

	*answer = (struct answer){0};
	do {
		line = take_line(client);
		assert_int_equal(sscanf(line, "HTTP/1.%*d %d", &answer->status), 1);
		free(line);
		line = take_line(client);
		while (line[0] != '\0') {
			jv_buffer_printf(&headers, "%s\r\n", line);
			free(line);
			line = take_line(client);
		}
		free(line);
	} while (answer->status == 100);
	answer->headers = strdup(jv_buffer_text(&headers));
	answer->chunked = strcasestr(answer->headers, "transfer-encoding: chunked") != NULL;
	answer->closes = strcasestr(answer->headers, "connection: close") != NULL;
	jv_buffer_deinit(&headers);
}

bool client_read_chunk(struct client *client, struct answer *answer)
{
	char *line = take_line(client);
	size_t size = strtoul(line, NULL, 16);
	struct jv_buffer end = {0};

	free(line);
	take_bytes(client, size, &answer->body);
	take_bytes(client, 2, &end);
	jv_buffer_deinit(&end);
	return size > 0;
}

void client_read(struct client *client, struct answer *answer)
{
	const char *length;

	client_read_head(client, answer);
	length = strcasestr(answer->headers, "content-length: ");
	if (answer->chunked) {
		while (client_read_chunk(client, answer))
			continue;
	} else if (length != NULL) {
		take_bytes(client, strtoul(length + 16, NULL, 10), &answer->body);
	} else {
		while (read_more(client))
			continue;
		take_bytes(client, client->in.size - client->taken, &answer->body);
	}
}

const char *answer_text(struct answer *answer)
{
	return jv_buffer_text(&answer->body);
}

void answer_free(struct answer *answer)
{
	free(answer->headers);
	jv_buffer_deinit(&answer->body);
}

bool client_sees_end(struct client *client)
{
	char byte;

	/* A reset is an end too. */
	return client->in.size == client->taken && recv(client->fd, &byte, 1, 0) <= 0;
}

void client_expect(uint16_t port, const char *verb, const char *uri, const char *body, int status,
	const char *contains)
{
	struct client client;
	struct answer answer;

	client_open(&client, port);
	client_request(&client, verb, uri, "", body);
	client_read(&client, &answer);
	if (answer.status != status || strstr(answer_text(&answer), contains) == NULL)
		fail_msg("%s %s: %d %s", verb, uri, answer.status, answer_text(&answer));
	answer_free(&answer);
	client_close(&client);
}

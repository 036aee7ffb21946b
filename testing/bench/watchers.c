/* Watches, by a process of its own: each on a connection of its own, over raw HTTP/2, because a
 * thousand true clients would take more of the machine than what they measure. Says when all are
 * open, and how it was when each has seen so many changes. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "testing/bench/bench.h"

#define EVENTS          256
#define FRAME_HEADER    9
#define FRAME_DATA      0
#define FRAME_HEADERS   1
#define FRAME_RESET     3
#define FRAME_PING      6
#define FRAME_AWAY      7
#define FLAG_ACK        1
#define MESSAGE_HEADER  5
#define READ_BYTES      (256 << 10)
#define TAG_REVISION    (2 << 3)
#define TAG_CHANGES     (3 << 3 | 2)
#define TAG_TASK        (1 << 3 | 2)
#define WINDOW_INCREASE 0x7ffe0000

struct watcher {
	int fd;
	bool open;                /* has had its headers */
	struct jv_buffer frames;  /* what came and is no whole frame yet */
	struct jv_buffer message; /* the same of messages */
	int64_t revision;
	int64_t changes;
	bool wrong;
};

static uint32_t big_endian(const uint8_t *at, int size)
{
	uint32_t value = 0;

	for (int i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

static void frame(struct jv_buffer *out, uint8_t kind, uint8_t flags, uint32_t stream,
	struct jv_bytes content)
{
	uint32_t size = (uint32_t)content.size;

	jv_put_u8(out, (uint8_t)(size >> 16));
	jv_put_u8(out, (uint8_t)(size >> 8));
	jv_put_u8(out, (uint8_t)size);
	jv_put_u8(out, kind);
	jv_put_u8(out, flags);
	jv_put_key_u32(out, stream);
	jv_buffer_append(out, content.data, content.size);
}

/* A literal that nobody indexes. */
static void header(struct jv_buffer *out, const char *name, const char *value)
{
	jv_put_u8(out, 0);
	jv_put_u8(out, (uint8_t)strlen(name));
	jv_buffer_append_text(out, name);
	jv_put_u8(out, (uint8_t)strlen(value));
	jv_buffer_append_text(out, value);
}

/* Preface, settings with a window that never closes, and WatchTasks from a revision on. */
static void make_call(struct jv_buffer *out, int64_t from_revision)
{
	static const uint8_t settings[] = {0, 4, 0x7f, 0xff, 0xff, 0xff};
	struct jv_buffer headers = {0}, message = {0}, body = {0}, window = {0};

	jv_buffer_append_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame(out, 4, 0, 0, jv_bytes_of(settings, sizeof(settings)));
	frame(out, 4, FLAG_ACK, 0, jv_bytes_of(NULL, 0));
	jv_put_key_u32(&window, WINDOW_INCREASE);
	frame(out, 8, 0, 0, jv_buffer_bytes(&window));
	header(&headers, ":method", "POST");
	header(&headers, ":scheme", "http");
	header(&headers, ":path", "/jarvis.v1.Scheduler/WatchTasks");
	header(&headers, ":authority", "bench");
	header(&headers, "content-type", "application/grpc");
	header(&headers, "te", "trailers");
	frame(out, FRAME_HEADERS, 4, 1, jv_buffer_bytes(&headers));
	jv_put_u8(&message, TAG_REVISION);
	jv_put_varint(&message, (uint64_t)from_revision);
	jv_put_u8(&message, 4 << 3);
	jv_put_varint(&message, 10000);
	jv_put_u8(&body, 0);
	jv_put_key_u32(&body, (uint32_t)message.size);
	jv_buffer_append(&body, message.data, message.size);
	frame(out, FRAME_DATA, 1, 1, jv_buffer_bytes(&body));
	jv_buffer_deinit(&headers);
	jv_buffer_deinit(&message);
	jv_buffer_deinit(&body);
	jv_buffer_deinit(&window);
}

/* Task, then revision. */
static void see_change(struct watcher *watcher, struct jv_bytes change)
{
	struct jv_reader reader = jv_reader_of(change);
	int64_t revision;

	if (jv_get_u8(&reader) != TAG_TASK)
		reader.failed = true;
	jv_get_bytes(&reader);
	if (jv_get_u8(&reader) != TAG_REVISION)
		reader.failed = true;
	revision = (int64_t)jv_get_varint(&reader);
	if (reader.failed || revision <= watcher->revision)
		watcher->wrong = true;
	watcher->revision = revision;
	watcher->changes++;
}

static void see_message(struct watcher *watcher, struct jv_bytes message)
{
	struct jv_reader reader = jv_reader_of(message);

	while (jv_reader_left(&reader) > 0 && !reader.failed) {
		uint8_t tag = jv_get_u8(&reader);
		if (tag == TAG_CHANGES)
			see_change(watcher, jv_get_bytes(&reader));
		else if (tag == TAG_REVISION)
			jv_get_varint(&reader);
		else
			reader.failed = true;
	}
	if (reader.failed)
		watcher->wrong = true;
}

/* Takes the first so many bytes away. */
static void cut_front(struct jv_buffer *buffer, size_t size)
{
	memmove(buffer->data, buffer->data + size, buffer->size - size);
	buffer->size -= size;
}

static void see_data(struct watcher *watcher, struct jv_bytes data)
{
	struct jv_buffer *message = &watcher->message;
	size_t at = 0;

	jv_buffer_append(message, data.data, data.size);
	while (message->size - at >= MESSAGE_HEADER) {
		size_t size = big_endian(message->data + at + 1, 4);
		if (message->size - at < MESSAGE_HEADER + size)
			break;
		see_message(watcher, jv_bytes_of(message->data + at + MESSAGE_HEADER, size));
		at += MESSAGE_HEADER + size;
	}
	if (at > 0)
		cut_front(message, at);
}

static void see_frame(struct watcher *watcher, const uint8_t *at, struct jv_bytes content)
{
	struct jv_buffer answer = {0};

	switch (at[3]) {
	case FRAME_DATA:
		see_data(watcher, content);
		break;
	case FRAME_HEADERS:
		/* The second are trailers: the watch has ended. */
		watcher->wrong = watcher->wrong || watcher->open;
		watcher->open = true;
		break;
	case FRAME_PING:
		if (at[4] & FLAG_ACK)
			break;
		frame(&answer, FRAME_PING, FLAG_ACK, 0, content);
		if (send(watcher->fd, answer.data, answer.size, MSG_NOSIGNAL) < 0)
			watcher->wrong = true;
		jv_buffer_deinit(&answer);
		break;
	case FRAME_RESET:
	case FRAME_AWAY:
		watcher->wrong = true;
		break;
	default:
		break;
	}
}

static void see_bytes(struct watcher *watcher, struct jv_bytes bytes)
{
	struct jv_buffer *frames = &watcher->frames;
	size_t at = 0;

	jv_buffer_append(frames, bytes.data, bytes.size);
	while (frames->size - at >= FRAME_HEADER) {
		size_t size = big_endian(frames->data + at, 3);
		if (frames->size - at < FRAME_HEADER + size)
			break;
		see_frame(watcher, frames->data + at,
			jv_bytes_of(frames->data + at + FRAME_HEADER, size));
		at += FRAME_HEADER + size;
	}
	if (at > 0)
		cut_front(frames, at);
}

static void read_some(struct watcher *watcher)
{
	static uint8_t bytes[READ_BYTES];
	ssize_t size = recv(watcher->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (size > 0)
		see_bytes(watcher, jv_bytes_of(bytes, (size_t)size));
	else if (size == 0 || errno != EAGAIN)
		watcher->wrong = true;
}

static bool open_watcher(struct watcher *watcher, int port, struct jv_bytes call)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	watcher->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (watcher->fd >= 0 &&
		connect(watcher->fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
		send(watcher->fd, call.data, call.size, MSG_NOSIGNAL) == (ssize_t)call.size)
		return true;
	fprintf(stderr, "bench: a watch cannot be opened: %s\n", strerror(errno));
	return false;
}

/* What has been reached by all of them. */
struct progress {
	int open;
	int done;
	int wrong;
};

static struct progress measure(const struct watcher *watchers, int count, int64_t changes)
{
	struct progress progress = {0};

	for (int i = 0; i < count; i++) {
		progress.open += watchers[i].open;
		progress.done += watchers[i].changes >= changes;
		progress.wrong += watchers[i].wrong || watchers[i].changes > changes;
	}
	return progress;
}

static void follow(struct watcher *watchers, int epoll, int count, int64_t changes)
{
	struct epoll_event events[EVENTS];
	struct progress progress = {0};
	bool told = false;

	while (progress.done < count && progress.wrong == 0) {
		int ready = epoll_wait(epoll, events, EVENTS, 1000);
		for (int i = 0; i < ready; i++)
			read_some(events[i].data.ptr);
		progress = measure(watchers, count, changes);
		if (!told && progress.open == count) {
			told = true;
			puts("ready");
			fflush(stdout);
		}
	}
	printf("%d watches of %d have seen %lld changes, %d wrong\n", progress.done, count,
		(long long)changes, progress.wrong);
	fflush(stdout);
}

int bench_watchers(int port, int count, int64_t changes, int64_t from_revision)
{
	struct watcher *watchers = jv_calloc((size_t)count, sizeof(*watchers));
	struct jv_buffer call = {0};
	struct rlimit limit;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	make_call(&call, from_revision);
	for (int i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &watchers[i]};
		watchers[i].revision = from_revision;
		if (!open_watcher(&watchers[i], port, jv_buffer_bytes(&call)))
			return 1;
		epoll_ctl(epoll, EPOLL_CTL_ADD, watchers[i].fd, &event);
	}
	follow(watchers, epoll, count, changes);
	return 0;
}

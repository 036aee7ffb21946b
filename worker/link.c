#include "worker/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"

#define PAUSE_MS_MIN 200
#define PAUSE_MS_MAX 5000
/* A session that held so long was a good one: the next try comes soon. */
#define GOOD_MS 5000
/* An error that does not change is logged again so rarely. */
#define LOG_AGAIN_MS    60000
#define WRITE_QUEUE_MAX 1024
/* gRPC waits for no connection longer than this. */
#define CALLING_MS 10000
#define TOKEN_SIZE 8200

enum state { WAITING, CALLING, UP, ENDING };

struct jv_link {
	struct jv_link_options options;
	struct jv_cq *cq;
	struct jv_client *client;
	bool tried;           /* with this client */
	struct jv_call *call; /* NULL while WAITING */
	enum state state;
	bool finishing;
	bool closed; /* no more is sent in this call */
	struct jv_random random;
	int64_t due_ms; /* WAITING: next try; CALLING: give up */
	int64_t pause_ms;
	int64_t up_ms;
	int64_t logged_ms;
	char logged[128];
};

static int64_t now(const struct jv_link *link)
{
	return link->options.env->monotonic_ms(link->options.env);
}

static void call_started(struct jv_call *call)
{
	struct jv_link *link = jv_call_context(call);

	if (link->state != CALLING)
		return;
	link->state = UP;
	link->up_ms = now(link);
	link->logged[0] = '\0';
	JV_INFO("link.connected", JV_KV("server", link->options.server));
	link->options.events.up(link->options.events.context);
}

static void call_message(struct jv_call *call, const ProtobufCMessage *message)
{
	struct jv_link *link = jv_call_context(call);

	if (link->state == UP)
		link->options.events.message(link->options.events.context, (const void *)message);
}

static void pause_begin(struct jv_link *link)
{
	uint64_t half = (uint64_t)link->pause_ms / 2;

	link->due_ms = now(link) + (int64_t)(half + jv_random_below(&link->random, half + 1));
	link->pause_ms *= 2;
	if (link->pause_ms > PAUSE_MS_MAX)
		link->pause_ms = PAUSE_MS_MAX;
}

/* A server that is away for an hour is not worth a line a second. */
static void log_lost(struct jv_link *link, const struct jv_status *why)
{
	if (strncmp(link->logged, why->message, sizeof(link->logged) - 1) == 0 &&
		now(link) < link->logged_ms + LOG_AGAIN_MS)
		return;
	/* Zeroed at the start, so the last byte stays NUL. */
	memcpy(link->logged, why->message, sizeof(link->logged) - 1);
	link->logged_ms = now(link);
	JV_WARN("link.lost", JV_KV("server", link->options.server),
		JV_KV("code", jv_code_name(why->code)), JV_KV("error", why->message),
		JV_KI("retry_ms", link->due_ms - now(link)));
}

static void call_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct jv_link *link = jv_call_context(call);
	bool was_up = link->state == UP;
	bool dropped = link->state == ENDING;
	struct jv_status why = end->status;

	JV_ASSERT(link->call == call);
	if ((was_up || dropped) && now(link) - link->up_ms >= GOOD_MS)
		link->pause_ms = PAUSE_MS_MIN;
	link->call = NULL;
	link->state = WAITING;
	pause_begin(link);
	if (jv_is_ok(&why))
		why = jv_error(JV_UNAVAILABLE, "the server has ended the session");
	if (!dropped && !link->finishing)
		log_lost(link, &why);
	if (was_up)
		link->options.events.down(link->options.events.context);
}

static const struct jv_call_events call_events = {
	.started = call_started,
	.message = call_message,
	.ended = call_ended,
};

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* The first line of the file, in a buffer of size; it is nobody else's business. */
static struct jv_status read_token(const char *path, char *token, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t got;

	if (file == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "the token file %.200s cannot be read: %s",
			path, strerror(errno));
	/* No second copy in a buffer of stdio's. */
	setvbuf(file, NULL, _IONBF, 0);
	got = fread(token, 1, size - 1, file);
	fclose(file);
	token[got] = '\0';
	token[strcspn(token, "\r\n")] = '\0';
	if (token[0] == '\0')
		return jv_error(JV_INVALID_ARGUMENT,
			"the token file %.200s has no token in its first "
			"line",
			path);
	return jv_ok();
}

static struct jv_status open_client(struct jv_link *link, struct jv_client **client)
{
	struct jv_client_options options = link->options.client;
	char token[TOKEN_SIZE] = "";
	struct jv_status status = jv_ok();

	options.reconnect_backoff_ms_max = PAUSE_MS_MAX;
	options.write_queue_max = WRITE_QUEUE_MAX;
	options.user_agent = "jarvis-worker";
	if (is_set(link->options.token_file))
		status = read_token(link->options.token_file, token, sizeof(token));
	options.token = token;
	if (jv_is_ok(&status))
		status = jv_client_open(link->cq, link->options.server, &options, client);
	explicit_bzero(token, sizeof(token));
	return status;
}

/* Certificates and tokens are renewed while we run; files that cannot be read just now are no
 * reason to give up what worked. */
static void renew_client(struct jv_link *link)
{
	struct jv_client *client;
	struct jv_status status;

	if (!link->options.client.tls && !is_set(link->options.token_file))
		return;
	status = open_client(link, &client);
	if (!jv_is_ok(&status)) {
		log_lost(link, &status);
		return;
	}
	jv_client_close(link->client);
	link->client = client;
}

struct jv_status jv_link_open(
	struct jv_cq *cq, const struct jv_link_options *options, struct jv_link **opened)
{
	struct jv_link *link = jv_calloc(1, sizeof(*link));
	struct jv_status status;

	link->cq = cq;
	link->options = *options;
	status = open_client(link, &link->client);
	if (!jv_is_ok(&status)) {
		free(link);
		return status;
	}
	JV_ASSERT(options->method != NULL && options->method->client_streaming);
	link->options.server = jv_strdup(options->server);
	link->pause_ms = PAUSE_MS_MIN;
	jv_random_seed(&link->random, options->seed);
	*opened = link;
	return status;
}

int64_t jv_link_tick(struct jv_link *link)
{
	int64_t now_ms = now(link);

	if (link->state == WAITING && !link->finishing && now_ms >= link->due_ms) {
		link->state = CALLING;
		link->closed = false;
		link->due_ms = now_ms + CALLING_MS;
		if (link->tried)
			renew_client(link);
		link->tried = true;
		link->call = jv_call_start(
			link->client, link->options.method, NULL, 0, &call_events, link);
	} else if (link->state == CALLING && now_ms >= link->due_ms) {
		jv_call_cancel(link->call);
		link->due_ms = INT64_MAX;
	}
	if (link->state == UP || link->state == ENDING || link->finishing)
		return INT64_MAX;
	return link->due_ms;
}

bool jv_link_send(struct jv_link *link, const Jarvis__V1__SessionRequest *message)
{
	return link->state == UP && !link->closed && jv_call_send(link->call, &message->base);
}

void jv_link_drop(struct jv_link *link, const struct jv_status *why)
{
	if (link->state != UP)
		return;
	JV_WARN("link.dropped", JV_KV("server", link->options.server),
		JV_KV("code", jv_code_name(why->code)), JV_KV("error", why->message));
	link->state = ENDING;
	jv_call_cancel(link->call);
}

bool jv_link_finish(struct jv_link *link)
{
	link->finishing = true;
	if (link->state == UP && !link->closed) {
		link->closed = true;
		jv_call_close_send(link->call);
	} else if (link->state == CALLING) {
		jv_link_cancel(link);
	}
	return link->call == NULL;
}

void jv_link_cancel(struct jv_link *link)
{
	link->finishing = true;
	if (link->call != NULL)
		jv_call_cancel(link->call);
}

void jv_link_close(struct jv_link *link)
{
	if (link == NULL)
		return;
	JV_ASSERT(link->call == NULL);
	jv_client_close(link->client);
	free((char *)(uintptr_t)link->options.server);
	free(link);
}

#include "server/rpc/frames.h"

#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#define PREFACE_SIZE (sizeof(preface) - 1)
#define HEAD_SIZE    9

/* RFC 9113, 6. */
enum kind {
	KIND_DATA = 0,
	KIND_HEADERS = 1,
	KIND_RST_STREAM = 3,
	KIND_SETTINGS = 4,
	KIND_PING = 6,
	KIND_CONTINUATION = 9,
};

#define FLAG_ACK         0x1
#define FLAG_END_STREAM  0x1
#define FLAG_END_HEADERS 0x4
#define FLAG_PRIORITY    0x20
#define PRIORITY_SIZE    5

struct frame {
	uint8_t kind;
	uint8_t flags;
	uint32_t size;
	uint32_t stream;
};

static uint32_t number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static struct frame read_head(const uint8_t *head)
{
	return (struct frame){
		.kind = head[3],
		.flags = head[4],
		.size = number(head) >> 8,
		.stream = number(head + 5) & INT32_MAX,
	};
}

static bool begins_call(const struct jv_grpc_frames *frames, const struct frame *frame)
{
	return frame->kind == KIND_HEADERS && frame->stream > frames->last;
}

static uint32_t price(const struct jv_grpc_frames *frames, const struct frame *frame)
{
	bool answer = (frame->flags & FLAG_ACK) != 0;

	if ((frame->kind == KIND_SETTINGS && !answer) ||
		(frame->kind == KIND_HEADERS && !begins_call(frames, frame)))
		return JV_GRPC_FRAME_DEAR;
	if (frame->kind == KIND_PING && !answer)
		return JV_GRPC_FRAME_PING;
	return 1 + frame->size / JV_GRPC_FRAME_BYTES;
}

/* False if there is not so much left. */
static bool pay(struct jv_grpc_taken *taken, uint32_t allowed, uint32_t most, int64_t now_ms,
	uint32_t amount)
{
	int64_t passed_ms = now_ms - taken->ms;
	int64_t regained = passed_ms < INT32_MAX ? passed_ms * (allowed / 1000) : INT32_MAX;

	if (regained > 0) {
		taken->amount -= regained < taken->amount ? (uint32_t)regained : taken->amount;
		taken->ms = now_ms;
	}
	if (taken->amount + amount > most)
		return false;
	taken->amount += amount;
	return true;
}

static bool pay_from_all(struct jv_grpc_resets *resets, int64_t now_ms)
{
	bool paid;

	pthread_mutex_lock(&resets->lock);
	paid = pay(&resets->taken, JV_GRPC_RESETS_ALLOWED, 2 * JV_GRPC_RESETS_ALLOWED, now_ms, 1);
	pthread_mutex_unlock(&resets->lock);
	return paid;
}

static bool may_reset(
	struct jv_grpc_frames *frames, const struct jv_grpc_bounds *bounds, int64_t now_ms)
{
	uint32_t most = 2 * JV_GRPC_RESETS_OWN;

	/* All calls in progress may be reset at once, however many they may be. */
	if (bounds->streams_max > most / 2)
		most = bounds->streams_max < INT32_MAX / 2 ? 2 * bounds->streams_max : INT32_MAX;
	return pay(&frames->resets, JV_GRPC_RESETS_OWN, most, now_ms, 1) ||
		pay_from_all(bounds->resets, now_ms);
}

static bool bears(struct jv_grpc_frames *frames, const struct jv_grpc_bounds *bounds,
	int64_t now_ms, const struct frame *frame)
{
	const uint32_t most = 2 * JV_GRPC_FRAMES_ALLOWED;

	return pay(&frames->taken, JV_GRPC_FRAMES_ALLOWED, most, now_ms, price(frames, frame)) &&
		(frame->kind != KIND_RST_STREAM || may_reset(frames, bounds, now_ms));
}

static const char *check_headers(
	struct jv_grpc_frames *frames, uint32_t headers_max, const struct frame *frame)
{
	frames->in_block = false;
	if (frame->kind == KIND_HEADERS) {
		bool priority = (frame->flags & FLAG_PRIORITY) != 0;
		frames->block = 0;
		frames->pieces = 0;
		frames->fields = (struct jv_grpc_fields){0};
		frames->passed = priority ? PRIORITY_SIZE : 0;
	} else if (frame->kind != KIND_CONTINUATION || frames->pieces == 0) {
		/* Out of place: gRPC says so. */
		return NULL;
	}
	frames->in_block = true;
	frames->block += frame->size;
	frames->pieces++;
	if (frames->block > headers_max)
		return "headers that are too long";
	if (frames->pieces > JV_GRPC_PIECES_MAX)
		return "headers in too many pieces";
	if ((frame->flags & FLAG_END_HEADERS) != 0)
		frames->pieces = 0;
	return NULL;
}

/* An end that the server has sent may be known to the client before it is here: in between, as many
 * calls may have begun as have ended. */
static const char *check_calls(
	struct jv_grpc_frames *frames, uint32_t streams_max, const struct frame *frame)
{
	if (frame->kind == KIND_RST_STREAM) {
		jv_grpc_streams_remove(&frames->open, frame->stream);
	} else if (begins_call(frames, frame)) {
		frames->last = frame->stream;
		/* gRPC passes over those that are not the client's to begin. */
		if (frame->stream % 2 == 1)
			jv_grpc_streams_add(&frames->open, frame->stream);
	}
	return frames->open.count / 2 < streams_max ? NULL : "too many calls in progress";
}

static const char *begin_frame(
	struct jv_grpc_frames *frames, const struct jv_grpc_bounds *bounds, int64_t now_ms)
{
	struct frame frame = read_head(frames->in.head);
	const char *wrong;

	frames->in.size = 0;
	frames->in.left = frame.size;
	if (!bears(frames, bounds, now_ms, &frame))
		return "too many frames that bring nothing";
	wrong = check_headers(frames, bounds->headers_max, &frame);
	return wrong != NULL ? wrong : check_calls(frames, bounds->streams_max, &frame);
}

/* Collects the preface or a frame's head; returns how many bytes it took. */
static size_t collect(struct jv_grpc_cursor *cursor, size_t wanted, const char *data, size_t size)
{
	size_t taken = wanted - cursor->size < size ? wanted - cursor->size : size;

	memcpy(cursor->head + cursor->size, data, taken);
	cursor->size += (uint8_t)taken;
	return taken;
}

/* Of the payload of headers. */
static const char *count_fields(
	struct jv_grpc_frames *frames, uint32_t headers_max, const char *data, size_t size)
{
	size_t passed = frames->passed < size ? frames->passed : size;

	frames->passed -= (uint8_t)passed;
	jv_grpc_fields_take(&frames->fields, data + passed, size - passed);
	return frames->fields.count <= headers_max / JV_GRPC_FIELD_BYTES
		? NULL
		: "headers with too many fields";
}

/* The same of a frame, whose payload is passed over: then its head is whole when the size says so.
 */
static size_t collect_frame(struct jv_grpc_cursor *cursor, const char *data, size_t size)
{
	size_t taken = cursor->left < size ? cursor->left : size;

	if (taken == 0)
		return collect(cursor, HEAD_SIZE, data, size);
	cursor->left -= (uint32_t)taken;
	return taken;
}

static size_t take_preface(struct jv_grpc_frames *frames, const char *data, size_t size)
{
	size_t taken = collect(&frames->in, PREFACE_SIZE, data, size);

	if (memcmp(frames->in.head, preface, frames->in.size) != 0) {
		frames->foreign = true;
	} else if (frames->in.size == PREFACE_SIZE) {
		frames->in_frames = true;
		frames->in.size = 0;
	}
	return taken;
}

const char *jv_grpc_frames_take(struct jv_grpc_frames *frames, const struct jv_grpc_bounds *bounds,
	int64_t now_ms, const void *data, size_t size)
{
	const char *at = data;
	const char *wrong = NULL;

	while (size > 0 && !frames->foreign && wrong == NULL) {
		size_t taken;
		if (!frames->in_frames) {
			taken = take_preface(frames, at, size);
		} else {
			bool payload = frames->in.left > 0;
			taken = collect_frame(&frames->in, at, size);
			if (payload && frames->in_block)
				wrong = count_fields(frames, bounds->headers_max, at, taken);
			else if (frames->in.size == HEAD_SIZE)
				wrong = begin_frame(frames, bounds, now_ms);
		}
		at += taken;
		size -= taken;
	}
	return wrong;
}

static void look_at_answer(struct jv_grpc_frames *frames)
{
	struct frame frame = read_head(frames->out.head);
	bool last = (frame.flags & FLAG_END_STREAM) != 0 &&
		(frame.kind == KIND_HEADERS || frame.kind == KIND_DATA);

	frames->out.size = 0;
	frames->out.left = frame.size;
	if (last || frame.kind == KIND_RST_STREAM)
		jv_grpc_streams_remove(&frames->open, frame.stream);
}

void jv_grpc_frames_give(struct jv_grpc_frames *frames, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0 && !frames->foreign) {
		size_t taken = collect_frame(&frames->out, at, size);
		if (frames->out.size == HEAD_SIZE)
			look_at_answer(frames);
		at += taken;
		size -= taken;
	}
}

void jv_grpc_frames_deinit(struct jv_grpc_frames *frames)
{
	jv_grpc_streams_deinit(&frames->open);
}

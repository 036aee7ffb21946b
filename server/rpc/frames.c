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
#define FLAG_END_HEADERS 0x4

static uint32_t price(uint8_t kind, uint8_t flags, uint32_t size)
{
	bool answer = (flags & FLAG_ACK) != 0;

	if (kind == KIND_RST_STREAM || (kind == KIND_SETTINGS && !answer))
		return JV_GRPC_FRAME_DEAR;
	if (kind == KIND_PING && !answer)
		return JV_GRPC_FRAME_PING;
	return 1 + size / JV_GRPC_FRAME_BYTES;
}

static bool pay(struct jv_grpc_frames *frames, int64_t now_ms, uint32_t amount)
{
	int64_t passed_ms = now_ms - frames->taken_ms;
	int64_t regained = passed_ms < 2000 ? passed_ms * (JV_GRPC_FRAMES_ALLOWED / 1000)
					    : 2 * JV_GRPC_FRAMES_ALLOWED;

	if (regained > 0) {
		frames->taken -= regained < frames->taken ? (uint32_t)regained : frames->taken;
		frames->taken_ms = now_ms;
	}
	frames->taken += amount;
	return frames->taken <= 2 * JV_GRPC_FRAMES_ALLOWED;
}

static const char *check_headers(
	struct jv_grpc_frames *frames, uint32_t headers_max, uint8_t kind, uint8_t flags)
{
	if (kind == KIND_HEADERS) {
		frames->block = 0;
		frames->pieces = 0;
	} else if (kind != KIND_CONTINUATION || frames->pieces == 0) {
		/* Out of place: gRPC says so. */
		return NULL;
	}
	frames->block += frames->left;
	frames->pieces++;
	if (frames->block > headers_max)
		return "headers that are too long";
	if (frames->pieces > JV_GRPC_PIECES_MAX)
		return "headers in too many pieces";
	if ((flags & FLAG_END_HEADERS) != 0)
		frames->pieces = 0;
	return NULL;
}

static const char *begin_frame(struct jv_grpc_frames *frames, uint32_t headers_max, int64_t now_ms)
{
	const uint8_t *head = frames->head;
	uint8_t kind = head[3];
	uint8_t flags = head[4];

	frames->size = 0;
	frames->left = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
	if (!pay(frames, now_ms, price(kind, flags, frames->left)))
		return "too many frames that bring nothing";
	return check_headers(frames, headers_max, kind, flags);
}

/* Collects the preface or a frame's head; returns how many bytes it took. */
static size_t collect(struct jv_grpc_frames *frames, size_t wanted, const char *data, size_t size)
{
	size_t taken = wanted - frames->size < size ? wanted - frames->size : size;

	memcpy(frames->head + frames->size, data, taken);
	frames->size += (uint8_t)taken;
	return taken;
}

static size_t take_preface(struct jv_grpc_frames *frames, const char *data, size_t size)
{
	size_t taken = collect(frames, PREFACE_SIZE, data, size);

	if (memcmp(frames->head, preface, frames->size) != 0) {
		frames->foreign = true;
	} else if (frames->size == PREFACE_SIZE) {
		frames->in_frames = true;
		frames->size = 0;
	}
	return taken;
}

const char *jv_grpc_frames_take(struct jv_grpc_frames *frames, uint32_t headers_max, int64_t now_ms,
	const void *data, size_t size)
{
	const char *at = data;
	const char *wrong = NULL;

	while (size > 0 && !frames->foreign && wrong == NULL) {
		size_t taken;
		if (!frames->in_frames) {
			taken = take_preface(frames, at, size);
		} else if (frames->left > 0) {
			taken = frames->left < size ? frames->left : size;
			frames->left -= (uint32_t)taken;
		} else {
			taken = collect(frames, HEAD_SIZE, at, size);
			if (frames->size == HEAD_SIZE)
				wrong = begin_frame(frames, headers_max, now_ms);
		}
		at += taken;
		size -= taken;
	}
	return wrong;
}

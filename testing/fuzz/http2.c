/* Frames to the true gRPC port. The first byte says in which pieces they go, how the connection
 * ends and whether it begins as HTTP/2 does. Then, again and again: a byte that says what comes,
 * and what it says: a frame (type, flags, stream, a piece as its payload), bytes as they are, or a
 * good call. Whatever they are: the server lives, closes when it is to, and answers others. */
#include <string.h>

#include "base/assert.h"
#include "proto/wire/jarvis.h"
#include "server/rpc/grpc.h"
#include "testing/fuzz/fuzz.h"
#include "testing/fuzz/fuzz_socket.h"

#define OTHERS_EVERY 32
#define FRAMES_MAX   64
#define RAW          0x40
#define GOOD         0x80

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
/* POST, http, the path, an authority, application/grpc, te: trailers; nothing of it indexed. */
static const char health_headers[] =
	"\x83\x86\x04\x1c/grpc.health.v1.Health/Check\x01\x01x\x0f\x10\x10"
	"application/grpc\0\2te\x08trailers";
static const char health_data[] = "\0\0\0\0\0";
/* A message of two bytes: status, SERVING. */
static const char health_answer[] = "\0\0\0\0\2\x08\1";

static struct jv_grpc *grpc;

static bool refuse_post(void *context, struct jv_event *event, bool past_limit)
{
	(void)context;
	(void)event;
	(void)past_limit;
	return false;
}

/* The methods that the port has of its own: health and reflection. The process's end is the
 * server's. */
static void start(void)
{
	static const char *const listen[] = {"127.0.0.1:0", NULL};
	static const struct jv_handler *const handlers[] = {NULL};
	static const struct jv_limits limits = {.message_bytes_max = 1 << 20};
	static struct jv_api api;
	const struct jv_grpc_options options = {.listen = listen};

	api.schema = jv_schema_new_jarvis();
	api.env = &jv_env_system;
	api.post = refuse_post;
	api.handlers = handlers;
	api.limits = &limits;
	atomic_store(&api.serving, 1);
	struct jv_status status = jv_grpc_open(&options, &api, &grpc);
	JV_ASSERT(jv_is_ok(&status));
	jv_grpc_start(grpc);
}

static void add_frame(struct jv_buffer *out, uint8_t type, uint8_t flags, uint32_t stream,
	struct jv_bytes payload)
{
	jv_buffer_append_byte(out, (uint8_t)(payload.size >> 16));
	jv_buffer_append_byte(out, (uint8_t)(payload.size >> 8));
	jv_buffer_append_byte(out, (uint8_t)payload.size);
	jv_buffer_append_byte(out, type);
	jv_buffer_append_byte(out, flags);
	jv_put_key_u32(out, stream);
	jv_buffer_append(out, payload.data, payload.size);
}

/* END_HEADERS; END_STREAM with the data. */
static void add_good_call(struct jv_buffer *out, uint32_t stream)
{
	add_frame(out, 1, 4, stream, jv_bytes_of(health_headers, sizeof(health_headers) - 1));
	add_frame(out, 0, 1, stream, jv_bytes_of(health_data, sizeof(health_data) - 1));
}

static void add_frames(struct fuzz_input *input, struct jv_buffer *out)
{
	for (int i = 0; i < FRAMES_MAX && input->size > 0; i++) {
		uint8_t what = fuzz_u8(input);
		if (what & GOOD) {
			add_good_call(out, 2 * (what & 0x3fU) + 1);
		} else if (what & RAW) {
			struct jv_bytes raw = fuzz_piece(input);
			jv_buffer_append(out, raw.data, raw.size);
		} else {
			uint8_t flags = fuzz_u8(input);
			uint8_t stream = fuzz_u8(input);
			add_frame(out, what & 0x0f, flags, stream, fuzz_piece(input));
		}
	}
}

static void ask_as_another(uint16_t port)
{
	struct jv_buffer out = {0};
	struct jv_buffer in = {0};
	int fd = fuzz_connect(port);

	jv_buffer_append(&out, preface, sizeof(preface) - 1);
	add_good_call(&out, 1);
	fuzz_send(fd, jv_buffer_bytes(&out), 0);
	fuzz_expect(fd, health_answer, sizeof(health_answer) - 1);
	fuzz_end(fd, FUZZ_RESET, &in);
	jv_buffer_deinit(&out);
	jv_buffer_deinit(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {0, 1, 9, 100};
	static unsigned count;
	struct fuzz_input input = {data, size};
	struct jv_buffer out = {0};
	struct jv_buffer in = {0};

	if (grpc == NULL)
		start();
	uint16_t port = (uint16_t)jv_grpc_port(grpc, 0);
	uint8_t how = fuzz_u8(&input);
	if ((how & 0x80) == 0)
		jv_buffer_append(&out, preface, sizeof(preface) - 1);
	add_frames(&input, &out);
	int fd = fuzz_connect(port);
	fuzz_send(fd, jv_buffer_bytes(&out), pieces[how & 3]);
	fuzz_end(fd, (enum fuzz_ending)((how >> 2) % FUZZ_ENDINGS), &in);
	jv_buffer_deinit(&out);
	jv_buffer_deinit(&in);
	if (++count % OTHERS_EVERY == 0)
		ask_as_another(port);
	return 0;
}

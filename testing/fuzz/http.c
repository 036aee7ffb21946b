/* Bytes to the port of a true REST edge. The first byte says in which pieces they go and how the
 * connection ends. Whatever they are: what comes back is HTTP, the server closes when it is to, and
 * others are answered. */
#include <ctype.h>
#include <string.h>

#include "base/assert.h"
#include "testing/edge/rest/server.h"
#include "testing/fuzz/fuzz.h"
#include "testing/fuzz/fuzz_socket.h"

/* Another client asks after so many inputs. */
#define OTHERS_EVERY 32

static struct server *server;

static void start(void)
{
	static const char *const origins[] = {"https://a.example", NULL};
	struct jv_rest_options options = server_options();

	options.header_bytes_max = 4096;
	options.body_bytes_max = 4096;
	options.gzip = true;
	options.cors_origins = origins;
	server = server_start(&options);
}

/* Of what came back, as far as it has come. */
static void check_answer(const struct jv_buffer *in)
{
	static const char version[] = "HTTP/1.1 ";
	size_t size = in->size < sizeof(version) - 1 ? in->size : sizeof(version) - 1;

	if (in->size == 0)
		return;
	JV_ASSERT(memcmp(in->data, version, size) == 0);
	for (size_t i = sizeof(version) - 1; i < in->size && i < sizeof(version) + 2; i++)
		JV_ASSERT(isdigit(in->data[i]));
}

static void ask_as_another(void)
{
	static const char request[] = "GET /v1/tasks/t-1 HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char expected[] = "HTTP/1.1 200 OK\r\n";
	struct jv_buffer in = {0};
	int fd = fuzz_connect(server->port);

	fuzz_send(fd, jv_bytes_of_text(request), 0);
	fuzz_expect(fd, expected, sizeof(expected) - 1);
	fuzz_end(fd, FUZZ_RESET, &in);
	jv_buffer_deinit(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = {0, 1, 7, 100};
	static unsigned count;
	struct fuzz_input input = {data, size};
	struct jv_buffer in = {0};

	if (server == NULL)
		start();
	uint8_t how = fuzz_u8(&input);
	int fd = fuzz_connect(server->port);
	fuzz_send(fd, fuzz_rest(&input), pieces[how & 3]);
	fuzz_end(fd, (enum fuzz_ending)((how >> 2) % FUZZ_ENDINGS), &in);
	server_core_answer(server);
	check_answer(&in);
	jv_buffer_deinit(&in);
	if (++count % OTHERS_EVERY == 0)
		ask_as_another();
	return 0;
}

/* A query and a body for a service with rules of every kind (resttest): the first byte is the rule,
 * then the query, a newline, the body. A message or an error in words; what became a message is the
 * same after its JSON was read again. */
#include <string.h>

#include "base/assert.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "proto/wire/json.h"
#include "resttest.pb-c.h"
#include "server/rest/transcode.h"
#include "testing/fuzz/fuzz.h"
#include "testing/unit/rest/resttest_set.h"

#define MEMORY_MAX (1 << 22)

static struct jv_schema *schema;
static struct jv_routes *routes;

static void start(void)
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&resttest__rest__descriptor, NULL};
	static const ProtobufCMessageDescriptor *const messages[] = {
		&google__rpc__status__descriptor, &google__rpc__bad_request__descriptor,
		&google__rpc__error_info__descriptor, NULL};

	schema = jv_schema_new(jv_bytes_of(resttest_set, resttest_set_size), services, messages);
	routes = jv_routes_new(schema);
}

static struct jv_bytes cut(struct jv_bytes *rest)
{
	const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
	struct jv_bytes head = {rest->data, end == NULL ? rest->size : (size_t)(end - rest->data)};
	size_t taken = end == NULL ? head.size : head.size + 1;

	rest->data += taken;
	rest->size -= taken;
	return head;
}

static void write_json(const ProtobufCMessage *message, struct jv_buffer *out)
{
	struct jv_status status = jv_json_write(schema, message, NULL, out);

	JV_ASSERT(jv_is_ok(&status));
	JV_ASSERT(jv_utf8_valid(jv_buffer_bytes(out)));
}

static void round_trip(const ProtobufCMessage *message)
{
	struct jv_buffer first = {0};
	struct jv_buffer second = {0};
	struct jv_arena arena;
	ProtobufCMessage *again;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	again = jv_pb_new(message->descriptor, &arena);
	write_json(message, &first);
	status = jv_json_read(schema, jv_buffer_bytes(&first), NULL, &arena, again);
	JV_ASSERT(jv_is_ok(&status));
	write_json(again, &second);
	JV_ASSERT(jv_bytes_equal(jv_buffer_bytes(&first), jv_buffer_bytes(&second)));
	jv_buffer_deinit(&first);
	jv_buffer_deinit(&second);
	jv_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A value of each path variable is here: the rest is up to the query. */
	static const char *const values[JV_ROUTE_VARIABLES_MAX] = {
		"1", "true", "COLOUR_RED", "2026-01-02T03:04:05Z", "aGk", "1", "1", "1"};
	struct fuzz_input input = {data, size};
	struct jv_route_match match = {0};
	struct jv_arena arena;
	size_t count;

	if (routes == NULL)
		start();
	const struct jv_route *all = jv_routes_all(routes, &count);
	uint8_t rule = fuzz_u8(&input);
	struct jv_bytes body = fuzz_rest(&input);
	struct jv_bytes query = cut(&body);
	match.route = &all[(rule & 0x7f) % count];
	memcpy(match.values, values, sizeof(values));
	const struct jv_transcode_options options = {.strict = rule < 0x80};
	const struct jv_transcode_input request = {.match = &match, .query = query, .body = body};
	ProtobufCMessage *message = NULL;

	jv_arena_init(&arena, 0, MEMORY_MAX);
	struct jv_status status =
		jv_transcode_request(schema, &options, &request, &arena, &message);
	fuzz_check_status(&status);
	if (jv_is_ok(&status))
		round_trip(message);
	jv_arena_deinit(&arena);
	return 0;
}

#include "server/api/request.h"

#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "server/api/convert.h"

/* Two hashes of the id with different prefixes make 128 bits: two ids of clients do not meet by
 * chance. */
static void hash_id(const char *id, uint8_t hash[JV_REQUEST_HASH_SIZE])
{
	struct jv_buffer prefixed = {0};
	uint64_t first = jv_hash64(jv_bytes_of_text(id));
	uint64_t second;

	jv_buffer_printf(&prefixed, "request:%s", id);
	second = jv_hash64(jv_buffer_bytes(&prefixed));
	jv_buffer_deinit(&prefixed);
	memcpy(hash, &first, sizeof(first));
	memcpy(hash + sizeof(first), &second, sizeof(second));
}

struct jv_request_key jv_request_key(const char *id, const ProtobufCMessage *body)
{
	struct jv_request_key key = {.used = id[0] != '\0'};

	if (!key.used)
		return key;
	hash_id(id, key.hash);
	key.body_hash = jv_request_body_hash(body);
	return key;
}

uint64_t jv_request_body_hash(const ProtobufCMessage *body)
{
	struct jv_buffer packed = {0};
	uint64_t hash;

	jv_pb_pack(body, &packed);
	hash = jv_hash64(jv_buffer_bytes(&packed));
	jv_buffer_deinit(&packed);
	return hash;
}

/* The record of the request; answer is borrowed from value. */
static struct jv_status read_record(struct jv_api *api, const struct jv_request_key *key,
	struct jv_buffer *value, struct jv_request_record *record)
{
	struct jv_buffer name = {0};
	struct jv_status status;

	jv_key_request(&name, key->hash);
	status = jv_store_get(api->store, NULL, jv_buffer_bytes(&name), value);
	if (jv_is_ok(&status))
		status = jv_request_decode(jv_buffer_bytes(&name), jv_buffer_bytes(value), record);
	if (jv_is_ok(&status) && record->answer.size == 0)
		status = jv_error(JV_NOT_FOUND, "the request has no answer of its own");
	jv_buffer_deinit(&name);
	return status;
}

static struct jv_status decode_answer(struct jv_bytes answer, struct jv_task_record *record)
{
	struct jv_buffer name = {0};
	struct jv_status status;
	int64_t revision;
	uint32_t index;

	jv_key_event(&name, 0, 0);
	status = jv_event_decode(jv_buffer_bytes(&name), answer, &revision, &index, record);
	jv_buffer_deinit(&name);
	return status;
}

static struct jv_status convert(
	struct jv_rpc *rpc, const struct jv_task_record *record, Jarvis__V1__Task **task)
{
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_status status =
		jv_read_spec(rpc->edge->api, NULL, record->id, &rpc->arena, &spec);

	if (!jv_is_ok(&status) && status.code != JV_NOT_FOUND)
		return status;
	*task = jv_convert_task(&rpc->arena, record, spec);
	return *task == NULL ? jv_answer_too_large() : jv_ok();
}

struct jv_status jv_request_answer(struct jv_rpc *rpc, const struct jv_request_key *key,
	Jarvis__V1__Task **task, int64_t *revision)
{
	struct jv_buffer value = {0};
	struct jv_request_record request;
	struct jv_task_record record;
	struct jv_status status;

	JV_ASSERT(key->used);
	status = read_record(rpc->edge->api, key, &value, &request);
	if (jv_is_ok(&status))
		status = decode_answer(request.answer, &record);
	if (jv_is_ok(&status))
		status = convert(rpc, &record, task);
	if (jv_is_ok(&status))
		*revision = request.revision;
	jv_buffer_deinit(&value);
	return status;
}

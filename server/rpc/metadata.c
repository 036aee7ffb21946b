#include <grpc/slice.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "server/rpc/private.h"

static struct jv_bytes bytes_of(const grpc_slice *slice)
{
	return jv_bytes_of(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

/* As RFC 7541, 4.1 counts. gRPC 1.51 does so for each frame of the headers, but not for all. */
static int64_t size_of(const grpc_metadata *pair)
{
	return (int64_t)(GRPC_SLICE_LENGTH(pair->key) + GRPC_SLICE_LENGTH(pair->value) + 32);
}

/* What says how gRPC itself goes about the call. */
static bool is_own(struct jv_bytes key)
{
	static const char prefix[] = "grpc-";

	return key.size >= sizeof(prefix) - 1 && memcmp(key.data, prefix, sizeof(prefix) - 1) == 0;
}

struct jv_status jv_grpc_take_metadata(struct jv_grpc_call *call)
{
	struct jv_rpc *rpc = &call->rpc;
	int64_t left = call->thread->grpc->options.metadata_bytes_max;

	for (size_t i = 0; i < call->metadata.count; i++) {
		const grpc_metadata *pair = &call->metadata.metadata[i];
		struct jv_bytes key = bytes_of(&pair->key);
		left -= size_of(pair);
		if (left < 0)
			return jv_error(JV_RESOURCE_EXHAUSTED,
				"metadata size exceeds limit of %lld bytes",
				(long long)call->thread->grpc->options.metadata_bytes_max);
		if (is_own(key))
			continue;
		if (!jv_metadata_add(&rpc->received, &rpc->arena, key, bytes_of(&pair->value)))
			return jv_error(JV_RESOURCE_EXHAUSTED,
				"the call has more metadata than %zu bytes or %d keys",
				JV_METADATA_BYTES_MAX, JV_METADATA_COUNT_MAX);
	}
	return jv_ok();
}

void jv_grpc_pairs_fill(struct jv_grpc_pairs *pairs, struct jv_metadata *metadata, size_t more)
{
	JV_ASSERT(pairs->pairs == NULL);
	metadata->sent = true;
	if (metadata->count + more == 0)
		return;
	pairs->pairs = jv_calloc(metadata->count + more, sizeof(pairs->pairs[0]));
	for (const struct jv_metadatum *at = metadata->first; at != NULL; at = at->next)
		jv_grpc_pairs_add(pairs, at->key,
			grpc_slice_from_copied_buffer(
				(const char *)at->value.data, at->value.size));
}

void jv_grpc_pairs_add(struct jv_grpc_pairs *pairs, const char *key, grpc_slice value)
{
	grpc_metadata *pair = &pairs->pairs[pairs->count++];

	pair->key = grpc_slice_from_copied_string(key);
	pair->value = value;
}

void jv_grpc_pairs_free(struct jv_grpc_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		grpc_slice_unref(pairs->pairs[i].key);
		grpc_slice_unref(pairs->pairs[i].value);
	}
	free(pairs->pairs);
	*pairs = (struct jv_grpc_pairs){0};
}

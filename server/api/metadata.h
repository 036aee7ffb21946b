/*
 * Keys and values that travel beside messages: what gRPC calls metadata and HTTP headers.
 *
 * Belongs to one rpc, in its arena; the edge's thread only. Keys are lower-case, as gRPC has them;
 * a key may stand several times. Values of keys that end in "-bin" are any bytes, all others
 * printable ASCII. Bounded: a peer chooses what it sends.
 */
#ifndef JV_SERVER_API_METADATA_H
#define JV_SERVER_API_METADATA_H

#include "base/arena.h"

/* Keys and values of one list together, and their number. */
#define JV_METADATA_BYTES_MAX ((size_t)64 << 10)
#define JV_METADATA_COUNT_MAX 256

struct jv_metadatum {
	const char *key;
	struct jv_bytes value; /* with a NUL behind it that the size does not count */
	struct jv_metadatum *next;
};

/* All zero: empty. */
struct jv_metadata {
	struct jv_metadatum *first;
	struct jv_metadatum *last;
	size_t count;
	size_t bytes;
	bool sent; /* of what goes to the client: on its way, nothing can be added */
};

/* True for a key of binary values. */
bool jv_metadata_is_binary(const char *key);
/* Adds a copy; the key is made lower-case. False, and nothing is added: it was sent, the bound or
 * the arena's limit is reached, or key or value hold what they may not. */
bool jv_metadata_add(struct jv_metadata *metadata, struct jv_arena *arena, struct jv_bytes key,
	struct jv_bytes value);
/* The first value of the (lower-case) key, with a NUL behind it; NULL if there is none. */
const char *jv_metadata_find(const struct jv_metadata *metadata, const char *key);

#endif

/*
 * Damages one record of a closed store, as a disk, a bug or a later release would:
 *
 *     spoil flip|cut|newer|drop DIRECTORY PREFIX
 *
 * flips a bit of the payload, cuts the value's end off, gives it a version of a later release (with
 * the right checksum), or deletes it. The record is the first whose key starts with PREFIX, as
 * hexadecimal. Prints the record's name as the server's messages have it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "storage/record.h"
#include "storage/store.h"

static int fail(const struct jv_status *status)
{
	fprintf(stderr, "spoil: %s\n", status->message);
	return 1;
}

/* Copies the first record at or behind the prefix. False if there is none with it. */
static bool find(struct jv_store *store, struct jv_bytes prefix, struct jv_buffer *key,
	struct jv_buffer *value)
{
	struct jv_cursor *cursor = jv_cursor_open(store, NULL);
	struct jv_bytes found_key;
	struct jv_bytes found_value;

	jv_cursor_seek(cursor, prefix, false);
	bool found = jv_cursor_read(cursor, &found_key, &found_value) &&
		jv_bytes_starts_with(found_key, prefix);

	if (found) {
		jv_buffer_append(key, found_key.data, found_key.size);
		jv_buffer_append(value, found_value.data, found_value.size);
	}
	struct jv_status status = jv_cursor_close(cursor);
	return found && jv_is_ok(&status);
}

static void seal(const struct jv_buffer *key, struct jv_buffer *value)
{
	size_t body = value->size - sizeof(uint32_t);
	uint32_t sum =
		jv_crc32c(jv_crc32c(0, jv_buffer_bytes(key)), jv_bytes_of(value->data, body));

	value->size = body;
	jv_put_u32(value, sum);
}

static bool spoil(const char *how, const struct jv_buffer *key, struct jv_buffer *value)
{
	if (strcmp(how, "flip") == 0)
		value->data[value->size / 2] ^= 4;
	else if (strcmp(how, "cut") == 0)
		value->size--;
	else if (strcmp(how, "newer") == 0)
		value->data[1] = 99;
	else
		return strcmp(how, "drop") == 0;
	if (strcmp(how, "newer") == 0)
		seal(key, value);
	return true;
}

static int rewrite(struct jv_store *store, const char *how, struct jv_bytes prefix)
{
	struct jv_buffer key = {0};
	struct jv_buffer value = {0};
	struct jv_buffer name = {0};
	struct jv_batch batch = {0};
	struct jv_status status = jv_error(JV_NOT_FOUND, "no such record, or no such damage");

	if (find(store, prefix, &key, &value) && spoil(how, &key, &value)) {
		if (strcmp(how, "drop") == 0)
			jv_batch_delete(&batch, jv_buffer_bytes(&key));
		else
			jv_batch_put(&batch, jv_buffer_bytes(&key), jv_buffer_bytes(&value));
		status = jv_store_commit(store, &batch);
		jv_key_describe(jv_buffer_bytes(&key), &name);
		printf("%s\n", jv_buffer_text(&name));
	}
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&name);
	jv_buffer_deinit(&value);
	jv_buffer_deinit(&key);
	return jv_is_ok(&status) ? 0 : fail(&status);
}

int main(int argc, char **argv)
{
	uint8_t prefix[64];
	struct jv_store *store = NULL;

	if (argc != 4 || strlen(argv[3]) / 2 > sizeof(prefix) ||
		!jv_hex_decode(argv[3], prefix, strlen(argv[3]) / 2)) {
		fprintf(stderr, "usage: spoil flip|cut|newer|drop DIRECTORY PREFIX\n");
		return 64;
	}
	const struct jv_rocksdb_options options = {
		.path = argv[2],
		.block_cache_bytes = 1 << 20,
		.write_buffer_bytes = 1 << 20,
		.sync = true,
	};
	struct jv_status status = jv_store_rocksdb_open(&options, &store);
	if (!jv_is_ok(&status))
		return fail(&status);
	int code = rewrite(store, argv[1], jv_bytes_of(prefix, strlen(argv[3]) / 2));
	jv_store_close(store);
	return code;
}

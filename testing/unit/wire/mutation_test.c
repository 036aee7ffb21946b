#include "testing/unit/wire/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire/json.h"

/*
 * Random damage to good input: nothing may crash, and what is taken must come back unchanged.
 * The sanitizer builds are where this earns its keep. JV_WIRE_SEED and JV_WIRE_ROUNDS in the
 * environment try others.
 */

#define SEED_DEFAULT   1
#define ROUNDS_DEFAULT 3000

static uint64_t random_state;

/* xorshift64*: the test needs its own, reproducible by the seed alone. */
static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % bound;
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);
	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static const char *const good[] = {
	"{\"id\":\"a\\u00e9\",\"scalars\":{\"i32\":-12,\"i64\":\"99\",\"u64\":1e3,\"flt\":0.1,"
	"\"dbl\":1e-9,\"truth\":true,\"color\":\"COLOR_RED\",\"data\":\"-_8=\"}}",
	"{\"lists\":{\"i32\":[1,2,3],\"text\":[\"\",\"x\\ud83d\\ude00\"],\"value\":[null,{\"a\":[]}],"
	"\"time\":[\"2024-05-01T12:00:00.5+01:00\"],\"number\":[5],\"message\":[{},{\"i32\":1}]}}",
	"{\"maps\":{\"text\":{\"b\":\"b\",\"a\":\"c\"},\"i32\":{\"-1\":2},\"truth\":{\"true\":\"\"},"
	"\"message\":{\"k\":{\"text\":\"v\"}},\"value\":{\"n\":1.5}}}",
	"{\"choice\":{\"message\":{\"i32\":1},\"first\":\"x\"},\"tree\":{\"children\":[{\"child\":{"
	"\"named\":{\"x\":{\"name\":\"y\"}}}}]}}",
	"{\"known\":{\"duration\":\"-1.5s\",\"mask\":\"a,bC\",\"object\":{\"a\":[1,\"x\",true]},"
	"\"any\":{\"@type\":\"x/wiretest.Known\",\"any\":{\"value\":\"1s\",\"@type\":"
	"\"y/google.protobuf.Duration\"}},\"int64Value\":\"5\",\"bytesValue\":\"AA==\"}}",
};

static void mutate(struct jv_buffer *bytes)
{
	static const char telling[] = "{}[]\",:\\u0e-+.9 \xff\x80\n";
	for (uint32_t i = random_below(4) + 1; i > 0 && bytes->size > 0; i--) {
		uint32_t at = random_below((uint32_t)bytes->size);
		switch (random_below(5)) {
		case 0:
			bytes->data[at] = (uint8_t)random_below(256);
			break;
		case 1:
			bytes->data[at] = (uint8_t)telling[random_below(sizeof(telling) - 1)];
			break;
		case 2:
			memmove(bytes->data + at, bytes->data + at + 1, bytes->size - at - 1);
			bytes->size--;
			break;
		case 3:
			bytes->size = at;
			break;
		default: {
			uint32_t size = random_below((uint32_t)(bytes->size - at)) + 1;
			struct jv_bytes copy = jv_bytes_copy(jv_bytes_of(bytes->data + at, size));
			jv_buffer_append(bytes, copy.data, copy.size);
			free((void *)(uintptr_t)copy.data);
		}
		}
	}
}

/* The input in memory of its own size, so that a sanitizer sees each byte read too many. */
static struct jv_bytes exact(struct jv_buffer *bytes)
{
	uint8_t *copy = malloc(bytes->size > 0 ? bytes->size : 1);
	assert_non_null(copy);
	if (bytes->size > 0)
		memcpy(copy, bytes->data, bytes->size);
	return jv_bytes_of(copy, bytes->size);
}

static ProtobufCMessage *read_json(struct jv_bytes json, bool ignore_unknown)
{
	struct jv_json_read_options options = {.ignore_unknown = ignore_unknown};
	ProtobufCMessage *message = jv_fixture_new(&wiretest__request__descriptor);
	struct jv_status status =
		jv_json_read(fixture.schema, json, &options, &fixture.arena, message);
	if (jv_is_ok(&status))
		return message;
	assert_true(status.code == JV_INVALID_ARGUMENT || status.code == JV_RESOURCE_EXHAUSTED);
	assert_true(jv_utf8_valid(jv_bytes_of_text(status.field)));
	return NULL;
}

/* JSON of the message, read again, gives the same JSON. */
static void check_message(const ProtobufCMessage *message)
{
	struct jv_buffer again = {0};
	jv_buffer_clear(&fixture.out);
	struct jv_status status = jv_json_write(fixture.schema, message, NULL, &fixture.out);
	if (!jv_is_ok(&status)) {
		assert_int_equal(status.code, JV_INTERNAL);
		return;
	}
	const ProtobufCMessage *copy = read_json(jv_buffer_bytes(&fixture.out), false);
	if (copy == NULL)
		fail_msg("our own JSON is refused: %s", jv_buffer_text(&fixture.out));
	jv_fixture_ok(jv_json_write(fixture.schema, copy, NULL, &again));
	assert_string_equal(jv_buffer_text(&again), jv_buffer_text(&fixture.out));
	jv_buffer_deinit(&again);
}

static void damaged_json_is_survived(void **state)
{
	(void)state;
	uint64_t rounds = number_of("JV_WIRE_ROUNDS", ROUNDS_DEFAULT);
	uint64_t taken = 0;
	random_state = number_of("JV_WIRE_SEED", SEED_DEFAULT) * 2 + 1;
	for (uint64_t i = 0; i < rounds; i++) {
		struct jv_buffer bytes = {0};
		jv_buffer_append_text(&bytes, good[i % (sizeof(good) / sizeof(good[0]))]);
		mutate(&bytes);
		struct jv_bytes json = exact(&bytes);
		const ProtobufCMessage *message = read_json(json, i % 2 == 0);
		if (message != NULL) {
			taken++;
			check_message(message);
		}
		free((void *)(uintptr_t)json.data);
		jv_buffer_deinit(&bytes);
		jv_fixture_clear();
	}
	/* Damage that nothing survives would test nothing. */
	assert_true(taken > rounds / 50);
	assert_true(taken < rounds);
}

static void damaged_wire_bytes_are_survived(void **state)
{
	(void)state;
	uint64_t rounds = number_of("JV_WIRE_ROUNDS", ROUNDS_DEFAULT);
	random_state = number_of("JV_WIRE_SEED", SEED_DEFAULT) * 2 + 1;
	for (uint64_t i = 0; i < rounds; i++) {
		const char *text = good[i % (sizeof(good) / sizeof(good[0]))];
		struct jv_buffer bytes = {0};
		ProtobufCMessage *message = read_json(jv_bytes_of_text(text), false);
		assert_non_null(message);
		jv_pb_pack(message, &bytes);
		mutate(&bytes);
		struct jv_bytes wire = exact(&bytes);
		struct jv_status status = jv_pb_unpack(
			&wiretest__request__descriptor, wire, &fixture.arena, &message);
		if (jv_is_ok(&status))
			check_message(message);
		free((void *)(uintptr_t)wire.data);
		jv_buffer_deinit(&bytes);
		jv_fixture_clear();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_json_is_survived),
		cmocka_unit_test(damaged_wire_bytes_are_survived),
	};
	return cmocka_run_group_tests(tests, jv_fixture_setup, jv_fixture_teardown);
}

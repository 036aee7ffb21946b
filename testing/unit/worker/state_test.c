#include "worker/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[256];

static int setup(void **state)
{
	const char *base = getenv("TEST_TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/state.XXXXXX", base != NULL ? base : "/tmp");
	if (mkdtemp(directory) == NULL)
		return -1;
	strncat(directory, "/a/b", sizeof(directory) - strlen(directory) - 1);
	return 0;
}

static void open_good(struct jv_state *state)
{
	struct jv_status status = jv_state_open(directory, &jv_env_system, state);

	assert_string_equal(status.message, "");
	assert_int_equal(status.code, JV_OK);
}

static void put(const char *name, const void *data, size_t size)
{
	char path[320];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
}

static void an_identity_stays(void **state)
{
	struct jv_state first, second;
	const uint8_t cluster[JV_STATE_ID_SIZE] = {9, 8, 7};

	(void)state;
	open_good(&first);
	assert_false(first.has_cluster);
	assert_int_equal(first.life, 1);
	assert_int_equal(jv_state_lease_get(&first), 0);
	assert_int_equal(jv_state_join(&first, cluster).code, JV_OK);
	jv_state_lease_set(&first, 12345);
	uint8_t worker_id[JV_STATE_ID_SIZE];
	memcpy(worker_id, first.worker_id, sizeof(worker_id));
	jv_state_close(&first);

	open_good(&second);
	assert_memory_equal(second.worker_id, worker_id, sizeof(worker_id));
	assert_true(second.has_cluster);
	assert_int_equal(second.life, 2);
	assert_memory_equal(second.cluster_id, cluster, sizeof(cluster));
	assert_int_equal(jv_state_lease_get(&second), 12345);
	jv_state_close(&second);
}

static void a_directory_has_one_worker(void **state)
{
	struct jv_state first, second;

	(void)state;
	open_good(&first);
	struct jv_status status = jv_state_open(directory, &jv_env_system, &second);
	assert_int_equal(status.code, JV_ALREADY_EXISTS);
	assert_non_null(strstr(status.message, directory));
	jv_state_close(&first);
	open_good(&second);
	jv_state_close(&second);
}

static void a_lease_of_an_earlier_boot_is_none(void **state)
{
	struct jv_state opened;
	uint8_t lease[32];

	(void)state;
	open_good(&opened);
	jv_state_close(&opened);
	memset(lease, 0x11, sizeof(lease));
	put("lease", lease, sizeof(lease));
	open_good(&opened);
	assert_int_equal(jv_state_lease_get(&opened), 0);
	jv_state_close(&opened);
}

static void a_damaged_identity_is_an_error(void **state)
{
	struct jv_state opened;

	(void)state;
	open_good(&opened);
	jv_state_close(&opened);
	put("worker_id", "zz\n", 3);
	struct jv_status status = jv_state_open(directory, &jv_env_system, &opened);
	assert_int_equal(status.code, JV_DATA_LOSS);
	assert_non_null(strstr(status.message, "worker_id"));
}

static void a_damaged_count_of_lives_is_an_error(void **state)
{
	struct jv_state opened;

	(void)state;
	open_good(&opened);
	jv_state_close(&opened);
	put("life", "2x\n", 3);
	struct jv_status status = jv_state_open(directory, &jv_env_system, &opened);
	assert_int_equal(status.code, JV_DATA_LOSS);
	assert_non_null(strstr(status.message, "/life is damaged"));
	put("life", "41\n", 3);
	open_good(&opened);
	assert_int_equal(opened.life, 42);
	jv_state_close(&opened);
}

static void a_path_must_be_absolute_and_a_directory(void **state)
{
	struct jv_state opened;

	(void)state;
	struct jv_status status = jv_state_open("here", &jv_env_system, &opened);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	status = jv_state_open("/dev/null/x", &jv_env_system, &opened);
	assert_int_equal(status.code, JV_INTERNAL);
	assert_non_null(strstr(status.message, "/dev/null/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_identity_stays, setup),
		cmocka_unit_test_setup(a_directory_has_one_worker, setup),
		cmocka_unit_test_setup(a_lease_of_an_earlier_boot_is_none, setup),
		cmocka_unit_test_setup(a_damaged_identity_is_an_error, setup),
		cmocka_unit_test_setup(a_damaged_count_of_lives_is_an_error, setup),
		cmocka_unit_test(a_path_must_be_absolute_and_a_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

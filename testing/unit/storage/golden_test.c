#include "testing/unit/storage/samples.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the stores of released servers hold. Each file is <kind>.<version>.<variant>.hex: the key's
 * bytes on the first line, the value's on those that follow. Files of older versions stay for ever.
 */
#define GOLDEN        "testing/fixtures/records"
#define FILE_MAX      16384
#define BYTES_A_LINE  32
#define FILE_NAME_MAX 320

struct golden {
	struct jv_buffer key;
	struct jv_buffer value;
};

static void golden_deinit(struct golden *golden)
{
	jv_buffer_deinit(&golden->key);
	jv_buffer_deinit(&golden->value);
}

static void print_hex(struct jv_buffer *text, struct jv_bytes bytes)
{
	char hex[2 * BYTES_A_LINE + 1];
	for (size_t at = 0; at < bytes.size; at += BYTES_A_LINE) {
		size_t left = bytes.size - at;
		size_t size = left < BYTES_A_LINE ? left : BYTES_A_LINE;
		jv_hex_encode(jv_bytes_of(bytes.data + at, size), hex);
		jv_buffer_printf(text, "%s\n", hex);
	}
}

/* The file that would hold these bytes. A key is short enough for one line. */
static void print_golden(struct jv_buffer *text, const struct golden *golden)
{
	assert_true(golden->key.size <= BYTES_A_LINE);
	print_hex(text, jv_buffer_bytes(&golden->key));
	print_hex(text, jv_buffer_bytes(&golden->value));
}

static void append_hex(struct jv_buffer *bytes, const char *hex)
{
	size_t size = strlen(hex) / 2;
	assert_true(jv_hex_decode(hex, jv_buffer_extend(bytes, size), size));
}

/* False if there is no such file. */
static bool read_golden(const char *path, struct golden *golden)
{
	char line[2 * BYTES_A_LINE + 2];
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		append_hex(golden->key.size == 0 ? &golden->key : &golden->value, line);
	}
	fclose(file);
	return true;
}

/* False if the file is missing. */
static bool check_current(const struct jv_sample *sample, enum jv_variant variant)
{
	struct golden now = {0}, stored = {0};
	struct jv_buffer text = {0};
	char path[FILE_NAME_MAX];
	sample->encode(variant, &now.key, &now.value);
	print_golden(&text, &now);
	snprintf(path, sizeof(path), "%s/%s.%u.%s.hex", GOLDEN, sample->name, now.value.data[1],
		jv_variant_names[variant]);
	bool exists = read_golden(path, &stored);
	bool same = jv_bytes_equal(jv_buffer_bytes(&now.key), jv_buffer_bytes(&stored.key)) &&
		jv_bytes_equal(jv_buffer_bytes(&now.value), jv_buffer_bytes(&stored.value));
	if (!exists)
		printf("cat >%s <<end\n%send\n", path, jv_buffer_text(&text));
	else if (!same)
		fail_msg(
			"the bytes of %s are no longer those of %s: stores that exist could not be "
			"read. Keep decoding version %u, and give the new form the next version",
			sample->name, path, now.value.data[1]);
	jv_buffer_deinit(&text);
	golden_deinit(&now);
	golden_deinit(&stored);
	return exists;
}

static void todays_bytes_are_those_of_the_golden_files(void **state)
{
	(void)state;
	int missing = 0;
	for (size_t i = 0; i < JV_SAMPLES_COUNT; i++) {
		for (int variant = 0; variant < JV_VARIANT_COUNT; variant++)
			missing += !check_current(&jv_samples[i], (enum jv_variant)variant);
	}
	fflush(stdout);
	if (missing > 0)
		fail_msg(
			"%d golden files are missing: only if the versions of those kinds are new, "
			"and the older files still decode, run the commands printed above",
			missing);
}

/* The sample whose name the file starts with. */
static const struct jv_sample *sample_of(const char *file)
{
	size_t size = strcspn(file, ".");
	for (size_t i = 0; i < JV_SAMPLES_COUNT; i++) {
		const char *name = jv_samples[i].name;
		if (strlen(name) == size && strncmp(name, file, size) == 0)
			return &jv_samples[i];
	}
	fail_msg("%s/%s is of no kind of record", GOLDEN, file);
	return NULL;
}

static void all_versions_ever_written_are_read(void **state)
{
	(void)state;
	size_t count = 0;
	DIR *directory = opendir(GOLDEN);
	assert_non_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (strstr(entry->d_name, ".hex") == NULL)
			continue;
		struct golden stored = {0};
		char path[FILE_NAME_MAX];
		snprintf(path, sizeof(path), "%s/%s", GOLDEN, entry->d_name);
		assert_true(read_golden(path, &stored));
		jv_expect_ok(sample_of(entry->d_name)
				     ->decode(jv_buffer_bytes(&stored.key),
					     jv_buffer_bytes(&stored.value)));
		golden_deinit(&stored);
		count++;
	}
	closedir(directory);
	assert_true(count >= JV_SAMPLES_COUNT * JV_VARIANT_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(todays_bytes_are_those_of_the_golden_files),
		cmocka_unit_test(all_versions_ever_written_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

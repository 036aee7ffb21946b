/*
 * What stands in for libFuzzer in a normal build: the kept corpus, and fixed mutations of it.
 *
 *     TARGET [--mutations=N] DIRECTORY...
 *
 * Equal arguments run equal inputs; flags with one dash are libFuzzer's, and passed over. Before
 * each input its place is noted, so that an abort names it.
 */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "testing/fuzz/fuzz.h"

#define INPUT_MAX 65536

struct entry {
	char *path;
	uint8_t *data;
	size_t size;
};

static struct entry *entries;
static size_t entry_count;
static uint64_t random_state = 0x9e3779b97f4a7c15;
static char place[PATH_MAX + 64];
static bool finished;

static uint64_t random_below(uint64_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % bound;
}

static void tell_place(int number)
{
	ssize_t ignored = write(STDERR_FILENO, place, strlen(place));

	(void)ignored;
	signal(number, SIG_DFL);
	raise(number);
}

/* A failed assertion of cmocka ends the process without a signal. */
static void tell_exit(void)
{
	if (!finished)
		fputs(place, stderr);
}

static void load_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	JV_ASSERT(file != NULL);
	entries = jv_realloc(entries, (entry_count + 1) * sizeof(entries[0]));
	struct entry *entry = &entries[entry_count++];
	entry->path = jv_strdup(path);
	entry->data = jv_malloc(INPUT_MAX);
	entry->size = fread(entry->data, 1, INPUT_MAX, file);
	fclose(file);
}

static int plain_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* In the order of names, so that equal corpora are run alike. */
static void load_directory(const char *path)
{
	struct dirent **names = NULL;
	int count = scandir(path, &names, plain_name, alphasort);

	for (int i = 0; i < count; i++) {
		char file[PATH_MAX];
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		load_file(file);
		free(names[i]);
	}
	free(names);
}

/* One change of the kinds that libFuzzer makes: bits, bytes, cuts, copies, joins. */
static size_t change(uint8_t *data, size_t size)
{
	const struct entry *other = &entries[random_below(entry_count)];
	size_t at = size == 0 ? 0 : random_below(size);
	size_t room = INPUT_MAX - size;
	size_t length = 1 + random_below(16);

	switch (size == 0 ? 5 : random_below(6)) {
	case 0:
		data[at] ^= (uint8_t)(1U << random_below(8));
		return size;
	case 1:
		data[at] = (uint8_t)random_below(256);
		return size;
	case 2:
		return at;
	case 3:
		length = length < size - at ? length : size - at;
		memmove(data + at, data + at + length, size - at - length);
		return size - length;
	case 4:
		length = length < size - at ? length : size - at;
		length = length < room ? length : room;
		memmove(data + at + length, data + at, size - at);
		return size + length;
	default:
		length = other->size == 0 ? 0 : random_below(other->size + 1);
		length = length < INPUT_MAX - at ? length : INPUT_MAX - at;
		memcpy(data + at, other->data, length);
		return at + length > size ? at + length : size;
	}
}

static void run_exact(const uint8_t *data, size_t size)
{
	/* A block of exactly this size: a sanitizer sees what reads past its end. */
	uint8_t *input = jv_malloc(size == 0 ? 1 : size);

	memcpy(input, data, size);
	LLVMFuzzerTestOneInput(input, size);
	free(input);
}

static void run_mutation(long number)
{
	static uint8_t data[INPUT_MAX];
	const struct entry *entry = &entries[random_below(entry_count)];
	size_t size = entry->size;

	memcpy(data, entry->data, size);
	for (uint64_t changes = 1 + random_below(5); changes > 0; changes--)
		size = change(data, size);
	snprintf(place, sizeof(place), "fuzz: in mutation %ld, of %s\n", number, entry->path);
	run_exact(data, size);
}

int main(int argc, char **argv)
{
	static const char mutations_flag[] = "--mutations=";
	long mutations = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], mutations_flag, sizeof(mutations_flag) - 1) == 0)
			mutations = strtol(argv[i] + sizeof(mutations_flag) - 1, NULL, 10);
		else if (argv[i][0] != '-')
			load_directory(argv[i]);
	}
	if (entry_count == 0) {
		fprintf(stderr, "fuzz: the corpus is empty\n");
		return 1;
	}
	atexit(tell_exit);
	signal(SIGABRT, tell_place);
	signal(SIGSEGV, tell_place);
	for (size_t i = 0; i < entry_count; i++) {
		snprintf(place, sizeof(place), "fuzz: in %s\n", entries[i].path);
		run_exact(entries[i].data, entries[i].size);
	}
	for (long number = 0; number < mutations; number++)
		run_mutation(number);
	finished = true;
	printf("fuzz: %zu inputs, %ld mutations\n", entry_count, mutations);
	for (size_t i = 0; i < entry_count; i++) {
		free(entries[i].path);
		free(entries[i].data);
	}
	free(entries);
	return 0;
}

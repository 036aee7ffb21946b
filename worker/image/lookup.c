/*
 * Lookups: what a reference means at this moment, asked of its registry.
 *
 * All who ask at once share one question; and what a tag meant is taken for true for a while. A
 * digest is asked for too, unless its image is in the cache: it may be that of an index.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/image/private.h"
#include "worker/shim/files.h"

#define SKOPEO          "/usr/bin/skopeo"
#define LOOKUPS_MAX     1024 /* remembered */
#define LOOKUPS_AT_ONCE 4
#define OUTPUT_BYTES    "8388608"

bool jv_images_insecure(const struct jv_images *images, const char *host)
{
	for (size_t i = 0; i < images->options.insecure_count; i++)
		if (strcmp(images->options.insecure[i], host) == 0)
			return true;
	return false;
}

void jv_image_lookup_free(struct jv_image_lookup *lookup)
{
	JV_ASSERT(jv_list_empty(&lookup->users));
	jv_image_child_end(&lookup->child);
	HASH_DEL(lookup->images->lookups, lookup);
	free(lookup);
}

/* The ones that were not asked for longest, of those that nobody waits for. */
static void limit(struct jv_images *images)
{
	struct jv_image_lookup *lookup, *next;
	HASH_ITER (hh, images->lookups, lookup, next) {
		if (HASH_COUNT(images->lookups) <= LOOKUPS_MAX)
			return;
		if (jv_list_empty(&lookup->users))
			jv_image_lookup_free(lookup);
	}
}

static struct jv_image_lookup *lookup_of(
	struct jv_images *images, const struct jv_reference *reference)
{
	char text[JV_REFERENCE_TEXT_MAX];
	struct jv_image_lookup *lookup;
	jv_reference_print(reference, text);
	HASH_FIND_STR(images->lookups, text, lookup);
	if (lookup != NULL) {
		HASH_DEL(images->lookups, lookup);
	} else {
		lookup = jv_calloc(1, sizeof(*lookup));
		memcpy(lookup->text, text, sizeof(text));
		snprintf(lookup->shown, sizeof(lookup->shown), JV_REFERENCE_SCHEME "%.160s", text);
		lookup->reference = *reference;
		lookup->images = images;
		lookup->child.process.fd = -1;
		jv_list_init(&lookup->users);
	}
	HASH_ADD_STR(images->lookups, text, lookup);
	return lookup;
}

static struct jv_image *known_image(struct jv_image_lookup *lookup)
{
	struct jv_images *images = lookup->images;
	const char *digest = lookup->digest;
	char key[JV_CACHE_KEY_MAX];
	if (lookup->reference.digest[0] != '\0' && digest[0] == '\0')
		digest = lookup->reference.digest;
	else if (lookup->reference.digest[0] == '\0' &&
		(digest[0] == '\0' ||
			jv_clock_monotonic_ms() - lookup->known_ms >= images->options.recheck_ms))
		return NULL;
	snprintf(key, sizeof(key), "%s/%s", JV_IMAGES_UNPACKED, digest);
	return jv_image_find(images, key);
}

void jv_image_lookup_use(
	struct jv_images *images, const struct jv_reference *reference, struct jv_image_use *use)
{
	struct jv_image_lookup *lookup = lookup_of(images, reference);
	struct jv_image *image = jv_list_empty(&lookup->users) ? known_image(lookup) : NULL;
	if (image != NULL) {
		jv_image_join(image, use);
		return;
	}
	use->lookup = lookup;
	lookup->progress.text[0] = '\0';
	jv_list_push_back(&lookup->users, &use->link);
	limit(images);
}

static void reset(struct jv_image_lookup *lookup)
{
	memset(&lookup->tries, 0, sizeof(lookup->tries));
	lookup->asked[0] = '\0';
}

void jv_image_lookup_left(struct jv_image_lookup *lookup)
{
	if (!jv_list_empty(&lookup->users))
		return;
	jv_image_child_end(&lookup->child);
	reset(lookup);
}

static struct jv_image_source source_of(const struct jv_image_lookup *lookup)
{
	struct jv_image_source source = {.kind = JV_IMAGE_REGISTRY, .reference = lookup->reference};
	return source;
}

static void known(struct jv_image_lookup *lookup, const struct jv_image_manifest *manifest)
{
	struct jv_images *images = lookup->images;
	char key[JV_CACHE_KEY_MAX];
	struct jv_list *node;
	lookup->known_ms = jv_clock_monotonic_ms();
	reset(lookup);
	snprintf(key, sizeof(key), "%s/%s", JV_IMAGES_UNPACKED, lookup->digest);
	struct jv_image *image = jv_image_find(images, key);
	if (image == NULL) {
		const struct jv_image_source source = source_of(lookup);
		image = jv_image_new(images, key);
		jv_image_job_new(image, &source, manifest);
	}
	while ((node = jv_list_pop_front(&lookup->users)) != NULL)
		jv_image_join(image, JV_CONTAINER_OF(node, struct jv_image_use, link));
}

static void failed(struct jv_image_lookup *lookup, struct jv_status status)
{
	lookup->asked[0] = '\0';
	if (jv_image_try_again(lookup->images, &lookup->tries, &status))
		return;
	reset(lookup);
	status = jv_status_context(status, "image %s", lookup->shown);
	jv_image_fail_all(lookup->images, &lookup->users, &status);
}

/* The digest that was asked for, or "" if it was a tag. */
static const char *wanted_digest(const struct jv_image_lookup *lookup)
{
	return lookup->asked[0] != '\0' ? lookup->asked : lookup->reference.digest;
}

static struct jv_status take_answer(
	struct jv_image_lookup *lookup, struct jv_bytes text, struct jv_image_manifest *manifest)
{
	char digest[JV_DIGEST_TEXT_MAX + 1];
	const char *wanted = wanted_digest(lookup);
	jv_image_digest_of(text, digest);
	if (wanted[0] != '\0' && strcmp(digest, wanted) != 0)
		return jv_error(JV_DATA_LOSS,
			"the registry's manifest does not have the digest it was asked for");
	/* A manifest that is bad now is bad for ever: its digest is right. */
	struct jv_status status = jv_image_manifest_parse(text, jv_image_architecture(), manifest);
	if (status.code == JV_DATA_LOSS)
		status.code = JV_FAILED_PRECONDITION;
	JV_TRY(status);
	if (!manifest->is_index)
		memcpy(lookup->digest, digest, sizeof(lookup->digest));
	else if (lookup->asked[0] != '\0')
		return jv_error(JV_FAILED_PRECONDITION, "an index leads to another index");
	else
		memcpy(lookup->asked, manifest->chosen.digest, sizeof(lookup->asked));
	return jv_ok();
}

static char *file_of(const struct jv_image_lookup *lookup, const char *what)
{
	return jv_images_path(lookup->images, "%s/%016llx.%s", JV_IMAGES_WORK,
		(unsigned long long)jv_hash64(jv_bytes_of_text(lookup->text)), what);
}

static void ended(struct jv_image_child *child, int wait_status)
{
	struct jv_image_lookup *lookup = JV_CONTAINER_OF(child, struct jv_image_lookup, child);
	struct jv_image_manifest *manifest = jv_calloc(1, sizeof(*manifest));
	struct jv_buffer text = {0};
	char *output = file_of(lookup, "manifest");
	char *log = file_of(lookup, "log");
	struct jv_status status =
		jv_image_child_status(child, wait_status, log, lookup->reference.host);
	if (jv_is_ok(&status))
		status = jv_file_read(AT_FDCWD, output, JV_IMAGE_DOCUMENT_MAX, &text);
	if (jv_is_ok(&status))
		status = take_answer(lookup, jv_buffer_bytes(&text), manifest);
	unlink(output);
	unlink(log);
	free(output);
	free(log);
	jv_buffer_deinit(&text);
	if (!jv_is_ok(&status))
		failed(lookup, status);
	else if (!manifest->is_index)
		known(lookup, manifest);
	/* Suspended: the index's entry is asked for by the next dispatch. */
	free(manifest);
}

static struct jv_status begin(struct jv_image_lookup *lookup)
{
	const struct jv_images_options *options = &lookup->images->options;
	char *output = file_of(lookup, "manifest");
	char *log = file_of(lookup, "log");
	char *work = jv_images_path(lookup->images, "%s", JV_IMAGES_WORK);
	struct jv_buffer image = {0};
	jv_buffer_printf(&image, JV_REFERENCE_SCHEME "%s/%s", lookup->reference.host,
		lookup->reference.path);
	if (wanted_digest(lookup)[0] != '\0')
		jv_buffer_printf(&image, "@%s", wanted_digest(lookup));
	else
		jv_buffer_printf(&image, ":%s", lookup->reference.tag);
	const bool secure = !jv_images_insecure(lookup->images, lookup->reference.host);
	const char *const arguments[] = {"fetch", OUTPUT_BYTES, work, output, SKOPEO, "inspect",
		"--raw", secure ? "--tls-verify=true" : "--tls-verify=false",
		options->authfile[0] != '\0' ? "--authfile" : "--no-creds",
		options->authfile[0] != '\0' ? options->authfile : jv_buffer_text(&image),
		options->authfile[0] != '\0' ? jv_buffer_text(&image) : NULL, NULL};
	/* The second question of an index belongs to the same try. */
	if (lookup->asked[0] == '\0')
		lookup->tries.count++;
	lookup->child.ended = ended;
	struct jv_status status = jv_image_child_start(
		lookup->images, &lookup->child, arguments, log, options->pull_timeout_ms);
	free(output);
	free(log);
	free(work);
	jv_buffer_deinit(&image);
	return status;
}

static uint32_t running(const struct jv_images *images)
{
	const struct jv_image_lookup *lookup;
	uint32_t count = 0;
	for (lookup = images->lookups; lookup != NULL; lookup = lookup->hh.next)
		count += jv_image_child_runs(&lookup->child);
	return count;
}

static void describe(const struct jv_image_lookup *lookup, char *text, size_t size)
{
	if (lookup->tries.last[0] != '\0' && !jv_image_child_runs(&lookup->child))
		snprintf(text, size, "%.120s: %.110s; trying again", lookup->shown,
			lookup->tries.last);
	else
		snprintf(text, size, "asking for %.200s", lookup->shown);
}

/* Asks if it is time and there is room; false if it has failed for good. */
static bool begin_if_due(struct jv_image_lookup *lookup, uint32_t *count, int64_t now_ms)
{
	if (jv_image_child_runs(&lookup->child) || *count >= LOOKUPS_AT_ONCE ||
		now_ms < lookup->tries.due_ms)
		return true;
	struct jv_status status = begin(lookup);
	(*count)++;
	if (!jv_is_ok(&status))
		failed(lookup, status);
	return !jv_list_empty(&lookup->users);
}

int64_t jv_image_lookups_begin(struct jv_images *images)
{
	const int64_t now_ms = jv_clock_monotonic_ms();
	uint32_t count = running(images);
	int64_t due_ms = INT64_MAX;
	struct jv_image_lookup *lookup, *next;
	HASH_ITER (hh, images->lookups, lookup, next) {
		char text[JV_IMAGE_PROGRESS_MAX];
		if (jv_list_empty(&lookup->users) || !begin_if_due(lookup, &count, now_ms))
			continue;
		if (!jv_image_child_runs(&lookup->child) && lookup->tries.due_ms > now_ms &&
			lookup->tries.due_ms < due_ms)
			due_ms = lookup->tries.due_ms;
		describe(lookup, text, sizeof(text));
		jv_images_tell(images, &lookup->users, &lookup->progress, text);
	}
	return due_ms;
}

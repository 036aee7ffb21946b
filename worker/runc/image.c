#include "worker/runc/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/shim/files.h"

#define TAR         "/usr/bin/tar"
#define UMOCI       "/usr/bin/umoci"
#define LOG_MAX     65536
#define HALF_PREFIX ".half-"

/* The path of something in the cache; the caller frees it. */
static char *cache_path(
	const struct jv_images *images, const char *prefix, const char *key, const char *rest)
{
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/%s%s%s", images->directory, prefix, key, rest);
	return (char *)(uintptr_t)jv_buffer_text(&path);
}

static void remove_half(const struct jv_images *images, const char *key)
{
	char *half = cache_path(images, HALF_PREFIX, key, "");
	struct jv_status status = jv_file_remove(AT_FDCWD, half);
	if (!jv_is_ok(&status))
		JV_WARN("image.leftover", JV_KV("error", status.message));
	free(half);
}

struct jv_status jv_images_open(struct jv_images *images)
{
	JV_ASSERT(images->directory[0] == '/');
	JV_TRY(jv_file_directories(images->directory, 0700));
	DIR *entries = opendir(images->directory);
	if (entries == NULL)
		return jv_error(JV_INTERNAL, "open %s: %s", images->directory, strerror(errno));
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		if (strncmp(entry->d_name, HALF_PREFIX, strlen(HALF_PREFIX)) == 0)
			remove_half(images, entry->d_name + strlen(HALF_PREFIX));
	closedir(entries);
	return jv_ok();
}

static void image_free(struct jv_image *image)
{
	JV_ASSERT(jv_list_empty(&image->waiters));
	jv_source_close(image->images->epoll, &image->process);
	HASH_DEL(image->images->by_key, image);
	json_decref(image->config);
	free(image->rootfs);
	free(image);
}

/* An unpacking process has no clean-up of its own to do. */
static void end_process(struct jv_image *image)
{
	if (image->process.fd < 0)
		return;
	syscall(SYS_pidfd_send_signal, image->process.fd, SIGKILL, NULL, 0);
	poll(&(struct pollfd){.fd = image->process.fd, .events = POLLIN}, 1, 5000);
	jv_spawn_reap(image->process.fd);
	remove_half(image->images, image->key);
}

void jv_images_close(struct jv_images *images)
{
	struct jv_image *image;
	struct jv_image *next;
	HASH_ITER (hh, images->by_key, image, next) {
		end_process(image);
		image_free(image);
	}
}

static struct jv_image *image_new(struct jv_images *images, const char *key,
	const struct jv_image_reference *reference, char *rootfs)
{
	struct jv_image *image = jv_calloc(1, sizeof(*image));
	snprintf(image->key, sizeof(image->key), "%s", key);
	image->images = images;
	image->reference = *reference;
	image->process.fd = -1;
	image->rootfs = rootfs;
	jv_list_init(&image->waiters);
	HASH_ADD_STR(images->by_key, key, image);
	return image;
}

/* The last line of what the process said, without its ornaments. */
static void last_line(const char *path, char *out, size_t size)
{
	struct jv_buffer content = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, path, LOG_MAX, &content);
	const char *text = jv_is_ok(&status) ? jv_buffer_text(&content) : "";
	size_t length = strlen(text);
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	size_t start = length;
	while (start > 0 && text[start - 1] != '\n')
		start--;
	while (start < length && ((unsigned char)text[start] >= 0x80 || text[start] == ' '))
		start++;
	snprintf(out, size, "%.*s", (int)(length - start), text + start);
	jv_buffer_deinit(&content);
}

static struct jv_status check_unpacked(struct jv_image *image, int wait_status)
{
	char said[200] = "";
	if (wait_status != 0) {
		char *log = cache_path(image->images, HALF_PREFIX, image->key, "/log");
		last_line(log, said, sizeof(said));
		free(log);
		char how[64];
		jv_spawn_describe(wait_status, how, sizeof(how));
		return jv_error(JV_INTERNAL, "%s %s: %s",
			image->reference.kind == JV_IMAGE_OCI ? "umoci" : "tar", how, said);
	}
	if (image->reference.kind != JV_IMAGE_OCI)
		return jv_ok();
	/* The tag may have moved while umoci read it. */
	char digest[JV_IMAGE_KEY_MAX];
	json_t *config;
	JV_TRY(jv_image_layout_read(image->reference.path, image->reference.tag, digest, &config));
	json_decref(config);
	return strcmp(digest, image->key) == 0
		? jv_ok()
		: jv_error(JV_ABORTED, "the image was changed while it was unpacked: try again");
}

static struct jv_status move_into_place(struct jv_image *image)
{
	char *half = cache_path(image->images, HALF_PREFIX, image->key, "/rootfs");
	char *place = cache_path(image->images, "", image->key, "");
	struct jv_status status = jv_ok();
	if (rename(half, place) != 0)
		status = jv_error(JV_INTERNAL, "rename %s: %s", half, strerror(errno));
	free(half);
	free(place);
	return status;
}

static void process_ended(struct jv_source *source)
{
	struct jv_image *image = JV_CONTAINER_OF(source, struct jv_image, process);
	struct jv_images *images = image->images;
	int wait_status = jv_spawn_reap(source->fd);
	jv_source_close(images->epoll, source);
	struct jv_status status = check_unpacked(image, wait_status);
	if (jv_is_ok(&status))
		status = move_into_place(image);
	remove_half(images, image->key);
	image->state = jv_is_ok(&status) ? JV_IMAGE_READY : JV_IMAGE_FAILED;
	image->status = jv_status_context(status, "image %s", image->reference.path);
	images->unpacked(images->context, image);
	JV_ASSERT(jv_list_empty(&image->waiters));
	if (image->state == JV_IMAGE_FAILED)
		image_free(image);
}

static struct jv_status spawn_unpack(struct jv_image *image, const char *half)
{
	struct jv_buffer rootfs = {0};
	struct jv_buffer log = {0};
	struct jv_buffer name = {0};
	jv_buffer_printf(&rootfs, "%s/rootfs", half);
	jv_buffer_printf(&log, "%s/log", half);
	jv_buffer_printf(&name, "%s:%s", image->reference.path, image->reference.tag);
	const char *const tar[] = {TAR, "--extract", "--same-permissions", "--numeric-owner",
		"--file", image->reference.path, "--directory", jv_buffer_text(&rootfs), NULL};
	const char *const umoci[] = {UMOCI, "raw", "unpack", "--image", jv_buffer_text(&name),
		jv_buffer_text(&rootfs), NULL};
	const bool oci = image->reference.kind == JV_IMAGE_OCI;
	struct jv_status status = jv_ok();
	if (access(oci ? UMOCI : TAR, X_OK) != 0)
		status = jv_error(JV_FAILED_PRECONDITION, "%s is not there: apt-get install %s",
			oci ? UMOCI : TAR, oci ? "umoci" : "tar");
	if (jv_is_ok(&status) && !oci)
		status = jv_file_directory(AT_FDCWD, jv_buffer_text(&rootfs), 0755, true);
	pid_t pid;
	int pidfd;
	const struct jv_spawn spawn = {
		.arguments = oci ? umoci : tar, .output = jv_buffer_text(&log), .inherit = -1};
	if (jv_is_ok(&status))
		status = jv_spawn_start(&spawn, &pid, &pidfd);
	if (jv_is_ok(&status))
		status =
			jv_source_open(image->images->epoll, &image->process, pidfd, process_ended);
	jv_buffer_deinit(&rootfs);
	jv_buffer_deinit(&log);
	jv_buffer_deinit(&name);
	return status;
}

static struct jv_status unpack(struct jv_image *image)
{
	char *half = cache_path(image->images, HALF_PREFIX, image->key, "");
	image->state = JV_IMAGE_UNPACKING;
	struct jv_status status = jv_file_directory(AT_FDCWD, half, 0700, true);
	if (jv_is_ok(&status))
		status = spawn_unpack(image, half);
	if (!jv_is_ok(&status))
		remove_half(image->images, image->key);
	free(half);
	return status;
}

static struct jv_status missing(const struct jv_image_reference *reference)
{
	return jv_error(JV_NOT_FOUND,
		"image %s: %s on this node: put it there, or name another image", reference->path,
		strerror(errno));
}

static struct jv_status find_directory(struct jv_images *images,
	const struct jv_image_reference *reference, const struct stat *found,
	struct jv_image **image)
{
	char key[JV_IMAGE_KEY_MAX];
	char layout[PATH_MAX + 16];
	snprintf(layout, sizeof(layout), "%s/oci-layout", reference->path);
	if (!S_ISDIR(found->st_mode))
		return jv_error(JV_NOT_FOUND,
			"image %s is not a directory, and its name does not end like that of a tar",
			reference->path);
	if (access(layout, F_OK) == 0)
		return jv_error(JV_NOT_FOUND, "image %s is an OCI image layout: write oci:%s:TAG",
			reference->path, reference->path);
	snprintf(key, sizeof(key), "directory-%016llx",
		(unsigned long long)jv_hash64(jv_bytes_of_text(reference->path)));
	HASH_FIND_STR(images->by_key, key, *image);
	if (*image == NULL)
		*image = image_new(images, key, reference, jv_strdup(reference->path));
	return jv_ok();
}

/* The image of a key: known, in the cache, or to be unpacked. Takes config. */
static struct jv_status find_unpacked(struct jv_images *images, const char *key,
	const struct jv_image_reference *reference, json_t *config, struct jv_image **image)
{
	HASH_FIND_STR(images->by_key, key, *image);
	struct jv_status status = jv_ok();
	if (*image == NULL) {
		*image = image_new(images, key, reference, cache_path(images, "", key, ""));
		(*image)->config = json_incref(config);
	}
	json_decref(config);
	/* Whoever empties the cache by hand is not punished for it. */
	if ((*image)->state == JV_IMAGE_READY && access((*image)->rootfs, F_OK) != 0)
		status = unpack(*image);
	if (!jv_is_ok(&status)) {
		image_free(*image);
		*image = NULL;
	}
	return jv_status_context(status, "image %s", reference->path);
}

static struct jv_status find_layout(struct jv_images *images,
	const struct jv_image_reference *reference, struct jv_image **image)
{
	char digest[JV_IMAGE_KEY_MAX];
	json_t *config;
	struct jv_status status =
		jv_image_layout_read(reference->path, reference->tag, digest, &config);
	JV_TRY(jv_status_context(status, "image oci:%s", reference->path));
	return find_unpacked(images, digest, reference, config, image);
}

static struct jv_status find_tar(struct jv_images *images,
	const struct jv_image_reference *reference, const struct stat *found,
	struct jv_image **image)
{
	struct jv_buffer identity = {0};
	char key[JV_IMAGE_KEY_MAX];
	jv_buffer_printf(&identity, "%s\n%lld\n%lld.%09ld\n%llu", reference->path,
		(long long)found->st_size, (long long)found->st_mtim.tv_sec, found->st_mtim.tv_nsec,
		(unsigned long long)found->st_ino);
	snprintf(key, sizeof(key), "tar-%016llx",
		(unsigned long long)jv_hash64(jv_buffer_bytes(&identity)));
	jv_buffer_deinit(&identity);
	return find_unpacked(images, key, reference, NULL, image);
}

/* What a task names by itself must lie, links resolved, below an allowed directory. */
static struct jv_status check_allowed(
	const struct jv_images *images, struct jv_image_reference *reference)
{
	char real[PATH_MAX];
	if (realpath(reference->path, real) == NULL)
		return missing(reference);
	for (size_t i = 0; i < images->allowed_count; i++) {
		char allowed[PATH_MAX];
		if (realpath(images->allowed[i], allowed) == NULL)
			continue;
		size_t length = strlen(allowed);
		if (strncmp(real, allowed, length) == 0 &&
			(real[length] == '/' || real[length] == '\0' || length == 1)) {
			snprintf(reference->path, sizeof(reference->path), "%s", real);
			return jv_ok();
		}
	}
	return jv_error(JV_PERMISSION_DENIED,
		"image %s is not allowed on this node: give it a name in the worker's images, or list "
		"a directory above it in the worker's allowed images",
		reference->path);
}

static const char *configured(const struct jv_images *images, const char *name)
{
	for (size_t i = 0; i < images->name_count; i++)
		if (strcmp(images->names[i].name, name) == 0)
			return images->names[i].reference;
	return NULL;
}

struct jv_status jv_images_find(struct jv_images *images, const char *name, struct jv_image **image)
{
	struct jv_image_reference reference;
	struct stat found;
	const char *known = configured(images, name);
	*image = NULL;
	JV_TRY(jv_image_reference_parse(known != NULL ? known : name, &reference));
	if (known == NULL)
		JV_TRY(check_allowed(images, &reference));
	if (stat(reference.path, &found) != 0)
		return missing(&reference);
	switch (reference.kind) {
	case JV_IMAGE_DIRECTORY:
		return find_directory(images, &reference, &found, image);
	case JV_IMAGE_TAR:
		return find_tar(images, &reference, &found, image);
	case JV_IMAGE_OCI:
		return find_layout(images, &reference, image);
	}
	JV_UNREACHABLE();
}

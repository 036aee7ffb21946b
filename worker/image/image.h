/*
 * Images: from names to root file systems, fetched and unpacked once and shared by all containers.
 *
 * A root file system directory is used as it is. A tar, an OCI layout or an image of a registry is
 * unpacked into a directory of the cache that is named by the content (the manifest's digest; a
 * tar's path, size and time) and renamed into place when it is whole. Layers of registries are kept
 * too, so that images that share them fetch them once. Everything that takes time is done by other
 * programs (skopeo, umoci, jarvis-unpack) that the worker waits for in its loop; a program has a
 * time limit, limits of memory and file size, and dies with the worker.
 *
 * Whoever needs an image embeds a use. From jv_images_use until jv_images_release the image is not
 * evicted; the last release ends what is still under way. Worker's thread only.
 * docs/operations.md, "Images" has what an operator sees.
 */
#ifndef JV_WORKER_IMAGE_IMAGE_H
#define JV_WORKER_IMAGE_IMAGE_H

#include <jansson.h>

#include "base/list.h"
#include "base/map.h"
#include "base/status.h"
#include "worker/image/cache.h"

/* Programs and limits; 0 and NULL take what is in parentheses. All is borrowed for the life of the
 * images but for what is said to be copied. */
struct jv_image_name {
	const char *name;
	const char *reference; /* as TaskSpec.image, but for names */
};

struct jv_images_options {
	int epoll;
	const char *directory; /* of the cache; absolute; made if missing */
	const char *unpack;    /* path of jarvis-unpack */
	const struct jv_image_name *names;
	size_t name_count;
	const char *const *allowed; /* directories below which tasks may name images by path */
	size_t allowed_count;
	const char *const *insecure; /* registries, HOST[:PORT], without TLS that is verified */
	size_t insecure_count;
	const char *authfile;    /* credentials, as skopeo login writes them; "": none */
	int64_t cache_max;       /* bytes of images and layers (20 GiB) */
	int64_t image_max;       /* bytes of one image, packed and unpacked (10 GiB) */
	int64_t files_max;       /* of one image (1,000,000) */
	int64_t pull_timeout_ms; /* of one try to fetch, and of unpacking (10 minutes) */
	int32_t pull_attempts;   /* tries to fetch (3) */
	int64_t recheck_ms; /* a tag is taken for what it was for so long; 0: asked each time */
};

struct jv_images;
struct jv_image_job;
struct jv_image_lookup;

enum jv_image_state { JV_IMAGE_PREPARING, JV_IMAGE_READY };

/* An image that somebody uses. */
struct jv_image {
	char key[JV_CACHE_KEY_MAX]; /* its directory below the cache's */
	enum jv_image_state state;
	char *rootfs;                 /* absolute */
	json_t *config;               /* its own settings (Env, Cmd …), or NULL */
	struct jv_list users;         /* struct jv_image_use */
	struct jv_cache_entry *entry; /* held while READY; NULL: not in the cache */
	struct jv_image_job *job;     /* while PREPARING */
	struct jv_images *images;
	UT_hash_handle hh;
};

/* Embedded in who needs an image; all zero is no use. */
struct jv_image_use {
	struct jv_list link;
	struct jv_image_lookup *lookup; /* it waits to know which image a tag means */
	struct jv_image *image;         /* it waits for it, or has it */
};

/* Told from use and from epoll or dispatch; a use that has failed is released. */
struct jv_images_events {
	void (*ready)(void *context, struct jv_image_use *use);
	void (*failed)(void *context, struct jv_image_use *use, const struct jv_status *status);
	/* What it waits for, in at most 255 bytes; also when nothing has changed. */
	void (*progress)(void *context, struct jv_image_use *use, const char *text);
	void *context;
};

/* Opens the cache and removes what is half done. */
struct jv_status jv_images_open(const struct jv_images_options *options,
	const struct jv_images_events *events, struct jv_images **images) JV_MUST_USE;
/* Ends what is under way; the cache stays. Uses are void, and need no release. NULL is harmless. */
void jv_images_close(struct jv_images *images);

/* Begins to find the image of a name or reference. PERMISSION_DENIED: the configuration does not
 * allow the reference. */
void jv_images_use(struct jv_images *images, const char *name, struct jv_image_use *use);
/* Holds the image of a container of an earlier life, known by its root file system; harmless if
 * that is not in the cache. */
void jv_images_hold(struct jv_images *images, const char *rootfs, struct jv_image_use *use);
/* Harmless on no use. */
void jv_images_release(struct jv_images *images, struct jv_image_use *use);
/* Does what is due. Returns the monotonic time in milliseconds when it wants to be called again, or
 * INT64_MAX. */
int64_t jv_images_dispatch(struct jv_images *images);

#endif

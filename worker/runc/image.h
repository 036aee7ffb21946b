/*
 * Images: names to root file systems, unpacked once and shared by all their containers.
 *
 * A root file system directory is used as it is. A tar or an OCI layout is unpacked by tar or
 * umoci, in a process of its own, into a directory of the cache that is named by the content (the
 * manifest's digest; a tar's path, size and time) and renamed into place when it is whole. Whoever
 * wants an image meanwhile waits on its list. Worker's thread only.
 */
#ifndef JV_WORKER_RUNC_IMAGE_H
#define JV_WORKER_RUNC_IMAGE_H

#include <jansson.h>

#include "base/list.h"
#include "base/map.h"
#include "base/status.h"
#include "worker/keep/process.h"

#define JV_IMAGE_KEY_MAX 96

enum jv_image_kind { JV_IMAGE_DIRECTORY, JV_IMAGE_TAR, JV_IMAGE_OCI };
enum jv_image_state { JV_IMAGE_READY, JV_IMAGE_UNPACKING, JV_IMAGE_FAILED };

/* A name that the worker's configuration gives an image. */
struct jv_image_name {
	const char *name;
	const char *reference; /* absolute path, or oci:PATH[:TAG] */
};

/* What a reference says, before anything is looked at. */
struct jv_image_reference {
	enum jv_image_kind kind;
	char path[4096];
	char tag[128]; /* of an OCI layout, "latest" by default */
};

/* INVALID_ARGUMENT if the text is no absolute path and no oci:PATH[:TAG]. A directory and a tar are
 * told apart by the end of their names. */
struct jv_status jv_image_reference_parse(
	const char *text, struct jv_image_reference *reference) JV_MUST_USE;

/* Reads index, manifest and config of a layout. digest has room for a key; the caller owns
 * *config, which is the image's own config object (Env, Cmd …) or NULL. NOT_FOUND names what is
 * missing. */
struct jv_status jv_image_layout_read(
	const char *path, const char *tag, char *digest, json_t **config) JV_MUST_USE;

struct jv_images;

struct jv_image {
	char key[JV_IMAGE_KEY_MAX];
	enum jv_image_state state;
	char *rootfs;
	json_t *config;          /* of an OCI image, or NULL */
	struct jv_list waiters;  /* nodes of whoever waits; theirs */
	struct jv_status status; /* why it failed */
	struct jv_image_reference reference;
	struct jv_source process; /* that unpacks it */
	struct jv_images *images;
	UT_hash_handle hh;
};

struct jv_images {
	int epoll;
	char *directory; /* of the cache */
	const struct jv_image_name *names;
	size_t name_count;
	const char *const *allowed; /* directories below which references may lie */
	size_t allowed_count;
	struct jv_image *by_key;
	/* Called when an unpack has ended, with state READY or FAILED; it empties the waiters. */
	void (*unpacked)(void *context, struct jv_image *image);
	void *context;
};

/* The fields up to by_key and the callback are set by the caller; makes the cache and removes what
 * is half unpacked. */
struct jv_status jv_images_open(struct jv_images *images) JV_MUST_USE;
/* Ends unpacking processes and forgets everything; the cache stays. */
void jv_images_close(struct jv_images *images);
/* The image of a name or reference, READY or UNPACKING; lent until close, or until `unpacked` has
 * told its failure. PERMISSION_DENIED: the configuration does not allow the reference. */
struct jv_status jv_images_find(
	struct jv_images *images, const char *name, struct jv_image **image) JV_MUST_USE;

#endif

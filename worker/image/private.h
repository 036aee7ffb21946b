/*
 * Inside of the images: their structs, and the functions that their files share. Worker's thread.
 *
 * A lookup finds out which manifest a reference means; a job makes an image of a manifest, a layout
 * or a tar: FETCH (registries only), SCAN, UNPACK. Each step is one child process; a step that is
 * pending is begun by jv_images_dispatch when there is room for one more.
 */
#ifndef JV_WORKER_IMAGE_PRIVATE_H
#define JV_WORKER_IMAGE_PRIVATE_H

#include "worker/image/image.h"
#include "worker/image/manifest.h"
#include "worker/image/source.h"
#include "worker/keep/process.h"

/* Directories of the cache. */
#define JV_IMAGES_BLOBS    "blobs/sha256"
#define JV_IMAGES_UNPACKED "unpacked"
#define JV_IMAGES_WORK     "work"  /* what is half done */
#define JV_IMAGES_TRASH    "trash" /* what is being removed */

#define JV_IMAGE_TEXT_MAX     192 /* a reference as it is shown to people */
#define JV_IMAGE_PROGRESS_MAX 256 /* as JV_PROGRESS_MAX of worker/executor.h */

/* What the users of a list were told to wait for; "": tell it anew. */
struct jv_image_progress {
	char text[JV_IMAGE_PROGRESS_MAX];
};

/* A child process of the images. */
struct jv_image_child {
	struct jv_source process;
	struct jv_images *images;
	struct jv_list link; /* in images->children while it runs */
	int64_t deadline_ms;
	bool late;
	bool excessive; /* more came than was promised: it is late at once */
	/* It has ended; child->process is closed. */
	void (*ended)(struct jv_image_child *child, int wait_status);
};

/* Tries of something that may fail by no fault of ours. */
struct jv_image_tries {
	int32_t count;  /* begun */
	int64_t due_ms; /* of the next one */
	char last[160]; /* why the last one failed; "": there was none */
};

struct jv_image_lookup {
	char text[JV_REFERENCE_TEXT_MAX]; /* key */
	char shown[JV_IMAGE_TEXT_MAX];
	struct jv_reference reference;
	struct jv_list users;
	struct jv_image_tries tries;
	struct jv_image_progress progress;
	struct jv_image_child child;
	char asked[JV_DIGEST_TEXT_MAX + 1];  /* an index's entry; "": the reference itself */
	char digest[JV_DIGEST_TEXT_MAX + 1]; /* of the manifest it means; "": not known */
	int64_t known_ms;                    /* since then */
	struct jv_images *images;
	UT_hash_handle hh;
};

enum jv_image_step { JV_IMAGE_FETCH, JV_IMAGE_SCAN, JV_IMAGE_UNPACK };

struct jv_image_job {
	struct jv_image *image;
	struct jv_image_source source;
	char shown[JV_IMAGE_TEXT_MAX];
	struct jv_image_manifest manifest; /* of layouts and registries */
	enum jv_image_step step;
	struct jv_image_tries tries;
	struct jv_image_progress progress;
	int64_t looked_ms; /* when it was seen last how far it is */
	struct jv_image_child child;
	char *work;  /* its directory; NULL: not made yet */
	char *blobs; /* where its layers are; NULL: a tar */
	struct jv_cache_entry *held[JV_IMAGE_LAYERS_MAX + 2];
	uint32_t held_count;
	int64_t reserved; /* bytes that it will take, not in the books yet */
	int64_t scanned;  /* bytes that it unpacks to */
};

struct jv_images {
	struct jv_images_options options;
	struct jv_images_events events;
	struct jv_cache cache;
	struct jv_image *by_key;
	struct jv_image_lookup *lookups; /* in order of use: the first is dropped first */
	struct jv_list children;
	struct jv_list corpses;        /* processes that were killed, until they are reaped */
	struct jv_image_child remover; /* empties the trash */
	uint64_t trash_count;
	uint64_t trash_seen; /* as the remover was started */
	uint64_t work_count;
	int64_t reserved; /* sum over jobs */
};

/* store.c: the directories. */
struct jv_status jv_images_store_open(struct jv_images *images) JV_MUST_USE;
/* A malloc'ed path below the cache's directory. */
char *jv_images_path(const struct jv_images *images, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Out of sight at once, removed in the background; nothing there is success. */
void jv_images_trash(struct jv_images *images, const char *path);
/* Removes what is used least until so many more bytes fit. */
struct jv_status jv_images_make_room(struct jv_images *images, int64_t bytes) JV_MUST_USE;
/* The next number's directory below work, made; the caller frees it. */
struct jv_status jv_images_work(struct jv_images *images, char **path) JV_MUST_USE;
/* Reads what jarvis-unpack has found. */
struct jv_status jv_images_read_size(const char *path, int64_t *bytes) JV_MUST_USE;
/* Starts the remover if there is something to remove. */
void jv_images_clean(struct jv_images *images);

/* child.c */
/* Starts jarvis-unpack with a command; log takes its output. */
struct jv_status jv_image_child_start(struct jv_images *images, struct jv_image_child *child,
	const char *const *arguments, const char *log, int64_t timeout_ms) JV_MUST_USE;
/* Kills it, without waiting for its end; harmless if none runs. */
void jv_image_child_end(struct jv_image_child *child);
/* Waits for the end of all that were killed. */
void jv_image_children_wait(struct jv_images *images);
bool jv_image_child_runs(const struct jv_image_child *child);
/* Kills those that are late; returns when the next one is. */
int64_t jv_image_children_check(struct jv_images *images);
/* What became of it: OK, or what its log says; skopeo's words if host is not NULL. */
struct jv_status jv_image_child_status(const struct jv_image_child *child, int wait_status,
	const char *log, const char *host) JV_MUST_USE;
/* True if there is to be another try, which then is due; else status says how often it was tried.
 */
bool jv_image_try_again(
	const struct jv_images *images, struct jv_image_tries *tries, struct jv_status *status);

/* lookup.c */
void jv_image_lookup_use(
	struct jv_images *images, const struct jv_reference *reference, struct jv_image_use *use);
void jv_image_lookup_left(struct jv_image_lookup *lookup);
void jv_image_lookup_free(struct jv_image_lookup *lookup);
/* Begins what is pending and tells what is waited for; returns when it wants to be called again. */
int64_t jv_image_lookups_begin(struct jv_images *images);
/* The arguments that every call of skopeo ends or begins with. */
bool jv_images_insecure(const struct jv_images *images, const char *host);

/* job.c */
/* A job for an image that is not in the cache; manifest may be NULL (a tar). */
void jv_image_job_new(struct jv_image *image, const struct jv_image_source *source,
	const struct jv_image_manifest *manifest);
void jv_image_job_free(struct jv_image_job *job);
int64_t jv_image_jobs_begin(struct jv_images *images);
/* Ends the step that runs, well or not; the image may be gone after that. */
void jv_image_job_step_ended(struct jv_image_job *job, struct jv_status status);

/* fetch.c: the first step of a job. */
/* False if it must wait for another job that fetches a layer of its own. */
bool jv_image_fetch_may_begin(const struct jv_image_job *job);
struct jv_status jv_image_fetch_begin(struct jv_image_job *job) JV_MUST_USE;
struct jv_status jv_image_fetch_end(struct jv_image_job *job, int wait_status) JV_MUST_USE;
/* How far it is; ends it if more comes than was promised. */
void jv_image_fetch_progress(struct jv_image_job *job, char *text, size_t size);
/* Drops the layers, which were found to be damaged. */
void jv_image_fetch_discard(struct jv_image_job *job);
void jv_image_fetch_release(struct jv_image_job *job);

/* layout.c */
/* Reads a layout down to the image's own settings, with each digest checked. blobs is the directory
 * of its blobs; the caller owns *config. */
struct jv_status jv_image_layout_read(const char *layout, const char *blobs, const char *tag,
	char digest[JV_DIGEST_TEXT_MAX + 1], struct jv_image_manifest *manifest,
	json_t **config) JV_MUST_USE;
/* "sha256:" and the hexadecimal digits. */
void jv_image_digest_of(struct jv_bytes text, char digest[JV_DIGEST_TEXT_MAX + 1]);

/* image.c */
/* The image of a key, in use or in the cache; NULL if it is to be made. */
struct jv_image *jv_image_find(struct jv_images *images, const char *key);
/* A new one in state PREPARING, without users. */
struct jv_image *jv_image_new(struct jv_images *images, const char *key);
/* Tells the users what they wait for, if they do not know it yet. */
void jv_images_tell(struct jv_images *images, struct jv_list *users,
	struct jv_image_progress *progress, const char *text);
/* Links a use, and tells it if the image is ready. */
void jv_image_join(struct jv_image *image, struct jv_image_use *use);
/* The job is done, or has failed: tells everyone. A failed image is gone. */
void jv_image_done(struct jv_image *image, const struct jv_status *status);
/* All users of a list hear of a failure, and are released. */
void jv_image_fail_all(
	struct jv_images *images, struct jv_list *users, const struct jv_status *status);

#endif

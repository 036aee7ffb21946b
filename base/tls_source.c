#include "base/tls_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"

#define FILES 3

/* What tells a file from what it was. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec time;
};

struct jv_tls_source {
	char *paths[FILES]; /* certificate, key, authorities; NULL: none */
	struct stamp stamps[FILES];
	enum jv_tls_client_auth client_auth;
	pthread_mutex_t lock; /* of `now` */
	struct jv_tls now;
	_Atomic uint64_t generation;
};

static char *copy(const char *text)
{
	return text == NULL || text[0] == '\0' ? NULL : jv_strdup(text);
}

static struct stamp stamp_of(const char *path)
{
	struct stamp stamp = {0};
	struct stat info;

	if (path == NULL || stat(path, &info) != 0)
		return stamp;
	stamp.device = info.st_dev;
	stamp.inode = info.st_ino;
	stamp.size = info.st_size;
	stamp.time = info.st_mtim;
	return stamp;
}

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
		a->time.tv_sec == b->time.tv_sec && a->time.tv_nsec == b->time.tv_nsec;
}

bool jv_tls_source_changed(const struct jv_tls_source *source)
{
	for (size_t i = 0; i < FILES; i++) {
		struct stamp stamp = stamp_of(source->paths[i]);
		if (!same(&stamp, &source->stamps[i]))
			return true;
	}
	return false;
}

struct jv_status jv_tls_source_reload(struct jv_tls_source *source)
{
	const struct jv_tls_files files = {
		.cert = source->paths[0], .key = source->paths[1], .ca = source->paths[2]};
	struct jv_tls read, before;

	/* First: what changes while it is read is found to have changed. */
	for (size_t i = 0; i < FILES; i++)
		source->stamps[i] = stamp_of(source->paths[i]);
	JV_TRY(jv_tls_read(&files, &read));
	pthread_mutex_lock(&source->lock);
	before = source->now;
	source->now = read;
	atomic_fetch_add(&source->generation, 1);
	pthread_mutex_unlock(&source->lock);
	jv_tls_deinit(&before);
	return jv_ok();
}

struct jv_status jv_tls_source_open(const struct jv_tls_files *files,
	enum jv_tls_client_auth client_auth, struct jv_tls_source **opened)
{
	struct jv_tls_source *source = jv_calloc(1, sizeof(*source));
	struct jv_status status;

	source->paths[0] = copy(files->cert);
	source->paths[1] = copy(files->key);
	source->paths[2] = copy(files->ca);
	JV_ASSERT(source->paths[0] != NULL && source->paths[1] != NULL);
	JV_ASSERT(client_auth == JV_TLS_CLIENT_NONE || source->paths[2] != NULL);
	source->client_auth = client_auth;
	pthread_mutex_init(&source->lock, NULL);
	status = jv_tls_source_reload(source);
	*opened = NULL;
	if (jv_is_ok(&status))
		*opened = source;
	else
		jv_tls_source_close(source);
	return status;
}

void jv_tls_source_close(struct jv_tls_source *source)
{
	if (source == NULL)
		return;
	jv_tls_deinit(&source->now);
	pthread_mutex_destroy(&source->lock);
	for (size_t i = 0; i < FILES; i++)
		free(source->paths[i]);
	free(source);
}

enum jv_tls_client_auth jv_tls_source_client_auth(const struct jv_tls_source *source)
{
	return source->client_auth;
}

uint64_t jv_tls_source_generation(struct jv_tls_source *source)
{
	return atomic_load(&source->generation);
}

uint64_t jv_tls_source_take(struct jv_tls_source *source, struct jv_tls *tls)
{
	uint64_t generation;

	pthread_mutex_lock(&source->lock);
	*tls = source->now;
	tls->cert = copy(source->now.cert);
	tls->key = copy(source->now.key);
	tls->ca = copy(source->now.ca);
	generation = atomic_load(&source->generation);
	pthread_mutex_unlock(&source->lock);
	return generation;
}

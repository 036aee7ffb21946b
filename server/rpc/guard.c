#include "server/rpc/guard.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/rpc/frames.h"
#include "server/rpc/metrics.h"

/* The table of descriptors is made as they come, so many at a time. */
#define PART      1024
#define PARTS     1024
#define FILES_MAX (PART * PARTS)
/* Connections over the limit are closed in turns, so that a flood of them does not keep gRPC from
 * all others. */
#define CLOSED_AT_ONCE 64
/* Between two lines of the log. */
#define QUIET_MS 1000

enum role { NOT_OURS, LISTENER, CONNECTION };

/* gRPC reads a connection in one thread at a time and writes it in one; these may be two. */
struct watched {
	pthread_mutex_t lock;
	struct jv_grpc_frames frames;
};

struct entry {
	_Atomic int role;
	struct watched watched; /* of a connection */
};

static struct entry *_Atomic parts[PARTS];
static _Atomic uint32_t connections;
static _Atomic uint32_t connections_max;
static _Atomic int files_max;
static struct jv_grpc_resets resets = {.lock = PTHREAD_MUTEX_INITIALIZER};
/* Written before anybody listens. */
static struct jv_grpc_bounds bounds;
static _Atomic int64_t quiet_until_ms;
static _Thread_local bool listening;
static int ssl_index = -1;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* NULL if it is none of ours. */
static struct entry *find(int fd)
{
	struct entry *part;

	if (fd < 0 || fd >= FILES_MAX)
		return NULL;
	part = atomic_load_explicit(&parts[fd / PART], memory_order_acquire);
	return part == NULL ? NULL : &part[fd % PART];
}

static struct entry *find_as(int fd, enum role role)
{
	struct entry *entry = find(fd);

	if (entry == NULL || atomic_load_explicit(&entry->role, memory_order_acquire) != (int)role)
		return NULL;
	return entry;
}

static struct entry *make_part(struct entry *_Atomic *place)
{
	struct entry *part = jv_calloc(PART, sizeof(*part));
	struct entry *other = NULL;

	for (size_t i = 0; i < PART; i++)
		pthread_mutex_init(&part[i].watched.lock, NULL);
	if (atomic_compare_exchange_strong(place, &other, part))
		return part;
	free(part);
	return other;
}

static void add(int fd, enum role role)
{
	struct entry *entry = find(fd);

	if (entry == NULL) {
		JV_ASSERT(fd >= 0 && fd < FILES_MAX);
		entry = &make_part(&parts[fd / PART])[fd % PART];
	}
	atomic_store_explicit(&entry->role, role, memory_order_release);
}

static void name_peer(int fd, char name[INET6_ADDRSTRLEN])
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);

	snprintf(name, INET6_ADDRSTRLEN, "-");
	if (fd < 0 || getpeername(fd, (struct sockaddr *)&address, &size) != 0)
		return;
	if (address.ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)&address)->sin_addr, name,
			INET6_ADDRSTRLEN);
	else if (address.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)&address)->sin6_addr, name,
			INET6_ADDRSTRLEN);
}

/* Counts each, and has the log say so once in a while. */
static void tell(int fd, const char *why)
{
	int64_t now = now_ms();
	int64_t until = atomic_load(&quiet_until_ms);
	char peer[INET6_ADDRSTRLEN];

	jv_metric_add(&jv_grpc_refused_total, 1);
	if (now < until || !atomic_compare_exchange_strong(&quiet_until_ms, &until, now + QUIET_MS))
		return;
	name_peer(fd, peer);
	JV_WARN("grpc.connection_refused", JV_KV("peer", peer), JV_KV("reason", why));
}

/* ---- what gRPC calls */

int listen(int fd, int backlog)
{
	int result = (int)syscall(SYS_listen, fd, backlog);

	if (result == 0 && listening)
		add(fd, LISTENER);
	return result;
}

/* gRPC never accepts again after an error that it does not know: these pass. */
static bool passes(int error)
{
	return error != EAGAIN && error != EINTR && error != EINVAL && error != EBADF;
}

static bool take(int fd)
{
	if (fd >= atomic_load(&files_max))
		return false;
	if (atomic_fetch_add(&connections, 1) >= atomic_load(&connections_max)) {
		atomic_fetch_sub(&connections, 1);
		return false;
	}
	add(fd, CONNECTION);
	jv_metric_add(&jv_grpc_connections, 1);
	return true;
}

/* -1 with EAGAIN: the next connection that comes has gRPC look again. */
static int accept_guarded(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	for (int i = 0; i < CLOSED_AT_ONCE; i++) {
		socklen_t room = *size;
		int accepted = (int)syscall(SYS_accept4, fd, address, &room, flags);
		if (accepted < 0 && passes(errno)) {
			tell(-1, strerror(errno));
			break;
		}
		if (accepted < 0)
			return -1;
		if (take(accepted)) {
			*size = room;
			return accepted;
		}
		tell(accepted, "too many connections");
		syscall(SYS_close, accepted);
	}
	errno = EAGAIN;
	return -1;
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
	if (find_as(fd, LISTENER) == NULL)
		return (int)syscall(SYS_accept4, fd, address.__sockaddr__, size, flags);
	return accept_guarded(fd, address.__sockaddr__, size, flags);
}

static const char *look(struct watched *watched, const struct iovec *pieces, size_t left)
{
	const char *wrong = NULL;
	int64_t now = now_ms();

	pthread_mutex_lock(&watched->lock);
	for (size_t i = 0; left > 0 && wrong == NULL; i++) {
		size_t size = pieces[i].iov_len < left ? pieces[i].iov_len : left;
		wrong = jv_grpc_frames_take(
			&watched->frames, &bounds, now, pieces[i].iov_base, size);
		left -= size;
	}
	pthread_mutex_unlock(&watched->lock);
	return wrong;
}

static void look_at_answers(struct watched *watched, const struct iovec *pieces, size_t left)
{
	pthread_mutex_lock(&watched->lock);
	for (size_t i = 0; left > 0; i++) {
		size_t size = pieces[i].iov_len < left ? pieces[i].iov_len : left;
		jv_grpc_frames_give(&watched->frames, pieces[i].iov_base, size);
		left -= size;
	}
	pthread_mutex_unlock(&watched->lock);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t received = syscall(SYS_recvmsg, fd, message, flags);
	struct entry *entry = find_as(fd, CONNECTION);
	const char *wrong;

	if (entry == NULL || received <= 0 || (flags & (MSG_ERRQUEUE | MSG_PEEK)) != 0)
		return received;
	wrong = look(&entry->watched, message->msg_iov, (size_t)received);
	if (wrong == NULL)
		return received;
	tell(fd, wrong);
	errno = ECONNRESET;
	return -1;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);
	struct entry *entry = find_as(fd, CONNECTION);

	if (entry != NULL && sent > 0)
		look_at_answers(&entry->watched, message->msg_iov, (size_t)sent);
	return sent;
}

int close(int fd)
{
	struct entry *entry = find(fd);

	if (entry != NULL && atomic_exchange(&entry->role, NOT_OURS) == CONNECTION) {
		jv_grpc_frames_deinit(&entry->watched.frames);
		entry->watched.frames = (struct jv_grpc_frames){0};
		atomic_fetch_sub(&connections, 1);
		jv_metric_add(&jv_grpc_connections, -1);
	}
	return (int)syscall(SYS_close, fd);
}

static void free_watched(
	void *parent, void *watched, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	struct watched *freed = watched;

	(void)parent, (void)data, (void)index, (void)argl, (void)argp;
	if (freed == NULL)
		return;
	jv_grpc_frames_deinit(&freed->frames);
	pthread_mutex_destroy(&freed->lock);
	free(freed);
}

/* NULL if it is none of a server's. */
static struct watched *find_tls(SSL *ssl)
{
	struct watched *watched;

	if (ssl_index < 0 || !SSL_is_server(ssl))
		return NULL;
	watched = SSL_get_ex_data(ssl, ssl_index);
	if (watched != NULL)
		return watched;
	watched = jv_calloc(1, sizeof(*watched));
	pthread_mutex_init(&watched->lock, NULL);
	SSL_set_ex_data(ssl, ssl_index, watched);
	return watched;
}

/* What TLS brings. An error of ours is one of the protocol to gRPC. */
int SSL_read(SSL *ssl, void *data, int room)
{
	struct iovec piece = {.iov_base = data};
	struct watched *watched;
	const char *wrong;

	if (SSL_read_ex(ssl, data, room < 0 ? 0 : (size_t)room, &piece.iov_len) <= 0)
		return -1;
	watched = find_tls(ssl);
	wrong = watched == NULL ? NULL : look(watched, &piece, piece.iov_len);
	if (wrong == NULL)
		return (int)piece.iov_len;
	tell(-1, wrong);
	ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
	return -1;
}

int SSL_write(SSL *ssl, const void *data, int size)
{
	struct iovec piece = {.iov_base = (void *)(uintptr_t)data};
	struct watched *watched;

	if (SSL_write_ex(ssl, data, size < 0 ? 0 : (size_t)size, &piece.iov_len) <= 0)
		return -1;
	watched = find_tls(ssl);
	if (watched != NULL)
		look_at_answers(watched, &piece, piece.iov_len);
	return (int)piece.iov_len;
}

/* ---- what we call */

void jv_grpc_guard_open(
	uint32_t most_connections, int most_files, const struct jv_grpc_bounds *bounds_of_each)
{
	/* What gRPC, a shared library, finds under this name. */
	JV_ASSERT((uintptr_t)dlsym(RTLD_DEFAULT, "recvmsg") == (uintptr_t)recvmsg);
	if (ssl_index < 0)
		ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_watched);
	atomic_store(&connections_max, most_connections);
	atomic_store(&files_max, most_files < FILES_MAX ? most_files : FILES_MAX);
	bounds = *bounds_of_each;
	bounds.resets = &resets;
}

void jv_grpc_guard_begin(void)
{
	listening = true;
}

void jv_grpc_guard_end(void)
{
	listening = false;
}

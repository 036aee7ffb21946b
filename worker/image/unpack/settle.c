/*
 * What was unpacked, as it lies there: no devices, and no more than was foretold.
 */
#include <errno.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/image/unpack/unpack.h"

static struct jv_status look_at(
	FTSENT *entry, struct jv_unpack_size limit, struct jv_unpack_size *size)
{
	const struct stat *found = entry->fts_statp;
	if (entry->fts_info == FTS_DP)
		return jv_ok();
	if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS)
		return jv_error(JV_INTERNAL, "look at %.200s: %s", entry->fts_path,
			strerror(entry->fts_errno));
	/* A device node is no device below a container, but might be one to whoever mounts the
	 * image otherwise; and one of number 0:0 would hide files from overlay. */
	if (S_ISCHR(found->st_mode) || S_ISBLK(found->st_mode) || S_ISSOCK(found->st_mode))
		return unlink(entry->fts_accpath) == 0 ? jv_ok()
						       : jv_error(JV_INTERNAL, "remove %.200s: %s",
								 entry->fts_path, strerror(errno));
	size->files++;
	/* A file with several names counts for each: an upper bound will do. */
	size->bytes += (int64_t)found->st_blocks * 512;
	if (size->files > limit.files + 1 || size->bytes > limit.bytes)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"the image takes more than it said: over %lld files or %lld MiB",
			(long long)limit.files, (long long)(limit.bytes >> 20));
	return jv_ok();
}

struct jv_status jv_unpack_settle(
	const char *rootfs, struct jv_unpack_size limit, struct jv_unpack_size *size)
{
	char *paths[] = {(char *)(uintptr_t)rootfs, NULL};
	struct jv_status status = jv_ok();
	FTS *tree = fts_open(paths, FTS_PHYSICAL, NULL);
	if (tree == NULL)
		return jv_error(JV_INTERNAL, "look at %s: %s", rootfs, strerror(errno));
	*size = (struct jv_unpack_size){0};
	FTSENT *entry;
	errno = 0;
	while (jv_is_ok(&status) && (entry = fts_read(tree)) != NULL)
		status = look_at(entry, limit, size);
	if (jv_is_ok(&status) && errno != 0)
		status = jv_error(JV_INTERNAL, "look at %s: %s", rootfs, strerror(errno));
	fts_close(tree);
	return status;
}

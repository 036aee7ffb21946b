/*
 * Looking through a tar before it is unpacked: what it will take, and what it must not try.
 *
 * A push parser over the bytes of a tar (ustar, GNU, pax), in pieces of any size. It counts files
 * and the bytes that they will take on a disk, an upper bound, and refuses what would pass a limit
 * or has no place in an image. Pure: no I/O, bounded memory; the fuzzers feed it.
 */
#ifndef JV_WORKER_IMAGE_TAR_SCAN_H
#define JV_WORKER_IMAGE_TAR_SCAN_H

#include "base/bytes.h"
#include "base/status.h"

#define JV_TAR_BLOCK        512
#define JV_TAR_EXTENDED_MAX ((size_t)1 << 20) /* of one pax header, or one long name */

enum jv_tar_part { JV_TAR_HEADER, JV_TAR_EXTENDED, JV_TAR_CONTENT, JV_TAR_END };

struct jv_tar_scan {
	/* Set by the caller; the rest is zero. The counters go on from tar to tar. */
	int64_t bytes_max;
	int64_t files_max;
	int64_t bytes;
	int64_t files;
	/* Its own. */
	enum jv_tar_part part;
	uint8_t block[JV_TAR_BLOCK];
	size_t filled;      /* of block */
	int64_t left;       /* of the content, its padding included */
	size_t meaningful;  /* of the extended header, without its padding */
	char extended_type; /* x, g, L or K */
	struct jv_buffer extended;
	/* What extended headers said of the entry to come; -1 and "": nothing. */
	bool has_size;
	int64_t size;
	int64_t real_size;
	bool has_name;
	bool has_link;
	struct jv_buffer name;
	struct jv_buffer link;
};

/* The next bytes. DATA_LOSS (no tar), RESOURCE_EXHAUSTED (a limit) or FAILED_PRECONDITION (what
 * no image needs) say what; then the scan is over. */
struct jv_status jv_tar_scan_feed(struct jv_tar_scan *scan, struct jv_bytes piece) JV_MUST_USE;
/* The tar has ended here: DATA_LOSS if in the middle. Ready for the next one. */
struct jv_status jv_tar_scan_end(struct jv_tar_scan *scan) JV_MUST_USE;
void jv_tar_scan_deinit(struct jv_tar_scan *scan);

#endif

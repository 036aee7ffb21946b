/*
 * The captured output of an attempt: framed records in one file, appended by the keeper, read by
 * the executor at the same time.
 *
 * Each record is a header and at most 64 KiB of bytes of one stream. Offsets count the bytes of
 * both streams together, from 0, without the headers. A record is read only when all of it is
 * there, so one that a crash has torn is as if it had never been.
 *
 * Of output that is longer than its limit the first half is kept and the last. What comes after
 * the first half goes to two files beside it that take turns, each of half the limit: the last half
 * is always in them, in the same records, numbered by what was printed. At the end it is appended
 * behind the first half; if something is missing between them, behind a line of text that says how
 * much, which counts in the offsets, not against the limit. A keeper that dies leaves these files
 * to whoever finds it dead (jv_output_recover). Single-threaded on each side.
 */
#ifndef JV_WORKER_SHIM_OUTPUT_H
#define JV_WORKER_SHIM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define JV_OUTPUT_DATA_MAX   65536
#define JV_OUTPUT_HEADER_MAX 32

/* The numbers of jarvis.v1.LogStream. */
enum jv_output_stream { JV_OUTPUT_STDOUT = 1, JV_OUTPUT_STDERR = 2 };

/* Beside the output, while more than the first half was printed and the attempt has not ended. */
#define JV_OUTPUT_TAIL       "tail." /* their names begin so */
#define JV_OUTPUT_TAIL_COUNT 2

/* A file of records that grows. */
struct jv_output_file {
	int fd;           /* -1: not there */
	int64_t position; /* end of the last whole record in the file */
	int64_t first;    /* offset of its first byte of output */
	int64_t offset;   /* of the next */
};

struct jv_output_writer {
	struct jv_output_file file; /* file.offset: bytes kept there so far, with the mark */
	struct jv_output_file tails[JV_OUTPUT_TAIL_COUNT];
	int tail;         /* the one that grows */
	int directory;    /* where they are */
	int64_t limit;    /* bytes kept; 0 means all */
	int64_t printed;  /* bytes so far */
	int64_t mark_end; /* offset behind the mark; 0: there is none yet */
	bool tailing;     /* what comes goes to the tails */
	int error;        /* errno of a write that failed, or 0 */
};

#define JV_OUTPUT_MARK_MAX 200
/* The line between the halves: how much is missing, and why (errno, or 0: the limit). Returns its
 * size. */
size_t jv_output_mark(
	char line[JV_OUTPUT_MARK_MAX], bool line_open, int64_t dropped, int64_t limit, int error);

/* The descriptors are borrowed. fd is that of an empty file; directory is where the tails go. */
void jv_output_writer_init(struct jv_output_writer *writer, int fd, int directory, int64_t limit);
/* Keeps at most JV_OUTPUT_DATA_MAX bytes of a stream, or drops what is to be dropped. If the disk
 * is full what cannot be written is dropped like that: as soon as there is room it goes on. */
void jv_output_append(struct jv_output_writer *writer, enum jv_output_stream stream,
	int64_t time_ms, struct jv_bytes data);
/* Nothing more comes: appends mark and tail, and removes the tails' files. */
void jv_output_writer_finish(struct jv_output_writer *writer, int64_t time_ms);
/* Of a keeper that has died, in its directory: what it would have done at the end, or the rest of
 * it. Nothing if the end was whole. */
void jv_output_recover(int directory, const char *name, int64_t limit, int64_t time_ms);

/* What of a file is known to be whole; all zero to begin with. */
struct jv_output_extent {
	int64_t position; /* in the file */
	int64_t total;    /* bytes of output */
	int64_t mark_end; /* offset behind the mark; 0: there is none */
};

/* Goes on over the records that have been appended. False if the file is damaged at
 * extent->position; what is before stays good. */
bool jv_output_scan(int fd, struct jv_output_extent *extent);

/* Where a record starts; all zero to begin with. */
struct jv_output_cursor {
	int64_t position;
	int64_t offset;
};

struct jv_output_piece {
	enum jv_output_stream stream;
	int64_t offset;
	int64_t time_ms;
	bool truncated; /* the line that says how much is missing here; a piece of its own */
	struct jv_bytes data;
};

/* Finds the piece at an offset, into a buffer of JV_OUTPUT_DATA_MAX bytes that the piece borrows.
 * Records of one stream that follow each other come as one piece, with the time of the first.
 * The cursor remembers the place for the next piece. False if there is none (yet). */
bool jv_output_read(int fd, struct jv_output_cursor *cursor, int64_t offset, uint8_t *buffer,
	struct jv_output_piece *piece);

#endif

/*
 * The captured output of an attempt: framed records in one file, appended by the keeper, read by
 * the executor at the same time.
 *
 * Each record is a header and at most 64 KiB of bytes of one stream. Offsets count the bytes of
 * both streams together, from 0, without the headers. A record is read only when all of it is
 * there, so one that a crash has torn is as if it had never been. Past the limit the rest is
 * dropped, and the last record is a line of text that says so; it counts in the offsets, not
 * against the limit. Single-threaded on each side.
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

struct jv_output_writer {
	int fd;
	int64_t limit;    /* bytes kept; 0 means none */
	int64_t total;    /* bytes kept so far */
	int64_t position; /* end of the last whole record in the file */
	bool truncated;   /* something was dropped */
	bool marked;      /* and the file says so */
	bool line_open;   /* the last byte kept did not end a line */
	int error;        /* errno of a write that failed, or 0 */
};

/* The descriptor is borrowed and must be at the end of an empty file. */
void jv_output_writer_init(struct jv_output_writer *writer, int fd, int64_t limit);
/* Keeps at most JV_OUTPUT_DATA_MAX bytes of a stream as one record, or drops what is past the
 * limit. A disk that is full ends the log there, with the mark as soon as there is room for it. */
void jv_output_append(struct jv_output_writer *writer, enum jv_output_stream stream,
	int64_t time_ms, struct jv_bytes data);
/* Writes the mark if it could not be written before. */
void jv_output_writer_finish(struct jv_output_writer *writer, int64_t time_ms);

/* What of a file is known to be whole; all zero to begin with. */
struct jv_output_extent {
	int64_t position; /* in the file */
	int64_t total;    /* bytes of output */
	bool truncated;
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
	bool truncated; /* the line that says that the rest was dropped; a piece of its own */
	struct jv_bytes data;
};

/* Finds the piece at an offset, into a buffer of JV_OUTPUT_DATA_MAX bytes that the piece borrows.
 * Records of one stream that follow each other come as one piece, with the time of the first.
 * The cursor remembers the place for the next piece. False if there is none (yet). */
bool jv_output_read(int fd, struct jv_output_cursor *cursor, int64_t offset, uint8_t *buffer,
	struct jv_output_piece *piece);

#endif

/*
 * What output.c, which writes and reads records, and output_tail.c, which keeps the last half of a
 * long output, have of one another.
 */
#ifndef JV_WORKER_SHIM_OUTPUT_PRIVATE_H
#define JV_WORKER_SHIM_OUTPUT_PRIVATE_H

#include "worker/shim/output.h"

/* Appends a record, at file->offset whatever the piece says. False, with errno, if it could not be
 * written; then the file is as before. */
bool jv_output_file_write(struct jv_output_file *file, const struct jv_output_piece *piece);
/* Finds out what the descriptor's file holds, whatever its first offset is. False if nothing. */
bool jv_output_file_open(struct jv_output_file *file);
/* Behind the first half. */
void jv_output_tail_append(struct jv_output_writer *writer, struct jv_output_piece *piece);

#endif

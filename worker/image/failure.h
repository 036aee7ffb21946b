/*
 * What skopeo says when it fails: the cause, the remedy, and whether trying again may help.
 *
 * Pure; any thread.
 */
#ifndef JV_WORKER_IMAGE_FAILURE_H
#define JV_WORKER_IMAGE_FAILURE_H

#include "base/bytes.h"
#include "base/status.h"

/* UNAVAILABLE (the network, a busy registry) and DATA_LOSS (what came is not what was promised) may
 * pass; everything else will not. text is skopeo's log, host the registry. */
struct jv_status jv_image_failure_of(struct jv_bytes text, const char *host) JV_MUST_USE;
static inline bool jv_image_failure_may_pass(const struct jv_status *status)
{
	return status->code == JV_UNAVAILABLE || status->code == JV_DATA_LOSS;
}

/* The last line of a log, without ornaments; never longer than size - 1. */
void jv_image_last_line(struct jv_bytes text, char *out, size_t size);

#endif

/*
 * Sources of images: what TaskSpec.image or a name of the configuration says, before anything is
 * looked at. Pure; any thread.
 */
#ifndef JV_WORKER_IMAGE_SOURCE_H
#define JV_WORKER_IMAGE_SOURCE_H

#include "base/reference.h"

enum jv_image_kind {
	JV_IMAGE_DIRECTORY, /* a root file system, used as it is */
	JV_IMAGE_TAR,
	JV_IMAGE_LAYOUT,   /* an OCI image layout */
	JV_IMAGE_REGISTRY, /* docker:// */
};

struct jv_image_source {
	enum jv_image_kind kind;
	char path[4096];
	char tag[128];                 /* of a layout, "latest" by default */
	struct jv_reference reference; /* of a registry */
};

/* INVALID_ARGUMENT if the text is no docker:// reference, no absolute path and no oci:PATH[:TAG]. A
 * directory and a tar are told apart by the end of their names. */
struct jv_status jv_image_source_parse(
	const char *text, struct jv_image_source *source) JV_MUST_USE;

#endif

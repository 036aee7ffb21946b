/* What a registry, a layout or a layer may hold, and what a client may call an image. */
#include <string.h>

#include "base/assert.h"
#include "base/reference.h"
#include "testing/fuzz/fuzz.h"
#include "worker/image/failure.h"
#include "worker/image/manifest.h"
#include "worker/image/source.h"
#include "worker/image/tar_scan.h"

#define BYTES_MAX (1 << 20)
#define FILES_MAX 100

static void check_descriptor(const struct jv_image_descriptor *descriptor)
{
	JV_ASSERT(jv_digest_valid(jv_bytes_of_text(descriptor->digest)));
	JV_ASSERT(descriptor->size >= 0);
}

static void parse_manifest(struct jv_bytes text)
{
	static struct jv_image_manifest manifest;
	struct jv_status status = jv_image_manifest_parse(text, "amd64", &manifest);

	fuzz_check_status(&status);
	if (!jv_is_ok(&status))
		return;
	if (manifest.is_index) {
		check_descriptor(&manifest.chosen);
		return;
	}
	check_descriptor(&manifest.config);
	JV_ASSERT(manifest.layer_count <= JV_IMAGE_LAYERS_MAX);
	for (uint32_t i = 0; i < manifest.layer_count; i++)
		check_descriptor(&manifest.layers[i]);
}

static void find_in_index(struct jv_bytes text)
{
	struct jv_image_descriptor found;
	struct jv_status status = jv_image_index_find(text, "v1", &found);

	fuzz_check_status(&status);
	if (jv_is_ok(&status))
		check_descriptor(&found);
}

static void parse_config(struct jv_bytes text)
{
	json_t *config;
	struct jv_status status = jv_image_config_parse(text, "amd64", &config);

	fuzz_check_status(&status);
	JV_ASSERT(jv_is_ok(&status) || config == NULL);
	json_decref(config);
}

/* What is taken prints to what is taken again. */
static void parse_reference(struct jv_bytes text)
{
	struct jv_reference first, second;
	char printed[sizeof(JV_REFERENCE_SCHEME) + JV_REFERENCE_TEXT_MAX] = JV_REFERENCE_SCHEME;
	struct jv_status status = jv_reference_parse(text, &first);

	fuzz_check_status(&status);
	if (!jv_is_ok(&status))
		return;
	jv_reference_print(&first, printed + strlen(JV_REFERENCE_SCHEME));
	status = jv_reference_parse(jv_bytes_of_text(printed), &second);
	JV_ASSERT(jv_is_ok(&status) && memcmp(&first, &second, sizeof(first)) == 0);
}

static void scan_tar(struct fuzz_input *input)
{
	struct jv_tar_scan scan = {.bytes_max = BYTES_MAX, .files_max = FILES_MAX};
	struct jv_status status = jv_ok();
	const size_t step = (size_t)fuzz_u8(input) * 8 + 1;
	struct jv_bytes rest = fuzz_rest(input);

	while (rest.size > 0 && jv_is_ok(&status)) {
		const size_t size = rest.size < step ? rest.size : step;
		status = jv_tar_scan_feed(&scan, jv_bytes_of(rest.data, size));
		rest = jv_bytes_of(rest.data + size, rest.size - size);
	}
	fuzz_check_status(&status);
	if (jv_is_ok(&status))
		status = jv_tar_scan_end(&scan);
	fuzz_check_status(&status);
	JV_ASSERT(scan.bytes >= 0 && scan.bytes <= BYTES_MAX);
	JV_ASSERT(scan.files >= 0 && scan.files <= FILES_MAX);
	jv_tar_scan_deinit(&scan);
}

static void read_log(struct jv_bytes text)
{
	char line[64];
	struct jv_status status = jv_image_failure_of(text, "registry.example");

	fuzz_check_status(&status);
	JV_ASSERT(!jv_is_ok(&status));
	jv_image_last_line(text, line, sizeof(line));
	JV_ASSERT(memchr(line, '\0', sizeof(line)) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.at = data, .size = size};

	switch (fuzz_u8(&input) % 6) {
	case 0:
		parse_manifest(fuzz_rest(&input));
		break;
	case 1:
		find_in_index(fuzz_rest(&input));
		break;
	case 2:
		parse_config(fuzz_rest(&input));
		break;
	case 3:
		parse_reference(fuzz_rest(&input));
		break;
	case 4:
		scan_tar(&input);
		break;
	default:
		read_log(fuzz_rest(&input));
		break;
	}
	return 0;
}

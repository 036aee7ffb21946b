/* Configuration files of both programs, and single values as flags have them. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "server/app/config.h"
#include "testing/fuzz/fuzz.h"
#include "worker/config.h"

static int file = -1;
static char path[64];

static void write_file(struct jv_bytes content)
{
	if (file < 0) {
		file = memfd_create("config", MFD_CLOEXEC);
		JV_ASSERT(file >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	JV_ASSERT(ftruncate(file, 0) == 0);
	JV_ASSERT(pwrite(file, content.data, content.size, 0) == (ssize_t)content.size);
}

static void load_server(void)
{
	const struct jv_config_source source = {.file = path};
	struct jv_server_config config = {0};
	struct jv_status status = jv_config_load(jv_server_config_schema(), &source, &config);

	fuzz_check_status(&status);
	if (!jv_is_ok(&status))
		return;
	status = jv_server_config_check(&config);
	fuzz_check_status(&status);
	jv_config_deinit(jv_server_config_schema(), &config);
}

static void load_worker(void)
{
	const struct jv_config_source source = {.file = path};
	struct jv_worker_config config = {0};
	struct jv_status status = jv_config_load(jv_worker_config_schema, &source, &config);

	fuzz_check_status(&status);
	if (!jv_is_ok(&status))
		return;
	status = jv_worker_config_check(&config);
	fuzz_check_status(&status);
	jv_config_deinit(jv_worker_config_schema, &config);
}

static void parse_values(struct jv_bytes bytes)
{
	char text[64];
	int64_t value;

	snprintf(text, sizeof(text), "%.*s", (int)(bytes.size < 63 ? bytes.size : 63),
		(const char *)bytes.data);
	struct jv_status status = jv_parse_duration_ms(text, &value);
	fuzz_check_status(&status);
	status = jv_parse_bytes(text, &value);
	fuzz_check_status(&status);
	status = jv_parse_int(text, -1000, 1000, &value);
	JV_ASSERT(!jv_is_ok(&status) || (value >= -1000 && value <= 1000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	uint8_t which = fuzz_u8(&input);
	struct jv_bytes content = fuzz_rest(&input);

	if (content.size == 0)
		return 0;
	write_file(content);
	if (which % 3 == 0)
		load_server();
	else if (which % 3 == 1)
		load_worker();
	else
		parse_values(content);
	return 0;
}

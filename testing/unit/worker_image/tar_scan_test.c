/* Looking through tars: what is counted, what is refused, and in pieces of any size. */
#include "worker/image/tar_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BLOCK JV_TAR_BLOCK

static void put_header(
	struct jv_buffer *tar, const char *name, char type, int64_t size, const char *link)
{
	char block[BLOCK] = {0};
	unsigned sum = 0;
	snprintf(block, 100, "%s", name);
	snprintf(block + 100, 8, "0000644");
	snprintf(block + 124, 12, "%011llo", (unsigned long long)size & 077777777777);
	memset(block + 148, ' ', 8);
	block[156] = type;
	snprintf(block + 157, 100, "%s", link);
	memcpy(block + 257, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (uint8_t)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	jv_buffer_append(tar, block, BLOCK);
}

static void put_content(struct jv_buffer *tar, const char *content, size_t size)
{
	jv_buffer_append(tar, content, size);
	while (tar->size % BLOCK != 0)
		jv_buffer_append_byte(tar, 0);
}

static void put(struct jv_buffer *tar, const char *name, char type, const char *content)
{
	put_header(tar, name, type, (int64_t)strlen(content), "");
	put_content(tar, content, strlen(content));
}

static void put_pax(struct jv_buffer *tar, char type, const char *key, const char *value)
{
	char record[512];
	size_t length = strlen(key) + strlen(value) + 3;
	length += length + 2 > 99 ? 3 : 2;
	snprintf(record, sizeof(record), "%zu %s=%s\n", length, key, value);
	assert_int_equal(strlen(record), length);
	put(tar, "pax", type, record);
}

static void put_end(struct jv_buffer *tar)
{
	memset(jv_buffer_extend(tar, 2 * BLOCK), 0, 2 * BLOCK);
}

/* In pieces of so many bytes. */
static struct jv_status scan_by(struct jv_tar_scan *scan, const struct jv_buffer *tar, size_t piece)
{
	for (size_t at = 0; at < tar->size; at += piece) {
		const size_t size = tar->size - at < piece ? tar->size - at : piece;
		JV_TRY(jv_tar_scan_feed(scan, jv_bytes_of(tar->data + at, size)));
	}
	return jv_tar_scan_end(scan);
}

static struct jv_status scan_once(const struct jv_buffer *tar)
{
	struct jv_tar_scan scan = {.bytes_max = 1 << 20, .files_max = 10};
	struct jv_status status = scan_by(&scan, tar, 4096);
	jv_tar_scan_deinit(&scan);
	return status;
}

static void files_and_blocks_are_counted_whatever_the_pieces(void **state)
{
	(void)state;
	struct jv_buffer tar = {0};
	put(&tar, "directory", '5', "");
	put(&tar, "directory/file", '0', "content");
	put_pax(&tar, 'x', "path", "another name");
	put(&tar, "short", '0', "");
	put_header(&tar, "link", '2', 0, "/etc/passwd");
	put_end(&tar);
	for (size_t piece = 1; piece < 1500; piece += 37) {
		struct jv_tar_scan scan = {.bytes_max = 1 << 20, .files_max = 10};
		struct jv_status status = scan_by(&scan, &tar, piece);
		assert_true(jv_is_ok(&status));
		assert_int_equal(scan.files, 4);
		assert_int_equal(scan.bytes, 4 * 4096);
		/* Another one adds to it. */
		status = scan_by(&scan, &tar, piece);
		assert_true(jv_is_ok(&status));
		assert_int_equal(scan.files, 8);
		jv_tar_scan_deinit(&scan);
	}
	jv_buffer_deinit(&tar);
}

static void assert_refused(const struct jv_buffer *tar, enum jv_code code, const char *says)
{
	struct jv_status status = scan_once(tar);
	if (status.code != code || strstr(status.message, says) == NULL)
		fail_msg("%s instead of %s", status.message, says);
}

static void limits_hold_before_anything_is_read(void **state)
{
	(void)state;
	struct jv_buffer tar = {0};
	/* A header is enough: the content need not come. */
	put_header(&tar, "huge", '0', INT64_C(5) << 30, "");
	assert_refused(&tar, JV_RESOURCE_EXHAUSTED, "images.image_max");
	jv_buffer_clear(&tar);
	for (int i = 0; i < 11; i++)
		put(&tar, "file", '0', "");
	assert_refused(&tar, JV_RESOURCE_EXHAUSTED, "images.files_max");
	jv_buffer_clear(&tar);
	put_pax(&tar, 'x', "size", "9999999999");
	put(&tar, "small by its header", '0', "");
	assert_refused(&tar, JV_RESOURCE_EXHAUSTED, "images.image_max");
	jv_buffer_clear(&tar);
	put_pax(&tar, 'x', "GNU.sparse.realsize", "9999999999");
	put(&tar, "mostly holes", '0', "x");
	assert_refused(&tar, JV_RESOURCE_EXHAUSTED, "images.image_max");
	jv_buffer_clear(&tar);
	put_header(&tar, "pax", 'x', 2 << 20, "");
	assert_refused(&tar, JV_FAILED_PRECONDITION, "header of");
	jv_buffer_deinit(&tar);
}

static void what_no_image_needs_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		char type;
		const char *link;
		const char *says;
	} cases[] = {
		{"../outside", '0', "", ".."},
		{"a/../../b", '0', "", ".."},
		{"a/..", '5', "", ".."},
		{"hard", '1', "../../etc/shadow", ".."},
		{".wh..", '0', "", "whiteout"},
		{"a/.wh...", '0', "", "whiteout"},
		{"a/.wh.", '0', "", "whiteout"},
	};
	struct jv_buffer tar = {0};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		jv_buffer_clear(&tar);
		put_header(&tar, cases[i].name, cases[i].type, 0, cases[i].link);
		assert_refused(&tar, JV_FAILED_PRECONDITION, cases[i].says);
	}
	jv_buffer_clear(&tar);
	put_pax(&tar, 'x', "path", "a/../../b");
	put(&tar, "harmless", '0', "");
	assert_refused(&tar, JV_FAILED_PRECONDITION, "..");
	jv_buffer_clear(&tar);
	put_pax(&tar, 'x', "SCHILY.xattr.trusted.overlay.redirect", "/etc");
	put(&tar, "harmless", '0', "");
	assert_refused(&tar, JV_FAILED_PRECONDITION, "trusted.overlay");
	jv_buffer_clear(&tar);
	put(&tar, "././@LongLink", 'L', "long/../name");
	put(&tar, "short", '0', "");
	assert_refused(&tar, JV_FAILED_PRECONDITION, "..");
	jv_buffer_deinit(&tar);
}

static void what_images_have_is_let_through(void **state)
{
	(void)state;
	struct jv_buffer tar = {0};
	put_header(&tar, "absolute", '2', 0, "/../etc/passwd");
	put(&tar, ".wh.gone", '0', "");
	put(&tar, "a/.wh..wh..opq", '0', "");
	put(&tar, "..not-a-parent", '0', "");
	put_header(&tar, "dev/null", '3', 0, "");
	put_pax(&tar, 'x', "SCHILY.xattr.security.capability", "x");
	put(&tar, "ping", '0', "");
	put_pax(&tar, 'g', "size", "99999999");
	put(&tar, "behind a global header", '0', "y");
	put_end(&tar);
	jv_buffer_append_text(&tar, "padding of the medium");
	struct jv_status status = scan_once(&tar);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
	jv_buffer_deinit(&tar);
}

static void what_is_no_tar_is_refused(void **state)
{
	(void)state;
	struct jv_buffer tar = {0};
	for (int i = 0; i < 200; i++)
		jv_buffer_append_text(&tar, "no tar ");
	assert_refused(&tar, JV_DATA_LOSS, "no tar");
	jv_buffer_clear(&tar);
	put(&tar, "file", '0', "content");
	tar.data[0] ^= 1;
	assert_refused(&tar, JV_DATA_LOSS, "damaged");
	tar.data[0] ^= 1;
	tar.size -= 100;
	assert_refused(&tar, JV_DATA_LOSS, "in the middle");
	jv_buffer_clear(&tar);
	put(&tar, "pax", 'x', "7 no equals\n");
	assert_refused(&tar, JV_DATA_LOSS, "pax");
	jv_buffer_clear(&tar);
	put(&tar, "pax", 'x', "99 a=b\n");
	assert_refused(&tar, JV_DATA_LOSS, "pax");
	jv_buffer_clear(&tar);
	/* Nothing at all is a layer without files. */
	struct jv_status status = scan_once(&tar);
	assert_true(jv_is_ok(&status));
	jv_buffer_deinit(&tar);
}

/* Any byte changed to any other: no crash, bounded counts. */
static void damage_does_no_harm(void **state)
{
	(void)state;
	struct jv_buffer tar = {0};
	put_pax(&tar, 'x', "path", "name");
	put(&tar, "file", '0', "content");
	put_end(&tar);
	for (size_t at = 0; at < tar.size; at += at < 4 * BLOCK ? 1 : 13)
		for (int bit = 0; bit < 8; bit++) {
			struct jv_tar_scan scan = {.bytes_max = 1 << 20, .files_max = 10};
			tar.data[at] = (uint8_t)(tar.data[at] ^ 1 << bit);
			struct jv_status status = scan_by(&scan, &tar, 700);
			(void)status;
			assert_true(scan.bytes <= 1 << 20 && scan.files <= 10);
			tar.data[at] = (uint8_t)(tar.data[at] ^ 1 << bit);
			jv_tar_scan_deinit(&scan);
		}
	jv_buffer_deinit(&tar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_blocks_are_counted_whatever_the_pieces),
		cmocka_unit_test(limits_hold_before_anything_is_read),
		cmocka_unit_test(what_no_image_needs_is_refused),
		cmocka_unit_test(what_images_have_is_let_through),
		cmocka_unit_test(what_is_no_tar_is_refused),
		cmocka_unit_test(damage_does_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

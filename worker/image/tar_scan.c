#include "worker/image/tar_scan.h"

#include <string.h>

#include "base/assert.h"

#define DISK_BLOCK INT64_C(4096)
#define NAME_LIMIT 4096

#define BAD(...) jv_error(JV_DATA_LOSS, __VA_ARGS__)

/* Places in a header. */
enum {
	AT_NAME = 0,
	AT_SIZE = 124,
	AT_CHECKSUM = 148,
	AT_TYPE = 156,
	AT_LINK = 157,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
	AT_SPARSE_SIZE = 483,
};

static void forget_extended(struct jv_tar_scan *scan)
{
	scan->has_size = false;
	scan->real_size = 0;
	scan->has_name = false;
	scan->has_link = false;
}

/* Octal text, or GNU's binary form; false if it is neither or negative. */
static bool number(const uint8_t *at, size_t size, int64_t *value)
{
	*value = 0;
	if ((at[0] & 0x80) != 0) {
		if ((at[0] & 0x7f) != 0)
			return false;
		for (size_t i = 1; i < size; i++) {
			if (*value > (INT64_MAX >> 8))
				return false;
			*value = *value << 8 | at[i];
		}
		return true;
	}
	size_t i = 0;
	while (i < size && at[i] == ' ')
		i++;
	for (; i < size && at[i] >= '0' && at[i] <= '7'; i++)
		*value = *value << 3 | (at[i] - '0');
	return i == size || at[i] == ' ' || at[i] == '\0';
}

static bool checksum_good(const uint8_t *block)
{
	int64_t said;
	int64_t sum = 0;
	int64_t sum_signed = 0;
	for (size_t i = 0; i < JV_TAR_BLOCK; i++) {
		const bool own = i >= AT_CHECKSUM && i < AT_CHECKSUM + 8;
		sum += own ? ' ' : block[i];
		sum_signed += own ? ' ' : (int8_t)block[i];
	}
	return number(block + AT_CHECKSUM, 8, &said) && (said == sum || said == sum_signed);
}

/* A component `..`, or a name as long as no file system takes it. */
static struct jv_status check_name(struct jv_bytes name, const char *what)
{
	if (name.size > NAME_LIMIT)
		return jv_error(JV_FAILED_PRECONDITION, "it has a %s longer than %d bytes", what,
			NAME_LIMIT);
	for (size_t start = 0; start < name.size;) {
		size_t end = start;
		while (end < name.size && name.data[end] != '/')
			end++;
		struct jv_bytes part = jv_bytes_of(name.data + start, end - start);
		if (jv_bytes_equal(part, jv_bytes_of_text("..")))
			return jv_error(JV_FAILED_PRECONDITION,
				"it has a %s with \"..\" in it: %.*s", what,
				(int)(name.size < 100 ? name.size : 100), (const char *)name.data);
		/* They would take away the directory itself, or the one above. */
		if (jv_bytes_equal(part, jv_bytes_of_text(".wh.")) ||
			jv_bytes_equal(part, jv_bytes_of_text(".wh..")) ||
			jv_bytes_equal(part, jv_bytes_of_text(".wh...")))
			return jv_error(
				JV_FAILED_PRECONDITION, "it has a whiteout that names no file");
		start = end + 1;
	}
	return jv_ok();
}

static struct jv_bytes field(const uint8_t *at, size_t size)
{
	const void *end = memchr(at, '\0', size);
	return jv_bytes_of(at, end == NULL ? size : (size_t)((const uint8_t *)end - at));
}

/* The name may be in two pieces; each is looked at alone, for between them there is a slash. */
static struct jv_status check_names(const struct jv_tar_scan *scan)
{
	const uint8_t *block = scan->block;
	const char type = (char)block[AT_TYPE];
	if (scan->has_name)
		JV_TRY(check_name(jv_buffer_bytes(&scan->name), "name"));
	JV_TRY(check_name(field(block + AT_NAME, 100), "name"));
	if (memcmp(block + AT_MAGIC, "ustar\0", 6) == 0)
		JV_TRY(check_name(field(block + AT_PREFIX, 155), "name"));
	if (type != '1')
		return jv_ok();
	if (scan->has_link)
		JV_TRY(check_name(jv_buffer_bytes(&scan->link), "hard link"));
	return check_name(field(block + AT_LINK, 100), "hard link");
}

static struct jv_status count(struct jv_tar_scan *scan, int64_t size)
{
	const int64_t room = scan->bytes_max - scan->bytes;
	if (scan->files >= scan->files_max)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"it has more than %lld files: images.files_max allows no more",
			(long long)scan->files_max);
	scan->files++;
	if (size > room - DISK_BLOCK)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"it unpacks to more than %lld MiB: images.image_max allows no more",
			(long long)(scan->bytes_max >> 20));
	scan->bytes += (size + DISK_BLOCK - 1) / DISK_BLOCK * DISK_BLOCK;
	/* A directory, a link, a name: not quite for nothing either. */
	if (size == 0)
		scan->bytes += DISK_BLOCK;
	return jv_ok();
}

static int64_t padded(int64_t size)
{
	return (size + JV_TAR_BLOCK - 1) / JV_TAR_BLOCK * JV_TAR_BLOCK;
}

static struct jv_status begin_extended(struct jv_tar_scan *scan, char type, int64_t size)
{
	if (size > (int64_t)JV_TAR_EXTENDED_MAX)
		return jv_error(JV_FAILED_PRECONDITION,
			"it has a header of %lld bytes; at most %zu are taken", (long long)size,
			JV_TAR_EXTENDED_MAX);
	scan->extended_type = type;
	scan->meaningful = (size_t)size;
	scan->left = padded(size);
	scan->part = scan->left > 0 ? JV_TAR_EXTENDED : JV_TAR_HEADER;
	jv_buffer_clear(&scan->extended);
	return jv_ok();
}

/* Links, devices, directories and pipes are followed by nothing, whatever their size says. */
static bool has_content(char type)
{
	return type < '1' || type > '6';
}

static struct jv_status take_entry(struct jv_tar_scan *scan, char type, int64_t stored)
{
	int64_t size = stored;
	int64_t real;
	JV_TRY(check_names(scan));
	if (type == 'S' && number(scan->block + AT_SPARSE_SIZE, 12, &real) && real > size)
		size = real;
	if (type == 'S' && scan->block[482] != 0)
		return jv_error(JV_FAILED_PRECONDITION,
			"it has a sparse file with more holes than one header holds");
	if (scan->real_size > size)
		size = scan->real_size;
	JV_TRY(count(scan, has_content(type) ? size : 0));
	forget_extended(scan);
	scan->left = has_content(type) ? padded(stored) : 0;
	scan->part = scan->left > 0 ? JV_TAR_CONTENT : JV_TAR_HEADER;
	return jv_ok();
}

static bool is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < JV_TAR_BLOCK; i++)
		if (block[i] != 0)
			return false;
	return true;
}

static struct jv_status take_header(struct jv_tar_scan *scan)
{
	const char type = (char)scan->block[AT_TYPE];
	int64_t size;
	if (is_zero(scan->block)) {
		scan->part = JV_TAR_END;
		return jv_ok();
	}
	if (!checksum_good(scan->block) || !number(scan->block + AT_SIZE, 12, &size))
		return BAD("it is no tar, or a damaged one");
	if (type == 'x' || type == 'g' || type == 'L' || type == 'K')
		return begin_extended(scan, type, size);
	if (scan->has_size)
		size = scan->size;
	if (size > INT64_MAX - DISK_BLOCK)
		return BAD("it has a file of an impossible size");
	return take_entry(scan, type, size);
}

static bool decimal(struct jv_bytes text, int64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || *value > INT64_MAX / 10 - 1)
			return false;
		*value = *value * 10 + (text.data[i] - '0');
	}
	return text.size > 0;
}

static bool starts_with(struct jv_bytes text, const char *prefix)
{
	return jv_bytes_starts_with(text, jv_bytes_of_text(prefix));
}

static bool is(struct jv_bytes text, const char *other)
{
	return jv_bytes_equal(text, jv_bytes_of_text(other));
}

static void keep(struct jv_buffer *to, bool *has, struct jv_bytes text)
{
	jv_buffer_clear(to);
	jv_buffer_append(to, text.data, text.size);
	*has = true;
}

/* One `key=value` of a pax header. Overlay reads attributes of these names as its own. */
static struct jv_status take_record(
	struct jv_tar_scan *scan, struct jv_bytes key, struct jv_bytes value)
{
	if (starts_with(key, "SCHILY.xattr.trusted.") ||
		starts_with(key, "SCHILY.xattr.user.overlay."))
		return jv_error(JV_FAILED_PRECONDITION,
			"it has a file with the attribute %.*s, which no image needs",
			(int)(key.size < 80 ? key.size : 80), (const char *)key.data);
	if (starts_with(key, "GNU.sparse.") && is(key, "GNU.sparse.name"))
		return check_name(value, "name");
	if (is(key, "GNU.sparse.realsize") || is(key, "GNU.sparse.size")) {
		if (!decimal(value, &scan->real_size))
			return BAD("it has a sparse file of an impossible size");
	} else if (is(key, "size") && scan->extended_type == 'x') {
		/* A global header's is not for the next file: whoever unpacks ignores it. */
		if (!decimal(value, &scan->size))
			return BAD("it has a file of an impossible size");
		scan->has_size = true;
	} else if (is(key, "path")) {
		keep(&scan->name, &scan->has_name, value);
	} else if (is(key, "linkpath")) {
		keep(&scan->link, &scan->has_link, value);
	}
	return jv_ok();
}

/* Records are `LENGTH KEY=VALUE\n`; LENGTH counts all of it. */
static struct jv_status take_records(struct jv_tar_scan *scan, struct jv_bytes text)
{
	while (text.size > 0) {
		int64_t length;
		const uint8_t *space = memchr(text.data, ' ', text.size < 20 ? text.size : 20);
		if (space == NULL ||
			!decimal(jv_bytes_of(text.data, (size_t)(space - text.data)), &length) ||
			length < 1 || (uint64_t)length > text.size ||
			text.data + length <= space + 1 || text.data[length - 1] != '\n')
			return BAD("it has a damaged pax header");
		struct jv_bytes record =
			jv_bytes_of(space + 1, (size_t)(text.data + length - 1 - (space + 1)));
		const uint8_t *equals =
			record.size == 0 ? NULL : memchr(record.data, '=', record.size);
		if (equals == NULL)
			return BAD("it has a damaged pax header");
		const size_t key = (size_t)(equals - record.data);
		JV_TRY(take_record(scan, jv_bytes_of(record.data, key),
			jv_bytes_of(equals + 1, record.size - key - 1)));
		text = jv_bytes_of(text.data + length, text.size - (size_t)length);
	}
	return jv_ok();
}

static struct jv_status end_extended(struct jv_tar_scan *scan)
{
	struct jv_bytes text = jv_bytes_of(scan->extended.data, scan->meaningful);
	scan->part = JV_TAR_HEADER;
	if (scan->extended_type == 'L')
		keep(&scan->name, &scan->has_name, field(text.data, text.size));
	else if (scan->extended_type == 'K')
		keep(&scan->link, &scan->has_link, field(text.data, text.size));
	else
		return take_records(scan, text);
	return jv_ok();
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Takes a part of the piece; returns how much. */
static struct jv_status step(struct jv_tar_scan *scan, struct jv_bytes piece, size_t *taken)
{
	switch (scan->part) {
	case JV_TAR_HEADER:
		*taken = smaller(JV_TAR_BLOCK - scan->filled, piece.size);
		memcpy(scan->block + scan->filled, piece.data, *taken);
		scan->filled += *taken;
		if (scan->filled < JV_TAR_BLOCK)
			return jv_ok();
		scan->filled = 0;
		return take_header(scan);
	case JV_TAR_EXTENDED:
		*taken = smaller((size_t)scan->left, piece.size);
		jv_buffer_append(&scan->extended, piece.data, *taken);
		scan->left -= (int64_t)*taken;
		return scan->left > 0 ? jv_ok() : end_extended(scan);
	case JV_TAR_CONTENT:
		*taken = scan->left < (int64_t)piece.size ? (size_t)scan->left : piece.size;
		scan->left -= (int64_t)*taken;
		if (scan->left == 0)
			scan->part = JV_TAR_HEADER;
		return jv_ok();
	case JV_TAR_END:
		*taken = piece.size;
		return jv_ok();
	}
	JV_UNREACHABLE();
}

struct jv_status jv_tar_scan_feed(struct jv_tar_scan *scan, struct jv_bytes piece)
{
	while (piece.size > 0) {
		size_t taken;
		JV_TRY(step(scan, piece, &taken));
		JV_ASSERT(taken <= piece.size);
		piece = jv_bytes_of(piece.data + taken, piece.size - taken);
	}
	return jv_ok();
}

struct jv_status jv_tar_scan_end(struct jv_tar_scan *scan)
{
	const bool whole =
		scan->filled == 0 && (scan->part == JV_TAR_END || scan->part == JV_TAR_HEADER);
	scan->part = JV_TAR_HEADER;
	scan->filled = 0;
	forget_extended(scan);
	return whole ? jv_ok() : BAD("the tar ends in the middle of a file");
}

void jv_tar_scan_deinit(struct jv_tar_scan *scan)
{
	jv_buffer_deinit(&scan->extended);
	jv_buffer_deinit(&scan->name);
	jv_buffer_deinit(&scan->link);
}

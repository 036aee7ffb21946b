#include "base/reference.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

#define BAD(...) jv_error(JV_INVALID_ARGUMENT, __VA_ARGS__)

/* What a piece of text may consist of. */
static bool is_lower(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

static bool is_alphanumeric(uint8_t byte)
{
	return is_lower(byte) || (byte >= 'A' && byte <= 'Z');
}

/* Of a few; a NUL is none of any. */
static bool is_one_of(uint8_t byte, const char *set)
{
	return byte != '\0' && strchr(set, byte) != NULL;
}

static struct jv_bytes part(struct jv_bytes text, size_t from, size_t to)
{
	JV_ASSERT(from <= to && to <= text.size);
	return jv_bytes_of(text.data + from, to - from);
}

/* Where a byte stands first; the size if it is not there. */
static size_t find(struct jv_bytes text, uint8_t byte)
{
	const void *at = text.size == 0 ? NULL : memchr(text.data, byte, text.size);
	return at == NULL ? text.size : (size_t)((const uint8_t *)at - text.data);
}

static void copy(char *out, size_t size, struct jv_bytes text)
{
	JV_ASSERT(text.size < size);
	if (text.size > 0)
		memcpy(out, text.data, text.size);
	out[text.size] = '\0';
}

bool jv_reference_is(struct jv_bytes text)
{
	return jv_bytes_starts_with(text, jv_bytes_of_text(JV_REFERENCE_SCHEME));
}

bool jv_digest_valid(struct jv_bytes text)
{
	if (text.size != JV_DIGEST_TEXT_MAX ||
		!jv_bytes_starts_with(text, jv_bytes_of_text("sha256:")))
		return false;
	for (size_t i = 7; i < text.size; i++)
		if (!((text.data[i] >= '0' && text.data[i] <= '9') ||
			    (text.data[i] >= 'a' && text.data[i] <= 'f')))
			return false;
	return true;
}

/* A part of a host's name, between dots: letters and digits, and dashes inside. */
static bool label_valid(struct jv_bytes label)
{
	if (label.size == 0 || label.data[0] == '-' || label.data[label.size - 1] == '-')
		return false;
	for (size_t i = 0; i < label.size; i++)
		if (!is_alphanumeric(label.data[i]) && label.data[i] != '-')
			return false;
	return true;
}

static bool port_valid(struct jv_bytes port)
{
	if (port.size == 0 || port.size > 5)
		return false;
	for (size_t i = 0; i < port.size; i++)
		if (port.data[i] < '0' || port.data[i] > '9')
			return false;
	return true;
}

static bool host_valid(struct jv_bytes host)
{
	const size_t colon = find(host, ':');
	struct jv_bytes name = part(host, 0, colon);
	if (colon < host.size && !port_valid(part(host, colon + 1, host.size)))
		return false;
	for (;;) {
		const size_t dot = find(name, '.');
		if (!label_valid(part(name, 0, dot)))
			return false;
		if (dot == name.size)
			return true;
		name = part(name, dot + 1, name.size);
	}
}

/* Between letters and digits: one dot, one or two underscores, or any number of dashes. */
static size_t separator(struct jv_bytes text, size_t at)
{
	size_t end = at;
	while (end < text.size && text.data[end] == text.data[at])
		end++;
	const size_t most = text.data[at] == '.' ? 1 : text.data[at] == '_' ? 2 : text.size;
	return is_one_of(text.data[at], "._-") && end - at <= most ? end : at;
}

static bool component_valid(struct jv_bytes text)
{
	if (text.size == 0 || !is_lower(text.data[0]) || !is_lower(text.data[text.size - 1]))
		return false;
	for (size_t i = 0; i < text.size;) {
		const size_t next = is_lower(text.data[i]) ? i + 1 : separator(text, i);
		if (next == i || (!is_lower(text.data[i]) && !is_lower(text.data[next])))
			return false;
		i = next;
	}
	return true;
}

static bool path_valid(struct jv_bytes path)
{
	for (;;) {
		const size_t slash = find(path, '/');
		if (!component_valid(part(path, 0, slash)))
			return false;
		if (slash == path.size)
			return true;
		path = part(path, slash + 1, path.size);
	}
}

static bool tag_valid(struct jv_bytes tag)
{
	if (tag.size == 0 || tag.size > JV_REFERENCE_TAG_MAX ||
		!(is_alphanumeric(tag.data[0]) || tag.data[0] == '_'))
		return false;
	for (size_t i = 1; i < tag.size; i++)
		if (!is_alphanumeric(tag.data[i]) && !is_one_of(tag.data[i], "_.-"))
			return false;
	return true;
}

/* Takes `@sha256:…` from the end. What else is behind an @ may be a host, and a password before
 * it. */
static struct jv_status take_digest(struct jv_bytes *text, struct jv_reference *reference)
{
	const size_t at = find(*text, '@');
	if (at == text->size)
		return jv_ok();
	struct jv_bytes digest = part(*text, at + 1, text->size);
	if (!jv_digest_valid(digest))
		return BAD("behind the @ there must be sha256: and 64 hexadecimal digits; "
			   "credentials do not belong here but into the worker's "
			   "images.authfile");
	copy(reference->digest, sizeof(reference->digest), digest);
	*text = part(*text, 0, at);
	return jv_ok();
}

/* The tag is behind the last colon, if no slash follows. */
static struct jv_status take_tag(struct jv_bytes *text, struct jv_reference *reference)
{
	size_t at = text->size;
	while (at > 0 && text->data[at - 1] != ':' && text->data[at - 1] != '/')
		at--;
	struct jv_bytes tag = jv_bytes_of_text("latest");
	if (at > 0 && text->data[at - 1] == ':') {
		tag = part(*text, at, text->size);
		*text = part(*text, 0, at - 1);
		if (!tag_valid(tag))
			return BAD("its tag must be 1 to %d of a-z, A-Z, 0-9, _ . and -, and not "
				   "begin with . or -",
				JV_REFERENCE_TAG_MAX);
	}
	if (reference->digest[0] == '\0')
		copy(reference->tag, sizeof(reference->tag), tag);
	return jv_ok();
}

/* The first component is a host if it looks like one: with a dot or a port, or localhost. */
static struct jv_bytes take_host(struct jv_bytes *text)
{
	const size_t slash = find(*text, '/');
	struct jv_bytes first = part(*text, 0, slash);
	if (slash == text->size ||
		(find(first, '.') == first.size && find(first, ':') == first.size &&
			!jv_bytes_equal(first, jv_bytes_of_text("localhost"))))
		return jv_bytes_of_text("docker.io");
	*text = part(*text, slash + 1, text->size);
	return first;
}

struct jv_status jv_reference_parse(struct jv_bytes text, struct jv_reference *reference)
{
	memset(reference, 0, sizeof(*reference));
	if (!jv_reference_is(text))
		return BAD("it does not begin with " JV_REFERENCE_SCHEME);
	text = part(text, strlen(JV_REFERENCE_SCHEME), text.size);
	JV_TRY(take_digest(&text, reference));
	JV_TRY(take_tag(&text, reference));
	struct jv_bytes host = take_host(&text);
	if (!host_valid(host))
		return BAD("its host must be a name or an IPv4 address, and perhaps a port");
	if (!path_valid(text))
		return BAD("its path must be components of a-z, 0-9 and single . _ or -, with / "
			   "between them");
	const bool short_name =
		jv_bytes_equal(host, jv_bytes_of_text("docker.io")) && find(text, '/') == text.size;
	/* As it is printed, so that what is printed is a reference too. */
	if (host.size + 1 + (short_name ? strlen("library/") : 0) + text.size >
		JV_REFERENCE_NAME_MAX)
		return BAD("its name is longer than %d bytes, its host included",
			JV_REFERENCE_NAME_MAX);
	copy(reference->host, sizeof(reference->host), host);
	snprintf(reference->path, sizeof(reference->path), "%s%.*s", short_name ? "library/" : "",
		(int)text.size, (const char *)text.data);
	return jv_ok();
}

void jv_reference_print(const struct jv_reference *reference, char out[JV_REFERENCE_TEXT_MAX])
{
	const bool by_digest = reference->digest[0] != '\0';
	snprintf(out, JV_REFERENCE_TEXT_MAX, "%s/%s%s%s", reference->host, reference->path,
		by_digest ? "@" : ":", by_digest ? reference->digest : reference->tag);
}

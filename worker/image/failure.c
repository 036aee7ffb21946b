#include "worker/image/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX  200
#define WHOLE_MAX 2048

/* What a log may say, in the order in which it is looked for. */
static const struct {
	const char *says;
	enum jv_code code;
	const char *meaning; /* NULL: its own words will do */
} causes[] = {
	{"server gave HTTP response to HTTPS client", JV_FAILED_PRECONDITION,
		"the registry speaks plain HTTP: if that is meant, list it in the worker's "
		"images.insecure_registries"},
	{"does not look like a TLS handshake", JV_FAILED_PRECONDITION,
		"the registry speaks plain HTTP: if that is meant, list it in the worker's "
		"images.insecure_registries"},
	{"x509:", JV_FAILED_PRECONDITION,
		"the registry's certificate is not trusted: put its authority's certificate into "
		"/etc/containers/certs.d/HOST:PORT/ca.crt, or into the machine's"},
	{"toomanyrequests", JV_UNAVAILABLE, "the registry takes no more requests at the moment"},
	{"status code 429", JV_UNAVAILABLE, "the registry takes no more requests at the moment"},
	{"unauthorized", JV_UNAUTHENTICATED,
		"the registry asks for credentials, or does not take those of the worker's "
		"images.authfile (skopeo login --authfile FILE HOST writes them)"},
	{"authentication required", JV_UNAUTHENTICATED,
		"the registry asks for credentials: put them into the worker's images.authfile"},
	{"invalid username/password", JV_UNAUTHENTICATED,
		"the registry does not take the credentials of the worker's images.authfile"},
	{"status code 401", JV_UNAUTHENTICATED,
		"the registry asks for credentials: put them into the worker's images.authfile"},
	{"status code 403", JV_UNAUTHENTICATED,
		"the registry does not let the worker's credentials read this image"},
	{"denied", JV_UNAUTHENTICATED,
		"the registry does not let the worker read this image: it may not exist, or need "
		"credentials in images.authfile"},
	{"manifest unknown", JV_NOT_FOUND, "there is no such tag or digest in the registry"},
	{"name unknown", JV_NOT_FOUND, "there is no such image in the registry"},
	{"repository name not known", JV_NOT_FOUND, "there is no such image in the registry"},
	{"status code 404", JV_NOT_FOUND, "there is no such image in the registry"},
	{"rejected by policy", JV_FAILED_PRECONDITION,
		"the machine's /etc/containers/policy.json does not allow this image"},
	{"policy.json: no such file", JV_FAILED_PRECONDITION,
		"skopeo needs /etc/containers/policy.json, which Debian's "
		"golang-github-containers-common brings"},
	{"no space left on device", JV_RESOURCE_EXHAUSTED, NULL},
	{"file too large", JV_DATA_LOSS, "the registry sends more than the manifest says"},
	{"SIGXFSZ", JV_DATA_LOSS, "the registry sends more than the manifest says"},
	{"did not match", JV_DATA_LOSS,
		"what the registry sends does not have the digest it is "
		"asked for"},
	{"unsupported schema version", JV_UNIMPLEMENTED, NULL},
};

/* Go's errors go from what was to be done to what was wrong: what is too long keeps its end. */
static void keep_end(const char *text, char *out, size_t size)
{
	static const char more[] = "…";
	size_t length = strlen(text);
	size_t room = size - sizeof(more);

	if (length < size)
		memcpy(out, text, length + 1);
	else
		snprintf(out, size, "%s%s", more, text + length - room);
}

/* Skopeo's own words: msg="…" of the last line that is fatal, without its quotes. */
static void fatal_message(const char *text, char *out, size_t size)
{
	static const char mark[] = "level=fatal msg=\"";
	const char *found = NULL;
	for (const char *at = text; (at = strstr(at, mark)) != NULL; at++)
		found = at + strlen(mark);
	if (found == NULL) {
		jv_image_last_line(jv_bytes_of_text(text), out, size);
		return;
	}
	size_t length = 0;
	for (; *found != '\0' && *found != '\n' && *found != '"' && length + 1 < size; found++) {
		if (*found == '\\' && found[1] != '\0')
			found++;
		out[length++] = *found;
	}
	out[length] = '\0';
}

struct jv_status jv_image_failure_of(struct jv_bytes text, const char *host)
{
	struct jv_bytes copy = jv_bytes_copy(text);
	char whole[WHOLE_MAX];
	char said[SAID_MAX];
	fatal_message((const char *)copy.data, whole, sizeof(whole));
	keep_end(whole, said, sizeof(said));
	struct jv_status status = jv_error(JV_UNAVAILABLE, "registry %.80s: %s", host,
		said[0] != '\0' ? said : "skopeo failed and said nothing");
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		if (strstr((const char *)copy.data, causes[i].says) == NULL)
			continue;
		status = jv_error(causes[i].code, "registry %.80s: %s%s%.120s%s", host,
			causes[i].meaning != NULL ? causes[i].meaning : "",
			causes[i].meaning != NULL ? " (" : "", said,
			causes[i].meaning != NULL ? ")" : "");
		break;
	}
	free((void *)(uintptr_t)copy.data);
	return status;
}

void jv_image_last_line(struct jv_bytes text, char *out, size_t size)
{
	size_t length = text.size;
	out[0] = '\0';
	if (length == 0)
		return;
	while (length > 0 && (text.data[length - 1] == '\n' || text.data[length - 1] == ' '))
		length--;
	size_t start = length;
	while (start > 0 && text.data[start - 1] != '\n')
		start--;
	while (start < length && (text.data[start] >= 0x80 || text.data[start] == ' '))
		start++;
	snprintf(out, size, "%.*s", (int)(length - start), (const char *)text.data + start);
}

#include "server/rest/head.h"

#include <string.h>
#include <strings.h>

#include "base/assert.h"

#define VERB_MAX 32
/* Blank lines in front of a request, which some clients send behind a body. */
#define BLANK_LINES_BYTES_MAX 8

static bool is_token(unsigned char c)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c != '\0' && strchr(others, c) != NULL);
}

static bool refuse(struct jv_head_fault *fault, unsigned status, const char *message)
{
	fault->status = status;
	fault->message = message;
	return false;
}

/* A byte that tells at once that this is no HTTP, so that its sender need not wait. */
static bool check_first(unsigned char c, struct jv_head_fault *fault)
{
	if (is_token(c))
		return true;
	return refuse(fault, 400,
		c == 0x16 ? "this port speaks HTTP without TLS"
			  : "the request does not begin with an HTTP method");
}

/* At a line feed. True: it ends the head. */
static bool end_line(struct jv_head_scan *scan)
{
	bool blank = scan->at - 2 == scan->line;

	if (blank && scan->line_seen)
		return true;
	scan->line_seen = !blank;
	scan->line = scan->at;
	if (blank)
		scan->start = scan->at;
	return false;
}

static enum jv_head_found too_large(const struct jv_head_scan *scan)
{
	return scan->line == scan->start ? JV_HEAD_LINE_TOO_LONG : JV_HEAD_TOO_LARGE;
}

enum jv_head_found jv_head_find(const void *data, size_t size, size_t bytes_max,
	struct jv_head_scan *scan, struct jv_head_fault *fault)
{
	const unsigned char *text = data;

	while (scan->at < size) {
		unsigned char c = text[scan->at];
		bool after_return = scan->at > scan->line && text[scan->at - 1] == '\r';
		if (scan->at - scan->start >= bytes_max)
			return too_large(scan);
		if (scan->at == scan->start && c != '\r' && !check_first(c, fault))
			return JV_HEAD_BAD;
		if ((c == '\n') != after_return || c == '\0') {
			refuse(fault, 400,
				"lines of a request end with CRLF and hold neither alone");
			return JV_HEAD_BAD;
		}
		scan->at++;
		if (c == '\n' && end_line(scan))
			return JV_HEAD_WHOLE;
		if (scan->start > BLANK_LINES_BYTES_MAX) {
			refuse(fault, 400, "there are only blank lines where a request should be");
			return JV_HEAD_BAD;
		}
	}
	return JV_HEAD_MORE;
}

/* Cuts the text at the first c; NULL if there is none. */
static char *cut(char *text, char c)
{
	char *at = strchr(text, c);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return at + 1;
}

static bool parse_version(const char *text, struct jv_head *head, struct jv_head_fault *fault)
{
	if (strcmp(text, "HTTP/1.1") == 0 || strcmp(text, "HTTP/1.0") == 0) {
		head->minor = text[7] - '0';
		return true;
	}
	if (strncmp(text, "HTTP/", 5) != 0)
		return refuse(fault, 400, "the request line does not end with the version of HTTP");
	return refuse(fault, 505,
		"this port speaks HTTP/1.1; gRPC, which is HTTP/2, has a port of its own");
}

static bool parse_target(const char *target, struct jv_head_fault *fault)
{
	for (const char *at = target; *at != '\0'; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f || *at == '#')
			return refuse(fault, 400,
				"the path of the request has a control character or a #");
	return target[0] != '\0' || refuse(fault, 400, "the request has no path");
}

static bool parse_request_line(char *line, struct jv_head *head, struct jv_head_fault *fault)
{
	char *target = cut(line, ' ');
	char *version = target == NULL ? NULL : cut(target, ' ');
	size_t size = strlen(line);

	if (version == NULL)
		return refuse(fault, 400,
			"the request line is not METHOD PATH VERSION with one blank between them");
	head->verb = line;
	head->target = target;
	if (size == 0 || size > VERB_MAX)
		return refuse(fault, 400, "the method of the request is empty or too long");
	for (size_t i = 0; i < size; i++)
		if (!is_token((unsigned char)line[i]))
			return refuse(fault, 400, "the method of the request is malformed");
	return parse_version(version, head, fault) && parse_target(target, fault);
}

static bool parse_field(char *line, struct jv_head_field *field, struct jv_head_fault *fault)
{
	char *value = cut(line, ':');
	size_t size;

	if (line[0] == ' ' || line[0] == '\t')
		return refuse(fault, 400, "a header goes on in a second line, which is obsolete");
	if (value == NULL || line[0] == '\0')
		return refuse(fault, 400, "a header is not NAME: VALUE");
	for (const char *at = line; *at != '\0'; at++)
		if (!is_token((unsigned char)*at))
			return refuse(fault, 400, "the name of a header is malformed");
	value += strspn(value, " \t");
	size = strlen(value);
	while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
		value[--size] = '\0';
	for (const char *at = value; *at != '\0'; at++)
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
			return refuse(fault, 400, "a header has a control character");
	field->name = line;
	field->value = value;
	return true;
}

/* The only field of the name: NULL if there is none. False: there are several. */
static bool only(const struct jv_head *head, const char *name, const char **value)
{
	*value = NULL;
	for (size_t i = 0; i < head->field_count; i++) {
		if (strcasecmp(head->fields[i].name, name) != 0)
			continue;
		if (*value != NULL)
			return false;
		*value = head->fields[i].value;
	}
	return true;
}

const char *jv_head_field(const struct jv_head *head, const char *name)
{
	for (size_t i = 0; i < head->field_count; i++)
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	return NULL;
}

bool jv_head_lists(const char *list, const char *token)
{
	size_t size = strlen(token);

	while (*list != '\0') {
		list += strspn(list, " \t,");
		size_t length = strcspn(list, ",");
		const char *next = list + length;
		while (length > 0 && (list[length - 1] == ' ' || list[length - 1] == '\t'))
			length--;
		if (length == size && strncasecmp(list, token, size) == 0)
			return true;
		list = next;
	}
	return false;
}

static bool parse_length(const char *text, struct jv_head *head, struct jv_head_fault *fault)
{
	size_t size = strlen(text);

	/* 18 digits are more than anybody has, and fit. */
	if (size == 0 || size > 18 || strspn(text, "0123456789") != size)
		return refuse(fault, 400, "the Content-Length is not one number");
	for (size_t i = 0; i < size; i++)
		head->length = head->length * 10 + (uint64_t)(text[i] - '0');
	return true;
}

/* Where the request ends must be beyond doubt: a proxy in front of us might see it otherwise. */
static bool parse_framing(struct jv_head *head, struct jv_head_fault *fault)
{
	const char *length, *coding;

	if (!only(head, "Content-Length", &length))
		return refuse(fault, 400, "the request has more than one Content-Length");
	if (!only(head, "Transfer-Encoding", &coding))
		return refuse(fault, 400, "the request has more than one Transfer-Encoding");
	if (length != NULL && coding != NULL)
		return refuse(
			fault, 400, "the request has both Content-Length and Transfer-Encoding");
	if (coding != NULL && head->minor == 0)
		return refuse(fault, 400, "HTTP/1.0 has no Transfer-Encoding");
	if (coding != NULL && strcasecmp(coding, "chunked") != 0)
		return refuse(fault, 501, "only the transfer encoding chunked is known");
	head->chunked = coding != NULL;
	return length == NULL || parse_length(length, head, fault);
}

static bool parse_host(const struct jv_head *head, struct jv_head_fault *fault)
{
	const char *host;

	if (!only(head, "Host", &host))
		return refuse(fault, 400, "the request has more than one Host header");
	if (host == NULL && head->minor > 0)
		return refuse(fault, 400, "the request has no Host header");
	if (host != NULL && strpbrk(host, " \t,/@?#") != NULL)
		return refuse(fault, 400, "the Host header is malformed");
	return true;
}

static bool parse_rest(struct jv_head *head, struct jv_head_fault *fault)
{
	const char *connection = jv_head_field(head, "Connection");
	const char *expect = jv_head_field(head, "Expect");

	if (!parse_host(head, fault) || !parse_framing(head, fault))
		return false;
	head->keep_alive = head->minor > 0;
	for (size_t i = 0; i < head->field_count && connection != NULL; i++) {
		const struct jv_head_field *field = &head->fields[i];
		if (strcasecmp(field->name, "Connection") != 0)
			continue;
		if (head->minor == 0 && jv_head_lists(field->value, "keep-alive"))
			head->keep_alive = true;
		if (jv_head_lists(field->value, "close")) {
			head->keep_alive = false;
			break;
		}
	}
	if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
		return refuse(fault, 417, "only 100-continue can be expected");
	head->expects_continue = expect != NULL && head->minor > 0;
	return true;
}

bool jv_head_parse(char *text, size_t size, struct jv_head_field *fields, struct jv_head *head,
	struct jv_head_fault *fault)
{
	char *line = text;

	*head = (struct jv_head){.fields = fields};
	*fault = (struct jv_head_fault){0};
	JV_ASSERT(size >= 4 && memcmp(text + size - 4, "\r\n\r\n", 4) == 0);
	for (char *end = text; *line != '\r'; line = end + 2) {
		end = strchr(line, '\r');
		*end = '\0';
		if (line == text) {
			if (!parse_request_line(line, head, fault))
				return false;
			continue;
		}
		if (head->field_count == JV_HEAD_FIELDS_MAX)
			return refuse(fault, 431, "the request has too many headers");
		/* Only those that are whole count: a refused request is looked at too. */
		if (!parse_field(line, &fields[head->field_count], fault))
			return false;
		head->field_count++;
	}
	return parse_rest(head, fault);
}

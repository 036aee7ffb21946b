#include <stdio.h>
#include <string.h>

#include "cli/invocation.h"
#include "proto/wire/status.h"

int jv_exit_of(const struct jv_status *status)
{
	if (jv_is_ok(status))
		return JV_EXIT_OK;
	if (status->code == JV_NOT_FOUND)
		return JV_EXIT_NOT_FOUND;
	if (status->code == JV_UNAVAILABLE)
		return JV_EXIT_UNAVAILABLE;
	if (status->code == JV_DEADLINE_EXCEEDED)
		return JV_EXIT_TIMEOUT;
	return JV_EXIT_FAILED;
}

/* What to do next, without the newline; "" if there is nothing to say beyond the message. */
static const char *hint_of(enum jv_code code)
{
	static const struct {
		enum jv_code code;
		const char *hint;
	} hints[] = {
		{JV_NOT_FOUND, "see what there is with: jarvis task list, jarvis node list"},
		{JV_DEADLINE_EXCEEDED, "allow more time with --timeout, or see: jarvis status"},
		{JV_RESOURCE_EXHAUSTED,
			"the server is at a limit; try again later, or see: jarvis status"},
		{JV_UNAUTHENTICATED, "the server wants to know who you are; ask its operator"},
		{JV_PERMISSION_DENIED, "ask the operator of the server"},
		{JV_OUT_OF_RANGE,
			"begin anew with: jarvis task list, then watch from its revision"},
		{JV_UNIMPLEMENTED, "compare the versions with: jarvis version, jarvis status"},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (hints[i].code == code)
			return hints[i].hint;
	}
	return "";
}

/* Somebody answers, but not in the way that was meant: by gRPC's words for it. NULL: nobody does.
 */
static const char *meeting_hint(const char *message, bool tls)
{
	static const struct {
		const char *says;
		const char *hint;
	} hints[] = {
		{"certificate verify failed",
			"the server's certificate is not signed by anybody who is trusted here; "
			"say who has signed it with --ca FILE"},
		{"is not in peer certificate",
			"the server's certificate is for another name; if that is meant, say "
			"which with --server-name NAME"},
		{"wrong version number",
			"this port does not speak TLS; leave --tls and its files away, or name "
			"another port"},
		{"http1.x server",
			"this port is for REST; gRPC has one of its own, by default 7070"},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (strstr(message, hints[i].says) != NULL)
			return hints[i].hint;
	}
	/* Not of a call that was cut off: there was a server. */
	if (strstr(message, "failed to connect") == NULL ||
		strstr(message, "Socket closed") == NULL)
		return NULL;
	return tls ? "the server may ask for a certificate of yours: --cert FILE --key FILE"
		   : "the server may speak TLS: --tls, or --ca FILE";
}

static void print_hint(const struct jv_invocation *invocation, const struct jv_status *status)
{
	const char *hint = hint_of(status->code);

	if (status->code == JV_UNAVAILABLE)
		hint = meeting_hint(status->message, invocation->target.tls);
	if (hint == NULL)
		fprintf(stderr,
			"hint: is jarvisd running at %s%s? Start it with: jarvisd --config FILE; "
			"name another server with --server HOST:PORT or jarvis context\n",
			invocation->target.server, invocation->target.tls ? ", with TLS" : "");
	else if (hint[0] != '\0')
		fprintf(stderr, "hint: %s\n", hint);
}

static void print_context(const struct jv_invocation *invocation, const char *subject)
{
	struct jv_buffer command = {0};

	jv_arguments_print(invocation->arguments, &command);
	fprintf(stderr, "jarvis: %s: ", jv_buffer_text(&command));
	if (subject != NULL)
		fprintf(stderr, "%s: ", subject);
	jv_buffer_deinit(&command);
}

int jv_invocation_misuse(const struct jv_invocation *invocation, const struct jv_status *status)
{
	struct jv_buffer command = {0};

	jv_arguments_print(invocation->arguments, &command);
	print_context(invocation, NULL);
	fprintf(stderr, "%s\nhint: see: jarvis %s%s--help\n", status->message,
		jv_buffer_text(&command), command.size > 0 ? " " : "");
	jv_buffer_deinit(&command);
	return JV_EXIT_USAGE;
}

int jv_invocation_fail(
	const struct jv_invocation *invocation, const char *subject, const struct jv_status *status)
{
	struct jv_buffer text = {0};
	struct jv_buffer clean = {0};

	/* Nothing was asked yet: it is --server that is wrong. */
	if (status->code == JV_INVALID_ARGUMENT && !invocation->connected)
		return jv_invocation_misuse(invocation, status);
	jv_status_text(status, &text);
	/* A server's words: nothing that drives the terminal. */
	jv_table_clean(jv_buffer_text(&text), &clean);
	print_context(invocation, subject);
	fprintf(stderr, "%s: %s\n", jv_code_name(status->code), jv_buffer_text(&clean));
	print_hint(invocation, status);
	jv_buffer_deinit(&text);
	jv_buffer_deinit(&clean);
	return jv_exit_of(status);
}

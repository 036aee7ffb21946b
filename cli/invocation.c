#include "cli/invocation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/config.h"
#include "cli/target.h"
#include "cli/value.h"
#include "cli/yaml.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"

#define TIMEOUT_MS_DEFAULT 30000
#define COLUMNS_MAX        1000

/* COLUMNS wins over the terminal, so that tests and scripts can set it. */
static size_t find_columns(void)
{
	const char *text = getenv("COLUMNS");
	int64_t columns = 0;
	struct winsize size;

	if (text != NULL) {
		struct jv_status status = jv_parse_int(text, 1, COLUMNS_MAX, &columns);
		if (jv_is_ok(&status))
			return (size_t)columns;
	}
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return isatty(STDOUT_FILENO) ? 80 : 0;
}

static const char *const output_names[] = {"table", "wide", "name", "json", "yaml", NULL};
static const char *const time_names[] = {"relative", "absolute", "iso", NULL};
static const char *const color_names[] = {"auto", "always", "never", NULL};

const struct jv_flag jv_invocation_flags[] = {
	{.name = "server",
		.letter = 's',
		.value = "HOST:PORT",
		.help = "The server's gRPC port (default: JARVIS_SERVER, the context's, or "
			"127.0.0.1:7070)."},
	{.name = "context",
		.value = "NAME",
		.completes = JV_COMPLETES_CONTEXT,
		.help = "A server by its name (default: JARVIS_CONTEXT, or the current one); see "
			"jarvis context."},
	{.name = "tls", .help = "Speak TLS; the flags below imply it, but for the token's."},
	{.name = "ca",
		.value = "FILE",
		.completes = JV_COMPLETES_FILE,
		.help = "Who may have signed the server's certificate (default: whom the system "
			"trusts)."},
	{.name = "cert",
		.value = "FILE",
		.completes = JV_COMPLETES_FILE,
		.help = "Your own certificate, with --key."},
	{.name = "key",
		.value = "FILE",
		.completes = JV_COMPLETES_FILE,
		.help = "The key of --cert, without a passphrase."},
	{.name = "server-name",
		.value = "NAME",
		.help = "The name in the server's certificate, if it is not the host."},
	{.name = "token-file",
		.value = "FILE",
		.completes = JV_COMPLETES_FILE,
		.help = "A file whose first line is the token to send (default: JARVIS_TOKEN)."},
	{.name = "output",
		.letter = 'o',
		.value = "FORMAT",
		.choices = output_names,
		.help = "table (for people, fits the terminal; default), wide (all columns, "
			"nothing cut), name (ids alone), json (proto3 JSON, stable for scripts) or "
			"yaml."},
	{.name = "time",
		.value = "STYLE",
		.choices = time_names,
		.help = "How tables show times: relative (3m ago; default), absolute (local "
			"time) or iso (UTC)."},
	{.name = "color",
		.value = "WHEN",
		.choices = color_names,
		.help = "auto (on a terminal, unless NO_COLOR is set; default), always or "
			"never."},
	{.name = "timeout",
		.value = "TIME",
		.help = "Longest time of one request (default 30s); of the whole for wait, watch "
			"and logs --follow, which otherwise have none."},
	{.name = NULL},
};

static struct jv_status read_choice(const struct jv_arguments *arguments, const char *flag,
	const char *const *names, size_t *index)
{
	const char *text = jv_arguments_text(arguments, flag);

	*index = 0;
	if (text == NULL)
		return jv_ok();
	return jv_status_context(jv_value_choice(text, names, index), "--%s", flag);
}

/* How to print. */
static struct jv_status read_looks(struct jv_invocation *invocation)
{
	size_t index = 0;

	JV_TRY(read_choice(invocation->arguments, "output", output_names, &index));
	invocation->output = (enum jv_output)index;
	JV_TRY(read_choice(invocation->arguments, "time", time_names, &index));
	invocation->time_style = (enum jv_human_style)index;
	JV_TRY(read_choice(invocation->arguments, "color", color_names, &index));
	invocation->color = (enum jv_paint_when)index;
	return jv_ok();
}

static struct jv_status read_timeout(struct jv_invocation *invocation)
{
	const char *text = jv_arguments_text(invocation->arguments, "timeout");

	invocation->timeout_ms = TIMEOUT_MS_DEFAULT;
	if (text == NULL)
		return jv_ok();
	struct jv_status status = jv_parse_duration_ms(text, &invocation->timeout_ms);
	if (jv_is_ok(&status) && invocation->timeout_ms == 0)
		status = jv_error(JV_INVALID_ARGUMENT, "must be longer than 0");
	invocation->timeout_given = true;
	return jv_status_context(status, "--timeout");
}

struct jv_status jv_invocation_init(
	struct jv_invocation *invocation, const struct jv_arguments *arguments)
{
	memset(invocation, 0, sizeof(*invocation));
	jv_arena_init(&invocation->arena, 0, 0);
	invocation->arguments = arguments;
	invocation->columns = find_columns();
	invocation->schema = jv_schema_new_jarvis();
	JV_TRY(read_timeout(invocation));
	return read_looks(invocation);
}

void jv_invocation_deinit(struct jv_invocation *invocation)
{
	if (invocation->connected)
		jv_remote_close(&invocation->remote);
	jv_schema_free(invocation->schema);
	jv_buffer_deinit(&invocation->out);
	jv_arena_deinit(&invocation->arena);
}

struct jv_status jv_invocation_connect(struct jv_invocation *invocation)
{
	struct jv_context *target = &invocation->target;

	if (invocation->connected)
		return jv_ok();
	JV_TRY(jv_target_find(invocation->arguments, &invocation->arena, target));
	const struct jv_client_options options = {
		.user_agent = "jarvis-cli",
		.tls = target->tls,
		.ca_file = target->ca,
		.cert_file = target->cert,
		.key_file = target->key,
		.server_name = target->server_name,
		.token = target->token,
	};
	JV_TRY(jv_status_context(
		jv_remote_open(&invocation->remote, target->server, &options, invocation->schema),
		target->name != NULL ? "--context" : "--server"));
	invocation->connected = true;
	return jv_ok();
}

struct jv_status jv_invocation_call(struct jv_invocation *invocation, const char *method,
	const ProtobufCMessage *request, ProtobufCMessage **response)
{
	JV_TRY(jv_invocation_connect(invocation));
	return jv_remote_call(&invocation->remote, method, request, invocation->timeout_ms,
		!invocation->impatient, &invocation->arena, response);
}

int64_t jv_invocation_deadline_ms(const struct jv_invocation *invocation)
{
	return invocation->timeout_given ? jv_remote_now_ms() + invocation->timeout_ms : 0;
}

bool jv_invocation_is_raw(const struct jv_invocation *invocation)
{
	return invocation->output == JV_OUTPUT_JSON || invocation->output == JV_OUTPUT_YAML;
}

/* JSON may hold DEL and the controls of C1 as they are, which drive terminals, and which YAML does
 * not take: they go out as escapes. */
static void json_append(struct jv_bytes json, struct jv_buffer *out)
{
	size_t from = 0;

	for (size_t i = 0; i < json.size; i++) {
		uint8_t byte = json.data[i];
		uint8_t next = i + 1 < json.size ? json.data[i + 1] : 0;
		bool two = byte == 0xc2 && next >= 0x80 && next < 0xa0;
		if (!two && byte != 0x7f)
			continue;
		jv_buffer_append(out, json.data + from, i - from);
		jv_buffer_printf(out, "\\u%04x", two ? next : byte);
		i += two;
		from = i + 1;
	}
	jv_buffer_append(out, json.data + from, json.size - from);
}

void jv_invocation_print_json(struct jv_invocation *invocation, struct jv_bytes json)
{
	struct jv_buffer text = {0};

	if (invocation->output == JV_OUTPUT_YAML) {
		json_append(json, &text);
		jv_yaml_print(jv_buffer_bytes(&text), &invocation->out);
		jv_buffer_deinit(&text);
		return;
	}
	json_append(json, &invocation->out);
	jv_buffer_append_byte(&invocation->out, '\n');
}

/* Words of ours, with a server's names among them. */
static void cannot_print(const struct jv_status *status)
{
	struct jv_buffer clean = {0};

	jv_table_clean(status->message, &clean);
	fprintf(stderr, "jarvis: cannot print the answer: %s\n", jv_buffer_text(&clean));
	jv_buffer_deinit(&clean);
}

void jv_invocation_print_line(struct jv_invocation *invocation, const ProtobufCMessage *message)
{
	struct jv_buffer json = {0};
	struct jv_status status = jv_json_write(invocation->schema, message, NULL, &json);

	if (!jv_is_ok(&status))
		cannot_print(&status);
	json_append(jv_buffer_bytes(&json), &invocation->out);
	jv_buffer_append_byte(&invocation->out, '\n');
	jv_buffer_deinit(&json);
}

void jv_invocation_print(struct jv_invocation *invocation, const ProtobufCMessage *message)
{
	struct jv_json_write_options options = {
		.indent = invocation->output == JV_OUTPUT_JSON ? 2 : 0};
	struct jv_buffer json = {0};

	JV_ASSERT(jv_invocation_is_raw(invocation));
	struct jv_status status = jv_json_write(invocation->schema, message, &options, &json);
	if (jv_is_ok(&status))
		jv_invocation_print_json(invocation, jv_buffer_bytes(&json));
	else
		cannot_print(&status);
	jv_buffer_deinit(&json);
}

void jv_invocation_print_piece(struct jv_invocation *invocation, const ProtobufCMessage *message)
{
	if (invocation->output == JV_OUTPUT_JSON) {
		jv_invocation_print_line(invocation, message);
		return;
	}
	jv_buffer_append_text(&invocation->out, "---\n");
	jv_invocation_print(invocation, message);
}

void jv_invocation_print_table(struct jv_invocation *invocation, struct jv_table *table)
{
	table->painted = jv_paint_decide(invocation->color, STDOUT_FILENO);
	jv_table_print(table, invocation->output == JV_OUTPUT_WIDE ? 0 : invocation->columns,
		&invocation->out);
	jv_table_deinit(table);
}

void jv_invocation_lost(struct jv_invocation *invocation, int error)
{
	if (error != EPIPE && invocation->write_error == 0)
		invocation->write_error = error;
}

bool jv_invocation_flush(struct jv_invocation *invocation)
{
	size_t size = invocation->out.size;

	errno = 0;
	bool written = fwrite(invocation->out.data, 1, size, stdout) == size;
	written = fflush(stdout) == 0 && written;
	if (!written && invocation->write_error == 0)
		invocation->write_error = errno != 0 ? errno : EIO;
	jv_buffer_clear(&invocation->out);
	return invocation->write_error == 0;
}

#include "cli/complete.h"

#include <string.h>

#include "base/assert.h"

/* One question. */
struct completion {
	struct jv_arguments arguments;
	struct jv_arena *arena;
	jv_complete_names *names;
	struct jv_buffer *out;
};

/* The first sentence is enough beside a candidate. */
static size_t sentence_size(const char *text)
{
	const char *end = strstr(text, ". ");

	return end != NULL ? (size_t)(end - text) + 1 : strlen(text);
}

void jv_complete_add(
	const char *candidate, const char *prefix, const char *help, struct jv_buffer *out)
{
	if (strncmp(candidate, prefix, strlen(prefix)) != 0)
		return;
	jv_buffer_append_text(out, candidate);
	if (help != NULL) {
		jv_buffer_append_byte(out, '\t');
		jv_buffer_append(out, help, sentence_size(help));
	}
	jv_buffer_append_byte(out, '\n');
}

static bool is_given(const struct jv_arguments *arguments, const struct jv_flag *flag)
{
	for (size_t i = 0; i < arguments->given_count; i++) {
		if (arguments->given[i].flag == flag)
			return true;
	}
	return false;
}

static void add_flags(struct completion *completion, const char *prefix)
{
	const struct jv_arguments *arguments = &completion->arguments;

	for (size_t i = arguments->depth; i > 0; i--) {
		const struct jv_command *command = arguments->path[i - 1];
		const struct jv_flag *flag;
		for (size_t j = 0; (flag = jv_command_flag(command, j)) != NULL; j++) {
			if (is_given(arguments, flag) && !flag->repeats)
				continue;
			jv_complete_add(jv_arena_printf(completion->arena, "--%s", flag->name),
				prefix, flag->help, completion->out);
		}
	}
	jv_complete_add("--help", prefix, "Says what the command does.", completion->out);
}

static void add_choices(struct completion *completion, const char *const *choices,
	enum jv_completes completes, const char *prefix)
{
	for (; choices != NULL && *choices != NULL; choices++)
		jv_complete_add(*choices, prefix, NULL, completion->out);
	if (completes == JV_COMPLETES_FILE)
		jv_buffer_append_text(completion->out, ":files\n");
	else if (completes != JV_COMPLETES_NOTHING && completion->names != NULL)
		completion->names(&completion->arguments, completes, prefix, completion->out);
}

/* Of a list only the item behind the last comma is being written. `before` stands in front of the
 * value in the same word: "--output=". */
static void add_values(struct completion *completion, const struct jv_flag *flag,
	const char *before, const char *value)
{
	const char *comma = flag->list ? strrchr(value, ',') : NULL;
	const char *item = comma != NULL ? comma + 1 : value;
	struct jv_buffer *whole = completion->out;
	struct jv_buffer items = {0};

	completion->out = &items;
	add_choices(completion, flag->choices, flag->completes, item);
	completion->out = whole;
	const char *at = jv_buffer_text(&items);
	while (*at != '\0') {
		size_t size = strcspn(at, "\n") + 1;
		if (at[0] != ':')
			jv_buffer_printf(whole, "%s%.*s", before, (int)(item - value), value);
		jv_buffer_append(whole, at, size);
		at += size;
	}
	jv_buffer_deinit(&items);
}

static const struct jv_flag *flag_of_word(
	const struct jv_arguments *arguments, const char *word, size_t size)
{
	for (size_t i = arguments->depth; i > 0; i--) {
		const struct jv_command *command = arguments->path[i - 1];
		const struct jv_flag *flag;
		for (size_t j = 0; (flag = jv_command_flag(command, j)) != NULL; j++) {
			if (strlen(flag->name) == size && memcmp(flag->name, word, size) == 0)
				return flag;
		}
	}
	return NULL;
}

/* --name=value in one word. */
static void add_joined(struct completion *completion, const char *word)
{
	size_t size = strcspn(word, "=");
	const struct jv_flag *flag = flag_of_word(&completion->arguments, word + 2, size - 2);

	if (flag != NULL && flag->value != NULL)
		add_values(completion, flag,
			jv_arena_printf(completion->arena, "%.*s", (int)size + 1, word),
			word + size + 1);
}

static void add_children(
	struct completion *completion, const struct jv_command *command, const char *prefix)
{
	for (size_t i = 0; command->children[i] != NULL; i++) {
		if (!command->children[i]->hidden)
			jv_complete_add(command->children[i]->name, prefix,
				command->children[i]->summary, completion->out);
	}
}

/* Words that name a command as arguments, as of `jarvis man`. */
static void add_commands(struct completion *completion, const char *prefix)
{
	const struct jv_arguments *arguments = &completion->arguments;
	const struct jv_command *command = arguments->path[0];

	for (size_t i = 0; i < arguments->count; i++) {
		const struct jv_command *child = NULL;
		for (size_t j = 0; command->children != NULL && command->children[j] != NULL; j++) {
			if (strcmp(command->children[j]->name, arguments->items[i]) == 0)
				child = command->children[j];
		}
		if (child == NULL)
			return;
		command = child;
	}
	if (command->children != NULL)
		add_children(completion, command, prefix);
}

static void add_word(struct completion *completion, const char *word)
{
	const struct jv_command *command = jv_arguments_command(&completion->arguments);

	if (command->children != NULL)
		add_children(completion, command, word);
	else if (command->completes == JV_COMPLETES_COMMAND)
		add_commands(completion, word);
	else if (completion->arguments.count < command->arguments_max)
		add_choices(completion, command->choices, command->completes, word);
}

void jv_complete(const struct jv_command *root, size_t count, const char *const *words,
	struct jv_arena *arena, jv_complete_names *names, struct jv_buffer *out)
{
	struct completion completion = {.arena = arena, .names = names, .out = out};
	const char **before = jv_arena_calloc(arena, count + 2, sizeof(before[0]));
	const char *word = count > 0 ? words[count - 1] : "";
	bool flags_over = false;

	JV_ASSERT(before != NULL);
	before[0] = root->name;
	for (size_t i = 0; i + 1 < count; i++)
		before[i + 1] = words[i];
	const struct jv_flag *waiting = jv_arguments_parse_part(root, count > 0 ? (int)count : 1,
		before, arena, &completion.arguments, &flags_over);
	if (waiting != NULL)
		add_values(&completion, waiting, "", word);
	else if (!flags_over && word[0] == '-' && word[1] == '-' && strchr(word, '=') != NULL)
		add_joined(&completion, word);
	else if (!flags_over && word[0] == '-')
		add_flags(&completion, word);
	else
		add_word(&completion, word);
}

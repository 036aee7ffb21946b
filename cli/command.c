#include "cli/command.h"

#include <string.h>

#include "base/assert.h"
#include "base/nearest.h"

#define NAMES_MAX 128

/* argv on its way through the tables. */
struct parser {
	struct jv_arguments *arguments;
	const char *const *at;         /* the next word; NULL at the end */
	bool flags_over;               /* behind --, or behind flags_until */
	bool part;                     /* it is still being written */
	const struct jv_flag *waiting; /* for its value, at the end of a part */
};

const struct jv_command *jv_arguments_command(const struct jv_arguments *arguments)
{
	JV_ASSERT(arguments->depth > 0);
	return arguments->path[arguments->depth - 1];
}

const struct jv_flag *jv_command_flag(const struct jv_command *command, size_t index)
{
	const struct jv_flag *const tables[] = {command->flags, command->shared_flags};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct jv_flag *flag = tables[i];
		for (; flag != NULL && flag->name != NULL; flag++) {
			if (index-- == 0)
				return flag;
		}
	}
	return NULL;
}

/* The flag with that name, or with that letter if name is NULL, of any command of the path. */
static const struct jv_flag *find_flag(
	const struct jv_arguments *arguments, const char *name, size_t size, char letter)
{
	for (size_t i = arguments->depth; i > 0; i--) {
		const struct jv_command *command = arguments->path[i - 1];
		const struct jv_flag *flag;
		for (size_t j = 0; (flag = jv_command_flag(command, j)) != NULL; j++) {
			bool same = name != NULL
				? strlen(flag->name) == size && memcmp(flag->name, name, size) == 0
				: flag->letter == letter;
			if (same)
				return flag;
		}
	}
	return NULL;
}

static struct jv_status unknown_flag(const struct jv_arguments *arguments, const char *name)
{
	const char *names[NAMES_MAX + 1] = {"help"};
	size_t count = 1;

	for (size_t i = 0; i < arguments->depth; i++) {
		const struct jv_flag *flag = jv_command_flag(arguments->path[i], 0);
		for (size_t j = 1; flag != NULL && count < NAMES_MAX; j++) {
			names[count++] = flag->name;
			flag = jv_command_flag(arguments->path[i], j);
		}
	}
	const char *nearest = jv_nearest(name, names);
	if (nearest == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "there is no flag --%s", name);
	return jv_error(
		JV_INVALID_ARGUMENT, "there is no flag --%s; did you mean --%s?", name, nearest);
}

static void give(struct parser *parser, const struct jv_flag *flag, const char *text)
{
	parser->arguments->given[parser->arguments->given_count++] =
		(struct jv_flag_given){.flag = flag, .text = text};
}

/* A flag whose value, if it takes one, is `value` or else the next word. */
static struct jv_status take_flag(
	struct parser *parser, const struct jv_flag *flag, const char *value)
{
	if (flag->value == NULL && value != NULL)
		return jv_error(JV_INVALID_ARGUMENT, "--%s takes no value", flag->name);
	if (flag->value != NULL && value == NULL) {
		value = *parser->at;
		if (value == NULL && parser->part) {
			parser->waiting = flag;
			return jv_ok();
		}
		if (value == NULL)
			return jv_error(JV_INVALID_ARGUMENT, "--%s needs a value: --%s %s",
				flag->name, flag->name, flag->value);
		parser->at++;
	}
	give(parser, flag, value != NULL ? value : "");
	return jv_ok();
}

static struct jv_status take_long(struct parser *parser, const char *word)
{
	const char *name = word + 2;
	size_t size = strcspn(name, "=");
	char text[64];
	const struct jv_flag *flag = find_flag(parser->arguments, name, size, 0);

	if (strcmp(word, "--help") == 0) {
		parser->arguments->help = true;
		return jv_ok();
	}
	if (flag != NULL)
		return take_flag(parser, flag, name[size] == '=' ? name + size + 1 : NULL);
	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	memcpy(text, name, size);
	text[size] = '\0';
	return unknown_flag(parser->arguments, text);
}

/* -o json, -ojson, -f: a letter with its value, or letters that take none. */
static struct jv_status take_letters(struct parser *parser, const char *word)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		const struct jv_flag *flag = find_flag(parser->arguments, NULL, 0, *letter);
		if (flag == NULL && *letter == 'h') {
			parser->arguments->help = true;
			return jv_ok();
		}
		if (flag == NULL)
			return jv_error(JV_INVALID_ARGUMENT, "there is no flag -%c (in \"%s\")",
				*letter, word);
		if (flag->value != NULL)
			return take_flag(parser, flag, letter[1] != '\0' ? letter + 1 : NULL);
		give(parser, flag, "");
	}
	return jv_ok();
}

/* True if the word is one of those, which have blanks between. */
static bool holds_word(const char *words, const char *word)
{
	size_t size = strlen(word);

	while (words != NULL && *words != '\0') {
		size_t next = strcspn(words, " ");
		if (next == size && memcmp(words, word, size) == 0)
			return true;
		words += next;
		words += strspn(words, " ");
	}
	return false;
}

/* The child that others call so: `ps` is a list, `kill` a cancel. */
static const struct jv_command *find_also(const struct jv_command *command, const char *word)
{
	for (size_t i = 0; command->children[i] != NULL; i++) {
		if (holds_word(command->children[i]->also, word))
			return command->children[i];
	}
	return NULL;
}

/* Somebody may have left out the noun, or mean a word of another program. Appends what was meant,
 * if it can be told. */
static void suggest(const struct jv_command *command, const char *word, struct jv_buffer *meant)
{
	const char *names[NAMES_MAX + 1] = {NULL};
	const struct jv_command *found = find_also(command, word);
	size_t count = 0;

	for (size_t i = 0; command->children[i] != NULL && count < NAMES_MAX; i++) {
		const struct jv_command *child = command->children[i];
		if (!child->hidden)
			names[count++] = child->name;
		for (size_t j = 0; child->children != NULL && child->children[j] != NULL; j++) {
			if (found == NULL && strcmp(child->children[j]->name, word) == 0)
				jv_buffer_printf(meant, "%s%s %s",
					meant->size > 0 ? "\" or \"" : "", child->name, word);
		}
	}
	const char *nearest = found != NULL ? found->name : jv_nearest(word, names);
	if (meant->size > 0)
		return;
	for (size_t i = 0; nearest == NULL && command->children[i] != NULL; i++) {
		const struct jv_command *child = command->children[i];
		found = child->children != NULL ? find_also(child, word) : NULL;
		if (found != NULL) {
			jv_buffer_printf(meant, "%s %s", child->name, found->name);
			return;
		}
	}
	jv_buffer_append_text(meant, nearest != NULL ? nearest : "");
}

static struct jv_status unknown_command(const struct jv_arguments *arguments, const char *word)
{
	struct jv_status status =
		jv_error(JV_INVALID_ARGUMENT, "there is no command \"%.60s\"", word);
	struct jv_buffer meant = {0};

	suggest(jv_arguments_command(arguments), word, &meant);
	if (meant.size > 0)
		status = jv_error(JV_INVALID_ARGUMENT,
			"there is no command \"%.60s\"; did you mean \"%s\"?", word,
			jv_buffer_text(&meant));
	jv_buffer_deinit(&meant);
	return status;
}

static struct jv_status take_word(struct parser *parser, const char *word)
{
	struct jv_arguments *arguments = parser->arguments;
	const struct jv_command *command = jv_arguments_command(arguments);

	if (command->children == NULL) {
		arguments->items[arguments->count++] = word;
		if (command->flags_until > 0 && arguments->count >= command->flags_until)
			parser->flags_over = true;
		return jv_ok();
	}
	for (size_t i = 0; command->children[i] != NULL; i++) {
		if (strcmp(command->children[i]->name, word) == 0) {
			JV_ASSERT(arguments->depth < JV_COMMAND_DEPTH_MAX);
			arguments->path[arguments->depth++] = command->children[i];
			return jv_ok();
		}
	}
	if (strcmp(word, "help") == 0) {
		arguments->help = true;
		return jv_ok();
	}
	return unknown_command(arguments, word);
}

/* -- ends the flags; a second one belongs to the task's command line. */
static struct jv_status take(struct parser *parser, const char *word)
{
	if (parser->flags_over || word[0] != '-' || word[1] == '\0')
		return take_word(parser, word);
	if (strcmp(word, "--") == 0) {
		parser->flags_over = true;
		parser->arguments->count_before_dashes = parser->arguments->count;
		return jv_ok();
	}
	return word[1] == '-' ? take_long(parser, word) : take_letters(parser, word);
}

static struct jv_status missing_command(const struct jv_command *command)
{
	struct jv_buffer names = {0};

	for (size_t i = 0; command->children[i] != NULL; i++) {
		if (!command->children[i]->hidden)
			jv_buffer_printf(&names, "%s%s", names.size > 0 ? ", " : "",
				command->children[i]->name);
	}
	struct jv_status status = jv_error(
		JV_INVALID_ARGUMENT, "a command is missing, one of %s", jv_buffer_text(&names));
	jv_buffer_deinit(&names);
	return status;
}

static struct jv_status check(const struct jv_arguments *arguments)
{
	const struct jv_command *command = jv_arguments_command(arguments);

	if (command->children != NULL)
		return missing_command(command);
	if (arguments->count < command->arguments_min)
		return jv_error(JV_INVALID_ARGUMENT, "expected %s", command->arguments);
	if (arguments->count > command->arguments_max)
		return jv_error(JV_INVALID_ARGUMENT, "\"%s\" is one argument too many",
			arguments->items[command->arguments_max]);
	return jv_ok();
}

static void begin(struct parser *parser, const struct jv_command *root, int argc,
	const char *const *argv, struct jv_arena *arena)
{
	struct jv_arguments *arguments = parser->arguments;
	size_t room = (size_t)argc + 1;
	/* Letters without a value are packed in one word: each byte may be a flag. */
	size_t letters = 0;

	JV_ASSERT(argc > 0 && argv[argc] == NULL);
	for (int i = 1; i < argc; i++)
		letters += argv[i][0] == '-' && argv[i][1] != '-' ? strlen(argv[i]) : 1;
	*arguments =
		(struct jv_arguments){.path = {root}, .depth = 1, .count_before_dashes = SIZE_MAX};
	arguments->items = jv_arena_calloc(arena, room, sizeof(arguments->items[0]));
	arguments->given = jv_arena_calloc(arena, letters + 1, sizeof(arguments->given[0]));
	JV_ASSERT(arguments->items != NULL && arguments->given != NULL);
}

struct jv_status jv_arguments_parse(const struct jv_command *root, int argc,
	const char *const *argv, struct jv_arena *arena, struct jv_arguments *arguments)
{
	struct parser parser = {.arguments = arguments, .at = argv + 1};

	begin(&parser, root, argc, argv, arena);
	while (*parser.at != NULL) {
		const char *word = *parser.at++;
		JV_TRY(take(&parser, word));
	}
	return arguments->help ? jv_ok() : check(arguments);
}

const struct jv_flag *jv_arguments_parse_part(const struct jv_command *root, int argc,
	const char *const *argv, struct jv_arena *arena, struct jv_arguments *arguments,
	bool *flags_over)
{
	struct parser parser = {.arguments = arguments, .at = argv + 1, .part = true};

	begin(&parser, root, argc, argv, arena);
	while (*parser.at != NULL) {
		struct jv_status passed_over = take(&parser, *parser.at++);
		(void)passed_over;
	}
	*flags_over = parser.flags_over;
	return parser.waiting;
}

static const struct jv_flag *known_flag(const struct jv_arguments *arguments, const char *name)
{
	const struct jv_flag *flag = find_flag(arguments, name, strlen(name), 0);

	JV_ASSERT(flag != NULL);
	return flag;
}

const char *jv_arguments_text(const struct jv_arguments *arguments, const char *name)
{
	const struct jv_flag *flag = known_flag(arguments, name);

	for (size_t i = arguments->given_count; i > 0; i--) {
		if (arguments->given[i - 1].flag == flag)
			return arguments->given[i - 1].text;
	}
	return NULL;
}

bool jv_arguments_has(const struct jv_arguments *arguments, const char *name)
{
	return jv_arguments_text(arguments, name) != NULL;
}

const char **jv_arguments_texts(
	const struct jv_arguments *arguments, const char *name, struct jv_arena *arena)
{
	const struct jv_flag *flag = known_flag(arguments, name);
	const char **texts = jv_arena_calloc(arena, arguments->given_count + 1, sizeof(texts[0]));
	size_t count = 0;

	JV_ASSERT(flag->repeats && texts != NULL);
	for (size_t i = 0; i < arguments->given_count; i++) {
		if (arguments->given[i].flag == flag)
			texts[count++] = arguments->given[i].text;
	}
	return texts;
}

void jv_arguments_print(const struct jv_arguments *arguments, struct jv_buffer *out)
{
	for (size_t i = 1; i < arguments->depth; i++) {
		jv_buffer_append_text(out, i == 1 ? "" : " ");
		jv_buffer_append_text(out, arguments->path[i]->name);
	}
}

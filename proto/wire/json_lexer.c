#include "proto/wire/json_lexer.h"

#include <string.h>

#include "base/assert.h"
#include "proto/wire/number.h"
#include "proto/wire/pb.h"

void jv_lexer_init(struct jv_json_lexer *lexer, struct jv_bytes json)
{
	*lexer = (struct jv_json_lexer){.start = json.data, .at = json.data};
	lexer->end = json.size > 0 ? json.data + json.size : json.data;
}

void jv_lexer_deinit(struct jv_json_lexer *lexer)
{
	jv_buffer_deinit(&lexer->scratch);
}

bool jv_lexer_fail(struct jv_json_lexer *lexer, const uint8_t *at, const char *what)
{
	if (lexer->error == NULL) {
		lexer->error = what;
		lexer->error_at = at;
	}
	return false;
}

void jv_lexer_place(
	const struct jv_json_lexer *lexer, const uint8_t *at, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (const uint8_t *byte = lexer->start; byte < at; byte++) {
		if (*byte == '\n') {
			++*line;
			*column = 1;
		} else if ((*byte & 0xc0) != 0x80) {
			++*column;
		}
	}
}

static void skip_space(struct jv_json_lexer *lexer)
{
	const uint8_t *at = lexer->at;
	while (at < lexer->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	lexer->at = at;
}

enum jv_json_kind jv_lexer_peek(struct jv_json_lexer *lexer)
{
	skip_space(lexer);
	if (lexer->error != NULL || lexer->at == lexer->end)
		return JV_JSON_NONE;
	switch (*lexer->at) {
	case '{':
		return JV_JSON_OBJECT;
	case '[':
		return JV_JSON_ARRAY;
	case '"':
		return JV_JSON_STRING;
	case 't':
		return JV_JSON_TRUE;
	case 'f':
		return JV_JSON_FALSE;
	case 'n':
		return JV_JSON_NULL;
	default:
		return *lexer->at == '-' || (*lexer->at >= '0' && *lexer->at <= '9')
			? JV_JSON_NUMBER
			: JV_JSON_NONE;
	}
}

/* Four hexadecimal digits; false if there are not as many. */
static bool take_hex(const uint8_t **at, const uint8_t *end, uint32_t *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, ++*at) {
		if (*at == end)
			return false;
		uint8_t digit = **at;
		uint8_t letter = digit | 0x20;
		if (digit >= '0' && digit <= '9')
			*code = *code << 4 | (uint32_t)(digit - '0');
		else if (letter >= 'a' && letter <= 'f')
			*code = *code << 4 | (uint32_t)(letter - 'a' + 10);
		else
			return false;
	}
	return true;
}

static void append_utf8(struct jv_buffer *out, uint32_t code)
{
	if (code < 0x80) {
		jv_buffer_append_byte(out, (uint8_t)code);
		return;
	}
	if (code < 0x800) {
		jv_buffer_append_byte(out, (uint8_t)(0xc0 | code >> 6));
	} else if (code < 0x10000) {
		jv_buffer_append_byte(out, (uint8_t)(0xe0 | code >> 12));
		jv_buffer_append_byte(out, (uint8_t)(0x80 | (code >> 6 & 63)));
	} else {
		jv_buffer_append_byte(out, (uint8_t)(0xf0 | code >> 18));
		jv_buffer_append_byte(out, (uint8_t)(0x80 | (code >> 12 & 63)));
		jv_buffer_append_byte(out, (uint8_t)(0x80 | (code >> 6 & 63)));
	}
	jv_buffer_append_byte(out, (uint8_t)(0x80 | (code & 63)));
}

/* What follows \u: one unit, or a high surrogate and its low one. */
static bool take_unicode(struct jv_json_lexer *lexer, const uint8_t **at)
{
	const uint8_t *start = *at - 2;
	uint32_t code;
	uint32_t low;
	if (!take_hex(at, lexer->end, &code))
		return jv_lexer_fail(
			lexer, start, "\\u must be followed by four hexadecimal digits");
	if (code == 0 && !lexer->takes_nul)
		return jv_lexer_fail(lexer, start, "\\u0000 cannot be in a text");
	if (code >= 0xd800 && code < 0xe000) {
		bool paired = code < 0xdc00 && lexer->end - *at >= 6 && (*at)[0] == '\\' &&
			(*at)[1] == 'u';
		*at += paired ? 2 : 0;
		if (!paired || !take_hex(at, lexer->end, &low) || low < 0xdc00 || low >= 0xe000)
			return jv_lexer_fail(lexer, start, "a surrogate stands alone");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	append_utf8(&lexer->scratch, code);
	return true;
}

/* at is behind the backslash. */
static bool take_escape(struct jv_json_lexer *lexer, const uint8_t **at)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	uint8_t letter = *at < lexer->end ? *(*at)++ : 0;
	if (letter == 'u')
		return take_unicode(lexer, at);
	const char *found = letter != 0 ? strchr(from, letter) : NULL;
	if (found == NULL)
		return jv_lexer_fail(lexer, *at - 1, "an escape that JSON does not have");
	jv_buffer_append_byte(&lexer->scratch, (uint8_t)to[found - from]);
	return true;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 if and only if a byte of the word is 0; which one it is does not show. */
static uint64_t has_zero(uint64_t word)
{
	return (word - EACH_BYTE(1)) & ~word & EACH_BYTE(0x80);
}

/* Not 0 if a byte of the word does not stand for itself. */
static uint64_t has_special(uint64_t word)
{
	uint64_t controls = (word - EACH_BYTE(0x20)) & ~word & EACH_BYTE(0x80);
	return controls | has_zero(word ^ EACH_BYTE('"')) | has_zero(word ^ EACH_BYTE('\\'));
}

/* The end of the run of bytes that stand for themselves, looking at eight at a time. */
static const uint8_t *plain_run(const uint8_t *at, const uint8_t *end)
{
	uint64_t word;
	for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		if (has_special(word) != 0)
			break;
	}
	while (at < end && *at >= 0x20 && *at != '"' && *at != '\\')
		at++;
	return at;
}

/* The rest of a string from its first escape on. */
static bool take_escaped(struct jv_json_lexer *lexer, const uint8_t **at)
{
	while (*at < lexer->end && **at == '\\') {
		++*at;
		if (!take_escape(lexer, at))
			return false;
		const uint8_t *run = *at;
		*at = plain_run(run, lexer->end);
		jv_buffer_append(&lexer->scratch, run, (size_t)(*at - run));
	}
	return true;
}

bool jv_lexer_string(struct jv_json_lexer *lexer, struct jv_bytes *text)
{
	if (jv_lexer_peek(lexer) != JV_JSON_STRING)
		return jv_lexer_fail(lexer, lexer->at, "expected a string");
	const uint8_t *start = lexer->at + 1;
	const uint8_t *at = plain_run(start, lexer->end);
	*text = jv_bytes_of(start, (size_t)(at - start));
	if (at < lexer->end && *at == '\\') {
		jv_buffer_clear(&lexer->scratch);
		jv_buffer_append(&lexer->scratch, start, (size_t)(at - start));
		if (!take_escaped(lexer, &at))
			return false;
		*text = jv_buffer_bytes(&lexer->scratch);
	}
	if (at == lexer->end)
		return jv_lexer_fail(lexer, lexer->at, "a string without its closing quote");
	if (*at != '"')
		return jv_lexer_fail(lexer, at, "a control character within a string");
	if (!jv_utf8_valid(*text))
		return jv_lexer_fail(lexer, lexer->at, "a string that is not UTF-8");
	lexer->at = at + 1;
	return true;
}

bool jv_lexer_number(struct jv_json_lexer *lexer, struct jv_bytes *text)
{
	if (jv_lexer_peek(lexer) != JV_JSON_NUMBER)
		return jv_lexer_fail(lexer, lexer->at, "expected a number");
	size_t left = (size_t)(lexer->end - lexer->at);
	size_t size = jv_number_size(jv_bytes_of(lexer->at, left));
	if (size == 0)
		return jv_lexer_fail(lexer, lexer->at, "a number that JSON does not have");
	*text = jv_bytes_of(lexer->at, size);
	lexer->at += size;
	return true;
}

bool jv_lexer_word(struct jv_json_lexer *lexer, enum jv_json_kind kind)
{
	const char *word = kind == JV_JSON_TRUE ? "true" : kind == JV_JSON_FALSE ? "false" : "null";
	size_t size = strlen(word);
	skip_space(lexer);
	if (lexer->error != NULL)
		return false;
	if ((size_t)(lexer->end - lexer->at) < size || memcmp(lexer->at, word, size) != 0)
		return jv_lexer_fail(lexer, lexer->at, "a word that JSON does not have");
	lexer->at += size;
	return true;
}

bool jv_lexer_enter(struct jv_json_lexer *lexer, char bracket)
{
	skip_space(lexer);
	if (lexer->error != NULL)
		return false;
	if (lexer->at == lexer->end || *lexer->at != (uint8_t)bracket)
		return jv_lexer_fail(lexer, lexer->at,
			bracket == '{' ? "expected an object" : "expected an array");
	if (lexer->depth + 1 >= JV_PB_DEPTH_MAX)
		return jv_lexer_fail(lexer, lexer->at, "nested too deep; 99 levels are taken");
	lexer->depth++;
	lexer->at++;
	return true;
}

JV_STATIC_ASSERT(JV_PB_DEPTH_MAX == 100, "the message of jv_lexer_enter says 99");

bool jv_lexer_more(struct jv_json_lexer *lexer, char bracket, bool *first)
{
	skip_space(lexer);
	if (lexer->error != NULL)
		return false;
	if (lexer->at == lexer->end)
		return jv_lexer_fail(lexer, lexer->at, "the text ends within an object or array");
	bool was_first = *first;
	*first = false;
	if (*lexer->at == (uint8_t)bracket) {
		JV_ASSERT(lexer->depth > 0);
		lexer->at++;
		lexer->depth--;
		return false;
	}
	if (was_first)
		return true;
	if (*lexer->at != ',')
		return jv_lexer_fail(lexer, lexer->at,
			bracket == '}' ? "expected a comma or }" : "expected a comma or ]");
	const uint8_t *comma = lexer->at++;
	skip_space(lexer);
	if (lexer->at < lexer->end && *lexer->at == (uint8_t)bracket)
		return jv_lexer_fail(lexer, comma, "a comma before the closing bracket");
	return true;
}

bool jv_lexer_name(struct jv_json_lexer *lexer, struct jv_bytes *name, const uint8_t **name_at)
{
	if (jv_lexer_peek(lexer) != JV_JSON_STRING)
		return jv_lexer_fail(lexer, lexer->at, "expected a name in quotes");
	*name_at = lexer->at;
	if (!jv_lexer_string(lexer, name))
		return false;
	skip_space(lexer);
	if (lexer->at == lexer->end || *lexer->at != ':')
		return jv_lexer_fail(lexer, lexer->at, "expected a colon");
	lexer->at++;
	return true;
}

static bool skip_nested(struct jv_json_lexer *lexer, enum jv_json_kind kind)
{
	bool is_object = kind == JV_JSON_OBJECT;
	struct jv_bytes name;
	const uint8_t *name_at;
	bool first = true;
	if (!jv_lexer_enter(lexer, is_object ? '{' : '['))
		return false;
	while (jv_lexer_more(lexer, is_object ? '}' : ']', &first)) {
		if (is_object && !jv_lexer_name(lexer, &name, &name_at))
			return false;
		if (!jv_lexer_skip(lexer))
			return false;
	}
	return lexer->error == NULL;
}

bool jv_lexer_skip(struct jv_json_lexer *lexer)
{
	struct jv_bytes text;
	enum jv_json_kind kind = jv_lexer_peek(lexer);
	switch (kind) {
	case JV_JSON_OBJECT:
	case JV_JSON_ARRAY:
		return skip_nested(lexer, kind);
	case JV_JSON_STRING:
		return jv_lexer_string(lexer, &text);
	case JV_JSON_NUMBER:
		return jv_lexer_number(lexer, &text);
	case JV_JSON_TRUE:
	case JV_JSON_FALSE:
	case JV_JSON_NULL:
		return jv_lexer_word(lexer, kind);
	case JV_JSON_NONE:
	default:
		return jv_lexer_fail(lexer, lexer->at, "expected a value");
	}
}

bool jv_lexer_finish(struct jv_json_lexer *lexer)
{
	skip_space(lexer);
	if (lexer->error != NULL)
		return false;
	if (lexer->at != lexer->end)
		return jv_lexer_fail(lexer, lexer->at, "more text behind the value");
	return true;
}

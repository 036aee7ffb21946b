/*
 * A pull parser of JSON (RFC 8259, strict): the reader asks for what it expects next.
 *
 * No tree is built. After the first error every call gives false and changes nothing; `error` says
 * what was wrong and `error_at` where. Refused beyond the grammar: text that is not UTF-8, lone
 * surrogates, \u0000 (a protobuf-c string ends there; `takes_nul` allows it), and nesting of
 * JV_PB_DEPTH_MAX levels. Lives on one stack, for one text.
 */
#ifndef JV_PROTO_WIRE_JSON_LEXER_H
#define JV_PROTO_WIRE_JSON_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum jv_json_kind {
	JV_JSON_NONE, /* the end, or nothing that a value starts with */
	JV_JSON_OBJECT,
	JV_JSON_ARRAY,
	JV_JSON_STRING,
	JV_JSON_NUMBER,
	JV_JSON_TRUE,
	JV_JSON_FALSE,
	JV_JSON_NULL,
};

struct jv_json_lexer {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	unsigned depth;           /* of open braces and brackets */
	bool takes_nul;           /* \u0000 may be in the next string */
	struct jv_buffer scratch; /* the string that had escapes */
	const char *error;        /* NULL: none yet */
	const uint8_t *error_at;
};

void jv_lexer_init(struct jv_json_lexer *lexer, struct jv_bytes json);
void jv_lexer_deinit(struct jv_json_lexer *lexer);

/* Notes the error, unless there is one already; gives false. what is a literal. */
bool jv_lexer_fail(struct jv_json_lexer *lexer, const uint8_t *at, const char *what);
/* Line and column of a place in the text, from 1; columns count characters. */
void jv_lexer_place(
	const struct jv_json_lexer *lexer, const uint8_t *at, size_t *line, size_t *column);

/* What the next value is, by its first byte; `at` is there afterwards. */
enum jv_json_kind jv_lexer_peek(struct jv_json_lexer *lexer);
/* The content of a string, without escapes; borrowed until the next string is taken. */
bool jv_lexer_string(struct jv_json_lexer *lexer, struct jv_bytes *text);
/* The text of a number, as it stands. */
bool jv_lexer_number(struct jv_json_lexer *lexer, struct jv_bytes *text);
/* true, false or null, whichever peek has said. */
bool jv_lexer_word(struct jv_json_lexer *lexer, enum jv_json_kind kind);

/* Enters an object ('{') or an array ('['). */
bool jv_lexer_enter(struct jv_json_lexer *lexer, char bracket);
/* True if there is another item before the closing bracket, else that is taken, or there was an
 * error. *first is true before the first item. */
bool jv_lexer_more(struct jv_json_lexer *lexer, char bracket, bool *first);
/* A member's name with its colon; lent like a string. name_at: where it stands. */
bool jv_lexer_name(struct jv_json_lexer *lexer, struct jv_bytes *name, const uint8_t **name_at);
/* Steps over a value, checking it all the same. */
bool jv_lexer_skip(struct jv_json_lexer *lexer);
/* True if nothing is left but white space. */
bool jv_lexer_finish(struct jv_json_lexer *lexer);

#endif

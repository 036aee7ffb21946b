#include "server/api/id.h"

/* By hand: each answer has one, and printf costs more than all the rest of many. */
char *jv_id_format(struct jv_arena *arena, uint64_t task)
{
	char text[JV_ID_SIZE];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + task % 10);
		task /= 10;
	} while (task > 0);
	text[--at] = '-';
	text[--at] = 't';
	return jv_arena_copy_bytes(arena, jv_bytes_of(text + at, sizeof(text) - at));
}

static struct jv_status not_an_id(const char *text, const char *field)
{
	if (text[0] == '\0')
		return jv_field_error(JV_INVALID_ARGUMENT, field, "the id is missing");
	return jv_field_error(
		JV_INVALID_ARGUMENT, field, "\"%.40s\" is no task id; ids look like t-42", text);
}

struct jv_status jv_id_parse(const char *text, const char *field, uint64_t *task)
{
	uint64_t number = 0;

	if (text[0] != 't' || text[1] != '-' || text[2] < '1' || text[2] > '9')
		return not_an_id(text, field);
	for (const char *at = text + 2; *at != '\0'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');
		if (*at < '0' || *at > '9' || number > (UINT64_MAX - digit) / 10)
			return not_an_id(text, field);
		number = number * 10 + digit;
	}
	*task = number;
	return jv_ok();
}

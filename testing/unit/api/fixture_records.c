/* What the store of a fixture holds. */
#include "testing/unit/api/fixture.h"

uint32_t jv_fixture_records(struct fixture *fixture, enum jv_record_kind kind)
{
	uint8_t letter = (uint8_t)kind;
	struct jv_cursor *cursor = jv_cursor_open(fixture->store, NULL);
	struct jv_bytes key, value;
	struct jv_status status;
	uint32_t count = 0;

	jv_cursor_seek(cursor, jv_bytes_of(&letter, 1), false);
	for (; jv_cursor_read(cursor, &key, &value) && key.data[0] == letter; count++)
		jv_cursor_step(cursor, false);
	status = jv_cursor_close(cursor);
	assert_int_equal(status.code, JV_OK);
	return count;
}

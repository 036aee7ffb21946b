#include "base/nearest.h"

#include <string.h>

#define NAME_MAX_SIZE 255

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The edit distance in which two neighbours that changed places count as one. Three rows of the
 * usual table are enough. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t rows[3][NAME_MAX_SIZE + 1];
	size_t *before_last = rows[0];
	size_t *last = rows[1];
	size_t *row = rows[2];
	for (size_t j = 0; j <= b_size; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t *oldest = before_last;
		before_last = last;
		last = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least(change, least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before_last[j - 2] + 1);
		}
	}
	return row[b_size];
}

const char *jv_nearest(const char *name, const char *const *names)
{
	size_t size = strlen(name);
	if (size > NAME_MAX_SIZE)
		return NULL;
	const char *nearest = NULL;
	size_t bound = (size / 3 > 2 ? size / 3 : 2) + 1; /* to stay below */
	for (; *names != NULL; names++) {
		size_t other_size = strlen(*names);
		if (other_size > NAME_MAX_SIZE)
			continue;
		size_t far = distance(name, size, *names, other_size);
		/* Short names that share no letter are not near, however few letters they have. */
		size_t longer = size > other_size ? size : other_size;
		if (far < bound && (far < longer || far == 0)) {
			bound = far;
			nearest = *names;
		}
	}
	return nearest;
}

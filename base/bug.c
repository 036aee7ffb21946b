#include "base/bug.h"

#include <string.h>

#include "base/assert.h"

static const struct {
	const char *word;
	const char *text;
} bugs[JV_BUG_COUNT] = {[JV_BUG_NONE] = {"none", "nothing is wrong"},
#define JV_BUG_ENTRY(name, word, text) [JV_BUG_##name] = {word, text},
	JV_BUGS(JV_BUG_ENTRY)
#undef JV_BUG_ENTRY
};

#ifdef JV_BUG_BUILD
enum jv_bug jv_bug_planted;
#endif

const char *jv_bug_name(enum jv_bug bug)
{
	JV_ASSERT((unsigned)bug < JV_BUG_COUNT);
	return bugs[bug].word;
}

const char *jv_bug_text(enum jv_bug bug)
{
	JV_ASSERT((unsigned)bug < JV_BUG_COUNT);
	return bugs[bug].text;
}

enum jv_bug jv_bug_find(const char *word)
{
	for (int bug = JV_BUG_NONE + 1; bug < JV_BUG_COUNT; bug++)
		if (strcmp(bugs[bug].word, word) == 0)
			return (enum jv_bug)bug;
	return JV_BUG_NONE;
}

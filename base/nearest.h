/*
 * The name that was meant: the nearest of some names to one that is none of them.
 *
 * For keys, fields and commands that are mistyped. Pure; any thread.
 */
#ifndef JV_BASE_NEAREST_H
#define JV_BASE_NEAREST_H

/* The nearest of the NULL-terminated names by edit distance, or NULL if none is near (distance <=
 * 1/3 of its length, at least 2). Also used for mistyped commands. */
const char *jv_nearest(const char *name, const char *const *names);

#endif

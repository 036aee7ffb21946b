/*
 * The version of this release, which all programs of Jarvis say.
 *
 * Semantic versioning; docs/changelog.md has what changed. Any thread.
 */
#ifndef JV_BASE_VERSION_H
#define JV_BASE_VERSION_H

#define JV_VERSION "0.1.0"
/* The day of this release; files in packages bear it. */
#define JV_VERSION_DATE "2026-11-28"

#endif

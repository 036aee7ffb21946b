/*
 * The version of this release, which all programs of Jarvis say.
 *
 * Semantic versioning; docs/changelog.md has what changed. Any thread.
 */
#ifndef JV_BASE_VERSION_H
#define JV_BASE_VERSION_H

#define JV_VERSION "0.1.0"

#endif

/*
 * What every backend of the store must do, as tests that run over any of them.
 *
 * For tests only. A backend's test copies jv_conformance_tests, gives each its own setup and
 * teardown, and runs them; the state of a test is a fresh, empty store. Includes cmocka and what
 * cmocka needs.
 */
#ifndef JV_TESTING_UNIT_STORAGE_CONFORMANCE_H
#define JV_TESTING_UNIT_STORAGE_CONFORMANCE_H

#include "storage/store.h"
#include "testing/unit/storage/samples.h"

#define JV_CONFORMANCE_COUNT 13

extern const struct CMUnitTest jv_conformance_tests[JV_CONFORMANCE_COUNT];

/* Copies the conformance tests to the front of `tests`, with setup and teardown. */
void jv_conformance_add(
	struct CMUnitTest *tests, CMFixtureFunction setup, CMFixtureFunction teardown);

/* Short forms for stories about stores; keys and values are texts. Each fails the test on an error.
 */
void jv_store_put(struct jv_store *store, const char *key, const char *value);
void jv_store_erase(struct jv_store *store, const char *key);
/* value NULL: there is no such key. */
void jv_store_expect(struct jv_store *store, const struct jv_snapshot *snapshot, const char *key,
	const char *value);
/* All keys in order, with a blank in between, forward and backward. */
void jv_store_expect_keys(
	struct jv_store *store, const struct jv_snapshot *snapshot, const char *keys);

#endif

/*
 * A plugin that does at each dispatch what a test says, and the sink that hears what it told.
 *
 * One at a time, in static variables; single-threaded.
 */
#ifndef JV_TESTING_UNIT_WORKER_PLUGIN_FAKE_H
#define JV_TESTING_UNIT_WORKER_PLUGIN_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/plugin/plugin.h"

#define REASON(name) JARVIS__V1__FAILURE_REASON__FAILURE_REASON_##name
#define START_MS     INT64_C(1700000000000)

struct jarvis_executor {
	const struct jarvis_host *host;
};

struct fake_plugin {
	struct jarvis_executor executor;
	char said[4096]; /* which functions were called */
	void (*script)(const struct jarvis_host *host, const struct jarvis_execution_id *id);
	struct jarvis_execution_id id;
	struct jarvis_output output;
	struct jarvis_found found[4];
	size_t found_count;
	const char *open_error;
};

extern struct fake_plugin fake;

struct fake_told {
	char heard[4096]; /* what the sink was told */
	struct jv_execution_result result;
};

extern struct fake_told told;

/* Of the plugin's state. */
extern char directory[64];
extern struct jv_executor *executor;
extern const struct jv_execution_id one;
extern const struct jarvis_plugin good;

/* The sink's, which write to told. */
void on_started(void *context, const struct jv_execution_id *id, int64_t start_ms);
void on_output(void *context, const struct jv_execution_id *id, int64_t log_bytes);
void on_finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result);
/* Appends to a text. */
void note(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

struct jv_plugin_options options_of(void);
void open_fake(void);
void close_fake(void);
int set_up(void **state);
int tear_down(void **state);
/* Starts the execution `one`. */
void start(void);
/* The plugin does what the script says, in one dispatch. */
void run(void (*script)(const struct jarvis_host *host, const struct jarvis_execution_id *id));
void finish(const struct jarvis_host *host, const struct jarvis_execution_id *id,
	struct jarvis_result result);

#endif

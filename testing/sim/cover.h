/*
 * Coverage by meaning: which words of the protocol were said, and which edges of the state machines
 * were taken, over all runs of this process.
 *
 * Every enum value and every kind of message that goes over the simulated network is counted. What
 * is declared and never met has no oracle on it: sim_test fails then.
 * Single-threaded.
 */
#ifndef JV_TESTING_SIM_COVER_H
#define JV_TESTING_SIM_COVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

/* A message that is sent. */
void jv_sim_cover_message(const ProtobufCMessage *message);
/* A word of a table that is not the protocol's, such as the codes of a method; 0: it is declared.
 */
void jv_sim_cover_word(const char *table, const char *word, uint64_t count);

/* Calls each for all that is declared or was met, by table; count is 0 if it never was. */
void jv_sim_cover_each(
	void (*each)(void *context, const char *table, const char *word, uint64_t count),
	void *context);

#endif

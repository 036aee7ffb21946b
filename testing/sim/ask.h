/*
 * What clients ask: the requests of each step of a job, drawn from the seed.
 *
 * Private to the clients: client.c is the life of a job, verify.c its oracles.
 */
#ifndef JV_TESTING_SIM_ASK_H
#define JV_TESTING_SIM_ASK_H

#include "testing/sim/client.h"

#define JV_SIM_PATH(method) "/jarvis.v1.Scheduler/" method

/* Makes the task that the job will submit. */
void jv_sim_ask_draw(struct jv_sim_job *job);
void jv_sim_ask_submit(struct jv_sim_job *job, int64_t timeout_ms);
void jv_sim_ask_follow(struct jv_sim_job *job, int64_t timeout_ms);
void jv_sim_ask_logs(struct jv_sim_job *job);
void jv_sim_ask_check(struct jv_sim_job *job, int64_t timeout_ms);
void jv_sim_ask_anything(struct jv_sim_job *job, int64_t timeout_ms);
void jv_sim_ask_watch(struct jv_sim_job *job);

/* client.c: begins a call; its end comes to the job. timeout_ms 0: none. */
void jv_sim_call(struct jv_sim_job *job, const char *path, const ProtobufCMessage *message,
	int64_t timeout_ms);

#endif

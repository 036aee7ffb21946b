#include "testing/sim/probe.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

/* An endless loop is a failure too. */
#define SEED_SECONDS_MAX 60

static _Noreturn void run(const struct jv_sim_options *options, uint64_t seeds, int output)
{
	struct jv_sim_options one = *options;

	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	for (uint64_t i = 0; i < seeds; i++, one.seed++) {
		alarm(SEED_SECONDS_MAX);
		jv_sim_run(&one);
	}
	fflush(stdout);
	_exit(0);
}

/* Keeps the last bytes. */
static void read_tail(int fd, char *tail)
{
	char piece[JV_SIM_TAIL_MAX / 2];
	size_t size = 0;
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) > 0) {
		size_t room = JV_SIM_TAIL_MAX - 1 - size;
		if ((size_t)got > room) {
			size_t drop = (size_t)got - room;
			memmove(tail, tail + drop, size - drop);
			size -= drop;
		}
		memcpy(tail + size, piece, (size_t)got);
		size += (size_t)got;
	}
	tail[size] = '\0';
}

/* Up to the first of the ends. */
static bool word_take(struct jv_sim_verdict *verdict, const char *mark, const char *ends)
{
	const char *at = strstr(verdict->tail, mark);

	if (at == NULL)
		return false;
	at += strlen(mark);
	snprintf(verdict->word, sizeof(verdict->word), "%.*s", (int)strcspn(at, ends), at);
	return true;
}

static void judge(struct jv_sim_verdict *verdict, int status)
{
	const char *told = strstr(verdict->tail, "sim: seed ");

	verdict->failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	if (!verdict->failed)
		return;
	if (!word_take(verdict, "sim: oracle: ", ":\n") &&
		!word_take(verdict, "assertion failed: ", "\n"))
		snprintf(verdict->word, sizeof(verdict->word), "signal %d",
			WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	if (told != NULL &&
		sscanf(told, "sim: seed %" SCNu64 " failed after %" SCNu64 " steps, at %" SCNd64,
			&verdict->seed, &verdict->steps, &verdict->at_ms) != 3)
		verdict->steps = 0;
}

void jv_sim_probe(
	const struct jv_sim_options *options, uint64_t seeds, struct jv_sim_verdict *verdict)
{
	int status = 0;
	int pipes[2];
	pid_t child;

	memset(verdict, 0, sizeof(*verdict));
	fflush(stdout);
	int made = pipe(pipes);
	JV_ASSERT(made == 0);
	child = fork();
	JV_ASSERT(child >= 0);
	if (child == 0)
		run(options, seeds, pipes[1]);
	close(pipes[1]);
	read_tail(pipes[0], verdict->tail);
	close(pipes[0]);
	pid_t waited = waitpid(child, &status, 0);
	JV_ASSERT(waited == child);
	judge(verdict, status);
}

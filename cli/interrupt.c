#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cli/invocation.h"

static volatile sig_atomic_t interrupts;
static volatile sig_atomic_t last;
static const char *last_words;

static void interrupted(int number)
{
	last = number;
	if (interrupts++ == 0)
		return;
	if (last_words != NULL) {
		ssize_t written = write(STDERR_FILENO, last_words, strlen(last_words));
		(void)written;
	}
	_exit(JV_EXIT_SIGNAL + number);
}

/* What whoever started us has switched off, as nohup does, stays so. */
static void catch_one(int number, const struct sigaction *action)
{
	struct sigaction before;

	if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		sigaction(number, action, NULL);
}

void jv_interrupts_catch(const char *text)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = interrupted;
	last_words = text;
	catch_one(SIGINT, &action);
	catch_one(SIGTERM, &action);
	catch_one(SIGHUP, &action);
}

int jv_interrupts(void)
{
	return interrupts;
}

int jv_interrupts_signal(void)
{
	return last;
}

/*
 * Interruptions by the terminal or by signal: the first one is noticed, the second one leaves.
 *
 * SIGINT, SIGTERM and SIGHUP of the whole process. Call from the main thread.
 */
#ifndef JV_CLI_INTERRUPT_H
#define JV_CLI_INTERRUPT_H

/* From here on the first signal is counted, and the second one ends the program at once with 128 +
 * its number, whatever it waits for; before that it writes the text, which lives for ever or is
 * NULL. */
void jv_interrupts_catch(const char *text);
/* How many have come. */
int jv_interrupts(void);
/* The last one. */
int jv_interrupts_signal(void);

#endif

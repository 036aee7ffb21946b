/*
 * The probe: a static program that tests put into images to try what a container must refuse.
 *
 * Each attack returns 0 if it worked, or the errno that it was refused with. The program prints one
 * line each, "name worked" or "name EPERM", and "N tried" at the end; it never does harm where an
 * attack works: what could is opened but not used.
 */
#ifndef JV_TESTING_PROCESS_ESCAPE_PROBE_H
#define JV_TESTING_PROCESS_ESCAPE_PROBE_H

struct attack {
	const char *name;
	int (*run)(void);
};

/* Ends with one without a name. */
extern const struct attack attacks_on_mounts[];
extern const struct attack attacks_on_namespaces[];
extern const struct attack attacks_on_devices[];
extern const struct attack attacks_on_the_kernel[];
extern const struct attack attacks_on_processes[];
/* What a task may do: shows that a refusal is one, not a mistake of the probe. */
extern const struct attack what_is_allowed[];

/* Says of every file below /proc (but processes) and /sys that can be opened for writing, and of
 * what tells secrets. */
int probe_files(void);

/* "worked" or the name of the errno. */
void probe_report(const char *name, int error);
/* errno if a call has failed, else 0. */
int probe_result(long returned);
/* Number in argv[2], of a process of the host; 0: none. */
extern int probe_host_pid;
/* Name in argv[3], of an abstract socket of the host. */
extern const char *probe_host_socket;

#endif

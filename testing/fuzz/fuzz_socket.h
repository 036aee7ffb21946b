/*
 * A hostile client of a server in this process: bytes to a port of the loopback, and what comes
 * back.
 *
 * One thread. Connections come from many addresses of the loopback, for a port that was used stays
 * taken for a minute. Asserts that the server closes in time.
 */
#ifndef JV_TESTING_FUZZ_FUZZ_SOCKET_H
#define JV_TESTING_FUZZ_FUZZ_SOCKET_H

#include "base/bytes.h"

enum fuzz_ending {
	FUZZ_HALF_CLOSE, /* no more is sent; the server must close within ten seconds */
	FUZZ_RESET,      /* at once, whatever is on its way */
	FUZZ_LEAVE,      /* after a moment, without a word */
	FUZZ_ENDINGS,
};

int fuzz_connect(uint16_t port);
/* In pieces of so many bytes (0: all at once), at most 64 of them. A server that does not read any
 * more is no failure. */
void fuzz_send(int fd, struct jv_bytes bytes, size_t piece);
/* Ends the connection, and appends what has come until then. */
void fuzz_end(int fd, enum fuzz_ending ending, struct jv_buffer *in);
/* Reads until the text is there, for ten seconds at most; asserts that it comes. */
void fuzz_expect(int fd, const void *text, size_t size);

#endif

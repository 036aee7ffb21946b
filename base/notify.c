#include "base/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path, or with an @ a name of the abstract kind. */
void jv_notify_init(struct jv_notify *notify)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t length = name != NULL ? strlen(name) : 0;

	*notify = (struct jv_notify){.address.sun_family = AF_UNIX};
	if (length >= 2 && length < sizeof(notify->address.sun_path) &&
		(name[0] == '/' || name[0] == '@')) {
		memcpy(notify->address.sun_path, name, length);
		if (name[0] == '@')
			notify->address.sun_path[0] = '\0';
		notify->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	}
	unsetenv("NOTIFY_SOCKET");
}

void jv_notify_tell(const struct jv_notify *notify, const char *state)
{
	int fd;

	if (notify->size == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&notify->address, notify->size);
	close(fd);
}

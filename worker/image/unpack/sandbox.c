/*
 * The place where images are unpacked: whatever an archive talks its unpacker into, it can write
 * nowhere but there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/image/unpack/unpack.h"

#define CAPABILITY_LAST 63

static struct jv_status failed(const char *what)
{
	return jv_error(JV_INTERNAL, "confine the unpacking: %s: %s", what, strerror(errno));
}

/* What an owner of files does: other's owners and modes, attributes, device nodes (which are
 * removed). */
static const int kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID,
	CAP_MKNOD, CAP_SETFCAP};

static uint64_t kept_mask(void)
{
	uint64_t mask = 0;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		mask |= UINT64_C(1) << kept[i];
	return mask;
}

static struct jv_status drop_capabilities(void)
{
	const uint64_t mask = kept_mask();
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	for (int i = 0; i <= CAPABILITY_LAST; i++)
		if ((mask >> i & 1) == 0 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0 &&
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0)
			return failed("drop a capability");
	if (syscall(SYS_capget, &header, data) != 0)
		return failed("capget");
	for (int i = 0; i < 2; i++) {
		const uint32_t half = (uint32_t)(mask >> (32 * i));
		data[i].permitted &= half;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) != 0)
		return failed("capset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed("no new privileges");
	return jv_ok();
}

struct jv_status jv_unpack_confine(const char *directory)
{
	struct mount_attr closed = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID};
	struct mount_attr open = {.attr_clr = MOUNT_ATTR_RDONLY, .attr_set = MOUNT_ATTR_NOEXEC};
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) != 0)
		return failed("unshare");
	if (mount("", "/", NULL, MS_PRIVATE | MS_REC, NULL) != 0)
		return failed("make mounts private");
	if (mount(directory, directory, NULL, MS_BIND, NULL) != 0)
		return failed("bind");
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &closed, sizeof(closed)) != 0)
		return failed("make the rest read-only");
	if (mount_setattr(AT_FDCWD, directory, 0, &open, sizeof(open)) != 0)
		return failed("leave it writable");
	/* Not the one that lies below. */
	if (chdir(directory) != 0)
		return failed("chdir");
	return drop_capabilities();
}

#include "worker/runc/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <seccomp.h>

/* System calls of the x32 ABI have this bit; the filter itself refuses them. */
#define X32_BIT        0x40000000
#define CONDITIONS_MAX 6

struct compilation {
	scmp_filter_ctx context;
	uint32_t default_action;
	int number_max; /* of all system calls that a rule names */
};

static struct jv_status action_of(const json_t *name, const json_t *error, uint32_t *action)
{
	const char *text = json_is_string(name) ? json_string_value(name) : "";
	const uint32_t number =
		json_is_integer(error) ? (uint32_t)json_integer_value(error) & 0xffff : EPERM;
	const struct {
		const char *name;
		uint32_t action;
	} known[] = {
		{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
		{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(number)},
		{"SCMP_ACT_KILL", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
		{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
		{"SCMP_ACT_LOG", SCMP_ACT_LOG},
		{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
		{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(number)},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, text) != 0)
			continue;
		*action = known[i].action;
		return jv_ok();
	}
	return jv_error(JV_INVALID_ARGUMENT, "action %s is not one that containers can have", text);
}

static bool comparison_of(const char *text, enum scmp_compare *comparison)
{
	static const struct {
		const char *name;
		enum scmp_compare comparison;
	} known[] = {
		{"SCMP_CMP_NE", SCMP_CMP_NE},
		{"SCMP_CMP_LT", SCMP_CMP_LT},
		{"SCMP_CMP_LE", SCMP_CMP_LE},
		{"SCMP_CMP_EQ", SCMP_CMP_EQ},
		{"SCMP_CMP_GE", SCMP_CMP_GE},
		{"SCMP_CMP_GT", SCMP_CMP_GT},
		{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, text) != 0)
			continue;
		*comparison = known[i].comparison;
		return true;
	}
	return false;
}

static struct jv_status condition_of(const json_t *json, struct scmp_arg_cmp *condition)
{
	const json_t *name = json_object_get(json, "op");
	const char *text = json_is_string(name) ? json_string_value(name) : "";
	const json_int_t index = json_integer_value(json_object_get(json, "index"));
	if (!comparison_of(text, &condition->op) || index < 0 || index >= CONDITIONS_MAX)
		return jv_error(JV_INVALID_ARGUMENT,
			"a condition on argument %lld with op \"%s\" is not one that is known",
			(long long)index, text);
	condition->arg = (unsigned int)index;
	condition->datum_a = (scmp_datum_t)json_integer_value(json_object_get(json, "value"));
	condition->datum_b = (scmp_datum_t)json_integer_value(json_object_get(json, "valueTwo"));
	return jv_ok();
}

/* All conditions of a rule must hold. If two are of one argument, libseccomp takes them as rules of
 * their own only, of which one must hold: that is what runc makes of them. */
static int add_conditions(const struct compilation *of, uint32_t action, int number,
	const struct scmp_arg_cmp *conditions, unsigned int count)
{
	unsigned int seen = 0;
	bool twice = false;
	for (unsigned int i = 0; i < count; i++) {
		twice = twice || (seen >> conditions[i].arg & 1) != 0;
		seen |= 1U << conditions[i].arg;
	}
	if (!twice)
		return seccomp_rule_add_array(of->context, action, number, count, conditions);
	int result = 0;
	for (unsigned int i = 0; i < count && result == 0; i++)
		result = seccomp_rule_add_array(of->context, action, number, 1, &conditions[i]);
	return result;
}

static struct jv_status add_name(struct compilation *of, uint32_t action, const char *name,
	const struct scmp_arg_cmp *conditions, unsigned int count)
{
	const int number = seccomp_syscall_resolve_name(name);
	/* A profile names system calls of every kernel and architecture. */
	if (number == __NR_SCMP_ERROR)
		return jv_ok();
	of->number_max = number > of->number_max ? number : of->number_max;
	const int result = add_conditions(of, action, number, conditions, count);
	/* A rule that is there already is no mistake. */
	if (result != 0 && result != -EEXIST)
		return jv_error(JV_INVALID_ARGUMENT, "the rule of %s: %s", name, strerror(-result));
	return jv_ok();
}

static struct jv_status add_rule(struct compilation *of, const json_t *rule)
{
	const json_t *names = json_object_get(rule, "names");
	const json_t *args = json_object_get(rule, "args");
	struct scmp_arg_cmp conditions[CONDITIONS_MAX];
	uint32_t action = 0;
	JV_TRY(action_of(
		json_object_get(rule, "action"), json_object_get(rule, "errnoRet"), &action));
	if (action == of->default_action)
		return jv_ok();
	if (json_array_size(args) > CONDITIONS_MAX)
		return jv_error(JV_INVALID_ARGUMENT, "a rule has more than six conditions");
	for (size_t i = 0; i < json_array_size(args); i++)
		JV_TRY(condition_of(json_array_get(args, i), &conditions[i]));
	for (size_t i = 0; i < json_array_size(names); i++)
		JV_TRY(add_name(of, action, json_string_value(json_array_get(names, i)), conditions,
			(unsigned int)json_array_size(args)));
	return jv_ok();
}

/* In front of the rules: what no rule can know is not there. */
static void add_newest(const struct compilation *of, struct jv_buffer *out)
{
	const struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)of->number_max, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	if (of->default_action != SCMP_ACT_ALLOW && of->default_action != SCMP_ACT_LOG)
		jv_buffer_append(out, steps, sizeof(steps));
}

/* By way of a file without a name: this libseccomp exports to nothing else. */
static struct jv_status export_program(const struct compilation *of, struct jv_buffer *out)
{
	static struct sock_filter program[BPF_MAXINSNS];
	add_newest(of, out);
	int file = memfd_create("seccomp", MFD_CLOEXEC);
	if (file < 0 || seccomp_export_bpf(of->context, file) != 0) {
		if (file >= 0)
			close(file);
		return jv_error(JV_INTERNAL, "libseccomp cannot export the filter");
	}
	const ssize_t size = pread(file, program, sizeof(program), 0);
	close(file);
	if (size <= 0 || out->size + (size_t)size >= sizeof(program))
		return jv_error(JV_INVALID_ARGUMENT, "the filter is too large for the kernel");
	jv_buffer_append(out, program, (size_t)size);
	return jv_ok();
}

static struct jv_status compile(
	struct compilation *of, const json_t *seccomp, struct jv_buffer *out)
{
	const json_t *rules = json_object_get(seccomp, "syscalls");
	/* A tree instead of a list: a system call passes a few steps instead of hundreds. */
	if (seccomp_attr_set(of->context, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0)
		return jv_error(JV_INTERNAL, "this libseccomp is older than 2.5");
	for (size_t i = 0; i < json_array_size(rules); i++)
		JV_TRY(add_rule(of, json_array_get(rules, i)));
	return export_program(of, out);
}

struct jv_status jv_filter_compile(const json_t *seccomp, struct jv_buffer *out)
{
	struct compilation of = {0};
	JV_TRY(action_of(json_object_get(seccomp, "defaultAction"),
		json_object_get(seccomp, "defaultErrnoRet"), &of.default_action));
	of.context = seccomp_init(of.default_action);
	if (of.context == NULL)
		return jv_error(JV_INTERNAL, "libseccomp cannot make a filter");
	struct jv_status status = compile(&of, seccomp, out);
	seccomp_release(of.context);
	return status;
}

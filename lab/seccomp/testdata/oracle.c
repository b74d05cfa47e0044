/* What the tests hold lab/seccomp against: filters as runc has libseccomp make them, run as
 * the kernel runs them.
 *
 *   oracle names   every system call of libseccomp, with its architectures
 *   oracle judge   reads profiles and calls from standard input, line by line:
 *
 *     profile NATIVE DEFAULT          begins one: an architecture and an action
 *     arch ARCH                       of the filter, beside the native one
 *     rule NAME ACTION [INDEX OP A B]...
 *     call ARCH NAME ARG0 ... ARG5    prints the filter's answer, or -
 *     try NAME ARG0                   loads the filter in a process, which makes the call,
 *                                     and prints whether it was made; it must be harmless
 *     end                             forgets it
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	uint32_t token, audit;
} archs[] = {
	{"x86_64", SCMP_ARCH_X86_64, SCMP_ARCH_X86_64}, {"x86", SCMP_ARCH_X86, SCMP_ARCH_X86},
	{"x32", SCMP_ARCH_X32, SCMP_ARCH_X86_64}, {"aarch64", SCMP_ARCH_AARCH64, SCMP_ARCH_AARCH64},
	{"arm", SCMP_ARCH_ARM, SCMP_ARCH_ARM}, {"riscv64", SCMP_ARCH_RISCV64, SCMP_ARCH_RISCV64},
	{"-", SCMP_ARCH_MIPS, 0}, {"-", SCMP_ARCH_MIPS64, 0}, {"-", SCMP_ARCH_PPC, 0}, {"-", SCMP_ARCH_PPC64LE, 0},
	{"-", SCMP_ARCH_S390, 0}, {"-", SCMP_ARCH_S390X, 0}, {"-", SCMP_ARCH_PARISC, 0},
};
enum { ARCHS = sizeof archs / sizeof *archs, X32_BIT = 0x40000000 };

static int arch_named(const char *name)
{
	for (int i = 0; i < ARCHS; i++)
		if (!strcmp(archs[i].name, name))
			return i;
	fprintf(stderr, "no architecture %s\n", name);
	exit(1);
}

static void names(void)
{
	static const struct { long from, to; } ranges[] = {{0, 7000}, {0xf0000, 0xf0010}};
	for (int i = 0; i < ARCHS; i++)
		for (int r = 0; r < 2; r++)
			for (long nr = ranges[r].from; nr < ranges[r].to; nr++) {
				long is = archs[i].token == SCMP_ARCH_X32 ? nr | X32_BIT : nr;
				char *name = seccomp_syscall_resolve_num_arch(archs[i].token, is);
				if (name)
					printf("%s %s\n", name, archs[i].name);
				free(name);
			}
}

static uint32_t action_named(const char *name)
{
	if (!strcmp(name, "SCMP_ACT_KILL") || !strcmp(name, "SCMP_ACT_KILL_THREAD"))
		return SCMP_ACT_KILL_THREAD;
	if (!strcmp(name, "SCMP_ACT_KILL_PROCESS"))
		return SCMP_ACT_KILL_PROCESS;
	if (!strcmp(name, "SCMP_ACT_TRAP"))
		return SCMP_ACT_TRAP;
	if (!strcmp(name, "SCMP_ACT_ERRNO"))
		return SCMP_ACT_ERRNO(EPERM);
	if (!strcmp(name, "SCMP_ACT_LOG"))
		return SCMP_ACT_LOG;
	if (!strcmp(name, "SCMP_ACT_ALLOW"))
		return SCMP_ACT_ALLOW;
	fprintf(stderr, "no action %s\n", name);
	exit(1);
}

static const char *name_of(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_THREAD: return "SCMP_ACT_KILL_THREAD";
	case SECCOMP_RET_KILL_PROCESS: return "SCMP_ACT_KILL_PROCESS";
	case SECCOMP_RET_TRAP: return "SCMP_ACT_TRAP";
	case SECCOMP_RET_ERRNO: return "SCMP_ACT_ERRNO";
	case SECCOMP_RET_LOG: return "SCMP_ACT_LOG";
	case SECCOMP_RET_ALLOW: return "SCMP_ACT_ALLOW";
	}
	return "?";
}

static enum scmp_compare op_named(const char *name)
{
	static const char *ops[] = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};
	for (int i = 0; i < 7; i++)
		if (!strcmp(ops[i], name + strlen("SCMP_CMP_")))
			return i + 1;
	fprintf(stderr, "no operator %s\n", name);
	exit(1);
}

/* run is the kernel's: kernel/seccomp.c, seccomp_check_filter, lists what there is. */
static uint32_t run(const struct sock_filter *code, size_t len, const struct seccomp_data *data)
{
	uint32_t a = 0;
	for (size_t pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &code[pc];
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + i->k, sizeof a);
			break;
		case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
		case BPF_JMP | BPF_JA: pc += i->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == i->k ? i->jt : i->jf; break;
		case BPF_JMP | BPF_JGT | BPF_K: pc += a > i->k ? i->jt : i->jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += a >= i->k ? i->jt : i->jf; break;
		case BPF_RET | BPF_K: return i->k;
		default:
			fprintf(stderr, "unknown instruction %#x\n", i->code);
			exit(1);
		}
	}
	fprintf(stderr, "a filter without an end\n");
	exit(1);
}

static struct sock_filter code[1 << 16];
static size_t length;

static void export(scmp_filter_ctx ctx)
{
	FILE *file = tmpfile();
	if (!file || seccomp_export_bpf(ctx, fileno(file))) {
		fprintf(stderr, "the filter cannot be exported\n");
		exit(1);
	}
	rewind(file);
	length = fread(code, sizeof *code, sizeof code / sizeof *code, file);
	fclose(file);
}

static void add_rule(scmp_filter_ctx ctx, uint32_t is_default, int *failed)
{
	struct scmp_arg_cmp cmp[6];
	char *name = strtok(NULL, " \n");
	uint32_t action = action_named(strtok(NULL, " \n"));
	int n = 0;
	for (char *index; n < 6 && (index = strtok(NULL, " \n")); n++) {
		cmp[n].arg = atoi(index);
		cmp[n].op = op_named(strtok(NULL, " \n"));
		cmp[n].datum_a = strtoull(strtok(NULL, " \n"), NULL, 10);
		cmp[n].datum_b = strtoull(strtok(NULL, " \n"), NULL, 10);
	}
	int nr = seccomp_syscall_resolve_name(name);
	if (action == is_default || nr == __NR_SCMP_ERROR)
		return;
	if (seccomp_rule_add_array(ctx, action, nr, n, cmp))
		*failed = 1;
}

static void try(scmp_filter_ctx ctx, int nr, unsigned long arg)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		if (seccomp_load(ctx))
			_exit(2);
		errno = 0;
		syscall(nr, arg, 0, 0, 0, 0, 0);
		_exit(errno == EPERM);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) > 1) {
		fprintf(stderr, "the filter cannot be loaded\n");
		exit(1);
	}
	puts(WEXITSTATUS(status) ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
}

static void judge(void)
{
	static char line[1 << 12];
	scmp_filter_ctx ctx = NULL;
	uint32_t fallback = 0;
	int failed = 0;
	while (fgets(line, sizeof line, stdin)) {
		char *word = strtok(line, " \n");
		if (!strcmp(word, "profile")) {
			uint32_t native = archs[arch_named(strtok(NULL, " \n"))].token;
			fallback = action_named(strtok(NULL, " \n"));
			ctx = seccomp_init(fallback);
			if (native != seccomp_arch_native()) {
				seccomp_arch_add(ctx, native);
				seccomp_arch_remove(ctx, seccomp_arch_native());
			}
			failed = 0, length = 0;
		} else if (!strcmp(word, "arch")) {
			seccomp_arch_add(ctx, archs[arch_named(strtok(NULL, " \n"))].token);
		} else if (!strcmp(word, "rule")) {
			add_rule(ctx, fallback, &failed);
		} else if (!strcmp(word, "call")) {
			int arch = arch_named(strtok(NULL, " \n"));
			int nr = seccomp_syscall_resolve_name_arch(archs[arch].token, strtok(NULL, " \n"));
			struct seccomp_data data = {.nr = nr, .arch = archs[arch].audit};
			for (int i = 0; i < 6; i++)
				data.args[i] = strtoull(strtok(NULL, " \n"), NULL, 10);
			if (!length)
				export(ctx);
			puts(failed || nr < 0 ? "-" : name_of(run(code, length, &data)));
		} else if (!strcmp(word, "try")) {
			int nr = seccomp_syscall_resolve_name(strtok(NULL, " \n"));
			fflush(stdout);
			try(ctx, nr, strtoul(strtok(NULL, " \n"), NULL, 10));
		} else if (!strcmp(word, "end")) {
			seccomp_release(ctx);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "names"))
		names();
	else if (argc == 2 && !strcmp(argv[1], "judge"))
		judge();
	else
		return 2;
	return 0;
}

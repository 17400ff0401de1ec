/* SPDX-License-Identifier: Apache-2.0 */
/* shim.c - see shim.h for the contract.
 *
 *     gateway == liveness pipe ==> shim --> command --> whatever it starts
 *        |                                    |
 *        +--------- stdin, stdout, stderr ----+
 *
 * A stdio server is often a tree: npx starts node starts a browser.  When the gateway dies,
 * even by kill -9, nobody would end that tree.  So the shim is its subreaper: a descendant
 * whose parent ends becomes the shim's child, daemons with sessions of their own included,
 * and none can leave.  "No children any more" is then exactly what waitpid() says with ECHILD.
 *
 * The end has three phases.  The write end of the command's stdin is held by the gateway alone
 * and is closed by its end, which asks a stdio server to end: it gets LEAVE_MS for that, in which
 * it reads what was sent last (that its calls are cancelled).  Then TERM to every descendant found
 * in /proc, and after TERM_MS KILL, repeated until all are gone, since a process can fork between
 * being seen and being killed.  The shim itself keeps none of the command's descriptors, so a
 * reader of its output sees the end as soon as the command's tree is gone.
 *
 * If the shim itself is killed, the kernel kills the command (PR_SET_PDEATHSIG).
 *
 * One thread, plain blocking code: poll() on the pipe and on a signalfd.
 */
#include "sys/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "base/time.h"
#include "sys/cgroup.h"
#include "sys/sandbox.h"
#include "sys/tree.h"

#define LEAVE_MS 1000
#define TERM_MS 2000
#define KILL_MS 50 /* between two rounds of KILL */
#define EXIT_SHIM 125 /* the shim itself failed */
#define EXIT_EXEC 126 /* the command cannot be run */
#define EXIT_FOUND 127 /* there is no such command */
#define LIMITS 7
#define LOOK_MS 500 /* between two looks at memory and processes */

enum phase { RUNNING, LEAVING, TERMINATING, KILLING };

struct limit {
    bool set;
    uint64_t value;
};

struct shim {
    int liveness;
    char **command;
    struct limit limits[LIMITS]; /* of the command, not of the shim */
    uint64_t leave_ms, term_ms;
    uint64_t memory, processes; /* of the tree; 0: no limit, or the kernel's to keep */
    const char *cgroup; /* where a leaf may be made for the tree; NULL: nowhere */
    char leaf[KM_CGROUP_PATH]; /* the leaf; empty: none */
    uint64_t look_at_ms;
    struct km_sandbox box;
    bool over;
    int signals; /* signalfd */
    enum phase phase;
    uint64_t next_at_ms; /* LEAVING, TERMINATING: when the next one begins */
    pid_t pid; /* of the command; 0 once it has ended */
    int status; /* what we exit with */
};

static const struct {
    const char *name;
    unsigned resource;
} resources[LIMITS] = {
    { "as", RLIMIT_AS },       { "core", RLIMIT_CORE },     { "cpu", RLIMIT_CPU },
    { "fsize", RLIMIT_FSIZE }, { "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC },
    { "stack", RLIMIT_STACK },
};

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "kanmon: shim: %s '%s'\n", what, value ? value : "");
    return -1;
}

/* "nofile=256" */
static int parse_limit(struct shim *s, const char *text)
{
    struct km_str value = km_str_c(text), name;
    uint64_t n;

    if (!km_str_split(&value, '=', &name) || km_str_u64(value, &n) < 0)
        return complain("not a limit:", text);
    for (size_t i = 0; i < LIMITS; i++) {
        if (!km_str_eq(name, km_str_c(resources[i].name)))
            continue;
        s->limits[i] = (struct limit){ .set = true, .value = n };
        return 0;
    }
    return complain("unknown limit", text);
}

static int parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    if (km_str_u64(km_str_c(text), ret_number) < 0 || *ret_number > max)
        return complain("not a number in its range:", text);
    return 0;
}

static int parse_path(const char *text, const char **list, size_t *n)
{
    if (text[0] != '/' || *n == KM_SANDBOX_PATHS)
        return complain("not an absolute path, or too many:", text);
    list[(*n)++] = text;
    return 0;
}

static int parse_sandbox(struct shim *s, const char *text)
{
    for (size_t i = 0; km_sandbox_modes[i]; i++) {
        if (strcmp(text, km_sandbox_modes[i]) != 0)
            continue;
        s->box.mode = (enum km_sandbox_mode)i;
        return 0;
    }
    return complain("unknown sandbox", text);
}

static int parse_option(struct shim *s, const char *name, const char *value)
{
    uint64_t number = 0;
    int r;

    if (strcmp(name, "--limit") == 0)
        return parse_limit(s, value);
    if (strcmp(name, "--leave-ms") == 0)
        return parse_number(value, 3600000, &s->leave_ms);
    if (strcmp(name, "--term-ms") == 0)
        return parse_number(value, 3600000, &s->term_ms);
    if (strcmp(name, "--memory") == 0)
        return parse_number(value, INT64_MAX, &s->memory);
    if (strcmp(name, "--cgroup") == 0)
        return (s->cgroup = value, 0);
    if (strcmp(name, "--processes") == 0)
        return parse_number(value, INT_MAX, &s->processes);
    if (strcmp(name, "--sandbox") == 0)
        return parse_sandbox(s, value);
    if (strcmp(name, "--read") == 0)
        return parse_path(value, s->box.read, &s->box.nread);
    if (strcmp(name, "--write") == 0)
        return parse_path(value, s->box.write, &s->box.nwrite);
    if (strcmp(name, "--network") != 0)
        return complain("unknown option", name);
    r = parse_number(value, 1, &number);
    s->box.network = number == 1;
    return r;
}

/* --shim FD [--option VALUE]... -- command args... */
static int parse(struct shim *s, int argc, char **argv)
{
    uint64_t fd;
    int i = 3;

    if (argc < 5 || strcmp(argv[1], "--shim") != 0 || parse_number(argv[2], 1 << 20, &fd) < 0)
        return complain("usage: kanmon --shim FD -- command args...", argc > 1 ? argv[1] : NULL);
    s->liveness = (int)fd;
    for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2)
        if (parse_option(s, argv[i], argv[i + 1]) < 0)
            return -1;
    if (i + 1 >= argc || strcmp(argv[i], "--") != 0)
        return complain("no command after", argv[argc - 1]);
    s->command = argv + i + 1;
    return 0;
}

static int prepare(struct shim *s)
{
    const struct rlimit none = { 0, 0 };
    sigset_t set;

    if (fcntl(s->liveness, F_SETFD, FD_CLOEXEC) < 0)
        return complain("the liveness pipe is not open", NULL);
    setrlimit(RLIMIT_CORE, &none); /* a dump would hold the server's secrets */
    setsid(); /* fails only where it is a leader already */
    prctl(PR_SET_NAME, "kanmon-shim");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return complain("the system has no subreapers", NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? complain("no descriptor for signals", NULL) : 0;
}

static void apply_limits(const struct shim *s)
{
    for (size_t i = 0; i < LIMITS; i++) {
        const struct rlimit both = { .rlim_cur = s->limits[i].value,
                                     .rlim_max = s->limits[i].value };

        if (!s->limits[i].set || setrlimit(resources[i].resource, &both) == 0)
            continue;
        complain("the system refuses the limit", resources[i].name);
        _exit(EXIT_SHIM);
    }
}

static _Noreturn void run_command(const struct shim *s, pid_t shim)
{
    sigset_t none;
    struct km_err err = { 0 };
    int r;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != shim)
        _exit(EXIT_SHIM); /* it ended before we asked */
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (s->leaf[0] && km_cgroup_enter(s->leaf, &err) < 0) {
        complain("no memory limit:", err.text);
        _exit(EXIT_SHIM);
    }
    apply_limits(s);
    r = km_sandbox_run(&s->box, s->command, &err);
    fprintf(stderr, "kanmon: shim: cannot run '%s': %s\n", s->command[0], err.text);
    _exit(r == KM_E_NOT_FOUND ? EXIT_FOUND : r == KM_E_UNSUPPORTED ? KM_SHIM_BOX : EXIT_EXEC);
}

/* The kernel keeps the tree's memory where it can; else we look. */
static void limit_memory(struct shim *s)
{
    struct km_err err = { 0 };

    if (!s->memory || !s->cgroup)
        return;
    if (km_cgroup_leaf(s->cgroup, s->memory, s->leaf, &err) == 0)
        s->memory = 0;
    else
        s->leaf[0] = '\0';
}

static int start(struct shim *s)
{
    const pid_t shim = getpid();
    int null_fd;

    limit_memory(s);
    s->pid = fork();
    if (s->pid < 0)
        return complain("cannot fork for", s->command[0]);
    if (s->pid == 0)
        run_command(s, shim);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        if (null_fd < 0 || dup2(null_fd, fd) < 0)
            close(fd);
    if (null_fd > 2)
        close(null_fd);
    return 0;
}

static void signal_all(const struct shim *s, int signum)
{
    struct km_tree tree;

    km_tree_read(&tree);
    for (size_t i = 0; i < tree.n; i++)
        kill(tree.pids[i], signum);
    /* Without /proc at least the command and its group. */
    if (tree.n == 0 && s->pid > 0 && kill(-s->pid, signum) < 0)
        kill(s->pid, signum);
    km_tree_done(&tree);
}

/* false: no child is left, and so no descendant. */
static bool reap(struct shim *s)
{
    for (;;) {
        int status;
        const pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid == 0)
            return true;
        if (pid < 0)
            return errno == EINTR;
        if (pid != s->pid)
            continue;
        s->pid = 0;
        s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
}

/* The gateway has gone, and the other end of the command's stdin with it. */
static void begin_leaving(struct shim *s)
{
    if (s->phase != RUNNING)
        return;
    s->phase = LEAVING;
    s->next_at_ms = km_mono_ms() + s->leave_ms;
}

static void begin_end(struct shim *s)
{
    if (s->phase >= TERMINATING)
        return;
    s->phase = TERMINATING;
    s->next_at_ms = km_mono_ms() + s->term_ms;
    signal_all(s, SIGTERM);
    signal_all(s, SIGCONT); /* a stopped process takes its TERM only when it goes on */
}

/* Is the tree over what it may have? */
static void look(struct shim *s)
{
    struct km_tree tree;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (s->phase != RUNNING || (!s->memory && !s->processes) || km_mono_ms() < s->look_at_ms)
        return;
    s->look_at_ms = km_mono_ms() + LOOK_MS;
    km_tree_read(&tree);
    s->over =
        (s->memory && tree.pages > s->memory / page) || (s->processes && tree.n > s->processes);
    km_tree_done(&tree);
    if (s->over)
        begin_end(s);
}

static int wait_ms(const struct shim *s)
{
    const uint64_t now_ms = km_mono_ms();

    if (s->phase == RUNNING)
        return s->memory || s->processes ? LOOK_MS : -1;
    if (s->phase == KILLING)
        return KILL_MS;
    return s->next_at_ms > now_ms ? (int)(s->next_at_ms - now_ms) : 0;
}

/* Waits for the pipe's end, a signal or the time to kill. */
static void wait_for_something(struct shim *s)
{
    struct pollfd fds[2] = {
        { .fd = s->signals, .events = POLLIN },
        { .fd = s->phase == RUNNING ? s->liveness : -1, .events = POLLIN },
    };
    struct signalfd_siginfo info;
    char byte;

    if (poll(fds, 2, wait_ms(s)) < 0)
        return;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            begin_end(s);
    /* Nothing is ever written to it: readable means over. */
    if (fds[1].revents && read(s->liveness, &byte, 1) <= 0)
        begin_leaving(s);
}

static void next_phase(struct shim *s)
{
    if (s->pid == 0 || (s->phase == LEAVING && km_mono_ms() >= s->next_at_ms))
        begin_end(s);
    if (s->phase == TERMINATING && km_mono_ms() >= s->next_at_ms)
        s->phase = KILLING;
}

static int live(struct shim *s)
{
    while (reap(s)) {
        next_phase(s);
        if (s->phase == KILLING)
            signal_all(s, SIGKILL);
        wait_for_something(s);
        look(s);
    }
    if (s->leaf[0]) {
        s->over = s->over || km_cgroup_was_over(s->leaf);
        km_cgroup_remove(s->leaf);
    }
    return s->over ? KM_SHIM_OVER : s->status;
}

int km_shim_main(int argc, char **argv)
{
    struct shim s = {
        .leave_ms = LEAVE_MS, .term_ms = TERM_MS, .status = EXIT_SHIM, .box = { .network = true }
    };

    if (parse(&s, argc, argv) < 0 || prepare(&s) < 0 || start(&s) < 0)
        return EXIT_SHIM;
    return live(&s);
}

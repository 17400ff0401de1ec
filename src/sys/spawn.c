/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.c - see spawn.h for the contract.
 *
 * Not uv_spawn(): LISTEN_PID must hold the child's own pid, which is known only between
 * fork and exec, and the descriptors must be those named and no others, also when a library
 * opened one without close-on-exec.
 *
 * The parent may have threads, so between fork and exec only async-signal-safe calls are
 * made: all memory, the environment with a place for the pid, the path of the program
 * and /dev/null are prepared before.  Signals are blocked across the fork so that none of the
 * parent's handlers runs in the child.
 *
 * Descriptors are moved in two steps, since a source may be another's target:
 *
 *     sources:  7 4 -1->null 3        all copied above the targets: 20 21 22 23
 *     targets:  0 1 2        3        then each dup2()ed into its place
 *                                     4: the pipe that reports a failure, closed by exec
 *
 * The pipe ends without a byte when exec succeeded; otherwise it brings the errno.
 */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/supervise.h"

#define FDS_MAX 512
#define PATH_LEN 4096
#define LISTEN 4 /* entries of the environment that may be added, NULL included */

/* All that the child needs, made before the fork. */
struct plan {
    const struct km_child_spec *spec;
    const char **envp;
    char path[PATH_LEN];
    char listen_pid[32];
    char listen_fds[32];
    int sources[3 + FDS_MAX];
    int null_fd;
    int report[2];
};

static const char *path_of(const struct km_child_spec *spec)
{
    for (size_t i = 0; spec->envp[i]; i++)
        if (strncmp(spec->envp[i], "PATH=", 5) == 0)
            return spec->envp[i] + 5;
    return getenv("PATH");
}

static int find_program(struct plan *p, struct km_err *err)
{
    const char *file = p->spec->file;
    const char *path = path_of(p->spec);
    struct km_str rest = km_str_c(path ? path : "/usr/local/bin:/usr/bin:/bin"), dir;

    if (strchr(file, '/')) {
        if ((size_t)snprintf(p->path, sizeof p->path, "%s", file) >= sizeof p->path)
            return km_fail(err, KM_E_LIMIT, "the path of the program is too long");
        return 0;
    }
    while (km_str_split(&rest, ':', &dir)) {
        if (dir.n == 0)
            continue; /* the current folder is not a place to look for programs */
        if ((size_t)snprintf(p->path, sizeof p->path, "%.*s/%s", KM_STR_ARG(dir), file) <
                sizeof p->path &&
            access(p->path, X_OK) == 0)
            return 0;
    }
    return km_fail(err, KM_E_NOT_FOUND, "cannot run '%s': no such program in PATH (%s)", file,
                   path ? path : "unset");
}

static int make_environment(struct plan *p, struct km_err *err)
{
    size_t n = 0, at = 0;

    while (p->spec->envp[n])
        n++;
    p->envp = calloc(n + LISTEN, sizeof p->envp[0]);
    if (!p->envp)
        return km_fail(err, KM_E_NOMEM, "no memory for an environment");
    for (size_t i = 0; i < n; i++) {
        const struct km_str s = km_str_c(p->spec->envp[i]);

        /* Ours are the ones that count. */
        if (!p->spec->listen_fds ||
            (!km_str_starts(s, KM_STR("LISTEN_PID=")) && !km_str_starts(s, KM_STR("LISTEN_FDS="))))
            p->envp[at++] = s.p;
    }
    if (p->spec->listen_fds) {
        snprintf(p->listen_fds, sizeof p->listen_fds, "LISTEN_FDS=%zu", p->spec->nfds);
        p->envp[at++] = p->listen_fds;
        p->envp[at++] = p->listen_pid;
    }
    return 0;
}

static int open_descriptors(struct plan *p, struct km_err *err)
{
    const struct km_child_spec *spec = p->spec;
    const int given[3] = { spec->stdin_fd, spec->stdout_fd, spec->stderr_fd };

    if (spec->nfds > FDS_MAX)
        return km_fail(err, KM_E_LIMIT, "%zu descriptors for a child; at most %d", spec->nfds,
                       FDS_MAX);
    p->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (p->null_fd < 0 || pipe2(p->report, O_CLOEXEC) < 0)
        return km_fail_errno(err, errno, "no descriptors to start '%s' with", spec->file);
    for (size_t i = 0; i < 3; i++)
        p->sources[i] = given[i] < 0 ? p->null_fd : given[i];
    for (size_t i = 0; i < spec->nfds; i++)
        p->sources[3 + i] = spec->fds[i];
    return 0;
}

static void close_plan(struct plan *p)
{
    if (p->null_fd >= 0)
        close(p->null_fd);
    for (int i = 0; i < 2; i++)
        if (p->report[i] >= 0)
            close(p->report[i]);
    free(p->envp);
}

/* --- in the child: async-signal-safe calls only --- */

static void write_pid(struct plan *p)
{
    char digits[20];
    size_t n = 0, at = sizeof "LISTEN_PID=" - 1;
    pid_t pid = getpid();

    memcpy(p->listen_pid, "LISTEN_PID=", at);
    for (; pid; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n)
        p->listen_pid[at++] = digits[--n];
    p->listen_pid[at] = '\0';
}

static void default_signals(void)
{
    const struct sigaction plain = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        sigaction(i, &plain, NULL); /* KILL and STOP refuse, which is fine */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void km_close_from(int first)
{
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0)
        return;
    /* A kernel before 5.9: one by one. */
    for (long fd = first, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
        close((int)fd);
}

static int place_descriptors(struct plan *p)
{
    const int targets = 3 + (int)p->spec->nfds;
    int report = fcntl(p->report[1], F_DUPFD_CLOEXEC, targets + 1);

    if (report < 0)
        return -1;
    p->report[1] = report;
    for (int i = 0; i < targets; i++) {
        p->sources[i] = fcntl(p->sources[i], F_DUPFD_CLOEXEC, targets + 1);
        if (p->sources[i] < 0)
            return -1;
    }
    for (int i = 0; i < targets; i++)
        if (dup2(p->sources[i], i) < 0)
            return -1;
    if (dup3(p->report[1], targets, O_CLOEXEC) < 0)
        return -1;
    p->report[1] = targets;
    km_close_from(targets + 1);
    return 0;
}

static _Noreturn void become(struct plan *p)
{
    int error;

    setsid();
    default_signals();
    if (p->spec->listen_fds)
        write_pid(p);
    if (place_descriptors(p) == 0 && (!p->spec->cwd || chdir(p->spec->cwd) == 0))
        execve(p->path, (char *const *)(uintptr_t)p->spec->argv, (char *const *)(uintptr_t)p->envp);
    error = errno;
    while (write(p->report[1], &error, sizeof error) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* --- in the parent again --- */

static pid_t fork_quietly(void)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid != 0)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

pid_t km_fork_session(void)
{
    pid_t pid = fork();

    if (pid == 0)
        setsid();
    return pid;
}

static int wait_for_exec(struct plan *p, pid_t pid, struct km_err *err)
{
    int error = 0;
    ssize_t n;

    close(p->report[1]);
    p->report[1] = -1;
    do
        n = read(p->report[0], &error, sizeof error);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof error)
        return 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return km_fail_errno(err, error, "cannot run '%s'", p->path);
}

static int start(struct plan *p, pid_t *ret_pid, struct km_err *err)
{
    pid_t pid;
    int r;

    if ((r = find_program(p, err)) < 0 || (r = make_environment(p, err)) < 0 ||
        (r = open_descriptors(p, err)) < 0)
        return r;
    pid = fork_quietly();
    if (pid < 0)
        return km_fail_errno(err, errno, "cannot start '%s'", p->path);
    if (pid == 0)
        become(p);
    r = wait_for_exec(p, pid, err);
    if (r == 0)
        *ret_pid = pid;
    return r;
}

int km_spawn(const struct km_child_spec *spec, pid_t *ret_pid, struct km_err *err)
{
    struct plan *p = calloc(1, sizeof *p);
    int r;

    if (!p)
        return km_fail(err, KM_E_NOMEM, "no memory to start '%s'", spec->file);
    p->spec = spec;
    p->null_fd = p->report[0] = p->report[1] = -1;
    r = start(p, ret_pid, err);
    close_plan(p);
    free(p);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - the gateway in the background: `kanmon start`, `stop`, `restart`.
 *
 * What can go wrong is found in the terminal: the configuration is checked and the ports are
 * taken before anything goes to the background.  Then the process forks; the child becomes the
 * supervisor (supervisor.c) and writes into a pipe how the first gateway fared, with which
 * `start` ends.  <state_dir>/supervisor.pid is locked for as long as the supervisor lives, so a
 * number in it is believed only while the lock is held.
 */
#include "app/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/client.h"
#include "app/state.h"
#include "app/supervised.h"
#include "app/supervisor.h"
#include "config/config.h"
#include "gateway/gateway.h"
#include "gateway/settings.h"

#define TAIL_BYTES 8192 /* of the log, shown when a start fails */
#define MORE_MS 20000 /* to wait for an end after the drain */

struct place {
    struct km_config *config;
    char state_dir[512];
    char pid_file[600], socket[600];
    char log[1100]; /* of supervisor and gateway: log_file, or a file of the state folder */
    int64_t drain_ms;
};

static int find_place(struct km_cli *cli, struct place *p)
{
    struct km_err err = { 0 };
    int code = km_cli_load_config(cli, &p->config);
    const struct km_gateway_settings *g;

    if (code != 0)
        return code;
    if (km_cli_state_dir(p->config, p->state_dir, sizeof p->state_dir, &err) < 0)
        return km_cli_fail(cli, &err);
    snprintf(p->pid_file, sizeof p->pid_file, "%s/supervisor.pid", p->state_dir);
    snprintf(p->socket, sizeof p->socket, "%s/supervisor.sock", p->state_dir);
    g = km_config_get(p->config, &km_gateway_settings_table);
    p->drain_ms = g->drain_ms;
    if (!km_gateway_log_path(g, km_cli_config_file(cli), p->log, sizeof p->log))
        snprintf(p->log, sizeof p->log, "%s/" KM_GATEWAY_LOG, p->state_dir);
    return 0;
}

/* The supervisor's process, or 0. */
static pid_t supervisor_of(const struct place *p)
{
    int fd = open(p->pid_file, O_RDWR | O_CLOEXEC);
    char text[32] = "";
    pid_t pid = 0;

    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && read(fd, text, sizeof text - 1) > 0)
        pid = (pid_t)strtol(text, NULL, 10);
    close(fd);
    return pid;
}

/* The gateway that answers on the control socket, or 0. */
static pid_t gateway_of(struct km_cli *cli)
{
    struct km_answer a;
    struct km_err err = { 0 };
    int64_t pid = 0;

    km_answer_init(&a);
    if (km_cli_call(cli, "GET", "/kanmon/status", KM_STR_NONE, &a, &err) == 0)
        (void)km_json_i64(km_json_get(a.json, "pid"), &pid);
    km_answer_done(&a);
    return (pid_t)pid;
}

/* --- start --- */

static off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* What was logged since the file had `from` bytes, its last lines. */
static void show_log(const char *path, off_t from)
{
    char text[TAIL_BYTES + 1];
    off_t size = size_of(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return;
    if (size - from > TAIL_BYTES)
        from = size - TAIL_BYTES;
    n = pread(fd, text, TAIL_BYTES, from);
    close(fd);
    if (n > 0)
        fwrite(text, 1, (size_t)n, stderr);
}

static int write_pid(int fd, struct km_err *err)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n)
        return 0;
    return km_fail_errno(err, errno, "cannot write supervisor.pid");
}

/* The child of the fork: a session of its own, nothing of the terminal. */
static _Noreturn void become_supervisor(struct km_cli *cli, struct place *p,
                                        struct km_sockets *sockets, int lock, int pipe_fd)
{
    struct km_supervisor_args args = { .cli = cli,
                                       .config = p->config,
                                       .state_dir = p->state_dir,
                                       .log_path = p->log,
                                       .sockets = sockets,
                                       .drain_ms = p->drain_ms,
                                       .start_fd = pipe_fd };
    struct km_err err = { 0 };
    int log = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC), code, r = 0;
    uid_t uid;
    gid_t gid;

    setsid();
    if (null < 0)
        r = km_fail_errno(&err, errno, "cannot open /dev/null");
    if (r == 0)
        r = km_state_user(p->config, &uid, &gid, &err);
    if (r == 0)
        r = km_state_open_log(p->log, uid, gid, &log, &err);
    if (r == 0)
        r = write_pid(lock, &err);
    if (r < 0) {
        fprintf(stderr, "error: %s\n", err.text);
        _exit(KM_EXIT_FAILURE);
    }
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
    close(null);
    code = km_supervisor_run(&args);
    km_sockets_close(sockets);
    unlink(p->pid_file); /* while it is locked */
    close(lock);
    exit(code);
}

/* 0 when the gateway is ready, or the code with which it failed. */
static int wait_for_start(int fd)
{
    char text[32] = "";
    size_t n = 0;
    ssize_t got;

    while (n < sizeof text - 1) {
        got = read(fd, text + n, sizeof text - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    if (strcmp(text, "ready\n") == 0)
        return KM_EXIT_OK;
    n = strncmp(text, "failed ", 7) == 0 ? (size_t)strtoul(text + 7, NULL, 10) : 0;
    return n > 0 && n < 128 ? (int)n : KM_EXIT_FAILURE;
}

static int go(struct km_cli *cli, struct place *p, struct km_sockets *sockets, int lock)
{
    off_t from = size_of(p->log);
    char url[80];
    int ends[2], code;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return KM_EXIT_FAILURE;
    km_sockets_url(sockets, p->config, url);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        become_supervisor(cli, p, sockets, lock, ends[1]);
    }
    close(ends[1]);
    code = pid < 0 ? KM_EXIT_FAILURE : wait_for_start(ends[0]);
    close(ends[0]);
    if (code != 0) {
        show_log(p->log, from);
        fprintf(stderr, "error: the gateway did not start; all it said is in %s\n", p->log);
        return code;
    }
    if (km_cli_flag(cli, "json")) {
        printf("{\"url\":\"%s\",\"supervisor\":%ld}\n", url, (long)pid);
        return code;
    }
    printf("kanmon is running on %s\n", url);
    if (!km_cli_flag(cli, "quiet"))
        printf("  log      %s\n  status   kanmon status --config %s\n"
               "  stop     kanmon stop --config %s\n",
               p->log, km_cli_config_file(cli), km_cli_config_file(cli));
    return code;
}

static int start_here(struct km_cli *cli, struct place *p)
{
    struct km_sockets sockets = { 0 };
    struct km_err err = { 0 };
    int lock = -1, code, r = km_state_make(p->config, p->state_dir, &err);

    if (r == 0)
        r = km_state_lock(p->state_dir, "supervisor.pid", &lock, &err);
    if (r == 0)
        r = km_sockets_open(&sockets, cli, p->config, &err);
    code = r == 0 ? go(cli, p, &sockets, lock) : km_cli_fail(cli, &err);
    km_sockets_close(&sockets);
    if (lock >= 0)
        close(lock);
    return code;
}

int km_cmd_start(struct km_cli *cli)
{
    struct place p = { 0 };
    int code = find_place(cli, &p);
    pid_t pid;

    if (code != 0)
        return code;
    pid = supervisor_of(&p);
    if (pid) {
        printf("kanmon is running already (supervisor %ld); `kanmon restart` takes new settings\n",
               (long)pid);
    } else if ((pid = gateway_of(cli)) != 0) {
        printf("kanmon is running already (process %ld), without a supervisor\n", (long)pid);
    } else {
        code = start_here(cli, &p);
    }
    km_config_unref(p.config);
    return code;
}

/* --- stop --- */

/* false: it did not end in time. */
static bool wait_for_end(pid_t pid, int64_t most_ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int r;

    if (fd < 0)
        return errno == ESRCH;
    r = poll(&p, 1, most_ms > INT32_MAX ? INT32_MAX : (int)most_ms);
    close(fd);
    return r == 1;
}

int km_cmd_stop(struct km_cli *cli)
{
    struct place p = { 0 };
    struct km_err err = { 0 };
    int code = find_place(cli, &p);
    pid_t pid;

    if (code != 0)
        return code;
    pid = supervisor_of(&p);
    if (!pid)
        pid = gateway_of(cli);
    km_config_unref(p.config);
    if (!pid) {
        km_fail(&err, KM_E_NOT_RUNNING, "no gateway is running here (%s)", p.state_dir);
        return km_cli_fail(cli, &err);
    }
    if (kill(pid, SIGTERM) < 0 && errno != ESRCH) {
        km_fail_errno(&err, errno, "cannot stop process %ld", (long)pid);
        return km_cli_fail(cli, &err);
    }
    if (!wait_for_end(pid, p.drain_ms + MORE_MS)) {
        fprintf(stderr, "error: process %ld still lets calls end; it was told to stop\n",
                (long)pid);
        return KM_EXIT_TIMEOUT;
    }
    if (!km_cli_flag(cli, "quiet"))
        puts("kanmon has stopped");
    return KM_EXIT_OK;
}

/* --- restart --- */

static int show_restart(struct km_cli *cli, const struct place *p, const char *reply)
{
    char *text;
    long code;

    if (strncmp(reply, "ok ", 3) == 0) {
        if (!km_cli_flag(cli, "quiet"))
            printf("kanmon was restarted (process %s)\n", reply + 3);
        return KM_EXIT_OK;
    }
    code = strncmp(reply, "failed ", 7) == 0 ? strtol(reply + 7, &text, 10) : 0;
    if (code <= 0 || code > 127)
        return KM_EXIT_FAILURE;
    fprintf(stderr,
            "error: the running gateway goes on; the new one did not start:%s\n"
            "All it said is in %s\n",
            text, p->log);
    return (int)code;
}

int km_cmd_restart(struct km_cli *cli)
{
    struct place p = { 0 };
    struct km_err err = { 0 };
    char reply[KM_SUPERVISOR_LINE];
    int code = find_place(cli, &p), r;

    if (code != 0)
        return code;
    km_config_unref(p.config);
    r = km_supervisor_say(p.socket, "restart", reply, NULL, &err);
    if (r == 0)
        return show_restart(cli, &p, reply);
    if (r == KM_E_NOT_RUNNING && gateway_of(cli) != 0)
        km_fail(&err, KM_E_UNSUPPORTED,
                "the gateway runs in the foreground: stop it there, then `kanmon start`");
    else if (r == KM_E_NOT_RUNNING)
        km_fail(&err, r, "no gateway is running here (%s). Start one: kanmon start --config %s",
                p.state_dir, km_cli_config_file(cli));
    return km_cli_fail(cli, &err);
}

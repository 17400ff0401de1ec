/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - the gateway in the background: `kanmon start`, `stop`, `restart`.
 *
 * What can go wrong is found in the terminal: the configuration is checked and the ports are
 * taken before anything goes to the background.  Then the process forks; the child becomes the
 * supervisor (supervisor.c) and writes into a pipe how the first gateway fared, with which
 * `start` ends.  <state_dir>/supervisor.pid is locked for as long as the supervisor lives.
 *
 * `stop` and `restart` need no configuration: which gateway is meant says find.c, and what is in
 * force says the gateway.
 */
#include "app/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/control.h"
#include "app/find.h"
#include "app/state.h"
#include "app/supervised.h"
#include "app/supervisor.h"
#include "config/config.h"
#include "host/gateway.h"
#include "host/settings.h"
#include "sys/read_file.h"
#include "sys/spawn.h"
#include "sys/blocking.h"
#include "store/identity.h"

#define TAIL_BYTES 8192 /* of the log, shown when a start fails */
#define MORE_MS 20000 /* to wait for an end after the drain */
#define DRAIN_MS 600000 /* of a gateway that does not say how long */
#define LOOK_MS 5000 /* to wait for what it says, where it does not depend on it */
#define ANSWER_BYTES ((size_t)1 << 20)

struct place {
    struct km_config *config;
    char path[PATH_MAX]; /* of the configuration */
    char state_dir[KM_STATE_DIR_BYTES];
    char log[PATH_MAX]; /* of supervisor and gateway: log_file, or a file of the state folder */
    int64_t drain_ms;
};

static void log_of(const char *state_dir, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/kanmon.log", state_dir);
}

/* Where a supervisor writes: what its standard error is, else where it begins to. */
static void log_of_supervisor(const struct km_running *run, char out[PATH_MAX])
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/%ld/fd/2", run->supervisor);
    n = run->supervisor ? readlink(link, out, PATH_MAX - 1) : -1;
    if (n > 0 && out[0] == '/')
        out[n] = 0;
    else
        log_of(run->dir, out);
}

static int find_place(struct km_cli *cli, struct place *p)
{
    struct km_err err = { 0 };
    int code = km_cli_judge_config(cli, false, &p->config);
    const struct km_gateway_settings *g;

    if (code != 0)
        return code;
    if (km_gateway_state_dir(p->config, p->state_dir, &err) < 0)
        return km_cli_fail(cli, &err);
    km_cli_config_path(cli, p->path);
    g = km_config_get(p->config, &km_gateway_settings_table);
    p->drain_ms = g->drain_ms;
    if (!km_gateway_log_path(g, km_cli_config_file(cli), p->log, sizeof p->log))
        snprintf(p->log, sizeof p->log, "%s/" KM_GATEWAY_LOG, p->state_dir);
    return 0;
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
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe has no end to show */
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

    if (null < 0)
        r = km_fail_errno(&err, errno, "cannot open /dev/null");
    if (r == 0)
        r = km_state_user(p->config, &uid, &gid, &err);
    if (r == 0)
        r = km_state_open_log(p->log, uid, gid, &log, &err);
    if (r == 0)
        r = km_state_sign(lock, NULL, &err);
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
    km_state_remove(p->state_dir, KM_STATE_SUPERVISOR);
    close(lock);
    exit(code);
}

/* 0 when the gateway is ready, or the code with which it failed. */
static int wait_for_start(int fd)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(32);
    const char *said;
    unsigned long code;

    if (km_file_read_fd(fd, KM_FILE_ANY, &text, NULL) < 0)
        return KM_EXIT_FAILURE;
    said = km_buf_cstr(&text);
    if (strcmp(said, "ready\n") == 0)
        return KM_EXIT_OK;
    code = strncmp(said, "failed ", 7) == 0 ? strtoul(said + 7, NULL, 10) : 0;
    return code > 0 && code < 128 ? (int)code : KM_EXIT_FAILURE;
}

static void show_started(struct km_cli *cli, const struct place *p, const char *url,
                         long supervisor)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_answer a;
    struct km_err ignored;

    km_answer_init(&a);
    if (km_control_status(cli, &a, &ignored) < 0)
        km_answer_done(&a); /* it did a moment ago; what it would say is known for the most part */
    if (km_cli_flag(cli, "json")) {
        km_buf_printf(&out, "{\"started\":true,\"url\":\"%s\"", url);
        if (a.json)
            km_control_json(a.json, &out);
        else
            km_buf_printf(&out, ",\"supervisor\":%ld", supervisor);
        km_buf_str(&out, KM_STR(",\"log\":"));
        km_buf_json(&out, km_str_c(p->log));
        printf("%.*s}\n", KM_STR_ARG(km_buf_view(&out)));
    } else {
        printf("kanmon is running on %s\n", url);
        if (!km_cli_flag(cli, "quiet")) {
            km_control_show(a.json);
            printf("  log          %s\n  status       kanmon status --config %s\n"
                   "  stop         kanmon stop --config %s\n",
                   p->log, km_cli_config_file(cli), km_cli_config_file(cli));
        }
    }
    km_answer_done(&a);
}

static int go(struct km_cli *cli, struct place *p, struct km_sockets *sockets, int lock)
{
    off_t from = size_of(p->log);
    struct km_err err;
    char url[80];
    int ends[2], code;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return KM_EXIT_FAILURE;
    km_sockets_url(sockets, p->config, url);
    fflush(NULL);
    pid = km_fork_session();
    if (pid == 0) {
        close(ends[0]);
        become_supervisor(cli, p, sockets, lock, ends[1]);
    }
    close(ends[1]);
    code = pid < 0 ? KM_EXIT_FAILURE : wait_for_start(ends[0]);
    close(ends[0]);
    if (code != 0) {
        show_log(p->log, from);
        km_fail(&err, KM_E_SYSTEM, "the gateway did not start; all it said is in %s", p->log);
        (void)km_cli_fail(cli, &err);
        return code;
    }
    if (km_listen_exposure(p->config))
        fprintf(stderr, "warning: %s\n", km_listen_exposure(p->config));
    show_started(cli, p, url, (long)pid);
    return code;
}

static int start_here(struct km_cli *cli, struct place *p)
{
    struct km_sockets sockets = { 0 };
    struct km_err err = { 0 };
    int lock = -1, code, r = km_state_make(p->config, p->state_dir, &err);

    if (r == 0)
        r = km_state_lock(p->state_dir, KM_STATE_SUPERVISOR, p->path, &lock, &err);
    if (r == 0)
        r = km_sockets_open(&sockets, cli, p->config, &err);
    if (r == 0 && km_cli_flag(cli, "new-store")) /* here, for no later gateway is to do it again */
        r = km_identity_forget(p->state_dir, &err);
    code = r == 0 ? go(cli, p, &sockets, lock) : km_cli_fail(cli, &err);
    km_sockets_close(&sockets);
    if (lock >= 0)
        close(lock);
    return code;
}

/* One runs already, with this file. */
static int show_running(struct km_cli *cli, const struct km_running *run)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_answer a;
    struct km_err ignored;

    km_answer_init(&a);
    cli->wait_ms = LOOK_MS;
    if (km_control_status(cli, &a, &ignored) < 0)
        fprintf(stderr, "note: it does not answer: %s\n", ignored.text);
    if (km_cli_flag(cli, "json")) {
        km_buf_str(&out, KM_STR("{\"started\":false,\"running\":true"));
        km_control_json(a.json, &out);
        printf("%.*s}\n", KM_STR_ARG(km_buf_view(&out)));
    } else {
        if (run->supervisor)
            printf("kanmon is running already (supervisor %ld); `kanmon restart` takes new "
                   "settings\n",
                   run->supervisor);
        else
            printf("kanmon is running already (process %ld), without a supervisor\n", run->pid);
        km_control_show(a.json);
    }
    km_answer_done(&a);
    return KM_EXIT_OK;
}

int km_cmd_start(struct km_cli *cli)
{
    struct place p = { 0 };
    struct km_running run;
    struct km_err err = { 0 };
    int code, r = km_find_running(cli, &run, &err);

    if (r == 0)
        return show_running(cli, &run);
    if (r != KM_E_NOT_RUNNING)
        return km_cli_fail(cli, &err);
    code = find_place(cli, &p);
    if (code == 0)
        code = start_here(cli, &p);
    km_config_unref(p.config);
    return code;
}

/* --- stop --- */

static void show_stopped(struct km_cli *cli, const struct km_json *status, pid_t pid)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);

    if (km_cli_flag(cli, "json")) {
        km_buf_printf(&out, "{\"stopped\":true,\"process\":%ld", (long)pid);
        km_control_json(status, &out);
        printf("%.*s}\n", KM_STR_ARG(km_buf_view(&out)));
    } else if (!km_cli_flag(cli, "quiet")) {
        puts("kanmon has stopped");
        km_control_show(status);
    }
}

/* Whom to tell: the supervisor would start another gateway. */
static pid_t whom_to_stop(const struct km_running *run, const struct km_json *status)
{
    int64_t supervisor = run->supervisor, pid = run->pid;

    /* One of an older version wrote nothing down: what it says itself is believed as far as it
     * speaks of processes of its own user. */
    if (!supervisor && km_json_i64(km_json_get(status, "supervisor"), &supervisor) &&
        !km_state_is_owner(run->dir, KM_STATE_SOCKET, supervisor))
        supervisor = 0;
    if (!pid && km_json_i64(km_json_get(status, "pid"), &pid) &&
        !km_state_is_owner(run->dir, KM_STATE_SOCKET, pid))
        pid = 0;
    return (pid_t)(supervisor ? supervisor : pid);
}

static int stop(struct km_cli *cli, pid_t pid, int64_t drain_ms, struct km_err *err)
{
    const int none = pid <= 0 ? ESRCH : 0;

    if (none || (kill(pid, SIGTERM) < 0 && errno != ESRCH)) {
        const int why = none ? none : errno;

        km_fail_errno(err, why, "cannot stop process %ld", (long)pid);
        if (why == EPERM)
            km_fail(err, KM_E_FORBIDDEN, "%s", err->text);
        return km_cli_fail(cli, err);
    }
    if (km_wait_gone(pid, drain_ms + MORE_MS))
        return KM_EXIT_OK;
    km_fail(err, KM_E_UPSTREAM_TIMEOUT, "process %ld still lets calls end; it was told to stop",
            (long)pid);
    return km_cli_fail(cli, err);
}

int km_cmd_stop(struct km_cli *cli)
{
    int64_t drain_ms = DRAIN_MS;
    struct km_running run;
    struct km_answer a;
    struct km_err err = { 0 }, silent;
    int code, r = km_find_running(cli, &run, &err);
    pid_t pid;

    if (r < 0)
        return km_cli_fail(cli, &err);
    km_answer_init(&a);
    cli->wait_ms = LOOK_MS; /* one that is stuck is stopped, too */
    if (km_control_status(cli, &a, &silent) == 0)
        (void)km_json_i64(km_json_get(a.json, "drain_ms"), &drain_ms);
    pid = whom_to_stop(&run, a.json);
    code = stop(cli, pid, drain_ms, &err);
    if (code == 0)
        show_stopped(cli, a.json, pid);
    km_answer_done(&a);
    return code;
}

/* --- restart --- */

static void show_restarted(struct km_cli *cli, const char *pid)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_answer a;
    struct km_err ignored;

    km_answer_init(&a);
    if (km_control_status(cli, &a, &ignored) < 0)
        fprintf(stderr, "note: it does not answer: %s\n", ignored.text);
    if (km_cli_flag(cli, "json")) {
        km_buf_str(&out, KM_STR("{\"restarted\":true"));
        km_control_json(a.json, &out);
        printf("%.*s}\n", KM_STR_ARG(km_buf_view(&out)));
    } else if (!km_cli_flag(cli, "quiet")) {
        printf("kanmon was restarted (process %s)\n", pid);
        km_control_show(a.json);
    }
    km_answer_done(&a);
}

static int show_restart(struct km_cli *cli, const char *log, off_t from, const char *reply)
{
    struct km_err err = { 0 };
    char *text;
    long code;

    if (strncmp(reply, "ok ", 3) == 0) {
        show_restarted(cli, reply + 3);
        return KM_EXIT_OK;
    }
    code = strncmp(reply, "failed ", 7) == 0 ? strtol(reply + 7, &text, 10) : 0;
    if (code <= 0 || code > 127)
        return KM_EXIT_FAILURE;
    show_log(log, from);
    km_fail(&err, code == KM_EXIT_CONFIG ? KM_E_CONFIG : KM_E_SYSTEM,
            "the running gateway goes on; the new one did not start:%s. All it said is in %s", text,
            log);
    (void)km_cli_fail(cli, &err);
    return (int)code;
}

int km_cmd_restart(struct km_cli *cli)
{
    char reply[KM_SUPERVISOR_LINE], log[PATH_MAX], socket[KM_STATE_DIR_BYTES + 32];
    struct km_running run;
    struct km_err err = { 0 };
    int r = km_find_running(cli, &run, &err);
    off_t from;

    if (r < 0)
        return km_cli_fail(cli, &err);
    log_of_supervisor(&run, log);
    snprintf(socket, sizeof socket, "%s/supervisor.sock", run.dir);
    from = size_of(log);
    r = km_supervisor_say(socket, "restart", reply, NULL, &err);
    if (r == 0)
        return show_restart(cli, log, from, reply);
    if (r == KM_E_NOT_RUNNING)
        km_fail(&err, KM_E_UNSUPPORTED,
                "the gateway of '%s' (process %ld) runs in the foreground: stop it there, then "
                "`kanmon start`",
                run.config[0] ? run.config : km_cli_config_file(cli), run.pid);
    return km_cli_fail(cli, &err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.c - see supervisor.h.
 *
 * The sockets are made once and live here, so that whatever happens to a gateway, a client's
 * connection waits in the kernel's queue for the next one.  Gateways come and go:
 *
 *     next     started beside the current one, asks it to hand over; when it says that it is
 *              ready it is the current one.  If it ends first, nothing has changed.
 *     current  serves; when it ends by itself it is started again, with back-off
 *     old      was replaced; ends when its calls have, or is killed when the drain is over
 *
 * What is configured anew at a restart (more workers, another address) needs more sockets: they
 * are bound here and listen only when the next gateway takes them, so a gateway that fails
 * leaves no queue behind.  Addresses no longer asked for are given up when it is ready.
 */
#include "app/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/state.h"
#include "app/supervised.h"
#include "config/config.h"
#include "host/judge.h"
#include "sys/peer.h"
#include "sys/signals.h"
#include "sys/supervise.h"
#include "sys/unix.h"

#define OLDS 64 /* gateways that still drain */
#define READY_MS 180000 /* a store to migrate, a running gateway to wait for */
#define MORE_MS 15000 /* for an end after the drain */
#define ENV_MAX 4096

struct supervisor {
    const struct km_supervisor_args *args;
    struct km_loop *loop;
    struct km_sockets *sockets;
    struct km_acceptor *acceptor;
    struct km_signal *term, *interrupt, *hup;
    struct km_child *current, *next;
    struct km_child *olds[OLDS];
    size_t before; /* sockets when `next` was begun */
    struct km_log *log;
    int sock; /* supervisor.sock */
    int client; /* who asked for a restart; -1: nobody */
    int start_fd;
    int code; /* what a gateway said before it failed */
    char why[KM_SUPERVISOR_LINE];
    char path[600], self[PATH_MAX], config[PATH_MAX], variable[640];
    const char *env[ENV_MAX];
    char log_path[KM_SUPERVISOR_LINE]; /* the gateway's, and ours */
    uid_t uid; /* the gateway's, when it is not ours */
    gid_t gid;
    bool stopping;
};

static void answer(struct supervisor *s, int code, const char *why)
{
    char line[KM_SUPERVISOR_LINE];
    int n;

    if (s->client < 0)
        return;
    if (code)
        n = snprintf(line, sizeof line, "failed %d %.600s\n", code, why);
    else
        n = snprintf(line, sizeof line, "ok %s\n", why);
    (void)!send(s->client, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(s->client);
    s->client = -1;
}

static void tell_start(struct supervisor *s, int code)
{
    char line[32];
    int n = code ? snprintf(line, sizeof line, "failed %d\n", code)
                 : snprintf(line, sizeof line, "ready\n");

    if (s->start_fd < 0)
        return;
    (void)!write(s->start_fd, line, (size_t)n);
    close(s->start_fd);
    s->start_fd = -1;
}

/* --- gateways --- */

static const char *option(const struct supervisor *s, const char *name)
{
    return km_cli_option(s->args->cli, name);
}

static void on_state(void *ctx, struct km_child *child, enum km_child_state state, int status);

static struct km_child *new_child(struct supervisor *s, int64_t drain_ms, struct km_err *err)
{
    const char *argv[24] = { "kanmon", "serve", "--take-over", "--config", s->config };
    struct km_child_spec spec = { .file = s->self,
                                  .argv = argv,
                                  .envp = s->env,
                                  .stdin_fd = -1,
                                  .stdout_fd = STDOUT_FILENO,
                                  .stderr_fd = STDERR_FILENO,
                                  .listen_fds = true,
                                  .restart = true,
                                  .ready_ms = READY_MS,
                                  .stop_ms = (uint64_t)drain_ms + MORE_MS };
    static const char *const passed[][2] = { { "host", "--host" },
                                             { "port", "--port" },
                                             { "workers", "--workers" },
                                             { "num_workers", "--workers" } };
    int fds[KM_LISTEN_MAX];
    size_t at = 5;

    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        if (option(s, passed[i][0])) {
            argv[at++] = passed[i][1];
            argv[at++] = option(s, passed[i][0]);
        }
    if (s->args->cli->state_dir[0]) { /* by variable it has it, and from the folder of the file */
        argv[at++] = "--state-dir";
        argv[at++] = s->args->cli->state_dir;
    }
    if (option(s, "debug") || option(s, "detailed_debug"))
        argv[at++] = "--debug";
    for (size_t i = 0; i < s->sockets->n; i++)
        if (s->sockets->entries[i] != KM_ENTRY_NONE)
            fds[spec.nfds++] = s->sockets->fds[i];
    spec.fds = fds;
    s->code = 0;
    s->why[0] = 0;
    return km_child_new(s->loop, &spec, on_state, s, err);
}

/* The next one did not come about. */
static void drop_next(struct supervisor *s)
{
    s->next = km_child_free(s->next);
    for (size_t i = s->before; i < s->sockets->n; i++)
        close(s->sockets->fds[i]);
    s->sockets->n = s->before;
    if (!s->stopping && s->current && km_child_state(s->current) == KM_CHILD_STOPPED &&
        km_child_start(s->current, NULL) < 0)
        km_loop_stop(s->loop);
}

static void retire(struct supervisor *s, struct km_child *child)
{
    size_t i = 0;

    while (i < OLDS && s->olds[i])
        i++;
    if (i == OLDS) { /* the oldest has had its time */
        km_child_free(s->olds[0]);
        memmove(s->olds, s->olds + 1, (OLDS - 1) * sizeof s->olds[0]);
        i = OLDS - 1;
    }
    s->olds[i] = child;
    if (km_child_state(child) == KM_CHILD_STOPPED)
        s->olds[i] = km_child_free(child);
    else
        km_child_stop(child);
}

static void end_if_done(struct supervisor *s)
{
    bool left = false;

    for (size_t i = 0; i < OLDS; i++)
        left |= s->olds[i] != NULL;
    if (s->stopping && !left && !s->next &&
        (!s->current || km_child_state(s->current) == KM_CHILD_STOPPED))
        km_loop_stop(s->loop);
}

static int exit_code(int status)
{
    return status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status)
                                                                   : KM_EXIT_FAILURE;
}

static void stop(struct supervisor *s)
{
    s->stopping = true;
    s->acceptor = km_acceptor_free(s->acceptor);
    if (s->current)
        km_child_stop(s->current);
    if (s->next)
        km_child_stop(s->next);
    /* Nobody accepts on them any more: who comes now is to be refused, not to hang. */
    km_sockets_close(s->sockets);
    end_if_done(s);
}

static void on_current(struct supervisor *s, enum km_child_state state, int status)
{
    char text[120];

    if (state == KM_CHILD_BACKOFF && s->start_fd >= 0) { /* the very first one */
        tell_start(s, exit_code(status));
        stop(s);
    } else if (state == KM_CHILD_BACKOFF) {
        snprintf(text, sizeof text, "ended by itself (%s %d): it is started again",
                 status >= 0 && WIFSIGNALED(status) ? "signal" : "status",
                 status < 0            ? 0
                 : WIFSIGNALED(status) ? WTERMSIG(status)
                                       : WEXITSTATUS(status));
        km_log_msg(s->log, KM_LOG_WARN, "supervisor", "the gateway %s", text);
        if (s->next)
            km_child_stop(s->current); /* the next one is on its way already */
    }
}

static void on_state(void *ctx, struct km_child *child, enum km_child_state state, int status)
{
    struct supervisor *s = ctx;
    bool over = state == KM_CHILD_BACKOFF || state == KM_CHILD_STOPPED;

    if (child == s->current) {
        on_current(s, state, status);
    } else if (child == s->next && over) {
        answer(s, s->code ? s->code : exit_code(status),
               s->why[0] ? s->why : "the new gateway ended before it was ready");
        drop_next(s);
    }
    for (size_t i = 0; i < OLDS; i++)
        if (child == s->olds[i] && over) {
            km_child_free(child);
            memmove(s->olds + i, s->olds + i + 1, (OLDS - 1 - i) * sizeof s->olds[0]);
            s->olds[OLDS - 1] = NULL;
            break;
        }
    end_if_done(s);
}

/* --- what is said to us --- */

static void on_ready(struct supervisor *s, pid_t pid)
{
    char text[32];

    if (s->next && km_child_pid(s->next) == pid) {
        struct km_child *old = s->current;

        s->current = s->next;
        s->next = NULL;
        if (old)
            retire(s, old);
        km_sockets_trim(s->sockets, s->sockets->n);
        snprintf(text, sizeof text, "%ld", (long)pid);
        answer(s, 0, text);
    }
    if (s->current && km_child_pid(s->current) == pid) {
        km_child_ready(s->current);
        km_log_msg(s->log, KM_LOG_INFO, "supervisor", "gateway %ld is ready", (long)pid);
        tell_start(s, 0);
    }
}

/* Locks, sockets and the store of a state folder stay where they are while a gateway follows the
 * other. */
static int same_state_dir(const struct supervisor *s, const struct km_config *config,
                          struct km_err *err)
{
    char dir[KM_STATE_DIR_BYTES];
    int r = km_gateway_state_dir(config, dir, err);

    if (r < 0 || strcmp(dir, s->args->state_dir) == 0)
        return r;
    return km_fail(err, KM_E_CONFIG,
                   "kanmon_settings.state_dir is another one than '%s': kanmon stop, then kanmon "
                   "start",
                   s->args->state_dir);
}

/* Opens the log (again).  What says no keeps the one there is. */
static void open_log(struct supervisor *s)
{
    struct km_err err = { 0 };
    int fd;

    if (km_state_open_log(s->log_path, s->uid, s->gid, &fd, &err) < 0) {
        km_log_msg(s->log, KM_LOG_WARN, "supervisor", "%s", err.text);
        return;
    }
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static void on_log(struct supervisor *s, const char *path)
{
    snprintf(s->log_path, sizeof s->log_path, "%s", path);
    open_log(s);
}

/* The file is read here too: more workers or another address need sockets. */
static int prepare(struct supervisor *s, int64_t *ret_drain_ms, struct km_err *err)
{
    struct km_config *config = NULL;
    const struct km_gateway_settings *g;
    int r = 0;

    s->before = s->sockets->n;
    if (km_cli_judge_config(s->args->cli, true, &config) != 0)
        return km_fail(err, KM_E_CONFIG, "the configuration is not valid; the log says why");
    r = same_state_dir(s, config, err);
    if (r == 0)
        r = km_sockets_open(s->sockets, s->args->cli, config, err);
    g = km_config_get(config, &km_gateway_settings_table);
    *ret_drain_ms = g->drain_ms;
    km_config_unref(config);
    return r;
}

static void restart(struct supervisor *s)
{
    struct km_err err = { 0 };
    int64_t drain_ms = 0;
    int r = prepare(s, &drain_ms, &err);

    if (r == 0) {
        s->next = new_child(s, drain_ms, &err);
        r = s->next ? km_child_start(s->next, &err) : KM_E_SYSTEM;
    }
    if (r < 0) {
        answer(s, r == KM_E_CONFIG ? KM_EXIT_CONFIG : KM_EXIT_FAILURE, err.text);
        drop_next(s);
    }
}

static void on_line(struct supervisor *s, int fd, pid_t pid, const char *line)
{
    if (strcmp(line, "restart") == 0 && s->client < 0 && !s->next && !s->stopping) {
        s->client = fd;
        restart(s);
        return;
    }
    if (strcmp(line, "restart") == 0)
        (void)!send(fd, "failed 1 a restart is under way already\n", 40,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    else if (strcmp(line, "ready") == 0)
        on_ready(s, pid);
    else if (strncmp(line, "log ", 4) == 0 && s->current && km_child_pid(s->current) == pid)
        on_log(s, line + 4);
    else if (strncmp(line, "failed ", 7) == 0 && s->next && km_child_pid(s->next) == pid) {
        char *text;

        s->code = (int)strtol(line + 7, &text, 10);
        snprintf(s->why, sizeof s->why, "%s", *text ? text + 1 : text);
    }
    close(fd);
}

static void on_connect(void *ctx, int fd, const union km_addr *addr)
{
    struct supervisor *s = ctx;
    struct km_peer peer;
    char line[KM_SUPERVISOR_LINE];

    (void)addr;
    if (km_peer_of(fd, &peer, NULL) == 0 &&
        (peer.uid == geteuid() || peer.uid == 0 || peer.uid == s->uid) &&
        km_supervisor_hear(fd, line, NULL) == 0)
        on_line(s, fd, peer.pid, line);
    else
        close(fd);
}

/* --- signals --- */

static void on_term(void *ctx, int signum)
{
    struct supervisor *s = ctx;

    (void)signum;
    if (!s->stopping) {
        km_log_msg(s->log, KM_LOG_INFO, "supervisor", "stops");
        stop(s);
        return;
    }
    if (s->current) /* asked twice: at once */
        km_child_signal(s->current, SIGTERM);
    for (size_t i = 0; i < OLDS && s->olds[i]; i++)
        km_child_signal(s->olds[i], SIGTERM);
}

static void on_hup(void *ctx, int signum)
{
    struct supervisor *s = ctx;

    open_log(s);
    /* One that is not ready may not know the signal yet, and would die of it. */
    if (s->current && km_child_state(s->current) == KM_CHILD_READY)
        km_child_signal(s->current, signum);
    for (size_t i = 0; i < OLDS && s->olds[i]; i++)
        km_child_signal(s->olds[i], signum);
}

/* --- life --- */

extern char **environ;

static int make_environment(struct supervisor *s, struct km_err *err)
{
    size_t n = 0;

    for (char **e = environ; *e; e++) {
        if (n == ENV_MAX - 2)
            return km_fail(err, KM_E_LIMIT, "over %d environment variables", ENV_MAX - 2);
        if (strncmp(*e, KM_SUPERVISOR_ENV "=", sizeof KM_SUPERVISOR_ENV) != 0)
            s->env[n++] = *e;
    }
    snprintf(s->variable, sizeof s->variable, KM_SUPERVISOR_ENV "=%s", s->path);
    s->env[n] = s->variable;
    return 0;
}

static int find_names(struct supervisor *s, struct km_err *err)
{
    ssize_t n = readlink("/proc/self/exe", s->self, sizeof s->self - 1);

    if (n < 0)
        return km_fail_errno(err, errno, "the program's own file cannot be found");
    km_cli_config_path(s->args->cli, s->config);
    s->self[n] = 0;
    snprintf(s->path, sizeof s->path, "%s/supervisor.sock", s->args->state_dir);
    snprintf(s->log_path, sizeof s->log_path, "%s", s->args->log_path);
    return make_environment(s, err);
}

static int begin(struct supervisor *s, struct km_err *err)
{
    struct stat st;
    int r = find_names(s, err);

    if (r == 0)
        r = km_unix_listen(s->path, &s->sock, err);
    if (r == 0)
        r = km_state_give(s->args->config, s->path, err);
    if (r < 0)
        return r;
    s->uid = geteuid();
    s->gid = getegid();
    if (stat(s->path, &st) == 0) {
        s->uid = st.st_uid;
        s->gid = st.st_gid;
    }
    s->acceptor = km_acceptor_new(s->loop, s->sock, on_connect, NULL, s, err);
    s->term = km_signal_new(s->loop, SIGTERM, on_term, s, err);
    s->interrupt = km_signal_new(s->loop, SIGINT, on_term, s, err);
    s->hup = km_signal_new(s->loop, SIGHUP, on_hup, s, err);
    if (!s->acceptor || !s->term || !s->interrupt || !s->hup)
        return KM_E_SYSTEM;
    s->current = new_child(s, s->args->drain_ms, err);
    return s->current ? km_child_start(s->current, err) : KM_E_SYSTEM;
}

int km_supervisor_run(const struct km_supervisor_args *args)
{
    struct supervisor *s = calloc(1, sizeof *s);
    struct km_err err = { 0 };
    int r;

    if (!s)
        return KM_EXIT_FAILURE;
    s->args = args;
    s->sockets = args->sockets;
    s->start_fd = args->start_fd;
    s->sock = s->client = -1;
    s->loop = km_loop_new(&err);
    s->log = km_log_new(STDERR_FILENO, KM_LOG_INFO, KM_LOG_TEXT);
    km_signals_ignore();
    r = s->loop ? begin(s, &err) : KM_E_SYSTEM;
    km_config_unref(args->config);
    if (r == 0)
        km_loop_run(s->loop);
    else
        fprintf(stderr, "error: %s\n", err.text);
    tell_start(s, KM_EXIT_FAILURE);
    answer(s, KM_EXIT_FAILURE, "the supervisor ends");
    km_child_free(s->current);
    km_child_free(s->next);
    km_acceptor_free(s->acceptor);
    km_signal_free(s->term);
    km_signal_free(s->interrupt);
    km_signal_free(s->hup);
    if (s->sock >= 0) {
        close(s->sock);
        unlink(s->path);
    }
    km_loop_free(s->loop);
    km_log_free(s->log);
    free(s);
    return r == 0 ? KM_EXIT_OK : KM_EXIT_FAILURE;
}

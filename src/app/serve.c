/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - `kanmon serve`: the gateway in the foreground.
 *
 *     configuration -> sockets (a taken port fails here, before anything is touched)
 *       -> no longer root -> [asks the running gateway to hand over]
 *       -> state folder and its lock -> store, keys, workers -> control socket -> run
 *
 * TERM and INT stop accepting and let running calls end; a second one ends at once, in order.
 * HUP reloads.  A gateway that was handed over to another process ends when its calls have; then
 * the supervisor's TERM says nothing new.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "app/admit.h"
#include "app/cli.h"
#include "app/listen.h"
#include "app/process.h"
#include "app/serve.h"
#include "app/state.h"
#include "app/supervised.h"
#include "config/config.h"
#include "door/dispatch.h"
#include "host/gateway.h"
#include "host/handover/handover.h"
#include "host/judge.h"
#include "store/identity.h"
#include "sys/signals.h"
#include "sys/unix.h"

struct serve {
    struct km_loop *loop;
    struct km_config *config;
    struct km_gateway *gw;
    struct km_gateway_args args;
    struct km_config_flag flags[KM_CLI_FLAGS]; /* kept: a reload takes them again */
    size_t nflags;
    struct km_takeover *takeover; /* until the gateway has it */
    char state_dir[KM_STATE_DIR_BYTES];
    char config_path[PATH_MAX];
    char supervisor[600]; /* its socket; empty: none */
    int lock_fd;
    int control_fd, handover_fd;
    struct km_sockets sockets;
    struct km_signal *term, *interrupt, *hup;
    struct km_timer drain;
    bool stopping;
    bool stop_waits; /* TERM came while it was not clear whose the gateway is */
    bool stopped; /* every call of this process has ended */
    bool new_store; /* asked for, and not by a supervisor, who would ask each time */
    bool closing; /* the books are being closed: signals say nothing any more */
};

/* --- ends --- */

static void on_drain_timeout(void *ctx)
{
    struct serve *s = ctx;

    km_log_msg(s->gw->log, KM_LOG_WARN, "drain", "time is up: running calls are cut");
    km_loop_stop(s->loop);
}

/* Not before those that handed over to us have ended: we write their books. */
static void end_if_done(void *ctx)
{
    struct serve *s = ctx;

    if (s->stopped && !km_takeover_active(s->gw->takeover))
        km_loop_stop(s->loop);
}

static void on_stopped(void *ctx)
{
    struct serve *s = ctx;

    s->stopped = true;
    end_if_done(s);
}

/* No worker accepts any more. A socket that stays open without an acceptor would let clients
 * hang. */
static void on_quiet(void *ctx)
{
    struct serve *s = ctx;

    km_sockets_close(&s->sockets);
    if (km_handover_state(s->gw->handover) == KM_HANDOVER_NONE)
        return;
    close(s->control_fd);
    close(s->handover_fd);
    s->control_fd = s->handover_fd = -1;
}

static void start_drain(struct serve *s)
{
    km_timer_start(&s->drain, (uint64_t)s->gw->current->gateway->drain_ms);
}

static void stop(struct serve *s)
{
    km_log_msg(s->gw->log, KM_LOG_INFO, "stopping", "running calls may end");
    km_handover_close(s->gw->handover);
    start_drain(s);
    km_gateway_stop(s->gw, NULL, on_stopped, s);
}

static void on_term(void *ctx, int signum)
{
    struct serve *s = ctx;
    enum km_handover_state state;

    (void)signum;
    if (s->closing)
        return;
    state = km_handover_state(s->gw->handover);
    if (s->stopping) {
        km_loop_stop(s->loop);
        return;
    }
    s->stopping = true;
    if (state == KM_HANDOVER_GIVEN || state == KM_HANDOVER_LOST)
        return; /* it ends as it is */
    s->stop_waits = state == KM_HANDOVER_FROZEN;
    if (!s->stop_waits)
        stop(s);
}

static void on_change(void *ctx, enum km_handover_state state)
{
    struct serve *s = ctx;

    if (state == KM_HANDOVER_NONE && s->stop_waits) {
        s->stop_waits = false;
        stop(s);
    }
    if (state == KM_HANDOVER_GIVEN && !km_timer_running(&s->drain))
        start_drain(s);
}

static void on_hup(void *ctx, int signum)
{
    struct serve *s = ctx;
    enum km_handover_state state;

    (void)signum;
    if (s->closing)
        return;
    /* A rejected file is logged by the gateway, which goes on as it was.  One that only lets its
     * calls end has no use for another configuration, but it still writes its logs. */
    state = km_handover_state(s->gw->handover);
    if (s->stopping || state == KM_HANDOVER_GIVEN || state == KM_HANDOVER_LOST)
        km_gateway_reopen_logs(s->gw);
    else
        km_gateway_reload_soon(s->gw, NULL);
}

/* The supervisor writes where we do. */
static void on_log(void *ctx, const char *path)
{
    const struct serve *s = ctx;
    char line[KM_SUPERVISOR_LINE];
    struct km_err ignored;

    if (!s->supervisor[0])
        return;
    snprintf(line, sizeof line, "log %s", path);
    (void)!km_supervisor_say(s->supervisor, line, NULL, NULL, &ignored);
}

static int watch_signals(struct serve *s, struct km_err *err)
{
    s->term = km_signal_new(s->loop, SIGTERM, on_term, s, err);
    s->interrupt = km_signal_new(s->loop, SIGINT, on_term, s, err);
    s->hup = km_signal_new(s->loop, SIGHUP, on_hup, s, err);
    return s->term && s->interrupt && s->hup ? 0 : KM_E_SYSTEM;
}

/* --- the state folder passes from one process to the next --- */

static int lock_state(void *ctx, struct km_err *err)
{
    struct serve *s = ctx;

    if (s->lock_fd >= 0) /* a hand-over that was refused had not let go of it */
        return 0;
    return km_state_lock(s->state_dir, KM_STATE_LOCK, s->config_path, &s->lock_fd, err);
}

static void unlock_state(void *ctx)
{
    struct serve *s = ctx;

    if (s->lock_fd >= 0)
        close(s->lock_fd);
    s->lock_fd = -1;
}

/* The last moment before the store is opened: from here the running gateway waits for us. */
static int before_store(void *ctx, struct km_err *err)
{
    struct serve *s = ctx;
    int r = s->takeover ? km_takeover_ask(s->takeover, err) : 0;

    if (r == KM_E_CLOSED) { /* it died: an ordinary start, if nobody else was faster */
        s->takeover = s->args.takeover = km_takeover_free(s->takeover);
        r = 0;
    }
    if (r == 0)
        r = lock_state(s, err);
    return r == 0 && s->new_store && !s->takeover ? km_identity_forget(s->state_dir, err) : r;
}

static int find_running(struct serve *s, const struct km_cli *cli, struct km_err *err)
{
    char path[600];
    int r;

    if (!km_cli_flag(cli, "take-over"))
        return 0;
    snprintf(path, sizeof path, "%s/handover.sock", s->state_dir);
    r = km_takeover_new(path, &s->takeover, err);
    return r == KM_E_NOT_RUNNING ? 0 : r;
}

/* One gateway a folder: its books have one writer. */
static int open_control(struct serve *s, struct km_err *err)
{
    char path[600];
    int r = 0;

    if (s->takeover) {
        km_takeover_sockets(s->takeover, &s->control_fd, &s->handover_fd);
        return 0;
    }
    snprintf(path, sizeof path, "%s/" KM_STATE_SOCKET, s->state_dir);
    r = km_unix_listen(path, &s->control_fd, err);
    snprintf(path, sizeof path, "%s/handover.sock", s->state_dir);
    return r == 0 ? km_unix_listen(path, &s->handover_fd, err) : r;
}

/* --- start --- */

static void announce(const struct serve *s)
{
    union km_addr last = { 0 }, addr;
    char text[KM_ADDR_TEXT];
    const char *exposure = km_listen_exposure(s->config);

    for (size_t i = 0; i < s->sockets.n; i++) {
        if (km_listen_address(s->sockets.fds[i], &addr, NULL) < 0 ||
            memcmp(&addr, &last, km_addr_len(&addr)) == 0)
            continue;
        last = addr;
        km_addr_text(&addr, text);
        km_log_msg(s->gw->log, KM_LOG_INFO, "listening", "%s", text);
    }
    if (exposure)
        km_log_msg(s->gw->log, KM_LOG_WARN, "auth.off", "%s", exposure);
}

static int open_sockets(struct serve *s, const struct km_cli *cli, struct km_err *err)
{
    int r = km_sockets_inherit(&s->sockets, cli, s->config, err);

    if (r == 0 && s->sockets.n == 0)
        r = km_sockets_open(&s->sockets, cli, s->config, err);
    if (r == 0)
        r = km_gateway_state_dir(s->config, s->state_dir, err);
    if (r == 0)
        r = km_state_make(s->config, s->state_dir, err);
    return r == 0 ? km_state_drop_root(s->config, err) : r;
}

static int make_gateway(struct serve *s, struct km_err *err)
{
    struct km_handover_args handover = { .lock = lock_state,
                                         .unlock = unlock_state,
                                         .on_change = on_change,
                                         .on_stopped = on_stopped,
                                         .ctx = s };
    int r = km_gateway_new(&s->args, s->loop, &s->gw, err);

    if (r == 0)
        r = open_control(s, err);
    if (r == 0)
        r = km_sockets_begin(&s->sockets, err);
    if (r == 0)
        r = km_gateway_listen(s->gw, s->sockets.fds, s->sockets.entries, s->sockets.n, err);
    if (r == 0)
        r = km_gateway_control(s->gw, s->control_fd, err);
    if (r < 0)
        return r;
    s->gw->on_quiet = on_quiet;
    s->gw->quiet_ctx = s;
    handover.gw = s->gw;
    handover.fd = s->handover_fd;
    handover.control_fd = s->control_fd;
    return km_handover_new(&handover, err);
}

static bool on_network(const struct serve *s)
{
    union km_addr addr;

    for (size_t i = 0; i < s->sockets.n; i++)
        if (km_listen_address(s->sockets.fds[i], &addr, NULL) < 0 || !km_addr_loopback(&addr))
            return true;
    return false;
}

static int start(struct serve *s, const struct km_cli *cli, struct km_err *err)
{
    int r;

    s->args = (struct km_gateway_args){ .config = s->config,
                                        .tables = km_app_tables,
                                        .flags = s->flags,
                                        .nflags = s->nflags,
                                        .listen = km_cli_listen_flags(cli),
                                        .config_path = s->config_path,
                                        .routes = km_app_routes,
                                        .builtins = km_app_builtins,
                                        .door = &km_http_door,
                                        .hooks = &km_app_hooks,
                                        .modules = km_app_modules,
                                        .authenticators = km_app_authenticators,
                                        .network = on_network(s),
                                        .state_dir = s->state_dir,
                                        .supervisor = s->args.supervisor,
                                        .takeover = s->takeover,
                                        .before_store = before_store,
                                        .on_log = on_log,
                                        .ctx = s };
    r = make_gateway(s, err);
    if (r == 0 && s->args.network)
        r = km_admit(s->gw->current->mcp, err);
    if (r == 0)
        r = watch_signals(s, err);
    if (r == 0)
        r = km_gateway_start(s->gw, err);
    if (r == 0 && s->takeover) {
        struct km_takeover *t = s->takeover;

        s->takeover = NULL;
        r = km_takeover_go(t, s->gw, end_if_done, s, err);
    }
    return r;
}

/* Signals are caught to the very end.  The supervisor's TERM to a gateway that was replaced may
 * come when its calls have ended already: it would kill it with records on their way. */
static void clean_up(struct serve *s)
{
    s->closing = true;
    if (s->loop)
        km_timer_stop(&s->drain);
    s->gw = km_gateway_free(s->gw);
    km_config_unref(s->config);
    km_sockets_close(&s->sockets);
    if (s->control_fd >= 0)
        close(s->control_fd);
    if (s->handover_fd >= 0)
        close(s->handover_fd);
    unlock_state(s);
    km_takeover_free(s->takeover); /* last: now the one we wanted to replace goes on */
    km_signals_block();
    km_signal_free(s->term);
    km_signal_free(s->interrupt);
    km_signal_free(s->hup);
    if (s->loop)
        km_loop_free(s->loop);
}

/* Who keeps us running, and what they are to know. */
static void find_supervisor(struct serve *s)
{
    const char *path = getenv(KM_SUPERVISOR_ENV);

    if (path)
        snprintf(s->supervisor, sizeof s->supervisor, "%s", path);
    s->args.supervisor = path ? (long)getppid() : 0;
    unsetenv(KM_SUPERVISOR_ENV);
}

static void tell(const struct serve *s, int code, const char *why)
{
    char line[KM_SUPERVISOR_LINE];
    struct km_err ignored;

    if (!s->supervisor[0])
        return;
    snprintf(line, sizeof line, code ? "failed %d %s" : "ready", code, why);
    (void)!km_supervisor_say(s->supervisor, line, NULL, NULL, &ignored);
}

int km_cmd_serve(struct km_cli *cli)
{
    struct serve s = { .lock_fd = -1, .control_fd = -1, .handover_fd = -1 };
    struct km_err err = { 0 };
    int code, r;

    km_process_prepare();
    find_supervisor(&s);
    s.new_store = !s.args.supervisor && km_cli_flag(cli, "new-store");
    s.nflags = km_cli_config_flags(cli, s.flags);
    km_cli_config_path(cli, s.config_path);
    code = km_cli_judge_config(cli, false, &s.config);
    if (code != 0) {
        tell(&s, code, "the configuration is not valid");
        return code;
    }
    km_signals_ignore();
    r = open_sockets(&s, cli, &err);
    s.loop = r == 0 ? km_loop_new(&err) : NULL;
    if (r == 0 && !s.loop)
        r = KM_E_SYSTEM;
    if (s.loop)
        km_timer_init(&s.drain, s.loop, on_drain_timeout, &s);
    if (r == 0)
        r = find_running(&s, cli, &err);
    if (r == 0)
        r = start(&s, cli, &err);
    code = r == 0 ? KM_EXIT_OK : km_cli_fail(cli, &err);
    tell(&s, code, err.text);
    if (r == 0) {
        on_log(&s, s.gw->log_path);
        announce(&s);
        km_loop_run(s.loop);
    }
    clean_up(&s);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - `kanmon serve`: the gateway in the foreground.
 *
 *     configuration -> sockets (a taken port fails here, before anything is touched)
 *       -> state folder and its lock -> store, keys, workers -> control socket -> run
 *
 * TERM and INT stop accepting and let running calls end; a second one ends at once.  HUP
 * reloads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/serve.h"
#include "gateway/gateway.h"
#include "sys/signals.h"
#include "sys/unix.h"

#define BACKLOG 4096

struct serve {
    struct km_loop *loop;
    struct km_config *config;
    struct km_gateway *gw;
    struct km_gateway_args args;
    char state_dir[512];
    int lock_fd;
    int fds[KM_LISTEN_MAX];
    size_t nfds;
    struct km_signal *term, *interrupt, *hup;
    struct km_timer drain;
    bool stopping;
};

static const struct km_listen_entry default_listen = { .host = { "127.0.0.1", 9 }, .port = 4000 };

/* Without a key, nobody but this machine may come in. */
static int check_exposure(const struct km_config *config, const union km_addr *addr,
                          struct km_err *err)
{
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);
    const struct km_general_settings *g = km_config_get(config, &km_general_settings_table);

    if (g->master_key.n || s->auth == KM_AUTH_MODE_NONE || km_addr_loopback(addr))
        return 0;
    return km_fail(err, KM_E_CONFIG,
                   "without general_settings.master_key only loopback is served; set it, or "
                   "kanmon_settings.auth: none if everybody may call");
}

static int listen_entry(struct serve *s, const struct km_cli *cli, const struct km_listen_entry *e,
                        size_t workers, struct km_err *err)
{
    const char *host = km_cli_option(cli, "host"), *port = km_cli_option(cli, "port");
    struct km_str name = host ? km_str_c(host) : e->host;
    uint64_t number = (uint64_t)e->port;
    union km_addr addr;
    int r;

    if (port && (km_str_u64(km_str_c(port), &number) < 0 || number > 65535))
        return km_fail(err, KM_E_CONFIG, "--port must be 0 to 65535");
    if (km_str_eq(name, KM_STR("localhost")))
        name = KM_STR("127.0.0.1");
    if (km_addr_parse(name, (uint16_t)number, &addr) < 0)
        return km_fail(err, KM_E_CONFIG, "cannot listen on '%.*s': it must be an address",
                       KM_STR_ARG(name));
    r = check_exposure(s->config, &addr, err);
    if (r == 0 && s->nfds + workers > KM_LISTEN_MAX)
        r = km_fail(err, KM_E_CONFIG, "over %d listening sockets", KM_LISTEN_MAX);
    if (r == 0)
        r = km_listen(&addr, workers, BACKLOG, s->fds + s->nfds, err);
    if (r == 0)
        s->nfds += workers;
    return r;
}

static int open_sockets(struct serve *s, const struct km_cli *cli, struct km_err *err)
{
    const struct km_gateway_settings *g = km_config_get(s->config, &km_gateway_settings_table);
    const struct km_listen_entry *entries = g->listen.n ? g->listen.v : &default_listen;
    size_t n = g->listen.n ? g->listen.n : 1, workers;
    int r = km_listen_inherited(s->fds, KM_LISTEN_MAX, &s->nfds, err);

    if (r < 0 || s->nfds > 0)
        return r;
    r = km_gateway_workers(g, &workers, err);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = listen_entry(s, cli, &entries[i], workers, err);
    return r;
}

/* One gateway a folder: its books have one writer. */
static int lock_state(struct serve *s, struct km_err *err)
{
    char path[600];

    if (mkdir(s->state_dir, 0700) < 0 && errno != EEXIST)
        return km_fail_errno(err, errno, "cannot make the state folder '%s'", s->state_dir);
    snprintf(path, sizeof path, "%s/lock", s->state_dir);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return km_fail_errno(err, errno, "cannot open '%s'", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return km_fail(err, KM_E_EXISTS,
                   "another gateway uses the state folder '%s'; stop it (`kanmon stop`), or set "
                   "kanmon_settings.state_dir",
                   s->state_dir);
}

static void on_drain_timeout(void *ctx)
{
    struct serve *s = ctx;

    km_log_msg(s->gw->log, KM_LOG_WARN, "drain", "time is up: running calls are cut");
    km_loop_stop(s->loop);
}

static void on_stopped(void *ctx)
{
    struct serve *s = ctx;

    km_loop_stop(s->loop);
}

static void on_term(void *ctx, int signum)
{
    struct serve *s = ctx;

    if (s->stopping) {
        km_loop_stop(s->loop);
        return;
    }
    s->stopping = true;
    km_log_msg(s->gw->log, KM_LOG_INFO, "stopping", "signal %d: running calls may end", signum);
    km_timer_start(&s->drain, (uint64_t)s->gw->current->gateway->drain_ms);
    km_gateway_stop(s->gw, NULL, on_stopped, s);
}

static void on_hup(void *ctx, int signum)
{
    struct serve *s = ctx;
    struct km_diags *diags = km_diags_new();
    struct km_err err = { 0 };

    (void)signum;
    /* A rejected file is logged by the gateway, which goes on as it was. */
    if (diags && km_gateway_reload(s->gw, diags, &err) < 0)
        km_log_flush(s->gw->log);
    km_diags_free(diags);
}

static int watch_signals(struct serve *s, struct km_err *err)
{
    s->term = km_signal_new(s->loop, SIGTERM, on_term, s, err);
    s->interrupt = km_signal_new(s->loop, SIGINT, on_term, s, err);
    s->hup = km_signal_new(s->loop, SIGHUP, on_hup, s, err);
    return s->term && s->interrupt && s->hup ? 0 : KM_E_SYSTEM;
}

static void announce(const struct serve *s)
{
    union km_addr last = { 0 }, addr;
    char text[KM_ADDR_TEXT];
    const struct km_general_settings *g = km_config_get(s->config, &km_general_settings_table);

    for (size_t i = 0; i < s->nfds; i++) {
        if (km_listen_address(s->fds[i], &addr, NULL) < 0 ||
            memcmp(&addr, &last, km_addr_len(&addr)) == 0)
            continue;
        last = addr;
        km_addr_text(&addr, text);
        km_log_msg(s->gw->log, KM_LOG_INFO, "listening", "%s", text);
    }
    if (!g->master_key.n)
        km_log_msg(s->gw->log, KM_LOG_WARN, "auth.off",
                   "no master key: everybody who reaches this address may call. Set "
                   "general_settings.master_key (or LITELLM_MASTER_KEY).");
}

static int start(struct serve *s, struct km_err *err)
{
    char path[600];
    int control = -1, r;

    s->args = (struct km_gateway_args){ .config = s->config,
                                        .tables = km_app_tables,
                                        .routes = km_app_routes,
                                        .state_dir = s->state_dir };
    r = km_gateway_new(&s->args, s->loop, &s->gw, err);
    if (r == 0)
        r = km_gateway_listen(s->gw, s->fds, s->nfds, err);
    snprintf(path, sizeof path, "%s/kanmon.sock", s->state_dir);
    if (r == 0)
        r = km_unix_listen(path, &control, err);
    if (r == 0)
        r = km_gateway_control(s->gw, control, err);
    if (r == 0)
        r = watch_signals(s, err);
    return r == 0 ? km_gateway_start(s->gw, err) : r;
}

static void clean_up(struct serve *s)
{
    km_timer_stop(&s->drain);
    km_signal_free(s->term);
    km_signal_free(s->interrupt);
    km_signal_free(s->hup);
    s->gw = km_gateway_free(s->gw);
    km_config_unref(s->config);
    for (size_t i = 0; i < s->nfds; i++)
        close(s->fds[i]);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    km_loop_free(s->loop);
}

int km_cmd_serve(struct km_cli *cli)
{
    struct serve s = { .lock_fd = -1 };
    struct km_err err = { 0 };
    int code = km_cli_load_config(cli, &s.config), r;

    if (code != 0)
        return code;
    km_signals_ignore();
    s.loop = km_loop_new(&err);
    r = s.loop ? km_cli_state_dir(s.config, s.state_dir, sizeof s.state_dir, &err) : KM_E_SYSTEM;
    if (s.loop)
        km_timer_init(&s.drain, s.loop, on_drain_timeout, &s);
    if (r == 0)
        r = open_sockets(&s, cli, &err);
    if (r == 0)
        r = lock_state(&s, &err);
    if (r == 0)
        r = start(&s, &err);
    if (r == 0) {
        announce(&s);
        km_loop_run(s.loop);
    }
    code = r == 0 ? KM_EXIT_OK : km_cli_fail(cli, &err);
    clean_up(&s);
    return code;
}

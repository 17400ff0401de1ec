/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - what the workers share, and how it starts, reloads and stops.
 *
 * Start:   store (migrated, books mended) -> keys in memory -> snapshot -> workers -> sockets
 * Reload:  a new snapshot is built beside the old one; only when that worked do the workers get
 *          it.  A file with an error changes nothing.
 * Stop:    no more connections, running calls end (bounded by drain), the ledger is flushed, the
 *          store closed last.
 */
#include "host/gateway.h"

#include "base/crypto.h"
#include "base/veil.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/handover/handover.h"
#include "host/judge.h"
#include "host/added.h"
#include "host/module.h"
#include "host/worker.h"
#include "mcp/safety/approval.h"
#include "mcp/memory.h"
#include "mcp/parks.h"
#include "sys/peer.h"
#include "sys/read_file.h"

#define EVENTS_KEPT 256
#define SERIES_MOST 20000 /* of metrics; see metric.h for what happens past it */
#define PLACE_BYTES 4160 /* of a path with its line and column */

static int usable_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    long long quota, period;

    if (f && fscanf(f, "%lld %lld", &quota, &period) == 2 && period > 0 && quota / period < n)
        n = quota >= period ? (int)(quota / period) : 1;
    if (f)
        fclose(f);
    return n < 1 ? 1 : n > KM_WORKERS_MAX ? KM_WORKERS_MAX : n;
}

int km_gateway_workers(const struct km_gateway_settings *s, size_t *ret_n, struct km_err *err)
{
    struct km_str text = s->workers;
    uint64_t n;

    if (!text.n || km_str_eq(text, KM_STR("auto"))) {
        *ret_n = (size_t)usable_cores();
        return 0;
    }
    if (km_str_u64(text, &n) < 0 || n < 1 || n > KM_WORKERS_MAX)
        return km_fail(err, KM_E_CONFIG, "kanmon_settings.workers must be `auto` or 1 to %d",
                       KM_WORKERS_MAX);
    *ret_n = (size_t)n;
    return 0;
}

static void apply_settings(struct km_gateway *gw)
{
    const struct km_snapshot *s = gw->current;
    const struct km_litellm_logging *old;
    int64_t level, format;

    km_assert(s);
    old = km_config_get(s->config, &km_litellm_logging_table);
    level = old->set_verbose ? KM_LOG_DEBUG : s->gateway->log_level;
    format = old->json_logs ? KM_LOG_JSON : s->gateway->log_format;
    gw->bodies.limit = km_body_budget_limit(s->http);
    km_log_set_level(gw->log, (enum km_log_level)level);
    km_log_set_format(gw->log, (enum km_log_format)format);
}

static void put_key(void *ctx, const struct km_key_row *row)
{
    struct km_gateway *gw = ctx;
    struct km_err err = { 0 };

    if (km_keys_put(gw->keys, row, &err) < 0)
        km_log_msg(gw->log, KM_LOG_ERROR, "key.load", "%s", err.text);
}

static void put_window(void *ctx, const uint8_t hash[32], int64_t end_us, int64_t spend)
{
    struct km_gateway *gw = ctx;

    km_keys_add_window(gw->keys, hash, end_us, spend);
}

static int open_store(struct km_gateway *gw, const struct km_config *config, struct km_err *err)
{
    const struct km_key_settings *keys = km_config_get(config, &km_key_settings_table);
    struct km_store_args args = { .settings = km_config_get(config, &km_store_settings_table),
                                  .state_dir = gw->state_dir,
                                  .log = gw->log,
                                  .events = gw->events };
    int r = gw->args->before_store ? gw->args->before_store(gw->args->ctx, err) : 0;

    args.handed_over = gw->args->takeover != NULL;
    if (r == 0)
        r = km_store_open(&args, &gw->store, err);
    gw->keys = r == 0 ? km_keys_new((size_t)keys->max_keys) : NULL;
    gw->approvals = km_approvals_new(KM_APPROVALS_MOST);
    gw->key_changes = km_lane_new();
    gw->mcp_memory = km_mcp_memory_new();
    gw->mcp_added = km_mcp_added_new();
    gw->mcp_park_shares = km_mcp_park_shares_new(gw->nworkers);
    if (r == 0)
        r = km_random(&gw->mcp_replica, sizeof gw->mcp_replica, err);
    if (r == 0)
        r = km_random(gw->mcp_key, sizeof gw->mcp_key, err);
    if (r == 0 && (!gw->keys || !gw->approvals || !gw->key_changes || !gw->mcp_memory ||
                   !gw->mcp_added || !gw->mcp_park_shares))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        r = km_store_keys(gw->store, put_key, gw, err);
    if (r == 0)
        r = km_store_windows(gw->store, put_window, gw, err);
    if (r == 0)
        km_store_loaded(gw->store);
    if (r == 0)
        r = km_modules_gateway_init(gw, err);
    if (r == 0 && gw->args->takeover)
        r = km_keys_import(gw->keys, km_takeover_keys(gw->args->takeover), err);
    return r;
}

/* "config.yaml:3:1: ", or nothing for what stands nowhere. */
static void place_of(const struct km_diag *d, char out[PLACE_BYTES])
{
    out[0] = 0;
    if (d->file.n && d->level == KM_DIAG_ERROR)
        snprintf(out, PLACE_BYTES, "%.*s:%u:%u: ", KM_STR_ARG(d->file), d->line, d->column);
    else if (d->file.n)
        snprintf(out, PLACE_BYTES, "%.*s:%u: ", KM_STR_ARG(d->file), d->line);
}

static void say(struct km_gateway *gw, const struct km_diags *diags)
{
    for (size_t i = 0;
         i < km_diags_count(diags, KM_DIAG_WARNING) + km_diags_count(diags, KM_DIAG_ERROR); i++) {
        const struct km_diag *d = km_diags_at(diags, i);
        char place[PLACE_BYTES];

        if (!d)
            return;
        place_of(d, place);
        if (d->level == KM_DIAG_ERROR) /* why it does not start, and what to do */
            km_log_msg(gw->log, KM_LOG_ERROR, "config", "%s%.*s%s%.*s", place,
                       KM_STR_ARG(d->message), d->help.n ? ": " : "", KM_STR_ARG(d->help));
        else
            km_log_msg(gw->log, KM_LOG_WARN, "config", "%s%.*s", place, KM_STR_ARG(d->message));
    }
}

static struct km_snapshot_args snapshot_args(struct km_gateway *gw, struct km_config *config,
                                             uint64_t version)
{
    return (struct km_snapshot_args){ .config = config,
                                      .routes = gw->args->routes,
                                      .builtins = gw->args->builtins,
                                      .modules = gw->args->modules,
                                      .store = gw->store,
                                      .metrics = gw->metrics,
                                      .before = gw->current,
                                      .version = version };
}

static int build_snapshot(struct km_gateway *gw, struct km_config *config, struct km_diags *diags,
                          struct km_snapshot **ret, struct km_err *err)
{
    const struct km_snapshot_args args = snapshot_args(gw, config, 1);
    int r = km_snapshot_new(&args, diags, ret, err);

    if (r == 0)
        km_snapshot_veil(*ret, gw->veil);
    return r;
}

static int make_shared(struct km_gateway *gw, struct km_err *err)
{
    gw->log = km_log_new(STDERR_FILENO, KM_LOG_INFO, KM_LOG_TEXT);
    gw->veil = km_veil_new();
    if (gw->log)
        km_log_set_veil(gw->log, gw->veil);
    gw->events = km_events_new(EVENTS_KEPT);
    gw->metrics = km_metrics_new(gw->nworkers, SERIES_MOST);
    gw->main_mailbox = km_mailbox_new(gw->main, gw, err);
    return gw->log && gw->veil && gw->events && gw->metrics && gw->main_mailbox
               ? 0
               : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* A pipe has been read to its end by the start: to read it again is to wait for a writer. */
static int check_config_file(const struct km_gateway *gw, struct km_err *err)
{
    struct km_err why;

    if (strcmp(gw->config_file, KM_CONFIG_NO_FILE) == 0 ||
        km_file_check(gw->config_file, &why) == 0)
        return 0;
    return km_fail(err, KM_E_CONFIG, "cannot read configuration '%s' again: %s", gw->config_file,
                   why.text);
}

static int load_config(struct km_gateway *gw, struct km_diags *diags, struct km_config **ret,
                       struct km_err *err)
{
    struct km_config_args args = { .file = gw->config_file,
                                   .tables = gw->args->tables,
                                   .flags = gw->args->flags,
                                   .nflags = gw->args->nflags,
                                   .below_name = KM_MCP_ADDED_NAME };
    struct km_buf added KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_ADDED_BYTES * 2);
    int r = check_config_file(gw, err);

    if (r < 0)
        return r;
    if (km_mcp_added_count(gw->mcp_added))
        km_mcp_added_text(gw->mcp_added, &added);
    args.below = km_buf_view(&added);
    r = km_buf_failed(&added) ? km_fail(err, KM_E_NOMEM, "out of memory")
                              : km_config_load(&args, diags, ret, err);
    if (added.n)
        km_wipe(added.p, added.n);
    return r;
}

/* With the servers the store has, too.  Those that cannot be used beside today's file stay there,
 * and keep nothing from starting. */
static int first_with_added(struct km_gateway *gw, struct km_diags *diags, struct km_err *err)
{
    struct km_config *config = NULL;
    struct km_err why = { 0 };
    size_t lost = 0;
    int r = km_mcp_added_load(gw->mcp_added, gw->store, &lost, err);

    if (lost)
        km_log_msg(gw->log, KM_LOG_ERROR, "mcp.added",
                   "%zu added MCP servers were sealed by another key and are left out", lost);
    if (r < 0 || km_mcp_added_count(gw->mcp_added) == 0)
        return r;
    if (load_config(gw, diags, &config, &why) < 0 ||
        build_snapshot(gw, config, diags, &gw->current, &why) < 0)
        km_log_msg(gw->log, KM_LOG_ERROR, "mcp.added", "added MCP servers are left out: %s",
                   why.text);
    km_config_unref(config);
    return 0;
}

static int make_first_snapshot(struct km_gateway *gw, struct km_err *err)
{
    struct km_diags *diags = km_diags_new();
    int r = diags ? first_with_added(gw, diags, err) : km_fail(err, KM_E_NOMEM, "out of memory");

    if (r == 0 && !gw->current)
        r = build_snapshot(gw, (struct km_config *)(uintptr_t)gw->args->config, diags, &gw->current,
                           err);
    if (diags)
        say(gw, diags);
    km_diags_free(diags);
    return r;
}

static int make_mcp(struct km_gateway *gw, struct km_err *err)
{
    const struct km_mcp_upstreams_args args = { .store = gw->store,
                                                .log = gw->log,
                                                .events = gw->events,
                                                .metrics = gw->metrics,
                                                .state_dir = gw->state_dir,
                                                .network = gw->args->network,
                                                .cgroup = gw->memory.base,
                                                .desks = gw->nworkers };
    int r;

    km_cgroup_claim(&gw->memory);
    gw->mcp = km_mcp_upstreams_new(&args, err);
    r = gw->mcp ? km_mcp_upstreams_load(gw->mcp, gw->current->mcp, err) : KM_E_NOMEM;
    if (r == 0)
        km_mcp_upstreams_use(gw->mcp, gw->current->mcp);
    return r;
}

int km_gateway_new(const struct km_gateway_args *args, struct km_loop *main_loop,
                   struct km_gateway **ret_gw, struct km_err *err)
{
    const struct km_gateway_settings *settings =
        km_config_get(args->config, &km_gateway_settings_table);
    struct km_gateway *gw = calloc(1, sizeof *gw);
    int r;

    if (!gw)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    gw->args = args;
    gw->main = main_loop;
    km_gateway_reload_init(gw);
    gw->started_us = km_wall_us();
    snprintf(gw->state_dir, sizeof gw->state_dir, "%s", args->state_dir);
    snprintf(gw->config_file, sizeof gw->config_file, "%.*s",
             KM_STR_ARG(km_config_file(args->config)));
    pthread_mutex_init(&gw->gate.lock, NULL);
    pthread_cond_init(&gw->gate.turned, NULL);
    r = km_gateway_workers(settings, &gw->nworkers, err);
    if (r == 0)
        r = make_shared(gw, err);
    if (r == 0)
        r = km_gateway_open_log(gw, settings, err);
    if (r == 0)
        r = open_store(gw, args->config, err);
    if (r == 0)
        r = make_first_snapshot(gw, err);
    if (r == 0)
        r = make_mcp(gw, err);
    if (r == 0)
        apply_settings(gw);
    gw->workers = r == 0 ? calloc(gw->nworkers, sizeof *gw->workers) : NULL;
    if (r == 0 && !gw->workers)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < gw->nworkers; i++)
        r = km_worker_init(&gw->workers[i], gw, i, err);
    if (r < 0) {
        km_gateway_free(gw);
        return r;
    }
    *ret_gw = gw;
    return 0;
}

static int add_place(struct km_gateway *gw, int fd, struct km_err *err)
{
    union km_addr addr = { 0 };
    char text[KM_ADDR_TEXT] = "", other[KM_ADDR_TEXT];
    int r = km_listen_address(fd, &addr, err);

    if (r == 0)
        km_addr_text(&addr, text);
    for (size_t i = 0; r == 0 && i < gw->nplaces; i++) {
        km_addr_text(&gw->places[i], other);
        if (strcmp(text, other) == 0)
            return 0;
    }
    if (r == 0 && gw->nplaces < KM_LISTEN_MAX)
        gw->places[gw->nplaces++] = addr;
    return r;
}

int km_gateway_listen(struct km_gateway *gw, const int *fds, const size_t *entries, size_t nfds,
                      struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < nfds; i++) {
        size_t turn = 0;

        r = add_place(gw, fds[i], err);
        if (r < 0)
            break;

        for (size_t k = 0; k < i; k++)
            turn += entries[k] == entries[i];
        r = km_worker_listen(&gw->workers[turn % gw->nworkers], fds[i], entries[i], err);
    }
    return r;
}

static void on_control(void *ctx, int fd, const union km_addr *peer)
{
    struct km_worker *w = ctx;
    union km_addr who = { 0 };
    struct km_peer process;

    (void)peer;
    /* Only the user the gateway runs as, and root. */
    if (km_peer_of(fd, &process, NULL) < 0 || (process.uid != geteuid() && process.uid != 0)) {
        close(fd);
        return;
    }
    who.sa.sa_family = AF_UNIX;
    who.in.sin_addr.s_addr = process.uid;
    km_http_server_accept(w->control, fd, &who, NULL);
}

int km_gateway_control(struct km_gateway *gw, int fd, struct km_err *err)
{
    struct km_worker *w = &gw->workers[0];

    if (fd < 0)
        return 0;
    w->control_acceptor = km_acceptor_new(w->loop, fd, on_control, NULL, w, err);
    return w->control_acceptor ? 0 : KM_E_SYSTEM;
}

int km_gateway_start(struct km_gateway *gw, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < gw->nworkers; i++)
        r = km_worker_start(&gw->workers[i], err);
    km_event_add(gw->events, KM_LOG_INFO, "gateway.started", "%zu workers", gw->nworkers);
    return r;
}

int km_gateway_reload(struct km_gateway *gw, struct km_diags *diags, struct km_err *err)
{
    struct km_config *config = NULL;
    struct km_snapshot *snap = NULL;
    struct km_buf names KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    int r = load_config(gw, diags, &config, err);

    if (r == 0) {
        const struct km_judge_args args = {
            .snapshot = snapshot_args(gw, config, gw->current->version + 1),
            .listen = gw->args->listen,
            .running = gw->places,
            .nrunning = gw->nplaces,
        };

        r = km_gateway_judge(&args, diags, &snap, err);
    }
    if (r == 0)
        km_snapshot_veil(snap, gw->veil);
    say(gw, diags);
    if (r < 0) {
        km_config_unref(config);
        km_gateway_reopen_logs(gw);
        km_log_msg(gw->log, KM_LOG_ERROR, "config.rejected", "nothing was changed: %s",
                   err ? err->text : "");
        km_event_add(gw->events, KM_LOG_ERROR, "config.rejected", "%s", err ? err->text : "");
        return r;
    }
    km_gateway_waits(gw, config, &names);
    for (size_t i = 0; i < names.n; i++)
        if (names.p[i] == '\n')
            names.p[i] = ' ';
    if (names.n)
        km_log_msg(gw->log, KM_LOG_WARN, "config.restart", "takes effect after a restart: %s",
                   km_buf_cstr(&names));
    km_config_unref(config);
    km_snapshot_unref(gw->current);
    gw->current = snap;
    apply_settings(gw);
    km_mcp_upstreams_use(gw->mcp, snap->mcp);
    km_gateway_reopen_logs(gw);
    for (size_t i = 0; i < gw->nworkers; i++)
        km_worker_swap(&gw->workers[i], km_snapshot_ref(snap));
    km_log_msg(gw->log, KM_LOG_INFO, "config.reloaded", "version %llu",
               (unsigned long long)snap->version);
    km_event_add(gw->events, KM_LOG_INFO, "config.reloaded", "version %llu",
                 (unsigned long long)snap->version);
    return 0;
}

static void on_stopped_msg(struct km_msg *msg, void *owner)
{
    struct km_gateway *gw = owner;

    (void)msg;
    if (gw->on_stopped && !gw->ending)
        gw->on_stopped(gw->ctx);
}

static void on_quiet_msg(struct km_msg *msg, void *owner)
{
    struct km_gateway *gw = owner;

    (void)msg;
    if (gw->on_quiet && !gw->ending)
        gw->on_quiet(gw->quiet_ctx);
}

void km_gateway_stop(struct km_gateway *gw, void (*pass_on)(void *ctx, int fd),
                     void (*on_stopped)(void *ctx), void *ctx)
{
    gw->on_stopped = on_stopped;
    gw->ctx = ctx;
    gw->stopped.run = on_stopped_msg;
    gw->quiet.run = on_quiet_msg;
    gw->workers_left = gw->accepting = gw->nworkers;
    km_event_add(gw->events, KM_LOG_INFO, "gateway.stopping", "running calls may end");
    for (size_t i = 0; i < gw->nworkers; i++)
        km_worker_drain(&gw->workers[i], pass_on, ctx);
}

void km_gateway_freeze(struct km_gateway *gw)
{
    struct km_gate *gate = &gw->gate;

    pthread_mutex_lock(&gate->lock);
    gate->arrived = 0;
    gate->open = false;
    pthread_mutex_unlock(&gate->lock);
    for (size_t i = 0; i < gw->nworkers; i++)
        km_worker_freeze(&gw->workers[i]);
    pthread_mutex_lock(&gate->lock);
    while (gate->arrived < gw->nworkers)
        pthread_cond_wait(&gate->turned, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

void km_gateway_go_on(struct km_gateway *gw)
{
    pthread_mutex_lock(&gw->gate.lock);
    gw->gate.open = true;
    pthread_cond_broadcast(&gw->gate.turned);
    pthread_mutex_unlock(&gw->gate.lock);
}

void km_gateway_thaw(struct km_gateway *gw)
{
    for (size_t i = 0; i < gw->nworkers; i++)
        km_worker_thaw(&gw->workers[i]);
}

void km_gateway_adopt(struct km_gateway *gw, int fd, const union km_addr *peer)
{
    km_worker_adopt(&gw->workers[gw->adopted++ % gw->nworkers], fd, peer);
}

static void on_ended_msg(struct km_msg *msg, void *owner)
{
    struct km_gateway *gw = owner;

    (void)msg;
    km_loop_stop(gw->main);
}

/* Workers may wait for this thread (a reload that was asked for), so it keeps serving them.  And
 * they may wait for each other, so their loops stop only when all of them are quiet: what one has
 * sent before it was (the cancel of a call at a server of another's) is before `stop` in the
 * other's mailbox. */
static void end_workers(struct km_gateway *gw)
{
    for (size_t i = 0; gw->workers && i < gw->nworkers; i++)
        gw->workers_busy += gw->workers[i].running;
    gw->ended.run = on_ended_msg;
    for (size_t i = 0; gw->workers && i < gw->nworkers; i++)
        if (gw->workers[i].running)
            km_worker_kill(&gw->workers[i]);
    while (gw->workers_busy > 0)
        km_loop_run(gw->main);
    for (size_t i = 0; gw->workers && i < gw->nworkers; i++)
        if (gw->workers[i].running)
            km_worker_stop(&gw->workers[i]);
    for (size_t i = 0; gw->workers && i < gw->nworkers; i++)
        km_worker_done(&gw->workers[i]);
}

struct km_gateway *km_gateway_free(struct km_gateway *gw)
{
    if (!gw)
        return NULL;
    gw->ending = true;
    km_handover_cancel(gw->handover);
    end_workers(gw);
    km_gateway_reload_done(gw);
    free(gw->workers);
    km_mcp_upstreams_free(gw->mcp);
    km_mcp_park_shares_free(gw->mcp_park_shares);
    km_snapshot_unref(gw->current);
    /* In this order nothing is lost: what the one before still sends reaches the store or the
     * one after, and the store's last records reach the one after. */
    km_takeover_stop(gw->takeover);
    gw->store = km_store_close(gw->store);
    km_handover_stop(gw->handover);
    if (gw->main_mailbox)
        km_mailbox_free(gw->main_mailbox); /* what lies in it is of those two */
    km_handover_free(gw->handover);
    km_takeover_free(gw->takeover);
    km_modules_gateway_free(gw);
    km_keys_free(gw->keys);
    km_lane_free(gw->key_changes);
    km_approvals_free(gw->approvals);
    gw->mcp_memory = km_mcp_memory_free(gw->mcp_memory);
    gw->mcp_added = km_mcp_added_free(gw->mcp_added);
    km_metrics_free(gw->metrics);
    km_events_free(gw->events);
    pthread_cond_destroy(&gw->gate.turned);
    pthread_mutex_destroy(&gw->gate.lock);
    km_log_free(gw->log);
    km_veil_free(gw->veil);
    free(gw);
    return NULL;
}

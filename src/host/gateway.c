/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c - what the workers share, and how it starts and stops (load.c: reloads).
 *
 * Start:   store (migrated, books mended) -> keys in memory -> snapshot -> workers -> sockets
 * Stop:    no more connections, running calls end (bounded by drain), the ledger is flushed, the
 *          store closed last.
 */
#include "host/gateway.h"

#include "base/crypto.h"
#include "base/veil.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/added.h"
#include "host/budget.h"
#include "host/handover/handover.h"
#include "host/load.h"
#include "host/module.h"
#include "host/targets.h"
#include "host/worker.h"
#include "policy/account_settings.h"
#include "policy/gate.h"
#include "policy/gateway_budget.h"
#include "policy/key_params.h"
#include "sys/peer.h"

#define EVENTS_KEPT 256
#define SERIES_MOST 20000 /* of metrics; see metric.h for what happens past it */

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

/* The store's rows into memory.  One that does not fit in ends the start: a key that is not there
 * would be refused, and an account that is not there would limit nothing. */
struct loading {
    struct km_gateway *gw;
    int r; /* of the first that failed */
    struct km_err *err;
};

static void put_key(void *ctx, const struct km_key_row *row)
{
    struct loading *l = ctx;

    if (l->r < 0)
        return;
    l->r = km_keys_put(l->gw->keys, row, l->err);
    if (l->r == KM_E_LIMIT)
        km_fail(l->err, l->r,
                "the store has more virtual keys than kanmon_settings.max_keys lets in: raise it, "
                "or start with the old number and delete keys");
}

static void put_account(void *ctx, const struct km_account_row *row)
{
    struct loading *l = ctx;
    struct km_err why = { 0 };

    if (l->r < 0)
        return;
    l->r = km_accounts_put(l->gw->accounts, row, &why);
    if (l->r == KM_E_LIMIT)
        km_fail(l->err, l->r,
                "the store has more accounts (organisations, teams, users, members, customers, "
                "tags, budgets) than kanmon_settings.max_accounts lets in: raise it, or start with "
                "the old number and delete some");
    else if (l->r < 0)
        km_fail(l->err, l->r,
                "the %s '%.*s' of the store has a limit that does not read, and without it there "
                "would be none: %s",
                km_account_words[row->kind].kind, KM_STR_ARG(row->id), why.text);
}

static void put_window(void *ctx, const uint8_t hash[32], int64_t end_us, int64_t spend)
{
    struct km_gateway *gw = ctx;

    km_keys_add_window(gw->keys, hash, end_us, spend);
}

static void put_purse(void *ctx, const struct km_paying *purse, int64_t end_us, int64_t spend)
{
    struct km_gateway *gw = ctx;

    km_accounts_add_window(gw->accounts, purse, end_us, spend);
}

static void define_purses(void *ctx, const struct km_paying *purses, size_t n)
{
    struct km_gateway *gw = ctx;

    km_store_purses_define(gw->store, purses, n);
}

static void put_hold(void *ctx, const struct km_spend_hold *hold)
{
    struct km_gateway *gw = ctx;

    km_keys_hold(gw->keys, hold);
}

static void on_charged(void *ctx, const struct km_open_charge *c)
{
    struct km_gateway *gw = ctx;

    km_keys_charge_open(gw->keys, c);
}

static void on_released(void *ctx, const struct km_spend_hold *hold)
{
    struct km_gateway *gw = ctx;

    km_keys_release(gw->keys, hold);
}

static void on_corrected(void *ctx, const struct km_correction *c)
{
    struct km_gateway *gw = ctx;

    km_keys_correct(gw->keys, c);
}

static int load_keys(struct km_gateway *gw, const struct km_config *config, struct km_err *err)
{
    struct loading loading = { .gw = gw, .err = err };
    int r = km_key_params_check(config, err);

    if (r == 0)
        r = km_store_accounts(gw->store, put_account, &loading, err);
    if (r == 0)
        r = loading.r;
    if (r == 0)
        r = km_accounts_declare(gw->accounts, km_config_get(config, &km_account_settings_table),
                                err);
    if (r == 0)
        r = km_targets_declare(gw, gw->current->models, true, err);
    if (r == 0)
        r = km_store_keys(gw->store, put_key, &loading, err);
    if (r == 0)
        r = loading.r;
    if (r == 0)
        r = km_accounts_check_budgets(gw->accounts, err);
    if (r == 0)
        r = km_store_windows(gw->store, put_window, gw, err);
    if (r == 0)
        r = km_store_purses(gw->store, put_purse, gw, err);
    if (r == 0)
        r = km_gateway_open_budget(gw, config, err);
    if (r == 0)
        r = km_store_holds(gw->store, put_hold, gw, err);
    if (r < 0)
        return r;
    km_accounts_tell(gw->accounts, define_purses, gw);
    gw->books = (struct km_store_books){ gw, on_charged, on_released, on_corrected };
    km_store_use_books(gw->store, &gw->books);
    km_store_loaded(gw->store);
    return 0;
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
    gw->paces = km_paces_new();
    gw->gates = km_gates_new();
    if (r == 0 && (!gw->paces || !gw->gates))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    gw->keys = r == 0 ? km_keys_new((size_t)keys->max_keys) : NULL;
    gw->accounts = r == 0 ? km_accounts_new((size_t)keys->max_accounts) : NULL;
    gw->mcp_added = km_added_new(&km_added_servers);
    gw->models_added = km_added_new(&km_added_models);
    if (r == 0 && (!gw->keys || !gw->accounts || !gw->mcp_added || !gw->models_added))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0) {
        km_keys_use_accounts(gw->keys, gw->accounts);
        r = km_gateway_load_first(gw, err); /* its models say who has a budget */
    }
    if (r == 0)
        r = load_keys(gw, config, err);
    if (r == 0)
        r = km_modules_gateway_init(gw, err);
    if (r == 0 && gw->args->takeover)
        r = km_keys_import(gw->keys, km_takeover_keys(gw->args->takeover), err);
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
        r = make_mcp(gw, err);
    if (r == 0)
        km_gateway_apply(gw);
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
    km_accounts_free(gw->accounts);
    km_gateway_budget_free(gw->budget);
    km_paces_free(gw->paces);
    km_gates_free(gw->gates);
    gw->mcp_added = km_added_free(gw->mcp_added);
    gw->models_added = km_added_free(gw->models_added);
    km_metrics_free(gw->metrics);
    km_events_free(gw->events);
    pthread_cond_destroy(&gw->gate.turned);
    pthread_mutex_destroy(&gw->gate.lock);
    km_log_free(gw->log);
    km_veil_free(gw->veil);
    free(gw);
    return NULL;
}

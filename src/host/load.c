/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - from the file to the configuration in force: at the start, and at each reload.
 *
 *     file, what was added (added.h) ──> configuration ──> judged ──> snapshot ──> in force
 *
 * A reload builds a new snapshot beside the old one; only when that worked do the workers get it.
 * A file with an error changes nothing.  At the start the file has been judged already; servers
 * and models that were added to it earlier and do not fit today's are left out, one by one, and it
 * starts without them.
 */
#include "host/load.h"

#include <limits.h>
#include <stdio.h>

#include "base/crypto.h"
#include "host/added.h"
#include "host/judge.h"
#include "host/targets.h"
#include "host/worker.h"
#include "sys/read_file.h"

#define PLACE_BYTES 4160 /* of a path with its line and column */

void km_gateway_apply(struct km_gateway *gw)
{
    const struct km_snapshot *s = gw->current;
    const struct km_litellm_router_logging *router;
    const struct km_litellm_logging *old;
    int64_t level, format;

    km_assert(s);
    old = km_config_get(s->config, &km_litellm_logging_table);
    router = km_config_get(s->config, &km_litellm_router_logging_table);
    level = old->set_verbose || router->set_verbose ? KM_LOG_DEBUG : s->gateway->log_level;
    format = old->json_logs ? KM_LOG_JSON : s->gateway->log_format;
    gw->bodies.limit = km_body_budget_limit(s->http);
    km_log_set_level(gw->log, (enum km_log_level)level);
    km_log_set_format(gw->log, (enum km_log_format)format);
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
                                      .paces = gw->paces,
                                      .gates = gw->gates,
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
                                   .nflags = gw->args->nflags };
    const struct km_added *lists[KM_CONFIG_BELOW] = { gw->mcp_added, gw->models_added };
    struct km_buf texts[KM_CONFIG_BELOW];
    int r = check_config_file(gw, err);

    for (size_t i = 0; i < KM_CONFIG_BELOW; i++) {
        const struct km_added_sort *sort = km_added_sort_of(lists[i]);

        km_buf_init(&texts[i], sort->bytes * 2);
        km_added_text(lists[i], &texts[i]);
        args.below[i] = (struct km_config_below){ sort->place, km_buf_view(&texts[i]) };
        if (r == 0 && km_buf_failed(&texts[i]))
            r = km_fail(err, KM_E_NOMEM, "out of memory");
    }
    if (r == 0)
        r = km_config_load(&args, diags, ret, err);
    for (size_t i = 0; i < KM_CONFIG_BELOW; i++) {
        if (texts[i].n)
            km_wipe(texts[i].p, texts[i].n);
        km_buf_done(&texts[i]);
    }
    return r;
}

/* --- what was added, at the start --- */

static int load_added(struct km_gateway *gw, struct km_added *list,
                      int (*load)(struct km_added *a, struct km_store *store, size_t *ret_lost,
                                  struct km_err *err),
                      struct km_err *err)
{
    const struct km_added_sort *sort = km_added_sort_of(list);
    size_t lost = 0;
    int r = load(list, gw->store, &lost, err);

    if (lost)
        km_log_msg(gw->log, KM_LOG_ERROR, sort->event,
                   "%zu %s were sealed by another key and are left out", lost, sort->what);
    return r;
}

/* The entry that an error is about.  False: none. */
static bool leave_out(struct km_gateway *gw, struct km_added *list, const struct km_diag *d)
{
    const struct km_added_sort *sort = km_added_sort_of(list);
    struct km_str name = KM_STR_NONE;

    if (d->line && km_str_eq(d->file, km_str_c(sort->place)))
        name = km_added_leave_out(list, d->line);
    if (name.n)
        km_log_msg(gw->log, KM_LOG_ERROR, sort->event, "'%.*s' is left out: %.*s", KM_STR_ARG(name),
                   KM_STR_ARG(d->message));
    return name.n > 0;
}

/* Lines are those of the text that was read, so those behind are looked at first. */
static bool leave_out_wrong(struct km_gateway *gw, const struct km_diags *diags)
{
    const size_t n = km_diags_count(diags, KM_DIAG_WARNING) + km_diags_count(diags, KM_DIAG_ERROR);
    unsigned below = UINT_MAX;
    bool any = false;

    for (;;) {
        const struct km_diag *last = NULL;

        for (size_t i = 0; i < n; i++) {
            const struct km_diag *d = km_diags_at(diags, i);

            if (d && d->level == KM_DIAG_ERROR && d->line < below &&
                (!last || d->line > last->line))
                last = d;
        }
        if (!last)
            return any;
        below = last->line;
        any = leave_out(gw, gw->mcp_added, last) || leave_out(gw, gw->models_added, last) || any;
    }
}

/* One try.  On failure what it is about is left out: false, try again; or all is. */
static bool try_with_added(struct km_gateway *gw)
{
    struct km_diags *tried = km_diags_new();
    struct km_config *config = NULL;
    struct km_err why = { 0 };
    bool done;

    done = tried && load_config(gw, tried, &config, &why) == 0 &&
           build_snapshot(gw, config, tried, &gw->current, &why) == 0;
    km_config_unref(config);
    if (done) {
        say(gw, tried);
    } else if (!tried || !leave_out_wrong(gw, tried)) {
        (void)km_added_leave_out(gw->mcp_added, 0);
        (void)km_added_leave_out(gw->models_added, 0);
        km_log_msg(gw->log, KM_LOG_ERROR, "config",
                   "MCP servers and models that were added are left out: %s", why.text);
        done = true;
    }
    km_diags_free(tried);
    return done;
}

/* With what the store has, too.  What cannot be used beside today's file stays there, and keeps
 * nothing from starting. */
static int first_with_added(struct km_gateway *gw, struct km_err *err)
{
    int r = load_added(gw, gw->mcp_added, km_added_load_servers, err);

    if (r == 0)
        r = load_added(gw, gw->models_added, km_added_load_models, err);
    if (r < 0 || km_added_count(gw->mcp_added) + km_added_count(gw->models_added) == 0)
        return r;
    while (!try_with_added(gw))
        ;
    return 0;
}

int km_gateway_load_first(struct km_gateway *gw, struct km_err *err)
{
    struct km_diags *diags = km_diags_new();
    int r = diags ? first_with_added(gw, err) : km_fail(err, KM_E_NOMEM, "out of memory");

    if (r == 0 && !gw->current)
        r = build_snapshot(gw, (struct km_config *)(uintptr_t)gw->args->config, diags, &gw->current,
                           err);
    if (diags)
        say(gw, diags);
    km_diags_free(diags);
    return r;
}

int km_gateway_reload(struct km_gateway *gw, struct km_diags *diags, struct km_err *err)
{
    struct km_config *config = NULL;
    struct km_snapshot *snap = NULL;
    struct km_err why = { 0 };
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
    if (km_targets_declare(gw, snap->models, false, &why) < 0)
        km_log_msg(gw->log, KM_LOG_ERROR, "config.budgets", "some budgets do not hold: %s",
                   why.text);
    km_snapshot_unref(gw->current);
    gw->current = snap;
    km_gateway_apply(gw);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* refresh.c - asks a server for all it offers, and puts that in place of what was known (desk.h).
 *
 *     server/discover (or what initialize said) -> each list its capabilities name, page by page
 *         -> a new catalogue -> desks are told of the lists that differ -> the store
 *
 * One runs for an upstream and an asker at a time (upstream/live.h marks it).  When it fails the
 * last good catalogue stays, and the upstream's state says why.
 */
#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/catalogue/catalogue.h"
#include "mcp/desk.h"

#define LIST_MS 60000 /* without a word, for one page */
#define ASKER_BYTES ((size_t)1024 * 1024)

struct km_refresh_lists {
    struct km_list link; /* of the desk */
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream;
    uint8_t key[KM_MCP_KEY];
    struct km_arena arena;
    struct km_mcp_asker asker;
    struct km_mcp_catalogue *catalogue; /* being made */
    struct km_mcp_ask *ask; /* NULL: between two */
    int list; /* -1: hello */
    unsigned pages;
    struct km_str cursor;
    struct km_timer timer; /* to begin, or to begin anew */
};

static void next(struct km_refresh_lists *r);

static void refresh_free(struct km_refresh_lists *r)
{
    km_timer_stop(&r->timer);
    if (r->ask)
        km_mcp_ask_forget(r->ask);
    km_list_remove(&r->link);
    km_mcp_catalogue_unref(r->catalogue);
    km_mcp_upstream_unref(r->upstream);
    km_arena_done(&r->arena);
    free(r);
}

/* c NULL: it could not be had. */
static void over(struct km_refresh_lists *r, struct km_mcp_catalogue *c)
{
    struct km_mcp_desk *d = r->desk;
    unsigned changed;
    bool ended = km_mcp_live_refreshed(r->upstream->live, r->key, c, &changed);

    km_desks_changed(d->ups, r->upstream, changed, true,
                     km_asker_by_login(r->upstream->entry) ? r->asker.principal : KM_STR_NONE);
    if (c)
        km_catalogue_keep(d, r->upstream, r->key, changed != 0);
    if (ended || d->ending) {
        refresh_free(r);
        return;
    }
    km_timer_start(&r->timer, 250);
}

static void failed(struct km_refresh_lists *r, const struct km_err *err)
{
    struct km_mcp_status now;

    r->catalogue = km_mcp_catalogue_unref(r->catalogue);
    km_mcp_status(r->upstream, &now);
    if (r->upstream->personal && err->code == KM_E_UNAUTHENTICATED)
        now.state = KM_MCP_STOPPED; /* one asker's log-in is over: no word about the server */
    if (now.state == KM_MCP_READY) /* it answers, but not this */
        km_desk_state(r->desk, r->upstream, KM_MCP_DEGRADED, err->text);
    over(r, NULL);
}

static void on_page(struct km_refresh_lists *r, struct km_str json)
{
    struct km_err err = { 0 };
    int e;

    if (r->list < 0) {
        e = km_catalogue_hello(r->catalogue, km_mcp_live_revision(r->upstream->live), json, &err);
        r->catalogue->headers = r->upstream->transport != KM_MCP_STDIO && r->catalogue->revision &&
                                r->catalogue->revision->era == KM_MCP_STATELESS;
    } else {
        e = km_catalogue_page(r->catalogue, (enum km_mcp_list)r->list, json, &r->cursor, &err);
        if (e == 0 && r->cursor.n && ++r->pages >= KM_CATALOGUE_PAGES)
            e = km_fail(&err, KM_E_LIMIT, "a list has over %d pages", KM_CATALOGUE_PAGES);
    }
    if (e < 0) {
        failed(r, &err);
        return;
    }
    if (!r->cursor.n)
        r->list++;
    next(r);
}

static void on_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_refresh_lists *r = ctx;
    struct km_err err;

    r->ask = NULL;
    if (answer->kind == KM_MCP_RESULT) {
        on_page(r, answer->json);
        return;
    }
    if (answer->kind == KM_MCP_ERROR && r->list >= 0) { /* it does not have that list after all */
        r->cursor = KM_STR_NONE;
        r->list++;
        next(r);
        return;
    }
    km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "it does not say what it offers: %.*s",
            KM_STR_ARG(km_str_sub(answer->json, 0, 200)));
    failed(r, answer->err ? answer->err : &err);
}

static void ask(struct km_refresh_lists *r, struct km_str method, struct km_str params)
{
    static const struct km_mcp_ask_events events = { .on_done = on_done };
    const struct km_mcp_ask_args args = { .upstream = r->upstream,
                                          .asker = &r->asker,
                                          .method = method,
                                          .params = params,
                                          .timeout_ms = LIST_MS,
                                          .events = &events,
                                          .ctx = r };
    struct km_err err = { 0 };

    r->ask = km_mcp_ask(r->desk, &args, &err);
    if (!r->ask)
        failed(r, &err);
}

static void finish(struct km_refresh_lists *r)
{
    struct km_mcp_catalogue *c = r->catalogue;
    struct km_err err = { 0 };

    if (km_catalogue_finish(c, &err) < 0) {
        failed(r, &err);
        return;
    }
    r->catalogue = NULL;
    km_catalogue_look(r->desk->ups, r->upstream, c, r->desk->index, r->key);
    km_desk_ok(r->desk, r->upstream);
    over(r, c);
}

static void next(struct km_refresh_lists *r)
{
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);

    while (r->list >= 0 && r->list < KM_MCP_LISTS && !r->cursor.n &&
           !km_catalogue_has(r->catalogue, (enum km_mcp_list)r->list))
        r->list++;
    if (r->list == KM_MCP_LISTS) {
        finish(r);
        return;
    }
    if (!r->cursor.n)
        r->pages = 0;
    if (r->cursor.n) {
        km_buf_str(&params, KM_STR("{\"cursor\":"));
        km_buf_json(&params, r->cursor);
        km_buf_byte(&params, '}');
    }
    ask(r,
        r->list < 0 ? KM_STR("server/discover")
                    : km_str_c(km_mcp_list_method((enum km_mcp_list)r->list)),
        km_buf_view(&params));
}

static void on_begin(void *ctx)
{
    struct km_refresh_lists *r = ctx;

    r->catalogue = km_catalogue_new();
    r->list = -1;
    r->cursor = KM_STR_NONE;
    if (r->catalogue)
        next(r);
    else
        over(r, NULL);
}

void km_refresh_begin(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                      const struct km_mcp_asker *asker, const uint8_t key[KM_MCP_KEY],
                      uint64_t after_ms)
{
    struct km_refresh_lists *r = calloc(1, sizeof *r);
    unsigned changed;

    if (!r) {
        (void)km_mcp_live_refreshed(u->live, key, NULL, &changed);
        return;
    }
    r->desk = d;
    r->upstream = km_mcp_upstream_ref(u);
    memcpy(r->key, key, KM_MCP_KEY);
    km_arena_init(&r->arena, ASKER_BYTES, NULL);
    km_timer_init(&r->timer, d->loop, on_begin, r);
    km_list_push(&d->refreshes, &r->link);
    if (d->ending || km_asker_copy(asker, &r->arena, &r->asker) < 0)
        over(r, NULL);
    else
        km_timer_start(&r->timer, after_ms);
}

void km_refresh_end_all(struct km_mcp_desk *d)
{
    struct km_list *node;
    unsigned changed;

    while ((node = km_list_pop(&d->refreshes)) != NULL) {
        struct km_refresh_lists *r = KM_CONTAINER(node, struct km_refresh_lists, link);

        (void)km_mcp_live_refreshed(r->upstream->live, r->key, NULL, &changed);
        refresh_free(r);
    }
}

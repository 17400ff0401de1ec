/* SPDX-License-Identifier: Apache-2.0 */
/* refresh.c - asks a server for all it offers, and puts that in place of what was known (desk.h).
 *
 *     server/discover (or what initialize said) -> each list its capabilities name, page by page
 *         -> a new catalogue -> desks are told of the lists that differ -> the store
 *
 * One runs for an upstream and an asker at a time (upstream/live.h marks it).  A list that cannot
 * be had is as it was, with the reason (catalogue/listing.h); the others are as they are now.
 * Where not even that could be found out the last catalogue stays, and the upstream's state says
 * why.
 *
 * It runs in a session without client capabilities, which is begun for it; and in each session that
 * declares some, which is there for a client's calls, to see whether that lists something else.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "mcp/asker.h"
#include "mcp/catalogue/catalogue.h"
#include "mcp/desk.h"

#define LIST_MS 60000 /* without a word, for one page; at most as long as any request may take */
#define PAUSE_MS 250 /* a server often says several times that a list has changed */
#define NO_METHOD (-32601)
#define WHY_BYTES 256
#define ASKER_BYTES ((size_t)1024 * 1024)

struct km_refresh_lists {
    struct km_list link; /* of the desk */
    struct km_mcp_desk *desk;
    struct km_mcp_upstream *upstream;
    uint8_t key[KM_MCP_KEY];
    struct km_arena arena;
    struct km_mcp_asker asker;
    bool own, standing; /* as of struct km_refresh_args */
    struct km_mcp_catalogue *before; /* in force when it began; NULL: it has not */
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
    km_mcp_catalogue_unref(r->before);
    km_mcp_upstream_unref(r->upstream);
    km_arena_done(&r->arena);
    free(r);
}

/* A list could not be had: the state says which, and why. */
static void tell_failing(struct km_refresh_lists *r, const struct km_mcp_catalogue *c)
{
    const enum km_mcp_list list = km_mcp_catalogue_failing(c);
    const struct km_mcp_listing *l = &c->lists[list];
    struct km_mcp_status now;
    char text[WHY_BYTES + 64];

    km_mcp_status(r->upstream, &now);
    if (now.state == KM_MCP_DOWN || now.state == KM_MCP_STOPPED)
        return; /* that is why */
    snprintf(text, sizeof text, "%s: %.*s%s", km_mcp_list_method(list), KM_STR_ARG(l->why),
             l->known == KM_MCP_LIST_STALE ? "; what it listed before stays" : "");
    km_desk_state(r->desk, r->upstream, KM_MCP_DEGRADED, text);
}

/* c NULL: it could not be had. */
static void over(struct km_refresh_lists *r, struct km_mcp_catalogue *c)
{
    struct km_mcp_desk *d = r->desk;
    struct km_mcp_catalogue *kept = c ? km_mcp_catalogue_ref(c) : NULL;
    unsigned changed;
    bool ended = km_mcp_live_refreshed(r->upstream->live, r->key, c, &changed);

    if (kept && km_mcp_plain(r->key)) { /* what others are shown is no word about the server */
        if (km_mcp_catalogue_failing(kept) == KM_MCP_LISTS)
            km_desk_ok(d, r->upstream);
        else
            tell_failing(r, kept);
    }
    km_mcp_catalogue_unref(kept);
    r->before = km_mcp_catalogue_unref(r->before);
    km_desks_changed(d->ups, r->upstream, changed, true,
                     km_asker_by_login(r->upstream->entry) ? r->asker.principal : KM_STR_NONE);
    if (changed && !r->own)
        km_desks_own_again(d->ups, r->upstream);
    if (c)
        km_catalogue_keep(d, r->upstream, r->key, changed != 0);
    if (ended || d->ending) {
        refresh_free(r);
        return;
    }
    km_timer_start(&r->timer, 250);
}

/* Nothing was learnt of it, and nothing is said of its server. */
static void leave(struct km_refresh_lists *r)
{
    r->catalogue = km_mcp_catalogue_unref(r->catalogue);
    over(r, NULL);
}

/* Its server said nothing of itself, or it could not be asked. */
static void failed(struct km_refresh_lists *r, const struct km_err *err)
{
    struct km_mcp_status now;

    km_mcp_status(r->upstream, &now);
    /* It answers, but not this; what one asker meets is no word about the server (over()). */
    if (now.state == KM_MCP_READY && !r->own && km_mcp_plain(r->key) && err->code != KM_E_CANCELED)
        km_desk_state(r->desk, r->upstream, KM_MCP_DEGRADED, err->text);
    leave(r);
}

static void settle(struct km_refresh_lists *r, enum km_listing_word word, struct km_str why)
{
    km_catalogue_settle(r->catalogue, (enum km_mcp_list)r->list, r->before, word, why);
    r->cursor = KM_STR_NONE;
    r->list++;
}

/* The server's words for it on one line, and its number. */
static struct km_str reason_of(const struct km_json *error, int64_t *ret_code, char text[WHY_BYTES])
{
    struct km_str message = KM_STR("an error");

    *ret_code = 0;
    (void)km_json_i64(km_json_get(error, "code"), ret_code);
    (void)km_json_string(km_json_get(error, "message"), &message);
    snprintf(text, WHY_BYTES, "%.*s (%lld)", KM_STR_ARG(km_utf8_cut(message, 160)),
             (long long)*ret_code);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    return km_str_c(text);
}

/* It gave an error in place of the list. */
static void refused(struct km_refresh_lists *r, struct km_str json)
{
    const struct km_json *error = NULL;
    struct km_arena arena;
    struct km_str why;
    char text[WHY_BYTES];
    int64_t code;

    km_arena_init(&arena, (size_t)1024 * 1024, NULL);
    if (km_json_parse_answer(&arena, json, &error, NULL) < 0)
        error = NULL;
    why = reason_of(error, &code, text);
    settle(r, code == NO_METHOD ? KM_LISTING_NO_METHOD : KM_LISTING_FAILURE, why);
    km_arena_done(&arena);
    next(r);
}

/* The session broke, or it does not answer: what comes behind this list is not asked for. */
static void gave_up(struct km_refresh_lists *r, const struct km_err *err)
{
    settle(r, KM_LISTING_FAILURE, km_str_c(err->text));
    while (r->list < KM_MCP_LISTS)
        settle(r, KM_LISTING_NOT_ASKED, KM_STR_NONE);
    next(r);
}

static void on_hello(struct km_refresh_lists *r, const struct km_mcp_answer *answer)
{
    /* Of a server that speaks both eras this session has its own. */
    const struct km_mcp_revision *spoken =
        answer->revision ? answer->revision : km_mcp_live_revision(r->upstream->live);
    struct km_mcp_catalogue *c = r->catalogue;
    struct km_err err = { 0 };

    if (km_catalogue_hello(c, spoken, answer->json, &err) < 0) {
        failed(r, &err);
        return;
    }
    c->headers = r->upstream->transport != KM_MCP_STDIO && c->revision &&
                 c->revision->era == KM_MCP_STATELESS;
    r->list = 0;
    next(r);
}

static void on_page(struct km_refresh_lists *r, struct km_str json)
{
    struct km_err err = { 0 };
    int e = km_catalogue_page(r->catalogue, (enum km_mcp_list)r->list, json, &r->cursor, &err);

    if (e == 0 && r->cursor.n && ++r->pages >= KM_CATALOGUE_PAGES)
        e = km_fail(&err, KM_E_LIMIT, "a list has over %d pages", KM_CATALOGUE_PAGES);
    if (e < 0)
        settle(r, KM_LISTING_FAILURE, km_str_c(err.text));
    else if (!r->cursor.n)
        settle(r, KM_LISTING_RESULT, KM_STR_NONE);
    next(r);
}

static void on_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_refresh_lists *r = ctx;
    struct km_err err;

    r->ask = NULL;
    if (answer->kind == KM_MCP_RESULT && r->list < 0) {
        on_hello(r, answer);
    } else if (answer->kind == KM_MCP_RESULT) {
        on_page(r, answer->json);
    } else if (answer->kind == KM_MCP_ERROR && r->list >= 0) {
        refused(r, answer->json);
    } else {
        km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "it does not say what it offers: %.*s",
                KM_STR_ARG(km_str_sub(answer->json, 0, 200)));
        if (answer->err)
            err = *answer->err;
        if (answer->unproved)
            leave(r);
        else if (r->list < 0 || err.code == KM_E_CANCELED || err.code == KM_E_UNAUTHENTICATED)
            failed(r, &err);
        else
            gave_up(r, &err);
    }
}

static void ask(struct km_refresh_lists *r, struct km_str method, struct km_str params)
{
    static const struct km_mcp_ask_events events = { .on_done = on_done };
    const uint64_t most = (uint64_t)r->upstream->entry->timeout_ms;
    const struct km_mcp_ask_args args = { .upstream = r->upstream,
                                          .asker = &r->asker,
                                          .method = method,
                                          .params = params,
                                          .timeout_ms = most && most < LIST_MS ? most : LIST_MS,
                                          .standing = r->standing,
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
    km_catalogue_look(r->desk->ups, r->upstream, c, r->desk->index, r->key,
                      r->own ? r->asker.capabilities : KM_STR_NONE);
    over(r, c);
}

static void next(struct km_refresh_lists *r)
{
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);

    while (r->list >= 0 && r->list < KM_MCP_LISTS && !r->cursor.n &&
           !km_catalogue_has(r->catalogue, (enum km_mcp_list)r->list))
        settle(r, KM_LISTING_NOT_DECLARED, KM_STR_NONE);
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

/* What its askers are shown at this moment. */
static struct km_mcp_catalogue *in_force(struct km_refresh_lists *r)
{
    uint8_t own[KM_MCP_KEY], base[KM_MCP_KEY];
    struct km_err err;

    if (!r->own || km_asker_list_keys(r->upstream, &r->asker, own, base, &err) < 0)
        return km_mcp_live_catalogue(r->upstream->live, r->key, NULL);
    return km_mcp_live_shown(r->upstream->live, own, base, NULL);
}

static void on_begin(void *ctx)
{
    struct km_refresh_lists *r = ctx;

    r->before = in_force(r);
    r->catalogue = km_catalogue_new();
    r->list = -1;
    r->cursor = KM_STR_NONE;
    if (r->catalogue)
        next(r);
    else
        over(r, NULL);
}

void km_refresh_begin(struct km_mcp_desk *d, const struct km_refresh_args *args)
{
    struct km_mcp_asker base = km_asker_base(args->asker);
    struct km_refresh_lists *r = calloc(1, sizeof *r);
    unsigned changed;

    if (!r) {
        (void)km_mcp_live_refreshed(args->upstream->live, args->key, NULL, &changed);
        return;
    }
    r->desk = d;
    r->upstream = km_mcp_upstream_ref(args->upstream);
    r->own = args->own;
    r->standing = args->standing;
    memcpy(r->key, args->key, KM_MCP_KEY);
    km_arena_init(&r->arena, ASKER_BYTES, NULL);
    km_timer_init(&r->timer, d->loop, on_begin, r);
    km_list_push(&d->refreshes, &r->link);
    if (d->ending || km_asker_copy(args->own ? args->asker : &base, &r->arena, &r->asker) < 0)
        over(r, NULL);
    else
        km_timer_start(&r->timer, args->after_ms);
}

/* --- sessions that are there --- */

/* A client's session of its own at a `stateful` server, which is not asked for what all see. */
static bool is_private(const struct km_remote *p)
{
    return !km_remote_declares(p) && memcmp(p->key, p->base, KM_MCP_KEY) != 0;
}

static void begin_of(struct km_remote *p, uint64_t after_ms, bool again)
{
    const struct km_refresh_args args = { .upstream = p->upstream,
                                          .asker = &p->asker,
                                          .key = p->own,
                                          .own = km_remote_declares(p),
                                          .standing = true,
                                          .after_ms = after_ms };

    if (!is_private(p) && !p->upstream->live->gone &&
        km_mcp_live_begin(p->upstream->live, p->own, p->base, again))
        km_refresh_begin(p->desk, &args);
}

static bool is_only_one(const struct km_remote *p)
{
    KM_LIST_EACH(it, &p->desk->remotes)
    {
        const struct km_remote *q = KM_CONTAINER(it, struct km_remote, link);

        if (q != p && q->upstream == p->upstream && q->state == KM_REMOTE_READY &&
            memcmp(q->key, p->key, KM_MCP_KEY) == 0)
            return false;
    }
    return true;
}

void km_refresh_ready(struct km_remote *p)
{
    const struct km_mcp_upstream *u = p->upstream;

    if (km_remote_declares(p) ? u->entry->stateful && km_mcp_live_heard_own(u->live, p->own)
                              : u->builtin || u->openapi || !km_desk_home(p->desk, u))
        return; /* it says itself when it has others */
    if (is_only_one(p))
        begin_of(p, 0, false);
}

void km_refresh_changed(struct km_remote *p)
{
    begin_of(p, PAUSE_MS, true);
}

void km_refresh_own_all(struct km_mcp_desk *d, struct km_mcp_upstream *u)
{
    KM_LIST_EACH(it, &d->remotes)
    {
        struct km_remote *p = KM_CONTAINER(it, struct km_remote, link);

        if (p->upstream == u && p->state == KM_REMOTE_READY && km_remote_declares(p))
            begin_of(p, 0, true);
    }
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

/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - the gateway's own controls, for the command line and for those who hold the
 * master key.
 *
 * Reloading belongs to the main thread: a request for it travels there by message with the
 * request that waits for it, and back with what there is to say.
 */
#include "admin/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/lines.h"
#include "door/reply.h"
#include "http/json_out.h"
#include "ops/breakers.h"
#include "ops/budgets.h"

#define SAID_BYTES (4 * 1024 * 1024)
#define WAITS_BYTES (64 * 1024)
#define PLACE_BYTES (128 * 1024)
#define BUDGET_BYTES (8 * 1024)
#define LEFT_ALONE_BYTES (KM_BREAKERS_SHOWN * 2048)
#define PRICES_BYTES (64 * 1024 * 1024)
#define EVENTS_MOST 200

/* --- which gateway it is, in every answer --- */

static void put_waits(const struct km_gateway *gw, const struct km_config *config,
                      struct km_json_out *o)
{
    struct km_buf waits KM_CLEANUP(km_buf_done) = KM_BUF(WAITS_BYTES);
    struct km_str lines, name;

    km_gateway_waits(gw, config, &waits);
    lines = km_buf_view(&waits);
    km_out_key(o, "waits_for_restart");
    km_out_open(o, '[');
    while (km_str_split(&lines, '\n', &name))
        if (name.n)
            km_out_str(o, name);
    km_out_close(o, ']');
}

/* Members of an object that is begun.  config: the one in force. */
static void put_place(const struct km_gateway *gw, const struct km_config *config,
                      struct km_json_out *o)
{
    char text[KM_ADDR_TEXT];

    km_out_member_i64(o, "pid", getpid());
    km_out_member(o, "config", km_str_c(gw->args->config_path));
    km_out_member(o, "state_dir", km_str_c(gw->state_dir));
    km_out_key(o, "listen");
    km_out_open(o, '[');
    for (size_t i = 0; i < gw->nplaces; i++) {
        km_addr_text(&gw->places[i], text);
        km_out_cstr(o, text);
    }
    km_out_close(o, ']');
    put_waits(gw, config, o);
}

/* --- reload --- */

struct reload {
    struct km_msg msg;
    struct km_reload wish;
    struct km_admin *a;
    struct km_buf reply;
    int result;
};

static void on_reloaded(struct km_msg *msg, void *owner)
{
    struct reload *r = (struct reload *)msg;

    (void)owner;
    km_admin_json(r->a, r->result < 0 ? 400 : 200, km_buf_view(&r->reply));
    km_buf_done(&r->reply);
    free(r);
}

/* Main thread. */
static void on_read_anew(struct km_reload *wish, int result, uint64_t version,
                         const struct km_diags *diags, const struct km_err *err)
{
    struct km_buf said KM_CLEANUP(km_buf_done) = KM_BUF(SAID_BYTES);
    struct reload *r = KM_CONTAINER(wish, struct reload, wish);
    const struct km_gateway *gw = r->a->v->w->gw;
    struct km_json_out o;

    r->result = result;
    km_json_out_init(&o, &r->reply);
    km_out_open(&o, '{');
    km_out_key(&o, "reloaded");
    km_out_bool(&o, result == 0);
    km_out_member_i64(&o, "version", (int64_t)version);
    km_out_key(&o, "error");
    if (result < 0)
        km_out_cstr(&o, err->text);
    else
        km_out_null(&o);
    if (diags)
        km_diags_json(diags, &said);
    km_out_member_raw(&o, "problems", said.n ? km_buf_view(&said) : KM_STR("[]"));
    put_place(gw, gw->current->config, &o);
    km_out_close(&o, '}');
    r->msg.run = on_reloaded;
    km_mailbox_post(r->a->v->w->mailbox, &r->msg);
}

/* Main thread. */
static void do_reload(struct km_msg *msg, void *owner)
{
    struct reload *r = (struct reload *)msg;

    r->wish.done = on_read_anew;
    km_gateway_reload_soon(owner, &r->wish);
}

static int reload(struct km_admin *a, struct km_err *err)
{
    struct reload *r = calloc(1, sizeof *r);

    if (!r)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    r->a = a;
    r->msg.run = do_reload;
    km_buf_init(&r->reply, SAID_BYTES + PLACE_BYTES);
    km_mailbox_post(a->v->w->gw->main_mailbox, &r->msg);
    return 0;
}

/* --- status --- */

/* The member "store_fault": null while all is well. */
static void put_store_fault(const struct km_gateway *gw, struct km_json_out *o)
{
    char since[KM_TIME_ISO_LEN + 1];
    struct km_store_health h;

    km_store_health(gw->store, &h);
    km_out_key(o, "store_fault");
    if (h.since_us == 0) {
        km_out_null(o);
        return;
    }
    km_time_iso(h.since_us, since);
    km_out_open(o, '{');
    km_out_member(o, "kind", km_str_c(h.name));
    km_out_member(o, "since", km_str_c(since));
    km_out_member(o, "why", km_str_c(h.text));
    km_out_member(o, "refuses",
                  h.refusing            ? KM_STR("all calls")
                  : h.refusing_budgeted ? KM_STR("calls of keys with a budget")
                                        : KM_STR("none"));
    km_out_member_i64(o, "refused", (int64_t)h.refused);
    km_out_member_i64(o, "spilled_bytes", (int64_t)h.spilled_bytes);
    km_out_close(o, '}');
}

static void put_memory(const struct km_gateway *gw, struct km_json_out *o)
{
    km_out_key(o, "memory_limits");
    km_out_open(o, '{');
    km_out_member(o, "by", gw->memory.base[0] ? KM_STR("cgroup") : KM_STR("sampling"));
    km_out_member(o, "where", km_str_c(gw->memory.base));
    km_out_member(o, "why", km_str_c(gw->memory.why));
    km_out_close(o, '}');
}

static int status(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) =
        KM_BUF(PLACE_BYTES * 2 + LEFT_ALONE_BYTES + BUDGET_BYTES + KM_LINES_BYTES);
    const struct km_gateway *gw = a->v->w->gw;
    const struct km_snapshot *snap = a->v->view->snap;
    char started[KM_TIME_ISO_LEN + 1];
    struct km_json_out o;

    (void)err;
    km_time_iso(gw->started_us, started);
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    put_place(gw, snap->config, &o);
    km_out_member(&o, "version", km_str_c(KM_VERSION));
    km_out_member(&o, "started_at", km_str_c(started));
    km_out_member_i64(&o, "uptime_s", (km_wall_us() - gw->started_us) / 1000000);
    km_out_member_i64(&o, "workers", (int64_t)gw->nworkers);
    km_out_member_i64(&o, "connections", (int64_t)gw->connections);
    km_out_member_i64(&o, "config_version", (int64_t)snap->version);
    km_out_member_i64(&o, "models", (int64_t)km_models_count(snap->models));
    km_out_member(&o, "store", km_store_healthy(gw->store) ? KM_STR("healthy") : KM_STR("failing"));
    km_out_member_i64(&o, "store_queued", (int64_t)km_store_queued(gw->store));
    km_out_member(&o, "auth", snap->auth_off ? KM_STR("off") : KM_STR("on"));
    km_out_member_i64(&o, "drain_ms", snap->gateway->drain_ms);
    km_out_key(&o, "left_alone");
    km_breakers_json(snap->models, km_loop_now_ms(a->v->w->loop), &o);
    km_out_key(&o, "budget");
    km_budgets_json(gw->budget, km_wall_us(), &o);
    km_out_key(&o, "supervisor");
    if (gw->args->supervisor)
        km_out_i64(&o, gw->args->supervisor);
    else
        km_out_null(&o);
    put_memory(gw, &o);
    put_store_fault(gw, &o);
    km_admin_put_lines(&o, a->v->w);
    km_out_close(&o, '}');
    km_admin_json(a, 200, km_buf_view(&out));
    return 0;
}

/* --- events --- */

static int events(struct km_admin *a, struct km_err *err)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);
    struct km_event *list = km_arena_alloc(&a->arena, EVENTS_MOST * sizeof *list);
    char at[KM_TIME_ISO_LEN + 1];
    struct km_json_out o;
    struct km_str text;
    uint64_t after = 0;
    size_t n;

    if (!list)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    if (km_admin_query(a, "after", &text) && km_str_u64(text, &after) < 0)
        return km_fail_param(err, KM_E_INVALID, "after", "'after' must be a sequence number.");
    n = km_events_since(a->v->w->gw->events, after, list, EVENTS_MOST);
    km_json_out_init(&o, &out);
    km_out_open(&o, '{');
    km_out_key(&o, "events");
    km_out_open(&o, '[');
    for (size_t i = 0; i < n; i++) {
        km_time_iso(list[i].wall_us, at);
        km_out_open(&o, '{');
        km_out_member_i64(&o, "seq", (int64_t)list[i].seq);
        km_out_member(&o, "time", km_str_c(at));
        km_out_member(&o, "level", km_str_c(levels[list[i].level]));
        km_out_member(&o, "event", km_str_c(list[i].name));
        km_out_member(&o, "text", km_str_c(list[i].text));
        km_out_close(&o, '}');
    }
    km_out_close(&o, ']');
    km_out_close(&o, '}');
    km_admin_json(a, 200, km_buf_view(&out));
    return 0;
}

/* --- routes --- */

static void list_routes(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(256 * 1024);

    (void)x;
    (void)match;
    km_buf_str(&out, KM_STR("{\"routes\":["));
    for (const struct km_route_rows *const *r = v->w->gw->args->routes; *r; r++)
        for (size_t i = 0; i < (*r)->n; i++) {
            if (out.p[out.n - 1] != '[')
                km_buf_byte(&out, ',');
            km_buf_printf(&out, "{\"path\":\"%s\",\"methods\":[\"%s\"]}", (*r)->rows[i].pattern,
                          (*r)->rows[i].method);
        }
    km_buf_str(&out, KM_STR("]}"));
    km_reply_json(v, 200, km_buf_view(&out));
}

/* --- prices --- */

struct import {
    struct km_admin *a;
    struct km_price_row *rows;
    size_t n, cap;
};

/* Entries are copied: the parser's views die with its call. */
static int add_price(void *ctx, struct km_str model, struct km_str json, struct km_err *err)
{
    struct import *im = ctx;
    struct km_arena *arena = &im->a->arena;

    if (im->n == im->cap) {
        size_t cap = im->cap ? im->cap * 2 : 1024;
        struct km_price_row *rows = km_arena_alloc(arena, cap * sizeof *rows);

        if (!rows)
            return km_fail(err, KM_E_NOMEM, "the price file is too large");
        if (im->n)
            memcpy(rows, im->rows, im->n * sizeof *rows);
        im->rows = rows;
        im->cap = cap;
    }
    im->rows[im->n++] = (struct km_price_row){ .model = km_arena_str(arena, model),
                                               .source = KM_STR("import"),
                                               .json = km_arena_str(arena, json) };
    return km_arena_overflowed(arena) ? km_fail(err, KM_E_NOMEM, "the price file is too large") : 0;
}

static void on_imported(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct km_err why = { 0 };

    if (err) {
        km_admin_error(a, err);
        return;
    }
    if (reload(a, &why) < 0) /* the prices take effect with a new snapshot */
        km_admin_error(a, &why);
}

static int import_prices(struct km_admin *a, struct km_err *err)
{
    struct import *im = km_arena_zalloc(&a->arena, sizeof *im);
    struct km_audit audit = { .actor = km_admin_actor(a),
                              .action = KM_STR("prices.import"),
                              .target = KM_STR("import"),
                              .detail = KM_STR("{}") };
    struct km_str text;
    size_t n;
    int r;

    if (!im || !a->text.n)
        return im ? km_fail(err, KM_E_INVALID, "Send the price file as the body.")
                  : km_fail(err, KM_E_NOMEM, "out of memory");
    im->a = a;
    a->state = im;
    text = a->text;
    r = km_prices_parse_file(text, add_price, im, &n, err);
    if (r < 0)
        return r;
    if (n == 0)
        return km_fail(err, KM_E_INVALID, "There is no price in that file.");
    audit.detail = km_arena_printf(&a->arena, "{\"models\":%zu}", n);
    km_store_prices_put(a->v->w->gw->store, a->v->w->mailbox, im->rows, im->n, &audit, on_imported,
                        a);
    return 0;
}

KM_ADMIN_HANDLER(on_reload, 1024, reload)
KM_ADMIN_HANDLER(on_status, 1024, status)
KM_ADMIN_HANDLER(on_events, 1024, events)

static void on_prices(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    (void)x;
    (void)match;
    km_admin_begin_text(visit, PRICES_BYTES, import_prices);
}

static const struct km_route rows[] = {
    { "GET", "/routes", list_routes, KM_AUTH_PUBLIC, NULL },
    { "POST", "/kanmon/reload", on_reload, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/status", on_status, KM_AUTH_ADMIN, NULL },
    { "GET", "/kanmon/events", on_events, KM_AUTH_ADMIN, NULL },
    { "POST", "/kanmon/prices", on_prices, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_control_routes = { rows, sizeof rows / sizeof rows[0] };

/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c - the frame every management route runs in: see admin.h.
 *
 *     begin -> (the body arrives) -> parsed -> (its turn) -> the handler's run -> one of two ends
 *
 * The request is the first thing in its own arena, so that a handler whose store answers later
 * has one pointer to keep and the end one thing to free: the arena is copied out of itself
 * first.  Its cap follows from the largest body, eight times over, because the parsed tree is
 * several times its text.  A handler answers exactly once; an error it returns is the answer.
 */
#include "admin/admin.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "door/reply.h"
#include "host/module.h"

/* Who changes keys, one at a time, of all workers. */
static struct km_lane *key_changes(const struct km_gateway *gw)
{
    return km_module_state(gw->slots, &km_admin_module);
}

static int lane_init(struct km_gateway *gw, void **ret_state, struct km_err *err)
{
    (void)gw;
    *ret_state = km_lane_new();
    return *ret_state ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static void lane_free(void *state)
{
    km_lane_free(state);
}

static const char place KM_MODULE_PLACE;

const struct km_module km_admin_module = {
    .name = "management",
    .place = &place,
    .gateway_init = lane_init,
    .gateway_free = lane_free,
};

/* The lane it holds; asked before the answer, for the visit goes with its exchange. */
static struct km_lane *lane_of(const struct km_admin *a)
{
    return a->inside ? key_changes(a->v->w->gw) : NULL;
}

static void end(struct km_admin *a, struct km_lane *lane)
{
    struct km_arena arena = a->arena;

    km_arena_done(&arena);
    if (lane)
        km_lane_leave(lane);
}

void km_admin_json(struct km_admin *a, int status, struct km_str json)
{
    struct km_lane *lane = lane_of(a);

    km_reply_json(a->v, status, json);
    end(a, lane);
}

void km_admin_error(struct km_admin *a, const struct km_err *err)
{
    struct km_lane *lane = lane_of(a);

    km_reply_error(a->v, err);
    end(a, lane);
}

static void run(struct km_admin *a)
{
    struct km_err err = { 0 };

    if (a->run(a, &err) < 0)
        km_admin_error(a, &err);
}

static void on_turn(struct km_turn *turn)
{
    struct km_admin *a = KM_CONTAINER(turn, struct km_admin, turn);

    a->inside = true;
    run(a);
}

static void parsed(struct km_admin *a, struct km_str body)
{
    struct km_err err = { 0 };
    int r = body.n && !a->plain ? km_json_parse(&a->arena, body, &a->body, &err) : 0;

    a->text = body;
    if (r == 0 && a->body && km_json_kind(a->body) != KM_JSON_OBJECT)
        r = km_fail_param(&err, KM_E_INVALID, "request_body", "The body must be a JSON object.");
    if (r < 0)
        km_admin_error(a, &err);
    else if (a->alone)
        km_lane_enter(key_changes(a->v->w->gw), &a->turn, a->v->w->mailbox, on_turn);
    else
        run(a);
}

static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    struct km_admin *a = ctx;

    a->reading = false;
    if (err)
        km_admin_error(a, err);
    else
        parsed(a, body);
}

/* No body will come any more.  A handler that has begun ends by itself: what it waits for, the
 * store or the main thread, does come. */
static void on_gone(void *ctx)
{
    struct km_admin *a = ctx;
    struct km_err err = { 0 };

    if (!a->reading)
        return;
    a->reading = false;
    km_fail(&err, KM_E_CANCELED, "The client went away.");
    km_admin_error(a, &err);
}

static const struct km_exchange_events events = { .on_body = on_body, .on_gone = on_gone };

enum kind { PLAIN, PARSED, ALONE };

static void begin(struct km_visit *v, int64_t max_bytes, enum kind kind,
                  int (*fn)(struct km_admin *a, struct km_err *err))
{
    struct km_arena arena;
    struct km_admin *a;
    struct km_str body = KM_STR_NONE;
    struct km_err err = { 0 };
    int r = 0;

    km_arena_init(&arena, (size_t)max_bytes * 8 + (1 << 20), km_loop_arenas(v->w->loop));
    a = km_arena_zalloc(&arena, sizeof *a);
    if (!a) {
        km_arena_done(&arena);
        km_fail(&err, KM_E_NOMEM, "out of memory");
        km_reply_error(v, &err);
        return;
    }
    a->arena = arena;
    a->v = v;
    a->run = fn;
    a->plain = kind == PLAIN;
    a->alone = kind == ALONE;
    km_exchange_listen(v->x, &events, a);
    if (km_exchange_request(v->x)->has_body)
        r = km_exchange_body(v->x, max_bytes, &body, &err);
    a->reading = r == KM_E_AGAIN;
    if (a->reading)
        return;
    if (r < 0)
        km_admin_error(a, &err);
    else
        parsed(a, body);
}

void km_admin_begin(struct km_visit *v, int64_t max_bytes,
                    int (*fn)(struct km_admin *a, struct km_err *err))
{
    begin(v, max_bytes, PARSED, fn);
}

void km_admin_begin_text(struct km_visit *v, int64_t max_bytes,
                         int (*fn)(struct km_admin *a, struct km_err *err))
{
    begin(v, max_bytes, PLAIN, fn);
}

void km_admin_begin_alone(struct km_visit *v, int64_t max_bytes,
                          int (*fn)(struct km_admin *a, struct km_err *err))
{
    begin(v, max_bytes, ALONE, fn);
}

bool km_admin_query(struct km_admin *a, const char *name, struct km_str *ret)
{
    return km_query_get(&a->arena, km_exchange_request(a->v->x)->query, km_str_c(name), ret);
}

struct km_str km_admin_asked(struct km_admin *a, const char *name)
{
    struct km_str v;

    return km_admin_query(a, name, &v) ? v : KM_STR_NONE;
}

int km_admin_number(struct km_admin *a, const char *name, uint64_t most, uint64_t *ret,
                    struct km_err *err)
{
    struct km_str text;
    uint64_t n;

    if (!km_admin_query(a, name, &text) || !text.n)
        return 0;
    if (km_str_u64(text, &n) < 0 || n == 0)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be a whole number from 1 on.",
                             name);
    *ret = n > most ? most : n;
    return 0;
}

struct km_str km_admin_text(struct km_admin *a, const char *name)
{
    struct km_str s = KM_STR_NONE;

    return km_json_string(km_json_get(a->body, name), &s) ? s : KM_STR_NONE;
}

struct km_str km_admin_said(struct km_admin *a)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_json_iter it;
    struct km_str name;
    const struct km_json *v;

    km_buf_str(&b, KM_STR("{\"fields\":["));
    if (a->body)
        for (km_json_iter(a->body, &it); km_json_next(&it, &name, &v);) {
            if (b.p[b.n - 1] != '[')
                km_buf_byte(&b, ',');
            km_buf_json(&b, name);
        }
    km_buf_str(&b, KM_STR("]}"));
    return km_buf_failed(&b) ? KM_STR("{}") : km_arena_str(&a->arena, km_buf_view(&b));
}

int km_admin_when(struct km_admin *a, const char *name, int64_t *ret_us, struct km_err *err)
{
    struct km_str text;

    if (!km_admin_query(a, name, &text) || !text.n)
        return 0;
    if (km_time_parse_when(text, km_wall_us(), ret_us) < 0)
        return km_fail_param(err, KM_E_INVALID, name,
                             "'%s' must be a time: 1h or 7d (ago), a date like 2026-01-31, or "
                             "2026-01-31T09:30:00Z.",
                             name);
    return 0;
}

struct km_str km_admin_actor(struct km_admin *a)
{
    struct km_str by =
        km_header_get(&km_exchange_request(a->v->x)->headers, KM_STR("litellm-changed-by"));

    if (!by.n)
        return km_str_c(a->v->who.who);
    return km_arena_printf(&a->arena, "%s for %.*s", a->v->who.who,
                           KM_STR_ARG(km_str_sub(by, 0, 128)));
}

int km_admin_key_hash(struct km_str key, uint8_t hash[32], struct km_err *err)
{
    if (km_str_starts(key, KM_STR("sk-"))) {
        km_sha256(key, hash);
        return 0;
    }
    if (key.n == 64 && km_unhex(key, hash, 32) == 0)
        return 0;
    return km_fail_param(err, KM_E_INVALID, "key",
                         "A key is 'sk-...', or the 64 hexadecimal digits of its SHA-256.");
}

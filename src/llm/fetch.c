/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - see fetch.h.
 *
 * A fetch owns an arena with all it needs, itself included, and a buffer for the answer.  The
 * answer's head is copied, for its views die before the body is complete.
 */
#include "llm/fetch.h"

#include "base/buf.h"

#define PAUSE_MS 100 /* before another try; doubles */
#define ARENA_SPARE (256 * 1024) /* beside the body: URL, head lines, the answer's head */

struct km_fetch {
    struct km_arena arena; /* holds the fetch too */
    struct km_fetch_args args;
    km_fetch_fn *fn;
    void *ctx;
    struct km_origin *origin;
    struct km_http_request request;
    struct km_http_call *call;
    struct km_timer timer; /* the pause, or the whole try's time */
    bool pausing;
    unsigned tried;
    struct km_response response;
    struct km_buf body;
    struct km_err err;
};

static void begin(struct km_fetch *f);

static void done(struct km_fetch *f)
{
    struct km_arena arena;

    km_timer_stop(&f->timer);
    if (f->call)
        km_http_cancel(f->call);
    km_origin_unref(f->origin);
    km_buf_done(&f->body);
    arena = f->arena;
    km_arena_done(&arena);
}

static void finish(struct km_fetch *f, const struct km_err *err)
{
    f->fn(f->ctx, err ? NULL : &f->response, km_buf_view(&f->body), err);
    done(f);
}

/* Another try, or the end. */
static void failed(struct km_fetch *f, const struct km_err *err)
{
    if (f->tried >= f->args.tries) {
        finish(f, err);
        return;
    }
    f->pausing = true;
    km_timer_start(&f->timer, (uint64_t)PAUSE_MS << (f->tried - 1));
}

static void on_head(void *ctx, const struct km_response *response)
{
    struct km_fetch *f = ctx;

    f->response = *response;
    f->response.headers = km_headers_copy(&f->arena, &response->headers);
}

static void on_body(void *ctx, const char *bytes, size_t n)
{
    struct km_fetch *f = ctx;
    struct km_err err = { 0 };

    km_buf_bytes(&f->body, bytes, n);
    if (!km_buf_failed(&f->body))
        return;
    km_http_cancel(f->call);
    f->call = NULL;
    km_fail(&err, KM_E_UPSTREAM_PROTOCOL, "the answer is over %zu bytes", f->args.max_bytes);
    finish(f, &err);
}

static void on_done(void *ctx, const struct km_http_result *result)
{
    struct km_fetch *f = ctx;

    f->call = NULL;
    km_timer_stop(&f->timer);
    if (result->err)
        failed(f, result->err);
    else if (f->response.status >= 500 && f->tried < f->args.tries)
        failed(f, NULL);
    else
        finish(f, NULL);
}

static const struct km_http_events events = { .on_head = on_head,
                                              .on_body = on_body,
                                              .on_done = on_done };

static void on_timer(void *ctx)
{
    struct km_fetch *f = ctx;
    struct km_err err = { 0 };

    if (f->pausing) {
        f->pausing = false;
        begin(f);
        return;
    }
    if (f->call)
        km_http_cancel(f->call);
    f->call = NULL;
    km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "no answer within %llu ms",
            (unsigned long long)f->args.timeout_ms);
    failed(f, &err);
}

/* Without memory for the call now, it is as if nobody answered. */
static void begin(struct km_fetch *f)
{
    f->tried++;
    km_buf_reset(&f->body);
    f->call = km_http_send(f->args.client, &f->request, &events, f);
    km_timer_start(&f->timer, f->args.timeout_ms);
}

/* Where to, and what: copied, for the caller's strings may go. */
static int prepare(struct km_fetch *f, const struct km_fetch_args *args, struct km_err *err)
{
    struct km_str *part = km_arena_alloc(&f->arena, sizeof *part);
    struct km_str url = km_arena_str(&f->arena, args->url);
    struct km_url u;
    int r = km_url_parse(url, &u, err);

    if (r < 0)
        return r;
    f->request.method = km_arena_str(&f->arena, args->method);
    f->request.target = u.path.n ? u.path : KM_STR("/");
    if (f->request.target.p[0] == '?')
        f->request.target =
            km_arena_cat(&f->arena, (struct km_str[]){ KM_STR("/"), f->request.target }, 2);
    f->request.head = km_arena_str(&f->arena, args->head);
    if (args->has_body && part) {
        *part = km_arena_str(&f->arena, args->body);
        f->request.body = part;
        f->request.nbody = 1;
        f->request.has_body = true;
    }
    if (km_arena_overflowed(&f->arena))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    return km_origin_new(u.https, u.host, u.port, args->tls, args->proxies, args->guard, &f->origin,
                         err);
}

struct km_fetch *km_fetch_start(const struct km_fetch_args *args, km_fetch_fn *fn, void *ctx,
                                struct km_err *err)
{
    struct km_arena arena;
    struct km_fetch *f;

    km_arena_init(&arena, ARENA_SPARE + args->body.n, km_loop_arenas(args->loop));
    f = km_arena_zalloc(&arena, sizeof *f);
    if (!f) {
        km_arena_done(&arena);
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    f->arena = arena;
    f->args = *args;
    f->fn = fn;
    f->ctx = ctx;
    km_buf_init(&f->body, args->max_bytes);
    km_timer_init(&f->timer, args->loop, on_timer, f);
    if (prepare(f, args, err) < 0) {
        done(f);
        return NULL;
    }
    f->request.origin = f->origin;
    begin(f);
    return f;
}

void km_fetch_take(struct km_fetch *f, struct km_buf *to)
{
    km_buf_move(to, &f->body);
}

void km_fetch_cancel(struct km_fetch *f)
{
    if (f)
        done(f);
}

void km_fetch_abandon(struct km_fetch *f)
{
    if (!f)
        return;
    f->call = NULL;
    done(f);
}

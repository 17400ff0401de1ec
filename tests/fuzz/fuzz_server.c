/* SPDX-License-Identifier: Apache-2.0 */
/* A server connection, with its handler, over a stream that lives in memory.
 *
 * The input is a list of records: one byte of kind and size, then bytes the client sends.
 * Kinds also end the client's side, break the connection, hold back what the server writes,
 * and let deferred work run.  Besides "no crash": the server's answers are well-formed
 * HTTP/1.1 with honest framing, never more than it was asked for plus one refusal, and every
 * exchange, connection and body byte is given back at the end.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "http/conn.h"
#include "net/filter.h"

#define MAX_INPUT ((size_t)1 << 16)

/* --- the stream --- */

struct memory {
    struct km_stream s;
    struct km_buf out;
    size_t held; /* written and not taken: back-pressure */
    bool holding;
    bool shut;
};

struct world {
    struct km_loop *loop;
    struct km_http_server *server;
    struct km_body_budget bodies;
    _Atomic int64_t connections;
    struct memory *memory; /* NULL: the server has closed it */
    struct km_buf out; /* all it ever wrote */
    size_t requests;
    struct km_exchange *kept; /* answered later */
    size_t big;
};

static struct world *world;

static void memory_start(struct km_stream *s)
{
    (void)s;
}

static void memory_write(struct km_stream *s, const struct km_str *parts, size_t n)
{
    struct memory *m = (struct memory *)s;

    must(!m->shut);
    for (size_t i = 0; i < n; i++) {
        km_buf_str(&world->out, parts[i]);
        m->held += m->holding ? parts[i].n : 0;
    }
}

static size_t memory_queued(const struct km_stream *s)
{
    return ((const struct memory *)s)->held;
}

static void memory_nothing(struct km_stream *s)
{
    (void)s;
}

static void memory_shutdown(struct km_stream *s)
{
    ((struct memory *)s)->shut = true;
}

static void memory_free(void *ctx)
{
    free(ctx);
}

static void memory_close(struct km_stream *s)
{
    world->memory = NULL;
    km_stream_release(s, memory_free);
}

static bool memory_acked(const struct km_stream *s, uint64_t *ret_bytes)
{
    (void)s;
    *ret_bytes = 0;
    return true;
}

static bool memory_healthy(const struct km_stream *s)
{
    (void)s;
    return true;
}

static const union km_addr *memory_peer(const struct km_stream *s)
{
    static const union km_addr none;

    (void)s;
    return &none;
}

static int memory_detach(struct km_stream *s)
{
    (void)s;
    return -1;
}

static const struct km_stream_ops memory_ops = {
    .start = memory_start,
    .write = memory_write,
    .queued = memory_queued,
    .pause = memory_nothing,
    .resume = memory_nothing,
    .shutdown = memory_shutdown,
    .close = memory_close,
    .acked = memory_acked,
    .healthy = memory_healthy,
    .peer = memory_peer,
    .detach = memory_detach,
};

/* --- the handler --- */

/* As long as the body, but none of it: answers are counted by what they say. */
static void on_body(void *ctx, struct km_str body, const struct km_err *err)
{
    static const char zeros[10000];

    must(body.n <= sizeof zeros);
    km_exchange_respond(ctx, err ? km_err_http(err) : 200, KM_STR("X-E: 1\r\n"),
                        km_str(zeros, body.n));
}

static void stream_more(struct km_exchange *x)
{
    static const char block[4096];

    while (world->big > 0) {
        world->big--;
        if (!km_exchange_write(x, &(struct km_str){ block, sizeof block }, 1))
            return;
    }
    world->kept = NULL;
    km_exchange_end(x);
}

static void on_drain(void *ctx)
{
    stream_more(ctx);
}

static void on_gone(void *ctx)
{
    if (world->kept == ctx)
        world->kept = NULL;
    km_exchange_abort(ctx);
}

static const struct km_exchange_events events = { .on_body = on_body,
                                                 .on_drain = on_drain,
                                                 .on_gone = on_gone };

static void on_request(void *ctx, struct km_exchange *x)
{
    const struct km_request *r = km_exchange_request(x);
    char kind = r->path.n > 1 ? r->path.p[1] : ' ';
    struct km_str body;
    struct km_err err;
    int e;

    (void)ctx;
    world->requests++;
    km_exchange_listen(x, &events, x);
    if (kind == 'e') {
        e = km_exchange_body(x, 10000, &body, &err);
        if (e != KM_E_AGAIN)
            on_body(x, e < 0 ? KM_STR_NONE : body, e < 0 ? &err : NULL);
    } else if (kind == 'k') {
        world->kept = x;
    } else if (kind == 's') {
        km_exchange_start(x, 200, KM_STR_NONE, UINT64_MAX);
        world->kept = x;
        world->big = 20;
        stream_more(x);
    } else if (kind == 'a') {
        km_exchange_start(x, 200, KM_STR_NONE, 10);
        km_exchange_write(x, &KM_STR("hello"), 1);
        km_exchange_abort(x);
    } else {
        km_exchange_respond(x, kind == 'n' ? 204 : 200, KM_STR_NONE, KM_STR("ok"));
    }
}

static void on_error(void *ctx, const struct km_err *err, struct km_str path, struct km_buf *out)
{
    (void)ctx;
    (void)path;
    km_buf_str(out, km_str_c(err->text));
}

/* --- what it said --- */

/* Heads that are whole must parse as ours do; counting bodies needs the requests' methods,
 * which only the server knows, so heads are found by their first line. */
static void judge_output(void)
{
    struct km_str rest = km_buf_view(&world->out);
    size_t answers = 0;

    for (;;) {
        size_t at = km_str_find(rest, KM_STR("\r\nDate: "));

        if (at >= rest.n)
            break;
        answers++;
        rest = km_str_skip(rest, at + 8);
    }
    must(answers <= world->requests + 1);
    must(world->out.n == 0 || km_str_starts(km_buf_view(&world->out), KM_STR("HTTP/1.1 ")));
}

static void turn(void)
{
    km_loop_stop(world->loop);
    km_loop_run(world->loop);
}

/* --- one input --- */

static void act(unsigned kind, struct km_str bytes)
{
    struct memory *m = world->memory;

    if (!m)
        return;
    switch (kind) {
    case 4:
        m->holding = true;
        break;
    case 5:
        m->holding = false;
        m->held = 0;
        (void)!km_stream_emit_drain(&m->s);
        break;
    case 6:
        if (world->kept && world->big == 0) {
            struct km_exchange *x = world->kept;

            world->kept = NULL;
            on_body(x, KM_STR("late"), NULL);
        }
        break;
    case 7:
        turn();
        break;
    default:
        if (bytes.n > 0 && !m->s.paused && !m->s.eof) {
            char *copy = malloc(bytes.n);

            memcpy(copy, bytes.p, bytes.n);
            (void)!km_stream_emit_read(&m->s, copy, bytes.n);
            free(copy);
        }
    }
}

static void open_world(struct world *w)
{
    struct km_http_settings set = { .header_bytes = 2048,
                                    .header_fields = 20,
                                    .line_bytes = 512,
                                    .body_bytes = 20000,
                                    .header_ms = 10000,
                                    .body_min_rate = 1024,
                                    .idle_ms = 75000,
                                    .write_ms = 60000,
                                    .stream_high_water = 8192,
                                    .connections = 10 };
    struct km_http_server_args args = { .settings = &set,
                                        .on_request = on_request,
                                        .on_error = on_error };
    struct km_conn *c;

    world = w;
    km_buf_init(&w->out, 64 << 20);
    w->bodies.limit = 15000;
    args.loop = w->loop = km_loop_new(NULL);
    args.bodies = &w->bodies;
    args.connections = &w->connections;
    w->server = km_http_server_new(&args, NULL);
    w->memory = calloc(1, sizeof *w->memory);
    km_stream_init(&w->memory->s, &memory_ops, w->loop, NULL, memory_free);
    w->connections = 1;
    c = km_conn_take(w->server);
    km_conn_open(c, &w->memory->s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = { 0 };
    bool reset;

    if (size < 2 || size > MAX_INPUT)
        return 0;
    open_world(&w);
    reset = data[size - 1] & 1;
    for (size_t at = 0; at < size;) {
        unsigned kind = data[at] & 7;
        size_t n = (size_t)(data[at] >> 3) * (kind < 2 ? 1 : 29);

        at++;
        n = kind >= 4 ? 0 : n < size - at ? n : size - at;
        act(kind, km_str((const char *)data + at, n));
        at += n;
    }
    if (w.memory && reset)
        km_stream_emit_closed(&w.memory->s, &(struct km_err){ .code = KM_E_CLOSED });
    else if (w.memory && !w.memory->s.eof)
        (void)!km_stream_emit_eof(&w.memory->s);
    judge_output();
    km_http_server_close(w.server);
    turn();
    must(km_http_server_connections(w.server) == 0 && w.connections == 0);
    must(w.bodies.used == 0 && !w.kept);
    km_http_server_free(w.server);
    km_loop_free(w.loop);
    km_buf_done(&w.out);
    return 0;
}

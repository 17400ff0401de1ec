/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - see ask.h for the contract.
 *
 *     new ──> begun ──> answered ──> over: on_done, freed
 *        └───────┴── cancelled: its port is gone ──> over: freed
 *
 * A question is the port of what it asks, and lies with its visit in an arena of its own, which
 * goes in a deferred of the loop: whatever answered has left its own code by then.  Beginning and
 * the end are deferred too, so that no stack grows with the number of rounds, and nobody is called
 * back while asking.
 *
 * The head is told with the first bytes: until then what began may be taken back.
 */
#include "call/ask.h"

#include "call/forward.h"
#include "http/fields.h"
#include "policy/grant.h"

#define ARENA_BYTES ((size_t)2 << 20) /* beside the body */
#define HEADERS_MOST 256
#define HEAD_BYTES ((size_t)256 * 1024) /* of an answer */

struct km_question {
    struct km_port port;
    struct km_arena arena; /* holds it */
    struct km_loop *loop;
    struct km_asker *asker; /* NULL: it was cancelled */
    struct km_visit *visit;
    struct km_request request;
    struct km_str body;
    void (*begin)(struct km_question *q);
    const struct km_call_kind *kind; /* of one that begins as a call */
    const struct km_llm_api *api;
    const struct km_answer_events *events;
    void *ctx;
    struct km_deferred turn;
    bool begun, ended, told; /* told: its port that nobody listens */
    bool paused, refused; /* refused: a write said: enough */
    /* the head, until it is told */
    bool started, head_told;
    int status;
    struct km_buf head;
    struct km_err err; /* code 0: it was answered whole */
};

/* --- its head --- */

/* Belongs to the one message it came with, or chooses where nothing was asked to. */
static bool stays(struct km_str name, bool mcp)
{
    return !km_field_goes(name, KM_WAY_INNER) ||
           (!mcp && (km_str_ieq(name, KM_STR("x-mcp-servers")) ||
                     km_str_ieq(name, KM_STR("x-mcp-access-groups"))));
}

static int put_headers(struct km_question *q, const struct km_asker *a,
                       const struct km_question_args *args, struct km_err *err)
{
    struct km_header *v = km_arena_alloc(&q->arena, HEADERS_MOST * sizeof *v);
    struct km_headers all;
    struct km_str lines = args->head;
    size_t n = 0;

    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    v[n++] = (struct km_header){ KM_STR("content-type"), KM_STR("application/json") };
    while (n < HEADERS_MOST && km_header_next(&lines, &v[n].name, &v[n].value))
        n++;
    for (size_t i = 0; n < HEADERS_MOST && i < a->headers.n; i++)
        if (!stays(a->headers.v[i].name, args->mcp) &&
            !km_lines_have(args->head, a->headers.v[i].name))
            v[n++] = a->headers.v[i];
    if (n == HEADERS_MOST)
        return km_fail(err, KM_E_HEADER_TOO_LARGE, "a question within has too many header fields");
    all = (struct km_headers){ .v = v, .n = n };
    q->request.headers = km_headers_copy(&q->arena, &all);
    return 0;
}

/* --- in whose name --- */

static void drop_key(void *key)
{
    km_key_unref(key);
}

/* The key as it is now; the asker's was found when it began. */
static int renew_key(struct km_question *q, struct km_err *err)
{
    struct km_visit *v = q->visit;
    struct km_key *key;
    uint8_t hash[32];

    if (!v->who.key)
        return 0;
    km_key_books(v->who.key, hash); /* its secret may have been changed meanwhile */
    key = km_keys_find(v->w->gw->keys, hash);
    if (!key)
        return km_fail(err, KM_E_UNAUTHENTICATED,
                       "Authentication Error, the key was deleted while this was going on.");
    if (km_arena_defer(&q->arena, drop_key, key) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    v->who.key = key;
    return km_right_code(km_key_grants_use(key, km_wall_us(), err), err);
}

static int make_visit(struct km_question *q, const struct km_asker *a,
                      const struct km_question_args *args, struct km_err *err)
{
    const struct km_visit *from = a->visit;
    struct km_visit *v = km_visit_copy(from, &q->arena);

    if (!v || km_visit_seat(v, &q->arena, from->w) < 0)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    q->visit = v;
    if (!km_grant_covers(v->who.resource, args->path))
        return km_fail(err, KM_E_FORBIDDEN,
                       "Authentication Error, the access token was issued for another resource of "
                       "this gateway than %.*s.",
                       KM_STR_ARG(km_str_sub(args->path, 0, 100)));
    v->path_model = km_arena_str(&q->arena, from->path_model.n    ? from->path_model
                                            : from->match.nparams ? from->match.params[0]
                                                                  : KM_STR_NONE);
    v->depth = from->depth + 1;
    v->within = km_arena_str(&q->arena, km_str_c(from->id_text));
    v->has_place = a->has_place || from->has_place;
    if (a->deadline_ms && (!v->deadline_ms || a->deadline_ms < v->deadline_ms))
        v->deadline_ms = a->deadline_ms;
    v->came_us = km_wall_us();
    v->id = km_uuid7_at(km_loop_ids(v->w->loop), v->came_us);
    km_uuid_text(&v->id, v->id_text);
    return renew_key(q, err);
}

/* --- what answers it --- */

static int give_body(struct km_port *port, int64_t most, struct km_str *ret, struct km_err *err)
{
    struct km_question *q = KM_CONTAINER(port, struct km_question, port);

    if (q->body.n > (size_t)most)
        return km_fail(err, KM_E_BODY_TOO_LARGE,
                       "What is asked within has %zu bytes; at most %lld are taken.", q->body.n,
                       (long long)most);
    *ret = q->body;
    return 0;
}

static void tell_head(struct km_question *q)
{
    bool first = !q->head_told;

    q->head_told = true;
    if (first && q->asker && q->events->on_head)
        q->events->on_head(q->ctx, q->status, km_buf_view(&q->head));
}

static void start_answer(struct km_port *port, int status, struct km_str head, uint64_t length)
{
    struct km_question *q = KM_CONTAINER(port, struct km_question, port);

    (void)length;
    q->started = true;
    q->status = status;
    km_buf_reset(&q->head);
    km_buf_str(&q->head, head);
}

static bool write_parts(struct km_port *port, const struct km_str *parts, size_t n)
{
    struct km_question *q = KM_CONTAINER(port, struct km_question, port);

    tell_head(q);
    for (size_t i = 0; i < n; i++)
        if (parts[i].n && q->asker && q->events->on_bytes)
            q->events->on_bytes(q->ctx, parts[i]);
    q->refused = q->paused && q->asker;
    return !q->refused;
}

static void end_answer(struct km_port *port)
{
    struct km_question *q = KM_CONTAINER(port, struct km_question, port);

    if (q->started)
        tell_head(q);
    q->ended = true;
    km_deferred_queue(&q->turn);
}

static void abort_answer(struct km_port *port)
{
    struct km_question *q = KM_CONTAINER(port, struct km_question, port);

    if (!q->err.code)
        km_fail(&q->err, KM_E_UPSTREAM_PROTOCOL, "an answer within broke off");
    q->ended = true;
    km_deferred_queue(&q->turn);
}

static void respond_whole(struct km_port *port, int status, struct km_str head, struct km_str body)
{
    start_answer(port, status, head, body.n);
    (void)write_parts(port, &body, 1);
    end_answer(port);
}

static bool take_back_answer(struct km_port *port)
{
    struct km_question *q = KM_CONTAINER(port, struct km_question, port);

    if (q->head_told)
        return false;
    q->started = false;
    return true;
}

static const struct km_port_ops ops = {
    .name = "within",
    .gone = KM_GONE_CANCEL,
    .body = give_body,
    .start = start_answer,
    .write = write_parts,
    .end = end_answer,
    .abort = abort_answer,
    .respond = respond_whole,
    .take_back = take_back_answer,
};

/* --- its life --- */

static void question_free(struct km_question *q)
{
    struct km_arena arena = q->arena;

    km_buf_done(&q->head);
    km_arena_done(&arena);
}

static void finish(struct km_question *q)
{
    const struct km_answer_events *events = q->asker ? q->events : NULL;
    struct km_err err = q->err;
    void *ctx = q->ctx;

    if (q->asker)
        q->asker->open--;
    question_free(q);
    if (events)
        events->on_done(ctx, err.code ? &err : NULL);
}

static void on_turn(void *ctx)
{
    struct km_question *q = ctx;

    if (q->ended || (!q->asker && !q->begun)) {
        finish(q);
    } else if (!q->begun) {
        q->begun = true;
        q->begin(q);
    } else if (!q->asker && !q->told) {
        q->told = true;
        q->port.events->on_gone(q->port.ctx);
    }
}

static int check_room(const struct km_asker *a, struct km_err *err)
{
    int64_t most = a->visit->view->snap->gateway->inner_calls;

    if (a->visit->depth >= KM_ASK_DEPTH)
        return km_fail(err, KM_E_LIMIT, "Calls are asked for within calls over %d deep.",
                       KM_ASK_DEPTH);
    if ((int64_t)a->open >= most)
        return km_fail(err, KM_E_LIMIT,
                       "Over %lld calls within one at a time (kanmon_settings.inner_calls).",
                       (long long)most);
    return 0;
}

int km_question_new(struct km_asker *a, const struct km_question_args *args,
                    void (*begin)(struct km_question *q), const struct km_answer_events *events,
                    void *ctx, struct km_question **ret, struct km_err *err)
{
    struct km_arena arena;
    struct km_question *q;
    int r = check_room(a, err);

    if (r < 0)
        return r;
    km_arena_init(&arena, ARENA_BYTES + args->body.n, NULL);
    q = km_arena_zalloc(&arena, sizeof *q);
    if (!q) {
        km_arena_done(&arena);
        return km_fail(err, KM_E_NOMEM, "out of memory");
    }
    *q = (struct km_question){ .port = { .ops = &ops },
                               .arena = arena,
                               .loop = a->visit->w->loop,
                               .begin = begin,
                               .events = events,
                               .ctx = ctx };
    km_buf_init(&q->head, HEAD_BYTES);
    km_deferred_init(&q->turn, q->loop, on_turn, q);
    r = make_visit(q, a, args, err);
    if (r == 0)
        r = put_headers(q, a, args, err);
    q->body = km_arena_str(&q->arena, args->body);
    q->request.method = KM_STR("POST");
    q->request.path = q->request.target = km_arena_str(&q->arena, args->path);
    q->request.query = km_arena_str(&q->arena, args->query);
    q->request.host = km_arena_str(&q->arena, km_header_get(&a->headers, KM_STR("host")));
    if (r == 0 && km_arena_overflowed(&q->arena))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r < 0) {
        question_free(q);
        return r;
    }
    q->asker = a;
    a->open++;
    km_deferred_queue(&q->turn);
    *ret = q;
    return 0;
}

/* A call of its own. */
static void begin_call(struct km_question *q)
{
    const struct km_snapshot *snap = q->visit->view->snap;
    struct km_call *call = km_call_new(q->visit->w, q->kind, km_call_arena_bytes(snap));

    if (!call) {
        km_fail(&q->err, KM_E_NOMEM, "out of memory");
        abort_answer(&q->port);
        return;
    }
    call->request = &q->request;
    call->api = q->api;
    if (q->api)
        q->visit->dialect = q->api->dialect;
    km_call_take_port(call, q->visit, &q->port);
    km_call_start(call);
}

int km_ask_call(struct km_asker *a, const struct km_call_kind *kind, const struct km_llm_api *api,
                const struct km_question_args *args, const struct km_answer_events *events,
                void *ctx, struct km_question **ret, struct km_err *err)
{
    int r = km_question_new(a, args, begin_call, events, ctx, ret, err);

    if (r == 0) {
        (*ret)->kind = kind;
        (*ret)->api = api;
    }
    return r;
}

void km_question_pause(struct km_question *q)
{
    q->paused = true;
}

void km_question_resume(struct km_question *q)
{
    bool waits = q->refused;

    q->paused = q->refused = false;
    if (waits && !q->ended && q->port.events->on_writable)
        q->port.events->on_writable(q->port.ctx);
}

void km_question_cancel(struct km_question *q)
{
    if (!q)
        return;
    q->asker->open--;
    q->asker = NULL;
    km_deferred_queue(&q->turn);
}

struct km_port *km_question_port(struct km_question *q)
{
    return &q->port;
}

const struct km_request *km_question_request(const struct km_question *q)
{
    return &q->request;
}

struct km_visit *km_question_visit(struct km_question *q)
{
    return q->visit;
}

struct km_str km_question_body(const struct km_question *q)
{
    return q->body;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* park.c - calls whose server asks something while their client is stateless: the client is
 * answered with input_required, and the call waits for its retry.
 *
 *     server asks ──> input_required {q1: ...}, requestState (sealed: worker, number, end)
 *                         the stream ends; the call is parked
 *     retry + inputResponses {q1: ...} ──> same worker ──> the answers go to the server,
 *                                                          the new stream carries what follows
 *
 * A server that asks for something beside a call (its client's roots) answers that call without
 * waiting: what it said is kept for the retry, which gets it whatever it brings.
 *
 * Bounded (mcp/parks.h): so many a principal, so many a worker, and two minutes each (or as
 * `mcp_sessions.parked` says), after which the server is told that the call is cancelled.  A retry
 * at another worker is passed to the one that has the call; one at another replica, or after the
 * end, is told "Invalid or expired requestState".
 */
#include "gateway/mcp/call.h"
#include "mcp/request_state.h"

#define ANSWER_BYTES ((size_t)8 * 1024 * 1024)
#define INPUT_KEY_MOST 64
#define GATHER_MS 20 /* questions within this time are put together */
#define WRAPPED_MS ((uint64_t)10 * 60 * 1000) /* a server's own state is good for so long */

static struct km_mcp_state_place place_of(const struct km_mcp_hub *hub, struct km_str principal,
                                          struct km_str method, const uint8_t *digest)
{
    return (struct km_mcp_state_place){ .key = hub->shared->key,
                                        .replica = hub->shared->replica,
                                        .principal = principal,
                                        .method = method,
                                        .digest = digest };
}

/* Of the client's own params, which the retry repeats. */
static int digest_of(struct km_mcp_work *w, uint8_t ret[32], struct km_err *err)
{
    const struct km_json *root;
    int r = km_json_parse(&w->call->arena, w->text, &root, err);

    return r == 0 ? km_mcp_state_digest(km_json_get(root, "params"), ret, err) : r;
}

static int seal(struct km_mcp_work *w, const struct km_mcp_sealed *state, struct km_buf *out,
                struct km_err *err)
{
    uint8_t digest[32];
    int r = digest_of(w, digest, err);
    struct km_mcp_state_place place = place_of(w->hub, w->principal, w->method, digest);

    return r == 0 ? km_mcp_state_seal(&place, state, out, err) : r;
}

/* Its server has answered, and it ends as that says, whether anybody waits for it or not. */
static void let_go(struct km_mcp_work *w)
{
    km_mcp_flow_drop(&w->flow, KM_MCP_FLOW_parked);
    km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_ask, KM_MCP_FLOW_done, NULL);
}

static void on_expired(void *ctx)
{
    struct km_mcp_work *w = ctx;
    uint64_t left = km_mcp_parked_left_ms(&w->park, km_loop_now_ms(w->hub->w->loop));

    if (left)
        km_timer_start(&w->park_timer, left);
    else if (w->kept)
        let_go(w);
    else
        km_call_cancel(w->call, "nobody answered what the server asked");
}

void km_mcp_undo_parked(struct km_mcp_flow *f)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);

    km_timer_stop(&w->park_timer);
    km_mcp_parks_drop(&w->hub->parks, &w->park);
}

void km_mcp_parks_end(struct km_mcp_hub *hub, const char *why)
{
    while (hub->parks.n) {
        struct km_mcp_work *w = KM_CONTAINER(hub->parks.list.next, struct km_mcp_work, park.link);

        km_mcp_flow_drop(&w->flow, KM_MCP_FLOW_parked); /* off the list, whatever the call does */
        km_call_cancel(w->call, why);
    }
}

/* "q1", or what the server asks to have it called: a server that knows both eras may have a name
 * for each of its questions, which a request of the handshake era has no place for. */
static struct km_str key_of(struct km_mcp_question *q)
{
    struct km_arena *arena = &q->w->call->arena;
    const struct km_json *params = NULL;
    struct km_str key;

    if (q->key.n)
        return q->key;
    if (q->params.n && km_json_parse_answer(arena, q->params, &params, NULL) == 0 &&
        km_json_string(km_json_get(km_json_get(params, "_meta"), KM_MCP_META_INPUT_KEY), &key) &&
        key.n && key.n <= INPUT_KEY_MOST)
        q->key = key;
    else
        q->key = km_arena_printf(arena, "q%u", (unsigned)q->number);
    return q->key;
}

static void put_questions(struct km_mcp_work *w, struct km_buf *b)
{
    bool first = true;

    km_buf_str(b, KM_STR("\"inputRequests\":{"));
    KM_LIST_EACH(it, &w->questions)
    {
        struct km_mcp_question *q = KM_CONTAINER(it, struct km_mcp_question, of_work);

        km_buf_str(b, first ? KM_STR_NONE : KM_STR(","));
        km_buf_json(b, key_of(q));
        km_buf_str(b, KM_STR(":{\"method\":"));
        km_buf_json(b, q->method);
        if (q->params.n) {
            km_buf_str(b, KM_STR(",\"params\":"));
            km_buf_str(b, q->params);
        }
        km_buf_byte(b, '}');
        first = false;
    }
    km_buf_byte(b, '}');
}

/* How long one that is parked now waits, as configured at this moment. */
static uint64_t wait_ms(const struct km_mcp_hub *hub)
{
    const struct km_mcp_session_bounds *bounds = km_mcp_bounds(hub);

    return bounds ? (uint64_t)bounds->parked_ms : KM_MCP_PARK_MS;
}

static void park(struct km_mcp_work *w)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_mcp_sealed state = { .worker = (uint32_t)w->hub->w->index,
                                   .server = w->member->name };
    struct km_err err = { 0 };
    uint64_t now = km_loop_now_ms(w->hub->w->loop);

    if (!w->job.stream)
        return; /* the next retry takes it along */
    w->hub->parks.wait_ms = wait_ms(w->hub);
    if (km_mcp_parks_put(&w->hub->parks, &w->park, w->principal, now, &err) < 0) {
        km_call_cancel(w->call, err.text);
        return;
    }
    w->park_timer.fn = on_expired;
    km_timer_start(&w->park_timer, km_mcp_parked_left_ms(&w->park, now));
    state.park = w->park.id;
    state.ends_ms = w->park.ends_ms;
    km_buf_printf(&b,
                  "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"resultType\":"
                  "\"input_required\",",
                  KM_STR_ARG(w->job.id));
    put_questions(w, &b);
    km_buf_str(&b, KM_STR(",\"requestState\":\""));
    if (seal(w, &state, &b, &err) < 0 || km_buf_failed(&b)) {
        km_call_cancel(w->call, "what the server asks is too large");
        return;
    }
    km_buf_str(&b, KM_STR("\"}}"));
    km_mcp_job_answer(&w->job, 200, km_buf_view(&b));
}

static void on_gathered(void *ctx)
{
    struct km_mcp_work *w = ctx;

    if (km_list_empty(&w->questions)) /* all were withdrawn meanwhile */
        km_mcp_flow_drop(&w->flow, KM_MCP_FLOW_parked);
    else
        park(w);
}

int km_mcp_begin_parked(struct km_mcp_flow *f, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);

    (void)err;
    w->park_timer.fn = on_gathered;
    if (w->job.stream) /* or the next retry takes it along */
        km_timer_start(&w->park_timer, GATHER_MS);
    return KM_MCP_FLOW_wait;
}

/* --- the retry --- */

static int open_state(struct km_mcp_turn *t, struct km_str text, struct km_mcp_sealed *ret,
                      struct km_err *err)
{
    uint8_t digest[32];
    int r = km_mcp_state_digest(t->msg.params, digest, err);
    struct km_mcp_state_place place = place_of(t->hub, t->in->principal, t->msg.method, digest);

    return r == 0 ? km_mcp_state_open(&place, text, km_loop_now_ms(t->hub->w->loop), t->arena, ret,
                                      err)
                  : r;
}

bool km_mcp_park_elsewhere(struct km_mcp_turn *t)
{
    const struct km_json *state = km_json_get(t->msg.params, "requestState");
    struct km_mcp_sealed s = { 0 };
    struct km_str text;

    if (!km_json_string(state, &text) || !t->in->visit->x || open_state(t, text, &s, NULL) < 0 ||
        !s.park || s.worker == t->hub->w->index || s.worker >= t->hub->w->gw->nworkers)
        return false;
    return km_mcp_arrival_pass(t->in, &t->hub->w->gw->workers[s.worker]);
}

static struct km_mcp_work *parked(struct km_mcp_hub *hub, uint64_t id)
{
    struct km_mcp_parked *p = km_mcp_parks_find(&hub->parks, id, km_loop_now_ms(hub->w->loop));

    return p ? KM_CONTAINER(p, struct km_mcp_work, park) : NULL;
}

/* The first open question that has an answer there; NULL: none has.  Looked for anew each time:
 * an answer may end its step, and with it other questions. */
static struct km_mcp_question *answered_in(struct km_mcp_work *w, const struct km_json *answers,
                                           const struct km_json **ret)
{
    KM_LIST_EACH(it, &w->questions)
    {
        struct km_mcp_question *q = KM_CONTAINER(it, struct km_mcp_question, of_work);

        *ret = km_json_get(answers, km_arena_cstr(&w->call->arena, key_of(q)));
        if (km_json_kind(*ret) == KM_JSON_OBJECT)
            return q;
    }
    return NULL;
}

/* Gives the answers that came to whoever asked.  An answer may end the call at once, and w with
 * it: false. */
static bool deliver(struct km_mcp_work *w, const struct km_json *answers)
{
    struct km_mcp_hub *hub = w->hub;
    const struct km_json *answer;
    struct km_mcp_question *q;
    uint64_t id = w->park.id;

    while ((q = answered_in(w, answers, &answer)) != NULL) {
        km_mcp_question_free(q);
        q->answered(q, false, km_json_compact(answer, &w->call->arena));
        if (!parked(hub, id))
            return false;
    }
    return true;
}

bool km_mcp_unpark(struct km_mcp_turn *t, struct km_str text, struct km_str *ret_inner,
                   struct km_str *ret_server)
{
    struct km_mcp_sealed state = { 0 };
    struct km_err err = { 0 };
    struct km_mcp_work *w;

    if (open_state(t, text, &state, &err) < 0) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "Invalid or expired requestState");
        return true;
    }
    if (!state.park) {
        *ret_inner = state.inner;
        *ret_server = state.server;
        return false;
    }
    w = state.worker == t->hub->w->index ? parked(t->hub, state.park) : NULL;
    if (!w || w->job.stream) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "Invalid or expired requestState");
        return true;
    }
    km_mcp_job_begin(&w->job, t->stream, km_arena_str(&w->call->arena, t->msg.id));
    if (w->kept) {
        let_go(w);
        return true;
    }
    if (!deliver(w, km_json_get(t->msg.params, "inputResponses")))
        return true;
    if (!km_list_empty(&w->questions))
        park(w);
    else
        km_mcp_flow_drop(&w->flow, KM_MCP_FLOW_parked);
    return true;
}

/* --- a stateless server's own --- */

void km_mcp_park_wrap(struct km_mcp_work *w, struct km_str json)
{
    static const struct km_str names[] = { { "requestState", 12 } };
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_arena *arena = &w->call->arena;
    struct km_mcp_sealed state = { .server = w->member->name };
    struct km_json_span span;
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_err err = { 0 };
    struct km_str *parts;
    size_t n;

    if (km_json_spans(json, names, 1, &span, &object, NULL) < 0 || span.type != KM_JSON_STRING) {
        km_mcp_work_raw(w, json);
        return;
    }
    km_mcp_approval_pass_on(w);
    w->word = "input_required";
    state.inner = km_json_text(arena, json, &span);
    state.ends_ms = km_loop_now_ms(w->hub->w->loop) + WRAPPED_MS;
    km_buf_byte(&b, '"');
    if (seal(w, &state, &b, &err) < 0) {
        km_mcp_work_text(w, "error", err.text);
        return;
    }
    km_buf_byte(&b, '"');
    km_json_edits_init(&edits, json, &object);
    km_json_replace(&edits, &span, km_arena_str(arena, km_buf_view(&b)));
    if (km_buf_failed(&b) || km_json_parts(&edits, arena, &parts, &n, NULL) < 0)
        km_mcp_work_text(w, "error", "out of memory");
    else
        km_mcp_work_raw(w, km_arena_cat(arena, parts, n));
}

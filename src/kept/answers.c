/* SPDX-License-Identifier: Apache-2.0 */
/* answers.c - the memory of the Responses API: previous_response_id, GET and DELETE.
 *
 *     answer ends -> record (all that was said, and the answer) -> store, sealed, 30 days
 *     previous_response_id -> record -> the request's body, whole -> goes on as any other
 *
 * Because the body is made whole before anything else looks at it, a conversation can move from
 * one model, deployment or provider to another, and limits and costs see what is really sent.
 * An id that is unknown, over, or another key's is the same 404.
 */
#include "kept/answers.h"

#include <stdlib.h>

#include "door/reply.h"
#include "llm/api/responses.h"
#include "store/answers.h"

#define KEPT_US (INT64_C(30) * 86400 * 1000000)

static const char note; /* its address is the tag of the call's note */

struct km_answers_note {
    struct km_str previous; /* an earlier answer was put in front: its id, as JSON */
    size_t said_before; /* items of `input` that came with it */
    bool kept; /* the answer was given to the store */
};

size_t km_answers_said_before(const struct km_call *call)
{
    const struct km_answers_note *n = km_call_note(call, &note);

    return n ? n->said_before : 0;
}

static int not_found(struct km_err *err, struct km_str id)
{
    int r = km_fail_param(err, KM_E_NOT_FOUND, "previous_response_id",
                          "Previous response with id '%.*s' not found.",
                          KM_STR_ARG(km_str_sub(id, 0, 100)));

    if (err)
        err->type = "invalid_request_error";
    return r;
}

/* --- going on --- */

static int go_on(struct km_call *call, struct km_str record, struct km_err *err)
{
    struct km_answers_note *n = km_call_make_note(call, &note, sizeof *n);
    struct km_str body;
    size_t said_before;
    int r = km_responses_continue(&call->req, record, &call->arena, &body, &said_before, err);

    if (r < 0)
        return r;
    if (!n || km_arena_overflowed(&call->arena))
        return km_fail(err, KM_E_NOMEM, "out of memory");
    n->said_before = said_before;
    n->previous = km_responses_value(&call->req, KM_R_PREVIOUS);
    call->body = body;
    return 0;
}

static void on_record(void *ctx, struct km_str record, const struct km_err *err)
{
    struct km_call *call = ctx;
    struct km_err why = { 0 };

    call->held = false;
    if (err && err->code == KM_E_NOT_FOUND)
        (void)not_found(&why, km_responses_previous(&call->req, &call->arena));
    else if (err)
        why = *err;
    else
        (void)go_on(call, record, &why);
    if (why.code < 0)
        km_call_fail(call, &why);
    else
        km_call_resume(call, 0);
}

static int recall(struct km_call *call, struct km_err *err)
{
    const struct km_answers_note *n = km_call_note(call, &note);
    struct km_str id;
    uint8_t owner[32];

    if (call->api != &km_api_responses)
        return KM_HOOK_PASS;
    if (n && n->previous.n) { /* it was: the answer names it again */
        call->req.previous = n->previous;
        return 0;
    }
    id = km_responses_previous(&call->req, &call->arena);
    if (!id.n)
        return 0;
    if (id.n > KM_ANSWERS_ID_BYTES)
        return not_found(err, id);
    km_visit_hash(call->visit, owner);
    call->held = true; /* the store answers in any case: nothing may move before */
    km_store_answer_get(call->w->gw->store, call->w->mailbox, id, owner, on_record, call);
    return KM_E_AGAIN;
}

const struct km_call_hook km_answers_hook = { .name = "answers_recall", .run = recall };

/* --- keeping --- */

static void keep(struct km_call *call, struct km_str response)
{
    struct km_answers_note *n = km_call_make_note(call, &note, sizeof *n);
    struct km_answer_row row = { .expires_us = call->start_us + KEPT_US };
    struct km_arena scratch KM_CLEANUP(km_arena_done);

    km_arena_init(&scratch, call->arena.cap, call->arena.pool);
    if (!n || n->kept)
        return;
    n->kept = true;
    row.id = km_responses_id(response, &scratch);
    if (!row.id.n || km_responses_record(&call->req, response, &scratch, &row.record, NULL) < 0)
        return;
    km_visit_hash(call->visit, row.owner);
    km_store_answer_put(call->w->gw->store, NULL, &row, NULL, NULL);
}

static void keep_last(struct km_call *call, struct km_str events)
{
    const struct km_str mark = KM_STR("data: ");
    struct km_str line, response;

    while (km_str_split(&events, '\n', &line)) {
        response =
            km_str_starts(line, mark) ? km_responses_final(km_str_skip(line, mark.n)) : KM_STR_NONE;
        if (response.n)
            keep(call, response);
    }
}

struct keeping {
    struct km_call *call;
    struct km_buf whole;
};

static void keeping_done(struct km_link *link)
{
    km_buf_done(&((struct keeping *)link->state)->whole);
}

/* A whole answer waits here until all of it has come. */
static int take(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct keeping *k = link->state;
    struct km_piece whole = { .what = KM_PIECE_BYTES, .bytes = km_buf_view(&k->whole) };
    int r = 0;

    if (piece->what == KM_PIECE_BYTES && k->call->nparts) {
        km_buf_str(&k->whole, piece->bytes);
        return km_buf_failed(&k->whole) ? km_fail(err, KM_E_NOMEM, "out of memory") : KM_UNIT_HOLD;
    }
    if (piece->what == KM_PIECE_END && whole.bytes.n) {
        if (km_str_starts(whole.bytes, KM_STR("{")))
            keep(k->call, whole.bytes);
        else
            keep_last(k->call, whole.bytes);
        r = km_link_emit(link, &whole, err);
    }
    if (piece->what == KM_PIECE_END || /* what was translated has its last event there */
        (piece->what == KM_PIECE_EVENT && piece->has_data && km_responses_may_be_last(piece->type)))
        keep_last(k->call, piece->bytes);
    return r < 0 ? r : KM_UNIT_PASS;
}

static const struct km_unit unit = { "answers_keep", sizeof(struct keeping), take, keeping_done };

static int join(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    struct km_link *link;
    struct keeping *k;

    if (call->api != &km_api_responses || call->kind->outer || !km_responses_stored(&call->req))
        return 0;
    link = km_chain_put(chain, &unit, NULL);
    k = link ? link->state : NULL;
    if (!k)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    k->call = call;
    km_buf_init(&k->whole, 2 * (size_t)call->visit->view->snap->gateway->response_bytes);
    return 0;
}

const struct km_call_unit km_answers_unit = { "answers_keep", KM_WIRE_RESPONSES, join };

/* --- by id --- */

/* A question of a visitor; the exchange outlives it or is gone. */
struct looking {
    struct km_visit *v; /* NULL: the client went away */
    struct km_str id;
};

static void on_gone(void *ctx)
{
    struct looking *l = ctx;
    struct km_exchange *x = l->v->x;

    l->v = NULL;
    km_exchange_abort(x);
}

static const struct km_exchange_events events = { .on_gone = on_gone };

static void refuse(struct km_visit *v, struct km_str id, const struct km_err *err)
{
    struct km_err why = *err;

    if (why.code == KM_E_NOT_FOUND) {
        km_fail(&why, KM_E_NOT_FOUND, "Response with id '%.*s' not found.",
                KM_STR_ARG(km_str_sub(id, 0, 100)));
        why.type = "invalid_request_error";
    }
    km_reply_error(v, &why);
}

static void on_found(void *ctx, struct km_str record, const struct km_err *err)
{
    struct looking *l = ctx;
    struct km_err why = { 0 };
    struct km_str response = KM_STR_NONE;

    if (l->v && err)
        refuse(l->v, l->id, err);
    else if (l->v && km_responses_recorded(record, &response, &why) < 0)
        km_reply_error(l->v, &why);
    else if (l->v)
        km_reply_json(l->v, 200, response);
    free(l);
}

static void on_deleted(void *ctx, const struct km_err *err)
{
    struct looking *l = ctx;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(4096);

    if (l->v && err) {
        refuse(l->v, l->id, err);
    } else if (l->v) {
        km_buf_str(&out, KM_STR("{\"id\":"));
        km_buf_json(&out, l->id);
        km_buf_str(&out, KM_STR(",\"object\":\"response\",\"deleted\":true}"));
        km_reply_json(l->v, 200, km_buf_view(&out));
    }
    free(l);
}

/* Reads the id and begins; NULL: the visitor has its answer already. */
static struct looking *look(struct km_visit *v, struct km_exchange *x,
                            const struct km_route_match *match)
{
    struct looking *l = calloc(1, sizeof *l);
    struct km_err err = { 0 };
    int r = l ? km_url_decode(km_exchange_arena(x), match->params[0], false, &l->id, &err)
              : km_fail(&err, KM_E_NOMEM, "out of memory");

    if (r < 0) {
        km_reply_error(v, &err);
        free(l);
        return NULL;
    }
    l->v = v;
    km_exchange_listen(x, &events, l);
    return l;
}

void km_answers_get(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct looking *l = look(v, x, match);
    uint8_t owner[32];

    if (!l)
        return;
    km_visit_hash(v, owner);
    km_store_answer_get(v->w->gw->store, v->w->mailbox, l->id, owner, on_found, l);
}

void km_answers_delete(void *visit, struct km_exchange *x, const struct km_route_match *match)
{
    struct km_visit *v = visit;
    struct looking *l = look(v, x, match);
    uint8_t owner[32];

    if (!l)
        return;
    km_visit_hash(v, owner);
    km_store_answer_delete(v->w->gw->store, v->w->mailbox, l->id, owner, on_deleted, l);
}

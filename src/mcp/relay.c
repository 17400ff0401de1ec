/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - see relay.h.
 *
 *     near desk                                   home desk
 *       km_relay_ask ──── START ────────────────>  km_job_start
 *       events <───────── NOTICE, QUESTION, DONE ─ events of the job
 *       km_relay_subscribe ── SUBSCRIBE ────────>  km_mcp_subscribe
 *       subscribed, updated <── SUBSCRIBED, UPDATED its two callbacks
 *       answer, note, cancel, forget ───────────>  the same of the job
 *
 * The relay is shared by both ends and by the messages under way, so it is counted.  Its arena is
 * filled before START is sent and only read afterwards; `ask` and what belongs to it is the near
 * end's alone, `job` and `subscription` the far end's.  A desk that is gone answers with CANCELED.
 */
#include "mcp/relay_part.h"

#include <stdlib.h>

/* --- the far end --- */

static void far_notice(void *ctx, struct km_str method, struct km_str params)
{
    (void)km_relay_send(ctx, KM_RELAY_NOTICE, method, params);
}

static void far_question(void *ctx, uint64_t question, struct km_str method, struct km_str params)
{
    struct km_relay_message *m = km_relay_message(ctx, KM_RELAY_QUESTION, method, params);

    m->number = question;
    (void)km_relay_post(m);
}

static void far_withdrawn(void *ctx, uint64_t question)
{
    struct km_relay_message *m =
        km_relay_message(ctx, KM_RELAY_WITHDRAWN, KM_STR_NONE, KM_STR_NONE);

    m->number = question;
    (void)km_relay_post(m);
}

/* what: DONE or SUBSCRIBED. */
static void send_answer(struct km_relay *r, enum km_relay_what what,
                        const struct km_mcp_answer *answer)
{
    struct km_relay_message *m = km_relay_message(r, what, answer->json, answer->challenge);

    m->kind = answer->kind;
    m->flag = answer->maybe_executed;
    m->unproved = answer->unproved;
    m->sent = answer->sent;
    m->unasked = answer->unasked;
    m->http = answer->http;
    m->revision = answer->revision;
    if (answer->err)
        m->err = *answer->err;
    (void)km_relay_post(m);
}

static void far_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_relay *r = ctx;

    r->job = NULL;
    send_answer(r, KM_RELAY_DONE, answer);
    km_relay_unref(r); /* the job's */
}

static void fail(struct km_relay *r, enum km_relay_what what, const struct km_err *err)
{
    send_answer(r, what, &(struct km_mcp_answer){ .kind = KM_MCP_FAILED, .err = err });
}

static void far_start(struct km_mcp_desk *d, struct km_relay *r)
{
    static const struct km_mcp_ask_events all = { .on_notice = far_notice,
                                                  .on_question = far_question,
                                                  .on_withdrawn = far_withdrawn,
                                                  .on_done = far_done };
    static const struct km_mcp_ask_events mute = { .on_notice = far_notice, .on_done = far_done };
    const struct km_mcp_ask_args args = { .upstream = r->upstream,
                                          .asker = r->nobody ? NULL : &r->asker,
                                          .method = r->method,
                                          .params = r->params,
                                          .timeout_ms = r->timeout_ms,
                                          .times = r->times,
                                          .events = r->can_ask ? &all : &mute,
                                          .ctx = r };
    struct km_err err = { 0 };

    r->refs++;
    r->job = km_job_start(d, &(struct km_job_args){ .ask = &args, .own = r->own }, &err);
    if (r->job)
        return;
    km_relay_unref(r);
    fail(r, KM_RELAY_DONE, &err);
}

static void far_updated(void *ctx, struct km_str uri, struct km_str params)
{
    (void)km_relay_send(ctx, KM_RELAY_UPDATED, uri, params);
}

static void far_subscribed(void *ctx, const struct km_mcp_answer *answer)
{
    send_answer(ctx, KM_RELAY_SUBSCRIBED, answer);
}

static void far_subscribe(struct km_mcp_desk *d, struct km_relay *r)
{
    const struct km_mcp_subscribe_args args = { .upstream = r->upstream,
                                                .asker = &r->asker,
                                                .uri = r->uri,
                                                .updated = far_updated,
                                                .subscribed = far_subscribed,
                                                .ctx = r,
                                                .relayed = true };
    struct km_err err;

    r->subscription = km_mcp_subscribe(d, &args);
    km_fail(&err, KM_E_OVERLOADED, "too many subscriptions are open");
    if (!r->subscription)
        fail(r, KM_RELAY_SUBSCRIBED, &err);
}

/* The job of a relay will not call back any more. */
static void drop_job(struct km_relay *r)
{
    if (!r->job)
        return;
    r->job = NULL;
    km_relay_unref(r);
}

static void on_far(struct km_mcp_desk *d, struct km_relay *r, const struct km_relay_message *m)
{
    switch (m->what) {
    case KM_RELAY_START:
        far_start(d, r);
        break;
    case KM_RELAY_ANSWER:
        if (r->job)
            km_job_answer(r->job, m->number, m->flag, m->a);
        break;
    case KM_RELAY_NOTE:
        if (r->job)
            km_job_note(r->job, m->a, m->b);
        break;
    case KM_RELAY_CANCEL:
        if (r->job)
            km_job_cancel(r->job, m->a);
        drop_job(r);
        break;
    case KM_RELAY_FORGET:
        if (r->job)
            km_job_forget(r->job);
        drop_job(r);
        break;
    case KM_RELAY_SUBSCRIBE:
        far_subscribe(d, r);
        break;
    case KM_RELAY_UNSUBSCRIBE:
        km_mcp_unsubscribe(r->subscription);
        r->subscription = NULL;
        break;
    default:
        km_mcp_tell(d, r->upstream, &r->asker, r->method, r->params);
    }
}

/* --- the near end --- */

static struct km_mcp_answer answer_of(const struct km_relay_message *m)
{
    return (struct km_mcp_answer){ .kind = m->kind,
                                   .json = m->a,
                                   .challenge = m->b,
                                   .revision = m->revision,
                                   .err = m->kind == KM_MCP_FAILED ? &m->err : NULL,
                                   .maybe_executed = m->flag,
                                   .unproved = m->unproved,
                                   .sent = m->sent,
                                   .unasked = m->unasked,
                                   .http = m->http };
}

static void near_done(struct km_relay *r, const struct km_relay_message *m)
{
    const struct km_mcp_answer answer = answer_of(m);
    const struct km_mcp_ask_events *events = r->events;
    void *ctx = r->ctx;

    km_relay_leave(r); /* the message holds it still */
    events->on_done(ctx, &answer);
}

static void near_subscribed(struct km_relay *r, const struct km_relay_message *m)
{
    const struct km_mcp_answer answer = answer_of(m);
    km_mcp_subscribed_fn *fn = r->subscribed;

    r->subscribed = NULL;
    if (fn)
        fn(r->ctx, &answer);
}

static void on_near(struct km_relay *r, const struct km_relay_message *m)
{
    if (m->what == KM_RELAY_SUBSCRIBED) {
        near_subscribed(r, m);
        return;
    }
    if (m->what == KM_RELAY_UPDATED) {
        if (r->updated)
            r->updated(r->ctx, m->a, m->b);
        return;
    }
    if (!r->events)
        return;
    if (m->what == KM_RELAY_NOTICE && r->events->on_notice)
        r->events->on_notice(r->ctx, m->a, m->b);
    else if (m->what == KM_RELAY_QUESTION)
        r->events->on_question(r->ctx, m->number, m->a, m->b);
    else if (m->what == KM_RELAY_WITHDRAWN && r->events->on_withdrawn)
        r->events->on_withdrawn(r->ctx, m->number);
    else if (m->what == KM_RELAY_DONE)
        near_done(r, m);
}

void km_relay_message_in(struct km_msg *msg, void *owner)
{
    struct km_relay_message *m = (struct km_relay_message *)(void *)msg;
    struct km_relay *r = m->relay;
    struct km_mcp_desk *d;
    struct km_err err;

    (void)owner;
    if (m->what >= KM_RELAY_NOTICE) {
        on_near(r, m);
    } else {
        pthread_mutex_lock(&r->ups->lock);
        d = r->ups->desks[r->far]; /* on its own loop: nobody frees it meanwhile */
        pthread_mutex_unlock(&r->ups->lock);
        km_fail(&err, KM_E_CANCELED, "the gateway is ending");
        if (d)
            on_far(d, r, m);
        else if (m->what == KM_RELAY_START || m->what == KM_RELAY_SUBSCRIBE)
            fail(r, m->what == KM_RELAY_START ? KM_RELAY_DONE : KM_RELAY_SUBSCRIBED, &err);
    }
    free(m);
    km_relay_unref(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - see relay.h.
 *
 *     near desk                                   home desk
 *       km_relay_ask ──── START ────────────────>  km_job_start
 *       events <───────── NOTICE, QUESTION, DONE ─ events of the job
 *       answer, note, cancel, forget ───────────>  the same of the job
 *
 * The relay is shared by both ends and by the messages under way, so it is counted.  Its arena is
 * filled before START is sent and only read afterwards; `ask` and what belongs to it is the near
 * end's alone, `job` and `subscription` the far end's.  A desk that is gone answers with CANCELED.
 */
#include "mcp/relay.h"

#include <stdlib.h>

#include "base/hash.h"

#define ARENA_BYTES (2 * KM_MCP_MESSAGE_BYTES)

enum what {
    START,
    ANSWER,
    NOTE,
    CANCEL,
    FORGET,
    SUBSCRIBE,
    UNSUBSCRIBE,
    TELL,
    /* to the near end */
    NOTICE,
    QUESTION,
    WITHDRAWN,
    DONE,
    UPDATED,
};

struct km_relay {
    _Atomic unsigned refs;
    struct km_mcp_upstreams *ups;
    size_t near, far; /* desks */
    struct km_arena arena; /* read only once START is sent */
    struct km_mcp_upstream *upstream;
    struct km_mcp_asker asker;
    bool nobody; /* asker is NULL */
    bool own, can_ask;
    struct km_str method, params, uri;
    uint64_t timeout_ms;
    /* near */
    struct km_list link; /* of the desk */
    const struct km_mcp_ask_events *events; /* NULL: gone */
    km_mcp_updated_fn *updated; /* NULL: gone */
    void *ctx;
    /* far */
    struct km_job *job;
    struct km_mcp_subscription *subscription;
};

struct message {
    struct km_msg msg;
    struct km_relay *relay;
    enum what what;
    uint64_t number;
    bool flag;
    enum km_mcp_answer_kind kind;
    struct km_err err;
    struct km_str a, b; /* in bytes */
    char bytes[];
};

/* The static analyzer takes each of these for the last, so it is not shown what it does. */
void km_relay_unref(struct km_relay *r);

#ifndef __clang_analyzer__
void km_relay_unref(struct km_relay *r)
{
    if (--r->refs > 0)
        return;
    km_mcp_upstream_unref(r->upstream);
    km_arena_done(&r->arena);
    free(r);
}
#endif

static void on_message(struct km_msg *msg, void *owner);

static struct message *message_new(struct km_relay *r, enum what what, struct km_str a,
                                   struct km_str b)
{
    struct message *m = calloc(1, sizeof *m + a.n + b.n);

    km_assert(m != NULL); /* without it the asker could never be answered */
    m->msg.run = on_message;
    m->relay = r;
    m->what = what;
    m->a = km_str(m->bytes, a.n);
    m->b = km_str(m->bytes + a.n, b.n);
    if (a.n)
        memcpy(m->bytes, a.p, a.n);
    if (b.n)
        memcpy(m->bytes + a.n, b.p, b.n);
    r->refs++;
    return m;
}

/* false: that desk is gone, and so is the message. */
static bool post(struct message *m)
{
    struct km_relay *r = m->relay;
    struct km_mcp_upstreams *ups = r->ups;
    struct km_mcp_desk *d;

    pthread_mutex_lock(&ups->lock);
    d = ups->desks[m->what >= NOTICE ? r->near : r->far];
    if (d)
        km_mailbox_post(d->mailbox, &m->msg);
    pthread_mutex_unlock(&ups->lock);
    if (d)
        return true;
    free(m);
    km_relay_unref(r);
    return false;
}

static bool send_words(struct km_relay *r, enum what what, struct km_str a, struct km_str b)
{
    return post(message_new(r, what, a, b));
}

/* --- the far end --- */

static void far_notice(void *ctx, struct km_str method, struct km_str params)
{
    (void)send_words(ctx, NOTICE, method, params);
}

static void far_question(void *ctx, uint64_t question, struct km_str method, struct km_str params)
{
    struct message *m = message_new(ctx, QUESTION, method, params);

    m->number = question;
    (void)post(m);
}

static void far_withdrawn(void *ctx, uint64_t question)
{
    struct message *m = message_new(ctx, WITHDRAWN, KM_STR_NONE, KM_STR_NONE);

    m->number = question;
    (void)post(m);
}

static void send_done(struct km_relay *r, const struct km_mcp_answer *answer)
{
    struct message *m = message_new(r, DONE, answer->json, answer->challenge);

    m->kind = answer->kind;
    m->flag = answer->maybe_executed;
    if (answer->err)
        m->err = *answer->err;
    (void)post(m);
}

static void far_done(void *ctx, const struct km_mcp_answer *answer)
{
    struct km_relay *r = ctx;

    r->job = NULL;
    send_done(r, answer);
    km_relay_unref(r); /* the job's */
}

static void fail(struct km_relay *r, const struct km_err *err)
{
    send_done(r, &(struct km_mcp_answer){ .kind = KM_MCP_FAILED, .err = err });
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
                                          .events = r->can_ask ? &all : &mute,
                                          .ctx = r };
    struct km_err err = { 0 };

    r->refs++;
    r->job = km_job_start(d, &(struct km_job_args){ .ask = &args, .own = r->own }, &err);
    if (r->job)
        return;
    km_relay_unref(r);
    fail(r, &err);
}

static void far_updated(void *ctx, struct km_str uri, struct km_str params)
{
    (void)send_words(ctx, UPDATED, uri, params);
}

/* The job of a relay will not call back any more. */
static void drop_job(struct km_relay *r)
{
    if (!r->job)
        return;
    r->job = NULL;
    km_relay_unref(r);
}

static void on_far(struct km_mcp_desk *d, struct km_relay *r, const struct message *m)
{
    switch (m->what) {
    case START:
        far_start(d, r);
        break;
    case ANSWER:
        if (r->job)
            km_job_answer(r->job, m->number, m->flag, m->a);
        break;
    case NOTE:
        if (r->job)
            km_job_note(r->job, m->a, m->b);
        break;
    case CANCEL:
        if (r->job)
            km_job_cancel(r->job, m->a);
        drop_job(r);
        break;
    case FORGET:
        if (r->job)
            km_job_forget(r->job);
        drop_job(r);
        break;
    case SUBSCRIBE:
        r->subscription = km_mcp_subscribe(d, r->upstream, &r->asker, r->uri, far_updated, r);
        break;
    case UNSUBSCRIBE:
        km_mcp_unsubscribe(r->subscription);
        r->subscription = NULL;
        break;
    default:
        km_mcp_tell(d, r->upstream, &r->asker, r->method, r->params);
    }
}

/* --- the near end --- */

/* The asker will not be called any more. */
static void leave(struct km_relay *r)
{
    km_list_remove(&r->link);
    r->events = NULL;
    r->updated = NULL;
    km_relay_unref(r);
}

static void near_done(struct km_relay *r, const struct message *m)
{
    const struct km_mcp_answer answer = { .kind = m->kind,
                                          .json = m->a,
                                          .challenge = m->b,
                                          .err = m->kind == KM_MCP_FAILED ? &m->err : NULL,
                                          .maybe_executed = m->flag };
    const struct km_mcp_ask_events *events = r->events;
    void *ctx = r->ctx;

    leave(r); /* the message holds it still */
    events->on_done(ctx, &answer);
}

static void on_near(struct km_relay *r, const struct message *m)
{
    if (m->what == UPDATED) {
        if (r->updated)
            r->updated(r->ctx, m->a, m->b);
        return;
    }
    if (!r->events)
        return;
    if (m->what == NOTICE && r->events->on_notice)
        r->events->on_notice(r->ctx, m->a, m->b);
    else if (m->what == QUESTION)
        r->events->on_question(r->ctx, m->number, m->a, m->b);
    else if (m->what == WITHDRAWN && r->events->on_withdrawn)
        r->events->on_withdrawn(r->ctx, m->number);
    else if (m->what == DONE)
        near_done(r, m);
}

static void on_message(struct km_msg *msg, void *owner)
{
    struct message *m = (struct message *)(void *)msg;
    struct km_relay *r = m->relay;
    struct km_mcp_desk *d;
    struct km_err err;

    (void)owner;
    if (m->what >= NOTICE) {
        on_near(r, m);
    } else {
        pthread_mutex_lock(&r->ups->lock);
        d = r->ups->desks[r->far]; /* on its own loop: nobody frees it meanwhile */
        pthread_mutex_unlock(&r->ups->lock);
        km_fail(&err, KM_E_CANCELED, "the gateway is ending");
        if (d)
            on_far(d, r, m);
        else if (m->what == START)
            fail(r, &err);
    }
    free(m);
    km_relay_unref(r);
}

static size_t home_of(const struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    return km_crc32(0, u->name.p, u->name.n) % d->ups->ndesks;
}

bool km_relay_needed(const struct km_mcp_desk *d, const struct km_mcp_upstream *u)
{
    return u->transport == KM_MCP_STDIO && home_of(d, u) != d->index;
}

static void copy_asker(struct km_relay *r, const struct km_mcp_asker *asker)
{
    struct km_arena *a = &r->arena;
    size_t n = asker && asker->headers ? asker->headers->n : 0;
    struct km_headers *headers = km_arena_zalloc(a, sizeof *headers);
    struct km_header *v = km_arena_zalloc(a, (n + 1) * sizeof *v);

    r->nobody = !asker;
    if (!asker || !headers || !v)
        return;
    for (size_t i = 0; i < n; i++) {
        v[i].name = km_arena_str(a, asker->headers->v[i].name);
        v[i].value = km_arena_str(a, asker->headers->v[i].value);
    }
    *headers = (struct km_headers){ v, n };
    r->asker = (struct km_mcp_asker){ .principal = km_arena_str(a, asker->principal),
                                      .capabilities = km_arena_str(a, asker->capabilities),
                                      .log_level = km_arena_str(a, asker->log_level),
                                      .session = km_arena_str(a, asker->session),
                                      .headers = headers };
}

static struct km_relay *relay_new(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                                  const struct km_mcp_asker *asker, struct km_str method,
                                  struct km_str params)
{
    struct km_relay *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->refs = 1;
    r->ups = d->ups;
    r->near = d->index;
    r->far = home_of(d, u);
    r->upstream = km_mcp_upstream_ref(u);
    km_list_init(&r->link);
    km_arena_init(&r->arena, ARENA_BYTES, NULL);
    copy_asker(r, asker);
    r->method = km_arena_str(&r->arena, method);
    r->params = km_arena_str(&r->arena, params);
    if (!km_arena_overflowed(&r->arena))
        return r;
    km_relay_unref(r);
    return NULL;
}

struct km_relay *km_relay_ask(struct km_mcp_desk *d, const struct km_mcp_ask_args *args, bool own)
{
    struct km_relay *r = relay_new(d, args->upstream, args->asker, args->method, args->params);

    if (!r)
        return NULL;
    r->own = own;
    r->can_ask = args->events->on_question != NULL;
    r->timeout_ms = args->timeout_ms;
    r->events = args->events;
    r->ctx = args->ctx;
    km_list_push(&d->relays, &r->link);
    if (send_words(r, START, KM_STR_NONE, KM_STR_NONE))
        return r;
    leave(r);
    return NULL;
}

void km_relay_answer(struct km_relay *r, uint64_t question, bool is_error, struct km_str json)
{
    struct message *m = message_new(r, ANSWER, json, KM_STR_NONE);

    m->number = question;
    m->flag = is_error;
    (void)post(m);
}

void km_relay_note(struct km_relay *r, struct km_str method, struct km_str params)
{
    (void)send_words(r, NOTE, method, params);
}

void km_relay_cancel(struct km_relay *r, struct km_str reason)
{
    (void)send_words(r, CANCEL, reason, KM_STR_NONE);
    leave(r);
}

void km_relay_forget(struct km_relay *r)
{
    (void)send_words(r, FORGET, KM_STR_NONE, KM_STR_NONE);
    leave(r);
}

struct km_relay *km_relay_subscribe(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                                    const struct km_mcp_asker *asker, struct km_str uri,
                                    km_mcp_updated_fn *fn, void *ctx)
{
    struct km_relay *r = relay_new(d, u, asker, KM_STR_NONE, KM_STR_NONE);

    if (!r)
        return NULL;
    r->uri = km_arena_str(&r->arena, uri);
    r->updated = fn;
    r->ctx = ctx;
    if (send_words(r, SUBSCRIBE, KM_STR_NONE, KM_STR_NONE))
        return r;
    leave(r);
    return NULL;
}

void km_relay_unsubscribe(struct km_relay *r)
{
    (void)send_words(r, UNSUBSCRIBE, KM_STR_NONE, KM_STR_NONE);
    leave(r);
}

void km_relay_tell(struct km_mcp_desk *d, struct km_mcp_upstream *u,
                   const struct km_mcp_asker *asker, struct km_str method, struct km_str params)
{
    struct km_relay *r = relay_new(d, u, asker, method, params);

    if (!r)
        return;
    (void)send_words(r, TELL, KM_STR_NONE, KM_STR_NONE);
    km_relay_unref(r);
}

void km_relay_end_all(struct km_mcp_desk *d)
{
    struct km_list *node;
    struct km_err err;

    km_fail(&err, KM_E_CANCELED, "the gateway is ending");
    while ((node = km_list_pop(&d->relays)) != NULL) {
        struct km_relay *r = KM_CONTAINER(node, struct km_relay, link);
        const struct km_mcp_ask_events *events = r->events;
        void *ctx = r->ctx;

        leave(r);
        events->on_done(ctx, &(struct km_mcp_answer){ .kind = KM_MCP_FAILED, .err = &err });
    }
}

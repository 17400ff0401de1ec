/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - the life of a job, and what its asker does to it (remote.h).
 *
 *     km_job_start ─> waiting ── remote is ready ──> running (id, timer) ──> on_done
 *                        │                            │  server asks: question, timer stands
 *                        └──────── remote is over ──────┴─> on_done FAILED
 *
 * Time is counted from the last word about a job, and of all of it together; both stand still while
 * its asker is asked something: a person may think for a while.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "mcp/asker.h"
#include "mcp/desk.h"
#include "mcp/oauth/oauth.h"

#define JOB_BYTES (3 * KM_MCP_MESSAGE_BYTES) /* params, values, and the little else */

struct km_job *km_remote_job(struct km_remote *p, uint64_t id)
{
    KM_LIST_EACH(it, &p->running[id % KM_REMOTE_BUCKETS])
    {
        struct km_job *j = KM_CONTAINER(it, struct km_job, link);

        if (j->id == id)
            return j;
    }
    return NULL;
}

void km_remote_question_free(struct km_remote_question *q)
{
    km_buf_done(&q->id);
    km_buf_done(&q->method);
    km_buf_done(&q->params);
    free(q);
}

static void job_free(struct km_job *j)
{
    struct km_arena arena = j->arena;
    struct km_list *node;

    km_timer_stop(&j->timer);
    km_deferred_cancel(&j->later);
    km_mcp_auth_unref(j->auth);
    while ((node = km_list_pop(&j->questions)) != NULL)
        km_remote_question_free(KM_CONTAINER(node, struct km_remote_question, link));
    km_arena_done(&arena);
}

/* Out of its remote's lists. */
void km_job_unhook(struct km_job *j)
{
    struct km_remote *p = j->remote;

    km_list_remove(&j->link);
    km_list_remove(&j->order);
    j->remote = NULL;
    if (!p)
        return;
    if (!j->own) { /* whether it lives is asked all the time */
        p->upstream->live->asks--;
        p->idle_since_ms = km_loop_now_ms(p->desk->loop);
    }
    if (--p->njobs > 0)
        return;
    if (p->state == KM_REMOTE_OVER)
        km_deferred_queue(&p->end);
    else if (p->stuck) /* others work for its callers, and nobody waits for it any more */
        km_remote_retire(p);
}

void km_job_done(struct km_job *j, const struct km_mcp_answer *answer)
{
    if (j->remote && j->remote->state == KM_REMOTE_READY)
        km_remote_ask_others(j->remote, j);
    km_job_unhook(j);
    km_timer_stop(&j->timer);
    if (!j->forgotten)
        j->events->on_done(j->ctx, answer);
    job_free(j);
}

void km_job_fail(struct km_job *j, const struct km_err *err, bool maybe_executed)
{
    struct km_mcp_answer answer = { .kind = KM_MCP_FAILED,
                                    .err = err,
                                    .maybe_executed = maybe_executed && j->id != 0,
                                    .sent = maybe_executed && j->id != 0,
                                    .unasked = j->unasked,
                                    .unproved = j->unproved || (j->remote && j->remote->unproved) };

    km_job_done(j, &answer);
}

static void on_later(void *ctx)
{
    struct km_job *j = ctx;
    const struct km_err err = j->err;
    struct km_mcp_answer hello = { .kind = KM_MCP_RESULT };

    if (!j->hello) {
        km_job_fail(j, &err, false);
        return;
    }
    hello.json = km_buf_view(&j->remote->hello);
    km_job_done(j, &hello);
}

static void fail_later(struct km_job *j, const struct km_err *err)
{
    j->err = *err;
    km_deferred_queue(&j->later);
}

/* What went by is taken of the call's time, which runs on, or stands still. */
static void look_at_time(struct km_job *j, uint64_t now_ms, bool runs)
{
    const uint64_t used = j->looked_ms ? now_ms - j->looked_ms : 0;

    if (j->left_ms == UINT64_MAX)
        return;
    j->left_ms -= used < j->left_ms ? used : j->left_ms;
    j->looked_ms = runs ? now_ms : 0;
}

/* Until its server says something. */
static uint64_t patience(const struct km_job *j)
{
    return !j->spoken && j->first_ms ? j->first_ms : j->timeout_ms;
}

void km_job_heard(struct km_job *j)
{
    const bool runs = km_list_empty(&j->questions);
    uint64_t wait = patience(j);

    if (j->remote) {
        j->heard_ms = km_loop_now_ms(j->remote->desk->loop);
        look_at_time(j, j->heard_ms, runs);
    }
    if (j->left_ms != UINT64_MAX && (!wait || j->left_ms < wait))
        wait = j->left_ms ? j->left_ms : 1;
    if (wait && runs)
        km_timer_start(&j->timer, wait);
    else
        km_timer_stop(&j->timer);
    j->answering = j->spoken;
    j->spoken = true;
}

static void withdraw(struct km_job *j, struct km_str reason);

static void say_late(struct km_job *j, struct km_err *err)
{
    const struct km_str name = j->remote->upstream->name;

    look_at_time(j, km_loop_now_ms(j->remote->desk->loop), true);
    if (j->left_ms == 0)
        km_fail(err, KM_E_UPSTREAM_TIMEOUT, "'%.*s' took longer than its call_timeout",
                KM_STR_ARG(name));
    else if (!j->answering && j->first_ms)
        km_fail(err, KM_E_UPSTREAM_TIMEOUT, "'%.*s' did not begin to answer within %llu ms",
                KM_STR_ARG(name), (unsigned long long)j->first_ms);
    else
        km_fail(err, KM_E_UPSTREAM_TIMEOUT, "'%.*s' said nothing for %llu ms", KM_STR_ARG(name),
                (unsigned long long)j->timeout_ms);
}

static void on_timeout(void *ctx)
{
    struct km_job *j = ctx;
    struct km_err err;

    if (km_hold_rested(j))
        return;
    if (j->settles) {
        j->settles = false;
        km_remote_run(j->remote);
        return;
    }
    say_late(j, &err);
    withdraw(j, KM_STR("timed out"));
    km_job_fail(j, &err, true);
}

static struct km_job *job_new(struct km_mcp_desk *desk, const struct km_job_args *args)
{
    const struct km_mcp_ask_args *a = args->ask;
    static const struct km_mcp_asker nobody = { 0 };
    const struct km_mcp_asker *who = a->asker ? a->asker : &nobody;
    struct km_buf values KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);
    struct km_arena arena;
    struct km_job *j;

    km_asker_values(a->upstream, who, &values);
    km_arena_init(&arena, JOB_BYTES, km_loop_arenas(desk->loop));
    j = km_arena_zalloc(&arena, sizeof *j);
    if (j) {
        j->method = km_arena_str(&arena, a->method);
        j->params = km_arena_str(&arena, a->params);
        j->principal = km_arena_str(&arena, who->principal);
        j->session = km_arena_str(&arena, who->session);
        j->log_level = km_arena_str(&arena, who->log_level);
        j->values = km_arena_str(&arena, km_buf_view(&values));
    }
    if (!j || km_arena_overflowed(&arena)) {
        km_arena_done(&arena);
        return NULL;
    }
    j->arena = arena;
    km_list_init(&j->link);
    km_list_init(&j->order);
    km_list_init(&j->questions);
    j->events = a->events;
    j->ctx = a->ctx;
    j->own = args->own;
    j->timeout_ms = a->times.silent_ms ? a->times.silent_ms : a->timeout_ms;
    if (!j->timeout_ms)
        j->timeout_ms = (uint64_t)a->upstream->entry->timeout_ms;
    j->first_ms = a->times.first_ms;
    j->left_ms = a->times.call_ms ? a->times.call_ms : UINT64_MAX;
    km_timer_init(&j->timer, desk->loop, on_timeout, j);
    km_deferred_init(&j->later, desk->loop, on_later, j);
    return j;
}

bool km_job_same(const struct km_job *j, struct km_str principal, struct km_str session)
{
    return session.n && km_str_eq(j->session, session) && km_str_eq(j->principal, principal);
}

uint64_t km_job_whose(struct km_str principal, struct km_str session)
{
    const struct km_hash_seed seed = { 1, 2 }; /* ids of sessions are random already */

    if (!session.n)
        return 0;
    return km_hash(&(struct km_hash_seed){ km_hash(&seed, principal), 3 }, session) | 1;
}

static void count_user(struct km_remote *p, struct km_str principal)
{
    if (p->users == 0) {
        p->user = km_arena_str(&p->arena, principal);
        p->users = p->user.n == principal.n ? 1 : 2; /* no memory: nobody knows who it is */
    } else if (p->users == 1 && !km_str_eq(p->user, principal)) {
        p->users = 2;
    }
}

void km_job_hook(struct km_remote *p, struct km_job *j)
{
    if (!j->own && j->session.n)
        p->last = km_job_whose(j->principal, j->session);
    if (!j->own && j->principal.n) /* else it is kanmon's */
        count_user(p, j->principal);
    if (j->auth && j->auth != p->auth) { /* what the session does by itself is by the newest */
        km_mcp_auth_unref(p->auth);
        p->auth = km_mcp_auth_ref(j->auth);
        p->asker.subject = km_mcp_auth_subject(p->auth);
    }
    j->remote = p;
    j->id = 0;
    p->njobs++;
    p->upstream->live->asks += !j->own;
    km_list_push(&p->waiting, &j->link);
    if (p->state == KM_REMOTE_READY)
        km_remote_run(p);
}

/* By what this very asker came with: others of its session may have come with something newer. */
static int take_auth(struct km_job *j, const struct km_mcp_upstream *u,
                     const struct km_mcp_asker *asker, struct km_err *err)
{
    if (!asker || !u->oauth || !km_mcp_oauth_exchanges(u->oauth))
        return 0;
    j->auth = km_mcp_oauth_auth(u->oauth, asker->principal, asker->subject, err);
    return j->auth ? 0 : err->code;
}

struct km_job *km_job_start(struct km_mcp_desk *desk, const struct km_job_args *args,
                            struct km_err *err)
{
    struct km_mcp_upstream *u = args->ask->upstream;
    uint8_t key[KM_MCP_KEY];
    struct km_job *j = job_new(desk, args);
    struct km_remote *p = NULL;
    KM_ERR_NONE(why);

    if (!j) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    if (take_auth(j, u, args->ask->asker, &why) < 0 ||
        km_asker_key(u, args->ask->asker, key, &why) < 0) {
        j->unproved = true;
        fail_later(j, &why);
    } else if (args->own && args->ask->asker && (p = km_desk_standing(desk, u, key))) {
        km_job_hook(p, j); /* it asks its client nothing: whoever works there */
    } else if (args->ask->standing) {
        km_fail(&why, KM_E_CANCELED, "the session with '%.*s' is over", KM_STR_ARG(u->name));
        fail_later(j, &why);
    } else if (km_desk_remote(desk, u, args->ask->asker, key, &p, &why) < 0) {
        j->unproved = km_desk_is_askers(&why);
        j->unasked = true;
        if (!km_hold_rest(desk, j, u, args->ask->asker, key, &why))
            fail_later(j, &why);
    } else {
        km_job_hook(p, j);
    }
    return j;
}

struct km_job *km_remote_listen(struct km_remote *p, struct km_str params,
                                const struct km_mcp_ask_events *events)
{
    const struct km_mcp_ask_args ask = { .upstream = p->upstream,
                                         .method = KM_STR("subscriptions/listen"),
                                         .params = params,
                                         .events = events,
                                         .ctx = p };
    struct km_job *j = job_new(p->desk, &(struct km_job_args){ .ask = &ask, .own = true });

    if (!j)
        return NULL;
    j->timeout_ms = 0;
    km_job_hook(p, j);
    return j;
}

bool km_remote_declares(const struct km_remote *p)
{
    return memcmp(p->own, p->base, KM_MCP_KEY) != 0;
}

bool km_remote_idle(const struct km_remote *p)
{
    return p->njobs == (p->listening ? 1 : 0);
}

static void run(struct km_remote *p, struct km_job *j)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_buf greeting KM_CLEANUP(km_buf_done) = KM_BUF((size_t)1024 * 1024);
    bool discovers =
        p->revision->era == KM_MCP_HANDSHAKE && km_str_eq(j->method, KM_STR("server/discover"));
    struct km_err err;

    km_list_remove(&j->link);
    if (!j->own && km_remote_others(p, j->principal, j->session)) {
        km_fail(&err, KM_E_OVERLOADED,
                "'%.*s' works with another client's roots, and has no room for another process",
                KM_STR_ARG(p->upstream->name));
        km_list_push(&p->order, &j->order);
        fail_later(j, &err);
        return;
    }
    if (discovers && p->upstream->builtin) { /* one of our own says what it knows now, if greeted */
        km_remote_greeting(p, &greeting);
        j->method = KM_STR("initialize");
        j->params = km_arena_str(&j->arena, km_buf_view(&greeting));
    } else if (discovers) {
        j->hello = true; /* what it said of itself in the handshake */
        km_list_push(&p->order, &j->order);
        km_deferred_queue(&j->later);
        return;
    }
    j->id = ++p->next_id;
    km_remote_message(p, j->id, j->method, j->params, j->log_level, &text, &j->token);
    km_remote_head(p, j->method, j->params, &head);
    km_list_push(&p->running[j->id % KM_REMOTE_BUCKETS], &j->link);
    km_list_push(&p->order, &j->order);
    if (km_buf_failed(&text) || km_buf_failed(&head)) {
        km_fail(&err, KM_E_LIMIT, "the request is over %zu bytes", KM_MCP_MESSAGE_BYTES);
        fail_later(j, &err);
        return;
    }
    km_hold_sent(p, j);
    km_remote_transmit(p, j->id, j->method, &text, km_buf_view(&head), j);
    if (discovers) { /* it begins anew with that as well */
        p->log_level = 0;
        km_remote_level(p, KM_STR_NONE);
    }
    j->spoken = false;
    km_job_heard(j);
}

void km_remote_run(struct km_remote *p)
{
    km_remote_ask_next(p);
    KM_LIST_EACH(it, &p->waiting)
    {
        struct km_job *j = KM_CONTAINER(it, struct km_job, link);

        if (p->state == KM_REMOTE_READY && km_list_empty(&j->questions) && !j->settles &&
            !km_hear_waits(p, j->log_level) && !km_hold_waits(p, j))
            run(p, j);
    }
    if (p->state == KM_REMOTE_READY && !p->listed) {
        p->listed = true;
        km_refresh_ready(p);
    }
    km_remote_ask_held(p);
}

/* --- what the asker does --- */

void km_job_ask(struct km_job *j, struct km_remote_question *q)
{
    static const char none[] = "{\"code\":-32601,\"message\":\"Method not found\"}";
    struct km_remote *p = j->remote;

    if (j->forgotten || !j->events->on_question || j->nquestions == KM_MCP_QUESTIONS) {
        km_remote_reply(p, km_buf_view(&q->id), true, km_str_c(none));
        km_remote_question_free(q);
        return;
    }
    j->nquestions++;
    if (km_str_eq(km_buf_view(&q->method), KM_STR("roots/list")))
        km_remote_bind(p, j);
    q->number = ++p->next_question;
    km_list_push(&j->questions, &q->link);
    km_job_heard(j);
    j->events->on_question(j->ctx, q->number, km_buf_view(&q->method), km_buf_view(&q->params));
}

void km_job_answer(struct km_job *j, uint64_t question, bool is_error, struct km_str json)
{
    KM_LIST_EACH(it, &j->questions)
    {
        struct km_remote_question *q = KM_CONTAINER(it, struct km_remote_question, link);

        if (q->number != question || !j->remote)
            continue;
        km_list_remove(&q->link);
        km_remote_reply(j->remote, km_buf_view(&q->id), is_error, json);
        km_remote_question_free(q);
        km_job_heard(j);
        if (!j->id && km_list_empty(&j->questions)) /* it waited for that */
            km_remote_settle(j->remote, j);
        return;
    }
}

void km_job_note(struct km_job *j, struct km_str method, struct km_str params)
{
    if (j->remote && j->id && j->remote->state == KM_REMOTE_READY)
        km_remote_notify(j->remote, method, params);
}

/* The server need not go on. */
static void withdraw(struct km_job *j, struct km_str reason)
{
    struct km_remote *p = j->remote;
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    if (!p || !j->id || !p->wire)
        return;
    if (p->revision->era == KM_MCP_HANDSHAKE || p->upstream->transport == KM_MCP_STDIO) {
        km_buf_printf(&params, "{\"requestId\":%llu,\"reason\":", (unsigned long long)j->id);
        km_buf_json(&params, km_str_sub(reason, 0, 1024));
        km_buf_byte(&params, '}');
        km_remote_notify(p, KM_STR("notifications/cancelled"), km_buf_view(&params));
    }
    km_link_settle(p->wire, j->id, false);
    km_remote_gave_up(p, j);
}

void km_job_cancel(struct km_job *j, struct km_str reason)
{
    if (j->remote)
        km_remote_ask_others(j->remote, j);
    withdraw(j, reason);
    km_job_unhook(j);
    job_free(j);
}

void km_job_forget(struct km_job *j)
{
    static const char none[] = "{\"code\":-32603,\"message\":\"The client is gone\"}";
    struct km_list *node;

    j->forgotten = true;
    while ((node = km_list_pop(&j->questions)) != NULL) {
        struct km_remote_question *q = KM_CONTAINER(node, struct km_remote_question, link);

        if (j->remote)
            km_remote_reply(j->remote, km_buf_view(&q->id), true, km_str_c(none));
        km_remote_question_free(q);
    }
    if (j->remote && j->id)
        km_job_heard(j);
}

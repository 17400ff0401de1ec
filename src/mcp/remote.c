/* SPDX-License-Identifier: Apache-2.0 */
/* remote.c - the life of a remote and of its jobs (remote.h).
 *
 *     km_job_start ─> waiting ── remote is ready ──> running (id, timer) ──> on_done
 *                        │                            │  server asks: question, timer stands
 *                        └──────── remote is over ──────┴─> on_done FAILED
 *
 * Time is counted from the last word about a job and stands still while its asker is asked
 * something: a person may think for a while.
 *
 * A session the server does not know any more (404) executed nothing, so the job that found out
 * is sent once more on a new session.  Others of the old session go on with what they have.
 */
#include "mcp/remote.h"

#include <stdio.h>
#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/desk.h"
#include "mcp/oauth.h"

#define ARENA_BYTES ((size_t)4 * 1024 * 1024)
#define HELLO_BYTES ((size_t)4 * 1024 * 1024)

/* --- making and ending --- */

static int copy_asker(struct km_remote *p, const struct km_mcp_asker *asker)
{
    static const struct km_mcp_asker nobody = { 0 };
    struct km_arena *a = &p->arena;
    struct km_headers *headers = km_arena_zalloc(a, sizeof *headers);
    struct km_header *v = NULL;
    size_t n;

    if (!asker)
        asker = &nobody;
    n = asker->headers ? asker->headers->n : 0;
    v = km_arena_zalloc(a, (n + 1) * sizeof *v);
    for (size_t i = 0; v && i < n; i++) {
        v[i].name = km_arena_str(a, asker->headers->v[i].name);
        v[i].value = km_arena_str(a, asker->headers->v[i].value);
    }
    p->asker.principal = km_arena_str(a, asker->principal);
    p->asker.capabilities =
        asker->capabilities.n ? km_arena_str(a, asker->capabilities) : KM_STR("{}");
    p->asker.session = km_arena_str(a, asker->session);
    p->asker.rights = km_arena_str(a, asker->rights);
    if (headers)
        *headers = (struct km_headers){ v, n };
    p->asker.headers = headers;
    return km_arena_overflowed(a) ? KM_E_NOMEM : 0;
}

static void on_end(void *ctx)
{
    km_remote_free(ctx);
}

static void on_open_timeout(void *ctx)
{
    km_remote_open_timeout(ctx);
}

static void count(struct km_remote *p, bool more)
{
    p->upstream->live->sessions += more ? 1 : -1U;
    if (p->upstream->transport != KM_MCP_STDIO)
        return;
    p->upstream->live->children += more ? 1 : -1U;
    p->desk->ups->children += more ? 1 : -1U;
}

/* Who makes header lines for each request, if anybody. */
static int take_auth(struct km_remote *p, struct km_err *err)
{
    const struct km_mcp_upstream *u = p->upstream;

    p->auth = u->signer;
    if (u->oauth) {
        p->auth = km_mcp_oauth_auth(u->oauth, p->asker.principal);
        return p->auth ? 0
                       : km_fail(err, KM_E_LIMIT, "too many have logged in at '%.*s'",
                                 KM_STR_ARG(u->name));
    }
    if (u->transport == KM_MCP_STDIO ||
        (u->entry->auth != KM_MCP_AUTH_OAUTH2 && u->entry->auth != KM_MCP_AUTH_EXCHANGE))
        return 0;
    return km_fail(err, KM_E_UNSUPPORTED, "'%.*s' needs a login by OAuth, which is not active",
                   KM_STR_ARG(u->name));
}

struct km_remote *km_remote_new(const struct km_remote_args *args, struct km_err *err)
{
    struct km_remote *p = calloc(1, sizeof *p);

    if (!p) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    p->desk = args->desk;
    p->upstream = km_mcp_upstream_ref(args->upstream);
    memcpy(p->key, args->key, KM_MCP_KEY);
    km_arena_init(&p->arena, ARENA_BYTES, NULL);
    km_buf_init(&p->hello, HELLO_BYTES);
    km_list_init(&p->waiting);
    km_list_init(&p->order);
    km_list_init(&p->held);
    for (size_t i = 0; i < KM_REMOTE_BUCKETS; i++)
        km_list_init(&p->running[i]);
    km_timer_init(&p->timer, p->desk->loop, on_open_timeout, p);
    km_deferred_init(&p->end, p->desk->loop, on_end, p);
    km_list_push(&p->desk->remotes, &p->link);
    p->idle_since_ms = km_loop_now_ms(p->desk->loop);
    count(p, true);
    if (copy_asker(p, args->asker) < 0)
        km_fail(&p->why, KM_E_LIMIT, "the headers of the client are too large");
    else if (take_auth(p, &p->why) == 0 && km_remote_open(p, &p->why) == 0)
        return p;
    km_fail(err, p->why.code, "%s", p->why.text);
    km_remote_free(p);
    return NULL;
}

static void fail_all(struct km_remote *p, const struct km_err *why)
{
    struct km_list *node;

    while ((node = km_list_pop(&p->waiting)) != NULL)
        km_job_fail(KM_CONTAINER(node, struct km_job, link), why, false);
    while ((node = km_list_pop(&p->order)) != NULL)
        km_job_fail(KM_CONTAINER(node, struct km_job, order), why, true);
}

void km_remote_over(struct km_remote *p, const struct km_err *why)
{
    if (p->state == KM_REMOTE_OVER && p->why.code)
        return;
    p->state = KM_REMOTE_OVER;
    p->why = *why;
    km_timer_stop(&p->timer);
    fail_all(p, &p->why);
    km_deferred_queue(&p->end);
}

void km_remote_retire(struct km_remote *p)
{
    p->state = KM_REMOTE_OVER;
    if (p->njobs == 0)
        km_deferred_queue(&p->end);
}

void km_remote_free(struct km_remote *p)
{
    struct km_err gone;
    struct km_list *node;

    p->state = KM_REMOTE_OVER;
    km_fail(&gone, KM_E_CANCELED, "'%.*s' is being stopped", KM_STR_ARG(p->upstream->name));
    fail_all(p, &gone);
    while ((node = km_list_pop(&p->held)) != NULL)
        km_remote_question_free(KM_CONTAINER(node, struct km_remote_question, link));
    km_timer_stop(&p->timer);
    km_deferred_cancel(&p->end);
    if (p->relink.loop)
        km_deferred_cancel(&p->relink);
    if (p->wire)
        p->wire->ops->free(p->wire);
    km_list_remove(&p->link);
    count(p, false);
    km_mcp_upstream_unref(p->upstream);
    km_buf_done(&p->hello);
    km_arena_done(&p->arena);
    free(p);
}

/* --- what is sent --- */

static void transmit(struct km_remote *p, uint64_t id, struct km_str method,
                     const struct km_buf *text, struct km_str head, struct km_str principal)
{
    const struct km_link_request q = {
        .id = id, .method = method, .principal = principal, .text = km_buf_view(text), .head = head
    };

    if (p->wire && !km_buf_failed(text))
        p->wire->ops->send(p->wire, &q);
}

void km_remote_notify(struct km_remote *p, struct km_str method, struct km_str params)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);

    km_buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"%.*s\"", KM_STR_ARG(method));
    if (params.n) {
        km_buf_str(&text, KM_STR(",\"params\":"));
        km_buf_str(&text, params);
    }
    km_buf_byte(&text, '}');
    transmit(p, 0, method, &text, KM_STR_NONE, KM_STR_NONE);
}

void km_remote_reply(struct km_remote *p, struct km_str id, bool is_error, struct km_str json)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);

    km_buf_str(&text, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    km_buf_str(&text, id);
    km_buf_str(&text, is_error ? KM_STR(",\"error\":") : KM_STR(",\"result\":"));
    km_buf_str(&text, json);
    km_buf_byte(&text, '}');
    transmit(p, 0, KM_STR_NONE, &text, KM_STR_NONE, KM_STR_NONE);
}

/* --- jobs --- */

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
    struct km_list *node;

    km_timer_stop(&j->timer);
    km_deferred_cancel(&j->later);
    while ((node = km_list_pop(&j->questions)) != NULL)
        km_remote_question_free(KM_CONTAINER(node, struct km_remote_question, link));
    free(j);
}

/* Out of its remote's lists. */
static void unhook(struct km_job *j)
{
    struct km_remote *p = j->remote;

    km_list_remove(&j->link);
    km_list_remove(&j->order);
    j->remote = NULL;
    if (!p)
        return;
    p->upstream->live->asks--;
    p->idle_since_ms = km_loop_now_ms(p->desk->loop);
    if (--p->njobs == 0 && p->state == KM_REMOTE_OVER)
        km_deferred_queue(&p->end);
}

void km_job_done(struct km_job *j, const struct km_mcp_answer *answer)
{
    unhook(j);
    km_timer_stop(&j->timer);
    if (!j->forgotten)
        j->events->on_done(j->ctx, answer);
    job_free(j);
}

void km_job_fail(struct km_job *j, const struct km_err *err, bool maybe_executed)
{
    struct km_mcp_answer answer = { .kind = KM_MCP_FAILED,
                                    .err = err,
                                    .maybe_executed = maybe_executed && j->id != 0 };

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

void km_job_heard(struct km_job *j)
{
    if (j->timeout_ms && km_list_empty(&j->questions))
        km_timer_start(&j->timer, j->timeout_ms);
    else
        km_timer_stop(&j->timer);
}

static void withdraw(struct km_job *j, struct km_str reason);

static void on_timeout(void *ctx)
{
    struct km_job *j = ctx;
    struct km_err err;

    km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "'%.*s' said nothing for %llu ms",
            KM_STR_ARG(j->remote->upstream->name), (unsigned long long)j->timeout_ms);
    withdraw(j, KM_STR("timed out"));
    km_job_fail(j, &err, true);
}

static struct km_str put(char **at, struct km_str s)
{
    struct km_str copy = { *at, s.n };

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

static struct km_job *job_new(struct km_mcp_desk *desk, const struct km_job_args *args)
{
    const struct km_mcp_ask_args *a = args->ask;
    static const struct km_mcp_asker nobody = { 0 };
    const struct km_mcp_asker *who = a->asker ? a->asker : &nobody;
    struct km_job *j = calloc(1, sizeof *j + a->method.n + a->params.n + who->principal.n +
                                     who->session.n + who->log_level.n + 1);
    char *at = j ? j->bytes : NULL;

    if (!j)
        return NULL;
    km_list_init(&j->link);
    km_list_init(&j->order);
    km_list_init(&j->questions);
    j->method = put(&at, a->method);
    j->params = put(&at, a->params);
    j->principal = put(&at, who->principal);
    j->session = put(&at, who->session);
    j->log_level = put(&at, who->log_level);
    j->events = a->events;
    j->ctx = a->ctx;
    j->own = args->own;
    j->timeout_ms = a->timeout_ms ? a->timeout_ms : (uint64_t)a->upstream->entry->timeout_ms;
    km_timer_init(&j->timer, desk->loop, on_timeout, j);
    km_deferred_init(&j->later, desk->loop, on_later, j);
    return j;
}

bool km_job_same(const struct km_job *j, struct km_str principal, struct km_str session)
{
    return session.n && km_str_eq(j->session, session) && km_str_eq(j->principal, principal);
}

static void hook(struct km_remote *p, struct km_job *j)
{
    j->remote = p;
    j->id = 0;
    p->njobs++;
    p->upstream->live->asks++;
    km_list_push(&p->waiting, &j->link);
    if (p->state == KM_REMOTE_READY)
        km_remote_run(p);
}

struct km_job *km_job_start(struct km_mcp_desk *desk, const struct km_job_args *args,
                            struct km_err *err)
{
    struct km_mcp_upstream *u = args->ask->upstream;
    uint8_t key[KM_MCP_KEY];
    struct km_job *j = job_new(desk, args);
    struct km_remote *p = NULL;
    struct km_err why = { 0 };

    if (!j) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    if (km_asker_key(u, args->ask->asker, key, &why) < 0 ||
        km_desk_remote(desk, u, args->ask->asker, key, &p, &why) < 0)
        fail_later(j, &why);
    else
        hook(p, j);
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
    hook(p, j);
    return j;
}

bool km_remote_idle(const struct km_remote *p)
{
    return p->njobs == (p->listening ? 1 : 0);
}

/* The level this asker wants, if the session does not have it already. */
static void set_level(struct km_remote *p, struct km_str level)
{
    char params[64];
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(256);

    if (!level.n || p->revision->era != KM_MCP_HANDSHAKE || km_str_eq(level, p->log_level) ||
        level.n > 16 || km_str_find(km_buf_view(&p->hello), KM_STR("\"logging\"")) == p->hello.n)
        return;
    p->log_level = km_arena_str(&p->arena, level);
    snprintf(params, sizeof params, "{\"level\":\"%.*s\"}", KM_STR_ARG(level));
    km_remote_message(p, ++p->next_id, KM_STR("logging/setLevel"), km_str_c(params), KM_STR_NONE,
                      &text, NULL);
    transmit(p, p->next_id, KM_STR("logging/setLevel"), &text, KM_STR_NONE, KM_STR_NONE);
}

static void run(struct km_remote *p, struct km_job *j)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_err err;

    km_list_remove(&j->link);
    if (p->revision->era == KM_MCP_HANDSHAKE && km_str_eq(j->method, KM_STR("server/discover"))) {
        j->hello = true; /* what it said of itself in the handshake */
        km_list_push(&p->order, &j->order);
        km_deferred_queue(&j->later);
        return;
    }
    set_level(p, j->log_level);
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
    transmit(p, j->id, j->method, &text, km_buf_view(&head), j->principal);
    km_job_heard(j);
}

static void ask_held(struct km_remote *p)
{
    while (!km_list_empty(&p->held) && !km_list_empty(&p->order)) {
        struct km_list *node = km_list_pop(&p->held);

        p->nheld--;
        km_job_ask(KM_CONTAINER(p->order.prev, struct km_job, order),
                   KM_CONTAINER(node, struct km_remote_question, link));
    }
}

void km_remote_run(struct km_remote *p)
{
    while (p->state == KM_REMOTE_READY && !km_list_empty(&p->waiting))
        run(p, KM_CONTAINER(p->waiting.next, struct km_job, link));
    ask_held(p);
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
    p->wire->ops->settle(p->wire, j->id, false);
}

void km_job_cancel(struct km_job *j, struct km_str reason)
{
    withdraw(j, reason);
    unhook(j);
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

/* --- a request that will have no answer --- */

/* The session is unknown there: nothing was executed, so a new session may try. */
static bool try_again(struct km_job *j)
{
    struct km_remote *p = j->remote, *next = NULL;

    if (j->again || !km_list_empty(&j->questions))
        return false;
    km_remote_retire(p);
    if (km_desk_remote(p->desk, p->upstream, &p->asker, p->key, &next, &j->err) < 0)
        return false;
    unhook(j);
    j->again = true;
    km_timer_stop(&j->timer);
    hook(next, j);
    return true;
}

/* An error the server made of a refusal is its answer. */
static bool answer_of(struct km_remote *p, const struct km_link_failure *f, struct km_arena *a,
                      struct km_str *ret_error)
{
    const struct km_json *root;
    const struct km_json *error;

    /* Its id may be null: it may have refused before it could read ours. */
    if (!f->body.n || f->status == 401 || f->status == 403 ||
        km_json_parse(a, f->body, &root, NULL) < 0)
        return false;
    error = km_json_get(root, "error");
    if (km_json_kind(error) != KM_JSON_OBJECT || !km_json_get(error, "code"))
        return false;
    *ret_error = km_json_compact(error, a);
    return ret_error->n > 0 && p->revision;
}

static void job_refused(struct km_job *j, const struct km_link_failure *f)
{
    struct km_remote *p = j->remote;
    struct km_mcp_answer answer = { .kind = KM_MCP_FAILED,
                                    .err = f->err,
                                    .maybe_executed = f->maybe_executed,
                                    .challenge = f->challenge };
    struct km_arena a;

    km_arena_init(&a, (size_t)1024 * 1024, NULL);
    if (!f->session_gone && answer_of(p, f, &a, &answer.json)) {
        answer.kind = KM_MCP_ERROR;
        answer.err = NULL;
        answer.maybe_executed = false;
    }
    if (f->err->code == KM_E_UPSTREAM_CONNECT && !(f->credentials && p->upstream->personal))
        km_desk_failed(p->desk, p->upstream, f->err->text);
    km_job_done(j, &answer);
    km_arena_done(&a);
}

static void on_failed(void *ctx, uint64_t id, const struct km_link_failure *f)
{
    struct km_remote *p = ctx;
    struct km_job *j = km_remote_job(p, id);

    if (id && (id == p->opening_id || id == p->probe_id)) {
        km_remote_open_failed(p, id, f);
        return;
    }
    if (!j || (f->session_gone && try_again(j)))
        return;
    job_refused(j, f);
}

static void on_down(void *ctx, const struct km_err *err)
{
    struct km_remote *p = ctx;

    if (p->state != KM_REMOTE_OVER)
        km_desk_failed(p->desk, p->upstream, err->text);
    km_remote_over(p, err);
}

static void on_up(void *ctx)
{
    km_remote_up(ctx);
}

static void on_message(void *ctx, uint64_t about, struct km_str text)
{
    km_remote_message_in(ctx, about, text);
}

const struct km_link_events km_remote_events = { on_up, on_message, on_failed, on_down };

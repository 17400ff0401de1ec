/* SPDX-License-Identifier: Apache-2.0 */
/* remote.c - the life of a remote, and what its link tells of it (remote.h).
 *
 *     km_remote_new ─> opening ─> ready ─> over ─> km_remote_free
 *                         │                 ^        jobs that are left are told why
 *                         └── on_down ──────┘
 *
 * A session the server does not know any more (404) executed nothing, so the job that found out
 * is sent once more on a new session.  Others of the old session go on with what they have.
 */
#include "mcp/remote/remote.h"

#include <stdio.h>
#include <stdlib.h>

#include "mcp/asker.h"
#include "mcp/desk.h"
#include "mcp/oauth/oauth.h"
#include "policy/bill.h"

#define ARENA_BYTES ((size_t)4 * 1024 * 1024)
#define HELLO_BYTES ((size_t)4 * 1024 * 1024)

/* --- making and ending --- */

static int take_asker(struct km_remote *p, const struct km_mcp_asker *asker)
{
    int r = km_asker_copy(asker, &p->arena, &p->asker);
    struct km_err err;

    if (!km_asker_declares(p->upstream, &p->asker))
        p->asker.capabilities = KM_STR("{}");
    return r == 0 ? km_asker_list_keys(p->upstream, asker, p->own, p->base, &err) : r;
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
        p->auth = km_mcp_oauth_auth(u->oauth, p->asker.principal, p->asker.subject, err);
        return p->auth ? 0 : err->code;
    }
    if (u->transport == KM_MCP_STDIO || u->entry->auth != KM_MCP_AUTH_OAUTH2)
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
    km_hold_init(p);
    km_list_push(&p->desk->remotes, &p->link);
    p->idle_since_ms = km_loop_now_ms(p->desk->loop);
    count(p, true);
    if (take_asker(p, args->asker) < 0)
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

    km_hold_end(p);
    while ((node = km_list_pop(&p->waiting)) != NULL)
        if (!km_hold_outlives(p, KM_CONTAINER(node, struct km_job, link), why))
            km_job_fail(KM_CONTAINER(node, struct km_job, link), why, false);
    while ((node = km_list_pop(&p->order)) != NULL)
        km_job_fail(KM_CONTAINER(node, struct km_job, order), why, true);
}

void km_remote_over(struct km_remote *p, const struct km_err *why)
{
    if (p->state == KM_REMOTE_OVER && p->why.code)
        return;
    p->state = KM_REMOTE_OVER;
    p->introducing = false;
    p->why = *why;
    km_timer_stop(&p->timer);
    fail_all(p, &p->why);
    km_deferred_queue(&p->end);
}

void km_remote_retire(struct km_remote *p)
{
    struct km_job *listening = p->listening;

    km_hold_end(p);
    km_hear_hurry(p); /* what waits belongs here */
    p->state = KM_REMOTE_OVER;
    p->listening = NULL;
    if (listening) /* it would never end by itself */
        km_job_cancel(listening, KM_STR("nobody listens any more"));
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
    km_mcp_auth_unref(p->auth);
    km_mcp_upstream_unref(p->upstream);
    km_buf_done(&p->hello);
    km_arena_done(&p->arena);
    free(p);
}

/* --- what is sent --- */

void km_remote_transmit(struct km_remote *p, uint64_t id, struct km_str method, struct km_buf *text,
                        struct km_str head, const struct km_job *j)
{
    const struct km_link_request q = { .id = id,
                                       .method = method,
                                       .principal = j ? j->principal : KM_STR_NONE,
                                       .values = j ? j->values : KM_STR_NONE,
                                       .auth = j ? j->auth : NULL,
                                       .text = text,
                                       .head = head };

    if (p->wire && !km_buf_failed(text))
        p->wire->ops->send(p->wire, &q);
}

void km_remote_notify(struct km_remote *p, struct km_str method, struct km_str params)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);

    km_rpc_request(&text, KM_STR_NONE, method, params);
    km_remote_transmit(p, 0, method, &text, KM_STR_NONE, NULL);
}

void km_remote_reply(struct km_remote *p, struct km_str id, bool is_error, struct km_str json)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(KM_MCP_MESSAGE_BYTES);

    km_buf_str(&text, KM_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    km_buf_str(&text, id);
    km_buf_str(&text, is_error ? KM_STR(",\"error\":") : KM_STR(",\"result\":"));
    km_buf_str(&text, json);
    km_buf_byte(&text, '}');
    km_remote_transmit(p, 0, KM_STR_NONE, &text, KM_STR_NONE, NULL);
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
    km_job_unhook(j);
    j->again = true;
    km_timer_stop(&j->timer);
    km_job_hook(next, j);
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
        km_json_parse_answer(a, f->body, &root, NULL) < 0)
        return false;
    error = km_json_get(root, "error");
    if (km_json_kind(error) != KM_JSON_OBJECT || !km_json_get(error, "code"))
        return false;
    *ret_error = km_json_compact(error, a);
    return ret_error->n > 0 && p->revision;
}

bool km_remote_of_asker(const struct km_remote *p)
{
    return p->upstream->personal || !km_mcp_plain(p->base);
}

static void job_refused(struct km_job *j, const struct km_link_failure *f)
{
    struct km_remote *p = j->remote;
    struct km_mcp_answer answer = { .kind = KM_MCP_FAILED,
                                    .err = f->err,
                                    .maybe_executed = f->maybe_executed,
                                    .unproved = f->credentials && km_remote_of_asker(p),
                                    .sent = f->maybe_executed || f->status,
                                    .challenge = f->challenge };
    struct km_arena a;

    km_arena_init(&a, (size_t)1024 * 1024, NULL);
    if (!f->session_gone && answer_of(p, f, &a, &answer.json)) {
        answer.kind = KM_MCP_ERROR;
        answer.http = f->status;
        answer.revision = p->revision;
        km_remote_doubt(p, j->method);
        answer.err = NULL;
        answer.maybe_executed = km_bill_end_of(f->status, false, false) != KM_BILL_REFUSED;
    }
    if (f->err->code == KM_E_UPSTREAM_CONNECT && !answer.unproved)
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
    if (!j)
        km_hear_leveled(p, id);
    else if (!f->session_gone || !try_again(j))
        job_refused(j, f);
}

static void on_down(void *ctx, const struct km_err *err)
{
    struct km_remote *p = ctx;

    if (p->wire->unproved && km_remote_of_asker(p))
        km_remote_turn_away(p, err, false);
    else if (p->state == KM_REMOTE_OPENING)
        km_remote_fail(p, err);
    else if (p->state != KM_REMOTE_OVER)
        km_desk_failed(p->desk, p->upstream, err->text);
    km_remote_over(p, err);
}

static void on_up(void *ctx)
{
    km_remote_up(ctx);
}

static void on_introduced(void *ctx)
{
    km_remote_introduced(ctx);
}

static void on_message(void *ctx, uint64_t about, struct km_str text)
{
    km_remote_message_in(ctx, about, text);
}

static void on_noted(void *ctx, uint64_t id, struct km_str members)
{
    struct km_remote *p = ctx;
    const struct km_job *j = km_remote_job(p, id);

    if (j && !j->forgotten && j->events->on_noted)
        j->events->on_noted(j->ctx, members);
}

const struct km_link_events km_remote_events = { .on_up = on_up,
                                                 .on_introduced = on_introduced,
                                                 .on_message = on_message,
                                                 .on_failed = on_failed,
                                                 .on_noted = on_noted,
                                                 .on_down = on_down };

/* SPDX-License-Identifier: Apache-2.0 */
/* subscriptions.c - resources of which a client wants to hear: one list a session, one a listen.
 *
 *     resources/subscribe, or a listen's resourceSubscriptions
 *         -> whose resource it is (its view) -> mcp/subscribe.c, which asks that server
 *         <- its answer, which is the client's, or says what a listen's acknowledgement has;
 *            refused: nothing is left of it
 *     updated there -> the GET stream of the session, or the listen's own stream
 *
 * Who reads too slowly is owed the update, once, and told when it reads again.
 */
#include "gateway/mcp/notify_part.h"

#include <stdlib.h>

#include "gateway/mcp/access.h"

struct subscription {
    struct km_mcp_job job; /* resources/subscribe, until it is answered */
    struct km_list link;
    struct km_mcp_subscription *up;
    struct km_mcp_session *session; /* or: */
    struct km_mcp_listen *listen;
    bool open; /* of a listen: its server has not answered */
    bool owed; /* its client was not told of an update: it is busy */
    size_t n;
    char uri[]; /* behind it: the id of the request */
};

/* --- subscriptions --- */

static void subscription_free(struct subscription *s)
{
    km_list_remove(&s->link);
    km_mcp_unsubscribe(s->up);
    free(s);
}

void km_mcp_subscriptions_done(struct km_list *list)
{
    KM_LIST_EACH(it, list)
    subscription_free(KM_CONTAINER(it, struct subscription, link));
}

/* member: "result" or "error". */
static void answer(struct subscription *s, const char *member, struct km_str json)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(3 * KM_RPC_BYTES);

    km_buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"%s\":", KM_STR_ARG(s->job.id), member);
    km_buf_str(&b, json);
    km_buf_byte(&b, '}');
    km_mcp_job_answer(&s->job, 200, km_buf_view(&b));
}

static void answer_failure(struct subscription *s, const struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);

    km_buf_printf(&b, "{\"code\":%d,\"message\":", km_err_rpc(err, false)); /* has a session */
    km_buf_json(&b, km_str_c(err->text));
    km_buf_byte(&b, '}');
    answer(s, "error", km_buf_view(&b));
}

/* The server's word. */
static void on_subscribed(void *ctx, const struct km_mcp_answer *word)
{
    struct subscription *s = ctx;

    if (word->kind == KM_MCP_RESULT) {
        answer(s, "result", word->json);
        return;
    }
    if (word->kind == KM_MCP_FAILED)
        answer_failure(s, word->err);
    else
        answer(s, "error", word->json);
    subscription_free(s);
}

static void on_listened(void *ctx, const struct km_mcp_answer *word)
{
    struct subscription *s = ctx;
    struct km_mcp_listen *l = s->listen;

    s->open = false;
    if (word->kind != KM_MCP_RESULT)
        subscription_free(s);
    km_mcp_listen_answered(l);
}

/* By the client, or its session has ended. */
static void on_cancelled(struct km_mcp_job *job, struct km_str reason)
{
    (void)reason;
    subscription_free(KM_CONTAINER(job, struct subscription, job));
}

static void tell_updated(struct subscription *s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    if (s->listen)
        s->owed = km_mcp_listen_busy(s->listen);
    else
        s->owed = s->session->get && km_mcp_stream_slow(s->session->get);
    if (s->owed)
        return;
    km_buf_str(&b, KM_STR("\"uri\":"));
    km_buf_json(&b, km_str(s->uri, s->n));
    if (s->listen)
        km_mcp_tell_listen(s->listen, "notifications/resources/updated", km_buf_view(&b));
    else
        km_mcp_tell_session(s->session, "notifications/resources/updated", km_buf_view(&b));
}

static void on_updated(void *ctx, struct km_str uri, struct km_str params)
{
    (void)uri;
    (void)params;
    tell_updated(ctx);
}

void km_mcp_subscriptions_owed(struct km_list *list)
{
    KM_LIST_EACH(it, list)
    {
        struct subscription *s = KM_CONTAINER(it, struct subscription, link);

        if (s->owed)
            tell_updated(s);
    }
}

size_t km_mcp_subscriptions_open(const struct km_list *list)
{
    size_t n = 0;

    for (const struct km_list *it = list->next; it != list; it = it->next)
        n += KM_CONTAINER(it, struct subscription, link)->open;
    return n;
}

void km_mcp_subscriptions_settle(struct km_list *list)
{
    KM_LIST_EACH(it, list)
    {
        struct subscription *s = KM_CONTAINER(it, struct subscription, link);

        if (s->open)
            subscription_free(s);
    }
}

void km_mcp_subscriptions_put(const struct km_list *list, struct km_buf *out)
{
    for (const struct km_list *it = list->next; it != list; it = it->next) {
        const struct subscription *s = KM_CONTAINER(it, struct subscription, link);

        if (it != list->next)
            km_buf_byte(out, ',');
        km_buf_json(out, km_str(s->uri, s->n));
    }
}

static size_t length_of(const struct km_list *list)
{
    size_t n = 0;

    for (const struct km_list *it = list->next; it != list; it = it->next)
        n++;
    return n;
}

/* NULL: nobody has it, or there are too many. */
static struct subscription *subscribe(struct km_mcp_turn *t, const struct km_mcp_view *view,
                                      struct km_str uri, struct km_list *list,
                                      struct km_mcp_listen *listen)
{
    const struct km_mcp_member *m = km_mcp_resource_owner(t, view, uri);
    struct km_mcp_asker asker = km_mcp_turn_asker(t);
    struct km_mcp_subscribe_args args = { .asker = &asker,
                                          .uri = uri,
                                          .updated = on_updated,
                                          .subscribed = listen ? on_listened : on_subscribed };
    struct subscription *s;

    if (!m || !m->upstream || length_of(list) >= KM_MCP_SUBSCRIPTIONS_MOST)
        return NULL;
    s = calloc(1, sizeof *s + uri.n + t->msg.id.n);
    if (!s)
        return NULL;
    s->n = uri.n;
    memcpy(s->uri, uri.p, uri.n);
    s->session = t->session;
    s->listen = listen;
    s->open = listen != NULL;
    if (t->msg.id.n)
        memcpy(s->uri + uri.n, t->msg.id.p, t->msg.id.n);
    s->job.cancel = on_cancelled;
    args.upstream = m->upstream;
    args.ctx = s;
    s->up = km_mcp_subscribe(t->hub->w->desk, &args);
    if (!s->up) {
        free(s);
        return NULL;
    }
    km_list_push(list, &s->link);
    return s;
}

bool km_mcp_listen_to(struct km_mcp_turn *t, const struct km_mcp_view *view, struct km_str uri,
                      struct km_list *list, struct km_mcp_listen *listen)
{
    return subscribe(t, view, uri, list, listen) != NULL;
}

static struct subscription *subscribed(struct km_list *list, struct km_str uri)
{
    KM_LIST_EACH(it, list)
    {
        struct subscription *s = KM_CONTAINER(it, struct subscription, link);

        if (km_str_eq(km_str(s->uri, s->n), uri))
            return s;
    }
    return NULL;
}

void km_mcp_on_subscribe(struct km_mcp_turn *t)
{
    struct km_mcp_view *view = NULL;
    struct subscription *s;
    struct km_err err = { 0 };
    struct km_str uri;

    if (!km_json_string(km_json_get(t->msg.params, "uri"), &uri)) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_PARAMS, "resources/subscribe needs params.uri");
        return;
    }
    if (!t->session) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_REQUEST,
                          "a subscription needs a session: send initialize first");
        return;
    }
    s = subscribed(&t->session->subscriptions, uri);
    if (s && s->job.stream) {
        km_mcp_turn_fault(t, KM_RPC_INVALID_REQUEST, "this subscription is being made already");
        return;
    }
    if (s && km_mcp_subscription_over(s->up)) {
        subscription_free(s);
        s = NULL;
    }
    if (s) {
        km_mcp_turn_result(t, KM_STR("{}"));
        return;
    }
    if (km_mcp_view_for(t->in, t->capabilities, &view, &err) < 0) {
        km_mcp_turn_fail(t, &err);
        return;
    }
    if (!km_mcp_resource_owner(t, view, uri) && km_mcp_later(t, view)) {
        km_mcp_view_unref(view);
        return;
    }
    s = subscribe(t, view, uri, &t->session->subscriptions, NULL);
    km_mcp_view_unref(view);
    if (s)
        km_mcp_job_begin(&s->job, t->stream, km_str(s->uri + s->n, t->msg.id.n));
    else
        km_mcp_turn_fault(t, KM_RPC_RESOURCE_NOT_FOUND,
                          "Resource not found, or too many subscriptions");
}

void km_mcp_on_unsubscribe(struct km_mcp_turn *t)
{
    struct subscription *s = NULL;
    struct km_err err = { 0 };
    struct km_str uri;

    if (t->session && km_json_string(km_json_get(t->msg.params, "uri"), &uri))
        s = subscribed(&t->session->subscriptions, uri);
    if (s && s->job.stream) {
        km_fail(&err, KM_E_CANCELED, "it was unsubscribed meanwhile");
        answer_failure(s, &err);
    }
    if (s)
        subscription_free(s);
    km_mcp_turn_result(t, KM_STR("{}"));
}

void km_mcp_notify_forget(struct km_mcp_session *s)
{
    km_mcp_subscriptions_done(&s->subscriptions);
    km_mcp_logs_forget(s);
}

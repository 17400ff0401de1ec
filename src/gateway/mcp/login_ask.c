/* SPDX-License-Identifier: Apache-2.0 */
/* login_ask.c - a call whose caller must log in at the server first (login.h).
 *
 *     refused for want of a login, or the tool that stands for one
 *       ├── the client can be asked to open an address (elicitation, mode url)
 *       │     session      a request on its stream          stateless   input_required
 *       │       accepted ──> wait ──> elicitation/complete ──> the call goes on
 *       │     no session   error -32042, which names the address
 *       ├── else           isError, and the address in the text
 *       └── the server takes callers' tokens, exchanged: isError, why there is none
 *
 * A login is heard of by the desk's watch: the browser may come back at another worker.  Only a
 * call that the server refused is sent again, so nothing runs twice.
 */
#include <stdlib.h>

#include "base/crypto.h"
#include "base/encode.h"
#include "gateway/mcp/call.h"
#include "gateway/mcp/login.h"
#include "mcp/oauth/oauth.h"

#define WAIT_MS ((uint64_t)10 * 60 * 1000) /* as long as the address is good */
#define ASKS_MOST 3 /* of one call: a server that is never content */
#define TEXT_BYTES ((size_t)16 * 1024)

struct km_mcp_login_ask {
    struct km_mcp_work *w;
    struct km_mcp_watch watch; /* while it waits */
    uint64_t until_ms;
    bool wanted; /* it is to be asked for */
    unsigned asks;
    struct km_err why; /* what the call failed of; code 0: it is the tool */
    char id[33]; /* of the elicitation */
};

static bool logged_in(const struct km_mcp_work *w)
{
    return km_mcp_oauth_state(w->member->upstream->oauth, w->principal) == KM_MCP_LOGIN_DONE;
}

static bool lacks_login(const struct km_mcp_work *w, const struct km_err *err)
{
    const struct km_mcp_upstream *u = w->member->upstream;

    if (u && u->oauth && km_mcp_oauth_exchanges(u->oauth))
        return err->code == KM_E_UNAUTHENTICATED;
    if (u && u->oauth && km_mcp_oauth_by_key(u->oauth) && err->code != KM_E_UNAUTHENTICATED)
        return false; /* a 403 is not of the key: another would be forbidden that, too */
    return u && u->oauth && (u->personal || w->call->visit->who.admin) &&
           (err->code == KM_E_UNAUTHENTICATED || err->http == 403) && !logged_in(w);
}

/* why: what it failed of; NULL: it is the tool that stands for a login. */
static int note(struct km_mcp_work *w, const struct km_err *why, struct km_err *err)
{
    struct km_mcp_login_ask *l = w->login;
    uint8_t id[16];

    if (!l) {
        l = w->login = km_arena_zalloc(&w->call->arena, sizeof *l);
        if (!l)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        l->w = w;
        km_list_init(&l->watch.link);
    }
    if (km_random(id, sizeof id, err) < 0)
        return err->code;
    km_hex(l->id, id, sizeof id);
    l->why = why ? *why : (struct km_err){ 0 };
    l->wanted = true;
    return 0;
}

bool km_mcp_login_wanted(struct km_mcp_work *w, const struct km_err *err)
{
    struct km_err ignored = { 0 };

    return lacks_login(w, err) && note(w, err, &ignored) == 0;
}

void km_mcp_undo_login(struct km_mcp_flow *f)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);

    km_mcp_questions_free(w);
    if (!w->login)
        return;
    km_mcp_unwatch(&w->login->watch);
    km_list_init(&w->login->watch.link);
}

/* --- what the client is told --- */

static bool by_key(const struct km_mcp_work *w)
{
    return km_mcp_oauth_by_key(w->member->upstream->oauth);
}

static struct km_str address(const struct km_mcp_work *w)
{
    return km_mcp_login_url(w->call->visit, w->base, w->member->upstream, &w->call->arena);
}

static enum km_mcp_flow_step as_text(struct km_mcp_work *w, const char *why)
{
    const struct km_str name = w->member->upstream->name;
    struct km_str text =
        by_key(w)
            ? km_arena_printf(&w->call->arena,
                              "%s'%.*s' wants a credential of your own. Leave it here, or by POST "
                              "/v1/mcp/server/%.*s/user-credential, then try again: %.*s",
                              why, KM_STR_ARG(w->member->name), KM_STR_ARG(name),
                              KM_STR_ARG(address(w)))
            : km_arena_printf(&w->call->arena, "%sLog in at '%.*s' first, then try again: %.*s",
                              why, KM_STR_ARG(w->member->name), KM_STR_ARG(address(w)));

    km_mcp_work_text(w, "login_required", text.p ? km_arena_cstr(&w->call->arena, text) : why);
    return KM_MCP_FLOW_done;
}

/* {"mode":"url","message","url","elicitationId"}; the id belongs to 2025-11-25. */
static void put_elicitation(struct km_mcp_work *w, struct km_buf *b)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

    km_buf_printf(&text,
                  by_key(w) ? "Leave your credential for '%.*s' to go on."
                            : "Log in at '%.*s' to go on.",
                  KM_STR_ARG(w->member->name));
    km_buf_str(b, KM_STR("{\"mode\":\"url\",\"message\":"));
    km_buf_json(b, km_buf_view(&text));
    km_buf_str(b, KM_STR(",\"url\":"));
    km_buf_json(b, address(w));
    if (w->revision->era == KM_MCP_HANDSHAKE)
        km_buf_printf(b, ",\"elicitationId\":\"%s\"", w->login->id);
    km_buf_byte(b, '}');
}

static enum km_mcp_flow_step as_error(struct km_mcp_work *w)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);

    km_buf_str(&b, KM_STR("{\"code\":-32042,\"message\":\"A login is needed\",\"data\":"
                          "{\"elicitations\":["));
    put_elicitation(w, &b);
    km_buf_str(&b, KM_STR("]}}"));
    w->word = "login_required";
    km_mcp_work_error(w, km_buf_view(&b));
    return KM_MCP_FLOW_done;
}

static bool can_open(const struct km_mcp_work *w)
{
    const struct km_json *root = NULL;
    struct km_arena *arena = &w->call->arena;

    if (w->revision->era == KM_MCP_HANDSHAKE &&
        km_str_cmp(w->revision->name, KM_STR("2025-11-25")) < 0)
        return false;
    return km_json_parse(arena, w->capabilities, &root, NULL) == 0 &&
           km_json_kind(km_json_get(km_json_get(root, "elicitation"), "url")) == KM_JSON_OBJECT;
}

/* --- waiting --- */

static void tell_complete(struct km_mcp_work *w)
{
    struct km_str params =
        km_arena_printf(&w->call->arena, "{\"elicitationId\":\"%s\"}", w->login->id);

    if (w->revision->era == KM_MCP_HANDSHAKE && params.n)
        (void)w->port.ops->ask(&w->port, KM_STR_NONE, KM_STR("notifications/elicitation/complete"),
                               params);
}

static enum km_mcp_flow_step go_on(struct km_mcp_work *w)
{
    tell_complete(w);
    if (!km_mcp_member_offers_login(w->member))
        return KM_MCP_FLOW_ask;
    km_mcp_work_result(w, km_str_c(w->revision->era == KM_MCP_STATELESS
                                       ? "{\"resultType\":\"complete\",\"content\":[{\"type\":"
                                         "\"text\",\"text\":\"Logged in. The server's tools are "
                                         "listed now.\"}]}"
                                       : "{\"content\":[{\"type\":\"text\",\"text\":\"Logged in. "
                                         "The server's tools are listed now.\"}]}"));
    return KM_MCP_FLOW_done;
}

/* The address was opened: is it done by now? */
void km_mcp_late_login(struct km_mcp_flow *f)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);
    uint64_t now = km_loop_now_ms(w->hub->w->loop), until = w->login->until_ms;

    if (logged_in(w))
        km_mcp_flow_resume(f, KM_MCP_FLOW_login, go_on(w), NULL);
    else if (now >= until)
        km_mcp_flow_resume(f, KM_MCP_FLOW_login, as_text(w, "Nobody has logged in. "), NULL);
    else
        km_mcp_flow_time(f, until - now);
}

static void on_change(void *ctx, struct km_mcp_upstream *u, enum km_mcp_list list,
                      struct km_str who)
{
    struct km_mcp_login_ask *l = ctx;

    (void)list;
    (void)who;
    if (u == l->w->member->upstream) /* not from inside the list of watches */
        km_mcp_flow_time(&l->w->flow, 0);
}

static void wait(struct km_mcp_login_ask *l)
{
    l->until_ms = km_loop_now_ms(l->w->hub->w->loop) + WAIT_MS;
    l->watch.fn = on_change;
    l->watch.ctx = l;
    km_mcp_watch(l->w->hub->w->desk, &l->watch);
    km_mcp_flow_time(&l->w->flow, 0);
}

static void on_answered(struct km_mcp_question *q, bool is_error, struct km_str json)
{
    struct km_mcp_work *w = q->w;
    const struct km_json *root = NULL;
    struct km_str action = KM_STR_NONE;

    if (!is_error && json.n && km_json_parse(&w->call->arena, json, &root, NULL) == 0)
        (void)km_json_string(km_json_get(root, "action"), &action);
    if (km_str_eq(action, KM_STR("accept")))
        wait(w->login);
    else
        km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_login, as_text(w, "The address was not opened. "),
                           NULL);
}

/* false: it cannot be asked after all. */
static bool put_question(struct km_mcp_work *w)
{
    struct km_buf params KM_CLEANUP(km_buf_done) = KM_BUF(TEXT_BYTES);
    struct km_mcp_question like = { .method = KM_STR("elicitation/create"),
                                    .key = KM_STR("login"),
                                    .answered = on_answered };
    struct km_mcp_question *q;
    struct km_err err = { 0 };

    put_elicitation(w, &params);
    like.params = km_buf_view(&params);
    if (km_buf_failed(&params) || km_mcp_question_put(w, &like, &q, &err) < 0)
        return false;
    if (w->revision->era == KM_MCP_STATELESS)
        km_mcp_flow_hold(&w->flow, KM_MCP_FLOW_parked);
    return true;
}

/* Nobody logs in here: the caller comes with another token, or not at all. */
static enum km_mcp_flow_step tell_why(struct km_mcp_login_ask *l)
{
    struct km_mcp_work *w = l->w;

    struct km_mcp_oauth *o = w->member->upstream->oauth;
    struct km_mcp_subject *token = w->call->visit->who.token;

    if (!l->why.code && !(token && km_mcp_exchange_failed(o, w->principal, token, &l->why)))
        km_mcp_exchange_told(o, &l->why);
    km_mcp_work_text(w, "login_required", l->why.text);
    return KM_MCP_FLOW_done;
}

static enum km_mcp_flow_step ask(struct km_mcp_login_ask *l)
{
    struct km_mcp_work *w = l->w;
    bool session = w->job.stream && w->job.stream->session;

    l->wanted = false;
    if (km_mcp_oauth_exchanges(w->member->upstream->oauth))
        return tell_why(l);
    if (logged_in(w) && !km_mcp_member_offers_login(w->member))
        return go_on(w);
    if (++l->asks > ASKS_MOST)
        return as_text(w, "It was asked too often. ");
    if (!can_open(w))
        return as_text(w, "");
    if (w->revision->era == KM_MCP_HANDSHAKE && !session)
        return as_error(w);
    return put_question(w) ? KM_MCP_FLOW_wait : as_text(w, "");
}

int km_mcp_begin_login(struct km_mcp_flow *f, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);
    int r;

    if (!km_mcp_may_go_round(w, true))
        return km_mcp_end_loop(w);
    r = km_mcp_member_offers_login(w->member) ? note(w, NULL, err) : 0;
    if (r < 0)
        return r;
    return w->login && w->login->wanted ? (int)ask(w->login) : (int)KM_MCP_FLOW_ask;
}

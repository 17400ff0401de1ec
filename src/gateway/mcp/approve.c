/* SPDX-License-Identifier: Apache-2.0 */
/* approve.c - may a server's tool run: its risk, the rule, and the asking of a person.
 *
 *     risk (configuration, annotations) x rule ──> run, never, or ask
 *     ask ── it was approved before ──> run, and that approval is used up
 *      ├── the client's user can be asked ── elicitation/create ── accept ──> run
 *      │                                            └── anything else ──> refused
 *      └── nobody is there, or says anything ──> "approval required: <id>", for an administrator
 *
 * The question goes the way a server's own questions go: a request on the stream of a
 * handshake-era client, input_required for a stateless one, whose call is parked meanwhile.  It
 * belongs to this one call, so its answer cannot be used for another.
 *
 * What a person is shown is read from the params that are sent to the server, and only if their
 * digest is the one that was judged and is approved: no two readings of one message can differ.
 */
#include "gateway/mcp/call.h"

#include "base/crypto.h"
#include "base/encode.h"
#include "mcp/safety/scan.h"
#include "mcp/safety/shown_args.h"
#include "mcp/schema.h"

#define SUBJECT_MOST 70 /* bytes of a person's name, and of who says so */
#define MESSAGE_BYTES (KM_ARGS_TEXT_BYTES + 4096)

static enum km_risk risk_of(const struct km_mcp_work *w)
{
    return km_mcp_tool_risk(w->member->upstream, w->item);
}

/* --- the rule --- */

static bool can_ask(const struct km_mcp_work *w)
{
    static const struct km_str names[] = { { "elicitation", 11 } },
                               modes[] = { { "form", 4 }, { "url", 3 } };
    struct km_json_span e, mode[2];
    bool in_session = w->revision->era == KM_MCP_STATELESS || w->session.n;

    if (!km_mcp_rules(w->member->upstream).ask_client || !in_session || !w->job.stream ||
        km_json_spans(w->capabilities, names, 1, &e, NULL, NULL) < 0 || e.type != KM_JSON_OBJECT ||
        km_json_spans(km_json_value(w->capabilities, &e), modes, 2, mode, NULL, NULL) < 0)
        return false;
    return mode[0].type == KM_JSON_OBJECT || mode[1].type == KM_JSON_ABSENT; /* {}: forms */
}

/* "ann at https://issuer.example", fit for a terminal. */
static struct km_str subject_of(const struct km_mcp_work *w)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    const struct km_principal *who = &w->call->visit->who;

    if (!who->subject.n)
        return KM_STR_NONE;
    km_scan_line(&b, km_utf8_cut(who->subject, SUBJECT_MOST));
    km_buf_str(&b, KM_STR(" at "));
    km_scan_line(&b, km_utf8_cut(who->issuer, SUBJECT_MOST));
    return km_arena_str(&w->call->arena, km_buf_view(&b));
}

/* What the server will be given; NULL: nothing. */
static int sent_args(struct km_mcp_work *w, const struct km_json **ret, struct km_err *err)
{
    const struct km_json *params;
    uint8_t digest[sizeof w->digest];
    int r = km_json_parse(&w->call->arena, w->params, &params, err);

    if (r == 0) {
        *ret = km_json_get(params, "arguments");
        r = km_json_digest(*ret, digest, err);
    }
    if (r == 0 && memcmp(digest, w->digest, sizeof digest) != 0)
        r = km_fail(err, KM_E_INVALID, "The arguments are not the ones that were judged.");
    return r == 0 ? km_args_showable(*ret, err) : r;
}

/* ask->shown is in `shown`. */
static int question_of(struct km_mcp_work *w, struct km_buf *shown, struct km_approval_ask *ask,
                       struct km_err *err)
{
    const struct km_key *key = w->call->visit->who.key;
    const struct km_json *args = NULL;
    int r = sent_args(w, &args, err);

    if (r < 0)
        return r;
    *ask = (struct km_approval_ask){ .principal = w->principal,
                                     .subject = subject_of(w),
                                     .digest = w->digest };
    ask->risk = risk_of(w);
    ask->server = w->member->name;
    if (key) {
        ask->alias = key->row.alias;
        ask->user = key->row.user_id;
    }
    ask->cut = km_args_show(args, KM_ARGS_SHOWN_BYTES, "", shown);
    ask->shown = km_buf_view(shown);
    ask->tool = km_arena_printf(&w->call->arena, "%.*s-%.*s", KM_STR_ARG(w->member->name),
                                KM_STR_ARG(w->item->name));
    if (km_arena_overflowed(&w->call->arena) || km_buf_failed(shown))
        return km_fail(err, KM_E_NOMEM, "out of memory to ask for approval");
    return 0;
}

static int take(struct km_mcp_work *w, bool quiet, struct km_err *err)
{
    struct km_buf shown KM_CLEANUP(km_buf_done) = KM_BUF(KM_ARGS_TEXT_BYTES);
    char id[KM_APPROVAL_ID_LEN + 1];
    struct km_approval_ask ask;
    int r = question_of(w, &shown, &ask, err);

    if (r == 0) {
        ask.quiet = quiet;
        r = km_approvals_take(w->hub->shared->approvals, &ask, km_mono_ms(), id, err);
    }
    km_wipe(shown.p, shown.n);
    return r;
}

bool km_mcp_needs_approval(const struct km_mcp_work *w)
{
    struct km_approval_policy policy = km_mcp_rules(w->member->upstream).policy;

    return km_approval_decide(&policy, risk_of(w)) == KM_VERDICT_ASK;
}

bool km_mcp_is_judged(const struct km_mcp_work *w)
{
    return w->tool && w->member->upstream && !km_mcp_member_offers_login(w->member);
}

/* 0: it may, or the client is to be asked first (w->asks); KM_E_AGAIN: a person has to approve it;
 * KM_E_FORBIDDEN: never. */
static int may_run(struct km_mcp_work *w, struct km_err *err)
{
    enum km_risk risk = risk_of(w);
    struct km_approval_policy policy = km_mcp_rules(w->member->upstream).policy;
    enum km_verdict v = km_approval_decide(&policy, risk);
    int r;

    if (v == KM_VERDICT_ALLOW || w->approved)
        return 0;
    if (v == KM_VERDICT_DENY)
        return km_fail(err, KM_E_FORBIDDEN, "this gateway does not run %.*s tools",
                       KM_STR_ARG(km_risk_name(risk)));
    w->asks = can_ask(w);
    r = take(w, w->asks, err);
    if (r == 0) {
        w->approved = true;
        w->asks = false;
        w->approved_by = KM_STR("administrator");
    } else if (r != KM_E_AGAIN) {
        w->asks = false;
    }
    return w->asks ? 0 : r;
}

int km_mcp_begin_judge(struct km_mcp_flow *f, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);
    KM_ERR_NONE(why); /* it is the answer: the call does not fail of it */
    int r = 0;

    (void)err;
    if (!km_mcp_may_go_round(w, false))
        return km_mcp_end_loop(w);
    if (km_mcp_is_judged(w))
        r = may_run(w, &why);
    if (r == 0)
        return KM_MCP_FLOW_approval;
    km_mcp_work_text(w, r == KM_E_AGAIN ? "approval_required" : "denied", why.text);
    w->call->answered = true;
    return KM_MCP_FLOW_done;
}

void km_mcp_approval_pass_on(struct km_mcp_work *w)
{
    struct km_buf shown KM_CLEANUP(km_buf_done) = KM_BUF(KM_ARGS_TEXT_BYTES);
    struct km_approval_ask ask;
    struct km_err err = { 0 };

    if (w->approved && question_of(w, &shown, &ask, &err) == 0) /* without room the retry asks */
        (void)(km_approvals_give(w->hub->shared->approvals, &ask, km_mono_ms(), &err) == 0);
    km_wipe(shown.p, shown.n);
}

/* --- asking the client --- */

/* Nobody is there to be asked: an administrator is. */
static enum km_mcp_flow_step file(struct km_mcp_work *w)
{
    struct km_err err = { 0 };
    int r = take(w, false, &err);

    w->asks = false;
    if (r == 0) { /* an administrator was faster than the client's user */
        w->approved = true;
        w->approved_by = KM_STR("administrator");
        return KM_MCP_FLOW_login;
    }
    km_mcp_work_text(w, r == KM_E_AGAIN ? "approval_required" : "denied", err.text);
    w->call->answered = true;
    return KM_MCP_FLOW_done;
}

void km_mcp_late_approval(struct km_mcp_flow *f)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);

    km_mcp_question_withdraw(w->approval);
    km_mcp_flow_resume(f, KM_MCP_FLOW_approval, file(w), NULL);
}

static void on_answered(struct km_mcp_question *q, bool is_error, struct km_str json)
{
    static const struct km_str names[] = { { "action", 6 } };
    struct km_mcp_work *w = q->w;
    enum km_mcp_flow_step next = KM_MCP_FLOW_login;
    struct km_json_span action;

    w->asks = false;
    if (!json.n || is_error || km_json_spans(json, names, 1, &action, NULL, NULL) < 0) {
        next = file(w); /* it said it can be asked, and cannot */
    } else if (km_str_eq(km_json_value(json, &action), KM_STR("\"accept\""))) {
        w->approved = true;
        w->approved_by = KM_STR("client");
    } else {
        km_mcp_work_text(w, "refused", "the user did not approve this call");
        w->call->answered = true;
        next = KM_MCP_FLOW_done;
    }
    km_mcp_flow_resume(&w->flow, KM_MCP_FLOW_approval, next, NULL);
}

/* The question, with the arguments a line each. */
static int message(struct km_mcp_work *w, struct km_str *ret, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(MESSAGE_BYTES);
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4 * MESSAGE_BYTES);
    const struct km_json *args = NULL;
    int r = sent_args(w, &args, err);

    if (r < 0)
        return r;
    km_buf_str(&text, KM_STR("Run "));
    km_scan_line(&text, km_utf8_cut(w->item->name, 128));
    km_buf_printf(&text, " of %.*s? It is %.*s. It is given: ", KM_STR_ARG(w->member->name),
                  KM_STR_ARG(km_risk_name(risk_of(w))));
    if (km_json_count(args))
        km_args_show(args, KM_ARGS_SHOWN_BYTES, "\n  ", &text);
    else
        km_buf_str(&text, KM_STR("nothing"));
    km_buf_str(&b, KM_STR("{\"message\":"));
    km_buf_json(&b, km_buf_view(&text));
    km_buf_str(&b, KM_STR(",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}"));
    *ret = km_arena_str(&w->call->arena, km_buf_view(&b));
    if (km_buf_failed(&text) || km_buf_failed(&b) || !ret->n)
        return km_fail(err, KM_E_NOMEM, "out of memory to ask for approval");
    return 0;
}

int km_mcp_begin_approval(struct km_mcp_flow *f, struct km_err *err)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);
    struct km_mcp_question like = { .answered = on_answered,
                                    .method = KM_STR("elicitation/create"),
                                    .key = KM_STR("approval") };
    KM_ERR_NONE(why); /* an administrator is asked instead: the call does not fail of it */

    (void)err;
    if (!w->asks)
        return KM_MCP_FLOW_login;
    if (!w->job.stream || message(w, &like.params, &why) < 0 ||
        km_mcp_question_put(w, &like, &w->approval, &why) < 0)
        return (int)file(w);
    if (w->revision->era == KM_MCP_STATELESS)
        km_mcp_flow_hold(f, KM_MCP_FLOW_parked); /* which has an end of its own */
    else
        km_mcp_flow_time(f, KM_MCP_PARK_MS);
    return KM_MCP_FLOW_wait;
}

void km_mcp_undo_approval(struct km_mcp_flow *f)
{
    struct km_mcp_work *w = km_mcp_work_of_flow(f);

    km_mcp_questions_free(w);
    w->approval = NULL;
}

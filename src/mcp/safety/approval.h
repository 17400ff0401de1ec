/* SPDX-License-Identifier: Apache-2.0 */
/* approval.h - may this tool call run: its risk, the rule, and the asking of a person.
 *
 * Decisions are pure functions.  What waits for a person is kept in one bounded table, shared by
 * all workers: a question is bound to principal, tool and argument digest, its answer is good for
 * one call, and both are forgotten after ten minutes.
 *
 * The person sees the arguments as shown_args.h makes them.  They are kept sealed by a key that
 * the table draws when it is made, opened only to be listed, and wiped with their question.
 */
#ifndef KM_MCP_APPROVAL_H
#define KM_MCP_APPROVAL_H

#include "base/buf.h"
#include "mcp/safety/shown_args.h"

#define KM_APPROVAL_ID_LEN 24 /* hexadecimal digits */
#define KM_APPROVAL_MS ((uint64_t)10 * 60 * 1000)
#define KM_APPROVALS_MOST 1000 /* of a gateway: 20 MB of arguments, were each as long as it may */
#define KM_APPROVALS_PER_PRINCIPAL 16

enum km_risk {
    KM_RISK_UNKNOWN, /* nobody said */
    KM_RISK_READ_ONLY,
    KM_RISK_WRITE,
    KM_RISK_DESTRUCTIVE,
};
struct km_str km_risk_name(enum km_risk risk); /* "read_only" */

/* A tool's annotations: 1 true, -1 false, 0 not said. */
struct km_mcp_hints {
    signed char read_only, destructive, idempotent, open_world;
};

/* What a server says of its own tool.  Not read-only without a word on destruction counts as
 * destructive (the specification's default); saying both read-only and destructive does too. */
enum km_risk km_risk_claimed(const struct km_mcp_hints *hints);
/* configured UNKNOWN: nothing was configured, the claim counts.  Otherwise the configuration
 * does: a claim alone never makes a tool safer than the operator said. */
enum km_risk km_risk_of(enum km_risk configured, const struct km_mcp_hints *hints);
/* least: what is configured for all tools of a server, which a claim raises and never lowers. */
enum km_risk km_risk_at_least(enum km_risk least, const struct km_mcp_hints *hints);

enum km_approve {
    KM_APPROVE_NEVER,
    KM_APPROVE_DESTRUCTIVE, /* ask before destructive calls */
    KM_APPROVE_WRITE, /* and before writing ones */
    KM_APPROVE_ALWAYS,
    KM_APPROVE_DENY, /* do not ask: refuse whatever would be asked about writing */
};

struct km_approval_policy {
    enum km_approve known; /* KM_APPROVE_DESTRUCTIVE */
    enum km_approve unknown; /* of tools that say nothing: NEVER, ALWAYS or DENY */
};
extern const struct km_approval_policy km_approval_default;

enum km_verdict { KM_VERDICT_DENY, KM_VERDICT_ASK, KM_VERDICT_ALLOW };
enum km_verdict km_approval_decide(const struct km_approval_policy *policy,
                                   enum km_risk risk) KM_MUST_USE;

/* --- the table: any thread --- */

struct km_approvals;
struct km_veil;
/* NULL when out of memory. */
struct km_approvals *km_approvals_new(size_t max);
struct km_approvals *km_approvals_free(struct km_approvals *a);

struct km_approval_ask {
    struct km_str principal; /* complete: two callers never share one */
    struct km_str subject; /* for the administrator: who a token says it is; empty: a key */
    struct km_str alias, user; /* of the key, for the administrator; may be empty */
    struct km_str server; /* the same */
    struct km_str tool; /* "server-tool" */
    const uint8_t *digest; /* SHA-256 of the arguments */
    struct km_str shown; /* the arguments by km_args_show() on one line; a copy is sealed */
    size_t cut; /* so many values of them are cut */
    enum km_risk risk;
    bool quiet; /* nothing is filed where there is no approval: the client itself is asked */
};

/* 0: it was approved, and that approval is used up.  KM_E_AGAIN: it waits under ret_id (the same
 * question keeps its id; empty: quiet).  KM_E_FORBIDDEN: it was refused.  KM_E_LIMIT: too many
 * wait. */
int km_approvals_take(struct km_approvals *a, const struct km_approval_ask *ask, uint64_t now_ms,
                      char ret_id[KM_APPROVAL_ID_LEN + 1], struct km_err *err) KM_MUST_USE;

/* The next such call is approved, once: the one that was goes on as another request. */
int km_approvals_give(struct km_approvals *a, const struct km_approval_ask *ask, uint64_t now_ms,
                      struct km_err *err) KM_MUST_USE;

/* A person's answer.  ret_tool (may be NULL): what it is about, for the audit record.
 * KM_E_NOT_FOUND: unknown, used or over; KM_E_EXISTS: answered before. */
int km_approvals_answer(struct km_approvals *a, struct km_str id, bool approve, uint64_t now_ms,
                        char ret_tool[160], struct km_err *err) KM_MUST_USE;

/* [{"id","principal","subject"?,"key_alias"?,"user_id"?,"server","tool","risk","arguments",
 * "arguments_cut","arguments_sha256","state","asked_at","expires_at","expires_in_s"}], oldest
 * first.  id empty: all.  What the veil (may be NULL) takes for a credential is cut out of the
 * arguments: the call has it, and whoever reads this need not. */
#define KM_APPROVAL_JSON_BYTES (2 * KM_ARGS_TEXT_BYTES + 4096) /* of one, at most */
void km_approvals_json(struct km_approvals *a, struct km_str id, struct km_veil *veil,
                       uint64_t now_ms, struct km_buf *out);

#endif

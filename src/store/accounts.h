/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.h - who may spend what, beside keys: the rows, and the operations on them.
 *
 * An account is named by its kind and id, a member by its user and what it is a member `of`.  All
 * kinds are one row: what LiteLLM has in tables of their own (teams, users, organisations, end
 * users, tags, memberships, budgets) differs in a few columns, which km_account_has() tells, and
 * is limited by the same means.  A budget (KM_ACCOUNT_BUDGET) is no payer: it is the limits of
 * those whose budget_id names it.  Who is a member of what is said by members' rows alone.
 *
 * What an account spent is the ledger's (account_sums): a row written here never sets it.
 */
#ifndef KM_STORE_ACCOUNTS_H
#define KM_STORE_ACCOUNTS_H

#include "store/key_columns.h"

/* As stored: numbers stay.  In the order in which a call's accounts are asked. */
enum km_account_kind {
    KM_ACCOUNT_NONE,
    KM_ACCOUNT_GATEWAY, /* one: all that passes through */
    KM_ACCOUNT_ORGANIZATION,
    KM_ACCOUNT_ORG_MEMBER, /* a user, `of` an organisation */
    KM_ACCOUNT_TEAM,
    KM_ACCOUNT_MEMBER, /* a user, `of` a team */
    KM_ACCOUNT_USER,
    KM_ACCOUNT_END_USER,
    KM_ACCOUNT_TAG,
    KM_ACCOUNT_SESSION, /* of x-litellm-trace-id */
    KM_ACCOUNT_PROVIDER,
    KM_ACCOUNT_DEPLOYMENT,
    KM_ACCOUNT_BUDGET,
    KM_ACCOUNT_KEY, /* a key's further limits; no row of the store's: policy/key_limits.h */
    KM_ACCOUNT_KINDS
};

#define KM_ACCOUNT_ID_BYTES 192 /* most of an id; without control characters */

/* As stored; strings are the caller's.  Limits as in struct km_key_row. */
struct km_account_row {
    enum km_account_kind kind;
    struct km_str id;
    struct km_str of; /* empty but for members */
    struct km_str alias; /* team_alias, user_alias, organization_alias; a tag's description */
    struct km_str organization_id; /* of a team, a user */
    struct km_str budget_id; /* "": none.  What the row itself says wins, member by member */
    struct km_str email; /* of a user */
    struct km_str role; /* user_role of a user; "admin" or "user" of a member */
    struct km_str_list models; /* empty: all */
    int64_t max_budget, soft_budget; /* nano-USD; -1 none */
    int64_t budget_duration_s; /* 0: one window for ever */
    struct km_str budget_duration; /* as given: "30d" */
    int64_t budget_reset_us; /* when a window of it ends, any: all others follow from it */
    struct km_str budget_limits; /* JSON array of {budget_duration, max_budget} */
    struct km_str model_max_budget; /* JSON object: model to {budget_limit, time_period} */
    struct km_str model_rpm_limit, model_tpm_limit; /* JSON objects: model to a number */
    int64_t temp_budget_increase; /* nano-USD; -1 none */
    int64_t temp_budget_expiry_us;
    int64_t rpm, tpm, max_parallel; /* -1 none */
    bool blocked;
    struct km_str metadata; /* JSON object */
    struct km_str extra; /* JSON object: accepted fields that have no column */
    int64_t created_us, updated_us;
    struct km_str created_by, updated_by;
};

/* COLUMN(member, kind, given, limits, name, said): as in key_columns.h; which kinds of account have
 * it is asked of km_account_has().  `alias` has another name in each kind: km_account_words. */
/* clang-format off */
#define KM_ACCOUNT_COLUMNS(COLUMN)                                                                 \
    COLUMN(alias, TEXT, AS_IS, false, NULL, NULL)                                                  \
    COLUMN(organization_id, TEXT, AS_IS, false, "organization_id", "organization_id")              \
    COLUMN(budget_id, TEXT, AS_IS, true, "budget_id", "budget_id")                                 \
    COLUMN(email, TEXT, AS_IS, false, "user_email", "user_email")                                  \
    COLUMN(role, TEXT, AS_IS, false, NULL, NULL)                                                   \
    COLUMN(models, LIST, AS_IS, true, "models", "models")                                          \
    COLUMN(max_budget, MONEY, AS_IS, true, "max_budget", "max_budget")                             \
    COLUMN(soft_budget, MONEY, AS_IS, false, "soft_budget", "soft_budget")                         \
    COLUMN(budget_duration_s, SECONDS, NOT_GIVEN, true, NULL, NULL)                                \
    COLUMN(budget_duration, TEXT, AS_WINDOW, true, "budget_duration", "budget_duration")           \
    COLUMN(budget_reset_us, TIME, NOT_GIVEN, false, "budget_reset_at", NULL)                       \
    COLUMN(budget_limits, OBJECT, AS_IS, true, "budget_limits", "budget_limits")                   \
    COLUMN(model_max_budget, OBJECT, AS_IS, true, "model_max_budget", "model_max_budget")          \
    COLUMN(model_rpm_limit, OBJECT, AS_IS, true, "model_rpm_limit", "model_rpm_limit")             \
    COLUMN(model_tpm_limit, OBJECT, AS_IS, true, "model_tpm_limit", "model_tpm_limit")             \
    COLUMN(temp_budget_increase, MONEY, AS_IS, true,                                               \
           "temp_budget_increase", "temp_budget_increase")                                         \
    COLUMN(temp_budget_expiry_us, TIME, AS_IS, true, "temp_budget_expiry", "temp_budget_expiry")   \
    COLUMN(rpm, COUNT, AS_IS, true, "rpm_limit", "rpm_limit")                                      \
    COLUMN(tpm, COUNT, AS_IS, true, "tpm_limit", "tpm_limit")                                      \
    COLUMN(max_parallel, COUNT, AS_IS, true, "max_parallel_requests", "max_parallel_requests")     \
    COLUMN(blocked, FLAG, AS_IS, true, "blocked", "blocked")                                       \
    COLUMN(metadata, OBJECT, AS_IS, false, "metadata", "metadata")                                 \
    COLUMN(created_us, TIME, NOT_GIVEN, false, "created_at", NULL)                                 \
    COLUMN(updated_us, TIME, NOT_GIVEN, false, "updated_at", NULL)                                 \
    COLUMN(created_by, TEXT, NOT_GIVEN, false, "created_by", NULL)                                 \
    COLUMN(updated_by, TEXT, NOT_GIVEN, false, "updated_by", NULL)                                 \
    COLUMN(extra, EXTRA, NOT_GIVEN, false, NULL, NULL)
/* clang-format on */

/* Their offsets are in struct km_account_row; of `own`, `label` and `option` none has any. */
extern const struct km_key_column km_account_columns[];
extern const size_t km_account_columns_n;

/* What LiteLLM calls the id, what it is of, the alias and the role of an account of each kind in
 * JSON; NULL: has none. */
struct km_account_words {
    const char *kind; /* "team": in texts, and as the audit record's action begins */
    const char *id, *of, *alias, *role;
};
extern const struct km_account_words km_account_words[KM_ACCOUNT_KINDS];

/* Has an account of this kind that column (an element of km_account_columns)? */
bool km_account_has(enum km_account_kind kind, const struct km_key_column *c);
/* The column that an account of this kind is given by that name; NULL: there is none. */
const struct km_key_column *km_account_column(enum km_account_kind kind, struct km_str name);

/* A row without limits. */
struct km_account_row km_account_row_none(enum km_account_kind kind, struct km_str id,
                                          struct km_str of);
/* A copy that owns its strings, in one block; NULL: no memory.  To be freed by free(). */
struct km_account_row *km_account_row_new(const struct km_account_row *from);
/* Another whose strings lie in the arena, for who changes it; KM_E_NOMEM. */
int km_account_row_copy(const struct km_account_row *from, struct km_arena *arena,
                        struct km_account_row *ret) KM_MUST_USE;
/* Is this an id that an account may have? */
bool km_account_id_is_good(struct km_str id);

/* Inserts (KM_E_EXISTS) or replaces (KM_E_NOT_FOUND) the row, with its audit record; the row is
 * copied before return, and done comes after the commit. */
void km_store_account_put(struct km_store *store, struct km_mailbox *reply,
                          const struct km_account_row *row, bool insert,
                          const struct km_audit *audit, km_store_done_fn *done, void *ctx);
/* KM_E_NOT_FOUND.  Members of a team or an organisation, and what a user is a member of, go with
 * it. */
void km_store_account_delete(struct km_store *store, struct km_mailbox *reply,
                             enum km_account_kind kind, struct km_str id, struct km_str of,
                             const struct km_audit *audit, km_store_done_fn *done, void *ctx);

/* Every account; blocking, before loops run (and at hand-over). */
typedef void km_account_row_fn(void *ctx, const struct km_account_row *row);
int km_store_accounts(struct km_store *store, km_account_row_fn *each, void *ctx,
                      struct km_err *err) KM_MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* key_columns.h - the columns of a key, once, for all that know a key by its fields.
 *
 *     store     the statements that write and read it, and its row's copy
 *     admin     what /key/generate and /key/update take, what /key/info shows
 *     servers   what the tool key_info shows a key of itself
 *     app       what `kanmon key generate` sends and `kanmon key info` prints
 *
 * A field that joins is a member of struct km_key_row, a line here, a migration that makes a
 * column of the same name, and the policy that heeds it.  `hash` names the row; `spend` and
 * `window_us` are the ledger's and written by its statements.
 */
#ifndef KM_STORE_KEY_COLUMNS_H
#define KM_STORE_KEY_COLUMNS_H

#include "store/driver.h"
#include "store/store.h"

/* What a column has, and so how it is written and read anywhere. */
enum km_key_kind {
    KM_KEY_TEXT,
    KM_KEY_OBJECT, /* JSON, as text */
    KM_KEY_EXTRA, /* the same: its members stand beside the others */
    KM_KEY_LIST, /* of texts */
    KM_KEY_COUNT, /* -1: none */
    KM_KEY_MONEY, /* nano-USD; -1: none */
    KM_KEY_FLAG,
    KM_KEY_TIME, /* wall; 0: never */
    KM_KEY_SECONDS,
    KM_KEY_KINDS
};

/* How a request says it. */
enum km_key_given {
    KM_KEY_NOT_GIVEN, /* the gateway's own */
    KM_KEY_AS_IS,
    KM_KEY_AS_EXPIRY, /* as the time from now on */
    KM_KEY_AS_WINDOW, /* as the time a budget's window has; makes the window too */
};

/* COLUMN(member, kind, given, limits, name, said, own, label, option)
 *
 *     limits  without it the key may do more
 *     name    of the member of JSON that shows it; NULL: none does
 *     said    of the member that a request says it by; NULL: none does
 *     own     of the member of the tool key_info; NULL: not shown there
 *     label   of the line of `kanmon key info`; NULL: none
 *     option  of `kanmon key generate` (app/commands.c has its help); NULL: none
 *
 * In the order in which they are shown. */
/* clang-format off */
#define KM_KEY_COLUMNS(COLUMN)                                                                     \
    COLUMN(name, TEXT, NOT_GIVEN, false, "key_name", NULL, "name", "key", NULL)                    \
    COLUMN(alias, TEXT, AS_IS, false, "key_alias", "key_alias", "alias", "alias", "alias")         \
    COLUMN(max_budget, MONEY, AS_IS, true,                                                         \
           "max_budget", "max_budget", "max_budget_usd", "max budget", "max-budget")               \
    COLUMN(soft_budget, MONEY, AS_IS, false, "soft_budget", "soft_budget", NULL, NULL, NULL)       \
    COLUMN(budget_duration_s, SECONDS, NOT_GIVEN, true, NULL, NULL, NULL, NULL, NULL)              \
    COLUMN(budget_duration, TEXT, AS_WINDOW, true,                                                 \
           "budget_duration", "budget_duration", NULL, NULL, "budget-duration")                    \
    COLUMN(budget_reset_us, TIME, NOT_GIVEN, false,                                                \
           "budget_reset_at", NULL, "budget_resets_at", "resets", NULL)                            \
    COLUMN(rpm, COUNT, AS_IS, true, "rpm_limit", "rpm_limit", "rpm_limit", "rpm", "rpm")           \
    COLUMN(tpm, COUNT, AS_IS, true, "tpm_limit", "tpm_limit", "tpm_limit", "tpm", "tpm")           \
    COLUMN(max_parallel, COUNT, AS_IS, true, "max_parallel_requests", "max_parallel_requests",     \
           "max_parallel_requests", "parallel", "max-parallel")                                    \
    COLUMN(budget_limits, OBJECT, AS_IS, true, "budget_limits", "budget_limits", NULL, NULL, NULL) \
    COLUMN(model_max_budget, OBJECT, AS_IS, true,                                                  \
           "model_max_budget", "model_max_budget", NULL, NULL, NULL)                               \
    COLUMN(model_rpm_limit, OBJECT, AS_IS, true,                                                   \
           "model_rpm_limit", "model_rpm_limit", NULL, NULL, NULL)                                 \
    COLUMN(model_tpm_limit, OBJECT, AS_IS, true,                                                   \
           "model_tpm_limit", "model_tpm_limit", NULL, NULL, NULL)                                 \
    COLUMN(temp_budget_increase, MONEY, AS_IS, true,                                               \
           "temp_budget_increase", "temp_budget_increase", NULL, NULL, NULL)                       \
    COLUMN(temp_budget_expiry_us, TIME, AS_IS, true,                                               \
           "temp_budget_expiry", "temp_budget_expiry", NULL, NULL, NULL)                           \
    COLUMN(models, LIST, AS_IS, true, "models", "models", "models", NULL, "models")                \
    COLUMN(metadata, OBJECT, AS_IS, false, "metadata", "metadata", NULL, NULL, NULL)               \
    COLUMN(blocked, FLAG, AS_IS, true, "blocked", "blocked", NULL, "blocked", NULL)                \
    COLUMN(user_id, TEXT, AS_IS, false, "user_id", "user_id", NULL, NULL, "user")                  \
    COLUMN(team_id, TEXT, AS_IS, false, "team_id", "team_id", NULL, NULL, NULL)                    \
    COLUMN(organization_id, TEXT, AS_IS, false,                                                    \
           "organization_id", "organization_id", NULL, NULL, NULL)                                 \
    COLUMN(budget_id, TEXT, AS_IS, true, "budget_id", "budget_id", NULL, NULL, NULL)               \
    COLUMN(limits_id, TEXT, NOT_GIVEN, false, NULL, NULL, NULL, NULL, NULL)                        \
    COLUMN(retired, TEXT, NOT_GIVEN, false, NULL, NULL, NULL, NULL, NULL)                          \
    COLUMN(expires_us, TIME, AS_EXPIRY, true,                                                      \
           "expires", "duration", "expires_at", "expires", "duration")                             \
    COLUMN(created_us, TIME, NOT_GIVEN, false, "created_at", NULL, NULL, NULL, NULL)               \
    COLUMN(updated_us, TIME, NOT_GIVEN, false, "updated_at", NULL, NULL, NULL, NULL)               \
    COLUMN(created_by, TEXT, NOT_GIVEN, false, "created_by", NULL, NULL, NULL, NULL)               \
    COLUMN(updated_by, TEXT, NOT_GIVEN, false, "updated_by", NULL, NULL, NULL, NULL)               \
    COLUMN(extra, EXTRA, NOT_GIVEN, false, NULL, NULL, NULL, NULL, NULL)
/* clang-format on */

struct km_key_column {
    size_t offset; /* in struct km_key_row */
    enum km_key_kind kind;
    enum km_key_given given;
    bool limits;
    const char *name, *said, *own, *label, *option;
};

extern const struct km_key_column km_key_columns[];
extern const size_t km_key_columns_n;

/* The column of a member that a request says; NULL: none. */
const struct km_key_column *km_key_column_said(struct km_str said);

/* What is there: of a column of that kind. */
static inline struct km_str km_key_text(const struct km_key_row *row, const struct km_key_column *c)
{
    return *(const struct km_str *)(const void *)((const char *)row + c->offset);
}

static inline struct km_str_list km_key_list(const struct km_key_row *row,
                                             const struct km_key_column *c)
{
    return *(const struct km_str_list *)(const void *)((const char *)row + c->offset);
}

static inline int64_t km_key_number(const struct km_key_row *row, const struct km_key_column *c)
{
    return *(const int64_t *)(const void *)((const char *)row + c->offset);
}

static inline bool km_key_flag(const struct km_key_row *row, const struct km_key_column *c)
{
    return *(const bool *)(const void *)((const char *)row + c->offset);
}

/* Is it a struct km_str in the row? */
static inline bool km_key_is_text(const struct km_key_column *c)
{
    return c->kind == KM_KEY_TEXT || c->kind == KM_KEY_OBJECT || c->kind == KM_KEY_EXTRA;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* account_row.c - the list of columns of accounts.h as a table, which kinds have which, copies.
 *
 * That a column is nothing to a kind is said here and nowhere else: who reads a request refuses it
 * by this table, and who shows a row leaves it out.
 */
#include "store/accounts.h"
#include "store/row_copy.h"

#define COLUMN(member, kind, given, limits, name, said)                                            \
    { offsetof(struct km_account_row, member), KM_KEY_##kind, KM_KEY_##given, limits, name, said,  \
      NULL, NULL, NULL },

const struct km_key_column km_account_columns[] = { KM_ACCOUNT_COLUMNS(COLUMN) };
const size_t km_account_columns_n = sizeof km_account_columns / sizeof km_account_columns[0];

const struct km_account_words km_account_words[KM_ACCOUNT_KINDS] = {
    [KM_ACCOUNT_NONE] = { "account", NULL, NULL, NULL, NULL },
    [KM_ACCOUNT_GATEWAY] = { "gateway", NULL, NULL, NULL, NULL },
    [KM_ACCOUNT_ORGANIZATION] = { "organization", "organization_id", NULL, "organization_alias",
                                  NULL },
    [KM_ACCOUNT_ORG_MEMBER] = { "organization_member", "user_id", "organization_id", NULL,
                                "user_role" },
    [KM_ACCOUNT_TEAM] = { "team", "team_id", NULL, "team_alias", NULL },
    [KM_ACCOUNT_MEMBER] = { "team_member", "user_id", "team_id", NULL, "role" },
    [KM_ACCOUNT_USER] = { "user", "user_id", NULL, "user_alias", "user_role" },
    [KM_ACCOUNT_END_USER] = { "end_user", "user_id", NULL, "alias", NULL },
    [KM_ACCOUNT_TAG] = { "tag", "name", NULL, "description", NULL },
    [KM_ACCOUNT_SESSION] = { "session", NULL, NULL, NULL, NULL },
    [KM_ACCOUNT_PROVIDER] = { "provider", NULL, NULL, NULL, NULL },
    [KM_ACCOUNT_DEPLOYMENT] = { "deployment", NULL, NULL, NULL, NULL },
    [KM_ACCOUNT_BUDGET] = { "budget", "budget_id", NULL, NULL, NULL },
    [KM_ACCOUNT_KEY] = { "key", NULL, NULL, NULL, NULL },
};

bool km_account_has(enum km_account_kind kind, const struct km_key_column *c)
{
    switch (c->offset) {
    case offsetof(struct km_account_row, alias):
        return km_account_words[kind].alias != NULL;
    case offsetof(struct km_account_row, role):
        return km_account_words[kind].role != NULL;
    case offsetof(struct km_account_row, organization_id):
        return kind == KM_ACCOUNT_TEAM || kind == KM_ACCOUNT_USER;
    case offsetof(struct km_account_row, email):
        return kind == KM_ACCOUNT_USER;
    case offsetof(struct km_account_row, budget_id):
        return kind != KM_ACCOUNT_BUDGET;
    default:
        return true;
    }
}

const struct km_key_column *km_account_column(enum km_account_kind kind, struct km_str name)
{
    const struct km_account_words *words = &km_account_words[kind];

    for (size_t i = 0; i < km_account_columns_n; i++) {
        const struct km_key_column *c = &km_account_columns[i];
        const char *said = c->said;

        if (c->offset == offsetof(struct km_account_row, alias))
            said = words->alias;
        if (c->offset == offsetof(struct km_account_row, role))
            said = words->role;
        if (said && km_str_eq(km_str_c(said), name) && km_account_has(kind, c))
            return c;
    }
    return NULL;
}

struct km_account_row km_account_row_none(enum km_account_kind kind, struct km_str id,
                                          struct km_str of)
{
    return (struct km_account_row){ .kind = kind,
                                    .id = id,
                                    .of = of,
                                    .max_budget = -1,
                                    .soft_budget = -1,
                                    .temp_budget_increase = -1,
                                    .rpm = -1,
                                    .tpm = -1,
                                    .max_parallel = -1 };
}

/* The names are no columns: they say which row it is. */
static const size_t names[] = { offsetof(struct km_account_row, id),
                                offsetof(struct km_account_row, of) };

static struct km_row_shape shape_of_account(void)
{
    return (struct km_row_shape){ .size = sizeof(struct km_account_row),
                                  .v = km_account_columns,
                                  .n = km_account_columns_n,
                                  .texts = names,
                                  .ntexts = sizeof names / sizeof names[0] };
}

struct km_account_row *km_account_row_new(const struct km_account_row *from)
{
    const struct km_row_shape shape = shape_of_account();

    return km_row_copy_new(&shape, from);
}

int km_account_row_copy(const struct km_account_row *from, struct km_arena *arena,
                        struct km_account_row *ret)
{
    const struct km_row_shape shape = shape_of_account();

    return km_row_copy(&shape, from, arena, ret);
}

bool km_account_id_is_good(struct km_str id)
{
    if (id.n == 0 || id.n > KM_ACCOUNT_ID_BYTES)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if ((unsigned char)id.p[i] < 0x20 || id.p[i] == 0x7f)
            return false;
    return true;
}

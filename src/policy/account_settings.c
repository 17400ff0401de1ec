/* SPDX-License-Identifier: Apache-2.0 */
/* account_settings.c - see account_settings.h.
 *
 *     kanmon_settings:
 *       teams:
 *         - {team_id: research, max_budget: 100, budget_duration: 30d}
 *       team_members:
 *         - {team_id: research, user_id: ada, max_budget: 10}
 *
 * One list a kind, in the members of LiteLLM's endpoints, read by the columns of accounts.h: what
 * an endpoint takes a file does.  What a member says that no column has is refused, because
 * a limit that is misspelt would limit nothing.  The file wins over the store: whoever is declared
 * is as declared at each start.  What it spent is in the store under its name, as anybody's.
 */
#include "policy/account_settings.h"

#include "config/tree.h"
#include "policy/account_table.h"

#define LIST(word, kind, what)                                                                     \
    { .name = word,                                                                                \
      .type = KM_SET_NODE,                                                                         \
      .offset = offsetof(struct km_account_settings, lists) +                                      \
                sizeof(const struct km_node *) * (kind),                                           \
      .flags = KM_SET_RESTART | KM_SET_SAFETY,                                                     \
      .help = what }

static const struct km_setting rows[] = {
    LIST("organizations", KM_ACCOUNT_ORGANIZATION,
         "Organisations and what they may spend: a list of mappings with organization_id and the "
         "members of LiteLLM's /organization/new."),
    LIST("teams", KM_ACCOUNT_TEAM,
         "Teams and what they may spend: a list of mappings with team_id and the members of "
         "LiteLLM's /team/new that limit or name it."),
    LIST("team_members", KM_ACCOUNT_MEMBER,
         "What a user may spend as a member of a team: a list of mappings with team_id, user_id "
         "and limits."),
    LIST("users", KM_ACCOUNT_USER,
         "Users and what they may spend: a list of mappings with user_id and the members of "
         "LiteLLM's /user/new that limit or name them."),
    LIST("customers", KM_ACCOUNT_END_USER,
         "End users, whom callers name, and what they may spend: a list of mappings with user_id "
         "and the members of LiteLLM's /customer/new."),
    LIST("tags", KM_ACCOUNT_TAG,
         "Tags, which callers name, and what may be spent by them: a list of mappings with name "
         "and limits."),
    LIST("budgets", KM_ACCOUNT_BUDGET,
         "Limits that several of these share by their budget_id: a list of mappings with budget_id "
         "and the members of LiteLLM's /budget/new."),
    { 0 },
};

const struct km_settings_table km_account_settings_table = {
    .section = "kanmon_settings",
    .rows = rows,
    .size = sizeof(struct km_account_settings),
    .extra = SIZE_MAX,
};

static int wrong(const struct km_node *node, const char *what, struct km_str name,
                 struct km_err *err)
{
    return km_fail(err, KM_E_CONFIG, "%.*s:%u: %.*s %s", KM_STR_ARG(node->file), node->line,
                   KM_STR_ARG(name), what);
}

static int read_list(const struct km_node *v, struct km_arena *arena, struct km_str_list *ret)
{
    struct km_str *list = km_arena_alloc(arena, (v->n + 1) * sizeof *list);

    if (v->type != KM_NODE_SEQ || !list)
        return KM_E_INVALID;
    for (size_t i = 0; i < v->n; i++)
        list[i] = v->v[i]->text;
    *ret = (struct km_str_list){ list, v->n };
    return 0;
}

static int read_json(const struct km_node *v, struct km_arena *arena, struct km_str *ret)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(1u << 16);

    km_node_json(v, &json);
    *ret = km_arena_str(arena, km_buf_view(&json));
    return km_buf_failed(&json) ? KM_E_INVALID : 0;
}

static int read_window(struct km_account_row *row)
{
    return km_time_parse_duration(row->budget_duration, &row->budget_duration_s);
}

static int read_column(const struct km_key_column *c, const struct km_node *v,
                       struct km_arena *arena, struct km_account_row *row)
{
    void *at = (char *)row + c->offset;

    if (v->type == KM_NODE_NULL)
        return 0;
    switch (c->kind) {
    case KM_KEY_MONEY:
        return km_str_decimal(v->text, 9, at);
    case KM_KEY_COUNT:
        return km_str_i64(v->text, at);
    case KM_KEY_FLAG:
        *(bool *)at = v->b;
        return v->type == KM_NODE_BOOL ? 0 : KM_E_INVALID;
    case KM_KEY_TIME:
        return km_time_parse_iso(v->text, at);
    case KM_KEY_LIST:
        return read_list(v, arena, at);
    case KM_KEY_OBJECT:
        return read_json(v, arena, at);
    default:
        *(struct km_str *)at = v->text;
        return c->given == KM_KEY_AS_WINDOW ? read_window(row) : 0;
    }
}

static int read_row(const struct km_node *node, struct km_arena *arena, struct km_account_row *row,
                    struct km_err *err)
{
    const struct km_account_words *words = &km_account_words[row->kind];

    if (node->type != KM_NODE_MAP)
        return wrong(node, "is not a mapping", km_str_c(words->kind), err);
    for (size_t i = 0; i < node->n; i++) {
        const struct km_str name = node->k[i]->text;
        const struct km_key_column *c = km_account_column(row->kind, name);

        if (km_str_eq(name, km_str_c(words->id)))
            row->id = node->v[i]->text;
        else if (words->of && km_str_eq(name, km_str_c(words->of)))
            row->of = node->v[i]->text;
        else if (!c)
            return wrong(node->k[i], "is no member of it that kanmon knows", name, err);
        else if (read_column(c, node->v[i], arena, row) < 0)
            return wrong(node->v[i], "does not read", name, err);
    }
    if (!row->id.n || (words->of && !row->of.n))
        return wrong(node, "has no id", km_str_c(words->kind), err);
    return 0;
}

static int declare(struct km_accounts *t, enum km_account_kind kind, const struct km_node *node,
                   struct km_err *err)
{
    struct km_account_row row = km_account_row_none(kind, KM_STR_NONE, KM_STR_NONE);
    struct km_arena arena KM_CLEANUP(km_arena_done);
    struct km_err why = { 0 };
    int r;

    km_arena_init(&arena, 1u << 20, NULL);
    r = read_row(node, &arena, &row, err);
    if (r == 0 && (km_accounts_check(&row, &why) < 0 || km_accounts_put(t, &row, &why) < 0))
        r = wrong(node, why.text, row.id, err);
    return r;
}

static int declare_all(struct km_accounts *t, enum km_account_kind kind, const struct km_node *list,
                       struct km_err *err)
{
    int r = 0;

    if (!list || list->type == KM_NODE_NULL)
        return 0;
    if (list->type != KM_NODE_SEQ)
        return wrong(list, "must be a list", km_str_c(km_account_words[kind].kind), err);
    for (size_t i = 0; r == 0 && i < list->n; i++)
        r = declare(t, kind, list->v[i], err);
    return r;
}

int km_accounts_declare(struct km_accounts *t, const struct km_account_settings *s,
                        struct km_err *err)
{
    int r = 0;

    t->declaring = true;
    for (size_t kind = 0; r == 0 && kind < KM_ACCOUNT_KINDS; kind++)
        r = declare_all(t, (enum km_account_kind)kind, s->lists[kind], err);
    t->declaring = false;
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* account_view.c - looking at accounts: one, several that are named, all, or a page of them.
 *
 * Everything comes from the table in memory, whose spend is the live one.  A list has what its
 * asker may look at, so an administrator's is the whole and a member's are his own teams.
 */
#include <stdlib.h>

#include "admin/account_inside.h"
#include "base/encode.h"

#define ANSWER_BYTES (64 * 1024 * 1024)

/* An answer that does not fit is said, not cut. */
static int give_answer(struct km_admin *a, struct km_buf *out, struct km_err *err)
{
    if (km_buf_failed(out))
        return km_fail(err, KM_E_LIMIT,
                       "The list is longer than 64 MiB: ask for pages of it (page, page_size).");
    km_admin_json(a, 200, km_buf_view(out));
    return 0;
}

static void put_teams_of(struct km_admin *a, struct km_account_book *mine,
                         const struct km_account_book *book, struct km_buf *out)
{
    struct km_accounts *t = a->v->w->gw->accounts;
    bool any = false;

    km_buf_byte(out, '[');
    for (size_t i = 0; i < mine->nteam; i++) {
        struct km_account *team =
            km_accounts_find(t, KM_ACCOUNT_TEAM, mine->of_team[i]->row.of, KM_STR_NONE);

        if (!team)
            continue;
        if (any)
            km_buf_byte(out, ',');
        km_account_show(a, book, team, out);
        any = true;
        km_account_unref(team);
    }
    km_buf_byte(out, ']');
}

/* A user with his keys and teams. */
static int info_user(struct km_admin *a, struct km_account *acc, struct km_buf *out,
                     struct km_err *err)
{
    struct km_account_book mine, book;
    struct km_str id = acc->row.id;
    int r = km_account_book_open(a, &mine, KM_STR_NONE, id, KM_STR_NONE, err);

    if (r < 0)
        return r;
    r = km_account_book_open(a, &book, KM_STR_NONE, KM_STR_NONE, KM_STR_NONE, err);
    if (r == 0) {
        km_buf_str(out, KM_STR("{\"user_id\":"));
        km_buf_json(out, id);
        km_buf_str(out, KM_STR(",\"user_info\":"));
        km_account_show(a, &mine, acc, out);
        km_buf_str(out, KM_STR(",\"keys\":"));
        km_account_show_keys(&mine, KM_STR_NONE, id, out);
        km_buf_str(out, KM_STR(",\"teams\":"));
        put_teams_of(a, &mine, &book, out);
        km_buf_byte(out, '}');
        km_account_book_close(&book);
    }
    km_account_book_close(&mine);
    return r;
}

/* A team as a list has it: with its members' rows and its keys. */
static void put_team(struct km_admin *a, const struct km_account_book *book, struct km_account *acc,
                     struct km_buf *out)
{
    km_account_show(a, book, acc, out);
    km_account_reopen(out);
    km_buf_str(out, KM_STR(",\"team_memberships\":"));
    km_account_show_members(a, book, acc->row.id, out);
    km_buf_str(out, KM_STR(",\"keys\":"));
    km_account_show_keys(book, acc->row.id, KM_STR_NONE, out);
    km_buf_byte(out, '}');
}

static int info_team(struct km_admin *a, struct km_account *acc, struct km_buf *out,
                     struct km_err *err)
{
    struct km_account_book book;
    struct km_str id = acc->row.id;
    int r = km_account_book_open(a, &book, id, KM_STR_NONE, KM_STR_NONE, err);

    if (r < 0)
        return r;
    km_buf_str(out, KM_STR("{\"team_id\":"));
    km_buf_json(out, id);
    km_buf_str(out, KM_STR(",\"team_info\":"));
    km_account_show(a, &book, acc, out);
    km_buf_str(out, KM_STR(",\"keys\":"));
    km_account_show_keys(&book, id, KM_STR_NONE, out);
    km_buf_str(out, KM_STR(",\"team_memberships\":"));
    km_account_show_members(a, &book, id, out);
    km_buf_byte(out, '}');
    km_account_book_close(&book);
    return 0;
}

/* An organisation with its members and teams. */
static void put_org(struct km_admin *a, const struct km_account_book *book, struct km_account *acc,
                    struct km_buf *out)
{
    const struct km_accounts_which which = { .kind = KM_ACCOUNT_TEAM,
                                             .organization_id = acc->row.id };
    size_t n;
    struct km_account **teams = km_accounts_all(a->v->w->gw->accounts, &which, &n);

    km_account_show(a, book, acc, out);
    km_account_reopen(out);
    km_buf_str(out, KM_STR(",\"members\":"));
    km_account_show_org_members(a, book, acc->row.id, out);
    km_buf_str(out, KM_STR(",\"teams\":["));
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            km_buf_byte(out, ',');
        km_account_show(a, book, teams[i], out);
        km_account_unref(teams[i]);
    }
    free(teams);
    km_buf_str(out, KM_STR("]}"));
}

static int info_org(struct km_admin *a, struct km_account *acc, struct km_buf *out,
                    struct km_err *err)
{
    struct km_account_book book;
    int r = km_account_book_open(a, &book, KM_STR_NONE, KM_STR_NONE, acc->row.id, err);

    if (r < 0)
        return r;
    put_org(a, &book, acc, out);
    km_account_book_close(&book);
    return 0;
}

static int put_info(struct km_admin *a, struct km_account *acc, struct km_buf *out,
                    struct km_err *err)
{
    const struct km_account_book none = { 0 };

    switch (acc->row.kind) {
    case KM_ACCOUNT_TEAM:
        return info_team(a, acc, out, err);
    case KM_ACCOUNT_USER:
        return info_user(a, acc, out, err);
    case KM_ACCOUNT_ORGANIZATION:
        return info_org(a, acc, out, err);
    default:
        km_account_show(a, &none, acc, out);
        return 0;
    }
}

int km_account_info(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    const struct km_account_sort *sort = km_account_sort_of(a);
    struct km_str id = km_admin_asked(a, sort->asked);
    struct km_account *acc;
    int r;

    if (!id.n && sort->kind == KM_ACCOUNT_USER)
        id = km_account_visitor(a);
    if (!id.n)
        return km_account_missing(sort->asked, err);
    acc = km_accounts_find(a->v->w->gw->accounts, sort->kind, id, KM_STR_NONE);
    r = km_account_may(a, KM_ACCOUNT_LOOK, sort->kind, acc ? &acc->row : NULL, err);
    if (r == 0)
        r = acc ? put_info(a, acc, &out, err) : km_account_unknown(sort, id, err);
    km_account_unref(acc);
    return r < 0 ? r : give_answer(a, &out, err);
}

/* A user alone, by a route that has no list of keys and teams. */
int km_user_info_alone(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_str id = km_admin_asked(a, "user_id");
    struct km_account *acc;
    int r;

    if (!id.n)
        id = km_account_visitor(a);
    if (!id.n)
        return km_account_missing("user_id", err);
    acc = km_accounts_find(a->v->w->gw->accounts, KM_ACCOUNT_USER, id, KM_STR_NONE);
    r = km_account_may(a, KM_ACCOUNT_LOOK, KM_ACCOUNT_USER, acc ? &acc->row : NULL, err);
    if (r == 0 && !acc)
        r = km_fail_param(err, KM_E_NOT_FOUND, "user_id", "User not found: %.*s",
                          KM_STR_ARG(km_str_sub(id, 0, KM_ACCOUNT_ID_BYTES)));
    km_account_unref(acc);
    if (r < 0)
        return r;
    km_account_show_one(a, KM_ACCOUNT_USER, id, KM_STR_NONE, &out);
    return give_answer(a, &out, err);
}

/* --- several that the body names --- */

static int put_named(struct km_admin *a, struct km_str id, struct km_buf *out, struct km_err *err)
{
    const struct km_account_sort *sort = km_account_sort_of(a);
    struct km_account *acc = km_accounts_find(a->v->w->gw->accounts, sort->kind, id, KM_STR_NONE);
    bool tags = sort->kind == KM_ACCOUNT_TAG;
    int r = 0;

    if (!acc)
        return tags ? km_account_unknown(sort, id, err) : 0; /* LiteLLM leaves others out */
    if (out->n > 1)
        km_buf_byte(out, ',');
    if (tags) {
        km_buf_json(out, id);
        km_buf_byte(out, ':');
    }
    r = put_info(a, acc, out, err);
    km_account_unref(acc);
    return r;
}

static const char *list_name(enum km_account_kind kind)
{
    return kind == KM_ACCOUNT_TAG      ? "names"
           : kind == KM_ACCOUNT_BUDGET ? "budgets"
                                       : "organizations";
}

int km_account_info_many(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    enum km_account_kind kind = km_account_sort_of(a)->kind;
    const struct km_json *list = km_json_get(a->body, list_name(kind)), *item;
    struct km_json_iter it;
    struct km_str key, id;
    int r = km_account_may(a, KM_ACCOUNT_LOOK, kind, NULL, err);

    if (r < 0)
        return r;
    if (km_json_kind(list) != KM_JSON_ARRAY || km_json_count(list) == 0 ||
        km_json_count(list) > 1000)
        return km_fail_param(err, KM_E_INVALID, list_name(kind),
                             "'%s' must be an array of 1 to 1000 ids.", list_name(kind));
    km_buf_byte(&out, kind == KM_ACCOUNT_TAG ? '{' : '[');
    for (km_json_iter(list, &it); r == 0 && km_json_next(&it, &key, &item);)
        r = km_json_string(item, &id)
                ? put_named(a, id, &out, err)
                : km_fail_param(err, KM_E_INVALID, list_name(kind),
                                "'%s' must be an array of 1 to 1000 ids.", list_name(kind));
    km_buf_byte(&out, kind == KM_ACCOUNT_TAG ? '}' : ']');
    return r < 0 ? r : give_answer(a, &out, err);
}

/* --- lists --- */

struct list {
    struct km_account **v;
    size_t n;
    struct km_account_book book;
};

static bool is_member_of(struct km_admin *a, struct km_str user, struct km_str team)
{
    struct km_account *m = km_accounts_find(a->v->w->gw->accounts, KM_ACCOUNT_MEMBER, user, team);

    km_account_unref(m);
    return m != NULL;
}

/* Is the text in one of several, which commas separate?  Nothing asked: yes. */
static bool is_asked(struct km_str list, struct km_str text)
{
    struct km_str rest = list, item;

    while (km_str_split(&rest, ',', &item))
        if (km_str_eq(km_str_trim(item), text))
            return true;
    return list.n == 0;
}

static bool contains(struct km_admin *a, const char *name, struct km_str text)
{
    struct km_str part = km_admin_asked(a, name);

    for (size_t i = 0; part.n && i + part.n <= text.n; i++)
        if (km_str_ieq(km_str_sub(text, i, part.n), part))
            return true;
    return part.n == 0;
}

static bool wanted(struct km_admin *a, const struct km_account_row *row)
{
    struct km_str user = km_admin_asked(a, "user_id"), org = km_admin_asked(a, "organization_id");

    switch (row->kind) {
    case KM_ACCOUNT_TEAM:
        return (!user.n || is_member_of(a, user, row->id)) &&
               (!org.n || km_str_eq(row->organization_id, org) ||
                (km_str_eq(org, KM_STR("default_organization")) && !row->organization_id.n)) &&
               is_asked(km_admin_asked(a, "team_id"), row->id) &&
               contains(a, "team_alias", row->alias);
    case KM_ACCOUNT_USER:
        return is_asked(km_admin_asked(a, "user_ids"), row->id) &&
               is_asked(km_admin_asked(a, "role"), row->role) &&
               contains(a, "user_email", row->email) &&
               (!km_admin_asked(a, "team").n ||
                is_member_of(a, row->id, km_admin_asked(a, "team")));
    case KM_ACCOUNT_ORGANIZATION:
        return is_asked(km_admin_asked(a, "org_id"), row->id) &&
               contains(a, "org_alias", row->alias);
    default:
        return true;
    }
}

static int by_alias(const void *x, const void *y)
{
    const struct km_account_row *a = &(*(struct km_account *const *)x)->row;
    const struct km_account_row *b = &(*(struct km_account *const *)y)->row;
    int r = km_str_cmp(a->alias, b->alias);

    return r ? r : km_str_cmp(a->id, b->id);
}

static int newest_first(const void *x, const void *y)
{
    const struct km_account_row *a = &(*(struct km_account *const *)x)->row;
    const struct km_account_row *b = &(*(struct km_account *const *)y)->row;

    if (a->created_us != b->created_us)
        return a->created_us < b->created_us ? 1 : -1;
    return km_str_cmp(a->id, b->id);
}

/* What is asked for and may be looked at. */
static int open_list(struct km_admin *a, struct list *list, struct km_err *err)
{
    enum km_account_kind kind = km_account_sort_of(a)->kind;
    const struct km_accounts_which which = { .kind = kind };
    bool own = kind == KM_ACCOUNT_TEAM || kind == KM_ACCOUNT_ORGANIZATION; /* a list for members */
    bool all = km_account_may(a, KM_ACCOUNT_LOOK, kind, NULL, err) == 0;
    size_t n, kept = 0;
    int r;

    if (!all && (!own || !a->v->who.key))
        return err->code;
    r = km_account_book_open(a, &list->book, KM_STR_NONE, KM_STR_NONE, KM_STR_NONE, err);
    if (r < 0)
        return r;
    list->v = km_accounts_all(a->v->w->gw->accounts, &which, &n);
    for (size_t i = 0; i < n; i++) {
        const struct km_account_row *row = &list->v[i]->row;

        if (wanted(a, row) && (all || km_account_may(a, KM_ACCOUNT_LOOK, kind, row, err) == 0))
            list->v[kept++] = list->v[i];
        else
            km_account_unref(list->v[i]);
    }
    list->n = kept;
    if (kept && kind == KM_ACCOUNT_TEAM)
        qsort(list->v, kept, sizeof *list->v, by_alias);
    if (kept && kind == KM_ACCOUNT_USER)
        qsort(list->v, kept, sizeof *list->v, newest_first);
    return 0;
}

static void close_list(struct list *list)
{
    for (size_t i = 0; i < list->n; i++)
        km_account_unref(list->v[i]);
    free(list->v);
    km_account_book_close(&list->book);
}

static void put_item(struct km_admin *a, const struct list *list, struct km_account *acc,
                     struct km_buf *out)
{
    switch (acc->row.kind) {
    case KM_ACCOUNT_TEAM:
        put_team(a, &list->book, acc, out);
        break;
    case KM_ACCOUNT_ORGANIZATION:
        put_org(a, &list->book, acc, out);
        break;
    case KM_ACCOUNT_USER:
        km_account_show(a, &list->book, acc, out);
        km_account_reopen(out);
        km_buf_printf(out, ",\"key_count\":%zu}", km_account_count_keys(&list->book, acc->row.id));
        break;
    default:
        km_account_show(a, &list->book, acc, out);
        break;
    }
}

static void put_range(struct km_admin *a, const struct list *list, uint64_t from, uint64_t size,
                      struct km_buf *out)
{
    km_buf_byte(out, '[');
    for (uint64_t i = from; i < list->n && i < from + size && !km_buf_failed(out); i++) {
        if (i > from)
            km_buf_byte(out, ',');
        put_item(a, list, list->v[i], out);
    }
    km_buf_byte(out, ']');
}

static int read_page(struct km_admin *a, uint64_t most, uint64_t *page, uint64_t *size,
                     struct km_err *err)
{
    int r = km_admin_number(a, "page", UINT32_MAX, page, err);

    return r < 0 ? r : km_admin_number(a, "page_size", most, size, err);
}

/* All of them, or a page where one is asked for: an array either way. */
int km_account_list(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    uint64_t page = 1, size = UINT32_MAX;
    struct list list = { 0 };
    int r = read_page(a, UINT32_MAX, &page, &size, err);

    if (r == 0)
        r = open_list(a, &list, err);

    if (r < 0)
        return r;
    put_range(a, &list, (page - 1) * size, size, &out);
    close_list(&list);
    return give_answer(a, &out, err);
}

/* A page with its number, and how many there are. */
int km_account_list_page(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    bool users = km_account_sort_of(a)->kind == KM_ACCOUNT_USER;
    uint64_t page = 1, size = users ? 25 : 10;
    struct list list = { 0 };
    int r = read_page(a, 100, &page, &size, err);

    if (r == 0)
        r = open_list(a, &list, err);

    if (r < 0)
        return r;
    km_buf_printf(&out, "{\"%s\":", users ? "users" : "teams");
    put_range(a, &list, (page - 1) * size, size, &out);
    km_buf_printf(&out, ",\"total\":%zu,\"page\":%llu,\"page_size\":%llu,\"total_pages\":%llu}",
                  list.n, (unsigned long long)page, (unsigned long long)size,
                  (unsigned long long)((list.n + size - 1) / size));
    close_list(&list);
    return give_answer(a, &out, err);
}

/* Teams that a user may join by himself: none is, by any setting. */
int km_team_available(struct km_admin *a, struct km_err *err)
{
    (void)err;
    km_admin_json(a, 200, KM_STR("[]"));
    return 0;
}

/* What a budget may say, field by field, and what this one does: a form of LiteLLM's pages. */
int km_budget_settings(struct km_admin *a, struct km_err *err)
{
    static const struct {
        const char *name, *type, *text;
    } fields[] = {
        { "max_budget", "Float", "Requests will fail if this budget (in USD) is exceeded." },
        { "soft_budget", "Float",
          "Requests will NOT fail if this is exceeded. Will fire alerting though." },
        { "max_parallel_requests", "Integer",
          "Max concurrent requests allowed for this budget id." },
        { "tpm_limit", "Integer", "Max tokens per minute, allowed for this budget id." },
        { "rpm_limit", "Integer", "Max requests per minute, allowed for this budget id." },
        { "budget_duration", "String",
          "Max duration budget should be set for (e.g. '1hr', '1d', '28d')" },
        { "model_max_budget", "Object", "Max budget for each model." },
    };
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    struct km_buf row KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    const struct km_json *json = NULL;
    int r = km_account_may(a, KM_ACCOUNT_LOOK, KM_ACCOUNT_BUDGET, NULL, err);

    if (r < 0)
        return r;
    km_account_show_one(a, KM_ACCOUNT_BUDGET, km_admin_asked(a, "budget_id"), KM_STR_NONE, &row);
    r = km_json_parse(&a->arena, km_buf_view(&row), &json, err);
    if (r < 0)
        return r;
    km_buf_byte(&out, '[');
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const struct km_json *v = km_json_get(json, fields[i].name);

        km_buf_printf(&out, "%s{\"field_name\":\"%s\",\"field_type\":\"%s\",", i ? "," : "",
                      fields[i].name, fields[i].type);
        km_buf_printf(&out, "\"field_description\":\"%s\",\"field_value\":", fields[i].text);
        if (v)
            km_json_write(v, &out);
        else
            km_buf_str(&out, KM_STR("null"));
        km_buf_str(&out, KM_STR(",\"stored_in_db\":true,\"field_default_value\":null}"));
    }
    km_buf_byte(&out, ']');
    return give_answer(a, &out, err);
}

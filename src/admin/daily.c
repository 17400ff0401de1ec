/* SPDX-License-Identifier: Apache-2.0 */
/* daily.c - GET /{user,team,tag,customer,organization}/daily/activity, as LiteLLM has them, and the
 * same without pages (/aggregated).
 *
 *     query ─> who may see whose ─> store: the roll-up of these days ─> daily_sum.c ─> the answer
 *
 * Who has all rights, or may look at everything, sees all.  A user sees himself; the admin of a
 * team or an organisation what it did; who is only a member of a team what his own keys did in it.
 * Tags are shown of one's own keys, customers to nobody else.  Who asks for several teams and is
 * the admin of some gets what his keys did, as in LiteLLM.
 *
 * A page has days, the last first; LiteLLM's has rows of its database, so that a day may be on two.
 * Sums over the pages are the same.
 */
#include "admin/daily.h"

#include <stdlib.h>

#include "admin/account_inside.h"
#include "admin/daily_sum.h"
#include "base/time.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define DAYS_MOST 400 /* of one request, as LiteLLM's aggregated ones */
#define PAGE_MOST 1000
#define IDS_MOST 1000

/* Of a route. */
struct whose {
    enum km_account_kind kind;
    const char *ids, *others; /* parameters of the query; NULL: has none */
    uint64_t page_size; /* where none is asked for; 0: all on one page */
};

struct asking {
    struct km_admin *a;
    const struct whose *whose;
    struct km_daily_scope scope;
    struct km_daily_ask ask;
    struct km_str *ids;
};

/* --- what is asked --- */

static int read_day(struct km_admin *a, const char *name, int64_t *ret, struct km_err *err)
{
    struct km_str text = km_admin_asked(a, name);
    int64_t us;

    if (!text.n)
        return km_fail_param(err, KM_E_INVALID, name,
                             "Please provide start_date and end_date: '%s' is missing.", name);
    if (text.n != 10 || km_time_parse_iso(text, &us) < 0)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be a date like 2026-01-31.", name);
    *ret = us / DAY_US;
    return 0;
}

static int read_days(struct km_admin *a, struct km_daily_ask *ask, struct km_err *err)
{
    int r = read_day(a, "start_date", &ask->from_day, err);

    if (r == 0)
        r = read_day(a, "end_date", &ask->to_day, err);
    if (r == 0 && ask->to_day < ask->from_day)
        r = km_fail_param(err, KM_E_INVALID, "end_date", "'end_date' is before 'start_date'.");
    if (r == 0 && ask->to_day - ask->from_day >= DAYS_MOST)
        r = km_fail_param(err, KM_E_INVALID, "start_date",
                          "'start_date' to 'end_date' are more than %d days.", DAYS_MOST);
    return r;
}

static int read_count(struct km_admin *a, const char *name, uint64_t otherwise, uint64_t most,
                      size_t *ret, struct km_err *err)
{
    struct km_str text = km_admin_asked(a, name);
    uint64_t n = otherwise;

    if (text.n && (km_str_u64(text, &n) < 0 || n < 1 || n > most))
        return km_fail_param(err, KM_E_INVALID, name, "'%s' must be a number from 1 to %llu.", name,
                             (unsigned long long)most);
    *ret = (size_t)n;
    return 0;
}

static int read_page(struct asking *q, struct km_err *err)
{
    int r;

    q->scope.page = 1;
    q->scope.page_size = DAYS_MOST;
    if (!q->whose->page_size)
        return 0;
    r = read_count(q->a, "page", 1, UINT32_MAX, &q->scope.page, err);
    return r < 0 ? r
                 : read_count(q->a, "page_size", q->whose->page_size, PAGE_MOST,
                              &q->scope.page_size, err);
}

/* "a,b": none of them is empty. */
static int read_ids(struct km_admin *a, const char *name, const struct km_str **ret, size_t *ret_n,
                    struct km_err *err)
{
    struct km_str text = name ? km_admin_asked(a, name) : KM_STR_NONE, id;
    struct km_str *v;
    size_t n = 1;

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == ',';
    if (n > IDS_MOST)
        return km_fail_param(err, KM_E_INVALID, name, "'%s' names more than %d.", name, IDS_MOST);
    v = km_arena_alloc(&a->arena, n * sizeof *v);
    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (n = 0; km_str_split(&text, ',', &id);)
        if (id.n)
            v[n++] = id;
    *ret = v;
    *ret_n = n;
    return 0;
}

/* --- who may --- */

static bool may_see(struct asking *q, enum km_account_right right, const struct km_account *acc)
{
    return km_account_may(q->a, right, q->whose->kind, acc ? &acc->row : NULL, NULL) == 0;
}

/* As he sees himself. */
static int scope_user(struct asking *q, struct km_err *err)
{
    struct km_str user = km_account_visitor(q->a);

    if (!user.n)
        return km_account_may(q->a, KM_ACCOUNT_LOOK, KM_ACCOUNT_USER, NULL, err);
    if (q->scope.nids && !km_str_eq(q->scope.ids[0], user))
        return km_fail_param(err, KM_E_FORBIDDEN, "user_id",
                             "Only proxy admins may see the activity of other users: 'user_id' is "
                             "not yours.");
    q->ids = km_arena_alloc(&q->a->arena, sizeof *q->ids);
    if (!q->ids)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    q->ids[0] = user;
    q->scope.ids = q->ids;
    q->scope.nids = 1;
    return 0;
}

/* The teams or organisations of the visitor; where there are none, one that nobody is. */
static int ids_of_visitor(struct asking *q, struct km_err *err)
{
    const bool team = q->whose->kind == KM_ACCOUNT_TEAM;
    const struct km_accounts_which which = {
        .kind = team ? KM_ACCOUNT_MEMBER : KM_ACCOUNT_ORG_MEMBER,
        .id = km_account_visitor(q->a),
    };
    struct km_str own = team ? q->a->v->who.key->row.team_id : KM_STR_NONE;
    struct km_account **v = NULL;
    size_t n = 0, kept = 0;

    if (which.id.n)
        v = km_accounts_all(q->a->v->w->gw->accounts, &which, &n);
    q->ids = km_arena_zalloc(&q->a->arena, (n + 2) * sizeof *q->ids);
    if (q->ids && own.n)
        q->ids[kept++] = own;
    for (size_t i = 0; i < n; i++) {
        if (q->ids && (team || km_str_eq(v[i]->row.role, KM_STR("org_admin"))))
            q->ids[kept++] = km_arena_str(&q->a->arena, v[i]->row.of);
        km_account_unref(v[i]);
    }
    free(v);
    q->scope.ids = q->ids;
    q->scope.nids = kept ? kept : 1;
    return q->ids ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static int not_yours(const struct asking *q, struct km_str id, struct km_err *err)
{
    if (q->whose->kind == KM_ACCOUNT_TEAM)
        return km_fail_param(err, KM_E_NOT_FOUND, "team_ids",
                             "User does not belong to Team= %.*s. Call `/user/info` to see user's "
                             "teams",
                             KM_STR_ARG(id));
    return km_fail_param(err, KM_E_FORBIDDEN, "organization_ids",
                         "Only its org_admin and proxy admins may see the activity of organization "
                         "'%.*s'.",
                         KM_STR_ARG(id));
}

/* Of a team its members see what their own keys did. */
static int scope_group(struct asking *q, struct km_str id, struct km_err *err)
{
    struct km_account *acc =
        km_accounts_find(q->a->v->w->gw->accounts, q->whose->kind, id, KM_STR_NONE);
    const bool all = acc && may_see(q, KM_ACCOUNT_CHANGE, acc);
    const bool own =
        q->whose->kind == KM_ACCOUNT_TEAM &&
        ((acc && may_see(q, KM_ACCOUNT_LOOK, acc)) || km_str_eq(q->a->v->who.key->row.team_id, id));

    km_account_unref(acc);
    q->scope.own = q->scope.own || !all;
    return all || own ? 0 : not_yours(q, id, err);
}

static int scope_groups(struct asking *q, struct km_err *err)
{
    int r = q->scope.nids ? 0 : ids_of_visitor(q, err);

    for (size_t i = 0; r == 0 && i < q->scope.nids; i++)
        if (q->scope.ids[i].n) /* else nobody's: the answer is empty */
            r = scope_group(q, q->scope.ids[i], err);
    return r;
}

static int read_scope(struct asking *q, struct km_err *err)
{
    int r = read_ids(q->a, q->whose->ids, &q->scope.ids, &q->scope.nids, err);

    if (r == 0)
        r = read_ids(q->a, q->whose->others, &q->scope.others, &q->scope.nothers, err);
    if (r < 0 || may_see(q, KM_ACCOUNT_LOOK, NULL))
        return r;
    if (!q->a->v->who.key)
        return km_account_may(q->a, KM_ACCOUNT_LOOK, q->whose->kind, NULL, err);
    q->scope.user = km_account_visitor(q->a);
    km_visit_key(q->a->v, q->scope.key_hash);
    switch (q->whose->kind) {
    case KM_ACCOUNT_USER:
        return scope_user(q, err);
    case KM_ACCOUNT_TEAM:
    case KM_ACCOUNT_ORGANIZATION:
        return scope_groups(q, err);
    case KM_ACCOUNT_TAG:
        q->scope.own = true;
        return 0;
    default:
        return km_account_may(q->a, KM_ACCOUNT_LOOK, q->whose->kind, NULL, err);
    }
}

/* --- the answer --- */

static void on_summed(void *ctx, struct km_str json, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct km_daily_sum *sum = a->state;

    if (err)
        km_admin_error(a, err);
    else
        km_admin_json(a, 200, json);
    km_daily_sum_free(sum);
}

static int show_activity(struct km_admin *a, struct km_err *err)
{
    struct asking q = { .a = a, .whose = a->v->match.route->data };
    struct km_str key = km_admin_asked(a, "api_key");
    struct km_daily_sum *sum;
    int r;

    q.scope.kind = q.whose->kind;
    q.scope.model = km_admin_asked(a, "model");
    r = read_scope(&q, err);
    if (r == 0)
        r = read_days(a, &q.ask, err);
    if (r == 0)
        r = read_page(&q, err);
    if (r == 0 && key.n) {
        r = km_admin_key_hash(key, q.ask.key_hash, err);
        q.ask.by_key = true;
    }
    if (r < 0)
        return r;
    sum = km_daily_sum_new(&q.scope, a->v->w->gw->accounts);
    if (!sum)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    a->state = sum;
    q.ask.each = km_daily_sum_row;
    q.ask.end = km_daily_sum_end;
    q.ask.ctx = sum;
    km_ledger_flush(a->v->w->ledger);
    km_store_daily(a->v->w->gw->store, a->v->w->mailbox, &q.ask, on_summed, a);
    return 0;
}

KM_ADMIN_HANDLER(on_activity, 1024, show_activity)

static const struct whose users[] = { { KM_ACCOUNT_USER, "user_id", NULL, 50 },
                                      { KM_ACCOUNT_USER, "user_id", NULL, 0 } };
static const struct whose teams[] = { { KM_ACCOUNT_TEAM, "team_ids", "exclude_team_ids", 10 },
                                      { KM_ACCOUNT_TEAM, "team_ids", "exclude_team_ids", 0 } };
static const struct whose tags[] = { { KM_ACCOUNT_TAG, "tags", NULL, 10 },
                                     { KM_ACCOUNT_TAG, "tags", NULL, 0 } };
static const struct whose customers[] = {
    { KM_ACCOUNT_END_USER, "end_user_ids", "exclude_end_user_ids", 10 },
    { KM_ACCOUNT_END_USER, "end_user_ids", "exclude_end_user_ids", 0 }
};
static const struct whose organizations[] = {
    { KM_ACCOUNT_ORGANIZATION, "organization_ids", "exclude_organization_ids", 10 },
    { KM_ACCOUNT_ORGANIZATION, "organization_ids", "exclude_organization_ids", 0 }
};

#define ROWS(name, of)                                                                             \
    { "GET", "/" name "/daily/activity", on_activity, KM_AUTH_KEY, &(of)[0] },                     \
    { "GET", "/" name "/daily/activity/aggregated", on_activity, KM_AUTH_KEY, &(of)[1] }

static const struct km_route rows[] = {
    ROWS("user", users),         ROWS("team", teams),         ROWS("tag", tags),
    ROWS("customer", customers), ROWS("end_user", customers), ROWS("organization", organizations),
};

const struct km_route_rows km_daily_routes = { rows, sizeof rows / sizeof rows[0] };

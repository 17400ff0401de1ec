/* SPDX-License-Identifier: Apache-2.0 */
/* daily_sum.c - see daily_sum.h.
 *
 *     row ─> is it looked at? ─> the day's sums
 *                                  models ─┐
 *                                  groups  │  name ─> sums, and those of each key
 *                                  ...     │
 *                                  entities┘
 *     another day, or the end ─> the day is written, its memory given back
 *
 * Rows come a day at a time, so one day is in memory.  Money is added as nano-USD and written
 * whole.  A row that several entities share (the tags of a call) is in the sums of each, and once
 * in the day's.  Whose a row is says who paid for it; where no account did, its key as it is now.
 */
#include "admin/daily_sum.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/map.h"
#include "base/money.h"
#include "base/time.h"
#include "http/json_out.h"
#include "policy/purse.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define SCOPE_BYTES ((size_t)1 << 20)
#define DAY_BYTES ((size_t)128 << 20) /* of the sums of a day */
#define NAMES_MOST 1000000 /* of a day, in one breakdown */
#define UNASSIGNED KM_STR("Unassigned") /* as LiteLLM calls what is nobody's */

struct sums {
    int64_t cost, prompt, completion, cached, calls, failed;
};

struct of_key {
    struct of_key *next;
    struct km_str hash; /* hexadecimal */
    struct sums sums;
    struct km_str alias, user, team;
    bool exists;
};

struct item {
    struct item *next;
    struct km_str name;
    struct sums sums;
    struct of_key *keys, **last;
};

enum part { MODELS, GROUPS, PROVIDERS, TOOLS, KEYS, ENTITIES, PARTS };

static const char *const part_names[PARTS] = {
    [MODELS] = "models",   [GROUPS] = "model_groups", [PROVIDERS] = "providers",
    [TOOLS] = "mcp_servers", [KEYS] = "api_keys",     [ENTITIES] = "entities",
};

struct breakdown {
    struct km_map *items; /* name to struct item */
    struct km_map *keys; /* name, hash to struct of_key */
    struct item *first, **last;
};

struct km_daily_sum {
    struct km_arena own; /* the scope's */
    struct km_daily_scope scope;
    struct km_accounts *accounts;
    struct km_json_out o;
    bool begun; /* of the answer */
    size_t days; /* that have a row which is looked at */
    int64_t day; /* the last of them */
    struct sums total; /* of the page */
    bool open; /* a day of the page */
    struct km_arena arena; /* its */
    struct sums sums;
    struct breakdown parts[PARTS];
};

/* --- life --- */

static const struct km_str *keep_strings(struct km_arena *arena, const struct km_str *v, size_t n)
{
    struct km_str *kept = km_arena_alloc(arena, (n + 1) * sizeof *kept);

    for (size_t i = 0; kept && i < n; i++)
        kept[i] = km_arena_str(arena, v[i]);
    return kept;
}

struct km_daily_sum *km_daily_sum_new(const struct km_daily_scope *scope,
                                      struct km_accounts *accounts)
{
    struct km_daily_sum *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    km_arena_init(&s->own, SCOPE_BYTES, NULL);
    s->accounts = accounts;
    s->scope = *scope;
    s->scope.ids = keep_strings(&s->own, scope->ids, scope->nids);
    s->scope.others = keep_strings(&s->own, scope->others, scope->nothers);
    s->scope.user = km_arena_str(&s->own, scope->user);
    s->scope.model = km_arena_str(&s->own, scope->model);
    s->day = INT64_MAX;
    return km_arena_overflowed(&s->own) ? km_daily_sum_free(s) : s;
}

static void close_day(struct km_daily_sum *s)
{
    if (!s->open)
        return;
    for (size_t i = 0; i < PARTS; i++) {
        km_map_free(s->parts[i].items, NULL);
        km_map_free(s->parts[i].keys, NULL);
    }
    km_arena_done(&s->arena);
    s->open = false;
}

struct km_daily_sum *km_daily_sum_free(struct km_daily_sum *s)
{
    if (!s)
        return NULL;
    close_day(s);
    km_arena_done(&s->own);
    free(s);
    return NULL;
}

static int open_day(struct km_daily_sum *s, struct km_err *err)
{
    bool whole = true;

    km_arena_init(&s->arena, DAY_BYTES, NULL);
    s->sums = (struct sums){ 0 };
    for (size_t i = 0; i < PARTS; i++) {
        struct breakdown *b = &s->parts[i];

        *b = (struct breakdown){ .items = km_map_new_borrowed(NAMES_MOST),
                                 .keys = km_map_new_borrowed(NAMES_MOST) };
        b->last = &b->first;
        whole = whole && b->items && b->keys;
    }
    s->open = true;
    return whole ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

/* --- written --- */

static void put_metrics(struct km_json_out *o, const char *name, const char *prefix,
                        const struct sums *v)
{
    char text[KM_MONEY_LEN], member[64];
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {
        { "prompt_tokens", v->prompt },
        { "completion_tokens", v->completion },
        { "total_tokens", v->prompt + v->completion },
        { "api_requests", v->calls },
        { "successful_requests", v->calls - v->failed },
        { "failed_requests", v->failed },
        { "cache_read_input_tokens", v->cached },
        /* LiteLLM has these as well; nothing here is counted by them. */
        { "cache_creation_input_tokens", 0 },
        { "flat_cost", 0 },
        { "compression_saved_tokens", 0 },
        { "compression_savings_spend", 0 },
        { "prompt_caching_savings_spend", 0 },
        { "gateway_injected_caching_savings_spend", 0 },
        { "autorouter_savings_spend", 0 },
        { "total_response_time_ms", 0 },
        { "timed_requests", 0 },
    };

    km_money_text(v->cost, text);
    if (name) {
        km_out_key(o, name);
        km_out_open(o, '{');
    }
    (void)snprintf(member, sizeof member, "%sspend", prefix);
    km_out_member_raw(o, member, km_str_c(text));
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const bool said = km_str_starts(km_str_c(counts[i].name), km_str_c(prefix));

        (void)snprintf(member, sizeof member, "%s%s", said ? "" : prefix, counts[i].name);
        km_out_member_i64(o, member, counts[i].n);
    }
    if (name)
        km_out_close(o, '}');
}

static void text_or_null(struct km_json_out *o, const char *name, struct km_str text)
{
    km_out_key(o, name);
    if (text.n)
        km_out_str(o, text);
    else
        km_out_null(o);
}

static struct km_account *account_of(const struct km_daily_sum *s, enum km_account_kind kind,
                                     struct km_str id)
{
    return id.n ? km_accounts_find(s->accounts, kind, id, KM_STR_NONE) : NULL;
}

static void put_key_metadata(const struct km_daily_sum *s, struct km_json_out *o,
                             const struct of_key *k)
{
    struct km_account *user = account_of(s, KM_ACCOUNT_USER, k->user);

    km_out_key(o, "metadata");
    km_out_open(o, '{');
    text_or_null(o, "key_alias", k->alias);
    text_or_null(o, "team_id", k->team);
    text_or_null(o, "user_id", k->user);
    text_or_null(o, "user_email", user ? user->row.email : KM_STR_NONE);
    km_out_key(o, "key_exists");
    km_out_bool(o, k->exists);
    km_out_close(o, '}');
    km_account_unref(user);
}

static void put_keys(struct km_daily_sum *s, const char *name, const struct of_key *keys)
{
    struct km_json_out *o = &s->o;

    km_out_key(o, name);
    km_out_open(o, '{');
    for (const struct of_key *k = keys; k; k = k->next) {
        km_out_key_str(o, k->hash);
        km_out_open(o, '{');
        put_metrics(o, "metrics", "", &k->sums);
        put_key_metadata(s, o, k);
        km_out_close(o, '}');
    }
    km_out_close(o, '}');
}

/* What LiteLLM tells of an entity beside its id. */
static void put_entity_metadata(const struct km_daily_sum *s, struct km_json_out *o,
                                struct km_str id)
{
    static const char *const alias[KM_ACCOUNT_KINDS] = {
        [KM_ACCOUNT_TEAM] = "team_alias",
        [KM_ACCOUNT_USER] = "user_alias",
        [KM_ACCOUNT_ORGANIZATION] = "organization_alias",
        [KM_ACCOUNT_END_USER] = "alias",
    };
    struct km_account *a = account_of(s, s->scope.kind, id);

    km_out_open(o, '{');
    if (a && alias[s->scope.kind])
        text_or_null(o, alias[s->scope.kind], a->row.alias);
    if (a && s->scope.kind == KM_ACCOUNT_USER)
        text_or_null(o, "user_email", a->row.email);
    km_out_close(o, '}');
    km_account_unref(a);
}

static void put_part(struct km_daily_sum *s, enum part part)
{
    struct km_json_out *o = &s->o;

    km_out_key(o, part_names[part]);
    km_out_open(o, '{');
    for (const struct item *i = s->parts[part].first; i; i = i->next) {
        km_out_key_str(o, i->name);
        km_out_open(o, '{');
        put_metrics(o, "metrics", "", &i->sums);
        km_out_key(o, "metadata");
        if (part == ENTITIES) {
            put_entity_metadata(s, o, i->name);
        } else {
            km_out_open(o, '{');
            km_out_close(o, '}');
        }
        put_keys(s, "api_key_breakdown", i->keys);
        km_out_close(o, '}');
    }
    km_out_close(o, '}');
}

static void begin_answer(struct km_daily_sum *s, struct km_buf *out)
{
    if (s->begun)
        return;
    s->begun = true;
    km_json_out_init(&s->o, out);
    km_out_open(&s->o, '{');
    km_out_key(&s->o, "results");
    km_out_open(&s->o, '[');
}

static void write_day(struct km_daily_sum *s)
{
    struct km_json_out *o = &s->o;
    char date[KM_TIME_ISO_LEN + 1];

    km_time_iso(s->day * DAY_US, date);
    km_out_open(o, '{');
    km_out_member(o, "date", km_str(date, 10));
    put_metrics(o, "metrics", "", &s->sums);
    km_out_key(o, "breakdown");
    km_out_open(o, '{');
    for (size_t i = 0; i < PARTS; i++)
        if (i == KEYS)
            put_keys(s, part_names[i], s->parts[i].first ? s->parts[i].first->keys : NULL);
        else
            put_part(s, (enum part)i);
    km_out_key(o, "endpoints");
    km_out_open(o, '{');
    km_out_close(o, '}');
    km_out_close(o, '}');
    km_out_close(o, '}');
    close_day(s);
}

/* --- added up --- */

static void add_count(int64_t *sum, int64_t more)
{
    if (__builtin_add_overflow(*sum, more, sum))
        *sum = INT64_MAX;
}

static void add_numbers(struct sums *v, const struct km_daily_row *row)
{
    add_count(&v->cost, row->cost);
    add_count(&v->prompt, row->prompt);
    add_count(&v->completion, row->completion);
    add_count(&v->cached, row->cached);
    add_count(&v->calls, row->calls);
    add_count(&v->failed, row->failed);
}

static struct item *item_of(struct km_daily_sum *s, struct breakdown *b, struct km_str name)
{
    struct item *i = km_map_get(b->items, name);

    if (i)
        return i;
    i = km_arena_zalloc(&s->arena, sizeof *i);
    if (!i)
        return NULL;
    i->name = km_arena_str(&s->arena, name);
    i->last = &i->keys;
    if (!i->name.p || km_map_set(b->items, i->name, i, NULL) < 0)
        return NULL;
    *b->last = i;
    b->last = &i->next;
    return i;
}

static struct of_key *key_of(struct km_daily_sum *s, struct breakdown *b, struct item *i,
                             const struct km_daily_row *row)
{
    struct km_str both = km_arena_cat(&s->arena, (struct km_str[]){ row->hash, i->name }, 2);
    struct of_key *k = both.n ? km_map_get(b->keys, both) : NULL;
    char hex[65] = "";

    if (k || !both.n)
        return k;
    k = km_arena_zalloc(&s->arena, sizeof *k);
    if (!k || km_map_set(b->keys, both, k, NULL) < 0)
        return NULL;
    if (row->hash.n == 32)
        km_hex(hex, row->hash.p, 32);
    k->hash = km_arena_str(&s->arena, km_str_c(hex));
    k->alias = km_arena_str(&s->arena, row->key_alias);
    k->user = km_arena_str(&s->arena, row->key_user);
    k->team = km_arena_str(&s->arena, row->key_team);
    k->exists = row->key_exists != 0;
    *i->last = k;
    i->last = &k->next;
    return k;
}

static int add_to(struct km_daily_sum *s, enum part part, struct km_str name,
                  const struct km_daily_row *row, struct km_err *err)
{
    struct item *i = item_of(s, &s->parts[part], name);
    struct of_key *k = i ? key_of(s, &s->parts[part], i, row) : NULL;

    if (!k)
        return km_fail(err, KM_E_LIMIT,
                       "The activity of a day is too long: ask for one model or one key.");
    add_numbers(&i->sums, row);
    add_numbers(&k->sums, row);
    return 0;
}

/* "server/tool", as /spend/logs names the tool of a call. */
static int add_tool(struct km_daily_sum *s, const struct km_daily_row *row, struct km_err *err)
{
    if (!km_str_eq(row->call_type, KM_STR("call_mcp_tool")) ||
        !km_str_starts(row->model, KM_STR("MCP: ")))
        return 0;
    return add_to(
        s, TOOLS,
        km_arena_cat(&s->arena,
                     (struct km_str[]){ row->deployment, KM_STR("/"), km_str_skip(row->model, 5) },
                     3),
        row, err);
}

static int add_row(struct km_daily_sum *s, const struct km_str *entities, size_t n,
                   const struct km_daily_row *row, struct km_err *err)
{
    const struct km_str group = row->group.n ? row->group : row->model;
    int r = row->model.n ? add_to(s, MODELS, row->model, row, err) : 0;

    if (r == 0 && group.n)
        r = add_to(s, GROUPS, group, row, err);
    if (r == 0 && row->provider.n)
        r = add_to(s, PROVIDERS, row->provider, row, err);
    if (r == 0)
        r = add_tool(s, row, err);
    if (r == 0)
        r = add_to(s, KEYS, KM_STR("all"), row, err);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_to(s, ENTITIES, entities[i], row, err);
    add_numbers(&s->sums, row);
    add_numbers(&s->total, row);
    return r;
}

/* --- whose it is --- */

static bool is_among(struct km_str id, const struct km_str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (km_str_eq(v[i], id))
            return true;
    return false;
}

static bool is_asked(const struct km_daily_scope *scope, struct km_str id)
{
    return (!scope->nids || is_among(id, scope->ids, scope->nids)) &&
           !is_among(id, scope->others, scope->nothers);
}

static struct km_str by_key(const struct km_daily_scope *scope, const struct km_daily_row *row)
{
    return scope->kind == KM_ACCOUNT_USER   ? row->key_user
           : scope->kind == KM_ACCOUNT_TEAM ? row->key_team
                                            : KM_STR_NONE;
}

/* The entities of a row that are looked at. */
static size_t entities_of(const struct km_daily_scope *scope, const struct km_daily_row *row,
                          struct km_str ret[KM_PAYERS_MOST])
{
    struct km_str text = row->payers, id;
    struct km_paying paying;
    struct km_purse_words w;
    size_t n = 0;
    bool any = false;

    while (n < KM_PAYERS_MOST && km_paying_next(&text, &paying))
        if (km_purse_name_read(paying.name, &w) && w.kind == scope->kind && !w.model.n &&
            !w.window.n && !is_among(w.id, ret, n)) {
            any = true;
            if (is_asked(scope, w.id))
                ret[n++] = w.id;
        }
    if (any)
        return n;
    id = by_key(scope, row);
    if (!id.n && scope->kind == KM_ACCOUNT_USER)
        id = UNASSIGNED;
    if (!id.n || !is_asked(scope, id))
        return 0;
    ret[0] = id;
    return 1;
}

static bool is_own(const struct km_daily_scope *scope, const struct km_daily_row *row)
{
    return !scope->own || (scope->user.n && km_str_eq(row->key_user, scope->user)) ||
           km_str_eq(row->hash, km_str((const char *)scope->key_hash, sizeof scope->key_hash));
}

static bool is_of_model(const struct km_daily_scope *scope, const struct km_daily_row *row)
{
    return !scope->model.n || km_str_eq(scope->model, row->model) ||
           km_str_eq(scope->model, row->group);
}

int km_daily_sum_row(void *sum, const struct km_daily_row *row, struct km_buf *out,
                     struct km_err *err)
{
    struct km_daily_sum *s = sum;
    struct km_str entities[KM_PAYERS_MOST];
    size_t n;
    int r = 0;

    if (!is_own(&s->scope, row) || !is_of_model(&s->scope, row) ||
        (n = entities_of(&s->scope, row, entities)) == 0)
        return 0;
    begin_answer(s, out);
    if (row->day != s->day) {
        if (s->open)
            write_day(s);
        s->day = row->day;
        if (s->days++ / s->scope.page_size + 1 == s->scope.page)
            r = open_day(s, err);
    }
    return r == 0 && s->open ? add_row(s, entities, n, row, err) : r;
}

int km_daily_sum_end(void *sum, struct km_buf *out, struct km_err *err)
{
    struct km_daily_sum *s = sum;
    const size_t size = s->scope.page_size;

    (void)err;
    begin_answer(s, out);
    if (s->open)
        write_day(s);
    km_out_close(&s->o, ']');
    km_out_key(&s->o, "metadata");
    km_out_open(&s->o, '{');
    put_metrics(&s->o, NULL, "total_", &s->total);
    km_out_member_i64(&s->o, "page", (int64_t)s->scope.page);
    km_out_member_i64(&s->o, "total_pages", (int64_t)(s->days / size + (s->days % size > 0)));
    km_out_key(&s->o, "has_more");
    km_out_bool(&s->o, (s->days + size - 1) / size > s->scope.page);
    km_out_close(&s->o, '}');
    km_out_close(&s->o, '}');
    return 0;
}

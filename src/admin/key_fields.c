/* SPDX-License-Identifier: Apache-2.0 */
/* key_fields.c - the fields of /key/generate and /key/update.
 *
 * What they are is the table of a key's columns (store/key_columns.h): a member's name, its kind
 * and where it goes; reading, errors and writing follow from it.  What LiteLLM knows and we do not
 * falls into two kinds: what would restrict the key is refused (a limit that is silently not kept
 * is worse than an error), the rest is kept and shown.
 */
#include "admin/key_fields.h"

#include "admin/key_permission.h"
#include "base/encode.h"
#include "base/near.h"
#include "llm/api/priced.h"
#include "policy/budget.h"
#include "policy/key_routes.h"
#include "store/key_columns.h"

/* Members that limit what a key may do, in ways this version does not enforce. */
static const char *const restrictive[] = {
    "budget_limits",
    "model_rpm_limit",
    "model_tpm_limit",
    "model_max_budget",
    "allowed_routes",
    "allowed_passthrough_routes",
    "denied_passthrough_routes",
    "enforced_params",
    "guardrails",
    "policies",
    "allowed_cache_controls",
    "budget_id",
    "end_user_budget_id",
    "tpd_limit",
    "mcp_rpm_limit",
    "permissions",
    "access_group_ids",
    "allowed_vector_store_indexes",
    NULL,
};

/* Members of the request itself, or that only the gateway writes. */
static const char *const transient[] = { "key",
                                         "keys",
                                         "key_aliases",
                                         "spend",
                                         "send_invite_email",
                                         "new_key",
                                         "grace_period",
                                         "token",
                                         "token_id",
                                         "key_name",
                                         "expires",
                                         "budget_reset_at",
                                         "created_at",
                                         "updated_at",
                                         "created_by",
                                         "updated_by",
                                         NULL };

static bool named(const char *const *list, struct km_str name)
{
    for (; *list; list++)
        if (km_str_eq(km_str_c(*list), name))
            return true;
    return false;
}

static bool inert(const struct km_json *v)
{
    enum km_json_type t = km_json_kind(v);

    return t == KM_JSON_NULL || t == KM_JSON_FALSE ||
           ((t == KM_JSON_OBJECT || t == KM_JSON_ARRAY) && km_json_count(v) == 0);
}

static int wrong(struct km_err *err, const char *name, const char *what)
{
    return km_fail_param(err, KM_E_INVALID, name, "'%s' must be %s.", name, what);
}

static int read_money(const struct km_key_column *f, const struct km_json *v, int64_t *at,
                      struct km_err *err)
{
    struct km_str text;

    if (km_json_kind(v) == KM_JSON_NULL) {
        *at = -1;
        return 0;
    }
    if (!km_json_number(v, &text) || km_str_decimal(text, 9, at) < 0)
        return wrong(err, f->said, "a non-negative number of USD, or null");
    return 0;
}

static int read_count(const struct km_key_column *f, const struct km_json *v, int64_t *at,
                      struct km_err *err)
{
    if (km_json_kind(v) == KM_JSON_NULL) {
        *at = -1;
        return 0;
    }
    if (!km_json_i64(v, at) || *at < 0)
        return wrong(err, f->said, "a non-negative integer, or null");
    return 0;
}

static int read_list(const struct km_key_column *f, const struct km_json *v, struct km_arena *arena,
                     struct km_str_list *at, struct km_err *err)
{
    struct km_json_iter it;
    struct km_str key, *items;
    const struct km_json *item;
    size_t n = 0;

    *at = (struct km_str_list){ 0 };
    if (km_json_kind(v) == KM_JSON_NULL)
        return 0;
    if (km_json_kind(v) != KM_JSON_ARRAY)
        return wrong(err, f->said, "an array of strings");
    items = km_arena_alloc(arena, (km_json_count(v) + 1) * sizeof *items);
    if (!items)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (km_json_iter(v, &it); km_json_next(&it, &key, &item);)
        if (!km_json_string(item, &items[n++]))
            return wrong(err, f->said, "an array of strings");
    *at = (struct km_str_list){ items, n };
    return 0;
}

static int read_object(const struct km_key_column *f, const struct km_json *v,
                       struct km_arena *arena, struct km_str *at, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    if (km_json_kind(v) == KM_JSON_NULL) {
        *at = KM_STR_NONE;
        return 0;
    }
    if (km_json_kind(v) != KM_JSON_OBJECT)
        return wrong(err, f->said, "an object");
    km_json_write(v, &text);
    if (km_buf_failed(&text))
        return wrong(err, f->said, "at most 64 KiB");
    *at = km_arena_str(arena, km_buf_view(&text));
    return 0;
}

static int read_duration(const struct km_key_column *f, const struct km_json *v, int64_t now_us,
                         struct km_key_row *row, struct km_err *err)
{
    struct km_str text = KM_STR_NONE;
    int64_t seconds = 0;

    if (km_json_kind(v) != KM_JSON_NULL &&
        (!km_json_string(v, &text) || km_time_parse_duration(text, &seconds) < 0))
        return wrong(err, f->said, "like '30s', '30m', '30h', '30d', '1w' or '1mo', or null");
    if (f->given == KM_KEY_AS_EXPIRY) {
        row->expires_us = text.n ? now_us + seconds * 1000000 : 0;
        return 0;
    }
    row->budget_duration = text;
    row->budget_duration_s = seconds;
    row->budget_reset_us = text.n ? km_time_budget_reset(now_us, seconds) : 0;
    return 0;
}

static int read_field(struct km_admin *a, const struct km_key_column *f, const struct km_json *v,
                      int64_t now_us, struct km_key_row *row, struct km_err *err)
{
    void *at = (char *)row + f->offset;

    if (f->given != KM_KEY_AS_IS)
        return read_duration(f, v, now_us, row, err);
    switch (f->kind) {
    case KM_KEY_COUNT:
        return read_count(f, v, at, err);
    case KM_KEY_MONEY:
        return read_money(f, v, at, err);
    case KM_KEY_FLAG:
        *(bool *)at = km_json_kind(v) == KM_JSON_TRUE;
        return inert(v) || km_json_kind(v) == KM_JSON_TRUE ? 0
                                                           : wrong(err, f->said, "true or false");
    case KM_KEY_OBJECT:
        return read_object(f, v, &a->arena, at, err);
    case KM_KEY_LIST:
        return read_list(f, v, &a->arena, at, err);
    default:
        if (km_json_kind(v) == KM_JSON_NULL)
            *(struct km_str *)at = KM_STR_NONE;
        else if (!km_json_string(v, at))
            return wrong(err, f->said, "a string, or null");
        return 0;
    }
}

/* The member that was probably meant, of those that limit a key: a misspelt one would be kept, and
 * limit nothing.  NULL: none. */
static const char *meant(struct km_str name)
{
    for (size_t i = 0; i < km_key_columns_n; i++) {
        const struct km_key_column *c = &km_key_columns[i];

        if (c->said && c->limits && km_near_miss(name, km_str_c(c->said)))
            return c->said;
    }
    for (const char *const *other = restrictive; *other; other++)
        if (km_near_miss(name, km_str_c(*other)))
            return *other;
    if (km_near_miss(name, KM_STR("hosted_tools")))
        return "hosted_tools";
    return km_near_miss(name, KM_STR("object_permission")) ? "object_permission" : NULL;
}

/* What has no column and harms nobody is kept as it came. */
static void keep(struct km_buf *extra, struct km_str name, const struct km_json *v)
{
    km_buf_byte(extra, extra->n ? ',' : '{');
    km_buf_json(extra, name);
    km_buf_byte(extra, ':');
    km_json_write(v, extra);
}

static int keep_other(struct km_admin *a, struct km_str name, const struct km_json *v,
                      struct km_buf *extra, struct km_err *err)
{
    const char *other = meant(name);

    if (other)
        return km_fail_param(err, KM_E_INVALID, km_arena_cstr(&a->arena, name),
                             "'%.*s' is unknown and would limit nothing: did you mean '%s'?",
                             KM_STR_ARG(km_str_sub(name, 0, 80)), other);
    keep(extra, name, v);
    return 0;
}

/* What was kept before and is not named now stays. */
static void keep_old(struct km_admin *a, struct km_str old, struct km_buf *extra)
{
    const struct km_json *root, *v;
    struct km_json_iter it;
    struct km_str name;

    if (!old.n || km_json_parse(&a->arena, old, &root, NULL) < 0)
        return;
    for (km_json_iter(root, &it); km_json_next(&it, &name, &v);)
        if (!km_json_get(a->body, km_arena_cstr(&a->arena, name)))
            keep(extra, name, v);
}

/* LiteLLM's kinds of key: ours call models and look at themselves, no more and no less. */
static bool other_kind(struct km_str name, const struct km_json *v)
{
    struct km_str kind;

    return km_str_eq(name, KM_STR("key_type")) && km_json_string(v, &kind) &&
           !km_str_eq(kind, KM_STR("default")) && !km_str_eq(kind, KM_STR("llm_api"));
}

/* An empty one is kept: it allows nothing, where none at all allows everything. */
static int take_permission(struct km_admin *a, const struct km_json *v, struct km_buf *extra,
                           struct km_err *err)
{
    int r = km_key_permission_check(v, &a->arena, err);

    if (r == 0 && km_json_kind(v) == KM_JSON_OBJECT)
        keep(extra, KM_STR("object_permission"), v);
    return r;
}

#define LISTED(id, name) " " name

/* false and [] allow none, where nothing at all, null and true allow all. */
static int take_tools(const struct km_json *v, struct km_buf *extra, struct km_err *err)
{
    static const char what[] = "true, false, or a list of" KM_HOSTED_TOOLS(LISTED);
    bool fits = km_json_kind(v) == KM_JSON_ARRAY || km_json_kind(v) <= KM_JSON_TRUE;
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key, name;

    for (km_json_iter(v, &it); fits && km_json_next(&it, &key, &item);)
        fits = km_json_string(item, &name) && km_hosted_tool_named(name);
    if (!fits)
        return wrong(err, "hosted_tools", what);
    if (km_json_kind(v) == KM_JSON_ARRAY || km_json_kind(v) == KM_JSON_FALSE)
        keep(extra, KM_STR("hosted_tools"), v);
    return 0;
}

/* Of most members false and [] ask for nothing; meant as `hosted_tools` they forbid. */
static bool nearly_tools(struct km_str name, const struct km_json *v)
{
    return km_json_kind(v) != KM_JSON_NULL && km_near_miss(name, KM_STR("hosted_tools"));
}

int km_key_fields_read(struct km_admin *a, int64_t now_us, struct km_key_row *row,
                       struct km_err *err)
{
    struct km_buf extra KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_json_iter it;
    struct km_str name;
    const struct km_json *v;
    int r = 0;

    if (!a->body)
        return 0;
    keep_old(a, row->extra, &extra);
    for (km_json_iter(a->body, &it); r == 0 && km_json_next(&it, &name, &v);) {
        const struct km_key_column *f = km_key_column_said(name);

        if (f)
            r = read_field(a, f, v, now_us, row, err);
        else if (km_str_eq(name, KM_STR("object_permission")))
            r = take_permission(a, v, &extra, err);
        else if (km_str_eq(name, KM_STR("hosted_tools")))
            r = take_tools(v, &extra, err);
        else if (km_key_routes_check(name, v, err) < 0)
            r = KM_E_INVALID;
        else if ((named(restrictive, name) && !inert(v)) || other_kind(name, v))
            r = km_fail_param(err, KM_E_UNSUPPORTED, km_arena_cstr(&a->arena, name),
                              "'%.*s' would restrict the key, and this version does not enforce "
                              "it: leave it out.",
                              KM_STR_ARG(name));
        else if (!named(transient, name) && (!inert(v) || nearly_tools(name, v)))
            r = keep_other(a, name, v, &extra, err);
    }
    if (r == 0)
        row->extra = KM_STR_NONE;
    if (r == 0 && extra.n) {
        km_buf_byte(&extra, '}');
        if (km_buf_failed(&extra))
            return km_fail(err, KM_E_LIMIT, "The fields without a meaning here are over 64 KiB.");
        row->extra = km_arena_str(&a->arena, km_buf_view(&extra));
    }
    return r;
}

void km_key_row_init(struct km_key_row *row)
{
    *row = (struct km_key_row){ .spend = 0 };
    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_columns[i].kind == KM_KEY_COUNT || km_key_columns[i].kind == KM_KEY_MONEY)
            *(int64_t *)(void *)((char *)row + km_key_columns[i].offset) = -1; /* none */
}

static void put_time(struct km_buf *out, const char *name, int64_t us)
{
    char text[KM_TIME_ISO_LEN + 1];

    km_buf_printf(out, ",\"%s\":", name);
    if (us == 0) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    km_time_iso(us, text);
    km_buf_json(out, km_str_c(text));
}

static void put_money(struct km_buf *out, const char *name, int64_t nanousd)
{
    char text[32];

    km_buf_printf(out, ",\"%s\":", name);
    if (nanousd < 0) {
        km_buf_str(out, KM_STR("null"));
        return;
    }
    km_money_text(nanousd, text);
    km_buf_str(out, km_str_c(text));
    if (km_str_chr(km_str_c(text), '.') == strlen(text))
        km_buf_str(out, KM_STR(".0"));
}

static void put_count(struct km_buf *out, const char *name, int64_t n)
{
    if (n < 0)
        km_buf_printf(out, ",\"%s\":null", name);
    else
        km_buf_printf(out, ",\"%s\":%lld", name, (long long)n);
}

static void put_str(struct km_buf *out, const char *name, struct km_str s)
{
    km_buf_printf(out, ",\"%s\":", name);
    if (s.n)
        km_buf_json(out, s);
    else
        km_buf_str(out, KM_STR("null"));
}

static void put_list(struct km_buf *out, const char *name, struct km_str_list list)
{
    km_buf_printf(out, ",\"%s\":", name);
    km_buf_json_list(out, list.v, list.n);
}

static void put_column(struct km_buf *out, const struct km_key_row *row,
                       const struct km_key_column *c)
{
    switch (c->kind) {
    case KM_KEY_TEXT:
        put_str(out, c->name, km_key_text(row, c));
        break;
    case KM_KEY_OBJECT:
        km_buf_printf(out, ",\"%s\":", c->name);
        km_buf_str(out, km_key_text(row, c).n ? km_key_text(row, c) : KM_STR("{}"));
        break;
    case KM_KEY_LIST:
        put_list(out, c->name, km_key_list(row, c));
        break;
    case KM_KEY_MONEY:
        put_money(out, c->name, km_key_number(row, c));
        break;
    case KM_KEY_FLAG:
        km_buf_printf(out, ",\"%s\":%s", c->name, km_key_flag(row, c) ? "true" : "null");
        break;
    case KM_KEY_TIME:
        put_time(out, c->name, km_key_number(row, c));
        break;
    default:
        put_count(out, c->name, km_key_number(row, c));
        break;
    }
}

/* Members of LiteLLM's row that are always empty here; clients look for them. */
#define EMPTY_MEMBERS                                                                              \
    ",\"config\":{},\"permissions\":{},\"model_max_budget\":{},\"model_spend\":{}," \
    "\"allowed_cache_controls\":[],\"allowed_routes\":[],\"access_group_ids\":[],"                 \
    "\"budget_id\":null,\"budget_limits\":null,"                            \
    "\"litellm_budget_table\":null,\"organization_id\":null,\"project_id\":null,\"agent_id\":null"

/* Members of LiteLLM's row that are empty where the key has none of them. */
static void put_empty(const struct km_key_row *row, struct km_buf *out)
{
    static const struct {
        struct km_str name, empty;
    } others[] = {
        { { "\"object_permission\":", 20 }, { "null", 4 } },
        { { "\"aliases\":", 10 }, { "{}", 2 } },
        { { "\"router_settings\":", 18 }, { "{}", 2 } },
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (km_str_find(row->extra, others[i].name) < row->extra.n)
            continue;
        km_buf_byte(out, ',');
        km_buf_str(out, others[i].name);
        km_buf_str(out, others[i].empty);
    }
}

void km_key_fields_write(const struct km_key_row *row, int64_t spend, struct km_str key,
                         struct km_buf *out)
{
    char hex[65];

    km_hex(hex, row->hash, sizeof row->hash);
    km_buf_byte(out, '{');
    if (key.n) {
        km_buf_str(out, KM_STR("\"key\":"));
        km_buf_json(out, key);
        km_buf_printf(out, ",\"token_id\":\"%s\",", hex);
    }
    km_buf_printf(out, "\"token\":\"%s\"", hex);
    for (size_t i = 0; i < km_key_columns_n; i++) {
        if (km_key_columns[i].offset == offsetof(struct km_key_row, max_budget))
            put_money(out, "spend", spend); /* before the budget it is of */
        if (km_key_columns[i].name)
            put_column(out, row, &km_key_columns[i]);
    }
    km_buf_str(out, KM_STR(EMPTY_MEMBERS));
    put_empty(row, out);
    if (row->extra.n > 2) { /* "{...}": its members join ours */
        km_buf_byte(out, ',');
        km_buf_str(out, km_str_sub(row->extra, 1, row->extra.n - 2));
    }
    km_buf_byte(out, '}');
}

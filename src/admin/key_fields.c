/* SPDX-License-Identifier: Apache-2.0 */
/* key_fields.c - the fields of /key/generate and /key/update.
 *
 * What they are is the table of a key's columns (store/key_columns.h): a member's name, its kind
 * and where it goes; reading, errors and writing follow from it.  What LiteLLM knows and we do not
 * falls into two kinds: what would restrict the key is refused (a limit that is silently not kept
 * is worse than an error), the rest is kept and shown.
 */
#include "admin/key_fields.h"

#include <stdio.h>

#include "admin/columns.h"
#include "admin/key_permission.h"
#include "base/encode.h"
#include "base/near.h"
#include "llm/api/priced.h"
#include "policy/budget.h"
#include "policy/key_retired.h"
#include "policy/key_routes.h"
#include "policy/runs.h"

/* Members that limit what a key may do, in ways this version does not enforce. */
static const char *const restrictive[] = {
    "allowed_routes",
    "allowed_passthrough_routes",
    "denied_passthrough_routes",
    "enforced_params",
    "guardrails",
    "policies",
    "allowed_cache_controls",
    "end_user_budget_id",
    "tpd_limit",
    "mcp_rpm_limit",
    "permissions",
    "access_group_ids",
    "allowed_vector_store_indexes",
    NULL,
};

/* Members that promise what this version does not do, and that somebody would count on. */
static const char *const unbuilt[] = { "auto_rotate", "rotation_interval", NULL };

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

/* Limits that LiteLLM keeps in a key's metadata: a caller may say them there as well, and finds
 * them there.  They are columns of ours: what is stored of the metadata is without them. */
static const char *const in_metadata[] = { "model_rpm_limit", "model_tpm_limit", NULL };

static int read_metadata(struct km_admin *a, const struct km_key_column *f, const struct km_json *v,
                         struct km_key_row *row, struct km_err *err)
{
    struct km_buf rest KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str name;
    int r = km_column_read(f, f->said, v, &a->arena, row, err);
    bool found = false;

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return r;
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &name, &item);) {
        if (!km_column_listed(in_metadata, name)) {
            km_extra_keep(&rest, name, item);
            continue;
        }
        found = true;
        f = km_key_column_said(name);
        if (!km_json_get(a->body, f->said))
            r = km_column_read(f, f->said, item, &a->arena, row, err);
    }
    if (r == 0 && found) {
        km_buf_str(&rest, rest.n ? KM_STR("}") : KM_STR("{}"));
        row->metadata = km_arena_str(&a->arena, km_buf_view(&rest));
    }
    return r;
}

static int read_field(struct km_admin *a, const struct km_key_column *f, const struct km_json *v,
                      int64_t now_us, struct km_key_row *row, struct km_err *err)
{
    struct km_str text;
    int64_t seconds;
    int r;

    if (f->offset == offsetof(struct km_key_row, metadata))
        return read_metadata(a, f, v, row, err);
    if (f->given == KM_KEY_AS_IS)
        return km_column_read(f, f->said, v, &a->arena, row, err);
    r = km_column_duration(f->said, v, &text, &seconds, err);
    if (r < 0)
        return r;
    if (f->given == KM_KEY_AS_EXPIRY) {
        row->expires_us = text.n ? now_us + seconds * 1000000 : 0;
        return 0;
    }
    row->budget_duration = text;
    row->budget_duration_s = seconds;
    row->budget_reset_us = text.n ? km_time_budget_reset(now_us, seconds) : 0;
    return 0;
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

static int keep_other(struct km_admin *a, struct km_str name, const struct km_json *v,
                      struct km_buf *extra, struct km_err *err)
{
    const char *other = meant(name);

    if (other)
        return km_fail_param(err, KM_E_INVALID, km_arena_cstr(&a->arena, name),
                             "'%.*s' is unknown and would limit nothing: did you mean '%s'?",
                             KM_STR_ARG(km_str_sub(name, 0, 80)), other);
    if (km_column_check_value(km_arena_cstr(&a->arena, name), v, err) < 0)
        return KM_E_INVALID;
    km_extra_keep(extra, name, v);
    return 0;
}

/* LiteLLM's kinds of key: ours call models and look at themselves, no more and no less. */
static bool other_kind(struct km_str name, const struct km_json *v)
{
    struct km_str kind;

    return km_str_eq(name, KM_STR("key_type")) && km_json_string(v, &kind) &&
           !km_str_eq(kind, KM_STR("default")) && !km_str_eq(kind, KM_STR("llm_api"));
}

/* LiteLLM's kinds of rate: ours are kept as they are said, whatever others have or the provider
 * answers. */
static bool other_rate(struct km_str name, const struct km_json *v)
{
    struct km_str kind;

    return (km_str_eq(name, KM_STR("rpm_limit_type")) ||
            km_str_eq(name, KM_STR("tpm_limit_type"))) &&
           !km_column_inert(v) &&
           !(km_json_string(v, &kind) && km_str_eq(kind, KM_STR("best_effort_throughput")));
}

/* What has no column and is not kept either: 0 if it may be. */
static int check_other(struct km_admin *a, struct km_str name, const struct km_json *v,
                       struct km_err *err)
{
    const char *param = km_arena_cstr(&a->arena, name);

    if ((km_column_listed(restrictive, name) && !km_column_inert(v)) || other_kind(name, v))
        return km_fail_param(err, KM_E_UNSUPPORTED, param,
                             "'%.*s' would restrict the key, and this version does not enforce "
                             "it: leave it out.",
                             KM_STR_ARG(name));
    if (km_column_listed(unbuilt, name) && !km_column_inert(v))
        return km_fail_param(err, KM_E_UNSUPPORTED, param,
                             "'%.*s' is not built: keys are rotated by /key/{key}/regenerate, with "
                             "a grace_period for the old secret.",
                             KM_STR_ARG(name));
    if (other_rate(name, v))
        return km_fail_param(err, KM_E_UNSUPPORTED, param,
                             "'%.*s' may be best_effort_throughput alone: limits are kept as they "
                             "are said, and none is promised or passed.",
                             KM_STR_ARG(name));
    return 0;
}

/* An empty one is kept: it allows nothing, where none at all allows everything. */
static int take_permission(struct km_admin *a, const struct km_json *v, struct km_buf *extra,
                           struct km_err *err)
{
    int r = km_key_permission_check(v, &a->arena, err);

    if (r == 0 && km_json_kind(v) == KM_JSON_OBJECT)
        km_extra_keep(extra, KM_STR("object_permission"), v);
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
        return km_column_wrong(err, "hosted_tools", what);
    if (km_json_kind(v) == KM_JSON_ARRAY || km_json_kind(v) == KM_JSON_FALSE)
        km_extra_keep(extra, KM_STR("hosted_tools"), v);
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
    struct km_run_limits limits = KM_RUN_NO_LIMITS;
    struct km_json_iter it;
    struct km_str name;
    const struct km_json *v;
    int r = 0;

    if (!a->body)
        return 0;
    km_extra_keep_old(a, row->extra, &extra);
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
        else if (check_other(a, name, v, err) < 0)
            r = err->code;
        else if (!km_column_listed(transient, name) &&
                 (!km_column_inert(v) || nearly_tools(name, v)))
            r = keep_other(a, name, v, &extra, err);
    }
    if (r == 0 && km_json_get(a->body, "metadata"))
        r = km_run_limits_of_key(row->metadata, &limits, err);
    return r < 0 ? r : km_extra_end(a, &extra, &row->extra, err);
}

void km_key_row_init(struct km_key_row *row)
{
    *row = (struct km_key_row){ .spend = 0 };
    for (size_t i = 0; i < km_key_columns_n; i++)
        if (km_key_columns[i].kind == KM_KEY_COUNT || km_key_columns[i].kind == KM_KEY_MONEY)
            *(int64_t *)(void *)((char *)row + km_key_columns[i].offset) = -1; /* none */
}

/* Members of LiteLLM's row that are always empty here; clients look for them. */
#define EMPTY_MEMBERS                                                                              \
    ",\"config\":{},\"permissions\":{},\"model_spend\":{},"                                      \
    "\"allowed_cache_controls\":[],\"allowed_routes\":[],\"access_group_ids\":[],"                 \
    "\"litellm_budget_table\":null"

/* Members of LiteLLM's row that are empty where the key has none of them. */
static void put_empty(const struct km_key_row *row, struct km_buf *out)
{
    static const struct {
        struct km_str name, empty;
    } others[] = {
        { { "\"object_permission\":", 20 }, { "null", 4 } },
        { { "\"project_id\":", 13 }, { "null", 4 } },
        { { "\"agent_id\":", 11 }, { "null", 4 } },
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

static void put_metadata(const struct km_key_row *row, struct km_buf *out)
{
    const struct km_str own = row->metadata.n > 2 ? row->metadata : KM_STR_NONE;
    bool any = own.n > 0;

    km_buf_str(out, KM_STR(",\"metadata\":{"));
    km_buf_str(out, km_str_sub(own, 1, any ? own.n - 2 : 0));
    for (size_t i = 0; in_metadata[i]; i++) {
        const struct km_str limit = km_key_text(row, km_key_column_said(km_str_c(in_metadata[i])));

        if (limit.n <= 2)
            continue;
        km_buf_printf(out, "%s\"%s\":", any ? "," : "", in_metadata[i]);
        km_buf_str(out, limit);
        any = true;
    }
    km_buf_byte(out, '}');
}

static void put_column(const struct km_key_column *c, const struct km_key_row *row,
                       struct km_buf *out)
{
    if (c->offset == offsetof(struct km_key_row, metadata))
        put_metadata(row, out);
    else if (km_column_listed(in_metadata, km_str_c(c->name)) && km_key_text(row, c).n <= 2)
        km_buf_printf(out, ",\"%s\":null", c->name);
    else
        km_column_write(out, c->name, c, row);
}

/* Former secrets that still work, in the words of LiteLLM's table of them. */
static void put_retired(const struct km_key_row *row, struct km_buf *out)
{
    const int64_t now_us = km_wall_us();
    struct km_str text = row->retired;
    struct km_key_retired r;
    char hex[65];
    bool any = false;

    while (km_key_retired_next(&text, &r)) {
        if (r.until_us <= now_us)
            continue;
        km_hex(hex, r.hash, sizeof r.hash);
        km_buf_printf(out, "%s{\"token\":\"%s\"", any ? "," : ",\"deprecated_tokens\":[", hex);
        km_column_write_time(out, "revoke_at", r.until_us);
        km_buf_byte(out, '}');
        any = true;
    }
    if (any)
        km_buf_byte(out, ']');
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
            km_column_write_money(out, "spend", spend); /* before the budget it is of */
        if (km_key_columns[i].name)
            put_column(&km_key_columns[i], row, out);
    }
    km_buf_str(out, KM_STR(EMPTY_MEMBERS));
    put_empty(row, out);
    put_retired(row, out);
    if (row->extra.n > 2) { /* "{...}": its members join ours */
        km_buf_byte(out, ',');
        km_buf_str(out, km_str_sub(row->extra, 1, row->extra.n - 2));
    }
    km_buf_byte(out, '}');
}

/* SPDX-License-Identifier: Apache-2.0 */
/* key_routes.c - see key_routes.h for the contract.
 *
 * A row keeps these members as they came.  What is not of the form that LiteLLM documents is
 * refused when a key is made, so that a list that nobody reads is not taken for one; of rows that
 * are older it is passed over.  Lists are `[{"group": ["follower"]}]`, and also
 * `{"group": ["follower"]}`; a row for "*" follows whatever has none of its own.
 */
#include "policy/key_routes.h"

static const struct km_str members[] = { { "\"aliases\":", 10 },
                                         { "\"router_settings\":", 18 },
                                         { "\"budget_fallbacks\":", 19 } };

bool km_key_row_routes(const struct km_key_row *row)
{
    for (size_t i = 0; row->extra.n && i < sizeof members / sizeof members[0]; i++)
        if (km_str_find(row->extra, members[i]) < row->extra.n)
            return true;
    return false;
}

static const struct km_json *object_of(const struct km_json *root, const char *name)
{
    const struct km_json *v = km_json_get(root, name);

    return km_json_kind(v) == KM_JSON_OBJECT ? v : NULL;
}

void km_key_routes_read(const struct km_key_row *row, struct km_arena *arena,
                        struct km_key_routes *ret)
{
    const struct km_json *root;

    *ret = (struct km_key_routes){ .aliases = NULL };
    if (km_json_parse(arena, row->extra, &root, NULL) < 0)
        return;
    ret->aliases = object_of(root, "aliases");
    ret->router = object_of(root, "router_settings");
    ret->budget = object_of(root, "budget_fallbacks");
}

struct km_str km_key_routes_alias(const struct km_key_routes *r, struct km_str model)
{
    const struct km_json *other = km_json_member(object_of(r->router, "model_group_alias"), model);
    struct km_str to = KM_STR_NONE;

    if (km_json_string(km_json_member(r->aliases, model), &to) && to.n)
        return to;
    if (km_json_kind(other) == KM_JSON_OBJECT)
        other = km_json_get(other, "model");
    return km_json_string(other, &to) ? to : KM_STR_NONE;
}

/* --- lists of followers --- */

/* The row of that name, in an object or in a list of them. */
static const struct km_json *row_of(const struct km_json *list, struct km_str name)
{
    struct km_json_iter it;
    const struct km_json *item, *found = NULL;
    struct km_str none;

    if (km_json_kind(list) == KM_JSON_OBJECT)
        return km_json_member(list, name);
    if (km_json_kind(list) != KM_JSON_ARRAY)
        return NULL;
    for (km_json_iter(list, &it); !found && km_json_next(&it, &none, &item);)
        found = km_json_member(item, name);
    return found;
}

static struct km_str_list names_of(const struct km_json *row, struct km_arena *arena)
{
    struct km_str *v = km_arena_alloc(arena, KM_KEY_FOLLOWERS_MOST * sizeof *v);
    struct km_str_list list = { .v = v };
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str none;

    if (!v)
        return list;
    if (km_json_string(row, &v[0]))
        list.n = 1;
    if (km_json_kind(row) != KM_JSON_ARRAY)
        return list;
    for (km_json_iter(row, &it); list.n < KM_KEY_FOLLOWERS_MOST && km_json_next(&it, &none, &item);)
        if (km_json_string(item, &v[list.n]))
            list.n++;
    return list;
}

static struct km_str_list followers(const struct km_json *list, struct km_str model,
                                    struct km_str group, struct km_arena *arena)
{
    const struct km_json *row = row_of(list, model);

    if (!row)
        row = row_of(list, group);
    if (!row)
        row = row_of(list, KM_STR("*"));
    return row ? names_of(row, arena) : (struct km_str_list){ .n = 0 };
}

bool km_key_routes_follow(const struct km_key_routes *r, const char *list, struct km_str model,
                          struct km_str group, struct km_arena *arena, struct km_str_list *ret)
{
    const struct km_json *v = km_json_get(r->router, list);

    *ret = followers(v, model, group, arena);
    return km_json_kind(v) == KM_JSON_ARRAY || km_json_kind(v) == KM_JSON_OBJECT;
}

struct km_str_list km_key_routes_budget(const struct km_key_routes *r, struct km_str model,
                                        struct km_str group, struct km_arena *arena)
{
    return followers(r->budget, model, group, arena);
}

int64_t km_key_routes_retries(const struct km_key_routes *r)
{
    int64_t n = -1;

    return km_json_i64(km_json_get(r->router, "num_retries"), &n) && n >= 0 ? n : -1;
}

bool km_key_routes_tags(const struct km_key_routes *r)
{
    bool on = false;

    return km_json_bool(km_json_get(r->router, "enable_tag_filtering"), &on) && on;
}

/* --- when a key is made --- */

static bool are_names(const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str none, text;
    bool fits = km_json_kind(v) == KM_JSON_ARRAY && km_json_count(v) <= KM_KEY_FOLLOWERS_MOST;

    for (km_json_iter(v, &it); fits && km_json_next(&it, &none, &item);)
        fits = km_json_string(item, &text) && text.n > 0;
    return fits;
}

static bool are_lists(const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str none;
    bool fits = km_json_kind(v) == KM_JSON_OBJECT;

    for (km_json_iter(v, &it); fits && km_json_next(&it, &none, &item);)
        fits = are_names(item);
    return fits;
}

static bool are_rows(const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str none;
    bool fits = km_json_kind(v) == KM_JSON_ARRAY;

    for (km_json_iter(v, &it); fits && km_json_next(&it, &none, &item);)
        fits = are_lists(item);
    return fits || are_lists(v);
}

static bool are_aliases(const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str none, text;
    bool fits = km_json_kind(v) == KM_JSON_OBJECT;

    for (km_json_iter(v, &it); fits && km_json_next(&it, &none, &item);)
        fits = km_json_string(item, &text) && text.n > 0;
    return fits;
}

static bool are_settings(const struct km_json *v)
{
    static const char *const lists[] = { "fallbacks", "context_window_fallbacks",
                                         "content_policy_fallbacks" };

    if (km_json_kind(v) != KM_JSON_OBJECT)
        return false;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct km_json *list = km_json_get(v, lists[i]);

        if (list && km_json_kind(list) != KM_JSON_NULL && !are_rows(list))
            return false;
    }
    return true;
}

int km_key_routes_check(struct km_str name, const struct km_json *value, struct km_err *err)
{
    static const struct {
        struct km_str name;
        bool (*fits)(const struct km_json *v);
        const char *form;
    } rows[] = {
        { { "aliases", 7 }, are_aliases, "{\"alias\": \"model\"}" },
        { { "budget_fallbacks", 16 }, are_lists, "{\"model\": [\"another\"]}" },
        { { "router_settings", 15 },
          are_settings,
          "an object whose lists are like \"fallbacks\": [{\"model\": [\"another\"]}]" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (km_str_eq(name, rows[i].name) && km_json_kind(value) != KM_JSON_NULL &&
            !rows[i].fits(value))
            return km_fail_param(err, KM_E_INVALID, rows[i].name.p,
                                 "'%s' is %s, of at most %d names each.", rows[i].name.p,
                                 rows[i].form, KM_KEY_FOLLOWERS_MOST);
    return 0;
}

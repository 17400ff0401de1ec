/* SPDX-License-Identifier: Apache-2.0 */
/* key_routes.h - what a key says of where its calls go, as LiteLLM stores it with a key:
 *
 *     aliases            {"gpt-4": "gpt-4o-mini"}              the model meant by a name
 *     router_settings    {"fallbacks": [{"a": ["b"]}], ...}    in place of the configured ones
 *     budget_fallbacks   {"gpt-4": ["gpt-4o-mini"]}            asked when the budget is spent
 *
 * Read from the row's text for each call of a key that has any of it; other keys pay for a
 * comparison.  Views live as long as the arena.
 */
#ifndef KM_POLICY_KEY_ROUTES_H
#define KM_POLICY_KEY_ROUTES_H

#include "http/json.h"
#include "store/store.h"

#define KM_KEY_FOLLOWERS_MOST 20

/* Does its row say anything of it? */
bool km_key_row_routes(const struct km_key_row *row);

struct km_key_routes {
    const struct km_json *aliases, *router, *budget; /* objects or NULL */
};
void km_key_routes_read(const struct km_key_row *row, struct km_arena *arena,
                        struct km_key_routes *ret);

/* The model meant: its aliases', else its router_settings.model_group_alias'; empty: it is meant as
 * it stands. */
struct km_str km_key_routes_alias(const struct km_key_routes *r, struct km_str model);
/* Who follows a model, or its group, by a list of router_settings ("fallbacks"); at most
 * KM_KEY_FOLLOWERS_MOST, in the arena.  false: the key has no such list. */
bool km_key_routes_follow(const struct km_key_routes *r, const char *list, struct km_str model,
                          struct km_str group, struct km_arena *arena, struct km_str_list *ret);
/* The same when its budget is spent; n 0: nobody. */
struct km_str_list km_key_routes_budget(const struct km_key_routes *r, struct km_str model,
                                        struct km_str group, struct km_arena *arena);
/* router_settings.num_retries; -1: not said. */
int64_t km_key_routes_retries(const struct km_key_routes *r);
/* router_settings.enable_tag_filtering is true; false of a key switches nothing off. */
bool km_key_routes_tags(const struct km_key_routes *r);

/* Is the member of a key's row one of these, and can it be followed?  0: it is none, or it can;
 * KM_E_INVALID says how it should look. */
int km_key_routes_check(struct km_str name, const struct km_json *value,
                        struct km_err *err) KM_MUST_USE;

#endif

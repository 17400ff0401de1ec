/* SPDX-License-Identifier: Apache-2.0 */
/* priced_right.c - may a key have the provider run that?
 *
 *     "hosted_tools": absent, null, true    whatever there is
 *                     false, []             nothing
 *                     ["web_search", ...]   these, by the names of KM_HOSTED_TOOLS
 *
 * A tool that a provider runs spends the account's money where no gateway sees it, and carries what
 * was said to wherever it is told to look: so it can be taken from a key, and what cannot be read
 * of the key's word takes it too.
 */
#include "llm/api/priced.h"

#define NAME(id, name) { name, sizeof(name) - 1 },
static const struct km_str names[KM_HOSTED_TOOL_COUNT] = { KM_HOSTED_TOOLS(NAME) };
#undef NAME

bool km_hosted_tool_named(struct km_str name)
{
    for (size_t i = 0; i < KM_HOSTED_TOOL_COUNT; i++)
        if (km_str_eq(name, names[i]))
            return true;
    return false;
}

/* What a list of names allows, as bits. */
static unsigned allowed_by(struct km_str list)
{
    struct km_json_span item;
    unsigned allowed = 0;
    size_t at = 0;

    while (km_json_next_item(list, &at, &item))
        for (size_t i = 0; item.type == KM_JSON_STRING && i < KM_HOSTED_TOOL_COUNT; i++)
            if (km_str_eq(km_str_sub(km_json_value(list, &item), 1, item.value_n - 2), names[i]))
                allowed |= 1U << i;
    return allowed;
}

static unsigned allowed_tools(struct km_str extra)
{
    static const struct km_str name = { "hosted_tools", 12 };
    struct km_json_span span;

    if (!extra.n)
        return ~0U;
    if (km_json_spans(extra, &name, 1, &span, NULL, NULL) < 0)
        return 0;
    if (span.type == KM_JSON_ABSENT || span.type == KM_JSON_NULL || span.type == KM_JSON_TRUE)
        return ~0U;
    return span.type == KM_JSON_ARRAY ? allowed_by(km_json_value(extra, &span)) : 0;
}

enum km_right km_hosted_tools_grant(struct km_str extra, const struct km_llm_priced *p,
                                    struct km_err *err)
{
    unsigned denied = p->tools ? p->tools & ~allowed_tools(extra) : 0;

    if (!denied)
        return KM_GRANTED;
    for (size_t i = 0; i < KM_HOSTED_TOOL_COUNT; i++)
        if (denied >> i & 1) {
            km_fail_param(
                err, KM_E_FORBIDDEN, "tools",
                "This key may not have the provider run '%s' (asked for as '%.*s'): leave "
                "the tool out, or have it added to the key's hosted_tools.",
                names[i].p, KM_STR_ARG(p->tool));
            break;
        }
    return KM_DENIED;
}

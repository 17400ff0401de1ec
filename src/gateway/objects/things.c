/* SPDX-License-Identifier: Apache-2.0 */
/* things.c - what a provider's account keeps besides files, and which keys may name it.
 *
 *     member of the body ─> row ─> closed: the administrator's, or opened by the setting
 *                               └> a container: the key's in whose call it was made (made.c)
 *
 * Of conversations, vector stores and caches the gateway has no routes, so none was made through
 * it: they are the operator's.  A stored prompt and a skill are the operator's too, but hold
 * nothing of a caller's: whoever may use the model may use them, and they have no row.
 *
 * OpenAI's bodies name such things at any depth, and its endpoints learn new places; the other
 * APIs do at the top alone, below which a caller's own labels may have such a name.
 */
#include "gateway/objects/things.h"

enum thing { KM_THING_CLOSED, KM_THING_LINE, KM_THING_CONTAINER };

/* Members by which a call reaches what the account keeps, and what opens it for keys: a value of
 * kanmon_settings.account_objects. */
static const struct {
    const char *name, *opened_by;
    enum thing thing;
} things[] = {
    { "conversation", "conversations", KM_THING_CLOSED },
    { "vector_store_ids", "vector_stores", KM_THING_CLOSED },
    { "previous_response_id", "responses", KM_THING_LINE }, /* elsewhere it is ours: answers.c */
    { "container", "containers", KM_THING_CONTAINER },
    { "container_id", "containers", KM_THING_CONTAINER },
    { "cachedContent", "caches", KM_THING_CLOSED },
    { "cached_content", "caches", KM_THING_CLOSED },
};

static bool names_something(const struct km_json *v)
{
    struct km_str s = KM_STR_NONE;

    return v && km_json_kind(v) != KM_JSON_NULL && (!km_json_string(v, &s) || s.n) &&
           (km_json_kind(v) != KM_JSON_ARRAY || km_json_count(v) > 0);
}

bool km_things_opened(const struct km_call *call, const char *name)
{
    const struct km_str_list *open = &call->visit->view->snap->gateway->account_objects;

    for (size_t i = 0; i < open->n; i++)
        if (km_str_eq(open->v[i], km_str_c(name)))
            return true;
    return false;
}

/* "cntr_1", {"id":"container_1","skills":[...]}; without an id it is a new one.  false: it is
 * neither, and nobody knows what an upstream would take it for. */
static bool container_of(const struct km_json *v, struct km_str *ret)
{
    const struct km_json *id = km_json_kind(v) == KM_JSON_OBJECT ? km_json_get(v, "id") : v;

    *ret = KM_STR_NONE;
    return km_json_string(id, ret) || !id || km_json_kind(id) == KM_JSON_NULL;
}

/* The administrator's key may name what is the account's. */
enum km_right km_things_grants(const struct km_call *call, struct km_str member,
                               const struct km_json *v, bool top, struct km_str *ret_container,
                               struct km_err *err)
{
    size_t i = 0;

    *ret_container = KM_STR_NONE;
    while (i < sizeof things / sizeof things[0] && !km_str_eq(member, km_str_c(things[i].name)))
        i++;
    if (i == sizeof things / sizeof things[0] || !call->visit->who.key ||
        (call->api->dialect != KM_DIALECT_OPENAI && !top) || !names_something(v) ||
        (things[i].thing == KM_THING_LINE && call->kind != &km_kind_object) ||
        km_things_opened(call, things[i].opened_by))
        return KM_GRANTED;
    if (things[i].thing == KM_THING_CONTAINER && container_of(v, ret_container))
        return KM_GRANTED;
    km_fail_param(err, KM_E_FORBIDDEN, things[i].name,
                  "'%s' names something that belongs to the provider's account, and nobody "
                  "here knows to which key. kanmon_settings.account_objects: [%s] opens "
                  "them to all keys.",
                  things[i].name, things[i].opened_by);
    return KM_DENIED;
}

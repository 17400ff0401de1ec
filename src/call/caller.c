/* SPDX-License-Identifier: Apache-2.0 */
/* caller.c - for whom a call is, as its caller says (see caller.h).
 *
 *     x-litellm-end-user-id, x-litellm-customer-id
 *     user_header_mappings, those of customers, in their order; else user_header_name
 *     `user` of the body, else `metadata.user_id` of it
 *
 * The first that says something counts, in LiteLLM's order.  The head is gone once its client is,
 * and a call may be asked for whom it is as long as it runs, so what the head said is kept.
 */
#include "call/caller.h"

#include "call/call.h"
#include "http/json.h"
#include "policy/caller_settings.h"

/* ret_mapped: is any header of that role? */
static struct km_str from_mappings(const struct km_call *call, int64_t role, bool *ret_mapped)
{
    const struct km_table_list *list = &call->visit->view->snap->callers->user_headers;
    const struct km_caller_header *v = list->v;
    struct km_str said = KM_STR_NONE;

    *ret_mapped = false;
    for (size_t i = 0; i < list->n && !said.n; i++) {
        if (v[i].role != role)
            continue;
        *ret_mapped = true;
        said = km_str_trim(km_header_get(&call->request->headers, v[i].name));
    }
    return said;
}

static struct km_str end_user_of_head(const struct km_call *call)
{
    static const struct km_str names[] = { { "x-litellm-end-user-id", 21 },
                                           { "x-litellm-customer-id", 21 } };
    const struct km_headers *h = &call->request->headers;
    struct km_str said = KM_STR_NONE;
    bool mapped;

    for (size_t i = 0; !said.n && i < sizeof names / sizeof names[0]; i++)
        said = km_header_get(h, names[i]);
    if (said.n)
        return said;
    said = from_mappings(call, KM_CALLER_CUSTOMER, &mapped);
    return mapped ? said
                  : km_str_trim(km_header_get(h, call->visit->view->snap->callers->user_header));
}

static bool has_head(const struct km_call *call)
{
    return call->request && !call->client_gone;
}

/* Where Anthropic's clients say it. */
static struct km_str user_of_metadata(struct km_call *call)
{
    const struct km_json *metadata;
    struct km_str said;

    if (!call->req.metadata.n ||
        km_json_parse(&call->arena, call->req.metadata, &metadata, NULL) < 0 ||
        !km_json_string(km_json_get(metadata, "user_id"), &said))
        return KM_STR_NONE;
    return km_str_trim(said);
}

struct km_str km_call_end_user(struct km_call *call)
{
    if (!call->end_user.n && has_head(call))
        call->end_user = km_arena_str(&call->arena, end_user_of_head(call));
    if (!call->end_user.n && !call->req.user.n)
        call->end_user = user_of_metadata(call);
    return call->end_user.n ? call->end_user : call->req.user;
}

struct km_str km_call_named_user(struct km_call *call)
{
    bool mapped;

    if (!call->named_user.n && has_head(call))
        call->named_user =
            km_arena_str(&call->arena, from_mappings(call, KM_CALLER_INTERNAL_USER, &mapped));
    return call->named_user;
}

/* A tool is no model, and what is only read or taken away is for nobody. */
int km_call_check_end_user(struct km_call *call, struct km_err *err)
{
    const struct km_caller_settings *s = call->visit->view->snap->callers;

    if (!s->must_name_user || !call->request || !call->req.model.n ||
        !km_str_eq(call->request->method, KM_STR("POST")) || km_call_end_user(call).n)
        return 0;
    return km_fail(err, KM_E_INVALID,
                   "This gateway serves only calls that say for whom they are "
                   "(enforce_user_param). Send 'user' in the body, or the header "
                   "x-litellm-end-user-id.");
}

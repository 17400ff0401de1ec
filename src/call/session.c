/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - see session.h for the contract.
 *
 *     x-litellm-session-id    header
 *     litellm_session_id      in the body
 *     metadata.session_id     in the body, litellm_metadata's where the API has that
 *     x-litellm-trace-id      header
 *
 * The first of them counts, as in LiteLLM.  A session is its key's: who names another's session
 * gets nothing of it, and steers nobody.
 */
#include "call/session.h"

#include "http/json.h"
#include "policy/sticky.h"

#define SESSION_MOST 256 /* bytes of a name that count */

static struct km_str in_head(const struct km_call *call, struct km_str name)
{
    return call->request ? km_str_trim(km_header_get(&call->request->headers, name)) : KM_STR_NONE;
}

static struct km_str in_body(struct km_call *call)
{
    static const struct km_str names[] = { { "litellm_session_id", 18 } };
    struct km_json_span span;

    if (!call->req.body.n || km_json_spans(call->req.body, names, 1, &span, NULL, NULL) < 0 ||
        span.type != KM_JSON_STRING)
        return KM_STR_NONE;
    return km_json_text(&call->arena, call->req.body, &span);
}

static struct km_str in_metadata(struct km_call *call)
{
    struct km_str session = KM_STR_NONE;
    const struct km_json *root;

    if (call->req.metadata.n && km_json_parse(&call->arena, call->req.metadata, &root, NULL) == 0)
        (void)km_json_string(km_json_get(root, "session_id"), &session);
    return session;
}

struct km_str km_call_session(struct km_call *call)
{
    struct km_str s = in_head(call, KM_STR("x-litellm-session-id"));

    if (!s.n)
        s = in_body(call);
    if (!s.n)
        s = in_metadata(call);
    if (!s.n)
        s = in_head(call, KM_STR("x-litellm-trace-id"));
    return km_str_sub(s, 0, SESSION_MOST);
}

static struct km_str hash_of(const struct km_call *call)
{
    const struct km_key *key = call->visit->who.key;

    return key ? km_str((const char *)key->row.hash, sizeof key->row.hash) : KM_STR_NONE;
}

uint64_t km_call_sticky_session(struct km_call *call)
{
    struct km_str session = km_call_session(call);

    return session.n ? km_sticky(hash_of(call), session) : 0;
}

uint64_t km_call_sticky_key(const struct km_call *call)
{
    return call->visit->who.key ? km_sticky(hash_of(call), KM_STR_NONE) : 0;
}

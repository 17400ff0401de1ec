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
#include "llm/affinity.h"
#include "policy/sticky.h"

#define CACHED_LEAST 1024 /* tokens of a prompt that providers cache; LiteLLM's number */
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

struct km_str km_session_in_head(const struct km_headers *h)
{
    const struct km_str s = km_str_trim(km_header_get(h, KM_STR("x-litellm-session-id")));

    return km_str_sub(s.n ? s : km_str_trim(km_header_get(h, KM_STR("x-litellm-trace-id"))), 0,
                      SESSION_MOST);
}

struct km_str km_call_session(struct km_call *call)
{
    struct km_str s = call->session;

    if (!s.n)
        s = in_head(call, KM_STR("x-litellm-session-id"));
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

/* As far as the first mark that ends a part to be cached, in the instructions before the tools and
 * these before the turns: what the turns of a conversation have in common.  A prompt that is too
 * short is cached by nobody. */
static uint64_t sticky_prompt(const struct km_call *call)
{
    static const struct km_str names[] = { { "system", 6 }, { "tools", 5 }, { "messages", 8 } };
    struct km_json_span spans[sizeof names / sizeof names[0]];
    const size_t n = sizeof names / sizeof names[0];

    if (call->input_tokens < CACHED_LEAST ||
        km_json_spans(call->req.body, names, n, spans, NULL, NULL) < 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const struct km_str v = km_json_value(call->req.body, &spans[i]);
        const size_t end = km_str_find(v, KM_STR("\"cache_control\""));

        if (end < v.n)
            return km_sticky(km_str_sub(v, 0, end), hash_of(call));
    }
    return 0;
}

uint64_t km_call_sticky(struct km_call *call)
{
    const unsigned by = call->match.affinity;
    uint64_t s = by & KM_AFFINITY_SESSION ? km_call_sticky_session(call) : 0;

    if (!s && by & KM_AFFINITY_PROMPT)
        s = sticky_prompt(call);
    if (!s && by & KM_AFFINITY_KEY)
        s = km_call_sticky_key(call);
    return s;
}

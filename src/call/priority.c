/* SPDX-License-Identifier: Apache-2.0 */
/* priority.c - see priority.h for the contract.
 *
 * What a caller says is a wish: the key's `priority_ceiling` (metadata, as LiteLLM's `priority`
 * is), else the configured one, is the most that comes of it.  What cannot be read is no wish, for
 * a name may be one of priority_reservation's (LiteLLM's), or mean something to the upstream.
 */
#include "call/priority.h"

#include "call/call.h"
#include "policy/gate.h"
#include "policy/gate_settings.h"

enum { OF_KEY, CEILING, NAMES };
static const struct km_str key_names[NAMES] = { [OF_KEY] = { "priority", 8 },
                                                [CEILING] = { "priority_ceiling", 16 } };

/* A member's value: a number, or a string without its quotes. */
static enum km_priority read_value(struct km_str json, const struct km_json_span *span)
{
    struct km_str text = km_json_value(json, span);
    enum km_priority p = KM_PRIORITY_UNSAID;

    if (span->type == KM_JSON_STRING && text.n >= 2)
        text = km_str_sub(text, 1, text.n - 2);
    return km_priority_read(text, &p) ? p : KM_PRIORITY_UNSAID;
}

static enum km_priority of_head(const struct km_call *call)
{
    enum km_priority p = KM_PRIORITY_UNSAID;

    if (call->request)
        (void)km_priority_read(
            km_str_trim(km_header_get(&call->request->headers, KM_STR("x-kanmon-priority"))), &p);
    return p;
}

static enum km_priority of_body(const struct km_call *call)
{
    struct km_json_span span;

    if (!call->api || !call->req.body.n ||
        km_json_spans(call->req.body, &key_names[OF_KEY], 1, &span, NULL, NULL) < 0)
        return KM_PRIORITY_UNSAID;
    return read_value(call->req.body, &span);
}

static enum km_priority asked(const struct km_call *call)
{
    enum km_priority p = call->asked_priority;

    if (!p)
        p = of_head(call);
    return p ? p : of_body(call);
}

static const struct km_gate_settings *settings_of(const struct km_call *call)
{
    return call->visit->view->snap->waiting;
}

/* What the key has for a call that says nothing, and the most for one that does. */
static void of_key(const struct km_call *call, enum km_priority v[NAMES])
{
    const struct km_key *key = call->visit->who.key;
    struct km_json_span spans[NAMES];

    v[OF_KEY] = KM_PRIORITY_UNSAID;
    v[CEILING] = key && !key->master ? (enum km_priority)(settings_of(call)->ceiling + 1)
                                     : KM_PRIORITY_CRITICAL;
    if (!key || !key->row.metadata.n ||
        km_json_spans(key->row.metadata, key_names, NAMES, spans, NULL, NULL) < 0)
        return;
    v[OF_KEY] = read_value(key->row.metadata, &spans[OF_KEY]);
    if (spans[CEILING].type != KM_JSON_ABSENT && read_value(key->row.metadata, &spans[CEILING]))
        v[CEILING] = read_value(key->row.metadata, &spans[CEILING]);
    else if (v[OF_KEY] > v[CEILING]) /* what it is given is what it may have */
        v[CEILING] = v[OF_KEY];
}

void km_call_set_priority(struct km_call *call, enum km_priority asked)
{
    call->asked_priority = asked;
    call->priority = KM_PRIORITY_UNSAID;
}

enum km_priority km_call_priority(struct km_call *call)
{
    enum km_priority v[NAMES], p;

    if (call->priority)
        return call->priority;
    of_key(call, v);
    p = asked(call);
    p = p ? p : v[OF_KEY];
    p = p ? p : (enum km_priority)(settings_of(call)->default_priority + 1);
    call->priority = p < v[CEILING] ? p : v[CEILING];
    return call->priority;
}

unsigned km_call_share(const struct km_call *call, const struct km_shares *s)
{
    const struct km_key *key = call->visit->who.key;
    struct km_json_span span;
    struct km_str name;
    unsigned i = 0;

    if (!key || !key->row.metadata.n ||
        km_json_spans(key->row.metadata, &key_names[OF_KEY], 1, &span, NULL, NULL) < 0 ||
        span.type != KM_JSON_STRING)
        return (unsigned)s->n;
    name = km_json_value(key->row.metadata, &span);
    name = km_str_sub(name, 1, name.n - 2);
    while (i < s->n && !km_str_eq(s->v[i].name, name))
        i++;
    return i;
}

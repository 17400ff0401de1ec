/* SPDX-License-Identifier: Apache-2.0 */
/* conditional.c - see conditional.h for the contract.
 *
 *     model asked for ──> rules (policy/route_rule.h) ──> its part of a split ──> match
 *
 * What the call is called does not change: `model` of its answer is the name it asked for, as with
 * an alias.  A request may be read more than once before it is admitted, so what chance decided is
 * kept with the call.
 */
#include "call/conditional.h"

#include "base/prng.h"
#include "call/economy.h"
#include "call/session.h"
#include "http/json.h"
#include "policy/sticky.h"

static const char tag; /* the call's note */

struct drawn {
    unsigned part;
};

/* --- what it comes with --- */

struct asked {
    struct km_call *call;
    const struct km_json *metadata; /* read when a rule asks; NULL: none, or not yet */
    bool read;
};

static struct km_str header(void *ctx, struct km_str name)
{
    const struct km_call *call = ((struct asked *)ctx)->call;

    return call->request ? km_header_get(&call->request->headers, name) : KM_STR_NONE;
}

static struct km_str metadata(void *ctx, struct km_str name)
{
    struct asked *a = ctx;
    struct km_str v = KM_STR_NONE;

    if (!a->read && a->call->req.metadata.n &&
        km_json_parse(&a->call->arena, a->call->req.metadata, &a->metadata, NULL) < 0)
        a->metadata = NULL;
    a->read = true;
    (void)km_json_string(km_json_member(a->metadata, name), &v);
    return v;
}

/* By estimate, as the first deployment of what it asks for has them. */
static int64_t tokens_of(struct km_call *call)
{
    const struct km_deployment *d = call->match.n ? call->match.v[0].deployment : NULL;

    call->req.size = km_text_measure(call->body);
    return km_pace_input(d ? d->pace : NULL, &call->req.size);
}

static struct km_route_call facts_of(struct km_call *call, const struct km_route_rules *rules,
                                     struct asked *a)
{
    const struct km_key *key = call->visit->who.key;

    return (struct km_route_call){ .model = call->req.model,
                                   .key = key ? key->row.alias : KM_STR_NONE,
                                   .team = key ? key->row.team_id : KM_STR_NONE,
                                   .tokens = rules->counts ? tokens_of(call) : 0,
                                   .header = header,
                                   .metadata = metadata,
                                   .ctx = a };
}

/* --- which part it has --- */

static uint64_t sticky_of(struct km_call *call, const struct km_route_rule *rule)
{
    uint64_t s = rule->sticky == KM_ROUTE_STICKY_SESSION ? km_call_sticky_session(call) : 0;

    if (!s && rule->sticky != KM_ROUTE_STICKY_NO)
        s = km_call_sticky_key(call);
    return s;
}

static unsigned part_of(struct km_call *call, const struct km_route_rule *rule)
{
    const uint64_t s = sticky_of(call, rule);
    struct drawn *drawn;

    if (s)
        return km_sticky_part(s, rule->name);
    drawn = km_call_note(call, &tag);
    if (drawn)
        return drawn->part;
    drawn = km_call_make_note(call, &tag, sizeof *drawn);
    if (drawn)
        drawn->part = (unsigned)(km_prng_next(&call->w->rng) % 10000);
    return drawn ? drawn->part : 9999;
}

void km_call_take_rule(struct km_call *call)
{
    const struct km_models *models = call->visit->view->snap->models;
    const struct km_route_rules *rules = km_models_rules(models);
    struct asked a = { .call = call };
    const struct km_route_call facts = facts_of(call, rules, &a);
    const struct km_route_rule *rule = km_route_rules_find(rules, &facts);
    struct km_model_match match;
    struct km_str to;

    call->rule = NULL;
    if (!rule)
        return;
    to = km_route_rule_target(rule, part_of(call, rule));
    if (to.n && (km_models_find(models, to, &match, NULL) < 0 ||
                 km_call_grants_model(call, to, match.alias_of, NULL) != KM_GRANTED))
        return;
    if (!to.n && !rule->substitutes.n)
        return;
    if (to.n)
        call->match = match;
    call->rule = rule;
    km_call_choose_substitute(call);
}

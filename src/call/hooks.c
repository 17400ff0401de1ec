/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - see hooks.h for the contract.
 *
 * A place's rows are a list that ends with NULL, in the order in which they run; most places have
 * none, and then a call pays for a comparison.  Nothing is kept here: what a row has done for a
 * call, it keeps in a note of that call.
 */
#include "call/hooks.h"

#include "call/call.h"

const struct km_call_kind *km_call_kind_of_models(const struct km_call *call)
{
    return call->w->gw->args->hooks->of_models;
}

static int run_rows(const struct km_call_hook *const *row, struct km_call *call, struct km_err *err)
{
    int r = KM_HOOK_PASS;

    for (; *row && r == KM_HOOK_PASS; row++)
        if (!(*row)->names || (*row)->names & call->req.names)
            r = (*row)->run(call, err);
    return r;
}

/* Most places have no row, and every call comes by. */
int km_call_run_hooks(struct km_call *call, enum km_hook_place place, struct km_err *err)
{
    const struct km_call_hook *const *row = call->w->gw->args->hooks->at[place];

    return row ? run_rows(row, call, err) : KM_HOOK_PASS;
}

int km_call_judge_again(struct km_call *call, struct km_err *err)
{
    const struct km_call_hook *const *row = call->w->gw->args->hooks->at[KM_HOOK_PREPARED];
    int r = 0;

    for (; row && *row && r >= 0; row++)
        if ((*row)->judges && (!(*row)->names || (*row)->names & call->req.names))
            r = (*row)->run(call, err);
    return r < 0 ? r : 0;
}

static bool is_asked(const struct km_call *call, const struct km_call_unit *row)
{
    return !row->wires || (call->api && row->wires & call->api->wire);
}

bool km_call_has_units(const struct km_call *call, enum km_unit_place place)
{
    const struct km_call_unit *const *row = call->w->gw->args->hooks->units[place];

    while (row && *row && !is_asked(call, *row))
        row++;
    return row && *row && !call->kind->session;
}

int km_call_join_units(struct km_call *call, enum km_unit_place place, struct km_chain *chain,
                       struct km_err *err)
{
    const struct km_call_unit *const *row = call->w->gw->args->hooks->units[place];
    int r = 0;

    for (; row && *row && r == 0; row++)
        if (is_asked(call, *row))
            r = (*row)->join(call, chain, err);
    return r;
}

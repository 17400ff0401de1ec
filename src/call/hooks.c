/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - see hooks.h. */
#include "call/hooks.h"

#include "call/call.h"

const struct km_call_kind *km_call_kind_of_models(const struct km_call *call)
{
    return call->w->gw->args->hooks->of_models;
}

int km_call_run_hooks(struct km_call *call, enum km_hook_place place, struct km_err *err)
{
    const struct km_call_hook *const *row = call->w->gw->args->hooks->at[place];
    int r = KM_HOOK_PASS;

    for (; row && *row && r == KM_HOOK_PASS; row++)
        if (!(*row)->names || (*row)->names & call->req.names)
            r = (*row)->run(call, err);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* asks.c - see asks.h.
 *
 * A request is judged when its model is found and when it is admitted.  What comes later, or many
 * times in one call, is judged here by the same rules: tools that a provider runs are the key's to
 * use or not, and what has no price is not for a key with a budget.
 */
#include "kept/asks.h"

#include "llm/api/priced.h"

int km_asks_judge(const struct km_call *call, const struct km_llm_priced *p, const char *param,
                  struct km_err *err)
{
    const struct km_key *key = call->visit->who.key;
    int r;

    if (!key)
        return 0;
    r = km_right_code(km_hosted_tools_grant(key->row.extra, p, err), err);
    if (r < 0 || !p->unpriced.n || key->row.max_budget < 0 ||
        call->visit->view->snap->keys->allow_unpriced)
        return r;
    return km_fail_param(err, KM_E_UNPRICED, param,
                         "No price is known for %.*s, and this key has a budget. %s "
                         "kanmon_settings.allow_unpriced lets it pass uncounted.",
                         KM_STR_ARG(p->unpriced), p->remedy);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c - see admit.h. */
#include "app/admit.h"

#include "mcp/builtin.h"
#include "mcp/upstream/upstream.h"

int km_admit(const struct km_mcp_set *set, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && set && i < set->n; i++) {
        const struct km_mcp_upstream *u = set->v[i];

        if (u->builtin && u->builtin->admit && u->entry->enabled)
            r = u->builtin->admit(u, err);
    }
    return r;
}

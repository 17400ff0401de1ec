/* SPDX-License-Identifier: Apache-2.0 */
/* tool_hints.c - what clients and rules of approval are told of a tool, by what it does. */
#include "servers/postgres/tools.h"

/* read-only, destructive, idempotent, open world; 0 would be unknown. */
void km_pg_set_hints(struct km_mcp_tool *t, enum km_pg_does does, enum km_pg_mode mode)
{
    if (does == KM_PG_RUNS)
        does = mode == KM_PG_READ_ONLY ? KM_PG_LOOKS : KM_PG_DESTROYS;
    if (does == KM_PG_LOOKS) {
        t->hints = (struct km_mcp_hints){ 1, -1, 1, -1 };
        t->risk = KM_RISK_READ_ONLY;
    } else if (does == KM_PG_ADDS) {
        t->hints = (struct km_mcp_hints){ -1, -1, -1, -1 };
        t->risk = KM_RISK_WRITE;
    } else {
        t->hints = (struct km_mcp_hints){ -1, 1, -1, -1 };
        t->risk = KM_RISK_DESTRUCTIVE;
    }
}

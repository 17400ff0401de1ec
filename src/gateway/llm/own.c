/* SPDX-License-Identifier: Apache-2.0 */
/* own.c - see own.h for the contract. */
#include "gateway/llm/own.h"

struct km_visit *km_own_visit(struct km_worker *w, struct km_arena *arena)
{
    struct km_visit *v = km_arena_zalloc(arena, sizeof *v);

    if (!v || km_visit_seat(v, arena, w) < 0)
        return NULL;
    v->came_us = km_wall_us();
    v->id = km_uuid7_at(km_loop_ids(w->loop), v->came_us);
    km_uuid_text(&v->id, v->id_text);
    v->local = true;
    v->standing = KM_STANDING_KNOWN;
    memcpy(v->who.who, "kanmon", sizeof "kanmon");
    return v;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* silent.h - private to pg/: addresses that said nothing, remembered for a while.
 *
 *     silent for its part of connect_ms ──> noted ──> tried after the others for a minute
 *                                             └────── it answers: as it was before
 *
 * Without it each new connection would wait for a dead first host anew.  It is left out of nothing:
 * where the others are gone too it is tried.  Thread: its loop's.
 */
#ifndef KM_PG_SILENT_H
#define KM_PG_SILENT_H

#include "base/hash.h"

#define KM_PG_SILENT_MOST 32 /* remembered; one more takes the place of the oldest */
#define KM_PG_SILENT_MS 60000

/* A pool's.  All zero but the seed: nobody is. */
struct km_pg_silent {
    struct km_hash_seed seed;
    struct {
        uint64_t key, until_ms; /* 0: free */
    } v[KM_PG_SILENT_MOST];
};

void km_pg_silent_init(struct km_pg_silent *s);
/* where: any text that tells addresses apart.  Two that share a hash share their fate, too. */
void km_pg_silent_note(struct km_pg_silent *s, struct km_str where, uint64_t now_ms);
void km_pg_silent_heard(struct km_pg_silent *s, struct km_str where);
bool km_pg_silent_has(const struct km_pg_silent *s, struct km_str where, uint64_t now_ms);

#endif

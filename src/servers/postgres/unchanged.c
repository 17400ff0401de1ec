/* SPDX-License-Identifier: Apache-2.0 */
/* unchanged.c - see unchanged.h.
 *
 *     first time   BEGIN | anchor ── state A | look-up: nothing ──> kept with the verdict: A
 *     later        BEGIN | anchor ── state A?  the same: the statement may run
 *                                              another: the look-up, then the statement
 *
 * The look-up takes several times as long as most statements.  What it finds follows from the
 * statement's names, the search path and the catalogue; so it need not be asked again where those
 * are what they were.  That is never assumed, it is asked in each transaction, of the server:
 *
 *     state = connections made : search path : start of the server : pg_current_snapshot()
 *
 * Why an equal snapshot is an equal catalogue.  Whatever changes a catalogue has a transaction id,
 * and a snapshot lists which ids have ended: `xmax` is one past the last that did, `xip` those
 * below it that have not.  An end moves xmax or takes an id out of xip; ids are 64 bits wide and
 * do not come again.  So between two equal snapshots of one server no transaction ended, whatever
 * it changed: functions, operators, casts, types, views, parts of tables, grants, settings of
 * roles.  No class of statements has to be left out, user-defined functions and views least of all.
 *
 * What could make two equal snapshots differ, and why it does not:
 *   - a hot standby lists no ids below xmax: nothing is relied on in recovery;
 *   - another server, or the same history continued elsewhere: the start of the server differs;
 *   - a crash may lose the last commits (synchronous_commit off) and give their ids again: it cuts
 *     every connection, and a state counts the connections made, so what was kept before is void;
 *     a pooler could hide that, so behind one the look-up is always asked;
 *   - ALTER ROLE ... SET search_path reaches new sessions only: the path itself is in the state;
 *   - objects of a session's own (pg_temp): made under a transaction id, and gone after the lease;
 *   - updates in place (VACUUM, statistics) have no id, and change nothing the look-up reads.
 *
 * The moment.  The anchor is the first statement of the transaction; names are resolved when the
 * caller's statement is parsed, one round trip later, by the catalogue of that moment.  A function
 * or view that is replaced in between is missed, as it is where the look-up runs beside the anchor:
 * nothing a client can send locks a catalogue.  The transaction still only reads, and the role
 * still may not write.
 *
 * Who writes all the time has another state each time.  So the look-up goes along with the anchor
 * unless the state stood still twice and is the one that was kept: then it is left out, and
 * costs a round trip of its own when that was wrong.
 *
 * Where it stood still for a while the statement goes along as well, behind an anchor that fails
 * when the state is another: what stands behind a failure in a group is not run.  So all is one
 * round trip, and no moment lies between.  A failure is a line in the server's log, though, and
 * nobody wants those every second: after each, the while is twice as long.
 */
#include "servers/postgres/unchanged.h"

#include "base/buf.h"
#include "base/time.h"

#define CALM_MS 1000
#define CALM_MOST_MS 3600000 /* after twelve failures: a line an hour */

/* Empty: there is no such column, or nothing in it. */
static struct km_str column(const struct km_pg_result *anchor, const char *name)
{
    for (size_t i = 0; km_pg_rows(anchor) == 1 && i < km_pg_columns(anchor); i++)
        if (strcmp(km_pg_column_name(anchor, i), name) == 0)
            return km_pg_value(anchor, 0, i);
    return KM_STR_NONE;
}

struct km_str km_pg_unchanged_take(struct km_pg_unchanged *u, struct km_arena *arena,
                                   const struct km_pg_result *anchor, uint64_t made)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_PG_STATE);
    struct km_str said = column(anchor, KM_PG_STATE_SERVER);
    struct km_str path = column(anchor, KM_PG_STATE_PATH);

    if (said.n && path.n) {
        km_buf_u64(&b, made);
        km_buf_byte(&b, ' ');
        km_buf_str(&b, path);
        km_buf_byte(&b, ' ');
        km_buf_str(&b, said);
    }
    if (km_buf_failed(&b))
        km_buf_reset(&b);
    u->steady = b.n && km_str_eq(km_buf_view(&b), km_str(u->last, u->n));
    if (!u->steady)
        u->since_ms = km_mono_ms();
    u->n = b.n;
    if (b.n)
        memcpy(u->last, b.p, b.n);
    return km_arena_str(arena, km_buf_view(&b));
}

bool km_pg_unchanged_likely(const struct km_pg_unchanged *u, struct km_str state)
{
    return state.n && u->steady && km_str_eq(state, km_str(u->last, u->n));
}

struct km_str km_pg_unchanged_sure(const struct km_pg_unchanged *u, struct km_str state,
                                   uint64_t made)
{
    uint64_t calm = u->calm_ms ? u->calm_ms : CALM_MS, was;
    size_t at = km_str_chr(state, ' ');

    if (!km_pg_unchanged_likely(u, state) || km_mono_ms() - u->since_ms < calm ||
        km_str_u64(km_str_sub(state, 0, at), &was) < 0 || was != made)
        return KM_STR_NONE;
    return km_str_sub(state, at + 1, state.n);
}

void km_pg_unchanged_missed(struct km_pg_unchanged *u)
{
    uint64_t calm = u->calm_ms ? u->calm_ms : CALM_MS;

    u->calm_ms = calm < CALM_MOST_MS / 2 ? 2 * calm : CALM_MOST_MS;
}

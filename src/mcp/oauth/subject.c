/* SPDX-License-Identifier: Apache-2.0 */
/* subject.c - see subject.h.
 *
 * One object for all who hold the token, so that it lies in memory once and is wiped once: a
 * request is copied from worker to worker, and its token would be left behind in each arena.
 *
 *     new ── ref, hold ──> ... ── the last unref ──> wiped
 */
#include "mcp/oauth/subject.h"

#include <stdlib.h>

struct km_mcp_subject *km_mcp_subject_new(struct km_str token)
{
    struct km_mcp_subject *s;

    if (!token.n || token.n > KM_MCP_SUBJECT_BYTES)
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    km_sha256(token, s->digest);
    if (km_secret_init(&s->token, token) == 0)
        return s;
    free(s);
    return NULL;
}

struct km_mcp_subject *km_mcp_subject_ref(struct km_mcp_subject *s)
{
    if (s)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void km_mcp_subject_unref(struct km_mcp_subject *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    km_secret_done(&s->token);
    free(s);
}

static void drop(void *subject)
{
    km_mcp_subject_unref(subject);
}

int km_mcp_subject_hold(struct km_mcp_subject *s, struct km_arena *arena)
{
    return s ? km_arena_defer(arena, drop, km_mcp_subject_ref(s)) : 0;
}

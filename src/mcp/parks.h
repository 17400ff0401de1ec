/* SPDX-License-Identifier: Apache-2.0 */
/* parks.h - the bounds of parked calls: those whose server asks something while their client is
 * stateless, so that they wait for its retry.
 *
 *     struct km_mcp_parks    a worker's: at most 1,000, each for wait_ms ── struct km_mcp_parked
 *            └── struct km_mcp_park_shares   the gateway's: at most 16 a principal, on all workers
 *
 * Verdicts only: whoever has the clock says what time it is, and ends what is over.
 *
 * Thread: parks belong to their worker's loop; shares are locked inside.
 */
#ifndef KM_MCP_PARKS_H
#define KM_MCP_PARKS_H

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"

#define KM_MCP_PARK_MS ((uint64_t)120 * 1000) /* unless wait_ms is set to something else */
#define KM_MCP_PARKED_PER_PRINCIPAL 16
#define KM_MCP_PARKED_MOST ((size_t)1000) /* of a worker */

struct km_mcp_park_shares;

struct km_mcp_park_shares *km_mcp_park_shares_new(size_t workers); /* NULL when out of memory */
struct km_mcp_park_shares *km_mcp_park_shares_free(struct km_mcp_park_shares *shares);

struct km_mcp_parks {
    struct km_list list;
    size_t n;
    uint64_t wait_ms; /* how long one that is parked now waits */
    struct km_mcp_park_shares *shares;
};

/* In the call; all zero: it is not parked. */
struct km_mcp_parked {
    struct km_list link;
    bool on;
    uint64_t id; /* 0: it never was parked; it keeps the one it had */
    uint64_t ends_ms; /* monotonic */
    struct km_str principal; /* the caller's memory, as long as it is parked */
};

void km_mcp_parks_init(struct km_mcp_parks *parks, struct km_mcp_park_shares *shares);

/* Parks it until now_ms + wait_ms; one that is parked is given that time anew.  KM_E_LIMIT:
 * the principal or the worker has all it may have. */
int km_mcp_parks_put(struct km_mcp_parks *parks, struct km_mcp_parked *p, struct km_str principal,
                     uint64_t now_ms, struct km_err *err) KM_MUST_USE;
/* Gives its place back; harmless when it is not parked. */
void km_mcp_parks_drop(struct km_mcp_parks *parks, struct km_mcp_parked *p);
/* NULL: there is none, or its time is over. */
struct km_mcp_parked *km_mcp_parks_find(const struct km_mcp_parks *parks, uint64_t id,
                                        uint64_t now_ms);
/* 0: its time is over. */
uint64_t km_mcp_parked_left_ms(const struct km_mcp_parked *p, uint64_t now_ms);

#endif

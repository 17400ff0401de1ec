/* SPDX-License-Identifier: Apache-2.0 */
/* repeat.h - may a tool call be sent once more, and may its answer be several callers'?
 *
 *     what the operator says of the tool ── else of the server ── else what a trusted server says
 *
 * A tool may delete a file.  So nothing is repeated that may have begun, unless somebody who is
 * believed says that a second time does no harm; of a server that is not trusted nobody believes
 * what makes its tools safer.  A call of which no byte was sent has begun nowhere.
 *
 * Data in, verdict out.  Thread: any.
 */
#ifndef KM_POLICY_REPEAT_H
#define KM_POLICY_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

/* What is configured for a tool or for all of a server. */
enum km_repeat_said { KM_REPEAT_UNSAID, KM_REPEAT_ALWAYS, KM_REPEAT_NEVER };
extern const char *const km_repeat_words[]; /* "default", "always", "never"; NULL ends */

struct km_repeat_facts {
    int64_t of_tool, of_server; /* enum km_repeat_said */
    bool trusted; /* what the server says of its tools is believed */
    signed char read_only, destructive, idempotent; /* what it says: 1 true, -1 false, 0 nothing */
    bool sent; /* the server may have read a byte of it */
};

/* Once more? */
bool km_repeat_may(const struct km_repeat_facts *facts);
/* May one execution answer several callers (of_tool, of_server: what is said of that)?  Nothing
 * that changes something may, however often it can be repeated. */
bool km_repeat_shares(const struct km_repeat_facts *facts);

#endif

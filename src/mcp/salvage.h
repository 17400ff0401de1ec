/* SPDX-License-Identifier: Apache-2.0 */
/* salvage.h - whose answer was this line that cannot be read?
 *
 *     {"jsonrpc":"2.0","id":7,"result":{"structuredContent":{"mean":NaN}}}     ──> 7
 *     [12:01:07] loading {"id":7,"result":{}}                                  ──> nobody knows
 *
 * Nothing of such a line is used but the number of the call, which ends in place of waiting.
 */
#ifndef KM_MCP_SALVAGE_H
#define KM_MCP_SALVAGE_H

#include "base/str.h"

/* The id of the answer that `line` is, as far as it can be followed; 0: it may be something else.
 * Bounded by the line; no memory is taken. */
uint64_t km_mcp_salvage_id(struct km_str line);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* scan_rules.h - the sentences by which a description gives orders to a model; private to mcp/.
 *
 * The text comes folded (scan.c): lower case ASCII, one blank between words.
 */
#ifndef KM_MCP_SCAN_RULES_H
#define KM_MCP_SCAN_RULES_H

#include "base/str.h"

/* Does any rule match? */
bool km_scan_orders(struct km_str folded);

#endif

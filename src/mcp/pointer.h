/* SPDX-License-Identifier: Apache-2.0 */
/* pointer.h - what a reference of JSON leads to: a pointer (RFC 6901) as a URL's fragment. */
#ifndef KM_MCP_POINTER_H
#define KM_MCP_POINTER_H

#include "http/json.h"

/* "#" is root, "#/a/0" the first of its member a.  NULL: it leads nowhere, or elsewhere (another
 * document, an anchor), or a segment has over 512 bytes. */
const struct km_json *km_json_pointer(const struct km_json *root, struct km_str pointer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* json_fill.h - a member put into a JSON object where nothing there says the same. */
#ifndef KM_HTTP_JSON_FILL_H
#define KM_HTTP_JSON_FILL_H

#include "http/json_span.h"

/* body: one valid JSON object; value: valid JSON.  *ret_body, in the arena: with the member where
 * it was absent; where both are objects, with those members of the value that were absent in it;
 * else body itself.  name is plain ASCII without escapes. */
int km_json_fill(struct km_arena *arena, struct km_str body, struct km_str name,
                 struct km_str value, struct km_str *ret_body, struct km_err *err) KM_MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* json_drop.h - a JSON object without some of its members, the rest byte for byte.
 *
 *     temperature                     a member
 *     stream_options.include_usage    a member of a member
 *     tools[*].function.strict        of each item of an array; [0]: of one
 *
 * LiteLLM's paths: no escapes, and an item itself is never taken out.
 */
#ifndef KM_HTTP_JSON_DROP_H
#define KM_HTTP_JSON_DROP_H

#include "http/json_span.h"

/* body: one valid JSON object.  *ret_body: without what the paths name, in the arena; body itself
 * where nothing of it is there.  KM_E_LIMIT: nested deeper than KM_JSON_DEPTH; KM_E_NOMEM. */
int km_json_drop(struct km_arena *arena, struct km_str body, const struct km_str *paths, size_t n,
                 struct km_str *ret_body, struct km_err *err) KM_MUST_USE;

#endif

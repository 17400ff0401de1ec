/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - arguments against a tool's inputSchema, in the words our own rows use.
 *
 * Keywords: type (one or a list), enum, properties, required, additionalProperties: false, items,
 * minimum, maximum.  Others say nothing to us and are passed over: a row that needs one extends
 * this file.
 */
#ifndef KM_MCP_SCHEMA_H
#define KM_MCP_SCHEMA_H

#include "http/json.h"

/* KM_E_INVALID with a text that names the place: "arguments.limit must be an integer". */
int km_schema_check(const struct km_json *schema, const struct km_json *value,
                    struct km_err *err) KM_MUST_USE;

/* SHA-256 of value as JSON with the members of every object in order of their names: what two
 * spellings of the same arguments have in common.  Numbers count by their text.  NULL is {}. */
int km_json_digest(const struct km_json *value, uint8_t out[32], struct km_err *err) KM_MUST_USE;

#endif

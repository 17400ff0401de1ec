/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - arguments against a tool's inputSchema (JSON Schema 2020-12, and what is the same in
 * earlier drafts): our own rows', and those made of an OpenAPI document.
 *
 * Keywords: type (one or a list), enum, const, properties, required, additionalProperties, items,
 * prefixItems, minimum, maximum; $ref into the same schema, allOf, anyOf, oneOf.
 * Others are passed over: a row that needs one extends this file.  What fits is never refused, but
 * for a member that is there twice; so two schemas of a oneOf count as two that fit only where
 * nothing was passed over in them.
 */
#ifndef KM_MCP_SCHEMA_H
#define KM_MCP_SCHEMA_H

#include "http/json.h"

#define KM_SCHEMA_STEPS 100000 /* schemas, members, values looked at below $ref, anyOf ... */
#define KM_SCHEMA_DEPTH 128 /* of those below each other; what lies deeper fits */

/* KM_E_INVALID with a text that names the place: "arguments.limit must be an integer". */
int km_schema_check(const struct km_json *schema, const struct km_json *value,
                    struct km_err *err) KM_MUST_USE;

/* SHA-256 of value as JSON with the members of every object in order of their names: what two
 * spellings of the same arguments have in common.  Numbers count by their text.  NULL is {}. */
int km_json_digest(const struct km_json *value, uint8_t out[32], struct km_err *err) KM_MUST_USE;

#endif

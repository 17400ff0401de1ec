/* SPDX-License-Identifier: Apache-2.0 */
/* syntax.h - what RFC 9110, 9112 and 3986 allow where; private to http/. */
#ifndef KM_HTTP_SYNTAX_H
#define KM_HTTP_SYNTAX_H

#include "base/str.h"

bool km_is_token(struct km_str s); /* 1*tchar */
bool km_is_field_value(struct km_str s); /* no control byte but HTAB */

/* host[:port] of a Host field or an authority without userinfo.  The host is a name of
 * letters, digits, '-', '.', '_', an IPv4 address or an IPv6 address in brackets.
 * *ret_port is 0 when there is none. */
bool km_host_port(struct km_str s, struct km_str *ret_host, uint16_t *ret_port);

/* A request path as sent, and as servers see it that decode it once, twice or three times: then
 * nothing is left to decode.  Printable ASCII, good escapes only; in each reading no control
 * byte, no backslash, no broken UTF-8, and nothing between two of '/', '\', ';', '?' and '#' that
 * is "." or "..".  On refusal *ret_why says what, in static storage. */
bool km_path_ok(struct km_str path, const char **ret_why);
/* The same of a path with values in it that may hold a backslash: only dots lead elsewhere. */
bool km_path_filled_ok(struct km_str path, const char **ret_why);
/* A query as sent: printable ASCII, good escapes, no %00. */
bool km_query_ok(struct km_str query, const char **ret_why);

#endif

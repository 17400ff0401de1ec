/* SPDX-License-Identifier: Apache-2.0 */
/* encode.h - hex, base64 (standard and URL-safe), UTF-8 validity. */
#ifndef KM_BASE_ENCODE_H
#define KM_BASE_ENCODE_H

#include "base/buf.h"

void km_hex(char *out /* 2n + NUL */, const void *p, size_t n);     /* lower case */
int km_hex_value(char c);                                           /* of a digit, or -1 */
int km_unhex(struct km_str s, void *out, size_t n) KM_MUST_USE;     /* exactly n bytes */
void km_buf_base64(struct km_buf *b, struct km_str s);              /* padded */
void km_buf_base64url(struct km_buf *b, struct km_str s);           /* unpadded */
int km_buf_unbase64(struct km_buf *b, struct km_str s) KM_MUST_USE; /* either alphabet */
bool km_utf8_valid(struct km_str s);
/* Bytes of the valid sequence at the front of s; 0 when it is empty or not valid there. */
size_t km_utf8_step(struct km_str s);
/* The front of s, at most that many bytes and never half a character. */
struct km_str km_utf8_cut(struct km_str s, size_t most);
/* Characters of valid s; and the bytes of its first so many, all of them when it has less. */
size_t km_utf8_chars(struct km_str s);
size_t km_utf8_bytes(struct km_str s, size_t chars);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* veil.h - cuts credentials out of texts that others wrote.
 *
 * An upstream may repeat in an error what it was sent.  What it says leaves through a veil:
 *
 *     by value    the credentials the veil was told of, whole or from the end of a text that was
 *                 cut there, also with the escapes of JSON and URLs, and their base64 in both
 *                 alphabets, padded or not
 *     by form     what looks like one: "Bearer ...", "sk-...", AWS's, GitHub's, Slack's and
 *                 Google's keys, JWTs, private keys, the password of a URL
 *
 * It is for errors and logs; the content of a successful answer never passes it.
 *
 * What a veil was told it keeps while it lives: calls of an older configuration end later.
 * Thread: any.  Limits: KM_VEIL_BYTES of credentials of the configuration, a quarter of that of
 * those that came and went with requests; past that the one that was told longest ago is forgotten.
 */
#ifndef KM_BASE_VEIL_H
#define KM_BASE_VEIL_H

#include "base/buf.h"

#define KM_VEIL_BYTES ((size_t)8 << 20)
#define KM_VEIL_MARK "[redacted]"
/* A value is not taken for a credential where it is so short that words of messages are cut. */
#define KM_VEIL_LEAST 6

struct km_veil;

struct km_veil *km_veil_new(void); /* NULL: no memory */
struct km_veil *km_veil_free(struct km_veil *v);

/* A credential of any length from KM_VEIL_LEAST; shorter ones than 8 bytes only with a digit.
 * Told twice is told once.  One of several lines is each of them, too. */
void km_veil_add(struct km_veil *v, struct km_str secret);
/* The same of one that came while the gateway ran, and will be followed by others. */
void km_veil_add_passing(struct km_veil *v, struct km_str secret);
/* Header lines: the values of those whose name says that they are credentials, also without their
 * scheme.  passing: of a request that was sent, where callers may have had a word. */
void km_veil_add_head(struct km_veil *v, struct km_str lines, bool passing);
/* Is a setting, field or variable of this name a credential by its name? */
bool km_veil_names(struct km_str name);

/* true: something was cut, and out has the text without it; false: out is as it was, the text may
 * leave as it is.  v NULL: by form alone. */
bool km_veil_cut(struct km_veil *v, struct km_str text, struct km_buf *out);
/* By value alone: what is no failure may hold somebody's credentials for good, as the address of a
 * redirect does that is signed.  v NULL: nothing is cut. */
bool km_veil_cut_known(struct km_veil *v, struct km_str text, struct km_buf *out);
/* false: no value begins in it, nor the beginning of one that a text's end cut: cheap to ask. */
bool km_veil_may_hold(const struct km_veil *v, struct km_str text);
/* km_veil_cut() in place, for texts that end in NUL; cut where the marks need more room. */
void km_veil_text(struct km_veil *v, char *text, size_t size);

#endif

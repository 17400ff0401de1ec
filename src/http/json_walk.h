/* SPDX-License-Identifier: Apache-2.0 */
/* json_walk.h - what json_valid.c tells json_span.c; nobody else includes it. */
#ifndef KM_HTTP_JSON_WALK_H
#define KM_HTTP_JSON_WALK_H

#include "http/json_span.h"

/* Members looked for while a text is walked. */
struct km_json_wanted {
    const struct km_str *names; /* decoded */
    size_t n;
    struct km_json_span *spans; /* of the names; all absent at first */
    struct km_json_object object;
};

enum km_json_type km_json_type_of(char first);

/* The member at `span`; key is what stands between its quotes, escaped: it has a backslash.
 * KM_E_INVALID: it is wanted and there was one already. */
int km_json_note(struct km_json_wanted *w, struct km_str key, bool escaped,
                 const struct km_json_span *span, struct km_err *err) KM_MUST_USE;

/* km_json_surely_object(), which notes the members it passes.  After `false` they say nothing:
 * besides what that leaves to the parser, a member that occurs twice is `false` here. */
bool km_json_walk(struct km_str text, struct km_json_wanted *w);

#endif

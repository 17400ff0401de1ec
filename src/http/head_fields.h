/* SPDX-License-Identifier: Apache-2.0 */
/* head_fields.h - what head.c gathers and request.c and response.c judge. */
#ifndef KM_HTTP_HEAD_FIELDS_H
#define KM_HTTP_HEAD_FIELDS_H

#include "http/head.h"

struct km_head_span {
    uint32_t at, n;
};

struct km_head_field {
    struct km_head_span name, value;
};

struct km_head {
    llhttp_t parser;
    const struct km_head_limits *limits;
    const char *base; /* inside a feed only */
    size_t seen; /* bytes fed so far */
    size_t cap; /* fields there is room for */
    size_t n; /* fields found */
    enum km_head_kind kind;
    int failed; /* a limit met in a callback: its KM_E_* code */
    bool in_value; /* the last field has begun its value */
    struct km_head_span method, target, version;
    struct km_head_field field[];
};

/* Fields that decide about framing, counted and found in one walk. */
struct km_head_special {
    struct km_str host, length, coding, expect;
    size_t hosts, lengths, codings, expects;
    bool close, keep_alive; /* tokens of Connection */
};

/* Copies the head into the arena and makes the field views; one allocation. */
int km_head_copy(const struct km_head *h, const char *base, size_t used, struct km_arena *a,
                 const char **ret_copy, struct km_headers *ret_headers,
                 struct km_head_special *ret_special, struct km_err *err) KM_MUST_USE;

static inline struct km_str km_head_view(const char *copy, struct km_head_span s)
{
    return km_str(copy + s.at, s.n);
}

#endif

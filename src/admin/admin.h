/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - what the management routes share: a request with its body read and parsed.
 *
 * An admin request lives in its own arena until it is answered.  The store answers on the same
 * loop, so a handler is a function and, where it writes, a continuation.
 */
#ifndef KM_ADMIN_ADMIN_H
#define KM_ADMIN_ADMIN_H

#include "host/visit.h"
#include "http/json.h"
#include "sys/lane.h"

extern const struct km_module km_admin_module; /* of the gateway: host/module.h */

struct km_admin {
    struct km_arena arena; /* holds this struct too */
    struct km_visit *v;
    struct km_str text; /* the body as it came */
    const struct km_json *body; /* an object; NULL when none was sent, or text was asked for */
    bool plain; /* the handler reads text itself */
    bool reading; /* the body has not come yet */
    int (*run)(struct km_admin *a, struct km_err *err);
    void *state; /* the handler's own, in the arena */
    bool alone, inside; /* it wants a turn; it has it */
    struct km_turn turn;
};

/* Reads the body (at most max_bytes), parses it, calls fn.  A negative return of fn answers
 * with *err; otherwise fn (or what it began) answers by one of the ends below. */
void km_admin_begin(struct km_visit *v, int64_t max_bytes,
                    int (*fn)(struct km_admin *a, struct km_err *err));

/* The same without parsing: fn reads a->text. */
void km_admin_begin_text(struct km_visit *v, int64_t max_bytes,
                         int (*fn)(struct km_admin *a, struct km_err *err));

/* As km_admin_begin, for what reads the keys and then changes them: from fn to the end nobody
 * else does, on any worker.  So two changes of one key add up, an alias is found free once, and
 * memory learns of changes in the order in which they were committed. */
void km_admin_begin_alone(struct km_visit *v, int64_t max_bytes,
                          int (*fn)(struct km_admin *a, struct km_err *err));

/* A route's handler that begins such a request. */
#define KM_ADMIN_HANDLER(name, max_bytes, run)                                                     \
    KM_ADMIN_BEGIN(name, max_bytes, run, km_admin_begin)
#define KM_ADMIN_CHANGE(name, max_bytes, run)                                                      \
    KM_ADMIN_BEGIN(name, max_bytes, run, km_admin_begin_alone)
#define KM_ADMIN_BEGIN(name, max_bytes, run, begin)                                                \
    static void name(void *visit, struct km_exchange *x, const struct km_route_match *match)       \
    {                                                                                              \
        (void)x;                                                                                   \
        (void)match;                                                                               \
        begin(visit, max_bytes, run);                                                              \
    }

/* The ends: each answers and frees the request. */
void km_admin_json(struct km_admin *a, int status, struct km_str json);
void km_admin_error(struct km_admin *a, const struct km_err *err);

/* Query parameter, decoded; false when absent. */
bool km_admin_query(struct km_admin *a, const char *name, struct km_str *ret);
/* The same: empty when absent. */
struct km_str km_admin_asked(struct km_admin *a, const char *name);
/* A number of at least 1, and no more than `most` where more is said; untouched when absent. */
int km_admin_number(struct km_admin *a, const char *name, uint64_t most, uint64_t *ret,
                    struct km_err *err) KM_MUST_USE;
/* A string of the body; empty when absent, or no string. */
struct km_str km_admin_text(struct km_admin *a, const char *name);
/* {"fields": [...]}: the names of what the body says, never the values: enough to ask who did what.
 * The detail of an audit record. */
struct km_str km_admin_said(struct km_admin *a);
/* A moment as the query says it: 1h (ago), 2026-11-24, or RFC 3339.  Untouched when absent. */
int km_admin_when(struct km_admin *a, const char *name, int64_t *ret_us,
                  struct km_err *err) KM_MUST_USE;
/* LiteLLM's `litellm-changed-by`, else the principal: who the audit log names. */
struct km_str km_admin_actor(struct km_admin *a);

/* 32 bytes from "sk-..." (hashed) or 64 hex digits. */
int km_admin_key_hash(struct km_str key, uint8_t hash[32], struct km_err *err) KM_MUST_USE;

#endif

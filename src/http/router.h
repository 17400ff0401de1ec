/* SPDX-License-Identifier: Apache-2.0 */
/* router.h - method and path to a row.
 *
 * Patterns: literal segments, `{name}` for one segment, `{name:path}` as the last for the rest.
 * Literal beats `{name}` beats `{name:path}`.  Paths are matched as sent (no decoding, no
 * merging of slashes); parameters are views into the path, still encoded.
 */
#ifndef KM_HTTP_ROUTER_H
#define KM_HTTP_ROUTER_H

#include "base/str.h"

struct km_exchange;
struct km_route;

#define KM_ROUTE_PARAMS 4

struct km_route_match {
    const struct km_route *route;
    struct km_str params[KM_ROUTE_PARAMS];  /* in the order of the pattern */
    size_t nparams;
};

typedef void km_route_fn(void *ctx, struct km_exchange *x, const struct km_route_match *match);

enum km_auth_level {
    KM_AUTH_PUBLIC,   /* nobody is asked */
    KM_AUTH_WEB,      /* nobody is asked, and pages of any origin may */
    KM_AUTH_KEY,      /* any valid key */
    KM_AUTH_LOGIN,    /* the same; its clients can log in by themselves: a refusal says where */
    KM_AUTH_CALL,     /* as KEY; a refusal is told by the call, which is counted */
    KM_AUTH_PASS,     /* the same; its query is its upstream's alone */
    KM_AUTH_OPEN,     /* nobody is asked; its query is its upstream's alone */
    KM_AUTH_ADMIN,    /* the master key, or the control socket */
    KM_AUTH_METRICS,  /* as KEY unless the file opens it */
};

struct km_route {
    const char *method;       /* "GET", or "*" for any */
    const char *pattern;
    km_route_fn *handler;
    enum km_auth_level auth;
    const void *data;         /* the handler's own */
};

struct km_router;

/* Rows must outlive the router.  Conflicting rows (same method and shape) are KM_E_EXISTS. */
struct km_router *km_router_new(void);
struct km_router *km_router_free(struct km_router *r);
int km_router_add(struct km_router *r, const struct km_route *rows, size_t n,
                  struct km_err *err) KM_MUST_USE;

/* 0; KM_E_NOT_FOUND; KM_E_BAD_METHOD with the allowed ones in *ret_allow ("GET, POST", lives
 * in the router).  HEAD falls back to GET. */
int km_router_find(const struct km_router *r, struct km_str method, struct km_str path,
                   struct km_route_match *ret_match, struct km_str *ret_allow) KM_MUST_USE;

#endif

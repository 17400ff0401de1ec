/* SPDX-License-Identifier: Apache-2.0 */
/* origin.c - see origin.h.
 *
 * A browser is led to a loopback address by a name that somebody else owns (DNS rebinding), and a
 * page of anybody's can make it send requests: so the name it used is looked at, and the page.
 */
#include "door/origin.h"

struct km_str km_forwarded_by(const struct km_headers *h)
{
    static const struct km_str names[] = {
        { "forwarded", 9 },      { "via", 3 },          { "x-real-ip", 9 },
        { "x-client-ip", 11 },   { "true-client-ip", 14 }, { "cf-connecting-ip", 16 },
        { "x-cluster-client-ip", 19 }, { "x-original-forwarded-for", 24 },
    };

    for (size_t i = 0; i < h->n; i++)
        if (km_str_iamong(h->v[i].name, names, sizeof names / sizeof names[0]) ||
            km_str_istarts(h->v[i].name, KM_STR("x-forwarded")))
            return h->v[i].name;
    return KM_STR_NONE;
}

bool km_visit_is_local(const struct km_visit *v)
{
    return v->local || (km_addr_loopback(km_exchange_peer(v->x)) &&
                        !km_forwarded_by(&km_exchange_request(v->x)->headers).n);
}

static bool listed(const struct km_str_list *list, struct km_str s)
{
    for (size_t i = 0; i < list->n; i++)
        if (km_str_ieq(list->v[i], s) || km_str_eq(list->v[i], KM_STR("*")))
            return true;
    return false;
}

/* "localhost:4000" -> "localhost", "[::1]:4000" -> "[::1]" */
static struct km_str without_port(struct km_str host)
{
    size_t colon = km_str_rchr(host, ':');

    return colon < host.n && km_str_chr(km_str_skip(host, colon), ']') == host.n - colon
               ? km_str_sub(host, 0, colon)
               : host;
}

/* "127.evil.example" is a name like any other: only what is an address counts as one. */
static bool loopback_name(struct km_str host)
{
    union km_addr addr;

    if (host.n > 2 && host.p[0] == '[')
        host = km_str_sub(host, 1, host.n - 2);
    return host.n == 0 || km_str_ieq(host, KM_STR("localhost")) ||
           (km_addr_parse(host, 0, &addr) == 0 && km_addr_loopback(&addr));
}

int km_check_host(const struct km_visit *v, struct km_err *err)
{
    const struct km_snapshot *snap = v->view->snap;
    struct km_str host = without_port(km_exchange_request(v->x)->host);

    if (v->local)
        return 0;
    if (snap->gateway->allowed_hosts.n
            ? !listed(&snap->gateway->allowed_hosts, host)
            : !snap->has_master && snap->gateway->auth == KM_AUTH_MODE_KEYS && !loopback_name(host))
        return km_fail(err, KM_E_FORBIDDEN,
                       "Host '%.*s' is not served here; kanmon_settings.allowed_hosts names those "
                       "that are.",
                       KM_STR_ARG(km_str_sub(host, 0, 100)));
    return 0;
}

bool km_origin_listed(const struct km_visit *v)
{
    struct km_str origin = km_header_get(&km_exchange_request(v->x)->headers, KM_STR("origin"));

    return origin.n && listed(&v->view->snap->gateway->allowed_origins, origin);
}

int km_check_origin(const struct km_visit *v, struct km_err *err)
{
    const struct km_request *req = km_exchange_request(v->x);
    struct km_str origin = km_header_get(&req->headers, KM_STR("origin"));
    size_t at = km_str_find(origin, KM_STR("://"));

    if (v->local || !origin.n || km_origin_listed(v))
        return 0;
    if (at < origin.n && km_str_ieq(km_str_skip(origin, at + 3), req->host))
        return 0;
    return km_fail(err, KM_E_FORBIDDEN,
                   "Pages of origin '%.*s' may not call this gateway; "
                   "kanmon_settings.allowed_origins names those that may.",
                   KM_STR_ARG(km_str_sub(origin, 0, 100)));
}

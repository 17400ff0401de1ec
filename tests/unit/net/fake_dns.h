/* SPDX-License-Identifier: Apache-2.0 */
/* fake_dns.h - a resolver with the answers of a table, in place of sys/dns.c, so that a test
 * decides what a name means. */
#ifndef KM_TESTS_NET_FAKE_DNS_H
#define KM_TESTS_NET_FAKE_DNS_H

#include "fixture.h"

struct fake_name {
    const char *name;
    union km_addr addrs[6]; /* with their ports: each may lead to another listener */
    size_t n; /* 0: there is no such name */
};

struct km_dns {
    struct km_loop *loop;
    struct fake_name names[4];
    int queries;
    int code; /* of a failure; 0: UPSTREAM_CONNECT */
    bool silent; /* never answers */
};

struct km_dns_query {
    struct km_dns *dns;
    struct km_deferred answer;
    const struct fake_name *name;
    km_dns_fn *fn;
    void *ctx;
};

static void fake_answer(void *ctx)
{
    struct km_dns_query q = *(struct km_dns_query *)ctx;
    struct km_err err;

    free(ctx);
    if (q.name && q.name->n) {
        q.fn(q.ctx, q.name->addrs, q.name->n, NULL);
        return;
    }
    km_fail(&err, q.dns->code ? q.dns->code : KM_E_UPSTREAM_CONNECT, "no such name");
    q.fn(q.ctx, NULL, 0, &err);
}

struct km_dns_query *km_dns_resolve(struct km_dns *dns, struct km_str host, uint16_t port,
                                    uint64_t timeout_ms, km_dns_fn *fn, void *ctx)
{
    struct km_dns_query *q = calloc(1, sizeof *q);

    (void)port;
    (void)timeout_ms;
    assert_non_null(dns);
    dns->queries++;
    q->dns = dns;
    q->fn = fn;
    q->ctx = ctx;
    for (size_t i = 0; i < 4; i++)
        if (dns->names[i].name && km_str_eq(host, km_str_c(dns->names[i].name)))
            q->name = &dns->names[i];
    km_deferred_init(&q->answer, dns->loop, fake_answer, q);
    if (!dns->silent)
        km_deferred_queue(&q->answer);
    return q;
}

void km_dns_cancel(struct km_dns_query *q)
{
    km_deferred_cancel(&q->answer);
    free(q);
}

struct km_dns *km_dns_new(struct km_loop *loop, struct km_err *err)
{
    struct km_dns *dns = calloc(1, sizeof *dns);

    (void)err;
    dns->loop = loop;
    return dns;
}

struct km_dns *km_dns_free(struct km_dns *dns)
{
    free(dns);
    return NULL;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* dns.c - see dns.h for the contract.
 *
 *     query --+
 *     query --+--> entry "api.openai.com"  --> c-ares --> sockets, polled by the loop
 *     query --+    addresses, until when
 *
 * A name is an entry from its first query on.  Queries wait in the entry's list; an answer
 * (also one the entry has already) queues the entry's deferred, which hands it to all that
 * wait: so nobody is called from inside km_dns_resolve(), though c-ares answers names of
 * /etc/hosts at once.  An entry without waiters is cache, and the least recently used one
 * makes room for a new name.
 *
 * Waiting ends with the query's own deadline, but the question to the servers goes on: its
 * answer is what the next caller will need.
 *
 * How c-ares lives on the loop is ares.c.
 */
#include "sys/dns.h"

#include <stdlib.h>

#include "base/map.h"
#include "sys/ares.h"

#define NAMES_MAX 1024
#define NAME_MAX_LEN 253
#define ADDRS_MAX 32
#define TTL_MIN_S 1
#define TTL_MAX_S 3600
#define FAILED_MS 1000

struct entry {
    struct km_list lru;
    struct km_dns *dns;
    struct km_list waiters;
    struct km_deferred deliver;
    bool asking;         /* c-ares has it */
    int status;          /* ARES_SUCCESS, or why there are no addresses */
    uint64_t expires_ms; /* 0: nothing known yet */
    size_t n;
    union km_addr *addrs;
    struct km_str name; /* lower case, NUL-terminated, in text */
    char text[NAME_MAX_LEN + 1];
};

struct km_dns {
    struct km_loop *loop;
    struct km_ares *ares;
    struct km_map *entries;
    struct km_list lru;   /* least recently used first */
    struct km_list early; /* queries answered without an entry */
};

struct km_dns_query {
    struct km_list link; /* in its entry's waiters, or in dns->early */
    struct km_dns *dns;
    struct km_timer deadline;
    struct km_deferred later; /* early ones only */
    km_dns_fn *fn;
    void *ctx;
    uint16_t port;
    uint64_t timeout_ms;
    struct km_err err; /* early ones: code 0 means `literal` is the answer */
    union km_addr literal;
    struct km_str name; /* of the entry; alive while the query waits in it */
};

/* Ends a query that has been unlinked. */
static void finish(struct km_dns_query *q, const union km_addr *addrs, size_t n,
                   const struct km_err *err)
{
    km_timer_stop(&q->deadline);
    km_deferred_cancel(&q->later);
    q->fn(q->ctx, addrs, n, err);
    free(q);
}

static void set_port(union km_addr *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET6)
        a->in6.sin6_port = htons(port);
    else
        a->in.sin_port = htons(port);
}

static void describe(const struct entry *e, struct km_err *err)
{
    if (e->status == ARES_ETIMEOUT)
        km_fail(err, KM_E_UPSTREAM_TIMEOUT, "cannot resolve '%s': no name server answered",
                e->text);
    else if (e->status == ARES_ENOTFOUND)
        km_fail(err, KM_E_UPSTREAM_CONNECT, "cannot resolve '%s': there is no such name", e->text);
    else if (e->status == ARES_ENODATA)
        km_fail(err, KM_E_UPSTREAM_CONNECT, "cannot resolve '%s': the name has no address",
                e->text);
    else
        km_fail(err, KM_E_UPSTREAM_CONNECT, "cannot resolve '%s': %s", e->text,
                ares_strerror(e->status));
}

/* Callbacks may ask for this name again, cancel each other or evict the entry: everything
 * is copied before the first is called. */
static void on_deliver(void *ctx)
{
    struct entry *e = ctx;
    union km_addr addrs[ADDRS_MAX];
    struct km_list batch, *node;
    struct km_err err = { .code = 0 };
    const size_t n = e->status == ARES_SUCCESS ? e->n : 0;

    if (km_list_empty(&e->waiters))
        return;
    if (e->status == ARES_SUCCESS)
        memcpy(addrs, e->addrs, n * sizeof addrs[0]);
    else
        describe(e, &err);
    batch = e->waiters;
    batch.next->prev = batch.prev->next = &batch;
    km_list_init(&e->waiters);
    while ((node = km_list_pop(&batch))) {
        struct km_dns_query *q = KM_CONTAINER(node, struct km_dns_query, link);

        for (size_t i = 0; i < n; i++)
            set_port(&addrs[i], q->port);
        if (err.code)
            finish(q, NULL, 0, &err);
        else
            finish(q, addrs, n, NULL);
    }
}

static void free_entry(struct entry *e)
{
    km_list_remove(&e->lru);
    km_deferred_cancel(&e->deliver);
    free(e->addrs);
    free(e);
}

static int ttl_of(const struct ares_addrinfo *info)
{
    int ttl = TTL_MAX_S;

    for (const struct ares_addrinfo_node *a = info->nodes; a; a = a->ai_next)
        if (a->ai_ttl < ttl)
            ttl = a->ai_ttl;
    for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
        if (c->ttl < ttl)
            ttl = c->ttl;
    return ttl < TTL_MIN_S ? TTL_MIN_S : ttl;
}

static bool usable(const struct ares_addrinfo_node *a)
{
    return (a->ai_family == AF_INET && a->ai_addrlen == sizeof(struct sockaddr_in)) ||
           (a->ai_family == AF_INET6 && a->ai_addrlen == sizeof(struct sockaddr_in6));
}

static int keep_addrs(struct entry *e, const struct ares_addrinfo *info)
{
    size_t n = 0;

    for (const struct ares_addrinfo_node *a = info->nodes; a && n < ADDRS_MAX; a = a->ai_next)
        n += usable(a);
    if (n == 0)
        return ARES_ENODATA;
    free(e->addrs);
    e->n = 0;
    e->addrs = calloc(n, sizeof e->addrs[0]);
    if (!e->addrs)
        return ARES_ENOMEM;
    for (const struct ares_addrinfo_node *a = info->nodes; a && e->n < n; a = a->ai_next)
        if (usable(a))
            memcpy(&e->addrs[e->n++], a->ai_addr, a->ai_addrlen);
    return ARES_SUCCESS;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct entry *e = arg;
    uint64_t for_ms = FAILED_MS;

    (void)timeouts;
    e->asking = false;
    e->status = status;
    if (status == ARES_SUCCESS)
        e->status = keep_addrs(e, info);
    if (e->status == ARES_SUCCESS)
        for_ms = (uint64_t)ttl_of(info) * 1000;
    else
        e->n = 0;
    e->expires_ms = km_loop_now_ms(e->dns->loop) + for_ms;
    if (info)
        ares_freeaddrinfo(info);
    /* While the channel is being destroyed the entry's waiters are gone already. */
    if (status != ARES_EDESTRUCTION)
        km_deferred_queue(&e->deliver);
}

struct km_dns *km_dns_new(struct km_loop *loop, struct km_err *err)
{
    struct km_dns *dns = calloc(1, sizeof *dns);

    if (dns)
        dns->entries = km_map_new_borrowed(NAMES_MAX);
    if (!dns || !dns->entries) {
        free(dns);
        km_fail(err, KM_E_NOMEM, "no memory for the resolver");
        return NULL;
    }
    dns->loop = loop;
    km_list_init(&dns->lru);
    km_list_init(&dns->early);
    dns->ares = km_ares_new(loop, NULL, err);
    if (!dns->ares) {
        km_map_free(dns->entries, NULL);
        free(dns);
        return NULL;
    }
    return dns;
}

int km_dns_servers(struct km_dns *dns, const char *servers, struct km_err *err)
{
    return km_ares_servers(dns->ares, servers, err);
}

static void cancel_all(struct km_list *queries)
{
    struct km_err err;
    struct km_list *node;

    km_fail(&err, KM_E_CANCELED, "the resolver is closing");
    while ((node = km_list_pop(queries)))
        finish(KM_CONTAINER(node, struct km_dns_query, link), NULL, 0, &err);
}

struct km_dns *km_dns_free(struct km_dns *dns)
{
    if (!dns)
        return NULL;
    cancel_all(&dns->early);
    KM_LIST_EACH(it, &dns->lru)
    cancel_all(&KM_CONTAINER(it, struct entry, lru)->waiters);
    km_ares_free(dns->ares);
    KM_LIST_EACH(it, &dns->lru)
    free_entry(KM_CONTAINER(it, struct entry, lru));
    km_map_free(dns->entries, NULL);
    free(dns);
    return NULL;
}

/* Makes room by forgetting the name not asked for the longest; false: all are in use. */
static bool evict(struct km_dns *dns)
{
    KM_LIST_EACH(it, &dns->lru)
    {
        struct entry *e = KM_CONTAINER(it, struct entry, lru);

        if (e->asking || !km_list_empty(&e->waiters))
            continue;
        km_map_del(dns->entries, e->name);
        free_entry(e);
        return true;
    }
    return false;
}

/* name is lower case already. */
static struct entry *entry_of(struct km_dns *dns, struct km_str name)
{
    struct entry *e = km_map_get(dns->entries, name);

    if (e) {
        km_list_remove(&e->lru);
        km_list_push(&dns->lru, &e->lru);
        return e;
    }
    if (km_map_count(dns->entries) >= NAMES_MAX && !evict(dns))
        return NULL;
    e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->dns = dns;
    memcpy(e->text, name.p, name.n);
    e->name = km_str(e->text, name.n);
    km_list_init(&e->waiters);
    km_list_init(&e->lru);
    km_deferred_init(&e->deliver, dns->loop, on_deliver, e);
    if (km_map_set(dns->entries, e->name, e, NULL) < 0) {
        free_entry(e);
        return NULL;
    }
    km_list_push(&dns->lru, &e->lru);
    return e;
}

static void ask(struct entry *e)
{
    e->asking = true;
    km_ares_ask(e->dns->ares, e->text, on_answer, e);
}

static void on_deadline(void *ctx)
{
    struct km_dns_query *q = ctx;

    km_list_remove(&q->link);
    km_fail(&q->err, KM_E_UPSTREAM_TIMEOUT, "cannot resolve '%.*s': no answer in %llu ms",
            KM_STR_ARG(q->name), (unsigned long long)q->timeout_ms);
    finish(q, NULL, 0, &q->err);
}

static void on_later(void *ctx)
{
    struct km_dns_query *q = ctx;

    km_list_remove(&q->link);
    if (q->err.code)
        finish(q, NULL, 0, &q->err);
    else
        finish(q, &q->literal, 1, NULL);
}

static struct km_dns_query *answer_early(struct km_dns_query *q)
{
    km_list_push(&q->dns->early, &q->link);
    km_deferred_queue(&q->later);
    return q;
}

static bool is_name(struct km_str host)
{
    if (host.n == 0 || host.n > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] <= ' ' || host.p[i] > '~')
            return false;
    return true;
}

static struct km_str lower(struct km_str s, char *out)
{
    for (size_t i = 0; i < s.n; i++)
        out[i] = (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]);
    return km_str(out, s.n);
}

static struct km_dns_query *make_query(struct km_dns *dns, uint16_t port, uint64_t timeout_ms,
                                       km_dns_fn *fn, void *ctx)
{
    struct km_dns_query *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    q->dns = dns;
    q->port = port;
    q->timeout_ms = timeout_ms;
    q->fn = fn;
    q->ctx = ctx;
    km_list_init(&q->link);
    km_timer_init(&q->deadline, dns->loop, on_deadline, q);
    km_deferred_init(&q->later, dns->loop, on_later, q);
    return q;
}

struct km_dns_query *km_dns_resolve(struct km_dns *dns, struct km_str host, uint16_t port,
                                    uint64_t timeout_ms, km_dns_fn *fn, void *ctx)
{
    struct km_dns_query *q = make_query(dns, port, timeout_ms, fn, ctx);
    char name[NAME_MAX_LEN];
    struct entry *e;

    if (!q)
        return NULL;
    if (km_addr_parse(host, port, &q->literal) == 0)
        return answer_early(q);
    if (!is_name(host)) {
        km_fail(&q->err, KM_E_INVALID, "'%.*s' is not a host name", KM_STR_ARG(host));
        return answer_early(q);
    }
    e = entry_of(dns, lower(host, name));
    if (!e) {
        km_fail(&q->err, KM_E_OVERLOADED, "cannot resolve '%.*s': no room for another name now",
                KM_STR_ARG(host));
        return answer_early(q);
    }
    q->name = e->name;
    km_list_push(&e->waiters, &q->link);
    km_timer_start(&q->deadline, timeout_ms);
    if (e->asking)
        return q;
    if (e->expires_ms > km_loop_now_ms(dns->loop))
        km_deferred_queue(&e->deliver);
    else
        ask(e);
    return q;
}

void km_dns_cancel(struct km_dns_query *q)
{
    km_list_remove(&q->link);
    km_timer_stop(&q->deadline);
    km_deferred_cancel(&q->later);
    free(q);
}

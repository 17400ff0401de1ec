/* SPDX-License-Identifier: Apache-2.0 */
/* pg_hosts.c - see pg_hosts.h.
 *
 *     host=db,10.0.0.9,/run/pg port=5432 ──> "db" asked of km_dns, the others are as they are
 *                                                     │ 10.0.0.1, 10.0.0.2
 *     host     db,db,10.0.0.9,/run/pg        <────────┘
 *     hostaddr 10.0.0.1,10.0.0.2,10.0.0.9,
 *     port     5432,5432,5432,5432
 *
 * Where a host stands (the dsn, a service file, PGHOST, a default) is libpq's to know.  It is asked
 * with an sslmode that is none: it reads all its sources, finds that, and connects to nothing.
 *
 * All names are asked at once.  One that cannot be resolved is left out where another can, as libpq
 * does; what is told of it leaves the name out, for where a database is is nobody's business.
 */
#include "store/pg_hosts.h"

#include <stdlib.h>

#include "base/buf.h"

#define HOSTS_MOST 32 /* of a dsn */
#define ADDRS_MOST 8 /* of a name */
#define LIST_BYTES ((size_t)128 * 1024)

struct host {
    struct km_pg_hosts *all;
    struct km_str name, port; /* in the lists; "": the default */
    bool named; /* has no address of its own */
    struct km_dns_query *query;
    unsigned naddrs;
    union km_addr addrs[ADDRS_MOST];
};

struct km_pg_hosts {
    char *names, *ports; /* as libpq has them */
    struct host hosts[HOSTS_MOST];
    unsigned nhosts, asked; /* asked: not yet answered */
    bool listed; /* the lists have a host */
    struct km_err err; /* of the last name that has no address */
    struct km_buf host, hostaddr, port;
    km_pg_hosts_fn *fn;
    void *ctx;
};

/* --- what libpq would do --- */

static char *copy_word(const PQconninfoOption *words, const char *name)
{
    for (; words && words->keyword; words++)
        if (strcmp(words->keyword, name) == 0)
            return strdup(words->val ? words->val : "");
    return NULL;
}

static PQconninfoOption *effective_words(const struct km_pg_lib *lib, const char *dsn)
{
    static const char *const names[] = { "dbname", "sslmode", NULL };
    const char *const values[] = { dsn, "none, so that it stops here", NULL };
    PGconn *pq = lib->PQconnectStartParams(names, values, 1);
    PQconninfoOption *words = pq ? lib->PQconninfo(pq) : NULL;

    lib->PQfinish(pq);
    return words;
}

char *km_pg_effective_word(const struct km_pg_lib *lib, const char *dsn, const char *name)
{
    PQconninfoOption *words = effective_words(lib, dsn);
    char *word = copy_word(words, name);

    lib->PQconninfoFree(words);
    return word;
}

/* false: nothing to resolve. */
static bool read_words(struct km_pg_hosts *h, const struct km_pg_lib *lib, const char *dsn)
{
    PQconninfoOption *words = effective_words(lib, dsn);
    char *hostaddr = copy_word(words, "hostaddr");
    bool given = hostaddr && *hostaddr;

    h->names = copy_word(words, "host");
    h->ports = copy_word(words, "port");
    free(hostaddr);
    lib->PQconninfoFree(words);
    return h->names && h->ports && *h->names && !given;
}

/* Of a list that ends with the string; "a," has two parts. */
static unsigned split(const char *list, struct km_str *parts)
{
    unsigned n = 0;

    for (const char *at = list; n < HOSTS_MOST; at++) {
        size_t len = strcspn(at, ",");

        parts[n++] = km_str(at, len);
        at += len;
        if (!*at)
            return n;
    }
    return HOSTS_MOST + 1;
}

/* A path, an abstract socket, or nothing, which is the socket of libpq's own place. */
static bool is_socket(struct km_str name)
{
    return name.n == 0 || name.p[0] == '/' || name.p[0] == '@';
}

/* A scope (fe80::1%eth0) only an address has. */
static bool is_address(struct km_str name)
{
    union km_addr addr;

    return km_addr_parse(name, 0, &addr) == 0 || km_str_chr(name, '%') < name.n;
}

/* How many names have to be resolved; what libpq will refuse (another number of ports than of
 * hosts) has none. */
static unsigned take_hosts(struct km_pg_hosts *h)
{
    struct km_str names[HOSTS_MOST], ports[HOSTS_MOST];
    unsigned n = split(h->names, names), nports = split(h->ports, ports), named = 0;

    if (n > HOSTS_MOST || (nports != 1 && nports != n))
        return 0;
    h->nhosts = n;
    for (unsigned i = 0; i < n; i++) {
        bool is_name = !is_socket(names[i]) && !is_address(names[i]);

        h->hosts[i] = (struct host){
            .all = h, .name = names[i], .port = ports[nports == 1 ? 0 : i], .named = is_name
        };
        named += is_name;
    }
    return named;
}

/* --- the lists --- */

static void put_host(struct km_pg_hosts *h, const struct host *from, struct km_str address)
{
    struct km_buf *const lists[] = { &h->host, &h->hostaddr, &h->port };
    const struct km_str parts[] = { from->name, address, from->port };

    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (h->listed)
            km_buf_byte(lists[i], ',');
        km_buf_str(lists[i], parts[i]);
    }
    h->listed = true;
}

static void put_hosts(struct km_pg_hosts *h)
{
    char text[KM_ADDR_TEXT];

    for (unsigned i = 0; i < h->nhosts; i++) {
        const struct host *from = &h->hosts[i];

        if (!from->named)
            put_host(h, from, is_socket(from->name) ? KM_STR_NONE : from->name);
        for (unsigned k = 0; k < from->naddrs; k++) {
            km_addr_host_text(&from->addrs[k], text);
            put_host(h, from, km_str_c(text));
        }
    }
}

const char *km_pg_hosts_host(struct km_pg_hosts *hosts)
{
    return km_buf_cstr(&hosts->host);
}

const char *km_pg_hosts_hostaddr(struct km_pg_hosts *hosts)
{
    return km_buf_cstr(&hosts->hostaddr);
}

const char *km_pg_hosts_port(struct km_pg_hosts *hosts)
{
    return km_buf_cstr(&hosts->port);
}

/* --- the names --- */

/* "cannot resolve 'db': there is no such name": what stands behind the name. */
static void keep_reason(struct km_pg_hosts *h, const struct km_err *err)
{
    struct km_str text = km_str_c(err->text), mark = KM_STR("': "), why = KM_STR("it is no name");
    size_t at = km_str_find(text, mark);

    if (at < text.n)
        why = km_str_skip(text, at + mark.n);
    km_fail(&h->err, err->code, "the name of PostgreSQL's host cannot be resolved: %.*s",
            KM_STR_ARG(why));
}

static void on_answer(void *ctx, const union km_addr *addrs, size_t n, const struct km_err *err)
{
    struct host *host = ctx;
    struct km_pg_hosts *h = host->all;

    host->query = NULL;
    if (err)
        keep_reason(h, err);
    for (size_t i = 0; i < n && i < ADDRS_MOST; i++)
        host->addrs[host->naddrs++] = addrs[i];
    if (--h->asked > 0)
        return;
    put_hosts(h);
    h->fn(h->ctx, h->listed ? NULL : &h->err);
}

static int ask(struct km_pg_hosts *h, struct km_dns *dns, uint64_t timeout_ms, struct km_err *err)
{
    /* A name nobody answers for leaves the other hosts as much. */
    if (h->nhosts > 1)
        timeout_ms /= 2;
    for (unsigned i = 0; i < h->nhosts; i++) {
        struct host *host = &h->hosts[i];

        if (!host->named)
            continue;
        host->query = km_dns_resolve(dns, host->name, 0, timeout_ms, on_answer, host);
        if (!host->query)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        h->asked++;
    }
    return 0;
}

int km_pg_hosts_new(const struct km_pg_lib *lib, struct km_dns *dns, const char *dsn,
                    uint64_t timeout_ms, km_pg_hosts_fn *fn, void *ctx,
                    struct km_pg_hosts **ret_hosts, struct km_err *err)
{
    struct km_pg_hosts *h = calloc(1, sizeof *h);
    int r = 0;

    if (!h)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    h->fn = fn;
    h->ctx = ctx;
    km_buf_init(&h->host, LIST_BYTES);
    km_buf_init(&h->hostaddr, LIST_BYTES);
    km_buf_init(&h->port, LIST_BYTES);
    if (!read_words(h, lib, dsn) || take_hosts(h) == 0)
        h = km_pg_hosts_free(h);
    else
        r = ask(h, dns, timeout_ms, err);
    if (r < 0)
        km_pg_hosts_free(h);
    else
        *ret_hosts = h;
    return r;
}

struct km_pg_hosts *km_pg_hosts_free(struct km_pg_hosts *hosts)
{
    if (!hosts)
        return NULL;
    for (unsigned i = 0; i < hosts->nhosts; i++)
        if (hosts->hosts[i].query)
            km_dns_cancel(hosts->hosts[i].query);
    km_buf_done(&hosts->host);
    km_buf_done(&hosts->hostaddr);
    km_buf_done(&hosts->port);
    free(hosts->names);
    free(hosts->ports);
    free(hosts);
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.c - see hosts.h.
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
 * An address that stays silent is left out of the lists, and the others are as they were.  One that
 * did so a while ago is their last.
 *
 * All names are asked at once.  One that cannot be resolved is left out where another can, as libpq
 * does; what is told of it leaves the name out, for where a database is is nobody's business.
 */
#include "pg/hosts.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define HOSTS_MOST 32 /* of a dsn */
#define ADDRS_MOST 8 /* of a name */
#define LIST_BYTES ((size_t)128 * 1024)

struct host {
    struct km_pg_hosts *all;
    struct km_str name, addr, port; /* in the lists; "": the default */
    bool named; /* has no address of its own */
    struct km_dns_query *query;
    unsigned naddrs;
    union km_addr addrs[ADDRS_MOST];
};

/* What is tried: a host's address, or a socket, which has none. */
struct place {
    const struct host *host;
    char addr[KM_ADDR_TEXT];
};

struct km_pg_hosts {
    char *names, *addrs, *ports; /* as libpq has them */
    struct host hosts[HOSTS_MOST];
    unsigned nhosts, asked; /* asked: not yet answered */
    struct place places[HOSTS_MOST * ADDRS_MOST];
    size_t nplaces;
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

/* false: there is no list, or no memory. */
static bool read_words(struct km_pg_hosts *h, const struct km_pg_lib *lib, const char *dsn)
{
    PQconninfoOption *words = effective_words(lib, dsn);

    h->names = copy_word(words, "host");
    h->addrs = copy_word(words, "hostaddr");
    h->ports = copy_word(words, "port");
    lib->PQconninfoFree(words);
    return h->names && h->addrs && h->ports && (*h->names || *h->addrs);
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

/* How many names have to be resolved.  What libpq will refuse (another number of ports or addresses
 * than of hosts) has no hosts. */
static unsigned take_hosts(struct km_pg_hosts *h)
{
    struct km_str names[HOSTS_MOST], addrs[HOSTS_MOST], ports[HOSTS_MOST];
    unsigned nnames = split(h->names, names), naddrs = split(h->addrs, addrs);
    unsigned nports = split(h->ports, ports), named = 0;
    unsigned n = *h->names ? nnames : naddrs;

    if (n > HOSTS_MOST || (nports != 1 && nports != n) || (*h->addrs && naddrs != n))
        return 0;
    h->nhosts = n;
    for (unsigned i = 0; i < n; i++) {
        struct km_str name = *h->names ? names[i] : KM_STR_NONE;
        struct km_str addr = *h->addrs ? addrs[i] : KM_STR_NONE;
        bool is_name = !addr.n && !is_socket(name) && !is_address(name);

        if (!addr.n && !is_name && !is_socket(name))
            addr = name;
        h->hosts[i] = (struct host){ .all = h,
                                     .name = name,
                                     .addr = addr,
                                     .port = ports[nports == 1 ? 0 : i],
                                     .named = is_name };
        named += is_name;
    }
    return named;
}

/* --- the lists --- */

static void put_place(struct km_pg_hosts *h, const struct host *from, struct km_str addr)
{
    struct place *place = &h->places[h->nplaces++];

    place->host = from;
    snprintf(place->addr, sizeof place->addr, "%.*s", KM_STR_ARG(addr));
}

static void put_places(struct km_pg_hosts *h)
{
    char text[KM_ADDR_TEXT];

    for (unsigned i = 0; i < h->nhosts; i++) {
        const struct host *from = &h->hosts[i];

        if (!from->named)
            put_place(h, from, from->addr);
        for (unsigned k = 0; k < from->naddrs; k++) {
            km_addr_host_text(&from->addrs[k], text);
            put_place(h, from, km_str_c(text));
        }
    }
}

/* libpq takes an empty word for one that is not there, and the dsn's whole list in its place.  So
 * where one that has it empty is the only one left, it is said twice: a comma is not empty. */
static size_t said(const struct km_pg_hosts *h)
{
    const struct host *host = h->nplaces ? h->places[0].host : NULL;
    bool falls_back = host && ((!host->name.n && *h->names) || (!host->port.n && *h->ports) ||
                               (!*h->places[0].addr && *h->addrs));

    return h->nplaces == 1 && falls_back ? 2 : h->nplaces;
}

static void put_lists(struct km_pg_hosts *h)
{
    struct km_buf *const lists[] = { &h->host, &h->hostaddr, &h->port };

    for (unsigned k = 0; k < sizeof lists / sizeof lists[0]; k++) {
        km_buf_reset(lists[k]);
        for (size_t i = 0; i < said(h); i++) {
            const struct place *place = &h->places[h->nplaces == 1 ? 0 : i];
            const struct km_str parts[] = { place->host->name, km_str_c(place->addr),
                                            place->host->port };

            if (i)
                km_buf_byte(lists[k], ',');
            km_buf_str(lists[k], parts[k]);
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

/* --- which is it at --- */

static bool same_addr(const char *a, const char *b)
{
    union km_addr x, y;
    char s[KM_ADDR_TEXT], t[KM_ADDR_TEXT];

    if (km_addr_parse(km_str_c(a), 0, &x) < 0 || km_addr_parse(km_str_c(b), 0, &y) < 0)
        return strcmp(a, b) == 0;
    km_addr_host_text(&x, s);
    km_addr_host_text(&y, t);
    return strcmp(s, t) == 0;
}

size_t km_pg_hosts_left(const struct km_pg_hosts *hosts)
{
    return hosts->nplaces;
}

/* libpq puts its own where a word is empty. */
size_t km_pg_hosts_at(const struct km_pg_hosts *hosts, const char *host, const char *hostaddr,
                      const char *port)
{
    for (size_t i = 0; i < hosts->nplaces; i++) {
        const struct place *place = &hosts->places[i];
        struct km_str name = place->host->name, number = place->host->port;

        if ((!name.n || km_str_eq(name, km_str_c(host))) && same_addr(place->addr, hostaddr) &&
            (!number.n || km_str_eq(number, km_str_c(port))))
            return i;
    }
    return 0;
}

void km_pg_hosts_drop(struct km_pg_hosts *hosts, size_t at)
{
    km_assert(at < hosts->nplaces && hosts->nplaces > 1);
    hosts->nplaces--;
    memmove(&hosts->places[at], &hosts->places[at + 1],
            (hosts->nplaces - at) * sizeof hosts->places[0]);
    put_lists(hosts);
}

struct km_str km_pg_hosts_where(const struct km_pg_hosts *hosts, size_t at,
                                char ret_text[KM_PG_WHERE])
{
    const struct place *place = &hosts->places[at];
    int n;

    km_assert(at < hosts->nplaces);
    n = snprintf(ret_text, KM_PG_WHERE, "%s %.*s %.*s", place->addr, KM_STR_ARG(place->host->port),
                 KM_STR_ARG(place->host->name));
    return km_str(ret_text, n < KM_PG_WHERE ? (size_t)n : KM_PG_WHERE - 1);
}

void km_pg_hosts_defer(struct km_pg_hosts *hosts, const struct km_pg_silent *silent,
                       uint64_t now_ms)
{
    struct place last[HOSTS_MOST * ADDRS_MOST];
    char text[KM_PG_WHERE];
    size_t n = 0, nlast = 0;

    for (size_t i = 0; i < hosts->nplaces; i++) {
        if (km_pg_silent_has(silent, km_pg_hosts_where(hosts, i, text), now_ms))
            last[nlast++] = hosts->places[i];
        else
            hosts->places[n++] = hosts->places[i];
    }
    memcpy(&hosts->places[n], last, nlast * sizeof *last);
    put_lists(hosts);
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
    put_places(h);
    put_lists(h);
    h->fn(h->ctx, h->nplaces ? NULL : &h->err);
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
    unsigned named = 0;
    int r = 0;

    if (!h)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    h->fn = fn;
    h->ctx = ctx;
    km_buf_init(&h->host, LIST_BYTES);
    km_buf_init(&h->hostaddr, LIST_BYTES);
    km_buf_init(&h->port, LIST_BYTES);
    if (read_words(h, lib, dsn))
        named = take_hosts(h);
    if (named) {
        r = ask(h, dns, timeout_ms, err);
    } else {
        put_places(h);
        put_lists(h);
    }
    if (r < 0 || (!named && h->nplaces < 2))
        h = km_pg_hosts_free(h);
    *ret_hosts = h;
    return r;
}

bool km_pg_hosts_asks(const struct km_pg_hosts *hosts)
{
    return hosts->asked > 0;
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
    free(hosts->addrs);
    free(hosts->ports);
    free(hosts);
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* listening.c - see listening.h.
 *
 *     entry of the file ──┐
 *     --host, --port ─────┼──> address ──> is it one? twice the same? may it be reached?
 *     KANMON_HOST, _PORT ─┘
 *
 * Whoever wants to know where a configuration listens asks here (the check, the start, a restart, a
 * reload), so that they cannot come to different answers.
 */
#include "host/listening.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "config/env.h"
#include "config/tree.h"

static const struct km_listen_entry default_entry = { .host = { "127.0.0.1", 9 }, .port = 4000 };

/* What stands in place of the entries' own; empty: nothing. */
struct over {
    struct km_str host, port;
    const char *host_from, *port_from;
};

static int KM_PRINTF(4, 5) wrong(struct km_diags *diags, const struct km_node *at,
                                 struct km_err *err, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (diags)
        km_diag_add(diags, KM_DIAG_ERROR, "E0112", at, NULL, "%s", text);
    return km_fail(err, KM_E_CONFIG, "%s", text);
}

/* A flag, else the variable; what Kubernetes sets for a Service is neither. */
static const char *source(const struct km_config *config, const char *given, const char *flag,
                          const char *variable, struct km_str *ret)
{
    struct km_str value;

    *ret = km_str_c(given);
    if (ret->n)
        return flag;
    if (km_config_getenv(config, variable, &value) && !km_env_is_service(km_str_c(variable), value))
        *ret = value;
    return variable;
}

static int address_of(const struct km_listen_entry *e, const struct km_node *node,
                      const struct over *over, union km_addr *ret, struct km_diags *diags,
                      struct km_err *err)
{
    struct km_str host = over->host.n ? over->host : e->host;
    const struct km_node *at = over->host.n ? NULL : node;
    uint64_t port = (uint64_t)e->port;

    if (over->port.n && (km_str_u64(over->port, &port) < 0 || port > 65535))
        return wrong(diags, NULL, err, "%s is '%.*s': it must be a port, 0 to 65535",
                     over->port_from, (int)(over->port.n < 80 ? over->port.n : 80), over->port.p);
    if (km_str_eq(host, KM_STR("localhost")))
        host = KM_STR("127.0.0.1");
    if (km_addr_parse(host, (uint16_t)port, ret) == 0)
        return 0;
    return wrong(diags, at, err, "%s is '%.*s': cannot listen there, it is no address",
                 over->host.n ? over->host_from : "kanmon_settings.listen[].host",
                 (int)(host.n < 80 ? host.n : 80), host.p);
}

static bool any_host(const union km_addr *a)
{
    static const union km_addr zero;

    return a->sa.sa_family == AF_INET6
               ? memcmp(&a->in6.sin6_addr, &zero.in6.sin6_addr, sizeof zero.in6.sin6_addr) == 0
               : a->in.sin_addr.s_addr == 0;
}

static uint16_t port_of(const union km_addr *a)
{
    return a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port;
}

static bool same_host(const union km_addr *a, const union km_addr *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    return a->sa.sa_family == AF_INET6
               ? memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof a->in6.sin6_addr) == 0
               : a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

bool km_listening_fits(const union km_addr *asked, const union km_addr *have)
{
    return same_host(asked, have) && (port_of(asked) == 0 || port_of(asked) == port_of(have));
}

/* Can the two not be taken both? */
static bool clash(const union km_addr *a, const union km_addr *b)
{
    return port_of(a) != 0 && port_of(a) == port_of(b) && a->sa.sa_family == b->sa.sa_family &&
           (same_host(a, b) || any_host(a) || any_host(b));
}

static int check_clash(const struct km_listening *l, const struct over *over,
                       struct km_diags *diags, struct km_err *err)
{
    const struct km_listen_place *last = &l->v[l->n - 1];
    char text[KM_ADDR_TEXT];

    for (size_t i = 0; i + 1 < l->n; i++) {
        if (!clash(&l->v[i].addr, &last->addr))
            continue;
        km_addr_text(&last->addr, text);
        return wrong(diags, last->node, err,
                     "kanmon_settings.listen[%zu] and [%zu] both want %s%s%s", i, l->n - 1, text,
                     over->port.n ? ", by " : "", over->port.n ? over->port_from : "");
    }
    return 0;
}

int km_listening_of(const struct km_config *config, const struct km_listen_flags *flags,
                    struct km_listening *ret, struct km_diags *diags, struct km_err *err)
{
    const struct km_gateway_settings *g = km_config_get(config, &km_gateway_settings_table);
    const struct km_node *list = km_node_path(km_config_root(config), "kanmon_settings.listen");
    const struct km_listen_entry *entries = g->listen.n ? g->listen.v : &default_entry;
    const size_t n = g->listen.n ? g->listen.n : 1;
    const bool written = list && list->type == KM_NODE_SEQ && list->n == n && g->listen.n;
    struct over over;
    int r = 0, first = 0;

    ret->n = 0; /* who asks looks at them after a failure, too */
    if (n > KM_LISTEN_MAX)
        return wrong(diags, list, err, "kanmon_settings.listen has over %d entries", KM_LISTEN_MAX);
    over.host_from = source(config, flags->host, "--host", "KANMON_HOST", &over.host);
    over.port_from = source(config, flags->port, "--port", "KANMON_PORT", &over.port);
    for (size_t i = 0; i < n; i++) {
        struct km_listen_place *p = &ret->v[ret->n];

        p->entry = &entries[i];
        p->node = written ? list->v[i] : NULL;
        r = address_of(p->entry, p->node, &over, &p->addr, diags, first ? NULL : err);
        if (r == 0) {
            ret->n++;
            r = check_clash(ret, &over, diags, first ? NULL : err);
        }
        first = first ? first : r;
        if (r < 0 && (over.port.n || over.host.n))
            break; /* once is enough: it is the same for all of them */
    }
    return first;
}

int km_listening_exposed(const struct km_config *config, const union km_addr *addr,
                         struct km_err *err)
{
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);
    const struct km_general_settings *g = km_config_get(config, &km_general_settings_table);
    char text[KM_ADDR_TEXT];

    if (g->master_key.n || s->auth == KM_AUTH_MODE_NONE || km_addr_loopback(addr))
        return 0;
    km_addr_text(addr, text);
    return km_fail(err, KM_E_CONFIG,
                   "%s can be reached by other machines: without general_settings.master_key only "
                   "loopback is served; set it, or kanmon_settings.auth: none if everybody may "
                   "call",
                   text);
}

static void put_name(struct km_buf *out, size_t i, const char *member)
{
    km_buf_printf(out, "%skanmon_settings.listen[%zu]%s", out->n ? "\n" : "", i, member);
}

size_t km_listening_find(const struct km_listening *l, const union km_addr *addr)
{
    for (size_t i = 0; i < l->n; i++)
        if (same_host(&l->v[i].addr, addr) && port_of(&l->v[i].addr) == port_of(addr))
            return i;
    return SIZE_MAX;
}

static bool all_in(const struct km_listening *a, const struct km_listening *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (km_listening_find(b, &a->v[i].addr) == SIZE_MAX)
            return false;
    return true;
}

void km_listening_changed(const struct km_config *from, const struct km_config *to,
                          const struct km_listen_flags *flags, struct km_buf *out_names)
{
    struct km_listening a, b;
    struct km_err ignored;

    if (km_listening_of(from, flags, &a, NULL, &ignored) < 0 ||
        km_listening_of(to, flags, &b, NULL, &ignored) < 0 || (all_in(&a, &b) && all_in(&b, &a)))
        return;
    for (size_t i = 0; i < a.n || i < b.n; i++) {
        if (i >= a.n || i >= b.n) {
            put_name(out_names, i, "");
            continue;
        }
        if (!same_host(&a.v[i].addr, &b.v[i].addr))
            put_name(out_names, i, ".host");
        if (port_of(&a.v[i].addr) != port_of(&b.v[i].addr))
            put_name(out_names, i, ".port");
    }
}

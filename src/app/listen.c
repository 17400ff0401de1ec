/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c - see listen.h.
 *
 * Sockets and entries of kanmon_settings.listen are matched by address, not by order: the
 * supervisor's sockets outlive configurations, systemd knows nothing of our entries, and with
 * fewer workers than before an address has more sockets than they.  Port 0 is the port that the
 * system chose when the socket was made, so such an entry takes any port of its host.
 *
 * A plain socket where the configuration says TLS would be a hole, so a socket that belongs to
 * no entry is only served when no entry has TLS, and never from outside without a key.
 */
#include "app/listen.h"

#include <unistd.h>

#include "config/config.h"
#include "gateway/gateway.h"

#define BACKLOG 4096

static const struct km_listen_entry default_listen = { .host = { "127.0.0.1", 9 }, .port = 4000 };

struct wanted {
    const struct km_listen_entry *entries;
    size_t n;
};

static struct wanted wanted(const struct km_config *config)
{
    const struct km_gateway_settings *g = km_config_get(config, &km_gateway_settings_table);

    return g->listen.n ? (struct wanted){ g->listen.v, g->listen.n }
                       : (struct wanted){ &default_listen, 1 };
}

/* Without a key, nobody but this machine may come in. */
static int check_exposure(const struct km_config *config, const union km_addr *addr,
                          struct km_err *err)
{
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);
    const struct km_general_settings *g = km_config_get(config, &km_general_settings_table);

    if (g->master_key.n || s->auth == KM_AUTH_MODE_NONE || km_addr_loopback(addr))
        return 0;
    return km_fail(err, KM_E_CONFIG,
                   "without general_settings.master_key only loopback is served; set it, or "
                   "kanmon_settings.auth: none if everybody may call");
}

static int address_of(const struct km_cli *cli, const struct km_config *config,
                      const struct km_listen_entry *e, union km_addr *ret, struct km_err *err)
{
    const char *host = km_cli_option(cli, "host"), *port = km_cli_option(cli, "port");
    struct km_str name = host ? km_str_c(host) : e->host;
    uint64_t number = (uint64_t)e->port;

    if (port && (km_str_u64(km_str_c(port), &number) < 0 || number > 65535))
        return km_fail(err, KM_E_CONFIG, "--port must be 0 to 65535");
    if (km_str_eq(name, KM_STR("localhost")))
        name = KM_STR("127.0.0.1");
    if (km_addr_parse(name, (uint16_t)number, ret) < 0)
        return km_fail(err, KM_E_CONFIG, "cannot listen on '%.*s': it must be an address",
                       KM_STR_ARG(name));
    return check_exposure(config, ret, err);
}

static bool fits(const union km_addr *asked, union km_addr have)
{
    if (asked->sa.sa_family != have.sa.sa_family)
        return false;
    if (asked->sa.sa_family == AF_INET6)
        return (asked->in6.sin6_port == 0 || asked->in6.sin6_port == have.in6.sin6_port) &&
               memcmp(&asked->in6.sin6_addr, &have.in6.sin6_addr, sizeof have.in6.sin6_addr) == 0;
    return (asked->in.sin_port == 0 || asked->in.sin_port == have.in.sin_port) &&
           asked->in.sin_addr.s_addr == have.in.sin_addr.s_addr;
}

int km_sockets_match(struct km_sockets *s, const struct km_cli *cli, const struct km_config *config,
                     struct km_err *err)
{
    struct wanted w = wanted(config);

    for (size_t i = 0; i < s->n; i++)
        s->entries[i] = KM_ENTRY_NONE;
    for (size_t e = 0; e < w.n; e++) {
        union km_addr asked, have;
        int r = address_of(cli, config, &w.entries[e], &asked, err);

        for (size_t i = 0; r == 0 && i < s->n; i++) {
            r = km_listen_address(s->fds[i], &have, err);
            if (r == 0 && s->entries[i] == KM_ENTRY_NONE && fits(&asked, have))
                s->entries[i] = e;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static int add(struct km_sockets *s, const union km_addr *addr, size_t entry, size_t workers,
               struct km_err *err)
{
    union km_addr have = *addr;
    size_t n = 0;
    int r = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->entries[i] == entry && n++ == 0 && km_listen_address(s->fds[i], &have, err) < 0)
            return KM_E_SYSTEM;
    if (n < workers && s->n + workers - n > KM_LISTEN_MAX)
        return km_fail(err, KM_E_CONFIG, "over %d listening sockets", KM_LISTEN_MAX);
    if (n == 0) {
        r = km_listen(addr, workers, BACKLOG, s->fds + s->n, err);
        for (; r == 0 && n < workers; n++)
            s->entries[s->n++] = entry;
    }
    for (; r == 0 && n < workers; n++) {
        r = km_listen_join(&have, &s->fds[s->n], err);
        if (r == 0)
            s->entries[s->n++] = entry;
    }
    return r;
}

int km_sockets_open(struct km_sockets *s, const struct km_cli *cli, const struct km_config *config,
                    struct km_err *err)
{
    struct wanted w = wanted(config);
    union km_addr addr;
    size_t workers;
    int r = km_gateway_workers(km_config_get(config, &km_gateway_settings_table), &workers, err);

    if (r == 0)
        r = km_sockets_match(s, cli, config, err);
    for (size_t e = 0; r == 0 && e < w.n; e++) {
        r = address_of(cli, config, &w.entries[e], &addr, err);
        if (r == 0)
            r = add(s, &addr, e, workers, err);
    }
    return r;
}

static int check_strangers(struct km_sockets *s, const struct km_config *config, struct km_err *err)
{
    struct wanted w = wanted(config);
    union km_addr addr;
    char text[KM_ADDR_TEXT];

    for (size_t i = 0; i < s->n; i++) {
        if (s->entries[i] != KM_ENTRY_NONE)
            continue;
        if (km_listen_address(s->fds[i], &addr, err) < 0 || check_exposure(config, &addr, err) < 0)
            return err->code;
        km_addr_text(&addr, text);
        for (size_t e = 0; e < w.n; e++)
            if (w.entries[e].tls.cert.n)
                return km_fail(err, KM_E_CONFIG,
                               "a socket for %s was passed on, which kanmon_settings.listen does "
                               "not name: say there whether it speaks TLS",
                               text);
    }
    return 0;
}

int km_sockets_inherit(struct km_sockets *s, const struct km_cli *cli,
                       const struct km_config *config, struct km_err *err)
{
    int r = km_listen_inherited(s->fds, KM_LISTEN_MAX, &s->n, err);

    if (r == 0 && s->n > 0)
        r = km_sockets_match(s, cli, config, err);
    return r == 0 ? check_strangers(s, config, err) : r;
}

int km_sockets_begin(const struct km_sockets *s, struct km_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n; i++)
        r = km_listen_begin(s->fds[i], BACKLOG, err);
    return r;
}

void km_sockets_trim(struct km_sockets *s, size_t keep)
{
    size_t at = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (i >= keep || s->entries[i] == KM_ENTRY_NONE) {
            close(s->fds[i]);
            continue;
        }
        s->fds[at] = s->fds[i];
        s->entries[at++] = s->entries[i];
    }
    s->n = at;
}

void km_sockets_close(struct km_sockets *s)
{
    km_sockets_trim(s, 0);
}

const char *km_listen_exposure(const struct km_config *config)
{
    const struct km_gateway_settings *s = km_config_get(config, &km_gateway_settings_table);
    const struct km_general_settings *g = km_config_get(config, &km_general_settings_table);

    if (s->auth == KM_AUTH_MODE_NONE)
        return "kanmon_settings.auth is none: everybody who reaches this address may call and "
               "administer it. Remove it and set general_settings.master_key.";
    if (!g->master_key.n)
        return "no master key: everybody on this machine may call and administer it, and a proxy "
               "on this machine makes everything public. Set general_settings.master_key (or "
               "LITELLM_MASTER_KEY).";
    return NULL;
}

void km_sockets_url(const struct km_sockets *s, const struct km_config *config, char out[80])
{
    struct wanted w = wanted(config);
    char text[KM_ADDR_TEXT] = "?";
    union km_addr addr;
    bool tls = s->n > 0 && s->entries[0] < w.n && w.entries[s->entries[0]].tls.cert.n > 0;

    if (s->n > 0 && km_listen_address(s->fds[0], &addr, NULL) == 0)
        km_addr_text(&addr, text);
    snprintf(out, 80, "http%s://%s", tls ? "s" : "", text);
}

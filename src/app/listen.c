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
#include "host/gateway.h"

#define BACKLOG 4096

static int wanted(const struct km_cli *cli, const struct km_config *config,
                  struct km_listening *ret, struct km_err *err)
{
    const struct km_listen_flags flags = km_cli_listen_flags(cli);
    int r = km_listening_of(config, &flags, ret, NULL, err);

    for (size_t i = 0; r == 0 && i < ret->n; i++)
        r = km_listening_exposed(config, &ret->v[i].addr, err);
    return r;
}

static int match(struct km_sockets *s, const struct km_listening *w, struct km_err *err)
{
    union km_addr have;
    int r = 0;

    for (size_t i = 0; i < s->n; i++)
        s->entries[i] = KM_ENTRY_NONE;
    for (size_t e = 0; e < w->n; e++)
        for (size_t i = 0; r == 0 && i < s->n; i++) {
            r = km_listen_address(s->fds[i], &have, err);
            if (r == 0 && s->entries[i] == KM_ENTRY_NONE && km_listening_fits(&w->v[e].addr, &have))
                s->entries[i] = e;
        }
    return r;
}

int km_sockets_match(struct km_sockets *s, const struct km_cli *cli, const struct km_config *config,
                     struct km_err *err)
{
    struct km_listening w;
    int r = wanted(cli, config, &w, err);

    return r == 0 ? match(s, &w, err) : r;
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
    struct km_listening w;
    size_t workers;
    int r = km_gateway_workers(km_config_get(config, &km_gateway_settings_table), &workers, err);

    if (r == 0)
        r = wanted(cli, config, &w, err);
    if (r == 0)
        r = match(s, &w, err);
    for (size_t e = 0; r == 0 && e < w.n; e++)
        r = add(s, &w.v[e].addr, e, workers, err);
    return r;
}

/* An entry with TLS: a socket that belongs to none might have been meant for it. */
static bool any_tls(const struct km_config *config)
{
    const struct km_gateway_settings *g = km_config_get(config, &km_gateway_settings_table);
    const struct km_listen_entry *entries = g->listen.v;

    for (size_t i = 0; i < g->listen.n; i++)
        if (entries[i].tls.cert.n)
            return true;
    return false;
}

static int check_strangers(struct km_sockets *s, const struct km_config *config, struct km_err *err)
{
    union km_addr addr;
    char text[KM_ADDR_TEXT];

    for (size_t i = 0; i < s->n; i++) {
        if (s->entries[i] != KM_ENTRY_NONE)
            continue;
        if (km_listen_address(s->fds[i], &addr, err) < 0 ||
            km_listening_exposed(config, &addr, err) < 0)
            return err->code;
        km_addr_text(&addr, text);
        if (any_tls(config))
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

void km_sockets_url(const struct km_sockets *s, const struct km_config *config,
                    char out[KM_LISTEN_URL])
{
    const struct km_gateway_settings *g = km_config_get(config, &km_gateway_settings_table);
    const struct km_listen_entry *entries = g->listen.v;
    bool tls = s->n > 0 && s->entries[0] < g->listen.n && entries[s->entries[0]].tls.cert.n > 0;

    if (s->n == 0 || !km_listen_url(s->fds[0], tls, out))
        snprintf(out, KM_LISTEN_URL, "?");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* listening.h - where a configuration listens: kanmon_settings.listen with --host and --port (or
 * KANMON_HOST and KANMON_PORT) in place of what its entries say.
 */
#ifndef KM_HOST_LISTENING_H
#define KM_HOST_LISTENING_H

#include "config/config.h"
#include "host/settings.h"
#include "sys/listener.h"

struct km_buf;

/* Of the command line; NULL: not given, then the variable as the configuration sees it. */
struct km_listen_flags {
    const char *host, *port;
};

struct km_listen_place {
    union km_addr addr; /* port 0: any */
    const struct km_listen_entry *entry;
    const struct km_node *node; /* the entry as it is written; NULL: the default one */
};

struct km_listening { /* in the order of the entries */
    struct km_listen_place v[KM_LISTEN_MAX];
    size_t n; /* at least 1 */
};

/* KM_E_CONFIG names what is no address, no port or twice the same.  diags may be NULL. */
int km_listening_of(const struct km_config *config, const struct km_listen_flags *flags,
                    struct km_listening *ret, struct km_diags *diags,
                    struct km_err *err) KM_MUST_USE;

/* Without a key nobody but this machine may come in: KM_E_CONFIG for an address beyond it. */
int km_listening_exposed(const struct km_config *config, const union km_addr *addr,
                         struct km_err *err) KM_MUST_USE;

/* Which socket belongs to which entry: asked for `port 0`, any port fits. */
bool km_listening_fits(const union km_addr *asked, const union km_addr *have);

/* Which place has exactly this address; SIZE_MAX: none. */
size_t km_listening_find(const struct km_listening *l, const union km_addr *addr);

/* Settings of addresses ("kanmon_settings.listen[0].port") that differ between the two, one a
 * line, appended.  The same addresses in another order do not. */
void km_listening_changed(const struct km_config *from, const struct km_config *to,
                          const struct km_listen_flags *flags, struct km_buf *out_names);

#endif

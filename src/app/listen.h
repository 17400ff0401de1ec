/* SPDX-License-Identifier: Apache-2.0 */
/* listen.h - the listening sockets a configuration asks for: made once, joined, inherited. */
#ifndef KM_APP_LISTEN_H
#define KM_APP_LISTEN_H

#include "app/cli.h"
#include "sys/listener.h"

struct km_config;

#define KM_ENTRY_NONE SIZE_MAX /* of a socket that no entry of listen names */

struct km_sockets {
    int fds[KM_LISTEN_MAX];
    size_t entries[KM_LISTEN_MAX]; /* which entry of kanmon_settings.listen each belongs to */
    size_t n;
};

/* Makes what is missing: as many sockets an address as there are workers.  An address that has
 * none yet is taken (and listens); to one that has some, new ones are joined (bound only).
 * Addresses come from listen, --host and --port.  KM_E_EXISTS names who holds a taken port. */
int km_sockets_open(struct km_sockets *s, const struct km_cli *cli, const struct km_config *config,
                    struct km_err *err) KM_MUST_USE;
/* Those that a supervisor or systemd passed on, matched to the entries by address; n 0: none. */
int km_sockets_inherit(struct km_sockets *s, const struct km_cli *cli,
                       const struct km_config *config, struct km_err *err) KM_MUST_USE;
/* All of them listen. */
int km_sockets_begin(const struct km_sockets *s, struct km_err *err) KM_MUST_USE;
/* Matches the sockets anew; those whose address is asked for no more get KM_ENTRY_NONE. */
int km_sockets_match(struct km_sockets *s, const struct km_cli *cli, const struct km_config *config,
                     struct km_err *err) KM_MUST_USE;
/* Closes those of KM_ENTRY_NONE, and any after the first `keep`. */
void km_sockets_trim(struct km_sockets *s, size_t keep);
void km_sockets_close(struct km_sockets *s);
/* Why anybody may come in, and what to do, for whoever starts it; NULL: keys are asked for. */
const char *km_listen_exposure(const struct km_config *config);
/* "http://127.0.0.1:4000" for people: the first socket's address. */
void km_sockets_url(const struct km_sockets *s, const struct km_config *config,
                    char out[KM_LISTEN_URL]);

#endif

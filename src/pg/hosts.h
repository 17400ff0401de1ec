/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.h - private to pg/reach.c: the hosts of a dsn, their names resolved on the loop.
 *
 * libpq resolves names with a function that blocks.  It does not where it is given `hostaddr`
 * beside `host`: it connects to the address, and certificates, passwords and SNI go by the name.
 * What it would do is asked of it here too.
 */
#ifndef KM_PG_HOSTS_H
#define KM_PG_HOSTS_H

#include "pg/lib.h"
#include "pg/silent.h"
#include "sys/dns.h"

struct km_pg_hosts;

#define KM_PG_WHERE 384 /* bytes of a place's text; a longer one is cut */

/* Once, never from inside km_pg_hosts_new().  err NULL: at least one host has an address, or
 * needs none.  It may free the hosts. */
typedef void km_pg_hosts_fn(void *ctx, const struct km_err *err);

/* What libpq would connect to, of the dsn, its service and the environment.  *ret_hosts NULL with
 * 0: one host at most, which has no name to resolve (a socket, an address, `hostaddr`), or a dsn
 * libpq will refuse.  timeout_ms: of connecting; with several hosts half of it is for their
 * names. */
int km_pg_hosts_new(const struct km_pg_lib *lib, struct km_dns *dns, const char *dsn,
                    uint64_t timeout_ms, km_pg_hosts_fn *fn, void *ctx,
                    struct km_pg_hosts **ret_hosts, struct km_err *err) KM_MUST_USE;
/* Names are being resolved, and fn comes.  false: it does not, and the lists are there. */
bool km_pg_hosts_asks(const struct km_pg_hosts *hosts);
/* fn does not come any more.  NULL is fine. */
struct km_pg_hosts *km_pg_hosts_free(struct km_pg_hosts *hosts);

/* What libpq would take for this word; malloc'd.  NULL: nothing, or out of memory. */
char *km_pg_effective_word(const struct km_pg_lib *lib, const char *dsn, const char *name);

/* What is in the lists: addresses and sockets. */
size_t km_pg_hosts_left(const struct km_pg_hosts *hosts);
/* Which of them libpq is at, by its own words; 0 where that cannot be told. */
size_t km_pg_hosts_at(const struct km_pg_hosts *hosts, const char *host, const char *hostaddr,
                      const char *port);
/* Leaves it out; not the last one. */
void km_pg_hosts_drop(struct km_pg_hosts *hosts, size_t at);
/* Those that are remembered come after the others. */
void km_pg_hosts_defer(struct km_pg_hosts *hosts, const struct km_pg_silent *silent,
                       uint64_t now_ms);
/* What tells it from others, for km_pg_silent_note(). */
struct km_str km_pg_hosts_where(const struct km_pg_hosts *hosts, size_t at,
                                char ret_text[KM_PG_WHERE]);

/* After fn: comma lists of equal length for libpq's words of these names; hosts without an address
 * are left out.  NULL: out of memory. */
const char *km_pg_hosts_host(struct km_pg_hosts *hosts);
const char *km_pg_hosts_hostaddr(struct km_pg_hosts *hosts);
const char *km_pg_hosts_port(struct km_pg_hosts *hosts);

#endif

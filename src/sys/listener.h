/* SPDX-License-Identifier: Apache-2.0 */
/* listener.h - listening sockets and accepting from them.
 *
 * The first socket of an address is bound without SO_REUSEPORT, so that a taken port fails;
 * the option is set after bind, before listen, and the further sockets join it.  Sockets may
 * also be inherited (LISTEN_FDS, LISTEN_PID, as systemd's): then nothing is bound.
 *
 * An acceptor never loses to descriptor exhaustion: with EMFILE/ENFILE it spends its reserve
 * descriptor to accept and close one connection, and reports it.
 */
#ifndef KM_SYS_LISTENER_H
#define KM_SYS_LISTENER_H

#include "sys/dns.h"

#define KM_LISTEN_MAX 256 /* sockets of one process */

/* Binds and listens `count` sockets on one address (literal).  port 0 is resolved once and
 * shared.  On EADDRINUSE: KM_E_EXISTS with who holds the port, where /proc shows it. */
int km_listen(const union km_addr *addr, size_t count, int backlog, int *ret_fds,
              struct km_err *err) KM_MUST_USE;

/* One more socket for an address (resolved: no port 0) of which sockets made by km_listen() are
 * held here.  It is bound only: until km_listen_begin() nothing is queued on it, so it may be
 * dropped without anybody noticing. */
int km_listen_join(const union km_addr *addr, int *ret_fd, struct km_err *err) KM_MUST_USE;
/* listen(); on a socket that listens already it changes nothing but the backlog. */
int km_listen_begin(int fd, int backlog, struct km_err *err) KM_MUST_USE;

/* Sockets passed on by a supervisor or systemd, listening or only bound; 0 when there are none.
 * Clears the variables. */
int km_listen_inherited(int *ret_fds, size_t max, size_t *ret_n, struct km_err *err) KM_MUST_USE;

/* The address a socket is bound to. */
int km_listen_address(int fd, union km_addr *ret_addr, struct km_err *err) KM_MUST_USE;

/* "http://127.0.0.1:4000": where a client on this machine reaches it, which an address that stands
 * for all of them does not say.  false: it cannot be told. */
#define KM_LISTEN_URL 80
bool km_listen_url(int fd, bool tls, char out[KM_LISTEN_URL]);

/* "pid 4711 (nginx)" of the process that listens on the port; false when it cannot be seen. */
bool km_port_holder(const union km_addr *addr, char *out, size_t cap);

struct km_acceptor;

/* fd is non-blocking, close-on-exec and the callee's. */
typedef void km_accept_fn(void *ctx, int fd, const union km_addr *peer);
/* Descriptors ran out (at most once a second). */
typedef void km_accept_full_fn(void *ctx);

/* fd stays the caller's. */
struct km_acceptor *km_acceptor_new(struct km_loop *loop, int fd, km_accept_fn *on_accept,
                                    km_accept_full_fn *on_full, void *ctx, struct km_err *err);
void km_acceptor_pause(struct km_acceptor *a); /* the kernel queues */
void km_acceptor_resume(struct km_acceptor *a);
struct km_acceptor *km_acceptor_free(struct km_acceptor *a);

#endif

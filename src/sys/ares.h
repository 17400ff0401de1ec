/* SPDX-License-Identifier: Apache-2.0 */
/* ares.h - a c-ares channel on a loop; for dns.c and its tests. */
#ifndef KM_SYS_ARES_H
#define KM_SYS_ARES_H

#include <ares.h>

#include "sys/loop.h"

struct km_ares;

/* resolv_conf NULL: the system's.  It is read anew when it has changed and nothing is asked. */
struct km_ares *km_ares_new(struct km_loop *loop, const char *resolv_conf, struct km_err *err);
/* Questions under way are answered with ARES_EDESTRUCTION, from inside. */
struct km_ares *km_ares_free(struct km_ares *a);

/* Instead of those in resolv.conf: "192.0.2.1,[2001:db8::1]:5353". */
int km_ares_servers(struct km_ares *a, const char *servers, struct km_err *err) KM_MUST_USE;

/* Addresses of both families for a stream socket.  The answer may come from inside. */
void km_ares_ask(struct km_ares *a, const char *name, ares_addrinfo_callback on_answer, void *arg);

#endif

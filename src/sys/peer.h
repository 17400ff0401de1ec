/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - who is at the other end of a Unix socket, as the kernel says. */
#ifndef KM_SYS_PEER_H
#define KM_SYS_PEER_H

#include <sys/types.h>

#include "base/err.h"

struct km_peer {
    pid_t pid; /* 0: in another pid namespace */
    uid_t uid;
    gid_t gid;
};

/* The process that connected (or that made the pair); it may have changed its ids since. */
int km_peer_of(int fd, struct km_peer *ret_peer, struct km_err *err) KM_MUST_USE;

#endif

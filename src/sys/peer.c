/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - see peer.h for the contract.
 *
 * SO_PEERCRED holds the credentials of the moment of connect(), kept by the kernel: a client
 * cannot claim another's.  On a socket that is not a Unix socket Linux answers with pid 0
 * and uid -1 instead of an error, which must not pass for an answer: uid (uid_t)-1 is nobody.
 */
#include "sys/peer.h"

#include <errno.h>
#include <sys/socket.h>

int km_peer_of(int fd, struct km_peer *ret_peer, struct km_err *err)
{
    struct ucred cred = { .uid = (uid_t)-1 };
    socklen_t n = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
        return km_fail_errno(err, errno, "cannot see who is at the other end of the socket");
    if (cred.uid == (uid_t)-1 || n != sizeof cred)
        return km_fail(err, KM_E_UNSUPPORTED, "not a connected Unix socket");
    *ret_peer = (struct km_peer){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
    return 0;
}

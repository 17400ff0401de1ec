/* SPDX-License-Identifier: Apache-2.0 */
/* supervised.c - see supervised.h.
 *
 * A line is sent with one write right after connecting, and a socket of the same machine
 * delivers it whole, so reading it may block: who connects and says nothing is cut off after
 * two seconds.
 */
#include "app/supervised.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/peer.h"
#include "sys/unix.h"

static int read_line(int fd, char line[KM_SUPERVISOR_LINE], struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_SUPERVISOR_LINE - 1);
    int r = km_unix_read(fd, true, &b, err);

    if (r < 0)
        return r;
    snprintf(line, KM_SUPERVISOR_LINE, "%.*s", (int)strcspn(km_buf_cstr(&b), "\n"),
             km_buf_cstr(&b));
    return b.n > 0 ? 0 : km_fail(err, KM_E_CLOSED, "the supervisor ended without an answer");
}

int km_supervisor_hear(int fd, char line[KM_SUPERVISOR_LINE], struct km_err *err)
{
    const struct timeval tv = { .tv_sec = 2 };
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return km_fail_errno(err, errno, "the supervisor's socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    return read_line(fd, line, err);
}

int km_supervisor_say(const char *path, const char *line, char reply[KM_SUPERVISOR_LINE],
                      pid_t *ret_pid, struct km_err *err)
{
    char text[KM_SUPERVISOR_LINE];
    struct km_peer peer = { 0 };
    int fd, n, r = km_unix_connect(path, &fd, err);

    if (r < 0)
        return r;
    if (km_peer_of(fd, &peer, NULL) == 0 && ret_pid)
        *ret_pid = peer.pid;
    n = snprintf(text, sizeof text, "%.*s\n", KM_SUPERVISOR_LINE - 2, line);
    r = km_unix_send(fd, km_str(text, (size_t)n), err);
    if (r == 0 && reply)
        r = read_line(fd, reply, err);
    close(fd);
    return r;
}

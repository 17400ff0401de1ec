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
    size_t n = 0;

    while (n < KM_SUPERVISOR_LINE - 1) {
        ssize_t got = recv(fd, line + n, KM_SUPERVISOR_LINE - 1 - n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return km_fail_errno(err, errno, "no answer");
        n += (size_t)got;
        if (got == 0 || line[n - 1] == '\n')
            break;
    }
    line[n] = 0;
    line[strcspn(line, "\n")] = 0;
    return n > 0 ? 0 : km_fail(err, KM_E_CLOSED, "the supervisor ended without an answer");
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
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        r = km_fail_errno(err, errno, "send to the supervisor");
    if (r == 0 && reply)
        r = read_line(fd, reply, err);
    close(fd);
    return r;
}

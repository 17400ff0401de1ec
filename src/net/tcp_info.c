/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_info.c - how many bytes of a connection its peer's kernel has acknowledged.
 *
 * A file of its own because glibc's struct tcp_info ends before tcpi_bytes_acked and the
 * kernel's header cannot be included beside glibc's, which libuv includes.  The kernel counts
 * from the first byte sent, and for the side that connected also the SYN: callers compare
 * with what they read before they wrote.
 */
#include "net/tcp.h"

#include <linux/tcp.h>

bool km_tcp_acked(int fd, uint64_t *ret_bytes)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
        len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
        return false;
    *ret_bytes = info.tcpi_bytes_acked;
    return true;
}

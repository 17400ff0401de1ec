/* SPDX-License-Identifier: Apache-2.0 */
/* listener.c - listening sockets: made here or inherited; see listener.h for the contract.
 *
 * SO_REUSEPORT lets every worker have a queue of its own, but a socket bound with it also
 * joins whoever else has it: a second kanmon would silently take half of the first one's
 * connections.  So the first socket binds without it, which fails on a taken port, and gets
 * the option after that, before listen(); the others bind with it and join.  Linux compares
 * the option at bind time of the newcomer with what the first has at that moment, and
 * admits only sockets of the same user.
 *
 * SO_REUSEADDR is set on all: connections of a former life in TIME_WAIT are no reason not to
 * start.  It has the effect that two sockets may bind before either listens, so listen() can
 * say "taken" too.
 */
#include "sys/listener.h"

#include <errno.h>
#include <stdio.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_INHERITED 3 /* SD_LISTEN_FDS_START */

static int fail_listen(const union km_addr *addr, int error, struct km_err *err)
{
    char text[KM_ADDR_TEXT], holder[64];

    km_addr_text(addr, text);
    switch (error) {
    case EADDRINUSE:
        if (km_port_holder(addr, holder, sizeof holder))
            return km_fail(err, KM_E_EXISTS, "%s is taken by %s: stop it, or use another port",
                           text, holder);
        return km_fail(err, KM_E_EXISTS,
                       "%s is taken by another process: stop it, or use another port", text);
    case EACCES:
        return km_fail(err, KM_E_FORBIDDEN,
                       "may not listen on %s: ports below 1024 need root or "
                       "CAP_NET_BIND_SERVICE",
                       text);
    case EADDRNOTAVAIL:
        return km_fail(err, KM_E_INVALID, "cannot listen on %s: this machine has no such address",
                       text);
    default:
        return km_fail_errno(err, error, "cannot listen on %s", text);
    }
}

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* A bound socket, or -errno. */
static int bound_socket(const union km_addr *addr, bool first)
{
    const int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    /* "::" means IPv4 too, whatever the system's default is. */
    if (set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
        (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr) &&
         set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) < 0) ||
        (!first && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
        bind(fd, &addr->sa, km_addr_len(addr)) < 0 ||
        (first && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)) {
        const int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

int km_listen(const union km_addr *addr, size_t count, int backlog, int *ret_fds,
              struct km_err *err)
{
    union km_addr actual = *addr;
    int fds[KM_LISTEN_MAX];

    if (count == 0 || count > KM_LISTEN_MAX)
        return km_fail(err, KM_E_LIMIT, "%zu listening sockets; at most %d", count, KM_LISTEN_MAX);
    for (size_t i = 0; i < count; i++) {
        int r = bound_socket(&actual, i == 0);

        if (r >= 0) {
            fds[i] = r;
            r = listen(r, backlog) < 0 ? -errno : 0;
            if (r < 0)
                close(fds[i]);
        }
        if (r < 0) {
            close_all(fds, i);
            return fail_listen(&actual, -r, err);
        }
        if (i == 0 && km_listen_address(fds[0], &actual, err) < 0) {
            close(fds[0]);
            return KM_E_SYSTEM;
        }
    }
    memcpy(ret_fds, fds, count * sizeof fds[0]);
    return 0;
}

int km_listen_join(const union km_addr *addr, int *ret_fd, struct km_err *err)
{
    const int r = bound_socket(addr, false);

    if (r < 0)
        return fail_listen(addr, -r, err);
    *ret_fd = r;
    return 0;
}

int km_listen_begin(int fd, int backlog, struct km_err *err)
{
    union km_addr addr;
    int r;

    if (listen(fd, backlog) == 0)
        return 0;
    r = errno;
    return km_listen_address(fd, &addr, err) < 0 ? KM_E_SYSTEM : fail_listen(&addr, r, err);
}

int km_listen_address(int fd, union km_addr *ret_addr, struct km_err *err)
{
    union km_addr addr;
    socklen_t n = sizeof addr;

    memset(&addr, 0, sizeof addr);
    if (getsockname(fd, &addr.sa, &n) < 0)
        return km_fail_errno(err, errno, "descriptor %d has no address", fd);
    if (addr.sa.sa_family != AF_INET && addr.sa.sa_family != AF_INET6)
        return km_fail(err, KM_E_INVALID, "descriptor %d is not an Internet socket", fd);
    *ret_addr = addr;
    return 0;
}

bool km_listen_url(int fd, bool tls, char out[KM_LISTEN_URL])
{
    union km_addr addr;
    char text[KM_ADDR_TEXT];

    if (km_listen_address(fd, &addr, NULL) < 0)
        return false;
    if (addr.sa.sa_family == AF_INET && addr.in.sin_addr.s_addr == htonl(INADDR_ANY))
        addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (addr.sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr.in6.sin6_addr))
        addr.in6.sin6_addr = in6addr_loopback;
    km_addr_text(&addr, text);
    snprintf(out, KM_LISTEN_URL, "http%s://%s", tls ? "s" : "", text);
    return true;
}

static int number_of(const char *name, uint64_t *ret_number)
{
    return km_str_u64(km_str_c(getenv(name)), ret_number);
}

static bool connected(int fd)
{
    union km_addr peer;
    socklen_t n = sizeof peer;

    return getpeername(fd, &peer.sa, &n) == 0;
}

static int adopt(int fd, struct km_err *err)
{
    int listening = 0, type = 0;
    socklen_t n = sizeof listening, m = sizeof type;
    union km_addr addr;
    int flags;

    /* A socket that will listen is bound to a port; any other that does not is a mistake. */
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &m) < 0 || type != SOCK_STREAM ||
        (!listening &&
         (km_listen_address(fd, &addr, NULL) < 0 || connected(fd) || addr.in.sin_port == 0)))
        return km_fail(err, KM_E_INVALID, "inherited descriptor %d is not a listening socket", fd);
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return km_fail_errno(err, errno, "inherited descriptor %d", fd);
    return 0;
}

int km_listen_inherited(int *ret_fds, size_t max, size_t *ret_n, struct km_err *err)
{
    uint64_t pid = 0, count = 0;
    const bool ours = number_of("LISTEN_PID", &pid) == 0 && pid == (uint64_t)getpid() &&
                      number_of("LISTEN_FDS", &count) == 0;

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!ours) {
        *ret_n = 0;
        return 0;
    }
    if (count > max)
        return km_fail(err, KM_E_LIMIT, "%llu sockets inherited; at most %zu",
                       (unsigned long long)count, max);
    for (size_t i = 0; i < count; i++) {
        const int r = adopt(FIRST_INHERITED + (int)i, err);

        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < count; i++)
        ret_fds[i] = FIRST_INHERITED + (int)i;
    *ret_n = (size_t)count;
    return 0;
}

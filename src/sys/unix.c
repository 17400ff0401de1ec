/* SPDX-License-Identifier: Apache-2.0 */
/* unix.c - see unix.h for the contract.
 *
 * A socket's file stays when its process dies, and bind() refuses a path that exists.  What
 * was left behind by a crash is told from what is in use by connecting: nobody listens
 * there, or somebody answers.  Only then, and only if it is a socket, the file is removed: a
 * path set by mistake to somebody's document must not cost the document.
 *
 * The file must never be open to others, not even for a moment.  Linux gives it the mode of
 * the socket's own inode, so fchmod() before bind() is enough, and the umask, which belongs
 * to all threads, stays as it is.
 */
#include "sys/unix.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK 65536

static int address(const char *path, struct sockaddr_un *un, struct km_err *err)
{
    size_t n = strlen(path);

    memset(un, 0, sizeof *un);
    un->sun_family = AF_UNIX;
    if (n >= sizeof un->sun_path)
        return km_fail(err, KM_E_LIMIT,
                       "'%s' is too long for a socket (%zu bytes at most): choose a shorter "
                       "kanmon_settings.state_dir",
                       path, sizeof un->sun_path - 1);
    memcpy(un->sun_path, path, n);
    return 0;
}

int km_unix_connect(const char *path, int *ret_fd, struct km_err *err)
{
    struct sockaddr_un un;
    int r = address(path, &un, err), fd;

    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return km_fail_errno(err, errno, "socket");
    if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0) {
        *ret_fd = fd;
        return 0;
    }
    r = errno == ENOENT || errno == ECONNREFUSED
            ? km_fail(err, KM_E_NOT_RUNNING, "no gateway is listening on '%s'", path)
            : km_fail_errno(err, errno, "connect to '%s'", path);
    close(fd);
    return r;
}

/* Removes a socket that nobody listens on; nothing there is fine. */
static int clear_path(const char *path, struct km_err *err)
{
    struct stat st;
    int fd, r;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : km_fail_errno(err, errno, "'%s'", path);
    if (!S_ISSOCK(st.st_mode))
        return km_fail(err, KM_E_EXISTS, "'%s' exists and is not a socket: move it away", path);
    r = km_unix_connect(path, &fd, err);
    if (r == 0) {
        close(fd);
        return km_fail(err, KM_E_EXISTS, "another gateway is listening on '%s'", path);
    }
    if (r != KM_E_NOT_RUNNING)
        return r;
    if (unlink(path) < 0 && errno != ENOENT)
        return km_fail_errno(err, errno, "cannot remove the old socket '%s'", path);
    return 0;
}

int km_unix_listen(const char *path, int *ret_fd, struct km_err *err)
{
    struct sockaddr_un un;
    int r, fd;

    if ((r = address(path, &un, err)) < 0 || (r = clear_path(path, err)) < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return km_fail_errno(err, errno, "no socket for '%s'", path);
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) < 0 ||
        listen(fd, 64) < 0) {
        r = km_fail_errno(err, errno, "cannot listen on '%s'", path);
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static int lost(const char *what, struct km_err *err)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return km_fail(err, KM_E_UPSTREAM_TIMEOUT, "%s: no answer in time", what);
    return km_fail_errno(err, errno, "%s", what);
}

int km_unix_send(int fd, struct km_str s, struct km_err *err)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lost("send", err);
        s = km_str_skip(s, (size_t)n);
    }
    return 0;
}

int km_unix_read(int fd, bool line, struct km_buf *out, struct km_err *err)
{
    for (;;) {
        size_t room = out->max - out->n < CHUNK ? out->max - out->n : CHUNK;
        char *at = room ? km_buf_reserve(out, room) : NULL;
        ssize_t n;

        if (!at)
            return km_fail(err, KM_E_LIMIT, "what is read is over %zu bytes", out->max);
        n = recv(fd, at, room, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lost("read", err);
        out->n += (size_t)n;
        if (n == 0 || (line && out->p[out->n - 1] == '\n'))
            return 0;
    }
}

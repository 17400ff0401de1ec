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
 *
 * An address holds 107 bytes of a path.  A longer one is reached through its folder, which is
 * opened and named by its descriptor:
 *
 *     /a/deep/folder/.kanmon/kanmon.sock   ->   /proc/self/fd/7/kanmon.sock
 */
#include "sys/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK 65536

/* What errno says; a refusal has a code of its own, since the caller can act on it. */
static int cannot(struct km_err *err, const char *what, const char *path)
{
    const int why = errno;
    int r = km_fail_errno(err, why, "%s '%s'", what, path);

    if (why == EACCES || why == EPERM)
        r = err ? km_fail(err, KM_E_FORBIDDEN, "%s", err->text) : KM_E_FORBIDDEN;
    return r;
}

/* A path in the form the kernel takes.  `dir` is what a long one goes through, or -1; it is closed
 * when the call that needed the address is over. */
struct address {
    struct sockaddr_un un;
    int dir;
};

static int too_long(const char *path, struct km_err *err)
{
    return km_fail(err, KM_E_LIMIT,
                   "too long for a socket: choose a shorter kanmon_settings.state_dir: '%s'", path);
}

static int through_folder(const char *path, struct address *a, struct km_err *err)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int n;

    if (!slash || slash == path || (size_t)(slash - path) >= sizeof folder)
        return too_long(path, err);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = 0;
    a->dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (a->dir < 0)
        return errno == ENOENT ? km_fail(err, KM_E_NOT_FOUND, "'%s': no such folder", folder)
               : errno == ENAMETOOLONG ? too_long(path, err)
                                       : cannot(err, "cannot open the folder", folder);
    n = snprintf(a->un.sun_path, sizeof a->un.sun_path, "/proc/self/fd/%d%s", a->dir, slash);
    if (n > 0 && (size_t)n < sizeof a->un.sun_path)
        return 0;
    close(a->dir);
    a->dir = -1;
    return too_long(path, err);
}

static int address(const char *path, struct address *a, struct km_err *err)
{
    size_t n = strlen(path);

    *a = (struct address){ .un.sun_family = AF_UNIX, .dir = -1 };
    if (n >= sizeof a->un.sun_path)
        return through_folder(path, a, err);
    memcpy(a->un.sun_path, path, n);
    return 0;
}

static void address_done(struct address *a)
{
    const int why = errno; /* of the call that needed it */

    if (a->dir >= 0)
        close(a->dir);
    errno = why;
}

int km_unix_connect(const char *path, int *ret_fd, struct km_err *err)
{
    struct address a;
    int r = address(path, &a, err), fd, done;

    if (r == KM_E_NOT_FOUND)
        return km_fail(err, KM_E_NOT_RUNNING, "no gateway is listening on '%s'", path);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    done = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a.un, sizeof a.un);
    address_done(&a);
    if (done == 0) {
        *ret_fd = fd;
        return 0;
    }
    if (fd < 0)
        return km_fail_errno(err, errno, "socket");
    r = errno == ENOENT || errno == ENOTDIR || errno == ECONNREFUSED
            ? km_fail(err, KM_E_NOT_RUNNING, "no gateway is listening on '%s'", path)
            : cannot(err, "connect to", path);
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
    struct address a;
    int r = clear_path(path, err), fd, done;

    if (r == 0)
        r = address(path, &a, err);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    done = fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&a.un, sizeof a.un) < 0 ||
           listen(fd, 64) < 0;
    address_done(&a);
    if (!done) {
        *ret_fd = fd;
        return 0;
    }
    r = cannot(err, "cannot listen on", path);
    if (fd >= 0)
        close(fd);
    return r;
}

static int lost(const char *what, struct km_err *err)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return km_fail(err, KM_E_UPSTREAM_TIMEOUT, "%s: no answer in time", what);
    if (errno == ECONNRESET || errno == EPIPE) /* it ended, with what it was sent unread */
        return km_fail(err, KM_E_UPSTREAM_CONNECT, "%s: the other end went away", what);
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

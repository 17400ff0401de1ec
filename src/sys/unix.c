/* SPDX-License-Identifier: Apache-2.0 */
/* unix.c - see unix.h.  A path left behind by a crash is told from one in use by connecting. */
#include "sys/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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

int km_unix_listen(const char *path, int *ret_fd, struct km_err *err)
{
    struct sockaddr_un un;
    int r = address(path, &un, err), fd, other;
    mode_t mask;

    if (r < 0)
        return r;
    if (km_unix_connect(path, &other, NULL) == 0) {
        close(other);
        return km_fail(err, KM_E_EXISTS, "another gateway is listening on '%s'", path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return km_fail_errno(err, errno, "socket");
    unlink(path);
    mask = umask(0177); /* the file is born 0600 */
    r = bind(fd, (struct sockaddr *)&un, sizeof un);
    umask(mask);
    if (r == 0)
        r = listen(fd, 64);
    if (r < 0) {
        r = km_fail_errno(err, errno, "listen on '%s'", path);
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* read_file.c - see read_file.h for the contract.
 *
 *     open (without waiting, where only a file will do) ── what is it? ── read to the end ── close
 *
 * What it is is asked of the descriptor: a path may be another thing a moment later.
 */
#include "sys/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 16384

static int fail(int error, struct km_err *err)
{
    const bool none = error == ENOENT || error == ENOTDIR;

    return km_fail(err, none ? KM_E_NOT_FOUND : KM_E_SYSTEM, "%s", strerror(error));
}

static int check_kind(const struct stat *st, enum km_file_kind kind, struct km_err *err)
{
    if (S_ISDIR(st->st_mode))
        return km_fail(err, KM_E_INVALID, "it is a directory");
    if (kind == KM_FILE_REGULAR && !S_ISREG(st->st_mode))
        return km_fail(err, KM_E_INVALID, "it is no regular file");
    return 0;
}

int km_file_check(const char *path, struct km_err *err)
{
    struct stat st;

    return stat(path, &st) < 0 ? 0 : check_kind(&st, KM_FILE_REGULAR, err);
}

int km_file_read_fd(int fd, enum km_file_kind kind, struct km_buf *out, struct km_err *err)
{
    char chunk[CHUNK];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return fail(errno, err);
    if (check_kind(&st, kind, err) < 0)
        return KM_E_INVALID;
    while ((n = read(fd, chunk, sizeof chunk)) != 0 && !km_buf_failed(out)) {
        if (n < 0 && errno != EINTR)
            break;
        km_buf_bytes(out, chunk, n > 0 ? (size_t)n : 0);
    }
    if (n < 0)
        return fail(errno, err);
    explicit_bzero(chunk, sizeof chunk); /* it may have been a key */
    return km_buf_failed(out) ? km_fail(err, KM_E_LIMIT, "it is over %zu bytes", out->max) : 0;
}

int km_file_read(const char *path, enum km_file_kind kind, struct km_buf *out, struct km_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | (kind == KM_FILE_REGULAR ? O_NONBLOCK : 0));
    int r;

    if (fd < 0)
        return fail(errno, err);
    r = km_file_read_fd(fd, kind, out, err);
    close(fd);
    return r;
}

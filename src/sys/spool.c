/* SPDX-License-Identifier: Apache-2.0 */
/* spool.c - see spool.h.
 *
 * O_TMPFILE where the file system has it, else a name that is taken away at once.  Room comes in
 * steps, each one call of the kernel that reserves blocks and writes nothing; what is copied into
 * the pages is written back by the kernel when it likes.
 */
#include "sys/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEP ((size_t)4 << 20)
#define PATH_BYTES 4096

struct km_spool {
    char *bytes;
    size_t most, room;
    int fd;
};

static int without_name(const char *dir)
{
    char path[PATH_BYTES];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    if ((size_t)snprintf(path, sizeof path, "%s/spool.XXXXXX", dir) >= sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

int km_spool_new(const char *dir, size_t most, struct km_spool **ret, struct km_err *err)
{
    struct km_spool *s = calloc(1, sizeof *s);
    void *bytes = MAP_FAILED;

    if (!s)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    s->fd = without_name(dir);
    s->most = (most + STEP - 1) / STEP * STEP;
    if (s->fd >= 0 && ftruncate(s->fd, (off_t)s->most) == 0)
        bytes = mmap(NULL, s->most, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (bytes == MAP_FAILED) {
        km_fail(err, KM_E_SYSTEM, "no temporary file in %s: %s", dir, strerror(errno));
        km_spool_free(s);
        return KM_E_SYSTEM;
    }
    s->bytes = bytes;
    *ret = s;
    return 0;
}

struct km_spool *km_spool_free(struct km_spool *s)
{
    if (!s)
        return NULL;
    if (s->bytes)
        (void)munmap(s->bytes, s->most);
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
    return NULL;
}

char *km_spool_bytes(struct km_spool *s)
{
    return s->bytes;
}

int km_spool_room(struct km_spool *s, size_t n, struct km_err *err)
{
    int failed;

    if (n > s->most)
        return km_fail(err, KM_E_LIMIT, "a temporary file of %zu bytes is full", s->most);
    while (s->room < n) {
        failed = posix_fallocate(s->fd, (off_t)s->room, (off_t)STEP);
        if (failed)
            return km_fail(err, KM_E_SYSTEM, "no room for a temporary file: %s", strerror(failed));
        s->room += STEP;
    }
    return 0;
}

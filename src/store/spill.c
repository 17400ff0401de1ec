/* SPDX-License-Identifier: Apache-2.0 */
/* spill.c - see spill.h for the contract.
 *
 *     [ header: magic, store, epoch, sum ][ frame: magic, bytes, seq, sum ][ bytes ][ frame ] ...
 *                                                                      anything else: the end
 *
 * The room of a file that was emptied is kept, so the remains of older frames lie behind the new
 * ones.  They can not be taken for frames of now: each sum begins with the epoch, sixteen random
 * bytes that the header gets when the file is emptied.  The same sum finds a frame whose write was
 * cut by a crash or by a full disk; the next frame is written over it.
 */
#include "store/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/time.h"

#define MAGIC "KMSPILL1"
#define FRAME_MAGIC 0x4b4d5346u
#define PARTS 8
#define PATH_BYTES 4096
#define STEP ((uint64_t)64 << 10) /* room is reserved in multiples of it */

struct header {
    char magic[8];
    struct km_uuid store, epoch;
    int64_t seq; /* frames are numbered from above it */
    uint8_t sum[KM_SHA256_LEN];
};

struct frame {
    uint32_t magic, bytes;
    int64_t seq;
    uint8_t sum[KM_SHA256_LEN]; /* of epoch, the fields above, bytes */
};

_Static_assert(sizeof(struct frame) == KM_SPILL_FRAME_HEAD, "others count with it");

struct km_spill {
    char path[PATH_BYTES];
    int fd;
    uint64_t max_bytes;
    _Atomic uint64_t end; /* where the next frame goes */
    _Atomic uint64_t reserved; /* bytes from the file's begin that have their blocks */
    struct header header;
    int64_t last;
    dev_t dev;
    ino_t ino;
};

static int write_all(int fd, const void *p, size_t n, uint64_t at)
{
    const char *from = p;

    while (n) {
        ssize_t put = pwrite(fd, from, n, (off_t)at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -ENOSPC;
        from += put;
        at += (uint64_t)put;
        n -= (size_t)put;
    }
    return 0;
}

/* false: the file ends before. */
static bool read_all(int fd, void *p, size_t n, uint64_t at)
{
    char *to = p;

    while (n) {
        ssize_t got = pread(fd, to, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

static void header_sum(const struct header *h, uint8_t out[KM_SHA256_LEN])
{
    km_sha256(km_str((const char *)h, offsetof(struct header, sum)), out);
}

static void frame_sum(const struct km_spill *s, const struct frame *f, const struct km_str *parts,
                      size_t n, uint8_t out[KM_SHA256_LEN])
{
    struct km_str all[PARTS + 2] = {
        { (const char *)s->header.epoch.b, sizeof s->header.epoch.b },
        { (const char *)f, offsetof(struct frame, sum) },
    };

    km_assert(n <= PARTS);
    for (size_t i = 0; i < n; i++)
        all[i + 2] = parts[i];
    km_sha256_parts(all, n + 2, out);
}

static int fail(const struct km_spill *s, const char *what, int error, struct km_err *err)
{
    return km_fail_errno(err, error, "cannot %s the spill file '%s'", what, s->path);
}

static int write_header(struct km_spill *s, int64_t seq, struct km_err *err)
{
    struct header h;
    int r;

    memset(&h, 0, sizeof h);
    memcpy(h.magic, MAGIC, sizeof h.magic);
    h.store = s->header.store;
    h.seq = seq;
    if (km_random(h.epoch.b, sizeof h.epoch.b, err) < 0)
        return KM_E_SYSTEM;
    header_sum(&h, h.sum);
    r = write_all(s->fd, &h, sizeof h, 0);
    if (r < 0)
        return fail(s, "write", -r, err);
    if (fdatasync(s->fd) != 0)
        return fail(s, "sync", errno, err);
    s->header = h;
    s->end = sizeof h;
    s->last = seq;
    return 0;
}

/* The next whole frame at *at, which moves behind it; its bytes are in buf. */
static bool next_frame(struct km_spill *s, uint64_t *at, struct frame *f, char *buf)
{
    uint8_t sum[KM_SHA256_LEN];
    struct km_str bytes;

    if (!read_all(s->fd, f, sizeof *f, *at) || f->magic != FRAME_MAGIC ||
        f->bytes > KM_SPILL_FRAME || !read_all(s->fd, buf, f->bytes, *at + sizeof *f))
        return false;
    bytes = km_str(buf, f->bytes);
    frame_sum(s, f, &bytes, 1, sum);
    if (memcmp(sum, f->sum, sizeof sum) != 0)
        return false;
    *at += sizeof *f + f->bytes;
    return true;
}

static int find_end(void *ctx, int64_t seq, struct km_str bytes, struct km_err *err)
{
    struct km_spill *s = ctx;

    (void)err;
    s->last = seq;
    s->end += sizeof(struct frame) + bytes.n;
    return 0;
}

static int set_aside(struct km_spill *s, char *ret_aside, struct km_err *err)
{
    (void)snprintf(ret_aside, PATH_BYTES, "%.*s.other-%lld", PATH_BYTES - 40, s->path,
                   (long long)(km_wall_us() / 1000000));
    if (rename(s->path, ret_aside) != 0)
        return fail(s, "move aside", errno, err);
    (void)close(s->fd);
    s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return s->fd < 0 ? fail(s, "open", errno, err) : 0;
}

static int begin(struct km_spill *s, const struct km_uuid *store_id, char *ret_aside,
                 struct km_err *err)
{
    uint8_t sum[KM_SHA256_LEN];
    struct header h;
    char first;
    int r = 0;

    s->header.store = *store_id;
    if (read_all(s->fd, &h, sizeof h, 0) && memcmp(h.magic, MAGIC, sizeof h.magic) == 0) {
        header_sum(&h, sum);
        if (memcmp(sum, h.sum, sizeof sum) == 0 &&
            memcmp(h.store.b, store_id->b, sizeof h.store.b) == 0) {
            s->header = h;
            s->end = sizeof h;
            s->last = h.seq;
            return km_spill_read(s, find_end, s, err);
        }
        r = set_aside(s, ret_aside, err);
    } else if (read_all(s->fd, &first, 1, 0) && first) {
        r = set_aside(s, ret_aside, err); /* something else: not ours to write over */
    }
    return r == 0 ? write_header(s, 0, err) : r;
}

/* --- room --- */

/* The blocks of a part of the file: a hole, which a full disk could refuse to fill, is none.  Where
 * the file system cannot do it zeros are written. */
static int allocate(const struct km_spill *s, uint64_t from, uint64_t to)
{
    int error;

    do
        error = posix_fallocate(s->fd, (off_t)from, (off_t)(to - from));
    while (error == EINTR);
    return error;
}

/* What the file had is ours, unless it has holes. */
static void keep_room(struct km_spill *s)
{
    uint64_t end = atomic_load(&s->end);
    struct stat st;

    atomic_store(&s->reserved, end);
    if (fstat(s->fd, &st) == 0 && (uint64_t)st.st_size > end &&
        allocate(s, 0, (uint64_t)st.st_size) == 0)
        atomic_store(&s->reserved, (uint64_t)st.st_size);
}

int km_spill_reserve(struct km_spill *s, uint64_t least, uint64_t want, struct km_err *err)
{
    uint64_t end = atomic_load(&s->end), have = end + km_spill_room(s), most = have;
    uint64_t to = (end + want + STEP - 1) / STEP * STEP;
    int error = ENOSPC;
    struct statvfs fs;

    if (fstatvfs(s->fd, &fs) == 0)
        most += (uint64_t)fs.f_bavail * fs.f_frsize / 8;
    if (most > s->max_bytes)
        most = s->max_bytes;
    if (to > most)
        to = most;
    if (to > have && (error = allocate(s, have, to)) == 0)
        atomic_store(&s->reserved, to);
    if (km_spill_room(s) >= least)
        return 0;
    if (end + least > s->max_bytes)
        return km_fail(err, KM_E_LIMIT, "the spill file '%s' may have %llu bytes", s->path,
                       (unsigned long long)s->max_bytes);
    return fail(s, "reserve room in", error ? error : ENOSPC, err);
}

uint64_t km_spill_room(const struct km_spill *s)
{
    uint64_t end = atomic_load(&s->end), reserved = atomic_load(&s->reserved);

    return reserved > end ? reserved - end : 0;
}

/* --- the file --- */

int km_spill_open(const char *path, const struct km_uuid *store_id, uint64_t max_bytes,
                  struct km_spill **ret_spill, char *ret_aside, struct km_err *err)
{
    struct km_spill *s = calloc(1, sizeof *s);
    struct stat st;
    int r = 0;

    ret_aside[0] = 0;
    if (!s)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    s->max_bytes = max_bytes;
    s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0)
        r = fail(s, "open", errno, err);
    if (r == 0)
        r = begin(s, store_id, ret_aside, err);
    if (r < 0) {
        km_spill_close(s);
        return r;
    }
    if (fstat(s->fd, &st) == 0) {
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
    keep_room(s);
    (void)!km_spill_reserve(s, 0, KM_SPILL_RESERVE, NULL); /* least 0: never fails */
    *ret_spill = s;
    return 0;
}

struct km_spill *km_spill_close(struct km_spill *s)
{
    if (!s)
        return NULL;
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
    return NULL;
}

int km_spill_append(struct km_spill *s, const struct km_str *parts, size_t n, struct km_err *err)
{
    struct frame f = { .magic = FRAME_MAGIC, .seq = s->last + 1 };
    uint64_t from = atomic_load(&s->end), at = from + sizeof f;
    size_t bytes = 0;
    int r = 0;

    for (size_t i = 0; i < n; i++)
        bytes += parts[i].n;
    km_assert(bytes <= KM_SPILL_FRAME);
    if (at + bytes > s->max_bytes)
        return km_fail(err, KM_E_LIMIT, "the spill file '%s' has reached %llu bytes", s->path,
                       (unsigned long long)s->max_bytes);
    if (!km_spill_is_there(s))
        return km_fail(err, KM_E_SYSTEM, "the spill file '%s' was deleted", s->path);
    f.bytes = (uint32_t)bytes;
    frame_sum(s, &f, parts, n, f.sum);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = write_all(s->fd, parts[i].p, parts[i].n, at);
        at += parts[i].n;
    }
    if (r == 0)
        r = write_all(s->fd, &f, sizeof f, from);
    if (r < 0)
        return fail(s, "write", -r, err);
    s->end = at;
    s->last = f.seq;
    return 0;
}

int km_spill_sync(struct km_spill *s, struct km_err *err)
{
    return fdatasync(s->fd) == 0 ? 0 : fail(s, "sync", errno, err);
}

int64_t km_spill_last(const struct km_spill *s)
{
    return s->last;
}

int km_spill_read(struct km_spill *s, km_spill_frame_fn *each, void *ctx, struct km_err *err)
{
    char *buf = malloc(KM_SPILL_FRAME);
    uint64_t at = sizeof s->header;
    int64_t last = s->header.seq;
    struct frame f;
    int r = 0;

    if (!buf)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    while (r == 0 && next_frame(s, &at, &f, buf) && f.seq == last + 1) {
        last = f.seq;
        r = each(ctx, f.seq, km_str(buf, f.bytes), err);
    }
    free(buf);
    return r;
}

int km_spill_reset(struct km_spill *s, int64_t last_seq, struct km_err *err)
{
    if (s->end == sizeof s->header && s->last >= last_seq)
        return 0;
    return write_header(s, s->last > last_seq ? s->last : last_seq, err);
}

uint64_t km_spill_bytes(const struct km_spill *s)
{
    return s->end - sizeof s->header;
}

bool km_spill_is_there(const struct km_spill *s)
{
    struct stat st;

    return stat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino;
}

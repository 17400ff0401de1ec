/* SPDX-License-Identifier: Apache-2.0 */
/* spill.c - see spill.h for the contract.
 *
 *     [ header: magic, store, epoch, sum ][ frame: magic, bytes, seq, sum ][ bytes ][ frame ] ...
 *                                                        nothing whole from here on: the end
 *
 * The room of a file that was emptied is kept, so the remains of older frames lie behind the new
 * ones.  They can not be taken for frames of now: each sum begins with the epoch, sixteen random
 * bytes that the header gets when the file is emptied.  The same sum finds a frame whose write was
 * cut by a crash or by a full disk; the next frame is written over it.  One that is not whole
 * before others that are is damage (spill_frames.c).
 */
#include "store/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/crypto.h"
#include "store/aside.h"
#include "store/spill_frames.h"

#define PATH_BYTES KM_PLACE_PATH
#define TRIES 8 /* to open it while others move it */
#define STEP ((uint64_t)64 << 10) /* room is reserved in multiples of it */

struct km_spill {
    char path[PATH_BYTES];
    int fd;
    uint64_t max_bytes;
    _Atomic uint64_t end; /* where the next frame goes */
    _Atomic uint64_t reserved; /* bytes from the file's begin that have their blocks */
    struct km_spill_header header;
    int64_t last;
    int64_t missing; /* frames that were there when it was opened, and could not be read */
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

static int fail(const struct km_spill *s, const char *what, int error, struct km_err *err)
{
    return km_fail_errno(err, error, "cannot %s the spill file '%s'", what, s->path);
}

static int write_header(struct km_spill *s, int64_t seq, struct km_err *err)
{
    struct km_spill_header h;
    int r;

    memset(&h, 0, sizeof h);
    memcpy(h.magic, KM_SPILL_MAGIC, sizeof h.magic);
    h.store = s->header.store;
    h.seq = seq;
    if (km_random(h.epoch.b, sizeof h.epoch.b, err) < 0)
        return KM_E_SYSTEM;
    km_spill_header_sum(&h, h.sum);
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

static bool is_named(const struct km_spill *s)
{
    struct stat st, named;

    return fstat(s->fd, &st) == 0 && stat(s->path, &named) == 0 && st.st_dev == named.st_dev &&
           st.st_ino == named.st_ino;
}

/* One process at a time has it, whichever store is its own: the lock goes with the open file. */
static int open_file(struct km_spill *s, struct km_err *err)
{
    for (int i = 0; i < TRIES; i++) {
        s->fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (s->fd < 0)
            return fail(s, "open", errno, err);
        if (flock(s->fd, LOCK_EX | LOCK_NB) != 0)
            return km_fail(
                err, KM_E_EXISTS,
                "the spill file '%.200s' is in use by another gateway: give each its own "
                "kanmon_settings.store_spill",
                s->path);
        if (is_named(s))
            return 0;
        (void)close(s->fd); /* it was moved away meanwhile */
    }
    s->fd = -1;
    return fail(s, "lock", EAGAIN, err);
}

int km_spill_set_aside(struct km_spill *s, const char *kind, char ret_name[KM_PLACE_PATH],
                       struct km_err *err)
{
    return km_aside(s->path, s->path, kind, ret_name, err);
}

static bool is_own_header(const struct km_spill *s, int fd, struct km_spill_header *ret)
{
    uint8_t sum[KM_SHA256_LEN];

    if (!km_spill_read_at(fd, ret, sizeof *ret, 0) ||
        memcmp(ret->magic, KM_SPILL_MAGIC, sizeof ret->magic) != 0)
        return false;
    km_spill_header_sum(ret, sum);
    return memcmp(sum, ret->sum, sizeof sum) == 0 &&
           memcmp(ret->store.b, s->header.store.b, sizeof ret->store.b) == 0;
}

/* At the first frame.  r->buf is the caller's to free. */
static int begin_read(int fd, const struct km_spill_header *h, uint64_t limit, struct km_frames *r,
                      struct km_err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return km_fail_errno(err, errno, "cannot look at the spill file");
    *r = (struct km_frames){ .fd = fd,
                             .header = h,
                             .buf = malloc(KM_SPILL_FRAME),
                             .at = sizeof *h,
                             .limit = limit,
                             .last = h->seq };
    if (r->limit > (uint64_t)st.st_size)
        r->limit = (uint64_t)st.st_size;
    return r->buf ? 0 : km_fail(err, KM_E_NOMEM, "store: out of memory");
}

/* Has the file of this name frames of our store, above this number? */
static bool has_own(const struct km_spill *s, const char *name, int64_t above)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    struct km_spill_header h;
    struct km_spill_frame f;
    struct km_frames r = { .last = -1 };

    if (fd >= 0 && is_own_header(s, fd, &h) && begin_read(fd, &h, UINT64_MAX, &r, NULL) == 0)
        while (km_frames_next(&r, &f))
            ;
    free(r.buf);
    if (fd >= 0)
        (void)close(fd);
    return r.last > above;
}

bool km_spill_find_aside(const struct km_spill *s, int64_t above, char ret_name[KM_PLACE_PATH])
{
    char pattern[PATH_BYTES + 16];
    glob_t names = { 0 };
    bool found = false;

    (void)snprintf(pattern, sizeof pattern, "%s.other-*", s->path);
    if (glob(pattern, 0, NULL, &names) == 0)
        for (size_t i = 0; !found && i < names.gl_pathc; i++) {
            found = has_own(s, names.gl_pathv[i], above);
            (void)snprintf(ret_name, KM_PLACE_PATH, "%s", names.gl_pathv[i]);
        }
    globfree(&names);
    return found;
}

/* Our own, which was moved aside when another store lay here, is put back; else there is none. */
static int take_back(struct km_spill *s, struct km_err *err)
{
    char own[PATH_BYTES];

    if (km_spill_find_aside(s, -1, own) && rename(own, s->path) != 0)
        return fail(s, "put back", errno, err);
    (void)close(s->fd);
    return open_file(s, err);
}

static int find_end(struct km_spill *s, struct km_err *err)
{
    struct km_spill_frame f;
    struct km_frames r;
    int code = begin_read(s->fd, &s->header, UINT64_MAX, &r, err);

    if (code < 0)
        return code;
    while (km_frames_next(&r, &f))
        ;
    free(r.buf);
    s->end = r.at;
    s->last = r.last;
    s->missing = r.missing;
    return 0;
}

static int begin(struct km_spill *s, const struct km_uuid *store_id, int64_t above, char *ret_aside,
                 struct km_err *err)
{
    struct km_spill_header h;
    char first = 0;
    int r = 0;

    s->header.store = *store_id;
    if (!is_own_header(s, s->fd, &h)) {
        /* Another store's, or something else: not ours to write over. */
        if (km_spill_read_at(s->fd, &first, 1, 0) && first)
            r = km_spill_set_aside(s, "other", ret_aside, err);
        if (r == 0)
            r = take_back(s, err);
    }
    if (r == 0 && is_own_header(s, s->fd, &h)) {
        s->header = h;
        return find_end(s, err);
    }
    return r == 0 ? write_header(s, above, err) : r;
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
                  int64_t above, struct km_spill **ret_spill, char *ret_aside, struct km_err *err)
{
    struct km_spill *s = calloc(1, sizeof *s);
    struct stat st;
    int r;

    ret_aside[0] = 0;
    if (!s)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    s->max_bytes = max_bytes;
    r = open_file(s, err);
    if (r == 0)
        r = begin(s, store_id, above, ret_aside, err);
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
    struct km_spill_frame f = { .magic = KM_SPILL_FRAME_MAGIC, .seq = s->last + 1 };
    uint64_t from = atomic_load(&s->end), at = from + sizeof f;
    size_t bytes = 0;
    int r = 0;

    for (size_t i = 0; i < n; i++)
        bytes += parts[i].n;
    km_assert(bytes <= KM_SPILL_FRAME);
    if (at + bytes > s->max_bytes)
        return km_fail(err, KM_E_LIMIT, "the spill file '%s' has reached %llu bytes", s->path,
                       (unsigned long long)s->max_bytes);
    if (km_spill_look(s) != KM_SPILL_THERE)
        return km_fail(err, KM_E_SYSTEM, "the spill file '%s' was deleted or cut short", s->path);
    f.bytes = (uint32_t)bytes;
    km_spill_frame_sum(&s->header, &f, parts, n, f.sum);
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
    struct km_spill_frame f;
    struct km_frames reader;
    int r = begin_read(s->fd, &s->header, atomic_load(&s->end), &reader, err);

    if (r < 0)
        return r;
    while (r == 0 && km_frames_next(&reader, &f))
        r = each(ctx, f.seq, km_str(reader.buf, f.bytes), err);
    free(reader.buf);
    return r;
}

struct copy {
    struct km_spill *to;
    int64_t n;
};

static int add_frame(void *ctx, int64_t seq, struct km_str bytes, struct km_err *err)
{
    struct copy *c = ctx;

    c->n++;
    if (seq <= c->to->last)
        return 0;
    c->to->last = seq - 1;
    return km_spill_append(c->to, &bytes, 1, err);
}

int km_spill_copy(struct km_spill *from, struct km_spill *to, int64_t *ret_lost, struct km_err *err)
{
    struct copy c = { .to = to };
    int r = km_spill_read(from, add_frame, &c, err);

    if (r == 0)
        r = km_spill_sync(to, err);
    if (to->last < from->last)
        to->last = from->last; /* of one that is lost: it is not given again */
    *ret_lost = from->last - from->header.seq - c.n;
    return r;
}

int km_spill_reset(struct km_spill *s, int64_t last_seq, struct km_err *err)
{
    if (s->end == sizeof s->header && s->last >= last_seq)
        return 0;
    s->missing = 0;
    return write_header(s, s->last > last_seq ? s->last : last_seq, err);
}

uint64_t km_spill_bytes(const struct km_spill *s)
{
    return s->end - sizeof s->header;
}

int64_t km_spill_missing(const struct km_spill *s)
{
    return s->missing;
}

int64_t km_spill_first(const struct km_spill *s)
{
    return s->header.seq + 1;
}

enum km_spill_state km_spill_look(const struct km_spill *s)
{
    uint64_t end = atomic_load(&s->end), reserved = atomic_load(&s->reserved);
    struct stat st;

    if (stat(s->path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR ? KM_SPILL_GONE : KM_SPILL_THERE;
    if (st.st_dev != s->dev || st.st_ino != s->ino)
        return KM_SPILL_GONE;
    return (uint64_t)st.st_size < (end > reserved ? end : reserved) ? KM_SPILL_CUT : KM_SPILL_THERE;
}

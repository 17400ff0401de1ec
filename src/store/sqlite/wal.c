/* SPDX-License-Identifier: Apache-2.0 */
/* wal.c - see wal.h for the contract.
 *
 * SQLite knows from its index in shared memory how many frames the log has, and never looks whether
 * they are there.  When the log is cut from outside it goes on writing behind them, so the file has
 * its old size again and a hole in it, or none of its header: no crash's recovery takes what comes
 * behind, and a checkpoint would copy zeros into the store.
 *
 *     [ header: magic, page size, salts, sum ][ frame: salts, sum ][ page ][ frame ][ page ] ...
 *                                               seen whole ------^  new: each is read, and its sum
 *
 * A hole begins where the log was cut and ends where SQLite was: it covers the last frame that was
 * seen, or one that came later.  So that one is read again, and each later one, once.  The frames
 * of the index stay where they are for as long as its salts do, and these change before the file is
 * written anew: only what contradicts the index before and after is broken.
 */
#include "store/sqlite/wal.h"

#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADER 32
#define FRAME_HEAD 24
#define MAGIC 0x377f0682u /* and one more: sums of words with the high byte first */
#define INDEX_REGION 32768

/* The first 48 bytes of the index, of which there are two copies (SQLite's walformat). */
struct index {
    uint32_t version, unused, change;
    uint8_t is_init, big_sums;
    uint16_t page; /* 1: 65,536 */
    uint32_t frames, pages, frame_sum[2];
    uint8_t salt[8];
    uint32_t sum[2];
};

_Static_assert(sizeof(struct index) == 48, "as it lies there");

struct sums {
    uint32_t a, b;
};

static inline uint32_t word(const uint8_t *p, bool big)
{
    uint32_t w;

    memcpy(&w, p, sizeof w);
    return big ? be32toh(w) : le32toh(w);
}

static inline void add_words(struct sums *s, const uint8_t *p, size_t n, bool big)
{
    uint32_t a = s->a, b = s->b; /* not written back each time: p may point anywhere */

    for (const uint8_t *end = p + n; p < end; p += 8) {
        a += word(p, big) + b;
        b += word(p + 4, big) + a;
    }
    *s = (struct sums){ a, b };
}

/* A loop for each order: every page that is committed passes here. */
static void add(struct sums *s, const uint8_t *p, size_t n, bool big)
{
    if (big)
        add_words(s, p, n, true);
    else
        add_words(s, p, n, false);
}

static void copy(const volatile uint32_t *from, struct index *to)
{
    uint32_t words[sizeof *to / 4];

    for (size_t i = 0; i < sizeof words / 4; i++)
        words[i] = from[i];
    memcpy(to, words, sizeof words);
}

/* false: it cannot be read, or is being written just now. */
static bool read_index(sqlite3 *db, struct index *ret)
{
    volatile void *at = NULL;
    struct index second;
    sqlite3_file *f = NULL;

    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&f) != SQLITE_OK ||
        !f || !f->pMethods || f->pMethods->iVersion < 2 || !f->pMethods->xShmMap ||
        f->pMethods->xShmMap(f, 0, INDEX_REGION, 0, &at) != SQLITE_OK || !at)
        return false;
    copy(at, ret);
    f->pMethods->xShmBarrier(f);
    copy((const volatile uint32_t *)at + sizeof second / 4, &second);
    return memcmp(ret, &second, sizeof second) == 0 && ret->is_init && ret->page;
}

static bool read_at(int fd, uint8_t *p, size_t n, uint64_t at)
{
    return pread(fd, p, n, (off_t)at) == (ssize_t)n;
}

/* One frame with its page in buf, and *sums those of all before it: they become its own. */
static bool is_whole(int fd, uint64_t at, size_t page, const struct index *index, uint8_t *buf,
                     struct sums *sums)
{
    bool big = index->big_sums;

    if (!read_at(fd, buf, FRAME_HEAD + page, at) || memcmp(buf + 8, index->salt, 8) != 0)
        return false;
    add(sums, buf, 8, big);
    add(sums, buf + FRAME_HEAD, page, big);
    return word(buf + 16, true) == sums->a && word(buf + 20, true) == sums->b;
}

/* The header, and the frames of the index from this one (1: the first) on. */
static bool has_frames(int fd, const struct index *index, uint32_t from)
{
    size_t page = index->page == 1 ? 65536 : index->page;
    uint64_t at = HEADER + (uint64_t)(from - 1) * (FRAME_HEAD + page);
    uint8_t head[HEADER], *buf = malloc(FRAME_HEAD + page);
    struct sums sums;
    bool ok;

    if (!buf)
        return true; /* nothing is known */
    ok = read_at(fd, head, sizeof head, 0) && (word(head, true) & ~1u) == MAGIC &&
         word(head + 8, true) == page && memcmp(head + 16, index->salt, 8) == 0;
    sums = (struct sums){ word(head + 24, true), word(head + 28, true) };
    if (ok && from > 1) {
        ok = read_at(fd, head, FRAME_HEAD, at - FRAME_HEAD - page);
        sums = (struct sums){ word(head + 16, true), word(head + 20, true) };
    }
    for (uint32_t i = from; ok && i <= index->frames; i++, at += FRAME_HEAD + page)
        ok = is_whole(fd, at, page, index, buf, &sums);
    free(buf);
    return ok;
}

static bool is_same_life(const struct km_wal *w, const struct index *index)
{
    return w->known && memcmp(w->salt, index->salt, sizeof w->salt) == 0;
}

bool km_wal_is_broken(struct km_wal *w, sqlite3 *db, const char *path)
{
    struct index index, after;
    uint32_t from = 1;
    bool ok;
    int fd;

    if (!read_index(db, &index))
        return false;
    if (is_same_life(w, &index))
        from = w->frames ? w->frames : 1;
    else if (!w->known) /* SQLite has read all of it when it was opened */
        from = index.frames ? index.frames : 1;
    if (index.frames) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return false; /* whether there is one is another's question */
        ok = index.frames >= from && has_frames(fd, &index, from);
        (void)close(fd);
        if (!ok)
            return read_index(db, &after) && after.frames >= index.frames &&
                   memcmp(after.salt, index.salt, sizeof after.salt) == 0;
    }
    w->known = true;
    w->frames = index.frames;
    memcpy(w->salt, index.salt, sizeof w->salt);
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* spill_frames.c - see spill_frames.h for the contract.
 *
 *     [ whole ][ whole ][ XXXXX ][ whole ] anything
 *                       ^ looked through, byte by byte, for one that is whole
 *
 * The end of the frames is where none is whole from there on.  Numbers that are missing before one
 * that is, and a head of the next number without its bytes, are damage: a process that dies leaves
 * no such thing, for it writes the bytes first and the head then.
 */
#include "store/spill_frames.h"

#include <errno.h>
#include <unistd.h>

#define WINDOW 65536 /* bytes looked through at a time */

bool km_spill_read_at(int fd, void *p, size_t n, uint64_t at)
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

void km_spill_header_sum(const struct km_spill_header *h, uint8_t out[KM_SHA256_LEN])
{
    km_sha256(km_str((const char *)h, offsetof(struct km_spill_header, sum)), out);
}

void km_spill_frame_sum(const struct km_spill_header *h, const struct km_spill_frame *f,
                        const struct km_str *parts, size_t n, uint8_t out[KM_SHA256_LEN])
{
    struct km_str all[KM_SPILL_PARTS + 2] = {
        { (const char *)h->epoch.b, sizeof h->epoch.b },
        { (const char *)f, offsetof(struct km_spill_frame, sum) },
    };

    km_assert(n <= KM_SPILL_PARTS);
    for (size_t i = 0; i < n; i++)
        all[i + 2] = parts[i];
    km_sha256_parts(all, n + 2, out);
}

/* A whole frame at this place, with a number above the last one's. */
static bool is_whole(const struct km_frames *r, uint64_t at, struct km_spill_frame *f)
{
    uint8_t sum[KM_SHA256_LEN];
    struct km_str bytes;

    if (at + sizeof *f > r->limit || !km_spill_read_at(r->fd, f, sizeof *f, at) ||
        f->magic != KM_SPILL_FRAME_MAGIC || f->bytes > KM_SPILL_FRAME || f->seq <= r->last ||
        f->bytes > r->limit - at - sizeof *f ||
        !km_spill_read_at(r->fd, r->buf, f->bytes, at + sizeof *f))
        return false;
    bytes = km_str(r->buf, f->bytes);
    km_spill_frame_sum(r->header, f, &bytes, 1, sum);
    return memcmp(sum, f->sum, sizeof sum) == 0;
}

/* The first whole frame from *at on. */
static bool find(const struct km_frames *r, uint64_t *at, struct km_spill_frame *f)
{
    static const uint32_t magic = KM_SPILL_FRAME_MAGIC;
    char window[WINDOW];
    size_t n;

    for (uint64_t from = *at; from + sizeof *f <= r->limit; from += n - sizeof magic + 1) {
        n = r->limit - from < sizeof window ? (size_t)(r->limit - from) : sizeof window;
        if (!km_spill_read_at(r->fd, window, n, from))
            return false;
        for (const char *p = window;
             (p = memmem(p, (size_t)(window + n - p), &magic, sizeof magic)); p++) {
            *at = from + (uint64_t)(p - window);
            if (is_whole(r, *at, f))
                return true;
        }
    }
    return false;
}

/* The head of the frame that should be here, though what it says of it is wrong.  Remains of what
 * lay there before the file was emptied have numbers up to the header's. */
static bool has_head(const struct km_frames *r)
{
    struct km_spill_frame f;

    return r->at + sizeof f <= r->limit && km_spill_read_at(r->fd, &f, sizeof f, r->at) &&
           (f.seq == r->last + 1 || (f.magic == KM_SPILL_FRAME_MAGIC && f.seq > r->header->seq));
}

bool km_frames_next(struct km_frames *r, struct km_spill_frame *ret_frame)
{
    uint64_t at = r->at;

    if (!is_whole(r, at, ret_frame) && (at++, !find(r, &at, ret_frame))) {
        if (has_head(r)) {
            r->missing++;
            r->last++;
            r->at += sizeof *ret_frame;
        }
        r->limit = r->at; /* the end */
        return false;
    }
    r->missing += ret_frame->seq - r->last - 1;
    r->last = ret_frame->seq;
    r->at = at + sizeof *ret_frame + ret_frame->bytes;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* spill_frames.h - what lies in a spill file, and reading it whatever happened to it. */
#ifndef KM_STORE_SPILL_FRAMES_H
#define KM_STORE_SPILL_FRAMES_H

#include "base/crypto.h"
#include "store/spill.h"

#define KM_SPILL_MAGIC "KMSPILL1"
#define KM_SPILL_FRAME_MAGIC 0x4b4d5346u
#define KM_SPILL_PARTS 8

struct km_spill_header {
    char magic[8];
    struct km_uuid store, epoch;
    int64_t seq; /* frames are numbered from above it */
    uint8_t sum[KM_SHA256_LEN];
};

struct km_spill_frame {
    uint32_t magic, bytes;
    int64_t seq;
    uint8_t sum[KM_SHA256_LEN]; /* of epoch, the fields above, bytes */
};

_Static_assert(sizeof(struct km_spill_frame) == KM_SPILL_FRAME_HEAD, "others count with it");

/* false: the file ends before. */
bool km_spill_read_at(int fd, void *p, size_t n, uint64_t at);

void km_spill_header_sum(const struct km_spill_header *h, uint8_t out[KM_SHA256_LEN]);
/* n: at most KM_SPILL_PARTS. */
void km_spill_frame_sum(const struct km_spill_header *h, const struct km_spill_frame *f,
                        const struct km_str *parts, size_t n, uint8_t out[KM_SHA256_LEN]);

/* Where a reader is.  fd, header, buf (KM_SPILL_FRAME bytes), at, limit and last are the caller's
 * to set. */
struct km_frames {
    int fd;
    const struct km_spill_header *header;
    char *buf; /* the bytes of the frame read last */
    uint64_t at, limit; /* the next frame is looked for here, and not from there on */
    int64_t last; /* number of the last one, also of one that could not be read */
    int64_t missing; /* frames that were there and are not whole */
};

/* The next whole frame, which may lie behind damage. */
bool km_frames_next(struct km_frames *r, struct km_spill_frame *ret_frame);

#endif

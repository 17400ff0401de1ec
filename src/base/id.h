/* SPDX-License-Identifier: Apache-2.0 */
/* id.h - UUID version 7 (RFC 9562): 48 bits of milliseconds, then random.  Ids made by one
 * thread in one millisecond still increase (the 12-bit rand_a is a counter). */
#ifndef KM_BASE_ID_H
#define KM_BASE_ID_H

#include "base/str.h"

#define KM_UUID_LEN 36

struct km_uuid {
    uint8_t b[16];
};

/* State of one generator: one a thread.  Random bytes are drawn in blocks. */
struct km_idgen {
    uint64_t last_ms;
    unsigned counter;
    size_t left;
    uint8_t pool[512];
};

void km_idgen_init(struct km_idgen *g);
struct km_uuid km_uuid7(struct km_idgen *g);
struct km_uuid km_uuid7_at(struct km_idgen *g, int64_t wall_us); /* who has the time already */
void km_uuid_text(const struct km_uuid *id, char out[KM_UUID_LEN + 1]);
int km_uuid_parse(struct km_str s, struct km_uuid *ret_id) KM_MUST_USE;

#endif

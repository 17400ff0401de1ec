/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.h - many bytes looked at together, for walks over megabytes: images in requests.
 *
 * Vectors as gcc and clang have them, for any processor: no intrinsics.  A run is told in whole
 * chunks: it says of how many bytes from the start on all are of a kind, and who wants the place
 * of the first that is not looks at the few bytes behind it one by one.
 */
#ifndef KM_BASE_CHUNK_H
#define KM_BASE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KM_CHUNK_BYTES 64 /* a cache line */

/* So many bytes from p on, at most n and a multiple of KM_CHUNK_BYTES, are ... */
size_t km_run_plain(const char *p, size_t n); /* 0x20 to 0x7e, no quote, no backslash */
size_t km_run_base64(const char *p, size_t n); /* letters, digits, '+', '/' */
size_t km_run_ascii(const char *p, size_t n); /* below 0x80 */

#define KM_LANE_BYTES 16

typedef signed char km_lane __attribute__((vector_size(KM_LANE_BYTES)));
typedef uint64_t km_lane_halves __attribute__((vector_size(KM_LANE_BYTES)));

static inline km_lane km_lane_at(const char *p)
{
    km_lane v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Is any byte of a comparison's result set? */
static inline bool km_lane_any(km_lane v)
{
    const km_lane_halves h = (km_lane_halves)v;

    return (h[0] | h[1]) != 0;
}

#endif

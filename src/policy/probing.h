/* SPDX-License-Identifier: Apache-2.0 */
/* probing.h - whose turn a health check is, and when: every deployment once an interval, evenly.
 *
 *     interval 300 s, three of five may be asked: one each 100 s, in the order of the file
 *
 * And what is known of one by its checks: two words, which all workers read.
 */
#ifndef KM_POLICY_PROBING_H
#define KM_POLICY_PROBING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KM_PROBE_LEAST_MS 5 /* between two, however many there are */

/* The next from `at` on that may be asked; n: none may. */
size_t km_probing_next(size_t at, size_t n, bool (*may)(const void *ctx, size_t i),
                       const void *ctx);
/* How long until the next, where so many are asked. */
uint64_t km_probing_gap_ms(uint64_t interval_ms, size_t asked);

enum km_probe_verdict { KM_PROBE_UNKNOWN, KM_PROBE_WELL, KM_PROBE_ILL };

struct km_probe_state {
    _Atomic uint64_t at_ms; /* of the last, monotonic */
    _Atomic int status; /* what it was answered with; 0: nothing */
    _Atomic int verdict; /* enum km_probe_verdict */
};

/* A full deployment (429) works, and a caller's fault is ours: neither is ill. */
enum km_probe_verdict km_probing_judge(int status);
const char *km_probing_word(enum km_probe_verdict verdict);
void km_probing_tell(struct km_probe_state *s, int status, uint64_t now_ms);
enum km_probe_verdict km_probing_verdict(const struct km_probe_state *s);

#endif

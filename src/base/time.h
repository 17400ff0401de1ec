/* SPDX-License-Identifier: Apache-2.0 */
/* time.h - two clocks and their texts.  Waits use the monotonic clock, records the wall. */
#ifndef KM_BASE_TIME_H
#define KM_BASE_TIME_H

#include "base/buf.h"

uint64_t km_mono_ns(void);
uint64_t km_mono_ms(void);
int64_t km_wall_us(void); /* microseconds since 1970-01-01T00:00:00Z */

#define KM_TIME_ISO_LEN 27  /* "2026-11-20T07:46:00.123456Z" */
#define KM_TIME_HTTP_LEN 29 /* "Fri, 20 Nov 2026 07:46:00 GMT" */
void km_time_iso(int64_t wall_us, char out[KM_TIME_ISO_LEN + 1]);
void km_time_http(int64_t wall_us, char out[KM_TIME_HTTP_LEN + 1]);

/* RFC 3339 with any fraction and zone ("2026-11-20T07:46:00Z", "... +09:00"), or a date.
 * No zone is UTC, as in the times LiteLLM writes. */
int km_time_parse_iso(struct km_str s, int64_t *ret_wall_us) KM_MUST_USE;
int km_time_parse_http(struct km_str s, int64_t *ret_wall_us) KM_MUST_USE;

/* LiteLLM durations: "30s", "30m", "30h", "30d", "1w", "1mo" (30 days); seconds out. */
int km_time_parse_duration(struct km_str s, int64_t *ret_seconds) KM_MUST_USE;

/* A moment as people say it: one of the above, a length of time before now, or "now". */
int km_time_parse_when(struct km_str s, int64_t now_us, int64_t *ret_wall_us) KM_MUST_USE;

/* The next reset of a budget window that began at now, aligned as LiteLLM's: 1d and 24h to
 * the next midnight UTC, 7d/1w to Monday 00:00, 30d/1mo to the first of the next month;
 * any other length is now + length. */
int64_t km_time_budget_reset(int64_t now_us, int64_t duration_s);

/* Windows of one length follow each other for ever, in both directions: an end tells them all.
 * The end of the one that at_us is in; and where the one with this end began. */
int64_t km_time_budget_end(int64_t at_us, int64_t duration_s, int64_t any_end_us);
int64_t km_time_budget_begin(int64_t end_us, int64_t duration_s);
/* Do both ends tell the same windows? */
bool km_time_budget_same(int64_t duration_s, int64_t end_us, int64_t other_end_us);

#endif

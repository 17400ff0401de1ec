/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - what a deployment has to do, and how fast it is: what strategies choose by.
 *
 * Counted only where the strategy asks for it.  Atomics; shared by all workers.  Windows of a
 * minute begin with the clock's, as LiteLLM's do.
 */
#ifndef KM_POLICY_LOAD_H
#define KM_POLICY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/window.h"

struct km_load {
    _Atomic int64_t running; /* attempts that are out */
    _Atomic uint64_t requests, tokens; /* of this minute: see load.c */
    _Atomic uint64_t whole_us, first_us; /* a token of an answer, and the first byte of a stream */
    _Atomic uint64_t took_us; /* a whole answer */
    struct km_window outcomes; /* of attempts that say something of it, and failures among them */
    _Atomic uint64_t learnt_ms; /* when these were learnt last; 0: never */
};

/* An attempt leaves for it. */
void km_load_begin(struct km_load *l, uint64_t now_ms);

struct km_load_end {
    bool good; /* it was answered well; else it only ran */
    bool timed_out;
    bool failed; /* by its own fault */
    int64_t tokens; /* in and out */
    int64_t tokens_out;
    uint64_t took_us; /* until its end */
    uint64_t first_us; /* of a stream: until its first byte; 0: it was none */
};

/* It is over.  Once for each that began. */
void km_load_end(struct km_load *l, const struct km_load_end *end, uint64_t now_ms);

int64_t km_load_running(const struct km_load *l);
uint64_t km_load_requests(const struct km_load *l, uint64_t now_ms); /* of this minute */
uint64_t km_load_tokens(const struct km_load *l, uint64_t now_ms);
/* Microseconds: to the first byte of a stream, else by a token of a whole answer; 0: not known, or
 * older than ttl_ms. */
uint64_t km_load_latency_us(const struct km_load *l, bool stream, uint64_t ttl_ms, uint64_t now_ms);
/* The same, but by a whole answer instead of a token of one. */
uint64_t km_load_took_us(const struct km_load *l, bool stream, uint64_t ttl_ms, uint64_t now_ms);

#endif

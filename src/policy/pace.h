/* SPDX-License-Identifier: Apache-2.0 */
/* pace.h - what is learnt of a deployment from what its calls reported: how many tokens a text has
 * there, how fast it writes, how much it mostly writes.  Estimates stand on it.
 *
 *     learn      calls whose usage was reported
 *     ask        before a call (what to reserve), and when one ended that nobody counted
 *
 * Kept by the deployment's id for as long as the process lives, beyond reloads.  Atomics: any
 * thread, no lock; what two threads learn at once may count once.
 */
#ifndef KM_POLICY_PACE_H
#define KM_POLICY_PACE_H

#include "base/str.h"

#define KM_PACE_RATE_UNKNOWN 50 /* tokens a second, without measurements */
#define KM_PACE_CALLS_KNOWN 20 /* that many calls make its estimates calibrated */

/* What a text is made of, as far as it matters for its tokens; of a long text by samples. */
struct km_text_size {
    int64_t letters; /* of ASCII */
    int64_t words; /* runs of them */
    int64_t digits;
    int64_t marks; /* other ASCII but blanks, and but the quotes of JSON's strings */
    int64_t strings; /* of JSON, names of members too */
    int64_t lines; /* ends of lines in them */
    int64_t wide; /* characters of scripts written without blanks, CJK mostly */
    int64_t other; /* characters of other scripts */
    int64_t media_bytes; /* base64 of media: it is no text */
    int64_t media; /* how many of them */
    int64_t media_tokens; /* what they count for: mostly less */
};

struct km_pace;
struct km_paces; /* by deployment id */

struct km_paces *km_paces_new(void); /* NULL: no memory */
struct km_paces *km_paces_free(struct km_paces *p);
/* The same one for the same id, made when it is first asked for; lives as long as p.  NULL: no
 * memory. */
struct km_pace *km_paces_of(struct km_paces *p, struct km_str id);

/* Of JSON text: a request's body, or a part of one.  Anything else is measured as well as it
 * goes. */
struct km_text_size km_text_measure(struct km_str json);
/* A text that has another behind it. */
void km_text_add(struct km_text_size *size, const struct km_text_size *more);

/* Tokens of a request's body; never less than 1 of a text that is not empty.  p NULL: nothing is
 * known. */
int64_t km_pace_input(const struct km_pace *p, const struct km_text_size *size);
/* Tokens of a bare text, of an answer: without what a request has about it. */
int64_t km_pace_text(const struct km_pace *p, const struct km_text_size *size);
/* Text of an answer, of which the pieces come one after the other: as JSON has them, or bare. */
struct km_text_heard {
    struct km_text_size size; /* of what is measured */
    uint64_t bytes; /* of all pieces */
    size_t n;
    char part[256]; /* what is not yet */
};
void km_text_hear(struct km_text_heard *h, struct km_str piece);
/* Tokens of all of it, never less than 1 of what is not empty. */
int64_t km_pace_heard(const struct km_pace *p, const struct km_text_heard *h);
/* What is reserved for as many by estimate: a quarter more, and 256. */
int64_t km_pace_reserve(int64_t estimate);
/* Milli-tokens a second. */
int64_t km_pace_rate(const struct km_pace *p);
/* Tokens; 0: not known. */
int64_t km_pace_median_output(const struct km_pace *p);

/* A call whose usage was reported: prompt tokens of that text, those read from a cache or written
 * to one included.  Not to be told: a count that was clamped or estimated.  Media teach nothing. */
void km_pace_learn_input(struct km_pace *p, const struct km_text_size *size, int64_t prompt_tokens);
/* It wrote so much in so long, from when the request began to leave to the answer's last byte. */
void km_pace_learn_output(struct km_pace *p, int64_t completion_tokens, uint64_t upstream_ms);

#endif

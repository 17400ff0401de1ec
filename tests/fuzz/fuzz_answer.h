/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_answer.h - answers in a dialect that kanmon both reads and writes.
 *
 *     bytes ── framer ── event(), end() ── encoder ──> out
 *
 * A stream cut in pieces must give the same as whole, and what was written of a complete one must
 * be read again as one that is complete and has nothing less.
 */
#ifndef KM_TESTS_FUZZ_ANSWER_H
#define KM_TESTS_FUZZ_ANSWER_H

#include "fuzz.h"
#include "llm/codec.h"

#define MAX_INPUT ((size_t)1 << 16)
#define ARENA ((size_t)64 << 20)

/* What is fuzzed. */
struct dialect {
    const struct km_encoder *encoder;
    int (*event)(struct km_decode *d, const struct km_frame_event *e, struct km_err *err);
    int (*end)(struct km_decode *d, struct km_err *err);
    size_t state_size; /* of event() */
    const char *model; /* whose capabilities count */
};

struct reading {
    const struct dialect *dialect;
    struct km_arena arena, scratch;
    struct km_buf out;
    struct km_answer answer;
    struct km_decode d;
};

static inline void reading_init(struct reading *r, const struct dialect *dialect, bool stream)
{
    *r = (struct reading){ .dialect = dialect, .out = KM_BUF(16 << 20) };
    km_arena_init(&r->arena, ARENA, NULL);
    km_arena_init(&r->scratch, ARENA, NULL);
    r->answer = (struct km_answer){ .to = dialect->encoder,
                                    .gathers = dialect->encoder->gathers,
                                    .arena = &r->arena,
                                    .out = &r->out,
                                    .stream = stream,
                                    .model = KM_STR("m"),
                                    .id = KM_STR("1") };
    r->answer.state = km_arena_zalloc(&r->arena, dialect->encoder->state_size);
    r->d = (struct km_decode){ .answer = &r->answer,
                               .arena = &r->arena,
                               .scratch = &r->scratch,
                               .state = km_arena_zalloc(&r->arena, dialect->state_size),
                               .can = km_capability_find(km_str_c(dialect->model)) };
}

static inline void reading_done(struct reading *r)
{
    km_buf_done(&r->out);
    km_arena_done(&r->scratch);
    km_arena_done(&r->arena);
}

static inline int reading_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct reading *r = ctx;
    int rc = r->dialect->event(&r->d, e, err);

    km_arena_done(&r->scratch);
    km_arena_init(&r->scratch, ARENA, NULL);
    return rc;
}

/* true: a complete answer. */
static inline bool reading_feed(struct reading *r, const char *p, size_t n, size_t step)
{
    struct km_framer *framer = km_framer_new(KM_FRAMING_SSE, MAX_INPUT * 8, reading_event, r);
    int rc = 0;

    must(framer != NULL);
    for (size_t at = 0; at < n && rc == 0; at += step)
        rc = km_framer_feed(framer, p + at, n - at < step ? n - at : step, NULL);
    if (rc == 0)
        rc = r->dialect->end(&r->d, NULL);
    if (rc == 0)
        r->dialect->encoder->end(&r->answer);
    km_framer_free(framer);
    return rc == 0;
}

static inline void fuzz_stream(const struct dialect *dialect, const char *p, size_t n, size_t step)
{
    struct reading whole, cut, again;
    bool complete;

    reading_init(&whole, dialect, true);
    reading_init(&cut, dialect, true);
    reading_init(&again, dialect, true);
    complete = reading_feed(&whole, p, n, n ? n : 1);
    must(complete == reading_feed(&cut, p, n, step));
    must(km_str_eq(km_buf_view(&whole.out), km_buf_view(&cut.out)));
    if (complete && !km_buf_failed(&whole.out)) {
        must(reading_feed(&again, whole.out.p, whole.out.n, whole.out.n));
        must(again.answer.events >= whole.answer.events); /* a refusal says why twice */
        must(again.answer.heard.bytes >= whole.answer.heard.bytes);
    }
    reading_done(&whole);
    reading_done(&cut);
    reading_done(&again);
}

#endif

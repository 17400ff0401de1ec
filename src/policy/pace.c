/* SPDX-License-Identifier: Apache-2.0 */
/* pace.c - see pace.h for the contract.
 *
 * A prompt's tokens are a sum over what its text is made of, with weights that hold for the
 * tokenizers of today within a third; each deployment learns how much of each part it counts:
 *
 *     tokens = fixed + body + share[prose] * (1.2 words ...) + share[digits] * ... + ...
 *               ^       ^              ^
 *            learnt  of the JSON    learnt, 1 at first
 *            (a template, a prompt of the vendor's own)
 *
 * It learns by recursive least squares over the relative error: every report moves the shares in
 * the direction of what was in its text, far where little is known of them and little where much
 * is, which is why twenty calls do.  Some doubt is added back each time, so that it follows a
 * deployment that becomes another model.  When enough has come, most
 * reports that are as expected are let go.
 *
 * Reports are an upstream's word.  One counts as three times the estimate at most, a third at
 * least; the shares stay between a quarter and four, whatever is said.
 *
 * Two threads may learn at once: who finds the other at it lets his report go, so the matrix needs
 * no lock, and nobody waits.  Who estimates reads the shares one by one, perhaps of two moments;
 * each is a sane one.  Floating point is right here: no money is counted, it is guessed how much
 * there will be.
 */
#include "policy/pace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"
#include "policy/quantile.h"

#define MOST_DEPLOYMENTS ((size_t)1 << 20)
#define MOST_TOKENS (INT64_C(1) << 30)

/* --- the weights --- */

#define WORD 1.2
#define LONG_WORD 12 /* letters; of those beyond four are a token */
#define DIGIT 0.86
#define MARK 0.53
#define LINE 1.2
#define WIDE 0.75
#define OTHER 0.6
/* The names of members and their values are counted as text and are none of the prompt, but the
 * template has tokens for some.  Only of the first: those of many messages and tools are. */
#define BODY 21.5
#define STRING (-4.1)
#define STRINGS 14

/* --- what is learnt --- */

enum part { PROSE, DIGITS, MARKS, SCRIPT, FIXED, PARTS };

static const struct {
    double start, doubt, least, most; /* doubt: the variance */
} parts[PARTS] = {
    [PROSE] = { 1, 0.05, 0.25, 4 }, [DIGITS] = { 1, 0.1, 0.25, 4 }, [MARKS] = { 1, 0.1, 0.25, 4 },
    [SCRIPT] = { 1, 0.2, 0.25, 4 }, [FIXED] = { 0, 16, -16, 512 },
};

#define NOISE 0.03 /* the variance of what no share explains */
#define DRIFT 0.001 /* of the first doubt, added by each report */
#define REPORT_MOST 3
/* After so many reports three of four are not looked at, and of the others one that is as expected
 * is let go, but for each second: it would move nothing, and the step costs more than all else that
 * is done for an estimate.  One that is not as expected has the next looked at again. */
#define REPORTS_ALL 64
#define REPORTS_NEXT 32
#define REPORTS_SEEN 4 /* powers of two */
#define REPORTS_OF 8
#define EXPECTED 0.125

#define OUTPUT_LEAST_TOKENS 16 /* fewer say nothing of how fast it is */
#define OUTPUT_LEAST_MS 20
#define OUTPUT_MOST (INT64_C(1) << 18)
#define RATE_MOST INT64_C(20000000) /* milli-tokens a second */

struct km_pace {
    _Atomic double share[PARTS];
    _Atomic uint64_t rate, output; /* packed quantiles */
    atomic_uint reports; /* of prompts; of two at once one counts */
    atomic_flag learning; /* who set it has the rest */
    double doubt[PARTS][PARTS]; /* the covariance of the shares */
};

struct km_paces {
    pthread_mutex_t lock; /* of the map: paces are asked for when a configuration is built */
    struct km_map *map;
};

struct km_paces *km_paces_new(void)
{
    struct km_paces *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->map = km_map_new(MOST_DEPLOYMENTS);
    if (!p->map) {
        free(p);
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

struct km_paces *km_paces_free(struct km_paces *p)
{
    if (!p)
        return NULL;
    km_map_free(p->map, free);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

static struct km_pace *new_pace(void)
{
    struct km_pace *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    atomic_flag_clear(&p->learning);
    for (int i = 0; i < PARTS; i++) {
        atomic_init(&p->share[i], parts[i].start);
        p->doubt[i][i] = parts[i].doubt;
    }
    return p;
}

struct km_pace *km_paces_of(struct km_paces *p, struct km_str id)
{
    struct km_pace *pace;

    pthread_mutex_lock(&p->lock);
    pace = km_map_get(p->map, id);
    if (!pace) {
        pace = new_pace();
        if (pace && km_map_set(p->map, id, pace, NULL) < 0) {
            free(pace);
            pace = NULL;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return pace;
}

/* --- tokens of a text --- */

static bool is_empty(const struct km_text_size *s)
{
    return (s->letters | s->digits | s->marks | s->strings | s->lines | s->wide | s->other |
            s->media) == 0;
}

static void part_sizes(const struct km_text_size *s, double ret[PARTS])
{
    const int64_t beyond = s->letters - LONG_WORD * s->words;

    ret[PROSE] = WORD * ((double)s->words + (beyond > 0 ? (double)beyond / 4 : 0));
    ret[DIGITS] = DIGIT * (double)s->digits;
    ret[MARKS] = MARK * (double)s->marks + LINE * (double)s->lines;
    ret[SCRIPT] = WIDE * (double)s->wide + OTHER * (double)s->other;
    ret[FIXED] = 1;
}

static double body_size(const struct km_text_size *s)
{
    return BODY + STRING * (double)(s->strings < STRINGS ? s->strings : STRINGS);
}

static double share_of(const struct km_pace *p, int part)
{
    return p ? atomic_load_explicit(&p->share[part], memory_order_relaxed) : parts[part].start;
}

static double sum_to(const struct km_pace *p, const double sizes[PARTS], int end)
{
    double sum = 0;

    for (int i = 0; i < end; i++)
        sum += share_of(p, i) * sizes[i];
    return sum;
}

static int64_t tokens_of(double text, int64_t media)
{
    const int64_t n = text < 1 ? 1 : text > (double)MOST_TOKENS ? MOST_TOKENS : (int64_t)text;

    return n + (media < MOST_TOKENS ? media : MOST_TOKENS);
}

int64_t km_pace_input(const struct km_pace *p, const struct km_text_size *size)
{
    double sizes[PARTS];

    if (is_empty(size))
        return 0;
    part_sizes(size, sizes);
    return tokens_of(body_size(size) + sum_to(p, sizes, PARTS) + 0.5, size->media_tokens);
}

int64_t km_pace_text(const struct km_pace *p, const struct km_text_size *size)
{
    double sizes[PARTS];

    if (is_empty(size))
        return 0;
    part_sizes(size, sizes);
    return tokens_of(sum_to(p, sizes, FIXED) + 0.5, size->media_tokens);
}

int64_t km_pace_reserve(int64_t estimate)
{
    if (estimate < 0)
        estimate = 0;
    return estimate > INT64_MAX / 2 ? INT64_MAX
                                    : estimate + estimate / 4 + (estimate % 4 != 0) + 256;
}

static double between(double v, double least, double most)
{
    return v < least ? least : v > most ? most : v;
}

/* One step: `error` is relative, and sizes are to the same scale. */
static void learn(struct km_pace *p, const double sizes[PARTS], double error)
{
    double doubt[PARTS], all = NOISE;

    for (int i = 0; i < PARTS; i++) {
        doubt[i] = 0;
        for (int k = 0; k < PARTS; k++)
            doubt[i] += p->doubt[i][k] * sizes[k];
        all += doubt[i] * sizes[i];
    }
    for (int i = 0; i < PARTS; i++) {
        const double share = share_of(p, i) + doubt[i] / all * error;

        atomic_store_explicit(&p->share[i], between(share, parts[i].least, parts[i].most),
                              memory_order_relaxed);
        for (int k = 0; k < PARTS; k++)
            p->doubt[i][k] -= doubt[i] * doubt[k] / all;
        if (p->doubt[i][i] < parts[i].doubt)
            p->doubt[i][i] += DRIFT * parts[i].doubt;
    }
}

/* Which report is this, from 0? */
static unsigned count_report(struct km_pace *p)
{
    const unsigned n = atomic_load_explicit(&p->reports, memory_order_relaxed);

    atomic_store_explicit(&p->reports, n + 1 ? n + 1 : REPORTS_ALL, memory_order_relaxed);
    return n;
}

static bool teaches(struct km_pace *p, unsigned report, double error)
{
    if (report < REPORTS_ALL)
        return true;
    if (error >= -EXPECTED && error <= EXPECTED)
        return report % REPORTS_OF == 0;
    atomic_store_explicit(&p->reports, REPORTS_ALL - REPORTS_NEXT, memory_order_relaxed);
    return true;
}

void km_pace_learn_input(struct km_pace *p, const struct km_text_size *size, int64_t prompt_tokens)
{
    double sizes[PARTS], estimate, raw, said, scale, error;
    unsigned report;

    if (!p || prompt_tokens <= 0 || size->media > 0 || is_empty(size))
        return;
    report = count_report(p);
    if (report >= REPORTS_ALL && report % REPORTS_SEEN != 0)
        return;
    part_sizes(size, sizes);
    raw = body_size(size) + sum_to(p, sizes, PARTS);
    estimate = raw < 1 ? 1 : raw;
    said = between((double)prompt_tokens, estimate / REPORT_MOST, estimate * REPORT_MOST);
    scale = said > estimate ? said : estimate;
    error = (said - raw) / scale;
    if (!teaches(p, report, error) ||
        atomic_flag_test_and_set_explicit(&p->learning, memory_order_acquire))
        return;
    for (int i = 0; i < PARTS; i++)
        sizes[i] /= scale;
    learn(p, sizes, error);
    atomic_flag_clear_explicit(&p->learning, memory_order_release);
}

/* --- what comes out --- */

#define COUNT_BITS 8

static struct km_quantile unpack(const _Atomic uint64_t *packed)
{
    const uint64_t v = atomic_load_explicit(packed, memory_order_relaxed);

    return (struct km_quantile){ (int64_t)(v >> COUNT_BITS), v & KM_QUANTILE_COUNT };
}

/* Of two at once one counts. */
static void learn_median(_Atomic uint64_t *packed, int64_t number)
{
    struct km_quantile q = unpack(packed);

    km_quantile_learn(&q, number, 5);
    atomic_store_explicit(packed, (uint64_t)q.sixteenths << COUNT_BITS | q.count,
                          memory_order_relaxed);
}

int64_t km_pace_rate(const struct km_pace *p)
{
    const struct km_quantile q = p ? unpack(&p->rate) : (struct km_quantile){ 0, 0 };

    return q.count ? km_quantile_get(&q) : KM_PACE_RATE_UNKNOWN * 1000;
}

int64_t km_pace_median_output(const struct km_pace *p)
{
    const struct km_quantile q = p ? unpack(&p->output) : (struct km_quantile){ 0, 0 };

    return km_quantile_get(&q);
}

void km_pace_learn_output(struct km_pace *p, int64_t completion_tokens, uint64_t upstream_ms)
{
    int64_t rate;

    if (!p || completion_tokens <= 0)
        return;
    if (completion_tokens > OUTPUT_MOST)
        completion_tokens = OUTPUT_MOST;
    learn_median(&p->output, completion_tokens);
    if (completion_tokens < OUTPUT_LEAST_TOKENS || upstream_ms < OUTPUT_LEAST_MS)
        return;
    rate = upstream_ms > INT64_MAX / 2 ? 1 : completion_tokens * 1000000 / (int64_t)upstream_ms;
    learn_median(&p->rate, rate < 1 ? 1 : rate > RATE_MOST ? RATE_MOST : rate);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* log_writer.c - see log_writer.h for the contract.
 *
 *     queue:  [ block of A ] [ block of A ] [ block of B, being filled ]
 *                                             ^ km_log_writer_put copies to here
 *
 * Under the lock bytes are copied and blocks change hands, nothing else; no thread that puts ever
 * waits for the disk.  The writer takes all blocks at once and writes them without the lock, so
 * nothing moves below its feet.  Memory is that of the lines that wait: after a stall it goes
 * back, and one block is kept for the next line.
 *
 * What the thread does is in `state`, which tells who puts whether to wake it:
 *
 *     IDLE       nothing waits: the first line wakes it
 *     GATHERING  for KM_LOG_GATHER_MS: an urgent line or a full block wakes it
 *     WRITING    it looks again by itself
 *
 * A busy program so wakes the thread once a block, a quiet one has no wake-ups at all.
 *
 * Lines that are dropped close the block before them: the next block carries how many are
 * missing, and the report is written in their place.  What cannot be written (a full disk) is
 * counted the same way and reported before what can.
 */
#include "base/log_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/list.h"
#include "base/time.h"

#define SLACK_MS 500 /* for a thread that gives up to say so */

struct block {
    struct km_list link;
    struct km_log_outlet *to;
    struct km_log_lost lost; /* before the first of its lines */
    size_t n, cap;
    char bytes[];
};

enum state { NOT_STARTED, IDLE, GATHERING, WRITING, ENDED };

struct km_log_writer {
    size_t max, block; /* as km_log_writer_new() was told */
    _Atomic uint64_t dropped, reopens;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake; /* the thread */
    pthread_cond_t done; /* a round of writing, or the thread is */
    enum state state;
    bool urgent; /* do not gather */
    bool stopping;
    uint64_t give_up_ms; /* stopping: when */
    struct km_list blocks;
    size_t queued; /* room of all blocks, those being written among them */
    struct block *spare;
    int64_t second; /* of stamp */
    char stamp[KM_TIME_ISO_LEN + 1]; /* empty: never made */
};

static struct block *last_block(struct km_log_writer *w)
{
    return km_list_empty(&w->blocks) ? NULL : KM_CONTAINER(w->blocks.prev, struct block, link);
}

static bool has_many_blocks(const struct km_log_writer *w)
{
    return w->blocks.next != w->blocks.prev;
}

/* --- the thread --- */

static void wait_until(struct km_log_writer *w, pthread_cond_t *cond, uint64_t ms)
{
    const struct timespec at = { .tv_sec = (time_t)(ms / 1000),
                                 .tv_nsec = (long)(ms % 1000) * 1000000 };

    (void)pthread_cond_timedwait(cond, &w->lock, &at);
}

static void gather(struct km_log_writer *w)
{
    const uint64_t until_ms = km_mono_ms() + KM_LOG_GATHER_MS;

    w->state = GATHERING;
    while (!w->urgent && !w->stopping && !has_many_blocks(w) && km_mono_ms() < until_ms)
        wait_until(w, &w->wake, until_ms);
    w->state = WRITING;
}

static void idle(struct km_log_writer *w)
{
    w->state = IDLE;
    while (km_list_empty(&w->blocks) && !w->stopping)
        pthread_cond_wait(&w->wake, &w->lock);
}

static uint64_t count_lines(struct km_str s)
{
    uint64_t lines = 0;

    while (s.n) {
        const size_t at = km_str_chr(s, '\n');

        lines += at < s.n;
        s = km_str_skip(s, at + 1);
    }
    return lines;
}

/* false: what is missing could not be said either. */
static bool write_report(struct km_log_outlet *o, const struct km_log_lost *lost)
{
    char text[200];
    size_t n;

    if (!lost->bytes)
        return true;
    n = o->ops->report(o, lost, text, sizeof text);
    return o->ops->write(o, km_str(text, n)) == n;
}

static void add_lost(struct km_log_outlet *o, const struct km_log_lost *more)
{
    o->lost.lines += more->lines;
    o->lost.bytes += more->bytes;
}

static void lose(struct km_log_writer *w, struct km_log_outlet *o, struct km_str what)
{
    const struct km_log_lost lost = { .lines = count_lines(what), .bytes = what.n };

    add_lost(o, &lost);
    atomic_fetch_add_explicit(&w->dropped, lost.lines, memory_order_relaxed);
}

/* They are about to be reported. */
static struct km_log_lost take_lost(struct km_log_outlet *o)
{
    struct km_log_lost lost = o->lost;

    if (lost.bytes)
        lost.when_us = km_wall_us();
    o->lost = (struct km_log_lost){ 0 };
    return lost;
}

/* Under the lock, which it opens to free an outlet. */
static void drop_ref(struct km_log_writer *w, struct km_log_outlet *o)
{
    if (--o->refs > 0)
        return;
    pthread_mutex_unlock(&w->lock);
    o->ops->free(o);
    pthread_mutex_lock(&w->lock);
}

static void put_back(struct km_log_writer *w, struct block *b)
{
    w->queued -= b->cap;
    drop_ref(w, b->to);
    if (!w->spare && b->cap == w->block)
        w->spare = b;
    else
        free(b);
}

static void write_block(struct km_log_writer *w, struct block *b, bool last)
{
    struct km_log_outlet *o = b->to;
    const bool reported = write_report(o, &b->lost);
    const size_t n = reported ? o->ops->write(o, km_str(b->bytes, b->n)) : 0;
    struct km_log_lost after = { 0 };

    pthread_mutex_lock(&w->lock);
    if (!reported)
        add_lost(o, &b->lost);
    if (n < b->n)
        lose(w, o, km_str(b->bytes + n, b->n - n));
    else if (last && km_list_empty(&w->blocks)) /* nothing came after what was dropped: said now */
        after = take_lost(o);
    pthread_mutex_unlock(&w->lock);
    if (write_report(o, &after))
        return;
    pthread_mutex_lock(&w->lock);
    add_lost(o, &after);
    pthread_mutex_unlock(&w->lock);
}

/* Under the lock, which is open while it writes. */
static void write_all(struct km_log_writer *w)
{
    struct km_list batch = w->blocks, *node;

    batch.next->prev = batch.prev->next = &batch;
    km_list_init(&w->blocks);
    w->urgent = false;
    while ((node = km_list_pop(&batch))) {
        struct block *b = KM_CONTAINER(node, struct block, link);

        pthread_mutex_unlock(&w->lock);
        write_block(w, b, km_list_empty(&batch));
        pthread_mutex_lock(&w->lock);
        put_back(w, b);
    }
    pthread_cond_broadcast(&w->done);
}

static void *thread_main(void *ctx)
{
    struct km_log_writer *w = ctx;

    pthread_mutex_lock(&w->lock);
    while (!w->stopping || !km_list_empty(&w->blocks)) {
        gather(w);
        if (km_list_empty(&w->blocks))
            idle(w);
        else
            write_all(w);
    }
    w->state = ENDED;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the loops. */
static bool start_thread(struct km_log_writer *w)
{
    sigset_t all, before;
    int r;

    if (w->state != NOT_STARTED)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&w->thread, NULL, thread_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        w->state = WRITING; /* it looks when it begins */
    return r == 0;
}

/* --- life --- */

static void init_sync(struct km_log_writer *w)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_cond_init(&w->done, &attr);
    pthread_condattr_destroy(&attr);
}

struct km_log_writer *km_log_writer_new(size_t max, size_t block)
{
    struct km_log_writer *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->max = max;
    w->block = block;
    km_list_init(&w->blocks);
    init_sync(w);
    return w;
}

struct km_log_writer *km_log_writer_free(struct km_log_writer *w, uint64_t most_ms)
{
    uint64_t until_ms = km_mono_ms() + most_ms;
    bool started, ended;

    if (!w)
        return NULL;
    pthread_mutex_lock(&w->lock);
    started = w->state != NOT_STARTED;
    w->stopping = true;
    w->give_up_ms = until_ms;
    pthread_cond_signal(&w->wake);
    for (until_ms += SLACK_MS; started && w->state != ENDED && km_mono_ms() < until_ms;)
        wait_until(w, &w->done, until_ms);
    ended = w->state == ENDED;
    pthread_mutex_unlock(&w->lock);
    if (started && !ended) {
        pthread_detach(w->thread);
        return NULL;
    }
    if (started)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    free(w->spare);
    free(w);
    return NULL;
}

void km_log_outlet_init(struct km_log_outlet *o, const struct km_log_outlet_ops *ops)
{
    *o = (struct km_log_outlet){ .ops = ops, .refs = 1 };
}

void km_log_outlet_release(struct km_log_writer *w, struct km_log_outlet *o)
{
    pthread_mutex_lock(&w->lock);
    drop_ref(w, o);
    pthread_mutex_unlock(&w->lock);
}

/* --- what is put --- */

/* NULL: the queue is full, or there is no memory. */
static struct block *make_block(struct km_log_writer *w, size_t n)
{
    const size_t cap = n > w->block ? n : w->block;
    struct block *b = NULL;

    if (w->queued + cap > w->max)
        return NULL;
    if (cap == w->block && w->spare) {
        b = w->spare;
        w->spare = NULL;
    } else {
        b = malloc(sizeof *b + cap);
    }
    if (b && !start_thread(w)) {
        free(b);
        return NULL;
    }
    if (b)
        b->cap = cap;
    return b;
}

static struct block *add_block(struct km_log_writer *w, struct km_log_outlet *o, size_t n)
{
    struct block *b = make_block(w, n);

    if (!b)
        return NULL;
    b->to = o;
    b->n = 0;
    b->lost = take_lost(o);
    o->refs++;
    w->queued += b->cap;
    km_assert(w->blocks.prev); /* a list is a ring, which the analyzer does not see here */
    km_list_push(&w->blocks, &b->link);
    return b;
}

/* NULL: it is lost. */
static struct block *find_room(struct km_log_writer *w, struct km_log_outlet *o, size_t n)
{
    struct block *b = last_block(w);

    if (o->refusing && w->queued > w->max / 2)
        return NULL;
    if (!b || b->to != o || b->cap - b->n < n || o->lost.bytes)
        b = add_block(w, o, n);
    o->refusing = !b;
    return b;
}

/* The time, of which all but the microseconds changes once a second. */
static void stamp(struct km_log_writer *w, char *out)
{
    const int64_t now_us = km_wall_us(), second = now_us / 1000000;
    unsigned us = (unsigned)(now_us % 1000000);

    if (second != w->second || w->stamp[0] == '\0')
        km_time_iso(now_us, w->stamp);
    w->second = second;
    memcpy(out, w->stamp, KM_TIME_ISO_LEN);
    for (char *at = out + KM_TIME_ISO_LEN - 2; *at != '.'; us /= 10)
        *at-- = (char)('0' + us % 10);
}

static bool must_wake(struct km_log_writer *w, bool urgent)
{
    if (urgent)
        w->urgent = true;
    if (w->state != IDLE && (w->state != GATHERING || (!urgent && !has_many_blocks(w))))
        return false;
    w->state = WRITING; /* soon: nobody else needs to wake it */
    return true;
}

void km_log_writer_put(struct km_log_writer *w, struct km_log_outlet *o, struct km_str line,
                       size_t time_at, bool urgent)
{
    struct block *b;
    bool wake = false;

    pthread_mutex_lock(&w->lock);
    b = find_room(w, o, line.n);
    if (b) {
        memcpy(b->bytes + b->n, line.p, line.n);
        if (time_at != SIZE_MAX)
            stamp(w, b->bytes + b->n + time_at);
        b->n += line.n;
        wake = must_wake(w, urgent);
    } else {
        lose(w, o, line);
    }
    pthread_mutex_unlock(&w->lock);
    if (wake)
        pthread_cond_signal(&w->wake);
}

void km_log_writer_lose(struct km_log_writer *w, struct km_log_outlet *o)
{
    pthread_mutex_lock(&w->lock);
    lose(w, o, KM_STR("\n"));
    pthread_mutex_unlock(&w->lock);
}

bool km_log_writer_flush(struct km_log_writer *w, uint64_t most_ms)
{
    const uint64_t until_ms = km_mono_ms() + most_ms;
    bool empty;

    pthread_mutex_lock(&w->lock);
    w->urgent = true;
    pthread_cond_signal(&w->wake);
    while (w->queued > 0 && km_mono_ms() < until_ms)
        wait_until(w, &w->done, until_ms);
    empty = w->queued == 0;
    pthread_mutex_unlock(&w->lock);
    return empty;
}

uint64_t km_log_writer_dropped(const struct km_log_writer *w)
{
    return atomic_load_explicit(&w->dropped, memory_order_relaxed);
}

void km_log_writer_reopen(struct km_log_writer *w)
{
    atomic_fetch_add(&w->reopens, 1);
}

uint64_t km_log_writer_reopens(const struct km_log_writer *w)
{
    return atomic_load(&w->reopens);
}

bool km_log_writer_gives_up(struct km_log_writer *w)
{
    bool over;

    pthread_mutex_lock(&w->lock);
    over = w->stopping && km_mono_ms() >= w->give_up_ms;
    pthread_mutex_unlock(&w->lock);
    return over;
}

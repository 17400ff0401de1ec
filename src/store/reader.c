/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - see reader.h for the contract.
 *
 *     loop --ask--> queue --> reader thread: SELECT ... --> JSON in a buffer --mailbox--> loop
 *
 * In WAL mode readers see the last commit and never hold up the writer.  A question is one
 * block: the mailbox message, what is asked, and the buffer of the answer.  The JSON is made
 * here and not on the loop, because ten thousand rows of it take milliseconds.
 *
 * A connection is opened when its thread first needs it, and again after an error, but never when
 * the file is known to be lost: what was opened before goes on reading it.
 */
#include "store/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "store/inside.h"

struct question {
    struct km_msg msg;
    struct question *next;
    struct km_mailbox *reply;
    km_reader_fn *run;
    km_store_json_fn *fn;
    void *ctx;
    int result;
    struct km_err err;
    struct km_buf out;
    _Alignas(16) char query[];
};

struct km_readers {
    struct km_store *store;
    pthread_t threads[KM_READER_THREADS];
    size_t nthreads;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t more;
    struct question *first, **end;
    size_t waiting;
    bool stop;
};

static void on_answer(struct km_msg *msg, void *owner)
{
    struct question *q = KM_CONTAINER(msg, struct question, msg);

    (void)owner;
    if (q->result < 0)
        q->fn(q->ctx, KM_STR_NONE, &q->err);
    else
        q->fn(q->ctx, km_buf_view(&q->out), NULL);
    km_buf_done(&q->out);
    free(q);
}

static void answer(struct question *q)
{
    q->msg.run = on_answer;
    km_mailbox_post(q->reply, &q->msg);
}

static int ask_db(struct km_readers *r, struct km_db **db, struct question *q)
{
    struct km_db_trouble trouble = { 0 };
    int result = *db ? 0 : km_store_open_reader(r->store, db, &q->err);

    if (result == 0)
        result = q->run(*db, q->query, &q->out, &q->err);
    if (result == 0 && km_buf_failed(&q->out))
        result = km_fail(&q->err, KM_E_LIMIT, "the answer is too large: ask for fewer rows");
    if (result == KM_E_STORE && *db)
        (*db)->driver->trouble(*db, &trouble);
    if (trouble.damaged)
        km_store_lose(r->store, KM_OUTAGE_DAMAGED, "the store is damaged", q->err.text);
    if (result == KM_E_STORE)
        *db = km_db_close(*db);
    return result;
}

static void *run(void *arg)
{
    struct km_readers *r = arg;
    struct km_db *db = NULL;

    pthread_mutex_lock(&r->lock);
    while (!r->stop || r->first) {
        struct question *q = r->first;

        if (!q) {
            pthread_cond_wait(&r->more, &r->lock);
            continue;
        }
        r->first = q->next;
        if (!r->first)
            r->end = &r->first;
        r->waiting--;
        pthread_mutex_unlock(&r->lock);
        q->result = ask_db(r, &db, q);
        answer(q);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    km_db_close(db);
    return NULL;
}

int km_readers_new(struct km_store *store, struct km_readers **ret_readers, struct km_err *err)
{
    struct km_readers *r = calloc(1, sizeof *r);

    if (!r)
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    r->store = store;
    r->end = &r->first;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->more, NULL);
    while (r->nthreads < KM_READER_THREADS) {
        if (pthread_create(&r->threads[r->nthreads], NULL, run, r) != 0) {
            int error = errno;

            km_readers_free(r);
            return km_fail_errno(err, error, "cannot start a reader of the store");
        }
        r->nthreads++;
    }
    *ret_readers = r;
    return 0;
}

struct km_readers *km_readers_free(struct km_readers *r)
{
    if (!r)
        return NULL;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->more);
    pthread_mutex_unlock(&r->lock);
    while (r->nthreads)
        pthread_join(r->threads[--r->nthreads], NULL);
    pthread_cond_destroy(&r->more);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

void km_reader_ask(struct km_store *store, struct km_mailbox *reply, km_reader_fn *run_fn,
                   const void *query, size_t query_n, km_store_json_fn *fn, void *ctx)
{
    struct km_readers *r = store->readers;
    struct question *q = calloc(1, sizeof *q + query_n);
    bool full;

    /* A question that cannot be asked cannot be answered either: nothing to post it with. */
    km_assert(q != NULL);
    q->reply = reply;
    q->run = run_fn;
    q->fn = fn;
    q->ctx = ctx;
    km_buf_init(&q->out, KM_READER_JSON);
    if (query_n)
        memcpy(q->query, query, query_n);
    pthread_mutex_lock(&r->lock);
    full = r->waiting >= KM_READER_QUEUE;
    if (!full) {
        *r->end = q;
        r->end = &q->next;
        r->waiting++;
        pthread_cond_signal(&r->more);
    }
    pthread_mutex_unlock(&r->lock);
    if (full) {
        q->result = km_fail(&q->err, KM_E_OVERLOADED, "%d queries are waiting for the store",
                            KM_READER_QUEUE);
        answer(q);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* input.c - see input.h.
 *
 *     thread: poll, read ── `in`: what is no line yet ── a message a line ──> mailbox ── on_line
 *
 * Messages are counted in bytes while they are on their way (`held`), so that a client that
 * writes faster than the gateway takes is no longer read.  A pipe of our own ends the wait of
 * the thread when nobody wants lines any more.
 */
#include "app/input.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/blocking.h"

#define READ_BYTES 65536

struct km_input {
    const struct km_input_events *events;
    void *ctx;
    struct km_mailbox *mailbox;
    int fd, wake[2];
    pthread_t thread;
    /* the thread's */
    struct km_buf in; /* what was read and is no line yet */
    size_t looked; /* bytes of it without a line's end */
    bool skipping; /* the rest of a line that was too long */
    /* both threads' */
    pthread_mutex_t mutex;
    pthread_cond_t less;
    size_t held;
    bool stopped;
};

enum kind { LINE, LONG_LINE, END, FAILED };

struct message {
    struct km_msg msg;
    struct km_input *input;
    enum kind kind;
    size_t n;
    char text[];
};

/* --- the loop's side --- */

static void give_back(struct km_input *l, size_t n)
{
    pthread_mutex_lock(&l->mutex);
    l->held -= n;
    pthread_cond_signal(&l->less);
    pthread_mutex_unlock(&l->mutex);
}

static void on_message(struct km_msg *msg, void *owner)
{
    struct message *m = KM_CONTAINER(msg, struct message, msg);
    struct km_input *l = m->input;

    (void)owner;
    if (m->kind == LINE)
        l->events->on_line(l->ctx, km_str(m->text, m->n));
    else if (m->kind == LONG_LINE)
        l->events->on_long_line(l->ctx);
    else
        l->events->on_end(l->ctx, m->kind == FAILED);
    give_back(l, m->n);
    free(m);
}

/* --- the thread's --- */

/* Waits for room first; false: nobody wants it, or memory is out. */
static bool post(struct km_input *l, enum kind kind, struct km_str text)
{
    struct message *m = malloc(sizeof *m + text.n);
    bool stopped;

    if (!m)
        return false;
    *m = (struct message){ .msg.run = on_message, .input = l, .kind = kind, .n = text.n };
    if (text.n)
        memcpy(m->text, text.p, text.n);
    pthread_mutex_lock(&l->mutex);
    while (l->held > KM_INPUT_HELD && !l->stopped)
        pthread_cond_wait(&l->less, &l->mutex);
    stopped = l->stopped;
    l->held += text.n;
    pthread_mutex_unlock(&l->mutex);
    if (stopped)
        free(m);
    else
        km_mailbox_post(l->mailbox, &m->msg);
    return !stopped;
}

static bool take_line(struct km_input *l, struct km_str line)
{
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (l->skipping) {
        l->skipping = false; /* the end of what was refused */
        return true;
    }
    if (line.n > KM_INPUT_LINE)
        return post(l, LONG_LINE, KM_STR_NONE);
    return km_str_trim(line).n == 0 || post(l, LINE, line);
}

/* Every whole line that is there. */
static bool take_lines(struct km_input *l)
{
    bool go_on = true;
    size_t end;

    while (go_on && (end = l->looked + km_str_chr(km_str_skip(km_buf_view(&l->in), l->looked),
                                                  '\n')) < l->in.n) {
        go_on = take_line(l, km_str_sub(km_buf_view(&l->in), 0, end));
        km_buf_consume(&l->in, end + 1);
        l->looked = 0;
    }
    l->looked = l->in.n;
    if (go_on && l->in.n > KM_INPUT_LINE && !l->skipping) {
        go_on = post(l, LONG_LINE, KM_STR_NONE);
        l->skipping = true;
    }
    if (l->skipping) {
        km_buf_reset(&l->in);
        l->looked = 0;
    }
    return go_on;
}

static void *thread_main(void *arg)
{
    struct km_input *l = arg;
    ssize_t n;

    do {
        char *room = km_buf_reserve(&l->in, READ_BYTES);

        n = room ? km_read_or_wake(l->fd, l->wake[0], room, READ_BYTES) : -1;
        if (n > 0) {
            l->in.n += (size_t)n;
            n = take_lines(l) ? n : KM_READ_WOKEN;
        }
    } while (n > 0);
    if (n != KM_READ_WOKEN)
        post(l, n < 0 ? FAILED : END, KM_STR_NONE);
    return NULL;
}

/* --- both ends of its life --- */

struct km_input *km_input_new(int fd, struct km_mailbox *mailbox,
                              const struct km_input_events *events, void *ctx, struct km_err *err)
{
    struct km_input *l = calloc(1, sizeof *l);

    if (!l || pipe2(l->wake, O_CLOEXEC) < 0) {
        free(l);
        km_fail_errno(err, errno, "cannot read lines");
        return NULL;
    }
    l->events = events;
    l->ctx = ctx;
    l->mailbox = mailbox;
    l->fd = fd;
    km_buf_init(&l->in, KM_INPUT_LINE + 2 * READ_BYTES);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->less, NULL);
    if (pthread_create(&l->thread, NULL, thread_main, l) == 0)
        return l;
    km_fail(err, KM_E_SYSTEM, "cannot start a thread");
    close(l->wake[0]);
    close(l->wake[1]);
    free(l);
    return NULL;
}

void km_input_stop(struct km_input *l)
{
    pthread_mutex_lock(&l->mutex);
    l->stopped = true;
    pthread_cond_signal(&l->less);
    pthread_mutex_unlock(&l->mutex);
    (void)!write(l->wake[1], "", 1);
    pthread_join(l->thread, NULL);
}

struct km_input *km_input_free(struct km_input *l)
{
    if (!l)
        return NULL;
    km_buf_done(&l->in);
    pthread_cond_destroy(&l->less);
    pthread_mutex_destroy(&l->mutex);
    close(l->wake[0]);
    close(l->wake[1]);
    free(l);
    return NULL;
}

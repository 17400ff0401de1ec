/* SPDX-License-Identifier: Apache-2.0 */
/* log_fd.c - see log_fd.h for the contract.
 *
 * The descriptor may be one that other processes have too: standard error is a terminal, the pipe
 * of a container, a file the shell opened.  Its flags are theirs as well, so it is never made
 * non-blocking; the writer asks poll(2) first and writes no more than a pipe surely takes.  So
 * even a thread that waits for a reader can be told to take another descriptor, or to give up.
 *
 * A file that was not opened to append has a place to write at, which somebody who cuts the file
 * (copytruncate) leaves far behind its end, and the gap would read as NULs: it is moved back.
 *
 * What fails in the middle of a line leaves a piece of it.  The next thing written there is the
 * report of what was lost, which then begins with the line's end.
 */
#include "base/log_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

#define LOOK_MS 100 /* at whether a reader that stands still is still to be waited for */

struct km_log_fd {
    struct km_log_outlet outlet; /* first: what the writer has of it */
    struct km_log_writer *writer;
    _Atomic bool json;
    _Atomic int next; /* takes the place of fd; -1: none */
    /* --- the writer's thread only --- */
    int fd;
    bool owned;
    bool torn; /* a line was begun and could not be finished */
};

int km_log_open(const char *path)
{
    const int flags = O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    const int fd = open(path, O_WRONLY | flags, 0600);

    return fd < 0 && errno == ENXIO ? open(path, O_RDWR | flags, 0600) : fd;
}

static void close_fd(struct km_log_fd *f)
{
    if (f->owned)
        close(f->fd);
    f->owned = false;
}

/* The descriptor that is to be used from now on.  true: it is another one. */
static bool change_fd(struct km_log_fd *f)
{
    const int next = atomic_exchange(&f->next, -1);

    if (next < 0)
        return false;
    close_fd(f);
    f->fd = next;
    f->owned = true;
    f->torn = false;
    return true;
}

/* true: one write of PIPE_BUF bytes does not block, or fails.  false: it is given up, or there is
 * another descriptor. */
static bool wait_for_reader(struct km_log_fd *f)
{
    struct pollfd wait = { .fd = f->fd, .events = POLLOUT };

    while (poll(&wait, 1, 0) == 0) {
        if (km_log_writer_gives_up(f->writer))
            return false;
        if (atomic_load(&f->next) >= 0)
            return false;
        (void)poll(&wait, 1, LOOK_MS);
    }
    return true;
}

/* Whether it is a file, which takes everything at once. */
static bool prepare_file(const struct km_log_fd *f)
{
    struct stat st;
    off_t at;

    if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    at = lseek(f->fd, 0, SEEK_CUR);
    if (at > st.st_size && !(fcntl(f->fd, F_GETFL) & O_APPEND))
        (void)lseek(f->fd, 0, SEEK_END);
    return true;
}

/* How much to write at once to what is no file: whole lines if they fit, as other processes may
 * write there too. */
static size_t piece_of(struct km_str bytes)
{
    const struct km_str piece = km_str_sub(bytes, 0, PIPE_BUF);
    size_t n = piece.n;

    while (n > 0 && piece.p[n - 1] != '\n')
        n--;
    return n > 0 ? n : piece.n;
}

/* Returns what was written, less than n when the descriptor fails, changes or is given up. */
static size_t write_some(struct km_log_fd *f, struct km_str bytes)
{
    const bool file = prepare_file(f);
    size_t at = 0;

    while (at < bytes.n) {
        const struct km_str rest = km_str_skip(bytes, at);
        ssize_t n;

        if (!file && !wait_for_reader(f))
            break;
        n = write(f->fd, rest.p, file ? rest.n : piece_of(rest));
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    return at;
}

/* A line that was begun elsewhere is to be whole in the new place. */
static size_t begin_of_line(struct km_str bytes, size_t at)
{
    while (at > 0 && bytes.p[at - 1] != '\n')
        at--;
    return at;
}

static size_t outlet_write(struct km_log_outlet *o, struct km_str bytes)
{
    struct km_log_fd *f = (struct km_log_fd *)o;
    size_t at = 0;

    do {
        if (change_fd(f))
            at = begin_of_line(bytes, at);
        at += write_some(f, km_str_skip(bytes, at));
    } while (at < bytes.n && atomic_load(&f->next) >= 0);
    if (at > 0)
        f->torn = bytes.p[at - 1] != '\n';
    return at;
}

static size_t outlet_report(struct km_log_outlet *o, const struct km_log_lost *lost, char *text,
                            size_t cap)
{
    const struct km_log_fd *f = (struct km_log_fd *)o;
    char time[KM_TIME_ISO_LEN + 1];
    int n;

    km_time_iso(lost->when_us, time);
    n = snprintf(
        text, cap,
        atomic_load_explicit(&f->json, memory_order_relaxed)
            ? "%s{\"time\":\"%s\",\"level\":\"warn\",\"event\":\"log.lost\",\"lines\":%llu}\n"
            : "%s%s WARN  log.lost lines=%llu\n",
        f->torn ? "\n" : "", time, (unsigned long long)lost->lines);
    return n > 0 ? (size_t)n : 0;
}

static void outlet_free(struct km_log_outlet *o)
{
    struct km_log_fd *f = (struct km_log_fd *)o;

    (void)change_fd(f);
    close_fd(f);
    free(f);
}

struct km_log_fd *km_log_fd_new(struct km_log_writer *w, int fd)
{
    static const struct km_log_outlet_ops ops = { .write = outlet_write,
                                                  .report = outlet_report,
                                                  .free = outlet_free };
    struct km_log_fd *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    km_log_outlet_init(&f->outlet, &ops);
    f->writer = w;
    f->fd = fd;
    atomic_init(&f->next, -1);
    return f;
}

void km_log_fd_release(struct km_log_fd *f)
{
    km_log_outlet_release(f->writer, &f->outlet);
}

struct km_log_outlet *km_log_fd_outlet(struct km_log_fd *f)
{
    return &f->outlet;
}

void km_log_fd_set_json(struct km_log_fd *f, bool json)
{
    atomic_store_explicit(&f->json, json, memory_order_relaxed);
}

void km_log_fd_change(struct km_log_fd *f, int fd)
{
    const int unused = atomic_exchange(&f->next, fd);

    if (unused >= 0)
        close(unused);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h.
 *
 *     loop: prefix, rate, control bytes ──> log_writer ──> its thread: struct file
 *
 * Each line begins with the time and the process's number, so that the lines of several children
 * can be told apart.  A server may print what it was given, so a line is held until it is whole and
 * passes the veil; what is over HELD_MOST bytes is written in pieces.  Nothing here fails: a log
 * that cannot be written must not end a server.
 */
#include "mcp/server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "base/veil.h"

#define CHUNK ((size_t)64 * 1024) /* put at once, where a file may be that large */
#define PREFIX_MOST 64
#define HELD_MOST ((size_t)4 * 1024)

static void put_held(struct km_server_log *log);

/* The writer's thread only, but for its making. */
struct file {
    struct km_log_outlet outlet; /* first: what the writer has of it */
    struct km_log_writer *writer;
    uint64_t opened; /* km_log_writer_reopens() then */
    int64_t max;
    int fd; /* -1: not open */
    bool inside; /* a line was begun */
    char path[1024];
};

static void make_folders(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        (void)mkdir(path, 0700); /* it is there already, or open() will fail */
        *p = '/';
    }
}

/* --- the writer's thread --- */

static void open_file(struct file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->opened = km_log_writer_reopens(f->writer);
    f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
}

/* So that n more bytes fit.  Another process of the server may have done it before: then only the
 * file is opened again. */
static void rotate(struct file *f, size_t n)
{
    struct stat ours, named;
    char old[1040];

    if (fstat(f->fd, &ours) < 0 || ours.st_size == 0 || ours.st_size + (int64_t)n <= f->max)
        return;
    if (stat(f->path, &named) == 0 && named.st_ino == ours.st_ino) {
        snprintf(old, sizeof old, "%s.1", f->path);
        (void)rename(f->path, old); /* else the file grows on for a moment */
    }
    open_file(f);
}

static size_t write_file(struct km_log_outlet *o, struct km_str bytes)
{
    struct file *f = (struct file *)o;
    size_t at = 0;

    if (f->fd < 0 || f->opened != km_log_writer_reopens(f->writer))
        open_file(f);
    if (f->fd >= 0)
        rotate(f, bytes.n);
    while (f->fd >= 0 && at < bytes.n) {
        const ssize_t n = write(f->fd, bytes.p + at, bytes.n - at);

        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    if (at > 0)
        f->inside = bytes.p[at - 1] != '\n';
    return at;
}

static size_t report_lost(struct km_log_outlet *o, const struct km_log_lost *lost, char *text,
                          size_t cap)
{
    const struct file *f = (struct file *)o;
    char time[KM_TIME_ISO_LEN + 1];
    int n;

    km_time_iso(lost->when_us, time);
    n = snprintf(text, cap, "%s%s (kanmon: %llu bytes could not be written)\n",
                 f->inside ? "\n" : "", time, (unsigned long long)lost->bytes);
    return n > 0 ? (size_t)n : 0;
}

static void free_file(struct km_log_outlet *o)
{
    struct file *f = (struct file *)o;

    if (f->fd >= 0)
        close(f->fd);
    free(f);
}

static struct km_log_outlet *new_file(struct km_log_writer *writer, const char *path, int64_t max)
{
    static const struct km_log_outlet_ops ops = { write_file, report_lost, free_file };
    struct file *f = calloc(1, sizeof *f);

    if (!f || (size_t)snprintf(f->path, sizeof f->path, "%s", path) >= sizeof f->path) {
        free(f);
        return NULL;
    }
    km_log_outlet_init(&f->outlet, &ops);
    f->writer = writer;
    f->max = max;
    f->fd = -1;
    make_folders(f->path);
    return &f->outlet;
}

/* --- the loop --- */

void km_server_log_init(struct km_server_log *log, struct km_log_writer *writer, const char *path,
                        int64_t max, struct km_veil *veil)
{
    *log = (struct km_server_log){ .writer = writer, .veil = veil, .held = KM_BUF(HELD_MOST) };
    log->most = max < (int64_t)CHUNK ? (size_t)max : CHUNK;
    log->file = path ? new_file(writer, path, max) : NULL;
}

void km_server_log_done(struct km_server_log *log)
{
    put_held(log);
    km_buf_done(&log->held);
    if (log->file)
        km_log_outlet_release(log->writer, log->file);
    log->file = NULL;
}

static void put_prefix(const struct km_server_log *log, struct km_buf *out)
{
    char now[KM_TIME_ISO_LEN + 1];

    km_time_iso(km_wall_us(), now);
    km_buf_printf(out, "%s [%ld] ", now, log->pid);
}

static void flush(struct km_server_log *log, struct km_buf *out)
{
    if (out->n)
        km_log_writer_put(log->writer, log->file, km_buf_view(out), SIZE_MAX, true);
    km_buf_reset(out);
}

/* How much of n may be written in this second. */
static size_t allowance(struct km_server_log *log, size_t n, struct km_buf *out)
{
    uint64_t second = km_mono_ms() / 1000;

    if (second != log->second) {
        if (log->dropped) {
            km_buf_printf(out, "%s", log->inside ? "\n" : "");
            put_prefix(log, out);
            km_buf_printf(out, "(kanmon: %llu bytes were too many and left out)\n",
                          (unsigned long long)log->dropped);
            log->inside = false;
        }
        log->second = second;
        log->written = log->dropped = 0;
    }
    if (log->written + n > KM_SERVER_LOG_RATE) {
        log->dropped += n;
        return 0;
    }
    log->written += n;
    return n;
}

static void put(struct km_server_log *log, struct km_str bytes)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(8 * CHUNK);

    if (!log->file)
        return;
    bytes.n = allowance(log, bytes.n, &out);
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];

        if (!log->inside)
            put_prefix(log, &out);
        log->inside = c != '\n';
        km_buf_byte(&out, (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : (char)c);
        if (out.n + PREFIX_MOST >= log->most)
            flush(log, &out);
    }
    flush(log, &out);
}

static void put_veiled(struct km_server_log *log, struct km_str bytes)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF(4 * bytes.n + 1024);

    put(log, km_veil_cut(log->veil, bytes, &cut) ? km_buf_view(&cut) : bytes);
}

static void put_held(struct km_server_log *log)
{
    if (log->held.n)
        put_veiled(log, km_buf_view(&log->held));
    km_buf_reset(&log->held);
}

void km_server_log_write(struct km_server_log *log, struct km_str bytes)
{
    size_t whole = km_str_rchr(bytes, '\n');

    if (!log->file)
        return;
    if (log->held.n) { /* the rest of its line first */
        size_t end = km_str_chr(bytes, '\n');
        size_t n = end < bytes.n ? end + 1 : bytes.n;

        if (log->held.n + n > HELD_MOST)
            put_held(log);
        if (n <= HELD_MOST && end < bytes.n) {
            km_buf_str(&log->held, km_str_sub(bytes, 0, n));
            put_held(log);
            bytes = km_str_skip(bytes, n);
        }
        whole = km_str_rchr(bytes, '\n');
    }
    if (whole < bytes.n) {
        put_veiled(log, km_str_sub(bytes, 0, whole + 1));
        bytes = km_str_skip(bytes, whole + 1);
    }
    if (bytes.n > HELD_MOST)
        put_veiled(log, bytes);
    else
        km_buf_str(&log->held, bytes);
}

void km_server_log_say(struct km_server_log *log, const char *fmt, ...)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    va_list ap;

    put_held(log);
    if (log->inside)
        km_buf_byte(&line, '\n');
    km_buf_str(&line, KM_STR("kanmon: "));
    va_start(ap, fmt);
    km_buf_vprintf(&line, fmt, ap);
    va_end(ap);
    km_buf_byte(&line, '\n');
    log->second = 0; /* always said */
    put(log, km_buf_view(&line));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h for the contract.
 *
 *     thread -> struct sink { buf: [ finished lines | the open line ] }
 *                                                      ^ km_line.start
 *
 * A line is written straight into the buffer of its thread and is finished by its newline;
 * only finished lines are ever written out, in one write(2) a flush, under the log's lock
 * so that the lines of two threads do not mix and a reopened file's old descriptor is not
 * in use when km_log_set_fd() returns.
 *
 * The thread's buffer is found by a pthread key of the log itself, not a thread-local
 * variable: two logs in one process (tests, tools) do not share buffers.  A thread that has
 * none, or that opens a line while another is open, gets a buffer for that one line.
 *
 * Values come from clients and upstreams.  Each is cut at VALUE_MAX bytes, and a line takes
 * no more fields past LINE_END, so one request cannot fill the disk with one line.  What
 * could forge a line or turn its text around on a screen (control bytes, line separators,
 * bidi marks, bytes that are not UTF-8) is written as an escape in both formats.
 *
 * When the reader of the log stands still (a full pipe set to non-blocking), we wait a
 * short while and then drop the buffer and count its lines, which the next flush reports:
 * a log must not stop the gateway, and must not lose lines in silence.
 */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/list.h"
#include "base/time.h"

#define FLUSH_AT ((size_t)16 * 1024) /* stays in the processor's cache */
#define LINE_END ((size_t)64 * 1024)
#define VALUE_MAX ((size_t)16 * 1024)
/* A line past its bound still ends with one value, each byte of which may be an escape. */
#define SINK_MAX (FLUSH_AT + LINE_END + VALUE_MAX * 6 + 1024)
#define WAIT_MS 100

struct sink {
    struct km_log *log;
    struct km_buf buf;
    bool open; /* a line is being built in buf */
    int64_t second; /* of stamp */
    char stamp[KM_TIME_ISO_LEN + 1]; /* empty: never made */
};

struct km_log {
    _Atomic int level;
    _Atomic int format;
    pthread_key_t sinks;
    pthread_mutex_t lock; /* guards the two below */
    int fd;
    uint64_t lost; /* lines dropped since the last report */
};

static void free_sink(void *data)
{
    struct sink *sink = data;

    km_buf_done(&sink->buf);
    free(sink);
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        struct pollfd wait = { .fd = fd, .events = POLLOUT };

        if (done >= 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno == EINTR) {
            continue;
        } else if (errno != EAGAIN || poll(&wait, 1, WAIT_MS) <= 0) {
            return false;
        }
    }
    return true;
}

static uint64_t count_lines(struct km_str s)
{
    uint64_t lines = 0;

    while (s.n) {
        size_t at = km_str_chr(s, '\n');

        lines += at < s.n;
        s = km_str_skip(s, at + 1);
    }
    return lines;
}

static void report_lost(struct km_log *log)
{
    char text[160], time[KM_TIME_ISO_LEN + 1];
    int n;

    km_time_iso(km_wall_us(), time);
    n = snprintf(
        text, sizeof text,
        atomic_load_explicit(&log->format, memory_order_relaxed) == KM_LOG_JSON
            ? "{\"time\":\"%s\",\"level\":\"warn\",\"event\":\"log.lost\",\"lines\":%llu}\n"
            : "%s WARN  log.lost lines=%llu\n",
        time, (unsigned long long)log->lost);
    if (write_all(log->fd, text, (size_t)n))
        log->lost = 0;
}

/* Writes the first n bytes, which are finished lines, and drops them from the buffer. */
static void flush(struct km_log *log, struct km_buf *buf, size_t n)
{
    if (n == 0)
        return;
    pthread_mutex_lock(&log->lock);
    if (log->lost)
        report_lost(log);
    if (!write_all(log->fd, buf->p, n))
        log->lost += count_lines(km_str(buf->p, n));
    pthread_mutex_unlock(&log->lock);
    km_buf_consume(buf, n);
}

/* A thread that ends without km_log_thread_done() still gets its lines out. */
static void end_of_thread(void *data)
{
    struct sink *sink = data;

    flush(sink->log, &sink->buf, sink->buf.n);
    free_sink(sink);
}

struct km_log *km_log_new(int fd, enum km_log_level level, enum km_log_format format)
{
    struct km_log *log = calloc(1, sizeof *log);

    if (!log)
        return NULL;
    if (pthread_key_create(&log->sinks, end_of_thread) != 0) {
        free(log);
        return NULL;
    }
    pthread_mutex_init(&log->lock, NULL);
    log->fd = fd;
    atomic_init(&log->level, (int)level);
    atomic_init(&log->format, (int)format);
    return log;
}

struct km_log *km_log_free(struct km_log *log)
{
    if (!log)
        return NULL;
    km_log_thread_done(log);
    pthread_key_delete(log->sinks);
    pthread_mutex_destroy(&log->lock);
    free(log);
    return NULL;
}

void km_log_set_level(struct km_log *log, enum km_log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

void km_log_set_format(struct km_log *log, enum km_log_format format)
{
    atomic_store_explicit(&log->format, (int)format, memory_order_relaxed);
}

void km_log_set_fd(struct km_log *log, int fd)
{
    pthread_mutex_lock(&log->lock);
    log->fd = fd;
    pthread_mutex_unlock(&log->lock);
}

static struct sink *make_sink(struct km_log *log)
{
    struct sink *sink = calloc(1, sizeof *sink);

    if (!sink)
        return NULL;
    sink->log = log;
    km_buf_init(&sink->buf, SINK_MAX);
    return sink;
}

int km_log_thread_init(struct km_log *log, struct km_err *err)
{
    struct sink *sink;

    if (pthread_getspecific(log->sinks))
        return 0;
    sink = make_sink(log);
    if (!sink || pthread_setspecific(log->sinks, sink) != 0) {
        free(sink);
        return km_fail(err, KM_E_NOMEM, "no memory for a log buffer");
    }
    return 0;
}

void km_log_thread_done(struct km_log *log)
{
    struct sink *sink = pthread_getspecific(log->sinks);

    if (!sink)
        return;
    pthread_setspecific(log->sinks, NULL);
    end_of_thread(sink);
}

void km_log_flush(struct km_log *log)
{
    struct sink *sink = pthread_getspecific(log->sinks);

    if (sink && !sink->open)
        flush(log, &sink->buf, sink->buf.n);
}

static bool is_json(const struct km_line *l)
{
    return l->format == KM_LOG_JSON;
}

/* The time, of which all but the microseconds changes once a second. */
static void stamp(struct sink *sink, char out[KM_TIME_ISO_LEN])
{
    const int64_t now_us = km_wall_us(), second = now_us / 1000000;
    unsigned us = (unsigned)(now_us % 1000000);

    if (second != sink->second || sink->stamp[0] == '\0')
        km_time_iso(now_us, sink->stamp);
    sink->second = second;
    memcpy(out, sink->stamp, KM_TIME_ISO_LEN);
    for (char *at = out + KM_TIME_ISO_LEN - 2; *at != '.'; us /= 10)
        *at-- = (char)('0' + us % 10);
}

static void head(struct km_line *l, struct sink *sink, const char *event)
{
    static const char *const lower[] = { "debug", "info", "warn", "error" };
    static const char *const upper[] = { " DEBUG ", " INFO  ", " WARN  ", " ERROR " };
    char time[KM_TIME_ISO_LEN];
    struct km_buf *b = l->out;

    stamp(sink, time);
    if (is_json(l)) {
        km_buf_str(b, KM_STR("{\"time\":\""));
        km_buf_bytes(b, time, KM_TIME_ISO_LEN);
        km_buf_str(b, KM_STR("\",\"level\":\""));
        km_buf_str(b, km_str_c(lower[l->level]));
        km_buf_str(b, KM_STR("\",\"event\":\""));
        km_buf_str(b, km_str_c(event));
        km_buf_byte(b, '"');
    } else {
        km_buf_bytes(b, time, KM_TIME_ISO_LEN);
        km_buf_str(b, km_str_c(upper[l->level]));
        km_buf_str(b, km_str_c(event));
    }
}

bool km_log_begin(struct km_log *log, struct km_line *l, enum km_log_level level, const char *event)
{
    struct sink *sink;

    if (!log || (int)level < atomic_load_explicit(&log->level, memory_order_relaxed))
        return false;
    sink = pthread_getspecific(log->sinks);
    if (!sink || sink->open)
        sink = make_sink(log);
    if (!sink)
        return false;
    sink->open = true;
    *l = (struct km_line){
        .log = log,
        .out = &sink->buf,
        .start = sink->buf.n,
        .level = level,
        .format = (enum km_log_format)atomic_load_explicit(&log->format, memory_order_relaxed),
    };
    head(l, sink, event);
    return true;
}

/* false: the line is as long as it may get, the field is left out. */
static bool key(struct km_line *l, const char *name)
{
    struct km_buf *b = l->out;
    const size_t n = strlen(name);
    char *p;

    if (b->n - l->start > LINE_END)
        return false;
    p = km_buf_reserve(b, n + 4);
    if (!p)
        return false;
    if (is_json(l)) {
        *p++ = ',';
        *p++ = '"';
        memcpy(p, name, n);
        p += n;
        *p++ = '"';
        *p++ = ':';
    } else {
        *p++ = ' ';
        memcpy(p, name, n);
        p += n;
        *p++ = '=';
    }
    b->n = (size_t)(p - b->p);
    return true;
}

/* Valid UTF-8 that moves the text around it, or ends a line for some readers: U+0080..9F,
 * U+061C, U+200B..200F, U+2028..202E, U+2060..206F, U+FEFF. */
static bool is_treacherous(uint32_t c)
{
    return (c >= 0x80 && c <= 0x9f) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static uint32_t code_point(const char *p, size_t n)
{
    uint32_t c = (unsigned char)p[0] & (n == 2 ? 0x1fu : n == 3 ? 0x0fu : 0x07u);

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3fu);
    return c;
}

/* One character that is not plain; returns the bytes it took. */
static size_t special(struct km_buf *b, struct km_str s)
{
    const unsigned char c = (unsigned char)s.p[0];
    size_t n;

    if (c == '"' || c == '\\') {
        km_buf_bytes(b, (char[]){ '\\', s.p[0] }, 2);
        return 1;
    }
    if (c == '\n') {
        km_buf_str(b, KM_STR("\\n"));
        return 1;
    }
    n = c < 0x80 ? 0 : km_utf8_step(s);
    if (c >= 0x80 && n == 0)
        km_buf_str(b, KM_STR("\\ufffd"));
    else if (n == 0 || is_treacherous(code_point(s.p, n)))
        km_buf_printf(b, "\\u%04x", n ? code_point(s.p, n) : c);
    else
        km_buf_bytes(b, s.p, n);
    return n ? n : 1;
}

static void quoted(struct km_buf *b, struct km_str s)
{
    const bool cut = s.n > VALUE_MAX;

    s = km_str_sub(s, 0, VALUE_MAX);
    km_buf_byte(b, '"');
    while (s.n) {
        size_t n = km_str_plain(s);

        km_buf_bytes(b, s.p, n);
        s = km_str_skip(s, n);
        if (s.n)
            s = km_str_skip(s, special(b, s));
    }
    km_buf_str(b, cut ? KM_STR("...\"") : KM_STR("\""));
}

/* A value that needs no quotes in the text format. */
static bool is_bare(struct km_str s)
{
    if (s.n == 0 || s.n > 256)
        return false;
    return km_str_plain(s) == s.n && km_str_chr(s, ' ') == s.n && km_str_chr(s, '=') == s.n;
}

void km_line_str(struct km_line *l, const char *name, struct km_str value)
{
    if (!key(l, name))
        return;
    if (!is_json(l) && is_bare(value))
        km_buf_str(l->out, value);
    else
        quoted(l->out, value);
}

void km_line_cstr(struct km_line *l, const char *name, const char *value)
{
    km_line_str(l, name, km_str_c(value));
}

void km_line_u64(struct km_line *l, const char *name, uint64_t value)
{
    if (key(l, name))
        km_buf_u64(l->out, value);
}

void km_line_i64(struct km_line *l, const char *name, int64_t value)
{
    if (key(l, name))
        km_buf_i64(l->out, value);
}

void km_line_decimal(struct km_line *l, const char *name, int64_t value, int scale)
{
    if (key(l, name))
        km_buf_decimal(l->out, value, scale);
}

void km_log_end(struct km_line *l)
{
    struct km_buf *b = l->out;
    struct sink *sink = KM_CONTAINER(b, struct sink, buf);
    const bool own = sink == pthread_getspecific(l->log->sinks);

    km_buf_str(b, is_json(l) ? KM_STR("}\n") : KM_STR("\n"));
    sink->open = false;
    if (km_buf_failed(b)) {
        /* Out of memory: the lines before this one are whole, this one is given up. */
        b->failed = false;
        b->n = l->start;
    }
    if (!own || l->level >= KM_LOG_WARN || b->n >= FLUSH_AT)
        flush(l->log, b, b->n);
    if (!own)
        free_sink(sink);
    l->out = NULL;
}

void km_log_msg(struct km_log *log, enum km_log_level level, const char *event, const char *fmt,
                ...)
{
    struct km_line l;
    char text[1024];
    va_list ap;
    int n;

    if (!km_log_begin(log, &l, level, event))
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    km_line_cstr(&l, "msg", n < 0 ? "" : text);
    km_log_end(&l);
}

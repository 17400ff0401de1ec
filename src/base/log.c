/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h for the contract.
 *
 *     thread -> struct sink { buf: the open line } -> log_writer -> log_fd -> write(2)
 *
 * A line is written into the buffer of its thread, and when it is finished into the queue of the
 * log's writer (log_writer.h), which puts the time into it and has a thread of its own for what
 * may block.
 *
 * The thread's buffer is found by a pthread key of the log itself, not a thread-local
 * variable: two logs in one process (tests, tools) do not share buffers.  A thread that has
 * none, or that opens a line while another is open, gets a buffer for that one line.
 *
 * Values come from clients and upstreams.  Each is cut at VALUE_MAX bytes, and a line takes
 * no more fields past LINE_END, so one request cannot fill the disk with one line.  What
 * could forge a line or turn its text around on a screen (control bytes, line separators,
 * bidi marks, bytes that are not UTF-8) is written as an escape in both formats.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/list.h"
#include "base/log_fd.h"
#include "base/time.h"
#include "base/veil.h"

#define LINE_END ((size_t)64 * 1024)
#define VALUE_MAX ((size_t)16 * 1024)
/* A line past its bound still ends with one value, each byte of which may be an escape. */
#define SINK_MAX (LINE_END + VALUE_MAX * 6 + 1024)
/* What waits for a slow reader: 15,000 lines of calls, a second or two of a machine that is fully
 * loaded, so that a disk which holds its breath costs no line. */
#define QUEUE_MAX ((size_t)4 * 1024 * 1024)
#define BLOCK ((size_t)64 * 1024) /* written at once */
#define END_MS 1000 /* for a reader that stands still when the program ends */
#define TIME_IN_JSON (sizeof "{\"time\":\"" - 1)

struct sink {
    struct km_buf buf;
    bool open; /* a line is being built in buf */
};

struct km_log {
    struct km_log_writer *writer;
    struct km_log_fd *fd;
    struct km_log_outlet *outlet; /* fd's */
    _Atomic int level;
    _Atomic int format;
    pthread_key_t sinks;
    struct km_veil *veil; /* not its own; set before threads begin */
};

static void free_sink(void *data)
{
    struct sink *sink = data;

    km_buf_done(&sink->buf);
    free(sink);
}

/* --- life --- */

struct km_log *km_log_new(int fd, enum km_log_level level, enum km_log_format format)
{
    struct km_log *log = calloc(1, sizeof *log);

    if (!log)
        return NULL;
    log->writer = km_log_writer_new(QUEUE_MAX, BLOCK);
    log->fd = log->writer ? km_log_fd_new(log->writer, fd) : NULL;
    if (!log->fd || pthread_key_create(&log->sinks, free_sink) != 0) {
        if (log->fd)
            km_log_fd_release(log->fd);
        km_log_writer_free(log->writer, 0);
        free(log);
        return NULL;
    }
    log->outlet = km_log_fd_outlet(log->fd);
    atomic_init(&log->level, (int)level);
    atomic_init(&log->format, (int)format);
    km_log_fd_set_json(log->fd, format == KM_LOG_JSON);
    return log;
}

struct km_log *km_log_free(struct km_log *log)
{
    if (!log)
        return NULL;
    km_log_thread_done(log);
    pthread_key_delete(log->sinks);
    km_log_fd_release(log->fd);
    km_log_writer_free(log->writer, END_MS);
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
    km_log_fd_set_json(log->fd, format == KM_LOG_JSON);
}

void km_log_set_fd(struct km_log *log, int fd)
{
    km_log_fd_change(log->fd, fd);
}

static struct sink *make_sink(void)
{
    struct sink *sink = calloc(1, sizeof *sink);

    if (sink)
        km_buf_init(&sink->buf, SINK_MAX);
    return sink;
}

int km_log_thread_init(struct km_log *log, struct km_err *err)
{
    struct sink *sink;

    if (pthread_getspecific(log->sinks))
        return 0;
    sink = make_sink();
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
    free_sink(sink);
}

bool km_log_flush(struct km_log *log, uint64_t most_ms)
{
    return km_log_writer_flush(log->writer, most_ms);
}

uint64_t km_log_dropped(const struct km_log *log)
{
    return km_log_writer_dropped(log->writer);
}

static bool is_json(const struct km_line *l)
{
    return l->format == KM_LOG_JSON;
}

/* The time is put in when the line is finished. */
static void head(struct km_line *l, const char *event)
{
    static const char *const lower[] = { "debug", "info", "warn", "error" };
    static const char *const upper[] = { " DEBUG ", " INFO  ", " WARN  ", " ERROR " };
    static const char time[KM_TIME_ISO_LEN];
    struct km_buf *b = l->out;

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
        sink = make_sink();
    if (!sink) {
        km_log_writer_lose(log->writer, log->outlet);
        return false;
    }
    sink->open = true;
    *l = (struct km_line){
        .log = log,
        .out = &sink->buf,
        .level = level,
        .format = (enum km_log_format)atomic_load_explicit(&log->format, memory_order_relaxed),
    };
    head(l, event);
    return true;
}

/* false: the line is as long as it may get, the field is left out. */
static bool key(struct km_line *l, struct km_str name)
{
    struct km_buf *b = l->out;
    char *p;

    if (b->n > LINE_END)
        return false;
    p = km_buf_reserve(b, name.n + 4);
    if (!p)
        return false;
    if (is_json(l)) {
        *p++ = ',';
        *p++ = '"';
        memcpy(p, name.p, name.n);
        p += name.n;
        *p++ = '"';
        *p++ = ':';
    } else {
        *p++ = ' ';
        memcpy(p, name.p, name.n);
        p += name.n;
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
    return s.n > 0 && s.n <= 256 && km_str_is_bare(s);
}

void km_log_set_veil(struct km_log *log, struct km_veil *veil)
{
    log->veil = veil;
}

struct km_veil *km_log_veil(const struct km_log *log)
{
    return log ? log->veil : NULL;
}

/* Lines of calls that went well are ours, and most of all lines: of them only what is prose. */
static bool is_veiled(const struct km_line *l, struct km_str name)
{
    return l->level != KM_LOG_INFO || km_str_eq(name, KM_STR("why")) ||
           km_str_eq(name, KM_STR("msg"));
}

static void put_value(struct km_line *l, struct km_str value)
{
    if (!is_json(l) && is_bare(value))
        km_buf_str(l->out, value);
    else
        quoted(l->out, value);
}

static void put_veiled(struct km_line *l, struct km_str value)
{
    struct km_buf cut KM_CLEANUP(km_buf_done) = KM_BUF((size_t)4 * VALUE_MAX);

    if (km_veil_cut(l->log->veil, km_str_sub(value, 0, 2 * VALUE_MAX), &cut))
        value = km_buf_failed(&cut) ? KM_STR(KM_VEIL_MARK) : km_buf_view(&cut);
    put_value(l, value);
}

void km_line_put_str(struct km_line *l, struct km_str name, struct km_str value)
{
    if (!key(l, name))
        return;
    if (is_veiled(l, name))
        put_veiled(l, value);
    else
        put_value(l, value);
}

void km_line_put_u64(struct km_line *l, struct km_str name, uint64_t value)
{
    if (key(l, name))
        km_buf_u64(l->out, value);
}

void km_line_put_i64(struct km_line *l, struct km_str name, int64_t value)
{
    if (key(l, name))
        km_buf_i64(l->out, value);
}

void km_line_put_decimal(struct km_line *l, struct km_str name, int64_t value, int scale)
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
    if (km_buf_failed(b)) /* out of memory */
        km_log_writer_lose(l->log->writer, l->log->outlet);
    else
        km_log_writer_put(l->log->writer, l->log->outlet, km_buf_view(b),
                          is_json(l) ? TIME_IN_JSON : 0, l->level >= KM_LOG_WARN);
    km_buf_reset(b);
    sink->open = false;
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

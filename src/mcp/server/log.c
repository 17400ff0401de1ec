/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h.
 *
 * Each line begins with the time and the process's number, so that the lines of several children
 * can be told apart; a line that comes in pieces is written in pieces.  Nothing here fails: a log
 * that cannot be written must not end a server.
 */
#include "mcp/server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"

#define CHUNK ((size_t)64 * 1024) /* written at once, where a file may be that large */
#define PREFIX_MOST 64

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

static void open_file(struct km_server_log *log)
{
    log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

void km_server_log_init(struct km_server_log *log, const char *path, int64_t max)
{
    *log = (struct km_server_log){ .fd = -1, .max = max };
    if (!path || (size_t)snprintf(log->path, sizeof log->path, "%s", path) >= sizeof log->path) {
        log->path[0] = '\0';
        return;
    }
    make_folders(log->path);
    open_file(log);
}

void km_server_log_done(struct km_server_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

/* So that n more bytes fit.  Another process of the server may have done it before: then only the
 * file is opened anew. */
static void rotate(struct km_server_log *log, size_t n)
{
    struct stat ours, named;
    char old[1040];

    if (fstat(log->fd, &ours) < 0 || ours.st_size == 0 || ours.st_size + (int64_t)n <= log->max)
        return;
    if (stat(log->path, &named) == 0 && named.st_ino == ours.st_ino) {
        snprintf(old, sizeof old, "%s.1", log->path);
        (void)rename(log->path, old); /* else the file grows on for a moment */
    }
    close(log->fd);
    open_file(log);
}

static void put_prefix(const struct km_server_log *log, struct km_buf *out)
{
    char now[KM_TIME_ISO_LEN + 1];

    km_time_iso(km_wall_us(), now);
    km_buf_printf(out, "%s [%ld] ", now, log->pid);
}

static void flush(struct km_server_log *log, struct km_buf *out)
{
    rotate(log, out->n);
    if (log->fd >= 0 && out->n && write(log->fd, out->p, out->n) < 0)
        log->dropped += out->n;
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

void km_server_log_write(struct km_server_log *log, struct km_str bytes)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(8 * CHUNK);
    size_t most = CHUNK;

    if (log->fd < 0)
        return;
    bytes.n = allowance(log, bytes.n, &out);
    if (log->max < (int64_t)CHUNK)
        most = (size_t)log->max;
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];

        if (!log->inside)
            put_prefix(log, &out);
        log->inside = c != '\n';
        km_buf_byte(&out, (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : (char)c);
        if (out.n + PREFIX_MOST >= most)
            flush(log, &out);
    }
    flush(log, &out);
}

void km_server_log_say(struct km_server_log *log, const char *fmt, ...)
{
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    va_list ap;

    if (log->inside)
        km_buf_byte(&line, '\n');
    km_buf_str(&line, KM_STR("kanmon: "));
    va_start(ap, fmt);
    km_buf_vprintf(&line, fmt, ap);
    va_end(ap);
    km_buf_byte(&line, '\n');
    log->second = 0; /* always said */
    km_server_log_write(log, km_buf_view(&line));
}

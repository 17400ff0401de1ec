/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_log.c - what a stdio server wrote to its standard error, for the administrator.
 *
 *     GET /kanmon/mcp/servers/{name}/log?bytes=   the end of it
 *     GET /kanmon/mcp/servers/{name}/log?after=   what came since: the `next` of an answer before
 *
 *     x.log.1  [ ...... old ]      `next` is a file's number and a place in it, so that who follows
 *     x.log    [ newer ... | ]     a log misses nothing when the file becomes "x.log.1"
 *
 * There is no event for a line: who follows asks again.  An answer is bounded, and says by `next`
 * where it ended, and by `missed` that the log began anew twice since.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/mcp.h"
#include "base/time.h"
#include "mcp/ask.h"

#define BODY_BYTES 1024
#define LOG_BYTES 16384 /* shown when nothing is said */
#define LOG_MOST ((size_t)1024 * 1024)
#define ANSWER_BYTES ((size_t)8 * 1024 * 1024)
#define PATH_BYTES 1024

/* A place in a log. */
struct place {
    uint64_t file; /* its number; 0: of none */
    uint64_t at;
    bool missed; /* its file is gone, with what came after it there */
};

/* What a file is told from others by: the time its first line begins with.  The number of one that
 * is gone may be a new one's at once, so that says nothing.  0: it has no line yet. */
static uint64_t number_of(int fd)
{
    char first[KM_TIME_ISO_LEN];
    int64_t us;

    return pread(fd, first, sizeof first, 0) == (ssize_t)sizeof first &&
                   km_time_parse_iso(km_str(first, sizeof first), &us) == 0
               ? (uint64_t)us
               : 0;
}

/* Appends at most `most` bytes of a file from `from` on (UINT64_MAX: its end); *ret: their end.
 * Where the file is not there, or not the one that is asked for (only, 0: any), nothing. */
static int read_from(const char *path, uint64_t only, uint64_t from, size_t most,
                     struct km_buf *text, struct place *ret, struct km_err *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const uint64_t number = fd < 0 ? 0 : number_of(fd);
    struct stat st = { 0 };
    char *room = NULL;
    ssize_t n = -1;

    if (fd < 0)
        return errno == ENOENT ? 0 : km_fail_errno(err, errno, "cannot read the log");
    if (fstat(fd, &st) == 0 && only && number != only) {
        close(fd);
        return 0;
    }
    if (from == UINT64_MAX)
        from = (uint64_t)st.st_size > most ? (uint64_t)st.st_size - most : 0;
    else if (from > (uint64_t)st.st_size)
        from = 0; /* it was emptied */
    room = km_buf_reserve(text, most);
    if (room)
        n = pread(fd, room, most, (off_t)from);
    close(fd);
    if (n < 0)
        return km_fail(err, KM_E_SYSTEM, "cannot read the log");
    text->n += (size_t)n;
    *ret = (struct place){ .file = number, .at = from + (uint64_t)n };
    return 0;
}

/* The end of the log; what is not in the file any more is in the one before.  From the beginning
 * of a line. */
static int read_end(const char *path, size_t most, struct km_buf *text, struct place *ret,
                    struct km_err *err)
{
    char before[PATH_BYTES + 2];
    struct place old;
    struct stat st;
    size_t now = stat(path, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size : 0;
    size_t end;
    int r = 0;

    snprintf(before, sizeof before, "%s.1", path);
    if (now < most)
        r = read_from(before, 0, UINT64_MAX, most - now, text, &old, err);
    if (r == 0)
        r = read_from(path, 0, UINT64_MAX, now < most ? now : most, text, ret, err);
    end = km_str_chr(km_buf_view(text), '\n');
    if (r == 0 && text->n == most && end < text->n)
        km_buf_consume(text, end + 1);
    return r;
}

/* What came after a place: in its file, which may be the one before by now, and in those since. */
static int read_after(const char *path, struct place after, struct km_buf *text, struct place *ret,
                      struct km_err *err)
{
    char before[PATH_BYTES + 2];
    struct place none = { 0 };
    int r = read_from(path, after.file ? after.file : 1, after.at, LOG_MOST, text, &none, err);

    *ret = none;
    if (r < 0 || none.file)
        return r;
    snprintf(before, sizeof before, "%s.1", path);
    if (after.file)
        r = read_from(before, after.file, after.at, LOG_MOST, text, ret, err);
    none.missed = after.file && !ret->file;
    if (r == 0 && text->n < LOG_MOST)
        r = read_from(path, 0, 0, LOG_MOST - text->n, text, ret, err);
    ret->missed = none.missed;
    return r;
}

static int read_place(struct km_str said, struct place *ret, struct km_err *err)
{
    size_t dot = km_str_chr(said, '.');

    if (dot == said.n || km_str_u64(km_str_sub(said, 0, dot), &ret->file) < 0 ||
        km_str_u64(km_str_skip(said, dot + 1), &ret->at) < 0 || ret->at > INT64_MAX)
        return km_fail_param(err, KM_E_INVALID, "after",
                             "after is the `next` of an answer before.");
    return 0;
}

static int read_what_is_asked(struct km_admin *a, const char *path, struct km_buf *text,
                              struct place *ret, struct km_err *err)
{
    struct place after = { 0 };
    uint64_t bytes = LOG_BYTES;
    struct km_str said;

    if (km_admin_query(a, "after", &said))
        return read_place(said, &after, err) < 0 ? KM_E_INVALID
                                                 : read_after(path, after, text, ret, err);
    if (km_admin_query(a, "bytes", &said) && (km_str_u64(said, &bytes) < 0 || bytes > LOG_MOST))
        return km_fail_param(err, KM_E_INVALID, "bytes", "bytes is a number of at most %zu",
                             LOG_MOST);
    return read_end(path, (size_t)bytes, text, ret, err);
}

static void put_answer(const struct km_mcp_upstream *u, const char *path, struct km_str text,
                       const struct place *next, struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"name\":"));
    km_buf_json(out, u->name);
    km_buf_str(out, KM_STR(",\"file\":"));
    km_buf_json(out, km_str_c(path));
    km_buf_str(out, KM_STR(",\"log\":"));
    km_buf_json(out, text);
    km_buf_printf(out, ",\"missed\":%s,\"next\":\"%llu.%llu\"}", next->missed ? "true" : "false",
                  (unsigned long long)next->file, (unsigned long long)next->at);
}

static int show_log(struct km_admin *a, struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(2 * LOG_MOST);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    struct km_mcp_upstream *u = km_mcp_admin_find(a, a->v->match.params[0], err);
    struct place next = { 0 };
    char path[PATH_BYTES];
    int r = 0;

    if (!u)
        return err->code;
    if (!km_mcp_upstream_log(a->v->w->gw->mcp, u, path, sizeof path))
        r = km_fail(err, KM_E_INVALID,
                    "'%.*s' is reached by its address and has its log elsewhere.",
                    KM_STR_ARG(u->name));
    if (r == 0)
        r = read_what_is_asked(a, path, &text, &next, err);
    if (r == 0)
        put_answer(u, path, km_buf_view(&text), &next, &out);
    if (r == 0 && km_buf_failed(&out))
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    if (r == 0)
        km_admin_json(a, 200, km_buf_view(&out));
    km_mcp_upstream_unref(u);
    return r;
}

KM_ADMIN_HANDLER(on_log, BODY_BYTES, show_log)

static const struct km_route rows[] = {
    { "GET", "/kanmon/mcp/servers/{name}/log", on_log, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_mcp_log_routes = { rows, sizeof rows / sizeof rows[0] };

/* SPDX-License-Identifier: Apache-2.0 */
/* stdio.c - a server that is a process of ours: lines on its standard streams (link.h).
 *
 *     link ── stdin ──> kanmon --shim ──> command and all it starts
 *          <─ stdout ──      │
 *          <─ stderr ──> log │
 *          ── liveness ──────┘   its end, however we end, is the end of the whole tree
 *
 * A child that does not read gets a bounded queue, one that writes an endless line is ended, one
 * that floods its standard error has most of that dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mcp/lines.h"
#include "mcp/link/link.h"
#include "mcp/server/log.h"
#include "mcp/stdio_words.h"
#include "sys/pipe.h"
#include "sys/shim.h"
#include "sys/supervise.h"

#define QUEUE_BYTES ((size_t)32 * 1024 * 1024) /* not read by the child */
#define ROOM_MS 20 /* between two looks whether a process has ended and left room */
#define END_MS 15000 /* the shim has its own, shorter times */

struct link_stdio {
    struct km_link base;
    struct km_loop *loop;
    struct km_mcp_upstream *upstream;
    struct km_arena arena; /* arguments and environment */
    struct km_child *child;
    struct km_pipe *in, *out, *err;
    int alive; /* our end of the liveness pipe */
    struct km_lines lines;
    struct km_server_log log;
    struct km_timer begin; /* after delay_ms */
    uint64_t delay_ms;
    _Atomic unsigned *living;
    unsigned most;
    struct km_deferred up;
    struct km_link_end end;
    bool is_up;
    struct km_stdio_words words;
    char work_dir[1024];
};

static struct link_stdio *of(struct km_link *l)
{
    return (struct link_stdio *)(void *)l;
}

/* --- the child --- */

static void on_up(void *ctx)
{
    struct link_stdio *s = ctx;

    if (s->end.is_down)
        return; /* that is told, and nothing else */
    s->is_up = true;
    s->base.events->on_up(s->base.ctx);
}

static int on_line(void *ctx, struct km_str line)
{
    struct link_stdio *s = ctx;

    s->base.events->on_message(s->base.ctx, 0, line);
    return 0;
}

static void on_stdout(void *ctx, const char *bytes, size_t n)
{
    struct link_stdio *s = ctx;
    struct km_err err = { 0 };

    if (!s->end.is_down && km_lines_feed(&s->lines, bytes, n, &err) < 0) {
        km_fail(&err, KM_E_LIMIT, "'%.*s' wrote a line of over %zu bytes",
                KM_STR_ARG(s->upstream->name), KM_MCP_LINE_BYTES);
        km_link_end(&s->end, &err);
    }
}

/* Its exit says more, and follows; but a child may also close its output and stay. */
static void on_stdout_end(void *ctx)
{
    struct link_stdio *s = ctx;

    s->alive = s->alive >= 0 ? (close(s->alive), -1) : -1;
}

static void on_stderr(void *ctx, const char *bytes, size_t n)
{
    struct link_stdio *s = ctx;

    km_server_log_write(&s->log, km_str(bytes, n));
}

static void on_ignored(void *ctx)
{
    (void)ctx;
}

static void on_state(void *ctx, struct km_child *child, enum km_child_state state, int status)
{
    struct link_stdio *s = ctx;
    struct km_err err;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

    (void)child;
    if (state != KM_CHILD_STOPPED)
        return;
    if (code == 127)
        km_fail(&err, KM_E_UPSTREAM_CONNECT, "'%.*s' cannot be started: there is no program '%.*s'",
                KM_STR_ARG(s->upstream->name), KM_STR_ARG(s->upstream->entry->command));
    else if (code == KM_SHIM_BOX)
        km_fail(&err, KM_E_UPSTREAM_CONNECT,
                "'%.*s' is not started: its sandbox cannot be had here; see its log",
                KM_STR_ARG(s->upstream->name));
    else if (code == KM_SHIM_OVER)
        km_fail(&err, KM_E_UPSTREAM_CONNECT,
                "'%.*s' took more memory or processes than its limits say and was ended",
                KM_STR_ARG(s->upstream->name));
    else if (code > 128)
        km_fail(&err, KM_E_UPSTREAM_CONNECT, "'%.*s' was ended by signal %d; see its log",
                KM_STR_ARG(s->upstream->name), code - 128);
    else
        km_fail(&err, KM_E_UPSTREAM_CONNECT, "'%.*s' ended with status %d; see its log",
                KM_STR_ARG(s->upstream->name), code);
    km_server_log_say(&s->log, "the server ended with status %d", code);
    km_link_end(&s->end, &err);
}

static void close_pair(int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int spawn(struct link_stdio *s, int in, int out, int err_fd, int liveness,
                 struct km_err *err)
{
    struct km_str cwd = s->upstream->entry->cwd;
    struct km_child_spec spec = {
        .file = "/proc/self/exe",
        .argv = s->words.argv,
        .envp = s->words.envp,
        .cwd = cwd.n ? km_arena_cstr(&s->arena, cwd) : s->work_dir,
        .fds = &liveness,
        .nfds = 1,
        .stdin_fd = in,
        .stdout_fd = out,
        .stderr_fd = err_fd,
        .stop_ms = END_MS,
        .living = s->living,
        .most = s->most,
    };

    int r;

    s->child = km_child_new(s->loop, &spec, on_state, s, err);
    if (!s->child)
        return err->code;
    r = km_child_start(s->child, err);
    if (r < 0)
        s->child = km_child_free(s->child);
    return r;
}

static int start(struct link_stdio *s, struct km_err *err)
{
    static const struct km_pipe_events in_events = { NULL, on_ignored };
    static const struct km_pipe_events out_events = { on_stdout, on_stdout_end };
    static const struct km_pipe_events err_events = { on_stderr, on_ignored };
    int in[2] = { -1, -1 }, out[2] = { -1, -1 }, errs[2] = { -1, -1 }, life[2] = { -1, -1 };
    int r = 0;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(errs, O_CLOEXEC) < 0 ||
        pipe2(life, O_CLOEXEC) < 0)
        r = km_fail_errno(err, errno, "no descriptors for '%.*s'", KM_STR_ARG(s->upstream->name));
    if (r == 0)
        r = spawn(s, in[0], out[1], errs[1], life[0], err);
    if (r < 0) {
        close_pair(in);
        close_pair(out);
        close_pair(errs);
        close_pair(life);
        return r;
    }
    close(in[0]);
    close(out[1]);
    close(errs[1]);
    close(life[0]);
    s->alive = life[1];
    s->log.pid = (long)km_child_pid(s->child);
    s->in = km_pipe_new(s->loop, in[1], &in_events, s, err);
    s->out = km_pipe_new(s->loop, out[0], &out_events, s, err);
    s->err = km_pipe_new(s->loop, errs[0], &err_events, s, err);
    return s->in && s->out && s->err ? 0 : err->code;
}

/* --- the link --- */

static void on_begin(void *ctx)
{
    struct link_stdio *s = ctx;
    struct km_err err = { 0 };
    int r;

    r = start(s, &err);
    if (r == KM_E_AGAIN) { /* another is on its way out; the opening's time-out bounds this */
        km_timer_start(&s->begin, ROOM_MS);
        return;
    }
    if (r < 0) {
        if (!km_str_starts(km_str_c(err.text), KM_STR("'")))
            km_server_log_say(&s->log, "%s", err.text);
        km_link_end(&s->end, &err);
        return;
    }
    km_deferred_queue(&s->up);
}

static void stdio_open(struct km_link *l)
{
    struct link_stdio *s = of(l);

    if (s->delay_ms)
        km_timer_start(&s->begin, s->delay_ms);
    else
        on_begin(s);
}

static void stdio_send(struct km_link *l, const struct km_link_request *q)
{
    struct link_stdio *s = of(l);
    struct km_buf line KM_CLEANUP(km_buf_done) = KM_BUF(0);
    struct km_err err = { 0 };

    if (s->end.is_down || !s->in)
        return;
    km_buf_move(&line, q->text);
    line.max = line.n + 1;
    for (size_t i = 0; i < line.n; i++) /* a newline is only white space outside of strings */
        if (line.p[i] == '\n' || line.p[i] == '\r')
            line.p[i] = ' ';
    km_buf_byte(&line, '\n');
    if (km_pipe_write(s->in, km_buf_view(&line), QUEUE_BYTES, &err) == 0 || err.code == KM_E_CLOSED)
        return; /* closed: its end is about to be told */
    km_fail(&err, KM_E_UPSTREAM_TIMEOUT, "'%.*s' does not read what it is sent",
            KM_STR_ARG(s->upstream->name));
    km_link_end(&s->end, &err);
}

static bool stdio_behind(const struct km_link *l)
{
    const struct link_stdio *s = (const struct link_stdio *)(const void *)l;

    return s->in && !s->end.is_down && km_pipe_unread(s->in) > 0;
}

static struct km_link *stdio_free(struct km_link *l)
{
    struct link_stdio *s = of(l);

    km_deferred_cancel(&s->up);
    km_link_end_cancel(&s->end);
    km_timer_stop(&s->begin);
    km_pipe_free(s->in); /* which asks it to end */
    if (s->alive >= 0)
        close(s->alive); /* and this makes it */
    km_pipe_free(s->out);
    km_pipe_free(s->err);
    km_child_leave(s->child, END_MS);
    km_lines_done(&s->lines);
    km_server_log_done(&s->log);
    km_mcp_upstream_unref(s->upstream);
    km_arena_done(&s->arena);
    free(s);
    return NULL;
}

/* Where a server in a sandbox puts what is else in /tmp, which all share. */
static void make_tmp(const char *work_dir)
{
    char path[sizeof(((struct link_stdio *)NULL)->work_dir) + 8];

    snprintf(path, sizeof path, "%s/tmp", work_dir);
    (void)mkdir(path, 0700);
}

/* "<state>/mcp/<name>.d", beside its log. */
static void make_work_dir(struct link_stdio *s, const struct km_link_args *args)
{
    size_t n = args->log_path ? strlen(args->log_path) : 0;

    if (n > 4 && n < sizeof s->work_dir)
        snprintf(s->work_dir, sizeof s->work_dir, "%.*s.d", (int)(n - 4), args->log_path);
    else
        snprintf(s->work_dir, sizeof s->work_dir, "%s", args->work_dir);
    (void)mkdir(s->work_dir, 0700); /* it is there, or starting fails with a reason */
    if (args->upstream->entry->sandbox != KM_SANDBOX_OFF)
        make_tmp(s->work_dir);
}

struct km_link *km_link_stdio_new(const struct km_link_args *args, struct km_err *err)
{
    static const struct km_link_ops ops = {
        .open = stdio_open, .send = stdio_send, .behind = stdio_behind, .free = stdio_free
    };
    struct link_stdio *s = calloc(1, sizeof *s);

    if (!s) {
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    s->base = (struct km_link){ .ops = &ops, .events = args->events, .ctx = args->ctx };
    s->loop = args->loop;
    s->upstream = km_mcp_upstream_ref(args->upstream);
    s->alive = -1;
    km_arena_init(&s->arena, (size_t)8 * 1024 * 1024, NULL);
    km_lines_init(&s->lines, KM_MCP_LINE_BYTES, on_line, s);
    km_server_log_init(&s->log, args->log_writer, args->log_path, args->upstream->entry->log_bytes,
                       km_log_veil(args->log));
    km_deferred_init(&s->up, s->loop, on_up, s);
    km_link_end_init(&s->end, &s->base, s->loop);
    km_timer_init(&s->begin, s->loop, on_begin, s);
    s->delay_ms = args->delay_ms;
    s->living = args->living;
    s->most = args->most;
    make_work_dir(s, args);
    if (km_stdio_words(s->upstream, args->asker, s->work_dir, args->cgroup, &s->arena, &s->words,
                       err) < 0)
        return stdio_free(&s->base);
    return &s->base;
}

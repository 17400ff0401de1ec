/* SPDX-License-Identifier: Apache-2.0 */
/* pipe.c - see pipe.h for the contract.
 *
 * The descriptor is made non-blocking by libuv.  A write is tried at once; what is left over is
 * one copied block in libuv's queue.  Closing is asynchronous there, so the object outlives
 * km_pipe_free() until libuv lets it go; it calls nobody any more.
 */
#include "sys/pipe.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

struct km_pipe {
    uv_pipe_t uv; /* its data points back */
    struct km_loop *loop;
    const struct km_pipe_events *events;
    void *ctx;
    bool ended; /* on_end was told, or it was freed */
};

struct pending {
    uv_write_t req;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct km_pipe *p = handle->data;

    (void)suggested;
    *buf = uv_buf_init(km_loop_read_buffer(p->loop), KM_LOOP_READ_BYTES);
}

static void end(struct km_pipe *p)
{
    if (p->ended)
        return;
    p->ended = true;
    uv_read_stop((uv_stream_t *)&p->uv);
    p->events->on_end(p->ctx);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct km_pipe *p = stream->data;

    if (n > 0 && !p->ended)
        p->events->on_read(p->ctx, buf->base, (size_t)n);
    else if (n < 0)
        end(p);
}

static void on_written(uv_write_t *req, int status)
{
    struct pending *w = (struct pending *)(void *)req;
    struct km_pipe *p = req->data;

    free(w);
    if (status < 0)
        end(p);
}

struct km_pipe *km_pipe_new(struct km_loop *loop, int fd, const struct km_pipe_events *events,
                            void *ctx, struct km_err *err)
{
    struct km_pipe *p = calloc(1, sizeof *p);
    int r;

    if (!p || uv_pipe_init(km_loop_uv(loop), &p->uv, 0) < 0) {
        close(fd);
        free(p);
        km_fail(err, KM_E_NOMEM, "out of memory");
        return NULL;
    }
    p->uv.data = p;
    p->loop = loop;
    p->events = events;
    p->ctx = ctx;
    r = uv_pipe_open(&p->uv, fd);
    if (r < 0)
        close(fd);
    if (r == 0 && events->on_read)
        r = uv_read_start((uv_stream_t *)&p->uv, on_alloc, on_read);
    if (r == 0)
        return p;
    km_fail(err, KM_E_SYSTEM, "a pipe to a child process cannot be used: %s", uv_strerror(r));
    return km_pipe_free(p);
}

size_t km_pipe_queued(const struct km_pipe *p)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&p->uv);
}

size_t km_pipe_unread(const struct km_pipe *p)
{
    size_t n = km_pipe_queued(p);
    uv_os_fd_t fd;
    int held = 0;

    if (uv_fileno((const uv_handle_t *)&p->uv, &fd) == 0 && ioctl(fd, FIONREAD, &held) == 0 &&
        held > 0)
        n += (size_t)held;
    return n;
}

static int queue(struct km_pipe *p, struct km_str rest, struct km_err *err)
{
    struct pending *w = malloc(sizeof *w + rest.n);
    uv_buf_t buf;
    int r;

    if (!w)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    memcpy(w->bytes, rest.p, rest.n);
    w->req.data = p;
    buf = uv_buf_init(w->bytes, (unsigned)rest.n);
    r = uv_write(&w->req, (uv_stream_t *)&p->uv, &buf, 1, on_written);
    if (r == 0)
        return 0;
    free(w);
    return km_fail(err, KM_E_CLOSED, "the pipe is closed: %s", uv_strerror(r));
}

int km_pipe_write(struct km_pipe *p, struct km_str bytes, size_t max, struct km_err *err)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.p, (unsigned)bytes.n);
    int r = 0;

    if (p->ended)
        return km_fail(err, KM_E_CLOSED, "the pipe is closed");
    if (km_pipe_queued(p) + bytes.n > max)
        return km_fail(err, KM_E_OVERLOADED, "over %zu bytes wait to be read", max);
    if (km_pipe_queued(p) == 0)
        r = uv_try_write((uv_stream_t *)&p->uv, &buf, 1);
    if (r < 0 && r != UV_EAGAIN)
        return km_fail(err, KM_E_CLOSED, "the pipe is closed: %s", uv_strerror(r));
    bytes = km_str_skip(bytes, r > 0 ? (size_t)r : 0);
    return bytes.n ? queue(p, bytes, err) : 0;
}

struct km_pipe *km_pipe_free(struct km_pipe *p)
{
    if (!p)
        return NULL;
    p->ended = true;
    if (!uv_is_closing((uv_handle_t *)&p->uv))
        uv_close((uv_handle_t *)&p->uv, on_closed);
    return NULL;
}

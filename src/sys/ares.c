/* SPDX-License-Identifier: Apache-2.0 */
/* ares.c - see ares.h for the contract.
 *
 * c-ares opens sockets and says which it wants to read or write; each is a uv_poll_t here,
 * which dies when c-ares is done with the socket.  Its own time-outs and retries are one
 * timer, set anew after each step.
 *
 * c-ares reads resolv.conf once, when a channel is made.  A laptop that changes networks
 * would ask servers that are out of reach for ever, so the file is looked at before a question
 * (one stat, and only for a name that the cache does not have): when it is another, and no
 * question is under way, a new channel takes the old one's place.
 */
#include "sys/ares.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define TRY_MS 2000 /* what one server gets to answer, the first time */
#define TRIES 3

struct watch {
    uv_poll_t poll;
    struct km_list link;
    struct km_ares *ares;
    ares_socket_t fd;
};

struct km_ares {
    struct km_loop *loop;
    ares_channel channel;
    struct km_timer retry; /* c-ares' own time-outs */
    struct km_list watches;
    char *path;    /* of resolv.conf */
    char *servers; /* NULL: those of resolv.conf */
    struct stat seen;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* c-ares counts its users without a lock. */
static void init_library(void)
{
    km_assert(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

static void arm_retry(struct km_ares *a)
{
    struct timeval tv;

    if (!ares_timeout(a->channel, NULL, &tv)) {
        km_timer_stop(&a->retry);
        return;
    }
    km_timer_start(&a->retry, (uint64_t)tv.tv_sec * 1000 + ((uint64_t)tv.tv_usec + 999) / 1000);
}

static void on_retry(void *ctx)
{
    struct km_ares *a = ctx;

    ares_process_fd(a->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_retry(a);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    const struct watch *w = poll->data;
    struct km_ares *a = w->ares;
    const ares_socket_t fd = w->fd;
    const bool read = status < 0 || events & UV_READABLE;
    const bool write = status < 0 || events & UV_WRITABLE;

    /* w may be gone after this. */
    ares_process_fd(a->channel, read ? fd : ARES_SOCKET_BAD, write ? fd : ARES_SOCKET_BAD);
    arm_retry(a);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void unwatch(struct watch *w)
{
    km_list_remove(&w->link);
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static struct watch *find_watch(struct km_ares *a, ares_socket_t fd)
{
    KM_LIST_EACH(it, &a->watches)
    {
        struct watch *w = KM_CONTAINER(it, struct watch, link);

        if (w->fd == fd)
            return w;
    }
    return NULL;
}

static struct watch *make_watch(struct km_ares *a, ares_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);

    if (!w || uv_poll_init(km_loop_uv(a->loop), &w->poll, fd) < 0) {
        free(w);
        return NULL;
    }
    w->ares = a;
    w->fd = fd;
    w->poll.data = w;
    km_list_push(&a->watches, &w->link);
    return w;
}

/* c-ares says what it waits for on a socket; nothing at all before it closes it.  Without
 * a watch (no memory) the question ends by its time-out. */
static void on_socket_state(void *data, ares_socket_t fd, int readable, int writable)
{
    struct watch *w = find_watch(data, fd);

    if (!readable && !writable) {
        if (w)
            unwatch(w);
        return;
    }
    if (!w)
        w = make_watch(data, fd);
    if (w)
        uv_poll_start(&w->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
                      on_ready);
}

static int open_channel(struct km_ares *a, ares_channel *ret_channel)
{
    struct ares_options options = { .timeout = TRY_MS, .tries = TRIES };
    ares_channel channel;
    int r;

    options.sock_state_cb = on_socket_state;
    options.sock_state_cb_data = a;
    options.resolvconf_path = a->path;
    r = ares_init_options(&channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
                              ARES_OPT_RESOLVCONF);
    if (r != ARES_SUCCESS)
        return r;
    if (a->servers && (r = ares_set_servers_ports_csv(channel, a->servers)) != ARES_SUCCESS) {
        ares_destroy(channel);
        return r;
    }
    *ret_channel = channel;
    return ARES_SUCCESS;
}

static void look(const struct km_ares *a, struct stat *st)
{
    if (stat(a->path, st) < 0)
        memset(st, 0, sizeof *st);
}

static bool same_file(const struct stat *x, const struct stat *y)
{
    return x->st_dev == y->st_dev && x->st_ino == y->st_ino && x->st_size == y->st_size &&
           x->st_mtim.tv_sec == y->st_mtim.tv_sec && x->st_mtim.tv_nsec == y->st_mtim.tv_nsec;
}

/* A channel that cannot be made anew goes on as it is. */
static void refresh(struct km_ares *a)
{
    ares_channel channel;
    struct timeval tv;
    struct stat now;

    if (ares_timeout(a->channel, NULL, &tv))
        return; /* something is being asked */
    look(a, &now);
    if (same_file(&now, &a->seen) || open_channel(a, &channel) != ARES_SUCCESS)
        return;
    ares_destroy(a->channel);
    a->channel = channel;
    a->seen = now;
}

static char *copy(const char *text)
{
    const size_t n = strlen(text) + 1;
    char *p = malloc(n);

    return p ? memcpy(p, text, n) : NULL;
}

static struct km_ares *free_memory(struct km_ares *a)
{
    free(a->path);
    free(a->servers);
    free(a);
    return NULL;
}

struct km_ares *km_ares_new(struct km_loop *loop, const char *resolv_conf, struct km_err *err)
{
    struct km_ares *a = calloc(1, sizeof *a);
    int r;

    pthread_once(&once, init_library);
    if (a)
        a->path = copy(resolv_conf ? resolv_conf : RESOLV_CONF);
    if (!a || !a->path) {
        free(a);
        km_fail(err, KM_E_NOMEM, "no memory for the resolver");
        return NULL;
    }
    a->loop = loop;
    km_list_init(&a->watches);
    km_timer_init(&a->retry, loop, on_retry, a);
    look(a, &a->seen);
    r = open_channel(a, &a->channel);
    if (r != ARES_SUCCESS) {
        km_fail(err, KM_E_SYSTEM, "no resolver: %s", ares_strerror(r));
        return free_memory(a);
    }
    return a;
}

struct km_ares *km_ares_free(struct km_ares *a)
{
    if (!a)
        return NULL;
    ares_destroy(a->channel); /* closes its sockets, and so our watches */
    km_timer_stop(&a->retry);
    km_assert(km_list_empty(&a->watches));
    return free_memory(a);
}

int km_ares_servers(struct km_ares *a, const char *servers, struct km_err *err)
{
    char *p = copy(servers);
    int r;

    if (!p)
        return km_fail(err, KM_E_NOMEM, "no memory for name servers");
    r = ares_set_servers_ports_csv(a->channel, servers);
    if (r != ARES_SUCCESS) {
        free(p);
        return km_fail(err, KM_E_INVALID, "name servers '%s': %s", servers, ares_strerror(r));
    }
    free(a->servers);
    a->servers = p;
    return 0;
}

void km_ares_ask(struct km_ares *a, const char *name, ares_addrinfo_callback on_answer, void *arg)
{
    const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

    refresh(a);
    ares_getaddrinfo(a->channel, name, NULL, &hints, on_answer, arg);
    arm_retry(a);
}

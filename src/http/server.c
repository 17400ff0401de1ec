/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the server of one loop: accepting, draining, and what is recycled.
 *
 * Connections and exchanges are reused through two free lists, the parser of heads through one
 * spare (a head that comes whole borrows it for microseconds; one that is cut keeps it, and
 * the next gets a new one).  A request that comes whole so costs no allocation but what its
 * arena takes from the loop's recycled blocks.
 *
 * Over the bound on connections a client is still told: 503 with Retry-After, then closed.
 */
#include "http/conn.h"

#include <stdlib.h>
#include <unistd.h>

#define FREE_CONNS 256
#define FREE_EXCHANGES 256
#define FREE_CORKS 16
#define ARENA_ROOM (72 * 1024) /* of an exchange besides its head: 64 KiB and the tables */

static void on_drained(void *ctx)
{
    struct km_http_server *s = ctx;
    void (*fn)(void *) = s->drained_fn;

    s->drained_fn = NULL;
    if (fn)
        fn(s->drain_ctx);
}

static void drop_spare(void *server);

struct km_http_server *km_http_server_new(const struct km_http_server_args *args,
                                          struct km_err *err)
{
    struct km_http_server *s = calloc(1, sizeof *s);

    if (!s) {
        km_fail(err, KM_E_NOMEM, "no memory for an HTTP server");
        return NULL;
    }
    s->loop = args->loop;
    s->args = *args;
    km_list_init(&s->conns);
    km_list_init(&s->free_conns);
    km_list_init(&s->free_exchanges);
    km_deferred_init(&s->drained, s->loop, on_drained, s);
    km_timer_init(&s->spare_timer, s->loop, drop_spare, s);
    km_http_server_configure(s, args->settings);
    return s;
}

void km_http_server_configure(struct km_http_server *s, const struct km_http_settings *settings)
{
    s->set = *settings;
    s->limits = (struct km_head_limits){
        .bytes = (size_t)settings->header_bytes,
        .line = (size_t)settings->line_bytes,
        .fields = (size_t)settings->header_fields,
    };
    s->spare_head = km_head_free(s->spare_head); /* made for the old number of fields */
}

size_t km_http_server_connections(const struct km_http_server *s)
{
    return s->nconns;
}

/* --- what is recycled --- */

/* Pages of a fresh block cost more than reading a body into them: under a stream of large bodies
 * one block goes from each to the next.  When none comes for a while it goes back, so that what
 * is resident is what is in use. */
#define SPARE_LEAST ((size_t)256 * 1024)
#define SPARE_MOST ((size_t)16 * 1024 * 1024)
#define SPARE_MS 1000

static void drop_spare(void *server)
{
    struct km_http_server *s = server;

    km_timer_stop(&s->spare_timer);
    free(s->spare_block);
    s->spare_block = NULL;
    s->spare_block_n = 0;
}

char *km_server_take_block(struct km_http_server *s, size_t n, size_t *ret_size)
{
    char *block = s->spare_block;

    *ret_size = n;
    if (n < SPARE_LEAST || n > s->spare_block_n)
        return malloc(n);
    *ret_size = s->spare_block_n;
    s->spare_block = NULL;
    drop_spare(s);
    return block;
}

void km_server_give_block(struct km_http_server *s, char *block, size_t size)
{
    if (size < SPARE_LEAST || size > SPARE_MOST || size <= s->spare_block_n) {
        free(block);
        return;
    }
    drop_spare(s);
    s->spare_block = block;
    s->spare_block_n = size;
    km_timer_start(&s->spare_timer, SPARE_MS);
}

struct km_head *km_server_take_head(struct km_http_server *s)
{
    struct km_head *head = s->spare_head;

    s->spare_head = NULL;
    return head ? head : km_head_new(s->limits.fields);
}

void km_server_give_head(struct km_http_server *s, struct km_head *head)
{
    if (s->spare_head || !km_head_fits(head, s->limits.fields))
        km_head_free(head);
    else
        s->spare_head = head;
}

struct km_cork *km_cork_take(struct km_http_server *s)
{
    struct km_cork *cork = s->corks;

    if (cork) {
        s->corks = cork->next;
        s->ncorks--;
    } else {
        cork = malloc(sizeof *cork);
    }
    if (cork)
        cork->n = 0;
    return cork;
}

void km_cork_give(struct km_http_server *s, struct km_cork *cork)
{
    if (s->ncorks == FREE_CORKS) {
        free(cork);
        return;
    }
    cork->next = s->corks;
    s->corks = cork;
    s->ncorks++;
}

struct km_exchange *km_exchange_take(struct km_http_server *s)
{
    struct km_list *node = km_list_pop(&s->free_exchanges);
    struct km_exchange *x;

    if (node) {
        s->nfree_exchanges--;
        x = KM_CONTAINER(node, struct km_exchange, link);
    } else {
        x = malloc(sizeof *x);
        if (!x)
            return NULL;
    }
    memset(x, 0, offsetof(struct km_exchange, body)); /* the body has its own beginning */
    memset((char *)x + offsetof(struct km_exchange, want), 0,
           sizeof *x - offsetof(struct km_exchange, want));
    km_list_init(&x->link);
    km_list_init(&x->flush.link);
    km_arena_init(&x->arena, s->limits.bytes + ARENA_ROOM, km_loop_arenas(s->loop));
    return x;
}

void km_exchange_give(struct km_http_server *s, struct km_exchange *x)
{
    if (s->nfree_exchanges == FREE_EXCHANGES) {
        free(x);
        return;
    }
    s->nfree_exchanges++;
    km_list_push_front(&s->free_exchanges, &x->link);
}

struct km_conn *km_conn_take(struct km_http_server *s)
{
    struct km_list *node = km_list_pop(&s->free_conns);
    struct km_conn *c;

    if (node) {
        s->nfree_conns--;
        c = KM_CONTAINER(node, struct km_conn, link);
    } else {
        c = malloc(sizeof *c);
        if (!c)
            return NULL;
    }
    memset(c, 0, sizeof *c);
    c->server = s;
    km_list_init(&c->link);
    km_list_push(&s->conns, &c->link);
    s->nconns++;
    return c;
}

void km_conn_give(struct km_conn *c)
{
    struct km_http_server *s = c->server;

    km_list_remove(&c->link);
    s->nconns--;
    atomic_fetch_sub_explicit(s->args.connections, 1, memory_order_relaxed);
    if (s->nfree_conns == FREE_CONNS) {
        free(c);
    } else {
        s->nfree_conns++;
        km_list_push_front(&s->free_conns, &c->link);
    }
    if (s->draining && s->nconns == 0)
        km_deferred_queue(&s->drained);
}

/* --- accepting --- */

static struct km_stream *open_stream(struct km_http_server *s, int fd, const union km_addr *peer,
                                     struct km_tls_server *tls)
{
    struct km_err err;
    struct km_stream *stream = km_tcp_from_fd(s->loop, fd, peer, &err);

    return stream && tls ? km_tls_accept(s->loop, stream, tls, &err) : stream;
}

void km_http_server_accept(struct km_http_server *s, int fd, const union km_addr *peer,
                           struct km_tls_server *tls)
{
    int64_t open = atomic_fetch_add_explicit(s->args.connections, 1, memory_order_relaxed);
    struct km_stream *stream = open_stream(s, fd, peer, tls);
    struct km_conn *c = stream ? km_conn_take(s) : NULL;
    struct km_err err;

    if (!c) {
        atomic_fetch_sub_explicit(s->args.connections, 1, memory_order_relaxed);
        km_stream_free(stream);
        return;
    }
    c->peer = *peer;
    km_conn_open(c, stream);
    if (open < s->set.connections)
        return;
    km_fail(&err, KM_E_OVERLOADED, "too many connections are open; try again shortly");
    err.retry_after_ms = 1000;
    km_conn_refuse(c, &err, KM_STR_NONE);
}

/* --- ends --- */

void km_http_server_drain(struct km_http_server *s, void (*pass_on)(void *ctx, int fd),
                          void (*done)(void *ctx), void *ctx)
{
    s->draining = true;
    s->pass_on = pass_on;
    s->drained_fn = done;
    s->drain_ctx = ctx;
    KM_LIST_EACH(node, &s->conns)
    km_conn_drain(KM_CONTAINER(node, struct km_conn, link));
    if (s->nconns == 0)
        km_deferred_queue(&s->drained);
}

void km_http_server_close(struct km_http_server *s)
{
    KM_LIST_EACH(node, &s->conns)
    {
        struct km_conn *c = KM_CONTAINER(node, struct km_conn, link);

        if (c->stream)
            km_conn_drop(c);
    }
}

struct km_http_server *km_http_server_free(struct km_http_server *s)
{
    struct km_list *node;

    if (!s)
        return NULL;
    km_assert(s->nconns == 0);
    km_deferred_cancel(&s->drained);
    while ((node = km_list_pop(&s->free_conns)) != NULL)
        free(KM_CONTAINER(node, struct km_conn, link));
    while ((node = km_list_pop(&s->free_exchanges)) != NULL)
        free(KM_CONTAINER(node, struct km_exchange, link));
    while (s->corks) {
        struct km_cork *next = s->corks->next;

        free(s->corks);
        s->corks = next;
    }
    km_head_free(s->spare_head);
    drop_spare(s);
    free(s);
    return NULL;
}

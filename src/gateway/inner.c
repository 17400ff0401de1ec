/* SPDX-License-Identifier: Apache-2.0 */
/* inner.c - see inner.h for the contract.
 *
 * Each request has an origin and so a connection of its own, which carries the visitor's address
 * to the other end; a shared one would mix up whose request it is.  It is closed after the answer.
 *
 * The visitor's header fields go along but for those that belong to the one message they came
 * with: framing, media types, revisions and names of MCP, and what a browser says of its page,
 * which was judged at the door.
 */
#include "gateway/inner.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"
#include "gateway/forward.h"
#include "http/fields.h"

#define HEAD_BYTES ((size_t)64 * 1024)

static bool stays(struct km_str name, bool mcp)
{
    return !km_field_goes(name, KM_WAY_INNER) ||
           (!mcp && (km_str_ieq(name, KM_STR("x-mcp-servers")) ||
                     km_str_ieq(name, KM_STR("x-mcp-access-groups"))));
}

static void put_head(const struct km_visit *v, const struct km_inner_request *r, struct km_buf *b)
{
    const struct km_headers *h = &km_exchange_request(v->x)->headers;
    struct km_str master = v->view->snap->general->master_key;

    km_buf_str(b, r->head);
    for (size_t i = 0; i < h->n; i++) {
        if (stays(h->v[i].name, r->mcp) || km_lines_have(r->head, h->v[i].name))
            continue;
        km_buf_str(b, h->v[i].name);
        km_buf_str(b, KM_STR(": "));
        km_buf_str(b, h->v[i].value);
        km_buf_str(b, KM_STR("\r\n"));
    }
    if (v->local && master.n) { /* the control socket's owner is the administrator */
        km_buf_str(b, KM_STR("Authorization: Bearer "));
        km_buf_str(b, master);
        km_buf_str(b, KM_STR("\r\n"));
    }
    km_buf_str(b, KM_STR("Content-Type: application/json\r\nConnection: close\r\n"));
}

static int open_pair(void *worker, const union km_addr *peer, struct km_err *err)
{
    struct km_worker *w = worker;
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0)
        return km_fail(err, KM_E_OVERLOADED, "no descriptors are left for a request within");
    km_http_server_accept(w->server, fd[1], peer, NULL);
    return fd[0];
}

struct km_http_call *km_inner_send(const struct km_visit *v, struct km_arena *arena,
                                   const struct km_inner_request *request,
                                   const struct km_http_events *events, void *ctx)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(HEAD_BYTES);
    struct km_str *body = km_arena_alloc(arena, sizeof *body);
    struct km_origin *origin = NULL;
    struct km_http_call *call;
    union km_addr peer = *km_exchange_peer(v->x);
    struct km_uuid id = km_uuid7_at(km_loop_ids(v->w->loop), km_wall_us());
    char name[KM_UUID_LEN + 1];

    if (v->local) { /* not an address; what comes from here is of this machine */
        memset(&peer, 0, sizeof peer);
        (void)(km_addr_parse(KM_STR("127.0.0.1"), 1, &peer) == 0);
    }
    km_uuid_text(&id, name);
    put_head(v, request, &head);
    if (!body || km_buf_failed(&head) ||
        km_origin_new_within(km_str_c(name), open_pair, v->w, &peer, &origin, NULL) < 0)
        return NULL;
    *body = km_arena_str(arena, request->body);
    struct km_http_request send = { .origin = origin,
                                    .method = KM_STR("POST"),
                                    .target = km_arena_str(arena, request->target),
                                    .head = km_arena_str(arena, km_buf_view(&head)),
                                    .body = body,
                                    .nbody = 1,
                                    .has_body = true };

    call = km_arena_overflowed(arena) ? NULL : km_http_send(v->w->client, &send, events, ctx);
    km_origin_unref(origin);
    return call;
}

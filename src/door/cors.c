/* SPDX-License-Identifier: Apache-2.0 */
/* cors.c - pages of other origins; see cors.h.
 *
 * Two kinds may call.  Pages of the origins that the configuration lists may use every route, as
 * their own server could.  Pages of any origin may read the metadata of the log-in and use its
 * endpoints for programs (KM_AUTH_WEB): nothing there depends on who the browser's user is, and no
 * cookie is ever accepted by them.  Credentials are a header that the page must know; so
 * Access-Control-Allow-Credentials is never sent.
 */
#include "door/cors.h"

#include "door/origin.h"

#define PREFLIGHT_S "600"
#define HEADERS_MOST 1024 /* bytes of what a page wants to send */

static struct km_str header(const struct km_visit *v, struct km_str name)
{
    return km_header_get(&km_exchange_request(v->x)->headers, name);
}

/* The route a preflight asks about. */
static bool is_web(const struct km_visit *v, struct km_str method)
{
    struct km_route_match match;
    struct km_str allow;

    return km_router_find(v->view->snap->router, method, km_exchange_request(v->x)->path, &match,
                          &allow) == 0 &&
           match.route->auth == KM_AUTH_WEB;
}

static void put_origin(const struct km_visit *v, struct km_buf *head)
{
    struct km_err ignored;

    if (!km_origin_listed(v))
        km_buf_str(head, KM_STR("Access-Control-Allow-Origin: *\r\n"));
    else if (km_header_put(head, KM_STR("Access-Control-Allow-Origin"), header(v, KM_STR("origin")),
                           &ignored) == 0)
        km_buf_str(head, KM_STR("Vary: Origin\r\n"));
}

bool km_cors_preflight(struct km_visit *v)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_str method = header(v, KM_STR("access-control-request-method"));
    struct km_str wanted = header(v, KM_STR("access-control-request-headers"));
    struct km_err ignored;

    if (v->local || !km_str_eq(km_exchange_request(v->x)->method, KM_STR("OPTIONS")) || !method.n ||
        method.n > 32 || !header(v, KM_STR("origin")).n ||
        !(km_origin_listed(v) || is_web(v, method)))
        return false;
    put_origin(v, &head);
    if (km_header_put(&head, KM_STR("Access-Control-Allow-Methods"), method, &ignored) < 0 ||
        (wanted.n && wanted.n <= HEADERS_MOST &&
         km_header_put(&head, KM_STR("Access-Control-Allow-Headers"), wanted, &ignored) < 0))
        km_buf_reset(&head);
    km_buf_str(&head, KM_STR("Access-Control-Max-Age: " PREFLIGHT_S "\r\n"));
    km_exchange_respond(v->x, 204, km_buf_view(&head), KM_STR_NONE);
    return true;
}

void km_cors_allow(struct km_visit *v)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    bool web = v->match.route && v->match.route->auth == KM_AUTH_WEB;

    if (v->local || (!web && !km_origin_listed(v)))
        return;
    put_origin(v, &head);
    km_buf_str(&head, KM_STR("Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id, "
                             "Retry-After, x-request-id\r\n"));
    if (!km_buf_failed(&head))
        km_exchange_add_head(v->x, km_arena_str(km_exchange_arena(v->x), km_buf_view(&head)));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* visit.c - see visit.h.
 *
 *     exchange's arena ── visit ── who ── key (a reference, given back with the arena)
 *                           └─ copy, in another arena: the same principal, a reference of its own
 *
 * A copy is for work that outlives its exchange, also on another worker: what hangs on the exchange
 * or on the worker it came to is left out, and whoever runs it seats it where it runs.
 */
#include "host/visit.h"

#include "base/encode.h"

int km_visit_authorise(const struct km_visit *v, struct km_err *err)
{
    if (v->standing == KM_STANDING_KNOWN || v->standing == KM_STANDING_OPEN)
        return 0;
    if (v->standing == KM_STANDING_UNASKED)
        return km_fail(err, KM_E_INTERNAL,
                       "kanmon did not find out who sent this request, and so does nothing for it: "
                       "a fault of its own. Please report it.");
    if (err)
        *err = *v->refusal;
    return v->refusal->code;
}

static void drop_key(void *key)
{
    km_key_unref(key);
}

int km_visit_become_key(struct km_visit *v, struct km_key *key, struct km_err *err)
{
    char text[9];

    if (km_arena_defer(km_exchange_arena(v->x), drop_key, key) < 0) /* defer ran it */
        return km_fail(err, KM_E_NOMEM, "out of memory");
    v->who.key = key;
    km_hex(text, key->row.hash, 4);
    memcpy(v->who.who, "key:", 4);
    memcpy(v->who.who + 4, text, sizeof text);
    return km_right_code(km_key_grants_use(key, v->came_us, err), err);
}

struct km_visit *km_visit_copy(const struct km_visit *v, struct km_arena *arena)
{
    struct km_visit *copy = km_arena_zalloc(arena, sizeof *copy);

    if (!copy)
        return NULL;
    *copy = *v;
    copy->peer = v->x ? *km_exchange_peer(v->x) : v->peer;
    copy->secure = v->x ? km_exchange_secure(v->x) : v->secure;
    copy->x = NULL;
    copy->view = NULL;
    copy->hold = NULL;
    copy->refusal = NULL;
    if (v->standing == KM_STANDING_REFUSED)
        copy->standing = KM_STANDING_UNASKED; /* its reason stays where it was */
    copy->match = (struct km_route_match){ 0 };
    copy->allow = copy->path_model = KM_STR_NONE;
    copy->own = NULL;
    copy->who.issuer = km_arena_str(arena, v->who.issuer);
    copy->who.subject = km_arena_str(arena, v->who.subject);
    copy->who.resource = km_arena_str(arena, v->who.resource);
    copy->within = km_arena_str(arena, v->within);
    if (copy->who.subject.n != v->who.subject.n || copy->who.issuer.n != v->who.issuer.n ||
        copy->who.resource.n != v->who.resource.n)
        return NULL; /* it would be somebody else */
    if (km_mcp_subject_hold(v->who.token, arena) < 0)
        return NULL;
    if (v->who.key) {
        copy->who.key = km_key_ref(v->who.key);
        if (km_arena_defer(arena, drop_key, copy->who.key) < 0)
            return NULL;
    }
    return copy;
}

static void drop_view(void *view)
{
    km_view_unref(view);
}

int km_visit_seat(struct km_visit *v, struct km_arena *arena, struct km_worker *w)
{
    v->w = w;
    v->view = km_view_ref(w->view);
    return km_arena_defer(arena, drop_view, v->view);
}

void km_visit_hash(const struct km_visit *v, uint8_t ret_hash[32])
{
    memset(ret_hash, 0, 32);
    if (v->who.key)
        km_key_books(v->who.key, ret_hash);
    else if (v->view->snap->has_master)
        memcpy(ret_hash, v->view->snap->master_hash, 32);
}

void km_visit_key(const struct km_visit *v, uint8_t ret_hash[32])
{
    memset(ret_hash, 0, 32);
    if (v->who.key)
        km_key_books(v->who.key, ret_hash);
}

void km_visit_books(const struct km_visit *v, char *ip, struct km_ledger_entry *e)
{
    e->id = v->id;
    km_visit_hash(v, e->key_hash);
    e->budgeted = v->who.key && v->who.key->row.max_budget >= 0;
    if (!ip)
        return;
    km_addr_host_text(v->x ? km_exchange_peer(v->x) : &v->peer, ip);
    e->client_ip = v->local ? KM_STR("local") : km_str_c(ip);
}

void km_id_lines(const struct km_visit *v, struct km_buf *head)
{
    struct km_str id = km_str(v->id_text, KM_UUID_LEN);

    km_buf_str(head, KM_STR("x-litellm-call-id: "));
    km_buf_str(head, id);
    km_buf_str(head, KM_STR("\r\nx-request-id: "));
    km_buf_str(head, id);
    if (v->dialect == KM_DIALECT_ANTHROPIC) {
        km_buf_str(head, KM_STR("\r\nrequest-id: "));
        km_buf_str(head, id);
    }
    km_buf_str(head, KM_STR("\r\n"));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fake_visit.c - see fake_visit.h.  The exchange of a visit is a pointer to the fixture. */
#include "fake_visit.h"

#include <string.h>

const struct km_request *__wrap_km_exchange_request(const struct km_exchange *x);
struct km_arena *__wrap_km_exchange_arena(struct km_exchange *x);
const union km_addr *__wrap_km_exchange_peer(const struct km_exchange *x);

const struct km_request *__wrap_km_exchange_request(const struct km_exchange *x)
{
    return &((const struct fake_visit *)(const void *)x)->request;
}

struct km_arena *__wrap_km_exchange_arena(struct km_exchange *x)
{
    return &((struct fake_visit *)(void *)x)->arena;
}

const union km_addr *__wrap_km_exchange_peer(const struct km_exchange *x)
{
    return &((const struct fake_visit *)(const void *)x)->peer;
}

void fake_visit_init(struct fake_visit *f, const char *path)
{
    static const struct km_authenticator *const nobody[] = { NULL };
    struct km_str target = km_str_c(path);
    size_t mark = km_str_chr(target, '?');

    memset(f, 0, sizeof *f);
    km_arena_init(&f->arena, (size_t)1 << 20, NULL);
    f->request.method = KM_STR("GET");
    f->request.target = target;
    f->request.path = km_str_sub(target, 0, mark);
    f->request.query = mark < target.n ? km_str_skip(target, mark + 1) : KM_STR_NONE;
    f->request.host = KM_STR("localhost:4000");
    f->request.headers.v = f->fields;
    f->peer.in =
        (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    f->settings.auth = KM_AUTH_MODE_KEYS;
    f->snap.gateway = &f->settings;
    f->snap.general = &f->general;
    f->view = (struct km_view){ .snap = &f->snap, .refs = 1 };
    f->args.authenticators = nobody;
    f->gw.args = &f->args;
    f->w.gw = &f->gw;
    f->w.view = &f->view;
    f->v.w = &f->w;
    f->v.view = &f->view;
    f->v.x = (struct km_exchange *)(void *)f;
    f->v.dialect = km_dialect_of(f->request.path);
}

void fake_visit_done(struct fake_visit *f)
{
    km_arena_done(&f->arena);
}

void fake_visit_add(struct fake_visit *f, const char *name, const char *value)
{
    f->fields[f->request.headers.n++] = (struct km_header){ km_str_c(name), km_str_c(value) };
}

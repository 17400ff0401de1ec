/* SPDX-License-Identifier: Apache-2.0 */
/* key_remove.c - deleting virtual keys: all that were named exist, or none goes.
 *
 * They go one after the other, each with its audit record; a key leaves memory when its end is
 * committed.  Books keep their rows: what a deleted key spent stays spent.
 */
#include "admin/key_inside.h"
#include "base/encode.h"
#include "mcp/oauth/oauth.h"

struct removal {
    struct km_str *names; /* as they were sent: the answer repeats them */
    uint8_t (*hashes)[32];
    size_t n, next;
    struct km_err failed;
};

static void remove_next(struct km_admin *a);

void km_key_forget(struct km_admin *a, const uint8_t hash[32])
{
    struct km_key *key = km_keys_find(a->v->w->gw->keys, hash);
    const struct km_mcp_set *set = a->v->view->snap->mcp;
    uint8_t books[32];
    char name[4 + 64 + 1] = "key:";

    if (!key)
        return;
    km_key_books(key, books);
    km_key_unref(key);
    km_hex(name + 4, hash, 32);
    for (size_t i = 0; set && i < set->n && memcmp(books, hash, sizeof books) == 0; i++)
        if (set->v[i]->oauth)
            km_mcp_oauth_forget(set->v[i]->oauth, km_str_c(name));
}

static void on_removed(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct removal *d = a->state;

    if (err) {
        km_admin_error(a, err);
        return;
    }
    km_key_forget(a, d->hashes[d->next]);
    km_keys_del(a->v->w->gw->keys, d->hashes[d->next]);
    d->next++;
    remove_next(a);
}

static void remove_next(struct km_admin *a)
{
    struct removal *d = a->state;
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);

    if (d->next < d->n) {
        struct km_audit audit = { .actor = km_admin_actor(a),
                                  .action = KM_STR("key.delete"),
                                  .target = km_key_target(a, d->hashes[d->next]),
                                  .detail = KM_STR("{}") };

        km_store_key_delete(a->v->w->gw->store, a->v->w->mailbox, d->hashes[d->next], &audit,
                            on_removed, a);
        return;
    }
    km_buf_str(&out, KM_STR("{\"deleted_keys\":"));
    km_buf_json_list(&out, d->names, d->n);
    km_buf_byte(&out, '}');
    km_admin_json(a, 200, km_buf_view(&out));
}

/* Finds one by key, hash or alias; unknown ones are an error before anything is removed. */
static int add_removal(struct km_admin *a, struct removal *d, struct km_str name, bool alias,
                       struct km_err *err)
{
    struct km_keys *keys = a->v->w->gw->keys;
    struct km_key *key;
    uint8_t hash[32];

    if (!alias && km_admin_key_hash(name, hash, err) < 0)
        return KM_E_INVALID;
    key = alias ? km_keys_by_alias(keys, name) : km_keys_find(keys, hash);
    if (!key)
        return km_key_unknown(err);
    memcpy(d->hashes[d->n], key->row.hash, 32);
    d->names[d->n++] = name;
    km_key_unref(key);
    return 0;
}

static int collect(struct km_admin *a, struct removal *d, const char *member, bool alias,
                   struct km_err *err)
{
    const struct km_json *v = km_json_get(a->body, member), *item;
    struct km_json_iter it;
    struct km_str key, name;
    int r = 0;

    if (km_json_kind(v) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(v, &it); r == 0 && km_json_next(&it, &key, &item);)
        r = km_json_string(item, &name)
                ? add_removal(a, d, name, alias, err)
                : km_fail_param(err, KM_E_INVALID, member, "'%s' must be an array of strings.",
                                member);
    return r;
}

int km_keys_remove(struct km_admin *a, struct km_err *err)
{
    size_t room = km_json_count(km_json_get(a->body, "keys")) +
                  km_json_count(km_json_get(a->body, "key_aliases"));
    struct removal *d = km_arena_zalloc(&a->arena, sizeof *d);
    int r;

    if (room == 0)
        return km_fail(err, KM_E_INVALID,
                       "At least one of 'keys' or 'key_aliases' must be provided.");
    if (d) {
        d->names = km_arena_zalloc(&a->arena, room * sizeof *d->names);
        d->hashes = km_arena_zalloc(&a->arena, room * sizeof *d->hashes);
    }
    if (!d || !d->names || !d->hashes)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    a->state = d;
    r = collect(a, d, "keys", false, err);
    if (r == 0)
        r = collect(a, d, "key_aliases", true, err);
    if (r == 0)
        remove_next(a);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - virtual keys: make, look at, change, block, take away.
 *
 * Every change goes the same way: a new row is built from the old one, written to the store with
 * its audit record in one transaction, and only when that is committed does the table in memory
 * change and the caller get its answer.  A key is therefore never usable before it is durable,
 * nor gone before its end is.
 */
#include "admin/keys.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/key_fields.h"
#include "base/crypto.h"
#include "base/encode.h"

#define BODY_BYTES (256 * 1024)
#define ANSWER_BYTES (64 * 1024 * 1024)
#define KEY_RANDOM 16 /* bytes: 22 URL-safe characters */

/* A change under way. */
struct change {
    struct km_key_row row;
    struct km_str secret; /* shown once, when a key was made */
    uint8_t old_hash[32]; /* regenerate: the one that goes */
    bool replaces;
};

static int unknown_key(struct km_err *err)
{
    return km_fail_param(err, KM_E_NOT_FOUND, "key", "Key not found.");
}

static struct km_str string_of(struct km_admin *a, const char *name)
{
    struct km_str s = KM_STR_NONE;

    return km_json_string(km_json_get(a->body, name), &s) ? s : KM_STR_NONE;
}

/* The key named by `key` in the body: a reference. */
static int named_key(struct km_admin *a, struct km_key **ret, struct km_err *err)
{
    struct km_str text = string_of(a, "key");
    uint8_t hash[32];
    int r;

    if (!text.n)
        return km_fail_param(err, KM_E_INVALID, "key", "Missing required parameter: 'key'.");
    r = km_admin_key_hash(text, hash, err);
    if (r < 0)
        return r;
    *ret = km_keys_find(a->v->w->gw->keys, hash);
    return *ret ? 0 : unknown_key(err);
}

static void answer_row(struct km_admin *a, const struct km_key_row *row, struct km_str secret)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    struct km_key *key = km_keys_find(a->v->w->gw->keys, row->hash);

    km_key_fields_write(row, key ? km_key_spend(key) : row->spend, secret, &out);
    km_key_unref(key);
    km_admin_json(a, 200, km_buf_view(&out));
}

static void on_written(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct change *c = a->state;
    struct km_err why = { 0 };

    if (err) {
        km_admin_error(a, err);
        return;
    }
    if (km_keys_put(a->v->w->gw->keys, &c->row, &why) < 0) {
        km_admin_error(a, &why);
        return;
    }
    answer_row(a, &c->row, c->secret);
}

/* The names of what changed, never the values: enough to ask who did what. */
static struct km_str detail_of(struct km_admin *a)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(8 * 1024);
    struct km_json_iter it;
    struct km_str name;
    const struct km_json *v;

    km_buf_str(&b, KM_STR("{\"fields\":["));
    if (a->body)
        for (km_json_iter(a->body, &it); km_json_next(&it, &name, &v);) {
            if (b.p[b.n - 1] != '[')
                km_buf_byte(&b, ',');
            km_buf_json(&b, name);
        }
    km_buf_str(&b, KM_STR("]}"));
    return km_buf_failed(&b) ? KM_STR("{}") : km_arena_str(&a->arena, km_buf_view(&b));
}

static struct km_str target_of(struct km_admin *a, const uint8_t hash[32])
{
    char hex[65];

    km_hex(hex, hash, 32);
    return km_arena_str(&a->arena, km_str(hex, 64));
}

static void write_row(struct km_admin *a, const char *action, bool insert)
{
    struct change *c = a->state;
    struct km_audit audit = { .actor = km_admin_actor(a),
                              .action = km_str_c(action),
                              .target = target_of(a, c->row.hash),
                              .detail = detail_of(a) };

    km_store_key_put(a->v->w->gw->store, a->v->w->mailbox, &c->row, insert, &audit, on_written, a);
}

static struct change *change_new(struct km_admin *a, struct km_err *err)
{
    struct change *c = km_arena_zalloc(&a->arena, sizeof *c);

    if (!c)
        km_fail(err, KM_E_NOMEM, "out of memory");
    a->state = c;
    return c;
}

/* A secret of the caller's choosing, or a fresh one. */
static int make_secret(struct km_admin *a, struct km_str wanted, struct km_str *ret,
                       struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64);
    uint8_t random[KEY_RANDOM];
    int r;

    if (wanted.n) {
        if (!km_str_starts(wanted, KM_STR("sk-")) || wanted.n < 8 || wanted.n > 256)
            return km_fail_param(err, KM_E_INVALID, "key",
                                 "A virtual key starts with 'sk-' and has 8 to 256 characters.");
        *ret = wanted;
        return 0;
    }
    r = km_random(random, sizeof random, err);
    if (r < 0)
        return r;
    km_buf_str(&b, KM_STR("sk-"));
    km_buf_base64url(&b, km_str((const char *)random, sizeof random));
    *ret = km_arena_str(&a->arena, km_buf_view(&b));
    return 0;
}

static void name_key(struct km_admin *a, struct km_key_row *row, struct km_str secret)
{
    km_sha256(secret, row->hash);
    row->name =
        km_arena_printf(&a->arena, "sk-...%.*s", KM_STR_ARG(km_str_skip(secret, secret.n - 4)));
}

/* An alias names one key. */
static int check_alias(struct km_admin *a, const struct km_key_row *row, struct km_err *err)
{
    struct km_key *other = row->alias.n ? km_keys_by_alias(a->v->w->gw->keys, row->alias) : NULL;
    bool taken = other && memcmp(other->row.hash, row->hash, 32) != 0;

    km_key_unref(other);
    if (!taken)
        return 0;
    return km_fail_param(err, KM_E_INVALID, "key_alias",
                         "Key with alias '%.*s' already exists. Unique key aliases across all keys "
                         "are required.",
                         KM_STR_ARG(km_str_sub(row->alias, 0, 100)));
}

static void stamp(struct km_admin *a, struct km_key_row *row, int64_t now)
{
    row->updated_us = now;
    row->updated_by = km_admin_actor(a);
    if (row->created_us)
        return;
    row->created_us = now;
    row->created_by = row->updated_by;
}

static int generate(struct km_admin *a, struct km_err *err)
{
    struct change *c = change_new(a, err);
    int64_t now = km_wall_us();
    struct km_key *existing;
    int r = c ? make_secret(a, string_of(a, "key"), &c->secret, err) : KM_E_NOMEM;

    if (r < 0)
        return r;
    km_key_row_init(&c->row);
    name_key(a, &c->row, c->secret);
    r = km_key_fields_read(a, now, &c->row, err);
    if (r == 0)
        r = check_alias(a, &c->row, err);
    if (r < 0)
        return r;
    existing = km_keys_find(a->v->w->gw->keys, c->row.hash);
    if (existing)
        c->row.created_us = existing->row.created_us;
    stamp(a, &c->row, now);
    write_row(a, "key.generate", existing == NULL);
    km_key_unref(existing);
    return 0;
}

/* Views of the old row must outlive the reference: everything is copied into the arena. */
static int copy_row(struct km_admin *a, const struct km_key *key, struct km_key_row *row,
                    struct km_err *err)
{
    struct km_str *models = km_arena_alloc(&a->arena, (key->row.models.n + 1) * sizeof *models);
    struct km_str *const strings[] = {
        &row->name,  &row->alias,           &row->user_id,    &row->team_id,   &row->metadata,
        &row->extra, &row->budget_duration, &row->created_by, &row->updated_by
    };

    if (!models)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    *row = key->row;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        *strings[i] = km_arena_str(&a->arena, *strings[i]);
    for (size_t i = 0; i < key->row.models.n; i++)
        models[i] = km_arena_str(&a->arena, key->row.models.v[i]);
    row->models.v = models;
    return 0;
}

/* The row of the key named in the body, ready to be changed. */
static int begin_change(struct km_admin *a, struct change **ret, struct km_err *err)
{
    struct change *c = change_new(a, err);
    struct km_key *key = NULL;
    int r = c ? named_key(a, &key, err) : KM_E_NOMEM;

    if (r == 0)
        r = copy_row(a, key, &c->row, err);
    km_key_unref(key);
    *ret = c;
    return r;
}

static int update(struct km_admin *a, struct km_err *err)
{
    struct change *c;
    int64_t now = km_wall_us();
    int r = begin_change(a, &c, err);

    if (r == 0)
        r = km_key_fields_read(a, now, &c->row, err);
    if (r == 0)
        r = check_alias(a, &c->row, err);
    if (r < 0)
        return r;
    c->secret = string_of(a, "key"); /* told back as it was said */
    stamp(a, &c->row, now);
    write_row(a, "key.update", false);
    return 0;
}

static int set_blocked(struct km_admin *a, bool blocked, struct km_err *err)
{
    struct change *c;
    int r = begin_change(a, &c, err);

    if (r < 0)
        return r;
    c->row.blocked = blocked;
    stamp(a, &c->row, km_wall_us());
    write_row(a, blocked ? "key.block" : "key.unblock", false);
    return 0;
}

static int block(struct km_admin *a, struct km_err *err)
{
    return set_blocked(a, true, err);
}

static int unblock(struct km_admin *a, struct km_err *err)
{
    return set_blocked(a, false, err);
}

/* --- looking --- */

static int info(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    struct km_principal *who = &a->v->who;
    struct km_str text = KM_STR_NONE;
    struct km_key *key = NULL;
    uint8_t hash[32];

    if (km_admin_query(a, "key", &text) && text.n) {
        if (km_admin_key_hash(text, hash, err) < 0)
            return KM_E_INVALID;
        key = km_keys_find(a->v->w->gw->keys, hash);
    } else if (who->key) {
        key = km_key_ref(who->key);
        text = target_of(a, key->row.hash);
    }
    if (!key)
        return unknown_key(err);
    if (!who->admin && (!who->key || memcmp(who->key->row.hash, key->row.hash, 32) != 0)) {
        km_key_unref(key);
        return km_fail(err, KM_E_FORBIDDEN, "A key may look at itself only.");
    }
    km_buf_str(&out, KM_STR("{\"key\":"));
    km_buf_json(&out, text);
    km_buf_str(&out, KM_STR(",\"info\":"));
    km_key_fields_write(&key->row, km_key_spend(key), KM_STR_NONE, &out);
    km_buf_byte(&out, '}');
    km_key_unref(key);
    km_admin_json(a, 200, km_buf_view(&out));
    return 0;
}

static int newest_first(const void *x, const void *y)
{
    const struct km_key *a = *(struct km_key *const *)x, *b = *(struct km_key *const *)y;

    if (a->row.created_us != b->row.created_us)
        return a->row.created_us < b->row.created_us ? 1 : -1;
    return memcmp(a->row.hash, b->row.hash, 32);
}

static bool wanted(struct km_admin *a, const struct km_key *key)
{
    struct km_str v;

    return !(km_admin_query(a, "key_alias", &v) && v.n && !km_str_eq(v, key->row.alias)) &&
           !(km_admin_query(a, "user_id", &v) && v.n && !km_str_eq(v, key->row.user_id)) &&
           !(km_admin_query(a, "team_id", &v) && v.n && !km_str_eq(v, key->row.team_id));
}

static uint64_t number_of(struct km_admin *a, const char *name, uint64_t otherwise, uint64_t most)
{
    struct km_str text;
    uint64_t n;

    if (!km_admin_query(a, name, &text) || km_str_u64(text, &n) < 0 || n == 0)
        return otherwise;
    return n > most ? most : n;
}

static void list_page(struct km_admin *a, struct km_key **keys, size_t n, struct km_buf *out)
{
    uint64_t page = number_of(a, "page", 1, UINT32_MAX), size = number_of(a, "size", 10, 1000);
    struct km_str full = KM_STR_NONE;
    bool objects =
        km_admin_query(a, "return_full_object", &full) && km_str_ieq(full, KM_STR("true"));
    uint64_t from = (page - 1) * size;
    char hex[65];

    km_buf_str(out, KM_STR("{\"keys\":["));
    for (uint64_t i = from; i < n && i < from + size; i++) {
        if (i > from)
            km_buf_byte(out, ',');
        if (objects) {
            km_key_fields_write(&keys[i]->row, km_key_spend(keys[i]), KM_STR_NONE, out);
            continue;
        }
        km_hex(hex, keys[i]->row.hash, 32);
        km_buf_printf(out, "\"%s\"", hex);
    }
    km_buf_printf(out, "],\"total_count\":%zu,\"current_page\":%llu,\"total_pages\":%llu}", n,
                  (unsigned long long)page, (unsigned long long)((n + size - 1) / size));
}

static int list(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    size_t n, kept = 0;
    struct km_key **keys = km_keys_all(a->v->w->gw->keys, &n);

    (void)err;
    for (size_t i = 0; i < n; i++) {
        struct km_key *key = keys[i];

        if (wanted(a, key))
            keys[kept++] = key;
        else
            km_key_unref(key);
    }
    if (kept)
        qsort(keys, kept, sizeof *keys, newest_first);
    list_page(a, keys, kept, &out);
    for (size_t i = 0; i < kept; i++)
        km_key_unref(keys[i]);
    free(keys);
    km_admin_json(a, 200, km_buf_view(&out));
    return 0;
}

/* --- taking away --- */

struct removal {
    struct km_str *names; /* as they were sent: the answer repeats them */
    uint8_t (*hashes)[32];
    size_t n, next;
    struct km_err failed;
};

static void remove_next(struct km_admin *a);

static void on_removed(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct removal *d = a->state;

    if (err) {
        km_admin_error(a, err);
        return;
    }
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
                                  .target = target_of(a, d->hashes[d->next]),
                                  .detail = KM_STR("{}") };

        km_store_key_delete(a->v->w->gw->store, a->v->w->mailbox, d->hashes[d->next], &audit,
                            on_removed, a);
        return;
    }
    km_buf_str(&out, KM_STR("{\"deleted_keys\":["));
    for (size_t i = 0; i < d->n; i++) {
        if (i)
            km_buf_byte(&out, ',');
        km_buf_json(&out, d->names[i]);
    }
    km_buf_str(&out, KM_STR("]}"));
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
        return unknown_key(err);
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

static int remove_keys(struct km_admin *a, struct km_err *err)
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

/* --- regenerate: a new secret for the same key --- */

static void on_old_removed(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct change *c = a->state;

    if (err) {
        km_admin_error(a, err);
        return;
    }
    km_keys_del(a->v->w->gw->keys, c->old_hash);
    answer_row(a, &c->row, c->secret);
}

static void on_new_written(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct change *c = a->state;
    struct km_audit audit = { .actor = km_admin_actor(a),
                              .action = KM_STR("key.regenerate"),
                              .target = target_of(a, c->old_hash),
                              .detail = KM_STR("{\"old\":\"removed\"}") };
    struct km_err why = { 0 };

    if (err || km_keys_put(a->v->w->gw->keys, &c->row, &why) < 0) {
        km_admin_error(a, err ? err : &why);
        return;
    }
    km_store_key_delete(a->v->w->gw->store, a->v->w->mailbox, c->old_hash, &audit, on_old_removed,
                        a);
}

static int regenerate(struct km_admin *a, struct km_err *err)
{
    const struct km_route_match *match = &a->v->match;
    struct change *c = change_new(a, err);
    struct km_str name = match->nparams ? match->params[0] : string_of(a, "key");
    struct km_audit audit = { .action = KM_STR("key.regenerate"), .detail = KM_STR("{}") };
    struct km_key *key;
    int r;

    if (!c)
        return KM_E_NOMEM;
    r = km_admin_key_hash(name, c->old_hash, err);
    key = r == 0 ? km_keys_find(a->v->w->gw->keys, c->old_hash) : NULL;
    if (!key)
        return r < 0 ? r : unknown_key(err);
    r = copy_row(a, key, &c->row, err);
    c->row.spend = km_key_spend(key);
    km_key_unref(key);
    if (r == 0)
        r = make_secret(a, string_of(a, "new_key"), &c->secret, err);
    if (r == 0)
        r = km_key_fields_read(a, km_wall_us(), &c->row, err);
    if (r < 0)
        return r;
    name_key(a, &c->row, c->secret);
    stamp(a, &c->row, km_wall_us());
    audit.actor = km_admin_actor(a);
    audit.target = target_of(a, c->row.hash);
    km_store_key_put(a->v->w->gw->store, a->v->w->mailbox, &c->row, true, &audit, on_new_written,
                     a);
    return 0;
}

#define HANDLER(name, run_)                                                                        \
    static void name(void *visit, struct km_exchange *x, const struct km_route_match *match)       \
    {                                                                                              \
        (void)x;                                                                                   \
        (void)match;                                                                               \
        km_admin_begin(visit, BODY_BYTES, run_);                                                   \
    }

HANDLER(on_generate, generate)
HANDLER(on_update, update)
HANDLER(on_delete, remove_keys)
HANDLER(on_info, info)
HANDLER(on_list, list)
HANDLER(on_block, block)
HANDLER(on_unblock, unblock)
HANDLER(on_regenerate, regenerate)

static const struct km_route rows[] = {
    { "POST", "/key/generate", on_generate, KM_AUTH_ADMIN, NULL },
    { "POST", "/key/update", on_update, KM_AUTH_ADMIN, NULL },
    { "POST", "/key/delete", on_delete, KM_AUTH_ADMIN, NULL },
    { "GET", "/key/info", on_info, KM_AUTH_KEY, NULL },
    { "GET", "/key/list", on_list, KM_AUTH_ADMIN, NULL },
    { "POST", "/key/block", on_block, KM_AUTH_ADMIN, NULL },
    { "POST", "/key/unblock", on_unblock, KM_AUTH_ADMIN, NULL },
    { "POST", "/key/regenerate", on_regenerate, KM_AUTH_ADMIN, NULL },
    { "POST", "/key/{key}/regenerate", on_regenerate, KM_AUTH_ADMIN, NULL },
};

const struct km_route_rows km_key_routes = { rows, sizeof rows / sizeof rows[0] };

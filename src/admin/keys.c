/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - virtual keys: make, look at, change, block, take away.
 *
 * Every change has its turn (admin.h) and goes the same way: a new row is built from the old
 * one, written to the store with its audit record in one transaction, and only when that is
 * committed does the table in memory change and the caller get its answer.  A key is therefore
 * never usable before it is durable, nor gone before its end is.
 */
#include "admin/keys.h"

#include "admin/account_inside.h"
#include "admin/columns.h"
#include "admin/key_fields.h"
#include "admin/key_inside.h"
#include "base/crypto.h"
#include "base/encode.h"
#include "policy/key_limits.h"
#include "policy/key_retired.h"
#include "store/key_row.h"

#define BODY_BYTES (256 * 1024)
#define KEY_RANDOM 16 /* bytes: 22 URL-safe characters */

/* A change under way. */
struct change {
    struct km_key_row row;
    struct km_str secret; /* shown once, when a key was made */
    uint8_t old_hash[32]; /* regenerate: the one that goes */
};

/* The key named by `key` in the body: a reference. */
static int named_key(struct km_admin *a, struct km_key **ret, struct km_err *err)
{
    struct km_str text = km_admin_text(a, "key");
    uint8_t hash[32];
    int r;

    if (!text.n)
        return km_fail_param(err, KM_E_INVALID, "key", "Missing required parameter: 'key'.");
    r = km_admin_key_hash(text, hash, err);
    if (r < 0)
        return r;
    *ret = km_keys_find(a->v->w->gw->keys, hash);
    return *ret ? 0 : km_key_unknown(err);
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

static void write_row(struct km_admin *a, const char *action, bool insert)
{
    struct change *c = a->state;
    struct km_audit audit = { .actor = km_admin_actor(a),
                              .action = km_str_c(action),
                              .target = km_key_target(a, c->row.hash),
                              .detail = km_admin_said(a) };

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

int km_key_check_alias(struct km_admin *a, const struct km_key_row *row, struct km_err *err)
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

/* What the row would be can be: its alias is its own, what it names is there, its limits read. */
static int check_row(struct km_admin *a, const struct km_key_row *row, struct km_err *err)
{
    int r = km_key_check_alias(a, row, err);

    if (r == 0 && km_json_get(a->body, "organization_id"))
        r = km_account_check_there(a, KM_ACCOUNT_ORGANIZATION, row->organization_id, err);
    if (r == 0 && km_json_get(a->body, "budget_id"))
        r = km_account_check_there(a, KM_ACCOUNT_BUDGET, row->budget_id, err);
    return r < 0 ? r : km_key_limits_check(row, err);
}

static void stamp(struct km_admin *a, struct km_key_row *row, int64_t now)
{
    if (km_key_has_account(row) && !row->limits_id.n)
        row->limits_id = km_account_fresh_id(a);
    row->updated_us = now;
    row->updated_by = km_admin_actor(a);
    if (row->created_us)
        return;
    row->created_us = now;
    row->created_by = row->updated_by;
}

int km_key_make(struct km_admin *a, struct km_key_row *row, struct km_str *ret_secret,
                struct km_err *err)
{
    int r = make_secret(a, KM_STR_NONE, ret_secret, err);

    if (r < 0)
        return r;
    km_key_row_init(row);
    name_key(a, row, *ret_secret);
    stamp(a, row, km_wall_us());
    return 0;
}

static int generate(struct km_admin *a, struct km_err *err)
{
    struct change *c = change_new(a, err);
    int64_t now = km_wall_us();
    struct km_key *existing;
    int r = c ? make_secret(a, km_admin_text(a, "key"), &c->secret, err) : KM_E_NOMEM;

    if (r < 0)
        return r;
    km_key_row_init(&c->row);
    name_key(a, &c->row, c->secret);
    r = km_key_fields_read(a, now, &c->row, err);
    if (r == 0)
        r = km_key_bound(a, now, true, &c->row, err);
    if (r == 0)
        r = check_row(a, &c->row, err);
    if (r < 0)
        return r;
    existing = km_keys_find(a->v->w->gw->keys, c->row.hash);
    if (existing && memcmp(existing->row.hash, c->row.hash, sizeof c->row.hash) != 0) {
        km_key_unref(existing);
        return km_fail_param(err, KM_E_EXISTS, "key",
                             "This is a former secret of another key, and still opens it.");
    }
    if (existing) {
        c->row.created_us = existing->row.created_us;
        c->row.limits_id = km_arena_str(&a->arena, existing->row.limits_id);
    }
    stamp(a, &c->row, now);
    r = existing ? 0 : km_keys_make_room(a->v->w->gw->keys, 1, err);
    if (r < 0)
        return r;
    write_row(a, "key.generate", existing == NULL);
    km_key_unref(existing);
    return 0;
}

/* The row of the key named in the body, ready to be changed. */
static int begin_change(struct km_admin *a, struct change **ret, struct km_err *err)
{
    struct change *c = change_new(a, err);
    struct km_key *key = NULL;
    int r = c ? named_key(a, &key, err) : KM_E_NOMEM;

    /* Views of the old row must outlive the reference. */
    if (r == 0 && km_key_row_copy(&key->row, &a->arena, &c->row) < 0)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
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
        r = km_key_bound(a, now, false, &c->row, err);
    if (r == 0)
        r = check_row(a, &c->row, err);
    if (r < 0)
        return r;
    c->secret = km_admin_text(a, "key"); /* told back as it was said */
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

/* --- regenerate: a new secret for the same key --- */

static void on_replaced(void *ctx, const struct km_err *err)
{
    struct km_admin *a = ctx;
    struct change *c = a->state;
    struct km_err why = { 0 };

    /* Calls that run under the old secret go on counting for the key. */
    if (err || km_keys_succeed(a->v->w->gw->keys, &c->row, c->old_hash, &why) < 0) {
        km_admin_error(a, err ? err : &why);
        return;
    }
    answer_row(a, &c->row, c->secret);
}

/* Until when the old secret works beside the new one; 0: not a moment longer. */
static int read_grace(struct km_admin *a, int64_t now_us, int64_t *ret_until_us, struct km_err *err)
{
    const struct km_json *v = km_json_get(a->body, "grace_period");
    struct km_str text;
    int64_t seconds = 0;
    int r = 0;

    if (v && !(km_json_string(v, &text) && text.n == 0))
        r = km_column_duration("grace_period", v, &text, &seconds, err);
    *ret_until_us = seconds > 0 ? now_us + seconds * 1000000 : 0;
    return r;
}

/* The old secret joins those before it whose time is not over; without grace all of them are. */
static int retire_secret(struct km_admin *a, struct change *c, int64_t now_us, int64_t until_us,
                         struct km_err *err)
{
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(4096);
    struct km_str rest = c->row.retired;
    struct km_key_retired r;
    size_t n = 1;

    c->row.retired = KM_STR_NONE;
    if (until_us == 0)
        return 0;
    while (km_key_retired_next(&rest, &r))
        if (r.until_us > now_us && ++n <= KM_KEY_RETIRED_MOST)
            km_key_retired_write(&r, &text);
    if (n > KM_KEY_RETIRED_MOST)
        return km_fail_param(err, KM_E_INVALID, "grace_period",
                             "A key has at most %d former secrets that still work: regenerate it "
                             "without a grace_period, which ends them all.",
                             KM_KEY_RETIRED_MOST);
    memcpy(r.hash, c->old_hash, sizeof r.hash);
    r.until_us = until_us;
    km_key_retired_write(&r, &text);
    c->row.retired = km_arena_str(&a->arena, km_buf_view(&text));
    return c->row.retired.n ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static struct km_str new_detail(struct km_admin *a, const uint8_t hash[32], int64_t until_us)
{
    struct km_str target = km_key_target(a, hash);
    char end[KM_TIME_ISO_LEN + 1];

    if (until_us == 0)
        return km_arena_printf(&a->arena, "{\"new\":\"%.*s\"}", KM_STR_ARG(target));
    km_time_iso(until_us, end);
    return km_arena_printf(&a->arena, "{\"new\":\"%.*s\",\"old_works_until\":\"%s\"}",
                           KM_STR_ARG(target), end);
}

/* The key that is to get a new secret, by the one it has or a former one. */
static int begin_regenerate(struct km_admin *a, struct change *c, struct km_err *err)
{
    const struct km_route_match *match = &a->v->match;
    struct km_str name = match->nparams ? match->params[0] : km_admin_text(a, "key");
    int r = km_admin_key_hash(name, c->old_hash, err);
    struct km_key *key = r == 0 ? km_keys_find(a->v->w->gw->keys, c->old_hash) : NULL;

    if (!key)
        return r < 0 ? r : km_key_unknown(err);
    memcpy(c->old_hash, key->row.hash, sizeof c->old_hash);
    if (km_key_row_copy(&key->row, &a->arena, &c->row) < 0)
        r = km_fail(err, KM_E_NOMEM, "out of memory");
    km_key_unref(key);
    return r;
}

static int regenerate(struct km_admin *a, struct km_err *err)
{
    struct change *c = change_new(a, err);
    struct km_audit audit = { .action = KM_STR("key.regenerate") };
    const int64_t now = km_wall_us();
    struct km_key *other;
    int64_t until_us = 0;
    int r = c ? begin_regenerate(a, c, err) : KM_E_NOMEM;

    if (r == 0)
        r = read_grace(a, now, &until_us, err);
    if (r == 0)
        r = retire_secret(a, c, now, until_us, err);
    if (r == 0)
        r = make_secret(a, km_admin_text(a, "new_key"), &c->secret, err);
    if (r == 0)
        r = km_key_fields_read(a, now, &c->row, err);
    if (r == 0)
        r = km_key_bound(a, now, false, &c->row, err);
    if (r == 0)
        r = check_row(a, &c->row, err);
    if (r < 0)
        return r;
    name_key(a, &c->row, c->secret);
    stamp(a, &c->row, now);
    other = km_keys_find(a->v->w->gw->keys, c->row.hash);
    km_key_unref(other);
    if (other)
        return km_fail_param(err, KM_E_EXISTS, "new_key", "This key exists already.");
    audit.actor = km_admin_actor(a);
    audit.target = km_key_target(a, c->old_hash);
    audit.detail = new_detail(a, c->row.hash, until_us);
    km_store_key_replace(a->v->w->gw->store, a->v->w->mailbox, c->old_hash, &c->row, &audit,
                         on_replaced, a);
    return 0;
}

/* Keys are made and changed by who may do everything (account_rights.c): one that a user made for
 * himself could have rights that he has not. */
#define KM_OWNERS(name, fn)                                                                        \
    static int name(struct km_admin *a, struct km_err *err)                                        \
    {                                                                                              \
        int r = km_account_may(a, KM_ACCOUNT_OWN, KM_ACCOUNT_NONE, NULL, err);                     \
                                                                                                   \
        return r < 0 ? r : fn(a, err);                                                             \
    }
KM_OWNERS(owner_generates, generate)
KM_OWNERS(owner_updates, update)
KM_OWNERS(owner_removes, km_keys_remove)
KM_OWNERS(owner_blocks, block)
KM_OWNERS(owner_unblocks, unblock)
KM_OWNERS(owner_regenerates, regenerate)

KM_ADMIN_CHANGE(on_generate, BODY_BYTES, owner_generates)
KM_ADMIN_CHANGE(on_update, BODY_BYTES, owner_updates)
KM_ADMIN_CHANGE(on_delete, BODY_BYTES, owner_removes)
KM_ADMIN_HANDLER(on_info, BODY_BYTES, km_keys_info)
KM_ADMIN_HANDLER(on_list, BODY_BYTES, km_keys_list)
KM_ADMIN_CHANGE(on_block, BODY_BYTES, owner_blocks)
KM_ADMIN_CHANGE(on_unblock, BODY_BYTES, owner_unblocks)
KM_ADMIN_CHANGE(on_regenerate, BODY_BYTES, owner_regenerates)

static const struct km_route rows[] = {
    { "POST", "/key/generate", on_generate, KM_AUTH_KEY, NULL },
    { "POST", "/key/update", on_update, KM_AUTH_KEY, NULL },
    { "POST", "/key/delete", on_delete, KM_AUTH_KEY, NULL },
    { "GET", "/key/info", on_info, KM_AUTH_KEY, NULL },
    { "GET", "/key/list", on_list, KM_AUTH_KEY, NULL },
    { "POST", "/key/block", on_block, KM_AUTH_KEY, NULL },
    { "POST", "/key/unblock", on_unblock, KM_AUTH_KEY, NULL },
    { "POST", "/key/regenerate", on_regenerate, KM_AUTH_KEY, NULL },
    { "POST", "/key/{key}/regenerate", on_regenerate, KM_AUTH_KEY, NULL },
};

const struct km_route_rows km_key_routes = { rows, sizeof rows / sizeof rows[0] };

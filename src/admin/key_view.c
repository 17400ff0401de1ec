/* SPDX-License-Identifier: Apache-2.0 */
/* key_view.c - looking at virtual keys: one, or a page of them.
 *
 * Everything comes from the table in memory, whose spend is the live one; the store is not
 * asked.  A key may look at itself, a user's at all of his; all others are for who may look at
 * everything (account_rights.c).
 */
#include <stdlib.h>

#include "admin/account_inside.h"
#include "admin/key_fields.h"
#include "admin/key_inside.h"
#include "base/encode.h"

void km_key_show(struct km_key *key, struct km_buf *out)
{
    struct km_key_row row = key->row;

    row.budget_reset_us = km_key_window_end(key);
    km_key_fields_write(&row, km_key_spend(key), KM_STR_NONE, out);
}

#define ANSWER_BYTES (64 * 1024 * 1024)

int km_key_unknown(struct km_err *err)
{
    return km_fail_param(err, KM_E_NOT_FOUND, "key", "Key not found.");
}

struct km_str km_key_target(struct km_admin *a, const uint8_t hash[32])
{
    char hex[65];

    km_hex(hex, hash, 32);
    return km_arena_str(&a->arena, km_str(hex, 64));
}

/* A key may look at itself, its user at all of his; others' are for who may look at everything. */
static bool may_look(struct km_admin *a, const struct km_key *key)
{
    const struct km_key *own = a->v->who.key;
    struct km_str user = km_account_visitor(a);
    struct km_err ignored = { 0 };

    return (own && memcmp(own->row.hash, key->row.hash, 32) == 0) ||
           (user.n && km_str_eq(user, key->row.user_id)) ||
           km_account_may(a, KM_ACCOUNT_LOOK, KM_ACCOUNT_NONE, NULL, &ignored) == 0;
}

int km_keys_info(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    const struct km_principal *who = &a->v->who;
    struct km_str text = KM_STR_NONE;
    struct km_key *key = NULL;
    uint8_t hash[32];

    if (km_admin_query(a, "key", &text) && text.n) {
        if (km_admin_key_hash(text, hash, err) < 0)
            return KM_E_INVALID;
        key = km_keys_find(a->v->w->gw->keys, hash);
    } else if (who->key) {
        key = km_key_ref(who->key);
        text = km_key_target(a, key->row.hash);
    }
    if (!key)
        return km_key_unknown(err);
    if (!may_look(a, key)) {
        km_key_unref(key);
        return km_fail(err, KM_E_FORBIDDEN, "A key may look at itself only.");
    }
    km_buf_str(&out, KM_STR("{\"key\":"));
    km_buf_json(&out, text);
    km_buf_str(&out, KM_STR(",\"info\":"));
    km_key_show(key, &out);
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

/* What the query asks for; empty: anything. */
struct filter {
    struct km_str alias, user, team;
};

static bool wanted(const struct filter *f, const struct km_key_row *row)
{
    return (!f->alias.n || km_str_eq(f->alias, row->alias)) &&
           (!f->user.n || km_str_eq(f->user, row->user_id)) &&
           (!f->team.n || km_str_eq(f->team, row->team_id));
}

static void list_page(struct km_admin *a, struct km_key **keys, size_t n, uint64_t page,
                      uint64_t size, struct km_buf *out)
{
    struct km_str full = KM_STR_NONE;
    bool objects =
        km_admin_query(a, "return_full_object", &full) && km_str_ieq(full, KM_STR("true"));
    uint64_t from = (page - 1) * size;
    char hex[65];

    km_assert(size > 0);
    km_buf_str(out, KM_STR("{\"keys\":["));
    for (uint64_t i = from; i < n && i < from + size; i++) {
        if (i > from)
            km_buf_byte(out, ',');
        if (objects) {
            km_key_show(keys[i], out);
            continue;
        }
        km_hex(hex, keys[i]->row.hash, 32);
        km_buf_printf(out, "\"%s\"", hex);
    }
    km_buf_printf(out, "],\"total_count\":%zu,\"current_page\":%llu,\"total_pages\":%llu}", n,
                  (unsigned long long)page, (unsigned long long)((n + size - 1) / size));
}

int km_keys_list(struct km_admin *a, struct km_err *err)
{
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(ANSWER_BYTES);
    uint64_t page = 1, size = 10;
    size_t n, kept = 0;
    struct km_key **keys;
    struct km_str own = km_account_visitor(a);
    bool all = km_account_may(a, KM_ACCOUNT_LOOK, KM_ACCOUNT_NONE, NULL, err) == 0;
    const struct filter f = { km_admin_asked(a, "key_alias"), km_admin_asked(a, "user_id"),
                              km_admin_asked(a, "team_id") };

    if (!all && !own.n)
        return err->code;
    if (km_admin_number(a, "page", UINT32_MAX, &page, err) < 0 ||
        km_admin_number(a, "size", 1000, &size, err) < 0)
        return err->code;
    keys = km_keys_all(a->v->w->gw->keys, &n);
    for (size_t i = 0; i < n; i++) {
        struct km_key *key = keys[i];

        if (wanted(&f, &key->row) && (all || km_str_eq(own, key->row.user_id)))
            keys[kept++] = key;
        else
            km_key_unref(key);
    }
    if (kept)
        qsort(keys, kept, sizeof *keys, newest_first);
    list_page(a, keys, kept, page, size, &out);
    for (size_t i = 0; i < kept; i++)
        km_key_unref(keys[i]);
    free(keys);
    km_admin_json(a, 200, km_buf_view(&out));
    return 0;
}

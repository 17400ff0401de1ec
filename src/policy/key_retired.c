/* SPDX-License-Identifier: Apache-2.0 */
/* key_retired.c - see key_retired.h.
 *
 *     keys->map: hash of the secret -> version of the key <- hash of a former one: keys->retired
 *
 * The end of a former secret is looked up when it is shown, so it comes on time in all workers and
 * needs no timer; a row that is written again leaves out those that are over.
 */
#include "policy/key_retired.h"

#include "base/encode.h"
#include "base/time.h"
#include "policy/key_table.h"

bool km_key_retired_next(struct km_str *text, struct km_key_retired *ret)
{
    struct km_str one, hash;

    return text->n > 0 && km_str_split(text, ' ', &one) && km_str_split(&one, ':', &hash) &&
           km_unhex(hash, ret->hash, sizeof ret->hash) == 0 && km_str_i64(one, &ret->until_us) == 0;
}

void km_key_retired_write(const struct km_key_retired *r, struct km_buf *out)
{
    char hex[65];

    km_hex(hex, r->hash, sizeof r->hash);
    km_buf_printf(out, "%s%s:%lld", out->n ? " " : "", hex, (long long)r->until_us);
}

static struct km_str view(const struct km_key_retired *r)
{
    return km_str((const char *)r->hash, sizeof r->hash);
}

void km_keys_retire(struct km_keys *keys, const struct km_key_object *old,
                    struct km_key_object *fresh)
{
    struct km_str text = old ? old->key.row.retired : KM_STR_NONE;
    struct km_key_retired r;

    while (km_key_retired_next(&text, &r))
        (void)km_map_del(keys->retired, view(&r));
    text = fresh ? fresh->key.row.retired : KM_STR_NONE;
    while (km_key_retired_next(&text, &r))
        if (km_map_set(keys->retired, view(&r), fresh, NULL) < 0)
            return; /* without memory it opens nothing: the safe side */
}

struct km_key *km_keys_at_retired(const struct km_keys *keys, const uint8_t hash[32])
{
    struct km_key_object *o = km_map_count(keys->retired)
                                  ? km_map_get(keys->retired, km_str((const char *)hash, 32))
                                  : NULL;
    struct km_str text = o ? o->key.row.retired : KM_STR_NONE;
    struct km_key_retired r;

    while (km_key_retired_next(&text, &r))
        if (memcmp(r.hash, hash, sizeof r.hash) == 0)
            return km_wall_us() < r.until_us ? &o->key : NULL;
    return NULL;
}

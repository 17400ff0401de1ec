/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.c - see pairs.h for the contract.
 *
 * PyYAML builds a Python dict: of two equal keys the first gives the position and the key, the
 * last the value, and equal is what Python's == says, by which 1, 1.0 and true are one key.
 * Each key therefore gets an identity, a string that is the same exactly for equal keys:
 *
 *     text          itself                1, 1.0, true     NUL n 1
 *     a date        NUL t and its text    null             NUL z
 *
 * Text that begins with a NUL byte could be taken for another key's identity; such a key is
 * of no use in a configuration, and at worst counts as a duplicate.
 */
#include "config/pairs.h"

#include "base/map.h"

int km_pairs_init(struct km_pairs *ps, struct km_arena *arena, struct km_diags *diags, size_t room)
{
    *ps = (struct km_pairs){ .arena = arena, .diags = diags };
    ps->k = km_arena_alloc(arena, room * sizeof *ps->k);
    ps->v = km_arena_alloc(arena, room * sizeof *ps->v);
    ps->own = km_arena_zalloc(arena, room * sizeof *ps->own);
    ps->from = km_arena_alloc(arena, room * sizeof *ps->from);
    ps->index = km_map_new_borrowed(room);
    return ps->k && ps->v && ps->own && ps->from && ps->index ? 0 : KM_E_NOMEM;
}

void km_pairs_done(struct km_pairs *ps)
{
    ps->index = km_map_free(ps->index, NULL);
}

static struct km_str identity(struct km_arena *arena, const struct km_node *key)
{
    switch (key->type) {
    case KM_NODE_STR:
        return key->text;
    case KM_NODE_BOOL:
        return key->b ? KM_STR("\0n1") : KM_STR("\0n0");
    case KM_NODE_INT:
        return key->big ? km_arena_printf(arena, "%cb%.*s", 0, KM_STR_ARG(key->text))
                        : km_arena_printf(arena, "%cn%lld", 0, (long long)key->i);
    case KM_NODE_FLOAT:
        return km_arena_printf(arena, "%cn%.17g", 0, key->f);
    case KM_NODE_TIME:
        return km_arena_printf(arena, "%ct%.*s", 0, KM_STR_ARG(key->text));
    default:
        return KM_STR("\0z");
    }
}

static int put(struct km_pairs *ps, const struct km_node *key, const struct km_node *value,
               bool own)
{
    struct km_str id = identity(ps->arena, key);
    uintptr_t at = (uintptr_t)km_map_get(ps->index, id);

    if (at == 0) {
        ps->k[ps->n] = key;
        ps->v[ps->n] = value;
        ps->own[ps->n] = own;
        ps->from[ps->n] = key;
        ps->n++;
        return km_map_set(ps->index, id, (void *)(uintptr_t)ps->n, NULL);
    }
    at--;
    if (own && ps->own[at]) {
        struct km_lost *lost = km_arena_alloc(ps->arena, sizeof *lost);

        if (!lost)
            return KM_E_NOMEM;
        *lost = (struct km_lost){ ps->lost, ps->from[at], ps->v[at], key };
        ps->lost = lost;
        km_diag_add(ps->diags, KM_DIAG_WARNING, "W0002", key,
                    "the last one counts; remove the others", "key '%.*s' occurs twice",
                    KM_STR_ARG(key->text));
    }
    ps->v[at] = value;
    ps->own[at] = own;
    ps->from[at] = key;
    return 0;
}

static int put_all(struct km_pairs *ps, const struct km_node *map)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < map->n; i++)
        r = put(ps, map->k[i], map->v[i], false);
    return r;
}

int km_pairs_merge(struct km_pairs *ps, const struct km_node *value)
{
    int r = 0;

    if (value->type == KM_NODE_MAP)
        return put_all(ps, value);
    /* Of a list the first mapping wins, so it is applied last. */
    for (size_t i = value->n; r == 0 && i-- > 0;)
        r = put_all(ps, value->v[i]);
    return r;
}

int km_pairs_own(struct km_pairs *ps, const struct km_node *key, const struct km_node *value)
{
    return put(ps, key, value, true);
}

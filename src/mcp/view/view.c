/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - see view.h for the contract.
 *
 * Entries are made in one pass over the members.  A name goes into the map of its list in both
 * forms; a bare name that two servers have leads to neither, since either could be meant.  A wire
 * name that would be another's (after letters were replaced) gets a suffix, see names.h.
 *
 * A resource belongs to the first server that lists it, in the order of the configuration, and is
 * listed for that one alone: nobody could read another's.  A template is tried only for what
 * nobody lists.
 */
#include "mcp/view/view.h"

#include <stdlib.h>

#include "base/crypto.h"
#include "mcp/view/names.h"
#include "mcp/view/view_part.h"

#define VIEW_BYTES ((size_t)256 * 1024 * 1024)

static const struct km_mcp_entry_of ambiguous; /* a bare name of two servers */

static bool by_name(enum km_mcp_list list)
{
    return list == KM_MCP_TOOLS || list == KM_MCP_PROMPTS;
}

static int put(struct km_map *map, struct km_str key, const struct km_mcp_entry_of *e)
{
    return km_map_set(map, key, (void *)(uintptr_t)e, NULL);
}

/* The bare form, unless two have it. */
static int put_bare(struct km_map *map, struct km_str key, const struct km_mcp_entry_of *e)
{
    return put(map, key, km_map_get(map, key) ? &ambiguous : e);
}

/* The same item under the same name, seen through another member. */
static bool twice(const struct km_mcp_view *v, enum km_mcp_list list,
                  const struct km_mcp_entry_of *e, struct km_str wire)
{
    const struct km_mcp_entry_of *other = km_map_get(v->wire[list], wire);

    return other && other->member->upstream == e->member->upstream && other->item == e->item;
}

/* KM_E_EXISTS: it is there already. */
static int index_entry(struct km_mcp_view *v, enum km_mcp_list list, struct km_mcp_entry_of *e,
                       struct km_str shown)
{
    struct km_str wire = km_mcp_name_wire(&v->arena, e->member->alias, shown, false);
    struct km_map *full = v->wire[list], *bare = v->bare[list];
    int r;

    if (!by_name(list)) {
        e->wire = e->item->name;
        return km_map_get(full, e->wire) ? KM_E_EXISTS : put(full, e->wire, e);
    }
    if (twice(v, list, e, wire))
        return KM_E_EXISTS;
    if (km_map_get(full, wire))
        wire = km_mcp_name_wire(&v->arena, e->member->alias, shown, true);
    r = put(full, wire, e);
    if (!v->prefixed && km_map_get(bare, shown)) { /* of two the first has the short name */
        e->wire = wire;
        return r;
    }
    e->wire = v->prefixed ? wire : shown;
    return r == 0 ? put_bare(bare, shown, e) : r;
}

/* Known by its names and nothing more; the first of two with one name. */
static int withhold(struct km_mcp_view *v, const struct km_mcp_member *m,
                    const struct km_mcp_item *item)
{
    struct km_mcp_entry_of *e = km_arena_zalloc(&v->arena, sizeof *e);
    struct km_str wire = km_mcp_name_wire(&v->arena, m->alias, item->name, false);
    int r = 0;

    if (!v->withheld)
        v->withheld = km_map_new_borrowed(2 * KM_MCP_VIEW_ENTRIES);
    if (!e || !v->withheld || !wire.n)
        return KM_E_NOMEM;
    *e = (struct km_mcp_entry_of){ .member = m, .item = item, .wire = wire };
    if (!km_map_get(v->withheld, wire))
        r = put(v->withheld, wire, e);
    return r == 0 && !km_map_get(v->withheld, item->name) ? put(v->withheld, item->name, e) : r;
}

static int add_entry(struct km_mcp_view *v, enum km_mcp_list list, const struct km_mcp_member *m,
                     const struct km_mcp_item *item, const struct km_mcp_filter *f)
{
    struct km_mcp_entry_of *e = &v->lists[list].v[v->lists[list].n];
    struct km_mcp_dress dress = { 0 };
    int r;

    if (f && f->shows && !f->shows(f->ctx, m, list, item))
        return 0;
    if (f && f->withholds && f->withholds(f->ctx, m, list, item))
        return withhold(v, m, item);
    if (f && f->dress)
        f->dress(f->ctx, m, list, item, &dress);
    *e = (struct km_mcp_entry_of){ .member = m, .item = item };
    r = index_entry(v, list, e, dress.name.n ? dress.name : item->name);
    if (r < 0)
        return r == KM_E_EXISTS ? 0 : r;
    v->lists[list].n++;
    if (e->wire.n == 0)
        return KM_E_NOMEM;
    if (by_name(list))
        dress.name = km_str_eq(e->wire, item->name) ? KM_STR_NONE : e->wire;
    if (dress.name.n || dress.title.n || dress.description.n)
        e->json = km_mcp_view_dressed(v, e, &dress);
    return 0;
}

static int add_list(struct km_mcp_view *v, enum km_mcp_list list, const struct km_mcp_filter *f)
{
    size_t most = 0;
    int r = 0;

    for (size_t i = 0; i < v->nmembers; i++)
        most += v->members[i].catalogue->lists[list].n;
    if (most > KM_MCP_VIEW_ENTRIES)
        return KM_E_LIMIT;
    v->lists[list].v = km_arena_alloc(&v->arena, most * sizeof *v->lists[list].v);
    v->wire[list] = km_map_new_borrowed(2 * KM_MCP_VIEW_ENTRIES);
    v->bare[list] = km_map_new_borrowed(2 * KM_MCP_VIEW_ENTRIES);
    if (!v->lists[list].v || !v->wire[list] || !v->bare[list])
        return KM_E_NOMEM;
    for (size_t i = 0; r == 0 && i < v->nmembers; i++) {
        const struct km_mcp_listing *items = &v->members[i].catalogue->lists[list];

        for (size_t k = 0; r == 0 && k < items->n; k++)
            r = add_entry(v, list, &v->members[i], &items->v[k], f);
    }
    return r;
}

static void hash_list(struct km_mcp_view *v, enum km_mcp_list list)
{
    uint8_t state[32 + 32 + 32] = { 0 };

    for (size_t i = 0; i < v->lists[list].n; i++) {
        const struct km_mcp_entry_of *e = &v->lists[list].v[i];

        memcpy(state + 32, e->item->hash, 32);
        km_sha256(e->json.n ? e->json : e->wire, state + 64);
        km_sha256(km_str((const char *)state, sizeof state), state);
    }
    memcpy(v->hash[list], state, 32);
}

static bool named_in(const struct km_str_list *list, const struct km_mcp_entry_of *e)
{
    for (size_t i = 0; list && i < list->n; i++)
        if (km_str_eq(list->v[i], e->wire) || km_str_eq(list->v[i], e->item->name))
            return true;
    return false;
}

int km_mcp_view_new(const struct km_mcp_view_args *args, struct km_mcp_view **ret,
                    struct km_err *err)
{
    struct km_mcp_view *v = calloc(1, sizeof *v);
    int r = 0;

    if (!v)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    v->refs = 1;
    v->prefixed = args->prefixed;
    v->searched = args->searched;
    km_arena_init(&v->arena, VIEW_BYTES, NULL);
    v->members = km_arena_zalloc(&v->arena, (args->n + 1) * sizeof *v->members);
    if (!v->members)
        r = KM_E_NOMEM;
    for (size_t i = 0; r == 0 && i < args->n; i++) {
        struct km_mcp_member *m = &v->members[v->nmembers++];

        *m = args->members[i];
        m->name = km_arena_str(&v->arena, m->name);
        m->alias = km_arena_str(&v->arena, m->alias);
        km_mcp_catalogue_ref(m->catalogue);
        if (m->upstream)
            km_mcp_upstream_ref(m->upstream);
        if (m->virtual)
            km_mcp_virtual_ref(m->virtual);
    }
    for (int list = 0; r == 0 && list < KM_MCP_LISTS; list++) {
        r = add_list(v, (enum km_mcp_list)list, args->filter);
        if (r == 0)
            hash_list(v, (enum km_mcp_list)list);
    }
    for (size_t i = 0; r == 0 && v->searched && i < v->lists[KM_MCP_TOOLS].n; i++)
        v->lists[KM_MCP_TOOLS].v[i].hidden = !named_in(args->visible, &v->lists[KM_MCP_TOOLS].v[i]);
    if (r < 0 || km_arena_overflowed(&v->arena)) {
        km_mcp_view_unref(v);
        return km_fail(err, r == KM_E_LIMIT ? r : KM_E_NOMEM,
                       "the servers of this endpoint list more than %zu entries",
                       KM_MCP_VIEW_ENTRIES);
    }
    *ret = v;
    return 0;
}

struct km_mcp_view *km_mcp_view_ref(struct km_mcp_view *v)
{
    v->refs++;
    return v;
}

struct km_mcp_view *km_mcp_view_unref(struct km_mcp_view *v)
{
    if (!v || --v->refs > 0)
        return NULL;
    for (size_t i = 0; i < v->nmembers; i++) {
        km_mcp_catalogue_unref(v->members[i].catalogue);
        km_mcp_upstream_unref(v->members[i].upstream);
        km_mcp_virtual_unref(v->members[i].virtual);
    }
    km_map_free(v->withheld, NULL);
    for (int list = 0; list < KM_MCP_LISTS; list++) {
        km_map_free(v->wire[list], NULL);
        km_map_free(v->bare[list], NULL);
        for (int era = 0; era < 2; era++)
            for (size_t i = 0; i < v->npages[list][era]; i++)
                km_buf_done(&v->pages[list][era][i]);
    }
    km_mcp_search_free(v->index);
    km_arena_done(&v->arena);
    free(v);
    return NULL;
}

size_t km_mcp_view_members(const struct km_mcp_view *v, const struct km_mcp_member **ret)
{
    *ret = v->members;
    return v->nmembers;
}

size_t km_mcp_view_entries(const struct km_mcp_view *v, enum km_mcp_list list,
                           const struct km_mcp_entry_of **ret)
{
    *ret = v->lists[list].v;
    return v->lists[list].n;
}

const struct km_mcp_entry_of *km_mcp_view_named(const struct km_mcp_view *v, enum km_mcp_list list,
                                                struct km_str name)
{
    const struct km_mcp_entry_of *e = km_map_get(v->prefixed ? v->wire[list] : v->bare[list], name);

    if (!e)
        e = km_map_get(v->prefixed ? v->bare[list] : v->wire[list], name);
    return e == &ambiguous ? NULL : e;
}

const struct km_mcp_entry_of *km_mcp_view_withheld(const struct km_mcp_view *v, struct km_str name)
{
    return v->withheld ? km_map_get(v->withheld, name) : NULL;
}

const struct km_mcp_member *km_mcp_view_owner(const struct km_mcp_view *v, struct km_str uri)
{
    const struct km_mcp_entry_of *e = km_map_get(v->wire[KM_MCP_RESOURCES], uri);

    if (!e)
        e = km_map_get(v->wire[KM_MCP_TEMPLATES], uri); /* completion names the template itself */
    if (e)
        return e->member;
    for (size_t i = 0; i < v->lists[KM_MCP_TEMPLATES].n; i++) {
        e = &v->lists[KM_MCP_TEMPLATES].v[i];
        if (km_mcp_template_matches(e->item->name, uri))
            return e->member;
    }
    for (size_t i = 0; i < v->nmembers; i++) { /* what a virtual server names without a list */
        const struct km_mcp_part *part = v->members[i].part;
        const struct km_mcp_pick *pick =
            part ? km_mcp_part_pick(part, KM_MCP_RESOURCES, uri) : NULL;

        if (pick && pick->name.n > 1)
            return &v->members[i];
    }
    return NULL;
}

const struct km_mcp_member *km_mcp_view_member(const struct km_mcp_view *v, struct km_str name)
{
    for (size_t i = 0; i < v->nmembers; i++)
        if (km_str_eq(v->members[i].name, name))
            return &v->members[i];
    return NULL;
}

const uint8_t *km_mcp_view_hash(const struct km_mcp_view *v, enum km_mcp_list list)
{
    return v->hash[list];
}

bool km_mcp_view_searched(const struct km_mcp_view *v)
{
    return v->searched;
}

struct km_mcp_search *km_mcp_view_index(struct km_mcp_view *v)
{
    if (!v->index)
        v->index = km_mcp_search_new(v);
    return v->index;
}

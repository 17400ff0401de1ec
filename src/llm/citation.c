/* SPDX-License-Identifier: Apache-2.0 */
/* citation.c - see citation.h. */
#include "llm/citation.h"

#include "base/str.h"

struct km_citation km_citation_none(enum km_citation_kind kind)
{
    return (struct km_citation){
        .kind = kind, .index = -1, .from = -1, .to = -1, .start = -1, .end = -1
    };
}

struct km_citation *km_citation_keep(struct km_arena *arena, const struct km_citation *c)
{
    struct km_citation *kept = km_arena_alloc(arena, sizeof *kept);

    if (!kept)
        return NULL;
    *kept = *c;
    kept->next = NULL;
    kept->url = km_arena_str(arena, c->url);
    kept->title = km_arena_str(arena, c->title);
    kept->cited = km_arena_str(arena, c->cited);
    kept->file_id = km_arena_str(arena, c->file_id);
    kept->seal = km_arena_str(arena, c->seal);
    return kept;
}

void km_citation_append(struct km_arena *arena, struct km_citation **list,
                        const struct km_citation *c)
{
    while (*list)
        list = &(*list)->next;
    *list = km_citation_keep(arena, c);
}

bool km_citation_is_page(const struct km_citation *c)
{
    return km_str_istarts(c->url, KM_STR("http://")) || km_str_istarts(c->url, KM_STR("https://"));
}

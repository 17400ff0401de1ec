/* SPDX-License-Identifier: Apache-2.0 */
/* citation.h - what an answer's text rests on, in the one form between all protocols.
 *
 *     Anthropic  citations of a text block          ─┐              ┌─ chat         annotations
 *     Converse   citationsContent                   ─┼─ km_citation ┼─ Responses    annotations
 *     Gemini     grounding-, citationMetadata       ─┤              ├─ Messages     citations
 *     OpenAI     annotations                        ─┘              └─ Gemini       grounding
 *
 * Readers are in provider/citations.c, writers in api/citations.c.  Each vendor counts in a unit of
 * its own: here places in the answer's text are characters, of all of the choice's text; Google's
 * are bytes of a part.
 *
 * A dialect writes what it has a place for, and what it has none for is told (llm/dropped.h):
 *
 *     citations               one is gone
 *     citations.cited_text    the words of the source
 *     citations.location      where in the source they stand
 *     citations.place         which words of the answer rest on it
 */
#ifndef KM_LLM_CITATION_H
#define KM_LLM_CITATION_H

#include "base/arena.h"

enum km_citation_kind {
    KM_CITE_WEB, /* a page that was found: url */
    KM_CITE_FOUND, /* a document that the provider found: url or title */
    KM_CITE_RESULT, /* a search result that the request brought; url: its source */
    KM_CITE_CHARS, /* a document that the request brought, by characters of it */
    KM_CITE_PAGES, /* ... by pages */
    KM_CITE_BLOCKS, /* ... by its blocks */
};

/* Strings are empty, and numbers -1, where they are not known. */
struct km_citation {
    struct km_citation *next;
    enum km_citation_kind kind;
    struct km_str url, title;
    struct km_str cited; /* the source's own words */
    struct km_str file_id;
    struct km_str seal; /* Anthropic's: what it asks for when the text is sent back */
    int64_t index; /* which document or result of the request, from 0 */
    int64_t from, to; /* in it, as its kind counts; to is behind the last */
    int64_t start, end; /* in the answer's text */
    bool all_of_block; /* that place is just the block's */
};

#define KM_CITATIONS_MOST 512 /* of one answer; more are told as gone */

/* One that knows nothing yet. */
struct km_citation km_citation_none(enum km_citation_kind kind);
/* A copy with its strings in the arena; NULL when that is full. */
struct km_citation *km_citation_keep(struct km_arena *arena, const struct km_citation *c);
/* The same behind the last of a list. */
void km_citation_append(struct km_arena *arena, struct km_citation **list,
                        const struct km_citation *c);
/* Has it an address that a browser opens? */
bool km_citation_is_page(const struct km_citation *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* citations.c - see citations.h.
 *
 *                chat           Responses       Messages                     Gemini
 *     a page     url_citation   url_citation    web_search_result_location   web
 *     found      (no place)     file_citation   search_result_location       retrievedContext
 *     a result   by its page    by its page     search_result_location       web, or the same
 *     a document (no place)     file_citation   char_, page_, content_block_ the same
 *
 * Where the place in the answer is not known, OpenAI's are empty at its beginning.
 */
#include "llm/api/citations.h"

#include "base/encode.h"
#include "llm/dropped.h"

static void lose(struct km_answer *a, const char *name)
{
    km_dropped_note(a->dropped, km_str_c(name));
}

void km_cite_lost(struct km_answer *a)
{
    lose(a, "citations");
}

static bool is_document(const struct km_citation *c)
{
    return c->kind == KM_CITE_CHARS || c->kind == KM_CITE_PAGES || c->kind == KM_CITE_BLOCKS;
}

static int64_t known(int64_t n)
{
    return n > 0 ? n : 0;
}

static void text_or_null(struct km_json_out *o, const char *name, struct km_str text)
{
    km_out_key(o, name);
    if (text.n)
        km_out_str(o, text);
    else
        km_out_null(o);
}

int64_t km_cite_base(const struct km_part *parts, const struct km_part *part)
{
    int64_t n = 0;

    for (; parts && parts != part; parts = parts->next)
        if (parts->kind == KM_PART_TEXT)
            n += (int64_t)km_utf8_chars(parts->text);
    return n;
}

/* --- OpenAI --- */

static void url_members(struct km_json_out *o, const struct km_citation *c, int64_t base)
{
    km_out_member_i64(o, "start_index", known(c->start - base));
    km_out_member_i64(o, "end_index", known(c->end - base));
    km_out_member(o, "url", c->url);
    km_out_member(o, "title", c->title);
}

static void lose_source(struct km_answer *a, const struct km_citation *c)
{
    if (c->cited.n)
        lose(a, "citations.cited_text");
    if (c->from >= 0)
        lose(a, "citations.location");
}

bool km_cite_chat(struct km_answer *a, struct km_json_out *o, const struct km_citation *c)
{
    if (!km_citation_is_page(c)) {
        km_cite_lost(a);
        return false;
    }
    lose_source(a, c);
    km_out_open(o, '{');
    km_out_member(o, "type", KM_STR("url_citation"));
    km_out_key(o, "url_citation");
    km_out_open(o, '{');
    url_members(o, c, 0);
    km_out_close(o, '}');
    km_out_close(o, '}');
    return true;
}

void km_cite_chat_parts(struct km_answer *a, struct km_json_out *o, const struct km_part *parts)
{
    bool open = false;

    for (const struct km_part *p = parts; p; p = p->next)
        for (const struct km_citation *c = p->citations; c; c = c->next) {
            if (!open && km_citation_is_page(c)) {
                km_out_key(o, "annotations");
                km_out_open(o, '[');
                open = true;
            }
            (void)km_cite_chat(a, o, c);
        }
    if (open)
        km_out_close(o, ']');
}

void km_cite_responses(struct km_answer *a, struct km_json_out *o, const struct km_part *parts,
                       const struct km_part *part, const struct km_citation *c)
{
    lose_source(a, c);
    km_out_open(o, '{');
    if (km_citation_is_page(c)) {
        km_out_member(o, "type", KM_STR("url_citation"));
        url_members(o, c, km_cite_base(parts, part));
    } else {
        if (c->end >= 0)
            lose(a, "citations.place");
        km_out_member(o, "type", KM_STR("file_citation"));
        km_out_member(o, "file_id", c->file_id);
        km_out_member(o, "filename", c->title.n ? c->title : c->url);
        km_out_member_i64(o, "index", known(c->index));
    }
    km_out_close(o, '}');
}

/* --- Messages --- */

static void document_members(struct km_json_out *o, const struct km_citation *c)
{
    static const char *const names[][3] = {
        [KM_CITE_CHARS] = { "char_location", "start_char_index", "end_char_index" },
        [KM_CITE_PAGES] = { "page_location", "start_page_number", "end_page_number" },
        [KM_CITE_BLOCKS] = { "content_block_location", "start_block_index", "end_block_index" },
    };

    km_out_member(o, "type", km_str_c(names[c->kind][0]));
    km_out_member_i64(o, "document_index", known(c->index));
    text_or_null(o, "document_title", c->title);
    text_or_null(o, "file_id", c->file_id);
    km_out_member_i64(o, names[c->kind][1], known(c->from));
    km_out_member_i64(o, names[c->kind][2], known(c->to));
}

void km_cite_messages(struct km_answer *a, struct km_json_out *o, const struct km_citation *c)
{
    if (c->end >= 0 && !c->all_of_block)
        lose(a, "citations.place");
    km_out_open(o, '{');
    if (is_document(c)) {
        document_members(o, c);
    } else if (c->kind != KM_CITE_RESULT && km_citation_is_page(c)) {
        km_out_member(o, "type", KM_STR("web_search_result_location"));
        km_out_member(o, "url", c->url);
        text_or_null(o, "title", c->title);
        km_out_member(o, "encrypted_index", c->seal);
    } else {
        km_out_member(o, "type", KM_STR("search_result_location"));
        km_out_member_i64(o, "search_result_index", known(c->index));
        km_out_member(o, "source", c->url.n ? c->url : c->title);
        text_or_null(o, "title", c->title);
        km_out_member_i64(o, "start_block_index", known(c->from));
        km_out_member_i64(o, "end_block_index", c->to > 0 ? c->to : 1);
    }
    km_out_member(o, "cited_text", c->cited);
    km_out_close(o, '}');
}

/* --- Gemini --- */

static bool is_one_source(const struct km_citation *a, const struct km_citation *b)
{
    return km_str_eq(a->url, b->url) && km_str_eq(a->title, b->title) &&
           km_str_eq(a->cited, b->cited) && a->from == b->from && a->index == b->index;
}

/* The first that names the same source: its chunk is this one's too. */
static size_t first_of(const struct km_cited *v, size_t i)
{
    size_t first = 0;

    while (!is_one_source(v[first].c, v[i].c))
        first++;
    return first;
}

static void write_chunk(struct km_answer *a, struct km_json_out *o, const struct km_citation *c)
{
    bool page = !is_document(c) && km_citation_is_page(c);

    km_out_open(o, '{');
    km_out_key(o, page ? "web" : "retrievedContext");
    km_out_open(o, '{');
    if (c->url.n)
        km_out_member(o, "uri", c->url);
    if (c->title.n)
        km_out_member(o, "title", c->title);
    if (!page && c->cited.n)
        km_out_member(o, "text", c->cited);
    if (page && c->cited.n)
        lose(a, "citations.cited_text");
    if (c->kind == KM_CITE_PAGES && c->from >= 0)
        km_out_member_i64(o, "pageNumber", c->from);
    if (c->from >= 0 && (c->kind != KM_CITE_PAGES || c->to > c->from + 1))
        lose(a, "citations.location");
    km_out_close(o, '}');
    km_out_close(o, '}');
}

/* Bytes of a part; the words beside, as Google has them. */
static void write_support(struct km_answer *a, struct km_json_out *o, const struct km_cited *s,
                          int64_t chunk)
{
    size_t from, to;

    if (s->c->end < 0)
        return;
    if (!s->text.n || s->c->start < s->base) {
        lose(a, "citations.place");
        return;
    }
    from = km_utf8_bytes(s->text, (size_t)(s->c->start - s->base));
    to = km_utf8_bytes(s->text, (size_t)(s->c->end - s->base));
    if (from == s->text.n) { /* behind the text */
        lose(a, "citations.place");
        return;
    }
    km_out_open(o, '{');
    km_out_key(o, "segment");
    km_out_open(o, '{');
    if (s->part)
        km_out_member_i64(o, "partIndex", s->part);
    km_out_member_i64(o, "startIndex", (int64_t)from);
    km_out_member_i64(o, "endIndex", (int64_t)to);
    km_out_member(o, "text", km_str_sub(s->text, from, to - from));
    km_out_close(o, '}');
    km_out_key(o, "groundingChunkIndices");
    km_out_open(o, '[');
    km_out_i64(o, chunk);
    km_out_close(o, ']');
    km_out_close(o, '}');
}

void km_cite_gemini(struct km_answer *a, struct km_json_out *o, const struct km_cited *v, size_t n)
{
    int64_t *chunk = km_arena_alloc(a->arena, n * sizeof *chunk), chunks = 0;

    if (!n || !chunk)
        return;
    km_out_key(o, "groundingMetadata");
    km_out_open(o, '{');
    km_out_key(o, "groundingChunks");
    km_out_open(o, '[');
    for (size_t i = 0; i < n; i++) {
        size_t first = first_of(v, i);

        chunk[i] = first < i ? chunk[first] : chunks++;
        if (first == i)
            write_chunk(a, o, v[i].c);
    }
    km_out_close(o, ']');
    km_out_key(o, "groundingSupports");
    km_out_open(o, '[');
    for (size_t i = 0; i < n; i++)
        write_support(a, o, &v[i], chunk[i]);
    km_out_close(o, ']');
    km_out_close(o, '}');
}

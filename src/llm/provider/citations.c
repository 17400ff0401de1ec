/* SPDX-License-Identifier: Apache-2.0 */
/* citations.c - see citations.h.
 *
 * What Anthropic and Converse cite, a whole block rests on; it is told when the block is over, for
 * only then is its place known.  OpenAI says the place, in characters.  Google says it in bytes of
 * a part, at the end of a stream or with each chunk anew, and the answer's words beside: they
 * decide, for its numbers count from another beginning where thoughts stand before the text.
 */
#include "llm/provider/citations.h"

#include "base/encode.h"
#include "http/json_take.h"
#include "llm/dropped.h"

static struct km_str text_of(const struct km_json *object, const char *name)
{
    struct km_str s = KM_STR_NONE;

    (void)km_json_string(km_json_take(object, name), &s);
    return s;
}

/* That each of JSON's readers has; sums of two are numbers. */
#define NUMBER_MOST (INT64_C(1) << 53)

/* One that cannot be counts as not known. */
static int64_t number_of(const struct km_json *object, const char *name)
{
    int64_t n = -1;

    return km_json_i64(km_json_take(object, name), &n) && n >= 0 && n < NUMBER_MOST ? n : -1;
}

int km_cite_block(struct km_decode *d, unsigned block, struct km_citation *list, struct km_err *err)
{
    int64_t start, end;
    int r = 0;

    if (!list)
        return 0;
    km_answer_block_place(d->answer, 0, &start, &end);
    for (; r == 0 && list; list = list->next) {
        list->start = start;
        list->end = end;
        list->all_of_block = true;
        r = km_answer_cite(d->answer, 0, block, list, err);
    }
    return r;
}

/* --- Messages --- */

bool km_messages_citation(const struct km_json *v, struct km_citation *ret)
{
    static const struct {
        const char *type;
        enum km_citation_kind kind;
        const char *index, *title, *url, *from, *to;
    } rows[] = {
        { "char_location", KM_CITE_CHARS, "document_index", "document_title", "",
          "start_char_index", "end_char_index" },
        { "page_location", KM_CITE_PAGES, "document_index", "document_title", "",
          "start_page_number", "end_page_number" },
        { "content_block_location", KM_CITE_BLOCKS, "document_index", "document_title", "",
          "start_block_index", "end_block_index" },
        { "search_result_location", KM_CITE_RESULT, "search_result_index", "title", "source",
          "start_block_index", "end_block_index" },
        { "web_search_result_location", KM_CITE_WEB, "", "title", "url", "", "" },
    };
    struct km_str type = text_of(v, "type");

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!km_str_eq(type, km_str_c(rows[i].type)))
            continue;
        *ret = km_citation_none(rows[i].kind);
        ret->url = text_of(v, rows[i].url);
        ret->title = text_of(v, rows[i].title);
        ret->cited = text_of(v, "cited_text");
        ret->file_id = text_of(v, "file_id");
        ret->seal = text_of(v, "encrypted_index");
        ret->index = number_of(v, rows[i].index);
        ret->from = number_of(v, rows[i].from);
        ret->to = number_of(v, rows[i].to);
        return true;
    }
    return false;
}

/* --- Converse --- */

/* [{"text"}], together. */
static struct km_str source_text(const struct km_json *list, struct km_arena *arena)
{
    struct km_str all = KM_STR_NONE, key;
    const struct km_json *item;
    struct km_json_iter it;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &item);) {
        struct km_str text = text_of(item, "text");

        all = all.n && text.n ? km_arena_cat(arena, (struct km_str[]){ all, text }, 2)
              : text.n        ? text
                              : all;
    }
    return all;
}

bool km_converse_citation(const struct km_json *v, struct km_arena *arena, struct km_citation *ret)
{
    static const struct {
        const char *name;
        enum km_citation_kind kind;
        const char *index;
    } rows[] = {
        { "documentChar", KM_CITE_CHARS, "documentIndex" },
        { "documentPage", KM_CITE_PAGES, "documentIndex" },
        { "documentChunk", KM_CITE_BLOCKS, "documentIndex" },
        { "searchResultLocation", KM_CITE_RESULT, "searchResultIndex" },
        { "web", KM_CITE_WEB, "" },
    };
    const struct km_json *location = km_json_take(v, "location"), *at = NULL;

    *ret = km_citation_none(KM_CITE_FOUND); /* without a location */
    for (size_t i = 0; !at && i < sizeof rows / sizeof rows[0]; i++) {
        at = km_json_take(location, rows[i].name);
        if (!at)
            continue;
        *ret = km_citation_none(rows[i].kind);
        ret->index = number_of(at, rows[i].index);
        ret->from = number_of(at, "start");
        ret->to = number_of(at, "end");
        ret->url = text_of(at, "url");
    }
    ret->title = text_of(v, "title");
    ret->cited = source_text(km_json_take(v, "sourceContent"), arena);
    if (!ret->url.n)
        ret->url = text_of(v, "source");
    return at || ret->url.n || ret->title.n || ret->cited.n;
}

/* --- OpenAI --- */

/* A place that is none is not told; one behind the text only where all of the text is known, for
 * some servers stream it after what it rests on. */
static void openai_place(const struct km_decode *d, unsigned choice, const struct km_json *url,
                         struct km_citation *ret)
{
    int64_t from, last = -1;

    ret->start = number_of(url, "start_index");
    ret->end = number_of(url, "end_index");
    if (!d->answer->stream)
        km_answer_block_place(d->answer, choice, &from, &last);
    if (ret->start >= 0 && ret->end >= ret->start && ret->end <= (last < 0 ? INT32_MAX : last))
        return;
    if (ret->start > 0 || ret->end > 0)
        km_dropped_note(d->answer->dropped, KM_STR("citations.place"));
    ret->start = ret->end = -1;
}

int km_openai_cite(struct km_decode *d, unsigned choice, unsigned block,
                   const struct km_json *annotations, struct km_err *err)
{
    const struct km_json *item, *url;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (km_json_kind(annotations) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(annotations, &it); r == 0 && km_json_next(&it, &key, &item);) {
        struct km_citation c = km_citation_none(KM_CITE_WEB);

        if (!km_str_eq(text_of(item, "type"), KM_STR("url_citation")))
            continue;
        url = km_json_take(item, "url_citation");
        c.url = text_of(url, "url");
        c.title = text_of(url, "title");
        c.cited = text_of(url, "content"); /* OpenRouter's */
        openai_place(d, choice, url, &c);
        r = km_answer_cite(d->answer, choice, block, &c, err);
    }
    return r;
}

int km_openai_cite_found(struct km_decode *d, unsigned choice, unsigned block,
                         const struct km_json *root, struct km_err *err)
{
    const struct km_json *urls = km_json_take(root, "citations"), *item;
    const struct km_json *found = km_json_take(root, "search_results");
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    found = km_json_count(found) ? found : urls;
    if (km_json_kind(found) != KM_JSON_ARRAY)
        return 0;
    for (km_json_iter(found, &it); r == 0 && km_json_next(&it, &key, &item);) {
        struct km_citation c = km_citation_none(KM_CITE_WEB);

        if (!km_json_string(item, &c.url)) {
            c.url = text_of(item, "url");
            c.title = text_of(item, "title");
            c.cited = text_of(item, "snippet");
        }
        if (c.url.n)
            r = km_answer_cite(d->answer, choice, block, &c, err);
    }
    return r;
}

/* --- Gemini --- */

struct km_gemini_cited {
    uint64_t seen[KM_CITATIONS_MOST];
    unsigned n;
};

struct cites {
    struct km_decode *d;
    unsigned choice, block;
    struct km_str text; /* the candidate's, where it is gathered */
    bool has_text;
    struct km_gemini_cited *seen;
    struct km_err *err;
};

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++) /* FNV-1a */
        h = (h ^ ((const unsigned char *)p)[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* Some say with each chunk all that they said before. */
static bool was_said(const struct cites *s, const struct km_citation *c)
{
    uint64_t h = mix(UINT64_C(0xcbf29ce484222325), c->url.p, c->url.n);

    h = mix(mix(h, c->title.p, c->title.n), c->cited.p, c->cited.n);
    h = mix(mix(mix(h, &c->start, sizeof c->start), &c->end, sizeof c->end), &s->choice,
            sizeof s->choice);
    for (unsigned i = 0; i < s->seen->n; i++)
        if (s->seen->seen[i] == h)
            return true;
    if (s->seen->n < KM_CITATIONS_MOST)
        s->seen->seen[s->seen->n++] = h;
    return false;
}

static int cite(const struct cites *s, const struct km_citation *c)
{
    if (was_said(s, c))
        return 0;
    return km_answer_cite(s->d->answer, s->choice, s->block, c, s->err);
}

/* Bytes from..to of the text as characters. */
static void place(const struct cites *s, size_t from, size_t to, struct km_citation *ret)
{
    ret->start = (int64_t)km_utf8_chars(km_str_sub(s->text, 0, from));
    ret->end = ret->start + (int64_t)km_utf8_chars(km_str_sub(s->text, from, to - from));
}

/* {"startIndex","endIndex","partIndex","text"} */
static void place_segment(const struct cites *s, const struct km_json *segment,
                          struct km_citation *ret)
{
    int64_t from = number_of(segment, "startIndex"), to = number_of(segment, "endIndex");
    struct km_str words = text_of(segment, "text");
    size_t at;

    (void)km_json_take(segment, "partIndex");
    if (!s->has_text || (to < 0 && !words.n))
        return;
    from = from < 0 ? 0 : from;
    if (to >= from && (size_t)to <= s->text.n &&
        (!words.n || km_str_eq(km_str_sub(s->text, (size_t)from, (size_t)(to - from)), words))) {
        place(s, (size_t)from, (size_t)to, ret);
        return;
    }
    at = words.n ? km_str_find(s->text, words) : s->text.n;
    if (at < s->text.n)
        place(s, at, at + words.n, ret);
}

/* {"web":{"uri","title"}} and its kin; false: none of them. */
static bool read_chunk(const struct km_json *chunk, struct km_citation *ret)
{
    const struct km_json *at = km_json_take(chunk, "web");

    *ret = km_citation_none(KM_CITE_WEB);
    if (!at)
        at = km_json_take(chunk, "maps");
    if (!at) {
        at = km_json_take(chunk, "retrievedContext");
        ret->kind = KM_CITE_FOUND;
        ret->cited = text_of(at, "text");
    }
    ret->url = text_of(at, "uri");
    ret->title = text_of(at, "title");
    return ret->url.n || ret->title.n || ret->cited.n;
}

#define CHUNKS_MOST 256 /* that supports may name */

struct chunks {
    struct km_citation v[CHUNKS_MOST];
    bool known[CHUNKS_MOST], named[CHUNKS_MOST];
    size_t n;
};

static int cite_support(const struct cites *s, struct chunks *chunks, const struct km_json *support)
{
    struct km_citation where = km_citation_none(KM_CITE_WEB);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int64_t i;
    int r = 0;

    place_segment(s, km_json_take(support, "segment"), &where);
    km_json_iter(km_json_take(support, "groundingChunkIndices"), &it);
    while (r == 0 && km_json_next(&it, &key, &item)) {
        struct km_citation c;

        if (!km_json_i64(item, &i) || i < 0 || (size_t)i >= chunks->n || !chunks->known[i])
            continue;
        chunks->named[i] = true;
        c = chunks->v[i];
        c.start = where.start;
        c.end = where.end;
        r = cite(s, &c);
    }
    return r;
}

static int cite_grounding(const struct cites *s, const struct km_json *metadata)
{
    struct chunks *chunks = km_arena_zalloc(s->d->scratch, sizeof *chunks);
    const struct km_json *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    if (!chunks)
        return km_fail(s->err, KM_E_NOMEM, "out of memory");
    km_json_iter(km_json_take(metadata, "groundingChunks"), &it);
    for (; chunks->n < CHUNKS_MOST && km_json_next(&it, &key, &item); chunks->n++) {
        chunks->known[chunks->n] = read_chunk(item, &chunks->v[chunks->n]);
        if (chunks->v[chunks->n].kind == KM_CITE_FOUND)
            chunks->v[chunks->n].index = (int64_t)chunks->n;
    }
    km_json_iter(km_json_take(metadata, "groundingSupports"), &it);
    while (r == 0 && km_json_next(&it, &key, &item))
        r = cite_support(s, chunks, item);
    for (size_t i = 0; r == 0 && i < chunks->n; i++) /* the answer rests on it, who knows where */
        if (chunks->known[i] && !chunks->named[i])
            r = cite(s, &chunks->v[i]);
    return r;
}

/* Text that is word for word another's: `citations` at Vertex AI, `citationSources` at the API. */
static int cite_sources(const struct cites *s, const struct km_json *metadata)
{
    const struct km_json *list = km_json_take(metadata, "citationSources"), *item;
    struct km_json_iter it;
    struct km_str key;
    int r = 0;

    km_json_iter(list ? list : km_json_take(metadata, "citations"), &it);
    while (r == 0 && km_json_next(&it, &key, &item)) {
        struct km_citation c = km_citation_none(KM_CITE_WEB);

        c.url = text_of(item, "uri");
        c.title = text_of(item, "title");
        place_segment(s, item, &c);
        if (c.url.n || c.title.n)
            r = cite(s, &c);
    }
    return r;
}

int km_gemini_cite(struct km_decode *d, unsigned choice, unsigned block,
                   const struct km_json *candidate, struct km_gemini_cited **seen,
                   struct km_err *err)
{
    const struct km_json *grounding = km_json_take(candidate, "groundingMetadata");
    const struct km_json *sources = km_json_take(candidate, "citationMetadata");
    struct cites s = { .d = d, .choice = choice, .block = block, .err = err };
    int r = 0;

    if (!grounding && !sources)
        return 0;
    if (!*seen)
        *seen = km_arena_zalloc(d->arena, sizeof **seen);
    if (!*seen)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    s.seen = *seen;
    s.has_text = km_answer_words(d->answer, choice, &s.text);
    if (grounding)
        r = cite_grounding(&s, grounding);
    return r == 0 && sources ? cite_sources(&s, sources) : r;
}

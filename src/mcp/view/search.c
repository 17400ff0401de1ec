/* SPDX-License-Identifier: Apache-2.0 */
/* search.c - see search.h for the contract.
 *
 *     terms    word ──> postings: (tool, how often), in the order of the tools
 *     tools    how many words each has
 *
 * A word is a run of letters and digits, in lower case; "listIssues", "list_issues" and "list
 * issues" are the same two.  A final s is taken off, so that one issue is found among issues.
 * Characters of three and more bytes in UTF-8 are a word each: Chinese and Japanese have no
 * spaces.  A query is scored by walking the postings of its words, so its cost is that of the
 * tools that have one of them.
 *
 * score = sum over words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * words / average))
 * idf   = ln(1 + (tools - with + 0.5) / (with + 0.5))         (Robertson and Zaragoza, 2009)
 */
#include "mcp/view/search.h"

#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "mcp/view/view_part.h"

#define K1 1.2F
#define B 0.75F
#define WORD_MOST 40 /* bytes of one */
#define TEXT_MOST ((size_t)8 * 1024) /* bytes of one text of a tool that count */
#define TERMS_MOST ((size_t)200 * 1000)
#define INDEX_BYTES ((size_t)64 * 1024 * 1024)
#define PARSE_BYTES ((size_t)4 * 1024 * 1024)
#define QUERY_WORDS 32

struct posting {
    uint32_t tool, times;
};

struct term {
    struct posting *v; /* in the arena; grown by doubling */
    uint32_t n, cap;
};

struct km_mcp_search {
    struct km_arena arena;
    const struct km_mcp_view *view; /* whose index it is */
    struct km_map *terms;
    uint32_t *words; /* of each tool */
    size_t ntools;
    float average;
    float *scores; /* of each tool, while a query runs; else 0 */
};

/* --- words --- */

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool word_char(char c)
{
    return upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* Bytes of the character, when it is a word of its own; else 0. */
static size_t alone(struct km_str text, size_t at)
{
    unsigned char c = (unsigned char)text.p[at];
    size_t n = c >= 0xf0 ? 4 : c >= 0xe3 ? 3 : 0;

    return n && at + n <= text.n ? n : 0;
}

/* Takes the next word off the text, into buf; false: there is none. */
static bool next_word(struct km_str *text, char buf[WORD_MOST], struct km_str *ret)
{
    size_t i = 0, n = 0, whole;

    while (i < text->n && !word_char(text->p[i]))
        i++;
    if (i == text->n)
        return false;
    whole = alone(*text, i);
    if (whole) {
        memcpy(buf, text->p + i, whole);
        n = whole;
        i += whole;
    }
    for (; !whole && i < text->n && word_char(text->p[i]) && !alone(*text, i); i++) {
        char c = text->p[i];

        if (n && upper(c) && !upper(text->p[i - 1]))
            break; /* listIssues */
        if (n < WORD_MOST)
            buf[n++] = (char)(upper(c) ? c + 'a' - 'A' : c);
    }
    if (n > 3 && buf[n - 1] == 's' && buf[n - 2] != 's')
        n--;
    *text = km_str_skip(*text, i);
    *ret = km_str(buf, n);
    return true;
}

/* --- the index --- */

static void post(struct km_mcp_search *s, struct km_str word, uint32_t tool)
{
    struct term *t = km_map_get(s->terms, word);

    if (!t) {
        t = km_arena_zalloc(&s->arena, sizeof *t);
        if (!t || km_map_set(s->terms, km_arena_str(&s->arena, word), t, NULL) < 0)
            return; /* full: found by its other words */
    }
    if (t->n && t->v[t->n - 1].tool == tool) {
        t->v[t->n - 1].times++;
        return;
    }
    if (t->n == t->cap) {
        uint32_t cap = t->cap ? 2 * t->cap : 2;
        struct posting *v = km_arena_alloc(&s->arena, cap * sizeof *v);

        if (!v)
            return;
        if (t->n)
            memcpy(v, t->v, t->n * sizeof *v);
        t->v = v;
        t->cap = cap;
    }
    t->v[t->n++] = (struct posting){ tool, 1 };
}

static void add_text(struct km_mcp_search *s, struct km_str text, uint32_t tool)
{
    char buf[WORD_MOST];
    struct km_str word;

    text = km_str_sub(text, 0, TEXT_MOST);
    while (next_word(&text, buf, &word)) {
        post(s, word, tool);
        s->words[tool]++;
    }
}

static void add_tool(struct km_mcp_search *s, const struct km_mcp_entry_of *e, uint32_t tool)
{
    const struct km_json *root = NULL, *v;
    struct km_arena arena;
    struct km_json_iter it;
    struct km_str key, text;

    km_arena_init(&arena, PARSE_BYTES, NULL);
    add_text(s, e->wire, tool);
    if (km_json_parse(&arena, e->json.n ? e->json : e->item->json, &root, NULL) == 0) {
        if (km_json_string(km_json_get(root, "title"), &text))
            add_text(s, text, tool);
        if (km_json_string(km_json_get(root, "description"), &text))
            add_text(s, text, tool);
        v = km_json_get(km_json_get(root, "inputSchema"), "properties");
        for (km_json_iter(v, &it); km_json_next(&it, &key, &v);)
            add_text(s, key, tool);
    }
    km_arena_done(&arena);
}

struct km_mcp_search *km_mcp_search_new(const struct km_mcp_view *view)
{
    struct km_mcp_search *s = calloc(1, sizeof *s);
    size_t n = view->lists[KM_MCP_TOOLS].n;
    uint64_t all = 0;

    if (!s)
        return NULL;
    km_arena_init(&s->arena, INDEX_BYTES, NULL);
    s->view = view;
    s->terms = km_map_new_borrowed(TERMS_MOST);
    s->words = km_arena_zalloc(&s->arena, (n + 1) * sizeof *s->words);
    s->scores = km_arena_zalloc(&s->arena, (n + 1) * sizeof *s->scores);
    if (!s->terms || !s->words || !s->scores)
        return km_mcp_search_free(s);
    for (; s->ntools < n && !km_arena_overflowed(&s->arena); s->ntools++) {
        add_tool(s, &view->lists[KM_MCP_TOOLS].v[s->ntools], (uint32_t)s->ntools);
        all += s->words[s->ntools];
    }
    s->average = s->ntools && all ? (float)all / (float)s->ntools : 1;
    return s;
}

struct km_mcp_search *km_mcp_search_free(struct km_mcp_search *s)
{
    if (!s)
        return NULL;
    km_map_free(s->terms, NULL);
    km_arena_done(&s->arena);
    free(s);
    return NULL;
}

/* --- a query --- */

static void score_term(struct km_mcp_search *s, const struct term *t)
{
    float with = (float)t->n, tools = (float)s->ntools;
    float idf = logf(1 + (tools - with + 0.5F) / (with + 0.5F));

    for (uint32_t i = 0; i < t->n; i++) {
        float tf = (float)t->v[i].times;
        float length = (float)s->words[t->v[i].tool] / s->average;

        s->scores[t->v[i].tool] += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length));
    }
}

/* In its place among the best; the list is short. */
static size_t insert(struct km_mcp_found *v, size_t n, size_t most, struct km_mcp_found one)
{
    size_t at = n;

    while (at > 0 && v[at - 1].score < one.score)
        at--;
    if (at == most)
        return n;
    if (n < most)
        n++;
    for (size_t i = n - 1; i > at; i--)
        v[i] = v[i - 1];
    v[at] = one;
    return n;
}

size_t km_mcp_search_query(struct km_mcp_search *s, struct km_str query, struct km_mcp_found *ret,
                           size_t most)
{
    const struct km_mcp_entry_of *tools = s->view->lists[KM_MCP_TOOLS].v;
    const struct term *seen[QUERY_WORDS];
    size_t nseen = 0, n = 0;
    char buf[WORD_MOST];
    struct km_str word;

    query = km_str_sub(query, 0, KM_MCP_SEARCH_QUERY);
    while (nseen < QUERY_WORDS && next_word(&query, buf, &word)) {
        const struct term *t = km_map_get(s->terms, word);
        bool again = !t;

        for (size_t i = 0; !again && i < nseen; i++)
            again = seen[i] == t;
        if (again)
            continue;
        seen[nseen++] = t;
        score_term(s, t);
    }
    for (size_t k = 0; k < nseen; k++)
        for (uint32_t i = 0; i < seen[k]->n; i++) {
            uint32_t tool = seen[k]->v[i].tool;

            if (s->scores[tool] > 0)
                n = insert(ret, n, most, (struct km_mcp_found){ &tools[tool], s->scores[tool] });
            s->scores[tool] = 0;
        }
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rank.c - see rank.h.
 *
 * Scores stay text from the upstream to the client, so that no digit changes.  Documents may be
 * texts or, as Cohere's first version had them, objects with a `text`.
 */
#include "llm/rank.h"

#include "http/json_out.h"
#include "llm/answer.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"
#include "llm/model.h"
#include "llm/usage.h"

static int read_document(const struct km_reading *rd, const struct km_place *at,
                         const struct km_json *v, struct km_str *ret)
{
    if (km_json_kind(v) != KM_JSON_OBJECT)
        return km_read_needed(rd, at, v, ret);
    return km_read_needed(rd, KM_AT(at, "text"), km_json_get(v, "text"), ret);
}

static int read_documents(const struct km_reading *rd, const struct km_json *v,
                          struct km_rank *rank)
{
    const struct km_place *at = KM_AT(NULL, "documents");
    size_t n = km_json_kind(v) == KM_JSON_ARRAY ? km_json_count(v) : 0;
    struct km_str *documents, key;
    const struct km_json *item;
    struct km_json_iter it;
    int r = 0;

    if (n == 0 || n > KM_RANK_DOCUMENTS_MOST)
        return km_read_bad(rd, at, "must be a list of 1 to 10000 documents");
    documents = km_arena_zalloc(rd->arena, n * sizeof *documents);
    if (!documents)
        return km_read_nomem(rd);
    km_json_iter(v, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_document(rd, KM_ITEM(at, i), item, &documents[i]);
    rank->documents = documents;
    rank->n = n;
    return r;
}

static bool read_elsewhere(struct km_str name)
{
    static const char *const names[] = { "query", "documents", "top_n", "return_documents" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (km_str_eq(name, km_str_c(names[i])))
            return true;
    return km_openai_member(name);
}

static int add_extra(const struct km_reading *rd, struct km_rank *rank, struct km_str name,
                     struct km_str json)
{
    struct km_chat_extra *x = km_arena_zalloc(rd->arena, sizeof *x);

    if (!x)
        return km_read_nomem(rd);
    *x = (struct km_chat_extra){ .next = rank->extras, .name = name, .json = json };
    rank->extras = x;
    return 0;
}

static int read_extras(const struct km_reading *rd, const struct km_deployment *d,
                       const struct km_json *root, struct km_rank *rank)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;
    int r = 0;

    for (km_json_iter(root, &it); r == 0 && km_json_next(&it, &name, &v);)
        if (km_given(v) && !read_elsewhere(name))
            r = add_extra(rd, rank, name, km_json_compact(v, rd->arena));
    for (size_t i = 0; r == 0 && i < d->ndefaults; i++) {
        const struct km_default_param *p = &d->defaults[i];

        if (!read_elsewhere(p->name) &&
            !km_given(km_json_get(root, km_arena_cstr(rd->arena, p->name))))
            r = add_extra(rd, rank, p->name, p->json);
    }
    return r;
}

int km_rank_read(const struct km_deployment *d, const struct km_json *root, struct km_arena *arena,
                 struct km_rank *ret, struct km_err *err)
{
    struct km_reading rd = { arena, err };
    int r;

    *ret = (struct km_rank){ 0 };
    r = km_read_needed(&rd, KM_AT(NULL, "query"), km_json_get(root, "query"), &ret->query);
    if (r == 0)
        r = read_documents(&rd, km_json_get(root, "documents"), ret);
    if (r == 0)
        r = km_read_i64(&rd, KM_AT(NULL, "top_n"), km_json_get(root, "top_n"), 1,
                        KM_RANK_DOCUMENTS_MOST, &ret->top_n);
    if (r == 0)
        r = km_read_bool(&rd, KM_AT(NULL, "return_documents"),
                         km_json_get(root, "return_documents"), &ret->return_documents);
    return r == 0 ? read_extras(&rd, d, root, ret) : r;
}

static int one_result(struct km_rank *rank, const struct km_json *v, struct km_err *err)
{
    struct km_rank_result *result = &rank->results[rank->nresults];
    int64_t index;

    if (!km_json_i64(km_json_get(v, "index"), &index) || index < 0 || (size_t)index >= rank->n ||
        !km_json_number(km_json_get(v, "relevance_score"), &result->score_json))
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's result %zu is none.",
                       rank->nresults);
    result->index = (size_t)index;
    rank->nresults++;
    return 0;
}

/* {"meta":{"billed_units":{"search_units":1}}}: Cohere counts them, and no tokens. */
static void note_units(const struct km_json *root, struct km_usage *u)
{
    const struct km_json *billed = km_json_get(km_json_get(root, "meta"), "billed_units");
    bool bad = false;
    int64_t units = km_usage_due(billed, "search_units", &bad);

    if (bad || units == 0)
        return;
    u->queries = units;
    u->known = true;
}

int km_rank_results(struct km_rank *rank, struct km_arena *arena, struct km_str body,
                    const char *list, struct km_err *err)
{
    const struct km_json *root, *results, *item, *usage;
    struct km_json_iter it;
    struct km_str key;
    bool bad = false;
    int r = 0;

    if (km_answer_json(arena, body, &root, err) < 0)
        return KM_E_UPSTREAM_PROTOCOL;
    results = km_json_get(root, list);
    if (km_json_kind(results) != KM_JSON_ARRAY || km_json_count(results) > rank->n)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's answer ranks nothing.");
    rank->results = km_arena_zalloc(arena, (km_json_count(results) + 1) * sizeof *rank->results);
    if (!rank->results)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    rank->nresults = 0;
    for (km_json_iter(results, &it); r == 0 && km_json_next(&it, &key, &item);)
        r = one_result(rank, item, err);
    usage = km_json_get(root, "usage");
    rank->usage.prompt_tokens = km_usage_due(usage, "total_tokens", &bad);
    rank->usage.known = !bad;
    note_units(root, &rank->usage);
    return r;
}

void km_rank_write(const struct km_rank *rank, struct km_str model, struct km_str id,
                   struct km_buf *out)
{
    km_buf_str(out, KM_STR("{\"id\":"));
    km_buf_json(out, id);
    km_buf_str(out, KM_STR(",\"model\":"));
    km_buf_json(out, model);
    km_buf_str(out, KM_STR(",\"results\":["));
    for (size_t i = 0; i < rank->nresults; i++) {
        const struct km_rank_result *result = &rank->results[i];

        km_buf_printf(out, "%s{\"index\":%zu,\"relevance_score\":%.*s", i ? "," : "", result->index,
                      KM_STR_ARG(result->score_json));
        if (rank->return_documents) {
            km_buf_str(out, KM_STR(",\"document\":{\"text\":"));
            km_buf_json(out, rank->documents[result->index]);
            km_buf_byte(out, '}');
        }
        km_buf_byte(out, '}');
    }
    km_buf_str(out, KM_STR("]"));
    if (rank->usage.known)
        km_buf_printf(out, ",\"usage\":{\"total_tokens\":%lld}",
                      (long long)rank->usage.prompt_tokens);
    km_buf_byte(out, '}');
}

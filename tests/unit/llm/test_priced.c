/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/priced_rows.h"
#include "llm/api/responses.h"
#include "llm/meter.h"

struct fixture {
    struct km_arena arena;
    struct km_llm_request r;
    struct km_err err;
};

static const struct {
    const char *name;
    const struct km_llm_api *api;
    const struct km_meter_kind *kind; /* of bodies below a prefix */
    unsigned bit;
    const char *rest; /* what every body of it has */
} apis[] = {
    { "chat", &km_api_chat, NULL, KM_PRICED_OPENAI, "\"model\":\"m\",\"messages\":[]" },
    { "completion", &km_api_completion, NULL, KM_PRICED_OPENAI,
      "\"model\":\"m\",\"prompt\":\"p\"" },
    { "embedding", &km_api_embedding, NULL, KM_PRICED_OPENAI, "\"model\":\"m\",\"input\":\"p\"" },
    { "responses", &km_api_responses, NULL, KM_PRICED_RESPONSES,
      "\"model\":\"m\",\"input\":\"p\"" },
    { "messages", &km_api_messages, NULL, KM_PRICED_MESSAGES, "\"model\":\"m\",\"messages\":[]" },
    { "gemini", &km_api_gemini, NULL, KM_PRICED_GEMINI, "\"contents\":[]" },
    { "converse", NULL, &km_meter_converse, KM_PRICED_CONVERSE, "\"messages\":[]" },
    { "invoke", NULL, &km_meter_invoke, KM_PRICED_MODEL, "\"messages\":[]" },
};
#define APIS (sizeof apis / sizeof apis[0])

static int read_body(struct fixture *f, size_t api, const char *body)
{
    bool gemini = apis[api].bit == KM_PRICED_GEMINI;

    if (apis[api].api)
        return km_llm_request_parse(&f->r, apis[api].api, &f->arena, km_str_c(body),
                                    gemini ? KM_STR("m") : KM_STR_NONE, &f->err);
    f->r = (struct km_llm_request){ .body = km_str_c(body), .max_tokens = -1, .choices = 1 };
    return apis[api].kind->request(&f->r, &f->arena, &f->err);
}

static const struct km_llm_priced *priced(struct fixture *f, size_t api, const char *members)
{
    char *body = km_arena_alloc(&f->arena, 8192);

    snprintf(body, 8192, "{%s%s%s}", apis[api].rest, members[0] ? "," : "", members);
    if (read_body(f, api, body) < 0)
        fail_msg("%s: %s: %s", apis[api].name, body, f->err.text);
    return &f->r.priced;
}

static bool changes(const struct km_llm_priced *p)
{
    return p->service != KM_SERVICE_STANDARD || p->fast || p->in_us || p->hosts || p->tools ||
           p->background || p->unpriced.n;
}

static bool is_rows(unsigned bit, const struct km_priced_row *row)
{
    return row->apis & bit;
}

static void nothing_of_the_table_changes_nothing(void **state)
{
    for (size_t i = 0; i < APIS; i++) {
        const struct km_llm_priced *p = priced(*state, i, "");

        assert_false(changes(p));
        assert_false(p->opens_input || p->keeps_hour);
        assert_int_equal(p->said, 0);
    }
}

static bool has_effect(const struct km_llm_priced *p, enum km_priced_effect effect)
{
    switch (effect) {
    case KM_PRICED_FLEX:
        return p->service == KM_SERVICE_FLEX;
    case KM_PRICED_PRIORITY:
        return p->service == KM_SERVICE_PRIORITY;
    case KM_PRICED_FAST:
        return p->fast;
    case KM_PRICED_US:
        return p->in_us;
    default:
        return !changes(p);
    }
}

/* The member with that value, as text or within its object. */
static void put_value(char *out, size_t n, const struct km_priced_row *row, const char *value,
                      bool inside)
{
    if (inside)
        snprintf(out, n, "\"%s\":{\"%s\":\"%s\"}", row->name.p, row->inner, value);
    else
        snprintf(out, n, "\"%s\":\"%s\"", row->name.p, value);
}

static void every_value_of_every_row_has_its_effect(void **state)
{
    char text[256];

    for (size_t i = 0; i < APIS; i++)
        for (size_t k = 0; k < km_priced_rows_n; k++) {
            const struct km_priced_row *row = &km_priced_rows[k];

            for (const struct km_priced_value *v = row->values;
                 row->kind == KM_PRICED_VALUE && v->value; v++)
                for (int inside = 0; inside <= (row->inner != NULL); inside++) {
                    const struct km_llm_priced *p;

                    put_value(text, sizeof text, row, v->value, inside);
                    p = priced(*state, i, text);
                    if (!is_rows(apis[i].bit, row))
                        assert_false(changes(p));
                    else if (!has_effect(p, v->effect) || p->unpriced.n)
                        fail_msg("%s: %s", apis[i].name, text);
                }
        }
}

static void another_value_has_no_price_and_is_named(void **state)
{
    static const char *const odd[] = { "\"turbo\"", "7", "true", "[]", "{\"a\":1}", "\"\"" };
    char text[256];

    for (size_t i = 0; i < APIS; i++)
        for (size_t k = 0; k < km_priced_rows_n; k++)
            for (size_t o = 0; o < sizeof odd / sizeof odd[0]; o++) {
                const struct km_priced_row *row = &km_priced_rows[k];
                const struct km_llm_priced *p;

                if (row->kind != KM_PRICED_VALUE || (row->inner && odd[o][0] == '{'))
                    continue;
                snprintf(text, sizeof text, "\"%s\":%s", row->name.p, odd[o]);
                p = priced(*state, i, text);
                assert_int_equal(p->unpriced.n > 0, is_rows(apis[i].bit, row));
                if (!p->unpriced.n)
                    continue;
                assert_true(km_str_starts(p->unpriced, row->name));
                assert_true(km_str_find(p->unpriced, km_str_c(odd[o])) < p->unpriced.n);
                assert_non_null(p->remedy);
            }
}

static void null_is_as_good_as_absent(void **state)
{
    char text[256];

    for (size_t i = 0; i < APIS; i++)
        for (size_t k = 0; k < km_priced_rows_n; k++) {
            snprintf(text, sizeof text, "\"%s\":null", km_priced_rows[k].name.p);
            if (km_str_eq(km_priced_rows[k].name, KM_STR("prompt")) &&
                apis[i].api == &km_api_completion)
                continue;
            assert_false(changes(priced(*state, i, text)));
        }
}

static void tools_are_told_by_their_type(void **state)
{
    static const struct {
        const char *tools;
        unsigned tool; /* bit of what it is; 0: the caller's own */
        int64_t searches, codes, files;
        bool unpriced;
    } rows[] = {
        { "[]", 0, 0, 0, 0, false },
        { "[{\"type\":\"function\",\"function\":{\"name\":\"web_search\"}}]", 0, 0, 0, 0, false },
        { "[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]", 0, 0, 0, 0, false },
        { "[{\"type\":\"custom\",\"name\":\"f\"}]", 0, 0, 0, 0, false },
        { "[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]", 0, 0, 0, 0, false },
        { "[{\"type\":\"text_editor_20250728\",\"name\":\"e\"}]", 0, 0, 0, 0, false },
        { "[{\"type\":\"memory_20250818\",\"name\":\"m\"}]", 0, 0, 0, 0, false },
        { "[{\"type\":\"web_search\"}]", 1U << KM_HOSTED_TOOL_WEB_SEARCH, 5, 0, 0, false },
        { "[{\"type\":\"web_\\u0073earch\"}]", 1U << KM_HOSTED_TOOL_WEB_SEARCH, 5, 0, 0, false },
        { "[{\"type\":\"web_search_preview_2025_03_11\"}]", 1U << KM_HOSTED_TOOL_WEB_SEARCH, 5, 0,
          0, false },
        { "[{\"type\":\"web_search_20250305\",\"name\":\"web_search\",\"max_uses\":2}]",
          1U << KM_HOSTED_TOOL_WEB_SEARCH, 2, 0, 0, false },
        { "[{\"type\":\"web_search\"},{\"type\":\"web_search_20260209\",\"max_uses\":100}]",
          1U << KM_HOSTED_TOOL_WEB_SEARCH, 105, 0, 0, false },
        { "[{\"type\":\"web_search\",\"max_uses\":9223372036854775807},"
          "{\"type\":\"web_search\",\"max_uses\":9223372036854775807}]",
          1U << KM_HOSTED_TOOL_WEB_SEARCH, 100000000, 0, 0, false },
        { "[{\"type\":\"web_fetch_20250910\",\"max_uses\":3}]", 1U << KM_HOSTED_TOOL_WEB_FETCH, 0,
          0, 0, false },
        { "[{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}]",
          1U << KM_HOSTED_TOOL_CODE, 0, 5, 0, false },
        { "[{\"type\":\"code_execution_20250825\",\"name\":\"c\"}]", 1U << KM_HOSTED_TOOL_CODE, 0,
          5, 0, false },
        { "[{\"type\":\"shell\",\"environment\":{\"type\":\"container_auto\"}}]",
          1U << KM_HOSTED_TOOL_CODE, 0, 5, 0, false },
        { "[{\"type\":\"shell\",\"environment\":{\"type\":\"local\"}}]", 0, 0, 0, 0, false },
        { "[{\"type\":\"file_search\",\"vector_store_ids\":[\"v\"]}]",
          1U << KM_HOSTED_TOOL_FILE_SEARCH, 0, 0, 5, false },
        { "[{\"type\":\"mcp\",\"server_label\":\"s\",\"server_url\":\"https://x\"}]",
          1U << KM_HOSTED_TOOL_MCP, 0, 0, 0, false },
        { "[{\"type\":\"image_generation\"}]", 1U << KM_HOSTED_TOOL_IMAGE, 0, 0, 0, true },
        { "[{\"type\":\"x_search\"}]", 1U << KM_HOSTED_TOOL_OTHER, 0, 0, 0, true },
        { "[{\"type\":7}]", 1U << KM_HOSTED_TOOL_OTHER, 0, 0, 0, true },
        { "[7,\"web_search\",null,[{\"type\":\"web_search\"}]]", 0, 0, 0, 0, false },
        { "[{\"googleSearch\":{}}]", 1U << KM_HOSTED_TOOL_WEB_SEARCH, 5, 0, 0, false },
        { "\"web_search\"", 0, 0, 0, 0, false },
    };
    char text[1024];

    for (size_t i = 0; i < APIS; i++)
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
            const struct km_llm_priced *p;

            if (apis[i].bit == KM_PRICED_GEMINI || apis[i].bit == KM_PRICED_CONVERSE)
                continue;
            snprintf(text, sizeof text, "\"tools\":%s", rows[k].tools);
            p = priced(*state, i, text);
            if (p->tools != rows[k].tool || p->hosts != (rows[k].tool != 0) ||
                p->hosted[KM_HOSTED_WEB_SEARCH] != rows[k].searches ||
                p->hosted[KM_HOSTED_CODE_INTERPRETER] != rows[k].codes ||
                p->hosted[KM_HOSTED_FILE_SEARCH] != rows[k].files ||
                (p->unpriced.n > 0) != rows[k].unpriced)
                fail_msg("%s: %s: tools %x, unpriced %.*s", apis[i].name, text, p->tools,
                         KM_STR_ARG(p->unpriced));
            if (rows[k].tool)
                assert_true(p->opens_input);
        }
}

static void a_search_costs_by_how_much_it_gives(void **state)
{
    static const struct {
        const char *members;
        enum km_search size;
        bool unpriced;
    } rows[] = {
        { "\"web_search_options\":{}", KM_SEARCH_MEDIUM, false },
        { "\"web_search_options\":{\"search_context_size\":null}", KM_SEARCH_MEDIUM, false },
        { "\"web_search_options\":{\"search_context_size\":\"low\"}", KM_SEARCH_LOW, false },
        { "\"web_search_options\":{\"search_context_size\":\"hi\\u0067h\"}", KM_SEARCH_HIGH,
          false },
        { "\"web_search_options\":{\"search_context_size\":\"huge\"}", KM_SEARCH_HIGH, false },
        { "\"web_search_options\":{\"search_type\":\"fast\"}", KM_SEARCH_MEDIUM, false },
        { "\"web_search_options\":{\"search_type\":\"pro\"}", KM_SEARCH_MEDIUM, true },
        { "\"tools\":[{\"type\":\"web_search\",\"search_context_size\":\"low\"}]", KM_SEARCH_LOW,
          false },
        { "\"tools\":[{\"type\":\"web_search\",\"search_context_size\":\"low\"},"
          "{\"type\":\"web_search_preview\",\"search_context_size\":\"high\"}]",
          KM_SEARCH_HIGH, false },
        { "\"tools\":[{\"type\":\"web_search\",\"search_context_size\":\"high\"},"
          "{\"type\":\"web_search\",\"search_context_size\":\"low\"}]",
          KM_SEARCH_HIGH, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct km_llm_priced *p = priced(*state, 0, rows[i].members);
        struct km_usage u = { .search = KM_SEARCH_LOW, .said = KM_SAID_SEARCH };

        if (p->search != rows[i].size || !p->hosts || (p->unpriced.n > 0) != rows[i].unpriced)
            fail_msg("%s: %d, unpriced %.*s", rows[i].members, p->search, KM_STR_ARG(p->unpriced));
        km_llm_priced_served(p, &u); /* what the upstream says counts */
        assert_int_equal(u.search, KM_SEARCH_LOW);
        u.said = 0;
        km_llm_priced_served(p, &u);
        assert_int_equal(u.search, rows[i].size);
    }
}

static void a_container_costs_by_its_memory(void **state)
{
    static const struct {
        const char *tool;
        int64_t times;
        bool unpriced;
    } rows[] = {
        { "{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}", 1, false },
        { "{\"type\":\"code_interpreter\",\"container\":\"cntr_1\"}", 1, false },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":null}}", 1, false },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":\"1g\"}}", 1, false },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":\"4g\"}}", 4, false },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":\"16g\"}}", 16, false },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":\"64\\u0067\"}}", 64,
          false },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":\"128g\"}}", 1, true },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":64}}", 1, true },
        { "{\"type\":\"shell\",\"environment\":{\"type\":\"container_auto\","
          "\"memory_limit\":\"16g\"}}",
          16, false },
        { "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":\"64g\"}},"
          "{\"type\":\"code_interpreter\",\"container\":{\"memory_limit\":\"4g\"}}",
          64, false },
    };
    char text[400];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_usage asked = { 0 }, used = { .hosted = { [KM_HOSTED_CODE_INTERPRETER] = 2 } };
        const struct km_llm_priced *p;

        snprintf(text, sizeof text, "\"max_tool_calls\":3,\"tools\":[%s]", rows[i].tool);
        p = priced(*state, 0, text);
        if ((p->unpriced.n > 0) != rows[i].unpriced)
            fail_msg("%s: unpriced %.*s", text, KM_STR_ARG(p->unpriced));
        km_llm_priced_usage(p, &asked);
        km_llm_priced_served(p, &used);
        if (asked.hosted[KM_HOSTED_CODE_INTERPRETER] % (3 * rows[i].times) ||
            used.hosted[KM_HOSTED_CODE_INTERPRETER] != 2 * rows[i].times)
            fail_msg("%s: %lld, %lld", text, (long long)asked.hosted[KM_HOSTED_CODE_INTERPRETER],
                     (long long)used.hosted[KM_HOSTED_CODE_INTERPRETER]);
    }
}

static void googles_and_converses_tools_are_members(void **state)
{
    static const struct {
        const char *tool;
        unsigned bit;
        int64_t searches, codes;
        bool gemini, unpriced;
    } rows[] = {
        { "{\"functionDeclarations\":[{\"name\":\"googleSearch\"}]}", 0, 0, 0, true, false },
        { "{\"googleSearch\":{}}", 1U << KM_HOSTED_TOOL_WEB_SEARCH, 5, 0, true, false },
        { "{\"google_search\":{},\"codeExecution\":{}}",
          1U << KM_HOSTED_TOOL_WEB_SEARCH | 1U << KM_HOSTED_TOOL_CODE, 5, 0, true, false },
        { "{\"googleSearchRetrieval\":{}}", 1U << KM_HOSTED_TOOL_WEB_SEARCH, 5, 0, true, false },
        { "{\"urlContext\":{}}", 1U << KM_HOSTED_TOOL_WEB_FETCH, 0, 0, true, false },
        { "{\"url_context\":null}", 0, 0, 0, true, false },
        { "{\"googleMaps\":{}}", 1U << KM_HOSTED_TOOL_MAPS, 0, 0, true, true },
        { "{\"tarot\":{}}", 1U << KM_HOSTED_TOOL_OTHER, 0, 0, true, true },
        { "{\"toolSpec\":{\"name\":\"nova_grounding\"}}", 0, 0, 0, false, false },
        { "{\"systemTool\":{\"name\":\"nova_grounding\"}}", 1U << KM_HOSTED_TOOL_WEB_SEARCH, 5, 0,
          false, false },
        { "{\"systemTool\":{\"name\":\"nova_code_interpreter\"}}", 1U << KM_HOSTED_TOOL_CODE, 0, 5,
          false, false },
        { "{\"systemTool\":{\"name\":\"nova_tarot\"}}", 1U << KM_HOSTED_TOOL_OTHER, 0, 0, false,
          true },
        { "{\"systemTool\":{}}", 1U << KM_HOSTED_TOOL_OTHER, 0, 0, false, true },
        { "{\"tarot\":{}}", 1U << KM_HOSTED_TOOL_OTHER, 0, 0, false, true },
    };
    char text[512];

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const struct km_llm_priced *p;

        snprintf(text, sizeof text,
                 rows[k].gemini ? "\"tools\":[%s]" : "\"toolConfig\":{\"tools\":[%s]}",
                 rows[k].tool);
        p = priced(*state, rows[k].gemini ? 5 : 6, text);
        if (p->tools != rows[k].bit || p->hosted[KM_HOSTED_WEB_SEARCH] != rows[k].searches ||
            p->hosted[KM_HOSTED_CODE_INTERPRETER] != rows[k].codes ||
            (p->unpriced.n > 0) != rows[k].unpriced)
            fail_msg("%s: tools %x", text, p->tools);
    }
}

static void tools_that_stand_elsewhere_are_found(void **state)
{
    static const struct {
        size_t api;
        const char *members;
        unsigned tool;
        int64_t searches;
        bool unpriced;
    } rows[] = {
        { 0, "\"web_search_options\":{}", KM_HOSTED_TOOL_WEB_SEARCH, 5, false },
        { 0, "\"web_search_options\":{\"search_context_size\":\"high\"}", KM_HOSTED_TOOL_WEB_SEARCH,
          5, false },
        { 0, "\"extra_body\":{\"web_search_options\":{}}", KM_HOSTED_TOOL_WEB_SEARCH, 5, false },
        { 0, "\"search_parameters\":{\"mode\":\"auto\"}", KM_HOSTED_TOOL_WEB_SEARCH, 0, true },
        { 0, "\"search_parameters\":{}", KM_HOSTED_TOOL_WEB_SEARCH, 0, true },
        { 0, "\"enable_search\":true", KM_HOSTED_TOOL_WEB_SEARCH, 0, true },
        { 0, "\"plugins\":[{\"id\":\"web\"}]", KM_HOSTED_TOOL_OTHER, 0, true },
        { 4, "\"mcp_servers\":[{\"type\":\"url\",\"url\":\"https://x\",\"name\":\"n\"}]",
          KM_HOSTED_TOOL_MCP, 0, false },
        { 6, "\"additionalModelRequestFields\":{\"tools\":[{\"type\":\"web_search_20250305\"}]}",
          KM_HOSTED_TOOL_WEB_SEARCH, 5, false },
    };
    static const char *const asks_nothing[] = {
        "\"web_search_options\":null", "\"search_parameters\":{\"mode\":\"off\"}",
        "\"enable_search\":false",     "\"plugins\":[]",
        "\"plugins\":[ ]",
    };

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const struct km_llm_priced *p = priced(*state, rows[k].api, rows[k].members);

        if (p->tools != 1U << rows[k].tool || p->hosted[KM_HOSTED_WEB_SEARCH] != rows[k].searches ||
            (p->unpriced.n > 0) != rows[k].unpriced)
            fail_msg("%s", rows[k].members);
    }
    for (size_t k = 0; k < sizeof asks_nothing / sizeof asks_nothing[0]; k++)
        assert_false(changes(priced(*state, 0, asks_nothing[k])));
}

static void all_calls_together_may_be_bounded(void **state)
{
    const char *body = "{\"model\":\"m\",\"input\":\"i\",\"max_tool_calls\":\"7\","
                       "\"tools\":[{\"type\":\"web_search\"}]}";
    struct fixture *f = *state;
    const struct km_llm_priced *p =
        priced(f, 3, "\"max_tool_calls\":40,\"tools\":[{\"type\":\"web_search\"}]");

    assert_int_equal(p->hosted[KM_HOSTED_WEB_SEARCH], 40);
    assert_int_equal(read_body(f, 3, body), KM_E_INVALID);
}

static void a_number_of_uses_that_is_none_is_refused(void **state)
{
    static const char *const odd[] = { "-1", "\"3\"", "1.5", "1e9", "true", "[]" };
    struct fixture *f = *state;
    char body[256];

    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        snprintf(body, sizeof body,
                 "{\"model\":\"m\",\"messages\":[],\"tools\":[{\"type\":\"web_search_20250305\","
                 "\"max_uses\":%s}]}",
                 odd[i]);
        assert_int_equal(read_body(f, 4, body), KM_E_INVALID);
        assert_string_equal(f->err.param, "tools");
    }
}

static void what_may_be_read_beside_the_request_opens_it(void **state)
{
    static const struct {
        size_t api;
        const char *members;
        bool opens;
    } rows[] = {
        { 3, "\"previous_response_id\":\"resp_1\"", true },
        { 3, "\"conversation\":\"conv_1\"", true },
        { 3, "\"background\":false", false },
        { 3, "\"prompt\":{\"id\":\"p\"}", true },
        { 0, "\"metadata\":{\"a\":[{\"image_url\":{\"url\":\"https://x\"}}]}", true },
        { 0, "\"metadata\":{\"a\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"x\"}}]}",
          true },
        { 0, "\"metadata\":{\"a\":{\"file\":{\"file_data\":\"x\"}}}", true },
        { 0, "\"metadata\":{\"a\":{\"file\":{\"file_id\":\"x\"}}}", true },
        { 3, "\"metadata\":{\"a\":{\"type\":\"input_file\",\"file_url\":\"x\"}}", true },
        { 4, "\"system\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"data\":\"x\"}}]",
          true },
        { 5, "\"systemInstruction\":{\"parts\":[{\"inlineData\":{\"data\":\"x\"}}]}", true },
        { 5, "\"cachedContent\":\"cachedContents/1\"", true },
        { 0, "\"metadata\":{\"text\":\"data url image_url\"}", false },
    };

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        if (priced(*state, rows[k].api, rows[k].members)->opens_input != rows[k].opens)
            fail_msg("%s", rows[k].members);
}

static void background_is_refused_by_name(void **state)
{
    static const char *const bodies[] = {
        "{\"model\":\"m\",\"input\":\"i\",\"background\":true}",
        "{\"model\":\"m\",\"input\":\"i\",\"b\\u0061ckground\":true}",
    };
    struct fixture *f = *state;
    struct km_llm_priced p = { 0 };

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_body(f, 3, bodies[i]), KM_E_INVALID);
        assert_string_equal(f->err.param, "background");
    }
    assert_int_equal(
        km_llm_priced_object(km_str_c(bodies[1]), KM_PRICED_RESPONSES, &f->arena, &p, NULL), 0);
    assert_true(p.background);
    assert_false(priced(*state, 3, "\"background\":false")->background);
    assert_false(priced(*state, 3, "\"background\":null")->background);
}

static void of_two_values_the_dearer_counts(void **state)
{
    static const struct {
        size_t api;
        const char *members;
        enum km_service service;
    } rows[] = {
        { 0, "\"service_tier\":\"flex\",\"extra_body\":{\"service_tier\":\"priority\"}",
          KM_SERVICE_PRIORITY },
        { 0, "\"service_tier\":\"priority\",\"extra_body\":{\"service_tier\":\"flex\"}",
          KM_SERVICE_PRIORITY },
        { 0, "\"service_tier\":\"flex\",\"extra_body\":{\"service_tier\":\"default\"}",
          KM_SERVICE_STANDARD },
        { 5, "\"serviceTier\":\"FLEX\"", KM_SERVICE_FLEX },
        { 5, "\"generationConfig\":{\"serviceTier\":\"priority\"}", KM_SERVICE_PRIORITY },
        { 6,
          "\"serviceTier\":{\"type\":\"flex\"},"
          "\"additionalModelRequestFields\":{\"service_tier\":\"priority\"}",
          KM_SERVICE_PRIORITY },
    };

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        if (priced(*state, rows[k].api, rows[k].members)->service != rows[k].service)
            fail_msg("%s", rows[k].members);
}

static void a_member_that_is_there_twice_is_refused(void **state)
{
    static const struct {
        size_t api;
        const char *body;
    } rows[] = {
        { 0, "{\"model\":\"m\",\"messages\":[],\"service_tier\":\"flex\",\"service_tier\":\"x\"}" },
        { 0, "{\"model\":\"m\",\"messages\":[],\"service_tier\":\"flex\","
             "\"s\\u0065rvice_tier\":\"priority\"}" },
        { 4, "{\"model\":\"m\",\"messages\":[],\"tools\":[{\"type\":\"custom\","
             "\"type\":\"web_search_20250305\"}]}" },
        { 5, "{\"contents\":[],\"serviceTier\":\"flex\",\"service_tier\":\"priority\"}" },
        { 6, "{\"messages\":[],\"serviceTier\":{\"type\":\"flex\",\"type\":\"priority\"}}" },
        { 7, "{\"messages\":[],\"tools\":[],\"tools\":[{\"type\":\"web_search_20250305\"}]}" },
    };
    struct fixture *f = *state;

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        if (read_body(f, rows[k].api, rows[k].body) != KM_E_INVALID)
            fail_msg("%s", rows[k].body);
}

static void a_body_cut_anywhere_is_refused(void **state)
{
    static const char whole[] =
        "{\"model\":\"m\",\"messages\":[],\"service_tier\":\"flex\",\"tools\":[{\"type\":"
        "\"web_search_20250305\",\"max_uses\":2}],\"extra_body\":{\"speed\":\"fast\"}}";
    char body[sizeof whole];

    for (size_t n = 0; n < sizeof whole - 1; n++) {
        memcpy(body, whole, n);
        body[n] = '\0';
        assert_int_not_equal(read_body(*state, 4, body), 0);
    }
}

static void the_head_counts_below_a_prefix(void **state)
{
    static const struct {
        const char *name, *value;
        enum km_service service;
        bool unpriced;
    } rows[] = {
        { "X-Amzn-Bedrock-Service-Tier", "default", KM_SERVICE_STANDARD, false },
        { "X-Amzn-Bedrock-Service-Tier", "priority", KM_SERVICE_PRIORITY, false },
        { "X-Amzn-Bedrock-Service-Tier", "turbo", KM_SERVICE_STANDARD, true },
        { "X-Amzn-Bedrock-PerformanceConfig-Latency", "optimized", KM_SERVICE_STANDARD, true },
        { "X-Amzn-Bedrock-PerformanceConfig-Latency", "standard", KM_SERVICE_STANDARD, false },
        { "X-Vertex-AI-LLM-Shared-Request-Type", "flex", KM_SERVICE_FLEX, false },
        { "X-Other", "priority", KM_SERVICE_STANDARD, false },
    };
    struct fixture *f = *state;

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct km_header one = { km_str_c(rows[k].name), km_str_c(rows[k].value) };
        struct km_headers h = { .v = &one, .n = 1 };
        struct km_llm_priced p = { 0 };

        km_llm_priced_head(&p, &h, &f->arena);
        assert_int_equal(p.service, rows[k].service);
        assert_int_equal(p.unpriced.n > 0, rows[k].unpriced);
    }
}

static struct km_llm_priced of_deployment(struct fixture *f, const char *defaults)
{
    struct km_llm_priced p = { 0 };

    assert_int_equal(km_llm_priced_object(km_str_c(defaults), KM_PRICED_ANY, &f->arena, &p, NULL),
                     0);
    return p;
}

static void a_deployments_value_stands_where_the_request_has_none(void **state)
{
    struct fixture *f = *state;
    struct km_llm_priced own = of_deployment(
        f, "{\"service_tier\":\"priority\",\"speed\":\"fast\",\"inference_geo\":\"us\","
           "\"tools\":[{\"type\":\"web_search_20250305\",\"max_uses\":7}]}");
    struct km_deployment d = { .priced = &own };
    struct km_llm_priced room, p;

    priced(f, 4, "");
    p = *km_llm_priced_at(&f->r, &d, &room);
    assert_int_equal(p.service, KM_SERVICE_PRIORITY);
    assert_true(p.fast && p.in_us && p.opens_input);
    assert_int_equal(p.hosted[KM_HOSTED_WEB_SEARCH], 7);
    priced(f, 4, "\"service_tier\":\"auto\",\"speed\":\"standard\",\"inference_geo\":\"global\"");
    p = *km_llm_priced_at(&f->r, &d, &room);
    assert_int_equal(p.service, KM_SERVICE_STANDARD);
    assert_false(p.fast || p.in_us);
    d.priced = NULL;
    assert_ptr_equal(km_llm_priced_at(&f->r, &d, &room), &f->r.priced);
    assert_false(changes(&f->r.priced));
}

static void a_reservation_counts_what_may_be_used_at_most(void **state)
{
    struct km_usage u = { .prompt_tokens = 100 };

    km_llm_priced_usage(priced(*state, 4,
                               "\"speed\":\"fast\",\"inference_geo\":\"us\",\"system\":[{\"type\":"
                               "\"text\",\"text\":\"t\",\"cache_control\":{\"type\":\"ephemeral\","
                               "\"ttl\":\"1h\"}}],\"tools\":[{\"type\":\"web_search_20250305\"}]"),
                        &u);
    assert_true(u.fast && u.in_us);
    assert_int_equal(u.hosted[KM_HOSTED_WEB_SEARCH], KM_HOSTED_USES);
    assert_int_equal(u.cache_write_1h_tokens, 100);
    assert_int_equal(u.cache_write_tokens, 100);
    u = (struct km_usage){ .prompt_tokens = 100 };
    km_llm_priced_usage(priced(*state, 4, ""), &u);
    assert_int_equal(u.cache_write_tokens + u.cache_write_1h_tokens, 0);
}

static void a_key_has_the_tools_that_it_names(void **state)
{
    static const struct {
        const char *extra;
        bool search, mcp;
    } rows[] = {
        { "", true, true },
        { "{}", true, true },
        { "{\"other\":1}", true, true },
        { "{\"hosted_tools\":null}", true, true },
        { "{\"hosted_tools\":true}", true, true },
        { "{\"hosted_tools\":false}", false, false },
        { "{\"hosted_tools\":[]}", false, false },
        { "{\"hosted_tools\":[\"web_search\"]}", true, false },
        { "{\"hosted_tools\":[\"mcp\",\"other\"]}", false, true },
        { "{\"hosted_tools\":\"web_search\"}", false, false },
        { "{\"hosted_tools\":{\"web_search\":true}}", false, false },
        { "{\"hosted_tools\":[\"web_search\"", false, false },
        { "nonsense", false, false },
    };
    struct fixture *f = *state;

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct km_str extra = km_str_c(rows[k].extra);
        struct km_err err = { 0 };

        assert_int_equal(km_hosted_tools_grant(
                             extra, priced(f, 3, "\"tools\":[{\"type\":\"web_search\"}]"), &err),
                         rows[k].search ? KM_GRANTED : KM_DENIED);
        if (!rows[k].search) {
            assert_int_equal(err.code, KM_E_FORBIDDEN);
            assert_non_null(strstr(err.text, "web_search"));
        }
        assert_int_equal(km_hosted_tools_grant(extra,
                                               priced(f, 3,
                                                      "\"tools\":[{\"type\":\"mcp\",\"server_url\":"
                                                      "\"https://x\"}]"),
                                               &err),
                         rows[k].mcp ? KM_GRANTED : KM_DENIED);
        assert_int_equal(km_hosted_tools_grant(extra, priced(f, 3, ""), &err), KM_GRANTED);
    }
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){ 0 };
    km_arena_init(&f.arena, 64 * 1024 * 1024, NULL);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_of_the_table_changes_nothing),
        TEST(every_value_of_every_row_has_its_effect),
        TEST(another_value_has_no_price_and_is_named),
        TEST(null_is_as_good_as_absent),
        TEST(tools_are_told_by_their_type),
        TEST(a_search_costs_by_how_much_it_gives),
        TEST(a_container_costs_by_its_memory),
        TEST(googles_and_converses_tools_are_members),
        TEST(tools_that_stand_elsewhere_are_found),
        TEST(all_calls_together_may_be_bounded),
        TEST(a_number_of_uses_that_is_none_is_refused),
        TEST(what_may_be_read_beside_the_request_opens_it),
        TEST(background_is_refused_by_name),
        TEST(of_two_values_the_dearer_counts),
        TEST(a_member_that_is_there_twice_is_refused),
        TEST(a_body_cut_anywhere_is_refused),
        TEST(the_head_counts_below_a_prefix),
        TEST(a_deployments_value_stands_where_the_request_has_none),
        TEST(a_reservation_counts_what_may_be_used_at_most),
        TEST(a_key_has_the_tools_that_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Google's API as callers speak it: requests read, answers written, both passed on. */
#include <stdio.h>

#include "chat_fixture.h"
#include "llm/api/gemini.h"
#include "llm/provider/codecs.h"

#define TEXT "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]}]"

static struct km_llm_request request(struct chat_fixture *f, const struct km_llm_api *api,
                                     const char *body)
{
    struct km_llm_request r;

    f->err = (struct km_err){ 0 };
    if (km_llm_request_parse(&r, api, &f->arena, km_str_c(body), KM_STR("fast"), &f->err) == 0)
        assert_int_equal(f->err.code, 0);
    return r;
}

static int read_as(struct chat_fixture *f, const struct km_llm_api *api, const char *body)
{
    struct km_llm_request r = request(f, api, body);

    if (f->err.code)
        return f->err.code;
    km_chat_init(&f->chat);
    return api->decode(&r, chat_tree(f, body), &f->arena, &f->chat, &f->err);
}

static int read(struct chat_fixture *f, const char *body)
{
    return read_as(f, &km_api_gemini, body);
}

static const char *why(struct chat_fixture *f, const char *body)
{
    return read(f, body) < 0 ? f->err.param : "";
}

static void the_action_stands_behind_the_last_colon(void **state)
{
    struct km_str model;

    (void)state;
    assert_ptr_equal(km_gemini_action(KM_STR("a:b:generateContent"), true, &model), &km_api_gemini);
    assert_true(km_str_eq(model, KM_STR("a:b")));
    assert_ptr_equal(km_gemini_action(KM_STR("m:streamGenerateContent"), true, &model),
                     &km_api_gemini_stream);
    assert_ptr_equal(km_gemini_action(KM_STR("m:streamGenerateContent"), false, &model),
                     &km_api_gemini_array);
    assert_ptr_equal(km_gemini_action(KM_STR("m:countTokens"), false, &model),
                     &km_api_gemini_count);
    assert_null(km_gemini_action(KM_STR("m:predict"), false, &model));
    assert_null(km_gemini_action(KM_STR("m"), false, &model));
}

static void a_conversation_is_read_whole(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        read(f, "{\"systemInstruction\":{\"parts\":[{\"text\":\"s\"}]},\"contents\":[{\"role\":"
                "\"user\",\"parts\":[{\"text\":\"q\"},{\"inlineData\":{\"mimeType\":\"image/png\","
                "\"data\":\"_-8\"}},{\"file_data\":{\"file_uri\":\"gs://b/o\",\"mime_type\":"
                "\"application/pdf\"}}]},{\"role\":\"model\",\"parts\":[{\"text\":\"hm\","
                "\"thought\":true},{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},"
                "\"thoughtSignature\":\"c2ln\"},{\"functionCall\":{\"name\":\"f\"}},"
                "{\"functionCall\":{\"id\":\"x\",\"name\":\"g\",\"args\":{}}}]},{\"role\":\"user\","
                "\"parts\":[{\"text\":\"and\"},{\"functionResponse\":{\"name\":\"f\",\"response\":{"
                "\"result\":\"1\"}}},{\"functionResponse\":{\"name\":\"f\",\"response\":{\"error\":"
                "\"2\"}}},{\"functionResponse\":{\"id\":\"x\",\"name\":\"g\",\"response\":{\"k\":3}"
                "}}]}]}"),
        0);
    assert_string_equal(dump_messages(f),
                        "system: text(s)\n"
                        "user: text(q) image(image/png,/+8=) document(application/pdfgs://b/o)\n"
                        "assistant: reason(hm) use(id=call_0 name=f {\"a\":1} sig=c2ln) "
                        "use(id=call_1 name=f {}) use(id=x name=g {})\n"
                        "user: result(id=call_0 name=f text(1)) result(id=call_1 name=f error "
                        "text(2)) result(id=x name=g text({\"k\":3})) text(and)\n");
}

static void a_streamed_answer_that_is_sent_back_is_one_message_again(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        read(f, "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"q\"}]},"
                "{\"role\":\"model\",\"parts\":[{\"text\":\"I \",\"thought\":true}]},"
                "{\"role\":\"model\",\"parts\":[{\"text\":\"look\",\"thought\":true},{\"text\":"
                "\"\",\"thought\":true,\"thoughtSignature\":\"c2ln\"}]},"
                "{\"role\":\"model\",\"parts\":[{\"text\":\"more\",\"thought\":true,"
                "\"thoughtSignature\":\"c2lo\"},{\"text\":\"a "
                "\"},{\"text\":\"b\"},{\"functionCall\":{\"id\":\"x\",\"name\":\"g\"}}]},"
                "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"id\":\"x\",\"name\":\"g\","
                "\"response\":{\"result\":\"1\"}}}]}]}"),
        0);
    assert_string_equal(dump_messages(f),
                        "user: text(q)\n"
                        "assistant: reason(I look sig=c2ln) reason(more sig=c2lo) "
                        "text(a b) use(id=x name=g {})\n"
                        "user: result(id=x name=g text(1))\n");
}

static void parameters_are_read(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_chat *c = &f->chat;

    assert_int_equal(
        read(f, TEXT ",\"generationConfig\":{\"maxOutputTokens\":9,\"temperature\":0.5,\"topP\":1,"
                     "\"top_k\":3,\"seed\":4,\"candidateCount\":2,\"stopSequences\":[\"x\",\"y\"],"
                     "\"presencePenalty\":0.1,\"frequencyPenalty\":0.2,\"responseLogprobs\":true,"
                     "\"thinkingConfig\":{\"thinkingBudget\":100,"
                     "\"includeThoughts\":false},\"responseMimeType\":\"application/json\","
                     "\"responseModalities\":[\"TEXT\"]},\"safetySettings\":[]}"),
        0);
    assert_int_equal(c->max_tokens, 9);
    assert_int_equal(c->n, 2);
    assert_int_equal(c->nstop, 2);
    assert_true(km_str_eq(c->temperature, KM_STR("0.5")));
    assert_true(km_str_eq(c->top_k, KM_STR("3")));
    assert_true(km_str_eq(c->extras->name, KM_STR("generationConfig.responseLogprobs")));
    assert_int_equal(c->extras->kind, KM_EXTRA_FOREIGN); /* no answer brings them there */
    assert_null(c->extras->next);
    assert_int_equal(c->format, KM_FORMAT_JSON);
    assert_int_equal(c->thinking, KM_THINKING_BUDGET);
    assert_int_equal(c->thinking_budget, 100);
    assert_true(km_str_eq(c->thinking_display, KM_STR("omitted")));
    for (enum km_chat_param p = KM_P_MAX_TOKENS; p <= KM_P_PRESENCE_PENALTY; p++)
        assert_true(km_chat_has(c, p));
    assert_int_equal(read(f, TEXT ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":"
                                  "\"HIGH\"}}}"),
                     0);
    assert_int_equal(c->effort, KM_EFFORT_HIGH);
    assert_int_equal(read(f, TEXT ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":"
                                  "-1}}}"),
                     0);
    assert_int_equal(c->thinking, KM_THINKING_ADAPTIVE);
}

static void tools_and_schemas_become_json_schema(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_tool *t;

    assert_int_equal(
        read(f, TEXT ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\","
                     "\"parameters\":{\"type\":\"OBJECT\",\"propertyOrdering\":[\"type\"],"
                     "\"properties\":{\"type\":{\"type\":\"STRING\",\"nullable\":true,"
                     "\"minLength\":\"1\"},\"l\":{\"type\":\"ARRAY\",\"items\":{\"anyOf\":[{"
                     "\"type\":\"NUMBER\"}]}}}}},{\"name\":\"g\",\"parametersJsonSchema\":{\"type\""
                     ":\"object\"}}]},{\"googleSearch\":{}}],\"toolConfig\":{"
                     "\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"g\"]}"
                     "}}"),
        0);
    t = f->chat.tools;
    assert_string_equal(km_arena_cstr(&f->arena, t->schema_json),
                        "{\"type\":\"object\",\"properties\":{\"type\":{\"type\":[\"string\","
                        "\"null\"],\"minLength\":1},\"l\":{\"type\":\"array\",\"items\":{\"anyOf\":"
                        "[{\"type\":\"number\"}]}}}}");
    assert_string_equal(km_arena_cstr(&f->arena, t->next->schema_json), "{\"type\":\"object\"}");
    assert_string_equal(km_arena_cstr(&f->arena, t->next->next->hosted_json),
                        "{\"googleSearch\":{}}");
    assert_int_equal(f->chat.tool_choice, KM_CHOICE_NAMED);
    assert_true(km_str_eq(f->chat.tool_name, KM_STR("g")));
    assert_int_equal(read(f, TEXT ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"},{"
                                  "\"name\":\"g\"},{\"name\":\"h\"}]}],\"toolConfig\":{"
                                  "\"functionCallingConfig\":{\"mode\":\"ANY\","
                                  "\"allowedFunctionNames\":[\"f\",\"h\"]}}}"),
                     0);
    assert_int_equal(f->chat.tool_choice, KM_CHOICE_REQUIRED);
    assert_true(km_str_eq(f->chat.tools->next->name, KM_STR("h")));
    assert_null(f->chat.tools->next->next);
    assert_int_equal(read(f, TEXT ",\"generationConfig\":{\"responseMimeType\":\"application/json"
                                  "\",\"responseSchema\":{\"type\":\"STRING\",\"enum\":[\"a\"]}}}"),
                     0);
    assert_string_equal(km_arena_cstr(&f->arena, f->chat.schema_json),
                        "{\"type\":\"string\",\"enum\":[\"a\"]}");
    assert_int_equal(f->chat.format, KM_FORMAT_SCHEMA);
}

static void a_schema_too_deep_is_refused(void **state)
{
    struct chat_fixture *f = *state;
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);

    km_buf_str(&b, KM_STR(TEXT ",\"generationConfig\":{\"responseSchema\":"));
    for (int i = 0; i < 55; i++)
        km_buf_str(&b, KM_STR("{\"items\":"));
    km_buf_str(&b, KM_STR("{}"));
    for (int i = 0; i < 55; i++)
        km_buf_byte(&b, '}');
    km_buf_str(&b, KM_STR("}}"));
    assert_string_equal(why(f, km_buf_cstr(&b)), "generationConfig.responseSchema");
}

static void errors_name_the_place(void **state)
{
    struct chat_fixture *f = *state;

    assert_string_equal(why(f, "{}"), "contents");
    assert_string_equal(why(f, "{\"contents\":[]}"), "contents");
    assert_string_equal(why(f, "{\"contents\":[{\"role\":\"x\"}]}"), "contents[0].role");
    assert_string_equal(why(f, "{\"contents\":[{\"parts\":[{\"text\":1}]}]}"),
                        "contents[0].parts[0].text");
    assert_string_equal(why(f, "{\"contents\":[{\"parts\":[{}]}]}"), "contents[0].parts[0]");
    assert_string_equal(why(f, "{\"contents\":[{\"parts\":[{\"text\":\"a\"},{\"inlineData\":{"
                               "\"mimeType\":\"image/png\",\"data\":\"*\"}}]}]}"),
                        "contents[0].parts[1].inlineData.data");
    assert_string_equal(why(f, "{\"contents\":[{\"parts\":[{\"functionResponse\":{\"name\":\"f\","
                               "\"response\":{}}}]}]}"),
                        "contents[0].parts[0].functionResponse");
    assert_string_equal(why(f, TEXT ",\"tools\":[{\"functionDeclarations\":[{}]}]}"),
                        "tools[0].functionDeclarations[0].name");
    assert_string_equal(why(f, TEXT ",\"cachedContent\":\"c\"}"), "cachedContent");
    assert_int_equal(f->err.code, KM_E_UNSUPPORTED);
    assert_string_equal(why(f, TEXT ",\"generationConfig\":{\"maxOutputTokens\":-1}}"),
                        "generationConfig.maxOutputTokens");
    assert_string_equal(why(f, TEXT ",\"generationConfig\":{\"candidateCount\":9}}"),
                        "generationConfig.candidateCount");
    assert_string_equal(
        why(f, TEXT ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"X\"}}}"),
        "toolConfig.functionCallingConfig.mode");
}

/* --- bodies passed on --- */

static const char *body_for(struct chat_fixture *f, const struct km_deployment *d, int64_t most,
                            const char *text)
{
    struct km_llm_request r = request(f, &km_api_gemini, text);
    struct km_llm_body_args args = { .deployment = d, .max_tokens = most };
    struct km_str *parts;
    size_t n;

    assert_int_equal(f->err.code, 0);
    assert_int_equal(r.api->body(&r, &args, &f->arena, &parts, &n, &f->err), 0);
    km_buf_reset(&f->out);
    for (size_t i = 0; i < n; i++)
        km_buf_str(&f->out, parts[i]);
    return km_buf_cstr(&f->out);
}

static void a_body_changes_only_where_it_must(void **state)
{
    struct chat_fixture *f = *state;
    static const struct km_default_param defaults[] = {
        { .name = { "temperature", 11 }, .json = { "0.1", 3 } },
        { .name = { "max_tokens", 10 }, .json = { "77", 2 } },
        { .name = { "safety_settings", 15 }, .json = { "[]", 2 } },
        { .name = { "whatever", 8 }, .json = { "1", 1 } },
    };
    static const struct km_deployment plain = { 0 };
    static const struct km_deployment own = { .defaults = defaults, .ndefaults = 4 };

    assert_string_equal(body_for(f, &plain, -1, TEXT " , \"unknown\" : 1 }"),
                        TEXT " , \"unknown\" : 1 }");
    assert_string_equal(body_for(f, &plain, 5,
                                 TEXT ",\"generationConfig\":{\"maxOutputTokens\": "
                                      "9,\"topP\":1}}"),
                        TEXT ",\"generationConfig\":{\"maxOutputTokens\": 5,\"topP\":1}}");
    assert_string_equal(body_for(f, &plain, 5, TEXT ",\"generationConfig\":{ \"topP\":1}}"),
                        TEXT ",\"generationConfig\":{\"maxOutputTokens\":5, \"topP\":1}}");
    assert_string_equal(body_for(f, &plain, 5, TEXT ",\"generationConfig\":{ }}"),
                        TEXT ",\"generationConfig\":{\"maxOutputTokens\":5 }}");
    assert_string_equal(body_for(f, &plain, 5, TEXT "}"),
                        TEXT ",\"generationConfig\":{\"maxOutputTokens\":5}}");
    assert_string_equal(body_for(f, &own, -1, TEXT ",\"generationConfig\":{\"temperature\":1}}"),
                        TEXT ",\"generationConfig\":{\"maxOutputTokens\":77,\"temperature\":1},"
                             "\"safetySettings\":[]}");
    assert_string_equal(body_for(f, &own, -1,
                                 TEXT ",\"generation_config\":{\"max_output_tokens\":4},"
                                      "\"safety_settings\":[1]}"),
                        TEXT ",\"generation_config\":{\"temperature\":0.1,"
                             "\"max_output_tokens\":4},\"safety_settings\":[1]}");
    assert_string_equal(body_for(f, &own, 3, TEXT ",\"generationConfig\":null}"),
                        TEXT ",\"generationConfig\":{\"maxOutputTokens\":3,\"temperature\":0.1},"
                             "\"safetySettings\":[]}");
}

/* Google takes both spellings of a field, and its readers choose as they like. */
static void two_spellings_of_one_field_are_refused(void **state)
{
    static const char *const bad[] = {
        ",\"generationConfig\":{\"maxOutputTokens\":1},"
        "\"generation_config\":{\"max_output_tokens\":65000}}",
        ",\"generationConfig\":null,\"generation_config\":{}}",
        ",\"generationConfig\":{\"maxOutputTokens\":1,\"max_output_tokens\":65000}}",
        ",\"generationConfig\":{\"maxOutputTokens\":1,\"maxOutputTokens\":65000}}",
        ",\"generationConfig\":{\"candidateCount\":1,\"candidate_count\":8}}",
        ",\"generation_config\":{\"topP\":1,\"top_p\":1}}",
        ",\"generationConfig\":{\"MaxOutputTokens\":65000}}",
        ",\"generationConfig\":{\"maxOutputTokens\":\"65000\"}}",
        ",\"cachedContent\":\"a\",\"cached_content\":\"b\"}",
        ",\"systemInstruction\":{},\"system_instruction\":{}}",
        ",\"tools\":[{\"a\":1,\"\\u0061\":2}]}",
    };
    struct chat_fixture *f = *state;
    char text[300];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "%s%s", TEXT, bad[i]);
        (void)request(f, &km_api_gemini, text);
        if (f->err.code != KM_E_INVALID)
            fail_msg("taken: %s", text);
    }
    /* Names that a caller chose are no fields. */
    (void)request(f, &km_api_gemini,
                  TEXT ",\"generation_config\":{\"max_output_tokens\":5,\"responseSchema\":{"
                       "\"properties\":{\"userId\":{},\"user_id\":{}}}}}");
    assert_int_equal(f->err.code, 0);
}

static void ids_of_calls_do_not_go_to_vertex(void **state)
{
    struct chat_fixture *f = *state;
    static const struct km_deployment vertex = { .codec = &km_codec_gemini_vertex };

    assert_string_equal(
        body_for(f, &vertex, -1,
                 "{\"contents\":[{\"parts\":[{\"text\":\"functionCall\"},{\"functionCall\" : {"
                 "\"id\":\"x\",\"name\":\"f\",\"args\":{\"id\":\"\\\"}\"}}},{"
                 "\"functionResponse\":{\"name\":\"f\",\"id\":\"x\"}},{\"functionCall\":{"
                 "\"name\":\"g\"}}]}],\"tools\":[]}"),
        "{\"contents\":[{\"parts\":[{\"text\":\"functionCall\"},{\"functionCall\" : {\"name\":"
        "\"f\",\"args\":{\"id\":\"\\\"}\"}}},{\"functionResponse\":{\"name\":\"f\"}},{"
        "\"functionCall\":{\"name\":\"g\"}}]}],\"tools\":[]}");
}

static void a_thought_in_pieces_is_one(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(read(f, "{\"contents\":[{\"role\":\"model\",\"parts\":[{\"text\":\"a\","
                             "\"thought\":true},{\"text\":\"b\",\"thought\":true},{\"text\":"
                             "\"\",\"thought\":true,\"thoughtSignature\":\"s\"},{\"text\":\"c\","
                             "\"thought\":true}]}]}"),
                     0);
    assert_string_equal(dump_messages(f), "assistant: reason(ab sig=s) reason(c)\n");
}

/* --- answers passed on --- */

struct relay {
    struct chat_fixture *f;
    struct km_llm_stream s;
};

static int on_relay(void *ctx, const struct km_sse_event *event)
{
    struct relay *r = ctx;

    return km_gemini_relay(&r->s, event, &r->f->out, NULL);
}

static const char *relay(struct chat_fixture *f, struct relay *r, const struct km_llm_api *api,
                         const char *text, size_t step)
{
    static struct km_llm_request q;
    struct km_sse *sse = km_sse_new(1 << 20, on_relay, r);
    size_t n = strlen(text);

    q = (struct km_llm_request){ .api = api, .model = KM_STR("fast") };
    r->f = f;
    km_buf_reset(&f->out);
    km_llm_stream_init(&r->s, &q, &f->arena, &f->scratch);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(km_sse_feed(sse, text + at, n - at < step ? n - at : step, NULL), 0);
    km_sse_free(sse);
    return km_buf_cstr(&f->out);
}

#define CHUNK(model, text, rest)                                                                   \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text "\"}]}" rest                     \
    "}],\"modelVersion\":\"" model "\""
#define USAGE ",\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":5}"

static void a_stream_is_passed_on_under_the_callers_name(void **state)
{
    struct chat_fixture *f = *state;
    struct relay r;
    static const char in[] =
        ": hi\r\n\r\ndata: " CHUNK("up", "\xe9\x96\xa2", "") "}\r\n\r\ndata: " CHUNK(
            "up", "b", ",\"finishReason\":\"STOP\"") USAGE "}\r\n\r\n";

    for (size_t step = 1; step < sizeof in; step++) {
        assert_string_equal(relay(f, &r, &km_api_gemini_stream, in, step),
                            "data: " CHUNK("fast", "\xe9\x96\xa2", "") "}\r\n\r\ndata: " CHUNK(
                                "fast", "b", ",\"finishReason\":\"STOP\"") USAGE "}\r\n\r\n");
        assert_true(r.s.finished);
        assert_int_equal(r.s.usage.completion_tokens, 5);
        assert_int_equal(r.s.heard.bytes, 4);
    }
    assert_string_equal(relay(f, &r, &km_api_gemini_array, in, 9),
                        "[" CHUNK("fast", "\xe9\x96\xa2", "") "},\r\n" CHUNK(
                            "fast", "b", ",\"finishReason\":\"STOP\"") USAGE "}");
    (void)relay(f, &r, &km_api_gemini_stream, "data: {\"error\":{\"code\":500}}\r\n\r\n", 99);
    assert_true(r.s.error);
    (void)relay(f, &r, &km_api_gemini_stream,
                "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\r\n\r\n", 99);
    assert_true(r.s.finished);
}

static void an_answer_is_passed_on_under_the_callers_name(void **state)
{
    struct chat_fixture *f = *state;
    struct km_llm_request q = { .api = &km_api_gemini, .model = KM_STR("fast") };
    struct km_usage usage = { 0 };
    struct km_str *parts;
    size_t n;

    assert_int_equal(km_gemini_answer(&q, &f->arena, km_str_c(CHUNK("up", "a", "") USAGE "}"),
                                      &parts, &n, &usage, &f->err),
                     0);
    km_buf_reset(&f->out);
    for (size_t i = 0; i < n; i++)
        km_buf_str(&f->out, parts[i]);
    assert_string_equal(km_buf_cstr(&f->out), CHUNK("fast", "a", "") USAGE "}");
    assert_int_equal(usage.prompt_tokens, 4);
    assert_int_equal(km_gemini_answer(&q, &f->arena, KM_STR("[]"), &parts, &n, &usage, &f->err),
                     KM_E_UPSTREAM_PROTOCOL);
}

/* --- answers written --- */

static void tell(struct chat_fixture *f)
{
    PUT(f, .kind = KM_CHAT_START, .id = KM_STR("up"));
    PUT(f, .kind = KM_CHAT_REASONING, .text = KM_STR("hm"));
    PUT(f, .kind = KM_CHAT_SIGNATURE, .text = KM_STR("c2ln"));
    PUT(f, .kind = KM_CHAT_TEXT, .block = 1, .text = KM_STR("a"));
    PUT(f, .kind = KM_CHAT_TOOL, .block = 2, .id = KM_STR("c1"), .name = KM_STR("f"));
    PUT(f, .kind = KM_CHAT_TOOL_INPUT, .block = 2, .text = KM_STR("{\"a"));
    PUT(f, .kind = KM_CHAT_TOOL_INPUT, .block = 2, .text = KM_STR("\":1}"));
    PUT(f, .kind = KM_CHAT_TOOL, .block = 3, .id = KM_STR("c2"), .name = KM_STR("g"),
        .text = KM_STR("s2"));
    PUT(f, .kind = KM_CHAT_FINISH, .block = 3, .finish = KM_FINISH_TOOLS);
    PUT(f, .kind = KM_CHAT_USAGE,
        .usage = { .prompt_tokens = 10,
                   .completion_tokens = 8,
                   .reasoning_tokens = 3,
                   .cached_tokens = 4,
                   .known = true });
}

#define NAMES ",\"modelVersion\":\"fast\",\"responseId\":\"1\"}"
#define COUNTS                                                                                     \
    ",\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":5,"                      \
    "\"cachedContentTokenCount\":4,\"thoughtsTokenCount\":3,\"totalTokenCount\":18}"
#define ONE(part, rest)                                                                            \
    "{\"candidates\":[{\"content\":{\"parts\":[" part "],\"role\":\"model\"}" rest ",\"index\":0}]"

static void a_stream_is_written_chunk_by_chunk(void **state)
{
    struct chat_fixture *f = *state;
    struct km_llm_request q = { .api = &km_api_gemini_array };

    begin_answer(f, &km_gemini_encoder, true, true);
    f->answer.request = NULL;
    tell(f);
    f->answer.to->end(&f->answer);
    assert_string_equal(
        km_buf_cstr(&f->out), "data: " ONE("{\"text\":\"hm\",\"thought\":true}", "") NAMES
        "\r\n\r\n"
        "data: " ONE("{\"text\":\"\",\"thought\":true,\"thoughtSignature\":\"c2ln\"}", "") NAMES
        "\r\n\r\n"
        "data: " ONE("{\"text\":\"a\"}", "") NAMES
        "\r\n\r\n"
        "data: " ONE("{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{\"a\":1}}}", "")
            NAMES "\r\n\r\n"
                  "data: " ONE("{\"functionCall\":{\"id\":\"c2\",\"name\":\"g\",\"args\":{}},"
                               "\"thoughtSignature\":\"s2\"}",
                               "") NAMES
        "\r\n\r\n"
        "data: " ONE("{\"text\":\"\"}", ",\"finishReason\":\"STOP\"") COUNTS NAMES "\r\n\r\n");
    begin_answer(f, &km_gemini_encoder, true, true);
    f->answer.request = &q;
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("a"));
    PUT(f, .kind = KM_CHAT_TOOL, .block = 1, .name = KM_STR("cut"));
    PUT(f, .kind = KM_CHAT_TOOL_INPUT, .block = 1, .text = KM_STR("{\""));
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_LENGTH);
    f->answer.to->end(&f->answer);
    assert_string_equal(km_str_sub(km_buf_view(&f->out), 0, 1).p[0] == '[' ? "[" : "", "[");
    assert_null(strstr(km_buf_cstr(&f->out), "cut"));
    assert_non_null(strstr(km_buf_cstr(&f->out), "},\r\n{"));
    assert_non_null(strstr(km_buf_cstr(&f->out), "\"finishReason\":\"MAX_TOKENS\""));
    assert_true(km_str_ends(km_buf_view(&f->out), KM_STR("}]")));
    (void)chat_tree(f, km_buf_cstr(&f->out));
}

static void a_whole_answer_is_one_object(void **state)
{
    struct chat_fixture *f = *state;

    begin_answer(f, &km_gemini_encoder, false, true);
    tell(f);
    assert_int_equal(f->answer.to->whole(&f->answer, &f->err), 0);
    assert_string_equal(
        km_buf_cstr(&f->out),
        ONE("{\"text\":\"hm\",\"thought\":true,\"thoughtSignature\":\"c2ln\"},{\"text\":\"a\"},"
            "{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{\"a\":1}}},{"
            "\"functionCall\":{\"id\":\"c2\",\"name\":\"g\",\"args\":{}},\"thoughtSignature\":"
            "\"s2\"}",
            ",\"finishReason\":\"STOP\"") COUNTS NAMES);
    begin_answer(f, &km_gemini_encoder, false, true);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_FINISH, .finish = KM_FINISH_FILTER, .text = KM_STR("bad"));
    assert_int_equal(f->answer.to->whole(&f->answer, &f->err), 0);
    assert_non_null(
        strstr(km_buf_cstr(&f->out), "\"finishReason\":\"SAFETY\",\"finishMessage\":\"bad\""));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, chat_setup, chat_teardown)
        T(the_action_stands_behind_the_last_colon),
        T(a_conversation_is_read_whole),
        T(a_streamed_answer_that_is_sent_back_is_one_message_again),
        T(parameters_are_read),
        T(tools_and_schemas_become_json_schema),
        T(a_schema_too_deep_is_refused),
        T(errors_name_the_place),
        T(a_body_changes_only_where_it_must),
        T(two_spellings_of_one_field_are_refused),
        T(ids_of_calls_do_not_go_to_vertex),
        T(a_thought_in_pieces_is_one),
        T(a_stream_is_passed_on_under_the_callers_name),
        T(an_answer_is_passed_on_under_the_callers_name),
        T(a_stream_is_written_chunk_by_chunk),
        T(a_whole_answer_is_one_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/embed.h"
#include "llm/provider/codecs.h"
#include "llm/provider/gemini.h"

struct fixture {
    struct km_arena arena, scratch;
    struct km_deployment d;
    struct km_chat chat;
    struct km_buf text; /* what came of it */
    struct km_answer answer;
    struct km_gemini_state state;
    struct km_decode decode;
    struct km_err err;
    bool closed; /* buckets are */
};

/* An encoder that writes events as lines. */
static int note(struct km_answer *a, const struct km_chat_event *e, struct km_err *err)
{
    static const char *const kinds[] = { "start", "text", "reasoning", "signature", "redacted",
                                         "refusal", "tool", "input", "logprobs", "finish",
                                         "usage" };

    (void)err;
    km_buf_printf(a->out, "%s", kinds[e->kind]);
    if (e->kind == KM_CHAT_USAGE) {
        km_buf_printf(a->out, " %d/%d cached %d reasoning %d\n", (int)e->usage.prompt_tokens,
                      (int)e->usage.completion_tokens, (int)e->usage.cached_tokens,
                      (int)e->usage.reasoning_tokens);
        return 0;
    }
    if (e->kind != KM_CHAT_START)
        km_buf_printf(a->out, " %u.%u", e->choice, e->block);
    if (e->kind == KM_CHAT_FINISH)
        km_buf_printf(a->out, " #%d", (int)e->finish);
    if (e->id.n)
        km_buf_printf(a->out, " id=%.*s", KM_STR_ARG(e->id));
    if (e->name.n)
        km_buf_printf(a->out, " name=%.*s", KM_STR_ARG(e->name));
    if (e->text.n)
        km_buf_printf(a->out, " [%.*s]", KM_STR_ARG(e->text));
    km_buf_byte(a->out, '\n');
    return 0;
}

static const struct km_encoder lines = { .event = note };

static void begin(struct fixture *f)
{
    km_buf_reset(&f->text);
    f->err = (struct km_err){ 0 };
    f->state = (struct km_gemini_state){ 0 };
    f->answer = (struct km_answer){
        .to = &lines, .arena = &f->arena, .out = &f->text, .stream = true, .id = KM_STR("0193-ab")
    };
    f->decode = (struct km_decode){
        .answer = &f->answer, .arena = &f->arena, .scratch = &f->scratch, .state = &f->state
    };
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 16 << 20, NULL);
    km_arena_init(&f->scratch, 16 << 20, NULL);
    km_buf_init(&f->text, 1 << 20);
    f->d.codec = &km_codec_gemini;
    f->d.provider_name = KM_STR("gemini");
    km_chat_init(&f->chat);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_buf_done(&f->text);
    km_arena_done(&f->scratch);
    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static const char *encode(struct fixture *f, const char *model, int64_t most)
{
    struct km_encode_args args = { .d = &f->d,
                                   .model = km_str_c(model),
                                   .can = km_capability_find(km_str_c(model)),
                                   .arena = &f->arena,
                                   .buckets = !f->closed,
                                   .max_tokens = most };
    struct km_json_out out;
    int r;

    km_buf_reset(&f->text);
    km_json_out_init(&out, &f->text);
    r = km_gemini_encode(&args, &f->chat, &out, &f->err);
    return r == 0 ? km_buf_cstr(&f->text) : f->err.text;
}

static struct km_part *say(struct fixture *f, enum km_role role, enum km_part_kind kind,
                           const char *text)
{
    struct km_message *m = km_chat_message(&f->chat, &f->arena, role);
    struct km_part *p = km_chat_part(&f->arena, &m->parts, kind);

    p->text = km_str_c(text);
    return p;
}

static struct km_part *also(struct fixture *f, enum km_part_kind kind, const char *text)
{
    struct km_part *p = km_chat_part(&f->arena, &f->chat.last_message->parts, kind);

    p->text = km_str_c(text);
    return p;
}

static struct km_part *call(struct fixture *f, const char *id, const char *name, const char *args)
{
    struct km_part *p = also(f, KM_PART_TOOL_USE, "");

    p->id = km_str_c(id);
    p->name = km_str_c(name);
    p->input_json = km_str_c(args);
    return p;
}

static struct km_part *result(struct fixture *f, const char *id, const char *text)
{
    struct km_part *p = also(f, KM_PART_TOOL_RESULT, "");

    p->id = km_str_c(id);
    km_chat_part(&f->arena, &p->content, KM_PART_TEXT)->text = km_str_c(text);
    return p;
}

static void set(struct fixture *f, enum km_chat_param p)
{
    f->chat.set |= KM_P_BIT(p);
}

/* The reference's example. */
static void the_whole_of_a_request_is_mapped(void **state)
{
    struct fixture *f = *state;
    static const struct km_str stop = { "END", 3 };
    struct km_tool *t = km_chat_tool(&f->chat, &f->arena);
    struct km_part *image;

    say(f, KM_ROLE_SYSTEM, KM_PART_TEXT, "Be brief.");
    say(f, KM_ROLE_USER, KM_PART_TEXT, "What is it?");
    image = also(f, KM_PART_IMAGE, "");
    image->media.type = KM_STR("image/png");
    image->media.data = KM_STR("AQID");
    km_chat_message(&f->chat, &f->arena, KM_ROLE_ASSISTANT);
    call(f, "call_1", "look", "{\"q\":\"x\"}")->signature = KM_STR("c2ln");
    km_chat_message(&f->chat, &f->arena, KM_ROLE_USER);
    result(f, "call_1", "42");
    t->name = KM_STR("look");
    t->description = KM_STR("d");
    t->schema_json = KM_STR("{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}}}");
    set(f, KM_P_TOOL_CHOICE);
    f->chat.tool_choice = KM_CHOICE_REQUIRED;
    f->chat.max_tokens = 100;
    f->chat.stop = &stop;
    f->chat.nstop = 1;
    f->chat.temperature = KM_STR("0.2");
    assert_string_equal(
        encode(f, "gemini-2.5-flash", -1),
        "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief.\"}]},\"contents\":[{\"role\":"
        "\"user\",\"parts\":[{\"text\":\"What is it?\"},{\"inlineData\":{\"mimeType\":\"image/"
        "png\",\"data\":\"AQID\"}}]},{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":"
        "\"look\",\"args\":{\"q\":\"x\"}},\"thoughtSignature\":\"c2ln\"}]},{\"role\":\"user\","
        "\"parts\":[{\"functionResponse\":{\"name\":\"look\",\"response\":{\"result\":\"42\"}}}]}]"
        ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"look\",\"description\":\"d\","
        "\"parametersJsonSchema\":{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}"
        "}}}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\"}},"
        "\"generationConfig\":{\"maxOutputTokens\":100,\"stopSequences\":[\"END\"],"
        "\"temperature\":0.2}}");
}

static void parallel_results_stand_together_and_have_signatures(void **state)
{
    struct fixture *f = *state;
    struct km_part *broken;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "a");
    say(f, KM_ROLE_ASSISTANT, KM_PART_TEXT, "");
    also(f, KM_PART_REASONING, "hm")->signature = KM_STR("of another model");
    call(f, "c1", "f", "");
    call(f, "c2__thought__c2ln", "g", "{}");
    km_chat_message(&f->chat, &f->arena, KM_ROLE_USER);
    result(f, "c2__thought__c2ln", "{\"ok\":true}");
    km_chat_message(&f->chat, &f->arena, KM_ROLE_USER);
    broken = result(f, "c1", "no");
    broken->is_error = true;
    assert_string_equal(
        encode(f, "gemini-3-flash-preview", -1),
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]},{\"role\":\"model\","
        "\"parts\":[{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{}},"
        "\"thoughtSignature\":\"" KM_GEMINI_NO_SIGNATURE "\"},{\"functionCall\":{\"id\":\"c2\","
        "\"name\":\"g\",\"args\":{}},\"thoughtSignature\":\"c2ln\"}]},{\"role\":\"user\",\"parts\":"
        "[{\"functionResponse\":{\"id\":\"c2\",\"name\":\"g\",\"response\":{\"ok\":true}}},"
        "{\"functionResponse\":{\"id\":\"c1\",\"name\":\"f\",\"response\":{\"error\":\"no\"}}}]}],"
        "\"generationConfig\":{}}");
    f->d.codec = &km_codec_gemini_vertex;
    assert_null(strstr(encode(f, "gemini-3-flash-preview", -1), "\"id\""));
    assert_null(strstr(encode(f, "gemini-2.5-flash", -1), KM_GEMINI_NO_SIGNATURE));
}

static void a_result_of_an_unknown_call_is_refused(void **state)
{
    struct fixture *f = *state;

    km_chat_message(&f->chat, &f->arena, KM_ROLE_USER);
    result(f, "nowhere", "x");
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1), "'nowhere'"));
    assert_int_equal(f->err.code, KM_E_INVALID);
}

static void parameters_have_their_places(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "a");
    f->chat.top_p = KM_STR("0.5");
    f->chat.top_k = KM_STR("7");
    f->chat.seed = KM_STR("1");
    f->chat.frequency_penalty = KM_STR("0.1");
    f->chat.presence_penalty = KM_STR("0.2");
    f->chat.n = 2;
    f->chat.logprobs = true;
    f->chat.top_logprobs = KM_STR("3");
    set(f, KM_P_FORMAT);
    f->chat.format = KM_FORMAT_SCHEMA;
    f->chat.schema_json = KM_STR("{\"type\":\"object\"}");
    f->chat.max_tokens = 100;
    km_chat_extra(&f->chat, &f->arena, KM_STR("safety_settings"), KM_STR("[]"));
    km_chat_extra(&f->chat, &f->arena, KM_STR("cachedContent"), KM_STR("\"cachedContents/x\""));
    assert_string_equal(
        encode(f, "gemini-2.5-flash", 50),
        "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"a\"}]}],\"generationConfig\":"
        "{\"maxOutputTokens\":50,\"topP\":0.5,\"topK\":7,\"seed\":1,\"frequencyPenalty\":0.1,"
        "\"presencePenalty\":0.2,\"candidateCount\":2,\"responseLogprobs\":true,\"logprobs\":3,"
        "\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":\"object\"}},"
        "\"safetySettings\":[],\"cachedContent\":\"cachedContents/x\"}");
}

static void instructions_alone_still_have_a_turn(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_SYSTEM, KM_PART_TEXT, "s");
    assert_string_equal(encode(f, "gemini-2.5-flash", -1),
                        "{\"systemInstruction\":{\"parts\":[{\"text\":\"s\"}]},\"contents\":[{"
                        "\"role\":\"user\",\"parts\":[{\"text\":\" \"}]}],\"generationConfig\":"
                        "{}}");
}

static void media_go_by_value_or_by_address(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_IMAGE, "")->media.url = KM_STR("https://a/b.JPG?x=.png");
    also(f, KM_PART_DOCUMENT, "")->media.data = KM_STR("AAAA");
    also(f, KM_PART_AUDIO, "")->media =
        (struct km_media){ .type = KM_STR("audio/mp3"), .data = KM_STR("AAAA") };
    also(f, KM_PART_DOCUMENT, "")->media.url = KM_STR("gs://b/c");
    assert_non_null(
        strstr(encode(f, "gemini-2.5-flash", -1),
               "[{\"fileData\":{\"mimeType\":\"image/jpeg\",\"fileUri\":\"https://a/b.JPG?x=.png\"}"
               "},{\"inlineData\":{\"mimeType\":\"application/pdf\",\"data\":\"AAAA\"}},"
               "{\"inlineData\":{\"mimeType\":\"audio/mp3\",\"data\":\"AAAA\"}},{\"fileData\":{"
               "\"fileUri\":\"gs://b/c\"}}]"));
}

static void a_bucket_is_not_read_for_whom_it_is_closed(void **state)
{
    struct fixture *f = *state;

    f->closed = true;
    say(f, KM_ROLE_USER, KM_PART_DOCUMENT, "")->media.url = KM_STR("GS://b/c");
    (void)encode(f, "gemini-2.5-flash", -1);
    assert_int_equal(f->err.code, KM_E_FORBIDDEN);
}

static void tool_choices_and_tools_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct km_tool *t;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "a");
    km_chat_tool(&f->chat, &f->arena)->hosted_json = KM_STR("{\"googleSearch\":{}}");
    set(f, KM_P_TOOL_CHOICE);
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1),
                           "\"tools\":[{\"googleSearch\":{}}],\"generationConfig\""));
    t = km_chat_tool(&f->chat, &f->arena);
    t->name = KM_STR("f");
    f->chat.tool_choice = KM_CHOICE_NAMED;
    f->chat.tool_name = KM_STR("f");
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1),
                           "\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]},{"
                           "\"googleSearch\":{}}],\"toolConfig\":{\"functionCallingConfig\":{"
                           "\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}}"));
    f->chat.tool_choice = KM_CHOICE_NONE;
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1), "\"mode\":\"NONE\""));
    t->hosted_json = KM_STR("{\"type\":\"web_search_20250305\"}");
    t->hosted_type = KM_STR("web_search_20250305");
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1), "one of type 'web_search_20250305'"));
    assert_int_equal(f->err.code, KM_E_UNSUPPORTED);
    f->d.drop_params = true;
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1), "\"tools\":[{\"googleSearch\":{}}]"));
    f->chat.tools->hosted_json = t->hosted_json; /* no list where nothing is left of it */
    f->chat.tools->hosted_type = t->hosted_type;
    assert_null(strstr(encode(f, "gemini-2.5-flash", -1), "\"tools\""));
}

static const char *thinking(struct fixture *f, const char *model, enum km_effort effort)
{
    const char *at;

    set(f, KM_P_EFFORT);
    f->chat.effort = effort;
    at = strstr(encode(f, model, -1), "\"thinkingConfig\":");
    return at ? at + strlen("\"thinkingConfig\":") : f->err.text;
}

static void efforts_are_levels_or_budgets(void **state)
{
    struct fixture *f = *state;

    say(f, KM_ROLE_USER, KM_PART_TEXT, "a");
    assert_string_equal(thinking(f, "gemini-3-pro-preview", KM_EFFORT_MINIMAL),
                        "{\"thinkingLevel\":\"LOW\",\"includeThoughts\":true}}}");
    assert_string_equal(thinking(f, "gemini-3-pro-preview", KM_EFFORT_MEDIUM),
                        "{\"thinkingLevel\":\"HIGH\",\"includeThoughts\":true}}}");
    assert_string_equal(thinking(f, "gemini-3.1-pro", KM_EFFORT_MEDIUM),
                        "{\"thinkingLevel\":\"MEDIUM\",\"includeThoughts\":true}}}");
    assert_string_equal(thinking(f, "gemini-3-flash", KM_EFFORT_NONE),
                        "{\"thinkingLevel\":\"MINIMAL\",\"includeThoughts\":false}}}");
    assert_string_equal(thinking(f, "gemini-3-flash", KM_EFFORT_MAX),
                        "{\"thinkingLevel\":\"HIGH\",\"includeThoughts\":true}}}");
    assert_string_equal(thinking(f, "gemini-2.5-flash", KM_EFFORT_NONE),
                        "{\"thinkingBudget\":0,\"includeThoughts\":false}}}");
    assert_string_equal(thinking(f, "gemini-2.5-pro", KM_EFFORT_NONE),
                        "{\"thinkingBudget\":128,\"includeThoughts\":false}}}");
    assert_string_equal(thinking(f, "gemini-2.5-pro", KM_EFFORT_HIGH),
                        "{\"thinkingBudget\":4096,\"includeThoughts\":true}}}");
    assert_non_null(strstr(thinking(f, "gemini-2.0-flash", KM_EFFORT_HIGH), "reasoning_effort"));
    f->chat.set = KM_P_BIT(KM_P_THINKING);
    f->chat.thinking = KM_THINKING_BUDGET;
    f->chat.thinking_budget = 777;
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1), "\"thinkingBudget\":777"));
    f->chat.thinking = KM_THINKING_ADAPTIVE;
    assert_non_null(strstr(encode(f, "gemini-2.5-flash", -1), "\"thinkingBudget\":-1"));
}

static void more_stops_than_five_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct km_str stops[6] = { { "a", 1 }, { "b", 1 }, { "c", 1 },
                                            { "d", 1 }, { "e", 1 }, { "f", 1 } };

    say(f, KM_ROLE_USER, KM_PART_TEXT, "a");
    f->chat.stop = stops;
    f->chat.nstop = 6;
    (void)encode(f, "gemini-2.5-flash", -1);
    assert_string_equal(f->err.param, "stop");
}

static const char *path(const struct km_codec *codec, const char *model, enum km_wire wire,
                        bool stream, struct fixture *f)
{
    struct km_target_args args = {
        .d = &f->d, .model = km_str_c(model), .wire = wire, .stream = stream
    };

    return km_arena_cstr(&f->arena, codec->target(&args, &f->arena));
}

static void models_have_their_paths(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(path(&km_codec_gemini, "gemini-2.5-pro", KM_WIRE_CHAT, false, f),
                        "/models/gemini-2.5-pro:generateContent");
    assert_string_equal(path(&km_codec_gemini, "models/g", KM_WIRE_GEMINI, true, f),
                        "/models/g:streamGenerateContent?alt=sse");
    assert_string_equal(path(&km_codec_gemini, "a/b?c", KM_WIRE_COUNT_GEMINI, false, f),
                        "/models/a%2Fb%3Fc:countTokens");
    assert_string_equal(path(&km_codec_gemini_vertex, "g", KM_WIRE_CHAT, false, f),
                        "/publishers/google/models/g:generateContent");
    assert_string_equal(path(&km_codec_gemini_vertex, "123", KM_WIRE_CHAT, false, f),
                        "/endpoints/123:generateContent");
}

/* --- answers --- */

static int on_event(void *ctx, const struct km_frame_event *e, struct km_err *err)
{
    struct fixture *f = ctx;
    int r = km_gemini_event(&f->decode, e, err);

    km_arena_done(&f->scratch);
    return r;
}

static int stream(struct fixture *f, const char *text, size_t n, size_t step)
{
    struct km_framer *framer = km_framer_new(KM_FRAMING_SSE, 1 << 20, on_event, f);
    int r = 0;

    begin(f);
    for (size_t at = 0; r == 0 && at < n; at += step)
        r = km_framer_feed(framer, text + at, n - at < step ? n - at : step, &f->err);
    km_framer_free(framer);
    return r == 0 ? km_gemini_end(&f->decode, &f->err) : r;
}

#define DATA(json) "data: " json "\r\n\r\n"
#define PARTS(parts) "{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}"

static void a_stream_is_events_however_it_is_cut(void **state)
{
    struct fixture *f = *state;
    static const char in[] = DATA(
        PARTS("{\"text\":\"hm\",\"thought\":true}") "}],\"usageMetadata\":{\"promptTokenCount\":4},"
                                                    "\"modelVersion\":\"g\",\"responseId\":\"r1\"}")
        DATA(PARTS("{\"text\":\"\xe9\x96\xa2\"},{\"text\":\"\xe9\x96\x80\"}") "}]}")
            DATA(PARTS("{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},"
                       "\"thoughtSignature\":\"c2ln\"},{\"functionCall\":{\"name\":\"g\",\"id\":"
                       "\"x1\"}}") "}]}")
                DATA(PARTS("{\"text\":\"\"}") ",\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
                                              "\"promptTokenCount\":4,\"candidatesTokenCount\":5,"
                                              "\"thoughtsTokenCount\":6,"
                                              "\"cachedContentTokenCount\":2}}");
    static const char out[] = "start id=r1\n"
                              "reasoning 0.0 [hm]\n"
                              "text 0.1 [\xe9\x96\xa2]\n"
                              "text 0.1 [\xe9\x96\x80]\n"
                              "tool 0.2 id=call_0193ab0 name=f [c2ln]\n"
                              "input 0.2 [{\"a\":1}]\n"
                              "tool 0.3 id=x1 name=g\n"
                              "finish 0.3 #4\n"
                              "usage 4/11 cached 2 reasoning 6\n";

    for (size_t step = 1; step < sizeof in; step += step < 40 ? 1 : 37) {
        assert_int_equal(stream(f, in, sizeof in - 1, step), 0);
        assert_string_equal(km_buf_cstr(&f->text), out);
    }
}

static void a_stream_that_stops_anywhere_else_is_an_error(void **state)
{
    struct fixture *f = *state;
    static const char in[] = DATA(PARTS("{\"text\":\"a\"}") "}]}")
        DATA(PARTS("{\"text\":\"b\"}") ",\"finishReason\":\"STOP\"}]}");

    for (size_t n = 0; n < sizeof in - 3; n++)
        assert_int_equal(stream(f, in, n, 7), KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(stream(f, in, sizeof in - 1, 7), 0);
}

static void a_finish_in_every_chunk_is_one_finish(void **state)
{
    struct fixture *f = *state;
    static const char in[] = DATA(PARTS("{\"text\":\"a\"}") ",\"finishReason\":\"STOP\"}]}")
        DATA(PARTS("{\"text\":\"b\"}") ",\"finishReason\":\"MAX_TOKENS\"}]}");

    assert_int_equal(stream(f, in, sizeof in - 1, 5), 0);
    assert_string_equal(km_buf_cstr(&f->text),
                        "start\ntext 0.0 [a]\ntext 0.0 [b]\nfinish 0.0 #3\n");
}

static const char *whole(struct fixture *f, const char *body)
{
    int r;

    begin(f);
    r = km_gemini_decode(&f->decode, km_str_c(body), &f->err);
    km_arena_done(&f->scratch);
    return r == 0 ? km_buf_cstr(&f->text) : f->err.text;
}

static void several_candidates_are_choices(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        whole(f, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":"
                 "\"STOP\"},{\"index\":1,\"content\":{\"parts\":[{\"text\":\"b\"}]},"
                 "\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":{\"promptTokenCount\":1,"
                 "\"toolUsePromptTokenCount\":2,\"candidatesTokenCount\":3}}"),
        "start\ntext 0.0 [a]\ntext 1.0 [b]\nfinish 0.0 #1\nfinish 1.0 #3\nusage 3/3 cached 0 "
        "reasoning 0\n");
    assert_int_equal(f->err.code, 0);
}

static void the_array_form_of_a_stream_is_read_too(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(whole(f, "[" PARTS("{\"text\":\"a\"}") "}]},\n" PARTS(
                                     "{\"text\":\"b\"}") ",\"finishReason\":\"STOP\"}]}]"),
                        "start\ntext 0.0 [a]\ntext 0.0 [b]\nfinish 0.0 #1\n");
}

static void filters_and_blocks_are_told(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(whole(f, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},"
                                 "\"usageMetadata\":{\"promptTokenCount\":9}}"),
                        "start\nfinish 0.0 #5 [Google stopped the answer (SAFETY).]\nusage 9/0 "
                        "cached 0 reasoning 0\n");
    assert_string_equal(
        whole(f, "{\"candidates\":[{\"finishReason\":\"SAFETY\",\"finishMessage\":\"bad\"}]}"),
        "start\nfinish 0.0 #5 [bad]\n");
    assert_string_equal(whole(f, PARTS("") ",\"finishReason\":\"MAX_TOKENS\"}]}"),
                        "start\nfinish 0.0 #3\n");
    assert_non_null(
        strstr(whole(f, "{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}"),
               "no usable answer: MALFORMED_FUNCTION_CALL"));
    assert_string_equal(
        whole(f, PARTS("{\"text\":\"a\"}") ",\"finishReason\":\"MALFORMED_RESPONSE\"}]}"),
        "start\ntext 0.0 [a]\nfinish 0.0 #1\n");
}

static void log_probabilities_have_openais_shape(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        whole(f, PARTS("{\"text\":\"a\"}") ",\"finishReason\":\"STOP\",\"logprobsResult\":{"
                                           "\"chosenCandidates\":[{\"token\":\"a\","
                                           "\"logProbability\":-0.5}],\"topCandidates\":[{"
                                           "\"candidates\":[{\"token\":\"b\",\"logProbability\":"
                                           "-1}]}]}}]}"),
        "start\ntext 0.0 [a]\nlogprobs 0.0 [{\"content\":[{\"token\":\"a\",\"logprob\":-0.5,"
        "\"bytes\":null,\"top_logprobs\":[{\"token\":\"b\",\"logprob\":-1,\"bytes\":null}]}],"
        "\"refusal\":null}]\nfinish 0.0 #1\n");
}

static void errors_in_a_stream_keep_their_status(void **state)
{
    struct fixture *f = *state;
    static const char in[] = DATA(PARTS("{\"text\":\"a\"}") "}]}")
        DATA("{\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}");

    assert_int_equal(stream(f, in, sizeof in - 1, 11), KM_E_UPSTREAM_STATUS);
    assert_int_equal(f->err.http, 503);
    assert_string_equal(f->err.text, "Gemini: overloaded");
    assert_string_equal(whole(f, "[{\"error\":{\"code\":429,\"message\":\"slow\"}}]"),
                        "Gemini: slow");
    assert_int_equal(f->err.http, 429);
    assert_non_null(strstr(whole(f, "{\"error\":"), "not the JSON"));
    assert_non_null(strstr(whole(f, "3"), "no object"));
}

static struct km_refusal refuse(struct fixture *f, int status, const char *body)
{
    struct km_headers none = { 0 };
    struct km_refusal ret;

    km_gemini_refusal(&f->arena, status, &none, km_str_c(body), &ret);
    return ret;
}

static void refusals_say_whether_to_try_again(void **state)
{
    struct fixture *f = *state;
    struct km_refusal r;

    r = refuse(f, 429,
               "{\"error\":{\"code\":429,\"message\":\"quota\",\"status\":\"RESOURCE_EXHAUSTED\","
               "\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
               "\"retryDelay\":\"46.5s\"}]}}");
    assert_int_equal(r.retry_after_ms, 46500);
    assert_int_equal(r.again, KM_AGAIN_SAME);
    r = refuse(f, 429,
               "{\"error\":{\"message\":\"q\",\"details\":[{\"violations\":[{\"quotaId\":"
               "\"GenerateRequestsPerDayPerProject\"}]}]}}");
    assert_int_equal(r.again, KM_AGAIN_OTHER);
    r = refuse(f, 400,
               "[{\"error\":{\"message\":\"API key not valid.\",\"details\":[{\"reason\":"
               "\"API_KEY_INVALID\"}]}}]");
    assert_int_equal(r.status, 502);
    assert_int_equal(r.kind, KM_REFUSED_CREDENTIALS);
    assert_int_equal(r.again, KM_AGAIN_OTHER);
    r = refuse(f, 400,
               "{\"error\":{\"message\":\"The input token count (9) exceeds the maximum number of "
               "tokens allowed (8).\"}}");
    assert_int_equal(r.kind, KM_REFUSED_CONTEXT);
    assert_int_equal(r.again, KM_AGAIN_NO);
    r = refuse(f, 401, "{\"error\":{\"message\":\"no\"}}");
    assert_int_equal(r.again, KM_AGAIN_SIGN);
    r = refuse(f, 503, "<html>");
    assert_int_equal(r.status, 503);
    assert_int_equal(r.again, KM_AGAIN_SAME);
}

static const char *embed(struct fixture *f, const struct km_codec *codec, struct km_embed *e)
{
    struct km_encode_args args = { .d = &f->d, .model = KM_STR("m"), .arena = &f->arena };
    struct km_json_out out;

    km_buf_reset(&f->text);
    km_json_out_init(&out, &f->text);
    return codec->embed_encode(&args, e, &out, &f->err) == 0 ? km_buf_cstr(&f->text) : "refused";
}

static void texts_are_embedded_by_the_batch_or_one_by_one(void **state)
{
    struct fixture *f = *state;
    struct km_embed_input inputs[2] = { { .text = KM_STR("a") }, { .text = KM_STR("b") } };
    struct km_str vectors[2] = { { 0 } };
    struct km_embed e = {
        .inputs = inputs, .n = 2, .count = 2, .dimensions = 3, .vectors = vectors
    };

    assert_string_equal(embed(f, &km_codec_gemini, &e),
                        "{\"requests\":[{\"model\":\"models/m\",\"content\":{\"parts\":[{"
                        "\"text\":\"a\"}]},\"outputDimensionality\":3},{\"model\":\"models/m\","
                        "\"content\":{\"parts\":[{\"text\":\"b\"}]},"
                        "\"outputDimensionality\":3}]}");
    assert_int_equal(km_codec_gemini.embed_decode(
                         &e, &f->arena,
                         KM_STR("{\"embeddings\":[{\"values\":[1,0.5]},{\"values\":[2]}]}"),
                         &f->err),
                     0);
    assert_string_equal(km_arena_cstr(&f->arena, vectors[0]), "[1,0.5]");
    assert_int_equal(
        km_codec_gemini.embed_decode(&e, &f->arena, KM_STR("{\"embeddings\":[]}"), &f->err),
        KM_E_UPSTREAM_PROTOCOL);
    e.first = e.count = 1;
    assert_int_equal(km_codec_gemini_vertex.embed_most, 1);
    assert_string_equal(embed(f, &km_codec_gemini_vertex, &e),
                        "{\"instances\":[{\"content\":\"b\"}],\"parameters\":{"
                        "\"outputDimensionality\":3}}");
    assert_int_equal(km_codec_gemini_vertex.embed_decode(
                         &e, &f->arena,
                         KM_STR("{\"predictions\":[{\"embeddings\":{\"values\":[7],"
                                "\"statistics\":{\"token_count\":4}}}]}"),
                         &f->err),
                     0);
    assert_string_equal(km_arena_cstr(&f->arena, vectors[1]), "[7]");
    assert_int_equal(e.usage.prompt_tokens, 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(the_whole_of_a_request_is_mapped),
        T(parallel_results_stand_together_and_have_signatures),
        T(a_result_of_an_unknown_call_is_refused),
        T(parameters_have_their_places),
        T(instructions_alone_still_have_a_turn),
        T(media_go_by_value_or_by_address),
        T(a_bucket_is_not_read_for_whom_it_is_closed),
        T(tool_choices_and_tools_of_its_own),
        T(efforts_are_levels_or_budgets),
        T(more_stops_than_five_are_refused),
        T(models_have_their_paths),
        T(a_stream_is_events_however_it_is_cut),
        T(a_stream_that_stops_anywhere_else_is_an_error),
        T(a_finish_in_every_chunk_is_one_finish),
        T(several_candidates_are_choices),
        T(the_array_form_of_a_stream_is_read_too),
        T(filters_and_blocks_are_told),
        T(log_probabilities_have_openais_shape),
        T(errors_in_a_stream_keep_their_status),
        T(refusals_say_whether_to_try_again),
        T(texts_are_embedded_by_the_batch_or_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

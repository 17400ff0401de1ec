/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/api/openai.h"
#include "llm/provider/bedrock.h"
#include "llm/provider/codecs.h"
#include "llm/provider/converse.h"

#define HAIKU "jp.anthropic.claude-haiku-4-5-20251001-v1:0"
#define SONNET_37 "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
#define SONNET_46 "us.anthropic.claude-sonnet-4-6"
#define OPUS_55 "anthropic.claude-opus-5-5"
#define NOVA "amazon.nova-pro-v1:0"
#define NOVA_2 "us.amazon.nova-2-lite-v1:0"
#define LLAMA "meta.llama3-1-70b-instruct-v1:0"
#define USER "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define HI "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"hi\"}]}]"
#define TOOL(name) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"
#define SPEC(name)                                                                                 \
    "{\"toolSpec\":{\"name\":\"" name                                                              \
    "\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}}"

struct fixture {
    struct km_arena arena;
    struct km_deployment d;
    struct km_headers caller;
    struct km_err err;
    bool closed; /* buckets are */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 16 << 20, NULL);
    f->d = (struct km_deployment){ .provider_name = KM_STR("bedrock"), .price = KM_PRICE_NONE };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    km_arena_done(&f->arena);
    free(f);
    return 0;
}

static int encode_chat(struct fixture *f, const char *model, const struct km_chat *chat,
                       struct km_str *ret)
{
    const struct km_codec *codec =
        km_bedrock_name(km_str_c(model)).invoke ? &km_codec_bedrock_invoke : &km_codec_converse;
    struct km_encode_args args = { .d = &f->d,
                                   .model = km_str_c(model),
                                   .can = km_capability_find(km_str_c(model)),
                                   .arena = &f->arena,
                                   .buckets = !f->closed,
                                   .max_tokens = -1,
                                   .caller = &f->caller };
    const struct km_json *root;
    struct km_json_out out;
    struct km_str *parts;
    size_t n;
    int r;

    km_json_out_parts_init(&out, &f->arena, 1 << 20);
    r = codec->encode(&args, chat, &out, &f->err);
    if (r == 0) {
        assert_int_equal(km_json_out_parts(&out, &parts, &n, NULL), 0);
        *ret = km_arena_cat(&f->arena, parts, n);
        assert_int_equal(km_json_parse(&f->arena, *ret, &root, NULL), 0);
    }
    km_json_out_done(&out);
    return r;
}

/* An OpenAI request's members, as a body for that model. */
static int encode(struct fixture *f, const char *model, const char *members, struct km_str *ret)
{
    struct km_str text = km_arena_printf(&f->arena, "{%s}", members);
    const struct km_json *root;
    struct km_chat chat;

    f->err = (struct km_err){ 0 };
    assert_int_equal(km_json_parse(&f->arena, text, &root, NULL), 0);
    assert_int_equal(km_openai_decode(NULL, root, &f->arena, &chat, &f->err), 0);
    return encode_chat(f, model, &chat, ret);
}

static void expect(struct fixture *f, const char *model, const char *members, const char *want)
{
    struct km_str body = KM_STR_NONE;

    if (encode(f, model, members, &body) < 0)
        fail_msg("%s", f->err.text);
    assert_string_equal(km_arena_cstr(&f->arena, body), want);
}

static void expect_in(struct fixture *f, const char *model, const char *members, const char *want)
{
    struct km_str body = KM_STR_NONE;

    if (encode(f, model, members, &body) < 0)
        fail_msg("%s", f->err.text);
    if (km_str_find(body, km_str_c(want)) == body.n)
        fail_msg("no %s in %.*s", want, KM_STR_ARG(body));
}

static void expect_not_in(struct fixture *f, const char *model, const char *members,
                          const char *want)
{
    struct km_str body = KM_STR_NONE;

    if (encode(f, model, members, &body) < 0)
        fail_msg("%s", f->err.text);
    if (km_str_find(body, km_str_c(want)) < body.n)
        fail_msg("%s is in %.*s", want, KM_STR_ARG(body));
}

static void expect_refused(struct fixture *f, const char *model, const char *members,
                           const char *param)
{
    struct km_str body;

    assert_int_equal(encode(f, model, members, &body), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, param);
}

/* --- conversation --- */

static void a_conversation_with_image_tools_and_results(void **state)
{
    expect(*state, HAIKU,
           "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\","
           "\"content\":[{\"type\":\"text\",\"text\":\"What is it?\"},{\"type\":\"image_url\","
           "\"image_url\":{\"url\":\"data:image/png;base64,AQID\"}}]},{\"role\":\"assistant\","
           "\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":"
           "{\"name\":\"look\",\"arguments\":\"{\\\"q\\\":\\\"x\\\"}\"}}]},{\"role\":\"tool\","
           "\"tool_call_id\":\"call_1\",\"content\":\"42\"}],\"tools\":[{\"type\":\"function\","
           "\"function\":{\"name\":\"look\",\"description\":\"d\",\"parameters\":{\"type\":"
           "\"object\",\"properties\":{\"q\":{\"type\":\"string\"}}}}}],\"tool_choice\":"
           "\"required\",\"max_tokens\":100,\"stop\":\"END\",\"temperature\":0.2",
           "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"What is it?\"},{\"image\":{"
           "\"format\":\"png\",\"source\":{\"bytes\":\"AQID\"}}}]},{\"role\":\"assistant\","
           "\"content\":[{\"toolUse\":{\"toolUseId\":\"call_1\",\"name\":\"look\",\"input\":{\"q\":"
           "\"x\"}}}]},{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"call_1\","
           "\"content\":[{\"text\":\"42\"}],\"status\":\"success\"}}]}],\"system\":[{\"text\":"
           "\"Be brief.\"}],\"inferenceConfig\":{\"maxTokens\":100,\"temperature\":0.2,"
           "\"stopSequences\":[\"END\"]},\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":"
           "\"look\",\"description\":\"d\",\"inputSchema\":{\"json\":{\"type\":\"object\","
           "\"properties\":{\"q\":{\"type\":\"string\"}}}}}}],\"toolChoice\":{\"any\":{}}},"
           "\"additionalModelResponseFieldPaths\":[\"/stop_sequence\"]}");
}

static void messages_of_one_role_become_one_and_results_come_first(void **state)
{
    expect_in(*state, HAIKU,
              "\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\",\"content\":"
              "\"\"},{\"role\":\"developer\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
              "\"b\"},{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"1\","
              "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}},{\"id\":"
              "\"2\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
              "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"\"},{\"role\":\"tool\","
              "\"tool_call_id\":\"2\",\"content\":\"y\"},{\"role\":\"user\",\"content\":\"c\"}]",
              "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
              "{\"role\":\"assistant\",\"content\":[{\"toolUse\":{\"toolUseId\":\"1\",\"name\":"
              "\"f\",\"input\":{}}},{\"toolUse\":{\"toolUseId\":\"2\",\"name\":\"f\",\"input\":{}}}"
              "]},{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"1\",\"content\":"
              "[{\"text\":\"(no output)\"}],\"status\":\"success\"}},{\"toolResult\":{"
              "\"toolUseId\":\"2\",\"content\":[{\"text\":\"y\"}],\"status\":\"success\"}},{"
              "\"text\":\"c\"}]}],\"system\":[{\"text\":\"s\"}]");
}

static void a_conversation_begins_with_the_user_and_ends_so_for_newer_claude(void **state)
{
    struct fixture *f = *state;
    struct km_str body;

    assert_int_equal(
        encode(f, HAIKU, "\"messages\":[{\"role\":\"system\",\"content\":\"s\"}]", &body),
        KM_E_INVALID);
    assert_string_equal(f->err.param, "messages");
    assert_int_equal(
        encode(f, HAIKU, "\"messages\":[{\"role\":\"assistant\",\"content\":\"s\"}]", &body),
        KM_E_INVALID);
#define PREFILL USER_AND("{\"role\":\"assistant\",\"content\":\"So \\n\"}")
#define USER_AND(more) "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}," more "]"
    expect_in(f, HAIKU, PREFILL, "{\"role\":\"assistant\",\"content\":[{\"text\":\"So\"}]}");
    expect_refused(f, SONNET_46, PREFILL, "messages");
}

static void reasoning_goes_back_to_claude_with_its_signature_only(void **state)
{
    const char *turn =
        USER_AND("{\"role\":\"assistant\",\"content\":\"t\",\"thinking_blocks\":[{\"type\":"
                 "\"thinking\",\"thinking\":\"h\",\"signature\":\"c2ln\"},{\"type\":\"thinking\","
                 "\"thinking\":\"unsigned\"},{\"type\":\"redacted_thinking\",\"data\":\"AAAA\"}]},"
                 "{\"role\":\"user\",\"content\":\"go on\"}");

    expect_in(*state, HAIKU, turn,
              "\"content\":[{\"reasoningContent\":{\"reasoningText\":{\"text\":\"h\","
              "\"signature\":\"c2ln\"}}},{\"reasoningContent\":{\"redactedContent\":\"AAAA\"}},{"
              "\"text\":\"t\"}]");
    expect_not_in(*state, NOVA, turn, "reasoningContent");
}

/* --- media --- */

#define PART(json) "\"messages\":[{\"role\":\"user\",\"content\":[" json "]}]"
#define IMAGE(url) PART("{\"type\":\"image_url\",\"image_url\":{\"url\":\"" url "\"}}")
#define FILE_OF(members) "{\"type\":\"file\",\"file\":{" members "}}"

static void images_by_value_and_from_s3(void **state)
{
    struct fixture *f = *state;

    expect_in(f, HAIKU, IMAGE("data:image/jpg;base64,AQID"),
              "{\"image\":{\"format\":\"jpeg\",\"source\":{\"bytes\":\"AQID\"}}}");
    expect_in(f, NOVA, IMAGE("s3://bucket/a.webp"),
              "{\"image\":{\"format\":\"webp\",\"source\":{\"s3Location\":{\"uri\":"
              "\"s3://bucket/a.webp\"}}}}");
    expect_refused(f, HAIKU, IMAGE("https://example.com/a.png"), "messages");
    expect_refused(f, HAIKU, IMAGE("data:image/bmp;base64,AQID"), "messages");
}

static void a_bucket_is_not_read_for_whom_it_is_closed(void **state)
{
    struct fixture *f = *state;
    struct km_str body;

    f->closed = true;
    assert_int_equal(encode(f, NOVA, IMAGE("S3://bucket/a.webp"), &body), KM_E_FORBIDDEN);
    assert_int_equal(encode(f, NOVA, PART(FILE_OF("\"file_id\":\"s3://b/x.docx\"")), &body),
                     KM_E_FORBIDDEN);
    expect_in(f, HAIKU, IMAGE("data:image/jpg;base64,AQID"), "\"bytes\":\"AQID\"");
}

static void documents_get_names_that_differ_and_a_text_beside(void **state)
{
    struct fixture *f = *state;

    expect_in(f, HAIKU,
              PART(FILE_OF("\"file_data\":\"data:application/pdf;base64,JVBERi0x\",\"filename\":"
                           "\"Q3 report_final!!.pdf\"")),
              "\"content\":[{\"document\":{\"format\":\"pdf\",\"name\":\"Q3 report final\","
              "\"source\":{\"bytes\":\"JVBERi0x\"}}},{\"text\":\"The document is attached.\"}]");
    expect_in(f, HAIKU,
              PART("{\"type\":\"text\",\"text\":\"Compare.\"}," FILE_OF(
                  "\"file_data\":\"data:text/"
                  "csv;base64,AQID\",\"filename\":"
                  "\"a.csv\"") "," FILE_OF("\"file_data\":\"data:text/"
                                           "csv;base64,AQID\",\"filename\":\"a.csv\"")),
              "[{\"text\":\"Compare.\"},{\"document\":{\"format\":\"csv\",\"name\":\"a\","
              "\"source\":{\"bytes\":\"AQID\"}}},{\"document\":{\"format\":\"csv\",\"name\":"
              "\"a (2)\",\"source\":{\"bytes\":\"AQID\"}}}]");
    expect_in(f, HAIKU, PART(FILE_OF("\"file_data\":\"data:text/plain;base64,AQID\"")),
              "{\"format\":\"txt\",\"name\":\"document\",");
    expect_in(f, NOVA, PART(FILE_OF("\"file_id\":\"s3://b/x.docx\"")),
              "{\"document\":{\"format\":\"docx\",\"name\":\"document\",\"source\":{"
              "\"s3Location\":{\"uri\":\"s3://b/x.docx\"}}}}");
    expect_refused(f, HAIKU, PART(FILE_OF("\"file_id\":\"file-123\"")), "messages");
    expect_refused(f, HAIKU, PART(FILE_OF("\"file_data\":\"data:application/zip;base64,AQID\"")),
                   "messages");
}

/* --- caching --- */

static void cache_points_stand_behind_what_they_cache(void **state)
{
    const char *members =
        "\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"s\","
        "\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]},{\"role\":\"user\","
        "\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":{\"type\":"
        "\"ephemeral\"}},{\"type\":\"text\",\"text\":\"b\"}]}],\"tools\":[{\"type\":\"function\","
        "\"function\":{\"name\":\"f\"},\"cache_control\":{\"type\":\"ephemeral\"}}]";
    struct fixture *f = *state;

    expect(
        f, HAIKU, members,
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"cachePoint\":{"
        "\"type\":\"default\"}},{\"text\":\"b\"}]}],\"system\":[{\"text\":\"s\"},{"
        "\"cachePoint\":{\"type\":\"default\",\"ttl\":\"1h\"}}],\"toolConfig\":{\"tools\":[" SPEC(
            "f") ",{\"cachePoint\":{\"type\":\"default\"}}]}}");
    expect_in(f, SONNET_37, members, "[{\"text\":\"s\"},{\"cachePoint\":{\"type\":\"default\"}}]");
    expect_in(f, NOVA, members, "\"toolConfig\":{\"tools\":[" SPEC("f") "]}");
    expect_not_in(f, LLAMA, members, "cachePoint");
}

/* --- tools --- */

static void names_and_ids_are_spelled_as_bedrock_takes_them(void **state)
{
    expect_in(*state, HAIKU, USER ",\"tools\":[" TOOL("mcp.server/read file") "]",
              "\"name\":\"mcp_server_read_file_");
    expect_in(*state, HAIKU,
              USER_AND("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"call|1\",\"type\":"
                       "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{"
                       "\"role\":\"tool\",\"tool_call_id\":\"call|1\",\"content\":\"x\"}"),
              "\"toolUseId\":\"call_1_");
}

static void a_history_with_tools_has_tools_though_none_are_given(void **state)
{
    const char *history =
        USER_AND("{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\","
                 "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\","
                 "\"tool_call_id\":\"1\",\"content\":\"x\"}");
    struct fixture *f = *state;

    expect_in(f, HAIKU, history,
              "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"unavailable\"");
    expect_in(f, HAIKU,
              km_arena_cstr(&f->arena,
                            km_arena_printf(&f->arena,
                                            "%s,\"tools\":[" TOOL("f") "],\"tool_choice\":\"none\"",
                                            history)),
              "\"toolConfig\":{\"tools\":[" SPEC("f") "]}");
    expect(f, HAIKU, USER ",\"tools\":[" TOOL("f") "],\"tool_choice\":\"none\"", HI "}");
}

static void a_choice_of_tools_is_kept_or_refused(void **state)
{
    struct fixture *f = *state;

    expect_in(f, HAIKU, USER ",\"tools\":[" TOOL("f") "],\"tool_choice\":\"auto\"",
              "\"toolChoice\":{\"auto\":{}}");
    expect_in(f, NOVA,
              USER ",\"tools\":[" TOOL("f") "],\"tool_choice\":{\"type\":\"function\","
                                            "\"function\":{\"name\":\"f\"}}",
              "\"toolChoice\":{\"tool\":{\"name\":\"f\"}}");
    expect_refused(f, OPUS_55, USER ",\"tools\":[" TOOL("f") "],\"tool_choice\":\"required\"",
                   "tool_choice");
    expect_refused(f, LLAMA, USER ",\"tools\":[" TOOL("f") "],\"tool_choice\":\"required\"",
                   "tool_choice");
    f->d.drop_params = true;
    expect_not_in(f, LLAMA, USER ",\"tools\":[" TOOL("f") "],\"tool_choice\":\"required\"",
                  "toolChoice");
}

static void one_call_at_a_time_is_asked_of_claude_in_its_own_words(void **state)
{
    expect_in(*state, HAIKU, USER ",\"tools\":[" TOOL("f") "],\"parallel_tool_calls\":false",
              "\"additionalModelRequestFields\":{\"tool_choice\":{\"type\":\"auto\","
              "\"disable_parallel_tool_use\":true}}");
    expect_not_in(*state, NOVA, USER ",\"tools\":[" TOOL("f") "],\"parallel_tool_calls\":false",
                  "disable_parallel_tool_use");
}

static void tools_that_run_at_the_callers_go_among_the_additional_fields(void **state)
{
    struct fixture *f = *state;
    const struct km_header beta = { KM_STR("anthropic-beta"),
                                    KM_STR("claude-code-20250219, computer-use-2025-01-24") };

    f->caller = (struct km_headers){ .v = &beta, .n = 1 };
    expect(f, SONNET_37, USER ",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]",
           HI ",\"additionalModelRequestFields\":{\"tools\":[{\"type\":\"bash_20250124\","
              "\"name\":\"bash\"}],\"anthropic_beta\":[\"computer-use-2025-01-24\"]}}");
    expect_refused(f, NOVA, USER ",\"tools\":[{\"type\":\"bash_20250124\",\"name\":\"bash\"}]",
                   "tools");
    expect_refused(f, SONNET_37, USER ",\"tools\":[{\"type\":\"web_search_20250305\"}]", "tools");
}

/* --- thinking and sampling --- */

static void thinking_is_asked_for_as_the_model_takes_it(void **state)
{
    struct fixture *f = *state;

    expect(f, SONNET_37, USER ",\"reasoning_effort\":\"low\",\"temperature\":0.5",
           HI ",\"inferenceConfig\":{\"maxTokens\":5120},\"additionalModelRequestFields\":{"
              "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}}}");
    expect(f, SONNET_46, USER ",\"reasoning_effort\":\"high\",\"max_tokens\":500",
           HI ",\"inferenceConfig\":{\"maxTokens\":500},\"additionalModelRequestFields\":{"
              "\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":\"high\"}}}");
    expect(f, SONNET_37,
           USER ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000},\"max_tokens\":3000",
           HI ",\"inferenceConfig\":{\"maxTokens\":3000},\"additionalModelRequestFields\":{"
              "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}}}");
    expect_in(f, NOVA_2, USER ",\"reasoning_effort\":\"max\"",
              "\"reasoningConfig\":{\"type\":\"enabled\",\"maxReasoningEffort\":\"high\"}");
    expect_in(f, "openai.gpt-oss-120b-1:0", USER ",\"reasoning_effort\":\"minimal\"",
              "\"reasoning_effort\":\"low\"");
    expect(f, NOVA, USER ",\"reasoning_effort\":\"none\"", HI "}");
    expect_refused(f, NOVA, USER ",\"reasoning_effort\":\"high\"", "reasoning_effort");
    f->d.drop_params = true;
    expect(f, NOVA, USER ",\"reasoning_effort\":\"high\"", HI "}");
}

static void sampling_is_told_where_it_is_taken(void **state)
{
    struct fixture *f = *state;

    expect(f, SONNET_37, USER ",\"temperature\":1.5,\"top_p\":0.9,\"top_k\":5",
           HI ",\"inferenceConfig\":{\"temperature\":1,\"topP\":0.9},"
              "\"additionalModelRequestFields\":{\"top_k\":5}}");
    expect(f, HAIKU, USER ",\"temperature\":0.3,\"top_p\":0.9",
           HI ",\"inferenceConfig\":{\"temperature\":0.3}}");
    expect(f, OPUS_55, USER ",\"temperature\":0.3,\"top_p\":0.9,\"top_k\":5", HI "}");
    expect(f, NOVA, USER ",\"temperature\":0.3,\"top_p\":0.9,\"top_k\":5",
           HI ",\"inferenceConfig\":{\"temperature\":0.3,\"topP\":0.9},"
              "\"additionalModelRequestFields\":{\"inferenceConfig\":{\"topK\":5}}}");
    expect(f, HAIKU, USER ",\"stop\":[\"\\n\\n\",\"END\"]",
           HI ",\"inferenceConfig\":{\"stopSequences\":[\"END\"]},"
              "\"additionalModelResponseFieldPaths\":[\"/stop_sequence\"]}");
}

/* --- structured output --- */

#define SCHEMA                                                                                     \
    ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a b\",\"schema\":" \
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}}}"

static void a_schema_is_told_by_name_tool_or_words(void **state)
{
    struct fixture *f = *state;

    expect_in(f, HAIKU, USER SCHEMA,
              "\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{"
              "\"jsonSchema\":{\"schema\":\"{\\\"type\\\":\\\"object\\\",\\\"properties\\\":{"
              "\\\"a\\\":{\\\"type\\\":\\\"string\\\"}},\\\"additionalProperties\\\":false}\","
              "\"name\":\"a_b_");
    expect_in(f, SONNET_46, USER SCHEMA ",\"reasoning_effort\":\"low\"", "}}},\"effort\":\"low\"}");
    expect_in(f, SONNET_37, USER SCHEMA,
              "\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"json_tool_call\"");
    expect_in(f, SONNET_37, USER SCHEMA, "\"toolChoice\":{\"tool\":{\"name\":\"json_tool_call\"}}");
    expect_in(f, SONNET_37, USER SCHEMA ",\"tools\":[" TOOL("f") "]",
              "\"toolChoice\":{\"any\":{}}");
    expect_in(f, LLAMA, USER SCHEMA, "\"system\":[{\"text\":\"Answer with one valid JSON object");
    expect_not_in(f, LLAMA, USER SCHEMA, "toolConfig");
    expect_in(f, HAIKU, USER ",\"response_format\":{\"type\":\"json_object\"}",
              "\"system\":[{\"text\":\"Answer with one valid JSON object");
}

/* --- Converse's own --- */

static void members_of_converses_own_are_passed_on(void **state)
{
    struct fixture *f = *state;

    expect(f, HAIKU,
           USER ",\"guardrailConfig\":{\"guardrailIdentifier\":\"g\",\"guardrailVersion\":\"1\"},"
                "\"performanceConfig\":{\"latency\":\"optimized\"},\"requestMetadata\":{\"a\":"
                "\"b\"},\"service_tier\":\"flex\"",
           HI ",\"serviceTier\":{\"type\":\"flex\"},\"guardrailConfig\":{\"guardrailIdentifier\":"
              "\"g\",\"guardrailVersion\":\"1\"},\"performanceConfig\":{\"latency\":"
              "\"optimized\"},\"requestMetadata\":{\"a\":\"b\"}}");
    expect(f, HAIKU,
           USER ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"disabled\"},\"x\":1},"
                "\"y\":[2],\"reasoning_effort\":\"low\",\"max_tokens\":9000",
           HI ",\"inferenceConfig\":{\"maxTokens\":9000},\"additionalModelRequestFields\":{"
              "\"thinking\":{\"type\":\"disabled\"},\"x\":1,\"y\":[2]}}");
    expect_refused(f, HAIKU, USER ",\"service_tier\":\"scale\"", "service_tier");
}

static void invoke_bodies_are_anthropics_with_a_version(void **state)
{
    struct fixture *f = *state;
    const struct km_header beta = { KM_STR("anthropic-beta"),
                                    KM_STR("interleaved-thinking-2025-05-14,other") };
    struct km_str body;

    f->caller = (struct km_headers){ .v = &beta, .n = 1 };
    expect(f, "invoke/" HAIKU, USER ",\"max_tokens\":10",
           "{\"anthropic_version\":\"bedrock-2023-05-31\",\"max_tokens\":10,\"messages\":[{"
           "\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}],"
           "\"anthropic_beta\":[\"interleaved-thinking-2025-05-14\"]}");
    assert_int_equal(encode(f, "invoke/" NOVA, USER, &body), KM_E_UNSUPPORTED);
}

/* --- names and addresses --- */

static void expect_path(const char *model, bool stream, const char *want)
{
    struct km_arena arena;
    struct km_target_args args = { .model = km_str_c(model), .stream = stream };
    const struct km_codec *codec =
        km_bedrock_name(args.model).invoke ? &km_codec_bedrock_invoke : &km_codec_converse;

    km_arena_init(&arena, 1 << 20, NULL);
    assert_string_equal(km_arena_cstr(&arena, codec->target(&args, &arena)), want);
    km_arena_done(&arena);
}

static void models_are_one_escaped_label_of_the_path(void **state)
{
    (void)state;
    expect_path(HAIKU, false, "/model/jp.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse");
    expect_path("converse/" HAIKU, true,
                "/model/jp.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse-stream");
    expect_path("invoke/" SONNET_46, false, "/model/us.anthropic.claude-sonnet-4-6/invoke");
    expect_path("invoke/us-east-1/" SONNET_46, true,
                "/model/us.anthropic.claude-sonnet-4-6/invoke-with-response-stream");
    expect_path("us-gov-west-1/" SONNET_46, false,
                "/model/us.anthropic.claude-sonnet-4-6/converse");
    expect_path("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x-"
                "v1:0",
                false,
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F"
                "us.anthropic.claude-x-v1%3A0/converse");
}

static void a_region_may_stand_in_the_name(void **state)
{
    static const struct {
        const char *model, *region;
    } cases[] = {
        { "us-east-1/anthropic.claude-v2", "us-east-1" },
        { "invoke/ap-northeast-1/x", "ap-northeast-1" },
        { "us-gov-west-1/x", "us-gov-west-1" },
        { "arn:aws:bedrock:eu-west-3:1:inference-profile/x", "eu-west-3" },
        { "anthropic.claude-v2", "" },
        { "us-east/x", "" },
        { "custom/x-y-1", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(
            km_str_eq(km_bedrock_name(km_str_c(cases[i].model)).region, km_str_c(cases[i].region)));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_conversation_with_image_tools_and_results),
        TEST(messages_of_one_role_become_one_and_results_come_first),
        TEST(a_conversation_begins_with_the_user_and_ends_so_for_newer_claude),
        TEST(reasoning_goes_back_to_claude_with_its_signature_only),
        TEST(images_by_value_and_from_s3),
        TEST(a_bucket_is_not_read_for_whom_it_is_closed),
        TEST(documents_get_names_that_differ_and_a_text_beside),
        TEST(cache_points_stand_behind_what_they_cache),
        TEST(names_and_ids_are_spelled_as_bedrock_takes_them),
        TEST(a_history_with_tools_has_tools_though_none_are_given),
        TEST(a_choice_of_tools_is_kept_or_refused),
        TEST(one_call_at_a_time_is_asked_of_claude_in_its_own_words),
        TEST(tools_that_run_at_the_callers_go_among_the_additional_fields),
        TEST(thinking_is_asked_for_as_the_model_takes_it),
        TEST(sampling_is_told_where_it_is_taken),
        TEST(a_schema_is_told_by_name_tool_or_words),
        TEST(members_of_converses_own_are_passed_on),
        TEST(invoke_bodies_are_anthropics_with_a_version),
        cmocka_unit_test(models_are_one_escaped_label_of_the_path),
        cmocka_unit_test(a_region_may_stand_in_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

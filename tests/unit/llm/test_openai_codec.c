/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI's protocol on both sides: bodies go out as they came in, and answers likewise. */
#include "chat_fixture.h"
#include "llm/api/openai.h"
#include "llm/provider/codecs.h"

static const struct km_provider plain_row = { .name = "openai",
                                              .max_tokens = "max_completion_tokens" };
static const struct km_provider rich_row = { .name = "litellm_proxy",
                                             .max_tokens = "max_tokens",
                                             .reasoning = "reasoning_content",
                                             .top_k = true,
                                             .cache_control = true };

static int encode(struct chat_fixture *f, const struct km_provider *row, const char *body,
                  bool stream, int64_t bound)
{
    struct km_deployment d = { .provider = row, .provider_name = km_str_c(row->name) };
    struct km_encode_args args = {
        .d = &d, .model = KM_STR("up"), .arena = &f->arena, .stream = stream, .max_tokens = bound
    };
    struct km_json_out out;
    struct km_str *parts;
    size_t n;
    int r;

    f->err = (struct km_err){ 0 };
    assert_int_equal(km_api_chat.decode(NULL, chat_tree(f, body), &f->arena, &f->chat, &f->err), 0);
    km_json_out_parts_init(&out, &f->arena, 1 << 24);
    r = km_codec_openai.encode(&args, &f->chat, &out, &f->err);
    if (r == 0)
        r = km_json_out_parts(&out, &parts, &n, &f->err);
    km_json_out_done(&out);
    if (r < 0)
        return r;
    km_buf_reset(&f->out);
    for (size_t i = 0; i < n; i++)
        km_buf_str(&f->out, parts[i]);
    return 0;
}

static void expect_body(struct chat_fixture *f, const struct km_provider *row, const char *body,
                        const char *want)
{
    assert_int_equal(encode(f, row, body, false, -1), 0);
    assert_string_equal(km_buf_cstr(&f->out), want);
}

static void a_conversation_goes_out_as_it_came(void **state)
{
    static const char body[] =
        "{\"model\":\"up\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is it?\"},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AQID\"}}]},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\","
        "\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"q\\\":"
        "\\\"x\\\"}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"42\"}],\"tools\":[{"
        "\"type\":\"function\",\"function\":{\"name\":\"look\",\"description\":\"d\","
        "\"parameters\":"
        "{\"type\":\"object\",\"properties\":{\"q\":{\"type\":\"string\"}}}}}],"
        "\"tool_choice\":\"required\",\"max_completion_tokens\":100,\"temperature\":0.2,"
        "\"stop\":[\"END\"]}";

    expect_body(*state, &plain_row, body, body);
}

static void what_a_row_takes_is_sent_and_the_rest_is_not(void **state)
{
    static const char body[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\","
        "\"cache_control\":{\"type\":\"ephemeral\"}}]},{\"role\":\"assistant\",\"content\":\"b\","
        "\"reasoning_content\":\"r\"},{\"role\":\"user\",\"content\":\"c\"}],\"top_k\":4,\"min_p\":"
        "0.5}";

    expect_body(*state, &plain_row, body,
                "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
                "{\"role\":\"assistant\",\"content\":\"b\"},{\"role\":\"user\",\"content\":\"c\"}],"
                "\"min_p\":0.5}");
    expect_body(
        *state, &rich_row, body,
        "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"a\",\"cache_control\":{\"type\":\"ephemeral\"}}]},{\"role\":\"assistant\","
        "\"content\":\"b\",\"reasoning_content\":\"r\"},{\"role\":\"user\",\"content\":\"c\"}],"
        "\"top_k\":4,\"min_p\":0.5}");
}

static void pictures_among_results_follow_as_the_user_s(void **state)
{
    expect_body(
        *state, &plain_row,
        "{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":[{\"type\":\"text\","
        "\"text\":\"x\"},{\"type\":\"text\",\"text\":\"y\"},{\"type\":\"image_url\",\"image_url\":"
        "{\"url\":\"https://a/b\"}}]}]}",
        "{\"model\":\"up\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":"
        "\"x\\ny\"},{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
        "\"https://a/b\"}}]}]}");
}

static void files_and_sounds_keep_their_form(void **state)
{
    static const char body[] = "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{"
                               "\"type\":\"file\",\"file\":{"
                               "\"filename\":\"a.pdf\",\"file_data\":\"data:application/"
                               "pdf;base64,AQID\"}},{\"type\":\"file\","
                               "\"file\":{\"file_id\":\"f1\"}},{\"type\":\"input_audio\",\"input_"
                               "audio\":{\"data\":\"AQID\","
                               "\"format\":\"wav\"}}]}]}";

    expect_body(*state, &plain_row, body, body);
    expect_body(
        *state, &plain_row,
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{"
        "\"file_data\":\"data:text/plain;base64,SGk=\"}}]}]}",
        "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"Hi\"}]}]}");
}

static void streams_ask_for_usage_and_bounds_hold(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        encode(f, &plain_row,
               "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"max_tokens\":50}", true, 7),
        0);
    assert_string_equal(km_buf_cstr(&f->out),
                        "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
                        "\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                        "\"max_completion_tokens\":7}");
}

static void a_budget_becomes_an_effort(void **state)
{
    expect_body(
        *state, &plain_row,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"thinking\":{\"type\":\"enabled\","
        "\"budget_tokens\":2048}}",
        "{\"model\":\"up\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],"
        "\"reasoning_effort\":\"medium\"}");
}

static void a_tool_of_another_provider_is_refused(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(encode(f, &plain_row,
                            "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":["
                            "{\"type\":\"web_search\"}]}",
                            false, -1),
                     KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "tools");
}

/* --- answers --- */

static void expect_whole(struct chat_fixture *f, const char *body, const char *want)
{
    assert_int_equal(read_whole(f, &km_codec_openai, &km_encoder_chat, body), 0);
    assert_string_equal(km_buf_cstr(&f->out), want);
}

#define FRONT                                                                                      \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":7,"                         \
    "\"model\":\"fast\",\"choices\":["
#define USED                                                                                       \
    ",\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"                \
    "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":"               \
    "{\"reasoning_tokens\":2},\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":4}"

static void a_whole_answer_says_all_it_said(void **state)
{
    expect_whole(
        *state,
        "{\"id\":\"x\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"Hi\","
        "\"reasoning\":\"th\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{"
        "\"name\":"
        "\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"b\",\"function\":{\"name\":\"g\","
        "\"arguments\":"
        "\"\"}}]},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,\"completion_"
        "tokens\":5,"
        "\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":"
        "{\"reasoning_tokens\":2}}}",
        FRONT
        "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hi\",\"refusal\":null,"
        "\"reasoning_content\":\"th\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"b\",\"type\":"
        "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"logprobs\":null,"
        "\"finish_reason\":\"tool_calls\"}]" USED "}");
}

static void several_choices_keep_their_places(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        read_whole(f, &km_codec_openai, &km_encoder_chat,
                   "{\"choices\":[{\"index\":1,\"message\":{\"content\":[{\"type\":\"thinking\","
                   "\"thinking\":[{\"type\":\"text\",\"text\":\"t\"}]},{\"type\":\"text\",\"text\":"
                   "\"b\"}]},"
                   "\"finish_reason\":\"length\"},{\"index\":0,\"message\":{\"content\":null,"
                   "\"refusal\":\"no\"},\"finish_reason\":\"content_filter\",\"logprobs\":{"
                   "\"content\":[]}}]}"),
        0);
    assert_int_equal(f->answer.nchoices, 2);
    assert_non_null(
        strstr(km_buf_cstr(&f->out),
               "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
               "\"refusal\":\"no\"},\"logprobs\":{\"content\":[]},"
               "\"finish_reason\":\"content_filter\"},{\"index\":1,\"message\":{\"role\":"
               "\"assistant\",\"content\":\"b\",\"refusal\":null,\"reasoning_content\":\"t\"},"
               "\"logprobs\":null,\"finish_reason\":\"length\"}"));
}

static void an_error_in_place_of_an_answer_is_one(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(read_whole(f, &km_codec_openai, &km_encoder_chat,
                                "{\"error\":{\"message\":\"slow down\",\"code\":429}}"),
                     KM_E_UPSTREAM_STATUS);
    assert_int_equal(f->err.http, 429);
    assert_int_equal(read_whole(f, &km_codec_openai, &km_encoder_chat, "{\"choices\":[]}"),
                     KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(read_whole(f, &km_codec_openai, &km_encoder_chat, "<html>"),
                     KM_E_UPSTREAM_PROTOCOL);
}

#define UP(choice) "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":" choice "}]}\n\n"
#define CHUNK(delta)                                                                               \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":"   \
    "\"fast\",\"choices\":[{\"index\":0,\"delta\":{" delta                                         \
    "},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n"
#define LAST(reason)                                                                               \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":"   \
    "\"fast\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"                          \
    "\"finish_reason\":\"" reason "\"}],\"usage\":null}\n\n"
#define TAIL(in, out, all)                                                                         \
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":"   \
    "\"fast\",\"choices\":[],\"usage\":{\"prompt_tokens\":" in ",\"completion_tokens\":" out       \
    ",\"total_tokens\":" all ",\"prompt_tokens_details\":{\"cached_tokens\":0}}}\n\n"              \
    "data: [DONE]\n\n"

static void a_stream_is_the_same_wherever_it_is_cut(void **state)
{
    expect_stream(
        *state, &km_codec_openai, &km_encoder_chat,
        ": ping\n\n" UP("{\"role\":\"assistant\",\"content\":\"\"}")
            UP("{\"reasoning_content\":\"th\"}") UP("{\"content\":\"H\\u00e9\xe2\x82\xac\"}") UP(
                "{\"content\":\"!\"},\"finish_reason\":null")
                UP("{},\"finish_reason\":\"stop\"") "data: "
                                                    "{\"id\":\"x\",\"choices\":[],\"usage\":{"
                                                    "\"prompt_tokens\":3,"
                                                    "\"completion_tokens\":4}}\n\ndata: [DONE]\n\n",
        CHUNK("\"role\":\"assistant\",\"content\":\"\"") CHUNK("\"reasoning_content\":\"th\"")
            CHUNK("\"content\":\"H\xc3\xa9\xe2\x82\xac\"") CHUNK("\"content\":\"!\"") LAST("stop")
                TAIL("3", "4", "7"));
}

#define PIECE(index, rest) UP("{\"tool_calls\":[{\"index\":" index "," rest "}]}")
#define BEGIN(index, id, name)                                                                     \
    PIECE(index, "\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name          \
                 "\",\"arguments\":\"\"}")
#define MORE(index, text) PIECE(index, "\"function\":{\"arguments\":\"" text "\"}")
#define CALL(index, id, name)                                                                      \
    CHUNK("\"tool_calls\":[{\"index\":" index ",\"id\":\"" id                                      \
          "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"\"}}]")
#define INPUT(index, text)                                                                         \
    CHUNK("\"tool_calls\":[{\"index\":" index ",\"function\":{\"arguments\":\"" text "\"}}]")
#define ROLE CHUNK("\"role\":\"assistant\",\"content\":\"\"")

static void calls_that_come_in_turn_are_gathered(void **state)
{
    expect_stream(
        *state, &km_codec_openai, &km_encoder_chat,
        BEGIN("0", "a", "f") BEGIN("1", "b", "g") MORE("0", "{\\\"x\\\":") MORE("1", "{\\\"y")
            MORE("0", "\\\"}\\\"}") MORE("1", "\\\":2}") BEGIN("2", "c", "h")
                UP("{},\"finish_reason\":\"tool_calls\"") "data: [DONE]\n\n",
        ROLE CALL("0", "a", "f") INPUT("0", "{\\\"x\\\":") INPUT("0", "\\\"}\\\"}")
            CALL("1", "b", "g") INPUT("1", "{\\\"y") INPUT("1", "\\\":2}") CALL("2", "c", "h")
                INPUT("2", "{}") LAST("tool_calls") TAIL("3", "7", "10"));
}

static void calls_without_an_index_are_told_apart_by_their_ids(void **state)
{
    expect_stream(
        *state, &km_codec_openai, &km_encoder_chat,
        UP("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
           "\"{}\"}}]}") UP("{\"tool_calls\":[{\"index\":0,\"id\":\"b\",\"function\":{\"name\":"
                            "\"g\",\"arguments\":"
                            "\"{}\"}}]},\"finish_reason\":\"stop\"") "data: [DONE]\n\n",
        ROLE CALL("0", "a", "f") INPUT("0", "{}") CALL("1", "b", "g") INPUT("1", "{}")
            LAST("tool_calls") TAIL("3", "4", "7"));
}

static void a_done_ends_what_never_said_why(void **state)
{
    expect_stream(*state, &km_codec_openai, &km_encoder_chat,
                  UP("{\"content\":\"a\"}") "data: [DONE]\n\n",
                  ROLE CHUNK("\"content\":\"a\"") LAST("stop") TAIL("3", "1", "4"));
}

static void a_stream_cut_short_is_an_error(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        stream_cut(f, &km_codec_openai, &km_encoder_chat, UP("{\"content\":\"a\"}"), 0),
        KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(stream_cut(f, &km_codec_openai, &km_encoder_chat, "", 0),
                     KM_E_UPSTREAM_PROTOCOL);
    assert_int_equal(stream_cut(f, &km_codec_openai, &km_encoder_chat, "data: [DONE]\n\n", 0),
                     KM_E_UPSTREAM_PROTOCOL);
}

static void an_error_in_a_stream_is_one(void **state)
{
    struct chat_fixture *f = *state;

    assert_int_equal(
        stream_cut(
            f, &km_codec_openai, &km_encoder_chat,
            UP("{\"content\":\"a\"}") "data: "
                                      "{\"error\":{\"message\":\"busy\",\"code\":\"503\"}}\n\n",
            0),
        KM_E_UPSTREAM_STATUS);
    assert_int_equal(f->err.http, 503);
    assert_non_null(strstr(f->err.text, "busy"));
    assert_int_equal(stream_cut(f, &km_codec_openai, &km_encoder_chat,
                                "data: {\"error\":{\"message\":\"slower\",\"type\":\"tokens\","
                                "\"code\":\"rate_limit_exceeded\"}}\n\n",
                                0),
                     KM_E_UPSTREAM_STATUS);
    assert_int_equal(f->err.http, 429);
    assert_int_equal(stream_cut(f, &km_codec_openai, &km_encoder_chat,
                                "event: error\ndata: {\"message\":\"no\"}\n\n", 0),
                     KM_E_UPSTREAM_STATUS);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_conversation_goes_out_as_it_came),
        CASE(what_a_row_takes_is_sent_and_the_rest_is_not),
        CASE(pictures_among_results_follow_as_the_user_s),
        CASE(files_and_sounds_keep_their_form),
        CASE(streams_ask_for_usage_and_bounds_hold),
        CASE(a_budget_becomes_an_effort),
        CASE(a_tool_of_another_provider_is_refused),
        CASE(a_whole_answer_says_all_it_said),
        CASE(several_choices_keep_their_places),
        CASE(an_error_in_place_of_an_answer_is_one),
        CASE(a_stream_is_the_same_wherever_it_is_cut),
        CASE(calls_that_come_in_turn_are_gathered),
        CASE(calls_without_an_index_are_told_apart_by_their_ids),
        CASE(a_done_ends_what_never_said_why),
        CASE(a_stream_cut_short_is_an_error),
        CASE(an_error_in_a_stream_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer rests on crosses between all protocols, whole and streamed, in each one's own
 * words and units; what a dialect has no place for is named. */
#include "chat_fixture.h"
#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/dropped.h"
#include "llm/provider/codecs.h"

/* --- one answer of each upstream: "Es grünt so." and "Ja.", of which the second rests on a page
 * and, where the upstream can, on a document --- */

#define PAGE_A                                                                                     \
    "{\"type\":\"web_search_result_location\",\"url\":\"https://a.b/c\",\"title\":\"C\","          \
    "\"cited_text\":\"words\",\"encrypted_index\":\"Eo8B\"}"
#define CHARS_A                                                                                    \
    "{\"type\":\"char_location\",\"cited_text\":\"ja\",\"document_index\":1,"                      \
    "\"document_title\":\"D\",\"file_id\":null,\"start_char_index\":3,\"end_char_index\":5}"
#define PAGE_C                                                                                     \
    "{\"title\":\"C\",\"sourceContent\":[{\"text\":\"words\"}],\"location\":{\"web\":{\"url\":"    \
    "\"https://a.b/c\",\"domain\":\"a.b\"}}}"
#define CHARS_C                                                                                    \
    "{\"title\":\"D\",\"sourceContent\":[{\"text\":\"ja\"}],\"location\":{\"documentChar\":"       \
    "{\"documentIndex\":1,\"start\":3,\"end\":5}}}"
#define GROUNDING                                                                                  \
    "\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"https://a.b/c\",\"title\":"   \
    "\"C\"}},{\"retrievedContext\":{\"title\":\"D\",\"text\":\"ja\"}}],\"groundingSupports\":[{"   \
    "\"segment\":{\"startIndex\":13,\"endIndex\":16,\"text\":\"Ja.\"},\"groundingChunkIndices\":"  \
    "[0,1]}]}"
#define ANNOTATIONS                                                                                \
    "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":12,"            \
    "\"end_index\":15,\"url\":\"https://a.b/c\",\"title\":\"C\"}}]"

struct said {
    const char *type, *data;
};

static const struct upstream {
    const struct km_codec *codec;
    const char *whole;
    struct said stream[14];
} anthropic = {
    &km_codec_messages,
    "{\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"Es grünt so.\"},{\"type\":\"text\","
    "\"text\":\"Ja.\",\"citations\":[" PAGE_A "," CHARS_A "]}],\"stop_reason\":\"end_turn\","
    "\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}",
    { { "message_start", "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":"
                         "{\"input_tokens\":1,\"output_tokens\":1}}}" },
      { "content_block_start", "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
                               "{\"type\":\"text\",\"text\":\"\"}}" },
      { "content_block_delta", "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
                               "{\"type\":\"text_delta\",\"text\":\"Es grünt so.\"}}" },
      { "content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}" },
      { "content_block_start", "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":"
                               "{\"type\":\"text\",\"text\":\"\",\"citations\":[]}}" },
      { "content_block_delta", "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
                               "{\"type\":\"citations_delta\",\"citation\":" PAGE_A "}}" },
      { "content_block_delta", "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
                               "{\"type\":\"text_delta\",\"text\":\"Ja.\"}}" },
      { "content_block_delta", "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
                               "{\"type\":\"citations_delta\",\"citation\":" CHARS_A "}}" },
      { "content_block_stop", "{\"type\":\"content_block_stop\",\"index\":1}" },
      { "message_delta", "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
                         "\"usage\":{\"output_tokens\":1}}" },
      { "message_stop", "{\"type\":\"message_stop\"}" } }
};

static const struct upstream converse = {
    &km_codec_converse,
    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"Es grünt so.\"},"
    "{\"citationsContent\":{\"content\":[{\"text\":\"Ja.\"}],\"citations\":[" PAGE_C "," CHARS_C
    "]}}]}},\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":1,\"outputTokens\":1}}",
    { { "messageStart", "{\"role\":\"assistant\"}" },
      { "contentBlockDelta",
        "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Es grünt so.\"}}" },
      { "contentBlockStop", "{\"contentBlockIndex\":0}" },
      { "contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"text\":\"Ja.\"}}" },
      { "contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"citation\":" PAGE_C "}}" },
      { "contentBlockDelta", "{\"contentBlockIndex\":1,\"delta\":{\"citation\":" CHARS_C "}}" },
      { "contentBlockStop", "{\"contentBlockIndex\":1}" },
      { "messageStop", "{\"stopReason\":\"end_turn\"}" },
      { "metadata", "{\"usage\":{\"inputTokens\":1,\"outputTokens\":1}}" } }
};

/* Its thoughts stand before, and its chunks say all again. */
static const struct upstream gemini = {
    &km_codec_gemini,
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":"
    "\"Es grünt so.Ja.\"}]},\"finishReason\":\"STOP\"," GROUNDING "}]}",
    { { "", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}]}" },
      { "", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Es grünt so.\"}]}}]}" },
      { "", "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Ja.\"}]}," GROUNDING "}]}" },
      { "", "{\"candidates\":[{\"content\":{\"parts\":[]},\"finishReason\":\"STOP\"," GROUNDING
            "}]}" } }
};

static const struct upstream openai = {
    &km_codec_openai,
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":"
    "\"assistant\",\"content\":\"Es grünt so.Ja.\"," ANNOTATIONS "}}]}",
    { { "", "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Es grünt so.\"}}]}" },
      { "", "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ja.\"}}]}" },
      { "", "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{" ANNOTATIONS "}}]}" },
      { "", "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}" },
      { "", "[DONE]" } }
};

static struct km_dropped lost;

static void begin_read(struct chat_fixture *f, const struct upstream *u,
                       const struct km_encoder *to, bool stream)
{
    begin_answer(f, to, stream, false);
    lost = (struct km_dropped){ .arena = &f->arena };
    f->answer.dropped = &lost;
    f->answer.gathers = true; /* as where the request asks for citations */
    begin_decode(f, u->codec);
}

static const char *whole(struct chat_fixture *f, const struct upstream *u,
                         const struct km_encoder *to)
{
    begin_read(f, u, to, false);
    if (u->codec->decode(&f->decode, km_str_c(u->whole), &f->err) < 0 ||
        to->whole(&f->answer, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return km_buf_cstr(&f->out);
}

static const char *streamed(struct chat_fixture *f, const struct upstream *u,
                            const struct km_encoder *to)
{
    begin_read(f, u, to, true);
    for (const struct said *e = u->stream; e->data; e++) {
        const struct km_frame_event event = { .type = km_str_c(e->type),
                                              .data = km_str_c(e->data) };

        if (u->codec->event(&f->decode, &event, &f->err) < 0)
            fail_msg("%s: %s", e->data, f->err.text);
        km_arena_done(&f->scratch);
    }
    if (u->codec->end(&f->decode, &f->err) < 0)
        fail_msg("%s", f->err.text);
    to->end(&f->answer);
    return km_buf_cstr(&f->out);
}

static const char *names(struct chat_fixture *f)
{
    struct km_buf b = KM_BUF(4096);
    struct km_str s;

    km_dropped_write(&lost, &b);
    s = km_arena_str(&f->arena, km_buf_view(&b));
    km_buf_done(&b);
    return s.n ? km_arena_cstr(&f->arena, s) : "";
}

#define HAS(text, part)                                                                            \
    do {                                                                                           \
        if (!strstr(text, part))                                                                   \
            fail_msg("no %s\nin %s", part, text);                                                  \
    } while (0)

#define IN_CHAT                                                                                    \
    "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":12,"            \
    "\"end_index\":15,\"url\":\"https://a.b/c\",\"title\":\"C\"}}]"

static void chats_have_annotations(void **state)
{
    static const struct upstream *const all[] = { &anthropic, &converse, &gemini, &openai };
    static const char *const gone[] = { "citations.cited_text, citations",
                                        "citations.cited_text, citations", "citations", "" };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        HAS(whole(f, all[i], &km_encoder_chat), IN_CHAT);
        assert_string_equal(names(f), gone[i]);
        HAS(streamed(f, all[i], &km_encoder_chat), "{" IN_CHAT "}");
        assert_string_equal(names(f), gone[i]);
        assert_null(strstr(strstr(km_buf_cstr(&f->out), "annotations") + 1, "annotations"));
    }
}

#define URL_R(start, end)                                                                          \
    "{\"type\":\"url_citation\",\"start_index\":" start ",\"end_index\":" end ",\"url\":"          \
    "\"https://a.b/c\",\"title\":\"C\"}"
#define FILE_R(index)                                                                              \
    "{\"type\":\"file_citation\",\"file_id\":\"\",\"filename\":\"D\",\"index\":" index "}"

/* There a block is an item, and places are of its text. */
static void responses_have_annotations(void **state)
{
    struct chat_fixture *f = *state;
    const char *text;

    HAS(whole(f, &anthropic, &km_encoder_responses),
        "\"text\":\"Ja.\",\"annotations\":[" URL_R("0", "3") "," FILE_R("1") "]");
    assert_string_equal(names(f), "citations.cited_text, citations.location, citations.place");
    HAS(whole(f, &openai, &km_encoder_responses), "\"annotations\":[" URL_R("12", "15") "]");
    assert_string_equal(names(f), "");
    text = streamed(f, &converse, &km_encoder_responses);
    HAS(text, "event: response.output_text.annotation.added\n");
    HAS(text,
        "\"output_index\":1,\"content_index\":0,\"annotation_index\":1,\"annotation\":" FILE_R(
            "1") "}");
    HAS(strstr(text, "response.completed"),
        "\"annotations\":[" URL_R("0", "3") "," FILE_R("1") "]");
    text = streamed(f, &gemini, &km_encoder_responses);
    HAS(text, "\"annotation_index\":0,\"annotation\":" URL_R("12", "15") "}");
    HAS(strstr(text, "response.completed"), "\"annotations\":[" URL_R("12", "15"));
}

#define CHARS_M                                                                                    \
    "{\"type\":\"char_location\",\"document_index\":1,\"document_title\":\"D\",\"file_id\":null,"  \
    "\"start_char_index\":3,\"end_char_index\":5,\"cited_text\":\"ja\"}"
#define PAGE_M(seal, words)                                                                        \
    "{\"type\":\"web_search_result_location\",\"url\":\"https://a.b/c\",\"title\":\"C\","          \
    "\"encrypted_index\":\"" seal "\",\"cited_text\":\"" words "\"}"

static void messages_have_citations(void **state)
{
    struct chat_fixture *f = *state;
    const char *text;

    HAS(whole(f, &converse, &km_messages_encoder),
        "\"text\":\"Ja.\",\"citations\":[" PAGE_M("", "words") "," CHARS_M "]");
    assert_string_equal(names(f), "");
    HAS(whole(f, &anthropic, &km_messages_encoder), PAGE_M("Eo8B", "words"));
    text = streamed(f, &converse, &km_messages_encoder);
    HAS(text, "\"index\":1,\"delta\":{\"type\":\"citations_delta\",\"citation\":" CHARS_M "}}");
    assert_string_equal(names(f), "");
    HAS(whole(f, &openai, &km_messages_encoder), "\"citations\":[" PAGE_M("", "") "]");
    assert_string_equal(names(f), "citations.place");
    HAS(streamed(f, &gemini, &km_messages_encoder),
        "\"index\":1,\"delta\":{\"type\":\"citations_delta\",\"citation\":" PAGE_M("", "") "}}");
    HAS(km_buf_cstr(&f->out), "\"type\":\"search_result_location\",\"search_result_index\":1,"
                              "\"source\":\"D\",\"title\":\"D\"");
}

#define SUPPORT(part, from, to, chunk)                                                             \
    "{\"segment\":{" part "\"startIndex\":" from ",\"endIndex\":" to ",\"text\":\"Ja.\"},"         \
    "\"groundingChunkIndices\":[" chunk "]}"
#define CHUNKS                                                                                     \
    "\"groundingChunks\":[{\"web\":{\"uri\":\"https://a.b/c\",\"title\":\"C\"}},"                  \
    "{\"retrievedContext\":{\"title\":\"D\",\"text\":\"ja\"}}]"

/* Places are bytes: of a part in a whole answer, of all the text in a stream. */
static void gemini_has_grounding(void **state)
{
    struct chat_fixture *f = *state;

    HAS(whole(f, &anthropic, &km_gemini_encoder), CHUNKS);
    HAS(km_buf_cstr(&f->out), SUPPORT("\"partIndex\":1,", "0", "3", "1"));
    assert_string_equal(names(f), "citations.cited_text, citations.location");
    HAS(streamed(f, &converse, &km_gemini_encoder), CHUNKS);
    HAS(km_buf_cstr(&f->out), SUPPORT("", "13", "16", "0"));
    HAS(whole(f, &openai, &km_gemini_encoder), SUPPORT("", "13", "16", "0"));
    assert_string_equal(names(f), "");
    HAS(streamed(f, &openai, &km_gemini_encoder), SUPPORT("", "13", "16", "0"));
}

/* A stream of which nobody foresaw that it would cite: the sources are told, and no wrong place. */
static void a_place_that_is_not_known_is_not_said(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_frame_event event = { .data = km_str_c(gemini.stream[2].data) };

    begin_read(f, &gemini, &km_gemini_encoder, true);
    f->answer.gathers = false;
    assert_int_equal(gemini.codec->event(&f->decode, &event, &f->err), 0);
    km_gemini_encoder.end(&f->answer);
    HAS(km_buf_cstr(&f->out), CHUNKS ",\"groundingSupports\":[]");
    assert_string_equal(names(f), "");
}

/* Whatever an upstream says of numbers stays within the text, and of sources within a bound. */
static void what_cannot_be_hurts_nobody(void **state)
{
    static const char *const cases[] = {
        "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":900,"
        "\"end_index\":5,\"url\":\"https://a\"}}]",
        "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":7,"
        "\"end_index\":90000,\"url\":\"https://a\"}}]",
        "\"annotations\":[{\"type\":\"url_citation\"},{\"type\":\"x\"},7,null]",
    };
    static const struct km_encoder *const to[] = { &km_encoder_chat, &km_encoder_responses,
                                                   &km_messages_encoder, &km_gemini_encoder,
                                                   &km_encoder_completion };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t e = 0; e < sizeof to / sizeof to[0]; e++) {
            struct upstream u = openai;
            const struct km_json *root;
            struct km_buf b = KM_BUF(4096);

            km_buf_printf(&b,
                          "{\"id\":\"c\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":"
                          "{\"content\":\"héllo\",%s}}]}",
                          cases[i]);
            u.whole = km_buf_cstr(&b);
            assert_int_equal(
                km_json_parse(&f->arena, km_str_c(whole(f, &u, to[e])), &root, &f->err), 0);
            km_buf_done(&b);
        }
}

static void a_number_that_cannot_be_is_not_known(void **state)
{
    static const struct km_encoder *const to[] = { &km_encoder_chat, &km_encoder_responses,
                                                   &km_messages_encoder, &km_gemini_encoder };
    struct chat_fixture *f = *state;
    struct upstream u = anthropic;

    u.whole =
        "{\"id\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"citations\":[{\"type\":"
        "\"page_location\",\"cited_text\":\"a\",\"document_title\":\"D\",\"document_index\":"
        "9223372036854775807,\"start_page_number\":9223372036854775807,"
        "\"end_page_number\":9223372036854775807}]}],\"stop_reason\":\"end_turn\"}";
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++)
        assert_null(strstr(whole(f, &u, to[i]), "9223372036854775807"));
}

/* Of a whole answer a place behind its text is known to be none: it is named, the page stays. */
static void a_place_behind_the_text_is_named(void **state)
{
    struct chat_fixture *f = *state;
    struct upstream u = openai;

    u.whole = "{\"id\":\"c\",\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":"
              "\"héllo\","
              "\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":2,"
              "\"end_index\":6,\"url\":\"https://a.b/c\",\"title\":\"C\"}}]}}]}";
    HAS(whole(f, &u, &km_encoder_responses), "\"annotations\":[" URL_R("0", "0") "]");
    assert_string_equal(names(f), "citations.place");
}

/* Perplexity's and xAI's stand beside the choices, a stream says them with each chunk. */
static void what_was_found_beside_the_choices_is_cited(void **state)
{
    static const char *const found[] = {
        "\"citations\":[\"https://x\"],\"search_results\":[{\"title\":\"C\",\"url\":"
        "\"https://a.b/c\",\"snippet\":\"\",\"date\":\"2026\"},{\"title\":7},8]",
        "\"citations\":[\"https://a.b/c\",7,null],\"search_results\":{}",
    };
    static const char *const told[] = { URL_R("0", "0"),
                                        "{\"type\":\"url_citation\",\"start_index\":0,"
                                        "\"end_index\":0,\"url\":\"https://a.b/c\","
                                        "\"title\":\"\"}" };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < 2; i++) {
        struct upstream u = openai;
        struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(4096);
        struct km_buf want KM_CLEANUP(km_buf_done) = KM_BUF(4096);

        km_buf_printf(&b,
                      "{\"id\":\"c\",%s,\"choices\":[{\"finish_reason\":\"stop\",\"message\":{"
                      "\"content\":\"So [1].\"}}]}",
                      found[i]);
        u.whole = km_buf_cstr(&b);
        km_buf_printf(&want, "\"annotations\":[%s]", told[i]);
        HAS(whole(f, &u, &km_encoder_responses), km_buf_cstr(&want));
    }
}

static void a_streams_end_says_once_what_was_found(void **state)
{
    struct chat_fixture *f = *state;
    const char *text;
    struct upstream u = {
        openai.codec,
        "",
        { { "", "{\"id\":\"c\",\"citations\":[\"https://x.y\"],\"choices\":[{\"delta\":"
                "{\"content\":\"So [1].\"}}]}" },
          { "", "{\"id\":\"c\",\"citations\":[\"https://x.y\"],\"choices\":[{\"delta\":"
                "{},\"finish_reason\":\"stop\"}]}" },
          { "", "[DONE]" } }
    };

    text = streamed(f, &u, &km_messages_encoder);
    HAS(text, "\"url\":\"https://x.y\"");
    assert_null(strstr(strstr(text, "https://x.y") + 1, "https://x.y"));
    assert_string_equal(names(f), "");
}

static void citations_without_end_are_bounded(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_citation c = {
        .kind = KM_CITE_WEB, .url = KM_STR("https://a"), .start = -1, .end = -1
    };

    begin_read(f, &openai, &km_messages_encoder, true);
    PUT(f, .kind = KM_CHAT_START);
    PUT(f, .kind = KM_CHAT_TEXT, .text = KM_STR("a"));
    for (unsigned i = 0; i < 3 * KM_CITATIONS_MOST; i++)
        assert_int_equal(km_answer_cite(&f->answer, 0, 0, &c, &f->err), 0);
    assert_string_equal(names(f), "citations");
    assert_true(f->out.n < (size_t)KM_CITATIONS_MOST * 400);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(chats_have_annotations),
        CASE(responses_have_annotations),
        CASE(messages_have_citations),
        CASE(gemini_has_grounding),
        CASE(a_place_that_is_not_known_is_not_said),
        CASE(what_cannot_be_hurts_nobody),
        CASE(a_place_behind_the_text_is_named),
        CASE(a_number_that_cannot_be_is_not_known),
        CASE(what_was_found_beside_the_choices_is_cited),
        CASE(a_streams_end_says_once_what_was_found), CASE(citations_without_end_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a translation leaves out is told: every member of each API's requests and of each vendor's
 * answers is in tests/data/members with what becomes of it, and a codec writes the traits it says
 * it carries. */
#include <stdio.h>
#include <string.h>

#include "chat_fixture.h"
#include "http/json_out.h"
#include "http/json_take.h"
#include "llm/api/gemini.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/dropped.h"
#include "llm/provider.h"
#include "llm/provider/codecs.h"
#include "llm/provider/rows.h"

static const char *names_left(struct chat_fixture *f, const struct km_json *root,
                              const struct km_str *idle)
{
    struct km_dropped d = { .arena = &f->arena };

    km_dropped_left(&d, root, idle);
    km_buf_reset(&f->out);
    km_dropped_write(&d, &f->out);
    return km_buf_cstr(&f->out);
}

static void what_nobody_took_is_named_by_its_place(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_json *root = chat_tree(
        f, "{\"a\":1,\"b\":{\"c\":2,\"d\":{\"e\":3}},\"l\":[{\"x\":1,\"y\":2},{\"y\":3}],"
           "\"n\":null,\"f\":false,\"s\":\"\",\"o\":{},\"i\":[],\"w\":{\"all\":{\"of\":1}}}");
    const struct km_json *first;
    struct km_json_iter it;
    struct km_str key;

    assert_string_equal(names_left(f, root, NULL), "a, b, l, w");
    (void)km_json_take(root, "a");
    (void)km_json_take(km_json_take(root, "b"), "c");
    km_json_iter(km_json_take(root, "l"), &it);
    assert_true(km_json_next(&it, &key, &first));
    (void)km_json_take(first, "x");
    km_json_take_all(km_json_take(root, "w"));
    assert_string_equal(names_left(f, root, NULL), "b.d, l.y");
    assert_string_equal(names_left(f, root, (const struct km_str[]){ KM_IDLE("l.y"), KM_IDLE("") }),
                        "b.d");
}

static void a_name_is_fit_for_a_header(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_json *root = chat_tree(
        f, "{\"a\\r\\nX-B: 1,\":1,\"0123456789012345678901234567890123456789012345678901234"
           "5678901234567890123456789012345678901234567890123456789\":1}");
    const char *said = names_left(f, root, NULL);

    struct km_dropped d = { .arena = &f->arena };

    assert_null(strpbrk(said, "\r\n"));
    km_dropped_note(&d, KM_STR("x\r\nSet-Cookie: a=b, \xc3\xa9"));
    assert_true(km_str_eq(d.v[0], KM_STR("x??Set-Cookie:?a=b????")));
    assert_true(strlen(said) < 10 + 2 + KM_JSON_PLACE + 1);
}

/* Documents of one sequence of types that were read alike have one shape, others mostly another. */
static void a_shape_tells_what_was_read(void **state)
{
    struct chat_fixture *f = *state;
    const struct km_json *a = chat_tree(f, "{\"x\":{\"t\":\"one\"}}");
    const struct km_json *b = chat_tree(f, "{\"x\":{\"t\":\"another\"}}");
    const struct km_json *c = chat_tree(f, "{\"x\":{\"t\":\"one\",\"u\":{}}}");

    assert_true(km_json_shape(a) == km_json_shape(b) && km_json_shape(a) != km_json_shape(c));
    (void)km_json_take(a, "x");
    assert_true(km_json_shape(a) != km_json_shape(b));
    (void)km_json_take(b, "x");
    assert_true(km_json_shape(a) == km_json_shape(b));
}

/* --- every member --- */

/* A file has, a line each: "request" or "answer" with a document of every member, or "event" with
 * its type and one event; then "left" with the places that are told of. */
static char *next_line(FILE *file, char *line, size_t size)
{
    while (fgets(line, (int)size, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] && line[0] != '#')
            return line;
    }
    return NULL;
}

static void read_answer(struct chat_fixture *f, const struct km_codec *codec, struct km_str type,
                        struct km_str text, struct km_dropped *d)
{
    const struct km_frame_event e = { .type = type, .data = text };
    int r;

    r = type.n ? codec->event(&f->decode, &e, &f->err) : codec->decode(&f->decode, text, &f->err);
    if (r < 0)
        fail_msg("%s: %s", text.p, f->err.text);
    if (f->decode.read)
        km_dropped_left(d, f->decode.read, codec->idle);
    f->decode.read = NULL;
}

static void begin_reading(struct chat_fixture *f, const struct km_codec *codec, bool stream)
{
    begin_answer(f, &km_encoder_chat, stream, true);
    f->decode = (struct km_decode){ .answer = &f->answer,
                                    .arena = &f->arena,
                                    .scratch = &f->scratch,
                                    .state = km_arena_zalloc(&f->arena, codec->state_size + 1) };
}

static void check_left(struct chat_fixture *f, const struct km_dropped *d, const char *want,
                       const char *document)
{
    km_buf_reset(&f->out);
    km_dropped_write(d, &f->out);
    if (strcmp(d->n ? km_buf_cstr(&f->out) : "-", want) != 0)
        fail_msg("left: %s\nwant: %s\nof %.300s", km_buf_cstr(&f->out), want, document);
}

static void check_file(struct chat_fixture *f, const char *name, const struct km_llm_api *api,
                       const struct km_codec *codec)
{
    static char line[65536], document[65536];
    struct km_dropped d = { .arena = &f->arena };
    char path[512];
    FILE *file;
    size_t checked = 0;

    (void)snprintf(path, sizeof path, KM_TEST_MEMBERS "/%s.txt", name);
    file = fopen(path, "r");
    assert_non_null(file);
    while (next_line(file, line, sizeof line)) {
        char *text = strchr(line, ' ');

        assert_non_null(text);
        *text++ = '\0';
        if (strcmp(line, "left") == 0) {
            check_left(f, &d, text, document);
            d.n = 0;
            d.more = false;
            f->decode.state = NULL;
            checked++;
            continue;
        }
        (void)snprintf(document, sizeof document, "%s", text);
        if (strcmp(line, "request") == 0) {
            struct km_llm_request r = { 0 };
            const struct km_json *root = chat_tree(f, document);

            if (km_llm_request_parse(&r, api, &f->arena, km_str_c(document), KM_STR("m"), &f->err) <
                0)
                fail_msg("%s", f->err.text);
            if (api->decode(&r, root, &f->arena, &f->chat, &f->err) < 0)
                fail_msg("%s", f->err.text);
            km_dropped_left(&d, root, api->idle);
        } else if (strcmp(line, "answer") == 0) {
            begin_reading(f, codec, false);
            read_answer(f, codec, KM_STR_NONE, km_str_c(document), &d);
        } else {
            if (!f->decode.state)
                begin_reading(f, codec, true);
            read_answer(f, codec, km_str_c(line), km_str_c(document), &d);
        }
    }
    fclose(file);
    assert_true(checked > 0);
}

static void every_member_of_a_request_is_read_or_told(void **state)
{
    struct chat_fixture *f = *state;

    check_file(f, "request-chat", &km_api_chat, NULL);
    check_file(f, "request-messages", &km_api_messages, NULL);
    check_file(f, "request-responses", &km_api_responses, NULL);
    check_file(f, "request-gemini", &km_api_gemini, NULL);
}

static void every_member_of_an_answer_is_read_or_told(void **state)
{
    struct chat_fixture *f = *state;

    check_file(f, "answer-openai", NULL, &km_codec_openai);
    check_file(f, "answer-anthropic", NULL, &km_codec_messages);
    check_file(f, "answer-gemini", NULL, &km_codec_gemini);
    check_file(f, "answer-converse", NULL, &km_codec_converse);
    check_file(f, "answer-ollama", NULL, &km_codec_ollama);
}

/* --- traits --- */

static void one_chat(struct chat_fixture *f, int trait, bool document)
{
    struct km_chat *c = &f->chat;
    struct km_message *m;
    struct km_part *p, **end;
    struct km_tool *t;

    km_chat_init(c);
    m = km_chat_message(c, &f->arena, KM_ROLE_USER);
    p = km_chat_part(&f->arena, &m->parts, KM_PART_TEXT);
    p->text = KM_STR("hi");
    p = km_chat_part(&f->arena, &p->next, KM_PART_IMAGE);
    p->media.type = KM_STR("image/png");
    p->media.data = KM_STR("AAAA");
    if (trait == KM_TRAIT_IMAGE_DETAIL)
        p->media.detail = KM_STR("high");
    if (trait == KM_TRAIT_IMAGE_NAME)
        p->media.name = KM_STR("a.png");
    if (trait == KM_TRAIT_CACHE_POINT)
        p->cache_ttl_s = 300;
    if (document) {
        p = km_chat_part(&f->arena, &p->next, KM_PART_DOCUMENT);
        p->media.type = KM_STR("application/pdf");
        p->media.data = KM_STR("JVBERi0x");
        p->cite = trait == KM_TRAIT_CITE;
        p->context = trait == KM_TRAIT_CONTEXT ? KM_STR("of 2024") : KM_STR_NONE;
    }
    if (trait == KM_TRAIT_NAME)
        m->name = KM_STR("ann");
    t = km_chat_tool(c, &f->arena);
    t->name = KM_STR("f");
    t->schema_json =
        KM_STR("{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}");
    t->strict = trait == KM_TRAIT_TOOL_STRICT ? 1 : -1;
    c->set |= KM_P_BIT(KM_P_TOOLS);
    m = km_chat_message(c, &f->arena, KM_ROLE_ASSISTANT);
    end = &m->parts;
    if (trait == KM_TRAIT_THOUGHTS || trait == KM_TRAIT_UNSIGNED) {
        p = km_chat_part(&f->arena, end, KM_PART_REASONING);
        p->text = KM_STR("hm");
        if (trait == KM_TRAIT_THOUGHTS)
            p->signature = KM_STR("c2lnbmVk");
        end = &p->next;
    }
    if (trait == KM_TRAIT_SPOKEN_IMAGE || trait == KM_TRAIT_SPOKEN_FILE) {
        bool image = trait == KM_TRAIT_SPOKEN_IMAGE;

        p = km_chat_part(&f->arena, end, image ? KM_PART_IMAGE : KM_PART_DOCUMENT);
        p->media.type = image ? KM_STR("image/png") : KM_STR("application/pdf");
        p->media.data = image ? KM_STR("AAAA") : KM_STR("JVBERi0x");
        end = &p->next;
    }
    p = km_chat_part(&f->arena, end, KM_PART_TOOL_USE);
    p->id = KM_STR("call_1");
    p->name = KM_STR("f");
    p->input_json = KM_STR("{}");
    c->cache_ttl_s = trait == KM_TRAIT_CACHE_ALL ? 300 : 0;
    c->cache_retention = trait == KM_TRAIT_RETENTION ? KM_STR("24h") : KM_STR_NONE;
    c->calls_validated = trait == KM_TRAIT_VALIDATED;
    m = km_chat_message(c, &f->arena, KM_ROLE_USER);
    p = km_chat_part(&f->arena, &m->parts, KM_PART_TOOL_RESULT);
    p->id = KM_STR("call_1");
    p->name = KM_STR("f");
    p->is_error = trait == KM_TRAIT_RESULT_ERROR;
    p = km_chat_part(&f->arena, &p->content, KM_PART_TEXT);
    p->text = KM_STR("broken");
}

static const char *encoded(struct chat_fixture *f, const struct km_codec *codec,
                           const struct km_provider *provider)
{
    struct km_deployment d = {
        .codec = codec, .provider = provider, .model = KM_STR("m"), .provider_name = KM_STR("p")
    };
    struct km_capability can;
    struct km_encode_args args = {
        .d = &d, .model = KM_STR("m"), .can = &can, .arena = &f->arena, .max_tokens = 9
    };
    struct km_json_out o;

    can = *km_capability_find(KM_STR("claude-sonnet-4-5"));
    args.state = km_arena_zalloc(&f->arena, codec->state_size + 1);
    args.keep = &f->arena;
    km_buf_reset(&f->out);
    km_json_out_init(&o, &f->out);
    if (codec->encode(&args, &f->chat, &o, &f->err) < 0)
        fail_msg("%s: %s", codec->name, f->err.text);
    return strdup(km_buf_cstr(&f->out));
}

/* OpenAI's own is one of a table. */
static const struct km_provider *row_of(const struct km_provider *provider)
{
    return provider ? provider : km_providers_openai;
}

static void a_codec_writes_the_traits_it_says_it_carries(void **state)
{
    static const struct {
        const struct km_codec *codec;
        const struct km_provider *provider;
    } rows[] = { { &km_codec_openai, NULL },
                 { &km_codec_messages, &km_provider_anthropic },
                 { &km_codec_converse, &km_provider_bedrock },
                 { &km_codec_gemini, &km_provider_gemini },
                 { &km_codec_ollama, &km_provider_ollama } };
    struct chat_fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int t = 0; t < KM_TRAIT_COUNT; t++) {
            bool document = t == KM_TRAIT_CITE || t == KM_TRAIT_CONTEXT, differs;
            bool file = document || t == KM_TRAIT_SPOKEN_FILE;
            char *plain, *with;

            if (t == KM_TRAIT_PREFILL) /* is written as any turn: its API says what it means */
                continue;
            if (t == KM_TRAIT_DISPLAY) /* with thinking only */
                continue;
            if (file && rows[i].codec == &km_codec_ollama) /* takes none */
                continue;
            one_chat(f, -1, document);
            assert_int_equal(km_chat_traits(&f->chat), 0);
            plain = (char *)(uintptr_t)encoded(f, rows[i].codec, row_of(rows[i].provider));
            one_chat(f, t, document);
            assert_int_equal(km_chat_traits(&f->chat), 1U << t);
            with = (char *)(uintptr_t)encoded(f, rows[i].codec, row_of(rows[i].provider));
            differs = strcmp(plain, with) != 0;
            if (differs != (rows[i].codec->carries >> t & 1))
                fail_msg("%s says otherwise of trait %d: %s", rows[i].codec->name, t, with);
            free(plain);
            free(with);
        }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, chat_setup, chat_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_nobody_took_is_named_by_its_place),
        CASE(a_name_is_fit_for_a_header),
        CASE(a_shape_tells_what_was_read),
        CASE(every_member_of_a_request_is_read_or_told),
        CASE(every_member_of_an_answer_is_read_or_told),
        CASE(a_codec_writes_the_traits_it_says_it_carries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

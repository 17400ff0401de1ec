/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "llm/embed.h"
#include "llm/provider/bedrock.h"
#include "llm/provider/codecs.h"

#define TITAN_1 "amazon.titan-embed-text-v1"
#define TITAN_2 "amazon.titan-embed-text-v2:0"
#define COHERE_3 "cohere.embed-english-v3"
#define COHERE_4 "us.cohere.embed-v4:0"

struct fixture {
    struct km_arena arena;
    struct km_deployment d;
    struct km_embed embed;
    struct km_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    km_arena_init(&f->arena, 16 << 20, NULL);
    f->d = (struct km_deployment){ .provider_name = KM_STR("bedrock") };
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

/* The body for the inputs first and following, `count` of them. */
static int encode(struct fixture *f, const char *model, const char *request, size_t first,
                  size_t count, const char **ret)
{
    struct km_encode_args args = { .d = &f->d,
                                   .model = km_str_c(model),
                                   .can = km_capability_find(km_str_c(model)),
                                   .arena = &f->arena };
    const struct km_json *root;
    struct km_json_out out;
    struct km_str *parts;
    size_t n;
    int r;

    assert_int_equal(km_json_parse(&f->arena, km_str_c(request), &root, NULL), 0);
    assert_int_equal(km_embed_read(&f->d, root, &f->arena, &f->embed, &f->err), 0);
    f->embed.first = first;
    f->embed.count = count;
    km_json_out_parts_init(&out, &f->arena, 1 << 20);
    r = km_codec_converse.embed_encode(&args, &f->embed, &out, &f->err);
    if (r == 0) {
        assert_int_equal(km_json_out_parts(&out, &parts, &n, NULL), 0);
        *ret = km_arena_cstr(&f->arena, km_arena_cat(&f->arena, parts, n));
    }
    km_json_out_done(&out);
    return r;
}

static void expect(struct fixture *f, const char *model, const char *request, size_t first,
                   size_t count, const char *want)
{
    const char *body = "";

    if (encode(f, model, request, first, count, &body) < 0)
        fail_msg("%s", f->err.text);
    assert_string_equal(body, want);
}

static void each_family_has_its_body(void **state)
{
    struct fixture *f = *state;
    const char *two = "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}";
    const char *sized = "{\"model\":\"m\",\"input\":\"a\",\"dimensions\":256}";

    expect(f, TITAN_1, two, 1, 1, "{\"inputText\":\"b\"}");
    expect(f, TITAN_2, sized, 0, 1, "{\"inputText\":\"a\",\"dimensions\":256}");
    expect(f, TITAN_2, "{\"input\":\"a\",\"normalize\":false}", 0, 1,
           "{\"inputText\":\"a\",\"normalize\":false}");
    expect(f, "amazon.titan-embed-image-v1", sized, 0, 1,
           "{\"inputText\":\"a\",\"embeddingConfig\":{\"outputEmbeddingLength\":256}}");
    expect(f, "amazon.nova-2-multimodal-embeddings-v1:0", sized, 0, 1,
           "{\"taskType\":\"SINGLE_EMBEDDING\",\"singleEmbeddingParams\":{\"embeddingPurpose\":"
           "\"GENERIC_INDEX\",\"embeddingDimension\":256,\"text\":{\"truncationMode\":\"END\","
           "\"value\":\"a\"}}}");
    expect(f, COHERE_3, two, 0, 2, "{\"texts\":[\"a\",\"b\"],\"input_type\":\"search_document\"}");
    expect(f, COHERE_4, "{\"input\":\"a\",\"dimensions\":512,\"input_type\":\"search_query\"}", 0,
           1,
           "{\"texts\":[\"a\"],\"output_dimension\":512,\"embedding_types\":[\"float\"],"
           "\"input_type\":\"search_query\"}");
}

static void what_a_family_cannot_is_refused(void **state)
{
    struct fixture *f = *state;
    const char *sized = "{\"input\":\"a\",\"dimensions\":256}", *body;

    assert_int_equal(encode(f, TITAN_1, sized, 0, 1, &body), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "dimensions");
    assert_int_equal(encode(f, COHERE_3, sized, 0, 1, &body), KM_E_UNSUPPORTED);
    assert_int_equal(encode(f, "anthropic.claude-sonnet-4-6", sized, 0, 1, &body),
                     KM_E_UNSUPPORTED);
    assert_int_equal(encode(f, TITAN_2, "{\"input\":[1,2]}", 0, 1, &body), KM_E_UNSUPPORTED);
    assert_string_equal(f->err.param, "input");
    f->d.drop_params = true;
    expect(f, TITAN_1, sized, 0, 1, "{\"inputText\":\"a\"}");
}

static void answers_of_every_shape_are_read(void **state)
{
    static const struct {
        const char *body;
        const char *a, *b; /* b NULL: one input */
        int tokens; /* -1: not said */
    } cases[] = {
        { "{\"embedding\":[1,2.5],\"inputTextTokenCount\":7}", "[1,2.5]", NULL, 7 },
        { "{\"embeddings\":[{\"embeddingType\":\"TEXT\",\"embedding\":[3]}]}", "[3]", NULL, -1 },
        { "{\"embeddings\":[[1],[2]],\"response_type\":\"embeddings_floats\"}", "[1]", "[2]", -1 },
        { "{\"embeddings\":{\"float\":[[1e-7],[2]]}}", "[1e-7]", "[2]", -1 },
    };
    struct fixture *f = *state;
    const char *ignored;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = cases[i].b ? 2 : 1;

        assert_int_equal(encode(f, COHERE_3, "{\"input\":[\"a\",\"b\"]}", 0, n, &ignored), 0);
        assert_int_equal(
            km_bedrock_embed_decode(&f->embed, &f->arena, km_str_c(cases[i].body), &f->err), 0);
        assert_string_equal(km_arena_cstr(&f->arena, f->embed.vectors[0]), cases[i].a);
        if (cases[i].b)
            assert_string_equal(km_arena_cstr(&f->arena, f->embed.vectors[1]), cases[i].b);
        assert_int_equal(f->embed.usage.known, cases[i].tokens >= 0);
        if (cases[i].tokens >= 0)
            assert_int_equal(f->embed.usage.prompt_tokens, cases[i].tokens);
    }
}

static void answers_that_lack_something_are_errors(void **state)
{
    static const char *const cases[] = { "", "{}", "{\"embedding\":3}", "{\"embedding\":[]}",
                                         "{\"embeddings\":[[1]]}", "{\"embeddings\":{}}" };
    struct fixture *f = *state;
    const char *ignored;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(encode(f, COHERE_3, "{\"input\":[\"a\",\"b\"]}", 0, 2, &ignored), 0);
        assert_int_equal(km_bedrock_embed_decode(&f->embed, &f->arena, km_str_c(cases[i]), &f->err),
                         KM_E_UPSTREAM_PROTOCOL);
    }
}

/* A second `texts` would be embedded, and billed, in place of those that were judged. */
static void what_is_written_here_is_not_said_twice(void **state)
{
    static const struct {
        const char *model, *member;
    } rows[] = {
        { "cohere.embed-v4:0", "\"texts\":[\"b\"]" },
        { "cohere.embed-v4:0", "\"t\\u0065xts\":\"b\"" },
        { "cohere.embed-v4:0", "\"dimensions\":256,\"output_dimension\":512" },
        { "amazon.titan-embed-text-v2:0", "\"inputText\":\"b\"" },
        { "amazon.nova-2-multimodal-embeddings-v1:0", "\"singleEmbeddingParams\":{}" },
    };
    const char *body;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = *state;
        char text[200];

        snprintf(text, sizeof text, "{\"model\":\"m\",\"input\":\"a\",%s}", rows[i].member);
        if (encode(f, rows[i].model, text, 0, 1, &body) != KM_E_INVALID)
            fail_msg("%s: %s", rows[i].model, rows[i].member);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_family_has_its_body),
        TEST(what_a_family_cannot_is_refused),
        TEST(what_is_written_here_is_not_said_twice),
        TEST(answers_of_every_shape_are_read),
        TEST(answers_that_lack_something_are_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

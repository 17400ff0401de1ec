/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of interfaces, and arguments of the tools that are made of them.
 *
 * The document ends with a NUL; behind it are arguments.  Whatever both say, names are what a
 * model's interface takes and are each other's no twin, schemas are objects of bounded size and
 * depth, and a request stays below the base: its path has no segment of dots, and neither target
 * nor head holds a byte that would end it early.
 */
#include "fuzz.h"

#include <string.h>

#include "mcp/openapi/openapi.h"
#include "mcp/schema.h"

#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

static void look_at_name(const struct km_openapi *doc, size_t i)
{
    struct km_str name = doc->tools[i].name;

    must(name.n > 0 && name.n <= 128);
    for (size_t k = 0; k < name.n; k++)
        must((name.p[k] >= 'a' && name.p[k] <= 'z') || (name.p[k] >= '0' && name.p[k] <= '9') ||
             name.p[k] == '_' || name.p[k] == '-');
    for (size_t k = 0; k < i; k++)
        must(!km_str_eq(name, doc->tools[k].name));
}

static void look_at_request(const struct km_openapi_request *r)
{
    struct km_str target = km_buf_view(&r->target), head = km_buf_view(&r->head), part;
    struct km_str path = km_str_sub(target, 0, km_str_chr(target, '?'));

    must(km_str_starts(target, KM_STR("/base/")));
    for (size_t i = 0; i < target.n; i++)
        must((unsigned char)target.p[i] > ' ' && (unsigned char)target.p[i] < 0x7f &&
             target.p[i] != '#');
    while (km_str_split(&path, '/', &part))
        must(!km_str_eq(part, KM_STR(".")) && !km_str_eq(part, KM_STR("..")));
    while (km_str_split(&head, '\n', &part)) {
        if (!part.n && !head.n)
            break;
        must(part.n > 3 && part.p[part.n - 1] == '\r' && km_str_find(part, KM_STR(": ")) < part.n &&
             km_str_chr(part, '\r') == part.n - 1);
    }
}

static void ask(const struct km_openapi *doc, size_t i, const struct km_json *args)
{
    struct km_openapi_request r;
    struct km_err err = { 0 };

    km_openapi_request_init(&r);
    if (km_openapi_request(&doc->ops[i], KM_STR("/base"), args, &r, &err) == 0)
        look_at_request(&r);
    else
        must(err.text[0] != 0);
    km_openapi_request_done(&r);
}

static void use(const struct km_openapi *doc, struct km_str arguments)
{
    const struct km_json *args = NULL, *schema;
    struct km_arena arena;

    km_arena_init(&arena, ARENA_BYTES, NULL);
    if (km_json_parse(&arena, arguments, &args, NULL) < 0 || km_json_kind(args) != KM_JSON_OBJECT)
        args = NULL;
    for (size_t i = 0; i < doc->n; i++) {
        struct km_str input = doc->tools[i].input;

        look_at_name(doc, i);
        must(input.n <= KM_OPENAPI_SCHEMA_BYTES && km_json_surely_object(input));
        must(km_json_parse(&arena, input, &schema, NULL) == 0);
        if (args)
            (void)!km_schema_check(schema, args, NULL);
        ask(doc, i, args);
    }
    km_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t n = end ? (size_t)(end - data) : size;
    struct km_openapi_args args = { .text = km_str((const char *)data, n),
                                    .name = KM_STR("fuzz"),
                                    .url = KM_STR("https://h.example/a/openapi.json") };
    struct km_openapi *doc;
    struct km_err err = { 0 };

    if (km_openapi_new(&args, &doc, &err) < 0) {
        must(err.text[0] != 0);
        return 0;
    }
    must(doc->n > 0 && doc->n <= KM_OPENAPI_TOOLS);
    use(doc, end ? km_str((const char *)end + 1, size - n - 1) : KM_STR("{}"));
    km_openapi_unref(doc);
    return 0;
}

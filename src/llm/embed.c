/* SPDX-License-Identifier: Apache-2.0 */
/* embed.c - see embed.h.
 *
 * Vectors stay text from the upstream to the client, so that no digit changes; only where the
 * caller asked for base64 are they read, into the 32-bit floats that OpenAI's libraries expect.
 */
#include "llm/embed.h"

#include <stdlib.h>

#include "base/encode.h"
#include "http/json_out.h"
#include "llm/answer.h"
#include "llm/api/openai.h"
#include "llm/api/read.h"

static int read_input(const struct km_reading *rd, const struct km_place *at,
                      const struct km_json *v, struct km_embed_input *ret)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;
    int64_t token;

    if (km_json_kind(v) == KM_JSON_STRING)
        return km_read_needed(rd, at, v, &ret->text);
    if (km_json_kind(v) == KM_JSON_OBJECT && km_json_count(v) > 0)
        return km_read_object(rd, at, v, &ret->object_json);
    if (km_json_kind(v) != KM_JSON_ARRAY || km_json_count(v) == 0)
        return km_read_bad(rd, at, "must be a text or a list of tokens, and not empty");
    km_json_iter(v, &it);
    for (size_t i = 0; km_json_next(&it, &key, &item); i++)
        if (!km_json_i64(item, &token) || token < 0)
            return km_read_bad(rd, KM_ITEM(at, i), "must be a token's number");
    ret->tokens_json = km_json_compact(v, rd->arena);
    return ret->tokens_json.n ? 0 : km_read_nomem(rd);
}

/* A list of numbers is one input, a list of anything else a list of inputs. */
static bool one_input(const struct km_json *v)
{
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;

    if (km_json_kind(v) != KM_JSON_ARRAY)
        return true;
    km_json_iter(v, &it);
    return km_json_next(&it, &key, &item) && km_json_kind(item) == KM_JSON_NUMBER;
}

static int read_inputs(const struct km_reading *rd, const struct km_json *v, struct km_embed *e)
{
    const struct km_place *at = KM_AT(NULL, "input");
    bool one = one_input(v);
    size_t n = one ? 1 : km_json_count(v);
    struct km_embed_input *inputs;
    struct km_json_iter it;
    const struct km_json *item;
    struct km_str key;
    int r = 0;

    if (n == 0)
        return km_read_bad(rd, at, "must not be empty");
    if (n > KM_EMBED_INPUTS_MOST)
        return km_read_bad(rd, at, "holds more than 2048 inputs");
    inputs = km_arena_zalloc(rd->arena, n * sizeof *inputs);
    e->vectors = km_arena_zalloc(rd->arena, n * sizeof *e->vectors);
    if (!inputs || !e->vectors)
        return km_read_nomem(rd);
    e->inputs = inputs;
    e->n = n;
    if (one)
        return read_input(rd, at, v, &inputs[0]);
    km_json_iter(v, &it);
    for (size_t i = 0; r == 0 && km_json_next(&it, &key, &item); i++)
        r = read_input(rd, KM_ITEM(at, i), item, &inputs[i]);
    return r;
}

static int read_format(const struct km_reading *rd, const struct km_json *v, struct km_embed *e)
{
    const struct km_place *at = KM_AT(NULL, "encoding_format");
    struct km_str format = KM_STR("float");
    int r = km_read_string(rd, at, v, &format);

    e->base64 = km_str_eq(format, KM_STR("base64"));
    if (r == 0 && !e->base64 && !km_str_eq(format, KM_STR("float")))
        return km_read_bad(rd, at, "must be float or base64");
    return r;
}

static bool read_elsewhere(struct km_str name)
{
    static const char *const names[] = { "input", "encoding_format", "dimensions", "user" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (km_str_eq(name, km_str_c(names[i])))
            return true;
    return km_openai_member(name);
}

static int add_extra(const struct km_reading *rd, struct km_embed *e, struct km_str name,
                     struct km_str json)
{
    struct km_chat_extra *x = km_arena_zalloc(rd->arena, sizeof *x);

    if (!x)
        return km_read_nomem(rd);
    *x = (struct km_chat_extra){ .next = e->extras, .name = name, .json = json };
    e->extras = x;
    return 0;
}

static int read_extras(const struct km_reading *rd, const struct km_json *root, struct km_embed *e)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str name;
    int r = 0;

    for (km_json_iter(root, &it); r == 0 && km_json_next(&it, &name, &v);) {
        struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);

        if (!km_given(v) || read_elsewhere(name))
            continue;
        km_json_write(v, &json);
        r = add_extra(rd, e, name, km_arena_str(rd->arena, km_buf_view(&json)));
    }
    return r;
}

static int add_defaults(const struct km_reading *rd, const struct km_deployment *d,
                        const struct km_json *root, struct km_embed *e)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < d->ndefaults; i++) {
        const struct km_default_param *p = &d->defaults[i];

        if (km_given(km_json_get(root, km_arena_cstr(rd->arena, p->name))))
            continue;
        if (km_str_eq(p->name, KM_STR("dimensions"))) {
            if (km_str_i64(p->json, &e->dimensions) < 0)
                return km_read_bad(rd, KM_AT(NULL, "dimensions"), "must be a number");
        } else if (!read_elsewhere(p->name)) {
            r = add_extra(rd, e, p->name, p->json);
        }
    }
    return r;
}

int km_embed_read(const struct km_deployment *d, const struct km_json *root, struct km_arena *arena,
                  struct km_embed *ret, struct km_err *err)
{
    struct km_reading rd = { arena, err };
    int r;

    *ret = (struct km_embed){ 0 };
    r = read_inputs(&rd, km_json_get(root, "input"), ret);
    if (r == 0)
        r = read_format(&rd, km_json_get(root, "encoding_format"), ret);
    if (r == 0)
        r = km_read_i64(&rd, KM_AT(NULL, "dimensions"), km_json_get(root, "dimensions"), 1, 1000000,
                        &ret->dimensions);
    if (r == 0)
        r = km_read_string(&rd, KM_AT(NULL, "user"), km_json_get(root, "user"), &ret->user);
    if (r == 0)
        r = read_extras(&rd, root, ret);
    return r == 0 ? add_defaults(&rd, d, root, ret) : r;
}

struct km_str km_embed_extra(const struct km_embed *e, const char *name)
{
    for (const struct km_chat_extra *x = e->extras; x; x = x->next)
        if (km_str_eq(x->name, km_str_c(name)))
            return x->json;
    return KM_STR_NONE;
}

int km_embed_texts_only(const struct km_embed *e, const char *provider, struct km_err *err)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->inputs[i].object_json.n)
            return km_fail_param(err, KM_E_UNSUPPORTED, "input",
                                 "'input[%zu]' is no text, and %s takes nothing else here.", i,
                                 provider);
    return km_embed_no_tokens(e, provider, err);
}

int km_embed_no_tokens(const struct km_embed *e, const char *provider, struct km_err *err)
{
    for (size_t i = 0; i < e->n; i++)
        if (e->inputs[i].tokens_json.n)
            return km_fail_param(err, KM_E_UNSUPPORTED, "input",
                                 "'input[%zu]' holds OpenAI's tokens, which %s cannot read. Send "
                                 "the text.",
                                 i, provider);
    return 0;
}

int km_embed_put(struct km_embed *e, struct km_arena *arena, size_t i, const struct km_json *array,
                 struct km_err *err)
{
    struct km_buf json KM_CLEANUP(km_buf_done) = KM_BUF(4 * 1024 * 1024);

    if (i >= e->n || km_json_kind(array) != KM_JSON_ARRAY || km_json_count(array) == 0)
        return km_fail(err, KM_E_UPSTREAM_PROTOCOL, "The upstream's embedding %zu is none.", i);
    km_json_write(array, &json);
    e->vectors[i] = km_arena_str(arena, km_buf_view(&json));
    return km_buf_failed(&json) || km_arena_overflowed(arena)
               ? km_fail(err, KM_E_NOMEM, "out of memory")
               : 0;
}

void km_embed_used(struct km_embed *e, int64_t tokens, bool bad)
{
    e->usage.known = !bad && (e->first == 0 || e->usage.known);
    e->usage.prompt_tokens += tokens;
}

/* The numbers of a JSON array as 32-bit floats, lowest byte first. */
static int write_base64(struct km_buf *out, struct km_str array, struct km_err *err)
{
    struct km_buf floats KM_CLEANUP(km_buf_done) = KM_BUF(1024 * 1024);
    const char *at = array.p + 1, *end = array.p + array.n - 1;

    while (at < end) { /* the array's own bracket ends the last number */
        char *next;
        union {
            float f;
            uint32_t u;
        } v = { strtof(at, &next) };
        const unsigned char bytes[4] = { (unsigned char)v.u, (unsigned char)(v.u >> 8),
                                         (unsigned char)(v.u >> 16), (unsigned char)(v.u >> 24) };

        if (next == at)
            return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                           "The upstream's embedding holds what is no number.");
        km_buf_bytes(&floats, bytes, sizeof bytes);
        at = next + (next < end && *next == ',');
    }
    km_buf_byte(out, '"');
    km_buf_base64(out, km_buf_view(&floats));
    km_buf_byte(out, '"');
    return km_buf_failed(&floats) ? km_fail(err, KM_E_NOMEM, "out of memory") : 0;
}

int km_embed_write(const struct km_embed *e, struct km_str model, const struct km_usage *usage,
                   struct km_buf *out, struct km_err *err)
{
    int r = 0;

    km_buf_str(out, KM_STR("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; r == 0 && i < e->n; i++) {
        if (!e->vectors[i].n)
            return km_fail(err, KM_E_UPSTREAM_PROTOCOL,
                           "The upstream gave no embedding for input[%zu].", i);
        km_buf_printf(out, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", i ? "," : "",
                      i);
        if (e->base64)
            r = write_base64(out, e->vectors[i], err);
        else
            km_buf_str(out, e->vectors[i]);
        km_buf_byte(out, '}');
    }
    km_buf_str(out, KM_STR("],\"model\":"));
    km_buf_json(out, model);
    km_buf_printf(out, ",\"usage\":{\"prompt_tokens\":%lld,\"total_tokens\":%lld}}",
                  (long long)usage->prompt_tokens, (long long)usage->prompt_tokens);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* embed.h - the canonical embedding request and its answer.
 *
 * Providers without OpenAI's embeddings are asked through these (codec.h: embed_encode and
 * embed_decode).  Some take one text a request: the gateway then asks once for each window
 * first..first+count of the inputs, one after another.
 */
#ifndef KM_LLM_EMBED_H
#define KM_LLM_EMBED_H

#include "http/json.h"
#include "llm/chat.h"
#include "policy/price.h"

struct km_deployment;
struct km_llm_request;

struct km_embed_input {
    struct km_str text; /* decoded */
    struct km_str tokens_json; /* or a JSON array of OpenAI's tokens; else empty */
    struct km_str object_json; /* or an object of its provider's own: {"image": ...} */
};

struct km_embed {
    /* What is asked. */
    const struct km_embed_input *inputs;
    size_t n; /* at least 1 */
    int64_t dimensions; /* 0: not said */
    bool base64; /* the caller wants little-endian floats */
    struct km_str user;
    struct km_chat_extra *extras; /* members OpenAI does not have: "input_type" */
    size_t first, count; /* the window of the request under way */
    /* What came. */
    struct km_str *vectors; /* by input: a JSON array of numbers, whole; embed_decode's */
    struct km_usage usage; /* summed over the windows; .known when all of them said */
};

#define KM_EMBED_INPUTS_MOST 2048 /* OpenAI's own bound */

/* root: the body's tree, in the same arena.  d's default parameters are added where the caller
 * said nothing. */
int km_embed_read(const struct km_deployment *d, const struct km_json *root, struct km_arena *arena,
                  struct km_embed *ret, struct km_err *err) KM_MUST_USE;
/* An extra's JSON text, or empty. */
struct km_str km_embed_extra(const struct km_embed *e, const char *name);
/* Tokens, or tokens and objects, where they are not taken: KM_E_UNSUPPORTED naming the input. */
int km_embed_no_tokens(const struct km_embed *e, const char *provider,
                       struct km_err *err) KM_MUST_USE;
int km_embed_texts_only(const struct km_embed *e, const char *provider,
                        struct km_err *err) KM_MUST_USE;
/* The vector of inputs[i], from an array in a tree; KM_E_UPSTREAM_PROTOCOL when it is none. */
int km_embed_put(struct km_embed *e, struct km_arena *arena, size_t i, const struct km_json *array,
                 struct km_err *err) KM_MUST_USE;
/* Tokens of one window; bad: it did not say, or not what can be (llm/usage.h).  Once a window. */
void km_embed_used(struct km_embed *e, int64_t tokens, bool bad);
/* OpenAI's answer.  KM_E_UPSTREAM_PROTOCOL when a vector is missing. */
int km_embed_write(const struct km_embed *e, struct km_str model, const struct km_usage *usage,
                   struct km_buf *out, struct km_err *err) KM_MUST_USE;

#endif

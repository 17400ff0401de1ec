/* SPDX-License-Identifier: Apache-2.0 */
/* provider.h - who can serve a model: one row a provider.
 *
 * A row says everything the gateway must know to speak to that provider; adding an
 * OpenAI-compatible provider is one row in provider/openai_compatible.c.  A provider with a
 * protocol of its own is a row with its codec (docs/first-change.md walks through one).
 */
#ifndef KM_LLM_PROVIDER_H
#define KM_LLM_PROVIDER_H

#include "base/err.h"
#include "base/str.h"

/* What a provider's chat stream does about usage. */
enum km_stream_usage {
    KM_USAGE_OPTION, /* sent when stream_options.include_usage asks for it */
    KM_USAGE_ALWAYS, /* sent unasked; the option is not known there */
    KM_USAGE_NEVER, /* never sent; it is estimated */
};

/* How the base becomes the URL of an endpoint. */
enum km_base_rule {
    KM_BASE_PLAIN, /* base + "/chat/completions": the base ends in its version */
    KM_BASE_ADD_V1, /* "/v1" is put between when the base does not end in it (anthropic) */
};

struct km_codec; /* codec.h */
struct km_deployment;
struct km_model_build;
struct km_model_entry;

struct km_provider {
    const char *name; /* LiteLLM's prefix: "openai", "hosted_vllm" */
    const char *base; /* NULL: api_base must be configured */
    const char *base_env; /* variable that overrides base; NULL: none */
    const char *key_env[3]; /* variables that hold its key, first one set wins */
    const char *key_field; /* the header field of the key; NULL: "Authorization: Bearer" */
    const char *head; /* more header lines, each ended by CRLF; NULL: none */
    enum km_base_rule rule;
    enum km_stream_usage usage;
    const char *max_tokens; /* the member that bounds output there */
    const char *reasoning; /* a message's member that takes earlier reasoning; NULL: none */
    bool key_needed; /* false: a missing key sends none */
    bool top_k; /* takes `top_k` */
    bool cache_control; /* takes Anthropic's cache points on parts */
    const struct km_codec *codec; /* what it speaks; NULL: OpenAI's chat, for translation too */
    /* At load, after base and head were made from the row: what its own litellm_params say
     * (d->auth, another base, another head).  What is wrong with the entry becomes
     * d->unavailable and a warning; an error only when memory runs out.  NULL: nothing more. */
    int (*build)(struct km_deployment *d, const struct km_model_build *b,
                 const struct km_model_entry *entry, struct km_err *err);
};

/* NULL: no such provider here. */
const struct km_provider *km_provider_find(struct km_str name);
/* All rows in turn; NULL behind the last. */
const struct km_provider *km_provider_at(size_t i);

/* Prefixes LiteLLM knows whose protocol is not spoken here (yet): a model of theirs loads with
 * a warning and answers that it cannot be reached. */
bool km_provider_known_elsewhere(struct km_str name);

/* Splits "openai/gpt-4o"; without a known prefix the provider is inferred from the name
 * ("gpt-4o" is OpenAI's), as LiteLLM does.  An empty *ret_provider: unknown. */
void km_provider_split(struct km_str model, struct km_str *ret_provider, struct km_str *ret_model);

#endif

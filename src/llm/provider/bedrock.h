/* SPDX-License-Identifier: Apache-2.0 */
/* bedrock.h - how models of Amazon Bedrock are named: private to its files.
 *
 *     anthropic.claude-opus-4-8                    a model
 *     jp.anthropic.claude-sonnet-5                 an inference profile
 *     arn:aws:bedrock:us-east-1:1234:...           anything that has an ARN
 *     converse/ID  invoke/ID  REGION/ID            LiteLLM's ways to say more
 */
#ifndef KM_LLM_PROVIDER_BEDROCK_H
#define KM_LLM_PROVIDER_BEDROCK_H

#include "llm/codec.h"

struct km_bedrock_name {
    struct km_str id; /* what Bedrock is asked for */
    struct km_str region; /* said by the name; empty: not */
    bool invoke; /* by InvokeModel */
};
struct km_bedrock_name km_bedrock_name(struct km_str model);

/* "/model/ID/ACTION", escaped. */
struct km_str km_bedrock_path(struct km_str model, const char *action, struct km_arena *arena);

/* Betas of Anthropic's header that Bedrock knows, as a JSON list; empty: none.  *ret_all: it knows
 * all of them. */
struct km_str km_bedrock_known_betas(struct km_str header, bool invoke, struct km_arena *arena,
                                     bool *ret_all);

/* bedrock_embed.c */
#define KM_BEDROCK_COHERE_MOST 96 /* texts a request; of the others', one */
int km_bedrock_embed_encode(const struct km_encode_args *args, const struct km_embed *e,
                            struct km_json_out *out, struct km_err *err) KM_MUST_USE;
int km_bedrock_embed_decode(struct km_embed *e, struct km_arena *arena, struct km_str body,
                            struct km_err *err) KM_MUST_USE;

#endif

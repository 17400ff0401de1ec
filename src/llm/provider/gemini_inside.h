/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_inside.h - between the files that write a generateContent body. */
#ifndef KM_LLM_PROVIDER_GEMINI_INSIDE_H
#define KM_LLM_PROVIDER_GEMINI_INSIDE_H

#include "llm/provider/gemini.h"

struct km_gemini_writer {
    const struct km_encode_args *args;
    const struct km_chat *chat;
    struct km_json_out *out;
    struct km_err *err;
    bool newer; /* Gemini 3 and later */
    bool vertex;
};

/* gemini_turns.c */
void km_gemini_put_system(const struct km_gemini_writer *w);
int km_gemini_put_contents(const struct km_gemini_writer *w) KM_MUST_USE;
/* gemini_config.c */
int km_gemini_put_config(const struct km_gemini_writer *w) KM_MUST_USE;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* traits.h - what stands inside of a chat that not every protocol has a word for.
 *
 * Parameters are judged by km_chat_check(); these are members of messages, parts and tools.  A
 * codec says which of them its encoder writes (km_codec.carries); the others are noted, for they
 * change nothing but how well the answer may be.  tests/unit/llm/test_dropped.c holds each codec to
 * what it says.
 */
#ifndef KM_LLM_TRAITS_H
#define KM_LLM_TRAITS_H

#include "llm/chat.h"

/* XX(NAME, as it is told) */
#define KM_TRAITS(XX)                                                                              \
    XX(RESULT_ERROR, "is_error")         /* of a tool's result */                                  \
    XX(IMAGE_DETAIL, "detail")           /* of an image */                                         \
    XX(CACHE_POINT, "cache_control")     /* of a part or a tool */                                 \
    XX(TOOL_STRICT, "tools.strict")                                                                \
    XX(NAME, "messages.name")            /* of who speaks */                                       \
    XX(CITE, "citations")                /* of a document: they are asked for */                   \
    XX(CONTEXT, "context")               /* of a document */                                       \
    XX(THOUGHTS, "thinking")             /* a model's own of earlier turns */                      \
    XX(UNSIGNED, "thinking")             /* ... that nobody signed */                              \
    XX(SPOKEN_IMAGE, "image")            /* in a turn of the assistant's */                        \
    XX(SPOKEN_FILE, "document")          /* ... or audio */                                        \
    XX(IMAGE_NAME, "displayName")        /* of an image */                                         \
    XX(DISPLAY, "thinking.display")                                                                \
    XX(CACHE_ALL, "cache_control")       /* of all of it */                                        \
    XX(RETENTION, "prompt_cache_retention")                                                        \
    XX(VALIDATED, "toolConfig.functionCallingConfig.mode") /* calls are held to their schemas */   \
    XX(PREFILL, "prefill")               /* the last message is the assistant's own beginning */

enum km_trait {
#define XX(name, text) KM_TRAIT_##name,
    KM_TRAITS(XX)
#undef XX
        KM_TRAIT_COUNT,
};
#define KM_TRAIT_BIT(t) (1U << (KM_TRAIT_##t))

/* Those that it has, a bit each. */
unsigned km_chat_traits(const struct km_chat *chat);
/* Does it ask for citations, or may its answer rest on what is searched for?  traits: its own. */
bool km_chat_may_cite(const struct km_chat *chat, unsigned traits);
/* Notes those that carries has not; returns all of them. */
unsigned km_traits_note(const struct km_chat *chat, unsigned carries);

#endif

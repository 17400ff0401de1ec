/* SPDX-License-Identifier: Apache-2.0 */
/* media.h - images, audio and moderations: endpoints that are passed on and never translated.
 *
 * A row says where an endpoint is, how its body comes (JSON, a form, or either) and what is
 * counted there.  What a request asks for is one small struct, filled from JSON here and from a
 * form by whoever reads it (kept/upload.h); from it, the price and the answer follow
 * what the call may cost at most, and what it did cost.
 */
#ifndef KM_LLM_API_MEDIA_H
#define KM_LLM_API_MEDIA_H

#include "llm/api.h"

enum km_media_what {
    KM_MEDIA_IMAGE, /* made: tokens, images or pixels */
    KM_MEDIA_SPEECH, /* text spoken: characters, seconds or tokens */
    KM_MEDIA_AUDIO, /* audio heard: seconds or tokens */
    KM_MEDIA_CHECK, /* free unless it has a price */
};

enum km_media_body {
    KM_MEDIA_JSON,
    KM_MEDIA_FORM,
    KM_MEDIA_EITHER,
};

struct km_media_api {
    struct km_llm_api api; /* first: km_media_of() */
    enum km_media_what what;
    enum km_media_body body;
    const char *model; /* asked for where the request names none; NULL: it must */
};

extern const struct km_media_api km_media_generations, km_media_edits, km_media_variations,
    km_media_speech, km_media_transcriptions, km_media_translations, km_media_moderations;

static inline const struct km_media_api *km_media_of(const struct km_llm_api *api)
{
    return (const struct km_media_api *)(const void *)api;
}

/* What a request asks for, as far as it decides the price. */
struct km_media_ask {
    int64_t n; /* images */
    int64_t characters; /* of `input` */
    int64_t bytes; /* of the body, at most */
    int64_t files; /* in a form; -1: not known yet */
    struct km_str size, quality; /* "1024x1024", "hd"; empty: not said */
};

/* One field of a request, by name.  KM_E_INVALID: a number that is none; KM_E_NOT_FOUND, and
 * nothing in err: not one that counts. */
int km_media_set(struct km_media_ask *ask, struct km_str name, struct km_str value,
                 struct km_err *err) KM_MUST_USE;
/* From a JSON request that was parsed. */
int km_media_read(const struct km_llm_request *r, struct km_arena *arena, struct km_media_ask *ask,
                  struct km_err *err) KM_MUST_USE;

/* The deployment's price for what is asked, where its model's own is `base`: images are also
 * listed by quality and size ("hd/1024-x-1024/dall-e-3").  What costs nothing unless said is
 * priced 0. */
struct km_price km_media_price(const struct km_media_api *m, const struct km_media_ask *ask,
                               const struct km_deployment *d, struct km_price base,
                               struct km_str star, const struct km_prices *prices);
/* The most it can cost, nano-USD; false: no price is known. */
bool km_media_worst(const struct km_media_api *m, const struct km_media_ask *ask,
                    const struct km_price *price, int64_t *ret_nanousd);

/* What an answer says of itself. */
struct km_media_said {
    struct km_usage usage; /* tokens; known: it said how many */
    int64_t ms; /* of audio; 0: it did not say */
    char size[16], quality[16]; /* of images, where the request left them to the model */
    bool done; /* a stream's last event */
    bool error;
    bool nonsense; /* a count of it was none: the usage is estimated */
};
/* A whole JSON answer, or one event's data; what it does not say stays. */
void km_media_answer(const struct km_media_api *m, struct km_str json, struct km_media_said *said);
/* What is billed; estimated (usage.known false) where nobody counted. */
struct km_usage km_media_usage(const struct km_media_api *m, const struct km_media_ask *ask,
                               const struct km_price *price, const struct km_media_said *said);

#endif

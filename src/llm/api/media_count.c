/* SPDX-License-Identifier: Apache-2.0 */
/* media_count.c - what a call for images or audio may cost, and what it did.
 *
 *     before   the request, the price        -> the most it can be: reserved
 *     after    and what the answer said      -> what is billed
 *
 * Upstreams say tokens ({"usage":{"input_tokens","output_tokens",...}}), seconds
 * ({"usage":{"type":"duration","seconds"}}, "duration") or nothing.  Where the price needs what
 * nobody counted it is estimated and marked so.  The bounds below are generous on purpose: a
 * reservation that is too small is the one thing a budget cannot forgive.
 */
#include "llm/api/media.h"
#include "llm/usage.h"

#include <stdio.h>

#define IMAGE_TOKENS 8192 /* of one image, seen or made: above every size and quality there is */
#define IMAGE_PIXELS (2048 * 2048)
#define IMAGES_SEEN 16 /* in one request, where they were not counted */
#define PROMPT_TOKENS 32768
#define SPEECH_MS 500 /* a character, slowest */
#define SPEECH_MS_USUAL 66 /* 15 characters a second */
#define AUDIO_TOKENS_PER_S 25
#define AUDIO_BYTES_PER_S 1000 /* the thinnest speech codec that anybody sends */
#define AUDIO_BYTES_PER_S_USUAL 16000 /* 128 kbit/s */
#define AUDIO_BYTES_PER_S_LEAST 50 /* of silence, in any codec: no file lasts longer */
#define AUDIO_MS_SLACK 60000 /* and providers bill at least so much */
#define TEXT_TOKENS 16384 /* of a transcript */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* "1536x1024"; anything else: the most there is. */
static int64_t pixels_of(struct km_str size)
{
    size_t x = km_str_chr(size, 'x');
    int64_t w, h;

    if (km_str_i64(km_str_sub(size, 0, x), &w) < 0 ||
        km_str_i64(km_str_skip(size, x + 1), &h) < 0 || w < 1 || h < 1 || w > 16384 || h > 16384)
        return IMAGE_PIXELS;
    return w * h;
}

/* Tokens of one that was made and that nobody counted: OpenAI's table for gpt-image-1, whose sides
 * are 1024 or 1536.  A quality that it does not have, or none, is the dearest. */
static int64_t image_tokens(const struct km_media_ask *ask)
{
    static const struct {
        struct km_str quality;
        int64_t square, oblong;
    } rows[] = {
        { { "low", 3 }, 272, 408 },
        { { "medium", 6 }, 1056, 1584 },
        { { "high", 4 }, 4160, 6240 },
    };
    const size_t last = sizeof rows / sizeof rows[0] - 1;
    bool oblong =
        ask->size.n && pixels_of(ask->size) > 1024 * 1024 && pixels_of(ask->size) < IMAGE_PIXELS;
    size_t i = 0;

    while (i < last && !km_str_eq(ask->quality, rows[i].quality))
        i++;
    return oblong ? rows[i].oblong : rows[i].square;
}

/* --- prices --- */

static bool listed(const struct km_media_ask *ask, struct km_str quality,
                   const struct km_deployment *d, struct km_str model,
                   const struct km_prices *prices, struct km_price *ret)
{
    struct km_str size = ask->size.n ? ask->size : KM_STR("1024x1024");
    size_t x = km_str_chr(size, 'x');
    char name[300];
    int n = snprintf(name, sizeof name, "%.*s%s%.*s-x-%.*s/%.*s", KM_STR_ARG(quality),
                     quality.n ? "/" : "", KM_STR_ARG(km_str_sub(size, 0, x)),
                     KM_STR_ARG(km_str_skip(size, x + 1)), KM_STR_ARG(model));

    return x < size.n && n > 0 && (size_t)n < sizeof name &&
           km_prices_find(prices, d->provider_name, km_str(name, (size_t)n), ret);
}

struct km_price km_media_price(const struct km_media_api *m, const struct km_media_ask *ask,
                               const struct km_deployment *d, struct km_price base,
                               struct km_str star, const struct km_prices *prices)
{
    struct km_price price = base, by_size = KM_PRICE_NONE;
    struct km_str model = d->base_model.n ? d->base_model : d->upstream_model;
    struct km_str quality = ask->quality.n ? ask->quality : KM_STR("standard");

    if (km_str_eq(model, KM_STR("*")))
        model = star;
    if (m->what == KM_MEDIA_CHECK && !km_price_known(&price))
        price.request = 0;
    if (m->what == KM_MEDIA_IMAGE && prices &&
        (listed(ask, quality, d, model, prices, &by_size) ||
         listed(ask, KM_STR_NONE, d, model, prices, &by_size)))
        return km_price_merge(by_size, price);
    return price;
}

static struct km_usage tokens(int64_t prompt, int64_t completion)
{
    return (struct km_usage){ .prompt_tokens = prompt,
                              .completion_tokens = completion,
                              .media.one_way = true };
}

static struct km_usage image_bound(const struct km_media_ask *ask, int64_t each)
{
    int64_t seen = ask->files >= 0 ? ask->files : IMAGES_SEEN;
    struct km_usage u =
        tokens(smaller(ask->bytes, PROMPT_TOKENS) + seen * IMAGE_TOKENS, ask->n * each);

    u.image_tokens = seen * IMAGE_TOKENS;
    u.media.image_tokens = u.completion_tokens;
    u.media.images = ask->n;
    u.media.pixels = pixels_of(ask->size);
    return u;
}

static struct km_usage audio_bound(const struct km_media_ask *ask, int64_t bytes_per_s)
{
    int64_t ms = ask->bytes > INT64_MAX / 1000 ? INT64_MAX / 100 : ask->bytes * 1000 / bytes_per_s;
    struct km_usage u = tokens(ms / 1000 * AUDIO_TOKENS_PER_S + AUDIO_TOKENS_PER_S, TEXT_TOKENS);

    u.audio_tokens = u.prompt_tokens;
    u.audio_ms = ms;
    return u;
}

static struct km_usage speech_bound(const struct km_media_ask *ask, int64_t ms_each)
{
    int64_t ms = ask->characters * ms_each;
    struct km_usage u =
        tokens(smaller(ask->bytes, ask->characters), ms * AUDIO_TOKENS_PER_S / 1000 + 1);

    u.audio_completion_tokens = u.completion_tokens;
    u.media.characters = ask->characters;
    u.audio_ms = ms;
    return u;
}

bool km_media_worst(const struct km_media_api *m, const struct km_media_ask *ask,
                    const struct km_price *price, int64_t *ret_nanousd)
{
    struct km_usage u = m->what == KM_MEDIA_IMAGE    ? image_bound(ask, IMAGE_TOKENS)
                        : m->what == KM_MEDIA_AUDIO  ? audio_bound(ask, AUDIO_BYTES_PER_S)
                        : m->what == KM_MEDIA_SPEECH ? speech_bound(ask, SPEECH_MS)
                                                     : tokens(ask->bytes, 0);
    int64_t by_tokens = 0, by_units = 0;
    bool known = km_price_cost(price, &u, &by_tokens);

    u.prompt_tokens = u.completion_tokens = 0; /* should the answer not count any */
    known = km_price_cost(price, &u, &by_units) || known;
    *ret_nanousd = by_tokens > by_units ? by_tokens : by_units;
    return known;
}

/* --- answers --- */

/* One of the two counts is there; the other may be left out, but not be null. */
static bool half_said(const struct km_json *v, const char *input, const char *output)
{
    return km_json_kind(km_json_get(v, input)) == KM_JSON_NULL ||
           km_json_kind(km_json_get(v, output)) == KM_JSON_NULL;
}

/* {"type":"tokens","input_tokens","input_tokens_details":{"text_tokens","audio_tokens",
 * "image_tokens"},"output_tokens"} or {"type":"duration","seconds"}; events are added up. */
static void read_usage(const struct km_media_api *m, const struct km_json *v,
                       struct km_media_said *said)
{
    const struct km_json *in = km_json_get(v, "input_tokens_details");
    const struct km_json *out = km_json_get(v, "output_tokens_details");
    struct km_usage *u = &said->usage;
    bool *bad = &said->nonsense;
    int64_t made = km_usage_count(v, "output_tokens", bad);
    int64_t prompt = km_usage_count(v, "input_tokens", bad);

    in = in ? in : km_json_get(v, "input_token_details");
    if (prompt + made == 0) { /* some have chat's names */
        prompt = km_usage_count(v, "prompt_tokens", bad);
        made = km_usage_count(v, "completion_tokens", bad);
    }
    said->ms += km_usage_ms(v, "seconds", bad);
    if (prompt + made == 0)
        return;
    *bad = *bad || half_said(v, "input_tokens", "output_tokens") ||
           half_said(v, "prompt_tokens", "completion_tokens");
    u->known = true;
    u->prompt_tokens += prompt;
    u->completion_tokens += made;
    u->cached_tokens += km_usage_count(in, "cached_tokens", bad);
    u->audio_tokens += km_usage_count(in, "audio_tokens", bad);
    u->image_tokens += km_usage_count(in, "image_tokens", bad);
    u->audio_completion_tokens += m->what == KM_MEDIA_SPEECH ? made : 0;
    u->media.image_tokens += m->what != KM_MEDIA_IMAGE ? 0
                             : km_json_get(out, "image_tokens")
                                 ? km_usage_count(out, "image_tokens", bad)
                                 : made;
}

enum { KM_A_USAGE, KM_A_DURATION, KM_A_SIZE, KM_A_QUALITY, KM_A_TYPE, KM_A_ERROR, KM_A_COUNT };

static void keep(char out[16], struct km_str json, const struct km_json_span *span)
{
    struct km_str v = km_json_value(json, span);

    if (span->type == KM_JSON_STRING && v.n > 2 && v.n - 2 < 16) {
        memcpy(out, v.p + 1, v.n - 2);
        out[v.n - 2] = 0;
    }
}

void km_media_answer(const struct km_media_api *m, struct km_str json, struct km_media_said *said)
{
    static const struct km_str names[KM_A_COUNT] = {
        { "usage", 5 }, { "duration", 8 }, { "size", 4 }, { "quality", 7 }, { "type", 4 },
        { "error", 5 },
    };
    struct km_arena scratch KM_CLEANUP(km_arena_done);
    struct km_json_span at[KM_A_COUNT];
    const struct km_json *usage;
    struct km_str type;
    int64_t ms;

    km_arena_init(&scratch, 1 << 20, NULL);
    if (!km_json_sure_spans(json, names, KM_A_COUNT, at, NULL, NULL))
        return;
    if (at[KM_A_USAGE].type == KM_JSON_OBJECT &&
        km_json_parse_answer(&scratch, km_json_value(json, &at[KM_A_USAGE]), &usage, NULL) == 0)
        read_usage(m, usage, said);
    if (at[KM_A_DURATION].type != KM_JSON_ABSENT && said->ms == 0) {
        struct km_str v = km_json_value(json, &at[KM_A_DURATION]);

        if (at[KM_A_DURATION].type == KM_JSON_STRING) /* Whisper's older answers: "8.47" */
            v = km_str_sub(v, 1, v.n - 2);
        if (km_str_decimal(v, 3, &ms) == 0 && ms > 0 && ms <= KM_MS_SAID_MOST)
            said->ms = ms;
    }
    keep(said->size, json, &at[KM_A_SIZE]);
    keep(said->quality, json, &at[KM_A_QUALITY]);
    type = km_json_value(json, &at[KM_A_TYPE]);
    said->done = said->done || km_str_ends(type, KM_STR(".completed\"")) ||
                 km_str_ends(type, KM_STR(".done\""));
    said->error = said->error || km_str_eq(type, KM_STR("\"error\"")) ||
                  at[KM_A_ERROR].type == KM_JSON_OBJECT;
}

/* Nobody counted tokens: what else the price goes by, exact where it is. */
static struct km_usage uncounted(const struct km_media_api *m, const struct km_media_ask *ask,
                                 const struct km_price *price, const struct km_media_said *said)
{
    struct km_usage u, none;
    int64_t cost;

    if (m->what == KM_MEDIA_CHECK)
        return (struct km_usage){ .prompt_tokens = ask->bytes / 4, .known = price->input <= 0 };
    u = m->what == KM_MEDIA_IMAGE   ? image_bound(ask, image_tokens(ask))
        : m->what == KM_MEDIA_AUDIO ? audio_bound(ask, AUDIO_BYTES_PER_S_USUAL)
                                    : speech_bound(ask, SPEECH_MS_USUAL);
    if (said->ms)
        u.audio_ms = said->ms;
    none = u;
    none.prompt_tokens = none.completion_tokens = 0;
    if (!km_price_cost(price, &none, &cost))
        return u; /* by tokens alone */
    none.known = m->what == KM_MEDIA_IMAGE || said->ms > 0 ||
                 (m->what == KM_MEDIA_SPEECH && price->media.character >= 0);
    return none;
}

/* Longer than what was sent can be? */
static bool is_too_long(const struct km_media_api *m, const struct km_media_ask *ask, int64_t ms)
{
    return m->what == KM_MEDIA_AUDIO && ask->bytes < INT64_MAX / 1000 &&
           ms > ask->bytes * 1000 / AUDIO_BYTES_PER_S_LEAST + AUDIO_MS_SLACK;
}

struct km_usage km_media_usage(const struct km_media_api *m, const struct km_media_ask *ask,
                               const struct km_price *price, const struct km_media_said *said)
{
    struct km_usage u = said->usage;
    int64_t cost;

    if (is_too_long(m, ask, said->ms)) {
        const struct km_media_said nothing = { 0 };

        return uncounted(m, ask, price, &nothing);
    }

    u.media.one_way = true;
    u.audio_ms = said->ms;
    u.media.characters = m->what == KM_MEDIA_SPEECH ? ask->characters : 0;
    u.media.images = m->what == KM_MEDIA_IMAGE ? ask->n : 0;
    u.media.pixels = m->what == KM_MEDIA_IMAGE ? pixels_of(ask->size) : 0;
    if (u.known && !said->nonsense && km_price_cost(price, &u, &cost))
        return u;
    return uncounted(m, ask, price, said);
}

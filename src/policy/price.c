/* SPDX-License-Identifier: Apache-2.0 */
/* price.c - see price.h for the contract.  The arithmetic: what a call costs.
 *
 *     tokens x pico-USD a token, summed over input, cached input, written cache, output,
 *     of text, audio and images each; + pico-USD a second of audio
 *     + pico-USD a request                                   128 bits: nothing overflows
 *     -> rounded half up to nano-USD once, saturated at 63 bits
 *
 * A provider's numbers are taken as they come but never against the customer twice: the cached
 * and the cache-written part are cut to what the prompt has, and the rest costs what input
 * costs.  A price nobody set is not zero: with neither input, output nor request known the call
 * is unpriced and the caller must say so.
 */
#include "policy/price.h"

#include "base/chunk.h"

__extension__ typedef __int128 km_wide;

static int64_t or_else(int64_t price, int64_t otherwise)
{
    return price >= 0 ? price : otherwise;
}

static int64_t at_least_zero(int64_t v)
{
    return v > 0 ? v : 0;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static km_wide times(int64_t tokens, int64_t price)
{
    return price > 0 ? (km_wide)tokens * price : 0;
}

/* Tokens of a kind with prices of its own, in all: what it costs more, or less, than text. */
static km_wide of_kind(int64_t tokens, int64_t cached, int64_t price, int64_t cached_price)
{
    return times(tokens - cached, price) + times(cached, or_else(cached_price, price));
}

/* All tokens, pico-USD. */
static km_wide tokens(const struct km_price *p, const struct km_usage *u)
{
    int64_t prompt = at_least_zero(u->prompt_tokens);
    int64_t cached = smaller(at_least_zero(u->cached_tokens), prompt);
    int64_t written = smaller(at_least_zero(u->cache_write_tokens), prompt - cached);
    int64_t audio = p->audio_input < 0 ? 0 : smaller(at_least_zero(u->audio_tokens), prompt);
    int64_t image =
        p->image_input < 0 ? 0 : smaller(at_least_zero(u->image_tokens), prompt - audio);
    int64_t audio_cached = smaller(at_least_zero(u->audio_cached_tokens), smaller(audio, cached));
    int64_t image_cached =
        smaller(at_least_zero(u->image_cached_tokens), smaller(image, cached - audio_cached));
    int64_t completion = at_least_zero(u->completion_tokens);
    int64_t spoken =
        p->audio_output < 0 ? 0 : smaller(at_least_zero(u->audio_completion_tokens), completion);
    int64_t drawn = p->media.image_token < 0
                        ? 0
                        : smaller(at_least_zero(u->media.image_tokens), completion - spoken);
    bool tier = p->tier_tokens >= 0 && prompt > p->tier_tokens;
    int64_t input = tier ? or_else(p->tier_input, p->input) : p->input;
    int64_t output = tier ? or_else(p->tier_output, p->output) : p->output;
    int64_t read = tier ? or_else(p->tier_cache_read, p->cache_read) : p->cache_read;
    int64_t write = tier ? or_else(p->tier_cache_write, p->cache_write) : p->cache_write;

    /* What is left is text: the cache's parts are cut to it. */
    prompt -= audio + image;
    cached = smaller(cached - audio_cached - image_cached, prompt);
    written = smaller(written, prompt - cached);
    return times(prompt - cached - written, input) + times(cached, or_else(read, input)) +
           times(written, or_else(write, input)) +
           of_kind(audio, audio_cached, p->audio_input, p->audio_cache_read) +
           of_kind(image, image_cached, p->image_input, p->image_cache_read) +
           times(completion - spoken - drawn, output) + times(spoken, p->audio_output) +
           times(drawn, p->media.image_token);
}

static bool by_tokens(const struct km_price *p)
{
    return p->input >= 0 || p->output >= 0 || p->audio_input >= 0 || p->audio_output >= 0 ||
           p->image_input >= 0 || p->media.image_token >= 0;
}

/* One way of counting, pico-USD; false: nothing that was counted has a price.  A model may have
 * prices of several kinds (gpt-4o-mini-tts by token and by second): they are ways to count the
 * same thing, and LiteLLM's table has Whisper's second on both sides. */
static bool one_way(const struct km_price *p, const struct km_usage *u, km_wide *ret)
{
    const struct km_media_price *m = &p->media;
    int64_t second = m->output_second > 0 ? m->output_second : p->second;
    int64_t image = or_else(m->output_image, m->input_image);
    int64_t pixel = or_else(m->output_pixel, m->input_pixel);

    *ret = 0;
    if (u->prompt_tokens + u->completion_tokens > 0 && by_tokens(p))
        *ret = tokens(p, u);
    else if (u->media.characters > 0 && m->character >= 0)
        *ret = times(u->media.characters, m->character);
    else if (u->audio_ms > 0 && or_else(second, m->output_second) >= 0)
        *ret = times(u->audio_ms, second) / 1000;
    else if (u->media.images > 0 && image >= 0)
        *ret = times(u->media.images, image);
    else if (u->media.images > 0 && u->media.pixels > 0 && pixel >= 0)
        *ret = times(u->media.pixels, pixel) * u->media.images;
    else
        return p->request >= 0;
    return true;
}

bool km_price_cost(const struct km_price *p, const struct km_usage *u, int64_t *ret_nanousd)
{
    km_wide pico;

    if (u->media.one_way) {
        if (!one_way(p, u, &pico))
            return false;
    } else {
        if (p->input < 0 && p->output < 0 && p->request < 0 && p->second < 0)
            return false;
        pico = tokens(p, u) + times(at_least_zero(u->audio_ms), p->second) / 1000;
    }
    pico += at_least_zero(p->request);
    pico = (pico + 500) / 1000;
    *ret_nanousd = pico > INT64_MAX ? INT64_MAX : (int64_t)pico;
    return true;
}

static int64_t half(int64_t price)
{
    return price < 0 ? price : (price + 1) / 2;
}

struct km_price km_price_batch(const struct km_price *p)
{
    struct km_price b = KM_PRICE_NONE;

    b.input = or_else(p->media.batch_input, half(p->input));
    b.output = or_else(p->media.batch_output, half(p->output));
    b.cache_read = half(p->cache_read);
    return b;
}

bool km_price_known(const struct km_price *p)
{
    const struct km_media_price *m = &p->media;

    return by_tokens(p) || p->request >= 0 || p->second >= 0 || m->character >= 0 ||
           m->output_second >= 0 || m->input_image >= 0 || m->output_image >= 0 ||
           m->input_pixel >= 0 || m->output_pixel >= 0;
}

static struct km_media_price merge_media(struct km_media_price base, struct km_media_price over)
{
    base.image_token = or_else(over.image_token, base.image_token);
    base.character = or_else(over.character, base.character);
    base.output_second = or_else(over.output_second, base.output_second);
    base.input_image = or_else(over.input_image, base.input_image);
    base.output_image = or_else(over.output_image, base.output_image);
    base.input_pixel = or_else(over.input_pixel, base.input_pixel);
    base.output_pixel = or_else(over.output_pixel, base.output_pixel);
    base.batch_input = or_else(over.batch_input, base.batch_input);
    base.batch_output = or_else(over.batch_output, base.batch_output);
    return base;
}

struct km_price km_price_merge(struct km_price base, struct km_price over)
{
    base.input = or_else(over.input, base.input);
    base.output = or_else(over.output, base.output);
    base.cache_read = or_else(over.cache_read, base.cache_read);
    base.cache_write = or_else(over.cache_write, base.cache_write);
    base.request = or_else(over.request, base.request);
    base.max_input_tokens = or_else(over.max_input_tokens, base.max_input_tokens);
    base.max_output_tokens = or_else(over.max_output_tokens, base.max_output_tokens);
    base.audio_input = or_else(over.audio_input, base.audio_input);
    base.audio_output = or_else(over.audio_output, base.audio_output);
    base.audio_cache_read = or_else(over.audio_cache_read, base.audio_cache_read);
    base.image_input = or_else(over.image_input, base.image_input);
    base.image_cache_read = or_else(over.image_cache_read, base.image_cache_read);
    base.second = or_else(over.second, base.second);
    base.media = merge_media(base.media, over.media);
    /* Whoever sets a price without a tier means it for every length of prompt. */
    if (over.tier_tokens >= 0 || over.input >= 0 || over.output >= 0) {
        base.tier_tokens = over.tier_tokens;
        base.tier_input = over.tier_input;
        base.tier_output = over.tier_output;
        base.tier_cache_read = over.tier_cache_read;
        base.tier_cache_write = over.tier_cache_write;
    }
    return base;
}

int64_t km_tokens_upper(size_t bytes)
{
    return bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
}

int64_t km_tokens_estimate(struct km_str text)
{
    size_t ascii = km_run_ascii(text.p, text.n), other = 0;

    for (size_t i = ascii; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c < 0x80)
            ascii++;
        else if (c >= 0xc0) /* the first byte of a character */
            other++;
    }
    return (int64_t)((ascii + 3) / 4 + other);
}

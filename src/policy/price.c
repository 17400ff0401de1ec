/* SPDX-License-Identifier: Apache-2.0 */
/* price.c - see price.h for the contract.  The arithmetic: what a call costs.
 *
 *     tokens x pico-USD a token, summed over input, cached input, written cache (for minutes, for
 *     an hour), output, thinking, of text, audio and images each
 *     x thousandths of speed and place
 *     + pico-USD a second of audio, a use of a hosted tool, a page, a request
 *                                                            128 bits: nothing overflows
 *     -> rounded half up to nano-USD once, saturated at 63 bits
 *
 * A provider's numbers are taken as they come but never against the customer twice: the cached
 * and the cache-written part are cut to what the prompt has, and the rest costs what input
 * costs.  A price nobody set is not zero: with neither input, output nor request known the call
 * is unpriced and the caller must say so.
 */
#include "policy/price_inside.h"

#include "base/chunk.h"

/* More than any sum of money, and far from the end of 128 bits. */
#define PICO_MOST ((km_wide)1 << 74)

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
    return price > 0 && tokens > 0 ? (km_wide)tokens * price : 0;
}

/* Tokens of a kind with prices of its own, in all: what it costs more, or less, than text. */
static km_wide of_kind(int64_t tokens, int64_t cached, int64_t price, int64_t cached_price)
{
    return times(tokens - cached, price) + times(cached, or_else(cached_price, price));
}

/* Tokens of output, pico-USD. */
static km_wide output_tokens(const struct km_rates *r, const struct km_usage *u)
{
    int64_t completion = at_least_zero(u->completion_tokens), spoken, drawn, thought;

    if (!(u->audio_completion_tokens | u->media.image_tokens | u->reasoning_tokens))
        return times(completion, r->output); /* most: nothing but text */
    spoken =
        r->audio_output < 0 ? 0 : smaller(at_least_zero(u->audio_completion_tokens), completion);
    drawn = r->image_output < 0
                ? 0
                : smaller(at_least_zero(u->media.image_tokens), completion - spoken);
    thought = r->reasoning < 0
                  ? 0
                  : smaller(at_least_zero(u->reasoning_tokens), completion - spoken - drawn);
    return times(completion - spoken - drawn - thought, r->output) +
           times(spoken, r->audio_output) + times(drawn, r->image_output) +
           times(thought, r->reasoning);
}

/* Tokens of input of several kinds, pico-USD. */
static km_wide mixed_input(const struct km_rates *r, const struct km_usage *u)
{
    int64_t prompt = at_least_zero(u->prompt_tokens);
    int64_t cached = smaller(at_least_zero(u->cached_tokens), prompt);
    int64_t written = smaller(at_least_zero(u->cache_write_tokens), prompt - cached);
    int64_t audio = r->audio_input < 0 ? 0 : smaller(at_least_zero(u->audio_tokens), prompt);
    int64_t image =
        r->image_input < 0 ? 0 : smaller(at_least_zero(u->image_tokens), prompt - audio);
    int64_t audio_cached = smaller(at_least_zero(u->audio_cached_tokens), smaller(audio, cached));
    int64_t image_cached =
        smaller(at_least_zero(u->image_cached_tokens), smaller(image, cached - audio_cached));
    int64_t write = or_else(r->cache_write, r->input), hour;

    /* What is left is text: the cache's parts are cut to it. */
    prompt -= audio + image;
    cached = smaller(cached - audio_cached - image_cached, prompt);
    written = smaller(written, prompt - cached);
    hour = smaller(at_least_zero(u->cache_write_1h_tokens), written);
    return times(prompt - cached - written, r->input) +
           times(cached, or_else(r->cache_read, r->input)) + times(written - hour, write) +
           times(hour, or_else(r->cache_write_1h, write)) +
           of_kind(audio, audio_cached, r->audio_input, r->audio_cache_read) +
           of_kind(image, image_cached, r->image_input, r->image_cache_read);
}

/* Tokens of input, pico-USD. */
static km_wide input_tokens(const struct km_rates *r, const struct km_usage *u)
{
    if (!(u->cached_tokens | u->cache_write_tokens | u->audio_tokens | u->image_tokens))
        return times(u->prompt_tokens, r->input); /* most: nothing but text */
    return mixed_input(r, u);
}

km_wide km_price_scaled(km_wide pico, int64_t thousandths)
{
    if (pico > PICO_MOST)
        pico = PICO_MOST;
    return thousandths < 0 ? pico : pico * smaller(thousandths, 1000000) / 1000;
}

/* All tokens, pico-USD. */
static km_wide tokens(const struct km_price *p, const struct km_usage *u)
{
    struct km_rates room;
    const struct km_rates *r =
        km_price_rates(p, p->service ? p->service : u->service, u->prompt_tokens, &room);
    km_wide pico = input_tokens(r, u) + output_tokens(r, u);

    if (u->fast)
        pico = km_price_scaled(pico, p->fast);
    if (u->in_us)
        pico = km_price_scaled(pico, p->in_us);
    return km_price_scaled(pico, p->uplifts[p->uplift]);
}

km_wide km_price_beside(const struct km_price *p, const struct km_usage *u)
{
    int64_t searches, search, annotated;

    if (p->search_always < 0 &&
        !(u->hosted[KM_HOSTED_WEB_SEARCH] | u->hosted[KM_HOSTED_CODE_INTERPRETER] |
          u->hosted[KM_HOSTED_FILE_SEARCH] | u->pages | u->annotated_pages | u->citation_tokens))
        return 0; /* most */
    searches = at_least_zero(u->hosted[KM_HOSTED_WEB_SEARCH]);
    if (p->search_always > 0 && searches == 0)
        searches = 1;
    search = or_else(p->search[u->search], p->search[KM_SEARCH_MEDIUM]);
    annotated = at_least_zero(u->annotated_pages);
    if (p->search_by_query == 0)
        searches = smaller(searches, 1);
    return km_price_scaled(times(searches, search), -1) +
           km_price_scaled(times(u->hosted[KM_HOSTED_CODE_INTERPRETER], p->session), -1) +
           km_price_scaled(times(u->hosted[KM_HOSTED_FILE_SEARCH], p->file_search), -1) +
           km_price_scaled(times(u->citation_tokens, p->citation), -1) +
           km_price_scaled(times(u->pages, p->page), -1) +
           km_price_scaled(times(annotated, or_else(p->annotated_page, p->page)), -1);
}

/* A reranker's search is of so many units. */
km_wide km_price_requests(const struct km_price *p, const struct km_usage *u)
{
    return times(u->queries > 1 ? u->queries : 1, at_least_zero(p->request));
}

static bool by_tokens(const struct km_price *p)
{
    return p->input >= 0 || p->output >= 0 || p->audio_input >= 0 || p->audio_output >= 0 ||
           p->image_input >= 0 || p->image_output >= 0;
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
        if (p->input < 0 && p->output < 0 && p->request < 0 && p->second < 0 &&
            (p->page < 0 || u->pages <= 0))
            return false;
        pico = tokens(p, u);
        if (u->audio_ms > 0)
            pico += times(u->audio_ms, p->second) / 1000;
    }
    pico += km_price_beside(p, u) + km_price_requests(p, u);
    *ret_nanousd = km_price_rounded(pico);
    return true;
}

struct km_price km_price_batch(const struct km_price *p)
{
    static const struct km_price none = KM_PRICE_NONE;
    struct km_price b = *p;

    b.service = KM_SERVICE_BATCH;
    b.request = b.second = b.search_always = -1;
    b.media = none.media;
    while (b.nsteps && b.steps[b.nsteps - 1].above > 0)
        b.nsteps--;
    return b;
}

bool km_price_known(const struct km_price *p)
{
    const struct km_media_price *m = &p->media;

    return by_tokens(p) || p->request >= 0 || p->second >= 0 || p->page >= 0 || m->character >= 0 ||
           m->output_second >= 0 || m->input_image >= 0 || m->output_image >= 0 ||
           m->input_pixel >= 0 || m->output_pixel >= 0;
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

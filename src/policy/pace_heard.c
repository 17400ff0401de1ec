/* SPDX-License-Identifier: Apache-2.0 */
/* pace_heard.c - how many tokens an answer has so far, of which the text comes in pieces.
 *
 *     "Hel" "lo, " "wor" ... ─> part[256] ── full ─> measured, added ─> size
 *
 * A piece is a token or a few, and to measure each by itself would cost more than all else that is
 * done for it, and take every end of a piece for the end of a word.  So a few are put together
 * first; a piece that is as long as these is measured where it is.
 */
#include <string.h>

#include "policy/pace.h"

static void add(struct km_text_size *to, const struct km_text_size *s)
{
    to->letters += s->letters;
    to->words += s->words;
    to->digits += s->digits;
    to->marks += s->marks;
    to->strings += s->strings;
    to->lines += s->lines;
    to->wide += s->wide;
    to->other += s->other;
    to->media_bytes += s->media_bytes;
    to->media += s->media;
    to->media_tokens += s->media_tokens;
}

static void add_text(struct km_text_size *to, struct km_str text)
{
    struct km_text_size size = km_text_measure(text);

    add(to, &size);
}

static void put_away(struct km_text_heard *h)
{
    if (h->n)
        add_text(&h->size, km_str(h->part, h->n));
    h->n = 0;
}

void km_text_hear(struct km_text_heard *h, struct km_str piece)
{
    h->bytes += piece.n;
    if (h->n + piece.n > sizeof h->part)
        put_away(h);
    if (piece.n > sizeof h->part) {
        add_text(&h->size, piece);
        return;
    }
    if (piece.n)
        memcpy(h->part + h->n, piece.p, piece.n);
    h->n += piece.n;
}

int64_t km_pace_heard(const struct km_pace *p, const struct km_text_heard *h)
{
    struct km_text_size size = h->size;
    int64_t tokens;

    if (!h->bytes)
        return 0;
    if (h->n)
        add_text(&size, km_str(h->part, h->n));
    tokens = km_pace_text(p, &size);
    return tokens > 0 ? tokens : 1; /* of nothing but blanks */
}

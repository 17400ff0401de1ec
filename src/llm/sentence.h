/* SPDX-License-Identifier: Apache-2.0 */
/* sentence.h - finds a sentence that vendors write, and the numbers in it.
 *
 * What an upstream refuses for stands in no member of any API but in a sentence, each vendor's own.
 * Such a sentence is written in lower case, and in it:
 *
 *     P  the name of a parameter that bounds the output     ~  words, to the next comma or stop
 *     M  the maximum      E  one more than it               ^  a few characters, whatever they are
 *     A  what was asked of output                           `  quotes, brackets, or none
 *     W  the window       I  what the request takes of it   space: white space, or none
 *     T  both together    N  some other number
 *
 * Pure functions on text; any thread.
 */
#ifndef KM_LLM_SENTENCE_H
#define KM_LLM_SENTENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* A number above counts as one more than it. */
#define KM_SENTENCE_MOST INT64_C(100000000)

enum km_sentence_number {
    KM_NAMED_MAXIMUM,
    KM_NAMED_BEYOND,
    KM_NAMED_ASKED,
    KM_NAMED_WINDOW,
    KM_NAMED_INPUT,
    KM_NAMED_TOTAL,
    KM_NAMED_OTHER,
    KM_NAMED_COUNT,
};

struct km_sentence_read {
    int64_t v[KM_NAMED_COUNT]; /* -1: not named */
};

/* Does it stand in the text, at *at or behind?  *at is set to where; to look on, start at *at + 1.
 * Only the text's first KiB is looked at. */
bool km_sentence_find(const char *sentence, struct km_str text, size_t *at,
                      struct km_sentence_read *ret);

#endif

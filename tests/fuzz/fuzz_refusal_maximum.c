/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a refusal, behind four bytes that say what was asked for.
 *
 * What it names is a size that models have, below what was asked; of a text without a digit it is
 * nothing.  A sentence has gaps, so that the time it takes must stay in proportion too: libFuzzer
 * reports what does not.
 */
#include "fuzz.h"

#include <string.h>

#include "llm/refusal_maximum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool passing, digits = false;
    int32_t asked;
    int64_t max;

    if (size < sizeof asked)
        return 0;
    memcpy(&asked, data, sizeof asked);
    max = km_refusal_names_maximum(km_str((const char *)data + sizeof asked, size - sizeof asked),
                                   asked, &passing);
    for (size_t i = sizeof asked; i < size; i++)
        digits = digits || (data[i] >= '0' && data[i] <= '9');
    must(max == -1 || (max >= 16 && max <= 100000000));
    must(max == -1 || asked < 0 || max < asked);
    must(digits || max == -1);
    must(max >= 0 || !passing);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* money.c - see money.h.
 *
 * Integers alone: what is written is what is booked, to the nano-USD.  No exponent and no zeros at
 * the end, so that it is a number in JSON and short in a sentence.
 */
#include "base/money.h"

#include <stdio.h>

void km_money_text(int64_t nanousd, char out[KM_MONEY_LEN])
{
    uint64_t v = nanousd < 0 ? 0 - (uint64_t)nanousd : (uint64_t)nanousd;
    int n = snprintf(out, KM_MONEY_LEN, "%s%llu.%09llu", nanousd < 0 ? "-" : "",
                     (unsigned long long)(v / 1000000000u), (unsigned long long)(v % 1000000000u));

    while (n > 0 && out[n - 1] == '0')
        out[--n] = 0;
    if (n > 0 && out[n - 1] == '.')
        out[--n] = 0;
}

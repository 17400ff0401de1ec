/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what every target has: the entry that libFuzzer calls, and a check no build leaves out.
 *
 *     fuzz_NAME.c ── defines ──> LLVMFuzzerTestOneInput()     the bytes of one input
 *                 └─ must() ───> abort(): the input is kept as crash-*
 */
#ifndef KM_TESTS_FUZZ_H
#define KM_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A text of any bytes is measured: no count is negative, and none is more than there are bytes, but
 * for what samples may be off.  Whatever is reported of it, estimates stay in their bounds. */
#include "fuzz.h"

#include "policy/pace.h"

static struct km_pace *pace;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct km_paces *paces;
    const struct km_text_size s = km_text_measure(km_str((const char *)data, size));
    const int64_t most = (int64_t)size * 2 + 8;
    int64_t known, said = 0;

    if (!paces)
        paces = km_paces_new();
    if (!pace && paces)
        pace = km_paces_of(paces, KM_STR("a"));
    must(s.letters >= 0 && s.words >= 0 && s.digits >= 0 && s.marks >= 0 && s.strings >= 0);
    must(s.lines >= 0 && s.wide >= 0 && s.other >= 0 && s.media >= 0 && s.media_tokens >= 0);
    must(s.letters <= most && s.words <= s.letters + 1 && s.digits <= most && s.marks <= most);
    must(s.media_bytes <= (int64_t)size);
    for (size_t i = 0; i < size && i < sizeof said; i++)
        said = (int64_t)((uint64_t)said << 8 | data[i]);
    known = km_pace_input(NULL, &s);
    km_pace_learn_input(pace, &s, said);
    km_pace_learn_output(pace, said, (uint64_t)said >> 32);
    must(known >= 0 && km_pace_input(pace, &s) >= 0);
    must(km_pace_input(pace, &s) <= known * 4 + 1024);
    must(km_pace_rate(pace) >= 1 && km_pace_median_output(pace) >= 0);
    return 0;
}

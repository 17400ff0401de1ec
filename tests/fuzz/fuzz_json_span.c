/* SPDX-License-Identifier: Apache-2.0 */
/* JSON spans and edits, judged by yyjson (tests/unit/http/json_property.h).
 *
 * Four bytes choose the edits, the rest is the body.  The property: parse(splice(body))
 * equals the edited parse(body), and all bytes outside the edited spans are equal and in
 * order; what is no JSON object must only not be read out of bounds.
 */
#include "fuzz.h"

#include "../unit/http/json_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t choice;

    if (size < sizeof choice || size > 1 << 16)
        return 0;
    memcpy(&choice, data, sizeof choice);
    property_check((const char *)data + sizeof choice, size - sizeof choice, choice);
    return 0;
}

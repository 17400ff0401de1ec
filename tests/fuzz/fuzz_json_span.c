/* SPDX-License-Identifier: Apache-2.0 */
/* JSON spans and edits, judged by yyjson (tests/unit/http/json_property.h).
 *
 * Four bytes choose the edits, the rest is the body.  The property: parse(splice(body))
 * equals the edited parse(body), and all bytes outside the edited spans are equal and in
 * order; what is no JSON object must only not be read out of bounds.  What paths take out of an
 * object (json_drop.h) leaves one, and is not there again.
 */
#include "fuzz.h"

#include "../unit/http/json_property.h"
#include "http/json_drop.h"

static void drop_paths(struct km_str body)
{
    static const struct km_str paths[] = {
        { "user", 4 }, { "model.user", 10 }, { "tools[*].function.strict", 24 }, { "n[0].a", 6 },
        { "stream[*][1].n", 14 },
    };
    struct km_arena arena;
    const struct km_json *root;
    struct km_str less, again;
    struct km_err err;
    bool object;

    km_arena_init(&arena, 64 << 20, NULL);
    object = km_json_parse(&arena, body, &root, &err) == 0 && km_json_kind(root) == KM_JSON_OBJECT;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (km_json_drop(&arena, body, &paths[i], 1, &less, &err) < 0 || !object)
            continue;
        must(km_json_parse(&arena, less, &root, &err) == 0);
        must(km_json_kind(root) == KM_JSON_OBJECT && less.n <= body.n);
        must(km_json_drop(&arena, less, &paths[i], 1, &again, &err) == 0 && again.p == less.p);
    }
    km_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t choice;

    if (size < sizeof choice || size > 1 << 16)
        return 0;
    memcpy(&choice, data, sizeof choice);
    property_check((const char *)data + sizeof choice, size - sizeof choice, choice);
    drop_paths(km_str((const char *)data + sizeof choice, size - sizeof choice));
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, percent escapes and query parameters.
 *
 * Beyond "no crash": what is encoded decodes to itself; a URL that parses gives views of
 * the text it was given, and a host and port one can use; a decoded text is never longer
 * than the escaped one and holds no NUL.
 */
#include "fuzz.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/message.h"

static bool inside(struct km_str part, struct km_str whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void parse(struct km_str s)
{
    struct km_url url;

    if (km_url_parse(s, &url, NULL) != 0)
        return;
    must(url.host.n > 0 && url.port > 0);
    must(inside(url.host, s) && inside(url.path, s) && inside(url.userinfo, s));
    must(url.path.n == 0 || url.path.p[0] == '/');
}

static void round_trip(struct km_arena *arena, struct km_str s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(1 << 20);
    struct km_str back;

    /* A NUL is refused when decoded, so it cannot come back. */
    if (s.n > 65536 || (s.n > 0 && memchr(s.p, 0, s.n)))
        return;
    km_url_encode(&b, s);
    must(km_url_decode(arena, km_buf_view(&b), false, &back, NULL) == 0);
    must(km_str_eq(back, s));
}

static void decode(struct km_arena *arena, struct km_str s)
{
    struct km_str out;

    for (int plus = 0; plus < 2; plus++)
        if (km_url_decode(arena, s, plus != 0, &out, NULL) == 0)
            must(out.n <= s.n);
    (void)km_query_get(arena, s, KM_STR("a"), &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_str s = km_str((const char *)data, size);
    struct km_arena arena;

    km_arena_init(&arena, 4 << 20, NULL);
    parse(s);
    round_trip(&arena, s);
    decode(&arena, s);
    km_arena_done(&arena);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What protected servers and their issuers say: challenges, documents, tokens.
 *
 * The first byte chooses.  0: a WWW-Authenticate field.  1: the document of a resource; what is
 * taken must be about the server asked.  2: metadata of an issuer; its endpoints must be https.
 * 3: the answer of a token endpoint.  4: an address, whose well-known places must be of its origin.
 */
#include "fuzz.h"

#include "http/message.h"
#include "mcp/oauth/meta.h"

static void secure(struct km_str url)
{
    struct km_url u;

    must(!url.n || (km_url_parse(url, &u, NULL) == 0 && u.https));
}

static void places(struct km_arena *arena, struct km_str text)
{
    struct km_str urls[KM_OAUTH_URLS], origin = km_oauth_origin(text);
    size_t n;

    if (!origin.n)
        return;
    n = km_oauth_server_urls(arena, text, urls);
    for (size_t i = 0; i < n; i++)
        must(!urls[i].p || km_str_starts(urls[i], origin));
    n = km_oauth_resource_urls(arena, text, urls);
    for (size_t i = 0; i < n; i++)
        must(!urls[i].p || km_str_starts(urls[i], origin));
}

static void one(struct km_arena *arena, unsigned kind, struct km_str text)
{
    struct km_oauth_challenge_parts c;
    struct km_oauth_resource r;
    struct km_oauth_server s;
    struct km_oauth_tokens t;

    if (kind == 0) {
        (void)km_oauth_challenge_read(arena, text, &c);
        must(c.scope.n <= text.n && c.resource_metadata.n <= text.n);
    } else if (kind == 1) {
        if (km_oauth_resource_read(arena, text, KM_STR("https://h/mcp"), &r, NULL) == 0)
            must(km_str_istarts(r.resource, KM_STR("https://h")) && km_oauth_origin(r.issuer).n);
    } else if (kind == 2) {
        if (km_oauth_server_read(arena, text, KM_STR("https://as"), &s, NULL) == 0) {
            secure(s.token);
            secure(s.authorization);
            secure(s.registration);
        }
    } else if (kind == 3) {
        if (km_oauth_tokens_read(arena, 200, text, &t, NULL) == 0)
            must(t.access.n && t.lifetime_s > 0);
    } else {
        places(arena, text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_arena arena;

    if (size < 1 || size > KM_OAUTH_DOCUMENT_BYTES)
        return 0;
    km_arena_init(&arena, 64 * KM_OAUTH_DOCUMENT_BYTES, NULL);
    one(&arena, data[0] % 5, km_str((const char *)data + 1, size - 1));
    km_arena_done(&arena);
    return 0;
}

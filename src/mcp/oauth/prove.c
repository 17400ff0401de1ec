/* SPDX-License-Identifier: Apache-2.0 */
/* prove.c - what kanmon says of itself to an authorization server (inside.h): which
 * scopes it asks for, and how it proves that it is the client it says it is.
 *
 *     client_private_key    an assertion signed by it (RFC 7523), a fresh one each time
 *     client_secret         Basic, or in the form where the server takes nothing else
 *     neither               its id alone: a public client, protected by PKCE
 */
#include <stdio.h>

#include "base/encode.h"
#include "base/time.h"
#include "http/json_out.h"
#include "llm/token.h"
#include "mcp/oauth/inside.h"

#define ASSERTION_S 300
#define SCOPE_BYTES ((size_t)4096)
#define FORM_LINE "Content-Type: application/x-www-form-urlencoded\r\nAccept: application/json\r\n"

static bool holds_word(struct km_str words, struct km_str word)
{
    struct km_str one;

    while (km_str_split(&words, ' ', &one))
        if (km_str_eq(one, word))
            return true;
    return false;
}

struct km_str km_mcp_oauth_join(struct km_arena *arena, struct km_str a, struct km_str b)
{
    struct km_buf both KM_CLEANUP(km_buf_done) = KM_BUF(SCOPE_BYTES);
    struct km_str one;

    km_buf_str(&both, a);
    while (km_str_split(&b, ' ', &one)) {
        if (!one.n || holds_word(km_buf_view(&both), one))
            continue;
        if (both.n)
            km_buf_byte(&both, ' ');
        km_buf_str(&both, one);
    }
    return km_buf_failed(&both) ? a : km_arena_str(arena, km_buf_view(&both));
}

struct km_str km_mcp_oauth_scope(const struct km_mcp_oauth *o, struct km_arena *arena,
                                 struct km_str challenged, struct km_str supported)
{
    struct km_str own = KM_STR_NONE;

    for (size_t i = 0; i < o->settings.scopes.n; i++)
        own = km_mcp_oauth_join(arena, own, o->settings.scopes.v[i]);
    return own.n || challenged.n ? km_mcp_oauth_join(arena, own, challenged) : supported;
}

/* RFC 7523: a token about ourselves, signed by our key. */
static int assertion(const struct km_mcp_oauth *o, struct km_str client, struct km_str issuer,
                     struct km_buf *out, struct km_err *err)
{
    struct km_buf probe KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_buf sig KM_CLEANUP(km_buf_done) = KM_BUF(1024);
    struct km_buf claims KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    int64_t now = km_wall_us() / 1000000;
    struct km_json_out j;
    const char *alg = "";
    uint8_t id[16];
    char jti[33], header[64];
    int r = km_random(id, sizeof id, err), n;

    if (r == 0) /* which algorithm the key is for */
        r = km_jws_sign(o->settings.private_key, KM_STR("x"), &probe, &alg, err);
    if (r < 0)
        return r;
    km_hex(jti, id, sizeof id);
    km_json_out_init(&j, &claims);
    km_out_open(&j, '{');
    km_out_member(&j, "iss", client);
    km_out_member(&j, "sub", client);
    km_out_member(&j, "aud", issuer);
    km_out_member(&j, "jti", km_str_c(jti));
    km_out_member_i64(&j, "iat", now);
    km_out_member_i64(&j, "exp", now + ASSERTION_S);
    km_out_close(&j, '}');
    n = snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg);
    km_buf_base64url(out, km_str(header, (size_t)n));
    km_buf_byte(out, '.');
    km_buf_base64url(out, km_buf_view(&claims));
    r = km_jws_sign(o->settings.private_key, km_buf_view(out), &sig, &alg, err);
    km_buf_byte(out, '.');
    km_buf_base64url(out, km_buf_view(&sig));
    return r;
}

int km_mcp_oauth_prove(const struct km_mcp_oauth *o, struct km_arena *arena,
                       const struct km_mcp_client *client, bool secret_post, struct km_str issuer,
                       struct km_buf *form, struct km_str *ret_head, struct km_err *err)
{
    struct km_buf pair KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_buf text KM_CLEANUP(km_buf_done) = KM_BUF(16384);
    int r = 0;

    *ret_head = KM_STR(FORM_LINE);
    if (o->settings.private_key.n) {
        r = assertion(o, client->id, issuer, &text, err);
        km_token_field(form, "client_assertion_type",
                       KM_STR("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
        km_token_field(form, "client_assertion", km_buf_view(&text));
        km_token_field(form, "client_id", client->id);
    } else if (!client->secret.n || secret_post) {
        km_token_field(form, "client_id", client->id);
        km_token_field(form, "client_secret", client->secret);
    } else {
        km_url_encode(&pair, client->id);
        km_buf_byte(&pair, ':');
        km_url_encode(&pair, client->secret);
        km_buf_str(&text, KM_STR(FORM_LINE "Authorization: Basic "));
        km_buf_base64(&text, km_buf_view(&pair));
        km_buf_str(&text, KM_STR("\r\n"));
        *ret_head = km_arena_str(arena, km_buf_view(&text));
        km_wipe(pair.p, pair.n);
    }
    if (r == 0 && (km_buf_failed(&text) || km_buf_failed(form) || !ret_head->p))
        r = km_fail(err, KM_E_LIMIT, "the request for a token is too long");
    km_wipe(text.p, text.n);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - see secret.h for the contract.
 *
 * A secret in a file is one of three: the name of a variable, a sealed text, or itself.
 *
 *     os.environ/OPENAI_API_KEY        looked up, then read as below
 *     enc:AbC...                       base64url of nonce || ciphertext || tag
 *     sk-...                           as it is
 *
 * Sealing is AES-256-GCM with the path of the setting as associated data: a sealed value that
 * is copied to another key, where someone could read it back, does not open.  The key comes
 * from KANMON_SECRET_KEY, 64 hex digits or the base64 of 32 bytes; neither it nor any value
 * ever appears in a message.
 */
#include "config/secret.h"

#include "base/buf.h"
#include "base/crypto.h"
#include "base/encode.h"

enum { MAX_SECRET = 256 * 1024 };

static int parse_key(struct km_str text, uint8_t key[KM_AEAD_KEY_LEN], struct km_err *err)
{
    struct km_buf raw = KM_BUF(256);
    int r = 0;

    text = km_str_trim(text);
    if (text.n == 2 * KM_AEAD_KEY_LEN)
        r = km_unhex(text, key, KM_AEAD_KEY_LEN);
    else if ((r = km_buf_unbase64(&raw, text)) == 0 && raw.n == KM_AEAD_KEY_LEN)
        memcpy(key, raw.p, KM_AEAD_KEY_LEN);
    else
        r = KM_E_INVALID;
    if (raw.p)
        km_wipe(raw.p, raw.n);
    km_buf_done(&raw);
    if (r < 0)
        return km_fail(err, KM_E_CONFIG,
                       "KANMON_SECRET_KEY must be 32 bytes as 64 hex digits or as base64");
    return 0;
}

static int open_sealed(struct km_arena *arena, struct km_str sealed, struct km_str path,
                       km_getenv_fn *getenv_fn, void *ctx, struct km_str *ret_value,
                       struct km_err *err)
{
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(MAX_SECRET);
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(MAX_SECRET);
    uint8_t key[KM_AEAD_KEY_LEN];
    struct km_str key_text;
    int r;

    if (!getenv_fn(ctx, "KANMON_SECRET_KEY", &key_text))
        return km_fail(err, KM_E_CONFIG, "KANMON_SECRET_KEY is not set, which opens enc: values");
    r = parse_key(key_text, key, err);
    if (r == 0 && km_buf_unbase64(&raw, sealed) < 0)
        r = km_fail(err, KM_E_CONFIG, "the enc: value is not base64");
    if (r == 0 && km_aead_open(key, km_buf_view(&raw), path, &plain, NULL) < 0)
        r = km_fail(err, KM_E_CONFIG,
                    "the enc: value was sealed with another KANMON_SECRET_KEY, "
                    "for another setting, or is damaged");
    km_wipe(key, sizeof key);
    if (r == 0)
        *ret_value = km_arena_str(arena, km_buf_view(&plain));
    if (plain.p)
        km_wipe(plain.p, plain.n);
    return r;
}

int km_secret_resolve(struct km_arena *arena, struct km_str text, struct km_str path,
                      km_getenv_fn *getenv_fn, void *ctx, struct km_str *ret_value, bool *ret_found,
                      struct km_err *err)
{
    static const struct km_str variable = { "os.environ/", 11 }, sealed = { "enc:", 4 };
    struct km_str value = text;
    int r = 0;

    if (km_str_starts(text, variable) &&
        !getenv_fn(ctx, km_arena_cstr(arena, km_str_skip(text, variable.n)), &value)) {
        *ret_value = KM_STR_NONE;
        *ret_found = false;
        return 0;
    }
    if (km_str_starts(value, sealed))
        r = open_sealed(arena, km_str_skip(value, sealed.n), path, getenv_fn, ctx, &value, err);
    if (r == 0) {
        *ret_value = value;
        *ret_found = true;
    }
    return r;
}

int km_secret_seal(const uint8_t key[32], struct km_str value, struct km_str path,
                   struct km_buf *out, struct km_err *err)
{
    struct km_buf raw KM_CLEANUP(km_buf_done) = KM_BUF(MAX_SECRET);
    int r = km_aead_seal(key, value, path, &raw, err);

    if (r < 0)
        return r;
    km_buf_str(out, KM_STR("enc:"));
    km_buf_base64url(out, km_buf_view(&raw));
    return km_buf_failed(out) ? km_fail(err, KM_E_LIMIT, "the sealed value is too long") : 0;
}

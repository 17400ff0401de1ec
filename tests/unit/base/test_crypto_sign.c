/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/crypto.h"

/* The key as PEM; cipher NULL: not encrypted. */
static void pem_of(EVP_PKEY *key, bool pkcs1, const EVP_CIPHER *cipher, struct km_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *p;
    long n;

    if (pkcs1)
        assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL),
                         1);
    else
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, cipher, (const unsigned char *)"secret",
                                                  6, NULL, NULL),
                         1);
    n = BIO_get_mem_data(bio, &p);
    km_buf_reset(out);
    km_buf_bytes(out, p, (size_t)n);
    BIO_free(bio);
}

static bool verifies(EVP_PKEY *key, struct km_str text, struct km_str signature)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool yes;

    assert_int_equal(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key), 1);
    yes = EVP_DigestVerify(c, (const unsigned char *)signature.p, signature.n,
                           (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(c);
    return yes;
}

static void a_signature_verifies_with_the_public_key(void **state)
{
    struct km_buf pem KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    EVP_PKEY *key = EVP_RSA_gen(2048);

    (void)state;
    for (int pkcs1 = 0; pkcs1 < 2; pkcs1++) {
        pem_of(key, pkcs1 == 1, NULL, &pem);
        km_buf_reset(&out);
        assert_int_equal(km_rs256_sign(km_buf_view(&pem), KM_STR("a.b"), &out, NULL), 0);
        assert_int_equal(out.n, 256);
        assert_true(verifies(key, KM_STR("a.b"), km_buf_view(&out)));
        assert_false(verifies(key, KM_STR("a.c"), km_buf_view(&out)));
    }
    EVP_PKEY_free(key);
}

static void anything_but_an_rsa_key_is_refused(void **state)
{
    struct km_buf pem KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct km_err err;

    (void)state;
    assert_int_equal(km_rs256_sign(KM_STR("not a key"), KM_STR("a"), &out, &err), KM_E_INVALID);
    assert_int_equal(km_rs256_sign(KM_STR_NONE, KM_STR("a"), &out, &err), KM_E_INVALID);
    pem_of(key, false, NULL, &pem);
    assert_int_equal(km_rs256_sign(km_buf_view(&pem), KM_STR("a"), &out, &err), KM_E_INVALID);
    EVP_PKEY_free(key);
    key = EVP_RSA_gen(2048);
    pem_of(key, false, EVP_aes_128_cbc(), &pem);
    assert_int_equal(km_rs256_sign(km_buf_view(&pem), KM_STR("a"), &out, &err), KM_E_INVALID);
    EVP_PKEY_free(key);
    assert_int_equal(out.n, 0);
}

static void a_signature_without_room_is_refused(void **state)
{
    struct km_buf pem KM_CLEANUP(km_buf_done) = KM_BUF(8192);
    struct km_buf out KM_CLEANUP(km_buf_done) = KM_BUF(100);
    EVP_PKEY *key = EVP_RSA_gen(2048);

    (void)state;
    pem_of(key, false, NULL, &pem);
    assert_int_equal(km_rs256_sign(km_buf_view(&pem), KM_STR("a"), &out, NULL), KM_E_LIMIT);
    EVP_PKEY_free(key);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_verifies_with_the_public_key),
        cmocka_unit_test(anything_but_an_rsa_key_is_refused),
        cmocka_unit_test(a_signature_without_room_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/crypto.h"
#include "base/encode.h"

static void sha256_has_the_vectors_of_fips_180(void **state)
{
    char hex[2 * KM_SHA256_LEN + 1];

    (void)state;
    km_sha256_hex(KM_STR("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    km_sha256_hex(KM_STR_NONE, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    km_sha256_hex(KM_STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void *hash_in_a_thread(void *out)
{
    km_sha256(KM_STR("abc"), out);
    return NULL;
}

static void every_thread_hashes_the_same(void **state)
{
    uint8_t here[KM_SHA256_LEN], there[4][KM_SHA256_LEN] = { { 0 } };
    pthread_t threads[4];

    (void)state;
    km_sha256(KM_STR("abc"), here);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_in_a_thread, there[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_memory_equal(there[i], here, sizeof here);
    }
}

static void hmac_has_the_vectors_of_rfc_4231(void **state)
{
    uint8_t mac[KM_SHA256_LEN];
    char hex[2 * KM_SHA256_LEN + 1], key[131];

    (void)state;
    km_hmac_sha256(KM_STR("Jefe"), KM_STR("what do ya want for nothing?"), mac);
    km_hex(hex, mac, sizeof mac);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    km_hmac_sha256(km_str(key, sizeof key),
                   KM_STR("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    km_hex(hex, mac, sizeof mac);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    km_hmac_sha256(KM_STR_NONE, KM_STR_NONE, mac);
    km_hex(hex, mac, sizeof mac);
    assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void random_bytes_differ(void **state)
{
    uint8_t a[16] = { 0 }, b[16] = { 0 };

    (void)state;
    assert_int_equal(km_random(a, sizeof a, NULL), 0);
    assert_int_equal(km_random(b, sizeof b, NULL), 0);
    assert_memory_not_equal(a, b, sizeof a);
}

static void secrets_compare_by_content_and_length(void **state)
{
    (void)state;
    assert_true(km_secret_str_eq(KM_STR("sk-1"), KM_STR("sk-1")));
    assert_false(km_secret_str_eq(KM_STR("sk-1"), KM_STR("sk-2")));
    assert_false(km_secret_str_eq(KM_STR("sk-1"), KM_STR("sk-10")));
    assert_true(km_secret_str_eq(KM_STR_NONE, KM_STR("")));
}

static void a_secret_is_a_copy_and_is_given_up(void **state)
{
    struct km_secret s;
    char text[] = "secret";

    (void)state;
    assert_int_equal(km_secret_init(&s, km_str_c(text)), 0);
    km_wipe(text, sizeof text);
    assert_int_equal(text[0], 0);
    assert_true(km_str_eq(km_secret_view(&s), KM_STR("secret")));
    km_secret_done(&s);
    assert_null(s.p);
    km_secret_done(&s);
}

static const uint8_t key[KM_AEAD_KEY_LEN] = "0123456789abcdef0123456789abcde";

static void gcm_opens_a_text_sealed_elsewhere(void **state)
{
    /* Test case 16 of the GCM specification (McGrew, Viega). */
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(200);
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(200);
    uint8_t k[32], aad[20], expected[60], in[12 + 60 + 16];

    (void)state;
    assert_int_equal(km_unhex(KM_STR("feffe9928665731c6d6a8f9467308308"
                                     "feffe9928665731c6d6a8f9467308308"),
                              k, 32),
                     0);
    assert_int_equal(km_unhex(KM_STR("feedfacedeadbeeffeedfacedeadbeefabaddad2"), aad, 20), 0);
    assert_int_equal(
        km_unhex(KM_STR("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a31"
                        "8a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"),
                 expected, 60),
        0);
    assert_int_equal(km_unhex(KM_STR("cafebabefacedbaddecaf888"
                                     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555"
                                     "d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                     "76fc6ece0f4e1768cddf8853bb2d551b"),
                              in, sizeof in),
                     0);
    km_buf_bytes(&sealed, in, sizeof in);
    assert_int_equal(km_aead_open(k, km_buf_view(&sealed), km_str((char *)aad, 20), &plain, NULL),
                     0);
    assert_int_equal(plain.n, 60);
    assert_memory_equal(plain.p, expected, 60);
}

static void what_is_sealed_opens_at_every_length(void **state)
{
    char text[100];

    (void)state;
    memset(text, 't', sizeof text);
    for (size_t n = 0; n <= sizeof text; n++) {
        struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(200);
        struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(200);
        struct km_str aad = n % 2 ? KM_STR("place") : KM_STR_NONE;

        assert_int_equal(km_aead_seal(key, km_str(text, n), aad, &sealed, NULL), 0);
        assert_int_equal(sealed.n, n + KM_AEAD_NONCE_LEN + KM_AEAD_TAG_LEN);
        assert_int_equal(km_aead_open(key, km_buf_view(&sealed), aad, &plain, NULL), 0);
        assert_true(km_str_eq(km_buf_view(&plain), km_str(text, n)));
    }
}

static void any_changed_bit_and_any_cut_is_noticed(void **state)
{
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(200);
    struct km_buf plain KM_CLEANUP(km_buf_done) = KM_BUF(200);
    struct km_err err;

    (void)state;
    assert_int_equal(km_aead_seal(key, KM_STR("attack"), KM_STR("a"), &sealed, NULL), 0);
    for (size_t i = 0; i < sealed.n; i++) {
        sealed.p[i] = (char)(sealed.p[i] ^ 1);
        assert_int_equal(km_aead_open(key, km_buf_view(&sealed), KM_STR("a"), &plain, &err),
                         KM_E_INVALID);
        sealed.p[i] = (char)(sealed.p[i] ^ 1);
        assert_int_equal(km_aead_open(key, km_str(sealed.p, i), KM_STR("a"), &plain, &err),
                         KM_E_INVALID);
    }
    assert_int_equal(km_aead_open(key, km_buf_view(&sealed), KM_STR("b"), &plain, &err),
                     KM_E_INVALID);
    assert_int_equal(plain.n, 0);
}

static void sealing_over_the_limit_fails(void **state)
{
    struct km_buf small KM_CLEANUP(km_buf_done) = KM_BUF(20);
    struct km_err err;

    (void)state;
    assert_int_equal(km_aead_seal(key, KM_STR("x"), KM_STR_NONE, &small, &err), KM_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_has_the_vectors_of_fips_180),
        cmocka_unit_test(every_thread_hashes_the_same),
        cmocka_unit_test(hmac_has_the_vectors_of_rfc_4231),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(secrets_compare_by_content_and_length),
        cmocka_unit_test(a_secret_is_a_copy_and_is_given_up),
        cmocka_unit_test(gcm_opens_a_text_sealed_elsewhere),
        cmocka_unit_test(what_is_sealed_opens_at_every_length),
        cmocka_unit_test(any_changed_bit_and_any_cut_is_noticed),
        cmocka_unit_test(sealing_over_the_limit_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_vectors.h - a set of keys and tokens signed by them with PyJWT; the private halves are gone.
 *
 * Claims: iss https://issuer.example, aud kanmon, sub alice, exp 2100-01-01, iat and nbf of
 * 2023-11-14, scope "read admin", realm_access.roles [x, engineers], "a.b".
 */
#ifndef JWT_VECTORS_H
#define JWT_VECTORS_H

static const char jwt_keys[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"key_ops\":[\"verify\"],\"n\":\"xrxHqCzPOAl_m5FmQESnM6n"
    "zXcOc0P44m71iMQtsehUWzDU6KR_TCzTqxEAs5mrtEsbTqckUPxrAajDLrgUD-IaHbHE6t5SYdDV8EOogVsl"
    "RezHYxXwyqfYrmT57vIucVegYzIKKn06n56o_zn1tvp7rzyvqLjDU_OwoOphWd6J6tIpaTz_WK_6ilLM6ILQ"
    "dh76ABRsYKROLaJK_yYii91HodElUDUZAyqzfvNw22prS1eiYn_HDYRKSjE1QZ6Th_TEvwwFvsaOetCWWuk2"
    "0ilbcgMNJU5iUvoy_eQEr487j2V9W0cMPcpXJxoEVH5FuMW1LyKgzKme44loWSXcmyQ\",\"e\":\"AQAB\""
    ",\"kid\":\"r\",\"use\":\"sig\",\"alg\":\"RS256\"},{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"MGmaT13b-NMFNLbF8ysIVjPNcE4rTkqaDGUJ2Ru9_a8\",\"y\":\"xeQjGmtaX33J_QrQxwO_eP"
    "NaxHkKxW0dqYRrDEI1Icg\",\"kid\":\"e\",\"use\":\"sig\",\"alg\":\"ES256\"},{\"x\":\"jp"
    "8aGTe__15OsInKEcnLjUWtxsFN6AITADjVLBliP3c\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"ki"
    "d\":\"d\",\"use\":\"sig\",\"alg\":\"EdDSA\"}]}";

static const char jwt_rs256[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5le"
    "GFtcGxlIiwiYXVkIjoia2FubW9uIiwic3ViIjoiYWxpY2UiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6NDEwM"
    "jQ0NDgwMCwibmJmIjoxNzAwMDAwMDAwLCJzY29wZSI6InJlYWQgYWRtaW4iLCJyZWFsbV9hY2Nlc3MiOnsic"
    "m9sZXMiOlsieCIsImVuZ2luZWVycyJdfSwiYS5iIjoiZG90dGVkIn0.sRDNup-gFxsp3eMVXAl_uKKOSX4t8"
    "Bd9N0otBwVPU4fblRY_WBuf6pnsDWCsjm9aZZYRdZ59JJfYxBrtX6q9e6-nRyIAzlo3hS6XsDMc76Ols0bjo"
    "z_RUcFlBOoPiAVyU7JsmSWfrWcxJ17PACYq8EnYsDlcat97vqLNw_XhDgErNd_vH0egHrgRVzi1HjPdpuKE8"
    "rkO0kOr2j_CyU3-OKSBwkdPQakOCqKaxIOgLxe28CopXU-JODX3QhGGjJuu_SmVOFM0B7PshA0-zI-gI4Sw7"
    "KD_bfOAkUByJpg3wMCfdx6W9l2BjIL8K4Gn8v-D1gf9CNfb2dfDDi4EblKbug";

static const char jwt_es256[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5le"
    "GFtcGxlIiwiYXVkIjoia2FubW9uIiwic3ViIjoiYWxpY2UiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6NDEwM"
    "jQ0NDgwMCwibmJmIjoxNzAwMDAwMDAwLCJzY29wZSI6InJlYWQgYWRtaW4iLCJyZWFsbV9hY2Nlc3MiOnsic"
    "m9sZXMiOlsieCIsImVuZ2luZWVycyJdfSwiYS5iIjoiZG90dGVkIn0.0kGnFOsdJ2yjSM0Nx2mJVmejbp5tb"
    "r4o6TdB7mn007VYlW--kGfoWumlHiH3fVN5wtaGUboLQRTai9f-gTQA3A";

static const char jwt_eddsa[] =
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImQiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5le"
    "GFtcGxlIiwiYXVkIjoia2FubW9uIiwic3ViIjoiYWxpY2UiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6NDEwM"
    "jQ0NDgwMCwibmJmIjoxNzAwMDAwMDAwLCJzY29wZSI6InJlYWQgYWRtaW4iLCJyZWFsbV9hY2Nlc3MiOnsic"
    "m9sZXMiOlsieCIsImVuZ2luZWVycyJdfSwiYS5iIjoiZG90dGVkIn0.DjbvVxv2p7SVCacGdJRjATLqN08hn"
    "lPsRcslYzZ4At17TxKrdvf9-I-mr-DN_qm8sPxMZaamLGU1jcM6Q8KKAw";

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "sys/peer.h"

static void the_other_end_of_a_pair_is_this_process(void **state)
{
    struct km_peer peer;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(km_peer_of(fds[0], &peer, NULL), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.gid, getgid());
    close(fds[0]);
    close(fds[1]);
}

static void other_descriptors_have_no_peer(void **state)
{
    struct km_peer peer = { .uid = 12345 };
    struct km_err err;
    int tcp = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(km_peer_of(tcp, &peer, &err), KM_E_UNSUPPORTED);
    assert_int_equal(km_peer_of(-1, &peer, &err), KM_E_SYSTEM);
    assert_int_equal(peer.uid, 12345);
    close(tcp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_other_end_of_a_pair_is_this_process),
        cmocka_unit_test(other_descriptors_have_no_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

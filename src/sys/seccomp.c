/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp.c - see seccomp.h.
 *
 *     another processor's calls (32 bits on 64, x32)   refused
 *     a call of the list                               refused
 *     clone with a new namespace                       refused; clone3 does not exist, since its
 *                                                      flags are in memory, which a filter cannot
 *                                                      read, and libc then takes clone
 *     socket                                           TCP and UDP, and the list of interfaces;
 *                                                      not raw, not Unix: behind those are the
 *                                                      gateway's own control, Docker, D-Bus
 *     ioctl that types for a terminal                  refused
 *     anything else                                    allowed
 *
 * "Refused" is EPERM, so that programs which only try go on.  Numbers are the kernel's own, by
 * <sys/syscall.h>; a call it does not know is one this processor does not have.
 */
#include "sys/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH 0
#endif

#define X32 0x40000000u /* set in the number of a call of that kind */
#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#define TYPE_MASK 0xf /* of socket's type, without its flags */
#define PUSH_INPUT 0x5412 /* TIOCSTI */
#define CONSOLE 0x541c /* TIOCLINUX */
#define ARG(i) ((unsigned)offsetof(struct seccomp_data, args[i])) /* its lower half */

/* Newer than the headers of Debian 12, the same on every processor. */
#define NR_MOUNT_SETATTR 442
#define NR_QUOTACTL_FD 443

static const int refused[] = {
    /* into other processes */
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd,
    SYS_process_madvise, SYS_perf_event_open, SYS_userfaultfd,
    /* mounts, namespaces, other roots */
    SYS_mount, SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsconfig, SYS_fsmount,
    SYS_fspick, NR_MOUNT_SETATTR, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns,
    SYS_open_by_handle_at, SYS_fanotify_init,
    /* the kernel */
    SYS_bpf, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_init_module,
    SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_syslog,
    SYS_keyctl, SYS_add_key, SYS_request_key,
    /* the machine */
    SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, NR_QUOTACTL_FD, SYS_sethostname,
    SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex,
    SYS_vhangup,
#if defined(__x86_64__)
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
};

struct writer {
    struct sock_filter *at;
    size_t n;
};

static void put(struct writer *w, unsigned code, unsigned k, size_t yes, size_t no)
{
    km_assert(w->n < KM_SECCOMP_MOST && yes < 256 && no < 256);
    w->at[w->n++] =
        (struct sock_filter){ (unsigned short)code, (unsigned char)yes, (unsigned char)no, k };
}

static void load(struct writer *w, unsigned offset)
{
    put(w, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

/* Goes on by `yes` or `no` instructions more. */
static void equal(struct writer *w, unsigned value, size_t yes, size_t no)
{
    put(w, BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}

static void allow(struct writer *w)
{
    put(w, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static void refuse(struct writer *w, int error)
{
    put(w, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error, 0, 0);
}

static void refuse_calls(struct writer *w)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        equal(w, (unsigned)refused[i], 0, 1);
        refuse(w, EPERM);
    }
    equal(w, SYS_clone3, 0, 1);
    refuse(w, ENOSYS);
}

static void look_at_clone(struct writer *w)
{
    equal(w, SYS_clone, 0, 4);
    load(w, ARG(0));
    put(w, BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1);
    refuse(w, EPERM);
    allow(w);
}

static void look_at_ioctl(struct writer *w)
{
    equal(w, SYS_ioctl, 0, 5);
    load(w, ARG(1));
    equal(w, PUSH_INPUT, 1, 0);
    equal(w, CONSOLE, 0, 1);
    refuse(w, EPERM);
    allow(w);
}

/* Interfaces and routes may be asked for (netlink's protocol 0), which getaddrinfo() does. */
static void look_at_socket(struct writer *w, bool network)
{
    size_t begin = w->n;

    equal(w, SYS_socket, 0, 0); /* its way past is put in below */
    load(w, ARG(0));
    equal(w, AF_NETLINK, 0, 4);
    load(w, ARG(2));
    equal(w, 0, 1, 0);
    refuse(w, EPERM);
    allow(w);
    if (network) {
        equal(w, AF_INET, 2, 0);
        equal(w, AF_INET6, 1, 0);
        refuse(w, EPERM);
        load(w, ARG(1));
        put(w, BPF_ALU | BPF_AND | BPF_K, TYPE_MASK, 0, 0);
        equal(w, SOCK_STREAM, 2, 0);
        equal(w, SOCK_DGRAM, 1, 0);
        refuse(w, EPERM);
        allow(w);
    } else {
        refuse(w, EPERM);
    }
    w->at[begin].jf = (unsigned char)(w->n - begin - 1);
}

size_t km_seccomp_program(struct sock_filter program[KM_SECCOMP_MOST], bool network)
{
    struct writer w = { program, 0 };

    if (!ARCH)
        return 0;
    load(&w, offsetof(struct seccomp_data, arch));
    equal(&w, ARCH, 1, 0);
    refuse(&w, EPERM);
    load(&w, offsetof(struct seccomp_data, nr));
    put(&w, BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1);
    refuse(&w, EPERM);
    refuse_calls(&w);
    look_at_clone(&w);
    look_at_ioctl(&w);
    look_at_socket(&w, network);
    allow(&w);
    return w.n;
}

int km_seccomp_enter(const struct sock_filter *program, size_t n)
{
    const struct sock_fprog filter = { (unsigned short)n,
                                       (struct sock_filter *)(uintptr_t)program };

    if (n == 0) {
        errno = ENOSYS;
        return -1;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

bool km_seccomp_here(void)
{
    const unsigned action = SECCOMP_RET_ERRNO;

    return ARCH && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

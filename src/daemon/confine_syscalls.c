/* See daemon/confine.h: which system calls, by seccomp.
 *
 * Three lists. What serving takes is allowed: by our own code, libuv, SQLite, libmicrohttpd, GnuTLS and the C
 * library, whichever of their versions. What would give powers, reach other processes or change the machine
 * is refused with EPERM. All else does not exist (ENOSYS), so that a library that tries something new falls
 * back on what it did before. The process is not killed: when a list is wrong, one feature suffers and is
 * found in the audit log, where each refusal goes; a network of machines that do not boot is worse. An
 * intruder is in the same cage either way. */
#include "base/cleanup.h"
#include "base/vec.h"
#include "daemon/confine_internal.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const int allowed[] = {
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(membarrier),
    SCMP_SYS(mremap),
    SCMP_SYS(msync),
    SCMP_SYS(munmap),
    /* threads and the end */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(futex_waitv),
    SCMP_SYS(get_robust_list),
    SCMP_SYS(getcpu),
    SCMP_SYS(rseq),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(restart_syscall),
    /* signals, to itself */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(signalfd4),
    /* time */
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(nanosleep),
    SCMP_SYS(time),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(times),
    /* waiting */
    SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd),
    SCMP_SYS(eventfd2),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_init),
    SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_rm_watch),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pselect6),
    SCMP_SYS(select),
    /* files: which ones is up to Landlock and their permissions */
    SCMP_SYS(access),
    SCMP_SYS(chmod),
    SCMP_SYS(close),
    SCMP_SYS(close_range),
    SCMP_SYS(copy_file_range),
    SCMP_SYS(creat),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fadvise64),
    SCMP_SYS(fallocate),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(fchown),
    SCMP_SYS(fcntl),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(lseek),
    SCMP_SYS(lstat),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(preadv2),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(pwritev2),
    SCMP_SYS(read),
    SCMP_SYS(readahead),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(readv),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(rmdir),
    SCMP_SYS(sendfile),
    SCMP_SYS(splice),
    SCMP_SYS(stat),
    SCMP_SYS(statfs),
    SCMP_SYS(statx),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(sync_file_range),
    SCMP_SYS(tee),
    SCMP_SYS(truncate),
    SCMP_SYS(umask),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(utimensat),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    /* sockets; which families, see `families` */
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(bind),
    SCMP_SYS(connect),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(listen),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    /* who and where it is */
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getgroups),
    SCMP_SYS(getpgrp),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
};

/* What exists, and not for us. */
static const int refused[] = {
    /* programs and other processes */
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(rt_sigqueueinfo),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(kcmp),
    SCMP_SYS(setpgid),
    SCMP_SYS(setsid),
    SCMP_SYS(setpriority),
    SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_setparam),
    SCMP_SYS(sched_setattr),
    /* users and powers */
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setfsuid),
    SCMP_SYS(setfsgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
    SCMP_SYS(chown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(setrlimit),
    SCMP_SYS(seccomp),
    SCMP_SYS(personality),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    /* the tree of files */
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fspick),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(quotactl),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    /* the kernel and the machine */
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(reboot),
    SCMP_SYS(syslog),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(vhangup),
    SCMP_SYS(modify_ldt),
#if !CONFINE_SANITIZED
    SCMP_SYS(ptrace),
#endif
};

#if CONFINE_SANITIZED
/* The leak check at the end stops all threads and looks at their registers; reports look at the mappings. */
static const int allowed_to_sanitizers[] = {SCMP_SYS(ptrace), SCMP_SYS(wait4), SCMP_SYS(arch_prctl),
                                            SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler)};
#endif

static const struct {
    int family, protocol; /* protocol -1: any */
} families[] = {{AF_UNIX, -1}, {AF_INET, -1}, {AF_INET6, -1}, {AF_PACKET, -1}, {AF_NETLINK, NETLINK_ROUTE}};

/* Asking about interfaces, about what waits in a pipe or socket, and about terminals. Not: changing them. */
static const unsigned long ioctls[] = {
    FIONBIO,     FIOCLEX,      FIONREAD,     TIOCOUTQ,      TCGETS,     TIOCGWINSZ,
    SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFMTU, SIOCGIFADDR,
};

/* PR_SET_VMA, of later headers: malloc gives its areas names. */
static const int prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, 0x53564d41};

static int allow_each(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = calls[i] == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, action, calls[i], 0);
    return r;
}

/* One value of one argument. */
static int allow_value(scmp_filter_ctx filter, int call, unsigned argument, uint64_t value)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_CMP64(argument, SCMP_CMP_EQ, value));
}

/* Allowed without these bits, refused with one of them. */
static int refuse_bits(scmp_filter_ctx filter, int call, unsigned argument, uint64_t bits)
{
    int r =
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, bits, 0));
    return r < 0 ? r
                 : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
                                    SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, bits, bits));
}

/* Memory to run code from, and other processes. */
static int add_memory_and_threads(scmp_filter_ctx filter)
{
    if (CONFINE_SANITIZED) {
        static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(clone), SCMP_SYS(prctl)};
        return allow_each(filter, SCMP_ACT_ALLOW, calls, ARRAY_SIZE(calls));
    }
    int r = refuse_bits(filter, SCMP_SYS(mmap), 2, PROT_EXEC);
    if (r == 0)
        r = refuse_bits(filter, SCMP_SYS(mprotect), 2, PROT_EXEC);
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (r == 0)
        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                             SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    for (size_t i = 0; i < ARRAY_SIZE(prctls) && r == 0; i++)
        r = allow_value(filter, SCMP_SYS(prctl), 0, (uint64_t)prctls[i]);
    return r;
}

static int add_arguments(scmp_filter_ctx filter)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_SIZE(families) && r == 0; i++)
        r = families[i].protocol < 0
                ? allow_value(filter, SCMP_SYS(socket), 0, (uint64_t)families[i].family)
                : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                   SCMP_A0_64(SCMP_CMP_EQ, (uint64_t)families[i].family),
                                   SCMP_A2_64(SCMP_CMP_EQ, (uint64_t)families[i].protocol));
    if (r == 0)
        r = allow_value(filter, SCMP_SYS(socketpair), 0, AF_UNIX);
    for (size_t i = 0; i < ARRAY_SIZE(ioctls) && r == 0; i++)
        r = allow_value(filter, SCMP_SYS(ioctl), 1, ioctls[i]);
    if (r == 0) /* abort() and the like */
        r = allow_value(filter, SCMP_SYS(tgkill), 0, (uint64_t)getpid());
    if (r == 0) /* its own limits, and only to look */
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0_64(SCMP_CMP_EQ, 0),
                             SCMP_A2_64(SCMP_CMP_EQ, 0));
    return r;
}

int syscalls_enter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return -ENOMEM;
    /* Refusals are told to the audit log where the kernel can; the search through the list is by halves. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
    int r = allow_each(filter, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));
    if (r == 0)
        r = allow_each(filter, SCMP_ACT_ERRNO(EPERM), refused, ARRAY_SIZE(refused));
#if CONFINE_SANITIZED
    if (r == 0)
        r = allow_each(filter, SCMP_ACT_ALLOW, allowed_to_sanitizers, ARRAY_SIZE(allowed_to_sanitizers));
#endif
    if (r == 0)
        r = add_memory_and_threads(filter);
    if (r == 0)
        r = add_arguments(filter);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP ? -EOPNOTSUPP : r;
}

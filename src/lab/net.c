/* See lab/net.h. */
#include "lab/net.h"
#include "base/process.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static pid_t inner; /* the first process of the namespace, seen from outside */

static void pass_on(int signal_number)
{
    kill(inner, signal_number);
}

/* What remains of the process outside: it waits for the one inside, and ends as that one does. */
static _Noreturn void wait_outside(void)
{
    static const int passed[] = {SIGINT, SIGTERM, SIGHUP};
    int status;
    sigset_t set;
    sigemptyset(&set);
    signal(SIGQUIT, SIG_IGN);
    for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
        signal(passed[i], pass_on);
        sigaddset(&set, passed[i]);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    while (waitpid(inner, &status, 0) < 0)
        if (errno != EINTR)
            _exit(1);
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

int lab_enter(struct diags *diags)
{
    int alive[2];
    if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) < 0) {
        int r = -errno;
        if (r == -EPERM)
            return diag_errno(diags, r, "a network of its own needs root (in a container: --privileged)");
        return diag_errno(diags, r, "cannot make namespaces");
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return diag_errno(diags, -errno, "cannot make mounts private");
    if (pipe2(alive, O_CLOEXEC) < 0)
        return diag_errno(diags, -errno, "cannot make a pipe");
    fflush(NULL);
    inner = fork();
    if (inner < 0) {
        int r = -errno;
        close(alive[0]);
        close(alive[1]);
        return diag_errno(diags, r, "cannot make a process");
    }
    if (inner > 0)
        wait_outside();
    /* The process outside may have died before prctl; its end of the pipe is closed then. */
    close(alive[1]);
    bool alone = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
                 poll(&(struct pollfd){.fd = alive[0], .events = POLLIN}, 1, 0) != 0;
    close(alive[0]);
    if (alone)
        _exit(1);
    return 0;
}

/* Runs `ip ...`; what it printed goes into the diagnostic. */
static int ip_command(struct diags *diags, const char *const *argv)
{
    cleanup_free char *output = NULL;
    int r = process_output(argv, &output);
    if (r == -ENOENT)
        return diag_errno(diags, r, "there is no program ip (package iproute2)");
    if (r < 0)
        return diag_errno(diags, r, "cannot run ip");
    if (r == 0)
        return 0;
    cleanup_str struct str words = {0};
    for (const char *const *word = argv; *word; word++)
        str_printf(&words, "%s%s", word == argv ? "" : " ", *word);
    output[strcspn(output, "\n")] = '\0';
    diag_error(diags, NULL, "%s: %s", str_text(&words), output);
    return -EIO;
}
#define ip_run(diags, ...) ip_command(diags, (const char *const[]){"ip", __VA_ARGS__, NULL})

int lab_net_make(const char *name, ipv4_t address, unsigned length, struct diags *diags,
                 struct lab_net *ret_net)
{
    struct lab_net net = {0};
    char text[IPV4_TEXT_MAX], with_length[IPV4_TEXT_MAX + 4];
    int r;

    if (strlen(name) >= sizeof(net.bridge)) {
        diag_error(diags, NULL, "\"%s\" is too long a name for an interface", name);
        return -ENAMETOOLONG;
    }
    memcpy(net.bridge, name, strlen(name) + 1);
    snprintf(with_length, sizeof(with_length), "%s/%u", ipv4_format(address, text), length);
    if ((r = ip_run(diags, "link", "set", "lo", "up")) < 0 ||
        (r = ip_run(diags, "link", "add", name, "type", "bridge", "stp_state", "0", "mcast_snooping", "0")) <
            0 ||
        (r = ip_run(diags, "addr", "add", with_length, "brd", "+", "dev", name)) < 0)
        return r;
    /* A link-local address that needs no probing, so that it can be used at once. A kernel without IPv6 has
     * neither; then P14 costs the firmware its time-out and nothing else changes. */
    cleanup_diags struct diags ignored = {0};
    (void)ip_run(&ignored, "link", "set", name, "addrgenmode", "none");
    if ((r = ip_run(diags, "link", "set", name, "up")) == 0)
        (void)ip_run(&ignored, "-6", "addr", "add", "fe80::1/64", "dev", name, "nodad");
    if (r == 0)
        *ret_net = net;
    return r;
}

int lab_net_tap(struct lab_net *net, struct diags *diags)
{
    cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return diag_errno(
            diags, -errno,
            "cannot open /dev/net/tun, which virtual machines need (load the module: modprobe tun)");
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "tap%u", net->taps);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        return diag_errno(diags, -errno, "cannot make %s", request.ifr_name);
    cleanup_diags struct diags ignored = {0}; /* no IPv6: nothing to turn off */
    (void)ip_run(&ignored, "link", "set", request.ifr_name, "addrgenmode", "none");
    int r = ip_run(diags, "link", "set", request.ifr_name, "master", net->bridge, "up");
    if (r < 0)
        return r;
    net->taps++;
    return TAKE_FD(fd);
}

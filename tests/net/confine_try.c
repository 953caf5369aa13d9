/* Confines itself as the server does, by the very same function, and tries to leave; then does what the
 * server does. Used by tests/net/confine.
 *
 *     confine-try STATE CONFIG USER ADDRESS IFACE   a line for each attempt: NAME and `done` or an errno
 *     confine-try without-landlock COMMAND...       runs the command as on a kernel without Landlock
 *
 * STATE and CONFIG are folders; USER `-`: the server's usual one. CONFIG/link leads to a file outside. With
 * the USER `unconfined` it stays as it is, and tries what does no harm then: all of that is to succeed, else
 * it would show nothing when it fails. */
#include "base/file.h"
#include "base/str.h"
#include "daemon/confine.h"
#include "daemon/confine_internal.h"
#include "daemon/iface.h"
#include "daemon/sockets.h"
#include "model/site.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

struct world {
    const char *state, *config, *outside;
    struct served_iface iface;
    pid_t parent;
    int other_listener; /* a TCP port of another program */
    struct sockaddr_in listener;
};

static int result_of(long r)
{
    return r < 0 ? -errno : 0;
}

static int read_path(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    return result_of(fd);
}

/* ---- leaving ---- */

static int read_shadow(struct world *w)
{
    (void)w;
    return read_path("/etc/shadow");
}

static int read_outside(struct world *w)
{
    (void)w;
    return read_path("/etc/login.defs");
}

static int read_link_out(struct world *w)
{
    cleanup_free char *path = xasprintf("%s/link", w->config);
    return read_path(path);
}

static int read_parent_memory(struct world *w)
{
    cleanup_free char *path = xasprintf("/proc/%d/mem", w->parent);
    return read_path(path);
}

static int write_outside(struct world *w)
{
    cleanup_close int fd = open(w->outside, O_WRONLY | O_CLOEXEC);
    return result_of(fd);
}

static int create_outside(struct world *w)
{
    cleanup_free char *path = xasprintf("/tmp/confine-try-%d", getpid());
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    (void)w;
    int r = result_of(fd);
    if (r == 0)
        unlink(path);
    return r;
}

static int write_config(struct world *w)
{
    cleanup_free char *path = xasprintf("%s/planted.yaml", w->config);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int r = result_of(fd);
    (void)unlink(path);
    return r;
}

static int make_device(struct world *w)
{
    cleanup_free char *path = xasprintf("%s/device", w->state);
    int r = result_of(mknod(path, S_IFCHR | 0666, 0x101));
    (void)unlink(path);
    return r;
}

static int execute(struct world *w)
{
    (void)w;
    execve("/bin/true", (char *const[]){"true", NULL}, (char *const[]){NULL});
    return -errno;
}

static int make_process(struct world *w)
{
    (void)w;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    int r = result_of(pid);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return r;
}

static int run_own_code(struct world *w)
{
    (void)w;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -errno : 0;
}

static int trace_parent(struct world *w)
{
    return result_of(ptrace(PTRACE_SEIZE, w->parent, NULL, NULL));
}

static int read_other_process(struct world *w)
{
    char here[8];
    struct iovec local = {here, sizeof(here)}, remote = {(void *)w->state, sizeof(here)};
    return result_of(process_vm_readv(w->parent, &local, 1, &remote, 1, 0));
}

static int signal_parent(struct world *w)
{
    return result_of(kill(w->parent, 0));
}

static int limit_parent(struct world *w)
{
    return result_of(syscall(SYS_prlimit64, w->parent, 7, NULL, NULL));
}

static int mount_over(struct world *w)
{
    int r = result_of(mount("none", w->state, "tmpfs", 0, NULL));
    (void)umount(w->state);
    return r;
}

static int change_root(struct world *w)
{
    return result_of(chroot(w->state));
}

static int new_namespace(struct world *w)
{
    (void)w;
    return result_of(unshare(CLONE_NEWUSER));
}

static int load_module(struct world *w)
{
    (void)w;
    return result_of(syscall(SYS_init_module, "", 0, ""));
}

static int load_bpf(struct world *w)
{
    char attr[64] = "";
    (void)w;
    return result_of(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}

static int become_root(struct world *w)
{
    (void)w;
    return result_of(syscall(SYS_setuid, 0));
}

static int take_powers(struct world *w)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{.effective = ~0u, .permitted = ~0u}};
    (void)w;
    return result_of(syscall(SYS_capset, &header, data));
}

static int open_handle(struct world *w)
{
    char handle[64] = "";
    (void)w;
    return result_of(syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY));
}

static int socket_of(int family, int type, int protocol)
{
    cleanup_close int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    return result_of(fd);
}

static int crypto_socket(struct world *w)
{
    (void)w;
    return socket_of(AF_ALG, SOCK_SEQPACKET, 0);
}

static int firewall_socket(struct world *w)
{
    (void)w;
    return socket_of(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
}

static int set_interface_down(struct world *w)
{
    struct ifreq request = {0};
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", w->iface.name);
    return result_of(ioctl(fd, SIOCSIFFLAGS, &request));
}

static int connect_tcp(struct world *w)
{
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return result_of(connect(fd, (const struct sockaddr *)&w->listener, sizeof(w->listener)));
}

/* ---- serving ---- */

static int read_config(struct world *w)
{
    cleanup_close int folder = open(w->config, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int fd = folder < 0 ? -1 : file_open_beneath(folder, "rambox.yaml");
    return folder < 0 ? -errno : fd < 0 ? fd : 0;
}

static int write_state(struct world *w)
{
    cleanup_free char *folder = xasprintf("%s/generations/.new", w->state);
    cleanup_free char *path = xasprintf("%s/file", folder);
    cleanup_free char *other = xasprintf("%s/generations/9999", w->state);
    int r = dir_make(folder);
    if (r == 0)
        r = file_write_atomic(path, "x", 1, 0644);
    if (r == 0)
        r = result_of(rename(folder, other));
    return r < 0 ? r : dir_remove(other);
}

static int write_store(struct world *w)
{
    cleanup_free char *path = xasprintf("%s/rambox.db", w->state);
    cleanup_diags struct diags diags = {0};
    CLEANUP(store_close) struct store *store = NULL;
    struct store_op op = {.kind = STORE_CANDIDATE_PUT, .candidate = {.mac = {{2, 0, 0, 0, 0, 1}}}};
    int r = store_open(path, &diags, &store);
    diags_print(&diags, stderr);
    return r < 0 ? r : store_commit(store, &op, 1);
}

/* Opens what an interface takes, twice: it went and came back. */
static int bind_sockets(struct world *w)
{
    cleanup_diags struct diags diags = {0};
    int queue = 0, fds[8];
    for (int round = 0; round < 2; round++) {
        fds[0] = socket_open_dhcp(&w->iface, 67, &diags, &queue);
        if (sockets_open_tftp(w->iface.address, 69, 2, &diags, &fds[6]) < 0)
            fds[6] = fds[7] = -1;
        fds[1] = socket_open_http(w->iface.address, 443, true, &diags);
        fds[2] = socket_open_http(w->iface.address, 80, false, &diags);
        fds[3] = socket_open_solicitations(&w->iface, &diags);
        fds[4] = socket_open_arp(&diags);
        fds[5] = socket_open_echo(&diags);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
            close_cleanup(&fds[i]);
    }
    diags_print(&diags, stderr);
    return diags.errors ? -EPERM : queue < 60000000 ? -ENOBUFS : 0;
}

static int read_interfaces(struct world *w)
{
    struct ifaces ifaces = {0};
    struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = 1};
    cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int r = fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : ifaces_read(&ifaces);
    (void)w;
    if (r == 0 && ifaces.list.n < 2)
        r = -ENODEV;
    ifaces_clear(&ifaces);
    return r;
}

static int watch_folders(struct world *w)
{
    cleanup_close int fd = inotify_init1(IN_CLOEXEC);
    return fd < 0 ? -errno : result_of(inotify_add_watch(fd, w->config, IN_CREATE));
}

static int wait_for_things(struct world *w)
{
    sigset_t set;
    sigemptyset(&set);
    (void)w;
    cleanup_close int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    cleanup_close int signals = signalfd(-1, &set, SFD_CLOEXEC);
    cleanup_close int event = eventfd(0, EFD_CLOEXEC);
    return timer < 0 || signals < 0 || event < 0 ? -errno : 0;
}

static void *do_nothing(void *user)
{
    return user;
}

static int start_thread(struct world *w)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, do_nothing, w);
    return r ? -r : -pthread_join(thread, NULL);
}

static int get_random(struct world *w)
{
    char bytes[16];
    (void)w;
    return getrandom(bytes, sizeof(bytes), 0) < 0 ? -errno : read_path("/dev/urandom");
}

static const struct {
    const char *name;
    int (*attempt)(struct world *w);
    bool sanitizers; /* they do this themselves, so it is allowed in such builds */
    bool harm;       /* it would do some where it succeeds, or there is nothing to succeed with */
} attempts[] = {
    {"read-shadow", read_shadow, false, false},
    {"read-outside", read_outside, false, false},
    {"read-link-out", read_link_out, false, false},
    {"read-parent-memory", read_parent_memory, false, false},
    {"write-outside", write_outside, false, false},
    {"create-outside", create_outside, false, false},
    {"write-config", write_config, false, false},
    {"make-device", make_device, false, false},
    {"exec", execute, false, true},
    {"fork", make_process, true, false},
    {"run-own-code", run_own_code, true, false},
    {"ptrace", trace_parent, false, false},
    {"read-process", read_other_process, false, true},
    {"kill", signal_parent, false, false},
    {"prlimit", limit_parent, false, false},
    {"mount", mount_over, false, false},
    {"chroot", change_root, false, true},
    {"unshare", new_namespace, false, true},
    {"load-module", load_module, false, true},
    {"bpf", load_bpf, false, true},
    {"become-root", become_root, false, true},
    {"take-powers", take_powers, false, true},
    {"open-handle", open_handle, false, true},
    {"crypto-socket", crypto_socket, false, true},
    {"firewall-socket", firewall_socket, false, false},
    {"interface-down", set_interface_down, false, true},
    {"connect-tcp", connect_tcp, false, false},
    {"config", read_config, false, false},
    {"state", write_state, false, false},
    {"store", write_store, false, false},
    {"sockets", bind_sockets, false, false},
    {"interfaces", read_interfaces, false, false},
    {"watch", watch_folders, false, false},
    {"wait", wait_for_things, false, false},
    {"thread", start_thread, false, false},
    {"random", get_random, false, false},
};

/* As a program of its own would have it: a listening port, which the confined one must not connect to. */
static void listen_elsewhere(struct world *w)
{
    socklen_t size = sizeof(w->listener);
    w->listener = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    w->other_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(w->other_listener, (const struct sockaddr *)&w->listener, sizeof(w->listener)) < 0 ||
        listen(w->other_listener, 1) < 0 ||
        getsockname(w->other_listener, (struct sockaddr *)&w->listener, &size) < 0)
        perror("listen");
}

static int enter(const struct world *w, const char *user)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(confine_free) struct confine *confine = NULL;
    const char *const read[] = {w->config, NULL};
    struct served_ifaces served = {0};
    struct site *site = site_new();
    VEC_PUSH(&served.list, w->iface);
    sockets_ahead(&served, &site->server, 2);
    VEC_FREE(&served.list);
    site_free(site);
    int r = confine_prepare(
        &(struct confine_spec){.user = str_eq(user, "-") ? NULL : user, .state_dir = w->state, .read = read},
        &diags, &confine);
    if (r == 0)
        r = confine_enter(confine, &diags);
    diags_print(&diags, stderr);
    if (r == 0)
        printf("# %s\n", confine_text(confine));
    return r;
}

static int without_landlock(char **command)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) < 0 ||
        seccomp_load(filter) < 0)
        return 2;
    execvp(command[0], command);
    perror(command[0]);
    return 2;
}

int main(int argc, char **argv)
{
    struct world w = {.parent = getppid()};
    char outside[4096] = "";
    if (argc > 2 && str_eq(argv[1], "without-landlock"))
        return without_landlock(argv + 2);
    if (argc != 6)
        return fprintf(stderr, "usage: confine-try STATE CONFIG USER ADDRESS IFACE\n"), 2;
    w.state = argv[1];
    w.config = argv[2];
    w.iface.index = (int)if_nametoindex(argv[5]);
    snprintf(w.iface.name, sizeof(w.iface.name), "%s", argv[5]);
    if (ipv4_parse(argv[4], &w.iface.address) < 0)
        return 2;
    cleanup_free char *link = xasprintf("%s/link", w.config);
    if (readlink(link, outside, sizeof(outside) - 1) < 0)
        return perror(link), 2;
    w.outside = outside;
    listen_elsewhere(&w);
    bool unconfined = str_eq(argv[3], "unconfined");
    if (!unconfined && enter(&w, argv[3]) < 0)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
        bool skipped = unconfined ? attempts[i].harm : attempts[i].sanitizers && CONFINE_SANITIZED;
        int r = skipped ? 0 : attempts[i].attempt(&w);
        printf("%s %s\n", attempts[i].name, skipped ? "skipped" : r < 0 ? strerrorname_np(-r) : "done");
        fflush(stdout);
    }
    sockets_end();
    close(w.other_listener);
    return 0;
}

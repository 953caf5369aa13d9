/* The real server and the virtual machines of `rambox try`, and the loop that watches them. */
#include "base/process.h"
#include "base/str.h"
#include "build/artifact.h"
#include "cli/try.h"
#include "publish/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

#define SERVER_START_S 15 /* the server's time to say that it is ready */
#define FACTS_S        3  /* from ready until the node's facts have arrived */
#define REPORT_S       15 /* from ready on the console until the report has arrived */
#define CPUS           2
#define SELF           "/proc/self/exe"

int64_t try_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void keep_line(void *user, const char *line)
{
    lab_console_add(user, line, strlen(line));
    lab_console_add(user, "\n", 1);
}

/* Runs one of our own commands on the configuration. */
static int run_command(struct try *t, const char *command, const char *option)
{
    struct lab_console said = {0};
    const char *const argv[] = {SELF, "--config", t->config, command, option, NULL};
    bool show = t->context->progress && !t->context->json;
    int r = process_run(&(struct process_spec){
        .argv = argv, .inherit_terminal = show, .on_line = show ? NULL : keep_line, .user = &said});
    if (r != 0) {
        cleanup_free char *tail = lab_console_tail(&said, 20);
        diag_error(&t->diags, NULL, "rambox %s failed%s%s", command, tail[0] ? ":\n" : "", tail);
        r = -EIO;
    }
    lab_console_free(&said);
    return r;
}

static char *find_artifact(const struct try *t, const struct generation *g, enum artifact_kind kind,
                           const char *definition, enum cpu_arch arch)
{
    char name[ARTIFACT_NAME_MAX];
    const struct generation_artifact *artifact =
        definition ? generation_artifact(g, kind, artifact_name_format(definition, arch, name)) : NULL;
    return artifact ? artifact_path(t->artifacts, &artifact->digest) : NULL;
}

int try_build(struct try *t)
{
    CLEANUP(generation_unref) struct generation *generation = NULL;
    int r = run_command(t, "build", NULL);
    if (r == 0)
        r = run_command(t, "publish", "--quiet");
    if (r == 0)
        r = generation_load(t->state, 0, &t->diags, &generation);
    if (r < 0)
        return r;
    const struct profile *profile = site_profile(generation->site, t->nodes.items[0].profile);
    enum cpu_arch arch = arch_first(profile_archs(profile));
    t->kernel = find_artifact(t, generation, ARTIFACT_KERNEL, profile->kernel, arch);
    t->image = find_artifact(t, generation, ARTIFACT_IMAGE, profile->image, arch);
    return 0;
}

static void read_server(struct try *t)
{
    char buffer[8192];
    ssize_t n;
    while (t->server.output >= 0 && (n = read(t->server.output, buffer, sizeof(buffer))) > 0)
        lab_console_add(&t->server_log, buffer, (size_t)n);
}

static void read_events(struct try *t)
{
    char buffer[16384];
    ssize_t n;
    while ((n = read(t->events, buffer, sizeof(buffer))) > 0)
        str_add_n(&t->event_text, buffer, (size_t)n);
    char *start = t->event_text.s, *newline;
    while (start && (newline = strchr(start, '\n'))) {
        *newline = '\0';
        try_take_event(t, start);
        start = newline + 1;
    }
    if (start) {
        t->event_text.len -= (size_t)(start - t->event_text.s);
        memmove(t->event_text.s, start, t->event_text.len + 1);
    }
}

/* Until the server says that it serves the generation that we published. */
static int wait_for_server(struct try *t)
{
    int64_t end = try_now_us() + SERVER_START_S * 1000000ll;
    while (t->serving == 0 && lab_child_running(&t->server) && try_now_us() < end) {
        (void)poll(&(struct pollfd){.fd = t->events, .events = POLLIN}, 1, 50);
        read_events(t);
        read_server(t);
    }
    if (t->serving)
        return 0;
    read_server(t);
    cleanup_free char *tail = lab_console_tail(&t->server_log, 20);
    diag_error(&t->diags, NULL, "the server did not start serving; it said:\n%s", tail);
    return -EIO;
}

static int start_server(struct try *t)
{
    int events[2];
    if (pipe2(events, O_CLOEXEC) < 0)
        return diag_errno(&t->diags, -errno, "cannot make a pipe");
    cleanup_close int events_write = events[1];
    t->events = events[0];
    cleanup_free char *path = xasprintf("fd:%d", events_write);
    const char *const argv[] = {SELF, "--config", t->config, "serve", "--events", path, NULL};
    int r = fcntl(t->events, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (r == 0)
        r = lab_child_start(&(struct lab_child_spec){.argv = argv, .fds = &events_write, .fd_count = 1},
                            &t->diags, &t->server);
    close(TAKE_FD(events_write));
    return r < 0 ? r : wait_for_server(t);
}

static int start_machine(struct try *t, struct try_node *node)
{
    struct lab_node_spec spec = {.name = node->name,
                                 .mac = node->mac,
                                 .nic = t->options.nic,
                                 .memory = t->options.memory,
                                 .cpus = CPUS,
                                 .accel = t->options.accel,
                                 .firmware = t->options.firmware->firmware,
                                 .method = t->options.firmware->method,
                                 .variables = t->variables};
    return lab_node_start(&spec, &t->net, &t->diags, &node->machine);
}

static int power_on(struct try *t, struct try_node *node)
{
    char mac[MAC_TEXT_MAX];
    node->power_on_us = try_now_us();
    int r = lab_node_power_on(&node->machine);
    if (r < 0)
        return diag_errno(&t->diags, r, "cannot power on %s", node->name);
    try_add_row(node, node->power_on_us, "power on", "%s, %s, %s, %u MiB, %u processors, %s",
                lab_firmware_info(t->options.firmware->firmware)->name, mac_format(&node->mac, mac),
                lab_nic_name(t->options.nic), (unsigned)(t->options.memory >> 20), CPUS,
                lab_accel_name(t->options.accel));
    return 0;
}

int try_start(struct try *t)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int r = lab_enter(&t->diags);
    if (r < 0)
        return r;
    if ((t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return diag_errno(&t->diags, -errno, "cannot take signals");
    if ((r = lab_net_make(t->interface, t->address, t->prefix.length, &t->diags, &t->net)) < 0 ||
        (r = start_server(t)) < 0)
        return r;
    VEC_EACH(node, &t->nodes)
        if ((r = start_machine(t, node)) < 0)
            return r;
    VEC_EACH(node, &t->nodes)
        if ((r = power_on(t, node)) < 0)
            return r;
    return 0;
}

void try_pump(struct try *t, int ms)
{
    VEC(struct pollfd) fds = {0};
    VEC_PUSH(&fds, ((struct pollfd){.fd = t->signals, .events = POLLIN}));
    VEC_PUSH(&fds, ((struct pollfd){.fd = t->events, .events = POLLIN}));
    VEC_PUSH(&fds, ((struct pollfd){.fd = t->server.output, .events = POLLIN}));
    VEC_EACH(node, &t->nodes) {
        bool on = node->machine.power == LAB_POWER_ON;
        VEC_PUSH(&fds, ((struct pollfd){.fd = on ? node->machine.serial : -1, .events = POLLIN}));
        VEC_PUSH(&fds, ((struct pollfd){.fd = on ? node->machine.control : -1, .events = POLLIN}));
    }
    (void)poll(fds.items, fds.n, ms);
    VEC_FREE(&fds);
    struct signalfd_siginfo signal_info;
    if (read(t->signals, &signal_info, sizeof(signal_info)) == (ssize_t)sizeof(signal_info))
        t->stopped_by = (int)signal_info.ssi_signo;
    read_server(t);
    read_events(t);
    VEC_EACH(node, &t->nodes)
        if (node->machine.power == LAB_POWER_ON)
            lab_node_read(&node->machine);
}

/* What a console says when there will be no more boot; the text is what is said about it. */
static const struct {
    const char *said, *failure;
} signs[] = {
    {"No bootable device", "its firmware found nothing to boot"},
    {"No bootable option or device was found", "its firmware found nothing to boot"},
    {"UEFI Interactive Shell", "its firmware found nothing to boot, and started its shell"},
    {"Boot failed: press a key", "PXELINUX found no configuration that it could boot"},
    {"Kernel panic - not syncing", "its kernel panicked"},
    {"bad shim signature",
     "GRUB and shim refused its kernel: it is not signed with a key that they trust, or was changed since"},
};

static bool settled(const struct try_node *node)
{
    return node->failure ||
           (node->ready_us && (node->facts || try_now_us() - node->ready_us > FACTS_S * 1000000ll));
}

static void judge(struct try *t, struct try_node *node)
{
    int64_t now = try_now_us();
    if (settled(node))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(signs) && !node->ready_us && !node->failure; i++)
        if (lab_console_said(&node->machine.console, 0, signs[i].said))
            node->failure = xstrdup(signs[i].failure);
    if (!node->failure && node->machine.power != LAB_POWER_ON)
        node->failure = xasprintf("it %s", lab_power_text(node->machine.power));
    if (node->failure || node->ready_us)
        return;
    if (!node->console_ready_us && lab_console_said(&node->machine.console, 0, "rambox: ready at"))
        node->console_ready_us = now;
    if (node->console_ready_us && now - node->console_ready_us > REPORT_S * 1000000ll)
        node->failure =
            xstrdup("it runs, but its report did not arrive: has its kernel the driver of its network "
                    "card?");
    else if (now - node->power_on_us > t->options.timeout_s * 1000000ll)
        node->failure = xasprintf("it was not ready after %u s", t->options.timeout_s);
}

void try_watch(struct try *t)
{
    for (bool busy = true; busy && !t->stopped_by;) {
        try_pump(t, 100);
        busy = false;
        bool serving = lab_child_running(&t->server);
        VEC_EACH(node, &t->nodes) {
            judge(t, node);
            if (!serving && !settled(node))
                node->failure = xasprintf("the server ended with status %d", t->server.status);
            busy |= !settled(node);
        }
        try_view_update(t->view, t);
    }
}

void try_end(struct try *t)
{
    VEC_EACH(node, &t->nodes) {
        lab_node_end(&node->machine);
        VEC_EACH(row, &node->rows)
            free(row->detail);
        VEC_EACH(check, &node->checks) {
            free(check->howto);
            free(check->expected);
            free(check->found);
        }
        VEC_FREE(&node->rows);
        VEC_FREE(&node->checks);
        json_decref(node->facts);
        free(node->name);
        free(node->profile);
        free(node->failure);
        free(node->transfer.file);
    }
    VEC_FREE(&t->nodes);
    VEC_FREE(&t->figures);
    lab_child_end(&t->server, 3000);
    lab_console_free(&t->server_log);
    str_free(&t->event_text);
    close_cleanup(&t->events);
    close_cleanup(&t->signals);
    diags_free(&t->diags);
    free(t->folder);
    free(t->artifacts);
    free(t->config);
    free(t->state);
    free(t->interface);
    free(t->kernel);
    free(t->image);
    free(t->variables);
}

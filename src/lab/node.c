/* See lab/node.h. */
#include "lab/node.h"
#include "base/file.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define START_MS 10000 /* QEMU's time to greet */

struct words {
    char **items;
    size_t n, cap;
};

/* A card's own iPXE ROM comes with it: QEMU's default `romfile` for the model. */
static const struct {
    const char *name, *device;
} nics[] = {
    [LAB_NIC_VIRTIO] = {"virtio", "virtio-net-pci"},
    [LAB_NIC_E1000] = {"e1000", "e1000"},
};

static const char *const power_texts[] = {
    [LAB_POWER_OFF] = "is powered off",
    [LAB_POWER_ON] = "runs",
    [LAB_POWER_RESET] = "reset itself",
    [LAB_POWER_DOWN] = "powered itself off",
    [LAB_POWER_STOPPED] = "was stopped by an internal error of the accelerator",
    [LAB_POWER_GONE] = "ended with its virtual machine",
};

const char *lab_power_text(enum lab_power power)
{
    return power_texts[power];
}

const char *lab_nic_name(enum lab_nic nic)
{
    return nics[nic].name;
}

int lab_nic_parse(const char *name, enum lab_nic *ret_nic)
{
    for (size_t i = 0; i < ARRAY_SIZE(nics); i++)
        if (str_eq(name, nics[i].name)) {
            *ret_nic = (enum lab_nic)i;
            return 0;
        }
    return -EINVAL;
}

static void push_pair(struct words *words, const char *option, char *value)
{
    VEC_PUSH(words, xstrdup(option));
    VEC_PUSH(words, value);
}

static void push_all(struct words *words, const char *const *list)
{
    for (; list && *list; list++)
        VEC_PUSH(words, xstrdup(*list));
}

/* UEFI: its code in flash that nothing writes to, its variables in flash that is the machine's own. */
static void push_flash(struct words *words, const struct lab_firmware_info *info, int variables)
{
    if (info->code)
        push_pair(words, "-drive", xasprintf("if=pflash,unit=0,format=raw,readonly=on,file=%s", info->code));
    if (variables < 0)
        return;
    push_pair(words, "-drive", xasprintf("if=pflash,unit=1,format=raw,file=/dev/fd/%d", variables));
}

/* UEFI's network stack drives the card by itself, if that brings no ROM that does. */
static const char *rom_option(const struct lab_node_spec *spec)
{
    return spec->firmware == LAB_FIRMWARE_BIOS ? "" : ",romfile=";
}

char **lab_node_arguments(const struct lab_node_spec *spec, const struct lab_node_ends *ends)
{
    const struct lab_firmware_info *info = lab_firmware_info(spec->firmware);
    static const char *const fixed[] = {"-nodefaults",
                                        "-display",
                                        "none",
                                        "-no-reboot",
                                        "-S",
                                        "-serial",
                                        "chardev:serial",
                                        "-mon",
                                        "chardev=control,mode=control",
                                        NULL};
    struct words words = {0};
    char mac[MAC_TEXT_MAX];
    VEC_PUSH(&words, xstrdup(info->program));
    push_pair(&words, "-machine", xstrdup(info->machine));
    push_all(&words, fixed);
    push_pair(&words, "-name", xstrdup(spec->name));
    push_pair(&words, "-accel", xstrdup(spec->accel == LAB_ACCEL_KVM ? "kvm" : "tcg,thread=multi"));
    if (info->cpu)
        push_pair(&words, "-cpu", xstrdup(info->cpu));
    push_pair(&words, "-smp", xasprintf("%u", spec->cpus));
    push_pair(&words, "-m", xasprintf("%lluM", (unsigned long long)(spec->memory >> 20)));
    push_pair(&words, "-chardev", xasprintf("socket,id=serial,fd=%d", ends->serial));
    push_pair(&words, "-chardev", xasprintf("socket,id=control,fd=%d", ends->control));
    push_pair(&words, "-netdev", xasprintf("tap,id=net,fd=%d", ends->tap));
    push_pair(&words, "-device",
              xasprintf("%s,netdev=net,bootindex=1,mac=%s%s", nics[spec->nic].device,
                        mac_format(&spec->mac, mac), rom_option(spec)));
    push_flash(&words, info, ends->variables);
    push_all(&words, info->extra);
    push_all(&words, lab_method_words(spec->firmware, spec->method));
    VEC_PUSH(&words, NULL);
    return words.items;
}

/* QMP is one JSON object a line. These few words decide, so the lines are searched and not parsed; the second
 * word of a pair narrows the first. */
static const struct {
    const char *event, *detail;
    enum lab_power power;
} events[] = {
    {"\"event\": \"SHUTDOWN\"", "\"guest-reset\"", LAB_POWER_RESET},
    {"\"event\": \"SHUTDOWN\"", "\"guest-panic\"", LAB_POWER_RESET},
    {"\"event\": \"SHUTDOWN\"", "", LAB_POWER_DOWN},
    {"\"event\": \"STOP\"", "", LAB_POWER_STOPPED},
};

static void take_control_line(struct lab_node *node, const char *line)
{
    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        if (strstr(line, events[i].event) && strstr(line, events[i].detail)) {
            if (node->power <= LAB_POWER_ON)
                node->power = events[i].power;
            return;
        }
}

/* Takes whole lines of QMP. Returns true when one of them held `wanted` (NULL: no such question). */
static bool read_control(struct lab_node *node, const char *wanted)
{
    char buffer[4096];
    bool found = false;
    ssize_t n;
    while ((n = recv(node->control, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
        str_add_n(&node->control_text, buffer, (size_t)n);
    char *start = node->control_text.s, *newline;
    while (start && (newline = strchr(start, '\n'))) {
        *newline = '\0';
        take_control_line(node, start);
        found |= wanted && strstr(start, wanted);
        start = newline + 1;
    }
    if (start) {
        node->control_text.len -= (size_t)(start - node->control_text.s);
        memmove(node->control_text.s, start, node->control_text.len + 1);
    }
    return found;
}

/* Sends one command and waits for an answer that holds `wanted`. 0 or -ETIMEDOUT, -EPIPE. */
static int control_command(struct lab_node *node, const char *command, const char *wanted)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + START_MS / 1000;
    if (command && send(node->control, command, strlen(command), MSG_NOSIGNAL) < 0)
        return -errno;
    while (!read_control(node, wanted)) {
        (void)poll(&(struct pollfd){.fd = node->control, .events = POLLIN}, 1, 100);
        if (!lab_child_running(&node->qemu))
            return -EPIPE;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > end)
            return -ETIMEDOUT;
    }
    return 0;
}

/* What QEMU said when it would not start. */
static int start_failed(struct lab_node *node, const struct lab_node_spec *spec, int r, struct diags *diags)
{
    char said[1024];
    ssize_t n = read(node->qemu.output, said, sizeof(said) - 1);
    said[n > 0 ? n : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    diag_error(diags, NULL, "the virtual machine of %s does not start: %s", spec->name,
               said[0] ? said : strerror(-r));
    lab_node_end(node);
    return r;
}

static int start_qemu(struct lab_node *node, const struct lab_node_spec *spec,
                      const struct lab_node_ends *ends, struct diags *diags)
{
    int fds[] = {ends->tap, ends->serial, ends->control, ends->variables};
    char **argv = lab_node_arguments(spec, ends);
    int r = lab_child_start(&(struct lab_child_spec){.argv = (const char *const *)argv,
                                                     .fds = fds,
                                                     .fd_count = ends->variables < 0 ? 3 : 4},
                            diags, &node->qemu);
    names_free(argv);
    if (r == -ENOENT)
        diag_note(diags, NULL, "it is in the package %s", lab_firmware_info(spec->firmware)->program_package);
    return r;
}

int lab_node_start(const struct lab_node_spec *spec, struct lab_net *net, struct diags *diags,
                   struct lab_node *ret_node)
{
    struct lab_node node = LAB_NODE_NONE;
    int serial[2], control[2];
    cleanup_close int tap = lab_net_tap(net, diags);
    if (tap < 0)
        return tap;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, serial) < 0)
        return diag_errno(diags, -errno, "cannot make a console");
    cleanup_close int their_serial = serial[1];
    node.serial = serial[0];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0) {
        lab_node_end(&node);
        return diag_errno(diags, -errno, "cannot make a control channel");
    }
    cleanup_close int their_control = control[1];
    node.control = control[0];
    cleanup_close int variables = -1;
    int r = lab_firmware_variables(spec->firmware, spec->variables, diags, &variables);
    if (r == 0)
        r = start_qemu(
            &node, spec,
            &(struct lab_node_ends){
                .tap = tap, .serial = their_serial, .control = their_control, .variables = variables},
            diags);
    if (r < 0) {
        lab_node_end(&node);
        return r;
    }
    close(TAKE_FD(their_serial));
    close(TAKE_FD(their_control));
    if ((r = control_command(&node, "{\"execute\": \"qmp_capabilities\"}\n", "\"return\"")) < 0)
        return start_failed(&node, spec, r, diags);
    *ret_node = node;
    return 0;
}

int lab_node_power_on(struct lab_node *node)
{
    static const char command[] = "{\"execute\": \"cont\"}\n";
    node->power = LAB_POWER_ON;
    return send(node->control, command, strlen(command), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void lab_node_read(struct lab_node *node)
{
    char buffer[16384];
    ssize_t n;
    while (node->serial >= 0 && (n = recv(node->serial, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0)
        lab_console_add(&node->console, buffer, (size_t)n);
    /* QEMU's own complaints belong to the console's story. */
    while (node->qemu.output >= 0 && (n = read(node->qemu.output, buffer, sizeof(buffer))) > 0)
        lab_console_add(&node->console, buffer, (size_t)n);
    if (node->control >= 0)
        (void)read_control(node, NULL);
    if (!lab_child_running(&node->qemu) && node->power <= LAB_POWER_ON)
        node->power = LAB_POWER_GONE;
}

int lab_node_type(struct lab_node *node, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = send(node->serial, text, left, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        left -= (size_t)n;
    }
    return 0;
}

void lab_node_end(struct lab_node *node)
{
    static const char command[] = "{\"execute\": \"quit\"}\n";
    if (node->control >= 0) {
        (void)send(node->control, command, strlen(command), MSG_NOSIGNAL | MSG_DONTWAIT);
        close(TAKE_FD(node->control));
    }
    lab_child_end(&node->qemu, 1000);
    if (node->serial >= 0)
        close(TAKE_FD(node->serial));
    str_free(&node->control_text);
    lab_console_free(&node->console);
    node->power = LAB_POWER_OFF;
}

/* H30: what each node must show after boot, with the how-to's figures beside; and the figures of the run. */
#include "base/process.h"
#include "base/str.h"
#include "cli/try.h"

#include <errno.h>

#define CONSOLE_S 8 /* a shell's time to answer on the console */

static struct try_check *add_check(struct try_node *node, const char *name, bool holds, const char *howto,
                                   const char *expected, char *found)
{
    struct try_check *check = VEC_ADD(&node->checks);
    *check = (struct try_check){.name = name,
                                .howto = xstrdup(howto),
                                .expected = xstrdup(expected),
                                .found = found,
                                .holds = holds,
                                .counts = true};
    return check;
}

static double fact(const struct try_node *node, const char *key)
{
    return json_number_value(json_object_get(node->facts, key));
}

/* Whether what is booted is what the how-to's limits are for: not a site of the user's own, whose needs are
 * up to its owner; not arm64, whose programs are larger; not the distribution's kernel, which has modules. */
static bool is_smallest(const struct try *t)
{
    const struct try_firmware *f = t->options.firmware;
    return !t->options.own_config && f->firmware != LAB_FIRMWARE_ARM64 && !str_eq(f->kernel, "cloud");
}

/* An upper limit, in MB (powers of 1000); only shown where it is not for what is booted. */
static void check_limit(const struct try *t, struct try_node *node, const char *name, double mb,
                        const char *howto, double limit)
{
    cleanup_free char *expected = xasprintf("at most %g MB", limit);
    add_check(node, name, mb > 0 && mb <= limit, howto, expected, xasprintf("%.2f MB", mb))->counts =
        is_smallest(t);
}

static const char *text_in(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_t *interface_of(const struct try_node *node, const char *name)
{
    size_t i;
    json_t *interface;
    json_array_foreach(json_object_get(node->facts, "interfaces"), i,
                       interface) if (str_eq(text_in(interface, "name"), name)) return interface;
    return NULL;
}

static void check_interface(struct try_node *node, const char *name, const char *address, unsigned prefix)
{
    json_t *interface = interface_of(node, name);
    bool up = json_is_true(json_object_get(interface, "up"));
    json_int_t length = json_integer_value(json_object_get(interface, "prefix"));
    cleanup_free char *expected = xasprintf("up, %s/%u", address, prefix);
    char *found =
        !interface ? xstrdup("absent")
                   : xasprintf("%s, %s/%d", up ? "up" : "down", text_in(interface, "address"), (int)length);
    add_check(node, str_eq(name, "lo") ? "interface lo" : "interface eth0", str_eq(found, expected), "up",
              expected, found);
}

/* H14, and the root itself. A type of NULL is any of those that a RAM root can have. */
static const struct {
    const char *target, *type, *options;
} mounts[] = {
    {"/", NULL, ""},
    {"/dev", "devtmpfs", ""},
    {"/dev/pts", "devpts", "nosuid,noexec,gid=5,mode=620"},
    {"/dev/shm", "tmpfs", "nosuid,nodev,mode=755"},
    {"/proc", "proc", "nosuid,nodev,noexec"},
    {"/run", "tmpfs", "nosuid,nodev,mode=755"},
    {"/sys", "sysfs", "nosuid,nodev,noexec"},
};

static bool has_option(const char *options, const char *option, size_t size)
{
    for (const char *at = options; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == size && strncmp(at, option, size) == 0)
            return true;
    return false;
}

static bool has_options(const char *options, const char *wanted)
{
    for (; *wanted; wanted += strcspn(wanted, ","), wanted += *wanted == ',')
        if (!has_option(options, wanted, strcspn(wanted, ",")))
            return false;
    return true;
}

static bool ram_root(const char *type)
{
    return str_eq(type, "rootfs") || str_eq(type, "tmpfs") || str_eq(type, "ramfs");
}

/* The row of `mounts` for this mount; -1: not expected. What differs is added to `wrong`. */
static int expected_mount(json_t *mount, struct str *wrong)
{
    const char *target = text_in(mount, "target"), *type = text_in(mount, "type");
    const char *options = text_in(mount, "options");
    for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
        if (!str_eq(target, mounts[i].target))
            continue;
        if (mounts[i].type ? !str_eq(type, mounts[i].type) : !ram_root(type))
            str_printf(wrong, "; %s is %s", target, type);
        else if (!has_options(options, mounts[i].options))
            str_printf(wrong, "; %s has %s", target, options);
        return (int)i;
    }
    str_printf(wrong, "; %s is there", target);
    return -1;
}

static void check_mounts(const struct try *t, struct try_node *node)
{
    struct str wrong = {0};
    bool seen[ARRAY_SIZE(mounts)] = {0};
    json_t *list = json_object_get(node->facts, "mounts"), *mount;
    size_t i;
    json_array_foreach(list, i, mount)
    {
        int row = expected_mount(mount, &wrong);
        if (row >= 0)
            seen[row] = true;
    }
    for (i = 0; i < ARRAY_SIZE(mounts); i++)
        if (!seen[i])
            str_printf(&wrong, "; %s is missing", mounts[i].target);
    bool exact = wrong.len == 0;
    char *found = exact ? xstrdup("exactly these") : xstrdup(wrong.s + 2);
    str_free(&wrong);
    add_check(node, "mounts", exact, "as listed", "/ /dev /dev/pts /dev/shm /proc /run /sys", found)->counts =
        exact || !t->options.own_config;
}

static void check_counts(const struct try *t, struct try_node *node)
{
    unsigned modules = (unsigned)fact(node, "modules"), devices = (unsigned)fact(node, "device_nodes");
    add_check(node, "modules loaded", modules == 0, "none", "none", xasprintf("%u", modules))->counts =
        is_smallest(t);
    add_check(node, "device nodes", devices > 0, "counted", "at least 1", xasprintf("%u", devices));
}

static void check_ping_node(struct try_node *node)
{
    char ip[IPV4_TEXT_MAX];
    const char *const argv[] = {"ping", "-n", "-c", "2", "-i", "0.2", "-W", "3", ipv4_format(node->ip, ip),
                                NULL};
    cleanup_free char *output = NULL;
    int r = process_output(argv, &output);
    char *found = r == 0 ? xstrdup("answered")
                         : xstrdup(r == -ENOENT ? "no program ping (package iputils-ping)" : "no answer");
    add_check(node, "ping server to node", r == 0, "works", "answered", found);
}

static bool wait_console(struct try *t, struct try_node *node, uint64_t from, const char *said)
{
    int64_t end = try_now_us() + CONSOLE_S * 1000000ll;
    while (!lab_console_said(&node->machine.console, from, said)) {
        if (try_now_us() > end || t->stopped_by || node->machine.power != LAB_POWER_ON)
            return false;
        try_pump(t, 50);
    }
    return true;
}

/* By the shell on the node's console. The words it prints are put together there, so that the echo of what we
 * type is no answer. */
static void check_ping_server(struct try *t, struct try_node *node)
{
    char ip[IPV4_TEXT_MAX];
    cleanup_free char *ping =
        xasprintf("ping -c 2 -W 3 %s >/dev/null && echo ping-\"\"works || echo ping-\"\"fails; "
                  "echo ping-\"\"done\n",
                  ipv4_format(t->address, ip));
    uint64_t from = lab_console_end(&node->machine.console);
    (void)lab_node_type(&node->machine, "\n");
    (void)lab_node_type(&node->machine, ping);
    bool shell = wait_console(t, node, from, "ping-done");
    bool works = shell && lab_console_said(&node->machine.console, from, "ping-works");
    add_check(node, "ping node to server", works, "works", "answered",
              xstrdup(works   ? "answered"
                      : shell ? "no answer"
                              : "not asked: no shell on its serial console"))
        ->counts = shell || !t->options.own_config;
}

static void check_node(struct try *t, struct try_node *node)
{
    char ip[IPV4_TEXT_MAX];
    if (!node->ready_us || !node->facts) {
        if (node->ready_us && !node->failure)
            node->failure = xstrdup("it is ready, but did not tell its facts");
        return;
    }
    double total = fact(node, "mem_total_kb") * 1024 / 1e6,
           available = fact(node, "mem_available_kb") * 1024 / 1e6;
    check_limit(t, node, "memory used", fact(node, "mem_used_kb") * 1024 / 1e6, "12 MB", 12);
    add_check(node, "memory total - available", true, "", "",
              xasprintf("%.2f of %.1f MB", total - available, total));
    check_interface(node, "lo", "127.0.0.1", 8);
    check_interface(node, "eth0", ipv4_format(node->ip, ip), t->prefix.length);
    check_ping_node(node);
    check_ping_server(t, node);
    check_mounts(t, node);
    check_limit(t, node, "root file system", fact(node, "root_kb") * 1024 / 1e6, "1.1 MB", 1.1);
    check_counts(t, node);
    check_limit(t, node, "kernel and image", (double)node->transferred / 1e6, "", 3);
}

static void add_figure(struct try *t, const char *name, double value, const char *unit, double target,
                       int decimals)
{
    *VEC_ADD(&t->figures) = (struct try_figure){name, value, unit, target, decimals};
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Of several nodes the largest value counts. */
static void add_figures(struct try *t)
{
    double memory = 0, root = 0, transfer = 0, ready = 0;
    VEC_EACH(node, &t->nodes) {
        if (!node->ready_us || !node->facts)
            return;
        memory = larger(memory, fact(node, "mem_used_kb") * 1024 / 1e6);
        root = larger(root, fact(node, "root_kb") * 1024 / 1e6);
        transfer = larger(transfer, (double)node->transferred / 1e6);
        ready = larger(ready, (double)(node->ready_us - node->power_on_us) / 1e6);
    }
    add_figure(t, "node-memory-used", memory, "MB", 6, 2);
    add_figure(t, "root-size", root, "MB", 1.1, 2);
    add_figure(t, "transfer-size", transfer, "MB", 3, 2);
    add_figure(t, "power-on-to-ready", ready, "s", t->options.firmware->target_s, 2);
}

void try_check(struct try *t)
{
    VEC_EACH(node, &t->nodes)
        if (!t->stopped_by)
            check_node(t, node);
    add_figures(t);
}

unsigned try_checks_failed(const struct try_node *node)
{
    unsigned failed = 0;
    VEC_EACH(check, &node->checks)
        failed += check->counts && !check->holds;
    return failed;
}

bool try_ok(const struct try *t)
{
    VEC_EACH(node, &t->nodes)
        if (node->failure || !node->ready_us || node->checks.n == 0 || try_checks_failed(node) > 0)
            return false;
    return t->nodes.n > 0 && t->diags.errors == 0 && !t->stopped_by;
}

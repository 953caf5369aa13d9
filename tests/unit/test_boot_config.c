/* serve/boot, describe, pxelinux and files: which boot a request belongs to, and what it is told to boot. */
#include "serve_fixture.h"

#include "base/file.h"
#include "serve/bootfile.h"
#include "serve/files.h"
#include "serve/grub.h"
#include "serve/ipxe.h"
#include "serve/pxelinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SECOND UINT64_C(1000000)

struct bed {
    struct events events;
    struct counters counters;
    struct boot_table *boots;
    struct generation *generation, *older;
    struct files *files;
    struct moment now;
    char dir[64];
    int artifacts_fd, loader_fd;
};
static struct bed bed;

static struct generation *get_generation(void *user, unsigned number)
{
    struct generation *g = number == 0 || number == 12 ? bed.generation : number == 11 ? bed.older : NULL;
    return g ? generation_ref(g) : NULL;
}

static void write_file(const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", bed.dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static void write_artifact(uint8_t digest, const char *text)
{
    struct digest d;
    char hex[DIGEST_TEXT_MAX], name[96];
    memset(d.b, digest, sizeof(d.b));
    snprintf(name, sizeof(name), "artifacts/%s", digest_format(&d, hex));
    write_file(name, text);
}

static int open_folder(const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", bed.dir, name);
    assert_int_equal(dir_make(path), 0);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int setup_policy(enum unknown_policy unknown)
{
    memset(&bed, 0, sizeof(bed));
    snprintf(bed.dir, sizeof(bed.dir), "/tmp/rambox-test-XXXXXX");
    assert_non_null(mkdtemp(bed.dir));
    bed.artifacts_fd = open_folder("artifacts");
    bed.loader_fd = open_folder("loaders");
    bed.events.sink.emit = events_emit;
    bed.boots = boot_table_new(&(struct boot_table_config){
        .capacity = 100, .random = counting_random, .sink = &bed.events.sink, .counters = &bed.counters});
    bed.now = (struct moment){.mono_us = 1000 * SECOND, .unix_us = 1};
    bed.generation = fixture_generation(12, fixture_site(unknown));
    bed.older = fixture_generation(11, fixture_site(unknown));
    memset(bed.older->artifacts.items[1].digest.b, 0xcc, 32);
    bed.files = files_new(&(struct files_config){.artifacts_fd = bed.artifacts_fd,
                                                 .loader_fds = (int[]){bed.artifacts_fd, bed.loader_fd},
                                                 .loader_fds_n = 2,
                                                 .generations = {get_generation, NULL},
                                                 .boots = bed.boots});
    return 0;
}

static int setup(void **state)
{
    return setup_policy(UNKNOWN_DENY);
}

static int setup_allow(void **state)
{
    return setup_policy(UNKNOWN_ALLOW);
}

static int teardown(void **state)
{
    files_free(bed.files);
    boot_table_free(bed.boots);
    generation_unref(bed.generation);
    generation_unref(bed.older);
    close(bed.artifacts_fd);
    close(bed.loader_fd);
    dir_remove(bed.dir);
    return 0;
}

static void observe(uint64_t boot, enum event_kind kind, const char *file, const char *detail)
{
    boot_table_observe(
        bed.boots,
        &(struct event){.kind = kind, .at = bed.now, .boot = boot, .file = file, .detail = detail});
}

static enum boot_stage stage_of(uint64_t id)
{
    struct boot boot;
    enum boot_stage stage = STAGE_FAILED;
    assert_true(boot_table_get(bed.boots, id, &boot, &stage));
    return stage;
}

static uint64_t begin_boot(const struct mac *mac, const char *node, ipv4_t ip)
{
    uint64_t id = boot_table_discover(bed.boots, &bed.now, mac, node, NULL, 12);
    boot_table_assign(bed.boots, &bed.now, id, ip, 12);
    return id;
}

/* ---- the table of boots ---- */

static void test_a_boot_and_the_next(void **state)
{
    uint64_t id = begin_boot(&n1_mac, "n1", N1_IP);
    assert_int_not_equal(id, 0);
    assert_int_equal(begin_boot(&n1_mac, "n1", N1_IP), id); /* retransmitted */
    assert_int_equal(bed.events.n[EVENT_BOOT], 2);
    observe(id, EVENT_DHCP_OUT, NULL, "ACK");
    assert_int_equal(stage_of(id), STAGE_ACK);
    observe(id, EVENT_FILE_START, "pxelinux.0", NULL);
    assert_int_equal(stage_of(id), STAGE_LOADER);
    assert_int_equal(begin_boot(&n1_mac, "n1", N1_IP), id); /* the loader asks for its address */
    observe(id, EVENT_FILE_START, "pxelinux.cfg/default", NULL);
    assert_int_equal(stage_of(id), STAGE_CONFIG);
    uint64_t next = begin_boot(&n1_mac, "n1", N1_IP); /* the machine was reset */
    assert_int_not_equal(next, id);
    struct boot boot;
    assert_true(boot_table_by_ip(bed.boots, N1_IP, &boot, NULL));
    assert_int_equal(boot.id, next);
    assert_false(boot_table_get(bed.boots, id, &boot, NULL));
    bed.now.mono_us += 31 * SECOND;
    assert_int_not_equal(begin_boot(&n1_mac, "n1", N1_IP), next); /* nothing was heard for 30 s */
    assert_int_equal(boot_table_count(bed.boots), 1);
}

static void test_stages(void **state)
{
    uint64_t id = begin_boot(&n1_mac, "n1", N1_IP);
    static const struct {
        enum event_kind kind;
        const char *file, *detail;
        enum boot_stage stage;
    } steps[] = {
        {EVENT_DHCP_OUT, NULL, "OFFER", STAGE_OFFER},
        {EVENT_DHCP_OUT, NULL, "NAK", STAGE_OFFER},
        {EVENT_FILE_END, "pxelinux.0", NULL, STAGE_OFFER},
        {EVENT_FILE_START, "ldlinux.c32", NULL, STAGE_OFFER},
        {EVENT_FILE_START, "pxelinux.cfg/default", NULL, STAGE_CONFIG},
        {EVENT_FILE_START, "g12/kernel/smallest", NULL, STAGE_KERNEL},
        {EVENT_FILE_END, "g12/kernel/smallest", NULL, STAGE_LOADED},
        {EVENT_FILE_START, "g12/image/smallest", NULL, STAGE_IMAGE},
        {EVENT_FILE_END, "g12/image/smallest", NULL, STAGE_LOADED},
        {EVENT_DHCP_OUT, NULL, "ACK", STAGE_LOADED}, /* the kernel's own */
        {EVENT_STAGE, NULL, "mounts", STAGE_INIT},
        {EVENT_STAGE, NULL, "ready", STAGE_READY},
        {EVENT_STAGE, NULL, "init", STAGE_READY},
        {EVENT_STAGE, NULL, "failed: no root", STAGE_FAILED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        observe(id, steps[i].kind, steps[i].file, steps[i].detail);
        assert_int_equal(stage_of(id), steps[i].stage);
    }
}

/* A program that firmware has whole, and nothing follows: it was not started. */
static void test_programs_that_do_not_start(void **state)
{
    const struct mac *mac = &n1_mac;
    uint64_t id = begin_boot(mac, "n1", N1_IP);
    observe(id, EVENT_FILE_START, "g12/unified/default.efi", NULL);
    assert_int_equal(stage_of(id), STAGE_KERNEL);
    boot_table_firmware(bed.boots, &bed.now, mac); /* it had only asked for the size */
    assert_int_equal(bed.events.n[EVENT_UNSTARTED], 0);
    observe(id, EVENT_FILE_END, "g12/unified/default.efi", NULL);
    assert_int_equal(stage_of(id), STAGE_LOADED);
    boot_table_firmware(bed.boots, &bed.now, mac);
    assert_int_equal(bed.events.n[EVENT_UNSTARTED], 1);
    assert_int_equal(bed.events.last[EVENT_UNSTARTED].boot, id);
    assert_non_null(strstr(bed.events.log, "unstarted g12/unified/default.efi "));
    assert_non_null(strstr(bed.events.detail[EVENT_UNSTARTED], "Secure Boot"));
    boot_table_firmware(bed.boots, &bed.now, mac);
    assert_int_equal(bed.events.n[EVENT_UNSTARTED], 1); /* told once */
    /* Silence tells it too, after a while. */
    uint64_t next = begin_boot(mac, "n1", N1_IP);
    assert_int_not_equal(next, id);
    observe(next, EVENT_FILE_END, "unified/default.efi", NULL);
    bed.now.mono_us += (BOOT_UNSTARTED_S - 1) * SECOND;
    boot_table_tick(bed.boots, &bed.now);
    assert_int_equal(bed.events.n[EVENT_UNSTARTED], 1);
    bed.now.mono_us += SECOND;
    boot_table_tick(bed.boots, &bed.now);
    boot_table_tick(bed.boots, &bed.now);
    assert_int_equal(bed.events.n[EVENT_UNSTARTED], 2);
    assert_int_equal(bed.events.last[EVENT_UNSTARTED].boot, next);
}

/* GRUB behind shim says on the console that it refuses a kernel, and asks for no image. */
static void test_kernels_that_do_not_start(void **state)
{
    uint64_t id = begin_boot(&n1_mac, "n1", N1_IP);
    observe(id, EVENT_FILE_END, "shimx64.efi", NULL);
    observe(id, EVENT_FILE_START, "grubx64.efi", NULL);
    observe(id, EVENT_FILE_END, "grubx64.efi", NULL);
    observe(id, EVENT_FILE_START, "grub/grub.cfg", NULL);
    observe(id, EVENT_FILE_END, "g12/kernel/smallest", NULL);
    bed.now.mono_us += BOOT_UNSTARTED_S * SECOND;
    boot_table_tick(bed.boots, &bed.now);
    assert_int_equal(bed.events.n[EVENT_UNSTARTED], 1);
    assert_non_null(strstr(bed.events.log, "unstarted g12/kernel/smallest "));
    assert_non_null(strstr(bed.events.detail[EVENT_UNSTARTED], "GRUB and shim"));
    observe(id, EVENT_FILE_END, "g12/kernel/smallest", NULL); /* a person tries again, and it starts */
    observe(id, EVENT_FILE_START, "g12/image/smallest", NULL);
    bed.now.mono_us += BOOT_UNSTARTED_S * SECOND;
    boot_table_tick(bed.boots, &bed.now);
    assert_int_equal(bed.events.n[EVENT_UNSTARTED], 1);
}

static void test_programs_that_start(void **state) /* what comes after them shows that they run */
{
    static const struct {
        const char *program;
        enum event_kind kind;
        const char *file, *detail;
    } rows[] = {
        {"g12/unified/default.efi", EVENT_DHCP_IN, NULL, "DISCOVER"}, /* its kernel's */
        {"g12/unified/default.efi", EVENT_STAGE, NULL, "init"},
        {"tool.efi", EVENT_DHCP_OUT, NULL, "OFFER"}, /* a profile's: who knows what it does */
        {"g12/kernel/smallest", EVENT_DHCP_OUT, NULL, "OFFER"},
        {"pxelinux.0", EVENT_FILE_START, "pxelinux.cfg/default", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t id = begin_boot(&n1_mac, "n1", N1_IP);
        observe(id, EVENT_FILE_END, rows[i].program, NULL);
        observe(id, rows[i].kind, rows[i].file, rows[i].detail);
        bed.now.mono_us += 2 * BOOT_UNSTARTED_S * SECOND;
        boot_table_tick(bed.boots, &bed.now);
        boot_table_firmware(bed.boots, &bed.now, &n1_mac);
        assert_int_equal(bed.events.n[EVENT_UNSTARTED], 0);
    }
}

/* A unified image is the same for all its nodes: the server knows which boot a report is of. */
static void test_boots_without_a_name(void **state)
{
    static const struct mac none, bond = {{2, 0, 0, 0, 0, 9}};
    struct boot boot = {0};
    uint64_t id = begin_boot(&n1_mac, "n1", N1_IP);
    observe(id, EVENT_FILE_START, "g12/unified/default.efi", NULL);
    assert_true(boot_table_unnamed(bed.boots, &n1_mac, 0, &boot));
    assert_int_equal(boot.id, id);
    assert_true(boot_table_unnamed(bed.boots, &none, N1_IP, &boot));
    assert_true(boot_table_unnamed(bed.boots, &bond, N1_IP, &boot)); /* not the card it booted from */
    assert_false(boot_table_unnamed(bed.boots, &bond, N1_IP + 1, &boot));
    id = begin_boot(&n2_mac, "n2", POOL_1);
    observe(id, EVENT_FILE_START, "pxelinux.cfg/default", NULL); /* this one was told its boot's id */
    assert_false(boot_table_unnamed(bed.boots, &n2_mac, POOL_1, &boot));
    observe(id, EVENT_FILE_START, "g12/unified/default.efi", NULL); /* by a loader */
    assert_true(boot_table_unnamed(bed.boots, &n2_mac, POOL_1, &boot));
}

static void test_the_table_is_bounded(void **state)
{
    uint64_t first = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t id = begin_boot(&(struct mac){{2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}}, NULL, 0);
        first = first ? first : id;
    }
    struct boot boot;
    assert_int_equal(boot_table_count(bed.boots), 100);
    assert_false(boot_table_get(bed.boots, first, &boot, NULL));
}

static void test_boots_are_loaded(void **state)
{
    struct boot boot = {
        .id = 77, .mac = n1_mac, .node = "n1", .ip = N1_IP, .generation = 11, .started_us = 5};
    assert_int_equal(boot_table_load(bed.boots, &bed.now, &boot), 0);
    boot.id = 76;
    boot.started_us = 4; /* an older one of the same machine */
    assert_int_equal(boot_table_load(bed.boots, &bed.now, &boot), 0);
    assert_true(boot_table_by_mac(bed.boots, &n1_mac, &boot, NULL));
    assert_int_equal(boot.id, 77);
    assert_int_not_equal(begin_boot(&n1_mac, "n1", N1_IP), 77);
}

static void test_ids(void **state)
{
    char text[BOOT_ID_TEXT_MAX];
    uint64_t id = 0;
    assert_string_equal(boot_id_format(0xdeadbeef, text), "00000000deadbeef");
    assert_int_equal(boot_id_parse(text, &id), 0);
    assert_int_equal(id, 0xdeadbeef);
    static const char *const bad[] = {"", "1", "00000000deadbeeg", "00000000DEADBEEF", "00000000deadbeef0"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(boot_id_parse(bad[i], &id), -EINVAL);
}

/* ---- what is booted ---- */

static void describe(const struct boot_client *client, const char *cmdline)
{
    struct boot_description d;
    assert_int_equal(boot_describe(bed.generation, client, &d), 0);
    assert_string_equal(d.cmdline, cmdline);
    assert_string_equal(d.kernel, "g12/kernel/smallest");
    assert_string_equal(d.image, "g12/image/smallest");
}

static void test_command_line(void **state) /* H11, H21..H24 */
{
    struct node *n1 = (struct node *)(uintptr_t)site_node_by_name(bed.generation->site, "n1");
    struct profile *p = &bed.generation->site->profiles.items[0];
    struct boot_client c = {
        .node = n1, .ip = N1_IP, .mac = n1_mac, .server = SERVER, .http_port = 8069, .boot = 0xabc};
    describe(&c,
             "rw ip=10.7.0.21:10.7.0.1:10.7.0.254:255.255.255.0:n1::off BOOTIF=01-52-54-00-00-00-01 rambox "
             "console=ttyS0,115200 rambox.server=10.7.0.1:8069 rambox.boot=0000000000000abc rambox.node=n1");
    free(p->cmdline);
    p->cmdline = xstrdup("quiet");
    n1->cmdline = xstrdup("debug init=/bin/sh");
    p->root_mode = ROOT_SHELL;
    p->ip = IP_DHCP;
    free(p->console);
    p->console = NULL;
    c.boot = 0;
    describe(&c, "rw ip=dhcp BOOTIF=01-52-54-00-00-00-01 shell rambox.server=10.7.0.1:8069 rambox.node=n1 "
                 "quiet debug init=/bin/sh");
    p->root_mode = ROOT_OTHER;
    p->root = xstrdup("/dev/nfs");
    p->ip = IP_NONE;
    describe(&c, "rw BOOTIF=01-52-54-00-00-00-01 root=/dev/nfs rambox.server=10.7.0.1:8069 rambox.node=n1 "
                 "quiet debug init=/bin/sh");
    p->ip = IP_STATIC;
    struct subnet *lab = &bed.generation->site->subnets.items[0];
    lab->mode = DHCP_PROXY; /* P7: another server's lease, unless the entry has the address */
    c.ip = POOL_1;
    describe(&c, "rw ip=dhcp BOOTIF=01-52-54-00-00-00-01 root=/dev/nfs rambox.server=10.7.0.1:8069 "
                 "rambox.node=n1 quiet debug init=/bin/sh");
    c.ip = N1_IP;
    describe(&c, "rw ip=10.7.0.21:10.7.0.1:10.7.0.254:255.255.255.0:n1::off BOOTIF=01-52-54-00-00-00-01 "
                 "root=/dev/nfs rambox.server=10.7.0.1:8069 rambox.node=n1 quiet debug init=/bin/sh");
    lab->mode = DHCP_FULL;
    c.ip = 0; /* not known: the kernel asks */
    describe(&c, "rw ip=dhcp BOOTIF=01-52-54-00-00-00-01 root=/dev/nfs rambox.server=10.7.0.1:8069 "
                 "rambox.node=n1 quiet debug init=/bin/sh");
}

/* The modules of a distribution's kernel are a second ramdisk, without which it is not booted. */
static void test_modules(void **state)
{
    struct kernel_def *kernel = VEC_ADD(&bed.generation->site->kernels);
    struct boot_client c = {
        .node = site_node_by_name(bed.generation->site, "n1"), .ip = N1_IP, .server = SERVER, .http_port = 1};
    struct boot_initrd initrds[BOOT_INITRDS_MAX];
    struct boot_description d;
    kernel->name = xstrdup("smallest");
    VEC_PUSH(&kernel->modules, xstrdup("virtio_net"));
    assert_int_equal(boot_describe(bed.generation, &c, &d), -ENOENT);
    add_artifact(bed.generation, ARTIFACT_MODULES, 0xdd);
    assert_int_equal(boot_describe(bed.generation, &c, &d), 0);
    assert_int_equal(boot_initrds(&d, initrds), 2);
    assert_string_equal(initrds[0].path, "g12/image/smallest");
    assert_string_equal(initrds[1].path, "g12/modules/smallest");
    assert_string_equal(initrds[1].name, "modules");
}

static void
test_command_line_limits(void **state) /* hostile: what would break out of a boot script, or is too long */
{
    struct node *n1 = (struct node *)(uintptr_t)site_node_by_name(bed.generation->site, "n1");
    struct boot_client c = {.node = n1, .ip = N1_IP, .server = SERVER, .http_port = 8069};
    struct boot_description d;
    n1->cmdline = xstrdup("a\nLABEL evil");
    assert_int_equal(boot_describe(bed.generation, &c, &d), -EINVAL);
    free(n1->cmdline);
    n1->cmdline = xmalloc(2001);
    memset(n1->cmdline, 'x', 2000);
    n1->cmdline[2000] = '\0';
    assert_int_equal(boot_describe(bed.generation, &c, &d), -E2BIG);
    n1->cmdline[1000] = '\0';
    assert_int_equal(boot_describe(bed.generation, &c, &d), 0);
    /* What PXELINUX adds must fit too: the kernel cuts what is longer, from the end. */
    memset(n1->cmdline, 'x', 1900);
    n1->cmdline[1850] = '\0';
    assert_int_equal(boot_describe(bed.generation, &c, &d), -E2BIG);
}

static void add_arm64_artifacts(struct generation *g)
{
    for (enum artifact_kind kind = ARTIFACT_KERNEL; kind <= ARTIFACT_IMAGE; kind++) {
        struct generation_artifact *a = VEC_ADD(&g->artifacts);
        *a = (struct generation_artifact){.kind = kind, .name = xstrdup("smallest.arm64")};
    }
}

static void assert_boots(const struct boot_client *client, const char *kernel, const char *image,
                         const char *console)
{
    struct boot_description d;
    assert_int_equal(boot_describe(bed.generation, client, &d), 0);
    assert_string_equal(d.kernel, kernel);
    assert_string_equal(d.image, image);
    assert_non_null(strstr(d.cmdline, console));
}

/* One profile, two processors: each gets what was built for it. */
static void test_architecture_of_a_node(void **state)
{
    struct profile *p = &bed.generation->site->profiles.items[0];
    struct boot_client c = {.node = site_node_by_name(bed.generation->site, "n1"), .arch = ARCH_ARM64};
    struct boot_description d;
    assert_int_equal(boot_describe(bed.generation, &c, &d), -ENODEV); /* the profile is for x86_64 */
    p->archs = 1 << ARCH_X86_64 | 1 << ARCH_ARM64;
    assert_int_equal(boot_describe(bed.generation, &c, &d), -ENOENT); /* nothing is built for it */
    add_arm64_artifacts(bed.generation);
    assert_boots(&c, "g12/kernel/smallest.arm64", "g12/image/smallest.arm64", " console=ttyAMA0,115200");
    c.arch = ARCH_X86_64;
    assert_boots(&c, "g12/kernel/smallest", "g12/image/smallest", " console=ttyS0,115200");
    c.arch = ARCH_UNKNOWN;
    assert_boots(&c, "g12/kernel/smallest", "g12/image/smallest", " console=ttyS0,115200");
    p->archs = 1 << ARCH_ARM64; /* for that one alone, so its console is as it is written */
    assert_boots(&c, "g12/kernel/smallest.arm64", "g12/image/smallest.arm64", " console=ttyS0,115200");
    c.arch = ARCH_X86_64;
    assert_int_equal(boot_describe(bed.generation, &c, &d), -ENODEV);
}

static void add_entry(struct profile *profile, const char *title, const char *other, const char *file)
{
    struct menu_entry *entry = VEC_ADD(&profile->menu.entries);
    entry->title = xstrdup(title);
    entry->profile = xstrdup(other);
    entry->file = xstrdup(file);
    entry->local = !other && !file;
}

static void assert_holds(const char *text, const char *const *words)
{
    const char *at = text;
    for (; *words; words++) {
        const char *found = strstr(at, *words);
        if (!found)
            fail_msg("\"%s\" is missing, or too early, in:\n%s", *words, text);
        at = found + strlen(*words);
    }
}

/* A menu in each language: title, what it boots, and the time-out that ends it. */
static void test_menu(void **state)
{
    static int (*const render[])(const struct boot_description *, char **,
                                 size_t *) = {pxelinux_render, ipxe_render, grub_render};
    static const char *const words[][9] = {
        {"UI menu.c32", "TIMEOUT 100", "LABEL rambox", "LINUX g12/kernel/smallest", "LABEL e1",
         "MENU LABEL Again", "LINUX g12/kernel/smallest", "KERNEL memtest.bin", NULL},
        {"menu n1", "item e1 Again", "--timeout 10000", ":rambox",
         "kernel --name kernel /g12/kernel/smallest", ":e1", "boot || goto failed", "kernel /memtest.bin",
         NULL},
        {"set timeout=10", "menuentry 'rambox'", "linux '/g12/kernel/smallest'", "menuentry 'Again'",
         "linux '/g12/kernel/smallest'", "menuentry 'Test'", "chainloader '/memtest.bin'", "exit 1", NULL},
    };
    struct profile *p = &bed.generation->site->profiles.items[0];
    struct boot_client c = {.node = site_node_by_name(bed.generation->site, "n1")};
    p->menu.shown = true;
    p->menu.timeout_s = 10;
    add_entry(p, "Again", p->name, NULL);
    add_entry(p, "Gone", "no-such-profile", NULL); /* left out: it cannot be booted */
    add_entry(p, "Test", NULL, "memtest.bin");
    add_entry(p, "Disk", NULL, NULL);
    assert_true(bootfile_is_named(bed.generation->site, "memtest.bin"));
    for (size_t i = 0; i < ARRAY_SIZE(render); i++) {
        struct boot_description d;
        char *text;
        size_t size;
        assert_int_equal(boot_describe(bed.generation, &c, &d), 0);
        assert_int_equal(d.menu->n, 3);
        assert_int_equal(render[i](&d, &text, &size), 0);
        assert_holds(text, words[i]);
        assert_null(strstr(text, "Gone"));
        free(text);
        boot_description_clear(&d);
    }
}

/* The firmware's word lasts as long as the table; a boot that comes back from the store has none. */
static void test_architecture_of_a_boot(void **state)
{
    struct boot boot;
    uint64_t id = begin_boot(&n1_mac, "n1", N1_IP);
    assert_true(boot_table_get(bed.boots, id, &boot, NULL));
    assert_int_equal(boot.arch, ARCH_UNKNOWN);
    boot_table_set_arch(bed.boots, id, ARCH_ARM64);
    boot_table_set_arch(bed.boots, id, ARCH_UNKNOWN);
    boot_table_set_arch(bed.boots, id + 1, ARCH_X86_64);
    assert_true(boot_table_get(bed.boots, id, &boot, NULL));
    assert_int_equal(boot.arch, ARCH_ARM64);
    boot.id++;
    boot.started_us++;
    assert_int_equal(boot_table_load(bed.boots, &bed.now, &boot), 0);
    assert_true(boot_table_by_mac(bed.boots, &n1_mac, &boot, NULL));
    assert_int_equal(boot.arch, ARCH_UNKNOWN);
}

static void test_rendering(void **state) /* H9 */
{
    struct boot_description d = {.generation = 3,
                                 .name = "n1",
                                 .kernel = "g3/kernel/k",
                                 .image = "g3/image/i",
                                 .cmdline = "rw rambox"};
    char *text;
    size_t n;
    assert_int_equal(pxelinux_render(&d, &text, &n), 0);
    assert_string_equal(text, "# n1, generation 3\nDEFAULT rambox\nPROMPT 0\nTIMEOUT 0\nLABEL rambox\n"
                              "  LINUX g3/kernel/k\n  INITRD g3/image/i\n  APPEND rw rambox\n");
    assert_int_equal(n, strlen(text));
    free(text);
    d.image[0] = '\0'; /* H18: built into the kernel */
    assert_int_equal(pxelinux_render(&d, &text, &n), 0);
    assert_null(strstr(text, "INITRD"));
    free(text);
}

/* ---- names beneath pxelinux.cfg/ ---- */

static const struct boot_client nobody = {.ip = 0x0a070099};

static const char *resolve(const char *name, const struct boot_client *asker)
{
    struct boot_client c = {0};
    if (pxelinux_resolve(bed.generation, name, asker, &c) < 0)
        return NULL;
    return c.node ? c.node->name : "(guest)";
}

static void test_names_of_nodes(void **state) /* H9, H10 */
{
    assert_string_equal(resolve("12345678-9abc-def0-0102-030405060708", &nobody), "n1");
    assert_string_equal(resolve("78563412-bc9a-f0de-0102-030405060708", &nobody), "n1"); /* SMBIOS order */
    assert_string_equal(resolve("01-52-54-00-00-00-01", &nobody), "n1");
    assert_string_equal(resolve("01-52-54-00-00-00-02", &nobody), "n2");
    assert_string_equal(resolve("0A070015", &nobody), "n1");
    static const char *const none[] = {"",
                                       "12345678-9abc-def0-0102-030405060709",
                                       "01-52-54-00-00-00-09",
                                       "06-52-54-00-00-00-01",
                                       "0A070016",
                                       "0A07001",
                                       "0A0700",
                                       "default",
                                       "0A0700155",
                                       "../default",
                                       "12345678-9abc-def0-0102-03040506070"};
    for (size_t i = 0; i < ARRAY_SIZE(none); i++)
        assert_null(resolve(none[i], &nobody));
}

static void test_names_of_subnets(void **state) /* H9: digits dropped one at a time */
{
    const struct boot_client n1 = {.ip = N1_IP};
    assert_null(resolve("0A07001", &n1)); /* only a part of the subnet */
    assert_string_equal(resolve("0A0700", &n1), "n1");
    assert_string_equal(resolve("0A07", &n1), "n1");
    assert_string_equal(resolve("0", &n1), "n1");
    assert_null(resolve("0A0800", &n1)); /* another network */
    assert_string_equal(resolve("default", &n1), "n1");
}

static void test_machines_without_an_entry(void **state) /* H5, H9 */
{
    const struct boot_client guest = {.ip = 0x0a070064, .mac = other_mac};
    assert_string_equal(resolve("01-52-54-00-00-00-09", &guest), "(guest)");
    assert_string_equal(resolve("0A070064", &guest), "(guest)");
    assert_string_equal(resolve("0A0700", &guest), "(guest)");
    assert_string_equal(resolve("default", &guest), "(guest)");
    assert_null(resolve("0A070065", &guest)); /* somebody else's */
}

/* ---- files ---- */

static struct file_answer answer;
static const char *reason;

static int open_file(const char *name, ipv4_t from)
{
    const struct file_request request = {.name = name, .from = from, .local = SERVER};
    return files_open(bed.files, &bed.now, &request, &answer, &reason);
}

static void assert_file(const char *name, const char *content)
{
    assert_int_equal(open_file(name, N1_IP), 0);
    assert_int_equal(answer.file->size, strlen(content));
    if (*content)
        assert_memory_equal(answer.file->data, content, strlen(content));
    served_file_unref(answer.file);
}

static void test_configuration_file(void **state) /* H9, H11, and the boot it belongs to */
{
    begin_boot(&n2_mac, "n2", 0x0a070064);
    assert_int_equal(open_file("pxelinux.cfg/01-52-54-00-00-00-02", 0x0a070064), 0);
    assert_int_equal(answer.file->kind, FILE_CONFIG);
    assert_string_equal(answer.node, "n2");
    assert_int_not_equal(answer.boot, 0);
    char id[BOOT_ID_TEXT_MAX];
    cleanup_free char *text = xstrndup((const char *)answer.file->data, answer.file->size);
    assert_non_null(strstr(text, boot_id_format(answer.boot, id)));
    assert_non_null(strstr(text, "ip=10.7.0.100:10.7.0.1:10.7.0.254:255.255.255.0:n2::off"));
    served_file_unref(answer.file);
    assert_int_equal(open_file("pxelinux.cfg/0A070064", 0x0a070064), 0);
    served_file_unref(answer.file);
    assert_int_equal(open_file("pxelinux.cfg/0A070015", N1_IP),
                     0); /* no boot is known: the address says who asks */
    assert_string_equal(answer.node, "n1");
    assert_int_equal(answer.boot, 0);
    served_file_unref(answer.file);
    assert_int_equal(open_file("pxelinux.cfg/nobody", N1_IP), -ENOENT);
    assert_string_equal(answer.node, "n1");
}

static void test_unified_images(void **state)
{
    const struct boot empty = {0};
    struct boot boot = empty;
    *VEC_ADD(&bed.generation->artifacts) =
        (struct generation_artifact){.kind = ARTIFACT_UNIFIED, .name = xstrdup("default"), .size = 3};
    *VEC_ADD(&bed.older->artifacts) =
        (struct generation_artifact){.kind = ARTIFACT_UNIFIED, .name = xstrdup("default"), .size = 3};
    memset(bed.generation->artifacts.items[bed.generation->artifacts.n - 1].digest.b, 0xd1, 32);
    memset(bed.older->artifacts.items[bed.older->artifacts.n - 1].digest.b, 0xd2, 32);
    write_artifact(0xd1, "new");
    write_artifact(0xd2, "old");
    uint64_t id = boot_table_discover(bed.boots, &bed.now, &n1_mac, "n1", NULL, 0);
    boot_table_assign(bed.boots, &bed.now, id, N1_IP, 0);
    static const struct {
        const char *name, *content;
        unsigned generation;
    } rows[] = {{"g11/unified/default.efi", "old", 11},
                {"g12/unified/default.efi", "new", 12},
                {"/g11//unified/default.efi", "old", 11},
                {"unified/default.efi", "new", 12}}; /* of the current one */
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(open_file(rows[i].name, N1_IP), 0);
        assert_int_equal(answer.file->kind, FILE_UNIFIED);
        assert_memory_equal(answer.file->data, rows[i].content, 3);
        assert_int_equal(answer.boot, id);
        served_file_unref(answer.file);
        assert_true(boot_table_get(bed.boots, id, &boot, NULL));
        assert_int_equal(boot.generation, rows[i].generation); /* what is booted */
    }
    assert_int_equal(open_file("unified/nosuch.efi", N1_IP), -ENOENT);
    assert_int_equal(open_file("g12/unified/default", N1_IP), -ENOENT);
    /* A profile can name it as what its firmware loads. */
    bed.generation->site->profiles.items[0].boot_file = xstrdup("unified/default.efi");
    assert_int_equal(open_file("unified/default.efi", N1_IP), 0);
    assert_int_equal(answer.file->kind, FILE_UNIFIED);
    served_file_unref(answer.file);
}

static void test_artifacts_of_generations(void **state) /* F10: a node reads its own generation to the end */
{
    write_artifact(0xaa, "kernel");
    write_artifact(0xbb, "image");
    write_artifact(0xcc, "older image");
    assert_file("g12/kernel/smallest", "kernel");
    assert_file("/g12/image/smallest", "image");
    assert_file("g11/image/smallest", "older image");
    assert_int_equal(open_file("g10/image/smallest", N1_IP), -ENOENT);
    assert_string_equal(reason, "this generation is not served any more");
    assert_int_equal(open_file("g12/image/other", N1_IP), -ENOENT);
    assert_int_equal(open_file("g12/kernel/smallest", N1_IP), 0);
    assert_int_equal(answer.file->kind, FILE_KERNEL);
    struct served_file *held = answer.file;
    assert_int_equal(open_file("g12/kernel/smallest", N1_IP), 0);
    assert_ptr_equal(answer.file, held); /* mapped once */
    served_file_unref(answer.file);
    write_artifact(0xaa, "another kernel"); /* replaced while it is read */
    bed.now.mono_us += 1000000;             /* in which it may pass for what it was */
    assert_memory_equal(held->data, "kernel", 6);
    assert_file("g12/kernel/smallest", "another kernel");
    served_file_unref(held);
}

static void test_loaders(void **state) /* H2; P3: an END behind the name */
{
    write_file("loaders/pxelinux.0", "loader");
    write_file("loaders/ldlinux.c32", "");
    write_file("loaders/secret", "x");
    assert_file("pxelinux.0", "loader");
    assert_file("pxelinux.0\xff", "loader");
    assert_file("\\pxelinux.0", "loader");
    assert_file("ldlinux.c32", "");
    assert_int_equal(open_file("secret", N1_IP), -ENOENT);
    assert_int_equal(open_file("libutil.c32", N1_IP), -ENOENT);
    assert_non_null(strstr(reason, "package"));
}

static void test_nothing_outside(void **state) /* H7, hostile names */
{
    write_file("outside.c32", "secret");
    cleanup_free char *link = xasprintf("%s/loaders/menu.c32", bed.dir);
    assert_int_equal(symlink("../outside.c32", link), 0);
    assert_int_equal(open_file("menu.c32", N1_IP), -EXDEV);
    static const char *const names[] = {"../outside.c32",
                                        "/../outside.c32",
                                        "x/../../outside.c32",
                                        "..\\outside.c32",
                                        "x/..",
                                        "..",
                                        "",
                                        "/",
                                        "\n",
                                        "a\x01"
                                        "b",
                                        "\x1b[2J"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(open_file(names[i], N1_IP), -EACCES);
    assert_string_equal(answer.name, "?[2J"); /* fit to be shown */
    static const char *const absent[] = {"/etc/passwd", "...", "pxelinux.cfg", "pxelinux.cfg/", "g12/kernel/",
                                         "g12",         "."};
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
        assert_true(open_file(absent[i], N1_IP) < 0);
    char longer[400];
    memset(longer, 'a', sizeof(longer));
    longer[399] = '\0';
    assert_int_equal(open_file(longer, N1_IP), -EACCES);
}

static void test_normalising(void **state) /* T10 */
{
    static const char *const cases[][2] = {
        {"a/b", "a/b"}, {"/a//b", "a/b"}, {"\\a\\b", "a/b"}, {"./a/./b", "a/b"},
        {"a\xff", "a"}, {".a", ".a"},     {"a..b", "a..b"},  {"//a", "a"},
    };
    char name[64];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(file_name_normalise(cases[i][0], name, sizeof(name)), 0);
        assert_string_equal(name, cases[i][1]);
    }
    assert_int_equal(file_name_normalise("abcd", name, 4), -EACCES);
    assert_int_equal(file_name_normalise("abc", name, 4), 0);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
#define TEST_ALLOW(name) cmocka_unit_test_setup_teardown(test_##name, setup_allow, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_boot_and_the_next),
        TEST(stages),
        TEST(programs_that_do_not_start),
        TEST(kernels_that_do_not_start),
        TEST(programs_that_start),
        TEST(boots_without_a_name),
        TEST(the_table_is_bounded),
        TEST(boots_are_loaded),
        TEST(ids),
        TEST(command_line),
        TEST(modules),
        TEST(command_line_limits),
        TEST(menu),
        TEST(architecture_of_a_node),
        TEST(architecture_of_a_boot),
        TEST(rendering),
        TEST(names_of_nodes),
        TEST(names_of_subnets),
        TEST_ALLOW(machines_without_an_entry),
        TEST(configuration_file),
        TEST(artifacts_of_generations),
        TEST(unified_images),
        TEST(loaders),
        TEST(nothing_outside),
        TEST(normalising),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

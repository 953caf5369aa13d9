/* Publishing: what a generation holds, that it changes only when something did, and F9: cut short at any
 * step, what was published still is. */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "build/artifact.h"
#include "config/config.h"
#include "model/class_kernel.h"
#include "publish/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAMBOX_YAML                                                                                          \
    "subnets: {lab: {prefix: 192.168.7.0/24, pools: 192.168.7.100-192.168.7.199}}\n"                         \
    "profiles: {default: {kernel: smallest, image: smallest}}\n"

struct folder {
    char *root, *config, *share, *state;
    const char *image;        /* the bytes that the image builds to now; NULL: not built */
    const char *class_kernel; /* the same of the kernels of hardware classes, and their modules */
    const char *proven;       /* of the kernels of hardware classes, those bytes alone are */
};

static void put(const char *dir, const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, name);
    cleanup_free char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make(parent), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static int setup(void **state)
{
    struct folder *f = xcalloc(1, sizeof(*f));
    /* In memory, where there is such a folder: test_cut_short syncs thousands of files. */
    f->root = xasprintf("%s/rambox-test-publish-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(f->root))
        return -1;
    f->config = xasprintf("%s/config", f->root);
    f->share = xasprintf("%s/share", f->root);
    f->state = xasprintf("%s/state", f->root);
    f->image = "image";
    put(f->share, "images/smallest.yaml", "busybox: smallest\n");
    put(f->share, "images/unused.yaml", "busybox: distribution\n");
    put(f->share, "kernels/smallest.yaml", "source: {package: linux-source}\n");
    put(f->config, "rambox.yaml", RAMBOX_YAML);
    put(f->config, "nodes.d/n1.yaml", "node: n1\nmac: 52:54:00:00:00:01\nip: 192.168.7.11\n");
    put(f->config, "images/secret-tree/big.bin", "not a definition");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;
    dir_remove(f->root);
    free(f->root);
    free(f->config);
    free(f->share);
    free(f->state);
    free(f);
    return 0;
}

/* A builder of artifacts that consist of their text: kept in the real store, by its real hash. */
static int find(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                struct diags *diags, struct generation_artifact *ret_artifact)
{
    const struct folder *f = user;
    const char *bytes = kind == ARTIFACT_KERNEL ? "kernel" : f->image;
    char definition[ARTIFACT_NAME_MAX];
    enum cpu_arch arch;
    assert_int_equal(artifact_name_parse(name, definition, &arch), 0);
    assert_non_null(kind == ARTIFACT_IMAGE ? (const void *)site_image(site, definition)
                                           : site_kernel(site, definition));
    if (is_class_kernel(definition))
        bytes = f->class_kernel;
    if (!bytes) {
        diag_error(diags, NULL, "%s %s is not built: rambox build", artifact_kind_name(kind), name);
        return -ENOENT;
    }
    cleanup_free char *store = xasprintf("%s/artifacts", f->state);
    struct digest digest;
    assert_int_equal(artifact_put_data(store, bytes, strlen(bytes), diags, &digest), 0);
    *ret_artifact = (struct generation_artifact){kind, xstrdup(name), digest, strlen(bytes)};
    return 0;
}

static int publish_now(struct folder *f, struct diags *diags, unsigned *ret_number)
{
    return publish(f->config, f->share, f->state, &(struct artifact_source){.find = find, .user = f}, diags,
                   ret_number);
}

static void must_publish(struct folder *f, unsigned number)
{
    cleanup_diags struct diags diags = {0};
    unsigned got = 0;
    assert_int_equal(publish_now(f, &diags, &got), 0);
    assert_int_equal(got, number);
}

static void test_publish(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(generation_unref) struct generation *generation = NULL;
    unsigned number = 0;
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), -ENOENT);
    diags_free(&diags);
    must_publish(f, 1);

    /* It stands on its own: neither the configuration nor the share folder is needed. */
    dir_remove(f->share);
    dir_remove(f->config);
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), 0);
    assert_int_equal(diags.list.n, 0);
    assert_int_equal(generation->number, 1);
    assert_true(generation->created > 1600000000);
    assert_int_equal(generation->artifacts.n, 2);
    assert_int_equal(generation_artifact(generation, ARTIFACT_IMAGE, "smallest")->size, 5);
    assert_non_null(site_node_by_name(generation->site, "n1"));
    assert_non_null(site_image(generation->site, "smallest"));
    assert_null(site_image(generation->site, "unused"));
    cleanup_free char *big = xasprintf("%s/generations/1/definitions/images/secret-tree", f->state);
    assert_false(file_exists(big));
    assert_int_equal(publish_now(f, &diags, &number),
                     -ENOENT); /* the configuration is gone; the generation is not */
}

static void test_unchanged(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    unsigned number = 0;
    must_publish(f, 1);
    assert_int_equal(publish_now(f, &diags, &number), PUBLISH_UNCHANGED);
    assert_int_equal(number, 1);
    f->image = "IMAGE"; /* the same size, another hash */
    must_publish(f, 2);
    put(f->config, "nodes.d/n2.yaml", "node: n2\nmac: 52:54:00:00:00:02\n");
    must_publish(f, 3);
    assert_int_equal(publish_now(f, &diags, &number), PUBLISH_UNCHANGED);
    assert_int_equal(number, 3);
}

/* F13: what runs stays when an edit is wrong, when something is not built, and when an artifact is damaged.
 */
static void test_refused(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    unsigned number = 77;
    must_publish(f, 1);
    put(f->config, "nodes.d/n2.yaml", "node: n2\nmac: 52:54:00:00:00:01\n");
    assert_int_equal(publish_now(f, &diags, &number), -EINVAL);
    assert_string_equal(diags.list.items[0].file, "nodes.d/n2.yaml");
    diags_free(&diags);

    put(f->config, "nodes.d/n2.yaml", "node: n2\nmac: 52:54:00:00:00:02\n");
    f->image = NULL;
    assert_int_equal(publish_now(f, &diags, &number), -ENOENT);
    assert_string_equal(diags.list.items[0].text, "image smallest is not built: rambox build");
    diags_free(&diags);
    assert_int_equal(number, 77);

    f->image = "image"; /* a file of this name would hide the built-in one in the generation */
    put(f->config, "images/smallest.yaml", "name: mine\nbusybox: distribution\n");
    assert_int_equal(publish_now(f, &diags, &number), -EEXIST);
    assert_string_equal(diags.list.items[0].file, "images/smallest.yaml");
    assert_int_equal(diags.list.n, 1);
    diags_free(&diags);

    cleanup_free unsigned *numbers = NULL;
    unsigned current;
    assert_int_equal(generation_list(f->state, &numbers, &current), 0);
    assert_int_equal(current, 1);
    assert_int_equal(numbers[0], 1);
    assert_int_equal(numbers[1], 0);
}

/* What the artifact source says is not believed: the bytes are looked at. */
static int find_damaged(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                        struct diags *diags, struct generation_artifact *ret_artifact)
{
    struct folder *f = user;
    int r = find(f, site, kind, name, diags, ret_artifact);
    char hex[DIGEST_TEXT_MAX];
    cleanup_free char *file = xasprintf("artifacts/%s", digest_format(&ret_artifact->digest, hex));
    if (kind == ARTIFACT_IMAGE)
        put(f->state, file, "imagf");
    return r;
}

static void test_damaged_artifact(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(generation_unref) struct generation *generation = NULL;
    unsigned number = 0;
    assert_int_equal(publish(f->config, f->share, f->state,
                             &(struct artifact_source){.find = find_damaged, .user = f}, &diags, &number),
                     -EINVAL);
    assert_non_null(strstr(diags.list.items[0].text, "is damaged; remove it and build again"));
    diags_free(&diags);
    must_publish(f, 1);
    /* And a generation whose artifact has gone is not loaded. */
    cleanup_free char *store = xasprintf("%s/artifacts", f->state);
    dir_remove(store);
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), -EBADMSG);
    assert_int_equal(diags.errors, 2);
    assert_int_equal(generation_switch(f->state, 1, &diags), -EBADMSG);
}

/* An image of 65535 blocks of 1408 bytes and its end: a file that is all hole. */
static int find_large(void *user, const struct site *site, enum artifact_kind kind, const char *name,
                      struct diags *diags, struct generation_artifact *ret_artifact)
{
    struct folder *f = user;
    int r = find(f, site, kind, name, diags, ret_artifact);
    if (kind != ARTIFACT_IMAGE)
        return r;
    cleanup_free char *file = xasprintf("%s/large", f->root), *store = xasprintf("%s/artifacts", f->state);
    put(f->root, "large", "");
    ret_artifact->size = 65535 * 1408;
    assert_int_equal(truncate(file, (off_t)ret_artifact->size), 0);
    assert_int_equal(hash_file(file, &ret_artifact->digest), 0);
    cleanup_free char *path = artifact_path(store, &ret_artifact->digest);
    assert_int_equal(rename(file, path), 0);
    return r;
}

static void test_large_for_tftp(void **state) /* T7: said at publish */
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    unsigned number = 0;
    must_publish(f, 1);
    assert_int_equal(publish(f->config, f->share, f->state,
                             &(struct artifact_source){.find = find_large, .user = f}, &diags, &number),
                     0);
    assert_int_equal(number, 2);
    assert_int_equal(diags.errors, 0);
    assert_int_equal(diags.list.n, 1);
    assert_non_null(
        strstr(diags.list.items[0].text, "image smallest: 92.3 MB are more than 65535 blocks of TFTP"));
}

static void test_switch(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    cleanup_free unsigned *numbers = NULL;
    unsigned current, number = 0;
    must_publish(f, 1);
    f->image = "second";
    must_publish(f, 2);
    assert_int_equal(generation_switch(f->state, 1, &diags), 0);
    assert_int_equal(generation_list(f->state, &numbers, &current), 0);
    assert_int_equal(current, 1);
    assert_int_equal(numbers[1], 2);
    assert_int_equal(generation_switch(f->state, 3, &diags), -ENOENT);
    assert_string_equal(diags.list.items[0].text,
                        "there is no generation 3; `rambox generation list` shows them");
    /* After a roll back, publishing the newer definitions again is a new generation. */
    assert_int_equal(publish_now(f, &diags, &number), 0);
    assert_int_equal(number, 3);
}

static void test_diff(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    cleanup_free char *text = NULL, *back = NULL, *same = NULL;
    put(f->config, "nodes.d/n2.yaml", "node: n2\nmac: 52:54:00:00:00:02\n");
    must_publish(f, 1);
    f->image = "image, longer";
    put(f->config, "rambox.yaml", RAMBOX_YAML "server: {tftp: {port: 1069}}\n");
    put(f->config, "nodes.d/n1.yaml", "node: n1\nmac: 52:54:00:00:00:01\nip: 192.168.7.12\ncmdline: quiet\n");
    put(f->config, "nodes.d/n2.yaml", "node: n3\nmac: 52:54:00:00:00:03\nip: 192.168.7.13\n");
    must_publish(f, 2);
    assert_int_equal(generation_diff(f->state, 1, 0, &diags, &text), 0);
    assert_string_equal(text, "~ server: tftp port 69 -> 1069\n"
                              "~ node n1: ip 192.168.7.11 -> 192.168.7.12, cmdline (none) -> quiet\n"
                              "- node n2: mac 52:54:00:00:00:02, profile default\n"
                              "+ node n3: mac 52:54:00:00:00:03, ip 192.168.7.13, profile default\n"
                              "~ image smallest: 6105d6cc76af -> 4e8d24d081eb (5 B -> 13 B)\n");
    assert_int_equal(generation_diff(f->state, 2, 1, &diags, &back), 0);
    assert_non_null(strstr(back, "+ node n2: mac 52:54:00:00:00:02, profile default\n"));
    assert_int_equal(generation_diff(f->state, 2, 2, &diags, &same), 0);
    assert_string_equal(same, "");
}

/* What a subnet, a class and the options say of DHCP, by name and readable. */
static void test_diff_dhcp(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    cleanup_free char *text = NULL, *back = NULL;
    must_publish(f, 1);
    put(f->config, "rambox.yaml",
        "subnets: {lab: {prefix: 192.168.7.0/24, pools: [192.168.7.100-192.168.7.199,\n"
        "    {range: 192.168.7.20-192.168.7.29, class: phones}], relays: [192.168.7.1, 10.9.0.1], renew: "
        "6h,\n"
        "    rebind: 87.6%, mtu: 9000, dns_search: [eng.lab, lab], bootp: yes, probe: no, ipv6_only: 30m,\n"
        "    unknown: discover, unknown_profile: default, options: {224: {hex: \"00ff\", always: yes}}},\n"
        "  other: {prefix: 10.2.0.0/24, dhcp: proxy}}\n"
        "classes:\n  phones:\n    match: {vendor_class: [SIP*, 0x0104], mac: \"52:*\", arch: [bios, 250]}\n"
        "    profile: default\n    boot_file: phone.bin\n    options: {66: phones.lab}\n"
        "options: {ntp-servers: [192.168.7.1, 192.168.7.2]}\n"
        "profiles: {default: {kernel: smallest, image: smallest, options: {19: yes}, boot_file: x.efi}}\n");
    put(f->config, "nodes.d/n1.yaml",
        "node: n1\nmac: 52:54:00:00:00:01\nip: 192.168.7.11\nprofile: default\n"
        "options: {23: 64}\n");
    must_publish(f, 2);
    assert_int_equal(generation_diff(f->state, 1, 2, &diags, &text), 0);
    assert_string_equal(
        text,
        "~ server: option ntp-servers (none) -> [192.168.7.1, 192.168.7.2]\n"
        "+ class phones: place 1, vendor_class SIP* 0x0104, mac 52:*, arch 0 (BIOS) 250, profile default, "
        "boot_file phone.bin, option tftp-server-name phones.lab\n"
        "~ subnet lab: pools 192.168.7.100-192.168.7.199 -> 192.168.7.100-192.168.7.199 "
        "192.168.7.20-192.168.7.29 (class phones), renew 50% -> 21600 s, rebind 87.5% -> 87.6%, bootp no -> "
        "yes, "
        "probe yes -> no, unknown deny -> discover, relays (none) -> 192.168.7.1 10.9.0.1, ipv6_only (none) "
        "-> 1800 "
        "s, unknown_profile (none) -> default, discovery_lease (none) -> 600 s, option interface-mtu (none) "
        "-> 9000, "
        "option domain-search (none) -> [eng.lab, lab], option 224 (none) -> 0x00ff (always)\n"
        "+ subnet other: prefix 10.2.0.0/24, dhcp proxy, lease 86400 s, min_lease 60 s, max_lease 86400 s, "
        "renew 50%, "
        "rebind 87.5%, bootp no, probe yes, unknown deny\n"
        "~ profile default: boot_file (none) -> x.efi, option ip-forwarding (none) -> yes\n"
        "~ node n1: option default-ip-ttl (none) -> 64\n");
    assert_int_equal(generation_diff(f->state, 2, 1, &diags, &back), 0);
    assert_non_null(strstr(back, "- class phones: place 1, vendor_class SIP* 0x0104, mac 52:*, "));
}

static char *preview(struct folder *f, bool artifacts)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    char *text = NULL;
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    assert_int_equal(publish_preview(site, f->state,
                                     artifacts ? &(struct artifact_source){.find = find, .user = f} : NULL,
                                     &diags, &text),
                     0);
    return text;
}

static void test_preview(void **state)
{
    struct folder *f = *state;
    cleanup_free char *all = preview(f, true);
    assert_non_null(strstr(all, "+ node n1: mac 52:54:00:00:00:01, ip 192.168.7.11, profile default\n"));
    assert_non_null(strstr(all, "+ kernel smallest: "));
    must_publish(f, 1);
    cleanup_free char *none = preview(f, true), *bare = preview(f, false);
    assert_string_equal(none, "");
    assert_string_equal(bare, "");
    f->image = NULL;
    cleanup_free char *unbuilt = preview(f, true);
    assert_string_equal(unbuilt, "~ image smallest: 6105d6cc76af -> not built\n");
}

/* Runs publish in a child that is killed at the entry of its `step`th system call. Returns false when it came
 * to its end before. */
static bool publish_killed(struct folder *f, unsigned step)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct diags diags = {0};
        unsigned number;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(3);
        raise(SIGSTOP);
        _exit(publish_now(f, &diags, &number) == 0 ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    /* Every call stops twice, at its entry and at its end. */
    for (unsigned i = 0; i < 2 * step - 1; i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return false;
        }
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return true;
}

static unsigned current_nodes(const struct folder *f)
{
    cleanup_diags struct diags diags = {0};
    CLEANUP(generation_unref) struct generation *generation = NULL;
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), 0);
    assert_int_equal(generation->artifacts.n, 2);
    return (unsigned)generation->site->nodes.n;
}

/* F9: killed at each system call in turn, the current generation is always whole: the old one, or (once it
 * was switched) the new one. The next publish succeeds and leaves nothing behind. */
static void test_cut_short(void **state)
{
    struct folder *f = *state;
    unsigned steps = 0, switched = 0;
    must_publish(f, 1);
    put(f->config, "nodes.d/n2.yaml", "node: n2\nmac: 52:54:00:00:00:02\n");
    cleanup_free char *leftover = xasprintf("%s/generations/.new", f->state);
    for (unsigned step = 1;; step++) {
        cleanup_diags struct diags diags = {0};
        unsigned number = 0;
        bool killed = publish_killed(f, step);
        unsigned nodes = current_nodes(f);
        assert_true(nodes == 1 || nodes == 2);
        switched += nodes == 2;
        if (!killed)
            break;
        assert_true(publish_now(f, &diags, &number) >= 0);
        assert_int_equal(current_nodes(f), 2);
        assert_false(file_exists(leftover));
        /* Back to the first, for the next step. */
        assert_int_equal(generation_switch(f->state, 1, &diags), 0);
        for (; number > 1; number--) {
            cleanup_free char *path = xasprintf("%s/generations/%u", f->state, number);
            assert_int_equal(dir_remove(path), 0);
        }
        steps++;
    }
    /* It really was killed at many steps, and not only before or after the switch. */
    assert_true(steps > 50);
    assert_true(switched > 1 && switched < steps);
}

/* Publishes an edit, and an image that was not built before; both are long ago when this returns. */
static void publish_edit(struct folder *f, unsigned number)
{
    cleanup_free char *node = xasprintf("node: n2\nmac: 52:54:00:00:01:%02x\n", number);
    cleanup_free char *image = xasprintf("image %u", number);
    put(f->config, "nodes.d/n2.yaml", node);
    f->image = image;
    must_publish(f, number);
    f->image = NULL;
    cleanup_free char *store = xasprintf("%s/artifacts", f->state);
    char **names = NULL;
    assert_int_equal(dir_names(store, NULL, &names), 0);
    for (char **name = names; *name; name++) {
        cleanup_free char *path = xasprintf("%s/%s", store, *name);
        assert_int_equal(utimensat(AT_FDCWD, path, (const struct timespec[2]){{0}}, 0), 0);
    }
    names_free(names);
}

static bool has_image(const struct folder *f, unsigned number)
{
    cleanup_free char *store = xasprintf("%s/artifacts", f->state);
    cleanup_free char *image = xasprintf("image %u", number);
    struct hash hash;
    struct digest digest;
    hash_init(&hash);
    hash_add(&hash, image, strlen(image));
    hash_end(&hash, &digest);
    return artifact_has(store, &digest);
}

/* A profile for two processors has two kernels and two images. */
static void test_architectures(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(generation_unref) struct generation *generation = NULL;
    cleanup_free char *preview = NULL;
    must_publish(f, 1);
    put(f->config, "rambox.yaml",
        "subnets: {lab: {prefix: 192.168.7.0/24, pools: 192.168.7.100-192.168.7.199}}\n"
        "profiles:\n  default: {kernel: smallest, image: smallest, arch: [x86_64, arm64]}\n"
        "  arm: {kernel: smallest, image: smallest, arch: arm64}\n");
    CLEANUP(site_free) struct site *site = NULL;
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    assert_int_equal(
        publish_preview(site, f->state, &(struct artifact_source){.find = find, .user = f}, &diags, &preview),
        0);
    assert_non_null(strstr(preview, "~ profile default: arch (none) -> x86_64 arm64\n"));
    assert_non_null(strstr(preview, "+ kernel smallest.arm64: "));
    assert_non_null(strstr(preview, "+ image smallest.arm64: "));
    must_publish(f, 2);
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), 0);
    assert_int_equal(generation->artifacts.n, 4);
    assert_non_null(generation_artifact(generation, ARTIFACT_KERNEL, "smallest.arm64"));
    assert_non_null(generation_artifact(generation, ARTIFACT_IMAGE, "smallest.arm64"));
    assert_non_null(generation_artifact(generation, ARTIFACT_IMAGE, "smallest"));
}

static struct digest digest_of(const char *bytes)
{
    struct hash hash;
    struct digest digest;
    hash_init(&hash);
    hash_add(&hash, bytes, strlen(bytes));
    hash_end(&hash, &digest);
    return digest;
}

static bool is_proven(void *user, const char *hardware_class, const struct digest *kernel)
{
    const struct folder *f = user;
    assert_memory_equal(hardware_class, "0123456789ab", 12);
    struct digest proven = digest_of(f->proven ? f->proven : "");
    return digest_equal(kernel, &proven);
}

#define CLASS_KERNEL "class-0123456789ab"

/* Publishes with the class's kernel built to `built` (NULL: not built). What the generation has then is `now`
 * and `before` (NULL: none), and it is another generation unless `same`. */
static void publish_class(struct folder *f, const char *built, const char *now, const char *before, bool same)
{
    static const char *const names[] = {CLASS_KERNEL, CLASS_KERNEL ".before"};
    const char *const expected[] = {now, before};
    CLEANUP(generation_unref) struct generation *generation = NULL;
    cleanup_diags struct diags diags = {0};
    struct artifact_source source = {
        .find = find, .user = f, .proven = f->proven ? is_proven : NULL, .proven_user = f};
    unsigned number;
    f->class_kernel = built;
    assert_int_equal(publish(f->config, f->share, f->state, &source, &diags, &number),
                     same ? PUBLISH_UNCHANGED : 0);
    assert_int_equal(diags.list.n, built ? 0 : 1);
    if (!built)
        assert_non_null(strstr(diags.list.items[0].text, "kernel " CLASS_KERNEL " is not built"));
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), 0);
    assert_int_equal(generation_lacks_kernels(generation), !now);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct generation_artifact *artifact =
            generation_artifact(generation, ARTIFACT_KERNEL, names[i]);
        const struct generation_artifact *modules =
            generation_artifact(generation, ARTIFACT_MODULES, names[i]);
        assert_int_equal(artifact != NULL, expected[i] != NULL);
        assert_int_equal(modules != NULL, expected[i] != NULL);
        struct digest digest = digest_of(expected[i] ? expected[i] : "");
        if (artifact)
            assert_true(digest_equal(&artifact->digest, &digest) && digest_equal(&modules->digest, &digest));
    }
    f->class_kernel = NULL;
}

/* A site with a fitted profile has the kernels of classes that are built, and beside each the one before it.
 */
static void test_class_kernels(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    cleanup_free char *text = NULL;
    put(f->config, "kernels/" CLASS_KERNEL ".yaml",
        "source: {distribution: linux-image-amd64}\nmodules: [network]\n");
    put(f->config, "kernels/class-9.yaml", "source: {package: linux-source}\n");
    must_publish(f, 1); /* no profile is fitted: nobody asks for it */
    put(f->config, "rambox.yaml",
        "subnets: {lab: {prefix: 192.168.7.0/24, pools: 192.168.7.100-192.168.7.199}}\n"
        "profiles: {default: {kernel: fitted, discovery: smallest, image: smallest}}\n");
    publish_class(f, NULL, NULL, NULL, false);
    publish_class(f, "one", "one", NULL, false);
    publish_class(f, "one", "one", NULL, true);
    publish_class(f, "two", "two", "one", false);
    publish_class(f, "two", "two", "one", true);
    assert_int_equal(generation_diff(f->state, 1, 0, &diags, &text), 0);
    assert_non_null(strstr(text,
                           "~ profile default: kernel smallest -> fitted, discovery (none) -> smallest, "
                           "ready_within (none) -> 300 s\n"));
    assert_non_null(strstr(text, "+ kernel " CLASS_KERNEL ": "));
    assert_non_null(strstr(text, "+ kernel " CLASS_KERNEL ".before: "));
    assert_non_null(strstr(text, "+ modules " CLASS_KERNEL ".before: "));
    publish_class(f, NULL, NULL, "two", false); /* edited, and not built again yet */
    publish_class(f, NULL, NULL, "two", true);
    publish_class(f, "two", "two", NULL, false); /* as it was */
    publish_class(f, "three", "three", "two", false);
    /* Where it is known which of them has brought a machine to ready, that one stays until another has. */
    f->proven = "two";
    publish_class(f, "four", "four", "two", false);
    publish_class(f, "five", "five", "two", false);
    f->proven = "five";
    publish_class(f, "six", "six", "five", false);
    f->proven = "none";
    publish_class(f, "five", "five", "six", false);
}

static void lose_artifact(const struct folder *f, const char *bytes)
{
    cleanup_free char *store = xasprintf("%s/artifacts", f->state);
    struct digest digest = digest_of(bytes);
    cleanup_free char *path = artifact_path(store, &digest);
    assert_int_equal(unlink(path), 0);
}

/* The file of a class's kernel disappears: that keeps nobody from serving or publishing the rest. Its modules
 * have the same bytes here. */
static void test_class_kernel_disappears(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    unsigned number = 0;
    put(f->config, "kernels/" CLASS_KERNEL ".yaml",
        "source: {distribution: linux-image-amd64}\nmodules: [network]\n");
    put(f->config, "rambox.yaml",
        "subnets: {lab: {prefix: 192.168.7.0/24, pools: 192.168.7.100-192.168.7.199}}\n"
        "profiles: {default: {kernel: fitted, discovery: smallest, image: smallest}}\n");
    publish_class(f, "one", "one", NULL, false);
    publish_class(f, "two", "two", "one", false);
    lose_artifact(f, "one");
    CLEANUP(generation_unref) struct generation *generation = NULL;
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), 0);
    assert_non_null(generation_artifact(generation, ARTIFACT_KERNEL, CLASS_KERNEL));
    assert_null(generation_artifact(generation, ARTIFACT_KERNEL, CLASS_KERNEL ".before"));
    assert_null(generation_artifact(generation, ARTIFACT_MODULES, CLASS_KERNEL ".before"));
    assert_int_equal(diags.errors, 0);
    assert_non_null(strstr(diags.list.items[0].text,
                           "generation 2 needs the kernel " CLASS_KERNEL ".before, whose file"));
    diags_free(&diags);
    f->class_kernel = "two";
    put(f->config, "nodes.d/n2.yaml", "node: n2\nmac: 52:54:00:00:00:02\n");
    assert_int_equal(publish_now(f, &diags, &number), 0);
    assert_int_equal(number, 3);
    assert_int_equal(diags.errors, 0);
    assert_non_null(strstr(diags.list.items[0].text,
                           "machines of its class do without it: kernel " CLASS_KERNEL ".before: "));
    generation_unref(TAKE_PTR(generation));
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), 0);
    assert_int_equal(generation->artifacts.n, 4);
    /* But one that a profile names is needed. */
    put(f->config, "rambox.yaml",
        "subnets: {lab: {prefix: 192.168.7.0/24, pools: 192.168.7.100-192.168.7.199}}\n"
        "profiles: {default: {kernel: " CLASS_KERNEL ", image: smallest}}\n");
    assert_int_equal(publish_now(f, &diags, &number), 0);
    lose_artifact(f, "two");
    generation_unref(TAKE_PTR(generation));
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), -EBADMSG);
}

static bool has_artifact(const struct folder *f, const char *bytes)
{
    cleanup_free char *store = xasprintf("%s/artifacts", f->state);
    struct digest digest = digest_of(bytes);
    return artifact_has(store, &digest);
}

/* The kernel before stays on disk as long as a generation names it. */
static void test_prune_class_kernels(void **state)
{
    struct folder *f = *state;
    put(f->config, "kernels/" CLASS_KERNEL ".yaml",
        "source: {distribution: linux-image-amd64}\nmodules: [network]\n");
    put(f->config, "rambox.yaml",
        "subnets: {lab: {prefix: 192.168.7.0/24, pools: 192.168.7.100-192.168.7.199}}\n"
        "profiles: {default: {kernel: fitted, discovery: smallest, image: smallest}}\n");
    publish_class(f, "one", "one", NULL, false);
    publish_class(f, "two", "two", "one", false);
    f->class_kernel = "two";
    for (unsigned number = 3; number <= GENERATIONS_KEPT + 3; number++)
        publish_edit(f, number);
    assert_true(has_artifact(f, "one"));
    f->class_kernel = "three";
    for (unsigned number = GENERATIONS_KEPT + 4; number <= 2 * GENERATIONS_KEPT + 5; number++)
        publish_edit(f, number);
    assert_false(has_artifact(f, "one"));
    assert_true(has_artifact(f, "two"));
}

static bool has_generation(const struct folder *f, unsigned number)
{
    cleanup_free char *path = xasprintf("%s/generations/%u", f->state, number);
    return file_exists(path);
}

/* What only generations of long ago had goes with them; never what is current, or was just before, or is the
 * cache's. */
static void test_prune(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(generation_unref) struct generation *generation = NULL;
    unsigned last = GENERATIONS_KEPT;
    for (unsigned number = 1; number <= last; number++)
        publish_edit(f, number);
    assert_true(has_generation(f, 1) && has_image(f, 1));
    publish_edit(f, ++last);
    assert_false(has_generation(f, 1) || has_image(f, 1));
    assert_true(has_generation(f, 2) && has_image(f, 2));

    /* A roll back to the oldest, and on from there. */
    assert_int_equal(generation_switch(f->state, 2, &diags), 0);
    publish_edit(f, ++last);
    assert_true(has_generation(f, 2) && has_image(f, 2));
    assert_int_equal(generation_load(f->state, 2, &diags, &generation), 0);
    cleanup_free char *store = xasprintf("%s/artifacts", f->state);
    cleanup_free char *image2 =
        artifact_path(store, &generation_artifact(generation, ARTIFACT_IMAGE, "smallest")->digest);
    cleanup_free char *cached = xasprintf("%s/cached", f->root);
    assert_int_equal(link(image2, cached), 0);
    publish_edit(f, ++last);
    assert_false(has_generation(f, 2) || has_generation(f, 3) || has_image(f, 3));
    assert_true(has_image(f, 2)); /* the cache has it */
    generation_unref(TAKE_PTR(generation));
    assert_int_equal(generation_load(f->state, 0, &diags, &generation), 0);
    assert_int_equal(generation->number, last);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_publish),
        TEST(test_unchanged),
        TEST(test_refused),
        TEST(test_damaged_artifact),
        TEST(test_switch),
        TEST(test_diff),
        TEST(test_diff_dhcp),
        TEST(test_preview),
        TEST(test_cut_short),
        TEST(test_prune),
        TEST(test_architectures),
        TEST(test_large_for_tftp),
        TEST(test_class_kernels),
        TEST(test_class_kernel_disappears),
        TEST(test_prune_class_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

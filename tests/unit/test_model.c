/* The model: look-ups of a site, counted generations, and the names under which artifacts are fetched. */
#include "test.h"

#include "base/str.h"
#include "model/class_kernel.h"
#include "model/generation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct node *add_node(struct site *site, const char *name, uint8_t last, ipv4_t ip)
{
    struct node *node = VEC_ADD(&site->nodes);
    *node = (struct node){.name = xstrdup(name),
                          .mac = {{0x52, 0x54, 0, 0, 0, last}},
                          .ip = ip,
                          .profile = xstrdup("default"),
                          .pos = {.file = "nodes.d/n.yaml", .line = last, .column = 1}};
    return node;
}

static void test_defaults(void **state)
{
    (void)state;
    CLEANUP(site_free) struct site *site = site_new();
    assert_int_equal(site->server.dhcp_port, 67);
    assert_int_equal(site->server.tftp_port, 69);
    assert_int_equal(site->server.tftp_per_source, 11); /* H7 */
    assert_int_equal(site->server.tftp_cps, 0);         /* H7: off by default */
    assert_int_equal(site->server.tftp_pause_s, 2);     /* H7 */
    assert_true(site->server.router_advert);            /* P14 */
    assert_string_equal(site->server.state_dir, "/var/lib/rambox");
}

static void test_index(void **state)
{
    static const uint8_t uuid[16] = {1, 2, 3}, other[16] = {3, 2, 1};
    (void)state;
    CLEANUP(site_free) struct site *site = site_new();
    cleanup_diags struct diags diags = {0};
    char name[8];
    for (unsigned i = 200; i > 0; i--) {
        snprintf(name, sizeof(name), "n%u", i);
        struct node *node = add_node(site, name, (uint8_t)i, i % 2 ? 0xc0a80700 + i : 0);
        if (i == 77) {
            node->has_uuid = true;
            memcpy(node->uuid, uuid, sizeof(uuid));
        }
    }
    assert_int_equal(site_index(site, &diags), 0);
    for (unsigned i = 1; i <= 200; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        const struct node *node = site_node_by_name(site, name);
        assert_non_null(node);
        assert_string_equal(node->name, name);
        assert_ptr_equal(node, site_node_by_mac(site, &node->mac));
        if (i % 2)
            assert_ptr_equal(node, site_node_by_ip(site, 0xc0a80700 + i));
        else
            assert_null(site_node_by_ip(site, 0xc0a80700 + i));
    }
    assert_null(site_node_by_name(site, "n201"));
    assert_null(site_node_by_name(site, "n"));
    assert_null(site_node_by_ip(site, 0)); /* nodes without an address are not found by none */
    assert_null(site_node_by_mac(site, &(struct mac){{0x52, 0x54, 0, 0, 1, 1}}));
    assert_string_equal(site_node_by_uuid(site, uuid)->name, "n77");
    assert_null(site_node_by_uuid(site, other));
}

static void test_empty_index(void **state)
{
    (void)state;
    CLEANUP(site_free) struct site *site = site_new();
    cleanup_diags struct diags diags = {0};
    assert_int_equal(site_index(site, &diags), 0);
    assert_null(site_node_by_name(site, "n1"));
    assert_null(site_profile(site, "default"));
}

static void test_duplicates(void **state)
{
    (void)state;
    CLEANUP(site_free) struct site *site = site_new();
    cleanup_diags struct diags diags = {0};
    add_node(site, "n1", 1, 0xc0a80701);
    add_node(site, "n2", 2, 0xc0a80702);
    struct node *n3 = add_node(site, "n1", 3, 0xc0a80701);
    n3->mac.b[5] = 2;
    assert_int_equal(site_index(site, &diags), -EEXIST);
    assert_int_equal(diags.errors, 3);
    assert_string_equal(diags.list.items[0].text,
                        "node n1 has the same name as node n1 (nodes.d/n.yaml:1); give it one of its own");
    assert_string_equal(
        diags.list.items[1].text,
        "node n1 has the same MAC address as node n2 (nodes.d/n.yaml:2); give it one of its own");
    assert_string_equal(diags.list.items[2].text,
                        "node n1 has the same address as node n1 (nodes.d/n.yaml:1); give it one of its own");
    for (int i = 0; i < 3; i++)
        assert_int_equal(diags.list.items[i].line, 3); /* at the later one */
}

static void check_subnets(const struct site *site)
{
    assert_string_equal(site_subnet_of(site, 0xc0a807ff)->name, "a");
    assert_string_equal(site_subnet_of(site, 0x0a123456)->name, "b");
    assert_null(site_subnet_of(site, 0xc0a80800));
    assert_null(site_subnet_of(site, 0x01000000));
    assert_null(site_subnet_of(site, 0xffffffff));
}

static void test_subnet_of(void **state)
{
    CLEANUP(site_free) struct site *site = site_new();
    struct diags diags = {0};
    *VEC_ADD(&site->subnets) = (struct subnet){.name = xstrdup("a"), .prefix = {0xc0a80700, 24}};
    *VEC_ADD(&site->subnets) = (struct subnet){.name = xstrdup("b"), .prefix = {0x0a000000, 8}};
    VEC_PUSH(&site->subnets.items[1].relays, 0xc0a80901u);
    VEC_PUSH(&site->subnets.items[1].relays, 0xc0a80801u);
    check_subnets(site);
    assert_int_equal(site_index(site, &diags), 0);
    check_subnets(site);
    assert_string_equal(site_subnet_of_relay(site, 0xc0a80701)->name, "a");
    assert_string_equal(site_subnet_of_relay(site, 0xc0a80801)->name, "b");
    assert_string_equal(site_subnet_of_relay(site, 0xc0a80901)->name, "b");
    assert_null(site_subnet_of_relay(site, 0x0a000001)); /* that one lists others */
    assert_null(site_subnet_of_relay(site, 0x01000001));
}

static void test_generation(void **state)
{
    (void)state;
    struct digest digest = {{7}};
    struct generation *g = generation_new(12, 1700000000, site_new());
    *VEC_ADD(&g->artifacts) =
        (struct generation_artifact){ARTIFACT_IMAGE, xstrdup("smallest"), digest, 700000};
    struct generation *second = generation_ref(g);
    generation_unref(g); /* the other reference keeps it */
    const struct generation_artifact *artifact = generation_artifact(second, ARTIFACT_IMAGE, "smallest");
    assert_int_equal(artifact->size, 700000);
    assert_null(generation_artifact(second, ARTIFACT_KERNEL, "smallest"));
    assert_null(generation_artifact(second, ARTIFACT_IMAGE, "web"));
    generation_unref(second);
    generation_unref(NULL);
}

static void test_artifact_path(void **state)
{
    static const char *const bad[] = {
        "",
        "g",
        "g1",
        "g1/",
        "g1/kernel",
        "g1/kernel/",
        "g1/kernel/a/b",
        "g1/kern/a",
        "g0/kernel/a",
        "g01x/image/a",
        "12/kernel/a",
        "g-1/kernel/a",
        "g1/kernel/../a",
        "g1/kernelx/a",
        "g99999999999/kernel/a",
        "g4294967296/kernel/a",
        "/g1/kernel/a",
        "g1//kernel/a",
        "G1/kernel/a",
        "g1/kernel/a.x86_64",
        "g1/kernel/a.arm",
        "g1/kernel/a.arm64.arm64",
        "g1/kernel/.arm64",
        "g1/kernel/a.",
        "kernel/a",
        "g1/unified/a",
        "g1/unified/.efi",
        "g1/unified/a.b.efi",
        "unified/../a.efi",
        "unified/a",
    };
    unsigned generation = 0;
    enum artifact_kind kind = ARTIFACT_KERNEL;
    static const char *const paths[] = {"g4294967295/kernel/smallest", "g4294967295/image/smallest",
                                        "g4294967295/unified/smallest.efi"};
    char name[ARTIFACT_NAME_MAX] = "", buf[ARTIFACT_PATH_MAX];
    (void)state;
    for (int k = ARTIFACT_KERNEL; k <= ARTIFACT_UNIFIED; k++) {
        artifact_path_format(4294967295u, (enum artifact_kind)k, "smallest", buf);
        assert_string_equal(buf, paths[k]);
        assert_int_equal(artifact_path_parse(buf, &generation, &kind, name), 0);
        assert_true(generation == 4294967295u);
        assert_int_equal(kind, k);
        assert_string_equal(name, "smallest");
    }
    assert_int_equal(artifact_path_parse("unified/rack-1.efi", &generation, &kind, name), 0);
    assert_true(generation == 0 && kind == ARTIFACT_UNIFIED);
    assert_string_equal(name, "rack-1");
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(artifact_path_parse(bad[i], &generation, &kind, name), -EINVAL);
}

/* What the firmware says (option 93), what iPXE says, and what people write. */
static void test_architectures(void **state)
{
    static const struct {
        uint16_t firmware;
        enum cpu_arch arch;
    } rows[] = {{0, ARCH_X86_64},  {7, ARCH_X86_64},   {9, ARCH_X86_64},     {16, ARCH_X86_64},
                {11, ARCH_ARM64},  {19, ARCH_ARM64},   {41, ARCH_ARM64},     {10, ARCH_UNKNOWN},
                {2, ARCH_UNKNOWN}, {27, ARCH_UNKNOWN}, {65535, ARCH_UNKNOWN}};
    enum cpu_arch arch = ARCH_UNKNOWN;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(arch_of_firmware(rows[i].firmware), rows[i].arch);
    assert_int_equal(arch_of_ipxe("x86_64"), ARCH_X86_64);
    assert_int_equal(arch_of_ipxe("i386"), ARCH_X86_64);
    assert_int_equal(arch_of_ipxe("arm64"), ARCH_ARM64);
    assert_int_equal(arch_of_ipxe("arm32"), ARCH_UNKNOWN);
    assert_int_equal(arch_of_ipxe(""), ARCH_UNKNOWN);
    assert_int_equal(arch_of_ipxe(NULL), ARCH_UNKNOWN);
    assert_int_equal(arch_parse("aarch64", &arch), 0);
    assert_int_equal(arch, ARCH_ARM64);
    assert_int_equal(arch_parse("arm", &arch), -EINVAL);
    assert_string_equal(arch_name(ARCH_X86_64), "x86_64");
    assert_string_equal(arch_name(ARCH_UNKNOWN), "unknown");
    assert_int_equal(arch_first(1 << ARCH_ARM64), ARCH_ARM64);
    assert_int_equal(arch_first(0), ARCH_X86_64);
    assert_false(arch_in(0xff, ARCH_UNKNOWN));
}

/* Kernels of hardware classes: their definitions, and the one before as an artifact of no definition. */
static void test_class_kernels(void **state)
{
    static const char *const others[] = {"class-0123456789aB",       "class-0123456789a",
                                         "class-0123456789abc",      "class-",
                                         "class-0123456789ab.befor", "class-0123456789ab.arm64",
                                         "klass-0123456789ab",       "class-0123456789ab.before2"};
    char name[ARTIFACT_NAME_MAX], path[ARTIFACT_PATH_MAX];
    enum artifact_kind kind;
    enum cpu_arch arch;
    unsigned number;
    bool before;
    (void)state;
    assert_true(is_class_kernel("class-0123456789ab"));
    assert_false(is_class_kernel("class-0123456789ab.before"));
    assert_memory_equal(class_kernel_of("class-0123456789ab", &before), "0123456789ab", 12);
    assert_false(before);
    assert_memory_equal(class_kernel_of("class-0123456789ab.before", &before), "0123456789ab", 12);
    assert_true(before);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_null(class_kernel_of(others[i], &before));
    assert_string_equal(class_kernel_format("0123456789ab", false, name), "class-0123456789ab");
    assert_string_equal(class_kernel_format("0123456789ab", true, name), "class-0123456789ab.before");
    assert_int_equal(artifact_name_parse("class-0123456789ab.before", name, &arch), 0);
    assert_string_equal(name, "class-0123456789ab.before");
    assert_int_equal(arch, ARCH_X86_64);
    assert_int_equal(artifact_name_parse("web.before", name, &arch), -EINVAL);
    artifact_path_format(12, ARTIFACT_KERNEL, "class-0123456789ab.before", path);
    assert_string_equal(path, "g12/kernel/class-0123456789ab.before");
    assert_int_equal(artifact_path_parse(path, &number, &kind, name), 0);
    assert_string_equal(name, "class-0123456789ab.before");
}

static void test_artifact_names(void **state)
{
    char name[ARTIFACT_NAME_MAX], definition[ARTIFACT_NAME_MAX], longest[64];
    enum cpu_arch arch = ARCH_UNKNOWN;
    (void)state;
    assert_string_equal(artifact_name_format("web", ARCH_X86_64, name), "web");
    assert_string_equal(artifact_name_format("web", ARCH_UNKNOWN, name), "web");
    assert_string_equal(artifact_name_format("web", ARCH_ARM64, name), "web.arm64");
    assert_int_equal(artifact_name_parse(name, definition, &arch), 0);
    assert_string_equal(definition, "web");
    assert_int_equal(arch, ARCH_ARM64);
    memset(longest, 'a', 63);
    longest[63] = '\0';
    artifact_name_format(longest, ARCH_ARM64, name);
    assert_int_equal(strlen(name), 69);
    assert_int_equal(artifact_name_parse(name, definition, &arch), 0);
    assert_string_equal(definition, longest);
    static const char *const bad[] = {"",         ".arm64", "a.",        "a.x86_64", "a.arm6",
                                      "a.arm64x", "a_b",    "a.b.arm64", "a/b"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(artifact_name_parse(bad[i], definition, &arch), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_index),
        cmocka_unit_test(test_empty_index),    cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_subnet_of),      cmocka_unit_test(test_generation),
        cmocka_unit_test(test_artifact_path),  cmocka_unit_test(test_architectures),
        cmocka_unit_test(test_artifact_names), cmocka_unit_test(test_class_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

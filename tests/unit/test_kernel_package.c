/* build/kernel_package.h: kernels of the distribution in all the forms in which they come, as .deb files made
 * here; and the catalog of drivers (fit/catalog.h), which reads the same ones. */
#include "test.h"

#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "build/kernel_package.h"
#include "fit/catalog.h"
#include "kernel/kernel.h"
#include "modules/archive.h"

#include <errno.h>
#include <stdlib.h>

#define VERSION "6.1.0-9-test"

struct place {
    char dir[64];
    char *cache;
    struct diags diags;
    struct build_env env;
};

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    snprintf(p->dir, sizeof(p->dir), "/tmp/rambox-package-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->cache = xasprintf("%s/cache", p->dir);
    p->env = (struct build_env){.cache_dir = p->cache, .diags = &p->diags};
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    diags_free(&p->diags);
    free(p->cache);
    assert_int_equal(dir_remove(p->dir), 0);
    free(p);
    return 0;
}

static void run(const char *const *argv)
{
    cleanup_free char *output = NULL;
    if (process_output(argv, &output) != 0)
        fail_msg("%s: %s", argv[0], output ? output : "cannot be run");
}

static void put(const char *folder, const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, name);
    cleanup_free char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make(parent), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

/* A module that says which devices it is for. */
static void put_module(const char *modules)
{
    cleanup_free char *source = xasprintf("%s/module.s", modules);
    cleanup_free char *object = xasprintf("%s/kernel/drivers/net/acme-net.ko", modules);
    put(modules, "kernel/drivers/net/acme-net.ko", "");
    put(modules, "module.s",
        ".section .modinfo,\"a\"\n.string \"license=GPL\"\n"
        ".string \"alias=pci:v0000ACEEd00000001sv*sd*bc*sc*i*\"\n.string \"firmware=acme.fw\"\n");
    run((const char *const[]){"gcc", "-c", "-x", "assembler", source, "-o", object, NULL});
    assert_int_equal(unlink(source), 0);
}

/* What a package has in it. */
struct content {
    const char *name, *depends; /* NULL: on nothing */
    const char *arch;
    bool vmlinuz;
    const char *modules; /* `lib` or `usr/lib`; NULL: none */
};

/* Makes the .deb; the caller's. */
static char *make_package(const struct place *p, const struct content *c)
{
    cleanup_free char *folder = xasprintf("%s/%s", p->dir, c->name);
    cleanup_free char *control = xasprintf("Package: %s\nVersion: 1\nArchitecture: %s\n%s%s%s"
                                           "Maintainer: a test <test@invalid>\nDescription: a test\n",
                                           c->name, c->arch, c->depends ? "Depends: " : "",
                                           c->depends ? c->depends : "", c->depends ? "\n" : "");
    put(folder, "DEBIAN/control", control);
    if (c->vmlinuz) {
        put(folder, "boot/vmlinuz-" VERSION, "stands for a kernel");
        put(folder, "boot/config-" VERSION, "CONFIG_SMP=y\n# CONFIG_PREEMPT is not set\n");
    }
    if (c->modules) {
        cleanup_free char *modules = xasprintf("%s/%s/modules/" VERSION, folder, c->modules);
        put(modules, "modules.builtin", "");
        put(modules, "modules.order", "kernel/drivers/net/acme-net.ko\n");
        put_module(modules);
    }
    char *deb = xasprintf("%s/%s.deb", p->dir, c->name);
    run((const char *const[]){"dpkg-deb", "--root-owner-group", "-Znone", "-b", folder, deb, NULL});
    return deb;
}

static int open_package(struct place *p, char *where, unsigned parts, struct kernel_package *ret_package)
{
    cleanup_input struct input input = {0};
    const struct source source = {.kind = SOURCE_DISTRIBUTION, .where = where};
    assert_int_equal(kernel_package_fetch(&p->env, &source, &input), 0);
    return kernel_package_open(&p->env, &input, parts, ret_package);
}

static void assert_beneath(const struct place *p, const char *path, const char *end)
{
    assert_true(str_starts(path, p->cache));
    assert_true(str_ends(path, end));
    assert_true(file_exists(path));
}

/* Row 4: wherever the modules are, they come with depmod's files. */
static void a_kernel_is_opened(void **state)
{
    static const char *const places[] = {"lib", "usr/lib"};
    struct place *p = *state;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        cleanup_kernel_package struct kernel_package package = {0};
        const struct content content = {i ? "merged" : "plain", NULL, "amd64", true, places[i]};
        cleanup_free char *deb = make_package(p, &content);
        assert_int_equal(open_package(p, deb, KERNEL_PART_VMLINUZ | KERNEL_PART_MODULES, &package), 0);
        assert_string_equal(package.version, VERSION);
        assert_beneath(p, package.vmlinuz, "/boot/vmlinuz-" VERSION);
        assert_beneath(p, package.config, "/boot/config-" VERSION);
        assert_beneath(p, package.modules, "/lib/modules/" VERSION);
        cleanup_free char *path = xasprintf("%s/modules.alias", package.modules), *text = NULL;
        assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
        assert_non_null(strstr(text, "alias pci:v0000ACEEd00000001sv*sd*bc*sc*i* acme_net"));
    }
    assert_int_equal(p->diags.errors, 0);
}

/* What somebody wants and a package lacks is said; what nobody wants it may lack. */
static void lacking_parts_are_said(void **state)
{
    static const struct content contents[] = {
        {"kernel-alone", NULL, "amd64", true, NULL},
        {"modules-alone", NULL, "amd64", false, "lib"},
        {"neither", NULL, "amd64", false, NULL},
    };
    struct place *p = *state;
    for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
        cleanup_free char *deb = make_package(p, &contents[i]);
        for (unsigned part = KERNEL_PART_VMLINUZ; part <= KERNEL_PART_MODULES; part++) {
            cleanup_kernel_package struct kernel_package package = {0};
            bool has = part == KERNEL_PART_VMLINUZ ? contents[i].vmlinuz : contents[i].modules != NULL;
            unsigned errors = p->diags.errors;
            assert_int_equal(open_package(p, deb, part, &package), has ? 0 : -ENOENT);
            assert_int_equal(p->diags.errors, errors + !has);
            if (has)
                assert_string_equal(package.version, VERSION);
            else
                assert_non_null(strstr(p->diags.list.items[errors].text, part == KERNEL_PART_VMLINUZ
                                                                             ? "has no kernel boot/vmlinuz-"
                                                                             : "has no modules lib/modules"));
        }
    }
}

static void other_architectures_are_refused(void **state)
{
    struct place *p = *state;
    cleanup_kernel_package struct kernel_package package = {0};
    const struct content content = {"foreign", NULL, "arm64", true, NULL};
    cleanup_free char *deb = make_package(p, &content);
    assert_int_equal(open_package(p, deb, KERNEL_PART_VMLINUZ, &package), -EINVAL);
    assert_non_null(strstr(p->diags.list.items[0].text, "is for arm64"));
}

/* What was built of a package for one architecture is not what another one gets of it. */
static void built_for_one_architecture(void **state)
{
    struct place *p = *state;
    const struct content content = {"native", NULL, "amd64", true, "lib"};
    cleanup_free char *deb = make_package(p, &content), *artifacts = xasprintf("%s/artifacts", p->dir);
    char name[] = "native", module[] = "acme_net", *modules[] = {module};
    const struct kernel_def def = {.name = name,
                                   .source = {.kind = SOURCE_DISTRIBUTION, .where = deb},
                                   .modules = {.items = modules, .n = 1}};
    struct build_env other = p->env;
    struct built built;
    struct digest here, there;
    p->env.artifact_dir = other.artifact_dir = artifacts;
    other.arch = ARCH_ARM64;
    assert_int_equal(kernel_build(&def, NULL, &p->env, &built), 0);
    assert_int_equal(kernel_build(&def, NULL, &p->env, &built), KERNEL_UNCHANGED);
    assert_int_equal(kernel_build(&def, NULL, &other, &built), -EINVAL);
    assert_int_equal(modules_build(&p->env, &def, &built), 0);
    assert_int_equal(modules_build(&p->env, &def, &built), MODULES_UNCHANGED);
    assert_int_equal(modules_build(&other, &def, &built), -EINVAL);
    assert_int_equal(p->diags.errors, 2);
    modules_definition_key(&p->env, &def, &here);
    modules_definition_key(&other, &def, &there);
    assert_false(digest_equal(&here, &there));
}

/* Puts a package into the cache as apt's download would be, which keeps apt out of this. */
static void put_into_cache(const struct place *p, const char *name, const char *deb)
{
    struct digest digest;
    char hex[DIGEST_TEXT_MAX];
    cleanup_free char *folder = xasprintf("%s/inputs/deb/%s", p->cache, name);
    cleanup_free char *path = xasprintf("%s/it.deb", folder);
    assert_int_equal(hash_file(deb, &digest), 0);
    put(folder, "SHA256", digest_format(&digest, hex));
    run((const char *const[]){"cp", deb, path, NULL});
}

static void assert_driver(const struct catalog *catalog)
{
    const struct catalog_module *m = catalog_module(catalog, "acme-net");
    assert_string_equal(catalog->kernel, VERSION);
    assert_non_null(m);
    assert_string_equal(m->path, "drivers/net/acme-net");
    assert_string_equal(m->aliases.items[0], "pci:v0000ACEEd00000001sv*sd*bc*sc*i*");
    assert_string_equal(m->firmware.items[0], "acme.fw");
}

/* Row 1: the drivers are known of a package, of the one that it stands for, of a .deb and of a folder; and
 * the second time without reading it. */
static void catalogs_of_all_forms(void **state)
{
    struct place *p = *state;
    const struct content kernel = {"linux-image-" VERSION, NULL, "amd64", true, "lib"};
    const struct content newest = {"linux-image-test", "linux-image-" VERSION " (= 1), other", "amd64", false,
                                   NULL};
    cleanup_free char *deb = make_package(p, &kernel), *meta = make_package(p, &newest);
    put_into_cache(p, "linux-image-" VERSION "=1", deb);
    put_into_cache(p, "linux-image-test", meta);
    cleanup_free char *folder = xasprintf("%s/linux-image-" VERSION "/lib/modules/" VERSION "/", p->dir);
    cleanup_free char *trees = xasprintf("%s/trees", p->cache);
    const char *const sources[] = {"linux-image-test", "linux-image-" VERSION "=1", deb, folder};
    for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
        cleanup_catalog struct catalog catalog = {0};
        int r = catalog_get(&p->env, sources[i], &catalog);
        if (r < 0)
            diags_print(&p->diags, stderr);
        assert_int_equal(r, 0);
        assert_driver(&catalog);
        assert_int_equal(catalog_has(&catalog, "SMP"), i < 3); /* a folder's is in /boot */
        assert_false(catalog_has(&catalog, "PREEMPT"));
        assert_int_equal(file_exists(trees), i == 0);
        assert_int_equal(dir_remove(trees), 0);
    }
}

/* What a package of the cache needs may be superseded: how to get the newest is said. */
static void a_superseded_kernel(void **state)
{
    struct place *p = *state;
    const struct content newest = {"linux-image-test", "linux-image-0.0.0-rambox-no-such (= 1)", "amd64",
                                   false, NULL};
    char name[] = "linux-image-test";
    const struct source source = {.kind = SOURCE_DISTRIBUTION, .where = name};
    cleanup_free char *meta = make_package(p, &newest);
    struct input input = {0};
    put_into_cache(p, name, meta);
    assert_true(kernel_package_fetch(&p->env, &source, &input) < 0);
    assert_int_equal(p->diags.errors, 1);
    assert_non_null(strstr(p->diags.list.items[0].text, "linux-image-0.0.0-rambox-no-such=1"));
    assert_int_equal(p->diags.list.n, 2);
    assert_non_null(strstr(p->diags.list.items[1].text, "`rambox build --refresh` looks up the newest"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_kernel_is_opened),         TEST(lacking_parts_are_said), TEST(other_architectures_are_refused),
        TEST(built_for_one_architecture), TEST(catalogs_of_all_forms),  TEST(a_superseded_kernel),
    };
    return cmocka_run_group_tests_name("kernel_package", tests, NULL, NULL);
}

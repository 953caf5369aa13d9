/* builder/builder.h: what a site needs built, in which order, and what is found without building. */
#include "test.h"

#include "base/file.h"
#include "builder/builder.h"
#include "config/config.h"
#include "kernel/kernel.h"
#include "modules/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

/* A configuration folder with one image that needs nothing fetched. */
struct fixture {
    char dir[64];
    char *artifacts, *cache;
    struct diags diags;
    struct build_env env;
    struct site *site;
    struct builder *builder;
};

static const char *share_dir(void)
{
    const char *share = getenv("RAMBOX_SHARE");
    return share ? share : "share";
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
    cleanup_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make(folder), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0755), 0);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/rambox-builder-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    put(f, "rambox-init", "stands for init\n");
    put(f, "images/tiny.yaml", "busybox: none\ncompression: none\n");
    put(f, "images/inside.yaml", "busybox: none\ncompression: none\nhostname: inside\n");
    put(f, "kernels/plain.yaml", "source: {package: linux-source-6.1}\nfragments: [base]\n");
    put(f, "kernels/full.yaml",
        "source: {package: linux-source-6.1}\nfragments: [base]\ninitramfs: inside\n");
    put(f, "kernels/dist.yaml", "source: {distribution: linux-image-amd64}\nmodules: [virtio_net]\n");
    put(f, "rambox.yaml",
        "subnets:\n  lab: {prefix: 192.168.7.0/24}\n"
        "profiles:\n"
        "  default: {kernel: plain, image: tiny}\n"
        "  second: {kernel: plain, image: tiny, memory: 512M}\n"
        "  third: {kernel: full, memory: 20M}\n");
    f->artifacts = xasprintf("%s/artifacts", f->dir);
    f->cache = xasprintf("%s/cache", f->dir);
    f->env = (struct build_env){.cache_dir = f->cache,
                                .artifact_dir = f->artifacts,
                                .share_dir = share_dir(),
                                .config_dir = f->dir,
                                .diags = &f->diags};
    if (config_load(f->dir, share_dir(), &f->diags, &f->site) < 0)
        diags_print(&f->diags, stderr);
    assert_non_null(f->site);
    assert_int_equal(builder_new(&f->env, f->dir, &f->builder), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    builder_free(f->builder);
    site_free(f->site);
    diags_free(&f->diags);
    free(f->artifacts);
    free(f->cache);
    assert_int_equal(dir_remove(f->dir), 0);
    free(f);
    return 0;
}

/* `image/tiny kernel/plain`: the list as text. */
static void assert_selected_for(struct fixture *f, arch_set archs, char *const *names, const char *expected)
{
    cleanup_build_list struct build_list list = {.archs = archs};
    cleanup_str struct str text = {0};
    assert_int_equal(builder_select(f->site, names, &f->diags, &list), 0);
    VEC_EACH(item, &list.items)
        str_printf(&text, "%s%s/%s%s", text.len ? " " : "", artifact_kind_name(item->kind), item->name,
                   item->arch == ARCH_ARM64 ? ".arm64" : "");
    assert_string_equal(str_text(&text), expected);
}

static void assert_selected(struct fixture *f, char *const *names, const char *expected)
{
    assert_selected_for(f, 0, names, expected);
}

static void what_profiles_use_is_selected_once(void **state)
{
    struct fixture *f = *state;
    assert_selected(f, NULL, "image/tiny kernel/plain image/inside kernel/full");
    assert_selected(f, (char *[]){NULL}, "image/tiny kernel/plain image/inside kernel/full");
}

static void names_are_selected(void **state)
{
    struct fixture *f = *state;
    assert_selected(f, (char *[]){"tiny", NULL}, "image/tiny");
    assert_selected(f, (char *[]){"full", "inside", "tiny", NULL}, "image/inside kernel/full image/tiny");
    assert_selected(f, (char *[]){"smallest", NULL}, "image/smallest kernel/smallest");
    assert_selected(f, (char *[]){"kernel/smallest", NULL}, "kernel/smallest");
    assert_selected(f, (char *[]){"dist", NULL}, "kernel/dist modules/dist");
    cleanup_build_list struct build_list list = {0};
    assert_int_equal(builder_select(f->site, (char *[]){"tinny", "image/plain", NULL}, &f->diags, &list),
                     -ENOENT);
    assert_int_equal(f->diags.errors, 2);
    assert_non_null(strstr(f->diags.list.items[0].text, "did you mean \"tiny\"?"));
}

/* With a fitted profile the kernels of all classes are built, for x86_64, and those without are not. */
static void kernels_of_classes_are_selected(void **state)
{
    struct fixture *f = *state;
    put(f, "kernels/class-0123456789ab.yaml", "source: {package: linux-source-6.1}\nfragments: [base]\n");
    put(f, "kernels/class-ba9876543210.yaml",
        "source: {distribution: linux-image-amd64}\nmodules: [virtio_net]\n");
    put(f, "kernels/class-9.yaml", "source: {package: linux-source-6.1}\n");
    put(f, "rambox.yaml",
        "subnets:\n  lab: {prefix: 192.168.7.0/24}\n"
        "profiles:\n  default: {kernel: plain, image: tiny}\n");
    for (int fitted = 0; fitted < 2; fitted++) {
        site_free(f->site);
        assert_int_equal(config_load(f->dir, share_dir(), &f->diags, &f->site), 0);
        assert_selected(f, NULL,
                        fitted
                            ? "image/tiny image/tiny.arm64 kernel/plain kernel/plain.arm64 "
                              "kernel/class-0123456789ab kernel/class-ba9876543210 modules/class-ba9876543210"
                            : "image/tiny kernel/plain");
        put(f, "rambox.yaml",
            "subnets:\n  lab: {prefix: 192.168.7.0/24}\n"
            "profiles:\n  default: {kernel: fitted, discovery: plain, image: tiny, arch: [x86_64, arm64]}\n");
    }
    assert_selected_for(f, 1 << ARCH_ARM64, NULL, "image/tiny.arm64 kernel/plain.arm64");
    assert_selected(f, (char *[]){"class-0123456789ab", NULL}, "kernel/class-0123456789ab");
}

/* What publish asks for: found only when it is built as it is defined now, and nothing is built or fetched.
 */
static void only_what_is_built_is_found(void **state)
{
    struct fixture *f = *state;
    struct artifact_source source = builder_source(f->builder);
    struct generation_artifact found = {0};
    cleanup_build_list struct build_list list = {0};
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_IMAGE, "tiny", &f->diags, &found), -ENOENT);
    assert_int_equal(f->diags.errors, 1);
    assert_non_null(strstr(f->diags.list.items[0].text, "image tiny is not built"));
    assert_non_null(strstr(f->diags.list.items[0].text, "rambox build"));
    assert_int_equal(builder_select(f->site, (char *[]){"image/tiny", NULL}, &f->diags, &list), 0);
    assert_int_equal(builder_build(f->builder, f->site, &list), 0);
    assert_int_equal(list.items.items[0].outcome, 0);
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_IMAGE, "tiny", &f->diags, &found), 0);
    assert_int_equal(found.kind, ARTIFACT_IMAGE);
    assert_string_equal(found.name, "tiny");
    assert_int_equal(found.size, list.items.items[0].built.size);
    assert_true(digest_equal(&found.digest, &list.items.items[0].built.artifact));
    free(found.name);
    assert_int_equal(builder_build(f->builder, f->site, &list), 0);
    assert_int_equal(list.items.items[0].outcome, IMAGE_UNCHANGED);
    /* A kernel whose source was never fetched is not fetched now; one with an image inside needs that first.
     */
    unsigned errors = f->diags.errors;
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_KERNEL, "plain", &f->diags, &found), -ENOENT);
    assert_int_equal(f->diags.errors, errors + 1);
    assert_non_null(strstr(f->diags.list.items[errors].text, "kernel plain is not built"));
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_KERNEL, "full", &f->diags, &found), -ENOENT);
    assert_non_null(strstr(f->diags.list.items[errors + 1].text, "image inside is not built"));
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_IMAGE, "nosuch", &f->diags, &found), -ENOENT);
}

static int find_recorded(struct fixture *f, const char *name)
{
    struct artifact_source source = builder_recorded_source(f->builder);
    struct generation_artifact found = {0};
    int r = source.find(source.user, f->site, ARTIFACT_IMAGE, name, &f->diags, &found);
    free(found.name);
    return r;
}

static void build_tiny(struct fixture *f)
{
    cleanup_build_list struct build_list list = {0};
    assert_int_equal(builder_select(f->site, (char *[]){"image/tiny", NULL}, &f->diags, &list), 0);
    assert_int_equal(builder_build(f->builder, f->site, &list), 0);
}

/* The configuration is read again, as the server does after an edit. */
static void edit(struct fixture *f, const char *name, const char *text)
{
    put(f, name, text);
    site_free(f->site);
    f->site = NULL;
    assert_int_equal(config_load(f->dir, share_dir(), &f->diags, &f->site), 0);
}

/* Definitions say nothing of processors: profiles do, and a definition is built for each of its profiles'. */
static void each_architecture_is_selected(void **state)
{
    struct fixture *f = *state;
    const arch_set arm64 = 1 << ARCH_ARM64;
    cleanup_build_list struct build_list none = {.archs = arm64};
    assert_selected_for(f, arm64, (char *[]){"full", NULL}, "image/inside.arm64 kernel/full.arm64");
    assert_selected(f, (char *[]){"tiny.arm64", NULL}, "image/tiny.arm64");
    assert_int_equal(builder_select(f->site, NULL, &f->diags, &none), -ENOENT);
    assert_non_null(strstr(f->diags.list.items[0].text, "no profile is for arm64"));
    assert_int_equal(builder_select(f->site, (char *[]){"tiny.arm", NULL}, &f->diags, &none), -ENOENT);
    edit(f, "rambox.yaml",
         "subnets:\n  lab: {prefix: 192.168.7.0/24}\n"
         "profiles:\n"
         "  default: {kernel: plain, image: tiny}\n"
         "  second: {kernel: full, arch: [x86_64, arm64]}\n"
         "  third: {kernel: plain, image: tiny, arch: arm64}\n");
    assert_selected(f, NULL,
                    "image/tiny image/tiny.arm64 kernel/plain image/inside kernel/full image/inside.arm64 "
                    "kernel/full.arm64 kernel/plain.arm64");
    assert_selected_for(f, arm64, NULL,
                        "image/tiny.arm64 image/inside.arm64 kernel/full.arm64 kernel/plain.arm64");
    assert_selected(f, (char *[]){"tiny", NULL}, "image/tiny image/tiny.arm64");
    assert_selected(f, (char *[]){"smallest", NULL}, "image/smallest kernel/smallest");
}

/* Two builds of one definition do not meet: neither in the record nor by name, and each has its own init. */
static void each_architecture_is_built(void **state)
{
    struct fixture *f = *state;
    struct artifact_source exact = builder_source(f->builder), recorded = builder_recorded_source(f->builder);
    struct generation_artifact found = {0};
    struct built x86_64, arm64;
    build_tiny(f);
    assert_int_equal(exact.find(exact.user, f->site, ARTIFACT_IMAGE, "tiny.arm64", &f->diags, &found),
                     -ENOENT);
    assert_int_equal(recorded.find(recorded.user, f->site, ARTIFACT_IMAGE, "tiny.arm64", &f->diags, &found),
                     -ENOENT);
    cleanup_build_list struct build_list list = {0};
    unsigned errors = f->diags.errors;
    assert_int_equal(builder_select(f->site, (char *[]){"tiny.arm64", NULL}, &f->diags, &list), 0);
    assert_int_equal(builder_build(f->builder, f->site, &list), -ENOENT); /* there is no init for it */
    const char *said = f->diags.list.items[f->diags.list.n - 1].text;
    assert_true(f->diags.errors == errors + 1 && strstr(said, "rambox-init.arm64") &&
                strstr(said, "gcc-aarch64-linux-gnu") && strstr(said, "libc6-dev-arm64-cross"));
    put(f, "rambox-init.arm64", "stands for init of arm64\n");
    assert_int_equal(builder_build(f->builder, f->site, &list), 0);
    assert_int_equal(builder_find_image(f->builder, f->site, "tiny", &f->diags, &x86_64), 0);
    assert_int_equal(builder_find_image(f->builder, f->site, "tiny.arm64", &f->diags, &arm64), 0);
    assert_false(digest_equal(&x86_64.artifact, &arm64.artifact));
    assert_int_equal(recorded.find(recorded.user, f->site, ARTIFACT_IMAGE, "tiny.arm64", &f->diags, &found),
                     0);
    assert_string_equal(found.name, "tiny.arm64");
    assert_true(digest_equal(&found.digest, &arm64.artifact));
    free(found.name);
    assert_int_equal(exact.find(exact.user, f->site, ARTIFACT_IMAGE, "tiny", &f->diags, &found), 0);
    assert_true(digest_equal(&found.digest, &x86_64.artifact));
    free(found.name);
    assert_int_equal(exact.find(exact.user, f->site, ARTIFACT_IMAGE, "tiny.arm", &f->diags, &found), -ENOENT);
}

/* A file that begins as a program of this machine does (e_machine of ELF), and its name. */
static void put_program(const struct fixture *f, const char *name, char machine)
{
    cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
    cleanup_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    char header[64] = "\x7f"
                      "ELF\2\1\1";
    header[18] = machine;
    assert_int_equal(dir_make(folder), 0);
    assert_int_equal(file_write_atomic(path, header, sizeof(header), 0755), 0);
}

/* One definition takes each architecture's own program along; one that is for another is warned of. */
static void programs_of_each_architecture(void **state)
{
    struct fixture *f = *state;
    cleanup_build_list struct build_list list = {0}, again = {0};
    put_program(f, "images/files/x86_64/server", 62 /* EM_X86_64 */);
    put_program(f, "images/files/arm64/server", (char)183 /* EM_AARCH64 */);
    put(f, "rambox-init.arm64", "stands for init of arm64\n");
    edit(f, "images/tiny.yaml",
         "busybox: none\ncompression: none\nfiles:\n  - path: /server\n    from: files/{arch}/server\n");
    assert_int_equal(
        builder_select(f->site, (char *[]){"image/tiny", "image/tiny.arm64", NULL}, &f->diags, &list), 0);
    unsigned said = (unsigned)f->diags.list.n;
    assert_int_equal(builder_build(f->builder, f->site, &list), 0);
    assert_int_equal(f->diags.list.n, said);
    assert_int_equal(find_recorded(f, "tiny.arm64"), 0);
    put_program(f, "images/files/arm64/server", 62);
    assert_int_equal(find_recorded(f, "tiny.arm64"), -ENOENT);
    assert_int_equal(find_recorded(f, "tiny"), 0);
    said = (unsigned)f->diags.list.n;
    assert_int_equal(
        builder_select(f->site, (char *[]){"image/tiny", "image/tiny.arm64", NULL}, &f->diags, &again), 0);
    assert_int_equal(builder_build(f->builder, f->site, &again), 0);
    assert_int_equal(f->diags.list.n, said + 1);
    assert_non_null(
        strstr(f->diags.list.items[said].text, "image tiny.arm64: /server is a program for x86_64"));
}

/* What the server goes by: the definition and what lies beside it, and nothing else of the machine. */
static void the_record_goes_by_the_definition(void **state)
{
    struct fixture *f = *state;
    struct artifact_source exact = builder_source(f->builder);
    struct generation_artifact found = {0};
    char outside[] = "/tmp/rambox-outside-XXXXXX";
    close(mkstemp(outside));
    cleanup_free char *with_files = xasprintf("busybox: none\ncompression: none\nfiles:\n"
                                              "  - {path: /a, from: beside}\n  - {path: /b, from: %s}\n"
                                              "  - {path: /c, tree: folder}\n",
                                              outside);
    assert_int_equal(find_recorded(f, "tiny"), -ENOENT);
    build_tiny(f);
    assert_int_equal(find_recorded(f, "tiny"), 0);
    edit(f, "images/tiny.yaml", "# a comment\nbusybox: none\ncompression: none\n");
    assert_int_equal(find_recorded(f, "tiny"), 0);
    put(f, "images/beside", "one\n");
    put(f, "images/folder/deeper/file", "one\n");
    edit(f, "images/tiny.yaml", with_files);
    assert_int_equal(find_recorded(f, "tiny"), -ENOENT);
    build_tiny(f);
    assert_int_equal(find_recorded(f, "tiny"), 0);
    put(f, "images/beside", "another\n");
    assert_int_equal(find_recorded(f, "tiny"), -ENOENT);
    build_tiny(f);
    assert_int_equal(find_recorded(f, "tiny"), 0);
    put(f, "images/folder/deeper/more", "one\n");
    assert_int_equal(find_recorded(f, "tiny"), -ENOENT);
    build_tiny(f);
    /* A file of the machine: a publish by hand says that it changed, the server goes on. */
    assert_int_equal(file_write_atomic(outside, "changed\n", 8, 0600), 0);
    assert_int_equal(exact.find(exact.user, f->site, ARTIFACT_IMAGE, "tiny", &f->diags, &found), -ENOENT);
    assert_int_equal(find_recorded(f, "tiny"), 0);
    assert_int_equal(unlink(outside), 0);
    assert_int_equal(find_recorded(f, "tiny"), 0);
    assert_int_equal(find_recorded(f, "nosuch"), -ENOENT);
}

/* An archive is looked at wherever it lies in the configuration folder, and however it is named. */
static void archives_of_kernels_are_looked_at(void **state)
{
    static const char *const forms[] = {"source: {tarball: %s/kernels/linux.tar}\n",
                                        "source: {tarball: linux.tar}\n",
                                        "source: {distribution: %s/kernels/linux.deb}\nmodules: [e1000e]\n",
                                        "source: {distribution: ../kernels/linux.deb}\nmodules: [e1000e]\n"};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        cleanup_str struct str text = {0};
        struct digest before[2], after[2];
        const char *insert = strstr(forms[i], "%s");
        str_add_n(&text, forms[i], insert ? (size_t)(insert - forms[i]) : strlen(forms[i]));
        str_printf(&text, "%s%s", insert ? f->dir : "", insert ? insert + 2 : "");
        put(f, "kernels/linux.tar", "one");
        put(f, "kernels/linux.deb", "one");
        edit(f, "kernels/plain.yaml", str_text(&text));
        const struct kernel_def *def = site_kernel(f->site, "plain");
        assert_int_equal(kernel_definition_key(def, NULL, &f->env, &before[0]), 0);
        modules_definition_key(&f->env, def, &before[1]);
        put(f, "kernels/linux.tar", "another");
        put(f, "kernels/linux.deb", "another");
        assert_int_equal(kernel_definition_key(def, NULL, &f->env, &after[0]), 0);
        modules_definition_key(&f->env, def, &after[1]);
        assert_false(digest_equal(&before[0], &after[0]));
        assert_true(digest_equal(&before[1], &after[1]) == (i < 2));
    }
}

/* H19: half an artifact of a builder that was killed does not stay for ever; what is being written does. */
static void halves_of_artifacts_go(void **state)
{
    static const char *const stores[] = {"artifacts", "cache/artifacts"};
    struct fixture *f = *state;
    const struct timespec old = {.tv_sec = time(NULL) - 4000};
    for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
        cleanup_free char *left = xasprintf("%s/.new.aaaaaa", stores[i]),
                          *now = xasprintf("%s/.new.bbbbbb", stores[i]);
        cleanup_free char *left_path = xasprintf("%s/%s", f->dir, left),
                          *now_path = xasprintf("%s/%s", f->dir, now);
        put(f, left, "half");
        put(f, now, "half");
        assert_int_equal(utimensat(AT_FDCWD, left_path, (const struct timespec[]){old, old}, 0), 0);
        build_tiny(f);
        assert_false(file_exists(left_path));
        assert_true(file_exists(now_path));
    }
}

/* Edits a file when the image has been written, and before it is recorded. */
struct late_edit {
    struct progress progress;
    const struct fixture *fixture;
    bool done;
};

static void edit_late(struct progress *p, const char *task, uint64_t done, uint64_t total, const char *detail)
{
    struct late_edit *late = (struct late_edit *)p;
    if (!late->done && total && done >= total) {
        put(late->fixture, "images/beside", "edited\n");
        late->done = true;
    }
}

static void say_nothing(struct progress *p, const char *text)
{
}

/* What was edited during a build has not been built. */
static void an_edit_during_the_build_is_not_lost(void **state)
{
    struct fixture *f = *state;
    struct late_edit late = {.progress = {.update = edit_late, .say = say_nothing}, .fixture = f};
    builder_free(f->builder);
    f->env.progress = &late.progress;
    assert_int_equal(builder_new(&f->env, f->dir, &f->builder), 0);
    put(f, "images/beside", "one\n");
    edit(f, "images/tiny.yaml", "busybox: none\ncompression: none\nfiles:\n  - {path: /a, from: beside}\n");
    build_tiny(f);
    assert_true(late.done);
    assert_int_equal(find_recorded(f, "tiny"), -ENOENT);
    build_tiny(f);
    assert_int_equal(find_recorded(f, "tiny"), 0);
}

/* A fragment that overrides another one is a note of the build, not of every look at the record. */
static void looking_says_no_notes(void **state)
{
    struct fixture *f = *state;
    struct artifact_source source = builder_recorded_source(f->builder);
    struct generation_artifact found = {0};
    edit(f, "kernels/plain.config", "# CONFIG_64BIT is not set\n");
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_KERNEL, "plain", &f->diags, &found), -ENOENT);
    assert_int_equal(f->diags.list.n, 1);
    assert_non_null(strstr(f->diags.list.items[0].text, "kernel plain is not built"));
    edit(f, "kernels/plain.config", "64BIT off\n");
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_KERNEL, "plain", &f->diags, &found), -EINVAL);
    assert_non_null(strstr(f->diags.list.items[f->diags.list.n - 1].text, "is no configuration line"));
}

/* Whoever wants the tree of a kernel that has none is told so, and not that a file of that name is missing.
 */
static void a_packaged_kernel_has_no_tree(void **state)
{
    struct fixture *f = *state;
    cleanup_kernel_inputs struct kernel_inputs inputs = {0};
    assert_int_equal(kernel_inputs(site_kernel(f->site, "dist"), &f->env, true, &inputs), -EINVAL);
    assert_int_equal(f->diags.errors, 1);
    assert_string_equal(f->diags.list.items[0].file, "kernels/dist.yaml");
    assert_non_null(strstr(f->diags.list.items[0].text, "kernel dist: it is the distribution's"));
}

/* `..` on the way to a file leads nowhere else, as long as it stays in the configuration folder. */
static void files_above_the_definition_are_looked_at(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *absolute = xasprintf("%s/shared/file", f->dir);
    const char *const ways[] = {"../shared/file", "./../images/../shared//file", "../shared/deeper/../file",
                                "../images/.././shared/file", absolute};
    put(f, "shared/deeper/other", "one\n");
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        cleanup_free char *text =
            xasprintf("busybox: none\ncompression: none\nfiles:\n  - {path: /a, from: %s}\n", ways[i]);
        put(f, "shared/file", "one\n");
        edit(f, "images/tiny.yaml", text);
        build_tiny(f);
        assert_int_equal(find_recorded(f, "tiny"), 0);
        put(f, "shared/file", "another\n");
        assert_int_equal(find_recorded(f, "tiny"), -ENOENT);
    }
    edit(f, "images/tiny.yaml",
         "busybox: none\ncompression: none\nfiles:\n  - {path: /c, tree: ../shared}\n");
    build_tiny(f);
    put(f, "shared/deeper/other", "another\n");
    assert_int_equal(find_recorded(f, "tiny"), -ENOENT);
}

/* What the definition built to last, also when that is what it built to once before. */
static void the_record_is_of_the_last_build(void **state)
{
    struct fixture *f = *state;
    struct artifact_source source = builder_recorded_source(f->builder);
    struct generation_artifact first = {0}, second = {0}, third = {0};
    put(f, "rambox-init", "an init\n");
    build_tiny(f);
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_IMAGE, "tiny", &f->diags, &first), 0);
    put(f, "rambox-init", "a newer init\n");
    build_tiny(f);
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_IMAGE, "tiny", &f->diags, &second), 0);
    put(f, "rambox-init", "an init\n");
    build_tiny(f);
    assert_int_equal(source.find(source.user, f->site, ARTIFACT_IMAGE, "tiny", &f->diags, &third), 0);
    assert_false(digest_equal(&first.digest, &second.digest));
    assert_true(digest_equal(&first.digest, &third.digest));
    free(first.name);
    free(second.name);
    free(third.name);
}

/* The budget of every profile that boots the image counts, also when the image is inside a kernel; and one
 * that fails does not keep the others from being built. */
static void budgets_come_from_profiles(void **state)
{
    struct fixture *f = *state;
    cleanup_build_list struct build_list list = {0};
    assert_int_equal(builder_select(f->site, (char *[]){"inside", "tiny", NULL}, &f->diags, &list), 0);
    assert_int_equal(builder_build(f->builder, f->site, &list), -E2BIG);
    assert_int_equal(list.items.items[0].outcome, -E2BIG);
    assert_int_equal(list.items.items[1].outcome, 0);
    assert_non_null(strstr(f->diags.list.items[0].text, "image inside needs"));
}

static void source_date_epoch_is_obeyed(void **state)
{
    struct fixture *f = *state;
    struct builder *other = NULL;
    struct built one, two;
    cleanup_build_list struct build_list list = {0};
    assert_int_equal(builder_select(f->site, (char *[]){"tiny", NULL}, &f->diags, &list), 0);
    assert_int_equal(builder_build(f->builder, f->site, &list), 0);
    one = list.items.items[0].built;
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    assert_int_equal(builder_new(&f->env, f->dir, &other), 0);
    assert_int_equal(builder_find_image(other, f->site, "tiny", &f->diags, &two), -ENOENT);
    assert_int_equal(builder_build(other, f->site, &list), 0);
    two = list.items.items[0].built;
    assert_false(digest_equal(&one.artifact, &two.artifact));
    builder_free(other);
    other = NULL;
    setenv("SOURCE_DATE_EPOCH", "yesterday", 1);
    assert_int_equal(builder_new(&f->env, f->dir, &other), -EINVAL);
    assert_null(other);
    unsetenv("SOURCE_DATE_EPOCH");
}

int main(void)
{
#define BUILDER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        BUILDER_TEST(what_profiles_use_is_selected_once),
        BUILDER_TEST(names_are_selected),
        BUILDER_TEST(kernels_of_classes_are_selected),
        BUILDER_TEST(only_what_is_built_is_found),
        BUILDER_TEST(budgets_come_from_profiles),
        BUILDER_TEST(source_date_epoch_is_obeyed),
        BUILDER_TEST(the_record_goes_by_the_definition),
        BUILDER_TEST(the_record_is_of_the_last_build),
        BUILDER_TEST(each_architecture_is_selected),
        BUILDER_TEST(each_architecture_is_built),
        BUILDER_TEST(programs_of_each_architecture),
        BUILDER_TEST(files_above_the_definition_are_looked_at),
        BUILDER_TEST(an_edit_during_the_build_is_not_lost),
        BUILDER_TEST(looking_says_no_notes),
        BUILDER_TEST(a_packaged_kernel_has_no_tree),
        BUILDER_TEST(halves_of_artifacts_go),
        BUILDER_TEST(archives_of_kernels_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

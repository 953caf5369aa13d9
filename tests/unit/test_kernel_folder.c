/* kernel/folder.h: build folders, which begin as a copy of another kernel's. */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "kernel/folder.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#define OBJECT_SIZE (200 << 10)

struct place {
    char dir[64];
    char *folder;
    struct diags diags;
    struct build_env env;
    struct fragments fragments;
    struct kernel_folder ours;
};

static void put(const struct place *p, const char *name, const void *data, size_t size)
{
    cleanup_free char *path = xasprintf("%s/work/%s", p->dir, name);
    cleanup_free char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make(parent), 0);
    assert_int_equal(file_write_atomic(path, data, size, 0644), 0);
}

static void put_text(const struct place *p, const char *name, const char *text)
{
    put(p, name, text, strlen(text));
}

static bool has(const struct place *p, const char *name)
{
    cleanup_free char *path = xasprintf("%s/work/%s", p->dir, name);
    return file_exists(path);
}

/* A kernel that was built of the tree `tree`, and a large object in its folder. */
static void put_kernel(const struct place *p, const char *name, const char *asked)
{
    cleanup_free char *object = xcalloc(1, OBJECT_SIZE);
    cleanup_free char *source = xasprintf("%s.source", name), *config = xasprintf("%s/asked.config", name),
                      *vmlinux = xasprintf("%s/vmlinux", name), *large = xasprintf("%s/z.o", name);
    put_text(p, source, "tree");
    put_text(p, config, asked);
    put_text(p, vmlinux, name);
    put(p, large, object, OBJECT_SIZE);
}

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    snprintf(p->dir, sizeof(p->dir), "/tmp/rambox-folder-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->folder = xasprintf("%s/work/kernel-ours", p->dir);
    p->env = (struct build_env){.cache_dir = p->dir, .diags = &p->diags};
    p->ours = (struct kernel_folder){.label = "kernel ours",
                                     .path = p->folder,
                                     .tree = "tree",
                                     .fragments = &p->fragments,
                                     .env = &p->env};
    assert_int_equal(fragments_add_text(&p->fragments, "asked", "CONFIG_A=y\nCONFIG_B=y\n", &p->diags), 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    fragments_free(&p->fragments);
    diags_free(&p->diags);
    free(p->folder);
    assert_int_equal(dir_remove(p->dir), 0);
    free(p);
    return 0;
}

/* Row 6: of those that were built from the same tree, the one that is asked for what is most alike. */
static void the_nearest_is_copied(void **state)
{
    struct place *p = *state;
    put_kernel(p, "kernel-far", "CONFIG_X=y\nCONFIG_Y=y\nCONFIG_Z=y\n");
    put_kernel(p, "kernel-near", "CONFIG_A=y\n");
    put_kernel(p, "kernel-other", "CONFIG_A=y\nCONFIG_B=y\n");
    put_kernel(p, "kernel-near.arm64", "CONFIG_A=y\nCONFIG_B=y\n");
    put_text(p, "kernel-other.source", "another tree");
    assert_int_equal(kernel_folder_prepare(&p->ours), 0);
    cleanup_free char *vmlinux = xasprintf("%s/vmlinux", p->folder), *text = NULL;
    assert_int_equal(file_read(vmlinux, 64, &text, NULL), 0);
    assert_string_equal(text, "kernel-near");
    assert_false(kernel_folder_is_empty(&p->ours));
    put_text(p, "kernel-ours/mark", "");
    assert_int_equal(kernel_folder_prepare(&p->ours), 0);
    assert_true(has(p, "kernel-ours/mark"));
    put_text(p, "kernel-ours.source", "the tree before");
    assert_int_equal(kernel_folder_prepare(&p->ours), 0);
    assert_false(has(p, "kernel-ours/mark"));
    assert_true(has(p, "kernel-ours/z.o"));
}

/* A folder whose lock is held is being changed; whoever was killed while copying begins anew. */
static void what_is_being_built_is_not_copied(void **state)
{
    struct place *p = *state;
    put_kernel(p, "kernel-near", "CONFIG_A=y\n");
    cleanup_close int lock = build_lock(&p->env, "kernel-near");
    assert_true(lock >= 0);
    put_text(p, "kernel-ours/half", "");
    assert_int_equal(kernel_folder_prepare(&p->ours), 0);
    assert_true(kernel_folder_is_empty(&p->ours));
    assert_false(has(p, "kernel-ours/half"));
}

/* Files as on a disk that has no room for the large one: cp leaves half of it. */
static int prepare_without_room(const struct kernel_folder *folder)
{
    struct rlimit before, little;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = (struct rlimit){.rlim_cur = OBJECT_SIZE / 2, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int r = kernel_folder_prepare(folder);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    return r;
}

/* Half a copy is no folder to build in: make would take the objects in it for good. */
static void half_a_copy_is_not_kept(void **state)
{
    struct place *p = *state;
    put_kernel(p, "kernel-near", "CONFIG_A=y\n");
    for (int known = 0; known < 2; known++) {
        if (known)
            put_text(p, "kernel-ours.source", "tree");
        put_text(p, "kernel-ours/a.o", "");
        assert_int_equal(prepare_without_room(&p->ours), 0);
        assert_true(has(p, "kernel-ours"));
        assert_true(has(p, "kernel-ours.source"));
        assert_false(has(p, "kernel-ours/z.o"));
        assert_true(kernel_folder_is_empty(&p->ours));
    }
    assert_int_equal(p->diags.errors, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_nearest_is_copied),
        TEST(what_is_being_built_is_not_copied),
        TEST(half_a_copy_is_not_kept),
    };
    return cmocka_run_group_tests_name("kernel_folder", tests, NULL, NULL);
}

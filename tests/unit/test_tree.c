/* image/tree.h and image/folder.h: what may be in an image, and what is refused rather than skipped by the
 * kernel (the row Images of the hostile input). */
#include "test.h"

#include "base/file.h"
#include "image/folder.h"
#include "image/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static const struct tree_attr plain = {.mode = 0644};

/* The text of the first diagnostic, which must be there. */
static const char *first(const struct diags *d)
{
    assert_true(d->list.n > 0);
    return d->list.items[0].text;
}

static void paths_are_normalised(void **state)
{
    static const struct {
        const char *given, *expected;
    } rows[] = {
        {"/", "/"},           {"//", "/"},         {"/etc/", "/etc"}, {"//etc//passwd", "/etc/passwd"},
        {"/./etc/.", "/etc"}, {"/a/./b/", "/a/b"}, {"/...", "/..."},  {"/a..b", "/a..b"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cleanup_free char *path = NULL;
        const char *why = NULL;
        assert_int_equal(tree_path(rows[i].given, strlen(rows[i].given), &path, &why), 0);
        assert_string_equal(path, rows[i].expected);
    }
}

static void assert_path_refused(const char *path, size_t n, const char *word)
{
    char *result = NULL;
    const char *why = NULL;
    assert_int_equal(tree_path(path, n, &result, &why), -EINVAL);
    assert_null(result);
    assert_non_null(strstr(why, word));
}

static void hostile_paths_are_refused(void **state)
{
    char longest[PATH_MAX + 1], part[NAME_MAX + 3];
    (void)state;
    assert_path_refused("", 0, "empty");
    assert_path_refused("etc/passwd", 10, "absolute");
    assert_path_refused("..", 2, "absolute");
    assert_path_refused("/..", 3, "..");
    assert_path_refused("/etc/../../x", 12, "..");
    assert_path_refused("/etc/..", 7, "..");
    assert_path_refused("/etc\0/x", 7, "NUL");
    assert_path_refused("/TRAILER!!!", 11, "ends a cpio archive");
    memset(part, 'n', sizeof(part));
    part[0] = '/';
    assert_path_refused(part, NAME_MAX + 2, "255");
    for (size_t i = 0; i < PATH_MAX; i++)
        longest[i] = i % 200 ? 'p' : '/';
    assert_path_refused(longest, PATH_MAX, "4095");
    cleanup_free char *path = NULL;
    const char *why;
    assert_int_equal(tree_path(longest, PATH_MAX - 1, &path, &why), 0);
    assert_int_equal(strlen(path), PATH_MAX - 1);
}

static void parents_are_made(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = tree_new(&d);
    (void)state;
    assert_int_equal(tree_data(t, "/usr/share/x/y", "z", 1, &plain, NULL), 0);
    const struct tree_entry *parent = tree_find(t, "/usr/share");
    assert_non_null(parent);
    assert_true(parent->implied);
    assert_int_equal(parent->inode->mode, S_IFDIR | 0755);
    assert_int_equal(parent->children, 1);
    assert_int_equal(tree_dir(t, "/usr/share", &(struct tree_attr){.mode = 0500, .uid = 7}, NULL), 0);
    assert_int_equal(parent->inode->mode, S_IFDIR | 0500);
    assert_false(parent->implied);
    assert_int_equal(t->entries.n, 5);
}

static void later_names_replace_earlier_ones(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = tree_new(&d);
    (void)state;
    assert_int_equal(tree_data(t, "/etc/hosts", "one", 3, &plain, NULL), 0);
    assert_int_equal(tree_hardlink(t, "/etc/hosts2", "/etc/hosts", NULL), 0);
    assert_int_equal(tree_data(t, "/etc//hosts", "second", 6, &plain, NULL), 0);
    assert_int_equal(tree_find(t, "/etc/hosts")->inode->size, 6);
    assert_int_equal(tree_find(t, "/etc/hosts2")->inode->size, 3);
    assert_int_equal(tree_find(t, "/etc/hosts2")->inode->links, 1);
    assert_int_equal(tree_symlink(t, "/etc/hosts", "hosts2", &plain, NULL), 0);
    assert_int_equal(tree_find(t, "/etc")->children, 2);
    assert_int_equal(tree_dir(t, "/mnt", &plain, NULL), 0);
    assert_int_equal(tree_symlink(t, "/mnt", "run", &plain, NULL), 0);
}

static void unsafe_places_are_refused(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = tree_new(&d);
    const struct pos pos = {"images/x.yaml", 3, 5};
    (void)state;
    assert_int_equal(tree_symlink(t, "/var/run", "../run", &plain, NULL), 0);
    assert_int_equal(tree_data(t, "/etc/f", "", 0, &plain, NULL), 0);
    assert_int_equal(d.errors, 0);
    assert_int_equal(tree_data(t, "/var/run/x", "", 0, &plain, &pos), -EINVAL);
    assert_non_null(strstr(first(&d), "symbolic link to \"../run\""));
    assert_string_equal(d.list.items[0].file, "images/x.yaml");
    assert_int_equal(tree_data(t, "/var/run/x/y", "", 0, &plain, NULL), -EINVAL);
    assert_int_equal(tree_hardlink(t, "/etc/g", "/var/run/x", NULL), -EINVAL);
    assert_int_equal(tree_data(t, "/etc/f/g", "", 0, &plain, NULL), -EINVAL);
    assert_int_equal(tree_data(t, "/etc", "", 0, &plain, NULL), -EINVAL);
    assert_int_equal(tree_data(t, "/", "", 0, &plain, NULL), -EINVAL);
    assert_int_equal(tree_symlink(t, "/", "x", &plain, NULL), -EINVAL);
    assert_int_equal(tree_hardlink(t, "/h", "/nowhere", NULL), -EINVAL);
    assert_int_equal(tree_hardlink(t, "/h", "/etc", NULL), -EINVAL);
    assert_int_equal(tree_symlink(t, "/l", "", &plain, NULL), -EINVAL);
    cleanup_free char *target = xmalloc(PATH_MAX + 1);
    memset(target, 't', PATH_MAX);
    target[PATH_MAX] = '\0';
    assert_int_equal(tree_symlink(t, "/l", target, &plain, NULL), -EINVAL);
    assert_int_equal(tree_node(t, "/d", S_IFCHR, 4096, 0, &plain, NULL), -EINVAL);
    assert_int_equal(tree_node(t, "/d", S_IFCHR, 0, 1 << 20, &plain, NULL), -EINVAL);
    assert_int_equal(tree_node(t, "/d", S_IFBLK, 4095, (1 << 20) - 1, &plain, NULL), 0);
    assert_null(tree_find(t, "/l"));
    assert_int_equal(d.errors, 13);
}

static void files_of_4_gib_are_refused(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = tree_new(&d);
    char path[] = "/tmp/rambox-tree-XXXXXX";
    cleanup_close int fd = mkostemp(path, O_CLOEXEC);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)1 << 32), 0);
    assert_int_equal(tree_file(t, "/big", path, &plain, NULL), -EINVAL);
    assert_non_null(strstr(first(&d), "4 GiB"));
    assert_null(tree_find(t, "/big"));
    unlink(path);
    assert_int_equal(tree_file(t, "/gone", path, &plain, NULL), -ENOENT);
    assert_int_equal(tree_file(t, "/dir", "/tmp", &plain, NULL), -EINVAL);
}

static void one_digest_for_one_tree(void **state)
{
    cleanup_diags struct diags d = {0};
    struct digest digests[4];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
        CLEANUP(tree_free) struct tree *t = tree_new(&d);
        struct hash hash;
        if (i == 1) /* another order */
            assert_int_equal(tree_data(t, "/b", "2", 1, &plain, NULL), 0);
        assert_int_equal(tree_data(t, "/a", "1", 1, &plain, NULL), 0);
        if (i != 1)
            assert_int_equal(tree_data(t, "/b", i == 2 ? "3" : "2", 1, &plain, NULL), 0);
        if (i == 3)
            assert_int_equal(tree_dir(t, "/", &(struct tree_attr){.mode = 0711}, NULL), 0);
        hash_init(&hash);
        tree_hash(t, &hash);
        hash_end(&hash, &digests[i]);
    }
    assert_true(digest_equal(&digests[0], &digests[1]));
    assert_false(digest_equal(&digests[0], &digests[2]));
    assert_false(digest_equal(&digests[0], &digests[3]));
}

static void entries_are_sorted_with_parents_first(void **state)
{
    static const char *const names[] = {"/a-b", "/a/c", "/a", "/B", "/a/b/c", "/z"};
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = tree_new(&d);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(tree_dir(t, names[i], &plain, NULL), 0);
    tree_sort(t);
    assert_int_equal(t->entries.n, 8);
    for (size_t i = 1; i < t->entries.n; i++) {
        const char *path = t->entries.items[i]->path;
        assert_true(strcmp(t->entries.items[i - 1]->path, path) < 0);
        assert_int_equal(t->entries.items[i]->inode->number, i + 1);
        const char *slash = strrchr(path, '/');
        cleanup_free char *parent = xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
        bool before = false;
        for (size_t k = 0; k < i; k++)
            before = before || str_eq(t->entries.items[k]->path, parent);
        assert_true(before);
    }
}

static bool names_it(void *user, const char *path)
{
    return str_eq(path, user);
}

static void put_text(const char *path, const char *text, mode_t mode)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void folders_are_copied(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = tree_new(&d);
    char dir[] = "/tmp/rambox-tree-XXXXXX", path[128];
    struct folder_copy copy = {.tree = t, .uid = 3, .gid = 4};
    (void)state;
    assert_non_null(mkdtemp(dir));
#define IN(name) (snprintf(path, sizeof(path), "%s/%s", dir, name), path)
    assert_int_equal(mkdir(IN("bin"), 0700), 0);
    assert_int_equal(mkdir(IN("new"), 0751), 0);
    assert_int_equal(chmod(path, 0751), 0);
    put_text(IN("bin/tool"), "tool", 0755);
    cleanup_free char *tool = xstrdup(path);
    assert_int_equal(link(tool, IN("bin/other")), 0);
    put_text(IN(".hidden"), "", 0640);
    assert_int_equal(symlink("../x", IN("new/link")), 0);
    assert_int_equal(tree_dir(t, "/bin", &(struct tree_attr){.mode = 0555}, NULL), 0);
    assert_int_equal(folder_copy(&copy, dir, "/"), 0);
    assert_int_equal(tree_find(t, "/bin")->inode->mode, S_IFDIR | 0555); /* H12 stays */
    assert_int_equal(tree_find(t, "/new")->inode->mode, S_IFDIR | 0751);
    assert_int_equal(tree_find(t, "/.hidden")->inode->mode, S_IFREG | 0640);
    assert_int_equal(tree_find(t, "/.hidden")->inode->uid, 3);
    assert_int_equal(tree_find(t, "/.hidden")->inode->gid, 4);
    assert_string_equal(tree_find(t, "/new/link")->inode->target, "../x");
    assert_ptr_equal(tree_find(t, "/bin/tool")->inode, tree_find(t, "/bin/other")->inode);
    assert_int_equal(tree_find(t, "/bin/tool")->inode->links, 2);

    /* Policy: setuid, devices and sockets only by an entry of their own. */
    put_text(IN("bin/su"), "su", 0755);
    assert_int_equal(chmod(path, 04755), 0);
    assert_int_equal(folder_copy(&copy, dir, "/"), -EINVAL);
    assert_non_null(strstr(first(&d), "setuid"));
    assert_null(tree_find(t, "/bin/su"));
    copy.is_named = names_it;
    copy.user = (void *)(uintptr_t) "/bin/su";
    assert_int_equal(folder_copy(&copy, dir, "/"), 0);
    assert_null(tree_find(t, "/bin/su"));
    cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", dir);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(folder_copy(&copy, dir, "/"), -EINVAL);
#undef IN
    assert_int_equal(dir_remove(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_normalised),      cmocka_unit_test(hostile_paths_are_refused),
        cmocka_unit_test(parents_are_made),          cmocka_unit_test(later_names_replace_earlier_ones),
        cmocka_unit_test(unsafe_places_are_refused), cmocka_unit_test(files_of_4_gib_are_refused),
        cmocka_unit_test(one_digest_for_one_tree),   cmocka_unit_test(entries_are_sorted_with_parents_first),
        cmocka_unit_test(folders_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

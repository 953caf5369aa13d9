/* src/build/artifact: files under their SHA-256, whole or not there, and the record of builds (H19). */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "build/artifact.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char *dir, *store, *cache;
};

static int setup(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    p->dir = xstrdup("/tmp/test-artifact.XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    p->store = xasprintf("%s/store/below", p->dir);
    p->cache = xasprintf("%s/cache", p->dir);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    dir_remove(p->dir);
    free(p->dir);
    free(p->store);
    free(p->cache);
    free(p);
    return 0;
}

static unsigned names_in(const char *folder)
{
    unsigned n = 0;
    CLEANUP(closedir) DIR *dir = opendir(folder);
    while (dir && readdir(dir))
        n++;
    return n - 2; /* . and .. */
}

static void test_put_names_by_content(void **state)
{
    struct place *p = *state;
    cleanup_diags struct diags diags = {0};
    struct digest a, b;
    char hex[DIGEST_TEXT_MAX];
    cleanup_free char *file = xasprintf("%s/file", p->dir);
    assert_int_equal(artifact_put_data(p->store, "abc", 3, &diags, &a), 0);
    assert_string_equal(digest_format(&a, hex),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(artifact_has(p->store, &a));
    /* The same bytes from a file are the same artifact, and leave nothing else behind. */
    assert_int_equal(file_write_atomic(file, "abc", 3, 0600), 0);
    assert_int_equal(artifact_put_file(p->store, file, &diags, &b), 0);
    assert_true(digest_equal(&a, &b));
    assert_int_equal(names_in(p->store), 1);
    cleanup_free char *path = artifact_path(p->store, &a);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644); /* servers of another user read it */
    assert_int_equal(artifact_put_data(p->store, NULL, 0, &diags, &b), 0);
    assert_int_equal(names_in(p->store), 2);
    assert_int_equal(diags.errors, 0);
}

static void test_large_file_is_whole(void **state)
{
    struct place *p = *state;
    cleanup_diags struct diags diags = {0};
    cleanup_free char *data = xmalloc(300001);
    cleanup_free char *file = xasprintf("%s/file", p->dir);
    struct digest put, read;
    for (size_t i = 0; i < 300001; i++)
        data[i] = (char)(i * 31 / 7);
    assert_int_equal(file_write_atomic(file, data, 300001, 0644), 0);
    assert_int_equal(artifact_put_file(p->store, file, &diags, &put), 0);
    cleanup_free char *path = artifact_path(p->store, &put);
    assert_int_equal(hash_file(path, &read), 0);
    assert_true(digest_equal(&put, &read));
}

static void test_full_disk_leaves_the_old(void **state)
{
    struct place *p = *state;
    cleanup_diags struct diags diags = {0};
    struct digest old, new = {0};
    struct rlimit before, small = {.rlim_cur = 65536};
    cleanup_free char *data = xcalloc(1, 200000);
    assert_int_equal(artifact_put_data(p->store, "old", 3, &diags, &old), 0);
    /* A limit on file sizes stands for a disk without room: the write fails half way. */
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int r = artifact_put_data(p->store, data, 200000, &diags, &new);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(r, -EFBIG);
    assert_int_equal(diags.errors, 1);
    assert_non_null(strstr(diags.list.items[0].text, p->store));
    assert_true(artifact_has(p->store, &old));
    assert_int_equal(names_in(p->store), 1); /* nothing of the attempt is left */
    assert_int_equal(new.b[0], 0);
}

static void test_missing_file_is_said(void **state)
{
    struct place *p = *state;
    cleanup_diags struct diags diags = {0};
    struct digest d;
    assert_int_equal(artifact_put_file(p->store, "/nowhere/at/all", &diags, &d), -ENOENT);
    assert_non_null(strstr(diags.list.items[0].text, "/nowhere/at/all"));
}

static void test_record_finds_the_build(void **state)
{
    struct place *p = *state;
    cleanup_diags struct diags diags = {0};
    struct digest key = {{1}}, other = {{2}};
    struct built put = {.seconds = 97, .steps = 1446, .name = "kernel smallest"}, got = {0};
    assert_int_equal(artifact_put_data(p->store, "bzImage", 7, &diags, &put.artifact), 0);
    assert_int_equal(built_get(p->cache, p->store, &key, &got), -ENOENT);
    assert_int_equal(built_put(p->cache, p->store, &key, &put), 0);
    assert_int_equal(built_get(p->cache, p->store, &other, &got), -ENOENT);
    assert_int_equal(built_get(p->cache, p->store, &key, &got), 0);
    assert_true(digest_equal(&got.artifact, &put.artifact));
    assert_int_equal(got.size, 7);
    assert_int_equal(got.seconds, 97);
    assert_int_equal(got.steps, 1446);
    assert_string_equal(got.name, "kernel smallest");
}

static void test_another_store_gets_the_copy(void **state)
{
    struct place *p = *state;
    cleanup_diags struct diags diags = {0};
    struct digest key = {{1}};
    struct built put = {.name = "x"}, got;
    assert_int_equal(artifact_put_data(p->store, "x", 1, &diags, &put.artifact), 0);
    assert_int_equal(built_put(p->cache, p->store, &key, &put), 0);
    cleanup_free char *other = xasprintf("%s/other", p->store);
    assert_int_equal(built_get(p->cache, other, &key, &got), 0);
    assert_true(artifact_has(other, &put.artifact));
}

static void test_record_without_artifact_is_no_build(void **state)
{
    struct place *p = *state;
    cleanup_diags struct diags diags = {0};
    struct digest key = {{1}};
    struct built put = {.name = "x"}, got;
    assert_int_equal(artifact_put_data(p->store, "x", 1, &diags, &put.artifact), 0);
    assert_int_equal(built_put(p->cache, p->store, &key, &put), 0);
    cleanup_free char *path = artifact_path(p->store, &put.artifact);
    cleanup_free char *copies = xasprintf("%s/artifacts", p->cache);
    cleanup_free char *copy = artifact_path(copies, &put.artifact);
    assert_int_equal(unlink(path), 0);
    /* A copy that was damaged since is no artifact either. */
    assert_int_equal(file_write_atomic(copy, "y", 1, 0644), 0);
    assert_int_equal(built_get(p->cache, p->store, &key, &got), -ENOENT);
    assert_int_equal(unlink(copy), 0);
    assert_int_equal(built_get(p->cache, p->store, &key, &got), -ENOENT);
}

static void test_damaged_record_is_no_build(void **state)
{
    struct place *p = *state;
    static const char *const texts[] = {"", "artifact\n", "artifact 12\n", "seconds 99999999999\n",
                                        "name x\n"};
    struct digest key = {{1}};
    struct built got;
    char hex[DIGEST_TEXT_MAX];
    cleanup_free char *folder = xasprintf("%s/built", p->cache);
    cleanup_free char *path = xasprintf("%s/%s", folder, digest_format(&key, hex));
    assert_int_equal(dir_make(folder), 0);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_int_equal(file_write_atomic(path, texts[i], strlen(texts[i]), 0644), 0);
        assert_int_equal(built_get(p->cache, p->store, &key, &got), -ENOENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_names_by_content, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_file_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk_leaves_the_old, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_file_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_finds_the_build, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_store_gets_the_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_record_without_artifact_is_no_build, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_record_is_no_build, setup, teardown),
    };
    return cmocka_run_group_tests_name("artifact", tests, NULL, NULL);
}

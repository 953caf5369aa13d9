/* image/cpio.h: the newc writer byte for byte, and the strict reader (the row Images of the hostile input).
 * What other programs and the kernel make of the archives is tests/boot/cpio. */
#include "test.h"

#include "base/file.h"
#include "image/cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static const struct tree_attr plain = {.mode = 0644};

static struct memory_sink write_tree(struct tree *t, uint32_t mtime)
{
    struct memory_sink out = memory_sink_of(64 << 20);
    assert_int_equal(cpio_write(t, mtime, &out.sink), 0);
    assert_int_equal(out.bytes.len, cpio_size(t));
    assert_int_equal(out.bytes.len % CPIO_BLOCK, 0);
    return out;
}

/* A tree with one of everything. */
static struct tree *sample(struct diags *d)
{
    struct tree *t = tree_new(d);
    assert_int_equal(tree_dir(t, "/tmp", &(struct tree_attr){.mode = 01777}, NULL), 0);
    assert_int_equal(tree_data(t, "/etc/motd", "hello\n", 6, &plain, NULL), 0);
    assert_int_equal(
        tree_data(t, "/etc/empty", "", 0, &(struct tree_attr){.mode = 04755, .uid = 1, .gid = 2}, NULL), 0);
    assert_int_equal(tree_hardlink(t, "/a", "/etc/motd", NULL), 0);
    assert_int_equal(tree_hardlink(t, "/z", "/etc/motd", NULL), 0);
    assert_int_equal(tree_hardlink(t, "/etc/empty2", "/etc/empty", NULL), 0);
    assert_int_equal(tree_symlink(t, "/var/run", "../run", &plain, NULL), 0);
    assert_int_equal(tree_node(t, "/dev/console", S_IFCHR, 5, 1, &(struct tree_attr){.mode = 0600}, NULL), 0);
    assert_int_equal(
        tree_node(t, "/dev/sda1", S_IFBLK, 8, 1, &(struct tree_attr){.mode = 0660, .gid = 6}, NULL), 0);
    assert_int_equal(tree_node(t, "/run/fifo", S_IFIFO, 0, 0, &plain, NULL), 0);
    return t;
}

static void the_bytes_are_newc(void **state)
{
    static const char expected[] = "070701"
                                   "00000001"
                                   "000041ED"
                                   "00000000"
                                   "00000000"
                                   "00000002"
                                   "00000007"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000002"
                                   "00000000"
                                   ".\0"
                                   "070701"
                                   "00000002"
                                   "000081A4"
                                   "00000000"
                                   "00000000"
                                   "00000001"
                                   "00000007"
                                   "00000005"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000003"
                                   "00000000"
                                   "fi\0\0\0\0" /* 110 + 3, to 116 */
                                   "12345\0\0\0"
                                   "070701"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000001"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "00000000"
                                   "0000000B"
                                   "00000000"
                                   "TRAILER!!!";
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = tree_new(&d);
    (void)state;
    assert_int_equal(tree_data(t, "/fi", "12345", 5, &plain, NULL), 0);
    struct memory_sink out = write_tree(t, 7);
    assert_int_equal(out.bytes.len, 512);
    assert_memory_equal(out.bytes.s, expected, sizeof(expected));
    for (size_t i = sizeof(expected); i < 512; i++)
        assert_int_equal(out.bytes.s[i], 0);
    str_free(&out.bytes);
}

/* H18: who writes it, when and from what does not show. */
static void the_same_tree_gives_the_same_bytes(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *a = sample(&d);
    CLEANUP(tree_free) struct tree *b = sample(&d);
    char path[] = "/tmp/rambox-cpio-XXXXXX";
    cleanup_close int fd = mkostemp(path, O_CLOEXEC);
    (void)state;
    assert_int_equal(write_all(fd, "from memory or a file\n", 22), 0);
    assert_int_equal(tree_data(a, "/x", "from memory or a file\n", 22, &plain, NULL), 0);
    assert_int_equal(tree_file(b, "/x", path, &plain, NULL), 0);
    struct memory_sink x = write_tree(a, 0), y = write_tree(b, 0);
    assert_int_equal(x.bytes.len, y.bytes.len);
    assert_memory_equal(x.bytes.s, y.bytes.s, x.bytes.len);
    str_free(&x.bytes);
    str_free(&y.bytes);
    unlink(path);
}

static void a_source_that_changes_is_an_error(void **state)
{
    static const char *const later[] = {"chang", "shorter than it", "", "much longer than it was before"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
        cleanup_diags struct diags d = {0};
        CLEANUP(tree_free) struct tree *t = tree_new(&d);
        char path[] = "/tmp/rambox-cpio-XXXXXX";
        cleanup_close int fd = mkostemp(path, O_CLOEXEC);
        assert_int_equal(write_all(fd, "first", 5), 0);
        assert_int_equal(tree_file(t, "/x", path, &plain, NULL), 0);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, later[i], strlen(later[i]), 0), strlen(later[i]));
        struct memory_sink out = memory_sink_of(1 << 20);
        assert_int_equal(cpio_write(t, 0, &out.sink), -ESTALE);
        assert_int_equal(d.errors, 1);
        str_free(&out.bytes);
        unlink(path);
    }
}

static void a_full_sink_ends_the_archive(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = sample(&d);
    (void)state;
    for (size_t limit = 0; limit < cpio_size(t); limit += 97) {
        struct memory_sink out = memory_sink_of(limit);
        assert_int_equal(cpio_write(t, 0, &out.sink), -EFBIG);
        str_free(&out.bytes);
    }
    assert_int_equal(d.errors, 0);
}

static void what_is_written_reads_back(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = sample(&d);
    CLEANUP(tree_free) struct tree *back = NULL;
    cleanup_str struct str before = {0}, after = {0};
    (void)state;
    struct memory_sink out = write_tree(t, 0);
    assert_int_equal(cpio_read(out.bytes.s, out.bytes.len, &d, &back), 0);
    tree_manifest(t, &before);
    tree_manifest(back, &after);
    assert_string_equal(str_text(&after), str_text(&before));
    assert_non_null(strstr(str_text(&before), "/a f 0644 0 0 3 6 "));
    assert_ptr_equal(tree_find(back, "/a")->inode, tree_find(back, "/z")->inode);
    struct memory_sink again = write_tree(back, 0);
    assert_int_equal(again.bytes.len, out.bytes.len);
    assert_memory_equal(again.bytes.s, out.bytes.s, out.bytes.len);
    str_free(&out.bytes);
    str_free(&again.bytes);
}

/* One entry, as hostile as its numbers say. */
struct raw {
    const char *name;
    unsigned mode, links, size;
    const char *content;
    const char *fields; /* instead of the header's 104 digits */
    unsigned name_size; /* 0: as it is */
};

static void add_raw(struct str *archive, const struct raw *raw)
{
    size_t n = raw->name_size ? raw->name_size : strlen(raw->name) + 1;
    if (raw->fields)
        str_add(archive, raw->fields);
    else
        str_printf(archive, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 9U, raw->mode, 0U,
                   0U, raw->links, 0U, raw->size, 0U, 0U, 0U, 0U, (unsigned)n, 0U);
    str_add_n(archive, raw->name, strlen(raw->name) + 1);
    while (archive->len % 4)
        str_add_n(archive, "", 1);
    if (raw->content)
        str_add_n(archive, raw->content, strlen(raw->content));
    while (archive->len % 4)
        str_add_n(archive, "", 1);
}

enum { FILE_MODE = S_IFREG | 0644, DIR_MODE = S_IFDIR | 0755, LINK_MODE = S_IFLNK | 0777 };
#define TRAILER                                                                                              \
    {                                                                                                        \
        "TRAILER!!!", 0, 1, 0, NULL, NULL, 0                                                                 \
    }
#define ZEROS "00000000"

static void hostile_archives_are_refused(void **state)
{
    static const struct {
        struct raw entries[4];
        const char *why;
    } rows[] = {
        {{{"f", FILE_MODE, 1, 0, NULL,
           "070702" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS, 0}},
         "magic"},
        {{{"f", FILE_MODE, 1, 0, NULL,
           "070707" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS, 0}},
         "magic"},
        {{{"f", FILE_MODE, 1, 0, NULL,
           "070701" ZEROS "+00081A4" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS "00000002" ZEROS,
           0}},
         "hexadecimal"},
        {{{"", FILE_MODE, 1, 0, NULL, NULL, 0}, TRAILER}, "empty or absolute"},
        {{{"f", FILE_MODE, 1, 0, NULL,
           "070701" ZEROS "000081A4" ZEROS ZEROS "00000001" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS,
           0}},
         "not even the NUL"},
        {{{"f", FILE_MODE, 1, 0, NULL, NULL, 0xffffffff}, TRAILER}, "PATH_MAX"},
        {{{"f", FILE_MODE, 1, 0, NULL, NULL, PATH_MAX + 1}, TRAILER}, "PATH_MAX"},
        {{{"f", FILE_MODE, 1, 0, NULL, NULL, PATH_MAX}, TRAILER}, "past the end"},
        {{{"ff", FILE_MODE, 1, 0, NULL, NULL, 2}, TRAILER}, "only NUL"},
        {{{"f", FILE_MODE, 1, 0, NULL, NULL, 6}, TRAILER}, "only NUL"},
        {{{"f", FILE_MODE, 1, 0xffffffff, "x", NULL, 0}, TRAILER}, "past the end"},
        {{{"f", FILE_MODE, 1, 1, "x", NULL, 0}}, "without TRAILER"},
        {{{"/f", FILE_MODE, 1, 0, NULL, NULL, 0}, TRAILER}, "absolute"},
        {{{"../f", FILE_MODE, 1, 0, NULL, NULL, 0}, TRAILER}, ".."},
        {{{"d", DIR_MODE, 2, 0, NULL, NULL, 0}, {"d/../f", FILE_MODE, 1, 0, NULL, NULL, 0}, TRAILER}, ".."},
        {{{"d/f", FILE_MODE, 1, 0, NULL, NULL, 0}, TRAILER}, "folder does not stand before"},
        {{{"f", FILE_MODE, 1, 0, NULL, NULL, 0}, {"./f", FILE_MODE, 1, 0, NULL, NULL, 0}, TRAILER}, "twice"},
        {{{"l", LINK_MODE, 1, 1, "/", NULL, 0}, {"l/f", FILE_MODE, 1, 0, NULL, NULL, 0}, TRAILER},
         "symbolic link"},
        {{{"l", LINK_MODE, 1, 0, NULL, NULL, 0}, TRAILER}, "target is empty"},
        {{{"d", DIR_MODE, 2, 4, "data", NULL, 0}, TRAILER}, "no file"},
        {{{"s", S_IFSOCK | 0600, 1, 0, NULL, NULL, 0}, TRAILER}, "type"},
        {{{"f", FILE_MODE, 2, 1, "x", NULL, 0}, {"g", FILE_MODE, 2, 1, "y", NULL, 0}, TRAILER}, "content"},
        {{{"f", FILE_MODE, 2, 1, "x", NULL, 0}, {"g", S_IFREG | 04755, 2, 0, NULL, NULL, 0}, TRAILER},
         "differ"},
        {{{"TRAILER!!!", 0, 1, 4, "more", NULL, 0}}, "trailer has content"},
        {{TRAILER, {"f", FILE_MODE, 1, 0, NULL, NULL, 0}}, "behind the trailer"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        cleanup_str struct str archive = {0};
        cleanup_diags struct diags d = {0};
        struct tree *t = NULL;
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].entries) && rows[i].entries[k].name; k++)
            add_raw(&archive, &rows[i].entries[k]);
        assert_int_equal(cpio_read(archive.s, archive.len, &d, &t), -EBADMSG);
        assert_null(t);
        if (d.errors != 1 || !strstr(d.list.items[0].text, rows[i].why))
            fail_msg("row %zu: expected \"%s\", got \"%s\"", i, rows[i].why, d.list.items[0].text);
    }
}

/* Every cut and every changed byte is refused or gives a tree; the sanitizers look on. */
static void damaged_archives_do_no_harm(void **state)
{
    cleanup_diags struct diags d = {0};
    CLEANUP(tree_free) struct tree *t = sample(&d);
    (void)state;
    struct memory_sink out = write_tree(t, 0);
    size_t trailer = out.bytes.len;
    while (memcmp(out.bytes.s + trailer - 10, "TRAILER!!!", 10) != 0)
        trailer--;
    for (size_t n = 0; n < trailer; n++) {
        cleanup_diags struct diags quiet = {0};
        cleanup_free char *cut = xmalloc(n); /* so that a read past the end is seen */
        memcpy(cut, out.bytes.s, n);
        CLEANUP(tree_free) struct tree *back = NULL;
        assert_int_equal(cpio_read(cut, n, &quiet, &back), -EBADMSG);
    }
    for (size_t i = 0; i < out.bytes.len; i++) {
        cleanup_diags struct diags quiet = {0};
        CLEANUP(tree_free) struct tree *back = NULL;
        out.bytes.s[i] ^= 0x11;
        int r = cpio_read(out.bytes.s, out.bytes.len, &quiet, &back);
        assert_true(r == 0 || (r == -EBADMSG && quiet.errors));
        out.bytes.s[i] ^= 0x11;
    }
    str_free(&out.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_newc),
        cmocka_unit_test(the_same_tree_gives_the_same_bytes),
        cmocka_unit_test(a_source_that_changes_is_an_error),
        cmocka_unit_test(a_full_sink_ends_the_archive),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(hostile_archives_are_refused),
        cmocka_unit_test(damaged_archives_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

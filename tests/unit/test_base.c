/* src/base: cursors, strings, numbers, addresses, files, processes, hashes, ranges, diagnostics. */
#include "test.h"

#include "base/addr.h"
#include "base/bytes.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/process.h"
#include "base/range.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char *temp_dir(void)
{
    char *path = xstrdup("/tmp/test-base.XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void test_reader_stays_within(void **state)
{
    const uint8_t bytes[] = {0x12, 0x34, 0x56, 0x78, 0x9a, 'h', 'i', 0};
    struct reader r = reader_of(bytes, sizeof(bytes));
    assert_int_equal(reader_u32(&r), 0x12345678);
    assert_int_equal(reader_u8(&r), 0x9a);
    struct reader copy = r;
    assert_string_equal(reader_cstr(&r), "hi");
    assert_int_equal(r.left, 0);
    assert_false(r.failed);
    assert_int_equal(reader_u16(&r), 0);
    assert_true(r.failed);
    struct reader sub = reader_sub(&copy, 2);
    assert_null(reader_cstr(&sub)); /* no NUL within the two bytes */
    assert_true(sub.failed);
    assert_true(reader_sub(&copy, 2).failed); /* one byte is left */
    assert_null(reader_take(&copy, SIZE_MAX));
}

static void test_writer_stays_within(void **state)
{
    uint8_t bytes[7];
    struct writer w = writer_of(bytes, sizeof(bytes));
    writer_u16(&w, 0x0102);
    writer_u32(&w, 0x03040506);
    assert_memory_equal(bytes, "\1\2\3\4\5\6", 6);
    assert_int_equal(writer_left(&w), 1);
    writer_cstr(&w, "x");
    assert_true(w.failed);
    assert_int_equal(w.used, 6);
    writer_u8(&w, 7); /* it would fit, but the writer has failed */
    assert_int_equal(w.used, 6);
}

static void test_numbers_are_strict(void **state)
{
    uint64_t v = 99;
    assert_int_equal(parse_u64("0", 0, 10, &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(parse_u64("18446744073709551615", 0, UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    v = 99;
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "12abc", "1.0"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(parse_u64(bad[i], 0, 100, &v), -EINVAL);
    assert_int_equal(parse_u64("101", 0, 100, &v), -ERANGE);
    assert_int_equal(parse_u64("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
    assert_int_equal(parse_u64("99999999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
    assert_int_equal(v, 99);
}

static void test_sizes_and_spans(void **state)
{
    static const struct {
        const char *text;
        int r;
        uint64_t value;
    } sizes[] = {
        {"512", 0, 512},
        {"64K", 0, 65536},
        {"1.5M", 0, 1572864},
        {"24MiB", 0, 25165824},
        {"2g", 0, 2147483648},
        {"", -EINVAL, 0},
        {"M", -EINVAL, 0},
        {"1.", -EINVAL, 0},
        {"1 M", -EINVAL, 0},
        {"-1M", -EINVAL, 0},
        {"1T", -EINVAL, 0},
        {"1.2345M", -EINVAL, 0},
        {"99999999999999999999", -ERANGE, 0},
        {"18446744073709551G", -ERANGE, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint64_t v = 0;
        assert_int_equal(parse_size(sizes[i].text, &v), sizes[i].r);
        assert_true(v == sizes[i].value);
    }
    static const struct {
        const char *text;
        int r;
        uint32_t value;
    } spans[] = {
        {"90", 0, 90},
        {"90s", 0, 90},
        {"5m", 0, 300},
        {"12h", 0, 43200},
        {"1d", 0, 86400},
        {"", -EINVAL, 0},
        {"d", -EINVAL, 0},
        {"1y", -EINVAL, 0},
        {"1.5h", -EINVAL, 0},
        {"4294967295", 0, UINT32_MAX},
        {"7102w", -ERANGE, 0},
        {"4294967296", -ERANGE, 0},
        {"11111111111111111111s", -ERANGE, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
        uint32_t v = 0;
        assert_int_equal(parse_seconds(spans[i].text, &v), spans[i].r);
        assert_int_equal(v, spans[i].value);
    }
}

static void test_sizes_for_people(void **state)
{
    char buf[SIZE_TEXT_MAX];
    assert_string_equal(format_size(0, buf), "0 B");
    assert_string_equal(format_size(999, buf), "999 B");
    assert_string_equal(format_size(1100000, buf), "1.10 MB");
    assert_string_equal(format_size(999960, buf), "1.00 MB");
    assert_string_equal(format_size(27500000, buf), "27.5 MB");
    assert_string_equal(format_size(UINT64_MAX, buf), "18.4 EB");
}

static void test_nearest_word(void **state)
{
    static const char *const words[] = {"profile", "prefix", "pools", "router", NULL};
    assert_string_equal(nearest_word("profle", words), "profile");
    assert_string_equal(nearest_word("POOL", words), "pools");
    assert_null(nearest_word("xyzzy", words));
    assert_null(nearest_word("a-very-long-word-that-is-longer-than-any-key", words));
}

static void test_host_labels(void **state)
{
    assert_true(is_host_label("n1"));
    assert_true(is_host_label("3com"));
    static const char *const bad[] = {
        "",    "-a",  "a-",   "a_b",
        "a.b", "a b", "../x", "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(is_host_label(bad[i]));
}

static void test_mac(void **state)
{
    struct mac mac = {{9}};
    char buf[MAC_TEXT_MAX];
    static const char *const good[] = {"52:54:00:12:34:5f", "52-54-00-12-34-5F", "52540012345f"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(mac_parse(good[i], &mac), 0);
        assert_string_equal(mac_format(&mac, buf), "52:54:00:12:34:5f");
    }
    static const char *const bad[] = {"",
                                      "52:54:00:12:34",
                                      "52:54:00:12:34:5g",
                                      "52:54-00:12:34:5f",
                                      "52:54:00:12:34:5f ",
                                      "5254:0012:345f",
                                      "52.54.00.12.34.5f"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(mac_parse(bad[i], &mac), -EINVAL);
    assert_true(mac_is_unicast(&mac));
    assert_false(mac_is_unicast(&(struct mac){{0}}));
    assert_false(mac_is_unicast(&(struct mac){{0x01, 0, 0x5e}}));
}

static void test_H10_ipv4_as_hex(void **state)
{
    char buf[HXIP_TEXT_MAX];
    ipv4_t a;
    assert_int_equal(ipv4_parse("192.168.7.11", &a), 0);
    assert_string_equal(ipv4_hex(a, buf), "C0A8070B");
    assert_int_equal(ipv4_parse("10.0.0.1", &a), 0);
    assert_string_equal(ipv4_hex(a, buf), "0A000001");
}

static void test_ipv4(void **state)
{
    ipv4_t a = 7;
    char buf[IPV4_TEXT_MAX];
    assert_int_equal(ipv4_parse("255.0.255.1", &a), 0);
    assert_string_equal(ipv4_format(a, buf), "255.0.255.1");
    static const char *const bad[] = {"",         "1.2.3",  "1.2.3.4.5", "256.1.1.1", "01.2.3.4",
                                      "1.2.3.4 ", "1..2.3", "0x1.2.3.4", "1.2.3.-4"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(ipv4_parse(bad[i], &a), -EINVAL);
}

static void test_prefix(void **state)
{
    struct ipv4_prefix p;
    char buf[PREFIX_TEXT_MAX];
    assert_int_equal(prefix_parse("192.168.7.0/24", &p), 0);
    assert_string_equal(prefix_format(&p, buf), "192.168.7.0/24");
    assert_int_equal(prefix_mask(&p), 0xffffff00);
    assert_int_equal(prefix_broadcast(&p), 0xc0a807ff);
    assert_true(prefix_contains(&p, 0xc0a80701));
    assert_false(prefix_contains(&p, 0xc0a80801));
    assert_int_equal(prefix_parse("192.168.7.1/24", &p), -EDOM);
    assert_int_equal(prefix_parse("192.168.7.0", &p), -EINVAL);
    assert_int_equal(prefix_parse("192.168.7.0/33", &p), -EINVAL);
    assert_int_equal(prefix_parse("0.0.0.0/0", &p), 0);
    assert_true(prefix_contains(&p, UINT32_MAX));
}

static void test_ranges(void **state)
{
    static const struct {
        const char *range, *names;
    } good[] = {
        {"n1", "n1"},
        {"n[1-3]", "n1 n2 n3"},
        {"n[08-10]", "n08 n09 n10"},
        {"n[1-2,7]x", "n1x n2x n7x"},
        {"r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        char **names;
        cleanup_str struct str joined = {0};
        assert_int_equal(range_expand(good[i].range, &names), 0);
        for (char **name = names; *name; name++)
            str_printf(&joined, "%s%s", name == names ? "" : " ", *name);
        assert_string_equal(str_text(&joined), good[i].names);
        names_free(names);
    }
    static const char *const bad[] = {"n[",    "n]",   "n[]",   "n[1",    "n[3-1]",  "n[1-]",
                                      "n[-1]", "n[a]", "n[1,]", "n[[1]]", "n[1-2-3]"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char **names;
        assert_int_equal(range_expand(bad[i], &names), -EINVAL);
    }
    char **names;
    assert_int_equal(range_expand("n[0-999999]", &names), -E2BIG);
    cleanup_str struct str deep = {0}; /* hostile: no recursion without end */
    for (int i = 0; i < 100000; i++)
        str_add(&deep, "[1]");
    assert_int_equal(range_expand(str_text(&deep), &names), -EINVAL);
}

static void test_digest(void **state)
{
    /* FIPS 180-2, appendix B.1 */
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct hash h;
    struct digest d, e;
    char buf[DIGEST_TEXT_MAX];
    hash_init(&h);
    hash_add(&h, "a", 1);
    hash_add(&h, "bc", 2);
    hash_end(&h, &d);
    assert_string_equal(digest_format(&d, buf), abc);
    assert_int_equal(digest_parse(abc, &e), 0);
    assert_true(digest_equal(&d, &e));
    assert_int_equal(digest_parse("ba78", &e), -EINVAL);
    assert_int_equal(digest_parse("zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", &e),
                     -EINVAL);
}

static void test_hash_fields_are_unambiguous(void **state)
{
    struct hash a, b;
    struct digest x, y;
    hash_init(&a);
    hash_field(&a, "ab");
    hash_field(&a, "c");
    hash_end(&a, &x);
    hash_init(&b);
    hash_field(&b, "a");
    hash_field(&b, "bc");
    hash_end(&b, &y);
    assert_false(digest_equal(&x, &y));
}

static void test_files_are_written_whole_or_not(void **state)
{
    cleanup_free char *dir = temp_dir();
    cleanup_free char *path = xasprintf("%s/a", dir);
    cleanup_free char *text = NULL;
    size_t size;
    assert_int_equal(file_write_atomic(path, "one", 3, 0640), 0);
    assert_int_equal(file_write_atomic(path, "three", 5, 0600), 0);
    assert_int_equal(file_read(path, 100, &text, &size), 0);
    assert_string_equal(text, "three");
    assert_int_equal(size, 5);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char *again;
    assert_int_equal(file_read(path, 4, &again, NULL), -EFBIG);
    assert_int_equal(file_read("/nonexistent/x", 4, &again, NULL), -ENOENT);
    assert_int_equal(file_write_atomic("/nonexistent/x", "", 0, 0600), -ENOENT);
    char **names;
    assert_int_equal(dir_names(dir, NULL, &names), 0);
    assert_string_equal(names[0], "a"); /* and nothing temporary beside it */
    assert_null(names[1]);
    names_free(names);
    assert_int_equal(dir_remove(dir), 0);
    assert_false(file_exists(dir));
}

static void test_failed_write_keeps_the_old_file(void **state)
{
    cleanup_free char *dir = temp_dir();
    cleanup_free char *path = xasprintf("%s/a", dir);
    cleanup_free char *text = NULL;
    assert_int_equal(file_write_atomic(path, "old", 3, 0600), 0);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4, before.rlim_max}), 0);
    int r = file_write_atomic(path, "too long", 8, 0600);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(r, -EFBIG);
    assert_int_equal(file_read(path, 10, &text, NULL), 0);
    assert_string_equal(text, "old");
    char **names;
    assert_int_equal(dir_names(dir, NULL, &names), 0);
    assert_null(names[1]); /* nothing of the attempt is left */
    names_free(names);
    cleanup_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(write_all(full, "x", 1), -ENOSPC);
    assert_int_equal(dir_remove(dir), 0);
}

static void test_nothing_opens_outside_the_root(void **state)
{
    cleanup_free char *dir = temp_dir();
    cleanup_free char *inside = xasprintf("%s/root/in", dir);
    cleanup_free char *outside = xasprintf("%s/out", dir);
    cleanup_free char *root = xasprintf("%s/root", dir);
    cleanup_free char *link = xasprintf("%s/root/link", dir);
    cleanup_free char *fifo = xasprintf("%s/root/fifo", dir);
    assert_int_equal(dir_make(root), 0);
    assert_int_equal(file_write_atomic(inside, "in", 2, 0644), 0);
    assert_int_equal(file_write_atomic(outside, "out", 3, 0644), 0);
    assert_int_equal(symlink("../out", link), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    cleanup_close int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int good = file_open_beneath(fd, "in");
    assert_true(good >= 0);
    assert_int_equal(file_open_beneath(fd, "../out"), -EXDEV);
    assert_int_equal(file_open_beneath(fd, "link"), -EXDEV);
    assert_int_equal(file_open_beneath(fd, outside), -EXDEV);
    assert_int_equal(file_open_beneath(fd, "."), -EISDIR);
    assert_int_equal(file_open_beneath(fd, "fifo"), -EISDIR);
    assert_int_equal(file_open_beneath(fd, "none"), -ENOENT);
    assert_int_equal(dir_remove(dir), 0);
}

static void test_trees_are_copied(void **state)
{
    cleanup_free char *dir = temp_dir();
    cleanup_free char *sub = xasprintf("%s/a/b", dir);
    cleanup_free char *file = xasprintf("%s/a/b/c", dir);
    cleanup_free char *from = xasprintf("%s/a", dir);
    cleanup_free char *to = xasprintf("%s/copy", dir);
    cleanup_free char *copied = xasprintf("%s/copy/b/c", dir);
    cleanup_free char *text = NULL;
    assert_int_equal(dir_make(sub), 0);
    assert_int_equal(file_write_atomic(file, "c", 1, 0644), 0);
    assert_int_equal(dir_copy(from, to), 0);
    assert_int_equal(file_read(copied, 10, &text, NULL), 0);
    assert_string_equal(text, "c");
    assert_int_equal(dir_remove(dir), 0);
}

static void count_lines(void *user, const char *line)
{
    str_printf(user, "[%s]", line);
}

static void test_processes(void **state)
{
    cleanup_str struct str lines = {0};
    struct process_spec spec = {
        .argv = (const char *const[]){"sh", "-c", "echo one; echo two >&2; printf three$X; exit 3", NULL},
        .extra_env = (const char *const[]){"X=!", NULL},
        .on_line = count_lines,
        .user = &lines,
    };
    assert_int_equal(process_run(&spec), 3);
    assert_string_equal(str_text(&lines), "[one][two][three!]");
    assert_int_equal(
        process_run(&(struct process_spec){.argv = (const char *const[]){"no-such-program", NULL}}), -ENOENT);
    assert_int_equal(process_run(&(struct process_spec){.argv = (const char *const[]){"true", NULL},
                                                        .cwd = "/nonexistent"}),
                     -ENOENT);
    cleanup_free char *output = NULL;
    assert_int_equal(process_output((const char *const[]){"sh", "-c", "echo out; kill -9 $$", NULL}, &output),
                     137);
    assert_string_equal(output, "out\n");
}

static void test_diagnostics(void **state)
{
    cleanup_diags struct diags d = {0};
    assert_int_equal(diag_error(&d, (&(struct pos){"a.yaml", 3, 8}), "%s is wrong", "x"), -EINVAL);
    assert_int_equal(diag_warning(&d, (&(struct pos){"a.yaml", 0, 0}), "odd"), 0);
    assert_int_equal(diag_errno(&d, -ENOSPC, "writing %s", "f"), -ENOSPC);
    assert_int_equal(d.errors, 2);
    cleanup_free char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diags_print(&d, out);
    fclose(out);
    assert_string_equal(text, "a.yaml:3:8: error: x is wrong\n"
                              "a.yaml: warning: odd\n"
                              "rambox: error: writing f: No space left on device\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_stays_within),
        cmocka_unit_test(test_writer_stays_within),
        cmocka_unit_test(test_numbers_are_strict),
        cmocka_unit_test(test_sizes_and_spans),
        cmocka_unit_test(test_sizes_for_people),
        cmocka_unit_test(test_nearest_word),
        cmocka_unit_test(test_host_labels),
        cmocka_unit_test(test_mac),
        cmocka_unit_test(test_H10_ipv4_as_hex),
        cmocka_unit_test(test_ipv4),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_hash_fields_are_unambiguous),
        cmocka_unit_test(test_files_are_written_whole_or_not),
        cmocka_unit_test(test_failed_write_keeps_the_old_file),
        cmocka_unit_test(test_nothing_opens_outside_the_root),
        cmocka_unit_test(test_trees_are_copied),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_diagnostics),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

/* From a definition to an image: H12 to H20 entry by entry, what definitions may ask for, what is refused.
 * The base is the shipped one (share/image/base.yaml), read by the real parser; images are read back from the
 * artifact. */
#include "test.h"

#include "base/file.h"
#include "config/config.h"
#include "image/build.h"
#include "image/compress.h"
#include "image/cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* One build place, and what it built. */
struct fixture {
    char dir[64];
    char *cache, *artifacts, *config, *init, *base_file;
    struct diags diags;
    struct build_env env;
    struct image_def base, def;
    struct image_inputs inputs;
    struct image_result result;
    struct tree *tree; /* read back */
};

static const char *share_dir(void)
{
    const char *share = getenv("RAMBOX_SHARE");
    return share ? share : "share";
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    cleanup_free char *text = NULL;
    size_t size;
    snprintf(f->dir, sizeof(f->dir), "/tmp/rambox-image-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->cache = xasprintf("%s/cache", f->dir);
    f->artifacts = xasprintf("%s/artifacts", f->dir);
    f->config = xasprintf("%s/config", f->dir);
    f->init = xasprintf("%s/rambox-init", f->dir);
    cleanup_free char *images = xasprintf("%s/images", f->config);
    assert_int_equal(dir_make(images), 0);
    write_file(f->init, "stands for init\n", 0755);
    f->env = (struct build_env){.cache_dir = f->cache,
                                .artifact_dir = f->artifacts,
                                .share_dir = share_dir(),
                                .config_dir = f->config,
                                .diags = &f->diags};
    f->base_file = xasprintf("%s/image/base.yaml", share_dir());
    assert_int_equal(file_read(f->base_file, 1 << 20, &text, &size), 0);
    assert_int_equal(config_parse_image(f->base_file, text, size, &f->diags, &f->base), 0);
    f->inputs = (struct image_inputs){.base = &f->base, .init = f->init};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char *owned[] = {f->cache, f->artifacts, f->config, f->init, f->base_file};
    tree_free(f->tree);
    image_result_clear(&f->result);
    image_def_clear(&f->def);
    image_def_clear(&f->base);
    diags_free(&f->diags);
    for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
        free(owned[i]);
    assert_int_equal(dir_remove(f->dir), 0);
    free(f);
    return 0;
}

/* Takes a definition, as if it stood in the configuration folder. */
static void define(struct fixture *f, const char *yaml)
{
    cleanup_free char *path = xasprintf("%s/images/x.yaml", f->config);
    write_file(path, yaml, 0644);
    image_def_clear(&f->def);
    f->def = (struct image_def){0};
    diags_free(&f->diags);
    int r = config_parse_image("images/x.yaml", yaml, strlen(yaml), &f->diags, &f->def);
    if (r < 0)
        diags_print(&f->diags, stderr);
    assert_int_equal(r, 0);
}

static int build(struct fixture *f)
{
    image_result_clear(&f->result);
    return image_build(&f->env, &f->def, &f->inputs, &f->result);
}

static void read_back(struct fixture *f)
{
    cleanup_free char *path = artifact_path(f->artifacts, &f->result.built.artifact), *data = NULL;
    struct memory_sink archive = memory_sink_of(64 << 20);
    enum compression kind;
    size_t size;
    tree_free(f->tree);
    f->tree = NULL;
    assert_int_equal(file_read(path, 64 << 20, &data, &size), 0);
    assert_int_equal(size, f->result.built.size);
    assert_int_equal(decompress(data, size, 64 << 20, &archive.sink, &kind), 0);
    assert_int_equal(kind, f->def.compression);
    assert_int_equal(archive.bytes.len, f->result.archive);
    assert_int_equal(cpio_read(archive.bytes.s, archive.bytes.len, &f->diags, &f->tree), 0);
    assert_int_equal(f->tree->entries.n, f->result.entries);
    str_free(&archive.bytes);
}

static void build_anew(struct fixture *f, const char *yaml)
{
    define(f, yaml);
    int r = build(f);
    if (r < 0)
        diags_print(&f->diags, stderr);
    assert_int_equal(r, 0);
    read_back(f);
}

/* What the definition is refused for. */
static void assert_refused(struct fixture *f, const char *yaml, const char *word)
{
    define(f, yaml);
    assert_true(build(f) < 0);
    assert_true(f->diags.errors > 0);
    if (!strstr(f->diags.list.items[0].text, word))
        fail_msg("expected \"%s\" in \"%s\"", word, f->diags.list.items[0].text);
}

static const struct tree_inode *inode_at(const struct fixture *f, const char *path)
{
    const struct tree_entry *entry = tree_find(f->tree, path);
    if (!entry)
        fail_msg("%s is not in the image", path);
    return entry->inode;
}

static void assert_file(const struct fixture *f, const char *path, mode_t mode, const char *content)
{
    const struct tree_inode *inode = inode_at(f, path);
    assert_int_equal(inode->mode, S_IFREG | mode);
    assert_int_equal(inode->size, strlen(content));
    assert_memory_equal(inode->data, content, inode->size);
}

#define SMALL "busybox: none\ncompression: none\n"

static void h12_directories(void **state)
{
    static const struct {
        const char *path;
        mode_t mode;
    } rows[] = {
        {"/dev", 0755},       {"/etc", 0755},      {"/etc/init", 0755}, {"/etc/sysconfig", 0755},
        {"/mnt", 0755},       {"/sys", 0755},      {"/usr", 0755},      {"/usr/local", 0755},
        {"/var", 0755},       {"/var/www", 0755},  {"/var/log", 0755},  {"/var/lib", 0755},
        {"/var/cache", 0755}, {"/run", 0755},      {"/bin", 0555},      {"/sbin", 0555},
        {"/lib", 0555},       {"/lib32", 0555},    {"/lib64", 0555},    {"/proc", 0555},
        {"/usr/bin", 0555},   {"/usr/sbin", 0555}, {"/root", 0700},     {"/tmp", 01777},
        {"/", 0755},
    };
    struct fixture *f = *state;
    build_anew(f, SMALL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(inode_at(f, rows[i].path)->mode, S_IFDIR | rows[i].mode);
    assert_string_equal(inode_at(f, "/var/run")->target, "../run");
    unsigned folders = 0;
    VEC_EACH(it, &f->tree->entries)
        folders += S_ISDIR((*it)->inode->mode);
    /* And none besides, but those of the DHCP script. */
    assert_int_equal(folders, ARRAY_SIZE(rows) + 3);
    inode_at(f, "/usr/share/udhcpc");
    inode_at(f, "/etc/udhcpc");
}

static void h13_profile(void **state)
{
    struct fixture *f = *state;
    build_anew(f, SMALL);
    assert_file(f, "/etc/profile", 0644, "export PATH=/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/sbin\n");
}

static void h14_fstab(void **state)
{
    static const char *const rows[][4] = {
        {"devpts", "/dev/pts", "devpts", "nosuid,noexec,gid=5,mode=0620"},
        {"tmpfs", "/dev/shm", "tmpfs", "nosuid,nodev,mode=0755"},
        {"tmpfs", "/run", "tmpfs", "nosuid,nodev,mode=0755"},
        {"sysfs", "/sys", "sysfs", "nosuid,nodev,noexec"},
        {"proc", "/proc", "proc", "nosuid,nodev,noexec"},
    };
    struct fixture *f = *state;
    build_anew(f, SMALL);
    const struct tree_inode *fstab = inode_at(f, "/etc/fstab");
    assert_int_equal(fstab->mode, S_IFREG | 0644);
    cleanup_free char *text = xstrndup(fstab->data, fstab->size);
    char *save = NULL;
    size_t n = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *fields = NULL;
        if (line[0] == '#')
            continue;
        assert_true(n < ARRAY_SIZE(rows));
        for (size_t i = 0; i < 4; i++)
            assert_string_equal(strtok_r(i ? NULL : line, " ", &fields), rows[n][i]);
        n++;
    }
    assert_int_equal(n, ARRAY_SIZE(rows));
}

static void h15_accounts_and_names(void **state)
{
    struct fixture *f = *state;
    build_anew(f, SMALL);
    assert_file(f, "/etc/passwd", 0644,
                "root:*:0:0:root:/root:/bin/sh\nwww:*:33:33:www:/var/www:/bin/false\n");
    assert_file(f, "/etc/group", 0644, "root:*:0:\ntty:*:5:\nwww:*:33:\n");
    assert_file(f, "/etc/host.conf", 0644, "multi on\n");
    assert_file(f, "/etc/hostname", 0644, "rambox\n");
    assert_file(f, "/etc/hosts", 0644, "127.0.0.1 localhost\n127.0.1.1 rambox\n");
    assert_file(f, "/etc/timezone", 0644, "UTC\n");
    assert_memory_equal(inode_at(f, "/etc/localtime")->data, "TZif", 4);
}

static void h15_settings(void **state)
{
    struct fixture *f = *state;
    build_anew(f, SMALL "hostname: node7\ntimezone: Europe/Berlin\ndevices: mdev\n");
    assert_file(f, "/etc/hostname", 0644, "node7\n");
    assert_file(f, "/etc/hosts", 0644, "127.0.0.1 localhost\n127.0.1.1 node7\n");
    assert_file(f, "/etc/timezone", 0644, "Europe/Berlin\n");
    assert_file(f, "/etc/sysconfig/devices", 0644, "mdev\n"); /* H20 */
    cleanup_free char *zone = NULL;
    size_t size;
    assert_int_equal(file_read("/usr/share/zoneinfo/Europe/Berlin", 1 << 20, &zone, &size), 0);
    assert_int_equal(inode_at(f, "/etc/localtime")->size, size);
    assert_memory_equal(inode_at(f, "/etc/localtime")->data, zone, size);
    assert_refused(f, SMALL "timezone: Europe/Atlantis\n", "no time zone \"Europe/Atlantis\"");
    assert_refused(f, SMALL "timezone: Europe\n", "no time zone \"Europe\"");
}

static void h16_busybox(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    if (stat("/bin/busybox", &st) < 0)
        skip();
    build_anew(f, "busybox: /bin/busybox\ncompression: zstd\nlevel: 1\n");
    assert_int_equal(inode_at(f, "/bin/busybox")->mode, S_IFREG | 0755);
    assert_int_equal(inode_at(f, "/bin/busybox")->size, st.st_size);
    assert_string_equal(inode_at(f, "/bin/sh")->target, "busybox");
    unsigned in_bin = 0;
    VEC_EACH(it, &f->tree->entries)
        in_bin += str_starts((*it)->path, "/bin/");
    assert_int_equal(in_bin, 2); /* all other applets are linked at boot */
    assert_string_equal(f->result.largest[0].path, "/bin/busybox");
    assert_refused(f, "busybox: /bin/cat\n", "shared libraries");
    assert_refused(f, "busybox: /etc/passwd\n", "no 64-bit ELF program");
    assert_refused(f, "busybox: /nowhere/busybox\n", "cannot read busybox");
}

static void h17_dhcp_scripts(void **state)
{
    struct fixture *f = *state;
    build_anew(f, SMALL);
    static const char *const scripts[] = {"/usr/share/udhcpc/default.script", "/sbin/renew_ip"};
    for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
        assert_int_equal(inode_at(f, scripts[i])->mode, S_IFREG | 0755);
        assert_memory_equal(inode_at(f, scripts[i])->data, "#!/bin/sh\n", 10);
    }
}

static void h18_all_is_roots(void **state)
{
    struct fixture *f = *state;
    build_anew(f, SMALL);
    VEC_EACH(it, &f->tree->entries) {
        assert_int_equal((*it)->inode->uid, 0);
        assert_int_equal((*it)->inode->gid, 0);
    }
    const struct tree_inode *console = inode_at(f, "/dev/console"), *null = inode_at(f, "/dev/null");
    assert_int_equal(console->mode, S_IFCHR | 0600);
    assert_int_equal(console->major << 8 | console->minor, 5 << 8 | 1);
    assert_int_equal(null->mode, S_IFCHR | 0666);
    assert_int_equal(null->major << 8 | null->minor, 1 << 8 | 3);
    const struct tree_inode *init = inode_at(f, "/init");
    assert_ptr_equal(inode_at(f, "/sbin/init"), init);
    assert_ptr_equal(inode_at(f, "/sbin/rambox-report"), init);
    assert_int_equal(init->mode, S_IFREG | 0755);
    assert_int_equal(init->links, 3);
}

/* H18: the same bytes in another folder, with other times, and under another umask. */
static void h18_reproducible(void **state)
{
    struct fixture *f = *state;
    void *other_state = NULL;
    static const char yaml[] = "busybox: none\ncompression: xz\nfiles:\n- {path: /f, from: beside}\n";
    mode_t mask = umask(077);
    set_up(&other_state);
    umask(mask);
    struct fixture *other = other_state, *both[] = {f, other};
    for (size_t i = 0; i < 2; i++) {
        cleanup_free char *beside = xasprintf("%s/images/beside", both[i]->config);
        write_file(beside, "the same\n", 0644);
        struct timespec times[2] = {{.tv_sec = (time_t)(1000 + i)}, {.tv_sec = (time_t)(2000 * i)}};
        assert_int_equal(utimensat(AT_FDCWD, beside, times, 0), 0);
        build_anew(both[i], yaml);
    }
    assert_true(digest_equal(&f->result.built.artifact, &other->result.built.artifact));
    other->inputs.mtime = 1;
    assert_int_equal(build(other), 0);
    assert_false(digest_equal(&f->result.built.artifact, &other->result.built.artifact));
    tear_down(&other_state);
}

static void h19_builds_once(void **state)
{
    struct fixture *f = *state;
    struct built found;
    char **names = NULL;
    define(f, SMALL);
    assert_int_equal(image_find(&f->env, &f->def, &f->inputs, &found), -ENOENT);
    build_anew(f, SMALL);
    struct digest first = f->result.built.artifact;
    assert_int_equal(image_find(&f->env, &f->def, &f->inputs, &found), 0);
    assert_true(digest_equal(&found.artifact, &first));
    assert_int_equal(build(f), IMAGE_UNCHANGED);
    assert_true(digest_equal(&f->result.built.artifact, &first));
    /* Any input counts: a file's content, a level, init. */
    write_file(f->init, "another init\n", 0755);
    assert_int_equal(image_find(&f->env, &f->def, &f->inputs, &found), -ENOENT);
    assert_int_equal(build(f), 0);
    define(f, SMALL "hostname: other\n");
    assert_int_equal(build(f), 0);
    /* An artifact that went away comes from the cache's copy, or is built again. */
    cleanup_free char *path = artifact_path(f->artifacts, &f->result.built.artifact);
    cleanup_free char *copies = xasprintf("%s/artifacts", f->cache);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(build(f), IMAGE_UNCHANGED);
    assert_true(file_exists(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dir_remove(copies), 0);
    assert_int_equal(build(f), 0);
    assert_true(file_exists(path));
    /* The work folder is clean. */
    cleanup_free char *work = xasprintf("%s/work", f->cache);
    assert_int_equal(dir_names(work, NULL, &names), 0);
    for (char **name = names; *name; name++)
        assert_true(str_ends(*name, ".lock"));
    names_free(names);
}

static void every_kind_of_entry(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *beside = xasprintf("%s/images/tool", f->config);
    cleanup_free char *folder = xasprintf("%s/images/tree/sub", f->config);
    cleanup_free char *file = xasprintf("%s/images/tree/sub/x", f->config);
    cleanup_free char *urls = xasprintf("%s/inputs/url", f->cache);
    /* As the cache has it when it was fetched: no second fetch (H19). */
    cleanup_free char *fetched =
        xasprintf("%s/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", urls);
    write_file(beside, "tool\n", 0755);
    assert_int_equal(dir_make(folder), 0);
    write_file(file, "x\n", 0640);
    assert_int_equal(dir_make(urls), 0);
    write_file(fetched, "abc", 0644);
    build_anew(f, SMALL "init: tool\n"
                        "files:\n"
                        "- {path: /etc/motd, content: \"hi\\n\"}\n"
                        "- {path: /etc/secret, content: s, mode: 0600, owner: \"33:5\"}\n"
                        "- {path: /usr/bin/tool, from: tool}\n"
                        "- {path: /usr/bin/abs, from: /etc/passwd, mode: 4755}\n"
                        "- {path: /opt/abc, from: \"http://192.0.2.1/abc\", sha256: "
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad}\n"
                        "- {path: /srv, directory: true, mode: 1770}\n"
                        "- {path: /etc/link, symlink: motd}\n"
                        "- {path: /usr/bin/same, hardlink: /usr/bin/tool}\n"
                        "- {path: /dev/sda, device: b 8 0, mode: 0660, owner: \"0:6\"}\n"
                        "- {path: /data, tree: tree}\n"
                        "- {path: /etc/hostname, content: mine}\n");
    assert_file(f, "/etc/motd", 0644, "hi\n");
    assert_file(f, "/etc/secret", 0600, "s");
    assert_int_equal(inode_at(f, "/etc/secret")->uid, 33);
    assert_int_equal(inode_at(f, "/etc/secret")->gid, 5);
    assert_file(f, "/usr/bin/tool", 0755, "tool\n");
    assert_ptr_equal(inode_at(f, "/usr/bin/same"), inode_at(f, "/usr/bin/tool"));
    assert_int_equal(inode_at(f, "/usr/bin/abs")->mode, S_IFREG | 04755);
    assert_file(f, "/opt/abc", 0644, "abc");
    assert_int_equal(inode_at(f, "/srv")->mode, S_IFDIR | 01770);
    assert_string_equal(inode_at(f, "/etc/link")->target, "motd");
    assert_int_equal(inode_at(f, "/dev/sda")->mode, S_IFBLK | 0660);
    assert_int_equal(inode_at(f, "/dev/sda")->gid, 6);
    assert_int_equal(inode_at(f, "/dev/sda")->major, 8);
    assert_file(f, "/data/sub/x", 0640, "x\n");
    assert_file(f, "/etc/hostname", 0644, "mine"); /* replaces the base's */
    assert_file(f, "/init", 0755, "tool\n");       /* `init:` instead of rambox's own */
    assert_null(tree_find(f->tree, "/sbin/init"));
}

static void without_the_base(void **state)
{
    struct fixture *f = *state;
    build_anew(f, "base: false\nbusybox: none\ncompression: none\n");
    assert_int_equal(f->tree->entries.n, 5); /* / /init /sbin /sbin/init /sbin/rambox-report */
}

static void hostile_definitions_are_refused(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *su = xasprintf("%s/images/su", f->config);
    write_file(su, "su", 0755);
    assert_int_equal(chmod(su, 04755), 0);
    assert_refused(f, SMALL "files:\n- {path: /var/run/x, content: x}\n", "symbolic link to \"../run\"");
    assert_string_equal(f->diags.list.items[0].file, "images/x.yaml");
    assert_int_equal(f->diags.list.items[0].line, 4);
    assert_refused(f, SMALL "files:\n- {path: /x, hardlink: /var/run/y}\n", "symbolic link");
    assert_refused(f, SMALL "files:\n- {path: /bin/su, from: su}\n", "setuid");
    assert_refused(f, SMALL "files:\n- {path: /x, tree: \".\"}\n", "setuid");
    assert_refused(f, SMALL "files:\n- {path: /x, from: missing}\n", "missing");
    assert_refused(f, SMALL "files:\n- {path: /etc, content: x}\n", "folder with something in it");
    assert_refused(f, SMALL "files:\n- {path: /TRAILER!!!, content: x}\n", "ends a cpio archive");
    assert_refused(f, SMALL "files:\n- {path: /big, from: sparse}\n", "cannot read");
    cleanup_free char *sparse = xasprintf("%s/images/sparse", f->config);
    cleanup_close int fd = open(sparse, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, (off_t)1 << 32), 0);
    assert_refused(f, SMALL "files:\n- {path: /big, from: sparse}\n", "4 GiB");
    f->inputs.init = "/nowhere/rambox-init";
    assert_refused(f, SMALL, "/nowhere/rambox-init");
}

/* An image larger than the node's RAM budget is refused at build, naming the largest files. */
static void the_memory_budget_is_kept(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *large = xasprintf("%s/images/large", f->config);
    write_file(large, "", 0644);
    assert_int_equal(truncate(large, 10 << 20), 0);
    assert_refused(f,
                   "busybox: none\ncompression: gzip\nmemory: 32M\nfiles:\n- {path: /large, from: large}\n",
                   "/large (10.5 MB)");
    assert_int_equal(build(f), -E2BIG);
    assert_int_equal(f->result.built.size, 0);
    define(f, "busybox: none\ncompression: gzip\nmemory: 40M\nfiles:\n- {path: /large, from: large}\n");
    assert_int_equal(build(f), 0);
    /* A profile's budget counts too, and also for what was built before. */
    f->inputs.memory = 24 << 20;
    assert_int_equal(build(f), -E2BIG);
    f->inputs.memory = 64 << 20;
    assert_int_equal(build(f), IMAGE_UNCHANGED);
}

/* The old artifact stays when a build fails. */
static void a_failed_build_leaves_what_was_there(void **state)
{
    struct fixture *f = *state;
    build_anew(f, SMALL);
    cleanup_free char *path = artifact_path(f->artifacts, &f->result.built.artifact);
    assert_refused(f, SMALL "hostname: x\ntimezone: No/Where\n", "No/Where");
    assert_true(file_exists(path));
    define(f, SMALL);
    assert_int_equal(build(f), IMAGE_UNCHANGED);
}

int main(void)
{
#define IMAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IMAGE_TEST(h12_directories),
        IMAGE_TEST(h13_profile),
        IMAGE_TEST(h14_fstab),
        IMAGE_TEST(h15_accounts_and_names),
        IMAGE_TEST(h15_settings),
        IMAGE_TEST(h16_busybox),
        IMAGE_TEST(h17_dhcp_scripts),
        IMAGE_TEST(h18_all_is_roots),
        IMAGE_TEST(h18_reproducible),
        IMAGE_TEST(h19_builds_once),
        IMAGE_TEST(every_kind_of_entry),
        IMAGE_TEST(without_the_base),
        IMAGE_TEST(hostile_definitions_are_refused),
        IMAGE_TEST(the_memory_budget_is_kept),
        IMAGE_TEST(a_failed_build_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

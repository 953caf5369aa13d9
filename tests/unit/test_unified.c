/* unified/unified.h, build/sign.h and build/pe.h: what is put together is read back; what is signed verifies,
 * and does not once a bit of it changed; and what publish finds of it. */
#include "test.h"

#include "base/file.h"
#include "base/process.h"
#include "build/pe.h"
#include "build/sign.h"
#include "builder/builder.h"
#include "config/config.h"
#include "unified/unified.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

enum { YEAR_S = 365 * 86400, FILE_MAX = 1 << 24 };

/* A site whose "kernel" is the stub itself: a program for UEFI like a kernel's. */
struct fixture {
    char dir[64];
    char *artifacts, *cache;
    struct diags diags;
    struct build_env env;
    struct site *site;
    struct builder *builder;
};

static void put(const struct fixture *f, const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", f->dir, name);
    cleanup_free char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make(folder), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static void run(const char *const *argv)
{
    cleanup_free char *said = NULL;
    assert_int_equal(process_output(argv, &said), 0);
}

/* NAME.key and NAME.crt, valid for a year. */
static void make_pair(const struct fixture *f, const char *name, const char *kind)
{
    cleanup_free char *key = xasprintf("%s/%s.key", f->dir, name);
    cleanup_free char *certificate = xasprintf("%s/%s.crt", f->dir, name);
    bool curve = str_eq(kind, "ec");
    const char *const argv[] = {"openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                kind,
                                "-nodes",
                                "-keyout",
                                key,
                                "-out",
                                certificate,
                                "-days",
                                "365",
                                "-subj",
                                "/CN=test",
                                curve ? "-pkeyopt" : NULL,
                                "ec_paramgen_curve:P-256",
                                NULL};
    run(argv);
    assert_int_equal(chmod(key, 0600), 0);
}

static struct secure_boot signing(const struct fixture *f, const char *key, const char *certificate)
{
    return (struct secure_boot){.key = xasprintf("%s/%s", f->dir, key),
                                .certificate = xasprintf("%s/%s", f->dir, certificate)};
}

static void signing_clear(struct secure_boot *s)
{
    free(s->key);
    free(s->certificate);
}
#define cleanup_signing __attribute__((cleanup(signing_clear)))

/* The configuration is read again, as after an edit. */
static void load(struct fixture *f)
{
    site_free(f->site);
    f->site = NULL;
    if (config_load(f->dir, f->dir, &f->diags, &f->site) < 0)
        diags_print(&f->diags, stderr);
    assert_non_null(f->site);
}

static void write_site(struct fixture *f, const char *cmdline)
{
    cleanup_free char *text =
        xasprintf("secure_boot: {key: %s/site.key, certificate: %s/site.crt}\n"
                  "subnets:\n  lab: {prefix: 192.168.7.0/24}\n"
                  "profiles:\n"
                  "  default: {kernel: stub, image: tiny, unified: yes, console: ttyS0, cmdline: \"%s\"}\n"
                  "  other: {kernel: stub, image: tiny}\n",
                  f->dir, f->dir, cmdline);
    put(f, "rambox.yaml", text);
    load(f);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/rambox-unified-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->artifacts = xasprintf("%s/state/artifacts", f->dir);
    f->cache = xasprintf("%s/cache", f->dir);
    f->env = (struct build_env){.cache_dir = f->cache,
                                .artifact_dir = f->artifacts,
                                .share_dir = f->dir,
                                .config_dir = f->dir,
                                .diags = &f->diags};
    put(f, "rambox-init", "stands for init\n");
    put(f, "image/base.yaml", "busybox: none\n");
    put(f, "images/tiny.yaml",
        "busybox: none\nbase: no\ncompression: none\nfiles: [{path: /init, content: hello}]\n");
    put(f, "tree/Kconfig", "config NET\n\tbool \"Networking\"\n");
    put(f, "tree/Makefile",
        "allnoconfig:\n\tcp $(KCONFIG_ALLCONFIG) $(O)/.config\n"
        "bzImage:\n\tmkdir -p $(O)/arch/x86/boot\n\tcp " UNIFIED_STUB
        " $(O)/arch/x86/boot/bzImage\n\ttouch $(O)/vmlinux\n");
    cleanup_free char *kernel =
        xasprintf("source: {tree: %s/tree}\nfragments: []\nsymbols: {NET: y}\n", f->dir);
    put(f, "kernels/stub.yaml", kernel);
    make_pair(f, "site", "rsa:2048");
    write_site(f, "quiet");
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

/* What the last diagnostic says. */
static void assert_said(const struct fixture *f, const char *words)
{
    const char *text = f->diags.list.n ? f->diags.list.items[f->diags.list.n - 1].text : "";
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in: %s", words, text);
}

/* ---- composition ---- */

static void assert_section(const struct pe *pe, const char *data, const char *name, const void *content,
                           size_t size)
{
    const struct pe_section *section = pe_section(pe, name);
    assert_non_null(section);
    assert_true(section->size >= size && section->bytes >= size);
    assert_memory_equal(data + section->offset, content, size);
    for (size_t i = size; i < section->bytes; i++)
        assert_int_equal(data[section->offset + i], 0);
}

static struct unified_inputs inputs_of(struct fixture *f, const struct secure_boot *s, struct digest *image)
{
    struct unified_inputs inputs = {
        .profile = "rack", .image = image, .cmdline = "rw ip=dhcp rambox", .signing = s};
    assert_int_equal(artifact_put_file(f->artifacts, UNIFIED_STUB, &f->diags, &inputs.kernel), 0);
    assert_int_equal(artifact_put_data(f->artifacts, "an image", 8, &f->diags, image), 0);
    return inputs;
}

static void sections_hold_what_went_in(void **state)
{
    struct fixture *f = *state;
    const struct secure_boot unsigned_one = {0};
    struct digest image;
    struct unified_inputs inputs = inputs_of(f, &unsigned_one, &image);
    cleanup_free char *kernel = NULL, *data = NULL;
    size_t kernel_size, size;
    struct built built;
    struct pe pe;
    assert_int_equal(file_read(UNIFIED_STUB, FILE_MAX, &kernel, &kernel_size), 0);
    assert_int_equal(unified_build(&inputs, &f->env, &built), 0);
    cleanup_free char *path = artifact_path(f->artifacts, &built.artifact);
    assert_int_equal(file_read(path, FILE_MAX, &data, &size), 0);
    assert_int_equal(pe_parse(data, size, &pe), 0);
    assert_int_equal(pe.machine, PE_MACHINE_X64);
    assert_int_equal(pe.signature_size, 0);
    assert_section(&pe, data, ".cmdline", "rw ip=dhcp rambox", 17);
    assert_section(&pe, data, ".initrd", "an image", 8);
    assert_section(&pe, data, ".linux", kernel, kernel_size);
    const struct pe_section *release = pe_section(&pe, ".osrel");
    assert_memory_equal(data + release->offset, "ID=rambox\n", 10);
    /* No two sections share a byte of memory. */
    for (size_t i = 0; i < pe.sections_n; i++)
        for (size_t j = 0; j < i; j++) {
            const struct pe_section *a = &pe.sections[i], *b = &pe.sections[j];
            assert_true(a->address >= b->address + b->size || b->address >= a->address + a->size);
        }
    /* The kernel is the last, on a page of its own. */
    const struct pe_section *linux_section = pe_section(&pe, ".linux");
    assert_int_equal(linux_section->address % 4096, 0);
    assert_int_equal(pe_end(&pe), (uint64_t)linux_section->address + linux_section->size);
}

static void the_same_inputs_are_not_built_again(void **state)
{
    struct fixture *f = *state;
    const struct secure_boot unsigned_one = {0};
    struct digest image;
    struct unified_inputs inputs = inputs_of(f, &unsigned_one, &image);
    struct built first, again, elsewhere, other;
    f->env.only_cached = true;
    assert_int_equal(unified_build(&inputs, &f->env, &first), -ENOENT);
    assert_int_equal(f->diags.errors, 0);
    f->env.only_cached = false;
    assert_int_equal(unified_build(&inputs, &f->env, &first), 0);
    assert_int_equal(unified_build(&inputs, &f->env, &again), UNIFIED_UNCHANGED);
    assert_true(digest_equal(&first.artifact, &again.artifact));
    /* In another cache, at another second, the same bytes come out. */
    cleanup_free char *second_cache = xasprintf("%s/second", f->dir);
    struct build_env env = f->env;
    env.cache_dir = second_cache;
    time_t now = time(NULL);
    while (time(NULL) == now)
        ;
    assert_int_equal(unified_build(&inputs, &env, &elsewhere), 0);
    assert_true(digest_equal(&first.artifact, &elsewhere.artifact));
    inputs.cmdline = "rw ip=dhcp shell";
    assert_int_equal(unified_build(&inputs, &f->env, &other), 0);
    assert_false(digest_equal(&first.artifact, &other.artifact));
    inputs.image = NULL; /* the kernel has its initramfs inside */
    assert_int_equal(unified_build(&inputs, &f->env, &other), 0);
}

static void what_is_missing_is_named(void **state)
{
    struct fixture *f = *state;
    const struct secure_boot unsigned_one = {0};
    struct digest image;
    struct unified_inputs inputs = inputs_of(f, &unsigned_one, &image);
    struct built built;
    inputs.kernel = image;
    assert_int_equal(unified_build(&inputs, &f->env, &built), -EINVAL);
    assert_said(f, "has no EFI stub (CONFIG_EFI_STUB): add the fragment efi");
    inputs.stub = "/nonexistent/linuxx64.efi.stub";
    assert_int_equal(unified_build(&inputs, &f->env, &built), -ENOENT);
    assert_said(f, "/nonexistent/linuxx64.efi.stub (server: stub:) is not there");
    cleanup_free char *no_stub = xasprintf("%s/rambox-init", f->dir);
    inputs.stub = no_stub;
    assert_int_equal(unified_build(&inputs, &f->env, &built), -EINVAL);
    assert_said(f, "rambox-init is no stub for UEFI firmware");
    /* Before anything is built. */
    cleanup_build_list struct build_list list = {0};
    f->site->server.efi_stub = xstrdup("/nonexistent/stub");
    assert_int_equal(builder_select(f->site, NULL, &f->diags, &list), 0);
    assert_int_equal(builder_build(f->builder, f->site, &list), -ENOENT);
    VEC_EACH(item, &list.items)
        assert_int_equal(item->outcome, -ENOENT);
}

/* ---- signing ---- */

static int verify(const char *certificate, const char *path)
{
    cleanup_free char *said = NULL;
    return process_output((const char *const[]){"sbverify", "--cert", certificate, path, NULL}, &said);
}

static void what_is_signed_verifies_until_it_changes(void **state)
{
    struct fixture *f = *state;
    cleanup_signing struct secure_boot s = signing(f, "site.key", "site.crt");
    struct digest image;
    struct unified_inputs inputs = inputs_of(f, &s, &image);
    cleanup_free char *data = NULL;
    size_t size;
    struct built built;
    struct pe pe;
    assert_int_equal(unified_build(&inputs, &f->env, &built), 0);
    cleanup_free char *path = artifact_path(f->artifacts, &built.artifact);
    assert_int_equal(verify(s.certificate, path), 0);
    make_pair(f, "stranger", "rsa:2048");
    cleanup_free char *stranger = xasprintf("%s/stranger.crt", f->dir);
    assert_int_not_equal(verify(stranger, path), 0);
    assert_int_equal(file_read(path, FILE_MAX, &data, &size), 0);
    assert_int_equal(pe_parse(data, size, &pe), 0);
    assert_true(pe.signature_size > 256);
    static const char *const parts[] = {".cmdline", ".initrd", ".linux", ".text"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        cleanup_free char *changed = xasprintf("%s/changed", f->dir);
        char *byte = data + pe_section(&pe, parts[i])->offset + 3;
        *byte = (char)(*byte ^ 1);
        assert_int_equal(file_write_atomic(changed, data, size, 0644), 0);
        assert_int_not_equal(verify(s.certificate, changed), 0);
        *byte = (char)(*byte ^ 1);
    }
}

/* A kernel too; what somebody else has signed already, or what firmware does not start, stays what it is. */
static void kernels_are_signed_once(void **state)
{
    struct fixture *f = *state;
    cleanup_signing struct secure_boot s = signing(f, "site.key", "site.crt");
    const struct secure_boot nobody = {0};
    struct built kernel = {.name = "kernel stub", .because = "SMP n -> y"}, plain = {.name = "kernel plain"},
                 lost = {.name = "kernel lost"}, result, again;
    assert_int_equal(artifact_put_file(f->artifacts, UNIFIED_STUB, &f->diags, &kernel.artifact), 0);
    assert_int_equal(artifact_put_data(f->artifacts, "no program", 10, &f->diags, &plain.artifact), 0);
    assert_int_equal(sign_artifact(&nobody, &f->env, &kernel, &result), SIGN_NOT_NEEDED);
    assert_int_equal(sign_artifact(&s, &f->env, &plain, &result), SIGN_NOT_NEEDED);
    assert_true(digest_equal(&result.artifact, &plain.artifact));
    assert_int_equal(sign_artifact(&s, &f->env, &kernel, &result), 0);
    assert_false(digest_equal(&result.artifact, &kernel.artifact));
    cleanup_free char *path = artifact_path(f->artifacts, &result.artifact);
    assert_int_equal(verify(s.certificate, path), 0);
    assert_int_equal(sign_artifact(&s, &f->env, &kernel, &again), SIGN_UNCHANGED);
    assert_true(digest_equal(&result.artifact, &again.artifact));
    assert_string_equal(again.because, "SMP n -> y");
    assert_int_equal(sign_artifact(&s, &f->env, &result, &again), SIGN_NOT_NEEDED);
    assert_int_equal(f->diags.errors, 0);
    assert_int_equal(sign_artifact(&s, &f->env, &lost, &again), -ENOENT);
    assert_non_null(strstr(f->diags.list.items[0].text, "kernel lost: cannot read "));
}

static int check_pair(struct fixture *f, const char *key, const char *certificate, int64_t now)
{
    cleanup_signing struct secure_boot s = signing(f, key, certificate);
    return sign_check(&s, now, &f->diags);
}

static void keys_that_cannot_be_used_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct secure_boot nobody = {0};
    make_pair(f, "stranger", "rsa:2048");
    make_pair(f, "curve", "ec");
    make_pair(f, "short", "rsa:1024");
    int64_t now = (int64_t)time(NULL);
    put(f, "text.key", "no key\n");
    cleanup_free char *text = xasprintf("%s/text.key", f->dir), *site = xasprintf("%s/site.key", f->dir);
    cleanup_free char *locked = xasprintf("%s/locked.key", f->dir);
    assert_int_equal(chmod(text, 0600), 0);
    assert_int_equal(sign_check(&nobody, now, &f->diags), 0);
    assert_int_equal(check_pair(f, "site.key", "site.crt", now), 0);
    assert_int_equal(f->diags.errors, 0);
    assert_int_equal(check_pair(f, "site.key", "stranger.crt", now), -EKEYREJECTED);
    assert_said(f, "site.key is not the one of the certificate");
    assert_int_equal(check_pair(f, "site.key", "site.crt", now + 2 * YEAR_S), -EKEYREJECTED);
    assert_said(f, "site.crt: the certificate has ended");
    assert_int_equal(check_pair(f, "site.key", "site.crt", now - YEAR_S), -EKEYREJECTED);
    assert_said(f, "not valid yet");
    assert_int_equal(check_pair(f, "curve.key", "curve.crt", now), -EKEYREJECTED);
    assert_said(f, "RSA keys of at least 2048 bits");
    assert_int_equal(check_pair(f, "short.key", "short.crt", now), -EKEYREJECTED);
    assert_int_equal(check_pair(f, "text.key", "site.crt", now), -EKEYREJECTED);
    assert_said(f, "text.key: no private key in PEM form");
    assert_int_equal(check_pair(f, "nosuch.key", "site.crt", now), -ENOENT);
    assert_int_equal(check_pair(f, "site.key", "site.key", now), -EKEYREJECTED);
    assert_said(f, "site.key: no certificate");
    run((const char *const[]){"openssl", "rsa", "-aes128", "-passout", "pass:word", "-in", site, "-out",
                              locked, NULL});
    assert_int_equal(chmod(locked, 0600), 0);
    assert_int_equal(check_pair(f, "locked.key", "site.crt", now), -EKEYREJECTED);
    assert_said(f, "one with a password cannot be used");
    assert_int_equal(chmod(site, 0604), 0);
    assert_int_equal(check_pair(f, "site.key", "site.crt", now), -EACCES);
    assert_said(f, "can be read by everybody");
    /* Nothing is built or signed with it. */
    cleanup_build_list struct build_list list = {0};
    assert_int_equal(builder_select(f->site, NULL, &f->diags, &list), 0);
    assert_int_equal(builder_build(f->builder, f->site, &list), -EACCES);
}

/* ---- what a site builds ---- */

static int found(struct fixture *f, struct artifact_source source, enum artifact_kind kind, const char *name,
                 struct digest *ret_digest)
{
    struct generation_artifact artifact = {0};
    int r = source.find(source.user, f->site, kind, name, &f->diags, &artifact);
    if (r == 0)
        *ret_digest = artifact.digest;
    free(artifact.name);
    return r;
}

static void build_all(struct fixture *f, const char *expected)
{
    cleanup_build_list struct build_list list = {0};
    cleanup_str struct str text = {0};
    assert_int_equal(builder_select(f->site, NULL, &f->diags, &list), 0);
    if (builder_build(f->builder, f->site, &list) < 0)
        diags_print(&f->diags, stderr);
    VEC_EACH(item, &list.items)
        str_printf(&text, "%s%s/%s:%d", text.len ? " " : "", artifact_kind_name(item->kind), item->name,
                   item->outcome);
    assert_string_equal(str_text(&text), expected);
}

static void it_is_built_of_the_others_and_found(void **state)
{
    struct fixture *f = *state;
    struct artifact_source exact = builder_source(f->builder), record = builder_recorded_source(f->builder);
    struct digest a, b, kernel;
    assert_int_equal(found(f, exact, ARTIFACT_UNIFIED, "default", &a), -ENOENT);
    assert_int_equal(found(f, record, ARTIFACT_UNIFIED, "default", &a), -ENOENT);
    build_all(f, "image/tiny:0 kernel/stub:0 unified/default:0");
    build_all(f, "image/tiny:1 kernel/stub:1 unified/default:1");
    assert_int_equal(found(f, exact, ARTIFACT_UNIFIED, "default", &a), 0);
    assert_int_equal(found(f, record, ARTIFACT_UNIFIED, "default", &b), 0);
    assert_true(digest_equal(&a, &b));
    /* The kernel that nodes get besides is the signed one. */
    assert_int_equal(found(f, exact, ARTIFACT_KERNEL, "stub", &kernel), 0);
    assert_int_equal(found(f, record, ARTIFACT_KERNEL, "stub", &b), 0);
    assert_true(digest_equal(&kernel, &b));
    cleanup_free char *path = artifact_path(f->artifacts, &kernel);
    assert_int_equal(verify(f->site->secure_boot.certificate, path), 0);
    write_site(f, "debug");
    assert_int_equal(found(f, exact, ARTIFACT_UNIFIED, "default", &b), -ENOENT);
    assert_said(f, "unified default is not built as it is defined now; `rambox build` builds it");
    assert_int_equal(found(f, record, ARTIFACT_UNIFIED, "default", &b), -ENOENT);
    build_all(f, "image/tiny:1 kernel/stub:1 unified/default:0");
    assert_int_equal(found(f, record, ARTIFACT_UNIFIED, "default", &b), 0);
    assert_false(digest_equal(&a, &b));
    assert_int_equal(found(f, exact, ARTIFACT_UNIFIED, "other", &b), -ENOENT);
    assert_said(f, "there is no profile \"other\" with `unified: yes`");
    /* Another certificate: all that is signed is signed anew, and nothing else is built. */
    make_pair(f, "site", "rsa:2048");
    assert_int_equal(found(f, exact, ARTIFACT_KERNEL, "stub", &b), -ENOENT);
    assert_int_equal(found(f, record, ARTIFACT_KERNEL, "stub", &b), -ENOENT);
    build_all(f, "image/tiny:1 kernel/stub:0 unified/default:0");
}

static void it_can_be_named(void **state)
{
    struct fixture *f = *state;
    cleanup_build_list struct build_list list = {0};
    assert_int_equal(builder_select(f->site, (char *[]){"unified/default", NULL}, &f->diags, &list), 0);
    assert_int_equal(list.items.n, 3); /* with what goes into it */
    assert_int_equal(list.items.items[2].kind, ARTIFACT_UNIFIED);
    assert_int_equal(builder_select(f->site, (char *[]){"unified/other", NULL}, &f->diags, &list), -ENOENT);
    assert_int_equal(builder_select(f->site, (char *[]){"image/default", NULL}, &f->diags, &list), -ENOENT);
}

int main(void)
{
#define UNIFIED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        UNIFIED_TEST(sections_hold_what_went_in),
        UNIFIED_TEST(the_same_inputs_are_not_built_again),
        UNIFIED_TEST(what_is_missing_is_named),
        UNIFIED_TEST(what_is_signed_verifies_until_it_changes),
        UNIFIED_TEST(kernels_are_signed_once),
        UNIFIED_TEST(keys_that_cannot_be_used_are_refused),
        UNIFIED_TEST(it_is_built_of_the_others_and_found),
        UNIFIED_TEST(it_can_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

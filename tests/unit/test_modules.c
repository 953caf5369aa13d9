/* src/modules: what a distribution's kernel needs of its modules (modules/closure.h), compared with depmod's
 * own answer for a small tree of modules made here; and the index (modules/index.h) as the node reads it
 * (init/moduleindex.h). */
#include "test.h"

#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "init/moduleindex.h"
#include "modules/closure.h"
#include "modules/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define VERSION "6.1.0-9-test"

/* A module as depmod sees it: what it says of itself, the symbol it has, and those that it wants. */
struct made {
    const char *path, *info; /* info: `KEY=VALUE` lines, or NULL */
    const char *symbol;      /* NULL: none */
    const char *wants;       /* one symbol, or NULL */
};

static const struct made tree[] = {
    {"drivers/virtio/virtio_ring", NULL, "ring_do", NULL},
    {"drivers/virtio/virtio", NULL, "virtio_do", "ring_do"},
    {"drivers/virtio/virtio_pci", "alias=pci:v00001AF4d*sv*sd*bc*sc*i*\n", NULL, "virtio_do"},
    {"drivers/net/virtio_net", "alias=virtio:d00000001v*\nfirmware=none/such.bin\n", NULL, "virtio_do"},
    {"drivers/net/ethernet/acme/acme-lib", NULL, "acme_do", NULL},
    {"drivers/net/ethernet/acme/acme-net",
     "alias=pci:v0000ACEEd0000000[1-3]sv*sd*bc*sc*i*\nsoftdep=pre: crypto-sum post: acme_extra\n"
     "firmware=rtl_nic/acme.fw\n",
     NULL, "acme_do"},
    {"drivers/net/ethernet/acme/acme_extra", NULL, NULL, NULL},
    {"drivers/net/ethernet/acme/unasked", NULL, NULL, "acme_do"},
    {"crypto/sum_generic", "alias=crypto-sum\nalias=sum\nsoftdep=pre: crypto-sum\n", NULL, NULL},
    {"fs/acmefs", "alias=fs-acmefs\n", NULL, NULL},
};

/* An object file that has what depmod and modinfo look for. */
static void make_module(const char *folder, const struct made *made)
{
    cleanup_free char *object = xasprintf("%s/kernel/%s.ko", folder, made->path);
    cleanup_free char *parent = xstrndup(object, (size_t)(strrchr(object, '/') - object));
    cleanup_free char *source = xasprintf("%s/module.s", folder), *output = NULL;
    cleanup_str struct str text = {0};
    str_add(&text, ".section .modinfo,\"a\"\n.string \"license=GPL\"\n");
    for (const char *line = made->info; line && *line; line += strcspn(line, "\n") + 1) {
        str_add(&text, ".string \"");
        str_add_n(&text, line, strcspn(line, "\n"));
        str_add(&text, "\"\n");
    }
    if (made->symbol)
        str_printf(&text,
                   ".section __ksymtab_strings,\"a\"\n.string \"%s\"\n.text\n.global %s\n%s:\n.long 0\n",
                   made->symbol, made->symbol, made->symbol);
    if (made->wants)
        str_printf(&text, ".data\n.quad %s\n", made->wants);
    assert_int_equal(dir_make(parent), 0);
    assert_int_equal(file_write_atomic(source, str_text(&text), text.len, 0644), 0);
    assert_int_equal(
        process_output((const char *const[]){"gcc", "-c", "-x", "assembler", source, "-o", object, NULL},
                       &output),
        0);
    assert_int_equal(unlink(source), 0);
}

struct fixture {
    char root[64];
    char *folder; /* of the modules */
    struct diags diags;
};
static struct fixture fixture;

static void run_depmod(void)
{
    cleanup_free char *output = NULL;
    assert_int_equal(
        process_output((const char *const[]){"depmod", "-b", fixture.root, VERSION, NULL}, &output), 0);
}

static int make_tree(void **state)
{
    struct fixture *f = &fixture;
    (void)state;
    snprintf(f->root, sizeof(f->root), "/tmp/rambox-modules-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    f->folder = xasprintf("%s/lib/modules/" VERSION, f->root);
    for (size_t i = 0; i < ARRAY_SIZE(tree); i++)
        make_module(f->folder, &tree[i]);
    cleanup_free char *built_in = xasprintf("%s/modules.builtin", f->folder);
    cleanup_free char *order = xasprintf("%s/modules.order", f->folder);
    assert_int_equal(file_write_atomic(built_in, "kernel/net/inside.ko\n", 21, 0644), 0);
    assert_int_equal(file_write_atomic(order, "", 0, 0644), 0);
    run_depmod();
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    diags_free(&fixture.diags);
    free(fixture.folder);
    return dir_remove(fixture.root);
}

static void find(const char *wanted, struct closure *ret_closure)
{
    char *names[8], *copy = xstrdup(wanted), *save = NULL;
    size_t n = 0;
    for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save))
        names[n++] = name;
    int r = closure_find(fixture.folder, names, n, NULL, &fixture.diags, ret_closure);
    free(copy);
    if (r < 0)
        diags_print(&fixture.diags, stderr);
    assert_int_equal(r, 0);
}

static const struct module *module_of(const struct closure *closure, const char *name)
{
    VEC_EACH(m, &closure->list)
        if (str_eq(m->name, name))
            return m;
    return NULL;
}

/* Each module that depmod says a module needs is among those that we say it needs, and no other. */
static void agree_with_depmod(const struct closure *closure)
{
    cleanup_free char *path = xasprintf("%s/modules.dep", fixture.folder), *text = NULL;
    assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
    VEC_EACH(m, &closure->list) {
        cleanup_free char *start = xasprintf("%s:", m->path);
        const char *line = strstr(text, start);
        assert_non_null(line);
        cleanup_free char *rest = xstrndup(line + strlen(start), strcspn(line + strlen(start), "\n"));
        size_t n = 0;
        for (const char *p = rest; *p; p++)
            n += *p == ' ';
        assert_int_equal(m->needs.n, n);
        for (size_t i = 0; i < m->needs.n; i++)
            assert_non_null(strstr(rest, closure->list.items[m->needs.items[i]].path));
    }
}

static void test_names(void **state)
{
    cleanup_closure struct closure closure = {0};
    (void)state;
    find("virtio-net", &closure);
    assert_int_equal(closure.list.n, 4); /* itself, virtio, virtio_ring, and the bus's driver */
    assert_non_null(module_of(&closure, "virtio_pci"));
    assert_string_equal(closure.list.items[0].path, "kernel/drivers/net/virtio_net.ko");
    assert_string_equal(closure.list.items[0].firmware.items[0], "none/such.bin");
    assert_false(closure.list.items[0].at_once);
    agree_with_depmod(&closure);
}

/* A group has what devices ask for, with all that it needs, but not its neighbours that nobody asks for. */
static void test_groups(void **state)
{
    cleanup_closure struct closure closure = {0};
    (void)state;
    find("network", &closure);
    const struct module *acme = module_of(&closure, "acme_net");
    assert_non_null(acme);
    assert_non_null(module_of(&closure, "acme_lib"));
    assert_non_null(module_of(&closure, "virtio_net"));
    assert_null(module_of(&closure, "unasked"));
    assert_null(module_of(&closure, "acmefs"));
    /* Advice: by an alias, and a name. The advice of sum_generic is to load itself. */
    assert_int_equal(acme->before.n, 1);
    assert_string_equal(closure.list.items[acme->before.items[0]].name, "sum_generic");
    assert_int_equal(module_of(&closure, "sum_generic")->before.n, 0);
    assert_int_equal(acme->after.n, 1);
    assert_string_equal(closure.list.items[acme->after.items[0]].name, "acme_extra");
    assert_string_equal(firmware_package(acme->firmware.items[0]), "firmware-realtek");
    assert_null(firmware_package("none/such.bin"));
    agree_with_depmod(&closure);
}

/* What no device brings is loaded at once; what is inside the kernel needs nothing. */
static void test_at_once(void **state)
{
    cleanup_closure struct closure closure = {0};
    (void)state;
    find("fs-acmefs inside pci:v00001AF4d00001000sv0sd0bc02sc00i00", &closure);
    assert_int_equal(closure.built_in, 1);
    assert_true(module_of(&closure, "acmefs")->at_once);
    assert_false(module_of(&closure, "virtio_pci")->at_once);
}

static void test_unknown(void **state)
{
    cleanup_diags struct diags diags = {0};
    struct closure closure;
    (void)state;
    assert_int_equal(closure_find(fixture.folder, (char *[]){(char[]){"virtio_nte"}, (char[]){"netwrk"}}, 2,
                                  &(struct pos){"kernels/k.yaml", 2, 1}, &diags, &closure),
                     -ENOENT);
    assert_int_equal(diags.errors, 2);
    assert_string_equal(diags.list.items[0].text,
                        "Linux " VERSION " has no module \"virtio_nte\"; did you mean "
                        "\"virtio_net\"?");
    assert_string_equal(diags.list.items[1].text,
                        "Linux " VERSION " has no module \"netwrk\"; did you mean \"network\"?");
}

/* Newer packages have their modules compressed: the node gets them as the kernel takes them. */
static void test_compressed(void **state)
{
    cleanup_closure struct closure plain = {0}, packed = {0};
    cleanup_free char *a = NULL, *b = NULL, *output = NULL;
    size_t a_size, b_size;
    (void)state;
    find("acmefs", &plain);
    assert_int_equal(module_read(&plain.list.items[0], &fixture.diags, &a, &a_size), 0);
    assert_int_equal(
        process_output((const char *const[]){"xz", "--check=crc32", plain.list.items[0].file, NULL}, &output),
        0);
    run_depmod();
    find("acmefs", &packed);
    assert_true(str_ends(packed.list.items[0].file, "/acmefs.ko.xz"));
    assert_string_equal(packed.list.items[0].path, "kernel/fs/acmefs.ko");
    assert_int_equal(module_read(&packed.list.items[0], &fixture.diags, &b, &b_size), 0);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a, b, a_size);
}

/* ---- the node's side ---- */

static unsigned matched[8];
static size_t matched_n;

static void note(void *user, unsigned module)
{
    (void)user;
    assert_true(matched_n < ARRAY_SIZE(matched));
    matched[matched_n++] = module;
}

static size_t match(const struct module_index *index, const char *modalias)
{
    matched_n = 0;
    module_index_match(index, modalias, note, NULL);
    return matched_n;
}

/* What is written is what the node reads. */
static void test_index(void **state)
{
    cleanup_closure struct closure closure = {0};
    cleanup_str struct str text = {0}, dep = {0};
    struct module_index index;
    const char *at = NULL;
    enum module_step step;
    unsigned number;
    (void)state;
    find("acme_net acmefs virtio_net", &closure);
    index_write(&closure, &text);
    assert_int_equal(module_index_parse(str_text(&text), text.len + 1, &index), 0);
    assert_int_equal(index.module_count, closure.list.n);
    assert_memory_equal(index.modules[0].path, "kernel/drivers/net/ethernet/acme/acme-net.ko",
                        index.modules[0].length);
    assert_true(module_index_step(&index.modules[0], &at, &step, &number));
    assert_int_equal(step, MODULE_NEEDS);
    assert_string_equal(closure.list.items[number].name, "acme_lib");
    assert_true(module_index_step(&index.modules[0], &at, &step, &number));
    assert_int_equal(step, MODULE_BEFORE);
    assert_true(module_index_step(&index.modules[0], &at, &step, &number));
    assert_int_equal(step, MODULE_AFTER);
    assert_false(module_index_step(&index.modules[0], &at, &step, &number));
    at = NULL;
    assert_true(module_index_at_once(&index, &at, &number));
    assert_string_equal(closure.list.items[number].name, "acmefs");
    assert_false(module_index_at_once(&index, &at, &number));
    assert_int_equal(match(&index, "pci:v0000ACEEd00000002sv00000000sd00000000bc02sc00i00"), 1);
    assert_int_equal(matched[0], 0);
    assert_int_equal(match(&index, "pci:v0000ACEEd00000004sv00000000sd00000000bc02sc00i00"), 0);
    assert_int_equal(match(&index, "virtio:d00000001v00001AF4"), 1);
    assert_int_equal(match(&index, "pci:"), 0);
    assert_int_equal(match(&index, ""), 0);
    module_index_free(&index);
    index_write_dep(&closure, &dep);
    assert_non_null(strstr(str_text(&dep), "kernel/drivers/net/ethernet/acme/acme-net.ko: "
                                           "kernel/drivers/net/ethernet/acme/acme-lib.ko\n"));
}

/* depmod's own texts, less what the node does not have. */
static void test_filter(void **state)
{
    cleanup_closure struct closure closure = {0};
    cleanup_str struct str aliases = {0}, advice = {0};
    (void)state;
    find("virtio_net", &closure);
    index_filter(&closure,
                 "# comment\nalias virtio:d00000001v* virtio_net\nalias fs-acmefs acmefs\nalias a\n\n", 2,
                 &aliases);
    assert_string_equal(str_text(&aliases), "alias virtio:d00000001v* virtio_net\n");
    index_filter(&closure, "softdep acme_net pre: a\nsoftdep virtio_net post: b", 1, &advice);
    assert_string_equal(str_text(&advice), "softdep virtio_net post: b\n");
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *modalias;
        bool matches;
    } rows[] = {
        {"a*c ", "abc", true},
        {"a*c ", "ac", true},
        {"a*c ", "acb", false},
        {"a?c ", "abc", true},
        {"a?c ", "ac", false},
        {"* ", "", true},
        {" ", "", true},
        {"a[0-9A-F]b ", "aEb", true},
        {"a[0-9A-F]b ", "aGb", false},
        {"a[xyz]* ", "az", true},
        {"a[x ", "ax", false},
        {"a*b*c ", "a__b__b__c", true},
        {"a*b*c ", "a__b__b__d", false},
        {"acpi*:X:* ", "acpi:X:", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(module_alias_matches(rows[i].pattern, rows[i].modalias), rows[i].matches);
}

/* hostile: an index that breaks a rule is refused whole. */
static void test_bad_index(void **state)
{
#define HEAD "rambox modules 1\n"
    static const char *const bad[] = {
        "",
        "rambox modules 2\nm a\n",
        HEAD "m a",        /* no end */
        HEAD "m /a\n",     /* absolute */
        HEAD "m a/../b\n", /* leaves the folder */
        HEAD "m a 1\n",    /* there is no 1 */
        HEAD "m a x\n",
        HEAD "m a ?\n",
        HEAD "m a 99999999999999999999\n",
        HEAD "m a\nl 1\n",
        HEAD "m a\na x* 1\n",
        HEAD "m a\na x*\n",
        HEAD "m a\na  0\n",
        HEAD "m a\na b 0\na a 0\n", /* not sorted */
        HEAD "m a\na b 0\nm b\n",   /* not in order */
        HEAD "m a\nwhat\n",
    };
    struct module_index index;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(module_index_parse(bad[i], strlen(bad[i]) + 1, &index), -EBADMSG);
    assert_int_equal(module_index_parse(HEAD "m a\n\0m b\n", sizeof(HEAD "m a\n\0m b\n"), &index), -EBADMSG);
    assert_int_equal(module_index_parse(HEAD "m a 0\nl 0\na a* 0\na a* 0\n",
                                        sizeof(HEAD "m a 0\nl 0\na a* 0\na a* 0\n"), &index),
                     0);
    assert_int_equal(match(&index, "abc"), 2);
    module_index_free(&index);
}

static void test_events(void **state)
{
    static const char add[] = "add@/devices/x\0ACTION=add\0MODALIAS=virtio:d00000001v00001AF4\0SEQNUM=1";
    static const char remove[] = "remove@/devices/x\0ACTION=remove\0MODALIAS=virtio:d00000001v00001AF4";
    static const char none[] = "add@/devices/x\0ACTION=add";
    (void)state;
    assert_string_equal(module_event_alias(add, sizeof(add)), "virtio:d00000001v00001AF4");
    assert_null(module_event_alias(remove, sizeof(remove)));
    assert_null(module_event_alias(none, sizeof(none)));
    assert_null(module_event_alias(add, sizeof(add) - 1)); /* not ended */
    assert_null(module_event_alias("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),      cmocka_unit_test(test_groups),    cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_unknown),    cmocka_unit_test(test_index),     cmocka_unit_test(test_filter),
        cmocka_unit_test(test_patterns),   cmocka_unit_test(test_bad_index), cmocka_unit_test(test_events),
        cmocka_unit_test(test_compressed), /* last: it changes the tree */
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}

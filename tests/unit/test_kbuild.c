/* src/build: fragments, what Kconfig files say, and the check that every asked symbol survived (H26). The
 * trees are made here; their Makefile answers as the kernel's does, and its allnoconfig drops what the test
 * says. */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "build/fragment.h"
#include "build/kbuild.h"
#include "build/kconfig.h"
#include "kernel/fragment_info.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct place {
    char *dir, *tree, *out, *log;
    struct diags diags;
    struct build_env env;
};

static int setup(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));
    p->dir = xstrdup("/tmp/test-kbuild.XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    p->tree = xasprintf("%s/tree", p->dir);
    p->out = xasprintf("%s/out", p->dir);
    p->log = xasprintf("%s/log", p->dir);
    p->env = (struct build_env){.cache_dir = p->dir, .diags = &p->diags, .jobs = 2};
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    dir_remove(p->dir);
    diags_free(&p->diags);
    free(p->dir);
    free(p->tree);
    free(p->out);
    free(p->log);
    free(p);
    return 0;
}

static void put(const char *folder, const char *name, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", folder, name);
    cleanup_free char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(dir_make(parent), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

static const char *said(const struct place *p, size_t i)
{
    return i < p->diags.list.n ? p->diags.list.items[i].text : "";
}

/* ---- fragments ---- */

static void test_later_fragment_wins_and_says_so(void **state)
{
    struct place *p = *state;
    cleanup_fragments struct fragments f = {0};
    cleanup_str struct str text = {0};
    assert_int_equal(
        fragments_add_text(&f, "base.config",
                           "# a comment\n\nCONFIG_NET=y\nCONFIG_NR_CPUS=8\nCONFIG_LOCALVERSION=\"-x\"\n"
                           "# CONFIG_IPV6 is not set\n",
                           &p->diags),
        0);
    assert_int_equal(
        fragments_add_text(&f, "more.config", "CONFIG_NET=y\nCONFIG_NR_CPUS=64\nCONFIG_IPV6=y", &p->diags),
        0);
    fragments_write(&f, &text);
    assert_string_equal(str_text(&text),
                        "CONFIG_NET=y\nCONFIG_NR_CPUS=64\nCONFIG_LOCALVERSION=\"-x\"\nCONFIG_IPV6=y\n");
    assert_int_equal(p->diags.errors, 0);
    assert_int_equal(p->diags.list.n, 2);
    assert_string_equal(said(p, 0), "NR_CPUS=64 replaces NR_CPUS=8 of base.config:4");
    assert_string_equal(p->diags.list.items[0].file, "more.config");
    assert_int_equal(p->diags.list.items[0].line, 2);
    assert_string_equal(said(p, 1), "IPV6=y replaces IPV6=n of base.config:6");
}

static void test_wrong_lines_have_a_place(void **state)
{
    struct place *p = *state;
    static const char *const bad[] = {"NET=y",         "CONFIG_=y", "CONFIG_NET",
                                      "CONFIG_NET =y", "garbage",   "CONFIG_A-B=y"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        cleanup_fragments struct fragments f = {0};
        cleanup_free char *text = xasprintf("CONFIG_OK=y\n%s\n", bad[i]);
        assert_int_equal(fragments_add_text(&f, "f.config", text, &p->diags), -EINVAL);
        assert_int_equal(p->diags.list.items[i].line, 2);
        assert_int_equal(f.list.n, 1);
    }
}

/* A symbol that only some versions of a tree have. */
/* Line ends of other systems are no part of a value, and a switched off symbol is not lost for them. */
static void test_line_ends_of_others(void **state)
{
    struct place *p = *state;
    cleanup_fragments struct fragments f = {0};
    cleanup_str struct str text = {0};
    assert_int_equal(fragments_add_text(&f, "a",
                                        "# theirs\r\nCONFIG_A=y\r\n\r\n# CONFIG_B is not set\r\n"
                                        "CONFIG_C=\"a # b\" \nCONFIG_D=y # where it exists\r\n",
                                        &p->diags),
                     0);
    fragments_write(&f, &text);
    assert_string_equal(str_text(&text),
                        "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=\"a # b\"\nCONFIG_D=y\n");
    assert_true(fragments_find(&f, "D")->if_known);
    /* What stands behind a value is none of it, either. */
    assert_int_equal(fragments_add_text(&f, "a", "CONFIG_E=y # why\n", &p->diags), -EINVAL);
    assert_non_null(strstr(said(p, 0), "\"CONFIG_E=y # why\" is no configuration line"));
}

static void test_no_text_is_refused(void **state)
{
    struct place *p = *state;
    cleanup_fragments struct fragments f = {0};
    cleanup_free char *path = xasprintf("%s/zero.config", p->dir);
    assert_int_equal(file_write_atomic(path, "CONFIG_A=y\n\0CONFIG_B=y\n", 23, 0644), 0);
    assert_int_equal(fragments_add_file(&f, path, &p->diags), -EINVAL);
    assert_non_null(strstr(said(p, 0), "zero byte"));
}

static void test_where_it_exists(void **state)
{
    struct place *p = *state;
    cleanup_fragments struct fragments f = {0}, copy = {0};
    cleanup_str struct str text = {0};
    assert_int_equal(fragments_add_text(&f, "f.config",
                                        "CONFIG_OLD=y # where it exists\nCONFIG_TEXT=\"a # b\"\n"
                                        "CONFIG_TWICE=y # where it exists\nCONFIG_TWICE=y\n",
                                        &p->diags),
                     0);
    assert_true(fragments_find(&f, "OLD")->if_known);
    assert_false(fragments_find(&f, "TEXT")->if_known);
    assert_false(fragments_find(&f, "TWICE")->if_known);
    fragments_add_all(&copy, &f);
    assert_true(fragments_find(&copy, "OLD")->if_known);
    assert_int_equal(fragments_find(&copy, "OLD")->line, 1);
    fragments_write(&copy, &text);
    assert_string_equal(str_text(&text), "CONFIG_OLD=y\nCONFIG_TEXT=\"a # b\"\nCONFIG_TWICE=y\n");
}

/* A file that a person, or `rambox kernel fit`, wrote keeps its comments when some values change. */
static void test_edited_where_it_stands(void **state)
{
    struct place *p = *state;
    static const char text[] =
        "# NET: the driver itself\nCONFIG_NET=y\n\n# CONFIG_WLAN is not set\nCONFIG_N=3";
    cleanup_fragments struct fragments changes = {0}, none = {0};
    cleanup_str struct str out = {0}, same = {0}, fresh = {0};
    assert_int_equal(fragments_add_text(&changes, "menu",
                                        "# CONFIG_NET is not set\nCONFIG_WLAN=y\nCONFIG_NEW=\"x\"\n",
                                        &p->diags),
                     0);
    fragments_edit(text, &changes, "by hand", &out);
    assert_string_equal(str_text(&out), "# NET: the driver itself\n# CONFIG_NET is not set\n\nCONFIG_WLAN=y\n"
                                        "CONFIG_N=3\n# by hand\nCONFIG_NEW=\"x\"\n");
    fragments_edit(str_text(&out), &none, "by hand", &same);
    assert_string_equal(str_text(&same), str_text(&out));
    fragments_edit("", &changes, "by hand", &fresh);
    assert_string_equal(str_text(&fresh),
                        "# by hand\n# CONFIG_NET is not set\nCONFIG_WLAN=y\nCONFIG_NEW=\"x\"\n");
}

/* What fragments say of themselves, in any order and over any lines; without it they are fragments, too. */
static void test_what_fragments_say(void **state)
{
    static const struct {
        const char *text, *purpose, *needs;
        int cost;
        long long image, ram;
    } samples[] = {
        {"# x: what it\n#   is for.\n# Needs a, b and c.\n# Costs 12 bytes of bzImage and -34 bytes of RAM.\n"
         "CONFIG_X=y\n",
         "what it is for", "a b c ", COST_MEASURED, 12, -34},
        {"# x for arm64: short. Costs about 5 bytes of bzImage and 6 bytes of RAM. Needs a. And more.\n",
         "short. And more", "a ", COST_ESTIMATED, 5, 6},
        {"# x: it Costs nothing. Costs much.\n", "it Costs nothing", "", COST_NOT_KNOWN, 0, 0},
        {"# x: y. Costs 99999999999999999999 bytes of bzImage and 1 bytes of RAM.\n", "y", "", COST_NOT_KNOWN,
         0, 0},
        {"# no purpose\nCONFIG_X=y\n# Needs a.\n", NULL, "", COST_NOT_KNOWN, 0, 0},
        {"CONFIG_X=y\n", NULL, "", COST_NOT_KNOWN, 0, 0},
        {"# x: cut off. Needs a", "cut off. Needs a", "", COST_NOT_KNOWN, 0, 0},
        {"#\n#\n", NULL, "", COST_NOT_KNOWN, 0, 0},
        {"", NULL, "", COST_NOT_KNOWN, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        struct fragment_info info;
        cleanup_str struct str needs = {0};
        fragment_info_parse(samples[i].text, &info);
        VEC_EACH(need, &info.needs)
            str_printf(&needs, "%s ", *need);
        assert_true(str_eq(info.purpose, samples[i].purpose));
        assert_string_equal(str_text(&needs), samples[i].needs);
        assert_int_equal(info.cost, samples[i].cost);
        if (info.cost != COST_NOT_KNOWN) {
            assert_int_equal(info.image_bytes, samples[i].image);
            assert_int_equal(info.ram_bytes, samples[i].ram);
        }
        fragment_info_clear(&info);
    }
}

static void test_values_of_people(void **state)
{
    struct place *p = *state;
    cleanup_fragments struct fragments f = {0};
    cleanup_str struct str text = {0};
    static const char *const pairs[][2] = {{"A", "y"},    {"B", "n"},     {"C", "m"},          {"D", "64"},
                                           {"E", "0x2a"}, {"F", "-mini"}, {"G", "say \"hi\""}, {"H", ""},
                                           {"I", "-1"},   {"J", "1.5"},   {"K", "\"q\""}};
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        fragments_set(&f, pairs[i][0], pairs[i][1], NULL, &p->diags);
    fragments_write(&f, &text);
    assert_string_equal(str_text(&text),
                        "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=m\nCONFIG_D=64\nCONFIG_E=0x2a\n"
                        "CONFIG_F=\"-mini\"\nCONFIG_G=\"say \\\"hi\\\"\"\nCONFIG_H=\"\"\nCONFIG_I=-1\n"
                        "CONFIG_J=\"1.5\"\nCONFIG_K=\"q\"\n");
}

/* The fragments that come with rambox can be read, and say what they are for. */
static void test_shipped_fragments(void **state)
{
    struct place *p = *state;
    const char *share = getenv("RAMBOX_SHARE");
    if (!share)
        skip();
    cleanup_free char *folder = xasprintf("%s/fragments", share);
    char **names = NULL;
    assert_int_equal(dir_names(folder, ".config", &names), 0);
    assert_non_null(names[0]);
    for (char **name = names; *name; name++) {
        cleanup_fragments struct fragments f = {0};
        cleanup_free char *path = xasprintf("%s/%s", folder, *name);
        cleanup_free char *text = NULL;
        assert_int_equal(fragments_add_file(&f, path, &p->diags), 0);
        assert_true(f.list.n > 0);
        assert_int_equal(file_read(path, 1 << 16, &text, NULL), 0);
        assert_true(str_starts(text, "# "));
        assert_int_equal(strncmp(text + 2, *name, strlen(*name) - strlen(".config")), 0);
    }
    names_free(names);
    assert_int_equal(p->diags.list.n, 0); /* none asks for one symbol twice */
}

/* ---- Kconfig files ---- */

static const char top_kconfig[] = "mainmenu \"Test\"\n"
                                  "source \"net/Kconfig\"\n"
                                  "source \"arch/$(SRCARCH)/Kconfig\"\n"
                                  "source \"no/such/file\"\n"
                                  "config EXPERT\n"
                                  "\tbool \"Expert\"\n"
                                  "\thelp\n"
                                  "\t  This text speaks of config options:\n"
                                  "\n"
                                  "\t  config NOT_ONE\n"
                                  "\t  depends on NOTHING\n"
                                  "config TINY # a comment\n"
                                  "\tbool \"Tiny\" if EXPERT\n"
                                  "\tdepends on !BIG && \\\n"
                                  "\t\t(EXPERT || NET)\n"
                                  "config BIG\n"
                                  "\tdef_bool y\n";
static const char net_kconfig[] = "menuconfig NET\n"
                                  "\tbool \"Networking\"\n"
                                  "\tselect CORE if EXPERT\n"
                                  "if NET\n"
                                  "menu \"Protocols\"\n"
                                  "\tdepends on PROTOCOLS != n\n"
                                  "config INET\n"
                                  "\tbool \"TCP/IP\"\n"
                                  "choice\n"
                                  "\tprompt \"Default\"\n"
                                  "\tdepends on INET\n"
                                  "config CUBIC\n"
                                  "\tbool \"Cubic\"\n"
                                  "config RENO\n"
                                  "\tbool \"Reno\"\n"
                                  "endchoice\n"
                                  "endmenu\n"
                                  "config WLAN\n"
                                  "\ttristate \"Wireless\"\n"
                                  "\tdepends on RADIO=y && $(cc-option,-mfoo) && (USB || PCI)\n"
                                  "endif\n"
                                  "config CORE\n"
                                  "\tbool\n"
                                  "config PROTOCOLS\n"
                                  "\tint \"How many\"\n";

static void make_tree(const struct place *p)
{
    put(p->tree, "Kconfig", top_kconfig);
    put(p->tree, "net/Kconfig", net_kconfig);
    put(p->tree, "arch/x86/Kconfig",
        "config X86\n\tdef_bool y\nconfig START\n\thex \"Start\"\nconfig TITLE\n\tstring \"Title\"\n");
}

static struct kconfig_tree tree_of(const struct place *p)
{
    return (struct kconfig_tree){.tree = p->tree, .out = p->out, .top = "Kconfig", .srcarch = "x86"};
}

static void test_kconfig_files_are_read(void **state)
{
    struct place *p = *state;
    cleanup_kconfig struct kconfig k = {0};
    struct kconfig_tree tree = tree_of(p);
    make_tree(p);
    assert_int_equal(kconfig_read(&tree, &k), 0);
    static const char *const names[] = {"BIG",  "CORE",  "CUBIC", "EXPERT", "INET", "NET", "PROTOCOLS",
                                        "RENO", "START", "TINY",  "TITLE",  "WLAN", "X86"};
    assert_int_equal(k.entries.n, ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_string_equal(k.entries.items[i].name, names[i]);
    assert_null(kconfig_find(&k, "NOT_ONE")); /* help text */
    const struct kconfig_entry *e = kconfig_find(&k, "CUBIC");
    assert_string_equal(e->depends, "((NET) && (PROTOCOLS != n)) && (INET)");
    assert_string_equal(e->file, "net/Kconfig");
    assert_int_equal(e->line, 12);
    assert_true(e->prompt);
    e = kconfig_find(&k, "TINY");
    assert_string_equal(e->depends, "!BIG &&  \t\t(EXPERT || NET)");
    assert_null(kconfig_find(&k, "CORE")->depends);
    assert_false(kconfig_find(&k, "CORE")->prompt);
    assert_false(kconfig_find(&k, "BIG")->prompt);
    assert_string_equal(kconfig_find(&k, "PROTOCOLS")->type, "int");
    assert_int_equal(k.selects.n, 1);
    assert_string_equal(k.selects.items[0].condition, "EXPERT");
}

static void test_generated_files_come_first(void **state)
{
    struct place *p = *state;
    cleanup_kconfig struct kconfig k = {0};
    struct kconfig_tree tree = tree_of(p);
    put(p->tree, "Kconfig", "source sub/Config.in\n");
    put(p->tree, "sub/Config.in", "config OLD\n");
    put(p->out, "sub/Config.in", "config NEW\n\tbool \"New\"\n");
    assert_int_equal(kconfig_read(&tree, &k), 0);
    assert_int_equal(k.entries.n, 1);
    assert_string_equal(k.entries.items[0].name, "NEW");
}

static void test_missing_and_endless_trees(void **state)
{
    struct place *p = *state;
    cleanup_kconfig struct kconfig k = {0};
    struct kconfig_tree tree = tree_of(p);
    assert_int_equal(kconfig_read(&tree, &k), -ENOENT);
    put(p->tree, "Kconfig", "endif\nendmenu\nif A\nconfig B\nsource \"Kconfig\"\n");
    assert_int_equal(kconfig_read(&tree, &k), 0); /* it sources itself */
    assert_true(k.entries.n > 0);
}

static void test_unmet_parts(void **state)
{
    struct place *p = *state;
    static const struct {
        const char *condition, *unmet;
    } cases[] = {
        {"YES", ""},
        {"MOD", ""},
        {"NO", "NO (is n)"},
        {"YES && NO", "NO (is n)"},
        {"NO && ABSENT", "NO (is n), ABSENT (is n)"},
        {"NO || YES", ""},
        {"NO || ABSENT", "(NO || ABSENT)"},
        {"YES && (NO || ABSENT)", "(NO || ABSENT)"},
        {"((YES) && (NO && ABSENT))", "NO (is n), ABSENT (is n)"},
        {"!NO", ""},
        {"!YES", "!YES"},
        {"!(YES && NO)", ""},
        {"YES=y && MOD=y", "MOD=y"},
        {"MOD=m && NUMBER=64", ""},
        {"NUMBER != 64", "NUMBER != 64"},
        {"NAME = \"text\"", ""},
        {"NAME != \"other\" && NO = n", ""},
        {"$(success,test a = b) && NO", "NO (is n)"},
        {"$(cc-option,-m(x)) = \"\"", ""},
        {"", ""},
        {"(((", ""},
        {"NO &&", "NO (is n)"},
        {"\"", "\""},
    };
    cleanup_config_values struct config_values values = {0};
    put(p->dir, "config",
        "CONFIG_YES=y\nCONFIG_MOD=m\n# CONFIG_NO is not set\nCONFIG_NUMBER=64\nCONFIG_NAME=\"text\"\n");
    cleanup_free char *path = xasprintf("%s/config", p->dir);
    assert_int_equal(config_values_read(path, &values), 0);
    assert_string_equal(config_value(&values, "NUMBER"), "64");
    assert_string_equal(config_value(&values, "ABSENT"), "n");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_str struct str unmet = {0};
        kconfig_unmet(cases[i].condition, &values, &unmet);
        if (!str_starts(cases[i].condition, "(((") && cases[i].condition[0] != '"')
            assert_string_equal(str_text(&unmet), cases[i].unmet);
    }
}

/* ---- building ---- */

/* allnoconfig keeps of KCONFIG_ALLCONFIG all but INET, as a Kconfig does whose dependencies are not met. */
static const char makefile[] =
    "allnoconfig:\n"
    "\t@grep -v -e INET= -e TYPO $(KCONFIG_ALLCONFIG) > $(O)/.config\n"
    "\t@grep -q NET=y $(O)/.config && echo CONFIG_BIG=y >> $(O)/.config || true\n"
    "good:\n"
    "\t@echo '  CC      a.o'; echo '  CC      b.o'; echo '  LD      vmlinux'; echo noise\n"
    "bad:\n"
    "\t@for i in $$(seq 50); do echo \"  CC      f$$i.o\"; done\n"
    "\t@echo 'fork.c:12:3: error: no such thing'; echo '   12 | thing'; exit 1\n"
    "savedefconfig:\n"
    "\t@grep -v BIG $(O)/.config > $(O)/defconfig\n"
    "edit:\n"
    "\t@printf 'CONFIG_NET=y\\nCONFIG_WLAN=m\\nCONFIG_NAME=\"a\"\\n' > $(O)/.config\n";

static struct kbuild build_of(const struct place *p)
{
    struct kbuild b = {.label = "kernel test", .out = p->out, .tree = tree_of(p), .log = p->log};
    make_tree(p);
    put(p->tree, "Makefile", makefile);
    return b;
}

static void test_every_symbol_survived(void **state)
{
    struct place *p = *state;
    struct kbuild b = build_of(p);
    cleanup_fragments struct fragments f = {0};
    assert_int_equal(
        fragments_add_text(
            &f, "f",
            "CONFIG_NET=y\nCONFIG_PROTOCOLS=3\n# CONFIG_WLAN is not set\n# CONFIG_GONE is not set\n"
            "CONFIG_TYPO_OF_OTHER_VERSIONS=y # where it exists\n",
            &p->diags),
        0);
    assert_int_equal(kbuild_configure(&b, &p->env, &f), 0);
    assert_int_equal(p->diags.list.n, 0);
}

static void test_lost_symbol_is_named_with_its_reason(void **state)
{
    struct place *p = *state;
    struct kbuild b = build_of(p);
    cleanup_fragments struct fragments f = {0};
    assert_int_equal(
        fragments_add_text(&f, "net.config",
                           "CONFIG_NET=y\nCONFIG_INET=y # where it "
                           "exists\nCONFIG_INETT_TYPO=y\nCONFIG_WLAN_TYPO=y\n# CONFIG_BIG is not set\n",
                           &p->diags),
        0);
    assert_int_equal(kbuild_configure(&b, &p->env, &f), -EINVAL);
    assert_int_equal(p->diags.errors, 4);
    assert_string_equal(
        said(p, 0),
        "kernel test: INET=y was asked for and came out as n: it depends on PROTOCOLS != n (net/Kconfig:7)");
    assert_string_equal(p->diags.list.items[0].file, "net.config");
    assert_int_equal(p->diags.list.items[0].line, 2);
    assert_non_null(strstr(said(p, 1), "no such symbol in this tree"));
    assert_non_null(strstr(said(p, 3), "BIG=n was asked for and came out as y: it is selected by"));
}

/* A symbol of a definition is named where it stands there, column and all. */
static void test_symbols_keep_their_place(void **state)
{
    struct place *p = *state;
    struct kbuild b = build_of(p);
    cleanup_fragments struct fragments f = {0};
    const struct pos at = {.file = "kernels/mine.yaml", .line = 4, .column = 12};
    assert_int_equal(fragments_add_text(&f, "net.config", "CONFIG_INET=n\nCONFIG_NET=y\n", &p->diags), 0);
    fragments_set(&f, "INET", "y", &at, &p->diags);
    assert_int_equal(kbuild_configure(&b, &p->env, &f), -EINVAL);
    assert_int_equal(p->diags.list.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(p->diags.list.items[i].file, "kernels/mine.yaml");
        assert_int_equal(p->diags.list.items[i].line, 4);
        assert_int_equal(p->diags.list.items[i].column, 12);
    }
    assert_string_equal(said(p, 0), "INET=y replaces INET=n of net.config:1");
}

static void test_explanations(void **state)
{
    struct place *p = *state;
    static const struct {
        const char *name, *value, *why;
    } cases[] = {
        {"CUBIC", "y", "it depends on INET (is n) (net/Kconfig:12)"},
        {"WLAN", "y", "it depends on RADIO=y, (USB || PCI) (net/Kconfig:18)"},
        {"CORE", "y", "nobody can set it directly; it is selected by NET (net/Kconfig:22)"},
        {"INTE", "y", "no such symbol in this tree; did you mean INET?"},
        {"NET", "y", "its value is bounded or chosen by the tree (net/Kconfig:1)"},
        {"NET", "m", "it is a symbol of type bool; expected y or n (net/Kconfig:1)"},
        {"INET", "\"maybe\"", "it is a symbol of type bool; expected y or n (net/Kconfig:7)"},
        {"WLAN", "3", "it is a symbol of type tristate; expected y or n (modules are off) (net/Kconfig:18)"},
        {"WLAN", "m", "it is a symbol of type tristate; expected y or n (modules are off) (net/Kconfig:18)"},
        {"PROTOCOLS", "\"many\"", "it is a symbol of type int; expected a number like 42 (net/Kconfig:24)"},
        {"PROTOCOLS", "7", "its value is bounded or chosen by the tree (net/Kconfig:24)"},
        {"START", "42", "it is a symbol of type hex; expected a number like 0x2a (arch/x86/Kconfig:3)"},
        {"TITLE", "y", "it is a symbol of type string; expected a text (arch/x86/Kconfig:5)"},
    };
    cleanup_kconfig struct kconfig k = {0};
    cleanup_config_values struct config_values values = {0};
    struct kconfig_tree tree = tree_of(p);
    make_tree(p);
    put(p->dir, "config", "CONFIG_NET=y\nCONFIG_PROTOCOLS=1\n");
    cleanup_free char *path = xasprintf("%s/config", p->dir);
    assert_int_equal(kconfig_read(&tree, &k), 0);
    assert_int_equal(config_values_read(path, &values), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        cleanup_str struct str why = {0};
        struct asked asked = {.name = (char *)(uintptr_t)cases[i].name,
                              .value = (char *)(uintptr_t)cases[i].value};
        kconfig_explain(&k, &values, &asked, &why);
        assert_string_equal(str_text(&why), cases[i].why);
    }
}

static unsigned updates;
static uint64_t last_total;

static void count_update(struct progress *progress, const char *task, uint64_t done, uint64_t total,
                         const char *detail)
{
    updates++;
    last_total = total;
    assert_string_equal(task, "kernel test");
    assert_int_equal(done, updates);
    assert_non_null(detail);
}

static void test_make_reports_progress(void **state)
{
    struct place *p = *state;
    struct kbuild b = build_of(p);
    struct progress progress = {.update = count_update};
    unsigned steps = 0;
    updates = 0;
    p->env.progress = &progress;
    b.expected_steps = 2;
    assert_int_equal(dir_make(p->out), 0);
    assert_int_equal(kbuild_make(&b, &p->env, "good", &steps), 0);
    assert_int_equal(steps, 3);
    assert_int_equal(updates, 3);
    assert_int_equal(last_total, 3); /* more than expected: never beyond the total */
    cleanup_free char *log = NULL;
    assert_int_equal(file_read(p->log, 1000, &log, NULL), 0);
    assert_non_null(strstr(log, "noise"));
}

static void test_failed_make_shows_the_error(void **state)
{
    struct place *p = *state;
    struct kbuild b = build_of(p);
    unsigned steps = 7;
    assert_int_equal(dir_make(p->out), 0);
    assert_int_equal(kbuild_make(&b, &p->env, "bad", &steps), -EIO);
    assert_int_equal(steps, 7);
    assert_int_equal(p->diags.errors, 1);
    assert_non_null(strstr(said(p, 0), "fork.c:12:3: error: no such thing\n       12 | thing"));
    assert_null(strstr(said(p, 0), "f50.o")); /* what led up to it is in the log */
    assert_non_null(strstr(said(p, 0), p->log));
}

/* The menu has our terminal; here that is the test's own output, which is for results alone. */
static int edit_quietly(const struct kbuild *b, const struct build_env *env, const char *program,
                        char **ret_changes)
{
    fflush(stdout);
    cleanup_close int saved = dup(STDOUT_FILENO);
    cleanup_close int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDOUT_FILENO);
    int r = kbuild_edit(b, env, program, ret_changes);
    dup2(saved, STDOUT_FILENO);
    return r;
}

static void test_edit_hands_back_what_changed(void **state)
{
    struct place *p = *state;
    struct kbuild b = build_of(p);
    cleanup_fragments struct fragments f = {0};
    cleanup_free char *changes = NULL;
    assert_int_equal(fragments_add_text(&f, "f", "CONFIG_NET=y\nCONFIG_PROTOCOLS=3\n", &p->diags), 0);
    assert_int_equal(kbuild_configure(&b, &p->env, &f), 0);
    assert_int_equal(edit_quietly(&b, &p->env, "edit", &changes), 0);
    assert_string_equal(changes, "CONFIG_NAME=\"a\"\nCONFIG_WLAN=m\n# CONFIG_PROTOCOLS is not set\n");
    free(TAKE_PTR(changes));
    assert_int_equal(edit_quietly(&b, &p->env, "good", &changes), 0);
    assert_string_equal(changes, "");
}

/* A symbol that its Kconfig turns on by itself is in no minimal configuration. When it was asked for and the
 * edit has lost it, that is part of the change: the next build would say that it did not survive. */
static void test_edit_takes_back_what_it_lost(void **state)
{
    struct place *p = *state;
    struct kbuild b = build_of(p);
    cleanup_fragments struct fragments f = {0};
    cleanup_free char *changes = NULL;
    assert_int_equal(fragments_add_text(&f, "f", "CONFIG_NET=y\nCONFIG_BIG=y\n", &p->diags), 0);
    assert_int_equal(kbuild_configure(&b, &p->env, &f), 0);
    assert_int_equal(edit_quietly(&b, &p->env, "edit", &changes), 0);
    assert_string_equal(changes, "CONFIG_NAME=\"a\"\nCONFIG_WLAN=m\n# CONFIG_BIG is not set\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_later_fragment_wins_and_says_so),
        TEST(test_wrong_lines_have_a_place),
        TEST(test_line_ends_of_others),
        TEST(test_no_text_is_refused),
        TEST(test_where_it_exists),
        TEST(test_what_fragments_say),
        TEST(test_edited_where_it_stands),
        TEST(test_values_of_people),
        TEST(test_shipped_fragments),
        TEST(test_kconfig_files_are_read),
        TEST(test_generated_files_come_first),
        TEST(test_missing_and_endless_trees),
        TEST(test_unmet_parts),
        TEST(test_every_symbol_survived),
        TEST(test_lost_symbol_is_named_with_its_reason),
        TEST(test_symbols_keep_their_place),
        TEST(test_explanations),
        TEST(test_make_reports_progress),
        TEST(test_failed_make_shows_the_error),
        TEST(test_edit_hands_back_what_changed),
        TEST(test_edit_takes_back_what_it_lost),
    };
    return cmocka_run_group_tests_name("kbuild", tests, NULL, NULL);
}

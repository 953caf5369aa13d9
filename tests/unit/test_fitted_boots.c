/* What loaders are told of kernels that were fitted: serve/files and serve/boot with serve/fitted. */
#include "fitted_fixture.h"

#include "serve/files.h"

#include <errno.h>

/* Every way to ask names the same kernel, and the trial is on the command line. */

static struct generation *get_generation(void *user, unsigned number)
{
    (void)user;
    (void)number;
    return generation_ref(bed.generation);
}

static uint64_t begin_boot(struct boot_table *boots)
{
    uint64_t boot = boot_table_discover(boots, &bed.now, &n1_mac, "n1", "default", 12);
    boot_table_assign(boots, &bed.now, boot, N1_IP, 12);
    return boot;
}

static void assert_config(struct files *files, const char *name, int format, const char *kernel, bool trial)
{
    struct file_request request = {.name = name, .from = N1_IP, .local = SERVER, .http = format >= 0};
    struct file_answer answer;
    const char *reason = "";
    int r = format < 0 ? files_open(files, &bed.now, &request, &answer, &reason)
                       : files_open_boot(files, &bed.now, &request, (enum boot_format)format,
                                         "01-52-54-00-00-00-01", &answer, &reason);
    assert_string_equal(r == 0 ? "" : reason, "");
    cleanup_free char *text = xstrndup((const char *)answer.file->data, answer.file->size);
    served_file_unref(answer.file);
    cleanup_free char *path = xasprintf("g12/kernel/%s", kernel);
    const char *found = strstr(text, path);
    assert_non_null(found);
    assert_non_null(strchr(" \n\"'", found[strlen(path)]));
    assert_int_equal(strstr(text, "trial=300") != NULL, trial);
    assert_int_equal(strstr(text, "g12/modules/") != NULL, str_eq(kernel, "smallest"));
}

static void every_way_to_ask_has_the_same_answer(void **state)
{
    static const struct {
        const char *name;
        int format; /* -1: by its name */
    } ways[] = {{"pxelinux.cfg/01-52-54-00-00-00-01", -1},
                {"grub.cfg", -1},
                {"boot", BOOT_PIXIECORE},
                {"ipxe", BOOT_IPXE},
                {"x", BOOT_GRUB},
                {"x", BOOT_PXELINUX},
                {"pxelinux.cfg/default", -1},
                {"grub/grub.cfg", -1}};
    static struct events events;
    struct counters counters = {0};
    (void)state;
    events.sink.emit = events_emit;
    struct boot_table *boots = boot_table_new(&(struct boot_table_config){
        .capacity = 100, .random = counting_random, .sink = &events.sink, .counters = &counters});
    struct files *files = files_new(&(struct files_config){
        .artifacts_fd = -1, .generations = {get_generation, NULL}, .boots = boots, .fitted = bed.fitted});
    /* The discovery kernel has modules, which a kernel that was fitted has not. */
    struct kernel_def *def = VEC_ADD(&bed.generation->site->kernels);
    *def = (struct kernel_def){.name = xstrdup("smallest")};
    VEC_PUSH(&def->modules, xstrdup("network"));
    add_artifact(bed.generation, ARTIFACT_MODULES, 0xdd);
    have(CLASS, NEW, 0);
    for (size_t first = 0; first < ARRAY_SIZE(ways); first++) {
        uint64_t boot = begin_boot(boots);
        make_fitted(0, 0);
        files_free(files);
        files = files_new(&(struct files_config){
            .artifacts_fd = -1, .generations = {get_generation, NULL}, .boots = boots, .fitted = bed.fitted});
        assert_config(files, ways[first].name, ways[first].format, "smallest", false);
        fitted_machine(bed.fitted, &n1_mac, boot, CLASS); /* it told us, in this very boot */
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
            assert_config(files, ways[i].name, ways[i].format, "smallest", false);
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = boot, .detail = "ready"});
        boot = begin_boot(boots);
        for (size_t i = first; i < first + ARRAY_SIZE(ways); i++)
            assert_config(files, ways[i % ARRAY_SIZE(ways)].name, ways[i % ARRAY_SIZE(ways)].format, KERNEL,
                          true);
        fetches(1, boot);
        ready(1, boot);
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = boot, .detail = "ready"});
        (void)begin_boot(boots);
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
            assert_config(files, ways[i].name, ways[i].format, KERNEL, false);
        /* Up: whoever asks now only wants to know, so that no trial begins, also not of a newer kernel. */
        struct boot up;
        assert_true(boot_table_by_mac(boots, &n1_mac, &up, NULL));
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = up.id, .detail = "init"});
        have(CLASS, NEWER, 0);
        unsigned told = bed.told;
        assert_config(files, ways[first].name, ways[first].format, "smallest", false);
        assert_int_equal(bed.told, told);
        have(CLASS, NEW, 0);
        boot_table_observe(
            boots, &(struct event){.kind = EVENT_STAGE, .at = bed.now, .boot = up.id, .detail = "ready"});
    }
    files_free(files);
    boot_table_free(boots);
}

/* What stands beside it on the command line decides whether it fits: P-row of the longest one. */
static void the_trial_counts_for_the_length(void **state)
{
    struct profile *profile = &bed.generation->site->profiles.items[0];
    struct boot_description d;
    (void)state;
    struct boot_client client = {.node = site_node_by_name(bed.generation->site, "n1"),
                                 .ip = N1_IP,
                                 .mac = n1_mac,
                                 .boot = 77,
                                 .arch = ARCH_UNKNOWN,
                                 .fitted = bed.fitted,
                                 .now = &bed.now};
    have(CLASS, NEW, 0);
    assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
    size_t n = strlen(d.cmdline);
    free(profile->cmdline);
    profile->cmdline = xcalloc(1, CMDLINE_MAX_SIZE);
    memset(profile->cmdline, 'x', CMDLINE_MAX_SIZE - 1 - n - 1);
    assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
    fitted_machine(bed.fitted, &n1_mac, 0, CLASS);
    client.boot = 78;
    assert_int_equal(boot_describe(bed.generation, &client, &d), -E2BIG);
    profile->cmdline[CMDLINE_MAX_SIZE - 1 - n - 1 - strlen(" panic=10 trial=300")] = '\0';
    assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
    assert_int_equal(d.trial_s, 300);
    client.arch = ARCH_ARM64; /* no class kernel is for it, and here nothing is */
    assert_int_equal(boot_describe(bed.generation, &client, &d), -ENODEV);
}

/* What a menu offers is no trial, though it names what is proven. */
static void a_menu_begins_no_trial(void **state)
{
    struct site *site = bed.generation->site;
    struct profile *guest = &site->profiles.items[1];
    struct boot_description d;
    (void)state;
    assert_string_equal(guest->name, "guest");
    guest->menu.shown = true;
    struct menu_entry *entry = VEC_ADD(&guest->menu.entries);
    *entry = (struct menu_entry){.title = xstrdup("The fitted one"), .profile = xstrdup("default")};
    free(site->nodes.items[0].profile);
    site->nodes.items[0].profile = xstrdup("guest");
    site->nodes.items[0].has_profile = true;
    struct boot_client client = {.node = site_node_by_name(site, "n1"),
                                 .ip = N1_IP,
                                 .mac = n1_mac,
                                 .boot = 77,
                                 .arch = ARCH_X86_64,
                                 .fitted = bed.fitted,
                                 .now = &bed.now};
    have(CLASS, NEW, 0);
    fitted_machine(bed.fitted, &n1_mac, 0, CLASS);
    for (int proven = 0; proven < 2; proven++) {
        assert_int_equal(boot_describe(bed.generation, &client, &d), 0);
        assert_string_equal(d.kernel, "g12/kernel/smallest");
        assert_int_equal(d.menu->n, 1);
        assert_string_equal(d.menu->items[0].boot.kernel,
                            proven ? "g12/kernel/" KERNEL : "g12/kernel/smallest");
        assert_null(strstr(d.menu->items[0].boot.cmdline, "trial="));
        boot_description_clear(&d);
        if (!proven) {
            assert_int_equal(bed.told, 0);
            machine(9, CLASS);
            GETS(9, 900, KERNEL, true);
            fetches(9, 900);
            ready(9, 900);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_way_to_ask_has_the_same_answer),
        TEST(the_trial_counts_for_the_length),
        TEST(a_menu_begins_no_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cli/try: the server's events to a node's timeline, and the checks that need no machine. */
#include "base/str.h"
#include "cli/try.h"
#include "test.h"

static struct try t;

static int setup(void **state)
{
    (void)state;
    t = (struct try){.options = {.firmware = try_firmware_default()},
                     .server = LAB_CHILD_NONE,
                     .events = -1,
                     .signals = -1};
    for (unsigned i = 1; i <= 2; i++)
        *VEC_ADD(&t.nodes) = (struct try_node){.name = xasprintf("n%u", i),
                                               .mac = {{0x52, 0x54, 0, 0x77, 0, (uint8_t)i}},
                                               .ip = 0x0a4d000a + i,
                                               .machine = LAB_NODE_NONE,
                                               .power_on_us = 1000000};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    try_end(&t);
    return 0;
}

static const struct try_row *last(const struct try_node *node)
{
    return &node->rows.items[node->rows.n - 1];
}

static void events_find_their_node(void **state)
{
    (void)state;
    try_take_event(&t, "{\"event\":\"dhcp-in\",\"mono_us\":3000000,\"mac\":\"52:54:00:77:00:02\",\"detail\":"
                       "\"DISCOVER\"}");
    try_take_event(
        &t, "{\"event\":\"dhcp-out\",\"mono_us\":3000000,\"node\":\"n1\",\"ip\":\"10.77.0.11\",\"detail\":"
            "\"OFFER\"}");
    try_take_event(&t, "{\"event\":\"dhcp-in\",\"mono_us\":3000000,\"mac\":\"52:54:00:77:00:99\",\"detail\":"
                       "\"DISCOVER\"}");
    assert_int_equal(t.nodes.items[0].rows.n, 1);
    assert_int_equal(t.nodes.items[1].rows.n, 1);
    assert_string_equal(last(&t.nodes.items[1])->what, "DISCOVER");
    assert_string_equal(last(&t.nodes.items[0])->what, "OFFER");
    assert_string_equal(last(&t.nodes.items[0])->detail, "10.77.0.11");
    assert_true(try_row_seconds(&t.nodes.items[0], last(&t.nodes.items[0])) == 2.0);
}

static void nonsense_is_passed_over(void **state)
{
    (void)state;
    const char *const lines[] = {"",
                                 "{",
                                 "[]",
                                 "3",
                                 "{\"event\":7}",
                                 "{\"event\":\"stage\"}",
                                 "null",
                                 "\"\"",
                                 "{\"event\":\"new-kind\",\"node\":\"n1\"}"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        try_take_event(&t, lines[i]);
    assert_int_equal(t.nodes.items[0].rows.n, 0);
    assert_int_equal(t.serving, 0);
    try_take_event(&t, "{\"event\":\"serving\",\"generation\":3}");
    assert_int_equal(t.serving, 3);
}

static void files_are_parts_of_the_boot(void **state)
{
    (void)state;
    struct try_node *n1 = &t.nodes.items[0];
    try_take_event(&t, "{\"event\":\"tftp-start\",\"mono_us\":4000000,\"node\":\"n1\",\"file\":\"g1/kernel/"
                       "smallest\",\"bytes_total\":1000}");
    assert_string_equal(n1->transfer.file, "g1/kernel/smallest");
    try_take_event(&t,
                   "{\"event\":\"tftp-progress\",\"mono_us\":4100000,\"node\":\"n1\",\"file\":\"g1/kernel/"
                   "smallest\",\"bytes\":500,\"bytes_total\":1000}");
    assert_int_equal(n1->transfer.bytes, 500);
    try_take_event(
        &t, "{\"event\":\"tftp-end\",\"mono_us\":4500000,\"node\":\"n1\",\"file\":\"g1/kernel/smallest\","
            "\"bytes\":1000,\"took_us\":500000}");
    assert_null(n1->transfer.file);
    assert_string_equal(last(n1)->what, "kernel");
    assert_int_equal(n1->transferred, 1000);
    assert_int_equal(n1->fetch_us, 4000000);
    assert_int_equal(n1->loaded_us, 4500000);
    try_take_event(
        &t, "{\"event\":\"tftp-end\",\"mono_us\":4500000,\"node\":\"n1\",\"file\":\"pxelinux.cfg/default\","
            "\"bytes\":10,\"took_us\":1}");
    assert_string_equal(last(n1)->what, "config");
    assert_int_equal(n1->transferred, 1000);
}

/* The stages arrive together, when the node can tell; its own clock says when each was reached. */
static void stages_are_placed_by_the_nodes_clock(void **state)
{
    (void)state;
    struct try_node *n1 = &t.nodes.items[0];
    try_take_event(&t,
                   "{\"event\":\"stage\",\"mono_us\":6000000,\"node\":\"n1\",\"detail\":\"init\",\"node_us\":"
                   "800000}");
    try_take_event(
        &t, "{\"event\":\"stage\",\"mono_us\":6000000,\"node\":\"n1\",\"detail\":\"ready\",\"node_us\":"
            "900000}");
    size_t rows = n1->rows.n;
    try_take_event(&t,
                   "{\"event\":\"stage\",\"mono_us\":6500000,\"node\":\"n1\",\"detail\":\"init\",\"node_us\":"
                   "800000}");
    assert_int_equal(n1->rows.n, rows);
    assert_int_equal(n1->kernel_us, 5100000);
    assert_int_equal(n1->init_us, 800000);
    assert_int_equal(n1->ready_us, 6000000);
    assert_string_equal(n1->rows.items[0].what, "start");
    assert_string_equal(n1->rows.items[1].what, "init");
    assert_true(try_row_seconds(n1, &n1->rows.items[1]) > 4.89 &&
                try_row_seconds(n1, &n1->rows.items[1]) < 4.91);
    assert_true(try_row_seconds(n1, &n1->rows.items[2]) == 5.0);
    assert_null(n1->failure);
}

static void failures_carry_the_reason(void **state)
{
    (void)state;
    try_take_event(
        &t, "{\"event\":\"stage\",\"mono_us\":6000000,\"node\":\"n1\",\"detail\":\"failed: cannot mount "
            "/dev/vda: no such device\",\"node_us\":800000}");
    assert_string_equal(t.nodes.items[0].failure, "its init gave up: cannot mount /dev/vda: no such device");
    assert_false(try_ok(&t));
}

/* P2: a kernel that firmware itself fetches and starts has no loader before it. */
static void kernel_may_be_the_first_file(void **state)
{
    (void)state;
    struct try_node *n1 = &t.nodes.items[0];
    double seconds[TRY_PHASES];
    static const char *const lines[] = {
        "{\"event\":\"dhcp-in\",\"mono_us\":6000000,\"node\":\"n1\",\"detail\":\"DISCOVER\"}",
        "{\"event\":\"dhcp-in\",\"mono_us\":7000000,\"node\":\"n1\",\"detail\":\"REQUEST\"}",
        "{\"event\":\"http-start\",\"mono_us\":8000000,\"node\":\"n1\",\"file\":\"g1/kernel/efi\","
        "\"bytes_total\":1000}",
        "{\"event\":\"http-end\",\"mono_us\":8500000,\"node\":\"n1\",\"file\":\"g1/kernel/efi\","
        "\"bytes\":1000,\"took_us\":500000}",
        "{\"event\":\"stage\",\"mono_us\":9500000,\"node\":\"n1\",\"detail\":\"init\",\"node_us\":500000}",
        "{\"event\":\"stage\",\"mono_us\":9600000,\"node\":\"n1\",\"detail\":\"ready\",\"node_us\":600000}"};
    assert_false(try_phases(n1, seconds));
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        try_take_event(&t, lines[i]);
    assert_true(try_phases(n1, seconds));
    static const double expected[TRY_PHASES] = {5, 2, 0, 0.5, 1, 0.1};
    for (unsigned i = 0; i < TRY_PHASES; i++)
        assert_float_equal(seconds[i], expected[i], 0.001);
    assert_int_equal(n1->transferred, 1000);
    assert_string_equal(n1->rows.items[2].detail, "g1/kernel/efi, 1.00 kB in 0.500 s, 2.00 kB/s by HTTP");
}

static void boot_paths_have_a_firmware(void **state)
{
    (void)state;
    assert_ptr_equal(try_firmware_named("uefi-uki"), try_firmware_named("uefi-unified"));
    assert_int_equal(try_firmware_named("uefi-http")->method, LAB_METHOD_HTTP);
    assert_int_equal(try_firmware_named("bios-ipxe")->firmware, LAB_FIRMWARE_BIOS);
    assert_null(try_firmware_named("uefi"));
    assert_null(try_firmware_named(""));
    cleanup_free char *names = try_firmware_names();
    assert_true(str_starts(names, "bios, bios-pxelinux, "));
    assert_non_null(strstr(names, " or "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_find_their_node, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_parts_of_the_boot, setup, teardown),
        cmocka_unit_test_setup_teardown(stages_are_placed_by_the_nodes_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_carry_the_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(kernel_may_be_the_first_file, setup, teardown),
        cmocka_unit_test(boot_paths_have_a_firmware),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

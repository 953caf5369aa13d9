/* rambox try: the whole path on one machine: build, publish, serve, and boot virtual nodes without disks
 * through real PXE firmware, in a network that nobody else sees. */
#include "cli/try.h"
#include "base/str.h"

#include <stdio.h>

struct texts {
    const char *firmware, *nodes, *nic, *memory, *accel, *timeout;
};

static int take_number(const char *text, const char *option, uint64_t min, uint64_t max, unsigned *ret_value)
{
    uint64_t value;
    if (parse_u64(text, min, max, &value) < 0)
        return usage_error(&command_try, "%s is a number from %u to %u, not \"%s\"", option, (unsigned)min,
                           (unsigned)max, text);
    *ret_value = (unsigned)value;
    return 0;
}

static int take_firmware(const char *text, struct try_options *o)
{
    cleanup_free char *names = try_firmware_names();
    o->firmware = try_firmware_named(text);
    return o->firmware ? 0 : usage_error(&command_try, "--firmware is %s, not \"%s\"", names, text);
}

static int take_texts(struct try_options *o, const struct texts *texts)
{
    int r = 0;
    if (texts->firmware && (r = take_firmware(texts->firmware, o)) != 0)
        return r;
    if (texts->nodes && (r = take_number(texts->nodes, "--nodes", 1, 200, &o->nodes)) != 0)
        return r;
    if (texts->timeout && (r = take_number(texts->timeout, "--timeout", 1, 3600, &o->timeout_s)) != 0)
        return r;
    if (texts->nic && lab_nic_parse(texts->nic, &o->nic) < 0)
        return usage_error(&command_try, "--nic is virtio or e1000, not \"%s\"", texts->nic);
    if (texts->accel && lab_accel_parse(texts->accel, &o->accel) < 0)
        return usage_error(&command_try, "--accel is auto, kvm or tcg, not \"%s\"", texts->accel);
    if (texts->memory && (parse_size(texts->memory, &o->memory) < 0 || o->memory < 1 << 20))
        return usage_error(&command_try, "--memory is a size of at least 1M like 64M, not \"%s\"",
                           texts->memory);
    return 0;
}

/* 0, or 2 after saying what is wrong. */
static int take_options(struct try *t, int argc, char **argv)
{
    struct try_options *o = &t->options;
    struct texts texts = {0};
    const struct option_spec specs[] = {
        {"--firmware", .value = &texts.firmware},
        {"--profile", .value = &o->profile},
        {"--nodes", .value = &texts.nodes},
        {"--nic", .value = &texts.nic},
        {"--memory", .value = &texts.memory},
        {"--accel", .value = &texts.accel},
        {"--timeout", .value = &texts.timeout},
        {"--shell", .flag = &o->shell},
        {0},
    };
    int operands = parse_options(&command_try, specs, argc, argv);
    if (operands < 0)
        return 2;
    if (operands > 0)
        return usage_error(&command_try, "%s is too much", argv[1]);
    if (o->shell && t->context->json)
        return usage_error(&command_try, "--shell and --json exclude each other");
    int r = take_texts(o, &texts);
    if (r == 0 && o->nic == LAB_NIC_E1000 && o->firmware->firmware != LAB_FIRMWARE_BIOS)
        return usage_error(&command_try, "--nic e1000 is for BIOS: %s has a driver for virtio alone",
                           lab_firmware_info(o->firmware->firmware)->name);
    return r;
}

static void watch_and_check(struct try *t)
{
    if (!t->context->json && !t->context->quiet)
        t->view = try_view_new(stdout);
    try_view_begin(t->view, t);
    try_watch(t);
    try_view_end(TAKE_PTR(t->view), t);
    if (!t->stopped_by)
        try_check(t);
}

static void say_end(struct try *t)
{
    if (t->context->json) {
        print_json(try_report_json(t));
        return;
    }
    if (!t->stopped_by)
        try_report(t, stdout);
    fflush(stdout);
    diags_print(&t->diags, stderr);
    if (!t->stopped_by)
        try_report_failures(t, stderr);
}

static int run(struct context *context, int argc, char **argv)
{
    struct try t = {.context = context,
                    .options = {.own_config = context->config_given,
                                .firmware = try_firmware_default(),
                                .nodes = 1,
                                .timeout_s = 90},
                    .server = LAB_CHILD_NONE,
                    .events = -1,
                    .signals = -1};
    int r = take_options(&t, argc, argv);
    if (r != 0)
        return r;
    enum lab_firmware firmware = t.options.firmware->firmware;
    t.options.accel = lab_firmware_accel(firmware, t.options.accel);
    r = lab_firmware_check(firmware, &t.diags);
    if (r == 0)
        r = try_plan(&t);
    if (r == 0)
        r = try_build(&t);
    if (r == 0)
        r = try_start(&t);
    if (r == 0)
        watch_and_check(&t);
    say_end(&t);
    if (r == 0 && t.options.shell && !t.stopped_by)
        try_shell(&t, &t.nodes.items[0]);
    int status = r == 0 && try_ok(&t) ? 0 : t.stopped_by ? 128 + t.stopped_by : 1;
    try_end(&t);
    return status;
}

const struct command command_try = {
    .name = "try",
    .synopsis = "[--firmware PATH] [--profile P] [--nodes N] [--nic virtio|e1000] [--memory 64M] [--accel "
                "auto|kvm|tcg] [--timeout S] "
                "[--shell]",
    .summary = "build, serve and boot virtual nodes through real PXE firmware, and check them",
    .help =
        "Builds what is not built, serves it in a network of its own, powers on virtual machines without "
        "disks and\n"
        "shows how they boot, then checks what they must show after boot (H30) and prints the figures. Exits "
        "with 0\n"
        "only if every node became ready and all checks hold. Nothing is left behind but what was built.\n"
        "\n"
        "Without --config it boots the smallest kernel and image that come with rambox; with it, that\n"
        "configuration's own nodes, and made-up ones when it has too few.\n"
        "\n"
        "  --firmware F   the boot path, as `rambox boot paths` lists them, and with it the virtual "
        "firmware:\n"
        "                   bios             SeaBIOS and its card's iPXE ROM; the server's choice; unless "
        "said\n"
        "                   bios-pxelinux, bios-lpxelinux, bios-ipxe\n"
        "                   uefi-ipxe, uefi-grub, uefi-unified         OVMF by PXE\n"
        "                   uefi-http, uefi-http-ipxe                  OVMF by HTTP boot\n"
        "                   secureboot       OVMF with Secure Boot and Microsoft's keys: shim, GRUB and the\n"
        "                                    distribution's signed kernel\n"
        "                   secureboot-own   OVMF with Secure Boot and the key of `secure_boot:`, by HTTP "
        "boot\n"
        "                   arm64-pxe, arm64-http                      AAVMF: an arm64 machine\n"
        "                 The nodes' profiles get its `loader:` for this run\n"
        "  --profile P    boot nodes of this profile\n"
        "  --nodes N      so many at once; 1\n"
        "  --nic CARD     virtio, or with BIOS e1000; virtio\n"
        "  --memory SIZE  of a node; its profile's budget, or what the firmware needs: 64M with BIOS\n"
        "  --accel A      kvm, tcg (translation), or auto: kvm when a guest really runs with it; auto\n"
        "  --timeout S    seconds until every node must be ready; 90\n"
        "  --shell        then the first node's console in this terminal; Ctrl-] leaves\n"
        "\n"
        "Examples:\n"
        "  rambox try\n"
        "  rambox try --nodes 4 --nic e1000\n"
        "  rambox try --firmware uefi-http\n"
        "  rambox try --config /etc/rambox --profile compute --shell\n",
    .run = run,
};

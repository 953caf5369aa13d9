/* What a configuration says of DHCP: options, classes, pools, times, relays, proxy mode, unknown machines;
 * what is read, and the exact words for every mistake. */
#include "config_fixture.h"

#define OPTIONS(body) PROFILES SUBNETS "options:\n" body
#define CLASS(body)   PROFILES SUBNETS "classes:\n  phones:\n" body

static void test_option_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        MAIN(OPTIONS("  domain-name-server: 1.1.1.1\n"),
             "rambox.yaml:4:3: error: no DHCP option is named \"domain-name-server\"; did you mean "
             "\"domain-name-servers\"?\n"),
        MAIN(OPTIONS("  colour: red\n"),
             "rambox.yaml:4:3: error: no DHCP option is named \"colour\"; expected a name like "
             "domain-name-servers, or a number from 1 to 254\n"),
        MAIN(OPTIONS("  255: x\n  0: x\n  06: 1.1.1.1\n  6x: 1.1.1.1\n"),
             "rambox.yaml:4:3: error: \"255\" is no code of a DHCP option; expected a number from 1 to 254\n"
             "rambox.yaml:5:3: error: \"0\" is no code of a DHCP option; expected a number from 1 to 254\n"
             "rambox.yaml:6:3: error: \"06\" is no code of a DHCP option; expected a number from 1 to 254\n"
             "rambox.yaml:7:3: error: \"6x\" is no code of a DHCP option; expected a number from 1 to 254\n"),
        MAIN(OPTIONS("  51: 60\n  host-name: n1\n  boot-file-name: x\n  82: x\n"),
             "rambox.yaml:4:3: error: option dhcp-lease-time (51) cannot be set here: \"lease\" of the "
             "subnet says "
             "it\n"
             "rambox.yaml:5:3: error: option host-name (12) cannot be set here: a node is told its own name, "
             "that of "
             "\"node\"\n"
             "rambox.yaml:6:3: error: option boot-file-name (67) cannot be set here: \"boot_file\" of a "
             "profile or a "
             "class says it\n"
             "rambox.yaml:7:3: error: option dhcp-agent-options (82) cannot be set here: it is what relay "
             "agents say, "
             "and comes back to them as it was\n"),
        MAIN(OPTIONS("  ntp-servers: [1.1.1.1, 1.1.1]\n"),
             "rambox.yaml:4:26: error: \"1.1.1\" is no IPv4 address; expected four numbers like "
             "192.168.7.11\n"),
        MAIN(OPTIONS("  interface-mtu: 67\n"),
             "rambox.yaml:4:18: error: \"67\" is no number from 68 to 65535 in "
             "decimal digits without leading zeros\n"),
        /* YAML 1.1 traps: a number that some read as octal, a boolean that is none here. */
        MAIN(OPTIONS("  default-ip-ttl: 010\n  ip-forwarding: 1\n"),
             "rambox.yaml:4:19: error: \"010\" is no number from 1 to 255 in decimal digits without leading "
             "zeros\n"
             "rambox.yaml:5:18: error: \"1\" is neither yes nor no; expected one of them\n"),
        MAIN(OPTIONS("  swap-server: [1.1.1.1, 1.1.1.2]\n"),
             "rambox.yaml:4:16: error: \"swap-server\" is a list; expected one value\n"),
        MAIN(OPTIONS("  ntp-servers: []\n  domain-name: \"\"\n"),
             "rambox.yaml:4:16: error: \"ntp-servers\" is without a value; expected one\n"
             "rambox.yaml:5:16: error: \"\" is no text; expected at least one character, and no control "
             "characters\n"),
        MAIN(OPTIONS("  ntp-servers:\n  root-path: [[a]]\n"),
             "rambox.yaml:4:3: error: \"ntp-servers\" has no value; expected a value, or a list of values\n"
             "rambox.yaml:5:15: error: \"root-path\" is a list; expected a value, or a list of values\n"),
        MAIN(OPTIONS("  42: 1.1.1.1\n  ntp-servers: 1.1.1.2\n"),
             "rambox.yaml:5:3: error: option ntp-servers (42) is set twice; the first is in line 4\n"),
        MAIN(OPTIONS("  224: {u17: 5}\n"),
             "rambox.yaml:4:9: error: unknown key \"u17\"; did you mean \"u16\"?\n"),
        MAIN(OPTIONS("  224: {u16: 5, text: x}\n"),
             "rambox.yaml:4:17: error: this option has a value already; "
             "expected one of \"value\" and the kinds\n"),
        MAIN(OPTIONS("  224: {always: yes}\n"), "rambox.yaml:4:9: error: option 224 has no value; expected "
                                                "\"value\", or a kind like u16, text or hex\n"),
        MAIN(
            OPTIONS("  224: {hex: 0a0}\n  225: {u16: 70000}\n  226: {value: x, always: 1}\n"),
            "rambox.yaml:4:14: error: \"0a0\" is no bytes; expected pairs of hexadecimal digits like 0a0b or "
            "0a:0b\n"
            "rambox.yaml:5:14: error: \"70000\" is no number from 0 to 65535 in decimal digits without "
            "leading "
            "zeros\n"
            "rambox.yaml:6:27: error: \"1\" is no yes or no; expected yes or no\n"),
        MAIN(OPTIONS("  classless-static-routes: 10.0.0.0/8\n"),
             "rambox.yaml:4:28: error: \"10.0.0.0/8\" is no route; expected a network and its gateway like "
             "\"10.0.0.0/8 via 192.168.7.1\", or \"default via 192.168.7.1\"\n"),
        MAIN(PROFILES SUBNETS "options: [a]\n", "rambox.yaml:3:10: error: \"options\" is a list; expected a "
                                                "mapping (NAME: VALUE, a line each)\n"),
        NODE("node: n1\n" MAC "options: {ntp-server: 1.1.1.1}\n",
             "nodes.d/n.yaml:3:11: error: no DHCP option is named \"ntp-server\"; did you mean "
             "\"ntp-servers\"?\n"),
        MAIN(PROFILE("    image: smallest\n    options: {50: 1.1.1.1}\n"),
             "rambox.yaml:6:15: error: option dhcp-requested-address (50) cannot be set here: it is what a "
             "client "
             "says, not a server\n"),
        MAIN(OPTIONS(""), ""),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

/* An option that no message can carry. */
static void test_long_option(void **state)
{
    cleanup_str struct str text = {0};
    str_add(&text, OPTIONS("  root-path: "));
    for (int i = 0; i < 1200; i++)
        str_add(&text, "x");
    check_mistake(*state, &(struct mistake)MAIN(str_text(&text), ""));
    str_add(&text, "y\n");
    check_mistake(
        *state, &(struct mistake)MAIN(str_text(&text),
                                      "rambox.yaml:4:14: error: \"root-path\" is longer than a DHCP message "
                                      "can carry; expected at most 1200 bytes\n"));
}

static void test_class_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        MAIN(CLASS("    profile: default\n"), "rambox.yaml:4:3: error: class phones has no \"match\"; "
                                              "expected what its clients say of themselves\n"),
        MAIN(CLASS("    match: {}\n"),
             "rambox.yaml:5:5: error: class phones matches nothing in particular, which is every client; "
             "expected "
             "vendor_class, user_class, host_name, circuit_id, remote_id, mac or arch\n"),
        MAIN(CLASS("    match: {vendor_class: []}\n"),
             "rambox.yaml:5:5: error: class phones matches nothing in particular, which is every client; "
             "expected "
             "vendor_class, user_class, host_name, circuit_id, remote_id, mac or arch\n"),
        MAIN(CLASS("    match: {vendor: x}\n"), "rambox.yaml:5:13: error: unknown key \"vendor\"; known "
                                                "here: vendor_class, user_class, host_name, "
                                                "circuit_id, remote_id, mac, arch\n"),
        MAIN(CLASS("    match: {circuit_id: [\"0x0g\", \"\"]}\n"),
             "rambox.yaml:5:26: error: \"0x0g\" is no pattern; expected text in which * is any run of bytes "
             "and ? "
             "any one, like PXEClient*, or bytes like 0x0104*\n"
             "rambox.yaml:5:34: error: \"\" is no pattern; expected text in which * is any run of bytes and "
             "? any "
             "one, like PXEClient*, or bytes like 0x0104*\n"),
        MAIN(CLASS("    match: {mac: \"52:54:xx:*\"}\n"),
             "rambox.yaml:5:18: error: \"52:54:xx:*\" is no pattern of MAC addresses; expected bytes with "
             "colons, * "
             "and ?, like 52:54:00:*\n"),
        MAIN(CLASS("    match: {arch: [uefi-x46, 65536]}\n"),
             "rambox.yaml:5:20: error: \"uefi-x46\" is no architecture; expected a number of option 93, or a "
             "name "
             "like bios, uefi-x64, uefi-arm64 or uefi-x64-http; did you mean \"uefi-x64\"?\n"
             "rambox.yaml:5:30: error: \"65536\" is no architecture; expected a number of option 93, or a "
             "name "
             "like bios, uefi-x64, uefi-arm64 or uefi-x64-http\n"),
        MAIN(CLASS("    match: {arch: 7}\n    profile: defualt\n"),
             "rambox.yaml:6:14: error: no profile is named \"defualt\"; did you mean \"default\"?\n"),
        MAIN(
            CLASS("    match: {arch: 7}\n    boot_file: ../x\n"),
            "rambox.yaml:6:16: error: \"../x\" is no boot file; expected a file of the loader folders like "
            "ipxe.efi "
            "(at most 127 characters, no leading / and no ..), or a URL for UEFI HTTP boot (at most 1024)\n"),
        MAIN(CLASS("    match: {arch: 7}\n    options: {mtu: 1500}\n"),
             "rambox.yaml:6:15: error: no DHCP option is named \"mtu\"; expected a name like "
             "domain-name-servers, or "
             "a number from 1 to 254\n"),
        MAIN(PROFILES
             "classes: {phones: {match: {arch: 0}}}\n"
             "subnets: {lab: {prefix: 192.168.7.0/24, pools: [{range: 192.168.7.9-192.168.7.19, class: "
             "fones}]}}\n",
             "rambox.yaml:3:90: error: no class is named \"fones\"; did you mean \"phones\"?\n"),
        MAIN(SUBNET("    pools: [{class: x}]\n"), "rambox.yaml:5:14: error: this pool has no \"range\"; "
                                                  "expected the first and the last address, the lower "
                                                  "one first, like 192.168.7.100-192.168.7.199\n"),
        MAIN(SUBNET("    pools:\n      - 192.168.7.10-192.168.7.19\n      - {range: "
                    "192.168.7.19-192.168.7.30}\n"),
             "rambox.yaml:7:10: error: the pool 192.168.7.19-192.168.7.30 overlaps the one in line 6\n"),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

static void test_many_classes(void **state)
{
    cleanup_str struct str text = {0};
    str_add(&text, PROFILES SUBNETS "classes:\n");
    for (int i = 0; i < 64; i++)
        str_printf(&text, "  c%d: {match: {arch: %d}}\n", i, i);
    check_mistake(*state, &(struct mistake)MAIN(str_text(&text), ""));
    str_add(&text, "  c64: {match: {arch: 64}}\n");
    check_mistake(*state, &(struct mistake)MAIN(str_text(&text),
                                                "rambox.yaml:68:3: error: class c64 is one too many; "
                                                "expected at most 64 classes\n"));
}

#define BOOT_FILE(name)                                                                                      \
    MAIN(PROFILE("    image: smallest\n    boot_file: \"" name "\"\n"),                                      \
         "rambox.yaml:6:16: error: \"" name                                                                  \
         "\" is no boot file; expected a file of the loader folders like ipxe.efi "                          \
         "(at most 127 characters, no leading / and no ..), or a URL for UEFI HTTP boot (at most 1024)\n")
#define BOOT_FILE_GOOD(name) MAIN(PROFILE("    image: smallest\n    boot_file: \"" name "\"\n"), "")

static void test_boot_files(void **state)
{
    static const struct mistake mistakes[] = {
        BOOT_FILE(""),
        BOOT_FILE("/pxelinux.0"),
        BOOT_FILE("a/../b"),
        BOOT_FILE("a//b"),
        BOOT_FILE("a/"),
        BOOT_FILE("./a"),
        BOOT_FILE("a b"),
        BOOT_FILE("http://"),
        BOOT_FILE("ftp://h/x"),
        BOOT_FILE_GOOD("ipxe.efi"),
        BOOT_FILE_GOOD("efi64/syslinux.efi"),
        BOOT_FILE_GOOD("..x"),
        BOOT_FILE_GOOD("http://192.168.7.1/boot/grub.efi"),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
    cleanup_str struct str text = {0};
    str_add(&text, PROFILE("    image: smallest\n    boot_file: "));
    for (int i = 0; i < 127; i++)
        str_add(&text, "x");
    check_mistake(*state, &(struct mistake)MAIN(str_text(&text), ""));
    str_add(&text, "y");
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    struct site *site = NULL;
    put(f->config, "rambox.yaml", str_text(&text));
    assert_int_equal(config_load(f->config, f->share, &diags, &site), -EINVAL);
}

static void test_subnet_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        MAIN(SUBNET("    min_lease: 2h\n    max_lease: 1h\n"),
             "rambox.yaml:6:16: error: max_lease (3600 s) is shorter than min_lease (7200 s)\n"),
        MAIN(SUBNET("    min_lease: 2h\n    lease: 1h\n"),
             "rambox.yaml:5:16: error: min_lease (7200 s) is longer than lease (3600 s)\n"),
        MAIN(SUBNET("    renew: 60%\n    rebind: 50%\n"),
             "rambox.yaml:6:13: error: rebind comes before renew; a client first asks the server it has its "
             "lease "
             "from (renew), later any (rebind)\n"),
        MAIN(SUBNET("    renew: 6h\n    rebind: 5h\n"), "rambox.yaml:6:13: error: rebind comes before renew; "
                                                        "a client first asks the server it has its lease "
                                                        "from (renew), later any (rebind)\n"),
        MAIN(SUBNET("    renew: 6h\n    rebind: 50%\n"), ""), /* cannot be compared */
        MAIN(SUBNET("    renew: 101%\n    rebind: 0%\n"),
             "rambox.yaml:5:12: error: \"101%\" is no time in a lease; expected a span of time like 6h, or a "
             "part of "
             "the lease like 50%\n"
             "rambox.yaml:6:13: error: \"0%\" is no time in a lease; expected a span of time like 6h, or a "
             "part of "
             "the lease like 50%\n"),
        MAIN(SUBNET("    renew: 50.25%\n    rebind: \"%\"\n"),
             "rambox.yaml:5:12: error: \"50.25%\" is no time in a lease; expected a span of time like 6h, or "
             "a part of "
             "the lease like 50%\n"
             "rambox.yaml:6:13: error: \"%\" is no time in a lease; expected a span of time like 6h, or a "
             "part of "
             "the lease like 50%\n"),
        MAIN(SUBNET("    mtu: 20\n"),
             "rambox.yaml:5:10: error: \"20\" is no number from 68 to 65535 in decimal digits "
             "without leading zeros\n"),
        MAIN(SUBNET("    mtu: 1500\n    options: {interface-mtu: 9000}\n"),
             "rambox.yaml:6:15: error: option interface-mtu (26) is set twice; the first is in line 5\n"),
        MAIN(SUBNET("    options: {119: a}\n    dns_search: b\n"),
             "rambox.yaml:6:5: error: option domain-search (119) is set twice; the first is in line 5\n"),
        MAIN(SUBNET("    options: {3: 192.168.7.1, domain-name-servers: 1.1.1.1, 15: a, 42: 1.1.1.1}\n"),
             "rambox.yaml:5:15: error: option routers (3) of a subnet is its key \"router\"; say it there\n"
             "rambox.yaml:5:31: error: option domain-name-servers (6) of a subnet is its key \"dns\"; say it "
             "there\n"
             "rambox.yaml:5:68: error: option ntp-servers (42) of a subnet is its key \"ntp\"; say it there\n"
             "rambox.yaml:5:61: error: option domain-name (15) of a subnet is its key \"domain\"; say it "
             "there\n"),
        MAIN(SUBNET("    relays: [192.168.7.1, 192.168.7.1]\n"),
             "rambox.yaml:5:27: error: the relay 192.168.7.1 is listed by subnet lab already; a relay's "
             "address "
             "stands for one subnet\n"),
        MAIN(SUBNET("    router: 192.168.7.1\n    relays: [192.168.7.1, 10.0.0.1]\n"
                    "  rack2: {prefix: 10.1.0.0/24, relays: 10.0.0.1}\n"),
             "rambox.yaml:7:40: error: the relay 10.0.0.1 is listed by subnet lab already; a relay's address "
             "stands "
             "for one subnet\n"),
        MAIN(SUBNET("    relays: 192.168.7.15\n    pools: 192.168.7.10-192.168.7.19\n"),
             "rambox.yaml:6:12: error: the pool 192.168.7.10-192.168.7.19 holds the relay 192.168.7.15; it "
             "would be "
             "given to a node\n"),
        MAIN(SUBNET("    ipv6_only: 299s\n"),
             "rambox.yaml:5:16: error: \"299s\" is no wait without IPv4; expected at "
             "least 300 s, which clients make of less, like 30m\n"),
        MAIN(SUBNET("    unknown: discover\n"), "rambox.yaml:5:14: error: unknown: discover needs \"pools\": "
                                                "unknown machines get their addresses from "
                                                "there\n"
                                                "rambox.yaml:5:14: error: unknown: discover needs "
                                                "\"unknown_profile\": what unknown machines boot\n"),
        MAIN(SUBNET("    dhcp: porxy\n"),
             "rambox.yaml:5:11: error: \"porxy\" is no way to do DHCP; expected full "
             "(rambox gives the addresses) or proxy (another server does); did you mean "
             "\"proxy\"?\n"),
        MAIN(SUBNET("    dhcp: proxy\n    unknown: allow\n"),
             "rambox.yaml:6:14: error: unknown: allow needs \"unknown_profile\": what unknown machines "
             "boot\n"),
        MAIN(SUBNET("    dhcp: proxy\n    unknown: allow\n    unknown_profile: default\n    router: "
                    "192.168.7.1\n"),
             ""),
        MAIN(SUBNET("    bootp: yes\n    pools: 192.168.7.9-192.168.7.19\n    dhcp: proxy\n    options: {23: "
                    "64}\n"),
             "rambox.yaml:7:11: warning: with dhcp: proxy another server gives addresses and options; "
             "without effect "
             "in subnet lab: pools, options, bootp\n"),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

static void assert_option(const struct option_values *values, uint8_t code, const char *hex, bool always)
{
    const struct option_value *value = option_values_find(values, code);
    assert_non_null(value);
    cleanup_str struct str text = {0};
    for (size_t i = 0; i < value->size; i++)
        str_printf(&text, "%02x", value->data[i]);
    assert_string_equal(str_text(&text), hex);
    assert_int_equal(value->always, always);
}

static void check_subnet_values(const struct site *site)
{
    const struct subnet *lab = &site->subnets.items[0], *rack = &site->subnets.items[1],
                        *other = &site->subnets.items[2], *quick = &site->subnets.items[3];
    assert_int_equal(lab->pools.n, 2);
    assert_int_equal(lab->pools.items[0].class_number, 1);
    assert_string_equal(lab->pools.items[0].class, "phones");
    assert_int_equal(lab->pools.items[1].class_number, 0);
    assert_int_equal(lab->relays.n, 2);
    assert_int_equal(lab->min_lease_s, 600);
    assert_int_equal(lab->renew.seconds, 21600);
    assert_int_equal(lab->renew.thousandths, 0);
    assert_int_equal(lab->rebind.thousandths, 875);
    assert_true(lab->bootp);
    assert_false(lab->probe);
    assert_int_equal(lab->ipv6_only_s, 1800);
    assert_int_equal(lab->unknown, UNKNOWN_DISCOVER);
    assert_int_equal(lab->discovery_lease_s, 300);
    assert_int_equal(lab->options.list.n, 4);
    assert_option(&lab->options, 26, "2328", false);
    /* RFC 3442: with the router as default route. */
    assert_option(&lab->options, 121, "080ac0a8070200c0a80701", false);
    assert_option(&lab->options, 119, "03656e67036c616200c000", false);
    assert_option(&lab->options, 66, "796573", false); /* text stays what it is */
    /* A default route of its own is enough. */
    assert_option(&rack->options, 121, "000a010001", false);
    assert_int_equal(rack->rebind.thousandths, 950); /* moved by renew */
    assert_int_equal(rack->renew.thousandths, 900);
    assert_true(rack->probe);
    assert_int_equal(other->mode, DHCP_PROXY);
    assert_int_equal(other->unknown, UNKNOWN_ALLOW);
    assert_int_equal(quick->lease_s, 30);
    assert_int_equal(quick->min_lease_s, 30); /* moved by lease */
    assert_int_equal(quick->max_lease_s, 86400);
    assert_int_equal(quick->rebind.thousandths, 350);
    assert_int_equal(quick->renew.thousandths, 200); /* moved by rebind */
    assert_int_equal(site->subnets.items[4].min_lease_s, 172800);
    assert_int_equal(site->subnets.items[4].lease_s, 172800); /* moved by min_lease */
    assert_int_equal(site->subnets.items[4].max_lease_s, 172800);
}

/* Everything that a configuration can say of DHCP. */
static void test_values(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    put(f->config, "rambox.yaml",
        "options:\n  ntp-servers: [192.168.7.1, 192.168.7.2]\n  224: {u16: 5}\n  225: {text: \"x\"}\n"
        "  226: {hex: \"0a0b\"}\n  227: phones\n  root-path: {value: \"no\", always: yes}\n  23: 64\n"
        "  19: yes\n  228: {ipv4: [1.1.1.1, 1.1.1.2], always: no}\n"
        "classes:\n"
        "  phones:\n    match: {vendor_class: [\"yealink*\", \"SIP-?\"], user_class: x, host_name: p*, "
        "circuit_id: "
        "0x0104*,\n            remote_id: \"*rack1*\", mac: \"52-54-AB:*\", arch: [uefi-x64, bios, 250]}\n"
        "    options: {tftp-server-name: phones.lab}\n    profile: shell\n    boot_file: phone.bin\n"
        "subnets:\n"
        "  lab:\n    prefix: 192.168.7.0/24\n    router: 192.168.7.1\n    relays: [192.168.7.1, 10.9.0.1]\n"
        "    pools: [{range: 192.168.7.20-192.168.7.29, class: phones}, 192.168.7.100-192.168.7.199]\n"
        "    lease: 1d\n    min_lease: 10m\n    renew: 6h\n    rebind: 87.5%\n    mtu: 9000\n"
        "    routes: 10.0.0.0/8 via 192.168.7.2\n    dns_search: [eng.lab, eng.lab]\n    bootp: yes\n    "
        "probe: no\n"
        "    ipv6_only: 30m\n    unknown: discover\n    unknown_profile: shell\n    discovery_lease: 5m\n"
        "    options: {tftp-server-name: yes}\n"
        "  rack: {prefix: 10.1.0.0/24, router: 10.1.0.254, routes: [0.0.0.0/0 via 10.1.0.1], renew: 90%}\n"
        "  other: {prefix: 10.2.0.0/24, dhcp: proxy, unknown: allow, unknown_profile: default}\n"
        "  quick: {prefix: 10.3.0.0/24, lease: 30, rebind: 35%}\n"
        "  slow: {prefix: 10.4.0.0/24, min_lease: 2d}\n"
        "profiles:\n"
        "  default: {kernel: smallest, image: smallest, options: {time-offset: -3600}, boot_file: "
        "\"https://boot.example/x.efi\"}\n"
        "  shell: {kernel: embedded, root: shell}\n");
    put(f->config, "nodes.d/two.yaml",
        "node: n1\nmac: 52-54-00-12-34-56\nip: 192.168.7.11\nprofile: default\noptions: {arp-cache-timeout: "
        "60}\n"
        "---\nnode: n2\nmac: 52:54:00:12:34:57\n");
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    assert_int_equal(diags.list.n, 0);

    assert_int_equal(site->options.list.n, 9);
    assert_option(&site->options, 42, "c0a80701c0a80702", false);
    assert_option(&site->options, 224, "0005", false);
    assert_option(&site->options, 225, "78", false);
    assert_option(&site->options, 226, "0a0b", false);
    assert_option(&site->options, 227, "70686f6e6573", false);
    assert_option(&site->options, 17, "6e6f", true);
    assert_option(&site->options, 19, "01", false);
    assert_option(&site->options, 228, "0101010101010102", false);
    assert_int_equal(option_values_find(&site->options, 17)->pos.line, 7);

    const struct client_class *phones = site_class(site, "phones");
    assert_int_equal(phones->match[CLASS_VENDOR_CLASS].n, 2);
    assert_true(glob_match(&phones->match[CLASS_VENDOR_CLASS].items[1], "SIP-7", 5));
    assert_true(glob_match(&phones->match[CLASS_CIRCUIT_ID].items[0], "\1\4xyz", 5));
    assert_true(glob_match(&phones->match[CLASS_MAC].items[0], "52:54:ab:00:00:01", 17));
    assert_true(glob_match(&phones->match[CLASS_REMOTE_ID].items[0], "dc rack1/2", 10));
    static const uint16_t archs[] = {7, 9, 0, 250};
    assert_int_equal(phones->archs.n, 4);
    assert_memory_equal(phones->archs.items, archs, sizeof(archs));
    assert_option(&phones->options, 66, "70686f6e65732e6c6162", false);
    assert_string_equal(phones->profile, "shell");
    assert_string_equal(phones->boot_file, "phone.bin");

    check_subnet_values(site);
    assert_option(&site_profile(site, "default")->options, 2, "fffff1f0", false);
    assert_string_equal(site_profile(site, "default")->boot_file, "https://boot.example/x.efi");
    const struct node *n1 = site_node_by_name(site, "n1"), *n2 = site_node_by_name(site, "n2");
    assert_true(n1->has_profile);
    assert_option(&n1->options, 35, "0000003c", false);
    assert_false(n2->has_profile);
    assert_string_equal(n2->profile, "default");
}

/* A node with options of every kind is written so that it reads back as it was. */
static void test_add_node_with_options(void **state)
{
    static const struct {
        uint8_t code;
        bool always;
        const char *data;
        size_t size;
    } options[] = {
        {6, false, "\xc0\xa8\x07\x01\x09\x09\x09\x09", 8},
        {26, true, "\x05\xdc", 2},
        {26 + 1, false, "\x02", 1}, /* no boolean: kept as bytes */
        {17, false, "a \"b\" \\ # \xc3\xa4", 12},
        {14, false, "a\xc2\x85z", 4}, /* a line break to some readers of YAML */
        {119, false, "\x03lab\x00", 5},
        {121, false, "\x00\xc0\xa8\x07\x01", 5},
        {224, false, "phones", 6},
        {225, true, "\x00\x01", 2},
    };
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    put(f->config, "rambox.yaml", GOOD);
    struct node node = {
        .name = xstrdup("n1"), .mac = {{0x52, 0x54, 0, 0, 0, 1}}, .profile = xstrdup("default")};
    node.has_profile = true;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        struct option_value *value = VEC_ADD(&node.options.list);
        *value = (struct option_value){.code = options[i].code, .always = options[i].always};
        value->size = (uint16_t)options[i].size;
        value->data = xmalloc(value->size);
        memcpy(value->data, options[i].data, value->size);
    }
    assert_int_equal(config_add_nodes(f->config, f->share, &node, 1, &diags), 0);
    node_clear(&node);
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    const struct node *back = site_node_by_name(site, "n1");
    assert_true(back->has_profile);
    assert_int_equal(back->options.list.n, ARRAY_SIZE(options));
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        const struct option_value *value = &back->options.list.items[i];
        assert_int_equal(value->code, options[i].code);
        assert_int_equal(value->always, options[i].always);
        assert_int_equal(value->size, options[i].size);
        assert_memory_equal(value->data, options[i].data, value->size);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_option_mistakes), TEST(test_long_option),
        TEST(test_class_mistakes),  TEST(test_many_classes),
        TEST(test_boot_files),      TEST(test_subnet_mistakes),
        TEST(test_values),          TEST(test_add_node_with_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

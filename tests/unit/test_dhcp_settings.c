/* serve/dhcp: what definitions set for a client: options, classes, lease times, names, boot files. */
#include "dhcp_bed.h"
#include "serve/bootfile.h"

static void set_bytes(struct option_values *values, uint8_t code, const void *data, size_t n, bool always)
{
    struct option_value *v = VEC_ADD(&values->list);
    *v = (struct option_value){.code = code, .always = always, .size = (uint16_t)n, .data = xmalloc(n)};
    memcpy(v->data, data, n);
}

static void set_option(struct option_values *values, uint8_t code, const char *text, bool always)
{
    set_bytes(values, code, text, strlen(text), always);
}

static struct client_class *add_class(struct site *site, const char *name)
{
    struct client_class *class = VEC_ADD(&site->classes);
    class->name = xstrdup(name);
    return class;
}

static void add_match(struct client_class *class, enum class_field field, const char *pattern)
{
    assert_int_equal(glob_parse(pattern, VEC_ADD(&class->match[field])), 0);
}

static void put_asked(const char *codes)
{
    PUT(DHCP_PARAMETER_LIST, (uint8_t)strlen(codes));
    put(codes, strlen(codes));
}

static void assert_text(uint8_t code, const char *text)
{
    assert_option(code, text, strlen(text));
}

static void test_most_particular_wins(void **state)
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    struct client_class *class = add_class(site, "all");
    add_match(class, CLASS_MAC, "*");
    struct option_values *levels[] = {&site->options, &site->subnets.items[0].options, &class->options,
                                      &site->profiles.items[0].options, &site->nodes.items[0].options};
    static const char *const names[] = {"site", "subnet", "class", "profile", "node"};
    for (size_t level = 0; level < ARRAY_SIZE(levels); level++)
        for (size_t i = 0; i <= level; i++) /* code 224: all five set it, 228: the site alone */
            set_option(levels[i], (uint8_t)(228 - level), names[i], true);
    use_site(site, 2);
    discover(&n1_mac);
    for (size_t level = 0; level < ARRAY_SIZE(levels); level++)
        assert_text((uint8_t)(228 - level), names[level]);
    discover(&other_mac); /* no entry: its profile is another */
    assert_text(224, "class");
    assert_text(228, "site");
}

static void test_asked_for_or_always(void **state) /* D10 */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    set_option(&site->options, 224, "asked", false);
    set_option(&site->options, 225, "always", true);
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac);
    put_asked("\x01");
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, 224));
    assert_text(225, "always");
    message(DHCP_DISCOVER, &n1_mac);
    put_asked("\xe0\x01");
    assert_int_equal(handle(), DHCP_SEND);
    assert_text(224, "asked");
}

static void test_long_option(void **state) /* D16: split on the wire, whole for the client */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    char text[601];
    memset(text, 'x', 600);
    text[600] = '\0';
    set_option(&site->options, 224, text, false);
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac);
    put_asked("\xe0");
    PUT(DHCP_MAX_SIZE, 2, 5, 0xdc);
    assert_int_equal(handle(), DHCP_SEND);
    assert_text(224, text);
    message(DHCP_DISCOVER, &n1_mac); /* D18: too long for a client that takes 576 bytes: left out whole */
    put_asked("\xe0");
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, 224));
    assert_true(bed.outcome.size <= 548);
}

static void test_setting_beats_shorthand(void **state)
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    set_bytes(&site->profiles.items[0].options, DHCP_ROUTER, "\x0a\x07\x00\x63", 4, false);
    set_bytes(&site->profiles.items[0].options, DHCP_DNS, "\x08\x08\x08\x08", 4, false);
    use_site(site, 2);
    discover(&n1_mac);
    assert_int_equal(number(DHCP_ROUTER), 0x0a070063);
    assert_int_equal(number(DHCP_DNS), 0x08080808);
    assert_text(DHCP_DOMAIN_NAME, "lab.example");
}

static void test_shorthand_beats_the_site(void **state)
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    set_bytes(&site->options, DHCP_ROUTER, "\x01\x01\x01\x01", 4, true);
    set_bytes(&site->options, DHCP_DNS, "\x08\x08\x08\x08", 4, true);
    set_option(&site->options, DHCP_DOMAIN_NAME, "site.example", false);
    site->subnets.items[1].unknown = UNKNOWN_ALLOW; /* `far` has neither */
    use_site(site, 2);
    discover(&n1_mac);
    assert_int_equal(number(DHCP_ROUTER), 0x0a0700fe);
    assert_int_equal(number(DHCP_DNS), 0x0a070035);
    assert_text(DHCP_DOMAIN_NAME, "lab.example");
    message(DHCP_DISCOVER, &other_mac);
    put_u32(24, 0x0a090001);
    assert_int_not_equal(handle(), DHCP_SILENT);
    assert_int_equal(number(DHCP_ROUTER), 0x01010101);
    assert_int_equal(number(DHCP_DNS), 0x08080808);
    assert_text(DHCP_DOMAIN_NAME, "site.example");
}

static void test_vendor_options_of_others(void **state) /* 43 and 60 as set, but to firmware our own */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    set_option(&site->options, DHCP_VENDOR_SPECIFIC, "controller", true);
    set_option(&site->options, DHCP_VENDOR_CLASS, "phones", true);
    use_site(site, 2);
    discover(&n1_mac);
    assert_text(DHCP_VENDOR_SPECIFIC, "controller");
    assert_text(DHCP_VENDOR_CLASS, "phones");
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    assert_int_equal(handle(), DHCP_SEND);
    assert_text(DHCP_VENDOR_CLASS, "PXEClient");
    assert_option(DHCP_VENDOR_SPECIFIC, "\x01\x04\0\0\0\0\x06\x01\x08\xff", 10);
}

/* One field, a pattern for it, and the part of a message that matches or does not. */
static void assert_class(const char *option, size_t n, bool member)
{
    message(DHCP_DISCOVER, &n1_mac);
    put(option, n);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(dhcp_has(&bed.reply, 230), member);
}

static void use_class(enum class_field field, const char *pattern, unsigned generation)
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    struct client_class *class = add_class(site, "some");
    add_match(class, field, "never");
    add_match(class, field, pattern);
    set_option(&class->options, 230, "member", true);
    use_site(site, generation);
}

static void test_class_fields(void **state)
{
    use_class(CLASS_VENDOR_CLASS, "MSFT *", 2);
    assert_class("\x3c\x08MSFT 5.0", 10, true);
    assert_class("\x3c\x07MSFT5.0", 9, false);
    assert_class("", 0, false);
    use_class(CLASS_USER_CLASS, "kiosk", 3);
    assert_class("\x4d\x05kiosk", 7, true);
    assert_class("\x4d\x0a\x03old\x05kiosk", 12, true);
    assert_class("\x4d\x06kiosks", 8, false);
    use_class(CLASS_HOST_NAME, "k-??", 4);
    assert_class("\x0c\x04k-01", 6, true);
    assert_class("\x0c\x05k-001", 7, false);
    use_class(CLASS_CIRCUIT_ID, "0x0004*", 5);
    assert_class("\x52\x08\x01\x03\x00\x04\x09\x02\x01z", 10, true);
    assert_class("\x52\x05\x01\x03\x00\x05\x09", 7, false);
    assert_class("\x52\x05\x02\x03\x00\x04\x09", 7, false); /* that is the remote id */
    use_class(CLASS_REMOTE_ID, "rack1-*", 6);
    assert_class("\x52\x0c\x01\x01p\x02\x07rack1-7", 14, true);
    assert_class("\x52\x0c\x01\x01p\x02\x07rack2-7", 14, false);
    assert_class("\x52\x06\x02\x07rack", 8, false); /* hostile: a sub-option past the end of 82 */
    use_class(CLASS_MAC, "52:54:00:*", 7);
    assert_class("", 0, true);
    use_class(CLASS_MAC, "52:54:01:*", 8);
    assert_class("", 0, false);
}

static void test_class_of_all_its_fields(void **state)
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    struct client_class *class = add_class(site, "uefi-kiosk");
    add_match(class, CLASS_VENDOR_CLASS, "PXEClient*");
    VEC_PUSH(&class->archs, 7);
    VEC_PUSH(&class->archs, 9);
    set_option(&class->options, 230, "member", true);
    use_site(site, 2);
    assert_class("\x3c\x09PXEClient\x5d\x04\x00\x06\x00\x09", 17, true); /* P1: any of the list */
    assert_class("\x3c\x09PXEClient\x5d\x02\x00\x00", 15, false);
    assert_class("\x3c\x09PXEClient", 11, false);
    assert_class("\x3c\x03old\x5d\x02\x00\x09", 9, false);
}

static void test_class_pool(void **state) /* its pool first, then everybody's; nobody else gets into it */
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    struct client_class *class = add_class(site, "rack1");
    struct mac in = {{2, 1, 0, 0, 0, 1}}, too = {{2, 1, 0, 0, 0, 2}}, out = {{2, 2, 0, 0, 0, 1}};
    add_match(class, CLASS_MAC, "02:01:*");
    VEC_PUSH(&site->subnets.items[0].pools, ((struct pool){.first = 0x0a0700c8, .last = 0x0a0700c8}));
    site->subnets.items[0].pools.items[1].class = xstrdup("rack1");
    use_site(site, 2);
    assert_int_equal(bind_client(&out), POOL_1);
    assert_int_equal(bind_client(&in), 0x0a0700c8);
    assert_int_equal(bind_client(&too), POOL_1 + 1);
    request(&out, 0x0a0700c8); /* asks for one of the class's */
    assert_int_equal(bed.outcome.reply, DHCP_NAK);
}

static void test_class_profile(void **state) /* for machines that name none themselves */
{
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    struct client_class *class = add_class(site, "kiosk");
    add_match(class, CLASS_USER_CLASS, "kiosk");
    class->profile = xstrdup("kiosk");
    add_profile(site, "kiosk");
    site->nodes.items[1].has_profile = true; /* n2 says `default` */
    use_site(site, 2);
    static const struct {
        const struct mac *mac;
        const char *profile;
    } rows[] = {{&n1_mac, "kiosk"}, {&n2_mac, "default"}, {&other_mac, "kiosk"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct boot boot;
        message(DHCP_DISCOVER, rows[i].mac);
        put_pxe();
        put("\x4d\x05kiosk", 7);
        assert_int_not_equal(handle(), DHCP_SILENT);
        assert_true(boot_table_by_mac(bed.boots, rows[i].mac, &boot, NULL));
        assert_string_equal(boot.profile, rows[i].profile);
    }
}

/* P1: the boot knows the processor of its machine by the firmware's architecture; without one BIOS is meant.
 */
static void test_architecture_of_a_boot(void **state)
{
    static const struct {
        char option[5]; /* 93 */
        size_t size;
        enum cpu_arch arch;
    } rows[] = {{"\x5d\x02\x00\x07", 4, ARCH_X86_64},
                {"\x5d\x02\x00\x0b", 4, ARCH_ARM64},
                {"\x5d\x02\x00\x0a", 4, ARCH_ARM64}, /* of none that is known: what was known stays */
                {"", 0, ARCH_X86_64}};
    (void)state;
    use_site(fixture_site(UNKNOWN_DENY), 2);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct boot boot;
        message(DHCP_DISCOVER, &n1_mac);
        put("\x3c\x09PXEClient", 11);
        put(rows[i].option, rows[i].size);
        handle();
        if (!boot_table_by_mac(bed.boots, &n1_mac, &boot, NULL))
            fail_msg("row %zu began no boot", i);
        assert_int_equal(boot.arch, rows[i].arch);
    }
}

static void test_boot_files(void **state) /* P1, P2, P4 */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    struct client_class *uefi = add_class(site, "uefi"), *http;
    VEC_PUSH(&uefi->archs, 7);
    uefi->boot_file = xstrdup("snponly.efi");
    http = add_class(site, "http");
    VEC_PUSH(&http->archs, 16);
    http->boot_file = xstrdup("http://10.7.0.1/boot.efi");
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac);
    put("\x3c\x09PXEClient\x5d\x02\x00\x07", 15);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "snponly.efi");
    assert_option(DHCP_BOOT_FILE, "snponly.efi", sizeof("snponly.efi")); /* P3: with its NUL */
    assert_int_equal(bed.reply.siaddr, SERVER);
    message(DHCP_DISCOVER, &n1_mac); /* P2 */
    put("\x3c\x0aHTTPClient\x5d\x02\x00\x10", 16);
    assert_int_equal(handle(), DHCP_SEND);
    assert_text(DHCP_VENDOR_CLASS, "HTTPClient");
    assert_text(DHCP_BOOT_FILE, "http://10.7.0.1/boot.efi");
    assert_false(dhcp_has(&bed.reply, DHCP_VENDOR_SPECIFIC));
    message(DHCP_DISCOVER, &n1_mac); /* P1: it has no row: an address all the same, and an alert */
    put("\x3c\x0aHTTPClient\x5d\x02\x00\x0f", 16);
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, DHCP_BOOT_FILE));
    assert_non_null(strstr(bed.events.detail[EVENT_DHCP_ALERT], "architecture 15"));
    assert_non_null(strstr(bed.events.detail[EVENT_DHCP_ALERT], "boot_file"));
    message(DHCP_DISCOVER,
            &n1_mac); /* P9: the iPXE that was named asks, and is not told to load itself again */
    put("\x3c\x09PXEClient\x5d\x02\x00\x07\x4d\x04iPXE\xaf\3\x13\1\1", 26);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "http://10.7.0.1:8069/boot.ipxe");
    free(http->boot_file);
    http->boot_file = xstrdup("snponly.efi");
    message(DHCP_DISCOVER, &n1_mac); /* P2: a file of ours by its URL */
    put("\x3c\x0aHTTPClient\x5d\x02\x00\x10", 16);
    assert_int_equal(handle(), DHCP_SEND);
    assert_text(DHCP_BOOT_FILE, "http://10.7.0.1:8069/snponly.efi");
    site->server.https_port = 8443; /* by TLS, where the firmware trusts us; iPXE has none */
    site->server.tls_boot = true;
    message(DHCP_DISCOVER, &n1_mac);
    put("\x3c\x0aHTTPClient\x5d\x02\x00\x10", 16);
    assert_int_equal(handle(), DHCP_SEND);
    assert_text(DHCP_BOOT_FILE, "https://10.7.0.1:8443/snponly.efi");
    message(DHCP_DISCOVER, &n1_mac);
    put("\x3c\x09PXEClient\x5d\x02\x00\x07\x4d\x04iPXE\xaf\3\x13\1\1", 26);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "http://10.7.0.1:8069/boot.ipxe");
}

static void set_loader(enum loader loader)
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    site->profiles.items[0].loader = loader;
    use_site(site, 2);
}

static void test_loaders(void **state) /* a profile's loader; what is not there is named with its package */
{
    set_loader(LOADER_LPXELINUX);
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "lpxelinux.0");
    assert_text(DHCP_PXELINUX_PREFIX, "http://10.7.0.1:8069/");
    message(DHCP_DISCOVER, &n1_mac); /* a firmware that cannot use it has its own */
    put("\x3c\x09PXEClient\x5d\x02\x00\x07", 15);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "grubx64.efi");
    assert_false(dhcp_has(&bed.reply, DHCP_PXELINUX_PREFIX));
    dhcp_server_set_programs(bed.server, BOOTFILE_ALL & ~(1u << PROGRAM_GRUB_X64));
    message(DHCP_DISCOVER, &n1_mac);
    put("\x3c\x09PXEClient\x5d\x02\x00\x07", 15);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "snponly.efi");
    assert_int_equal(bed.events.n[EVENT_DHCP_ALERT], 0);
    set_loader(LOADER_GRUB);
    message(DHCP_DISCOVER, &n1_mac);
    put("\x3c\x09PXEClient\x5d\x02\x00\x07", 15);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "snponly.efi"); /* better than nothing, and said */
    assert_non_null(strstr(bed.events.detail[EVENT_DHCP_ALERT], "grub-efi-amd64-signed"));
}

static void test_url_for_a_rom(void **state) /* P9: iPXE loads URLs; a ROM that cannot is not sent one */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    site->profiles.items[0].boot_file = xstrdup("http://10.7.0.1/boot.ipxe");
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    put("\x4d\x04iPXE", 6);
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "http://10.7.0.1/boot.ipxe");
    message(DHCP_DISCOVER, &n1_mac);
    put_pxe();
    assert_int_equal(handle(), DHCP_SEND);
    assert_string_equal(bed.reply.file, "");
    assert_non_null(strstr(bed.events.detail[EVENT_DHCP_ALERT], "URL"));
}

static void assert_times(uint32_t lease, uint32_t renew, uint32_t rebind)
{
    discover(&n1_mac);
    assert_int_equal(number(DHCP_LEASE_TIME), lease);
    assert_int_equal(number(DHCP_RENEWAL_TIME), renew);
    assert_int_equal(number(DHCP_REBINDING_TIME), rebind);
}

static void test_times(void **state) /* H3, §4.4.5: exact, fractions, bounds */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    struct subnet *lab = &site->subnets.items[0];
    use_site(site, 2);
    assert_times(86400, 43200, 75600);
    lab->renew = (struct lease_span){.thousandths = 250};
    lab->rebind = (struct lease_span){.seconds = 80000};
    assert_times(86400, 21600, 80000);
    lab->renew = (struct lease_span){.seconds = 90000}; /* beyond the rebinding, beyond the lease */
    assert_times(86400, 80000, 80000);
    lab->min_lease_s = 7200;
    message(DHCP_DISCOVER, &n1_mac);
    PUT(DHCP_LEASE_TIME, 4, 0, 0, 0, 1);
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_LEASE_TIME), 7200);
    message(DHCP_DISCOVER, &n1_mac);
    PUT(DHCP_LEASE_TIME, 4, 0xff, 0xff, 0xff, 0xff); /* for ever */
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_LEASE_TIME), 86400);
}

static void test_fqdn(void **state) /* RFC 4702 */
{
    static const uint8_t n1_wire[] = "\x08\xff\xff\x02n1\x03lab\x07"
                                     "example";
    message(DHCP_DISCOVER, &n1_mac);
    put("\x51\x0a\x05\0\0\x03xyz\x01q\0", 12); /* S, E: it wants us to update the DNS */
    assert_int_equal(handle(), DHCP_SEND);
    uint8_t want[sizeof(n1_wire)];
    memcpy(want, n1_wire, sizeof(want)); /* with the root's length 0 at the end */
    want[0] = DHCP_FQDN_E | DHCP_FQDN_N | DHCP_FQDN_O;
    assert_option(DHCP_FQDN, want, sizeof(want));
    message(DHCP_DISCOVER, &n1_mac);
    put("\x51\x06\0\0\0abc", 8);
    assert_int_equal(handle(), DHCP_SEND);
    assert_option(DHCP_FQDN, "\x08\xff\xffn1.lab.example", 17);
    message(DHCP_DISCOVER, &n1_mac);
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, DHCP_FQDN)); /* only to one that sent it */
    message(DHCP_DISCOVER, &n1_mac);
    put("\x51\x02\0\0", 4); /* hostile: too short */
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, DHCP_FQDN));
}

static void test_name_by_fqdn(void **state) /* the lease's host name, where 12 is not sent */
{
    ipv4_t ip = discover(&other_mac);
    start_request(&other_mac, ip);
    put("\x51\x0c\x04\0\0\x04host\x02xy\0", 14);
    assert_int_equal(handle(), DHCP_SEND_WHEN_DURABLE);
    assert_string_equal(bed.outcome.lease.hostname, "host");
}

static void test_ipv6_only(void **state) /* RFC 8925 */
{
    struct site *site = fixture_site(UNKNOWN_DENY);
    site->subnets.items[0].ipv6_only_s = 1800;
    use_site(site, 2);
    message(DHCP_DISCOVER, &n1_mac);
    put_asked("\x01\x6c");
    assert_int_equal(handle(), DHCP_SEND);
    assert_int_equal(number(DHCP_IPV6_ONLY), 1800);
    message(DHCP_DISCOVER, &n1_mac); /* it MUST NOT be sent to one that does not ask */
    put_asked("\x01");
    assert_int_equal(handle(), DHCP_SEND);
    assert_false(dhcp_has(&bed.reply, DHCP_IPV6_ONLY));
    discover(&n1_mac);
    assert_false(dhcp_has(&bed.reply, DHCP_IPV6_ONLY));
}

static void test_globs(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"abc", "abc", true},     {"abc", "abcd", false},   {"a*", "a", true},      {"*", "", true},
        {"a*c*e", "abcde", true}, {"a*c*e", "abde", false}, {"a?c", "abc", true},   {"a?c", "ac", false},
        {"*ab", "aab", true},     {"*ab", "aba", false},    {"0x6162", "ab", true}, {"0x61*", "axyz", true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct glob glob;
        assert_int_equal(glob_parse(rows[i].pattern, &glob), 0);
        assert_int_equal(glob_match(&glob, rows[i].text, strlen(rows[i].text)), rows[i].matches);
        glob_free(&glob);
    }
    static const char *const bad[] = {"", "0x", "0x1", "0x1g", "0x12*3"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_not_equal(glob_parse(bad[i], &(struct glob){0}), 0);
}

#define TEST(name)       cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
#define TEST_ALLOW(name) cmocka_unit_test_setup_teardown(test_##name, setup_allow, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ALLOW(most_particular_wins),
        TEST(asked_for_or_always),
        TEST(long_option),
        TEST(setting_beats_shorthand),
        TEST(shorthand_beats_the_site),
        TEST(vendor_options_of_others),
        TEST(class_fields),
        TEST(class_of_all_its_fields),
        TEST_ALLOW(class_pool),
        TEST_ALLOW(class_profile),
        TEST(boot_files),
        TEST(architecture_of_a_boot),
        TEST(loaders),
        TEST(url_for_a_rom),
        TEST(times),
        TEST(fqdn),
        TEST_ALLOW(name_by_fqdn),
        TEST(ipv6_only),
        TEST(globs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Moving in: what comes over from each format, the exact place of everything that does not, and how several
 * sources become one node. Hostile files give an error, with its place. */
#include "test.h"

#include "base/file.h"
#include "base/str.h"
#include "import/import.h"

#include <stdio.h>
#include <stdlib.h>

/* A text, the nodes it makes (`NAME MAC IP UUID CMDLINE`, what is missing left out, a line each), and the
 * beginnings of all that is said of it. */
struct sample {
    enum import_format format;
    const char *text, *nodes, *said;
};

static void describe(const struct import_nodes *nodes, struct str *out)
{
    char mac[MAC_TEXT_MAX], ip[IPV4_TEXT_MAX], uuid[UUID_TEXT_MAX];
    VEC_EACH(node, &nodes->nodes) {
        str_printf(out, "%s %s", node->name, mac_format(&node->mac, mac));
        if (node->ip)
            str_printf(out, " %s", ipv4_format(node->ip, ip));
        if (node->has_uuid)
            str_printf(out, " %s", uuid_format(node->uuid, uuid));
        if (node->cmdline)
            str_printf(out, " %s", node->cmdline);
        str_add(out, "\n");
    }
}

/* Every line that was printed begins with the line that was expected, and there are no more. */
static void check_said(const struct diags *diags, const char *said)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    diags_print(diags, out);
    fclose(out);
    const char *line = text;
    while (*said || *line) {
        size_t n = strcspn(said, "\n");
        if (n == 0 || strncmp(line, said, n) != 0)
            fail_msg("said:\n%s\nexpected here:\n%s", line, said);
        said += n + (said[n] == '\n');
        line += strcspn(line, "\n") + 1;
    }
    free(text);
}

/* A site without nodes unless `site` has some. */
static void check_joined(const struct import *import, struct site *site, struct diags *diags,
                         const char *nodes, const char *said)
{
    cleanup_str struct str found = {0};
    struct import_nodes joined = {0};
    CLEANUP(site_free) struct site *empty = site_new();
    assert_int_equal(site_index(empty, diags), 0);
    import_join(import, site ? site : empty, NULL, &joined, diags);
    describe(&joined, &found);
    import_nodes_free(&joined);
    assert_string_equal(str_text(&found), nodes);
    check_said(diags, said);
}

static void check_samples(const struct sample *samples, size_t n)
{
    for (const struct sample *s = samples; s < samples + n; s++) {
        cleanup_import struct import import = {0};
        cleanup_diags struct diags diags = {0};
        int r = import_parse(s->format, "f", s->text, strlen(s->text), &import, &diags);
        assert_int_equal(r<0, diags.errors> 0);
        check_joined(&import, NULL, &diags, s->nodes, s->said);
    }
}

static void test_dnsmasq(void **state)
{
    static const struct sample samples[] = {
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,n1,192.168.7.11\n",
         "n1 52:54:00:00:00:01 192.168.7.11\n", ""},
        {IMPORT_DNSMASQ, "52:54:00:00:00:01,192.168.7.11,n1 # a file of hosts\n",
         "n1 52:54:00:00:00:01 192.168.7.11\n", ""},
        {IMPORT_DNSMASQ, "  dhcp-host = \"52:54:0:0:0:1\",\"n1\"\n#dhcp-host=52:54:00:00:00:02\n",
         "n1 52:54:00:00:00:01\n", ""},
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,n1,12h\ndhcp-host=52:54:00:00:00:02,infinite\n",
         "n1 52:54:00:00:00:01\nnode-525400000002 52:54:00:00:00:02\n",
         "f:1:32: warning: the lease time is not taken over\nf:2:29: warning: the lease time is not taken "
         "over\n"},
        {IMPORT_DNSMASQ, "dhcp-host=set:red,52:54:00:00:00:01,tag:eth1,n1,[fd00::1]\n",
         "n1 52:54:00:00:00:01\n",
         "f:1:11: warning: the tag red is not taken over\nf:1:37: warning: tag:eth1 limits this line\n"
         "f:1:49: warning: the IPv6 address is not taken over\n"},
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,52:54:00:00:00:02,n1\n", "n1 52:54:00:00:00:01\n",
         "f:1:29: warning: a node has one MAC address\n"},
        {IMPORT_DNSMASQ, "dhcp-host=id:01:52:54:00:00:00:01,n1\n", "n1 52:54:00:00:00:01\n", ""},
        {IMPORT_DNSMASQ,
         "dhcp-host=52:54:00:00:00:01,id:00:12:3e:45:67:e8:9b:12:d3:a4:56:42:66:14:17:40:00,n1\n",
         "n1 52:54:00:00:00:01 123e4567-e89b-12d3-a456-426614174000\n", ""},
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,id:*\n", "node-525400000001 52:54:00:00:00:01\n", ""},
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,id:text,n1\n", "n1 52:54:00:00:00:01\n",
         "f:1:29: warning: the client identifier is not taken over\n"},
        {IMPORT_DNSMASQ, "dhcp-host=n1,192.168.7.11\n", "",
         "f:1:11: warning: this line names no MAC address, and rambox knows a node by its MAC address: "
         "`rambox node "
         "add n1 --mac MAC --ip 192.168.7.11`\n"},
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,ignore\n", "",
         "f:1:11: warning: this machine is ignored by dnsmasq\n"},
        {IMPORT_DNSMASQ,
         "dhcp-host=52:54:*,n1\ndhcp-host=06-00:20:e0:3b:13:af\ndhcp-host=1-52:54:00:00:00:01,n1\n",
         "n1 52:54:00:00:00:01\n",
         "f:1:11: warning: a MAC address with * stands for many\nf:2:11: warning: hardware type 06 is not "
         "Ethernet\n"},
        {IMPORT_DNSMASQ, "dhcp-host=01:00:5e:00:00:01\ndhcp-host=52:54:00:00:00,n1\n", "",
         "f:1:11: warning: 01:00:5e:00:00:01 is not the address of one card\n"
         "f:2:11: warning: \"52:54:00:00:00\" is no MAC address of an Ethernet card\n"},
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,n1,n2,192.168.7.1,192.168.7.2\n",
         "n1 52:54:00:00:00:01 192.168.7.1\n",
         "f:1:32: warning: a node has one name\nf:1:47: warning: a node has one address\n"},
        {IMPORT_DNSMASQ,
         "dhcp-range=192.168.7.100,192.168.7.199\nconf-dir=/etc/dnsmasq.d\nexpand-hosts\n"
         "dhcp-range=192.168.8.100,192.168.8.199\nserver=192.168.7.1\n",
         "",
         "f:1:1: warning: dhcp-range is not taken over: write it as\nf:2:1: warning: conf-dir is not taken "
         "over\n"},
        {IMPORT_DNSMASQ, "dhcp-host=52:54:00:00:00:01,\"n1\ndhcp-host=52:54:00:00:00:02,n2\n",
         "n2 52:54:00:00:00:02\n",
         "f:1:29: error: the quote (\") that begins here is not closed on this line\n"},
    };
    (void)state;
    check_samples(samples, ARRAY_SIZE(samples));
}

static void test_isc(void **state)
{
    static const struct sample samples[] = {
        {IMPORT_ISC, "host n1 { hardware ethernet 52:54:00:00:00:01; fixed-address 192.168.7.11; }",
         "n1 52:54:00:00:00:01 192.168.7.11\n", ""},
        {IMPORT_ISC,
         "group { # all\n  shared-network a { subnet 192.168.7.0 netmask 255.255.255.0 {\n"
         "    host d { option host-name \"n1\"; hardware ethernet 52:54:0:0:0:1; } } } }\n",
         "n1 52:54:00:00:00:01\n",
         "f:2:3: warning: shared-network is not taken over\nf:2:22: warning: subnet is not taken over\n"},
        {IMPORT_ISC,
         "host n1{hardware ethernet 52:54:00:00:00:01;fixed-address 10.0.0.1,10.0.0.2,n1.example;}",
         "n1 52:54:00:00:00:01 10.0.0.1\n",
         "f:1:68: warning: a node has one address\nf:1:77: warning: the address of n1.example is not taken "
         "over\n"},
        {IMPORT_ISC,
         "host n1 {\n hardware ethernet 52:54:00:00:00:01;\n filename \"x\";\n next-server 10.0.0.1;\n"
         " option routers 10.0.0.1;\n foo bar;\n if known { option host-name \"n2\"; }\n}\n",
         "n1 52:54:00:00:00:01\n",
         "f:3:2: warning: filename is not taken over\nf:4:2: warning: next-server is not taken over\n"
         "f:5:2: warning: option routers is not taken over\nf:6:2: warning: foo is not taken over\n"
         "f:7:2: warning: a block within a host\n"},
        {IMPORT_ISC, "host n1 { option dhcp-client-identifier 1:52:54:00:00:00:01; }",
         "n1 52:54:00:00:00:01\n", ""},
        {IMPORT_ISC, "host n1 { fixed-address 10.0.0.1; }", "",
         "f:1:1: warning: this host has no `hardware ethernet`, and rambox knows a node by its MAC address: "
         "`rambox "
         "node add n1 --mac MAC --ip 10.0.0.1`\n"},
        {IMPORT_ISC,
         "host n1 { hardware ethernet 52:54:00:00:00:01; ignore booting; }\n"
         "host n2 { hardware token-ring 52:54:00:00:00:02; }",
         "",
         "f:1:48: warning: this host may not boot\nf:2:20: warning: hardware type token-ring is not "
         "Ethernet\n"},
        {IMPORT_ISC, "include \"/etc/dhcp/hosts\";\n", "",
         "f:1:1: warning: the file /etc/dhcp/hosts is not read\n"},
        {IMPORT_ISC, "host n1 { hardware ethernet 52:54:00:00:00:01; }\nhost n1 { dynamic; deleted; }\n",
         "n1 52:54:00:00:00:01\n", "f:2:20: warning: n1 was removed here\n"},
        {IMPORT_ISC, "host n1 { option host-name \"n1; }\n", "",
         "f:1:28: error: a string that begins here has no closing quote\n"},
        {IMPORT_ISC, "group {\n host n1 {\n", "", "f:2:2: error: the block that begins here has no \"}\"\n"},
        {IMPORT_ISC, "host n1 { fixed-address 10.0.0.1 }", "",
         "f:1:11: error: a statement has no \";\" at its end\n"},
        {IMPORT_ISC, "authoritative;\n }", "", "f:2:2: error: this \"}\" closes no block\n"},
        {IMPORT_ISC, "authoritative", "", "f:1:1: error: a statement has no \";\" at its end\n"},
    };
    (void)state;
    check_samples(samples, ARRAY_SIZE(samples));
}

static void test_kea(void **state)
{
    static const struct sample samples[] = {
        {IMPORT_KEA,
         "// x\n{ \"Dhcp4\": { \"reservations\": [ { \"hw-address\": \"52:54:00:00:00:01\" }, ], # y\n"
         "\"subnet4\": [ { \"reservations\": [ { \"hostname\": \"n2\", \"hw-address\": "
         "\"52:54:00:00:00:02\",\n"
         "\"ip-address\": \"10.0.0.2\" } ] } ], /* z\n */ \"shared-networks\": [ { \"subnet4\": [ { "
         "\"reservations\":\n"
         "[ { \"client-id\": \"01:52:54:00:00:00:03\", \"hostname\": \"n3\" } ] } ] } ] } }",
         "node-525400000001 52:54:00:00:00:01\nn2 52:54:00:00:00:02 10.0.0.2\nn3 52:54:00:00:00:03\n", ""},
        {IMPORT_KEA, "[ { \"hw-address\": \"52:54:00:00:00:01\", \"hostname\": \"n\\u0031\" } ]",
         "n1 52:54:00:00:00:01\n", ""},
        {IMPORT_KEA,
         "[ { \"duid\": \"00:03:00:01:52:54:00:00:00:01\", \"hostname\": \"n1\" },\n"
         "{ \"circuit-id\": \"'x'\" }, { \"flex-id\": \"'x'\", \"ip-address\": \"10.0.0.9\" } ]",
         "",
         "f:1:13: warning: the DUID is not taken over: rambox knows a node by its MAC address, which may be "
         "the "
         "52:54:00:00:00:01 in it\n"
         "f:1:3: warning: this reservation has no hw-address, and rambox knows a node by its MAC address: "
         "`rambox "
         "node add n1 --mac MAC`\n"
         "f:2:3: warning: circuit-id is not taken over\nf:2:1: warning: this reservation has no hw-address\n"
         "f:2:28: warning: flex-id is not taken over\n"
         "f:2:26: warning: this reservation has no hw-address, and rambox knows a node by its MAC address: "
         "`rambox "
         "node add NAME --mac MAC --ip 10.0.0.9`\n"},
        {IMPORT_KEA,
         "[ { \"hw-address\": \"52:54:00:00:00:01\",\n\"boot-file-name\": \"\", \"next-server\": "
         "\"0.0.0.0\",\n"
         "\"option-data\": [], \"server-hostname\": \"x\", \"other\": 1 } ]",
         "node-525400000001 52:54:00:00:00:01\n",
         "f:3:20: warning: server-hostname is not taken over\nf:3:44: warning: other is not taken over\n"},
        {IMPORT_KEA, "{ \"Dhcp6\": { \"reservations\": [ { } ] } }", "",
         "f:1:12: warning: Dhcp6 is not read\n"},
        {IMPORT_KEA,
         "{ \"Dhcp4\": { \"reservations\": <?include \"x\"?>, \"hosts-database\": { \"type\": \"x\" } } }",
         "",
         "f:1:30: warning: the included file is not read\nf:1:47: warning: hosts-database is not taken "
         "over\n"},
        {IMPORT_KEA, "[ { \"hw-address\": 7 } ]", "", "f:1:19: warning: \"7\" is no MAC address\n"},
        {IMPORT_KEA, "{ \"a\": [ }", "", "f:1:10: error: unexpected \"}\"; expected a value\n"},
        {IMPORT_KEA, "{ \"a\": 1,\n  \"b\": [", "", "f:2:8: error: what begins here has no \"]\"\n"},
        {IMPORT_KEA, "{ \"a\" 1 }", "", "f:1:7: error: unexpected \"1\"; expected \":\" behind the key\n"},
        {IMPORT_KEA, "{ \"a: 1\n}", "", "f:1:3: error: a string that begins here has no closing quote\n"},
        {IMPORT_KEA, "{ /* a }", "", "f:1:3: error: the comment that begins here has no */\n"},
        {IMPORT_KEA, "[ 1 2 ]", "", "f:1:5: error: unexpected \"2\"; expected \",\" or \"]\"\n"},
        {IMPORT_KEA, "[ \"\\x\" ]", "", "f:1:5: error: unexpected \"x\"; expected one of\n"},
    };
    (void)state;
    check_samples(samples, ARRAY_SIZE(samples));
}

/* PXELINUX's file of 52:54:00:00:00:01. */
static void check_pxelinux(const char *text, const char *cmdline, const char *said)
{
    cleanup_import struct import import = {0};
    cleanup_diags struct diags diags = {0};
    cleanup_free char *nodes =
        !cmdline ? xstrdup("")
                 : xasprintf("node-525400000001 52:54:00:00:00:01%s%s\n", cmdline[0] ? " " : "", cmdline);
    assert_int_equal(
        import_parse(IMPORT_PXELINUX, "x/01-52-54-00-00-00-01", text, strlen(text), &import, &diags), 0);
    check_joined(&import, NULL, &diags, nodes, said);
}

static void test_pxelinux(void **state)
{
#define AT     "x/01-52-54-00-00-00-01"
#define KERNEL AT ":1:1: warning: the kernel k and its initrd are not taken over\n"
    (void)state;
    check_pxelinux("LABEL a\nKERNEL k\nAPPEND initrd=i ip=dhcp BOOTIF=x rw rambox panic=1 x=\"a b\"\n",
                   "panic=1 x=\"a b\"", KERNEL);
    check_pxelinux("default k quiet\nprompt 0\n", "quiet", KERNEL);
    check_pxelinux("LABEL b\nKERNEL k\nAPPEND c\nLABEL d\nKERNEL l\nDEFAULT b more\n", "c more",
                   AT ": warning: 1 more entry of this file is not taken over\n" KERNEL);
    check_pxelinux("LABEL b\nKERNEL k\nAPPEND first\nLABEL d\nKERNEL l\n", "first",
                   AT ": warning: 1 more entry of this file is not taken over\n" KERNEL);
    check_pxelinux("LABEL a\nKERNEL k\nAPPEND root=/dev/sda1 ro shell\n", "ro",
                   KERNEL AT ":1:1: warning: the word root=/dev/sda1 is not taken over\n" AT
                             ":1:1: warning: the word shell is not taken over\n");
    check_pxelinux("APPEND all\nDEFAULT a\nLABEL a\n", "all", "");
    check_pxelinux("APPEND all\nDEFAULT a\nLABEL a\nAPPEND -\n", "", "");
    check_pxelinux(
        "UI menu.c32\nDEFAULT a\nLABEL a\nAPPEND a\nLABEL b\nTEXT HELP\nAPPEND no\nENDTEXT\nMENU DEFAULT\n"
        "APPEND b\n",
        "b", AT ": warning: 1 more entry of this file is not taken over\n");
    check_pxelinux("DEFAULT vesamenu.c32\nLABEL a\nAPPEND a\nLABEL b\nAPPEND b\nONTIMEOUT b\n", "b",
                   AT ": warning: 1 more entry of this file is not taken over\n");
    check_pxelinux("LABEL a\nLOCALBOOT 0\n", NULL,
                   AT ":1:1: warning: this machine boots from its own disk here\n");
    check_pxelinux("DEFAULT chain.c32 hd0\n", NULL, AT ":1:1: warning: this machine boots chain.c32 here\n");
    check_pxelinux("DEFAULT k a \"b c\n", "a",
                   KERNEL AT ":1:1: warning: a quote (\") of the command line is not closed\n");
    check_pxelinux("DEFAULT k a\x01 b\n", "b",
                   KERNEL AT ":1:1: warning: the word \"a?\" holds control characters\n");
    check_pxelinux("INCLUDE x.cfg\nDEFAULT k\n", "",
                   AT ":1:1: warning: the file x.cfg is not read\n" AT ":2:1: warning: the kernel k\n");
#undef AT
#undef KERNEL
}

static void test_pxelinux_names(void **state)
{
    static const struct {
        const char *name, *said;
    } samples[] = {
        {"C0A807", "C0A807: warning: this file is for every machine of 192.168.7.0/24; not taken over\n"},
        {"C", "C: warning: this file is for every machine of 192.0.0.0/4; not taken over\n"},
        {"default", "default: warning: this file is for every machine that has no other; not taken over\n"},
        {"06-00-20-e0-3b-13-af", "06-00-20-e0-3b-13-af: warning: hardware type 06 is not Ethernet\n"},
        {"menu.cfg", "menu.cfg: warning: no machine asks for a file of this name\n"},
        {"C0A8070B", "C0A8070B: warning: no source says which machine has the address 192.168.7.11, and "
                     "rambox knows a node by its "
                     "MAC address: `rambox node add NAME --mac MAC --ip 192.168.7.11`\n"},
        {"123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000: warning: no source "
                                                 "says which MAC address the machine of this UUID\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        cleanup_import struct import import = {0};
        cleanup_diags struct diags diags = {0};
        assert_int_equal(import_parse(IMPORT_PXELINUX, samples[i].name, "", 0, &import, &diags), 0);
        check_joined(&import, NULL, &diags, "", samples[i].said);
    }
}

/* Adds what a file says; its remarks are not looked at here. */
static void add(struct import *import, enum import_format format, const char *name, const char *text)
{
    cleanup_diags struct diags diags = {0};
    assert_int_equal(import_parse(format, name, text, strlen(text), import, &diags), 0);
}

/* One machine in several sources: by MAC, by UUID before that, by address. */
static void test_join(void **state)
{
    cleanup_import struct import import = {0};
    cleanup_diags struct diags diags = {0};
    (void)state;
    add(&import, IMPORT_DNSMASQ, "d",
        "52:54:00:00:00:01,n1,10.0.0.1\n52:54:00:00:00:02,n2,10.0.0.2\n52:54:00:00:00:03,n3,10.0.0.3\n"
        "52:54:00:00:00:04,id:00:12:3e:45:67:e8:9b:12:d3:a4:56:42:66:14:17:40:00,n4\n");
    add(&import, IMPORT_PXELINUX, "01-52-54-00-00-00-01", "DEFAULT k one\n");
    add(&import, IMPORT_PXELINUX, "0A000002", "DEFAULT k two\n");
    add(&import, IMPORT_PXELINUX, "01-52-54-00-00-00-04", "DEFAULT k mac\n");
    add(&import, IMPORT_PXELINUX, "123e4567-e89b-12d3-a456-426614174000", "DEFAULT k four\n");
    add(&import, IMPORT_PXELINUX, "0A000001", "DEFAULT k never\n");
    add(&import, IMPORT_DNSMASQ, "e", "52:54:00:00:00:05,n5,10.0.0.5\n");
    add(&import, IMPORT_PXELINUX, "01-52-54-00-00-00-05", "DEFAULT k\n");
    add(&import, IMPORT_PXELINUX, "0A000005", "DEFAULT k never\n");
    add(&import, IMPORT_ISC, "i",
        "host n3 { hardware ethernet 52:54:00:00:00:03; fixed-address 10.0.0.9; }\n"
        "host other { hardware ethernet 52:54:00:00:00:01; }\n");
    check_joined(
        &import, NULL, &diags,
        "n1 52:54:00:00:00:01 10.0.0.1 one\nn2 52:54:00:00:00:02 10.0.0.2 two\n"
        "n3 52:54:00:00:00:03 10.0.0.3\n"
        "n4 52:54:00:00:00:04 123e4567-e89b-12d3-a456-426614174000 four\n"
        "n5 52:54:00:00:00:05 10.0.0.5\n",
        "i:2:1: warning: this machine is named other here and otherwise in d:1, which counts\n"
        "i:1:1: warning: this machine has the address 10.0.0.9 here and another one in d:3, which counts\n"
        "0A000001:1:1: warning: the command line of this machine is not taken over: that of "
        "01-52-54-00-00-00-01:1 counts\n"
        "0A000005:1:1: warning: the command line of this machine is not taken over: that of "
        "01-52-54-00-00-00-05:1 counts\n");
}

static void test_names(void **state)
{
    cleanup_import struct import import = {0};
    cleanup_diags struct diags diags = {0};
    cleanup_free char *longest = xmalloc(71);
    (void)state;
    memset(longest, 'x', 70);
    longest[70] = '\0';
    cleanup_free char *text = xasprintf("52:54:00:00:00:01,n1.lab.example\n52:54:00:00:00:02,n1\n52:54:00:00:"
                                        "00:03,n_3\n52:54:00:00:00:04,__\n"
                                        "52:54:00:00:00:05,%s\n52:54:00:00:00:06,%s\n52:54:00:00:00:07,node-"
                                        "525400000008\n52:54:00:00:00:08\n",
                                        longest, longest);
    cleanup_free char *nodes =
        xasprintf("n1 52:54:00:00:00:01\nn1-2 52:54:00:00:00:02\nn-3 52:54:00:00:00:03\nnode-525400000004 "
                  "52:54:00:00:00:04\n"
                  "%.63s 52:54:00:00:00:05\n%.56s-2 52:54:00:00:00:06\nnode-525400000008 52:54:00:00:00:07\n"
                  "node-525400000008-2 52:54:00:00:00:08\n",
                  longest, longest);
    add(&import, IMPORT_DNSMASQ, "d", text);
    check_joined(&import, NULL, &diags, nodes,
                 "d:1:1: note: \"n1.lab.example\" becomes n1; the domain\n"
                 "d:2:1: note: \"n1\" becomes n1-2, since another node has that name\n"
                 "d:3:1: note: \"n_3\" becomes n-3, since a name is one label\n"
                 "d:4:1: note: \"__\" becomes node-525400000004, since a name is one label\n"
                 "d:5:1: note: \"xxxxx\nd:6:1: note: \"xxxx\n");
}

/* Nodes that are there stay, and a made-up name is none that they have. */
static void test_existing(void **state)
{
    cleanup_import struct import import = {0};
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = site_new();
    static const char *const names[] = {"n1", "n2", "x-2"};
    (void)state;
    for (uint8_t i = 0; i < 3; i++)
        *VEC_ADD(&site->nodes) = (struct node){.name = xstrdup(names[i]),
                                               .mac = {{0x52, 0x54, 0, 0, 0, i + 1}},
                                               .ip = 0x0a000001U + i,
                                               .profile = xstrdup("default"),
                                               .pos = {"nodes.d/n.yaml", 1, 1}};
    assert_int_equal(site_index(site, &diags), 0);
    add(&import, IMPORT_DNSMASQ, "d",
        "52:54:00:00:00:01,n1,10.0.0.1\n52:54:00:00:00:02,n2,10.0.0.7\n"
        "52:54:00:00:00:11,x\n52:54:00:00:00:12,x\n");
    add(&import, IMPORT_PXELINUX, "01-52-54-00-00-00-01", "DEFAULT k words\n");
    add(&import, IMPORT_PXELINUX, "0A000003", "DEFAULT k words\n");
    check_joined(
        &import, site, &diags, "x 52:54:00:00:00:11\nx-3 52:54:00:00:00:12\n",
        "0A000003:1:1: warning: node x-2 is there already and stays as it is; for these words\n"
        "d:1:1: warning: node n1 is there already and stays as it is; for these words\n"
        "d:2:1: warning: node n2 is there already and stays as it is: its address is 10.0.0.2, not 10.0.0.7\n"
        "d:4:1: note: \"x\" becomes x-3, since another node\n");
}

static void test_detect(void **state)
{
    static const struct {
        const char *name, *text;
        enum import_format format;
    } samples[] = {
        {"x", "# a\ndhcp-host=52:54:00:00:00:01\n", IMPORT_DNSMASQ},
        {"x", "52:54:00:00:00:01,n1\n", IMPORT_DNSMASQ},
        {"x", "# a\nhost n1 {\n}\n", IMPORT_ISC},
        {"x", "option domain-name \"x\";\n", IMPORT_ISC},
        {"x", "// a\n/* b\nhost n1 {\n*/\n{\n", IMPORT_KEA},
        {"x", "[\n{}]\n", IMPORT_KEA},
        {"x", "default linux\nlabel linux\n", IMPORT_PXELINUX},
        {"x", "\tLABEL linux\n", IMPORT_PXELINUX},
        {"pxelinux.cfg/01-52-54-00-00-00-01", "", IMPORT_PXELINUX},
        {"dnsmasq.conf", "", IMPORT_DNSMASQ},
        {"dhcpd.leases", "# a\n", IMPORT_ISC},
        {"kea-hosts.json", "", IMPORT_KEA},
        {"x", "", IMPORT_DETECT},
        {"x", "127.0.0.1 localhost\n", IMPORT_DETECT},
        {"x", "dhcp-host=52:54:00:00:00:01\nhost n1 {\n", IMPORT_DETECT},
        {"dnsmasq.conf", "dhcp-host=52:54:00:00:00:01\nhost n1 {\n", IMPORT_DNSMASQ},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        if (import_detect(samples[i].name, samples[i].text, strlen(samples[i].text)) != samples[i].format)
            fail_msg("%s: %s", samples[i].name, samples[i].text);
}

/* Hostile: NUL bytes, deep nesting, a line of 10 MB, a name that a thousand have. */
static void test_hostile(void **state)
{
    static const enum import_format formats[] = {IMPORT_DNSMASQ, IMPORT_ISC, IMPORT_KEA, IMPORT_PXELINUX};
    enum { LONG = 10 << 20 };
    cleanup_free char *text = xmalloc(LONG);
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        cleanup_import struct import import = {0};
        cleanup_diags struct diags nul = {0}, nested = {0}, same = {0};
        assert_true(import_parse(formats[i], "default", "a\0b", 3, &import, &nul) < 0);
        check_said(&nul, "default: error: this is no text: it holds NUL bytes\n");
        memset(text, formats[i] == IMPORT_KEA ? '[' : '{', LONG);
        int r = import_parse(formats[i], "01-52-54-00-00-00-01", text, LONG, &import, &nested);
        assert_int_equal(r < 0, formats[i] == IMPORT_KEA || formats[i] == IMPORT_ISC);
        assert_int_equal(r < 0, nested.errors);
        memset(text, 'a', LONG);
        import_parse(formats[i], "01-52-54-00-00-00-01", text, LONG, &import, &same);
    }
    cleanup_import struct import many = {0};
    cleanup_diags struct diags diags = {0};
    cleanup_str struct str hosts = {0};
    struct import_nodes nodes = {0};
    CLEANUP(site_free) struct site *site = site_new();
    assert_int_equal(site_index(site, &diags), 0);
    for (unsigned i = 0; i < 1000; i++)
        str_printf(&hosts, "52:54:00:00:%02x:%02x,n\n", i >> 8, i & 255);
    add(&many, IMPORT_DNSMASQ, "d", str_text(&hosts));
    import_join(&many, site, NULL, &nodes, &diags);
    assert_int_equal(nodes.nodes.n, 1000);
    assert_string_equal(nodes.nodes.items[98].name, "n-99");
    assert_string_equal(nodes.nodes.items[99].name, "node-525400000063");
    import_nodes_free(&nodes);
}

/* Files and folders, and what PXELINUX includes. */
static void test_files(void **state)
{
    cleanup_import struct import import = {0};
    cleanup_diags struct diags diags = {0}, missing = {0}, cycle = {0};
    char root[] = "/tmp/rambox-test-import-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(root));
    cleanup_free char *cfg = xasprintf("%s/pxelinux.cfg", root), *inner = xasprintf("%s/common", root),
                      *file = xasprintf("%s/01-52-54-00-00-00-01", cfg), *backup = xasprintf("%s~", file),
                      *outside = xasprintf("%s/01-52-54-00-00-00-02", cfg), *hole = xasprintf("%s/x", root);
    static const char include[] = "INCLUDE /common\n", words[] = "DEFAULT k one\n",
                      up[] = "INCLUDE ../../../etc/passwd\n";
    assert_int_equal(dir_make(cfg), 0);
    assert_int_equal(file_write_atomic(file, include, sizeof(include) - 1, 0644), 0);
    assert_int_equal(file_write_atomic(backup, words, sizeof(words) - 1, 0644), 0);
    assert_int_equal(file_write_atomic(inner, words, sizeof(words) - 1, 0644), 0);
    assert_int_equal(import_read(root, IMPORT_DETECT, &import, &diags), 0);
    cleanup_free char *said = xasprintf("%s:1:1: warning: the kernel k\n", inner);
    check_joined(&import, NULL, &diags, "node-525400000001 52:54:00:00:00:01 one\n", said);

    /* Nothing outside of the TFTP server's folder, and no file that includes itself for ever. */
    assert_int_equal(file_write_atomic(outside, up, sizeof(up) - 1, 0644), 0);
    assert_int_equal(import_read(outside, IMPORT_DETECT, &import, &missing), 0);
    cleanup_free char *refused =
        xasprintf("%s:1:1: warning: the file ../../../etc/passwd is not read: \n", outside);
    check_said(&missing, refused);
    assert_int_equal(file_write_atomic(inner, include, sizeof(include) - 1, 0644), 0);
    assert_true(import_read(file, IMPORT_DETECT, &import, &cycle) < 0);
    cleanup_free char *endless = xasprintf("%s:1:1: error: more than 64 files are included\n", inner);
    check_said(&cycle, endless);

    cleanup_diags struct diags none = {0}, unknown = {0};
    assert_true(import_read(hole, IMPORT_DETECT, &import, &none) < 0);
    cleanup_free char *gone = xasprintf("rambox: error: cannot read %s: No such file", hole);
    check_said(&none, gone);
    assert_int_equal(file_write_atomic(hole, "what\n", 5, 0644), 0);
    assert_true(import_read(hole, IMPORT_DETECT, &import, &unknown) < 0);
    cleanup_free char *what =
        xasprintf("%s: error: neither its name nor its text says what it is; say --from", hole);
    check_said(&unknown, what);
    assert_int_equal(dir_remove(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dnsmasq),
        cmocka_unit_test(test_isc),
        cmocka_unit_test(test_kea),
        cmocka_unit_test(test_pxelinux),
        cmocka_unit_test(test_pxelinux_names),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_existing),
        cmocka_unit_test(test_detect),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

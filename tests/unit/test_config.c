/* Configuration: what is read, and the exact words for every mistake (issue 2: "unknown keys with the nearest
 * right one, bad values, duplicates, pools outside their subnet: file:line:column, what was expected"). What
 * it says of DHCP is in test_config_dhcp.c. */
#include "config_fixture.h"

#include <sys/stat.h>

static void test_main_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        MAIN("", "rambox.yaml: error: nothing is defined in this file\n"),
        MAIN("# only a comment\n", "rambox.yaml: error: nothing is defined in this file\n"),
        MAIN("- a\n",
             "rambox.yaml:1:1: error: \"rambox.yaml\" is a list; expected a mapping (KEY: VALUE, a line "
             "each)\n"),
        MAIN("subnets:\n  lab\n prefix: x\n",
             "rambox.yaml:2:3: error: this is not YAML: invalid multiline plain key\n"),
        MAIN(GOOD "---\nserver:\n", "rambox.yaml:11:1: error: a second document; this kind of file holds one "
                                    "definition\n"),
        MAIN(SUBNETS,
             "rambox.yaml:1:1: error: rambox.yaml has no \"profiles\"; expected at least one profile\n"),
        MAIN(GOOD "sever:\n", "rambox.yaml:10:1: error: unknown key \"sever\"; did you mean \"server\"?\n"),
        MAIN(GOOD "colour: red\n", "rambox.yaml:10:1: error: unknown key \"colour\"; known here: server, "
                                   "options, classes, subnets, secure_boot, profiles\n"),
        MAIN(GOOD "secure_boot: {key: /etc/rambox/sb.key}\n",
             "rambox.yaml:10:1: error: secure_boot has no \"certificate\"; expected an absolute path like "
             "/etc/rambox-secrets/site.pem\n"),
        MAIN(GOOD "secure_boot: {key: sb.key, certificate: /etc/rambox/sb.crt}\n",
             "rambox.yaml:10:20: error: \"sb.key\" is no file; expected an absolute path like "
             "/etc/rambox-secrets/site.pem\n"),
        MAIN(GOOD "secure_boot: {key: /a, certificate: /b, pasword: x}\n",
             "rambox.yaml:10:41: error: unknown key \"pasword\"; known here: key, certificate\n"),
        MAIN(GOOD "server: {}\nserver: {}\n",
             "rambox.yaml:11:1: error: \"server\" stands here twice; the first is in line 10\n"),
        MAIN(GOOD "? [a]\n: b\n", "rambox.yaml:10:3: error: a key must be a word, not a list or a mapping\n"),
        MAIN("a: \"x\\0y\"\n", "rambox.yaml:1:4: error: a NUL character cannot stand here\n"),
        MAIN("a: \xff\n", "rambox.yaml:1:4: error: the byte 0xff is no UTF-8 text\n"),
        MAIN("a: *b\n", "rambox.yaml:1:4: error: no anchor \"&b\" stands before this\n"),
        MAIN("a: &b [*b]\n", "rambox.yaml:1:8: error: the alias \"*b\" would hold itself\n"),
        MAIN(SERVER("  interfaces: [eth0, this-name-is-too-long]\n"),
             "rambox.yaml:4:22: error: \"this-name-is-too-long\" is no network interface; expected a name of "
             "at most "
             "15 characters like eth1\n"),
        MAIN(SERVER("  interfaces: {eth0: yes}\n"), "rambox.yaml:4:16: error: \"interfaces\" is a mapping; "
                                                    "expected a name of at most 15 characters like "
                                                    "eth1\n"),
        MAIN(SERVER("  dhcp_port: 70000\n"),
             "rambox.yaml:4:14: error: \"70000\" is no port; expected a number from 1 to 65535\n"),
        MAIN(
            SERVER("  tftp: {port: 67}\n"),
            "rambox.yaml:3:1: error: DHCP and TFTP cannot share the UDP port 67; give one of them another\n"),
        MAIN(SERVER("  http: {tls: {certificate: /c.pem}}\n"),
             "rambox.yaml:4:10: error: certificate and key go together: name both, or neither and rambox "
             "makes "
             "its own\n"),
        MAIN(SERVER("  http: {port: 8443, tls: {}}\n"),
             "rambox.yaml:4:3: error: HTTP and its TLS cannot share the TCP port 8443; give one of them "
             "another\n"),
        MAIN(SERVER("  http: {per_source: 0}\n"),
             "rambox.yaml:4:22: error: \"0\" is no count; expected a number from 1 to 1000000\n"),
        MAIN(SERVER("  tftp: {port: 4011}\n"),
             "rambox.yaml:3:1: error: the UDP port 4011 is where PXE firmware asks; give TFTP another\n"),
        MAIN(SERVER("  tftp: {per_source: 0, pauze: 2s}\n"),
             "rambox.yaml:4:22: error: \"0\" is no count; expected a number from 1 to 1000000\n"
             "rambox.yaml:4:25: error: unknown key \"pauze\"; did you mean \"pause\"?\n"),
        MAIN(SERVER("  router_advertisement: maybe\n"),
             "rambox.yaml:4:25: error: \"maybe\" is no yes or no; expected yes or no\n"),
        MAIN(SERVER("  state: var/lib\n"), "rambox.yaml:4:10: error: \"var/lib\" is no folder; expected an "
                                           "absolute path like /var/lib/rambox\n"),
        MAIN(SERVER("  state:\n"), "rambox.yaml:4:3: error: \"state\" has no value; expected an absolute "
                                   "path like /var/lib/rambox\n"),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

static void test_subnet_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        MAIN(PROFILES "subnets: {lab: {}}\n", "rambox.yaml:2:11: error: subnet lab has no \"prefix\"; "
                                              "expected a network and its length, /8 to /30, "
                                              "like 192.168.7.0/24\n"),
        MAIN(PROFILES "subnets: {lab: {prefix: 192.168.7.1/24}}\n",
             "rambox.yaml:2:25: error: \"192.168.7.1/24\" is no IPv4 prefix; expected a network and its "
             "length, /8 to "
             "/30, like 192.168.7.0/24\n"),
        MAIN(PROFILES "subnets: {-lab: {prefix: 192.168.7.0/24}}\n",
             "rambox.yaml:2:11: error: \"-lab\" is no name; " EXPECTED_NAME),
        MAIN(SUBNET("    pools: [192.168.7.100-192.168.8.10]\n"),
             "rambox.yaml:5:13: error: the pool 192.168.7.100-192.168.8.10 is not inside the prefix "
             "192.168.7.0/24 of "
             "subnet lab\n"),
        MAIN(SUBNET("    pools: [192.168.7.199-192.168.7.100]\n"),
             "rambox.yaml:5:13: error: \"192.168.7.199-192.168.7.100\" is no pool; expected the first and "
             "the last "
             "address, the lower one first, like 192.168.7.100-192.168.7.199\n"),
        MAIN(SUBNET("    pools: [192.168.7.0-192.168.7.9]\n"),
             "rambox.yaml:5:13: error: the pool 192.168.7.0-192.168.7.9 holds the network's or the broadcast "
             "address "
             "of 192.168.7.0/24\n"),
        MAIN(SUBNET("    pools: [192.168.7.1-192.168.7.9]\n    router: 192.168.7.4\n"),
             "rambox.yaml:5:13: error: the pool 192.168.7.1-192.168.7.9 holds the router; it would be given "
             "to a "
             "node\n"),
        MAIN(SUBNET("    pools:\n      - 192.168.7.10-192.168.7.19\n      - 192.168.7.15-192.168.7.30\n"),
             "rambox.yaml:7:9: error: the pool 192.168.7.15-192.168.7.30 overlaps the one in line 6\n"),
        MAIN(PROFILES "subnets: {lab: {prefix: 10.0.0.0/8, pools: 10.0.0.1-10.16.0.1}}\n",
             "rambox.yaml:2:44: error: the pool 10.0.0.1-10.16.0.1 has more than 1048576 addresses\n"),
        MAIN(SUBNET("    router: 192.168.8.1\n"),
             "rambox.yaml:5:13: error: the router 192.168.8.1 is no host address of 192.168.7.0/24\n"),
        MAIN(SUBNET("  all:\n    prefix: 192.168.0.0/16\n"),
             "rambox.yaml:6:13: error: 192.168.0.0/16 overlaps 192.168.7.0/24 of subnet lab\n"),
        MAIN(SUBNET("    lease: 2h\n    max_lease: 1h\n"),
             "rambox.yaml:6:16: error: max_lease (3600 s) is shorter than lease (7200 s)\n"),
        MAIN(SUBNET("    lease: 0\n"), "rambox.yaml:5:12: error: \"0\" is no span of time; expected at least "
                                       "1 s, like 90s, 5m, 12h or 1d\n"),
        MAIN(SUBNET("    unknown: alow\n"), "rambox.yaml:5:14: error: \"alow\" is no way to treat unknown "
                                            "machines; expected deny, allow or discover; did you "
                                            "mean \"allow\"?\n"),
        MAIN(SUBNET("    unknown: allow\n"), "rambox.yaml:5:14: error: unknown: allow needs \"pools\": "
                                             "unknown machines get their addresses from "
                                             "there\n"
                                             "rambox.yaml:5:14: error: unknown: allow needs "
                                             "\"unknown_profile\": what unknown machines boot\n"),
        MAIN(SUBNET("    unknown_profile: defautl\n"),
             "rambox.yaml:5:22: error: no profile is named \"defautl\"; did you mean \"default\"?\n"),
        MAIN(SUBNET("    dns: [1.1.1.1, 1.1.1]\n"), "rambox.yaml:5:20: error: \"1.1.1\" is no IPv4 address; "
                                                    "expected four numbers like 192.168.7.11\n"),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

static void test_profile_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        MAIN(SUBNETS "profiles: {default: {image: smallest}}\n",
             "rambox.yaml:2:12: error: profile default has no \"kernel\"; " EXPECTED_NAME),
        MAIN(SUBNETS "profiles: {default: {kernel: smalest, image: smallest}}\n",
             "rambox.yaml:2:30: error: no kernel is named \"smalest\"; did you mean \"smallest\"?\n"),
        MAIN(PROFILE(""),
             "rambox.yaml:3:3: error: profile default has no \"image\", and its kernel smallest has none "
             "built in; add one\n"),
        MAIN(SUBNETS "profiles: {default: {kernel: embedded, image: smallest}}\n",
             "rambox.yaml:2:47: error: kernel embedded has the image smallest built in; take \"image\" out "
             "of profile "
             "default, or another kernel\n"),
        MAIN(PROFILE("    image: smallest\n    arch: [x86_64, arm65]\n"),
             "rambox.yaml:6:20: error: \"arm65\" is no architecture; expected x86_64 or arm64\n"),
        MAIN(PROFILE("    image: smallest\n    arch: []\n"),
             "rambox.yaml:6:11: error: \"arch\" is empty; expected x86_64 or arm64, or both\n"),
        MAIN(PROFILE("    image: smallest\n    arch: [amd64, aarch64]\n"), ""),
        MAIN(PROFILE("    image: web\n"), "rambox.yaml:5:12: error: no image is named \"web\"\n"),
        MAIN(PROFILE("    image: smallest\n    ip: dynamic\n"),
             "rambox.yaml:6:9: error: \"dynamic\" is no way to get an address; expected static, dhcp or "
             "none\n"),
        MAIN(PROFILE("    image: smallest\n    cmdline: \"quiet\\nlocalboot 0\"\n"),
             "rambox.yaml:6:14: error: \"quiet?localboot 0\" is no text of one line; " EXPECTED_TEXT),
        MAIN(PROFILE("    image: smallest\n    root: \"/dev/vda\\r\"\n"),
             "rambox.yaml:6:11: error: \"/dev/vda?\" is no root; expected ram, shell, or what the kernel's "
             "root= takes, "
             "like \"/dev/vda rootfstype=ext4\"\n"),
        MAIN(PROFILE("    image: smallest\n    console: ttyS0 tty1\n"),
             "rambox.yaml:6:14: error: \"ttyS0 tty1\" is no console; expected what the kernel's console= "
             "takes, like "
             "ttyS0,115200\n"),
        MAIN(PROFILE("    image: smallest\n    memory: lots\n"),
             "rambox.yaml:6:13: error: \"lots\" is no size; expected bytes like 512K, 64M or 1.5G\n"),
        MAIN(PROFILE("    image: smallest\n    unified: perhaps\n"),
             "rambox.yaml:6:14: error: \"perhaps\" is no yes or no; expected yes or no\n"),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

static void test_node_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        NODE("node: n1\nmac: 52:54:00:12:34\n",
             "nodes.d/n.yaml:2:6: error: \"52:54:00:12:34\" is no MAC address; " EXPECTED_MAC),
        NODE("node: n1\nmac: 01:00:5e:00:00:01\n",
             "nodes.d/n.yaml:2:6: error: \"01:00:5e:00:00:01\" is no MAC address; " EXPECTED_MAC),
        NODE(
            "node: n1\n",
            "nodes.d/n.yaml:1:1: error: this node has no \"mac\"; expected six bytes like 52:54:00:12:34:56, "
            "not multicast, not all zero, or \"guid\" or \"client_id\" of a machine on a network without MAC "
            "addresses\n"),
        NODE("node: n1\n" MAC "guid: \"00:02:c9:03:00:12:34:56\"\n",
             "nodes.d/n.yaml:1:1: error: a node has one of \"mac\", \"guid\" and \"client_id\"\n"),
        NODE("node: n1\nguid: \"00:02:c9:03:00:12:34\"\n",
             "nodes.d/n.yaml:2:7: error: \"00:02:c9:03:00:12:34\" is no GUID; expected eight bytes like "
             "00:02:c9:03:00:12:34:56\n"),
        NODE(
            "node: n1\nclient_id: ff\n",
            "nodes.d/n.yaml:2:12: error: \"ff\" is no client identifier; expected 2 to 255 bytes as pairs of "
            "hexadecimal digits like ff:00:00:00:01:00:04:1b:9a\n"),
        NODE("node: n1\nguid: \"00:02:c9:03:00:12:34:56\"\n---\nnode: n2\nguid: \"0x0002c90300123456\"\n",
             "nodes.d/n.yaml:4:1: error: node n2 has the same MAC address as node n1 (nodes.d/n.yaml:1); "
             "give it "
             "one of its own\n"),
        NODE(MAC, "nodes.d/n.yaml:1:1: error: this node has no \"node\"; " EXPECTED_NAME),
        NODE("node: n_1\n" MAC, "nodes.d/n.yaml:1:7: error: \"n_1\" is no name; " EXPECTED_NAME),
        NODE("node: n1\n" MAC "profle: default\n",
             "nodes.d/n.yaml:3:1: error: unknown key \"profle\"; did you mean \"profile\"?\n"),
        NODE("node: n1\n" MAC "profile: defalt\n",
             "nodes.d/n.yaml:3:10: error: no profile is named \"defalt\"; did you mean \"default\"?\n"),
        NODE("node: n1\n" MAC "ip: 10.0.0.1\n",
             "nodes.d/n.yaml:3:5: error: 10.0.0.1 is in no subnet; there is lab 192.168.7.0/24\n"),
        NODE("node: n1\n" MAC "ip: 192.168.7.0\n",
             "nodes.d/n.yaml:3:5: error: 192.168.7.0 is the network's address of subnet lab\n"),
        NODE("node: n1\n" MAC "ip: 192.168.7.255\n",
             "nodes.d/n.yaml:3:5: error: 192.168.7.255 is the broadcast address of subnet lab\n"),
        NODE("node: n1\n" MAC "ip: 192.168.7.1\n",
             "nodes.d/n.yaml:3:5: error: 192.168.7.1 is the router of subnet lab\n"),
        NODE("node: n1\n" MAC "uuid: 123\n",
             "nodes.d/n.yaml:3:7: error: \"123\" is no UUID; expected 36 characters like "
             "123e4567-e89b-12d3-a456-426614174000\n"),
        NODE("node: n1\n" MAC "cmdline: \"a\\rb\"\n",
             "nodes.d/n.yaml:3:10: error: \"a?b\" is no text of one line; " EXPECTED_TEXT),
        /* Every mistake of a file is said, and the other nodes are still checked. */
        NODE("node: n1\nmac: x\nip: y\n---\nnode: n2\n" MAC "ip: 10.0.0.1\n",
             "nodes.d/n.yaml:2:6: error: \"x\" is no MAC address; " EXPECTED_MAC
             "nodes.d/n.yaml:3:5: error: \"y\" is no IPv4 address; expected four numbers like 192.168.7.11\n"
             "nodes.d/n.yaml:7:5: error: 10.0.0.1 is in no subnet; there is lab 192.168.7.0/24\n"),
        NODE("node: n1\n" MAC "---\nnode: n1\nmac: 52:54:00:12:34:57\n",
             "nodes.d/n.yaml:4:1: error: node n1 has the same name as node n1 (nodes.d/n.yaml:1); give it "
             "one of its "
             "own\n"),
        NODE("node: n1\n" MAC "ip: 192.168.7.11\n---\nnode: n2\n" MAC "ip: 192.168.7.11\n",
             "nodes.d/n.yaml:5:1: error: node n2 has the same MAC address as node n1 (nodes.d/n.yaml:1); "
             "give it one of "
             "its own\n"
             "nodes.d/n.yaml:5:1: error: node n2 has the same address as node n1 (nodes.d/n.yaml:1); give it "
             "one of "
             "its own\n"),
        /* Two nodes without a right MAC have no MAC in common. */
        NODE("node: n1\nmac: x\n---\nnode: n2\nmac: x\n",
             "nodes.d/n.yaml:2:6: error: \"x\" is no MAC address; " EXPECTED_MAC
             "nodes.d/n.yaml:5:6: error: \"x\" is no MAC address; " EXPECTED_MAC),
        {"nodes.d/n.yml", "node: n1\n", "nodes.d/n.yml: warning: not read: definitions end in .yaml\n"},
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

#define IMAGE(text, said)                                                                                    \
    {                                                                                                        \
        "images/web.yaml", text, said                                                                        \
    }
#define FILES(entry, said) IMAGE("files:\n  - " entry "\n", "images/web.yaml:2:6: error: " said)

static void test_image_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        IMAGE("busybox: smalest\n", "images/web.yaml:1:10: error: \"smalest\" is no BusyBox; expected "
                                    "distribution, smallest, none, or the "
                                    "path of a binary; did you mean \"smallest\"?\n"),
        IMAGE("compression: gzip\nlevel: 12\n",
              "images/web.yaml:1:1: error: level 12 is more than gzip has; expected 1 to 9\n"),
        IMAGE("compression: none\nlevel: 1\n",
              "images/web.yaml:1:1: error: without compression there is no \"level\"\n"),
        IMAGE("timezone: ../../etc/passwd\n", "images/web.yaml:1:11: error: \"../../etc/passwd\" is no time "
                                              "zone; expected a name like Europe/Berlin or "
                                              "UTC\n"),
        IMAGE("devices: udev\n",
              "images/web.yaml:1:10: error: \"udev\" is no device manager; expected devtmpfs, mdev "
              "or hotplug; did you mean \"mdev\"?\n"),
        IMAGE("files: {}\n",
              "images/web.yaml:1:8: error: \"files\" is a mapping; expected a list, each item a mapping "
              "with a \"path\"\n"),
        IMAGE("files:\n  - {path: ../x, content: a}\n",
              "images/web.yaml:2:12: error: \"../x\" is no path in an image; expected an absolute path "
              "without .., like "
              "/etc/motd\n"),
        IMAGE("files:\n  - {path: /a/../../x, content: a}\n",
              "images/web.yaml:2:12: error: \"/a/../../x\" is no path in an image; expected an absolute path "
              "without "
              ".., like /etc/motd\n"),
        IMAGE("files:\n  - {path: /a, content: a, mode: 0888}\n",
              "images/web.yaml:2:34: error: \"0888\" is no file mode; expected octal digits like 0644 or "
              "1777\n"),
        IMAGE(
            "files:\n  - {path: /a, content: a, owner: root}\n",
            "images/web.yaml:2:35: error: \"root\" is no owner; expected the numbers of user and group like "
            "\"0:0\"\n"),
        IMAGE("files:\n  - {path: /dev/x, device: c 4096 1}\n",
              "images/web.yaml:2:28: error: \"c 4096 1\" is no device; expected c or b, major and minor "
              "number like "
              "\"c 5 1\"\n"),
        FILES("{path: /a}",
              "a file needs exactly one of content, from, symlink, hardlink, directory, device and tree; "
              "it has none\n"),
        FILES("{path: /a, content: a, from: b}", "a file needs exactly one of content, from, symlink, "
                                                 "hardlink, directory, device and tree; it has "
                                                 "several\n"),
        FILES("{path: /a, from: \"https://x.example/a\"}",
              "a file from a URL needs its \"sha256\": it would be taken unchecked\n"),
        FILES("{path: /, content: a}", "/ is the root folder; only a tree or a directory can be there\n"),
        FILES("{path: /a, symlink: b, mode: 0644}", "a link or a tree has no mode of its own\n"),
        {"images/web_.yaml", "base: yes\n",
         "images/web_.yaml: error: this definition has no \"name\", and its file's cannot be "
         "one; " EXPECTED_NAME},
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

#define KERNEL(text, said)                                                                                   \
    {                                                                                                        \
        "kernels/web.yaml", text, said                                                                       \
    }

static void test_kernel_mistakes(void **state)
{
    static const struct mistake mistakes[] = {
        KERNEL("fragments: virtio\n",
               "kernels/web.yaml:1:1: error: this kernel has no \"source\"; expected a "
               "package, tarball, tree or distribution\n"),
        KERNEL("source: {package: a, tree: /b}\n",
               "kernels/web.yaml:1:10: error: \"source\" needs exactly one of "
               "package, tarball, tree and distribution; it has several\n"),
        KERNEL("source: {distribution: \"https://k.example/linux.deb\"}\n",
               "kernels/web.yaml:1:10: error: a .deb from a URL needs its \"sha256\": it would be booted "
               "unchecked\n"),
        KERNEL("source: {distribution: files/vmlinuz}\n",
               "kernels/web.yaml:1:10: error: \"distribution\" is the name of a package like "
               "linux-image-amd64, or a file that ends in .deb\n"),
        KERNEL("source: {distribution: linux-image-amd64, sha256: "
               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}\n",
               "kernels/web.yaml:1:10: error: \"sha256\" belongs to a tarball or a .deb; a package and a "
               "tree are not checked by it\n"),
        KERNEL("source: {package: a}\nmodules: [virtio_net]\n",
               "kernels/web.yaml:2:1: error: \"modules\" belong to a kernel of the distribution (source: "
               "{distribution: linux-image-amd64}); one that is built has its drivers inside: name "
               "fragments\n"),
        KERNEL("source: {distribution: linux-image-amd64}\nfragments: virtio\n",
               "kernels/web.yaml:2:1: error: \"fragments\" is for kernels that are built; one of the "
               "distribution is taken as it is: name its \"modules\", or build one from source: {package: "
               "linux-source-6.1}\n"),
        KERNEL("source: {distribution: linux-image-amd64}\nmodules: [virtio net]\n",
               "kernels/web.yaml:2:11: error: \"virtio net\" is no kernel module; expected a name like "
               "virtio_net, an alias like pci:v00008086d*, or one of the groups network and storage\n"),
        KERNEL("source: {tarball: \"https://k.example/linux.tar.xz\"}\n",
               "kernels/web.yaml:1:10: error: a tarball from a URL needs its \"sha256\": it would be built "
               "unchecked\n"),
        KERNEL("source: {package: a}\nsymbols: {SMP: yes}\n",
               "kernels/web.yaml:2:16: error: \"yes\" is no value of a kernel symbol; expected y, n, m, a "
               "number or a "
               "string\n"),
        KERNEL("source: {package: a}\nsymbols: {S-P: y}\n",
               "kernels/web.yaml:2:11: error: \"S-P\" is no symbol; expected letters, digits and _ like "
               "IP_PNP_DHCP\n"),
        KERNEL("source: {package: a}\nsymbols: {SMP: y, CONFIG_SMP: n}\n",
               "kernels/web.yaml:2:19: error: \"SMP\" stands here twice; the first is in line 2\n"),
        KERNEL("source: {package: a}\ncompression: xy\n",
               "kernels/web.yaml:2:14: error: \"xy\" is no compression of a kernel; expected gzip, xz, zstd "
               "or lz4; did "
               "you mean \"xz\"?\n"),
        KERNEL("source: {package: a}\ninitramfs: smalest\n",
               "kernels/web.yaml:2:12: error: no image is named \"smalest\"; did you mean \"smallest\"?\n"),
        {"kernels/x.yaml", "name: smallest\nsource: {package: a}\n", ""},
        KERNEL("source: {package: a}\nfragments: [virtio, vertio]\n",
               "kernels/web.yaml:2:21: error: no kernel fragment is named \"vertio\"; did you mean "
               "\"virtio\"?\n"),
        KERNEL("source: {package: a}\nfragments: local\n",
               "kernels/web.yaml:2:12: error: no kernel fragment is named \"local\"; yours would be "
               "kernels/local.config\n"),
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
}

/* What is not there, and what is too much. */
static void test_limits(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    struct site *site = NULL;
    assert_int_equal(config_load("/nowhere", NULL, &diags, &site), -ENOENT);
    assert_string_equal(diags.list.items[0].text,
                        "/nowhere has no rambox.yaml; `rambox init /nowhere` writes a commented one");

    cleanup_free char *big = xmalloc((5 << 20) + 1);
    memset(big, '#', 5 << 20);
    big[5 << 20] = '\0';
    check_mistake(f, &(struct mistake)MAIN(big, "rambox.yaml: error: longer than 4 MiB\n"));

    /* A document of 100 levels. */
    cleanup_str struct str deep = {0};
    for (int i = 0; i < 100; i++)
        str_add(&deep, "[");
    check_mistake(f, &(struct mistake)MAIN(str_text(&deep),
                                           "rambox.yaml:1:33: error: more than 32 mappings and lists "
                                           "within each other\n"));

    /* Nine levels of nine aliases each: 9^9 nodes when written out. */
    cleanup_str struct str bomb = {0};
    str_add(&bomb, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 9; i++) {
        str_printf(&bomb, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++)
            str_printf(&bomb, "%s*a%d", j ? ", " : "", i - 1);
        str_add(&bomb, "]\n");
    }
    check_mistake(
        f, &(struct mistake)MAIN(str_text(&bomb),
                                 "rambox.yaml:8:10: error: too much: with its aliases written out this is "
                                 "more than 16 MiB; use fewer aliases\n"));
}

/* A thousand mistakes are not all said. */
static void test_many_errors(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    cleanup_str struct str text = {0};
    struct site *site = NULL;
    for (int i = 0; i < 1000; i++)
        str_printf(&text, "wrong%d: x\n", i);
    put(f->config, "rambox.yaml", str_text(&text));
    assert_int_equal(config_load(f->config, f->share, &diags, &site), -EINVAL);
    assert_int_equal(diags.errors, 201);
    assert_string_equal(diags.list.items[200].text, "more than 200 errors; the rest is not shown");
}

/* Everything that a configuration can say, and the defaults of what it does not say. */
static void test_values(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    put(f->config, "rambox.yaml",
        "server:\n  interfaces: [eth1, br0]\n  dhcp_port: 1067\n"
        "  tftp: {port: 1069, per_source: 3, new_per_second: 100, pause: 5s, max_blksize: 8192, "
        "max_windowsize: 8, rollover: 1, port_per_transfer: yes, workers: 3}\n"
        "  http: {port: 8070, connections: 10, per_source: 5, downloads: 8, downloads_per_source: 4, "
        "tls: {certificate: /c.pem, key: /k.pem, boot: yes}}\n"
        "  router_advertisement: no\n  state: /s\n  cache: /c\n  loaders: /l\n"
        "subnets:\n"
        "  lab: {prefix: 192.168.7.0/24, interface: eth1, router: 192.168.7.1, dns: [1.1.1.1, 9.9.9.9],\n"
        "        ntp: 192.168.7.1, domain: lab.example, lease: 2d, unknown: allow, unknown_profile: shell,\n"
        "        pools: [192.168.7.100-192.168.7.199, 192.168.7.20-192.168.7.29]}\n"
        "  bare: {prefix: 10.0.0.0/8, max_lease: 1h}\n"
        "profiles:\n"
        "  default: &p {kernel: smallest, image: smallest, console: \"ttyS0,115200\", ip: none, memory: "
        "64M,\n"
        "            root: \"/dev/vda rootfstype=ext4\", cmdline: quiet splash}\n"
        "  shell: {kernel: embedded, root: shell, ip: dhcp}\n"
        "  again: *p\n");
    put(f->config, "nodes.d/two.yaml",
        "node: n1\nmac: 52-54-00-12-34-56\nip: 192.168.7.11\nuuid: 123E4567-e89b-12d3-a456-426614174000\n"
        "profile: shell\ncmdline: \"a=\\\"b\\\"\"\n---\nnode: n2\nmac: \"525400123457\"\n");
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    assert_int_equal(diags.list.n, 0);

    const struct server_settings *server = &site->server;
    assert_int_equal(server->interfaces.n, 2);
    assert_string_equal(server->interfaces.items[1], "br0");
    assert_int_equal(server->dhcp_port, 1067);
    assert_int_equal(server->tftp_port, 1069);
    assert_int_equal(server->tftp_per_source, 3);
    assert_int_equal(server->tftp_cps, 100);
    assert_int_equal(server->tftp_pause_s, 5);
    assert_int_equal(server->tftp_max_blksize, 8192);
    assert_int_equal(server->tftp_max_window, 8);
    assert_int_equal(server->tftp_rollover, 1);
    assert_true(server->tftp_own_ports);
    assert_int_equal(server->tftp_workers, 3);
    assert_int_equal(server->http_port, 8070);
    assert_int_equal(server->http.connections, 10);
    assert_int_equal(server->http.per_source, 5);
    assert_int_equal(server->http.downloads, 8);
    assert_int_equal(server->http.downloads_per_source, 4);
    assert_int_equal(server->https_port, 8443);
    assert_string_equal(server->tls_certificate, "/c.pem");
    assert_string_equal(server->tls_key, "/k.pem");
    assert_true(server->tls_boot);
    assert_false(server->router_advert);
    assert_string_equal(server->state_dir, "/s");
    assert_string_equal(server->cache_dir, "/c");
    assert_string_equal(server->loader_dir, "/l");

    const struct subnet *lab = &site->subnets.items[0], *bare = &site->subnets.items[1];
    assert_int_equal(lab->pools.n, 2);
    assert_int_equal(lab->pools.items[1].last, 0xc0a8071d);
    assert_int_equal(lab->dns.n, 2);
    assert_int_equal(lab->dns.items[1], 0x09090909);
    assert_int_equal(lab->ntp.n, 1);
    assert_string_equal(lab->domain, "lab.example");
    assert_int_equal(lab->lease_s, 172800);
    assert_int_equal(lab->max_lease_s, 172800); /* moved by lease */
    assert_int_equal(lab->unknown, UNKNOWN_ALLOW);
    assert_string_equal(lab->pos.file, "rambox.yaml");
    assert_int_equal(lab->pos.line, 11);
    assert_int_equal(bare->lease_s, 3600); /* moved by max_lease */
    assert_int_equal(bare->unknown, UNKNOWN_DENY);

    const struct profile *p = site_profile(site, "again"), *shell = site_profile(site, "shell");
    assert_int_equal(p->ip, IP_NONE);
    assert_int_equal(p->root_mode, ROOT_OTHER);
    assert_string_equal(p->root, "/dev/vda rootfstype=ext4");
    assert_string_equal(p->console, "ttyS0,115200");
    assert_string_equal(p->cmdline, "quiet splash");
    assert_int_equal(p->memory, 64 << 20);
    assert_int_equal(shell->root_mode, ROOT_SHELL);
    assert_null(shell->image);
    assert_string_equal(shell->cmdline, "");

    const struct node *n1 = site_node_by_name(site, "n1"), *n2 = site_node_by_name(site, "n2");
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    assert_ptr_equal(n1, site_node_by_uuid(site, uuid));
    assert_string_equal(n1->cmdline, "a=\"b\"");
    assert_string_equal(n2->profile, "default");
    assert_int_equal(n2->ip, 0);
    assert_ptr_equal(n2, site_node_by_mac(site, &(struct mac){{0x52, 0x54, 0, 0x12, 0x34, 0x57}}));
}

static void test_image_values(void **state)
{
    static const char text[] =
        "name: web\nbase: no\nbusybox: /opt/busybox\ninit: /opt/init\nhostname: web\ntimezone: "
        "Europe/Berlin\n"
        "devices: mdev\ncompression: zstd\nlevel: 22\nmemory: 1.5M\nfiles:\n"
        "  - {path: //etc/./motd/, content: \"a\\nb\\n\"}\n"
        "  - {path: /tool, from: tool, mode: 4755, owner: \"33:34\"}\n"
        "  - {path: /url, from: \"https://x.example/a\", sha256: "
        "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef}\n"
        "  - {path: /d, directory: yes}\n  - {path: /s, symlink: ../t}\n  - {path: /h, hardlink: /tool}\n"
        "  - {path: /c, device: \"c 5 1\", mode: 0600}\n  - {path: /, tree: root}\n";
    cleanup_diags struct diags diags = {0};
    struct image_def image;
    (void)state;
    assert_int_equal(config_parse_image("images/x.yaml", text, strlen(text), &diags, &image), 0);
    assert_string_equal(image.name, "web");
    assert_false(image.base);
    assert_int_equal(image.busybox, BUSYBOX_FILE);
    assert_string_equal(image.busybox_path, "/opt/busybox");
    assert_int_equal(image.compression, COMPRESSION_ZSTD);
    assert_int_equal(image.level, 22);
    assert_int_equal(image.memory, 3 << 19);
    static const enum entry_kind kinds[] = {ENTRY_FILE_INLINE, ENTRY_FILE_COPY, ENTRY_FILE_URL,
                                            ENTRY_DIRECTORY,   ENTRY_SYMLINK,   ENTRY_HARDLINK,
                                            ENTRY_DEVICE,      ENTRY_TREE};
    assert_int_equal(image.entries.n, ARRAY_SIZE(kinds));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        assert_int_equal(image.entries.items[i].kind, kinds[i]);
    const struct image_entry *e = image.entries.items;
    assert_string_equal(e[0].path, "/etc/motd");
    assert_string_equal(e[0].content, "a\nb\n");
    assert_false(e[0].has_mode);
    assert_int_equal(e[0].mode, 0644);
    assert_int_equal(e[1].mode, 04755);
    assert_int_equal(e[1].uid, 33);
    assert_int_equal(e[1].gid, 34);
    assert_int_equal(e[2].sha256.b[1], 0x23);
    assert_int_equal(e[3].mode, 0755);
    assert_string_equal(e[4].from, "../t");
    assert_string_equal(e[5].from, "/tool");
    assert_int_equal(e[6].device, 'c');
    assert_int_equal(e[6].major, 5);
    assert_int_equal(e[6].minor, 1);
    assert_string_equal(e[7].path, "/");
    image_def_clear(&image);
}

static void test_kernel_values(void **state)
{
    static const char text[] = "source: {tarball: linux.tar.xz, sha256: "
                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}\n"
                               "fragments: [base, virtio]\nsymbols: {CONFIG_SMP: n, NR_CPUS: "
                               "4}\ncompression: xz\ninitramfs: smallest\n"
                               "leaves_out: {NET_KEY: nothing here speaks IPsec}\n";
    cleanup_diags struct diags diags = {0};
    struct kernel_def kernel;
    (void)state;
    assert_int_equal(config_parse_kernel("kernels/tiny.yaml", text, strlen(text), &diags, &kernel), 0);
    assert_string_equal(kernel.name, "tiny");
    assert_int_equal(kernel.source.kind, SOURCE_TARBALL);
    assert_true(kernel.source.has_sha256);
    assert_int_equal(kernel.fragments.n, 2);
    assert_string_equal(kernel.symbols.items[0].name, "SMP");
    assert_string_equal(kernel.symbols.items[1].value, "4");
    assert_string_equal(kernel.compression, "xz");
    assert_string_equal(kernel.initramfs, "smallest");
    assert_string_equal(kernel.leaves_out.items[0].value, "nothing here speaks IPsec");
    kernel_def_clear(&kernel);
}

static void test_distribution_values(void **state)
{
    static const char text[] = "source: {distribution: linux-image-cloud-amd64}\n"
                               "modules: [virtio_net, storage, \"pci:v00008086d000010D3sv*\"]\n";
    cleanup_diags struct diags diags = {0};
    struct kernel_def kernel;
    (void)state;
    assert_int_equal(config_parse_kernel("kernels/cloud.yaml", text, strlen(text), &diags, &kernel), 0);
    assert_int_equal(kernel.source.kind, SOURCE_DISTRIBUTION);
    assert_string_equal(kernel.source.where, "linux-image-cloud-amd64");
    assert_int_equal(kernel.modules.n, 3);
    assert_string_equal(kernel.modules.items[2], "pci:v00008086d000010D3sv*");
    kernel_def_clear(&kernel);
}

/* The kernel's lz4 decoder would take the second ramdisk for more of the first. */
static void test_two_ramdisks(void **state)
{
    struct folder *f = *state;
    static const char site[] = SUBNETS "profiles:\n  default: {kernel: dist, image: packed}\n";
    put(f->share, "images/packed.yaml", "compression: lz4\n");
    put(f->share, "kernels/dist.yaml",
        "source: {distribution: linux-image-amd64}\nmodules: network\ncompression: lz4\n");
    check_mistake(f, &(struct mistake)MAIN(site, ""));
    put(f->share, "kernels/dist.yaml", "source: {distribution: linux-image-amd64}\nmodules: network\n");
    check_mistake(f,
                  &(struct mistake)MAIN(
                      site, "rambox.yaml:3:34: error: the image packed is compressed with lz4, and the "
                            "modules of kernel dist behind it are not: the node's kernel would stop between "
                            "them; give the kernel \"compression: lz4\", or the image another one\n"));
}

/* The user's definition takes the place of the built-in one of its name. */
static void test_override(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    put(f->config, "rambox.yaml", GOOD);
    put(f->config, "images/mine.yaml", "name: smallest\nhostname: mine\n");
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    assert_int_equal(site->images.n, 1);
    assert_string_equal(site_image(site, "smallest")->hostname, "mine");
    assert_string_equal(site_image(site, "smallest")->pos.file, "images/mine.yaml");
    assert_int_equal(site_kernel(site, "smallest")->pos.file[0], '/');
}

/* H28: a kernel's fragments are those of share/fragments and the user's own; a generation's copy, which is
 * read without the former, is not asked. */
static void test_own_fragment(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    struct site *site = NULL;
    put(f->config, "rambox.yaml", GOOD);
    put(f->config, "images/smallest.yaml", "busybox: smallest\n");
    put(f->config, "kernels/smallest.yaml", "source: {package: a}\nfragments: [virtio, local]\n");
    assert_int_equal(config_load(f->config, NULL, &diags, &site), 0);
    site_free(site);
    site = NULL;
    assert_int_equal(config_load(f->config, f->share, &diags, &site), -EINVAL);
    put(f->config, "kernels/local.config", "CONFIG_NET=y\n");
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    site_free(site);
}

/* The starter that `rambox init` writes is valid as it is. */
static void test_init(void **state)
{
    struct folder *f = *state;
    const char *share = getenv("RAMBOX_SHARE");
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    assert_non_null(share);
    cleanup_free char *starter = xasprintf("%s/starter", share), *there = xasprintf("%s/starter", f->share);
    assert_int_equal(dir_copy(starter, there), 0);
    assert_int_equal(config_init(f->config, f->share, &diags), 0);
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    assert_int_equal(diags.list.n, 0);
    assert_int_equal(site->subnets.n, 1);
    assert_non_null(site_profile(site, "default"));
    /* Nothing is ever written over. */
    assert_int_equal(config_init(f->config, f->share, &diags), -EEXIST);
    assert_non_null(strstr(diags.list.items[0].text, "is not empty; name a new folder, or empty it first"));
}

static struct node node_of(const char *name, uint8_t last)
{
    return (struct node){.name = (char *)(uintptr_t)name,
                         .mac = {{0x52, 0x54, 0, 0, 0, last}},
                         .ip = 0xc0a80700 + last,
                         .profile = (char *)(uintptr_t) "default"};
}

static size_t count_nodes(const struct folder *f)
{
    cleanup_free char *path = xasprintf("%s/nodes.d", f->config);
    char **names = NULL;
    size_t n = 0;
    if (dir_names(path, NULL, &names) == 0)
        while (names[n])
            n++;
    names_free(names);
    return n;
}

static void test_add_nodes(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    CLEANUP(site_free) struct site *site = NULL;
    put(f->config, "rambox.yaml", GOOD);
    struct node n1 = node_of("n1", 11);
    n1.cmdline = (char *)(uintptr_t) "say=\"hello \\ world\" # all";
    n1.has_uuid = true;
    memset(n1.uuid, 0xab, sizeof(n1.uuid));
    assert_int_equal(config_add_nodes(f->config, f->share, &n1, 1, &diags), 0);

    /* It reads back as it was given. */
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    const struct node *back = site_node_by_name(site, "n1");
    assert_string_equal(back->cmdline, n1.cmdline);
    assert_memory_equal(back->uuid, n1.uuid, 16);
    assert_int_equal(back->ip, n1.ip);
    assert_string_equal(back->pos.file, "nodes.d/n1.yaml");

    /* All or nothing: the second of these has the MAC of n1. */
    struct node bad[] = {node_of("n2", 12), node_of("n3", 11)};
    bad[1].ip = 0;
    assert_int_equal(config_add_nodes(f->config, f->share, bad, 2, &diags), -EINVAL);
    assert_int_equal(count_nodes(f), 1);
    cleanup_free char *said = printed(&diags);
    assert_string_equal(
        said, "rambox: error: node n3 has the same MAC address as node n1 (nodes.d/n1.yaml:1); give it "
              "one of its own\n");
    struct node again = node_of("n1", 13);
    assert_int_equal(config_add_nodes(f->config, f->share, &again, 1, &diags), -EEXIST);
    struct node outside = node_of("../n4", 14);
    assert_int_equal(config_add_nodes(f->config, f->share, &outside, 1, &diags), -EINVAL);
    assert_int_equal(count_nodes(f), 1);
}

static void test_remove_nodes(void **state)
{
    struct folder *f = *state;
    cleanup_diags struct diags diags = {0};
    put(f->config, "rambox.yaml", GOOD);
    struct node nodes[] = {node_of("n1", 11), node_of("n2", 12)};
    assert_int_equal(config_add_nodes(f->config, f->share, nodes, 2, &diags), 0);
    put(f->config, "nodes.d/both.yaml",
        "node: a1\nmac: 52:54:00:00:01:01\n---\nnode: a2\nmac: 52:54:00:00:01:02\n");

    assert_int_equal(config_remove_nodes(f->config, (const char *const[]){"n1", "n9", NULL}, &diags),
                     -ENOENT);
    assert_int_equal(config_remove_nodes(f->config, (const char *const[]){"a1", NULL}, &diags), -EBUSY);
    assert_int_equal(count_nodes(f), 3);
    cleanup_free char *said = printed(&diags);
    assert_string_equal(said,
                        "rambox: error: there is no node n9; did you mean n1?\n"
                        "nodes.d/both.yaml:1:1: error: the file of node a1 also holds node a2; edit it by "
                        "hand\n");
    /* A mistake elsewhere does not keep a node from being removed, and two of one file go together. */
    put(f->config, "rambox.yaml", "sever: {}\n");
    assert_int_equal(config_remove_nodes(f->config, (const char *const[]){"a1", "n1", "a2", NULL}, &diags),
                     0);
    assert_int_equal(count_nodes(f), 1);
}

/* `kernel: fitted`: what goes with it, and what it makes of the profile. */
static void test_fitted_mistakes(void **state)
{
#define FITTED(body) SUBNETS "profiles:\n  default:\n    image: smallest\n" body
    static const struct mistake mistakes[] = {
        MAIN(FITTED("    kernel: fitted\n    discovery: smallest\n    ready_within: 90s\n"), ""),
        MAIN(FITTED("    kernel: fitted\n    discovery: embeded\n"),
             "rambox.yaml:6:16: error: no kernel is named \"embeded\"; did you mean \"embedded\"?\n"),
        MAIN(FITTED("    kernel: fitted\n"), /* this share folder has no such kernel */
             "rambox.yaml:5:13: error: no kernel is named \"distribution\"\n"),
        MAIN(FITTED("    kernel: smallest\n    discovery: smallest\n    ready_within: 5m\n"),
             "rambox.yaml:6:16: error: \"discovery\" goes with \"kernel: fitted\": it is what boots machines "
             "that "
             "have no kernel fitted to them yet; say so, or take it out\n"
             "rambox.yaml:7:19: error: \"ready_within\" goes with \"kernel: fitted\": it is the time of the "
             "first "
             "boot with a fitted kernel; say so, or take it out\n"),
        MAIN(FITTED("    kernel: fitted\n    discovery: smallest\n    ready_within: 9s\n"),
             "rambox.yaml:7:19: error: \"9s\" is no time to ready; expected 10 s to a day, like 90s, 5m or "
             "1h\n"),
        MAIN(FITTED("    kernel: fitted\n    discovery: smallest\n    ready_within: 2d\n"),
             "rambox.yaml:7:19: error: \"2d\" is no time to ready; expected 10 s to a day, like 90s, 5m or "
             "1h\n"),
        MAIN(FITTED("    kernel: fitted\n    discovery: smallest\n    unified: yes\n"),
             "rambox.yaml:7:14: error: profile default is fitted, so which kernel a node boots is chosen as "
             "it "
             "boots, and a unified image has one inside; take \"unified\" out, or name a kernel\n"),
        MAIN(FITTED("    kernel: fitted\n    discovery: smallest\n    loader: unified\n"),
             "rambox.yaml:7:13: error: profile default is fitted, so which kernel a node boots is chosen as "
             "it "
             "boots, and a unified image has one inside; take another loader, or name a kernel\n"),
        {"kernels/fitted.yaml", "source: {package: a}\n",
         "kernels/fitted.yaml:1:1: error: no kernel can be called fitted: \"kernel: fitted\" in a profile "
         "means the "
         "one that fits each node's hardware; rename the file, or give it another \"name\"\n"},
    };
    check_mistakes(state, mistakes, ARRAY_SIZE(mistakes));
    /* The kernel of a class stands in the discovery kernel's place, so it has to go with the same image. */
    struct folder *f = *state;
    struct site *site = NULL;
    cleanup_diags struct diags diags = {0};
    dir_remove(f->config);
    put(f->config, "rambox.yaml", FITTED("    kernel: fitted\n    discovery: smallest\n"));
    put(f->config, "kernels/class-0123456789ab.yaml", "source: {package: a}\ninitramfs: smallest\n");
    assert_int_equal(config_load(f->config, f->share, &diags, &site), -EINVAL);
    cleanup_free char *said = printed(&diags);
    assert_string_equal(
        said, "rambox.yaml:4:12: error: kernel class-0123456789ab has the image smallest built in; take "
              "\"image\" out of profile default, or another kernel\n");
    put(f->config, "kernels/class-0123456789ab.yaml", "source: {package: a}\n");
    assert_int_equal(config_load(f->config, f->share, &diags, &site), 0);
    const struct profile *profile = site_profile(site, "default");
    assert_true(profile->fitted && site_is_fitted(site));
    assert_string_equal(profile->kernel, "smallest");
    assert_int_equal(profile->ready_within_s, 300);
    site_free(site);
}

/* The longest command line: what the user says and what rambox adds must fit into 2047 characters. */
static void test_command_line_length(void **state)
{
    cleanup_str struct str text = {0};
    str_add(&text, PROFILE("    image: smallest\n    cmdline: "));
    for (int i = 0; i < 1388; i++)
        str_add(&text, "x");
    check_mistake(*state, &(struct mistake)MAIN(str_text(&text), ""));
    str_add(&text, "yz");
    check_mistake(*state,
                  &(struct mistake)MAIN(
                      str_text(&text),
                      "rambox.yaml:6:14: error: the kernel command line would have 1391 characters of "
                      "yours; with what rambox adds, 1389 fit\n"));
    text.len = 0;
    str_add(&text, SUBNETS "profiles:\n  default:\n    kernel: fitted\n    discovery: smallest\n    image: "
                           "smallest\n    cmdline: ");
    for (int i = 0; i < 1369; i++)
        str_add(&text, "x");
    check_mistake(*state,
                  &(struct mistake)MAIN(str_text(&text),
                                        "rambox.yaml:7:14: error: the kernel command line would have 1370 "
                                        "characters of yours; with what rambox adds, 1368 fit\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_main_mistakes),
        TEST(test_subnet_mistakes),
        TEST(test_profile_mistakes),
        TEST(test_fitted_mistakes),
        TEST(test_node_mistakes),
        TEST(test_image_mistakes),
        TEST(test_kernel_mistakes),
        TEST(test_limits),
        TEST(test_many_errors),
        TEST(test_values),
        TEST(test_image_values),
        TEST(test_kernel_values),
        TEST(test_distribution_values),
        TEST(test_two_ramdisks),
        TEST(test_override),
        TEST(test_own_fragment),
        TEST(test_init),
        TEST(test_add_nodes),
        TEST(test_remove_nodes),
        TEST(test_command_line_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

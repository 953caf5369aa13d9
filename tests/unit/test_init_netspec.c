/* src/init: what the kernel command line says about the network, in dracut's words and the kernel's. */
#include "test.h"

#include "init/cmdline.h"
#include "init/netspec.h"

#include <string.h>

static struct netspec parsed(const char *text)
{
    struct netspec spec;
    netspec_parse(text, &spec);
    return spec;
}

static struct net_ip ip_of(const char *text)
{
    struct netspec spec = parsed(text);
    assert_int_equal(spec.problem_count, 0);
    assert_int_equal(spec.ip_count, 1);
    return spec.ips[0];
}

#define A(a, b, c, d) ((ipv4_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static void test_nothing_is_asked_for(void **state)
{
    struct netspec spec = parsed("rambox console=ttyS0 rw ipx=dhcp rambox.ipx=dhcp");
    assert_int_equal(spec.ip_count + spec.vlan_count + spec.bond_count + spec.problem_count, 0);
    assert_false(spec.off || spec.has_bootif || spec.beyond_kernel);
    assert_int_equal(spec.iflink, 10);
    assert_int_equal(spec.carrier, 30);
    assert_int_equal(spec.dhcp, 90);
}

static void test_bare_methods(void **state)
{
    static const char *const ask[] = {"ip=dhcp", "ip=on",    "ip=any",
                                      "ip=both", "ip=:::::", "ip=:::::eth0:dhcp"};
    for (size_t i = 0; i < sizeof(ask) / sizeof(ask[0]); i++)
        assert_int_equal(ip_of(ask[i]).method, NET_DHCP);
    assert_true(parsed("ip=off").off);
    assert_true(parsed("ip=none").off);
    assert_true(parsed("ip=::::node7::off").off);
    assert_false(parsed("ip=off ip=dhcp").off);
    assert_false(parsed("ip=dhcp").beyond_kernel);
}

static void test_the_kernels_static_form(void **state)
{
    struct netspec spec = parsed("ip=10.0.2.15:10.0.2.3:10.0.2.2:255.255.255.0:node7:eth0:off");
    struct net_ip ip = spec.ips[0];
    assert_int_equal(ip.method, NET_STATIC);
    assert_int_equal(ip.address, A(10, 0, 2, 15));
    assert_int_equal(ip.server, A(10, 0, 2, 3));
    assert_int_equal(ip.gateway, A(10, 0, 2, 2));
    assert_int_equal(ip.netmask, A(255, 255, 255, 0));
    assert_string_equal(ip.interface, "eth0");
    assert_false(spec.beyond_kernel);
    ip = ip_of("ip=10.0.2.15::10.0.2.2:24:node7::none");
    assert_int_equal(ip.netmask, A(255, 255, 255, 0));
    assert_string_equal(ip.interface, "");
    assert_int_equal(ip_of("ip=10.0.2.15").netmask, A(255, 0, 0, 0));
    assert_int_equal(ip_of("ip=172.16.2.15").netmask, A(255, 255, 0, 0));
    assert_int_equal(ip_of("ip=192.168.2.15").netmask, A(255, 255, 255, 0));
    assert_int_equal(ip_of("ip=192.168.2.15:::::eth0").method, NET_STATIC);
    ip = ip_of("ip=192.168.2.15:::::eth0:dhcp");
    assert_int_equal(ip.method, NET_DHCP);
    assert_int_equal(ip.address, A(192, 168, 2, 15));
}

static void test_the_kernels_servers(void **state)
{
    struct netspec spec = parsed("ip=10.0.2.15:::24:h:eth0:off:10.0.2.3:10.0.2.4:10.0.2.5");
    assert_int_equal(spec.problem_count, 0);
    assert_false(spec.beyond_kernel);
    assert_int_equal(spec.nameserver_count, 2);
    assert_int_equal(spec.nameservers[0], A(10, 0, 2, 3));
    assert_int_equal(spec.nameservers[1], A(10, 0, 2, 4));
    assert_int_equal(parsed("ip=:::::eth0:dhcp::10.0.2.4").nameserver_count, 1);
    spec =
        parsed("nameserver=1.1.1.1 nameserver=2.2.2.2 nameserver=3.3.3.3 nameserver=4.4.4.4 nameserver=tux");
    assert_int_equal(spec.nameserver_count, 3);
    assert_int_equal(spec.problem_count, 2);
}

static void test_dracuts_forms(void **state)
{
    struct net_ip ip = ip_of("ip=enp1s0f0:dhcp");
    assert_int_equal(ip.method, NET_DHCP);
    assert_string_equal(ip.interface, "enp1s0f0");
    assert_true(parsed("ip=eth0:dhcp").beyond_kernel);
    assert_true(parsed("rambox.ip=10.0.2.15::10.0.2.2:24::eth0:off").beyond_kernel); /* it is none of its */
    assert_string_equal(ip_of("rambox.ip=eth1:dhcp").interface, "eth1");
    ip = ip_of("ip=eth0:on:9000:52:54:00:ab:cd:ef");
    assert_int_equal(ip.mtu, 9000);
    assert_true(ip.has_mac);
    assert_int_equal(ip.mac.b[5], 0xef);
    ip = ip_of("ip=eth0:dhcp::52-54-00-ab-cd-ef");
    assert_int_equal(ip.mtu, 0);
    assert_true(ip.has_mac);
    ip = ip_of("ip=10.0.2.15::10.0.2.2:255.255.255.0:node7:eth0:off:1400");
    assert_int_equal(ip.mtu, 1400);
    assert_true(parsed("ip=10.0.2.15::10.0.2.2:255.255.255.0:node7:eth0:off:1400").beyond_kernel);
    ip = ip_of("ip=10.0.2.15::10.0.2.2:255.255.255.0:node7:eth0:off::52:54:00:ab:cd:ef");
    assert_true(ip.has_mac);
    ip = ip_of("ip=eth3:off");
    assert_int_equal(ip.method, NET_OFF);
    struct netspec spec = parsed("ip=eth0:dhcp ip=10.1.0.1:::24::eth1:none");
    assert_int_equal(spec.ip_count, 2);
    assert_true(spec.beyond_kernel);
}

static void test_what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *word, *expected;
    } bad[] = {
        {"ip=", "dhcp, off"},
        {"ip=dhpc", "as the method"},
        {"ip=bootp", "as the method"},
        {"ip=dhcp6", "IPv4"},
        {"ip=auto6", "IPv4"},
        {"ip=[2001:db8::1]:::64::eth0:off", "IPv4"},
        {"ip=eth0:dhpc", "as the method"},
        {"ip=eth0:", "as the method"},
        {"ip=eth0:dhcp:12", "an MTU"},
        {"ip=eth0:dhcp:99999", "an MTU"},
        {"ip=eth0:dhcp::52:54:00:ab:cd", "an MTU"},
        {"ip=eth0:dhcp::01:54:00:ab:cd:ef", "an MTU"},
        {"ip=interface-that-is-long:dhcp", "an interface"},
        {"ip=eth/0:dhcp", "an interface"},
        {"ip=10.0.2.15:tux:10.0.2.2:24::eth0:off", "IPv4 addresses"},
        {"ip=10.0.2.15:::255.0.255.0::eth0:off", "a netmask"},
        {"ip=10.0.2.15:::33::eth0:off", "a netmask"},
        {"ip=10.0.2.15:::24::eth0:maybe", "as the method"},
        {"ip=10.0.2.15:::24::eth0:off:1.2.3:x", "an MTU"},
        {"vlan=vlan0:eth0", "vlan=NAME"},
        {"vlan=vlan4095:eth0", "vlan=NAME"},
        {"vlan=vlan05:eth0", "vlan=NAME"},
        {"vlan=five:eth0", "vlan=NAME"},
        {"vlan=eth1.5:eth0", "vlan=NAME"},
        {"vlan=vlan5", "vlan=NAME"},
        {"vlan=vlan5:eth0:x", "vlan=NAME"},
        {"bond=b/d", "bond=NAME"},
        {"bond=:eth0,,eth1", "bond=NAME"},
        {"bond=:eth0:mode", "bond=NAME"},
        {"bond=:eth0:mode=", "bond=NAME"},
        {"bond=:eth0:../x=1", "bond=NAME"},
        {"bond=:eth0:mode=1:12", "bond=NAME"},
        {"bond=:eth0:mode=1:1500:x", "bond=NAME"},
        {"bond=:a,b,c,d,e,f,g,h,i", "bond=NAME"},
        {"BOOTIF=01-52-54", "a MAC address"},
        {"nameserver=0.0.0.0", "an IPv4 address"},
        {"rd.net.timeout.dhcp=soon", "seconds"},
        {"rd.net.timeout.carrier=3601", "seconds"},
        {"rd.net.timeout.iflink=-1", "seconds"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct netspec spec = parsed(bad[i].word);
        assert_int_equal(spec.problem_count, 1);
        assert_string_equal(spec.problems[0].word, bad[i].word);
        assert_non_null(strstr(spec.problems[0].expected, bad[i].expected));
        assert_int_equal(spec.ip_count + spec.vlan_count + spec.bond_count, 0);
        assert_false(spec.has_bootif);
    }
}

static void test_too_many_are_refused(void **state)
{
    struct netspec spec =
        parsed("ip=a:dhcp ip=b:dhcp ip=c:dhcp ip=d:dhcp ip=e:dhcp ip=f:dhcp ip=g:dhcp ip=h:dhcp "
               "ip=i:dhcp ip=a:dhcp");
    assert_int_equal(spec.ip_count, NETSPEC_IPS);
    assert_int_equal(spec.problem_count, 2);
    spec = parsed("ip=eth0:dhcp ip=eth0:off ip=dhcp ip=on");
    assert_int_equal(spec.ip_count, 2);
    assert_int_equal(spec.problem_count, 2);
    spec = parsed("ip=x ip=x ip=x ip=x ip=x ip=x ip=x ip=x ip=x ip=x");
    assert_int_equal(spec.problem_count, NETSPEC_PROBLEMS);
}

static void test_vlans(void **state)
{
    static const struct {
        const char *word, *name;
        unsigned id;
        enum vlan_style style;
    } good[] = {
        {"vlan=vlan5:eth0", "vlan5", 5, VLAN_PLAIN},
        {"vlan=vlan0005:eth0", "vlan0005", 5, VLAN_PADDED},
        {"vlan=eth0.5:eth0", "eth0.5", 5, VLAN_PARENT_PLAIN},
        {"vlan=eth0.0005:eth0", "eth0.0005", 5, VLAN_PARENT_PADDED},
        {"vlan=bond0.4094:bond0", "bond0.4094", 4094, VLAN_PARENT_PLAIN},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct netspec spec = parsed(good[i].word);
        assert_int_equal(spec.problem_count, 0);
        assert_int_equal(spec.vlan_count, 1);
        assert_string_equal(spec.vlans[0].name, good[i].name);
        assert_int_equal(spec.vlans[0].id, good[i].id);
        assert_int_equal(spec.vlans[0].style, good[i].style);
        assert_true(spec.beyond_kernel);
    }
}

static void test_bonds(void **state)
{
    struct netspec spec =
        parsed("bond=bond1:eth2,eth3:mode=active-backup,miimon=100,arp_ip_target=1.1.1.1;2.2.2.2:1400");
    assert_int_equal(spec.problem_count, 0);
    assert_int_equal(spec.bond_count, 1);
    assert_string_equal(spec.bonds[0].name, "bond1");
    assert_int_equal(spec.bonds[0].slave_count, 2);
    assert_string_equal(spec.bonds[0].slaves[1], "eth3");
    assert_string_equal(spec.bonds[0].options, "mode=active-backup,miimon=100,arp_ip_target=1.1.1.1;2.2.2.2");
    assert_int_equal(spec.bonds[0].mtu, 1400);
    assert_true(spec.beyond_kernel);
    spec = parsed("bond=");
    assert_string_equal(spec.bonds[0].name, "bond0");
    assert_int_equal(spec.bonds[0].slave_count, 2);
    assert_string_equal(spec.bonds[0].slaves[0], "eth0");
    assert_string_equal(spec.bonds[0].slaves[1], "eth1");
}

static void test_bootif(void **state)
{
    static const char *const forms[] = {"BOOTIF=01-52-54-00-12-34-56", "BOOTIF=52:54:00:12:34:56",
                                        "BOOTIF=01:52:54:00:12:34:56"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct netspec spec = parsed(forms[i]);
        assert_true(spec.has_bootif);
        assert_int_equal(spec.bootif.b[0], 0x52);
        assert_int_equal(spec.bootif.b[5], 0x56);
    }
    assert_false(parsed("rd.bootif=0 BOOTIF=01-52-54-00-12-34-56").has_bootif);
    assert_true(parsed("rd.bootif=1 BOOTIF=01-52-54-00-12-34-56").has_bootif);
}

static void test_the_host_name_is_of_the_long_form_only(void **state)
{
    struct cmdline c;
    cmdline_parse("ip=eth0:dhcp:1400:52:54:00:12:34:56", &c);
    assert_string_equal(c.hostname, "");
    cmdline_parse("ip=::::node7:eth0:dhcp", &c);
    assert_string_equal(c.hostname, "node7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_asked_for),
        cmocka_unit_test(test_bare_methods),
        cmocka_unit_test(test_the_kernels_static_form),
        cmocka_unit_test(test_the_kernels_servers),
        cmocka_unit_test(test_dracuts_forms),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_too_many_are_refused),
        cmocka_unit_test(test_vlans),
        cmocka_unit_test(test_bonds),
        cmocka_unit_test(test_bootif),
        cmocka_unit_test(test_the_host_name_is_of_the_long_form_only),
    };
    return cmocka_run_group_tests_name("init_netspec", tests, NULL, NULL);
}

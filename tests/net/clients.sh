# shellcheck shell=bash disable=SC2154 # lib.sh sets work and prefix
# Real DHCP clients in the namespaces of tests/net/lib.sh, each with its own configuration, hooks and memory of leases.
# Sourced after lib.sh and net_setup.
#
#   KIND is dhclient, udhcpc (Debian's), busybox (its applet), dhcpcd or networkd.
#
#   client_start KIND NAME [ARGUMENT...]  starts it in that namespace on eth0; it goes on running
#   client_crash NAME                     kills it and whatever it started: no RELEASE, and it remembers
#   client_stop KIND NAME                 ends it orderly, with a RELEASE
#   client_renew KIND NAME                asks it to renew now
#   client_forgets NAME                   forgets its leases and its interface's addresses
#   recorded NAME REGEX                   whether its hook was told a line like this since the last `record_new NAME`
#                                         (networkd has no hooks: its file of the lease)
#   said NAME REGEX                       the same for what it printed
#   address_of NAME                       the address that eth0 has, the last one where networkd keeps a former one
#   has_address NAME REGEX                whether eth0 has one like this
#
# networkd looks for the address it had only with KeepConfiguration=dhcp, and sends a RELEASE only without:
# networkd_releases NAME.
#
# systemd-networkd runs without systemd as PID 1: with a /run of its own, and with a /sys that it cannot write to, which tells
# it that no udev names its interfaces.
#
# A client has /etc, /run and its state folder to itself, and a host name that it may change.

# What each client asks for besides its usual, and where it puts down what it was told.
client_files() {
    local etc=$1/etc
    mkdir -p "$1"/{run,lib,systemd}
    cp -a /etc "$etc"
    rm -rf "$etc/resolv.conf" "$etc/systemd/network"
    : >"$etc/resolv.conf"
    mkdir -p "$etc/systemd/network" "$etc/dhcp/dhclient-exit-hooks.d" "$1/run/systemd/netif"/{links,leases,lldp}
    chown -R systemd-network: "$1/run/systemd/netif"
    rm -f "$etc"/dhcp/dhclient-enter-hooks.d/*
    cat >"$etc/dhcp/dhclient.conf" <<'END'
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
option site-word code 224 = text;
option site-long code 225 = text;
option v6-only code 108 = unsigned integer 32;
send dhcp-max-message-size 1472;
send fqdn.fqdn "asked.elsewhere.example";
send fqdn.encoded on;
send fqdn.server-update on;
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, host-name, interface-mtu,
    rfc3442-classless-static-routes, ntp-servers, site-word, site-long, v6-only;
timeout 300;
retry 2;
initial-interval 1;
backoff-cutoff 3;
END
    # shellcheck disable=SC2016
    echo '{ echo "event=$reason"; env | grep ^new_; } >>/run/record' >"$etc/dhcp/dhclient-exit-hooks.d/zz-record"
    cat >"$etc/dhcpcd.conf" <<'END'
clientid
noipv4ll
noipv6
nogateway
define 224 string site_word
define 225 string site_long
option domain_name_servers, domain_name, domain_search, host_name, classless_static_routes, interface_mtu, ntp_servers
option site_word, site_long
fqdn both
hostname asked
END
    # shellcheck disable=SC2016
    echo '{ echo "event=$reason"; env | grep ^new_; } >>/run/record' >"$etc/dhcpcd.exit-hook"
    cat >"$etc/systemd/network/10-eth0.network" <<'END'
[Match]
Name=eth0
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
KeepConfiguration=dhcp
[DHCPv4]
ClientIdentifier=mac
UseMTU=yes
UseDomains=yes
SendRelease=yes
RequestOptions=224 225
END
    cat >"$1/udhcpc-script" <<'END'
#!/bin/sh
{ echo "event=$1"; env; } >>/run/record
exec /etc/udhcpc/default.script "$@"
END
    chmod +x "$1/udhcpc-script"
}

# inside NAME COMMAND...: in the client's namespaces and folders. Exec'ed in a subshell, the process is COMMAND itself.
inside() {
    local root=$work/clients/$1 where=$prefix-$1
    shift
    [ -d "$root" ] || client_files "$root"
    # shellcheck disable=SC2016
    exec ip netns exec "$where" unshare --uts sh -c '
        root=$0
        mount --bind "$root/etc" /etc && mount --bind "$root/run" /run && mount -o remount,bind,ro /sys || exit 1
        for folder in /var/lib/dhcp /var/lib/dhcpcd; do
            [ ! -d "$folder" ] || mount --bind "$root/lib" "$folder" || exit 1
        done
        exec "$@"' "$root" "$@"
}

client_start() {
    local kind=$1 name=$2 root=$work/clients/$2
    local wanted=(-O subnet -O router -O dns -O domain -O mtu -O ntpsrv -O search -O staticroutes -O hostname -O 224 -O 225 -O 108)
    shift 2
    case $kind in
    dhclient) set -- dhclient -d -lf /var/lib/dhcp/leases -pf /run/dhclient.pid "$@" eth0 ;;
    udhcpc) set -- udhcpc -f -i eth0 -t 5 -T 2 -A 2 -s "$root/udhcpc-script" "${wanted[@]}" "$@" ;;
    busybox) set -- busybox udhcpc -f -i eth0 -t 5 -T 2 -A 2 -s "$root/udhcpc-script" "${wanted[@]}" "$@" ;;
    dhcpcd) set -- dhcpcd -4 -B -d "$@" eth0 ;;
    networkd) set -- SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console "$@" /lib/systemd/systemd-networkd ;;
    esac
    (inside "$name" env -i PATH="$PATH" "$@") >>"$work/$name.out" 2>&1 </dev/null &
    echo "$!" >"$work/$name.pid"
    disown # nobody wants to read in what way it was killed
}

client_pids() {
    ip netns pids "$prefix-$1" 2>/dev/null
}

client_idle() {
    [ -z "$(client_pids "$1")" ]
}

client_crash() {
    local pid
    for pid in $(client_pids "$1"); do
        kill -KILL "$pid" 2>/dev/null
    done
    wait_for 10 client_idle "$1"
}

client_stop() {
    local pid
    pid=$(cat "$work/$2.pid")
    case $1 in
    dhclient)
        (inside "$2" dhclient -r -lf /var/lib/dhcp/leases -pf /run/dhclient.pid eth0) >>"$work/$2.out" 2>&1
        ;;
    udhcpc | busybox)
        kill -USR2 "$pid"
        wait_for 20 said "$2" 'entering released state'
        kill "$pid" 2>/dev/null
        ;;
    dhcpcd) (inside "$2" dhcpcd -4 -k eth0) >>"$work/$2.out" 2>&1 ;;
    networkd) kill "$pid" ;;
    esac
    wait_for 20 client_idle "$2"
}

client_renew() {
    case $1 in
    udhcpc | busybox) kill -USR1 "$(cat "$work/$2.pid")" ;;
    dhcpcd) (inside "$2" dhcpcd -4 -N eth0) >>"$work/$2.out" 2>&1 ;;
    *) ;; # at its time
    esac
}

client_forgets() {
    rm -rf "$work/clients/$1"/lib/*
    on "$1" ip address flush dev eth0
}

record_new() {
    : >"$work/clients/$1/run/record"
    : >"$work/$1.out"
}

recorded() {
    cat "$work/clients/$1/run/record" "$work/clients/$1"/run/systemd/netif/leases/* 2>/dev/null | grep -qxE -- "$2"
}

said() {
    grep -qE -- "$2" "$work/$1.out" 2>/dev/null
}

addresses_of() {
    on "$1" ip -4 -o address show dev eth0 scope global | awk '{ sub("/.*", "", $4); print $4 }'
}

address_of() {
    addresses_of "$1" | tail -n 1
}

has_address() {
    addresses_of "$1" | grep -qxE -- "$2"
}

networkd_releases() {
    client_crash "$1"
    sed -i /^KeepConfiguration/d "$work/clients/$1/etc/systemd/network/10-eth0.network"
    on "$1" ip address flush dev eth0
    client_start networkd "$1"
}

# shellcheck shell=bash
# The servers that bench/dhcp/run measures, each set up as somebody would who wants it fast. Sourced after lib.sh.
#
#   serve_NAME FOLDER MODE   starts it with an empty lease store in the folder; MODE is `relay`, or `link` for clients
#                            on the link
#
# The same for all: one subnet, a pool of 262,144 addresses, 10,000 nodes with an address of their own, the same options,
# leases of a day, no test of an address by ping before it is given out, which would cost the others a second or more for
# each new client, no log line an exchange where that can be had (rambox writes one).

# All kernel: nine tenths sendmmsg, one tenth recvmmsg. On a quiet machine the client, which needs as much, is the limit.
serve_echo() {
    launch "$ECHO" rb0 $SERVER
}

serve_rambox() {
    rm -f "$WORK"/state/rambox.db*
    rambox_start
}

# serve_kea FOLDER MODE THREADS: the lease file is written and never synced, which is what Kea has; its clean-up does not
# run meanwhile. With threads, as many as its manual recommends for memfile, and a queue that takes a whole window; with the
# 28 it recommends, it drops what is beyond.
# Its limit: 55 % of its time is its own code and the C library's, first reference counts and malloc; the rest is a system
# call or more a packet (recvmsg, select, sendmsg), with threads two futexes besides. Its socket holds 124 requests.
serve_kea() {
    local threads=false socket=udp
    [ "$3" = 0 ] || threads="true, \"thread-pool-size\": $3, \"packet-queue-size\": 512"
    [ "$2" = relay ] || socket=raw
    mkdir -p "$1/run"
    {
        cat <<-END
	{ "Dhcp4": {
	  "interfaces-config": { "interfaces": ["rb0"], "dhcp-socket-type": "$socket", "re-detect": false },
	  "lease-database": { "type": "memfile", "persist": true, "name": "$1/leases.csv", "lfc-interval": 0 },
	  "multi-threading": { "enable-multi-threading": $threads },
	  "valid-lifetime": 86400, "calculate-tee-times": true, "ddns-send-updates": false,
	  "host-reservation-identifiers": ["hw-address"], "reservations-in-subnet": true, "reservations-out-of-pool": true,
	  "loggers": [{ "name": "kea-dhcp4", "severity": "ERROR", "output_options": [{ "output": "stdout" }] }],
	  "option-data": [ { "name": "routers", "data": "$SERVER" }, { "name": "domain-name-servers", "data": "$SERVER" },
	                   { "name": "domain-name", "data": "bench.example" } ],
	  "subnet4": [{ "subnet": "10.0.0.0/8", "pools": [{ "pool": "10.16.0.0 - 10.19.255.255" }], "reservations": [
	END
        known_nodes "$NODES" $'{ "hw-address": "MAC", "ip-address": "IP", "hostname": "NAME" },\n' | sed '$ s/,$//'
        echo ']}] } }'
    } >"$1/kea.conf"
    # shellcheck disable=SC2016
    launch env KEA_PIDFILE_DIR="$1/run" KEA_LOCKFILE_DIR="$1/run" KEA_DHCP_DATA_DIR="$1" kea-dhcp4 -c "$1/kea.conf"
}

serve_kea1() {
    serve_kea "$1" "$2" 0
}

serve_kea4() {
    serve_kea "$1" "$2" 4
}

# Its limit: each ACK writes the whole lease file anew and syncs it, and each lookup walks lists of hosts and leases.
serve_dnsmasq() {
    known_nodes "$NODES" $'MAC,IP,NAME\n' >"$1/hosts"
    [ -e "$1/leases" ] || : >"$1/leases"
    launch dnsmasq -k -C /dev/null --port=0 -i rb0 --user=root --group=root --pid-file="$1/pid" --log-facility="$1/log" \
        --quiet-dhcp --no-ping --dhcp-authoritative --dhcp-lease-max=1000000 --dhcp-leasefile="$1/leases" \
        --dhcp-hostsfile="$1/hosts" --dhcp-range=10.16.0.0,10.19.255.255,255.0.0.0,24h --domain=bench.example \
        --dhcp-option=3,$SERVER --dhcp-option=6,$SERVER
}

# dhcpd syncs its lease file; `delayed-ack` lets it sync once for many. A pool of 262,144 would make it slower yet, so it
# has the last 16,384 addresses of it. Its lines for syslog find nobody here, which costs it less than one who reads them.
# Its limit: for known nodes system calls, a dozen an exchange; for new clients a linear search for a free lease.
serve_dhcpd() {
    {
        cat <<-END
	authoritative; ping-check false; ddns-update-style none;
	default-lease-time 86400; max-lease-time 86400;
	delayed-ack 28; max-ack-delay 5000;
	subnet 10.0.0.0 netmask 255.0.0.0 {
	  range 10.19.192.0 10.19.255.254;
	  option routers $SERVER; option domain-name-servers $SERVER; option domain-name "bench.example";
	}
	END
        known_nodes "$NODES" $'host NAME { hardware ethernet MAC; fixed-address IP; }\n'
    } >"$1/dhcpd.conf"
    : >"$1/leases"
    launch dhcpd -4 -f -q -cf "$1/dhcpd.conf" -lf "$1/leases" -pf "$1/pid" rb0
}

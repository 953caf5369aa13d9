/* daemon/dhcp_service with real sockets, a real store and its committer, in a network namespace of its own:
 * the test is a relay agent on the loopback interface. Linked with malloc and its like wrapped (F11). */
#include "base/file.h"
#include "daemon/dhcp_service.h"
#include "daemon/sockets.h"
#include "dhcp_bed.h"
#include "failing_malloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum { SERVER_PORT = 6767, GUESTS = 90 };
#define RELAY 0x7f000009u /* 127.0.0.9 */
#define OURS  0x7f000001u

static char folder[] = "/tmp/rambox-test-dhcp.XXXXXX";

/* The process around it. */
static struct process {
    uv_loop_t loop;
    struct store *store;
    struct committer *committer;
    struct generations generations;
    struct dhcp_service *service;
    struct dhcp_listener *listener;
    int relay_fd, link_fd;
    char *path;
    uint8_t data[2048];
} p;

/* A namespace where the loopback interface is up. Skipped where that is not allowed. */
static int own_network(void **state)
{
    (void)state;
    struct ifreq request = {.ifr_name = "lo"};
    if (!mkdtemp(folder))
        return -1;
    if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return 0;
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return -1;
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int remove_folder(void **state)
{
    (void)state;
    return dir_remove(folder);
}

static void open_relay(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(67), .sin_addr.s_addr = htonl(RELAY)};
    const int size = 32 << 20;
    p.relay_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(p.relay_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    (void)setsockopt(p.relay_fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    if (bind(p.relay_fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
        skip(); /* no namespace of our own */
}

static int start(void **state)
{
    cleanup_diags struct diags diags = {0};
    struct served_iface lo = {
        .name = "lo", .index = 1, .mtu = 65536, .address = OURS, .prefix = {0x7f000000, 8}};
    setup_policy(UNKNOWN_ALLOW);
    memset(&p, 0, sizeof(p));
    open_relay();
    p.path = xasprintf("%s/rambox.db", folder);
    unlink(p.path);
    assert_int_equal(store_open(p.path, &diags, &p.store), 0);
    assert_int_equal(uv_loop_init(&p.loop), 0);
    assert_int_equal(committer_new(&p.loop, p.store, &p.committer), 0);
    generations_init(&p.generations);
    struct site *site = fixture_site(UNKNOWN_ALLOW);
    VEC_PUSH(&site->subnets.items[1].relays, RELAY);
    generations_publish(&p.generations, fixture_generation(1, site));
    p.link_fd = socket_open_link(&diags);
    p.service = dhcp_service_new(&(struct dhcp_service_config){.loop = &p.loop,
                                                               .server = bed.server,
                                                               .generations = &p.generations,
                                                               .committer = p.committer,
                                                               .sink = &bed.events.sink,
                                                               .link_fd = p.link_fd});
    assert_non_null(p.service);
    assert_int_equal(dhcp_service_listen(p.service, &lo, SERVER_PORT, &diags, &p.listener), 0);
    return 0;
}

static int stop(void **state)
{
    if (p.service) {
        dhcp_service_drain(p.service);
        committer_free(p.committer);
        dhcp_service_free(p.service);
        uv_run(&p.loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&p.loop), 0);
        store_close(p.store);
        generations_clear(&p.generations);
        close(p.link_fd);
        free(p.path);
    }
    if (p.relay_fd > 0)
        close(p.relay_fd);
    return teardown(state);
}

static struct mac guest(unsigned number)
{
    return (struct mac){{2, 0, 0, 1, (uint8_t)(number >> 8), (uint8_t)number}};
}

/* Relays the message in `bed`, of at least `size` bytes. */
static void relay(uint32_t xid, size_t size)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr.s_addr = htonl(OURS)};
    uint8_t longer[8192] = {0};
    PUT(DHCP_END);
    put_u32(4, xid);
    put_u32(24, RELAY);
    memcpy(longer, bed.b, bed.n);
    size = size > bed.n ? size : bed.n;
    assert_int_equal(sendto(p.relay_fd, longer, size, 0, (const struct sockaddr *)&to, sizeof(to)), size);
}

static void relay_discover(unsigned number, size_t size)
{
    const struct mac mac = guest(number);
    message(DHCP_DISCOVER, &mac);
    relay(number * 2 + 1, size);
}

static void relay_request(unsigned number, ipv4_t ip)
{
    const struct mac mac = guest(number);
    message(DHCP_REQUEST, &mac);
    put_address(DHCP_SERVER_ID, OURS);
    put_address(DHCP_REQUESTED_IP, ip);
    relay(number * 2 + 2, 0);
}

/* Lets the process run until a reply came, for at most ten seconds; false: none did. */
static bool reply_came(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned i = 0; i < 10000; i++) {
        uv_run(&p.loop, UV_RUN_NOWAIT);
        ssize_t n = recv(p.relay_fd, p.data, sizeof(p.data), 0);
        if (n >= 0) {
            assert_int_equal(dhcp_parse(p.data, (size_t)n, &bed.reply), DHCP_OK);
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

static unsigned leases_stored(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(p.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM leases", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    unsigned n = (unsigned)sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

/* DISCOVER to ACK; 0 when something was not answered. */
/* The reply to this message; one to another that comes late is passed over. */
static bool reply_to(uint32_t xid)
{
    bool came = reply_came();
    while (came && bed.reply.xid != xid)
        came = reply_came();
    return came;
}

static ipv4_t bind_guest(unsigned number)
{
    relay_discover(number, 0);
    if (!reply_to(number * 2 + 1) || bed.reply.type != DHCP_OFFER)
        return 0;
    ipv4_t ip = bed.reply.yiaddr;
    relay_request(number, ip);
    return reply_to(number * 2 + 2) && bed.reply.type == DHCP_ACK && bed.reply.yiaddr == ip ? ip : 0;
}

/* D20: when an ACK is there, so is its lease. */
static void lease_is_stored_before_its_ack(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_not_equal(bind_guest(i), 0);
        assert_int_equal(leases_stored(), i);
    }
}

/* Those who come in the same instant are taken with one call, and have an address each. */
static void many_at_once(void **state)
{
    (void)state;
    ipv4_t ips[GUESTS] = {0};
    for (unsigned i = 0; i < GUESTS; i++)
        relay_discover(i, 0);
    for (unsigned i = 0; i < GUESTS; i++) {
        assert_true(reply_came());
        assert_int_equal(bed.reply.type, DHCP_OFFER);
        ips[bed.reply.xid / 2] = bed.reply.yiaddr;
    }
    assert_int_equal(dhcp_service_stats(p.service).batches, 1);
    for (unsigned i = 0; i < GUESTS; i++)
        relay_request(i, ips[i]);
    for (unsigned i = 0; i < GUESTS; i++) {
        assert_true(reply_came());
        assert_int_equal(bed.reply.type, DHCP_ACK);
        assert_int_equal(bed.reply.yiaddr, ips[bed.reply.xid / 2 - 1]);
    }
    for (unsigned i = 0; i < GUESTS; i++)
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(ips[i], ips[j]);
    assert_int_equal(leases_stored(), GUESTS);
}

/* Messages that need more than the room of an Ethernet frame, and one that is too long. */
static void long_messages(void **state)
{
    (void)state;
    static const size_t sizes[] = {1535, 1536, 1537, 3000, DHCP_PACKET_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        relay_discover(i, sizes[i]);
        assert_true(reply_came());
        assert_int_equal(bed.reply.type, DHCP_OFFER);
    }
    relay_discover(90, DHCP_PACKET_MAX + 1);
    assert_int_not_equal(bind_guest(91), 0);
    assert_int_equal(counter_value(&bed.counters, COUNT_DHCP_MALFORMED + DHCP_TOO_LONG - 1), 1);
}

/* What the kernel had no room for is counted, and the next message is answered. */
static void drops_are_counted(void **state)
{
    (void)state;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(SERVER_PORT), .sin_addr.s_addr = htonl(OURS)};
    static const uint8_t nothing[1400];
    for (unsigned i = 0; i < 60000; i++)
        (void)sendto(p.relay_fd, nothing, sizeof(nothing), 0, (const struct sockaddr *)&to, sizeof(to));
    for (unsigned before = 1, now = 0; now != before; now = (unsigned)dhcp_service_stats(p.service).batches) {
        before = now;
        uv_run(&p.loop, UV_RUN_NOWAIT); /* until the queue is empty */
    }
    assert_int_not_equal(bind_guest(1), 0);
    assert_int_not_equal(dhcp_service_stats(p.service).dropped, 0);
}

/* F11: an allocation that fails, in whichever thread, costs one request; who asks again has an answer. */
static void each_allocation_fails_once(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (unsigned nth = 1; nth <= 20; nth++) {
        made = 0;
        fail_at = nth;
        const struct mac mac = guest(nth);
        const struct timespec pause = {.tv_nsec = 1000000};
        message(DHCP_DISCOVER, &mac);
        relay(nth * 2 + 1, 0);
        bed.reply.yiaddr = 0;
        for (unsigned i = 0; i < 50; i++) {
            uv_run(&p.loop, UV_RUN_NOWAIT);
            ssize_t n = recv(p.relay_fd, p.data, sizeof(p.data), 0);
            if (n >= 0 && dhcp_parse(p.data, (size_t)n, &bed.reply) == DHCP_OK &&
                bed.reply.type == DHCP_OFFER)
                relay_request(nth, bed.reply.yiaddr);
            else if (n >= 0)
                break;
            nanosleep(&pause, NULL);
        }
        fail_at = 0;
        lost += bed.reply.type != DHCP_ACK || bed.reply.xid != nth * 2 + 2;
        assert_int_not_equal(bind_guest(nth + 1000), 0);
        assert_int_not_equal(bind_guest(nth + 2000), 0);
    }
    assert_int_not_equal(lost, 0); /* or nothing was tried */
    assert_true(lost < 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lease_is_stored_before_its_ack, start, stop),
        cmocka_unit_test_setup_teardown(many_at_once, start, stop),
        cmocka_unit_test_setup_teardown(long_messages, start, stop),
        cmocka_unit_test_setup_teardown(drops_are_counted, start, stop),
        cmocka_unit_test_setup_teardown(each_allocation_fails_once, start, stop),
    };
    return cmocka_run_group_tests_name("dhcp_service", tests, own_network, remove_folder);
}

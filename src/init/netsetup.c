/* See init/netsetup.h. */
#include "init/netsetup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "init/facts.h"
#include "init/files.h"
#include "init/keeper.h"
#include "init/port.h"
#include "init/say.h"

#define PORTS_MAX  16
#define SLOWEST    8000 /* ms between questions: a port that begins to forward is used soon after */
#define SAY_AFTER  5000 /* ms without an answer after which it says that it waits */
#define TURN       1000 /* ms: how long it sleeps at most, should the kernel not tell of a link */
#define LOOK_AGAIN 50   /* ms: for interfaces that are not there yet */

/* One ip= on its way. */
struct job {
    const struct net_ip *ip;
    bool settled;
    bool said;      /* that it waits */
    int64_t linked; /* ms: when the first of its interfaces had a link; 0: none yet */
};

struct work {
    const struct netspec *spec;
    const char *host;
    struct netsetup *result;
    struct text *why;
    int error; /* of what `why` says */
    int64_t begun;
    int watch;
    struct job jobs[NETSPEC_IPS];
    unsigned job_count;
    struct port ports[PORTS_MAX];
    struct job *job_of[PORTS_MAX];
    unsigned port_count;
};

/* The first thing that failed is what is reported; all are said. */
__attribute__((format(printf, 3, 4))) static void fail(struct work *w, int error, const char *format, ...)
{
    char line[160];
    struct text text;
    va_list arguments;

    text_start(&text, line, sizeof(line));
    va_start(arguments, format);
    text_addv(&text, format, arguments);
    va_end(arguments);
    say("%s", line);
    if (w->error == 0)
        text_add(w->why, line);
    if (w->error == 0)
        w->error = error;
}

static void rest(const struct work *w, int64_t ms)
{
    struct pollfd fd = {.fd = w->watch, .events = POLLIN};

    (void)poll(&fd, 1, (int)ms);
    link_watch_drain(w->watch);
}

/* Interfaces. */

static bool is_made(const struct netspec *spec, const char *name)
{
    for (unsigned i = 0; i < spec->vlan_count; i++)
        if (strcmp(spec->vlans[i].name, name) == 0)
            return true;
    for (unsigned i = 0; i < spec->bond_count; i++)
        if (strcmp(spec->bonds[i].name, name) == 0)
            return true;
    return false;
}

static bool is_parent(const struct netspec *spec, const char *name)
{
    for (unsigned i = 0; i < spec->vlan_count; i++)
        if (strcmp(spec->vlans[i].parent, name) == 0)
            return true;
    return false;
}

/* All interfaces; returns how many. */
static unsigned list_links(struct link ret[static PORTS_MAX])
{
    char text[4096], name[IFNAMSIZ];
    const char *at = text;
    unsigned count = 0;

    (void)files_read("/proc/net/dev", text, sizeof(text));
    while (count < PORTS_MAX && facts_next_interface(&at, name))
        if (link_read(name, &ret[count]) == 0)
            count++;
    return count;
}

/* Whether DHCP and addresses have any business on it when nobody names it. */
static bool is_candidate(const struct link *link)
{
    return link->ethernet && !(link->flags & (IFF_LOOPBACK | IFF_SLAVE | IFF_MASTER));
}

static bool has_candidate(const struct mac *mac)
{
    struct link links[PORTS_MAX];
    unsigned count = list_links(links);

    for (unsigned i = 0; i < count; i++)
        if (is_candidate(&links[i]) && (!mac || mac_equal(mac, &links[i].mac)))
            return true;
    return false;
}

static bool is_missing(const struct netspec *spec, const char *name)
{
    struct link link;

    return !is_made(spec, name) && link_read(name, &link) < 0;
}

/* The first name of an interface that the command line counts on and that is not there, or NULL. */
static const char *missing_link(const struct netspec *spec)
{
    for (unsigned i = 0; i < spec->bond_count; i++)
        for (unsigned k = 0; k < spec->bonds[i].slave_count; k++)
            if (is_missing(spec, spec->bonds[i].slaves[k]))
                return spec->bonds[i].slaves[k];
    for (unsigned i = 0; i < spec->vlan_count; i++)
        if (is_missing(spec, spec->vlans[i].parent))
            return spec->vlans[i].parent;
    for (unsigned i = 0; i < spec->ip_count; i++)
        if (spec->ips[i].interface[0] && is_missing(spec, spec->ips[i].interface))
            return spec->ips[i].interface;
    if (spec->bond_count || spec->vlan_count)
        return NULL;
    for (unsigned i = 0; i < spec->ip_count; i++)
        if (!spec->ips[i].interface[0] && !has_candidate(spec->has_bootif ? &spec->bootif : NULL))
            return spec->has_bootif ? "of BOOTIF=" : "at all";
    return NULL;
}

static void wait_for_links(const struct work *w)
{
    const char *missing;
    int64_t end = w->begun + w->spec->iflink * 1000;

    while ((missing = missing_link(w->spec))) {
        if (port_now() >= end) {
            say("no interface %s within %ld s: see that the kernel has a driver for the card, or its "
                "module is in the image (rd.net.timeout.iflink= waits longer)",
                missing, w->spec->iflink);
            return;
        }
        rest(w, LOOK_AGAIN);
    }
}

/* What the kernel took the command line for is taken away. */
static void clear_addresses(void)
{
    struct link links[PORTS_MAX];
    unsigned count = list_links(links);

    for (unsigned i = 0; i < count; i++)
        if (!(links[i].flags & IFF_LOOPBACK) && links[i].address)
            (void)link_set_address(links[i].name, 0, 0);
}

static void make_bonds(struct work *w)
{
    const char *what;

    for (unsigned i = 0; i < w->spec->bond_count; i++) {
        const struct net_bond *bond = &w->spec->bonds[i];
        int r = link_add_bond(bond, &what);
        if (r == -ENOENT && strchr(what, '/'))
            fail(w, r, "cannot make %s: the kernel needs CONFIG_BONDING, and the image /sys in its fstab",
                 bond->name);
        else if (r < 0)
            fail(w, r, "cannot make %s: %s: %s", bond->name, what, strerror(-r));
        if (link_up(bond->name) < 0 && r == 0)
            fail(w, -ENODEV, "cannot bring %s up", bond->name);
    }
}

static void make_vlans(struct work *w)
{
    for (unsigned i = 0; i < w->spec->vlan_count; i++) {
        const struct net_vlan *vlan = &w->spec->vlans[i];
        (void)link_up(vlan->parent); /* a VLAN is not up before what it is on */
        int r = link_add_vlan(vlan);
        if (r < 0 && r != -EEXIST)
            fail(w, r, "cannot make %s on %s: %s%s", vlan->name, vlan->parent, strerror(-r),
                 r == -ENODEV ? "" : "; the kernel needs CONFIG_VLAN_8021Q");
    }
}

/* Ports: the interfaces of each ip=. */

static void add_port(struct work *w, struct job *job, const struct link *link)
{
    if (w->port_count == PORTS_MAX)
        return;
    struct port *port = &w->ports[w->port_count];
    *port = (struct port){.link = *link, .spec = w->spec, .ip = job->ip, .fd = -1};
    w->job_of[w->port_count++] = job;
    if (job->ip->has_mac) {
        (void)link_down(link->name);
        int r = link_set_mac(link->name, &job->ip->mac);
        if (r < 0)
            say("cannot change the MAC address of %s: %s", link->name, strerror(-r));
    }
    port->raised = !(link->flags & IFF_UP);
    int r = link_up(link->name);
    if (r < 0)
        say("cannot bring %s up: %s", link->name, strerror(-r));
    (void)link_read(link->name, &port->link);
}

static bool is_named(const struct netspec *spec, const char *name)
{
    for (unsigned i = 0; i < spec->ip_count; i++)
        if (strcmp(spec->ips[i].interface, name) == 0)
            return true;
    return false;
}

/* The interfaces for an ip= that names none: BOOTIF='s if that is there; of a VLAN and what it is on, the
 * VLAN; what no other ip= names. */
static void add_any(struct work *w, struct job *job)
{
    struct link links[PORTS_MAX];
    unsigned count = list_links(links);
    const struct netspec *spec = w->spec;
    bool bootif = spec->has_bootif && has_candidate(&spec->bootif);

    for (unsigned i = 0; i < count; i++) {
        struct link *link = &links[i];
        bool made = is_made(spec, link->name);

        if ((!is_candidate(link) && !made) || is_parent(spec, link->name) || is_named(spec, link->name) ||
            (bootif && !made && !mac_equal(&link->mac, &spec->bootif)))
            continue;
        add_port(w, job, link);
    }
}

static void add_jobs(struct work *w)
{
    struct link link;

    for (unsigned i = 0; i < w->spec->ip_count; i++) {
        struct job *job = &w->jobs[w->job_count++];
        unsigned before = w->port_count;

        *job = (struct job){.ip = &w->spec->ips[i]};
        if (!job->ip->interface[0])
            add_any(w, job);
        else if (link_read(job->ip->interface, &link) == 0)
            add_port(w, job, &link);
        if (w->port_count == before) {
            fail(w, -ENODEV, "there is no interface %s",
                 job->ip->interface[0] ? job->ip->interface : "that ip= could mean");
            job->settled = true;
        } else if (job->ip->method == NET_OFF) {
            job->settled = true;
        }
    }
}

/* The only interface of a job, or NULL. */
static struct port *only_port(struct work *w, const struct job *job)
{
    struct port *only = NULL;

    for (unsigned i = 0; i < w->port_count; i++) {
        if (w->job_of[i] == job && only)
            return NULL;
        if (w->job_of[i] == job)
            only = &w->ports[i];
    }
    return only;
}

/* The others of the job rest: what was down before is put down again. */
static void settle(struct work *w, struct job *job, const struct port *winner)
{
    job->settled = true;
    for (unsigned i = 0; i < w->port_count; i++) {
        struct port *port = &w->ports[i];
        if (w->job_of[i] != job || port == winner)
            continue;
        port_rest(port);
        port->asking = false;
        if (winner && port->raised)
            (void)link_down(port->link.name);
    }
}

static void give(struct work *w, struct job *job, struct port *port, const struct lease *lease)
{
    struct netsetup *result = w->result;

    int r = port_apply(port, lease);
    settle(w, job, port);
    if (r < 0) {
        if (w->error == 0)
            text_addf(w->why, "%s got no address: %s", port->link.name, strerror(-r));
        w->error = w->error ? w->error : r;
        return;
    }
    if (!result->host[0])
        memcpy(result->host, lease->host, sizeof(result->host));
    if (!result->server)
        result->server = lease->next_server;
    result->done++;
}

static void work_port(struct work *w, struct job *job, struct port *port)
{
    (void)link_read(port->link.name, &port->link);
    if (!(port->link.flags & IFF_RUNNING))
        return;
    if (!job->linked)
        job->linked = port_now();
    if (job->ip->method == NET_STATIC) {
        struct lease lease = port_static_lease(job->ip);
        give(w, job, port, &lease);
        return;
    }
    if (!port->asking)
        port_ask(port, w->host, SLOWEST);
    if (port_work(port) == DHCP_GIVEN)
        give(w, job, port, &port->client.lease);
}

/* The names of the job's interfaces, of those that have a link where one has. */
static void add_names(const struct work *w, const struct job *job, struct text *text)
{
    for (unsigned i = 0; i < w->port_count; i++)
        if (w->job_of[i] == job && (!job->linked || w->ports[i].link.flags & IFF_RUNNING))
            text_addf(text, "%s%s", text->used ? ", " : "", w->ports[i].link.name);
}

/* The boot goes on without. Where there is no choice to be made, the one interface has its address all the
 * same, or goes on asking (keeper.h): the cable or the server may come later. */
static void give_up(struct work *w, struct job *job)
{
    struct port *only = only_port(w, job);

    if (only && job->ip->method == NET_STATIC) {
        struct lease lease = port_static_lease(job->ip);
        give(w, job, only, &lease);
        return;
    }
    settle(w, job, only);
    if (only && !only->asking)
        port_ask(only, w->host, SLOWEST);
}

/* Says that it waits, once; gives up when it has waited long enough. */
static void look_at_clock(struct work *w, struct job *job)
{
    const struct netspec *spec = w->spec;
    int64_t now = port_now();
    char names[80];
    struct text text;

    text_start(&text, names, sizeof(names));
    add_names(w, job, &text);
    if (!job->linked) {
        if (now - w->begun < spec->carrier * 1000)
            return;
        fail(w, -ENETDOWN,
             "no link on %s within %ld s: check the cable (rd.net.timeout.carrier= waits longer)", names,
             spec->carrier);
        give_up(w, job);
    } else if (now - job->linked >= spec->dhcp * 1000) {
        fail(w, -ETIMEDOUT,
             "nobody answered DHCP on %s within %ld s: check that the server runs and knows this node "
             "(rd.net.timeout.dhcp= waits longer)",
             names, spec->dhcp);
        give_up(w, job);
    } else if (!job->said && now - job->linked >= SAY_AFTER) {
        say("no answer on %s yet: a switch port with spanning tree forwards after 30 s; waiting for %ld s",
            names, spec->dhcp);
        job->said = true;
    }
}

/* Sleeps until something comes, or something is due. */
static void sleep_until_next(const struct work *w)
{
    struct pollfd fds[PORTS_MAX + 1] = {{.fd = w->watch, .events = POLLIN}};
    int64_t now = port_now(), next = now + TURN;

    for (unsigned i = 0; i < w->port_count; i++) {
        const struct port *port = &w->ports[i];
        fds[i + 1] = (struct pollfd){.fd = port->fd, .events = POLLIN};
        if (!w->job_of[i]->settled && port->asking && port->client.next < next)
            next = port->client.next;
    }
    (void)poll(fds, w->port_count + 1, next > now ? (int)(next - now) : 0);
    link_watch_drain(w->watch);
}

static bool turn(struct work *w)
{
    bool open = false;

    for (unsigned i = 0; i < w->port_count; i++)
        if (!w->job_of[i]->settled)
            work_port(w, w->job_of[i], &w->ports[i]);
    for (unsigned i = 0; i < w->job_count; i++) {
        if (!w->jobs[i].settled)
            look_at_clock(w, &w->jobs[i]);
        open |= !w->jobs[i].settled;
    }
    return open;
}

int netsetup_run(const struct netspec *spec, const char *host, struct netsetup *ret, struct text *why)
{
    static struct work work;
    struct work *w = &work;

    *ret = (struct netsetup){.done = 0};
    *w = (struct work){.spec = spec, .host = host, .result = ret, .why = why, .begun = port_now()};
    w->watch = link_watch();
    clear_addresses();
    wait_for_links(w);
    make_bonds(w);
    make_vlans(w);
    w->begun = port_now();
    add_jobs(w);
    while (turn(w))
        sleep_until_next(w);
    if (w->watch >= 0)
        close(w->watch);
    int r = keeper_start(w->ports, w->port_count);
    if (r < 0)
        say("cannot start the child that renews leases: %s", strerror(-r));
    return w->error;
}

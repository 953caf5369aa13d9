/* Marking and telling stages; the contract is in timeline.h. */
#include "init/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "init/facts.h"
#include "init/network.h"
#include "init/post.h"
#include "init/process.h"
#include "init/report.h"
#include "init/say.h"
#include "init/trial.h"

#define BODY_MAX       196608 /* bytes; the server takes 256 KiB */
#define PATIENT_ROUNDS 5      /* of post_report()'s tries, each up to 14 s */

void timeline_start(struct timeline *timeline, const struct cmdline *cmdline)
{
    const char *before = getenv(STAGES_VARIABLE);

    timeline->cmdline = cmdline;
    stages_decode(before ? before : "", &timeline->stages);
}

int timeline_mark(struct timeline *timeline, const char *stage, const char *detail)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return stages_add(&timeline->stages, stage, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
                      detail);
}

void timeline_export(const struct timeline *timeline)
{
    char encoded[STAGES_ENCODED];

    stages_encode(&timeline->stages, encoded, sizeof(encoded));
    setenv(STAGES_VARIABLE, encoded, 1);
}

/* A report, and what it points to. One, and static, so that only the process that tells ever touches its
 * memory. */
static struct telling {
    struct report report;
    struct utsname names;
    struct facts_interface interfaces[FACTS_INTERFACES];
    struct facts facts;
    struct inventory inventory;
    char buffer[BODY_MAX];
} telling;

static void write_body(struct text *body)
{
    text_start(body, telling.buffer, sizeof(telling.buffer));
    report_body(&telling.report, body);
}

static int compose(const struct timeline *timeline, bool with_facts, struct text *body)
{
    struct report *report = &telling.report;

    *report = (struct report){.boot = timeline->cmdline->boot, .node = timeline->cmdline->node, .mac = ""};
    const struct facts_interface *main_interface =
        facts_main_interface(telling.interfaces, facts_interfaces(telling.interfaces));
    if (main_interface)
        report->mac = main_interface->mac;
    if (!report->node[0] && uname(&telling.names) == 0)
        report->node = telling.names.nodename;
    report->stages = &timeline->stages;
    if (with_facts) {
        facts_gather(&telling.facts);
        report->facts = &telling.facts;
    }
    write_body(body);
    if (body->cut && with_facts) {
        report->facts = NULL;
        write_body(body);
    }
    return body->cut ? -EMSGSIZE : 0;
}

/* What the machine is made of, in a report of its own behind the one that it is ready: reading all of /sys
 * takes longer than the rest of the boot's last stage. */
static int tell_inventory(const struct post *post)
{
    struct report *report = &telling.report;
    struct text body;

    inventory_start(&telling.inventory);
    inventory_read_sys(&telling.inventory, "/sys");
    inventory_read_log(&telling.inventory, telling.buffer, sizeof(telling.buffer));
    if (telling.inventory.device_count == 0)
        return 0; /* no /sys */
    report->facts = NULL;
    report->inventory = &telling.inventory;
    for (report->level = 0; report->level < INVENTORY_LEVELS; report->level++) {
        write_body(&body);
        if (!body.cut)
            return post_report(post, body.at, body.used);
    }
    return -EMSGSIZE;
}

/* A server without address is the one that the node's DHCP named. */
static int find_server(const char *text, struct sockaddr_in *ret)
{
    char address[16], line[80];
    struct text server;

    if (text[0] != ':')
        return report_server(text, ret);
    if (network_boot_server(address) < 0)
        return -ENOENT;
    text_start(&server, line, sizeof(line));
    text_addf(&server, "%s%s", address, text);
    return report_server(line, ret);
}

/* Whether a report that did not get through is sent again. As long as the network is silent: a switch port
 * that has just come up may forward only after 30 s. And that the node is ready, while it is on trial, until
 * the server has taken it or the trial is over: else a server that restarts at that moment would make a
 * failure of a kernel that works. */
static bool is_sent_again(const struct timeline *timeline, bool ready, unsigned round, int r)
{
    if (ready && timeline->cmdline->trial)
        return r < 0 && r != -EBADMSG;
    return round < PATIENT_ROUNDS && (r == -ETIMEDOUT || r == -EHOSTUNREACH);
}

/* Posts; who brings the facts, and so is ready, says when that takes long. */
static int post_patiently(const struct timeline *timeline, const struct post *post, const struct text *body,
                          bool ready)
{
    int r = post_report(post, body->at, body->used);

    for (unsigned round = 0; is_sent_again(timeline, ready, round, r); round++) {
        bool silent = r == -ETIMEDOUT || r == -EHOSTUNREACH;
        if (ready && round == 0)
            say("no answer from %s yet%s; trying on", timeline->cmdline->server,
                silent ? ": a switch port with spanning tree forwards after 30 s" : "");
        if (!silent)
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        r = post_report(post, body->at, body->used);
    }
    return r;
}

int timeline_tell_now(const struct timeline *timeline, bool with_facts, enum timeline_urgency urgency)
{
    struct post post = {.tries = 5, .connect_ms = 2000};
    struct text body;

    if (!timeline->cmdline || !timeline->cmdline->server[0])
        return 0;
    int r = find_server(timeline->cmdline->server, &post.server);
    if (r < 0) {
        say("rambox.server=%s %s: nothing is reported", timeline->cmdline->server,
            r == -ENOENT ? "has no address, and no DHCP server has named one" : "is not A.B.C.D:PORT");
        return r;
    }
    if (urgency == TIMELINE_BRIEF)
        post = (struct post){.server = post.server, .tries = 1, .connect_ms = 1000};
    r = compose(timeline, with_facts, &body);
    if (r == 0)
        r = urgency == TIMELINE_PATIENT ? post_patiently(timeline, &post, &body, with_facts)
                                        : post_report(&post, body.at, body.used);
    if (r == 0 && with_facts) {
        trial_end(timeline->cmdline);
        r = tell_inventory(&post);
    }
    if (r < 0)
        say("cannot report to %s: %s", timeline->cmdline->server,
            r == -EBADMSG ? "it refused the report; see the server's log" : strerror(-r));
    return r;
}

pid_t timeline_tell(const struct timeline *timeline, bool with_facts, enum timeline_urgency urgency)
{
    if (!timeline->cmdline || !timeline->cmdline->server[0])
        return 0;
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid > 0)
        return pid;
    process_restore_signals();
    _exit(timeline_tell_now(timeline, with_facts, urgency) < 0);
}

/* The boots that are under way, by MAC: the link between a firmware's DISCOVER, the files it asks for and
 * what the node reports. A boot moves by the events the serving code emits; one function moves it
 * (boot_table_observe).
 *
 * A boot begins when a firmware (class PXEClient or HTTPClient) that we answer sends a DISCOVER, and there is
 * no boot of its MAC, or the last one went past its loader, or nothing was heard of it for 30 s. The table
 * holds the `capacity` boots heard of last.
 *
 * A program that a firmware fetched whole, or a kernel that a UEFI loader did, and after which nothing came,
 * was not started: nobody tells a boot server that Secure Boot refused it, so the table finds it out
 * (EVENT_UNSTARTED). Safe from any thread:
 * every call takes the table's lock for a look-up.
 */
#pragma once

#include "serve/counters.h"
#include "serve/event.h"

#include <stdbool.h>
#include <stddef.h>

struct boot_table;

struct boot_table_config {
    size_t capacity;                /* 0: 65,536 */
    uint64_t (*random)(void *user); /* 64 unpredictable bits; boot ids come from it */
    void *user;
    struct event_sink *sink; /* gets EVENT_BOOT; called without the table's lock held */
    struct counters *counters;
};

/* NULL when memory is gone. `config` is copied. */
struct boot_table *boot_table_new(const struct boot_table_config *config);
void boot_table_free(struct boot_table *table);

/* The DISCOVER of a firmware: begins a boot or goes on with the current one; returns its id (0: memory is
 * gone). `node` may be NULL, and `profile`, the name of what it boots. Emits EVENT_BOOT when one begins. */
uint64_t boot_table_discover(struct boot_table *table, const struct moment *now, const struct mac *mac,
                             const char *node, const char *profile, unsigned generation);
/* The address a boot was given (0: not said), and the generation it was told to boot (0: not said). Emits
 * EVENT_BOOT when one differs from what was known. */
void boot_table_assign(struct boot_table *table, const struct moment *now, uint64_t id, ipv4_t ip,
                       unsigned generation);

/* The processor of a boot's machine, as its firmware said; ARCH_UNKNOWN leaves what is known. */
void boot_table_set_arch(struct boot_table *table, uint64_t id, enum cpu_arch arch);

/* Moves the boot that the event belongs to (event->boot) and marks it as heard of. The daemon's sink calls
 * this with every event. EVENT_BOOT itself is passed over. */
void boot_table_observe(struct boot_table *table, const struct event *event);

/* A firmware itself, not a loader, asks for an address: tells whether what it fetched last did not start.
 * Called before boot_table_discover. */
void boot_table_firmware(struct boot_table *table, const struct moment *now, const struct mac *mac);
/* Tells the same of firmware that has been silent for BOOT_UNSTARTED_S since then. Called every few seconds.
 */
void boot_table_tick(struct boot_table *table, const struct moment *now);
enum { BOOT_UNSTARTED_S = 60 };

/* Notes that the node has reported its stages up to `us` (its CLOCK_BOOTTIME) and returns up to where it had
 * before (-1: nothing, also for a boot that there is not). Nodes report all their stages each time; this
 * tells which are new. */
int64_t boot_table_told(struct boot_table *table, uint64_t id, int64_t us);

/* Copies of what is known; false when there is none. ret_stage may be NULL. */
bool boot_table_get(struct boot_table *table, uint64_t id, struct boot *ret_boot, enum boot_stage *ret_stage);
bool boot_table_by_mac(struct boot_table *table, const struct mac *mac, struct boot *ret_boot,
                       enum boot_stage *ret_stage);
bool boot_table_by_ip(struct boot_table *table, ipv4_t ip, struct boot *ret_boot, enum boot_stage *ret_stage);

/* The boot that a report without an id is of: the one of this machine, by its MAC or else by the address it
 * reports from, when it was told no id: what boots a unified image has the command line of its profile. */
bool boot_table_unnamed(struct boot_table *table, const struct mac *mac, ipv4_t from, struct boot *ret_boot);

/* Puts a boot of the store back after a restart, so that reports of nodes that are up still find it. 0 or
 * -ENOMEM. */
int boot_table_load(struct boot_table *table, const struct moment *now, const struct boot *boot);
size_t boot_table_count(struct boot_table *table);

/* The id as 16 lower-case hexadecimal digits, and back (0 or -EINVAL). */
#define BOOT_ID_TEXT_MAX 17
const char *boot_id_format(uint64_t id, char buf[static BOOT_ID_TEXT_MAX]);
int boot_id_parse(const char *text, uint64_t *ret_id);

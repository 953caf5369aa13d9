/* Reports of nodes: the body of `POST /v1/report` to a value (model/report.h) and to events.
 *
 * {"boot":"HEX16","node":"n1","mac":"52:54:00:12:34:56","stages":[{"stage":"init","us":123456,"detail":"..."}],
 *  "facts":{"mem_total_kb":..,"mem_free_kb":..,"mem_available_kb":..,"mem_used_kb":..,"root_kb":..,"modules":..,
 *           "device_nodes":..,"interfaces":[{"name","up","mac","address","prefix"}],
 *           "mounts":[{"source","target","type","options"}],"kernel":"..","cmdline":"..",
 *           "hardware":{...}}}
 *
 * boot, node, mac may be "" or absent; facts may be absent. Keys we do not know are passed over, so that a
 * newer init can report to an older server. hardware is described in model/machine.h; where it is the only
 * fact, the others need not be there. Limits: 256 KiB, of which the facts but hardware 64 KiB; 16 levels, 64
 * stages, 64 interfaces, 512 mounts.
 */
#pragma once

#include "model/report.h"
#include "serve/boot.h"

#define REPORT_MAX       262144
#define REPORT_FACTS_MAX 65536
#define REPORT_ERROR_MAX 160

/* 0, and *ret_report is the caller's (report_clear). -EINVAL: not as above; `error` names the field and what
 * was expected
 * (`stages[2].us: expected a number`). -EMSGSIZE: longer than REPORT_MAX. -ENOMEM. ret_facts (may be NULL):
 * the facts but hardware as JSON text of their own, the caller's; NULL when there were none. */
int report_parse(const void *body, size_t size, struct report *ret_report, char **ret_facts,
                 char error[static REPORT_ERROR_MAX]);

/* Emits EVENT_STAGE for every stage that the boot has not reported before, EVENT_FACTS, and EVENT_HARDWARE. A
 * report with neither boot nor node belongs to the one that its machine, or the address `from` that it came
 * from, has without knowing its id (boot_table_unnamed), else it is emitted with boot 0; either way as
 * hearsay. Where it names a boot, its MAC address says nothing: nobody else knows these 64 bits, and a
 * machine may be up by another card than it booted from, or by a bond. 0; -ENOENT: it names a boot that there
 * is not; nothing is emitted.
 */
int report_apply(struct boot_table *boots, struct event_sink *sink, const struct moment *now,
                 const struct report *report, ipv4_t from, const char *facts);

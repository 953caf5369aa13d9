/* Every statement of the store, each prepared once, at open. What the columns mean is in schema.c. */
#include "store/internal.h"

static const char *const statements[] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_LEASE_INSERT] = "INSERT INTO leases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                         " ON CONFLICT (ip) DO NOTHING",
    /* `since` goes on as long as nothing ends. */
    [SQL_LEASE_UPDATE] =
        "UPDATE leases SET state = ?2, client = ?3, mac = ?4, start = ?5, expires = ?6, hostname = ?7, since "
        "="
        " iif(state = ?2 AND client = ?3 AND (state = 2 OR ?5 <= expires), since, ?8) WHERE ip = ?1",
    /* A released lease is no lease any more: its past row was written when it was released. A bound or a
     * quarantined one ends when the address gets another state or client, or when its client comes back after
     * it had expired. */
    [SQL_LEASE_END] =
        "INSERT INTO leases_past (ip, mac, since, until, ending, hostname) SELECT ip, mac, since,"
        " max(since, min(expires, ?8)), CASE WHEN state = 3 THEN 5 WHEN expires <= ?8 THEN 1 WHEN ?2 = 2 THEN"
        " 2 WHEN ?2 = 3 THEN 3 ELSE 4 END, hostname FROM leases"
        " WHERE ip = ?1 AND state <> 2 AND (state <> ?2 OR client <> ?3 OR ?5 > expires)",
    [SQL_LEASES_PAST_FORGET] = "DELETE FROM leases_past WHERE id <= last_insert_rowid() - ?1",
    [SQL_BOOT_BEGIN] = "INSERT OR REPLACE INTO boots VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [SQL_BOOTS_FORGET] = "DELETE FROM boots WHERE id IN"
                         " (SELECT id FROM boots ORDER BY started_us DESC, rowid DESC LIMIT -1 OFFSET ?1)",
    [SQL_BOOT_EVENT] = "INSERT INTO boot_events SELECT ?1, ?2, ?3, ?4"
                       " WHERE (SELECT count(*) FROM boot_events WHERE boot = ?1) < ?5",
    [SQL_REPORT] = "INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3)",
    [SQL_CANDIDATE_PUT] =
        "INSERT INTO candidates VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (mac) DO UPDATE"
        " SET ip = ?2, subnet = ?3, last_us = max(last_us, ?5), hostname = ?6, vendor_class = ?7, arch = ?8,"
        " uuid = ?9, circuit_id = ?10",
    [SQL_CANDIDATE_DELETE] = "DELETE FROM candidates WHERE mac = ?1",
    [SQL_CANDIDATES_FORGET] = "DELETE FROM candidates WHERE mac IN"
                              " (SELECT mac FROM candidates ORDER BY last_us LIMIT ?1)",
    [SQL_CANDIDATES_COUNT] = "SELECT count(*) FROM candidates",
    /* A kernel without DMI does not say what the machine is called: then what an earlier one said of the same
     * hardware stays. */
    [SQL_MACHINE_PUT] =
        "INSERT INTO machines VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (mac) DO UPDATE SET node = ?2,"
        " class = ?3, at_us = ?4, boot = ?5, bytes = ?6, json = CASE WHEN class <> ?3 OR NOT json_valid(json)"
        " OR NOT json_valid(?7) THEN ?7 WHEN json_type(?7, '$.dmi') IS NULL AND json_type(json, '$.dmi') ="
        " 'object' THEN json_set(?7, '$.dmi', json_extract(json, '$.dmi')) ELSE ?7 END",
    [SQL_MACHINES_FORGET] =
        "DELETE FROM machines WHERE mac IN (SELECT mac FROM (SELECT mac, row_number() OVER newest AS place,"
        " sum(bytes) OVER newest AS total FROM machines WINDOW newest AS (ORDER BY at_us DESC, mac ROWS"
        " UNBOUNDED PRECEDING)) WHERE place > ?1 OR total > ?2)",
    [SQL_TRIAL_PUT] = "INSERT OR REPLACE INTO trials VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_TRIALS_FORGET] = "DELETE FROM trials WHERE rowid IN"
                          " (SELECT rowid FROM trials ORDER BY begun_us DESC, rowid DESC LIMIT -1 OFFSET ?1)",
    [SQL_LEASES] = "SELECT ip, state, client, mac, start, expires, hostname, since FROM leases ORDER BY ip",
    [SQL_LEASES_PAST] = "SELECT ip, mac, since, until, ending, hostname FROM leases_past ORDER BY id DESC",
    [SQL_CANDIDATES] = "SELECT mac, ip, subnet, first_us, last_us, hostname, vendor_class, arch, uuid,"
                       " circuit_id FROM candidates ORDER BY first_us, mac",
    [SQL_BOOTS] = "SELECT id, mac, node, ip, generation, started_us FROM boots"
                  " ORDER BY started_us DESC, rowid DESC LIMIT ?1",
    [SQL_BOOTS_OF_NODE] = "SELECT id, mac, node, ip, generation, started_us FROM boots WHERE node = ?2"
                          " ORDER BY started_us DESC, rowid DESC LIMIT ?1",
    [SQL_BOOT_EVENTS] = "SELECT boot, at_us, what, detail FROM boot_events WHERE boot = ?1"
                        " ORDER BY at_us, rowid",
    [SQL_MACHINES] = "SELECT mac, node, class, at_us, boot, json FROM machines ORDER BY class, node, mac",
    [SQL_TRIALS] = "SELECT class, kernel, state, mac, node, boot, begun_us, ended_us, stage FROM trials"
                   " ORDER BY class, begun_us DESC, rowid DESC",
};

int store_prepare(struct store *s)
{
    for (size_t i = 0; i < SQL_COUNT; i++) {
        int code =
            sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i], NULL);
        if (code != SQLITE_OK)
            return store_errno(s->db, code);
    }
    return 0;
}

int store_run(struct store *s, enum statement which)
{
    sqlite3_stmt *st = s->statement[which];
    int code = sqlite3_step(st);
    int r = code == SQLITE_DONE ? 0 : store_errno(s->db, code);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return r;
}

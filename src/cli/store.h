/* The server's store, for the commands that show or change what is in it, beside a server or without one; and
 * how they write down what is in there. */
#pragma once

#include "cli/command.h"
#include "cli/control.h"
#include "store/store.h"

/* Opens the store of the state folder to read. NULL: after saying what is wrong, or, with *ret_none, when
 * there is none yet, which is no mistake. */
struct store *open_reader(const struct context *context, const char *state_dir, bool *ret_none);

/* Where a change goes: to the running server, or, while there is none, into the store itself. */
struct change {
    struct control_client *server;
    struct store *store;
};
/* 0, or 1 after saying what is wrong: a server that does not answer must not be gone round. */
int change_begin(const char *state_dir, struct change *ret_change);
void change_end(struct change *change);
/* Asks the server (`request` is taken), or does `op`. 0, or 1 after saying what is wrong. */
int change_do(struct change *change, json_t *request, const struct store_op *op);

/* The configuration, to know nodes by name; NULL, with one line on stderr, when it cannot be read: then they
 * are shown by MAC address. */
struct site *load_names(const struct context *context);
/* The name of the node that this machine is, else its MAC address. */
const char *machine_name(const struct site *site, const struct mac *mac, char buf[static MAC_TEXT_MAX]);

/* Times for people: `23 h ago`, `in 5 min`, `now`. `at` and `now` in Unix seconds. */
#define WHEN_TEXT_MAX 40
const char *when_format(int64_t at, int64_t now, char buf[static WHEN_TEXT_MAX]);
/* `2026-11-25 18:16:51`, in the machine's time zone. */
const char *time_format(int64_t at, char buf[static WHEN_TEXT_MAX]);
/* `2026-11-25T18:16:51Z`, for --json. */
const char *iso_format(int64_t at, char buf[static WHEN_TEXT_MAX]);
